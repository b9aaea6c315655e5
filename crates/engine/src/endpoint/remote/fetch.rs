//! Files that come: named in one request, sent in one stream, received by several threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_wire::frame::Kind;
use dsg_wire::intake::Intake;
use dsg_wire::message::Answer;

use super::line::Line;
use super::unexpected;
use crate::endpoint::Receive;

/// Sends the names, and hands each file to `receiver`.
pub(super) fn fetch(
    line: &mut Line,
    paths: &[RepoPath],
    receiver: &dyn Receive,
    monitor: &Monitor,
) -> Outcome<()> {
    line.list::<RepoPath>(paths)?;
    let count = paths.len();
    let intake = Intake::new(0..u32::try_from(count).unwrap_or(u32::MAX));
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<Failure>> = Mutex::default();
    let stops = AtomicBool::new(false);
    let one = |place: usize| -> Outcome<()> {
        monitor.check()?;
        let number = u32::try_from(place).unwrap_or(u32::MAX);
        let missing =
            |e| Failure::new(Code::Io, format!("{} did not come.", paths[place])).because(e);
        let mut arrival = intake.open(number).map_err(missing)?;
        let private = arrival.private();
        receiver.receive(place, &mut arrival, private)
    };
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= count {
                return;
            }
            if let Err(failure) = one(place) {
                next.store(count, Ordering::Relaxed);
                if let Ok(mut first) = failed.lock() {
                    first.get_or_insert(failure);
                }
                stops.store(true, Ordering::Relaxed);
                intake.discard();
                return;
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(8).min(count);
    let came = std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
        let came = take_in(line, &intake, &stops);
        let all = intake.close();
        came.and_then(|came| match came {
            Came::All if !all => line.violated("fewer files than were asked for"),
            came => Ok(came),
        })
    });
    let failed = failed.into_inner().ok().flatten();
    match (came?, failed) {
        (_, Some(failure)) => Err(failure),
        (_, None) => Ok(()),
    }
}

/// Why no more content is taken in.
enum Came {
    All,
    Enough,
}

fn take_in(line: &mut Line, intake: &Intake, stops: &AtomicBool) -> Outcome<Came> {
    loop {
        let frame = line.next()?;
        if stops.load(Ordering::Relaxed) {
            if frame.kind == Kind::Answer {
                line.answer(&frame)?;
            }
            return Ok(Came::Enough);
        }
        if frame.kind != Kind::Answer {
            let delivered = intake.deliver(frame);
            line.sound(delivered)?;
            continue;
        }
        return match line.answer(&frame)? {
            Answer::Done => Ok(Came::All),
            other => unexpected(line, &other),
        };
    }
}
