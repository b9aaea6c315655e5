//! What happens while nobody asked.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{ApiError, Outlook, PlaceStep, SyncReport};

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
    /// What a login asks is no longer what it was.
    QuestionsChanged,
    /// What an operation is at, before there is progress.
    Told {
        /// The project, or the ticket of the operation.
        id: String,
        /// In words.
        text: String,
    },
    /// A step of `place_examine` is done.
    Examined {
        /// The ticket of the operation.
        id: String,
        /// The step.
        step: PlaceStep,
    },
    /// What `outlook_look` found so far.
    OutlookTold {
        /// The ticket of the operation.
        id: String,
        /// It.
        outlook: Outlook,
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
    /// What moves on.
    pub task: Task,
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

/// What a long operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A look at the folder, which nobody waits for.
    Look,
    /// A sync: its end is told by an event of its own.
    Sync,
    /// What a command answers when it is done: a restore, a proof, a new project.
    Job,
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
