//! Where a tree repository keeps what: the live tree, and its sidecar beside it.
//!
//! For a repository at `/data/repo` the live tree is `/data/repo` itself and holds people's files
//! only; everything of ours is in `/data/.repo.dsg/`. Owns the names in there and reading them with
//! limits: a damaged file is named, with what to do; nothing here repairs or decides.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::repository::{Access, Capabilities, RepositoryInfo, StoreKind};
use dsg_core::snapshot::{FORMAT, SnapshotId};
use dsg_fs::dir::Dir;
use dsg_fs::error::FsResult;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Never data, wherever it stands: on ZFS what is ours within the live tree.
pub(super) const OURS: &str = ".dsg";
/// The facts of a published repository.
pub(super) const FACTS: &str = "repository.json";
/// The same before the first publish: a repository only once it has the other name.
pub(super) const NEW_FACTS: &str = "new.json";
/// Locked by whoever publishes, recovers or prepares.
pub(super) const LOCK: &str = "lock";
/// Locked by whoever is making the first snapshot.
pub(super) const INIT_LOCK: &str = "init.lock";
/// The intent to publish.
pub(super) const JOURNAL: &str = "journal.json";
/// Which inode the live root has, and which snapshot it is.
pub(super) const ROOT: &str = "root.json";
/// The head's whole manifest: a cache.
pub(super) const MANIFEST: &str = "manifest";
/// The live tree's stats, as last observed.
pub(super) const STATS: &str = "stats";
/// Stands while our own links and removals may have changed files' change times since [`STATS`].
pub(super) const CTIMES_VOID: &str = "ctimes-void";
/// Stands while a publish waits for a preparation to step back.
pub(super) const WANTED: &str = "wanted";
/// Records of snapshots.
pub(super) const SNAPSHOTS: &str = "snapshots";
/// Whole manifests of some snapshots.
pub(super) const CHECKPOINTS: &str = "checkpoints";
/// Former snapshots' trees.
pub(super) const TREES: &str = "trees";
/// Transactions that are not decided.
pub(super) const STAGING: &str = "staging";
/// How transactions ended.
pub(super) const OUTCOMES: &str = "outcomes";
/// The copy of the live tree that waits for the next publish.
pub(super) const PRESTAGE: &str = "prestage";
const FOLDERS: [&str; 6] = [SNAPSHOTS, CHECKPOINTS, TREES, STAGING, OUTCOMES, PRESTAGE];

const MAX_JSON: u64 = 64 * 1024;

/// [`FACTS`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) format: u32,
    pub(super) id: String,
    pub(super) access: Access,
    pub(super) created: jiff::Timestamp,
    /// Whether the file system can exchange two directories in one step.
    pub(super) exchange: bool,
}

impl Facts {
    pub(super) fn info(&self, store: StoreKind) -> RepositoryInfo {
        let capabilities =
            Capabilities { atomic_publish: self.exchange, history: true, locking: true };
        RepositoryInfo { id: self.id.clone(), store, access: self.access, capabilities }
    }
}

/// How the live tree becomes another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Swap {
    /// Nothing is there yet, or an empty directory.
    First,
    /// One `RENAME_EXCHANGE`.
    Exchange,
    /// Two renames, where an exchange is not possible.
    Renames,
    /// It stays: what is there becomes the snapshot.
    Adopt,
}

/// [`JOURNAL`]: written before the deciding step, removed after the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    pub(super) transaction: String,
    pub(super) snapshot: SnapshotId,
    pub(super) swap: Swap,
    /// Inode of the live root before.
    pub(super) old: Option<u64>,
    /// Inode of the live root after.
    pub(super) new: u64,
}

/// [`ROOT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Root {
    pub(super) snapshot: SnapshotId,
    pub(super) ino: u64,
}

/// Directories of a repository, opened once.
#[derive(Debug)]
pub(super) struct Layout {
    /// Holds the live tree and the sidecar.
    pub(super) parent: Dir,
    /// The live tree's name in it.
    pub(super) name: String,
    /// The live tree's root, where that is not whatever has the name now.
    pub(super) root: Option<Dir>,
    /// The sidecar.
    pub(super) side: Dir,
}

/// Where a repository would be: its parent directory and its name in it.
pub(super) fn locate(path: &Path) -> Outcome<(Dir, String)> {
    let cannot = |cause: std::io::Error| match cause.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Failure::new(
            Code::Unreachable,
            format!("The folder that should hold {} is not there.", path.display()),
        )
        .hint("Check the address, and that the disk or share is mounted.")
        .because(cause),
        ErrorKind::PermissionDenied => Failure::io("open the repository at", path, cause),
        _ => Failure::new(
            Code::Unreachable,
            format!("The repository at {} cannot be reached: {cause}.", path.display()),
        )
        .hint("Check that its disk or share is connected, then try again.")
        .because(cause),
    };
    let absolute = match std::fs::canonicalize(path) {
        Ok(found) => found,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let absolute = std::path::absolute(path).map_err(cannot)?;
            let name = absolute.file_name().map(PathBuf::from).unwrap_or_default();
            let parent = absolute.parent().unwrap_or(Path::new("/"));
            std::fs::canonicalize(parent).map_err(cannot)?.join(name)
        }
        Err(e) => return Err(cannot(e)),
    };
    let (Some(parent), Some(name)) =
        (absolute.parent(), absolute.file_name().and_then(|n| n.to_str()))
    else {
        return Err(Failure::new(
            Code::Usage,
            format!("{} cannot be a repository: it needs a name that is text.", path.display()),
        ));
    };
    Ok((Dir::open(parent)?, name.to_owned()))
}

/// The sidecar's name.
pub(super) fn side_name(name: &str) -> String {
    format!(".{name}.dsg")
}

impl Layout {
    /// That of a live tree with its sidecar.
    pub(super) fn beside(parent: Dir, name: String, side: Dir) -> Self {
        Self { parent, name, root: None, side }
    }

    /// The live tree.
    pub(super) fn live(&self) -> FsResult<Dir> {
        match &self.root {
            Some(root) => root.try_clone(),
            None => self.parent.open_beneath(&self.name),
        }
    }

    /// The repository's path.
    pub(super) fn path(&self) -> PathBuf {
        self.parent.at(&self.name)
    }

    /// The live root's inode, if a directory is there.
    pub(super) fn live_ino(&self) -> FsResult<Option<u64>> {
        let stat = self.parent.stat(&self.name)?;
        Ok(stat.filter(|s| s.kind == dsg_fs::stat::Kind::Dir).map(|s| s.ino))
    }

    /// One of the sidecar's folders.
    pub(super) fn folder(&self, name: &str) -> FsResult<Dir> {
        self.side.open_beneath(name)
    }

    /// Creates the sidecar's folders that are missing.
    pub(super) fn ensure_folders(&self, modes: Modes) -> FsResult<()> {
        for folder in FOLDERS {
            self.side.ensure_dirs(folder, Some(modes.dir()))?;
        }
        Ok(())
    }

    /// A small JSON file of the sidecar; `None` if it is not there.
    pub(super) fn read_json<T: DeserializeOwned>(&self, name: &str) -> Outcome<Option<T>> {
        let path = self.side.at(name);
        let file = match self.side.open_file(name) {
            Ok(file) => file,
            Err(e) if e.is_absent() => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let mut text = Vec::new();
        file.take(MAX_JSON + 1)
            .read_to_end(&mut text)
            .map_err(|e| Failure::io("read", &path, e))?;
        if text.len() as u64 > MAX_JSON {
            return Err(damaged(&path, "it is too long"));
        }
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|e| damaged(&path, &e.to_string()).because(e))
    }

    /// Replaces a small JSON file of the sidecar, durably.
    pub(super) fn write_json<T: Serialize>(
        &self,
        name: &str,
        value: &T,
        modes: Modes,
    ) -> Outcome<()> {
        write_json(&self.side, name, value, modes)
    }

    /// The facts in `name`, with the format checked before the rest.
    pub(super) fn facts(&self, name: &str) -> Outcome<Option<Facts>> {
        #[derive(Deserialize)]
        struct Probe {
            format: u32,
        }
        let Some(value) = self.read_json::<serde_json::Value>(name)? else { return Ok(None) };
        let path = self.side.at(name);
        let bad = |e: serde_json::Error| damaged(&path, &e.to_string()).because(e);
        let probe = Probe::deserialize(&value).map_err(bad)?;
        if probe.format > FORMAT {
            return Err(newer(&path, probe.format));
        }
        let facts = Facts::deserialize(&value).map_err(bad)?;
        if uuid::Uuid::parse_str(&facts.id).is_err() {
            return Err(damaged(&path, "its id is no UUID"));
        }
        Ok(Some(facts))
    }
}

/// Replaces a small JSON file, durably.
pub(super) fn write_json<T: Serialize>(
    dir: &Dir,
    name: &str,
    value: &T,
    modes: Modes,
) -> Outcome<()> {
    let mut text = serde_json::to_vec(value)
        .map_err(|e| Failure::io("write", dir.at(name), std::io::Error::other(e.to_string())))?;
    text.push(b'\n');
    Ok(dir.write_atomically(name, &text, modes.own_file())?)
}

/// Permission bits by who works with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Modes(pub(super) Access);

impl Modes {
    /// Of a directory.
    pub(super) fn dir(self) -> u32 {
        match self.0 {
            Access::Personal => 0o755,
            Access::Team => 0o2775,
        }
    }

    /// Of a published file.
    pub(super) fn file(self, exec: bool, private: bool) -> u32 {
        let all = match (self.0, exec) {
            (Access::Personal, false) => 0o444,
            (Access::Personal, true) => 0o555,
            (Access::Team, false) => 0o664,
            (Access::Team, true) => 0o775,
        };
        if private { all & 0o700 } else { all }
    }

    /// Of a file of the sidecar.
    pub(super) fn own_file(self) -> u32 {
        match self.0 {
            Access::Personal => 0o644,
            Access::Team => 0o664,
        }
    }
}

/// One of our own files cannot be used.
pub(super) fn damaged(path: &Path, why: &str) -> Failure {
    Failure::new(
        Code::RepositoryDamaged,
        format!("The repository's file {} is damaged: {why}.", path.display()),
    )
    .hint("Nothing was changed. Restore that file from a backup, or ask whoever keeps the host.")
}

/// One of our own files is of a newer program.
pub(super) fn newer(path: &Path, format: u32) -> Failure {
    Failure::new(
        Code::NewerFormat,
        format!("{} has format {format}; this program reads up to {FORMAT}.", path.display()),
    )
    .hint("Install a newer DSG.")
}
