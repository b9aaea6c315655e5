//! Projects: the list on the left, and the ways to a new one.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{ApiError, AtWork, Offline};

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
    /// What the repository promises, in a few words ("Folder · personal · atomic").
    pub guarantee: String,
    /// Where the repository stands, as it said last; nothing if it was not asked yet.
    pub place: Option<Place>,
    /// How the project stands.
    pub status: ProjectStatus,
    /// The same in a word or two.
    pub word: String,
    /// Whether changes in the folder are noticed by themselves.
    pub watch: WatchState,
    /// Who else is at work in the repository.
    pub at_work: Vec<AtWork>,
    /// It is the sample that `sample_create` made: `sample_remove` takes it away again.
    pub sample: bool,
}

/// Where a repository stands on its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
pub struct Place {
    /// The kind of file system (`ext4`, `zfs`); empty if the host says none.
    pub filesystem: String,
    /// The dataset that the repository is, on ZFS.
    pub dataset: Option<String>,
    /// Bytes that can still be written there.
    pub available: u64,
    /// Bytes that it takes with its history, where that is known without counting.
    pub used: Option<u64>,
    /// What those may be at most; nothing if it has no limit of its own.
    pub quota: Option<u64>,
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
    /// Nothing can be synced, but not all is: some paths cannot be, or wait for somebody.
    Blocked {
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
    /// The repository is out of reach.
    Offline {
        /// How.
        offline: Offline,
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

/// What a folder is, and what lies directly in it.
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
}

/// See `pick_folder`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct PickFolder {
    /// The dialog's title.
    pub title: String,
}
