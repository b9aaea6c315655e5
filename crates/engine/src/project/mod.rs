//! An open checkout and what a person can do with it. Each use case is a file of its own.
//!
//! | module | use cases |
//! |---|---|
//! | `create` | init, clone |
//! | `recover` | what every other use case begins with: the lock, and the end of a sync cut off |
//! | `head` | learning the repository's head; is it the same repository, is its history intact |
//! | `pending`, `obstacles`, `renames` | the plan, and what only the folder tells |
//! | `status`, `sync`, `resolve` | the daily three |
//! | `history` | log, lists and checks of files and history |
//! | `compare` | what differs between snapshots, or from the folder |
//! | `versions` | the history of one path; paths of any snapshot |
//! | `restore`, `fetched` | the way back: as pending changes, or into another folder |
//! | `undo` | the inverse of a snapshot; which one this folder published last |
//! | `prune` | what former snapshots cost, and their end |
//! | `trash`, `clean` | what was replaced or deleted: seen, brought back, thrown away |
//! | `ignore`, `configure` | a rule more; the configuration as a person wants it |

mod clean;
mod compare;
mod configure;
mod create;
mod fetched;
mod head;
mod history;
mod ignore;
mod obstacles;
mod pending;
mod prune;
mod recover;
mod renames;
mod resolve;
mod restore;
mod status;
mod sync;
mod trash;
mod undo;
mod versions;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dsg_core::address::Address;
use dsg_core::config::SharedConfig;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::repository::Settled;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_fs::dir::Dir;
use dsg_fs::lock::{Holder, Lock, Tried};

pub use compare::between;
pub use create::InitOptions;
pub(crate) use create::first_config;
pub use ignore::IgnoreRule;
pub(crate) use sync::authorship;
pub(crate) use undo::PUBLISHED;
pub use undo::Undone;
pub use versions::{find_paths, makers, versions};

use crate::adopt::working_folder;
use crate::areas::DOT_DSG;
use crate::author;
use crate::index::{Index, damaged};

/// Name of the database in `.dsg`.
const STATE: &str = "state.db";
/// How long a use case waits for another one in the same folder.
const PATIENCE: Duration = Duration::from_secs(10);

/// One open checkout.
pub struct Project {
    root: PathBuf,
    dir: Dir,
    index: Index,
    address: Address,
    /// What was put right in the repository while a sync that was cut off was ended here: not told yet.
    settled: Option<Settled>,
}

impl Project {
    /// The root of the project that `start` lies in.
    ///
    /// # Errors
    /// [`Code::NotAProject`].
    pub fn find(start: &Path) -> Outcome<PathBuf> {
        let start = std::fs::canonicalize(start).map_err(|e| Failure::io("open", start, e))?;
        // A file system within a project has a `.dsg` of its own, but no state in it.
        let is_root = |dir: &&Path| dir.join(DOT_DSG).join(STATE).is_file();
        let is_broken = |dir: &&Path| dir.join(DOT_DSG).is_dir();
        start.ancestors().find(is_root).or_else(|| start.ancestors().find(is_broken)).map(Path::to_owned).ok_or_else(|| {
            Failure::new(Code::NotAProject, format!("{} is not in a DSG project.", start.display()))
                .hint("Go to a project's folder, or make one: dsg init ADDRESS, or dsg clone ADDRESS.")
        })
    }

    /// Opens the project whose root is `root`. A sync that was cut off is ended by the first use
    /// case, not here.
    ///
    /// # Errors
    /// [`Code::NotAProject`], [`Code::Legacy`], [`Code::StateDamaged`], [`Code::NewerFormat`].
    pub fn open(root: &Path, _monitor: &Monitor) -> Outcome<Self> {
        let root = std::fs::canonicalize(root).map_err(|e| Failure::io("open", root, e))?;
        let dir = Dir::open(&root)?;
        if dir.stat(DOT_DSG)?.is_none() {
            return Err(Failure::new(Code::NotAProject, format!("{} is not a DSG project.", root.display()))
                .hint("Make it one with dsg init ADDRESS, or get a copy of a repository with dsg clone ADDRESS."));
        }
        if dir.stat(format!("{DOT_DSG}/{STATE}"))?.is_none()
            && let Some(earlier) = working_folder(&root)
        {
            return Err(earlier);
        }
        let index = Index::open(&root.join(DOT_DSG).join(STATE))?;
        Self::with_index(root, dir, index)
    }

    fn with_index(root: PathBuf, dir: Dir, index: Index) -> Outcome<Self> {
        let address = index.meta("address")?.and_then(|a| a.parse().ok());
        let address =
            address.ok_or_else(|| damaged(index.path(), "the repository's address is missing"))?;
        Ok(Self { root, dir, index, address, settled: None })
    }

    /// The project's root, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where its repository is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Takes the project for one use case; waits for another one to end, up to `patience`.
    fn lock(&self, doing: &str, patience: Duration, monitor: &Monitor) -> Outcome<Lock> {
        let holder = || Holder {
            who: author::login_at_host(),
            since: jiff::Timestamp::now().to_string(),
            doing: doing.to_owned(),
        };
        let begun = Instant::now();
        loop {
            match Lock::try_acquire(&self.dir, ".dsg/lock", 0o600, holder())? {
                Tried::Held(lock) => return Ok(lock),
                Tried::Busy(holder) if begun.elapsed() >= patience => {
                    let who = holder.map_or_else(|| "another DSG".to_owned(), |h| h.to_string());
                    return Err(Failure::new(
                        Code::Locked,
                        format!("{} is in use by {who}.", self.root.display()),
                    )
                    .hint("Wait until it is done, then try again."));
                }
                Tried::Busy(_) => {
                    monitor.check()?;
                    std::thread::sleep(Duration::from_millis(25));
                }
            }
        }
    }

    /// The head as it was last seen.
    fn known_head(&self) -> Outcome<Option<SnapshotHeader>> {
        let Some(line) = self.index.meta("head")? else { return Ok(None) };
        SnapshotHeader::parse(&line).map(Some).map_err(|e| {
            damaged(self.index.path(), "the repository's head in it cannot be read").because(e)
        })
    }

    fn last_sync(&self) -> Outcome<Option<SnapshotId>> {
        Ok(self.index.meta("last_sync")?.and_then(|s| s.parse().ok()))
    }

    /// The shared configuration on which both sides last agreed.
    fn base_config(&self) -> Outcome<Option<SharedConfig>> {
        let Some(text) = self.index.meta("config_base")? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|e| {
            damaged(self.index.path(), "the configuration in it cannot be read").because(e)
        })
    }
}

#[cfg(test)]
mod tests;
