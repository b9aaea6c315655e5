//! A second tree that shares its files' inodes with the first.
//!
//! Owns the hardlink copy of a live tree (several threads, directory by directory), and copying a
//! file as an inode of its own: by reflink where the file system has it. Where a second name is
//! refused (`protected_hardlinks`, too many names), the file is copied, and the caller told.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_fs::dir::{Dir, file_stat, set_file_time};
use dsg_fs::error::{FsError, FsResult};
use dsg_fs::stat::{Kind, Stat};
use rustix::fs::{self as sys, AtFlags, Gid, Mode, Uid};

use super::check::{beneath, workers};
use super::stats::join;

/// Directories that wait for a thread.
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Vec<u8>>,
    active: usize,
    copied: Vec<Vec<u8>>,
    failed: Option<Failure>,
}

impl Queue {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Vec<u8>> {
        let mut state = self.state();
        loop {
            if state.failed.is_some() {
                return None;
            }
            if let Some(dir) = state.waiting.pop() {
                state.active += 1;
                return Some(dir);
            }
            if state.active == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, outcome: Outcome<Found>) {
        let mut state = self.state();
        state.active -= 1;
        match outcome {
            Ok(mut found) => {
                state.waiting.append(&mut found.dirs);
                state.copied.append(&mut found.copied);
            }
            Err(e) => state.failed = Some(e),
        }
        self.changed.notify_all();
    }
}

#[derive(Default)]
struct Found {
    dirs: Vec<Vec<u8>>,
    copied: Vec<Vec<u8>>,
    /// Files and links that the new tree has now.
    files: u64,
}

/// Fills the empty directory `to` with the tree `from`; `pause` may end it early. Gives the paths
/// that could not share an inode.
pub(super) fn link_tree(
    from: &Dir,
    to: &Dir,
    monitor: &Monitor,
    pause: &(dyn Fn() -> Outcome<()> + Sync),
) -> Outcome<Vec<Vec<u8>>> {
    let queue = Queue { state: Mutex::default(), changed: Condvar::new() };
    queue.state().waiting.push(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers() {
            scope.spawn(|| {
                while let Some(dir) = queue.take() {
                    queue.done((|| {
                        monitor.check()?;
                        pause()?;
                        let found = link_dir(from, to, &dir)?;
                        monitor.advanced(found.files, 0);
                        Ok(found)
                    })());
                }
            });
        }
    });
    let state = queue.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    state.failed.map_or(Ok(state.copied), Err)
}

fn link_dir(from: &Dir, to: &Dir, rel: &[u8]) -> Outcome<Found> {
    let mut found = Found::default();
    let source = match beneath(from, rel) {
        Ok(dir) => dir,
        // Gone meanwhile: the comparison that follows says so.
        Err(e) if e.is_absent() || e.is_escape() => return Ok(found),
        Err(e) => return Err(e.into()),
    };
    let target = beneath(to, rel)?;
    like(&source, &target)?;
    for name in source.list()? {
        let kind = match name.kind {
            Some(kind) => kind,
            None => match source.stat(Path::new(&name.name))? {
                Some(stat) => stat.kind,
                None => continue,
            },
        };
        if kind == Kind::Dir {
            target.create_dir(Path::new(&name.name), None)?;
            found.dirs.push(join(rel, name.name.as_bytes()));
        } else {
            found.files += 1;
            if !link_or_copy(&source, &name.name, &target, &name.name)? {
                found.copied.push(join(rel, name.name.as_bytes()));
            }
        }
    }
    Ok(found)
}

/// Gives a directory the mode and, where that is allowed, the owners of another.
pub(super) fn like(source: &Dir, target: &Dir) -> FsResult<()> {
    let failed = |e| FsError::new("look at", source.path(), e);
    let (is, shall) = (sys::fstat(target).map_err(failed)?, sys::fstat(source).map_err(failed)?);
    if (is.st_uid, is.st_gid) != (shall.st_uid, shall.st_gid) {
        // Only root may give away; a group of ours may always be set.
        let owner = rustix::process::geteuid().is_root().then(|| Uid::from_raw(shall.st_uid));
        let _ = sys::fchown(target, owner, Some(Gid::from_raw(shall.st_gid)));
    }
    if is.st_mode & 0o7777 != shall.st_mode & 0o7777 {
        sys::fchmod(target, Mode::from_raw_mode(shall.st_mode & 0o7777))
            .map_err(|e| FsError::new("set the permissions of", target.path(), e))?;
    }
    Ok(())
}

/// Gives the file or link a further name; where that is refused, copies it. Whether the inode is
/// shared. Something that vanished meanwhile is no error.
pub(super) fn link_or_copy(from: &Dir, name: &OsStr, to: &Dir, to_name: &OsStr) -> Outcome<bool> {
    match sys::linkat(from, name, to, to_name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => return Ok(true),
        Err(e) => {
            let error = FsError::new("link", from.at(Path::new(name)), e);
            if !error.is_unlinkable() {
                return Err(error.into());
            }
        }
    }
    let Some(stat) = from.stat(Path::new(name))? else { return Ok(true) };
    match stat.kind {
        Kind::File => copy_file(from, Path::new(name), to, Path::new(to_name), &stat)?,
        Kind::Link => to.symlink(from.read_link(Path::new(name))?, Path::new(to_name))?,
        // A pipe or socket that is not ours is never data.
        Kind::Dir | Kind::Special => {}
    }
    Ok(false)
}

/// Copies a file as an inode of its own, with mode and time.
pub(super) fn copy_file(
    from: &Dir,
    rel: &Path,
    to: &Dir,
    to_rel: &Path,
    like: &Stat,
) -> Outcome<()> {
    let input = from.open_file(rel).map_err(|e| {
        let private = e.errno == rustix::io::Errno::ACCESS;
        let failure = Failure::from(e);
        if private {
            failure.hint("It is private to another account: only that account can publish here.")
        } else {
            failure
        }
    })?;
    let output = to.create_new(to_rel, 0o600)?;
    copy_content(&input, &output).map_err(|e| Failure::io("copy to", to.at(to_rel), e))?;
    sys::fchmod(&output, Mode::from_raw_mode(like.mode))
        .map_err(|e| FsError::new("set the permissions of", to.at(to_rel), e))?;
    set_file_time(&output, &to.at(to_rel), like.mtime)?;
    if file_stat(&input, &from.at(rel))?.same_content(like) {
        return Ok(());
    }
    Err(Failure::new(
        Code::Drift,
        format!("{} changed on the host while it was copied.", from.at(rel).display()),
    )
    .hint("Wait until nobody writes there, then try again."))
}

fn copy_content(mut input: &File, mut output: &File) -> std::io::Result<()> {
    if sys::ioctl_ficlone(output, input).is_ok() {
        return Ok(());
    }
    std::io::copy(&mut input, &mut output).map(|_| ())
}
