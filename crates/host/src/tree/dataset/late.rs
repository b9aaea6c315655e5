//! Writes that reached the former dataset between the decision and the moment it took no more.
//!
//! Nothing but that dataset holds them. They are copied into the live tree, never over anything, where
//! they show as drift, and a person decides; then the dataset goes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::Dir;
use dsg_fs::stat::Kind;
use uuid::Uuid;

use super::drift::{MOST, suspects, walk};
use super::{Site, strange};
use crate::tree::copy::copy_file;
use crate::tree::drift::hash_stably;
use crate::tree::late::free_name;
use crate::tree::stats::{join, split};
use crate::zfs::name::{Part, Tag};
use crate::zfs::verb::{Answer, Member, Until, Verb};

impl Site {
    /// Brings what late writers left in `D.dsg-old-T` into the live tree, and destroys that; gives the
    /// paths.
    pub(super) fn rescue(&self, transaction: Uuid) -> Outcome<Vec<String>> {
        let family = self.look(None, false)?;
        let part = Part::Former(transaction);
        let former = family.others.iter().find(|member| member.part == part);
        let known = former.and_then(Member::known);
        let (Some((_, since)), Some(live)) = (known, &family.live) else { return Ok(Vec::new()) };
        let kept = |why: &str| {
            Failure::new(Code::Drift, format!("{} is kept: {why}.", self.dataset.member(part)))
        };
        let since: Tag = since.parse().map_err(|_| kept("it is of another program's snapshot"))?;
        let newest = live.snapshots.iter().rev().find_map(|s| match s.tag {
            Some(Tag::Number(id)) => Some(id),
            _ => None,
        });
        let mounted = self.mounted(&Verb::Mount { dataset: self.dataset.clone(), part })?;
        let old = Dir::open(&mounted)?;
        let (dataset, until) = (self.dataset.clone(), Until::Now(part));
        let verb = Verb::Diff { dataset, since, until, most: MOST };
        let changes = match self.perform(&verb)? {
            Answer::Changes(changes) if changes.more => return Err(kept("much was written to it")),
            Answer::Changes(changes) => changes,
            other => return Err(strange(&verb, &other)),
        };
        let mut late = suspects(&changes);
        for tree in &late.trees {
            walk(&old, tree, &mut late.paths)?;
        }
        let new = self.parent.open_beneath(&self.name)?;
        let mut rescued = Vec::new();
        for path in &late.paths {
            if let Some(at) = bring(&old, &new, path, newest.unwrap_or(SnapshotId::FIRST))? {
                rescued.push(String::from_utf8_lossy(&at).into_owned());
            }
        }
        new.syncfs()?;
        drop((old, new));
        self.perform(&Verb::Bury { dataset: self.dataset.clone(), transaction, adopted: true })?;
        Ok(rescued)
    }
}

/// Copies one file under a free name, unless the live tree has that content there.
fn bring(old: &Dir, new: &Dir, path: &[u8], snapshot: SnapshotId) -> Outcome<Option<Vec<u8>>> {
    let rel = OsStr::from_bytes(path);
    let Some(stat) = old.stat(rel)?.filter(|s| s.kind == Kind::File) else { return Ok(None) };
    let (dir, name) = split(path);
    let made =
        if dir.is_empty() { Ok(Vec::new()) } else { new.ensure_dirs(OsStr::from_bytes(dir), None) };
    // Where its folder is a file now, it goes to the top.
    let dir = if made.is_ok() { dir } else { b"" };
    let content = hash_stably(old, rel.as_ref())?.map(|file| file.hash);
    for turn in 0..10_000 {
        let at = join(dir, &free_name(name, snapshot, turn));
        let to = OsStr::from_bytes(&at);
        match new.stat(to)? {
            None => {
                copy_file(old, rel.as_ref(), new, to.as_ref(), &stat)?;
                return Ok(Some(at));
            }
            Some(there) if there.kind == Kind::File => {
                if hash_stably(new, to.as_ref())?.map(|file| file.hash) == content {
                    return Ok(None);
                }
            }
            Some(_) => {}
        }
    }
    Ok(None)
}
