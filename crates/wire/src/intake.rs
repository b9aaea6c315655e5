//! Received content, handed to several threads that each ask for a file by its number.
//!
//! Files come in the order in which they were asked for, one after the other, and threads take them
//! in about that order; what nobody takes yet waits, up to a limit. Where a thread waits for a file
//! that has not come, more is taken in, so that nothing waits for itself.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::content;
use crate::delta::{Part, Parts, Place};
use crate::frame::{Frame, WireError};

/// Bytes that wait.
const BUDGET: usize = 16 * 1024 * 1024;

/// A part of a file that waits.
enum Waiting {
    Bytes(Arc<Vec<u8>>, Range<usize>),
    Copy(Place),
}

impl Waiting {
    /// What it holds of the budget: nothing is so small that it holds nothing.
    fn weight(&self) -> usize {
        const ITSELF: usize = 64;
        match self {
            Self::Bytes(_, range) => range.len() + ITSELF,
            Self::Copy(_) => ITSELF,
        }
    }
}

/// A file that is coming.
#[derive(Default)]
struct Slot {
    parts: VecDeque<Waiting>,
    private: bool,
    end: Option<End>,
    /// Somebody reads it.
    open: bool,
    /// Whoever read it has gone: what still comes is dropped.
    left: bool,
}

/// How a file ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Refused,
}

struct State {
    slots: HashMap<u32, Slot>,
    /// What must come, in this order.
    expected: Box<dyn Iterator<Item = u32> + Send>,
    current: Option<u32>,
    waiting: usize,
    /// As much of that as somebody reads.
    being_read: usize,
    starving: usize,
    /// Nothing more comes.
    closed: bool,
    /// Nobody takes anything any more.
    discards: bool,
}

impl State {
    /// Whether more would only lie there: who starves then is helped by whoever reads what waits.
    fn is_full(&self) -> bool {
        let is_stuck = self.starving > 0 && self.being_read == 0;
        self.waiting > BUDGET && !is_stuck && !self.closed && !self.discards
    }
}

/// Content on its way from one thread to several.
pub struct Intake {
    state: Mutex<State>,
    arrived: Condvar,
    taken: Condvar,
}

/// A file of an [`Intake`]: its content, as it comes.
pub struct Arrival<'a> {
    intake: &'a Intake,
    index: u32,
    private: bool,
    part: Option<Waiting>,
    done: bool,
}

/// A file that does not come: the other side refused it, or nothing comes any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The other side could not read it.
    #[error("the other side could not read it")]
    Refused,
    /// The stream ended.
    #[error("nothing more comes")]
    Closed,
}

impl Intake {
    /// For these files, in this order.
    pub fn new(expected: impl Iterator<Item = u32> + Send + 'static) -> Self {
        let mut expected = Box::new(expected);
        let current = expected.next();
        let state = State {
            slots: HashMap::new(),
            expected,
            current,
            waiting: 0,
            being_read: 0,
            starving: 0,
            closed: false,
            discards: false,
        };
        Self { state: Mutex::new(state), arrived: Condvar::new(), taken: Condvar::new() }
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a frame in; waits while too much is waiting.
    ///
    /// # Errors
    /// It holds what was not asked for.
    pub fn deliver(&self, frame: Frame) -> Result<(), WireError> {
        let pieces = content::of(&frame)?;
        let bytes = Arc::new(frame.payload);
        let mut state = self.held();
        while state.is_full() {
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        for piece in pieces {
            if state.current != Some(piece.index) {
                return Err(WireError::Damaged("content that was not asked for".into()));
            }
            if piece.last {
                state.current = state.expected.next();
            }
            let part = match piece.copy {
                Some(place) => Some(Waiting::Copy(place)),
                None if piece.bytes.is_empty() => None,
                None => Some(Waiting::Bytes(Arc::clone(&bytes), piece.bytes)),
            };
            let discards = state.discards;
            let slot = state.slots.entry(piece.index).or_default();
            slot.private |= piece.private;
            if piece.last {
                slot.end = Some(if piece.refused { End::Refused } else { End::Whole });
            }
            let left = slot.left || discards;
            if left && piece.last {
                state.slots.remove(&piece.index);
            } else if let Some(part) = part.filter(|_| !left) {
                let (weight, open) = (part.weight(), slot.open);
                slot.parts.push_back(part);
                state.waiting += weight;
                state.being_read += if open { weight } else { 0 };
            }
        }
        drop(state);
        self.arrived.notify_all();
        Ok(())
    }

    /// What waits to be read, in bytes, and whether no more is taken in because of it.
    pub fn waiting(&self) -> (usize, bool) {
        let state = self.held();
        (state.waiting, state.is_full())
    }

    /// Nothing more comes. Whether everything came that was to.
    pub fn close(&self) -> bool {
        let mut state = self.held();
        state.closed = true;
        let all = state.current.is_none();
        drop(state);
        self.arrived.notify_all();
        self.taken.notify_all();
        all
    }

    /// Nobody takes anything any more: what still comes is dropped.
    pub fn discard(&self) {
        let mut state = self.held();
        state.discards = true;
        state.slots.clear();
        (state.waiting, state.being_read) = (0, 0);
        drop(state);
        self.taken.notify_all();
    }

    /// Waits until the file with this number begins to come.
    ///
    /// # Errors
    /// It does not.
    pub fn open(&self, index: u32) -> Result<Arrival<'_>, Missing> {
        let mut state = self.held();
        loop {
            if let Some(slot) = state.slots.get_mut(&index) {
                let private = slot.private;
                if slot.end == Some(End::Refused) && slot.parts.is_empty() {
                    state.slots.remove(&index);
                    return Err(Missing::Refused);
                }
                slot.open = true;
                state.being_read +=
                    state.slots[&index].parts.iter().map(Waiting::weight).sum::<usize>();
                return Ok(Arrival { intake: self, index, private, part: None, done: false });
            }
            if state.closed {
                return Err(Missing::Closed);
            }
            state = self.starve(state);
        }
    }

    /// Nobody will read the file with this number: what comes of it is dropped.
    pub fn leave(&self, index: u32) {
        let mut state = self.held();
        let slot = state.slots.entry(index).or_default();
        slot.left = true;
        let waiting: usize = slot.parts.drain(..).map(|part| part.weight()).sum();
        if slot.end.is_some() {
            state.slots.remove(&index);
        }
        state.waiting -= waiting;
        drop(state);
        self.taken.notify_all();
    }

    /// Waits for something to come.
    fn starve<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        state.starving += 1;
        self.taken.notify_all();
        let mut state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.starving -= 1;
        state
    }
}

impl Arrival<'_> {
    /// Neither group nor others may read it there.
    pub fn private(&self) -> bool {
        self.private
    }

    fn next(&mut self) -> io::Result<Option<Waiting>> {
        let mut state = self.intake.held();
        loop {
            let closed = state.closed || state.discards;
            let slot = state.slots.get_mut(&self.index);
            let Some(slot) = slot else { return Err(io::Error::other(Missing::Closed)) };
            if let Some(part) = slot.parts.pop_front() {
                state.waiting -= part.weight();
                state.being_read -= part.weight();
                drop(state);
                self.intake.taken.notify_all();
                return Ok(Some(part));
            }
            if let Some(end) = slot.end {
                state.slots.remove(&self.index);
                self.done = true;
                return match end {
                    End::Whole => Ok(None),
                    End::Refused => Err(io::Error::other(Missing::Refused)),
                };
            }
            if closed {
                return Err(io::Error::other(Missing::Closed));
            }
            state = self.intake.starve(state);
        }
    }
}

impl Parts for Arrival<'_> {
    fn part(&mut self) -> io::Result<Option<Part<'_>>> {
        self.part = if self.done { None } else { self.next()? };
        Ok(self.part.as_ref().map(|part| match part {
            Waiting::Bytes(bytes, range) => Part::Bytes(&bytes[range.clone()]),
            Waiting::Copy(place) => Part::Copy(*place),
        }))
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let mut state = self.intake.held();
        let Some(slot) = state.slots.get_mut(&self.index) else { return };
        let waiting: usize = slot.parts.iter().map(Waiting::weight).sum();
        slot.parts.clear();
        slot.left = true;
        if slot.end.is_some() {
            state.slots.remove(&self.index);
        }
        state.waiting -= waiting;
        state.being_read -= waiting;
        drop(state);
        self.intake.taken.notify_all();
    }
}
