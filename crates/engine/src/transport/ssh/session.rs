//! A session of the built-in ssh that is logged in: one thread that waits for all its sockets at once.
//!
//! The rest of the engine sees a [`Session`]: it asks for channels, and gets socket pairs' ends.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use dsg_core::failure::{Code, Failure, Outcome};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::Channel;

use super::ask::Ask;
use super::lane::{ENDING, Lane, SaidHere, with_said};
use super::link::{Link, is_again};
use super::room::{Hope, Refused};
use crate::transport::Stream;

/// How much the host may send on a channel before it is read here. More is faster over long ways.
const WINDOW: u32 = 8 * 1024 * 1024;
const PACKET: u32 = 32 * 1024;
/// How often it is looked whether somebody still waits.
const TICK: Duration = Duration::from_millis(100);
/// How a silent host is noticed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alive {
    /// It is asked after so long without a word.
    pub(super) interval: Duration,
    /// It is given up after so many intervals.
    pub(super) count: u32,
}

/// What is asked of the thread.
struct Order {
    what: What,
    local: UnixStream,
    said: SaidHere,
    answer: Sender<Result<(), (Code, String)>>,
}

enum What {
    /// Start a program.
    Program(String),
    /// Reach another host through this one.
    Through(String, u16),
}

/// A living session.
pub(super) struct Session {
    /// The host, for messages.
    host: String,
    orders: Sender<Order>,
    wake: UnixStream,
    alive: Arc<AtomicBool>,
    /// The host gave no channel when it was asked last.
    full: Arc<AtomicBool>,
    lost: Arc<Mutex<Option<String>>>,
    /// The session of the jump host below.
    _below: Option<Box<Session>>,
}

impl Session {
    /// Hands a session that is logged in to a thread of its own.
    pub(super) fn start(
        link: Link,
        host: String,
        beat: Alive,
        below: Option<Box<Session>>,
    ) -> Outcome<Self> {
        let broken = |e: std::io::Error| {
            Failure::new(Code::Io, "Could not prepare a connection.").because(e)
        };
        let (wake, woken) = UnixStream::pair().map_err(broken)?;
        woken.set_nonblocking(true).map_err(broken)?;
        wake.set_nonblocking(true).map_err(broken)?;
        let (orders, taken) = crossbeam_channel::unbounded();
        let alive = Arc::new(AtomicBool::new(true));
        let full = Arc::new(AtomicBool::new(false));
        let lost = Arc::new(Mutex::new(None));
        let host_there = host.clone();
        link.session
            .set_keepalive(true, u32::try_from(beat.interval.as_secs()).unwrap_or(15).max(1));
        let (alive_there, lost_there) = (alive.clone(), lost.clone());
        let full_there = full.clone();
        let run = move || {
            let mut work = Work {
                link,
                lanes: Vec::new(),
                opening: None,
                refused: None,
                full: full_there,
                idle: Idle::Busy,
                gone: false,
                orders: Some(taken),
                woken,
                beat,
            };
            let why = format!("the connection to {host_there} was lost: {}", work.run());
            *lost_there.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
            alive_there.store(false, Ordering::Release);
            work.end(&why);
        };
        std::thread::Builder::new().name("ssh".into()).spawn(run).map_err(broken)?;
        Ok(Self { host, orders, wake, alive, full, lost, _below: below })
    }

    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Whether the host gave no channel when it was asked last: another login may have one.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Starts a program, given as a line for the host's shell.
    ///
    /// # Errors
    /// [`Code::Unreachable`]: the session is lost; the host does not start programs. [`Code::Cancelled`]:
    /// nobody waits for it any more.
    pub(super) fn program(&self, line: String, ask: &dyn Ask) -> Outcome<Stream> {
        let (here, said) = self.order(What::Program(line), ask)?;
        stream(&here, said)
    }

    /// A connection to another host through this one.
    ///
    /// # Errors
    /// As [`Session::program`], or this host does not let us through.
    pub(super) fn through(&self, host: &str, port: u16, ask: &dyn Ask) -> Outcome<UnixStream> {
        self.order(What::Through(host.to_owned(), port), ask).map(|(here, _)| here)
    }

    fn order(&self, what: What, ask: &dyn Ask) -> Outcome<(UnixStream, SaidHere)> {
        let broken = |e: std::io::Error| {
            Failure::new(Code::Io, "Could not prepare a connection.").because(e)
        };
        let (here, local) = UnixStream::pair().map_err(broken)?;
        local.set_nonblocking(true).map_err(broken)?;
        let said = SaidHere::default();
        let (answer, answered) = crossbeam_channel::bounded(1);
        let order = Order { what, local, said: said.clone(), answer };
        let sent = self.orders.send(order).is_ok() && self.is_alive();
        let _ = (&self.wake).write(&[1]);
        let answer = || loop {
            match answered.recv_timeout(TICK) {
                Err(RecvTimeoutError::Timeout) if ask.has_left() => {
                    return Err(Failure::cancelled());
                }
                Err(RecvTimeoutError::Timeout) => {}
                answer => return Ok(answer),
            }
        };
        match sent.then(answer).transpose()? {
            Some(Ok(Ok(()))) => Ok((here, said)),
            Some(Ok(Err((Code::HostBusy, why)))) => Err(Failure::new(
                Code::HostBusy,
                format!("{} cannot be asked now: {why}.", self.host),
            )
            .hint("Others are at work over this login: try again when they are done. Its administrator may raise MaxSessions.")),
            Some(Ok(Err((_, why)))) => Err(self.unreachable(&why)),
            _ => Err(self.unreachable("the connection was lost")),
        }
    }

    fn unreachable(&self, why: &str) -> Failure {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let why = lost.unwrap_or_else(|| why.to_owned());
        Failure::new(Code::Unreachable, format!("{} cannot be used: {why}.", self.host))
            .hint("Try again; dsg doctor ADDRESS tries each step by itself.")
    }
}

impl Drop for Session {
    /// The thread ends when nobody can ask it any more and all channels are done.
    fn drop(&mut self) {
        let _ = self.wake.shutdown(Shutdown::Both);
    }
}

/// The engine's end of a channel as a stream.
fn stream(here: &UnixStream, said: SaidHere) -> Outcome<Stream> {
    let again = || {
        here.try_clone()
            .map_err(|e| Failure::new(Code::Io, "Could not prepare a connection.").because(e))
    };
    let (reader, writer, hung) = (again()?, again()?, again()?);
    Ok(Stream {
        reader: Box::new(Half(reader, Shutdown::Read)),
        writer: Box::new(Half(writer, Shutdown::Write)),
        farewell: Box::new(move || with_said(&said, |said| said.text())),
        hang_up: Box::new(move || {
            let _ = hung.shutdown(Shutdown::Both);
        }),
    })
}

/// One direction of a socket; its end is told to the other side.
struct Half(UnixStream, Shutdown);

impl Read for Half {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Half {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        let _ = self.0.shutdown(self.1);
    }
}

/// The thread.
struct Work {
    link: Link,
    lanes: Vec<Lane>,
    /// libssh2 opens one channel at a time.
    opening: Option<Order>,
    /// The host gave no channel for that.
    refused: Option<Refused>,
    full: Arc<AtomicBool>,
    idle: Idle,
    /// A channel is gone here, and may still be counted there.
    gone: bool,
    /// None once nobody can ask any more.
    orders: Option<Receiver<Order>>,
    woken: UnixStream,
    beat: Alive,
}

/// A session without channels. libssh2 answers the host only while it is asked for some channel's data,
/// so one without a program is kept for that.
enum Idle {
    Busy,
    /// Since when it is tried, and when it is tried again if it was refused.
    Opening(Instant, Option<Instant>),
    Listening(Channel),
    /// That channel makes room for another.
    Leaving(Channel),
    /// The host gives no channel for it.
    Refused,
}

impl Work {
    /// Works until the session ends; gives why.
    fn run(&mut self) -> String {
        loop {
            while self.step() {}
            if self.link.ended {
                return "the host closed it".to_owned();
            }
            let silent = self.link.heard.elapsed();
            if silent >= self.beat.interval * self.beat.count {
                return format!("the host has not answered for {} s", silent.as_secs());
            }
            if silent >= self.beat.interval {
                // libssh2 itself sends no more than one in an interval.
                let asked = self.link.session.keepalive_send();
                self.link.collect();
                if let Err(e) = &asked {
                    return e.message().to_owned();
                }
                self.link.pump();
            }
            let unused = self.lanes.is_empty() && self.opening.is_none();
            if unused && (matches!(self.idle, Idle::Refused) || self.orders.is_none()) {
                return "nobody used it".to_owned();
            }
            self.wait();
        }
    }

    /// Moves everything that can be moved now; gives whether anything was.
    fn step(&mut self) -> bool {
        let mut moved = self.link.pump();
        moved |= self.open();
        let lanes = self.lanes.len();
        for lane in &mut self.lanes {
            moved |= lane.serve(&mut self.link);
        }
        self.lanes.retain(|lane| !lane.is_gone());
        moved |= self.lanes.len() < lanes;
        let mut left = self.lanes.len() < lanes;
        if left
            && self.lanes.is_empty()
            && self.opening.is_none()
            && matches!(self.idle, Idle::Busy)
        {
            self.idle = Idle::Opening(Instant::now(), None);
        }
        match &mut self.idle {
            Idle::Listening(channel) => {
                let _ = channel.read(&mut [0; 64]);
                self.link.collect();
            }
            Idle::Leaving(channel) => {
                let closed = channel.close().and_then(|()| channel.wait_close());
                self.link.collect();
                if !closed.as_ref().is_err_and(is_again) {
                    self.idle = Idle::Busy;
                    (left, moved) = (true, true);
                }
            }
            _ => {}
        }
        if left {
            self.gone = true;
            if let Some(refused) = &mut self.refused {
                refused.left(Instant::now());
            }
        }
        moved | self.link.pump()
    }

    fn open(&mut self) -> bool {
        if let Idle::Opening(since, None) = self.idle {
            let opened = self.link.session.channel_open("session", PACKET, PACKET, None);
            self.link.collect();
            self.idle = match opened {
                Ok(channel) => {
                    self.gone = false;
                    Idle::Listening(channel)
                }
                Err(e) if is_again(&e) => return false,
                Err(_) if since.elapsed() >= ENDING => Idle::Refused,
                // What ended here may still be ending there.
                Err(_) => Idle::Opening(since, Some(Instant::now() + ENDING / 50)),
            };
        }
        if self.opening.is_none() {
            self.opening = self.orders.as_ref().and_then(|orders| orders.try_recv().ok());
        }
        if let Idle::Opening(since, Some(again)) = self.idle {
            if self.opening.is_some() {
                self.idle = Idle::Busy;
            } else if again <= Instant::now() {
                self.idle = Idle::Opening(since, None);
                return true;
            }
        }
        let Some(order) = &self.opening else { return false };
        let now = Instant::now();
        if self.refused.as_ref().is_some_and(|refused| now < refused.due()) {
            return false;
        }
        let session = &self.link.session;
        let opened = match &order.what {
            What::Program(_) => session.channel_open("session", WINDOW, PACKET, None),
            What::Through(host, port) => session.channel_direct_tcpip(host, *port, None),
        };
        self.link.collect();
        if opened.as_ref().is_err_and(is_again) {
            return false;
        }
        let is_program = matches!(order.what, What::Program(_));
        if opened.is_err() && is_program && !self.link.ended && self.waits_for_room() {
            return true;
        }
        self.refused = None;
        let Some(order) = self.opening.take() else { return false };
        if is_program {
            self.full.store(opened.is_err() && !self.link.ended, Ordering::Release);
        }
        match opened {
            Ok(channel) => {
                self.gone = false;
                let command = match order.what {
                    What::Program(line) => Some(line),
                    What::Through(..) => None,
                };
                self.lanes.push(Lane::new(channel, order.local, order.said, command));
                let _ = order.answer.send(Ok(()));
            }
            Err(e) => {
                if self.lanes.is_empty() && matches!(self.idle, Idle::Busy) {
                    self.idle = Idle::Opening(Instant::now(), None);
                }
                let why = match order.what {
                    What::Program(_) if self.link.ended => {
                        (Code::Unreachable, e.message().to_owned())
                    }
                    What::Program(_) => {
                        let why = format!("it gives no more channels ({})", e.message());
                        (Code::HostBusy, why)
                    }
                    What::Through(host, port) => {
                        let why = format!(
                            "it does not let us through to {host}:{port} ({})",
                            e.message()
                        );
                        (Code::Unreachable, why)
                    }
                };
                let _ = order.answer.send(Err(why));
            }
        }
        true
    }

    /// Whether a refused channel is asked for again. The one that only listens leaves for it.
    fn waits_for_room(&mut self) -> bool {
        self.idle = match std::mem::replace(&mut self.idle, Idle::Busy) {
            Idle::Listening(channel) => Idle::Leaving(channel),
            other => other,
        };
        let leaves = matches!(self.idle, Idle::Leaving(_));
        let hope = match &self.lanes[..] {
            _ if self.gone => Hope::Gone,
            lanes if leaves || lanes.iter().any(Lane::is_ending) => Hope::Ending,
            [] => Hope::None,
            _ => Hope::Working,
        };
        let now = Instant::now();
        self.refused = match self.refused.take() {
            Some(refused) => refused.again(now, hope),
            None => Refused::first(now, hope),
        };
        self.refused.is_some()
    }

    /// Waits for any socket.
    fn wait(&mut self) {
        let now = Instant::now();
        let mut due = (self.link.heard + self.beat.interval).max(now + Duration::from_secs(1));
        for lane in &self.lanes {
            due = lane.due().map_or(due, |lane| due.min(lane));
        }
        if let Some(refused) = &self.refused {
            due = due.min(refused.due());
        }
        if let Idle::Opening(_, Some(again)) = self.idle {
            due = due.min(again);
        }
        let wait = due.saturating_duration_since(now).min(Duration::from_secs(60));
        let wait = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(60),
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        let has_room = self.link.has_room();
        let mut fds = Vec::with_capacity(2 + self.lanes.len());
        let (carrier, flags) = self.link.wanted();
        fds.push(PollFd::from_borrowed_fd(carrier, flags));
        let mut waiting = Vec::with_capacity(self.lanes.len());
        for (number, lane) in self.lanes.iter().enumerate() {
            if let Some((fd, flags)) = lane.wanted(has_room) {
                fds.push(PollFd::from_borrowed_fd(fd, flags));
                waiting.push(number);
            }
        }
        if self.orders.is_some() {
            fds.push(PollFd::new(&self.woken, PollFlags::IN));
        }
        if poll(&mut fds, Some(&wait)).is_err() {
            return;
        }
        let events: Vec<PollFlags> = fds[1..].iter().map(PollFd::revents).collect();
        for (number, events) in waiting.iter().zip(&events) {
            if events.contains(PollFlags::HUP) {
                self.lanes[*number].close();
            }
        }
        if let Some(woken) = events.get(waiting.len()) {
            if woken.contains(PollFlags::IN) {
                let _ = (&self.woken).read(&mut [0; 64]);
            }
            if woken.contains(PollFlags::HUP) {
                self.orders = None;
            }
        }
    }

    /// Tells everybody, and the host.
    fn end(mut self, why: &str) {
        for lane in &mut self.lanes {
            lane.lost(why);
        }
        let orders = self.orders.take();
        let left = self.opening.take().into_iter();
        for order in left.chain(orders.iter().flat_map(Receiver::try_iter)) {
            with_said(&order.said, |said| said.end(why.to_owned()));
            let _ = order.answer.send(Err((Code::Unreachable, why.to_owned())));
        }
        if !self.link.ended {
            let _ = self.link.session.disconnect(None, "done", None);
            self.link.pump();
        }
    }
}
