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

/// Writes `base` with `changes`; `former` gets each entry that is replaced or deleted. What lies
/// between two changes is copied as it is: compare [`Patched::base`] with the header.
pub(super) fn apply(
    mut base: impl BufRead,
    changes: impl IntoIterator<Item = Outcome<Change>>,
    output: impl Write,
    strictness: Strictness,
    former: impl FnMut(&RepoPath, Entry),
) -> Result<Patched, PatchError> {
    let mut changes = changes.into_iter();
    let mut next = move || changes.next().transpose().map_err(PatchError::Changes);
    let mut patch = Patching {
        base: Sha256::new(),
        result: None,
        counts: DeltaCounts::default(),
        output,
        former,
        strictness,
    };
    let mut pending = next()?;
    let mut line = Vec::with_capacity(512);
    loop {
        let chunk = base.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        let whole = chunk.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        let Some(change) = &pending else {
            let length = chunk.len();
            patch.keep(chunk)?;
            base.consume(length);
            continue;
        };
        let before = lines_before(&chunk[..whole], change.path.as_bytes());
        if before > 0 {
            patch.keep(&chunk[..before])?;
            base.consume(before);
            continue;
        }
        // Either the change belongs here, or the line reaches into the next chunk.
        line.clear();
        base.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Err(PatchError::Base("a line is cut off".into()));
        }
        let path = path_of(&line)?;
        while let Some(change) = pending.take_if(|c| c.path.as_bytes() < path) {
            patch.come(&change)?;
            pending = next()?;
        }
        match pending.take_if(|c| c.path.as_bytes() == path) {
            Some(change) => {
                patch.replace(&line, &change)?;
                pending = next()?;
            }
            None => patch.keep(&line)?,
        }
    }
    while let Some(change) = pending {
        patch.come(&change)?;
        pending = next()?;
    }
    patch.output.flush()?;
    let result = Hash(patch.result().clone().finalize().into());
    Ok(Patched { base: Hash(patch.base.finalize().into()), result, counts: patch.counts })
}

fn path_of(line: &[u8]) -> Result<&[u8], PatchError> {
    raw_path(line).ok_or_else(|| PatchError::Base("a line names no path".into()))
}

/// How many bytes of whole, sorted lines come before `path`, by bisection.
fn lines_before(lines: &[u8], path: &[u8]) -> usize {
    let (mut low, mut high) = (0, lines.len());
    while low < high {
        let middle = low.midpoint(high);
        let start =
            lines[low..middle].iter().rposition(|&b| b == b'\n').map_or(low, |i| low + i + 1);
        let end = lines[middle..].iter().position(|&b| b == b'\n').map_or(high, |i| middle + i + 1);
        // A line without a path is not skipped: whoever reads it says so.
        if raw_path(&lines[start..end]).is_some_and(|p| p < path) {
            low = end;
        } else {
            high = start;
        }
    }
    low
}

struct Patching<W, F> {
    base: Sha256,
    /// `None`: the same as `base` so far.
    result: Option<Sha256>,
    counts: DeltaCounts,
    output: W,
    former: F,
    strictness: Strictness,
}

impl<W: Write, F: FnMut(&RepoPath, Entry)> Patching<W, F> {
    /// Lines that stay.
    fn keep(&mut self, lines: &[u8]) -> io::Result<()> {
        self.base.update(lines);
        if let Some(result) = &mut self.result {
            result.update(lines);
        }
        self.output.write_all(lines)
    }

    /// The hash of what is written; from here on it goes its own way.
    fn result(&mut self) -> &mut Sha256 {
        self.result.get_or_insert_with(|| self.base.clone())
    }

    fn write(&mut self, path: &RepoPath, entry: &Entry) -> io::Result<()> {
        let text = line(path, Some(entry));
        self.result().update(&text);
        self.output.write_all(&text)
    }

    /// A path that was not there.
    fn come(&mut self, change: &Change) -> Result<(), PatchError> {
        match &change.entry {
            Some(entry) => {
                self.counts.added += 1;
                Ok(self.write(&change.path, entry)?)
            }
            None if self.strictness == Strictness::Net => Ok(()),
            None => Err(PatchError::Absent(change.path.clone())),
        }
    }

    /// A path that was there.
    fn replace(&mut self, was: &[u8], change: &Change) -> Result<(), PatchError> {
        self.result();
        self.base.update(was);
        let text = was.strip_suffix(b"\n").unwrap_or(was);
        if let Some(entry) = parse_line(text).map_err(PatchError::Base)?.entry {
            (self.former)(&change.path, entry);
        }
        if let Some(entry) = &change.entry {
            self.counts.changed += 1;
            self.write(&change.path, entry)?;
        } else {
            self.counts.deleted += 1;
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeMap;

    use dsg_core::entry::{FileEntry, Mtime};
    use proptest::prelude::*;

    fn entry(size: u64) -> Entry {
        Entry::File(FileEntry { size, mtime: Mtime(0), exec: false, hash: Hash::of(b"") })
    }

    fn text(tree: &BTreeMap<RepoPath, Entry>) -> Vec<u8> {
        tree.iter().flat_map(|(p, e)| line(p, Some(e))).collect()
    }

    fn trees() -> impl Strategy<Value = BTreeMap<RepoPath, Entry>> {
        proptest::collection::btree_map("[a-d]{1,3}", 0..9_u64, 0..20).prop_map(|raw| {
            raw.into_iter().map(|(p, size)| (p.parse().unwrap(), entry(size))).collect()
        })
    }

    proptest! {
        /// As core's own application of a delta, with chunks of any size.
        #[test]
        fn chunks_do_not_matter(before in trees(), after in trees(), chunk in 1..400_usize) {
            let mut delta: BTreeMap<RepoPath, Option<Entry>> = BTreeMap::new();
            for path in before.keys().chain(after.keys()) {
                if before.get(path) != after.get(path) {
                    delta.insert(path.clone(), after.get(path).cloned());
                }
            }
            let replaced: Vec<_> = before
                .iter()
                .filter(|(p, e)| after.get(*p) != Some(e))
                .map(|(p, e)| (p.clone(), e.clone()))
                .collect();
            let base = text(&before);
            let changes = delta.into_iter().map(|(path, entry)| Ok(Change { path, entry }));
            let (mut out, mut former) = (Vec::new(), Vec::new());
            let input = io::BufReader::with_capacity(chunk, &base[..]);
            let seen = |p: &RepoPath, e| former.push((p.clone(), e));
            let patched = apply(input, changes, &mut out, Strictness::Exact, seen).ok().unwrap();
            prop_assert_eq!(&out, &text(&after));
            prop_assert_eq!(patched.base, Hash::of(&base));
            prop_assert_eq!(patched.result, Hash::of(&out));
            prop_assert_eq!(former, replaced);
        }
    }

    #[test]
    fn deleting_what_is_not_there_is_refused_only_for_one_snapshot() {
        let gone = || [Ok(Change { path: "x".parse().unwrap(), entry: None })];
        let base = line(&"a".parse().unwrap(), Some(&entry(1)));
        assert!(apply(&base[..], gone(), io::sink(), Strictness::Exact, |_, _| ()).is_err());
        assert!(apply(&base[..], gone(), io::sink(), Strictness::Net, |_, _| ()).is_ok());
    }

    #[test]
    fn a_base_that_is_cut_off_is_not_taken() {
        let base = line(&"b".parse().unwrap(), Some(&entry(1)));
        let put = || [Ok(Change { path: "x".parse().unwrap(), entry: Some(entry(2)) })];
        assert!(apply(&base[..20], put(), io::sink(), Strictness::Exact, |_, _| ()).is_err());
    }
}
