//! Stories of a tree repository, on a real file system.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::needless_pass_by_value)]

mod crashes;
mod damage;
mod drift;
mod fixture;
mod history;
mod init;
mod legacy;
mod look;
mod power;
mod publish;
mod races;
mod trial;
