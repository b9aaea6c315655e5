//! The way back: versions, restores, files of a snapshot elsewhere.

use std::path::{Path, PathBuf};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::snapshot::SnapshotId;
use dsg_engine::project::Project;

use crate::answer::Answer;
use crate::request::within;

/// The versions of a path.
pub(crate) fn blame(project: &Project, start: &Path, path: &str) -> Outcome<Answer> {
    let path = within(project.root(), start, path)?;
    let versions = project.versions(&path)?;
    if versions.is_empty() {
        let said = format!("No snapshot has {path}.");
        return Err(Failure::new(Code::NotFound, said).hint("dsg list-files shows what there is."));
    }
    Ok(Answer::Versions { path, versions })
}

/// Files come back as pending changes.
pub(crate) fn restore(
    project: &mut Project,
    start: &Path,
    snapshot: SnapshotId,
    paths: &[String],
    dry_run: bool,
    monitor: &Monitor,
) -> Outcome<Answer> {
    let paths = named(project, start, paths)?;
    let report = project.restore(snapshot, &paths, dry_run, monitor)?;
    Ok(Answer::Restored { snapshot, report, dry_run, pending: true })
}

/// Files are written elsewhere.
pub(crate) fn fetch(
    project: &Project,
    start: &Path,
    snapshot: SnapshotId,
    paths: &[String],
    into: Option<&Path>,
    monitor: &Monitor,
) -> Outcome<Answer> {
    let paths = named(project, start, paths)?;
    let into = into.map_or_else(|| beside(project.root(), snapshot), Path::to_owned);
    let report = project.fetch(snapshot, &paths, &into, false, monitor)?;
    Ok(Answer::Restored { snapshot, report, dry_run: false, pending: false })
}

fn named(project: &Project, start: &Path, paths: &[String]) -> Outcome<Vec<String>> {
    let named = paths.iter().map(|path| within(project.root(), start, path));
    // The project's root means everything.
    named.filter(|path| !matches!(path, Ok(path) if path.is_empty())).collect()
}

/// `/data/coast-s3` for s3 of `/data/coast`.
fn beside(root: &Path, snapshot: SnapshotId) -> PathBuf {
    let name = root.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    root.with_file_name(format!("{name}-{snapshot}"))
}
