//! Power cuts, on an XFS of our own: what was not made durable is gone. Ending a process never
//! shows that. Needs root, `mkfs.xfs`, `xfs_io` and loop devices; run by hand:
//! `cargo test -p dsg-host -- --ignored power`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;
use dsg_core::repository::{Access, Outcome as TransactionOutcome};
use dsg_host::tree::TreeStore;
use tempfile::TempDir;

use crate::crashes::{TRANSACTION, after, change, decided, dies, passes};
use crate::fixture::*;

/// One at a time: a process that another test starts inherits the locks of all, and with them keeps
/// a disk busy.
static ONE: Mutex<()> = Mutex::new(());

struct Disk {
    _one: MutexGuard<'static, ()>,
    _temp: TempDir,
    image: PathBuf,
    mount: PathBuf,
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Disk {
    fn new() -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let temp = TempDir::new().unwrap();
        let (image, mount) = (temp.path().join("image"), temp.path().join("mount"));
        std::fs::File::create(&image).unwrap().set_len(400 << 20).unwrap();
        std::fs::create_dir(&mount).unwrap();
        run("mkfs.xfs", &["-q", image.to_str().unwrap()]);
        let disk = Self { _one: one, _temp: temp, image, mount };
        disk.plug_in();
        disk
    }
    fn plug_in(&self) {
        run("mount", &["-o", "loop", self.image.to_str().unwrap(), self.mount.to_str().unwrap()]);
    }
    /// The log is not written out first.
    fn power_cut(&self) {
        run("xfs_io", &["-x", "-c", "shutdown", self.mount.to_str().unwrap()]);
        run("umount", &[self.mount.to_str().unwrap()]);
        self.plug_in();
    }
    fn settled(&self) {
        dsg_fs::dir::Dir::open(&self.mount).unwrap().syncfs().unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", self.mount.to_str().unwrap()]).status();
    }
}

fn fixture_on(at: &Path) -> Fixture {
    let f = nothing_in(at);
    f.init(Access::Personal, first()).unwrap();
    f
}

#[test]
#[ignore = "needs root and loop devices"]
fn power_cuts_leave_before_or_after() {
    let disk = Disk::new();
    for prestaged in [false, true] {
        let prepared = || {
            let f = fixture_on(&disk.mount);
            if prestaged {
                f.prestage();
            }
            disk.settled();
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
#[ignore = "needs root and loop devices"]
fn what_was_answered_survives_the_power_cut_that_follows() {
    let disk = Disk::new();
    let f = fixture_on(&disk.mount);
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
#[ignore = "needs root and loop devices"]
fn power_cuts_during_init_leave_nothing_or_all() {
    let disk = Disk::new();
    for point in passes("init", || nothing_in(&disk.mount)) {
        let f = nothing_in(&disk.mount);
        disk.settled();
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
