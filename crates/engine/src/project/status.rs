//! What is pending.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dsg_core::failure::{Code, Outcome};
use dsg_core::monitor::{Monitor, Phase};
use dsg_core::state::State;

use super::Project;
use super::head::Configs;
use crate::endpoint;
use crate::index::Problem;
use crate::report::{Counts, Reach, Sizes, Status, StatusChange};
use crate::scan::{Scope, scan};

/// How long a status waits for another use case to end.
const PATIENCE: Duration = Duration::from_secs(1);

impl Project {
    /// Looks at the folder and, unless `offline`, asks the repository; gives what is pending.
    /// Changes nothing but the index.
    ///
    /// # Errors
    /// The folder or the state cannot be read; the repository is another one or lost history.
    pub fn status(&mut self, offline: bool, monitor: &Monitor) -> Outcome<Status> {
        self.status_of(offline, Scope::All, monitor)
    }

    /// As [`Project::status`], after looking only at what was touched: paths relative to the root.
    ///
    /// # Errors
    /// As [`Project::status`].
    pub fn status_after(&mut self, touched: &[String], monitor: &Monitor) -> Outcome<Status> {
        self.status_of(true, Scope::Paths(touched), monitor)
    }

    fn status_of(&mut self, offline: bool, scope: Scope, monitor: &Monitor) -> Outcome<Status> {
        let ready = match self.ready_within("status", PATIENCE, monitor) {
            Ok(ready) => ready,
            // A long sync must not blind anybody: what was known before it is shown.
            Err(busy) if busy.code == Code::Locked => {
                let configs = self.configs(self.known_head()?.as_ref())?;
                return self.as_known(&configs, Reach::Failed(busy), None);
            }
            Err(failure) => return Err(failure),
        };
        let unsettled = ready.unsettled.as_ref().map(|f| f.message.clone());
        let reach = if offline || unsettled.is_some() {
            Reach::NotAsked
        } else {
            monitor.phase(Phase::Comparing, None, None);
            let asked = endpoint::open(&self.address)
                .and_then(|e| self.refresh_head(&*e, &BTreeSet::new()));
            match asked {
                Ok(_) => Reach::Asked,
                Err(f)
                    if matches!(
                        f.code,
                        Code::Unreachable | Code::NoRepository | Code::Permission | Code::Io
                    ) =>
                {
                    Reach::Failed(f)
                }
                Err(failure) => return Err(failure),
            }
        };
        let head = self.known_head()?;
        let configs = self.configs(head.as_ref())?;
        scan(&self.root, &configs.merged, &mut self.index, scope, monitor)?;
        self.as_known(&configs, reach, unsettled)
    }

    /// The status as the index knows it.
    fn as_known(
        &self,
        configs: &Configs,
        reach: Reach,
        unsettled: Option<String>,
    ) -> Outcome<Status> {
        let head = self.known_head()?;
        let plan = self.plan(&configs.merged, None, BTreeMap::new())?;
        let mut changes: Vec<StatusChange> = plan.items.iter().map(StatusChange::of).collect();
        let mut problems: BTreeMap<String, Problem> =
            self.index.problems()?.into_iter().map(|p| (p.path.clone(), p)).collect();
        for change in &mut changes {
            if let Some(problem) = problems.remove(&change.path) {
                change.legal_name = problem.offer;
            }
        }
        changes.extend(problems.into_values().map(|problem| StatusChange {
            path: problem.path,
            old_path: None,
            state: State::L,
            action: "blocked",
            size: None,
            sizes: Sizes::default(),
            mtime: None,
            decidable: false,
            untracked: false,
            reason: Some(problem.sentence),
            resolution: None,
            legal_name: problem.offer,
        }));
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Status {
            project: self.root.clone(),
            address: self.address.clone(),
            repository: self.known_repository()?,
            head: head.map(|h| h.id),
            last_sync: self.last_sync()?,
            reach,
            unsettled,
            config_pending: configs.remote_differs
                || configs.seen.as_ref() != Some(&configs.merged),
            counts: Counts::of(&changes),
            changes,
        })
    }
}
