//! Long lists sorted by path, in little room: a million entries take some 65 MB instead of 250.
//!
//! Of a path only what differs from the one before is kept, and of the rest no more than its bytes.
//! Items lie in blocks: each is read as a whole, so that a list can be walked from both ends and
//! searched.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::entry::{Entry, FileEntry, Hash, LinkTarget, Mtime};
use crate::manifest::Change;
use crate::path::RepoPath;

/// Items of a block.
const BLOCK: usize = 32;

/// What can lie in a [`Packed`] list.
pub trait Pack: Sized + 'static {
    /// All of it but its path, borrowed where it is long.
    type Rest<'a>: Serialize + Deserialize<'a>;

    /// By what it is sorted.
    fn path(&self) -> &RepoPath;

    /// What is kept besides.
    fn rest(&self) -> Self::Rest<'_>;

    /// The same item again.
    fn unpack(path: RepoPath, rest: Self::Rest<'_>) -> Self;
}

/// Items sorted by path, once each.
#[derive(Clone)]
pub struct Packed<T> {
    blocks: Vec<Box<[u8]>>,
    /// The block that is being filled, with how many items are in it and the last one's path.
    open: Vec<u8>,
    in_open: usize,
    last: Option<RepoPath>,
    of: PhantomData<T>,
}

impl<T> Default for Packed<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), open: Vec::new(), in_open: 0, last: None, of: PhantomData }
    }
}

impl<T> Packed<T> {
    /// How many.
    pub fn len(&self) -> usize {
        self.blocks.len() * BLOCK + self.in_open
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Pack> Packed<T> {
    /// Adds an item behind the others; gives `false`, and leaves it out, if its path does not follow
    /// theirs.
    #[must_use = "an item out of its order is left out"]
    pub fn push(&mut self, item: &T) -> bool {
        let path = item.path();
        if self.last.as_ref().is_some_and(|last| last >= path) {
            return false;
        }
        let before = self.last.as_ref().filter(|_| self.in_open > 0);
        let shared = before.map_or(0, |before| shared(before, path));
        let bytes = std::mem::take(&mut self.open);
        let whole = (shared, &path[shared..], item.rest());
        self.open = postcard::to_extend(&whole, bytes)
            .unwrap_or_else(|e| unreachable!("memory takes every item: {e}"));
        self.last = Some(path.clone());
        self.in_open += 1;
        if self.in_open == BLOCK {
            self.blocks.push(self.open.as_slice().into());
            self.open.clear();
            self.in_open = 0;
        }
        true
    }

    /// All items, in the order of their paths.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = T> {
        self.parts().flat_map(unpacked)
    }

    /// The item at a place; `None` behind the last.
    pub fn get(&self, at: usize) -> Option<T> {
        unpacked(self.part(at / BLOCK)?).nth(at % BLOCK)
    }

    /// All items of the block in which a place lies.
    pub(crate) fn around(&self, at: usize) -> Around<T> {
        let first = at - at % BLOCK;
        Around { first, items: self.part(at / BLOCK).map(unpacked).into_iter().flatten().collect() }
    }

    /// The items from the first one whose path is not before `path`.
    pub fn from(&self, path: &str) -> impl Iterator<Item = T> {
        let parts = self.blocks.len() + 1;
        let (mut low, mut high) = (0, parts);
        while low < high {
            let middle = low.midpoint(high);
            let starts = self.part(middle).and_then(first_path);
            if starts.is_some_and(|first| first <= path) { low = middle + 1 } else { high = middle }
        }
        let path = path.to_owned();
        self.parts()
            .skip(low.saturating_sub(1))
            .flat_map(unpacked)
            .skip_while(move |item: &T| item.path().as_str() < path.as_str())
    }

    /// The item at a path.
    pub fn find(&self, path: &str) -> Option<T> {
        self.from(path).next().filter(|item| item.path().as_str() == path)
    }

    fn parts(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.blocks.iter().map(|block| &**block).chain([self.open.as_slice()])
    }

    fn part(&self, number: usize) -> Option<&[u8]> {
        match self.blocks.get(number) {
            Some(block) => Some(block),
            None => (number == self.blocks.len()).then_some(&self.open),
        }
    }
}

impl<T: Pack> IntoIterator for Packed<T> {
    type Item = T;
    type IntoIter = Box<dyn Iterator<Item = T>>;

    /// Blocks go as they are read.
    fn into_iter(self) -> Self::IntoIter {
        let parts = self.blocks.into_iter().chain([self.open.into()]);
        Box::new(parts.flat_map(|block| unpacked(&block)))
    }
}

impl<T: Pack> FromIterator<T> for Packed<T> {
    /// From items in the order of their paths; others are a mistake of the program.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut packed = Self::default();
        for item in items {
            let follows = packed.push(&item);
            assert!(follows, "{} is out of order", item.path());
        }
        packed
    }
}

impl<T: Pack + PartialEq> PartialEq for Packed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: Pack + Eq> Eq for Packed<T> {}

impl<T: Pack + std::fmt::Debug> std::fmt::Debug for Packed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A block's items, with the place of the first.
pub(crate) struct Around<T> {
    first: usize,
    items: Vec<T>,
}

impl<T> Around<T> {
    /// The item at a place, if it is among these.
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.items.get(at.checked_sub(self.first)?)
    }
}

/// How many bytes two paths share at their beginning, up to a character's end.
fn shared(a: &str, b: &str) -> usize {
    let equal = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    (0..=equal).rev().find(|&at| b.is_char_boundary(at)).unwrap_or(0)
}

fn first_path(block: &[u8]) -> Option<&str> {
    postcard::take_from_bytes::<(usize, &str)>(block).ok().map(|((_, path), _)| path)
}

fn unpacked<T: Pack>(mut block: &[u8]) -> std::vec::IntoIter<T> {
    let mut items = Vec::with_capacity(BLOCK);
    let mut path = String::new();
    while !block.is_empty() {
        let ((shared, tail, rest), others) =
            postcard::take_from_bytes::<(usize, &str, T::Rest<'_>)>(block)
                .unwrap_or_else(|e| unreachable!("only whole items are packed: {e}"));
        path.truncate(shared);
        path.push_str(tail);
        items.push(T::unpack(RepoPath::proved(&path), rest));
        block = others;
    }
    items.into_iter()
}

/// An [`Entry`], packed.
#[derive(Serialize, Deserialize)]
pub enum EntryRest<'a> {
    /// Size, time, exec bit, hash.
    File(u64, i64, bool, [u8; 32]),
    /// Target.
    Link(&'a str),
}

impl<'a> From<&'a Entry> for EntryRest<'a> {
    fn from(entry: &'a Entry) -> Self {
        match entry {
            Entry::File(file) => Self::File(file.size, file.mtime.0, file.exec, file.hash.0),
            Entry::Link(target) => Self::Link(target.as_str()),
        }
    }
}

impl From<EntryRest<'_>> for Entry {
    fn from(rest: EntryRest<'_>) -> Self {
        match rest {
            EntryRest::File(size, mtime, exec, hash) => {
                Self::File(FileEntry { size, mtime: Mtime(mtime), exec, hash: Hash(hash) })
            }
            EntryRest::Link(target) => Self::Link(LinkTarget::proved(target)),
        }
    }
}

impl Pack for Change {
    type Rest<'a> = Option<EntryRest<'a>>;

    fn path(&self) -> &RepoPath {
        &self.path
    }

    fn rest(&self) -> Self::Rest<'_> {
        self.entry.as_ref().map(EntryRest::from)
    }

    fn unpack(path: RepoPath, rest: Self::Rest<'_>) -> Self {
        Self { path, entry: rest.map(Entry::from) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn changes() -> impl Strategy<Value = Vec<Change>> {
        let entry = prop_oneof![
            Just(None),
            (any::<u64>(), any::<i64>(), any::<bool>(), any::<[u8; 32]>()).prop_map(
                |(size, mtime, exec, hash)| Some(Entry::File(FileEntry {
                    size,
                    mtime: Mtime(mtime),
                    exec,
                    hash: Hash(hash)
                }))
            ),
            Just(Some(Entry::Link(LinkTarget::proved("é/x")))),
        ];
        let paths =
            proptest::collection::btree_map("[aéè日]{1,3}(/[aéb]{1,3}){0,2}", entry, 0..200);
        paths.prop_map(|all| {
            let change = |(path, entry): (String, _)| Change { path: path.parse().unwrap(), entry };
            all.into_iter().map(change).collect()
        })
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(changes in changes(), asked in "[aéb]{1,3}(/[aéb]{1,2})?") {
            let packed: Packed<Change> = changes.iter().cloned().collect();
            prop_assert_eq!(packed.len(), changes.len());
            prop_assert!(packed.iter().eq(changes.iter().cloned()));
            prop_assert!(packed.iter().rev().eq(changes.iter().rev().cloned()));
            prop_assert!(packed.clone().into_iter().eq(changes.iter().cloned()));
            for (at, change) in changes.iter().enumerate() {
                prop_assert!(packed.get(at).as_ref() == Some(change));
                prop_assert!(packed.around(at).get(at) == Some(change));
                prop_assert!(packed.find(&change.path).as_ref() == Some(change));
            }
            prop_assert_eq!(packed.get(changes.len()), None);
            let from = changes.partition_point(|change| change.path.as_str() < asked.as_str());
            prop_assert!(packed.from(&asked).eq(changes[from..].iter().cloned()));
        }
    }

    #[test]
    fn a_million_paths_fit_in_a_phones_memory() {
        let mut packed = Packed::default();
        for n in 0..100_000_u32 {
            let path = format!("input/interviews/{:03}/transcript-{n:06}.txt", n / 1000);
            let hash = Hash::of(&n.to_le_bytes());
            let file = FileEntry { size: 4000, mtime: Mtime(i64::MAX / 2), exec: false, hash };
            let change = Change { path: path.parse().unwrap(), entry: Some(Entry::File(file)) };
            assert!(packed.push(&change));
        }
        let bytes: usize = packed.parts().map(<[u8]>::len).sum();
        assert!(bytes / 100_000 < 60, "{} bytes each", bytes / 100_000);
    }

    #[test]
    fn what_does_not_follow_is_not_taken() {
        let at = |path: &str| Change { path: path.parse().unwrap(), entry: None };
        let mut packed = Packed::default();
        assert!(packed.push(&at("b")));
        assert!(!packed.push(&at("b")) && !packed.push(&at("a")));
        assert!(packed.push(&at("c")));
        assert_eq!(packed.len(), 2);
    }
}
