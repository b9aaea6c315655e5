//! What a look found, as rows: those that are known already, or new ones.

use std::borrow::Cow;
use std::sync::Arc;

use dsg_core::entry::Mtime;
use dsg_core::plan::Resolution as Decision;
use dsg_core::state::State;
use dsg_engine::report::StatusChange;

use super::{Deed, Extra, IgnoredPath, NEVER, Packed, Rows, Side, Size};
use crate::api::Group;

/// One row before it is packed: its sizes stand beside it.
#[derive(Debug, PartialEq)]
pub(super) struct Row<'r> {
    pub(super) path: Cow<'r, str>,
    pub(super) packed: Packed,
    pub(super) sizes: [Option<u64>; 3],
    pub(super) extra: Option<Extra>,
}

impl From<StatusChange> for Row<'_> {
    fn from(change: StatusChange) -> Self {
        let group = group(&change);
        let offer = change.legal_name.map(|name| format!("A name that can be: {name}"));
        let reason: Vec<String> = [change.reason, offer].into_iter().flatten().collect();
        let reason = Some(reason.join(" ")).filter(|r| !r.is_empty()).map(Into::into);
        let old_path = change.old_path.map(Into::into);
        let sizes = [change.sizes.local, change.sizes.cached, change.sizes.remote];
        let action = Deed::of(change.action);
        let packed = Packed {
            group,
            state: change.state,
            action,
            resolution: change.resolution,
            decidable: change.decidable,
            untracked: change.untracked,
            newer: newer(action, change.resolution, &sizes),
            sizes: [Size::NONE; 3],
            mtime: change.mtime.map_or(NEVER, |Mtime(at)| at),
        };
        let extra = Extra { old_path, reason, seen: change.seen };
        let extra = (extra != Extra::default()).then_some(extra);
        Self { path: change.path.into(), packed, sizes, extra }
    }
}

impl<'r> From<&'r IgnoredPath> for Row<'r> {
    fn from(ignored: &'r IgnoredPath) -> Self {
        let packed = Packed {
            group: Group::Ignored,
            state: State::L,
            action: Deed::None,
            resolution: None,
            decidable: false,
            untracked: false,
            newer: Side::Local,
            sizes: [Size::NONE; 3],
            mtime: NEVER,
        };
        let reason = Some(ignored.reason.as_str().into());
        let extra = Some(Extra { reason, ..Extra::default() });
        let sizes = [Some(ignored.bytes), None, None];
        Self { path: ignored.path.as_str().into(), packed, sizes, extra }
    }
}

/// What a look finds, beside the rows that are known: as long as they are the same, none are packed
/// anew. Most looks find nothing else.
#[derive(Default)]
pub(in super::super) struct Found {
    known: Arc<Rows>,
    /// So many of the known rows were found again.
    same: usize,
    /// All that was found, from the first difference on.
    other: Option<Rows>,
}

impl Found {
    /// Before anything is found.
    pub(in super::super) fn beside(known: Arc<Rows>) -> Self {
        Self { known, same: 0, other: None }
    }

    /// The rows: those that were known, if just they were found.
    pub(in super::super) fn rows(self) -> Arc<Rows> {
        match self.other {
            Some(mut rows) => {
                rows.paths.fit();
                Arc::new(rows)
            }
            None if self.known.next_change(self.same) == self.known.len() => self.known,
            None => Arc::new(self.known.first(self.same, 0)),
        }
    }
}

impl Extend<StatusChange> for Found {
    /// Adds what the engine found, in the order of the paths.
    fn extend<I: IntoIterator<Item = StatusChange>>(&mut self, changes: I) {
        let changes = changes.into_iter();
        let left = changes.size_hint().0;
        let mut paths = self.known.paths.reader();
        for change in changes {
            let row = Row::from(change);
            if let Some(rows) = &mut self.other {
                rows.add(row);
                continue;
            }
            let at = self.known.next_change(self.same);
            if at < self.known.len() && self.known.row(at, paths.path(at)) == row {
                self.same = at + 1;
            } else {
                let rows = self.other.insert(self.known.first(self.same, left));
                rows.add(row);
            }
        }
    }
}

impl Rows {
    /// The first row from this one on that no rule leaves alone: of ignored ones a look says nothing.
    fn next_change(&self, mut row: usize) -> usize {
        while self.packed.get(row).is_some_and(|packed| packed.group == Group::Ignored) {
            row += 1;
        }
        row
    }

    /// The changes among the first rows, with room for more.
    fn first(&self, rows: usize, more: usize) -> Self {
        let mut first = Self::default();
        first.reserve(rows.max(more));
        let mut paths = self.paths.reader();
        for row in (0..rows).filter(|row| self.packed[*row].group != Group::Ignored) {
            first.add(self.row(row, paths.path(row)));
        }
        first
    }
}

fn group(change: &StatusChange) -> Group {
    match change.action {
        "blocked" => Group::Blocked,
        "conflict" => Group::Conflicts,
        "none" if !change.decidable => Group::Blocked,
        _ if change.resolution.is_some() => Group::Conflicts,
        "upload" | "delete_remote" | "move_remote" => Group::Outgoing,
        _ => Group::Incoming,
    }
}

/// The side whose version travels, or of which something goes.
fn newer(action: Deed, decision: Option<Decision>, sizes: &[Option<u64>; 3]) -> Side {
    let order = match action {
        Deed::Download if decision == Some(Decision::Cached) => {
            [Side::Cached, Side::Remote, Side::Local]
        }
        Deed::Download | Deed::MoveLocal | Deed::Cache | Deed::DeleteRemote => {
            [Side::Remote, Side::Cached, Side::Local]
        }
        _ => [Side::Local, Side::Remote, Side::Cached],
    };
    order.into_iter().find(|side| sizes[*side as usize].is_some()).unwrap_or(Side::Nowhere)
}
