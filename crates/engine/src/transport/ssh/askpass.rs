//! What the program `ssh` asks where it has no terminal.
//!
//! It then starts the program that `SSH_ASKPASS` names (ssh(1)): here a script of a few lines, which
//! hands the question over and takes the answer by two named pipes in a folder that nobody else may
//! enter. What an answer says is written nowhere else.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use dsg_core::failure::{Failure, Outcome};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use super::ask::{Ask, Secret, UnknownHost};

const SCRIPT: &str = "#!/bin/sh
cd \"${0%/*}\" || exit 1
printf '%s\\n%s' \"$SSH_ASKPASS_PROMPT\" \"$1\" >question || exit 1
[ \"$SSH_ASKPASS_PROMPT\" = none ] && exit 0
{ read -r said && [ \"$said\" = answered ] && cat; } <answer
";
/// No question is longer.
const LONGEST: u64 = 16 * 1024;
/// So long the script may take from its question to where it waits for the answer.
const PATIENCE: Duration = Duration::from_secs(5);
const BEAT: Duration = Duration::from_millis(5);

/// What a question is about.
#[derive(Debug, PartialEq, Eq)]
enum Question {
    Trust(UnknownHost),
    Secret(Secret),
    /// It is only told.
    News(String),
}

/// Reads a question of `ssh`. `host`: who asks, where the question does not say; `again`: the same was asked
/// just before. Pure.
fn question(kind: &str, words: &str, host: &str, again: bool) -> Question {
    if kind == "none" {
        return Question::News(words.trim().to_owned());
    }
    if let Some(unknown) = unknown_host(words) {
        return Question::Trust(unknown);
    }
    let plain = words.trim().trim_end_matches(':');
    if let Some(key) = plain.strip_prefix("Enter passphrase for ") {
        let key = key.strip_prefix("key ").unwrap_or(key).trim_matches('\'');
        return Question::Secret(Secret::Passphrase { key: key.into(), again });
    }
    if let Some(login) = plain.strip_suffix("'s password").filter(|login| login.contains('@')) {
        return Question::Secret(Secret::Password { login: login.to_owned(), again });
    }
    let named = plain.strip_prefix('(').and_then(|rest| rest.split_once(") "));
    let (login, _) = named.filter(|(login, _)| login.contains('@')).unwrap_or((host, ""));
    let echo = words.contains("(yes/no");
    Question::Secret(Secret::Prompt {
        login: login.to_owned(),
        text: words.trim().to_owned(),
        echo,
    })
}

fn unknown_host(words: &str) -> Option<UnknownHost> {
    let (name, _) = words.split_once("authenticity of host '")?.1.split_once('\'')?;
    let name = name.split_once(" (").map_or(name, |(name, _)| name);
    let kind = words.split_once(" key fingerprint is")?.0.split_whitespace().last()?;
    let mut tokens = words.split_whitespace();
    let fingerprint = tokens.find(|token| token.starts_with("SHA256:"))?.trim_end_matches('.');
    let [name, kind, fingerprint] = [name, kind, fingerprint].map(str::to_owned);
    Some(UnknownHost { name, kind, fingerprint })
}

/// Where a person answers for the program.
pub(super) struct Desk<'a> {
    folder: PathBuf,
    host: String,
    ask: &'a dyn Ask,
}

impl<'a> Desk<'a> {
    /// Makes what is needed in `folder`, which nobody else may enter.
    ///
    /// # Errors
    /// It cannot be written there.
    pub(super) fn in_folder(folder: &Path, host: String, ask: &'a dyn Ask) -> Outcome<Self> {
        let desk = Self { folder: folder.to_owned(), host, ask };
        let script = desk.script();
        std::fs::write(&script, SCRIPT)
            .and_then(|()| {
                std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700))
            })
            .map_err(|e| Failure::io("write", &script, e))?;
        for pipe in ["question", "answer"] {
            let path = desk.folder.join(pipe);
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
                .map_err(|e| Failure::io("make", &path, e))?;
        }
        Ok(desk)
    }

    fn script(&self) -> PathBuf {
        self.folder.join("ask")
    }

    /// Tells `ssh` whom to ask.
    pub(super) fn announce(&self, command: &mut Command) {
        command.env("SSH_ASKPASS", self.script()).env("SSH_ASKPASS_REQUIRE", "force");
        // Before 8.4 it asked this way only with a screen, which the script does not need.
        if std::env::var_os("DISPLAY").is_none() {
            command.env("DISPLAY", ":");
        }
    }

    /// Answers while `work` runs. Gives what that gives, and whether the person left.
    pub(super) fn attend<T>(&self, work: impl FnOnce() -> T) -> (T, bool) {
        std::thread::scope(|scope| {
            let answering = scope.spawn(|| self.answer_all());
            let done = work();
            while !answering.is_finished() {
                // Nothing is a question that ends it.
                let _ = pipe_for_writing(&self.folder.join("question"));
                std::thread::sleep(BEAT);
            }
            (done, answering.join().unwrap_or(false))
        })
    }

    fn answer_all(&self) -> bool {
        let (mut last, mut left) = (String::new(), false);
        while let Some(asked) = self.asked() {
            let (kind, words) = asked.split_once('\n').unwrap_or(("", &asked));
            let given = match question(kind, words, &self.host, asked == last) {
                Question::News(news) => {
                    self.ask.tell(&news);
                    continue;
                }
                Question::Trust(host) => {
                    let trusted = self.ask.trust(&host);
                    trusted.map(|yes| if yes { "yes" } else { "no" }.to_owned())
                }
                Question::Secret(secret) => self.ask.secret(&secret),
            };
            left |= given.is_none() && self.ask.has_left();
            // Where the script is gone, so is its question.
            let _ = self.give(given);
            last = asked;
        }
        left
    }

    fn asked(&self) -> Option<String> {
        let mut bytes = Vec::new();
        let question = File::open(self.folder.join("question")).ok()?;
        question.take(LONGEST).read_to_end(&mut bytes).ok()?;
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn give(&self, answer: Option<String>) -> std::io::Result<()> {
        let begun = Instant::now();
        let mut pipe = loop {
            match pipe_for_writing(&self.folder.join("answer")) {
                Err(_) if begun.elapsed() < PATIENCE => std::thread::sleep(BEAT),
                other => break other?,
            }
        };
        let text = answer.map_or_else(|| "none\n".to_owned(), |text| format!("answered\n{text}\n"));
        pipe.write_all(text.as_bytes())
    }
}

/// Opens a pipe if somebody reads there.
fn pipe_for_writing(path: &Path) -> std::io::Result<File> {
    let unblocked = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().write(true).custom_flags(unblocked).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_questions_of_ssh_are_understood() {
        let asked = |words: &str| question("", words, "tank", false);
        let unknown = UnknownHost {
            name: "[127.0.0.1]:2222".into(),
            kind: "ED25519".into(),
            fingerprint: "SHA256:x/y+z".into(),
        };
        for words in [
            "The authenticity of host '[127.0.0.1]:2222 ([127.0.0.1]:2222)' can't be established.\n\
             ED25519 key fingerprint is SHA256:x/y+z.\nThis key is not known by any other names.\n\
             Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
            "The authenticity of host '[127.0.0.1]:2222' can't be established.\n\
             ED25519 key fingerprint is: SHA256:x/y+z\n\
             Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
        ] {
            assert_eq!(asked(words), Question::Trust(unknown.clone()));
        }
        let secret = |secret| Question::Secret(secret);
        let passphrase = Secret::Passphrase { key: "/home/ann/my key".into(), again: false };
        assert_eq!(
            asked("Enter passphrase for key '/home/ann/my key': "),
            secret(passphrase.clone())
        );
        assert_eq!(asked("Enter passphrase for /home/ann/my key: "), secret(passphrase));
        let password = Secret::Password { login: "ann@tank".into(), again: false };
        assert_eq!(asked("ann@tank's password: "), secret(password));
        let prompt = |login: &str, text: &str, echo| {
            secret(Secret::Prompt { login: login.into(), text: text.into(), echo })
        };
        assert_eq!(
            asked("(ann@tank) One-time code: "),
            prompt("ann@tank", "(ann@tank) One-time code:", false)
        );
        assert_eq!(asked("Enter PIN for key: "), prompt("tank", "Enter PIN for key:", false));
        let update = "Accept updated hostkeys? (yes/no): ";
        assert_eq!(asked(update), prompt("tank", update.trim(), true));
        let touch = "Confirm user presence for key ED25519-SK";
        assert_eq!(question("none", touch, "tank", false), Question::News(touch.into()));
    }
}
