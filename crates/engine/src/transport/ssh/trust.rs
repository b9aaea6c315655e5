//! Confirming that a host is the one that is meant, before anything is done there.

use dsg_core::address::SshHost;
use dsg_core::failure::{Code, Failure, Outcome};

use super::ask::{self, UnknownHost};
use super::builtin;
use super::choice::Transport;
use super::connection::Plan;
use super::known_hosts::{self, Verdict};
use super::login;
use super::route::Route;

/// A host as it shows itself now.
pub struct Shown {
    /// What a person compares.
    pub host: UnknownHost,
    /// It was confirmed before.
    pub known: bool,
    route: Route,
    key: Vec<u8>,
}

/// Asks a host for its key.
///
/// # Errors
/// It cannot be reached; [`Code::HostKeyChanged`]: another key was confirmed before, or this one is
/// revoked.
pub fn show(host: &SshHost) -> Outcome<Shown> {
    let plan = Plan::of(host)?;
    if plan.choice.transport == Transport::System {
        return Err(Failure::new(
            Code::Usage,
            format!(
                "{host} is reached by the program ssh ({}), which asks by itself.",
                plan.choice.why
            ),
        )
        .hint(format!("Log in once in a terminal: ssh {}", host.name())));
    }
    let key = builtin::key_of(&plan.way, ask::person().as_ref())?;
    let Some(route) = plan.way.routes.last().cloned() else {
        return Err(Failure::new(Code::Usage, "No host is named."));
    };
    let known = match known_hosts::judge(&login::known_files(&route), &route.names, &key) {
        Verdict::Known => true,
        Verdict::Unknown => false,
        Verdict::Changed { .. } | Verdict::Revoked(_) => {
            login::check_host(&route, &key, &ask::Nobody)?;
            false
        }
    };
    let host = UnknownHost {
        name: route.names.first().cloned().unwrap_or_default(),
        kind: known_hosts::kind(&key),
        fingerprint: known_hosts::fingerprint(&key),
    };
    Ok(Shown { host, known, route, key })
}

impl Shown {
    /// Writes it down, as OpenSSH does. Gives the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn confirm(&self) -> Outcome<std::path::PathBuf> {
        if self.known {
            return Ok(self.route.remembers.clone().unwrap_or_default());
        }
        login::remember(&self.route, &self.key)
    }
}
