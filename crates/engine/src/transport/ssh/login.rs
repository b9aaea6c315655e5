//! Meeting a host: how to speak with it, and is it the one that is meant?
//!
//! Nothing is silent: a host that nobody confirmed is asked about, and a key that changed is a stop.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use dsg_core::failure::{Code, Failure, Outcome};
use ssh2::{MethodType, Session};

use super::ask::{Ask, UnknownHost};
use super::known_hosts::{self, KnownHostsFile, Verdict};
use super::link::Link;
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
        Verdict::Unknown if route.strict => Err(unknown(route, &question, "StrictHostKeyChecking says yes")),
        Verdict::Unknown => match ask.trust(&question) {
            Some(true) if route.remembers.is_some() => remember(route, key).map(drop),
            // Where nothing is to be remembered, the answer is good for this login.
            Some(true) => Ok(()),
            Some(false) => Err(unknown(route, &question, "you did not confirm it")),
            None => Err(unknown(route, &question, "nobody has confirmed it")),
        },
    }
}

fn unknown(route: &Route, host: &UnknownHost, why: &str) -> Failure {
    let UnknownHost { name, kind, fingerprint } = host;
    // [host]:port, as it is kept, is host:port, as it is typed.
    let typed = match name.strip_prefix('[').and_then(|n| n.split_once("]:")) {
        Some((host, port)) if !host.contains(':') => format!("{host}:{port}"),
        _ => name.clone(),
    };
    let message = format!("{name} is not known, and {why}: its {kind} key is {fingerprint}.");
    Failure::new(Code::HostKeyUnknown, message).hint(match route.remembers {
        Some(_) => format!(
            "Compare the fingerprint with the one that its administrator gives, then: dsg trust {typed}"
        ),
        None => FORGETS.to_owned(),
    })
}

/// Where nothing is remembered, what to do.
const FORGETS: &str = "Your ssh configuration remembers no host: name a file with UserKnownHostsFile in ~/.ssh/config, or take that line out.";

/// Writes down a host that was confirmed. Gives the file.
///
/// # Errors
/// The ssh configuration names no file for that; it cannot be written.
pub(super) fn remember(route: &Route, key: &[u8]) -> Outcome<PathBuf> {
    let name = route.names.first().map_or("", String::as_str);
    let Some(file) = &route.remembers else {
        let message = format!("{name} was confirmed, and there is no file to write that down in.");
        return Err(Failure::new(Code::Config, message).hint(FORGETS));
    };
    let salt = if route.hash_known_hosts { Some(salt(file)?) } else { None };
    let line = known_hosts::line(name, key, salt);
    append(file, &line).map_err(|e| Failure::io("write", file, e))?;
    Ok(file.clone())
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
