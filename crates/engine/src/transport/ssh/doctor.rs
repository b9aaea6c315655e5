//! Reaching a host step by step, each step by itself, so that what is wrong has a name.

use std::io::Read as _;

use dsg_core::address::SshAddress;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::places::Step;

use super::ask;
use super::builtin;
use super::choice::Transport;
use super::connection::{Connection, Plan, keep};
use super::login;
use crate::transport::Stream;

/// Asks the host's file system; written as all that is sent to a host's shell is (see [`super::agent`]).
const FILE_SYSTEM: &str = "d=$(dirname \"$1\"); while [ ! -d \"$d\" ]; do d=$(dirname \"$d\"); done; \
    t=\"$d/.dsg-trial-$$\"; echo; if mkdir \"$t\" 2>/dev/null && rmdir \"$t\"; \
    then echo dsg-writable; else echo dsg-refused; fi; df -Pk \"$d\" | tail -n 1; \
    stat -f -c %T \"$d\" 2>/dev/null";

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
    Ok(note("agent", agent)? && note("file system", file_system(&connection, &address.path))?)
}

fn file_system(connection: &Connection, path: &str) -> Outcome<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+@ -".contains(c);
    if !path.chars().all(plain) {
        return Ok("not asked: the path has characters that not every shell reads alike".to_owned());
    }
    let line = format!("sh -c '{FILE_SYSTEM}' sh \"{path}\"");
    let Stream { reader, writer, .. } = connection.program(line)?;
    drop(writer);
    let mut text = String::new();
    let read = reader.take(64 * 1024).read_to_string(&mut text);
    let lost = || Failure::new(Code::Unreachable, "The host did not say how its file system is.");
    read.map_err(|e| lost().because(e))?;
    judged(&text, path).ok_or_else(lost)?
}

/// What the host's answer means. Pure.
fn judged(text: &str, path: &str) -> Option<Outcome<String>> {
    let mut lines =
        text.lines().skip_while(|line| *line != "dsg-writable" && *line != "dsg-refused");
    let writable = lines.next()? == "dsg-writable";
    let disk: Vec<&str> = lines.next()?.split_ascii_whitespace().collect();
    let kind = lines.next().unwrap_or("file system").trim();
    let free: u64 = disk.get(3)?.parse().ok()?;
    let at = disk.get(5..)?.join(" ");
    Some(if writable {
        Ok(format!("{kind} at {at}, {} MiB free, writable", free / 1024))
    } else {
        Err(Failure::new(
            Code::Permission,
            format!("Nothing can be made beside {path} on the host: permission is refused there."),
        )
        .hint("Ask the host's administrator for a folder that you may write in, or choose another address."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_answer_is_understood_after_any_chatter() {
        let answer = "Welcome\n\ndsg-writable\n/dev/sda1 1000 500 204800 50% /srv/data\nxfs\n";
        let good = judged(answer, "/srv/data/r").unwrap().unwrap();
        assert_eq!(good, "xfs at /srv/data, 200 MiB free, writable");
        let refused = answer.replace("writable", "refused");
        assert_eq!(
            judged(&refused, "/srv/data/r").unwrap().map_err(|f| f.code),
            Err(Code::Permission)
        );
        assert!(judged("Welcome\n", "/r").is_none());
        assert!(!FILE_SYSTEM.contains(['\'', '\\', '\n']));
    }
}
