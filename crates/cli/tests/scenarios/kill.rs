//! `kill -9` at random times, 200 times over.

use std::time::{Duration, Instant};

use dsg_testkit::dice::Dice;
use dsg_testkit::keeping::{assert_live_tree, assert_repository};
use dsg_testkit::lab::Checkout;
use dsg_testkit::world::World;
use rustix::process::Signal;

use crate::lab;

const ROUNDS: u64 = 100;

#[test]
fn killed_at_any_time_all_sides_are_before_or_after() {
    let mut dice = Dice::announced("kill");
    let lab = lab();
    // One file stays, lest a folder be emptied: that halts.
    let paths = (0..12).map(|n| format!("input/{n}")).chain(["output/stays".to_owned()]);
    let files: Vec<_> = paths.map(|path| (path, "the first content")).collect();
    let files: Vec<_> = files.iter().map(|(p, c)| (p.as_str(), *c)).collect();
    let (p1, p2) = lab.pair(&files);
    let mut longest = Duration::from_millis(60);
    let mut killed = 0;
    let mut sides = (0, 0);
    for round in 0..ROUNDS {
        let (actor, other) = if dice.below(2) == 0 { (&p1, &p2) } else { (&p2, &p1) };
        edit(actor, round, &mut dice);
        for checkout in [actor, other] {
            let before = World::observe(&lab, &[checkout]);
            let wanted = if checkout.dir == actor.dir { actor.tree() } else { lab.repo_tree() };
            killed += u64::from(kill(checkout, &mut dice, &mut longest));
            let after = World::observe(&lab, &[checkout]);
            match side(&before, &after, &wanted) {
                Ok(false) => sides.0 += 1,
                Ok(true) => sides.1 += 1,
                Err(why) => panic!("round {round}: {why}"),
            }
            checkout.sync();
            checkout.assert_in_sync();
            assert_eq!((&checkout.tree(), &lab.repo_tree()), (&wanted, &wanted), "round {round}");
        }
        assert_live_tree(&lab, &p1);
    }
    assert_repository(&lab, &p1);
    println!("{killed} of {} were killed; {} before, {} after", 2 * ROUNDS, sides.0, sides.1);
    assert!(killed > ROUNDS / 2, "too few were killed in time: {killed}");
}

fn edit(checkout: &Checkout, round: u64, dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        checkout
            .write(&format!("input/{}", dice.below(12)), format!("round {round}: {}", dice.roll()));
    }
    let path = format!("output/{}", dice.below(6));
    if checkout.has(&path) && dice.below(2) == 0 {
        checkout.remove(&path);
    } else {
        checkout.write(&path, format!("round {round}: {}", dice.roll()));
    }
}

/// Starts a sync and kills it after a random part of the time that one takes; whether it was in
/// time.
fn kill(checkout: &Checkout, dice: &mut Dice, longest: &mut Duration) -> bool {
    let began = Instant::now();
    let running = checkout.start(&["sync", "-m", "killed"]);
    let wait = dice.below(u64::try_from(longest.as_micros()).unwrap_or(1).saturating_mul(11) / 10);
    // Not to wait for something: the moment of death is what is random here.
    std::thread::sleep(Duration::from_micros(wait));
    running.signal(Signal::KILL);
    let done = running.end();
    if done.code() == Some(0) {
        *longest = (*longest * 3 + began.elapsed()) / 4;
    }
    done.code().is_none()
}

/// Whether it is over: both trees are as wanted and nothing is pending. If not, all is as it was.
fn side(before: &World, now: &World, wanted: &dsg_testkit::tree::Tree) -> Result<bool, String> {
    let (tree, pending) = now.checkouts.values().next().ok_or("no checkout")?;
    let settled = pending.as_ref().is_some_and(|p| p.changes.is_empty() && p.head == p.last_sync);
    if tree == wanted && now.repository == *wanted && settled {
        return Ok(true);
    }
    now.which(&[before]).map(|_| false)
}
