//! Repositories of the earlier DSG (0.4) in folders of this host.
//!
//! | module | owns |
//! |---|---|
//! | `source` | what it kept in `.dsg`: recognised, opened, and whether somebody is at it |
//! | `measure` | the files that are there, compared with its newest list |
//! | `adopt` | its history as ours, in one transaction |
//!
//! Nothing of what it kept is written to or removed, and no file of people's is.

mod adopt;
mod measure;
mod source;

pub use adopt::{Wish, adopt};
pub(super) use source::{is_there, recognised};
