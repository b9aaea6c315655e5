//! A sync, and what it did.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// See `sync_start`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct StartSync {
    /// The project.
    pub id: String,
    /// The message of the snapshot.
    pub message: String,
    /// Leave conflicts as they are instead of refusing.
    pub except_conflicts: bool,
    /// Safety checks that may be passed over, by name (`mass-delete`).
    pub allow: Vec<String>,
}

/// See `sync_undo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct UndoSync {
    /// The project.
    pub id: String,
    /// The snapshot that is undone, as it was offered.
    pub snapshot: String,
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
    /// Paths that are in conflict now; at most the first 1,000.
    pub conflicts: Vec<String>,
    /// Paths that were left out; at most the first 1,000.
    pub skipped: Vec<Skipped>,
    /// Rows that `sync_results` gives.
    pub results: u64,
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

/// See `sync_results`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ListResults {
    /// The project.
    pub id: String,
    /// First row wanted.
    pub offset: u64,
    /// Most rows wanted; at most 1,000 are given.
    pub limit: u64,
}

/// What the last sync did, row by row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ResultsPage {
    /// Rows on all pages; those that were left out come first.
    pub total: u64,
    /// The rows.
    pub rows: Vec<ResultRow>,
}

/// What became of one path that was ticked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ResultRow {
    /// The path.
    pub path: String,
    /// Where it was before it moved.
    pub old_path: Option<String>,
    /// What the sync was to do, as the command line names it (`upload`).
    pub action: String,
    /// Bytes.
    pub size: Option<u64>,
    /// It is done.
    pub done: bool,
    /// What was done, or why not, in one sentence.
    pub sentence: String,
}
