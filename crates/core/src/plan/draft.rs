//! A plan in the making.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Item, Kinds, PathState, Plan, Request, aside, moves, occupancy};
use crate::packed::Packed;
use crate::path::RepoPath;
use crate::state::State;

/// A plan in the making. It takes one path at a time: of a first sync, nothing is held twice.
pub struct Draft<'r> {
    request: &'r Request<'r>,
    items: Items,
    /// What did not come in the order of the paths.
    strays: Vec<Item>,
}

impl<'r> Draft<'r> {
    /// Nothing is in it yet.
    pub fn new(request: &'r Request<'r>) -> Self {
        Self { request, items: Items::default(), strays: Vec::new() }
    }

    /// Adds a path; in any order, but once. In the order of the paths it takes least room.
    pub fn add(&mut self, at: PathState) {
        let item = Item::new(at, self.request);
        if !self.items.push(&item) {
            self.strays.push(item);
        }
    }

    /// The plan for all that was added.
    pub fn finish(self) -> Plan {
        let Self { request, mut items, strays } = self;
        if !strays.is_empty() {
            items = items.with(strays);
        }
        let clashed = settle_clashes(&mut items, request);
        if let Some(only) = &request.only {
            let only: BTreeSet<&str> = only.iter().map(RepoPath::as_str).collect();
            items = items.iter().map(|(_, item)| selected(item, &only)).collect();
        }
        if clashed || request.only.is_some() {
            hold_back_dependents(&mut items);
        }
        aside::choose_names(&mut items, request);
        let moves = moves::pair(&items);
        if moves.is_empty() && items.are_final() {
            return Plan { items: items.packed, kinds: items.kinds };
        }
        moves::join(&items, &moves).filter(|item| item.action != Action::None).collect()
    }
}

/// An item as far as it belongs to the selection.
fn selected(mut item: Item, only: &BTreeSet<&str>) -> Item {
    if !is_named(item.at.path.as_str(), only) && item.action != Action::None {
        item.action = Action::Skipped;
    }
    item
}

/// Whether a path, or a folder that it lies in, is among these; they may be as many as there are
/// paths.
fn is_named(path: &str, only: &BTreeSet<&str>) -> bool {
    only.contains(path) || path.match_indices('/').any(|(at, _)| only.contains(&path[..at]))
}

/// The items of a draft: packed, and beside that the few that changed since.
#[derive(Default)]
pub(super) struct Items {
    packed: Packed<Item>,
    changed: BTreeMap<usize, Item>,
    kinds: Kinds,
}

impl FromIterator<Item> for Items {
    /// In the order of the paths.
    fn from_iter<I: IntoIterator<Item = Item>>(all: I) -> Self {
        let mut items = Self::default();
        for item in all {
            let follows = items.push(&item);
            assert!(follows, "{} is out of order", item.at.path);
        }
        items
    }
}

impl Items {
    /// Whether it follows the others; else it is left out.
    fn push(&mut self, item: &Item) -> bool {
        self.note(item);
        self.packed.push(item)
    }

    fn note(&mut self, item: &Item) {
        self.kinds.note(&item.action);
    }

    /// With others among them.
    fn with(self, mut others: Vec<Item>) -> Self {
        others.extend(self.packed);
        others.sort_unstable_by(|a, b| a.at.path.cmp(&b.at.path));
        others.into_iter().collect()
    }

    /// Whether what is packed is all that there is to say.
    fn are_final(&self) -> bool {
        self.changed.is_empty() && !self.may_have(|action| *action == Action::None)
    }

    /// As [`Plan::may_have`].
    pub(super) fn may_have(&self, wanted: impl Fn(&Action) -> bool) -> bool {
        self.kinds.any(wanted)
    }

    pub(super) fn len(&self) -> usize {
        self.packed.len()
    }

    /// All, with their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Item)> {
        let mut changed = self.changed.iter().peekable();
        self.packed.iter().enumerate().map(move |(at, item)| {
            (at, changed.next_if(|(place, _)| **place == at).map_or(item, |(_, now)| now.clone()))
        })
    }

    pub(super) fn get(&self, at: usize) -> Option<Item> {
        self.changed.get(&at).cloned().or_else(|| self.packed.get(at))
    }

    /// As [`Items::get`], for places that mostly follow each other.
    pub(super) fn reader(&self) -> impl FnMut(usize) -> Option<Item> {
        let mut around = self.packed.around(0);
        move |at| {
            if let Some(item) = self.changed.get(&at) {
                return Some(item.clone());
            }
            if around.get(at).is_none() {
                around = self.packed.around(at);
            }
            around.get(at).cloned()
        }
    }

    /// Paths from this one on.
    pub(super) fn paths_from(&self, path: &str) -> impl Iterator<Item = RepoPath> {
        self.packed.from(path).map(|item| item.at.path)
    }

    pub(super) fn set(&mut self, at: usize, item: Item) {
        self.note(&item);
        self.changed.insert(at, item);
    }
}

/// Paths that would be both file and folder become clashes; a decision that does not end the
/// clash does not count. Gives whether there are any.
fn settle_clashes(items: &mut Items, request: &Request) -> bool {
    let mut any = false;
    loop {
        let mut progressed = false;
        for (at, root) in occupancy::offenders(items) {
            any = true;
            let Some(mut item) = items.get(at) else { continue };
            if item.clash.is_none() {
                item.clash = Some(root);
                item.state = State::Clash;
                if !matches!(item.action, Action::Blocked(_)) {
                    item.action = item.decided(request);
                    progressed = true;
                }
            } else if !item.action.is_inert() {
                item.reopen();
                progressed = true;
            } else {
                continue;
            }
            items.set(at, item);
        }
        progressed |= reopen_half_decided(items);
        if !progressed {
            return any;
        }
    }
}

/// A clash is decided as a whole: while one of its paths waits, all of them do.
fn reopen_half_decided(items: &mut Items) -> bool {
    // Only what changed has a clash.
    let waits = |i: &&Item| i.action == Action::Conflict;
    let open: BTreeSet<RepoPath> =
        items.changed.values().filter(waits).filter_map(|i| i.clash.clone()).collect();
    let mut progressed = false;
    for item in items.changed.values_mut() {
        let is_open = item.clash.as_ref().is_some_and(|root| open.contains(root));
        if is_open && !item.action.is_inert() {
            item.reopen();
            progressed = true;
        }
    }
    progressed
}

/// What could only be done together with something that stays as it is stays too.
fn hold_back_dependents(items: &mut Items) {
    loop {
        let mut held = false;
        for (at, root) in occupancy::offenders(items) {
            let Some(mut item) = items.get(at).filter(|i| !i.action.is_inert()) else { continue };
            item.action = Action::Blocked(format!(
                "{root} is a file on one side and a folder on the other, and not all of it is part of this sync."
            ));
            items.set(at, item);
            held = true;
        }
        if !held {
            return;
        }
    }
}
