//! The host loses its power in the middle, with its disks as they are then; it boots again, and whoever looks
//! next finds it before or after.

use std::ffi::OsString;

use dsg_testkit::keeping::{assert_datasets, assert_repository};
use dsg_testkit::lab::{Checkout, Lab, Pending};
use dsg_testkit::zfs_host::{Version, ZfsHost, at_length};

use crate::DSG;
use crate::crashes::{all_of_them, points};

/// The agent stops at that place while something is done, and the power goes.
pub fn power_goes_at(lab: &Lab, checkout: &Checkout, point: &str, deed: &[OsString]) {
    let (host, _) = lab.zfs();
    if lab.has_helper() {
        lab.helper_runs_with(&format!("DSG_STOP_AT={point}"));
    } else {
        lab.agent_runs_with(checkout, &format!("DSG_STOP_AT={point}"));
    }
    let begun = checkout.start(deed);
    let stopped = "ps -eo stat,args | grep -q '^T.*dsg-agent'";
    host.run(&format!("for i in $(seq 900); do {stopped} && exit 0; sleep 0.1; done; exit 1"));
    host.crash();
    let ended = begun.end();
    assert!(ended.code().is_some_and(|code| code > 0), "{point}: {ended:?}");
    if lab.has_helper() {
        lab.allow_helper();
    } else {
        lab.agent_runs_with(checkout, "DSG_NOTHING=");
    }
}

/// All of them where all are asked for, else some.
fn some(all: Vec<String>, some: &[&str]) -> Vec<String> {
    for point in some {
        assert!(all.iter().any(|p| p == point), "{point} is not among {all:?}");
    }
    if all_of_them() { all } else { some.iter().map(|&p| p.to_owned()).collect() }
}

pub fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

#[test]
fn a_power_cut_anywhere_in_a_sync_or_in_an_init_has_let_it_happen_or_not() {
    if !at_length("a_power_cut_anywhere_in_a_sync_or_in_an_init_has_let_it_happen_or_not") {
        return;
    }
    let Some(host) = ZfsHost::own(Version::New) else { return };
    // Labs keep it as long as the program runs.
    let host: &'static ZfsHost = Box::leak(Box::new(host));
    syncs(&Lab::on_zfs(DSG, host));
    inits(&Lab::on_zfs(DSG, host));
}

fn syncs(lab: &Lab) {
    let (p1, p2) = lab.pair(&[("input/a", "0"), ("input/b", "kept")]);
    let change = |content: &str| {
        p1.write("input/a", content);
        p1.write(&format!("input/new {content}"), content);
    };
    change("1");
    let all = points(lab, &p1, || drop(p1.sync()));
    let places = ["host.applied#1", "zfs.decided#1", "zfs.stepped-aside#1", "zfs.switched#1"];
    for (turn, point) in (2..).zip(some(all, &places)) {
        let (old, new) = (lab.there("input/a").unwrap(), turn.to_string());
        change(&new);
        power_goes_at(lab, &p1, &point, &words(&["sync", "-m", "a sync"]));
        // A mere look finishes or undoes it.
        let told = p1.dsg(&["status"]).ok().json();
        let pending = Pending::of(&told);
        let happened = pending.state("input/a") == "LCR.all_eq";
        let there = lab.there("input/a").unwrap();
        assert_eq!(there, if happened { &*new } else { &*old }, "{point}");
        assert_eq!(lab.there(&format!("input/new {new}")).is_some(), happened, "{point}");
        if let Some(at) = places.iter().position(|place| *place == point) {
            assert_eq!(happened, at > 0, "{point}");
            let settled = &told["standing"]["settled"];
            let whole =
                if happened { settled["finished"] == told["head"] } else { settled == "undone" };
            assert!(whole, "{point}: {told}");
        }
        if happened {
            assert_datasets(lab);
        }
        p1.sync();
        p1.assert_in_sync();
        assert_eq!(lab.there("input/a"), Some(new), "{point}");
        assert_datasets(lab);
    }
    p2.sync();
    assert_eq!(p1.tree(), p2.tree());
    assert_eq!(p1.tree(), lab.repo_tree());
    assert_repository(lab, &p1);
}

fn inits(lab: &Lab) {
    let (host, dataset) = lab.zfs();
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    let all = points(lab, &p1, || drop(p1.init()));
    for point in some(all, &["zfs.owned#1", "zfs.decided#1", "zfs.place-taken#1"]) {
        host.run(&format!("zfs destroy -r {dataset}"));
        for ours in [".dsg", ".dsgconfig.yml"] {
            p1.remove(ours);
        }
        let init = [words(&["init"]), vec![lab.address()], words(&["-m", "first"])].concat();
        power_goes_at(lab, &p1, &point, &init);
        if !p1.has(".dsg") || p1.dsg(&["status"]).code() != Some(0) {
            p1.init();
        }
        p1.assert_in_sync();
        assert_eq!(lab.there("input/a").as_deref(), Some("one"), "{point}");
        assert_datasets(lab);
    }
}
