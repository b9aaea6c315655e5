//! Applies a publication's changes to the staging tree, which nobody sees yet.
//!
//! Everything happens beneath the staging tree's root: no link is followed. New content is
//! a new inode (but in a clone, which shares no inode with any other tree: see [`rewrite`]); a move renames the name that is already there, unless its time or exec bit
//! change (they belong to the inode, which the former snapshot shares).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use dsg_core::entry::{Entry, Hash};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::manifest::Change;
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::repository::Publication;
use dsg_fs::dir::Dir;
use dsg_fs::error::{FsError, FsResult};
use dsg_fs::stat::{Kind, Stat};
use rustix::io::Errno;

use super::check::beneath;
use super::copy::copy_file;
use super::dataset::rewrite;
use super::edits::Patch;
use super::layout::{Modes, OURS};
use super::staging::{MOVED, OBJECTS, Staging, beginning, repeated};
use super::stats::Seen;
use crate::crash;

/// What was touched, to be made durable and recorded.
#[derive(Default)]
pub(super) struct Applied {
    /// Directories whose names changed; empty is the root.
    pub(super) dirs: BTreeSet<PathBuf>,
    /// Changes to the recorded stats.
    pub(super) patch: Patch,
}

/// Content that a put takes from another path of the base; any other was staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source<'p> {
    Move(&'p RepoPath),
    Copy(&'p RepoPath),
}

/// Decides where the content of files that are not staged comes from.
fn sources(publication: &Publication) -> BTreeMap<&RepoPath, Source<'_>> {
    let mut taken = BTreeSet::new();
    let mut sources = BTreeMap::new();
    for (to, from) in &publication.copies {
        if !matches!(put(publication, to), Some(Entry::File(_))) {
            continue;
        }
        let gone = publication.changes.find(from).is_some_and(|c| c.entry.is_none());
        let source =
            if gone && taken.insert(from) { Source::Move(from) } else { Source::Copy(from) };
        sources.insert(to, source);
    }
    sources
}

/// What comes to a path, if anything does.
fn put(publication: &Publication, path: &RepoPath) -> Option<Entry> {
    publication.changes.find(path)?.entry
}

/// Proves that a publication makes sense with what the base holds. That content was staged is found
/// when it is placed.
pub(super) fn check(
    publication: &Publication,
    base: impl Fn(&RepoPath) -> Option<Entry>,
) -> Outcome<()> {
    let wrong =
        |why: String| Failure::new(Code::Usage, format!("The publication makes no sense: {why}."));
    let mut order = dsg_core::manifest::OrderCheck::for_delta();
    for change in publication.changes.iter() {
        order.next(&change).map_err(wrong)?;
        if change.path.is_within(OURS) {
            return Err(wrong(format!("{} is no data", change.path)));
        }
    }
    if !publication.copies.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(wrong("copies are out of order".into()));
    }
    for (to, _) in &publication.copies {
        if put(publication, to).is_none() {
            return Err(wrong(format!("{to} is copied, but not put")));
        }
    }
    for (path, source) in sources(publication) {
        let Some(Entry::File(put)) = put(publication, path) else { continue };
        let (Source::Move(from) | Source::Copy(from)) = source;
        match base(from) {
            Some(Entry::File(file)) if file.hash == put.hash && file.size == put.size => {}
            _ => return Err(wrong(format!("{from} does not hold the content of {path}"))),
        }
    }
    Ok(())
}

/// The folder of a tree in which was worked last: sorted paths mostly stay in one.
struct Place<'t> {
    tree: &'t Dir,
    dir: Dir,
    rel: Option<String>,
}

impl<'t> Place<'t> {
    fn new(tree: &'t Dir) -> FsResult<Self> {
        Ok(Self { tree, dir: tree.try_clone()?, rel: None })
    }

    /// Goes to the folder of `path`, after `make` has seen to it that it is there; gives it with the
    /// last name.
    fn of<'p>(
        &mut self,
        path: &'p RepoPath,
        make: impl FnOnce(&str) -> FsResult<()>,
    ) -> FsResult<(&Dir, &'p str)> {
        let (rel, name) = path.rsplit_once('/').unwrap_or(("", path.as_str()));
        if self.rel.as_deref() != Some(rel) {
            make(rel)?;
            self.dir = beneath(self.tree, rel.as_bytes())?;
            self.rel = Some(rel.to_owned());
        }
        Ok((&self.dir, name))
    }
}

/// Applies the changes.
pub(super) fn apply(
    staging: &Staging,
    tree: &Dir,
    publication: &Publication,
    monitor: &Monitor,
) -> Outcome<Applied> {
    let modes = staging.repo.modes();
    let mut applied = Applied::default();
    let sources = sources(publication);
    let moved = fresh(&staging.dir, MOVED, modes)?;
    for (turn, (path, source)) in sources.iter().enumerate() {
        bring(tree, &moved, turn, path, *source, publication, modes)?;
    }
    crash::COPIED.pass();
    for change in publication.changes.iter().filter(|c| c.entry.is_none()) {
        clear(tree, true, &change.path, &mut applied)?;
        monitor.advanced(1, 0);
    }
    let mut waiting = sources.keys().enumerate().peekable();
    let mut twins = Twins::of(publication);
    let mut place = Place::new(tree)?;
    for change in puts(publication) {
        let path = &change.path;
        let turn = waiting.next_if(|(_, to)| **to == path).map(|(turn, _)| turn.to_string());
        let (dir, name) = place.of(path, |rel| {
            applied.dirs.insert(PathBuf::from(rel));
            if !rel.is_empty() {
                let new = tree.ensure_dirs(rel, Some(modes.dir()))?;
                let parents = new.iter().map(|dir| dir.parent().map(Path::to_owned));
                applied.dirs.extend(parents.map(Option::unwrap_or_default));
            }
            Ok(())
        })?;
        let mut put = || -> Outcome<FsResult<()>> {
            match (&change.entry, &turn) {
                (Some(Entry::Link(target)), _) => Ok(dir.symlink(target.as_str(), name)),
                (Some(Entry::File(_)), Some(turn)) => Ok(moved.rename_new(turn, dir, name)),
                (Some(Entry::File(file)), None) => {
                    place_staged(staging, tree, (dir, name), path, file, &mut twins)
                }
                (None, _) => Ok(Ok(())),
            }
        };
        let placed = match put()? {
            Err(e) if e.is_present() => {
                // What is replaced goes only now: most of what comes is new.
                clear(tree, false, path, &mut applied)?;
                put()?
            }
            placed => placed,
        };
        placed.map_err(|e| {
            if e.is_present() {
                Failure::new(
                    Code::Drift,
                    format!(
                        "Something that is not tracked stands in the way of {path} on the host."
                    ),
                )
                .hint("Move it away on the host, then try again; nothing was changed.")
                .about([path.as_str()])
                .because(e)
            } else {
                e.into()
            }
        })?;
        monitor.advanced(1, 0);
    }
    staging.dir.remove_tree(MOVED)?;
    Ok(applied)
}

/// What a publication puts, sorted by path.
pub(super) fn puts(publication: &Publication) -> impl Iterator<Item = Change> {
    publication.changes.iter().filter(|c| c.entry.is_some())
}

fn parent_of(path: &RepoPath) -> PathBuf {
    path.parent().map(|p| PathBuf::from(p.as_str())).unwrap_or_default()
}

/// An empty directory.
pub(super) fn fresh(dir: &Dir, name: &str, modes: Modes) -> FsResult<Dir> {
    dir.remove_tree(name)?;
    dir.create_dir(name, Some(modes.dir()))
}

/// Brings a copy or move to where it waits until its place is free.
fn bring(
    tree: &Dir,
    moved: &Dir,
    turn: usize,
    path: &RepoPath,
    source: Source<'_>,
    publication: &Publication,
    modes: Modes,
) -> Outcome<()> {
    let (Source::Move(from) | Source::Copy(from)) = source;
    let wanted = put(publication, path);
    let (Some(Entry::File(wanted)), Some(stat)) = (wanted, tree.stat(from.as_str())?) else {
        return Err(Failure::new(
            Code::Drift,
            format!("{from} is not there any more on the host."),
        )
        .about([from.as_str()]));
    };
    let waiting = turn.to_string();
    if matches!(source, Source::Move(_)) && stat.mtime == wanted.mtime && stat.exec() == wanted.exec
    {
        return Ok(tree.rename_new(from.as_str(), moved, &waiting)?);
    }
    copy_file(tree, from.as_ref(), moved, waiting.as_ref(), &stat)?;
    moved.set_times(&waiting, wanted.mtime)?;
    Ok(moved.set_mode(&waiting, modes.file(wanted.exec, stat.private()))?)
}

/// Removes what is deleted or replaced, and directories that are empty by that.
fn clear(tree: &Dir, gone: bool, path: &RepoPath, applied: &mut Applied) -> Outcome<()> {
    match tree.remove_file(path.as_str()) {
        Ok(()) => {
            applied.dirs.insert(parent_of(path));
        }
        Err(e) if e.is_absent() => {}
        // A put that replaces a directory: what it held is deleted by changes of its own.
        Err(e) if e.errno == Errno::ISDIR && !gone => match tree.remove_dir(path.as_str()) {
            Ok(()) => {}
            Err(e) if e.is_present() => {}
            Err(e) => return Err(e.into()),
        },
        Err(e) => return Err(e.into()),
    }
    if gone {
        applied.patch.remove(path.as_bytes());
        for dir in path.ancestors() {
            match tree.remove_dir(dir) {
                Ok(()) => {
                    applied.dirs.remove(Path::new(dir));
                    applied
                        .dirs
                        .insert(Path::new(dir).parent().map(Path::to_owned).unwrap_or_default());
                }
                Err(e) if e.is_present() || e.is_absent() => break,
                Err(e) => return Err(e.into()),
            }
        }
    }
    Ok(())
}

/// Content that several puts share: staged once, it is where the first of them was put.
struct Twins {
    repeated: HashSet<u64>,
    placed: HashMap<Hash, RepoPath>,
}

impl Twins {
    fn of(publication: &Publication) -> Self {
        let hashes = puts(publication).filter_map(|c| Some(c.entry?.file()?.hash));
        Self { repeated: repeated(hashes), placed: HashMap::new() }
    }
}

/// Puts a staged object in its place: by a rename the first time, as a copy of that after.
fn place_staged(
    staging: &Staging,
    tree: &Dir,
    (dir, at): (&Dir, &str),
    path: &RepoPath,
    file: &dsg_core::entry::FileEntry,
    twins: &mut Twins,
) -> Outcome<FsResult<()>> {
    let modes = staging.repo.modes();
    let name = file.hash.to_string();
    match staging.objects.stat(&name)? {
        Some(stat) if stat.kind == Kind::File && stat.size == file.size => {
            let within = staging.repo.site.is_some()
                && rewrite(&staging.objects, &name, dir, at, file.size)?;
            if within {
                staging.objects.remove_file(&name)?;
            } else if let Err(e) = staging.objects.rename_new(&name, dir, at) {
                return Ok(Err(e));
            }
            if twins.repeated.contains(&beginning(&file.hash)) {
                twins.placed.insert(file.hash, path.clone());
            }
            if within || stat.mtime != file.mtime {
                dir.set_times(at, file.mtime)?;
            }
            let mode = modes.file(file.exec, stat.private());
            if within || stat.mode != mode {
                dir.set_mode(at, mode)?;
            }
        }
        _ => {
            let first = twins.placed.get(&file.hash).ok_or_else(|| {
                Failure::new(Code::Usage, format!("The content of {path} was not staged."))
            })?;
            let Some(stat) = tree.stat(first.as_str())? else {
                return Err(Failure::new(
                    Code::Io,
                    format!("{first} vanished from the staging tree."),
                ));
            };
            match dir.stat(at) {
                Ok(None) => {}
                Ok(Some(_)) => return Ok(Err(FsError::new("create", tree.at(path), Errno::EXIST))),
                Err(e) => return Ok(Err(e)),
            }
            copy_file(tree, first.as_ref(), dir, at.as_ref(), &stat)?;
            dir.set_times(at, file.mtime)?;
            dir.set_mode(at, modes.file(file.exec, stat.private()))?;
        }
    }
    Ok(Ok(()))
}

/// Puts staged content back, after a publish that did not come to its decision.
pub(super) fn unapply(staging: &Dir, tree: &Dir, placed: impl Iterator<Item = (RepoPath, Hash)>) {
    let Ok(objects) = staging.open_beneath(OBJECTS) else { return };
    for (path, hash) in placed {
        // A file with several names is the live tree's.
        if let Ok(Some(stat)) = tree.stat(path.as_str())
            && stat.kind == Kind::File
            && stat.nlink == 1
        {
            let _ = tree.rename_new(path.as_str(), &objects, hash.to_string());
        }
    }
}

/// Records what now stands at paths of the new tree: those that were put, and those that merely
/// have another inode.
pub(super) fn record(
    tree: &Dir,
    publication: &Publication,
    relinked: &[Vec<u8>],
    patch: &mut Patch,
) -> Outcome<()> {
    let seen = |stat: Option<Stat>| stat.filter(|s| s.kind != Kind::Dir).map(|s| Seen::of(&s));
    for path in relinked {
        if let Some(seen) = seen(tree.stat(OsStr::from_bytes(path))?) {
            patch.refresh(path, seen);
        }
    }
    let mut place = Place::new(tree)?;
    for put in puts(publication) {
        let (dir, name) = place.of(&put.path, |_| Ok(()))?;
        if let Some(seen) = seen(dir.stat(name)?) {
            patch.put(put.path.as_bytes(), seen);
        }
    }
    Ok(())
}
