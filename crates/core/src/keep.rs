//! Which former snapshots' files are kept: a rule, and what goes by it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use crate::snapshot::SnapshotId;

/// A rule: what any of its parts keeps is kept. The newest snapshot always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Keep {
    /// So many newest ones.
    pub last: usize,
    /// Of so many days that have any, the newest of each.
    pub daily: usize,
    /// The same of weeks, which begin on Mondays.
    pub weekly: usize,
    /// The same of months.
    pub monthly: usize,
    /// The same of years.
    pub yearly: usize,
}

/// Text that is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no rule: it is how many to keep, e.g. 10 or last=10,daily=7,weekly=4,monthly=12,yearly=5"
)]
pub struct NotARule(String);

impl FromStr for Keep {
    type Err = NotARule;

    /// Parts between commas; a number alone is `last`. Each part once, and none keeps nothing.
    fn from_str(text: &str) -> Result<Self, NotARule> {
        let wrong = || NotARule(text.to_owned());
        let mut keep = Self::default();
        for part in text.split(',') {
            let (name, number) = part.split_once('=').unwrap_or(("last", part));
            let slot = match name.trim() {
                "last" => &mut keep.last,
                "daily" => &mut keep.daily,
                "weekly" => &mut keep.weekly,
                "monthly" => &mut keep.monthly,
                "yearly" => &mut keep.yearly,
                _ => return Err(wrong()),
            };
            let number = number.trim().parse().map_err(|_| wrong())?;
            if *slot != 0 || number == 0 {
                return Err(wrong());
            }
            *slot = number;
        }
        Ok(keep)
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { last, daily, weekly, monthly, yearly } = *self;
        let parts = [
            ("last", last),
            ("daily", daily),
            ("weekly", weekly),
            ("monthly", monthly),
            ("yearly", yearly),
        ];
        let parts = parts.into_iter().filter(|(_, number)| *number > 0);
        for (n, (name, number)) in parts.enumerate() {
            write!(f, "{}{name}={number}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Keep {
    type Error = NotARule;
    fn try_from(text: String) -> Result<Self, NotARule> {
        text.parse()
    }
}

impl From<Keep> for String {
    fn from(keep: Keep) -> String {
        keep.to_string()
    }
}

/// What tells one period from another.
type Period = fn(&Zoned) -> (i16, i16);

impl Keep {
    /// The snapshots whose files go, oldest first, of these with their times. Days begin where `zone`
    /// says.
    pub fn goes(&self, snapshots: &[(SnapshotId, Timestamp)], zone: &TimeZone) -> Vec<SnapshotId> {
        let mut all: Vec<_> =
            snapshots.iter().map(|(id, time)| (*id, time.to_zoned(zone.clone()))).collect();
        all.sort_by_key(|(id, _)| *id);
        let newest = || all.iter().rev();
        let mut kept: BTreeSet<SnapshotId> =
            newest().take(self.last.max(1)).map(|(id, _)| *id).collect();
        let periods: [(usize, Period); 4] = [
            (self.daily, |at| (at.year(), at.day_of_year())),
            (self.weekly, |at| {
                let week = at.date().iso_week_date();
                (week.year(), week.week().into())
            }),
            (self.monthly, |at| (at.year(), at.month().into())),
            (self.yearly, |at| (at.year(), 0)),
        ];
        for (most, period) in periods {
            let mut seen = BTreeSet::new();
            for (id, time) in newest() {
                let is_first = seen.insert(period(time));
                if seen.len() > most {
                    break;
                }
                if is_first {
                    kept.insert(*id);
                }
            }
        }
        all.into_iter().map(|(id, _)| id).filter(|id| !kept.contains(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One snapshot each; numbered from 1.
    fn at(times: &[&str]) -> Vec<(SnapshotId, Timestamp)> {
        let one = |(number, time): (u64, &&str)| {
            (SnapshotId::new(number).unwrap(), time.parse().unwrap())
        };
        (1..).zip(times).map(one).collect()
    }

    fn gone(rule: &str, times: &[&str]) -> Vec<u64> {
        let goes = rule.parse::<Keep>().unwrap().goes(&at(times), &TimeZone::UTC);
        goes.into_iter().map(SnapshotId::number).collect()
    }

    const TIMES: [&str; 8] = [
        "2024-12-31T10:00:00Z", // Tuesday, in the first week of 2025
        "2025-01-01T10:00:00Z",
        "2025-01-31T10:00:00Z",
        "2025-02-01T08:00:00Z", // Saturday
        "2025-02-01T09:00:00Z",
        "2025-02-02T10:00:00Z", // Sunday
        "2025-02-03T10:00:00Z", // Monday
        "2025-02-03T11:00:00Z",
    ];

    #[test]
    fn what_any_part_keeps_is_kept_and_of_a_period_the_newest() {
        for (rule, expected) in [
            ("1", vec![1, 2, 3, 4, 5, 6, 7]),
            ("last=3", vec![1, 2, 3, 4, 5]),
            ("100", vec![]),
            ("daily=2", vec![1, 2, 3, 4, 5, 7]),
            ("daily=3", vec![1, 2, 3, 4, 7]),
            ("weekly=1", vec![1, 2, 3, 4, 5, 6, 7]),
            ("weekly=2", vec![1, 2, 3, 4, 5, 7]),
            ("weekly=3", vec![1, 3, 4, 5, 7]),
            ("monthly=2", vec![1, 2, 4, 5, 6, 7]),
            ("yearly=2", vec![2, 3, 4, 5, 6, 7]),
            ("last=2,daily=2,monthly=2,yearly=2", vec![2, 4, 5]),
        ] {
            assert_eq!(gone(rule, &TIMES), expected, "{rule}");
        }
        assert_eq!(gone("1", &[]), Vec::<u64>::new());
    }

    #[test]
    fn days_begin_where_one_is() {
        let times = at(&["2025-02-01T22:30:00Z", "2025-02-01T23:30:00Z"]);
        let rule: Keep = "daily=2".parse().unwrap();
        assert_eq!(rule.goes(&times, &TimeZone::UTC).len(), 1);
        let east = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(rule.goes(&times, &east), []);
    }

    #[test]
    fn a_clock_that_went_back_takes_no_snapshot_for_the_newest() {
        assert_eq!(gone("1", &["2025-02-03T00:00:00Z", "2025-02-01T00:00:00Z"]), [1]);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for bad in ["", "0", "-1", "x", "last=", "hourly=3", "last=1,2", "daily=0", "daily=1,,"] {
            assert!(bad.parse::<Keep>().is_err(), "{bad:?}");
        }
        let all = "last=1, daily=2,weekly=3,monthly=4,yearly=5".parse();
        assert_eq!(all, Ok(Keep { last: 1, daily: 2, weekly: 3, monthly: 4, yearly: 5 }));
        assert_eq!(all.unwrap().to_string(), "last=1,daily=2,weekly=3,monthly=4,yearly=5");
        assert_eq!("10".parse::<Keep>().unwrap().to_string(), "last=10");
    }
}
