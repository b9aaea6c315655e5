//! What syncs and restores replaced or deleted in the folder.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// See `trash_list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ListTrash {
    /// The project.
    pub id: String,
    /// Text that must occur in the path, in whatever case; empty for all.
    pub filter: String,
    /// First row wanted.
    pub offset: u64,
    /// Most rows wanted; at most 1,000 are given.
    pub limit: u64,
}

/// One page of the trash, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct TrashPage {
    /// The rows.
    pub rows: Vec<TrashRow>,
    /// Rows that match the filter, on all pages.
    pub matching: u64,
    /// All that is in the trash.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// One file in the trash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct TrashRow {
    /// Names it in `trash_restore` and in a preview.
    pub item: String,
    /// Where it was.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Since when it is in the trash (RFC 3339).
    pub time: Option<String>,
    /// Why it is there, in one sentence.
    pub why: String,
    /// Something stands at its place now: it would come back beside that.
    pub taken: bool,
}

/// See `trash_restore`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct RestoreTrash {
    /// The project.
    pub id: String,
    /// [`TrashRow::item`].
    pub item: String,
}

/// Where something is after it came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct RestoredTrash {
    /// Within the project: its own place, or a free name beside it.
    pub path: String,
}

/// See `trash_empty`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct EmptyTrash {
    /// The project.
    pub id: String,
    /// Only what is in the trash for longer than so many days; 0 for all.
    pub older_than_days: u64,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What is gone for good, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct EmptiedTrash {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}
