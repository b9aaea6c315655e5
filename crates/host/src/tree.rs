//! The store: a live tree at the repository's path, and its history.
//!
//! It stands on one of two grounds: a folder with a sidecar beside it, or, on ZFS, a dataset of its own
//! ([`dataset`]). Nearly all of it does not know which.
//!
//! | module | owns |
//! |---|---|
//! | [`layout`] | names in the sidecar, reading them with limits |
//! | [`repo`] | lock, marks, the clock's tick |
//! | [`history`] | records, headers, manifests, checkpoints |
//! | [`patch`] | a manifest with changes applied |
//! | [`stats`] | the recorded stats of the live tree |
//! | [`edits`] | changes to them, gathered before they are written |
//! | [`check`] | comparing the live tree with them |
//! | [`drift`] | what a difference means |
//! | [`copy`] | the hardlink copy of a tree |
//! | [`staging`] | content that waits |
//! | [`lacking`] | what of it has not come yet |
//! | [`receive`] | one content as it comes |
//! | [`apply`] | changes to the staging tree |
//! | [`prepared`] | record, manifest and stats before they take their places |
//! | [`publish`] | the deciding step, and all before it |
//! | [`recover`] | all after it |
//! | [`late`] | writes that reached the former tree |
//! | [`prestage`] | the copy made in advance |
//! | [`prune`] | the end of former files, and what they cost |
//! | [`adopt`] | drift as a snapshot |
//! | [`reader`] | a snapshot's files |
//! | [`create`] | making and opening a repository |
//! | [`legacy`] | repositories of the earlier DSG: recognised, looked at, adopted |
//! | [`net`] | what is new since a snapshot |
//! | [`trace`] | what the history holds of some paths |
//! | [`verify`], [`contents`] | proofs of the history and of files |
//! | [`dataset`] | what differs on ZFS |
//! | [`browse`] | folders and repositories of the host |
//! | [`trial`] | whether a repository can live at a place |
//! | [`lease`] | who is at work, and how far |
//! | [`store`] | what else others call |

mod adopt;
mod apply;
mod browse;
mod check;
mod contents;
mod copy;
mod create;
mod dataset;
mod drift;
mod edits;
mod history;
mod lacking;
mod late;
mod layout;
mod lease;
mod legacy;
mod net;
mod patch;
mod prepared;
mod prestage;
mod prune;
mod publish;
mod reader;
mod receive;
mod recover;
mod repo;
mod staging;
mod stats;
mod store;
mod trace;
mod trial;
mod verify;

pub use browse::{folders, repositories};
pub use contents::Contents;
pub use legacy::{Wish, adopt};
pub use reader::{Glimpse, SnapshotReader};
pub use staging::{OlderFile, Refusal, Staging, Supply};
pub use store::TreeStore;
pub use trace::Traced;
pub use trial::examine;
pub use verify::Fault;
