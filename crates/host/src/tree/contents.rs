//! Proof of contents: every file that is kept is read, and compared with its snapshot's manifest.
//!
//! The snapshots are gone through from the newest back. Where a file of one is the very file (inode)
//! that stands in the next newer one, and both manifests say the same of it, it was read already. So
//! each content is read once, and nothing is remembered of what is sound.
//!
//! A file that the next snapshot replaced or deleted may be missing in a former one: what somebody
//! overwrites on the host is lost before it can be kept. That is told apart from damage.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, bounded};
use dsg_core::entry::{Entry, FileEntry};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::manifest::Change;
use dsg_core::monitor::{Event, Monitor, Phase};
use dsg_core::path::RepoPath;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_fs::error::FsError;
use dsg_fs::hash::{Reading, hash_file};
use dsg_fs::stat::{Kind, Stat};
use rustix::io::Errno;

use super::check::workers;
use super::history::entries;
use super::reader::SnapshotReader;
use super::store::TreeStore;
use super::verify::Fault;

/// Files that wait for a thread.
const AHEAD: usize = 256;
/// A file that takes a while is told of by name.
const WORTH_NAMING: u64 = 4 * 1024 * 1024;
/// So many damaged files are named; then it is time for a backup, not for a longer list.
const MOST: usize = 10_000;

/// What a proof of contents read and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The snapshots whose files were compared, newest first.
    pub snapshots: Vec<SnapshotId>,
    /// Files and links compared, each in each snapshot.
    pub files: u64,
    /// Bytes read: what snapshots share was read once.
    pub bytes: u64,
    /// What is not as recorded.
    pub faults: Vec<Fault>,
    /// Files of former snapshots that are not kept: overwritten or deleted on the host.
    pub gone: Vec<Fault>,
}

/// A snapshot with its files.
struct Kept {
    header: SnapshotHeader,
    files: SnapshotReader,
}

/// One path to compare.
struct Job {
    path: RepoPath,
    entry: Entry,
    /// The next newer snapshot says the same of it.
    carried_on: bool,
}

/// What the threads share.
struct Bench<'a> {
    this: &'a Kept,
    newer: Option<&'a Kept>,
    /// Whether it is a former snapshot.
    former: bool,
    now: i64,
    monitor: &'a Monitor,
    files: AtomicU64,
    bytes: AtomicU64,
    damaged: &'a Mutex<HashSet<u64>>,
    faults: Mutex<Vec<Fault>>,
    gone: Mutex<Vec<Fault>>,
    failed: Mutex<Option<Failure>>,
}

/// What is wrong with a path.
enum Wrong {
    /// Damage.
    Damaged(String),
    /// It is not kept, and need not be.
    Gone,
}

fn damage_of(what: impl Into<String>) -> Wrong {
    Wrong::Damaged(what.into())
}

impl TreeStore {
    /// Reads every file of the snapshots that are kept, or of one, and compares it with the
    /// manifest. Takes constant memory, and can be stopped.
    ///
    /// # Errors
    /// [`Code::NotFound`] if the files of the one that is asked for are not kept; files may not be
    /// read. What is not as recorded is in the result.
    pub fn validate_contents(
        &self,
        only: Option<SnapshotId>,
        monitor: &Monitor,
    ) -> Outcome<Contents> {
        let ids = match only {
            Some(id) => vec![id],
            None => self.kept()?.into_iter().rev().collect(),
        };
        let mut headers = Vec::new();
        let mut result = Contents::default();
        for id in ids {
            match self.header(id) {
                Ok(header) => headers.push(header),
                Err(e) => result.damage(id, e)?,
            }
        }
        let files = headers.iter().map(|h| h.totals.entries).sum();
        let bytes = headers.iter().map(|h| h.totals.bytes).sum();
        monitor.phase(Phase::Comparing, Some(files), Some(bytes));
        let damaged = Mutex::default();
        let mut newer: Option<Kept> = None;
        for header in headers {
            let id = header.id;
            let this = match self.snapshot(id) {
                Ok(files) => Kept { header, files },
                // Its files were removed just now.
                Err(e) if e.code == Code::NotFound && only.is_none() => continue,
                Err(e) => return Err(e),
            };
            let mut found = Contents::default();
            let next = match &newer {
                Some(newer) => Some(newer.header.clone()),
                None if self.repo()?.history().newest()? > Some(id) => {
                    Some(self.header(id.next())?)
                }
                None => None,
            };
            let compared =
                self.compare(&this, newer.as_ref(), next.as_ref(), &damaged, &mut found, monitor);
            match compared {
                Ok(()) => {}
                Err(e) => found.damage(id, e)?,
            }
            // What is being removed is not damaged.
            if found.faults.is_empty() || self.kept()?.contains(&id) {
                result.snapshots.push(id);
                result.files += found.files;
                result.bytes += found.bytes;
                result.faults.append(&mut found.faults);
                result.gone.append(&mut found.gone);
                result.gone.truncate(MOST);
            }
            if result.faults.len() >= MOST {
                let what = "the check ended here: there is too much damage".to_owned();
                result.faults.push(Fault { snapshot: id, what });
                break;
            }
            newer = Some(this);
        }
        Ok(result)
    }

    fn compare(
        &self,
        this: &Kept,
        newer: Option<&Kept>,
        next: Option<&SnapshotHeader>,
        damaged: &Mutex<HashSet<u64>>,
        found: &mut Contents,
        monitor: &Monitor,
    ) -> Outcome<()> {
        let repo = self.repo()?;
        let history = repo.history();
        let mut carried_on = match next {
            Some(next) => Some(InOrder::new(entries(history.manifest(next)?))),
            None => None,
        };
        let (jobs, todo) = bounded::<Job>(AHEAD);
        let bench = Bench {
            this,
            newer,
            former: next.is_some(),
            now: i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX),
            monitor,
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            damaged,
            faults: Mutex::default(),
            gone: Mutex::default(),
            failed: Mutex::default(),
        };
        let given = std::thread::scope(|scope| {
            for _ in 0..workers() {
                let (bench, todo) = (&bench, todo.clone());
                scope.spawn(move || bench.work(&todo));
            }
            drop(todo);
            for change in entries(history.manifest(&this.header)?) {
                monitor.check()?;
                let Change { path, entry } =
                    change.map_err(|e| broken(this.header.id).because(e))?;
                let Some(entry) = entry else { continue };
                let newer = carried_on.as_mut().and_then(|m| m.at(&path));
                let carried_on = newer.is_some_and(|newer| newer.same(&entry));
                // Without a thread that takes it, one of them failed.
                if jobs.send(Job { path, entry, carried_on }).is_err() {
                    break;
                }
            }
            drop(jobs);
            Ok(())
        });
        found.files = bench.files.into_inner();
        found.bytes = bench.bytes.into_inner();
        let taken = |e: std::sync::PoisonError<_>| e.into_inner();
        found.faults = bench.faults.into_inner().unwrap_or_else(taken);
        found.faults.sort_by(|a, b| a.what.cmp(&b.what));
        found.gone = bench.gone.into_inner().unwrap_or_else(taken);
        found.gone.sort_by(|a, b| a.what.cmp(&b.what));
        if let Ok(Some(failure)) = bench.failed.into_inner() {
            return Err(failure);
        }
        given
    }
}

fn broken(id: SnapshotId) -> Failure {
    Failure::new(Code::RepositoryDamaged, format!("The list of files of {id} cannot be read."))
}

impl Contents {
    /// A snapshot whose own records are damaged is a finding; anything else ends the check.
    fn damage(&mut self, snapshot: SnapshotId, failure: Failure) -> Outcome<()> {
        if failure.code != Code::RepositoryDamaged {
            return Err(failure);
        }
        self.faults.push(Fault { snapshot, what: failure.message });
        Ok(())
    }
}

impl Bench<'_> {
    fn work(&self, todo: &Receiver<Job>) {
        for job in todo {
            match self.one(&job) {
                Ok(None) => {}
                Ok(Some(wrong)) => {
                    let snapshot = self.this.header.id;
                    let (list, what) = match wrong {
                        Wrong::Damaged(what) => (&self.faults, format!("{} {what}", job.path)),
                        Wrong::Gone => (&self.gone, job.path.to_string()),
                    };
                    if let Ok(mut list) = list.lock()
                        && list.len() < MOST
                    {
                        list.push(Fault { snapshot, what });
                    }
                }
                Err(failure) => {
                    if let Ok(mut failed) = self.failed.lock() {
                        failed.get_or_insert(failure);
                    }
                    return;
                }
            }
            self.files.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What is wrong with one file or link.
    fn one(&self, job: &Job) -> Outcome<Option<Wrong>> {
        let root = self.this.files.root();
        let stat = match root.stat(job.path.as_str()) {
            Ok(stat) => stat,
            Err(e) if e.is_absent() || e.is_escape() => None,
            Err(e) => return refused(e),
        };
        let Some(stat) = stat else {
            let may_be = self.former && !job.carried_on;
            return if may_be { Ok(Some(Wrong::Gone)) } else { Ok(Some(damage_of("is missing"))) };
        };
        match (&job.entry, stat.kind) {
            (Entry::Link(target), Kind::Link) => {
                let found = root.read_link(job.path.as_str())?;
                self.monitor.advanced(1, 0);
                let same = found.as_encoded_bytes() == target.as_str().as_bytes();
                if same { Ok(None) } else { Ok(Some(damage_of("points elsewhere"))) }
            }
            (Entry::File(file), Kind::File) => {
                if job.carried_on && self.is_newers(&job.path, &stat) {
                    self.monitor.advanced(1, file.size);
                    let sound = !self.damaged.lock().is_ok_and(|d| d.contains(&stat.ino));
                    return if sound {
                        Ok(None)
                    } else {
                        Ok(Some(damage_of("is damaged as in the next one")))
                    };
                }
                if file.size >= WORTH_NAMING {
                    self.monitor.event(Event::Path(job.path.to_string()));
                }
                let fault = self.read(&job.path, file)?;
                if fault.is_some()
                    && let Ok(mut damaged) = self.damaged.lock()
                {
                    damaged.insert(stat.ino);
                }
                Ok(fault)
            }
            _ => Ok(Some(damage_of("is of another kind"))),
        }
    }

    fn is_newers(&self, path: &RepoPath, stat: &Stat) -> bool {
        let there = self.newer.and_then(|n| n.files.root().stat(path.as_str()).ok().flatten());
        there.is_some_and(|s| s.ino == stat.ino && s.ctime == stat.ctime)
    }

    fn read(&self, path: &RepoPath, file: &FileEntry) -> Outcome<Option<Wrong>> {
        let root = self.this.files.root();
        let hashed = match hash_file(root, path.as_ref(), self.now, self.monitor)? {
            Reading::Stable(hashed) => hashed,
            Reading::Changing => return Ok(Some(damage_of("changes while it is read"))),
            Reading::Failed(e) => return refused(e),
        };
        self.bytes.fetch_add(hashed.stat.size, Ordering::Relaxed);
        self.monitor.advanced(1, 0);
        if hashed.hash != file.hash {
            Ok(Some(damage_of(format!("has the SHA-256 {}, not {}", hashed.hash, file.hash))))
        } else if hashed.stat.exec() != file.exec {
            Ok(Some(damage_of(if file.exec { "is not executable" } else { "is executable" })))
        } else {
            Ok(None)
        }
    }
}

/// What cannot be read is damage, unless it is just not allowed.
fn refused(error: FsError) -> Outcome<Option<Wrong>> {
    match error.errno {
        Errno::ACCESS | Errno::PERM => Err(error.into()),
        _ if error.is_absent() || error.is_escape() => Ok(Some(damage_of("is missing"))),
        errno => Ok(Some(damage_of(format!("cannot be read: {}", std::io::Error::from(errno))))),
    }
}

/// A sorted manifest that is asked for ever later paths.
struct InOrder<I> {
    rest: I,
    next: Option<Change>,
}

impl<E, I: Iterator<Item = Result<Change, E>>> InOrder<I> {
    fn new(mut rest: I) -> Self {
        let next = rest.next().and_then(Result::ok);
        Self { rest, next }
    }

    /// What it says of `path`. One that cannot be read further says nothing.
    fn at(&mut self, path: &RepoPath) -> Option<&Entry> {
        while self.next.as_ref().is_some_and(|next| next.path < *path) {
            self.next = self.rest.next().and_then(Result::ok);
        }
        self.next.as_ref().filter(|next| next.path == *path)?.entry.as_ref()
    }
}
