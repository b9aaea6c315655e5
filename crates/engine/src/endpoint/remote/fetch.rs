//! Files that come: named in one request, sent in one stream, received by several threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_wire::chunks::{Chunks, MOST_CHUNKS};
use dsg_wire::delta::{Basis, Content};
use dsg_wire::frame::Kind;
use dsg_wire::intake::Intake;
use dsg_wire::list::Have;
use dsg_wire::message::Answer;
use dsg_wire::told;

use super::line::Line;
use super::unexpected;
use crate::endpoint::Receive;

/// What is here of the files that are asked for.
#[derive(Default)]
pub(super) struct Here {
    pub(super) have: Vec<Have>,
    /// Those that some lines announce.
    chunks: Vec<Chunks>,
}

impl Here {
    /// Asks the receiver. Chunks that would be too many are not told: those files come whole.
    pub(super) fn look(count: usize, receiver: &dyn Receive, monitor: &Monitor) -> Outcome<Self> {
        let mut here = Self::default();
        let mut left = MOST_CHUNKS;
        for place in 0..count {
            let basis = receiver.basis(place);
            if basis == Basis::NOTHING {
                continue;
            }
            monitor.check()?;
            let chunks = if basis.older { receiver.chunks(place).ok() } else { None };
            let chunks = chunks.filter(|chunks| (1..=left).contains(&chunks.len()));
            let (file, older) = (number(place), chunks.as_ref().map(told::announced));
            here.have.push(Have { file, kept: basis.kept, older });
            if let Some(chunks) = chunks {
                left -= chunks.len();
                here.chunks.push(chunks);
            }
        }
        Ok(here)
    }

    fn tell(self, line: &mut Line) -> Outcome<()> {
        line.list::<Have>(&self.have)?;
        for chunks in self.chunks {
            let frames = told::frames(&chunks);
            for frame in line.sound(frames)? {
                line.send(Ok(frame))?;
            }
        }
        Ok(())
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Sends the names, and hands each file to `receiver`.
pub(super) fn fetch(
    line: &mut Line,
    paths: &[RepoPath],
    here: Here,
    receiver: &dyn Receive,
    monitor: &Monitor,
) -> Outcome<()> {
    line.list::<RepoPath>(paths)?;
    here.tell(line)?;
    let count = paths.len();
    let intake = Intake::new(0..u32::try_from(count).unwrap_or(u32::MAX));
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<Failure>> = Mutex::default();
    let stops = AtomicBool::new(false);
    let one = |place: usize| -> Outcome<()> {
        monitor.check()?;
        let missing =
            |e| Failure::new(Code::Io, format!("{} did not come.", paths[place])).because(e);
        let arrival = intake.open(number(place)).map_err(missing)?;
        let private = arrival.private();
        receiver.receive(place, Content::Parts(Box::new(arrival)), private)
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
