//! A repository's datasets, as a pool tells them.

use std::path::PathBuf;

use dsg_core::snapshot::SnapshotId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::name::{Dataset, Part, Tag};
use super::verb::Mountpoint;

/// A repository's datasets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// D; none if there is none (now).
    pub live: Option<Member>,
    /// The others.
    pub others: Vec<Member>,
    /// Datasets and volumes below D, by whole name.
    pub below: Vec<String>,
    /// Bytes written to D since the snapshot that was asked about; none if there is no such snapshot.
    pub written: Option<u64>,
}

/// One dataset of a family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "facts, each of its own")]
pub struct Member {
    /// Its name.
    pub name: Dataset,
    /// What it is there for.
    pub part: Part,
    /// Stays the same through every rename.
    pub guid: u64,
    /// Of which snapshot it is a clone, by whole name.
    pub origin: Option<String>,
    /// Bytes written to it since its newest snapshot, or since its origin.
    pub written: u64,
    /// Its mount point, as a property.
    pub mountpoint: Mountpoint,
    /// Whether it is mounted by itself: `on`, `off`, `noauto`.
    pub canmount: String,
    /// What that shall be once all is finished.
    pub meant: String,
    /// Whether nothing can be written to it.
    pub readonly: bool,
    /// Whether its keys are loaded (also if it needs none).
    pub unlocked: bool,
    /// Where it is mounted, also where another mount hides it.
    pub mounts: Vec<PathBuf>,
    /// Whether it is what stands at the repository's mount point.
    pub in_place: bool,
    /// Its snapshots, oldest first.
    pub snapshots: Vec<Snapshot>,
}

/// What a dataset held when it was looked at, after its pool had written out what waited: each write
/// since makes it another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The dataset's.
    pub guid: u64,
    /// Bytes written to it since its newest snapshot, or since the one it is a clone of.
    pub written: u64,
}

/// One snapshot of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What stands after the `@`.
    pub name: String,
    /// The same, if it is one that DSG takes.
    pub tag: Option<Tag>,
    /// Stays the same through every rename, and where it is sent.
    pub guid: u64,
    /// Orders the snapshots of one dataset by age.
    pub created: u64,
    /// The transaction that made it, if that is set on it itself.
    pub transaction: Option<Uuid>,
    /// How many times it is held.
    pub holds: u64,
    /// The datasets that are clones of it.
    pub clones: Vec<String>,
}

impl Family {
    /// The decided transaction that is not finished; [`Verb::Finish`] does that.
    pub fn unfinished(&self) -> Option<Uuid> {
        let decided = |m: &Member| match m.part {
            Part::Staging(transaction) => m.decided(transaction).and(Some(transaction)),
            Part::Live | Part::Former(_) => None,
        };
        let live = self.live.as_ref().filter(|m| !m.in_place || m.canmount != m.meant);
        let newest = |m: &Member| m.snapshots.iter().rev().find_map(|s| s.transaction);
        self.others.iter().find_map(decided).or_else(|| live.and_then(newest))
    }
}

impl Member {
    /// The number with which a transaction was decided here; none if it was not.
    pub fn decided(&self, transaction: Uuid) -> Option<SnapshotId> {
        let made = self.snapshots.iter().find(|s| s.transaction == Some(transaction))?;
        match made.tag {
            Some(Tag::Number(number)) => Some(number),
            Some(Tag::Frozen(_)) | None => None,
        }
    }

    /// The state it is in.
    pub fn state(&self) -> State {
        State { guid: self.guid, written: self.written }
    }

    /// The snapshot up to which all that a former dataset holds is held elsewhere, too, by dataset and
    /// name: the one that froze it for its transaction, or else the one it is a clone of.
    pub fn known(&self) -> Option<(&str, &str)> {
        let frozen = match self.part {
            Part::Former(transaction) => Some(Tag::Frozen(transaction)),
            Part::Live | Part::Staging(_) => None,
        };
        let own = self.snapshots.iter().find(|s| frozen.is_some() && s.tag == frozen);
        let own = own.map(|s| (self.name.as_str(), s.name.as_str()));
        own.or_else(|| self.origin.as_deref()?.split_once('@'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_former_dataset_ends_with_its_own_freeze_or_where_it_comes_from() {
        let (t, u) = (Uuid::from_u128(7), Uuid::from_u128(8));
        let frozen = |transaction| Tag::Frozen(transaction).to_string();
        let of = |part, names: &[String], origin: Option<&str>| {
            let snapshot = |name: &String| Snapshot {
                name: name.clone(),
                tag: name.parse().ok(),
                guid: 1,
                created: 1,
                transaction: None,
                holds: 0,
                clones: Vec::new(),
            };
            Member {
                name: "p/old".parse().unwrap(),
                part,
                guid: 1,
                origin: origin.map(str::to_owned),
                written: 0,
                mountpoint: Mountpoint { value: "/p".into(), own: false },
                canmount: "noauto".into(),
                meant: "on".into(),
                readonly: true,
                unlocked: true,
                mounts: Vec::new(),
                in_place: false,
                snapshots: names.iter().map(snapshot).collect(),
            }
        };
        let mine = frozen(t);
        for (part, names, origin, expected) in [
            (Part::Former(t), vec![], Some("p/d@s1"), Some(("p/d", "s1"))),
            (Part::Former(t), vec![mine.clone()], Some("p/d@s1"), Some(("p/old", mine.as_str()))),
            (Part::Former(t), vec![frozen(u), "s3".into()], Some("p/d@s1"), Some(("p/d", "s1"))),
            (Part::Staging(t), vec![mine.clone()], Some("p/d@s1"), Some(("p/d", "s1"))),
            (Part::Former(t), vec![], None, None),
        ] {
            assert_eq!(of(part, &names, origin).known(), expected, "{part:?} {names:?}");
        }
    }
}
