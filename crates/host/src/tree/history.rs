//! Records of snapshots, and manifests rebuilt from them.
//!
//! Owns reading the history: headers that follow from one another, deltas that are what their
//! headers promise, whole manifests from the last checkpoint on. Whatever it gives is proved
//! against the headers; a cache that fails its proof is rebuilt, a record that does is damage.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom};

use dsg_core::entry::Hash;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::manifest::{Change, ManifestReader};
use dsg_core::snapshot::{SnapshotError, SnapshotHeader, SnapshotId};
use dsg_fs::dir::Dir;
use rustix::fs::{self as sys, Mode, OFlags};

use super::layout::{CHECKPOINTS, Layout, MANIFEST, Modes, SNAPSHOTS, damaged, newer};
use super::patch::{self, Strictness};

/// Longest header that is read.
const MAX_HEADER: u64 = 4 * 1024 * 1024;
const BUFFER: usize = 256 * 1024;
/// Deltas that are merged at once: their files are open together.
pub(super) const MAX_MERGE: u64 = 200;
/// A checkpoint is written when there are so many deltas since the last, or earlier.
const CHECKPOINT_AFTER: u64 = 100;

/// The history of one repository.
#[derive(Clone, Copy)]
pub(super) struct History<'a> {
    pub(super) layout: &'a Layout,
    pub(super) repository: &'a str,
}

/// A record that is open behind its header.
pub(super) struct Record {
    pub(super) header: SnapshotHeader,
    pub(super) body: BufReader<File>,
    pub(super) path: std::path::PathBuf,
}

/// File name of a record.
pub(super) fn record_name(id: SnapshotId) -> String {
    format!("{id}.jsonl")
}

fn checkpoint_name(id: SnapshotId) -> String {
    format!("{id}.jsonl.zst")
}

impl Record {
    /// The delta's changes; the last item is an error if they are not what the header promised.
    pub(super) fn changes(self) -> impl Iterator<Item = Outcome<Change>> {
        let Record { header, body, path } = self;
        let mut reader = Some(ManifestReader::delta(body));
        std::iter::from_fn(move || match reader.as_mut()?.next() {
            Some(Ok(change)) => Some(Ok(change)),
            Some(Err(e)) => {
                reader = None;
                Some(Err(damaged(&path, &e.to_string()).because(e)))
            }
            None => {
                let hash = reader.take()?.finish();
                (hash != header.delta_sha256).then(|| {
                    Err(damaged(&path, "its changes are not those that its header promises"))
                })
            }
        })
    }
}

impl<'a> History<'a> {
    /// The newest snapshot; `None` before the first publish.
    pub(super) fn newest(self) -> Outcome<Option<SnapshotId>> {
        let names = self.layout.folder(SNAPSHOTS)?.list()?;
        Ok(names.iter().filter_map(|n| n.name.to_str()?.strip_suffix(".jsonl")?.parse().ok()).max())
    }

    /// The newest header, proved against its parent.
    pub(super) fn head(self) -> Outcome<SnapshotHeader> {
        let newest = self
            .newest()?
            .ok_or_else(|| damaged(&self.layout.side.at(SNAPSHOTS), "it holds no snapshot"))?;
        let head = self.header(newest)?;
        let parent = head.parent.map(|id| self.header(id)).transpose()?;
        self.proved(&head, parent.as_ref())?;
        Ok(head)
    }

    /// Proves that a header follows from its parent.
    pub(super) fn proved(
        self,
        header: &SnapshotHeader,
        parent: Option<&SnapshotHeader>,
    ) -> Outcome<()> {
        header.follows(parent.map(|p| p.chain)).map_err(|e| {
            let path = self.layout.side.at(format!("{SNAPSHOTS}/{}", record_name(header.id)));
            damaged(&path, &e.to_string()).because(e)
        })
    }

    /// One header; its place in the chain is not proved.
    pub(super) fn header(self, id: SnapshotId) -> Outcome<SnapshotHeader> {
        Ok(self.record(id)?.header)
    }

    /// One record.
    pub(super) fn record(self, id: SnapshotId) -> Outcome<Record> {
        let name = format!("{SNAPSHOTS}/{}", record_name(id));
        let path = self.layout.side.at(&name);
        let file = match self.layout.side.open_file(&name) {
            Ok(file) => file,
            Err(e) if e.is_absent() => {
                return Err(if self.newest()?.is_some_and(|newest| id < newest) {
                    damaged(&path, "it is missing").because(e)
                } else {
                    Failure::new(Code::NotFound, format!("There is no snapshot {id}."))
                        .hint("List the snapshots with the log.")
                });
            }
            Err(e) => return Err(e.into()),
        };
        let mut body = BufReader::with_capacity(BUFFER.min(64 * 1024), file);
        let mut line = Vec::new();
        body.by_ref()
            .take(MAX_HEADER)
            .read_until(b'\n', &mut line)
            .map_err(|e| Failure::io("read", &path, e))?;
        let line = line
            .strip_suffix(b"\n")
            .and_then(|l| std::str::from_utf8(l).ok())
            .ok_or_else(|| damaged(&path, "it has no header"))?;
        let header = SnapshotHeader::parse(line).map_err(|e| match e {
            SnapshotError::Newer(format) => newer(&path, format),
            other => damaged(&path, &other.to_string()).because(other),
        })?;
        if header.id != id {
            return Err(damaged(&path, &format!("it holds {}", header.id)));
        }
        if header.repository != self.repository {
            return Err(damaged(&path, "it belongs to another repository"));
        }
        Ok(Record { header, body, path })
    }

    /// Up to `limit` headers below `before` (or from the head), newest first, each proved.
    pub(super) fn headers(
        self,
        before: Option<SnapshotId>,
        limit: usize,
    ) -> Outcome<Vec<SnapshotHeader>> {
        let mut at = match before {
            Some(id) => SnapshotId::new(id.number() - 1),
            None => self.newest()?,
        };
        let mut headers: Vec<SnapshotHeader> = Vec::new();
        while let Some(id) = at.filter(|_| headers.len() < limit) {
            let header = self.header(id)?;
            if let Some(child) = headers.last() {
                self.proved(child, Some(&header))?;
            }
            at = header.parent;
            headers.push(header);
        }
        if let Some(last) = headers.last() {
            let parent = last.parent.map(|id| self.header(id)).transpose()?;
            self.proved(last, parent.as_ref())?;
        }
        Ok(headers)
    }

    /// The net changes of the snapshots after `after` up to `to`, newest first wins; each with
    /// whether it may be a deletion of a path that was not there at `after`.
    pub(super) fn merged(self, after: Option<SnapshotId>, to: SnapshotId) -> Outcome<Merged<'a>> {
        let first = after.map_or(SnapshotId::FIRST, SnapshotId::next);
        let mut parent = after.map(|id| self.header(id)).transpose()?;
        let mut deltas: Vec<Changes<'a>> = Vec::new();
        for number in first.number()..=to.number() {
            let Some(id) = SnapshotId::new(number) else { continue };
            let record = self.record(id)?;
            self.proved(&record.header, parent.as_ref())?;
            parent = Some(record.header.clone());
            deltas.push(Box::new(record.changes()));
        }
        Merged::new(deltas)
    }

    /// The whole manifest of a snapshot: a proved file, at its beginning.
    pub(super) fn manifest(self, header: &SnapshotHeader) -> Outcome<File> {
        if let Ok(mut cache) = self.layout.side.open_file(MANIFEST)
            && hash_of(&mut cache).ok() == Some(header.manifest)
        {
            return Ok(cache);
        }
        self.rebuilt(header)
    }

    /// The whole manifest from checkpoint and deltas.
    fn rebuilt(self, header: &SnapshotHeader) -> Outcome<File> {
        let mut bases: Vec<Option<SnapshotId>> =
            self.checkpoints()?.into_iter().filter(|c| *c <= header.id).map(Some).collect();
        bases.push(None);
        let mut last = None;
        for base in bases {
            match self.rebuilt_from(base, header) {
                Ok(Some(file)) => return Ok(file),
                Ok(None) => {}
                Err(e) => last = Some(e),
            }
        }
        Err(last.unwrap_or_else(|| {
            let path = self.layout.side.at(format!("{SNAPSHOTS}/{}", record_name(header.id)));
            damaged(&path, "the manifest that its header promises cannot be rebuilt")
        }))
    }

    fn rebuilt_from(
        self,
        base: Option<SnapshotId>,
        header: &SnapshotHeader,
    ) -> Outcome<Option<File>> {
        let mut file = self.scratch()?;
        let changes = self.merged_in_turns(base, header.id)?;
        let path = self.layout.side.at(CHECKPOINTS);
        let result = {
            let output = BufWriter::with_capacity(BUFFER, &mut file);
            let bad = |e: patch::PatchError| e.into_failure(&path);
            match base {
                None => patch::apply(std::io::empty(), changes, output, Strictness::Net, |_, _| {})
                    .map_err(bad)?,
                Some(id) => {
                    let name = format!("{CHECKPOINTS}/{}", checkpoint_name(id));
                    let input = self.layout.side.open_file(&name)?;
                    let input = zstd::Decoder::new(input)
                        .map_err(|e| Failure::io("read", self.layout.side.at(&name), e))?;
                    let input = BufReader::with_capacity(BUFFER, input);
                    patch::apply(input, changes, output, Strictness::Net, |_, _| {}).map_err(bad)?
                }
            }
        };
        if result.result != header.manifest {
            return Ok(None);
        }
        rewind(&mut file)?;
        Ok(Some(file))
    }

    /// As [`History::merged`], however many deltas there are.
    fn merged_in_turns(
        self,
        after: Option<SnapshotId>,
        to: SnapshotId,
    ) -> Outcome<Box<dyn Iterator<Item = Outcome<Change>> + 'a>> {
        let from = after.map_or(0, SnapshotId::number);
        if to.number() - from <= MAX_MERGE {
            return Ok(Box::new(self.merged(after, to)?.map(|c| c.map(|(change, _)| change))));
        }
        // Too many files at once: without a checkpoint near, deltas are merged in memory.
        let mut net = std::collections::BTreeMap::new();
        let mut parent = after.map(|id| self.header(id)).transpose()?;
        for id in (from + 1..=to.number()).filter_map(SnapshotId::new) {
            let record = self.record(id)?;
            self.proved(&record.header, parent.as_ref())?;
            parent = Some(record.header.clone());
            for change in record.changes() {
                let Change { path, entry } = change?;
                net.insert(path, entry);
            }
        }
        Ok(Box::new(net.into_iter().map(|(path, entry)| Ok(Change { path, entry }))))
    }

    /// Checkpoints there are, newest first.
    fn checkpoints(self) -> Outcome<Vec<SnapshotId>> {
        let names = self.layout.folder(CHECKPOINTS)?.list()?;
        let mut found: Vec<SnapshotId> = names
            .iter()
            .filter_map(|n| n.name.to_str()?.strip_suffix(".jsonl.zst")?.parse().ok())
            .collect();
        found.sort_unstable_by_key(|id| Reverse(*id));
        Ok(found)
    }

    /// Writes a checkpoint of the head if enough changed since the last; whether it did.
    pub(super) fn checkpoint_if_due(self, head: &SnapshotHeader, modes: Modes) -> Outcome<bool> {
        // s1's delta is its whole manifest.
        let last = self.checkpoints()?.first().map_or(1, |id| id.number());
        let since = head.id.number().saturating_sub(last);
        let snapshots = self.layout.folder(SNAPSHOTS)?;
        let whole = self.layout.side.stat(MANIFEST)?.map_or(u64::MAX, |s| s.size);
        let mut changed = 0;
        for id in (last + 1..=head.id.number()).filter_map(SnapshotId::new) {
            changed += snapshots.stat(record_name(id))?.map_or(0, |s| s.size);
        }
        // A record is at least its header: small trees would checkpoint every time.
        if since == 0 || (since < CHECKPOINT_AFTER && changed <= whole.max(1024 * 1024)) {
            return Ok(false);
        }
        let input = self.manifest(head)?;
        let folder = self.layout.folder(CHECKPOINTS)?;
        let name = checkpoint_name(head.id);
        let temporary = folder.temporary_name(&name);
        let written = (|| {
            let mut output =
                zstd::Encoder::new(folder.create_new(&temporary, modes.own_file())?, 3)
                    .map_err(|e| Failure::io("write", folder.at(&name), e))?;
            std::io::copy(&mut BufReader::with_capacity(BUFFER, input), &mut output)
                .and_then(|_| output.finish())
                .and_then(|file| file.sync_all())
                .map_err(|e| Failure::io("write", folder.at(&name), e))?;
            folder.rename_replacing(&temporary, &folder, &name)?;
            folder.fsync().map_err(Failure::from)
        })();
        if written.is_err() {
            let _ = folder.remove_file(&temporary);
        }
        written.map(|()| true)
    }

    /// A file without a name.
    fn scratch(self) -> Outcome<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let cannot = |e: rustix::io::Errno| {
            Failure::io("make a temporary file in", self.layout.side.path(), e)
        };
        // What stands within the live tree is not written to after its snapshot.
        let within = self.layout.root.is_some();
        if !within && let Ok(fd) = sys::openat(&self.layout.side, c".", flags, mode) {
            return Ok(fd.into());
        }
        // A reader may not write beside the repository, and not every file system has nameless files.
        let temp = std::env::temp_dir();
        if let Ok(fd) = sys::open(&temp, flags, mode) {
            return Ok(fd.into());
        }
        let temp = dsg_fs::dir::Dir::open(&temp)?;
        let name = temp.temporary_name("dsg-manifest");
        let file = temp.create_new(&name, 0o600)?;
        sys::unlinkat(&temp, name.as_str(), sys::AtFlags::empty()).map_err(cannot)?;
        Ok(file)
    }
}

/// The changes of a record that is not in the history (yet), as far as they can be read.
pub(super) fn open_record(dir: &Dir, name: &str) -> Outcome<impl Iterator<Item = Change>> {
    let mut body = BufReader::new(dir.open_file(name)?);
    let mut header = Vec::new();
    body.by_ref()
        .take(MAX_HEADER)
        .read_until(b'\n', &mut header)
        .map_err(|e| Failure::io("read", dir.at(name), e))?;
    Ok(ManifestReader::delta(body).map_while(Result::ok))
}

/// SHA-256 of a whole file, which stands at its beginning afterwards.
pub(super) fn hash_of(file: &mut File) -> std::io::Result<Hash> {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(Hash(hash.finalize().into()))
}

/// Sets a file back to its beginning.
pub(super) fn rewind(file: &mut File) -> Outcome<()> {
    file.seek(SeekFrom::Start(0)).map_err(|e| Failure::io("read", "a temporary file", e))?;
    Ok(())
}

/// A whole manifest's entries, proved line by line.
pub(super) fn entries(file: File) -> ManifestReader<BufReader<File>> {
    ManifestReader::new(BufReader::with_capacity(BUFFER, file))
}

type Changes<'a> = Box<dyn Iterator<Item = Outcome<Change>> + 'a>;

/// Deltas as one: each path once, with its newest change.
pub(super) struct Merged<'a> {
    deltas: Vec<Changes<'a>>,
    heads: BinaryHeap<Head>,
}

/// The next change of one delta. The greatest comes first: the smallest path, and of one path
/// the newest delta's.
struct Head {
    change: Change,
    delta: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        other.change.path.cmp(&self.change.path).then(self.delta.cmp(&other.delta))
    }
}
impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Head {}

impl<'a> Merged<'a> {
    fn new(deltas: Vec<Changes<'a>>) -> Outcome<Self> {
        let mut merged = Self { deltas, heads: BinaryHeap::new() };
        for delta in 0..merged.deltas.len() {
            merged.pull(delta)?;
        }
        Ok(merged)
    }

    fn pull(&mut self, delta: usize) -> Outcome<()> {
        if let Some(change) = self.deltas[delta].next().transpose()? {
            self.heads.push(Head { change, delta });
        }
        Ok(())
    }

    fn pop(&mut self) -> Outcome<Option<Change>> {
        let Some(Head { change, delta }) = self.heads.pop() else { return Ok(None) };
        self.pull(delta)?;
        Ok(Some(change))
    }

    fn step(&mut self) -> Outcome<Option<(Change, bool)>> {
        let Some(newest) = self.pop()? else { return Ok(None) };
        let mut came_within = false;
        while self.heads.peek().is_some_and(|h| h.change.path == newest.path) {
            came_within = self.pop()?.is_some_and(|older| older.entry.is_some());
        }
        let unsure = newest.entry.is_none() && came_within;
        Ok(Some((newest, unsure)))
    }
}

impl Iterator for Merged<'_> {
    type Item = Outcome<(Change, bool)>;
    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
