//! All that the agent writes. Events are gathered and told a few times a second; while it works,
//! the engine hears from it at least every ten seconds.

use std::io::{BufWriter, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use dsg_core::failure::{Failure, Outcome};
use dsg_core::monitor::{Event, Sink};
use dsg_wire::frame::{Kind, Packed, WireError, packed};
use dsg_wire::list::{Line, Lines};
use dsg_wire::message::{Answer, EventText, FailureText, pack};

/// How often events are told.
const TOLD: Duration = Duration::from_millis(200);
/// How long the engine hears nothing, at most, while the agent works.
const ALIVE: Duration = Duration::from_secs(10);
/// Notices that wait to be told; one more replaces the last.
const MOST_NOTICES: usize = 100;

/// The way to the engine.
pub(crate) struct Out {
    writer: Mutex<Writer>,
    events: Mutex<Gathered>,
}

struct Writer {
    output: BufWriter<Box<dyn Write + Send>>,
    /// A request is being answered.
    busy: bool,
    last: Instant,
}

/// What happened since it was last told.
#[derive(Default)]
struct Gathered {
    phase: Option<Event>,
    files: u64,
    bytes: u64,
    path: Option<String>,
    notices: Vec<String>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink for Out {
    fn event(&self, event: Event) {
        let mut gathered = held(&self.events);
        match event {
            Event::Phase { .. } => {
                // What came before belongs to the phase before.
                *gathered = Gathered {
                    phase: Some(event),
                    notices: std::mem::take(&mut gathered.notices),
                    ..Gathered::default()
                };
            }
            Event::Advanced { files, bytes } => {
                gathered.files += files;
                gathered.bytes += bytes;
            }
            Event::Path(path) => gathered.path = Some(path),
            Event::Notice(notice) => {
                gathered.notices.truncate(MOST_NOTICES - 1);
                gathered.notices.push(notice);
            }
        }
    }
}

impl Gathered {
    fn take(&mut self) -> Vec<EventText> {
        let Self { phase, files, bytes, path, notices } = std::mem::take(self);
        let advanced = (files, bytes) != (0, 0);
        let events = (phase.into_iter())
            .chain(advanced.then_some(Event::Advanced { files, bytes }))
            .chain(path.map(Event::Path))
            .chain(notices.into_iter().map(Event::Notice));
        events.map(EventText::from).collect()
    }
}

impl Out {
    pub(crate) fn new(output: Box<dyn Write + Send>) -> Self {
        let output = BufWriter::with_capacity(64 * 1024, output);
        let writer = Writer { output, busy: false, last: Instant::now() };
        Self { writer: Mutex::new(writer), events: Mutex::default() }
    }

    /// A request is being answered from now on.
    pub(crate) fn begin(&self) {
        *held(&self.events) = Gathered::default();
        held(&self.writer).busy = true;
    }

    /// Sends one frame, sooner or later.
    pub(crate) fn send(&self, frame: &Packed) -> Outcome<()> {
        Ok(held(&self.writer).send(frame)?)
    }

    /// Sends what was to be sent sooner or later.
    pub(crate) fn flush(&self) -> Outcome<()> {
        Ok(held(&self.writer).output.flush().map_err(WireError::from)?)
    }

    /// Sends lines.
    pub(crate) fn list<'i, T: Line + 'i>(
        &self,
        kind: Kind,
        items: impl IntoIterator<Item = &'i T>,
    ) -> Outcome<()> {
        let mut lines = Lines::new(kind);
        for item in items {
            if let Some(frame) = lines.put(item)? {
                self.send(&frame)?;
            }
        }
        lines.end()?.map_or(Ok(()), |frame| self.send(&frame))
    }

    /// An answer that does not end the request.
    pub(crate) fn ask(&self, answer: &Answer) -> Outcome<()> {
        let mut writer = held(&self.writer);
        writer.send(&pack(Kind::Answer, answer)?)?;
        Ok(writer.output.flush().map_err(WireError::from)?)
    }

    /// Asks the engine to end its content: nobody takes it any more.
    pub(crate) fn no_more(&self) -> Outcome<()> {
        let mut writer = held(&self.writer);
        writer.send(&packed(Kind::Cancel, &[])?)?;
        Ok(writer.output.flush().map_err(WireError::from)?)
    }

    /// Ends the request.
    pub(crate) fn end(&self, ended: &Outcome<Answer>) -> Result<(), WireError> {
        let frame = match ended {
            Ok(answer) => pack(Kind::Answer, answer),
            Err(failure) => pack(Kind::Failed, &FailureText::from(failure)),
        };
        let frame = match frame {
            Ok(frame) => frame,
            Err(long) => pack(Kind::Failed, &FailureText::from(&Failure::from(long)))?,
        };
        self.tell()?;
        let mut writer = held(&self.writer);
        writer.busy = false;
        writer.send(&frame)?;
        Ok(writer.output.flush()?)
    }

    /// Tells what happened.
    fn tell(&self) -> Result<(), WireError> {
        // Both locks in this order, so that nothing is told after the answer.
        let mut writer = held(&self.writer);
        let events = held(&self.events).take();
        if !writer.busy || (events.is_empty() && writer.last.elapsed() < ALIVE) {
            return Ok(());
        }
        let frame = if events.is_empty() {
            packed(Kind::Heartbeat, &[])?
        } else {
            pack(Kind::Progress, &events)?
        };
        writer.send(&frame)?;
        Ok(writer.output.flush()?)
    }

    /// Tells what happens, until `ended` is closed or nobody listens.
    pub(crate) fn keep_telling(&self, ended: &Receiver<()>) {
        while ended.recv_timeout(TOLD) == Err(RecvTimeoutError::Timeout) && self.tell().is_ok() {}
    }
}

impl Writer {
    fn send(&mut self, frame: &Packed) -> Result<(), WireError> {
        self.last = Instant::now();
        frame.write(&mut self.output)
    }
}
