//! Hosts that are reached over ssh.

mod agent;
mod aliases;
mod ask;
mod askpass;
mod buffer;
mod builtin;
mod choice;
mod connection;
mod credentials;
mod doctor;
mod early;
mod keys;
mod known_hosts;
mod lane;
mod link;
mod login;
mod program;
mod room;
mod route;
mod session;
mod settings;
#[cfg(test)]
mod tests;
mod trust;

pub use aliases::aliases;
pub use ask::{Ask, Nobody, Secret, UnknownHost, attend, attended};
pub use choice::{Choice, Transport};
pub use connection::program_on;
pub(crate) use connection::{
    IDLE, agent_on, bring_agent_on, hang_up, hang_up_all, quicker_agent_on,
};
pub(crate) use doctor::examine;
pub(crate) use early::Early;
pub use trust::{Shown, show};
