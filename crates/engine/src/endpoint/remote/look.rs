//! What stands on a host, before any repository of it is opened.

use std::sync::Arc;

use dsg_core::address::SshHost;
use dsg_core::failure::Outcome;
use dsg_core::legacy::Adoption;
use dsg_core::monitor::Monitor;
use dsg_core::places::{Around, Folder, Listed, Step};
use dsg_host::tree::Wish;
use dsg_wire::list::Line as Item;
use dsg_wire::message::{Answer, Request};

use super::line::{Line, Patience};
use super::lists::{Most, each_item};
use super::{Connection, pool, unexpected};
use crate::transport::Stream;

/// No more is taken of a list: an agent gives less.
const MOST_PLACES: u64 = 100_000;
/// Nor of steps.
const MOST_STEPS: u64 = 100;

/// An agent that serves no repository.
pub(crate) struct Host {
    connection: Arc<Connection>,
    rests: SshHost,
}

impl Host {
    /// Meets the agent at the other end, on this host.
    ///
    /// # Errors
    /// As [`super::RemoteEndpoint::over`].
    pub(crate) fn over(stream: Stream, host: &SshHost) -> Outcome<Self> {
        let connection = Connection::new(Line::meet(stream, Patience::default())?);
        Ok(Self { connection, rests: host.clone() })
    }

    /// An agent that rests on this host.
    pub(crate) fn rested(host: &SshHost) -> Option<Self> {
        Some(Self { connection: pool::take(host)?, rests: host.clone() })
    }

    /// Whether nothing can be asked any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.connection.is_gone()
    }

    /// The folders in a folder there (the account's home if none is named).
    ///
    /// # Errors
    /// It cannot be read; the host cannot be reached.
    pub(crate) fn folders(
        &mut self,
        path: Option<String>,
        monitor: &Monitor,
    ) -> Outcome<(Around, Vec<Folder>)> {
        self.list(&Request::ListFolders { path }, monitor)
    }

    /// The repositories below a folder there (the account's home if none is named).
    ///
    /// # Errors
    /// As [`Host::folders`].
    pub(crate) fn repositories(
        &mut self,
        path: Option<String>,
        monitor: &Monitor,
    ) -> Outcome<(Around, Vec<Listed>)> {
        self.list(&Request::ListRepositories { path }, monitor)
    }

    /// Tries whether a repository can live at a path there; each step is told when it is done.
    ///
    /// # Errors
    /// The host cannot be reached; what `each` gives.
    pub(crate) fn examine(
        &mut self,
        path: String,
        monitor: &Monitor,
        each: &mut dyn FnMut(Step) -> Outcome<()>,
    ) -> Outcome<()> {
        self.connection.held().line.converse(&Request::Examine { path }, Some(monitor), |line| {
            match each_item(line, Most::kept(MOST_STEPS), &mut |_, step| each(step))? {
                Answer::Done => Ok(()),
                other => unexpected(line, &other),
            }
        })
    }

    /// Adopts a repository of the earlier DSG that stands at a path there.
    ///
    /// # Errors
    /// What it gives there; the host cannot be reached.
    pub(crate) fn adopt(
        &mut self,
        path: String,
        wish: &Wish,
        monitor: &Monitor,
    ) -> Outcome<Adoption> {
        let Wish { authorship, dry_run, drift } = wish.clone();
        let request = Request::AdoptLegacy { path, authorship, dry_run, drift };
        let talk = |line: &mut Line| match line.only_answer()? {
            Answer::Adopted { adoption } => Ok(*adoption),
            other => unexpected(line, &other),
        };
        self.connection.held().line.converse(&request, Some(monitor), talk)
    }

    fn list<T: Item>(&mut self, request: &Request, monitor: &Monitor) -> Outcome<(Around, Vec<T>)> {
        let mut items = Vec::new();
        let around =
            self.connection.held().line.converse(
                request,
                Some(monitor),
                |line| match each_item(line, Most::kept(MOST_PLACES), &mut |_, item| {
                    items.push(item);
                    Ok(())
                })? {
                    Answer::Around { around } => Ok(around),
                    other => unexpected(line, &other),
                },
            )?;
        Ok((around, items))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        pool::rest(&self.rests, &self.connection);
    }
}
