//! What differences between a live tree and its recorded stats mean.
//!
//! Owns the judgement: a tracked path whose content, kind or exec bit is another, that came or
//! went, is *drift*. A file that was merely touched is compared by content. What is not tracked
//! (ignored, illegal names, pipes, empty directories) is no drift, and is carried along.

use std::ffi::OsStr;
use std::io::{BufReader, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use dsg_core::config::{SharedConfig, Tracking};
use dsg_core::entry::{Entry, FileEntry, Hash, LinkTarget};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::manifest::Change;
use dsg_core::monitor::{Event, Monitor};
use dsg_core::path::RepoPath;
use dsg_fs::dir::{Dir, file_stat};
use dsg_fs::stat::Kind;
use sha2::{Digest as _, Sha256};

use super::check::{Difference, What};
use super::history::History;
use super::layout::{MANIFEST, damaged};
use super::patch;

/// Paths that a failure lists.
const LISTED: usize = 100;

/// The judgement.
#[derive(Debug, Default)]
pub(super) struct Drift {
    /// What the host made of tracked paths, sorted.
    pub(super) changes: Vec<Change>,
    /// Tracked files that changed while they were looked at.
    pub(super) unstable: Vec<RepoPath>,
    /// What is no drift, but may be another inode than before.
    pub(super) harmless: Vec<Vec<u8>>,
}

impl Drift {
    /// Whether there is none.
    pub(super) fn is_none(&self) -> bool {
        self.changes.is_empty() && self.unstable.is_empty()
    }

    /// As the failure that halts a publish.
    pub(super) fn halt(&self, at: &Path) -> Failure {
        let mut paths: Vec<&RepoPath> =
            self.changes.iter().map(|c| &c.path).chain(&self.unstable).collect();
        paths.sort_unstable();
        let count = paths.len();
        let listed = paths.into_iter().take(LISTED).map(|p| p.as_str().to_owned());
        Failure::new(
            Code::Drift,
            format!("{count} file(s) in {} were changed on the host, outside DSG.", at.display()),
        )
        .hint("Nothing was published. Look at these files. To take them as a snapshot of their own: --allow drift.")
        .about(listed)
    }
}

/// Judges sorted differences of `live` against the head. Without `exactly`, a file whose size
/// alone tells that it changed is not read; its entry is then not to be used.
pub(super) fn judge(
    live: &Dir,
    differences: &[Difference],
    history: History<'_>,
    head: &dsg_core::snapshot::SnapshotHeader,
    exactly: bool,
    monitor: &Monitor,
) -> Outcome<Drift> {
    let mut drift = Drift::default();
    let mut touched = Vec::new();
    for difference in differences {
        match difference.what {
            What::Touched => touched.push(&difference.path[..]),
            What::Gone => {
                drift.changes.push(Change { path: recorded(&difference.path)?, entry: None });
            }
            What::Added(kind) => added(live, difference, kind, &head.config, monitor, &mut drift)?,
        }
    }
    if !touched.is_empty() {
        let manifest = BufReader::with_capacity(256 * 1024, history.manifest(head)?);
        let mut expected = Vec::new();
        patch::lookup(manifest, touched.iter().copied(), |path, entry| {
            expected.push((path, entry));
        })
        .map_err(|e| e.into_failure(&history.layout.side.at(MANIFEST)))?;
        for (path, was) in expected {
            monitor.check()?;
            let path = recorded(path)?;
            match observe(live, &path, (!exactly).then_some(&was))? {
                Observed::Is(entry) if entry.same(&was) => {
                    drift.harmless.push(path.as_bytes().to_vec());
                }
                Observed::Is(entry) => drift.changes.push(Change { path, entry: Some(entry) }),
                Observed::Gone => drift.changes.push(Change { path, entry: None }),
                Observed::Untrackable => drift.changes.push(Change { path, entry: None }),
                Observed::Unstable => drift.unstable.push(path),
            }
        }
    }
    // A file that gave way to a directory, or the reverse, is reported from two sides.
    drift
        .changes
        .sort_by(|a, b| a.path.cmp(&b.path).then(b.entry.is_some().cmp(&a.entry.is_some())));
    drift.changes.dedup_by(|b, a| a.path == b.path);
    Ok(drift)
}

fn recorded(path: &[u8]) -> Outcome<RepoPath> {
    RepoPath::from_bytes(path).map_err(|e| {
        damaged(
            Path::new(super::layout::STATS),
            &format!("it names {}: {e}", OsStr::from_bytes(path).display()),
        )
    })
}

fn added(
    live: &Dir,
    difference: &Difference,
    kind: Kind,
    config: &SharedConfig,
    monitor: &Monitor,
    drift: &mut Drift,
) -> Outcome<()> {
    let harmless = |drift: &mut Drift| drift.harmless.push(difference.path.clone());
    if kind == Kind::Dir {
        harmless(drift);
        return Ok(());
    }
    let path = match RepoPath::from_bytes(&difference.path) {
        Ok(path) if config.file(&path) == Tracking::Tracked => path,
        Ok(_) => {
            harmless(drift);
            return Ok(());
        }
        Err(e) => {
            let name = OsStr::from_bytes(&difference.path).display();
            monitor.event(Event::Notice(format!("{name} on the host is left alone: {e}.")));
            harmless(drift);
            return Ok(());
        }
    };
    match observe(live, &path, None)? {
        Observed::Is(entry) => drift.changes.push(Change { path, entry: Some(entry) }),
        Observed::Gone => {}
        Observed::Untrackable => harmless(drift),
        Observed::Unstable => drift.unstable.push(path),
    }
    Ok(())
}

/// What stands at a path, by content.
enum Observed {
    Is(Entry),
    Gone,
    /// A pipe, or a link that leads out.
    Untrackable,
    /// It changes while it is read.
    Unstable,
}

/// With `unless_like`, a file of another size than that is not read.
fn observe(live: &Dir, path: &RepoPath, unless_like: Option<&Entry>) -> Outcome<Observed> {
    let Some(stat) = live.stat(path.as_str())? else { return Ok(Observed::Gone) };
    match stat.kind {
        Kind::Dir => Ok(Observed::Gone),
        Kind::Special => Ok(Observed::Untrackable),
        Kind::Link => {
            let target = live.read_link(path.as_str())?;
            let target = target.to_str().and_then(|t| LinkTarget::parse(path, t).ok());
            Ok(target.map_or(Observed::Untrackable, |t| Observed::Is(Entry::Link(t))))
        }
        Kind::File => {
            if unless_like.and_then(Entry::file).is_some_and(|f| f.size != stat.size) {
                let hash = Hash::of(b"");
                let (size, mtime, exec) = (stat.size, stat.mtime, stat.exec());
                return Ok(Observed::Is(Entry::File(FileEntry { size, mtime, exec, hash })));
            }
            for _ in 0..3 {
                if let Some(file) = hash_stably(live, path.as_ref())? {
                    return Ok(Observed::Is(Entry::File(file)));
                }
            }
            Ok(Observed::Unstable)
        }
    }
}

/// Hashes a file; `None` if it changed meanwhile.
pub(super) fn hash_stably(dir: &Dir, rel: &Path) -> Outcome<Option<FileEntry>> {
    let at = dir.at(rel);
    let file = match dir.open_file(rel) {
        Ok(file) => file,
        Err(e) if e.is_absent() => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    // A write through a mapping may not have moved the times on yet.
    let _ = rustix::fs::fdatasync(&file);
    let before = file_stat(&file, &at)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    let mut input = &file;
    loop {
        match input.read(&mut buffer).map_err(|e| Failure::io("read", &at, e))? {
            0 => break,
            n => {
                hash.update(&buffer[..n]);
                size += n as u64;
            }
        }
    }
    let after = file_stat(&file, &at)?;
    if !after.unchanged(&before) || size != after.size {
        return Ok(None);
    }
    let hash = Hash(hash.finalize().into());
    Ok(Some(FileEntry { size, mtime: after.mtime, exec: after.exec(), hash }))
}
