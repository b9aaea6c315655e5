//! File system steps that both sides of a sync take.
//!
//! | module | owns |
//! |---|---|
//! | [`crash`] | named points at which tests end the process |
//! | [`stat`] | what `stat` says of a file, and whether it is still the same |

pub mod crash;
pub mod stat;
