//! The end of a sync that was cut off.
//!
//! A sealed record says that a transaction may have been decided. Its repository knows: published
//! means that settling goes on here, anything else that the record is dropped. Without a record
//! nothing was decided, and what lies in staging is of no use to anybody.

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Event, Monitor};
use dsg_core::repository;
use dsg_fs::lock::Lock;

use super::Project;
use crate::areas::{Areas, leftovers};
use crate::endpoint;
use crate::record::{self, Place, Record};
use crate::transaction::Published;

/// A project that a use case may work with.
pub(super) struct Ready {
    /// Keeps others out until it is dropped.
    #[allow(dead_code, reason = "held, not read")]
    pub lock: Lock,
    /// Why a published sync is not settled here yet.
    pub unsettled: Option<Failure>,
}

impl Project {
    /// Locks the project and ends what was cut off.
    pub(super) fn ready(&mut self, doing: &str, monitor: &Monitor) -> Outcome<Ready> {
        let lock = self.lock(doing, monitor)?;
        let unsettled = self.recover(monitor)?;
        if let (None, Some(phase)) = (&unsettled, self.index.meta("phase")?) {
            let root = self.root.display();
            return Err(Failure::new(
                Code::NotAProject,
                format!("dsg {phase} was cut off in {root}; nothing was published."),
            )
            .hint(format!("Run dsg {phase} again.")));
        }
        Ok(Ready { lock, unsettled })
    }

    /// As [`Project::ready`], for what cannot go on while a published sync is not settled.
    pub(super) fn ready_to_change(&mut self, doing: &str, monitor: &Monitor) -> Outcome<Ready> {
        let mut ready = self.ready(doing, monitor)?;
        match ready.unsettled.take() {
            Some(failure) => Err(failure),
            None => Ok(ready),
        }
    }

    /// Under the lock. `Some`: the record stands, because of this.
    pub(super) fn recover(&mut self, monitor: &Monitor) -> Outcome<Option<Failure>> {
        let Some(record) = record::load(&self.index)? else {
            self.clean_staging()?;
            return Ok(None);
        };
        if !record.place.is(&Place::of(&self.dir)?) {
            monitor.event(Event::Notice("This folder is a copy of a project that was being synced; that sync is left to the original.".into()));
            return self.drop_record(&record).map(|()| None);
        }
        match self.decided(&record) {
            Ok(None) => self.drop_record(&record).map(|()| None),
            Ok(Some(published)) => self.finish(&record, published, monitor),
            Err(failure) => Ok(Some(failure)),
        }
    }

    /// What became of a record's transaction; `None`: it was not published.
    fn decided(&self, record: &Record) -> Outcome<Option<Published>> {
        let steps = record::steps(&self.index)?;
        if !record.publishes {
            return Ok(Some(Published::recovered(record.clone(), steps, self.known_head()?)));
        }
        let endpoint = match endpoint::open(&self.address) {
            Ok(endpoint) => endpoint,
            // A repository that never came to be.
            Err(failure) if failure.code == Code::NoRepository && record.base.is_none() => {
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        match endpoint.outcome(&record.transaction)? {
            repository::Outcome::Aborted => Ok(None),
            repository::Outcome::Published(id) => {
                let header = endpoint.header(id)?;
                let info = serde_json::to_string(endpoint.info()).unwrap_or_default();
                Ok(Some(
                    Published::recovered(record.clone(), steps, Some(header)).of_repository(info),
                ))
            }
        }
    }

    fn finish(
        &mut self,
        record: &Record,
        published: Published,
        monitor: &Monitor,
    ) -> Outcome<Option<Failure>> {
        let mut areas = Areas::new(self.dir.try_clone()?, &record.transaction);
        areas.reopen(record.tops.iter().map(String::as_str))?;
        match published.settle(&mut self.index, &mut areas, monitor) {
            Ok(_) => {
                monitor.event(Event::Notice("A sync that was cut off is finished now.".into()));
                Ok(None)
            }
            Err(failure) => Ok(Some(failure)),
        }
    }

    fn drop_record(&mut self, record: &Record) -> Outcome<()> {
        self.index.batch(record::forget)?;
        let mut areas = Areas::new(self.dir.try_clone()?, &record.transaction);
        areas.reopen(record.tops.iter().map(String::as_str))?;
        areas.clean()
    }

    /// Removes staging that belongs to no record: whoever made it is gone, for we hold the lock.
    pub(super) fn clean_staging(&self) -> Outcome<()> {
        let tops = self.index.mounts()?;
        for leftover in
            leftovers(&self.dir, tops.iter().map(String::as_str))?.into_iter().filter(|l| !l.trash)
        {
            let (Some(parent), Some(name)) =
                (leftover.path.parent(), leftover.path.file_name().and_then(|n| n.to_str()))
            else {
                continue;
            };
            self.dir.open_beneath(parent)?.remove_tree(name)?;
        }
        Ok(())
    }
}
