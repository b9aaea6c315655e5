//! What a clone does not get by itself: the properties and grants that are set on the live dataset.

use std::collections::BTreeSet;

use dsg_core::failure::{Code, Failure, Outcome};

use super::name::{Dataset, Tag};
use super::parse::{self, Grant, Property};
use super::root::odd;
use super::verb::Member;
use super::{argv, crash, run};

/// The snapshot of which the clone is taken: the newest that holds what `base` holds. One that another
/// program took since `base` has to stay with the repository, and only those up to the clone's
/// origin do.
pub(super) fn origin(live: &Member, base: Tag) -> Outcome<String> {
    let name = &live.name;
    let snapshots = live.snapshots.iter().filter(|s| !s.name.starts_with("zfs-diff-"));
    let later: Vec<_> = snapshots.skip_while(|s| s.tag != Some(base)).collect();
    let Some(newest) = later.last() else {
        return Err(Failure::new(Code::NotFound, format!("{name} has no snapshot {base}.")));
    };
    if newest.tag != Some(base) {
        let whole = format!("{name}@{}", newest.name);
        let written = run::must(&argv::number(&format!("written@{base}"), &whole))?;
        if written.trim() != "0" {
            return Err(Failure::new(
                Code::Drift,
                format!("{name} was changed on its host before its snapshot {}.", newest.name),
            )
            .hint("Look at the changes, and adopt them with --allow drift."));
        }
    }
    Ok(newest.name.clone())
}

/// What is set on a dataset itself.
pub(super) fn properties(dataset: &Dataset) -> Outcome<Vec<Property>> {
    // A value may hold whatever looks like another line; a name does not.
    let names = run::must(&argv::own_names(dataset))?;
    let told = run::must(&argv::own_properties(dataset))?;
    parse::carried(dataset, &names, &told).map_err(|e| {
        Failure::new(
            Code::Unsupported,
            format!("What is set on {dataset} cannot be told apart: a value has a line end in it."),
        )
        .hint("Nothing was changed. On the host: zfs get -s local,received all, then zfs inherit.")
        .because(e)
    })
}

/// Gives a dataset the grants of another one, and no others; tells which. `given`: those that it is known
/// to have; none are known: it is asked.
pub(super) fn grants(
    from: &Dataset,
    to: &Dataset,
    given: Option<&Vec<Grant>>,
) -> Outcome<Vec<Grant>> {
    let wanted = granted(from)?;
    if given == Some(&wanted) {
        return Ok(wanted);
    }
    let has = granted(to)?;
    let (lacking, extra) = (beyond(&wanted, &has), beyond(&has, &wanted));
    for grant in &extra {
        run::must(&argv::unallow(to, grant))?;
    }
    for grant in &lacking {
        run::must(&argv::allow(to, grant))?;
        crash::GRANTED.pass();
    }
    let changed = !lacking.is_empty() || !extra.is_empty();
    let same = |has: &[Grant]| beyond(&wanted, has).is_empty() && beyond(has, &wanted).is_empty();
    if changed && !same(&granted(to)?) {
        return Err(not_carried(from, &["its grants (zfs allow)".to_owned()]));
    }
    Ok(wanted)
}

/// What is granted in `these` and not in `others`.
fn beyond(these: &[Grant], others: &[Grant]) -> Vec<Grant> {
    let words = |grant: &Grant| -> BTreeSet<String> {
        grant.permissions.split(',').map(str::to_owned).collect()
    };
    let rest = |grant: &Grant| {
        let same = others.iter().filter(|other| other.scope == grant.scope);
        let had: BTreeSet<String> = same.flat_map(words).collect();
        let left: Vec<String> = words(grant).difference(&had).cloned().collect();
        (!left.is_empty())
            .then(|| Grant { scope: grant.scope.clone(), permissions: left.join(",") })
    };
    these.iter().filter_map(rest).collect()
}

fn granted(dataset: &Dataset) -> Outcome<Vec<Grant>> {
    parse::grants(dataset, &run::must(&argv::grants(dataset))?).map_err(odd)
}

/// Whether a clone has what it was to be given.
pub(super) fn verify(from: &Dataset, to: &Dataset, wanted: &[Property]) -> Outcome<()> {
    let pairs = |all: &[Property]| -> BTreeSet<(String, String)> {
        all.iter().map(|p| (p.name.clone(), p.value.clone())).collect()
    };
    let (wanted, has) = (pairs(wanted), pairs(&properties(to)?));
    let lost: Vec<String> = wanted.difference(&has).map(|(name, _)| name.clone()).collect();
    if lost.is_empty() { Ok(()) } else { Err(not_carried(from, &lost)) }
}

fn not_carried(from: &Dataset, what: &[String]) -> Failure {
    let message = format!("What is set on {from} could not be carried over: {}.", what.join(", "));
    Failure::new(Code::Unsupported, message)
        .hint("Nothing was published. Ask the host's administrator about these properties.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zfs::parse::Scope;

    #[test]
    fn grants_are_compared_by_who_may_what() {
        let user = |permissions: &str| Grant {
            scope: Scope::Both { to: "user ada".into() },
            permissions: permissions.into(),
        };
        let here = |permissions: &str| Grant {
            scope: Scope::Here { to: "user ada".into() },
            permissions: permissions.into(),
        };
        for (these, others, expected) in [
            (vec![], vec![user("mount")], vec![]),
            (vec![user("mount,send")], vec![user("send,mount")], vec![]),
            (vec![user("mount,send")], vec![user("send")], vec![user("mount")]),
            (vec![user("send")], vec![here("send")], vec![user("send")]),
            (vec![user("send"), here("@set")], vec![user("send")], vec![here("@set")]),
            (
                vec![Grant { scope: Scope::Creator, permissions: "a,b,c".into() }],
                vec![],
                vec![Grant { scope: Scope::Creator, permissions: "a,b,c".into() }],
            ),
        ] {
            assert_eq!(beyond(&these, &others), expected, "{these:?} {others:?}");
        }
    }
}
