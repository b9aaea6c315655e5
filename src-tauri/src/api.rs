//! The data that crosses the bridge between window and engine, declared once.
//!
//! Every type here is plain data: what the window shows is said in these types by Rust, and the
//! window computes none of it. `bindings.rs` writes the same declarations as TypeScript.
//! Sizes and counts are `u64` here and `number` there (exact up to 2^53).

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// An error as the window shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ApiError {
    /// Stable name that programs may rely on, such as `not-a-project`.
    pub code: String,
    /// What happened, and to what.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The raw cause, shown folded away.
    pub detail: Option<String>,
    /// The safety check that halted a sync: naming it in [`StartSync::allow`] passes over it.
    pub allow: Option<String>,
}

impl ApiError {
    /// An error that has a code and a sentence.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), hint: None, detail: None, allow: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the raw cause.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// One project, as the sidebar and the status bar show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ProjectSummary {
    /// Stable while the project is registered.
    pub id: String,
    /// The project's name.
    pub name: String,
    /// The folder on this computer.
    pub root: String,
    /// The repository's address.
    pub repository: String,
    /// What the repository promises, in a few words ("ZFS · atomic").
    pub guarantee: String,
    /// How the project stands.
    pub status: ProjectStatus,
    /// Whether changes in the folder are noticed by themselves.
    pub watch: WatchState,
}

/// How a project stands: a dot and a word in the sidebar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum ProjectStatus {
    /// Folder, cache and repository agree.
    InSync,
    /// Something waits to be synced.
    Pending {
        /// How many paths.
        count: u64,
    },
    /// Something waits for a decision.
    Conflicts {
        /// How many paths.
        count: u64,
    },
    /// A sync is running.
    Syncing {
        /// How far, 0 to 100, when that is known.
        percent: Option<f64>,
    },
    /// The folder is being looked at.
    Scanning,
    /// The repository cannot be reached.
    Offline {
        /// Why.
        message: String,
    },
    /// The project cannot work until someone acts.
    Attention {
        /// What is wrong.
        error: ApiError,
    },
}

/// Whether changes in the folder are noticed by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum WatchState {
    /// Yes, as they happen.
    Watching,
    /// Not all of them; everything is looked at from time to time instead.
    Rescanning {
        /// Why.
        reason: String,
    },
    /// No.
    Off {
        /// Why.
        reason: String,
    },
}

/// Names a registered project (or, for `sync_cancel`, the ticket of a running operation).
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ProjectRef {
    /// [`ProjectSummary::id`], or a ticket.
    pub id: String,
}

/// See `project_open`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct OpenProject {
    /// The window's name for this operation: progress events carry it as `id`.
    pub ticket: String,
    /// The project's folder.
    pub path: String,
}

/// See `project_create`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct CreateProject {
    /// The window's name for this operation: progress events carry it as `id`.
    pub ticket: String,
    /// The folder to be put under version.
    pub path: String,
    /// Where the repository goes.
    pub address: String,
    /// The project's name.
    pub name: String,
    /// Folders that are tracked; `*` is everything.
    pub data_dirs: Vec<String>,
    /// The message of s1.
    pub message: String,
}

/// See `project_clone`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct CloneProject {
    /// The window's name for this operation: progress events carry it as `id`.
    pub ticket: String,
    /// The repository.
    pub address: String,
    /// The new project's folder; it must be empty or not exist.
    pub path: String,
}

/// See `project_inspect_folder`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct InspectFolder {
    /// The folder.
    pub path: String,
}

/// What a folder holds, and what of it would be tracked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct FolderPreview {
    /// The folder, absolute.
    pub path: String,
    /// A name for a project made of it.
    pub suggested_name: String,
    /// It is a project already.
    pub is_project: bool,
    /// It is, or lies in, a repository: not a place for a project.
    pub has_repository: bool,
    /// Those of the default data directories that exist here.
    pub default_data_dirs_found: Vec<String>,
    /// What lies directly in it, without what is never tracked.
    pub top_level: Vec<TopLevelEntry>,
}

/// One file or folder directly in the inspected folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct TopLevelEntry {
    /// Its name.
    pub name: String,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Files in it that would be tracked; 1 for a file.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Why a change is on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Waits for a decision, or has one that the next sync carries out.
    Conflicts,
    /// Goes to the repository.
    Outgoing,
    /// Comes from the repository.
    Incoming,
    /// Cannot be synced now; the row says why.
    Blocked,
}

/// What the next sync takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Selection {
    /// Everything that is pending, without these paths.
    AllBut {
        /// May be empty: then everything.
        paths: Vec<String>,
    },
    /// Nothing but these paths.
    Only {
        /// May be empty: then nothing.
        paths: Vec<String>,
    },
}

/// See `changes_list`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ListChanges {
    /// The project.
    pub id: String,
    /// Text that must occur in the path; empty for all.
    pub filter: String,
    /// Groups whose rows are wanted.
    pub groups: Vec<Group>,
    /// What [`ChangesPage::selected`] is to sum up.
    pub selection: Selection,
    /// First row wanted.
    pub offset: u64,
    /// Most rows wanted.
    pub limit: u64,
}

/// One page of what is pending.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ChangesPage {
    /// Grows with every change; pages of one revision fit together.
    pub revision: u64,
    /// The repository's newest snapshot.
    pub head: Option<String>,
    /// The last sync of this folder.
    pub last_sync: Option<LastSync>,
    /// Whether the repository answered last time.
    pub reachable: bool,
    /// What stands in the way, such as a repository that cannot be reached.
    pub trouble: Option<ApiError>,
    /// What a person should know, until it is put away (`notices_dismiss`).
    pub notices: Vec<String>,
    /// All groups, whatever the filter.
    pub totals: Vec<GroupTotal>,
    /// What a sync of the selection would do.
    pub selected: SelectedTotal,
    /// The rows, conflicts first, then by path.
    pub rows: Vec<ChangeRow>,
    /// Rows that match filter and groups, on all pages.
    pub matching: u64,
    /// Conflicts without a decision that match the filter.
    pub undecided_matching: u64,
    /// Why the selection cannot be synced as it stands.
    pub blocker: Option<String>,
}

/// The last sync of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct LastSync {
    /// The snapshot that the folder was brought to.
    pub snapshot: String,
    /// When (RFC 3339); not known if another program did it.
    pub time: Option<String>,
}

/// How much a group holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct GroupTotal {
    /// The group.
    pub group: Group,
    /// Paths in it.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a sync of the selection would do; conflicts without a decision are not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct SelectedTotal {
    /// Paths that it would take care of.
    pub count: u64,
    /// Bytes that it would send and receive.
    pub bytes: u64,
    /// The snapshot that it would publish, if it publishes one.
    pub snapshot: Option<String>,
}

/// One changed path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ChangeRow {
    /// The path within the project.
    pub path: String,
    /// Where it was before it moved.
    pub old_path: Option<String>,
    /// The three-way state, as the command line names it (`LCR.C_eq_R`).
    pub state: String,
    /// What a sync does, as the command line names it (`upload`).
    pub action: String,
    /// The group of the row.
    pub group: Group,
    /// Size of the newer side, or of what is deleted.
    pub size: Option<u64>,
    /// The state, explained in one sentence.
    pub sentence: String,
    /// Why it is blocked.
    pub reason: Option<String>,
    /// The decision about a conflict.
    pub resolution: Option<Resolution>,
    /// Who changed the remote side.
    pub remote_author: Option<String>,
    /// When (RFC 3339).
    pub remote_time: Option<String>,
}

/// How a conflict ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// Keep mine.
    Local,
    /// Take theirs.
    Remote,
    /// Restore what was last synced.
    Cached,
    /// Keep both.
    Both,
}

/// See `sync_start`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct StartSync {
    /// The project.
    pub id: String,
    /// The message of the snapshot.
    pub message: String,
    /// What to sync.
    pub selection: Selection,
    /// Leave conflicts as they are instead of refusing.
    pub except_conflicts: bool,
    /// Safety checks that may be passed over, by name (`mass-delete`).
    pub allow: Vec<String>,
}

/// See `conflict_resolve`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ResolveConflicts {
    /// The project.
    pub id: String,
    /// The conflicts.
    pub paths: Vec<String>,
    /// Also all undecided ones whose path contains this text (all if it is empty).
    pub matching: Option<String>,
    /// How they end; nothing takes the decision back.
    pub resolution: Option<Resolution>,
}

/// See `history_list`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ListHistory {
    /// The project.
    pub id: String,
    /// Only snapshots with a lower number than this.
    pub before: Option<u64>,
    /// Most snapshots wanted.
    pub limit: u64,
}

/// One snapshot of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct SnapshotRow {
    /// Its name, `s42`.
    pub id: String,
    /// Its number, 42.
    pub number: u64,
    /// Who made it.
    pub author: String,
    /// What they said about it.
    pub message: String,
    /// When (RFC 3339).
    pub time: String,
    /// Paths added against its parent.
    pub added: u64,
    /// Paths changed.
    pub changed: u64,
    /// Paths deleted.
    pub deleted: u64,
    /// Bytes of all files of the snapshot.
    pub bytes: u64,
    /// This project was last synced with it.
    pub here: bool,
}

/// What happens while nobody asked: the one stream from engine to window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Event {
    /// The list of projects, or the status of one, is no longer what it was.
    ProjectsChanged,
    /// The pending changes of a project are no longer what they were.
    ChangesChanged {
        /// The project.
        id: String,
        /// The revision that holds now.
        revision: u64,
    },
    /// A long operation moved on.
    Progress(Progress),
    /// A sync is done.
    SyncFinished {
        /// The project.
        id: String,
        /// What it did.
        report: SyncReport,
    },
    /// A sync failed, was halted, or was cancelled (code `cancelled`).
    SyncFailed {
        /// The project.
        id: String,
        /// Why.
        error: ApiError,
    },
    /// The history of a project has grown or shrunk.
    HistoryChanged {
        /// The project.
        id: String,
    },
}

/// Where a long operation stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The project, or the ticket of the operation that makes one.
    pub id: String,
    /// What is being done.
    pub phase: Phase,
    /// Files done.
    pub files_done: u64,
    /// Files in all, when known.
    pub files_total: Option<u64>,
    /// Bytes done.
    pub bytes_done: u64,
    /// Bytes in all, when known.
    pub bytes_total: Option<u64>,
    /// The path being worked on.
    pub path: Option<String>,
    /// Bytes per second, when that means something.
    pub bytes_per_second: Option<u64>,
    /// Whether it can still be cancelled.
    pub cancellable: bool,
}

/// The parts of a long operation, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Looking at the folder.
    Scanning,
    /// Comparing both sides.
    Comparing,
    /// Copying to where nobody sees it yet.
    Staging,
    /// The one step that decides.
    Publishing,
    /// Bringing the folder to the published state.
    Settling,
    /// Clearing away.
    Finishing,
}

/// What a sync did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct SyncReport {
    /// The snapshot it published; none if nothing changed in the repository.
    pub snapshot: Option<String>,
    /// Files uploaded.
    pub uploaded: u64,
    /// Files downloaded.
    pub downloaded: u64,
    /// Files deleted in the folder (they are in its trash).
    pub deleted_local: u64,
    /// Files deleted in the repository (its history keeps them).
    pub deleted_remote: u64,
    /// Files moved, on either side.
    pub moved: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// How long it took.
    pub seconds: f64,
    /// Paths that are in conflict now.
    pub conflicts: Vec<String>,
    /// Paths that were left out.
    pub skipped: Vec<Skipped>,
}

/// A path that a sync left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// The path.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// See `pick_folder`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct PickFolder {
    /// The dialog's title.
    pub title: String,
}
