//! Hosts, pools and datasets on which nothing can be promised: refused with a reason, nothing changed.

use dsg_core::failure::Code;
use dsg_host::zfs::verb::{Answer, Hands as _, Place, Stop, Verb};
use uuid::Uuid;

use crate::crashes::publish_until_it_dies;
use crate::fixture::{Site, on_both, refused, stopped};

fn place(site: &Site, path: &str) -> Option<Place> {
    match site.hands().perform(&Verb::Find { path: path.into() }).unwrap() {
        Answer::Place(place) => place.map(|place| *place),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_path_is_found_wherever_its_dataset_is_mounted() {
    on_both(|site| {
        let room = site.room.name.clone();
        let found = place(site, &format!("/{room}/p")).unwrap();
        assert_eq!(found.repository.unwrap().as_str(), format!("{room}/p"));
        assert_eq!((found.dataset.as_str(), found.below.to_str()), (room.as_str(), Some("p")));
        assert_eq!(found.health, "ONLINE");
        assert!(!found.version.is_empty());
        let nested = place(site, &format!("/{room}/a/p")).unwrap();
        assert_eq!(nested.repository, None);
        assert_eq!(place(site, "/etc"), None);
        assert_eq!(place(site, "/tmp/no/such"), None);
        // With a mount point of its own, also while a publish was cut off and nothing is mounted there.
        let hands = site.hands();
        site.init(&hands);
        site.run("zfs set mountpoint=/srv$P $D");
        let there = format!("/srv/{room}/p");
        assert_eq!(place(site, &there).unwrap().repository.as_ref(), Some(&site.dataset));
        site.publish(&hands, 2, "two");
        assert_eq!(site.run("cat /srv$P/file /srv$P/.zfs/snapshot/s1/file"), "two\none\n");
        site.run("umount -l /srv$P/.zfs/snapshot/s1 || true; zfs unmount $D");
        assert_eq!(
            place(site, &there).unwrap_or_else(|| panic!("{}", site.listing())).repository,
            Some(site.dataset.clone())
        );
    });
}

#[test]
fn a_dataset_that_is_there_is_never_taken_for_a_new_repository() {
    on_both(|site| {
        site.run("zfs create $D; echo mine > $P/file");
        let before = site.listing();
        let t = Uuid::now_v7();
        refused(site.hands().perform(&site.create(t)), Code::Exists);
        refused(site.hands().perform(&site.clone_of(t, 1)), Code::Exists);
        assert_eq!(site.listing(), before);
    });
}

#[test]
fn what_may_be_a_decision_is_never_abandoned_other_programs_snapshots_go_with_what_is() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        let t = site.stage(&hands, 1, "two");
        let abandon = Verb::Abandon { dataset: site.dataset.clone(), transaction: t };
        // As a publish leaves it whose mark was not seen.
        site.run(&format!("zfs snapshot $D.dsg-{t}@s2"));
        let before = site.listing();
        refused(hands.perform(&abandon), Code::RepositoryDamaged);
        assert_eq!(site.listing(), before);
        site.run(&format!("zfs destroy $D.dsg-{t}@s2; zfs snapshot $D.dsg-{t}@auto-1; zfs snapshot $D.dsg-{t}@auto-2"));
        assert_eq!(hands.perform(&abandon).unwrap(), Answer::Done);
        assert_eq!(site.run("zfs list -H -o name -r ${D%/p} | wc -l; cat $P/file"), "2\none\n");
    });
}

#[test]
fn a_dataset_that_stands_nowhere_is_refused() {
    on_both(|site| {
        for mountpoint in ["none", "legacy"] {
            site.run(&format!("zfs set mountpoint={mountpoint} ${{D%/p}}"));
            let t = Uuid::now_v7();
            refused(site.hands().perform(&site.create(t)), Code::Unsupported);
            assert_eq!(site.run("zfs list -H -o name -r ${D%/p} | wc -l"), "1\n");
        }
    });
}

#[test]
fn what_is_mounted_at_its_place_is_left_alone_and_it_is_finished_afterwards() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        let t = site.stage(&hands, 1, "two");
        let live = site.look(&hands).live.unwrap().guid;
        hands.perform(&site.decide(t, Some(live), 2)).unwrap();
        site.run("mount -t tmpfs mine $P && touch $P/here");
        refused(hands.perform(&site.finish(t)), Code::Exists);
        assert_eq!(site.run("ls $P"), "here\n");
        site.run("umount $P");
        site.recover(&hands);
        assert_eq!(site.run("cat $P/file"), "two\n");
    });
}

#[test]
fn pools_that_are_gone_readonly_or_full_are_told_apart() {
    on_both(|site| {
        let pool = site.host.pool(96);
        let name = pool.name.clone();
        let site = Site::new(site.host, pool);
        let hands = site.hands();
        site.init(&hands);

        let again = |how: &str| {
            site.host.run(&format!("zpool export {name} && zpool import -d /vdevs {how} {name}"))
        };
        again("-o readonly=on");
        let t = Uuid::now_v7();
        refused(hands.perform(&site.clone_of(t, 1)), Code::Permission);
        again("");

        let t = site.stage(&hands, 1, "two");
        site.run("dd if=/dev/urandom of=${P%/p}/fill bs=1M 2>/dev/null; zpool sync; true");
        let live = site.look(&hands).live.unwrap().guid;
        // A full pool may still have room for a decision; if not, it says so, and nothing is changed.
        match hands.perform(&site.decide(t, Some(live), 2)).unwrap() {
            Answer::Decided => {}
            other => assert_eq!(other, Answer::Stopped(Stop::Space)),
        }
        site.run("rm ${P%/p}/fill; zpool sync");
        site.recover(&hands);

        site.host.run(&format!("zpool export {name}"));
        refused(hands.perform(&site.clone_of(Uuid::now_v7(), 1)), Code::Unreachable);
        site.host.run(&format!("zpool import -d /vdevs {name}"));
        site.recover(&hands);
    });
}

#[test]
fn an_encrypted_repository_goes_on_with_its_key_and_waits_without_it() {
    on_both(|site| {
        site.run("echo 'a long passphrase' > /tmp/key; zfs create -o encryption=on -o keyformat=passphrase \
                  -o keylocation=file:///tmp/key ${D%/p}/e");
        let room = site.room.name.clone();
        let dataset = format!("{room}/e/p").parse().unwrap();
        let inner = Site { host: site.host, room: site.host.room(), dataset };
        let hands = inner.hands();
        inner.init(&hands);
        inner.publish(&hands, 2, "two");
        site.host.run(&format!("zfs unmount {room}/e; zfs unload-key -r {room}/e"));
        assert!(!inner.look(&hands).live.unwrap().unlocked);
        refused(hands.perform(&inner.clone_of(Uuid::now_v7(), 2)), Code::Unreachable);
        site.host.run(&format!("zfs load-key -r {room}/e && zfs mount {room}/e"));
        inner.recover(&hands);
        assert_eq!(inner.run("cat $P/file"), "two\n");
        // With a key of its own, that stays its own.
        inner.run(
            "echo 'another passphrase' > /tmp/key-2; \
             zfs change-key -o keyformat=passphrase -o keylocation=file:///tmp/key-2 $D",
        );
        // Which leaves a trace of a write: it is looked at, and nothing.
        for number in [3, 4] {
            publish_until_it_dies(&inner, &hands, Uuid::now_v7(), number);
            inner.recover(&hands);
        }
        let root = "zfs get -H -o value encryptionroot,keylocation $D";
        assert_eq!(inner.run(root), format!("{}\nfile:///tmp/key-2\n", inner.dataset));
        inner.run("zfs unmount $D; zfs unload-key $D; zfs load-key $D; zfs mount $D");
        assert_eq!(inner.run("cat $P/file $P/.zfs/snapshot/s2/file"), "content-4\ntwo\n");
    });
}

#[test]
fn a_pool_that_lost_a_disk_and_goes_on_is_no_hindrance() {
    on_both(|site| {
        let pool = site.host.pool(96);
        let name = pool.name.clone();
        let site = Site::new(site.host, pool);
        let hands = site.hands();
        site.init(&hands);
        site.host.run(&format!(
            "truncate -s 96M /vdevs/{name}-2; zpool attach -w {name} /vdevs/{name} /vdevs/{name}-2; \
             zpool offline {name} /vdevs/{name}-2; rm /vdevs/{name}-2"
        ));
        assert_eq!(place(&site, &format!("/{name}/p")).unwrap().health, "DEGRADED");
        site.publish(&hands, 2, "two");
        assert_eq!(site.run("cat $P/file"), "two\n");
    });
}

#[test]
fn a_snapshot_that_is_just_being_sent_stops_it_until_it_is_sent() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        site.publish(&hands, 2, "$(head -c 2000000 /dev/urandom | base64 -w 0)");
        let t = site.stage(&hands, 2, "three");
        let live = site.look(&hands).live.unwrap().guid;
        // Whoever receives it is in no hurry.
        site.run(
            "mkdir -p /tmp/$D; (zfs send $D@s2 | { until [ -e /tmp/$D/go ]; do sleep 0.1; done; \
             zfs recv ${D%/p}/copy; }; touch /tmp/$D/sent) > /dev/null 2>&1 & sleep 2",
        );
        let before = site.listing();
        assert_eq!(stopped(hands.perform(&site.decide(t, Some(live), 3))), Stop::Busy);
        assert_eq!(site.listing(), before);
        site.run("touch /tmp/$D/go; until [ -e /tmp/$D/sent ]; do sleep 0.1; done");
        assert_eq!(hands.perform(&site.decide(t, Some(live), 3)).unwrap(), Answer::Decided);
        site.recover(&hands);
        assert_eq!(
            site.run("cat $P/file; cmp $P/.zfs/snapshot/s2/file ${P%/p}/copy/file"),
            "three\n"
        );
    });
}

#[test]
fn a_property_that_looks_like_others_is_carried_nowhere() {
    on_both(|site| {
        let hands = site.hands();
        site.init(&hands);
        site.run("zfs set com.example:note=\"$(printf 'a\\tlocal\\n%s\\tsetuid\\toff' $D)\" $D");
        let before = site.listing();
        let told = refused(hands.perform(&site.clone_of(Uuid::now_v7(), 1)), Code::Unsupported);
        assert!(told.message.contains("line end"), "{told}");
        assert_eq!(site.listing(), before);
        // Nor does it make up a snapshot, or a decision.
        site.run("zfs inherit com.example:note $D");
        let forged =
            "zfs set dsg:transaction=\"$(printf 'a\\tlocal\\n%s@s9\\ttype\\tsnapshot' $D)\" $D";
        site.run(forged);
        let (dataset, since, only) = (site.dataset.clone(), None, None);
        refused(
            hands.perform(&Verb::Look { dataset, since, only, flush: false }),
            Code::Unsupported,
        );
        site.run("zfs inherit dsg:transaction $D");
        site.publish(&hands, 2, "two");
    });
}

#[test]
fn a_dataset_that_is_no_repository_is_neither_published_to_nor_snapshotted_nor_cloned() {
    on_both(|site| {
        let (hands, t) = (site.hands(), Uuid::now_v7());
        // A person's own, with a snapshot that is called as ours are, and what looks like a clone of ours.
        site.run(&format!(
            "zfs create $D; echo mine > $P/file; zfs snapshot $D@s1; \
             zfs clone -o canmount=noauto $D@s1 $D.dsg-{t}; \
             zfs clone -o canmount=noauto $D@s1 $D.dsg-old-{t}"
        ));
        let live = site.look(&hands).live.unwrap().guid;
        let before = site.listing();
        refused(hands.perform(&site.clone_of(Uuid::now_v7(), 1)), Code::Exists);
        let dataset = site.dataset.clone();
        refused(hands.perform(&Verb::Freeze { dataset, transaction: t }), Code::Exists);
        refused(hands.perform(&site.bury(t)), Code::Exists);
        let decision = site.decision(t, Some(live), 2);
        for verb in [Verb::Decide(decision.clone()), Verb::Publish(decision)] {
            assert_eq!(hands.perform(&verb).unwrap(), Answer::Stopped(Stop::Stranger));
        }
        let tag = dsg_host::zfs::name::Tag::Number("s1".parse().unwrap());
        let Answer::Dropped(stays) = hands.perform(&site.drop_of(tag)).unwrap() else {
            panic!("no answer")
        };
        assert_eq!(stays.len(), 1);
        assert_eq!(site.listing(), before);
    });
}

#[test]
fn nothing_is_discarded_but_what_this_account_made_to_be_tried() {
    on_both(|site| {
        let user = |id: u32| site.hands_with(&format!("SUDO_UID={id} SUDO_GID={id}")).unwrap();
        let ann = user(1000);
        let above = site.dataset.parent().unwrap();
        let trial = above.child("dsg-trial-1000").unwrap();
        let discard =
            |dataset: &dsg_host::zfs::name::Dataset| Verb::Discard { dataset: dataset.clone() };
        site.init(&site.hands());
        let before = site.listing();
        for other in [site.dataset.clone(), above.child("dsg-trial-1001").unwrap()] {
            refused(ann.perform(&discard(&other)), Code::Usage);
        }
        // A person's of that name, with and without snapshots, and a repository that was renamed.
        let not_one = |make: &str, back: &str| {
            site.run(&format!("T={trial}; {make}"));
            let before = site.listing();
            refused(ann.perform(&discard(&trial)), Code::Exists);
            assert_eq!(site.listing(), before, "{make}");
            site.run(&format!("T={trial}; {back}"));
        };
        not_one("zfs create $T", "zfs destroy $T");
        not_one("zfs create $T; zfs snapshot $T@mine", "zfs destroy -r $T");
        not_one("zfs rename $D $T", "zfs rename $T $D");
        assert_eq!(site.listing(), before);
        // Its own, which another account does not touch, goes with its locks.
        let t = Uuid::now_v7();
        let create = Verb::Create { dataset: trial.clone(), transaction: t };
        crate::fixture::mounted(ann.perform(&create));
        ann.perform(&Verb::LockFile { dataset: trial.clone() }).unwrap();
        refused(user(1001).perform(&discard(&trial)), Code::Usage);
        for _ in 0..2 {
            assert_eq!(ann.perform(&discard(&trial)).unwrap(), Answer::Done);
            assert_eq!(site.listing(), before);
        }
        assert_eq!(
            site.run("ls /run/dsg/lock /run/dsg/turn | grep -c dsg-trial-1000 || true"),
            "0\n"
        );
    });
}
