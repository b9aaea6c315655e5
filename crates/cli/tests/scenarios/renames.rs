//! Renames of which only one half can be synced: the repository must not lose the file meanwhile.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use dsg_testkit::keeping::assert_repository;
use dsg_testkit::lab::Checkout;
use dsg_testkit::run::{Account, is_root, publish_binary, skipped};

use crate::{DSG, lab};

#[track_caller]
fn waits(checkout: &Checkout, path: &str, for_what: &str) {
    let status = checkout.dsg(&["status"]).ok().json();
    let change = status["changes"].as_array().unwrap().iter().find(|c| c["path"] == path).cloned();
    let change = change.unwrap_or_else(|| panic!("{path} is not in {status:#}"));
    assert_eq!(change["action"], "blocked", "{change}");
    let reason = change["reason"].as_str().unwrap();
    assert!(reason.contains(for_what), "{reason:?} does not name {for_what:?}");
}

const FILES: [(&str, &str); 5] = [
    ("input/run1/a.csv", "the first run"),
    ("input/run1/sub/b.csv", "the second run, which is longer"),
    ("input/other", "something else altogether"),
    ("output/c", "a result"),
    ("output/d", "another result"),
];

#[test]
fn a_folder_that_got_an_illegal_name_is_not_deleted_in_the_repository() {
    let lab = lab();
    let (p1, p2) = lab.pair(&FILES);
    p1.rename("input/run1", "input/run 1?");
    // What was edited since is the same file, too; what was deleted otherwise is not held.
    p1.write("input/run 1?/a.csv", "the first run, corrected");
    p1.remove("output/c");
    waits(&p1, "input/run1/a.csv", "input/run 1?");
    waits(&p1, "input/run1/sub/b.csv", "input/run 1?");
    p1.try_sync(&[]);
    assert_eq!(
        lab.repo_tree().paths(),
        ["input/other", "input/run1/a.csv", "input/run1/sub/b.csv", "output/d"]
    );
    p2.sync();
    assert!(p2.has("input/run1/sub/b.csv"));
    // With a legal name it is a rename.
    let done = p1.try_sync(&["--normalize"]).ok().json();
    assert_eq!(done["moved"], 1, "{done}");
    p1.assert_in_sync();
    p2.sync();
    assert_eq!(p2.tree(), p1.tree());
    assert!(p1.tree().paths().iter().all(|p| !p.contains("run1")));
    assert_repository(&lab, &p1);
}

#[test]
fn a_file_that_got_an_illegal_name_anywhere_keeps_its_place_until_that_is_solved() {
    let lab = lab();
    let (p1, _) = lab.pair(&FILES);
    let illegal = p1.at("output").join(OsStr::from_bytes(b"caf\xe9.csv"));
    std::fs::rename(p1.at("input/other"), &illegal).unwrap();
    waits(&p1, "input/other", "output/caf\u{FFFD}.csv");
    p1.try_sync(&[]);
    assert_eq!(lab.repo_tree().paths().len(), FILES.len());
    // Gone for good, it is a deletion.
    std::fs::remove_file(illegal).unwrap();
    p1.sync();
    assert_eq!(
        lab.repo_tree().paths(),
        ["input/run1/a.csv", "input/run1/sub/b.csv", "output/c", "output/d"]
    );
}

#[test]
fn an_unrelated_illegal_name_holds_nothing_up() {
    let lab = lab();
    let (p1, _) = lab.pair(&FILES);
    p1.write("input/what?", "of another size");
    p1.write("input/how?/c", "of yet another size");
    p1.remove("output/c");
    assert_eq!(p1.status().action("output/c"), "delete_remote");
    p1.try_sync(&[]);
    assert_eq!(lab.there("output/c"), None);
}

#[test]
fn a_folder_renamed_beside_one_that_differs_by_case_waits() {
    let lab = lab();
    let (p1, _) = lab.pair(&[("input/run1/a", "one"), ("input/Run2/b", "two"), ("input/c", "x")]);
    p1.rename("input/run1", "input/run2");
    waits(&p1, "input/run1/a", "input/run2");
    p1.try_sync(&[]);
    assert_eq!(lab.repo_tree().paths(), ["input/Run2/b", "input/c", "input/run1/a"]);
    p1.rename("input/run2", "input/run3");
    p1.sync();
    assert_eq!(lab.repo_tree().paths(), ["input/Run2/b", "input/c", "input/run3/a"]);
}

#[test]
fn a_folder_that_was_renamed_and_closed_waits() {
    if !is_root() {
        skipped("another account needs root");
        return;
    }
    let lab = lab();
    let p1 = lab.checkout("p1");
    for (path, content) in FILES {
        p1.write(path, content);
    }
    let account = Account { uid: 64_002, gid: 64_002, groups: vec![], umask: "022" };
    let srv = lab.path().join("srv");
    std::os::unix::fs::chown(srv, Some(account.uid), Some(account.gid)).unwrap();
    let mut plain = p1.clone();
    plain.runner.binary = publish_binary(std::path::Path::new(DSG), lab.path());
    let p1 = plain.owned_by(&account);
    p1.init();
    p1.rename("input/run1", "input/run2");
    p1.chmod("input/run2", 0o000);
    p1.remove("output/c");
    waits(&p1, "input/run1/a.csv", "input/run2");
    p1.try_sync(&[]);
    let left = lab.repo_tree();
    p1.chmod("input/run2", 0o755);
    assert_eq!(
        left.paths(),
        ["input/other", "input/run1/a.csv", "input/run1/sub/b.csv", "output/d"]
    );
    p1.sync();
    assert_eq!(lab.repo_tree(), p1.tree());
}

#[test]
fn a_new_name_that_differs_by_case_from_one_in_the_repository_is_blocked() {
    let lab = lab();
    let (p1, p2) = lab.pair(&FILES);
    p1.write("input/Data.csv", "theirs");
    p1.write("input/Deep/er/x", "theirs");
    p1.sync();
    p2.write("input/data.csv", "mine");
    p2.write("input/deep/er/y", "mine");
    p2.write("input/fine", "mine");
    waits(&p2, "input/data.csv", "\"input/Data.csv\"");
    waits(&p2, "input/data.csv", "\"input/data.csv\"");
    waits(&p2, "input/deep/er/y", "\"input/Deep\"");
    p2.try_sync(&[]);
    let names = lab.repo_tree();
    assert!(names.paths().contains(&"input/fine") && names.paths().contains(&"input/Data.csv"));
    assert!(
        !names.paths().iter().any(|p| p.contains("data.csv") || p.contains("deep")),
        "{names:?}"
    );
    assert_eq!(
        (p2.read("input/Data.csv"), p2.read("input/data.csv")),
        ("theirs".into(), "mine".into())
    );
    p2.rename("input/data.csv", "input/data of mine.csv");
    p2.rename("input/deep", "input/deep of mine");
    p2.sync();
    p2.assert_in_sync();
    // A new spelling of one name is a rename.
    p2.rename("input/Data.csv", "input/DATA.csv");
    assert_eq!(p2.status().action("input/DATA.csv"), "move_remote");
    p2.sync();
    p1.sync();
    assert_eq!(p1.tree(), p2.tree());
    assert_repository(&lab, &p1);
}

#[test]
fn a_rename_onto_such_a_name_deletes_nothing_either() {
    let lab = lab();
    let (p1, p2) = lab.pair(&FILES);
    p1.write("input/Data.csv", "theirs");
    p1.sync();
    p2.rename("input/other", "input/data.csv");
    waits(&p2, "input/data.csv", "\"input/Data.csv\"");
    waits(&p2, "input/other", "input/data.csv");
    p2.try_sync(&[]);
    assert!(lab.there("input/other").is_some());
}

#[test]
fn a_name_in_another_unicode_form_than_the_repositorys_says_so() {
    let lab = lab();
    let (p1, p2) = lab.pair(&FILES);
    p1.write("input/\u{e9}t\u{e9}", "theirs");
    p1.sync();
    p2.write("input/e\u{301}te\u{301}", "mine");
    waits(&p2, "input/e\u{301}te\u{301}", "\"input/\u{e9}t\u{e9}\"");
    waits(&p2, "input/e\u{301}te\u{301}", "NFC");
    p2.try_sync(&[]);
    assert_eq!(p2.read("input/\u{e9}t\u{e9}"), "theirs");
    assert_eq!(p2.read("input/e\u{301}te\u{301}"), "mine");
}
