//! Every file of the sidecar, removed, emptied, cut, altered, or of a newer program.

use std::fs;
use std::path::Path;

use dsg_core::failure::{Code, Outcome};
use dsg_core::monitor::Monitor;
use dsg_host::tree::TreeStore;

use crate::fixture::*;

type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 5] = [
    ("removed", |p| fs::remove_file(p).unwrap()),
    ("emptied", |p| fs::write(p, "").unwrap()),
    ("cut", |p| {
        let bytes = fs::read(p).unwrap();
        fs::write(p, &bytes[..bytes.len() / 2]).unwrap();
    }),
    ("altered", |p| {
        let mut bytes = fs::read(p).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(p, bytes).unwrap();
    }),
    ("garbage", |p| fs::write(p, [0xff; 100]).unwrap()),
];

fn three_snapshots() -> Fixture {
    let f = fixture();
    f.sync(wish().put("a", "2")).unwrap();
    f.sync(wish().put("b", "3")).unwrap();
    f.prestage();
    f
}

fn everything(f: &Fixture) -> Outcome<()> {
    let store = TreeStore::open(&f.path)?;
    store.head()?;
    store.changes_since(None, &mut |_| Ok(()))?;
    store.changes_since(Some(id(1)), &mut |_| Ok(()))?;
    store.check_drift(&Monitor::silent())?;
    let faults = store.validate_chain(true, &Monitor::silent())?;
    match faults.first() {
        Some(fault) => {
            Err(dsg_core::failure::Failure::new(Code::RepositoryDamaged, &*fault.what).hint(""))
        }
        None => Ok(()),
    }
}

#[test]
fn caches_are_rebuilt_whatever_happened_to_them() {
    for cache in ["manifest", "stats", "root.json", "prestage/ready.json"] {
        for (what, damage) in DAMAGES {
            let f = three_snapshots();
            damage(&f.side(cache));
            // The root's record is small and of our own making: damage of it is told, not guessed.
            if cache == "root.json" && what != "removed" {
                continue;
            }
            everything(&f).unwrap_or_else(|e| panic!("{cache} {what}: {e}"));
            f.sync(wish().put("x", "1")).unwrap_or_else(|e| panic!("{cache} {what}: {e}"));
            f.is_consistent();
        }
    }
}

#[test]
fn damaged_records_are_named_and_nothing_is_changed() {
    for (file, name) in [
        ("repository.json", "repository.json"),
        ("snapshots/s1.jsonl", "s1"),
        ("snapshots/s2.jsonl", "s2"),
        ("snapshots/s3.jsonl", "s3"),
    ] {
        for (what, damage) in DAMAGES {
            if what == "removed" && file != "snapshots/s1.jsonl" && file != "snapshots/s2.jsonl" {
                continue;
            }
            let f = three_snapshots();
            let before = f.on_disk();
            damage(&f.side(file));
            let damaged = everything(&f).expect_err(&format!("{file} {what} was not noticed"));
            assert_eq!(damaged.code, Code::RepositoryDamaged, "{file} {what}: {damaged}");
            // An altered id is legal: then the records are those of "another repository".
            let named = what == "altered" && name == "repository.json";
            assert!(named || damaged.message.contains(name), "{file} {what}: {damaged}");
            assert_eq!(f.on_disk(), before);
        }
    }
}

#[test]
fn a_delta_that_was_forged_in_legal_form_is_noticed_by_whoever_reads_it() {
    let f = three_snapshots();
    let record = f.side("snapshots/s2.jsonl");
    let text = fs::read_to_string(&record).unwrap();
    let (header, delta) = text.split_once('\n').unwrap();
    let forged = delta.replace("\"size\":1", "\"size\":2");
    assert_ne!(forged, delta);
    fs::write(&record, format!("{header}\n{forged}")).unwrap();
    let store = f.open();
    for told in [
        store.changes_since(Some(id(1)), &mut |_| Ok(())),
        store.delta(id(2), &mut |_| Ok(())),
        store.manifest_at(id(2), &mut |_| Ok(())),
    ] {
        let damaged = told.unwrap_err();
        assert_eq!(damaged.code, Code::RepositoryDamaged);
        assert!(damaged.message.contains("s2"), "{damaged}");
    }
    assert!(!store.validate_chain(true, &Monitor::silent()).unwrap().is_empty());
}

#[test]
fn a_damaged_journal_halts_and_touches_nothing() {
    for (what, damage) in DAMAGES {
        if what == "removed" {
            continue;
        }
        let f = fixture();
        let text = "{\"transaction\":\"01890000-0000-7000-8000-00000000abcd\",\"snapshot\":\"s2\",\"swap\":\"exchange\",\"old\":1,\"new\":2}";
        fs::write(f.side("journal.json"), text).unwrap();
        damage(&f.side("journal.json"));
        let damaged = TreeStore::open(&f.path).err().unwrap();
        assert_eq!(damaged.code, Code::RepositoryDamaged, "{what}: {damaged}");
        assert_eq!(f.on_disk(), first_tree());
    }
    let f = fixture();
    let escape = "{\"transaction\":\"../../x\",\"snapshot\":\"s2\",\"swap\":\"exchange\",\"old\":1,\"new\":2}";
    fs::write(f.side("journal.json"), escape).unwrap();
    assert_eq!(TreeStore::open(&f.path).err().unwrap().code, Code::RepositoryDamaged);
}

#[test]
fn a_newer_format_is_told_apart_from_damage() {
    for file in ["repository.json", "snapshots/s3.jsonl"] {
        let f = three_snapshots();
        let text = fs::read_to_string(f.side(file)).unwrap();
        fs::write(f.side(file), text.replacen("\"format\":1", "\"format\":3,\"novel\":[]", 1))
            .unwrap();
        assert_eq!(everything(&f).unwrap_err().code, Code::NewerFormat, "{file}");
    }
}

#[test]
fn a_record_of_another_repository_is_not_taken() {
    let (f, other) = (three_snapshots(), three_snapshots());
    fs::copy(other.side("snapshots/s3.jsonl"), f.side("snapshots/s3.jsonl")).unwrap();
    assert_eq!(everything(&f).unwrap_err().code, Code::RepositoryDamaged);
}

#[test]
fn a_damaged_file_in_a_former_tree_is_found_by_its_hash() {
    let f = three_snapshots();
    let store = f.open();
    let file = f.side("trees/s1/a");
    make_writable(&file);
    fs::write(&file, "alphA").unwrap();
    let fault = store.validate_file(id(1), &path("a")).unwrap().unwrap();
    assert!(fault.what.contains("SHA-256"), "{fault:?}");
    fs::remove_file(&file).unwrap();
    assert!(store.validate_file(id(1), &path("a")).unwrap().unwrap().what.contains("missing"));
    assert_eq!(store.validate_file(id(1), &path("zzz")).unwrap_err().code, Code::NotFound);
}
