//! Proofs of the history and of single files: what is stored is what was promised.

use std::io::BufReader;

use dsg_core::entry::{Entry, LinkTarget};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_fs::stat::Kind;

use super::drift::hash_stably;
use super::layout::MANIFEST;
use super::patch;
use super::store::TreeStore;

/// Something that a proof of the history or of a file found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// What is wrong.
    pub what: String,
}

impl TreeStore {
    /// Proves the history: that each header follows from its parent, and, `deep`, that each
    /// manifest can be rebuilt and is what its header says. No file is read: see
    /// [`TreeStore::validate_contents`].
    ///
    /// # Errors
    /// It cannot be read at all; what is wrong with it is in the result.
    pub fn validate_chain(&self, deep: bool, monitor: &Monitor) -> Outcome<Vec<Fault>> {
        let repo = self.repo()?;
        let history = repo.history();
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

    /// As [`TreeStore::validate_chain`], for whoever needs it sound. Gives the number of snapshots
    /// and the head.
    ///
    /// # Errors
    /// [`Code::RepositoryDamaged`] with all that is wrong.
    pub fn prove_history(&self, deep: bool, monitor: &Monitor) -> Outcome<(u64, SnapshotHeader)> {
        let faults = self.validate_chain(deep, monitor)?;
        if let Some(first) = faults.first() {
            let message = format!("{} of {}: {}", first.snapshot, self.info().id, first.what);
            return Err(Failure::new(Code::RepositoryDamaged, message)
                .hint("Restore the repository's records from a backup; files and later snapshots may still be good.")
                .about(faults.iter().map(|f| format!("{}: {}", f.snapshot, f.what))));
        }
        let head = self.head()?;
        Ok((head.id.number(), head))
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
                if found.as_ref() == Some(target) {
                    Ok(None)
                } else {
                    fault(format!("{path} points elsewhere"))
                }
            }
            (Entry::File(file), Some(Kind::File)) => match hash_stably(root.root(), path.as_ref())?
            {
                Some(found) if found.hash == file.hash => Ok(None),
                Some(found) => {
                    fault(format!("{path} has the SHA-256 {}, not {}", found.hash, file.hash))
                }
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
        let repo = self.repo()?;
        let manifest = BufReader::with_capacity(256 * 1024, repo.history().manifest(header)?);
        let mut found = None;
        patch::lookup(manifest, [path.as_bytes()], |_, entry| found = Some(entry))
            .map_err(|e| e.into_failure(&repo.layout.side.at(MANIFEST)))?;
        Ok(found)
    }
}
