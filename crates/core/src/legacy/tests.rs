use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::config::SharedConfig;
use crate::entry::{Entry, Hash};
use crate::path::RepoPath;

fn file(path: &str, content: &str) -> (String, Value) {
    let hash = format!("{:016x}", xxh3_64(content.as_bytes()));
    let entry = json!({
        "type": "file", "path": path, "user": "ann", "filesize": content.len(),
        "mtime": "2024-03-01T00:00:00-08:00", "hash": hash,
    });
    (path.to_owned(), entry)
}

/// A list whose sums are right, of entries in this order.
fn list(id: &str, before: &str, message: &str, entries: &[(String, Value)]) -> Value {
    let text: String = entries.iter().map(|(_, entry)| entry.to_string()).collect();
    let entries_hash = format!("{:016x}", xxh3_64(text.as_bytes()));
    let sum = xxh3_64(format!("{entries_hash}{message}{before}").as_bytes());
    let entries: Map<String, Value> = entries.iter().cloned().collect();
    json!({
        "entries": entries,
        "metadata": {
            "snapshot_id": id, "created_at": "2024-03-01T10:00:00-08:00", "created_by": "ann@example.org",
            "snapshot_message": message, "entry_count": entries.len(), "entries_hash": entries_hash,
            "snapshot_hash": format!("{sum:016x}"), "project_config": null,
        },
    })
}

fn read(value: &Value) -> Result<List, ListError> {
    List::read(value.to_string().as_bytes())
}

fn path(text: &str) -> RepoPath {
    text.parse().unwrap()
}

#[test]
fn a_list_proves_itself_by_its_own_sums() {
    let whole = list("s2", "00ff", "more", &[file("input/b", "beta"), file("input/a", "alpha")]);
    let read = read(&whole).unwrap();
    assert_eq!(read.metadata.id().unwrap().number(), 2);
    let sum = xxh3_64(b"beta");
    let listed = &read.entries[&path("input/b")];
    assert!(matches!(listed, Listed::File { size: 4, sum: found, .. } if *found == sum));
    assert_eq!(read.metadata.time().unwrap().to_string(), "2024-03-01T18:00:00Z");
    assert_eq!(read.proof(Some("00ff")), Legacy::Proven);
    // It follows from one snapshot only.
    assert_eq!(read.proof(Some("00fe")), Legacy::Unproven);
    assert_eq!(read.proof(None), Legacy::Unproven);
    for (place, value) in [
        ("/entries/input~1a/filesize", json!(6)),
        ("/entries/input~1a/user", json!("eve")),
        ("/metadata/snapshot_message", json!("less")),
        ("/metadata/entries_hash", json!("0000000000000000")),
        ("/metadata/snapshot_hash", json!("0000000000000000")),
        ("/metadata/snapshot_hash", Value::Null),
        ("/metadata/entry_count", json!(3)),
    ] {
        let mut forged = whole.clone();
        *forged.pointer_mut(place).unwrap() = value;
        assert_eq!(
            super::tests::read(&forged).unwrap().proof(Some("00ff")),
            Legacy::Unproven,
            "{place}"
        );
    }
}

#[test]
fn what_a_hostile_list_says_is_refused_and_why() {
    let fine = file("input/a", "alpha");
    let with = |key: &str, value: Value| {
        let (path, mut entry) = fine.clone();
        entry[key] = value;
        list("s1", "", "", &[(path, entry)])
    };
    let named = |path: &str| list("s1", "", "", &[file(path, "x")]);
    for (value, why) in [
        (named("../x"), "\"..\""),
        (named("/etc/passwd"), "absolute"),
        (named("input//a"), "component \"\""),
        (named(""), "empty"),
        (named("c:/x"), "absolute"),
        (with("path", json!("input/b")), "another path"),
        (with("type", json!("device")), "neither a file nor a link"),
        (with("filesize", json!(-1)), "size is no number"),
        (with("filesize", json!(1e300)), "size is no number"),
        (with("mtime", json!("yesterday")), "mtime is no time"),
        (with("hash", json!("xyz")), "hash is no xxh3-64"),
        (with("hash", json!("00000000000000001")), "hash is no xxh3-64"),
        (list("s0", "", "", &[]), "which is no snapshot"),
        (list("s99999999999", "", "", &[]), "which is no snapshot"),
        (list("s1", "", "", &[file("a", "1"), file("a/b", "2")]), "lies in what is no folder"),
        (json!({"entries": {}}), "no metadata"),
        (json!({"metadata": {}}), "no entries"),
        (json!([1]), "entries and metadata"),
    ] {
        let told = read(&value).unwrap_err().to_string();
        assert!(told.contains(why), "{told} lacks {why}");
    }
    let entry = fine.1.to_string();
    for (text, why) in [
        (
            format!(
                "{{\"entries\":{{\"input/a\":{entry},\"input/a\":{entry}}},\"metadata\":{{}}}}"
            ),
            "stands twice",
        ),
        (
            "{\"entries\":{\"a\":{\"type\":\"file\",\"type\":\"file\"}},\"metadata\":{}}".into(),
            "stands twice",
        ),
        ("{\"entries\":{},\"entries\":{},\"metadata\":{}}".into(), "stands twice"),
        ("{\"entries\":{},\"metadata\":{\"snapshot_id\":\"s1\"}} x".into(), "trailing"),
        ("{\"entries\":{".into(), "EOF"),
    ] {
        let told = List::read(text.as_bytes()).unwrap_err().to_string();
        assert!(told.contains(why), "{told} lacks {why}");
    }
}

#[test]
fn what_has_no_end_is_not_read_to_its_end() {
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 += buffer.len() as u64;
            buffer.fill(b'a');
            Ok(buffer.len())
        }
    }
    for begin in [
        "{\"entries\":{\"",
        "{\"entries\":{},\"metadata\":{\"snapshot_message\":\"",
        "{\"entries\":{\"a\":{\"x\":\"",
        "{\"",
    ] {
        let mut rest = Endless(0);
        let told = List::read(begin.as_bytes().chain(&mut rest)).unwrap_err().to_string();
        assert!(told.contains("too long"), "{told}");
        assert!(rest.0 < 4 * 1024 * 1024, "{} bytes were read", rest.0);
    }
}

#[test]
fn names_that_no_list_of_ours_holds_are_set_aside() {
    let link = json!({"type": "link", "path": "input/l", "user": "ann", "reference": "../../etc"});
    let whole = list(
        "s1",
        "",
        "",
        &[file("input/a:b", "1"), ("input/l".into(), link), file("input/c", "2")],
    );
    let read = read(&whole).unwrap();
    assert_eq!(read.entries.keys().map(RepoPath::as_str).collect::<Vec<_>>(), ["input/c"]);
    let names: Vec<_> = read.untrackable.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["input/a:b", "input/l"]);
    // They count in its sums all the same.
    assert_eq!(read.proof(None), Legacy::Proven);
}

#[test]
fn messages_are_read_in_both_forms() {
    let new = json!({"metadata_version": "0.1.0", "snapshots": {"s1": {"created_by": "ann"}, "latest": {}}});
    let old = json!({"messages": [{"snapshot_id": "s1", "created_by": "ann"}]});
    for value in [new, old] {
        let Messages(said) = Messages::read(value.to_string().as_bytes()).unwrap();
        assert_eq!(said.len(), 1);
        assert_eq!(said[&SnapshotId::FIRST].created_by.as_deref(), Some("ann"));
    }
    assert!(Messages::read(&b"[1]"[..]).is_err());
}

fn adopter() -> Adopter {
    Adopter {
        repository: "01890000-0000-7000-8000-000000000000".into(),
        transaction: "01890000-0000-7000-8000-000000000001".into(),
        config: SharedConfig::new("p"),
    }
}

#[test]
fn lists_become_snapshots_under_their_numbers() {
    let first =
        read(&list("s1", "", "one", &[file("input/a", "old"), file("input/b", "beta")])).unwrap();
    let third = read(&list("s3", "x", "three", &[file("input/a", "new"), file("input/c", "beta")]))
        .unwrap();
    let mut contents = Contents::default();
    contents.know(xxh3_64(b"new"), 3, Hash::of(b"new"));
    contents.know(xxh3_64(b"beta"), 4, Hash::of(b"beta"));
    contents.executable(path("input/a"));
    let mut tree = BTreeMap::new();
    let adopter = adopter();
    let turn = |tree: &mut Tree, before: Option<&SnapshotHeader>, list: Option<(&List, Legacy)>| {
        let metadata = list.map(|(list, _)| &list.metadata);
        adopter.turn(tree, before, metadata, list.map(|(l, state)| (&l.entries, state)), &contents)
    };
    let s1 = turn(&mut tree, None, Some((&first, Legacy::Proven)));
    assert_eq!((s1.header.id.number(), s1.header.delta.added), (1, 2));
    assert_eq!(s1.header.authorship.author, "ann@example.org");
    // What it was then is gone: only its sum is known. What is still there has its true name.
    let hash = |tree: &Tree, at: &str| *tree[&path(at)].file().map(|file| &file.hash).unwrap();
    assert_eq!(hash(&tree, "input/a").xxh3(), Some(xxh3_64(b"old")));
    assert_eq!(hash(&tree, "input/b"), Hash::of(b"beta"));
    let s2 = turn(&mut tree, Some(&s1.header), None);
    assert_eq!((s2.header.legacy, s2.changes.len()), (Some(Legacy::Missing), 0));
    assert_eq!(s2.header.totals, s1.header.totals);
    let s3 = turn(&mut tree, Some(&s2.header), Some((&third, Legacy::Proven)));
    let changed: Vec<_> = s3.changes.iter().map(|c| (c.path.as_str(), c.entry.is_some())).collect();
    assert_eq!(changed, [("input/a", true), ("input/b", false), ("input/c", true)]);
    assert_eq!(hash(&tree, "input/a"), Hash::of(b"new"));
    assert!(tree.values().all(|entry| matches!(entry, Entry::File(_))));
    assert!(s1.changes[0].entry.as_ref().and_then(Entry::file).unwrap().exec);
    // They are read and proved as any of ours.
    for (header, before) in [
        (&s1.header, None),
        (&s2.header, Some(s1.header.chain)),
        (&s3.header, Some(s2.header.chain)),
    ] {
        let read = SnapshotHeader::parse(&header.line()).unwrap();
        assert_eq!(read.follows(before), Ok(()));
        assert!(
            SnapshotHeader::parse(&header.line().replace("\"format\":2", "\"format\":1")).is_err()
        );
    }
}

#[test]
fn a_content_that_cannot_be_told_from_another_is_not_named() {
    let mut contents = Contents::default();
    contents.know(7, 3, Hash::of(b"one"));
    contents.know(7, 3, Hash::of(b"two"));
    let listed = Listed::File { size: 3, mtime: crate::entry::Mtime(0), sum: 7 };
    let entries = BTreeMap::from([(path("input/a"), listed)]);
    let mut tree = Tree::new();
    adopter().turn(&mut tree, None, None, Some((&entries, Legacy::Proven)), &contents);
    assert_eq!(tree[&path("input/a")].file().unwrap().hash.xxh3(), Some(7));
}

#[test]
fn the_configuration_goes_on_as_it_was() {
    let mut whole = list("s1", "", "", &[file("input/a", "1")]);
    assert_eq!(read(&whole).unwrap().config("repo"), SharedConfig::new("repo"));
    whole["metadata"]["project_config"] = json!({
        "transport": "ssh", "project": {"data_dirs": ["raw"], "ignore": {"names": ["x"], "suffixes": []}},
    });
    let config = read(&whole).unwrap().config("repo");
    assert_eq!(config.data_dirs, ["raw".to_owned()].into());
    assert_eq!((config.ignore.names, config.ignore.suffixes), (["x".to_owned()].into(), [].into()));
    whole["metadata"]["project_config"] = json!({"name": "survey", "data_dirs": ["*"]});
    assert_eq!(read(&whole).unwrap().config("repo").name, "survey");
    // Nothing was kept, and the defaults would leave out what is there.
    let elsewhere = list("s1", "", "", &[file("results/a", "1")]);
    assert_eq!(read(&elsewhere).unwrap().config("repo").data_dirs, ["*".to_owned()].into());
}
