//! At every named point the process dies; whoever comes next finds before or after.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;
use dsg_core::repository::{Access, Outcome as TransactionOutcome};
use dsg_host::crash;
use dsg_host::tree::TreeStore;
use dsg_wire::delta::{Basis, Content};

use crate::fixture::*;

pub(crate) const TRANSACTION: &str = "01890000-0000-7000-8000-00000000abcd";

pub(crate) fn change() -> Wish {
    wish()
        .put("a", "alpha 2")
        .put("fresh/x", "x")
        .moved("dir/moved", "dir/b", "beta")
        .copy("copied", "dir/deep/c", "gamma")
        .gone("link")
}

pub(crate) fn after() -> Tree {
    tree([
        ("a", "alpha 2"),
        ("copied", "gamma"),
        ("dir/deep/c", "gamma"),
        ("dir/moved", "beta"),
        ("fresh/x", "x"),
    ])
}

/// Run in a process of its own by the tests below.
#[test]
fn victim() {
    let Ok(dir) = std::env::var("DSG_TEST_REPO") else { return };
    let path = Path::new(&dir);
    let go = |store: &TreeStore, base, wish: &Wish| {
        let staging = staged(store, base, TRANSACTION, wish).unwrap();
        staging.publish(&wish.publication(base, TRANSACTION), &Monitor::silent()).unwrap();
    };
    match &*std::env::var("DSG_TEST_SCENARIO").unwrap() {
        "init" => go(&TreeStore::create(path, None).unwrap(), None, &first()),
        "publish" => go(&TreeStore::open(path).unwrap(), Some(id(1)), &change()),
        "adopt" => {
            let store = TreeStore::open(path).unwrap();
            store.adopt_drift(authorship(TRANSACTION), &Monitor::silent()).unwrap();
        }
        "legacy" => drop(crate::legacy::adopted(path, TRANSACTION).unwrap()),
        "prestage" => TreeStore::open(path).unwrap().prestage(&Monitor::silent()).unwrap(),
        "prune" => drop(TreeStore::open(path).unwrap().prune(&[id(1)], true).unwrap()),
        "open" => drop(TreeStore::open(path).unwrap()),
        other => panic!("{other}"),
    }
}

/// Whether the process died at the point; `false`: it passed by and finished.
pub(crate) fn dies(f: &Fixture, scenario: &str, point: &str) -> bool {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::victim", "--nocapture"])
        .env("DSG_TEST_REPO", &f.path)
        .env("DSG_TEST_SCENARIO", scenario)
        .env("DSG_CRASH_AT", point)
        .output()
        .unwrap();
    let died = std::os::unix::process::ExitStatusExt::signal(&output.status).is_some();
    assert!(
        died || output.status.success(),
        "{point}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    died
}

/// The points that a scenario passes on a repository prepared like this.
pub(crate) fn passes(scenario: &str, prepare: impl Fn() -> Fixture) -> Vec<&'static str> {
    let f = prepare();
    let trace = f.temp.path().join("trace");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::victim", "--nocapture"])
        .env("DSG_TEST_REPO", &f.path)
        .env("DSG_TEST_SCENARIO", scenario)
        .env("DSG_TRACE_POINTS", &trace)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let trace = fs::read_to_string(trace).unwrap_or_default();
    crash::ALL.iter().map(|p| p.0).filter(|p| trace.lines().any(|l| l == *p)).collect()
}

/// What opening changes may be asked for again and again.
pub(crate) fn opens_four_times(f: &Fixture) {
    let state = || {
        let mut names: Vec<String> = walkdir(f.temp.path());
        names.sort();
        names
    };
    let _ = TreeStore::open(&f.path);
    let once = state();
    for _ in 0..3 {
        let _ = TreeStore::open(&f.path);
        assert_eq!(state(), once);
    }
}

pub(crate) fn walkdir(at: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(at).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.path().symlink_metadata().unwrap();
        found.push(format!("{} {} {}", entry.path().display(), meta.ino(), meta.len()));
        if meta.is_dir() {
            found.extend(walkdir(&entry.path()));
        }
    }
    found
}

pub(crate) fn decided(point: &str) -> bool {
    const UNDECIDED: [&str; 17] = [
        "host.init.sidecar",
        "host.init.facts",
        "host.begun",
        "host.staged",
        "host.locked",
        "host.prestage-taken",
        "host.built",
        "host.checked",
        "host.listed",
        "host.record-written",
        "host.copied",
        "host.applied",
        "host.tree-durable",
        "host.journaled",
        "host.adopt.prepared",
        "host.legacy.recorded",
        "host.legacy.prepared",
    ];
    !UNDECIDED.contains(&point)
}

fn publishes(prepare: impl Fn(&Fixture), required: &[&str]) {
    let prepared = || {
        let f = fixture();
        prepare(&f);
        f
    };
    let points = passes("publish", prepared);
    for point in required {
        assert!(points.contains(point), "{point} was never passed: {points:?}");
    }
    for point in points {
        let f = prepared();
        assert!(dies(&f, "publish", point));
        opens_four_times(&f);
        let told = f.open().outcome(TRANSACTION).unwrap();
        if decided(point) {
            assert_eq!(told, Some(TransactionOutcome::Published(id(2))), "{point}");
            assert_eq!(f.is_consistent(), after(), "{point}");
            assert_eq!(read_tree(&f.side("trees/s1")), first_tree(), "{point}");
        } else {
            assert_eq!(told, Some(TransactionOutcome::Aborted), "{point}");
            assert_eq!(f.is_consistent(), first_tree(), "{point}");
            f.sync(change()).unwrap();
            assert_eq!(f.is_consistent(), after(), "{point}");
        }
        f.sync(wish().put("next", "1")).unwrap();
        f.is_consistent();
    }
}

#[test]
fn a_publish_that_dies_anywhere_is_before_or_after() {
    publishes(
        |_| (),
        &["host.built", "host.applied", "host.journaled", "host.exchanged", "host.rolled.late"],
    );
}

#[test]
fn so_is_one_that_uses_a_prepared_tree() {
    publishes(Fixture::prestage, &["host.prestage-taken"]);
}

#[test]
fn so_is_one_by_two_renames() {
    publishes(
        |f| {
            let facts = fs::read_to_string(f.side("repository.json")).unwrap();
            let without = facts.replace("\"exchange\":true", "\"exchange\":false");
            fs::write(f.side("repository.json"), without).unwrap();
        },
        &["host.stepped-aside"],
    );
}

#[test]
fn recovery_itself_may_die_anywhere() {
    for first in ["host.exchanged", "host.rolled.record", "host.rolled.late", "host.rolled.stats"] {
        let interrupted = || {
            let f = fixture();
            assert!(dies(&f, "publish", first));
            f
        };
        for second in passes("open", interrupted) {
            let f = interrupted();
            assert!(dies(&f, "open", second));
            assert_eq!(f.is_consistent(), after(), "{first}, then {second}");
            assert_eq!(read_tree(&f.side("trees/s1")), first_tree());
        }
    }
}

#[test]
fn an_init_that_dies_anywhere_can_be_run_again() {
    let points = passes("init", nothing);
    for point in [
        "host.init.sidecar",
        "host.init.facts",
        "host.journaled",
        "host.exchanged",
        "host.rolled.facts",
    ] {
        assert!(points.contains(&point), "{point}");
    }
    for point in points {
        let f = nothing();
        assert!(dies(&f, "init", point));
        opens_four_times(&f);
        if decided(point) {
            assert_eq!(f.is_consistent(), first_tree(), "{point}");
            assert_eq!(TreeStore::create(&f.path, None).err().unwrap().code, Code::Exists);
        } else {
            assert_eq!(TreeStore::open(&f.path).err().unwrap().code, Code::NoRepository, "{point}");
            assert!(!f.path.exists(), "{point}");
            f.init(Access::Personal, first()).unwrap();
            assert_eq!(f.is_consistent(), first_tree());
        }
        f.sync(change()).unwrap();
        assert_eq!(f.is_consistent(), after());
    }
}

#[test]
fn an_adoption_that_dies_anywhere_adopts_or_does_not() {
    for prestaged in [false, true] {
        let drifted = || {
            let f = fixture();
            if prestaged {
                f.prestage();
            }
            f.host_saves("dir/b", "edited on the host");
            f
        };
        for point in passes("adopt", drifted) {
            let f = drifted();
            assert!(dies(&f, "adopt", point));
            opens_four_times(&f);
            let store = f.open();
            let expected = tree([
                ("a", "alpha"),
                ("dir/b", "edited on the host"),
                ("dir/deep/c", "gamma"),
                ("link", "-> dir/b"),
            ]);
            assert_eq!(f.on_disk(), expected, "{point}");
            // With the journal everything is prepared: from there it rolls forward.
            if store.head().unwrap().id == id(1) {
                assert_eq!(f.drift(), ["dir/b"], "{point}");
                store.adopt_drift(authorship(&transaction()), &Monitor::silent()).unwrap();
            }
            assert_eq!(f.drift(), [""; 0], "{point}");
            assert_eq!(f.on_disk(), expected);
            assert_eq!(store.validate_chain(true, &Monitor::silent()).unwrap(), []);
            f.sync(wish().put("next", "1")).unwrap();
            assert_eq!(f.drift(), [""; 0]);
        }
    }
}

#[test]
fn a_preparation_or_pruning_that_dies_does_no_harm() {
    let changed = || {
        let f = fixture();
        f.sync(change()).unwrap();
        f
    };
    for scenario in ["prestage", "prune"] {
        let points = passes(scenario, changed);
        assert!(!points.is_empty());
        for point in points {
            let f = changed();
            assert!(dies(&f, scenario, point));
            f.is_consistent();
            f.sync(wish().put("next", "1")).unwrap();
            f.is_consistent();
            f.prestage();
            f.sync(wish().put("next", "2")).unwrap();
            f.is_consistent();
        }
    }
}

#[test]
fn a_late_writer_loses_nothing() {
    // The process dies right after the exchange: the host writes before anybody recovers.
    let f = fixture();
    make_writable(&f.live("a"));
    let mut old = fs::OpenOptions::new().append(true).open(f.live("a")).unwrap();
    make_read_only(&f.live("a"));
    f.drift();
    assert!(dies(&f, "publish", "host.exchanged"));
    let former = f.side(&format!("staging/{TRANSACTION}/tree"));
    // In place, in a file that the publish replaced; and three new names in the former tree.
    std::io::Write::write_all(&mut old, b", late").unwrap();
    fs::write(former.join("dir/brand new"), "late 2").unwrap();
    fs::create_dir(former.join("dir/made")).unwrap();
    fs::write(former.join("dir/made/below"), "late 3").unwrap();
    fs::remove_file(former.join("dir/deep/c")).unwrap();
    fs::write(former.join("dir/deep/c"), "late 4").unwrap();

    let store = f.open();
    assert_eq!(store.head().unwrap().id, id(2));
    let mut expected = after();
    expected.extend(tree([
        ("a.late-s2", "alpha, late"),
        ("dir/brand new", "late 2"),
        ("dir/made/below", "late 3"),
        ("dir/deep/c.late-s2", "late 4"),
    ]));
    assert_eq!(f.on_disk(), expected);
    assert_eq!(f.drift(), ["a.late-s2", "dir/brand new", "dir/deep/c.late-s2", "dir/made/below"]);
    let halt = f.sync(wish().put("x", "1")).unwrap_err();
    assert_eq!(halt.code, Code::Drift);
    store.adopt_drift(authorship(&transaction()), &Monitor::silent()).unwrap();
    assert_eq!(f.drift(), [""; 0]);
    assert_eq!(f.on_disk(), expected);
}

#[test]
fn what_was_staged_before_the_death_need_not_come_again() {
    struct Never;
    impl dsg_host::tree::Supply for Never {
        fn open(&self, _: usize, _: Basis) -> dsg_core::failure::Outcome<Content<'_>> {
            panic!("the content is there already")
        }
    }
    for point in ["host.staged#2", "host.locked", "host.copied", "host.applied", "host.journaled"] {
        let f = fixture();
        assert!(dies(&f, "publish", point));
        let store = f.open();
        let tx = transaction();
        let staging = store.begin(Some(id(1)), &tx, "").unwrap();
        let (uploads, _) = change().uploads();
        assert!(staging.stage(&uploads, &Never, &Monitor::silent()).unwrap().is_empty());
        let publication = change().publication(Some(id(1)), &tx);
        staging.publish(&publication, &Monitor::silent()).unwrap();
        assert_eq!(f.is_consistent(), after(), "{point}");
    }
}

#[test]
fn trees_that_somebody_moved_are_not_touched() {
    let f = fixture();
    assert!(dies(&f, "publish", "host.exchanged"));
    fs::rename(&f.path, f.temp.path().join("elsewhere")).unwrap();
    fs::create_dir(&f.path).unwrap();
    let before = walkdir(f.temp.path()).len();
    let damaged = TreeStore::open(&f.path).err().unwrap();
    assert_eq!(damaged.code, Code::RepositoryDamaged);
    assert!(damaged.hint.is_some());
    assert_eq!(walkdir(f.temp.path()).len(), before);
    // Put back, it goes on.
    fs::remove_dir(&f.path).unwrap();
    fs::rename(f.temp.path().join("elsewhere"), &f.path).unwrap();
    assert_eq!(f.is_consistent(), after());
}
