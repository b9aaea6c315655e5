//! Repositories on ZFS: what they need from the pool.
//!
//! | module | owns |
//! |---|---|
//! | [`name`] | names of datasets and snapshots, proved before anything is done with them |
//! | [`verb`] | the closed set of privileged steps, and what each answers |

pub mod name;
pub mod verb;
