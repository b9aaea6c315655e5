//! Carrying out a published plan in the project's folder.
//!
//! No step looks first and acts then: what is in the way is swapped out in one step, and inspected
//! afterwards. If it is not what the plan saw, it is swapped back and the path is refused: it keeps
//! its cache and shows as a conflict. What came out rightly goes to the trash. Every step can be
//! found half done and be finished; taking all of them twice ends like taking them once.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use dsg_core::entry::{Entry, Hash};
use dsg_core::failure::Outcome;
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::plan::effects::Step;
use dsg_fs::dir::Dir;
use dsg_fs::error::{FsError, FsResult};
use dsg_fs::stat::{Kind, Stat};

use crate::areas::Areas;
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

/// Takes all steps, in order.
///
/// # Errors
/// A step is not possible now; all steps can be taken again later.
pub(crate) fn settle(
    areas: &mut Areas,
    steps: &[SealedStep],
    monitor: &Monitor,
) -> Outcome<Vec<Ended>> {
    let mut ended = Vec::with_capacity(steps.len());
    let mut left: BTreeSet<RepoPath> = BTreeSet::new();
    let mut touched: BTreeSet<Option<RepoPath>> = BTreeSet::new();
    for SealedStep { step, wait } in steps {
        if !matches!(step, Step::Agree { .. }) {
            crash::STEP.pass();
        }
        let end = match step {
            Step::Place { path, expected, aside, .. } => {
                touched.extend(
                    [path.parent()].into_iter().chain(aside.as_ref().map(RepoPath::parent)),
                );
                place(areas, path, expected.as_ref(), aside.as_ref(), wait)?
            }
            Step::Remove { path, expected, aside } => {
                touched.extend(
                    [path.parent()].into_iter().chain(aside.as_ref().map(RepoPath::parent)),
                );
                left.extend(path.parent());
                remove(areas, path, expected, aside.as_ref(), wait)?
            }
            Step::Rename { from, to, expected, entry } => {
                touched.extend([from.parent(), to.parent()]);
                left.extend(from.parent());
                rename(areas, from, to, expected, entry, wait)?
            }
            Step::Agree { .. } => Ended::Done,
        };
        ended.push(end);
        monitor.advanced(1, 0);
    }
    crash::STEPPED.pass();
    remove_emptied(areas.root(), &left)?;
    harden(areas, &touched)?;
    crash::DURABLE.pass();
    Ok(ended)
}

/// Refusals are values, failures are errors: what a step meets is sorted here.
fn refuse(error: FsError) -> Outcome<Ended> {
    if error.is_escape() || error.is_absent() || error.is_present() {
        Ok(Ended::Refused("the folder changed during the sync".to_owned()))
    } else {
        Err(error.into())
    }
}

fn place(
    areas: &mut Areas,
    path: &RepoPath,
    expected: Option<&Entry>,
    aside: Option<&RepoPath>,
    wait: &Wait,
) -> Outcome<Ended> {
    let root = areas.root().try_clone()?;
    let area = areas.at(path)?;
    let (staging, trash) = (&area.staging, &area.trash);
    let name = wait.name.as_str();
    let Some(waiting) = staging.stat(name)? else {
        // It was placed before, and what came out is where it belongs.
        return Ok(Ended::Done);
    };
    let fresh = wait.staged == Some(waiting.ino);
    let Some(expected) = expected else {
        return add(&root, staging, name, path);
    };
    if fresh && let Err(error) = staging.exchange(name, &root, path.as_str()) {
        return if error.is_absent() {
            Ok(Ended::Refused("it was deleted here during the sync".to_owned()))
        } else {
            refuse(error)
        };
    }
    crash::SWAPPED.pass();
    if !is_expected(staging, name, expected, wait) {
        return give_back(&root, staging, trash, path, wait);
    }
    crash::INSPECTED.pass();
    match aside {
        None => to_trash(staging, name, trash, path)?,
        Some(aside) => {
            if let Err(error) =
                with_parent(&root, aside, || staging.rename_noreplace(name, &root, aside.as_str()))
            {
                if error.is_present() || error.is_escape() {
                    return give_back(&root, staging, trash, path, wait);
                }
                return Err(error.into());
            }
        }
    }
    Ok(Ended::Done)
}

fn add(root: &Dir, staging: &Dir, name: &str, path: &RepoPath) -> Outcome<Ended> {
    let attempt =
        || with_parent(root, path, || staging.rename_noreplace(name, root, path.as_str()));
    match attempt() {
        Ok(()) => Ok(Ended::Done),
        Err(error) if error.is_present() && remove_hollow(root, path.as_str()) => {
            // Only empty folders stood there, which nobody tracks.
            attempt().map_or_else(refuse, |()| Ok(Ended::Done))
        }
        Err(error) => refuse(error),
    }
}

/// Removes a folder that holds nothing but empty folders; `false` if it holds anything else.
fn remove_hollow(root: &Dir, path: &str) -> bool {
    let Ok(names) = root.open_beneath(path).and_then(|dir| dir.list()) else { return false };
    let hollow = |name: &std::ffi::OsString| {
        name.to_str().is_some_and(|n| remove_hollow(root, &format!("{path}/{n}")))
    };
    names.iter().all(|n| hollow(&n.name)) && root.remove_dir(path).is_ok()
}

/// Undoes an exchange. Whatever was saved here meanwhile stands at the path in the end; older
/// versions go to the trash.
fn give_back(
    root: &Dir,
    staging: &Dir,
    trash: &Dir,
    path: &RepoPath,
    wait: &Wait,
) -> Outcome<Ended> {
    let name = wait.name.as_str();
    match staging.exchange(name, root, path.as_str()) {
        Ok(()) => {}
        Err(error) if error.is_absent() => {
            // Our file was deleted after the swap: what was there before returns to its place.
            if staging.rename_noreplace(name, root, path.as_str()).is_err() {
                to_trash(staging, name, trash, path)?;
            }
            return Ok(Ended::Refused("it was changed here during the sync".to_owned()));
        }
        Err(error) => return Err(error.into()),
    }
    if staging.stat(name)?.is_some_and(|s| wait.staged != Some(s.ino)) {
        staging.exchange(name, root, path.as_str())?;
        to_trash(staging, name, trash, path)?;
    }
    Ok(Ended::Refused("it was changed here during the sync".to_owned()))
}

fn remove(
    areas: &mut Areas,
    path: &RepoPath,
    expected: &Entry,
    aside: Option<&RepoPath>,
    wait: &Wait,
) -> Outcome<Ended> {
    let root = areas.root().try_clone()?;
    let area = areas.at(path)?;
    let (staging, trash) = (&area.staging, &area.trash);
    let name = wait.name.as_str();
    if staging.stat(name)?.is_none() {
        let finished = match aside {
            None => trash.stat(path.as_str())?.is_some(),
            Some(aside) => root.stat(aside.as_str())?.is_some_and(|s| wait.staged == Some(s.ino)),
        };
        if finished {
            return Ok(Ended::Done);
        }
        match root.rename_noreplace(path.as_str(), staging, name) {
            Ok(()) => {}
            // Deleted here as well: both sides agree.
            Err(error) if error.is_absent() => return Ok(Ended::Done),
            Err(error) => return refuse(error),
        }
    }
    crash::SWAPPED.pass();
    if !is_expected(staging, name, expected, wait) {
        if with_parent(&root, path, || staging.rename_noreplace(name, &root, path.as_str()))
            .is_err()
        {
            to_trash(staging, name, trash, path)?;
        }
        return Ok(Ended::Refused("it was changed here during the sync".to_owned()));
    }
    crash::INSPECTED.pass();
    match aside {
        None => to_trash(staging, name, trash, path)?,
        Some(aside) => {
            let moved =
                with_parent(&root, aside, || staging.rename_noreplace(name, &root, aside.as_str()));
            if let Err(error) = moved {
                if !error.is_present() && !error.is_escape() {
                    return Err(error.into());
                }
                if staging.rename_noreplace(name, &root, path.as_str()).is_err() {
                    to_trash(staging, name, trash, path)?;
                }
                return Ok(Ended::Refused(format!("{aside} appeared here during the sync")));
            }
        }
    }
    Ok(Ended::Done)
}

fn rename(
    areas: &Areas,
    from: &RepoPath,
    to: &RepoPath,
    expected: &Entry,
    entry: &Entry,
    wait: &Wait,
) -> Outcome<Ended> {
    let root = areas.root();
    let there = root.stat(to.as_str()).ok().flatten();
    if there.is_none_or(|s| wait.staged != Some(s.ino)) {
        let moved =
            with_parent(root, to, || root.rename_noreplace(from.as_str(), root, to.as_str()));
        if let Err(error) = moved {
            return refuse(error);
        }
    }
    crash::SWAPPED.pass();
    if !is_expected(root, to.as_str(), expected, wait) {
        // If something new stands at the former place, both stay where they are.
        match with_parent(root, from, || root.rename_noreplace(to.as_str(), root, from.as_str())) {
            Err(error) if !error.is_present() && !error.is_escape() => return Err(error.into()),
            _ => {}
        }
        return Ok(Ended::Refused("it was changed here during the sync".to_owned()));
    }
    if let (Entry::File(now), Entry::File(before)) = (entry, expected)
        && now.mtime != before.mtime
    {
        root.set_times(to.as_str(), now.mtime)?;
    }
    Ok(Ended::Done)
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

/// Folders that became empty go, deepest first; those at the top stay.
fn remove_emptied(root: &Dir, left: &BTreeSet<RepoPath>) -> Outcome<()> {
    let mut dirs: BTreeSet<&str> = BTreeSet::new();
    for dir in left {
        dirs.insert(dir);
        dirs.extend(dir.ancestors());
    }
    for dir in dirs.into_iter().rev().filter(|d| d.contains('/')) {
        match root.remove_dir(dir) {
            Err(e)
                if !(e.is_present()
                    || e.is_absent()
                    || e.is_escape()
                    || e.errno == rustix::io::Errno::BUSY) =>
            {
                return Err(e.into());
            }
            _ => {}
        }
    }
    Ok(())
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
