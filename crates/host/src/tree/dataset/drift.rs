//! What was changed in the live dataset, outside DSG.
//!
//! `written@sN` says whether anything was, `zfs diff` says where to look; what it means is judged as on
//! any ground. Files that are not tracked are no drift: they are carried over into the clone.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::repository::Publication;
use dsg_core::snapshot::{Authorship, SnapshotHeader, SnapshotId};
use dsg_fs::dir::Dir;
use dsg_fs::stat::Kind;
use uuid::Uuid;

use super::open::check_below;
use super::publish::{Came, enter};
use super::verdict::finishing;
use super::{Site, parsed, strange};
use crate::crash;
use crate::tree::apply::fresh;
use crate::tree::check::{Difference, What};
use crate::tree::copy::copy_file;
use crate::tree::drift::{Drift, judge};
use crate::tree::history::entries;
use crate::tree::layout::{MANIFEST, OURS, STAGING, damaged};
use crate::tree::prepared::{write_list, write_record};
use crate::tree::repo::Repo;
use crate::tree::stats::join;
use crate::zfs::name::{Part, Tag};
use crate::zfs::verb::{Answer, Changes, How, Kind as Sort, MOST_CHANGES, Until, Verb};

/// With more changes than these, everything is looked at.
pub(super) const MOST: usize = MOST_CHANGES;

/// What was found.
struct Found {
    drift: Drift,
    /// Changed paths that are no data, with whether something is there.
    untracked: Vec<(Vec<u8>, bool)>,
}

impl Site {
    /// Looks whether the live dataset is what the head says, without changing anything.
    pub(in crate::tree) fn check_drift(self: &Arc<Self>, monitor: &Monitor) -> Outcome<()> {
        let lock = self.now()?.lock("", "looks for changes made on the host")?;
        self.recover(&lock)?;
        let repo = self.now()?;
        let head = repo.history().head()?;
        match self.look(Some(head.id), None, true)?.written {
            Some(0) => return Ok(()),
            Some(_) => {}
            None => return Err(self.snapshot_gone(head.id)),
        }
        let live = repo.layout.live()?;
        let until = Until::Now(Part::Live);
        let found = self.judged(&repo, &head, until, &live, false, monitor)?;
        if found.drift.is_none() { Ok(()) } else { Err(found.drift.halt(&self.path())) }
    }

    fn snapshot_gone(&self, id: SnapshotId) -> Failure {
        Failure::new(
            Code::RepositoryDamaged,
            format!("{}@{id} is gone: it cannot be told what was changed since.", self.dataset),
        )
        .hint("Nothing was changed. Adopt what is there as a snapshot of its own, from a backup of it.")
    }

    /// What differs between the head and a later state, which `root` shows.
    fn judged(
        &self,
        repo: &Repo,
        head: &SnapshotHeader,
        until: Until,
        root: &Dir,
        exactly: bool,
        monitor: &Monitor,
    ) -> Outcome<Found> {
        let dataset = self.dataset.clone();
        let verb = Verb::Diff { dataset, since: Tag::Number(head.id), until, most: MOST };
        let changes = match self.perform(&verb)? {
            Answer::Changes(changes) => changes,
            other => return Err(strange(&verb, &other)),
        };
        compared(repo, head, root, suspects(&changes), exactly, monitor)
    }

    /// Sees to it that what was written to the live dataset, and is no drift, is in the clone, too; from
    /// then on nothing counts but what is written since. Gives the failure that halts if it is drift.
    pub(super) fn carry_over(
        self: &Arc<Self>,
        clone: &Repo,
        publication: &Publication,
        head: &SnapshotHeader,
        transaction: Uuid,
        monitor: &Monitor,
    ) -> Outcome<()> {
        self.perform(&Verb::Freeze { dataset: self.dataset.clone(), transaction })?;
        let now = self.now()?;
        let live = now.layout.live()?;
        let until = Until::Tag(Tag::Frozen(transaction));
        let carried = self.judged(&now, head, until, &live, false, monitor).and_then(|found| {
            if !found.drift.is_none() {
                return Err(found.drift.halt(&self.path()));
            }
            let clone = clone.layout.live()?;
            for (path, there) in &found.untracked {
                carry(&live, &clone, path, *there, publication)?;
            }
            Ok(())
        });
        if carried.is_err() {
            self.thaw(transaction);
        }
        carried
    }

    /// Publishes what was changed on the host; without drift, gives the head as it is.
    pub(in crate::tree) fn adopt_drift(
        self: &Arc<Self>,
        authorship: Authorship,
        monitor: &Monitor,
    ) -> Outcome<SnapshotHeader> {
        let transaction = parsed(&authorship.transaction)?;
        self.check_place()?;
        let lock = self.now()?.lock(&authorship.author, "adopts changes made on the host")?;
        let family = self.settled(&lock, None)?;
        check_below(&self.dataset, &family)?;
        let head = self.now()?.history().head()?;
        self.perform(&Verb::Freeze { dataset: self.dataset.clone(), transaction })?;
        let live = family.live.as_ref().map(|live| live.guid);
        match self.adopt_frozen(transaction, live, &head, authorship, monitor) {
            Ok(Some(header)) => {
                crash::EXCHANGED.pass();
                let steps = finishing(&self.dataset, transaction, true);
                self.finish(transaction, &header, steps, true, monitor)?;
                Ok(header)
            }
            Ok(None) => self.recover(&lock).map(|()| head),
            Err(e) => {
                let _ = self.recover(&lock);
                Err(e)
            }
        }
    }

    /// The frozen state as a snapshot, decided; `None` if nothing in it is drift.
    fn adopt_frozen(
        self: &Arc<Self>,
        transaction: Uuid,
        live: Option<u64>,
        head: &SnapshotHeader,
        authorship: Authorship,
        monitor: &Monitor,
    ) -> Outcome<Option<SnapshotHeader>> {
        let base = Tag::Frozen(transaction);
        let verb = Verb::Clone { dataset: self.dataset.clone(), transaction, base };
        let repo = self.within(&self.mounted(&verb)?)?;
        let root = repo.layout.live()?;
        let found = self.judged(&repo, head, Until::Tag(base), &root, true, monitor)?;
        if found.drift.changes.is_empty() {
            return Ok(None);
        }
        let publication = Publication {
            base: Some(head.id),
            authorship,
            config: head.config.clone(),
            changes: found.drift.changes.into_iter().collect(),
            copies: Vec::new(),
        };
        let area = fresh(&repo.layout.folder(STAGING)?, &transaction.to_string(), repo.modes())?;
        let listed = write_list(&repo, &area, &publication, Some(head))?;
        let header = write_record(&repo, &area, &publication, Some(head), &listed)?;
        enter(&repo, &area, &header)?;
        // It is removed: what is still open of it would be written to once it is closed.
        drop(area);
        crash::ADOPT_PREPARED.pass();
        match self.decide(transaction, live, header.id, false)? {
            Came::Stopped(stop) => Err(stop.into()),
            Came::Decided | Came::InPlace => Ok(Some(header)),
        }
    }
}

/// What there is to look at.
#[derive(Default)]
pub(super) struct Suspects {
    pub(super) paths: BTreeSet<Vec<u8>>,
    /// Folders below which anything may be another; the empty one: everything.
    pub(super) trees: Vec<Vec<u8>>,
}

impl Suspects {
    fn all() -> Self {
        Self { paths: BTreeSet::new(), trees: vec![Vec::new()] }
    }

    fn is_all(&self) -> bool {
        self.trees.iter().any(Vec::is_empty)
    }

    fn has(&self, path: &[u8]) -> bool {
        self.paths.contains(path) || self.trees.iter().any(|tree| is_within(path, tree))
    }
}

fn is_within(path: &[u8], tree: &[u8]) -> bool {
    tree.is_empty() || path.strip_prefix(tree).is_some_and(|rest| rest.starts_with(b"/"))
}

fn is_ours(path: &[u8]) -> bool {
    path == OURS.as_bytes() || is_within(path, OURS.as_bytes())
}

pub(super) fn suspects(changes: &Changes) -> Suspects {
    if changes.more {
        return Suspects::all();
    }
    let mut suspects = Suspects::default();
    for change in &changes.list {
        for path in std::iter::once(&change.path).chain(&change.to) {
            match (change.kind, change.how) {
                _ if path.is_empty() || is_ours(path) => {}
                // Its names are told by themselves.
                (Sort::Dir, How::Modified) => {}
                (Sort::Dir, _) => suspects.trees.push(path.clone()),
                _ => {
                    suspects.paths.insert(path.clone());
                }
            }
        }
    }
    suspects
}

fn compared(
    repo: &Repo,
    head: &SnapshotHeader,
    root: &Dir,
    mut suspects: Suspects,
    exactly: bool,
    monitor: &Monitor,
) -> Outcome<Found> {
    for tree in std::mem::take(&mut suspects.trees) {
        walk(root, &tree, &mut suspects.paths)?;
        suspects.trees.push(tree);
    }
    let known = recorded(repo, head, &suspects)?;
    let mut untracked = Vec::new();
    let mut differences = Vec::new();
    for path in suspects.paths.union(&known) {
        monitor.check()?;
        let there = match root.stat(OsStr::from_bytes(path)) {
            Err(e) if e.is_absent() || e.is_escape() => None,
            other => other?,
        };
        // One of several names of a file: the others were not told.
        let shared = there.as_ref().is_some_and(|s| s.kind == Kind::File && s.nlink > 1);
        if shared && !suspects.is_all() {
            return compared(repo, head, root, Suspects::all(), exactly, monitor);
        }
        let what = match (known.contains(path), there.map(|stat| stat.kind)) {
            (true, Some(Kind::Dir) | None) => What::Gone,
            (true, Some(_)) => What::Touched,
            (false, Some(kind)) => What::Added(kind),
            (false, None) => {
                untracked.push((path.clone(), false));
                continue;
            }
        };
        differences.push(Difference { path: path.clone(), what });
    }
    let drift = judge(root, &differences, repo.history(), head, exactly, monitor)?;
    let harmless = drift.harmless.iter().filter(|path| !known.contains(*path));
    untracked.extend(harmless.map(|path| (path.clone(), true)));
    Ok(Found { drift, untracked })
}

/// Which paths that are looked at the head holds.
fn recorded(repo: &Repo, head: &SnapshotHeader, suspects: &Suspects) -> Outcome<BTreeSet<Vec<u8>>> {
    let mut known = BTreeSet::new();
    if suspects.paths.is_empty() && suspects.trees.is_empty() {
        return Ok(known);
    }
    for change in entries(repo.history().manifest(head)?) {
        let change = change
            .map_err(|e| damaged(&repo.layout.side.at(MANIFEST), &e.to_string()).because(e))?;
        if suspects.has(change.path.as_bytes()) {
            known.insert(change.path.as_bytes().to_vec());
        }
    }
    Ok(known)
}

/// All that stands in a folder, and the folder itself.
pub(super) fn walk(root: &Dir, tree: &[u8], found: &mut BTreeSet<Vec<u8>>) -> Outcome<()> {
    let mut left = vec![tree.to_vec()];
    while let Some(path) = left.pop() {
        let dir = match crate::tree::check::beneath(root, &path) {
            Ok(dir) => dir,
            Err(e) if e.is_absent() || e.is_escape() => continue,
            Err(e) => return Err(e.into()),
        };
        if !path.is_empty() {
            found.insert(path.clone());
        }
        for name in dir.list()? {
            let at = join(&path, name.name.as_bytes());
            if is_ours(&at) {
                continue;
            }
            if name.kind == Some(Kind::Dir) {
                left.push(at);
            } else {
                found.insert(at);
            }
        }
    }
    Ok(())
}

/// Makes what stands at a path that is no data in the clone what it is in the live dataset.
fn carry(
    live: &Dir,
    clone: &Dir,
    path: &[u8],
    there: bool,
    publication: &Publication,
) -> Outcome<()> {
    let rel = Path::new(OsStr::from_bytes(path));
    let text = rel.to_string_lossy();
    if publication.changes.iter().any(|c| c.entry.is_some() && c.path.as_str() == text) {
        return Err(Failure::new(
            Code::Drift,
            format!("Something that is not tracked stands in the way of {text} on the host."),
        )
        .hint("Move it away on the host, then try again; nothing was changed.")
        .about([text]));
    }
    let is = clone.stat(rel)?;
    let shall = if there { live.stat(rel)? } else { None };
    match (is.map(|s| s.kind), shall) {
        (Some(Kind::Dir), Some(shall)) if shall.kind == Kind::Dir => return Ok(()),
        (None, None) => return Ok(()),
        (Some(Kind::Dir), _) => match clone.remove_dir(rel) {
            // What else stands in it is told by itself.
            Err(e) if e.is_present() => return Ok(()),
            other => other?,
        },
        (Some(_), _) => clone.remove_file(rel)?,
        (None, Some(_)) => {}
    }
    let Some(shall) = shall else { return Ok(()) };
    if let Some(parent) = rel.parent().filter(|p| !p.as_os_str().is_empty()) {
        clone.ensure_dirs(parent, None)?;
    }
    match shall.kind {
        Kind::File => copy_file(live, rel, clone, rel, &shall),
        Kind::Link => Ok(clone.symlink(live.read_link(rel)?, rel)?),
        Kind::Dir => Ok(clone.ensure_dirs(rel, None).map(|_| ())?),
        // A pipe or socket is never data.
        Kind::Special => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::zfs::verb::Change;

    fn changes(list: &[(How, Sort, &str, Option<&str>)], more: bool) -> Changes {
        let one = |&(how, kind, path, to): &(How, Sort, &str, Option<&str>)| Change {
            how,
            kind,
            path: path.into(),
            to: to.map(Into::into),
        };
        Changes { list: list.iter().map(one).collect(), more }
    }

    fn told(suspects: &Suspects) -> (Vec<String>, Vec<String>) {
        let text = |path: &Vec<u8>| String::from_utf8(path.clone()).unwrap();
        (suspects.paths.iter().map(text).collect(), suspects.trees.iter().map(text).collect())
    }

    #[test]
    fn what_is_looked_at_is_what_changed_and_all_below_a_folder_that_came_went_or_moved() {
        let found = suspects(&changes(
            &[
                (How::Modified, Sort::Dir, "", None),
                (How::Modified, Sort::Dir, "input", None),
                (How::Modified, Sort::File, "input/a", None),
                (How::Renamed, Sort::File, "input/b", Some("input/c")),
                (How::Renamed, Sort::Dir, "old", Some("new")),
                (How::Added, Sort::Link, "link", None),
                (How::Removed, Sort::Dir, "gone", None),
                (How::Added, Sort::Dir, ".dsg/staging/x", None),
                (How::Modified, Sort::Dir, ".dsg", None),
                (How::Added, Sort::File, ".dsgconfig.yml", None),
            ],
            false,
        ));
        let (paths, trees) = told(&found);
        assert_eq!(paths, [".dsgconfig.yml", "input/a", "input/b", "input/c", "link"]);
        assert_eq!(trees, ["old", "new", "gone"]);
        assert!(found.has(b"old/deep/x") && found.has(b"link"));
        assert!(!found.has(b"older/x") && !found.has(b"input/x"));
        assert!(!found.is_all());
    }

    #[test]
    fn where_there_is_too_much_to_tell_everything_is_looked_at() {
        let found = suspects(&changes(&[(How::Added, Sort::File, "a", None)], true));
        assert!(found.is_all() && found.has(b"any/thing"));
    }
}
