//! Reading one snapshot's files, whatever is published meanwhile.
//!
//! Owns an open descriptor of the right root: an exchange moves names, not what is open here. The
//! live tree is proved to be the snapshot by its root's inode. What is read is not hashed here:
//! whoever takes it compares it with the manifest.

use std::fs::File;
use std::io::Read as _;

use dsg_core::entry::Mtime;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::path::RepoPath;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_fs::dir::{Dir, file_stat};
use dsg_fs::error::FsResult;
use dsg_fs::stat::{Kind, Stat};

use super::layout::{ROOT, Root, STAGING, Swap, TREES};
use super::repo::Repo;
use super::staging::{ASIDE, TREE};

/// What stands at a path, and how it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Glimpse {
    /// A regular file.
    File {
        /// Bytes of all of it.
        size: u64,
        /// When it was last modified.
        mtime: Mtime,
        /// Its first bytes.
        bytes: Vec<u8>,
    },
    /// A link, with where it points.
    Link(String),
}

impl Glimpse {
    /// What stands below a folder; `None` if nothing does that has content.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(root: &Dir, path: &str, limit: u64) -> Outcome<Option<Self>> {
        let stat = match root.stat(path) {
            Err(e) if e.is_absent() || e.is_escape() => return Ok(None),
            other => other?,
        };
        match stat.map(|s| s.kind) {
            Some(Kind::Link) => {
                let target = root.read_link(path)?;
                Ok(Some(Self::Link(target.to_string_lossy().into_owned())))
            }
            Some(Kind::File) => {
                let file = root.open_file(path)?;
                let stat = file_stat(&file, &root.at(path))?;
                let mut bytes = Vec::new();
                file.take(limit)
                    .read_to_end(&mut bytes)
                    .map_err(|e| Failure::io("read", root.at(path), e))?;
                Ok(Some(Self::File { size: stat.size, mtime: stat.mtime, bytes }))
            }
            Some(Kind::Dir | Kind::Special) | None => Ok(None),
        }
    }
}

/// One snapshot's tree, open.
#[derive(Debug)]
pub struct SnapshotReader {
    id: SnapshotId,
    root: Dir,
}

impl SnapshotReader {
    /// Where the history stands within the live tree, that is the newest in it, and has the others.
    fn within(repo: &Repo, id: SnapshotId) -> Outcome<Self> {
        let root = repo.layout.live()?;
        if repo.history().newest()? == Some(id) {
            return Ok(Self { id, root });
        }
        match root.open_beneath(format!(".zfs/snapshot/{id}")) {
            Ok(root) => Ok(Self { id, root }),
            Err(e) if e.is_absent() => Err(not_kept(repo, id).because(e)),
            Err(e) => Err(e.into()),
        }
    }

    pub(super) fn open(repo: &Repo, id: SnapshotId) -> Outcome<Self> {
        if repo.site.is_some() {
            return Self::within(repo, id);
        }
        // A publish may pass by between two looks: what is found must be proved, or looked for again.
        for _ in 0..50 {
            if let Some(root) = find(repo, id)? {
                return Ok(Self { id, root });
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        if repo.history().newest()? == Some(id) {
            // The root was replaced outside DSG (a restored backup): its content will show.
            return Ok(Self { id, root: repo.layout.live()? });
        }
        Err(not_kept(repo, id))
    }

    pub(super) fn root(&self) -> &Dir {
        &self.root
    }

    /// Which snapshot it is.
    pub fn id(&self) -> SnapshotId {
        self.id
    }

    /// The first bytes of what stands at a path, at most `limit`. Not compared with the manifest.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn glimpse(&self, path: &RepoPath, limit: u64) -> Outcome<Option<Glimpse>> {
        Glimpse::of(&self.root, path.as_str(), limit)
    }

    /// Opens a file, with its stat: [`Stat::private`] says whether it is for its owner alone.
    ///
    /// # Errors
    /// It is not there, or is no regular file.
    pub fn read(&self, path: &RepoPath) -> Outcome<(File, Stat)> {
        let file = self.root.open_file(path.as_str()).map_err(|e| {
            if e.is_absent() {
                Failure::new(
                    Code::NotFound,
                    format!("{path} is not among the files of {}.", self.id),
                )
                .because(e)
            } else {
                e.into()
            }
        })?;
        let stat = file_stat(&file, &self.root.at(path.as_str()))?;
        Ok((file, stat))
    }
}

/// The files of a snapshot are not there; nor is it, perhaps.
pub(super) fn not_kept(repo: &Repo, id: SnapshotId) -> Failure {
    match repo.history().header(id) {
        Err(e) => e,
        Ok(header) if header.legacy.is_some() => {
            let message = format!(
                "{id} was made by the earlier DSG, which kept its list of files and not their contents."
            );
            let failure = Failure::new(Code::NotFound, message);
            match first_of_ours(repo, header) {
                Some(first) => failure.hint(format!(
                    "What has not changed since can be had from {first} on, which adopted it; log, blame and diff read the list."
                )),
                None => failure,
            }
        }
        Ok(_) => Failure::new(Code::NotFound, format!("The files of {id} are not kept any more."))
            .hint(
                "Its record is; older files can be had only from snapshots whose trees are kept.",
            ),
    }
}

/// The snapshot that adopted those of the earlier DSG.
fn first_of_ours(repo: &Repo, mut header: SnapshotHeader) -> Option<SnapshotId> {
    while header.legacy.is_some() {
        header = repo.history().header(header.id.next()).ok()?;
    }
    Some(header.id)
}

/// The tree of `id`, if it can be proved to be that.
fn find(repo: &Repo, id: SnapshotId) -> Outcome<Option<Dir>> {
    let layout = &repo.layout;
    let absent = |found: FsResult<Dir>| match found {
        Ok(dir) => Ok(Some(dir)),
        Err(e) if e.is_absent() => Ok(None),
        Err(e) => Err(Failure::from(e)),
    };
    let journal = repo.journal()?;
    let live = absent(layout.live())?;
    let live_ino = live.as_ref().map(Dir::own_stat).transpose()?.map(|s| s.ino);
    let kept = || absent(layout.side.open_beneath(format!("{TREES}/{id}")));
    if let Some(journal) = journal.filter(|j| j.swap != Swap::Adopt) {
        let is_old = SnapshotId::new(journal.snapshot.number() - 1) == Some(id);
        let wanted = match (is_old, journal.snapshot == id) {
            (true, _) => journal.old,
            (_, true) => Some(journal.new),
            _ => return kept(),
        };
        if live_ino.is_some() && live_ino == wanted {
            return Ok(live);
        }
        for name in [TREE, ASIDE] {
            let rel = format!("{STAGING}/{}/{name}", journal.transaction);
            if let Some(dir) = absent(layout.side.open_beneath(rel))?
                && Some(dir.own_stat()?.ino) == wanted
            {
                return Ok(Some(dir));
            }
        }
        return kept();
    }
    // Damaged or missing, it proves nothing.
    let root: Option<Root> = layout.read_json(ROOT).unwrap_or(None);
    // The live tree first: an adoption that was not finished left a copy of it.
    match live.filter(|_| root.is_some_and(|r| r.snapshot == id && Some(r.ino) == live_ino)) {
        Some(live) => Ok(Some(live)),
        None => kept(),
    }
}
