//! One path: its three versions, and what is in them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::ChangeRow;

/// Names a path of a project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct PathRef {
    /// The project.
    pub id: String,
    /// Within the project.
    pub path: String,
}

/// One change, with all that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ChangeDetail {
    /// As in the list.
    pub row: ChangeRow,
    /// Why it is here, what the next sync does with it, and what happens to the other versions.
    pub explanation: String,
    /// In the folder.
    pub local: Option<Version>,
    /// Why that is not known, in a word or two; none if it is, or if nothing is there.
    pub unseen: Option<String>,
    /// When both sides last agreed.
    pub cached: Option<Version>,
    /// In the repository.
    pub remote: Option<Version>,
}

/// One version of a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// A file or a link.
    pub kind: VersionKind,
    /// Bytes; 0 for a link.
    pub size: u64,
    /// Modification time (RFC 3339); none for a link.
    pub time: Option<String>,
    /// The owner may execute it.
    pub executable: bool,
    /// Where a link points.
    pub target: Option<String>,
    /// SHA-256 of the content, in hexadecimal digits; none for a link.
    pub sha256: Option<String>,
    /// The snapshot that made it what it is; none in the folder, or where finding it would take
    /// too long.
    pub made: Option<Maker>,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "snake_case")]
pub enum VersionKind {
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
}

/// Who made a version, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Maker {
    /// In which snapshot.
    pub snapshot: String,
    /// Who.
    pub author: String,
    /// When (RFC 3339).
    pub time: String,
    /// What they said about it.
    pub message: String,
}
