//! The locks of a repository: whose step it is, and the file that whoever publishes holds.
//!
//! Both outlive every publish, in a folder of root's that no switch touches.

use std::fs::{File, Metadata};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_fs::error::FsError;
use rustix::fs::{FlockOperation, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::mounts::Mounts;
use super::name::Part;
use super::root::At;
use super::verb::Answer;
use super::{find, home, mount};

/// How long a verb waits for another one about the same repository.
const PATIENCE: Duration = Duration::from_secs(120);

impl At<'_> {
    /// Verbs about one repository go one after another. The file is left to the programs that are
    /// run, so that one that outlives its caller still has its turn.
    pub(super) fn turn(&self) -> Outcome<File> {
        let path = self.file_in("turn")?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW;
        let failed = |e| -> Failure { FsError::new("lock", &path, e).into() };
        let begun = Instant::now();
        loop {
            let file = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o600));
            let file = file.map_err(failed)?;
            if !taken(&file, PATIENCE.saturating_sub(begun.elapsed())).map_err(failed)? {
                return Err(Failure::new(
                    Code::Locked,
                    format!("Another step on {} has not ended for a long time.", self.live),
                )
                .hint("Try again later; on the host, ps shows which program zfs still runs."));
            }
            // It may have been removed while we waited: then another one counts.
            if leads_to(&path, &file).map_err(failed)? {
                return Ok(file.into());
            }
        }
    }

    /// Removes the files of locks that nobody needs any more; our own turn's, too.
    pub(super) fn forget_locks(&self) -> Outcome<()> {
        for folder in ["lock", "turn"] {
            let path = self.file_in(folder)?;
            match rustix::fs::unlink(&path) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(e) => return Err(FsError::new("remove", &path, e).into()),
            }
        }
        Ok(())
    }

    /// A file of root's for this repository; `%` stands in no dataset's name.
    fn file_in(&self, folder: &str) -> Outcome<PathBuf> {
        let folder = Path::new(mount::PRIVATE).join(folder);
        home::folder(&folder)?;
        Ok(folder.join(self.live.as_str().replace('/', "%")))
    }

    /// Whoever may write the repository's files may hold its lock.
    pub(super) fn lock_file(&self) -> Outcome<Answer> {
        let root = self.root()?;
        let path = self.file_in("lock")?;
        let (uid, gid, mode) = match root {
            Some(root) => {
                (Uid::from_raw(root.uid()), Gid::from_raw(root.gid()), root.permissions().mode())
            }
            None => (self.caller.0, self.caller.1, 0),
        };
        let mode = 0o600
            | if mode & 0o020 != 0 { 0o060 } else { 0 }
            | if mode & 0o002 != 0 { 0o006 } else { 0 };
        let failed = |e| -> Failure { FsError::new("make the lock", &path, e).into() };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o600)).map_err(failed)?;
        rustix::fs::fchown(&file, Some(uid), Some(gid)).map_err(failed)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(failed)?;
        Ok(Answer::LockFile(path))
    }

    /// The root of D, or of what is to be it; none if there is neither.
    fn root(&self) -> Outcome<Option<Metadata>> {
        let look = |at: &Path| at.metadata().map_err(|e| Failure::io("look at", at, e)).map(Some);
        let member = match self.one(Part::Live)? {
            Some(live) if live.is_published() => live,
            live => {
                let mut others = find::family(self.live, None, None)?.others;
                others.sort_by_key(|m| !m.is_published());
                match (others.into_iter().next(), live) {
                    // A publish of it is not finished.
                    (Some(other), _) => other,
                    (None, None) => return Ok(None),
                    (None, Some(_)) => {
                        let told = format!("There is a dataset {} already", self.live);
                        return Err(Failure::new(
                            Code::Exists,
                            format!("{told}, and it is no repository."),
                        )
                        .hint("Choose another name. Nothing was changed."));
                    }
                }
            }
        };
        if let Some(at) = Mounts::now()?.shown(member.name.as_str()).first() {
            return look(at);
        }
        let at = self.mount(member.part, Some(member.guid))?;
        let root = look(&at);
        mount::detach(member.name.as_str(), &[at])?;
        root
    }
}

/// Waits for a lock that others hold, for a while; whether it is ours now.
fn taken(file: &impl AsFd, patience: Duration) -> rustix::io::Result<bool> {
    let begun = Instant::now();
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) if begun.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(e) => return Err(e),
        }
    }
}

/// Whether a path leads to an open file.
fn leads_to(path: &Path, file: &impl AsFd) -> rustix::io::Result<bool> {
    let own = rustix::fs::fstat(file)?;
    match rustix::fs::lstat(path) {
        Ok(there) => Ok((there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_a_turn_for_ever_is_not_waited_for_that_long() {
        let place = tempfile::tempdir().unwrap();
        let open = || File::create(place.path().join("turn")).unwrap();
        let (one, other) = (open(), open());
        let short = Duration::from_millis(30);
        assert_eq!(taken(&one, short), Ok(true));
        assert_eq!(taken(&other, short), Ok(false));
        drop(one);
        assert_eq!(taken(&other, short), Ok(true));
        // One that is removed, and perhaps made anew by another, is nobody's turn.
        let path = place.path().join("turn");
        assert_eq!(leads_to(&path, &open()), Ok(true));
        let held = open();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(leads_to(&path, &held), Ok(false));
        open();
        assert_eq!(leads_to(&path, &held), Ok(false));
    }
}
