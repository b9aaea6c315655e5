//! Repositories on ZFS: what they need from the pool.
//!
//! | module | owns |
//! |---|---|
//! | [`name`] | names of datasets and snapshots, proved before anything is done with them |
//! | [`family`] | a repository's datasets |
//! | [`verb`] | the closed set of privileged steps, and what each answers |
//! | [`root`] | the steps, performed by root |
//! | [`forward`] | the decision, and all that follows it |
//! | [`end`] | the end of former datasets, and of abandoned ones |
//! | [`helper`] | the same, performed by a process of root's for a user |
//! | [`sudo`] | who performs them for this user |
//! | [`find`] | looking: which dataset a path is on, what a family is like |
//! | [`carry`] | properties and grants that a clone does not get by itself |
//! | [`first`] | who may begin a first publish, and whose its dataset is |
//! | [`home`] | where a repository may stand, and the way there |
//! | [`locks`] | whose step it is, and the repository's lock |
//! | [`mount`], [`mounts`] | mounting and the switch; what is mounted where |
//! | [`argv`], [`parse`], [`tell`], [`run`] | calls of the programs, their answers, running them |
//! | [`stop`] | what stopped a decision, in words |
//! | `decide.lua`, `bury.lua` | the decision, and the end of a former dataset, each in one transaction group |
//! | [`crash`] | named places after each change |

mod argv;
mod carry;
pub mod crash;
mod end;
pub mod family;
mod find;
mod first;
mod forward;
pub mod helper;
mod home;
mod locks;
mod mount;
mod mounts;
pub mod name;
mod parse;
mod root;
mod run;
mod stop;
pub mod sudo;
mod tell;
pub mod verb;

pub use find::{kind_at, place};
pub use root::Root;

/// How the kernel calls the kind of file system.
pub const KIND: &str = "zfs";
