//! What halts a sync before it starts: the facts are gathered elsewhere, here they are judged.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::failure::{Code, Failure};
use crate::plan::{Action, Plan};

/// A halt that a person may override by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Allow {
    /// The project, or one of its data folders, is empty.
    EmptyRoot,
    /// More than half of the files, and over 20, would be deleted.
    MassDelete,
    /// The address leads to another repository.
    RepoId,
    /// The repository's history does not hold what was synced before.
    Rollback,
    /// The repository's files were changed on its host.
    Drift,
    /// Little space would be left.
    Space,
}

impl Allow {
    /// Every override there is.
    pub const ALL: [Self; 6] =
        [Self::EmptyRoot, Self::MassDelete, Self::RepoId, Self::Rollback, Self::Drift, Self::Space];

    /// The name that `--allow` takes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmptyRoot => "empty-root",
            Self::MassDelete => "mass-delete",
            Self::RepoId => "repo-id",
            Self::Rollback => "rollback",
            Self::Drift => "drift",
            Self::Space => "space",
        }
    }
}

impl FromStr for Allow {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|a| a.as_str() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|a| a.as_str()).collect();
            format!("{name:?} is not one of {}", names.join(", "))
        })
    }
}

/// What is known when a plan stands.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Paths in the cache: what both sides had after the last sync.
    pub cached: u64,
    /// Data folders that had files at the last sync and have none now; `.` for the whole project.
    pub emptied: Vec<String>,
    /// Bytes that staging here needs, and that are free.
    pub local_space: Option<(u64, u64)>,
}

/// Space that is left free whatever is planned, in bytes.
pub const SPACE_RESERVE: u64 = 64 * 1024 * 1024;

/// The first reason to halt that is not allowed, if any.
///
/// # Errors
/// The halt: its code, why, and the override's name in the hint.
pub fn check(plan: &Plan, facts: &Facts, allowed: &BTreeSet<Allow>) -> Result<(), Failure> {
    let halt = |allow: Allow, code, message: String, hint: &str| {
        if allowed.contains(&allow) {
            return Ok(());
        }
        Err(Failure::new(code, message)
            .hint(format!("{hint} To go on all the same: --allow {}.", allow.as_str())))
    };
    let deletes_remote = count(plan, |a| matches!(a, Action::DeleteRemote));
    let deletes_local = count(plan, |a| matches!(a, Action::DeleteLocal));
    if let (Some(first), true) = (facts.emptied.first(), deletes_remote > 0) {
        let what = if first == "." {
            "The project's folder".to_owned()
        } else {
            format!("The folder {first}")
        };
        halt(
            Allow::EmptyRoot,
            Code::EmptyRoot,
            format!(
                "{what} is empty, but held files at the last sync: {deletes_remote} files would be deleted from the repository."
            ),
            "Is a disk not mounted? Look whether the files are where they should be.",
        )?;
    }
    for (number, place) in [(deletes_remote, "from the repository"), (deletes_local, "here")] {
        if number > 20 && number * 2 > facts.cached {
            halt(
                Allow::MassDelete,
                Code::MassDelete,
                format!("{number} of {} files would be deleted {place}.", facts.cached),
                "Look at the list of changes before you agree.",
            )?;
        }
    }
    let too_much = |(needed, free): &(u64, u64)| needed.saturating_add(SPACE_RESERVE) > *free;
    if let Some((needed, free)) = facts.local_space.filter(too_much) {
        halt(
            Allow::Space,
            Code::SpaceHalt,
            format!("{needed} bytes are to come, {free} bytes are free on this disk."),
            "Free some space.",
        )?;
    }
    Ok(())
}

fn count(plan: &Plan, wanted: impl Fn(&Action) -> bool) -> u64 {
    plan.items().filter(|i| wanted(&i.action)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Entry, FileEntry, Hash, Mtime};
    use crate::plan::{PathState, Request};
    use crate::snapshot::SnapshotId;
    use crate::state::Local;

    fn deletions(n: usize) -> Plan {
        let entry = |i: usize| {
            Entry::File(FileEntry {
                size: 1,
                mtime: Mtime(0),
                exec: false,
                hash: Hash::of(&i.to_le_bytes()),
            })
        };
        let gone = |i| PathState {
            path: format!("input/{i}").parse().unwrap(),
            local: Local::Absent,
            cache: Some(Box::new((entry(i), SnapshotId::FIRST))),
            remote: Some(entry(i)),
        };
        Plan::make((0..n).map(gone), &Request::default())
    }

    fn code(plan: &Plan, facts: &Facts, allow: &[Allow]) -> Option<Code> {
        check(plan, facts, &allow.iter().copied().collect()).err().map(|f| f.code)
    }

    #[test]
    fn more_than_half_and_over_twenty() {
        let of = |cached| Facts { cached, ..Facts::default() };
        assert_eq!(code(&deletions(20), &of(20), &[]), None);
        assert_eq!(code(&deletions(21), &of(42), &[]), None);
        assert_eq!(code(&deletions(21), &of(41), &[]), Some(Code::MassDelete));
        assert_eq!(code(&deletions(21), &of(41), &[Allow::MassDelete]), None);
    }

    #[test]
    fn an_emptied_folder_halts_only_when_it_would_delete() {
        let facts = Facts { cached: 100, emptied: vec!["input".into()], ..Facts::default() };
        assert_eq!(code(&deletions(1), &facts, &[]), Some(Code::EmptyRoot));
        assert_eq!(code(&deletions(1), &facts, &[Allow::EmptyRoot]), None);
        assert_eq!(code(&deletions(0), &facts, &[]), None);
    }

    #[test]
    fn a_disk_is_not_filled() {
        let facts = Facts { local_space: Some((10, SPACE_RESERVE)), ..Facts::default() };
        assert_eq!(code(&deletions(0), &facts, &[]), Some(Code::SpaceHalt));
        assert_eq!(code(&deletions(0), &facts, &[Allow::Space]), None);
    }
}
