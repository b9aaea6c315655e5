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
mod draft;
pub mod effects;
#[cfg(test)]
mod laws;
mod moves;
mod occupancy;
mod pack;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use draft::Draft;

use crate::entry::{Entry, Hash};
use crate::packed::Packed;
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// What a sync would do, sorted by path. Its items are packed: reading them makes each anew.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    items: Packed<Item>,
    kinds: Kinds,
}

/// One action of each kind that there is, or was.
#[derive(Clone, Debug, Default)]
struct Kinds(Vec<Action>);

impl Kinds {
    fn note(&mut self, action: &Action) {
        let kind = std::mem::discriminant(action);
        if !self.any(|known| std::mem::discriminant(known) == kind) {
            self.0.push(action.clone());
        }
    }

    fn any(&self, wanted: impl Fn(&Action) -> bool) -> bool {
        self.0.iter().any(wanted)
    }
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

    /// Every path that is not in sync, in the order of the paths.
    pub fn items(&self) -> impl DoubleEndedIterator<Item = Item> {
        self.items.iter()
    }

    /// The item at a place.
    pub fn item(&self, at: usize) -> Option<Item> {
        self.items.get(at)
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is nothing that is not in sync.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Without the items for which `keep` is not true.
    #[must_use]
    pub fn keeping(self, keep: impl FnMut(&Item) -> bool + 'static) -> Self {
        self.items.into_iter().filter(keep).collect()
    }

    /// Whether there may be items with an action of a kind for which `wanted` is true, whatever it
    /// tells beside its kind. `false` is certain, and known without reading any.
    pub fn may_have(&self, wanted: impl Fn(&Action) -> bool) -> bool {
        self.kinds.any(wanted)
    }

    /// The paths that wait for a decision.
    pub fn conflicts(&self) -> impl Iterator<Item = Item> {
        self.items().filter(|i| i.action == Action::Conflict)
    }

    /// Whether applying it would leave everything as it is.
    pub fn is_inert(&self) -> bool {
        !self.may_have(|action| !action.is_inert()) || self.items().all(|i| i.action.is_inert())
    }
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items
    }
}

impl Eq for Plan {}

impl FromIterator<Item> for Plan {
    /// From items in the order of their paths.
    fn from_iter<I: IntoIterator<Item = Item>>(items: I) -> Self {
        let mut kinds = Kinds::default();
        let items = items.into_iter().inspect(|item| kinds.note(&item.action)).collect();
        Self { items, kinds }
    }
}

impl IntoIterator for Plan {
    type Item = Item;
    type IntoIter = <Packed<Item> as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
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

    /// It waits for a decision; one that was there does not count.
    fn reopen(&mut self) {
        self.action = Action::Conflict;
        self.resolution = None;
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
