//! Saying how a conflict ends. Nothing in the folder moves before the next sync.

use std::collections::{BTreeMap, BTreeSet};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::plan::{Action, Decision, Item, Resolution};
use dsg_core::state::Local;

use super::Project;
use super::pending::stored;
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
        let _ready = self.ready_to_change("resolve", monitor)?;
        let named = Self::named(paths)?;
        let head = self.known_head()?;
        let configs = self.configs(head.as_ref())?;
        scan(&self.root, &configs.merged, &mut self.index, Scope::Paths(paths), monitor)?;
        let plan = self.plan(&configs.merged, None, BTreeMap::new())?.plan;
        let mut decided: BTreeSet<RepoPath> = BTreeSet::new();
        for path in &named {
            let meant: Vec<&Item> =
                plan.items.iter().filter(|i| is_open(i) && concerns(i, path)).collect();
            if meant.is_empty() {
                return Err(Failure::new(Code::NotFound, format!("{path} is not in conflict."))
                    .hint("dsg status lists the conflicts."));
            }
            let unsynced = meant.iter().find(|i| i.at.cache.is_none());
            if let (Some(Resolution::Cached), Some(item)) = (resolution, unsynced) {
                let at = &item.at.path;
                return Err(Failure::new(
                    Code::Usage,
                    format!("{at} was never synced: there is no version to go back to."),
                )
                .hint("Choose --local, --remote or --both."));
            }
            // A clash is decided as a whole.
            for item in &meant {
                let same_clash = |i: &&Item| {
                    i.at.path == item.at.path || (i.clash.is_some() && i.clash == item.clash)
                };
                decided.extend(plan.items.iter().filter(same_clash).map(|i| i.at.path.clone()));
            }
        }
        self.index.batch(|batch| {
            for item in plan.items.iter().filter(|i| decided.contains(&i.at.path)) {
                let kind = resolution
                    .map(|resolution| stored(Decision { resolution, seen: item.at.fingerprint() }));
                batch.set_resolution(&item.at.path, kind.as_deref())?;
            }
            Ok(())
        })?;
        Ok(decided.into_iter().map(String::from).collect())
    }
}

/// Waits for a decision, or has one that can be changed until the sync.
fn is_open(item: &Item) -> bool {
    let excluded = item.at.local == Local::Excluded && matches!(item.action, Action::Blocked(_));
    item.action == Action::Conflict || item.resolution.is_some() || excluded
}

fn concerns(item: &Item, path: &RepoPath) -> bool {
    item.at.path.is_within(path) || item.clash.as_ref().is_some_and(|root| root == path)
}
