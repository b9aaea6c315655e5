//! A repository of the earlier DSG: recognised, looked at, adopted; and what must not be adopted.

use std::fs;
use std::path::Path;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::legacy::{Adoption, Oddity};
use dsg_core::monitor::Monitor;
use dsg_core::repository::Outcome as TransactionOutcome;
use dsg_core::snapshot::Legacy;
use dsg_host::tree::{self, Traced, TreeStore, Wish};
use dsg_testkit::legacy::{Archived, LegacyRepo};
use serde_json::json;

use crate::crashes::{TRANSACTION, decided, dies, opens_four_times, passes, walkdir};
use crate::fixture::*;

pub(crate) fn adopted(path: &Path, transaction: &str) -> Outcome<Adoption> {
    tree::adopt(path, &plain(transaction), &Monitor::silent())
}

fn plain(transaction: &str) -> Wish {
    Wish { authorship: authorship(transaction), dry_run: false, drift: false }
}

fn looked(path: &Path) -> Outcome<Adoption> {
    tree::adopt(path, &Wish { dry_run: true, ..plain(TRANSACTION) }, &Monitor::silent())
}

fn drifting(path: &Path) -> Outcome<Adoption> {
    tree::adopt(path, &Wish { drift: true, ..plain(TRANSACTION) }, &Monitor::silent())
}

/// Three snapshots: `a.csv` changed in s2 and s3, `b.csv` stayed, `old.csv` went in s3.
fn grown(repo: LegacyRepo) -> LegacyRepo {
    let mut repo = repo;
    repo.sync("ann@example.org", "first", &[("input/b.csv", "beta"), ("input/a.csv", "1")])
        .sync(
            "bob@example.org",
            "more",
            &[("input/b.csv", "beta"), ("input/a.csv", "22"), ("input/old.csv", "o")],
        )
        .sync(
            "ann@example.org",
            "été",
            &[("input/b.csv", "beta"), ("input/a.csv", "333"), ("input/l", "-> b.csv")],
        );
    repo
}

fn legacy() -> (Fixture, LegacyRepo) {
    let f = nothing();
    let repo = grown(LegacyRepo::new(&f.path));
    (f, repo)
}

fn now() -> Tree {
    tree([("input/a.csv", "333"), ("input/b.csv", "beta"), ("input/l", "-> b.csv")])
}

fn told(failure: &Failure) -> String {
    format!("{} {}", failure.message, failure.hint.as_deref().unwrap_or_default())
}

#[test]
fn its_history_becomes_ours_under_its_numbers() {
    let (f, repo) = legacy();
    let kept_there = read_tree(&f.path.join(".dsg"));
    let adoption = adopted(&f.path, TRANSACTION).unwrap();
    let header = adoption.adopted.unwrap();
    assert_eq!((header.id, adoption.snapshots, adoption.deviating), (id(4), 3, 0));
    assert_eq!((header.legacy, header.authorship.transaction.as_str()), (None, TRANSACTION));
    assert_eq!(f.is_consistent(), now());
    let store = f.open();
    let said: Vec<_> = store.headers(None, 9).unwrap();
    let said: Vec<_> = said
        .iter()
        .map(|h| (h.id, h.authorship.author.as_str(), h.authorship.message.as_str(), h.legacy))
        .collect();
    assert_eq!(
        said,
        [
            (id(4), "ana@example.org", "a story", None),
            (id(3), "ann@example.org", "été", Some(Legacy::Proven)),
            (id(2), "bob@example.org", "more", Some(Legacy::Proven)),
            (id(1), "ann@example.org", "first", Some(Legacy::Proven)),
        ]
    );
    // Nothing was moved or removed of what the earlier DSG kept.
    assert_eq!(read_tree(&repo.root().join(".dsg")), kept_there);
    // Who made the version that is there: its content has one name in all of the history.
    let mut versions = Vec::new();
    let paths = [path("input/a.csv"), path("input/b.csv")];
    store
        .trace(Traced::Paths(&paths), &mut |header, change| {
            versions.push((header.id, change.path.to_string()));
            Ok(true)
        })
        .unwrap();
    let a = |n| (id(n), "input/a.csv".to_owned());
    assert_eq!(versions, [a(3), a(2), a(1), (id(1), "input/b.csv".to_owned())]);
    assert!(
        manifest(&store, id(3))[&path("input/a.csv")]
            .same(&manifest(&store, id(4))[&path("input/a.csv")])
    );
    let old = manifest(&store, id(1))[&path("input/a.csv")].file().unwrap().hash;
    assert!(old.xxh3().is_some());
    assert_eq!(store.validate_chain(true, &Monitor::silent()).unwrap(), []);
    assert_eq!(store.outcome(TRANSACTION).unwrap(), Some(TransactionOutcome::Published(id(4))));
}

#[test]
fn what_it_kept_no_contents_of_is_said_to_be_gone() {
    let (f, _) = legacy();
    adopted(&f.path, TRANSACTION).unwrap();
    let store = f.open();
    assert_eq!(store.kept().unwrap(), [id(4)]);
    assert_eq!(fetch(&store, id(4), "input/a.csv"), "333");
    let failure = store.snapshot(id(2)).unwrap_err();
    assert_eq!(failure.code, Code::NotFound);
    assert!(told(&failure).contains("earlier DSG, which kept its list of files"), "{failure}");
    assert!(told(&failure).contains("from s4 on"), "{failure}");
    f.sync(wish().put("input/a.csv", "4444")).unwrap();
    assert_eq!(f.open().kept().unwrap(), [id(4), id(5)]);
    assert_eq!(f.is_consistent()["input/a.csv"], "4444");
    f.sync(wish().gone("input/l")).unwrap();
    f.is_consistent();
}

#[test]
fn every_way_in_which_it_was_written_is_read() {
    let kept = json!({
        "name": "survey", "data_dirs": ["input", "output"],
        "repository": {"type": "xfs", "host": "tank", "mountpoint": "/data"},
        "ignore": {"paths": [], "names": [".DS_Store"], "suffixes": [".tmp"]},
    });
    for (kind, make) in [
        ("gzip", (|r: LegacyRepo| r.archiving(Archived::Gzip)) as fn(LegacyRepo) -> LegacyRepo),
        ("escapes", LegacyRepo::escaping),
    ] {
        let f = nothing();
        let mut repo = make(LegacyRepo::new(&f.path)).with_config(kept.clone());
        repo.sync("ann", "one", &[("input/été.csv", "1")]).sync(
            "ann",
            "two",
            &[("input/été.csv", "2")],
        );
        let adoption = adopted(&f.path, TRANSACTION).unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert_eq!((adoption.deviating, adoption.name.as_str()), (0, "survey"), "{kind}");
        assert_eq!(f.open().head().unwrap().config.data_dirs.len(), 2);
        f.is_consistent();
    }
}

#[test]
fn a_look_shows_what_would_be_done_and_does_nothing() {
    let (f, _) = legacy();
    let before = walkdir(f.temp.path());
    let adoption = looked(&f.path).unwrap();
    assert_eq!(
        (adoption.adopted.is_none(), adoption.snapshots, adoption.totals.entries),
        (true, 3, 3)
    );
    assert_eq!(adoption.totals.bytes, 7);
    let history: Vec<_> =
        adoption.history.iter().map(|p| (p.id, p.totals.entries, p.list)).collect();
    assert_eq!(
        history,
        [(id(3), 3, Legacy::Proven), (id(2), 3, Legacy::Proven), (id(1), 2, Legacy::Proven)]
    );
    assert_eq!(walkdir(f.temp.path()), before);
}

#[test]
fn every_other_way_in_says_what_stands_there() {
    let (f, _) = legacy();
    let open = TreeStore::open(&f.path).err().unwrap();
    let create = TreeStore::create(&f.path, None).err().unwrap();
    for failure in [open, create] {
        assert_eq!(failure.code, Code::Legacy, "{failure}");
        assert!(
            failure.message.contains("earlier DSG: s3 by ann@example.org, 2024-03-01"),
            "{failure}"
        );
        assert!(told(&failure).contains("dsg adopt"), "{failure}");
    }
    let mut found = Vec::new();
    tree::repositories(Some(f.temp.path()), &Monitor::silent(), &mut |one| {
        found.push(one);
        Ok(())
    })
    .unwrap();
    let codes: Vec<_> = found.iter().filter_map(|f| Some(f.trouble.as_ref()?.kind())).collect();
    assert_eq!(codes, [Code::Legacy]);
    adopted(&f.path, TRANSACTION).unwrap();
    assert!(TreeStore::open(&f.path).is_ok());
    assert_eq!(adopted(&f.path, TRANSACTION).unwrap_err().code, Code::Exists);
}

#[test]
fn what_is_not_as_it_was_left_halts_and_is_told() {
    let (f, repo) = legacy();
    f.host_saves("input/b.csv", "BETA");
    f.host_saves("input/new.csv", "n");
    fs::remove_file(f.live("input/l")).unwrap();
    fs::remove_file(repo.own("archive/s1-sync.json.lz4")).unwrap();
    let before = walkdir(f.temp.path());
    let deviations = looked(&f.path).unwrap().deviations;
    let said: Vec<_> = deviations.iter().map(|d| (d.path.as_str(), &d.what)).collect();
    assert_eq!(
        said,
        [
            (".dsg/archive/s1-sync.json.lz4", &Oddity::NoList),
            ("input/b.csv", &Oddity::Changed),
            ("input/l", &Oddity::Missing),
            ("input/new.csv", &Oddity::Added),
        ]
    );
    let halt = adopted(&f.path, TRANSACTION).unwrap_err();
    assert_eq!((halt.code, halt.paths.len()), (Code::Drift, 4));
    assert!(told(&halt).contains("--allow drift"), "{halt}");
    // Nothing of ours is left behind, and nothing of theirs is another.
    assert_eq!(walkdir(f.temp.path()), before);
    let adoption = drifting(&f.path).unwrap();
    let header = adoption.adopted.unwrap();
    let delta = header.delta;
    assert_eq!((delta.added, delta.changed, delta.deleted), (1, 1, 1));
    assert_eq!(adoption.totals, header.totals);
    assert_eq!(
        f.is_consistent(),
        tree([("input/a.csv", "333"), ("input/b.csv", "BETA"), ("input/new.csv", "n")])
    );
    let lists: Vec<_> = f.open().headers(None, 9).unwrap().iter().map(|h| h.legacy).collect();
    // The list of s1 is gone, but not its sum: what follows is proved all the same.
    assert_eq!(lists, [None, Some(Legacy::Proven), Some(Legacy::Proven), Some(Legacy::Missing)]);
}

#[test]
fn a_list_that_was_altered_halts() {
    // Who made an entry, and why a snapshot was made.
    for (from, to) in [("ann@example.org", "eve@example.org"), ("\\u00e9t\\u00e9", "rien")] {
        let (f, repo) = legacy();
        let text = fs::read_to_string(repo.own("last-sync.json")).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(repo.own("last-sync.json"), text.replace(from, to)).unwrap();
        let found = looked(&f.path).unwrap();
        assert!(
            matches!(found.deviations[..], [ref one] if one.what == Oddity::Unproven),
            "{found:?}"
        );
        assert_eq!(found.history[0].list, Legacy::Unproven);
    }
    let (f, repo) = legacy();
    fs::write(repo.own("archive/s2-sync.json.lz4"), "no lz4").unwrap();
    let found = looked(&f.path).unwrap();
    assert!(
        matches!(found.deviations[..], [ref one] if matches!(one.what, Oddity::Unusable(_))),
        "{found:?}"
    );
    assert_eq!(adopted(&f.path, TRANSACTION).unwrap_err().code, Code::Drift);
}

#[test]
fn a_list_that_leads_out_of_the_repository_is_refused() {
    let (f, repo) = legacy();
    let text = fs::read_to_string(repo.own("last-sync.json")).unwrap();
    fs::write(repo.own("last-sync.json"), text.replace("input/a.csv", "../a.csv")).unwrap();
    let before = walkdir(f.temp.path());
    let failure = drifting(&f.path).unwrap_err();
    assert_eq!(failure.code, Code::RepositoryDamaged);
    assert!(
        failure.message.contains("last-sync.json") && failure.message.contains("\"../a.csv\""),
        "{failure}"
    );
    assert_eq!(walkdir(f.temp.path()), before);
}

#[test]
fn nobody_may_be_at_work_in_it() {
    let (f, repo) = legacy();
    let lock = json!({"user_id": "bob@example.org", "operation": "sync", "timestamp": "2024-03-02T10:00:00",
        "pid": 1, "hostname": "tank", "lock_id": "x"});
    fs::write(repo.own("sync.lock"), lock.to_string()).unwrap();
    for failure in [looked(&f.path).unwrap_err(), drifting(&f.path).unwrap_err()] {
        assert_eq!(failure.code, Code::Locked);
        assert!(
            failure.message.contains("a sync by bob@example.org on tank since 2024-03-02"),
            "{failure}"
        );
        assert!(told(&failure).contains("sync.lock"), "{failure}");
    }
    fs::remove_file(repo.own("sync.lock")).unwrap();
    // It was cut off: what it was about to make is told of already.
    fs::copy(repo.own("archive/s2-sync.json.lz4"), repo.own("archive/s4-sync.json.lz4")).unwrap();
    let halt = adopted(&f.path, TRANSACTION).unwrap_err();
    assert_eq!(halt.code, Code::Drift);
    assert!(
        matches!(&looked(&f.path).unwrap().deviations[0].what, Oddity::Unfinished(why) if why.contains("s4"))
    );
    assert!(drifting(&f.path).is_ok());
}

#[test]
fn a_working_folder_is_no_repository() {
    let (f, _) = legacy();
    fs::write(f.live(".dsgconfig.yml"), "name: p\n").unwrap();
    let failure = adopted(&f.path, TRANSACTION).unwrap_err();
    assert_eq!(failure.code, Code::NoRepository);
    assert!(told(&failure).contains("clone --attach"), "{failure}");
    assert_eq!(TreeStore::open(&f.path).err().unwrap().code, Code::NoRepository);
}

#[test]
fn names_that_cannot_be_tracked_are_told_and_left_alone() {
    let f = nothing();
    let mut repo = LegacyRepo::new(&f.path);
    repo.sync("ann", "one", &[("input/old:1", "x"), ("input/a:b", "1"), ("input/a", "a")]).sync(
        "ann",
        "two",
        &[("input/a:b", "1"), ("input/a", "a")],
    );
    let found = looked(&f.path).unwrap();
    assert_eq!((found.deviating, found.left_out), (1, 2));
    assert!(matches!(&found.deviations[0].what, Oddity::Untrackable(why) if why.contains("':'")));
    assert_eq!(adopted(&f.path, TRANSACTION).unwrap_err().code, Code::Drift);
    drifting(&f.path).unwrap();
    assert_eq!(manifest(&f.open(), id(3)).len(), 1);
    assert_eq!(fs::read_to_string(f.live("input/a:b")).unwrap(), "1");
    assert_eq!(f.drift(), [""; 0]);
}

#[test]
fn executables_were_so_all_along() {
    use std::os::unix::fs::PermissionsExt as _;
    let (f, _) = legacy();
    fs::set_permissions(f.live("input/b.csv"), fs::Permissions::from_mode(0o755)).unwrap();
    let adoption = adopted(&f.path, TRANSACTION).unwrap();
    assert_eq!(adoption.adopted.unwrap().delta.changed, 0);
    assert!(manifest(&f.open(), id(1))[&path("input/b.csv")].file().unwrap().exec);
    f.is_consistent();
}

#[test]
fn an_adoption_that_dies_anywhere_is_before_or_after() {
    let points = passes("legacy", || legacy().0);
    for point in [
        "host.init.facts",
        "host.legacy.recorded",
        "host.legacy.prepared",
        "host.journaled",
        "host.rolled.record",
    ] {
        assert!(points.contains(&point), "{point} was never passed: {points:?}");
    }
    for point in points {
        let (f, repo) = legacy();
        let theirs = read_tree(&f.path);
        assert!(dies(&f, "legacy", point));
        opens_four_times(&f);
        assert_eq!(read_tree(&f.path), theirs, "{point}");
        if decided(point) || point == "host.journaled" {
            assert_eq!(f.is_consistent(), now(), "{point}");
            assert_eq!(
                f.open().outcome(TRANSACTION).unwrap(),
                Some(TransactionOutcome::Published(id(4)))
            );
            assert_eq!(adopted(&f.path, &transaction()).unwrap_err().code, Code::Exists, "{point}");
        } else {
            assert_eq!(TreeStore::open(&f.path).err().unwrap().code, Code::Legacy, "{point}");
            adopted(&f.path, &transaction()).unwrap();
            assert_eq!(f.is_consistent(), now(), "{point}");
        }
        drop(repo);
        f.sync(wish().put("input/next", "1")).unwrap();
        f.is_consistent();
    }
}
