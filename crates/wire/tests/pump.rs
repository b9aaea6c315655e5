//! A transfer whose other side goes away, and one that comes faster than it is taken.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::bounded;
use dsg_core::failure::{Failure, Outcome};
use dsg_wire::delta::Content;
use dsg_wire::delta::Parts as _;
use dsg_wire::frame::{Frame, Kind};
use dsg_wire::intake::Intake;
use dsg_wire::pump::{Cargo, Opened, pump};

/// Files of which each fills a load.
struct Tiles(usize);

const SIZE: usize = 2 << 20;

impl Cargo for Tiles {
    fn count(&self) -> usize {
        self.0
    }

    fn number(&self, place: usize) -> u32 {
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    fn weight(&self, _: usize) -> u64 {
        SIZE as u64
    }

    fn open(&self, _: usize) -> Outcome<Opened<'_>> {
        let content = std::io::Read::take(std::io::repeat(7), SIZE as u64);
        Ok((Content::Bytes(Box::new(content)), false))
    }

    fn refused(&self, _: usize, why: Failure) -> Outcome<()> {
        Err(why)
    }
}

#[test]
fn a_transfer_that_fails_ends_whatever_was_read_ahead() {
    let (told, ended) = bounded(1);
    std::thread::spawn(move || {
        let mut sent = 0;
        let result = pump(&Tiles(200), &mut |_| {
            sent += 1;
            if sent > 3 { Err(Failure::cancelled()) } else { Ok(()) }
        });
        told.send(result.is_err())
    });
    assert_eq!(ended.recv_timeout(Duration::from_secs(60)), Ok(true), "it waits for ever");
}

/// A frame with one piece of a file.
fn piece(file: u32, last: bool, size: u32) -> Frame {
    let mut payload = [&file.to_le_bytes()[..], &[u8::from(last)], &size.to_le_bytes()].concat();
    payload.resize(payload.len() + size as usize, 7);
    Frame { kind: Kind::Content, payload }
}

#[test]
fn who_waits_for_a_file_fills_no_memory_with_the_one_before_it() {
    const MIB: u32 = 1 << 20;
    let intake = Intake::new(0..2);
    let (finished, starving) = (AtomicBool::new(false), AtomicBool::new(false));
    let most = std::thread::scope(|scope| {
        scope.spawn(|| {
            intake.deliver(piece(0, false, 1)).unwrap();
            while !starving.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            for _ in 0..60 {
                intake.deliver(piece(0, false, MIB - 64)).unwrap();
            }
            intake.deliver(piece(0, true, 1)).unwrap();
            intake.deliver(piece(1, true, 1)).unwrap();
            finished.store(true, Ordering::Release);
        });
        let mut reading = intake.open(0).unwrap();
        scope.spawn(|| {
            starving.store(true, Ordering::Release);
            drop(intake.open(1));
        });
        // Nobody takes anything of the large one: it has to stop by itself.
        let most = loop {
            let (waiting, full) = intake.waiting();
            if full || finished.load(Ordering::Acquire) {
                break waiting;
            }
            std::thread::yield_now();
        };
        while reading.part().unwrap().is_some() {}
        most
    });
    assert!(most < 24 << 20, "{most} bytes wait");
}
