//! No path can be a file and hold other paths: which items would make one so, on either side.

use super::{Action, Item};
use crate::path::RepoPath;
use crate::state::Local;

#[derive(Clone, Copy)]
enum Side {
    Local,
    Remote,
}

/// Items (by index, once each) that would stand at, above or below each other, with the topmost
/// path of their clash.
pub(super) fn offenders(items: &[Item]) -> Vec<(usize, RepoPath)> {
    let mut found: Vec<Option<RepoPath>> = vec![None; items.len()];
    for side in [Side::Local, Side::Remote] {
        // The present items whose paths are textual prefixes of the current one.
        let mut above: Vec<usize> = Vec::new();
        for (index, item) in items.iter().enumerate().filter(|(_, i)| stands(i, side)) {
            let path = &item.at.path;
            while above.last().is_some_and(|&a| !path.starts_with(items[a].at.path.as_str())) {
                above.pop();
            }
            if let Some(&top) = above.iter().find(|&&a| path.is_within(&items[a].at.path)) {
                let root = items[top].at.path.clone();
                found[top].get_or_insert_with(|| root.clone());
                found[index].get_or_insert(root);
            }
            above.push(index);
        }
    }
    found.into_iter().enumerate().filter_map(|(i, root)| Some((i, root?))).collect()
}

/// Whether something stands at the item's path on that side once the plan is applied. What is not
/// known is taken to stand there.
fn stands(item: &Item, side: Side) -> bool {
    let at = &item.at;
    let local = !matches!(at.local, Local::Absent);
    match (side, &item.action) {
        (Side::Local, Action::Download | Action::KeepBoth { .. } | Action::MoveLocal { .. }) => {
            at.remote.is_some()
        }
        (Side::Remote, Action::Upload | Action::MoveRemote { .. }) => local,
        (Side::Local, Action::DeleteLocal) | (Side::Remote, Action::DeleteRemote) => false,
        (_, Action::Restore) => true,
        (Side::Local, _) => local,
        (Side::Remote, _) => at.remote.is_some(),
    }
}
