//! What an interrupted transaction left in a pool, judged: a pure function of what the pool says.
//!
//! Names say which dataset is which (`D`, `D.dsg-T`, `D.dsg-old-T`); whether T was decided, its mark on a
//! snapshot of `D.dsg-T` says. Nothing else counts: not what somebody meant to do, no exit code.

use dsg_core::repository::Settled;
use uuid::Uuid;

use crate::zfs::name::{Dataset, Part, Tag};
use crate::zfs::verb::{Family, Member, Verb};

/// Who stages in a clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Its lock is held.
    Lives,
    /// Nobody; what was staged is as it came, not a day ago.
    LeftIt,
    /// Nobody; it was being applied, or is old.
    Gone,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// These steps, in this order; none: it is at rest.
    Steps(Vec<Verb>),
    /// Somebody else moved the datasets.
    Damaged(String),
}

/// All after the decision on a transaction; `replaces`: there was a repository before.
pub(super) fn finishing(dataset: &Dataset, transaction: Uuid, replaces: bool) -> Vec<Verb> {
    let finish = Verb::Finish { dataset: dataset.clone(), transaction };
    let bury = || Verb::Bury { dataset: dataset.clone(), transaction, adopted: None };
    std::iter::once(finish).chain(replaces.then(bury)).collect()
}

/// Judges the family of a repository.
pub(super) fn verdict(
    dataset: &Dataset,
    family: &Family,
    owner: &dyn Fn(Uuid) -> Owner,
) -> Verdict {
    let mut steps = Vec::new();
    let mut decided = staged(family).filter(|(transaction, m)| is_marked(m, *transaction));
    let taking = decided.next();
    if let Some((_, another)) = decided.next() {
        return Verdict::Damaged(format!("{} is published, too", another.name));
    }
    if let Some((transaction, new)) = taking {
        let of_new = |live: &Member| {
            let origin = live.origin.as_deref().and_then(|o| o.split_once('@'));
            origin.is_some_and(|(origin, _)| origin == new.name.as_str())
        };
        if family.live.as_ref().is_some_and(|live| !of_new(live)) {
            return Verdict::Damaged(format!("{dataset} is not what {} was made of", new.name));
        }
        steps = finishing(dataset, transaction, family.live.is_some());
    } else if let Some(transaction) = family.unfinished() {
        steps = finishing(dataset, transaction, false);
    } else if let (None, Some((_, old))) = (&family.live, former(family).next()) {
        return Verdict::Damaged(format!("there is no {dataset}, only {}", old.name));
    }
    let old = former(family).map(|(transaction, _)| transaction);
    steps.extend(old.map(|transaction| Verb::Bury {
        dataset: dataset.clone(),
        transaction,
        adopted: None,
    }));
    for (transaction, member) in staged(family).filter(|(t, m)| !is_marked(m, *t)) {
        let waits = match owner(transaction) {
            Owner::Lives => true,
            Owner::LeftIt => taking.is_none() && is_of_head(member, family.live.as_ref()),
            Owner::Gone => false,
        };
        if !waits {
            steps.push(Verb::Abandon { dataset: dataset.clone(), transaction });
        }
    }
    // Nobody freezes but under the lock, which is ours.
    let snapshots = family.live.iter().chain(taking.map(|(_, new)| new)).flat_map(|m| &m.snapshots);
    for tag in snapshots.filter_map(|s| s.tag).filter(|tag| matches!(tag, Tag::Frozen(_))) {
        steps.push(Verb::Drop { dataset: dataset.clone(), tags: vec![tag] });
    }
    Verdict::Steps(steps)
}

/// What became of an interrupted publish that these steps put right; none if they only clean up, or mount
/// what nobody had mounted.
pub(super) fn settled(family: &Family, steps: &[Verb]) -> Option<Settled> {
    let finished = steps.iter().find_map(|step| {
        let Verb::Finish { transaction, .. } = step else { return None };
        let all = || family.live.iter().chain(&family.others);
        let of_it = |m: &&Member| {
            [Part::Staging(*transaction), Part::Former(*transaction)].contains(&m.part)
        };
        let whole = all().find(of_it).is_none()
            && family.live.as_ref().is_some_and(|m| m.canmount == m.meant);
        let made = all().find_map(|m| m.decided(*transaction)).filter(|_| !whole);
        made.map(Settled::Finished)
    });
    let undone = steps.iter().any(|step| matches!(step, Verb::Abandon { .. }));
    finished.or(undone.then_some(Settled::Undone))
}

/// Whether D and what one transaction made, which is alive, show that nothing else waits to be finished. Old
/// datasets, and what others staged, are in nobody's way.
pub(super) fn rests(dataset: &Dataset, family: &Family, transaction: Uuid) -> bool {
    let Some(live) = &family.live else { return false };
    // One that another publish decided to replace is a clone of what replaces it.
    let origin = live.origin.as_deref().and_then(|o| o.split_once('@')?.0.parse().ok());
    let replaced = origin.is_some_and(|of: Dataset| dataset.part_of(&of).is_some());
    let owner = |of| if of == transaction { Owner::Lives } else { Owner::Gone };
    !replaced && verdict(dataset, family, &owner) == Verdict::Steps(Vec::new())
}

/// Where transactions stage, or staged.
pub(super) fn staged(family: &Family) -> impl Iterator<Item = (Uuid, &Member)> {
    family.others.iter().filter_map(|member| match member.part {
        Part::Staging(transaction) => Some((transaction, member)),
        Part::Live | Part::Former(_) => None,
    })
}

fn former(family: &Family) -> impl Iterator<Item = (Uuid, &Member)> {
    family.others.iter().filter_map(|member| match member.part {
        Part::Former(transaction) => Some((transaction, member)),
        Part::Live | Part::Staging(_) => None,
    })
}

fn is_marked(member: &Member, transaction: Uuid) -> bool {
    member.decided(transaction).is_some()
}

/// Whether a clone is of D's head: of its newest numbered snapshot, or of a later one that another
/// program took.
fn is_of_head(clone: &Member, live: Option<&Member>) -> bool {
    let (Some(live), Some(origin)) = (live, &clone.origin) else { return false };
    let Some((of_what, name)) = origin.split_once('@') else { return false };
    let numbered = |tag: &Option<Tag>| matches!(tag, Some(Tag::Number(_)));
    let at = live.snapshots.iter().position(|s| s.name == name);
    let head = live.snapshots.iter().rposition(|s| numbered(&s.tag));
    of_what == live.name.as_str() && at.is_some() && at >= head
}

#[cfg(test)]
mod tests {
    use super::*;

    use dsg_core::snapshot::SnapshotId;

    use crate::zfs::verb::{Mountpoint, Snapshot};

    const T: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001);
    const U: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0002);

    fn d() -> Dataset {
        "p/d".parse().unwrap()
    }

    /// Snapshots `s1`, … marked with these.
    fn member(part: Part, marks: &[Uuid]) -> Member {
        let one = |(at, mark): (usize, &Uuid)| snapshot(&format!("s{}", at + 1), Some(*mark));
        Member {
            name: d().member(part),
            part,
            guid: 1,
            written: 0,
            origin: None,
            mountpoint: Mountpoint { value: "/p/d".into(), own: false },
            canmount: "noauto".into(),
            readonly: false,
            unlocked: true,
            mounts: Vec::new(),
            meant: "on".into(),
            trial: false,
            in_place: false,
            snapshots: marks.iter().enumerate().map(one).collect(),
        }
    }

    fn snapshot(name: &str, transaction: Option<Uuid>) -> Snapshot {
        let tag = name.parse().ok();
        let (guid, created, holds) = (0, 0, 0);
        Snapshot { name: name.into(), tag, guid, created, transaction, holds, clones: Vec::new() }
    }

    fn of(origin: String, mut member: Member) -> Member {
        member.origin = Some(origin);
        member
    }

    /// Stands where it belongs.
    fn in_place(mut member: Member) -> Member {
        member.in_place = true;
        member
    }

    fn boots(mut member: Member) -> Member {
        member.canmount = "on".into();
        member
    }

    fn family(live: Option<Member>, others: impl IntoIterator<Item = Member>) -> Family {
        Family { live, others: others.into_iter().collect(), ..Family::default() }
    }

    fn steps(family: &Family, owner: Owner) -> Vec<Verb> {
        match verdict(&d(), family, &|_| owner) {
            Verdict::Steps(steps) => steps,
            Verdict::Damaged(why) => panic!("{why}"),
        }
    }

    /// At rest at s1.
    fn live() -> Member {
        boots(in_place(member(Part::Live, &[U])))
    }

    fn abandon() -> Verb {
        Verb::Abandon { dataset: d(), transaction: T }
    }

    #[test]
    fn a_repository_at_rest_needs_nothing() {
        assert_eq!(steps(&family(Some(live()), []), Owner::Gone), []);
        assert_eq!(steps(&Family::default(), Owner::Gone), []);
    }

    #[test]
    fn what_was_not_decided_is_undone_or_waits() {
        use Owner::{Gone, LeftIt, Lives};
        let clone = |origin: &str| of(origin.into(), member(Part::Staging(T), &[]));
        let mut seen = live();
        seen.snapshots.push(snapshot("autosnap", None));
        for (live, origin, owner, expected) in [
            (live(), "p/d@s1", Lives, vec![]),
            (live(), "p/d@s1", LeftIt, vec![]),
            (live(), "p/d@s1", Gone, vec![abandon()]),
            (live(), "p/d@s0", Lives, vec![]), // it will be told that the head moved
            (live(), "p/d@s0", LeftIt, vec![abandon()]),
            (live(), "p/x@s1", LeftIt, vec![abandon()]),
            (seen.clone(), "p/d@autosnap", LeftIt, vec![]),
            (seen, "p/d@s1", LeftIt, vec![]),
        ] {
            let found = steps(&family(Some(live), [clone(origin)]), owner);
            assert_eq!(found, expected, "{origin} {owner:?}");
        }
        // An init: a dataset of its own, no clone.
        let init = family(None, [member(Part::Staging(T), &[])]);
        assert_eq!(steps(&init, Lives), []);
        assert_eq!(steps(&init, LeftIt), [abandon()]);
        // Another transaction's mark decides nothing.
        let marked = of("p/d@s1".into(), member(Part::Staging(T), &[U]));
        assert_eq!(steps(&family(Some(live()), [marked]), Gone), [abandon()]);
    }

    #[test]
    fn what_was_decided_is_finished_from_wherever_it_stands() {
        let new = |part| member(part, &[U, T]);
        let old = |part, origin: &str| of(origin.into(), boots(in_place(member(part, &[]))));
        let all = finishing(&d(), T, true);
        assert_eq!(all.len(), 2);
        let origin = format!("p/d.dsg-{T}@s1");
        let begun = family(Some(old(Part::Live, &origin)), [new(Part::Staging(T))]);
        // Whoever is at it holds the lock under which this is asked: that is us, or nobody.
        for owner in [Owner::Lives, Owner::LeftIt, Owner::Gone] {
            assert_eq!(steps(&begun, owner), all);
        }
        let aside = || old(Part::Former(T), &origin);
        let unnamed = family(None, [aside(), new(Part::Staging(T))]);
        assert_eq!(steps(&unnamed, Owner::Gone), all);
        for live in [new(Part::Live), in_place(new(Part::Live)), boots(new(Part::Live))] {
            assert_eq!(steps(&family(Some(live), [aside()]), Owner::Gone), all);
        }
        let done = boots(in_place(new(Part::Live)));
        assert_eq!(steps(&family(Some(done), [aside()]), Owner::Gone), all[1..]);
    }

    #[test]
    fn a_first_snapshot_that_was_decided_takes_its_place() {
        let first = member(Part::Staging(T), &[T]);
        let expected = finishing(&d(), T, false);
        assert_eq!(steps(&family(None, [first]), Owner::Gone), expected);
        assert_eq!(expected, [Verb::Finish { dataset: d(), transaction: T }]);
    }

    #[test]
    fn what_became_of_an_interrupted_publish_is_told_and_what_is_only_cleaned_up_is_not() {
        let told = |live: Option<Member>, others: Vec<Member>| {
            let family = family(live, others);
            settled(&family, &steps(&family, Owner::Gone))
        };
        let finished = |number| Some(Settled::Finished(number));
        let (first, second) = (SnapshotId::FIRST, SnapshotId::FIRST.next());
        let old = of(format!("p/d.dsg-{T}@s1"), boots(in_place(member(Part::Live, &[]))));
        let new = |part| member(part, &[U, T]);
        let aside = || of("p/d@s1".into(), member(Part::Former(T), &[]));
        let clone = || of("p/d@s1".into(), member(Part::Staging(T), &[]));
        let at_rest = || boots(in_place(new(Part::Live)));
        assert_eq!(told(Some(old), vec![new(Part::Staging(T))]), finished(second));
        assert_eq!(told(None, vec![aside(), new(Part::Staging(T))]), finished(second));
        assert_eq!(told(Some(boots(new(Part::Live))), vec![aside()]), finished(second));
        assert_eq!(told(Some(in_place(new(Part::Live))), vec![]), finished(second));
        assert_eq!(told(None, vec![member(Part::Staging(T), &[T])]), finished(first));
        assert_eq!(told(Some(live()), vec![clone()]), Some(Settled::Undone));
        // Not mounted yet after the host booted; an old dataset that was busy; nothing at all.
        assert_eq!(told(Some(boots(new(Part::Live))), vec![]), None);
        assert_eq!(told(Some(at_rest()), vec![aside()]), None);
        assert_eq!(told(Some(at_rest()), vec![]), None);
    }

    #[test]
    fn others_who_stage_meanwhile_are_left_alone_and_what_is_of_a_former_head_goes() {
        let origin = || format!("p/d.dsg-{T}@s1");
        let found = family(
            Some(of(origin(), live())),
            [member(Part::Staging(T), &[U, T]), of(origin(), member(Part::Staging(U), &[]))],
        );
        let gives_up = Verb::Abandon { dataset: d(), transaction: U };
        assert!(!steps(&found, Owner::Lives).contains(&gives_up));
        assert!(steps(&found, Owner::LeftIt).contains(&gives_up));
    }

    #[test]
    fn whoever_publishes_need_not_look_further_than_at_what_shows_that_all_is_at_rest() {
        let mine = || of("p/d@s1".into(), member(Part::Staging(T), &[]));
        let rests =
            |live: Option<Member>, others: Vec<Member>| rests(&d(), &family(live, others), T);
        assert!(rests(Some(live()), vec![mine()]));
        // Of something that has nothing to do with it.
        assert!(rests(Some(of("p/x@s1".into(), live())), vec![mine()]));
        let replaced = of(format!("p/d.dsg-{U}@s1"), live());
        let mut frozen = live();
        frozen.snapshots.push(snapshot(&format!("dsg-{U}"), None));
        let mut away = live();
        away.in_place = false;
        for other in [replaced, frozen, away, in_place(member(Part::Live, &[U]))] {
            assert!(!rests(Some(other.clone()), vec![mine()]), "{other:?}");
        }
        assert!(!rests(None, vec![mine()]));
        assert!(!rests(Some(live()), vec![of("p/d@s1".into(), member(Part::Staging(T), &[U, T]))]));
    }

    #[test]
    fn a_freeze_does_not_outlast_the_lock() {
        let frozen = format!("dsg-{T}");
        let thaw = Verb::Drop { dataset: d(), tags: vec![Tag::Frozen(T)] };
        let mut held_still = live();
        held_still.snapshots.push(snapshot(&frozen, None));
        let clone = of(format!("p/d@{frozen}"), member(Part::Staging(T), &[]));
        let found = family(Some(held_still), [clone]);
        // Its clone first.
        assert_eq!(steps(&found, Owner::Gone), [abandon(), thaw.clone()]);
        let mut new = member(Part::Staging(T), &[U, T]);
        new.snapshots.insert(1, snapshot(&frozen, None));
        let old = of(format!("p/d.dsg-{T}@{frozen}"), member(Part::Live, &[]));
        assert_eq!(steps(&family(Some(old), [new]), Owner::Gone).last(), Some(&thaw));
    }

    #[test]
    fn datasets_that_somebody_else_moved_are_left_alone() {
        let decided = || member(Part::Staging(T), &[U, T]);
        let mut also = member(Part::Staging(U), &[U]);
        also.origin = None;
        for found in [
            // Not the one that it was cloned from.
            family(Some(live()), [decided()]),
            family(None, [member(Part::Former(T), &[])]),
            family(None, [decided(), also]),
        ] {
            let judged = verdict(&d(), &found, &|_| Owner::Gone);
            assert!(matches!(judged, Verdict::Damaged(_)), "{judged:?}");
        }
    }
}
