//! What an engine and a host say to each other about a repository, as values.

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
