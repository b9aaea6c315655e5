//! The person at the terminal: questions of the login, answered there and nowhere else.
//!
//! Asked is only who is at a terminal and did not ask for JSON. What is typed as a secret is not shown,
//! and goes nowhere but into the login.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::sync::Arc;

use dsg_core::monitor::Monitor;
use dsg_engine::transport::ssh::{Ask, Secret, UnknownHost};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::output::shown;
use crate::progress::Told;
use crate::request::Manners;

/// Who may be asked.
pub(crate) struct Person {
    told: Arc<Told>,
    monitor: Monitor,
    manners: Manners,
    present: bool,
}

impl Person {
    /// Present at a terminal only.
    pub(crate) fn new(told: Arc<Told>, monitor: Monitor, manners: Manners) -> Self {
        let present =
            !manners.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self { told, monitor, manners, present }
    }

    fn ask(&self, question: &str, hidden: bool) -> Option<String> {
        if !self.present {
            return None;
        }
        self.told.aside(|| asked(question, hidden))
    }
}

impl Ask for Person {
    fn trust(&self, host: &UnknownHost) -> Option<bool> {
        let UnknownHost { name, kind, fingerprint } = host;
        let question = format!(
            "{} is not known yet. Its {} key has the fingerprint\n  {fingerprint}\n\
             Is it the one that its administrator gives? Type yes to go on: ",
            shown(name),
            shown(kind)
        );
        self.ask(&question, false).map(|answer| answer.trim() == "yes")
    }

    fn secret(&self, secret: &Secret) -> Option<String> {
        let again = |again: &bool| if *again { "That was not right. " } else { "" };
        let (question, hidden) = match secret {
            Secret::Passphrase { key, again: a } => {
                (format!("{}Passphrase of {}: ", again(a), shown(&key.to_string_lossy())), true)
            }
            Secret::Password { login, again: a } => {
                (format!("{}Password of {}: ", again(a), shown(login)), true)
            }
            Secret::Prompt { login, text, echo } => {
                (format!("{} asks: {} ", shown(login), shown(text)), !echo)
            }
        };
        self.ask(&question, hidden)
    }

    fn tell(&self, what: &str) {
        if self.manners.verbose {
            self.told.say(&format!("{}…", shown(what)));
        }
    }

    fn is_there(&self) -> bool {
        self.present
    }

    fn has_terminal(&self) -> bool {
        self.present
    }

    fn has_left(&self) -> bool {
        self.monitor.check().is_err()
    }
}

/// Asks at the terminal; an empty line or the end of input is no answer.
fn asked(question: &str, hidden: bool) -> Option<String> {
    let terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
    let as_it_was = if hidden { Some(tcgetattr(&terminal).ok()?) } else { None };
    if let Some(as_it_was) = &as_it_was {
        let mut quiet = as_it_was.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Flush, &quiet).ok()?;
    }
    (&terminal).write_all(question.as_bytes()).ok()?;
    let mut line = String::new();
    let read = BufReader::new(&terminal).read_line(&mut line);
    if let Some(as_it_was) = &as_it_was {
        let _ = tcsetattr(&terminal, OptionalActions::Now, as_it_was);
        let _ = (&terminal).write_all(b"\n");
    }
    read.ok()?;
    let answer = line.trim_end_matches(['\n', '\r']).to_owned();
    (!answer.is_empty()).then_some(answer)
}
