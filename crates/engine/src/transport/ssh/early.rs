//! A login that is under way before it is needed, while a folder is looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use dsg_core::address::SshHost;
use dsg_core::failure::{Code, Outcome};
use dsg_core::monitor::Monitor;

use super::ask::{self, Ask, Secret, UnknownHost};
use super::choice::Transport;
use super::connection::{Connection, Plan, keep, living};

/// It asks nobody; where that does not do, the one that comes after it asks.
pub(crate) struct Early {
    thread: Option<JoinHandle<Outcome<Connection>>>,
    hurry: Arc<Hurry>,
}

/// Nobody is there, and may not be waited for any more.
struct Hurry {
    monitor: Monitor,
    left: AtomicBool,
}

impl Ask for Hurry {
    fn trust(&self, _host: &UnknownHost) -> Option<bool> {
        None
    }
    fn secret(&self, _secret: &Secret) -> Option<String> {
        None
    }
    fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire) || self.monitor.check().is_err()
    }
}

impl Early {
    /// Begins, unless there is a login already, or it is for the program `ssh`, which nothing here bounds.
    pub(crate) fn begin(host: &SshHost, monitor: &Monitor) -> Self {
        let hurry = Arc::new(Hurry { monitor: monitor.clone(), left: AtomicBool::new(false) });
        let plan = living(host, false).is_none().then(|| Plan::of(host).ok()).flatten();
        let plan = plan.filter(|plan| plan.choice.transport == Transport::Builtin);
        let thread = plan.and_then(|plan| {
            let (host, hurry) = (host.clone(), Arc::clone(&hurry));
            let log_in = move || plan.connect(&host, &*hurry);
            std::thread::Builder::new().name("early login".to_owned()).spawn(log_in).ok()
        });
        Self { thread, hurry }
    }

    /// Waits for its end; from now on it is a login as any.
    ///
    /// # Errors
    /// Why there is none, if nobody's answer could change that.
    pub(crate) fn arrived(mut self) -> Outcome<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Ok(connection))) => {
                keep(connection);
                Ok(())
            }
            Some(Ok(Err(failure)))
                if failure.code == Code::Unreachable || !ask::person().is_there() =>
            {
                Err(failure)
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Early {
    /// What comes of it later is ended by its thread.
    fn drop(&mut self) {
        self.hurry.left.store(true, Ordering::Release);
    }
}
