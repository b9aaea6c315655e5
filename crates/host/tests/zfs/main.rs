//! The steps of a repository on a real pool, performed by the real agent on a host with OpenZFS 2.1, and
//! on one with 2.3.

#![allow(missing_docs, clippy::unwrap_used, clippy::needless_pass_by_value)]

mod crashes;
mod fixture;
mod helper;
mod publish;
mod refusals;
mod switch;
