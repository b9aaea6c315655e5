//! What a directory capability allows, and what it refuses.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use dsg_core::entry::Mtime;
use dsg_core::failure::{Code, Failure};
use dsg_fs::dir::Dir;
use dsg_fs::lock::{Holder, Lock, Tried};
use dsg_fs::stat::Kind;
use tempfile::TempDir;

struct Fixture {
    temp: TempDir,
    dir: Dir,
}

/// `tree/` is the capability; `outside/secret` must never be touched through it.
fn fixture() -> Fixture {
    let temp = TempDir::new().unwrap();
    fs::create_dir_all(temp.path().join("tree/sub")).unwrap();
    fs::create_dir(temp.path().join("outside")).unwrap();
    fs::write(temp.path().join("outside/secret"), "secret").unwrap();
    fs::write(temp.path().join("tree/sub/file"), "inside").unwrap();
    symlink("../outside", temp.path().join("tree/out")).unwrap();
    symlink("sub", temp.path().join("tree/in")).unwrap();
    let dir = Dir::open(temp.path().join("tree")).unwrap();
    Fixture { temp, dir }
}

impl Fixture {
    fn at(&self, rel: &str) -> std::path::PathBuf {
        self.temp.path().join(rel)
    }
    fn read(&self, rel: &str) -> String {
        fs::read_to_string(self.at(rel)).unwrap()
    }
}

#[test]
fn no_operation_leaves_the_tree_through_a_link_or_dots() {
    let f = fixture();
    for way_out in ["out/secret", "in/file", "../outside/secret", "sub/../../outside/secret"] {
        let dir = &f.dir;
        let refused = [
            dir.open_file(way_out).err(),
            dir.stat(way_out).err(),
            dir.create_new(format!("{way_out}.new"), 0o644).err(),
            dir.remove_file(way_out).err(),
            dir.rename_noreplace("sub/file", dir, format!("{way_out}.new")).err(),
            dir.rename_noreplace(way_out, dir, "stolen").err(),
            dir.exchange("sub/file", dir, way_out).err(),
            dir.link(way_out, dir, "stolen").err(),
            dir.link("sub/file", dir, format!("{way_out}.new")).err(),
            dir.symlink("x", format!("{way_out}.new")).err(),
            dir.set_mode(way_out, 0o777).err(),
            dir.set_times(way_out, Mtime(0)).err(),
            dir.ensure_dirs(Path::new(way_out).with_file_name("new"), None).err(),
        ];
        for (step, error) in refused.into_iter().enumerate() {
            let error = error.unwrap_or_else(|| panic!("step {step} went through {way_out}"));
            assert!(error.is_escape(), "step {step} {way_out}: {:?}", error.errno);
        }
    }
    for root in ["/etc", "..", ".", "", "sub/..", "sub/.", "sub/"] {
        assert!(f.dir.remove_dir(root).is_err(), "{root:?}");
        assert!(f.dir.open_file(root).is_err(), "{root:?}");
    }
    assert!(f.dir.open_beneath("out").unwrap_err().is_escape());
    assert_eq!(f.read("outside/secret"), "secret");
    assert_eq!(f.read("tree/sub/file"), "inside");
    assert_eq!(fs::read_dir(f.at("outside")).unwrap().count(), 1);
}

#[test]
fn a_link_itself_is_seen_read_and_moved_but_never_opened() {
    let f = fixture();
    assert_eq!(f.dir.stat("out").unwrap().unwrap().kind, Kind::Link);
    assert_eq!(f.dir.read_link("out").unwrap(), "../outside");
    assert!(f.dir.open_file("out").is_err());
    assert!(f.dir.set_mode("out", 0o777).is_err());
    f.dir.rename_noreplace("out", &f.dir, "sub/moved").unwrap();
    f.dir.symlink("file", "sub/new").unwrap();
    assert_eq!(fs::read_link(f.at("tree/sub/new")).unwrap(), Path::new("file"));
}

#[test]
fn absent_is_told_apart_from_unknown() {
    let f = fixture();
    assert_eq!(f.dir.stat("nothing").unwrap(), None);
    assert_eq!(f.dir.stat("nothing/below").unwrap(), None);
    assert_eq!(f.dir.stat("sub/file/below").unwrap(), None);
    assert!(f.dir.stat("out/secret").is_err());
}

#[test]
fn directories_are_made_with_their_mode_whatever_the_umask() {
    let f = fixture();
    let made = f.dir.ensure_dirs("sub/x/y", Some(0o2775)).unwrap();
    assert_eq!(made, [Path::new("sub/x"), Path::new("sub/x/y")]);
    let mode = fs::metadata(f.at("tree/sub/x/y")).unwrap().permissions().mode();
    assert_eq!(mode & 0o775, 0o775);
    assert!(f.dir.ensure_dirs("sub/x/y", None).unwrap().is_empty());
    assert!(f.dir.ensure_dirs("sub/file/z", None).is_err());
}

#[test]
fn nothing_is_ever_replaced_but_records() {
    let f = fixture();
    fs::write(f.at("tree/other"), "other").unwrap();
    assert!(f.dir.rename_noreplace("other", &f.dir, "sub/file").unwrap_err().is_present());
    assert!(f.dir.create_new("other", 0o644).unwrap_err().is_present());
    assert!(f.dir.link("other", &f.dir, "sub/file").unwrap_err().is_present());
    assert!(f.dir.remove_dir("sub").unwrap_err().is_present());
    f.dir.exchange("other", &f.dir, "sub/file").unwrap();
    assert_eq!((f.read("tree/other"), f.read("tree/sub/file")), ("inside".into(), "other".into()));
}

#[test]
fn only_regular_files_are_opened_for_reading() {
    let f = fixture();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        f.at("tree/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    assert!(f.dir.open_file("pipe").is_err(), "and does not wait for a writer");
    assert!(f.dir.open_file("sub").is_err());
    let mut text = String::new();
    f.dir.open_file("sub/file").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "inside");
}

#[test]
fn removing_a_tree_takes_links_not_their_targets() {
    let f = fixture();
    symlink(f.at("outside"), f.at("tree/sub/abs")).unwrap();
    fs::set_permissions(f.at("tree/sub"), fs::Permissions::from_mode(0o555)).unwrap();
    let parent = Dir::open(f.temp.path()).unwrap();
    parent.remove_tree("tree").unwrap();
    parent.remove_tree("tree").unwrap();
    assert!(!f.at("tree").exists());
    assert_eq!(f.read("outside/secret"), "secret");
}

#[test]
fn removing_is_not_stopped_by_depth() {
    let f = fixture();
    let deep = vec!["d"; 700].join("/");
    f.dir.ensure_dirs(&deep, None).unwrap();
    fs::write(f.at(&format!("tree/{deep}/leaf")), "x").unwrap();
    f.dir.remove_tree("d").unwrap();
    assert!(!f.at("tree/d").exists());
    assert!(f.at("tree/sub/file").exists());
}

#[test]
fn times_and_modes_are_exact() {
    let f = fixture();
    for mtime in [Mtime(1_700_000_000_123_456_789), Mtime(-1), Mtime(0)] {
        f.dir.set_times("sub/file", mtime).unwrap();
        assert_eq!(f.dir.stat("sub/file").unwrap().unwrap().mtime, mtime);
    }
    f.dir.set_mode("sub/file", 0o400).unwrap();
    assert_eq!(f.dir.stat("sub/file").unwrap().unwrap().mode, 0o400);
    assert!(f.dir.space().unwrap().free > 0);
    f.dir.syncfs().unwrap();
}

#[test]
fn an_atomic_write_leaves_no_trace_of_itself() {
    let f = fixture();
    f.dir.write_atomically("record", b"one", 0o644).unwrap();
    f.dir.write_atomically("record", b"two", 0o644).unwrap();
    assert_eq!(f.read("tree/record"), "two");
    assert!(f.dir.list().unwrap().iter().all(|n| !n.name.to_string_lossy().contains(".tmp-")));
    assert!(f.dir.write_atomically("sub", b"x", 0o644).is_err());
    assert!(f.dir.list().unwrap().iter().all(|n| !n.name.to_string_lossy().contains(".tmp-")));
}

fn analyst() -> Holder {
    Holder { who: "ana@host".into(), since: "2024-01-01T00:00:00Z".into(), doing: "publish".into() }
}

#[test]
fn a_lock_excludes_and_says_by_whom() {
    let f = fixture();
    assert_eq!(Lock::holder(&f.dir, "lock").unwrap(), None);
    let Tried::Held(mut lock) = Lock::try_acquire(&f.dir, "lock", 0o664, analyst()).unwrap() else {
        panic!("nobody holds it")
    };
    lock.doing("publish: 3 of 7");
    let Tried::Busy(Some(holder)) = Lock::try_acquire(&f.dir, "lock", 0o664, analyst()).unwrap()
    else {
        panic!("it is held")
    };
    assert_eq!(holder.doing, "publish: 3 of 7");
    assert_eq!(Lock::holder(&f.dir, "lock").unwrap(), Some(holder));
    drop(lock);
    assert_eq!(Lock::holder(&f.dir, "lock").unwrap(), None);
    assert!(matches!(Lock::try_acquire(&f.dir, "lock", 0o664, analyst()).unwrap(), Tried::Held(_)));
}

#[test]
fn a_lock_on_a_removed_file_is_none() {
    let f = fixture();
    assert!(Lock::try_existing(&f.dir, "lock", analyst()).unwrap().is_none(), "creates nothing");
    let Tried::Held(first) = Lock::try_acquire(&f.dir, "lock", 0o664, analyst()).unwrap() else {
        panic!("nobody holds it")
    };
    assert!(matches!(Lock::try_existing(&f.dir, "lock", analyst()), Ok(Some(Tried::Busy(_)))));
    f.dir.remove_file("lock").unwrap();
    assert!(Lock::try_existing(&f.dir, "lock", analyst()).unwrap().is_none());
    assert!(matches!(Lock::try_acquire(&f.dir, "lock", 0o664, analyst()), Ok(Tried::Held(_))));
    drop(first);
}

#[test]
fn two_may_remove_one_tree() {
    let f = fixture();
    for n in 0..300 {
        f.dir.ensure_dirs(format!("big/{}/{n}", n % 7), None).unwrap();
        fs::write(f.at(&format!("tree/big/{}/{n}/leaf", n % 7)), "x").unwrap();
    }
    std::thread::scope(|scope| {
        let both =
            [scope.spawn(|| f.dir.remove_tree("big")), scope.spawn(|| f.dir.remove_tree("big"))];
        for done in both {
            done.join().unwrap().unwrap();
        }
    });
    assert!(!f.at("tree/big").exists());
}

#[test]
fn a_child_inherits_the_lock_and_a_drop_releases_it_for_both() {
    let f = fixture();
    let Tried::Held(lock) = Lock::try_acquire(&f.dir, "lock", 0o664, analyst()).unwrap() else {
        panic!("nobody holds it")
    };
    let ino = fs::metadata(f.at("tree/lock")).unwrap().ino();
    let mut child = std::process::Command::new("sh")
        .args(["-c", "for d in /proc/self/fd/*; do stat -L -c %i $d; done 2>/dev/null; read x"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    while !seen.lines().any(|l| l == ino.to_string()) {
        assert!(std::io::BufRead::read_line(&mut out, &mut seen).unwrap() > 0, "not inherited");
    }
    drop(lock);
    assert!(matches!(Lock::try_acquire(&f.dir, "lock", 0o664, analyst()).unwrap(), Tried::Held(_)));
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    child.wait().unwrap();
}

#[test]
fn refusals_become_failures_that_say_what_to_do() {
    let f = fixture();
    let failure = Failure::from(f.dir.open_file("out/secret").unwrap_err());
    assert_eq!(failure.code, Code::Permission);
    assert!(failure.message.contains("out/secret") && failure.hint.is_some());
    let failure = Failure::from(f.dir.open_file("nothing").unwrap_err());
    assert!(failure.message.contains("nothing"), "{failure}");
}
