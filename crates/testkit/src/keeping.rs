//! What a repository and a project must never be found without, whatever happened to them.

use std::collections::BTreeMap;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::lab::{Checkout, Lab};
use crate::tree::{Node, Scope, Tree};

/// Checks a repository at rest, through a checkout of it: the live tree is the head's manifest, the
/// whole history proves itself, no publish is under way, nobody holds the lock. (What an undecided
/// transaction staged may wait there for the next try: see [`left_in_staging`].)
#[track_caller]
pub fn assert_repository(lab: &Lab, checkout: &Checkout) {
    assert_live_tree(lab, checkout);
    checkout.dsg(&["validate-chain", "--deep"]).ok();
    let side = lab.sidecar();
    if lab.is_on_zfs() {
        assert_datasets(lab);
    } else {
        assert!(!side.join("journal.json").exists(), "a journal is left in {}", side.display());
        assert_unlocked(&side.join("lock"));
    }
    let staged = Tree::of(&checkout.at(".dsg/staging"), Scope::Everything);
    assert!(staged.0.is_empty(), "left in the project's staging: {staged:?}");
}

/// Checks that of a repository on ZFS there is its dataset with its snapshots and nothing else, and that it
/// is mounted at its place and nowhere else.
#[track_caller]
pub fn assert_datasets(lab: &Lab) {
    let (host, dataset) = lab.zfs();
    let above = dataset.rsplit_once('/').expect("a dataset above").0;
    let listed = host.run(&format!("zfs list -H -t all -o name -r {above}"));
    let mut snapshots = 0;
    for name in listed.lines().filter(|name| ![above, &dataset].contains(name)) {
        snapshots += 1;
        assert_eq!(name, format!("{dataset}@s{snapshots}"), "in {listed}");
    }
    // Snapshots that somebody looked at are mounted by the kernel, and unmounted by it.
    let mounts =
        format!("grep '^{dataset}' /proc/mounts | grep -v '^{dataset}@' | cut -d ' ' -f 2");
    let mounts = host.run(&mounts);
    assert_eq!(mounts.trim(), lab.repo.display().to_string());
}

/// What is in the repository's staging area, but for files that only say that a transaction was
/// there.
pub fn left_in_staging(lab: &Lab) -> Vec<String> {
    let staged = Tree::of(&lab.sidecar().join("staging"), Scope::Everything);
    staged.0.into_keys().filter(|p| !matches!(p.split('/').nth(1), None | Some("lock"))).collect()
}

/// Checks that the live tree is what the head's manifest says.
#[track_caller]
pub fn assert_live_tree(lab: &Lab, checkout: &Checkout) {
    assert_eq!(
        manifest(checkout, &[]),
        shape(&lab.repo_tree()),
        "the live tree is not the head's manifest"
    );
}

/// What a snapshot holds, through `dsg list-files`.
#[track_caller]
pub fn manifest(checkout: &Checkout, args: &[&str]) -> BTreeMap<String, String> {
    let document = checkout.dsg(&[&["list-files"], args].concat()).ok().json();
    let files = document["files"].as_array().expect("files").iter();
    let one = |f: &serde_json::Value| {
        let path = f["path"].as_str().expect("a path").to_owned();
        let what = match f["type"].as_str() {
            Some("link") => format!("-> {}", f["target"].as_str().unwrap_or_default()),
            _ => format!("{} {} {}", f["hash"].as_str().unwrap_or_default(), f["size"], f["exec"]),
        };
        (path, what)
    };
    files.map(one).collect()
}

fn shape(tree: &Tree) -> BTreeMap<String, String> {
    let one = |(path, node): (&String, &Node)| {
        let what = match node {
            Node::File { sha256, size, exec } => {
                format!("{} {size} {exec}", dsg_core::entry::Hash(*sha256))
            }
            Node::Link(target) => format!("-> {target}"),
            other => format!("{other:?}"),
        };
        (path.clone(), what)
    };
    tree.0.iter().map(one).collect()
}

/// Checks that no living process holds the lock.
#[track_caller]
pub fn assert_unlocked(lock: &Path) {
    if let Ok(file) = std::fs::File::open(lock) {
        let free = flock(&file, FlockOperation::NonBlockingLockExclusive);
        assert!(free.is_ok(), "{} is locked", lock.display());
    }
}
