//! A tree repository as others see it: open, look, stage, publish, adopt, prepare, prove.

use std::io::BufReader;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dsg_core::entry::{Entry, LinkTarget};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::manifest::{Change, ManifestError};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::repository::{Access, Outcome as TransactionOutcome, RepositoryInfo};
use dsg_core::snapshot::{Authorship, FORMAT, SnapshotHeader, SnapshotId};
use dsg_fs::dir::Dir;
use dsg_fs::error::FsError;
use dsg_fs::lock::{Holder, Lock, Tried};
use dsg_fs::stat::Kind;
use rustix::fs::{self as sys, Mode, OFlags, ResolveFlags};

use super::drift::hash_stably;
use super::history::{MAX_MERGE, entries};
use super::layout::{
    FACTS, Facts, INIT_LOCK, LOCK, Layout, MANIFEST, Modes, NEW_FACTS, STAGING, TREES, damaged,
    locate, side_name,
};
use super::patch;
use super::reader::SnapshotReader;
use super::repo::{Repo, locked};
use super::staging::Staging;
use crate::crash;

/// A repository on a POSIX file system. Clones share it.
#[derive(Clone)]
pub struct TreeStore {
    repo: Arc<Repo>,
}

/// Something that a proof of the history or of a file found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// What is wrong.
    pub what: String,
}

impl TreeStore {
    /// Prepares a repository at `path`, which must not exist or be an empty directory. It is one
    /// only after its first publish; until then another `create` starts over. Without `access`, a
    /// setgid group directory makes it a team's.
    ///
    /// # Errors
    /// [`Code::Exists`], [`Code::Locked`] (another init), [`Code::Unsupported`] (a mount point),
    /// [`Code::Permission`] (the directory above it).
    pub fn create(path: &Path, access: Option<Access>) -> Outcome<Self> {
        let (parent, name) = locate(path)?;
        if let Ok(side) = parent.open_beneath(side_name(&name)) {
            // Before anything is looked at or locked: a repository is left alone.
            let layout = Layout { parent: parent.try_clone()?, name: name.clone(), side };
            finish_interrupted_init(&layout)?;
            if layout.facts(FACTS)?.is_some() {
                return Err(exists(&layout));
            }
        }
        let place = inspect_place(&parent, &name)?;
        let access = access.unwrap_or(if place.team { Access::Team } else { Access::Personal });
        let modes = Modes(access);
        let side_name = side_name(&name);
        parent.ensure_dirs(&side_name, Some(modes.dir())).map_err(|e| {
            Failure::from(e).hint(format!(
                "The repository's history lives beside it: you need to be able to write in {}.",
                parent.path().display()
            ))
        })?;
        let side = parent.open_beneath(&side_name)?;
        if let Some(group) = place.group {
            let _ = sys::fchown(&side, None, Some(sys::Gid::from_raw(group)));
        }
        crash::INIT_SIDECAR.pass();
        let layout = Layout { parent, name, side };
        let holder = Holder { who: super::repo::account(), since: super::repo::now(), doing: "creates it".into() };
        let init = match Lock::try_acquire(&layout.side, INIT_LOCK, modes.own_file(), holder)? {
            Tried::Held(lock) => lock,
            Tried::Busy(by) => return Err(locked(&layout, by)),
        };
        finish_interrupted_init(&layout)?;
        if layout.facts(FACTS)?.is_some() {
            return Err(exists(&layout));
        }
        for name in layout.side.list()? {
            if let Some(name) = name.name.to_str().filter(|n| *n != INIT_LOCK) {
                layout.side.remove_tree(name)?;
            }
        }
        layout.ensure_folders(modes)?;
        let facts = Facts {
            format: FORMAT,
            id: uuid::Uuid::now_v7().to_string(),
            access,
            created: jiff::Timestamp::now(),
            exchange: can_exchange(&layout.side)?,
        };
        layout.write_json(NEW_FACTS, &facts, modes)?;
        layout.parent.fsync()?;
        crash::INIT_FACTS.pass();
        Ok(Self { repo: Arc::new(Repo { layout, facts, init: Mutex::new(Some(init)) }) })
    }

    /// Opens a repository, and finishes or undoes what an interrupted transaction left, unless
    /// somebody who lives is at it.
    ///
    /// # Errors
    /// [`Code::NoRepository`], [`Code::Unreachable`], [`Code::RepositoryDamaged`],
    /// [`Code::NewerFormat`].
    pub fn open(path: &Path) -> Outcome<Self> {
        let (parent, name) = locate(path)?;
        let none = |why: &str| {
            Failure::new(Code::NoRepository, format!("There is no repository at {}{why}.", path.display()))
                .hint("Check the address, or make one there with init.")
        };
        let side = match parent.open_beneath(side_name(&name)) {
            Ok(side) => side,
            Err(e) if e.is_absent() => return Err(none("").because(e)),
            Err(e) => return Err(e.into()),
        };
        let layout = Layout { parent, name, side };
        if layout.facts(FACTS)?.is_none() {
            finish_interrupted_init(&layout)?;
        }
        let Some(facts) = layout.facts(FACTS)? else {
            return Err(none(": an init there was not finished"));
        };
        let repo = Repo { layout, facts, init: Mutex::new(None) };
        if repo.needs_recovery()? {
            recover_if_free(&repo)?;
        }
        Ok(Self { repo: Arc::new(repo) })
    }

    /// The repository's unchanging facts.
    pub fn info(&self) -> RepositoryInfo {
        self.repo.facts.info()
    }

    /// The newest snapshot's header, proved against its parent's.
    ///
    /// # Errors
    /// [`Code::RepositoryDamaged`]; [`Code::NoRepository`] before the first publish.
    pub fn head(&self) -> Outcome<SnapshotHeader> {
        self.repo.head()?.ok_or_else(|| {
            Failure::new(Code::NoRepository, "This repository has no snapshot yet.")
        })
    }

    /// One snapshot's header.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::RepositoryDamaged`].
    pub fn header(&self, id: SnapshotId) -> Outcome<SnapshotHeader> {
        self.repo.history().header(id)
    }

    /// Up to `limit` headers, newest first, from the head or from just below `before`; each is
    /// proved against its parent's.
    ///
    /// # Errors
    /// [`Code::RepositoryDamaged`].
    pub fn headers(&self, before: Option<SnapshotId>, limit: usize) -> Outcome<Vec<SnapshotHeader>> {
        self.repo.history().headers(before, limit)
    }

    /// One snapshot's own changes, sorted: for log, blame and diff.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::RepositoryDamaged`] (then what was given is not to be used).
    pub fn delta(&self, id: SnapshotId, take: &mut dyn FnMut(Change) -> Outcome<()>) -> Outcome<SnapshotHeader> {
        let record = self.repo.history().record(id)?;
        let header = record.header.clone();
        for change in record.changes() {
            take(change?)?;
        }
        Ok(header)
    }

    /// Gives the net changes from snapshot `since` to the head, sorted, each path once; without
    /// `since` the whole manifest. Gives the head's header.
    ///
    /// # Errors
    /// [`Code::NotFound`] if `since` is not in the history, [`Code::RepositoryDamaged`], or `take`'s.
    pub fn changes_since(
        &self,
        since: Option<SnapshotId>,
        take: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader> {
        let history = self.repo.history();
        let head = self.head()?;
        let Some(since) = since else {
            self.give(&head, take)?;
            return Ok(head);
        };
        if since > head.id {
            return Err(Failure::new(
                Code::NotFound,
                format!("The repository is at {}; there is no {since}.", head.id),
            ));
        }
        // A path that came and went in between is no net change, if it was not there before: the
        // deltas alone cannot tell.
        let mut simple = head.id.number() - since.number() <= MAX_MERGE;
        if simple {
            for change in history.merged(Some(since), head.id)? {
                let (_, unsure) = change?;
                simple &= !unsure;
            }
        }
        if simple {
            for change in history.merged(Some(since), head.id)? {
                take(change?.0)?;
            }
            return Ok(head);
        }
        let before = entries(history.manifest(&history.header(since)?)?);
        let after = entries(history.manifest(&head)?);
        difference(before, after, take).map_err(|e| match e {
            Differ::Manifest(e) => damaged(&self.repo.layout.side.at(MANIFEST), &e.to_string()).because(e),
            Differ::Taker(e) => e,
        })?;
        Ok(head)
    }

    /// Gives a snapshot's whole manifest, sorted, and its header.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::RepositoryDamaged`], or `take`'s.
    pub fn manifest_at(
        &self,
        id: SnapshotId,
        take: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader> {
        let header = self.repo.history().header(id)?;
        self.give(&header, take)?;
        Ok(header)
    }

    fn give(&self, header: &SnapshotHeader, take: &mut dyn FnMut(Change) -> Outcome<()>) -> Outcome<()> {
        for change in entries(self.repo.history().manifest(header)?) {
            take(change.map_err(|e| {
                damaged(&self.repo.layout.side.at(MANIFEST), &e.to_string()).because(e)
            })?)?;
        }
        Ok(())
    }

    /// How a transaction ended; `None` while it is not decided. One that nobody works on any more
    /// is given up by the question: it cannot be published later.
    ///
    /// # Errors
    /// [`Code::Usage`] for what is no transaction id; else what went wrong.
    pub fn outcome(&self, transaction: &str) -> Outcome<Option<TransactionOutcome>> {
        if let Some(outcome) = self.repo.recorded_outcome(transaction)? {
            return Ok(Some(outcome));
        }
        let Tried::Held(lock) = self.repo.try_lock("", "looks how a transaction ended")? else {
            return Ok(None);
        };
        self.repo.recover(&lock)?;
        if let Some(outcome) = self.repo.recorded_outcome(transaction)? {
            return Ok(Some(outcome));
        }
        let staging = self.repo.layout.folder(STAGING)?;
        if let Ok(dir) = staging.open_beneath(transaction)
            && Lock::holder(&dir, LOCK)?.is_some()
        {
            return Ok(None);
        }
        self.repo.write_outcome(transaction, TransactionOutcome::Aborted)?;
        Ok(Some(TransactionOutcome::Aborted))
    }

    /// Begins a transaction on top of `base` (`None` in a new repository). Needs no lock.
    ///
    /// # Errors
    /// [`Code::Usage`] for a bad id, [`Code::Locked`] if that very transaction is being worked on.
    pub fn begin(&self, base: Option<SnapshotId>, transaction: &str) -> Outcome<Staging> {
        Staging::begin(&self.repo, base, transaction)
    }

    /// Opens one snapshot's files.
    ///
    /// # Errors
    /// [`Code::NotFound`] if there is no such snapshot or its files are not kept.
    pub fn snapshot(&self, id: SnapshotId) -> Outcome<SnapshotReader> {
        SnapshotReader::open(&self.repo, id)
    }

    /// Snapshots whose files can be had, oldest first.
    ///
    /// # Errors
    /// The sidecar cannot be read.
    pub fn kept(&self) -> Outcome<Vec<SnapshotId>> {
        let names = self.repo.layout.folder(TREES)?.list()?;
        let mut kept: Vec<SnapshotId> =
            names.iter().filter_map(|n| n.name.to_str()?.parse().ok()).collect();
        kept.extend(self.repo.history().newest()?);
        kept.sort_unstable();
        kept.dedup();
        Ok(kept)
    }

    /// Removes the files of a former snapshot; its record stays.
    ///
    /// # Errors
    /// [`Code::Usage`] for the head, [`Code::Locked`]; else what could not be removed.
    pub fn prune(&self, id: SnapshotId) -> Outcome<()> {
        let repo = &self.repo;
        let lock = repo.lock("", "removes a former snapshot's files")?;
        repo.recover(&lock)?;
        if repo.history().newest()? <= Some(id) {
            return Err(Failure::new(Code::Usage, format!("{id} is the newest snapshot: its files are in use.")));
        }
        let staging = repo.layout.folder(STAGING)?;
        let doomed = format!("pruned-{id}");
        let trees = repo.layout.folder(TREES)?;
        if trees.stat(id.to_string())?.is_some() {
            staging.remove_tree(&doomed)?;
            // Half removed it must not pass for the snapshot.
            trees.rename_noreplace(id.to_string(), &staging, &doomed)?;
            trees.fsync()?;
        }
        crash::PRUNED.pass();
        repo.void_ctimes()?;
        Ok(staging.remove_tree(&doomed)?)
    }

    /// The paths that were changed on the host, up to 100, without changing anything. Empty: none.
    ///
    /// # Errors
    /// [`Code::Locked`]; else what could not be read.
    pub fn drift(&self, monitor: &Monitor) -> Outcome<Vec<String>> {
        let repo = &self.repo;
        let lock = repo.lock("", "looks for changes made on the host")?;
        repo.recover(&lock)?;
        let head = self.head()?;
        let staging = repo.layout.folder(STAGING)?;
        let name = staging.temporary_name("drift");
        let looked = (|| {
            let live = super::publish::live_or_drift(repo, &head)?;
            let dir = staging.create_dir(&name, Some(repo.modes().dir()))?;
            let drift = super::publish::compare_live(repo, &live, &head, &dir, false, monitor)?;
            Ok(if drift.is_none() { Vec::new() } else { drift.halt(live.path()).paths })
        })();
        staging.remove_tree(&name)?;
        looked
    }

    /// Makes a snapshot of what was changed on the host. Without any, gives the head.
    ///
    /// # Errors
    /// [`Code::Locked`]; else what could not be read or written.
    pub fn adopt_drift(&self, authorship: Authorship, monitor: &Monitor) -> Outcome<SnapshotHeader> {
        self.repo.adopt_drift(authorship, monitor)
    }

    /// Makes the copy of the live tree that the next publish needs. To be called in the
    /// background; steps back with [`Code::Cancelled`] when somebody wants to publish.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::Drift`]; a publish then makes the copy itself.
    pub fn prestage(&self, monitor: &Monitor) -> Outcome<()> {
        self.repo.prestage(monitor)
    }

    /// Removes what dead transactions left that is too old to be taken over.
    ///
    /// # Errors
    /// [`Code::Locked`]; else what could not be removed.
    pub fn clean(&self) -> Outcome<()> {
        let lock = self.repo.lock("", "cleans up")?;
        self.repo.recover(&lock)?;
        self.repo.clean(&lock)
    }

    /// Who has the repository locked now.
    ///
    /// # Errors
    /// The lock cannot be looked at.
    pub fn holder(&self) -> Outcome<Option<Holder>> {
        Ok(Lock::holder(&self.repo.layout.side, LOCK)?)
    }

    /// Proves the history: that each header follows from its parent, and, `deep`, that each
    /// manifest can be rebuilt and is what its header says.
    ///
    /// # Errors
    /// It cannot be read at all; what is wrong with it is in the result.
    pub fn validate_chain(&self, deep: bool, monitor: &Monitor) -> Outcome<Vec<Fault>> {
        let history = self.repo.history();
        let Some(newest) = history.newest()? else { return Ok(Vec::new()) };
        let mut faults = Vec::new();
        let mut parent: Option<SnapshotHeader> = None;
        for id in (1..=newest.number()).filter_map(SnapshotId::new) {
            monitor.check()?;
            let mut fault = |what: String| faults.push(Fault { snapshot: id, what });
            let header = match history.header(id) {
                Ok(header) => header,
                Err(e) => {
                    fault(e.message);
                    parent = None;
                    continue;
                }
            };
            if (id == SnapshotId::FIRST || parent.is_some())
                && let Err(e) = header.follows(parent.as_ref().map(|p| p.chain))
            {
                fault(e.to_string());
            }
            if deep {
                let told = self
                    .delta(id, &mut |_| Ok(()))
                    .and_then(|_| self.give(&header, &mut |_| Ok(())));
                if let Err(e) = told {
                    fault(e.message);
                }
            }
            monitor.advanced(1, 0);
            parent = Some(header);
        }
        Ok(faults)
    }

    /// Proves one file of one snapshot: what is stored is what the manifest says. `None`: it is.
    ///
    /// # Errors
    /// [`Code::NotFound`] if the snapshot holds no such path; else what could not be read.
    pub fn validate_file(&self, id: SnapshotId, path: &RepoPath) -> Outcome<Option<Fault>> {
        let header = self.header(id)?;
        let Some(expected) = self.entry(&header, path)? else {
            return Err(Failure::new(Code::NotFound, format!("{id} holds no {path}.")));
        };
        let root = self.snapshot(id)?;
        let fault = |what: String| Ok(Some(Fault { snapshot: id, what }));
        match (&expected, root.root().stat(path.as_str())?.map(|s| s.kind)) {
            (_, None) => fault(format!("{path} is missing")),
            (Entry::Link(target), Some(Kind::Link)) => {
                let found = root.root().read_link(path.as_str())?;
                let found = found.to_str().and_then(|t| LinkTarget::parse(path, t).ok());
                if found.as_ref() == Some(target) { Ok(None) } else { fault(format!("{path} points elsewhere")) }
            }
            (Entry::File(file), Some(Kind::File)) => match hash_stably(root.root(), path.as_ref())? {
                Some(found) if found.hash == file.hash => Ok(None),
                Some(found) => fault(format!("{path} has the SHA-256 {}, not {}", found.hash, file.hash)),
                None => fault(format!("{path} changes while it is read")),
            },
            _ => fault(format!("{path} is of another kind")),
        }
    }

    /// What a snapshot's manifest says of one path.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::RepositoryDamaged`].
    pub fn entry_at(&self, id: SnapshotId, path: &RepoPath) -> Outcome<Option<Entry>> {
        self.entry(&self.header(id)?, path)
    }

    fn entry(&self, header: &SnapshotHeader, path: &RepoPath) -> Outcome<Option<Entry>> {
        let manifest = BufReader::with_capacity(256 * 1024, self.repo.history().manifest(header)?);
        let mut found = None;
        patch::lookup(manifest, [path.as_bytes()], |_, entry| found = Some(entry))
            .map_err(|e| e.into_failure(&self.repo.layout.side.at(MANIFEST)))?;
        Ok(found)
    }
}

/// What stands where a repository is to be.
struct Place {
    team: bool,
    group: Option<u32>,
}

fn exists(layout: &Layout) -> Failure {
    let at = layout.parent.at(&layout.name);
    Failure::new(Code::Exists, format!("There is a repository at {} already.", at.display()))
        .hint("Clone it, or choose another place.")
}

fn inspect_place(parent: &Dir, name: &str) -> Outcome<Place> {
    let at = parent.at(name);
    let is_team = |mode: u32| mode & 0o2020 == 0o2020;
    let above = parent.own_stat()?.mode;
    let Some(stat) = parent.stat(name)? else {
        return Ok(Place { team: is_team(above), group: None });
    };
    if stat.kind != Kind::Dir {
        return Err(Failure::new(Code::Exists, format!("{} is there already, and no folder.", at.display())));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
    let fd = match sys::openat2(parent, name, flags, Mode::empty(), resolve) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::XDEV) => {
            return Err(Failure::new(
                Code::Unsupported,
                format!("{} is a mount point: its folder cannot be exchanged in one step.", at.display()),
            )
            .hint("Choose a folder below it."));
        }
        Err(e) => return Err(FsError::new("open the folder", &at, e).into()),
    };
    let group = sys::fstat(fd.as_fd()).map_err(|e| FsError::new("look at", &at, e))?.st_gid;
    if !parent.open_beneath(name)?.list()?.is_empty() {
        return Err(Failure::new(Code::Exists, format!("{} is not empty.", at.display()))
            .hint("Choose another place for the repository, or move away what is there."));
    }
    Ok(Place { team: is_team(above) || is_team(stat.mode), group: Some(group) })
}

/// If the first publish was decided, its repository is there once it is rolled forward.
fn finish_interrupted_init(layout: &Layout) -> Outcome<()> {
    let Some(facts) = layout.facts(NEW_FACTS)? else { return Ok(()) };
    let reopened = Layout {
        parent: layout.parent.try_clone()?,
        name: layout.name.clone(),
        side: layout.side.try_clone()?,
    };
    let repo = Repo { layout: reopened, facts, init: Mutex::new(None) };
    if repo.needs_recovery()? { recover_if_free(&repo) } else { Ok(()) }
}

fn recover_if_free(repo: &Repo) -> Outcome<()> {
    match repo.try_lock("", "finishes an interrupted publish") {
        Ok(Tried::Held(lock)) => repo.recover(&lock),
        // Whoever holds it finishes it, or is in the midst of it.
        Ok(Tried::Busy(_)) => Ok(()),
        // A mere reader cannot; what is there can be read all the same.
        Err(e) if e.code == Code::Permission => Ok(()),
        Err(e) => Err(e),
    }
}

fn can_exchange(side: &Dir) -> Outcome<bool> {
    for probe in ["probe-a", "probe-b"] {
        side.ensure_dirs(probe, None)?;
    }
    let exchanged = side.exchange("probe-a", side, "probe-b");
    for probe in ["probe-a", "probe-b"] {
        side.remove_dir(probe)?;
    }
    match exchanged {
        Ok(()) => Ok(true),
        Err(e) if e.is_unsupported() => Ok(false),
        Err(e) => Err(e.into()),
    }
}

enum Differ {
    Manifest(ManifestError),
    Taker(Failure),
}

/// Gives what leads from one manifest to the other.
fn difference(
    before: impl Iterator<Item = Result<Change, ManifestError>>,
    after: impl Iterator<Item = Result<Change, ManifestError>>,
    take: &mut dyn FnMut(Change) -> Outcome<()>,
) -> Result<(), Differ> {
    let (mut before, mut after) = (before.peekable(), after.peekable());
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return Ok(()),
            (Some(Ok(b)), Some(Ok(a))) => b.path.cmp(&a.path),
            (Some(_), None) | (Some(Err(_)), _) => std::cmp::Ordering::Less,
            (None, Some(_)) | (_, Some(Err(_))) => std::cmp::Ordering::Greater,
        };
        let was = (order.is_le()).then(|| before.next()).flatten().transpose().map_err(Differ::Manifest)?;
        let is = (order.is_ge()).then(|| after.next()).flatten().transpose().map_err(Differ::Manifest)?;
        let change = match (was, is) {
            (Some(was), Some(is)) if was.entry == is.entry => continue,
            (_, Some(is)) => is,
            (Some(was), None) => Change { path: was.path, entry: None },
            (None, None) => continue,
        };
        take(change).map_err(Differ::Taker)?;
    }
}
