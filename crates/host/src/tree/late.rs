//! Writes that reached the former tree around the exchange.
//!
//! A process on the host that had the live tree open goes on writing to what is now the former
//! tree. Whatever it made there that the live tree does not share is moved into the live tree,
//! never over anything: it shows as drift at the next operation, and a person decides.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use dsg_core::failure::Outcome;
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::Dir;
use dsg_fs::error::FsResult;
use dsg_fs::stat::Kind;

use super::check::beneath;
use super::staging::{CHECKED, REPLACED};
use super::stats::{Block, Frame, Seen, join, open_checked, split};

/// Moves what late writers left in `former` into `live`; gives the paths there.
pub(super) fn rescue(
    former: &Dir,
    live: &Dir,
    staging: &Dir,
    base: SnapshotId,
    new: SnapshotId,
) -> Outcome<Vec<String>> {
    let mut late = Vec::new();
    // Both files are caches: if a power cut tore them, the writes are still in the former tree.
    if let Some(replaced) = open_checked(staging, REPLACED, base) {
        for block in replaced.map_while(Result::ok) {
            late.extend(rewritten(former, &block)?);
        }
    }
    if let Some(mut checked) = open_checked(staging, CHECKED, base) {
        while let Ok(Some(frame)) = checked.frame() {
            late.extend(renamed(former, live, &frame)?);
        }
    }
    late.sort_unstable();
    late.dedup();
    let mut rescued = Vec::new();
    for path in late {
        if let Some(at) = bring(former, live, &path, new)? {
            rescued.push(String::from_utf8_lossy(&at).into_owned());
        }
    }
    if !rescued.is_empty() {
        live.syncfs()?;
    }
    Ok(rescued)
}

/// Files that only the former tree has, and that are not as they were recorded.
fn rewritten(former: &Dir, block: &Block) -> FsResult<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    for (name, was) in &block.names {
        let path = block.path(name);
        if let Some(stat) = former.stat(OsStr::from_bytes(&path))?
            // The removal of the staging tree's name for it moved its change time on.
            && !was.holds(&Seen::of(&stat), false)
        {
            found.push(path);
        }
    }
    Ok(found)
}

/// Names that came, or changed hands, in a directory that was touched since it was compared.
fn renamed(former: &Dir, live: &Dir, frame: &Frame) -> FsResult<Vec<Vec<u8>>> {
    let dir = match beneath(former, frame.dir().unwrap_or_default()) {
        Ok(dir) => dir,
        Err(e) if e.is_absent() || e.is_escape() => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    if Some(dir.own_stat()?.mtime.0) == frame.mtime() {
        return Ok(Vec::new());
    }
    let Ok(block) = frame.parse() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let mut left: Vec<Vec<u8>> =
        dir.list()?.into_iter().map(|n| block.path(&n.name.into_vec())).collect();
    while let Some(path) = left.pop() {
        let rel = OsStr::from_bytes(&path);
        let Some(stat) = former.stat(rel)? else { continue };
        let (parent, name) = split(&path);
        let recorded = (parent == block.dir)
            .then(|| block.names.binary_search_by(|(n, _)| n[..].cmp(name)).ok())
            .flatten()
            .map(|i| block.names[i].1);
        if stat.kind == Kind::Dir {
            if recorded.is_none() {
                let below = former.open_beneath(rel)?.list()?;
                left.extend(below.into_iter().map(|n| join(&path, n.name.as_bytes())));
            }
            continue;
        }
        // The same inode in the live tree has every byte of it.
        let shared = live.stat(rel).ok().flatten().is_some_and(|l| l.ino == stat.ino);
        if !shared && recorded.is_none_or(|was| !was.holds(&Seen::of(&stat), false)) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Moves one file into the live tree, under a free name; `None` if it is gone.
fn bring(former: &Dir, live: &Dir, path: &[u8], new: SnapshotId) -> Outcome<Option<Vec<u8>>> {
    let rel = Path::new(OsStr::from_bytes(path));
    if former.stat(rel)?.is_none() {
        return Ok(None);
    }
    let (dir, name) = split(path);
    let made = if dir.is_empty() {
        Ok(Vec::new())
    } else {
        live.ensure_dirs(OsStr::from_bytes(dir), None)
    };
    // Where its directory is a file now, it goes to the top.
    let dir = if made.is_ok() { dir } else { b"" };
    for turn in 0..10_000 {
        let at = join(dir, &free_name(name, new, turn));
        match former.rename_noreplace(rel, live, OsStr::from_bytes(&at)) {
            Ok(()) => return Ok(Some(at)),
            Err(e) if e.is_present() => {}
            Err(e) if e.is_unsupported() && live.stat(OsStr::from_bytes(&at))?.is_none() => {
                former.rename_replacing(rel, live, OsStr::from_bytes(&at))?;
                return Ok(Some(at));
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(None)
}

/// The name itself first, then `name.late-s2.ext`, `name.late-s2-1.ext`, …
pub(super) fn free_name(name: &[u8], new: SnapshotId, turn: u32) -> Vec<u8> {
    let mark = match turn {
        0 => return name.to_vec(),
        1 => format!(".late-{new}"),
        n => format!(".late-{new}-{}", n - 1),
    };
    let dot = name.iter().rposition(|&b| b == b'.').filter(|&i| i > 0).unwrap_or(name.len());
    let stem = &name[..dot.min(200)];
    [stem, mark.as_bytes(), &name[dot..]].concat()
}
