//! The real `dsg` with a repository on a host: a private sshd on loopback, and a network that can be
//! cut. What needs root says so, with `SKIPPED`, where it is not there.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod agents;
mod broken;
mod clock;
mod early;
mod keys;
mod lease;
mod network;
mod quick;
mod resume;
mod ways;

use dsg_testkit::lab::Lab;
use dsg_testkit::sshd::Kind;

/// The program under test.
const DSG: &str = env!("CARGO_BIN_EXE_dsg");

/// A large file.
const LARGE: usize = 96 << 20;
/// Three of these together.
const BIG: usize = 36 << 20;

/// A place whose repository is on a host.
fn far() -> Lab {
    lab(&Kind::default())
}

/// A place whose repository is on a host of this kind.
fn lab(kind: &Kind) -> Lab {
    Lab::over_ssh(DSG, kind)
}
