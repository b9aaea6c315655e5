//! Making and opening a repository on ZFS.
//!
//! It is a dataset directly below the one that its path lies in, mounted where that one's mount point
//! and its name put it. Refuses what a publish could not keep its promise in: datasets that hold
//! others, pools that are read-only or suspended, keys that are not loaded.

use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::repository::{Access, Settled, Standing};
use dsg_core::snapshot::SYNC_FORMAT;
use dsg_fs::dir::Dir;
use dsg_fs::error::FsResult;
use dsg_fs::lock::{Holder, Lock, Tried};
use rustix::fs as sys;
use uuid::Uuid;

use super::{Site, Unborn, strange};
use crate::tree::create::{exists, inspect_place};
use crate::tree::layout::{FACTS, Facts, Layout, NEW_FACTS, OURS, side_name};
use crate::tree::repo::{holder, in_use};
use crate::zfs::name::{Dataset, Tag};
use crate::zfs::verb::{Answer, Family, Hands, Member, Place, Verb};

/// `statfs` of ZFS.
const MAGIC: u32 = 0x2FC1_2FC1;

fn is_zfs(dir: &Dir) -> bool {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "the type differs by platform"
    )]
    let magic = sys::fstatfs(dir.as_fd()).map(|stat| stat.f_type as u32);
    magic.is_ok_and(|magic| magic == MAGIC)
}

/// Where a repository is, or would be.
struct Spot {
    dataset: Dataset,
    hands: Arc<dyn Hands>,
    place: Place,
}

impl Spot {
    /// `None` if a repository there could be no dataset of its own.
    fn of(path: &Path) -> Outcome<Option<Self>> {
        let Some(place) = crate::zfs::place(path)? else { return Ok(None) };
        let Some(dataset) = place.repository.clone() else { return Ok(None) };
        let dataset = dataset.for_repository().map_err(|e| unsuitable(&e.to_string()))?;
        let hands = crate::zfs::sudo::hands(&dataset)?.into();
        Ok(Some(Self { dataset, hands, place }))
    }

    fn site(
        self,
        (parent, name): (Dir, String),
        facts: Facts,
        lock: (Dir, String),
        unborn: Option<Unborn>,
    ) -> Arc<Site> {
        let standing = self.standing(false);
        let Self { dataset, hands, .. } = self;
        let unborn = Mutex::new(unborn);
        Arc::new(Site { parent, name, dataset, hands, facts, lock, standing, unborn })
    }

    fn standing(&self, touched: bool) -> Standing {
        standing(&self.place, &self.dataset, touched)
    }

    fn lock_file(&self) -> Outcome<(Dir, String)> {
        let verb = Verb::LockFile { dataset: self.dataset.clone() };
        let path = match self.hands.perform(&verb)? {
            Answer::LockFile(path) => path,
            other => return Err(strange(&verb, &other)),
        };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        Ok((Dir::open(path.parent().unwrap_or(Path::new("/")))?, name))
    }
}

fn standing(place: &Place, dataset: &Dataset, touched: bool) -> Standing {
    // Before its first publish, or while it is not mounted, it is the one above that is known.
    let own = place.dataset == *dataset;
    Standing {
        filesystem: crate::zfs::KIND.to_owned(),
        dataset: Some(dataset.to_string()),
        available: place.available,
        used: own.then_some(place.used),
        quota: place.quota.filter(|_| own),
        seamless: place.beneath,
        touched,
        settled: None,
    }
}

/// Whether something was written since the newest snapshot of the history, as far as that is told
/// without a comparison.
fn is_touched(live: &Member) -> bool {
    let newest = live.snapshots.last();
    live.written > 0 || newest.is_some_and(|s| !matches!(s.tag, Some(Tag::Number(_))))
}

fn unsuitable(why: &str) -> Failure {
    Failure::new(Code::Unsupported, format!("{why}.")).hint("Choose another name.")
}

/// Whether a publish can keep its promise there.
pub(super) fn check(place: &Place) -> Outcome<()> {
    let refuse = |code, what: String, hint: &str| Err(Failure::new(code, what).hint(hint));
    let dataset = &place.dataset;
    if place.health != "ONLINE" && place.health != "DEGRADED" {
        let what = format!("The pool of {dataset} is {}.", place.health);
        return refuse(
            Code::Unreachable,
            what,
            "Ask whoever keeps the host: zpool status says why.",
        );
    }
    if !place.unlocked {
        let what = format!("The keys of {dataset} are not loaded.");
        return refuse(Code::Unreachable, what, "On the host: zfs load-key, then zfs mount.");
    }
    if place.readonly {
        let what = format!("{dataset} is read-only.");
        return refuse(
            Code::Permission,
            what,
            "Nothing was changed. On the host: zfs get readonly.",
        );
    }
    Ok(())
}

/// A dataset that holds others cannot be replaced by a clone.
pub(super) fn check_below(dataset: &Dataset, family: &Family) -> Outcome<()> {
    let Some(first) = family.below.first() else { return Ok(()) };
    Err(Failure::new(
        Code::Unsupported,
        format!("{dataset} holds another dataset, {first}: a snapshot would not hold that."),
    )
    .hint("Nothing was changed. Move it elsewhere (zfs rename), then sync again.")
    .about(family.below.clone()))
}

impl Site {
    /// Whether a repository that is made there is to be a dataset.
    pub(in crate::tree) fn belongs_at(parent: &Dir, name: &str) -> Outcome<bool> {
        // A repository in a folder stays one.
        Ok(is_zfs(parent) && parent.stat(side_name(name))?.is_none())
    }

    /// Prepares a repository; there is nothing of it in the pool before its first transaction begins.
    pub(in crate::tree) fn create(
        parent: Dir,
        name: String,
        access: Option<Access>,
    ) -> Outcome<Arc<Self>> {
        let path = parent.at(&name);
        let spot = Spot::of(&path).map_err(|e| {
            let hint = e.hint.clone().unwrap_or_default();
            e.hint(
                format!("{hint}\nWithout that: dsg init --plain-folder makes a folder.")
                    .trim_start(),
            )
        })?;
        let spot = spot.ok_or_else(|| {
            Failure::new(
                Code::Unsupported,
                format!("{} lies in a plain folder of a ZFS dataset.", path.display()),
            )
            .hint("Choose a place directly in a dataset's mount point, make the folder above it a dataset (zfs create), or use dsg init --plain-folder.")
        })?;
        if spot.place.below.as_os_str().is_empty() {
            if path.join(OURS).join(FACTS).exists() {
                return Err(exists(&path));
            }
            return Err(Failure::new(
                Code::Exists,
                format!(
                    "{} is a dataset already, {}, and no repository.",
                    path.display(),
                    spot.dataset
                ),
            )
            .hint("Choose another name below the same dataset: init makes the repository's own."));
        }
        check(&spot.place)?;
        let place = inspect_place(&parent, &name)?;
        let access = access.unwrap_or(if place.team { Access::Team } else { Access::Personal });
        let above = parent.own_stat()?;
        let group = place.group.or((above.mode & 0o2000 != 0).then_some(group_of(&parent)?));
        let file = spot.lock_file()?;
        let by = holder("", "creates it");
        let mode = crate::tree::layout::Modes(access).own_file();
        let lock = match Lock::try_acquire(&file.0, &file.1, mode, by)? {
            Tried::Held(lock) => lock,
            Tried::Busy(by) => return Err(in_use(&path, by)),
        };
        let facts = Facts {
            format: SYNC_FORMAT,
            id: Uuid::now_v7().to_string(),
            access,
            created: jiff::Timestamp::now(),
            exchange: true,
        };
        let site = spot.site((parent, name), facts, file, None);
        let family = site.settled(&lock, None)?;
        if let Some(live) = family.live {
            let ours = live.snapshots.iter().any(|s| s.transaction.is_some());
            return Err(if ours { exists(&path) } else { site.taken() });
        }
        *site.unborn() = Some(Unborn { lock, group });
        Ok(site)
    }

    /// Removes what a trial of this name left, by whoever may make one there.
    pub(in crate::tree) fn discard_trial(parent: &Dir, name: &str) -> Outcome<()> {
        let Some(spot) = Spot::of(&parent.at(name))? else { return Ok(()) };
        let verb = Verb::Discard { dataset: spot.dataset.clone() };
        spot.hands.perform(&verb).map(drop)
    }

    fn taken(&self) -> Failure {
        Failure::new(
            Code::Exists,
            format!("There is a dataset {} already, and it is no repository.", self.dataset),
        )
        .hint("Choose another name. Nothing was changed.")
    }

    /// Opens the repository that is there; finishes or undoes what an interrupted transaction left, unless
    /// somebody who lives is at it.
    pub(in crate::tree) fn open(
        parent: Dir,
        name: String,
    ) -> Outcome<Option<(Arc<Self>, Option<Settled>)>> {
        let at = parent.open_beneath(&name).ok();
        if !is_zfs(&parent) && !at.as_ref().is_some_and(is_zfs) {
            return Ok(None);
        }
        let path = parent.at(&name);
        let is_one = path.join(OURS).join(FACTS).exists();
        drop(at);
        let spot = match Spot::of(&path) {
            Ok(Some(spot)) => spot,
            Ok(None) => return Ok(None),
            // Without the programs, or by an account that may ask nothing.
            Err(e) if is_one => return Err(e),
            Err(_) => return Ok(None),
        };
        let verb =
            Verb::Look { dataset: spot.dataset.clone(), since: None, only: None, flush: false };
        let family = match spot.hands.perform(&verb) {
            Ok(Answer::Family(family)) => *family,
            Ok(other) => return Err(strange(&verb, &other)),
            Err(e) if is_one => return Err(e),
            Err(_) => return Ok(None),
        };
        // Whatever else the dataset may be, it is not touched.
        let marked = family.live.iter().flat_map(|live| &live.snapshots);
        if family.others.is_empty() && !marked.into_iter().any(|s| s.transaction.is_some()) {
            return Ok(None);
        }
        let lock = spot.lock_file()?;
        // Not known before it is recovered: of a first publish it stands in a dataset that is not here.
        let unknown = Facts {
            format: SYNC_FORMAT,
            id: String::new(),
            access: Access::Personal,
            created: jiff::Timestamp::UNIX_EPOCH,
            exchange: true,
        };
        let mut standing = spot.standing(family.live.as_ref().is_some_and(is_touched));
        let site = spot.site((parent, name), unknown, lock, None);
        let (busy, settled) = site.recover_if_free(&family)?;
        if settled.is_some()
            && let Some(place) = crate::zfs::place(&path)?
        {
            standing = self::standing(&place, &site.dataset, false);
        }
        let facts = match site.now() {
            Ok(repo) => repo.layout.facts(FACTS)?,
            Err(e) if e.code == Code::NoRepository => None,
            Err(e) => return Err(e),
        };
        match (facts, busy) {
            (Some(facts), _) => {
                let known = |site: Self| (Arc::new(Self { facts, standing, ..site }), settled);
                Ok(Arc::into_inner(site).map(known))
            }
            (None, Some(by)) => Err(in_use(&site.path(), Some(by))),
            (None, None) => Ok(None),
        }
    }

    /// Gives who is at it, if that is somebody else; else what became of an interrupted publish.
    fn recover_if_free(&self, family: &Family) -> Outcome<(Option<Holder>, Option<Settled>)> {
        use super::verdict::Verdict;
        if self.verdict(family, false) == Verdict::Steps(Vec::new()) && family.live.is_some() {
            return Ok((None, None));
        }
        let (dir, name) = self.lock_file();
        let by = holder("", "finishes an interrupted publish");
        match Lock::try_acquire(dir, name, self.modes().own_file(), by) {
            Ok(Tried::Held(lock)) => match self.put_right(&lock, None) {
                // A mere reader cannot; what is there can be read all the same.
                Err(e) if e.code == Code::Permission => Ok((None, None)),
                other => other.map(|(_, settled)| (None, settled)),
            },
            Ok(Tried::Busy(by)) => Ok((Some(by.unwrap_or_default()), None)),
            Err(e) if e.errno == rustix::io::Errno::ACCESS => Ok((None, None)),
            Err(e) => Err(e.into()),
        }
    }

    /// What a new dataset needs before anything is staged in it.
    pub(super) fn furnish(&self, root: &Dir, group: Option<u32>) -> Outcome<()> {
        let modes = self.modes();
        if let Some(group) = group {
            // A group that is not ours stays what it is.
            let _ = sys::fchown(root, None, Some(sys::Gid::from_raw(group)));
        }
        sys::fchmod(root, sys::Mode::from_raw_mode(modes.dir()))
            .map_err(|e| Failure::io("set the permissions of", root.path(), e))?;
        root.ensure_dirs(OURS, Some(modes.dir()))?;
        let side = root.open_beneath(OURS)?;
        let layout = Layout::beside(self.parent.try_clone()?, self.name.clone(), side);
        layout.ensure_folders(modes)?;
        layout.write_json(NEW_FACTS, &self.facts, modes)
    }
}

fn group_of(dir: &Dir) -> FsResult<u32> {
    sys::fstat(dir.as_fd())
        .map(|stat| stat.st_gid)
        .map_err(|e| dsg_fs::error::FsError::new("look at", dir.path(), e))
}
