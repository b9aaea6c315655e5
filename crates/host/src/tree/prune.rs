//! The end of former snapshots' files, and what they cost; their records stay.

use std::collections::{BTreeMap, BTreeSet};

use dsg_core::failure::Outcome;
use dsg_core::repository::{Pruned, Space};
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::Dir;
use dsg_fs::stat::Kind;

use super::layout::{STAGING, TREES};
use super::repo::Repo;
use super::store::{Ground, TreeStore};
use crate::crash;

impl TreeStore {
    /// What each snapshot's files cost, oldest first; none where that is not known: former trees in a
    /// folder share their files.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn space(&self) -> Outcome<Vec<Space>> {
        match &self.ground {
            Ground::Folder(_) => Ok(Vec::new()),
            Ground::Dataset(site) => site.space(),
        }
    }

    /// Removes the files of former snapshots, as far as nobody needs them; their records stay. Without
    /// `really`, only tells what would go.
    ///
    /// # Errors
    /// [`Code::Locked`](dsg_core::failure::Code::Locked); else what could not be removed.
    pub fn prune(&self, ids: &[SnapshotId], really: bool) -> Outcome<Pruned> {
        let lock = self.repo()?.lock("", "removes former snapshots' files")?;
        self.repo()?.recover(&lock)?;
        let repo = self.repo()?;
        let newest = repo.history().newest()?;
        let (goes, head): (BTreeSet<_>, BTreeSet<_>) =
            ids.iter().copied().partition(|id| Some(*id) < newest);
        let goes: Vec<_> = goes.into_iter().collect();
        let mut pruned = match &self.ground {
            Ground::Folder(_) => of_trees(&repo, goes, really),
            Ground::Dataset(site) => site.prune(&goes, really),
        }?;
        pruned.stays.extend(head.into_iter().map(|id| (id, "it is the newest".to_owned())));
        Ok(pruned)
    }
}

fn of_trees(repo: &Repo, ids: Vec<SnapshotId>, really: bool) -> Outcome<Pruned> {
    let trees = repo.layout.folder(TREES)?;
    let mut gone = Vec::new();
    for id in ids {
        if trees.stat(id.to_string())?.is_some() {
            gone.push(id);
        }
    }
    let freed = theirs_alone(&trees, &gone)?;
    for id in gone.iter().filter(|_| really) {
        remove(repo, &trees, *id)?;
    }
    Ok(Pruned { gone, stays: Vec::new(), freed })
}

fn remove(repo: &Repo, trees: &Dir, id: SnapshotId) -> Outcome<()> {
    let staging = repo.layout.folder(STAGING)?;
    let doomed = format!("pruned-{id}");
    staging.remove_tree(&doomed)?;
    // Half removed it must not pass for the snapshot.
    trees.rename_noreplace(id.to_string(), &staging, &doomed)?;
    trees.fsync()?;
    crash::PRUNED.pass();
    repo.void_ctimes()?;
    Ok(staging.remove_tree(&doomed)?)
}

/// Bytes of the files all of whose names are in these trees.
fn theirs_alone(trees: &Dir, ids: &[SnapshotId]) -> Outcome<u64> {
    let mut bytes = 0;
    let mut shared: BTreeMap<u64, u64> = BTreeMap::new();
    for id in ids {
        let mut folders = vec![trees.open_beneath(id.to_string())?];
        while let Some(folder) = folders.pop() {
            for name in folder.list()? {
                let Some(stat) = folder.stat(&name.name)? else { continue };
                if stat.kind == Kind::Dir {
                    folders.push(folder.open_beneath(&name.name)?);
                    continue;
                }
                let seen = shared.entry(stat.ino).or_default();
                *seen += 1;
                if *seen == stat.nlink {
                    bytes += stat.size;
                    shared.remove(&stat.ino);
                }
            }
        }
    }
    Ok(bytes)
}
