//! What the window works on: the registered projects and the engine behind them.
//!
//! One method per command of the contract, and one sink for all events. Methods may block: they
//! are called on threads of their own.

use std::path::PathBuf;
use std::sync::Arc;

#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

/// Where events go. May be called from any thread.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;

/// The projects that this window has open.
pub struct Workbench {
    #[allow(dead_code, reason = "the registry of projects goes here with the engine")]
    data: PathBuf,
    #[allow(dead_code, reason = "the engine reports here")]
    events: EventSink,
}

impl Workbench {
    /// A workbench that keeps its own data in `data` and reports to `events`.
    pub fn new(data: PathBuf, events: EventSink) -> Self {
        Self { data, events }
    }
}

/// The answer while the engine is not part of the build.
fn unavailable<T>() -> Result<T, ApiError> {
    Err(ApiError::new("unavailable", "This build has no sync engine yet")
        .with_hint("Use a build that includes dsg-engine."))
}

/// The commands; see the contract for what each does.
#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    clippy::needless_pass_by_value,
    reason = "documented in contract.rs"
)]
impl Workbench {
    // Nothing can be registered without the engine, so the list is empty, and truly so.
    #[allow(clippy::unnecessary_wraps)]
    pub fn projects_list(&self, (): ()) -> Result<Vec<ProjectSummary>, ApiError> {
        Ok(Vec::new())
    }

    pub fn project_open(&self, _request: OpenProject) -> Result<ProjectSummary, ApiError> {
        unavailable()
    }

    pub fn project_create(&self, _request: CreateProject) -> Result<ProjectSummary, ApiError> {
        unavailable()
    }

    pub fn project_clone(&self, _request: CloneProject) -> Result<ProjectSummary, ApiError> {
        unavailable()
    }

    pub fn project_forget(&self, _request: ProjectRef) -> Result<(), ApiError> {
        unavailable()
    }

    pub fn project_inspect_folder(
        &self,
        _request: InspectFolder,
    ) -> Result<FolderPreview, ApiError> {
        unavailable()
    }

    pub fn changes_list(&self, _request: ListChanges) -> Result<ChangesPage, ApiError> {
        unavailable()
    }

    pub fn sync_start(&self, _request: StartSync) -> Result<(), ApiError> {
        unavailable()
    }

    pub fn sync_cancel(&self, _request: ProjectRef) -> Result<(), ApiError> {
        unavailable()
    }

    pub fn conflict_resolve(&self, _request: ResolveConflicts) -> Result<(), ApiError> {
        unavailable()
    }

    pub fn history_list(&self, _request: ListHistory) -> Result<Vec<SnapshotRow>, ApiError> {
        unavailable()
    }

    pub fn rescan(&self, _request: ProjectRef) -> Result<(), ApiError> {
        unavailable()
    }
}
