//! What an interrupted transaction left, finished or undone by whoever comes next.
//!
//! Owns the verdict (a pure function of the journal and of which inode stands where) and rolling
//! forward, step by step, each of which may have been done already. Runs only under the lock. No
//! tree is removed before the journaled inodes have said which is which.

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::repository::{Outcome as TransactionOutcome, Settled};
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::Dir;
use dsg_fs::error::FsError;
use dsg_fs::lock::{Lock, Tried};

use super::apply::unapply;
use super::history::record_name;
use super::late;
use super::layout::{
    CTIMES_VOID, FACTS, JOURNAL, Journal, LOCK, MANIFEST, NEW_FACTS, OUTCOMES, ROOT, Root,
    SNAPSHOTS, STAGING, STATS, Swap, TREES, write_json,
};
use super::repo::{Repo, holder};
use super::staging::{
    ASIDE, CHECKED, KEPT, NEW_MANIFEST, NEW_STATS, RECORD, REPLACED, TREE, age, check_transaction,
};
use crate::crash;

/// What is to be done about a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The live tree is the new one.
    RollForward,
    /// The live tree stepped aside, the new one is to take its place.
    FinishRenames,
    /// The live tree is the old one: it was never published.
    Abort,
    /// Neither: somebody else moved the trees.
    Damaged,
}

/// Decides by inodes: of the live root, of the tree in the staging area, of the one that stepped
/// aside there.
pub(super) fn verdict(
    journal: &Journal,
    live: Option<u64>,
    staged: Option<u64>,
    aside: Option<u64>,
) -> Verdict {
    let waits = staged == Some(journal.new);
    match journal.swap {
        _ if live == Some(journal.new) => Verdict::RollForward,
        Swap::First if waits => Verdict::Abort,
        Swap::Exchange | Swap::Renames if waits && live.is_some() && live == journal.old => {
            Verdict::Abort
        }
        Swap::Renames if waits && live.is_none() && aside.is_some() && aside == journal.old => {
            Verdict::FinishRenames
        }
        _ => Verdict::Damaged,
    }
}

impl Repo {
    /// Whether something waits for recovery.
    pub(super) fn needs_recovery(&self) -> Outcome<bool> {
        if let Some(site) = &self.site {
            return site.needs_recovery();
        }
        Ok(self.layout.side.stat(JOURNAL)?.is_some())
    }

    /// Finishes or undoes what the journal says.
    pub(super) fn recover(&self, lock: &Lock) -> Outcome<()> {
        match &self.site {
            Some(site) => site.recover(lock),
            None => self.settled(lock).map(|_| ()),
        }
    }

    /// The same in a folder, and what became of it.
    pub(super) fn settled(&self, lock: &Lock) -> Outcome<Option<Settled>> {
        let Some(journal) = self.journal()? else { return Ok(None) };
        let finished = Some(Settled::Finished(journal.snapshot));
        check_transaction(&journal.transaction)
            .map_err(|e| super::layout::damaged(&self.layout.side.at(JOURNAL), &e.message))?;
        let staging = self.layout.folder(STAGING)?;
        let inode = |name: &str| -> Result<Option<u64>, FsError> {
            Ok(staging.stat(format!("{}/{name}", journal.transaction))?.map(|s| s.ino))
        };
        let (live, staged, aside) = (self.layout.live_ino()?, inode(TREE)?, inode(ASIDE)?);
        match verdict(&journal, live, staged, aside) {
            Verdict::RollForward => self.roll_forward(&journal, lock).map(|_| finished),
            Verdict::FinishRenames => {
                let dir = staging.open_beneath(&journal.transaction)?;
                dir.rename_replacing(TREE, &self.layout.parent, &self.layout.name)?;
                self.layout.parent.fsync()?;
                self.roll_forward(&journal, lock).map(|_| finished)
            }
            Verdict::Abort => {
                self.layout.side.remove_file(JOURNAL)?;
                self.layout.side.fsync()?;
                let dir = staging.open_beneath(&journal.transaction)?;
                self.salvage(&dir).map(|()| Some(Settled::Undone))
            }
            Verdict::Damaged => Err(Failure::new(
                Code::RepositoryDamaged,
                format!(
                    "A publish of {} was interrupted, and {} is neither the folder before nor the one after it.",
                    journal.snapshot,
                    self.layout.path().display()
                ),
            )
            .hint(format!(
                "Nothing was touched. Put back the folder that was moved away or replaced (the other one is in {}), then try again.",
                staging.at(&journal.transaction).display()
            ))),
        }
    }

    /// Everything after the deciding step; gives the paths of late writers' files. Each step may
    /// have been done by an earlier run.
    pub(super) fn roll_forward(&self, journal: &Journal, _lock: &Lock) -> Outcome<Vec<String>> {
        let layout = &self.layout;
        let modes = self.modes();
        let side = &layout.side;
        let staging = layout.folder(STAGING)?;
        let dir = staging.open_beneath(&journal.transaction)?;

        self.enter(&dir, journal.snapshot, &journal.transaction)?;

        if journal.swap == Swap::Renames {
            rename_if_there(&dir, ASIDE, &dir, TREE)?;
        }
        let mut found = Vec::new();
        if let (Some(old), Some(parent)) =
            (journal.old, SnapshotId::new(journal.snapshot.number() - 1))
            && journal.swap != Swap::Adopt
            && dir.stat(TREE)?.is_some_and(|s| s.ino == old)
        {
            let former = dir.open_beneath(TREE)?;
            found = late::rescue(&former, &layout.live()?, &dir, parent, journal.snapshot)?;
            crash::ROLLED_LATE.pass();
            self.keep_tree(&dir, TREE, parent)?;
        }
        crash::ROLLED_FORMER.pass();

        if replace_cache(&dir, NEW_STATS, side, STATS)? {
            remove_if_there(side, CTIMES_VOID)?;
        }
        crash::ROLLED_STATS.pass();
        replace_cache(&dir, NEW_MANIFEST, side, MANIFEST)?;
        crash::ROLLED_MANIFEST.pass();
        let root = Root { snapshot: journal.snapshot, ino: journal.new };
        layout.write_json(ROOT, &root, modes)?;
        crash::ROLLED_ROOT.pass();

        for folder in [&dir, &layout.folder(TREES)?] {
            folder.fsync()?;
        }
        layout.parent.fsync()?;
        side.remove_file(JOURNAL)?;
        side.fsync()?;
        crash::ROLLED_JOURNAL.pass();
        // Somebody may look just now whether there is something to take over: what is left of it goes
        // with the next publish.
        let _ = staging.remove_tree(&journal.transaction);
        crash::ROLLED_STAGING.pass();
        Ok(found)
    }

    /// Enters a snapshot in the history: its record, of the first one the facts, the outcome.
    pub(super) fn enter(&self, dir: &Dir, id: SnapshotId, transaction: &str) -> Outcome<()> {
        let side = &self.layout.side;
        let snapshots = self.layout.folder(SNAPSHOTS)?;
        rename_if_there(dir, RECORD, &snapshots, &record_name(id))?;
        snapshots.fsync()?;
        crash::ROLLED_RECORD.pass();
        rename_if_there(side, NEW_FACTS, side, FACTS)?;
        crash::ROLLED_FACTS.pass();
        self.write_outcome(transaction, TransactionOutcome::Published(id))?;
        crash::ROLLED_OUTCOME.pass();
        Ok(())
    }

    /// Moves a former tree to where its snapshot's tree stands.
    pub(super) fn keep_tree(&self, from: &Dir, name: &str, id: SnapshotId) -> Outcome<()> {
        let trees = self.layout.folder(TREES)?;
        let target = id.to_string();
        match from.rename_noreplace(name, &trees, &target) {
            // An adoption that was not finished kept a copy of what was the live tree then.
            Err(e) if e.is_present() => {
                self.void_ctimes()?;
                trees.remove_tree(&target)?;
                from.rename_noreplace(name, &trees, &target)?;
            }
            Err(e) if e.is_unsupported() && trees.stat(&target)?.is_none() => {
                from.rename_replacing(name, &trees, &target)?;
            }
            other => other?,
        }
        Ok(())
    }

    /// Puts the staged content of an undecided transaction back among its objects, and removes
    /// its tree: the next try takes the content over.
    pub(super) fn salvage(&self, dir: &Dir) -> Outcome<()> {
        let Ok(tree) = dir.open_beneath(TREE) else { return Ok(()) };
        self.void_ctimes()?;
        if let Ok(record) = super::history::open_record(dir, RECORD) {
            let placed = record.filter_map(|change| {
                let file = *change.entry.as_ref()?.file()?;
                Some((change.path, file.hash))
            });
            unapply(dir, &tree, placed);
        }
        drop(tree);
        for name in [RECORD, NEW_MANIFEST, NEW_STATS, CHECKED, REPLACED] {
            remove_if_there(dir, name)?;
        }
        Ok(dir.remove_tree(TREE)?)
    }

    /// How a transaction ended, if that was written.
    pub(super) fn recorded_outcome(
        &self,
        transaction: &str,
    ) -> Outcome<Option<TransactionOutcome>> {
        check_transaction(transaction)?;
        let name = format!("{OUTCOMES}/{transaction}");
        self.layout.read_json(&name)
    }

    pub(super) fn write_outcome(
        &self,
        transaction: &str,
        outcome: TransactionOutcome,
    ) -> Outcome<()> {
        let folder = self.layout.folder(OUTCOMES)?;
        write_json(&folder, transaction, &outcome, self.modes())
    }

    /// Removes what transactions left whose owners are dead, once it is too old to be taken over.
    pub(super) fn clean(&self, lock: &Lock) -> Outcome<()> {
        let now = lock.written()?;
        let staging = self.layout.folder(STAGING)?;
        for name in staging.list()? {
            let Some(name) = name.name.to_str() else { continue };
            let Some(stat) = staging.stat(name)? else { continue };
            let stat = staging.stat(format!("{name}/{LOCK}"))?.unwrap_or(stat);
            if age(&stat, &now) < KEPT || self.journal()?.is_some_and(|j| j.transaction == name) {
                continue;
            }
            let Ok(dir) = staging.open_beneath(name) else { continue };
            // Held until it is removed, so that its owner does not come back to it meanwhile.
            let by = holder("", "cleans up");
            match Lock::try_existing(&dir, LOCK, by)? {
                Some(Tried::Busy(_)) => {}
                _held_or_without_lock => {
                    self.void_ctimes()?;
                    staging.remove_tree(name)?;
                }
            }
        }
        Ok(())
    }
}

fn rename_if_there(from: &Dir, name: &str, to: &Dir, to_name: &str) -> Outcome<bool> {
    if from.stat(name)?.is_none() {
        return Ok(false);
    }
    from.rename_replacing(name, to, to_name)?;
    Ok(true)
}

/// As [`rename_if_there`], but the old file goes first: a rename over a file makes ext4 write the
/// new one out at once, and all that is made durable next would wait for it. Whoever looks in
/// between finds no cache, and rebuilds what is in it.
pub(super) fn replace_cache(from: &Dir, name: &str, to: &Dir, to_name: &str) -> Outcome<bool> {
    if from.stat(name)?.is_none() {
        return Ok(false);
    }
    remove_if_there(to, to_name)?;
    rename_if_there(from, name, to, to_name)
}

/// Removes a file that may be gone already.
pub(super) fn remove_if_there(dir: &Dir, name: &str) -> Outcome<()> {
    match dir.remove_file(name) {
        Err(e) if !e.is_absent() => Err(e.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Old root 10, new root 20.
    fn journal(swap: Swap) -> Journal {
        let old = (swap != Swap::First).then_some(10);
        let transaction = "01890000-0000-7000-8000-000000000001".into();
        Journal { transaction, snapshot: SnapshotId::FIRST.next(), swap, old, new: 20 }
    }

    #[test]
    fn inodes_alone_decide() {
        use Swap::{Adopt, Exchange, First, Renames};
        use Verdict::{Abort, Damaged, FinishRenames, RollForward};
        let (old, new, other) = (Some(10), Some(20), Some(99));
        for (swap, live, staged, aside, expected) in [
            (Exchange, old, new, None, Abort),
            (Exchange, new, old, None, RollForward),
            (Exchange, new, None, None, RollForward), // the old tree is among the snapshots already
            (Exchange, other, new, None, Damaged),
            (Exchange, old, other, None, Damaged),
            (Exchange, None, new, None, Damaged),
            (Exchange, None, None, None, Damaged),
            (Renames, old, new, None, Abort),
            (Renames, None, new, old, FinishRenames),
            (Renames, None, new, None, Damaged),
            (Renames, None, new, other, Damaged),
            (Renames, new, None, old, RollForward),
            (Renames, new, old, None, RollForward),
            (First, None, new, None, Abort),
            (First, other, new, None, Abort), // the empty folder that somebody prepared
            (First, new, None, None, RollForward),
            (First, None, None, None, Damaged),
            (Adopt, new, None, None, RollForward),
            (Adopt, other, None, None, Damaged),
        ] {
            assert_eq!(
                verdict(&journal(swap), live, staged, aside),
                expected,
                "{swap:?} {live:?} {staged:?} {aside:?}"
            );
        }
    }
}
