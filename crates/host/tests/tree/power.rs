//! Power cuts, on an XFS of our own: what was not made durable is gone. Ending a process never
//! shows that. Needs root, `mkfs.xfs`, `xfs_io` and loop devices; skipped where they are not.

use std::path::Path;

use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;
use dsg_core::repository::{Access, Outcome as TransactionOutcome};
use dsg_host::tree::TreeStore;
use dsg_testkit::disk::{Disk, Format};

use crate::crashes::{TRANSACTION, after, change, decided, dies, passes};
use crate::fixture::*;

fn disk() -> Option<Disk> {
    Disk::new(Format::Xfs, 400)
}

fn settled(disk: &Disk) {
    dsg_fs::dir::Dir::open(disk.path()).unwrap().syncfs().unwrap();
}

fn fixture_on(at: &Path) -> Fixture {
    let f = nothing_in(at);
    f.init(Access::Personal, first()).unwrap();
    f
}

#[test]
fn power_cuts_leave_before_or_after() {
    let Some(disk) = disk() else { return };
    for prestaged in [false, true] {
        let prepared = || {
            let f = fixture_on(disk.path());
            if prestaged {
                f.prestage();
            }
            settled(&disk);
            f
        };
        for point in passes("publish", prepared) {
            let f = prepared();
            assert!(dies(&f, "publish", point));
            disk.power_cut();
            let told = f.open().outcome(TRANSACTION).unwrap();
            let now = f.is_consistent();
            if told == Some(TransactionOutcome::Aborted) {
                // The exchange itself may not have reached the disk yet.
                assert!(!decided(point) || point == "host.exchanged", "{point}");
                assert_eq!(now, first_tree(), "{point}");
                f.sync(change()).unwrap();
            }
            assert_eq!(f.is_consistent(), after(), "{point}");
            assert_eq!(read_tree(&f.side("trees/s1")), first_tree(), "{point}");
        }
    }
}

#[test]
fn what_was_answered_survives_the_power_cut_that_follows() {
    let Some(disk) = disk() else { return };
    let f = fixture_on(disk.path());
    disk.power_cut();
    assert_eq!(f.is_consistent(), first_tree());
    for round in 0..4 {
        if round % 2 == 1 {
            f.prestage();
        }
        let content = format!("round {round}");
        let header = f.sync(wish().put("a", &content).put(&format!("new/{round}"), "x")).unwrap();
        disk.power_cut();
        assert_eq!(f.open().head().unwrap().id, header.id);
        assert_eq!(f.is_consistent()["a"], content);
    }
    f.host_saves("dir/b", "edited on the host");
    let header = f.open().adopt_drift(authorship(&transaction()), &Monitor::silent()).unwrap();
    disk.power_cut();
    assert_eq!(f.open().head().unwrap().id, header.id);
    assert_eq!(f.on_disk()["dir/b"], "edited on the host");
    assert_eq!(f.drift(), [""; 0]);
}

#[test]
fn power_cuts_during_init_leave_nothing_or_all() {
    let Some(disk) = disk() else { return };
    for point in passes("init", || nothing_in(disk.path())) {
        let f = nothing_in(disk.path());
        settled(&disk);
        assert!(dies(&f, "init", point));
        disk.power_cut();
        match TreeStore::open(&f.path) {
            Ok(_) => assert!(decided(point), "{point}"),
            Err(e) => {
                assert_eq!(e.code, Code::NoRepository, "{point}: {e}");
                assert!(!decided(point) || point == "host.exchanged", "{point}");
                f.init(Access::Personal, first()).unwrap();
            }
        }
        assert_eq!(f.is_consistent(), first_tree(), "{point}");
    }
}
