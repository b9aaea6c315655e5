//! A network that is cut or goes silent: nothing changes, and the next try finishes.

use std::time::Duration;

use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::proxy::{Proxy, Weather};
use dsg_testkit::world::World;

use crate::{BIG, far};

/// Bytes that do not compress.
pub(crate) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// A checkout behind a relay, with three big files to send.
fn behind_a_relay() -> (Lab, Proxy, Checkout) {
    let mut lab = far();
    let proxy = Proxy::to(lab.port(), Weather::default());
    lab.through(proxy.port);
    let p1 = lab.checkout("p1");
    let patience = "Host *\n ServerAliveInterval 1\n ServerAliveCountMax 2\n ConnectTimeout 5\n";
    std::fs::write(p1.runner.home.join(".ssh/config"), patience).unwrap();
    p1.write("input/a", "one");
    p1.init();
    for n in 0..3 {
        p1.write(&format!("input/big{n}"), noise(n, BIG / 3));
    }
    (lab, proxy, p1)
}

#[test]
fn a_sync_that_is_cut_changes_nothing_and_the_next_sends_less_of_it_again() {
    let (lab, proxy, p1) = behind_a_relay();
    let before = World::observe(&lab, &[&p1]);
    // Together less than there is to send, so that each is cut however much was kept of the one before.
    for part in [1, 4, 5] {
        let sent = proxy.bytes().0;
        proxy.set(Weather {
            rate: 80 << 20,
            cut_after_up: sent + (BIG * part / 12) as u64,
            ..Weather::default()
        });
        p1.try_sync(&[]).expect(6).failed("unreachable");
        proxy.set(Weather::default());
        assert_eq!(World::observe(&lab, &[&p1]).which(&[&before]), Ok(0), "after {part}/12");
    }
    let sent = proxy.bytes().0;
    p1.sync();
    let again = proxy.bytes().0 - sent;
    assert!(again < (BIG as u64) / 2, "{again} of {BIG} bytes were sent again");
    p1.assert_in_sync();
    assert_eq!(lab.repo_tree(), p1.tree());
}

#[test]
fn a_sync_over_a_network_that_goes_silent_ends_and_the_next_one_finishes() {
    let (lab, proxy, p1) = behind_a_relay();
    let sent = proxy.bytes().0;
    proxy.set(Weather { stall_after_up: sent + (BIG / 2) as u64, ..Weather::default() });
    p1.try_sync(&[]).expect(6).failed("unreachable");
    proxy.cut();
    proxy.set(Weather::default());
    proxy.stall(false);
    p1.sync();
    p1.assert_in_sync();
    assert_eq!(lab.repo_tree(), p1.tree());
}

#[test]
fn a_long_way_costs_time_for_each_question_and_not_for_each_file() {
    let mut lab = far();
    let proxy = Proxy::to(lab.port(), Weather::default());
    lab.through(proxy.port);
    let p1 = lab.checkout("p1");
    for n in 0..300 {
        p1.write(&format!("input/{n}"), format!("file {n}"));
    }
    p1.init();
    proxy.set(Weather { delay: Duration::from_millis(20), ..Weather::default() });
    for n in 0..300 {
        p1.write(&format!("input/{n}"), format!("changed {n}"));
    }
    let trips = p1.sync().json()["round_trips"].as_u64().unwrap();
    assert!(trips < 15, "{trips} round trips for 300 files");
    let nothing = p1.sync().json()["round_trips"].as_u64().unwrap();
    assert!(nothing <= 3, "{nothing} round trips for nothing");
}
