//! Making and opening a repository.
//!
//! A repository is one only once its first snapshot is published: until then its facts stand under
//! another name, and whoever runs init again starts over. Refuses places where a publish could not
//! keep its promise: mount points, folders that hold something, folders where one may not write.

use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::repository::{Access, Settled};
use dsg_core::snapshot::SYNC_FORMAT;
use dsg_fs::dir::Dir;
use dsg_fs::error::FsError;
use dsg_fs::lock::{Lock, Tried};
use dsg_fs::stat::Kind;
use rustix::fs::{self as sys, Mode, OFlags, ResolveFlags};

use super::dataset::Site;
use super::layout::{FACTS, Facts, INIT_LOCK, Layout, Modes, NEW_FACTS, locate, side_name};
use super::legacy;
use super::repo::{Repo, holder, locked};
use super::store::{Ground, TreeStore};
use crate::crash;
use crate::zfs::name::TRIAL;

impl TreeStore {
    /// Prepares a repository at `path`, which must not exist or be an empty directory: on ZFS a
    /// dataset, else a folder. It is one
    /// only after its first publish; until then another `create` starts over. Without `access`, a
    /// setgid group directory makes it a team's.
    ///
    /// # Errors
    /// [`Code::Exists`], [`Code::Locked`] (another init), [`Code::Unsupported`] (a mount point),
    /// [`Code::Permission`] (the directory above it).
    pub fn create(path: &Path, access: Option<Access>) -> Outcome<Self> {
        let (parent, name) = new_place(path)?;
        Self::create_at(parent, name, access)
    }

    pub(super) fn create_at(parent: Dir, name: String, access: Option<Access>) -> Outcome<Self> {
        if Site::belongs_at(&parent, &name)? {
            if let Some(legacy) = legacy::recognised(&parent, &name) {
                return Err(legacy);
            }
            let site = Site::create(parent, name, access)?;
            return Ok(Self { ground: Ground::Dataset(site), settled: None });
        }
        Self::create_folder(parent, name, access)
    }

    /// As [`TreeStore::create`], in a plain folder, also where the repository could be a dataset.
    ///
    /// # Errors
    /// As [`TreeStore::create`].
    pub fn create_plain(path: &Path, access: Option<Access>) -> Outcome<Self> {
        let (parent, name) = new_place(path)?;
        Self::create_folder(parent, name, access)
    }

    fn create_folder(parent: Dir, name: String, access: Option<Access>) -> Outcome<Self> {
        if let Ok(side) = parent.open_beneath(side_name(&name)) {
            // Before anything is looked at or locked: a repository is left alone.
            let layout = Layout::beside(parent.try_clone()?, name.clone(), side);
            finish_interrupted_init(&layout)?;
            if layout.facts(FACTS)?.is_some() {
                return Err(exists(&layout.path()));
            }
        }
        let place = inspect_place(&parent, &name)?;
        Ok(Self::on_folder(Self::unborn(parent, name, &place, access, SYNC_FORMAT)?))
    }

    /// The sidecar of a repository that is to be, and the lock of whoever makes it. What an earlier try
    /// left of it goes.
    pub(super) fn unborn(
        parent: Dir,
        name: String,
        place: &Place,
        access: Option<Access>,
        format: u32,
    ) -> Outcome<Repo> {
        let access = access.unwrap_or(if place.team { Access::Team } else { Access::Personal });
        let modes = Modes(access);
        let side_name = side_name(&name);
        parent.ensure_dirs(&side_name, Some(modes.dir())).map_err(|e| {
            Failure::from(e).hint(format!(
                "The repository's history lives beside it: you need to be able to write in {}.",
                parent.path().display()
            ))
        })?;
        let side = parent.open_beneath(side_name)?;
        if let Some(group) = place.group {
            let _ = sys::fchown(&side, None, Some(sys::Gid::from_raw(group)));
        }
        crash::INIT_SIDECAR.pass();
        let layout = Layout::beside(parent, name, side);
        let by = holder("", "creates it");
        let init = match Lock::try_acquire(&layout.side, INIT_LOCK, modes.own_file(), by)? {
            Tried::Held(lock) => lock,
            Tried::Busy(by) => return Err(locked(&layout, by)),
        };
        finish_interrupted_init(&layout)?;
        if layout.facts(FACTS)?.is_some() {
            return Err(exists(&layout.path()));
        }
        for name in layout.side.list()? {
            if let Some(name) = name.name.to_str().filter(|n| *n != INIT_LOCK) {
                layout.side.remove_tree(name)?;
            }
        }
        layout.ensure_folders(modes)?;
        let facts = Facts {
            format,
            id: uuid::Uuid::now_v7().to_string(),
            access,
            created: jiff::Timestamp::now(),
            exchange: can_exchange(&layout.side)?,
        };
        layout.write_json(NEW_FACTS, &facts, modes)?;
        layout.parent.fsync()?;
        crash::INIT_FACTS.pass();
        Ok(Repo { layout, facts, init: Mutex::new(Some(init)), site: None })
    }

    /// Opens a repository, and finishes or undoes what an interrupted transaction left, unless
    /// somebody who lives is at it.
    ///
    /// # Errors
    /// [`Code::NoRepository`]: there is none, and none is being made; [`Code::Legacy`]: the earlier DSG
    /// made one; [`Code::Locked`]: somebody makes one
    /// there now; [`Code::Unreachable`], [`Code::RepositoryDamaged`], [`Code::NewerFormat`].
    pub fn open(path: &Path) -> Outcome<Self> {
        let (parent, name) = locate(path)?;
        Self::open_at(parent, name, path)
    }

    /// As [`TreeStore::open`], at a name in a folder, of which `path` tells.
    pub(super) fn open_at(parent: Dir, name: String, path: &Path) -> Outcome<Self> {
        let side = match parent.open_beneath(side_name(&name)) {
            Ok(side) => side,
            Err(e) if e.is_absent() => {
                return match Site::open(parent.try_clone()?, name.clone())? {
                    Some((site, settled)) => Ok(Self { ground: Ground::Dataset(site), settled }),
                    None => Err(none(&parent, &name, path, "").because(e)),
                };
            }
            Err(e) => return Err(e.into()),
        };
        let layout = Layout::beside(parent, name, side);
        let mut settled = None;
        if layout.facts(FACTS)?.is_none() {
            settled = finish_interrupted_init(&layout)?;
        }
        let Some(facts) = layout.facts(FACTS)? else {
            // While whoever makes it lives, its first snapshot may still be published.
            if let Some(by) = Lock::holder(&layout.side, INIT_LOCK)? {
                return Err(locked(&layout, Some(by)));
            }
            // It may have been published, and its maker be gone, since the facts were looked for.
            let Some(facts) = layout.facts(FACTS)? else {
                let why = ": an init there was not finished";
                return Err(none(&layout.parent, &layout.name, path, why));
            };
            return Self::opened(layout, facts, settled);
        };
        Self::opened(layout, facts, settled)
    }

    fn opened(layout: Layout, facts: Facts, settled: Option<Settled>) -> Outcome<Self> {
        let repo = Repo { layout, facts, init: Mutex::new(None), site: None };
        let now = if repo.needs_recovery()? { recover_if_free(&repo)? } else { None };
        Ok(Self { settled: now.or(settled), ..Self::on_folder(repo) })
    }

    pub(super) fn on_folder(repo: Repo) -> Self {
        Self { ground: Ground::Folder(Arc::new(repo)), settled: None }
    }
}

/// There is no repository of ours.
fn none(parent: &Dir, name: &str, path: &Path, why: &str) -> Failure {
    legacy::recognised(parent, name).unwrap_or_else(|| {
        let message = format!("There is no repository at {}{why}.", path.display());
        Failure::new(Code::NoRepository, message)
            .hint("Check the address, or make one there with init.")
    })
}

/// Where a repository may be made that is meant to stay.
fn new_place(path: &Path) -> Outcome<(Dir, String)> {
    let (parent, name) = locate(path)?;
    if name.starts_with(TRIAL) {
        let message = format!("{name} is a name that DSG keeps for trials, which go again.");
        return Err(Failure::new(Code::Usage, message).hint("Choose another name."));
    }
    Ok((parent, name))
}

/// What stands where a repository is to be.
pub(super) struct Place {
    pub(super) team: bool,
    pub(super) group: Option<u32>,
}

pub(super) fn exists(at: &Path) -> Failure {
    Failure::new(Code::Exists, format!("There is a repository at {} already.", at.display()))
        .hint("Clone it, or choose another place.")
}

/// What stands there: nothing, or an empty folder.
pub(super) fn inspect_place(parent: &Dir, name: &str) -> Outcome<Place> {
    let place = inspect_folder(parent, name)?;
    let at = parent.at(name);
    if parent.stat(name)?.is_some() && !parent.open_beneath(name)?.list()?.is_empty() {
        return Err(legacy::recognised(parent, name).unwrap_or_else(|| {
            Failure::new(Code::Exists, format!("{} is not empty.", at.display()))
                .hint("Choose another place for the repository, or move away what is there.")
        }));
    }
    Ok(place)
}

/// As [`inspect_place`], whatever the folder holds.
pub(super) fn inspect_folder(parent: &Dir, name: &str) -> Outcome<Place> {
    let at = parent.at(name);
    let is_team = |mode: u32| mode & 0o2020 == 0o2020;
    let above = parent.own_stat()?.mode;
    let Some(stat) = parent.stat(name)? else {
        return Ok(Place { team: is_team(above), group: None });
    };
    if stat.kind != Kind::Dir {
        return Err(Failure::new(
            Code::Exists,
            format!("{} is there already, and no folder.", at.display()),
        ));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
    let fd = match sys::openat2(parent, name, flags, Mode::empty(), resolve) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::XDEV) => {
            return Err(Failure::new(
                Code::Unsupported,
                format!(
                    "{} is a mount point: its folder cannot be exchanged in one step.",
                    at.display()
                ),
            )
            .hint("Choose a folder below it."));
        }
        Err(e) => return Err(FsError::new("open the folder", &at, e).into()),
    };
    let group = sys::fstat(fd.as_fd()).map_err(|e| FsError::new("look at", &at, e))?.st_gid;
    Ok(Place { team: is_team(above) || is_team(stat.mode), group: Some(group) })
}

/// If the first publish was decided, its repository is there once it is rolled forward.
pub(super) fn finish_interrupted_init(layout: &Layout) -> Outcome<Option<Settled>> {
    let Some(facts) = layout.facts(NEW_FACTS)? else { return Ok(None) };
    let reopened =
        Layout::beside(layout.parent.try_clone()?, layout.name.clone(), layout.side.try_clone()?);
    let repo = Repo { layout: reopened, facts, init: Mutex::new(None), site: None };
    if repo.needs_recovery()? { recover_if_free(&repo) } else { Ok(None) }
}

fn recover_if_free(repo: &Repo) -> Outcome<Option<Settled>> {
    match repo.try_lock("", "finishes an interrupted publish") {
        Ok(Tried::Held(lock)) => repo.settled(&lock),
        // Whoever holds it finishes it, or is in the midst of it.
        Ok(Tried::Busy(_)) => Ok(None),
        // A mere reader cannot; what is there can be read all the same.
        Err(e) if e.code == Code::Permission => Ok(None),
        Err(e) => Err(e),
    }
}

fn can_exchange(side: &Dir) -> Outcome<bool> {
    for probe in ["probe-a", "probe-b"] {
        side.ensure_dirs(probe, None)?;
    }
    let exchanged = side.exchange("probe-a", side, "probe-b");
    for probe in ["probe-a", "probe-b"] {
        side.remove_dir(probe)?;
    }
    match exchanged {
        Ok(()) => Ok(true),
        Err(e) if e.is_unsupported() => Ok(false),
        Err(e) => Err(e.into()),
    }
}
