//! A transaction on the host: content goes in one stream, in the order in which the agent wants it.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};

use dsg_core::failure::{Failure, Outcome};
use dsg_core::manifest::Change;
use dsg_core::monitor::Monitor;
use dsg_core::repository::{ContentChanged, Publication, Upload};
use dsg_core::snapshot::SnapshotHeader;
use dsg_host::tree::{Refusal, Supply};
use dsg_wire::frame::{Kind, packed};
use dsg_wire::list::{self, Copy, Refused, RefusedText, Run};
use dsg_wire::message::{Answer, Request};
use dsg_wire::pump::{Cargo, Opened, pump};

use super::line::Line;
use super::{Connection, gone, unexpected};
use crate::endpoint::RemoteTransaction;

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
        let request =
            Request::Stage { transaction: self.id.clone(), uploads: uploads.len() as u64 };
        let connection = &self.connection;
        self.ask(&request, Some(monitor), |line| {
            line.list::<Upload>(uploads)?;
            let failures = Mutex::default();
            let mut asked = vec![false; uploads.len()];
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

/// What the agent says to uploads.
enum Reply {
    /// It lacks the content of these.
    Wants(Vec<u32>),
    /// All is staged but these.
    Staged(Vec<Refused>),
}

fn reply(line: &mut Line, asked: &mut [bool]) -> Outcome<Reply> {
    let mut wanted = Vec::new();
    let mut refused: Vec<Refused> = Vec::new();
    loop {
        let frame = line.next()?;
        match frame.kind {
            Kind::Want => {
                let runs = list::items::<Run>(&frame.payload);
                for Run(first, count) in line.sound(runs)? {
                    for number in first..first.saturating_add(count) {
                        match asked.get_mut(number as usize) {
                            Some(asked) if !*asked => *asked = true,
                            _ => return line.violated("content wanted that was not offered"),
                        }
                        wanted.push(number);
                    }
                }
            }
            Kind::Lines => {
                let more = list::items::<Refused>(&frame.payload);
                refused.extend(line.sound(more)?);
                if refused.len() > asked.len() {
                    return line.violated("more refused than was offered");
                }
            }
            // It has ended for it already; the answer comes.
            Kind::Cancel => {}
            Kind::Answer => match line.answer(&frame)? {
                Answer::Wanted { uploads } if uploads == wanted.len() as u64 => {
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
        if enough { Err(Failure::cancelled()) } else { line.send(Ok(frame)) }
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
    /// The places of what is wanted, in the order in which it is.
    wanted: Vec<u32>,
    source: &'a dyn Supply,
    /// Why content could not be had, by its place.
    failures: &'a Mutex<HashMap<u32, Failure>>,
}

impl Cargo for Wares<'_> {
    fn count(&self) -> usize {
        self.wanted.len()
    }

    fn number(&self, place: usize) -> u32 {
        self.wanted[place]
    }

    fn weight(&self, place: usize) -> u64 {
        self.uploads[self.wanted[place] as usize].file.size
    }

    fn open(&self, place: usize) -> Outcome<Opened<'_>> {
        let index = self.wanted[place] as usize;
        let upload = &self.uploads[index];
        // One byte more shows that it is longer than it was.
        let content = self.source.open(index)?.take(upload.file.size.saturating_add(1));
        Ok((Box::new(content), upload.private))
    }

    fn refused(&self, place: usize, why: Failure) -> Outcome<()> {
        if why.code == dsg_core::failure::Code::Cancelled {
            return Err(why);
        }
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.insert(self.wanted[place], why);
        Ok(())
    }
}
