//! Who may read and write what: one person's repository and a team's.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use dsg_testkit::keeping::assert_repository;
use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::run::{Account, is_root, publish_binary, skipped};

use crate::{DSG, lab};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path)
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        .permissions()
        .mode()
        & 0o7777
}

#[test]
fn one_persons_repository_is_read_only_and_private_files_stay_private() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.write("input/open", "x");
    p1.write("input/private", "secret");
    p1.chmod("input/private", 0o600);
    p1.init();
    assert_eq!(mode(&lab.repo.join("input/open")) & 0o222, 0, "published files are read-only");
    assert_eq!(mode(&lab.repo.join("input/private")) & 0o077, 0, "a 0600 file was published wider");
    let p2 = lab.cloned("p2");
    assert_eq!(mode(&p2.at("input/open")) & 0o200, 0o200, "a person's own copy can be written");
    p2.write("input/open", "changed");
    p2.sync();
}

fn others_may(mode: u32) -> bool {
    mode & 0o077 != 0
}

const GROUP: u32 = 64_100;

/// A repository's folder that belongs to a group, and two people in it.
fn team() -> Option<(Lab, Checkout, Checkout)> {
    if !is_root() {
        skipped("two accounts need root");
        return None;
    }
    let lab = lab();
    let srv = lab.path().join("srv");
    std::os::unix::fs::chown(&srv, Some(0), Some(GROUP)).unwrap();
    std::fs::set_permissions(&srv, std::fs::Permissions::from_mode(0o2775)).unwrap();
    let binary = publish_binary(Path::new(DSG), lab.path());
    let person = |name: &str, uid: u32| {
        let mut checkout = lab.checkout(name);
        checkout.runner.binary.clone_from(&binary);
        (checkout, Account { uid, gid: uid, groups: vec![GROUP], umask: "022" })
    };
    let (ann, ann_account) = person("ann", 64_101);
    let (ben, ben_account) = person("ben", 64_102);
    ann.write("input/a", "one");
    ann.write("input/b", "two");
    ann.write("input/deep/c", "three");
    let (ann, ben) = (ann.owned_by(&ann_account), ben.owned_by(&ben_account));
    Some((lab, ann, ben))
}

/// Writes as the checkout's owner would.
fn write_as_owner(checkout: &Checkout, path: &str, content: &str) {
    checkout.write(path, content);
    let owner = checkout.runner.account.as_ref().unwrap();
    let mut dir = checkout.at(path);
    while dir != checkout.dir {
        std::os::unix::fs::chown(&dir, Some(owner.uid), Some(owner.gid)).unwrap();
        dir.pop();
    }
}

#[test]
fn two_people_of_a_team_share_one_repository() {
    let Some((lab, ann, ben)) = team() else { return };
    ann.init();
    assert_eq!(std::fs::metadata(lab.repo.join("input/a")).unwrap().gid(), GROUP);
    assert_eq!(mode(&lab.repo.join("input/a")) & 0o660, 0o660);
    assert_eq!(mode(&lab.repo.join("input")) & 0o2070, 0o2070);
    ben.clone_here().ok();
    for round in 0..3 {
        write_as_owner(&ben, "input/a", &format!("ben {round}"));
        write_as_owner(&ben, &format!("input/deep/ben/{round}"), "new");
        ben.sync();
        ann.sync();
        write_as_owner(&ann, "input/b", &format!("ann {round}"));
        ann.remove("input/deep/c");
        write_as_owner(&ann, "input/deep/c", &format!("ann {round}"));
        ann.sync();
        ben.sync();
        assert_eq!(ann.tree(), ben.tree());
    }
    assert_repository(&lab, &ann);
    assert_repository(&lab, &ben);
}

#[test]
fn one_of_a_team_recovers_what_the_other_left() {
    for point in ["host.built", "host.journaled", "host.exchanged", "host.rolled.outcome"] {
        let Some((lab, ann, ben)) = team() else { return };
        ann.init();
        ben.clone_here().ok();
        write_as_owner(&ann, "input/a", "ann's");
        let died = ann.with("DSG_CRASH_AT", point).try_sync(&[]);
        assert!(died.crashed(), "{point}: {died:?}");
        write_as_owner(&ben, "input/b", "ben's");
        ben.sync();
        ann.sync();
        ben.sync();
        assert_eq!(ann.tree(), ben.tree(), "{point}");
        assert_eq!(
            (ben.read("input/a").as_str(), ann.read("input/b").as_str()),
            ("ann's", "ben's"),
            "{point}"
        );
        assert_repository(&lab, &ben);
    }
}

#[test]
fn a_private_file_is_not_given_to_the_team_unasked() {
    let Some((lab, ann, ben)) = team() else { return };
    ann.init();
    ben.clone_here().ok();
    write_as_owner(&ann, "input/private", "secret");
    ann.chmod("input/private", 0o600);
    let done = ann.try_sync(&[]);
    let there = lab.repo.join("input/private");
    assert!(!there.exists() || !others_may(mode(&there)), "published wider: {done:?}");
    if !there.exists() {
        let skipped = done.json()["skipped"].clone();
        assert_eq!(skipped[0]["path"], "input/private", "{done:?}");
        assert!(skipped[0]["reason"].as_str().is_some_and(|r| !r.is_empty()), "{done:?}");
    }
}

#[test]
fn one_who_may_not_write_is_told_before_anything_is_done() {
    let Some((lab, ann, ben)) = team() else { return };
    ann.init();
    ben.clone_here().ok();
    let outsider = Account { uid: 64_103, gid: 64_103, groups: vec![], umask: "022" };
    let ben = ben.owned_by(&outsider);
    write_as_owner(&ben, "input/a", "an outsider's");
    let remote = lab.repo_tree();
    let done = ben.try_sync(&[]);
    assert_eq!(done.code(), Some(1), "{done:?}");
    let done = done.failed("permission");
    assert!(done.json()["error"]["message"].as_str().is_some(), "{done:?}");
    assert_eq!(lab.repo_tree(), remote);
    assert_eq!(ben.read("input/a"), "an outsider's");
    assert_repository(&lab, &ann);
}
