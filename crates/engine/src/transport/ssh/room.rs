//! When a channel is asked for again that a host at its `MaxSessions` refused. Pure.
//!
//! A host counts a channel until its program has ended there, which may be a while after nobody here
//! wants it any more. So room is about to come where a channel of ours is ending; where others of ours
//! are at work, one of them may just be done; else none will come.

use std::time::{Duration, Instant};

use super::lane::ENDING;

/// Those who are at work are waited for so long.
const WORKING: Duration = Duration::from_millis(500);
/// Nobody tells when a host has done counting: it is tried.
const STEP: Duration = Duration::from_millis(100);

/// Whether room may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hope {
    /// Nothing of ours is there.
    None,
    /// Others of ours are at work.
    Working,
    /// A channel that nobody wants any more is ending.
    Ending,
    /// One is gone here, and may still be counted there.
    Gone,
}

/// A refused channel that is asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    since: Instant,
    again: Instant,
}

impl Refused {
    /// Refused for the first time; `None`: no room will come.
    pub(super) fn first(now: Instant, hope: Hope) -> Option<Self> {
        Self { since: now, again: now }.again(now, hope)
    }

    /// Refused again; `None`: that was the last try.
    pub(super) fn again(self, now: Instant, hope: Hope) -> Option<Self> {
        let until = match hope {
            Hope::None => self.since,
            Hope::Working => self.since + WORKING,
            Hope::Ending | Hope::Gone => self.since + ENDING,
        };
        let again = if hope == Hope::Gone { until.min(now + STEP) } else { until };
        (now < until).then_some(Self { again, ..self })
    }

    /// A channel of ours left.
    pub(super) fn left(&mut self, now: Instant) {
        self.again = now;
    }

    /// When it is asked for.
    pub(super) fn due(&self) -> Instant {
        self.again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When it is tried, in milliseconds, if none is ever free; hope changes once.
    fn tries(first: Hope, changes: Option<(u64, Hope)>) -> Vec<u64> {
        let begun = Instant::now();
        let mut changes = changes.map(|(at, hope)| (begun + Duration::from_millis(at), hope));
        let (mut hope, mut tried) = (first, Vec::new());
        let mut refused = Refused::first(begun, hope);
        while let Some(mut waiting) = refused {
            if let Some((at, later)) = changes.take_if(|(at, _)| *at < waiting.due()) {
                hope = later;
                if hope == Hope::Gone {
                    waiting.left(at);
                }
            }
            let now = waiting.due();
            tried.push(u64::try_from((now - begun).as_millis()).unwrap());
            refused = waiting.again(now, hope);
        }
        tried
    }

    #[test]
    fn room_is_waited_for_as_long_as_it_may_come() {
        assert_eq!(tries(Hope::None, None), [0; 0], "nobody makes any");
        assert_eq!(tries(Hope::Working, None), [500], "others are at work");
        assert_eq!(tries(Hope::Ending, None), [5000], "that it left is heard");
        let given_up_meanwhile = tries(Hope::Working, Some((250, Hope::Ending)));
        assert_eq!(given_up_meanwhile, [500, 5000]);
        let left = tries(Hope::Ending, Some((1250, Hope::Gone)));
        assert_eq!((left[0], left[1], left.last()), (1250, 1350, Some(&5000)));
    }
}
