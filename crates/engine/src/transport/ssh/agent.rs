//! Finding `dsg-agent` on a host, or bringing it.
//!
//! One command looks for it and starts it, so that a host that has it costs no question more. What is
//! sent to the host's shell, whatever shell that is, is one `sh -c '…'` without a quote, an exclamation
//! mark, a backslash or a line break in it: sh, bash, zsh, fish and csh read that alike.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, TrySendError, bounded};
use dsg_core::failure::{Code, Failure, Outcome};
use sha2::{Digest as _, Sha256};

use super::ask::Ask;
use super::connection::Connection;
use crate::transport::Stream;

/// Says which folder holds the agents to bring.
const FOLDER: &str = "DSG_AGENTS";
/// The words by which a host says what became of it.
const NEEDS: &str = "dsg-needs-agent";
const BROUGHT: &str = "dsg-brought";
const NO_EXEC: &str = "dsg-noexec";
const DAMAGED: &str = "dsg-damaged";
/// A login shell may say so much before it does what it is told.
const CHATTER: usize = 64 * 1024;
/// The agent is brought in parts.
const PART: usize = 32 * 1024;
/// How often it is looked whether somebody still waits.
const TICK: Duration = Duration::from_millis(100);

/// How long nothing may move.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Where the host's shell is asked something.
    pub(super) answer: Duration,
    /// Where the agent is brought: what was written may wait before a narrow network.
    pub(super) bringing: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: Duration::from_secs(30), bringing: Duration::from_secs(90) }
    }
}

/// Who waits at a host, and for how long.
#[derive(Clone, Copy)]
pub(super) struct There<'a> {
    pub(super) connection: &'a Connection,
    pub(super) ask: &'a dyn Ask,
    pub(super) patience: Patience,
}

impl There<'_> {
    /// Works at a stream, which is hung up when nothing moved for so long, or when nobody waits for it any
    /// more: what waits at it then ends. The work says when something moved.
    ///
    /// # Errors
    /// It was hung up.
    fn bounded<T>(
        &self,
        patience: Duration,
        hang_up: &(dyn Fn() + Send + Sync),
        work: impl FnOnce(&dyn Fn()) -> T,
    ) -> Outcome<T> {
        let (moves, moved) = bounded::<()>(1);
        let ask = self.ask;
        let watch = move || {
            let mut last = Instant::now();
            loop {
                match moved.recv_timeout(TICK) {
                    Ok(()) => last = Instant::now(),
                    Err(RecvTimeoutError::Disconnected) => return None,
                    Err(RecvTimeoutError::Timeout) => {}
                }
                let left = ask.has_left();
                if left || last.elapsed() >= patience {
                    hang_up();
                    return Some(left);
                }
            }
        };
        let (done, cut) = std::thread::scope(|scope| {
            let watched = scope.spawn(watch);
            let done = work(&|| match moves.try_send(()) {
                Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
            });
            drop(moves);
            (done, watched.join().ok().flatten())
        });
        match cut {
            None => Ok(done),
            Some(true) => Err(Failure::cancelled()),
            Some(false) => {
                self.connection.give_up();
                let message = format!(
                    "{} did not answer within {} s when dsg-agent was to be started there.",
                    self.connection.host(),
                    patience.as_secs()
                );
                Err(Failure::new(Code::Unreachable, message).hint(
                    "Is the network up, and the host? dsg doctor ADDRESS tries each step by itself.",
                ))
            }
        }
    }
}

/// What came of starting it.
enum Started {
    Runs(Stream),
    /// There is none; what `uname -sm` says there.
    Missing(String),
}

/// Starts the agent, and brings it first where it is missing.
///
/// # Errors
/// [`Code::Agent`]: it cannot be had there; [`Code::Unreachable`].
pub(super) fn start(there: There<'_>) -> Outcome<Stream> {
    let There { connection, ask, .. } = there;
    let line = match connection.agent_path() {
        Some(path) => starting_at(path)?,
        None => starting(dsg_wire::BUILD),
    };
    let platform = match attempt(there, &line) {
        Ok(Started::Runs(stream)) => return Ok(stream),
        Ok(Started::Missing(platform)) => platform,
        // What was brought once may have been damaged since.
        Err(failure) if failure.code == Code::Agent && connection.agent_path().is_none() => {
            platform_of(there)?
        }
        Err(failure) => return Err(failure),
    };
    if let Some(path) = connection.agent_path() {
        return Err(Failure::new(
            Code::Agent,
            format!("There is no program {path} on {}, which agent_path names.", connection.host()),
        )
        .hint("Correct agent_path of this host in dsg.yml, or take it out: then the agent is brought."));
    }
    let (file, bytes) = agent_for(&platform, connection)?;
    ask.tell(&format!("bringing dsg-agent to {} ({} KiB)", connection.host(), bytes.len() / 1024));
    bring(there, &file, &bytes)?;
    match attempt(there, &line)? {
        Started::Runs(stream) => Ok(stream),
        Started::Missing(_) => Err(Failure::new(
            Code::Agent,
            format!("dsg-agent was brought to {}, but it is not there.", connection.host()),
        )
        .hint("Try again, or install dsg-agent there and name it by agent_path in dsg.yml.")),
    }
}

/// Brings it anew, where it is not of this build. Gives whether that can help: not where `agent_path` names
/// another.
///
/// # Errors
/// As [`start`].
pub(super) fn bring_anew(there: There<'_>) -> Outcome<bool> {
    let There { connection, ask, .. } = there;
    if connection.agent_path().is_some() {
        return Ok(false);
    }
    let (file, bytes) = agent_for(&platform_of(there)?, connection)?;
    ask.tell(&format!("bringing dsg-agent to {}", connection.host()));
    bring(there, &file, &bytes).map(|()| true)
}

/// What the host is, as `uname -sm` says it.
pub(super) fn platform_of(there: There<'_>) -> Outcome<String> {
    let There { connection, ask, patience } = there;
    let mut stream = connection.program(shell(&format!("echo; echo {NEEDS} $(uname -sm)")), ask)?;
    let mut text = Vec::new();
    let read = there.bounded(patience.answer, &stream.hang_up, |_| {
        (&mut stream.reader).take(CHATTER as u64).read_to_end(&mut text)
    })?;
    let lost = |said: String| {
        Failure::new(Code::Agent, format!("{} did not say what it is: {said}.", connection.host()))
            .hint("dsg doctor ADDRESS tries each step by itself.")
    };
    read.map_err(|e| lost((stream.farewell)()).because(e))?;
    platform_in(&String::from_utf8_lossy(&text)).ok_or_else(|| lost((stream.farewell)()))
}

/// The command that starts the agent of a build, or says what the host is.
fn starting(build: &str) -> String {
    shell(&format!(
        "p=$(command -v dsg-agent) && [ \"$($p --version 2>/dev/null)\" = \"dsg-agent {build}\" ] && exec $p stdio; \
         c=${{XDG_CACHE_HOME:-$HOME/.cache}}/dsg/agent-{build}; [ -x \"$c\" ] && exec \"$c\" stdio; \
         echo; echo {NEEDS} $(uname -sm)"
    ))
}

fn starting_at(path: &str) -> Outcome<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+@-".contains(c);
    if !path.chars().all(plain) {
        return Err(Failure::new(Code::Config, format!("agent_path {path:?} cannot be used."))
            .hint("Choose a path of letters, digits and /._+@- for the agent."));
    }
    Ok(shell(&format!("[ -x {path} ] && exec {path} stdio; echo; echo {NEEDS} $(uname -sm)")))
}

/// The command that takes the agent's bytes from its stdin. It clears away what is no agent, also where
/// nobody hears it any more.
fn taking(build: &str, sha256: &str) -> String {
    shell(&format!(
        "trap \"\" PIPE; umask 077; d=${{XDG_CACHE_HOME:-$HOME/.cache}}/dsg; t=$d/.agent.$$; mkdir -p \"$d\" && \
         find \"$d\" -name \".agent.*\" -mmin +60 -exec rm -f {{}} +; cat > \"$t\" && \
         s=$( (sha256sum || shasum -a 256) 2>/dev/null < \"$t\" | cut -c 1-64) && \
         if [ \"$s\" = {sha256} ]; then chmod 700 \"$t\" && if [ -x \"$t\" ]; then \
         mv -f \"$t\" \"$d/agent-{build}\" && echo && echo {BROUGHT}; else echo; echo {NO_EXEC}; fi; \
         else echo; echo {DAMAGED}; fi; rm -f \"$t\""
    ))
}

fn shell(script: &str) -> String {
    debug_assert!(!script.contains(['\'', '!', '\\', '\n']), "{script}");
    format!("sh -c '{script}'")
}

fn attempt(there: There<'_>, line: &str) -> Outcome<Started> {
    let There { connection, ask, patience } = there;
    let mut stream = connection.program(line.to_owned(), ask)?;
    let Stream { reader, hang_up, .. } = &mut stream;
    let mut seen = Vec::new();
    let found = there.bounded(patience.answer, &*hang_up, |_| {
        let mut part = [0; 4096];
        loop {
            match look(&seen) {
                Some(found) => break Some(found),
                None if seen.len() > CHATTER => break None,
                None => {}
            }
            match reader.read(&mut part) {
                Ok(count) if count > 0 => seen.extend_from_slice(&part[..count]),
                _ => break None,
            }
        }
    })?;
    match found {
        Some(Found::Agent(at)) => {
            let rest = std::io::Cursor::new(seen.split_off(at));
            let Stream { reader, writer, farewell, hang_up } = stream;
            Ok(Started::Runs(Stream {
                reader: Box::new(rest.chain(reader)),
                writer,
                farewell,
                hang_up,
            }))
        }
        Some(Found::Needs(platform)) => Ok(Started::Missing(platform)),
        None => {
            drop(stream.writer);
            let said = (stream.farewell)();
            let said = if said.is_empty() { "it said nothing".to_owned() } else { said };
            Err(Failure::new(
                Code::Agent,
                format!("dsg-agent could not be started on {}: {said}.", connection.host()),
            )
            .hint("dsg doctor ADDRESS tries each step by itself."))
        }
    }
}

enum Found {
    /// The agent's first word begins here.
    Agent(usize),
    Needs(String),
}

/// What the host's words so far mean; `None`: nothing yet.
fn look(seen: &[u8]) -> Option<Found> {
    let magic =
        seen.windows(dsg_wire::hello::MAGIC.len()).position(|w| w == dsg_wire::hello::MAGIC);
    if let Some(at) = magic {
        return Some(Found::Agent(at));
    }
    platform_in(&String::from_utf8_lossy(seen)).map(Found::Needs)
}

/// What stands after the word on a line that is whole.
fn platform_in(text: &str) -> Option<String> {
    let whole = &text[..=text.rfind('\n')?];
    whole.lines().find_map(|line| Some(line.strip_prefix(NEEDS)?.trim().to_owned()))
}

/// `Linux x86_64`, as it stands in the name of a file.
fn platform_name(uname: &str) -> String {
    uname.split_ascii_whitespace().map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

/// The agent for a platform: in the folder that `DSG_AGENTS` names, else beside this program.
fn agent_for(uname: &str, connection: &Connection) -> Outcome<(PathBuf, Vec<u8>)> {
    let platform = platform_name(uname);
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
    let folder = std::env::var_os(FOLDER).filter(|f| !f.is_empty()).map(PathBuf::from);
    for file in candidates(&platform, folder.as_deref(), beside.as_deref(), &own_platform()) {
        match std::fs::read(&file) {
            Ok(bytes) => return Ok((file, bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(Failure::io("read", &file, e)),
        }
    }
    Err(Failure::new(
        Code::Agent,
        format!("{} is {uname}; there is no dsg-agent for it here.", connection.host()),
    )
    .hint(format!(
        "Build dsg-agent there, and name it by agent_path of this host in dsg.yml; or put dsg-agent-{platform} into the folder agents beside dsg."
    )))
}

/// Where the agent for a platform may be, best first. Pure.
fn candidates(
    platform: &str,
    folder: Option<&Path>,
    beside: Option<&Path>,
    own: &str,
) -> Vec<PathBuf> {
    let name = format!("dsg-agent-{platform}");
    let in_folder = |folder: &Path, agents: &Path| {
        let mut files = vec![agents.join(&name)];
        if platform == own {
            files.push(folder.join("dsg-agent"));
        }
        files
    };
    match (folder, beside) {
        (Some(folder), _) => in_folder(folder, folder),
        (None, Some(beside)) => in_folder(beside, &beside.join("agents")),
        (None, None) => Vec::new(),
    }
}

fn own_platform() -> String {
    let system = rustix::system::uname();
    let (system, machine) =
        (system.sysname().to_string_lossy(), system.machine().to_string_lossy());
    platform_name(&format!("{system} {machine}"))
}

pub(super) fn bring(there: There<'_>, file: &Path, bytes: &[u8]) -> Outcome<()> {
    let There { connection, ask, patience } = there;
    let sha256 = dsg_core::entry::Hash(Sha256::digest(bytes).into()).to_string();
    let Stream { mut reader, mut writer, farewell, hang_up } =
        connection.program(taking(dsg_wire::BUILD, &sha256), ask)?;
    let (sent, text) = there.bounded(patience.bringing, &hang_up, |moved| {
        let mut parts = bytes.chunks(PART);
        let sent = parts.try_for_each(|part| {
            moved();
            writer.write_all(part)
        });
        // What the host says tells more than that it takes no more.
        let sent = sent.and_then(|()| writer.flush());
        drop(writer);
        moved();
        let mut text = Vec::new();
        let _ = (&mut reader).take(CHATTER as u64).read_to_end(&mut text);
        (sent, text)
    })?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let says = |word: &str| text.lines().any(|line| line == word);
    let host = connection.host();
    let failure = |message: String| Failure::new(Code::Agent, message);
    if says(BROUGHT) {
        Ok(())
    } else if says(NO_EXEC) {
        Err(failure(format!("No program may run in the home of {host}."))
            .hint("Install dsg-agent where programs may run, and name it by agent_path of this host in dsg.yml."))
    } else if says(DAMAGED) {
        Err(failure(format!("dsg-agent arrived damaged on {host}.")).hint("Try again."))
    } else {
        let said = match (farewell(), sent) {
            (said, _) if !said.is_empty() => said,
            (_, Err(e)) => e.to_string(),
            _ => "it said nothing".to_owned(),
        };
        Err(failure(format!("{} could not be brought to {host}: {said}.", file.display()))
            .hint("Is there room in the home there? Else install dsg-agent and name it by agent_path in dsg.yml."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_first_word_is_found_after_any_chatter() {
        let mut seen = b"Welcome!\ndsg-needs-agents are great\n".to_vec();
        assert!(look(&seen[..8]).is_none());
        let at = seen.len();
        seen.extend(dsg_wire::hello::MAGIC);
        assert!(matches!(look(&seen), Some(Found::Agent(found)) if found == at));
        assert!(look(b"motd\ndsg-needs-agent Linux x86").is_none(), "the line is not whole");
        let Some(Found::Needs(platform)) = look(b"motd\n\ndsg-needs-agent Linux x86_64\n") else {
            panic!()
        };
        assert_eq!(platform_name(&platform), "linux-x86_64");
    }

    #[test]
    fn every_shell_reads_what_is_sent_alike() {
        let line = [starting("1.0-abc"), taking("1.0-abc", "00ff"), starting_at("/opt/a").unwrap()];
        for line in &line {
            let script = line.strip_prefix("sh -c '").and_then(|l| l.strip_suffix('\'')).unwrap();
            assert!(!script.contains(['\'', '!', '\\', '\n']), "{line}");
            let parsed = std::process::Command::new("sh").args(["-n", "-c", script]).status();
            assert!(parsed.unwrap().success(), "{line}");
        }
        assert!(starting_at("/opt/a b").is_err() && starting_at("/opt/$(x)").is_err());
    }

    #[test]
    fn the_agent_to_bring_is_chosen_by_the_hosts_platform() {
        let list = |platform, folder: Option<&str>| {
            candidates(platform, folder.map(Path::new), Some(Path::new("/bin")), "linux-x86_64")
        };
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(
            list("linux-x86_64", None),
            paths(&["/bin/agents/dsg-agent-linux-x86_64", "/bin/dsg-agent"])
        );
        assert_eq!(list("linux-aarch64", None), paths(&["/bin/agents/dsg-agent-linux-aarch64"]));
        assert_eq!(
            list("linux-x86_64", Some("/a")),
            paths(&["/a/dsg-agent-linux-x86_64", "/a/dsg-agent"])
        );
    }
}
