//! The closed set of privileged steps that a repository on ZFS is made of, and what each answers.
//!
//! A verb is a value with proved fields: a dataset below one prefix, a transaction, a snapshot's
//! number, a guid. There is no free option and no shell. Whoever performs it ([`Hands`]) is root, in
//! this process or in a helper of its own. Each that changes something may be performed again after a
//! crash: it looks at the pool, does what is missing, and looks again; exit codes prove nothing.
//!
//! D is a repository's dataset, T a transaction; see [`Part`] for the names beside D.

use std::path::PathBuf;

use dsg_core::failure::Outcome;
use dsg_core::snapshot::SnapshotId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use super::family::{Family, Member, Snapshot, State};
use super::name::{Dataset, Part, Tag};

/// How many changes one answer tells at most.
pub const MOST_CHANGES: usize = 100_000;
/// How many snapshots one question names at most.
pub const MOST_SNAPSHOTS: usize = 5_000;

/// One privileged step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Verb {
    /// On which dataset a path stands, or would stand: [`Answer::Place`]. Not bound to the prefix, and
    /// needs no rights, so that only root is answered. A path that is no ZFS at all is answered with `None`.
    Find {
        /// Absolute.
        path: PathBuf,
    },
    /// The family of a repository as it is now: [`Answer::Family`].
    Look {
        /// D.
        dataset: Dataset,
        /// Tell also how much was written to D since this snapshot.
        since: Option<SnapshotId>,
        /// Only D and what this transaction made, which costs less to ask.
        only: Option<Uuid>,
        /// Let the pool write out what waits first, or what was written a moment ago may not count.
        flush: bool,
    },
    /// Makes `D.dsg-T`, empty, for a first publish, where no D is: mounted privately, owned by
    /// whoever asked: [`Answer::Mounted`].
    Create {
        /// D.
        dataset: Dataset,
        /// T.
        transaction: Uuid,
    },
    /// Makes `D.dsg-T` as a clone of D at `base`, or at the newest snapshot of D that holds the very
    /// same (another program's, taken since): with D's own properties and grants, and mounted
    /// privately: [`Answer::Mounted`].
    Clone {
        /// D.
        dataset: Dataset,
        /// T.
        transaction: Uuid,
        /// What it builds on.
        base: Tag,
    },
    /// Mounts a member other than D privately (again: after a reboot), a former one read-only:
    /// [`Answer::Mounted`].
    Mount {
        /// D.
        dataset: Dataset,
        /// Which one.
        part: Part,
    },
    /// **The decision**, in one transaction group: if D is the dataset that was looked at, nothing was
    /// written to it since the clone was taken, no snapshot came and the number is free, then
    /// `D.dsg-T` is snapshotted as `@sN`, `dsg:transaction` = T is set on that, and it is promoted.
    /// Either all of it ([`Answer::Decided`]) or nothing ([`Answer::Stopped`]). Of a first publish
    /// nothing is promoted.
    Decide(Decision),
    /// [`Verb::Decide`], and where that decides, [`Verb::Finish`] right after it without a second look:
    /// [`Answer::Finished`], or what Decide answers: it is decided, and to be finished.
    Publish(Decision),
    /// All that follows a decision, from wherever it was cut off: the old D becomes read-only and is
    /// renamed to `D.dsg-old-T`, `D.dsg-T` is renamed to D, D is what stands at its mount point (also
    /// after a reboot), no private mount of it is left, and it is mounted at boot if the old one was:
    /// [`Answer::Finished`].
    Finish {
        /// D.
        dataset: Dataset,
        /// T.
        transaction: Uuid,
    },
    /// Destroys `D.dsg-old-T`: [`Answer::Done`]. Fails with `locked` while a process sits in it: it
    /// waits then, read-only, for the next opening. Fails with `drift` if it holds something that no
    /// snapshot holds (outside of `.dsg`).
    Bury {
        /// D.
        dataset: Dataset,
        /// T.
        transaction: Uuid,
        /// All that it held in this state was adopted: it may go with it, if it is in that state still.
        adopted: Option<State>,
    },
    /// Destroys `D.dsg-T`, unless T was decided: [`Answer::Done`].
    Abandon {
        /// D.
        dataset: Dataset,
        /// T.
        transaction: Uuid,
    },
    /// Snapshots D as `@dsg-T`, so that what changed in it can be adopted: [`Answer::Done`].
    Freeze {
        /// D.
        dataset: Dataset,
        /// T.
        transaction: Uuid,
    },
    /// What differs between a snapshot and a later state: [`Answer::Changes`].
    Diff {
        /// D.
        dataset: Dataset,
        /// A snapshot of D, or of a former dataset the one that froze it.
        since: Tag,
        /// The later state.
        until: Until,
        /// How many changes are told at most; never more than [`MOST_CHANGES`].
        most: usize,
    },
    /// What each snapshot of D costs: [`Answer::Space`].
    Space {
        /// D.
        dataset: Dataset,
    },
    /// How many bytes were free if these snapshots of D went together: [`Answer::Weighs`].
    Weigh {
        /// D.
        dataset: Dataset,
        /// Which ones: at least one, and at most [`MOST_SNAPSHOTS`].
        snapshots: Vec<SnapshotId>,
    },
    /// Destroys snapshots of D, but for the newest one, for those that are held or cloned, and for numbered
    /// ones that no publish made: [`Answer::Dropped`].
    Drop {
        /// D.
        dataset: Dataset,
        /// Which ones: at least one, and at most [`MOST_SNAPSHOTS`].
        tags: Vec<Tag>,
    },
    /// Destroys a D that whoever asks made only to be tried, with its snapshots and all of its family:
    /// [`Answer::Done`]. Of any other name it is refused (`usage`), and where one of the family
    /// was not made so (`exists`).
    Discard {
        /// D.
        dataset: Dataset,
    },
    /// The file whose `flock` is D's lock, made if it is not there, for whoever may write D's files (for
    /// whoever asks, where there is no D yet): [`Answer::LockFile`]. It outlives every publish. Fails
    /// with `exists` if D is no repository.
    LockFile {
        /// D.
        dataset: Dataset,
    },
}

/// What is to be decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// D.
    pub dataset: Dataset,
    /// T.
    pub transaction: Uuid,
    /// D's guid; none if there is no D yet: a first publish.
    pub live: Option<u64>,
    /// The number that the snapshot gets.
    pub snapshot: SnapshotId,
    /// D was frozen as `@dsg-T`, and what changed until then was looked at and carried over:
    /// nothing counts but what was written, and which snapshots came, since that one.
    pub frozen: bool,
}

/// The later one of two states that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// A member of the family as it is now.
    Now(Part),
    /// A snapshot of D.
    Tag(Tag),
}

/// What a verb gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is as the verb wants it.
    Done,
    /// Where a path stands; none: on no ZFS.
    Place(Option<Box<Place>>),
    /// The family.
    Family(Box<Family>),
    /// It is mounted here.
    Mounted(PathBuf),
    /// It is decided.
    Decided,
    /// Nothing was decided, and why.
    Stopped(Stop),
    /// It stands at its mount point, and how it came there.
    Finished(Switched),
    /// What differs.
    Changes(Changes),
    /// What snapshots cost, oldest first.
    Space(Vec<Cost>),
    /// So many bytes.
    Weighs(u64),
    /// They are gone, but for these, and why.
    Dropped(Vec<(Tag, String)>),
    /// The file to lock.
    LockFile(PathBuf),
}

/// Where a path stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "facts, each of its own")]
pub struct Place {
    /// The dataset that a repository at the path is, or would be; none if no dataset can be mounted
    /// there by its name alone. Also while a publish is under way, or was cut off.
    pub repository: Option<Dataset>,
    /// The dataset whose files the path is, or would be, among.
    pub dataset: Dataset,
    /// Where that is mounted.
    pub mounted: PathBuf,
    /// The path below that; empty if the dataset is mounted at the path itself.
    pub below: PathBuf,
    /// The dataset's guid.
    pub guid: u64,
    /// Its mount point, as a property.
    pub mountpoint: Mountpoint,
    /// Whether it is mounted by itself: `on`, `off`, `noauto`.
    pub canmount: String,
    /// Whether nothing can be written to it.
    pub readonly: bool,
    /// Whether a mere read writes a time.
    pub atime: bool,
    /// Where its keys come from; none if it is not encrypted.
    pub encryption_root: Option<String>,
    /// Whether its keys are loaded (also if it needs none).
    pub unlocked: bool,
    /// Bytes that can still be written.
    pub available: u64,
    /// Bytes in use by it and all below.
    pub used: u64,
    /// Limit of those, in bytes; none: the pool's size.
    pub quota: Option<u64>,
    /// The pool's state, as it says it: `ONLINE`, `DEGRADED`, `SUSPENDED`, …
    pub health: String,
    /// Whether this kernel mounts beneath another mount, so that a publish leaves no gap.
    pub beneath: bool,
    /// The version of OpenZFS, as it says it.
    pub version: String,
}

/// A mount point as a property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mountpoint {
    /// A path, `none` or `legacy`.
    pub value: String,
    /// Set on the dataset itself, not inherited.
    pub own: bool,
}

/// Why nothing was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// There is no `D.dsg-T`, or it is no clone of D.
    Missing,
    /// D is another dataset than the one that was looked at (somebody published), or is there
    /// though none should be.
    Moved,
    /// D is no repository: no publish marked a snapshot of it.
    Stranger,
    /// Bytes were written to D since the clone was taken.
    Drift(u64),
    /// Snapshots of D that are newer than the clone, by name.
    Foreign(Vec<String>),
    /// That number is taken.
    Taken,
    /// A limit of snapshots on this dataset is reached.
    Limit(String),
    /// These properties of D are not what they are on the clone (any more), and cannot be made so.
    Properties(Vec<String>),
    /// A snapshot is in use: it is being sent, or files of it are open.
    Busy,
    /// The pool or a quota has no room.
    Space,
    /// Something else: the system's number, and what was tried.
    Other(i32, String),
}

/// How a dataset came to stand at its mount point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switched {
    /// It stood there already.
    Already,
    /// Beneath the former one, which then went: there was no gap.
    Beneath,
    /// After the former one went: there was a gap of microseconds.
    Gap,
    /// Nothing was mounted there.
    Fresh,
}

/// What differs between two states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The changes, as the pool names them.
    pub list: Vec<Change>,
    /// There are more.
    pub more: bool,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What happened.
    pub how: How,
    /// What kind of file it is.
    pub kind: Kind,
    /// Below the dataset's root, in its bytes; empty for the root itself.
    #[serde(with = "bytes")]
    pub path: Vec<u8>,
    /// Where it is now, if it was renamed.
    #[serde(with = "maybe_bytes")]
    pub to: Option<Vec<u8>>,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its content or its properties are others.
    Modified,
    /// It has another name.
    Renamed,
}

/// What kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link.
    Link,
    /// A device, socket or pipe.
    Other,
}

/// What a snapshot costs, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Which one.
    pub tag: Tag,
    /// What would be free if it alone went.
    pub used: u64,
    /// What was written between the one before and it.
    pub written: u64,
    /// What it holds.
    pub refer: u64,
}

/// Whoever performs verbs.
pub trait Hands: Send + Sync {
    /// Performs one.
    ///
    /// # Errors
    /// `usage`: not below the prefix. `permission`: no right to do it. `not-found`: a dataset or
    /// snapshot that must be there is not. `exists`: one that must not be there is. `locked`: in
    /// use. `space`: no room, or a limit is reached. `unsupported`: this pool or system cannot.
    /// `unreachable`: the pool is suspended, gone, or its keys are not loaded. `drift`: see
    /// [`Verb::Bury`]. `io`: else.
    fn perform(&self, verb: &Verb) -> Outcome<Answer>;
}

impl Verb {
    /// The repository's dataset; none where it is not known yet.
    pub fn dataset(&self) -> Option<&Dataset> {
        match self {
            Self::Find { .. } => None,
            Self::Look { dataset, .. }
            | Self::Create { dataset, .. }
            | Self::Clone { dataset, .. }
            | Self::Mount { dataset, .. }
            | Self::Finish { dataset, .. }
            | Self::Bury { dataset, .. }
            | Self::Abandon { dataset, .. }
            | Self::Freeze { dataset, .. }
            | Self::Diff { dataset, .. }
            | Self::Space { dataset }
            | Self::Weigh { dataset, .. }
            | Self::Drop { dataset, .. }
            | Self::Discard { dataset }
            | Self::LockFile { dataset } => Some(dataset),
            Self::Decide(decision) | Self::Publish(decision) => Some(&decision.dataset),
        }
    }
}

/// Names as text where they are text, else as numbers.
mod bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    pub(super) enum Bytes {
        Text(String),
        Raw(Vec<u8>),
    }

    impl From<&Vec<u8>> for Bytes {
        fn from(bytes: &Vec<u8>) -> Self {
            match std::str::from_utf8(bytes) {
                Ok(text) => Self::Text(text.to_owned()),
                Err(_) => Self::Raw(bytes.clone()),
            }
        }
    }

    impl From<Bytes> for Vec<u8> {
        fn from(bytes: Bytes) -> Self {
            match bytes {
                Bytes::Text(text) => text.into_bytes(),
                Bytes::Raw(raw) => raw,
            }
        }
    }

    pub(super) fn serialize<S: Serializer>(bytes: &Vec<u8>, to: S) -> Result<S::Ok, S::Error> {
        Bytes::from(bytes).serialize(to)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<u8>, D::Error> {
        Bytes::deserialize(from).map(Vec::from)
    }
}

mod maybe_bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::bytes::Bytes;

    #[allow(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(Bytes::from).serialize(to)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(
        from: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Bytes>::deserialize(from)?.map(Vec::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_travels_as_one_line_and_names_are_proved_on_the_way_in() {
        let verb = Verb::Decide(Decision {
            dataset: "tank/dsg/p".parse().unwrap(),
            transaction: Uuid::from_u128(7),
            live: Some(u64::MAX),
            snapshot: SnapshotId::FIRST,
            frozen: false,
        });
        let line = serde_json::to_string(&verb).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Verb>(&line).unwrap(), verb);
        for bad in ["tank/../x", "-r", "tank/p@s1", "tank/p;reboot"] {
            let line = line.replace("tank/dsg/p", bad);
            assert!(serde_json::from_str::<Verb>(&line).is_err(), "{line}");
        }
        let more = line.replace("\"live\"", "\"force\":true,\"live\"");
        assert!(serde_json::from_str::<Verb>(&more).is_err(), "{more}");
    }

    #[test]
    fn as_many_snapshots_as_may_be_named_fit_into_one_line_and_one_argument() {
        let last = u64::MAX - MOST_SNAPSHOTS as u64;
        let ids = || (last..).filter_map(SnapshotId::new).take(MOST_SNAPSHOTS);
        let dataset = || -> Dataset { "tank/p".parse().unwrap() };
        let verbs = [
            Verb::Weigh { dataset: dataset(), snapshots: ids().collect() },
            Verb::Drop { dataset: dataset(), tags: ids().map(Tag::Number).collect() },
        ];
        for verb in verbs {
            let line = serde_json::to_vec(&verb).unwrap().len() as u64;
            assert!(line < super::super::helper::LONGEST_VERB, "{line}");
        }
        // Linux takes no longer ones.
        let names: usize = ids().map(|id| id.to_string().len() + 1).sum();
        assert!(names + 255 < 128 << 10, "{names}");
    }

    #[test]
    fn names_that_are_no_text_travel_too() {
        let change = Change {
            how: How::Renamed,
            kind: Kind::File,
            path: b"caf\xe9".to_vec(),
            to: Some("café".into()),
        };
        let line = serde_json::to_string(&change).unwrap();
        assert_eq!(serde_json::from_str::<Change>(&line).unwrap(), change);
    }
}
