//! The way back: versions, comparisons, restores, undo, the trash.

use std::path::Path;

use dsg_core::failure::Code;
use dsg_core::path::RepoPath;
use dsg_core::snapshot::SnapshotId;

use super::*;
use crate::endpoint;
use crate::report::{Difference, DifferenceKind, RestoreReport};

fn sn(number: u64) -> SnapshotId {
    SnapshotId::new(number).unwrap()
}

fn silent() -> Monitor {
    Monitor::silent()
}

impl Desk {
    fn remove(&self, path: &str) {
        fs::remove_file(self.at(path)).unwrap();
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.at(path)).ok()
    }
}

fn sync(project: &mut Project) -> Option<SnapshotId> {
    project.sync(&SyncOptions::default(), &silent()).unwrap().snapshot
}

fn pending(project: &mut Project) -> Vec<(String, &'static str)> {
    let status = project.status(false, &silent()).unwrap();
    status.changes.into_iter().map(|c| (c.path, c.action)).collect()
}

/// s1: a, b, deep/c · s2: a changed, new added · s3: b deleted, deep/c moved to deep/d
fn history() -> (Desk, Project) {
    let (desk, mut project) = Desk::with(&["input/a", "input/b", "input/deep/c"]);
    desk.write("input/a", "second");
    desk.write("input/new", "new");
    assert_eq!(sync(&mut project), Some(sn(2)));
    desk.remove("input/b");
    fs::rename(desk.at("input/deep/c"), desk.at("input/deep/d")).unwrap();
    assert_eq!(sync(&mut project), Some(sn(3)));
    (desk, project)
}

#[test]
fn a_path_has_its_distinct_versions_deletions_included() {
    let (desk, mut project) = history();
    desk.write("input/b", "input/b");
    sync(&mut project);
    let versions = |path: &str| -> Vec<(u64, bool, u64)> {
        let found = project.versions(path).unwrap();
        let row = |v: &crate::report::PathVersion| {
            (v.header.id.number(), v.entry.is_some(), v.until.number())
        };
        found.iter().map(row).collect()
    };
    assert_eq!(versions("input/a"), [(2, true, 4), (1, true, 1)]);
    assert_eq!(versions("input/b"), [(4, true, 4), (3, false, 3), (1, true, 2)]);
    assert_eq!(versions("input/never"), []);
}

#[test]
fn content_that_returned_is_a_version_again() {
    let (desk, mut project) = Desk::with(&["input/a"]);
    for content in ["other", "input/a"] {
        desk.write("input/a", content);
        sync(&mut project);
    }
    let versions = project.versions("input/a").unwrap();
    let spans: Vec<_> = versions.iter().map(|v| (v.header.id, v.until)).collect();
    assert_eq!(spans, [(sn(3), sn(3)), (sn(2), sn(2)), (sn(1), sn(1))]);
}

#[test]
fn paths_are_found_in_all_snapshots() {
    let (_desk, project) = history();
    let endpoint = endpoint::open(project.address()).unwrap();
    let found = |text: &str, limit| -> Vec<(String, Option<u64>)> {
        let found = find_paths(&*endpoint, text, limit).unwrap();
        found.into_iter().map(|f| (f.path.to_string(), f.deleted.map(SnapshotId::number))).collect()
    };
    assert_eq!(found("INPUT/B", 10), [("input/b".to_owned(), Some(3))]);
    assert_eq!(
        found("deep", 10),
        [("input/deep/c".to_owned(), Some(3)), ("input/deep/d".to_owned(), None)]
    );
    assert_eq!(found("input", 2).len(), 2);
}

#[test]
fn who_made_a_path_is_told_from_the_newest_snapshot_on() {
    let (_desk, project) = history();
    let endpoint = endpoint::open(project.address()).unwrap();
    let paths: Vec<RepoPath> =
        ["input/a", "input/b", "input/deep/d"].map(|p| p.parse().unwrap()).into();
    let makers = makers(&*endpoint, &paths).unwrap();
    let numbers: Vec<u64> = makers.values().map(|header| header.id.number()).collect();
    assert_eq!(numbers, [2, 3, 3]);
}

#[test]
fn snapshots_are_compared_forwards_backwards_and_from_nothing() {
    use DifferenceKind::{Added, Changed, Deleted, Moved};
    let (desk, mut project) = history();
    let endpoint = endpoint::open(project.address()).unwrap();
    let told = |from: Option<u64>, to: u64| -> Vec<(String, DifferenceKind)> {
        let found = between(&*endpoint, from.map(sn), sn(to), &silent()).unwrap();
        found.into_iter().map(|d: Difference| (d.path, d.kind)).collect()
    };
    let of = |list: &[(&str, DifferenceKind)]| -> Vec<(String, DifferenceKind)> {
        list.iter().map(|(path, kind)| ((*path).to_owned(), *kind)).collect()
    };
    let forward =
        [("input/a", Changed), ("input/b", Deleted), ("input/deep/d", Moved), ("input/new", Added)];
    assert_eq!(told(Some(1), 3), of(&forward));
    let backward =
        [("input/a", Changed), ("input/b", Added), ("input/deep/c", Moved), ("input/new", Deleted)];
    assert_eq!(told(Some(3), 1), of(&backward));
    assert_eq!(told(None, 1).len(), 3);
    assert_eq!(told(Some(2), 2), []);
    assert!(
        between(&*endpoint, Some(sn(1)), sn(9), &silent()).is_err_and(|e| e.code == Code::NotFound)
    );

    desk.write("input/a", "third");
    let here = project.diff(Some(sn(2)), None, &silent()).unwrap();
    assert_eq!(here.len(), 3, "{here:?}");
}

#[test]
fn a_file_comes_back_as_a_pending_change_and_the_newer_one_is_in_the_trash() {
    let (desk, mut project) = history();
    let paths = ["input/a".to_owned(), "input/b".to_owned()];
    let report = project.restore(sn(1), &paths, false, &silent()).unwrap();
    assert_eq!((report.added, report.replaced, report.deleted), (1, 1, 0), "{report:?}");
    assert_eq!(desk.read("input/a").as_deref(), Some("input/a"));
    assert_eq!(desk.read("input/b").as_deref(), Some("input/b"));
    let expected = [("input/a".to_owned(), "upload"), ("input/b".to_owned(), "upload")];
    assert_eq!(pending(&mut project), expected);

    let trash = project.trash().unwrap();
    assert_eq!(trash.len(), 1);
    assert_eq!(
        (trash[0].path.as_str(), trash[0].reason.as_deref()),
        ("input/a", Some("restoring s1"))
    );
    assert_eq!(sync(&mut project), Some(sn(4)));
    assert_eq!(pending(&mut project), []);
}

#[test]
fn everything_comes_back_but_what_was_never_synced_stays() {
    let (desk, mut project) = history();
    desk.write("input/mine", "never synced");
    let report = project.restore(sn(1), &[], false, &silent()).unwrap();
    assert_eq!((report.added, report.replaced, report.deleted), (2, 1, 2), "{report:?}");
    assert_eq!(desk.read("input/mine").as_deref(), Some("never synced"));
    assert_eq!(desk.read("input/new"), None);
    assert_eq!(desk.read("input/deep/c").as_deref(), Some("input/deep/c"));
    sync(&mut project);
    let endpoint = endpoint::open(project.address()).unwrap();
    let from_first = between(&*endpoint, Some(sn(1)), sn(4), &silent()).unwrap();
    let paths: Vec<&str> = from_first.iter().map(|d| d.path.as_str()).collect();
    assert_eq!(paths, ["input/mine"]);
}

#[test]
fn a_dry_run_says_all_and_does_nothing() {
    let (desk, mut project) = history();
    let would = project.restore(sn(1), &[], true, &silent()).unwrap();
    assert_eq!((would.added, would.replaced, would.deleted), (2, 1, 2));
    assert_eq!(pending(&mut project), []);
    assert!(!desk.at(".dsg/trash").exists());
    let done = project.restore(sn(1), &[], false, &silent()).unwrap();
    assert_eq!(would, done);
}

#[test]
fn what_a_snapshot_has_not_is_said() {
    let (_desk, mut project) = history();
    let nowhere = project.restore(sn(1), &["input/nowhere".into()], false, &silent());
    assert!(
        nowhere.is_err_and(|e| e.code == Code::NotFound && e.message.contains("input/nowhere"))
    );
    assert!(project.restore(sn(9), &[], false, &silent()).is_err());
}

#[test]
fn content_that_was_changed_on_the_host_does_not_come_back() {
    let (desk, mut project) = history();
    let kept = desk.folder.path().join(".repo.dsg/trees/s1/input/b");
    fs::remove_file(&kept).unwrap();
    fs::write(&kept, "forged!").unwrap();
    let failure = project.restore(sn(1), &["input/b".into()], false, &silent()).unwrap_err();
    assert_eq!(failure.code, Code::HashMismatch);
    assert_eq!((desk.read("input/b"), pending(&mut project)), (None, Vec::new()));
}

#[test]
fn a_folder_elsewhere_gets_the_files_and_keeps_what_it_has() {
    let (desk, project) = history();
    let into = desk.folder.path().join("elsewhere/s1");
    fs::create_dir_all(into.join("input")).unwrap();
    fs::write(into.join("input/a"), "mine").unwrap();
    let fetch = |into: &Path| project.fetch(sn(1), &["input".into()], into, false, &silent());
    let report = fetch(&into).unwrap();
    assert_eq!((report.added, report.skipped.len()), (2, 1), "{report:?}");
    assert_eq!(fs::read_to_string(into.join("input/a")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(into.join("input/deep/c")).unwrap(), "input/deep/c");
    for wrong in ["p/input/old", "repo/old"] {
        let refused = fetch(&desk.folder.path().join(wrong));
        assert!(refused.is_err_and(|e| e.code == Code::Usage), "{wrong}");
    }
}

#[test]
fn a_change_is_taken_back_to_the_last_sync() {
    let (desk, mut project) = history();
    desk.write("input/a", "oops");
    desk.remove("input/new");
    desk.write("input/fresh", "fresh");
    let report: RestoreReport = project.revert(&["input".into()], &silent()).unwrap();
    assert_eq!((report.replaced, report.added, report.skipped.len()), (1, 1, 1), "{report:?}");
    assert_eq!(desk.read("input/a").as_deref(), Some("second"));
    assert_eq!(pending(&mut project), [("input/fresh".to_owned(), "upload")]);
}

#[test]
fn undoing_a_sync_brings_the_former_snapshot_back() {
    let (desk, mut project) = history();
    let undone = project.undo(sn(3), &silent()).unwrap();
    assert_eq!(undone.paths, ["input/b", "input/deep/c", "input/deep/d"]);
    assert_eq!(undone.kept, Vec::<String>::new());
    let options = SyncOptions { only: undone.paths, ..SyncOptions::default() };
    assert_eq!(project.sync(&options, &silent()).unwrap().snapshot, Some(sn(4)));
    let endpoint = endpoint::open(project.address()).unwrap();
    assert_eq!(between(&*endpoint, Some(sn(2)), sn(4), &silent()).unwrap(), []);
    assert_eq!(desk.read("input/b").as_deref(), Some("input/b"));
}

#[test]
fn undoing_leaves_what_colleagues_made_since() {
    let (desk, mut project) = Desk::with(&["input/a", "input/b", "input/c"]);
    desk.write("input/a", "mine");
    desk.write("input/b", "mine");
    assert_eq!(sync(&mut project), Some(sn(2)));
    let theirs = desk.folder.path().join("q");
    let mut colleague = Project::clone_from(project.address(), &theirs, &silent()).unwrap().0;
    fs::write(theirs.join("input/b"), "theirs").unwrap();
    fs::write(theirs.join("input/c"), "theirs").unwrap();
    assert_eq!(sync(&mut colleague), Some(sn(3)));
    let nothing_of_theirs = colleague.undoable().unwrap().map(|header| header.id);
    assert_eq!(nothing_of_theirs, Some(sn(3)));

    assert_eq!(project.undoable().unwrap().map(|header| header.id), Some(sn(2)));
    let undone = project.undo(sn(2), &silent()).unwrap();
    assert_eq!((undone.paths, undone.kept), (vec!["input/a".into()], vec!["input/b".into()]));
    assert_eq!(sync(&mut project), Some(sn(4)));
    let here = ["input/a", "input/b", "input/c"].map(|path| desk.read(path).unwrap());
    assert_eq!(here, ["input/a", "theirs", "theirs"]);
    // What they changed wholly is theirs; what was undone is undone.
    assert!(colleague.sync(&SyncOptions::default(), &silent()).is_ok());
    let all_theirs = colleague.undo(sn(2), &silent()).unwrap_err();
    assert!(all_theirs.message.contains("changed again by later snapshots"), "{all_theirs}");
}

#[test]
fn what_was_published_last_can_be_undone_by_whoever_opens_the_folder_next() {
    let (desk, project) = history();
    drop(project);
    let project = Project::open(&desk.folder.path().join("p"), &silent()).unwrap();
    assert_eq!(project.undoable().unwrap().map(|header| header.id), Some(sn(3)));
    let (_desk, fresh) = Desk::with(&["input/a"]);
    assert_eq!(fresh.undoable().unwrap(), None, "before s1 there is nothing");
}

#[test]
fn undo_refuses_where_pending_changes_would_go_with_it() {
    let (desk, mut project) = history();
    desk.write("input/b", "again");
    let refused = project.undo(sn(3), &silent()).unwrap_err();
    assert!(refused.message.contains("input/b"), "{refused}");
    assert_eq!(desk.read("input/deep/d").as_deref(), Some("input/deep/c"));
}

#[test]
fn the_trash_gives_back_and_is_emptied() {
    let (desk, mut project) = history();
    project.restore(sn(1), &[], false, &silent()).unwrap();
    let trash = project.trash().unwrap();
    let paths: Vec<(&str, bool)> = trash.iter().map(|t| (t.path.as_str(), t.taken)).collect();
    assert_eq!(paths, [("input/a", true), ("input/deep/d", false), ("input/new", false)]);
    let item = |path: &str| trash.iter().find(|t| t.path == path).unwrap().item.clone();
    assert_eq!(project.restore_from_trash(&item("input/new")).unwrap(), "input/new");
    assert_eq!(desk.read("input/new").as_deref(), Some("new"));
    assert_eq!(project.restore_from_trash(&item("input/a")).unwrap(), "input/a (restored)");
    assert_eq!(desk.read("input/a (restored)").as_deref(), Some("second"));
    assert!(project.restore_from_trash(&item("input/a")).is_err_and(|e| e.code == Code::NotFound));
    for foreign in
        ["input/a", ".dsg/state.db", ".dsg/trash/../state.db", "/etc/hostname", ".dsg/trash"]
    {
        assert!(project.restore_from_trash(foreign).is_err(), "{foreign}");
    }

    let hour_ago = jiff::Timestamp::now() - std::time::Duration::from_secs(3600);
    assert_eq!(project.empty_trash(Some(hour_ago), false).unwrap().files, 0);
    assert_eq!(project.empty_trash(None, true).unwrap().files, 1);
    assert_eq!(project.empty_trash(None, false).unwrap().files, 1);
    assert_eq!(project.trash().unwrap(), []);
}

#[test]
fn a_rule_more_leaves_paths_alone_and_asks_about_those_that_are_shared() {
    let (desk, mut project) = history();
    desk.write("input/x.bak", "x");
    assert!(project.ignore(&IgnoreRule::Suffix(".bak".into()), &silent()).unwrap());
    assert!(!project.ignore(&IgnoreRule::Suffix(".bak".into()), &silent()).unwrap());
    assert_eq!(pending(&mut project), []);
    assert!(project.ignore(&IgnoreRule::Path("../x".into()), &silent()).is_err());
    assert!(project.ignore(&IgnoreRule::Path("input/a".into()), &silent()).unwrap());
    let status = project.status(false, &silent()).unwrap();
    assert_eq!((status.changes.len(), status.changes[0].decidable), (1, true), "{status:?}");
    assert_eq!(desk.read("input/a").as_deref(), Some("second"));

    assert!(project.heed(&IgnoreRule::Path("input/a".into()), &silent()).unwrap());
    assert_eq!(pending(&mut project), [], "the rule is taken back");
    assert!(!project.heed(&IgnoreRule::Path("input/a".into()), &silent()).unwrap());
    assert!(project.heed(&IgnoreRule::Suffix(".bak".into()), &silent()).unwrap());
    assert_eq!(pending(&mut project), [("input/x.bak".to_owned(), "upload")]);
}

#[test]
fn what_is_no_longer_tracked_and_kept_there_can_be_taken_back_until_the_sync() {
    let (desk, mut project) = history();
    let path = ["input/a".to_owned()];
    project.ignore(&IgnoreRule::Path(path[0].clone()), &silent()).unwrap();
    sync(&mut project);
    project.resolve(&path, Some(Resolution::Remote), &silent()).unwrap();
    let shown = project.status(false, &silent()).unwrap().changes;
    let told: Vec<_> = shown.iter().map(|c| (c.action, c.resolution, c.decidable)).collect();
    assert_eq!(told, [("cache", Some(Resolution::Remote), true)]);
    project.resolve(&path, None, &silent()).unwrap();
    assert_eq!(pending(&mut project), [("input/a".to_owned(), "blocked")]);

    project.resolve(&path, Some(Resolution::Remote), &silent()).unwrap();
    assert_eq!(sync(&mut project), None, "the repository hears nothing of it");
    assert_eq!(pending(&mut project), []);
    let endpoint = endpoint::open(project.address()).unwrap();
    assert_eq!(versions(&*endpoint, &path[0].parse().unwrap()).unwrap().len(), 2);
    assert_eq!(desk.read("input/a").as_deref(), Some("second"));
    // It is as any path that is not tracked: edited here, it stays here.
    desk.write("input/a", "only here");
    assert_eq!(pending(&mut project), []);
}
