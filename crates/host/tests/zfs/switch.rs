//! Readers, writers and shells that are in the live tree while it is replaced.

use dsg_core::failure::Code;
use dsg_host::zfs::name::Part;
use dsg_host::zfs::verb::{Answer, Hands as _, State, Switched, Verb};
use dsg_testkit::zfs_host::{Version, ZfsHost, at_length};

use crate::fixture::{Site, on_both, refused};

/// How many times the tree is replaced under a reader's eyes.
const PUBLISHES: u64 = 50;

/// Reads a file in a loop while the tree is replaced; how many reads there were, and how many found nothing.
fn read_in_a_loop(version: Version, expected: Switched) -> Option<(u64, u64)> {
    let host = ZfsHost::shared(version)?;
    let site = Site::new(host, host.room());
    let hands = site.hands();
    site.init(&hands);
    site.run(
        "mkdir -p /tmp/$D; touch /tmp/$D/go; (n=0; missed=0; while [ -e /tmp/$D/go ]; do \
         read -r line < $P/file || missed=$((missed+1)); n=$((n+1)); done; \
         echo $n $missed > /tmp/$D/result) > /dev/null 2>&1 &",
    );
    for number in 2..2 + PUBLISHES {
        assert_eq!(site.publish(&hands, number, &format!("content-{number}")), expected);
    }
    let counted = site.run(
        "rm /tmp/$D/go; while ! [ -e /tmp/$D/result ]; do sleep 0.1; done; sleep 0.1; cat /tmp/$D/result",
    );
    let numbers: Vec<u64> = counted.split_whitespace().map(|n| n.parse().unwrap()).collect();
    let [reads, missed] = numbers[..] else { panic!("{counted}") };
    eprintln!("{version:?}: {missed} of {reads} reads missed in {PUBLISHES} switches");
    assert!(reads > 1000, "{counted}");
    Some((reads, missed))
}

#[test]
fn a_reader_in_a_loop_never_misses_a_file_where_the_kernel_mounts_beneath() {
    if !at_length("a_reader_in_a_loop_never_misses_a_file_where_the_kernel_mounts_beneath") {
        return;
    }
    if let Some((reads, missed)) = read_in_a_loop(Version::New, Switched::Beneath) {
        assert_eq!(missed, 0, "of {reads} reads");
    }
}

#[test]
fn a_reader_in_a_loop_seldom_misses_a_file_where_it_does_not() {
    if !at_length("a_reader_in_a_loop_seldom_misses_a_file_where_it_does_not") {
        return;
    }
    if let Some((reads, missed)) = read_in_a_loop(Version::Old, Switched::Gap) {
        assert!(missed * 100 <= reads, "{missed} of {reads} reads");
    }
}

#[test]
fn a_shell_that_sits_in_the_tree_keeps_what_it_sees_and_only_the_cleaning_waits_for_it() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        site.run(
            "mkdir -p /tmp/$D; cd $P; (while ! [ -e /tmp/$D/end ]; do [ -e /tmp/$D/ask ] && { \
             cat file > /tmp/$D/seen; { echo lost > new; } 2> /tmp/$D/refused; rm -f /tmp/$D/ask; }; \
             sleep 0.1; done) > /dev/null 2>&1 & echo $! > /tmp/$D/pid",
        );
        let t = site.stage(&hands, 1, "two");
        let live = site.look(&hands).live.unwrap().guid;
        assert_eq!(hands.perform(&site.decide(t, Some(live), 2)).unwrap(), Answer::Decided);
        assert!(matches!(hands.perform(&site.finish(t)).unwrap(), Answer::Finished(_)));
        refused(hands.perform(&site.bury(t)), Code::Locked);
        assert_eq!(site.run("cat $P/file"), "two\n");
        // It keeps its view, and an attempt to write there is an error, not a silent loss.
        let seen = site.run(
            "touch /tmp/$D/ask; while [ -e /tmp/$D/ask ]; do sleep 0.1; done; cat /tmp/$D/seen; \
             grep -ci 'read-only' /tmp/$D/refused",
        );
        assert_eq!(seen, "one\n1\n");
        // The next publish does not wait for it either.
        let u = site.stage(&hands, 2, "three");
        let live = site.look(&hands).live.unwrap().guid;
        assert_eq!(hands.perform(&site.decide(u, Some(live), 3)).unwrap(), Answer::Decided);
        assert!(matches!(hands.perform(&site.finish(u)).unwrap(), Answer::Finished(_)));
        site.buried(&hands, u);
        refused(hands.perform(&site.bury(t)), Code::Locked);
        site.run(
            "touch /tmp/$D/end; while kill -0 $(cat /tmp/$D/pid) 2>/dev/null; do sleep 0.1; done",
        );
        site.recover(&hands);
        assert_eq!(
            site.run("zfs list -H -o name -r -t filesystem ${D%/p} | wc -l; cat $P/file"),
            "2\nthree\n"
        );
    });
}

#[test]
fn what_a_late_writer_left_is_kept_until_it_is_adopted() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        // It opened its file before, and writes between the decision and the retirement.
        let t = site.stage(&hands, 1, "two");
        let live = site.look(&hands).live.unwrap().guid;
        assert_eq!(hands.perform(&site.decide(t, Some(live), 2)).unwrap(), Answer::Decided);
        site.run("echo late > $P/late; sync -f $P/late");
        assert!(matches!(hands.perform(&site.finish(t)).unwrap(), Answer::Finished(_)));
        refused(hands.perform(&site.bury(t)), Code::Drift);
        let old = Verb::Mount { dataset: site.dataset.clone(), part: Part::Former(t) };
        let at = crate::fixture::mounted(hands.perform(&old));
        assert_eq!(site.host.run(&format!("cat {}/late", at.display())), "late\n");
        // What was looked at goes, and nothing that was written after that.
        let state = || {
            let (dataset, only) = (site.dataset.clone(), Some(t));
            let verb = Verb::Look { dataset, since: None, only, flush: true };
            let Answer::Family(family) = hands.perform(&verb).unwrap() else { panic!("no family") };
            let old = Part::Former(t);
            family.others.iter().find(|m| m.part == old).unwrap().state()
        };
        let adopt = |state| {
            let adopted = Some(state);
            hands.perform(&Verb::Bury { dataset: site.dataset.clone(), transaction: t, adopted })
        };
        let seen = state();
        let more = format!(
            "umount {0}; zfs set readonly=off $D.dsg-old-{t}; mkdir -p /tmp/$D/old; \
             mount -t zfs -o zfsutil $D.dsg-old-{t} /tmp/$D/old; \
             head -c 300000 /dev/urandom > /tmp/$D/old/later; umount /tmp/$D/old; \
             zfs set readonly=on $D.dsg-old-{t}",
            at.display()
        );
        site.run(&more);
        refused(adopt(seen), Code::Drift);
        let other = State { guid: state().guid ^ 1, ..state() };
        refused(adopt(other), Code::Drift);
        let at = crate::fixture::mounted(hands.perform(&old));
        assert_eq!(site.host.run(&format!("ls {}", at.display())), "file\nlate\nlater\n");
        assert_eq!(adopt(state()).unwrap(), Answer::Done);
        assert_eq!(site.run("ls $P"), "file\n");
    });
}

#[test]
fn what_was_carried_over_before_is_not_late_though_somebody_still_sits_in_the_old_dataset() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        let t = site.stage(&hands, 1, "two");
        let live = site.look(&hands).live.unwrap().guid;
        site.run("echo mine > $P/ignored");
        let freeze = Verb::Freeze { dataset: site.dataset.clone(), transaction: t };
        assert_eq!(hands.perform(&freeze).unwrap(), Answer::Done);
        site.run(
            "mkdir -p /tmp/$D; tail -f $P/ignored > /dev/null 2>&1 & echo $! > /tmp/$D/pid; sleep 1",
        );
        let mut decide = site.decide(t, Some(live), 2);
        if let Verb::Decide(decision) = &mut decide {
            decision.frozen = true;
        }
        assert_eq!(hands.perform(&decide).unwrap(), Answer::Decided);
        assert!(matches!(hands.perform(&site.finish(t)).unwrap(), Answer::Finished(_)));
        for _ in 0..2 {
            refused(hands.perform(&site.bury(t)), Code::Locked);
            let kept = format!("zfs list -H -o name -t snapshot $D.dsg-old-{t}");
            assert_eq!(site.run(&kept), format!("{0}.dsg-old-{t}@dsg-{t}\n", site.dataset));
        }
        site.run("kill $(cat /tmp/$D/pid)");
        site.buried(&hands, t);
        assert_eq!(site.run("ls $P; zfs list -H -o name -r ${D%/p} | wc -l"), "file\n2\n");
    });
}

#[test]
fn a_mere_read_that_leaves_its_time_is_nothing_that_is_kept() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        let t = site.stage(&hands, 1, "two");
        let live = site.look(&hands).live.unwrap().guid;
        assert_eq!(hands.perform(&site.decide(t, Some(live), 2)).unwrap(), Answer::Decided);
        site.run("zfs set atime=on relatime=off $D; mount -o remount,strictatime $P; sleep 1; cat $P/file; zpool sync");
        assert_ne!(site.run("zfs get -Hp -o value written $D"), "0\n");
        assert!(matches!(hands.perform(&site.finish(t)).unwrap(), Answer::Finished(_)));
        site.buried(&hands, t);
    });
}

#[test]
fn it_works_where_all_mounts_are_shared_as_systemd_has_them() {
    on_both(|site| {
        let shared = site.hands_with("unshare --mount --propagation shared");
        let hands = shared.unwrap();
        // What it mounts is not seen outside: its own look tells.
        let t = uuid::Uuid::now_v7();
        hands.perform(&site.create(t)).unwrap();
        assert_eq!(hands.perform(&site.decide(t, None, 1)).unwrap(), Answer::Decided);
        hands.perform(&site.finish(t)).unwrap();
        for number in 2..5 {
            let t = uuid::Uuid::now_v7();
            hands.perform(&site.clone_of(t, number - 1)).unwrap();
            let live = site.look(&hands).live.unwrap().guid;
            assert_eq!(
                hands.perform(&site.decide(t, Some(live), number)).unwrap(),
                Answer::Decided
            );
            let beneath = site.host.version == Version::New;
            let expected = if beneath { Switched::Beneath } else { Switched::Gap };
            assert_eq!(hands.perform(&site.finish(t)).unwrap(), Answer::Finished(expected));
            assert_eq!(hands.perform(&site.bury(t)).unwrap(), Answer::Done);
            let live = site.look(&hands).live.unwrap();
            assert!(live.in_place && live.mounts.len() == 1, "{live:?}");
        }
    });
}
