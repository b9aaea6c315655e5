//! What whoever looks for a repository sees of this host, sent as it is found; and who is at work.

use std::path::Path;

use dsg_core::failure::Outcome;
use dsg_core::monitor::Monitor;
use dsg_core::places::Around;
use dsg_host::tree::{self, Wish};
use dsg_wire::frame::Kind;
use dsg_wire::list::{Line, Lines};
use dsg_wire::message::Answer;

use crate::answer::absolute;
use crate::serve::Agent;

/// Takes an item, to be sent.
type Take<'t, T> = &'t mut dyn FnMut(T) -> Outcome<()>;

impl Agent {
    pub(crate) fn folders(&self, path: Option<&str>, monitor: &Monitor) -> Outcome<Answer> {
        self.found(|each| tree::folders(path.map(Path::new), monitor, each))
    }

    pub(crate) fn repositories(&self, path: Option<&str>, monitor: &Monitor) -> Outcome<Answer> {
        self.found(|each| tree::repositories(path.map(Path::new), monitor, each))
    }

    /// Each step is told when it is done: a trial takes a while.
    pub(crate) fn examine(&self, path: &str, monitor: &Monitor) -> Outcome<Answer> {
        tree::examine(Path::new(path), monitor, &mut |step| self.out.list(Kind::Lines, &[step]))?;
        Ok(Answer::Done)
    }

    /// Adopts a repository of the earlier DSG.
    pub(crate) fn adopt(path: &str, wish: &Wish, monitor: &Monitor) -> Outcome<Answer> {
        let adoption = Box::new(tree::adopt(absolute(path)?, wish, monitor)?);
        Ok(Answer::Adopted { adoption })
    }

    pub(crate) fn leases(&self) -> Outcome<Answer> {
        self.out.list(Kind::Lines, &self.store()?.leases()?).map(|()| Answer::Done)
    }

    fn found<T: Line>(&self, find: impl FnOnce(Take<'_, T>) -> Outcome<Around>) -> Outcome<Answer> {
        let mut lines = Lines::new(Kind::Lines);
        let around =
            find(&mut |item| lines.put(&item)?.map_or(Ok(()), |frame| self.out.send(&frame)))?;
        lines.end()?.map_or(Ok(()), |frame| self.out.send(&frame))?;
        Ok(Answer::Around { around })
    }
}
