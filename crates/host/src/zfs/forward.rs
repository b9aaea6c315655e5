//! The decision, and all that follows it, from wherever it was cut off.

use dsg_core::failure::{Code, Failure, Outcome};
use uuid::Uuid;

use super::home::{Home, Trust};
use super::mounts::Mounts;
use super::name::{Dataset, Part};
use super::root::At;
use super::tell::{self, Next};
use super::verb::{Answer, Decision, Member, Mountpoint, Stop, Switched};
use super::{argv, carry, crash, find, mount, run};

impl At<'_> {
    /// Gives what stopped it, or else what follows it, if that was told.
    pub(super) fn decide(&self, decision: &Decision) -> Outcome<Result<Option<Next>, Stop>> {
        let &Decision { transaction, live, snapshot, .. } = decision;
        let staged = self.member(Part::Staging(transaction));
        if live.is_some() {
            // Whoever gave or took a right since the clone was made is heard.
            let given = self.granted().get(&staged).cloned();
            match carry::grants(self.live, &staged, given.as_ref()) {
                // The program says what is missing.
                Err(e) if e.code != Code::NotFound => return Err(e),
                Ok(_) | Err(_) => {}
            }
        }
        let call = argv::decide(decision, &staged);
        let mut told = run::run(&call)?;
        let mut came = tell::decision(&told.text);
        // Nothing else stops it: only now is anything taken away.
        if came == Ok(Err(Stop::Busy)) && mount::release_snapshots(self.live)? {
            told = run::run(&call)?;
            came = tell::decision(&told.text);
        }
        if let (true, Ok(Ok(next))) = (told.well, &came) {
            crash::DECIDED.pass();
            return Ok(Ok(next.clone()));
        }
        // Whatever was said: what is there counts. It may have been decided by an earlier try.
        let family = self.family(transaction)?;
        let decided = |m: &Member| m.decided(transaction) == Some(snapshot);
        let promoted =
            live.is_none() || family.live.as_ref().is_none_or(|old| comes_from(old, &staged));
        let mut all = family.live.iter().chain(&family.others);
        if all.any(|m| decided(m) && (m.part == Part::Live || promoted)) {
            crash::DECIDED.pass();
            return Ok(Ok(None));
        }
        match came {
            Ok(Err(stop)) => Ok(Err(stop)),
            Ok(Ok(_)) | Err(_) => Err(run::refused(&call, &told.complaint)),
        }
    }

    /// Decides, and goes on by what the program told: nobody else has his turn in between.
    pub(super) fn publish(&self, decision: &Decision) -> Outcome<Answer> {
        let next = match self.decide(decision)? {
            Ok(next) => next,
            Err(stop) => return Ok(Answer::Stopped(stop)),
        };
        let Some(next) = next.and_then(|next| self.known(decision, &next)) else {
            return Ok(Answer::Decided);
        };
        let staged = self.member(Part::Staging(decision.transaction));
        let went_on = self.retire(decision.transaction).and_then(|()| {
            self.take_place(&staged, next.guid)?;
            self.settle(decision.transaction, &next)
        });
        // Where it was cut off, a second look finds out.
        Ok(went_on.unwrap_or(Answer::Decided))
    }

    /// What is D from now on, if it follows one that stands where the program says that D stands.
    fn known(&self, decision: &Decision, next: &Next) -> Option<New> {
        let (guid, mountpoint) = (next.guid()?, next.mountpoint());
        let home = find::home(self.live, &mountpoint)?;
        let mounts = Mounts::now().ok()?;
        let stands = mounts.stack(&home).last()?.source == self.live.as_str();
        let meant = next.meant.clone();
        (stands && decision.live.is_some()).then_some(New {
            guid,
            mountpoint,
            settled: false,
            meant,
        })
    }

    pub(super) fn finish(&self, transaction: Uuid) -> Outcome<Answer> {
        let mut family = self.family(transaction)?;
        let staged = family.others.iter().position(|m| m.part == Part::Staging(transaction));
        let staged = staged.map(|at| family.others.swap_remove(at));
        let new = match (staged, family.live) {
            (Some(staged), live) => {
                if staged.decided(transaction).is_none() {
                    return Err(self.not_decided(transaction));
                }
                if let Some(old) = live {
                    self.step_aside(transaction, &staged, &old)?;
                }
                self.take_place(&staged.name, staged.guid)?;
                staged
            }
            (None, Some(live)) if live.decided(transaction).is_some() => live,
            (None, _) => return Err(self.not_decided(transaction)),
        };
        let settled = new.canmount == new.meant;
        let Member { guid, mountpoint, meant, .. } = new;
        self.settle(transaction, &New { guid, mountpoint, settled, meant })
    }

    /// What was staged becomes D.
    fn take_place(&self, staged: &Dataset, guid: u64) -> Outcome<()> {
        let taken = || Ok(self.one(Part::Live)?.is_some_and(|m| m.guid == guid));
        Self::do_unless(&argv::rename(staged, self.live), taken)?;
        crash::PLACE_TAKEN.pass();
        Ok(())
    }

    /// D stands at its mount point, and is mounted at boot if it is to be.
    fn settle(&self, transaction: Uuid, live: &New) -> Outcome<Answer> {
        let came = self.switch(transaction, live)?;
        if !live.settled {
            let call = argv::set(self.live, &[("canmount", &live.meant)]);
            let settled = |m: Member| m.canmount == m.meant;
            Self::do_unless(&call, || Ok(self.one(Part::Live)?.is_some_and(settled)))?;
            crash::SETTLED.pass();
        }
        Ok(Answer::Finished(came))
    }

    fn not_decided(&self, transaction: Uuid) -> Failure {
        let message = format!("The transaction {transaction} of {} is not decided.", self.live);
        Failure::new(Code::Usage, message)
    }

    /// The old dataset takes no more writes, is mounted by nobody again, and gives up its name.
    fn step_aside(&self, transaction: Uuid, staged: &Member, old: &Member) -> Outcome<()> {
        if !comes_from(old, &staged.name) {
            return Err(Failure::new(
                Code::Exists,
                format!("{} is not what the transaction {transaction} replaces.", self.live),
            )
            .hint("Look at the datasets on the host: somebody renamed them."));
        }
        self.retire(transaction)
    }

    /// The same, of one that is known to be what the transaction replaces.
    fn retire(&self, transaction: Uuid) -> Outcome<()> {
        let retired = |m: Member| m.readonly && m.canmount == "noauto";
        let call = argv::set(self.live, &[("readonly", "on"), ("canmount", "noauto")]);
        // It is known to refuse and to do it all the same.
        Self::do_unless(&call, || Ok(self.one(Part::Live)?.is_some_and(retired)))?;
        crash::RETIRED.pass();
        let former = Part::Former(transaction);
        let call = argv::rename(self.live, &self.member(former));
        Self::do_unless(&call, || Ok(self.one(former)?.is_some()))?;
        crash::STEPPED_ASIDE.pass();
        Ok(())
    }

    fn switch(&self, transaction: Uuid, live: &New) -> Outcome<Switched> {
        let home = self.home(&live.mountpoint)?;
        let on_top = || -> Outcome<bool> {
            let mounts = Mounts::now()?;
            Ok(mounts.stack(&home).last().is_some_and(|m| m.source == self.live.as_str()))
        };
        let came = if on_top()? {
            Switched::Already
        } else {
            let from = self.mount(Part::Live, Some(live.guid))?;
            let trust = if self.within.is_some() { Trust::RootAlone } else { Trust::Any };
            mount::switch(self.live, &Home::reach(&home, trust)?, &from)?
        };
        let folders = [Part::Staging(transaction), Part::Live];
        let folders = folders.map(|part| self.private(part, Some(live.guid)));
        mount::detach(self.live.as_str(), &folders)?;
        if on_top()? {
            return Ok(came);
        }
        let at = home.display();
        Err(Failure::new(Code::Io, format!("{} could not be mounted at {at}.", self.live)))
    }
}

/// What is D once it has its name.
struct New {
    guid: u64,
    mountpoint: Mountpoint,
    /// It is mounted at boot if it is to be.
    settled: bool,
    /// What its `canmount` shall be.
    meant: String,
}

/// Whether a dataset is a clone of a snapshot of another one.
fn comes_from(dataset: &Member, of: &Dataset) -> bool {
    let origin = dataset.origin.as_deref().and_then(|origin| origin.split_once('@'));
    origin.is_some_and(|(origin, _)| origin == of.as_str())
}
