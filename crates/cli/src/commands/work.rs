//! Sync and what leads to it.

use std::path::Path;

use dsg_core::failure::{Code, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::plan::Resolution;
use dsg_engine::project::Project;
use dsg_engine::report::SyncOptions;

use crate::answer::Answer;
use crate::request::within;

/// Syncs, or says what a sync would do.
pub(crate) fn sync(
    project: &mut Project,
    start: &Path,
    options: &SyncOptions,
    dry_run: bool,
    monitor: &Monitor,
) -> Outcome<Answer> {
    let only = options.only.iter().map(|path| within(project.root(), start, path));
    let options = SyncOptions { only: only.collect::<Outcome<_>>()?, ..options.clone() };
    if dry_run {
        return Ok(Answer::WouldSync(project.preview(&options, monitor)?));
    }
    match project.sync(&options, monitor) {
        Err(failure) if failure.code == Code::Conflicts && failure.hint.is_none() => {
            Err(failure.hint("dsg resolve PATH --local, --remote, --cached or --both decides; dsg sync --except-conflicts syncs the rest."))
        }
        outcome => {
            let report = outcome?;
            if report.snapshot.is_some() && project.is_worth_preparing()? {
                prepare_in_background(project.root());
            }
            Ok(Answer::Synced(report))
        }
    }
}

/// Starts `dsg prepare` on its own, so that the next sync need not wait for it. That it could not be
/// started costs the next sync some seconds, and nothing else.
pub(crate) fn prepare_in_background(root: &Path) {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};
    let Ok(program) = std::env::current_exe() else { return };
    let _ = Command::new(program)
        .args(["-q", "prepare", "-C"])
        .arg(root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
}

/// Decides conflicts.
pub(crate) fn resolve(
    project: &mut Project,
    start: &Path,
    paths: &[String],
    resolution: Resolution,
    monitor: &Monitor,
) -> Outcome<Answer> {
    let paths = paths
        .iter()
        .map(|path| within(project.root(), start, path))
        .collect::<Outcome<Vec<_>>>()?;
    let paths = project.resolve(&paths, Some(resolution), monitor)?;
    Ok(Answer::Resolved { paths, resolution })
}
