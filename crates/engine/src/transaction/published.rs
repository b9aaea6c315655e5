//! A decided transaction: bringing the folder and the index to what was decided.

use dsg_core::entry::Entry;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Monitor, Phase};
use dsg_core::path::RepoPath;
use dsg_core::plan::effects::Step;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_core::state::Local;
use dsg_fs::dir::Dir;

use crate::areas::Areas;
use crate::config_file;
use crate::crash;
use crate::decisions;
use crate::index::{Batch, Index, Seen};
use crate::record::{self, Record, SealedStep};
use crate::report::SyncReport;
use crate::settle;

/// Decided: from here on it only rolls forward.
pub(crate) struct Published {
    record: Record,
    header: Option<SnapshotHeader>,
    repository: Option<String>,
    report: SyncReport,
}

impl Published {
    /// Decided just now.
    pub fn decided(record: Record, header: Option<SnapshotHeader>, report: SyncReport) -> Self {
        Self { record, header, repository: None, report }
    }

    /// Notes which repository it is, when this is the transaction that made it.
    #[must_use]
    pub fn of_repository(mut self, info: String) -> Self {
        self.repository = Some(info);
        self
    }

    /// A sealed transaction of an earlier run, whose outcome was asked for. `header`: the head that
    /// the folder is brought to; none for a restore.
    pub fn recovered(record: Record, header: Option<SnapshotHeader>) -> Self {
        let snapshot = header.as_ref().filter(|_| record.publishes).map(|h| h.id);
        let report = SyncReport { snapshot, ..SyncReport::default() };
        Self { record, header, repository: None, report }
    }

    /// Brings the folder and the index to what was decided.
    ///
    /// # Errors
    /// [`Code::Unsettled`]: the repository has everything, this folder not yet; the next run goes on.
    pub fn settle(
        self,
        index: &mut Index,
        areas: &Areas,
        monitor: &Monitor,
    ) -> Outcome<SyncReport> {
        let unsettled = |failure: Failure| {
            let what = if self.record.publishes {
                "The repository has your sync, but this"
            } else {
                "This"
            };
            Failure::new(
                Code::Unsettled,
                format!("{what} folder is not finished: {}", failure.message),
            )
            .hint("Remove the cause and run dsg sync again: it goes on where it stopped.")
            .because(failure)
        };
        self.settle_all(index, areas, monitor).map_err(unsettled)
    }

    fn settle_all(
        &self,
        index: &mut Index,
        areas: &Areas,
        monitor: &Monitor,
    ) -> Outcome<SyncReport> {
        let mut report = self.report.clone();
        monitor.phase(Phase::Settling, Some(self.record.deeds), None);
        let mut refused = settle::settle(areas, || record::deeds(index, &self.record), monitor)?;
        settle::sweep(areas, record::deeds(index, &self.record))?;
        let Record { transaction, seen_config, config, .. } = &self.record;
        let config_stands = !self.record.restores
            && config_file::replace(areas.root(), transaction, seen_config.as_ref(), config)?;
        let root = areas.root().try_clone()?;
        index.batch(|batch| {
            for sealed in record::steps(batch) {
                let sealed = sealed?;
                let refusal = refused.remove(&sealed.number);
                self.conclude(batch, &root, &sealed, refusal.is_none())?;
                if let Some(reason) = refusal {
                    let (path, counted) = match &sealed.step {
                        Step::Place { path, .. } => (path, &mut report.downloaded),
                        Step::Remove { path, .. } => (path, &mut report.deleted_local),
                        Step::Rename { from, .. } => (from, &mut report.moved),
                        Step::Agree { .. } | Step::Forget { .. } => continue,
                    };
                    *counted = counted.saturating_sub(1);
                    report.skipped.push((path.to_string(), reason));
                }
            }
            for path in &self.record.decided {
                batch.set_resolution(path, None)?;
            }
            decisions::forget_void(batch)?;
            if let Some(header) = &self.header {
                batch.set_meta("head", Some(header.line().trim_end()))?;
                batch.set_meta("last_sync", Some(&header.id.to_string()))?;
                if self.record.publishes {
                    batch.set_meta(crate::project::PUBLISHED, Some(header.line().trim_end()))?;
                }
            }
            if config_stands {
                let config = serde_json::to_string(&self.record.config).unwrap_or_default();
                batch.set_meta("config_base", Some(&config))?;
            }
            if let Some(repository) = &self.repository {
                batch.set_meta("repository", Some(repository))?;
            }
            batch.set_meta("phase", None)?;
            record::forget(batch)
        })?;
        crash::SETTLED.pass();
        areas.clean()?;
        Ok(report)
    }

    /// What the index learns of one step. R is as published, whatever became of the step here.
    fn conclude(&self, batch: &Batch, root: &Dir, sealed: &SealedStep, done: bool) -> Outcome<()> {
        let rules = &self.record.config;
        let agreed = |path: &RepoPath, entry: Option<&Entry>| -> Outcome<()> {
            if self.record.restores {
                return Ok(());
            }
            if !done {
                return batch.set_remote(path, entry, rules);
            }
            let snapshot = self
                .header
                .as_ref()
                .map(|h| h.id)
                .or(self.record.base)
                .unwrap_or(SnapshotId::FIRST);
            batch.set_agreed(path, entry, snapshot, rules)
        };
        let here = |path: &RepoPath, entry: Option<&Entry>, inode: Option<u64>| -> Outcome<()> {
            if !done {
                return Ok(());
            }
            match entry {
                None => batch.set_local(path, &Local::Absent, None),
                Some(entry) => match look(root, path, entry, inode) {
                    Some(seen) => {
                        batch.set_local(path, &Local::Present(entry.clone()), Some(&seen))
                    }
                    // It is gone again: the next scan says so.
                    None => Ok(()),
                },
            }
        };
        match &sealed.step {
            Step::Place { path, entry, expected, aside, .. } => {
                agreed(path, Some(entry))?;
                here(path, Some(entry), sealed.wait.staged)?;
                if let (Some(aside), Some(expected)) = (aside, expected) {
                    agreed(aside, Some(expected))?;
                    here(aside, Some(expected), sealed.wait.seen.map(|s| s.0))?;
                }
                Ok(())
            }
            Step::Remove { path, expected, aside } => {
                agreed(path, None)?;
                here(path, None, None)?;
                if let Some(aside) = aside {
                    agreed(aside, Some(expected))?;
                    here(aside, Some(expected), sealed.wait.staged)?;
                }
                Ok(())
            }
            Step::Rename { from, to, entry, .. } => {
                agreed(from, None)?;
                here(from, None, None)?;
                agreed(to, Some(entry))?;
                here(to, Some(entry), sealed.wait.staged)
            }
            Step::Agree { path, entry } => agreed(path, entry.as_ref()),
            Step::Forget { path } => batch.set_cache(path, None),
        }
    }
}

/// A look at what was just put there. Unless it is provably exactly that, the look proves nothing,
/// and the next scan reads it.
fn look(root: &Dir, path: &RepoPath, entry: &Entry, inode: Option<u64>) -> Option<Seen> {
    let stat = root.stat(path.as_str()).ok()??;
    let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
    // Its change time is that of our rename; only a recent modification time would prove nothing.
    let proved = entry.file().is_some_and(|file| {
        inode == Some(stat.ino)
            && stat.size == file.size
            && stat.mtime == file.mtime
            && stat.exec() == file.exec
            && stat.mtime.0 <= now - 2_000_000_000
    });
    Some(Seen { racy: !proved, stat })
}
