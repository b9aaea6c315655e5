//! What the use cases give back, as values that the command line prints and the window shows.

use std::collections::BTreeSet;
use std::path::PathBuf;

use dsg_core::address::Address;
use dsg_core::entry::{Entry, Hash, Mtime};
use dsg_core::failure::Failure;
use dsg_core::path::RepoPath;
use dsg_core::places::Lease;
use dsg_core::plan::{Action, Item, Plan, Resolution};
use dsg_core::repository::{RepositoryInfo, Standing};
use dsg_core::safety::Allow;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_core::state::{Local, State};

use crate::index::Problem;

/// What is pending in a project. `C` gathers the changes: a list of them, or whatever its reader
/// makes of each, so that a million of them need not stand in memory twice.
#[derive(Debug)]
pub struct Status<C = Vec<StatusChange>> {
    /// The project's root.
    pub project: PathBuf,
    /// Where its repository is.
    pub address: Address,
    /// What the repository is; `None` if it was never reached since the address was set.
    pub repository: Option<RepositoryInfo>,
    /// The newest snapshot known.
    pub head: Option<SnapshotId>,
    /// The snapshot that this folder was last settled to.
    pub last_sync: Option<SnapshotId>,
    /// Whether `head` was asked of the repository just now.
    pub reach: Reach,
    /// Who is at work in the repository, if it was asked.
    pub at_work: Vec<Lease>,
    /// Where the repository stands, if it was asked.
    pub standing: Option<Standing>,
    /// Paths that were changed on its host, outside DSG, as far as that is known without a long look: a
    /// sync looks always.
    pub drift: Vec<String>,
    /// A sync was published but is not settled here yet: why.
    pub unsettled: Option<String>,
    /// The shared configuration was changed, here or in the repository: a sync merges it.
    pub config_pending: bool,
    /// What is not in sync, sorted by path.
    pub changes: C,
    /// How many of which.
    pub counts: Counts,
}

/// Whether the repository was asked.
#[derive(Debug)]
pub enum Reach {
    /// It answered.
    Asked,
    /// Nobody wanted to know.
    NotAsked,
    /// It could not be, because of this.
    Failed(Failure),
}

impl Reach {
    /// Whether it answered.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Asked)
    }

    /// Why it did not answer, as a sentence.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Asked => None,
            Self::NotAsked => Some("not asked"),
            Self::Failed(failure) => Some(&failure.message),
        }
    }
}

/// Bytes of each side's version; `None` where a side has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// In the folder.
    pub local: Option<u64>,
    /// When both sides last agreed.
    pub cached: Option<u64>,
    /// In the repository.
    pub remote: Option<u64>,
}

/// One path that is not in sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// Where; a name that cannot be tracked is shown as well as text can show it.
    pub path: String,
    /// For a move: the former path.
    pub old_path: Option<String>,
    /// Its three-way state.
    pub state: State,
    /// What a sync would do (`upload`, …: the names of `dsg status --json`).
    pub action: &'static str,
    /// Bytes of what would travel or go.
    pub size: Option<u64>,
    /// Bytes of each version.
    pub sizes: Sizes,
    /// When the version that would travel or go was last modified.
    pub mtime: Option<Mtime>,
    /// A person may decide what becomes of it: a conflict, or a path that is no longer tracked.
    pub decidable: bool,
    /// The rules no longer track it, and the repository still has it: decided `Local`, it is removed
    /// there, decided `Remote`, it is kept there. What is here stays.
    pub untracked: bool,
    /// Why it is blocked.
    pub reason: Option<String>,
    /// How its conflict will be ended.
    pub resolution: Option<Resolution>,
    /// Legal name to offer, where the name is the problem.
    pub legal_name: Option<String>,
    /// Stands for the versions that were seen, where a person may decide; see [`PathState::fingerprint`].
    pub seen: Option<Hash>,
}

impl StatusChange {
    /// What cannot be planned at all.
    pub(crate) fn of_problem(problem: Problem) -> Self {
        Self {
            path: problem.path,
            old_path: None,
            state: State::L,
            action: "blocked",
            size: None,
            sizes: Sizes::default(),
            mtime: None,
            decidable: false,
            untracked: false,
            reason: Some(problem.sentence),
            resolution: None,
            legal_name: problem.offer,
            seen: None,
        }
    }

    /// What a plan's item shows.
    pub fn of(item: &Item) -> Self {
        let old_path = match &item.action {
            Action::MoveRemote { from } | Action::MoveLocal { from } => Some(from.to_string()),
            _ => None,
        };
        let reason = match &item.action {
            Action::Blocked(reason) => Some(reason.clone()),
            _ => None,
        };
        let entry = match &item.action {
            Action::Download
            | Action::MoveLocal { .. }
            | Action::Cache
            | Action::Forget
            | Action::DeleteRemote => item.at.remote.as_ref(),
            Action::Restore => item.at.cached(),
            _ => item.at.local.entry().or(item.at.remote.as_ref()),
        };
        let decidable =
            item.action == Action::Conflict || item.resolution.is_some() || is_untracked(item);
        Self {
            path: item.at.path.to_string(),
            old_path,
            state: item.state,
            action: item.action.as_str(),
            size: entry.map(Entry::size),
            sizes: Sizes {
                local: item.at.local.entry().map(Entry::size),
                cached: item.at.cached().map(Entry::size),
                remote: item.at.remote.as_ref().map(Entry::size),
            },
            mtime: entry.and_then(Entry::file).map(|file| file.mtime),
            decidable,
            untracked: is_untracked(item),
            reason,
            resolution: item.resolution,
            legal_name: None,
            seen: decidable.then(|| item.at.fingerprint()),
        }
    }
}

/// Whether the rules no longer track a path that was synced and that the repository has.
fn is_untracked(item: &Item) -> bool {
    item.at.local == Local::Excluded && item.at.cache.is_some() && item.at.remote.is_some()
}

/// How many paths a sync would treat how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Local goes there.
    pub upload: u64,
    /// Remote comes here.
    pub download: u64,
    /// Deleted here.
    pub delete_local: u64,
    /// Deleted there.
    pub delete_remote: u64,
    /// Renamed, here or there.
    pub moved: u64,
    /// Only the cache learns.
    pub cache: u64,
    /// Wait for a decision.
    pub conflict: u64,
    /// Cannot be synced now.
    pub blocked: u64,
}

impl Counts {
    /// Counts by action name.
    pub fn of(changes: &[StatusChange]) -> Self {
        let mut counts = Self::default();
        for change in changes {
            counts.add(change.action);
        }
        counts
    }

    /// Counts one change, by its action's name.
    pub(crate) fn add(&mut self, action: &str) {
        let field = match action {
            "upload" => &mut self.upload,
            "download" => &mut self.download,
            "delete_local" => &mut self.delete_local,
            "delete_remote" => &mut self.delete_remote,
            "move_remote" | "move_local" => &mut self.moved,
            "cache" => &mut self.cache,
            "conflict" => &mut self.conflict,
            "blocked" => &mut self.blocked,
            _ => return,
        };
        *field += 1;
    }
}

/// What a person asks of a sync.
#[derive(Clone, Debug, Default)]
pub struct SyncOptions {
    /// Why; may be empty.
    pub message: String,
    /// Only these paths (relative to the project's root) and what lies below; empty: all.
    pub only: Vec<String>,
    /// Sync everything else where conflicts stand.
    pub except_conflicts: bool,
    /// Rename illegal names to legal ones first.
    pub normalize: bool,
    /// Halts that are overridden.
    pub allow: BTreeSet<Allow>,
    /// Who makes the snapshot, and when, if not whoever runs this now.
    pub signature: Option<Signature>,
    /// Who watches the folder says that only these paths (relative to its root) were touched since
    /// the last look: only they are looked at. Anything missed waits for the next sync.
    pub touched: Option<Vec<String>>,
}

/// Who makes a snapshot, and when: for a history that is made anew, such as a sample's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Who.
    pub author: String,
    /// When.
    pub time: jiff::Timestamp,
}

/// What a sync did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncReport {
    /// The snapshot that was published; none if nothing changed in the repository.
    pub snapshot: Option<SnapshotId>,
    /// Files that went there.
    pub uploaded: u64,
    /// Files that came here.
    pub downloaded: u64,
    /// Files deleted here (they are in the trash).
    pub deleted_local: u64,
    /// Files deleted there (the former snapshot has them).
    pub deleted_remote: u64,
    /// Files renamed on either side.
    pub moved: u64,
    /// Content bytes that went.
    pub bytes_sent: u64,
    /// Content bytes that came.
    pub bytes_received: u64,
    /// Questions to the repository that waited for an answer.
    pub round_trips: u64,
    /// Wall-clock time.
    pub seconds: f64,
    /// Paths that wait for a decision.
    pub conflicts: Vec<String>,
    /// Paths left out, with the reason.
    pub skipped: Vec<(String, String)>,
    /// Names that were changed to legal ones: from, to.
    pub renamed: Vec<(String, String)>,
}

impl SyncReport {
    /// The counts that a plan promises.
    pub fn promised(plan: &Plan) -> Self {
        let mut report = Self::default();
        for item in plan.items() {
            match &item.action {
                Action::Upload => report.uploaded += 1,
                Action::Download => report.downloaded += 1,
                Action::DeleteLocal => report.deleted_local += 1,
                Action::DeleteRemote => report.deleted_remote += 1,
                Action::MoveLocal { .. } | Action::MoveRemote { .. } => report.moved += 1,
                Action::KeepBoth { .. } => {
                    report.uploaded += 1;
                    report.downloaded += u64::from(item.at.remote.is_some());
                }
                Action::Restore => {
                    let cached = item.at.cached();
                    let is = |side: Option<&Entry>| matches!((side, cached), (Some(a), Some(b)) if a.same(b));
                    report.downloaded += u64::from(!is(item.at.local.entry()));
                    report.uploaded += u64::from(!is(item.at.remote.as_ref()));
                }
                Action::Conflict => report.conflicts.push(item.at.path.to_string()),
                Action::Blocked(reason) => {
                    report.skipped.push((item.at.path.to_string(), reason.clone()));
                }
                Action::None | Action::Cache | Action::Forget | Action::Skipped => {}
            }
        }
        report
    }
}

/// How a path differs between two trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    /// Only the later tree has it.
    Added,
    /// Both have it, with different content, kind or exec bit.
    Changed,
    /// Only the earlier tree has it.
    Deleted,
    /// The later tree has it under another name.
    Moved,
}

/// One path that differs between two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where, in the later tree unless it was deleted.
    pub path: String,
    /// For a move: where in the earlier tree.
    pub old_path: Option<String>,
    /// How.
    pub kind: DifferenceKind,
    /// What the earlier tree has.
    pub before: Option<Entry>,
    /// What the later tree has.
    pub after: Option<Entry>,
}

/// Whether a copy is what the manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyState {
    /// It is.
    Same,
    /// It is not there.
    Missing,
    /// Its content is; its exec bit is not.
    OtherMode,
    /// Its content has this SHA-256, or it is of another kind.
    Different(Hash),
}

/// A file compared with the manifest, here and in the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCheck {
    /// Which.
    pub path: String,
    /// The snapshot whose manifest counts.
    pub snapshot: SnapshotId,
    /// What that manifest says.
    pub expected: Entry,
    /// The copy in this folder.
    pub local: CopyState,
    /// The copy in the repository.
    pub repository: CopyState,
}

/// A history that proved itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainCheck {
    /// How many snapshots it has.
    pub snapshots: u64,
    /// The newest.
    pub head: SnapshotId,
    /// Its chain value: citing it cites the whole history.
    pub chain: Hash,
    /// The newest that the earlier DSG made; none: it made none.
    pub legacy: Option<SnapshotId>,
    /// With every manifest rebuilt and proved, what was read of the files.
    pub contents: Option<ContentCheck>,
}

/// One snapshot that proved itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotCheck {
    /// Which.
    pub snapshot: SnapshotId,
    /// Its chain value.
    pub chain: Hash,
    /// Files and links that it holds.
    pub entries: u64,
    /// What was read of its files.
    pub contents: Option<ContentCheck>,
}

/// Files in the repository that were read, and are what was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentCheck {
    /// Snapshots whose files are kept there.
    pub snapshots: Vec<SnapshotId>,
    /// Files and links compared, each in each snapshot.
    pub files: u64,
    /// Bytes read; what snapshots share was read once.
    pub bytes: u64,
    /// Paths of former snapshots, each with its snapshot, whose files are not kept: they were
    /// overwritten or deleted on the host.
    pub gone: Vec<String>,
}

/// Which former snapshots' files went, or would go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Whether they are gone.
    pub removed: bool,
    /// How many snapshots' files are there still, or would be.
    pub kept: u64,
    /// Those whose files went, oldest first.
    pub gone: Vec<SnapshotHeader>,
    /// Those that the rule does not keep, and that stay all the same, and why.
    pub stays: Vec<(SnapshotId, String)>,
    /// How many bytes are free by that.
    pub freed: u64,
}

/// What can be, or was, cleaned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanReport {
    /// Whether it is gone.
    pub removed: bool,
    /// What it is.
    pub items: Vec<CleanItem>,
}

/// One folder that can go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanItem {
    /// Relative to the project's root.
    pub path: String,
    /// What it holds, for people.
    pub what: String,
    /// Files in it.
    pub files: u64,
    /// Bytes of these.
    pub bytes: u64,
}

/// One distinct version of a path; a deletion is one, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathVersion {
    /// The snapshot that brought it.
    pub header: SnapshotHeader,
    /// What it is; `None` for a deletion.
    pub entry: Option<Entry>,
    /// The last snapshot that has it.
    pub until: SnapshotId,
}

/// A path that some snapshot has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPath {
    /// Which.
    pub path: RepoPath,
    /// The snapshot that deleted it; `None` if the head has it.
    pub deleted: Option<SnapshotId>,
}

/// What a restore did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Files that were not there and are now.
    pub added: u64,
    /// Files that have another content now; the former one is in the trash.
    pub replaced: u64,
    /// Files that the snapshot has not; they are in the trash.
    pub deleted: u64,
    /// Files that were as they should be.
    pub unchanged: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Paths that were left as they are, with the reason.
    pub skipped: Vec<(String, String)>,
    /// Where the files are.
    pub folder: PathBuf,
}

/// One file in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrashItem {
    /// Where it is now, relative to the project's root.
    pub item: String,
    /// Where it was.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Since when it is there.
    pub time: Option<jiff::Timestamp>,
    /// The transaction that put it there; a snapshot may have the same.
    pub transaction: String,
    /// What put it there, if that was no sync.
    pub reason: Option<String>,
    /// Something stands at its place now.
    pub taken: bool,
}

/// What is gone for good, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emptied {
    /// Files.
    pub files: u64,
    /// Bytes of these.
    pub bytes: u64,
}
