//! The names of one directory, filtered and sorted, in little memory.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use dsg_core::path::{RepoPath, case_key};
use rustix::fs::{FileType, RawDir};
use rustix::io::Errno;

use super::Take;
use crate::dir::Dir;
use crate::error::{FsError, FsResult};
use crate::stat::{Kind, Volume};

/// One of several names that differ by case only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// The name.
    pub name: String,
    /// It is a directory.
    pub dir: bool,
}

pub(super) struct Names {
    /// The directory, from the walk's root.
    path: Vec<u8>,
    /// All names, one after the other.
    bytes: Vec<u8>,
    items: Vec<Item>,
    twins: HashMap<usize, Arc<[Twin]>>,
    volume: Volume,
    /// Kept open only if the names are looked at in several goes.
    dir: Option<Dir>,
}

struct Item {
    at: usize,
    len: u16,
    dir: bool,
}

impl Names {
    pub(super) fn read(dir: &Dir, path: Vec<u8>, take: &Take) -> FsResult<Self> {
        let volume = dir.own_stat()?.volume();
        let mut names = Self {
            path,
            bytes: Vec::new(),
            items: Vec::new(),
            twins: HashMap::new(),
            volume,
            dir: None,
        };
        let mut buffer = Vec::with_capacity(32 * 1024);
        let mut listing = RawDir::new(dir, buffer.spare_capacity_mut());
        let mut whole = names.path.clone();
        if !whole.is_empty() {
            whole.push(b'/');
        }
        let stem = whole.len();
        while let Some(entry) = listing.next() {
            let entry = entry.map_err(|e| FsError::new("list the folder", dir.path(), e))?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Dir,
                FileType::Symlink => Kind::Link,
                // Some file systems do not tell in a listing.
                FileType::Unknown => match dir.stat(OsStr::from_bytes(name))? {
                    Some(stat) => stat.kind,
                    None => continue,
                },
                _ => Kind::Special,
            };
            whole.truncate(stem);
            whole.extend(name);
            if take(OsStr::from_bytes(&whole), kind) {
                let len = u16::try_from(name.len())
                    .map_err(|_| FsError::new("list the folder", dir.path(), Errno::NAMETOOLONG))?;
                names.items.push(Item { at: names.bytes.len(), len, dir: kind == Kind::Dir });
                names.bytes.extend(name);
            }
        }
        names.sort();
        names.find_twins();
        Ok(names)
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        let text = |item: &Item| &bytes[item.at..item.at + usize::from(item.len)];
        self.items.sort_unstable_by(|a, b| {
            let (x, y) = (text(a), text(b));
            let common = x.len().min(y.len());
            x[..common].cmp(&y[..common]).then_with(|| {
                // One is the beginning of the other: a directory goes on with a slash.
                let next = |name: &[u8], dir| match name.get(common) {
                    Some(&byte) => Some(byte),
                    None if dir => Some(b'/'),
                    None => None,
                };
                next(x, a.dir).cmp(&next(y, b.dir))
            })
        });
    }

    /// Only names that change when they are folded can have a twin.
    fn find_twins(&mut self) {
        let mut folded: HashMap<String, Vec<usize>> = HashMap::new();
        for at in 0..self.len() {
            let name = self.name(at);
            if name.iter().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
                continue;
            }
            let Ok(legal) = RepoPath::from_bytes(name) else { continue };
            let key = case_key(&legal);
            if key.as_bytes() != name {
                folded.entry(key).or_default().push(at);
            }
        }
        if folded.is_empty() {
            return;
        }
        let candidates: HashSet<&[u8]> = folded.keys().map(String::as_bytes).collect();
        let plain: Vec<usize> =
            (0..self.len()).filter(|&at| candidates.contains(self.name(at))).collect();
        for at in plain {
            let name = String::from_utf8_lossy(self.name(at)).into_owned();
            folded.entry(name).or_default().push(at);
        }
        for group in folded.into_values().filter(|g| g.len() > 1) {
            let twins: Arc<[Twin]> = group
                .iter()
                .map(|&at| Twin {
                    name: String::from_utf8_lossy(self.name(at)).into_owned(),
                    dir: self.is_dir(at),
                })
                .collect();
            self.twins.extend(group.into_iter().map(|at| (at, twins.clone())));
        }
    }

    pub(super) fn keep_open(self, dir: Dir) -> Self {
        Self { dir: Some(dir), ..self }
    }

    pub(super) fn dir(&self) -> Option<&Dir> {
        self.dir.as_ref()
    }

    pub(super) fn volume(&self) -> Volume {
        self.volume
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn name(&self, at: usize) -> &[u8] {
        let item = &self.items[at];
        &self.bytes[item.at..item.at + usize::from(item.len)]
    }

    pub(super) fn is_dir(&self, at: usize) -> bool {
        self.items[at].dir
    }

    pub(super) fn twins(&self, at: usize) -> Option<Arc<[Twin]>> {
        if self.twins.is_empty() { None } else { self.twins.get(&at).cloned() }
    }

    /// Appends the path, from the walk's root.
    pub(super) fn push_path(&self, at: usize, out: &mut Vec<u8>) {
        if !self.path.is_empty() {
            out.extend(&self.path);
            out.push(b'/');
        }
        out.extend(self.name(at));
    }
}
