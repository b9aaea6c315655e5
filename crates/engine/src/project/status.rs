//! What is pending.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::time::Duration;

use dsg_core::config::SharedConfig;
use dsg_core::failure::{Code, Outcome};
use dsg_core::monitor::{Monitor, Phase};
use dsg_core::places::Lease;
use dsg_core::plan::Plan;
use dsg_core::repository::Standing;

use super::Project;
use super::head::Configs;
use crate::endpoint::{self, Endpoint};
use crate::index::Problem;
use crate::report::{Counts, Reach, Status, StatusChange};
use crate::scan::{Scope, scan};

/// How long a status waits for another use case to end.
const PATIENCE: Duration = Duration::from_secs(1);
/// After so many changes were read, what the index keeps at hand of them is not worth its memory.
const MANY: usize = 50_000;

impl Project {
    /// Looks at the folder and, unless `offline`, asks the repository; gives what is pending.
    /// Changes nothing but the index.
    ///
    /// # Errors
    /// The folder or the state cannot be read; the repository is another one or lost history.
    pub fn status(&mut self, offline: bool, monitor: &Monitor) -> Outcome<Status> {
        self.status_into(Vec::new(), offline, monitor)
    }

    /// As [`Project::status`], with the changes in what is made of them: they come one by one, in the
    /// order of their paths.
    ///
    /// # Errors
    /// As [`Project::status`].
    pub fn status_into<C: Extend<StatusChange>>(
        &mut self,
        changes: C,
        offline: bool,
        monitor: &Monitor,
    ) -> Outcome<Status<C>> {
        self.status_of(changes, offline, Scope::All, monitor)
    }

    /// The status as the last look left it: looks at nothing, and asks nobody.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn last_status_into<C: Extend<StatusChange>>(&self, changes: C) -> Outcome<Status<C>> {
        let configs = self.configs(self.known_head()?.as_ref())?;
        self.as_known(changes, &configs, Reach::NotAsked, Found::default(), None)
    }

    /// As [`Project::status`], after looking only at what was touched: paths relative to the root.
    ///
    /// # Errors
    /// As [`Project::status`].
    pub fn status_after(&mut self, touched: &[String], monitor: &Monitor) -> Outcome<Status> {
        self.status_after_into(Vec::new(), touched, monitor)
    }

    /// As [`Project::status_after`], with the changes in what is made of them.
    ///
    /// # Errors
    /// As [`Project::status`].
    pub fn status_after_into<C: Extend<StatusChange>>(
        &mut self,
        changes: C,
        touched: &[String],
        monitor: &Monitor,
    ) -> Outcome<Status<C>> {
        self.status_of(changes, true, Scope::Paths(touched), monitor)
    }

    fn status_of<C: Extend<StatusChange>>(
        &mut self,
        changes: C,
        offline: bool,
        scope: Scope,
        monitor: &Monitor,
    ) -> Outcome<Status<C>> {
        let ready = match self.ready_within("status", PATIENCE, monitor) {
            Ok(ready) => ready,
            // A long sync must not blind anybody: what was known before it is shown.
            Err(busy) if busy.code == Code::Locked => {
                let configs = self.configs(self.known_head()?.as_ref())?;
                let reach = Reach::Failed(busy);
                return self.as_known(changes, &configs, reach, Found::default(), None);
            }
            Err(failure) => return Err(failure),
        };
        let unsettled = ready.unsettled.as_ref().map(|f| f.message.clone());
        let mut found = Found::default();
        let reach = if offline || unsettled.is_some() {
            Reach::NotAsked
        } else {
            monitor.phase(Phase::Comparing, None, None);
            let asked = endpoint::open(&self.address).and_then(|endpoint| {
                self.refresh_head(&*endpoint, &BTreeSet::new())?;
                // For people only: whoever may not look at the locks sees nobody.
                found.at_work = endpoint.leases().unwrap_or_default();
                let mut standing = endpoint.standing().clone();
                standing.settled = standing.settled.or(self.settled.take());
                found.standing = Some(standing);
                if endpoint.standing().touched {
                    found.drift = drift(&*endpoint, monitor)?;
                }
                Ok(())
            });
            match asked {
                Ok(()) => Reach::Asked,
                Err(failure) if is_out_of_reach(failure.code) => Reach::Failed(failure),
                Err(failure) => return Err(failure),
            }
        };
        let head = self.known_head()?;
        let configs = self.configs(head.as_ref())?;
        scan(&self.root, &configs.merged, &mut self.index, scope, monitor)?;
        self.as_known(changes, &configs, reach, found, unsettled)
    }

    /// The status as the index knows it.
    fn as_known<C: Extend<StatusChange>>(
        &self,
        mut changes: C,
        configs: &Configs,
        reach: Reach,
        Found { at_work, standing, drift }: Found,
        unsettled: Option<String>,
    ) -> Outcome<Status<C>> {
        let head = self.known_head()?;
        let plan = self.plan(&configs.merged, None, BTreeMap::new())?;
        let mut counts = Counts::default();
        let many = plan.len() > MANY;
        let all = Merged {
            left: plan.len(),
            items: plan.into_iter().peekable(),
            problems: self.index.problems()?.into_iter().peekable(),
        };
        let all = all.map(|change| explained(change, &configs.merged));
        changes.extend(all.inspect(|change| counts.add(change.action)));
        if many {
            self.index.rest();
        }
        Ok(Status {
            project: self.root.clone(),
            address: self.address.clone(),
            repository: self.known_repository()?,
            head: head.map(|h| h.id),
            last_sync: self.last_sync()?,
            reach,
            at_work,
            standing,
            drift,
            unsettled,
            config_pending: configs.remote_differs
                || configs.seen.as_ref() != Some(&configs.merged),
            counts,
            changes,
        })
    }
}

/// With the rule by which it is tracked no longer, if it is one.
fn explained(mut change: StatusChange, rules: &SharedConfig) -> StatusChange {
    if let Some(reason) = change.reason.as_mut().filter(|_| change.untracked)
        && let Some(rule) = rules.rule(&change.path, false)
    {
        *reason = format!("Now {rule}. {reason}");
    }
    change
}

/// What the repository tells of itself, beside its history.
#[derive(Default)]
struct Found {
    at_work: Vec<Lease>,
    standing: Option<Standing>,
    drift: Vec<String>,
}

/// What was changed on its host, if that can be told now.
fn drift(endpoint: &dyn Endpoint, monitor: &Monitor) -> Outcome<Vec<String>> {
    match endpoint.check_drift(monitor) {
        Err(failure) if failure.code == Code::Drift => Ok(failure.paths),
        Err(failure) if failure.code == Code::Cancelled => Err(failure),
        // Nothing, or it is found by the next who asks.
        Ok(()) | Err(_) => Ok(Vec::new()),
    }
}

/// Whether a repository that says so can be reached another time: what is here can be told all the same.
fn is_out_of_reach(code: Code) -> bool {
    matches!(
        code,
        Code::Unreachable
            | Code::NoRepository
            | Code::Permission
            | Code::Io
            | Code::Locked
            | Code::HostBusy
            | Code::HostKeyUnknown
            | Code::HostKeyChanged
            | Code::LoginRefused
            | Code::Agent
            | Code::OtherAgent
            | Code::Protocol
    )
}

/// What is planned and what cannot be, in the order of their paths; where both tell of a path, the
/// plan does, and the problem only offers a name.
struct Merged {
    /// How many items still come.
    left: usize,
    items: Peekable<<Plan as IntoIterator>::IntoIter>,
    problems: Peekable<std::vec::IntoIter<Problem>>,
}

impl Iterator for Merged {
    type Item = StatusChange;

    fn next(&mut self) -> Option<StatusChange> {
        let item = self.items.peek().map(|item| item.at.path.as_str());
        let first = |problem: &Problem| item.is_none_or(|item| problem.path.as_str() < item);
        if let Some(problem) = self.problems.next_if(first) {
            return Some(StatusChange::of_problem(problem));
        }
        let mut change = StatusChange::of(&self.items.next()?);
        self.left -= 1;
        if let Some(problem) = self.problems.next_if(|problem| problem.path == change.path) {
            change.legal_name = problem.offer;
        }
        Some(change)
    }

    /// Who packs them needs no more room than there are.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let problems = self.problems.len();
        (self.left.max(problems), self.left.checked_add(problems))
    }
}
