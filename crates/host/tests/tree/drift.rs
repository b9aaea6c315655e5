use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use dsg_core::entry::Mtime;
use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;

use crate::fixture::*;

/// Runs a story on a repository with and without a tree prepared in advance.
fn both(story: impl Fn(&Fixture)) {
    for prestaged in [false, true] {
        let f = fixture();
        if prestaged {
            f.prestage();
        }
        story(&f);
    }
}

fn halts(f: &Fixture, paths: &[&str]) {
    let before = f.on_disk();
    let halt = f.sync(wish().put("unrelated", "1")).unwrap_err();
    assert_eq!(halt.code, Code::Drift, "{halt}");
    assert_eq!(halt.paths, paths);
    assert!(halt.hint.is_some());
    assert_eq!(f.on_disk(), before, "nothing was changed");
    assert_eq!(f.open().head().unwrap().id, id(1));
    assert_eq!(f.drift(), paths);
}

fn adopted(f: &Fixture) -> Tree {
    let on_disk = f.on_disk();
    let header = f.open().adopt_drift(authorship(&transaction()), &Monitor::silent()).unwrap();
    assert_eq!(header.id, id(2));
    assert_eq!(f.on_disk(), on_disk, "adoption leaves the files alone");
    let store = f.open();
    assert_eq!(f.drift(), [""; 0]);
    assert_eq!(store.validate_chain(true, &Monitor::silent()).unwrap(), []);
    for path in manifest(&store, id(2)).keys() {
        assert_eq!(store.validate_file(id(2), path).unwrap(), None, "{path}");
    }
    f.sync(wish().put("goes on", "1")).unwrap();
    on_disk
}

#[test]
fn an_edited_file_halts_and_can_be_adopted() {
    both(|f| {
        f.host_saves("dir/b", "edited on the host");
        halts(f, &["dir/b"]);
        assert_eq!(adopted(f)["dir/b"], "edited on the host");
    });
}

#[test]
fn with_a_prepared_tree_even_the_replaced_content_stays_in_the_history() {
    let f = fixture();
    f.prestage();
    f.host_saves("dir/b", "edited on the host");
    fs::remove_file(f.live("a")).unwrap();
    adopted(&f);
    let store = f.open();
    assert_eq!(
        (fetch(&store, id(1), "dir/b"), fetch(&store, id(1), "a")),
        ("beta".into(), "alpha".into())
    );
}

#[test]
fn added_removed_and_exchanged_kinds_halt() {
    both(|f| {
        f.host_saves("dir/new/file", "added");
        halts(f, &["dir/new/file"]);
        adopted(f);
    });
    both(|f| {
        fs::remove_file(f.live("a")).unwrap();
        halts(f, &["a"]);
        adopted(f);
    });
    both(|f| {
        fs::remove_dir_all(f.live("dir")).unwrap();
        halts(f, &["dir/b", "dir/deep/c"]);
        adopted(f);
    });
    both(|f| {
        fs::remove_file(f.live("a")).unwrap();
        fs::create_dir(f.live("a")).unwrap();
        fs::write(f.live("a/below"), "x").unwrap();
        halts(f, &["a", "a/below"]);
        adopted(f);
    });
    both(|f| {
        fs::remove_file(f.live("link")).unwrap();
        std::os::unix::fs::symlink("a", f.live("link")).unwrap();
        halts(f, &["link"]);
        adopted(f);
    });
    both(|f| {
        fs::set_permissions(f.live("a"), fs::Permissions::from_mode(0o755)).unwrap();
        halts(f, &["a"]);
        adopted(f);
    });
}

/// The worst there is: the same inode, size and modification time.
fn write_in_place_and_hide_it(f: &Fixture, name: &str, content: &str) {
    fs::set_permissions(f.live(name), fs::Permissions::from_mode(0o644)).unwrap();
    let mut file = fs::OpenOptions::new().write(true).open(f.live(name)).unwrap();
    file.write_all(content.as_bytes()).unwrap();
    drop(file);
    fs::set_permissions(f.live(name), fs::Permissions::from_mode(0o444)).unwrap();
    let dir = dsg_fs::dir::Dir::open(&f.path).unwrap();
    dir.set_times(name, Mtime(1_700_000_000_000_000_000)).unwrap();
}

#[test]
fn a_write_in_place_with_its_time_set_back_is_found_by_its_change_time() {
    both(|f| {
        write_in_place_and_hide_it(f, "a", "ALPHA");
        // The head's stats were recorded after the last link was made: change times count.
        assert!(!f.side("ctimes-void").exists());
        assert_eq!(f.drift(), ["a"]);
    });
}

#[test]
fn merely_touched_files_are_read_and_are_no_drift() {
    both(|f| {
        let dir = dsg_fs::dir::Dir::open(&f.path).unwrap();
        dir.set_times("a", Mtime(42)).unwrap();
        f.host_saves("dir/b", "beta");
        assert_eq!(f.drift(), [""; 0]);
        f.sync(wish().put("x", "1")).unwrap();
        f.is_consistent();
    });
}

#[test]
fn an_emptied_or_vanished_live_tree_is_drift_and_opening_adopts_nothing() {
    let f = fixture();
    fs::remove_dir_all(&f.path).unwrap();
    assert_eq!(f.open().head().unwrap().totals.entries, 4);
    let halt = f.sync(wish().put("x", "1")).unwrap_err();
    assert_eq!(halt.code, Code::Drift, "{halt}");
    fs::create_dir(&f.path).unwrap();
    let halt = f.sync(wish().put("x", "1")).unwrap_err();
    assert_eq!((halt.code, halt.paths.len()), (Code::Drift, 4));
    assert_eq!(f.open().head().unwrap().id, id(1));
}

#[test]
fn a_live_tree_restored_from_a_backup_is_no_drift() {
    let f = fixture();
    let backup = f.temp.path().join("backup");
    let status =
        std::process::Command::new("cp").arg("-a").args([&f.path, &backup]).status().unwrap();
    assert!(status.success());
    fs::remove_dir_all(&f.path).unwrap();
    fs::rename(&backup, &f.path).unwrap();
    assert_eq!(fetch(&f.open(), id(1), "a"), "alpha");
    f.sync(wish().put("x", "1")).unwrap();
    f.is_consistent();
}

#[test]
fn without_drift_there_is_nothing_to_adopt() {
    let f = fixture();
    let header = f.open().adopt_drift(authorship(&transaction()), &Monitor::silent()).unwrap();
    assert_eq!(header.id, id(1));
    f.is_consistent();
}

#[test]
fn lost_stats_are_rebuilt_by_reading_and_drift_is_still_found() {
    both(|f| {
        fs::remove_file(f.side("stats")).unwrap();
        assert_eq!(f.drift(), [""; 0]);
        write_in_place_and_hide_it(f, "a", "ALPHA");
        assert_eq!(f.drift(), ["a"]);
        write_in_place_and_hide_it(f, "a", "alpha");
        f.sync(wish().put("x", "1")).unwrap();
        f.is_consistent();
    });
}

#[test]
fn more_than_a_hundred_paths_are_counted_but_not_listed() {
    let f = fixture();
    for n in 0..150 {
        f.host_saves(&format!("many/{n:03}"), "x");
    }
    let halt = f.sync(wish().put("x", "1")).unwrap_err();
    assert!(halt.message.contains("150"), "{halt}");
    assert_eq!(halt.paths.len(), 100);
}
