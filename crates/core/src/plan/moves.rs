//! A deletion and an addition of one content are one move.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use super::draft::Items;
use super::{Action, Item};
use crate::entry::{self, Entry, FileEntry};
use crate::state::State;

/// Content, and whether it may be executed.
type Key = (entry::Hash, bool);

/// A deletion or an addition: its content, what stands for its file name, its place.
type Half = (Key, u64, usize);

/// Two places that become one.
pub(super) struct Move {
    to: usize,
    from: usize,
}

/// Joins each addition with a deletion of the same content on the same side: first those that
/// kept their file name, then in path order. Empty files say nothing and are left apart. Sorted by
/// where they go.
pub(super) fn pair(items: &Items) -> Vec<Move> {
    let mut found = Vec::new();
    if items.may_have(|action| matches!(action, Action::DeleteLocal | Action::DeleteRemote)) {
        let names = RandomState::new();
        for (addition, deletion) in
            [(Action::Upload, Action::DeleteRemote), (Action::Download, Action::DeleteLocal)]
        {
            pairs(items, &addition, &deletion, &names, &mut found);
        }
        found.sort_unstable_by_key(|found| found.to);
    }
    found
}

fn pairs(
    items: &Items,
    addition: &Action,
    deletion: &Action,
    names: &RandomState,
    found: &mut Vec<Move>,
) {
    let gone = |item: &Item| {
        let may = item.action == *deletion && matches!(item.state, State::CrEq | State::LcEq);
        key(item.at.cached()).filter(|_| may)
    };
    let new = |item: &Item| match (item.action == *addition, item.state) {
        (true, State::L) => key(item.at.local.entry()),
        (true, State::R) => key(item.at.remote.as_ref()),
        _ => None,
    };
    let half = |key: Key, item: &Item, at| (key, names.hash_one(item.at.path.name()), at);
    let mut gone: Vec<Half> =
        items.iter().filter_map(|(at, i)| Some(half(gone(&i)?, &i, at))).collect();
    if gone.is_empty() {
        return;
    }
    let contents: HashSet<Key> = gone.iter().map(|(key, ..)| *key).collect();
    let wanted = |item: &Item| new(item).filter(|key| contents.contains(key));
    let mut new: Vec<Half> =
        items.iter().filter_map(|(at, i)| Some(half(wanted(&i)?, &i, at))).collect();
    join_equal(&mut gone, &mut new, |(key, name, _)| (*key, *name), found);
    join_equal(&mut gone, &mut new, |(key, ..)| *key, found);
}

/// Takes out what is equal on both sides, first with first.
fn join_equal<K: Ord>(
    gone: &mut Vec<Half>,
    new: &mut Vec<Half>,
    key: impl Fn(&Half) -> K,
    found: &mut Vec<Move>,
) {
    for side in [&mut *gone, &mut *new] {
        side.sort_unstable_by_key(|half| (key(half), half.2));
    }
    let mut from = std::mem::take(gone).into_iter().peekable();
    for to in std::mem::take(new) {
        while let Some(other) = from.next_if(|from| key(from) < key(&to)) {
            gone.push(other);
        }
        match from.next_if(|from| key(from) == key(&to)) {
            Some(from) => found.push(Move { to: to.2, from: from.2 }),
            None => new.push(to),
        }
    }
    gone.extend(from);
}

/// All items, those that are moves as one.
pub(super) fn join(items: &Items, moves: &[Move]) -> impl Iterator<Item = Item> {
    let mut gone = vec![false; items.len()];
    for one in moves {
        gone[one.from] = true;
    }
    let mut moves = moves.iter().peekable();
    let mut former = items.reader();
    items.iter().filter(move |(at, _)| !gone[*at]).map(move |(at, mut item)| {
        let from = moves.next_if(|one| one.to == at).and_then(|one| former(one.from));
        if let Some(Item { at: moved, .. }) = from {
            let from = moved.path.clone();
            item.action = if item.action == Action::Upload {
                Action::MoveRemote { from }
            } else {
                Action::MoveLocal { from }
            };
            item.moved = Some(Box::new(moved));
        }
        item
    })
}

fn key(entry: Option<&Entry>) -> Option<Key> {
    match entry? {
        Entry::File(FileEntry { size: 1.., hash, exec, .. }) => Some((*hash, *exec)),
        _ => None,
    }
}
