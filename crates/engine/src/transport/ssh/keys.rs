//! What a private key's file says of itself without its passphrase. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What can be told of a private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyFacts {
    /// It needs a passphrase.
    pub(crate) encrypted: bool,
    /// Its kind, e.g. `ssh-ed25519`; empty where the format does not say it.
    pub(crate) kind: String,
}

impl KeyFacts {
    /// Whether the key itself is in a device that must be touched.
    pub(crate) fn is_in_a_device(&self) -> bool {
        self.kind.starts_with("sk-")
    }
}

/// Looks at a private key's file; `None`: it is none.
pub(crate) fn inspect(text: &str) -> Option<KeyFacts> {
    let begin = text.lines().find(|line| line.starts_with("-----BEGIN "))?;
    if !begin.contains("PRIVATE KEY") {
        return None;
    }
    if begin.contains("OPENSSH") {
        return openssh(text);
    }
    let encrypted = begin.contains("ENCRYPTED")
        || text.lines().any(|l| l.starts_with("Proc-Type:") && l.contains("ENCRYPTED"));
    Some(KeyFacts { encrypted, kind: String::new() })
}

/// The key that a public key's file holds, in ssh's binary format; `None`: it is none.
pub(crate) fn public(text: &str) -> Option<Vec<u8>> {
    let mut words = text.split_ascii_whitespace();
    let kind = words.next()?;
    let key = STANDARD.decode(words.next()?).ok()?;
    let (said, _) = word(&key)?;
    (said == kind.as_bytes()).then_some(key)
}

fn openssh(text: &str) -> Option<KeyFacts> {
    let body = text.lines().skip_while(|l| !l.starts_with("-----BEGIN ")).skip(1);
    let body: String = body.take_while(|l| !l.starts_with("-----")).map(str::trim).collect();
    let bytes = STANDARD.decode(body).ok()?;
    let rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let (cipher, rest) = word(rest)?;
    let (_derivation, rest) = word(rest)?;
    let (_options, rest) = word(rest)?;
    let (public, _) = word(rest.get(4..)?)?;
    let (kind, _) = word(public)?;
    Some(KeyFacts {
        encrypted: cipher != b"none",
        kind: String::from_utf8_lossy(kind).into_owned(),
    })
}

/// The first string of ssh's binary format (a length, then as many bytes), and the rest.
pub(super) fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    bytes.get(4..)?.split_at_checked(usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn openssh_key(cipher: &str, kind: &str) -> String {
        let word = |w: &[u8]| {
            let mut out = u32::try_from(w.len()).unwrap().to_be_bytes().to_vec();
            out.extend(w);
            out
        };
        let mut bytes = b"openssh-key-v1\0".to_vec();
        bytes.extend([word(cipher.as_bytes()), word(b"bcrypt"), word(b"x")].concat());
        bytes.extend([0, 0, 0, 1]);
        bytes.extend(word(&word(kind.as_bytes())));
        let body = STANDARD.encode(bytes);
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n")
    }

    #[test]
    fn a_key_says_whether_it_needs_a_passphrase_and_what_it_is() {
        for (text, encrypted, kind) in [
            (openssh_key("none", "ssh-ed25519"), false, "ssh-ed25519"),
            (openssh_key("aes256-ctr", "ssh-rsa"), true, "ssh-rsa"),
            ("-----BEGIN RSA PRIVATE KEY-----\nAA".to_owned(), false, ""),
            ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAA".to_owned(), true, ""),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA".to_owned(), true, ""),
        ] {
            assert_eq!(inspect(&text), Some(KeyFacts { encrypted, kind: kind.into() }), "{text}");
        }
        assert!(
            inspect(&openssh_key("none", "sk-ssh-ed25519@openssh.com")).unwrap().is_in_a_device()
        );
    }

    #[test]
    fn a_public_key_is_told_from_everything_else() {
        let blob = [&[0, 0, 0, 11][..], b"ssh-ed25519", &[0, 0, 0, 1, 7]].concat();
        let text = STANDARD.encode(&blob);
        assert_eq!(public(&format!("ssh-ed25519 {text} ann@home\n")), Some(blob));
        for other in ["", "ssh-ed25519", "ssh-ed25519 AAAA ann", &format!("ssh-rsa {text}")] {
            assert_eq!(public(other), None, "{other}");
        }
        assert_eq!(public(&openssh_key("none", "ssh-ed25519")), None);
    }

    #[test]
    fn what_is_no_key_is_none() {
        let cut = openssh_key("none", "ssh-ed25519")[..60].to_owned();
        for text in ["", "ssh-ed25519 AAAA me", "-----BEGIN CERTIFICATE-----\nAA", &cut] {
            assert_eq!(inspect(text), None, "{text}");
        }
    }
}
