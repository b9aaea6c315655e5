//! The real `dsg` with a repository on a host: a private sshd on loopback, and a network that can be
//! cut. What needs root says so, with `SKIPPED`, where it is not there.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod agents;
mod clock;
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

/// A place whose repository is on a host of this kind.
fn lab(kind: &Kind) -> Lab {
    Lab::over_ssh(DSG, kind)
}
