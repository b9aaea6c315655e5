//! An open directory as the right to work beneath it.
//!
//! Owns every way to look at or change names below a directory. A path below it is resolved by
//! `openat2` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS`: no link in any
//! component is ever followed, whoever swaps it in meanwhile. Refuses `..`, absolute paths, and
//! to open anything but a regular file for reading. Needs Linux 5.6; older kernels get an error.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use dsg_core::entry::Mtime;
use rustix::fs::{
    self as sys, AtFlags, FileType, Mode, OFlags, RawDir, RenameFlags, ResolveFlags, Timespec,
    Timestamps,
};
use rustix::io::Errno;

use crate::error::{FsError, FsResult};
use crate::stat::{Kind, Stat, WANTED};

const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
/// A link itself, and what an automounter has mounted already.
const LOOK: AtFlags = AtFlags::SYMLINK_NOFOLLOW.union(AtFlags::NO_AUTOMOUNT);
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open directory.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    /// Where it was opened: for messages only.
    path: PathBuf,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Its bytes; any but `/` and NUL.
    pub name: OsString,
    /// Its kind, unless the file system does not tell without a `stat`.
    pub kind: Option<Kind>,
}

/// Room on a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this user may still write.
    pub free: u64,
    /// Files that may still be created; `None` where the file system sets no limit.
    pub files: Option<u64>,
}

impl Dir {
    /// Opens the directory at `path`, following links in it: the place where a person pointed.
    ///
    /// # Errors
    /// It is not there, is no directory, or may not be read.
    pub fn open(path: impl AsRef<Path>) -> FsResult<Self> {
        let path = path.as_ref();
        let fd = sys::open(path, DIRECTORY, Mode::empty())
            .map_err(|e| FsError::new("open the folder", path, e))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    pub(crate) fn from_fd(fd: OwnedFd, path: PathBuf) -> Self {
        Self { fd, path }
    }

    /// Where it was opened, for messages: it may have been renamed since.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where `rel` would stand, for messages.
    pub fn at(&self, rel: impl AsRef<Path>) -> PathBuf {
        self.path.join(rel)
    }

    /// Opens a directory below this one.
    ///
    /// # Errors
    /// It is not there, or a link stands in the path ([`FsError::is_escape`]).
    pub fn open_beneath(&self, rel: impl AsRef<Path>) -> FsResult<Self> {
        let rel = rel.as_ref();
        let fd = self.resolve(rel, DIRECTORY).map_err(|e| self.error("open the folder", rel, e))?;
        Ok(Self { fd, path: self.at(rel) })
    }

    /// Another descriptor of the same directory.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn try_clone(&self) -> FsResult<Self> {
        let fd =
            self.fd.try_clone().map_err(|e| FsError::std("open the folder", &self.path, &e))?;
        Ok(Self { fd, path: self.path.clone() })
    }

    /// What stands at `rel` itself (a link is not followed); `None` if nothing does.
    ///
    /// # Errors
    /// It cannot be known: a link in the path, no permission, a vanished file system.
    pub fn stat(&self, rel: impl AsRef<Path>) -> FsResult<Option<Stat>> {
        let rel = rel.as_ref();
        let found = self
            .within(rel, |fd, name| sys::statx(fd, name, LOOK, WANTED))
            .map_err(|e| self.error("look at", rel, e));
        match found {
            Ok(stat) => Ok(Some(stat.into())),
            Err(e) if e.is_absent() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The directory's own stat.
    ///
    /// # Errors
    /// Its file system is gone.
    pub fn own_stat(&self) -> FsResult<Stat> {
        own_stat(&self.fd).map_err(|e| FsError::new("look at", &self.path, e))
    }

    /// Creates the directory `rel` and those above it that are missing; gives those that are new,
    /// top first. `mode` is set on new ones as it stands; without it the umask decides.
    ///
    /// # Errors
    /// No permission, no space, or something else stands in the path.
    pub fn ensure_dirs(&self, rel: impl AsRef<Path>, mode: Option<u32>) -> FsResult<Vec<PathBuf>> {
        let rel = rel.as_ref();
        match self.resolve(rel, DIRECTORY | OFlags::PATH) {
            Ok(_) => return Ok(Vec::new()),
            Err(Errno::NOENT) => {}
            Err(e) => return Err(self.error("create the folder", rel, e)),
        }
        let mut new = Vec::new();
        let mut walked = PathBuf::new();
        let mut at = self.try_clone()?;
        for component in rel.components() {
            walked.push(component);
            let failed = |e| self.error("create the folder", &walked, e);
            let Component::Normal(name) = component else { return Err(failed(Errno::XDEV)) };
            let created = match sys::mkdirat(&at.fd, name, Mode::from_raw_mode(0o777)) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(e) => return Err(failed(e)),
            };
            at = Self {
                fd: at.resolve(Path::new(name), DIRECTORY).map_err(failed)?,
                path: self.at(&walked),
            };
            if created {
                if let Some(mode) = mode {
                    sys::fchmod(&at.fd, Mode::from_raw_mode(mode)).map_err(failed)?;
                }
                new.push(walked.clone());
            }
        }
        Ok(new)
    }

    /// Creates one directory.
    ///
    /// # Errors
    /// It is there already ([`FsError::is_present`]), or cannot be created.
    pub fn create_dir(&self, rel: impl AsRef<Path>, mode: Option<u32>) -> FsResult<Self> {
        let rel = rel.as_ref();
        let failed = |e| self.error("create the folder", rel, e);
        self.within(rel, |fd, name| sys::mkdirat(fd, name, Mode::from_raw_mode(0o777)))
            .map_err(failed)?;
        let dir = self.open_beneath(rel)?;
        if let Some(mode) = mode {
            sys::fchmod(&dir.fd, Mode::from_raw_mode(mode)).map_err(failed)?;
        }
        Ok(dir)
    }

    /// Creates the file `rel` for writing and reading; the umask narrows `mode`.
    ///
    /// # Errors
    /// Something stands there already ([`FsError::is_present`]), or it cannot be created.
    pub fn create_new(&self, rel: impl AsRef<Path>, mode: u32) -> FsResult<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.open_at(rel.as_ref(), "create", flags, mode)
    }

    /// Opens a regular file for reading, without touching its access time where that is allowed.
    ///
    /// # Errors
    /// It is not there, is a link or no regular file, or may not be read.
    pub fn open_file(&self, rel: impl AsRef<Path>) -> FsResult<File> {
        let rel = rel.as_ref();
        // Without NONBLOCK, opening a pipe would wait for a writer.
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match self.open_at(rel, "open", flags | OFlags::NOATIME, 0) {
            Err(e) if e.errno == Errno::PERM => self.open_at(rel, "open", flags, 0)?,
            other => other?,
        };
        let stat = sys::fstat(&file).map_err(|e| self.error("open", rel, e))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(file),
            FileType::Directory => Err(self.error("open", rel, Errno::ISDIR)),
            _ => Err(self.error("open", rel, Errno::NXIO)),
        }
    }

    /// Opens a regular file for writing and reading as it stands: for DSG's own files only.
    ///
    /// # Errors
    /// It is not there, is a link or no regular file, or may not be written.
    pub fn open_to_write(&self, rel: impl AsRef<Path>) -> FsResult<File> {
        let rel = rel.as_ref();
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = self.open_at(rel, "open", flags, 0)?;
        let stat = sys::fstat(&file).map_err(|e| self.error("open", rel, e))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(file),
            _ => Err(self.error("open", rel, Errno::NXIO)),
        }
    }

    /// A link's target, as it stands.
    ///
    /// # Errors
    /// It is not there or is no link.
    pub fn read_link(&self, rel: impl AsRef<Path>) -> FsResult<OsString> {
        let rel = rel.as_ref();
        self.within(rel, |fd, name| sys::readlinkat(fd, name, Vec::with_capacity(256)))
            .map(|target| OsString::from_vec(target.into_bytes()))
            .map_err(|e| self.error("read the link", rel, e))
    }

    /// Creates a symbolic link.
    ///
    /// # Errors
    /// Something stands there already, or it cannot be created.
    pub fn symlink(&self, target: impl AsRef<OsStr>, rel: impl AsRef<Path>) -> FsResult<()> {
        let (target, rel) = (target.as_ref(), rel.as_ref());
        self.within(rel, |fd, name| sys::symlinkat(target, fd, name))
            .map_err(|e| self.error("create the link", rel, e))
    }

    /// Gives the file `rel` the further name `to_rel` below `to`.
    ///
    /// # Errors
    /// As `link(2)`; see [`FsError::is_unlinkable`].
    pub fn link(&self, rel: impl AsRef<Path>, to: &Dir, to_rel: impl AsRef<Path>) -> FsResult<()> {
        self.two("link", rel.as_ref(), to, to_rel.as_ref(), |from, name, to, to_name| {
            sys::linkat(from, name, to, to_name, AtFlags::empty())
        })
    }

    /// Renames, and never replaces.
    ///
    /// # Errors
    /// Something stands at the target ([`FsError::is_present`]), or the file system cannot promise
    /// not to replace ([`FsError::is_unsupported`]).
    pub fn rename_noreplace(
        &self,
        rel: impl AsRef<Path>,
        to: &Dir,
        to_rel: impl AsRef<Path>,
    ) -> FsResult<()> {
        self.two("move", rel.as_ref(), to, to_rel.as_ref(), |from, name, to, to_name| {
            sys::renameat_with(from, name, to, to_name, RenameFlags::NOREPLACE)
        })
    }

    /// As [`Dir::rename_noreplace`], also where the file system cannot promise that: then a file is given
    /// its new name by a link, which replaces nothing either, and of a folder it is looked first. For
    /// DSG's own areas only.
    ///
    /// # Errors
    /// Something stands at the target ([`FsError::is_present`]).
    pub fn rename_new(
        &self,
        rel: impl AsRef<Path>,
        to: &Dir,
        to_rel: impl AsRef<Path>,
    ) -> FsResult<()> {
        let (rel, to_rel) = (rel.as_ref(), to_rel.as_ref());
        match self.rename_noreplace(rel, to, to_rel) {
            Err(e) if e.is_unsupported() => {}
            other => return other,
        }
        if self.stat(rel)?.is_none_or(|stat| stat.kind != Kind::Dir) {
            self.link(rel, to, to_rel)?;
            return self.remove_file(rel);
        }
        match to.stat(to_rel)? {
            Some(_) => Err(FsError::new("move", to.at(to_rel), Errno::EXIST)),
            None => self.rename_replacing(rel, to, to_rel),
        }
    }

    /// Swaps two names in one step.
    ///
    /// # Errors
    /// One is missing, or the file system cannot do it ([`FsError::is_unsupported`]).
    pub fn exchange(
        &self,
        rel: impl AsRef<Path>,
        with: &Dir,
        with_rel: impl AsRef<Path>,
    ) -> FsResult<()> {
        self.two("exchange", rel.as_ref(), with, with_rel.as_ref(), |from, name, to, to_name| {
            sys::renameat_with(from, name, to, to_name, RenameFlags::EXCHANGE)
        })
    }

    /// Renames, replacing what stands at the target: for DSG's own records only.
    ///
    /// # Errors
    /// As `rename(2)`.
    pub fn rename_replacing(
        &self,
        rel: impl AsRef<Path>,
        to: &Dir,
        to_rel: impl AsRef<Path>,
    ) -> FsResult<()> {
        self.two("move", rel.as_ref(), to, to_rel.as_ref(), |from, name, to, to_name| {
            sys::renameat(from, name, to, to_name)
        })
    }

    /// Removes a file or link.
    ///
    /// # Errors
    /// It is not there, is a directory, or may not be removed.
    pub fn remove_file(&self, rel: impl AsRef<Path>) -> FsResult<()> {
        let rel = rel.as_ref();
        self.within(rel, |fd, name| sys::unlinkat(fd, name, AtFlags::empty()))
            .map_err(|e| self.error("remove", rel, e))
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// It is not empty ([`FsError::is_present`]), not there, or may not be removed.
    pub fn remove_dir(&self, rel: impl AsRef<Path>) -> FsResult<()> {
        let rel = rel.as_ref();
        self.within(rel, |fd, name| sys::unlinkat(fd, name, AtFlags::REMOVEDIR))
            .map_err(|e| self.error("remove the folder", rel, e))
    }

    /// The names in this directory, in no order.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn list(&self) -> FsResult<Vec<Name>> {
        let failed = |e| FsError::new("list the folder", &self.path, e);
        // A descriptor of its own: where a listing stands belongs to the descriptor.
        let fd = sys::openat(&self.fd, c".", DIRECTORY, Mode::empty()).map_err(failed)?;
        let mut buffer = Vec::with_capacity(32 * 1024);
        let mut entries = RawDir::new(fd, buffer.spare_capacity_mut());
        let mut names = Vec::new();
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::RegularFile => Some(Kind::File),
                FileType::Directory => Some(Kind::Dir),
                FileType::Symlink => Some(Kind::Link),
                FileType::Unknown => None,
                _ => Some(Kind::Special),
            };
            names.push(Name { name: OsStr::from_bytes(name).to_owned(), kind });
        }
        Ok(names)
    }

    /// Sets the modification time of what stands at `rel` (of a link itself).
    ///
    /// # Errors
    /// It is not there or not ours.
    pub fn set_times(&self, rel: impl AsRef<Path>, mtime: Mtime) -> FsResult<()> {
        let rel = rel.as_ref();
        let times = modified(mtime);
        self.within(rel, |fd, name| sys::utimensat(fd, name, &times, AtFlags::SYMLINK_NOFOLLOW))
            .map_err(|e| self.error("set the time of", rel, e))
    }

    /// Sets the permission bits of the file or directory at `rel`; a link is refused.
    ///
    /// # Errors
    /// It is not there, is a link, or not ours.
    pub fn set_mode(&self, rel: impl AsRef<Path>, mode: u32) -> FsResult<()> {
        let rel = rel.as_ref();
        let failed = |e| self.error("set the permissions of", rel, e);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = self.open_at(rel, "set the permissions of", flags, 0)?;
        let stat = sys::fstat(&fd).map_err(failed)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            return Err(failed(Errno::LOOP));
        }
        // `fchmod` refuses a descriptor that was opened without reading; this names the same inode.
        let exact = format!("/proc/self/fd/{}", rustix::fd::AsRawFd::as_raw_fd(&fd));
        sys::chmod(exact, Mode::from_raw_mode(mode)).map_err(failed)
    }

    /// Makes the names in this directory durable.
    ///
    /// # Errors
    /// The disk's.
    pub fn fsync(&self) -> FsResult<()> {
        sys::fsync(&self.fd).map_err(|e| FsError::new("make durable", &self.path, e))
    }

    /// Makes everything on this file system durable.
    ///
    /// # Errors
    /// The disk's.
    pub fn syncfs(&self) -> FsResult<()> {
        sys::syncfs(&self.fd).map_err(|e| FsError::new("make durable", &self.path, e))
    }

    /// Whether this user may create and remove names in this directory.
    ///
    /// # Errors
    /// Not: no permission, or the file system is read-only.
    pub fn check_writable(&self) -> FsResult<()> {
        use rustix::fs::{Access, AtFlags, accessat};
        accessat(&self.fd, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
            .map_err(|e| FsError::new("write in the folder", &self.path, e))
    }

    /// Room on this file system.
    ///
    /// # Errors
    /// The file system does not tell.
    pub fn space(&self) -> FsResult<Space> {
        let stat = sys::fstatvfs(&self.fd)
            .map_err(|e| FsError::new("ask for the free space of", &self.path, e))?;
        let files = (stat.f_files > 0).then_some(stat.f_favail);
        Ok(Space { free: stat.f_bavail.saturating_mul(stat.f_frsize), files })
    }

    /// Replaces the file `name` in this directory by `bytes`, durably: after a crash it holds
    /// either what it held or `bytes`.
    ///
    /// # Errors
    /// Writing failed; the old file stands.
    pub fn write_atomically(&self, name: &str, bytes: &[u8], mode: u32) -> FsResult<()> {
        let temporary = self.temporary_name(name);
        let written = (|| {
            let mut file = self.create_new(&temporary, mode)?;
            file.write_all(bytes)
                .and_then(|()| file.sync_all())
                .map_err(|e| FsError::std("write", self.at(name), &e))?;
            self.rename_replacing(&temporary, self, name)
        })();
        if let Err(error) = written {
            let _ = self.remove_file(&temporary);
            return Err(error);
        }
        self.fsync()
    }

    /// A name beside `name` that nobody else uses: `.name.tmp-…`.
    pub fn temporary_name(&self, name: &str) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.subsec_nanos());
        format!(".{name}.tmp-{}-{count}-{now}", std::process::id())
    }

    fn open_at(&self, rel: &Path, doing: &'static str, flags: OFlags, mode: u32) -> FsResult<File> {
        self.within(rel, |fd, name| sys::openat(fd, name, flags, Mode::from_raw_mode(mode)))
            .map(File::from)
            .map_err(|e| self.error(doing, rel, e))
    }

    fn two(
        &self,
        doing: &'static str,
        rel: &Path,
        to: &Dir,
        to_rel: &Path,
        step: impl Fn(BorrowedFd<'_>, &OsStr, BorrowedFd<'_>, &OsStr) -> Result<(), Errno>,
    ) -> FsResult<()> {
        self.within(rel, |from, name| {
            // The outer result tells of this directory, the inner one of the other.
            Ok(to.within(to_rel, |fd, to_name| step(from, name, fd, to_name)))
        })
        .map_err(|e| self.error(doing, rel, e))?
        .map_err(|e| to.error(doing, to_rel, e))
    }

    /// Runs `step` with the directory that holds `rel` and the last component's name.
    fn within<T>(
        &self,
        rel: &Path,
        step: impl FnOnce(BorrowedFd<'_>, &OsStr) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let bytes = rel.as_os_str().as_bytes();
        let (parent, name) = match bytes.iter().rposition(|&b| b == b'/') {
            Some(slash) => (Some(&bytes[..slash]), &bytes[slash + 1..]),
            None => (None, bytes),
        };
        if matches!(name, b"" | b"." | b"..") {
            return Err(Errno::XDEV);
        }
        let name = OsStr::from_bytes(name);
        match parent {
            None => step(self.fd.as_fd(), name),
            Some(parent) => {
                let parent = Path::new(OsStr::from_bytes(parent));
                let fd = self.resolve(parent, DIRECTORY | OFlags::PATH)?;
                step(fd.as_fd(), name)
            }
        }
    }

    fn resolve(&self, rel: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        if rel.as_os_str().is_empty() {
            return Err(Errno::XDEV);
        }
        loop {
            match sys::openat2(&self.fd, rel, flags, Mode::empty(), BENEATH) {
                // A rename elsewhere raced with the resolution: the kernel asks to try again.
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return other,
            }
        }
    }

    fn error(&self, doing: &'static str, rel: &Path, errno: Errno) -> FsError {
        FsError::new(doing, self.at(rel), errno)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The modification time for `utimensat`; the access time stays.
fn modified(mtime: Mtime) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: sys::UTIME_OMIT },
        last_modification: Timespec {
            tv_sec: mtime.0.div_euclid(1_000_000_000),
            tv_nsec: mtime.0.rem_euclid(1_000_000_000),
        },
    }
}

/// Sets the modification time of an open file.
///
/// # Errors
/// It is not ours.
pub fn set_file_time(file: &File, path: &Path, mtime: Mtime) -> FsResult<()> {
    sys::futimens(file, &modified(mtime)).map_err(|e| FsError::new("set the time of", path, e))
}

/// The stat of an open file.
///
/// # Errors
/// Its file system is gone.
pub fn file_stat(file: &File, path: &Path) -> FsResult<Stat> {
    own_stat(file).map_err(|e| FsError::new("look at", path, e))
}

/// The stat of what is open.
fn own_stat(fd: impl AsFd) -> Result<Stat, Errno> {
    sys::statx(fd, c"", AtFlags::EMPTY_PATH, WANTED).map(Stat::from)
}
