//! Hosts that are reached over ssh.

mod ask;
mod choice;
mod keys;
mod known_hosts;
mod route;
mod settings;
