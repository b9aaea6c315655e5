//! Proofs of what the repository keeps: every file, against what was recorded of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::run::skipped;

use crate::lab;

/// Three snapshots: `input/kept` is the same in all, `input/b` changes in s2, `input/c` goes in s3.
fn three(lab: &Lab) -> Checkout {
    let p1 = lab.checkout("p1");
    p1.write("input/kept", "in all of them");
    p1.write("input/b", "one");
    p1.write("input/c", "short-lived");
    p1.link("output/latest", "../input/b");
    p1.init();
    p1.write("input/b", "two");
    p1.sync();
    p1.remove("input/c");
    p1.sync();
    p1
}

/// Why nothing rots on ZFS.
const SOUND: &str = "nobody can change what a snapshot of a pool holds";

/// The disk rots: other bytes, the same size and times.
fn rot(file: &Path) {
    let meta = std::fs::metadata(file).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    bytes[0] ^= 1;
    std::fs::OpenOptions::new()
        .write(true)
        .open(file)
        .and_then(|mut f| std::io::Write::write_all(&mut f, &bytes))
        .unwrap();
    std::fs::File::open(file).unwrap().set_modified(meta.modified().unwrap()).unwrap();
    std::fs::set_permissions(file, meta.permissions()).unwrap();
}

#[test]
fn a_sound_repository_is_read_whole_and_what_snapshots_share_once() {
    let lab = lab();
    let p1 = three(&lab);
    let proof = p1.dsg(&["validate-chain", "--deep"]).ok().json();
    assert_eq!(proof["files_of"], serde_json::json!(["s3", "s2", "s1"]), "{proof}");
    assert_eq!(proof["files"], 3 + 4 + 4, "{proof}");
    let each_once = "in all of them".len() + "two".len() + "short-lived".len() + "one".len();
    assert_eq!(proof["bytes_read"], each_once, "{proof}");
    let shallow = p1.dsg(&["validate-chain"]).ok().json();
    assert!(shallow["deep"] == false && shallow.get("files").is_none(), "{shallow}");
    let one = p1.dsg(&["validate-snapshot", "s1", "--deep"]).ok().json();
    assert!(one["snapshot"] == "s1" && one["entries"] == 4 && one["files"] == 4, "{one}");
    let head = p1.dsg(&["validate-snapshot"]).ok().json();
    assert!(head["snapshot"] == "s3" && head["deep"] == false, "{head}");
    p1.dsg(&["validate-snapshot", "s9"]).expect(2).failed("not-found");
    assert!(p1.words(&["validate-chain", "--deep"]).ok().stdout.contains("11 files compared"));
}

#[test]
fn every_damaged_file_is_named_in_every_snapshot_that_has_it() {
    let lab = lab();
    if lab.is_on_zfs() {
        return skipped(SOUND);
    }
    let p1 = three(&lab);
    let trees = lab.sidecar().join("trees");
    rot(&lab.repo.join("input/kept"));
    rot(&trees.join("s1/input/b"));
    std::fs::remove_file(trees.join("s2/input/b")).unwrap();
    let done = p1.dsg(&["validate-chain", "--deep"]).expect(1).failed("hash-mismatch");
    let named = done.texts("paths");
    let shared = std::fs::metadata(lab.repo.join("input/kept")).unwrap();
    let is_shared = |s: &str| {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(trees.join(s).join("input/kept")).unwrap().ino() == shared.ino()
    };
    let mut expected = vec!["s3: input/kept ", "s2: input/b is missing", "s1: input/b "];
    if is_shared("s2") {
        expected.push("s2: input/kept ");
    }
    if is_shared("s1") {
        expected.push("s1: input/kept ");
    }
    for fault in &expected {
        assert!(named.iter().any(|n| n.starts_with(fault)), "{fault:?} is not in {named:?}");
    }
    assert_eq!(named.len(), expected.len(), "{named:?}");
    p1.dsg(&["validate-chain"]).ok();
    let done = p1.dsg(&["validate-snapshot", "s1", "--deep"]).expect(1).failed("hash-mismatch");
    assert!(done.texts("paths").iter().all(|p| p.starts_with("s1: ")), "{done:?}");
}

#[test]
fn what_was_overwritten_on_the_host_is_not_kept_and_no_damage() {
    let lab = lab();
    let p1 = three(&lab);
    lab.on_host("printf other > input/new; rm input/b; printf other > input/b");
    p1.try_sync(&["--allow", "drift"]).ok();
    let proof = p1.dsg(&["validate-chain", "--deep"]).ok().json();
    if lab.is_on_zfs() {
        // There a snapshot keeps it.
        return assert_eq!(proof["gone"], serde_json::Value::Null, "{proof}");
    }
    assert_eq!(proof["gone"], serde_json::json!(["s3: input/b"]), "{proof}");
    let one = p1.dsg(&["validate-snapshot", "s3", "--deep"]).ok().json();
    assert_eq!(one["gone"], proof["gone"], "{one}");
    assert!(p1.words(&["validate-chain", "--deep"]).ok().stdout.contains("  s3: input/b\n"));
}

#[test]
fn one_damaged_file_is_told_in_the_sentence_itself() {
    let lab = lab();
    if lab.is_on_zfs() {
        return skipped(SOUND);
    }
    let p1 = three(&lab);
    rot(&lab.sidecar().join("trees/s1/input/b"));
    let done = p1.words(&["validate-chain", "--deep"]).expect(1);
    assert!(
        done.stderr.contains("s1 of the repository is not as recorded: input/b has the SHA-256")
    );
}
