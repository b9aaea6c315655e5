//! What syncs and restores replaced or deleted here: seen, brought back, thrown away.

use std::path::{Component, Path, PathBuf};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_fs::dir::Dir;
use dsg_fs::stat::Kind;

use super::Project;
use crate::areas::{DOT_DSG, Leftover, leftovers};
use crate::report::{Emptied, TrashItem};

/// The key under which the index keeps why something went to the trash.
pub(super) fn reason_key(transaction: &str) -> String {
    format!("trash/{transaction}")
}

impl Project {
    /// All files in the trash, newest first. Waits for nobody.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn trash(&self) -> Outcome<Vec<TrashItem>> {
        let mut items = Vec::new();
        for bin in self.bins()? {
            let (top, transaction) = place(&bin.path);
            let reason = self.index.meta(&reason_key(&transaction))?;
            let time = time_of(&transaction);
            walk(&self.dir, &bin.path, &mut |at, size, changed| {
                let rest = at.strip_prefix(&bin.path).unwrap_or(at);
                let path = top.join(rest);
                items.push(TrashItem {
                    item: at.to_string_lossy().into_owned(),
                    taken: !matches!(self.dir.stat(&path), Ok(None)),
                    path: path.to_string_lossy().into_owned(),
                    size,
                    time: time.or(jiff::Timestamp::from_nanosecond(changed.into()).ok()),
                    transaction: transaction.clone(),
                    reason: reason.clone(),
                });
            })?;
        }
        items.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.path.cmp(&b.path)));
        Ok(items)
    }

    /// Brings one file back from the trash: to its place or, where that is taken, beside it. Gives
    /// where it is now.
    ///
    /// # Errors
    /// [`Code::NotFound`] if it is not in the trash; it cannot be moved.
    pub fn restore_from_trash(&mut self, item: &str) -> Outcome<String> {
        let _ready = self.ready_to_change("restore", &Monitor::silent())?;
        let item = Path::new(item);
        let missing = || {
            Failure::new(Code::NotFound, format!("{} is not in the trash.", item.display()))
                .hint("Look at the trash again.")
        };
        let bins = self.bins()?;
        let bin = bins.iter().find(|bin| item.starts_with(&bin.path)).ok_or_else(missing)?;
        let rest = item.strip_prefix(&bin.path).map_err(|_| missing())?;
        let plain = rest.components().all(|c| matches!(c, Component::Normal(_)));
        if !plain || rest.as_os_str().is_empty() {
            return Err(missing());
        }
        let is_file = self.dir.stat(item)?.is_some_and(|stat| stat.kind != Kind::Dir);
        if !is_file {
            return Err(missing());
        }
        let (top, _) = place(&bin.path);
        let wanted = top.join(rest);
        if let Some(parent) = wanted.parent().filter(|p| !p.as_os_str().is_empty()) {
            self.dir.ensure_dirs(parent, None)?;
        }
        for n in 1..1000 {
            let to = if n == 1 { wanted.clone() } else { beside(&wanted, n) };
            match self.dir.rename_noreplace(item, &self.dir, &to) {
                Ok(()) => {
                    remove_hollow(&self.dir, &bin.path, item.parent());
                    return Ok(to.to_string_lossy().into_owned());
                }
                Err(e) if e.is_present() => {}
                Err(e) => return Err(e.into()),
            }
        }
        let message = format!("There is no free name beside {}.", wanted.display());
        Err(Failure::new(Code::Exists, message).hint("Move some of the copies away."))
    }

    /// Removes for good what is in the trash since before `before` (`None`: all). With `dry_run`
    /// only says what would go.
    ///
    /// # Errors
    /// Something cannot be read or removed.
    pub fn empty_trash(
        &mut self,
        before: Option<jiff::Timestamp>,
        dry_run: bool,
    ) -> Outcome<Emptied> {
        let _ready = self.ready_to_change("clean", &Monitor::silent())?;
        let mut emptied = Emptied::default();
        for bin in self.bins()? {
            let (_, transaction) = place(&bin.path);
            let since = time_of(&transaction);
            // Of what nobody knows since when it is there, only "all" is sure to be meant.
            if before.is_some_and(|before| since.is_none_or(|since| since >= before)) {
                continue;
            }
            walk(&self.dir, &bin.path, &mut |_, size, _| {
                emptied.files += 1;
                emptied.bytes += size;
            })?;
            let named = bin.path.parent().zip(bin.path.file_name().and_then(|n| n.to_str()));
            if let Some((parent, name)) = named.filter(|_| !dry_run) {
                self.dir.open_beneath(parent)?.remove_tree(name)?;
                let key = reason_key(&transaction);
                self.index.batch(|batch| batch.set_meta(&key, None))?;
            }
        }
        Ok(emptied)
    }

    /// The trash of every transaction.
    fn bins(&self) -> Outcome<Vec<Leftover>> {
        let tops = self.index.mounts()?;
        let found = leftovers(&self.dir, tops.iter().map(String::as_str))?;
        Ok(found.into_iter().filter(|leftover| leftover.trash).collect())
    }
}

/// Of `TOP/.dsg/trash/TRANSACTION`: the top and the transaction.
fn place(bin: &Path) -> (PathBuf, String) {
    let name = bin.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let top: PathBuf = bin.components().take_while(|c| c.as_os_str() != DOT_DSG).collect();
    (top, name)
}

/// A transaction's id tells when it began.
fn time_of(transaction: &str) -> Option<jiff::Timestamp> {
    let id = transaction.strip_suffix("-left").unwrap_or(transaction);
    let (seconds, nanos) = uuid::Uuid::parse_str(id).ok()?.get_timestamp()?.to_unix();
    jiff::Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
}

/// Calls `each` with every file and link below: where, bytes, and when it came there.
fn walk(root: &Dir, at: &Path, each: &mut dyn FnMut(&Path, u64, i64)) -> Outcome<()> {
    let dir = match root.open_beneath(at) {
        Ok(dir) => dir,
        Err(e) if e.is_absent() => return Ok(()),
        // A file straight in the trash folder.
        Err(_) => return Ok(()),
    };
    for name in dir.list()? {
        let below = at.join(&name.name);
        match dir.stat(&name.name)? {
            Some(stat) if stat.kind == Kind::Dir => walk(root, &below, each)?,
            Some(stat) => each(&below, stat.size, stat.ctime.0),
            None => {}
        }
    }
    Ok(())
}

/// `a (restored).csv`, `a (restored 2).csv`, …
fn beside(path: &Path, n: u32) -> PathBuf {
    let mark = if n == 2 { "restored".to_owned() } else { format!("restored {}", n - 1) };
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let name = match path.extension() {
        Some(extension) => format!("{stem} ({mark}).{}", extension.to_string_lossy()),
        None => format!("{stem} ({mark})"),
    };
    path.with_file_name(name)
}

/// Folders of the trash that are empty now go; one that will not go does no harm.
fn remove_hollow(root: &Dir, bin: &Path, from: Option<&Path>) {
    let mut at = from;
    while let Some(dir) = at.filter(|dir| dir.starts_with(bin)) {
        if root.remove_dir(dir).is_err() {
            return;
        }
        at = dir.parent();
    }
}
