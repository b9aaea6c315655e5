//! Letting ourselves in: does the host know us?
//!
//! What was tried is named when all of it failed. A host that wants more than one proof says after each
//! which ways it still wants, and is given those.

use std::path::Path;
use std::time::Duration;

use dsg_core::failure::{Code, Failure, Outcome};
use ssh2::{ErrorCode, KeyboardInteractivePrompt, Prompt, Session};

use super::ask::{Ask, Secret};
use super::keys;
use super::known_hosts;
use super::link::{Link, Unanswered, is_again};
use super::route::Route;

/// A wrong passphrase or password may be corrected this often.
const TRIES: usize = 3;
/// No host wants more proofs than this.
const MOST_PROOFS: usize = 8;
/// A person has so long to answer what the host asks.
const PERSONS_PATIENCE: Duration = Duration::from_secs(120);

/// libssh2: the host does not accept this.
const REFUSED: i32 = -18;
/// libssh2: the host took the key, and its signature did not let us in.
const NOT_ENOUGH: i32 = -19;
/// libssh2: the private key cannot be read, be it for a wrong passphrase; OpenSSH's own files, and others.
const UNREADABLE: i32 = -16;
const UNREADABLE_OTHERS: i32 = -48;
/// libssh2: the host said goodbye.
const DISMISSED: i32 = -13;

/// Logs in.
///
/// # Errors
/// [`Code::LoginRefused`], with what was tried; [`Code::Unreachable`].
pub(super) fn log_in(link: &mut Link, route: &Route, ask: &dyn Ask) -> Outcome<()> {
    let login = format!("{}@{}", route.user, route.host);
    let mut attempt = Attempt {
        link,
        route,
        ask,
        login: &login,
        ways: String::new(),
        tried: Vec::new(),
        tries: 0,
    };
    let Some(ways) = attempt.wanted()? else { return Ok(()) };
    attempt.ways = ways;
    for _ in 0..MOST_PROOFS {
        match attempt.each_way()? {
            Led::In => return Ok(()),
            Led::Further(ways) => attempt.ways = ways,
            Led::Nowhere => break,
        }
    }
    let ways = attempt.ways.replace(',', ", ");
    Err(Failure::new(
        Code::LoginRefused,
        format!("{} does not let {} in: {}.", route.host, route.user, attempt.tried()),
    )
    .hint(format!(
        "The host accepts {ways}. Is the user right, and is a key of yours in ~/.ssh/authorized_keys there? A key with a passphrase can be given to the ssh agent: ssh-add."
    )))
}

struct Attempt<'a> {
    link: &'a mut Link,
    route: &'a Route,
    ask: &'a dyn Ask,
    login: &'a str,
    /// Ways that the host wants now.
    ways: String,
    /// What was tried, and why it was not enough.
    tried: Vec<String>,
    /// How often.
    tries: usize,
}

/// What came of one try.
enum Answer {
    In,
    /// It was right, and the host wants more: in one of these ways.
    Further(String),
    Refused,
    Unreadable(String),
}

/// Where a way led.
enum Led {
    In,
    Further(String),
    Nowhere,
}

/// What is shown to the host.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// It is asked whether it takes this key before anything is signed.
    Key,
    Words,
}

impl Attempt<'_> {
    fn accepts(&self, way: &str) -> bool {
        self.ways.split(',').any(|w| w == way) && !self.route.refused_ways.contains(&way)
    }

    /// Tries what there is, until it leads somewhere.
    fn each_way(&mut self) -> Outcome<Led> {
        for way in ["publickey", "keyboard-interactive", "password"] {
            let led = match way {
                _ if !self.accepts(way) => Led::Nowhere,
                "publickey" => match self.agent()? {
                    Led::Nowhere => self.key_files()?,
                    led => led,
                },
                "password" => self.password()?,
                _ => self.interactive()?,
            };
            if !matches!(led, Led::Nowhere) {
                return Ok(led);
            }
        }
        Ok(Led::Nowhere)
    }

    fn tried(&self) -> String {
        if self.tried.is_empty() {
            return "nothing that could be tried".to_owned();
        }
        self.tried.join("; ")
    }

    /// The ways that the host wants now; `None`: we are in.
    fn wanted(&mut self) -> Outcome<Option<String>> {
        let user = &self.route.user;
        let listed = |session: &mut Session| session.auth_methods(user).map(str::to_owned);
        match self.link.until(self.route.patience, self.ask, listed) {
            // A host that asks for nothing.
            Ok(_) if self.link.session.authenticated() => Ok(None),
            Ok(ways) => Ok(Some(ways)),
            Err(_) if self.link.session.authenticated() => Ok(None),
            Err(e) => Err(self.lost(e)),
        }
    }

    /// Whether what the host did not accept by itself was a part of what it wants.
    fn further(&mut self) -> Outcome<Answer> {
        Ok(match self.wanted()? {
            None => Answer::In,
            Some(ways) if ways != self.ways => Answer::Further(ways),
            Some(_) => Answer::Refused,
        })
    }

    /// One try; only what says nothing about the login itself is a failure.
    fn one(
        &mut self,
        proof: Proof,
        patience: Duration,
        call: impl FnMut(&mut Session) -> Result<(), ssh2::Error>,
    ) -> Outcome<Answer> {
        self.tries += 1;
        match self.link.until(patience, self.ask, call) {
            Ok(()) if self.link.session.authenticated() => Ok(Answer::In),
            Ok(()) => Ok(Answer::Refused),
            Err(Unanswered::Refused(e)) => match e.code() {
                ErrorCode::Session(REFUSED) if proof == Proof::Key => Ok(Answer::Refused),
                ErrorCode::Session(REFUSED | NOT_ENOUGH) => self.further(),
                ErrorCode::Session(UNREADABLE | UNREADABLE_OTHERS) => {
                    Ok(Answer::Unreadable(e.message().to_owned()))
                }
                _ if self.link.ended => Err(self.lost(Unanswered::Ended)),
                // On a line that lives, an answer that nobody takes would be taken for the next one's.
                _ => Ok(match self.further()? {
                    Answer::Refused => Answer::Unreadable(e.message().to_owned()),
                    led => led,
                }),
            },
            Err(e) => Err(self.lost(e)),
        }
    }

    /// Whether the host said goodbye. Of a network that was cut, libssh2 says something else.
    fn is_dismissed(&mut self) -> bool {
        loop {
            let listed = self.link.session.auth_methods(&self.route.user).map(drop);
            self.link.collect();
            let moved = self.link.pump();
            match listed {
                Err(e) if is_again(&e) && moved => {}
                Err(e) => return e.code() == ErrorCode::Session(DISMISSED),
                Ok(()) => return false,
            }
        }
    }

    /// The host is not there any more. One that was shown too much hangs up by itself: it is there, and
    /// another try ends alike.
    fn lost(&mut self, why: Unanswered) -> Failure {
        let hung_up = matches!(why, Unanswered::Ended | Unanswered::Refused(_))
            && self.tries > 0
            && (self.tries > 2 || self.is_dismissed());
        let Route { host, user, .. } = self.route;
        if !hung_up {
            return why.failure(host, "the login");
        }
        let (tries, tried) = (self.tries, self.tried());
        let message = match tries {
            1 => format!("{host} hung up when {user} was to log in ({tried})."),
            _ => format!("{host} hung up after {tries} tries to log {user} in ({tried})."),
        };
        Failure::new(Code::LoginRefused, message).hint(
            "A host takes only so many tries. Name the key for it in ~/.ssh/config (IdentityFile, with IdentitiesOnly yes), or take other keys out of the ssh agent: ssh-add -d.",
        )
    }

    /// Asks the person; who has left is asked no more.
    fn secret(&self, question: &Secret) -> Outcome<Option<String>> {
        let answer = self.ask.secret(question);
        if answer.is_none() && self.ask.has_left() { Err(Failure::cancelled()) } else { Ok(answer) }
    }

    fn agent(&mut self) -> Outcome<Led> {
        let Some(socket) = &self.route.agent else { return Ok(Led::Nowhere) };
        let no_agent = |why: &str| format!("the ssh agent ({why})");
        let Ok(mut agent) = self.link.session.agent() else { return Ok(Led::Nowhere) };
        if agent.set_identity_path(socket).is_err() || agent.connect().is_err() {
            self.tried.push(no_agent("it does not answer"));
            return Ok(Led::Nowhere);
        }
        let keys = agent.list_identities().and_then(|()| agent.identities()).unwrap_or_default();
        let named: Vec<Vec<u8>> = self.route.keys.iter().filter_map(|p| public_half(p)).collect();
        let mut offered = 0;
        let mut in_devices = 0;
        let (first, then): (Vec<_>, Vec<_>) =
            keys.iter().partition(|key| named.iter().any(|n| n == key.blob()));
        let then = then.into_iter().filter(|_| !self.route.only_these_keys);
        for key in first.into_iter().chain(then) {
            let kind = known_hosts::kind(key.blob());
            if kind.starts_with("sk-") || kind.contains("-cert-") {
                in_devices += 1;
                continue;
            }
            offered += 1;
            let user = self.route.user.clone();
            let userauth = |_: &mut Session| agent.userauth(&user, key);
            match self.one(Proof::Key, self.route.patience, userauth)? {
                Answer::In => return Ok(Led::In),
                Answer::Further(ways) => return Ok(self.part("a key in the ssh agent", ways)),
                Answer::Refused | Answer::Unreadable(_) => {}
            }
        }
        if in_devices > 0 {
            self.tried.push(format!(
                "{in_devices} keys in the ssh agent need the program ssh (say ssh: system for this host in dsg.yml)"
            ));
        }
        self.tried.push(match offered {
            0 => no_agent("it has no key for it"),
            1 => "the key in the ssh agent".to_owned(),
            n => format!("{n} keys in the ssh agent"),
        });
        Ok(Led::Nowhere)
    }

    /// Notes what was right, and not all that the host wants.
    fn part(&mut self, what: &str, ways: String) -> Led {
        self.tried.push(format!("{what} (taken, and the host wants more)"));
        Led::Further(ways)
    }

    fn key_files(&mut self) -> Outcome<Led> {
        for path in &self.route.keys {
            let name = path.display();
            let text = match std::fs::read_to_string(path) {
                Ok(text) => text,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => {
                    self.tried.push(format!("{name} ({e})"));
                    continue;
                }
            };
            if keys::public(&text).is_some() {
                self.tried.push(format!("{name} (the ssh agent does not have its private key)"));
                continue;
            }
            let Some(facts) = keys::inspect(&text) else {
                self.tried.push(format!("{name} (it is no private key)"));
                continue;
            };
            if facts.is_in_a_device() {
                self.tried.push(format!("{name} (a key in a device needs the program ssh: say ssh: system for this host in dsg.yml)"));
                continue;
            }
            let mut answer = Answer::Refused;
            for turn in 0..TRIES {
                let passphrase = if facts.encrypted {
                    let question = Secret::Passphrase { key: path.clone(), again: turn > 0 };
                    let Some(passphrase) = self.secret(&question)? else {
                        answer =
                            Answer::Unreadable("it needs a passphrase, and nobody gave one".into());
                        break;
                    };
                    Some(passphrase)
                } else {
                    None
                };
                let user = self.route.user.clone();
                answer = self.one(Proof::Key, self.route.patience, |session| {
                    session.userauth_pubkey_memory(&user, None, &text, passphrase.as_deref())
                })?;
                match answer {
                    Answer::In => return Ok(Led::In),
                    Answer::Further(ways) => return Ok(self.part(&name.to_string(), ways)),
                    Answer::Unreadable(_) if facts.encrypted => {
                        answer = Answer::Unreadable("the passphrase is wrong".into());
                    }
                    _ => break,
                }
            }
            self.tried.push(match answer {
                Answer::Unreadable(why) => format!("{name} ({why})"),
                _ => format!("{name} (the host does not know it)"),
            });
        }
        Ok(Led::Nowhere)
    }

    fn interactive(&mut self) -> Outcome<Led> {
        for _ in 0..TRIES {
            let (user, patience) =
                (self.route.user.clone(), self.route.patience + PERSONS_PATIENCE);
            let mut person =
                Prompter { ask: self.ask, login: self.login, asked: false, silent: false };
            let answer = self.one(Proof::Words, patience, |session| {
                session.userauth_keyboard_interactive(&user, &mut person)
            })?;
            match answer {
                Answer::In => return Ok(Led::In),
                Answer::Further(ways) => return Ok(self.part("what it asks", ways)),
                Answer::Refused | Answer::Unreadable(_) => {}
            }
            if person.silent {
                self.tried.push("what it asks (nobody answered)".to_owned());
                return Ok(Led::Nowhere);
            }
            if !person.asked {
                break;
            }
        }
        self.tried.push("the answers to what it asks (they are wrong)".to_owned());
        Ok(Led::Nowhere)
    }

    fn password(&mut self) -> Outcome<Led> {
        for turn in 0..TRIES {
            let question = Secret::Password { login: self.login.to_owned(), again: turn > 0 };
            let Some(password) = self.secret(&question)? else {
                self.tried.push("a password (nobody gave one)".to_owned());
                return Ok(Led::Nowhere);
            };
            let user = self.route.user.clone();
            let asked = self.one(Proof::Words, self.route.patience, |session| {
                session.userauth_password(&user, &password)
            });
            match asked? {
                Answer::In => return Ok(Led::In),
                Answer::Further(ways) => return Ok(self.part("a password", ways)),
                Answer::Refused => {}
                Answer::Unreadable(why) => {
                    self.tried.push(format!("a password ({why})"));
                    return Ok(Led::Nowhere);
                }
            }
        }
        self.tried.push("a password (it is wrong)".to_owned());
        Ok(Led::Nowhere)
    }
}

/// The public half of a key: the file itself, where that is what is named, or the one beside it.
fn public_half(named: &Path) -> Option<Vec<u8>> {
    let mut beside = named.as_os_str().to_owned();
    beside.push(".pub");
    [named, Path::new(&beside)]
        .into_iter()
        .find_map(|file| keys::public(&std::fs::read_to_string(file).ok()?))
}

/// Hands the host's questions to the person.
struct Prompter<'a> {
    ask: &'a dyn Ask,
    login: &'a str,
    asked: bool,
    silent: bool,
}

impl KeyboardInteractivePrompt for Prompter<'_> {
    fn prompt(&mut self, _user: &str, instructions: &str, prompts: &[Prompt<'_>]) -> Vec<String> {
        let mut answers = Vec::new();
        for prompt in prompts {
            self.asked = true;
            let text = format!("{instructions} {}", prompt.text).trim().to_owned();
            let question = Secret::Prompt { login: self.login.to_owned(), text, echo: prompt.echo };
            let answer = self.ask.secret(&question);
            self.silent |= answer.is_none();
            answers.push(answer.unwrap_or_default());
        }
        answers
    }
}
