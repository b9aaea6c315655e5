//! Looking at the project's folder: what is there now, against what the index knows.
//!
//! Owns the merge of the sorted walk with the sorted rows, the decision which files are read anew,
//! and the one rule that everything else leans on: *absent* is said only of a path that was looked
//! for in a place that could be looked at. What is unreadable, changing, beneath a file system
//! that is not mounted, or named as no repository can hold it, is unknown and listed as a problem.
//!
//! A scan that is stopped half-way leaves an index that is right in each row and merely older in
//! some.

mod ground;
mod merge;
mod one;
mod pool;
pub(crate) mod problem;
mod rows;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dsg_core::config::{SharedConfig, Tracking};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Monitor, Phase};
use dsg_core::path::RepoPath;
use dsg_core::state::Local;
use dsg_fs::dir::Dir;
use dsg_fs::stat::Kind;
use dsg_fs::walk::Take;

use crate::index::{Index, Problem, ProblemKind, Seen};
use ground::Ground;
use pool::Pool;
use rows::{Groups, Rows};

/// Rows that are written in one transaction.
const BATCH: usize = 4096;
/// Nothing that was learned waits longer for the disk.
const PATIENCE: Duration = Duration::from_secs(1);
/// The setting that numbers scans.
const SCAN: &str = "scan";

/// How much is looked at.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// The whole project.
    All,
    /// These paths from the project's root: files, folders with all below, and what is not there
    /// any more. Costs what they hold, not what the project holds.
    Paths(&'a [String]),
}

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanSummary {
    /// Tracked files and links that are there.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were read.
    pub hashed_files: u64,
    /// Their bytes.
    pub hashed_bytes: u64,
    /// Problems found: blocked files, and folders that are blocked with all below.
    pub blocked: u64,
    /// Paths that were there at the last look and are not now.
    pub vanished: u64,
    /// Data folders that held synced files and hold nothing now; only known after [`Scope::All`].
    pub empty_data_dirs: Vec<EmptyDataDir>,
    /// Folders whose file system is not mounted, with synced files below.
    pub unmounted: Vec<String>,
}

/// A data folder that is empty or gone, although files of it were synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmptyDataDir {
    /// Its path; `.` for the whole project.
    pub path: String,
    /// Synced paths in it.
    pub cached: u64,
}

/// The time in nanoseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The computer's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
    })
}

/// Looks at the project at `root` and brings L in the index up to date.
///
/// # Errors
/// The folder is not the one that the index belongs to ([`Code::EmptyRoot`]), cannot be read at
/// all, the index cannot be written, or the scan was stopped.
pub fn scan(
    root: &Path,
    rules: &SharedConfig,
    index: &mut Index,
    scope: Scope<'_>,
    monitor: &Monitor,
) -> Outcome<ScanSummary> {
    scan_at(root, rules, index, scope, monitor, system_clock())
}

/// As [`scan`], with a clock of the caller's.
///
/// # Errors
/// As [`scan`].
pub fn scan_at(
    root: &Path,
    rules: &SharedConfig,
    index: &mut Index,
    scope: Scope<'_>,
    monitor: &Monitor,
    clock: Clock,
) -> Outcome<ScanSummary> {
    monitor.phase(Phase::Scanning, None, None);
    let root = Dir::open(root)?;
    prove_root(&root, index)?;
    let number = next_number(index, &root)?;
    let ground = Ground::new(index);
    let mut scan = Scan {
        pool: Pool::new(&root, monitor, clock)?,
        root,
        rules: Arc::new(rules.clone()),
        index,
        monitor: monitor.clone(),
        number,
        ground,
        blocked: None,
        illegal: None,
        writes: Vec::new(),
        written: Instant::now(),
        groups: Groups::default(),
        told: 0,
        summary: ScanSummary::default(),
    };
    let done = match scope {
        Scope::All => scan.all(),
        Scope::Paths(paths) => scan.paths(paths),
    };
    // What was learned until a stop or a failure is right, and need not be learned again.
    let kept = scan.write();
    done.and(kept)?;
    Ok(scan.summary)
}

/// The project's folder must be the one whose `.dsg/state.db` was opened: an empty folder over
/// which nothing is mounted any more, or another disk mounted there, would look deleted.
fn prove_root(root: &Dir, index: &Index) -> Outcome<()> {
    let found = root.stat(".dsg/state.db")?;
    if found.map(|s| (s.dev, s.ino)) == Some(index.identity()) {
        return Ok(());
    }
    let message = format!(
        "{} is not the project that was opened: its .dsg folder is {}.",
        root.path().display(),
        if found.is_some() { "another one" } else { "not there" },
    );
    Err(Failure::new(Code::EmptyRoot, message).hint(
        "Check that its disk or network share is connected and mounted, then open the project \
         again. Nothing was changed.",
    ))
}

fn next_number(index: &mut Index, root: &Dir) -> Outcome<i64> {
    let dev = root.own_stat()?.dev;
    index.batch(|b| {
        let last = b.meta(SCAN)?.and_then(|n| n.parse().ok()).unwrap_or(0_i64);
        let number = last.wrapping_add(1);
        b.set_meta(SCAN, Some(&number.to_string()))?;
        b.set_device("", dev)?;
        Ok(number)
    })
}

/// Something learned, to be written with others.
enum Write {
    Local(RepoPath, Local, Option<Seen>),
    Revive(RepoPath),
    Problem(Problem),
}

/// A scan under way.
struct Scan<'a> {
    root: Dir,
    rules: Arc<SharedConfig>,
    index: &'a mut Index,
    monitor: Monitor,
    number: i64,
    ground: Ground,
    /// Nothing at or below this folder can be known now.
    blocked: Option<Blocked>,
    /// The folder with an illegal name that was listed last.
    illegal: Option<String>,
    pool: Pool,
    writes: Vec<Write>,
    written: Instant,
    groups: Groups,
    /// Files that the monitor was not told of yet.
    told: u64,
    summary: ScanSummary,
}

/// A folder of which nothing can be known.
struct Blocked {
    dir: String,
    reason: String,
}

impl Scan<'_> {
    fn all(&mut self) -> Outcome<()> {
        let walk = self.walk("")?;
        self.merge(Some(walk), Rows::all())?;
        self.finish_hashing()?;
        self.write()?;
        self.groups.finish(&mut self.summary);
        self.settle_mounts()?;
        let number = self.number;
        self.index.batch(|b| b.forget_problems("", number))
    }

    fn paths(&mut self, paths: &[String]) -> Outcome<()> {
        let mut sorted: Vec<&str> = paths.iter().map(|p| p.trim_matches('/')).collect();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.first() == Some(&"") {
            return self.all();
        }
        let named: BTreeSet<&str> = sorted.iter().copied().collect();
        let inside =
            |path: &str| path.match_indices('/').any(|(at, _)| named.contains(&path[..at]));
        let odd = |path: &str| path.split('/').any(|c| matches!(c, "" | "." | ".."));
        sorted.retain(|path| !inside(path) && !odd(path));
        for path in &sorted {
            self.monitor.check()?;
            self.one(path)?;
        }
        self.finish_hashing()?;
        self.write()?;
        let number = self.number;
        self.index.batch(|b| sorted.iter().try_for_each(|path| b.forget_problems(path, number)))
    }

    fn walk(&self, start: &str) -> Outcome<dsg_fs::walk::Walk> {
        let rules = self.rules.clone();
        let take: Arc<Take> = Arc::new(move |path, kind| {
            let path = path.to_string_lossy();
            match kind {
                Kind::Dir => enters(&rules, &path),
                _ => rules.file(&path) == Tracking::Tracked,
            }
        });
        let pace = dsg_fs::walk::Pace::default();
        Ok(dsg_fs::walk::Walk::new(&self.root, Path::new(start), take, pace)?)
    }

    /// Writes what was learned, if it is enough or old enough.
    fn write_some(&mut self) -> Outcome<()> {
        let due = self.writes.len() >= BATCH
            || (!self.writes.is_empty() && self.written.elapsed() >= PATIENCE);
        if due { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Outcome<()> {
        self.written = Instant::now();
        let writes = std::mem::take(&mut self.writes);
        if writes.is_empty() {
            return Ok(());
        }
        let number = self.number;
        self.index.batch(|b| {
            for write in &writes {
                match write {
                    Write::Local(path, local, seen) => b.set_local(path, local, seen.as_ref())?,
                    Write::Revive(path) => drop(b.revive(path)?),
                    Write::Problem(problem) => b.add_problem(problem, number)?,
                }
            }
            Ok(())
        })
    }

    fn problem(&mut self, problem: Problem) {
        self.summary.blocked += 1;
        self.writes.push(Write::Problem(problem));
    }

    /// Blocks one path: listed, and unknown.
    fn unknown(&mut self, path: RepoPath, kind: ProblemKind, sentence: String) {
        self.writes.push(Write::Local(path.clone(), Local::Unknown(sentence.clone()), None));
        self.problem(Problem { path: path.into(), kind, sentence, offer: None });
    }
}

/// Whether a scan and a watch go into the directory at `path`.
pub(crate) fn enters(rules: &SharedConfig, path: &str) -> bool {
    !matches!(rules.directory(path), Tracking::Hidden | Tracking::Ignored)
}

#[cfg(test)]
mod tests;
