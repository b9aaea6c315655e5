//! Compares a live tree with its recorded stats, directory by directory, on several threads.
//!
//! Owns finding differences, not judging them ([`super::drift`] does). What was observed is
//! written as new stats in the same pass. Work is handed out by recorded directory, so nothing of
//! the size of the tree is held; the results are put back in order before they are written.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use crossbeam_channel::bounded;
use dsg_core::failure::{Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_fs::dir::Dir;
use dsg_fs::error::FsResult;
use dsg_fs::stat::Kind;

use super::stats::{Block, Seen, StatsWriter, join};

/// How one name differs from what was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// It was not there.
    Added(Kind),
    /// It is not there any more, or is a directory now.
    Gone,
    /// It is there, but its stat is another.
    Touched,
}

/// A name that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// From the root.
    pub(super) path: Vec<u8>,
    /// How.
    pub(super) what: What,
}

/// The directory `rel` below `root`; empty is the root itself.
pub(super) fn beneath(root: &Dir, rel: &[u8]) -> FsResult<Dir> {
    if rel.is_empty() { root.try_clone() } else { root.open_beneath(OsStr::from_bytes(rel)) }
}

/// Threads that are worth starting.
pub(super) fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8)
}

/// Compares `live` with the recorded `blocks`; `strict`: change times count.
pub(super) fn compare<W: Write>(
    live: &Dir,
    blocks: impl Iterator<Item = io::Result<Block>> + Send,
    strict: bool,
    output: &mut StatsWriter<W>,
    monitor: &Monitor,
) -> Outcome<Vec<Difference>> {
    let stats_failure = |e: io::Error| Failure::io("read or write the stats of", live.path(), e);
    let (to_workers, jobs) = bounded::<(u64, io::Result<Block>)>(256);
    let (to_writer, done) = bounded(256);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for job in (0..).zip(blocks) {
                let last = job.1.is_err();
                if to_workers.send(job).is_err() || last {
                    return;
                }
            }
        });
        for _ in 0..workers() {
            let (jobs, to_writer) = (jobs.clone(), to_writer.clone());
            scope.spawn(move || {
                for (turn, block) in jobs {
                    let observed = block.map_err(stats_failure).and_then(|block| {
                        monitor.check()?;
                        let files = block.names.iter().filter(|(_, seen)| seen.kind != Kind::Dir);
                        let files = files.count() as u64;
                        let observed = observe(live, block, strict)?;
                        monitor.advanced(files, 0);
                        Ok(observed)
                    });
                    if to_writer.send((turn, observed)).is_err() {
                        return;
                    }
                }
            });
        }
        drop((jobs, to_writer));
        let mut differences = Vec::new();
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        for (turn, observed) in done {
            let (block, mut found) = observed?;
            differences.append(&mut found);
            waiting.insert(turn, block);
            while let Some(block) = waiting.remove(&next) {
                next += 1;
                if let Some(block) = block {
                    output.put(&block).map_err(stats_failure)?;
                }
            }
        }
        differences.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(differences)
    })
}

type Observed = (Option<Block>, Vec<Difference>);

/// One recorded directory as it is now.
fn observe(live: &Dir, recorded: Block, strict: bool) -> FsResult<Observed> {
    let mut differences = Vec::new();
    let dir = match beneath(live, &recorded.dir) {
        Ok(dir) => dir,
        Err(e) if e.is_absent() || e.is_escape() => {
            for (name, seen) in &recorded.names {
                if seen.kind != Kind::Dir {
                    differences.push(Difference { path: recorded.path(name), what: What::Gone });
                }
            }
            return Ok((None, differences));
        }
        Err(e) => return Err(e),
    };
    // Before the listing: a name that comes later moves it on.
    let mtime = dir.own_stat()?.mtime.0;
    let mut here: Vec<Vec<u8>> = dir.list()?.into_iter().map(|n| n.name.into_vec()).collect();
    here.sort_unstable();
    let mut now =
        Block { dir: recorded.dir, mtime, names: Vec::with_capacity(recorded.names.len()) };
    let mut recorded = recorded.names.into_iter().peekable();
    let mut here = here.into_iter().peekable();
    loop {
        let (name, was) = match (here.peek(), recorded.peek()) {
            (None, None) => break,
            (Some(name), Some((was, _))) if name == was => {
                (here.next().unwrap_or_default(), recorded.next().map(|(_, seen)| seen))
            }
            (Some(name), Some((was, _))) if name < was => (here.next().unwrap_or_default(), None),
            (Some(_), None) => (here.next().unwrap_or_default(), None),
            (_, Some(_)) => {
                if let Some((name, seen)) = recorded.next()
                    && seen.kind != Kind::Dir
                {
                    differences.push(Difference { path: now.path(&name), what: What::Gone });
                }
                continue;
            }
        };
        let Some(stat) = dir.stat(OsStr::from_bytes(&name))? else {
            if was.is_some_and(|w| w.kind != Kind::Dir) {
                differences.push(Difference { path: now.path(&name), what: What::Gone });
            }
            continue;
        };
        let is = Seen::of(&stat);
        match was {
            Some(was) if was.kind == Kind::Dir && is.kind == Kind::Dir => {
                now.names.push((name, Seen::dir()));
            }
            Some(was) if was.kind != Kind::Dir && is.kind != Kind::Dir => {
                if !was.holds(&is, strict) {
                    differences.push(Difference { path: now.path(&name), what: What::Touched });
                }
                now.names.push((name, is));
            }
            was => {
                let path = now.path(&name);
                if was.is_some_and(|w| w.kind != Kind::Dir) {
                    differences.push(Difference { path: path.clone(), what: What::Gone });
                }
                added(live, path, is.kind, &mut differences)?;
            }
        }
    }
    Ok((Some(now), differences))
}

/// All that stands at a path that was not recorded.
fn added(live: &Dir, path: Vec<u8>, kind: Kind, found: &mut Vec<Difference>) -> FsResult<()> {
    let mut left = vec![(path, kind)];
    while let Some((path, kind)) = left.pop() {
        if kind == Kind::Dir {
            let dir = match live.open_beneath(OsStr::from_bytes(&path)) {
                Ok(dir) => dir,
                Err(e) if e.is_absent() || e.is_escape() => continue,
                Err(e) => return Err(e),
            };
            for child in dir.list()? {
                let kind = match child.kind {
                    Some(kind) => kind,
                    None => match dir.stat(Path::new(&child.name))? {
                        Some(stat) => stat.kind,
                        None => continue,
                    },
                };
                left.push((join(&path, child.name.as_bytes()), kind));
            }
        }
        found.push(Difference { path, what: What::Added(kind) });
    }
    Ok(())
}
