//! The way back, as a person types it; and a restore that is cut off at every point.

use crate::lab;
use dsg_testkit::keeping::assert_repository;
use dsg_testkit::lab::{Checkout, Lab};

/// s1: a, b · s2: a changed, b deleted, c new.
fn history(lab: &Lab) -> (Checkout, Checkout) {
    let (p1, p2) = lab.pair(&[("input/a", "one"), ("input/b", "two")]);
    p1.write("input/a", "changed");
    p1.remove("input/b");
    p1.write("input/c", "three");
    p1.sync();
    p2.sync();
    (p1, p2)
}

#[test]
fn a_deleted_file_is_found_and_brought_back() {
    let lab = lab();
    let (p1, p2) = history(&lab);
    let blame = p1.dsg(&["blame", "input/b"]).ok().json();
    let told: Vec<_> = (blame["versions"].as_array().unwrap().iter())
        .map(|v| (v["snapshot"].as_str().unwrap().to_owned(), v["deleted"].as_bool().unwrap()))
        .collect();
    assert_eq!(told, [("s2".to_owned(), true), ("s1".to_owned(), false)]);
    p1.dsg(&["blame", "input/never"]).expect(2).failed("not-found");

    let would = p1.dsg(&["restore", "s1", "input/b", "--dry-run"]).ok().json();
    assert_eq!((&would["added"], &would["dry_run"]), (&1.into(), &true.into()));
    assert!(!p1.has("input/b"));
    let said = p1.words(&["restore", "s1", "input/b"]).ok();
    assert!(said.stdout.contains("1 file back") && said.stdout.contains("pending"), "{said:?}");
    assert_eq!((p1.read("input/b").as_str(), p1.status().action("input/b")), ("two", "upload"));
    p1.sync();
    p2.sync();
    assert_eq!(p2.read("input/b"), "two");
    p1.assert_in_sync();
}

#[test]
fn everything_returns_to_a_snapshot_and_the_newer_is_in_the_trash() {
    let lab = lab();
    let (p1, _) = history(&lab);
    let report = p1.dsg(&["restore", "s1"]).ok().json();
    assert_eq!(
        (&report["added"], &report["replaced"], &report["deleted"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert!(!p1.has("input/c"));
    let trash = p1.dsg(&["clean"]).ok().json();
    assert_eq!(trash["items"][0]["files"], 2, "{trash}");
    p1.sync();
    let same = p1.dsg(&["diff", "s1", "s3"]).ok().json();
    assert_eq!(same["differences"].as_array().map(Vec::len), Some(0));
    assert_repository(&lab, &p1);
}

#[test]
fn files_of_a_snapshot_are_written_beside_the_project_or_where_one_says() {
    let lab = lab();
    let (p1, _) = history(&lab);
    let fetched = p1.dsg(&["snapfetch", "s1", "input/b"]).ok().json();
    let folder = std::path::PathBuf::from(fetched["folder"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(folder.join("input/b")).unwrap(), "two");
    let elsewhere = lab.path().join("elsewhere");
    p1.dsg(&["snapfetch", "s1", "input", "-o", elsewhere.to_str().unwrap()]).ok();
    assert_eq!(std::fs::read_to_string(elsewhere.join("input/a")).unwrap(), "one");
    let inside = p1.at("input/old");
    p1.dsg(&["snapfetch", "s1", "input", "-o", inside.to_str().unwrap()]).expect(2).failed("usage");
    p1.dsg(&["restore", "s9"]).expect(2).failed("not-found");
    p1.assert_in_sync();
}

#[test]
fn a_restore_that_is_cut_off_is_undone_or_finished_and_loses_nothing() {
    let points =
        ["receiving", "sealed", "step", "swapped", "inspected", "stepped", "durable", "settled"];
    for point in points {
        let lab = lab();
        let (p1, _) = history(&lab);
        p1.write("input/a", "mine, never synced");
        let ended = p1.with("DSG_CRASH_AT", format!("engine.{point}")).dsg(&["restore", "s1"]);
        assert!(ended.crashed(), "{point}: {ended:?}");
        let status = p1.status();
        let back = p1.read("input/a") == "one";
        let kept = p1.read("input/a") == "mine, never synced";
        assert!(back != kept, "{point}: {:?}", p1.read("input/a"));
        assert_eq!(back, point != "receiving", "{point}");
        if back {
            assert!(p1.has("input/b") && !p1.has("input/c"), "{point}");
            let trash = std::fs::read_dir(p1.at(".dsg/trash")).unwrap().next().unwrap().unwrap();
            let mine = std::fs::read_to_string(trash.path().join("input/a")).unwrap();
            assert_eq!(mine, "mine, never synced", "{point}");
            assert_eq!(status.action("input/a"), "upload", "{point}");
        } else {
            assert!(!p1.has("input/b") && p1.has("input/c"), "{point}");
        }
    }
}

#[test]
fn former_files_are_removed_by_a_rule_and_what_they_were_stays_known() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "1"), ("input/kept", "the same in all of them")]);
    for content in ["22", "333", "4444"] {
        p1.write("input/a", content);
        p1.sync();
    }
    let would = p1.dsg(&["prune", "--keep", "last=2"]).ok().json();
    assert_eq!(would["snapshots"].to_string(), "[\"s1\",\"s2\"]");
    assert_eq!(
        (&would["removed"], &would["freed"], &would["kept"]),
        (&false.into(), &3.into(), &2.into())
    );
    p2.dsg(&["restore", "s1", "input/a", "--dry-run"]).ok();
    let told = p1.words(&["prune", "--keep", "2"]);
    assert!(told.stdout.contains("run it again with --yes"), "{told:?}");
    let did = p1.dsg(&["prune", "--keep", "last=2", "--yes"]).ok().json();
    assert_eq!((&did["snapshots"], &did["freed"]), (&would["snapshots"], &would["freed"]));
    p1.dsg(&["restore", "s1", "input/a"]).failed("not-found");
    p2.dsg(&["restore", "s3", "input/a"]).ok();
    assert_eq!(p2.read("input/a"), "333");
    assert_eq!(p1.dsg(&["log"]).ok().json()["snapshots"].as_array().unwrap().len(), 4);
    // Without a rule, the one that is configured is meant.
    p1.dsg(&["prune"]).expect(2).failed("usage");
    let config = p1.read(".dsgconfig.yml");
    p1.write(".dsgconfig.yml", config + "retention: last=1\n");
    p1.sync();
    let would = p1.dsg(&["prune"]).ok().json();
    assert_eq!(would["snapshots"].to_string(), "[\"s3\",\"s4\"]");
    let again = p1.dsg(&["prune", "--keep", "3", "--yes"]).ok().json();
    assert_eq!(again["snapshots"].to_string(), "[]");
    assert_repository(&lab, &p1);
}
