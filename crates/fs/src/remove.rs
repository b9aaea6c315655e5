//! Removing a whole tree without ever leaving it.
//!
//! Each directory is opened beneath its parent without following links or crossing into another
//! mount, so that a link swapped in meanwhile is removed itself, never what it points to. At most
//! [`DEPTH`] directories are open; what lies deeper is first moved up.

use std::ffi::OsString;

use rustix::fs::{self as sys, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::dir::Dir;
use crate::error::{FsError, FsResult};
use crate::stat::Kind;

/// Directories that are open at once.
const DEPTH: usize = 48;

struct Level {
    dir: Dir,
    name: OsString,
    left: Vec<OsString>,
}

impl Dir {
    /// Removes `name` in this directory, whatever it is, with all below. Nothing there is no error.
    ///
    /// # Errors
    /// Something may not be removed, or another file system is mounted below; the rest stays.
    pub fn remove_tree(&self, name: &str) -> FsResult<()> {
        let Some(stat) = self.stat(name)? else { return Ok(()) };
        if stat.kind != Kind::Dir {
            return absent_is_fine(self.remove_file(name));
        }
        let mut moved_up = 0_u64;
        let mut levels = Vec::new();
        levels.extend(enter(self, name.into())?);
        while let Some(level) = levels.last_mut() {
            let Some(child) = level.left.pop() else {
                let name = levels.pop().map(|l| l.name).unwrap_or_default();
                let parent = levels.last().map_or(self, |l| &l.dir);
                absent_is_fine(parent.remove_dir(&name))?;
                continue;
            };
            // Most names are files: try that before asking what it is.
            match level.dir.remove_file(&child) {
                Ok(()) => continue,
                Err(e) if e.errno == Errno::NOENT => continue,
                Err(e) if e.errno == Errno::ISDIR => {}
                Err(e) => return Err(e),
            }
            if levels.len() < DEPTH {
                let parent = levels.last().map_or(self, |l| &l.dir);
                let next = enter(parent, child)?;
                levels.extend(next);
            } else {
                moved_up += 1;
                let free = OsString::from(levels[0].dir.temporary_name(&moved_up.to_string()));
                let from = levels.last().map_or(self, |l| &l.dir);
                from.rename_noreplace(&child, &levels[0].dir, &free)?;
                levels[0].left.push(free);
            }
        }
        Ok(())
    }
}

/// `None` if it is gone: another process may be removing the same tree.
fn enter(parent: &Dir, name: OsString) -> FsResult<Option<Level>> {
    let failed = |e| FsError::new("remove the folder", parent.at(&name), e);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let fd = match sys::openat2(parent, &name, flags, Mode::empty(), resolve) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.map_err(failed)?,
    };
    let dir = Dir::from_fd(fd, parent.at(&name));
    let mode = dir.own_stat()?.mode;
    if mode & 0o700 != 0o700 {
        // A directory that its owner cannot write cannot be emptied; if it is not ours, the
        // removal below says so.
        let _ = sys::fchmod(&dir, Mode::from_raw_mode(mode | 0o700));
    }
    let left = match dir.list() {
        Ok(names) => names.into_iter().map(|n| n.name).collect(),
        Err(e) if e.errno == Errno::NOENT => Vec::new(),
        Err(e) => return Err(e),
    };
    Ok(Some(Level { dir, name, left }))
}

fn absent_is_fine(done: FsResult<()>) -> FsResult<()> {
    match done {
        Err(e) if e.errno == Errno::NOENT => Ok(()),
        other => other,
    }
}
