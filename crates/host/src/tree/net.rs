//! What is new since a snapshot, as one sorted sequence of changes.

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::manifest::{Change, ManifestError};
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};

use super::history::{MAX_MERGE, entries};
use super::layout::{MANIFEST, damaged};
use super::store::TreeStore;

impl TreeStore {
    /// Gives the net changes from snapshot `since` to the head, sorted, each path once; without
    /// `since` the whole manifest. Gives the head's header.
    ///
    /// # Errors
    /// [`Code::NotFound`] if `since` is not in the history, [`Code::RepositoryDamaged`], or `take`'s.
    pub fn changes_since(
        &self,
        since: Option<SnapshotId>,
        take: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader> {
        let repo = self.repo()?;
        let history = repo.history();
        let head = self.head()?;
        let Some(since) = since else {
            self.give(&head, take)?;
            return Ok(head);
        };
        if since > head.id {
            return Err(Failure::new(
                Code::NotFound,
                format!("The repository is at {}; there is no {since}.", head.id),
            ));
        }
        // A path that came and went in between is no net change, if it was not there before: the
        // deltas alone cannot tell.
        let mut simple = head.id.number() - since.number() <= MAX_MERGE;
        if simple {
            for change in history.merged(Some(since), head.id)? {
                let (_, unsure) = change?;
                simple &= !unsure;
            }
        }
        if simple {
            for change in history.merged(Some(since), head.id)? {
                take(change?.0)?;
            }
            return Ok(head);
        }
        let before = entries(history.manifest(&history.header(since)?)?);
        let after = entries(history.manifest(&head)?);
        difference(before, after, take).map_err(|e| match e {
            Differ::Manifest(e) => {
                damaged(&repo.layout.side.at(MANIFEST), &e.to_string()).because(e)
            }
            Differ::Taker(e) => e,
        })?;
        Ok(head)
    }

    /// Gives a snapshot's whole manifest, sorted, and its header.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::RepositoryDamaged`], or `take`'s.
    pub fn manifest_at(
        &self,
        id: SnapshotId,
        take: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader> {
        let header = self.repo()?.history().header(id)?;
        self.give(&header, take)?;
        Ok(header)
    }

    pub(super) fn give(
        &self,
        header: &SnapshotHeader,
        take: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<()> {
        let repo = self.repo()?;
        for change in entries(repo.history().manifest(header)?) {
            take(change.map_err(|e| {
                damaged(&repo.layout.side.at(MANIFEST), &e.to_string()).because(e)
            })?)?;
        }
        Ok(())
    }
}

enum Differ {
    Manifest(ManifestError),
    Taker(Failure),
}

/// Gives what leads from one manifest to the other.
fn difference(
    before: impl Iterator<Item = Result<Change, ManifestError>>,
    after: impl Iterator<Item = Result<Change, ManifestError>>,
    take: &mut dyn FnMut(Change) -> Outcome<()>,
) -> Result<(), Differ> {
    let (mut before, mut after) = (before.peekable(), after.peekable());
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return Ok(()),
            (Some(Ok(b)), Some(Ok(a))) => b.path.cmp(&a.path),
            (Some(_), None) | (Some(Err(_)), _) => std::cmp::Ordering::Less,
            (None, Some(_)) | (_, Some(Err(_))) => std::cmp::Ordering::Greater,
        };
        let was = (order.is_le())
            .then(|| before.next())
            .flatten()
            .transpose()
            .map_err(Differ::Manifest)?;
        let is = (order.is_ge())
            .then(|| after.next())
            .flatten()
            .transpose()
            .map_err(Differ::Manifest)?;
        let change = match (was, is) {
            (Some(was), Some(is)) if was.entry == is.entry => continue,
            (_, Some(is)) => is,
            (Some(was), None) => Change { path: was.path, entry: None },
            (None, None) => continue,
        };
        take(change).map_err(Differ::Taker)?;
    }
}
