//! What the engine says, as the window says it.

use dsg_core::failure::{Code, Failure};
use dsg_core::plan::Resolution as Decision;
use dsg_core::repository::{Access, RepositoryInfo, Standing, StoreKind};
use dsg_core::safety::Allow;

use crate::api::{ApiError, OfflineReason, Place, ProjectStatus, Resolution};

impl From<&Failure> for ApiError {
    fn from(failure: &Failure) -> Self {
        let mut detail = failure.detail();
        // One path is in the message already.
        if failure.paths.len() > 1 {
            let paths = failure.paths.join("\n");
            detail = Some(detail.map_or_else(|| paths.clone(), |d| format!("{d}\n{paths}")));
        }
        ApiError {
            code: failure.code.as_str().to_owned(),
            message: failure.message.clone(),
            hint: hint(failure),
            detail,
            allow: failure.hint.as_deref().and_then(override_in).map(|a| a.as_str().to_owned()),
        }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        Self::from(&failure)
    }
}

/// The override that a halt offers, by the name that its hint gives.
fn override_in(hint: &str) -> Option<Allow> {
    let (_, rest) = hint.split_once("--allow ")?;
    let name = rest.split(|c: char| !(c.is_alphanumeric() || c == '-')).next()?;
    name.parse().ok()
}

/// The hint without what is to be typed on a command line: the window has buttons for it.
fn hint(failure: &Failure) -> Option<String> {
    if failure.code == Code::NoRepository {
        return Some(
            "Check that its disk or share is connected, and how the address is written.".to_owned(),
        );
    }
    let typed = |sentence: &&str| sentence.contains("--") || sentence.contains("dsg ");
    let kept: Vec<&str> = sentences(failure.hint.as_deref().unwrap_or_default())
        .filter(|sentence| !typed(sentence))
        .collect();
    if !kept.is_empty() {
        return Some(kept.join(" "));
    }
    let own = match failure.code {
        Code::NotAProject => "Create a repository from the folder, or choose a project's folder.",
        Code::Conflicts => "Decide how each conflict ends, or sync everything else.",
        Code::Drift => "“Sync anyway” takes the host's version as a snapshot of its own.",
        Code::Rollback => {
            "Find out what happened there. “Sync anyway” compares with it afresh; nothing here is lost."
        }
        Code::RepoId => {
            "Put the right repository back. “Sync anyway” compares with this one afresh."
        }
        Code::Exists => "Open the folder as it is, or choose another one.",
        Code::HostKeyUnknown => {
            "Have the fingerprint of its key at hand, as its administrator gives it, and confirm it."
        }
        Code::LoginRefused => "Is the user right, and may you sign in there?",
        Code::Agent | Code::OtherAgent | Code::Protocol => {
            "Ask its administrator, or whoever installed DSG here."
        }
        Code::Unreachable => "Check that its disk, server or share is connected, then try again.",
        _ => return None,
    };
    Some(own.to_owned())
}

/// Splits at full stops that are followed by a space.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(". ").map(str::trim).filter(|s| !s.is_empty())
}

/// Nanoseconds since 1970 as RFC 3339.
pub(super) fn time(nanoseconds: i64) -> Option<String> {
    jiff::Timestamp::from_nanosecond(nanoseconds.into()).ok().map(|time| time.to_string())
}

/// How a project stands, in a word or two.
pub(super) fn status(status: &ProjectStatus) -> String {
    match status {
        ProjectStatus::InSync => "In sync".to_owned(),
        ProjectStatus::Pending { count } => format!("{} pending", grouped(*count)),
        ProjectStatus::Conflicts { count: 1 } => "1 conflict".to_owned(),
        ProjectStatus::Conflicts { count } => format!("{} conflicts", grouped(*count)),
        ProjectStatus::Blocked { count } => format!("{} blocked", grouped(*count)),
        ProjectStatus::Syncing { percent: None } => "Syncing".to_owned(),
        ProjectStatus::Syncing { percent: Some(percent) } => {
            format!("Syncing {:.0} %", percent.floor())
        }
        ProjectStatus::Scanning => "Scanning".to_owned(),
        ProjectStatus::Offline { offline } => match offline.reason {
            OfflineReason::Unreachable | OfflineReason::Other => "Offline",
            OfflineReason::SignIn => "Sign-in needed",
            OfflineReason::HostUnknown => "Server not confirmed",
            OfflineReason::HostChanged => "Server key changed",
            OfflineReason::NoRepository => "No repository there",
            OfflineReason::Agent => "Server not usable",
        }
        .to_owned(),
        ProjectStatus::Attention { .. } => "Needs attention".to_owned(),
    }
}

/// 1234567 → `1,234,567`
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let group = |(at, digit): (usize, char)| {
        let comma = at > 0 && (digits.len() - at).is_multiple_of(3);
        [comma.then_some(','), Some(digit)].into_iter().flatten()
    };
    digits.chars().enumerate().flat_map(group).collect()
}

/// What a repository promises, in a few words.
pub(super) fn guarantee(info: &RepositoryInfo) -> String {
    let store = match info.store {
        StoreKind::Tree => "Folder",
        StoreKind::Zfs => "ZFS",
    };
    let access = match info.access {
        Access::Personal => "personal",
        Access::Team => "shared by a group",
    };
    let atomic = if info.capabilities.atomic_publish { "atomic" } else { "not atomic" };
    format!("{store} · {access} · {atomic}")
}

/// Where a repository stands.
pub(super) fn place(standing: &Standing) -> Place {
    Place {
        filesystem: standing.filesystem.clone(),
        dataset: standing.dataset.clone(),
        available: standing.available,
        used: standing.used,
        quota: standing.quota,
    }
}

/// That paths were changed on the repository's host, outside DSG; nothing if none were.
pub(super) fn drift(paths: &[String]) -> Option<ApiError> {
    let (first, more) = paths.split_first()?;
    let said = match more.len() {
        0 => format!("{first} was changed on the repository's host, not by DSG."),
        n => format!("{first} and {n} more were changed on the repository's host, not by DSG."),
    };
    let mut told = ApiError::new(Code::Drift.as_str(), said)
        .with_hint("Taken in, they become a snapshot of their own, with the host as its author. Nothing is lost, and nobody can sync before.")
        .with_detail(paths.join("\n"));
    told.allow = Some(Allow::Drift.as_str().to_owned());
    Some(told)
}

/// A decision, for the engine.
pub(super) fn decision(resolution: Resolution) -> Decision {
    match resolution {
        Resolution::Local => Decision::Local,
        Resolution::Remote => Decision::Remote,
        Resolution::Cached => Decision::Cached,
        Resolution::Both => Decision::Both,
    }
}

/// A decision, for the window.
pub(super) fn resolution(decision: Decision) -> Resolution {
    match decision {
        Decision::Local => Resolution::Local,
        Decision::Remote => Resolution::Remote,
        Decision::Cached => Resolution::Cached,
        Decision::Both => Resolution::Both,
    }
}

/// What is said when the engine itself failed.
pub(super) fn mistake(panic: &(dyn std::any::Any + Send)) -> ApiError {
    let said = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
    ApiError::new("internal", "DSG made a mistake of its own.")
        .with_hint("Nothing is lost; look again. Please report it, with the details below.")
        .with_detail(said.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halt_names_its_override_and_nothing_to_type() {
        let halt = Failure::new(Code::MassDelete, "30 of 40 files would be deleted here.").hint(
            "Look at the list of changes before you agree. To go on all the same: --allow mass-delete.",
        );
        let error = ApiError::from(halt);
        assert_eq!(error.code, "mass-delete");
        assert_eq!(error.allow.as_deref(), Some("mass-delete"));
        assert_eq!(error.hint.as_deref(), Some("Look at the list of changes before you agree."));
    }

    #[test]
    fn a_status_has_its_word() {
        let word = |status: ProjectStatus| super::status(&status);
        assert_eq!(word(ProjectStatus::Pending { count: 1_234_567 }), "1,234,567 pending");
        assert_eq!(word(ProjectStatus::Pending { count: 12 }), "12 pending");
        assert_eq!(word(ProjectStatus::Conflicts { count: 1 }), "1 conflict");
        assert_eq!(word(ProjectStatus::Conflicts { count: 1000 }), "1,000 conflicts");
        assert_eq!(word(ProjectStatus::Blocked { count: 2 }), "2 blocked");
        assert_eq!(word(ProjectStatus::Syncing { percent: Some(41.9) }), "Syncing 41 %");
    }

    #[test]
    fn what_cannot_be_passed_over_offers_no_override() {
        let failure = Failure::new(Code::EmptyRoot, "/a is not the project that was opened.")
            .hint("Mount it.");
        let error = ApiError::from(failure);
        assert_eq!((error.allow, error.hint.as_deref()), (None, Some("Mount it.")));
    }

    #[test]
    fn no_hint_speaks_of_the_command_line() {
        let typed =
            "Go to a project's folder, or make one: dsg init ADDRESS, or dsg clone ADDRESS.";
        let error = ApiError::from(Failure::new(Code::NotAProject, "No.").hint(typed));
        assert!(error.hint.is_some_and(|h| !h.contains("dsg ")));
    }
}
