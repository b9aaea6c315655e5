//! Snapshots, what differs between them, the versions of a path, and the way back.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{Maker, Skipped, Version};

/// See `history_list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
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

/// Some snapshots, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct HistoryPage {
    /// The snapshots.
    pub rows: Vec<SnapshotRow>,
    /// Snapshots of the whole history.
    pub total: u64,
}

/// One snapshot of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
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
    /// Paths added against its parent, moved ones not among them if `moved` is known.
    pub added: u64,
    /// Paths changed.
    pub changed: u64,
    /// Paths deleted, moved ones not among them if `moved` is known.
    pub deleted: u64,
    /// Paths moved; not known where finding out would take too long.
    pub moved: Option<u64>,
    /// Files and links of the snapshot.
    pub files: u64,
    /// Bytes of all files of the snapshot.
    pub bytes: u64,
    /// This project was last synced with it.
    pub here: bool,
    /// Its files are kept: it can be looked into and restored from.
    pub kept: bool,
}

/// See `history_compare`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct CompareSnapshots {
    /// The project.
    pub id: String,
    /// The earlier snapshot; none for the one before `to`.
    pub from: Option<String>,
    /// The later snapshot; none for the folder as it is now.
    pub to: Option<String>,
    /// Text that must occur in the path, in whatever case; empty for all.
    pub filter: String,
    /// First row wanted.
    pub offset: u64,
    /// Most rows wanted; at most 1,000 are given.
    pub limit: u64,
}

/// What differs, sorted by path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ComparisonPage {
    /// The rows.
    pub rows: Vec<DifferenceRow>,
    /// Rows that match the filter, on all pages.
    pub matching: u64,
    /// Paths that only the later side has.
    pub added: u64,
    /// Paths with other content.
    pub changed: u64,
    /// Paths that only the earlier side has.
    pub deleted: u64,
    /// Paths that have another name.
    pub moved: u64,
    /// Bytes of what was added and changed, on the later side.
    pub bytes: u64,
}

/// One path that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct DifferenceRow {
    /// The path, on the later side unless it was deleted.
    pub path: String,
    /// Where it was before it moved.
    pub old_path: Option<String>,
    /// How it differs.
    pub kind: DifferenceKind,
    /// Bytes on the earlier side.
    pub size_before: Option<u64>,
    /// Bytes on the later side.
    pub size_after: Option<u64>,
}

/// How a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// Only the later side has it.
    Added,
    /// Both have it, with different content, kind or exec bit.
    Changed,
    /// Only the earlier side has it.
    Deleted,
    /// The later side has it under another name.
    Moved,
}

/// See `history_find`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct FindPaths {
    /// The project.
    pub id: String,
    /// Text that must occur in the path, in whatever case.
    pub text: String,
    /// Most paths wanted; at most 200 are given.
    pub limit: u64,
}

/// A path that some snapshot has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct FoundPath {
    /// The path.
    pub path: String,
    /// The snapshot that deleted it; none if the newest one has it.
    pub deleted: Option<String>,
}

/// One distinct version of a path, newest first; a deletion is one, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct PathVersion {
    /// The snapshot that brought it.
    pub made: Maker,
    /// What it is; none for a deletion.
    pub version: Option<Version>,
    /// The last snapshot that has it.
    pub until: String,
    /// The folder has exactly this now.
    pub here: bool,
    /// Its content is kept: it can be shown and restored.
    pub kept: bool,
}

/// See `history_restore`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct RestoreFiles {
    /// The project. Progress events carry it as `id`, and `sync_cancel` stops it.
    pub id: String,
    /// From which snapshot.
    pub snapshot: String,
    /// Files and folders; empty for everything.
    pub paths: Vec<String>,
    /// Where to.
    pub to: RestoreTo,
    /// Only say what would happen.
    pub dry_run: bool,
}

/// Where restored files go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum RestoreTo {
    /// Into the project, as pending changes. Tracked files that the snapshot has not go to the
    /// trash, unless they were never synced; so does what is replaced.
    Project,
    /// Into another folder, which is made; nothing in it is replaced.
    Folder {
        /// Absolute.
        path: String,
    },
}

/// What a restore did, or would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct RestoreReport {
    /// Files that were not there and are now.
    pub added: u64,
    /// Files that have their former content again; the newer one is in the trash.
    pub replaced: u64,
    /// Files that the snapshot has not; they are in the trash.
    pub deleted: u64,
    /// Files that were as they should be.
    pub unchanged: u64,
    /// Bytes written.
    pub bytes: u64,
    /// What could not be done, with the reason.
    pub skipped: Vec<Skipped>,
    /// Where the files are.
    pub folder: String,
}

/// See `version_open`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct OpenVersion {
    /// The project.
    pub id: String,
    /// From which snapshot.
    pub snapshot: String,
    /// Within the project.
    pub path: String,
}

/// See `history_verify`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct VerifyHistory {
    /// The project. Progress events carry it as `id`, and `sync_cancel` stops it.
    pub id: String,
    /// Rebuild and prove every snapshot's list of files, too.
    pub deep: bool,
}

/// A history that proved itself: what a person can cite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The repository's id.
    pub repository: String,
    /// How many snapshots were proved.
    pub snapshots: u64,
    /// The newest.
    pub head: String,
    /// SHA-256 over the whole history: citing it cites every snapshot.
    pub chain: String,
    /// SHA-256 of the newest snapshot's list of files.
    pub manifest: String,
    /// Whether every list of files was proved.
    pub deep: bool,
    /// The folder is exactly this snapshot, without pending changes.
    pub folder: Option<String>,
    /// All of it as text, to be kept.
    pub text: String,
}
