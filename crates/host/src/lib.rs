//! Where the repository lives: stores, the host side of a transaction, recovery.
//!
//! | module | owns |
//! |---|---|
//! | [`tree`] | repositories on any POSIX file system |
//! | [`zfs`] | repositories on ZFS |
//! | [`assembly`] | a file that grows from parts |
//! | [`crash`] | named places between durable steps |

pub mod assembly;
pub mod crash;
pub mod tree;
pub mod zfs;
