//! Carrying out a published plan in the project's folder.
//!
//! No step looks first and acts then: what is in the way is swapped out in one step, and inspected
//! afterwards. If it is not what the plan saw, it is swapped back and the path is refused: it keeps
//! its cache and shows as a conflict. What came out rightly goes to the trash. First everything
//! leaves its place, then everything comes, so that `a` may become `a/a`.
//!
//! Every step can be found half done and be finished; taking all of them twice ends like taking them
//! once. Whatever a single path refuses (a permission, a link, a newer file) is refused for that
//! path; only a failing disk stops the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use dsg_core::entry::{Entry, Hash};
use dsg_core::failure::Outcome;
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::plan::effects::Step;
use dsg_fs::dir::Dir;
use dsg_fs::error::{FsError, FsResult};
use dsg_fs::stat::{Kind, Stat};
use rustix::io::Errno;

use crate::areas::{Area, Areas};
use crate::crash;
use crate::record::{SealedStep, Wait};

/// How one step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// As planned.
    Done,
    /// Undone, because the folder is not what the plan saw; why.
    Refused(String),
}

const CHANGED: &str = "it was changed here during the sync";
const DELETED: &str = "it was deleted here during the sync";
const OTHER_FOLDER: &str = "the folder changed during the sync";
const NOT_THERE: &str = "its file system, or what was staged for it, is not there any more";

/// Takes all steps; `steps` gives them anew each time, in order. Gives what was refused, by the
/// step's number.
///
/// # Errors
/// The disk fails, or the steps cannot be read; all can be taken again later.
pub(crate) fn settle<I: Iterator<Item = Outcome<SealedStep>>>(
    areas: &Areas,
    steps: impl Fn() -> I,
    monitor: &Monitor,
) -> Outcome<BTreeMap<u64, String>> {
    areas.look_anew();
    let mut refused = BTreeMap::new();
    // What left its place and has to arrive at another one.
    let mut between = BTreeSet::new();
    for sealed in steps() {
        let sealed = sealed?;
        crash::STEP.pass();
        let ended = match &sealed.step {
            Step::Remove { path, expected, aside } => {
                leave(areas, path, aside.as_ref(), expected, &sealed)?
            }
            Step::Rename { from, to, expected, .. } => {
                leave(areas, from, Some(to), expected, &sealed)?
            }
            Step::Place { .. } | Step::Agree { .. } | Step::Forget { .. } => continue,
        };
        match ended {
            Some(Ended::Done) => {}
            Some(Ended::Refused(why)) => drop(refused.insert(sealed.number, why)),
            None => drop(between.insert(sealed.number)),
        }
    }
    let mut folders = Folders::default();
    for sealed in steps() {
        let sealed = sealed?;
        folders.note(&sealed.step);
        if let Some(Ended::Refused(why)) = arrival(areas, &sealed, &between)? {
            refused.insert(sealed.number, why);
        }
        monitor.advanced(1, 0);
    }
    crash::STEPPED.pass();
    remove_emptied(areas.root(), &folders.left);
    harden(areas, &folders.touched)?;
    crash::DURABLE.pass();
    Ok(refused)
}

/// The second half: what comes to a place. `None`: the step has none.
fn arrival(areas: &Areas, sealed: &SealedStep, between: &BTreeSet<u64>) -> Outcome<Option<Ended>> {
    let ended = match &sealed.step {
        Step::Place { path, expected, aside, entry, .. } => {
            crash::STEP.pass();
            place(areas, path, entry, expected.as_ref(), aside.as_ref(), sealed)?
        }
        Step::Remove { path, aside: Some(aside), .. } if between.contains(&sealed.number) => {
            crash::STEP.pass();
            arrive_aside(areas, path, aside, sealed)?
        }
        Step::Rename { from, to, entry, .. } if between.contains(&sealed.number) => {
            crash::STEP.pass();
            let ended = arrive_aside(areas, from, to, sealed)?;
            if let (Ended::Done, Entry::File(file)) = (&ended, entry) {
                // A file of somebody else's keeps its time.
                let _ = areas.root().set_times(to.as_str(), file.mtime);
            }
            ended
        }
        _ => return Ok(None),
    };
    Ok(Some(ended))
}

/// What staging still holds once all steps are taken: content that was refused and is exactly what
/// was staged can go; anything else is a person's and goes to the trash.
///
/// # Errors
/// The disk's, or the steps cannot be read.
pub(crate) fn sweep(
    areas: &Areas,
    steps: impl Iterator<Item = Outcome<SealedStep>>,
) -> Outcome<()> {
    let mut left: BTreeSet<u64> = BTreeSet::new();
    for area in areas.all() {
        let names = area.staging.list()?;
        left.extend(names.iter().filter_map(|n| n.name.to_str()?.parse::<u64>().ok()));
    }
    if left.is_empty() {
        return Ok(());
    }
    for sealed in steps {
        let sealed = sealed?;
        if !left.contains(&sealed.number) {
            continue;
        }
        let (path, staged) = match &sealed.step {
            Step::Place { path, entry, .. } => (path, Some(entry)),
            Step::Remove { path, .. } | Step::Rename { from: path, .. } => (path, None),
            Step::Agree { .. } | Step::Forget { .. } => continue,
        };
        let name = sealed.name();
        let Some(area) = areas.find(path) else { continue };
        let Some(stat) = area.staging.stat(&name)? else { continue };
        if !staged.is_some_and(|entry| is_ours(&stat, entry, &sealed.wait)) {
            to_trash(&area.staging, &name, &area.trash, path)?;
        }
    }
    Ok(())
}

/// Folders whose names change, and those that may become empty.
#[derive(Default)]
struct Folders {
    touched: BTreeSet<Option<RepoPath>>,
    left: BTreeSet<RepoPath>,
}

impl Folders {
    fn note(&mut self, step: &Step) {
        let (from, to) = match step {
            Step::Place { path, aside, .. } => {
                self.touched.insert(path.parent());
                (None, aside.as_ref())
            }
            Step::Remove { path, aside, .. } => (Some(path), aside.as_ref()),
            Step::Rename { from, to, .. } => (Some(from), Some(to)),
            Step::Agree { .. } | Step::Forget { .. } => return,
        };
        self.touched.extend(from.into_iter().chain(to).map(RepoPath::parent));
        self.left.extend(from.and_then(RepoPath::parent));
    }
}

/// What one path refuses is a value; what stops everything is an error.
fn refuse(error: FsError) -> Outcome<Ended> {
    let why = match error.errno {
        Errno::ACCESS | Errno::PERM | Errno::BUSY => "permission was refused here",
        _ if error.is_escape() || error.is_absent() || error.is_present() => OTHER_FOLDER,
        Errno::ISDIR | Errno::NAMETOOLONG => OTHER_FOLDER,
        _ => return Err(error.into()),
    };
    Ok(Ended::Refused(why.to_owned()))
}

fn refused(why: &str) -> Ended {
    Ended::Refused(why.to_owned())
}

fn place(
    areas: &Areas,
    path: &RepoPath,
    entry: &Entry,
    expected: Option<&Entry>,
    aside: Option<&RepoPath>,
    sealed: &SealedStep,
) -> Outcome<Ended> {
    let root = areas.root();
    let Some(Area { staging, trash, .. }) = areas.find(path) else {
        return Ok(refused(NOT_THERE));
    };
    let (name, wait) = (sealed.name(), &sealed.wait);
    let name = name.as_str();
    let Some(waiting) = staging.stat(name)? else {
        // Only this transaction takes names out of this folder: it was placed before, and what
        // came out is where it belongs.
        return Ok(Ended::Done);
    };
    let fresh = wait.staged == Some(waiting.ino);
    let Some(expected) = expected else {
        return arrive(root, staging, name, path).map_or_else(refuse, |()| Ok(Ended::Done));
    };
    if fresh && let Err(error) = staging.exchange(name, root, path.as_str()) {
        return if error.is_absent() { Ok(refused(DELETED)) } else { refuse(error) };
    }
    crash::SWAPPED.pass();
    if !is_expected(staging, name, expected, wait) {
        return give_back(root, staging, trash, path, entry, sealed);
    }
    crash::INSPECTED.pass();
    let gone = match aside {
        None => return to_trash(staging, name, trash, path).map(|()| Ended::Done),
        Some(aside) => arrive(root, staging, name, aside),
    };
    match gone {
        Ok(()) => Ok(Ended::Done),
        Err(error) => match refuse(error)? {
            Ended::Refused(_) => give_back(root, staging, trash, path, entry, sealed),
            Ended::Done => Ok(Ended::Done),
        },
    }
}

/// Puts what waits at a name that is free, making the folders above it. Empty folders give way:
/// nobody tracks them.
fn arrive(root: &Dir, staging: &Dir, name: &str, path: &RepoPath) -> FsResult<()> {
    let attempt =
        || with_parent(root, path, || staging.rename_noreplace(name, root, path.as_str()));
    match attempt() {
        Err(error) if error.is_present() && remove_hollow(root, path.as_str()) => attempt(),
        other => other,
    }
}

/// Undoes an exchange. The newest that a person saved stands at the path in the end, be it a new
/// file or a change of the one that was placed; anything older goes to the trash.
fn give_back(
    root: &Dir,
    staging: &Dir,
    trash: &Dir,
    path: &RepoPath,
    entry: &Entry,
    sealed: &SealedStep,
) -> Outcome<Ended> {
    let name = sealed.name();
    let name = name.as_str();
    match staging.exchange(name, root, path.as_str()) {
        Ok(()) => {}
        Err(error) if error.is_absent() => {
            // What was placed was deleted: what was there before returns.
            if staging.rename_noreplace(name, root, path.as_str()).is_err() {
                to_trash(staging, name, trash, path)?;
            }
            return Ok(refused(CHANGED));
        }
        Err(error) => {
            to_trash(staging, name, trash, path)?;
            return refuse(error);
        }
    }
    if staging.stat(name)?.is_some_and(|s| !is_ours(&s, entry, &sealed.wait)) {
        staging.exchange(name, root, path.as_str())?;
        to_trash(staging, name, trash, path)?;
    }
    Ok(refused(CHANGED))
}

/// Whether it is what was staged, and nobody wrote to it: writing changes the time.
fn is_ours(stat: &Stat, entry: &Entry, wait: &Wait) -> bool {
    wait.staged == Some(stat.ino)
        && match entry {
            Entry::File(file) => stat.size == file.size && stat.mtime == file.mtime,
            Entry::Link(_) => stat.kind == Kind::Link,
        }
}

/// The first half of a removal or a rename: out of its place, into staging, inspected. `None`: it
/// waits there for the second half.
fn leave(
    areas: &Areas,
    path: &RepoPath,
    to: Option<&RepoPath>,
    expected: &Entry,
    sealed: &SealedStep,
) -> Outcome<Option<Ended>> {
    let root = areas.root();
    let Some(Area { staging, trash, .. }) = areas.find(path) else {
        return Ok(Some(refused(NOT_THERE)));
    };
    let (name, wait) = (sealed.name(), &sealed.wait);
    let name = name.as_str();
    if staging.stat(name)?.is_none() {
        let finished = match to {
            None => trash.stat(path.as_str())?.is_some(),
            Some(to) => {
                root.stat(to.as_str()).is_ok_and(|s| s.is_some_and(|s| wait.staged == Some(s.ino)))
            }
        };
        if finished {
            return Ok(Some(Ended::Done));
        }
        match root.rename_noreplace(path.as_str(), staging, name) {
            Ok(()) => {}
            // Deleted here as well: both sides agree, unless it was to be kept under another name.
            Err(error) if error.is_absent() => {
                return Ok(Some(if to.is_none() { Ended::Done } else { refused(DELETED) }));
            }
            Err(error) => return refuse(error).map(Some),
        }
    }
    crash::SWAPPED.pass();
    if !is_expected(staging, name, expected, wait) {
        return put_back(root, staging, trash, path, name, CHANGED).map(Some);
    }
    crash::INSPECTED.pass();
    match to {
        None => to_trash(staging, name, trash, path).map(|()| Some(Ended::Done)),
        Some(_) => Ok(None),
    }
}

/// The second half, for what gets another name.
fn arrive_aside(
    areas: &Areas,
    from: &RepoPath,
    to: &RepoPath,
    sealed: &SealedStep,
) -> Outcome<Ended> {
    let root = areas.root();
    let Some(Area { staging, trash, .. }) = areas.find(from) else {
        return Ok(refused(NOT_THERE));
    };
    let name = sealed.name();
    match arrive(root, staging, &name, to) {
        Ok(()) => Ok(Ended::Done),
        Err(error) => match refuse(error)? {
            Ended::Refused(why) => put_back(root, staging, trash, from, &name, &why),
            Ended::Done => Ok(Ended::Done),
        },
    }
}

/// Returns what was taken out; if its place is taken by now, it goes to the trash.
fn put_back(
    root: &Dir,
    staging: &Dir,
    trash: &Dir,
    path: &RepoPath,
    name: &str,
    why: &str,
) -> Outcome<Ended> {
    if arrive(root, staging, name, path).is_err() {
        to_trash(staging, name, trash, path)?;
    }
    Ok(refused(why))
}

/// Removes a folder that holds nothing but empty folders; `false` if it holds anything else.
fn remove_hollow(root: &Dir, path: &str) -> bool {
    let Ok(names) = root.open_beneath(path).and_then(|dir| dir.list()) else { return false };
    let hollow = |name: &std::ffi::OsString| {
        name.to_str().is_some_and(|n| remove_hollow(root, &format!("{path}/{n}")))
    };
    names.iter().all(|n| hollow(&n.name)) && root.remove_dir(path).is_ok()
}

/// Runs `step`; if a folder on the way is missing, makes it and runs `step` again.
fn with_parent(root: &Dir, path: &RepoPath, step: impl Fn() -> FsResult<()>) -> FsResult<()> {
    match (step(), path.parent()) {
        (Err(error), Some(parent)) if error.is_absent() => {
            root.ensure_dirs(parent.as_str(), None)?;
            step()
        }
        (result, _) => result,
    }
}

fn to_trash(staging: &Dir, name: &str, trash: &Dir, path: &RepoPath) -> Outcome<()> {
    let mut place = path.to_string();
    let mut n = 1;
    loop {
        let into = RepoPath::parse(&place).ok();
        let step = || staging.rename_noreplace(name, trash, &place);
        let moved = match &into {
            Some(into) => with_parent(trash, into, step),
            None => step(),
        };
        match moved {
            Ok(()) => return Ok(()),
            // A file of an earlier step stands where this one would; both are kept.
            Err(error) if error.is_present() || error.is_absent() && n < 100 => {
                n += 1;
                place = format!("{path} ({n})");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether what stands there is what the plan saw. On any doubt it is not.
fn is_expected(dir: &Dir, name: &str, expected: &Entry, wait: &Wait) -> bool {
    let Ok(Some(stat)) = dir.stat(name) else { return false };
    match (stat.kind, expected) {
        (Kind::Link, Entry::Link(target)) => {
            dir.read_link(name).is_ok_and(|found| found == OsStr::new(target.as_str()))
        }
        (Kind::File, Entry::File(file)) => {
            let seen = |s: &Stat| wait.seen == Some((s.ino, s.size, s.mtime));
            stat.exec() == file.exec
                && stat.size == file.size
                && (seen(&stat) || hash(dir, name).is_some_and(|found| found == file.hash))
        }
        _ => false,
    }
}

fn hash(dir: &Dir, name: &str) -> Option<Hash> {
    use sha2::Digest as _;
    use std::io::Read as _;
    let mut file = dir.open_file(name).ok()?;
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Some(Hash(hash.finalize().into())),
            Ok(read) => hash.update(&buffer[..read]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// Folders that became empty go, deepest first; those at the top stay. One that will not go does
/// no harm.
fn remove_emptied(root: &Dir, left: &BTreeSet<RepoPath>) {
    let mut dirs: BTreeSet<&str> = BTreeSet::new();
    for dir in left {
        dirs.insert(dir);
        dirs.extend(dir.ancestors());
    }
    for dir in dirs.into_iter().rev().filter(|d| d.contains('/')) {
        let _ = root.remove_dir(dir);
    }
}

fn harden(areas: &Areas, touched: &BTreeSet<Option<RepoPath>>) -> Outcome<()> {
    if touched.len() > 64 {
        for area in areas.all() {
            area.staging.syncfs()?;
        }
        return Ok(());
    }
    for dir in touched {
        let mut dir = dir.clone();
        // A folder that was removed or made meanwhile: what holds it counts.
        loop {
            let opened = match &dir {
                None => areas.root().try_clone(),
                Some(dir) => areas.root().open_beneath(dir.as_str()),
            };
            match (opened, dir) {
                (Ok(opened), at) => {
                    opened.fsync()?;
                    let Some(at) = at else { break };
                    dir = at.parent();
                }
                (Err(e), Some(at)) if e.is_absent() || e.is_escape() => dir = at.parent(),
                (Err(e), _) => return Err(e.into()),
            }
        }
    }
    if touched.is_empty() { Ok(()) } else { areas.fsync() }
}

#[cfg(test)]
mod tests;
