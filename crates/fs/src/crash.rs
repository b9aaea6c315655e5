//! Named points at which a test may end the process, as a power cut or `kill -9` would.
//!
//! The name of the point to die at comes in `DSG_CRASH_AT` (`name`, or `name#3` for the third time
//! it is passed). Release builds contain none of this.

/// A place between two steps of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashPoint(pub &'static str);

impl CrashPoint {
    /// Ends the process here if a test asked for it.
    #[cfg(debug_assertions)]
    pub fn pass(self) {
        use std::sync::OnceLock;
        use std::sync::atomic::{AtomicU64, Ordering};
        static ARMED: OnceLock<Option<(String, u64)>> = OnceLock::new();
        static PASSED: AtomicU64 = AtomicU64::new(0);
        let armed = ARMED.get_or_init(|| {
            let asked = std::env::var("DSG_CRASH_AT").ok()?;
            Some(match asked.split_once('#') {
                Some((name, nth)) => (name.to_owned(), nth.parse().unwrap_or(1)),
                None => (asked, 1),
            })
        });
        if let Some((name, nth)) = armed {
            if name == self.0 && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *nth {
                std::process::abort();
            }
        }
    }

    /// Nothing, in a release build.
    #[cfg(not(debug_assertions))]
    #[inline]
    pub fn pass(self) {}
}
