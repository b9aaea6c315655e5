//! A transaction on the host: content goes in one stream, in the order in which the agent wants it.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use dsg_core::failure::{Failure, Outcome};
use dsg_core::manifest::Change;
use dsg_core::monitor::Monitor;
use dsg_core::repository::{ContentChanged, Publication, Upload};
use dsg_core::snapshot::SnapshotHeader;
use dsg_host::tree::{OlderFile, Refusal, Supply};
use dsg_wire::chunks::{Chunks, WORTH};
use dsg_wire::delta::{Against, Basis, Content};
use dsg_wire::frame::{Kind, WireError, packed};
use dsg_wire::list::{self, Copy, Have, Older, OlderChunks, Refused, RefusedText, Run, Want};
use dsg_wire::message::{Answer, Request};
use dsg_wire::pump::{Cargo, Opened, pump};
use dsg_wire::told::Lists;

use super::line::Line;
use super::lists::MOST_KEPT;
use super::{Connection, gone, unexpected};
use crate::endpoint::RemoteTransaction;

/// Frames that are shorter are not waited for: the agent has work with what they tell.
const SHORT: usize = 64 * 1024;

/// A transaction, on the line on which it was begun.
pub(super) struct Transaction {
    connection: Arc<Connection>,
    line: u64,
    id: String,
    /// The host is not waiting for it any more.
    over: bool,
}

impl Transaction {
    pub(super) fn new(connection: Arc<Connection>, line: u64, id: &str) -> Self {
        Self { connection, line, id: id.to_owned(), over: false }
    }

    fn ask<T>(
        &self,
        request: &Request,
        monitor: Option<&Monitor>,
        talk: impl FnOnce(&mut Line) -> Outcome<T>,
    ) -> Outcome<T> {
        let mut current = self.connection.held();
        if current.number != self.line || current.line.is_gone() {
            return Err(gone());
        }
        self.connection.trip();
        current.line.converse(request, monitor, talk)
    }
}

impl RemoteTransaction for Transaction {
    fn stage(
        &mut self,
        uploads: &[Upload],
        source: &dyn Supply,
        monitor: &Monitor,
    ) -> Outcome<Vec<(usize, Refusal)>> {
        let older = older(uploads.len(), source);
        let request = Request::Stage {
            transaction: self.id.clone(),
            uploads: uploads.len() as u64,
            older: older.len() as u64,
        };
        let connection = &self.connection;
        self.ask(&request, Some(monitor), |line| {
            line.list::<Upload>(uploads)?;
            line.list::<Older>(&older)?;
            drop(older);
            let failures = Mutex::default();
            let mut asked = vec![Asked::Not; uploads.len()];
            loop {
                match reply(line, &mut asked)? {
                    Reply::Wants(wanted) => {
                        let wares = Wares { uploads, wanted, source, failures: &failures };
                        supply(line, &wares, monitor)?;
                        connection.trip();
                    }
                    Reply::Staged(refused) => {
                        let mut failures =
                            failures.into_inner().unwrap_or_else(PoisonError::into_inner);
                        let told = |r: Refused| refusal(r, &mut failures);
                        return Ok(refused.into_iter().map(told).collect());
                    }
                }
            }
        })
    }

    fn publish(
        mut self: Box<Self>,
        publication: &Publication,
        monitor: &Monitor,
    ) -> Outcome<SnapshotHeader> {
        let Publication { base, authorship, config, changes, copies } = publication;
        let request = Request::Publish {
            base: *base,
            authorship: authorship.clone(),
            config: Box::new(config.clone()),
            changes: changes.len() as u64,
            copies: copies.len() as u64,
        };
        let published = self.ask(&request, Some(monitor), |line| {
            line.list::<Change>(changes.iter())?;
            line.list::<Copy>(copies)?;
            match line.only_answer()? {
                Answer::Header { header } => Ok(*header),
                other => unexpected(line, &other),
            }
        });
        self.over = true;
        published
    }

    fn abort(mut self: Box<Self>) -> Outcome<()> {
        self.over = true;
        let request = Request::Abort { transaction: self.id.clone() };
        self.ask(&request, None, |line| match line.only_answer()? {
            Answer::Done => Ok(()),
            other => unexpected(line, &other),
        })
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let mut current = self.connection.held();
        if !self.over && current.number == self.line && !current.line.is_gone() {
            // If it does not hear of it, it learns when the connection ends.
            let _ = current.line.mention(&Request::Release { transaction: self.id.clone() });
        }
    }
}

/// The older versions that uploads replace, with whether their chunks are known here.
fn older(uploads: usize, source: &dyn Supply) -> Vec<Older> {
    let one = |place| {
        let OlderFile { path, size } = source.older(place)?;
        let known = source.chunks(place).is_some();
        Some(Older { upload: u32::try_from(place).ok()?, path, size, known })
    };
    (0..uploads).filter_map(one).collect()
}

/// Whether an upload was asked for: what did not prove itself, built on what was there, is asked for
/// once more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Not,
    Rest,
    Whole,
}

/// What the agent lacks.
#[derive(Default)]
struct Wanted {
    /// In this order.
    numbers: Vec<u32>,
    /// Of which something is there.
    rest: HashMap<u32, Have>,
    /// The chunks of an older version that is there.
    chunks: HashMap<u32, Chunks>,
}

impl Wanted {
    fn add(&mut self, want: Want, asked: &mut [Asked]) -> Result<(), WireError> {
        let (first, count, how) = match want {
            Want::Run(Run(first, count)) => (first, count, Asked::Whole),
            Want::Rest(have) => {
                self.rest.insert(have.file, have);
                (have.file, 1, Asked::Rest)
            }
        };
        for number in first..first.saturating_add(count) {
            match asked.get_mut(number as usize) {
                Some(asked) if *asked < how => *asked = how,
                _ => return Err(WireError::Damaged("content wanted that was not offered".into())),
            }
            self.numbers.push(number);
        }
        Ok(())
    }
}

/// What the agent says to uploads.
enum Reply {
    /// It lacks the content of these.
    Wants(Wanted),
    /// All is staged but these.
    Staged(Vec<Refused>),
}

fn reply(line: &mut Line, asked: &mut [Asked]) -> Outcome<Reply> {
    let mut wanted = Wanted::default();
    let mut lists: Option<Lists> = None;
    let (mut refused, mut bytes): (Vec<Refused>, u64) = (Vec::new(), 0);
    loop {
        let frame = line.next()?;
        match frame.kind {
            Kind::Want => {
                let wants = list::items::<Want>(&frame.payload);
                for want in line.sound(wants)? {
                    let added = wanted.add(want, asked);
                    line.sound(added)?;
                }
            }
            Kind::Chunks => {
                if lists.is_none() {
                    let told = wanted.numbers.iter().filter_map(|n| wanted.rest.get(n));
                    let announced = Lists::announced(told);
                    lists = Some(line.sound(announced)?);
                }
                let taken = lists.as_mut().map_or(Ok(()), |lists| lists.take(&frame));
                line.sound(taken)?;
            }
            Kind::Lines => {
                let more = list::items::<Refused>(&frame.payload);
                refused.extend(line.sound(more)?);
                bytes += frame.payload.len() as u64;
                if refused.len() > asked.len() || bytes > MOST_KEPT {
                    return line.violated("more refused than was offered");
                }
            }
            // It has ended for it already; the answer comes.
            Kind::Cancel => {}
            Kind::Answer => match line.answer(&frame)? {
                Answer::Wanted { uploads } if uploads == wanted.numbers.len() as u64 => {
                    // What was announced and did not come is as good as not announced.
                    wanted.chunks = lists.map(Lists::into_map).unwrap_or_default();
                    return Ok(Reply::Wants(wanted));
                }
                Answer::Staged { refused: count } if count == refused.len() as u64 => {
                    if refused.iter().any(|r| r.index as usize >= asked.len()) {
                        return line.violated("refused what was not offered");
                    }
                    return Ok(Reply::Staged(refused));
                }
                other => return unexpected(line, &other),
            },
            other => return line.violated(format!("{other:?} while staging")),
        }
    }
}

/// Sends what is wanted, until the agent or the person wants no more.
fn supply(line: &mut Line, wares: &Wares<'_>, monitor: &Monitor) -> Outcome<()> {
    let mut enough = false;
    let sent = pump(wares, &mut |frame| {
        monitor.check()?;
        enough = line.interrupted()?;
        if enough {
            return Err(Failure::cancelled());
        }
        let is_short = frame.len() < SHORT;
        line.send(Ok(frame))?;
        if is_short { line.flush() } else { Ok(()) }
    });
    if sent.is_err() && !enough && !line.is_gone() {
        line.cancel()?;
    }
    if !line.is_gone() {
        line.send(packed(Kind::ContentEnd, &[]))?;
    }
    if enough { Ok(()) } else { sent }
}

fn refusal(refused: Refused, failures: &mut HashMap<u32, Failure>) -> (usize, Refusal) {
    let why = match (refused.why, failures.remove(&refused.index)) {
        (_, Some(own)) => Refusal::Supply(own),
        (RefusedText::Changed { expected, found }, None) => {
            Refusal::Changed(ContentChanged { expected, found })
        }
        (RefusedText::Failed(failure), None) => Refusal::Supply(failure.into()),
    };
    (refused.index as usize, why)
}

/// Content that goes.
struct Wares<'a> {
    uploads: &'a [Upload],
    wanted: Wanted,
    source: &'a dyn Supply,
    /// Why content could not be had, by its place.
    failures: &'a Mutex<HashMap<u32, Failure>>,
}

impl Cargo for Wares<'_> {
    fn count(&self) -> usize {
        self.wanted.numbers.len()
    }

    fn number(&self, place: usize) -> u32 {
        self.wanted.numbers[place]
    }

    fn weight(&self, place: usize) -> u64 {
        self.uploads[self.number(place) as usize].file.size
    }

    fn open(&self, place: usize) -> Outcome<Opened<'_>> {
        let number = self.number(place);
        let index = number as usize;
        let upload = &self.uploads[index];
        let have = self.wanted.rest.get(&number);
        let kept = have.map_or(0, |have| have.kept);
        let content = match self.source.open(index, Basis { kept, older: false })? {
            Content::Bytes(content) => content,
            parts @ Content::Parts(_) => return Ok((parts, upload.private)),
        };
        // One byte more shows that it is longer than it was.
        let content = content.take(upload.file.size.saturating_sub(kept).saturating_add(1));
        let older = match have.and_then(|have| have.older) {
            Some(OlderChunks::Known) => self.source.chunks(index),
            Some(OlderChunks::Told { .. }) => self.wanted.chunks.get(&number),
            None => None,
        };
        // Told against nothing where it goes whole, so that its own chunks become known.
        let none = Chunks::none(upload.file.size);
        let learns = kept == 0 && upload.file.size >= WORTH;
        let content = match older.or(learns.then_some(&none)) {
            Some(older) => {
                let told = Against::new(content, kept, older);
                let learn = move |chunks| self.source.learn(index, chunks);
                let told = if kept == 0 { told.learning(learn) } else { told };
                Content::Parts(Box::new(told))
            }
            None => Content::Bytes(Box::new(content)),
        };
        Ok((content, upload.private))
    }

    fn refused(&self, place: usize, why: Failure) -> Outcome<()> {
        if why.code == dsg_core::failure::Code::Cancelled {
            return Err(why);
        }
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.insert(self.number(place), why);
        Ok(())
    }
}
