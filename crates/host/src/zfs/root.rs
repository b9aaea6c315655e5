//! The verbs, performed. Needs root.
//!
//! Each change is one call, and what came of it is read again where the call was refused: a refusal
//! that took effect all the same counts as done, one that did not is told. Verbs about one repository
//! go one after another, also those of a process that died while its program still runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::snapshot::SnapshotId;
use rustix::fs::{Gid, Uid};
use uuid::Uuid;

use super::argv::{self, Call};
use super::mounts::Mounts;
use super::name::{Dataset, Part, Tag};
use super::parse::{Grant, Odd, Read as _};
use super::verb::{
    Answer, Changes, Family, Hands, MOST_CHANGES, MOST_SNAPSHOTS, Member, Mountpoint, Snapshot,
    Stop, Until, Verb,
};
use super::{carry, crash, find, first, home, mount, run, tell};

/// Root's hands, for what lies below one dataset.
pub struct Root {
    prefix: Dataset,
    /// Whom what is made belongs to.
    caller: (Uid, Gid),
    /// Root asks, and may do all of this without these hands.
    own: bool,
    /// What these hands granted on clones.
    granted: Mutex<BTreeMap<Dataset, Vec<Grant>>>,
}

impl Root {
    /// For what lies below `prefix`, for root.
    pub fn own(prefix: Dataset) -> Self {
        Self { prefix, caller: (Uid::ROOT, Gid::ROOT), own: true, granted: Mutex::default() }
    }

    /// For what lies directly below `prefix`, for a user and group, to whom belongs what is made. A
    /// repository stands only where no way leads through a folder that others than root can change.
    pub fn lent(prefix: Dataset, caller: (u32, u32)) -> Self {
        let caller = (Uid::from_raw(caller.0), Gid::from_raw(caller.1));
        Self { prefix, caller, own: false, granted: Mutex::default() }
    }

    /// A verb's dataset, if it is one that these hands may touch.
    fn admitted<'v>(&self, verb: &'v Verb) -> Outcome<Option<&'v Dataset>> {
        let Some(dataset) = verb.dataset() else { return Ok(None) };
        if !dataset.is_below(&self.prefix) {
            return Err(Failure::new(
                Code::Permission,
                format!("{dataset} is not below {}, and nothing else is allowed.", self.prefix),
            ));
        }
        if !self.own && dataset.parent().as_ref() != Some(&self.prefix) {
            return Err(Failure::new(
                Code::Permission,
                format!(
                    "{dataset} is not directly below {}: nothing else is allowed.",
                    self.prefix
                ),
            )
            .hint("Choose a place there, or ask the host's administrator for the helper's rule."));
        }
        let name = dataset.clone().for_repository();
        name.map_err(|e| Failure::new(Code::Usage, format!("{e}.")))?;
        Ok(Some(dataset))
    }
}

impl Hands for Root {
    fn perform(&self, verb: &Verb) -> Outcome<Answer> {
        let Some(dataset) = self.admitted(verb)? else {
            let Verb::Find { path } = verb else { return Ok(Answer::Done) };
            if !self.own {
                return Err(Failure::new(
                    Code::Permission,
                    "Where a path stands is for whoever asks to look at: it needs no root.",
                ));
            }
            return find::place(path).map(|place| Answer::Place(place.map(Box::new)));
        };
        find::answers(dataset.pool())?;
        let within = Some(&self.prefix).filter(|_| !self.own);
        let at = At { live: dataset, caller: self.caller, within, granted: &self.granted };
        match verb {
            Verb::Diff { since, until, most, .. } => {
                at.diff(*since, *until, (*most).min(MOST_CHANGES))
            }
            Verb::Space { .. } => at.space(),
            Verb::Weigh { snapshots, .. } => at.weigh(snapshots),
            _ => {
                let turn = at.turn()?;
                let answer = at.perform(verb);
                drop(turn);
                answer
            }
        }
    }
}

/// Whoever answers differently from what is known.
pub(super) fn odd(e: Odd) -> Failure {
    Failure::new(Code::Unsupported, "ZFS on this host speaks in a way that DSG does not know.")
        .hint("DSG knows OpenZFS 2.1 to 2.3.")
        .because(e)
}

/// One repository.
pub(super) struct At<'a> {
    pub(super) live: &'a Dataset,
    pub(super) caller: (Uid, Gid),
    /// It is not root who asks: only what stands directly below this one is mounted.
    pub(super) within: Option<&'a Dataset>,
    granted: &'a Mutex<BTreeMap<Dataset, Vec<Grant>>>,
}

impl At<'_> {
    fn perform(&self, verb: &Verb) -> Outcome<Answer> {
        match *verb {
            Verb::Look { since, only, flush, .. } => {
                if flush {
                    run::must(&argv::flush(self.live.pool()))?;
                }
                let family = find::family(self.live, only, since)?;
                Ok(Answer::Family(Box::new(family)))
            }
            Verb::Create { transaction, .. } => self.create(transaction),
            Verb::Clone { transaction, base, .. } => self.clone(transaction, base),
            Verb::Mount { part: Part::Live, .. } => Err(Failure::new(
                Code::Usage,
                format!("{} is mounted where it stands, and nowhere else.", self.live),
            )),
            Verb::Mount { part, .. } => self.mount(part, None).map(Answer::Mounted),
            Verb::Decide(ref decision) => self.decide(decision).map(|decided| match decided {
                Ok(_) => Answer::Decided,
                Err(stop) => Answer::Stopped(stop),
            }),
            Verb::Publish(ref decision) => self.publish(decision),
            Verb::Finish { transaction, .. } => self.finish(transaction),
            Verb::Bury { transaction, adopted, .. } => self.bury(transaction, adopted),
            Verb::Abandon { transaction, .. } => self.abandon(transaction),
            Verb::Freeze { transaction, .. } => self.freeze(transaction),
            Verb::LockFile { .. } => self.lock_file(),
            Verb::Drop { ref tags, .. } => self.drop_snapshots(tags),
            Verb::Discard { .. } => self.discard(self.caller.0),
            // Answered before, or not about one repository.
            Verb::Find { .. } | Verb::Diff { .. } | Verb::Space { .. } | Verb::Weigh { .. } => {
                Ok(Answer::Done)
            }
        }
    }

    pub(super) fn member(&self, part: Part) -> Dataset {
        self.live.member(part)
    }

    /// The family's members that concern one transaction, as they are now.
    pub(super) fn family(&self, transaction: Uuid) -> Outcome<Family> {
        find::family(self.live, Some(transaction), None)
    }

    pub(super) fn one(&self, part: Part) -> Outcome<Option<Member>> {
        let name = self.member(part);
        let mut family = match part {
            Part::Live => find::members(self.live, std::slice::from_ref(&name), None)?,
            Part::Staging(t) | Part::Former(t) => self.family(t)?,
        };
        Ok(match part {
            Part::Live => family.live.take(),
            _ => family.others.into_iter().find(|m| m.part == part),
        })
    }

    pub(super) fn needed(&self, part: Part) -> Outcome<Member> {
        self.one(part)?.ok_or_else(|| missing(&self.member(part)))
    }

    fn create(&self, transaction: Uuid) -> Outcome<Answer> {
        let part = Part::Staging(transaction);
        let name = self.member(part);
        if find::exists(self.live)? {
            return Err(Failure::new(
                Code::Exists,
                format!("There is a dataset {} already.", self.live),
            )
            .hint("Choose another name for the repository."));
        }
        let all = find::family(self.live, None, None)?;
        if let Err(why) = first::begun(&all, transaction) {
            return Err(first::refused(self.live, why));
        }
        // A place that its parent does not give has to be known before anything is made.
        self.home(&self.promised()?)?;
        let call = argv::create(&name, self.is_trial());
        Self::do_unless(&call, || Ok(self.one(part)?.is_some()))?;
        crash::CREATED.pass();
        let at = self.mount(part, None)?;
        first::give(&at, self.caller)?;
        crash::OWNED.pass();
        Ok(Answer::Mounted(at))
    }

    fn is_trial(&self) -> bool {
        self.live.is_trial_of(self.caller.0.as_raw())
    }

    /// D, if it is a repository.
    fn repository(&self) -> Outcome<Member> {
        let live = self.needed(Part::Live)?;
        if live.is_published() { Ok(live) } else { Err(Stop::Stranger.into()) }
    }

    /// The mount point that D will inherit.
    fn promised(&self) -> Outcome<Mountpoint> {
        let above = self.live.parent().unwrap_or_else(|| self.live.clone());
        let given = find::mounting(&above)?.mountpoint();
        let last = self.live.as_str().rsplit('/').next().unwrap_or_default();
        Ok(if given.value.starts_with('/') {
            let value = format!("{}/{last}", given.value.trim_end_matches('/'));
            Mountpoint { value, own: true }
        } else {
            given
        })
    }

    fn clone(&self, transaction: Uuid, base: Tag) -> Outcome<Answer> {
        let part = Part::Staging(transaction);
        let live = self.repository()?;
        if live.readonly {
            return Err(Failure::new(
                Code::Permission,
                format!("The dataset {} is read-only: nothing can be published.", self.live),
            )
            .hint("Ask the host's administrator."));
        }
        self.home(&live.mountpoint)?;
        let origin = carry::origin(&live, base)?;
        let properties = carry::properties(self.live)?;
        let name = self.member(part);
        let call =
            argv::clone((self.live, &origin), &name, (&live.meant, self.is_trial()), &properties);
        let whole = format!("{}@{origin}", self.live);
        Self::do_unless(&call, || {
            Ok(self.one(part)?.is_some_and(|m| m.origin.as_deref() == Some(whole.as_str())))
        })?;
        crash::CLONED.pass();
        let granted = carry::grants(self.live, &name, None)?;
        self.granted().insert(name.clone(), granted);
        carry::verify(self.live, &name, &properties)?;
        self.mount(part, None).map(Answer::Mounted)
    }

    pub(super) fn granted(&self) -> std::sync::MutexGuard<'_, BTreeMap<Dataset, Vec<Grant>>> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a member is mounted privately for whoever asks.
    pub(super) fn private(&self, part: Part, guid: Option<u64>) -> PathBuf {
        mount::private(self.live, part, guid, self.caller.0)
    }

    /// Mounts a member privately, if it is not.
    pub(super) fn mount(&self, part: Part, guid: Option<u64>) -> Outcome<PathBuf> {
        let name = self.member(part);
        let at = self.private(part, guid);
        // What is on its way to its place is for nobody to look at: wherever it is seen will do.
        let is_it = |m: &PathBuf| *m == at || part == Part::Live && m.starts_with(mount::PRIVATE);
        if let Some(at) = Mounts::now()?.shown(name.as_str()).into_iter().find(is_it) {
            return Ok(at);
        }
        let properties = find::mounting(&name)?;
        let home = self.home(&properties.mountpoint())?;
        let readonly = matches!(part, Part::Former(_));
        let user = mount::seen_by(part, self.caller.0);
        mount::attach(&name, &properties, (&at, user), &home, readonly)?;
        Ok(at)
    }

    /// Where the repository stands, if it may stand there.
    pub(super) fn home(&self, mountpoint: &Mountpoint) -> Outcome<PathBuf> {
        home::checked(self.live, mountpoint, self.within)
    }

    fn freeze(&self, transaction: Uuid) -> Outcome<Answer> {
        let tag = Tag::Frozen(transaction);
        self.repository()?;
        let call = argv::snapshot(self.live, tag);
        let has = |m: Member| m.snapshots.iter().any(|s| s.tag == Some(tag));
        Self::do_unless(&call, || Ok(self.one(Part::Live)?.is_some_and(has)))?;
        crash::FROZEN.pass();
        Ok(Answer::Done)
    }

    /// Destroys snapshots of D; gives those that stay, and why.
    fn drop_snapshots(&self, tags: &[Tag]) -> Outcome<Answer> {
        few(tags.len())?;
        let mut stays = Vec::new();
        // One that somebody begins to use in between keeps the others: what is left is looked at again.
        for last in [false, true] {
            let live = self.needed(Part::Live)?;
            let (goes, needed) = live.parted(tags);
            stays = needed;
            if goes.is_empty() {
                break;
            }
            let names: Vec<String> = goes.iter().map(ToString::to_string).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let call = argv::destroy_snapshots(self.live, &names);
            let going: BTreeSet<Tag> = goes.iter().copied().collect();
            let there = |s: &Snapshot| s.tag.is_some_and(|tag| going.contains(&tag));
            let gone = |m: Member| !m.snapshots.iter().any(there);
            match Self::do_unless(&call, || Ok(self.one(Part::Live)?.is_some_and(gone))) {
                Ok(()) => {
                    crash::DROPPED.pass();
                    break;
                }
                Err(e) if !last && e.code == Code::Locked => {}
                Err(e) if e.code == Code::Locked => {
                    stays.extend(goes.iter().map(|tag| (*tag, e.message.clone())));
                }
                Err(e) => return Err(e),
            }
        }
        Ok(Answer::Dropped(stays))
    }

    fn diff(&self, since: Tag, until: Until, most: usize) -> Outcome<Answer> {
        let turn = self.turn()?;
        self.shown(part_of(until))?;
        drop(turn);
        let since = since.to_string();
        let former = match until {
            Until::Now(part @ Part::Former(_)) => Some(self.needed(part)?),
            Until::Now(_) | Until::Tag(_) => None,
        };
        // A former dataset may have kept the snapshot that froze it.
        let own = former.filter(|m| m.known() == Some((m.name.as_str(), since.as_str())));
        let of = own.as_ref().map_or(self.live, |member| &member.name);
        self.compared((of, &since), until, most).map(Answer::Changes)
    }

    /// Sees to it that a member is mounted somewhere.
    pub(super) fn shown(&self, part: Part) -> Outcome<()> {
        if Mounts::now()?.of(self.member(part).as_str()).is_empty() {
            let guid = if part == Part::Live { Some(self.needed(part)?.guid) } else { None };
            self.mount(part, guid)?;
        }
        Ok(())
    }

    /// What differs, of a member that is mounted somewhere.
    pub(super) fn compared(
        &self,
        since: (&Dataset, &str),
        until: Until,
        most: usize,
    ) -> Outcome<Changes> {
        let name = match until {
            Until::Tag(tag) => format!("{}@{tag}", self.live),
            Until::Now(part) => self.member(part).to_string(),
        };
        // Names are told as they are below a mount point, so there has to be one.
        let member = self.member(part_of(until));
        let mounts = Mounts::now()?.of(member.as_str());
        let (lines, more) = run::lines(&argv::diff(since, &name), most)?;
        let list = lines.iter().map(|line| tell::change(line, &mounts).map_err(odd));
        Ok(Changes { list: list.collect::<Outcome<_>>()?, more })
    }

    fn space(&self) -> Outcome<Answer> {
        let told = run::must(&argv::space(self.live))?;
        tell::costs(&told).map(Answer::Space).map_err(odd)
    }

    fn weigh(&self, snapshots: &[SnapshotId]) -> Outcome<Answer> {
        few(snapshots.len())?;
        let told = run::must(&argv::weigh(self.live, snapshots))?;
        tell::freed(&told).map(Answer::Weighs).map_err(odd)
    }

    /// Makes a call; one that is refused counts as done if what it was for is there.
    pub(super) fn do_unless(call: &Call, done: impl FnOnce() -> Outcome<bool>) -> Outcome<()> {
        let told = run::run(call)?;
        if told.well || done()? { Ok(()) } else { Err(run::refused(call, &told.complaint)) }
    }
}

/// The member that a later state is of.
fn part_of(until: Until) -> Part {
    match until {
        Until::Tag(_) => Part::Live,
        Until::Now(part) => part,
    }
}

/// As many snapshots as one question may name: they are arguments of one program.
fn few(snapshots: usize) -> Outcome<()> {
    if (1..=MOST_SNAPSHOTS).contains(&snapshots) {
        return Ok(());
    }
    let message = format!("{snapshots} snapshots at once: 1 to {MOST_SNAPSHOTS} are possible.");
    Err(Failure::new(Code::Usage, message))
}

fn missing(dataset: &Dataset) -> Failure {
    Failure::new(Code::NotFound, format!("There is no dataset {dataset}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lent_hands_look_at_no_path_for_whoever_asks() {
        let prefix: Dataset = "tank/dsg".parse().unwrap();
        let verb = Verb::Find { path: "/etc".into() };
        let refused = Root::lent(prefix.clone(), (1000, 1000)).perform(&verb).unwrap_err();
        assert_eq!(refused.code, Code::Permission);
        assert!(Root::own(prefix).perform(&verb).is_ok());
    }
}
