//! What people and programs do on the host itself, and what a dataset is for.

use std::process::Stdio;

use dsg_testkit::keeping::{assert_datasets, assert_repository};
use dsg_testkit::lab::Lab;
use dsg_testkit::zfs_host::{USER, Version, ZfsHost, at_length};

use crate::{DSG, lab_on};

/// Runs a story on both versions.
fn on_both(story: impl Fn(Lab)) {
    Version::ALL.into_iter().filter_map(lab_on).for_each(story);
}

/// On the newer one, where the version makes no difference.
fn on_new(story: impl Fn(Lab)) {
    lab_on(Version::New).into_iter().for_each(story);
}

#[test]
fn what_was_changed_on_the_host_is_told_and_becomes_a_snapshot_of_its_own() {
    on_both(|lab| {
        let (p1, p2) = lab.pair(&[("input/a", "one"), ("input/b", "two"), ("input/d/c", "three")]);
        let (host, dataset) = lab.zfs();
        let at = lab.repo.display();
        host.run(&format!(
            "cd {at}; echo made > input/made; echo other > input/a; mv input/d input/e"
        ));
        p1.write("input/mine", "mine");
        let changed = ["input/a", "input/d/c", "input/e/c", "input/made"];
        host.run("zpool sync");
        assert_eq!(p1.dsg(&["status"]).ok().texts("drift"), changed);
        let halted = p1.try_sync(&[]).expect(4).failed("drift");
        assert_eq!(halted.texts("paths"), changed);
        p1.try_sync(&["--allow", "drift"]).ok();
        p1.assert_in_sync();
        assert_eq!((p1.read("input/a"), p1.read("input/e/c")), ("other\n".into(), "three".into()));
        p2.sync();
        assert_eq!(p1.tree(), p2.tree());
        assert_eq!(p1.tree(), lab.repo_tree());
        let status = p2.dsg(&["status"]).ok().json();
        assert_eq!((&status["head"], &status["drift"]), (&"s3".into(), &serde_json::Value::Null));
        let standing = &status["standing"];
        assert!(
            standing["filesystem"] == dsg_host::zfs::KIND && standing["dataset"] == dataset,
            "{standing}"
        );
        assert!(standing["used"].as_u64() > Some(0), "{standing}");
        assert_repository(&lab, &p1);
    });
}

#[test]
fn what_is_not_tracked_on_the_host_is_no_drift_and_stays() {
    if !at_length("what_is_not_tracked_on_the_host_is_no_drift_and_stays") {
        return;
    }
    on_new(|lab| {
        let p1 = lab.checkout("p1");
        p1.write("input/a", "one");
        p1.dsg(&["init".as_ref(), lab.address().as_os_str(), "--data-dir=input".as_ref()]).ok();
        let (host, _) = lab.zfs();
        let at = lab.repo.display();
        host.run(&format!("cd {at}; mkdir -p scratch/deep; echo job > scratch/deep/log; sync"));
        for (turn, content) in ["two", "three"].into_iter().enumerate() {
            p1.write("input/a", content);
            p1.sync();
            assert_eq!(lab.there("scratch/deep/log").as_deref(), Some("job\n"), "{turn}");
            assert_eq!(lab.there("input/a").as_deref(), Some(content));
        }
        assert_datasets(&lab);
    });
}

#[test]
fn a_snapshot_costs_what_changed_in_a_large_file_not_what_it_holds() {
    if !at_length("a_snapshot_costs_what_changed_in_a_large_file_not_what_it_holds") {
        return;
    }
    on_new(|lab| {
        let (host, dataset) = lab.zfs();
        let p1 = lab.checkout("p1");
        // Nothing that a pool could compress.
        let mut seed = 1_u64;
        let mut noise = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            seed.to_be_bytes()[0]
        };
        let mut content: Vec<u8> = (0..64 << 20).map(|_| noise()).collect();
        p1.write("input/large", &content);
        p1.init();
        content[30 << 20..31 << 20].fill_with(&mut noise);
        p1.write("input/large", &content);
        p1.sync();
        let written = host.run(&format!("zfs get -Hp -o value written {dataset}@s2"));
        let written: u64 = written.trim().parse().unwrap();
        eprintln!("{written} bytes for 1 MiB of 64");
        assert!((1 << 20..=2 << 20).contains(&written), "{written} bytes for 1 MiB");
        p1.dsg(&["validate-snapshot", "s2", "--deep"]).ok();
    });
}

#[test]
fn a_snapshot_costs_what_changed_in_the_list_of_many_files_not_what_it_holds() {
    if !at_length("a_snapshot_costs_what_changed_in_the_list_of_many_files_not_what_it_holds") {
        return;
    }
    on_new(|lab| {
        let (host, dataset) = lab.zfs();
        host.run(&format!("zfs set compression=off {}", dataset.rsplit_once('/').unwrap().0));
        let p1 = lab.checkout("p1");
        let long = "x".repeat(230);
        let path = |n| format!("input/{}/{n}-{long}", n / 500);
        for n in 1000..5000 {
            p1.write(&path(n), "");
        }
        p1.init();
        p1.write(&path(3000), "another");
        p1.sync();
        let number = |script: &str| host.run(script).trim().parse::<u64>().unwrap();
        let list = number(&format!("stat -c %s {}/.dsg/manifest", lab.repo.display()));
        let written = number(&format!("zfs get -Hp -o value written {dataset}@s2"));
        eprintln!("{written} bytes written, of a list of {list}");
        assert!(list > 1 << 20 && written < list / 2, "{written} bytes, of a list of {list}");
        assert_repository(&lab, &p1);
    });
}

#[test]
fn who_sits_in_the_live_folder_stops_nobody_and_keeps_nothing_for_long() {
    if !at_length("who_sits_in_the_live_folder_stops_nobody_and_keeps_nothing_for_long") {
        return;
    }
    on_both(|lab| {
        let (p1, _) = lab.pair(&[("input/a", "one")]);
        let (host, dataset) = lab.zfs();
        let sits = format!("cd {}; echo sits; read x", lab.repo.display());
        let mut sits = host.ssh(&[&sits]);
        let mut sits = sits.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        let mut said = std::io::BufReader::new(sits.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut said, &mut told).unwrap();
        for content in ["two", "three"] {
            p1.write("input/a", content);
            p1.sync();
            assert_eq!(lab.there("input/a").as_deref(), Some(content));
        }
        let former = host.run("zfs list -H -o name");
        assert!(former.contains(&format!("{dataset}.dsg-old-")), "{former}");
        drop(sits.stdin.take());
        sits.wait().unwrap();
        p1.assert_in_sync();
        assert_datasets(&lab);
    });
}

#[test]
fn what_was_written_after_the_decision_is_not_lost() {
    if !at_length("what_was_written_after_the_decision_is_not_lost") {
        return;
    }
    on_new(|lab| {
        let (p1, _) = lab.pair(&[("input/a", "one"), ("input/b", "kept")]);
        let (host, _) = lab.zfs();
        p1.write("input/a", "two");
        lab.agent_runs_with(&p1, "DSG_STOP_AT=zfs.decided");
        let syncs = p1.start(&["sync", "-m", "two"]);
        let stopped = "ps -eo pid,stat,args | awk '$2 ~ /^T/ && /dsg-agent/ {print $1}'";
        host.run(&format!(
            "until p=$({stopped}); [ -n \"$p\" ]; do sleep 0.1; done; cd {}; \
             echo late > input/b; echo late > input/new; sync; kill -CONT $p",
            lab.repo.display()
        ));
        syncs.end().ok();
        lab.agent_runs_with(&p1, "DSG_NOTHING=");
        assert_eq!(lab.there("input/a").as_deref(), Some("two"));
        assert_eq!(lab.there("input/b").as_deref(), Some("kept"));
        for path in ["input/b.late-s2", "input/new"] {
            assert_eq!(lab.there(path).as_deref(), Some("late\n"), "{path}");
        }
        assert_datasets(&lab);
        p1.write("input/a", "three");
        let halted = p1.try_sync(&[]).expect(4).failed("drift");
        assert_eq!(halted.texts("paths"), ["input/b.late-s2", "input/new"]);
    });
}

#[test]
fn another_programs_snapshots_stay_and_are_in_nobodys_way() {
    if !at_length("another_programs_snapshots_stay_and_are_in_nobodys_way") {
        return;
    }
    on_new(|lab| {
        let (p1, p2) = lab.pair(&[("input/a", "one")]);
        let (host, dataset) = lab.zfs();
        host.run(&format!("zfs snapshot {dataset}@autosnap_1"));
        p1.write("input/a", "two");
        p1.sync();
        host.run(&format!("zfs snapshot {dataset}@autosnap_2"));
        p2.write("input/b", "three");
        p2.sync();
        let listed = host.run(&format!("zfs list -H -t snapshot -o name -s createtxg {dataset}"));
        let names: Vec<&str> = listed.lines().filter_map(|l| l.split('@').nth(1)).collect();
        assert_eq!(names, ["s1", "autosnap_1", "s2", "autosnap_2", "s3"]);
    });
}

#[test]
fn each_sync_is_sent_to_another_pool_as_it_comes() {
    if !at_length("each_sync_is_sent_to_another_pool_as_it_comes") {
        return;
    }
    on_both(|lab| {
        let (p1, _) = lab.pair(&[("input/a", "1"), ("input/b", "kept")]);
        let (host, dataset) = lab.zfs();
        let backup = host.pool(128);
        let copy = format!("{}/copy", backup.name);
        host.run(&format!("zfs send {dataset}@s1 | zfs recv -u {copy}"));
        for number in 2..=11 {
            p1.write("input/a", number.to_string());
            p1.sync();
            let last = number - 1;
            // With -p it takes along which transaction made it.
            let send = format!("zfs send -p -i @s{last} {dataset}@s{number} | zfs recv -u {copy}");
            host.run(&format!("set -e; {send}; zfs list {copy}@s{number}"));
        }
        let there = host.run(&format!("zfs mount {copy}; cat /{copy}/input/a /{copy}/input/b"));
        assert_eq!(there, "11kept");
        let made_by = "zfs get -H -o value dsg:transaction";
        let made_by = |of: &str| host.run(&format!("{made_by} {of}@s11"));
        assert_eq!(made_by(&copy), made_by(&dataset));
        assert_datasets(&lab);
    });
}

#[test]
fn former_snapshots_go_by_a_rule_but_for_those_that_something_needs() {
    if !at_length("former_snapshots_go_by_a_rule_but_for_those_that_something_needs") {
        return;
    }
    on_both(|lab| {
        let (p1, p2) = lab.pair(&[("input/a", "1")]);
        let (host, dataset) = lab.zfs();
        for number in 2..=5 {
            p1.write("input/a", format!("{number}").repeat(300_000));
            p1.sync();
        }
        let log = p1.dsg(&["log"]).ok().json();
        let newest = &log["snapshots"][0];
        let cost = |what: &str| newest["space"][what].as_u64().unwrap();
        assert!(newest["id"] == "s5" && cost("refer") >= cost("written"), "{newest}");
        assert!(cost("written") > 0, "{newest}");
        host.run(&format!(
            "zfs hold backup {dataset}@s2; cat {}/.zfs/snapshot/s3/input/a > /dev/null",
            lab.repo.display()
        ));
        let would = p1.dsg(&["prune", "--keep", "2"]).ok().json();
        let told = |report: &serde_json::Value| {
            (report["snapshots"].to_string(), report["stays"][0]["snapshot"].to_string())
        };
        assert_eq!(told(&would), ("[\"s1\",\"s3\"]".into(), "\"s2\"".into()));
        assert!(would["removed"] == false && would["freed"].as_u64() > Some(0), "{would}");
        let names = || {
            host.run(&format!(
                "zfs list -H -t snapshot -o name -s createtxg {dataset} | cut -d @ -f 2"
            ))
        };
        assert_eq!(names(), "s1\ns2\ns3\ns4\ns5\n");
        let did = p1.dsg(&["prune", "--keep", "last=2", "--yes"]).ok().json();
        assert_eq!((told(&did), &did["freed"]), (told(&would), &would["freed"]));
        assert_eq!(names(), "s2\ns4\ns5\n");
        host.run(&format!("zfs release backup {dataset}@s2"));
        // What was is known still, and all goes on.
        assert_eq!(p1.dsg(&["log"]).ok().json()["snapshots"].as_array().unwrap().len(), 5);
        p1.dsg(&["restore", "s1", "input/a"]).failed("not-found");
        p2.sync();
        p2.write("input/a", "6");
        p2.sync();
        p1.sync();
        assert_eq!(p1.tree(), lab.repo_tree());
        p1.dsg(&["validate-chain", "--deep"]).ok();
    });
}

#[test]
fn former_files_come_back_from_snapshots_and_that_is_in_no_ones_way() {
    if !at_length("former_files_come_back_from_snapshots_and_that_is_in_no_ones_way") {
        return;
    }
    on_new(|lab| {
        let (p1, p2) = lab.pair(&[("input/a", "one"), ("input/b", "kept")]);
        p1.write("input/a", "two");
        p1.remove("input/b");
        p1.sync();
        p2.sync();
        // Whoever reads in a former snapshot on the host has it mounted.
        let (host, _) = lab.zfs();
        host.run(&format!("cat {}/.zfs/snapshot/s1/input/b", lab.repo.display()));
        p2.dsg(&["restore", "s1"]).ok();
        assert_eq!((p2.read("input/a"), p2.read("input/b")), ("one".into(), "kept".into()));
        p2.sync();
        p1.sync();
        assert_eq!(p1.tree(), lab.repo_tree());
        p1.dsg(&["validate-snapshot", "--all"]);
        p1.write("input/a", "four");
        p1.sync();
        assert_repository(&lab, &p1);
    });
}

#[test]
fn what_cannot_be_published_is_refused_with_a_sentence_and_nothing_changes() {
    if !at_length("what_cannot_be_published_is_refused_with_a_sentence_and_nothing_changes") {
        return;
    }
    on_both(|lab| {
        let (host, dataset) = lab.zfs();
        let above = dataset.rsplit_once('/').unwrap().0;
        let p0 = lab.checkout("p0");
        p0.write("input/a", "one");
        // A dataset that is none of ours.
        host.run(&format!("zfs create {dataset}; echo mine > {}/file", lab.repo.display()));
        p0.try_init().failed("exists");
        assert_eq!(lab.there("file").as_deref(), Some("mine\n"));
        // A folder that stands where it would be.
        let at = lab.repo.display();
        host.run(&format!("zfs destroy {dataset}; mkdir -p {at}; echo mine > {at}/file"));
        p0.try_init().failed("exists");
        assert_eq!(lab.there("file").as_deref(), Some("mine\n"));
        host.run(&format!("rm -r {at}; zfs set readonly=on {above}"));
        p0.try_init().failed("permission");
        host.run(&format!("zfs inherit readonly {above}"));
        p0.init();
        // One below it, which a snapshot would not hold.
        host.run(&format!("zfs create {dataset}/below"));
        p0.write("input/a", "two");
        let refused = p0.try_sync(&[]).failed("unsupported");
        assert!(refused.json().to_string().contains("below"), "{refused:?}");
        host.run(&format!("zfs destroy {dataset}/below; zfs set readonly=on {dataset}"));
        p0.try_sync(&[]).failed("permission");
        // Less room than what is to come.
        host.run(&format!("zfs inherit readonly {dataset}; zfs set quota=40M {dataset}"));
        p0.write("input/large", vec![1; 60_000_000]);
        p0.try_sync(&[]).failed("space");
        p0.remove("input/large");
        host.run(&format!("zfs set snapshot_limit=1 {dataset}"));
        let refused = p0.try_sync(&[]).failed("space");
        assert!(refused.json().to_string().contains("limit"), "{refused:?}");
        host.run(&format!("zfs set snapshot_limit=none quota=none {dataset}"));
        assert_eq!(lab.there("input/a").as_deref(), Some("one"));
        p0.sync();
        assert_datasets(&lab);
    });
}

#[test]
fn an_ordinary_user_does_all_of_it_through_the_helper() {
    let Some(host) = ZfsHost::shared(Version::New) else { return };
    let lab = Lab::on_zfs_as_user(DSG, host);
    let (p1, p2) = lab.pair(&[("input/a", "one"), ("input/b", "two")]);
    p1.write("input/a", "changed");
    p1.remove("input/b");
    p1.sync();
    p2.write("input/c", "three");
    p2.sync();
    p1.sync();
    assert_eq!(p1.tree(), p2.tree());
    assert_eq!(p1.tree(), lab.repo_tree());
    p1.dsg(&["restore", "s1", "input/b"]).ok();
    p1.sync();
    let owner = host.run(&format!("stat -c %U {0} {0}/input/b", lab.repo.display()));
    assert_eq!(owner, format!("{USER}\n{USER}\n"));
    assert_repository(&lab, &p1);
}

#[test]
fn a_plain_folder_is_made_where_it_is_asked_for_and_stays_one() {
    let Some(lab) = lab_on(Version::New) else { return };
    let (host, _) = lab.zfs();
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    p1.dsg(&["init".as_ref(), lab.address().as_os_str(), "--plain-folder".as_ref()]).ok();
    p1.write("input/a", "two");
    p1.sync();
    assert_eq!(lab.there("input/a").as_deref(), Some("two"));
    let (_, dataset) = lab.zfs();
    assert!(!host.try_run(&format!("zfs list {dataset}")).status.success());
}
