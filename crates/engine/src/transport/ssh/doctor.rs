//! Reaching a host step by step, each step by itself, so that what is wrong has a name.

use dsg_core::address::SshAddress;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::places::Step;

use super::ask;
use super::builtin;
use super::choice::Transport;
use super::connection::{Plan, keep};
use super::login;

/// Tries each step until one fails; whether none did. The login serves what is done next in this
/// process.
///
/// # Errors
/// What `each` gives. What is wrong is told as a step.
pub(crate) fn examine(
    address: &SshAddress,
    each: &mut dyn FnMut(Step) -> Outcome<()>,
) -> Outcome<bool> {
    let mut note = |name: &str, found: Outcome<String>| -> Outcome<bool> {
        let went_well = found.is_ok();
        each(Step::new(name, found)).map(|()| went_well)
    };
    let host = &address.host;
    let person = ask::person();
    let plan = match Plan::of(host) {
        Ok(plan) => plan,
        Err(failure) => {
            return note("configuration", Err(failure));
        }
    };
    let way: Vec<String> =
        plan.way.routes.iter().map(|r| format!("{}@{}:{}", r.user, r.host, r.port)).collect();
    let speaks = match plan.choice.transport {
        Transport::Builtin => "the built-in ssh",
        Transport::System => "the program ssh",
    };
    note("configuration", Ok(format!("{}, by {speaks}: {}", way.join(" → "), plan.choice.why)))?;
    if plan.choice.transport == Transport::Builtin {
        if let Some(first) = plan.way.routes.first() {
            let reached = builtin::reach(first, person.as_ref());
            let reached = reached.and_then(|stream| {
                stream.peer_addr().map(|at| at.to_string()).map_err(|e| {
                    Failure::new(Code::Unreachable, "The connection was lost at once.").because(e)
                })
            });
            if !note("network", reached)? {
                return Ok(false);
            }
        }
        let checked = builtin::key_of(&plan.way, person.as_ref()).and_then(|key| {
            let last = plan.way.routes.last();
            let checked = last.map(|route| login::check_host(route, &key, person.as_ref()));
            checked.transpose()?;
            Ok(format!(
                "{} {}, as confirmed",
                super::known_hosts::kind(&key),
                super::known_hosts::fingerprint(&key)
            ))
        });
        if !note("host key", checked)? {
            return Ok(false);
        }
    }
    let connection = match plan.connect(host, person.as_ref()) {
        Ok(connection) => keep(connection),
        Err(failure) => {
            return note("login", Err(failure));
        }
    };
    note("login", Ok(way.last().cloned().unwrap_or_default()))?;
    let agent = connection.agent(person.as_ref()).map(|_stream| match connection.agent_path() {
        Some(path) => format!("{path} runs"),
        None => "dsg-agent runs".to_owned(),
    });
    note("agent", agent)
}
