//! A deletion and an addition of one content are one move.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use super::{Action, Item};
use crate::entry::{self, Entry, FileEntry};
use crate::state::State;

/// Joins each addition with a deletion of the same content on the same side: first those that
/// kept their file name, then in path order. Empty files say nothing and are left apart.
pub(super) fn pair(items: &mut Vec<Item>) {
    let mut gone = vec![false; items.len()];
    for (addition, deletion) in
        [(Action::Upload, Action::DeleteRemote), (Action::Download, Action::DeleteLocal)]
    {
        for (to, from) in pairs(items, &addition, &deletion) {
            gone[from] = true;
            let moved = items[from].at.clone();
            let from = moved.path.clone();
            items[to].action = if addition == Action::Upload {
                Action::MoveRemote { from }
            } else {
                Action::MoveLocal { from }
            };
            items[to].moved = Some(Box::new(moved));
        }
    }
    let mut gone = gone.into_iter();
    items.retain(|_| !gone.next().unwrap_or(false));
}

/// Additions (by index) with the deletion that each belongs to.
fn pairs(items: &[Item], addition: &Action, deletion: &Action) -> Vec<(usize, usize)> {
    let gone = |item: &Item| {
        let may = item.action == *deletion && matches!(item.state, State::CrEq | State::LcEq);
        key(item.at.cached()).filter(|_| may)
    };
    let new = |item: &Item| match (item.action == *addition, item.state) {
        (true, State::L) => key(item.at.local.entry()),
        (true, State::R) => key(item.at.remote.as_ref()),
        _ => None,
    };
    let kept = pairs_by(
        items.iter().map(|i| Some((gone(i)?, i.at.path.name()))),
        items.iter().map(|i| Some((new(i)?, i.at.path.name()))),
    );
    let mut paired = vec![false; items.len()];
    for &(to, from) in &kept {
        (paired[to], paired[from]) = (true, true);
    }
    let free = |(at, item): (usize, _)| Some(item).filter(|_| !paired[at]);
    let renamed = pairs_by(
        items.iter().enumerate().map(|i| gone(free(i)?)),
        items.iter().enumerate().map(|i| new(free(i)?)),
    );
    [kept, renamed].concat()
}

/// Joins equal keys, first with first; each index counts once on each side.
fn pairs_by<K: Hash + Eq>(
    from: impl Iterator<Item = Option<K>>,
    to: impl Iterator<Item = Option<K>>,
) -> Vec<(usize, usize)> {
    let mut waiting: HashMap<K, VecDeque<usize>> = HashMap::new();
    for (at, key) in from.enumerate() {
        if let Some(key) = key {
            waiting.entry(key).or_default().push_back(at);
        }
    }
    let mut found = Vec::new();
    for (at, key) in to.enumerate() {
        let source = key.and_then(|key| waiting.get_mut(&key)).and_then(VecDeque::pop_front);
        found.extend(source.map(|source| (at, source)));
    }
    found
}

fn key(entry: Option<&Entry>) -> Option<(entry::Hash, bool)> {
    match entry? {
        Entry::File(FileEntry { size: 1.., hash, exec, .. }) => Some((*hash, *exec)),
        _ => None,
    }
}
