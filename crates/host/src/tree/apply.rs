//! Applies a publication's changes to the staging tree, which nobody sees yet.
//!
//! Everything happens beneath the staging tree's root: no link is followed. New content is
//! always a new inode; a move renames the name that is already there, unless its time or exec bit
//! change (they belong to the inode, which the former snapshot shares).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use dsg_core::entry::{Entry, Hash};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::path::RepoPath;
use dsg_core::repository::Publication;
use dsg_fs::dir::Dir;
use dsg_fs::error::FsResult;
use dsg_fs::stat::Kind;
use rustix::io::Errno;

use super::copy::copy_file;
use super::layout::Modes;
use super::staging::{MOVED, OBJECTS, Staging};
use super::stats::{Patch, Seen};
use crate::crash;

/// What was touched, to be made durable and recorded.
#[derive(Default)]
pub(super) struct Applied {
    /// Files that have new content or a new name.
    pub(super) files: Vec<RepoPath>,
    /// Directories whose names changed; empty is the root.
    pub(super) dirs: BTreeSet<PathBuf>,
    /// Changes to the recorded stats.
    pub(super) patch: Patch,
    /// Where each staged object is now.
    placed: HashMap<Hash, RepoPath>,
}

/// Where a put's content comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source<'p> {
    Staged,
    Move(&'p RepoPath),
    Copy(&'p RepoPath),
    Link,
}

/// Decides where each put's content comes from.
fn sources(publication: &Publication) -> BTreeMap<&RepoPath, Source<'_>> {
    let gone: BTreeSet<&RepoPath> =
        publication.changes.iter().filter(|c| c.entry.is_none()).map(|c| &c.path).collect();
    let copies: HashMap<&RepoPath, &RepoPath> =
        publication.copies.iter().map(|(to, from)| (to, from)).collect();
    let mut taken = BTreeSet::new();
    let mut sources = BTreeMap::new();
    for change in &publication.changes {
        let source = match (&change.entry, copies.get(&change.path)) {
            (None, _) => continue,
            (Some(Entry::Link(_)), _) => Source::Link,
            (Some(Entry::File(_)), None) => Source::Staged,
            (Some(Entry::File(_)), Some(&from)) if gone.contains(from) && taken.insert(from) => {
                Source::Move(from)
            }
            (Some(Entry::File(_)), Some(&from)) => Source::Copy(from),
        };
        sources.insert(&change.path, source);
    }
    sources
}

/// Proves that a publication makes sense with what is staged and what the base holds.
pub(super) fn check(
    publication: &Publication,
    staged: impl Fn(&Hash) -> bool,
    base: impl Fn(&RepoPath) -> Option<Entry>,
) -> Outcome<()> {
    let wrong =
        |why: String| Failure::new(Code::Usage, format!("The publication makes no sense: {why}."));
    let mut order = dsg_core::manifest::OrderCheck::for_delta();
    for change in &publication.changes {
        order.next(change).map_err(wrong)?;
    }
    if !publication.copies.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(wrong("copies are out of order".into()));
    }
    let puts: BTreeMap<&RepoPath, &Entry> =
        publication.changes.iter().filter_map(|c| Some((&c.path, c.entry.as_ref()?))).collect();
    if let Some((to, _)) = publication.copies.iter().find(|(to, _)| !puts.contains_key(to)) {
        return Err(wrong(format!("{to} is copied, but not put")));
    }
    for (path, source) in sources(publication) {
        let Some(Entry::File(put)) = puts.get(path) else { continue };
        let (Source::Move(from) | Source::Copy(from)) = source else {
            if !staged(&put.hash) {
                return Err(wrong(format!("the content of {path} was not staged")));
            }
            continue;
        };
        match base(from) {
            Some(Entry::File(file)) if file.hash == put.hash && file.size == put.size => {}
            _ => return Err(wrong(format!("{from} does not hold the content of {path}"))),
        }
    }
    Ok(())
}

/// Applies the changes.
pub(super) fn apply(staging: &Staging, tree: &Dir, publication: &Publication) -> Outcome<Applied> {
    let modes = staging.repo.modes();
    let mut applied = Applied::default();
    let sources = sources(publication);
    let moved = fresh(&staging.dir, MOVED, modes)?;
    for (turn, (path, source)) in sources.iter().enumerate() {
        bring(tree, &moved, turn, path, *source, publication, modes)?;
    }
    crash::COPIED.pass();
    for change in &publication.changes {
        clear(tree, change.entry.is_none(), &change.path, &mut applied)?;
    }
    for (turn, change) in puts(publication).enumerate() {
        let path = &change.path;
        if let Some(parent) = path.parent() {
            for new in tree.ensure_dirs(parent.as_str(), Some(modes.dir()))? {
                applied.dirs.insert(new.parent().map(Path::to_owned).unwrap_or_default());
            }
        }
        let placed = match &change.entry {
            None => continue,
            Some(Entry::Link(target)) => tree.symlink(target.as_str(), path.as_str()),
            Some(Entry::File(file)) => match sources.get(path) {
                Some(Source::Move(_) | Source::Copy(_)) => {
                    moved.rename_noreplace(turn.to_string(), tree, path.as_str())
                }
                _ => place_staged(staging, tree, path, file, &mut applied)?,
            },
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
        applied.files.push(path.clone());
        applied.dirs.insert(parent_of(path));
    }
    staging.dir.remove_tree(MOVED)?;
    Ok(applied)
}

fn puts(publication: &Publication) -> impl Iterator<Item = &dsg_core::manifest::Change> {
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
    let (Source::Move(from) | Source::Copy(from)) = source else { return Ok(()) };
    let wanted = publication
        .changes
        .binary_search_by(|c| c.path.cmp(path))
        .ok()
        .and_then(|i| publication.changes[i].entry.as_ref())
        .and_then(Entry::file);
    let (Some(wanted), Some(stat)) = (wanted, tree.stat(from.as_str())?) else {
        return Err(Failure::new(
            Code::Drift,
            format!("{from} is not there any more on the host."),
        )
        .about([from.as_str()]));
    };
    let waiting = turn.to_string();
    if matches!(source, Source::Move(_)) && stat.mtime == wanted.mtime && stat.exec() == wanted.exec
    {
        return Ok(tree.rename_noreplace(from.as_str(), moved, &waiting)?);
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

/// Puts a staged object in its place: by a rename the first time, as a copy of that after.
fn place_staged(
    staging: &Staging,
    tree: &Dir,
    path: &RepoPath,
    file: &dsg_core::entry::FileEntry,
    applied: &mut Applied,
) -> Outcome<FsResult<()>> {
    let modes = staging.repo.modes();
    let name = file.hash.to_string();
    let private = staging.staged(&file.hash).unwrap_or(true);
    match staging.objects.stat(&name)? {
        Some(stat) if stat.kind == Kind::File => {
            if let Err(e) = staging.objects.rename_noreplace(&name, tree, path.as_str()) {
                return Ok(Err(e));
            }
            applied.placed.insert(file.hash, path.clone());
            if stat.mtime != file.mtime {
                tree.set_times(path.as_str(), file.mtime)?;
            }
            let mode = modes.file(file.exec, private);
            if stat.mode != mode {
                tree.set_mode(path.as_str(), mode)?;
            }
        }
        _ => {
            let first = applied.placed.get(&file.hash).cloned().ok_or_else(|| {
                Failure::new(Code::Usage, format!("The content of {path} was not staged."))
            })?;
            let Some(stat) = tree.stat(first.as_str())? else {
                return Err(Failure::new(
                    Code::Io,
                    format!("{first} vanished from the staging tree."),
                ));
            };
            if let Err(e) = tree.stat(path.as_str()) {
                return Ok(Err(e));
            }
            copy_file(tree, first.as_ref(), tree, path.as_ref(), &stat)?;
            tree.set_times(path.as_str(), file.mtime)?;
            tree.set_mode(path.as_str(), modes.file(file.exec, private))?;
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
            let _ = tree.rename_noreplace(path.as_str(), &objects, hash.to_string());
        }
    }
}

/// Records what now stands at paths of the new tree: those that were put, and those that merely
/// have another inode.
pub(super) fn record(
    tree: &Dir,
    put: &[RepoPath],
    relinked: &[Vec<u8>],
    patch: &mut Patch,
) -> Outcome<()> {
    let look = |path: &[u8]| -> Outcome<Option<Seen>> {
        let stat = tree.stat(OsStr::from_bytes(path))?;
        Ok(stat.filter(|s| s.kind != Kind::Dir).map(|s| Seen::of(&s)))
    };
    for path in relinked {
        if let Some(seen) = look(path)? {
            patch.refresh(path, seen);
        }
    }
    for path in put {
        if let Some(seen) = look(path.as_bytes())? {
            patch.put(path.as_bytes(), seen);
        }
    }
    Ok(())
}
