//! Content that goes: read where it lies, refused if it is no longer what the plan saw.

use std::collections::HashMap;
use std::io::{Seek as _, SeekFrom};
use std::sync::Arc;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::plan::Plan;
use dsg_core::plan::effects::Outgoing;
use dsg_fs::dir::Dir;
use dsg_wire::chunks::WORTH;
use dsg_wire::delta::{Basis, Content};

use super::steps::Steps;
use crate::areas::Areas;
use crate::endpoint::{OlderFile, Refusal, RemoteTransaction, Supply, upload};

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
    /// How large a version stands in the repository that is worth building on, by the upload.
    older: HashMap<usize, u64>,
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
    fn open(&self, index: usize, basis: Basis) -> Outcome<Content<'_>> {
        let fetched = self.places.get(index).and_then(|place| self.fetched.get(place));
        let mut file = match fetched {
            Some((staging, name)) => staging.open_file(name)?,
            None => self.root.open_file(self.path(index)?.as_str())?,
        };
        let skipped = file.seek(SeekFrom::Start(basis.kept));
        skipped.map_err(|e| Failure::io("read", "the content to upload", e))?;
        Ok(Content::Bytes(Box::new(file)))
    }

    fn older(&self, index: usize) -> Option<OlderFile> {
        let &size = self.older.get(&index)?;
        Some(OlderFile { path: self.path(index).ok()?, size })
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
    let mut supply = Local {
        root: areas.root(),
        plan,
        places: Vec::new(),
        fetched: HashMap::new(),
        older: HashMap::new(),
    };
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
        let older = out.older.filter(|older| older.size.min(out.file.size) >= WORTH);
        supply.older.extend(older.map(|older| (uploads.len(), older.size)));
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
