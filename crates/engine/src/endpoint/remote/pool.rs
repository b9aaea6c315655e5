//! Agents that nobody asks now. They rest, for the next question to their host: that one then needs no
//! channel, no shell and no new process there.
//!
//! A resting agent has no repository open. It ends with its connection, or when it was not needed for as
//! long as a connection is kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use dsg_core::address::SshHost;

use super::Connection;
use crate::transport::ssh::IDLE;

/// No more of them rest on one host: so many questions are seldom asked at once.
const MOST: usize = 3;

struct Resting {
    host: SshHost,
    connection: Arc<Connection>,
    since: Instant,
}

static RESTING: Mutex<Vec<Resting>> = Mutex::new(Vec::new());
static CARETAKER: AtomicBool = AtomicBool::new(false);

/// Takes those out for which `leaves` says so; their ends are not waited for under the lock.
fn without(leaves: impl Fn(&Resting) -> bool) -> Vec<Resting> {
    let mut all = RESTING.lock().unwrap_or_else(PoisonError::into_inner);
    all.extract_if(.., |resting| leaves(resting)).collect()
}

/// One that rests on this host, and lives as far as is known.
pub(super) fn take(host: &SshHost) -> Option<Arc<Connection>> {
    drop(without(|resting| !resting.connection.is_at_rest()));
    let mut all = RESTING.lock().unwrap_or_else(PoisonError::into_inner);
    let newest = all.iter().rposition(|resting| resting.host == *host)?;
    Some(all.remove(newest).connection)
}

/// Lets one rest whose last question is answered; one that does not live, or is one too many, ends.
pub(super) fn rest(host: &SshHost, connection: &Arc<Connection>) {
    if !connection.close() {
        return;
    }
    let mut all = RESTING.lock().unwrap_or_else(PoisonError::into_inner);
    if all.iter().filter(|resting| resting.host == *host).count() < MOST {
        let (host, connection) = (host.clone(), Arc::clone(connection));
        all.push(Resting { host, connection, since: Instant::now() });
    }
    drop(all);
    if CARETAKER.swap(true, Ordering::AcqRel) {
        return;
    }
    let care = || {
        loop {
            std::thread::sleep(IDLE / 10);
            drop(without(|resting| {
                resting.since.elapsed() >= IDLE || !resting.connection.is_at_rest()
            }));
        }
    };
    let caretaker = std::thread::Builder::new().name("resting agents".to_owned()).spawn(care);
    // Without a thread now the next one that rests begins it.
    CARETAKER.store(caretaker.is_ok(), Ordering::Release);
}

/// Ends those of a host, or all.
pub(crate) fn dismiss(host: Option<&SshHost>) {
    drop(without(|resting| host.is_none_or(|host| resting.host == *host)));
}
