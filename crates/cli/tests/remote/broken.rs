//! Whatever breaks on either side of a sync over ssh: all is as before, nobody holds anything, and the next
//! try goes on with what has arrived.

use std::time::{Duration, Instant};

use dsg_testkit::agent::Known;
use dsg_testkit::disk::{Disk, Format};
use dsg_testkit::keeping::assert_repository;
use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::proxy::{Proxy, Weather};
use dsg_testkit::run::{Running, skipped, wait_until};
use dsg_testkit::world::World;
use rustix::process::Signal;

use crate::network::noise;
use crate::{BIG, far};

/// A checkout that is behind a relay and has much to send, and its agent.
fn much_to_send() -> Option<(Lab, Proxy, Checkout, Known)> {
    let mut lab = far();
    if lab.is_on_zfs() {
        skipped("processes of another machine are not ended from here");
        return None;
    }
    let proxy = Proxy::to(lab.port(), Weather::default());
    lab.through(proxy.port);
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    p1.init();
    let known = Known::with(&lab, &p1, "");
    for n in 0..6 {
        p1.write(&format!("input/big{n}"), noise(n, BIG / 6));
    }
    Some((lab, proxy, p1, known))
}

/// A sync of it that has sent half.
fn half_sent(proxy: &Proxy, p1: &Checkout) -> Running {
    let before = proxy.bytes().0;
    proxy.set(Weather { rate: 24 << 20, ..Weather::default() });
    let sync = p1.start(&["sync"]);
    wait_until(|| proxy.bytes().0 > before + (BIG as u64) / 2);
    sync
}

/// The next sync; gives the bytes that it sends.
fn next(lab: &Lab, proxy: &Proxy, p1: &Checkout) -> u64 {
    proxy.set(Weather::default());
    let before = proxy.bytes().0;
    p1.sync();
    let sent = proxy.bytes().0 - before;
    p1.assert_in_sync();
    assert_eq!(lab.repo_tree(), p1.tree());
    assert_repository(lab, p1);
    sent
}

#[test]
fn a_sync_whose_agent_freezes_is_stopped_by_whoever_stops_it() {
    let Some((lab, proxy, p1, agent)) = much_to_send() else { return };
    let before = World::observe(&lab, &[&p1]);
    let sync = half_sent(&proxy, &p1);
    // Its connection lives; nobody takes what comes over it.
    agent.freeze();
    sync.signal(Signal::INT);
    let begun = Instant::now();
    sync.end().expect(130).failed("cancelled");
    // No sign of life for a minute would end it, too.
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    // It is still there, and in nobody's way.
    let frozen = agent.halted();
    assert_eq!(World::observe(&lab, &[&p1]).which(&[&before]), Ok(0));
    next(&lab, &proxy, &p1);
    assert_ne!(agent.process(), frozen);
}

#[test]
fn a_sync_whose_agent_is_killed_goes_on_where_it_was() {
    let Some((lab, proxy, p1, agent)) = much_to_send() else { return };
    let before = World::observe(&lab, &[&p1]);
    let sync = half_sent(&proxy, &p1);
    agent.kill();
    sync.end().expect(6).failed("unreachable");
    assert_eq!(World::observe(&lab, &[&p1]).which(&[&before]), Ok(0));
    let sent = next(&lab, &proxy, &p1);
    assert!(sent < BIG as u64 * 3 / 4, "{sent} of {BIG} bytes were sent again");
}

#[test]
fn a_sync_that_is_killed_here_goes_on_where_it_was() {
    let Some((lab, proxy, p1, agent)) = much_to_send() else { return };
    let before = World::observe(&lab, &[&p1]);
    let sync = half_sent(&proxy, &p1);
    sync.signal(Signal::KILL);
    assert_eq!(sync.end().code(), None, "it was in time");
    // It learns that nobody is there, and leaves nothing locked.
    agent.ended();
    assert_eq!(World::observe(&lab, &[&p1]).which(&[&before]), Ok(0));
    assert!(p1.dsg(&["status"]).ok().json()["at_work"].is_null());
    let sent = next(&lab, &proxy, &p1);
    assert!(sent < BIG as u64 * 3 / 4, "{sent} of {BIG} bytes were sent again");
}

#[test]
fn a_full_disk_on_the_host_changes_nothing_and_the_next_sync_has_room() {
    let Some(disk) = Disk::new(Format::Ext4, 128) else { return };
    let lab = far();
    if lab.is_on_zfs() {
        return skipped("it is about the disk of a folder");
    }
    let mut lab = lab.with_repo(disk.path().join("repo"));
    let proxy = Proxy::to(lab.port(), Weather::default());
    lab.through(proxy.port);
    let (p1, p2) = lab.pair(&[("input/a", "one"), ("input/b", "two")]);
    for n in 0..6 {
        p1.write(&format!("input/big{n}"), noise(n, BIG / 6));
    }
    p1.write("input/a", "changed");
    let before = World::observe(&lab, &[&p1, &p2]);
    // Known before, and found out in the middle.
    for (allow, codes) in
        [(&[][..], ["space-halt", "space"]), (&["--allow", "space"], ["space"; 2])]
    {
        let ballast = disk.fill_up_to(BIG as u64 / 2);
        let full = p1.try_sync(allow);
        let said = full.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
        assert!(codes.contains(&said.as_str()), "{full:?}");
        assert_eq!(World::observe(&lab, &[&p1, &p2]).which(&[&before]), Ok(0), "{said}");
        assert!(p2.dsg(&["status"]).ok().json()["at_work"].is_null());
        std::fs::remove_file(ballast).unwrap();
    }
    let sent = next(&lab, &proxy, &p1);
    println!("{sent} of {BIG} bytes went to the host then");
    p2.sync();
    assert_eq!(p1.tree(), p2.tree());
}
