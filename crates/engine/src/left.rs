//! What downloads that were cut off left in staging: the next one takes it over instead of asking
//! for it again.
//!
//! A file that came whole stands under the number of its step there, and is recognised by its size
//! and time, then proved by its hash. One that was coming is named after its content, and only ever
//! grew: its rest is asked for, and the whole is proved.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use dsg_core::entry::{FileEntry, Hash};
use dsg_core::failure::Outcome;
use dsg_core::monitor::Monitor;
use dsg_fs::dir::Dir;
use dsg_fs::hash::{Reading, hash_file};
use dsg_fs::stat::Kind;

use crate::areas::{Areas, STAGING};

/// How long it is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Less of a file is not worth asking for its rest.
const WORTH_KEEPING: u64 = 64 * 1024;

/// Under which name the content of a step comes, before it is whole; a small one has only its last.
pub(crate) fn coming(file: &FileEntry, number: u64) -> String {
    if file.size < WORTH_KEEPING { number.to_string() } else { format!("{}.{number}", file.hash) }
}

/// What was left.
#[derive(Default)]
pub(crate) struct Left {
    /// Folders, from the project's.
    folders: Vec<PathBuf>,
    /// By size and time.
    whole: HashMap<(u64, i64), Vec<PathBuf>>,
    /// Those of which the content is known, with their modes.
    known: HashMap<(u64, i64, Hash), Vec<(PathBuf, u32)>>,
    /// The longest of each content, with its length.
    parts: HashMap<Hash, (PathBuf, u64)>,
}

impl Left {
    /// Looks what is there in the project's own staging that is not of this transaction.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn look(areas: &Areas) -> Outcome<Self> {
        let mut left = Self::default();
        for folder in folders(areas.root())? {
            if folder.ends_with(areas.transaction()) {
                continue;
            }
            let dir = areas.root().open_beneath(&folder)?;
            for name in dir.list()? {
                let Some(name) = name.name.to_str() else { continue };
                let Some(stat) = dir.stat(name)?.filter(|stat| stat.kind == Kind::File) else {
                    continue;
                };
                let at = folder.join(name);
                if let Some((hash, _)) = name.split_once('.') {
                    let Some(hash) = Hash::parse(hash) else { continue };
                    let known = left.parts.get(&hash).map_or(0, |known| known.1);
                    if stat.size > known.max(WORTH_KEEPING - 1) {
                        left.parts.insert(hash, (at, stat.size));
                    }
                } else {
                    left.whole.entry((stat.size, stat.mtime.0)).or_default().push(at);
                }
            }
            left.folders.push(folder);
        }
        Ok(left)
    }

    /// Moves the whole content of a file to `name` in `staging`, if it is there. Gives its mode.
    ///
    /// # Errors
    /// It cannot be read or moved; stopped.
    pub fn take_whole(
        &mut self,
        root: &Dir,
        file: &FileEntry,
        staging: &Dir,
        name: &str,
        monitor: &Monitor,
    ) -> Outcome<Option<u32>> {
        let (size, mtime) = (file.size, file.mtime.0);
        // Each is read once, however many files have this size and time.
        for at in self.whole.remove(&(size, mtime)).unwrap_or_default() {
            let now = UNIX_EPOCH.elapsed().map_or(0, |now| now.as_nanos());
            let now = i64::try_from(now).unwrap_or(i64::MAX);
            if let Reading::Stable(found) = hash_file(root, &at, now, monitor)? {
                let alike = self.known.entry((size, mtime, found.hash)).or_default();
                alike.push((at, found.stat.mode));
            }
        }
        let alike = self.known.get_mut(&(size, mtime, file.hash));
        let Some((at, mode)) = alike.and_then(Vec::pop) else { return Ok(None) };
        root.rename_noreplace(at, staging, name)?;
        Ok(Some(mode))
    }

    /// Moves the beginning of a file to `name` in `staging`, if it is there. Gives its length.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn take_part(
        &mut self,
        root: &Dir,
        file: &FileEntry,
        staging: &Dir,
        name: &str,
    ) -> Outcome<u64> {
        match self.parts.remove(&file.hash) {
            Some((at, size)) if size <= file.size => {
                root.rename_noreplace(at, staging, name)?;
                Ok(size)
            }
            _ => Ok(0),
        }
    }

    /// Removes what nobody took.
    ///
    /// # Errors
    /// Something cannot be removed; it does no harm.
    pub fn remove(self, root: &Dir) -> Outcome<()> {
        let staging =
            if self.folders.is_empty() { return Ok(()) } else { root.open_beneath(STAGING)? };
        for folder in self.folders {
            if let Some(name) = folder.file_name().and_then(|name| name.to_str()) {
                staging.remove_tree(name)?;
            }
        }
        Ok(())
    }
}

/// Every transaction's staging in the project's own.
fn folders(root: &Dir) -> Outcome<Vec<PathBuf>> {
    let staging = match root.open_beneath(STAGING) {
        Ok(staging) => staging,
        Err(e) if e.is_absent() || e.is_escape() => return Ok(Vec::new()),
        Err(e) => return Err(e.into()),
    };
    let mut folders = Vec::new();
    for name in staging.list()? {
        if staging.stat(&name.name)?.is_some_and(|stat| stat.kind == Kind::Dir) {
            folders.push(PathBuf::from(STAGING).join(name.name));
        }
    }
    folders.sort();
    Ok(folders)
}

/// How many bytes are left in the project's own staging.
///
/// # Errors
/// It cannot be read.
pub(crate) fn bytes(root: &Dir) -> Outcome<u64> {
    let mut bytes = 0;
    for folder in folders(root)? {
        let dir = root.open_beneath(&folder)?;
        for name in dir.list()? {
            bytes += dir.stat(&name.name)?.map_or(0, |stat| stat.size);
        }
    }
    Ok(bytes)
}

/// Whether the next try may take something over from a transaction's folder in `staging`.
///
/// # Errors
/// It cannot be read.
pub(crate) fn is_worth_keeping(staging: &Dir, name: &str) -> Outcome<bool> {
    let Some(stat) = staging.stat(name)?.filter(|stat| stat.kind == Kind::Dir) else {
        return Ok(false);
    };
    let since = Duration::from_nanos(stat.ctime.0.max(0).unsigned_abs());
    let age = UNIX_EPOCH.checked_add(since).and_then(|then| then.elapsed().ok());
    let empty = || staging.open_beneath(name)?.list().map(|names| names.is_empty());
    Ok(age.unwrap_or_default() < KEPT && !empty()?)
}
