//! Content that comes here: fetched into staging, hashed as it is written, durable before publish.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write as _};
use std::sync::Arc;

use dsg_core::entry::{Entry, FileEntry, Hash};
use dsg_core::failure::{Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::plan::effects::{Source, Step};
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::{Dir, set_file_time};
use dsg_fs::stat::Kind;
use sha2::{Digest as _, Sha256};

use crate::areas::{Area, Areas};
use crate::crash;
use crate::endpoint::{Endpoint, Receive, mismatch};

/// Files that are asked for at a time: of a large clone, no more are held, and each time is a round
/// trip.
const AT_ONCE: usize = 64 * 1024;

/// A file that is to come: where it is from and where it waits.
struct Wanted {
    path: RepoPath,
    file: FileEntry,
    number: u64,
    staging: Arc<Dir>,
    /// Mode of the file that it replaces, if any.
    mode: Option<u32>,
}

/// Stages the entries of all `Place` steps under the number of their step. Gives the bytes read.
///
/// # Errors
/// Content that is not what the manifest says, no space, no connection; what was staged is left
/// for [`Areas::clean`].
pub(crate) fn stage(
    endpoint: &dyn Endpoint,
    areas: &mut Areas,
    head: Option<SnapshotId>,
    steps: impl Iterator<Item = (u64, Step)>,
    monitor: &Monitor,
) -> Outcome<u64> {
    let mut wanted: BTreeMap<SnapshotId, Vec<Wanted>> = BTreeMap::new();
    let mut bytes = 0;
    for (number, step) in steps {
        let Step::Place { path, entry, expected, source, .. } = step else { continue };
        let staging = &areas.at(&path)?.staging;
        match (entry, snapshot(source, head)) {
            (Entry::Link(target), _) => staging.symlink(target.as_str(), number.to_string())?,
            (Entry::File(file), Some(snapshot)) => {
                let staging = Arc::clone(staging);
                let replaced = match expected {
                    Some(_) => areas.root().stat(path.as_str()).ok().flatten(),
                    None => None,
                };
                let mode = replaced.filter(|s| s.kind == Kind::File).map(|s| s.mode);
                let batch = wanted.entry(snapshot).or_default();
                batch.push(Wanted { path, file, number, staging, mode });
                if batch.len() == AT_ONCE {
                    bytes += fetch(endpoint, snapshot, &std::mem::take(batch), monitor)?;
                }
            }
            (Entry::File(_), None) => {
                return Err(Failure::new(
                    dsg_core::failure::Code::NotFound,
                    format!("{path} would come from a repository without snapshots."),
                ));
            }
        }
    }
    for (snapshot, batch) in wanted.iter().filter(|(_, batch)| !batch.is_empty()) {
        bytes += fetch(endpoint, *snapshot, batch, monitor)?;
    }
    Ok(bytes)
}

fn fetch(
    endpoint: &dyn Endpoint,
    snapshot: SnapshotId,
    wanted: &[Wanted],
    monitor: &Monitor,
) -> Outcome<u64> {
    let paths: Vec<RepoPath> = wanted.iter().map(|w| w.path.clone()).collect();
    endpoint.fetch(snapshot, &paths, &Receiver { snapshot, wanted, monitor }, monitor)?;
    Ok(wanted.iter().map(|w| w.file.size).sum())
}

fn snapshot(source: Source, head: Option<SnapshotId>) -> Option<SnapshotId> {
    match source {
        Source::Head => head,
        Source::Snapshot(id) => Some(id),
    }
}

struct Receiver<'a> {
    snapshot: SnapshotId,
    wanted: &'a [Wanted],
    monitor: &'a Monitor,
}

impl Receive for Receiver<'_> {
    fn receive(&self, index: usize, content: &mut dyn Read, private: bool) -> Outcome<()> {
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
        let name = wanted.number.to_string();
        let at = wanted.staging.at(&name);
        let mut file = wanted.staging.create_new(&name, fresh)?;
        let (size, hash) = copy(content, &mut file, wanted.file.size, self.monitor)
            .map_err(|e| e.failure(&wanted.path, &at))?;
        if (size, hash) != (wanted.file.size, wanted.file.hash) {
            return Err(mismatch(&wanted.path, self.snapshot));
        }
        if let Some(mode) = wanted.mode {
            wanted.staging.set_mode(&name, with_exec(mode, wanted.file.exec))?;
        }
        set_file_time(&file, &at, wanted.file.mtime)?;
        self.monitor.advanced(1, 0);
        Ok(())
    }
}

/// The mode with the exec bit as the entry says: whoever may read may execute.
fn with_exec(mode: u32, exec: bool) -> u32 {
    let mode = mode & 0o777;
    if exec { mode | (mode & 0o444) >> 2 } else { mode & !0o111 }
}

pub(crate) enum CopyError {
    Read(std::io::Error),
    Write(std::io::Error),
    Stopped(Failure),
}

impl CopyError {
    fn failure(self, from: &RepoPath, to: &std::path::Path) -> Failure {
        match self {
            Self::Read(e) => Failure::io("read from the repository", from, e),
            Self::Write(e) => Failure::io("write", to, e),
            Self::Stopped(failure) => failure,
        }
    }
}

/// Copies at most `limit` bytes and one more, hashing them.
fn copy(
    from: &mut dyn Read,
    to: &mut File,
    limit: u64,
    monitor: &Monitor,
) -> Result<(u64, Hash), CopyError> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
    }
    BUFFER.with_borrow_mut(|buffer| {
        let mut hash = Sha256::new();
        let mut size = 0;
        while size <= limit {
            let read = match from.read(buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(CopyError::Read(e)),
            };
            hash.update(&buffer[..read]);
            to.write_all(&buffer[..read]).map_err(CopyError::Write)?;
            size += read as u64;
            monitor.advanced(0, read as u64);
            monitor.check().map_err(CopyError::Stopped)?;
        }
        Ok((size, Hash(hash.finalize().into())))
    })
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
