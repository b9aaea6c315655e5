//! Named points at which a test may end the process, as a power cut or `kill -9` would, or halt it
//! to change something behind its back.
//!
//! The name of the point to die at comes in `DSG_CRASH_AT` (`name`, or `name#3` for the third time
//! it is passed). At the one in `DSG_STOP_AT` the process stops itself (`SIGSTOP`) until the test
//! lets it go on (`SIGCONT`). `DSG_TRACE_POINTS` names a file to which each passed point's name is
//! appended, so that a test knows which there are. Release builds contain none of this.

/// A place between two steps of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashPoint(pub &'static str);

impl CrashPoint {
    /// Ends or halts the process here if a test asked for it.
    #[cfg(debug_assertions)]
    pub fn pass(self) {
        static CRASH: armed::Armed = armed::Armed::new("DSG_CRASH_AT");
        static STOP: armed::Armed = armed::Armed::new("DSG_STOP_AT");
        armed::trace(self);
        if STOP.is_here(self) {
            // Failing to stop shows in the test that waits for it.
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::STOP,
            );
            // Another thread may have taken the signal: this one goes no further until it stops, too.
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        if CRASH.is_here(self) {
            std::process::abort();
        }
    }

    /// Nothing, in a release build.
    #[cfg(not(debug_assertions))]
    #[inline]
    pub fn pass(self) {}
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Appends the point's name to the trace, if there is one.
    pub(super) fn trace(point: super::CrashPoint) {
        static TRACE: OnceLock<Option<std::fs::File>> = OnceLock::new();
        let trace = TRACE.get_or_init(|| {
            let path = std::env::var_os("DSG_TRACE_POINTS")?;
            std::fs::OpenOptions::new().create(true).append(true).open(path).ok()
        });
        if let Some(mut file) = trace.as_ref() {
            // A point that is missing from the trace shows in the test that looks for it.
            let _ = std::io::Write::write_all(&mut file, format!("{}\n", point.0).as_bytes());
        }
    }

    /// One point, chosen by an environment variable, and how often it was passed.
    pub(super) struct Armed {
        variable: &'static str,
        asked: OnceLock<Option<(String, u64)>>,
        passed: AtomicU64,
    }

    impl Armed {
        pub(super) const fn new(variable: &'static str) -> Self {
            Self { variable, asked: OnceLock::new(), passed: AtomicU64::new(0) }
        }

        /// Whether it is this point, for the chosen time.
        pub(super) fn is_here(&self, point: super::CrashPoint) -> bool {
            let asked = self.asked.get_or_init(|| {
                let asked = std::env::var(self.variable).ok()?;
                Some(match asked.split_once('#') {
                    Some((name, nth)) => (name.to_owned(), nth.parse().unwrap_or(1)),
                    None => (asked, 1),
                })
            });
            match asked {
                Some((name, nth)) => {
                    name == point.0 && self.passed.fetch_add(1, Ordering::Relaxed) + 1 == *nth
                }
                None => false,
            }
        }
    }
}
