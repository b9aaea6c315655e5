//! A lock that lives as long as a process that holds it.
//!
//! Owns [`Lock`]: an exclusive `flock` on a file whose content tells others who holds it, since when
//! and for what. The descriptor is inherited by child processes on purpose: if the holder dies
//! while a child still works, the child keeps the lock. Dropping it releases it for all of them.
//! The content alone proves nothing: only the `flock` does.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use rustix::fs::{self as sys, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::dir::{Dir, file_stat};
use crate::error::{FsError, FsResult};
use crate::stat::Stat;

/// Longest content that is read.
const MAX_CONTENT: u64 = 4096;
/// Of each of its lines: all of them fit, whatever the characters are.
const MOST_CHARS: usize = 300;

/// Who holds a lock, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// A person or `login@host`.
    pub who: String,
    /// When it was taken, as RFC 3339.
    pub since: String,
    /// For what, and how far along.
    pub doing: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, since {} ({})", self.who, self.since, self.doing)
    }
}

/// What came of trying.
#[derive(Debug)]
pub enum Tried {
    /// It is ours now.
    Held(Lock),
    /// Another process holds it; who, if its content can be read.
    Busy(Option<Holder>),
}

/// Proof of holding the lock.
#[derive(Debug)]
#[must_use = "the lock is released when this value is dropped"]
pub struct Lock {
    file: File,
    holder: Holder,
}

impl Lock {
    /// Tries to take the lock file `name` in `dir`, creating it with `mode` (the umask does not
    /// narrow it), and never waits.
    ///
    /// # Errors
    /// The file cannot be opened or written.
    pub fn try_acquire(dir: &Dir, name: &str, mode: u32, holder: Holder) -> FsResult<Tried> {
        let failed = |e| FsError::new("lock", dir.at(name), e);
        loop {
            let (file, created) = open(dir, name).map_err(failed)?;
            if created {
                sys::fchmod(&file, Mode::from_raw_mode(mode)).map_err(failed)?;
            }
            match attempt(dir, name, file)? {
                Attempt::Locked(file) => return Self::held(dir, name, file, holder),
                Attempt::Busy(by) => return Ok(Tried::Busy(by)),
                Attempt::Gone => {}
            }
        }
    }

    /// As [`Lock::try_acquire`], but creates nothing; `None` if there is no such file (any more).
    ///
    /// # Errors
    /// The file cannot be opened or written.
    pub fn try_existing(dir: &Dir, name: &str, holder: Holder) -> FsResult<Option<Tried>> {
        let file = match sys::openat(dir, name, OFlags::RDWR | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(fd) => fd.into(),
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(FsError::new("lock", dir.at(name), e)),
        };
        match attempt(dir, name, file)? {
            Attempt::Locked(file) => Self::held(dir, name, file, holder).map(Some),
            Attempt::Busy(by) => Ok(Some(Tried::Busy(by))),
            Attempt::Gone => Ok(None),
        }
    }

    fn held(dir: &Dir, name: &str, file: File, holder: Holder) -> FsResult<Tried> {
        let mut lock = Self { file, holder };
        lock.write().map_err(|e| FsError::std("lock", dir.at(name), &e))?;
        Ok(Tried::Held(lock))
    }

    /// Its file, which was written when it was taken or later: the newest time of its file system that is
    /// known.
    ///
    /// # Errors
    /// The file cannot be looked at.
    pub fn written(&self) -> FsResult<Stat> {
        file_stat(&self.file, Path::new("a lock"))
    }

    /// Who holds the lock file `name` in `dir` now; `None` if nobody does.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn holder(dir: &Dir, name: &str) -> FsResult<Option<Holder>> {
        let file = match dir.open_file(name) {
            Ok(file) => file,
            Err(e) if e.is_absent() => return Ok(None),
            Err(e) => return Err(e),
        };
        match sys::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {
                let _ = sys::flock(&file, FlockOperation::Unlock);
                Ok(None)
            }
            Err(Errno::WOULDBLOCK) => Ok(Some(read_holder(&file).unwrap_or_default())),
            Err(e) => Err(FsError::new("look at the lock", dir.at(name), e)),
        }
    }

    /// Tells others how far along the holder is. Never fails: it is for people only.
    pub fn doing(&mut self, doing: &str) {
        doing.clone_into(&mut self.holder.doing);
        let _ = self.write();
    }

    fn write(&mut self) -> std::io::Result<()> {
        let one_line = |text: &str| -> String {
            text.replace(['\n', '\r'], " ").chars().take(MOST_CHARS).collect()
        };
        let Holder { who, since, doing } = &self.holder;
        let text = format!("{}\n{}\n{}\n", one_line(who), one_line(since), one_line(doing));
        self.file.seek(SeekFrom::Start(0))?;
        self.file.set_len(0)?;
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        // Closing alone would leave it with the children that inherited the descriptor.
        let _ = sys::flock(&self.file, FlockOperation::Unlock);
    }
}

/// What came of locking an open file.
enum Attempt {
    Locked(File),
    Busy(Option<Holder>),
    /// Locked, but removed meanwhile: such a lock excludes nobody.
    Gone,
}

fn attempt(dir: &Dir, name: &str, file: File) -> FsResult<Attempt> {
    let failed = |e| FsError::new("lock", dir.at(name), e);
    let mut tries = 0;
    loop {
        match sys::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            // Somebody who merely looks (`Lock::holder`) has it for an instant.
            Err(Errno::WOULDBLOCK) if tries < 3 => {
                tries += 1;
                std::thread::sleep(std::time::Duration::from_millis(tries));
            }
            Err(Errno::WOULDBLOCK) => return Ok(Attempt::Busy(read_holder(&file))),
            Err(e) => return Err(failed(e)),
        }
    }
    let own = sys::fstat(&file).map_err(failed)?.st_ino;
    let stands = dir.stat(name)?.is_some_and(|there| there.ino == own);
    Ok(if stands { Attempt::Locked(file) } else { Attempt::Gone })
}

/// Opens the lock file for writing, without close-on-exec; whether it is new.
fn open(dir: &Dir, name: &str) -> Result<(File, bool), Errno> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW;
    loop {
        match sys::openat(dir, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => {}
            other => return other.map(|fd| (fd.into(), false)),
        }
        let new = flags | OFlags::CREATE | OFlags::EXCL;
        match sys::openat(dir, name, new, Mode::from_raw_mode(0o600)) {
            Err(Errno::EXIST) => {}
            other => return other.map(|fd| (fd.into(), true)),
        }
    }
}

fn read_holder(mut file: &File) -> Option<Holder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(MAX_CONTENT).read_to_string(&mut text).ok()?;
    // It is being written: half a word would be taken for another.
    text.ends_with('\n').then_some(())?;
    let mut lines = text.lines().map(str::to_owned);
    Some(Holder { who: lines.next()?, since: lines.next()?, doing: lines.next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_on_a_file_that_was_removed_or_replaced_meanwhile_excludes_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        let opened = || open(&dir, "lock").unwrap().0;
        let taken = |file| matches!(attempt(&dir, "lock", file).unwrap(), Attempt::Locked(_));
        assert!(taken(opened()));

        let removed = opened();
        std::fs::remove_file(folder.path().join("lock")).unwrap();
        assert!(!taken(removed));

        let former = opened();
        std::fs::rename(folder.path().join("lock"), folder.path().join("former")).unwrap();
        let new = opened();
        assert!(!taken(former));
        assert!(taken(new));
    }

    #[test]
    fn what_a_holder_says_is_heard_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        let held = open(&dir, "lock").unwrap().0;
        sys::flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
        let heard = |said: &str| {
            std::fs::write(folder.path().join("lock"), said).unwrap();
            match Lock::try_acquire(&dir, "lock", 0o600, Holder::default()).unwrap() {
                Tried::Busy(by) => by.map(|by| by.doing),
                Tried::Held(_) => panic!("it is held"),
            }
        };
        for half in ["", "ana\n", "ana\ntoday\n", "ana\ntoday\nprepar"] {
            assert_eq!(heard(half), None, "{half:?}");
        }
        assert_eq!(heard("ana\ntoday\nprepares\n").as_deref(), Some("prepares"));
    }
}
