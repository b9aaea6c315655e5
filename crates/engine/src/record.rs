//! The sealed record of a transaction: from here on a crash is finished or undone, never guessed.
//!
//! Written in one SQLite transaction before the publish, removed in the one that tells the index
//! what was settled. It holds everything that settling needs, and is bound to this very folder
//! (device and inodes), so that a copied checkout never replays it.

#[cfg(test)]
mod tests;

use std::path::Path;

use dsg_core::config::SharedConfig;
use dsg_core::entry::{Entry, Mtime};
use dsg_core::failure::Outcome;
use dsg_core::path::RepoPath;
use dsg_core::plan::effects::{Source, Step};
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::Dir;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use crate::areas::{DOT_DSG, Ground};
use crate::index::{Batch, Index, damaged, row, sqlite};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS record (only INTEGER PRIMARY KEY CHECK (only = 1), body TEXT NOT NULL);
DROP TABLE IF EXISTS step;
CREATE TABLE step (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    path TEXT NOT NULL,
    other TEXT,
    entry BLOB,
    entry_mtime INTEGER,
    expected BLOB,
    expected_mtime INTEGER,
    staged INTEGER,
    seen_inode INTEGER,
    seen_size INTEGER,
    seen_mtime INTEGER
);
";
const PAGE_OF_STEPS: &str = "SELECT number, kind, path, other, entry, entry_mtime, expected, expected_mtime, staged, \
     seen_inode, seen_size, seen_mtime FROM step \
     WHERE number > ?1 AND number < ?2 ORDER BY number LIMIT ?3";
/// Steps read at a time.
const PAGE: u16 = 1024;

/// A transaction that was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Its id, the same on both sides.
    pub transaction: String,
    /// The head that the plan saw; `None` for a new repository.
    pub base: Option<SnapshotId>,
    /// Whether the repository decides; else the seal itself is the decision.
    pub publishes: bool,
    /// It brings former versions back: neither the cache nor R learn of it.
    #[serde(default)]
    pub restores: bool,
    /// The shared configuration as it will be.
    pub config: SharedConfig,
    /// The shared configuration that stood in the folder when the plan was made.
    pub seen_config: Option<SharedConfig>,
    /// The repository's id: no other one is asked what became of this.
    pub repository: String,
    /// The staging folders that it uses.
    pub grounds: Vec<Ground>,
    /// How many steps there are to take in the folder; the others come after them.
    pub deeds: u64,
    /// Decisions that this transaction carries out.
    pub decided: Vec<RepoPath>,
    /// The folder it belongs to.
    pub place: Place,
}

/// What tells a folder from a copy of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    boot: String,
    dev: u64,
    root: u64,
    dot_dsg: u64,
}

impl Place {
    /// This folder's.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn of(root: &Dir) -> Outcome<Self> {
        let own = root.own_stat()?;
        let dot_dsg = root.stat(DOT_DSG)?.map_or(0, |s| s.ino);
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Ok(Self { boot: boot.trim().to_owned(), dev: own.dev, root: own.ino, dot_dsg })
    }

    /// Whether it is the same folder; device numbers count only until the computer starts anew.
    pub fn is(&self, other: &Self) -> bool {
        let dev = self.boot != other.boot || self.dev == other.dev;
        dev && self.root == other.root && self.dot_dsg == other.dot_dsg
    }
}

/// A step with what it needs besides the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SealedStep {
    /// Its number, which is also its name in the staging folder.
    pub number: u64,
    /// What is done.
    pub step: Step,
    /// What settling needs to find it half done.
    pub wait: Wait,
}

impl SealedStep {
    /// Name in the staging folder of what waits for it.
    pub fn name(&self) -> String {
        self.number.to_string()
    }
}

/// What waits for a step, and what it shall find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wait {
    /// Inode of what is staged.
    pub staged: Option<u64>,
    /// By what the expected file is recognised without reading it: inode, size, mtime. `None`: its
    /// content has to be read.
    pub seen: Option<(u64, u64, Mtime)>,
}

/// Seals it, within the caller's transaction.
///
/// # Errors
/// SQLite's, or what `steps` gives.
pub(crate) fn seal(
    batch: &Batch,
    record: &Record,
    steps: impl Iterator<Item = Outcome<SealedStep>>,
) -> Outcome<()> {
    let connection = batch.connection();
    let trouble = |e| batch.trouble(e);
    let body = serde_json::to_string(record).unwrap_or_default();
    connection.execute_batch(SCHEMA).map_err(trouble)?;
    connection
        .execute("INSERT INTO record (only, body) VALUES (1, ?1)", [body])
        .map_err(trouble)?;
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO step (number, kind, path, other, entry, entry_mtime, expected, \
             expected_mtime, staged, seen_inode, seen_size, seen_mtime) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )
        .map_err(trouble)?;
    for sealed in steps {
        let SealedStep { number, step, wait } = sealed?;
        let columns = Columns::of(&step);
        let seen = wait.seen;
        insert
            .execute(params![
                number.cast_signed(),
                columns.kind,
                columns.path.as_str(),
                columns.other.map(RepoPath::as_str),
                columns.entry.map(row::identity),
                columns.entry.and_then(row::mtime),
                columns.expected.map(row::identity),
                columns.expected.and_then(row::mtime),
                wait.staged.map(u64::cast_signed),
                seen.map(|(inode, ..)| inode.cast_signed()),
                seen.map(|(_, size, _)| size.cast_signed()),
                seen.map(|(.., mtime)| mtime.0),
            ])
            .map_err(trouble)?;
    }
    Ok(())
}

/// The record that stands, if any.
///
/// # Errors
/// SQLite's, or a record that is not what this program writes.
pub(crate) fn load(index: &Index) -> Outcome<Option<Record>> {
    let connection = index.connection();
    let read = || -> rusqlite::Result<Option<String>> {
        let there: Option<i64> = connection
            .query_row("SELECT 1 FROM sqlite_schema WHERE name = 'record'", [], |r| r.get(0))
            .optional()?;
        if there.is_none() {
            return Ok(None);
        }
        connection.query_row("SELECT body FROM record", [], |r| r.get(0)).optional()
    };
    let Some(body) = read().map_err(|e| index.trouble(e))? else { return Ok(None) };
    let record = serde_json::from_str(&body);
    record
        .map(Some)
        .map_err(|e| damaged(index.path(), "the record of a sync in it cannot be read").because(e))
}

/// The steps of the record that stands, in order; only a page of them is held.
pub(crate) fn steps<'a>(batch: &'a Batch) -> impl Iterator<Item = Outcome<SealedStep>> + use<'a> {
    Steps::read(batch.connection(), batch.file(), i64::MAX)
}

/// As [`steps`], but only what is to be done in the folder.
pub(crate) fn deeds(index: &Index, record: &Record) -> impl Iterator<Item = Outcome<SealedStep>> {
    Steps::read(index.connection(), index.path(), record.deeds.cast_signed())
}

/// Removes the record, within the caller's transaction.
///
/// # Errors
/// SQLite's.
pub(crate) fn forget(batch: &Batch) -> Outcome<()> {
    let connection = batch.connection();
    let sql = "DROP TABLE IF EXISTS step; DELETE FROM record;";
    connection.execute_batch(sql).map_err(|e| batch.trouble(e))
}

/// Reads steps page by page: nothing is open between two pages, and a caller may write meanwhile.
struct Steps<'a> {
    connection: &'a Connection,
    file: &'a Path,
    last: i64,
    end: i64,
    page: std::vec::IntoIter<SealedStep>,
    over: bool,
}

impl<'a> Steps<'a> {
    /// Those whose numbers are below `end`.
    fn read(connection: &'a Connection, file: &'a Path, end: i64) -> Self {
        let page = Vec::new().into_iter();
        Self { connection, file, last: -1, end, page, over: false }
    }

    fn turn(&mut self) -> Outcome<()> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut query = self.connection.prepare_cached(PAGE_OF_STEPS)?;
            query
                .query_map([self.last, self.end, i64::from(PAGE)], |row| {
                    Ok((row.get(0)?, parse(row)?))
                })?
                .collect()
        };
        let page: Vec<(i64, Option<SealedStep>)> = read().map_err(|e| sqlite(self.file, e))?;
        self.over = page.len() < usize::from(PAGE);
        self.last = page.last().map_or(self.last, |(number, _)| *number);
        let steps: Option<Vec<SealedStep>> = page.into_iter().map(|(_, step)| step).collect();
        let steps =
            steps.ok_or_else(|| damaged(self.file, "a step of a sync in it cannot be read"))?;
        self.page = steps.into_iter();
        Ok(())
    }
}

impl Iterator for Steps<'_> {
    type Item = Outcome<SealedStep>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0
            && !self.over
            && let Err(failure) = self.turn()
        {
            self.over = true;
            return Some(Err(failure));
        }
        self.page.next().map(Ok)
    }
}

/// A step as columns.
struct Columns<'s> {
    kind: &'static str,
    path: &'s RepoPath,
    other: Option<&'s RepoPath>,
    entry: Option<&'s Entry>,
    expected: Option<&'s Entry>,
}

impl<'s> Columns<'s> {
    fn of(step: &'s Step) -> Self {
        let (kind, path, other, entry, expected) = match step {
            Step::Place { path, entry, expected, aside, .. } => {
                ("place", path, aside.as_ref(), Some(entry), expected.as_ref())
            }
            Step::Remove { path, expected, aside } => {
                ("remove", path, aside.as_ref(), None, Some(expected))
            }
            Step::Rename { from, to, expected, entry } => {
                ("rename", from, Some(to), Some(entry), Some(expected))
            }
            Step::Agree { path, entry } => ("agree", path, None, entry.as_ref(), None),
            Step::Forget { path } => ("forget", path, None, None, None),
        };
        Self { kind, path, other, entry, expected }
    }
}

/// `None`: it is not what [`seal`] writes.
fn parse(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<SealedStep>> {
    let text = |column: usize| -> rusqlite::Result<Option<&str>> {
        Ok(row.get_ref(column)?.as_str_or_null()?)
    };
    let unsigned = |column: usize| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned))
    };
    let seen = match (unsigned(9)?, unsigned(10)?, row.get::<_, Option<i64>>(11)?) {
        (Some(inode), Some(size), Some(mtime)) => Some((inode, size, Mtime(mtime))),
        _ => None,
    };
    let wait = Wait { staged: unsigned(8)?, seen };
    let number = row.get::<_, i64>(0)?.cast_unsigned();
    let kind = text(1)?;
    let (path, other) = (text(2)?, text(3)?);
    let (entry, entry_mtime) = (row.get_ref(4)?.as_blob_or_null()?, row.get(5)?);
    let (expected, expected_mtime) = (row.get_ref(6)?.as_blob_or_null()?, row.get(7)?);
    let step = || -> Option<Step> {
        let path = RepoPath::parse(path?).ok()?;
        let other = other.map(RepoPath::parse).transpose().ok()?;
        // An entry that comes stands at the new path, the one that goes at the old.
        let at = other.as_ref().filter(|_| kind == Some("rename")).unwrap_or(&path);
        let entry = match entry {
            Some(bytes) => Some(row::entry(at, bytes, entry_mtime)?),
            None => None,
        };
        let expected = match expected {
            Some(bytes) => Some(row::entry(&path, bytes, expected_mtime)?),
            None => None,
        };
        Some(match kind? {
            "place" => {
                Step::Place { path, entry: entry?, expected, aside: other, source: Source::Head }
            }
            "remove" => Step::Remove { path, expected: expected?, aside: other },
            "rename" => Step::Rename { from: path, to: other?, expected: expected?, entry: entry? },
            "agree" => Step::Agree { path, entry },
            "forget" => Step::Forget { path },
            _ => return None,
        })
    };
    Ok(step().map(|step| SealedStep { number, step, wait }))
}
