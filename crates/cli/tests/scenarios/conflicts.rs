//! How conflicts end: each way, for each kind; and what must not end them.

use dsg_testkit::keeping::assert_repository;
use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::tree::{Node, Scope, Tree};

use crate::lab;

const PATH: &str = "input/a.csv";

/// Here, at the last sync, there.
type Sides = (Option<&'static str>, Option<&'static str>, Option<&'static str>);
const KINDS: [(&str, Sides); 4] = [
    ("LCR.all_ne", (Some("mine"), Some("base"), Some("theirs"))),
    ("CR.ne", (None, Some("base"), Some("theirs"))),
    ("LR.ne", (Some("mine"), None, Some("theirs"))),
    ("LC.ne", (Some("mine"), Some("base"), None)),
];

fn put(checkout: &Checkout, content: Option<&str>) {
    match content {
        Some(content) => checkout.write(PATH, content),
        None if checkout.has(PATH) => checkout.remove(PATH),
        None => {}
    }
}

/// A conflict of this kind, as p2 sees it.
fn conflict(lab: &Lab, sides: Sides) -> (Checkout, Checkout) {
    let mut files = vec![("input/other", "x")];
    files.extend(sides.1.map(|c| (PATH, c)));
    let (p1, p2) = lab.pair(&files);
    put(&p1, sides.2);
    p1.sync();
    put(&p2, sides.0);
    (p1, p2)
}

fn trashed(checkout: &Checkout, content: &str) -> bool {
    let wanted = dsg_testkit_hash(content);
    Tree::of(&checkout.at(".dsg/trash"), Scope::Everything)
        .0
        .values()
        .any(|n| matches!(n, Node::File { sha256, .. } if *sha256 == wanted))
}

fn dsg_testkit_hash(content: &str) -> [u8; 32] {
    dsg_core::entry::Hash::of(content.as_bytes()).0
}

#[test]
fn every_resolution_of_every_kind() {
    for (state, sides) in KINDS {
        for how in ["local", "remote", "cached", "both"] {
            let lab = lab();
            let (p1, p2) = conflict(&lab, sides);
            assert_eq!(p2.status().state(PATH), state);
            let flag = format!("--{how}");
            if how == "cached" && sides.1.is_none() {
                let refused = p2.dsg(&["resolve", PATH, &flag]);
                assert_eq!(refused.code(), Some(2), "nothing was ever synced there: {refused:?}");
                continue;
            }
            p2.resolve(PATH, &flag);
            let (here, cached, there) = sides;
            let kept = match how {
                "local" => here,
                "remote" => there,
                "cached" => cached,
                _ => there.or(here),
            };
            let done = p2.sync();
            p2.assert_in_sync();
            let found = p2.has(PATH).then(|| p2.read(PATH));
            assert_eq!(found.as_deref(), kept, "{state} --{how}: {done:?}");
            if let ("both", Some(mine), Some(_)) = (how, here, there) {
                let aside: Vec<_> =
                    p2.tree().0.into_keys().filter(|p| p != PATH && p != "input/other").collect();
                assert_eq!(aside.len(), 1, "{state}: {aside:?}");
                assert_eq!(p2.read(&aside[0]), mine);
            }
            if let (Some(mine), "remote" | "cached") = (here, how) {
                assert!(trashed(&p2, mine), "{state} --{how}: what was here is not in the trash");
            }
            p1.sync();
            assert_eq!(p1.tree(), p2.tree(), "{state} --{how}");
            assert_repository(&lab, &p1);
        }
    }
}

#[test]
fn a_path_left_out_stays_a_conflict_and_is_never_overwritten() {
    for args in [["--except-conflicts"].as_slice(), &["--only", "input/b"]] {
        let lab = lab();
        let (p1, p2) = lab.pair(&[(PATH, "base"), ("input/b", "base")]);
        p1.write(PATH, "theirs");
        p1.write("input/b", "theirs");
        p1.sync();
        p2.write(PATH, "mine");
        let done = p2.try_sync(args);
        assert!(matches!(done.code(), Some(0 | 3)), "{done:?}");
        assert_eq!(p2.read("input/b"), "theirs");
        // Now C of the one path is older than the folder's last sync.
        let again = p2.try_sync(&[]).expect(3).failed("conflicts");
        assert_eq!(again.texts("paths"), [PATH]);
        assert_eq!(p2.read(PATH), "mine");
        assert_eq!(lab.there(PATH).unwrap(), "theirs");
        p2.write("input/b", "mine too");
        p2.try_sync(&["--except-conflicts"]).expect(3);
        assert_eq!(lab.there(PATH).unwrap(), "theirs");
        assert_eq!(p2.status().state(PATH), "LCR.all_ne");
    }
}

#[test]
fn an_unselected_change_stays_pending() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "base"), ("output/b", "base")]);
    p2.write("input/a", "mine");
    p2.write("output/b", "mine");
    p2.try_sync(&["--only", "input"]).ok();
    let pending = p2.status();
    assert_eq!((pending.action("input/a"), pending.action("output/b")), ("none", "upload"));
    p1.sync();
    assert_eq!((p1.read("input/a").as_str(), p1.read("output/b").as_str()), ("mine", "base"));
    p1.write("output/b", "theirs");
    p1.sync();
    p2.try_sync(&[]).expect(3).failed("conflicts");
}

#[test]
fn a_decision_is_void_once_either_side_changed() {
    for side in ["here", "there"] {
        let lab = lab();
        let (p1, p2) = conflict(&lab, KINDS[0].1);
        assert_eq!(p2.status().action(PATH), "conflict");
        p2.resolve(PATH, "--local");
        assert_eq!(p2.status().action(PATH), "upload");
        if side == "here" {
            p2.write(PATH, "mine, later");
        } else {
            p1.write(PATH, "theirs, later");
            p1.sync();
        }
        assert_eq!(p2.status().action(PATH), "conflict", "changed {side}");
        p2.try_sync(&[]).expect(3).failed("conflicts");
        p2.resolve(PATH, "--remote");
        p2.sync();
        p2.assert_in_sync();
        p1.sync();
        assert_eq!(p1.tree(), p2.tree());
    }
}

#[test]
fn what_is_no_conflict_cannot_be_decided() {
    let lab = lab();
    let (_, p2) = lab.pair(&[(PATH, "base")]);
    for path in [PATH, "input/nowhere", "../outside"] {
        let done = p2.dsg(&["resolve", path, "--local"]);
        assert_eq!(done.code(), Some(2), "{path}: {done:?}");
        assert!(done.json()["error"]["message"].is_string());
    }
}

#[test]
fn a_clash_is_decided_as_a_whole() {
    for (how, file_wins) in [("--local", false), ("--remote", true)] {
        let lab = lab();
        let (p1, p2) = lab.pair(&[("input/other", "x")]);
        p1.write("input/x", "a file");
        p1.sync();
        p2.write("input/x/one", "1");
        p2.write("input/x/two", "2");
        assert_eq!(p2.status().state("input/x"), "clash");
        p2.resolve("input/x", how);
        let half = p2.try_sync(&[]);
        if half.code() == Some(3) {
            for path in ["input/x/one", "input/x/two"] {
                if p2.status().action(path) == "conflict" {
                    p2.resolve(path, how);
                }
            }
            p2.sync();
        }
        p2.assert_in_sync();
        assert_eq!(p2.has("input/x/one"), !file_wins);
        p1.sync();
        assert_eq!(p1.tree(), p2.tree());
    }
}

#[test]
fn a_remote_file_never_replaces_a_folder_with_untracked_files() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/other", "x")]);
    p2.write("input/x/scratch.tmp", "not tracked, but a person's");
    p1.write("input/x", "a file");
    p1.sync();
    let done = p2.sync().json();
    assert_eq!(done["skipped"][0]["path"], "input/x", "{done}");
    assert!(done["skipped"][0]["reason"].as_str().unwrap().contains("scratch.tmp"), "{done}");
    assert_eq!(p2.read("input/x/scratch.tmp"), "not tracked, but a person's");
}
