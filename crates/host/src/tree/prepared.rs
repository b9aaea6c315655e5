//! The files that a transaction prepares in its staging area: record, manifest, stats.
//!
//! They take their places in the sidecar when it is rolled forward, by renames. The record is
//! durable before the decision; manifest and stats are caches that prove themselves.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write as _};

use dsg_core::entry::{Entry, Hash};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::manifest::{Totals, line};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::repository::Publication;
use dsg_core::snapshot::{SYNC_FORMAT, SnapshotHeader, SnapshotId};
use dsg_fs::dir::Dir;
use rustix::fs::{self as sys};
use sha2::{Digest as _, Sha256};

use super::check::{Difference, compare};
use super::drift::{Drift, judge};
use super::edits::Patch;
use super::layout::{MANIFEST, STATS};
use super::patch::{self, Patched, Strictness};
use super::repo::Repo;
use super::staging::{CHECKED, NEW_MANIFEST, NEW_STATS, RECORD, REPLACED};
use super::stats::{self, StatsWriter};

const BUFFER: usize = 256 * 1024;

type Stats = stats::StatsReader<BufReader<File>>;

/// Compares the live tree with the recorded stats; what was observed is in [`CHECKED`].
pub(super) fn compare_live(
    repo: &Repo,
    live: &Dir,
    head: &SnapshotHeader,
    dir: &Dir,
    exactly: bool,
    monitor: &Monitor,
) -> Outcome<Drift> {
    let strict = repo.ctimes_hold()?;
    let failed = |e: std::io::Error| Failure::io("write", dir.at(CHECKED), e);
    let observe = |recorded: Stats| -> Outcome<Vec<Difference>> {
        let mut writer = new_stats(dir, CHECKED, Some(head.id), repo)?;
        let differences = compare(live, recorded, strict, &mut writer, monitor)?;
        writer.finish().map_err(failed)?;
        Ok(differences)
    };
    let side = &repo.layout.side;
    // That it is whole is known at its end: reading it twice to know that before takes long.
    let compared = stats::open(side, STATS, head.id).map(observe);
    let differences = match compared {
        Some(Ok(differences)) => differences,
        Some(Err(e)) if stats::open_checked(side, STATS, head.id).is_some() => return Err(e),
        _ => observe(rebuilt_stats(repo, head, dir)?)?,
    };
    judge(live, &differences, repo.history(), head, exactly, monitor)
}

/// Stats of which nothing but the names is known: every file is compared by content.
fn rebuilt_stats(repo: &Repo, head: &SnapshotHeader, dir: &Dir) -> Outcome<Stats> {
    const UNKNOWN: &str = "unknown";
    let failed = |e: std::io::Error| Failure::io("write", dir.at(UNKNOWN), e);
    let mut writer = new_stats(dir, UNKNOWN, Some(head.id), repo)?;
    let manifest = repo.history().manifest(head)?;
    stats::from_manifest(super::history::entries(manifest), |block| writer.put(block))
        .map_err(|e| super::layout::damaged(&repo.layout.side.at(MANIFEST), &e.to_string()))?;
    writer.finish().map_err(failed)?;
    let file = dir.open_file(UNKNOWN)?;
    dir.remove_file(UNKNOWN)?;
    stats::StatsReader::new(BufReader::with_capacity(BUFFER, file)).map_err(failed)
}

fn new_stats(
    dir: &Dir,
    name: &str,
    snapshot: Option<SnapshotId>,
    repo: &Repo,
) -> Outcome<StatsWriter<BufWriter<File>>> {
    let file = replace(dir, name, repo)?;
    StatsWriter::new(BufWriter::with_capacity(BUFFER, file), snapshot)
        .map_err(|e| Failure::io("write", dir.at(name), e))
}

/// A new file in a staging area, instead of what an earlier try left.
fn replace(dir: &Dir, name: &str, repo: &Repo) -> Outcome<File> {
    match dir.remove_file(name) {
        Err(e) if !e.is_absent() => return Err(e.into()),
        _ => {}
    }
    Ok(dir.create_new(name, repo.modes().own_file())?)
}

/// The new stats from what was just observed and what was changed.
pub(super) fn write_stats(
    repo: &Repo,
    dir: &Dir,
    base: Option<SnapshotId>,
    new: SnapshotId,
    patch: Patch,
) -> Outcome<()> {
    let failed = |e: std::io::Error| Failure::io("write", dir.at(NEW_STATS), e);
    let mut writer = new_stats(dir, NEW_STATS, Some(new), repo)?;
    let mut former = new_stats(dir, REPLACED, base, repo)?;
    match base {
        None => patch.apply(None::<Stats>, &mut writer, |_| Ok(())).map_err(failed)?,
        Some(base) => {
            let checked = BufReader::with_capacity(BUFFER, dir.open_file(CHECKED)?);
            let checked = stats::StatsReader::new(checked).map_err(failed)?;
            debug_assert_eq!(checked.snapshot(), Some(base));
            patch.apply(Some(checked), &mut writer, |block| former.put(block)).map_err(failed)?;
        }
    }
    former.finish().map_err(failed)?;
    let file = writer.finish().map_err(failed)?;
    let size = file.get_ref().metadata().map_or(u64::MAX, |m| m.len());
    if size <= 4 * 1024 * 1024 {
        // A large one reaches the disk in time; if it is torn by then, it is rebuilt.
        sys::fdatasync(file.get_ref()).map_err(|e| failed(e.into()))?;
    }
    Ok(())
}

/// Writes the new manifest, and counts.
fn write_manifest(
    repo: &Repo,
    dir: &Dir,
    publication: &Publication,
    mut totals: Totals,
    base: impl BufRead,
) -> Outcome<Listed> {
    for entry in publication.changes.iter().filter_map(|c| c.entry) {
        totals.entries += 1;
        totals.bytes = totals.bytes.saturating_add(entry.size());
    }
    let former = |_: &RepoPath, entry: Entry| {
        totals.entries = totals.entries.saturating_sub(1);
        totals.bytes = totals.bytes.saturating_sub(entry.size());
    };
    let output = BufWriter::with_capacity(BUFFER, replace(dir, NEW_MANIFEST, repo)?);
    let changes = publication.changes.iter().map(Ok);
    let patched = patch::apply(base, changes, output, Strictness::Exact, former)
        .map_err(|e| e.into_failure(&repo.layout.side.at(MANIFEST)))?;
    Ok(Listed { patched, totals })
}

/// The list of all files as a publication makes it: written, not in force.
pub(super) struct Listed {
    patched: Patched,
    totals: Totals,
}

/// Writes the new manifest of a publication.
pub(super) fn write_list(
    repo: &Repo,
    dir: &Dir,
    publication: &Publication,
    base: Option<&SnapshotHeader>,
) -> Outcome<Listed> {
    let Some(head) = base else {
        return write_manifest(repo, dir, publication, Totals::default(), std::io::empty());
    };
    let read = |file| BufReader::with_capacity(BUFFER, file);
    // The cache is proved by the very pass that uses it; if it is not what it should be,
    // that pass was in vain.
    let cached =
        repo.layout.side.open_file(MANIFEST).ok().and_then(|cache| {
            write_manifest(repo, dir, publication, head.totals, read(cache)).ok()
        });
    if let Some(listed) = cached.filter(|listed| listed.patched.base == head.manifest) {
        return Ok(listed);
    }
    let proved = repo.history().manifest(head)?;
    write_manifest(repo, dir, publication, head.totals, read(proved))
}

/// Writes the record of a publication whose list was written.
pub(super) fn write_record(
    repo: &Repo,
    dir: &Dir,
    publication: &Publication,
    base: Option<&SnapshotHeader>,
    listed: &Listed,
) -> Outcome<SnapshotHeader> {
    let Listed { patched, totals } = *listed;
    if base.is_some_and(|base| base.manifest != patched.base) {
        return Err(Failure::new(Code::HeadMoved, "The repository is another one by now.")
            .hint("Nothing was published. Look at the new status, then sync again."));
    }
    let lines = || publication.changes.iter().map(|c| line(&c.path, c.entry.as_ref()));
    let mut body = Sha256::new();
    lines().for_each(|line| body.update(line));
    let header = SnapshotHeader {
        format: SYNC_FORMAT,
        repository: repo.facts.id.clone(),
        id: base.map_or(SnapshotId::FIRST, |b| b.id.next()),
        parent: base.map(|b| b.id),
        authorship: publication.authorship.clone(),
        config: publication.config.clone(),
        totals,
        delta: patched.counts,
        manifest: patched.result,
        delta_sha256: Hash(body.finalize().into()),
        legacy: None,
        chain: Hash([0; 32]),
    }
    .chained(base.map(|b| b.chain));
    let failed = |e: std::io::Error| Failure::io("write", dir.at(RECORD), e);
    let mut file = BufWriter::with_capacity(BUFFER, replace(dir, RECORD, repo)?);
    file.write_all(header.line().as_bytes())
        .and_then(|()| lines().try_for_each(|line| file.write_all(&line)))
        .and_then(|()| file.flush())
        .and_then(|()| file.get_ref().sync_all())
        .map_err(failed)?;
    Ok(header)
}
