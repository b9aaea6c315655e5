//! What differs where a repository is a ZFS dataset of its own.
//!
//! | module | owns |
//! |---|---|
//! | [`verdict`] | what an interrupted transaction left, judged |
//! | [`open`] | making and opening a repository |
//! | [`stage`] | a clone for each transaction |
//! | [`publish`] | the deciding program, all before and after it |
//! | [`drift`] | what was changed on the host |
//! | [`late`] | writes that reached the former dataset |
//! | [`prune`] | the end of former snapshots, and what they cost |
//! | [`rewrite`](mod@rewrite) | a file patched where it stands |

mod drift;
mod late;
mod open;
mod prune;
mod publish;
mod rewrite;
mod stage;
mod verdict;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::repository::{Outcome as TransactionOutcome, Settled, Standing};
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::Dir;
use dsg_fs::lock::{Lock, Tried};
use dsg_fs::stat::Stat;
use uuid::Uuid;

use super::layout::{Facts, LOCK, Layout, Modes, OURS, STAGING};
use super::repo::{Repo, holder};
use super::staging::{KEPT, RECORD, check_transaction};
use crate::zfs::name::{Dataset, Part, Tag};
use crate::zfs::verb::{Answer, Family, Hands, Member, Verb};

pub(super) use self::rewrite::rewrite;
use self::verdict::{Owner, Verdict, rests, staged, verdict};

/// How often the path is looked at again while one dataset gives way to another there.
const LOOKS: u32 = 100;

/// Where a repository on ZFS stands. Holds no descriptor of the dataset: each question opens what is
/// at the path now.
pub(super) struct Site {
    /// Holds the dataset's mount point.
    parent: Dir,
    /// The mount point's name in it.
    name: String,
    dataset: Dataset,
    hands: Arc<dyn Hands>,
    facts: Facts,
    lock: (Dir, String),
    /// As it was found when it was opened.
    standing: Standing,
    /// Before the first publish.
    unborn: Mutex<Option<Unborn>>,
}

/// A repository that is being made.
struct Unborn {
    /// The repository's, from the first look on.
    lock: Lock,
    /// Of the root, if the folder above gives it one.
    group: Option<u32>,
}

impl Site {
    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing.clone()
    }

    pub(super) fn lock_file(&self) -> (&Dir, &str) {
        (&self.lock.0, &self.lock.1)
    }

    fn unborn(&self) -> MutexGuard<'_, Option<Unborn>> {
        self.unborn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it waits for its first publish.
    pub(super) fn is_unborn(&self) -> bool {
        self.unborn().is_some()
    }

    fn path(&self) -> PathBuf {
        self.parent.at(&self.name)
    }

    fn modes(&self) -> Modes {
        Modes(self.facts.access)
    }

    /// The repository as it stands at its path now.
    pub(super) fn now(self: &Arc<Self>) -> Outcome<Arc<Repo>> {
        let mut looks = 0;
        loop {
            let root = self.parent.open_beneath(&self.name);
            match root.and_then(|root| Ok((root.open_beneath(OURS)?, root))) {
                Ok((side, root)) => return self.of(root, side).map(Arc::new),
                Err(e) if e.is_absent() && looks < LOOKS => looks += 1,
                Err(e) if e.is_absent() => return Err(self.none().because(e)),
                Err(e) => return Err(e.into()),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The repository in a clone.
    fn within(self: &Arc<Self>, mounted: &Path) -> Outcome<Arc<Repo>> {
        let root = Dir::open(mounted)?;
        let side = root.open_beneath(OURS)?;
        self.of(root, side).map(Arc::new)
    }

    fn of(self: &Arc<Self>, root: Dir, side: Dir) -> Outcome<Repo> {
        let layout = Layout {
            parent: self.parent.try_clone()?,
            name: self.name.clone(),
            root: Some(root),
            side,
        };
        let (facts, site) = (self.facts.clone(), Some(Arc::clone(self)));
        Ok(Repo { layout, facts, init: Mutex::new(None), site })
    }

    fn none(&self) -> Failure {
        let at = self.path();
        Failure::new(Code::NoRepository, format!("There is no repository at {}.", at.display()))
            .hint(format!("Its dataset is {}: is it there, and mounted?", self.dataset))
    }

    fn perform(&self, verb: &Verb) -> Outcome<Answer> {
        self.hands.perform(verb)
    }

    fn look(&self, since: Option<SnapshotId>, only: Option<Uuid>, flush: bool) -> Outcome<Family> {
        let verb = Verb::Look { dataset: self.dataset.clone(), since, only, flush };
        match self.perform(&verb)? {
            Answer::Family(family) => Ok(*family),
            other => Err(strange(&verb, &other)),
        }
    }

    /// Performs what gives a place where something is mounted.
    fn mounted(&self, verb: &Verb) -> Outcome<PathBuf> {
        match self.perform(verb)? {
            Answer::Mounted(path) => Ok(path),
            other => Err(strange(verb, &other)),
        }
    }

    /// Where we see a clone. Others see it elsewhere.
    fn view(&self, member: &Member, transaction: Uuid) -> Outcome<PathBuf> {
        match member.mounts.iter().find(|at| Dir::open(at).is_ok()) {
            Some(at) => Ok(at.clone()),
            None => self.mount(transaction),
        }
    }

    /// Mounts a clone privately, again.
    fn mount(&self, transaction: Uuid) -> Outcome<PathBuf> {
        let part = Part::Staging(transaction);
        self.mounted(&Verb::Mount { dataset: self.dataset.clone(), part })
    }

    /// Who stages in a clone; mounts it to know that, if need be and if that is allowed. (Else it is
    /// found out under the lock.)
    fn owner(&self, member: &Member, transaction: Uuid, mount: bool) -> Owner {
        // Whoever stages in it has it mounted.
        let seen = member.mounts.iter().any(|at| Dir::open(at).is_ok());
        let mounted = match (seen || mount, member.mounts.is_empty()) {
            (true, _) => match self.view(member, transaction) {
                Ok(path) => path,
                Err(why) => return unseen(!member.mounts.is_empty(), &why),
            },
            (false, true) => return Owner::Gone,
            (false, false) => return Owner::Lives,
        };
        let area = mounted.join(OURS).join(STAGING).join(transaction.to_string());
        let area = match Dir::open(&area) {
            Ok(area) => area,
            Err(e) if e.is_absent() => return Owner::Gone,
            // Somebody else's, who keeps it closed.
            Err(_) => return Owner::Lives,
        };
        if Lock::holder(&area, LOCK).is_ok_and(|holder| holder.is_some()) {
            return Owner::Lives;
        }
        let Ok(Some(lock)) = area.stat(LOCK) else { return Owner::Gone };
        let untouched = area.stat(RECORD).is_ok_and(|record| record.is_none());
        if untouched && age(&lock) < KEPT { Owner::LeftIt } else { Owner::Gone }
    }

    fn verdict(&self, family: &Family, mount: bool) -> Verdict {
        let member = |transaction| {
            staged(family).find(|(id, _)| *id == transaction).map(|(_, member)| member)
        };
        let owner = |transaction| {
            member(transaction).map_or(Owner::Gone, |m| self.owner(m, transaction, mount))
        };
        verdict(&self.dataset, family, &owner)
    }

    /// Whether something waits for recovery.
    pub(super) fn needs_recovery(&self) -> Outcome<bool> {
        Ok(self.verdict(&self.look(None, None, false)?, false) != Verdict::Steps(Vec::new()))
    }

    /// Finishes or undoes what was interrupted.
    pub(super) fn recover(&self, lock: &Lock) -> Outcome<()> {
        self.settled(lock, None).map(|_| ())
    }

    /// As [`Site::settled`], for whoever staged in a clone: looks no further than at that, if it shows that
    /// all else is at rest.
    fn settled_for(
        &self,
        transaction: Uuid,
        lock: &Lock,
        since: Option<SnapshotId>,
    ) -> Outcome<Family> {
        let family = self.look(since, Some(transaction), false)?;
        if rests(&self.dataset, &family, transaction) {
            return Ok(family);
        }
        self.settled(lock, since)
    }

    /// As [`Site::recover`]; gives the family as it is then, with what was written since a snapshot.
    fn settled(&self, lock: &Lock, since: Option<SnapshotId>) -> Outcome<Family> {
        self.put_right(lock, since).map(|(family, _)| family)
    }

    /// As [`Site::settled`], with what became of an interrupted publish.
    fn put_right(
        &self,
        _lock: &Lock,
        since: Option<SnapshotId>,
    ) -> Outcome<(Family, Option<Settled>)> {
        let mut family = self.look(since, None, false)?;
        let mut settled = None;
        for last in [false, true] {
            let steps = match self.verdict(&family, true) {
                Verdict::Steps(steps) => steps,
                Verdict::Damaged(why) => return Err(self.damaged(&why)),
            };
            if steps.is_empty() {
                return Ok((family, settled));
            }
            settled = settled.or_else(|| verdict::settled(&family, &steps));
            let mut failed = None;
            for step in &steps {
                match self.perform(step) {
                    Ok(_) => {}
                    Err(e) if may_wait(step, &e) => {
                        if let (Verb::Bury { transaction, .. }, Code::Drift) = (step, e.code) {
                            // What cannot be brought over now is kept, and told when it was decided.
                            let _ = self.rescue(*transaction);
                        }
                    }
                    Err(e) => {
                        failed = Some(e);
                        break;
                    }
                }
            }
            family = self.look(since, None, false)?;
            match failed {
                None => return Ok((family, settled)),
                // What stands in the pool counts, not what a program said.
                Some(failure) if last => return Err(failure),
                Some(_) => {}
            }
        }
        Ok((family, settled))
    }

    fn damaged(&self, why: &str) -> Failure {
        Failure::new(
            Code::RepositoryDamaged,
            format!("A publish of {} was interrupted, and {why}.", self.dataset),
        )
        .hint(
            "Nothing was touched. Give the datasets the names back that they had, then try again.",
        )
    }

    /// How a transaction ended; `None` while it is not decided.
    pub(super) fn outcome(
        self: &Arc<Self>,
        transaction: &str,
    ) -> Outcome<Option<TransactionOutcome>> {
        let id = parsed(transaction)?;
        if let Some(outcome) = self.now()?.recorded_outcome(transaction)? {
            return Ok(Some(outcome));
        }
        let (dir, name) = self.lock_file();
        let by = holder("", "looks how a transaction ended");
        let Tried::Held(lock) = Lock::try_acquire(dir, name, self.modes().own_file(), by)? else {
            return Ok(None);
        };
        let family = self.settled(&lock, None)?;
        if let Some(outcome) = self.now()?.recorded_outcome(transaction)? {
            return Ok(Some(outcome));
        }
        let lives = |member| self.owner(member, id, true) == Owner::Lives;
        let undecided = staged(&family).any(|(other, member)| other == id && lives(member));
        Ok((!undecided).then_some(TransactionOutcome::Aborted))
    }

    /// Snapshots whose files can be had, oldest first.
    pub(super) fn kept(self: &Arc<Self>) -> Outcome<Vec<SnapshotId>> {
        let newest = self.now()?.history().newest()?;
        let family = self.look(None, None, false)?;
        let snapshots = family.live.iter().flat_map(|live| &live.snapshots);
        let numbers = snapshots.filter_map(|s| match s.tag {
            Some(Tag::Number(id)) => Some(id),
            _ => None,
        });
        let mut kept: Vec<SnapshotId> = numbers.filter(|id| Some(*id) <= newest).collect();
        kept.extend(newest);
        kept.sort_unstable();
        kept.dedup();
        Ok(kept)
    }

    /// The end of one that was made to be tried.
    pub(super) fn discard(&self) -> Outcome<()> {
        *self.unborn() = None;
        self.perform(&Verb::Discard { dataset: self.dataset.clone() }).map(|_| ())
    }

    /// Whether a publish can keep its promise here now.
    fn check_place(&self) -> Outcome<()> {
        // Whoever asks looks himself: root would see through folders that are closed to him.
        match crate::zfs::place(&self.path())? {
            Some(place) => open::check(&place),
            None => Err(self.none()),
        }
    }
}

/// Who stages in a clone into which we cannot look: nobody only if it is known not to be there.
fn unseen(mounted: bool, why: &Failure) -> Owner {
    if !mounted && why.code == Code::NotFound { Owner::Gone } else { Owner::Lives }
}

/// A step that may be left to the next opening: somebody sits in the old dataset or in a clone, or wrote
/// to it.
fn may_wait(step: &Verb, failure: &Failure) -> bool {
    matches!(step, Verb::Bury { .. } | Verb::Drop { .. } | Verb::Abandon { .. })
        && matches!(failure.code, Code::Locked | Code::Drift)
}

/// A transaction's id.
fn parsed(transaction: &str) -> Outcome<Uuid> {
    check_transaction(transaction)?;
    Uuid::parse_str(transaction)
        .map_err(|e| Failure::new(Code::Usage, "This is no transaction id.").because(e))
}

/// An answer that belongs to another verb.
fn strange(verb: &Verb, answer: &Answer) -> Failure {
    Failure::new(Code::Io, format!("{verb:?} was answered with {answer:?}."))
        .hint("The helper on the host is of another build: install this one's.")
}

/// How long ago a file was last written or renamed: a dataset's files have this computer's time.
fn age(stat: &Stat) -> Duration {
    let since = Duration::from_nanos(stat.ctime.0.max(0).unsigned_abs());
    std::time::UNIX_EPOCH.checked_add(since).and_then(|t| t.elapsed().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_cannot_be_looked_at_lives() {
        for code in Code::ALL.iter().copied() {
            let why = Failure::new(code, "It cannot be mounted.");
            assert_eq!(unseen(true, &why), Owner::Lives, "{code:?}");
            let expected = if code == Code::NotFound { Owner::Gone } else { Owner::Lives };
            assert_eq!(unseen(false, &why), expected, "{code:?}");
        }
    }
}
