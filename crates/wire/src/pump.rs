//! Files read ahead by several threads and sent in order: no file waits for the one before it, and
//! no more than some MiB wait to be sent.

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded, select};
use dsg_core::failure::{Failure, Outcome};

use crate::content::Pieces;
use crate::delta::{Content, Part, Parts};
use crate::frame::{Packed, TARGET};

/// Frames of one load that wait.
const FRAMES: usize = 4;
/// So much that is only told to be copied is worth a frame: the other side has work with it.
const TOLD: u64 = 8 * 1024 * 1024;
/// Files of a load, at most.
const FILES: usize = 64;

/// A file that is open: its content, and whether neither group nor others may read it.
pub type Opened<'a> = (Content<'a>, bool);

/// What is sent.
pub trait Cargo: Sync {
    /// How many files.
    fn count(&self) -> usize;

    /// By which number the other side knows the file at `place`.
    fn number(&self, place: usize) -> u32;

    /// About how many bytes it has.
    fn weight(&self, place: usize) -> u64;

    /// Opens it; the content ends where it must not be longer.
    ///
    /// # Errors
    /// It cannot be had; [`Cargo::refused`] decides what that means.
    fn open(&self, place: usize) -> Outcome<Opened<'_>>;

    /// It could not be opened, or not read to its end. `Ok`: it is marked as refused, and the
    /// others go on.
    ///
    /// # Errors
    /// That ends everything.
    fn refused(&self, place: usize, why: Failure) -> Outcome<()>;
}

/// Sends all of it, in order.
///
/// # Errors
/// What `send` gives or [`Cargo::refused`].
pub fn pump(cargo: &dyn Cargo, send: &mut dyn FnMut(Packed) -> Outcome<()>) -> Outcome<()> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
    let next = Mutex::new(0);
    let (order, loads) = bounded(2 * workers);
    // A load that was queued and is not taken keeps its worker waiting: its own queue lives as long as
    // the worker does. So the end is told by itself.
    let (going_on, over) = bounded::<()>(0);
    std::thread::scope(|scope| {
        for _ in 0..workers.min(cargo.count().div_ceil(FILES).max(1)) {
            let (order, next, over) = (order.clone(), &next, over.clone());
            scope.spawn(move || work(cargo, next, &order, &over));
        }
        drop(order);
        // Dropped at the first failure, it lets the workers end.
        let loads: Receiver<Receiver<Outcome<Packed>>> = loads;
        let sent = loads.into_iter().flatten().try_for_each(|frame| send(frame?));
        drop(going_on);
        sent
    })
}

/// Hands a frame on, unless all is over.
fn hand_on(
    out: &Sender<Outcome<Packed>>,
    over: &Receiver<()>,
    frame: Outcome<Packed>,
) -> Result<(), Option<Failure>> {
    select! {
        send(out, frame) -> sent => sent.map_err(|_| None),
        recv(over) -> _ => Err(None),
    }
}

fn work(
    cargo: &dyn Cargo,
    next: &Mutex<usize>,
    order: &Sender<Receiver<Outcome<Packed>>>,
    over: &Receiver<()>,
) {
    loop {
        let (load, out) = {
            let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
            let first = *next;
            let mut bytes = 0;
            while *next < cargo.count() && *next - first < FILES && bytes < TARGET as u64 {
                bytes += cargo.weight(*next);
                *next += 1;
            }
            let (out, frames) = bounded(FRAMES);
            // Within the lock, so that loads are sent in their order.
            if first == *next || order.send(frames).is_err() {
                return;
            }
            (first..*next, out)
        };
        if let Err(stopped) = pack(cargo, load, &out, over) {
            // Without anybody who takes it, it does not matter.
            let last = stopped.map_or_else(|| Err(Failure::cancelled()), Err);
            let _ = hand_on(&out, over, last);
            return;
        }
    }
}

/// `Err(None)`: nobody takes it any more.
fn pack(
    cargo: &dyn Cargo,
    load: std::ops::Range<usize>,
    out: &Sender<Outcome<Packed>>,
    over: &Receiver<()>,
) -> Result<(), Option<Failure>> {
    let mut packer = Packer { pieces: Pieces::new(), told: 0, out, over };
    for place in load {
        let number = cargo.number(place);
        let packed = match cargo.open(place) {
            Ok((Content::Bytes(content), private)) => packer.bytes(number, content, private)?,
            Ok((Content::Parts(parts), private)) => packer.parts(number, parts, private)?,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = packed {
            cargo.refused(place, failure).map_err(Some)?;
            packer.pieces.refuse(number);
        }
    }
    if packer.pieces.is_empty() { Ok(()) } else { packer.pass_on() }
}

/// Fills frames and hands them on.
struct Packer<'a> {
    pieces: Pieces,
    /// Bytes that the open frame tells to copy.
    told: u64,
    out: &'a Sender<Outcome<Packed>>,
    over: &'a Receiver<()>,
}

/// Whether a file was packed to its end, or why it was not.
type Packing = Result<Outcome<()>, Option<Failure>>;

fn unread(e: std::io::Error) -> Failure {
    Failure::io("read", "the content to send", e)
}

impl Packer<'_> {
    fn pass_on(&mut self) -> Result<(), Option<Failure>> {
        self.told = 0;
        let frame = self.pieces.take().map_err(|e| Some(e.into()))?;
        hand_on(self.out, self.over, Ok(frame))
    }

    /// Room for some bytes.
    fn room(&mut self) -> Result<usize, Option<Failure>> {
        if self.pieces.room() < 4096 {
            self.pass_on()?;
        }
        Ok(self.pieces.room())
    }

    fn bytes(&mut self, number: u32, mut content: impl Read, private: bool) -> Packing {
        loop {
            let room = self.room()?;
            match content.by_ref().take(room as u64).read_to_end(self.pieces.begin(number)) {
                Ok(read) => {
                    self.pieces.end(read < room, private);
                    if read < room {
                        return Ok(Ok(()));
                    }
                }
                Err(e) => {
                    self.pieces.drop_open();
                    return Ok(Err(unread(e)));
                }
            }
        }
    }

    fn parts(
        &mut self,
        number: u32,
        mut parts: Box<dyn Parts + Send + '_>,
        private: bool,
    ) -> Packing {
        loop {
            match parts.part() {
                Ok(Some(Part::Bytes(mut bytes))) => {
                    while !bytes.is_empty() {
                        let room = self.room()?;
                        let (now, later) = bytes.split_at(bytes.len().min(room));
                        self.pieces.begin(number).extend_from_slice(now);
                        self.pieces.end(false, private);
                        bytes = later;
                    }
                }
                Ok(Some(Part::Copy(place))) => {
                    self.room()?;
                    self.pieces.copy(number, place, private);
                    self.told += place.length;
                    if self.told >= TOLD {
                        self.pass_on()?;
                    }
                }
                Ok(None) => {
                    self.pieces.begin(number);
                    self.pieces.end(true, private);
                    return Ok(Ok(()));
                }
                Err(e) => return Ok(Err(unread(e))),
            }
        }
    }
}
