//! What DSG's tests are made of. Everything goes through the real `dsg` program; nothing here knows
//! how it works inside, except where it keeps its files.
//!
//! | module | owns |
//! |---|---|
//! | [`lab`] | a place with a repository and checkouts, gone when dropped |
//! | [`run`] | running `dsg`: in a cleared environment, to its end, to a crash or to a halt |
//! | `fate` | what happens to a repository on its host |
//! | [`tree`] | what a folder holds, as a value |
//! | [`world`] | what all sides hold, and whether that is all before or all after |
//! | [`keeping`] | what a repository and a project must never be found without |
//! | [`disk`] | small file systems of their own, for full disks and power cuts |
//! | [`legacy`] | repositories as the earlier DSG wrote them |
//! | [`sshd`] | a private ssh server |
//! | [`ssh_agent`] | a private ssh agent |
//! | [`zfs_host`] | a host with a real OpenZFS |
//! | [`proxy`] | a network that can be slow, narrow, silent or cut |
//! | [`agent`] | the program on a repository's host |
//! | [`dice`] | numbers that repeat with their seed |
//!
//! Only tests depend on it, so it fails by panicking, with everything that is known.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test tool fails by panicking")]

pub mod agent;
pub mod dice;
pub mod disk;
mod fate;
pub mod keeping;
pub mod lab;
pub mod legacy;
pub mod proxy;
pub mod run;
pub mod ssh_agent;
pub mod sshd;
pub mod tree;
pub mod world;
pub mod zfs_host;
