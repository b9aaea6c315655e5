//! One connection to an agent: one request at a time, each a conversation that is brought to its
//! end, whatever happens in it.
//!
//! A thread reads: it hands on what answers, tells the monitor what the agent tells, and knows when
//! the agent was last heard. Another one hangs up when it was not heard for too long, and a third
//! lets the agent hear that somebody is there.

use std::borrow::Borrow;
use std::io::{BufReader, BufWriter, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Event, Monitor};
use dsg_wire::frame::{self, Frame, Kind, Packed, WireError, packed};
use dsg_wire::hello::{Hello, MOST_CHATTER, NoHello};
use dsg_wire::list::{Line as Item, Lines};
use dsg_wire::message::{Answer, EventText, FailureText, Request, pack};

use crate::transport::Stream;

/// Frames that wait to be looked at.
const AHEAD: usize = 8;
/// How often the monitor is asked whether to stop.
const ASKED: Duration = Duration::from_millis(100);
/// How often the agent hears from us; it ends when it does not for long.
const BEAT: Duration = Duration::from_secs(15);
/// After a cancel, so much is listened to before the connection is given up.
const MOST_DRAINED: usize = 256 * 1024 * 1024;

/// How long an agent may be silent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Before its first words.
    pub hello: Duration,
    /// While it works; it gives a sign of life every ten seconds.
    pub silence: Duration,
    /// Once it was told to stop, whatever signs of life it gives. What it is about to decide may be brought
    /// to its end for as long as it may be silent.
    pub stop: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { hello: seconds(30), silence: seconds(60), stop: seconds(10) }
    }
}

/// The way to the agent; `None` once the connection is given up.
type Writer = Mutex<Option<BufWriter<Box<dyn Write + Send>>>>;

/// A connection.
pub(super) struct Line {
    writer: Arc<Writer>,
    frames: Receiver<Result<Frame, WireError>>,
    shared: Arc<Shared>,
    /// A request is not at its end.
    open: bool,
    cancelled: bool,
    patience: Patience,
    /// Closed when the line is dropped.
    _alive: Sender<()>,
}

struct Shared {
    begun: Instant,
    /// When the agent was last heard, in milliseconds since `begun`.
    heard: AtomicU64,
    /// An answer is due, within so many milliseconds of silence; 0: none is.
    due: AtomicU64,
    /// What came waits for us.
    full: AtomicBool,
    /// It was silent for too long.
    silent: AtomicBool,
    /// When what is being answered was to stop, in milliseconds since `begun`; 0: it was not.
    stops: AtomicU64,
    /// So long it may go on then.
    patience: AtomicU64,
    /// It did not stop.
    stuck: AtomicBool,
    listener: Mutex<Option<Monitor>>,
    farewell: Box<dyn Fn() -> String + Send + Sync>,
    hang_up: Box<dyn Fn() + Send + Sync>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Shared {
    fn hear(&self) {
        self.heard.store(millis(self.begun.elapsed()), Ordering::Relaxed);
    }

    fn listener(&self) -> MutexGuard<'_, Option<Monitor>> {
        held(&self.listener)
    }

    /// Whether a frame ends a request: nothing more is due then.
    fn ends(frame: &Frame) -> bool {
        match frame.kind {
            Kind::Failed => true,
            Kind::Answer => !matches!(Answer::read(frame), Ok(Answer::Wanted { .. })),
            _ => false,
        }
    }

    /// From now on what is being answered is to stop.
    fn stop(&self) {
        let now = millis(self.begun.elapsed()).max(1);
        let _ = self.stops.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether what was to stop goes on. Whoever waits for the agent to take something cannot tell it to.
    fn goes_on(&self) -> bool {
        if self.listener().as_ref().is_some_and(|listener| listener.check().is_err()) {
            self.stop();
        }
        let since = self.stops.load(Ordering::Relaxed);
        let stopping = millis(self.begun.elapsed()).saturating_sub(since);
        since > 0 && stopping > self.patience.load(Ordering::Relaxed)
    }

    /// Hangs up if an answer is due and the agent is silent, or does not stop; ends with the line.
    fn watch(&self, ended: &Receiver<()>, read: &Receiver<()>, tick: Duration) {
        while ended.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
            let due = self.due.load(Ordering::Relaxed);
            let heard = self.heard.load(Ordering::Relaxed);
            let now = millis(self.begun.elapsed());
            let is_silent = !self.full.load(Ordering::Relaxed) && now.saturating_sub(heard) > due;
            let is_stuck = due > 0 && self.goes_on();
            if due > 0 && (is_silent || is_stuck) {
                let why = if is_stuck { &self.stuck } else { &self.silent };
                why.store(true, Ordering::Relaxed);
                (self.hang_up)();
                return;
            }
        }
        // Its stdin is closed, so it ends by itself; or else.
        if read.recv_timeout(Duration::from_secs(2)) == Err(RecvTimeoutError::Timeout) {
            (self.hang_up)();
        }
    }

    fn read(&self, mut input: impl std::io::Read, frames: &Sender<Result<Frame, WireError>>) {
        loop {
            let read = frame::read(&mut input);
            self.hear();
            let next = match read {
                Ok(Some(frame)) if frame.kind == Kind::Heartbeat => continue,
                Ok(Some(frame)) if frame.kind == Kind::Progress => match EventText::read(&frame) {
                    Ok(events) => {
                        let listener = self.listener().clone();
                        for event in events {
                            if let Some(listener) = &listener {
                                listener.event(Event::from(event));
                            }
                        }
                        continue;
                    }
                    Err(e) => Err(e),
                },
                Ok(Some(frame)) => {
                    if Self::ends(&frame) {
                        self.due.store(0, Ordering::Relaxed);
                    }
                    Ok(frame)
                }
                Ok(None) => Err(WireError::Cut),
                Err(e) => Err(e),
            };
            let ends = next.is_err();
            self.full.store(true, Ordering::Relaxed);
            let taken = frames.send(next);
            self.hear();
            self.full.store(false, Ordering::Relaxed);
            if ends || taken.is_err() {
                return;
            }
        }
    }
}

impl Line {
    /// Meets the agent at the other end.
    ///
    /// # Errors
    /// [`Code::Unreachable`]: nobody answers; [`Code::Protocol`]: somebody else does;
    /// [`Code::OtherAgent`]: an agent of another build does.
    pub(super) fn meet(stream: Stream, patience: Patience) -> Outcome<Self> {
        let Stream { reader, writer, farewell, hang_up } = stream;
        let shared = Arc::new(Shared {
            begun: Instant::now(),
            heard: AtomicU64::new(0),
            due: AtomicU64::new(millis(patience.hello)),
            full: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            stops: AtomicU64::new(0),
            patience: AtomicU64::new(millis(patience.stop)),
            stuck: AtomicBool::new(false),
            listener: Mutex::default(),
            farewell,
            hang_up,
        });
        let (alive, ended) = bounded(0);
        let ended_too = ended.clone();
        let (reads, read) = bounded::<()>(0);
        let watcher = Arc::clone(&shared);
        let Patience { hello, silence, stop } = patience;
        let tick = hello.min(silence).min(stop).min(Duration::from_secs(4)) / 4;
        std::thread::spawn(move || watcher.watch(&ended, &read, tick));
        let mut reader = BufReader::with_capacity(64 * 1024, reader);
        let met = Hello::read(&mut reader, MOST_CHATTER);
        shared.due.store(0, Ordering::Relaxed);
        match met {
            Ok(agent) if agent == Hello::own() => {}
            Ok(agent) => return Err(other(&agent)),
            Err(none) => return Err(nobody(&none, &shared, patience)),
        }
        let (sends, frames) = bounded(AHEAD);
        let reading = Arc::clone(&shared);
        std::thread::spawn(move || {
            reading.read(reader, &sends);
            drop(reads);
        });
        let writer = Arc::new(Mutex::new(Some(BufWriter::with_capacity(64 * 1024, writer))));
        let mut line =
            Self { writer, frames, shared, open: false, cancelled: false, patience, _alive: alive };
        let greeted = line.write(|writer| Hello::own().write(writer));
        line.sound(greeted)?;
        let writer = Arc::clone(&line.writer);
        std::thread::spawn(move || beat(&writer, &ended_too));
        Ok(line)
    }

    /// Whether nothing can be asked any more.
    pub(super) fn is_gone(&self) -> bool {
        held(&self.writer).is_none()
    }

    /// Whether nothing is being asked, and nothing came that was not asked for: not even the end.
    pub(super) fn is_at_rest(&self) -> bool {
        let quiet = matches!(self.frames.try_recv(), Err(TryRecvError::Empty));
        !self.open && !self.is_gone() && quiet
    }

    fn write(
        &self,
        what: impl FnOnce(&mut BufWriter<Box<dyn Write + Send>>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        held(&self.writer).as_mut().map_or(Err(WireError::Cut), what)
    }

    /// Asks, and brings what was asked to its end: if `talk` ends before, it is cancelled.
    pub(super) fn converse<T>(
        &mut self,
        request: &Request,
        monitor: Option<&Monitor>,
        talk: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<T> {
        self.shared.hear();
        let Patience { silence, stop, .. } = self.patience;
        let decides = decides(request);
        self.shared.stops.store(0, Ordering::Relaxed);
        let stop = if decides { silence } else { stop };
        self.shared.patience.store(millis(stop), Ordering::Relaxed);
        self.shared.due.store(millis(silence), Ordering::Relaxed);
        *self.shared.listener() = monitor.cloned();
        self.open = true;
        self.cancelled = false;
        let talked = self.send(pack(Kind::Request, request)).and_then(|()| talk(self));
        if self.open && !self.is_gone() {
            // Whatever this gives, it is over.
            let _ = self.drain();
        }
        self.open = false;
        *self.shared.listener() = None;
        self.shared.due.store(0, Ordering::Relaxed);
        match talked {
            // Who stopped it hears that it is stopped, unless it may have been decided all the same.
            Err(cut)
                if cut.code == Code::Unreachable
                    && !decides
                    && self.shared.stuck.load(Ordering::Relaxed)
                    && monitor.is_some_and(|monitor| monitor.check().is_err()) =>
            {
                Err(Failure::cancelled().because(cut))
            }
            talked => talked,
        }
    }

    /// Says something that is not answered.
    pub(super) fn mention(&mut self, request: &Request) -> Outcome<()> {
        self.send(pack(Kind::Request, request))?;
        self.flush()
    }

    /// Sends a frame, sooner or later.
    pub(super) fn send(&mut self, frame: Result<Packed, WireError>) -> Outcome<()> {
        let frame = self.sound(frame)?;
        let sent = self.write(|writer| frame.write(writer));
        self.sound(sent)
    }

    /// Sends lines.
    pub(super) fn list<T: Item>(
        &mut self,
        items: impl IntoIterator<Item = impl Borrow<T>>,
    ) -> Outcome<()> {
        let mut lines = Lines::new(Kind::Lines);
        for item in items {
            if let Some(frame) = lines.put(item.borrow()).transpose() {
                self.send(frame)?;
            }
        }
        lines.end().transpose().map_or(Ok(()), |frame| self.send(frame))
    }

    pub(super) fn flush(&mut self) -> Outcome<()> {
        let flushed = self.write(|writer| Ok(writer.flush()?));
        self.sound(flushed)
    }

    /// Asks the agent to end what it does.
    pub(super) fn cancel(&mut self) -> Outcome<()> {
        if !self.cancelled {
            self.cancelled = true;
            self.shared.stop();
            self.send(packed(Kind::Cancel, &[]))?;
        }
        self.flush()
    }

    /// Waits for the next frame of the answer, and cancels when the monitor says so.
    ///
    /// # Errors
    /// What the agent says went wrong; the connection is lost.
    pub(super) fn next(&mut self) -> Outcome<Frame> {
        self.flush()?;
        loop {
            match self.frames.recv_timeout(ASKED) {
                Ok(Ok(frame)) => return self.taken(frame),
                Ok(Err(e)) => return self.sound(Err(e)),
                Err(RecvTimeoutError::Disconnected) => return self.sound(Err(WireError::Cut)),
                Err(RecvTimeoutError::Timeout) => {
                    let stops = self.shared.listener().as_ref().map(Monitor::check);
                    if stops.is_some_and(|s| s.is_err()) && !self.cancelled {
                        self.cancel()?;
                    }
                }
            }
        }
    }

    /// Whether the agent said something meanwhile: it wants no more.
    pub(super) fn interrupted(&mut self) -> Outcome<bool> {
        match self.frames.try_recv() {
            Ok(Ok(frame)) if frame.kind == Kind::Cancel => Ok(true),
            Ok(Ok(frame)) => {
                let found = frame.kind;
                self.taken(frame)?;
                self.violated(format!("{found:?} while content is sent"))
            }
            Ok(Err(e)) => self.sound(Err(e)),
            Err(TryRecvError::Disconnected) => self.sound(Err(WireError::Cut)),
            Err(TryRecvError::Empty) => Ok(false),
        }
    }

    fn taken(&mut self, frame: Frame) -> Outcome<Frame> {
        match frame.kind {
            Kind::Failed => {
                let failure = FailureText::read(&frame);
                let failure = self.sound(failure)?;
                self.open = false;
                Err(failure.into())
            }
            Kind::Request | Kind::ContentEnd => {
                self.violated(format!("{:?} from an agent", frame.kind))
            }
            _ => Ok(frame),
        }
    }

    /// Reads the answer that ends the request.
    pub(super) fn answer(&mut self, frame: &Frame) -> Outcome<Answer> {
        let answer = Answer::read(frame);
        let answer = self.sound(answer)?;
        self.open = matches!(answer, Answer::Wanted { .. });
        Ok(answer)
    }

    /// The answer that ends the request, with nothing before it.
    pub(super) fn only_answer(&mut self) -> Outcome<Answer> {
        let frame = self.next()?;
        self.answer(&frame)
    }

    /// What came was right in form, and wrong in its place.
    pub(super) fn violated<T>(&mut self, what: impl Into<String>) -> Outcome<T> {
        self.sound(Err(WireError::Damaged(what.into())))
    }

    /// Gives the connection up if it is not sound.
    pub(super) fn sound<T>(&mut self, result: Result<T, WireError>) -> Outcome<T> {
        let wrong = match result {
            Ok(sound) => return Ok(sound),
            Err(wrong) => wrong,
        };
        // What the agent said last may tell why it went.
        let last = self.frames.try_iter().find_map(|f| f.ok().filter(|f| f.kind == Kind::Failed));
        let last = last.and_then(|frame| FailureText::read(&frame).ok()).map(Failure::from);
        // Hung up first: nobody who writes is in the way then.
        (self.shared.hang_up)();
        *held(&self.writer) = None;
        if !wrong.is_lost() {
            return Err(wrong.into());
        }
        if let Some(last) = last {
            return Err(last);
        }
        let lost = Failure::from(wrong);
        if self.shared.stuck.load(Ordering::Relaxed) {
            let message = "The agent on the repository's host did not stop when it was told to; the connection was closed.";
            let failure = Failure::new(Code::Unreachable, message);
            return Err(failure
                .hint("Try again: what has arrived is not sent again.")
                .because(lost));
        }
        if self.shared.silent.load(Ordering::Relaxed) {
            let message = format!(
                "The repository's host did not answer for {} seconds.",
                self.patience.silence.as_secs()
            );
            let failure = Failure::new(Code::Unreachable, message);
            let hint = lost.hint.clone().unwrap_or_default();
            return Err(failure.hint(hint).because(lost));
        }
        let farewell = (self.shared.farewell)();
        if farewell.is_empty() { Err(lost) } else { Err(lost.because(farewell)) }
    }

    /// Cancels, and listens until the agent has come to the end of the request.
    fn drain(&mut self) -> Outcome<()> {
        self.cancel()?;
        *self.shared.listener() = None;
        let mut drained = 0;
        while self.open {
            let frame = self.next()?;
            drained += frame.payload.len() + 1024;
            if drained > MOST_DRAINED {
                return self.violated("an answer that does not end");
            }
            let wants = |answer| matches!(answer, Answer::Wanted { .. });
            if frame.kind == Kind::Answer && wants(self.answer(&frame)?) {
                self.send(packed(Kind::ContentEnd, &[]))?;
            }
        }
        Ok(())
    }
}

/// Whether a request decides something: where its answer is lost, it may have been done.
fn decides(request: &Request) -> bool {
    matches!(
        request,
        Request::Publish { .. }
            | Request::AdoptDrift { .. }
            | Request::AdoptLegacy { .. }
            | Request::Prune { .. }
    )
}

/// Lets the agent hear that somebody is there, until the line is dropped or gone.
fn beat(writer: &Writer, ended: &Receiver<()>) {
    while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
        let Ok(frame) = packed(Kind::Heartbeat, &[]) else { return };
        let mut writer = held(writer);
        let Some(writer) = writer.as_mut() else { return };
        if frame.write(writer).and_then(|()| Ok(writer.flush()?)).is_err() {
            return;
        }
    }
}

fn other(agent: &Hello) -> Failure {
    let message = format!(
        "The agent on the host is of another version of DSG ({}) than this program ({}).",
        agent.build,
        dsg_wire::BUILD
    );
    Failure::new(Code::OtherAgent, message)
        .hint("Install the same version of DSG on both sides, or remove the agent that stands on the host's PATH.")
}

fn nobody(none: &NoHello, shared: &Shared, patience: Patience) -> Failure {
    let seen = |text: &str| {
        let farewell = (shared.farewell)();
        [text.trim(), farewell.trim()]
            .into_iter()
            .filter(|t| !t.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let why = if shared.silent.load(Ordering::Relaxed) {
        let seconds = patience.hello.as_secs();
        Failure::new(
            Code::Unreachable,
            format!("DSG's agent on the host did not answer within {seconds} seconds."),
        )
        .because(seen(""))
    } else {
        match none {
            NoHello::Ended(text) => {
                Failure::new(Code::Unreachable, "DSG's agent did not start on the host.")
                    .because(seen(text))
            }
            NoHello::Chatter(text) => {
                Failure::new(Code::Protocol, "Something else than DSG's agent answers on the host.")
                    .because(seen(text))
            }
            NoHello::Wire(e) if e.is_lost() => {
                Failure::new(Code::Unreachable, "DSG's agent did not start on the host.")
                    .because(seen(&e.to_string()))
            }
            other => Failure::new(
                Code::Protocol,
                format!("Something else than DSG's agent answers on the host: {other}."),
            )
            .because(seen("")),
        }
    };
    (shared.hang_up)();
    why.hint("Log in to the host by hand and look what it says; nothing but DSG may write there when no terminal is attached.")
}
