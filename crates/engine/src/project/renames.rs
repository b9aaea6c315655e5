//! Deletions that may be one half of a rename whose other half cannot be synced.
//!
//! A file that was renamed is gone under its old name. If its new name, or a folder above it, is
//! blocked, a sync would delete in the repository what a person only renamed. So such a deletion
//! waits: on any doubt the repository keeps the file. Nothing is read for that, only looked at; see
//! ADR 15 for what counts as doubt.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dsg_core::entry::{Entry, Hash};
use dsg_core::failure::Outcome;
use dsg_core::path::RepoPath;
use dsg_core::plan::{Action, Item, Plan};
use dsg_fs::dir::Dir;
use dsg_fs::stat::{Kind, Stat};
use dsg_fs::walk::{Pace, Walk, What};

use super::Project;
use crate::index::{Problem, ProblemKind};

impl Project {
    /// Deletions in the repository that have to wait, with why.
    pub(super) fn half_renamed(&self, plan: &Plan) -> Outcome<BTreeMap<RepoPath, String>> {
        let mut found = BTreeMap::new();
        // What a person decided does not wait.
        let deletes = |i: &Item| i.action == Action::DeleteRemote && i.resolution.is_none();
        let may_delete = plan.may_have(|action| *action == Action::DeleteRemote);
        if !may_delete || !plan.items().any(|i| deletes(&i)) {
            return Ok(found);
        }
        let mut doubts = Doubts::default();
        for item in plan.items().filter(deletes) {
            doubts.names.insert(item.at.path.name().as_bytes().to_owned());
        }
        for item in plan.items().filter(|i| matches!(i.action, Action::Blocked(_))) {
            doubts.known(&item);
        }
        for problem in self.index.problems()? {
            if !matches!(problem.kind, ProblemKind::Special | ProblemKind::Unmounted) {
                self.gather(&problem, &mut doubts)?;
            }
        }
        if doubts.is_empty() {
            return Ok(found);
        }
        let mut gone = Gone { root: &self.dir, seen: HashMap::new() };
        for item in plan.items().filter(deletes) {
            let path = &item.at.path;
            if let Some(name) =
                item.at.remote.as_ref().and_then(|e| doubts.about(path, e, &mut gone))
            {
                found.insert(path.clone(), format!("It may have become {name}, which cannot be synced: the repository keeps it until that is renamed or removed."));
            }
        }
        Ok(found)
    }

    /// Notes what stands at and below a blocked path.
    fn gather(&self, problem: &Problem, doubts: &mut Doubts) -> Outcome<()> {
        // A folder that was synced before was not made by a rename.
        let is_old =
            problem.kind == ProblemKind::Unreadable && self.index.is_shared(&problem.path)?;
        let mut unseen = false;
        for start in actual(&self.dir, &problem.path) {
            match self.dir.stat(&start) {
                Ok(Some(stat)) if stat.kind == Kind::Dir => {
                    let mut walk =
                        Walk::new(&self.dir, &start, Arc::new(|_, _| true), Pace::default())?;
                    while let Some(step) = walk.next() {
                        let path = Path::new(step.path());
                        match &step.what {
                            What::Leaf(stat) => {
                                let below = path.strip_prefix(&start).unwrap_or(path);
                                doubts.looked_at(&self.dir, path, stat, Some(below), &problem.path);
                            }
                            What::Hole { .. } => unseen = true,
                            What::Dir { .. } => {}
                        }
                    }
                }
                Ok(Some(stat)) => doubts.looked_at(&self.dir, &start, &stat, None, &problem.path),
                // It is gone since.
                Ok(None) => {}
                Err(_) => unseen = true,
            }
        }
        if unseen && !is_old {
            doubts.unseen.insert(problem.path.clone());
        }
        Ok(())
    }
}

/// What is here and cannot be synced, each with the blocked path at or above it.
#[derive(Default)]
struct Doubts {
    /// Names of the files that would be deleted.
    names: HashSet<Vec<u8>>,
    /// Contents of paths that only the plan blocks.
    contents: HashMap<(Hash, bool), String>,
    sizes: HashMap<u64, String>,
    targets: HashMap<Vec<u8>, String>,
    /// Paths below a blocked folder, from that folder, by their last name.
    below: HashMap<Vec<u8>, Vec<(PathBuf, String)>>,
    /// Blocked paths that could not be looked into.
    unseen: BTreeSet<String>,
}

impl Doubts {
    fn is_empty(&self) -> bool {
        self.contents.is_empty()
            && self.sizes.is_empty()
            && self.targets.is_empty()
            && self.below.is_empty()
            && self.unseen.is_empty()
    }

    /// A blocked path whose content is known.
    fn known(&mut self, item: &Item) {
        if item.at.remote.is_some() || item.at.cache.is_some() {
            return;
        }
        let name = || item.at.path.to_string();
        match item.at.local.entry() {
            Some(Entry::File(file)) => {
                self.contents.entry((file.hash, file.exec)).or_insert_with(name);
            }
            Some(Entry::Link(target)) => {
                self.targets.entry(target.as_str().into()).or_insert_with(name);
            }
            None => {}
        }
    }

    /// A file or link at or below the blocked path `at`.
    fn looked_at(&mut self, root: &Dir, path: &Path, stat: &Stat, below: Option<&Path>, at: &str) {
        match stat.kind {
            // Empty files are all alike.
            Kind::File if stat.size > 0 => {
                self.sizes.entry(stat.size).or_insert_with(|| at.to_owned());
            }
            Kind::Link => {
                if let Ok(target) = root.read_link(path) {
                    let target = target.as_bytes().to_vec();
                    self.targets.entry(target).or_insert_with(|| at.to_owned());
                }
            }
            _ => {}
        }
        if let Some((below, name)) = below.and_then(|b| Some((b, b.file_name()?)))
            && self.names.contains(name.as_bytes())
        {
            let entry = (below.to_owned(), at.to_owned());
            self.below.entry(name.as_bytes().to_vec()).or_default().push(entry);
        }
    }

    /// What may be the deleted file under a new name.
    fn about(&self, path: &RepoPath, entry: &Entry, gone: &mut Gone<'_>) -> Option<&str> {
        let same = match entry {
            Entry::File(file) => self
                .contents
                .get(&(file.hash, file.exec))
                .or_else(|| self.sizes.get(&file.size).filter(|_| file.size > 0)),
            Entry::Link(target) => self.targets.get(target.as_str().as_bytes()),
        };
        same.map(String::as_str)
            .or_else(|| self.renamed_folder(path, gone))
            .or_else(|| self.beside(path, gone))
    }

    /// A folder above was renamed, and what is in it may have been edited since.
    fn renamed_folder(&self, path: &RepoPath, gone: &mut Gone<'_>) -> Option<&str> {
        let candidates = self.below.get(path.name().as_bytes())?;
        let was = |(below, _): &&(PathBuf, String)| {
            let rest = Path::new(path.as_str());
            let kept = rest.components().count().checked_sub(below.components().count());
            rest.ends_with(below)
                && kept.is_some_and(|n| {
                    let folder: PathBuf = rest.components().take(n).collect();
                    n > 0 && gone.is_gone(&folder)
                })
        };
        candidates.iter().find(was).map(|(_, at)| at.as_str())
    }

    /// What could not be looked into stands where the path, or the folder with which it went, was.
    fn beside(&self, path: &RepoPath, gone: &mut Gone<'_>) -> Option<&str> {
        if self.unseen.is_empty() {
            return None;
        }
        let stays = path.ancestors().find(|dir| !gone.is_gone(Path::new(dir))).unwrap_or_default();
        let holder = |at: &&String| at.rsplit_once('/').map_or("", |(dir, _)| dir) == stays;
        self.unseen.iter().find(holder).map(String::as_str)
    }
}

/// Which folders are not there any more.
struct Gone<'a> {
    root: &'a Dir,
    seen: HashMap<PathBuf, bool>,
}

impl Gone<'_> {
    fn is_gone(&mut self, folder: &Path) -> bool {
        if let Some(known) = self.seen.get(folder) {
            return *known;
        }
        let stat = self.root.stat(folder);
        let gone = !matches!(stat, Ok(Some(stat)) if stat.kind == Kind::Dir);
        self.seen.insert(folder.to_owned(), gone);
        gone
    }
}

/// The paths on disk that are shown as `shown`: in names that are no text, U+FFFD stands for what
/// cannot be shown.
fn actual(root: &Dir, shown: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in shown.split('/') {
        let step = |dir: PathBuf| -> Vec<PathBuf> {
            if !component.contains('\u{FFFD}') {
                return vec![dir.join(component)];
            }
            let folder = if dir.as_os_str().is_empty() { Path::new(".") } else { &dir };
            let names = root.open_beneath(folder).and_then(|d| d.list()).unwrap_or_default();
            let is_meant = |name: &OsStr| name.to_string_lossy() == component;
            names.iter().filter(|n| is_meant(&n.name)).map(|n| dir.join(&n.name)).collect()
        };
        found = found.into_iter().flat_map(step).collect();
    }
    found
}
