//! Repositories of the earlier DSG: what stands there, and taking it over.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// See `place_adopt`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct AdoptRepository {
    /// The window's name for this operation; `sync_cancel` ends it.
    pub ticket: String,
    /// Where the repository stands.
    pub address: String,
    /// Only to be shown: nothing is written.
    pub dry_run: bool,
    /// Also if something is not as the earlier DSG left it: that becomes a change made on the host.
    pub as_it_stands: bool,
}

/// What a repository of the earlier DSG holds, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Adoption {
    /// The project's name.
    pub name: String,
    /// How many snapshots the earlier DSG made.
    pub snapshots: u64,
    /// The newest of them, newest first.
    pub history: Vec<PastSnapshot>,
    /// Files and links that will be tracked.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many things are not as the earlier DSG left them.
    pub deviating: u64,
    /// The first of them.
    pub deviations: Vec<Deviation>,
    /// Names in former lists that cannot be tracked.
    pub left_out: u64,
    /// The snapshot that came of it, such as `s13`; none: nothing was done.
    pub adopted: Option<String>,
}

/// One snapshot of the earlier DSG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct PastSnapshot {
    /// Its number, there and here.
    pub id: String,
    /// Who made it.
    pub author: String,
    /// Why.
    pub message: String,
    /// When, RFC 3339.
    pub time: String,
    /// Files and links in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is not known of it, in a sentence.
    pub doubt: Option<String>,
}

/// Something that is not as the earlier DSG left it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Deviation {
    /// What, from the repository's folder.
    pub path: String,
    /// In which way.
    pub what: String,
}
