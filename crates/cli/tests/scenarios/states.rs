//! Every three-way state, produced for real with two checkouts, and ended right.

use dsg_testkit::keeping::assert_repository;
use dsg_testkit::lab::{Checkout, Lab};

use crate::lab;

/// Path, state at p2, what a sync there would do.
const STATES: [(&str, &str, &str); 15] = [
    ("input/L_eq_C", "LCR.L_eq_C", "download"),
    ("input/L_eq_R", "LCR.L_eq_R", "cache"),
    ("input/C_eq_R", "LCR.C_eq_R", "upload"),
    ("input/all_ne", "LCR.all_ne", "conflict"),
    ("input/CR.eq", "CR.eq", "delete_remote"),
    ("input/CR.ne", "CR.ne", "conflict"),
    ("input/LR.eq", "LR.eq", "cache"),
    ("input/LR.ne", "LR.ne", "conflict"),
    ("input/LC.eq", "LC.eq", "delete_local"),
    ("input/LC.ne", "LC.ne", "conflict"),
    ("input/R", "R", "download"),
    ("input/C", "C", "cache"),
    ("input/L", "L", "upload"),
    ("input/clash", "clash", "conflict"),
    ("input/clash/inside", "clash", "conflict"),
];

#[test]
fn all_states_at_once_and_their_ends() {
    all_states(&lab());
}

/// Makes a repository, clones it, and brings every state there is to its end.
pub(crate) fn all_states(lab: &Lab) -> (Checkout, Checkout) {
    let everywhere =
        ["all_eq", "L_eq_C", "L_eq_R", "C_eq_R", "all_ne", "CR.eq", "CR.ne", "LC.eq", "LC.ne", "C"];
    let files: Vec<_> =
        everywhere.iter().map(|n| (format!("input/{n}"), format!("base of {n}"))).collect();
    let files: Vec<_> = files.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect();
    let (p1, p2) = lab.pair(&files);

    for name in ["L_eq_C", "all_ne", "CR.ne", "LR.ne", "R"] {
        p1.write(&format!("input/{name}"), format!("theirs {name}"));
    }
    for name in ["L_eq_R", "LR.eq"] {
        for checkout in [&p1, &p2] {
            checkout.write(&format!("input/{name}"), format!("same {name}"));
        }
    }
    for name in ["LC.eq", "LC.ne", "C"] {
        p1.remove(&format!("input/{name}"));
    }
    p1.write("input/clash", "a file");
    p1.sync();
    for name in ["C_eq_R", "all_ne", "LR.ne", "LC.ne", "L"] {
        p2.write(&format!("input/{name}"), format!("mine {name}"));
    }
    for name in ["CR.eq", "CR.ne", "C"] {
        p2.remove(&format!("input/{name}"));
    }
    p2.write("input/clash/inside", "in a folder");

    let pending = p2.status();
    for (path, state, action) in STATES {
        assert_eq!((pending.state(path), pending.action(path)), (state, action), "{path}");
    }
    assert!(!pending.changes.contains_key("input/all_eq"));
    assert_eq!(pending.changes.len(), STATES.len(), "{pending:#?}");

    // Conflicts block, and nothing moves.
    let (local, remote) = (p2.tree(), lab.repo_tree());
    let refused = p2.try_sync(&[]).expect(3).failed("conflicts");
    let named = refused.texts("paths");
    for path in ["input/all_ne", "input/CR.ne", "input/LR.ne", "input/LC.ne", "input/clash"] {
        assert!(named.iter().any(|p| p == path), "{path} is not named in {named:?}");
    }
    assert_eq!((p2.tree(), lab.repo_tree()), (local, remote));

    // Everything else can be synced; conflicts stay as they are on every side.
    let done = p2.try_sync(&["--except-conflicts"]).expect(3);
    assert!(done.json()["snapshot"].is_string(), "{done:?}");
    let pending = p2.status();
    for (path, state, action) in STATES {
        let expected = if action == "conflict" { (state, action) } else { ("LCR.all_eq", "none") };
        assert_eq!((pending.state(path), pending.action(path)), expected, "{path}");
    }
    assert_eq!(p2.read("input/all_ne"), "mine all_ne");
    assert_eq!(lab.there("input/all_ne").as_deref(), Some("theirs all_ne"));
    assert!(lab.there("input/CR.eq").is_none() && !p2.has("input/LC.eq"));

    for (path, _, _) in STATES.iter().filter(|s| s.2 == "conflict") {
        p2.resolve(path, "--local");
    }
    p2.sync();
    p2.assert_in_sync();
    p1.sync();
    p1.assert_in_sync();
    assert_eq!(p1.tree(), p2.tree());
    assert_eq!(p1.tree(), lab.repo_tree());
    assert_eq!(p1.read("input/clash/inside"), "in a folder");
    assert!(!p1.has("input/CR.ne"));
    assert_repository(lab, &p1);
    (p1, p2)
}

#[test]
fn nothing_to_do_publishes_nothing() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "one")]);
    for checkout in [&p1, &p2] {
        assert!(checkout.sync().json()["snapshot"].is_null());
        checkout.assert_in_sync();
    }
    // The same change on both sides is news for the cache only.
    for checkout in [&p1, &p2] {
        checkout.write("input/a", "two");
    }
    assert_eq!(p1.sync().json()["snapshot"], "s2");
    assert!(p2.sync().json()["snapshot"].is_null());
    p2.assert_in_sync();
}

#[test]
fn a_dry_run_changes_nothing() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "one"), ("input/b", "one")]);
    p1.write("input/a", "two");
    p1.sync();
    p2.write("input/c", "three");
    p2.remove("input/b");
    let (local, remote, pending) = (p2.tree(), lab.repo_tree(), p2.status());
    let told = p2.try_sync(&["--dry-run"]).ok().json();
    assert_eq!(
        (&told["uploaded"], &told["downloaded"], &told["deleted_remote"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!((p2.tree(), lab.repo_tree(), p2.status()), (local, remote, pending));
}

#[test]
fn a_move_sends_no_byte() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[
        ("input/old", "a content that is not small, so that it would show"),
        ("input/b", "x"),
    ]);
    p1.rename("input/old", "output/deep/new");
    let pending = p1.status();
    assert_eq!(pending.action("output/deep/new"), "move_remote", "{pending:#?}");
    let done = p1.sync().json();
    assert_eq!(
        (&done["moved"], &done["bytes_sent"], &done["uploaded"]),
        (&1.into(), &0.into(), &0.into())
    );
    assert_eq!(p2.status().action("output/deep/new"), "move_local");
    let done = p2.sync().json();
    assert_eq!((&done["moved"], &done["bytes_received"]), (&1.into(), &0.into()));
    assert_eq!(p2.tree(), p1.tree());
    assert!(!p2.has("input/old"));
    assert_repository(&lab, &p2);
}

#[test]
fn a_file_may_become_a_folder_and_back_where_nobody_else_is_in_the_way() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/x", "a file"), ("input/keep", "x")]);
    p1.remove("input/x");
    p1.write("input/x/y/z", "in a folder");
    p1.sync();
    p2.sync();
    assert_eq!(p2.tree(), p1.tree());
    p2.remove("input/x");
    p2.write("input/x", "a file again");
    p2.sync();
    p1.sync();
    assert_eq!(p1.read("input/x"), "a file again");
    assert_repository(&lab, &p1);
}

#[test]
fn others_see_who_is_at_work_and_for_which_snapshot() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "base")]);
    p2.write("input/a", "longer than before");
    let running = p2.with("DSG_STOP_AT", "engine.staged").start(&["sync"]);
    assert!(running.wait_for_stop());
    let told = p1.dsg(&["status"]).ok().json();
    let lease = &told["at_work"][0];
    assert_eq!((&lease["work"], &lease["snapshot"]), (&"staging".into(), &"s2".into()), "{told}");
    assert_eq!(lease["who"], "p2@example.org");
    assert!(lease["since"].is_string() && lease["bytes"].is_array());
    let words = p1.words(&["status"]).ok();
    assert!(words.stdout.contains("uploads for s2"), "{}", words.stdout);
    running.go_on();
    running.end().ok();
    assert!(p1.dsg(&["status"]).ok().json()["at_work"].is_null());

    // A publish, where it runs in the process that is stopped (and not on another host).
    p2.write("input/a", "and longer still");
    let running = p2.with("DSG_STOP_AT", "host.locked").start(&["sync"]);
    if running.wait_for_stop() {
        let told = p1.dsg(&["status"]).ok().json();
        let leases = told["at_work"].as_array().unwrap();
        assert_eq!(leases.len(), 1, "{told}");
        assert_eq!(
            (&leases[0]["work"], &leases[0]["snapshot"]),
            (&"publishing".into(), &"s3".into())
        );
        // Whoever has to wait hears for whom.
        p1.write("input/b", "mine");
        let busy = p1.try_sync(&[]).expect(5).failed("locked").json();
        let message = busy["error"]["message"].as_str().unwrap();
        assert!(message.contains("publishes s3"), "{message}");
        running.go_on();
    }
    running.end().ok();
}
