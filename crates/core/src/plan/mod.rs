//! What a sync would do, as a value: shown, recorded, then applied. Nothing here touches a file.
//!
//! [`Plan::make`] is total: every combination of local, cache and remote, of kinds, of neighbouring
//! paths, of decisions and of a selection gives a plan. The steps, in order:
//!
//! 1. each path's own action, from its state and, where that is a conflict, from the decision;
//! 2. clashes: paths that would stand both as a file and as a folder become conflicts;
//! 3. what is not selected, undecided or blocked stays as it is on every side, and so does what
//!    could only be done together with it;
//! 4. a deletion and an addition of one content become one move.
//!
//! [`effects`] says what a plan does to each side.

mod aside;
pub mod effects;
#[cfg(test)]
mod laws;
mod moves;
mod occupancy;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::entry::{Entry, Hash};
use crate::path::RepoPath;
use crate::snapshot::SnapshotId;
use crate::state::{Local, State};

/// A path with what each side has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathState {
    /// Where.
    pub path: RepoPath,
    /// In the project's folder.
    pub local: Local,
    /// When both sides last agreed, with the snapshot of that.
    pub cache: Option<Box<(Entry, SnapshotId)>>,
    /// In the repository's head.
    pub remote: Option<Entry>,
}

impl PathState {
    /// Its state by itself, whatever its neighbours are.
    pub fn state(&self) -> State {
        State::of(self.local.entry(), self.cached(), self.remote.as_ref())
    }

    /// The cached entry without its snapshot.
    pub fn cached(&self) -> Option<&Entry> {
        self.cache.as_deref().map(|(entry, _)| entry)
    }

    /// Stands for exactly what a person saw when deciding: a decision for other content is void.
    pub fn fingerprint(&self) -> Hash {
        let mut text = Vec::new();
        for side in [self.local.entry(), self.cached(), self.remote.as_ref()] {
            text.extend(
                match side {
                    Some(Entry::File(f)) => format!("f {} {} {}\n", f.hash, f.size, f.exec),
                    Some(Entry::Link(l)) => format!("l {}\n", l.as_str()),
                    None => "-\n".to_owned(),
                }
                .into_bytes(),
            );
        }
        Hash::of(&text)
    }
}

/// How a person ends a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// What is here goes there, also if that is nothing.
    Local,
    /// What is there comes here, also if that is nothing; what was here goes to the trash.
    Remote,
    /// The last synced version returns on both sides.
    Cached,
    /// What is there comes here; what was here is kept, and tracked, under a free name beside it.
    Both,
}

/// A resolution, and what was seen when it was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What was chosen.
    pub resolution: Resolution,
    /// [`PathState::fingerprint`] at that time.
    pub seen: Hash,
}

/// What a sync does at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing, and nothing to say.
    None,
    /// Local goes to the repository.
    Upload,
    /// The repository's comes here.
    Download,
    /// Deleted here (to the trash).
    DeleteLocal,
    /// Deleted in the repository.
    DeleteRemote,
    /// Renamed in the repository, as it was here.
    MoveRemote {
        /// The former path.
        from: RepoPath,
    },
    /// Renamed here, as it was in the repository.
    MoveLocal {
        /// The former path.
        from: RepoPath,
    },
    /// Both sides agree already: only the cache learns it.
    Cache,
    /// It stays as it is on both sides; the cache forgets it.
    Forget,
    /// The cached entry returns on both sides.
    Restore,
    /// The local entry moves to `aside` and is uploaded there; the repository's comes here.
    KeepBoth {
        /// The free name.
        aside: RepoPath,
    },
    /// Waits for a decision.
    Conflict,
    /// Cannot be synced now, with the reason.
    Blocked(String),
    /// Not selected for this sync.
    Skipped,
}

impl Action {
    /// Whether it leaves every side, and the cache, as they are.
    pub fn is_inert(&self) -> bool {
        matches!(self, Self::None | Self::Conflict | Self::Blocked(_) | Self::Skipped)
    }

    /// The stable name, as `dsg status --json` gives it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::None | Self::Skipped => "none",
            Self::Upload => "upload",
            Self::Download | Self::Restore | Self::KeepBoth { .. } => "download",
            Self::DeleteLocal => "delete_local",
            Self::DeleteRemote => "delete_remote",
            Self::MoveRemote { .. } => "move_remote",
            Self::MoveLocal { .. } => "move_local",
            Self::Cache | Self::Forget => "cache",
            Self::Conflict => "conflict",
            Self::Blocked(_) => "blocked",
        }
    }
}

/// A path of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What each side has.
    pub at: PathState,
    /// Its state; [`State::Clash`] where a neighbour makes it one.
    pub state: State,
    /// What is done.
    pub action: Action,
    /// For a move, what each side has at the former path.
    pub moved: Option<Box<PathState>>,
    /// For a clash, the path that is a file on one side and a folder on the other.
    pub clash: Option<RepoPath>,
    /// The decision that counted, if it was a conflict.
    pub resolution: Option<Resolution>,
}

/// What a plan is made for.
#[derive(Default)]
pub struct Request<'a> {
    /// Decisions on conflicts.
    pub decisions: BTreeMap<RepoPath, Decision>,
    /// Only these paths and what lies below them; `None`: all.
    pub only: Option<Vec<RepoPath>>,
    /// Paths that cannot be synced now although their state would allow it, with the reason.
    pub blocked: BTreeMap<RepoPath, String>,
    /// Whether a name is in use anywhere, tracked or not; consulted before a copy is kept aside.
    pub taken: Option<&'a dyn Fn(&RepoPath) -> bool>,
}

/// What a sync would do, sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Every path that is not in sync.
    pub items: Vec<Item>,
}

impl Plan {
    /// Makes the plan for the paths that are not in sync (others may be among them).
    ///
    /// Paths need not be sorted, but stand once each.
    pub fn make(paths: impl IntoIterator<Item = PathState>, request: &Request) -> Self {
        let mut draft = Draft::new(request);
        paths.into_iter().for_each(|at| draft.add(at));
        draft.finish()
    }

    /// The paths that wait for a decision.
    pub fn conflicts(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|i| i.action == Action::Conflict)
    }

    /// Whether applying it would leave everything as it is.
    pub fn is_inert(&self) -> bool {
        self.items.iter().all(|i| i.action.is_inert())
    }
}

/// A plan in the making. It takes one path at a time: of a first sync, nothing is held twice.
pub struct Draft<'r> {
    request: &'r Request<'r>,
    items: Vec<Item>,
}

impl<'r> Draft<'r> {
    /// Nothing is in it yet.
    pub fn new(request: &'r Request<'r>) -> Self {
        Self { request, items: Vec::new() }
    }

    /// Adds a path; in any order, but once.
    pub fn add(&mut self, at: PathState) {
        self.items.push(Item::new(at, self.request));
    }

    /// The plan for all that was added.
    pub fn finish(self) -> Plan {
        let Self { request, mut items } = self;
        items.sort_unstable_by(|a, b| a.at.path.cmp(&b.at.path));
        settle_clashes(&mut items, request);
        let only: Option<BTreeSet<&str>> =
            request.only.as_ref().map(|only| only.iter().map(RepoPath::as_str).collect());
        for item in &mut items {
            let selected = only.as_ref().is_none_or(|only| is_named(item.at.path.as_str(), only));
            if !selected && !matches!(item.action, Action::None) {
                item.action = Action::Skipped;
            }
        }
        hold_back_dependents(&mut items);
        aside::choose_names(&mut items, request);
        moves::pair(&mut items);
        items.retain(|item| item.action != Action::None);
        Plan { items }
    }
}

/// Whether a path, or a folder that it lies in, is among these; they may be as many as there are
/// paths.
fn is_named(path: &str, only: &BTreeSet<&str>) -> bool {
    only.contains(path) || path.match_indices('/').any(|(at, _)| only.contains(&path[..at]))
}

impl Item {
    fn new(at: PathState, request: &Request) -> Self {
        let state = at.state();
        let mut item =
            Self { state, action: Action::None, moved: None, clash: None, resolution: None, at };
        item.action = match (&item.at.local, request.blocked.get(&item.at.path)) {
            (_, Some(reason)) => Action::Blocked(reason.clone()),
            (Local::Unknown(reason), None) => Action::Blocked(reason.clone()),
            (Local::Excluded, None) => item.excluded(request),
            _ if state.is_conflict() => item.decided(request),
            _ => item.own_action(),
        };
        item
    }

    fn own_action(&self) -> Action {
        match self.state {
            State::LcrAllEq | State::Nowhere => Action::None,
            State::LcrLEqC | State::R => Action::Download,
            State::LcrLEqR | State::LrEq | State::C => Action::Cache,
            State::LcrCEqR | State::L => Action::Upload,
            State::CrEq => Action::DeleteRemote,
            State::LcEq => Action::DeleteLocal,
            State::LcrAllNe | State::CrNe | State::LrNe | State::LcNe | State::Clash => {
                Action::Conflict
            }
        }
    }

    /// A path that the rules no longer track: removed there only if a person says so. If it is kept
    /// there, the next sync forgets that it was synced, and it is as any path that is not tracked.
    fn excluded(&mut self, request: &Request) -> Action {
        if self.at.remote.is_none() {
            return if self.at.cache.is_some() { Action::Cache } else { Action::None };
        }
        if self.at.cache.is_none() {
            return Action::None;
        }
        match self.decision(request) {
            Some(Resolution::Local) => Action::DeleteRemote,
            // Whatever else was chosen: there is no other way to leave it there.
            Some(_) => {
                self.resolution = Some(Resolution::Remote);
                Action::Forget
            }
            None => Action::Blocked(
                "It is no longer tracked here, but the repository still has it: keep it there, or remove it there?".into(),
            ),
        }
    }

    fn decision(&mut self, request: &Request) -> Option<Resolution> {
        let decision = request.decisions.get(&self.at.path)?;
        if decision.seen != self.at.fingerprint() {
            return None;
        }
        self.resolution = Some(decision.resolution);
        self.resolution
    }

    fn decided(&mut self, request: &Request) -> Action {
        let (local, remote) = (self.at.local.entry().is_some(), self.at.remote.is_some());
        match self.decision(request) {
            None => Action::Conflict,
            Some(Resolution::Local) if local => Action::Upload,
            Some(Resolution::Local) if remote => Action::DeleteRemote,
            Some(Resolution::Remote) if remote => Action::Download,
            Some(Resolution::Remote) if local => Action::DeleteLocal,
            Some(Resolution::Cached) if self.at.cache.is_some() => Action::Restore,
            Some(Resolution::Both) if !local && remote => Action::Download,
            Some(Resolution::Both) if local && !remote && self.clash.is_none() => Action::Upload,
            Some(Resolution::Both) if local => Action::KeepBoth { aside: self.at.path.clone() },
            // Nothing here nor there: only the cache, if anything, is left to forget.
            Some(Resolution::Local | Resolution::Remote | Resolution::Both) => Action::Cache,
            Some(Resolution::Cached) => {
                self.resolution = None;
                Action::Conflict
            }
        }
    }
}

/// Paths that would be both file and folder become clashes; a decision that does not end the
/// clash does not count.
fn settle_clashes(items: &mut [Item], request: &Request) {
    loop {
        let mut progressed = false;
        for (index, root) in occupancy::offenders(items) {
            let item = &mut items[index];
            if item.clash.is_none() {
                item.clash = Some(root);
                item.state = State::Clash;
                if !matches!(item.action, Action::Blocked(_)) {
                    item.action = item.decided(request);
                    progressed = true;
                }
            } else if !item.action.is_inert() {
                item.action = Action::Conflict;
                item.resolution = None;
                progressed = true;
            }
        }
        progressed |= reopen_half_decided(items);
        if !progressed {
            return;
        }
    }
}

/// A clash is decided as a whole: while one of its paths waits, all of them do.
fn reopen_half_decided(items: &mut [Item]) -> bool {
    let waits = |i: &&Item| i.action == Action::Conflict;
    let open: BTreeSet<RepoPath> =
        items.iter().filter(waits).filter_map(|i| i.clash.clone()).collect();
    let mut progressed = false;
    for item in
        items.iter_mut().filter(|i| i.clash.as_ref().is_some_and(|root| open.contains(root)))
    {
        if !item.action.is_inert() {
            item.action = Action::Conflict;
            item.resolution = None;
            progressed = true;
        }
    }
    progressed
}

/// What could only be done together with something that stays as it is stays too.
fn hold_back_dependents(items: &mut [Item]) {
    loop {
        let held: Vec<(usize, RepoPath)> = occupancy::offenders(items)
            .into_iter()
            .filter(|(i, _)| !items[*i].action.is_inert())
            .collect();
        if held.is_empty() {
            return;
        }
        for (index, root) in held {
            items[index].action = Action::Blocked(format!(
                "{root} is a file on one side and a folder on the other, and not all of it is part of this sync."
            ));
        }
    }
}
