//! Where the repository lives: stores, the host side of a transaction, recovery.
