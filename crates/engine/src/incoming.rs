//! Content that comes here: fetched into staging, hashed as it is written, durable before publish.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dsg_core::entry::{Entry, FileEntry};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::plan::effects::{Source, Step};
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::{Dir, set_file_time};
use dsg_fs::stat::Kind;
use dsg_host::assembly::{Assembly, AssemblyError};
use dsg_wire::chunks::{Chunks, MOST_CHUNKS, WORTH, estimate};
use dsg_wire::delta::{Basis, Content};

use crate::areas::{Area, Areas};
use crate::crash;
use crate::endpoint::{Endpoint, Receive, mismatch};
use crate::left::{Left, coming};

/// Files that are asked for at a time: of a large clone, no more are held, and each time is a round
/// trip.
const AT_ONCE: usize = 64 * 1024;

/// A file that is to come: where it is from and where it waits.
struct Wanted {
    path: RepoPath,
    file: FileEntry,
    number: u64,
    staging: Arc<Dir>,
    /// Whether that is the project's own.
    own: bool,
    /// Mode of the file that it replaces, if any.
    mode: Option<u32>,
    /// What is here of it. The older version is the file that it replaces.
    basis: Basis,
    /// The size of that.
    older: u64,
}

/// Files that are asked for together.
#[derive(Default)]
struct Batch {
    wanted: Vec<Wanted>,
    /// About how many chunks their older versions have.
    chunks: u64,
}

impl Batch {
    fn push(&mut self, wanted: Wanted) {
        self.chunks += if wanted.basis.older { estimate(wanted.older) } else { 0 };
        self.wanted.push(wanted);
    }

    fn is_full(&self) -> bool {
        self.wanted.len() >= AT_ONCE || self.chunks >= MOST_CHUNKS as u64
    }
}

/// Stages the entries of all `Place` steps under the number of their step. Gives the bytes read.
///
/// # Errors
/// Content that is not what the manifest says, no space, no connection; what was staged is left
/// for [`Areas::clean`], or for the next try.
pub(crate) fn stage(
    endpoint: &dyn Endpoint,
    areas: &mut Areas,
    head: Option<SnapshotId>,
    steps: impl Iterator<Item = (u64, Step)>,
    monitor: &Monitor,
) -> Outcome<u64> {
    let mut fetch = Fetch { endpoint, root: Arc::clone(areas.root()), left: None, monitor };
    let staged = fetch.steps(areas, head, steps);
    let full = matches!(&staged, Err(failure) if failure.code == Code::Space);
    match fetch.left {
        // What an earlier try left may be what fills the disk.
        Some(left) if full => drop(left.remove(areas.root())),
        Some(left) if staged.is_ok() => left.remove(areas.root())?,
        _ => {}
    }
    staged
}

impl Fetch<'_> {
    fn steps(
        &mut self,
        areas: &mut Areas,
        head: Option<SnapshotId>,
        steps: impl Iterator<Item = (u64, Step)>,
    ) -> Outcome<u64> {
        let fetch = self;
        let mut batches: BTreeMap<SnapshotId, Batch> = BTreeMap::new();
        let mut bytes = 0;
        for (number, step) in steps {
            let Step::Place { path, entry, expected, source, .. } = step else { continue };
            let area = areas.at(&path)?;
            match (entry, snapshot(source, head)) {
                (Entry::Link(target), _) => {
                    area.staging.symlink(target.as_str(), number.to_string())?;
                }
                (Entry::File(file), Some(snapshot)) => {
                    let (staging, own) = (Arc::clone(&area.staging), area.ground.top.is_empty());
                    let replaced = match expected {
                        Some(_) => areas.root().stat(path.as_str()).ok().flatten(),
                        None => None,
                    };
                    let replaced = replaced.filter(|s| s.kind == Kind::File);
                    let older = replaced.as_ref().map_or(0, |s| s.size);
                    let basis = Basis { kept: 0, older: older.min(file.size) >= WORTH };
                    let mode = replaced.map(|s| s.mode);
                    let batch = batches.entry(snapshot).or_default();
                    batch.push(Wanted { path, file, number, staging, own, mode, basis, older });
                    if batch.is_full() {
                        bytes += fetch.all(areas, snapshot, std::mem::take(batch))?;
                    }
                }
                (Entry::File(_), None) => {
                    return Err(Failure::new(
                        Code::NotFound,
                        format!("{path} would come from a repository without snapshots."),
                    ));
                }
            }
        }
        for (snapshot, batch) in batches {
            bytes += fetch.all(areas, snapshot, batch)?;
        }
        Ok(bytes)
    }
}

fn snapshot(source: Source, head: Option<SnapshotId>) -> Option<SnapshotId> {
    match source {
        Source::Head => head,
        Source::Snapshot(id) => Some(id),
    }
}

/// Brings files here.
struct Fetch<'a> {
    endpoint: &'a dyn Endpoint,
    root: Arc<Dir>,
    /// What an earlier try left; looked for when the first file is wanted.
    left: Option<Left>,
    monitor: &'a Monitor,
}

impl Fetch<'_> {
    fn all(&mut self, areas: &Areas, snapshot: SnapshotId, batch: Batch) -> Outcome<u64> {
        let mut wanted = batch.wanted;
        let bytes = wanted.iter().map(|w| w.file.size).sum();
        if !wanted.is_empty() && self.left.is_none() {
            self.left = Some(Left::look(areas)?);
        }
        if let Some(left) = &mut self.left {
            let mut lacking = Vec::with_capacity(wanted.len());
            for mut wanted in wanted {
                if !wanted.own || !wanted.take_over(left, &self.root, self.monitor)? {
                    lacking.push(wanted);
                }
            }
            wanted = lacking;
        }
        // What did not prove itself, built on what was here, comes once more.
        while !wanted.is_empty() {
            wanted = self.once(snapshot, wanted)?;
        }
        Ok(bytes)
    }

    /// Gives those that have to come once more.
    fn once(&self, snapshot: SnapshotId, wanted: Vec<Wanted>) -> Outcome<Vec<Wanted>> {
        let paths: Vec<RepoPath> = wanted.iter().map(|w| w.path.clone()).collect();
        let (root, monitor) = (&*self.root, self.monitor);
        let receiver =
            Receiver { snapshot, wanted: &wanted, root, distrusted: Mutex::default(), monitor };
        let news = wanted.iter().filter(|wanted| !wanted.basis.older);
        self.endpoint.expect(news.map(|wanted| wanted.file.size - wanted.basis.kept).sum());
        self.endpoint.fetch(snapshot, &paths, &receiver, monitor)?;
        let mut again = receiver.distrusted.into_inner().unwrap_or_else(PoisonError::into_inner);
        again.sort_unstable();
        let whole = |(_, wanted)| Wanted { basis: Basis::NOTHING, ..wanted };
        let is_again = |(place, _): &(usize, Wanted)| again.binary_search(place).is_ok();
        Ok(wanted.into_iter().enumerate().filter(is_again).map(whole).collect())
    }
}

impl Wanted {
    /// Takes over what an earlier try left of it. Whether that is all.
    fn take_over(&mut self, left: &mut Left, root: &Dir, monitor: &Monitor) -> Outcome<bool> {
        let Self { file, number, staging, .. } = self;
        let name = number.to_string();
        if let Some(mode) = left.take_whole(root, file, staging, &name, monitor)? {
            let mode = self.mode.unwrap_or(mode);
            self.staging.set_mode(&name, with_exec(mode, self.file.exec))?;
            monitor.advanced(1, 0);
            return Ok(true);
        }
        self.basis.kept = left.take_part(root, file, staging, &coming(file, *number))?;
        Ok(false)
    }
}

struct Receiver<'a> {
    snapshot: SnapshotId,
    wanted: &'a [Wanted],
    root: &'a Dir,
    /// What did not prove itself when it was built on what was here, by its place.
    distrusted: Mutex<Vec<usize>>,
    monitor: &'a Monitor,
}

impl Receive for Receiver<'_> {
    fn basis(&self, index: usize) -> Basis {
        self.wanted.get(index).map_or(Basis::NOTHING, |wanted| wanted.basis)
    }

    fn chunks(&self, index: usize) -> Outcome<Chunks> {
        let path = &self.wanted[index].path;
        let file = self.root.open_file(path.as_str())?;
        Chunks::read(file, self.wanted[index].older).map_err(|e| Failure::io("read", path, e))
    }

    fn receive(&self, index: usize, content: Content<'_>, private: bool) -> Outcome<()> {
        let Some(wanted) = self.wanted.get(index) else {
            return Err(mismatch(&self.wanted[0].path, self.snapshot));
        };
        self.monitor.check()?;
        crash::RECEIVING.pass();
        let fresh = match (private, wanted.file.exec) {
            (true, false) => 0o600,
            (true, true) => 0o700,
            (false, false) => 0o666,
            (false, true) => 0o777,
        };
        let (name, coming) = (wanted.number.to_string(), coming(&wanted.file, wanted.number));
        let at = wanted.staging.at(&coming);
        let kept = wanted.basis.kept > 0;
        let file = if kept {
            let Ok(file) = wanted.staging.open_to_write(&coming) else {
                return self.distrust(index);
            };
            file
        } else {
            wanted.staging.create_new(&coming, fresh)?
        };
        if !wanted.put_together(content, &file, self.root, &at, self.monitor)? {
            if wanted.basis == Basis::NOTHING {
                return Err(mismatch(&wanted.path, self.snapshot));
            }
            return self.distrust(index);
        }
        let mode = match wanted.mode {
            // Who began it may have begun another file of this content.
            None if kept => Some(wanted.new_mode(&coming, fresh)?),
            mode => mode,
        };
        if let Some(mode) = mode {
            wanted.staging.set_mode(&coming, with_exec(mode, wanted.file.exec))?;
        }
        set_file_time(&file, &at, wanted.file.mtime)?;
        if coming != name {
            wanted.staging.rename_noreplace(&coming, &wanted.staging, &name)?;
        }
        self.monitor.advanced(1, 0);
        Ok(())
    }
}

impl Receiver<'_> {
    /// What was here of a file is not built on any more: it comes once more, whole.
    fn distrust(&self, index: usize) -> Outcome<()> {
        let wanted = &self.wanted[index];
        wanted.staging.remove_file(coming(&wanted.file, wanted.number))?;
        self.distrusted.lock().unwrap_or_else(PoisonError::into_inner).push(index);
        Ok(())
    }
}

impl Wanted {
    /// The mode that the system gives to a new file of this kind.
    fn new_mode(&self, coming: &str, fresh: u32) -> Outcome<u32> {
        let name = format!("{coming}.mode");
        drop(self.staging.create_new(&name, fresh)?);
        let mode = self.staging.stat(&name)?.map_or(fresh & 0o700, |stat| stat.mode);
        self.staging.remove_file(&name)?;
        Ok(mode)
    }

    /// Puts the content together in `file`. Whether it is what the manifest says.
    fn put_together(
        &self,
        mut content: Content<'_>,
        file: &File,
        root: &Dir,
        at: &Path,
        monitor: &Monitor,
    ) -> Outcome<bool> {
        thread_local! {
            static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
        }
        let older = self.basis.older.then(|| root.open_file(self.path.as_str()).ok()).flatten();
        let mut assembly = Assembly::new(file, older.as_ref());
        assembly.keep(self.basis.kept).map_err(|e| Failure::io("read", at, e))?;
        monitor.advanced(0, self.basis.kept);
        BUFFER.with_borrow_mut(|buffer| {
            loop {
                let unread = |e| Failure::io("read from the repository", &self.path, e);
                let Some(part) = content.part(buffer).map_err(unread)? else { break };
                let bytes = part.len();
                if bytes > self.file.size - assembly.size() {
                    return Ok(false);
                }
                match assembly.append(part) {
                    Ok(()) => {}
                    Err(AssemblyError::Older(_)) => return Ok(false),
                    Err(AssemblyError::Write(e)) => return Err(Failure::io("write", at, e)),
                }
                monitor.advanced(0, bytes);
                monitor.check()?;
            }
            Ok(assembly.size() == self.file.size && assembly.end() == self.file.hash)
        })
    }
}

/// The mode with the exec bit as the entry says: whoever may read may execute.
fn with_exec(mode: u32, exec: bool) -> u32 {
    let mode = mode & 0o777;
    if exec { mode | (mode & 0o444) >> 2 } else { mode & !0o111 }
}

/// Few enough files are made durable one by one; many, with their whole file system.
const ONE_BY_ONE: usize = 64;

/// Makes everything that is staged for these steps durable.
///
/// # Errors
/// The disk's.
pub(crate) fn harden(areas: &Areas, steps: impl Iterator<Item = (u64, Step)>) -> Outcome<()> {
    let file = |(number, step): (u64, Step)| match step {
        Step::Place { path, entry: Entry::File(_), .. } => Some((number.to_string(), path)),
        _ => None,
    };
    let files: Vec<(String, RepoPath)> = steps.filter_map(file).take(ONE_BY_ONE + 1).collect();
    if files.len() > ONE_BY_ONE {
        return areas.all().try_for_each(|area| Ok(area.staging.syncfs()?));
    }
    for (name, path) in files {
        let Some(Area { staging, .. }) = areas.find(&path) else { continue };
        let file = staging.open_file(&name)?;
        file.sync_all().map_err(|e| Failure::io("write", staging.at(&name), e))?;
    }
    areas.fsync()
}
