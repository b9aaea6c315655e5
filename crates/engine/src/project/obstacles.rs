//! What only the folder itself tells: places that are taken, and files that may not be shared.

use std::collections::{BTreeMap, BTreeSet};

use dsg_core::failure::Outcome;
use dsg_core::path::RepoPath;
use dsg_core::plan::{Action, Item, Plan};
use dsg_core::repository::Access;
use dsg_fs::stat::Kind;

use super::Project;
use crate::transaction::PRIVATE;

impl Project {
    /// Paths of the plan that must stay out, with why. The plan has to be made anew without them.
    pub(super) fn obstacles(&self, plan: &Plan) -> Outcome<BTreeMap<RepoPath, String>> {
        let mut found = self.obstructed(plan)?;
        if self.known_repository()?.is_some_and(|r| r.access == Access::Team) {
            let goes = |i: &&Item| matches!(i.action, Action::Upload | Action::KeepBoth { .. });
            for item in plan.items.iter().filter(goes) {
                let stat = self.dir.stat(item.at.path.as_str())?;
                if stat.is_some_and(|s| s.kind == Kind::File && s.private()) {
                    found.insert(item.at.path.clone(), PRIVATE.to_owned());
                }
            }
        }
        Ok(found)
    }

    /// Downloads whose place is a folder that would still hold something.
    fn obstructed(&self, plan: &Plan) -> Outcome<BTreeMap<RepoPath, String>> {
        let mut found = BTreeMap::new();
        let leaving: BTreeSet<&str> = plan
            .items
            .iter()
            .filter_map(|i| match &i.action {
                Action::DeleteLocal | Action::KeepBoth { .. } => Some(i.at.path.as_str()),
                Action::MoveLocal { from } => Some(from.as_str()),
                _ => None,
            })
            .collect();
        for item in &plan.items {
            if !matches!(item.action, Action::Download | Action::Restore | Action::MoveLocal { .. })
            {
                continue;
            }
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

    fn first_staying(&self, dir: &str, leaving: &BTreeSet<&str>) -> Outcome<Option<String>> {
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
