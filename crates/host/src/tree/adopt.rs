//! Drift as a snapshot of its own: what was changed on the host becomes the new head.
//!
//! The live tree stays what it is. What the head's tree was before is kept as far as it still can
//! be: from the copy made in advance, else from the files that did not change.

use dsg_core::entry::Entry;
use dsg_core::failure::Outcome;
use dsg_core::monitor::{Event, Monitor};
use dsg_core::path::RepoPath;
use dsg_core::repository::Publication;
use dsg_core::snapshot::{Authorship, SnapshotHeader};
use dsg_fs::dir::Dir;

use super::apply::fresh;
use super::copy::link_tree;
use super::drift::Drift;
use super::edits::Patch;
use super::layout::{JOURNAL, Journal, STAGING, Swap};
use super::prepared::{compare_live, write_list, write_record, write_stats};
use super::publish::live_or_drift;
use super::repo::Repo;
use super::staging::{TREE, check_transaction};
use super::stats::Seen;
use crate::crash;

impl Repo {
    /// Publishes what was changed on the host; without drift, gives the head as it is.
    pub(super) fn adopt_drift(
        &self,
        authorship: Authorship,
        monitor: &Monitor,
    ) -> Outcome<SnapshotHeader> {
        check_transaction(&authorship.transaction)?;
        let lock = self.lock(&authorship.author, "adopts changes made on the host")?;
        self.recover(&lock)?;
        let head = self.history().head()?;
        let live = live_or_drift(self, &head)?;
        let staging = self.layout.folder(STAGING)?;
        let transaction = authorship.transaction.clone();
        let dir = fresh(&staging, &transaction, self.modes())?;
        let adopted = self.prepare_adoption(&dir, &live, &head, authorship, monitor);
        match adopted {
            Ok(Some((journal, header))) => {
                self.layout.write_json(JOURNAL, &journal, self.modes())?;
                crash::JOURNALED.pass();
                self.roll_forward(&journal, &lock)?;
                Ok(header)
            }
            Ok(None) => {
                staging.remove_tree(&transaction)?;
                Ok(head)
            }
            Err(e) => {
                self.void_ctimes()?;
                let _ = staging.remove_tree(&transaction);
                Err(e)
            }
        }
    }

    fn prepare_adoption(
        &self,
        dir: &Dir,
        live: &Dir,
        head: &SnapshotHeader,
        authorship: Authorship,
        monitor: &Monitor,
    ) -> Outcome<Option<(Journal, SnapshotHeader)>> {
        let drift = compare_live(self, live, head, dir, true, monitor)?;
        let Drift { changes, unstable, .. } = drift;
        if !unstable.is_empty() {
            let names: Vec<&str> = unstable.iter().map(RepoPath::as_str).collect();
            monitor.event(Event::Notice(format!(
                "Still being written on the host, and left out: {}.",
                names.join(", ")
            )));
        }
        if changes.is_empty() {
            return Ok(None);
        }
        let transaction = authorship.transaction.clone();
        let publication = Publication {
            base: Some(head.id),
            authorship,
            config: head.config.clone(),
            changes: changes.into_iter().collect(),
            copies: Vec::new(),
        };
        let listed = write_list(self, dir, &publication, Some(head))?;
        let header = write_record(self, dir, &publication, Some(head), &listed)?;
        self.keep_former(dir, live, head, &publication, monitor)?;
        self.tick()?;
        let mut patch = Patch::default();
        for change in publication.changes.iter() {
            match (&change.entry, live.stat(change.path.as_str())?) {
                (Some(_), Some(stat)) => {
                    let mut seen = Seen::of(&stat);
                    if change
                        .entry
                        .as_ref()
                        .and_then(Entry::file)
                        .is_some_and(|f| f.mtime != stat.mtime)
                    {
                        // Written since it was hashed: the next comparison reads it.
                        seen.ino = 0;
                    }
                    patch.put(change.path.as_bytes(), seen);
                }
                _ => patch.remove(change.path.as_bytes()),
            }
        }
        write_stats(self, dir, Some(head.id), header.id, patch)?;
        dir.syncfs()?;
        crash::ADOPT_PREPARED.pass();
        let ino = live.own_stat()?.ino;
        let journal = Journal {
            transaction,
            snapshot: header.id,
            swap: Swap::Adopt,
            old: Some(ino),
            new: ino,
        };
        Ok(Some((journal, header)))
    }

    /// What is left of the head's tree stands among the snapshots' trees.
    fn keep_former(
        &self,
        dir: &Dir,
        live: &Dir,
        head: &SnapshotHeader,
        publication: &Publication,
        monitor: &Monitor,
    ) -> Outcome<()> {
        self.void_ctimes()?;
        if self.prestaged(head.id)? {
            self.take_prestage(dir)?;
        } else {
            let tree = fresh(dir, TREE, self.modes())?;
            link_tree(live, &tree, monitor, &|| Ok(()))?;
        }
        let tree = dir.open_beneath(TREE)?;
        for change in publication.changes.iter() {
            // A file that the live tree shares is the changed one.
            let path = change.path.as_str();
            let (Some(kept), Some(now)) = (tree.stat(path)?, live.stat(path)?) else { continue };
            if kept.ino == now.ino && kept.kind != dsg_fs::stat::Kind::Dir {
                tree.remove_file(path)?;
            }
        }
        self.keep_tree(dir, TREE, head.id)
    }
}
