//! How work tells of itself and is told to stop: events climb one way, through one sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Failure, Outcome};

/// Where a sync stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Looking at the local files.
    Scanning,
    /// Learning the repository's head, making the plan.
    Comparing,
    /// Copying content to where it waits; nothing is visible yet.
    Staging,
    /// The repository's one step. From here on nothing can be cancelled.
    Publishing,
    /// Swapping files in here.
    Settling,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A phase begins, with what is known of its size.
    Phase {
        /// Which.
        phase: Phase,
        /// Files to do, if known.
        files: Option<u64>,
        /// Bytes to do, if known.
        bytes: Option<u64>,
    },
    /// Work within the phase was done since the last such event.
    Advanced {
        /// Files.
        files: u64,
        /// Bytes.
        bytes: u64,
    },
    /// A path is being worked on.
    Path(String),
    /// Something a person should know, that stops nothing.
    Notice(String),
}

/// Takes events; called from many threads.
pub trait Sink: Send + Sync {
    /// Takes one.
    fn event(&self, event: Event);
}

/// A sink and a stop sign, handed down through the rooms. Clones share both.
#[derive(Clone)]
pub struct Monitor {
    sink: Arc<dyn Sink>,
    stop: Arc<AtomicBool>,
}

impl Monitor {
    /// Sends events to `sink`.
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        Self { sink, stop: Arc::default() }
    }

    /// One that sends its events to `sink`, and is stopped with this one.
    #[must_use]
    pub fn through(&self, sink: Arc<dyn Sink>) -> Self {
        Self { sink, stop: Arc::clone(&self.stop) }
    }

    /// Nobody listens.
    pub fn silent() -> Self {
        struct Nobody;
        impl Sink for Nobody {
            fn event(&self, _: Event) {}
        }
        Self::new(Arc::new(Nobody))
    }

    /// Tells of an event.
    pub fn event(&self, event: Event) {
        self.sink.event(event);
    }

    /// A phase begins.
    pub fn phase(&self, phase: Phase, files: Option<u64>, bytes: Option<u64>) {
        self.event(Event::Phase { phase, files, bytes });
    }

    /// Work was done.
    pub fn advanced(&self, files: u64, bytes: u64) {
        self.event(Event::Advanced { files, bytes });
    }

    /// Asks the work to stop.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// To be asked between any two steps that take time, until publish.
    ///
    /// # Errors
    /// [`Code::Cancelled`](crate::failure::Code::Cancelled) once the work was asked to stop.
    pub fn check(&self) -> Outcome<()> {
        if self.stop.load(Ordering::Relaxed) { Err(Failure::cancelled()) } else { Ok(()) }
    }
}
