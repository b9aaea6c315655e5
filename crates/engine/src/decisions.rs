//! Decisions on conflicts, as the index stores them: what was chosen, and what was seen then.

use std::collections::BTreeMap;

use dsg_core::entry::Hash;
use dsg_core::failure::Outcome;
use dsg_core::path::RepoPath;
use dsg_core::plan::{Decision, PathState, Resolution};
use dsg_core::state::Local;

use crate::index::{Batch, Index, Row};

/// How a decision is stored.
pub(crate) fn stored(decision: Decision) -> String {
    let name = match decision.resolution {
        Resolution::Local => "local",
        Resolution::Remote => "remote",
        Resolution::Cached => "cached",
        Resolution::Both => "both",
    };
    format!("{name} {}", decision.seen)
}

fn parsed(kind: &str) -> Option<Decision> {
    let (name, seen) = kind.split_once(' ')?;
    let resolution = match name {
        "local" => Resolution::Local,
        "remote" => Resolution::Remote,
        "cached" => Resolution::Cached,
        "both" => Resolution::Both,
        _ => return None,
    };
    Some(Decision { resolution, seen: Hash::parse(seen)? })
}

/// All decisions.
///
/// # Errors
/// The database's.
pub(crate) fn all(index: &Index) -> Outcome<BTreeMap<RepoPath, Decision>> {
    let both =
        |(path, kind): (String, String)| Some((RepoPath::parse(&path).ok()?, parsed(&kind)?));
    Ok(index.resolutions()?.into_iter().filter_map(both).collect())
}

/// Forgets decisions on what is no longer so: their conflict ended, by whatever means, or has
/// become another.
///
/// # Errors
/// The database's.
pub(crate) fn forget_void(batch: &Batch) -> Outcome<()> {
    for (path, kind) in batch.resolutions()? {
        let Ok(path) = RepoPath::parse(&path) else { continue };
        let state = match batch.row(&path)? {
            Some(Row { path, local, cache, remote, .. }) => {
                PathState { path, local, cache: cache.map(Box::new), remote }
            }
            None => {
                PathState { path: path.clone(), local: Local::Absent, cache: None, remote: None }
            }
        };
        if parsed(&kind).is_none_or(|decision| decision.seen != state.fingerprint()) {
            batch.set_resolution(&path, None)?;
        }
    }
    Ok(())
}
