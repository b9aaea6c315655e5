//! What differs between two snapshots, or between one and the folder.

use std::collections::BTreeMap;

use dsg_core::entry::{Entry, Hash};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::snapshot::SnapshotId;

use super::Project;
use crate::endpoint::{self, Endpoint};
use crate::report::{Difference, DifferenceKind};
use crate::scan::{Scope, scan};

impl Project {
    /// What differs, sorted by path: between two snapshots; between one and this folder; or, with
    /// neither, between the repository's head and this folder.
    ///
    /// # Errors
    /// There is no such snapshot; the repository or the folder cannot be read.
    pub fn diff(
        &mut self,
        from: Option<SnapshotId>,
        to: Option<SnapshotId>,
        monitor: &Monitor,
    ) -> Outcome<Vec<Difference>> {
        let endpoint = endpoint::open(&self.address)?;
        let from = match from {
            Some(id) => Some(id),
            None => endpoint.head()?.map(|h| h.id),
        };
        if let Some(to) = to {
            return between(&*endpoint, from, to, monitor);
        }
        let _ready = self.ready("diff", monitor)?;
        let configs = self.configs(self.known_head()?.as_ref())?;
        scan(&self.root, &configs.merged, &mut self.index, Scope::All, monitor)?;
        self.differs_from(&*endpoint, from)
    }

    /// What the folder, as it was last looked at, has that a snapshot has not.
    ///
    /// # Errors
    /// There is no such snapshot; the repository or the state cannot be read.
    pub fn differs_from(
        &self,
        endpoint: &dyn Endpoint,
        from: Option<SnapshotId>,
    ) -> Outcome<Vec<Difference>> {
        let mut before: BTreeMap<RepoPath, Entry> = BTreeMap::new();
        if let Some(from) = from {
            endpoint.manifest(from, &mut |change| {
                before.extend(change.entry.map(|entry| (change.path, entry)));
                Ok(())
            })?;
        }
        let mut differences = Vec::new();
        self.index.rows_within("", &mut |row| {
            if let Some(entry) = row.local.entry() {
                let former = before.remove(&row.path);
                differences.extend(difference(row.path, former, Some(entry.clone())));
            } else if matches!(
                row.local,
                dsg_core::state::Local::Unknown(_) | dsg_core::state::Local::Excluded
            ) {
                // What cannot be known is not told to be deleted.
                before.remove(&row.path);
            }
            Ok(())
        })?;
        let deleted = before.into_iter().map(|(path, entry)| difference(path, Some(entry), None));
        differences.extend(deleted.flatten());
        Ok(with_moves(differences))
    }
}

/// What differs between two snapshots (`from` none: from nothing), sorted by path. Costs what
/// changed between them, and one look through the list of the earlier.
///
/// # Errors
/// There is no such snapshot; the repository cannot be read; it was stopped.
pub fn between(
    endpoint: &dyn Endpoint,
    from: Option<SnapshotId>,
    to: SnapshotId,
    monitor: &Monitor,
) -> Outcome<Vec<Difference>> {
    let head = endpoint.head()?.map(|h| h.id);
    for id in [from, Some(to)].into_iter().flatten() {
        if Some(id) > head {
            return Err(Failure::new(Code::NotFound, format!("There is no snapshot {id}."))
                .hint("List the snapshots with the log."));
        }
    }
    let (low, high) = (from.min(Some(to)), from.max(Some(to)).unwrap_or(to));
    let first = low.map_or(SnapshotId::FIRST, SnapshotId::next);
    // What the later of both has, where anything changed in between.
    let mut later: BTreeMap<RepoPath, Option<Entry>> = BTreeMap::new();
    for id in (first.number()..=high.number()).filter_map(SnapshotId::new) {
        monitor.check()?;
        endpoint.delta(id, &mut |change| {
            later.insert(change.path, change.entry);
            Ok(())
        })?;
    }
    let mut earlier: BTreeMap<RepoPath, Entry> = BTreeMap::new();
    if let Some(low) = low.filter(|_| !later.is_empty()) {
        endpoint.manifest(low, &mut |change| {
            if let Some(entry) = change.entry.filter(|_| later.contains_key(&change.path)) {
                earlier.insert(change.path, entry);
            }
            monitor.check()
        })?;
    }
    let backwards = from > Some(to);
    let differences = later.into_iter().filter_map(|(path, later)| {
        let earlier = earlier.remove(&path);
        let (before, after) = if backwards { (later, earlier) } else { (earlier, later) };
        difference(path, before, after)
    });
    Ok(with_moves(differences.collect()))
}

fn difference(path: RepoPath, before: Option<Entry>, after: Option<Entry>) -> Option<Difference> {
    let kind = match (&before, &after) {
        (None, None) => return None,
        (Some(before), Some(after)) if before.same(after) => return None,
        (Some(_), Some(_)) => DifferenceKind::Changed,
        (None, Some(_)) => DifferenceKind::Added,
        (Some(_), None) => DifferenceKind::Deleted,
    };
    Some(Difference { path: path.into(), old_path: None, kind, before, after })
}

/// Joins each deletion with an addition of the same content, as the plan does.
fn with_moves(mut differences: Vec<Difference>) -> Vec<Difference> {
    let mut sources: BTreeMap<(Hash, bool), Vec<String>> = BTreeMap::new();
    let key = |entry: Option<&Entry>| match entry {
        Some(Entry::File(f)) if f.size > 0 => Some((f.hash, f.exec)),
        _ => None,
    };
    for gone in differences.iter().filter(|d| d.kind == DifferenceKind::Deleted) {
        if let Some(key) = key(gone.before.as_ref()) {
            sources.entry(key).or_default().push(gone.path.clone());
        }
    }
    let mut moved = std::collections::BTreeSet::new();
    for added in differences.iter_mut().filter(|d| d.kind == DifferenceKind::Added) {
        let source = key(added.after.as_ref()).and_then(|k| sources.get_mut(&k)?.pop());
        if let Some(source) = source {
            added.kind = DifferenceKind::Moved;
            added.before.clone_from(&added.after);
            moved.insert(source.clone());
            added.old_path = Some(source);
        }
    }
    differences.retain(|d| d.kind != DifferenceKind::Deleted || !moved.contains(&d.path));
    differences.sort_by(|a, b| a.path.cmp(&b.path));
    differences
}
