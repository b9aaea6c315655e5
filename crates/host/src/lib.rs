//! Where the repository lives: stores, the host side of a transaction, recovery.
//!
//! | module | owns |
//! |---|---|
//! | [`tree`] | repositories on any POSIX file system |
//! | [`crash`] | named places between durable steps |

pub mod crash;
pub mod tree;
