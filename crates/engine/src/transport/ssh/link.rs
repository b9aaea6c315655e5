//! libssh2 over any byte stream, without a send of its that is ever cut short.
//!
//! libssh2 keeps a packet that the socket took only in part, and lets nothing but the very same call go
//! on with it. If then the host begins a key exchange, or another channel has its turn, or the channel
//! is given up, it waits for ever (libssh2 issues 1672 and 2110; releases up to 1.11.1). So it never
//! gets the network's socket, but one end of a socket pair. The other end is emptied after every call,
//! into a queue of ours; data is given to libssh2 only while that queue is short. A packet (32 KiB)
//! always fits into an empty pair (208 KiB), whatever the network does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use dsg_core::failure::{Code, Failure, Outcome};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{ErrorCode, Session};

use super::ask::Ask;
use super::buffer::{Buffer, Moved};

/// libssh2's word for "call again".
const EAGAIN: i32 = -37;
const INCOMING: usize = 256 * 1024;
const OUTGOING: usize = 1024 * 1024;
/// Data is given to libssh2 while less than this waits for the network.
const MARK: usize = OUTGOING / 2;

/// The socket below: to the host, or to a jump host's session.
pub(super) trait Carrier: Read + Write + AsFd + Send {}
impl Carrier for TcpStream {}
impl Carrier for UnixStream {}

/// A session and what carries it.
pub(super) struct Link {
    pub(super) session: Session,
    carrier: Box<dyn Carrier>,
    near: UnixStream,
    incoming: Buffer,
    outgoing: Buffer,
    /// When the host last said anything, as far as we listened.
    pub(super) heard: Instant,
    /// The carrier ended.
    pub(super) ended: bool,
}

impl Link {
    /// A session over a carrier that does not wait.
    pub(super) fn new(carrier: Box<dyn Carrier>) -> Outcome<Self> {
        let broken = |e: std::io::Error| {
            Failure::new(Code::Io, "Could not prepare a connection.").because(e)
        };
        let (near, far) = UnixStream::pair().map_err(broken)?;
        near.set_nonblocking(true).map_err(broken)?;
        far.set_nonblocking(true).map_err(broken)?;
        let mut session = Session::new()
            .map_err(|e| Failure::new(Code::Io, "Could not prepare a connection.").because(e))?;
        session.set_tcp_stream(far);
        session.set_blocking(false);
        Ok(Self {
            session,
            carrier,
            near,
            incoming: Buffer::new(INCOMING),
            outgoing: Buffer::new(OUTGOING),
            heard: Instant::now(),
            ended: false,
        })
    }

    /// Whether libssh2 may be given more data.
    pub(super) fn has_room(&self) -> bool {
        self.outgoing.len() < MARK
    }

    /// Takes over what libssh2 sent in its last call.
    pub(super) fn collect(&mut self) {
        let _ = self.outgoing.fill(&self.near);
    }

    /// Moves what can be moved between libssh2 and the network; gives whether anything was.
    pub(super) fn pump(&mut self) -> bool {
        let mut moved = false;
        if !self.ended {
            match self.incoming.fill(&mut self.carrier) {
                Moved::Some(_) => {
                    self.heard = Instant::now();
                    moved = true;
                }
                Moved::None => {}
                Moved::Ended | Moved::Failed => self.ended = true,
            }
        }
        if self.incoming.is_full() {
            // Nobody here listens now: no wonder that nothing is heard.
            self.heard = Instant::now();
        }
        moved |= matches!(self.incoming.drain(&self.near), Moved::Some(_));
        if self.ended && self.incoming.is_empty() {
            let _ = self.near.shutdown(std::net::Shutdown::Write);
        }
        moved |= matches!(self.outgoing.fill(&self.near), Moved::Some(_));
        match self.outgoing.drain(&mut self.carrier) {
            Moved::Some(_) => moved = true,
            Moved::None => {}
            Moved::Ended | Moved::Failed => self.ended = true,
        }
        moved
    }

    /// The network's socket, and what is to be waited for there.
    pub(super) fn wanted(&self) -> (BorrowedFd<'_>, PollFlags) {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, !self.incoming.is_full() && !self.ended);
        flags.set(PollFlags::OUT, !self.outgoing.is_empty());
        (self.carrier.as_fd(), flags)
    }

    /// Repeats a call until libssh2 has an answer.
    ///
    /// # Errors
    /// `None` as the inner error: the host did not answer within `patience`, or nobody waits any more.
    pub(super) fn until<T>(
        &mut self,
        patience: Duration,
        ask: &dyn Ask,
        mut call: impl FnMut(&mut Session) -> Result<T, ssh2::Error>,
    ) -> Result<T, Unanswered> {
        let began = Instant::now();
        loop {
            let answer = call(&mut self.session);
            self.collect();
            let moved = self.pump();
            match answer {
                Err(e) if is_again(&e) => {}
                Err(_) if self.ended => return Err(Unanswered::Ended),
                answer => return answer.map_err(Unanswered::Refused),
            }
            if moved {
                continue;
            }
            if self.ended {
                return Err(Unanswered::Ended);
            }
            if ask.has_left() {
                return Err(Unanswered::Left);
            }
            if began.elapsed() >= patience {
                return Err(Unanswered::Silent(patience));
            }
            let (fd, flags) = self.wanted();
            let wait = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
            let _ = poll(&mut [PollFd::from_borrowed_fd(fd, flags)], Some(&wait));
        }
    }
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// libssh2 or the host says why.
    Refused(ssh2::Error),
    /// The connection ended.
    Ended,
    /// Nothing came for so long.
    Silent(Duration),
    /// The person has left.
    Left,
}

impl Unanswered {
    /// As a failure; `host` is who should have answered, `doing` what was under way.
    pub(super) fn failure(self, host: &str, doing: &str) -> Failure {
        let unreachable = |message: String| Failure::new(Code::Unreachable, message);
        match self {
            Self::Refused(e) => {
                unreachable(format!("{host} could not be reached: {doing} failed: {}.", e.message()))
                    .because(e)
            }
            Self::Ended => unreachable(format!("{host} closed the connection during {doing}."))
                .hint("Try again; if it happens again, its administrator finds the reason in the host's log."),
            Self::Silent(time) => {
                unreachable(format!("{host} did not answer within {} s during {doing}.", time.as_secs()))
                    .hint("Is the network up, and the host? dsg doctor ADDRESS tries each step by itself.")
            }
            Self::Left => Failure::cancelled(),
        }
    }
}

/// Whether libssh2 wants the same call again.
pub(super) fn is_again(error: &ssh2::Error) -> bool {
    error.code() == ErrorCode::Session(EAGAIN)
}
