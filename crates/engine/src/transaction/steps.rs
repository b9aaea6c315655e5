//! The steps of a plan, numbered, as often as they are needed: they are made anew each time, for of
//! a first sync there are as many as files.

use std::collections::{BTreeSet, HashMap};

use dsg_core::failure::Outcome;
use dsg_core::path::RepoPath;
use dsg_core::plan::Plan;
use dsg_core::plan::effects::{Source, Step};

use crate::areas::Areas;

/// A plan, and which of its renames cannot be done as such.
pub(super) struct Steps {
    plan: Plan,
    /// Where renames begin that would cross file systems.
    crossing: BTreeSet<RepoPath>,
}

impl Steps {
    /// A rename cannot cross file systems: there, the content is fetched and the old file removed.
    pub(super) fn new(plan: Plan, areas: &mut Areas) -> Outcome<Self> {
        let mut crossing = BTreeSet::new();
        for step in plan.deeds() {
            if let Step::Rename { from, to, .. } = step {
                let top = areas.at(&from)?.ground.top.clone();
                if areas.at(&to)?.ground.top != top {
                    crossing.insert(from);
                }
            }
        }
        Ok(Self { plan, crossing })
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is to be done in the folder.
    pub(super) fn deeds(&self) -> impl Iterator<Item = (u64, Step)> {
        let crosses = move |step: &Step| match step {
            Step::Rename { from, .. } => self.crossing.contains(from),
            _ => false,
        };
        let leave = move |step: Step| match step {
            Step::Rename { from: path, expected, .. } if self.crossing.contains(&path) => {
                Step::Remove { path, expected, aside: None }
            }
            step => step,
        };
        let come = |step: Step| match step {
            Step::Rename { to: path, entry, .. } => {
                Some(Step::Place { path, entry, expected: None, aside: None, source: Source::Head })
            }
            _ => None,
        };
        let renames = self.plan.deeds().take(if self.crossing.is_empty() { 0 } else { usize::MAX });
        let come = renames.filter(crosses).filter_map(come);
        (0..).zip(self.plan.deeds().map(leave).chain(come))
    }

    /// All steps: those in the folder, then what both sides merely agree on.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, Step)> {
        (0..).zip(self.deeds().map(|(_, step)| step).chain(self.plan.agreements()))
    }

    /// Where earlier versions wait that were fetched: the number of the step that places each.
    pub(super) fn fetched(&self) -> HashMap<RepoPath, u64> {
        let one = |(number, step)| match step {
            Step::Place { path, source: Source::Snapshot(_), .. } => Some((path, number)),
            _ => None,
        };
        self.deeds().filter_map(one).collect()
    }
}
