//! A repository in a folder of this computer: the host's code, in this process.

use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::manifest::Change;
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::places::Lease;
use dsg_core::repository::{self, Pruned, Publication, RepositoryInfo, Space, Standing, Upload};
use dsg_core::snapshot::{Authorship, SnapshotHeader, SnapshotId};
use dsg_host::tree::{Glimpse, Refusal, Staging, Supply, Traced, TreeStore};
use dsg_wire::delta::{Basis, Content};

use super::{Contents, Endpoint, Receive, RemoteTransaction};

/// A tree repository, reached directly.
pub(super) struct LocalEndpoint {
    store: TreeStore,
    info: RepositoryInfo,
    standing: Standing,
    path: PathBuf,
    asked: AtomicU64,
}

impl LocalEndpoint {
    pub(super) fn open(path: &Path) -> Outcome<Self> {
        TreeStore::open(path).and_then(|store| Self::of(store, path))
    }

    pub(super) fn create(path: &Path, plain: bool) -> Outcome<Self> {
        let create = if plain { TreeStore::create_plain } else { TreeStore::create };
        create(path, None).and_then(|store| Self::of(store, path))
    }

    fn of(store: TreeStore, path: &Path) -> Outcome<Self> {
        let (info, standing) = (store.info(), store.standing()?);
        Ok(Self { info, standing, store, path: path.to_owned(), asked: AtomicU64::new(1) })
    }

    /// The store, for one question.
    fn ask(&self) -> &TreeStore {
        self.asked.fetch_add(1, Ordering::Relaxed);
        &self.store
    }
}

impl Endpoint for LocalEndpoint {
    fn info(&self) -> &RepositoryInfo {
        &self.info
    }

    fn standing(&self) -> &Standing {
        &self.standing
    }

    fn head(&self) -> Outcome<Option<SnapshotHeader>> {
        self.ask().newest()
    }

    fn header(&self, id: SnapshotId) -> Outcome<SnapshotHeader> {
        self.ask().header(id)
    }

    fn headers(&self, before: Option<SnapshotId>, limit: usize) -> Outcome<Vec<SnapshotHeader>> {
        self.ask().headers(before, limit)
    }

    fn changes_since(
        &self,
        since: Option<SnapshotId>,
        each: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader> {
        self.ask().changes_since(since, each)
    }

    fn manifest(
        &self,
        id: SnapshotId,
        each: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader> {
        self.ask().manifest_at(id, each)
    }

    fn begin(
        &self,
        base: Option<SnapshotId>,
        transaction: &str,
        author: &str,
    ) -> Outcome<Box<dyn RemoteTransaction>> {
        Ok(Box::new(LocalTransaction(self.ask().begin(base, transaction, author)?)))
    }

    fn outcome(&self, transaction: &str) -> Outcome<repository::Outcome> {
        self.ask().decided(transaction)
    }

    fn fetch(
        &self,
        snapshot: SnapshotId,
        paths: &[RepoPath],
        receiver: &dyn Receive,
        monitor: &Monitor,
    ) -> Outcome<()> {
        let reader = self.ask().snapshot(snapshot)?;
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<Failure>> = Mutex::new(None);
        let one = |index: usize, path: &RepoPath| -> Outcome<()> {
            monitor.check()?;
            let (mut file, stat) = reader.read(path)?;
            let Basis { kept, .. } = receiver.basis(index);
            if kept > 0 {
                file.seek(SeekFrom::Start(kept)).map_err(|e| Failure::io("read", path, e))?;
            }
            receiver.receive(index, Content::Bytes(Box::new(file)), stat.private())
        };
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(index) else { return };
                if let Err(failure) = one(index, path) {
                    next.store(paths.len(), Ordering::Relaxed);
                    if let Ok(mut first) = failed.lock() {
                        first.get_or_insert(failure);
                    }
                    return;
                }
            }
        };
        let workers =
            std::thread::available_parallelism().map_or(2, usize::from).min(8).min(paths.len());
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(work);
            }
        });
        failed.into_inner().ok().flatten().map_or(Ok(()), Err)
    }

    fn delta(
        &self,
        id: SnapshotId,
        each: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader> {
        self.ask().delta(id, each)
    }

    fn trace(
        &self,
        which: Traced<'_>,
        each: &mut dyn FnMut(&SnapshotHeader, Change) -> Outcome<bool>,
    ) -> Outcome<()> {
        self.ask().trace(which, each)
    }

    fn kept(&self) -> Outcome<Vec<SnapshotId>> {
        self.ask().kept()
    }

    fn space(&self) -> Outcome<Vec<Space>> {
        self.ask().space()
    }

    fn prune(&self, ids: &[SnapshotId], really: bool) -> Outcome<Pruned> {
        self.ask().prune(ids, really)
    }

    fn glimpse(&self, id: SnapshotId, path: &RepoPath, limit: u64) -> Outcome<Option<Glimpse>> {
        self.ask().snapshot(id)?.glimpse(path, limit)
    }

    fn check_drift(&self, monitor: &Monitor) -> Outcome<()> {
        self.ask().check_drift(monitor)
    }

    fn adopt_drift(&self, authorship: Authorship, monitor: &Monitor) -> Outcome<SnapshotHeader> {
        self.ask().adopt_drift(authorship, monitor)
    }

    fn prepare_next(&self, monitor: &Monitor) -> Outcome<()> {
        self.ask().prestage(monitor)
    }

    fn verify_history(&self, deep: bool, monitor: &Monitor) -> Outcome<(u64, SnapshotHeader)> {
        self.ask().prove_history(deep, monitor)
    }

    fn verify_contents(&self, only: Option<SnapshotId>, monitor: &Monitor) -> Outcome<Contents> {
        self.ask().validate_contents(only, monitor)
    }

    fn look_again(&self) -> Outcome<()> {
        let stands = TreeStore::open(&self.path)?.info();
        if stands.id == self.info.id {
            return Ok(());
        }
        let message = format!("Another repository stands at {} now.", self.path.display());
        Err(Failure::new(Code::RepoId, message).hint("Sync again."))
    }

    fn leases(&self) -> Outcome<Vec<Lease>> {
        self.ask().leases()
    }

    fn round_trips(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

struct LocalTransaction(Staging);

impl RemoteTransaction for LocalTransaction {
    fn stage(
        &mut self,
        uploads: &[Upload],
        source: &dyn Supply,
        monitor: &Monitor,
    ) -> Outcome<Vec<(usize, Refusal)>> {
        self.0.stage(uploads, source, monitor)
    }

    fn publish(
        self: Box<Self>,
        publication: &Publication,
        monitor: &Monitor,
    ) -> Outcome<SnapshotHeader> {
        self.0.publish(publication, monitor)
    }

    fn abort(self: Box<Self>) -> Outcome<()> {
        self.0.abort()
    }
}
