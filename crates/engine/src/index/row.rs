//! One path's row, and how it is packed.

use dsg_core::entry::{Entry, FileEntry, Hash, LinkTarget, Mtime};
use dsg_core::path::RepoPath;
use dsg_core::snapshot::SnapshotId;
use dsg_core::state::Local;
use dsg_fs::stat::{Kind, Stat};

/// Timestamps this close to the moment of reading prove nothing: a later write may get the same
/// one. Two seconds cover the coarsest clocks of file systems in use.
pub(crate) const CLOCK_GRAIN_NS: i64 = 2_000_000_000;

/// Everything known of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub path: RepoPath,
    /// What the last scan found.
    pub local: Local,
    /// By what the local file is recognised; only if it is present.
    pub seen: Option<Seen>,
    /// What both sides last agreed on, and in which snapshot.
    pub cache: Option<(Entry, SnapshotId)>,
    /// What stands in the repository's head.
    pub remote: Option<Entry>,
}

/// The last look at a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What `stat` said.
    pub stat: Stat,
    /// It was written so recently that an equal `stat` later proves nothing.
    pub racy: bool,
}

impl Seen {
    /// A look at a file whose content began to be read, or was last written by us, at `when`
    /// (nanoseconds since 1970).
    pub fn new(stat: Stat, when: i64) -> Self {
        let written = stat.mtime.0.max(stat.ctime.0);
        Self { stat, racy: written >= when.saturating_sub(CLOCK_GRAIN_NS) }
    }
}

/// [`Local`] as a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Looked for, and not there.
    Absent,
    /// There.
    Present,
    /// Cannot be known now.
    Unknown,
    /// No longer tracked by the rules.
    Excluded,
}

impl Standing {
    pub(super) fn to_sql(self) -> i64 {
        match self {
            Self::Absent => 0,
            Self::Present => 1,
            Self::Unknown => 2,
            Self::Excluded => 3,
        }
    }

    pub(super) fn from_sql(value: i64) -> Option<Self> {
        Some(match value {
            0 => Self::Absent,
            1 => Self::Present,
            2 => Self::Unknown,
            3 => Self::Excluded,
            _ => return None,
        })
    }
}

/// What a scan needs of a row: a fraction of it, because it reads all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub path: RepoPath,
    /// What the last scan found.
    pub standing: Standing,
    /// Why it is unknown.
    pub note: Option<String>,
    /// The last look at which it was there; it outlives `Unknown` and `Excluded`.
    pub seen: Option<Seen>,
    /// Names the file system of that look: its device number may have changed since, and the one
    /// in `seen` be out of date.
    pub slot: u32,
    /// Both sides once agreed on it.
    pub cached: bool,
    /// The repository's head has it.
    pub remote: bool,
}

/// Packs what makes two entries the same for a person: equal bytes if and only if
/// [`Entry::same`].
pub(crate) fn identity(entry: &Entry) -> Vec<u8> {
    match entry {
        Entry::File(file) => {
            let mut bytes = Vec::with_capacity(41);
            bytes.push(if file.exec { b'x' } else { b'f' });
            bytes.extend(file.size.to_be_bytes());
            bytes.extend(file.hash.0);
            bytes
        }
        Entry::Link(target) => [b"l", target.as_str().as_bytes()].concat(),
    }
}

/// The time that is kept beside an identity.
pub(crate) fn mtime(entry: &Entry) -> Option<i64> {
    entry.file().map(|f| f.mtime.0)
}

/// Unpacks an entry; `None` if the bytes are none.
pub(crate) fn entry(path: &RepoPath, identity: &[u8], mtime: Option<i64>) -> Option<Entry> {
    let (&kind, rest) = identity.split_first()?;
    match kind {
        b'l' => {
            let target = LinkTarget::parse(path, std::str::from_utf8(rest).ok()?).ok()?;
            Some(Entry::Link(target))
        }
        b'f' | b'x' if rest.len() == 40 => {
            let (size, hash) = rest.split_at(8);
            Some(Entry::File(FileEntry {
                size: u64::from_be_bytes(size.try_into().ok()?),
                mtime: Mtime(mtime?),
                exec: kind == b'x',
                hash: Hash(hash.try_into().ok()?),
            }))
        }
        _ => None,
    }
}

const PACKED: usize = 1 + 4 + 8 * 4 + 4 + 4 + 8;

/// Packs a look; `slot` names its file system.
pub(super) fn pack(seen: &Seen, slot: u32) -> [u8; PACKED] {
    let s = &seen.stat;
    let kind = match s.kind {
        Kind::File => 0,
        Kind::Link => 1,
        Kind::Dir => 2,
        Kind::Special => 3,
    };
    let mut bytes = [0; PACKED];
    let mut rest = &mut bytes[..];
    let mut put = |field: &[u8]| {
        let (head, tail) = std::mem::take(&mut rest).split_at_mut(field.len());
        head.copy_from_slice(field);
        rest = tail;
    };
    put(&[kind | u8::from(seen.racy) << 7]);
    put(&slot.to_le_bytes());
    put(&s.ino.to_le_bytes());
    put(&s.size.to_le_bytes());
    put(&s.mtime.0.to_le_bytes());
    put(&s.ctime.0.to_le_bytes());
    put(&s.mode.to_le_bytes());
    put(&s.uid.to_le_bytes());
    put(&s.nlink.to_le_bytes());
    bytes
}

/// The slot of a packed look.
pub(super) fn slot(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?))
}

/// Unpacks a look; `device` gives a slot's present device number.
pub(super) fn unpack(bytes: &[u8], device: impl FnOnce(u32) -> u64) -> Option<Seen> {
    let bytes: &[u8; PACKED] = bytes.try_into().ok()?;
    let mut rest = &bytes[..];
    let kind = match rest[0] & 0x7F {
        0 => Kind::File,
        1 => Kind::Link,
        2 => Kind::Dir,
        3 => Kind::Special,
        _ => return None,
    };
    let racy = rest[0] & 0x80 != 0;
    rest = &rest[1..];
    let dev = device(u32::from_le_bytes(take(&mut rest)?));
    let stat = Stat {
        kind,
        dev,
        mount: 0,
        ino: u64::from_le_bytes(take(&mut rest)?),
        size: u64::from_le_bytes(take(&mut rest)?),
        mtime: Mtime(i64::from_le_bytes(take(&mut rest)?)),
        ctime: Mtime(i64::from_le_bytes(take(&mut rest)?)),
        mode: u32::from_le_bytes(take(&mut rest)?),
        uid: u32::from_le_bytes(take(&mut rest)?),
        nlink: u64::from_le_bytes(take(&mut rest)?),
    };
    Some(Seen { stat, racy })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}
