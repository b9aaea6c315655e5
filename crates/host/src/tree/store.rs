//! A repository as others see it: look, begin, adopt, prepare.
//!
//! What depends on the ground that it stands on is asked there ([`Ground`]); all else is the same on
//! both.

use std::sync::Arc;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::manifest::Change;
use dsg_core::monitor::Monitor;
use dsg_core::repository::{
    Outcome as TransactionOutcome, RepositoryInfo, Settled, Standing, StoreKind,
};
use dsg_core::snapshot::{Authorship, SnapshotHeader, SnapshotId};
use dsg_fs::lock::{Holder, Lock, Tried};

use super::dataset::Site;
use super::layout::{LOCK, STAGING, TREES};
use super::reader::SnapshotReader;
use super::repo::Repo;
use super::staging::Staging;

/// A repository on this host. Clones share it.
#[derive(Clone)]
pub struct TreeStore {
    pub(super) ground: Ground,
    /// What was put right when it was opened.
    pub(super) settled: Option<Settled>,
}

/// What a repository stands on.
#[derive(Clone)]
pub(super) enum Ground {
    /// A folder, with a sidecar.
    Folder(Arc<Repo>),
    /// A ZFS dataset.
    Dataset(Arc<Site>),
}

impl TreeStore {
    /// The repository's unchanging facts.
    pub fn info(&self) -> RepositoryInfo {
        match &self.ground {
            Ground::Folder(repo) => repo.facts.info(StoreKind::Tree),
            Ground::Dataset(site) => site.facts().info(StoreKind::Zfs),
        }
    }

    /// Where it stands.
    ///
    /// # Errors
    /// The place cannot be looked at.
    pub fn standing(&self) -> Outcome<Standing> {
        let standing = match &self.ground {
            Ground::Folder(repo) => repo.standing()?,
            Ground::Dataset(site) => site.standing(),
        };
        Ok(Standing { settled: self.settled, ..standing })
    }

    /// It, as it stands now.
    pub(super) fn repo(&self) -> Outcome<Arc<Repo>> {
        match &self.ground {
            Ground::Folder(repo) => Ok(Arc::clone(repo)),
            Ground::Dataset(site) => site.now(),
        }
    }

    /// The newest snapshot's header, proved against its parent's.
    ///
    /// # Errors
    /// [`Code::RepositoryDamaged`]; [`Code::NoRepository`] before the first publish.
    pub fn head(&self) -> Outcome<SnapshotHeader> {
        self.newest()?
            .ok_or_else(|| Failure::new(Code::NoRepository, "This repository has no snapshot yet."))
    }

    /// As [`TreeStore::head`]; `None` before the first publish.
    ///
    /// # Errors
    /// [`Code::RepositoryDamaged`].
    pub fn newest(&self) -> Outcome<Option<SnapshotHeader>> {
        match &self.ground {
            Ground::Dataset(site) if site.is_unborn() => Ok(None),
            _ => self.repo()?.head(),
        }
    }

    /// One snapshot's header.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::RepositoryDamaged`].
    pub fn header(&self, id: SnapshotId) -> Outcome<SnapshotHeader> {
        self.repo()?.history().header(id)
    }

    /// Up to `limit` headers, newest first, from the head or from just below `before`; each is
    /// proved against its parent's.
    ///
    /// # Errors
    /// [`Code::RepositoryDamaged`].
    pub fn headers(
        &self,
        before: Option<SnapshotId>,
        limit: usize,
    ) -> Outcome<Vec<SnapshotHeader>> {
        self.repo()?.history().headers(before, limit)
    }

    /// One snapshot's own changes, sorted: for log, blame and diff.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::RepositoryDamaged`] (then what was given is not to be used).
    pub fn delta(
        &self,
        id: SnapshotId,
        take: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader> {
        let record = self.repo()?.history().record(id)?;
        let header = record.header.clone();
        for change in record.changes() {
            take(change?)?;
        }
        Ok(header)
    }

    /// How a transaction ended; `None` while it is not decided. One that nobody works on any more
    /// is given up by the question: it cannot be published later.
    ///
    /// # Errors
    /// [`Code::Usage`] for what is no transaction id; else what went wrong.
    pub fn outcome(&self, transaction: &str) -> Outcome<Option<TransactionOutcome>> {
        let repo = match &self.ground {
            Ground::Folder(repo) => repo,
            Ground::Dataset(site) => return site.outcome(transaction),
        };
        if let Some(outcome) = repo.recorded_outcome(transaction)? {
            return Ok(Some(outcome));
        }
        let Tried::Held(lock) = repo.try_lock("", "looks how a transaction ended")? else {
            return Ok(None);
        };
        repo.recover(&lock)?;
        if let Some(outcome) = repo.recorded_outcome(transaction)? {
            return Ok(Some(outcome));
        }
        let staging = repo.layout.folder(STAGING)?;
        if let Ok(dir) = staging.open_beneath(transaction)
            && Lock::holder(&dir, LOCK)?.is_some()
        {
            return Ok(None);
        }
        repo.write_outcome(transaction, TransactionOutcome::Aborted)?;
        Ok(Some(TransactionOutcome::Aborted))
    }

    /// As [`TreeStore::outcome`], for whoever needs to know now.
    ///
    /// # Errors
    /// [`Code::Locked`] while it is not decided.
    pub fn decided(&self, transaction: &str) -> Outcome<TransactionOutcome> {
        self.outcome(transaction)?.ok_or_else(|| {
            Failure::new(
                Code::Locked,
                "The repository is still deciding on the last sync of this folder.",
            )
            .hint("Try again in a moment.")
        })
    }

    /// Begins a transaction on top of `base` (`None` in a new repository). Needs no lock. `author`:
    /// whose it is, for others who look; who is logged in, if empty.
    ///
    /// # Errors
    /// [`Code::Usage`] for a bad id, [`Code::Locked`] if that very transaction is being worked on.
    pub fn begin(
        &self,
        base: Option<SnapshotId>,
        transaction: &str,
        author: &str,
    ) -> Outcome<Staging> {
        match &self.ground {
            Ground::Folder(repo) => Staging::begin(repo, base, transaction, author),
            Ground::Dataset(site) => site.begin(base, transaction, author),
        }
    }

    /// Opens one snapshot's files.
    ///
    /// # Errors
    /// [`Code::NotFound`] if there is no such snapshot or its files are not kept.
    pub fn snapshot(&self, id: SnapshotId) -> Outcome<SnapshotReader> {
        SnapshotReader::open(&*self.repo()?, id)
    }

    /// Snapshots whose files can be had, oldest first.
    ///
    /// # Errors
    /// The sidecar cannot be read.
    pub fn kept(&self) -> Outcome<Vec<SnapshotId>> {
        let repo = match &self.ground {
            Ground::Folder(repo) => repo,
            Ground::Dataset(site) => return site.kept(),
        };
        let names = repo.layout.folder(TREES)?.list()?;
        let mut kept: Vec<SnapshotId> =
            names.iter().filter_map(|n| n.name.to_str()?.parse().ok()).collect();
        kept.extend(repo.history().newest()?);
        kept.sort_unstable();
        kept.dedup();
        Ok(kept)
    }

    /// Looks whether the live tree is what the head says, without changing anything.
    ///
    /// # Errors
    /// [`Code::Drift`] with the paths; [`Code::Locked`]; else what could not be read.
    pub fn check_drift(&self, monitor: &Monitor) -> Outcome<()> {
        let repo = match &self.ground {
            Ground::Folder(repo) => repo,
            Ground::Dataset(site) => return site.check_drift(monitor),
        };
        let lock = repo.lock("", "looks for changes made on the host")?;
        repo.recover(&lock)?;
        let head = self.head()?;
        let staging = repo.layout.folder(STAGING)?;
        let name = staging.temporary_name("drift");
        let looked = (|| {
            let live = super::publish::live_or_drift(repo, &head)?;
            let dir = staging.create_dir(&name, Some(repo.modes().dir()))?;
            let drift = super::prepared::compare_live(repo, &live, &head, &dir, false, monitor)?;
            if drift.is_none() { Ok(()) } else { Err(drift.halt(live.path())) }
        })();
        staging.remove_tree(&name)?;
        looked
    }

    /// Makes a snapshot of what was changed on the host. Without any, gives the head.
    ///
    /// # Errors
    /// [`Code::Locked`]; else what could not be read or written.
    pub fn adopt_drift(
        &self,
        authorship: Authorship,
        monitor: &Monitor,
    ) -> Outcome<SnapshotHeader> {
        match &self.ground {
            Ground::Folder(repo) => repo.adopt_drift(authorship, monitor),
            Ground::Dataset(site) => site.adopt_drift(authorship, monitor),
        }
    }

    /// Makes the copy of the live tree that the next publish needs. To be called in the
    /// background; steps back with [`Code::Cancelled`] when somebody wants to publish.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::Drift`]; a publish then makes the copy itself.
    pub fn prestage(&self, monitor: &Monitor) -> Outcome<()> {
        match &self.ground {
            Ground::Folder(repo) => repo.prestage(monitor),
            // A clone is made in no time.
            Ground::Dataset(_) => Ok(()),
        }
    }

    /// Removes what dead transactions left that is too old to be taken over.
    ///
    /// # Errors
    /// [`Code::Locked`]; else what could not be removed.
    pub fn clean(&self) -> Outcome<()> {
        let repo = self.repo()?;
        let lock = repo.lock("", "cleans up")?;
        repo.recover(&lock)?;
        if repo.site.is_some() { Ok(()) } else { repo.clean(&lock) }
    }

    /// Who has the repository locked now.
    ///
    /// # Errors
    /// The lock cannot be looked at.
    pub fn holder(&self) -> Outcome<Option<Holder>> {
        self.repo()?.holder()
    }
}
