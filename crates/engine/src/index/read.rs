//! Reading the index, in order and in pages.

use std::cell::RefCell;

use dsg_core::failure::{Failure, Outcome};
use dsg_core::path::RepoPath;
use dsg_core::snapshot::SnapshotId;
use dsg_core::state::Local;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};

use super::row::{self, Known, Row, Seen, Standing};
use super::{Device, Index, NOT_IN_SYNC, damaged, sqlite};

/// Rows read at a time.
const PAGE: i64 = 2048;
/// Above every path: no path's bytes reach U+10FFFF.
const END: &str = "\u{10FFFF}";

const COLUMNS: &str = "path, state, stat, note, l, l_mtime, c, c_mtime, c_snapshot, r, r_mtime";

/// Sums over all rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Paths on which both sides once agreed.
    pub cached: u64,
    /// Files and links that are there locally.
    pub local: u64,
    /// Bytes of these.
    pub local_bytes: u64,
    /// Files and links in the repository's head.
    pub remote: u64,
}

/// Why a path cannot take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// Its name breaks a rule of [`RepoPath`].
    Name,
    /// A link to an absolute path, to outside the project, or to no text.
    Link,
    /// A pipe, socket or device.
    Special,
    /// It cannot be read.
    Unreadable,
    /// It changes while it is read.
    Changing,
    /// It differs from a neighbour by upper and lower case only.
    Case,
    /// The file system that held it is not mounted.
    Unmounted,
}

impl ProblemKind {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Name, "name"),
        (Self::Link, "link"),
        (Self::Special, "special"),
        (Self::Unreadable, "unreadable"),
        (Self::Changing, "changing"),
        (Self::Case, "case"),
        (Self::Unmounted, "unmounted"),
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(kind, _)| *kind)
    }
}

/// A file or folder that is blocked, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which; bytes that are no text are shown as U+FFFD.
    pub path: String,
    /// Why.
    pub kind: ProblemKind,
    /// Why, as a sentence.
    pub sentence: String,
    /// A legal path to rename it to, if it is the name.
    pub offer: Option<String>,
}

impl Index {
    /// A setting of this checkout.
    ///
    /// # Errors
    /// The database's.
    pub fn meta(&self, key: &str) -> Outcome<Option<String>> {
        meta(&self.connection, key).map_err(|e| self.trouble(e))
    }

    /// The row of one path.
    ///
    /// # Errors
    /// The database's, or a damaged row.
    pub fn row(&self, path: &RepoPath) -> Outcome<Option<Row>> {
        row_of(&self.connection, &self.devices, path).map_err(|e| self.trouble(e))
    }

    /// Every path that is not in sync, in order: changed on a side, unknown, or excluded.
    ///
    /// # Errors
    /// The database's, a damaged row, or what `each` gives.
    pub fn pending(&self, each: &mut dyn FnMut(Row) -> Outcome<()>) -> Outcome<()> {
        let sql = format!(
            "SELECT {COLUMNS} FROM entry INDEXED BY entry_pending \
             WHERE {NOT_IN_SYNC} AND path > ?1 AND path < ?2 ORDER BY path LIMIT {PAGE}"
        );
        self.paged(&sql, "", END, each)
    }

    /// How many paths are not in sync.
    ///
    /// # Errors
    /// The database's.
    pub fn pending_count(&self) -> Outcome<u64> {
        let sql =
            format!("SELECT count(*) FROM entry INDEXED BY entry_pending WHERE {NOT_IN_SYNC}");
        self.connection.query_row(&sql, [], |row| unsigned(row, 0)).map_err(|e| self.trouble(e))
    }

    /// The row at `dir` and all below it, in order; all rows if it is empty.
    ///
    /// # Errors
    /// The database's, a damaged row, or what `each` gives.
    pub fn rows_within(&self, dir: &str, each: &mut dyn FnMut(Row) -> Outcome<()>) -> Outcome<()> {
        let sql = format!(
            "SELECT {COLUMNS} FROM entry WHERE path > ?1 AND path < ?2 ORDER BY path LIMIT {PAGE}"
        );
        if dir.is_empty() {
            return self.paged(&sql, "", END, each);
        }
        if let Ok(path) = RepoPath::parse(dir)
            && let Some(row) = self.row(&path)?
        {
            each(row)?;
        }
        self.paged(&sql, &format!("{dir}/"), &format!("{dir}0"), each)
    }

    /// Sums over all rows; reads all of them.
    ///
    /// # Errors
    /// The database's.
    pub fn counts(&self) -> Outcome<Counts> {
        let sql = "SELECT count(c), count(CASE WHEN state = 1 THEN 1 END), \
                   coalesce(sum(CASE WHEN state = 1 THEN l_size END), 0), count(r) FROM entry";
        let read = self.connection.query_row(sql, [], |row| {
            Ok(Counts {
                cached: unsigned(row, 0)?,
                local: unsigned(row, 1)?,
                local_bytes: unsigned(row, 2)?,
                remote: unsigned(row, 3)?,
            })
        });
        read.map_err(|e| self.trouble(e))
    }

    /// Blocked files and folders, in order.
    ///
    /// # Errors
    /// The database's.
    pub fn problems(&self) -> Outcome<Vec<Problem>> {
        let read = || -> rusqlite::Result<_> {
            let sql = "SELECT path, kind, sentence, offer FROM problem ORDER BY path";
            let mut query = self.connection.prepare_cached(sql)?;
            let rows = query.query_map([], |row| {
                let kind = ProblemKind::parse(row.get_ref(1)?.as_str()?);
                Ok(Problem {
                    path: row.get(0)?,
                    kind: kind.ok_or_else(|| broken(1))?,
                    sentence: row.get(2)?,
                    offer: row.get(3)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|e| self.trouble(e))
    }

    /// Chosen resolutions of conflicts, as `(path, kind)`.
    ///
    /// # Errors
    /// The database's.
    pub fn resolutions(&self) -> Outcome<Vec<(String, String)>> {
        resolutions(&self.connection).map_err(|e| self.trouble(e))
    }

    /// Whether something below `dir` or at it was ever synced, or stands in the head.
    pub(crate) fn is_shared(&self, dir: &str) -> Outcome<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM entry WHERE path = ?1 AND (c NOT NULL OR r NOT NULL)) \
                   OR EXISTS (SELECT 1 FROM entry WHERE path > ?1 || '/' AND path < ?1 || '0' \
                   AND (c NOT NULL OR r NOT NULL))";
        let read = || -> rusqlite::Result<_> {
            self.connection.prepare_cached(sql)?.query_row([dir], |row| row.get(0))
        };
        read().map_err(|e| self.trouble(e))
    }

    /// What a scan needs of one path.
    pub(crate) fn known(&self, path: &str) -> Outcome<Option<Known>> {
        let sql =
            "SELECT path, state, stat, note, c NOT NULL, r NOT NULL FROM entry WHERE path = ?1";
        let read = || -> rusqlite::Result<_> {
            let mut query = self.connection.prepare_cached(sql)?;
            query.query_row([path], |row| self.decode_known(row)).optional()
        };
        read().map_err(|e| self.trouble(e))
    }

    /// The next page of what a scan needs, between two paths, both excluded.
    pub(crate) fn known_page(&self, after: &str, before: Option<&str>) -> Outcome<Vec<Known>> {
        let sql = format!(
            "SELECT path, state, stat, note, c NOT NULL, r NOT NULL FROM entry \
             WHERE path > ?1 AND path < ?2 ORDER BY path LIMIT {PAGE}"
        );
        let read = || -> rusqlite::Result<_> {
            let mut query = self.connection.prepare_cached(&sql)?;
            let bounds = [after, before.unwrap_or(END)];
            query.query_map(bounds, |row| self.decode_known(row))?.collect()
        };
        read().map_err(|e| self.trouble(e))
    }

    /// Why exactly this path is blocked, if it is.
    pub(crate) fn problem_kind(&self, path: &str) -> Outcome<Option<ProblemKind>> {
        let read = || -> rusqlite::Result<Option<String>> {
            let mut query =
                self.connection.prepare_cached("SELECT kind FROM problem WHERE path = ?1")?;
            query.query_row([path], |row| row.get(0)).optional()
        };
        let kind = read().map_err(|e| self.trouble(e))?;
        Ok(kind.as_deref().and_then(ProblemKind::parse))
    }

    /// File systems that parts of the project lie on.
    pub(crate) fn devices(&self) -> Vec<Device> {
        self.devices.borrow().clone()
    }

    fn paged(
        &self,
        sql: &str,
        after: &str,
        before: &str,
        each: &mut dyn FnMut(Row) -> Outcome<()>,
    ) -> Outcome<()> {
        let mut after = after.to_owned();
        let page_size = usize::try_from(PAGE).unwrap_or(usize::MAX);
        loop {
            let read = || -> rusqlite::Result<Vec<Row>> {
                let mut query = self.connection.prepare_cached(sql)?;
                let devices = &self.devices;
                query.query_map([after.as_str(), before], |row| decode(devices, row))?.collect()
            };
            let page = read().map_err(|e| self.trouble(e))?;
            let full = page.len() == page_size;
            if let Some(last) = page.last() {
                last.path.as_str().clone_into(&mut after);
            }
            page.into_iter().try_for_each(&mut *each)?;
            if !full {
                return Ok(());
            }
        }
    }

    fn decode_known(&self, row: &rusqlite::Row<'_>) -> rusqlite::Result<Known> {
        let packed = row.get_ref(2)?.as_blob_or_null()?;
        Ok(Known {
            slot: packed.and_then(row::slot).unwrap_or(u32::MAX),
            path: parse_path(row.get_ref(0)?)?,
            standing: Standing::from_sql(row.get(1)?).ok_or_else(|| broken(1))?,
            note: row.get(3)?,
            seen: decode_seen(&self.devices, row)?,
            cached: row.get(4)?,
            remote: row.get(5)?,
        })
    }

    /// A row that is not what this program writes.
    #[allow(dead_code, reason = "the transaction's record proves its own rows with it")]
    pub(crate) fn broken_row(&self, what: &str) -> Failure {
        damaged(&self.path, what)
    }
}

/// The row of one path, as a connection or a transaction sees it.
pub(super) fn row_of(
    connection: &Connection,
    devices: &RefCell<Vec<Device>>,
    path: &RepoPath,
) -> rusqlite::Result<Option<Row>> {
    let sql = format!("SELECT {COLUMNS} FROM entry WHERE path = ?1");
    let mut query = connection.prepare_cached(&sql)?;
    query.query_row([path.as_str()], |row| decode(devices, row)).optional()
}

pub(super) fn resolutions(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut query = connection.prepare_cached("SELECT path, kind FROM resolution ORDER BY path")?;
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn decode(devices: &RefCell<Vec<Device>>, row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let path = parse_path(row.get_ref(0)?)?;
    let standing = Standing::from_sql(row.get(1)?).ok_or_else(|| broken(1))?;
    let entry_at = |column: usize| {
        let Some(bytes) = row.get_ref(column)?.as_blob_or_null()? else { return Ok(None) };
        let entry = row::entry(&path, bytes, row.get(column + 1)?);
        entry.map(Some).ok_or_else(|| broken(column))
    };
    let local = match standing {
        Standing::Absent => Local::Absent,
        Standing::Present => Local::Present(entry_at(4)?.ok_or_else(|| broken(4))?),
        Standing::Unknown => Local::Unknown(row.get::<_, Option<_>>(3)?.unwrap_or_default()),
        Standing::Excluded => Local::Excluded,
    };
    let cache = match entry_at(6)? {
        None => None,
        Some(entry) => Some((entry, SnapshotId::new(unsigned(row, 8)?).ok_or_else(|| broken(8))?)),
    };
    let remote = entry_at(9)?;
    let seen = if standing == Standing::Present { decode_seen(devices, row)? } else { None };
    Ok(Row { path, local, seen, cache, remote })
}

fn decode_seen(
    devices: &RefCell<Vec<Device>>,
    row: &rusqlite::Row<'_>,
) -> rusqlite::Result<Option<Seen>> {
    let Some(bytes) = row.get_ref(2)?.as_blob_or_null()? else { return Ok(None) };
    let device = |slot| devices.borrow().iter().find(|d| d.slot == slot).map_or(0, |d| d.dev);
    row::unpack(bytes, device).map(Some).ok_or_else(|| broken(2))
}

pub(super) fn meta(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    let mut query = connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    query.query_row([key], |row| row.get(0)).optional()
}

/// Every path that stands in the head and is above `after`, one page.
pub(super) fn remote_page(
    connection: &Connection,
    file: &std::path::Path,
    after: &str,
) -> Outcome<Vec<RepoPath>> {
    let read = || -> rusqlite::Result<_> {
        let sql = format!(
            "SELECT path FROM entry WHERE path > ?1 AND r NOT NULL ORDER BY path LIMIT {PAGE}"
        );
        let mut query = connection.prepare_cached(&sql)?;
        query.query_map([after], |row| parse_path(row.get_ref(0)?))?.collect()
    };
    read().map_err(|e| sqlite(file, e))
}

/// `SQLite` has no unsigned numbers.
fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| broken(column))
}

fn parse_path(value: ValueRef<'_>) -> rusqlite::Result<RepoPath> {
    RepoPath::parse(value.as_str()?).map_err(|_| broken(0))
}

/// A value that this program never writes: reported as a damaged state.
pub(super) fn broken(column: usize) -> rusqlite::Error {
    let column_type = rusqlite::types::Type::Blob;
    rusqlite::Error::InvalidColumnType(column, "not a value of this program".into(), column_type)
}
