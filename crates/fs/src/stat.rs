//! What `stat` says of a file, and whether it is still the same file.

use std::path::Path;

use dsg_core::entry::Mtime;
use rustix::fs::{AtFlags, CWD, FileType, Statx, StatxFlags};

use crate::error::{FsError, FsResult};

/// Kind of a directory entry, as far as DSG tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// A pipe, socket or device: never tracked.
    Special,
}

/// What is asked of every file.
pub(crate) const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::MNT_ID);

/// Within one, a name can be moved to another place; between two it cannot. A bind mount is one of
/// its own, although it shows the device of the file system that it is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume {
    dev: u64,
    mount: u64,
}

/// The fields of `stat(2)` by which a file is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its kind.
    pub kind: Kind,
    /// Device of its file system.
    pub dev: u64,
    /// Id of the mount through which it was seen; 0 where nobody tells (before Linux 5.8).
    pub mount: u64,
    /// Inode number.
    pub ino: u64,
    /// Bytes.
    pub size: u64,
    /// Modification time in nanoseconds.
    pub mtime: Mtime,
    /// Change time in nanoseconds.
    pub ctime: Mtime,
    /// Permission bits (`0o7777`).
    pub mode: u32,
    /// Owner's user id.
    pub uid: u32,
    /// Number of names.
    pub nlink: u64,
}

impl Stat {
    /// What stands at `path`, following links: for a place where a person pointed.
    ///
    /// # Errors
    /// It is not there or cannot be looked at.
    pub fn of(path: &Path) -> FsResult<Self> {
        rustix::fs::statx(CWD, path, AtFlags::empty(), WANTED)
            .map(Self::from)
            .map_err(|e| FsError::new("look at", path, e))
    }

    /// How far a name can be moved from there.
    pub fn volume(&self) -> Volume {
        Volume { dev: self.dev, mount: self.mount }
    }

    /// Whether nothing wrote to, replaced or re-labelled the file between the two observations.
    pub fn unchanged(&self, other: &Stat) -> bool {
        self.ctime == other.ctime && self.same_content(other)
    }

    /// As [`Stat::unchanged`], but a new name (`link`, `rename`) or mode is no change.
    pub fn same_content(&self, other: &Stat) -> bool {
        self.kind == other.kind
            && self.dev == other.dev
            && self.ino == other.ino
            && self.size == other.size
            && self.mtime == other.mtime
    }

    /// Whether the owner may execute it.
    pub fn exec(&self) -> bool {
        self.mode & 0o100 != 0
    }

    /// Whether neither group nor others may read it.
    pub fn private(&self) -> bool {
        self.mode & 0o044 == 0
    }
}

impl From<Statx> for Stat {
    fn from(s: Statx) -> Self {
        let mode = u32::from(s.stx_mode);
        let time = |t: rustix::fs::StatxTimestamp| {
            Mtime(t.tv_sec.saturating_mul(1_000_000_000).saturating_add(i64::from(t.tv_nsec)))
        };
        let tells_mount = s.stx_mask & StatxFlags::MNT_ID.bits() != 0;
        Self {
            kind: match FileType::from_raw_mode(mode) {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Dir,
                FileType::Symlink => Kind::Link,
                _ => Kind::Special,
            },
            dev: rustix::fs::makedev(s.stx_dev_major, s.stx_dev_minor),
            mount: if tells_mount { s.stx_mnt_id } else { 0 },
            ino: s.stx_ino,
            size: s.stx_size,
            mtime: time(s.stx_mtime),
            ctime: time(s.stx_ctime),
            mode: mode & 0o7777,
            uid: s.stx_uid,
            nlink: u64::from(s.stx_nlink),
        }
    }
}
