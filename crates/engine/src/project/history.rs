//! Snapshots and their lists, and whether files and history are what they should be.

use std::sync::Mutex;

use dsg_core::entry::{Entry, Hash};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_wire::delta::{Content, Part};
use sha2::{Digest as _, Sha256};

use super::Project;
use crate::endpoint::{self, Contents, Endpoint, Receive};
use crate::report::{ChainCheck, ContentCheck, CopyState, FileCheck, SnapshotCheck};

impl Project {
    /// The repository's snapshots before `before` (or from the head on), newest first.
    ///
    /// # Errors
    /// The repository cannot be reached or read.
    pub fn log(
        &mut self,
        before: Option<SnapshotId>,
        limit: Option<usize>,
    ) -> Outcome<Vec<SnapshotHeader>> {
        endpoint::open(&self.address)?.headers(before, limit.unwrap_or(usize::MAX))
    }

    /// Calls `each` for every file and link of a snapshot (the head by default), sorted by path.
    ///
    /// # Errors
    /// There is no such snapshot, or it cannot be read; what `each` gives.
    pub fn list_files(
        &mut self,
        snapshot: Option<SnapshotId>,
        each: &mut dyn FnMut(&RepoPath, &Entry) -> Outcome<()>,
    ) -> Outcome<()> {
        let endpoint = endpoint::open(&self.address)?;
        let Some(id) = snapshot_or_head(&*endpoint, snapshot)? else { return Ok(()) };
        let mut list = |change: dsg_core::manifest::Change| match &change.entry {
            Some(entry) => each(&change.path, entry),
            None => Ok(()),
        };
        endpoint.manifest(id, &mut list).map(|_| ())
    }

    /// Compares a file here and its copy in the repository with the head's manifest, by reading
    /// both.
    ///
    /// # Errors
    /// [`Code::NotFound`] if the head has no such file; the copies cannot be read.
    pub fn validate_file(&mut self, path: &str, monitor: &Monitor) -> Outcome<FileCheck> {
        let wanted = Self::named(&[path.to_owned()])?.remove(0);
        let endpoint = endpoint::open(&self.address)?;
        let mut found = None;
        let head = snapshot_or_head(&*endpoint, None)?;
        let head =
            head.ok_or_else(|| Failure::new(Code::NotFound, "The repository has no snapshot."))?;
        endpoint.manifest(head, &mut |change| {
            if change.path == wanted {
                found = change.entry;
            }
            Ok(())
        })?;
        let expected = found.ok_or_else(|| {
            Failure::new(Code::NotFound, format!("{head} has no {wanted}."))
                .hint("dsg list-files shows what it has.")
        })?;
        let local = self.local_copy(&wanted, &expected)?;
        let repository = match &expected {
            Entry::Link(_) => CopyState::Same,
            Entry::File(file) => {
                let digest = Digest(Mutex::new(None));
                match endpoint.fetch(head, std::slice::from_ref(&wanted), &digest, monitor) {
                    Ok(()) => match digest.0.into_inner().ok().flatten() {
                        Some(hash) if hash == file.hash => CopyState::Same,
                        Some(hash) => CopyState::Different(hash),
                        None => CopyState::Missing,
                    },
                    Err(failure) if failure.code == Code::NotFound => CopyState::Missing,
                    Err(failure) => return Err(failure),
                }
            }
        };
        Ok(FileCheck { path: wanted.into(), snapshot: head, expected, local, repository })
    }

    fn local_copy(&self, path: &RepoPath, expected: &Entry) -> Outcome<CopyState> {
        let found = match self.dir.stat(path.as_str()) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(CopyState::Missing),
            Err(e) if e.is_absent() || e.is_escape() => return Ok(CopyState::Missing),
            Err(e) => return Err(e.into()),
        };
        let text_hash = |text: &std::ffi::OsStr| Hash::of(text.as_encoded_bytes());
        match (found.kind, expected) {
            (dsg_fs::stat::Kind::Link, Entry::Link(target)) => {
                let now = self.dir.read_link(path.as_str())?;
                Ok(if now == std::ffi::OsStr::new(target.as_str()) {
                    CopyState::Same
                } else {
                    CopyState::Different(text_hash(&now))
                })
            }
            (dsg_fs::stat::Kind::File, Entry::File(file)) => {
                let content = Content::Bytes(Box::new(self.dir.open_file(path.as_str())?));
                let hash = digest(content)
                    .map_err(|e| Failure::io("read", self.dir.at(path.as_str()), e))?;
                Ok(match hash == file.hash {
                    true if found.exec() == file.exec => CopyState::Same,
                    true => CopyState::OtherMode,
                    false => CopyState::Different(hash),
                })
            }
            _ => Ok(CopyState::Different(Hash::of(b""))),
        }
    }

    /// Proves the repository's history: the chain of all headers and, with `deep`, every
    /// manifest, and every file that is kept, by reading it.
    ///
    /// # Errors
    /// What does not prove itself; the repository cannot be read.
    pub fn validate_chain(&mut self, deep: bool, monitor: &Monitor) -> Outcome<ChainCheck> {
        let endpoint = endpoint::open(&self.address)?;
        let (snapshots, head) = endpoint.verify_history(deep, monitor)?;
        let contents = deep.then(|| read_all(&*endpoint, None, monitor)).transpose()?;
        let legacy = last_legacy(&*endpoint, head.id)?;
        Ok(ChainCheck { snapshots, head: head.id, chain: head.chain, legacy, contents })
    }

    /// Proves one snapshot (the head by default): its place in the chain, its manifest and, with
    /// `deep`, its files, by reading them.
    ///
    /// # Errors
    /// As [`Project::validate_chain`]; [`Code::NotFound`] if there is no such snapshot, or its
    /// files are not kept.
    pub fn validate_snapshot(
        &mut self,
        snapshot: Option<SnapshotId>,
        deep: bool,
        monitor: &Monitor,
    ) -> Outcome<SnapshotCheck> {
        let endpoint = endpoint::open(&self.address)?;
        let Some(id) = snapshot_or_head(&*endpoint, snapshot)? else {
            return Err(Failure::new(Code::NotFound, "The repository has no snapshot."));
        };
        // Listed, it is proved against its parent.
        endpoint.headers(Some(id.next()), 1)?;
        let mut entries = 0;
        let header = endpoint.manifest(id, &mut |_| {
            entries += 1;
            monitor.check()
        })?;
        let contents = deep.then(|| read_all(&*endpoint, Some(id), monitor)).transpose()?;
        Ok(SnapshotCheck { snapshot: id, chain: header.chain, entries, contents })
    }
}

/// The newest snapshot that the earlier DSG made: all before it are its, too.
fn last_legacy(endpoint: &dyn Endpoint, head: SnapshotId) -> Outcome<Option<SnapshotId>> {
    let earlier = |number| -> Outcome<bool> {
        let header = SnapshotId::new(number).map(|id| endpoint.header(id)).transpose()?;
        Ok(header.is_some_and(|header| header.legacy.is_some()))
    };
    if !earlier(1)? {
        return Ok(None);
    }
    let (mut made, mut ours) = (1, head.number());
    while made + 1 < ours {
        let middle = u64::midpoint(made, ours);
        if earlier(middle)? {
            made = middle;
        } else {
            ours = middle;
        }
    }
    Ok(SnapshotId::new(made))
}

/// Reads what the repository keeps, of one snapshot or of all.
fn read_all(
    endpoint: &dyn Endpoint,
    only: Option<SnapshotId>,
    monitor: &Monitor,
) -> Outcome<ContentCheck> {
    let Contents { snapshots, files, bytes, faults, gone } =
        endpoint.verify_contents(only, monitor)?;
    if faults.is_empty() {
        let gone = gone.iter().map(|g| format!("{}: {}", g.snapshot, g.what)).collect();
        return Ok(ContentCheck { snapshots, files, bytes, gone });
    }
    let message = match faults.as_slice() {
        [one] => format!("{} of the repository is not as recorded: {}.", one.snapshot, one.what),
        _ => format!("{} files of the repository are not as recorded.", faults.len()),
    };
    Err(Failure::new(Code::HashMismatch, message)
        .hint("Look for copies of these files, in other snapshots, projects and backups, before you use them. If somebody changed the newest ones there on purpose, dsg sync --allow drift takes them as a snapshot.")
        .about(faults.iter().map(|f| format!("{}: {}", f.snapshot, f.what))))
}

fn snapshot_or_head(
    endpoint: &dyn Endpoint,
    snapshot: Option<SnapshotId>,
) -> Outcome<Option<SnapshotId>> {
    match snapshot {
        Some(id) => endpoint.header(id).map(|h| Some(h.id)),
        None => Ok(endpoint.head()?.map(|h| h.id)),
    }
}

struct Digest(Mutex<Option<Hash>>);

impl Receive for Digest {
    fn receive(&self, _: usize, content: Content<'_>, _: bool) -> Outcome<()> {
        let hash = digest(content).map_err(|e| Failure::io("read from", "the repository", e))?;
        if let Ok(mut slot) = self.0.lock() {
            *slot = Some(hash);
        }
        Ok(())
    }
}

fn digest(mut content: Content<'_>) -> std::io::Result<Hash> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    while let Some(part) = content.part(&mut buffer)? {
        let Part::Bytes(bytes) = part else {
            return Err(std::io::Error::other("a copy of what is not here"));
        };
        hash.update(bytes);
    }
    Ok(Hash(hash.finalize().into()))
}
