use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;

use crate::fixture::*;

#[test]
fn of_two_transactions_on_one_head_one_wins() {
    let f = fixture();
    let store = f.open();
    let (one, two) = (transaction(), transaction());
    let (ours, theirs) = (wish().put("ours", "1"), wish().put("theirs", "2"));
    let first = staged(&store, Some(id(1)), &one, &ours).unwrap();
    let second = staged(&store, Some(id(1)), &two, &theirs).unwrap();
    first.publish(&ours.publication(Some(id(1)), &one), &Monitor::silent()).unwrap();
    let moved = second.publish(&theirs.publication(Some(id(1)), &two), &Monitor::silent());
    assert_eq!(moved.unwrap_err().code, Code::HeadMoved);
    let now = f.is_consistent();
    assert!(now.contains_key("ours") && !now.contains_key("theirs"));
}

#[test]
fn many_publishers_at_once_never_mix() {
    let f = fixture();
    std::thread::scope(|scope| {
        for who in 0..4 {
            let f = &f;
            scope.spawn(move || {
                let mut done = 0;
                while done < 5 {
                    match f.sync(wish().put(&format!("by{who}/{done}"), "x")) {
                        Ok(_) => done += 1,
                        Err(e) if matches!(e.code, Code::HeadMoved | Code::Locked) => {}
                        Err(e) => panic!("{e}"),
                    }
                }
            });
        }
    });
    assert_eq!(f.is_consistent().len(), 4 + 20);
    assert_eq!(f.open().head().unwrap().id, id(21));
}

#[test]
fn readers_see_one_snapshot_whatever_is_published_meanwhile() {
    let f = fixture();
    f.sync(wish().put("x", "2").put("y", "2")).unwrap();
    let reader = f.open().snapshot(id(2)).unwrap();
    for round in 3..8 {
        f.sync(wish().put("x", &round.to_string()).put("y", &round.to_string())).unwrap();
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut reader.read(&path("x")).unwrap().0, &mut text).unwrap();
    assert_eq!(text, "2");
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            for round in 8..30 {
                f.sync(wish().put("x", &round.to_string()).put("y", &round.to_string())).unwrap();
            }
        });
        let store = f.open();
        while !publisher.is_finished() {
            let head = store.head().unwrap().id;
            let text = fetch(&store, head, "x");
            assert_eq!(text, head.number().to_string());
        }
    });
}

/// Run by the next test in a process of its own: holds the lock until its input ends.
#[test]
fn holds_the_lock() {
    let Ok(dir) = std::env::var("DSG_TEST_LOCK") else { return };
    let dir = dsg_fs::dir::Dir::open(dir).unwrap();
    let holder = dsg_fs::lock::Holder {
        who: "bob@lab".into(),
        since: "2024-05-05T10:00:00Z".into(),
        doing: "publishes".into(),
    };
    let held = dsg_fs::lock::Lock::try_acquire(&dir, "lock", 0o644, holder).unwrap();
    println!("held");
    let _ = std::io::stdin().lines().count();
    // As a process that is killed: without a clean release.
    std::mem::forget(held);
}

#[test]
fn a_busy_repository_says_who_is_at_it_and_a_dead_holder_leaves_no_lock() {
    let f = fixture();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "races::holds_the_lock", "--nocapture"])
        .env("DSG_TEST_LOCK", f.side(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|l| l.contains("held")));
    let busy = f.sync(wish().put("x", "1")).unwrap_err();
    assert_eq!(busy.code, Code::Locked);
    assert!(busy.message.contains("bob@lab") && busy.message.contains("2024-05-05"), "{busy}");
    assert_eq!(f.open().holder().unwrap().unwrap().who, "bob@lab");
    assert_eq!(f.open().outcome(&transaction()).unwrap(), None, "it may be that one");
    assert_eq!(f.open().head().unwrap().id, id(1), "reading needs no lock");
    child.kill().unwrap();
    child.wait().unwrap();
    f.sync(wish().put("x", "1")).unwrap();
    f.is_consistent();
}

#[test]
fn an_old_descriptor_writes_into_a_file_that_stays() {
    let f = fixture();
    let mut old = fs::OpenOptions::new().append(true).open(f.live("a")).unwrap_or_else(|_| {
        crate::fixture::make_writable(&f.live("a"));
        fs::OpenOptions::new().append(true).open(f.live("a")).unwrap()
    });
    crate::fixture::make_read_only(&f.live("a"));
    f.sync(wish().put("x", "1")).unwrap();
    old.write_all(b" and more").unwrap();
    assert_eq!(f.drift(), ["a"], "the live tree shares the inode: nothing is lost, and it shows");
    assert_eq!(f.on_disk()["a"], "alpha and more");
}

#[test]
fn a_publish_does_not_wait_for_a_preparation() {
    let f = fixture();
    for n in 0..300 {
        let dir = f.live(&format!("untracked~/{n}"));
        fs::create_dir_all(dir).unwrap();
    }
    std::thread::scope(|scope| {
        let preparing = scope.spawn(|| {
            let store = f.open();
            for _ in 0..20 {
                match store.prestage(&Monitor::silent()) {
                    Ok(()) => {}
                    Err(e) => assert!(matches!(e.code, Code::Cancelled | Code::Locked), "{e}"),
                }
            }
        });
        for n in 0..5 {
            f.sync(wish().put("x", &n.to_string())).unwrap();
        }
        preparing.join().unwrap();
    });
    f.open().check_drift(&Monitor::silent()).unwrap();
}

#[test]
fn who_died_while_waiting_to_publish_keeps_nobody_from_preparing() {
    let f = fixture();
    fs::write(f.side("wanted"), "").unwrap();
    f.prestage();
    assert!(f.side("prestage/ready.json").exists());
    f.sync(wish().put("new", "file")).unwrap();
    assert!(f.is_consistent().contains_key("new"));
}
