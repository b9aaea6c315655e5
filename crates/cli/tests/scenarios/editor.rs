//! People go on working while a sync runs: whatever they save, whenever, is never lost.

use std::io::Write as _;

use dsg_testkit::agent::Known;
use dsg_testkit::keeping::assert_repository;
use dsg_testkit::run::skipped;
use dsg_testkit::tree::{Node, Scope, Tree};
use rustix::process::{Signal, kill_process};

use crate::lab;

const PATH: &str = "input/a.csv";

fn engine_points() -> Vec<&'static str> {
    dsg_engine::crash::ALL.iter().map(|p| p.0).collect()
}

#[test]
fn a_save_at_any_moment_of_a_download_survives() {
    let mut stopped = Vec::new();
    for point in engine_points() {
        let lab = lab();
        let (p1, p2) = lab.pair(&[(PATH, "base"), ("input/b", "base")]);
        p1.write(PATH, "theirs");
        p1.write("input/b", "theirs");
        p1.sync();
        let running = p2.with("DSG_STOP_AT", point).start(&["sync"]);
        if !running.wait_for_stop() {
            running.end().ok();
            continue;
        }
        stopped.push(point);
        p2.write(PATH, "saved by the editor");
        running.go_on();
        let done = running.end();
        assert!(matches!(done.code(), Some(0 | 1 | 3 | 7)), "{point}: {done:?}");
        assert_eq!(p2.read(PATH), "saved by the editor", "{point}: {done:?}");
        let pending = p2.status();
        assert!(
            matches!(pending.state(PATH), "LCR.all_ne" | "LCR.C_eq_R"),
            "{point}: {pending:#?}"
        );
        assert_eq!(lab.there(PATH).unwrap(), "theirs", "{point}");
        if pending.action(PATH) == "conflict" {
            p2.resolve(PATH, "--both");
        }
        p2.sync();
        p2.assert_in_sync();
        assert!(p2.tree().0.keys().any(|p| p2.read(p) == "saved by the editor"), "{point}");
        assert_repository(&lab, &p2);
    }
    println!("stopped at {stopped:?}");
    assert!(stopped.len() >= 5, "stopped only at {stopped:?}");
}

#[test]
fn a_save_at_any_moment_of_a_deletion_survives() {
    for point in engine_points() {
        let lab = lab();
        let (p1, p2) = lab.pair(&[(PATH, "base"), ("input/b", "base")]);
        p1.remove(PATH);
        p1.sync();
        let running = p2.with("DSG_STOP_AT", point).start(&["sync"]);
        if !running.wait_for_stop() {
            running.end().ok();
            continue;
        }
        p2.write(PATH, "saved by the editor");
        running.go_on();
        let done = running.end();
        assert!(matches!(done.code(), Some(0 | 1 | 3 | 7)), "{point}: {done:?}");
        assert_eq!(p2.read(PATH), "saved by the editor", "{point}: {done:?}");
        let pending = p2.status();
        assert!(matches!(pending.state(PATH), "LC.ne" | "L"), "{point}: {pending:#?}");
    }
}

#[test]
fn a_writer_that_kept_the_file_open_loses_nothing() {
    for point in engine_points() {
        let lab = lab();
        let (p1, p2) = lab.pair(&[(PATH, "base"), ("input/b", "base")]);
        p1.write(PATH, "theirs");
        p1.sync();
        let mut open = std::fs::OpenOptions::new().append(true).open(p2.at(PATH)).unwrap();
        let running = p2.with("DSG_STOP_AT", point).start(&["sync"]);
        if !running.wait_for_stop() {
            running.end().ok();
            continue;
        }
        open.write_all(b", appended").unwrap();
        running.go_on();
        let done = running.end();
        assert!(matches!(done.code(), Some(0 | 1 | 3 | 7)), "{point}: {done:?}");
        drop(open);
        let wanted = dsg_core::entry::Hash::of(b"base, appended").0;
        let everything = Tree::of(&p2.dir, Scope::Everything);
        let is_wanted = |n: &Node| matches!(n, Node::File { sha256, .. } if *sha256 == wanted);
        assert!(everything.0.values().any(is_wanted), "{point}: {done:?}\n{everything:#?}");
    }
}

#[test]
fn a_file_that_changes_while_it_goes_up_is_never_torn() {
    for point in engine_points().into_iter().chain(dsg_host::crash::ALL.iter().map(|p| p.0)) {
        let lab = lab();
        let (p1, _) = lab.pair(&[(PATH, "base"), ("input/b", "base")]);
        p1.write(PATH, "first version");
        p1.write("input/c", "new");
        let running = p1.with("DSG_STOP_AT", point).start(&["sync"]);
        if running.wait_for_stop() {
            p1.write(PATH, "second version");
            running.go_on();
        }
        let done = running.end();
        let there = lab.there(PATH).unwrap();
        assert!(
            ["base", "first version", "second version"].contains(&there.as_str()),
            "{point}: {there}"
        );
        assert!(matches!(done.code(), Some(0 | 1 | 7)), "{point}: {done:?}");
        p1.sync();
        p1.assert_in_sync();
        assert_eq!(p1.tree(), lab.repo_tree(), "{point}");
        assert_repository(&lab, &p1);
    }
}

#[test]
fn a_file_that_vanishes_while_it_goes_up_is_left_out_or_deleted_never_half_there() {
    for point in engine_points() {
        let lab = lab();
        let (p1, _) = lab.pair(&[(PATH, "base"), ("input/b", "base")]);
        p1.write("input/c", "new");
        let running = p1.with("DSG_STOP_AT", point).start(&["sync"]);
        if !running.wait_for_stop() {
            running.end().ok();
            continue;
        }
        p1.remove("input/c");
        running.go_on();
        let done = running.end();
        assert!(matches!(done.code(), Some(0 | 1 | 7)), "{point}: {done:?}");
        p1.sync();
        p1.assert_in_sync();
        assert_eq!(lab.there("input/c"), None, "{point}");
    }
}

#[test]
fn stopping_before_the_publish_changes_nothing() {
    for point in ["engine.planned", "engine.staged", "engine.published"] {
        let lab = lab();
        let (p1, _) = lab.pair(&[(PATH, "base")]);
        p1.write(PATH, "changed");
        let before = lab.repo_tree();
        let running = p1.with("DSG_STOP_AT", point).start(&["sync"]);
        assert!(running.wait_for_stop(), "{point} is not passed: {:?}", running.end());
        running.signal(rustix::process::Signal::INT);
        running.go_on();
        let done = running.end();
        if point == "engine.published" {
            assert!(matches!(done.code(), Some(0 | 7)), "{done:?}");
            p1.sync();
        } else {
            done.expect(130).failed("cancelled");
            assert_eq!(lab.repo_tree(), before, "{point}");
            p1.sync();
        }
        p1.assert_in_sync();
        assert_repository(&lab, &p1);
    }
}

#[test]
fn two_people_syncing_at_once_wait_or_are_told_who_is_at_it() {
    let lab = lab();
    if lab.is_on_zfs() {
        return skipped("processes of another machine are not stopped from here");
    }
    let (p1, p2) = lab.pair(&[(PATH, "base")]);
    p1.write("input/one", "1");
    p2.write("input/two", "2");
    // What halts is the host's code: an agent, where the repository is on a host.
    let agent = lab.is_remote().then(|| Known::with(&lab, &p1, "DSG_STOP_AT=host.built"));
    let running = p1.with("DSG_STOP_AT", "host.built").start(&["sync"]);
    match &agent {
        Some(agent) => drop(agent.halted()),
        None => assert!(running.wait_for_stop(), "host.built is not passed"),
    }
    // A look at what is pending disturbs nobody.
    assert_eq!(p2.status().action("input/two"), "upload");
    let refused = p2.try_sync(&[]).expect(5).failed("locked");
    assert!(
        refused.json()["error"]["message"].as_str().unwrap().contains("p1@example.org"),
        "{refused:?}"
    );
    match agent {
        Some(agent) => kill_process(agent.process(), Signal::CONT).unwrap(),
        None => running.go_on(),
    }
    running.end().ok();
    p2.sync();
    p1.sync();
    assert_eq!(p1.tree(), p2.tree());
    assert_repository(&lab, &p1);
}
