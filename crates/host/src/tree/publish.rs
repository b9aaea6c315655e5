//! The publish of a tree repository: everything is prepared out of sight, one step decides.
//!
//! Runs under the repository's lock. Until the exchange of the two root directories nothing that
//! anybody sees has changed and every error leaves it so; from then on [`super::recover`] rolls
//! forward, here or in whoever opens the repository next. Both roots' inodes are journaled before.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::BufReader;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use dsg_core::entry::Entry;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Event, Monitor, Phase};
use dsg_core::path::RepoPath;
use dsg_core::repository::Publication;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_fs::dir::Dir;
use dsg_fs::lock::Lock;
use dsg_fs::stat::Kind;

use super::apply::{self, Applied, fresh};
use super::check::beneath;
use super::copy::{like, link_or_copy, link_tree};
use super::layout::{JOURNAL, Journal, MANIFEST, STAGING, Swap};
use super::lease;
use super::patch;
use super::prepared::{Listed, compare_live, write_list, write_record, write_stats};
use super::repo::Repo;
use super::staging::{ASIDE, Staging, TREE};
use super::stats;
use crate::crash;

const BUFFER: usize = 256 * 1024;
/// Up to so many files or directories are made durable one by one; else the whole file system is.
const FEW: usize = 64;

impl Staging {
    /// Publishes: all of it, or nothing.
    ///
    /// # Errors
    /// [`Code::HeadMoved`] if the head is another by now, [`Code::Drift`] if files were changed on
    /// the host, [`Code::Locked`] if somebody else publishes; else what went wrong. Nothing was
    /// published then, unless the message says so.
    pub fn publish(self, publication: &Publication, monitor: &Monitor) -> Outcome<SnapshotHeader> {
        if let Some(site) = self.repo.site.clone() {
            return site.publish(self, publication, monitor);
        }
        let repo = std::sync::Arc::clone(&self.repo);
        let author = publication.authorship.author.clone();
        let next = publication.base.map_or(SnapshotId::FIRST, SnapshotId::next);
        let mut lock = repo.lock(&author, &lease::publishes(next, ""))?;
        self.voice.publishing(next);
        crash::LOCKED.pass();
        repo.recover(&lock)?;
        let base = repo.head()?;
        self.may_publish(publication, base.as_ref())?;
        let files =
            base.as_ref().map_or(0, |base| base.totals.entries) + publication.changes.len() as u64;
        monitor.phase(Phase::Publishing, Some(files), None);
        let far = self.voice.taking_over(next, files, monitor);
        let decided = match self.prepare(publication, base.as_ref(), &mut lock, &far) {
            Ok(header) => self.decide(header),
            Err(e) => Err(e),
        };
        let (journal, header) = match decided {
            Ok(decided) => decided,
            Err(e) => {
                self.take_back();
                return Err(e);
            }
        };
        let late = repo.roll_forward(&journal, &lock).map_err(|e| {
            Failure::new(
                e.code,
                format!(
                    "{} is published, but its bookkeeping is not finished: {}",
                    header.id, e.message
                ),
            )
            .hint("The next access to the repository finishes it.")
            .because(e)
        })?;
        if !late.is_empty() {
            monitor.event(Event::Notice(format!(
                "{} file(s) were written on the host during the publish; they are kept beside the new ones and show as drift: {}.",
                late.len(),
                late.join(", ")
            )));
        }
        if repo.facts.exchange && matches!(journal.swap, Swap::Renames) {
            monitor.event(Event::Notice("This file system cannot exchange two folders in one step: a reader on the host may have missed the folder for an instant.".into()));
        }
        drop(repo.init.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
        if repo.history().checkpoint_if_due(&header, repo.modes()).is_ok_and(|done| done) {
            crash::CHECKPOINTED.pass();
        }
        // What dead transactions left is nobody's hurry, and no reason to fail.
        let _ = repo.clean(&lock);
        drop(lock);
        Ok(header)
    }

    pub(super) fn may_publish(
        &self,
        publication: &Publication,
        base: Option<&SnapshotHeader>,
    ) -> Outcome<()> {
        let base = base.map(|b| b.id);
        if self.spoiled.load(Ordering::Relaxed) {
            let objects = self.objects.path().display();
            return Err(Failure::new(
                Code::Io,
                format!("A file that was staged in vain could not be removed from {objects}."),
            )
            .hint("Nothing was published. Check the host's disk, then sync again."));
        }
        if publication.authorship.transaction != self.transaction || publication.base != self.base {
            return Err(Failure::new(
                Code::Usage,
                "The publication belongs to another transaction.",
            ));
        }
        if base != publication.base {
            let now = base.map_or_else(|| "empty".to_owned(), |id| id.to_string());
            return Err(Failure::new(
                Code::HeadMoved,
                format!("The repository is at {now} by now."),
            )
            .hint("Nothing was published. Look at the new status, then sync again."));
        }
        if self.repo.recorded_outcome(&self.transaction)?.is_some() {
            return Err(Failure::new(Code::HeadMoved, "This transaction was given up already.")
                .hint("Nothing was published. Sync again."));
        }
        Ok(())
    }

    /// Everything before the deciding step.
    fn prepare(
        &self,
        publication: &Publication,
        base: Option<&SnapshotHeader>,
        lock: &mut Lock,
        monitor: &Monitor,
    ) -> Outcome<SnapshotHeader> {
        let repo = &*self.repo;
        for leftover in [TREE, ASIDE] {
            if self.dir.stat(leftover)?.is_some() {
                repo.void_ctimes()?;
                self.dir.remove_tree(leftover)?;
            }
        }
        let next = publication.base.map_or(SnapshotId::FIRST, SnapshotId::next);
        lock.doing(&lease::publishes(next, "prepares the tree"));
        let (tree, relinked, many) = match base {
            None => (self.first_tree()?, Vec::new(), false),
            Some(head) => self.next_tree(head, monitor)?,
        };
        lock.doing(&lease::publishes(next, "writes the record"));
        let listed = self.list(publication, base)?;
        let header = self.record(publication, base, &listed)?;
        monitor.check()?;
        let mut applied = apply::apply(self, &tree, publication, monitor)?;
        crash::APPLIED.pass();
        repo.tick()?;
        apply::record(&tree, publication, &relinked, &mut applied.patch)?;
        let patch = std::mem::take(&mut applied.patch);
        write_stats(repo, &self.dir, base.map(|b| b.id), header.id, patch)?;
        monitor.check()?;
        lock.doing(&lease::publishes(next, "makes it durable"));
        self.make_durable(&tree, publication, &applied, many)?;
        crash::TREE_DURABLE.pass();
        Ok(header)
    }

    fn first_tree(&self) -> Outcome<Dir> {
        let layout = &self.repo.layout;
        let tree = fresh(&self.dir, TREE, self.repo.modes())?;
        // Somebody prepared an empty folder for us: its mode and group are meant.
        if let Some(empty) = layout.live_ino()?.and_then(|_| layout.live().ok()) {
            if !empty.list()?.is_empty() {
                return Err(not_empty(&layout.path()));
            }
            like(&empty, &tree)?;
        }
        Ok(tree)
    }

    /// A tree like the live one, which was found to be as recorded; with the paths whose inodes
    /// are others than recorded, and whether it has many directories that are not durable.
    fn next_tree(
        &self,
        head: &SnapshotHeader,
        monitor: &Monitor,
    ) -> Outcome<(Dir, Vec<Vec<u8>>, bool)> {
        let repo = &*self.repo;
        let live = live_or_drift(repo, head)?;
        let ready = repo.prestaged(head.id)?;
        let mut relinked = Vec::new();
        let mut many = false;
        if !ready {
            repo.void_ctimes()?;
            let tree = fresh(&self.dir, TREE, repo.modes())?;
            relinked = link_tree(&live, &tree, monitor, &|| Ok(()))?;
            crash::BUILT.pass();
            repo.tick()?;
            many = true;
        }
        // Each file counts once: as it is linked, else as it is looked at.
        let told = if ready { monitor } else { &lease::without_progress(monitor) };
        let drift = compare_live(repo, &live, head, &self.dir, false, told)?;
        crash::CHECKED.pass();
        if !drift.is_none() {
            if !ready {
                self.dir.remove_tree(TREE)?;
            }
            return Err(drift.halt(live.path()));
        }
        if ready {
            repo.take_prestage(&self.dir)?;
            crash::PRESTAGE_TAKEN.pass();
        }
        let tree = self.dir.open_beneath(TREE)?;
        for path in drift.harmless {
            if carry(&live, &tree, &path)? {
                relinked.push(path);
            }
        }
        Ok((tree, relinked, many))
    }

    /// Writes the new manifest of a publication that makes sense. It changes nothing that was staged.
    pub(super) fn list(
        &self,
        publication: &Publication,
        base: Option<&SnapshotHeader>,
    ) -> Outcome<Listed> {
        let repo = &*self.repo;
        let wanted: BTreeSet<&[u8]> =
            publication.copies.iter().map(|(_, from)| from.as_bytes()).collect();
        let mut sources: BTreeMap<Vec<u8>, Entry> = BTreeMap::new();
        if let (Some(head), false) = (base, wanted.is_empty()) {
            let manifest = BufReader::with_capacity(BUFFER, repo.history().manifest(head)?);
            patch::lookup(manifest, wanted, |path, entry| {
                sources.insert(path.to_vec(), entry);
            })
            .map_err(|e| e.into_failure(&repo.layout.side.at(MANIFEST)))?;
        }
        apply::check(publication, |path| sources.get(path.as_bytes()).cloned())?;
        let listed = write_list(repo, &self.dir, publication, base)?;
        crash::LISTED.pass();
        Ok(listed)
    }

    /// The record with the new header. From here on what was staged is this publication's.
    pub(super) fn record(
        &self,
        publication: &Publication,
        base: Option<&SnapshotHeader>,
        listed: &Listed,
    ) -> Outcome<SnapshotHeader> {
        let header = write_record(&self.repo, &self.dir, publication, base, listed)?;
        crash::RECORD_WRITTEN.pass();
        Ok(header)
    }

    fn make_durable(
        &self,
        tree: &Dir,
        publication: &Publication,
        applied: &Applied,
        built: bool,
    ) -> Outcome<()> {
        let files: Vec<RepoPath> =
            apply::puts(publication).map(|put| put.path).take(FEW + 1).collect();
        let dirs =
            if built { few_dirs(tree)? } else { Some(applied.dirs.iter().cloned().collect()) };
        match dirs {
            Some(dirs) if dirs.len() <= FEW && files.len() <= FEW => {
                for path in files {
                    if let Ok(file) = tree.open_file(path.as_str()) {
                        file.sync_all()
                            .map_err(|e| Failure::io("make durable", tree.at(&path), e))?;
                    }
                }
                for dir in dirs {
                    beneath(tree, dir.as_os_str().as_bytes())?.fsync()?;
                }
                tree.fsync()?;
            }
            _ => self.dir.syncfs()?,
        }
        self.dir.fsync()?;
        Ok(self.repo.layout.folder(STAGING)?.fsync()?)
    }

    /// The journal, and the step that decides.
    fn decide(&self, header: SnapshotHeader) -> Outcome<(Journal, SnapshotHeader)> {
        let repo = &*self.repo;
        let layout = &repo.layout;
        let new = self.dir.open_beneath(TREE)?.own_stat()?.ino;
        let old = layout.live_ino()?;
        let swap = match (header.parent, repo.facts.exchange) {
            (None, _) => Swap::First,
            (Some(_), true) => Swap::Exchange,
            (Some(_), false) => Swap::Renames,
        };
        let mut journal =
            Journal { transaction: self.transaction.clone(), snapshot: header.id, swap, old, new };
        layout.write_json(JOURNAL, &journal, repo.modes())?;
        crash::JOURNALED.pass();
        let swapped = match swap {
            Swap::First => self.swap_first(),
            Swap::Exchange => match self.dir.exchange(TREE, &layout.parent, &layout.name) {
                Err(e) if e.is_unsupported() => {
                    journal.swap = Swap::Renames;
                    layout.write_json(JOURNAL, &journal, repo.modes())?;
                    self.swap_renames()
                }
                other => other.map_err(Failure::from),
            },
            _ => self.swap_renames(),
        };
        if let Err(e) = swapped {
            // Nothing was exchanged: the journal must not outlive the attempt.
            if layout.live_ino()? == old {
                layout.side.remove_file(JOURNAL)?;
                layout.side.fsync()?;
            }
            return Err(e);
        }
        crash::EXCHANGED.pass();
        let durable = layout.parent.fsync().and_then(|()| self.dir.fsync());
        crash::PARENTS_DURABLE.pass();
        durable.map_err(|e| {
            Failure::new(
                Code::Io,
                format!("{} is published, but the disk did not confirm it.", header.id),
            )
            .hint("The next access to the repository finishes it. Check the host's disk.")
            .because(e)
        })?;
        Ok((journal, header))
    }

    fn swap_first(&self) -> Outcome<()> {
        let layout = &self.repo.layout;
        // `rename` onto a directory works only if that is empty.
        self.dir.rename_replacing(TREE, &layout.parent, &layout.name).map_err(|e| {
            if e.is_present() || e.is_absent() {
                not_empty(&layout.path()).because(e)
            } else {
                e.into()
            }
        })
    }

    fn swap_renames(&self) -> Outcome<()> {
        let layout = &self.repo.layout;
        layout.parent.rename_replacing(&layout.name, &self.dir, ASIDE)?;
        crash::STEPPED_ASIDE.pass();
        let moved = self.dir.rename_replacing(TREE, &layout.parent, &layout.name);
        if moved.is_err() {
            self.dir.rename_replacing(ASIDE, &layout.parent, &layout.name)?;
        }
        Ok(moved?)
    }

    /// After a failure before the decision: the staged content waits for the next try.
    fn take_back(&self) {
        if self.repo.journal().is_ok_and(|j| j.is_none()) {
            let _ = self.repo.salvage(&self.dir);
        }
    }
}

fn not_empty(path: &Path) -> Failure {
    Failure::new(Code::Exists, format!("{} is not empty.", path.display()))
        .hint("Choose another place for the repository, or move away what is there.")
}

/// The live root; without it everything is gone.
pub(super) fn live_or_drift(repo: &Repo, head: &SnapshotHeader) -> Outcome<Dir> {
    match repo.layout.live() {
        Ok(live) => Ok(live),
        Err(e) if e.is_absent() => {
            let at = repo.layout.path();
            Err(Failure::new(
                Code::Drift,
                format!(
                    "The repository's folder {} is gone; {} has {} file(s).",
                    at.display(),
                    head.id,
                    head.totals.entries
                ),
            )
            .hint("Put it back. Its former contents are in the snapshots; nothing was changed.")
            .because(e))
        }
        Err(e) => Err(e.into()),
    }
}

/// Brings what the live tree has at a path into the new tree, if that has another; whether it did.
fn carry(live: &Dir, tree: &Dir, path: &[u8]) -> Outcome<bool> {
    let rel = Path::new(OsStr::from_bytes(path));
    let (is, shall) = (tree.stat(rel)?, live.stat(rel)?);
    let Some(shall) = shall else { return Ok(false) };
    if shall.kind == Kind::Dir {
        if is.is_none() {
            tree.ensure_dirs(rel, None)?;
        }
        return Ok(false);
    }
    if is.is_some_and(|is| is.ino == shall.ino) {
        return Ok(false);
    }
    if is.is_some() {
        tree.remove_file(rel)?;
    }
    let (dir, name) = stats::split(path);
    if !dir.is_empty() {
        tree.ensure_dirs(OsStr::from_bytes(dir), None)?;
    }
    let name = OsStr::from_bytes(name);
    link_or_copy(&beneath(live, dir)?, name, &beneath(tree, dir)?, name)?;
    Ok(true)
}

/// The directories of a tree, unless they are many.
fn few_dirs(tree: &Dir) -> Outcome<Option<Vec<PathBuf>>> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut left = vec![Vec::new()];
    while let Some(rel) = left.pop() {
        if found.len() + left.len() > FEW {
            return Ok(None);
        }
        let dir = beneath(tree, &rel)?;
        for name in dir.list()? {
            if name.kind == Some(Kind::Dir) {
                left.push(stats::join(&rel, name.name.as_bytes()));
            }
        }
        found.push(PathBuf::from(OsStr::from_bytes(&rel)));
    }
    Ok(Some(found))
}
