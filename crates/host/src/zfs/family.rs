//! A repository's datasets, as a pool tells them.

use std::collections::BTreeMap;
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
    /// It was made only to be tried.
    pub trial: bool,
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
    /// Whether something was published in it.
    pub fn is_published(&self) -> bool {
        self.snapshots.iter().any(|s| s.transaction.is_some())
    }

    /// The number with which a transaction was decided here; none if it was not.
    pub fn decided(&self, transaction: Uuid) -> Option<SnapshotId> {
        let made = self.snapshots.iter().find(|s| s.transaction == Some(transaction))?;
        match made.tag {
            Some(Tag::Number(number)) => Some(number),
            Some(Tag::Frozen(_)) | None => None,
        }
    }

    /// Which of these snapshots of it may go; and which stay, and why.
    pub(crate) fn parted(&self, tags: &[Tag]) -> (Vec<Tag>, Vec<(Tag, String)>) {
        let published = |s: &&Snapshot| s.transaction.is_some();
        let newest = self.snapshots.iter().rev().filter(published).find_map(|s| s.tag);
        let known: BTreeMap<Tag, &Snapshot> =
            self.snapshots.iter().filter_map(|s| Some((s.tag?, s))).collect();
        let (mut goes, mut stays) = (Vec::new(), Vec::new());
        for tag in tags {
            let Some(snapshot) = known.get(tag) else { continue };
            match needed(snapshot, newest) {
                Some(why) => stays.push((*tag, why)),
                None => goes.push(*tag),
            }
        }
        (goes, stays)
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

/// Why a snapshot has to stay, to be read after `it stays, since`.
fn needed(snapshot: &Snapshot, newest: Option<Tag>) -> Option<String> {
    let clones = &snapshot.clones;
    if snapshot.tag == newest {
        Some("it is the newest".to_owned())
    } else if matches!(snapshot.tag, Some(Tag::Number(_))) && snapshot.transaction.is_none() {
        Some("no publish made it".to_owned())
    } else if snapshot.holds > 0 {
        Some("it is held on the host (zfs holds)".to_owned())
    } else {
        (!clones.is_empty()).then(|| format!("something builds on it: {}", clones.join(", ")))
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
                trial: false,
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

    #[test]
    fn of_many_snapshots_those_go_that_a_publish_made_and_nothing_needs() {
        let (t, u) = (Uuid::from_u128(7), Uuid::from_u128(8));
        let snapshot = |name: &str, transaction: Option<Uuid>| Snapshot {
            name: name.into(),
            tag: name.parse().ok(),
            guid: 1,
            created: 1,
            transaction,
            holds: 0,
            clones: Vec::new(),
        };
        let mut held = snapshot("s2", Some(t));
        held.holds = 1;
        let mut cloned = snapshot("s3", Some(t));
        cloned.clones = vec!["p/x".into()];
        let frozen = Tag::Frozen(u).to_string();
        let snapshots = vec![
            snapshot("s1", Some(t)),
            held,
            cloned,
            snapshot("s4", None),
            snapshot("auto", None),
            snapshot("s5", Some(t)),
            snapshot("s6", None),
            snapshot(&frozen, None),
        ];
        let live = Member {
            name: "p/d".parse().unwrap(),
            part: Part::Live,
            guid: 1,
            origin: None,
            written: 0,
            mountpoint: Mountpoint { value: "/p/d".into(), own: false },
            canmount: "on".into(),
            meant: "on".into(),
            trial: false,
            readonly: false,
            unlocked: true,
            mounts: Vec::new(),
            in_place: true,
            snapshots,
        };
        let tag = |text: &str| text.parse::<Tag>().unwrap();
        let asked: Vec<Tag> = ["s1", "s2", "s3", "s4", "s5", "s6", "s7", &frozen].map(tag).to_vec();
        let (goes, stays) = live.parted(&asked);
        assert_eq!(goes, [tag("s1"), tag(&frozen)]);
        let words: Vec<(String, &str)> =
            stays.iter().map(|(tag, why)| (tag.to_string(), why.as_str())).collect();
        assert_eq!(
            words,
            [
                ("s2".to_owned(), "it is held on the host (zfs holds)"),
                ("s3".to_owned(), "something builds on it: p/x"),
                ("s4".to_owned(), "no publish made it"),
                ("s5".to_owned(), "it is the newest"),
                ("s6".to_owned(), "no publish made it"),
            ]
        );
    }
}
