//! The way back: restores, reverts, the trash; and rules that leave paths alone.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use dsg_core::failure::{Code, Outcome};
use dsg_core::monitor::Monitor;
use dsg_engine::project::{IgnoreRule as Rule, Project};
use dsg_engine::report::{RestoreReport as Report, TrashItem};

use super::past::{self, Transactions};
use super::session::{Session, busy};
use super::view::PAGE;
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

const DAY: i64 = 24 * 3600;

impl Session {
    /// Runs something long that is no sync, alone; it can be cancelled as one.
    pub(super) fn with_job<T>(
        self: &Arc<Self>,
        work: impl FnOnce(&Monitor) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let monitor = self.monitor(Task::Job, |_| true);
        {
            let mut view = self.view();
            if view.is_busy() {
                return Err(busy());
            }
            view.stop_leisure();
            view.job = Some(monitor.clone());
        }
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&monitor)));
        self.view().job = None;
        tried.unwrap_or_else(|panic| Err(super::words::mistake(&*panic)))
    }

    /// Changes the folder, and shows what is pending then.
    fn change_folder<T>(
        self: &Arc<Self>,
        touched: &[String],
        work: impl FnOnce(&mut Project, &Monitor) -> Outcome<T>,
    ) -> Result<T, ApiError> {
        self.with_job(|monitor| {
            let done = self.with_engine(monitor, |project| work(project, monitor));
            let silent = Monitor::silent();
            self.show(self.with_engine(&silent, |project| {
                if touched.is_empty() {
                    project.status_into(self.found(), true, &silent)
                } else {
                    project.status_after_into(self.found(), touched, &silent)
                }
            }));
            self.past.forget_trash();
            done
        })
    }

    /// Brings files, folders or all of a snapshot back.
    pub(super) fn restore(
        self: &Arc<Self>,
        request: &RestoreFiles,
    ) -> Result<RestoreReport, ApiError> {
        let Some(snapshot) = past::snapshot(Some(&request.snapshot))? else {
            return Err(ApiError::new(Code::Usage.as_str(), "No snapshot is chosen."));
        };
        let RestoreFiles { paths, dry_run, .. } = request;
        let report = match &request.to {
            RestoreTo::Folder { path } => {
                let into = PathBuf::from(path.trim());
                if !into.is_absolute() {
                    let said = format!("{path} is not the whole path of a folder.");
                    return Err(ApiError::new(Code::Usage.as_str(), said)
                        .with_hint("Choose a folder with the button."));
                }
                self.with_job(|monitor| {
                    self.with_reader(|p| p.fetch(snapshot, paths, &into, *dry_run, monitor))
                })?
            }
            RestoreTo::Project if *dry_run => self.with_job(|monitor| {
                self.with_engine(monitor, |p| p.restore(snapshot, paths, true, monitor))
            })?,
            RestoreTo::Project => {
                self.change_folder(paths, |p, monitor| p.restore(snapshot, paths, false, monitor))?
            }
        };
        Ok(told(report))
    }

    /// Brings paths back to the version of the last sync.
    pub(super) fn revert(
        self: &Arc<Self>,
        request: &RevertChanges,
    ) -> Result<RestoreReport, ApiError> {
        let paths = &request.paths;
        if paths.is_empty() {
            return Err(ApiError::new(Code::Usage.as_str(), "Nothing is chosen.")
                .with_hint("Choose what shall be brought back."));
        }
        let report =
            self.change_folder(paths, |project, monitor| project.revert(paths, monitor))?;
        Ok(told(report))
    }

    /// A copy of a former version, below `into`.
    pub(super) fn copy_of_version(
        self: &Arc<Self>,
        request: &OpenVersion,
        into: &Path,
    ) -> Result<PathBuf, ApiError> {
        let path = past::repo_path(&request.path)?;
        let Some(snapshot) = past::snapshot(Some(&request.snapshot))? else {
            return Err(ApiError::new(Code::Usage.as_str(), "No snapshot is chosen."));
        };
        let into = into.join(&self.id).join(snapshot.to_string());
        let paths = [request.path.clone()];
        // One that is there already was fetched before.
        self.with_reader(|p| p.fetch(snapshot, &paths, &into, false, &Monitor::silent()))?;
        let copy = into.join(path.as_str());
        if let Ok(metadata) = std::fs::symlink_metadata(&copy)
            && metadata.is_file()
        {
            // Whoever changes a copy would think that it counts.
            let mut permissions = metadata.permissions();
            permissions.set_readonly(true);
            let _ = std::fs::set_permissions(&copy, permissions);
        }
        Ok(copy)
    }

    /// Adds a rule to the shared configuration.
    pub(super) fn ignore(self: &Arc<Self>, request: &IgnorePath) -> Result<Ignored, ApiError> {
        let sentence = match &request.rule {
            IgnoreRule::Path { path } => format!("{path} is left alone from now on."),
            IgnoreRule::Name { name } => {
                format!("Everything named {name} is left alone from now on.")
            }
            IgnoreRule::Suffix { suffix } => {
                format!("Files that end in {suffix} are left alone from now on.")
            }
        };
        let rule = rule(&request.rule);
        let waiting = |session: &Session| session.view().rows.untracked();
        let before = waiting(self);
        let is_new = self.change_rules(|project, monitor| project.ignore(&rule, monitor))?;
        let decisions = waiting(self).saturating_sub(before);
        Ok(Ignored {
            sentence: format!("{sentence} The next sync tells your colleagues."),
            is_new,
            decisions,
        })
    }

    /// Takes a rule out of the shared configuration again.
    pub(super) fn heed(self: &Arc<Self>, request: &IgnorePath) -> Result<(), ApiError> {
        let rule = rule(&request.rule);
        self.change_rules(|project, monitor| project.heed(&rule, monitor)).map(drop)
    }

    fn change_rules(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Project, &Monitor) -> Outcome<bool>,
    ) -> Result<bool, ApiError> {
        let changed = self.change_folder(&[], change)?;
        if self.view().ignored.is_some() {
            self.look_for_ignored();
        }
        Ok(changed)
    }

    /// Writes the project's configuration, and shows what is pending by it.
    pub(super) fn configure(
        self: &Arc<Self>,
        seen: Option<&str>,
        text: &str,
    ) -> Result<(), ApiError> {
        let write = |project: &mut Project, monitor: &Monitor| {
            project.configure(seen, text, monitor).map(|()| true)
        };
        self.change_rules(write).map(drop)
    }

    /// Learns which sync can be undone, whenever the history has grown; whether that is news.
    pub(super) fn learn_undo(&self) -> bool {
        let head = {
            let view = self.view();
            match view.chain {
                Some(chain) if view.undo.as_ref().map(|(of, _)| *of) != Some(chain) => chain,
                _ => return false,
            }
        };
        // What cannot be asked now is asked again with the next look.
        let Ok(mine) = self.with_reader(Project::undoable) else { return false };
        let offer = mine.and_then(|mine| {
            let paths = mine.delta.added + mine.delta.changed + mine.delta.deleted;
            // A snapshot of rules alone changed no file.
            (paths > 0).then_some(UndoOffer {
                snapshot: mine.id.to_string(),
                former: mine.parent?.to_string(),
                paths,
                time: mine.authorship.time.to_string(),
            })
        });
        let mut view = self.view();
        let news = view.undo.as_ref().and_then(|(_, offer)| offer.as_ref()) != offer.as_ref();
        view.undo = Some((head, offer));
        news
    }

    /// One page of the trash.
    pub(super) fn trash(&self, request: &ListTrash) -> Result<TrashPage, ApiError> {
        // The first page is a look; those after it belong to that.
        if request.offset == 0 {
            self.past.forget_trash();
        }
        let mut known = self.past.trash.lock().unwrap_or_else(PoisonError::into_inner);
        let items = if let Some(items) = &*known {
            Arc::clone(items)
        } else {
            let found = Arc::new(self.with_reader(Project::trash)?);
            *known = Some(Arc::clone(&found));
            found
        };
        drop(known);
        let transactions = self.transactions();
        let filter = request.filter.trim().to_lowercase();
        let fits = |item: &&TrashItem| item.path.to_lowercase().contains(&filter);
        let offset = usize::try_from(request.offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX).min(PAGE);
        let row = |item: &TrashItem| TrashRow {
            item: item.item.clone(),
            path: item.path.clone(),
            size: item.size,
            time: item.time.map(|time| time.to_string()),
            why: why(item, transactions.as_deref()),
            taken: item.taken,
        };
        Ok(TrashPage {
            rows: items.iter().filter(fits).skip(offset).take(limit).map(row).collect(),
            matching: items.iter().filter(fits).count() as u64,
            files: items.len() as u64,
            bytes: items.iter().map(|item| item.size).sum(),
        })
    }

    /// The snapshots by their transactions, if the repository can be asked.
    fn transactions(&self) -> Option<Arc<Transactions>> {
        let endpoint = self.repository().ok()?;
        let head = endpoint.head().ok().flatten()?.chain;
        let mut known = self.past.transactions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, transactions)) = &*known
            && *of == head
        {
            return Some(Arc::clone(transactions));
        }
        let found = Arc::new(past::transactions(&*endpoint).ok()?);
        *known = Some((head, Arc::clone(&found)));
        Some(found)
    }

    /// Brings something back from the trash.
    pub(super) fn restore_from_trash(
        self: &Arc<Self>,
        request: &RestoreTrash,
    ) -> Result<RestoredTrash, ApiError> {
        let path = self.with_job(|monitor| {
            let path = self.with_engine(monitor, |p| p.restore_from_trash(&request.item))?;
            let touched = [path.clone()];
            let silent = Monitor::silent();
            self.show(
                self.with_engine(&silent, |p| p.status_after_into(self.found(), &touched, &silent)),
            );
            Ok(path)
        });
        self.past.forget_trash();
        Ok(RestoredTrash { path: path? })
    }

    /// Removes for good what is in the trash for long.
    pub(super) fn empty_trash(
        self: &Arc<Self>,
        request: &EmptyTrash,
    ) -> Result<EmptiedTrash, ApiError> {
        let days = i64::try_from(request.older_than_days).unwrap_or(i64::MAX);
        let before = (days > 0).then(|| {
            let age = jiff::SignedDuration::from_secs(days.saturating_mul(DAY));
            jiff::Timestamp::now().checked_sub(age).unwrap_or(jiff::Timestamp::MIN)
        });
        let dry_run = request.dry_run;
        let emptied = self.with_job(|monitor| {
            self.with_engine(monitor, |project| project.empty_trash(before, dry_run))
        })?;
        self.past.forget_trash();
        Ok(EmptiedTrash { files: emptied.files, bytes: emptied.bytes })
    }
}

impl past::Past {
    /// What lies in the trash has to be looked for anew.
    pub(super) fn forget_trash(&self) {
        *self.trash.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Why something is in the trash.
fn why(item: &TrashItem, transactions: Option<&Transactions>) -> String {
    if let Some(reason) = &item.reason {
        return format!("Replaced by {reason}.");
    }
    match transactions.and_then(|all| all.get(&item.transaction)) {
        Some((id, message)) if message.is_empty() => {
            format!("Replaced or deleted by the sync to {id}.")
        }
        Some((id, message)) => {
            let first = message.lines().next().unwrap_or_default();
            format!("Replaced or deleted by the sync to {id} ({first}).")
        }
        None => "Replaced or deleted by a sync that brought changes here.".to_owned(),
    }
}

fn told(report: Report) -> RestoreReport {
    let skipped = |(path, reason)| Skipped { path, reason };
    RestoreReport {
        added: report.added,
        replaced: report.replaced,
        deleted: report.deleted,
        unchanged: report.unchanged,
        bytes: report.bytes,
        skipped: report.skipped.into_iter().take(PAGE).map(skipped).collect(),
        folder: report.folder.display().to_string(),
    }
}

fn rule(asked: &IgnoreRule) -> Rule {
    match asked {
        IgnoreRule::Path { path } => Rule::Path(path.clone()),
        IgnoreRule::Name { name } => Rule::Name(name.clone()),
        IgnoreRule::Suffix { suffix } => Rule::Suffix(suffix.clone()),
    }
}
