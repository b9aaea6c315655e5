//! The chunks of large files' versions that this checkout sent, so that a later version can be told
//! against one of them without asking what chunks it has. Only a saving: a list that is missing is
//! asked for, and one that is wrong shows itself by the hash of what was built on it.

use dsg_core::entry::Hash;
use dsg_core::failure::Outcome;
use dsg_wire::chunks::Chunks;
use rusqlite::{OptionalExtension as _, params};

use super::{Batch, Index, sqlite};

/// Bytes of all lists: those of some 400 GB. The oldest go first.
const MOST: i64 = 64 * 1024 * 1024;
/// Made at the first need, so that no checkout has to be brought to another format for it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS chunks (id INTEGER PRIMARY KEY, \
     hash BLOB UNIQUE NOT NULL, average INTEGER NOT NULL, list BLOB NOT NULL)";

impl Index {
    /// The chunks of a content, if they are known.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn chunks(&self, hash: &Hash) -> Outcome<Option<Chunks>> {
        let ask = || -> rusqlite::Result<Option<(u32, Vec<u8>)>> {
            let there = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'chunks'";
            if !self.connection.prepare_cached(there)?.exists([])? {
                return Ok(None);
            }
            let list = "SELECT average, list FROM chunks WHERE hash = ?1";
            let mut query = self.connection.prepare_cached(list)?;
            query.query_row([hash.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        };
        let found = ask().map_err(|e| self.trouble(e))?;
        Ok(found.and_then(|(average, packed)| Chunks::unpack(average, packed).ok()))
    }
}

impl Batch<'_> {
    /// Keeps the chunks of a content.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn keep_chunks(&self, lists: &[(Hash, Chunks)]) -> Outcome<()> {
        if lists.is_empty() {
            return Ok(());
        }
        self.connection.execute_batch(TABLE).map_err(|e| sqlite(self.path, e))?;
        for (hash, chunks) in lists {
            self.run(
                "INSERT OR REPLACE INTO chunks (hash, average, list) VALUES (?1, ?2, ?3)",
                params![hash.0, chunks.average(), chunks.packed()],
            )?;
        }
        self.run(
            "DELETE FROM chunks WHERE id IN (SELECT id FROM (SELECT id, \
             sum(length(list)) OVER (ORDER BY id DESC) AS all_newer FROM chunks) \
             WHERE all_newer > ?1)",
            [MOST],
        )
    }
}
