//! Where the project lives: scan, index, staging, transaction, settle, use cases.
//!
//! | module | owns |
//! |---|---|
//! | [`index`] | `.dsg/state.db`: what this checkout knows of each path |

pub mod index;
