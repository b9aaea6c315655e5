//! Saying how a conflict ends. Nothing in the folder moves before the next sync.

use std::collections::{BTreeMap, BTreeSet};

use dsg_core::entry::Hash;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::plan::{Action, Decision, Item, Resolution};
use dsg_core::state::Local;

use super::Project;
use crate::decisions::stored;
use crate::scan::{Scope, scan};

impl Project {
    /// Decides the conflicts at and below `paths` (or, with `None`, forgets the decisions there);
    /// gives the paths concerned. The decision holds for what is there now: if either side changes
    /// before the sync, the conflict is asked again.
    ///
    /// # Errors
    /// [`Code::NotFound`] where there is no conflict, [`Code::Usage`] where the choice makes no
    /// sense; then nothing is decided.
    pub fn resolve(
        &mut self,
        paths: &[String],
        resolution: Option<Resolution>,
        monitor: &Monitor,
    ) -> Outcome<Vec<String>> {
        self.resolve_if(paths, resolution, |_| true, monitor)
    }

    /// As [`Project::resolve`], for what a person saw at each path ([`StatusChange::seen`]).
    ///
    /// # Errors
    /// As [`Project::resolve`]; [`Code::Outdated`] where something else is there by now: then
    /// nothing is decided.
    ///
    /// [`StatusChange::seen`]: crate::report::StatusChange::seen
    pub fn resolve_seen(
        &mut self,
        seen: &BTreeMap<String, Hash>,
        resolution: Option<Resolution>,
        monitor: &Monitor,
    ) -> Outcome<Vec<String>> {
        let paths: Vec<String> = seen.keys().cloned().collect();
        let same = |item: &Item| {
            seen.get(item.at.path.as_str()).is_none_or(|seen| *seen == item.at.fingerprint())
        };
        self.resolve_if(&paths, resolution, same, monitor)
    }

    fn resolve_if(
        &mut self,
        paths: &[String],
        resolution: Option<Resolution>,
        is_as_seen: impl Fn(&Item) -> bool,
        monitor: &Monitor,
    ) -> Outcome<Vec<String>> {
        let _ready = self.ready_to_change("resolve", monitor)?;
        let named = Self::named(paths)?;
        let head = self.known_head()?;
        let configs = self.configs(head.as_ref())?;
        scan(&self.root, &configs.merged, &mut self.index, Scope::Paths(paths), monitor)?;
        let plan = self.plan(&configs.merged, None, BTreeMap::new())?;
        let wanted: BTreeSet<&str> = named.iter().map(RepoPath::as_str).collect();
        let mut unmet = wanted.clone();
        let mut meant: BTreeSet<RepoPath> = BTreeSet::new();
        let mut clashes: BTreeSet<RepoPath> = BTreeSet::new();
        for item in plan.items().filter(is_open) {
            let mut by = naming(&item).filter(|name| wanted.contains(name)).peekable();
            if by.peek().is_none() {
                continue;
            }
            for name in by {
                unmet.remove(name);
            }
            let at = &item.at.path;
            if !is_as_seen(&item) {
                return Err(Failure::new(
                    Code::Outdated,
                    format!("{at} was changed since it was shown. Nothing is decided."),
                )
                .hint("Look at it as it is now, and decide again."));
            }
            if resolution == Some(Resolution::Cached) && item.at.cache.is_none() {
                return Err(Failure::new(
                    Code::Usage,
                    format!("{at} was never synced: there is no version to go back to."),
                )
                .hint("Choose --local, --remote or --both."));
            }
            meant.insert(at.clone());
            clashes.extend(item.clash);
        }
        if let Some(path) = unmet.first() {
            return Err(Failure::new(Code::NotFound, format!("{path} is not in conflict."))
                .hint("dsg status lists the conflicts."));
        }
        // A clash is decided as a whole.
        let decided: Vec<Item> = plan
            .into_iter()
            .filter(|i| {
                meant.contains(&i.at.path) || i.clash.as_ref().is_some_and(|c| clashes.contains(c))
            })
            .collect();
        self.index.batch(|batch| {
            for item in &decided {
                let kind = resolution
                    .map(|resolution| stored(Decision { resolution, seen: item.at.fingerprint() }));
                batch.set_resolution(&item.at.path, kind.as_deref())?;
            }
            Ok(())
        })?;
        Ok(decided.into_iter().map(|i| i.at.path.to_string()).collect())
    }
}

/// Waits for a decision, or has one that can be changed until the sync.
fn is_open(item: &Item) -> bool {
    let excluded = item.at.local == Local::Excluded && matches!(item.action, Action::Blocked(_));
    item.action == Action::Conflict || item.resolution.is_some() || excluded
}

/// The names that mean it: its own, those of the folders it lies in, and its clash's.
fn naming(item: &Item) -> impl Iterator<Item = &str> {
    let clash = item.clash.as_ref().map(RepoPath::as_str);
    item.at.path.ancestors().chain([item.at.path.as_str()]).chain(clash)
}
