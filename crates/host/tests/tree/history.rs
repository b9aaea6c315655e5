use std::collections::BTreeMap;
use std::fs;

use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;

use crate::fixture::*;

fn net(f: &Fixture, since: Option<u64>) -> BTreeMap<String, bool> {
    let mut changes = BTreeMap::new();
    let mut last = None;
    f.open()
        .changes_since(since.map(id), &mut |c| {
            assert!(last < Some(c.path.clone()), "sorted");
            last = Some(c.path.clone());
            changes.insert(String::from(c.path), c.entry.is_some());
            Ok(())
        })
        .unwrap();
    changes
}

fn told<const N: usize>(changes: [(&str, bool); N]) -> BTreeMap<String, bool> {
    changes.map(|(p, there)| (p.to_owned(), there)).into()
}

#[test]
fn net_changes_since_any_snapshot() {
    let f = fixture();
    f.sync(wish().put("a", "2").put("x", "1")).unwrap();
    f.sync(wish().put("a", "3").gone("dir/b").gone("link")).unwrap();
    f.sync(wish().put("dir/b", "back")).unwrap();
    assert_eq!(net(&f, Some(4)), told([]));
    assert_eq!(net(&f, Some(3)), told([("dir/b", true)]));
    assert_eq!(net(&f, Some(2)), told([("a", true), ("dir/b", true), ("link", false)]));
    assert_eq!(
        net(&f, Some(1)),
        told([("a", true), ("dir/b", true), ("link", false), ("x", true)])
    );
    assert_eq!(net(&f, None).len(), 4);
    let future = f.open().changes_since(Some(id(9)), &mut |_| Ok(()));
    assert_eq!(future.unwrap_err().code, Code::NotFound);
}

#[test]
fn what_came_and_went_in_between_is_no_change() {
    let f = fixture();
    f.sync(wish().put("brief", "1")).unwrap();
    f.sync(wish().gone("brief").put("y", "1")).unwrap();
    assert_eq!(net(&f, Some(1)), told([("y", true)]));
    assert_eq!(net(&f, Some(2)), told([("brief", false), ("y", true)]));
    // Replaced first, then deleted: it was there before.
    f.sync(wish().put("a", "2")).unwrap();
    f.sync(wish().gone("a")).unwrap();
    assert_eq!(net(&f, Some(3)), told([("a", false)]));
}

#[test]
fn every_snapshots_files_and_headers_can_be_had() {
    let f = fixture();
    for round in 2..=6 {
        f.sync(wish().put("a", &format!("round {round}"))).unwrap();
    }
    let store = f.open();
    assert_eq!(fetch(&store, id(1), "a"), "alpha");
    for round in 2..=6 {
        assert_eq!(fetch(&store, id(round), "a"), format!("round {round}"));
    }
    let numbers = |before, limit| {
        store.headers(before, limit).unwrap().iter().map(|h| h.id.number()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(None, 3), [6, 5, 4]);
    assert_eq!(numbers(Some(id(3)), 9), [2, 1]);
    assert_eq!(store.header(id(7)).unwrap_err().code, Code::NotFound);
    assert_eq!(store.snapshot(id(7)).unwrap_err().code, Code::NotFound);
    assert_eq!(
        store.snapshot(id(2)).unwrap().read(&path("nope")).unwrap_err().code,
        Code::NotFound
    );
}

#[test]
fn pruned_files_are_gone_and_their_record_stays() {
    let f = fixture();
    f.prestage();
    f.sync(wish().put("a", "2")).unwrap();
    f.sync(wish().put("a", "3")).unwrap();
    let store = f.open();
    let would = store.prune(&[id(1), id(3)], false).unwrap();
    assert_eq!((would.gone, would.stays.len()), (vec![id(1)], 1));
    assert_eq!(store.kept().unwrap(), [id(1), id(2), id(3)]);
    let pruned = store.prune(&[id(1)], true).unwrap();
    // The rest of it is the later snapshots', too.
    assert_eq!((pruned.gone, pruned.freed), (vec![id(1)], would.freed));
    assert!(pruned.freed > 0 && pruned.freed < 100, "{} bytes", pruned.freed);
    assert_eq!(store.prune(&[id(1)], true).unwrap().gone, []);
    assert_eq!(store.kept().unwrap(), [id(2), id(3)]);
    assert_eq!(store.snapshot(id(1)).unwrap_err().code, Code::NotFound);
    assert_eq!(store.header(id(1)).unwrap().id, id(1));
    let newest = store.prune(&[id(3)], true).unwrap();
    assert_eq!((newest.gone, newest.stays[0].0), (vec![], id(3)));
    f.is_consistent();
    assert_eq!(fetch(&store, id(2), "a"), "2");
}

#[test]
fn checkpoints_come_now_and_then_and_carry_the_history() {
    let f = fixture();
    for round in 0..102 {
        f.sync(wish().put("counter", &round.to_string())).unwrap();
    }
    let store = f.open();
    let checkpoints = fs::read_dir(f.side("checkpoints")).unwrap().count();
    assert_eq!(checkpoints, 1);
    // With the checkpoint, older records are not needed for the newer manifests.
    fs::remove_file(f.side("manifest")).unwrap();
    assert_eq!(manifest(&store, id(103)).len(), 5);
    assert_eq!(manifest(&store, id(60)).len(), 5);
    assert_eq!(store.validate_chain(true, &Monitor::silent()).unwrap(), []);
    // A damaged one is not trusted, and not needed.
    for entry in fs::read_dir(f.side("checkpoints")).unwrap() {
        fs::write(entry.unwrap().path(), "garbage").unwrap();
    }
    assert_eq!(manifest(&store, id(103)).len(), 5);
    f.sync(wish().put("after", "1")).unwrap();
    f.is_consistent();
}
