//! File system steps that both sides of a sync take.
//!
//! | module | owns |
//! |---|---|
//! | [`crash`] | named points at which tests end the process |
//! | [`dir`] | a directory as the right to work beneath it; no link is ever followed |
//! | [`error`] | a refused step, with the system's answer |
//! | [`hash`] | SHA-256 of files and streams, each with the file it belongs to |
//! | [`lock`] | a lock that lives as long as a process that holds it |
//! | [`stat`] | what `stat` says of a file, and whether it is still the same |
//! | [`walk`] | a tree in the order of whole paths, read ahead in parallel |

pub mod crash;
pub mod dir;
pub mod error;
pub mod hash;
pub mod lock;
mod remove;
pub mod stat;
pub mod walk;
