//! The repository as a dataset, on a host with a real OpenZFS that is reached through its sshd, by the agent
//! that `dsg` brings there: what is the same as anywhere, from the same files, and what is not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod crashes;
mod doctor;
mod host;
mod measure;
mod power;
mod seen;
#[path = "../scenarios/states.rs"]
mod states;

use dsg_testkit::lab::Lab;
use dsg_testkit::zfs_host::{Version, ZfsHost};

/// The program under test.
const DSG: &str = env!("CARGO_BIN_EXE_dsg");

/// Where there can be no such host, the reason was printed, and the test is over.
fn lab_on(version: Version) -> Option<Lab> {
    ZfsHost::shared(version).map(|host| Lab::on_zfs(DSG, host))
}

/// For what is the same anywhere: without such a host in a folder.
fn lab() -> Lab {
    lab_on(Version::New).unwrap_or_else(|| Lab::new(DSG))
}
