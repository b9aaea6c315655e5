//! A copy of the live tree, made in advance, so that the next publish need not make it.
//!
//! It belongs to one head and one live root; anything else makes it worthless. Made in the
//! background under the lock, and given up when somebody wants to publish.

use std::fs::File;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::Dir;
use serde::{Deserialize, Serialize};

use super::apply::fresh;
use super::copy::link_tree;
use super::layout::{CTIMES_VOID, PRESTAGE, STATS, WANTED, write_json};
use super::prepared::compare_live;
use super::publish::live_or_drift;
use super::recover::remove_if_there;
use super::repo::{PREPARES, Repo};
use super::staging::{CHECKED, TREE};
use crate::crash;

/// Stands beside the copy once it is whole, durable, and its stats are recorded.
const READY: &str = "ready.json";

#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    head: SnapshotId,
    live: u64,
    tree: u64,
}

impl Repo {
    fn ready(&self) -> Option<Ready> {
        // Unreadable is worthless, not an error.
        self.layout.read_json(&format!("{PRESTAGE}/{READY}")).ok().flatten()
    }

    /// Whether a copy waits that belongs to this head and to the live tree that is there now.
    pub(super) fn prestaged(&self, head: SnapshotId) -> Outcome<bool> {
        let Some(ready) = self.ready() else { return Ok(false) };
        let tree = self.layout.side.stat(format!("{PRESTAGE}/{TREE}"))?.map(|s| s.ino);
        Ok(ready.head == head
            && self.layout.live_ino()? == Some(ready.live)
            && tree == Some(ready.tree))
    }

    /// Moves the copy into a staging area.
    pub(super) fn take_prestage(&self, staging: &Dir) -> Outcome<()> {
        let folder = self.layout.folder(PRESTAGE)?;
        folder.remove_file(READY)?;
        Ok(folder.rename_replacing(TREE, staging, TREE)?)
    }

    /// Makes the copy, unless one is ready.
    pub(super) fn prestage(&self, monitor: &Monitor) -> Outcome<()> {
        let lock = self.lock("", PREPARES)?;
        // Of one who gave up or died while he waited; who waits now asks again.
        remove_if_there(&self.layout.side, WANTED)?;
        self.recover(&lock)?;
        let Some(head) = self.head()? else { return Ok(()) };
        if self.prestaged(head.id)? {
            return Ok(());
        }
        let live = live_or_drift(self, &head)?;
        let folder = self.layout.folder(PRESTAGE)?;
        remove_if_there(&folder, READY)?;
        self.void_ctimes()?;
        let tree = fresh(&folder, TREE, self.modes())?;
        let made = self.fill(&folder, &live, &tree, &head, monitor);
        if made.is_err() {
            // Unlinking changes the times of the live files once more: the mark still stands.
            let _ = folder.remove_tree(TREE);
        }
        made
    }

    fn fill(
        &self,
        folder: &Dir,
        live: &Dir,
        tree: &Dir,
        head: &dsg_core::snapshot::SnapshotHeader,
        monitor: &Monitor,
    ) -> Outcome<()> {
        let pause = || match self.layout.side.stat(WANTED)? {
            Some(_) => Err(Failure::new(
                Code::Cancelled,
                "A publish is waiting; the preparation steps back.",
            )),
            None => Ok(()),
        };
        let relinked = link_tree(live, tree, monitor, &pause)?;
        crash::PRESTAGE_BUILT.pass();
        if !relinked.is_empty() {
            // Then the recorded stats would not be those of the copy, which is to become live.
            return Err(Failure::new(
                Code::Unsupported,
                format!(
                    "{} file(s) of the live tree cannot have a second name: nothing is prepared in advance.",
                    relinked.len()
                ),
            ));
        }
        self.tick()?;
        pause()?;
        let drift = compare_live(self, live, head, folder, false, monitor)?;
        if !drift.is_none() {
            return Err(drift.halt(live.path()));
        }
        let checked = folder.at(CHECKED);
        File::open(&checked)
            .and_then(|f| f.sync_all())
            .map_err(|e| Failure::io("make durable", &checked, e))?;
        folder.rename_replacing(CHECKED, &self.layout.side, STATS)?;
        crash::PRESTAGE_RECORDED.pass();
        folder.syncfs()?;
        let ready = Ready { head: head.id, live: live.own_stat()?.ino, tree: tree.own_stat()?.ino };
        write_json(folder, READY, &ready, self.modes())?;
        remove_if_there(&self.layout.side, CTIMES_VOID)
    }
}
