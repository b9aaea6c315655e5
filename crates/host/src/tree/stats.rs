//! The recorded stats of a live tree, by which a change on the host is found.
//!
//! Owns the file format: one block per directory, children before their parent, each with the
//! names in it; a count and a SHA-256 at the end, so that a torn file is known. Only what the
//! manifest holds is recorded. Streams: memory is one directory's names.

use std::cmp::Ordering;
use std::io::{self, BufRead, Read as _, Write};
use std::path::Path;

use dsg_core::manifest::{Change, ManifestError};
use dsg_core::snapshot::SnapshotId;
use dsg_fs::stat::{Kind, Stat};
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8; 8] = b"DSGstat1";
const END: u32 = u32::MAX;

/// What was recorded of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) kind: Kind,
    pub(super) exec: bool,
    /// 0: nothing is known of the file but its size.
    pub(super) ino: u64,
    pub(super) size: u64,
    pub(super) mtime: i64,
    pub(super) ctime: i64,
}

impl Seen {
    pub(super) fn of(stat: &Stat) -> Self {
        let file = stat.kind == Kind::File;
        Self {
            kind: stat.kind,
            exec: file && stat.exec(),
            ino: stat.ino,
            size: if file { stat.size } else { 0 },
            mtime: stat.mtime.0,
            ctime: stat.ctime.0,
        }
    }

    /// A name of which nothing is known: it is compared by content.
    pub(super) fn unknown(kind: Kind) -> Self {
        Self { kind, exec: false, ino: 0, size: 0, mtime: 0, ctime: 0 }
    }

    pub(super) fn dir() -> Self {
        Self::unknown(Kind::Dir)
    }

    /// Whether `now` is the same file, not written since. With `strict` its change time counts.
    pub(super) fn holds(&self, now: &Seen, strict: bool) -> bool {
        self.kind == now.kind
            && self.ino != 0
            && self.ino == now.ino
            && self.size == now.size
            && self.mtime == now.mtime
            && self.exec == now.exec
            && (!strict || self.ctime == now.ctime)
    }
}

/// One directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// From the root; empty for the root itself.
    pub(super) dir: Vec<u8>,
    /// The directory's own modification time, as of just before it was listed.
    pub(super) mtime: i64,
    /// Sorted by name.
    pub(super) names: Vec<(Vec<u8>, Seen)>,
}

impl Block {
    /// The path of a name in it.
    pub(super) fn path(&self, name: &[u8]) -> Vec<u8> {
        join(&self.dir, name)
    }
}

pub(super) fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() { name.to_vec() } else { [dir, b"/", name].concat() }
}

pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&b| b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// Orders directories: children before their parent, else by bytes.
pub(super) fn order(a: &[u8], b: &[u8]) -> Ordering {
    fn key(dir: &[u8]) -> impl Iterator<Item = u8> {
        let slash = (!dir.is_empty()).then_some(b'/');
        dir.iter().copied().chain(slash).chain(Some(0xff))
    }
    key(a).cmp(key(b))
}

/// A directory as the key of a map in [`order`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DirKey(pub(super) Vec<u8>);
impl PartialOrd for DirKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for DirKey {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&self.0, &other.0)
    }
}

/// Writes the file.
pub(super) struct StatsWriter<W> {
    output: W,
    hash: Sha256,
    blocks: u64,
}

impl<W: Write> StatsWriter<W> {
    pub(super) fn new(mut output: W, snapshot: Option<SnapshotId>) -> io::Result<Self> {
        let number = snapshot.map_or(0, SnapshotId::number).to_le_bytes();
        let mut hash = Sha256::new();
        for part in [&MAGIC[..], &number] {
            hash.update(part);
            output.write_all(part)?;
        }
        Ok(Self { output, hash, blocks: 0 })
    }

    pub(super) fn put(&mut self, block: &Block) -> io::Result<()> {
        let mut out = Vec::with_capacity(64 + block.dir.len() + block.names.len() * 56);
        let size = |n: usize| u32::try_from(n).map_err(|_| io::Error::other("too long"));
        out.extend([0; 4]);
        out.extend(size(block.dir.len())?.to_le_bytes());
        out.extend(&block.dir);
        out.extend(block.mtime.to_le_bytes());
        for (name, seen) in &block.names {
            put_name(&mut out, name, seen)?;
        }
        let length = size(out.len() - 4)?.to_le_bytes();
        out[..4].copy_from_slice(&length);
        self.hash.update(&out);
        self.blocks += 1;
        self.output.write_all(&out)
    }

    /// A block as it was read.
    pub(super) fn put_frame(&mut self, frame: &Frame) -> io::Result<()> {
        let length = u32::try_from(frame.0.len()).map_err(|_| io::Error::other("too long"))?;
        for part in [&length.to_le_bytes()[..], &frame.0] {
            self.hash.update(part);
            self.output.write_all(part)?;
        }
        self.blocks += 1;
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.hash.update(END.to_le_bytes());
        self.hash.update(self.blocks.to_le_bytes());
        self.output.write_all(&END.to_le_bytes())?;
        self.output.write_all(&self.blocks.to_le_bytes())?;
        self.output.write_all(&self.hash.finalize())?;
        self.output.flush()?;
        Ok(self.output)
    }
}

fn put_name(out: &mut Vec<u8>, name: &[u8], seen: &Seen) -> io::Result<()> {
    out.push(u8::try_from(name.len()).map_err(|_| io::Error::other("too long"))?);
    out.extend(name);
    put_seen(out, seen);
    Ok(())
}

/// As it stands behind its name.
pub(super) fn put_seen(out: &mut Vec<u8>, seen: &Seen) {
    out.push(code(seen.kind) | u8::from(seen.exec) << 4);
    if seen.kind != Kind::Dir {
        out.extend(seen.ino.to_le_bytes());
        out.extend(seen.size.to_le_bytes());
        out.extend(seen.mtime.to_le_bytes());
        out.extend(seen.ctime.to_le_bytes());
    }
}

fn code(kind: Kind) -> u8 {
    match kind {
        Kind::File => 0,
        Kind::Dir => 1,
        Kind::Link => 2,
        Kind::Special => 3,
    }
}

/// Reads the file. What it gave may be trusted only once it came to the end without an error.
pub(super) struct StatsReader<R> {
    input: R,
    hash: Sha256,
    snapshot: Option<SnapshotId>,
    blocks: u64,
    last: Option<Vec<u8>>,
    ended: bool,
}

fn torn(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

impl<R: BufRead> StatsReader<R> {
    pub(super) fn new(mut input: R) -> io::Result<Self> {
        let mut head = [0; 16];
        input.read_exact(&mut head)?;
        let (magic, number) = head.split_at(8);
        if magic != MAGIC {
            return Err(torn("not a stats file"));
        }
        let number = u64::from_le_bytes(number.try_into().map_err(|_| torn("cut off"))?);
        let mut hash = Sha256::new();
        hash.update(head);
        let snapshot = SnapshotId::new(number);
        Ok(Self { input, hash, snapshot, blocks: 0, last: None, ended: false })
    }

    /// The snapshot whose tree it describes.
    pub(super) fn snapshot(&self) -> Option<SnapshotId> {
        self.snapshot
    }

    /// The next block's bytes; `None` after the end, whose checksum was right.
    pub(super) fn frame(&mut self) -> io::Result<Option<Frame>> {
        if self.ended {
            return Ok(None);
        }
        let length = self.u32()?;
        if length == END {
            let mut blocks = [0; 8];
            self.input.read_exact(&mut blocks)?;
            self.hash.update(blocks);
            let found: [u8; 32] = self.hash.clone().finalize().into();
            let mut expected = [0; 32];
            self.input.read_exact(&mut expected)?;
            if found != expected || u64::from_le_bytes(blocks) != self.blocks {
                return Err(torn("the checksum is wrong"));
            }
            self.ended = true;
            return Ok(None);
        }
        let mut body = Vec::new();
        // Not `vec![0; length]`: a damaged length must not take all memory.
        self.input.by_ref().take(length.into()).read_to_end(&mut body)?;
        if body.len() != length as usize {
            return Err(torn("it is cut off"));
        }
        self.hash.update(&body);
        self.blocks += 1;
        let frame = Frame(body);
        if self.last.as_ref().is_some_and(|l| frame.dir().is_none_or(|d| order(l, d).is_ge())) {
            return Err(torn("folders are out of order"));
        }
        self.last = frame.dir().map(<[u8]>::to_vec);
        Ok(Some(frame))
    }

    fn read(&mut self) -> io::Result<Option<Block>> {
        self.frame()?.map(|frame| frame.parse()).transpose()
    }

    fn u32(&mut self) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.input.read_exact(&mut bytes)?;
        self.hash.update(bytes);
        Ok(u32::from_le_bytes(bytes))
    }
}

/// One directory, not parsed yet.
pub(super) struct Frame(Vec<u8>);

impl Frame {
    /// The directory; `None` if the frame is damaged.
    pub(super) fn dir(&self) -> Option<&[u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        rest.get(..u32::from_le_bytes(*length) as usize)
    }

    /// Its modification time, as [`Block::mtime`].
    pub(super) fn mtime(&self) -> Option<i64> {
        let at = 4 + self.dir()?.len();
        Some(i64::from_le_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    pub(super) fn parse(&self) -> io::Result<Block> {
        parse(&mut &self.0[..])
    }
}

fn bytes<'b>(body: &mut &'b [u8], length: usize) -> io::Result<&'b [u8]> {
    let (taken, rest) = body.split_at_checked(length).ok_or_else(|| torn("it is cut off"))?;
    *body = rest;
    Ok(taken)
}

fn number(body: &mut &[u8]) -> io::Result<u64> {
    let taken = bytes(body, 8)?;
    Ok(u64::from_le_bytes(taken.try_into().map_err(|_| torn("it is cut off"))?))
}

fn take_name<'b>(body: &mut &'b [u8]) -> io::Result<(&'b [u8], Seen)> {
    let length = bytes(body, 1)?[0];
    let name = bytes(body, length.into())?;
    Ok((name, take_seen(body)?))
}

/// The reverse of [`put_seen`].
pub(super) fn take_seen(body: &mut &[u8]) -> io::Result<Seen> {
    let flags = bytes(body, 1)?[0];
    let mut seen = Seen::unknown(match flags & 15 {
        0 => Kind::File,
        1 => Kind::Dir,
        2 => Kind::Link,
        _ => return Err(torn("unknown kind")),
    });
    seen.exec = flags & 16 != 0;
    if seen.kind != Kind::Dir {
        seen.ino = number(body)?;
        seen.size = number(body)?;
        seen.mtime = number(body)?.cast_signed();
        seen.ctime = number(body)?.cast_signed();
    }
    Ok(seen)
}

fn parse(body: &mut &[u8]) -> io::Result<Block> {
    let length = bytes(body, 4)?.try_into().map_err(|_| torn("it is cut off"))?;
    let dir = bytes(body, u32::from_le_bytes(length) as usize)?.to_vec();
    let mtime = number(body)?.cast_signed();
    let mut names: Vec<(Vec<u8>, Seen)> = Vec::with_capacity(body.len() / 40);
    while !body.is_empty() {
        let (name, seen) = take_name(body)?;
        if names.last().is_some_and(|(last, _)| last[..] >= *name) {
            return Err(torn("names are out of order"));
        }
        names.push((name.to_vec(), seen));
    }
    Ok(Block { dir, mtime, names })
}

impl<R: BufRead> Iterator for StatsReader<R> {
    type Item = io::Result<Block>;
    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Blocks for a manifest of which no stats are known.
pub(super) fn from_manifest(
    entries: impl Iterator<Item = Result<Change, ManifestError>>,
    mut put: impl FnMut(&Block) -> io::Result<()>,
) -> Result<(), ManifestError> {
    let mut open = vec![Block::default()];
    for change in entries {
        let change = change?;
        let Some(entry) = change.entry else { continue };
        let (dir, name) = split(change.path.as_bytes());
        close_until(&mut open, dir, &mut put)?;
        let mut at = open.last().map(|b| b.dir.len()).unwrap_or_default();
        while at < dir.len() {
            let from = if at == 0 { 0 } else { at + 1 };
            let next = dir[from..].iter().position(|&b| b == b'/').map_or(dir.len(), |i| from + i);
            if let Some(parent) = open.last_mut() {
                parent.names.push((dir[from..next].to_vec(), Seen::dir()));
            }
            open.push(Block { dir: dir[..next].to_vec(), ..Block::default() });
            at = next;
        }
        let seen = match &entry {
            dsg_core::entry::Entry::File(_) => Seen::unknown(Kind::File),
            dsg_core::entry::Entry::Link(_) => Seen::unknown(Kind::Link),
        };
        if let Some(block) = open.last_mut() {
            block.names.push((name.to_vec(), seen));
        }
    }
    while let Some(mut block) = open.pop() {
        block.names.sort_by(|a, b| a.0.cmp(&b.0));
        put(&block)?;
    }
    Ok(())
}

fn close_until(
    open: &mut Vec<Block>,
    dir: &[u8],
    put: &mut impl FnMut(&Block) -> io::Result<()>,
) -> io::Result<()> {
    let within = |top: &[u8]| {
        top.is_empty() || dir.strip_prefix(top).is_some_and(|r| r.is_empty() || r[0] == b'/')
    };
    while open.last().is_some_and(|b| !within(&b.dir)) {
        if let Some(mut block) = open.pop() {
            block.names.sort_by(|a, b| a.0.cmp(&b.0));
            put(&block)?;
        }
    }
    Ok(())
}

/// Opens a stats file if it is there and of `snapshot`. Whether it is whole shows at its end.
pub(super) fn open(
    dir: &dsg_fs::dir::Dir,
    name: &str,
    snapshot: SnapshotId,
) -> Option<StatsReader<io::BufReader<std::fs::File>>> {
    let file = dir.open_file(Path::new(name)).ok()?;
    let reader = StatsReader::new(io::BufReader::with_capacity(256 * 1024, file)).ok()?;
    (reader.snapshot() == Some(snapshot)).then_some(reader)
}

/// As [`open`], if the file is whole; else it must be rebuilt.
pub(super) fn open_checked(
    dir: &dsg_fs::dir::Dir,
    name: &str,
    snapshot: SnapshotId,
) -> Option<StatsReader<io::BufReader<std::fs::File>>> {
    let mut probe = open(dir, name, snapshot)?;
    while probe.frame().ok()?.is_some() {}
    open(dir, name, snapshot)
}
