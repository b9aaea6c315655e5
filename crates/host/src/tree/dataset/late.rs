//! Writes that reached the former dataset between the decision and the moment it took no more.
//!
//! Nothing but that dataset holds them. They are copied into the live tree, never over anything, where
//! they show as drift, and a person decides; then the dataset goes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use dsg_core::entry::Hash;
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

/// How many names are tried for one file.
const TURNS: u32 = 10_000;

impl Site {
    /// Brings what late writers left in `D.dsg-old-T` into the live tree, and destroys that; gives the
    /// paths.
    pub(super) fn rescue(&self, transaction: Uuid) -> Outcome<Vec<String>> {
        let part = Part::Former(transaction);
        let kept = |why: &str| {
            Failure::new(Code::Drift, format!("{} is kept: {why}.", self.dataset.member(part)))
        };
        let is_former = |member: &&Member| member.part == part;
        if !self.look(None, None, false)?.others.iter().any(|member| is_former(&member)) {
            return Ok(Vec::new());
        }
        let mounted = self.mounted(&Verb::Mount { dataset: self.dataset.clone(), part })?;
        let old = Dir::open(&mounted)?;
        // What is written from here on keeps it from being destroyed.
        let family = self.look(None, None, true)?;
        let former = family.others.iter().find(is_former);
        let (Some(former), Some(live)) = (former, &family.live) else { return Ok(Vec::new()) };
        let since: Option<Tag> = former.known().and_then(|(_, name)| name.parse().ok());
        let since = since.ok_or_else(|| kept("it is of another program's snapshot"))?;
        let newest = live.snapshots.iter().rev().find_map(|s| match s.tag {
            Some(Tag::Number(id)) => Some(id),
            _ => None,
        });
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
            match bring(&old, &new, path, newest.unwrap_or(SnapshotId::FIRST))? {
                Brought::To(at) => rescued.push(String::from_utf8_lossy(&at).into_owned()),
                Brought::Needless => {}
                Brought::Not => {
                    let path = String::from_utf8_lossy(path);
                    return Err(kept(&format!("{path} of it could not be brought over")));
                }
            }
        }
        new.syncfs()?;
        drop((old, new));
        let adopted = Some(former.state());
        self.perform(&Verb::Bury { dataset: self.dataset.clone(), transaction, adopted })?;
        Ok(rescued)
    }
}

/// What became of one path of a former dataset.
#[derive(Debug, PartialEq, Eq)]
enum Brought {
    /// It stands here in the live tree now.
    To(Vec<u8>),
    /// The live tree holds the same there, or nothing is lost with it: it is gone, an empty folder that
    /// the live tree has now, or a pipe or socket, which is never data.
    Needless,
    /// It is only where it was.
    Not,
}

/// What stands at a path, as far as it can be copied.
#[derive(PartialEq, Eq)]
enum Content {
    File(Hash),
    Link(OsString),
}

fn content(dir: &Dir, path: &Path) -> Outcome<Option<Content>> {
    Ok(match dir.stat(path)?.map(|stat| stat.kind) {
        Some(Kind::File) => hash_stably(dir, path)?.map(|file| Content::File(file.hash)),
        Some(Kind::Link) => Some(Content::Link(dir.read_link(path)?)),
        Some(Kind::Dir | Kind::Special) | None => None,
    })
}

/// Copies one path under a free name, unless the live tree has its content there.
fn bring(old: &Dir, new: &Dir, path: &[u8], snapshot: SnapshotId) -> Outcome<Brought> {
    let rel = Path::new(OsStr::from_bytes(path));
    let Some(stat) = old.stat(rel)? else { return Ok(Brought::Needless) };
    if stat.kind == Kind::Special {
        return Ok(Brought::Needless);
    }
    if stat.kind == Kind::Dir {
        let made = new.ensure_dirs(rel, None).is_ok();
        // What is in it is told by itself.
        let needless = made || !old.open_beneath(rel)?.list()?.is_empty();
        return Ok(if needless { Brought::Needless } else { Brought::Not });
    }
    let Some(is) = content(old, rel)? else { return Ok(Brought::Not) };
    let (dir, name) = split(path);
    let made =
        if dir.is_empty() { Ok(Vec::new()) } else { new.ensure_dirs(OsStr::from_bytes(dir), None) };
    // Where its folder is a file now, it goes to the top.
    let dir = if made.is_ok() { dir } else { b"" };
    for turn in 0..TURNS {
        let at = join(dir, &free_name(name, snapshot, turn));
        let to = Path::new(OsStr::from_bytes(&at));
        if new.stat(to)?.is_none() {
            match &is {
                Content::File(_) => copy_file(old, rel, new, to, &stat)?,
                Content::Link(target) => new.symlink(target, to)?,
            }
            return Ok(Brought::To(at));
        }
        if content(new, to)?.as_ref() == Some(&is) {
            return Ok(Brought::Needless);
        }
    }
    Ok(Brought::Not)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_late_writers_left_comes_beside_what_is_there_and_nothing_is_left_behind_in_silence() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in ["deep/empty", "full/part"] {
            fs::create_dir_all(old.path().join(folder)).unwrap();
        }
        for (name, text) in [("same", "a"), ("b.txt", "late"), ("full/part/c", "c"), ("d", "late")]
        {
            fs::write(old.path().join(name), text).unwrap();
        }
        for (name, target) in [("link", "late"), ("known", "same"), ("file", "x")] {
            symlink(target, old.path().join(name)).unwrap();
        }
        let _socket = std::os::unix::net::UnixListener::bind(old.path().join("socket")).unwrap();
        for (name, text) in [("same", "a"), ("b.txt", "new"), ("full", "a file"), ("file", "x")] {
            fs::write(new.path().join(name), text).unwrap();
        }
        fs::create_dir(new.path().join("d")).unwrap();
        for (name, target) in [("link", "new"), ("known", "same")] {
            symlink(target, new.path().join(name)).unwrap();
        }
        let (from, to) = (Dir::open(old.path()).unwrap(), Dir::open(new.path()).unwrap());
        let s2 = SnapshotId::new(2).unwrap();
        let at = |path: &str| Brought::To(path.into());
        for (path, expected) in [
            ("same", Brought::Needless),
            ("b.txt", at("b.late-s2.txt")),
            ("d", at("d.late-s2")),
            ("full", Brought::Needless),
            ("full/part", Brought::Needless),
            ("full/part/c", at("c")),
            ("link", at("link.late-s2")),
            ("known", Brought::Needless),
            ("file", at("file.late-s2")),
            ("deep/empty", Brought::Needless),
            ("socket", Brought::Needless),
            ("gone", Brought::Needless),
        ] {
            assert_eq!(bring(&from, &to, path.as_bytes(), s2).unwrap(), expected, "{path}");
            let again = bring(&from, &to, path.as_bytes(), s2).unwrap();
            assert_eq!(again, Brought::Needless, "{path}");
        }
        let read = |path: &str| fs::read_to_string(new.path().join(path)).unwrap();
        assert_eq!((read("b.txt"), read("b.late-s2.txt")), ("new".into(), "late".into()));
        assert_eq!((read("full"), read("c")), ("a file".into(), "c".into()));
        let target = fs::read_link(new.path().join("link.late-s2")).unwrap();
        assert_eq!(target, Path::new("late"));
        assert!(new.path().join("deep/empty").is_dir());
        // An empty folder where a file stands has no place.
        fs::remove_file(old.path().join("full/part/c")).unwrap();
        assert_eq!(bring(&from, &to, b"full/part", s2).unwrap(), Brought::Not);
    }
}
