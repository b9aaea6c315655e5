//! Writing the index: one transaction's worth of changes.

use std::cell::RefCell;
use std::path::Path;

use dsg_core::config::{SharedConfig, Tracking};
use dsg_core::entry::Entry;
use dsg_core::failure::Outcome;
use dsg_core::manifest::Change;
use dsg_core::path::RepoPath;
use dsg_core::snapshot::SnapshotId;
use dsg_core::state::Local;
use rusqlite::{Connection, Params, params};

use super::row::{self, Row, Seen, Standing};
use super::{Device, Problem, read, sqlite};

/// Writes within one transaction; made by [`Index::batch`](super::Index::batch).
///
/// A row that stands for nothing any more (absent on all sides) goes by itself.
pub struct Batch<'a> {
    pub(super) connection: &'a Connection,
    pub(super) path: &'a Path,
    pub(super) devices: &'a RefCell<Vec<Device>>,
}

impl Batch<'_> {
    /// A setting, as this transaction sees it.
    ///
    /// # Errors
    /// The database's.
    pub fn meta(&self, key: &str) -> Outcome<Option<String>> {
        read::meta(self.connection, key).map_err(|e| sqlite(self.path, e))
    }

    /// Sets a setting, or removes it.
    ///
    /// # Errors
    /// The database's.
    pub fn set_meta(&self, key: &str, value: Option<&str>) -> Outcome<()> {
        match value {
            Some(value) => self.run(
                "INSERT INTO meta (key, value) VALUES (?1, ?2) \
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [key, value],
            ),
            None => self.run("DELETE FROM meta WHERE key = ?1", [key]),
        }
    }

    /// Sets L. For a present path give the look at it; an unknown or excluded one keeps its last
    /// look, so that nothing is read anew when it comes back unchanged.
    ///
    /// # Errors
    /// The database's.
    pub fn set_local(&self, path: &RepoPath, local: &Local, seen: Option<&Seen>) -> Outcome<()> {
        match local {
            Local::Present(entry) => self.run(
                "INSERT INTO entry (path, state, stat, l, l_mtime, l_size) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT (path) DO UPDATE SET state = excluded.state, stat = excluded.stat, \
                 l = excluded.l, l_mtime = excluded.l_mtime, l_size = excluded.l_size, note = NULL",
                params![
                    path.as_str(),
                    Standing::Present.to_sql(),
                    seen.map(|seen| row::pack(seen, self.slot(seen.stat.dev))),
                    row::identity(entry),
                    row::mtime(entry),
                    signed(entry.size()),
                ],
            ),
            Local::Absent => {
                self.run(
                    "UPDATE entry SET state = 0, stat = NULL, l = NULL, l_mtime = NULL, \
                     l_size = NULL, note = NULL WHERE path = ?1",
                    [path.as_str()],
                )?;
                self.bury(path)
            }
            Local::Unknown(reason) => self.run(
                "INSERT INTO entry (path, state, note) VALUES (?1, ?2, ?3) ON CONFLICT (path) \
                 DO UPDATE SET state = excluded.state, note = excluded.note",
                params![path.as_str(), Standing::Unknown.to_sql(), reason],
            ),
            Local::Excluded => {
                self.run(
                    "UPDATE entry SET state = ?2, note = NULL WHERE path = ?1",
                    params![path.as_str(), Standing::Excluded.to_sql()],
                )?;
                self.bury(path)
            }
        }
    }

    /// The path is there again as it was at its last look. `false` if it never was looked at.
    pub(crate) fn revive(&self, path: &RepoPath) -> Outcome<bool> {
        let sql = "UPDATE entry SET state = 1, note = NULL WHERE path = ?1 AND l NOT NULL";
        let run = || -> rusqlite::Result<_> {
            self.connection.prepare_cached(sql)?.execute([path.as_str()])
        };
        run().map(|n| n == 1).map_err(|e| sqlite(self.path, e))
    }

    /// Sets C: what both sides have agreed on, in which snapshot.
    ///
    /// # Errors
    /// The database's.
    pub fn set_cache(&self, path: &RepoPath, cache: Option<(&Entry, SnapshotId)>) -> Outcome<()> {
        let Some((entry, snapshot)) = cache else {
            self.run(
                "UPDATE entry SET c = NULL, c_mtime = NULL, c_snapshot = NULL WHERE path = ?1",
                [path.as_str()],
            )?;
            return self.bury(path);
        };
        self.run(
            "INSERT INTO entry (path, state, c, c_mtime, c_snapshot) VALUES (?1, 0, ?2, ?3, ?4) \
             ON CONFLICT (path) DO UPDATE SET c = excluded.c, c_mtime = excluded.c_mtime, \
             c_snapshot = excluded.c_snapshot",
            params![
                path.as_str(),
                row::identity(entry),
                row::mtime(entry),
                signed(snapshot.number())
            ],
        )
    }

    /// Sets R: what stands in the repository's head. A path that is new to this checkout and that
    /// `rules` do not track is excluded from the start: it must never count as deleted here.
    ///
    /// # Errors
    /// The database's.
    pub fn set_remote(
        &self,
        path: &RepoPath,
        remote: Option<&Entry>,
        rules: &SharedConfig,
    ) -> Outcome<()> {
        let Some(entry) = remote else {
            self.run("UPDATE entry SET r = NULL, r_mtime = NULL WHERE path = ?1", [path.as_str()])?;
            return self.bury(path);
        };
        self.run(
            "INSERT INTO entry (path, state, r, r_mtime) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (path) DO UPDATE SET r = excluded.r, r_mtime = excluded.r_mtime",
            params![
                path.as_str(),
                standing(path, rules).to_sql(),
                row::identity(entry),
                row::mtime(entry)
            ],
        )
    }

    /// Sets C and R: both sides agree on this, in that snapshot. As [`Batch::set_cache`] and
    /// [`Batch::set_remote`] together.
    ///
    /// # Errors
    /// The database's.
    pub fn set_agreed(
        &self,
        path: &RepoPath,
        agreed: Option<&Entry>,
        snapshot: SnapshotId,
        rules: &SharedConfig,
    ) -> Outcome<()> {
        let Some(entry) = agreed else {
            self.run(
                "UPDATE entry SET c = NULL, c_mtime = NULL, c_snapshot = NULL, r = NULL, \
                 r_mtime = NULL WHERE path = ?1",
                [path.as_str()],
            )?;
            return self.bury(path);
        };
        self.run(
            "INSERT INTO entry (path, state, c, c_mtime, c_snapshot, r, r_mtime) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?3, ?4) ON CONFLICT (path) DO UPDATE SET c = excluded.c, \
             c_mtime = excluded.c_mtime, c_snapshot = excluded.c_snapshot, r = excluded.r, \
             r_mtime = excluded.r_mtime",
            params![
                path.as_str(),
                standing(path, rules).to_sql(),
                row::identity(entry),
                row::mtime(entry),
                signed(snapshot.number())
            ],
        )
    }

    /// Begins to set R from a whole manifest.
    ///
    /// # Errors
    /// The database's.
    pub fn replace_remote<'b>(&'b self, rules: &'b SharedConfig) -> Outcome<Replacing<'b>> {
        let page = Vec::new().into_iter();
        let mut former = Former { batch: self, page, next: None, last: String::new() };
        former.advance()?;
        Ok(Replacing { former, rules })
    }

    /// The row of one path, as this transaction sees it.
    ///
    /// # Errors
    /// The database's, or a damaged row.
    pub fn row(&self, path: &RepoPath) -> Outcome<Option<Row>> {
        read::row_of(self.connection, self.devices, path).map_err(|e| sqlite(self.path, e))
    }

    /// Chosen resolutions, as this transaction sees them: `(path, kind)`.
    ///
    /// # Errors
    /// The database's.
    pub fn resolutions(&self) -> Outcome<Vec<(String, String)>> {
        read::resolutions(self.connection).map_err(|e| sqlite(self.path, e))
    }

    /// Lists a blocked path; `scan` is the number of the scan that found it.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn add_problem(&self, problem: &Problem, scan: i64) -> Outcome<()> {
        self.run(
            "INSERT OR REPLACE INTO problem (path, kind, sentence, offer, scan) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![problem.path, problem.kind.as_str(), problem.sentence, problem.offer, scan],
        )
    }

    /// Forgets problems that the scan of this number did not find: below `within`, or all.
    pub(crate) fn forget_problems(&self, within: &str, scan: i64) -> Outcome<()> {
        if within.is_empty() {
            return self.run("DELETE FROM problem WHERE scan <> ?1", [scan]);
        }
        self.run(
            "DELETE FROM problem WHERE scan <> ?2 AND (path = ?1 OR (path > ?1 || '/' AND path < ?1 || '0'))",
            params![within, scan],
        )
    }

    /// Remembers how a person wants a conflict resolved, or forgets it.
    ///
    /// # Errors
    /// The database's.
    pub fn set_resolution(&self, path: &RepoPath, kind: Option<&str>) -> Outcome<()> {
        match kind {
            Some(kind) => self.run(
                "INSERT OR REPLACE INTO resolution (path, kind) VALUES (?1, ?2)",
                [path.as_str(), kind],
            ),
            None => self.run("DELETE FROM resolution WHERE path = ?1", [path.as_str()]),
        }
    }

    /// Forgets all chosen resolutions.
    ///
    /// # Errors
    /// The database's.
    pub fn clear_resolutions(&self) -> Outcome<()> {
        self.run("DELETE FROM resolution", [])
    }

    /// Remembers that another file system begins at `path` (empty: the project's own).
    pub(crate) fn set_device(&self, path: &str, dev: u64) -> Outcome<()> {
        let mut devices = self.devices.borrow_mut();
        if let Some(known) = devices.iter_mut().find(|d| d.path == path) {
            if known.dev != dev {
                known.dev = dev;
                self.run(
                    "UPDATE device SET dev = ?2 WHERE path = ?1",
                    params![path, dev.to_le_bytes()],
                )?;
            }
            return Ok(());
        }
        let slot = devices.iter().map(|d| d.slot + 1).max().unwrap_or(0);
        devices.push(Device { slot, path: path.to_owned(), dev });
        self.run(
            "INSERT INTO device (slot, path, dev) VALUES (?1, ?2, ?3)",
            params![slot, path, dev.to_le_bytes()],
        )
    }

    /// Forgets that a file system is expected at `path`: files missing below count as deleted
    /// from the next scan on. For a person who says that it will not come back.
    ///
    /// # Errors
    /// The database's.
    pub fn forget_mount(&self, path: &str) -> Outcome<()> {
        if path.is_empty() {
            return Ok(());
        }
        self.devices.borrow_mut().retain(|d| d.path != path);
        self.run("DELETE FROM device WHERE path = ?1", [path])
    }

    /// The connection, for rooms of this crate that keep tables of their own in the same file.
    pub(crate) fn connection(&self) -> &Connection {
        self.connection
    }

    /// Where the database is.
    pub(crate) fn file(&self) -> &Path {
        self.path
    }

    /// The slot that names a device in rows; one that is not known compares as changed.
    fn slot(&self, dev: u64) -> u32 {
        self.devices.borrow().iter().find(|d| d.dev == dev).map_or(u32::MAX, |d| d.slot)
    }

    /// Removes a row that says nothing.
    fn bury(&self, path: &RepoPath) -> Outcome<()> {
        self.run(
            "DELETE FROM entry WHERE path = ?1 AND c IS NULL AND r IS NULL AND state IN (0, 3)",
            [path.as_str()],
        )
    }

    pub(crate) fn run(&self, sql: &str, values: impl Params) -> Outcome<()> {
        let run =
            || -> rusqlite::Result<_> { self.connection.prepare_cached(sql)?.execute(values) };
        run().map(|_| ()).map_err(|e| sqlite(self.path, e))
    }
}

/// `SQLite` has no unsigned numbers; neither sizes nor snapshots reach the difference.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What L is of a path that is new to this checkout.
fn standing(path: &RepoPath, rules: &SharedConfig) -> Standing {
    if rules.file(path) == Tracking::Tracked { Standing::Absent } else { Standing::Excluded }
}

/// A whole manifest on its way to become R, one path after the other.
pub struct Replacing<'b> {
    former: Former<'b>,
    rules: &'b SharedConfig,
}

impl Replacing<'_> {
    /// Takes the next path of the manifest, which is sorted: what it passes over is not there any
    /// more.
    ///
    /// # Errors
    /// The database's.
    pub fn put(&mut self, change: &Change) -> Outcome<()> {
        let Self { former, rules } = self;
        while let Some(gone) = former.next.take_if(|gone| *gone < change.path) {
            former.advance()?;
            former.batch.set_remote(&gone, None, rules)?;
        }
        if former.next.as_ref() == Some(&change.path) {
            former.advance()?;
        }
        former.batch.set_remote(&change.path, change.entry.as_ref(), rules)
    }

    /// The manifest has no more paths.
    ///
    /// # Errors
    /// The database's.
    pub fn finish(self) -> Outcome<()> {
        let Self { mut former, rules } = self;
        while let Some(gone) = former.next.take() {
            former.advance()?;
            former.batch.set_remote(&gone, None, rules)?;
        }
        Ok(())
    }
}

/// The paths of the former head, in order, while the new one is written over it. Always one step
/// ahead of the writing, so that it never meets a row that was just written.
struct Former<'a> {
    batch: &'a Batch<'a>,
    page: std::vec::IntoIter<RepoPath>,
    next: Option<RepoPath>,
    last: String,
}

impl Former<'_> {
    fn advance(&mut self) -> Outcome<()> {
        self.next = self.page.next();
        if self.next.is_none() {
            let batch = self.batch;
            self.page = read::remote_page(batch.connection, batch.path, &self.last)?.into_iter();
            self.next = self.page.next();
        }
        if let Some(next) = &self.next {
            self.last.clear();
            self.last.push_str(next);
        }
        Ok(())
    }
}
