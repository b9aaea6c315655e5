//! Content that goes: read where it lies, refused if it is no longer what the plan saw.

use std::collections::HashMap;
use std::sync::Arc;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::plan::Plan;
use dsg_core::plan::effects::Outgoing;
use dsg_fs::dir::Dir;

use super::steps::Steps;
use crate::areas::Areas;
use crate::endpoint::{Refusal, RemoteTransaction, Supply, upload};

/// A file that cannot go as the plan saw it.
pub(crate) struct Rejected {
    /// Which.
    pub path: RepoPath,
    /// Why.
    pub reason: String,
    /// Trying again would end the same.
    pub lasting: bool,
}

/// Why a private file stays out of a team's repository.
pub(crate) const PRIVATE: &str = "Only you may read this file, and the repository is a team's: give its group read access (chmod g+r) to share it.";

impl Rejected {
    fn new(path: &RepoPath, reason: &str, lasting: bool) -> Self {
        Self { path: path.clone(), reason: reason.to_owned(), lasting }
    }
}

/// Where outgoing content is read: in the folder, unless it is a version that was fetched.
struct Local<'p> {
    root: &'p Dir,
    plan: &'p Plan,
    /// The plan's items that go.
    places: Vec<usize>,
    /// By their place in the plan.
    fetched: HashMap<usize, (Arc<Dir>, String)>,
}

impl Local<'_> {
    fn path(&self, index: usize) -> Outcome<RepoPath> {
        let item = self.places.get(index).and_then(|&place| self.plan.item(place));
        item.map(|item| item.at.path).ok_or_else(|| {
            Failure::new(Code::Io, format!("Upload {index} is not one of this sync's."))
        })
    }
}

impl Supply for Local<'_> {
    fn open(&self, index: usize) -> Outcome<Box<dyn std::io::Read + Send + '_>> {
        let fetched = self.places.get(index).and_then(|place| self.fetched.get(place));
        let file = match fetched {
            Some((staging, name)) => staging.open_file(name)?,
            None => self.root.open_file(self.path(index)?.as_str())?,
        };
        Ok(Box::new(file))
    }
}

/// Stages everything that goes; gives what has to be left out, with why.
pub(super) fn send(
    transaction: &mut dyn RemoteTransaction,
    team: bool,
    areas: &Areas,
    steps: &Steps,
    monitor: &Monitor,
) -> Outcome<Vec<Rejected>> {
    let mut rejected = Vec::new();
    let mut uploads = Vec::new();
    let plan = steps.plan();
    let mut supply =
        Local { root: areas.root(), plan, places: Vec::new(), fetched: HashMap::new() };
    let numbers = steps.fetched();
    let outgoing = plan.items().enumerate().filter_map(|(at, i)| Some((at, Outgoing::of(&i)?)));
    for (place, out) in outgoing {
        let number = numbers.get(&out.from).filter(|_| out.restored);
        let fetched = number.and_then(|number| {
            Some((Arc::clone(&areas.find(&out.from)?.staging), number.to_string()))
        });
        let stat = match &fetched {
            Some((staging, name)) => staging.stat(name)?,
            None => areas.root().stat(out.from.as_str())?,
        };
        let Some(stat) = stat else {
            rejected.push(Rejected::new(&out.from, "It was deleted during the sync.", false));
            continue;
        };
        if stat.private() && team {
            rejected.push(Rejected::new(&out.from, PRIVATE, true));
            continue;
        }
        uploads.push(upload(out.file, stat.private()));
        supply.places.push(place);
        supply.fetched.extend(fetched.map(|fetched| (place, fetched)));
    }
    if !rejected.is_empty() {
        return Ok(rejected);
    }
    for (index, refusal) in transaction.stage(&uploads, &supply, monitor)? {
        let reason = match &refusal {
            Refusal::Changed(_) => "It changes while it is read.",
            Refusal::Supply(failure) => &failure.message,
        };
        rejected.push(Rejected::new(&supply.path(index)?, reason, false));
    }
    Ok(rejected)
}
