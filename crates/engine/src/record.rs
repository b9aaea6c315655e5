//! The sealed record of a transaction: from here on a crash is finished or undone, never guessed.
//!
//! Written in one SQLite transaction before the publish, removed in the one that tells the index
//! what was settled. It holds everything that settling needs, and is bound to this very folder
//! (device and inodes), so that a copied checkout never replays it.

use dsg_core::config::SharedConfig;
use dsg_core::entry::{Entry, Mtime};
use dsg_core::failure::Outcome;
use dsg_core::manifest;
use dsg_core::path::RepoPath;
use dsg_core::plan::effects::{Source, Step};
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::Dir;
use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use crate::areas::{DOT_DSG, Ground};
use crate::index::{Batch, Index, damaged};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS record (only INTEGER PRIMARY KEY CHECK (only = 1), body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS step (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    path TEXT NOT NULL,
    other TEXT,
    entry BLOB,
    expected BLOB,
    wait TEXT
);
";

/// A transaction that was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Its id, the same on both sides.
    pub transaction: String,
    /// The head that the plan saw; `None` for a new repository.
    pub base: Option<SnapshotId>,
    /// Whether the repository decides; else the seal itself is the decision.
    pub publishes: bool,
    /// The shared configuration as it will be.
    pub config: SharedConfig,
    /// The shared configuration that stood in the folder when the plan was made.
    pub seen_config: Option<SharedConfig>,
    /// The repository's id: no other one is asked what became of this.
    pub repository: String,
    /// The staging folders that it uses.
    pub grounds: Vec<Ground>,
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
    /// What is done.
    pub step: Step,
    /// What settling needs to find it half done.
    pub wait: Wait,
}

/// What waits for a step, and what it shall find.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wait {
    /// Name in the staging folder and, prefixed, in the trash.
    pub name: String,
    /// Inode of what is staged.
    pub staged: Option<u64>,
    /// By what the expected file is recognised without reading it: inode, size, mtime. `None`: its
    /// content has to be read.
    pub seen: Option<(u64, u64, Mtime)>,
}

/// Seals it, within the caller's transaction.
///
/// # Errors
/// SQLite's.
pub(crate) fn seal(batch: &Batch, record: &Record, steps: &[SealedStep]) -> Outcome<()> {
    let connection = batch.connection();
    let body = serde_json::to_string(record).unwrap_or_default();
    let write = || {
        connection.execute_batch(SCHEMA)?;
        connection.execute("INSERT INTO record (only, body) VALUES (1, ?1)", [body])?;
        let mut insert = connection.prepare_cached(
            "INSERT INTO step (number, kind, path, other, entry, expected, wait) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for (number, sealed) in steps.iter().enumerate() {
            let raw = Raw::of(&sealed.step);
            let wait = serde_json::to_string(&sealed.wait).unwrap_or_default();
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            insert.execute(params![
                number,
                raw.kind,
                raw.path,
                raw.other,
                raw.entry,
                raw.expected,
                wait
            ])?;
        }
        Ok(())
    };
    write().map_err(|e| batch.trouble(e))
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

/// The steps of the record that stands, in order.
///
/// # Errors
/// As [`load`].
pub(crate) fn steps(index: &Index) -> Outcome<Vec<SealedStep>> {
    let read = || {
        let mut query = index.connection().prepare_cached(
            "SELECT kind, path, other, entry, expected, wait FROM step ORDER BY number",
        )?;
        let rows = query.query_map([], |row| {
            let raw = Raw {
                kind: row.get(0)?,
                path: row.get(1)?,
                other: row.get(2)?,
                entry: row.get(3)?,
                expected: row.get(4)?,
            };
            Ok((raw, row.get::<_, String>(5)?))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    let rows = read().map_err(|e| index.trouble(e))?;
    let parsed = rows.into_iter().map(|(raw, wait)| {
        Some(SealedStep { step: raw.step()?, wait: serde_json::from_str(&wait).ok()? })
    });
    parsed
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| damaged(index.path(), "a step of a sync in it cannot be read"))
}

/// Removes the record, within the caller's transaction.
///
/// # Errors
/// SQLite's.
pub(crate) fn forget(batch: &Batch) -> Outcome<()> {
    let connection = batch.connection();
    connection.execute_batch("DELETE FROM step; DELETE FROM record;").map_err(|e| batch.trouble(e))
}

/// A step as columns; entries as their canonical manifest lines.
struct Raw {
    kind: String,
    path: String,
    other: Option<String>,
    entry: Option<Vec<u8>>,
    expected: Option<Vec<u8>>,
}

impl Raw {
    fn of(step: &Step) -> Self {
        let text =
            |path: &RepoPath, entry: Option<&Entry>| entry.map(|e| manifest::line(path, Some(e)));
        let raw = |kind: &str, path: &RepoPath, other: Option<&RepoPath>, entry, expected| Self {
            kind: kind.to_owned(),
            path: path.to_string(),
            other: other.map(ToString::to_string),
            entry,
            expected,
        };
        match step {
            Step::Place { path, entry, expected, aside, .. } => raw(
                "place",
                path,
                aside.as_ref(),
                text(path, Some(entry)),
                text(path, expected.as_ref()),
            ),
            Step::Remove { path, expected, aside } => {
                raw("remove", path, aside.as_ref(), None, text(path, Some(expected)))
            }
            Step::Rename { from, to, expected, entry } => {
                raw("rename", from, Some(to), text(to, Some(entry)), text(from, Some(expected)))
            }
            Step::Agree { path, entry } => {
                raw("agree", path, None, text(path, entry.as_ref()), None)
            }
        }
    }

    fn step(self) -> Option<Step> {
        let path = RepoPath::parse(&self.path).ok()?;
        let other = self.other.map(|o| RepoPath::parse(&o)).transpose().ok()?;
        let entry = |line: Option<Vec<u8>>| match line {
            None => Some(None),
            Some(line) => manifest::parse_line(line.strip_suffix(b"\n")?).ok().map(|c| c.entry),
        };
        let (entry, expected) = (entry(self.entry)?, entry(self.expected)?);
        Some(match self.kind.as_str() {
            "place" => {
                Step::Place { path, entry: entry?, expected, aside: other, source: Source::Head }
            }
            "remove" => Step::Remove { path, expected: expected?, aside: other },
            "rename" => Step::Rename { from: path, to: other?, expected: expected?, entry: entry? },
            "agree" => Step::Agree { path, entry },
            _ => return None,
        })
    }
}
