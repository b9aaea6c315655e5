//! The real `dsg` with real folders: what people do, what goes wrong, and what must never happen.
//!
//! One program for all scenarios. Each makes its own place ([`dsg_testkit::lab::Lab`]) and runs beside
//! the others. What needs root or a file system of its own says so, with `SKIPPED`, where it cannot
//! be had.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod adopt;
mod attach;
mod back;
mod config;
mod conflicts;
mod crash;
mod damage;
mod editor;
mod first_use;
mod ignoring;
mod kill;
mod mounts;
mod names;
mod power;
mod proofs;
mod renames;
mod safety;
mod scenes;
mod states;
mod teams;
mod wanted;

use dsg_testkit::lab::Lab;

/// The program under test.
const DSG: &str = env!("CARGO_BIN_EXE_dsg");

fn lab() -> Lab {
    Lab::new(DSG)
}
