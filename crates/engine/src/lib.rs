//! Where the project lives: scan, index, staging, transaction, settle, use cases.
//!
//! | module | owns |
//! |---|---|
//! | [`project`] | an open checkout, and every use case of it |
//! | [`report`] | what the use cases give back |
//! | [`endpoint`] | all that is known of a repository |
//! | `transport` | how a byte stream to a repository's host is had |
//! | [`index`] | `.dsg/state.db`: what this checkout knows of each path |
//! | [`scan`] | what is in the folder now, against what the index knows |
//! | `transaction` | one sync as a chain of types |
//! | `decisions` | how conflicts shall end, as the index stores it |
//! | `record` | the sealed record of a transaction |
//! | `incoming` | staging of what comes here |
//! | `settle` | carrying out a published plan in the folder |
//! | `areas` | staging and trash, per file system |
//! | [`watch`] | the kernel's word that something in the folder changed |
//! | [`config_file`], [`user_config`] | `.dsgconfig.yml` and `dsg.yml` on disk |
//! | [`settings`] | both as they are changed in a form or as text |
//! | [`validate`] | both looked at by themselves, and an older one made newer |
//! | [`outlook`] | what a first sync of a folder would take |
//! | [`wanted`] | a repository that is named by less than an address |
//! | [`adopt`] | a repository of the earlier DSG, made one of ours |
//! | [`author`] | who makes a snapshot |
//! | [`crash`] | named points at which tests end the process |

pub mod adopt;
mod areas;
pub mod author;
pub mod config_file;
pub mod crash;
mod decisions;
pub mod endpoint;
mod incoming;
pub mod index;
mod left;
pub mod outlook;
pub mod project;
mod record;
pub mod report;
pub mod scan;
pub mod settings;
mod settle;
mod transaction;
#[allow(dead_code)] // Until an address leads over it.
pub mod transport;
pub mod user_config;
pub mod validate;
pub mod wanted;
pub mod watch;
