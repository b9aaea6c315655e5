//! What a plan does: to the repository, to the project's folder, and to the cache.

use super::{Action, Item, Plan};
use crate::entry::{Entry, FileEntry};
use crate::manifest::Change;
use crate::packed::Packed;
use crate::path::RepoPath;
use crate::snapshot::SnapshotId;

/// Where content that comes here is fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The head that the plan was made against.
    Head,
    /// An earlier snapshot.
    Snapshot(SnapshotId),
}

/// One thing to do in the project's folder after the publish, and what the cache learns by it.
///
/// `expected` is what the plan saw: finding anything else, the step is undone and the path keeps
/// its cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The staged entry takes the path's place.
    Place {
        /// Where.
        path: RepoPath,
        /// What comes.
        entry: Entry,
        /// What the plan saw there.
        expected: Option<Entry>,
        /// What was there moves to this name; `None`: to the trash.
        aside: Option<RepoPath>,
        /// Where its content is from.
        source: Source,
    },
    /// The path's entry goes.
    Remove {
        /// Where.
        path: RepoPath,
        /// What the plan saw there.
        expected: Entry,
        /// It moves to this name; `None`: to the trash.
        aside: Option<RepoPath>,
    },
    /// The entry gets another name.
    Rename {
        /// Former path.
        from: RepoPath,
        /// New path.
        to: RepoPath,
        /// What the plan saw at `from`.
        expected: Entry,
        /// The entry at the new path (its time may differ).
        entry: Entry,
    },
    /// Nothing is done to the path; both sides agree on this.
    Agree {
        /// Where.
        path: RepoPath,
        /// On what; `None`: on nothing.
        entry: Option<Entry>,
    },
    /// Nothing is done to the path on either side; that it was synced is forgotten.
    Forget {
        /// Where.
        path: RepoPath,
    },
}

impl Step {
    /// Bytes that come here for it.
    pub fn incoming(&self) -> u64 {
        match self {
            Self::Place { entry, .. } => entry.size(),
            Self::Remove { .. }
            | Self::Rename { .. }
            | Self::Agree { .. }
            | Self::Forget { .. } => 0,
        }
    }
}

/// Content that has to reach the repository for a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where the content is read: a path of the project's folder, or, for a restored version, of
    /// the local staging.
    pub from: RepoPath,
    /// What it is.
    pub file: FileEntry,
    /// The content is the cached version, which has to be fetched first.
    pub restored: bool,
    /// What stands at that path in the repository.
    pub older: Option<FileEntry>,
}

impl Outgoing {
    /// What an item sends; links have no content.
    pub fn of(item: &Item) -> Option<Self> {
        let (_, entry) = item.put()?;
        let restored = item.action == Action::Restore;
        let older = item.at.remote.as_ref().and_then(Entry::file).copied();
        Some(Self { from: item.at.path.clone(), file: *entry.file()?, restored, older })
    }
}

impl Plan {
    /// Whether anything changes in the repository.
    pub fn changes_remote(&self) -> bool {
        let changes = |a: &Action| matches!(a, Action::DeleteRemote | Action::MoveRemote { .. });
        self.items().any(|i| changes(&i.action) || i.put().is_some())
    }

    /// What changes in the repository.
    pub fn remote_changes(&self) -> Packed<Change> {
        let mut changes = Packed::default();
        // What is at another place than its item: few.
        let mut elsewhere: Vec<Change> =
            self.items().filter_map(|i| i.change_elsewhere()).collect();
        // What comes to a path counts, not what went from there.
        elsewhere.sort_unstable_by(|a, b| {
            a.path.cmp(&b.path).then(a.entry.is_none().cmp(&b.entry.is_none()))
        });
        let mut elsewhere = elsewhere.into_iter().peekable();
        let mut put = |change: &Change| {
            // Where a path comes twice, it came as a put before.
            let _ = changes.push(change);
        };
        for change in self.items().filter_map(|item| item.change_here()) {
            while let Some(other) = elsewhere.next_if(|other| other.path < change.path) {
                put(&other);
            }
            match elsewhere.next_if(|other| other.path == change.path && other.entry.is_some()) {
                Some(other) if change.entry.is_none() => put(&other),
                _ => put(&change),
            }
        }
        elsewhere.for_each(|other| put(&other));
        changes
    }

    /// Puts whose content the repository has already: `(to, from)`, sorted.
    pub fn remote_copies(&self) -> Vec<(RepoPath, RepoPath)> {
        let moved = |item: Item| match item.action {
            Action::MoveRemote { from } => Some((item.at.path, from)),
            _ => None,
        };
        self.items().filter_map(moved).collect()
    }

    /// Content that has to travel to the repository.
    pub fn outgoing(&self) -> impl Iterator<Item = Outgoing> {
        self.items().filter_map(|item| Outgoing::of(&item))
    }

    /// What is done here after the publish: what leaves a place first, deepest first, then what
    /// comes. Asked again, the same comes in the same order.
    pub fn deeds(&self) -> impl Iterator<Item = Step> {
        let leave = self.items().rev().filter_map(|item| item.leave());
        leave.chain(self.items().filter_map(|item| item.come()))
    }

    /// What the cache learns after the publish, without anything being done here.
    pub fn agreements(&self) -> impl Iterator<Item = Step> {
        self.items().flat_map(|item| item.agree())
    }
}

impl Item {
    /// What changes in the repository at its own path.
    fn change_here(&self) -> Option<Change> {
        let entry = match &self.action {
            Action::DeleteRemote => None,
            Action::MoveRemote { .. } => self.at.local.entry(),
            _ => Some(self.put().filter(|(to, _)| **to == self.at.path)?.1),
        };
        Some(Change { path: self.at.path.clone(), entry: entry.cloned() })
    }

    /// What changes in the repository at another path.
    fn change_elsewhere(&self) -> Option<Change> {
        match &self.action {
            Action::MoveRemote { from } => Some(Change { path: from.clone(), entry: None }),
            Action::KeepBoth { aside } => {
                Some(Change { path: aside.clone(), entry: Some(self.at.local.entry()?.clone()) })
            }
            _ => None,
        }
    }

    /// What it puts into the repository, and where.
    fn put(&self) -> Option<(&RepoPath, &Entry)> {
        match &self.action {
            Action::Upload => Some((&self.at.path, self.at.local.entry()?)),
            Action::KeepBoth { aside } => Some((aside, self.at.local.entry()?)),
            Action::Restore => {
                let entry = self.at.cached()?;
                let stands = self.at.remote.as_ref().is_some_and(|r| r.same(entry));
                (!stands).then_some((&self.at.path, entry))
            }
            _ => None,
        }
    }

    /// What leaves its place here.
    fn leave(&self) -> Option<Step> {
        let local = || self.at.local.entry().cloned();
        let path = self.at.path.clone();
        match &self.action {
            Action::DeleteLocal => Some(Step::Remove { path, expected: local()?, aside: None }),
            Action::KeepBoth { aside } if self.at.remote.is_none() => {
                Some(Step::Remove { path, expected: local()?, aside: Some(aside.clone()) })
            }
            Action::MoveLocal { from } => Some(Step::Rename {
                from: from.clone(),
                to: path,
                expected: self.moved.as_ref()?.local.entry()?.clone(),
                entry: self.at.remote.clone()?,
            }),
            _ => None,
        }
    }

    /// What comes to its place here.
    fn come(&self) -> Option<Step> {
        let (entry, aside, source) = match &self.action {
            Action::Download => (self.at.remote.clone()?, None, Source::Head),
            Action::KeepBoth { aside } => {
                (self.at.remote.clone()?, Some(aside.clone()), Source::Head)
            }
            Action::Restore if !self.is_restored_here() => {
                let (entry, snapshot) = self.at.cache.as_deref()?;
                (entry.clone(), None, Source::Snapshot(*snapshot))
            }
            _ => return None,
        };
        let (path, expected) = (self.at.path.clone(), self.at.local.entry().cloned());
        Some(Step::Place { path, entry, expected, aside, source })
    }

    /// What the cache learns without anything being done here.
    fn agree(&self) -> impl Iterator<Item = Step> + use<> {
        let here = |entry: Option<&Entry>| {
            Some(Step::Agree { path: self.at.path.clone(), entry: entry.cloned() })
        };
        let steps = match &self.action {
            Action::Upload => [here(self.at.local.entry()), None],
            Action::DeleteRemote => [here(None), None],
            Action::MoveRemote { from } => {
                let left = Step::Agree { path: from.clone(), entry: None };
                [Some(left), here(self.at.local.entry())]
            }
            Action::Cache => [here(self.at.remote.as_ref()), None],
            Action::Forget => [Some(Step::Forget { path: self.at.path.clone() }), None],
            Action::Restore if self.is_restored_here() => [here(self.at.cached()), None],
            _ => [None, None],
        };
        steps.into_iter().flatten()
    }

    /// Whether the cached version stands here already.
    fn is_restored_here(&self) -> bool {
        matches!((self.at.local.entry(), self.at.cached()), (Some(l), Some(c)) if l.same(c))
    }
}
