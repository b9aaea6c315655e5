//! From the first words to the last. One thread reads, so that a cancel and the connection's end
//! are heard at any time; the main thread answers, one request after the other.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
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
    let reader_out = Arc::clone(&out);
    std::thread::spawn(move || {
        read(input, &frames, &reader_out);
        drop(frames);
        // The main thread ends by itself as soon as it can; if it hangs, the disk does.
        std::thread::sleep(GRACE);
        std::process::exit(1);
    });
    let (alive, ended) = bounded(0);
    let teller = Arc::clone(&out);
    std::thread::spawn(move || teller.keep_telling(&ended));
    let mut agent = Agent { out, incoming, store: None, transactions: HashMap::new() };
    let served = agent.answer_all();
    drop(alive);
    served
}

/// Reads frames until the stream ends; stops what is being done when asked to, and then.
fn read(mut input: impl Read, frames: &Sender<Incoming>, out: &Arc<Out>) {
    let mut current = Monitor::silent();
    loop {
        let incoming = match frame::read(&mut input) {
            Ok(Some(frame)) if frame.kind == Kind::Cancel => {
                current.stop();
                continue;
            }
            Ok(Some(frame)) if frame.kind == Kind::Heartbeat => continue,
            Ok(Some(frame)) if frame.kind == Kind::Request => {
                current = Monitor::new(Arc::clone(out) as Arc<_>);
                Ok((frame, Some(current.clone())))
            }
            Ok(Some(frame)) => Ok((frame, None)),
            Ok(None) => break,
            Err(e) => Err(e),
        };
        let ends = incoming.is_err();
        if frames.send(incoming).is_err() || ends {
            break;
        }
    }
    current.stop();
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
            if let Request::Release { transaction } = request {
                self.transactions.remove(&transaction);
                continue;
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
