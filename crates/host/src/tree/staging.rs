//! A transaction that is not decided: content waits, hashed, outside the live tree.
//!
//! Owns the staging area of one transaction. Staging needs no lock of the repository; the area has
//! a lock of its own, so that others know whether its owner lives. What a dead one left is taken
//! over by its content's hash, and proved again before it is used.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use dsg_core::entry::Hash;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::repository::{ContentChanged, Upload};
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::Dir;
use dsg_fs::lock::{Lock, Tried};
use dsg_fs::stat::Stat;
use dsg_wire::chunks::Chunks;
use dsg_wire::delta::{Basis, Content};

use super::check::workers;
use super::layout::{LOCK, STAGING};
use super::lease::Voice;
use super::reader::SnapshotReader;
use super::repo::{Repo, holder, locked};
use crate::crash;

/// Content that was staged, by hash.
pub(super) const OBJECTS: &str = "objects";
/// The tree that is to be published; after the exchange, the former one.
pub(super) const TREE: &str = "tree";
/// Where the former tree waits when there is no exchange.
pub(super) const ASIDE: &str = "aside";
/// The snapshot's record.
pub(super) const RECORD: &str = "record";
/// The new whole manifest.
pub(super) const NEW_MANIFEST: &str = "manifest";
/// The new stats.
pub(super) const NEW_STATS: &str = "stats";
/// The live tree's stats, as just compared.
pub(super) const CHECKED: &str = "checked";
/// Of those, what is replaced or deleted.
pub(super) const REPLACED: &str = "replaced";
/// Copies and moves on their way to their place.
pub(super) const MOVED: &str = "moved";
/// What dead transactions staged.
pub(super) const ADOPTED: &str = "adopted";

/// How long what a dead transaction staged may be taken over.
pub(super) const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
const BUFFER: usize = 256 * 1024;
/// Space that is left free.
const RESERVE: u64 = 16 * 1024 * 1024;

/// Where the content to be staged comes from.
pub trait Supply: Sync {
    /// Opens the content of the upload at `index`, told against what is there of it; may be asked
    /// again.
    ///
    /// # Errors
    /// It cannot be had: that one upload is refused, the others go on.
    fn open(&self, index: usize, basis: Basis) -> Outcome<Content<'_>>;

    /// Where an older version of it stands in the head that the transaction builds on.
    fn older(&self, _index: usize) -> Option<OlderFile> {
        None
    }

    /// The chunks of that older version, where they are known.
    fn chunks(&self, _index: usize) -> Option<&Chunks> {
        None
    }

    /// Told what chunks the content has, where that became known on its way.
    fn learn(&self, _index: usize, _chunks: Chunks) {}
}

/// An older version of an upload, in the head that the transaction builds on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OlderFile {
    /// Where.
    pub path: RepoPath,
    /// Its bytes.
    pub size: u64,
}

/// Why one upload was not staged; the others may be.
#[derive(Debug)]
pub enum Refusal {
    /// The content is another by now.
    Changed(ContentChanged),
    /// It could not be had.
    Supply(Failure),
}

/// A transaction that is not decided. Dropped, it leaves what was staged to be taken over by a
/// later one; [`Staging::abort`] removes it.
#[must_use = "nothing is published before `publish`"]
pub struct Staging {
    pub(super) repo: Arc<Repo>,
    pub(super) transaction: String,
    pub(super) base: Option<SnapshotId>,
    pub(super) dir: Dir,
    /// Staged content, by hash: what stands here was proved.
    pub(super) objects: Dir,
    /// Something that was not proved could not be removed from there.
    pub(super) spoiled: AtomicBool,
    one_call: Mutex<()>,
    /// What dead transactions staged, and what did not come to its end here.
    pub(super) adopted: Dir,
    /// Whether anything is there.
    pub(super) inherited: AtomicBool,
    /// Content that did not prove itself when it was built on what was there of it.
    pub(super) distrusted: Mutex<HashSet<Hash>>,
    /// The files of the head that it builds on.
    pub(super) before: OnceLock<Option<SnapshotReader>>,
    /// Held while the transaction lives; says how far it is.
    pub(super) voice: Arc<Voice>,
}

pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a worker made of one upload; `Err` ends the whole call.
pub(super) type Item = Outcome<Result<(), Refusal>>;

/// Uploads of which another one has the same content: each is staged once.
pub(super) struct Twins {
    /// The first, with all of them.
    groups: HashMap<usize, Vec<usize>>,
    /// All but the first.
    pub(super) later: HashSet<usize>,
}

/// Beginnings of hashes that come more than once, and perhaps a few more: the others need no
/// remembering.
pub(super) fn repeated(hashes: impl Iterator<Item = Hash>) -> HashSet<u64> {
    let mut all: Vec<u64> = hashes.map(|hash| beginning(&hash)).collect();
    all.sort_unstable();
    all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect()
}

/// As [`repeated`] knows a hash.
pub(super) fn beginning(hash: &Hash) -> u64 {
    hash.0.first_chunk().copied().map_or(0, u64::from_le_bytes)
}

impl Staging {
    /// Begins in the sidecar, or within the clone that `repo` is.
    pub(super) fn begin(
        repo: &Arc<Repo>,
        base: Option<SnapshotId>,
        transaction: &str,
        author: &str,
    ) -> Outcome<Self> {
        check_transaction(transaction)?;
        let folder = repo.layout.folder(STAGING)?;
        // Under a name that nobody takes for a transaction until it is locked: without its lock it
        // would look dead.
        let unborn = folder.temporary_name(transaction);
        let begun = Self::prepare_area(repo, base, transaction, author, &folder, &unborn);
        if begun.is_err() {
            let _ = folder.remove_tree(&unborn);
        }
        crash::BEGUN.pass();
        begun
    }

    fn prepare_area(
        repo: &Arc<Repo>,
        base: Option<SnapshotId>,
        transaction: &str,
        author: &str,
        folder: &Dir,
        unborn: &str,
    ) -> Outcome<Self> {
        let modes = repo.modes();
        let dir = folder.create_dir(unborn, Some(modes.dir()))?;
        let by = holder(author, "stage");
        let alive = match Lock::try_acquire(&dir, LOCK, modes.own_file(), by)? {
            Tried::Held(lock) => lock,
            Tried::Busy(by) => return Err(locked(&repo.layout, by)),
        };
        dir.create_dir(OBJECTS, Some(modes.dir()))?;
        let adopted = dir.create_dir(ADOPTED, Some(modes.dir()))?;
        // An earlier try of this very transaction gives way; one that lives does not.
        if !take_over(folder, transaction, &adopted, repo, None)? {
            return Err(locked(&repo.layout, None));
        }
        let now = alive.written()?;
        for name in folder.list()? {
            if let Some(name) = name.name.to_str().filter(|n| check_transaction(n).is_ok()) {
                // Whatever fails there is not needed here.
                let _ = take_over(folder, name, &adopted, repo, Some((&now, KEPT)));
            }
        }
        let inherited = !adopted.list()?.is_empty();
        folder.rename_new(unborn, folder, transaction).map_err(|e| {
            if e.is_present() { locked(&repo.layout, None).because(e) } else { e.into() }
        })?;
        let dir = folder.open_beneath(transaction)?;
        let objects = dir.open_beneath(OBJECTS)?;
        let adopted = dir.open_beneath(ADOPTED)?;
        Ok(Self {
            repo: Arc::clone(repo),
            transaction: transaction.to_owned(),
            base,
            dir,
            objects,
            spoiled: AtomicBool::default(),
            one_call: Mutex::default(),
            adopted,
            inherited: AtomicBool::new(inherited),
            distrusted: Mutex::default(),
            before: OnceLock::new(),
            voice: Voice::new(alive),
        })
    }

    /// The transaction's id.
    pub fn transaction(&self) -> &str {
        &self.transaction
    }

    /// The head that it builds on.
    pub fn base(&self) -> Option<SnapshotId> {
        self.base
    }

    /// Stages content: hashed as it is written, refused if it is not what the plan saw. Content
    /// that is staged already is not asked for. Gives what was refused, by its place in `uploads`.
    ///
    /// # Errors
    /// The repository's side failed, or the person stopped it; what was staged stays.
    pub fn stage(
        &self,
        uploads: &[Upload],
        supply: &dyn Supply,
        monitor: &Monitor,
    ) -> Outcome<Vec<(usize, Refusal)>> {
        let _one = held(&self.one_call);
        let monitor = &self.voice.staging(self.base, uploads, monitor);
        let twins = self.twins(uploads)?;
        let next = AtomicUsize::new(0);
        let refused = Mutex::new(Vec::new());
        let failed = Mutex::new(None);
        let work = || {
            let mut buffer = vec![0; BUFFER];
            loop {
                let first = next.fetch_add(1, Ordering::Relaxed);
                if first >= uploads.len() {
                    return;
                }
                if twins.later.contains(&first) {
                    continue;
                }
                let one = [first];
                let group = twins.groups.get(&first).map_or(&one[..], |group| &group[..]);
                match self.stage_group(group, uploads, supply, monitor, &mut buffer) {
                    Ok(mut refusals) => {
                        if !refusals.is_empty() {
                            held(&refused).append(&mut refusals);
                        }
                    }
                    Err(failure) => {
                        next.store(uploads.len(), Ordering::Relaxed);
                        held(&failed).get_or_insert(failure);
                        return;
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..workers().min(uploads.len()) {
                scope.spawn(work);
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) => Err(failure),
            None => Ok(refused.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Gives the transaction up and removes what it staged.
    ///
    /// # Errors
    /// Something could not be removed; it does no harm.
    pub fn abort(self) -> Outcome<()> {
        let repo = Arc::clone(&self.repo);
        let transaction = self.transaction.clone();
        drop(self);
        if let Some(site) = repo.site.clone() {
            drop(repo);
            return site.abandon(&transaction);
        }
        repo.void_ctimes()?;
        Ok(repo.layout.folder(STAGING)?.remove_tree(&transaction)?)
    }

    /// Uploads of one content together. Checks the space.
    pub(super) fn twins(&self, uploads: &[Upload]) -> Outcome<Twins> {
        let repeated = repeated(uploads.iter().map(|u| u.file.hash));
        let mut firsts: HashMap<Hash, usize> = HashMap::new();
        let mut twins = Twins { groups: HashMap::new(), later: HashSet::new() };
        let mut bytes = 0_u64;
        for (index, upload) in uploads.iter().enumerate() {
            if repeated.contains(&beginning(&upload.file.hash)) {
                let first = *firsts.entry(upload.file.hash).or_insert(index);
                twins.groups.entry(first).or_default().push(index);
                if first != index {
                    twins.later.insert(index);
                    continue;
                }
            }
            bytes = bytes.saturating_add(upload.file.size);
        }
        let space = self.dir.space()?;
        let files = (uploads.len() - twins.later.len()) as u64;
        let fits = |bytes: u64| bytes.saturating_add(RESERVE) <= space.free;
        if !fits(bytes) {
            // What an earlier try left of them takes no room again.
            let firsts = uploads.iter().enumerate().filter(|(at, _)| !twins.later.contains(at));
            bytes = bytes.saturating_sub(self.there(firsts.map(|(_, upload)| upload))?);
        }
        if !fits(bytes) || space.files.is_some_and(|free| files > free) {
            return Err(Failure::new(
                Code::Space,
                format!(
                    "{} has {} MB free; {} MB in {files} file{} are to come, and {} MB have to stay free.",
                    self.repo.layout.parent.path().display(),
                    space.free / 1_000_000,
                    bytes.div_ceil(1_000_000),
                    if files == 1 { "" } else { "s" },
                    RESERVE / 1_000_000
                ),
            )
            .hint(
                "Free some space on the repository's disk, then try again; nothing was changed.",
            ));
        }
        Ok(twins)
    }

    /// Stages the content that these uploads share; gives them back if none of them has it.
    fn stage_group(
        &self,
        group: &[usize],
        uploads: &[Upload],
        supply: &dyn Supply,
        monitor: &Monitor,
        buffer: &mut [u8],
    ) -> Outcome<Vec<(usize, Refusal)>> {
        let private = group.iter().any(|&i| uploads[i].private);
        let mut refused = Vec::new();
        for &index in group {
            monitor.check()?;
            match self.stage_one(&uploads[index], private, index, supply, buffer, monitor)? {
                Ok(()) => {
                    // The content is there: whoever else wanted it has it.
                    crash::STAGED.pass();
                    monitor.advanced(group.len() as u64, 0);
                    return Ok(Vec::new());
                }
                Err(refusal) => refused.push((index, refusal)),
            }
        }
        Ok(refused)
    }
}

/// A transaction's id becomes a file name: it must be a UUID, as this program writes them.
pub(super) fn check_transaction(transaction: &str) -> Outcome<()> {
    match uuid::Uuid::parse_str(transaction) {
        Ok(id) if id.to_string() == transaction => Ok(()),
        _ => Err(Failure::new(
            Code::Usage,
            format!("{transaction:?} is no transaction id (a UUID)."),
        )),
    }
}

/// Moves every file, unless there is one of that name that is longer; what cannot be moved stays.
fn move_all(from: &Dir, to: &Dir) {
    let size = |dir: &Dir, path: &std::path::Path| {
        dir.stat(path).ok().flatten().map(|stat: Stat| stat.size)
    };
    for name in from.list().unwrap_or_default() {
        let path = std::path::Path::new(&name.name);
        let moved = from.rename_new(path, to, path);
        if moved.is_err_and(|e| e.is_present()) && size(from, path) > size(to, path) {
            let _ = from.rename_replacing(path, to, path);
        }
    }
}

/// Takes what a dead transaction staged, and removes it; whether nothing is left of it. One that
/// lives, or that is being decided, is left alone, as is one that is older than `kept` says: a file that is
/// written now, and how long before it.
fn take_over(
    folder: &Dir,
    name: &str,
    adopted: &Dir,
    repo: &Repo,
    kept: Option<(&Stat, Duration)>,
) -> Outcome<bool> {
    let dir = match folder.open_beneath(name) {
        Ok(dir) => dir,
        Err(e) if e.is_absent() => return Ok(true),
        Err(e) => return Err(e.into()),
    };
    // A transaction that is in the journal is decided by recovery alone.
    if repo.journal()?.is_some_and(|j| j.transaction == name) {
        return Ok(false);
    }
    let Some(lock_file) = dir.stat(LOCK)? else {
        // It is born with its lock: somebody is removing it, or was.
        if kept.is_none() {
            folder.remove_tree(name)?;
        }
        return Ok(kept.is_none());
    };
    if kept.is_some_and(|(now, kept)| age(&lock_file, now) > kept) {
        return Ok(false);
    }
    let Some(Tried::Held(_dead)) = Lock::try_existing(&dir, LOCK, holder("", "take over"))? else {
        return Ok(false);
    };
    repo.salvage(&dir)?;
    for left in [OBJECTS, ADOPTED] {
        if let Ok(objects) = dir.open_beneath(left) {
            move_all(&objects, adopted);
        }
    }
    folder.remove_tree(name)?;
    Ok(true)
}

/// How long ago a file was last written or renamed when `now`, a file beside it, was written: the clock of a
/// disk that is shared may be another than this computer's.
pub(super) fn age(stat: &Stat, now: &Stat) -> Duration {
    Duration::from_nanos(now.ctime.0.saturating_sub(stat.ctime.0).max(0).unsigned_abs())
}
