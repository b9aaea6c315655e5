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
/// become another. What is not known now (a disk that is away) may well come back as it was.
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
        if matches!(state.local, Local::Unknown(_) | Local::Excluded) {
            continue;
        }
        if parsed(&kind).is_none_or(|decision| decision.seen != state.fingerprint()) {
            batch.set_resolution(&path, None)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use dsg_core::config::SharedConfig;
    use dsg_core::entry::{Entry, FileEntry, Mtime};
    use dsg_core::snapshot::SnapshotId;

    use super::*;

    fn file(content: &str) -> Entry {
        let hash = Hash::of(content.as_bytes());
        Entry::File(FileEntry { size: 1, mtime: Mtime(0), exec: false, hash })
    }

    #[test]
    fn a_decision_waits_while_the_disk_is_away_and_goes_with_its_conflict() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::create(&folder.path().join("state.db")).unwrap();
        let at: RepoPath = "input/a".parse().unwrap();
        let rules = SharedConfig::new("p");
        let (ours, base, theirs) = (file("ours"), file("base"), file("theirs"));
        let here = Local::Present(ours.clone());
        let conflict = PathState {
            path: at.clone(),
            local: here.clone(),
            cache: Some(Box::new((base.clone(), SnapshotId::FIRST))),
            remote: Some(theirs.clone()),
        };
        let decision = Decision { resolution: Resolution::Local, seen: conflict.fingerprint() };
        index
            .batch(|batch| {
                batch.set_cache(&at, Some((&base, SnapshotId::FIRST)))?;
                batch.set_remote(&at, Some(&theirs), &rules)?;
                batch.set_local(&at, &here, None)?;
                batch.set_resolution(&at, Some(&stored(decision)))
            })
            .unwrap();
        let mut stands = |local: &Local| {
            index
                .batch(|batch| {
                    batch.set_local(&at, local, None)?;
                    forget_void(batch)
                })
                .unwrap();
            all(&index).unwrap().get(&at) == Some(&decision)
        };
        assert!(stands(&Local::Unknown("its disk is away".into())));
        assert!(stands(&here));
        assert!(!stands(&Local::Present(file("ours, changed once more"))));
    }
}
