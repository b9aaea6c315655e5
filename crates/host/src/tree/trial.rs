//! Whether a repository can live at a place: told of the place, of the rights that it takes, and tried
//! with a repository beside it that goes again.
//!
//! The trial is the whole way: made, published twice, read back. What cannot be had is told in the very
//! words in which a sync would. One that was cut off is removed by the next of the same account.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use dsg_core::config::SharedConfig;
use dsg_core::entry::{Entry, FileEntry, Hash, Mtime};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::manifest::Change;
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::places::Step;
use dsg_core::repository::{Access, Publication, Upload};
use dsg_core::snapshot::{Authorship, SnapshotId};
use dsg_fs::dir::Dir;
use dsg_fs::stat::Kind;
use dsg_wire::delta::{Basis, Content};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use uuid::Uuid;

use super::dataset::Site;
use super::layout::{locate, side_name};
use super::reader::Glimpse;
use super::staging::Supply;
use super::store::{Ground, TreeStore};
use crate::zfs::name::{Dataset, trial_of};
use crate::zfs::sudo::{self, Way};

/// What a trial publishes, and where.
const CONTENTS: [&str; 2] = ["first\n", "second\n"];
const PATH: &str = "trial";
/// So long one waits for another.
const TURN: Duration = Duration::from_secs(120);
/// By these it is known again.
const AUTHOR: &str = "dsg doctor";
const PROJECT: &str = "a trial of dsg doctor";

/// Tells of a place where a repository stands or would stand, one step after the other, up to the first
/// that went wrong. Nothing is left behind.
///
/// # Errors
/// What `each` gives; stopped. What is wrong with the place is told as a step.
pub fn examine(
    path: &Path,
    monitor: &Monitor,
    each: &mut dyn FnMut(Step) -> Outcome<()>,
) -> Outcome<()> {
    let mut note = |name: &str, found: Outcome<String>| -> Outcome<bool> {
        let went_well = found.is_ok();
        each(Step::new(name, found)).map(|()| went_well)
    };
    let (parent, place, dataset) = match look(path) {
        Ok(found) => found,
        Err(failure) => return note("place", Err(failure)).map(drop),
    };
    note("place", Ok(place))?;
    monitor.check()?;
    if let Some(dataset) = dataset
        && !note("rights", sudo::way(&dataset).map(said))?
    {
        return Ok(());
    }
    monitor.check()?;
    note("trial", tried(&parent, monitor)).map(drop)
}

/// The folder above, what kind of place it is, and on ZFS the dataset that a repository is or would be.
fn look(path: &Path) -> Outcome<(Dir, String, Option<Dataset>)> {
    let (parent, name) = locate(path)?;
    let free = |bytes: u64| format!("{} free", size(bytes));
    if !Site::belongs_at(&parent, &name)? {
        let room = free(parent.space()?.free);
        return Ok((parent, format!("a folder, its history beside it; {room}"), None));
    }
    let Some(place) = crate::zfs::place(&parent.at(&name))? else {
        return Err(Failure::new(Code::Unsupported, "ZFS does not say what lies there."));
    };
    let quota =
        place.quota.map_or_else(String::new, |bytes| format!(" of a quota of {}", size(bytes)));
    let gap = if place.beneath { "" } else { "; a publish has a gap of microseconds" };
    let what = place.repository.as_ref().map_or_else(
        || format!("a folder in {}", place.dataset),
        |dataset| format!("a dataset of its own, {dataset}"),
    );
    let said = format!("{what}; {}{quota}; OpenZFS {}{gap}", free(place.available), place.version);
    Ok((parent, said, place.repository))
}

fn size(bytes: u64) -> String {
    match bytes / 1_000_000_000 {
        0..10 => format!("{} MB", bytes / 1_000_000),
        large => format!("{large} GB"),
    }
}

fn said(way: Way) -> String {
    match way {
        Way::Root => "the account is root".to_owned(),
        Way::Sudo => "sudo, without a password".to_owned(),
        Way::Helper(prefix) => format!("the helper for all below {prefix}"),
    }
}

fn tried(parent: &Dir, monitor: &Monitor) -> Outcome<String> {
    let begun = Instant::now();
    let name = trial_of(rustix::process::geteuid().as_raw());
    let _alone = alone(monitor)?;
    clear(parent, &name)?;
    let side = side_name(&name);
    let played = TreeStore::create_at(parent.try_clone()?, name.clone(), Some(Access::Personal))
        .and_then(|store| {
            let played = play(&store, monitor);
            let gone = store.discard(&name);
            played.and(gone)
        });
    if let Err(failure) = played {
        // What could not be made may have begun.
        let _ = parent.remove_tree(&side);
        return Err(failure);
    }
    Ok(format!(
        "a repository was made beside it, synced twice, read again and removed, in {:.1} s",
        begun.elapsed().as_secs_f64()
    ))
}

/// One trial of an account at a time: they have one name. Its home is the same for all of them.
fn alone(monitor: &Monitor) -> Outcome<Option<OwnedFd>> {
    let begun = Instant::now();
    let Some(home) = std::env::var_os("HOME") else { return Ok(None) };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(home) = rustix::fs::open(Path::new(&home), flags, Mode::empty()) else {
        return Ok(None);
    };
    while rustix::fs::flock(&home, FlockOperation::NonBlockingLockExclusive)
        == Err(Errno::WOULDBLOCK)
    {
        monitor.check()?;
        if begun.elapsed() > TURN {
            return Err(Failure::new(Code::Locked, "Another trial of this account is under way.")
                .hint("Try again when it has ended."));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // Where nothing can be locked, two at once spoil each other, and say so.
    Ok(Some(home))
}

/// Removes what a trial that was cut off left. Nothing else is taken for one: no link, and no repository
/// that somebody moved to its name.
fn clear(parent: &Dir, name: &str) -> Outcome<()> {
    let at = parent.at(name);
    for part in [name, &side_name(name)] {
        if parent.stat(part)?.is_some_and(|stat| stat.kind != Kind::Dir) {
            return Err(foreign(&parent.at(part)));
        }
    }
    if Site::belongs_at(parent, name)? {
        return Site::discard_trial(parent, name);
    }
    let left = match TreeStore::open_at(parent.try_clone()?, name.to_owned(), &at) {
        Err(e) if e.code == Code::NoRepository => return Ok(()),
        left => left?,
    };
    let head = left.head()?;
    if head.authorship.author != AUTHOR || head.config.name != PROJECT {
        return Err(foreign(&at));
    }
    left.discard(name)
}

fn foreign(at: &Path) -> Failure {
    Failure::new(Code::Exists, format!("{} has the name of a trial, and is none.", at.display()))
        .hint("Nothing of it was touched. Rename it, then try again.")
}

fn play(store: &TreeStore, monitor: &Monitor) -> Outcome<()> {
    let mut base = None;
    for content in CONTENTS {
        base = Some(publish(store, base, content, monitor)?);
    }
    for (id, content) in (1..).filter_map(SnapshotId::new).zip(CONTENTS) {
        let path: RepoPath = path()?;
        let found = store.snapshot(id)?.glimpse(&path, 64)?;
        let same =
            matches!(&found, Some(Glimpse::File { bytes, .. }) if bytes == content.as_bytes());
        if !same {
            let message = format!("What was synced as {id} in a trial could not be read again.");
            return Err(Failure::new(Code::RepositoryDamaged, message)
                .hint("Do not keep data there. Ask whoever keeps the host."));
        }
    }
    Ok(())
}

fn publish(
    store: &TreeStore,
    base: Option<SnapshotId>,
    content: &str,
    monitor: &Monitor,
) -> Outcome<SnapshotId> {
    let transaction = Uuid::now_v7().to_string();
    let authorship = Authorship {
        author: AUTHOR.to_owned(),
        message: "A trial".to_owned(),
        time: jiff::Timestamp::now(),
        transaction: transaction.clone(),
    };
    let file = FileEntry {
        size: content.len() as u64,
        mtime: Mtime(0),
        exec: false,
        hash: Hash::of(content.as_bytes()),
    };
    let staging = store.begin(base, &transaction, &authorship.author)?;
    let staged =
        staging.stage(&[Upload { file, private: false }], &Text(content.as_bytes()), monitor);
    let refused = match staged {
        Ok(refused) => refused,
        Err(e) => return staging.abort().and(Err(e)),
    };
    if let Some((_, refusal)) = refused.into_iter().next() {
        staging.abort()?;
        return Err(Failure::new(Code::Io, format!("Nothing could be staged: {refusal:?}.")));
    }
    let mut config = SharedConfig::new(PROJECT);
    config.data_dirs = ["*".to_owned()].into();
    let change = Change { path: path()?, entry: Some(Entry::File(file)) };
    let changes = std::iter::once(change).collect();
    let publication = Publication { base, authorship, config, changes, copies: Vec::new() };
    staging.publish(&publication, monitor).map(|header| header.id)
}

fn path() -> Outcome<RepoPath> {
    PATH.parse().map_err(|e| Failure::new(Code::Usage, "This is no path.").because(e))
}

/// One content.
struct Text<'t>(&'t [u8]);

impl Supply for Text<'_> {
    fn open(&self, _index: usize, basis: Basis) -> Outcome<Content<'_>> {
        let kept = usize::try_from(basis.kept).unwrap_or(0);
        Ok(Content::Bytes(Box::new(self.0.get(kept..).unwrap_or_default())))
    }
}

impl TreeStore {
    /// Removes a repository that was made to be tried under this name, whatever is left of it.
    fn discard(self, name: &str) -> Outcome<()> {
        match &self.ground {
            Ground::Folder(repo) => {
                let layout = &repo.layout;
                if layout.name != name {
                    return Err(foreign(&layout.path()));
                }
                layout.parent.remove_tree(name)?;
                Ok(layout.parent.remove_tree(&side_name(name))?)
            }
            Ground::Dataset(site) => site.discard(),
        }
    }
}
