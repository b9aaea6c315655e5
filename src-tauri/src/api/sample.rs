//! A project to try everything with, without a server and without anybody's data.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// See `sample_place`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct SamplePlace {
    /// A folder that does not exist yet, in which the sample would be made.
    pub path: String,
}

/// See `sample_create`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct CreateSample {
    /// The window's name for this operation: progress events carry it as `id`.
    pub ticket: String,
    /// The folder for all of the sample; it must be empty or not exist.
    pub path: String,
}

/// See `sample_remove`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct RemoveSample {
    /// The project.
    pub id: String,
    /// Remove it also if files are in it that the sample did not make.
    pub with_own_files: bool,
}
