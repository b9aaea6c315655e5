//! A clone for each transaction, in which it stages as in a sidecar.
//!
//! It holds the head's tree and the whole history up to it. What dead transactions staged in clones of
//! theirs is copied over, of whatever head they are: those of a former one are of no other use. A clone
//! is born under the lock: until its staging area is locked, it looks dead.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dsg_core::failure::Outcome;
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::Dir;
use dsg_fs::lock::{Lock, Tried};
use dsg_fs::stat::Kind;

use super::open::check_below;
use super::verdict::{Owner, staged};
use super::{Site, parsed};
use crate::tree::copy::copy_file;
use crate::tree::layout::{LOCK, OURS, STAGING};
use crate::tree::lease::areas;
use crate::tree::repo::{Repo, holder, in_use};
use crate::tree::staging::{ADOPTED, OBJECTS, Staging};
use crate::zfs::name::Tag;
use crate::zfs::verb::{Family, Member, Verb};

/// How long whoever begins waits for whoever publishes.
const PATIENCE: Duration = Duration::from_secs(60);

impl Site {
    /// Begins a transaction on top of `base`.
    pub(in crate::tree) fn begin(
        self: &Arc<Self>,
        base: Option<SnapshotId>,
        transaction: &str,
        author: &str,
    ) -> Outcome<Staging> {
        let id = parsed(transaction)?;
        self.check_place()?;
        let unborn = self.unborn();
        if let (Some(unborn), None) = (&*unborn, base) {
            let verb = Verb::Create { dataset: self.dataset.clone(), transaction: id };
            let mounted = self.mounted(&verb)?;
            self.furnish(&Dir::open(&mounted)?, unborn.group)?;
            return Staging::begin(&self.within(&mounted)?, None, transaction, author);
        }
        drop(unborn);
        let lock = self.lock_patiently("begins a transaction")?;
        let family = self.settled(&lock, None)?;
        check_below(&self.dataset, &family)?;
        let base_tag = Tag::Number(base.unwrap_or(SnapshotId::FIRST));
        let (dataset, base_of) = (self.dataset.clone(), base_tag);
        let verb = Verb::Clone { dataset, transaction: id, base: base_of };
        let repo = self.within(&self.mounted(&verb)?)?;
        self.take_over(&family, &repo, transaction);
        Staging::begin(&repo, base, transaction, author)
    }

    fn lock_patiently(&self, doing: &str) -> Outcome<Lock> {
        let (dir, name) = self.lock_file();
        let started = Instant::now();
        loop {
            let by = holder("", doing);
            match Lock::try_acquire(dir, name, self.modes().own_file(), by)? {
                Tried::Held(lock) => return Ok(lock),
                Tried::Busy(by) if started.elapsed() > PATIENCE => {
                    return Err(in_use(&self.path(), by));
                }
                Tried::Busy(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Copies what dead transactions staged to where a transaction that begins looks for it. Whatever fails
    /// here is not needed.
    fn take_over(&self, family: &Family, repo: &Repo, transaction: &str) {
        let dead = staged(family).filter(|(id, _)| id.to_string() != transaction);
        for (id, member) in dead {
            if self.owner(member, id, true) == Owner::LeftIt {
                let copied = self.copy_staged(member, &id.to_string(), repo);
                if copied.is_ok_and(|whole| whole) {
                    let _ = self.abandon(&id.to_string());
                }
            }
        }
    }

    fn copy_staged(&self, member: &Member, dead: &str, repo: &Repo) -> Outcome<bool> {
        let mounted = self.view(member, parsed(dead)?)?;
        let area = Dir::open(mounted.join(OURS).join(STAGING).join(dead))?;
        let Some(Tried::Held(_dead)) = Lock::try_existing(&area, LOCK, holder("", "takes over"))?
        else {
            return Ok(false);
        };
        let staging = repo.layout.folder(STAGING)?;
        let modes = repo.modes();
        // As a dead transaction of this very clone: beginning takes it over from there.
        let copy = staging.create_dir(dead, Some(modes.dir()))?;
        let Tried::Held(_lock) =
            Lock::try_acquire(&copy, LOCK, modes.own_file(), holder("", "takes over"))?
        else {
            return Ok(false);
        };
        let objects = copy.create_dir(OBJECTS, Some(modes.dir()))?;
        for left in [OBJECTS, ADOPTED] {
            let Ok(left) = area.open_beneath(left) else { continue };
            for name in left.list()? {
                let name = std::path::Path::new(&name.name);
                let Some(stat) = left.stat(name)?.filter(|s| s.kind == Kind::File) else {
                    continue;
                };
                if objects.stat(name)?.is_none() {
                    copy_file(&left, name, &objects, name, &stat)?;
                }
            }
        }
        Ok(true)
    }

    /// Gives a transaction up that was not decided.
    pub(in crate::tree) fn abandon(&self, transaction: &str) -> Outcome<()> {
        let (dataset, transaction) = (self.dataset.clone(), parsed(transaction)?);
        self.perform(&Verb::Abandon { dataset, transaction }).map(|_| ())
    }

    /// The areas in which transactions stage now, by their ids.
    pub(in crate::tree) fn areas(&self) -> Outcome<Vec<(String, Dir)>> {
        let family = self.look(None, None, false)?;
        let mut all = Vec::new();
        for (id, member) in staged(&family).filter(|(_, member)| !member.mounts.is_empty()) {
            // It may end while it is looked at.
            let Ok(path) = self.view(member, id) else { continue };
            if let Ok(staging) = Dir::open(path.join(OURS).join(STAGING)) {
                all.append(&mut areas(&staging)?);
            }
        }
        Ok(all)
    }
}
