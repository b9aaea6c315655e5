//! What is pending: rows by page, what is shown of them, what is ticked.
//!
//! Rust keeps all rows, which folders are open and what is ticked; the window asks for the rows
//! that it shows, and says how it wants to see them with each question.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{ApiError, Offline};

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
    /// Left alone by a rule. Looked for only while this group is shown; a folder is one row.
    Ignored,
}

/// In which order rows stand. Conflicts come first in a list, whatever the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "snake_case")]
pub enum SortKey {
    /// By path.
    Path,
    /// By size.
    Size,
    /// By group, then by what happened.
    State,
    /// By the time of the newer version.
    Time,
}

/// How rows are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// One row for each change.
    List,
    /// Folders, with what is in them below.
    Tree,
}

/// What of the pending changes is shown, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ChangesView {
    /// Text that must occur in the path, in whatever case; empty for all.
    pub filter: String,
    /// Groups whose rows are shown.
    pub groups: Vec<Group>,
    /// The order; within a tree, that of the files and folders of one folder.
    pub sort: SortKey,
    /// The other way round.
    pub descending: bool,
    /// List or tree.
    pub layout: Layout,
}

/// See `changes_list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ListChanges {
    /// The project.
    pub id: String,
    /// What is shown.
    pub view: ChangesView,
    /// First row wanted.
    pub offset: u64,
    /// Most rows wanted; at most 1,000 are given.
    pub limit: u64,
}

/// One page of what is pending.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ChangesPage {
    /// Grows with every change, also of ticks and open folders; pages of one revision fit together.
    pub revision: u64,
    /// The repository's newest snapshot.
    pub head: Option<String>,
    /// The last sync of this folder.
    pub last_sync: Option<LastSync>,
    /// How the project is cut off from its repository; nothing if that answered last time.
    pub offline: Option<Offline>,
    /// What else stands in the way.
    pub trouble: Option<ApiError>,
    /// What a person should know, until it is put away (`notices_dismiss`).
    pub notices: Vec<String>,
    /// All five groups, whatever the filter.
    pub totals: Vec<GroupTotal>,
    /// What a sync of what is ticked would do.
    pub selected: SelectedTotal,
    /// The rows from `offset` on.
    pub rows: Vec<ChangesRow>,
    /// Rows of the view on all pages, folders among them.
    pub total: u64,
    /// Changes that match filter and groups, in closed folders, too.
    pub matching: u64,
    /// The tick above the list: that of all changes that match.
    pub ticked: Tick,
    /// Conflicts without a decision that match the filter.
    pub undecided_matching: u64,
    /// Why what is ticked cannot be synced as it stands.
    pub blocker: Option<String>,
    /// The newest sync of this folder that can be undone.
    pub undo: Option<UndoOffer>,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct GroupTotal {
    /// The group.
    pub group: Group,
    /// Paths in it; not known of ignored ones before they are looked for.
    pub count: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
}

/// What a sync of what is ticked would do; conflicts without a decision are not counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct SelectedTotal {
    /// Paths that it would take care of.
    pub count: u64,
    /// Bytes that it would send and receive.
    pub bytes: u64,
    /// The snapshot that it would publish, if it publishes one.
    pub snapshot: Option<String>,
    /// Paths that could be ticked: when `count` is as many, everything is.
    pub of: u64,
}

/// What `sync_undo` would undo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct UndoOffer {
    /// The newest snapshot that this folder published.
    pub snapshot: String,
    /// The snapshot whose state returns.
    pub former: String,
    /// Paths that it changed. Those that later snapshots changed stay as these have them.
    pub paths: u64,
    /// When it was published (RFC 3339).
    pub time: String,
}

/// Whether something is part of the next sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "snake_case")]
pub enum Tick {
    /// Nothing of it.
    None,
    /// Some of it.
    Some,
    /// All of it.
    All,
}

/// One row of the list or the tree.
#[allow(clippy::large_enum_variant, reason = "nearly all rows are changes")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum ChangesRow {
    /// A folder, in a tree.
    Folder(FolderRow),
    /// A changed path.
    Change(ChangeRow),
}

/// A folder that holds changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct FolderRow {
    /// Its path within the project.
    pub path: String,
    /// Its name; several in one (`a/b`) where a folder holds nothing but one folder.
    pub name: String,
    /// How deep it stands, from 0.
    pub depth: u64,
    /// Whether what is in it is shown below.
    pub open: bool,
    /// Whether what is in it and matches is part of the next sync.
    pub ticked: Tick,
    /// Whether anything in it can be ticked.
    pub tickable: bool,
    /// Changes in it that match.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Undecided conflicts among them.
    pub conflicts: u64,
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
    /// How deep it stands in a tree, from 0; 0 in a list.
    pub depth: u64,
    /// The three-way state, as the command line names it (`LCR.C_eq_R`).
    pub state: String,
    /// What a sync does, as the command line names it (`upload`).
    pub action: String,
    /// The group of the row.
    pub group: Group,
    /// Size of the newer side, or of what is deleted.
    pub size: Option<u64>,
    /// Bytes that it grows (or, below 0, shrinks) by; none where there is no former version.
    pub delta: Option<i64>,
    /// Bytes of the version in the folder.
    pub local_size: Option<u64>,
    /// Bytes of the version of the last sync.
    pub cached_size: Option<u64>,
    /// Bytes of the version in the repository.
    pub remote_size: Option<u64>,
    /// Modification time of the newer version (RFC 3339).
    pub time: Option<String>,
    /// What happened, in one sentence.
    pub sentence: String,
    /// Why it is blocked or ignored.
    pub reason: Option<String>,
    /// Decisions that make sense here; empty where there is nothing to decide.
    pub choices: Vec<Resolution>,
    /// The rules no longer track it: `local` removes it in the repository, `remote` keeps it there.
    pub untracked: bool,
    /// The decision that was made.
    pub resolution: Option<Resolution>,
    /// Stands for the versions that this row is about, where something can be decided.
    pub seen: Option<String>,
    /// Whether it is part of the next sync.
    pub ticked: bool,
    /// Whether it can be: undecided conflicts, blocked and ignored paths cannot.
    pub tickable: bool,
    /// Who changed the repository's side.
    pub remote_author: Option<String>,
    /// When (RFC 3339).
    pub remote_time: Option<String>,
    /// In which snapshot.
    pub remote_snapshot: Option<String>,
}

/// How a decision ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
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

/// See `changes_expand`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ExpandFolders {
    /// The project.
    pub id: String,
    /// The folder; none for all folders.
    pub path: Option<String>,
    /// Open or closed. All are open at first.
    pub open: bool,
}

/// See `changes_select`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct SelectChanges {
    /// The project.
    pub id: String,
    /// What is shown: only changes that match are ticked or not.
    pub view: ChangesView,
    /// Which of them.
    pub what: SelectWhat,
    /// Ticked or not.
    pub ticked: bool,
}

/// Which changes are ticked or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum SelectWhat {
    /// Everything, shown or not, and whatever is found from now on.
    Everything,
    /// All that match filter and groups.
    Shown,
    /// Those at and below these paths that match. A folder that is meant as a whole (nothing in it
    /// is hidden by filter or groups) stands for what is found in it later, too.
    Paths {
        /// Files or folders.
        paths: Vec<String>,
    },
    /// Rows of the view, folders with all in them.
    Rows {
        /// First row.
        offset: u64,
        /// How many.
        count: u64,
    },
}

/// See `changes_locate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct LocateChange {
    /// The project.
    pub id: String,
    /// What is shown.
    pub view: ChangesView,
    /// The path that is looked for.
    pub path: String,
}

/// See `conflict_resolve`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ResolveConflicts {
    /// The project.
    pub id: String,
    /// What is decided.
    pub what: ResolveWhat,
    /// How it ends; nothing takes the decision back.
    pub resolution: Option<Resolution>,
}

/// What a person decides about: always the versions that were shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResolveWhat {
    /// One row.
    Row {
        /// Its path.
        path: String,
        /// As the row has it: if something else is there by now, nothing is decided (`outdated`).
        seen: String,
    },
    /// All that can be decided below a folder.
    Folder {
        /// Its path.
        path: String,
    },
    /// All undecided conflicts whose path contains a text.
    Matching {
        /// The text; if it is empty, all.
        filter: String,
    },
}

/// See `changes_revert`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct RevertChanges {
    /// The project.
    pub id: String,
    /// Files or folders that return to the version of the last sync.
    pub paths: Vec<String>,
}

/// See `changes_ignore` and `changes_heed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct IgnorePath {
    /// The project.
    pub id: String,
    /// What is ignored from now on, or no longer.
    pub rule: IgnoreRule,
}

/// A rule of the shared configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum IgnoreRule {
    /// This file, or this folder with all in it.
    Path {
        /// Within the project.
        path: String,
    },
    /// Everything of this name, anywhere.
    Name {
        /// Without slashes.
        name: String,
    },
    /// Files whose name ends so, anywhere.
    Suffix {
        /// Such as `.tmp`.
        suffix: String,
    },
}

/// What a new rule means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Ignored {
    /// The rule, as a sentence; it reaches everybody with the next sync.
    pub sentence: String,
    /// Whether there was no such rule before.
    pub is_new: bool,
    /// Paths that it covers and the repository has: each waits for a decision now, whether it is
    /// kept there or removed.
    pub decisions: u64,
}
