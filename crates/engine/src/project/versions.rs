//! The history of one path, and paths that any snapshot has.

use std::collections::BTreeMap;

use dsg_core::failure::Outcome;
use dsg_core::path::RepoPath;
use dsg_core::plan::PathState;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};

use super::Project;
use crate::endpoint::{Endpoint, Glimpse, Traced};
use crate::report::{FoundPath, PathVersion};

/// So many matches are gathered before the best are chosen.
const ENOUGH: usize = 20_000;

impl Project {
    /// The distinct versions of a path, newest first; a deletion is one, too. Asks the repository
    /// only.
    ///
    /// # Errors
    /// The repository cannot be reached or read; `path` is no path.
    pub fn versions(&self, path: &str) -> Outcome<Vec<PathVersion>> {
        let path = Self::named(&[path.to_owned()])?;
        versions(&*crate::endpoint::open(&self.address)?, &path[0])
    }

    /// What each side has at a path, as it was last known; `None` if none has anything. Waits for
    /// nobody.
    ///
    /// # Errors
    /// The state cannot be read; `path` is no path.
    pub fn sides(&self, path: &str) -> Outcome<Option<PathState>> {
        let path = Self::named(&[path.to_owned()])?.remove(0);
        let row = self.index.row(&path)?;
        Ok(row.map(|row| PathState {
            path: row.path,
            local: row.local,
            cache: row.cache.map(Box::new),
            remote: row.remote,
        }))
    }

    /// How a file of the folder begins, or where a link points; `None` if nothing stands there.
    /// `path`: of the project, or of an item of the trash. No link on the way is followed.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn glimpse(&self, path: &str, limit: u64) -> Outcome<Option<Glimpse>> {
        Glimpse::of(&self.dir, path, limit)
    }
}

/// As [`Project::versions`], of any repository.
///
/// # Errors
/// The repository cannot be read.
pub fn versions(endpoint: &dyn Endpoint, path: &RepoPath) -> Outcome<Vec<PathVersion>> {
    let Some(head) = endpoint.head()? else { return Ok(Vec::new()) };
    let mut until = head.id;
    let mut found: Vec<PathVersion> = Vec::new();
    endpoint.trace(Traced::Paths(std::slice::from_ref(path)), &mut |header, change| {
        let same = |newer: &PathVersion| match (&newer.entry, &change.entry) {
            (Some(newer), Some(older)) => newer.same(older),
            (None, None) => true,
            _ => false,
        };
        match found.last_mut() {
            // Only its time was changed after: it was brought by the older one.
            Some(newer) if same(newer) => newer.header = header.clone(),
            _ => found.push(PathVersion { header: header.clone(), entry: change.entry, until }),
        }
        until = before(header.id);
        Ok(true)
    })?;
    Ok(found)
}

fn before(id: SnapshotId) -> SnapshotId {
    SnapshotId::new(id.number() - 1).unwrap_or(SnapshotId::FIRST)
}

/// Who made the newest version of each of these sorted paths, as far as the history tells.
///
/// # Errors
/// The repository cannot be read.
pub fn makers(
    endpoint: &dyn Endpoint,
    paths: &[RepoPath],
) -> Outcome<BTreeMap<RepoPath, SnapshotHeader>> {
    let mut found = BTreeMap::new();
    if paths.is_empty() {
        return Ok(found);
    }
    endpoint.trace(Traced::Paths(paths), &mut |header, change| {
        found.entry(change.path).or_insert_with(|| header.clone());
        Ok(found.len() < paths.len())
    })?;
    Ok(found)
}

/// Paths that contain a text, in whatever case, and that any snapshot has: those whose name begins
/// with it first, then the shorter ones. At most `limit`.
///
/// # Errors
/// The repository cannot be read.
pub fn find_paths(endpoint: &dyn Endpoint, text: &str, limit: usize) -> Outcome<Vec<FoundPath>> {
    let mut found: BTreeMap<RepoPath, Option<SnapshotId>> = BTreeMap::new();
    endpoint.trace(Traced::Containing(text), &mut |header, change| {
        let deleted = change.entry.is_none().then_some(header.id);
        found.entry(change.path).or_insert(deleted);
        Ok(found.len() < ENOUGH)
    })?;
    let text = text.to_lowercase();
    let mut found: Vec<FoundPath> =
        found.into_iter().map(|(path, deleted)| FoundPath { path, deleted }).collect();
    found.sort_by_cached_key(|found| {
        let name = found.path.name().to_lowercase();
        (!name.starts_with(&text), found.path.as_str().len(), found.path.clone())
    });
    found.truncate(limit);
    Ok(found)
}
