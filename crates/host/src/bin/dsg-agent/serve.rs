//! From the first words to the last. One thread reads, so that a cancel and the connection's end
//! are heard at any time; the main thread answers, one request after the other.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_host::tree::{Staging, TreeStore};
use dsg_wire::frame::{self, Frame, Kind, WireError};
use dsg_wire::hello::{Hello, NoHello};
use dsg_wire::message::Request;

use crate::out::Out;

/// Frames that wait to be looked at.
const AHEAD: usize = 8;
/// How long work may take to its end when the connection is gone.
const GRACE: Duration = Duration::from_secs(30);
/// The engine is heard every 15 seconds; after so long without, it is gone, and its connection
/// does not know it. It ends before the engine gives it up, so that the next one finds what it staged.
const SILENCE: Duration = Duration::from_secs(50);

/// What was read: a frame, and for a request what stops it.
pub(crate) type Incoming = Result<(Frame, Option<Monitor>), WireError>;

/// What is being served.
pub(crate) struct Agent {
    pub(crate) out: Arc<Out>,
    pub(crate) incoming: Receiver<Incoming>,
    pub(crate) store: Option<TreeStore>,
    pub(crate) transactions: HashMap<String, Staging>,
}

/// Serves on stdin and stdout until stdin ends.
///
/// # Errors
/// The other side is no engine of this build, or does not keep to the protocol.
pub(crate) fn on_stdio() -> Outcome<()> {
    let own = |stream: std::io::Result<std::os::fd::OwnedFd>| {
        stream.map(File::from).map_err(|e| Failure::io("open", "stdin and stdout", e))
    };
    let input = own(std::io::stdin().as_fd().try_clone_to_owned())?;
    let output = own(std::io::stdout().as_fd().try_clone_to_owned())?;
    serve(input, output)
}

fn serve(
    input: impl Read + Send + 'static,
    mut output: impl Write + Send + 'static,
) -> Outcome<()> {
    Hello::own().write(&mut output)?;
    let mut input = BufReader::with_capacity(64 * 1024, input);
    match Hello::read(&mut input, 0) {
        Ok(engine) if engine == Hello::own() => {}
        Ok(engine) => {
            let message = format!("this is {}, the engine is {}", dsg_wire::BUILD, engine.build);
            return Err(Failure::new(Code::OtherAgent, message));
        }
        // It only wanted to know who is here.
        Err(NoHello::Ended(_)) => return Ok(()),
        Err(other) => return Err(Failure::new(Code::Protocol, other.to_string())),
    }
    let out = Arc::new(Out::new(Box::new(output)));
    let (frames, incoming) = bounded(AHEAD);
    let reader = Arc::new(Reader {
        out: Arc::clone(&out),
        current: Mutex::new(Monitor::silent()),
        full: AtomicBool::new(false),
    });
    let listening = Arc::clone(&reader);
    let (heard, silence) = bounded(0);
    std::thread::spawn(move || {
        listening.listen(&silence);
        listening.stop();
        // The main thread ends by itself as soon as it can; if it hangs, the disk does.
        std::thread::sleep(GRACE);
        std::process::exit(1);
    });
    std::thread::spawn(move || reader.read(input, &frames, &heard));
    let (alive, ended) = bounded(0);
    let teller = Arc::clone(&out);
    std::thread::spawn(move || teller.keep_telling(&ended));
    let mut agent = Agent { out, incoming, store: None, transactions: HashMap::new() };
    let served = agent.answer_all();
    drop(alive);
    served
}

/// What reads, and stops what is being done when asked to, and when nobody is there any more.
struct Reader {
    out: Arc<Out>,
    current: Mutex<Monitor>,
    /// What came waits for us.
    full: AtomicBool,
}

impl Reader {
    fn stop(&self) {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).stop();
    }

    /// Waits until nobody is heard any more.
    fn listen(&self, heard: &Receiver<()>) {
        loop {
            match heard.recv_timeout(SILENCE) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) if self.full.load(Ordering::Relaxed) => {}
                Err(_) => return,
            }
        }
    }

    /// Reads frames until the stream ends.
    fn read(&self, mut input: impl Read, frames: &Sender<Incoming>, heard: &Sender<()>) {
        loop {
            let next = frame::read(&mut input);
            if heard.send(()).is_err() {
                return;
            }
            let incoming = match next {
                Ok(Some(frame)) if frame.kind == Kind::Cancel => {
                    self.stop();
                    continue;
                }
                Ok(Some(frame)) if frame.kind == Kind::Heartbeat => continue,
                Ok(Some(frame)) if frame.kind == Kind::Request => {
                    let monitor = Monitor::new(Arc::clone(&self.out) as Arc<_>);
                    *self.current.lock().unwrap_or_else(PoisonError::into_inner) = monitor.clone();
                    Ok((frame, Some(monitor)))
                }
                Ok(Some(frame)) => Ok((frame, None)),
                // What is heard ends, and with it all that is done.
                Ok(None) => return,
                Err(e) => Err(e),
            };
            let ends = incoming.is_err();
            self.full.store(true, Ordering::Relaxed);
            let taken = frames.send(incoming);
            self.full.store(false, Ordering::Relaxed);
            // The wait for us was no silence.
            if ends || taken.is_err() || heard.send(()).is_err() {
                return;
            }
        }
    }
}

impl Agent {
    fn answer_all(&mut self) -> Outcome<()> {
        let answered = self.answer_each();
        if let Err(failure) = &answered {
            // Whoever does not keep to the protocol may learn of it.
            let _ = self.out.end(&Err(Failure::new(failure.code, &*failure.message)));
        }
        answered
    }

    fn answer_each(&mut self) -> Outcome<()> {
        while let Ok(incoming) = self.incoming.recv() {
            let (frame, monitor) = incoming?;
            // Without a monitor it is the rest of a request that failed.
            let Some(monitor) = monitor else { continue };
            let request = Request::read(&frame)?;
            match request {
                Request::Release { transaction } => {
                    self.transactions.remove(&transaction);
                    continue;
                }
                Request::Close => {
                    self.transactions.clear();
                    self.store = None;
                    continue;
                }
                _ => {}
            }
            self.out.begin();
            let answer = self.answer(request, &monitor);
            self.out.end(&answer)?;
        }
        Ok(())
    }

    /// The next frame of the request that is being answered.
    pub(crate) fn next_frame(incoming: &Receiver<Incoming>) -> Outcome<Frame> {
        match incoming.recv() {
            Ok(Ok((frame, None))) => Ok(frame),
            Ok(Ok((_, Some(_)))) => {
                Err(WireError::Damaged("a request within another".into()).into())
            }
            Ok(Err(e)) => Err(e.into()),
            Err(_) => Err(WireError::Cut.into()),
        }
    }
}
