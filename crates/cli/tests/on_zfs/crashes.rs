//! The agent dies at every place between two steps; whoever opens the repository next finds it before or
//! after, and nothing is left over.

use dsg_testkit::keeping::{assert_datasets, assert_repository};
use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::zfs_host::{Version, at_length};

use crate::lab_on;

/// Names every point, also those that are otherwise tried by themselves, on the hands alone.
pub fn all_of_them() -> bool {
    std::env::var_os("DSG_CRASH_MATRIX").is_some()
}

/// What the agent passes while something is done.
fn trace(lab: &Lab, checkout: &Checkout, deed: impl FnOnce()) -> Vec<String> {
    let (host, dataset) = lab.zfs();
    let trace = format!("/tmp/trace-{}", dataset.replace('/', "-"));
    lab.agent_runs_with(checkout, &format!("DSG_TRACE_POINTS={trace}"));
    deed();
    lab.agent_runs_with(checkout, "DSG_NOTHING=");
    host.run(&format!("cat {trace}; rm {trace}")).lines().map(str::to_owned).collect()
}

/// The same, each with how many times it was passed until then.
pub fn points(lab: &Lab, checkout: &Checkout, deed: impl FnOnce()) -> Vec<String> {
    let mut passed: Vec<String> = Vec::new();
    // Our own files in a clone count only as a whole.
    let is_one =
        |name: &&String| all_of_them() || *name != "zfs.ran" && !name.starts_with("host.rolled.");
    for name in trace(lab, checkout, deed).iter().filter(is_one) {
        let before = passed.iter().filter(|p| p.split('#').next() == Some(name)).count();
        passed.push(format!("{name}#{}", before + 1));
    }
    passed
}

/// The agent dies at that place while something is done.
fn dies_at(lab: &Lab, checkout: &Checkout, point: &str, deed: impl FnOnce()) {
    lab.agent_runs_with(checkout, &format!("DSG_CRASH_AT={point}"));
    deed();
    lab.agent_runs_with(checkout, "DSG_NOTHING=");
}

#[test]
fn a_sync_whose_turn_it_is_asks_the_programs_eight_times_at_most() {
    for lab in Version::ALL.into_iter().filter_map(lab_on) {
        let (p1, _) = lab.pair(&[("input/a", "0")]);
        p1.write("input/a", "1");
        let all = trace(&lab, &p1, || drop(p1.sync()));
        let place = |name: &str| all.iter().position(|p| p == name).unwrap();
        // What takes the longer the more files there are is done before.
        assert!(place("host.listed") < place("host.locked"), "{all:?}");
        let publish = &all[place("host.locked")..=place("zfs.destroyed")];
        assert!(publish.contains(&"zfs.decided".to_owned()), "{all:?}");
        let calls = publish.iter().filter(|p| *p == "zfs.ran").count();
        eprintln!("{calls} calls from the lock to the end, {} in all", all.len());
        assert!((1..=8).contains(&calls), "{calls}: {publish:?}");
        assert_datasets(&lab);
    }
}

#[test]
fn a_sync_whose_agent_dies_anywhere_has_happened_or_not() {
    if !at_length("a_sync_whose_agent_dies_anywhere_has_happened_or_not") {
        return;
    }
    let Some(lab) = lab_on(Version::New) else { return };
    let (p1, p2) = lab.pair(&[("input/a", "0"), ("input/b", "kept"), ("input/c", "0")]);
    let change = |content: &str| {
        p1.write("input/a", content);
        p1.write(&format!("input/new {content}"), content);
    };
    change("1");
    let all = points(&lab, &p1, || drop(p1.sync()));
    for must in ["host.begun", "host.applied", "zfs.decided", "zfs.place-taken", "zfs.switched"] {
        assert!(all.iter().any(|p| p.starts_with(must)), "{must} is not among {all:?}");
    }
    for (turn, point) in (2..).zip(&all) {
        let (old, new) = (lab.there("input/a").unwrap(), turn.to_string());
        change(&new);
        dies_at(&lab, &p1, point, || drop(p1.try_sync(&[])));
        // A mere look finishes or undoes it.
        let pending = p1.status();
        let there = lab.there("input/a").unwrap();
        let happened = pending.state("input/a") == "LCR.all_eq";
        assert_eq!(there, if happened { &*new } else { &*old }, "{point}");
        assert_eq!(lab.there(&format!("input/new {new}")).is_some(), happened, "{point}");
        p1.sync();
        p1.assert_in_sync();
        assert_eq!(lab.there("input/a").as_deref(), Some(&*new), "{point}");
        assert_datasets(&lab);
    }
    p2.sync();
    assert_eq!(p1.tree(), p2.tree());
    assert_eq!(p1.tree(), lab.repo_tree());
    assert_repository(&lab, &p1);
}

#[test]
fn an_init_whose_agent_dies_anywhere_has_happened_or_not() {
    if !at_length("an_init_whose_agent_dies_anywhere_has_happened_or_not") {
        return;
    }
    let Some(lab) = lab_on(Version::New) else { return };
    let (host, dataset) = lab.zfs();
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    let all = points(&lab, &p1, || drop(p1.init()));
    for point in &all {
        host.run(&format!("zfs destroy -r {dataset}"));
        for ours in [".dsg", ".dsgconfig.yml"] {
            p1.remove(ours);
        }
        dies_at(&lab, &p1, point, || drop(p1.try_init()));
        if !p1.has(".dsg") || p1.dsg(&["status"]).code() != Some(0) {
            p1.init();
        }
        p1.assert_in_sync();
        assert_eq!(lab.there("input/a").as_deref(), Some("one"), "{point}");
        assert_datasets(&lab);
    }
}

#[test]
fn an_adoption_whose_agent_dies_anywhere_has_happened_or_not() {
    if !at_length("an_adoption_whose_agent_dies_anywhere_has_happened_or_not") {
        return;
    }
    let Some(lab) = lab_on(Version::New) else { return };
    let (host, _) = lab.zfs();
    let (p1, _) = lab.pair(&[("input/a", "0")]);
    let write = |content: &str| {
        host.run(&format!("printf {content} > {}/input/a; sync", lab.repo.display()));
    };
    let adopt = || drop(p1.try_sync(&["--allow", "drift"]));
    write("1");
    let all = points(&lab, &p1, adopt);
    // What it has of its own; the rest is as in a sync.
    let own = ["zfs.frozen#1", "zfs.cloned#1", "host.adopt.prepared#1", "zfs.decided#1"];
    let own = own.iter().chain(&["zfs.place-taken#1", "zfs.dropped#1"]);
    for (turn, point) in (2..).zip(own) {
        assert!(all.iter().any(|p| p == point), "{point} is not among {all:?}");
        let content = turn.to_string();
        write(&content);
        dies_at(&lab, &p1, point, adopt);
        assert_eq!(lab.there("input/a").as_deref(), Some(&*content), "{point}");
        p1.try_sync(&["--allow", "drift"]).ok();
        p1.assert_in_sync();
        assert_eq!(p1.read("input/a"), content, "{point}");
        assert_datasets(&lab);
    }
    assert_repository(&lab, &p1);
}
