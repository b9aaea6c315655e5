//! No path can be a file and hold other paths: which items would make one so, on either side.

use std::collections::BTreeMap;

use super::draft::Items;
use super::{Action, Item};
use crate::path::RepoPath;
use crate::state::Local;

#[derive(Clone, Copy)]
enum Side {
    Local,
    Remote,
}

/// Items (by place, once each) that would stand at, above or below each other, with the topmost
/// path of their clash.
pub(super) fn offenders(items: &Items) -> BTreeMap<usize, RepoPath> {
    let mut local = Standing::default();
    let mut remote = Standing::default();
    for (at, item) in items.iter() {
        for (side, standing) in [(Side::Local, &mut local), (Side::Remote, &mut remote)] {
            if stands(&item, side) {
                standing.add(at, &item.at.path);
            }
        }
    }
    let mut found = remote.found;
    found.extend(local.found);
    found
}

/// What stands on one side.
#[derive(Default)]
struct Standing {
    /// Items whose paths are textual prefixes of the current one.
    above: Vec<(usize, RepoPath)>,
    found: BTreeMap<usize, RepoPath>,
}

impl Standing {
    fn add(&mut self, at: usize, path: &RepoPath) {
        while self.above.last().is_some_and(|(_, above)| !path.starts_with(above.as_str())) {
            self.above.pop();
        }
        if let Some((top, root)) = self.above.iter().find(|(_, above)| path.is_within(above)) {
            self.found.entry(*top).or_insert_with(|| root.clone());
            self.found.insert(at, root.clone());
        }
        self.above.push((at, path.clone()));
    }
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
