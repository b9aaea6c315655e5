use std::io::{Seek as _, SeekFrom, Write as _};

use dsg_core::config::SharedConfig;
use dsg_core::entry::{Entry, FileEntry, Hash, LinkTarget, Mtime};
use dsg_core::failure::Code;
use dsg_core::manifest::Change;
use dsg_core::path::RepoPath;
use dsg_core::snapshot::SnapshotId;
use dsg_core::state::Local;
use dsg_fs::stat::{Kind, Stat};
use proptest::prelude::*;

use super::*;

fn path(text: &str) -> RepoPath {
    text.parse().unwrap()
}

fn file(content: &str) -> Entry {
    let size = content.len() as u64;
    Entry::File(FileEntry {
        size,
        mtime: Mtime(7),
        exec: false,
        hash: Hash::of(content.as_bytes()),
    })
}

fn seen(index: &Index) -> Seen {
    let dev = index.identity().0;
    let stat = Stat {
        kind: Kind::File,
        dev,
        mount: 0,
        ino: u64::MAX,
        size: 3,
        mtime: Mtime(-5),
        ctime: Mtime(i64::MAX),
        mode: 0o644,
        uid: 1000,
        nlink: 2,
    };
    Seen { stat, racy: true }
}

fn fresh() -> (tempfile::TempDir, Index) {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::create(&dir.path().join("state.db")).unwrap();
    (dir, index)
}

fn pending(index: &Index) -> Vec<String> {
    let mut paths = Vec::new();
    index
        .pending(&mut |row| {
            paths.push(String::from(row.path));
            Ok(())
        })
        .unwrap();
    paths
}

#[test]
fn a_file_on_its_way_from_new_to_synced_to_gone() {
    let (_dir, mut index) = fresh();
    let rules = SharedConfig::new("p");
    let (at, entry) = (path("input/a"), file("abc"));
    let look = seen(&index);
    index.batch(|b| b.set_local(&at, &Local::Present(entry.clone()), Some(&look))).unwrap();
    assert_eq!(pending(&index), ["input/a"]);
    let row = index.row(&at).unwrap().unwrap();
    assert_eq!(row.local, Local::Present(entry.clone()));
    assert_eq!(row.seen, Some(look));
    assert_eq!((row.cache, row.remote), (None, None));

    let s1 = SnapshotId::FIRST;
    index
        .batch(|b| {
            b.set_cache(&at, Some((&entry, s1)))?;
            b.set_remote(&at, Some(&entry), &rules)
        })
        .unwrap();
    assert!(pending(&index).is_empty(), "in sync costs nothing");
    let counts = index.counts().unwrap();
    assert_eq!(counts, Counts { cached: 1, local: 1, local_bytes: 3, remote: 1 });

    index.batch(|b| b.set_local(&at, &Local::Unknown("unreadable".into()), None)).unwrap();
    assert_eq!(index.row(&at).unwrap().unwrap().local, Local::Unknown("unreadable".into()));
    assert_eq!(pending(&index), ["input/a"]);
    assert!(index.batch(|b| b.revive(&at)).unwrap(), "its last look outlives not knowing");
    assert_eq!(index.row(&at).unwrap().unwrap().local, Local::Present(entry));

    index.batch(|b| b.set_local(&at, &Local::Absent, None)).unwrap();
    assert!(!index.batch(|b| b.revive(&at)).unwrap());
    index.batch(|b| b.set_remote(&at, None, &rules)).unwrap();
    assert_eq!(pending(&index), ["input/a"], "gone on both sides is still to be settled");
    index.batch(|b| b.set_cache(&at, None)).unwrap();
    assert_eq!(index.row(&at).unwrap(), None, "a row that says nothing goes");
}

#[test]
fn a_remote_file_that_the_rules_exclude_never_counts_as_deleted_here() {
    let (_dir, mut index) = fresh();
    let rules = SharedConfig::new("p");
    index
        .batch(|b| {
            b.set_remote(&path("input/a"), Some(&file("a")), &rules)?;
            b.set_remote(&path("elsewhere/a"), Some(&file("a")), &rules)
        })
        .unwrap();
    assert_eq!(index.row(&path("input/a")).unwrap().unwrap().local, Local::Absent);
    assert_eq!(index.row(&path("elsewhere/a")).unwrap().unwrap().local, Local::Excluded);
}

#[test]
fn work_that_fails_leaves_nothing() {
    let (_dir, mut index) = fresh();
    let result = index.batch(|b| {
        b.set_meta("address", Some("x"))?;
        b.set_device("input", 77)?;
        Err::<(), _>(Failure::cancelled())
    });
    assert_eq!(result.unwrap_err().code, Code::Cancelled);
    assert_eq!(index.meta("address").unwrap(), None);
    assert_eq!(index.devices().len(), 1);
    index.batch(|b| b.set_meta("address", Some("y"))).unwrap();
    assert_eq!(index.meta("address").unwrap().as_deref(), Some("y"));
}

#[test]
fn a_file_system_under_a_new_number_is_still_the_same_one() {
    let (dir, mut index) = fresh();
    let at = path("input/a");
    let mut look = seen(&index);
    look.stat.dev = 77;
    index
        .batch(|b| {
            b.set_device("input", 77)?;
            b.set_local(&at, &Local::Present(file("abc")), Some(&look))
        })
        .unwrap();
    drop(index);
    let mut index = Index::open(&dir.path().join("state.db")).unwrap();
    assert_eq!(index.row(&at).unwrap().unwrap().seen.unwrap().stat.dev, 77);
    index.batch(|b| b.set_device("input", 78)).unwrap();
    assert_eq!(index.row(&at).unwrap().unwrap().seen.unwrap().stat.dev, 78);
}

#[test]
fn rows_within_a_folder_are_its_own_and_in_order() {
    let (_dir, mut index) = fresh();
    let rules = SharedConfig::new("p");
    for text in ["input", "input/b", "input-x/a", "input/a/z", "input0", "x/input/a"] {
        index.batch(|b| b.set_remote(&path(text), Some(&file("a")), &rules)).unwrap();
    }
    let within = |dir: &str| {
        let mut paths = Vec::new();
        index
            .rows_within(dir, &mut |row| {
                paths.push(String::from(row.path));
                Ok(())
            })
            .unwrap();
        paths
    };
    assert_eq!(within("input"), ["input", "input/a/z", "input/b"]);
    assert_eq!(within("").len(), 6);
    assert!(index.is_shared("x").unwrap() && !index.is_shared("inpu").unwrap());
}

#[test]
fn a_caller_may_write_while_it_reads() {
    let (_dir, mut index) = fresh();
    let rules = SharedConfig::new("p");
    index
        .batch(|b| {
            (0..5000).try_for_each(|n| {
                b.set_remote(&path(&format!("input/{n:05}")), Some(&file("a")), &rules)
            })
        })
        .unwrap();
    assert_eq!(index.pending_count().unwrap(), 5000);
    let other = std::cell::RefCell::new(Index::open(index.path()).unwrap());
    let mut count = 0;
    index
        .pending(&mut |row| {
            count += 1;
            other.borrow_mut().batch(|b| b.set_remote(&row.path, None, &rules))
        })
        .unwrap();
    assert_eq!(count, 5000);
    assert!(pending(&index).is_empty());
}

#[test]
fn problems_and_resolutions_are_kept_and_forgotten() {
    let (_dir, mut index) = fresh();
    let problem = |path: &str| Problem {
        path: path.into(),
        kind: ProblemKind::Name,
        sentence: "no".into(),
        offer: Some("x".into()),
    };
    index
        .batch(|b| {
            b.add_problem(&problem("input/a?"), 1)?;
            b.add_problem(&problem("output/b?"), 1)?;
            b.set_resolution(&path("input/a"), Some("keep-local"))
        })
        .unwrap();
    assert_eq!(index.problems().unwrap(), [problem("input/a?"), problem("output/b?")]);
    index.batch(|b| b.forget_problems("input", 2)).unwrap();
    assert_eq!(index.problems().unwrap(), [problem("output/b?")]);
    assert_eq!(index.resolutions().unwrap(), [("input/a".to_owned(), "keep-local".to_owned())]);
    index
        .batch(|b| {
            b.clear_resolutions()?;
            b.set_meta("x", None)
        })
        .unwrap();
    assert!(index.resolutions().unwrap().is_empty());
}

#[test]
fn damage_is_named_and_never_replaced() {
    let (dir, mut index) = fresh();
    let rules = SharedConfig::new("p");
    index
        .batch(|b| {
            (0..500).try_for_each(|n| {
                b.set_remote(&path(&format!("input/{n:05}")), Some(&file("a")), &rules)
            })
        })
        .unwrap();
    drop(index);
    let db = dir.path().join("state.db");
    let whole = std::fs::read(&db).unwrap();
    let outcome = || {
        let index = Index::open(&db)?;
        index.rows_within("", &mut |_| Ok(()))
    };
    outcome().unwrap();
    let damaged = |what: &str| {
        let failure = outcome().unwrap_err();
        assert_eq!(failure.code, Code::StateDamaged, "{what}: {failure}");
        assert!(failure.message.contains("state.db") && failure.hint.is_some(), "{what}");
    };

    let mut out = std::fs::OpenOptions::new().write(true).open(&db).unwrap();
    out.seek(SeekFrom::Start(4096)).unwrap();
    out.write_all(&vec![0xFF; whole.len() - 4096]).unwrap();
    damaged("pages of nonsense");
    std::fs::write(&db, &whole[..4096]).unwrap();
    damaged("cut off");
    std::fs::write(&db, vec![0x20; 8192]).unwrap();
    damaged("not a database");
    std::fs::write(&db, b"").unwrap();
    damaged("empty");
    std::fs::remove_file(&db).unwrap();
    damaged("missing");
    assert!(!db.exists(), "a missing state is not made anew");
    std::fs::create_dir(&db).unwrap();
    damaged("a folder");
}

#[test]
fn rows_with_impossible_values_are_damage() {
    for sql in [
        "UPDATE entry SET path = '../x'",
        "UPDATE entry SET state = 9",
        "UPDATE entry SET r = x'00'",
        "UPDATE entry SET stat = x'00'",
        "UPDATE entry SET r = 'text'",
        "UPDATE entry SET c = r, c_mtime = 1, c_snapshot = 0",
    ] {
        let (_dir, mut index) = fresh();
        let rules = SharedConfig::new("p");
        index.batch(|b| b.set_remote(&path("input/a"), Some(&file("a")), &rules)).unwrap();
        index.connection().execute_batch(sql).unwrap();
        let outcome = index.rows_within("", &mut |_| Ok(()));
        let known = index.known_page("", None);
        let failed = [outcome.err(), known.err()].into_iter().flatten().next();
        assert_eq!(failed.map(|f| f.code), Some(Code::StateDamaged), "{sql}");
    }
}

#[test]
fn a_newer_program_s_state_and_a_foreign_database_are_refused() {
    let (_dir, index) = fresh();
    index.connection().pragma_update(None, "user_version", VERSION + 1).unwrap();
    assert_eq!(Index::open(index.path()).err().map(|f| f.code), Some(Code::NewerFormat));
    index.connection().pragma_update(None, "application_id", 1).unwrap();
    assert_eq!(Index::open(index.path()).err().map(|f| f.code), Some(Code::StateDamaged));
    assert_eq!(Index::create(index.path()).err().map(|f| f.code), Some(Code::Exists));
}

fn heads() -> impl Strategy<Value = std::collections::BTreeMap<String, u8>> {
    proptest::collection::btree_map("input/[a-d]{1,2}", 0..3_u8, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_whole_manifest_replaces_the_former_head(before in heads(), after in heads()) {
        let (_dir, mut index) = fresh();
        let rules = SharedConfig::new("p");
        for head in [&before, &after] {
            index.batch(|b| {
                let mut whole = b.replace_remote(&rules)?;
                for (p, n) in head {
                    whole.put(&Change { path: path(p), entry: Some(file(&n.to_string())) })?;
                }
                whole.finish()
            }).unwrap();
        }
        let mut found = std::collections::BTreeMap::new();
        index.rows_within("", &mut |row| {
            found.insert(String::from(row.path), row.remote);
            Ok(())
        }).unwrap();
        let expected = after.iter().map(|(p, n)| (p.clone(), Some(file(&n.to_string())))).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_row_reads_back_and_identity_is_sameness(
        a in ("[xyz]{0,2}", any::<bool>(), any::<i64>()),
        b in ("[xyz]{0,2}", any::<bool>(), any::<i64>()),
        link in proptest::option::of("[a-z]{1,5}"),
    ) {
        let at = path("input/a");
        let entry = |(content, exec, mtime): &(String, bool, i64)| Entry::File(FileEntry {
            size: content.len() as u64, mtime: Mtime(*mtime), exec: *exec, hash: Hash::of(content.as_bytes()),
        });
        let (a, b) = (entry(&a), link.map_or(entry(&b), |t| Entry::Link(LinkTarget::parse(&at, &t).unwrap())));
        prop_assert_eq!(row::identity(&a) == row::identity(&b), a.same(&b));
        for e in [a, b] {
            prop_assert_eq!(row::entry(&at, &row::identity(&e), row::mtime(&e)), Some(e));
        }
    }
}
