//! What an engine and a host say to each other about a repository, as values.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::SharedConfig;
use crate::entry::{FileEntry, Hash};
use crate::manifest::Change;
use crate::packed::Packed;
use crate::snapshot::{Authorship, SnapshotId};

/// How a repository keeps its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// A live tree with hardlinked former trees, on any POSIX file system.
    Tree,
    /// A dataset with snapshots.
    Zfs,
}

/// Who works with a repository on its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// One account: published files are read-only.
    Personal,
    /// A group (the directory is setgid): group-writable.
    Team,
}

/// What a repository can promise; the window says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// A publish is one step: readers on the host see all of it or nothing.
    pub atomic_publish: bool,
    /// Former snapshots' contents can be had.
    pub history: bool,
    /// Two publishers exclude each other.
    pub locking: bool,
}

/// A repository's unchanging facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryInfo {
    /// UUID, made at init.
    pub id: String,
    /// How it keeps data.
    pub store: StoreKind,
    /// Who works with it.
    pub access: Access,
    /// What it promises.
    pub capabilities: Capabilities,
}

/// Where a repository stands on its host, as it was found when it was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The kind of file system, as the host's kernel calls it: `ext4`, `zfs`, …; empty if it says none.
    pub filesystem: String,
    /// The dataset that the repository is, on ZFS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Bytes that can still be written there.
    pub available: u64,
    /// Bytes that it takes with its history, where that is known without counting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// What those may be at most; none: no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<u64>,
    /// Whoever reads there misses nothing while a publish puts it in its place.
    pub seamless: bool,
    /// Something was written there since the newest snapshot, where that is known without a comparison,
    /// which says whether it is drift.
    pub touched: bool,
    /// What an interrupted publish had left, and this opening put right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
}

/// What became of an interrupted publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Settled {
    /// It was decided: it is finished, and this snapshot.
    Finished(SnapshotId),
    /// It was not decided: it is undone, and nobody saw anything of it.
    Undone,
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished(snapshot) => {
                write!(f, "An interrupted publish of {snapshot} was found there, and is finished.")
            }
            Self::Undone => f.write_str(
                "An interrupted publish was found there, and is undone: nobody saw anything of it.",
            ),
        }
    }
}

/// What a publish shall do to the head's tree. Paths are sorted; puts name staged content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The head that the plan saw; `None` makes s1 of a new repository.
    pub base: Option<SnapshotId>,
    /// Who, why, when, which transaction.
    pub authorship: Authorship,
    /// The shared configuration from now on.
    pub config: SharedConfig,
    /// Once each.
    pub changes: Packed<Change>,
    /// Where a put's content stands already in the base (a move or a copy), instead of being
    /// staged: `(to, from)`, sorted by `to`.
    pub copies: Vec<(crate::path::RepoPath, crate::path::RepoPath)>,
}

/// Content that shall be staged: the repository hashes it as it writes and refuses what differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Size, time, exec bit and hash that the plan saw.
    pub file: FileEntry,
    /// Neither group nor others may read it here, so they must not there.
    pub private: bool,
}

/// Why content was not staged although nothing failed: it is another by now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the content changed while it was read: {found}, not {expected}")]
pub struct ContentChanged {
    /// What the plan saw.
    pub expected: Hash,
    /// What came.
    pub found: Hash,
}

/// What a snapshot costs where it is kept, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// Which.
    pub snapshot: SnapshotId,
    /// What would be free if it alone went.
    pub used: u64,
    /// What was written between the one before and it.
    pub written: u64,
    /// What it holds.
    pub refer: u64,
}

/// What became of snapshots whose files should go, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Whose files went, oldest first.
    pub gone: Vec<SnapshotId>,
    /// Whose did not, and why, to be read after `it stays, since`.
    pub stays: Vec<(SnapshotId, String)>,
    /// How many bytes are free by that.
    pub freed: u64,
}

/// How a transaction ended, as its repository remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is this snapshot.
    Published(SnapshotId),
    /// It never was published and cannot be any more.
    Aborted,
}
