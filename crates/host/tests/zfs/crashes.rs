//! Death after every single call of a program and every mount.

use dsg_core::snapshot::SnapshotId;
use dsg_host::zfs::name::Tag;
use dsg_host::zfs::verb::{Answer, Changes, Hands, Stop, Switched, Until, Verb};
use dsg_testkit::zfs_host::{Version, ZfsHost, at_length};
use uuid::Uuid;

use crate::fixture::{Site, on_both};

/// What is passed on the way of one publish, in order: names, with how many times each.
fn points(site: &Site, story: &dyn Fn(&dyn Hands)) -> Vec<String> {
    let trace = format!("/tmp/{}-points", site.room.name.replace('/', "-"));
    let hands = site.hands_with(&format!("DSG_TRACE_POINTS={trace}")).unwrap();
    story(&hands);
    drop(hands);
    let mut passed: Vec<String> = Vec::new();
    for name in site.host.run(&format!("cat {trace}; rm {trace}")).lines() {
        let nth = 1 + passed.iter().filter(|p| p.split('#').next() == Some(name)).count();
        passed.push(format!("{name}#{nth}"));
    }
    passed
}

fn init_until_it_dies(site: &Site, hands: &dyn Hands, t: Uuid) {
    let Ok(Answer::Mounted(at)) = hands.perform(&site.create(t)) else { return };
    site.host.run(&format!("echo one > {}/file", at.display()));
    let _ = hands.perform(&site.decide(t, None, 1));
    let _ = hands.perform(&site.finish(t));
}

pub fn publish_until_it_dies(site: &Site, hands: &dyn Hands, t: Uuid, number: u64) {
    let cloned = hands.perform(&site.clone_of(t, number - 1));
    let Ok(Answer::Mounted(at)) = cloned else { return eprintln!("{t}: {cloned:?}") };
    site.host.run(&format!("echo content-{number} > {0}/file; sync -f {0}/file", at.display()));
    let live = site.look(&site.hands()).live.unwrap().guid;
    let mut decision = site.decision(t, Some(live), number);
    let mut answer = hands.perform(&Verb::Publish(decision.clone()));
    // What was staged before a power cut may be noted as written once more: it is looked at, and nothing.
    if matches!(answer, Ok(Answer::Stopped(Stop::Drift(_)))) {
        let dataset = || site.dataset.clone();
        hands.perform(&Verb::Freeze { dataset: dataset(), transaction: t }).unwrap();
        let since = Tag::Number(SnapshotId::new(number - 1).unwrap());
        let until = Until::Tag(Tag::Frozen(t));
        let diff = Verb::Diff { dataset: dataset(), since, until, most: 10 };
        assert_eq!(hands.perform(&diff).unwrap(), Answer::Changes(Changes::default()));
        decision.frozen = true;
        answer = hands.perform(&Verb::Publish(decision));
    }
    // A death that is none is seen here.
    eprintln!("{t}: {answer:?}");
    let _ = hands.perform(&site.finish(t));
    let _ = hands.perform(&site.bury(t));
}

fn nothing_private_is_left(site: &Site, t: Uuid, point: &str) {
    let left = site
        .run(&format!("find /run/dsg -xdev | grep {t}; grep -c {t} /proc/self/mountinfo; true"));
    assert_eq!(left, "0\n", "{point}");
}

#[test]
fn an_init_that_dies_anywhere_has_happened_or_not() {
    on_both(|site| {
        let all = points(site, &|hands| init_until_it_dies(site, hands, Uuid::now_v7()));
        site.run("zfs destroy -r $D");
        let before = site.listing();
        for point in &all {
            let t = Uuid::now_v7();
            let dying = site.hands_with(&format!("DSG_CRASH_AT={point}")).unwrap();
            init_until_it_dies(site, &dying, t);
            drop(dying);
            let hands = site.hands();
            site.recover(&hands);
            nothing_private_is_left(site, t, point);
            match site.look(&hands).live {
                Some(live) => {
                    assert!(live.in_place && live.canmount == "on", "{point}: {live:?}");
                    assert_eq!(site.run("cat $P/file"), "one\n", "{point}");
                    site.run("zfs destroy -r $D");
                }
                None => assert_eq!(site.listing(), before, "{point}"),
            }
        }
        assert!(all.len() >= 8, "{all:?}");
    });
}

#[test]
fn a_publish_that_dies_anywhere_has_happened_or_not() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        let all = points(site, &|hands| publish_until_it_dies(site, hands, Uuid::now_v7(), 2));
        let mut number = 3;
        for point in &all {
            let t = Uuid::now_v7();
            let dying = site.hands_with(&format!("DSG_CRASH_AT={point}")).unwrap();
            publish_until_it_dies(site, &dying, t, number);
            drop(dying);
            site.recover(&hands);
            let family = site.look(&hands);
            let live = family.live.unwrap();
            assert!(live.in_place && live.canmount == "on" && !live.readonly, "{point}: {live:?}");
            assert!(family.others.is_empty(), "{point}");
            let happened = live.decided(t).is_some();
            let content = site.run("cat $P/file");
            let expected = if happened { number } else { number - 1 };
            assert_eq!(content, format!("content-{expected}\n"), "{point}");
            let mounts =
                site.run("grep -c /run/dsg/ /proc/self/mountinfo | head -1 || true; ls $P/..");
            assert!(mounts.ends_with("p\n"), "{point}: {mounts}");
            number += u64::from(happened);
        }
        assert!(number > 3 && all.len() > 15, "{all:?}");
    });
}

#[test]
fn a_publish_asks_the_programs_eight_times_at_most() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        let live = site.look(&hands).live.unwrap().guid;
        let all = points(site, &|hands| {
            let t = site.stage(hands, 1, "two");
            let (dataset, only) = (site.dataset.clone(), Some(t));
            hands.perform(&Verb::Look { dataset, since: None, only, flush: false }).unwrap();
            let answer = hands.perform(&Verb::Publish(site.decision(t, Some(live), 2))).unwrap();
            let beneath = site.host.version == Version::New;
            let how = if beneath { Switched::Beneath } else { Switched::Gap };
            assert_eq!(answer, Answer::Finished(how));
            hands.perform(&site.bury(t)).unwrap();
        });
        // What staging took ends with the private mount.
        let begun = all.iter().position(|p| p == "zfs.mounted#1").unwrap();
        let calls = all[begun..].iter().filter(|p| p.starts_with("zfs.ran")).count();
        eprintln!("{:?}: {calls} calls", site.host.version);
        assert!((7..=8).contains(&calls), "{all:?}");
        assert_eq!(site.run("cat $P/file"), "two\n");
    });
}

#[test]
fn a_power_cut_at_any_of_these_points_leaves_before_or_after() {
    // One machine of its own: the others' tests go on.
    let Some(host) = ZfsHost::own(Version::New) else { return };
    let site = Site::new(&host, host.room());
    let hands = site.hands();
    site.init(&hands);
    drop(hands);
    let mut number = 2;
    let all = [
        "zfs.decided",
        "zfs.stepped-aside",
        "zfs.cloned",
        "zfs.mounted",
        "zfs.retired",
        "zfs.place-taken",
        "zfs.beneath",
        "zfs.switched",
        "zfs.settled",
    ];
    let few = if at_length("a power cut at most points") { all.len() } else { 2 };
    for point in &all[..few] {
        let t = Uuid::now_v7();
        let dying = site.hands_with(&format!("DSG_CRASH_AT={point}")).unwrap();
        publish_until_it_dies(&site, &dying, t, number);
        drop(dying);
        host.crash();
        let hands = site.hands();
        site.recover(&hands);
        let family = site.look(&hands);
        let live = family.live.unwrap();
        assert!(live.in_place && live.canmount == "on" && !live.readonly, "{point}: {live:?}");
        assert!(family.others.is_empty(), "{point}");
        let happened = live.decided(t).is_some();
        assert_eq!(happened, !matches!(*point, "zfs.cloned" | "zfs.mounted"), "{point}");
        let expected = match (happened, number) {
            (true, n) => format!("content-{n}\n"),
            (false, 2) => "one\n".to_owned(),
            (false, n) => format!("content-{}\n", n - 1),
        };
        assert_eq!(site.run("cat $P/file"), expected, "{point}");
        number += u64::from(happened);
    }
    publish_until_it_dies(&site, &site.hands(), Uuid::now_v7(), number);
    assert_eq!(site.run("cat $P/file"), format!("content-{number}\n"));
}
