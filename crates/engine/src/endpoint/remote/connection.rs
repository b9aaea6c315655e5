//! What an endpoint and its transactions share: the line to the agent, and which one it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dsg_wire::message::Request;

use super::line::Line;

/// What an endpoint and its transactions share.
pub(super) struct Connection {
    pub(super) current: Mutex<Current>,
    /// How many questions waited for an answer so far.
    pub(super) trips: AtomicU64,
}

pub(super) struct Current {
    pub(super) line: Line,
    /// Counts lines: a transaction belongs to its own.
    pub(super) number: u64,
    /// There is no quicker one.
    pub(super) quick: bool,
}

impl Connection {
    pub(super) fn held(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn trip(&self) {
        self.trips.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn new(line: Line) -> Arc<Self> {
        let current = Mutex::new(Current { line, number: 0, quick: false });
        Arc::new(Self { current, trips: AtomicU64::new(1) })
    }

    pub(super) fn is_gone(&self) -> bool {
        self.held().line.is_gone()
    }

    /// The agent is asked nothing, and lives as far as is known.
    pub(super) fn is_at_rest(&self) -> bool {
        self.held().line.is_at_rest()
    }

    /// The agent lets go of its repository; whether it is at rest then.
    pub(super) fn close(&self) -> bool {
        let mut current = self.held();
        current.line.is_at_rest() && current.line.mention(&Request::Close).is_ok()
    }
}
