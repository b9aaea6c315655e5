//! Each request as one call of the store.

use std::collections::HashMap;
use std::io::{Seek as _, SeekFrom};
use std::path::Path;

use dsg_core::entry::Mtime;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::manifest::{Change, OrderCheck};
use dsg_core::monitor::Monitor;
use dsg_core::packed::Packed;
use dsg_core::path::RepoPath;
use dsg_core::repository::{Pruned, Publication};
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_host::tree::{Glimpse, SnapshotReader, Staging, Traced, TreeStore, Wish};
use dsg_wire::chunks::Chunks;
use dsg_wire::content;
use dsg_wire::delta::{Against, Content};
use dsg_wire::frame::{Kind, WireError};
use dsg_wire::list::{self, Copy, Ended, Found, Have, Line, Lines, OlderChunks};
use dsg_wire::message::{Answer, GlimpseText, Request};
use dsg_wire::pump::{Cargo, Opened, pump};
use dsg_wire::told::Lists;

use crate::serve::Agent;

/// Transactions that one connection may have open.
const MOST_TRANSACTIONS: usize = 16;
/// Frames that are shorter are not waited for.
const SHORT: usize = 64 * 1024;
/// About what a file weighs that nobody has looked at.
const UNSEEN: u64 = 16 * 1024;

/// A path of this host.
pub(crate) fn absolute(path: &str) -> Outcome<&Path> {
    let path = Path::new(path);
    if path.is_absolute() {
        return Ok(path);
    }
    let message = format!("{} is not an absolute path on the host.", path.display());
    Err(Failure::new(Code::Usage, message))
}

fn header(header: SnapshotHeader) -> Answer {
    Answer::Header { header: Box::new(header) }
}

impl Agent {
    pub(crate) fn answer(&mut self, request: Request, monitor: &Monitor) -> Outcome<Answer> {
        match request {
            Request::Open { path, create, plain } => self.open(&path, create, plain),
            Request::ListFolders { path } => self.folders(path.as_deref(), monitor),
            Request::ListRepositories { path } => self.repositories(path.as_deref(), monitor),
            Request::Examine { path } => self.examine(&path, monitor),
            Request::AdoptLegacy { path, authorship, dry_run, drift } => {
                Self::adopt(&path, &Wish { authorship, dry_run, drift }, monitor)
            }
            Request::Leases => self.leases(),
            Request::Head => Ok(Answer::Head { header: self.store()?.newest()?.map(Box::new) }),
            Request::Header { id } => self.store()?.header(id).map(header),
            Request::Headers { before, limit } => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let headers = self.store()?.headers(before, limit)?;
                self.out.list(Kind::Lines, &headers).map(|()| Answer::Done)
            }
            Request::ChangesSince { since } => {
                self.changes(monitor, |store, each| store.changes_since(since, each))
            }
            Request::Manifest { id } => {
                self.changes(monitor, |store, each| store.manifest_at(id, each))
            }
            Request::Delta { id } => self.changes(monitor, |store, each| store.delta(id, each)),
            Request::Trace { containing, paths } => {
                self.trace(containing.as_deref(), paths, monitor)
            }
            Request::Kept => {
                let kept = self.store()?.kept()?;
                self.out.list(Kind::Lines, &kept).map(|()| Answer::Done)
            }
            Request::Space => {
                let space = self.store()?.space()?;
                self.out.list(Kind::Lines, &space).map(|()| Answer::Done)
            }
            Request::Prune { snapshots, really } => self.prune(snapshots, really),
            Request::Glimpse { id, path, limit } => self.glimpse(id, &path, limit),
            Request::CheckDrift => self.store()?.check_drift(monitor).map(|()| Answer::Done),
            Request::AdoptDrift { authorship } => {
                self.store()?.adopt_drift(authorship, monitor).map(header)
            }
            Request::PrepareNext => self.store()?.prestage(monitor).map(|()| Answer::Done),
            Request::VerifyHistory { deep } => {
                let (snapshots, head) = self.store()?.prove_history(deep, monitor)?;
                Ok(Answer::History { snapshots, head: Box::new(head) })
            }
            Request::VerifyContents { only } => self.contents(only, monitor),
            Request::Outcome { transaction } => {
                self.store()?.decided(&transaction).map(|outcome| Answer::Outcome { outcome })
            }
            Request::Fetch { snapshot, paths, have } => self.fetch(snapshot, paths, have, monitor),
            Request::Begin { base, transaction, author } => self.begin(base, transaction, &author),
            Request::Stage { transaction, uploads, older } => {
                self.stage(&transaction, uploads, older, monitor)
            }
            Request::Publish { base, authorship, config, changes, copies } => {
                let mut order = OrderCheck::for_delta();
                let mut sorted = Packed::default();
                self.each(changes, &mut |change: Change| {
                    order.next(&change).map_err(WireError::Damaged)?;
                    if sorted.push(&change) { Ok(()) } else { Err(out_of_order().into()) }
                })?;
                let changes = sorted;
                let copies = self.list::<Copy>(copies)?;
                if !copies.is_sorted_by(|a, b| a.0 < b.0) {
                    return Err(out_of_order().into());
                }
                let staging = self.taken(&authorship.transaction)?;
                let config = *config;
                let publication = Publication { base, authorship, config, changes, copies };
                staging.publish(&publication, monitor).map(header)
            }
            Request::Abort { transaction } => {
                self.taken(&transaction)?.abort().map(|()| Answer::Done)
            }
            // They have no answer, and do not come here.
            Request::Release { .. } | Request::Close => Ok(Answer::Done),
        }
    }

    fn open(&mut self, path: &str, create: bool, plain: bool) -> Outcome<Answer> {
        let path = absolute(path)?;
        let store = match (create, plain) {
            (false, _) => TreeStore::open(path)?,
            (true, false) => TreeStore::create(path, None)?,
            (true, true) => TreeStore::create_plain(path, None)?,
        };
        let (info, standing) = (store.info(), Box::new(store.standing()?));
        self.transactions.clear();
        self.store = Some(store);
        Ok(Answer::Opened { info, standing })
    }

    pub(crate) fn store(&self) -> Outcome<&TreeStore> {
        let unopened = || WireError::Damaged("a question before a repository is opened".into());
        Ok(self.store.as_ref().ok_or_else(unopened)?)
    }

    /// A list that was announced.
    pub(crate) fn list<T: Line>(&self, count: u64) -> Outcome<Vec<T>> {
        let mut items = Vec::new();
        self.each(count, &mut |item| {
            items.push(item);
            Ok(())
        })?;
        Ok(items)
    }

    /// The items of a list that was announced, as they come.
    fn each<T: Line>(&self, count: u64, take: &mut dyn FnMut(T) -> Outcome<()>) -> Outcome<()> {
        let mut missing = usize::try_from(count).unwrap_or(usize::MAX);
        while missing > 0 {
            let frame = Self::next_frame(&self.incoming)?;
            if frame.kind != Kind::Lines {
                let found = frame.kind;
                return Err(WireError::Damaged(format!("{found:?} where a list goes on")).into());
            }
            let items = list::items::<T>(&frame.payload)?;
            let too_long = || WireError::Damaged("a list that is longer than announced".into());
            missing = missing.checked_sub(items.len()).ok_or_else(too_long)?;
            items.into_iter().try_for_each(&mut *take)?;
        }
        Ok(())
    }

    /// Changes as lines.
    fn changes(
        &self,
        monitor: &Monitor,
        give: impl FnOnce(&TreeStore, &mut dyn FnMut(Change) -> Outcome<()>) -> Outcome<SnapshotHeader>,
    ) -> Outcome<Answer> {
        let mut lines = Lines::new(Kind::Lines);
        let head = give(self.store()?, &mut |change| {
            lines.put(&change)?.map_or(Ok(()), |frame| {
                monitor.check()?;
                self.out.send(&frame)
            })
        })?;
        if let Some(frame) = lines.end()? {
            self.out.send(&frame)?;
        }
        Ok(header(head))
    }

    fn trace(&self, containing: Option<&str>, paths: u64, monitor: &Monitor) -> Outcome<Answer> {
        let paths = self.list::<RepoPath>(paths)?;
        let which = match containing {
            Some(text) => Traced::Containing(text),
            None => Traced::Paths(&paths),
        };
        let mut lines = Lines::new(Kind::Lines);
        let mut at = None;
        self.store()?.trace(which, &mut |snapshot, change| {
            let begins = at != Some(snapshot.id);
            at = Some(snapshot.id);
            let first = begins.then(|| list::Traced::Snapshot(Box::new(snapshot.clone())));
            for line in first.into_iter().chain([list::Traced::Change(change)]) {
                if let Some(frame) = lines.put(&line)? {
                    self.out.send(&frame)?;
                }
            }
            Ok(monitor.check().is_ok())
        })?;
        lines.end()?.map_or(Ok(()), |frame| self.out.send(&frame))?;
        Ok(Answer::Done)
    }

    fn glimpse(&self, id: SnapshotId, path: &RepoPath, limit: u64) -> Outcome<Answer> {
        let at = match self.store()?.snapshot(id)?.glimpse(path, limit)? {
            Some(Glimpse::File { size, mtime: Mtime(mtime), bytes }) => {
                for frame in content::whole(0, &bytes)? {
                    self.out.send(&frame)?;
                }
                Some(GlimpseText::File { size, mtime: Mtime(mtime) })
            }
            Some(Glimpse::Link(target)) => Some(GlimpseText::Link(target)),
            None => None,
        };
        Ok(Answer::Glimpse { at })
    }

    fn prune(&self, snapshots: u64, really: bool) -> Outcome<Answer> {
        let asked = self.list::<SnapshotId>(snapshots)?;
        let Pruned { gone, stays, freed } = self.store()?.prune(&asked, really)?;
        let gone = gone.into_iter().map(Ended::Gone);
        let ended: Vec<Ended> =
            gone.chain(stays.into_iter().map(|(id, why)| Ended::Stays(id, why))).collect();
        self.out.list(Kind::Lines, &ended)?;
        Ok(Answer::Pruned { freed })
    }

    fn contents(&self, only: Option<SnapshotId>, monitor: &Monitor) -> Outcome<Answer> {
        let found = self.store()?.validate_contents(only, monitor)?;
        let lines: Vec<Found> = (found.snapshots.into_iter().map(Found::Compared))
            .chain(found.faults.into_iter().map(|f| Found::Fault(f.snapshot, f.what)))
            .chain(found.gone.into_iter().map(|f| Found::Gone(f.snapshot, f.what)))
            .collect();
        self.out.list(Kind::Lines, &lines)?;
        Ok(Answer::Contents { files: found.files, bytes: found.bytes })
    }

    fn fetch(
        &self,
        snapshot: SnapshotId,
        paths: u64,
        have: u64,
        monitor: &Monitor,
    ) -> Outcome<Answer> {
        let paths = self.list::<RepoPath>(paths)?;
        let have = self.list::<Have>(have)?;
        let in_order = have.is_sorted_by(|a, b| a.file < b.file);
        let strange =
            |h: &Have| h.file as usize >= paths.len() || h.older == Some(OlderChunks::Known);
        if !in_order || have.iter().any(strange) {
            return Err(WireError::Damaged("something had of no file".into()).into());
        }
        let mut lists = Lists::announced(&have)?;
        while !lists.is_whole() {
            lists.take(&Self::next_frame(&self.incoming)?)?;
        }
        let snapshot = self.store()?.snapshot(snapshot)?;
        let kept = have.iter().map(|h| (h.file as usize, h.kept)).collect();
        let files = Files { snapshot, paths: &paths, kept, chunks: lists.into_map(), monitor };
        pump(&files, &mut |frame| {
            monitor.check()?;
            self.out.send(&frame)?;
            // It tells what to copy: the engine has work with that.
            if frame.len() < SHORT { self.out.flush() } else { Ok(()) }
        })?;
        Ok(Answer::Done)
    }

    fn begin(
        &mut self,
        base: Option<SnapshotId>,
        transaction: String,
        author: &str,
    ) -> Outcome<Answer> {
        if self.transactions.len() >= MOST_TRANSACTIONS {
            return Err(WireError::Damaged("too many transactions at once".into()).into());
        }
        let staging = self.store()?.begin(base, &transaction, author)?;
        self.transactions.insert(transaction, staging);
        Ok(Answer::Done)
    }

    fn taken(&mut self, transaction: &str) -> Outcome<Staging> {
        let unknown = || WireError::Damaged("a transaction that was not begun here".into());
        Ok(self.transactions.remove(transaction).ok_or_else(unknown)?)
    }
}

/// Files of a snapshot that go out.
struct Files<'a> {
    snapshot: SnapshotReader,
    paths: &'a [RepoPath],
    /// How much of a file is had, by its place.
    kept: HashMap<usize, u64>,
    /// The chunks of an older version that is had, by the file's number.
    chunks: HashMap<u32, Chunks>,
    monitor: &'a Monitor,
}

impl Cargo for Files<'_> {
    fn count(&self) -> usize {
        self.paths.len()
    }

    fn number(&self, place: usize) -> u32 {
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    fn weight(&self, _place: usize) -> u64 {
        UNSEEN
    }

    fn open(&self, place: usize) -> Outcome<Opened<'_>> {
        self.monitor.check()?;
        let path = &self.paths[place];
        let (mut file, stat) = self.snapshot.read(path)?;
        let kept = self.kept.get(&place).copied().unwrap_or(0);
        if kept > 0 {
            file.seek(SeekFrom::Start(kept)).map_err(|e| Failure::io("read", path, e))?;
        }
        let content = match self.chunks.get(&self.number(place)) {
            Some(older) => Content::Parts(Box::new(Against::new(file, kept, older))),
            None => Content::Bytes(Box::new(file)),
        };
        Ok((content, stat.private()))
    }

    fn refused(&self, _place: usize, why: Failure) -> Outcome<()> {
        Err(why)
    }
}

fn out_of_order() -> WireError {
    WireError::Damaged("a list out of order".into())
}
