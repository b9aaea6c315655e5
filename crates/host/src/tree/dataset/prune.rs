//! The end of former snapshots, and what they cost.

use dsg_core::failure::{Code, Outcome};
use dsg_core::repository::{Pruned, Space};
use dsg_core::snapshot::SnapshotId;

use super::{Site, strange};
use crate::zfs::name::Tag;
use crate::zfs::verb::{Answer, Snapshot, Verb};

impl Site {
    pub(in crate::tree) fn space(&self) -> Outcome<Vec<Space>> {
        let verb = Verb::Space { dataset: self.dataset.clone() };
        let costs = match self.perform(&verb)? {
            Answer::Space(costs) => costs,
            other => return Err(strange(&verb, &other)),
        };
        let space = costs.into_iter().filter_map(|cost| match cost.tag {
            Tag::Number(snapshot) => {
                let (used, written, refer) = (cost.used, cost.written, cost.refer);
                Some(Space { snapshot, used, written, refer })
            }
            Tag::Frozen(_) => None,
        });
        Ok(space.collect())
    }

    /// Runs under the lock.
    pub(in crate::tree) fn prune(&self, ids: Vec<SnapshotId>, really: bool) -> Outcome<Pruned> {
        let family = self.look(None, None, false)?;
        let snapshots = || family.live.iter().flat_map(|live| &live.snapshots);
        let mut pruned = Pruned::default();
        for id in ids {
            let Some(snapshot) = snapshots().find(|s| s.tag == Some(Tag::Number(id))) else {
                continue;
            };
            match needed(snapshot) {
                Some(why) => pruned.stays.push((id, why)),
                None => pruned.gone.push(id),
            }
        }
        if pruned.gone.is_empty() {
            return Ok(pruned);
        }
        let dataset = || self.dataset.clone();
        let verb = Verb::Weigh { dataset: dataset(), snapshots: pruned.gone.clone() };
        pruned.freed = match self.perform(&verb)? {
            Answer::Weighs(freed) => freed,
            other => return Err(strange(&verb, &other)),
        };
        for id in std::mem::take(&mut pruned.gone) {
            let drop = Verb::Drop { dataset: dataset(), tag: Tag::Number(id) };
            match if really { self.perform(&drop).map(|_| ()) } else { Ok(()) } {
                Ok(()) => pruned.gone.push(id),
                // Held, or read, since it was looked at.
                Err(e) if e.code == Code::Locked => pruned.stays.push((id, e.message)),
                Err(e) => return Err(e),
            }
        }
        Ok(pruned)
    }
}

/// Why a snapshot has to stay.
fn needed(snapshot: &Snapshot) -> Option<String> {
    if snapshot.holds > 0 {
        return Some("it is held on the host (zfs holds)".to_owned());
    }
    let clones = &snapshot.clones;
    (!clones.is_empty()).then(|| format!("something builds on it: {}", clones.join(", ")))
}
