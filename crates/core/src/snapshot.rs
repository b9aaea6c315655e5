//! One snapshot: a header that proves itself and its ancestors, and a delta against its parent.
//!
//! The record is text: the header's canonical JSON on the first line, then the delta's lines. The
//! header's `manifest` is the SHA-256 of the whole manifest's canonical text, so that any
//! reconstruction (a checkpoint plus deltas) proves itself; `chain` is the SHA-256 over the parent's
//! chain value (32 bytes; zeros before s1) and this header without `chain`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::config::SharedConfig;
use crate::entry::Hash;
use crate::manifest::Totals;

/// The newest format that this program reads.
pub const FORMAT: u32 = LEGACY_FORMAT;
/// The format of what a sync publishes.
pub const SYNC_FORMAT: u32 = 1;
/// The format of what the earlier DSG published, and of a repository whose history begins with that.
pub const LEGACY_FORMAT: u32 = 2;

/// A snapshot's number, counted from 1; shown as `s1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotId(u64);

impl SnapshotId {
    /// The first one.
    pub const FIRST: Self = Self(1);

    /// `None` for 0.
    pub fn new(number: u64) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// The number in it.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

/// Text that is not `s` and a number from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a snapshot: s1, s2, … are")]
pub struct NotASnapshot(String);

impl FromStr for SnapshotId {
    type Err = NotASnapshot;
    fn from_str(text: &str) -> Result<Self, NotASnapshot> {
        let digits =
            text.strip_prefix('s').filter(|d| d.starts_with(|c: char| matches!(c, '1'..='9')));
        digits
            .filter(|d| d.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|d| d.parse().ok())
            .map(Self)
            .ok_or_else(|| NotASnapshot(text.to_owned()))
    }
}

impl TryFrom<String> for SnapshotId {
    type Error = NotASnapshot;
    fn try_from(text: String) -> Result<Self, NotASnapshot> {
        text.parse()
    }
}

impl From<SnapshotId> for String {
    fn from(id: SnapshotId) -> String {
        id.to_string()
    }
}

/// What a person (or the host) says of a snapshot, before it has a place in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorship {
    /// Who: an e-mail address, else `login@host`.
    pub author: String,
    /// Why; may be empty.
    pub message: String,
    /// When, as RFC 3339 in UTC.
    pub time: jiff::Timestamp,
    /// Which transaction made it: a UUID.
    pub transaction: String,
}

/// The first line of a snapshot's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotHeader {
    /// The record's format: [`SYNC_FORMAT`] or [`LEGACY_FORMAT`].
    pub format: u32,
    /// The repository's id, so that no record passes for another repository's.
    pub repository: String,
    /// Its number.
    pub id: SnapshotId,
    /// The one before it; none for s1.
    pub parent: Option<SnapshotId>,
    /// Who, why, when, by which transaction.
    #[serde(flatten)]
    pub authorship: Authorship,
    /// The shared configuration from here on.
    pub config: SharedConfig,
    /// Files, links and bytes of the whole tree.
    pub totals: Totals,
    /// Paths that came, changed and went since the parent.
    pub delta: DeltaCounts,
    /// SHA-256 of the whole manifest's canonical text.
    pub manifest: Hash,
    /// SHA-256 of the delta's lines.
    pub delta_sha256: Hash,
    /// The earlier DSG made it, and this is known of its list of files. Of its contents none were kept
    /// but those that are there today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<Legacy>,
    /// SHA-256 over the parent's chain value and this header without `chain`.
    #[serde(default = "unchained", skip_serializing_if = "is_unchained")]
    pub chain: Hash,
}

/// How many paths a snapshot touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaCounts {
    /// Came.
    pub added: u64,
    /// Have another entry.
    pub changed: u64,
    /// Went.
    pub deleted: u64,
}

/// What is known of the list of a snapshot that the earlier DSG made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Legacy {
    /// It was what its own sums (xxh3-64) said, when it was adopted.
    Proven,
    /// It was not what its own sums said, or they could not be followed.
    Unproven,
    /// It was not there: the snapshot seems to have changed nothing.
    Missing,
}

fn unchained() -> Hash {
    Hash([0; 32])
}
fn is_unchained(hash: &Hash) -> bool {
    *hash == unchained()
}

/// A record that is damaged or does not belong where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Not a header.
    #[error("the snapshot's header is damaged: {0}")]
    Damaged(String),
    /// Written by a newer program.
    #[error(
        "the repository's format is {0}, this program reads up to {FORMAT}: install a newer DSG"
    )]
    Newer(u32),
    /// The chain value does not follow from the parent's.
    #[error("{0} does not follow from its parent: the history was altered")]
    Chain(SnapshotId),
}

impl SnapshotHeader {
    /// Sets `chain`, as the last thing before the header is written.
    #[must_use]
    pub fn chained(mut self, parent: Option<Hash>) -> Self {
        self.chain = self.chain_value(parent);
        self
    }

    /// Whether it follows from a parent with this chain value (`None`: it is s1).
    ///
    /// # Errors
    /// [`SnapshotError::Chain`].
    pub fn follows(&self, parent: Option<Hash>) -> Result<(), SnapshotError> {
        if self.parent.is_none() == parent.is_none() && self.chain == self.chain_value(parent) {
            Ok(())
        } else {
            Err(SnapshotError::Chain(self.id))
        }
    }

    fn chain_value(&self, parent: Option<Hash>) -> Hash {
        let bare = Self { chain: unchained(), ..self.clone() };
        let mut hash = Sha256::new();
        hash.update(parent.unwrap_or(unchained()).0);
        hash.update(bare.line().trim_end().as_bytes());
        Hash(hash.finalize().into())
    }

    /// The record's first line, with its `\n`.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Reads the first line.
    ///
    /// # Errors
    /// Damage, a newer format, or a number that does not follow its parent's.
    pub fn parse(line: &str) -> Result<Self, SnapshotError> {
        #[derive(Deserialize)]
        struct Probe {
            format: u32,
        }
        let damaged = |e: serde_json::Error| SnapshotError::Damaged(e.to_string());
        let probe: Probe = serde_json::from_str(line).map_err(damaged)?;
        if probe.format > FORMAT {
            return Err(SnapshotError::Newer(probe.format));
        }
        let header: Self = serde_json::from_str(line).map_err(damaged)?;
        let expected_parent = SnapshotId::new(header.id.0 - 1);
        if header.legacy.is_some() != (header.format == LEGACY_FORMAT) {
            let why = format!("format {} is not that of what it says", header.format);
            return Err(SnapshotError::Damaged(why));
        }
        if header.parent != expected_parent {
            return Err(SnapshotError::Damaged(format!(
                "{} cannot follow {:?}",
                header.id, header.parent
            )));
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(number: u64) -> SnapshotHeader {
        SnapshotHeader {
            format: SYNC_FORMAT,
            repository: "01890000-0000-7000-8000-000000000000".into(),
            id: SnapshotId(number),
            parent: SnapshotId::new(number - 1),
            authorship: Authorship {
                author: "analyst@example.org".into(),
                message: "first \"quoted\"\nline".into(),
                time: jiff::Timestamp::UNIX_EPOCH,
                transaction: "01890000-0000-7000-8000-000000000001".into(),
            },
            config: SharedConfig::new("p"),
            totals: Totals { entries: 1, bytes: 3 },
            delta: DeltaCounts { added: 1, ..DeltaCounts::default() },
            manifest: Hash::of(b"m"),
            delta_sha256: Hash::of(b"d"),
            legacy: None,
            chain: unchained(),
        }
    }

    #[test]
    fn a_chain_proves_itself_and_any_change_breaks_it() {
        let first = header(1).chained(None);
        let second = header(2).chained(Some(first.chain));
        let read = SnapshotHeader::parse(&second.line()).unwrap();
        assert_eq!(read, second);
        assert_eq!(read.follows(Some(first.chain)), Ok(()));
        assert!(read.follows(Some(second.chain)).is_err());
        assert!(read.follows(None).is_err());
        let mut forged = read;
        forged.authorship.message.push('!');
        assert_eq!(forged.follows(Some(first.chain)), Err(SnapshotError::Chain(SnapshotId(2))));
    }

    #[test]
    fn newer_and_broken_headers_are_told_apart() {
        let newer = header(1).line().replace("\"format\":1", "\"format\":3");
        assert_eq!(SnapshotHeader::parse(&newer), Err(SnapshotError::Newer(3)));
        assert!(matches!(SnapshotHeader::parse("{"), Err(SnapshotError::Damaged(_))));
        let skip = header(3).line().replace("\"parent\":\"s2\"", "\"parent\":\"s1\"");
        assert!(matches!(SnapshotHeader::parse(&skip), Err(SnapshotError::Damaged(_))));
    }

    #[test]
    fn numbers_are_read_strictly() {
        assert_eq!("s12".parse::<SnapshotId>().map(SnapshotId::number), Ok(12));
        for wrong in ["s0", "s01", "12", "s", "s-1", "s1 ", "S1", "s99999999999999999999"] {
            assert!(wrong.parse::<SnapshotId>().is_err(), "{wrong}");
        }
    }
}
