//! What a plan does: to the repository, to the project's folder, and to the cache.

use std::collections::BTreeMap;

use super::{Action, Item, Plan};
use crate::entry::Entry;
use crate::manifest::Change;
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
}

impl Step {
    /// Bytes that come here for it.
    pub fn incoming(&self) -> u64 {
        match self {
            Self::Place { entry, .. } => entry.size(),
            Self::Remove { .. } | Self::Rename { .. } | Self::Agree { .. } => 0,
        }
    }
}

/// Content that has to reach the repository for a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where the content is read: a path of the project's folder, or, for a restored version, of
    /// the local staging.
    pub from: RepoPath,
    /// Where it goes.
    pub to: RepoPath,
    /// What it is.
    pub entry: Entry,
    /// The content is the cached version, which has to be fetched first.
    pub restored: bool,
}

impl Plan {
    /// What changes in the repository, sorted by path, once each.
    pub fn remote_changes(&self) -> Vec<Change> {
        let mut changes: BTreeMap<&RepoPath, Option<&Entry>> = BTreeMap::new();
        for item in &self.items {
            match &item.action {
                Action::DeleteRemote => {
                    changes.entry(&item.at.path).or_insert(None);
                }
                Action::MoveRemote { from } => {
                    changes.entry(from).or_insert(None);
                    changes.insert(&item.at.path, item.at.local.entry());
                }
                _ => {
                    if let Some((to, entry)) = item.put() {
                        changes.insert(to, Some(entry));
                    }
                }
            }
        }
        changes
            .into_iter()
            .map(|(path, entry)| Change { path: path.clone(), entry: entry.cloned() })
            .collect()
    }

    /// Puts whose content the repository has already: `(to, from)`, sorted.
    pub fn remote_copies(&self) -> Vec<(RepoPath, RepoPath)> {
        let moved = |item: &Item| match &item.action {
            Action::MoveRemote { from } => Some((item.at.path.clone(), from.clone())),
            _ => None,
        };
        self.items.iter().filter_map(moved).collect()
    }

    /// Content that has to travel to the repository; links have none.
    pub fn outgoing(&self) -> Vec<Outgoing> {
        let one = |item: &Item| {
            let (to, entry) = item.put()?;
            entry.file()?;
            let restored = item.action == Action::Restore;
            Some(Outgoing {
                from: item.at.path.clone(),
                to: to.clone(),
                entry: entry.clone(),
                restored,
            })
        };
        self.items.iter().filter_map(one).collect()
    }

    /// What is done here after the publish: what leaves a place first, deepest first, then what
    /// comes.
    pub fn steps(&self) -> Vec<Step> {
        let mut leave = Vec::new();
        let mut come = Vec::new();
        let mut agree = Vec::new();
        for item in &self.items {
            let path = item.at.path.clone();
            let local = item.at.local.entry().cloned();
            match &item.action {
                Action::Download => come.extend(item.at.remote.clone().map(|entry| Step::Place {
                    path,
                    entry,
                    expected: local,
                    aside: None,
                    source: Source::Head,
                })),
                Action::DeleteLocal => {
                    leave.extend(local.map(|expected| Step::Remove {
                        path,
                        expected,
                        aside: None,
                    }));
                }
                Action::MoveLocal { from } => {
                    let expected = item.moved.as_ref().and_then(|m| m.local.entry().cloned());
                    if let (Some(expected), Some(entry)) = (expected, item.at.remote.clone()) {
                        leave.push(Step::Rename { from: from.clone(), to: path, expected, entry });
                    }
                }
                Action::KeepBoth { aside } => match (item.at.remote.clone(), local) {
                    (Some(entry), expected) => come.push(Step::Place {
                        path,
                        entry,
                        expected,
                        aside: Some(aside.clone()),
                        source: Source::Head,
                    }),
                    (None, Some(expected)) => {
                        leave.push(Step::Remove { path, expected, aside: Some(aside.clone()) });
                    }
                    (None, None) => {}
                },
                Action::Restore => match &item.at.cache {
                    Some((entry, _)) if local.as_ref().is_some_and(|l| l.same(entry)) => {
                        agree.push(Step::Agree { path, entry: Some(entry.clone()) });
                    }
                    Some((entry, snapshot)) => come.push(Step::Place {
                        path,
                        entry: entry.clone(),
                        expected: local,
                        aside: None,
                        source: Source::Snapshot(*snapshot),
                    }),
                    None => {}
                },
                Action::Upload => agree.push(Step::Agree { path, entry: local }),
                Action::DeleteRemote => agree.push(Step::Agree { path, entry: None }),
                Action::MoveRemote { from } => {
                    agree.push(Step::Agree { path: from.clone(), entry: None });
                    agree.push(Step::Agree { path, entry: local });
                }
                Action::Cache => agree.push(Step::Agree { path, entry: item.at.remote.clone() }),
                Action::None | Action::Conflict | Action::Blocked(_) | Action::Skipped => {}
            }
        }
        leave.reverse();
        leave.into_iter().chain(come).chain(agree).collect()
    }
}

impl Item {
    /// What it puts into the repository, and where.
    fn put(&self) -> Option<(&RepoPath, &Entry)> {
        match &self.action {
            Action::Upload => Some((&self.at.path, self.at.local.entry()?)),
            Action::KeepBoth { aside } => Some((aside, self.at.local.entry()?)),
            Action::Restore => {
                let (entry, _) = self.at.cache.as_ref()?;
                let stands = self.at.remote.as_ref().is_some_and(|r| r.same(entry));
                (!stands).then_some((&self.at.path, entry))
            }
            _ => None,
        }
    }
}
