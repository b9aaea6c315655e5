//! Looking at snapshots.

use std::path::Path;

use dsg_core::failure::Outcome;
use dsg_core::monitor::Monitor;
use dsg_core::snapshot::SnapshotId;
use dsg_engine::project::Project;

use crate::answer::Answer;
use crate::request::within;

/// Compares.
pub(crate) fn diff(
    project: &mut Project,
    from: Option<SnapshotId>,
    to: Option<SnapshotId>,
    monitor: &Monitor,
) -> Outcome<Answer> {
    let differences = project.diff(from, to, monitor)?;
    Ok(Answer::Diff { from, to, differences })
}

/// Lists files. All of them are gathered before one is printed: a failure half-way must not leave
/// half a document on stdout.
pub(crate) fn list_files(project: &mut Project, snapshot: Option<SnapshotId>) -> Outcome<Answer> {
    let mut files = Vec::new();
    project.list_files(snapshot, &mut |path, entry| {
        files.push((path.clone(), entry.clone()));
        Ok(())
    })?;
    Ok(Answer::Files { snapshot, files })
}

/// Checks one file.
pub(crate) fn validate_file(
    project: &mut Project,
    start: &Path,
    path: &str,
    monitor: &Monitor,
) -> Outcome<Answer> {
    let path = within(project.root(), start, path)?;
    Ok(Answer::File(project.validate_file(&path, monitor)?))
}
