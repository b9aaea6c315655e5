//! The merge: steps of the walk against rows of the index, both in the order of paths.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use dsg_core::config::Tracking;
use dsg_core::entry::{Entry, FileEntry, LinkTarget};
use dsg_core::failure::Outcome;
use dsg_core::path::RepoPath;
use dsg_core::state::Local;
use dsg_fs::hash::Reading;
use dsg_fs::stat::{Kind, Stat};
use dsg_fs::walk::{Twin, Walk, What};

use super::rows::Rows;
use super::{Blocked, Scan, Write, problem};
use crate::index::{Known, Problem, ProblemKind, Seen, Standing};

/// Files between two reports to the monitor.
const REPORT: u64 = 500;
impl Scan<'_> {
    pub(super) fn merge(&mut self, walk: Option<Walk>, mut rows: Rows) -> Outcome<()> {
        let mut row = rows.next(self.index)?;
        let mut walk = walk;
        let mut key = Vec::new();
        let mut count = 0_u32;
        while let Some(step) = walk.as_mut().and_then(Walk::next) {
            count = count.wrapping_add(1);
            if count.is_multiple_of(64) {
                self.monitor.check()?;
                self.take_readings(false)?;
                self.write_some()?;
            }
            key.clear();
            key.extend(step.path().as_bytes());
            if step.is_dir() {
                key.push(b'/');
            }
            let mut own = None;
            while let Some(next) = row.take() {
                match next.path.as_bytes().cmp(&key) {
                    Ordering::Less => self.unseen(next)?,
                    Ordering::Equal => own = Some(next),
                    Ordering::Greater => {
                        row = Some(next);
                        break;
                    }
                }
                row = rows.next(self.index)?;
            }
            self.seen(step.path(), &step.what, step.twins.as_deref(), own)?;
        }
        while let Some(next) = row {
            count = count.wrapping_add(1);
            if count.is_multiple_of(64) {
                self.monitor.check()?;
                self.write_some()?;
            }
            self.unseen(next)?;
            row = rows.next(self.index)?;
        }
        Ok(())
    }

    pub(super) fn look(&self, path: &str) -> Result<Option<Stat>, dsg_fs::error::FsError> {
        match self.root.stat(path) {
            Err(e) if e.is_escape() => Ok(None),
            other => other,
        }
    }

    pub(super) fn block(&mut self, dir: &str, reason: String) {
        if self.blocked.is_none() {
            self.blocked = Some(Blocked { dir: dir.to_owned(), reason });
        }
    }

    /// Why nothing can be known of `path`, if a folder above it is blocked.
    fn blocked_reason(&mut self, path: &str) -> Option<String> {
        let blocked = self.blocked.as_ref()?;
        match path.strip_prefix(blocked.dir.as_str()) {
            Some(rest) if rest.starts_with('/') => Some(blocked.reason.clone()),
            // In order, a folder's own entries come together; what else comes after it is past.
            _ => {
                if path > blocked.dir.as_str() {
                    self.blocked = None;
                }
                None
            }
        }
    }

    /// A path that the walk gave.
    pub(super) fn seen(
        &mut self,
        os_path: &OsStr,
        what: &What,
        twins: Option<&[Twin]>,
        row: Option<Known>,
    ) -> Outcome<()> {
        let path = os_path.to_string_lossy();
        let path = path.as_ref();
        if self.blocked_reason(path).is_some() {
            return row.map_or(Ok(()), |row| self.unseen(row));
        }
        let stat = match what {
            What::Leaf(stat) => stat,
            What::Hole { error, dir } => return self.hole(path, error, *dir, row),
            What::Dir { stat, parent } => {
                if !self.tread(path, stat, *parent)? {
                    self.block(path, problem::unmounted());
                } else if let Some(sentence) = self.loses(path, twins)? {
                    self.block(path, sentence.clone());
                    let kind = ProblemKind::Case;
                    self.problem(Problem { path: path.to_owned(), kind, sentence, offer: None });
                }
                return Ok(());
            }
        };
        // A row's path was proved when it was read: no need to prove it twice for each file.
        let proved = row.as_ref().filter(|row| row.path.as_str() == path).map(|r| r.path.clone());
        let legal = match proved.map_or_else(|| RepoPath::from_bytes(os_path.as_bytes()), Ok) {
            Ok(legal) => legal,
            Err(error) => {
                return self.illegal_name(path, &error);
            }
        };
        self.groups.note(&self.rules.data_dirs, path, row.as_ref().is_some_and(|r| r.cached), true);
        if stat.kind == Kind::Special {
            self.unknown(legal, ProblemKind::Special, problem::special());
            return Ok(());
        }
        if let Some(sentence) = self.loses(path, twins)? {
            self.unknown(legal, ProblemKind::Case, sentence);
            return Ok(());
        }
        self.present(legal, stat, row.as_ref())
    }

    /// A tracked file or link that is there.
    fn present(&mut self, path: RepoPath, stat: &Stat, row: Option<&Known>) -> Outcome<()> {
        if let Some((row, seen)) = row.and_then(|row| Some((row, row.seen?))) {
            let same = self.ground.device(row.slot) == Some(stat.dev)
                && Stat { dev: stat.dev, ..seen.stat }.unchanged(stat);
            if same && !seen.racy {
                self.count(stat);
                if row.standing != Standing::Present {
                    self.writes.push(Write::Revive(path));
                }
                return Ok(());
            }
        }
        if stat.kind == Kind::Link {
            let target = match self.root.read_link(path.as_str()) {
                Ok(target) => target,
                Err(e) if e.is_absent() || e.is_escape() => {
                    self.summary.vanished += 1;
                    self.writes.push(Write::Local(path, Local::Absent, None));
                    return Ok(());
                }
                Err(error) => return self.hole(path.clone().as_str(), &error, false, None),
            };
            let text = target.to_str().unwrap_or_default();
            match LinkTarget::parse(&path, text) {
                Ok(target) => {
                    self.count(stat);
                    // A link's target never changes: another one is another inode.
                    let seen = Seen { stat: *stat, racy: false };
                    let local = Local::Present(Entry::Link(target));
                    self.writes.push(Write::Local(path, local, Some(seen)));
                }
                Err(error) => self.unknown(path, ProblemKind::Link, problem::bad_link(&error)),
            }
            return Ok(());
        }
        while self.pool.is_full() {
            self.take_readings(true)?;
        }
        self.pool.give(path);
        Ok(())
    }

    /// A row whose path the walk did not give.
    pub(super) fn unseen(&mut self, row: Known) -> Outcome<()> {
        let tracked = self.rules.file(&row.path) == Tracking::Tracked;
        let blocked = self.blocked_reason(&row.path);
        if !tracked {
            if row.standing != Standing::Excluded {
                self.writes.push(Write::Local(row.path, Local::Excluded, None));
            }
            return Ok(());
        }
        let missing = || self.ground.is_missing(&row.path).then(problem::unmounted);
        if let Some(reason) = blocked.or_else(missing) {
            self.groups.note(&self.rules.data_dirs, &row.path, row.cached, true);
            if row.standing != Standing::Unknown || row.note.as_deref() != Some(reason.as_str()) {
                self.writes.push(Write::Local(row.path, Local::Unknown(reason), None));
            }
            return Ok(());
        }
        if row.standing != Standing::Absent {
            // A listing may miss a name that is renamed meanwhile: ask for this very one.
            match self.root.stat(row.path.as_str()) {
                Ok(Some(stat)) if stat.kind != Kind::Dir => {
                    let path = row.path.clone();
                    return self.seen(
                        OsStr::new(path.as_str()),
                        &What::Leaf(stat),
                        None,
                        Some(row),
                    );
                }
                Ok(_) => {}
                // A link that is tracked itself has taken the folder's place.
                Err(error) if error.is_escape() && self.is_below_tracked_link(&row.path) => {}
                Err(error) => {
                    let path = row.path.clone();
                    return self.hole(&path, &error, false, Some(row));
                }
            }
            self.summary.vanished += 1;
            self.writes.push(Write::Local(row.path.clone(), Local::Absent, None));
        }
        self.groups.note(&self.rules.data_dirs, &row.path, row.cached, false);
        Ok(())
    }

    /// Whether the first link above `path` is one that can be tracked. Behind any other nothing
    /// is known: data may have been moved elsewhere and linked.
    fn is_below_tracked_link(&self, path: &RepoPath) -> bool {
        let above: Vec<&str> = path.ancestors().collect();
        let is_link = |dir: &&&str| matches!(self.root.stat(**dir), Ok(Some(stat)) if stat.kind == Kind::Link);
        let Some(link) = above.iter().rev().find(is_link) else { return false };
        let Ok(at) = RepoPath::parse(link) else { return false };
        let target = self.root.read_link(*link).ok().and_then(|t| t.into_string().ok());
        self.rules.file(link) == Tracking::Tracked
            && target.is_some_and(|t| dsg_core::entry::LinkTarget::parse(&at, &t).is_ok())
    }

    /// Something that cannot be looked at.
    pub(super) fn hole(
        &mut self,
        path: &str,
        error: &dsg_fs::error::FsError,
        dir: bool,
        row: Option<Known>,
    ) -> Outcome<()> {
        let (kind, sentence) = problem::unreadable(error);
        if dir {
            self.block(path, sentence.clone());
            // Outside the data folders, only what was synced makes it worth a word.
            let matters = self.rules.directory(path) == Tracking::Tracked;
            if matters || self.index.is_shared(path)? {
                let sentence = sentence.clone();
                self.problem(Problem { path: path.to_owned(), kind, sentence, offer: None });
            }
        }
        let legal = match row {
            Some(row) => {
                self.groups.note(&self.rules.data_dirs, path, row.cached, true);
                Some(row.path)
            }
            None => RepoPath::parse(path).ok().filter(|_| !dir),
        };
        match legal {
            Some(path) if dir => {
                self.writes.push(Write::Local(path, Local::Unknown(sentence), None));
            }
            Some(path) => self.unknown(path, kind, sentence),
            None if dir => {}
            None => self.problem(Problem { path: path.to_owned(), kind, sentence, offer: None }),
        }
        Ok(())
    }

    fn illegal_name(&mut self, path: &str, error: &dsg_core::path::PathError) -> Outcome<()> {
        let inside = |dir: &String| {
            path.strip_prefix(dir.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        if self.illegal.as_ref().is_some_and(inside) {
            return Ok(());
        }
        let mut problem = problem::illegal_name(path, error);
        if let Some(offer) = &problem.offer
            && self.index.is_shared(offer)?
        {
            problem.sentence += &problem::offer_taken(offer);
        }
        self.illegal = (problem.path != path).then(|| problem.path.clone());
        self.problem(problem);
        Ok(())
    }

    /// Why `path` must stand back behind another of its twins: those that were synced stay, else
    /// the first one.
    fn loses(&self, path: &str, twins: Option<&[Twin]>) -> Outcome<Option<String>> {
        let Some(twins) = twins else { return Ok(None) };
        let (stem, name) = path.rsplit_once('/').map_or(("", path), |(dir, name)| (dir, name));
        let whole = |twin: &Twin| {
            if stem.is_empty() { twin.name.clone() } else { format!("{stem}/{}", twin.name) }
        };
        if self.index.is_shared(path)? {
            return Ok(None);
        }
        let mut first: Option<&str> = None;
        for twin in twins {
            if self.index.is_shared(&whole(twin))? {
                return Ok(Some(problem::case(name, &twin.name)));
            }
            if first.is_none_or(|first| twin.name.as_str() < first) {
                first = Some(&twin.name);
            }
        }
        Ok(first.filter(|first| *first != name).map(|first| problem::case(name, first)))
    }

    fn count(&mut self, stat: &Stat) {
        self.summary.files += 1;
        if stat.kind == Kind::File {
            self.summary.bytes += stat.size;
        }
        self.told += 1;
        if self.told >= REPORT {
            self.monitor.advanced(self.told, 0);
            self.told = 0;
        }
    }

    pub(super) fn finish_hashing(&mut self) -> Outcome<()> {
        self.take_readings(true)?;
        while self.pool.is_busy() {
            self.take_readings(true)?;
        }
        self.monitor.advanced(self.told, 0);
        self.told = 0;
        Ok(())
    }

    /// Takes what was read so far; with `wait`, at least one if any is under way.
    fn take_readings(&mut self, wait: bool) -> Outcome<()> {
        let mut wait = wait;
        while let Some(read) = self.pool.take(wait) {
            wait = false;
            match read.reading? {
                Reading::Stable(hashed) => {
                    let stat = hashed.stat;
                    self.count(&stat);
                    self.summary.hashed_files += 1;
                    self.summary.hashed_bytes += stat.size;
                    let mut seen = Seen::new(stat, read.when);
                    seen.racy |= hashed.maybe_dirty;
                    let entry = FileEntry {
                        size: stat.size,
                        mtime: stat.mtime,
                        exec: stat.exec(),
                        hash: hashed.hash,
                    };
                    let local = Local::Present(Entry::File(entry));
                    self.writes.push(Write::Local(read.path, local, Some(seen)));
                }
                Reading::Changing => {
                    self.unknown(read.path, ProblemKind::Changing, problem::changing());
                }
                Reading::Failed(error) if error.is_absent() => {
                    self.summary.vanished += 1;
                    self.writes.push(Write::Local(read.path, Local::Absent, None));
                }
                Reading::Failed(error) => {
                    let (kind, sentence) = problem::unreadable(&error);
                    self.unknown(read.path, kind, sentence);
                }
            }
            self.write_some()?;
        }
        Ok(())
    }
}
