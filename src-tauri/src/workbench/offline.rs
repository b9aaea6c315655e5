//! A repository that is out of reach: a state with a reason, since when, and when it is tried again.

use std::time::{Duration, Instant};

use dsg_core::failure::Code;
use jiff::Timestamp;

use crate::api::{ApiError, Offline, OfflineReason};

/// The first pause before a server is tried again; it doubles with each try.
const FIRST: Duration = Duration::from_secs(5);
/// The longest one.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// Where a person has to act: whoever knocks too often is locked out by careful servers.
const KNOCK: Duration = Duration::from_secs(60);
const KNOCK_LONGEST: Duration = Duration::from_secs(15 * 60);
/// A folder of this computer costs nothing to look for.
const FOLDER: Duration = Duration::from_secs(10);

/// How a project is cut off.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) told: Offline,
    tries: u32,
    /// When it is tried again.
    pub(super) due: Instant,
}

/// Whether a repository that answers so is out of reach, and no more.
pub(super) fn is_out_of_reach(code: &str) -> bool {
    let codes = [
        Code::Unreachable,
        Code::LoginRefused,
        Code::HostKeyUnknown,
        Code::HostKeyChanged,
        Code::NoRepository,
        Code::Agent,
        Code::OtherAgent,
        Code::Protocol,
    ];
    codes.iter().any(|known| known.as_str() == code)
}

impl Cut {
    /// After one more try; `server`: the repository is on one.
    pub(super) fn again(before: Option<&Self>, error: ApiError, server: bool) -> Self {
        let reason = reason(&error.code);
        let same = before.filter(|cut| cut.told.reason == reason);
        let tries = same.map_or(0, |cut| cut.tries.saturating_add(1));
        let pause = pause(reason, server, tries);
        let now = Timestamp::now();
        let since = same.map_or_else(|| now.to_string(), |cut| cut.told.since.clone());
        let retry = now.checked_add(jiff::SignedDuration::try_from(pause).unwrap_or_default());
        let retry = retry.unwrap_or(now).to_string();
        Self { told: Offline { reason, error, since, retry }, tries, due: Instant::now() + pause }
    }
}

fn reason(code: &str) -> OfflineReason {
    let reasons = [
        (Code::Unreachable, OfflineReason::Unreachable),
        (Code::LoginRefused, OfflineReason::SignIn),
        (Code::HostKeyUnknown, OfflineReason::HostUnknown),
        (Code::HostKeyChanged, OfflineReason::HostChanged),
        (Code::NoRepository, OfflineReason::NoRepository),
        (Code::Agent, OfflineReason::Agent),
        (Code::OtherAgent, OfflineReason::Agent),
        (Code::Protocol, OfflineReason::Agent),
    ];
    let known = reasons.iter().find(|(known, _)| known.as_str() == code);
    known.map_or(OfflineReason::Other, |(_, reason)| *reason)
}

fn pause(reason: OfflineReason, server: bool, tries: u32) -> Duration {
    let (first, longest) = match reason {
        _ if !server => return FOLDER,
        OfflineReason::SignIn
        | OfflineReason::HostUnknown
        | OfflineReason::HostChanged
        | OfflineReason::Agent => (KNOCK, KNOCK_LONGEST),
        _ => (FIRST, LONGEST),
    };
    first.saturating_mul(2_u32.saturating_pow(tries)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_tried_less_and_less_often_and_the_state_keeps_its_beginning() {
        let error = |code: Code| ApiError::new(code.as_str(), "No.");
        let first = Cut::again(None, error(Code::Unreachable), true);
        let second = Cut::again(Some(&first), error(Code::Unreachable), true);
        assert_eq!(second.told.since, first.told.since);
        assert!(second.due > first.due);
        let other = Cut::again(Some(&second), error(Code::LoginRefused), true);
        assert_eq!((other.told.reason, other.tries), (OfflineReason::SignIn, 0));
        let pauses: Vec<u64> =
            (0..9).map(|tries| pause(OfflineReason::Unreachable, true, tries).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(pause(OfflineReason::SignIn, true, 0), KNOCK);
        assert_eq!(pause(OfflineReason::SignIn, true, u32::MAX), KNOCK_LONGEST);
        assert_eq!(pause(OfflineReason::NoRepository, false, 7), FOLDER);
    }
}
