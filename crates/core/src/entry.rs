//! What stands at a path: a file's identity or a link's target.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

use crate::path::{MAX_PATH, RepoPath};

/// A SHA-256 value (FIPS 180-4); written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Hash of bytes that are at hand.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Stands for the SHA-256 of a content of which only the xxh3-64 is known: 24 zero bytes, then that.
    /// No content is found whose SHA-256 begins so, and nothing that is received or read is taken for it.
    pub fn of_xxh3(sum: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&sum.to_be_bytes());
        Self(bytes)
    }

    /// The xxh3-64 that it stands for; `None` if it is a SHA-256.
    pub fn xxh3(&self) -> Option<u64> {
        let (zeros, sum) = self.0.split_last_chunk()?;
        zeros.iter().all(|byte| *byte == 0).then(|| u64::from_be_bytes(*sum))
    }

    /// Parses 64 lower-case hexadecimal digits.
    pub fn parse(hex: &str) -> Option<Self> {
        let digits = hex.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut out = [0; 32];
        for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Some(Self(out))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("not a SHA-256 value of 64 hexadecimal digits"))
    }
}

/// Nanoseconds since 1970-01-01 UTC, as `stat` gives a modification time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mtime(pub i64);

/// What a manifest says of one path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// A regular file.
    File(FileEntry),
    /// A symbolic link, relative and inside the tree.
    Link(LinkTarget),
}

/// A regular file's identity, and the time that is restored with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileEntry {
    /// Bytes.
    pub size: u64,
    /// Modification time; never part of a comparison.
    pub mtime: Mtime,
    /// Whether the owner may execute it.
    pub exec: bool,
    /// SHA-256 of the content.
    pub hash: Hash,
}

/// The target of a symbolic link, checked against the link's own place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinkTarget(Box<str>);

/// Why a link cannot be tracked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// An absolute target means another thing on every machine.
    #[error("the link points to the absolute path {0:?}")]
    Absolute(String),
    /// The target lies outside the project.
    #[error("the link points outside the project, to {0:?}")]
    Escapes(String),
    /// Empty, too long, or not text.
    #[error("the link's target is not a usable path")]
    Unusable,
}

impl LinkTarget {
    /// Checks the target of the link at `at`.
    ///
    /// # Errors
    /// The target is absolute, leaves the tree (walked component by component), or is no text.
    pub fn parse(at: &RepoPath, target: &str) -> Result<Self, LinkError> {
        if target.is_empty()
            || target.len() > MAX_PATH
            || target.contains(|c: char| c.is_control() || c == '\\')
        {
            return Err(LinkError::Unusable);
        }
        if target.starts_with('/') {
            return Err(LinkError::Absolute(target.to_owned()));
        }
        let mut depth = at.components().count() - 1;
        for component in target.split('/') {
            match component {
                "" | "." => {}
                ".." if depth == 0 => return Err(LinkError::Escapes(target.to_owned())),
                ".." => depth -= 1,
                _ => depth += 1,
            }
        }
        Ok(Self(target.into()))
    }

    /// A target that was checked before, from its own text.
    pub(crate) fn proved(target: &str) -> Self {
        Self(target.into())
    }

    /// The target as it stands in the link.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Entry {
    /// Whether both are the same for a person: kind, content and exec bit; the time is not.
    pub fn same(&self, other: &Entry) -> bool {
        match (self, other) {
            (Entry::File(a), Entry::File(b)) => {
                a.hash == b.hash && a.size == b.size && a.exec == b.exec
            }
            (Entry::Link(a), Entry::Link(b)) => a == b,
            _ => false,
        }
    }

    /// Bytes of content; a link has none.
    pub fn size(&self) -> u64 {
        match self {
            Entry::File(file) => file.size,
            Entry::Link(_) => 0,
        }
    }

    /// The file's identity, if it is one.
    pub fn file(&self) -> Option<&FileEntry> {
        match self {
            Entry::File(file) => Some(file),
            Entry::Link(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside() {
        let at: RepoPath = "output/plots/latest.png".parse().unwrap();
        for inside in ["2024.png", "../a", "../../input/x", "./../plots/../plots/y", "a/../../../z"]
        {
            assert!(LinkTarget::parse(&at, inside).is_ok(), "{inside}");
        }
        for outside in ["../../../x", "../../..", "/etc/passwd", "", "a/../../../../z", "x\0y"] {
            assert!(LinkTarget::parse(&at, outside).is_err(), "{outside}");
        }
    }

    #[test]
    fn hash_text_round_trips() {
        let hash = Hash::of(b"abc");
        assert_eq!(
            hash.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(Hash::parse(&hash.to_string()), Some(hash));
        assert_eq!(Hash::parse(&hash.to_string().to_uppercase()), None);
    }

    #[test]
    fn time_is_not_a_difference() {
        let file = |mtime, exec| {
            Entry::File(FileEntry { size: 3, mtime: Mtime(mtime), exec, hash: Hash::of(b"abc") })
        };
        assert!(file(1, false).same(&file(2, false)));
        assert!(!file(1, false).same(&file(1, true)));
    }
}
