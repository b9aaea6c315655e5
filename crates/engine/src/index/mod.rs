//! `.dsg/state.db`: what this checkout knows of each path, one row per path.
//!
//! Owns the `SQLite` file: its schema, the packing of rows, the three-way columns L (the local scan),
//! C (the entry of the last sync, with its snapshot) and R (the repository's head), the list of
//! problems, chosen resolutions, and a key-value table for the rest of the checkout's settings. No
//! SQL is written outside this crate's `index` and `record`.
//!
//! A partial index holds just the rows that are not in sync, so that a status costs what changed
//! and not what exists. Reads go in pages and hold no transaction between them: a caller may write
//! while it reads in order, in either journal mode, and the log never grows behind a slow reader.
//!
//! Refuses: a database of a newer program, one that is not ours, a damaged one. It never makes a
//! new one in place of those: the record of a running transaction may be in it.

mod batch;
mod chunks;
mod forget;
mod read;
pub(crate) mod row;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use dsg_core::failure::{Code, Failure, Outcome, shell_word};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use rustix::fs::{CWD, Mode, OFlags};

pub use batch::{Batch, Replacing};
pub use read::{Counts, Problem, ProblemKind};
pub use row::{Known, Row, Seen, Standing};

/// Marks the file as ours ("DSGs").
const APPLICATION_ID: i64 = 0x4453_4773;
/// The schema that this program writes, and the newest that it reads.
const VERSION: i64 = 1;

/// Rows that a status must show. The text stands in the index and in queries alike: `SQLite` uses a
/// partial index only for a condition that it recognises.
const NOT_IN_SYNC: &str = "(l IS NOT c OR c IS NOT r OR state >= 2)";

/// `l`, `c`, `r` hold what makes two entries the same (kind, exec, size, hash, or a link's target),
/// so that `IS NOT` compares as people do; times stand beside them.
const SCHEMA: &str = "
CREATE TABLE entry (
    path TEXT PRIMARY KEY NOT NULL,
    state INTEGER NOT NULL,
    stat BLOB,
    l BLOB,
    l_mtime INTEGER,
    l_size INTEGER,
    note TEXT,
    c BLOB,
    c_mtime INTEGER,
    c_snapshot INTEGER,
    r BLOB,
    r_mtime INTEGER
) WITHOUT ROWID;
CREATE INDEX entry_pending ON entry(path) WHERE (l IS NOT c OR c IS NOT r OR state >= 2);
CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE device (slot INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, dev BLOB NOT NULL);
CREATE TABLE problem (
    path TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    sentence TEXT NOT NULL,
    offer TEXT,
    scan INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE resolution (path TEXT PRIMARY KEY NOT NULL, kind TEXT NOT NULL) WITHOUT ROWID;
";

/// Beside the database: the repository's address, to be read where the database cannot be.
pub(crate) const ADDRESS: &str = "address";

/// A file system that part of the project lies on. Rows name it by slot, because device numbers
/// change when a computer starts anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) slot: u32,
    /// Directory at which it begins; empty for the project's own.
    pub(crate) path: String,
    pub(crate) dev: u64,
}

/// The open state of a checkout.
pub struct Index {
    connection: Connection,
    path: PathBuf,
    /// Device and inode of the database itself, to prove that a folder is still the one opened.
    identity: (u64, u64),
    devices: RefCell<Vec<Device>>,
}

impl Index {
    /// Makes the state of a new checkout at `path` (`…/.dsg/state.db`).
    ///
    /// # Errors
    /// [`Code::Exists`] if something stands there; else what the file system or the database says.
    pub fn create(path: &Path) -> Outcome<Self> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::openat(CWD, path, flags, Mode::from_raw_mode(0o644)) {
            Ok(_) => {}
            Err(rustix::io::Errno::EXIST) => {
                let message = format!("There is a project already: {} exists.", path.display());
                return Err(Failure::new(Code::Exists, message)
                    .hint("Choose another folder, or move .dsg aside to begin anew."));
            }
            Err(e) => return Err(Failure::io("create", path, e)),
        }
        let index = Self::connect(path)?;
        let setup = || -> rusqlite::Result<()> {
            let tx = index.connection.unchecked_transaction()?;
            tx.execute_batch(SCHEMA)?;
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            tx.pragma_update(None, "user_version", VERSION)?;
            tx.execute(
                "INSERT INTO device (slot, path, dev) VALUES (0, '', ?1)",
                [index.identity.0.to_le_bytes()],
            )?;
            tx.commit()
        };
        setup().map_err(|e| index.trouble(e))?;
        index.load_devices()?;
        Ok(index)
    }

    /// Opens the state of a checkout.
    ///
    /// # Errors
    /// [`Code::NewerFormat`], [`Code::StateDamaged`], or what the file system says.
    pub fn open(path: &Path) -> Outcome<Self> {
        match std::fs::symlink_metadata(path) {
            // Not even opened: that would write to it.
            Ok(found) if found.is_file() && found.len() == 0 => {
                return Err(damaged(path, "it is empty"));
            }
            Ok(found) if found.is_file() => {}
            Ok(_) => return Err(damaged(path, "it is not a file")),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(damaged(path, "it is missing"));
            }
            Err(e) => return Err(Failure::io("open", path, e)),
        }
        let index = Self::connect(path)?;
        let pragma =
            |name| index.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let ours = pragma("application_id").map_err(|e| index.trouble(e))?;
        if ours != APPLICATION_ID {
            return Err(damaged(path, "it was not written by DSG, or never completely"));
        }
        let version = pragma("user_version").map_err(|e| index.trouble(e))?;
        if version > VERSION {
            let message = format!(
                "{} has format {version}; this program reads up to {VERSION}.",
                path.display()
            );
            return Err(Failure::new(Code::NewerFormat, message)
                .hint("Install a newer DSG; the folder was used with one."));
        }
        if version != VERSION {
            return Err(damaged(path, &format!("its format {version} never existed")));
        }
        index.load_devices()?;
        Ok(index)
    }

    /// Gives back the memory in which pages are kept at hand; the next question reads them again.
    pub(crate) fn rest(&self) {
        // Only a saving: whether it came to something matters to nobody.
        let _ = self.connection.execute_batch("PRAGMA shrink_memory");
    }

    fn connect(path: &Path) -> Outcome<Self> {
        let found = dsg_fs::stat::Stat::of(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| sqlite(path, e))?;
        let dir = path.parent().unwrap_or(Path::new("."));
        let journal = if is_remote(dir) { "DELETE" } else { "WAL" };
        let setup = || -> rusqlite::Result<()> {
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            connection.pragma_update(None, "journal_mode", journal)?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "cache_size", -8 * 1024)?;
            connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
            connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
            connection.pragma_update(None, "temp_store", "MEMORY")?;
            connection.pragma_update(None, "trusted_schema", "OFF")?;
            connection.set_prepared_statement_cache_capacity(64);
            Ok(())
        };
        setup().map_err(|e| sqlite(path, e))?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            identity: (found.dev, found.ino),
            devices: RefCell::default(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Device and inode of the database: a project's folder whose `.dsg/state.db` is another one
    /// was replaced, or another file system was mounted over it.
    pub fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Runs `work` in one transaction: everything it writes is kept, or nothing is.
    ///
    /// # Errors
    /// What `work` gives, and the database's on commit.
    pub fn batch<T>(&mut self, work: impl FnOnce(&Batch<'_>) -> Outcome<T>) -> Outcome<T> {
        let begun = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let tx = begun.map_err(|e| sqlite(&self.path, e))?;
        let batch = Batch { connection: &tx, path: &self.path, devices: &self.devices };
        let result = work(&batch);
        if result.is_ok() {
            tx.commit().map_err(|e| sqlite(&self.path, e))?;
        } else {
            drop(tx);
            // A device that the batch added is not there after all.
            self.load_devices()?;
        }
        result
    }

    /// The connection, for rooms of this crate that keep tables of their own in the same file.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The database's error as a failure that names the file and the way out.
    pub(crate) fn trouble(&self, error: rusqlite::Error) -> Failure {
        sqlite(&self.path, error)
    }

    fn load_devices(&self) -> Outcome<()> {
        let read = || -> rusqlite::Result<_> {
            let mut query = self
                .connection
                .prepare_cached("SELECT slot, path, dev FROM device ORDER BY slot")?;
            let rows = query.query_map([], |row| {
                Ok(Device {
                    slot: row.get(0)?,
                    path: row.get(1)?,
                    dev: u64::from_le_bytes(row.get(2)?),
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        *self.devices.borrow_mut() = read().map_err(|e| self.trouble(e))?;
        Ok(())
    }
}

/// Turns the database's error into a failure.
pub(crate) fn sqlite(path: &Path, error: rusqlite::Error) -> Failure {
    use rusqlite::Error as E;
    let shown = path.display();
    let code = match &error {
        E::SqliteFailure(e, _) => e.code,
        E::FromSqlConversionFailure(..)
        | E::IntegralValueOutOfRange(..)
        | E::InvalidColumnType(..) => {
            return damaged(path, "a value in it is not what it should be").because(error);
        }
        E::SqlInputError { .. } => {
            return damaged(path, "a table in it is missing").because(error);
        }
        _ => ErrorCode::InternalMalfunction,
    };
    match code {
        ErrorCode::DatabaseCorrupt => damaged(path, "parts of it cannot be read").because(error),
        ErrorCode::NotADatabase => damaged(path, "it is not a database").because(error),
        ErrorCode::DiskFull => {
            Failure::new(Code::Space, format!("Could not write {shown}: the disk is full."))
                .hint("Free some space and try again.")
                .because(error)
        }
        ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen => {
            Failure::new(Code::Permission, format!("Could not open {shown} for writing."))
                .hint("The project's .dsg folder and what is in it must be writable for you.")
                .because(error)
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            Failure::new(Code::Locked, format!("{shown} is in use by another program."))
                .hint("Another DSG works in this folder; try again when it is done.")
                .because(error)
        }
        _ => Failure::new(Code::Io, format!("Could not read or write {shown}: {error}."))
            .because(error),
    }
}

/// The state cannot be used; the way out costs no local file.
pub(crate) fn damaged(path: &Path, why: &str) -> Failure {
    let message = format!("{} cannot be used: {why}.", path.display());
    let address = std::fs::read_to_string(path.with_file_name(ADDRESS)).unwrap_or_default();
    let address = address.lines().next().filter(|line| !line.is_empty()).map(shell_word);
    let dot_dsg = path.parent().unwrap_or(path);
    let word = |path: &Path| shell_word(&path.to_string_lossy());
    let hint = format!(
        "Move DSG's own folder aside, and attach your files to the repository again; none of them \
         is touched by that:\n  mv {} {}\n  dsg clone --attach {} {}\nKeep the moved folder until all \
         is well: its trash may hold files.",
        word(dot_dsg),
        word(&dot_dsg.with_file_name(".dsg-damaged")),
        address.as_deref().unwrap_or("ADDRESS"),
        word(dot_dsg.parent().unwrap_or(dot_dsg)),
    );
    Failure::new(Code::StateDamaged, message).hint(hint)
}

/// Whether another computer may change files there unnoticed, and shared memory between programs
/// cannot be relied on, as WAL needs it.
pub(crate) fn is_remote(dir: &Path) -> bool {
    const NFS: u64 = 0x6969;
    const SMB: u64 = 0x517B;
    const CIFS: u64 = 0xFF53_4D42;
    const SMB2: u64 = 0xFE53_4D42;
    const FUSE: u64 = 0x6573_5546;
    const NINE_P: u64 = 0x0102_1997;
    const AFS: u64 = 0x5346_414F;
    const CEPH: u64 = 0x00C3_6400;
    #[allow(
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "the type differs by platform"
    )]
    let magic = rustix::fs::statfs(dir).map(|s| s.f_type as u64 & 0xFFFF_FFFF);
    magic.is_ok_and(|m| [NFS, SMB, CIFS, SMB2, FUSE, NINE_P, AFS, CEPH].contains(&m))
}

#[cfg(test)]
mod tests;
