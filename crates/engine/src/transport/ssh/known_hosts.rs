//! What `known_hosts` files say of a host's key. Pure: files come in as text, and a verdict or a line
//! to append goes out.
//!
//! Judged as OpenSSH judges: a key that stands there for the host is known; if others stand there and
//! not this one, it has changed; a key that is marked as revoked is never known, and one that only an
//! authority's signature would vouch for is not vouched for here.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// Port 22 goes without saying.
pub(super) const DEFAULT_PORT: u16 = 22;

/// One `known_hosts` file, read.
pub(crate) struct KnownHostsFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// What the files say of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It stands there.
    Known,
    /// Nothing is said of the host.
    Unknown,
    /// Another one stands there.
    Changed {
        /// Where.
        place: Place,
        /// The other one's fingerprint, and its kind.
        old: (String, String),
    },
    /// It is not to be used any more.
    Revoked(Place),
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    /// From 1.
    pub(crate) line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    None,
    Revoked,
    Authority,
}

struct Entry<'t> {
    marker: Marker,
    hosts: &'t str,
    kind: &'t str,
    key: &'t str,
}

impl<'t> Entry<'t> {
    /// A line that is empty, a comment or damaged says nothing.
    fn of(line: &'t str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace().peekable();
        let marker = match *words.peek()? {
            "@revoked" => Marker::Revoked,
            "@cert-authority" => Marker::Authority,
            first if first.starts_with(['#', '@']) => return None,
            _ => Marker::None,
        };
        if marker != Marker::None {
            words.next();
        }
        Some(Self { marker, hosts: words.next()?, kind: words.next()?, key: words.next()? })
    }

    fn is_about(&self, name: &str) -> bool {
        if let Some(hashed) = self.hosts.strip_prefix("|1|") {
            return is_hash_of(hashed, name);
        }
        let mut found = false;
        for pattern in self.hosts.split(',') {
            match pattern.strip_prefix('!') {
                Some(not) if matches(not, name) => return false,
                Some(_) => {}
                None => found |= matches(pattern, name),
            }
        }
        found
    }

    fn fingerprint(&self) -> String {
        STANDARD.decode(self.key).map_or_else(|_| "(not readable)".to_owned(), |k| fingerprint(&k))
    }
}

/// The name under which a host's key is kept.
pub(crate) fn name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == DEFAULT_PORT { host } else { format!("[{host}]:{port}") }
}

/// What the files say of this key of this host.
pub(crate) fn judge(files: &[KnownHostsFile], names: &[String], key: &[u8]) -> Verdict {
    let text = STANDARD.encode(key);
    for (place, entry) in entries(files) {
        if entry.marker == Marker::Revoked
            && entry.key == text
            && names.iter().any(|name| entry.is_about(name))
        {
            return Verdict::Revoked(place);
        }
    }
    let about = |name: &str| {
        let mut changed = None;
        for (place, entry) in entries(files) {
            if entry.marker != Marker::None || !entry.is_about(name) {
                continue;
            }
            if entry.key == text {
                return Verdict::Known;
            }
            changed.get_or_insert_with(|| Verdict::Changed {
                place,
                old: (entry.fingerprint(), entry.kind.to_owned()),
            });
        }
        changed.unwrap_or(Verdict::Unknown)
    };
    // The first name decides; under another (the same without its port) a key can be known only.
    let Some((first, others)) = names.split_first() else { return Verdict::Unknown };
    match about(first) {
        Verdict::Unknown if others.iter().any(|name| about(name) == Verdict::Known) => {
            Verdict::Known
        }
        verdict => verdict,
    }
}

/// The kinds of keys that are known of the host: asked for first, or a host that has several would seem
/// to have changed.
pub(crate) fn known_kinds(files: &[KnownHostsFile], names: &[String]) -> Vec<String> {
    let mut kinds: Vec<String> = entries(files)
        .filter(|(_, e)| e.marker == Marker::None && names.iter().any(|name| e.is_about(name)))
        .map(|(_, entry)| entry.kind.to_owned())
        .collect();
    kinds.dedup();
    kinds
}

/// Whether the host is vouched for by an authority, which only the ssh program understands.
pub(crate) fn has_authority(files: &[KnownHostsFile], names: &[String]) -> bool {
    entries(files)
        .any(|(_, e)| e.marker == Marker::Authority && names.iter().any(|name| e.is_about(name)))
}

/// The line for a key that was confirmed, with the name hashed if there is a salt.
pub(crate) fn line(name: &str, key: &[u8], salt: Option<[u8; 20]>) -> String {
    let name = match salt {
        None => name.to_owned(),
        Some(salt) => {
            format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(mac(&salt, name)))
        }
    };
    format!("{name} {} {}\n", kind(key), STANDARD.encode(key))
}

/// A key's fingerprint, as OpenSSH writes it.
pub(crate) fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// A key's kind, which stands at its beginning, e.g. `ssh-ed25519`.
pub(crate) fn kind(key: &[u8]) -> String {
    super::keys::word(key).map_or_else(String::new, |(kind, _)| {
        String::from_utf8_lossy(kind).chars().filter(|c| !c.is_whitespace()).collect()
    })
}

fn entries(files: &[KnownHostsFile]) -> impl Iterator<Item = (Place, Entry<'_>)> {
    files.iter().flat_map(|KnownHostsFile { path, text }| {
        let place = |line| Place { file: Path::to_owned(path), line: line + 1 };
        text.lines().enumerate().filter_map(move |(n, line)| Some((place(n), Entry::of(line)?)))
    })
}

fn mac(salt: &[u8], name: &str) -> Vec<u8> {
    // A key of any length does for an HMAC.
    Hmac::<Sha1>::new_from_slice(salt)
        .map(|mac| mac.chain_update(name.as_bytes()).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

fn is_hash_of(hashed: &str, name: &str) -> bool {
    let parts = hashed
        .split_once('|')
        .and_then(|(salt, hash)| Some((STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?)));
    parts.is_some_and(|(salt, hash)| mac(&salt, name) == hash)
}

/// `*` stands for any characters, `?` for one.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.as_bytes());
    let pattern = pattern.as_bytes();
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                n = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, content: u8) -> Vec<u8> {
        let mut key = u32::try_from(kind.len()).unwrap().to_be_bytes().to_vec();
        key.extend(kind.as_bytes());
        key.extend([0, 0, 0, 2, content, content]);
        key
    }

    fn file(text: &str) -> [KnownHostsFile; 1] {
        [KnownHostsFile { path: "/k".into(), text: text.into() }]
    }

    fn names(host: &str, port: u16) -> Vec<String> {
        vec![name(host, port), name(host, DEFAULT_PORT)]
    }

    #[test]
    fn a_key_is_known_changed_or_unknown() {
        let (one, two) = (key("ssh-ed25519", 1), key("ssh-ed25519", 2));
        let text = format!("# mine\n\nh.example,10.0.0.1 {}", line("", &one, None).trim_start());
        let known = file(&text);
        assert_eq!(judge(&known, &names("H.example", 22), &one), Verdict::Known);
        assert_eq!(judge(&known, &names("10.0.0.1", 22), &one), Verdict::Known);
        assert_eq!(judge(&known, &names("other", 22), &one), Verdict::Unknown);
        let changed = judge(&known, &names("h.example", 22), &two);
        let Verdict::Changed { place, old } = changed else { panic!("{changed:?}") };
        assert_eq!((place.to_string().as_str(), old.0), ("/k:3", fingerprint(&one)));
        // Another port is another host, unless the same key is known without it.
        assert_eq!(judge(&known, &names("h.example", 2222), &one), Verdict::Known);
        assert_eq!(judge(&known, &names("h.example", 2222), &two), Verdict::Unknown);
    }

    #[test]
    fn a_host_with_several_keys_is_asked_for_one_that_is_known() {
        let (ed, rsa) = (key("ssh-ed25519", 1), key("ssh-rsa", 2));
        let known = file(&line("h", &ed, None));
        assert_eq!(known_kinds(&known, &names("h", 22)), ["ssh-ed25519"]);
        assert!(matches!(judge(&known, &names("h", 22), &rsa), Verdict::Changed { .. }));
        let both = file(&format!("{}{}", line("h", &ed, None), line("h", &rsa, None)));
        assert_eq!(judge(&both, &names("h", 22), &rsa), Verdict::Known);
    }

    #[test]
    fn hashed_names_are_read_and_written() {
        let one = key("ssh-ed25519", 1);
        let name = name("h", 2222);
        let text = line(&name, &one, Some([7; 20]));
        assert!(text.starts_with("|1|BwcHBwcHBwcHBwcHBwcHBwcHBwc=|") && !text.contains("2222"));
        assert_eq!(judge(&file(&text), &names("h", 2222), &one), Verdict::Known);
        assert_eq!(judge(&file(&text), &names("g", 2222), &one), Verdict::Unknown);
        // As ssh-keygen -H wrote it.
        let real = "|1|ehqRVmbpLXaNwDtxc+y7m9IcBzs=|E1pCbPvzt4VIpMswnjdehM1Pz6Y= ssh-ed25519 AA\n";
        assert!(Entry::of(real).unwrap().is_about("localhost"));
        assert!(!Entry::of(real).unwrap().is_about("localhos"));
    }

    #[test]
    fn a_revoked_key_is_never_known_and_an_authority_is_not_a_key() {
        let one = key("ssh-ed25519", 1);
        let text = format!("{0}@revoked * {1}", line("h", &one, None), &line("", &one, None)[1..]);
        let verdict = judge(&file(&text), &names("h", 22), &one);
        assert_eq!(verdict, Verdict::Revoked(Place { file: "/k".into(), line: 2 }));
        let text = format!("@cert-authority *.example {}", &line("", &one, None)[1..]);
        assert_eq!(judge(&file(&text), &names("a.example", 22), &one), Verdict::Unknown);
        assert!(has_authority(&file(&text), &names("a.example", 22)));
        assert!(!has_authority(&file(&text), &names("a.other", 22)));
    }

    #[test]
    fn patterns_match_as_in_openssh() {
        for (hosts, host, found) in [
            ("*.example", "a.example", true),
            ("*.example", "example", false),
            ("10.0.0.?", "10.0.0.7", true),
            ("10.0.0.?", "10.0.0.17", false),
            ("*.example,!b.example", "b.example", false),
            ("*.example,!b.example", "c.example", true),
            ("*", "anything", true),
            ("a*b*c", "aXbbYc", true),
            ("a*b*c", "aXbbY", false),
        ] {
            let line = format!("{hosts} ssh-ed25519 AAAA");
            assert_eq!(Entry::of(&line).unwrap().is_about(host), found, "{hosts} {host}");
        }
        for nothing in ["", "# x y z", "host ssh-rsa", "@other h ssh-rsa AAAA"] {
            assert!(Entry::of(nothing).is_none(), "{nothing}");
        }
    }
}
