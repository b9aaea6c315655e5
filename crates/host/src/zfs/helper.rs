//! The privileged process: verbs come as lines of JSON, answers go as lines of JSON.
//!
//! It performs nothing but verbs below the prefix that its command line names, so that a line of
//! `sudoers` which names that command line grants exactly this. It ends with whoever asks.

use std::io::{BufRead, BufReader, Read as _, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_wire::message::FailureText;
use serde::{Deserialize, Serialize};

use super::name::Dataset;
use super::root::Root;
use super::verb::{Answer, Hands, Verb};

/// What both sides have to agree on.
const FORMAT: u32 = 3;
/// The longest question, in bytes.
pub(super) const LONGEST_VERB: u64 = 1 << 18;
/// The longest answer, in bytes.
const LONGEST_ANSWER: u64 = 256 << 20;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Hello {
    zfs_helper: u32,
    prefix: Dataset,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    Done(Answer),
    Failed(FailureText),
}

/// Serves verbs below `prefix` until the questions end. What is made belongs to whoever called `sudo`
/// (by its variables, which it sets itself), else to root.
///
/// # Errors
/// The prefix is no dataset; not root; the other side is gone.
pub fn serve(prefix: &str, questions: impl BufRead, answers: impl Write) -> Outcome<()> {
    let prefix: Dataset = prefix.parse().map_err(|e| Failure::new(Code::Usage, format!("{e}.")))?;
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::new(Code::Permission, "The helper has to be run by root.")
            .hint("It is started through sudo."));
    }
    // Whoever stops what runs on a terminal does not stop this in the middle of a step.
    let _ = rustix::process::setsid();
    // What it makes has the modes that it says, whatever the caller's mask is.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let id = |name| std::env::var(name).ok().and_then(|v| v.parse().ok());
    let root = match (id("SUDO_UID"), id("SUDO_GID")) {
        (Some(0), _) => Root::own(prefix.clone()),
        (uid, gid) => Root::lent(prefix.clone(), (uid.unwrap_or(0), gid.unwrap_or(0))),
    };
    converse(&root, &Hello { zfs_helper: FORMAT, prefix }, questions, answers)
}

fn converse(
    hands: &dyn Hands,
    hello: &Hello,
    mut questions: impl BufRead,
    mut answers: impl Write,
) -> Outcome<()> {
    say(&mut answers, hello)?;
    loop {
        let mut line = Vec::new();
        let read = questions.by_ref().take(LONGEST_VERB).read_until(b'\n', &mut line);
        if read.map_err(|e| Failure::io("read", "the question", e))? == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n");
        let reply = match serde_json::from_slice::<Verb>(&line) {
            Ok(verb) => hands.perform(&verb),
            Err(e) => Err(Failure::new(Code::Usage, format!("That is no verb: {e}.")).because(e)),
        };
        say(
            &mut answers,
            &match reply {
                Ok(answer) => Reply::Done(answer),
                Err(failure) => Reply::Failed(FailureText::from(&failure)),
            },
        )?;
        if !whole {
            // The rest of it is no question of its own.
            return Ok(());
        }
    }
}

fn say(to: &mut impl Write, what: &impl Serialize) -> Outcome<()> {
    let failed = |e: std::io::Error| Failure::io("write", "the answer", e);
    let mut line = serde_json::to_vec(what).map_err(|e| failed(e.into()))?;
    line.push(b'\n');
    to.write_all(&line).and_then(|()| to.flush()).map_err(failed)
}

/// A helper that runs, as hands.
pub struct Helper(Mutex<Running>);

struct Running {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Helper {
    /// Starts one by a command, which must lead to [`serve`].
    ///
    /// # Errors
    /// `permission`: it says no. `other-agent`: it is of another build.
    pub fn start(command: &[PathBuf], prefix: &Dataset) -> Outcome<Self> {
        let Some((program, args)) = command.split_first() else {
            return Err(Failure::new(Code::Usage, "No command for the helper."));
        };
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|e| Failure::io("run", program, e))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::new(Code::Io, "The helper has no pipes."));
        };
        let answers = BufReader::new(answers);
        let mut running = Running { child, questions: Some(questions), answers };
        let hello: Hello = running.hear()?;
        if hello != (Hello { zfs_helper: FORMAT, prefix: prefix.clone() }) {
            return Err(Failure::new(
                Code::OtherAgent,
                "DSG's helper on the host is of another version.",
            )
            .hint("Ask the host's administrator to install the present one."));
        }
        Ok(Self(Mutex::new(running)))
    }
}

impl Running {
    fn hear<T: for<'d> Deserialize<'d>>(&mut self) -> Outcome<T> {
        let mut line = Vec::new();
        let read = self.answers.by_ref().take(LONGEST_ANSWER).read_until(b'\n', &mut line);
        match read {
            Ok(read) if read > 0 && line.ends_with(b"\n") => {}
            _ => return Err(self.gone()),
        }
        serde_json::from_slice(&line).map_err(|e| {
            Failure::new(Code::OtherAgent, "DSG's helper on the host speaks another language.")
                .hint("Ask the host's administrator to install the present one.")
                .because(e)
        })
    }

    /// What the helper said at its end.
    fn gone(&mut self) -> Failure {
        self.questions = None;
        let mut said = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            let _ = stderr.take(1 << 16).read_to_end(&mut said);
        }
        let _ = self.child.wait();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        let failure = Failure::new(Code::Permission, "Root's part could not be done on the host.");
        failure.hint("DSG needs root there, sudo without a password, or its helper.").because(said)
    }
}

impl Hands for Helper {
    fn perform(&self, verb: &Verb) -> Outcome<Answer> {
        let mut running = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(questions) = running.questions.as_mut() else { return Err(running.gone()) };
        // One that ended says why.
        let _ = say(questions, verb);
        match running.hear()? {
            Reply::Done(answer) => Ok(answer),
            Reply::Failed(text) => Err(text.into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ends by itself when nobody asks any more.
        self.questions = None;
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Hands for Nobody {
        fn perform(&self, verb: &Verb) -> Outcome<Answer> {
            match verb {
                Verb::Space { .. } => Ok(Answer::Done),
                _ => Err(Failure::new(Code::Locked, "Not now.").hint("Later.")),
            }
        }
    }

    #[test]
    fn what_is_no_verb_is_refused_and_the_next_is_heard() {
        let questions = "rm -rf /\n\
            {\"space\":{\"dataset\":\"tank/../p\"}}\n\
            {\"space\":{\"dataset\":\"tank/p\"}}\n\
            {\"freeze\":{\"dataset\":\"tank/p\",\"transaction\":\"; reboot\"}}\n";
        let hello = Hello { zfs_helper: FORMAT, prefix: "tank".parse().unwrap() };
        let mut answers = Vec::new();
        converse(&Nobody, &hello, questions.as_bytes(), &mut answers).unwrap();
        let answers = String::from_utf8(answers).unwrap();
        let well: Vec<bool> = answers.lines().skip(1).map(|l| l.starts_with("{\"done\"")).collect();
        assert_eq!(well, [false, false, true, false]);
    }

    #[test]
    fn a_line_without_end_is_not_swallowed() {
        let hello = Hello { zfs_helper: FORMAT, prefix: "tank".parse().unwrap() };
        let mut answers = Vec::new();
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        converse(&Nobody, &hello, endless, &mut answers).unwrap();
        assert_eq!(String::from_utf8(answers).unwrap().lines().count(), 2);
    }
}
