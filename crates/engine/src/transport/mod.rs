//! How a byte stream to a program on a repository's host is had.
//!
//! Owns connections and logins; knows nothing of what is said over the stream.

pub mod ssh;

use std::io::{Read, Write};

/// A byte stream to a program on the host: its stdin and stdout. Dropping both ends ends the
/// program.
pub(crate) struct Stream {
    /// What the program writes to its stdout.
    pub reader: Box<dyn Read + Send>,
    /// The program's stdin. A write may be buffered, or waits while the other side does not keep
    /// up; flush sends.
    pub writer: Box<dyn Write + Send>,
    /// What the program said on stderr (the last 8 KiB), and how it ended: for error messages.
    pub farewell: Box<dyn Fn() -> String + Send + Sync>,
    /// Ends it at once, from any thread: reader and writer then fail.
    pub hang_up: Box<dyn Fn() + Send + Sync>,
}
