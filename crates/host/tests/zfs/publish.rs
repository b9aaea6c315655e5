//! From the first publish on, with nobody dying.

use dsg_core::failure::Code;
use dsg_host::zfs::name::{Part, Tag};
use dsg_host::zfs::verb::{Answer, Change, Hands as _, How, Kind, Stop, Until, Verb};
use dsg_testkit::zfs_host::at_length;
use uuid::Uuid;

use crate::fixture::{on_both, refused, stopped};

#[test]
fn a_repository_is_made_and_published_to_and_nothing_is_left_beside_it() {
    on_both(|site| {
        let hands = site.hands();
        let first = site.init(&hands);
        assert_eq!(site.run("cat $P/file; stat -c %U $P"), "one\nroot\n");
        site.run("chown zfsop:zfsop $P; chmod 2775 $P");
        // Whoever works on the host changes rights, too: that is drift, and adopted here.
        site.run(&format!("zfs destroy $D@s1; zfs snapshot -o dsg:transaction={first} $D@s1"));
        site.publish(&hands, 2, "two");
        site.publish(&hands, 3, "three");
        assert_eq!(site.run("cat $P/file; stat -c '%U %a' $P"), "three\nzfsop 2775\n");
        assert_eq!(site.run("cat $P/.zfs/snapshot/s2/file"), "two\n");
        let family = site.look(&hands);
        let live = family.live.unwrap();
        assert!(family.others.is_empty() && live.in_place && live.canmount == "on", "{live:?}");
        let names: Vec<&str> = live.snapshots.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["s1", "s2", "s3"]);
        assert!(live.snapshots[2].transaction.is_some_and(|t| t != first));
        let left = site.run(
            "zfs list -H -o name -t all -r ${D%/p}; ls /run/dsg; grep -c /run/dsg/0 \
                             /proc/self/mountinfo || true",
        );
        assert!(!left.contains(".dsg-"), "{left}");
        assert!(live.origin.is_none());
    });
}

#[test]
fn what_is_set_on_the_dataset_and_granted_on_it_goes_with_it() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        site.run(
            "zfs set quota=512M compression=gzip recordsize=64K com.example:owner='the lab' $D; \
             zfs set snapdir=visible $D; zfs allow zfsop snapshot,mount $D; zfs allow -l -g zfsop send $D; \
             zfs allow -d -e hold $D; zfs allow -c destroy $D; zfs allow -s @we clone,promote $D; \
             zfs allow -u 4242 @we $D",
        );
        let told = "zfs get -H -s local -o property,value all $D | grep -v -e dsg: -e _count | sort; zfs allow $D";
        let before = site.run(told);
        site.publish(&hands, 2, "two");
        let after = site.run(told);
        // It is mounted at boot because that is set now, and not because it was never said.
        assert_eq!(after.replace("canmount\ton\n", ""), before.replace("canmount\ton\n", ""));
        assert!(after.contains("com.example:owner\tthe lab"), "{after}");
    });
}

#[test]
fn a_quota_that_changes_while_it_is_published_stops_it() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        let t = site.stage(&hands, 1, "two");
        let live = site.look(&hands).live.unwrap().guid;
        site.run("zfs set quota=700M $D");
        let stop = stopped(hands.perform(&site.decide(t, Some(live), 2)));
        assert_eq!(stop, Stop::Properties(vec!["quota".into()]));
        site.recover(&hands);
    });
}

#[test]
fn what_is_set_or_taken_back_while_it_is_published_is_not_undone_by_it() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        site.run(
            "zfs set compression=gzip com.example:owner=lab $D; zfs allow zfsop send,mount $D",
        );
        let t = site.stage(&hands, 1, "two");
        let live = site.look(&hands).live.unwrap().guid;
        let stop = |change: &str, back: &str| {
            site.run(change);
            let before = site.listing();
            let stop = stopped(hands.perform(&site.decide(t, Some(live), 2)));
            assert_eq!(site.listing(), before, "{change}");
            site.run(back);
            match stop {
                Stop::Properties(names) => names.join(","),
                other => panic!("{change}: {other:?}"),
            }
        };
        for (change, back, expected) in [
            ("zfs set readonly=on $D", "zfs inherit readonly $D", "readonly"),
            ("zfs set canmount=noauto $D", "zfs set canmount=on $D", "canmount"),
            ("zfs inherit compression $D", "zfs set compression=gzip $D", "compression"),
            (
                "zfs inherit com.example:owner $D",
                "zfs set com.example:owner=lab $D",
                "com.example:owner",
            ),
            ("zfs set com.example:new=1 $D", "zfs inherit com.example:new $D", "com.example:new"),
        ] {
            assert_eq!(stop(change, back), expected);
        }
        site.run("zfs unallow zfsop send $D; zfs allow -g zfsop hold $D");
        let granted = site.run("zfs allow $D");
        assert_eq!(hands.perform(&site.decide(t, Some(live), 2)).unwrap(), Answer::Decided);
        site.recover(&hands);
        assert_eq!(site.run("zfs allow $D; cat $P/file"), format!("{granted}two\n"));
        assert!(!granted.contains("send") && granted.contains("hold"), "{granted}");
    });
}

#[test]
fn what_was_written_on_the_host_meanwhile_stops_it_even_if_the_pool_has_not_written_it_yet() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        let t = site.stage(&hands, 1, "two");
        let live = site.look(&hands).live.unwrap().guid;
        site.run("echo mine > $P/other");
        let stop = stopped(hands.perform(&site.decide(t, Some(live), 2)));
        assert!(matches!(stop, Stop::Drift(1..)), "{stop:?}");
        site.recover(&hands);
        assert_eq!(
            site.run("cat $P/file $P/other; zfs list -H -o name -t snapshot -r $D | wc -l"),
            "one\nmine\n1\n"
        );
    });
}

#[test]
fn the_decision_stops_for_everything_that_came_between() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        let t = site.stage(&hands, 1, "two");
        let live = site.look(&hands).live.unwrap().guid;
        let decide = |live, number| stopped(hands.perform(&site.decide(t, live, number)));
        assert_eq!(decide(Some(live ^ 1), 2), Stop::Moved);
        assert_eq!(decide(None, 2), Stop::Moved);
        assert_eq!(decide(Some(live), 1), Stop::Taken);
        site.run("zfs set snapshot_limit=1 $D");
        assert_eq!(decide(Some(live), 2), Stop::Properties(vec!["snapshot_limit".into()]));
        site.run("zfs set snapshot_limit=none $D; zfs set snapshot_limit=1 ${D%/p}");
        let room: &str = &site.room.name;
        assert_eq!(decide(Some(live), 2), Stop::Limit(room.to_owned()));
        site.run("zfs set snapshot_limit=none ${D%/p}; zfs inherit snapshot_limit $D; zfs snapshot $D@auto");
        assert_eq!(decide(Some(live), 2), Stop::Foreign(vec!["auto".into()]));
        let gone = Uuid::now_v7();
        assert_eq!(stopped(hands.perform(&site.decide(gone, Some(live), 2))), Stop::Missing);
        // Nobody of them changed anything; and from the other program's snapshot it goes on.
        site.recover(&hands);
        site.publish(&hands, 2, "two");
        let names = site.run("zfs list -H -o name -t snapshot -s createtxg -r $D | cut -d @ -f 2");
        assert_eq!(names, "s1\nauto\ns2\n");
    });
}

#[test]
fn a_snapshot_that_was_looked_at_a_moment_ago_does_not_stop_it_one_that_is_open_does() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        site.run("cat $P/.zfs/snapshot/s1/file");
        let mounts = "grep -cF \"$D@s1 \" /proc/self/mountinfo || true";
        assert_eq!(site.run(mounts), "1\n");
        site.publish(&hands, 2, "two");
        let t = site.stage(&hands, 2, "three");
        let live = site.look(&hands).live.unwrap().guid;
        site.run(
            "mkdir -p /tmp/$D; tail -f $P/.zfs/snapshot/s1/file > /dev/null 2>&1 & \
             echo $! > /tmp/$D/reader; sleep 1",
        );
        let answer = stopped(hands.perform(&site.decide(t, Some(live), 3)));
        assert_eq!(answer, Stop::Busy);
        site.run("kill $(cat /tmp/$D/reader)");
        assert_eq!(hands.perform(&site.decide(t, Some(live), 3)).unwrap(), Answer::Decided);
        site.recover(&hands);
        assert_eq!(site.run("cat $P/file"), "three\n");
    });
}

#[test]
fn a_snapshot_that_somebody_mounted_stays_mounted_and_stops_it() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        let t = site.stage(&hands, 1, "two");
        let live = site.look(&hands).live.unwrap().guid;
        site.run("mkdir -p /tmp/$D/src; mount -t zfs $D@s1 /tmp/$D/src");
        let mounts = "grep -F \"$D@s1 \" /proc/self/mountinfo | cut -d ' ' -f 5";
        let before = (site.run(mounts), site.listing());
        assert_eq!(stopped(hands.perform(&site.decide(t, Some(live), 2))), Stop::Busy);
        assert_eq!((site.run(mounts), site.listing()), before);
        assert_eq!(site.run("cat /tmp/$D/src/file"), "one\n");
        site.run("umount /tmp/$D/src; cat $P/.zfs/snapshot/s1/file");
        // One that is only shown goes, and not before everything else was looked at.
        let shown = site.run(mounts);
        assert_eq!(stopped(hands.perform(&site.decide(t, Some(live ^ 1), 2))), Stop::Moved);
        assert_eq!(site.run(mounts), shown);
        assert_eq!(hands.perform(&site.decide(t, Some(live), 2)).unwrap(), Answer::Decided);
        site.recover(&hands);
        assert_eq!(site.run("cat $P/file"), "two\n");
    });
}

#[test]
fn names_that_are_odd_are_told_as_they_are() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        site.run(
            r#"cd $P; mkdir sub; echo x > "sub/sp ace"; echo x > "$(printf 'a\tb')"; echo x > "$(printf 'a\nb')"; echo x > 'back\slash'; echo x > "$(printf 'caf\351')"; echo x > 'é'; ln -s file link; echo more >> file"#,
        );
        let dataset = || site.dataset.clone();
        let frozen = Uuid::now_v7();
        let freeze = Verb::Freeze { dataset: dataset(), transaction: frozen };
        assert_eq!(hands.perform(&freeze).unwrap(), Answer::Done);
        site.run("cd $P; rm link; mv 'é' 'è'");
        let s1 = || Tag::Number("s1".parse().unwrap());
        let diff = |since, until, most| {
            let verb = Verb::Diff { dataset: dataset(), since, until, most };
            match hands.perform(&verb).unwrap() {
                Answer::Changes(changes) => changes,
                other => panic!("{other:?}"),
            }
        };
        let change = |how, kind, path: &[u8]| Change { how, kind, path: path.to_vec(), to: None };
        let mut expected = vec![
            change(How::Modified, Kind::Dir, b""),
            change(How::Modified, Kind::File, b"file"),
            change(How::Added, Kind::Dir, b"sub"),
            change(How::Added, Kind::Link, b"link"),
        ];
        let names: [&[u8]; 6] =
            [b"sub/sp ace", b"a\tb", b"a\nb", b"back\\slash", b"caf\xe9", "é".as_bytes()];
        expected.extend(names.map(|name| change(How::Added, Kind::File, name)));
        let mut found = diff(s1(), Until::Tag(Tag::Frozen(frozen)), 1000);
        found.list.sort_by(|a, b| a.path.cmp(&b.path));
        expected.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!((found.list, found.more), (expected, false));
        let found = diff(Tag::Frozen(frozen), Until::Now(Part::Live), 1000);
        let renamed = found.list.iter().find(|c| c.how == How::Renamed).unwrap();
        assert_eq!(renamed.to.as_deref(), Some("è".as_bytes()));
        assert!(found.list.contains(&change(How::Removed, Kind::Link, b"link")), "{found:?}");
        let found = diff(s1(), Until::Now(Part::Live), 3);
        assert_eq!((found.list.len(), found.more), (3, true));
        let thaw = site.drop_of(Tag::Frozen(frozen));
        for _ in 0..2 {
            assert_eq!(hands.perform(&thaw).unwrap(), Answer::Dropped(vec![]));
        }
    });
}

#[test]
fn a_snapshot_costs_something_and_stays_while_it_is_held() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        site.publish(&hands, 2, "two");
        let tag = Tag::Number("s1".parse().unwrap());
        let dataset = || site.dataset.clone();
        let Answer::Space(costs) = hands.perform(&Verb::Space { dataset: dataset() }).unwrap()
        else {
            panic!("no costs")
        };
        assert_eq!(
            costs.iter().map(|c| c.tag).collect::<Vec<_>>(),
            [tag, Tag::Number("s2".parse().unwrap())]
        );
        assert!(costs.iter().all(|c| c.refer > 0 && c.written > 0), "{costs:?}");
        let names =
            || site.run("zfs list -H -o name -t snapshot -s createtxg -r $D | cut -d @ -f 2");
        let tags = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        let drop = |names: &[&str]| {
            let verb = Verb::Drop { dataset: dataset(), tags: tags(names) };
            let Answer::Dropped(stays) = hands.perform(&verb).unwrap() else { panic!("no answer") };
            stays.into_iter().map(|(tag, _)| tag).collect::<Vec<Tag>>()
        };
        site.publish(&hands, 3, "three");
        // Held, a person's own, the newest, none at all: the rest goes.
        site.run("zfs hold keep $D@s1; zfs snapshot $D@s7");
        assert_eq!(drop(&["s1", "s2", "s7", "s9"]), [tag, Tag::Number("s7".parse().unwrap())]);
        assert_eq!(names(), "s1\ns3\ns7\n");
        site.run("zfs release keep $D@s1; zfs destroy $D@s7");
        assert_eq!(drop(&["s1", "s3"]), [Tag::Number("s3".parse().unwrap())]);
        assert_eq!((names(), site.run("ls $P")), ("s3\n".into(), "file\n".into()));
        refused(hands.perform(&Verb::Drop { dataset: dataset(), tags: Vec::new() }), Code::Usage);
    });
}

#[test]
fn ten_publishes_are_sent_to_another_pool_as_they_come() {
    if !at_length("ten_publishes_are_sent_to_another_pool_as_they_come") {
        return;
    }
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        let backup = site.host.pool(128);
        site.run(&format!("zfs send $D@s1 | zfs recv {}/copy", backup.name));
        for number in 2..=11 {
            site.publish(&hands, number, &format!("content-{number}"));
            let sent = format!(
                "zfs send -i @s{} $D@s{number} | zfs recv {}/copy",
                number - 1,
                backup.name
            );
            site.run(&sent);
        }
        assert_eq!(site.run(&format!("cat /{}/copy/file", backup.name)), "content-11\n");
        let transaction = format!("zfs get -H -o value dsg:transaction {}/copy@s11", backup.name);
        let same = site.run("zfs get -H -o value dsg:transaction $D@s11");
        // A plain send leaves properties out; with -p they travel.
        assert!(["-\n", same.as_str()].contains(&site.host.run(&transaction).as_str()));
    });
}
