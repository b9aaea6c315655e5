//! Changes to recorded stats: gathered while a publish is prepared, then written in one pass.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufRead, Write};

use dsg_fs::stat::Kind;

use super::stats::{
    Block, DirKey, Seen, StatsReader, StatsWriter, join, order, put_seen, split, take_seen,
};

const PUT: u8 = 1;
const REFRESH: u8 = 2;
const REMOVE: u8 = 3;

/// A change of one recorded name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    Put(Seen),
    Remove,
    /// The same content, but another inode or time; nothing if it is not recorded.
    Refresh(Seen),
}

/// Changes to recorded stats.
#[derive(Debug, Default)]
pub(super) struct Patch {
    /// Of each directory, in the order in which they came.
    dirs: BTreeMap<DirKey, Edits>,
    /// Where something was put last: the folders above it are known.
    last: Option<Box<[u8]>>,
}

impl Patch {
    /// A path came, or has other content.
    pub(super) fn put(&mut self, path: &[u8], seen: Seen) {
        self.edit(path, Edit::Put(seen));
        let (mut at, _) = split(path);
        if self.last.as_deref() == Some(at) {
            return;
        }
        self.last = Some(at.into());
        while !at.is_empty() {
            self.edit(at, Edit::Put(Seen::dir()));
            (at, _) = split(at);
        }
    }

    /// A path went.
    pub(super) fn remove(&mut self, path: &[u8]) {
        self.last = None;
        self.edit(path, Edit::Remove);
    }

    /// A path has the same content in another inode.
    pub(super) fn refresh(&mut self, path: &[u8], seen: Seen) {
        self.edit(path, Edit::Refresh(seen));
    }

    fn edit(&mut self, path: &[u8], edit: Edit) {
        let (dir, name) = split(path);
        self.dirs.entry(DirKey(dir.to_vec())).or_default().add(name, edit);
    }

    /// Writes `recorded` with the changes; `replaced` gets the former names that were touched.
    pub(super) fn apply<R: BufRead, W: Write>(
        mut self,
        mut recorded: Option<StatsReader<R>>,
        output: &mut StatsWriter<W>,
        mut replaced: impl FnMut(&Block) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut frames = std::iter::from_fn(|| recorded.as_mut()?.frame().transpose()).peekable();
        // Directories that are empty now: their parents come later.
        let mut emptied: HashSet<Vec<u8>> = HashSet::new();
        loop {
            if let Some(Err(_)) = frames.peek() {
                return frames.next().map_or(Ok(()), |frame| frame.map(|_| ()));
            }
            let next = frames.peek().and_then(|f| f.as_ref().ok()?.dir());
            let new = self.dirs.first_key_value().map(|(key, _)| &key.0[..]);
            let comes_first = match (next, new) {
                (None, None) => return Ok(()),
                (Some(next), Some(new)) => order(new, next),
                (None, Some(_)) => Ordering::Less,
                (Some(_), None) => Ordering::Greater,
            };
            let frame = if comes_first.is_lt() { None } else { frames.next().transpose()? };
            let edits = if comes_first.is_le() { self.dirs.pop_first() } else { None };
            let mut block = match (&frame, &edits) {
                (Some(frame), None) if emptied.is_empty() => {
                    output.put_frame(frame)?;
                    continue;
                }
                (Some(frame), _) => frame.parse()?,
                (None, Some((dir, _))) => Block { dir: dir.0.clone(), ..Block::default() },
                (None, None) => continue,
            };
            if let Some((_, edits)) = edits {
                let former = edit(&mut block, edits.last()?);
                if !former.names.is_empty() {
                    replaced(&former)?;
                }
            }
            let dir = std::mem::take(&mut block.dir);
            block.names.retain(|(n, s)| s.kind != Kind::Dir || !emptied.remove(&join(&dir, n)));
            block.dir = dir;
            if block.names.is_empty() && !block.dir.is_empty() {
                emptied.insert(block.dir);
            } else {
                output.put(&block)?;
            }
        }
    }
}

/// Edits of one directory's names, packed: of a first snapshot there is one for every file. A name
/// ends at a slash, which no name has.
#[derive(Clone, Debug, Default)]
struct Edits(Vec<u8>);

impl Edits {
    fn add(&mut self, name: &[u8], edit: Edit) {
        let Self(bytes) = self;
        bytes.extend(name);
        bytes.push(b'/');
        let (kind, seen) = match edit {
            Edit::Put(seen) => (PUT, Some(seen)),
            Edit::Refresh(seen) => (REFRESH, Some(seen)),
            Edit::Remove => (REMOVE, None),
        };
        bytes.push(kind);
        if let Some(seen) = seen {
            put_seen(bytes, &seen);
        }
    }

    /// Of each name the last, by name.
    fn last(&self) -> io::Result<BTreeMap<Vec<u8>, Edit>> {
        let mut edits = BTreeMap::new();
        let mut rest = &self.0[..];
        while let Some(end) = rest.iter().position(|&byte| byte == b'/') {
            let name = rest[..end].to_vec();
            let kind = rest.get(end + 1).copied();
            rest = rest.get(end + 2..).unwrap_or_default();
            let edit = match kind {
                Some(PUT) => Edit::Put(take_seen(&mut rest)?),
                Some(REFRESH) => Edit::Refresh(take_seen(&mut rest)?),
                _ => Edit::Remove,
            };
            edits.insert(name, edit);
        }
        Ok(edits)
    }
}

/// Edits one directory; gives what was replaced or removed.
fn edit(block: &mut Block, edits: BTreeMap<Vec<u8>, Edit>) -> Block {
    let mut names: BTreeMap<_, _> = std::mem::take(&mut block.names).into_iter().collect();
    let mut former = Block { dir: block.dir.clone(), mtime: block.mtime, names: Vec::new() };
    for (name, edit) in edits {
        let was = match edit {
            Edit::Put(seen) => names.insert(name.clone(), seen),
            Edit::Remove => names.remove(&name),
            Edit::Refresh(seen) => {
                names.entry(name.clone()).and_modify(|s| *s = seen);
                None
            }
        };
        if let Some(was) = was.filter(|w| w.kind != Kind::Dir) {
            former.names.push((name, was));
        }
    }
    block.names = names.into_iter().collect();
    former
}
