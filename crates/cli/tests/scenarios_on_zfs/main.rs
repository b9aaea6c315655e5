//! The same scenarios, from the same files, with the repository as a dataset of a host with a real OpenZFS:
//! of the version that `DSG_ZFS_VERSION` names (2.1 or 2.3). It takes long: `make test-zfs` runs it.
//!
//! Left out is what has no dataset in it: how a login goes and which agent is brought (the same program
//! whatever it then opens), and those that `over_ssh` leaves out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

#[path = "../scenarios/attach.rs"]
mod attach;
#[path = "../scenarios/back.rs"]
mod back;
#[path = "../scenarios/conflicts.rs"]
mod conflicts;
#[path = "../scenarios/editor.rs"]
mod editor;
#[path = "../scenarios/first_use.rs"]
mod first_use;
#[path = "../scenarios/names.rs"]
mod names;
#[path = "../remote/network.rs"]
mod network;
#[path = "../scenarios/proofs.rs"]
mod proofs;
#[path = "../scenarios/renames.rs"]
mod renames;
#[path = "../remote/resume.rs"]
mod resume;
#[path = "../scenarios/safety.rs"]
mod safety;
#[path = "../scenarios/scenes.rs"]
#[allow(dead_code, reason = "what is under way at a crash is not asked here")]
mod scenes;
#[path = "../scenarios/states.rs"]
mod states;

use dsg_testkit::lab::Lab;
use dsg_testkit::zfs_host::{Version, ZfsHost};

/// The program under test.
const DSG: &str = env!("CARGO_BIN_EXE_dsg");
/// A large file. (An emulated processor encrypts a few MiB in a second.)
const LARGE: usize = 24 << 20;
/// Three of these together.
const BIG: usize = 12 << 20;

fn lab() -> Lab {
    let version = match std::env::var("DSG_ZFS_VERSION").as_deref() {
        Ok("2.1") => Version::Old,
        Ok("2.3") | Err(_) => Version::New,
        Ok(other) => panic!("DSG_ZFS_VERSION is {other}, neither 2.1 nor 2.3"),
    };
    Lab::on_zfs(DSG, ZfsHost::shared(version).expect("a host; why there is none was told"))
}

fn far() -> Lab {
    lab()
}
