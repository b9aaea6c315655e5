//! The end of former snapshots, and what they cost.

use std::collections::BTreeMap;

use dsg_core::failure::Outcome;
use dsg_core::repository::{Pruned, Space};
use dsg_core::snapshot::SnapshotId;

use super::{Site, strange};
use crate::zfs::name::Tag;
use crate::zfs::verb::{Answer, MOST_SNAPSHOTS, Verb};

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
    pub(in crate::tree) fn prune(&self, ids: &[SnapshotId], really: bool) -> Outcome<Pruned> {
        let live = self.look(None, None, false)?.live;
        let mut pruned = Pruned::default();
        let Some(live) = live else { return Ok(pruned) };
        let tags: Vec<Tag> = ids.iter().copied().map(Tag::Number).collect();
        let (goes, stays) = live.parted(&tags);
        let mut stays: BTreeMap<Tag, String> = stays.into_iter().collect();
        let mut gone = Vec::new();
        // What two parts share counts with the second: once the first is gone, it is that one's alone.
        for tags in goes.chunks(MOST_SNAPSHOTS) {
            pruned.freed += self.weighed(tags)?;
            if really {
                // Held, or read, since it was looked at.
                stays.extend(self.dropped(tags)?);
            }
            gone.extend(tags.iter().filter(|tag| !stays.contains_key(tag)));
        }
        pruned.gone = numbers(gone.into_iter().copied()).collect();
        let stays = stays.into_iter();
        pruned.stays = stays.filter_map(|(tag, why)| Some((number(tag)?, why))).collect();
        Ok(pruned)
    }

    fn weighed(&self, tags: &[Tag]) -> Outcome<u64> {
        let snapshots = numbers(tags.iter().copied()).collect();
        let verb = Verb::Weigh { dataset: self.dataset.clone(), snapshots };
        match self.perform(&verb)? {
            Answer::Weighs(freed) => Ok(freed),
            other => Err(strange(&verb, &other)),
        }
    }

    fn dropped(&self, tags: &[Tag]) -> Outcome<Vec<(Tag, String)>> {
        let verb = Verb::Drop { dataset: self.dataset.clone(), tags: tags.to_vec() };
        match self.perform(&verb)? {
            Answer::Dropped(stays) => Ok(stays),
            other => Err(strange(&verb, &other)),
        }
    }
}

fn number(tag: Tag) -> Option<SnapshotId> {
    match tag {
        Tag::Number(id) => Some(id),
        Tag::Frozen(_) => None,
    }
}

fn numbers(tags: impl Iterator<Item = Tag>) -> impl Iterator<Item = SnapshotId> {
    tags.filter_map(number)
}
