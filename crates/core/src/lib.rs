//! The pure part of DSG: no file system, no network, no process, no clock.
//!
//! | module | owns |
//! |---|---|
//! | [`path`] | names that may be tracked |
//! | [`entry`] | what stands at a path |
//! | [`manifest`] | the canonical text of a tree, and deltas of it |
//! | [`snapshot`] | headers and the history chain |
//! | [`legacy`] | repositories of the earlier DSG, and how they become ours |
//! | [`repository`] | what engine and host say of a repository |
//! | [`places`] | what is seen of a host: folders, repositories, who is at work |
//! | [`failure`] | the one shape of an error |
//! | [`monitor`] | events and the stop sign |
//! | [`address`] | where a repository is |
//! | [`config`] | the shared configuration and the rules of tracking |
//! | [`state`] | the three-way state of one path |
//! | [`packed`] | long lists in little room |
//! | [`plan`] | what a sync would do: states, resolutions, moves, clashes, selection |
//! | [`safety`] | what halts a sync before it starts |

pub mod address;
pub mod config;
pub mod entry;
pub mod failure;
pub mod keep;
pub mod legacy;
pub mod manifest;
pub mod monitor;
pub mod packed;
pub mod path;
pub mod places;
pub mod plan;
pub mod repository;
pub mod safety;
pub mod snapshot;
pub mod state;
