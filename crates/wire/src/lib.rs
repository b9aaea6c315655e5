//! What an engine and the agent on a repository's host say to each other over one byte stream.
//!
//! | module | owns |
//! |---|---|
//! | [`hello`] | finding each other behind a login shell's chatter; the same build, or none |
//! | [`frame`] | lengths, caps, compression |
//! | [`message`] | requests, answers, failures, events |
//! | [`list`] | lists of any length, as lines |
//! | [`chunks`] | files as lists of chunks |
//! | [`delta`] | content told against an older version |
//! | [`content`] | pieces of files in frames |
//! | [`told`] | lists of chunks on their way |
//! | [`pump`] | reading files ahead, sent in order |
//! | [`intake`] | received content, handed to several threads |
//!
//! Nothing that is received is trusted: what is too long, illegal or not announced is a
//! [`frame::WireError`], and memory is bounded by the caps, whatever comes.

pub mod chunks;
pub mod content;
pub mod delta;
pub mod frame;
pub mod hello;
pub mod intake;
pub mod list;
pub mod message;
pub mod pump;
pub mod told;

/// The protocol that this program speaks.
pub const PROTOCOL: u32 = 4;

/// This build: the version, and a hash of the sources of everything that the agent is made of.
pub const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), "-", env!("DSG_SOURCES"));
