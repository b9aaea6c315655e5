//! The dataset of a first publish: who may begin one, and to whom what is made belongs.

use std::os::fd::OwnedFd;
use std::path::Path;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_fs::error::FsError;
use rustix::fs::{Gid, Mode, OFlags, Uid};
use uuid::Uuid;

use super::family::Family;
use super::name::{Dataset, Part};

/// Whether a first publish of a transaction was begun already; or why there can be none.
pub(super) fn begun(family: &Family, transaction: Uuid) -> Result<bool, &'static str> {
    for member in &family.others {
        match member.part {
            Part::Former(_) => return Err("was one, and its last publish is not finished"),
            Part::Staging(_) if member.is_published() => return Err("is one, published just now"),
            Part::Staging(_) | Part::Live => {}
        }
    }
    let part = Part::Staging(transaction);
    match family.others.iter().find(|m| m.part == part) {
        None => Ok(false),
        Some(m) if m.origin.is_none() && m.snapshots.is_empty() => Ok(true),
        Some(_) => Err("is being published to under the same number"),
    }
}

/// Refuses one that is not begun, or not by this transaction.
pub(super) fn refused(live: &Dataset, why: &str) -> Failure {
    Failure::new(Code::Exists, format!("There can be no new repository {live}: it {why}."))
        .hint("Open it, which finishes what was cut off; or choose another name.")
}

/// Whether a new dataset's root has to be given to whoever asks; `None`: it is somebody else's.
fn to_give(owner: Uid, caller: Uid, untouched: bool) -> Option<bool> {
    if owner == caller { Some(false) } else { (owner.is_root() && untouched).then_some(true) }
}

/// Gives a new dataset, mounted at a place of ours, to whoever asks, unless it is somebody else's.
pub(super) fn give(at: &Path, (uid, gid): (Uid, Gid)) -> Outcome<()> {
    let failed = |e| -> Failure { FsError::new("give away", at, e).into() };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::open(at, flags, Mode::empty()).map_err(failed)?;
    let owner = Uid::from_raw(rustix::fs::fstat(&root).map_err(failed)?.st_uid);
    match to_give(owner, uid, is_empty(&root).map_err(failed)?) {
        Some(true) => rustix::fs::fchown(&root, Some(uid), Some(gid)).map_err(failed),
        Some(false) => Ok(()),
        None => Err(Failure::new(
            Code::Permission,
            format!("What is mounted at {} is somebody else's.", at.display()),
        )
        .hint("Begin a publish of your own.")),
    }
}

fn is_empty(dir: &OwnedFd) -> rustix::io::Result<bool> {
    for entry in rustix::fs::Dir::read_from(dir)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zfs::family::{Member, Snapshot};
    use crate::zfs::verb::Mountpoint;

    const T: Uuid = Uuid::from_u128(7);
    const U: Uuid = Uuid::from_u128(8);

    fn member(part: Part, origin: Option<&str>, marks: &[Option<Uuid>]) -> Member {
        let live: Dataset = "tank/dsg/p".parse().unwrap();
        let snapshot = |transaction: &Option<Uuid>| Snapshot {
            name: "s1".into(),
            tag: "s1".parse().ok(),
            guid: 1,
            created: 1,
            transaction: *transaction,
            holds: 0,
            clones: Vec::new(),
        };
        Member {
            name: live.member(part),
            part,
            guid: 1,
            origin: origin.map(str::to_owned),
            written: 0,
            mountpoint: Mountpoint { value: "/tank/dsg/p".into(), own: false },
            canmount: "noauto".into(),
            meant: "on".into(),
            trial: false,
            readonly: false,
            unlocked: true,
            mounts: Vec::new(),
            in_place: false,
            snapshots: marks.iter().map(snapshot).collect(),
        }
    }

    #[test]
    fn a_first_publish_is_begun_where_no_other_one_is_decided_and_only_once() {
        let staging = |t, marks: &[_]| member(Part::Staging(t), None, marks);
        for (others, expected) in [
            (vec![], Some(false)),
            (vec![staging(T, &[])], Some(true)),
            (vec![staging(U, &[])], Some(false)),
            (vec![staging(U, &[]), staging(T, &[])], Some(true)),
            // The head of a repository between its two renames, or not finished: it holds the history.
            (vec![staging(U, &[Some(U)])], None),
            (vec![staging(T, &[Some(T)])], None),
            (vec![staging(T, &[]), staging(U, &[Some(U)])], None),
            (vec![member(Part::Former(U), Some("tank/dsg/p.dsg-x@s1"), &[])], None),
            (vec![member(Part::Former(T), None, &[]), staging(T, &[])], None),
            // What was cloned, or has a snapshot, is not the empty one that was made.
            (vec![member(Part::Staging(T), Some("tank/dsg/p@s1"), &[])], None),
            (vec![staging(T, &[None])], None),
        ] {
            let told = format!("{others:?}");
            let family = Family { others, ..Family::default() };
            assert_eq!(begun(&family, T).ok(), expected, "{told}");
        }
    }

    #[test]
    fn only_what_is_still_roots_and_empty_is_given_away() {
        let (ann, ben) = (Uid::from_raw(1000), Uid::from_raw(1001));
        for (owner, caller, untouched, expected) in [
            (Uid::ROOT, ann, true, Some(true)),
            (Uid::ROOT, ann, false, None),
            (Uid::ROOT, Uid::ROOT, false, Some(false)),
            (ann, ann, false, Some(false)),
            (ann, ben, true, None),
            (ann, ben, false, None),
            (ann, Uid::ROOT, false, None),
        ] {
            assert_eq!(to_give(owner, caller, untouched), expected, "{owner:?} {caller:?}");
        }
    }
}
