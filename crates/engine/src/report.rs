//! What the use cases give back, as values that the command line prints and the window shows.

use std::collections::BTreeSet;
use std::path::PathBuf;

use dsg_core::address::Address;
use dsg_core::entry::{Entry, Hash};
use dsg_core::plan::{Action, Item, Plan, Resolution};
use dsg_core::repository::RepositoryInfo;
use dsg_core::safety::Allow;
use dsg_core::snapshot::SnapshotId;
use dsg_core::state::State;

/// What is pending in a project.
#[derive(Clone, Debug)]
pub struct Status {
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
    /// Whether `head` was asked of the repository just now; the reason if it could not be.
    pub reachable: Result<(), String>,
    /// A sync was published but is not settled here yet: why.
    pub unsettled: Option<String>,
    /// The shared configuration was changed, here or in the repository: a sync merges it.
    pub config_pending: bool,
    /// What is not in sync, sorted by path.
    pub changes: Vec<StatusChange>,
    /// How many of which.
    pub counts: Counts,
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
    /// Why it is blocked.
    pub reason: Option<String>,
    /// How its conflict will be ended.
    pub resolution: Option<Resolution>,
    /// Legal name to offer, where the name is the problem.
    pub legal_name: Option<String>,
}

impl StatusChange {
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
            Action::Download | Action::MoveLocal { .. } | Action::Cache | Action::DeleteRemote => {
                item.at.remote.as_ref()
            }
            Action::Restore => item.at.cached(),
            _ => item.at.local.entry().or(item.at.remote.as_ref()),
        };
        Self {
            path: item.at.path.to_string(),
            old_path,
            state: item.state,
            action: item.action.as_str(),
            size: entry.map(Entry::size),
            reason,
            resolution: item.resolution,
            legal_name: None,
        }
    }
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
            let field = match change.action {
                "upload" => &mut counts.upload,
                "download" => &mut counts.download,
                "delete_local" => &mut counts.delete_local,
                "delete_remote" => &mut counts.delete_remote,
                "move_remote" | "move_local" => &mut counts.moved,
                "cache" => &mut counts.cache,
                "conflict" => &mut counts.conflict,
                "blocked" => &mut counts.blocked,
                _ => continue,
            };
            *field += 1;
        }
        counts
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
    /// Who watches the folder says that only these paths (relative to its root) were touched since
    /// the last look: only they are looked at. Anything missed waits for the next sync.
    pub touched: Option<Vec<String>>,
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
        for item in &plan.items {
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
                Action::None | Action::Cache | Action::Skipped => {}
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
