//! What a checkout forgets when its repository is not the one it knew.

use dsg_core::failure::{Failure, Outcome};
use dsg_core::snapshot::SnapshotId;

use super::{Batch, Index, sqlite};

impl Batch<'_> {
    /// Forgets every agreement: all that both sides have is compared afresh.
    ///
    /// # Errors
    /// SQLite's.
    pub fn forget_cache(&self) -> Outcome<()> {
        self.run(
            "UPDATE entry SET c = NULL, c_mtime = NULL, c_snapshot = NULL WHERE c NOT NULL",
            [],
        )?;
        self.bury_all()
    }

    /// Forgets the agreements that the repository's head does not hold: what is here counts as
    /// made here, not as outdated. The others now date from `head`, for the snapshots that they
    /// were made in may be gone.
    ///
    /// # Errors
    /// SQLite's.
    pub fn forget_differing_cache(&self, head: Option<SnapshotId>) -> Outcome<()> {
        self.run(
            "UPDATE entry SET c = NULL, c_mtime = NULL, c_snapshot = NULL WHERE c IS NOT r",
            [],
        )?;
        let head = head.unwrap_or(SnapshotId::FIRST).number().to_string();
        self.run("UPDATE entry SET c_snapshot = CAST(?1 AS INTEGER) WHERE c NOT NULL", [head])?;
        self.bury_all()
    }

    fn bury_all(&self) -> Outcome<()> {
        self.run("DELETE FROM entry WHERE c IS NULL AND r IS NULL AND state IN (0, 3)", [])
    }

    /// SQLite's error as a failure that names the file and the way out.
    pub(crate) fn trouble(&self, error: rusqlite::Error) -> Failure {
        sqlite(self.path, error)
    }
}

impl Index {
    /// Tops of the file systems that parts of the project lie on, relative to its root; the
    /// project's own is the empty path.
    ///
    /// # Errors
    /// SQLite's.
    pub fn mounts(&self) -> Outcome<Vec<String>> {
        let mut tops: Vec<String> = self.devices.borrow().iter().map(|d| d.path.clone()).collect();
        if !tops.iter().any(String::is_empty) {
            tops.push(String::new());
        }
        Ok(tops)
    }
}
