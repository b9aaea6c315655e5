//! Content that goes: read where it lies, refused if it is no longer what the plan saw.

use std::collections::HashMap;
use std::sync::Arc;

use dsg_core::failure::Outcome;
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::plan::effects::{Outgoing, Step};
use dsg_fs::dir::Dir;

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

/// Where outgoing content is read.
struct Local {
    sources: Vec<(Arc<Dir>, String)>,
}

impl Supply for Local {
    fn open(&self, index: usize) -> Outcome<Box<dyn std::io::Read + Send + '_>> {
        let (dir, name) = &self.sources[index];
        Ok(Box::new(dir.open_file(name)?))
    }
}

/// Stages everything that goes; gives what has to be left out, with why.
pub(super) fn send<'a>(
    transaction: &mut dyn RemoteTransaction,
    team: bool,
    areas: &mut Areas,
    steps: &'a [Step],
    outgoing: &[Outgoing],
    monitor: &Monitor,
) -> Outcome<Vec<Rejected>> {
    let number = |(number, step): (usize, &'a Step)| match step {
        Step::Place { path, .. } => Some((path, number)),
        _ => None,
    };
    let placed: HashMap<&RepoPath, usize> = steps.iter().enumerate().filter_map(number).collect();
    let mut rejected = Vec::new();
    let mut uploads = Vec::new();
    let mut sources = Vec::new();
    let mut paths = Vec::new();
    for out in outgoing {
        let Some(file) = out.entry.file() else { continue };
        let staged = placed.get(&out.from).filter(|_| out.restored);
        let (dir, name) = match staged {
            Some(number) => (Arc::clone(&areas.at(&out.from)?.staging), number.to_string()),
            None => (Arc::clone(areas.root()), out.from.to_string()),
        };
        let Some(stat) = dir.stat(&name)? else {
            rejected.push(Rejected::new(&out.from, "It was deleted during the sync.", false));
            continue;
        };
        if stat.private() && team {
            rejected.push(Rejected::new(&out.from, PRIVATE, true));
            continue;
        }
        uploads.push(upload(*file, stat.private()));
        sources.push((dir, name));
        paths.push(out.from.clone());
    }
    if !rejected.is_empty() {
        return Ok(rejected);
    }
    let supply = Local { sources };
    for (path, staged) in paths.into_iter().zip(transaction.stage(&uploads, &supply, monitor)?) {
        match staged {
            Ok(()) => {}
            Err(Refusal::Changed(_)) => {
                rejected.push(Rejected::new(&path, "It changes while it is read.", false));
            }
            Err(Refusal::Supply(failure)) => {
                rejected.push(Rejected::new(&path, &failure.message, false));
            }
        }
    }
    Ok(rejected)
}
