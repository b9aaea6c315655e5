//! A repository on another computer: the agent there, over a byte stream.
//!
//! | module | owns |
//! |---|---|
//! | [`line`] | the connection: one request at a time, brought to its end |
//! | `connection` | what an endpoint and its transactions share of it |
//! | `transaction` | staging in one pipelined stream, publish, abort |
//! | `fetch` | files in one pipelined stream |
//! | `lists` | lists that come, bounded in items and bytes |
//! | `look` | what stands on the host, before a repository is opened |
//! | `pool` | agents that rest until they are asked again |
//!
//! What the agent says is checked before it is used: it may be anything. A connection that is lost
//! is made anew for the next question; a transaction goes with its connection, and what it staged
//! is found again by the next one.

mod connection;
mod fetch;
mod line;
mod lists;
mod look;
mod pool;
#[cfg(test)]
mod tests;
mod transaction;

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use dsg_core::address::SshHost;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::manifest::{Change, OrderCheck};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::places::Lease;
use dsg_core::repository::{self, Pruned, RepositoryInfo, Space, Standing};
use dsg_core::snapshot::{Authorship, SnapshotHeader, SnapshotId};
use dsg_host::tree::{Fault, Glimpse, Traced};
use dsg_wire::content;
use dsg_wire::frame::Kind;
use dsg_wire::list::{self, Ended, Found, Line as Item};
use dsg_wire::message::{Answer, GlimpseText, MOST_ITEMS, Request};

use super::{Contents, Endpoint, Receive, RemoteTransaction};
use crate::transport::Stream;
use connection::{Connection, Current};
use line::Line;
pub(crate) use line::Patience;
use lists::{Most, each_item};
pub(super) use look::Host;
pub(super) use pool::dismiss;

/// No more people are at work at once.
const MOST_LEASES: u64 = 1000;
/// How long an agent whose connection was lost may take to end, and how often that is looked at.
const ENDING: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(250);

/// Whether a repository is there, or shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// It is.
    Existing,
    /// It shall be prepared.
    New,
    /// It shall be prepared in a plain folder.
    NewPlain,
}

/// As much content as is worth a quicker way: half a second, and twice what a further login takes.
pub(crate) const MUCH: u64 = 128 * 1024 * 1024;

/// Further connections to the same host.
pub(crate) struct Reopen {
    /// For one that was lost.
    pub(crate) again: Box<dyn Fn() -> Outcome<Stream> + Send + Sync>,
    /// For much content, if there is a quicker way.
    pub(crate) quicker: Box<dyn Fn() -> Option<Stream> + Send + Sync>,
}

/// A repository behind an agent.
pub(crate) struct RemoteEndpoint {
    connection: Arc<Connection>,
    info: RepositoryInfo,
    standing: Box<Standing>,
    path: String,
    patience: Patience,
    reopen: Option<Reopen>,
    /// Where its agent rests when it is not needed any more; else it ends.
    rests: Option<SshHost>,
}

/// Asks for the repository at `path`.
fn open(line: &mut Line, path: &str, what: Opening) -> Outcome<(RepositoryInfo, Box<Standing>)> {
    let create = what != Opening::Existing;
    let plain = what == Opening::NewPlain;
    let request = Request::Open { path: path.to_owned(), create, plain };
    line.converse(&request, None, |line| match line.only_answer()? {
        Answer::Opened { info, standing } => Ok((info, standing)),
        other => unexpected(line, &other),
    })
}

/// Gives the connection up because of an answer that belongs to another question.
fn unexpected<T>(line: &mut Line, answer: &Answer) -> Outcome<T> {
    let text = format!("{answer:?}");
    let name = text.split([' ', '{']).next().unwrap_or_default().to_owned();
    line.violated(format!("the answer {name} to another question"))
}

impl RemoteEndpoint {
    /// Opens or prepares the repository at `path` of the host at the other end.
    ///
    /// # Errors
    /// [`Code::OtherAgent`], [`Code::Protocol`], [`Code::Unreachable`]; what opening it gives.
    pub(crate) fn over(stream: Stream, path: &str, what: Opening) -> Outcome<Self> {
        Self::with_patience(stream, path, what, Patience::default())
    }

    pub(crate) fn with_patience(
        stream: Stream,
        path: &str,
        what: Opening,
        patience: Patience,
    ) -> Outcome<Self> {
        Self::at(Connection::new(Line::meet(stream, patience)?), path, what, patience)
    }

    fn at(
        connection: Arc<Connection>,
        path: &str,
        what: Opening,
        patience: Patience,
    ) -> Outcome<Self> {
        let (info, standing) = open(&mut connection.held().line, path, what)?;
        let (path, reopen, rests) = (path.to_owned(), None, None);
        Ok(Self { connection, info, standing, path, patience, reopen, rests })
    }

    /// Opens the repository at `path` of a host behind an agent that rests there; `None` if none does.
    ///
    /// # Errors
    /// What opening it gives.
    pub(crate) fn rested(host: &SshHost, path: &str) -> Outcome<Option<Self>> {
        while let Some(connection) = pool::take(host) {
            connection.trips.store(1, Ordering::Relaxed);
            let shared = Arc::clone(&connection);
            match Self::at(shared, path, Opening::Existing, Patience::default()) {
                Ok(opened) => return Ok(Some(opened)),
                // It was lost without a word.
                Err(_) if connection.is_gone() => {}
                Err(failure) => {
                    pool::rest(host, &connection);
                    return Err(failure);
                }
            }
        }
        Ok(None)
    }

    /// Where its agent rests when it is not needed any more.
    #[must_use]
    pub(crate) fn resting(mut self, host: &SshHost) -> Self {
        self.rests = Some(host.clone());
        self
    }

    /// How a lost connection is made anew.
    #[must_use]
    pub(crate) fn reopening(mut self, reopen: Reopen) -> Self {
        self.reopen = Some(reopen);
        self
    }

    /// The connection, made anew if it was lost.
    fn connected(&self) -> Outcome<MutexGuard<'_, Current>> {
        let mut current = self.connection.held();
        if current.line.is_gone() {
            let Some(reopen) = &self.reopen else {
                return Err(gone());
            };
            let mut line = Line::meet((reopen.again)()?, self.patience)?;
            self.connection.trip();
            let (info, _) = open(&mut line, &self.path, Opening::Existing)?;
            self.recognise(&info)?;
            *current = Current { line, number: current.number + 1, quick: false };
        }
        Ok(current)
    }

    /// Goes on by the quicker way, if there is one and nothing is open on this one.
    fn go_quicker(&self) -> Outcome<()> {
        let (Some(reopen), 1) = (&self.reopen, Arc::strong_count(&self.connection)) else {
            return Ok(());
        };
        let mut current = self.connected()?;
        if current.quick {
            return Ok(());
        }
        let Some(stream) = (reopen.quicker)() else { return Ok(()) };
        let mut line = Line::meet(stream, self.patience)?;
        self.connection.trip();
        let (info, _) = open(&mut line, &self.path, Opening::Existing)?;
        self.recognise(&info)?;
        *current = Current { line, number: current.number + 1, quick: true };
        Ok(())
    }

    /// Whether it is still the same repository.
    fn recognise(&self, stands: &RepositoryInfo) -> Outcome<()> {
        if stands.id == self.info.id {
            return Ok(());
        }
        let message = format!(
            "Another repository ({}) stands at {} now than before ({}).",
            stands.id, self.path, self.info.id
        );
        Err(Failure::new(Code::RepoId, message).hint("Sync again."))
    }

    fn ask<T>(
        &self,
        request: &Request,
        monitor: Option<&Monitor>,
        talk: impl FnOnce(&mut Line) -> Outcome<T>,
    ) -> Outcome<T> {
        let mut current = self.connected()?;
        self.connection.trip();
        current.line.converse(request, monitor, talk)
    }

    /// For an answer that is a header, with nothing before it.
    fn one_header(&self, request: &Request, monitor: Option<&Monitor>) -> Outcome<SnapshotHeader> {
        self.ask(request, monitor, |line| match line.only_answer()? {
            Answer::Header { header } => Ok(*header),
            other => unexpected(line, &other),
        })
    }

    fn done(&self, request: &Request, monitor: &Monitor) -> Outcome<()> {
        self.ask(request, Some(monitor), |line| match line.only_answer()? {
            Answer::Done => Ok(()),
            other => unexpected(line, &other),
        })
    }

    /// A list of no more than `most` items.
    fn items<T: Item>(&self, request: &Request, most: u64) -> Outcome<Vec<T>> {
        let mut items = Vec::new();
        self.ask(request, None, |line| {
            match each_item(line, Most::kept(most), &mut |_, item| {
                items.push(item);
                Ok(())
            })? {
                Answer::Done => Ok(()),
                other => unexpected(line, &other),
            }
        })?;
        Ok(items)
    }

    /// Changes in order, and the header they belong to.
    fn changes(
        &self,
        request: &Request,
        each: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader> {
        let mut order = OrderCheck::for_delta();
        self.ask(request, None, |line| {
            let answer = each_item(line, Most::passing(MOST_ITEMS), &mut |line, change| {
                if let Err(why) = order.next(&change) {
                    return line.violated(why);
                }
                each(change)
            })?;
            match answer {
                Answer::Header { header } => Ok(*header),
                other => unexpected(line, &other),
            }
        })
    }
}

pub(super) fn gone() -> Failure {
    Failure::new(Code::Unreachable, "The connection to the repository's host was lost.")
        .hint("Check the network, then try again: what has arrived is not sent again.")
}

impl Drop for RemoteEndpoint {
    fn drop(&mut self) {
        let Some(host) = &self.rests else { return };
        // Where a transaction is left, the agent ends with it.
        if Arc::strong_count(&self.connection) == 1 {
            pool::rest(host, &self.connection);
        }
    }
}

impl Endpoint for RemoteEndpoint {
    fn info(&self) -> &RepositoryInfo {
        &self.info
    }

    fn standing(&self) -> &Standing {
        &self.standing
    }

    fn head(&self) -> Outcome<Option<SnapshotHeader>> {
        self.ask(&Request::Head, None, |line| match line.only_answer()? {
            Answer::Head { header } => Ok(header.map(|header| *header)),
            other => unexpected(line, &other),
        })
    }

    fn header(&self, id: SnapshotId) -> Outcome<SnapshotHeader> {
        self.one_header(&Request::Header { id }, None)
    }

    fn headers(&self, before: Option<SnapshotId>, limit: usize) -> Outcome<Vec<SnapshotHeader>> {
        let limit = limit as u64;
        self.items(&Request::Headers { before, limit }, limit.min(MOST_ITEMS))
    }

    fn changes_since(
        &self,
        since: Option<SnapshotId>,
        each: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader> {
        self.changes(&Request::ChangesSince { since }, each)
    }

    fn manifest(
        &self,
        id: SnapshotId,
        each: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader> {
        self.changes(&Request::Manifest { id }, each)
    }

    fn begin(
        &self,
        base: Option<SnapshotId>,
        transaction: &str,
        author: &str,
    ) -> Outcome<Box<dyn RemoteTransaction>> {
        let mut current = self.connected()?;
        self.connection.trip();
        let request =
            Request::Begin { base, transaction: transaction.to_owned(), author: author.to_owned() };
        current.line.converse(&request, None, |line| match line.only_answer()? {
            Answer::Done => Ok(()),
            other => unexpected(line, &other),
        })?;
        let connection = Arc::clone(&self.connection);
        Ok(Box::new(transaction::Transaction::new(connection, current.number, transaction)))
    }

    fn outcome(&self, transaction: &str) -> Outcome<repository::Outcome> {
        let request = Request::Outcome { transaction: transaction.to_owned() };
        let mut patience = ENDING;
        loop {
            let outcome = self.ask(&request, None, |line| match line.only_answer()? {
                Answer::Outcome { outcome } => Ok(outcome),
                other => unexpected(line, &other),
            });
            match outcome {
                // The agent of the connection that was lost may be about to end.
                Err(failure) if failure.code == Code::Locked && !patience.is_zero() => {
                    std::thread::sleep(AGAIN);
                    patience = patience.saturating_sub(AGAIN);
                }
                other => return other,
            }
        }
    }

    fn fetch(
        &self,
        snapshot: SnapshotId,
        paths: &[RepoPath],
        receiver: &dyn Receive,
        monitor: &Monitor,
    ) -> Outcome<()> {
        let told = fetch::Here::look(paths.len(), receiver, monitor)?;
        let (count, have) = (paths.len() as u64, told.have.len() as u64);
        let request = Request::Fetch { snapshot, paths: count, have };
        self.ask(&request, Some(monitor), |line| fetch::fetch(line, paths, told, receiver, monitor))
    }

    fn delta(
        &self,
        id: SnapshotId,
        each: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader> {
        self.changes(&Request::Delta { id }, each)
    }

    fn trace(
        &self,
        which: Traced<'_>,
        each: &mut dyn FnMut(&SnapshotHeader, Change) -> Outcome<bool>,
    ) -> Outcome<()> {
        let (containing, paths) = match which {
            Traced::Paths(paths) => (None, paths),
            Traced::Containing(text) => (Some(text.to_owned()), &[][..]),
        };
        let request = Request::Trace { containing, paths: paths.len() as u64 };
        let mut at: Option<SnapshotHeader> = None;
        let mut enough: Option<SnapshotId> = None;
        self.ask(&request, None, |line| {
            line.list::<RepoPath>(paths)?;
            let most = Most::passing(MOST_ITEMS);
            let answer = each_item(line, most, &mut |line, item| match (item, &at) {
                (list::Traced::Snapshot(header), at_now) => {
                    if at_now.as_ref().is_some_and(|now| now.id <= header.id) {
                        return line.violated("a history that does not go back");
                    }
                    at = Some(*header);
                    Ok(())
                }
                (list::Traced::Change(_), None) => line.violated("a change of no snapshot"),
                (list::Traced::Change(change), Some(header)) => {
                    if enough.is_some_and(|last| last != header.id) {
                        return Ok(());
                    }
                    if !each(header, change)? && enough.is_none() {
                        enough = Some(header.id);
                        line.cancel()?;
                    }
                    Ok(())
                }
            })?;
            match answer {
                Answer::Done => Ok(()),
                other => unexpected(line, &other),
            }
        })
    }

    fn kept(&self) -> Outcome<Vec<SnapshotId>> {
        self.items(&Request::Kept, MOST_ITEMS)
    }

    fn space(&self) -> Outcome<Vec<Space>> {
        self.items(&Request::Space, MOST_ITEMS)
    }

    fn prune(&self, ids: &[SnapshotId], really: bool) -> Outcome<Pruned> {
        let mut pruned = Pruned::default();
        let request = Request::Prune { snapshots: ids.len() as u64, really };
        self.ask(&request, None, |line| {
            line.list::<SnapshotId>(ids)?;
            let answer = each_item(line, Most::kept(ids.len() as u64), &mut |_, item| {
                match item {
                    Ended::Gone(id) => pruned.gone.push(id),
                    Ended::Stays(id, why) => pruned.stays.push((id, why)),
                }
                Ok(())
            })?;
            match answer {
                Answer::Pruned { freed } => {
                    pruned.freed = freed;
                    Ok(())
                }
                other => unexpected(line, &other),
            }
        })?;
        Ok(pruned)
    }

    fn glimpse(&self, id: SnapshotId, path: &RepoPath, limit: u64) -> Outcome<Option<Glimpse>> {
        let request = Request::Glimpse { id, path: path.clone(), limit };
        self.ask(&request, None, |line| {
            let mut bytes = Vec::new();
            let answer = loop {
                let frame = line.next()?;
                if frame.kind == Kind::Answer {
                    break line.answer(&frame)?;
                }
                let pieces = content::of(&frame);
                for piece in line.sound(pieces)? {
                    bytes.extend_from_slice(&frame.payload[piece.bytes]);
                }
                if bytes.len() as u64 > limit {
                    return line.violated("more of a file than was asked for");
                }
            };
            match answer {
                Answer::Glimpse { at } => Ok(at.map(|at| match at {
                    GlimpseText::File { size, mtime } => Glimpse::File { size, mtime, bytes },
                    GlimpseText::Link(target) => Glimpse::Link(target),
                })),
                other => unexpected(line, &other),
            }
        })
    }

    fn check_drift(&self, monitor: &Monitor) -> Outcome<()> {
        self.done(&Request::CheckDrift, monitor)
    }

    fn adopt_drift(&self, authorship: Authorship, monitor: &Monitor) -> Outcome<SnapshotHeader> {
        self.one_header(&Request::AdoptDrift { authorship }, Some(monitor))
    }

    fn prepare_next(&self, monitor: &Monitor) -> Outcome<()> {
        self.done(&Request::PrepareNext, monitor)
    }

    fn verify_history(&self, deep: bool, monitor: &Monitor) -> Outcome<(u64, SnapshotHeader)> {
        let request = Request::VerifyHistory { deep };
        self.ask(&request, Some(monitor), |line| match line.only_answer()? {
            Answer::History { snapshots, head } => Ok((snapshots, *head)),
            other => unexpected(line, &other),
        })
    }

    fn verify_contents(&self, only: Option<SnapshotId>, monitor: &Monitor) -> Outcome<Contents> {
        let mut found = Contents::default();
        self.ask(&Request::VerifyContents { only }, Some(monitor), |line| {
            let answer = each_item(line, Most::kept(MOST_ITEMS), &mut |_, item| {
                match item {
                    Found::Compared(id) => found.snapshots.push(id),
                    Found::Fault(snapshot, what) => found.faults.push(Fault { snapshot, what }),
                    Found::Gone(snapshot, what) => found.gone.push(Fault { snapshot, what }),
                }
                Ok(())
            })?;
            match answer {
                Answer::Contents { files, bytes } => {
                    (found.files, found.bytes) = (files, bytes);
                    Ok(())
                }
                other => unexpected(line, &other),
            }
        })?;
        Ok(found)
    }

    fn look_again(&self) -> Outcome<()> {
        let mut current = self.connected()?;
        self.connection.trip();
        let (stands, _) = open(&mut current.line, &self.path, Opening::Existing)?;
        self.recognise(&stands)
    }

    fn leases(&self) -> Outcome<Vec<Lease>> {
        self.items(&Request::Leases, MOST_LEASES)
    }

    fn expect(&self, bytes: u64) {
        if bytes >= MUCH {
            // Where the quicker way fails, this one stays.
            let _ = self.go_quicker();
        }
    }

    fn round_trips(&self) -> u64 {
        self.connection.trips.load(Ordering::Relaxed)
    }
}
