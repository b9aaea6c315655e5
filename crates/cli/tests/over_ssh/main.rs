//! The same scenarios, from the same files, with the repository on a host: an ssh server of each
//! scenario's own. Left out are those that end the host's code at a named place (its agent is another
//! process), cut the power of its disk, unmount folders of the project, or work in the repository as
//! several accounts (here all log in as one).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

#[path = "../scenarios/adopt.rs"]
mod adopt;
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
#[path = "../scenarios/proofs.rs"]
mod proofs;
#[path = "../scenarios/renames.rs"]
mod renames;
#[path = "../scenarios/safety.rs"]
mod safety;
#[path = "../scenarios/scenes.rs"]
#[allow(dead_code, reason = "what is under way at a crash is not asked here")]
mod scenes;
#[path = "../scenarios/states.rs"]
mod states;

use dsg_testkit::lab::Lab;
use dsg_testkit::sshd::Kind;

/// The program under test.
const DSG: &str = env!("CARGO_BIN_EXE_dsg");

fn lab() -> Lab {
    Lab::over_ssh(DSG, &Kind::default())
}
