//! Where things wait on the way in and out: staging and trash, one pair per file system.
//!
//! A rename cannot cross file systems, and data folders may be mounts of their own: so each file
//! system in the project has a `.dsg/staging` and a `.dsg/trash` at its top. Hidden names are never
//! tracked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::path::RepoPath;
use dsg_fs::dir::Dir;

/// DSG's own folder in a project.
pub(crate) const DOT_DSG: &str = ".dsg";
const STAGING: &str = ".dsg/staging";
const TRASH: &str = ".dsg/trash";

/// The project's folder with the staging and trash of one transaction.
pub(crate) struct Areas {
    root: Dir,
    transaction: String,
    by_device: BTreeMap<u64, Area>,
}

/// Staging and trash on one file system.
pub(crate) struct Area {
    /// Where the file system begins in the project; empty for the project's own.
    pub top: String,
    /// `.dsg/staging/TRANSACTION`.
    pub staging: Dir,
    /// `.dsg/trash/TRANSACTION`.
    pub trash: Dir,
}

impl Areas {
    /// For a transaction in this project; nothing is created yet.
    pub fn new(root: Dir, transaction: &str) -> Self {
        Self { root, transaction: transaction.to_owned(), by_device: BTreeMap::new() }
    }

    /// The project's folder.
    pub fn root(&self) -> &Dir {
        &self.root
    }

    /// All areas used so far.
    pub fn all(&self) -> impl Iterator<Item = &Area> {
        self.by_device.values()
    }

    /// Device and top of the file system that holds (or would hold) `path`.
    fn place(&self, path: &RepoPath) -> Outcome<(u64, String)> {
        let mut dev = None;
        let mut top = String::new();
        let above: Vec<&str> = path.ancestors().chain([""]).collect();
        for dir in above {
            let stat =
                if dir.is_empty() { Some(self.root.own_stat()?) } else { self.root.stat(dir)? };
            let Some(stat) = stat else { continue };
            match dev {
                None => dev = Some(stat.dev),
                Some(dev) if dev != stat.dev => return Ok((dev, top)),
                Some(_) => {}
            }
            dir.clone_into(&mut top);
        }
        let dev =
            dev.ok_or_else(|| Failure::new(Code::Io, format!("{path} has no place here.")))?;
        Ok((dev, top))
    }

    /// The area on the file system of `path`, made if need be.
    ///
    /// # Errors
    /// It cannot be made there.
    pub fn at(&mut self, path: &RepoPath) -> Outcome<&Area> {
        let (dev, top) = self.place(path)?;
        if !self.by_device.contains_key(&dev) {
            self.open(dev, &top)?;
        }
        self.by_device
            .get(&dev)
            .ok_or_else(|| Failure::new(Code::Io, format!("No staging for {path}.")))
    }

    /// Finds the areas that an earlier run of this transaction made, below these tops.
    ///
    /// # Errors
    /// They cannot be opened.
    pub fn reopen<'a>(&mut self, tops: impl IntoIterator<Item = &'a str>) -> Outcome<()> {
        for top in tops {
            let dev = self.base(top)?.own_stat()?.dev;
            self.open(dev, top)?;
        }
        Ok(())
    }

    fn base(&self, top: &str) -> Outcome<Dir> {
        Ok(if top.is_empty() { self.root.try_clone()? } else { self.root.open_beneath(top)? })
    }

    fn open(&mut self, dev: u64, top: &str) -> Outcome<()> {
        let base = self.base(top)?;
        let folder = |kind: &str| -> Outcome<Dir> {
            let name = format!("{kind}/{}", self.transaction);
            base.ensure_dirs(&name, Some(0o700))?;
            Ok(base.open_beneath(&name)?)
        };
        let area = Area { staging: folder(STAGING)?, trash: folder(TRASH)?, top: top.to_owned() };
        self.by_device.insert(dev, area);
        Ok(())
    }

    /// Makes the names in all areas durable, and those of the areas themselves.
    ///
    /// # Errors
    /// The disk's.
    pub fn fsync(&self) -> Outcome<()> {
        for area in self.by_device.values() {
            let base = self.base(&area.top)?;
            area.staging.fsync()?;
            area.trash.fsync()?;
            for parent in [STAGING, TRASH, DOT_DSG] {
                base.open_beneath(parent)?.fsync()?;
            }
            base.fsync()?;
        }
        Ok(())
    }

    /// Removes the staging of this transaction, and its trash if nothing is in it.
    ///
    /// # Errors
    /// Something cannot be removed; it does no harm there.
    pub fn clean(&self) -> Outcome<()> {
        for area in self.by_device.values() {
            let base = self.base(&area.top)?;
            match base.open_beneath(STAGING) {
                Ok(staging) => staging.remove_tree(&self.transaction)?,
                Err(e) if e.is_absent() => {}
                Err(e) => return Err(e.into()),
            }
            for empty in
                [format!("{TRASH}/{}", self.transaction), TRASH.to_owned(), STAGING.to_owned()]
            {
                match base.remove_dir(&empty) {
                    Err(e) if !e.is_present() && !e.is_absent() => return Err(e.into()),
                    _ => {}
                }
            }
            if !area.top.is_empty() {
                match base.remove_dir(DOT_DSG) {
                    Err(e) if !e.is_present() && !e.is_absent() => return Err(e.into()),
                    _ => {}
                }
            }
        }
        Ok(())
    }
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
                Err(e) if e.is_absent() => continue,
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
