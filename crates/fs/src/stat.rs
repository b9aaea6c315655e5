//! What `stat` says of a file, and whether it is still the same file.

use dsg_core::entry::Mtime;
use rustix::fs::FileType;

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

/// The fields of `stat(2)` by which a file is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its kind.
    pub kind: Kind,
    /// Device of its file system.
    pub dev: u64,
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

impl From<rustix::fs::Stat> for Stat {
    #[allow(
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::unnecessary_cast,
        reason = "the field types differ between platforms"
    )]
    fn from(s: rustix::fs::Stat) -> Self {
        let ns =
            |secs: i64, nanos: i64| Mtime(secs.saturating_mul(1_000_000_000).saturating_add(nanos));
        Self {
            kind: match FileType::from_raw_mode(s.st_mode) {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Dir,
                FileType::Symlink => Kind::Link,
                _ => Kind::Special,
            },
            dev: s.st_dev as u64,
            ino: s.st_ino as u64,
            size: s.st_size as u64,
            mtime: ns(s.st_mtime as i64, s.st_mtime_nsec as i64),
            ctime: ns(s.st_ctime as i64, s.st_ctime_nsec as i64),
            mode: (s.st_mode as u32) & 0o7777,
            uid: s.st_uid,
            nlink: s.st_nlink as u64,
        }
    }
}
