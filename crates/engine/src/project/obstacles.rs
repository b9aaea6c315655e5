//! What only the folder itself tells: places that are taken, and files that may not be shared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use dsg_core::failure::Outcome;
use dsg_core::path::{RepoPath, folded};
use dsg_core::plan::{Action, Item, Plan};
use dsg_core::repository::Access;
use dsg_fs::stat::Kind;

use super::Project;
use crate::scan::problem;
use crate::transaction::PRIVATE;

impl Project {
    /// Paths of the plan that must stay out, with why. The plan has to be made anew without them.
    pub(super) fn obstacles(&self, plan: &Plan) -> Outcome<BTreeMap<RepoPath, String>> {
        let mut found = self.obstructed(plan)?;
        found.extend(self.look_alikes(plan)?);
        found.extend(self.half_renamed(plan)?);
        if self.known_repository()?.is_some_and(|r| r.access == Access::Team) {
            let goes = |i: &Item| matches!(i.action, Action::Upload | Action::KeepBoth { .. });
            for item in plan.items().filter(goes) {
                let stat = self.dir.stat(item.at.path.as_str())?;
                if stat.is_some_and(|s| s.kind == Kind::File && s.private()) {
                    found.insert(item.at.path, PRIVATE.to_owned());
                }
            }
        }
        Ok(found)
    }

    /// Downloads whose place is a folder that would still hold something.
    fn obstructed(&self, plan: &Plan) -> Outcome<BTreeMap<RepoPath, String>> {
        let mut found = BTreeMap::new();
        let arrives =
            |a: &Action| matches!(a, Action::Download | Action::Restore | Action::MoveLocal { .. });
        if !plan.may_have(arrives) {
            return Ok(found);
        }
        let leaving: BTreeSet<RepoPath> = plan
            .items()
            .filter_map(|i| match i.action {
                Action::DeleteLocal | Action::KeepBoth { .. } => Some(i.at.path),
                Action::MoveLocal { from } => Some(from),
                _ => None,
            })
            .collect();
        for item in plan.items().filter(|i| arrives(&i.action)) {
            let path = &item.at.path;
            let is_dir =
                self.dir.stat(path.as_str()).is_ok_and(|s| s.is_some_and(|s| s.kind == Kind::Dir));
            if let Some(stays) =
                is_dir.then(|| self.first_staying(path.as_str(), &leaving)).transpose()?.flatten()
            {
                found.insert(path.clone(), format!("A folder of this name is here, and {stays} in it is not tracked: move that away first."));
            }
        }
        Ok(found)
    }

    /// New names, or names of new folders, that differ by case only from one that the repository
    /// has and this folder has not: of names that are both here the scan takes care.
    fn look_alikes(&self, plan: &Plan) -> Outcome<BTreeMap<RepoPath, String>> {
        let is_new = |i: &Item| {
            i.at.remote.is_none() && matches!(i.action, Action::Upload | Action::MoveRemote { .. })
        };
        let is_there_only = |i: &Item| {
            i.at.remote.is_some()
                && i.at.local.entry().is_none()
                && i.action != Action::DeleteRemote
        };
        // What is only there comes, or waits.
        let may_be_there_only = plan.may_have(|action| {
            !matches!(action, Action::Upload | Action::MoveRemote { .. } | Action::DeleteRemote)
        });
        let mut theirs: HashMap<String, String> = HashMap::new();
        if may_be_there_only && plan.items().any(|i| is_new(&i)) {
            for item in plan.items().filter(is_there_only) {
                for name in names(&item.at.path) {
                    theirs.entry(folded(name)).or_insert_with(|| name.to_owned());
                }
            }
        }
        if theirs.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut judged: HashMap<String, Option<String>> = HashMap::new();
        let mut found = BTreeMap::new();
        for item in plan.items().filter(is_new) {
            for name in names(&item.at.path) {
                if !judged.contains_key(name) {
                    let other = theirs.get(&folded(name)).filter(|other| **other != name);
                    let reason = match other {
                        Some(other) if !self.index.is_shared(name)? => {
                            Some(problem::case_there(name, other))
                        }
                        _ => None,
                    };
                    judged.insert(name.to_owned(), reason);
                }
                if let Some(Some(reason)) = judged.get(name) {
                    found.insert(item.at.path.clone(), reason.clone());
                }
            }
        }
        Ok(found)
    }

    fn first_staying(&self, dir: &str, leaving: &BTreeSet<RepoPath>) -> Outcome<Option<String>> {
        for name in self.dir.open_beneath(dir)?.list()? {
            let Some(name) = name.name.to_str() else { return Ok(Some(format!("{dir}/…"))) };
            let path = format!("{dir}/{name}");
            let stat = self.dir.stat(&path)?;
            let stays = match stat.map(|s| s.kind) {
                None => None,
                Some(Kind::Dir) => self.first_staying(&path, leaving)?,
                Some(_) if leaving.contains(path.as_str()) => None,
                Some(_) => Some(path),
            };
            if stays.is_some() {
                return Ok(stays);
            }
        }
        Ok(None)
    }
}

/// A path, and the folders that it lies in.
fn names(path: &RepoPath) -> impl Iterator<Item = &str> {
    std::iter::once(path.as_str()).chain(path.ancestors())
}
