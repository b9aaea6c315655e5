//! The publish of a repository on ZFS: the clone becomes the repository.
//!
//! Runs under the lock, but for the list of all files, which takes the longer the more there are. Everything, our own files too, stands in the clone as it is to be before the
//! deciding program takes its snapshot: after it nothing is written, only datasets change their names
//! and places. What that takes is the same list that recovery takes, and may be cut off anywhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Event, Monitor, Phase};
use dsg_core::repository::Publication;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_fs::dir::Dir;
use dsg_fs::lock::Lock;
use uuid::Uuid;

use super::open::check_below;
use super::verdict::{finishing, staged};
use super::{Site, parsed, rewrite, strange};
use crate::crash;
use crate::tree::apply;
use crate::tree::layout::{MANIFEST, STAGING};
use crate::tree::lease;
use crate::tree::prepared::Listed;
use crate::tree::recover::replace_cache;
use crate::tree::repo::Repo;
use crate::tree::staging::{NEW_MANIFEST, Staging};
use crate::zfs::name::Tag;
use crate::zfs::verb::{Answer, Decision, Family, Stop, Verb};

/// How long a snapshot that is being read is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How far a publish came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Nothing was decided.
    Stopped(Stop),
    /// It is decided, and no more is known.
    Decided,
    /// It stands in its place, and what it replaced is to be destroyed.
    InPlace,
}

impl Site {
    /// Publishes: all of it, or nothing.
    pub(in crate::tree) fn publish(
        self: &Arc<Self>,
        staging: Staging,
        publication: &Publication,
        monitor: &Monitor,
    ) -> Outcome<SnapshotHeader> {
        let next = publication.base.map_or(SnapshotId::FIRST, SnapshotId::next);
        let listed = self.list(&staging, publication)?;
        monitor.check()?;
        if publication.base.is_none() {
            let mut unborn = self.unborn();
            if let Some(born) = unborn.as_mut() {
                let header =
                    self.publish_locked(staging, publication, &listed, &mut born.lock, monitor)?;
                *unborn = None;
                return Ok(header);
            }
        }
        let author = &publication.authorship.author;
        let mut lock = staging.repo.lock(author, &lease::publishes(next, ""))?;
        self.publish_locked(staging, publication, &listed, &mut lock, monitor)
    }

    /// The list, in the clone: before the lock, so that nobody waits for it.
    fn list(self: &Arc<Self>, staging: &Staging, publication: &Publication) -> Outcome<Listed> {
        let Some(_) = publication.base else { return staging.list(publication, None) };
        // Who lost the race need not write it. What is interrupted there is put right under the lock.
        if let Ok(head) = self.now().and_then(|repo| repo.head()) {
            staging.may_publish(publication, head.as_ref())?;
        }
        let listed = staging.list(publication, staging.repo.head()?.as_ref())?;
        // In the clone's own list only the blocks that differ are written: a snapshot costs what changed.
        let (area, side) = (&staging.dir, &staging.repo.layout.side);
        let size = area.stat(NEW_MANIFEST)?.map_or(0, |list| list.size);
        if rewrite(area, NEW_MANIFEST, side, MANIFEST, size)? {
            area.remove_file(NEW_MANIFEST)?;
        }
        Ok(listed)
    }

    fn publish_locked(
        self: &Arc<Self>,
        staging: Staging,
        publication: &Publication,
        listed: &Listed,
        lock: &mut Lock,
        monitor: &Monitor,
    ) -> Outcome<SnapshotHeader> {
        let id = parsed(staging.transaction())?;
        let next = publication.base.map_or(SnapshotId::FIRST, SnapshotId::next);
        staging.voice.publishing(next);
        crash::LOCKED.pass();
        let family = self.settled_for(id, lock, publication.base)?;
        let base = match &family.live {
            Some(_) => self.now()?.head()?,
            None => None,
        };
        staging.may_publish(publication, base.as_ref())?;
        check_below(&self.dataset, &family)?;
        check_origin(&family, id)?;
        let files = publication.changes.len() as u64;
        monitor.phase(Phase::Publishing, Some(files), None);
        let mut frozen = false;
        if let Some(head) = base.as_ref().filter(|_| family.written != Some(0)) {
            lock.doing(&lease::publishes(next, "looks at what was written on the host"));
            self.carry_over(&staging.repo, publication, head, id, monitor)?;
            frozen = true;
        }
        lock.doing(&lease::publishes(next, "prepares the tree"));
        let repo = Arc::clone(&staging.repo);
        let far = staging.voice.taking_over(next, files, monitor);
        let prepared = prepare(&staging, publication, base.as_ref(), listed, &far);
        drop(far);
        // Whatever is open of what was removed would be written to once it is closed. And the dataset is
        // switched beneath, and an old one destroyed: nothing of them stays open here.
        drop(staging);
        let decided = prepared.and_then(|header| {
            lock.doing(&lease::publishes(next, "decides"));
            let live = family.live.as_ref().map(|live| live.guid);
            let mut came = self.decide(id, live, next, frozen)?;
            if let (Came::Stopped(Stop::Drift(_)), Some(head)) = (&came, &base) {
                self.thaw(id);
                self.carry_over(&repo, publication, head, id, monitor)?;
                frozen = true;
                came = self.decide(id, live, next, frozen)?;
            }
            match came {
                Came::Stopped(stop) => Err(stop.into()),
                came => Ok((header, came)),
            }
        });
        drop(repo);
        let (header, came) = match decided {
            Ok(decided) => decided,
            Err(e) => {
                // It is applied, perhaps in part: of no use to another.
                let _ = self.recover(lock);
                return Err(e);
            }
        };
        crash::EXCHANGED.pass();
        lock.doing(&lease::publishes(next, "puts it in its place"));
        let mut steps = finishing(&self.dataset, id, base.is_some());
        if came == Came::InPlace {
            steps.retain(|step| !matches!(step, Verb::Finish { .. }));
        }
        self.finish(id, &header, steps, frozen, monitor)?;
        Ok(header)
    }

    /// The step that decides, and what follows it if all goes as it should.
    pub(super) fn decide(
        &self,
        transaction: Uuid,
        live: Option<u64>,
        snapshot: SnapshotId,
        frozen: bool,
    ) -> Outcome<Came> {
        let dataset = self.dataset.clone();
        let verb = Verb::Publish(Decision { dataset, transaction, live, snapshot, frozen });
        let started = Instant::now();
        loop {
            match self.perform(&verb) {
                Ok(Answer::Decided) => return Ok(Came::Decided),
                Ok(Answer::Finished(_)) => return Ok(Came::InPlace),
                Ok(Answer::Stopped(Stop::Busy)) if started.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(500));
                }
                Ok(Answer::Stopped(stop)) => return Ok(Came::Stopped(stop)),
                Ok(other) => return Err(strange(&verb, &other)),
                // Whether it was done stands in the pool.
                Err(e) => {
                    let family = self.look(None, None, false).map_err(|_| unknown(snapshot, &e))?;
                    let marked = |m: &crate::zfs::verb::Member| m.decided(transaction).is_some();
                    let decided = staged(&family).any(|(id, m)| id == transaction && marked(m));
                    return if decided { Ok(Came::Decided) } else { Err(e) };
                }
            }
        }
    }

    /// All after the decision.
    pub(super) fn finish(
        &self,
        transaction: Uuid,
        header: &SnapshotHeader,
        mut steps: Vec<Verb>,
        frozen: bool,
        monitor: &Monitor,
    ) -> Outcome<()> {
        if frozen {
            let (dataset, tags) = (self.dataset.clone(), vec![Tag::Frozen(transaction)]);
            steps.push(Verb::Drop { dataset, tags });
        }
        for step in &steps {
            let Err(e) = self.perform(step) else { continue };
            if !super::may_wait(step, &e) {
                return Err(Failure::new(
                    e.code,
                    format!(
                        "{} is published, but its bookkeeping is not finished: {}",
                        header.id, e.message
                    ),
                )
                .hint("The next access to the repository finishes it.")
                .because(e));
            }
            if e.code == Code::Drift {
                let told = match self.rescue(transaction) {
                    Ok(late) if late.is_empty() => continue,
                    Ok(late) => format!(
                        "{} file(s) were written on the host during the publish; they are kept beside the new ones and show as drift: {}.",
                        late.len(),
                        late.join(", ")
                    ),
                    Err(kept) => kept.message,
                };
                monitor.event(Event::Notice(told));
            }
        }
        Ok(())
    }

    /// Gives a freeze up; what cannot be now is by the next opening.
    pub(super) fn thaw(&self, transaction: Uuid) {
        let (dataset, tags) = (self.dataset.clone(), vec![Tag::Frozen(transaction)]);
        let _ = self.perform(&Verb::Drop { dataset, tags });
    }
}

/// Whether the clone is of what is newest: a snapshot that another program took since would stay
/// behind.
fn check_origin(family: &Family, transaction: Uuid) -> Outcome<()> {
    let Some(live) = &family.live else { return Ok(()) };
    let clone = staged(family).find(|(id, _)| *id == transaction);
    let Some((_, clone)) = clone else { return Err(Stop::Missing.into()) };
    let origin = clone.origin.as_deref().and_then(|o| o.split_once('@')).map(|(_, name)| name);
    let at = live.snapshots.iter().position(|s| Some(s.name.as_str()) == origin);
    let Some(at) = at else { return Err(Stop::Moved.into()) };
    // A comparison that runs takes one for as long as it does.
    let newer = live.snapshots[at + 1..].iter().map(|s| s.name.clone());
    let newer: Vec<String> = newer.filter(|name| !name.starts_with("zfs-diff-")).collect();
    if newer.is_empty() { Ok(()) } else { Err(Stop::Foreign(newer).into()) }
}

fn unknown(snapshot: SnapshotId, why: &Failure) -> Failure {
    Failure::new(
        Code::Unreachable,
        format!("Whether {snapshot} is published is not known yet: {}", why.message),
    )
    .hint("The next access to the repository finds out, and finishes or undoes it.")
}

/// Makes the clone what is to be published.
fn prepare(
    staging: &Staging,
    publication: &Publication,
    base: Option<&SnapshotHeader>,
    listed: &Listed,
    monitor: &Monitor,
) -> Outcome<SnapshotHeader> {
    let repo = &*staging.repo;
    let header = staging.record(publication, base, listed)?;
    monitor.check()?;
    apply::apply(staging, &repo.layout.live()?, publication, monitor)?;
    crash::APPLIED.pass();
    enter(repo, &staging.dir, &header)?;
    monitor.check()?;
    Ok(header)
}

/// Enters what was prepared in a staging area, and removes that with all others of the clone.
pub(super) fn enter(repo: &Repo, area: &Dir, header: &SnapshotHeader) -> Outcome<()> {
    repo.enter(area, header.id, &header.authorship.transaction)?;
    // Where it is large, it stands there already.
    replace_cache(area, NEW_MANIFEST, &repo.layout.side, MANIFEST)?;
    if repo.history().checkpoint_if_due(header, repo.modes()).is_ok_and(|done| done) {
        crash::CHECKPOINTED.pass();
    }
    let folder = repo.layout.folder(STAGING)?;
    for name in folder.list()? {
        if let Some(name) = name.name.to_str() {
            folder.remove_tree(name)?;
        }
    }
    crash::TREE_DURABLE.pass();
    Ok(())
}
