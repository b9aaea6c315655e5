//! What stands on a host, before any repository of it is opened.

use dsg_core::failure::Outcome;
use dsg_core::monitor::Monitor;
use dsg_core::places::{Around, Folder, Listed};
use dsg_wire::list::Line as Item;
use dsg_wire::message::{Answer, Request};

use super::line::{Line, Patience};
use super::{each_item, unexpected};
use crate::transport::Stream;

/// No more is taken of a list: an agent gives less.
const MOST: u64 = 100_000;

/// An agent that serves no repository.
pub(crate) struct Host(Line);

impl Host {
    /// Meets the agent at the other end.
    ///
    /// # Errors
    /// As [`super::RemoteEndpoint::over`].
    pub(crate) fn over(stream: Stream) -> Outcome<Self> {
        Line::meet(stream, Patience::default()).map(Self)
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

    fn list<T: Item>(&mut self, request: &Request, monitor: &Monitor) -> Outcome<(Around, Vec<T>)> {
        let mut items = Vec::new();
        let around = self.0.converse(request, Some(monitor), |line| {
            match each_item(line, MOST, &mut |_, item| {
                items.push(item);
                Ok(())
            })? {
                Answer::Around { around } => Ok(around),
                other => unexpected(line, &other),
            }
        })?;
        Ok((around, items))
    }
}
