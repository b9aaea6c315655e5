//! A manifest with changes applied, in one streaming pass over its lines.
//!
//! As `dsg_core::manifest::apply_delta`, which refuses to delete what is not there; here net
//! changes of several snapshots may do so, and the caller sees every entry that is replaced.

use std::io::{self, BufRead, Read as _, Write};
use std::path::Path;

use dsg_core::entry::{Entry, Hash};
use dsg_core::failure::{Failure, Outcome};
use dsg_core::manifest::{Change, line, parse_line, raw_path};
use dsg_core::path::RepoPath;
use dsg_core::snapshot::DeltaCounts;
use sha2::{Digest as _, Sha256};

use super::layout::damaged;

const MAX_LINE: u64 = 16 * 1024;

/// Whether a deletion of what is not there is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// One snapshot's own changes.
    Exact,
    /// Net changes of several.
    Net,
}

/// Hashes of the text before and after, and what was done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patched {
    pub(super) base: Hash,
    pub(super) result: Hash,
    pub(super) counts: DeltaCounts,
}

/// Why it could not be done.
pub(super) enum PatchError {
    Io(io::Error),
    Base(String),
    Absent(RepoPath),
    Changes(Failure),
}

impl From<io::Error> for PatchError {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

impl PatchError {
    /// With the file that was read or written.
    pub(super) fn into_failure(self, path: &Path) -> Failure {
        match self {
            Self::Io(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::InvalidData
                        | io::ErrorKind::Other
                        | io::ErrorKind::UnexpectedEof
                ) =>
            {
                damaged(path, &e.to_string()).because(e)
            }
            Self::Io(e) => Failure::io("read or write", path, e),
            Self::Base(why) => damaged(path, &why),
            Self::Absent(gone) => damaged(path, &format!("{gone} is deleted, but was not there")),
            Self::Changes(failure) => failure,
        }
    }
}

/// Writes `base` with `changes`; `former` gets each entry that is replaced or deleted.
pub(super) fn apply(
    mut base: impl BufRead,
    changes: impl IntoIterator<Item = Outcome<Change>>,
    mut output: impl Write,
    strictness: Strictness,
    mut former: impl FnMut(&RepoPath, Entry),
) -> Result<Patched, PatchError> {
    let mut base_hash = Sha256::new();
    let mut result = Sha256::new();
    let mut counts = DeltaCounts::default();
    let mut changes = changes.into_iter();
    let mut next = move || changes.next().transpose().map_err(PatchError::Changes);
    let mut pending = next()?;
    let mut buffer = Vec::with_capacity(512);
    let mut come =
        |change: &Change, result: &mut Sha256, output: &mut dyn Write| match &change.entry {
            Some(entry) => {
                counts.added += 1;
                let text = line(&change.path, Some(entry));
                result.update(&text);
                output.write_all(&text).map_err(PatchError::Io)
            }
            None if strictness == Strictness::Net => Ok(()),
            None => Err(PatchError::Absent(change.path.clone())),
        };
    let (mut changed, mut deleted) = (0, 0);
    loop {
        buffer.clear();
        if base.by_ref().take(MAX_LINE).read_until(b'\n', &mut buffer)? == 0 {
            break;
        }
        if !buffer.ends_with(b"\n") {
            return Err(PatchError::Base("a line is cut off".into()));
        }
        base_hash.update(&buffer);
        let path =
            raw_path(&buffer).ok_or_else(|| PatchError::Base("a line names no path".into()))?;
        while let Some(change) = pending.take_if(|c| c.path.as_bytes() < path) {
            come(&change, &mut result, &mut output)?;
            pending = next()?;
        }
        let Some(change) = pending.take_if(|c| c.path.as_bytes() == path) else {
            result.update(&buffer);
            output.write_all(&buffer)?;
            continue;
        };
        let was = parse_line(&buffer[..buffer.len() - 1]).map_err(PatchError::Base)?;
        if let Some(entry) = was.entry {
            former(&change.path, entry);
        }
        match &change.entry {
            Some(entry) => {
                changed += 1;
                let text = line(&change.path, Some(entry));
                result.update(&text);
                output.write_all(&text)?;
            }
            None => deleted += 1,
        }
        pending = next()?;
    }
    while let Some(change) = pending {
        come(&change, &mut result, &mut output)?;
        pending = next()?;
    }
    output.flush()?;
    counts.changed = changed;
    counts.deleted = deleted;
    let (base, result) = (Hash(base_hash.finalize().into()), Hash(result.finalize().into()));
    Ok(Patched { base, result, counts })
}

/// Calls `found` with each of the sorted `paths` that the manifest holds, and its entry.
pub(super) fn lookup<'p>(
    mut manifest: impl BufRead,
    paths: impl IntoIterator<Item = &'p [u8]>,
    mut found: impl FnMut(&'p [u8], Entry),
) -> Result<(), PatchError> {
    let mut paths = paths.into_iter().peekable();
    let mut buffer = Vec::with_capacity(512);
    while paths.peek().is_some() {
        buffer.clear();
        if manifest.by_ref().take(MAX_LINE).read_until(b'\n', &mut buffer)? == 0 {
            break;
        }
        let text = buffer.strip_suffix(b"\n").unwrap_or(&buffer);
        let at = raw_path(text).ok_or_else(|| PatchError::Base("a line names no path".into()))?;
        while paths.next_if(|p| *p < at).is_some() {}
        if let Some(path) = paths.next_if(|p| *p == at)
            && let Some(entry) = parse_line(text).map_err(PatchError::Base)?.entry
        {
            found(path, entry);
        }
    }
    Ok(())
}
