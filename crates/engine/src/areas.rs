//! Where things wait on the way in and out: staging and trash, one pair per volume.
//!
//! A rename cannot leave a file system, nor a folder that is bound from elsewhere in the same one,
//! and data folders may be either: so each has a `.dsg/staging` and a `.dsg/trash` at its top. Hidden
//! names are never tracked. An area is made while a transaction is staged, and only found again
//! afterwards: an area that is not there says nothing of what was in it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::path::RepoPath;
use dsg_fs::dir::Dir;
use dsg_fs::error::{FsError, FsResult};
use dsg_fs::stat::{Kind, Volume};
use serde::{Deserialize, Serialize};

/// DSG's own folder in a project.
pub(crate) const DOT_DSG: &str = ".dsg";
pub(crate) const STAGING: &str = ".dsg/staging";
pub(crate) const TRASH: &str = ".dsg/trash";
/// Two names with which an area proves that it can swap.
const PROBES: [&str; 2] = ["probe-1", "probe-2"];

/// The project's folder with the staging and trash of one transaction.
pub(crate) struct Areas {
    root: Arc<Dir>,
    transaction: String,
    by_top: BTreeMap<String, Area>,
    /// Tops whose area was in use and is not there now.
    lost: BTreeSet<String>,
    /// The folder that was asked for last, with what [`Areas::place`] said: sorted paths mostly
    /// stay in one.
    last: RefCell<Option<(String, String)>>,
}

/// Staging and trash on one file system.
pub(crate) struct Area {
    /// Which, as the record keeps it.
    pub ground: Ground,
    /// `.dsg/staging/TRANSACTION`.
    pub staging: Arc<Dir>,
    /// `.dsg/trash/TRANSACTION`.
    pub trash: Dir,
}

/// By what an area is found again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ground {
    /// Where its file system begins in the project; empty for the project's own.
    pub top: String,
    /// Inode of its staging folder.
    pub staging: u64,
}

impl Areas {
    /// For a transaction in this project; nothing is created yet.
    pub fn new(root: Dir, transaction: &str) -> Self {
        Self {
            root: Arc::new(root),
            transaction: transaction.to_owned(),
            by_top: BTreeMap::new(),
            lost: BTreeSet::new(),
            last: RefCell::default(),
        }
    }

    /// Which transaction.
    pub fn transaction(&self) -> &str {
        &self.transaction
    }

    /// The project's folder.
    pub fn root(&self) -> &Arc<Dir> {
        &self.root
    }

    /// All areas in use.
    pub fn all(&self) -> impl Iterator<Item = &Area> {
        self.by_top.values()
    }

    /// The area on the file system of `path`, made if need be.
    ///
    /// # Errors
    /// It cannot be made there, or two files cannot be swapped there in one step.
    pub fn at(&mut self, path: &RepoPath) -> Outcome<&Area> {
        let top = self.place(path)?;
        if !self.by_top.contains_key(&top) {
            let area = self.make(&top)?;
            self.by_top.insert(top, area);
        }
        self.find(path).ok_or_else(|| Failure::new(Code::Io, format!("{path} has no staging.")))
    }

    /// The area on the file system of `path`, if it is in use and there.
    pub fn find(&self, path: &RepoPath) -> Option<&Area> {
        let top = self.place(path).ok()?;
        // Where a file system is not mounted now, the one beneath it would be asked in its place.
        let is_lost = |lost: &String| lost.len() >= top.len() && path.is_within(lost);
        self.by_top.get(&top).filter(|_| !self.lost.iter().any(is_lost))
    }

    /// Finds the areas that an earlier run of this transaction made. One whose file system is not
    /// mounted, or whose staging is gone, is left out.
    ///
    /// # Errors
    /// The disk's.
    pub fn reopen<'a>(&mut self, grounds: impl IntoIterator<Item = &'a Ground>) -> Outcome<()> {
        for ground in grounds {
            let opened = self.base(&ground.top).and_then(|base| {
                let staging = base.open_beneath(format!("{STAGING}/{}", self.transaction))?;
                let trash = format!("{TRASH}/{}", self.transaction);
                base.ensure_dirs(&trash, Some(0o700))?;
                Ok((staging, base.open_beneath(&trash)?))
            });
            match opened {
                Ok((staging, trash)) if staging.own_stat()?.ino == ground.staging => {
                    let area = Area { ground: ground.clone(), staging: Arc::new(staging), trash };
                    self.by_top.insert(ground.top.clone(), area);
                }
                Ok(_) => drop(self.lost.insert(ground.top.clone())),
                Err(error) if error.is_absent() || error.is_escape() => {
                    self.lost.insert(ground.top.clone());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Looks anew where file systems begin, from the next path on.
    pub fn look_anew(&self) {
        self.last.take();
    }

    /// Top of the volume that holds (or would hold) `path`.
    fn place(&self, path: &RepoPath) -> FsResult<String> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if let Some((known, top)) = &*self.last.borrow()
            && known == folder
        {
            return Ok(top.clone());
        }
        let top = self.look(path)?;
        self.last.replace(Some((folder.to_owned(), top.clone())));
        Ok(top)
    }

    fn look(&self, path: &RepoPath) -> FsResult<String> {
        let mut found: Option<(Volume, &str)> = None;
        for dir in path.ancestors() {
            let stat = match self.root.stat(dir) {
                Ok(stat) => stat,
                // What stands there goes before the path comes.
                Err(error) if error.is_escape() || error.is_absent() => None,
                Err(error) => return Err(error),
            };
            let Some(stat) = stat.filter(|s| s.kind == Kind::Dir) else { continue };
            match found {
                Some((volume, top)) if volume != stat.volume() => return Ok(top.to_owned()),
                _ => found = Some((stat.volume(), dir)),
            }
        }
        let own = self.root.own_stat()?.volume();
        Ok(found.filter(|(volume, _)| *volume != own).map_or_else(String::new, |f| f.1.to_owned()))
    }

    fn base(&self, top: &str) -> FsResult<Dir> {
        if top.is_empty() { self.root.try_clone() } else { self.root.open_beneath(top) }
    }

    fn make(&self, top: &str) -> Outcome<Area> {
        let base = self.base(top)?;
        let folder = |kind: &str| -> FsResult<Dir> {
            let name = format!("{kind}/{}", self.transaction);
            base.ensure_dirs(&name, Some(0o700))?;
            base.open_beneath(&name)
        };
        let (staging, trash) = (folder(STAGING)?, folder(TRASH)?);
        prove_swaps(&staging)?;
        let ground = Ground { top: top.to_owned(), staging: staging.own_stat()?.ino };
        Ok(Area { ground, staging: Arc::new(staging), trash })
    }

    /// Makes the names in all areas durable, and those of the areas themselves.
    ///
    /// # Errors
    /// The disk's.
    pub fn fsync(&self) -> Outcome<()> {
        for area in self.by_top.values() {
            let base = self.base(&area.ground.top)?;
            area.staging.fsync()?;
            area.trash.fsync()?;
            for parent in [STAGING, TRASH, DOT_DSG] {
                base.open_beneath(parent)?.fsync()?;
            }
            base.fsync()?;
        }
        Ok(())
    }

    /// Removes the staging of this transaction, and its trash if nothing is in it. Only for what
    /// was never sealed, or has been settled: nothing of a person's is in it.
    ///
    /// # Errors
    /// Something cannot be removed; it does no harm there.
    pub fn clean(&self) -> Outcome<()> {
        self.end(false)
    }

    /// As [`Areas::clean`], but what came into the project's own staging stays for the next try.
    ///
    /// # Errors
    /// As [`Areas::clean`].
    pub fn leave(&self) -> Outcome<()> {
        self.end(true)
    }

    fn end(&self, stays: bool) -> Outcome<()> {
        for area in self.by_top.values() {
            let top = &area.ground.top;
            let base = self.base(top)?;
            if !stays || !top.is_empty() || area.staging.list()?.is_empty() {
                match base.open_beneath(STAGING).and_then(|s| s.remove_tree(&self.transaction)) {
                    Err(error) if !error.is_absent() => return Err(error.into()),
                    _ => {}
                }
            }
            let trash = format!("{TRASH}/{}", self.transaction);
            let own = (!top.is_empty()).then_some(DOT_DSG);
            for empty in [trash.as_str(), TRASH, STAGING].into_iter().chain(own) {
                match base.remove_dir(empty) {
                    Err(error) if !error.is_present() && !error.is_absent() => {
                        return Err(error.into());
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Settling swaps names in one step and never replaces: where the file system cannot do that,
/// nothing is begun.
fn prove_swaps(staging: &Dir) -> Outcome<()> {
    let probe = || -> FsResult<()> {
        let [one, two] = PROBES;
        for name in PROBES {
            staging.remove_tree(name)?;
            staging.create_new(name, 0o600)?;
        }
        staging.exchange(one, staging, two)?;
        staging.remove_file(two)?;
        staging.rename_noreplace(one, staging, two)?;
        staging.remove_file(two)
    };
    probe().map_err(|error: FsError| {
        if !error.is_unsupported() {
            return error.into();
        }
        let at = staging.path().display();
        Failure::new(
            Code::Unsupported,
            format!("The file system of {at} cannot swap two files in one step."),
        )
        .hint("Files that come here could not be put in place safely. Keep the project on a local file system: XFS, ext4 or Btrfs.")
        .because(error)
    })
}

/// What stands in the staging and trash folders of a project, for cleaning up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leftover {
    /// Relative to the project's root.
    pub path: PathBuf,
    /// Whether people may want it back.
    pub trash: bool,
}

/// Lists every transaction's staging and trash below the tops of the project's file systems.
///
/// # Errors
/// A folder cannot be read.
pub(crate) fn leftovers<'a>(
    root: &Dir,
    tops: impl IntoIterator<Item = &'a str>,
) -> Outcome<Vec<Leftover>> {
    let mut found = Vec::new();
    for top in tops {
        for (kind, trash) in [(STAGING, false), (TRASH, true)] {
            let at = PathBuf::from(top).join(kind);
            let dir = match root.open_beneath(&at) {
                Ok(dir) => dir,
                Err(e) if e.is_absent() || e.is_escape() => continue,
                Err(e) => return Err(e.into()),
            };
            for name in dir.list()? {
                found.push(Leftover { path: at.join(&name.name), trash });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

#[cfg(test)]
mod tests;
