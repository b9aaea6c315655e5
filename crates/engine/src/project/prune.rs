//! What former snapshots cost, and the end of those that a rule does not keep.

use std::collections::BTreeSet;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::keep::Keep;
use dsg_core::repository::Space;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};

use super::Project;
use crate::endpoint;
use crate::report::PruneReport;

impl Project {
    /// The repository's snapshots from the head on, newest first, and what they cost, where that is
    /// known.
    ///
    /// # Errors
    /// The repository cannot be reached or read.
    pub fn log_with_space(
        &mut self,
        limit: Option<usize>,
    ) -> Outcome<(Vec<SnapshotHeader>, Vec<Space>)> {
        let endpoint = endpoint::open(&self.address)?;
        let headers = endpoint.headers(None, limit.unwrap_or(usize::MAX))?;
        Ok((headers, endpoint.space()?))
    }

    /// Which snapshots' files the configuration says to keep.
    ///
    /// # Errors
    /// [`Code::Usage`]: it does not say; it cannot be used.
    pub fn retention(&self) -> Outcome<Keep> {
        let configured = self.configs(self.known_head()?.as_ref())?.merged.retention;
        configured.ok_or_else(|| {
            Failure::new(Code::Usage, "It is not said which snapshots to keep.").hint(
                "Say it with --keep RULE, e.g. --keep last=10,monthly=12, or as retention in .dsgconfig.yml.",
            )
        })
    }

    /// Removes the files of former snapshots that a rule does not keep, but for those that something
    /// needs; their records stay, and no file of the newest is touched. Days begin where this computer
    /// is. Without `really`, only tells what would go.
    ///
    /// # Errors
    /// The repository cannot be reached, is in use, or something cannot be removed.
    pub fn prune(&mut self, keep: Keep, really: bool) -> Outcome<PruneReport> {
        let endpoint = endpoint::open(&self.address)?;
        let there: BTreeSet<SnapshotId> = endpoint.kept()?.into_iter().collect();
        let headers = endpoint.headers(None, usize::MAX)?;
        let headers: Vec<_> = headers.into_iter().filter(|h| there.contains(&h.id)).collect();
        let times: Vec<_> = headers.iter().map(|h| (h.id, h.authorship.time)).collect();
        let goes = keep.goes(&times, &jiff::tz::TimeZone::system());
        if goes.is_empty() {
            return Ok(PruneReport {
                removed: really,
                kept: there.len() as u64,
                ..PruneReport::default()
            });
        }
        let pruned = endpoint.prune(&goes, really)?;
        let gone: BTreeSet<SnapshotId> = pruned.gone.into_iter().collect();
        Ok(PruneReport {
            removed: really,
            kept: (there.len() - gone.len()) as u64,
            gone: headers.into_iter().rev().filter(|h| gone.contains(&h.id)).collect(),
            stays: pruned.stays,
            freed: pruned.freed,
        })
    }
}
