//! Undoing a snapshot: its inverse, merged onto what the repository has now. What colleagues made of
//! the same paths since then stays.

use std::collections::{BTreeMap, BTreeSet};

use dsg_core::entry::Entry;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};

use super::Project;
use super::restore::Wish;
use crate::endpoint::{self, Endpoint};
use crate::index::damaged;

/// Where the index keeps the header of the snapshot that this folder published last.
pub(crate) const PUBLISHED: &str = "published";

/// What an undo did in the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Paths that are as they were before the snapshot: pending now, if they were not so already.
    pub paths: Vec<String>,
    /// Paths that a later snapshot changed: they stay as that one has them.
    pub kept: Vec<String>,
}

impl Project {
    /// The newest snapshot that this folder published, if its sync can be undone: the repository
    /// still has it, and what was before it.
    ///
    /// # Errors
    /// The repository or the index cannot be read.
    pub fn undoable(&self) -> Outcome<Option<SnapshotHeader>> {
        let Some(line) = self.index.meta(PUBLISHED)? else { return Ok(None) };
        let mine = SnapshotHeader::parse(&line).map_err(|e| {
            damaged(self.index.path(), "the last publish in it cannot be read").because(e)
        })?;
        let Some(former) = mine.parent else { return Ok(None) };
        let endpoint = endpoint::open(&self.address)?;
        let stands = match endpoint.header(mine.id) {
            Ok(header) => header.chain == mine.chain,
            Err(failure) if failure.code == Code::NotFound => false,
            Err(failure) => return Err(failure),
        };
        Ok((stands && endpoint.kept()?.contains(&former)).then_some(mine))
    }

    /// Undoes a snapshot in the folder: every path that it changed, and that no later one did, is
    /// again what it was before, as a pending change.
    ///
    /// # Errors
    /// As [`Project::restore`]; [`Code::Usage`] where pending changes of the same paths would be
    /// undone with it, or nothing is left to undo.
    pub fn undo(&mut self, snapshot: SnapshotId, monitor: &Monitor) -> Outcome<Undone> {
        let _ready = self.ready_to_change("undo", monitor)?;
        let endpoint = endpoint::open(&self.address)?;
        self.refresh_head(&*endpoint, &BTreeSet::new())?;
        let (wishes, kept) = self.inverse(&*endpoint, snapshot, monitor)?;
        let paths: Vec<String> = wishes.iter().map(|wish| wish.path.to_string()).collect();
        if paths.is_empty() {
            let said = match kept.first() {
                None => format!("{snapshot} changed no file: there is nothing to undo."),
                Some(_) => format!(
                    "Everything that {snapshot} changed was changed again by later snapshots."
                ),
            };
            return Err(Failure::new(Code::Usage, said)
                .hint("Restore single files from the history instead."));
        }
        let rules = self.survey_folder(&paths, monitor)?;
        let concerned: BTreeSet<&RepoPath> = wishes.iter().map(|wish| &wish.path).collect();
        let mut touched = None;
        self.index.pending(&mut |row| {
            if touched.is_none() && concerned.contains(&row.path) {
                touched = Some(row.path);
            }
            Ok(())
        })?;
        if let Some(path) = touched {
            return Err(Failure::new(
                Code::Usage,
                format!("{path} was changed since {snapshot}: undoing would change that, too."),
            )
            .hint("Sync it or bring it back first, or restore single files from the history."));
        }
        let why = format!("undoing {snapshot}");
        let report = self.bring(&*endpoint, wishes, &rules, &why, false, monitor)?;
        if let Some((path, why)) = report.skipped.first() {
            return Err(Failure::new(
                Code::Usage,
                format!("{path} could not be brought back: {why}"),
            )
            .hint("What was brought back is pending; sync it, or revert it."));
        }
        Ok(Undone { paths, kept })
    }

    /// What has to be wished for to undo a snapshot, and the paths that later ones changed. R is
    /// taken to be the head's.
    fn inverse(
        &self,
        endpoint: &dyn Endpoint,
        snapshot: SnapshotId,
        monitor: &Monitor,
    ) -> Outcome<(Vec<Wish>, Vec<String>)> {
        let Some(former) = endpoint.header(snapshot)?.parent else {
            return Err(Failure::new(
                Code::Usage,
                format!("{snapshot} is the first snapshot: there is nothing before it."),
            ));
        };
        let mut changed: BTreeMap<RepoPath, Option<Entry>> = BTreeMap::new();
        let mut kept = Vec::new();
        endpoint.delta(snapshot, &mut |change| {
            let now = self.index.row(&change.path)?.and_then(|row| row.remote);
            let stands = match (&now, &change.entry) {
                (Some(now), Some(then)) => now.same(then),
                (None, None) => true,
                _ => false,
            };
            if stands {
                changed.insert(change.path, None);
            } else {
                kept.push(change.path.to_string());
            }
            monitor.check()
        })?;
        endpoint.manifest(former, &mut |change| {
            if let Some(entry) = changed.get_mut(&change.path) {
                *entry = change.entry;
            }
            monitor.check()
        })?;
        let wish = |(path, entry): (RepoPath, Option<Entry>)| Wish {
            path,
            wanted: entry.map(|entry| (entry, former)),
        };
        Ok((changed.into_iter().map(wish).collect(), kept))
    }
}
