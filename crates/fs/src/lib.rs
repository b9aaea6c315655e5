//! File system steps that both sides of a sync take.
//!
//! | module | owns |
//! |---|---|
//! | [`stat`] | what `stat` says of a file, and whether it is still the same |

pub mod stat;
