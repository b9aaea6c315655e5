//! One channel of a session: a program on the host, or a way through the host to another one.
//!
//! Its bytes pass between libssh2 and a socket pair whose other end the rest of the engine reads and
//! writes as it pleases: a slow reader holds up its own channel, and nobody else's.

use std::collections::VecDeque;
use std::io::Read as _;
use std::net::Shutdown;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use ssh2::Channel;

use super::buffer::{Buffer, Moved};
use super::link::{Link, is_again};

/// How much of stderr is kept.
const SAID: usize = 8 * 1024;
const UP: usize = 128 * 1024;
const DOWN: usize = 256 * 1024;
/// A host has so long to say how a program ended that says no more.
pub(super) const ENDING: Duration = Duration::from_secs(5);

/// What a program said on stderr, and how it ended.
#[derive(Default)]
pub(super) struct Said {
    stderr: VecDeque<u8>,
    ended: Option<String>,
}

impl Said {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.stderr.extend(bytes);
        let excess = self.stderr.len().saturating_sub(SAID);
        self.stderr.drain(..excess);
    }

    /// The first word on it counts.
    pub(super) fn end(&mut self, how: String) {
        self.ended.get_or_insert(how);
    }

    /// As text for error messages.
    pub(super) fn text(&self) -> String {
        let (one, two) = self.stderr.as_slices();
        let said = String::from_utf8_lossy(&[one, two].concat()).trim().to_owned();
        match (&self.ended, said.is_empty()) {
            (Some(ended), true) => ended.clone(),
            (Some(ended), false) => format!("{ended}: {said}"),
            (None, _) => said,
        }
    }
}

pub(super) type SaidHere = Arc<Mutex<Said>>;

/// Does something with what was said.
pub(super) fn with_said<T>(said: &SaidHere, what: impl FnOnce(&mut Said) -> T) -> T {
    what(&mut said.lock().unwrap_or_else(PoisonError::into_inner))
}

enum Stage {
    /// The host has not yet started this program.
    Starting(String),
    Open,
    /// The program says no more; how did it end?
    Ending(Instant),
    /// Nobody here wants it any more.
    Closing,
    Gone,
}

pub(super) struct Lane {
    channel: Channel,
    local: UnixStream,
    said: SaidHere,
    stage: Stage,
    up: Buffer,
    up_ended: bool,
    eof_sent: bool,
    down: Buffer,
}

impl Lane {
    /// `command`: the program to start; none for a way through.
    pub(super) fn new(
        channel: Channel,
        local: UnixStream,
        said: SaidHere,
        command: Option<String>,
    ) -> Self {
        Self {
            channel,
            local,
            said,
            stage: command.map_or(Stage::Open, Stage::Starting),
            up: Buffer::new(UP),
            up_ended: false,
            eof_sent: false,
            down: Buffer::new(DOWN),
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    /// Whether nobody here wants it any more, or its program says no more.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.stage, Stage::Ending(_) | Stage::Closing)
    }

    /// When it must be looked at again even if nothing happens.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.stage {
            Stage::Ending(since) => Some(since + ENDING),
            _ => None,
        }
    }

    /// What is to be waited for at this end of the pair.
    pub(super) fn wanted(&self, has_room: bool) -> Option<(BorrowedFd<'_>, PollFlags)> {
        if !matches!(self.stage, Stage::Open) {
            return None;
        }
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.up.is_empty() && !self.up_ended && has_room);
        flags.set(PollFlags::OUT, !self.down.is_empty());
        Some((self.local.as_fd(), flags))
    }

    /// The person or the engine hung up.
    pub(super) fn close(&mut self) {
        if !self.is_gone() {
            self.stage = Stage::Closing;
        }
    }

    /// The session is lost.
    pub(super) fn lost(&mut self, why: &str) {
        with_said(&self.said, |said| said.end(why.to_owned()));
        let _ = self.local.shutdown(Shutdown::Both);
        self.stage = Stage::Gone;
    }

    /// Moves what can be moved; gives whether anything was.
    pub(super) fn serve(&mut self, link: &mut Link) -> bool {
        match &self.stage {
            Stage::Ending(_) | Stage::Closing if link.ended => false,
            Stage::Starting(command) => {
                let started = self.channel.exec(command);
                link.collect();
                match started {
                    Ok(()) => self.stage = Stage::Open,
                    Err(e) if is_again(&e) || link.ended => return false,
                    Err(e) => {
                        let why = format!("the host did not start it ({})", e.message());
                        with_said(&self.said, |said| said.end(why));
                        self.stage = Stage::Closing;
                    }
                }
                true
            }
            Stage::Open => {
                let up = self.serve_up(link);
                let down = self.serve_down(link);
                let said = self.listen(link);
                up || down || said
            }
            Stage::Ending(since) => {
                let late = since.elapsed() >= ENDING;
                let said = self.listen(link);
                let closed = self.channel.wait_close();
                link.collect();
                if closed.as_ref().is_err_and(is_again) && !late {
                    return said;
                }
                self.stage = Stage::Closing;
                true
            }
            Stage::Closing => {
                while self.listen(link) {}
                let closed = self.channel.close();
                link.collect();
                if closed.as_ref().is_err_and(is_again) {
                    return false;
                }
                let how = ending(&self.channel);
                with_said(&self.said, |said| said.end(how));
                let _ = self.local.shutdown(Shutdown::Both);
                self.stage = Stage::Gone;
                true
            }
            Stage::Gone => false,
        }
    }

    fn serve_up(&mut self, link: &mut Link) -> bool {
        let mut moved = false;
        while link.has_room() {
            if self.up.is_empty() && !self.up_ended {
                match self.up.fill(&self.local) {
                    Moved::Some(_) => {}
                    Moved::None => break,
                    Moved::Ended | Moved::Failed => self.up_ended = true,
                }
            }
            if self.up.is_empty() {
                break;
            }
            let taken = self.up.drain(&mut self.channel);
            link.collect();
            match taken {
                Moved::Some(_) => moved = true,
                Moved::None => break,
                // It reads no more; what it writes still counts.
                Moved::Ended | Moved::Failed => {
                    self.up.consume(self.up.len());
                    self.up_ended = true;
                    self.eof_sent = true;
                }
            }
        }
        if self.up_ended && self.up.is_empty() && !self.eof_sent {
            let sent = self.channel.send_eof();
            link.collect();
            if !sent.as_ref().is_err_and(is_again) {
                self.eof_sent = true;
                moved = true;
            }
        }
        moved
    }

    fn serve_down(&mut self, link: &mut Link) -> bool {
        let mut moved = false;
        loop {
            match self.down.drain(&self.local) {
                Moved::Some(_) => moved = true,
                Moved::None if !self.down.is_empty() => return moved,
                Moved::None => {}
                // Nobody reads it any more.
                Moved::Ended | Moved::Failed => {
                    self.stage = Stage::Closing;
                    return true;
                }
            }
            if !self.down.is_empty() {
                continue;
            }
            let read = self.down.fill(&mut self.channel);
            link.collect();
            match read {
                Moved::Some(_) => moved = true,
                Moved::None => return moved,
                Moved::Ended => {
                    self.stage = Stage::Ending(Instant::now());
                    return true;
                }
                // No error of one channel: the session is lost, and says why.
                Moved::Failed => {
                    link.ended = true;
                    return moved;
                }
            }
        }
    }

    /// Takes what is said on stderr.
    fn listen(&mut self, link: &mut Link) -> bool {
        let mut words = [0; 2048];
        let read = self.channel.stderr().read(&mut words);
        link.collect();
        match read {
            Ok(count) if count > 0 => {
                with_said(&self.said, |said| said.add(&words[..count]));
                true
            }
            _ => false,
        }
    }
}

/// How a program ended, in words.
fn ending(channel: &Channel) -> String {
    let signal = channel.exit_signal().ok().and_then(|s| s.exit_signal);
    match (signal, channel.exit_status()) {
        (Some(signal), _) => format!("ended by signal {signal}"),
        (None, Ok(0)) => "ended".to_owned(),
        (None, Ok(status)) => format!("ended with status {status}"),
        (None, Err(_)) => "ended".to_owned(),
    }
}
