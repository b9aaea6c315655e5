//! The end of datasets: of a former one that holds nothing any more that is not held elsewhere, and
//! of what a transaction that was given up staged.

use std::time::Duration;

use dsg_core::failure::{Code, Failure, Outcome};
use rustix::fs::Uid;
use uuid::Uuid;

use super::name::{Dataset, Part, Tag};
use super::root::At;
use super::verb::{Answer, Member, Snapshot, State, Stop, Until};
use super::{argv, crash, find, mount, run, tell};

/// How long a former dataset may be busy before it is left to the next opening, in milliseconds: whoever
/// had a file of it open when the mount was switched is done with it soon.
const MOMENTS: [u64; 4] = [20, 80, 300, 600];

impl At<'_> {
    pub(super) fn bury(&self, transaction: Uuid, adopted: Option<State>) -> Outcome<Answer> {
        let former = self.member(Part::Former(transaction));
        let mut stop = self.buried(transaction, adopted)?;
        if let (Some(Stop::Drift(_)), None) = (&stop, adopted)
            && let Some(state) = self.harmless(transaction)?
        {
            stop = self.buried(transaction, Some(state))?;
        }
        let failure = match stop {
            None => {
                crash::DESTROYED.pass();
                return Ok(Answer::Done);
            }
            Some(Stop::Drift(_)) => Failure::new(
                Code::Drift,
                format!("Something was written to {} while it was replaced.", self.live),
            )
            .hint("It is kept, read-only, until it is adopted."),
            Some(Stop::Foreign(names)) => {
                let names = names.join(", ");
                Failure::new(
                    Code::Drift,
                    format!("{former} keeps snapshots that are not DSG's: {names}."),
                )
                .hint("Send or destroy them on the host; the rest goes at the next opening.")
            }
            Some(Stop::Busy) => Failure::new(
                Code::Locked,
                format!("A process on the host still works in what {} was.", self.live),
            )
            .hint("It goes at the next opening after that."),
            Some(other) => other.into(),
        };
        Err(failure)
    }

    /// One try; gives why the former dataset is there still.
    fn buried(&self, transaction: Uuid, adopted: Option<State>) -> Outcome<Option<Stop>> {
        let part = Part::Former(transaction);
        let name = self.member(part);
        mount::detach(name.as_str(), &[self.private(part, None)])?;
        let call = argv::bury(self.live, transaction, adopted);
        let mut told = run::run(&call)?;
        for wait in MOMENTS {
            if tell::decision(&told.text) != Ok(Err(Stop::Busy)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(wait));
            told = run::run(&call)?;
        }
        match tell::decision(&told.text) {
            Ok(Ok(_)) if told.well => Ok(None),
            Ok(Err(stop @ (Stop::Drift(_) | Stop::Foreign(_) | Stop::Busy))) => Ok(Some(stop)),
            // Whatever was said: what is there counts.
            _ if !find::exists(&name)? => Ok(None),
            Ok(Err(stop)) => Ok(Some(stop)),
            Ok(Ok(_)) | Err(_) => Err(run::refused(&call, &told.complaint)),
        }
    }

    /// The state in which a former dataset holds nothing that is not held elsewhere; none if it does.
    fn harmless(&self, transaction: Uuid) -> Outcome<Option<State>> {
        let part = Part::Former(transaction);
        // To be mounted may write to it; what is compared afterwards holds at least what counts here.
        self.mount(part, None)?;
        run::must(&argv::flush(self.live.pool()))?;
        let former = self.needed(part)?;
        Ok(if self.holds_something(&former)? { None } else { Some(former.state()) })
    }

    /// Whether a former dataset has content that is held nowhere else: a read that left its time is
    /// none.
    fn holds_something(&self, former: &Member) -> Outcome<bool> {
        let Some((dataset, tag)) = former.known() else { return Ok(true) };
        let Ok(dataset) = dataset.parse::<Dataset>() else { return Ok(true) };
        self.shown(former.part)?;
        let changes = self.compared((&dataset, tag), Until::Now(former.part), 1000)?;
        let ours = |p: &[u8]| p.is_empty() || p == b".dsg" || p.starts_with(b".dsg/");
        Ok(changes.more || changes.list.iter().any(|c| !ours(&c.path)))
    }

    /// Destroys what a user made only to be tried. Which of a family was cloned from which does not
    /// matter: what is still in the way of another goes first.
    pub(super) fn discard(&self, user: Uid) -> Outcome<Answer> {
        if !self.live.is_trial_of(user.as_raw()) {
            return Err(Failure::new(
                Code::Usage,
                format!("{} is no trial of this account: nothing else is discarded.", self.live),
            ));
        }
        let mut patience = MOMENTS.into_iter();
        loop {
            let family = find::family(self.live, None, None)?;
            let members: Vec<_> = family.live.into_iter().chain(family.others).collect();
            if members.is_empty() {
                self.forget_locks()?;
                return Ok(Answer::Done);
            }
            if let Some(other) = members.iter().find(|member| !member.trial) {
                return Err(Failure::new(
                    Code::Exists,
                    format!("{} has the name of a trial, and was not made as one.", other.name),
                )
                .hint("Nothing of it was destroyed. Rename it on the host (zfs rename)."));
            }
            let home = self.home(&members[0].mountpoint).ok();
            let (mut refused, mut gone) = (None, false);
            for member in &members {
                match self.destroyed(member)? {
                    None => gone = true,
                    Some(failure) => refused = Some(failure),
                }
            }
            // An empty folder that is left does no harm.
            if let Some(home) = home {
                let _ = rustix::fs::rmdir(&home);
            }
            if let (Some(refused), false) = (refused, gone) {
                match patience.next() {
                    Some(wait) => std::thread::sleep(Duration::from_millis(wait)),
                    None => return Err(refused),
                }
            }
        }
    }

    /// Destroys a member with its snapshots, and nothing below it; gives why it is there still.
    fn destroyed(&self, member: &Member) -> Outcome<Option<Failure>> {
        let private = self.private(member.part, Some(member.guid));
        mount::detach(member.name.as_str(), &[private])?;
        let names: Vec<&str> = member.snapshots.iter().map(|s| s.name.as_str()).collect();
        let snapshots = (!names.is_empty()).then(|| argv::destroy_snapshots(&member.name, &names));
        for call in snapshots.into_iter().chain([argv::destroy(&member.name)]) {
            let told = run::run(&call)?;
            if !told.well {
                return Ok(Some(run::refused(&call, &told.complaint)));
            }
        }
        Ok(None)
    }

    pub(super) fn abandon(&self, transaction: Uuid) -> Outcome<Answer> {
        let part = Part::Staging(transaction);
        let Some(staged) = self.one(part)? else { return Ok(Answer::Done) };
        if staged.decided(transaction).is_some() {
            return Err(Failure::new(
                Code::Usage,
                format!("The transaction {transaction} of {} is decided.", self.live),
            ));
        }
        let foreign = passing(&staged).map_err(|made| {
            Failure::new(
                Code::RepositoryDamaged,
                format!("{} has a snapshot {made}, though nothing decided that.", staged.name),
            )
            .hint("Nothing was destroyed. Look at it on the host, and destroy that snapshot there.")
        })?;
        mount::detach(staged.name.as_str(), &[self.private(part, None)])?;
        if !foreign.is_empty() {
            run::must(&argv::destroy_snapshots(&staged.name, &foreign))?;
        }
        let call = argv::destroy(&staged.name);
        Self::do_unless(&call, || Ok(self.one(part)?.is_none()))?;
        crash::DESTROYED.pass();
        Ok(Answer::Done)
    }
}

/// The snapshots that go with an abandoned dataset: other programs take them of whatever is there. One
/// with a number may be a decision.
fn passing(staged: &Member) -> Result<Vec<&str>, &str> {
    let numbered = |s: &&Snapshot| matches!(s.tag, Some(Tag::Number(_)));
    match staged.snapshots.iter().find(numbered) {
        Some(made) => Err(&made.name),
        None => Ok(staged.snapshots.iter().map(|s| s.name.as_str()).collect()),
    }
}
