//! Nothing that cannot be seen, or vanished by accident, is ever deleted elsewhere.

use std::path::Path;
use std::process::Command;

use dsg_testkit::disk::{Disk, Format};
use dsg_testkit::keeping::assert_repository;
use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::run::{Account, is_root, publish_binary};

use crate::scenes::drift;
use crate::{DSG, lab};

/// Nobody in particular: permissions count for this account also when the tests are run by root.
fn plain() -> Account {
    Account { uid: 64_001, gid: 64_001, groups: vec![], umask: "022" }
}

/// A lab whose folders belong to an account for which permissions count; the second checkout is the
/// first one, as that account.
fn for_plain_person(files: &[(&str, &str)]) -> Option<(Lab, Checkout)> {
    let lab = lab();
    let mut p1 = lab.checkout("p1");
    for (path, content) in files {
        p1.write(path, content);
    }
    if is_root() {
        p1.runner.binary = publish_binary(Path::new(DSG), lab.path());
        p1 = p1.owned_by(&plain());
        std::os::unix::fs::chown(lab.path().join("srv"), Some(64_001), Some(64_001)).ok()?;
    }
    p1.init();
    Some((lab, p1))
}

fn many(count: usize) -> Vec<(String, String)> {
    (0..count).map(|n| (format!("input/{n}"), format!("content {n}"))).collect()
}

fn borrowed(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect()
}

#[test]
fn an_unreadable_folder_deletes_nothing() {
    let Some((lab, p1)) =
        for_plain_person(&[("input/a", "one"), ("input/shut/b", "two"), ("output/c", "three")])
    else {
        return;
    };
    p1.chmod("input/shut", 0o000);
    p1.write("output/c", "changed");
    if is_root() {
        std::os::unix::fs::chown(p1.at("output/c"), Some(64_001), Some(64_001)).unwrap();
    }
    let pending = p1.status();
    assert_eq!(pending.action("input/shut/b"), "blocked", "{pending:#?}");
    let done = p1.try_sync(&[]);
    assert!(matches!(done.code(), Some(0 | 7)), "{done:?}");
    p1.chmod("input/shut", 0o755);
    assert_eq!(lab.repo_tree().paths(), ["input/a", "input/shut/b", "output/c"]);
    assert_eq!(lab.there("output/c").unwrap(), "changed");
    p1.sync();
    p1.assert_in_sync();
}

#[test]
fn an_unreadable_file_is_blocked_with_its_reason() {
    let Some((lab, p1)) = for_plain_person(&[("input/a", "one"), ("input/b", "two")]) else {
        return;
    };
    p1.chmod("input/a", 0o000);
    p1.write("input/b", "changed");
    p1.chmod("input/b", 0o666);
    let status = p1.dsg(&["status"]).ok().json();
    let change =
        status["changes"].as_array().unwrap().iter().find(|c| c["path"] == "input/a").cloned();
    if let Some(change) = change {
        assert_eq!(change["action"], "blocked");
        assert!(change["reason"].as_str().is_some_and(|r| !r.is_empty()));
    }
    p1.try_sync(&[]);
    assert_eq!(lab.there("input/a").unwrap(), "one");
    p1.chmod("input/a", 0o644);
    p1.sync();
    p1.assert_in_sync();
}

#[test]
fn a_newly_ignored_folder_deletes_nothing_anywhere() {
    let lab = lab();
    let (p1, p2) =
        lab.pair(&[("input/a", "one"), ("input/big/b", "two"), ("input/big/c", "three")]);
    let config = p1.read(".dsgconfig.yml");
    let mut ignoring: serde_json::Value = serde_json::json!({});
    assert!(config.contains("paths: []"), "{config}");
    p1.write(".dsgconfig.yml", config.replace("paths: []", "paths: [input/big]"));
    ignoring["said"] = p1.dsg(&["status"]).ok().json()["changes"].clone();
    let actions: Vec<_> = ignoring["said"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["action"].as_str().unwrap().to_owned())
        .collect();
    assert!(actions.iter().all(|a| a == "blocked"), "{ignoring}");
    let done = p1.try_sync(&[]);
    assert!(matches!(done.code(), Some(0 | 7)), "{done:?}");
    assert_eq!(lab.repo_tree().paths(), ["input/a", "input/big/b", "input/big/c"]);
    let done = p2.try_sync(&[]);
    assert!(matches!(done.code(), Some(0 | 7)), "{done:?}");
    assert_eq!(p2.tree().paths(), ["input/a", "input/big/b", "input/big/c"]);
    assert_eq!(p1.tree().paths(), ["input/a", "input/big/b", "input/big/c"]);
    // Only when somebody says so does it go from the repository, and still from no folder.
    for path in ["input/big/b", "input/big/c"] {
        p1.resolve(path, "--local");
    }
    p1.try_sync(&["--allow", "empty-root", "--allow", "mass-delete"]);
    assert_eq!(lab.repo_tree().paths(), ["input/a"]);
    assert_eq!(p1.tree().paths().len(), 3);
}

#[test]
fn narrower_data_dirs_delete_nothing() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "one"), ("output/b", "two")]);
    let config = p1.read(".dsgconfig.yml");
    p1.write(".dsgconfig.yml", config.replace("- output\n", ""));
    let done = p1.try_sync(&[]);
    assert!(matches!(done.code(), Some(0 | 7)), "{done:?}");
    p2.try_sync(&[]);
    for tree in [lab.repo_tree(), p1.tree(), p2.tree()] {
        assert_eq!(tree.paths(), ["input/a", "output/b"]);
    }
}

#[test]
fn an_emptied_data_folder_halts() {
    for empty in ["input", "output"] {
        let lab = lab();
        let (p1, _) = lab.pair(&[("input/a", "one"), ("output/b", "two"), ("output/c", "three")]);
        p1.remove(empty);
        if empty == "output" {
            std::fs::create_dir(p1.at(empty)).unwrap();
        }
        let (local, remote) = (p1.tree(), lab.repo_tree());
        let done = p1.try_sync(&[]).expect(4).failed("empty-root");
        assert!(
            done.json()["error"]["hint"].as_str().unwrap().contains("--allow empty-root"),
            "{done:?}"
        );
        assert_eq!((p1.tree(), lab.repo_tree()), (local, remote));
        p1.try_sync(&["--allow", "empty-root"]).ok();
        assert_eq!(lab.repo_tree(), p1.tree());
        assert_repository(&lab, &p1);
    }
}

#[test]
fn an_unmounted_data_folder_deletes_nothing() {
    let Some(disk) = Disk::new(Format::Ext4, 16) else { return };
    let lab = lab();
    let p1 = lab.checkout("p1");
    std::fs::create_dir_all(p1.at("input")).unwrap();
    p1.write("output/b", "two");
    let bind = |on: bool| {
        let mut command = Command::new(if on { "mount" } else { "umount" });
        if on {
            command.arg("--bind").arg(disk.path());
        }
        assert!(command.arg(p1.at("input")).status().unwrap().success());
    };
    bind(true);
    let undo = scopeguard(|| {
        let _ = Command::new("umount").arg("-q").arg(p1.at("input")).status();
    });
    p1.write("input/a", "one");
    p1.write("input/deep/c", "three");
    p1.init();
    // Staging and trash are on the same file system as what they replace.
    let p2 = lab.cloned("p2");
    p2.write("input/a", "changed there");
    p2.sync();
    p1.sync();
    assert_eq!(p1.read("input/a"), "changed there");

    bind(false);
    let remote = lab.repo_tree();
    let pending = p1.status();
    assert!(
        pending.changes.values().all(|c| c.1 != "delete_remote")
            || p1.try_sync(&[]).code() == Some(4),
        "{pending:#?}"
    );
    p1.write("output/b", "changed");
    let done = p1.try_sync(&[]);
    assert!(matches!(done.code(), Some(0 | 4 | 7)), "{done:?}");
    let now = lab.repo_tree();
    assert_eq!(now.paths(), remote.paths(), "{done:?}");
    // What comes must not be put where the disk is not.
    p2.write("input/a", "changed again");
    p2.write("input/new", "new");
    p2.try_sync(&[]);
    p1.try_sync(&[]);
    assert!(!p1.has("input/a"), "written beneath the mount point");
    bind(true);
    p1.sync();
    p1.assert_in_sync();
    assert_eq!(p1.read("input/a"), "changed again");
    bind(false);
    drop(undo);
}

/// Runs it when dropped, also when the test fails.
fn scopeguard<F: FnMut()>(run: F) -> impl Drop {
    struct Guard<F: FnMut()>(F);
    impl<F: FnMut()> Drop for Guard<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    Guard(run)
}

#[test]
fn deleting_most_files_halts_on_either_side() {
    let lab = lab();
    let files = many(30);
    let (p1, p2) = lab.pair(&borrowed(&files));
    for n in 0..25 {
        p1.remove(&format!("input/{n}"));
    }
    let remote = lab.repo_tree();
    p1.try_sync(&[]).expect(4).failed("mass-delete");
    assert_eq!(lab.repo_tree(), remote);
    p1.try_sync(&["--allow", "mass-delete"]).ok();
    assert_eq!(lab.repo_tree().paths().len(), 5);
    p2.try_sync(&[]).expect(4).failed("mass-delete");
    assert_eq!(p2.tree().paths().len(), 30);
    p2.try_sync(&["--allow", "mass-delete"]).ok();
    assert_eq!(p2.tree(), p1.tree());
    // Nothing is gone: it is in the trash, and in s1.
    assert_eq!(dsg_testkit::keeping::manifest(&p2, &["--snapshot", "s1"]).len(), 30);
}

#[test]
fn a_repository_restored_from_an_old_backup_halts() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "one"), ("input/b", "two")]);
    lab.backs_up();
    p1.write("input/a", "one, later");
    p1.write("input/new", "new");
    p1.sync();
    p2.sync();
    lab.restores();
    let local = p2.tree();
    p2.try_sync(&[]).expect(4).failed("rollback");
    assert_eq!(p2.tree(), local, "the old backup's content came here");
    assert_eq!(lab.there("input/new"), None);
    // The same history written anew is another one, though it has the same number.
    let p3 = lab.cloned("p3");
    p3.write("input/b", "two, elsewhere");
    p3.sync();
    p2.try_sync(&[]).expect(4).failed("rollback");
    let done = p2.try_sync(&["--allow", "rollback", "--except-conflicts"]);
    assert!(matches!(done.code(), Some(0 | 3)), "{done:?}");
    assert!(
        p2.read("input/a") == "one, later" && p2.read("input/new") == "new",
        "work was lost: {:?}",
        p2.tree()
    );
}

#[test]
fn another_repository_at_the_address_halts() {
    let lab = lab();
    let (p1, _) = lab.pair(&[("input/a", "one")]);
    lab.moves_elsewhere();
    let other = lab.checkout("other");
    other.write("input/x", "of another project");
    other.init();
    let (local, remote) = (p1.tree(), lab.repo_tree());
    p1.try_sync(&[]).expect(4).failed("repo-id");
    assert_eq!((p1.tree(), lab.repo_tree()), (local, remote));
}

#[test]
fn drift_halts_with_its_paths_and_can_be_adopted() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[
        ("input/a", "one"),
        ("input/b", "two"),
        ("input/gone there", "x"),
        ("input/deep/c", "c"),
    ]);
    drift(&lab);
    p2.write("input/b", "mine");
    let (local, remote) = (p2.tree(), lab.repo_tree());
    let done = p2.try_sync(&[]).expect(4).failed("drift");
    let mut paths = done.texts("paths");
    paths.sort();
    assert_eq!(paths, ["input/a", "input/from the host", "input/gone there"]);
    assert_eq!((p2.tree(), lab.repo_tree()), (local, remote));
    p2.try_sync(&["--allow", "drift"]).ok();
    p2.assert_in_sync();
    assert_eq!(p2.read("input/a"), "changed on the host");
    assert!(!p2.has("input/gone there"));
    let log = p2.dsg(&["log"]).ok().json();
    let authors: Vec<_> = log["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["author"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(authors[0], "p2@example.org");
    assert!(authors[1] != "p2@example.org" && authors.len() == 3, "{authors:?}");
    p1.sync();
    assert_eq!(p1.tree(), p2.tree());
    assert_repository(&lab, &p1);
}

#[test]
fn a_repository_folder_that_was_emptied_on_the_host_deletes_nothing_here() {
    let lab = lab();
    let (p1, _) = lab.pair(&[("input/a", "one"), ("input/b", "two")]);
    lab.on_host("rm input/a input/b");
    let local = p1.tree();
    p1.try_sync(&[]);
    assert_eq!(p1.tree(), local);
    p1.write("input/c", "new");
    let local = p1.tree();
    p1.try_sync(&[]).expect(4).failed("drift");
    assert_eq!(p1.tree(), local);
    lab.destroy();
    let done = p1.try_sync(&[]);
    assert!(done.code().is_some_and(|c| c != 0 && c != 101), "{done:?}");
    assert!(done.json()["error"]["message"].is_string());
    assert_eq!(p1.tree(), local);
}

#[test]
fn a_copied_project_is_a_project_of_its_own() {
    let lab = lab();
    let (p1, _) = lab.pair(&[("input/a", "one")]);
    p1.write("input/a", "changed");
    assert!(p1.with("DSG_CRASH_AT", "engine.published").try_sync(&[]).crashed());
    let copy = Checkout { dir: lab.path().join("copy"), ..p1.clone() };
    assert!(Command::new("cp").arg("-a").arg(&p1.dir).arg(&copy.dir).status().unwrap().success());
    let done = copy.dsg(&["status"]);
    assert!(done.code() == Some(0) || done.json()["error"]["message"].is_string(), "{done:?}");
    assert_eq!(copy.read("input/a"), "changed");
    p1.sync();
    p1.assert_in_sync();
}
