//! What the history holds of some paths, newest first: for log, blame and search.
//!
//! Lines are compared as they are and parsed only where they are meant; each record is hashed
//! whole, so that what is given is proved once its snapshot is done.

use std::io::{BufRead as _, Read as _};

use dsg_core::entry::Hash;
use dsg_core::failure::{Failure, Outcome};
use dsg_core::manifest::{Change, parse_line, raw_path};
use dsg_core::path::RepoPath;
use dsg_core::snapshot::SnapshotHeader;
use sha2::{Digest as _, Sha256};

use super::history::Record;
use super::layout::damaged;
use super::store::TreeStore;

/// A line is never longer.
const MAX_LINE: u64 = 16 * 1024;

/// Which paths are meant.
#[derive(Clone, Copy, Debug)]
pub enum Traced<'a> {
    /// These, sorted.
    Paths(&'a [RepoPath]),
    /// All whose text contains this, in whatever case.
    Containing(&'a str),
}

impl TreeStore {
    /// Gives every change of these paths with the snapshot that made it, newest snapshot first,
    /// until `each` says `false`: then the rest of that snapshot still comes, and nothing older.
    ///
    /// # Errors
    /// [`Code::RepositoryDamaged`](dsg_core::failure::Code): then what was given is not to be used;
    /// or what `each` gives.
    pub fn trace(
        &self,
        which: Traced<'_>,
        each: &mut dyn FnMut(&SnapshotHeader, Change) -> Outcome<bool>,
    ) -> Outcome<()> {
        let repo = self.repo()?;
        let history = repo.history();
        let wanted = Wanted::of(which);
        let mut at = history.newest()?;
        let mut child: Option<SnapshotHeader> = None;
        while let Some(id) = at {
            let record = history.record(id)?;
            if let Some(child) = &child {
                history.proved(child, Some(&record.header))?;
            }
            let header = record.header.clone();
            at = header.parent;
            let mut goes_on = true;
            record.matching(&wanted, &mut |change| {
                goes_on &= each(&header, change)?;
                Ok(())
            })?;
            if !goes_on {
                break;
            }
            child = Some(header);
        }
        Ok(())
    }
}

enum Wanted<'a> {
    Paths(&'a [RepoPath]),
    Containing(String),
}

impl<'a> Wanted<'a> {
    fn of(which: Traced<'a>) -> Self {
        match which {
            Traced::Paths(paths) => Self::Paths(paths),
            Traced::Containing(text) => Self::Containing(text.to_lowercase()),
        }
    }

    fn has(&self, path: &[u8]) -> bool {
        match self {
            Self::Paths(paths) => {
                paths.binary_search_by(|wanted| wanted.as_str().as_bytes().cmp(path)).is_ok()
            }
            Self::Containing(text) => std::str::from_utf8(path)
                .is_ok_and(|path| path.to_lowercase().contains(text.as_str())),
        }
    }
}

impl Record {
    /// The changes of some paths; an error at the end if the record is not what its header says.
    fn matching(
        self,
        wanted: &Wanted<'_>,
        take: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<()> {
        let Record { header, mut body, path: at } = self;
        let mut hash = Sha256::new();
        let mut line = Vec::with_capacity(512);
        loop {
            line.clear();
            body.by_ref()
                .take(MAX_LINE)
                .read_until(b'\n', &mut line)
                .map_err(|e| Failure::io("read", &at, e))?;
            if line.is_empty() {
                break;
            }
            hash.update(&line);
            let text = line.strip_suffix(b"\n").ok_or_else(|| damaged(&at, "a line is cut off"))?;
            let path = raw_path(text).ok_or_else(|| damaged(&at, "a line names no path"))?;
            if wanted.has(path) {
                take(parse_line(text).map_err(|why| damaged(&at, &why))?)?;
            }
        }
        if Hash(hash.finalize().into()) == header.delta_sha256 {
            Ok(())
        } else {
            Err(damaged(&at, "its changes are not those that its header promises"))
        }
    }
}
