//! Letting ourselves in: is it the host that is meant, and does it know us?
//!
//! Nothing is silent: a host that nobody confirmed is asked about, a key that changed is a stop, and what
//! was tried to log in is named when all of it failed.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use dsg_core::failure::{Code, Failure, Outcome};
use ssh2::{ErrorCode, KeyboardInteractivePrompt, MethodType, Prompt, Session};

use super::ask::{Ask, Secret, UnknownHost};
use super::keys;
use super::known_hosts::{self, KnownHostsFile, Verdict};
use super::link::{Link, Unanswered};
use super::route::Route;

/// Fast on every processor of the last ten years, and authenticated.
const CIPHERS: [&str; 6] = [
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
];
/// A wrong passphrase or password may be corrected this often.
const TRIES: usize = 3;
/// A person has so long to answer what the host asks.
const PERSONS_PATIENCE: Duration = Duration::from_secs(120);

/// libssh2: the host does not accept this.
const REFUSED: [i32; 2] = [-18, -19];
/// libssh2: the private key cannot be read, be it for a wrong passphrase.
const UNREADABLE: i32 = -16;

/// Reads the files that are there.
pub(super) fn known_files(route: &Route) -> Vec<KnownHostsFile> {
    let read = |path: &std::path::PathBuf| {
        // Hosts may have names in any encoding; only theirs would not be found.
        let text = String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned();
        Some(KnownHostsFile { path: path.clone(), text })
    };
    route.known_hosts.iter().filter_map(read).collect()
}

/// Agrees with the host on how to speak.
pub(super) fn shake_hands(link: &mut Link, route: &Route, ask: &dyn Ask) -> Outcome<()> {
    let files = known_files(route);
    let supported = |what| link.session.supported_algs(what).unwrap_or_default();
    let known = known_hosts::known_kinds(&files, &route.names);
    let [ciphers, exchanges, macs, kinds] = &route.algorithms;
    let either = |own: &Option<Vec<String>>, ours: &[&str]| -> Vec<String> {
        own.clone().unwrap_or_else(|| ours.iter().map(|a| (*a).to_owned()).collect())
    };
    let host_keys = match kinds {
        Some(own) => own.clone(),
        None => by_what_is_known(&supported(MethodType::HostKey), &known),
    };
    let wanted = [
        (MethodType::CryptCs, either(ciphers, &CIPHERS)),
        (MethodType::CryptSc, either(ciphers, &CIPHERS)),
        (MethodType::Kex, either(exchanges, &[])),
        (MethodType::MacCs, either(macs, &[])),
        (MethodType::MacSc, either(macs, &[])),
        (MethodType::HostKey, host_keys),
    ];
    for (what, wanted) in wanted {
        let able = supported(what);
        let list: Vec<&str> =
            wanted.iter().map(String::as_str).filter(|a| able.contains(a)).collect();
        if wanted.is_empty() {
            continue;
        }
        if list.is_empty() {
            return Err(Failure::new(
                Code::Config,
                format!(
                    "The built-in ssh can do none of {}, which the ssh configuration asks for.",
                    wanted.join(", ")
                ),
            )
            .hint("Say ssh: system for this host in dsg.yml."));
        }
        let set = link.session.method_pref(what, &list.join(","));
        set.map_err(|e| {
            Failure::new(Code::Config, "The ssh algorithms cannot be used.").because(e)
        })?;
    }
    let shaken = link.until(route.patience, ask, Session::handshake);
    shaken.map_err(|e| e.failure(&route.host, "the ssh handshake"))
}

/// Kinds of host keys, those first that are known of the host.
fn by_what_is_known(supported: &[&str], known: &[String]) -> Vec<String> {
    let is_known = |name: &str| {
        // Three ways to sign with the one kind of key.
        let kind = if name.starts_with("rsa-sha2-") { "ssh-rsa" } else { name };
        known.iter().any(|k| k == kind)
    };
    let (first, then): (Vec<&str>, Vec<&str>) = supported.iter().partition(|name| is_known(name));
    first.into_iter().chain(then).map(str::to_owned).collect()
}

/// The host's key, once hands are shaken.
pub(super) fn host_key(link: &Link, route: &Route) -> Outcome<Vec<u8>> {
    link.session.host_key().map(|(key, _)| key.to_vec()).ok_or_else(|| {
        Failure::new(Code::Unreachable, format!("{} did not say its key.", route.host))
    })
}

/// Is it the host that is meant?
pub(super) fn check_host(route: &Route, key: &[u8], ask: &dyn Ask) -> Outcome<()> {
    let name = route.names.first().cloned().unwrap_or_default();
    let question = UnknownHost {
        kind: known_hosts::kind(key),
        fingerprint: known_hosts::fingerprint(key),
        name: name.clone(),
    };
    match known_hosts::judge(&known_files(route), &route.names, key) {
        Verdict::Known => Ok(()),
        Verdict::Changed { place, old: (old, old_kind) } => Err(Failure::new(
            Code::HostKeyChanged,
            format!(
                "{name} is not the host that was confirmed: its {} key is {}, and the {old_kind} key that {place} has is {old}.",
                question.kind, question.fingerprint
            ),
        )
        .hint(format!(
            "Somebody may stand between you and the host. Ask its administrator whether its key was changed; if so, remove line {} of {} and try again.",
            place.line, place.file.display()
        ))),
        Verdict::Revoked(place) => Err(Failure::new(
            Code::HostKeyChanged,
            format!("The key of {name}, {}, is revoked: {place}.", question.fingerprint),
        )
        .hint("Ask the host's administrator.")),
        Verdict::Unknown if route.strict => Err(unknown(&question, "StrictHostKeyChecking says yes")),
        Verdict::Unknown => match ask.trust(&question) {
            Some(true) => remember(route, key),
            Some(false) => Err(unknown(&question, "you did not confirm it")),
            None => Err(unknown(&question, "nobody has confirmed it")),
        },
    }
}

fn unknown(host: &UnknownHost, why: &str) -> Failure {
    let UnknownHost { name, kind, fingerprint } = host;
    // [host]:port, as it is kept, is host:port, as it is typed.
    let typed = match name.strip_prefix('[').and_then(|n| n.split_once("]:")) {
        Some((host, port)) if !host.contains(':') => format!("{host}:{port}"),
        _ => name.clone(),
    };
    let message = format!("{name} is not known, and {why}: its {kind} key is {fingerprint}.");
    Failure::new(Code::HostKeyUnknown, message).hint(format!(
        "Compare the fingerprint with the one that its administrator gives, then: dsg trust {typed}"
    ))
}

/// Writes down a host that was confirmed.
pub(super) fn remember(route: &Route, key: &[u8]) -> Outcome<()> {
    let Some(file) = route.known_hosts.first() else {
        return Err(Failure::new(Code::Config, "The ssh configuration names no known_hosts file.")
            .hint("Take UserKnownHostsFile none out of ~/.ssh/config."));
    };
    let name = route.names.first().map_or("", String::as_str);
    let salt = if route.hash_known_hosts { Some(salt(file)?) } else { None };
    let line = known_hosts::line(name, key, salt);
    append(file, &line).map_err(|e| Failure::io("write", file, e))
}

fn append(file: &Path, line: &str) -> std::io::Result<()> {
    if let Some(dir) = file.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let mut open = std::fs::OpenOptions::new();
    let mut out = open.read(true).append(true).create(true).mode(0o600).open(file)?;
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut out, &mut text)?;
    let gap = if text.last().is_none_or(|end| *end == b'\n') { "" } else { "\n" };
    out.write_all(format!("{gap}{line}").as_bytes())?;
    out.sync_all()
}

fn salt(file: &Path) -> Outcome<[u8; 20]> {
    let mut salt = [0; 20];
    let random = std::fs::File::open("/dev/urandom");
    let read = random.and_then(|mut random| std::io::Read::read_exact(&mut random, &mut salt));
    read.map(|()| salt).map_err(|e| Failure::io("find randomness for", file, e))
}

/// Logs in.
pub(super) fn log_in(link: &mut Link, route: &Route, ask: &dyn Ask) -> Outcome<()> {
    let login = format!("{}@{}", route.user, route.host);
    let listed = link
        .until(route.patience, ask, |session| session.auth_methods(&route.user).map(str::to_owned));
    let ways = match listed {
        Ok(ways) => ways,
        Err(_) if link.session.authenticated() => return Ok(()),
        Err(e) => return Err(e.failure(&route.host, "the login")),
    };
    let accepts =
        |way: &str| ways.split(',').any(|w| w == way) && !route.refused_ways.contains(&way);
    let mut attempt = Attempt { link, route, ask, login: &login, tried: Vec::new() };
    let in_by = (accepts("publickey") && (attempt.agent()? || attempt.key_files()?))
        || (accepts("keyboard-interactive") && attempt.interactive()?)
        || (accepts("password") && attempt.password()?);
    if in_by {
        return Ok(());
    }
    let tried = match attempt.tried.join("; ") {
        tried if tried.is_empty() => "nothing that could be tried".to_owned(),
        tried => tried,
    };
    Err(Failure::new(
        Code::LoginRefused,
        format!("{} does not let {} in: {tried}.", route.host, route.user),
    )
    .hint(format!(
        "The host accepts {}. Is the user right, and is a key of yours in ~/.ssh/authorized_keys there? A key with a passphrase can be given to the ssh agent: ssh-add.",
        ways.replace(',', ", ")
    )))
}

struct Attempt<'a> {
    link: &'a mut Link,
    route: &'a Route,
    ask: &'a dyn Ask,
    login: &'a str,
    /// What was tried, and why it was not enough.
    tried: Vec<String>,
}

enum Answer {
    In,
    Refused,
    Unreadable(String),
}

impl Attempt<'_> {
    /// One try; only what says nothing about the login itself is a failure.
    fn one(
        &mut self,
        patience: Duration,
        call: impl FnMut(&mut Session) -> Result<(), ssh2::Error>,
    ) -> Outcome<Answer> {
        match self.link.until(patience, self.ask, call) {
            Ok(()) if self.link.session.authenticated() => Ok(Answer::In),
            Ok(()) => Ok(Answer::Refused),
            Err(Unanswered::Refused(e)) => match e.code() {
                ErrorCode::Session(code) if REFUSED.contains(&code) => Ok(Answer::Refused),
                ErrorCode::Session(UNREADABLE) => Ok(Answer::Unreadable(e.message().to_owned())),
                _ if self.link.ended => {
                    Err(Unanswered::Ended.failure(&self.route.host, "the login"))
                }
                _ => Ok(Answer::Unreadable(e.message().to_owned())),
            },
            Err(e) => Err(e.failure(&self.route.host, "the login")),
        }
    }

    /// Asks the person; who has left is asked no more.
    fn secret(&self, question: &Secret) -> Outcome<Option<String>> {
        let answer = self.ask.secret(question);
        if answer.is_none() && self.ask.has_left() { Err(Failure::cancelled()) } else { Ok(answer) }
    }

    fn agent(&mut self) -> Outcome<bool> {
        let Some(socket) = &self.route.agent else { return Ok(false) };
        let no_agent = |why: &str| format!("the ssh agent ({why})");
        let Ok(mut agent) = self.link.session.agent() else { return Ok(false) };
        if agent.set_identity_path(socket).is_err() || agent.connect().is_err() {
            self.tried.push(no_agent("it does not answer"));
            return Ok(false);
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
            if let Answer::In = self.one(self.route.patience, |_| agent.userauth(&user, key))? {
                return Ok(true);
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
        Ok(false)
    }

    fn key_files(&mut self) -> Outcome<bool> {
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
                answer = self.one(self.route.patience, |session| {
                    session.userauth_pubkey_memory(&user, None, &text, passphrase.as_deref())
                })?;
                match answer {
                    Answer::In => return Ok(true),
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
        Ok(false)
    }

    fn interactive(&mut self) -> Outcome<bool> {
        for _ in 0..TRIES {
            let (user, patience) =
                (self.route.user.clone(), self.route.patience + PERSONS_PATIENCE);
            let mut person =
                Prompter { ask: self.ask, login: self.login, asked: false, silent: false };
            let answer = self.one(patience, |session| {
                session.userauth_keyboard_interactive(&user, &mut person)
            })?;
            if let Answer::In = answer {
                return Ok(true);
            }
            if person.silent {
                self.tried.push("what it asks (nobody answered)".to_owned());
                return Ok(false);
            }
            if !person.asked {
                break;
            }
        }
        self.tried.push("the answers to what it asks (they are wrong)".to_owned());
        Ok(false)
    }

    fn password(&mut self) -> Outcome<bool> {
        for turn in 0..TRIES {
            let question = Secret::Password { login: self.login.to_owned(), again: turn > 0 };
            let Some(password) = self.secret(&question)? else {
                self.tried.push("a password (nobody gave one)".to_owned());
                return Ok(false);
            };
            let user = self.route.user.clone();
            let answer =
                self.one(self.route.patience, |s| s.userauth_password(&user, &password))?;
            match answer {
                Answer::In => return Ok(true),
                Answer::Refused => {}
                Answer::Unreadable(why) => {
                    self.tried.push(format!("a password ({why})"));
                    return Ok(false);
                }
            }
        }
        self.tried.push("a password (it is wrong)".to_owned());
        Ok(false)
    }
}

/// The public half of a key, from the file beside it.
fn public_half(private: &Path) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let mut beside = private.as_os_str().to_owned();
    beside.push(".pub");
    let text = std::fs::read_to_string(beside).ok()?;
    let key = text.split_ascii_whitespace().nth(1)?;
    base64::engine::general_purpose::STANDARD.decode(key).ok()
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
