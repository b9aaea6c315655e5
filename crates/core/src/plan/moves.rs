//! A deletion and an addition of one content are one move.

use std::collections::HashMap;

use super::{Action, Item};
use crate::entry::{Entry, FileEntry, Hash};
use crate::state::State;

/// Joins each addition with a deletion of the same content on the same side: first those that
/// kept their file name, then in path order. Empty files say nothing and are left apart.
pub(super) fn pair(items: &mut Vec<Item>) {
    let mut gone = vec![false; items.len()];
    for side in [Action::DeleteRemote, Action::DeleteLocal] {
        let mut sources: HashMap<(Hash, bool), Vec<usize>> = HashMap::new();
        for (index, item) in items.iter().enumerate().rev() {
            let may_move = item.action == side && matches!(item.state, State::CrEq | State::LcEq);
            if let Some(key) = key(item.at.cached()).filter(|_| may_move) {
                sources.entry(key).or_default().push(index);
            }
        }
        for same_name in [true, false] {
            for index in 0..items.len() {
                let added = match (&items[index].action, items[index].state, &side) {
                    (Action::Upload, State::L, Action::DeleteRemote) => {
                        items[index].at.local.entry()
                    }
                    (Action::Download, State::R, Action::DeleteLocal) => {
                        items[index].at.remote.as_ref()
                    }
                    _ => continue,
                };
                let Some(candidates) = key(added).and_then(|k| sources.get_mut(&k)) else {
                    continue;
                };
                let name = items[index].at.path.name();
                let found =
                    candidates.iter().rposition(|&c| !same_name || items[c].at.path.name() == name);
                let Some(source) = found.map(|at| candidates.remove(at)) else { continue };
                let from = items[source].at.path.clone();
                gone[source] = true;
                items[index].moved = Some(items[source].at.clone());
                items[index].action = if side == Action::DeleteRemote {
                    Action::MoveRemote { from }
                } else {
                    Action::MoveLocal { from }
                };
            }
        }
    }
    let mut gone = gone.into_iter();
    items.retain(|_| !gone.next().unwrap_or(false));
}

fn key(entry: Option<&Entry>) -> Option<(Hash, bool)> {
    match entry? {
        Entry::File(FileEntry { size: 1.., hash, exec, .. }) => Some((*hash, *exec)),
        _ => None,
    }
}
