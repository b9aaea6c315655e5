use std::fs;
use std::os::unix::fs::MetadataExt as _;

use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;
use dsg_core::repository::{Access, Outcome as TransactionOutcome};
use dsg_host::tree::Refusal;
use dsg_wire::delta::{Basis, Content};

use crate::fixture::*;

#[test]
fn changes_deletions_moves_and_copies_arrive_together() {
    let f = fixture();
    assert_eq!(f.is_consistent(), first_tree());
    let header = f
        .sync(
            wish()
                .put("a", "alpha 2")
                .put("new/x", "x")
                .moved("dir/moved", "dir/b", "beta")
                .copy("copied", "dir/deep/c", "gamma")
                .gone("link"),
        )
        .unwrap();
    assert_eq!((header.delta.added, header.delta.changed, header.delta.deleted), (3, 1, 2));
    let expected = tree([
        ("a", "alpha 2"),
        ("copied", "gamma"),
        ("dir/deep/c", "gamma"),
        ("dir/moved", "beta"),
        ("new/x", "x"),
    ]);
    assert_eq!(f.is_consistent(), expected);
    assert_eq!(read_tree(&f.side("trees/s1")), first_tree());
    let inode = |p: &str| fs::metadata(f.live(p)).unwrap().ino();
    assert_ne!(inode("copied"), inode("dir/deep/c"), "a copy is an inode of its own");
}

#[test]
fn a_prestaged_tree_gives_the_same_result() {
    let f = fixture();
    for round in 0..3 {
        f.prestage();
        assert!(f.side("prestage/ready.json").exists());
        f.sync(wish().put("a", &format!("round {round}")).put(&format!("dir/n{round}"), "n"))
            .unwrap();
        assert!(!f.side("prestage/tree").exists(), "it was used");
        f.is_consistent();
    }
    assert_eq!(read_tree(&f.side("trees/s1")), first_tree());
    assert_eq!(f.on_disk()["a"], "round 2");
}

#[test]
fn a_file_becomes_a_folder_and_back() {
    let f = fixture();
    f.sync(
        wish()
            .gone("a")
            .put("a/inside", "1")
            .gone("dir/b")
            .gone("dir/deep/c")
            .put("dir", "flat")
            .gone("link"),
    )
    .unwrap();
    assert_eq!(f.is_consistent(), tree([("a/inside", "1"), ("dir", "flat")]));
    f.sync(wish().gone("a/inside").put("a", "alpha").gone("dir")).unwrap();
    assert_eq!(f.is_consistent(), tree([("a", "alpha")]));
    assert!(!f.live("dir").exists());
}

#[test]
fn one_content_at_many_paths_is_sent_once_and_stored_apart() {
    let f = fixture();
    let wish = wish().put("x", "same").put("y", "same").put("z/w", "same");
    f.sync(wish).unwrap();
    f.is_consistent();
    let inode = |p: &str| fs::metadata(f.live(p)).unwrap().ino();
    assert!(inode("x") != inode("y") && inode("y") != inode("z/w"));
}

#[test]
fn swapping_two_files_by_moves_works() {
    let f = fixture();
    // Both are copies whose sources are replaced by the other.
    f.sync(wish().copy("a", "dir/b", "beta").copy("dir/b", "a", "alpha")).unwrap();
    let now = f.is_consistent();
    assert_eq!((&*now["a"], &*now["dir/b"]), ("beta", "alpha"));
}

#[test]
fn everything_may_go() {
    let f = fixture();
    f.sync(wish().gone("a").gone("dir/b").gone("dir/deep/c").gone("link")).unwrap();
    assert_eq!(f.is_consistent(), tree([]));
    f.sync(wish().put("again", "1")).unwrap();
    f.is_consistent();
}

#[test]
fn files_are_read_only_for_one_person_and_group_writable_for_a_team() {
    for (access, plain, exec, private) in
        [(Access::Personal, 0o444, 0o555, 0o400), (Access::Team, 0o664, 0o775, 0o600)]
    {
        let f = nothing();
        f.init(access, wish().put("plain", "1")).unwrap();
        f.sync(Wish { exec: true, ..wish().put("exec", "2") }).unwrap();
        f.sync(Wish { private: true, ..wish().put("private", "3") }).unwrap();
        assert_eq!(mode(&f.live("plain")), plain);
        assert_eq!(mode(&f.live("exec")), exec);
        assert_eq!(mode(&f.live("private")), private);
        let (_, stat) = f.open().snapshot(id(3)).unwrap().read(&path("private")).unwrap();
        assert!(stat.private());
        if access == Access::Team {
            assert_eq!(mode(&f.path) & 0o2775, 0o2775);
        }
    }
}

#[test]
fn times_are_those_of_the_manifest() {
    let f = fixture();
    let meta = fs::metadata(f.live("dir/deep/c")).unwrap();
    assert_eq!(meta.mtime(), 1_700_000_000);
}

#[test]
fn content_that_changed_is_refused_alone() {
    let f = fixture();
    let store = f.open();
    let tx = transaction();
    let staging = store.begin(Some(id(1)), &tx, "").unwrap();
    let wanted =
        wish().put("good", "good").put("longer", "12345").put("other", "abc").put("short", "wxyz");
    let (uploads, mut contents) = wanted.uploads();
    contents.0[1] = b"123456789".to_vec();
    contents.0[2] = b"abd".to_vec();
    contents.0[3] = b"wx".to_vec();
    let mut refused = staging.stage(&uploads, &contents, &Monitor::silent()).unwrap();
    refused.sort_unstable_by_key(|(index, _)| *index);
    assert!(refused.iter().all(|(_, refusal)| matches!(refusal, Refusal::Changed(_))));
    assert_eq!(refused.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 2, 3]);
    let refused = staging.publish(&wanted.publication(Some(id(1)), &tx), &Monitor::silent());
    assert_eq!(refused.unwrap_err().code, Code::Usage, "what is not staged cannot be published");
    assert_eq!(f.is_consistent(), first_tree());
    f.sync(wish().put("good", "good")).unwrap();
}

#[test]
fn a_publication_that_makes_no_sense_changes_nothing() {
    let f = fixture();
    let store = f.open();
    for wrong in [
        wish().gone("nothing"),
        wish().copy("x", "a", "not alpha"),
        wish().copy("x", "nothing", "alpha"),
        wish().put("a/below", "1"),
        wish().put("link/below", "1"),
    ] {
        let refused = publish(&store, Some(id(1)), &wrong);
        assert!(refused.is_err(), "{wrong:?}");
        assert_eq!(f.is_consistent(), first_tree());
    }
}

#[test]
fn what_a_dead_transaction_staged_is_not_asked_for_again() {
    struct Never;
    impl dsg_host::tree::Supply for Never {
        fn open(&self, _: usize, _: Basis) -> dsg_core::failure::Outcome<Content<'_>> {
            panic!("the content is there already")
        }
    }
    let f = fixture();
    let store = f.open();
    let wanted = wish().put("big", "much work");
    drop(staged(&store, Some(id(1)), &transaction(), &wanted).unwrap());
    let tx = transaction();
    let staging = store.begin(Some(id(1)), &tx, "").unwrap();
    staging.stage(&wanted.uploads().0, &Never, &Monitor::silent()).unwrap();
    staging.publish(&wanted.publication(Some(id(1)), &tx), &Monitor::silent()).unwrap();
    assert_eq!(f.is_consistent()["big"], "much work");
}

#[test]
fn after_a_halt_the_staged_content_is_still_there_for_the_next_try() {
    let f = fixture();
    f.host_saves("a", "changed on the host");
    let wanted = wish().put("big", "much work");
    assert_eq!(f.sync(wanted.clone()).unwrap_err().code, Code::Drift);
    let hash = dsg_core::entry::Hash::of(b"much work").to_string();
    let left = fs::read_dir(f.side("staging"))
        .unwrap()
        .any(|d| d.unwrap().path().join("objects").join(&hash).exists());
    assert!(left);
}

#[test]
fn damaged_leftovers_are_not_taken_over() {
    let f = fixture();
    let store = f.open();
    let wanted = wish().put("big", "much work");
    let tx = transaction();
    drop(staged(&store, Some(id(1)), &tx, &wanted).unwrap());
    let hash = dsg_core::entry::Hash::of(b"much work").to_string();
    let object = f.side(&format!("staging/{tx}/objects/{hash}"));
    fs::remove_file(&object).unwrap();
    fs::write(&object, "much w0rk").unwrap();
    publish(&store, Some(id(1)), &wanted).unwrap();
    assert_eq!(f.is_consistent()["big"], "much work");
}

#[test]
fn an_abort_leaves_no_trace_and_outcomes_are_told() {
    let f = fixture();
    let store = f.open();
    let tx = transaction();
    let staging = staged(&store, Some(id(1)), &tx, &wish().put("x", "1")).unwrap();
    assert_eq!(store.outcome(&tx).unwrap(), None, "somebody works on it");
    staging.abort().unwrap();
    assert!(!f.side(&format!("staging/{tx}")).exists());
    assert_eq!(store.outcome(&tx).unwrap(), Some(TransactionOutcome::Aborted));
    // Who was told that it is aborted must never see it published.
    let late = staged(&store, Some(id(1)), &tx, &wish().put("x", "1")).unwrap();
    let refused =
        late.publish(&wish().put("x", "1").publication(Some(id(1)), &tx), &Monitor::silent());
    assert!(refused.is_err());
    let header = f.sync(wish().put("y", "2")).unwrap();
    let told = store.outcome(&header.authorship.transaction).unwrap();
    assert_eq!(told, Some(TransactionOutcome::Published(id(2))));
    assert_eq!(store.outcome("../../etc/passwd").unwrap_err().code, Code::Usage);
}

#[test]
fn a_stop_before_the_publish_changes_nothing() {
    let f = fixture();
    let store = f.open();
    let tx = transaction();
    let wanted = wish().put("x", "1");
    let staging = staged(&store, Some(id(1)), &tx, &wanted).unwrap();
    let monitor = Monitor::silent();
    monitor.stop();
    let stopped = staging.publish(&wanted.publication(Some(id(1)), &tx), &monitor);
    assert_eq!(stopped.unwrap_err().code, Code::Cancelled);
    assert_eq!(f.is_consistent(), first_tree());
}

#[test]
fn without_an_exchange_two_renames_do_it_and_it_is_not_called_atomic() {
    let f = fixture();
    let facts = fs::read_to_string(f.side("repository.json")).unwrap();
    fs::write(f.side("repository.json"), facts.replace("\"exchange\":true", "\"exchange\":false"))
        .unwrap();
    assert!(!f.open().info().capabilities.atomic_publish);
    f.sync(wish().put("a", "2").gone("dir/b")).unwrap();
    f.is_consistent();
    assert_eq!(read_tree(&f.side("trees/s1")), first_tree());
}

#[test]
fn untracked_things_on_the_host_are_carried_along() {
    for prestaged in [false, true] {
        let f = fixture();
        if prestaged {
            f.prestage();
        }
        fs::write(f.live("dir/.DS_Store"), "finder").unwrap();
        fs::write(f.live("backup~"), "illegal name").unwrap();
        fs::create_dir(f.live("just made")).unwrap();
        f.sync(wish().put("x", "1")).unwrap();
        assert_eq!(fs::read_to_string(f.live("dir/.DS_Store")).unwrap(), "finder");
        assert_eq!(fs::read_to_string(f.live("backup~")).unwrap(), "illegal name");
        assert!(f.live("just made").is_dir());
        f.sync(wish().gone("dir/b").gone("dir/deep/c").gone("link")).unwrap();
        assert!(f.live("dir/.DS_Store").exists());
        assert!(!f.live("dir/deep").exists());
    }
}
