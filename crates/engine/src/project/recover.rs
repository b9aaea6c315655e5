//! The end of a sync that was cut off.
//!
//! A sealed record says that a transaction may have been decided. Its repository knows: published
//! means that settling goes on here, anything else that the record is dropped. Without a record
//! nothing was decided, and what lies in staging is of no use to anybody.

use std::path::Path;
use std::time::{Duration, Instant};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Event, Monitor};
use dsg_core::repository;
use dsg_fs::lock::Lock;

use super::{PATIENCE, Project};
use crate::areas::{Areas, STAGING, leftovers};
use crate::endpoint::{self, Endpoint};
use crate::left;
use crate::record::{self, Place, Record};
use crate::settle;
use crate::transaction::Published;

/// How long an agent that was cut off in an init may take to end, and how often that is looked at.
const ENDING: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(250);

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
        self.ready_within(doing, PATIENCE, monitor)
    }

    /// As [`Project::ready`], waiting only so long for another use case to end.
    pub(super) fn ready_within(
        &mut self,
        doing: &str,
        patience: Duration,
        monitor: &Monitor,
    ) -> Outcome<Ready> {
        let lock = self.lock(doing, patience, monitor)?;
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

    /// The repository; whoever was cut off while making it may be about to end.
    fn opened_at_last(&self) -> Outcome<Box<dyn Endpoint>> {
        let begun = Instant::now();
        loop {
            match endpoint::open(&self.address) {
                Err(failure) if failure.code == Code::Locked && begun.elapsed() < ENDING => {
                    std::thread::sleep(AGAIN);
                }
                opened => return opened,
            }
        }
    }

    /// What became of a record's transaction; `None`: it was not published.
    fn decided(&mut self, record: &Record) -> Outcome<Option<Published>> {
        let recovered = |header| Published::recovered(record.clone(), header);
        if record.restores {
            return Ok(Some(recovered(None)));
        }
        if !record.publishes {
            return Ok(Some(recovered(self.known_head()?)));
        }
        let endpoint = match self.opened_at_last() {
            Ok(endpoint) => endpoint,
            // A repository that never came to be.
            Err(failure) if failure.code == Code::NoRepository && record.base.is_none() => {
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        self.settled = endpoint.standing().settled.or(self.settled);
        if endpoint.info().id != record.repository {
            if record.base.is_none() {
                return Ok(None);
            }
            return Err(Failure::new(
                Code::RepoId,
                format!(
                    "{} holds another repository than the one the last sync was for.",
                    self.address
                ),
            )
            .hint("Put the right repository back: it knows what became of that sync."));
        }
        match endpoint.outcome(&record.transaction)? {
            repository::Outcome::Aborted => Ok(None),
            repository::Outcome::Published(id) => {
                let header = endpoint.header(id)?;
                let info = serde_json::to_string(endpoint.info()).unwrap_or_default();
                Ok(Some(recovered(Some(header)).of_repository(info)))
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
        areas.reopen(&record.grounds)?;
        match published.settle(&mut self.index, &areas, monitor) {
            Ok(_) => {
                monitor.event(Event::Notice("A sync that was cut off is finished now.".into()));
                Ok(None)
            }
            Err(failure) => Ok(Some(failure)),
        }
    }

    /// Gives a transaction up. What a person's is of what it swapped out goes to the trash.
    fn drop_record(&mut self, record: &Record) -> Outcome<()> {
        let mut areas = Areas::new(self.dir.try_clone()?, &record.transaction);
        areas.reopen(&record.grounds)?;
        settle::sweep(&areas, record::deeds(&self.index, record))?;
        self.index.batch(record::forget)?;
        areas.clean()
    }

    /// Removes staging that belongs to no record: whoever made it is gone, for we hold the lock. What
    /// it fetched stays for a while, so that the next try need not fetch it again. On a file system that was away meanwhile, something of a person's may wait in it: there it goes
    /// to the trash.
    pub(super) fn clean_staging(&self) -> Outcome<()> {
        let tops = self.index.mounts()?;
        for leftover in leftovers(&self.dir, tops.iter().map(String::as_str))? {
            let named = leftover.path.file_name().and_then(|n| n.to_str());
            let (Some(parent), Some(name)) = (leftover.path.parent(), named) else { continue };
            if leftover.trash {
                continue;
            }
            let staging = self.dir.open_beneath(parent)?;
            if parent == Path::new(STAGING) {
                if !left::is_worth_keeping(&staging, name)? {
                    staging.remove_tree(name)?;
                }
            } else {
                let trash = parent.with_file_name("trash");
                self.dir.ensure_dirs(&trash, Some(0o700))?;
                let kept = format!("{name}-left");
                staging.rename_noreplace(name, &self.dir.open_beneath(&trash)?, &kept)?;
            }
        }
        Ok(())
    }
}
