//! Repositories of the earlier DSG (0.4): what it kept, proved by its own sums, and made ours.
//!
//! | module | owns |
//! |---|---|
//! | `json` | its JSON, and the texts that its sums are of |
//! | `list` | one list of files (`last-sync.json`, `archive/sN-sync.json`) |
//! | `history` | lists, one after the other, as snapshots of ours |
//!
//! Everything read here may have been written by anybody: it is limited, and proved before it is used.
//! Its sums are xxh3-64: they tell damage, not intent.

mod history;
mod json;
mod list;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::failure::{Code, Failure};
use crate::manifest::Totals;
use crate::snapshot::{Legacy, SnapshotHeader, SnapshotId};

pub use history::{Adopter, Contents, Tree, Turn};
pub use list::{List, ListError, Listed, Messages, Metadata, Rationed};

/// What an earlier DSG left within the folder, on both sides.
pub const FOLDER: &str = ".dsg";
/// The newest list: by this a repository of the earlier DSG is known.
pub const LAST_SYNC: &str = ".dsg/last-sync.json";
/// What it says of each snapshot.
pub const MESSAGES: &str = ".dsg/sync-messages.json";
/// Where it keeps the former lists.
pub const ARCHIVE: &str = ".dsg/archive";
/// Stands while one of its clients is at work.
pub const LOCK: &str = ".dsg/sync.lock";

/// Deviations, and snapshots, that are told one by one.
pub const MOST_TOLD: usize = 100;

/// What an adoption would do, or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adoption {
    /// The project's name.
    pub name: String,
    /// How many snapshots the earlier DSG made.
    pub snapshots: u64,
    /// The newest of them, newest first.
    pub history: Vec<Past>,
    /// What will be tracked.
    pub totals: Totals,
    /// How many things are not as the earlier DSG left them.
    pub deviating: u64,
    /// The first of them.
    pub deviations: Vec<Deviation>,
    /// Entries of former lists that no list of ours can hold, because of their names.
    pub left_out: u64,
    /// The snapshot that came of it; none: nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Box<SnapshotHeader>>,
}

/// One snapshot of the earlier DSG.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// Its number, there and here.
    pub id: SnapshotId,
    /// Who made it.
    pub author: String,
    /// Why.
    pub message: String,
    /// When.
    pub time: jiff::Timestamp,
    /// Files and links in it, and their bytes.
    pub totals: Totals,
    /// What is known of its list.
    pub list: Legacy,
}

/// Something that is not as the earlier DSG left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// What, from the repository's folder.
    pub path: String,
    /// In which way.
    pub what: Oddity,
}

/// How something is not as the earlier DSG left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oddity {
    /// A file or link that it knew is not there.
    Missing,
    /// A file or link that it knew is another.
    Changed,
    /// A file or link is there that it did not know.
    Added,
    /// It knew it under a name, or as a link, that cannot be tracked; and why.
    Untrackable(String),
    /// A former snapshot's list is not there.
    NoList,
    /// A list is not what its sums say.
    Unproven,
    /// A list cannot be used; and why.
    Unusable(String),
    /// There are signs of a sync that was not finished; which.
    Unfinished(String),
}

impl std::fmt::Display for Oddity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("is not there any more"),
            Self::Changed => f.write_str("has another content"),
            Self::Added => f.write_str("was not there"),
            Self::Untrackable(why) => write!(f, "cannot be tracked: {why}"),
            Self::NoList => f.write_str("is not there: what that snapshot held is not known"),
            Self::Unproven => f.write_str("is not what its sums say"),
            Self::Unusable(why) => write!(f, "cannot be used: {why}"),
            Self::Unfinished(why) => write!(f, "tells of a sync that was not finished: {why}"),
        }
    }
}

impl Adoption {
    /// Whether it makes sense, said by somebody who may say anything.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), String> {
        if self.history.len() > MOST_TOLD || self.deviations.len() > MOST_TOLD {
            return Err("more is told than can be".into());
        }
        let newest = self.history.first().map_or(0, |past| past.id.number());
        let adopted = self.adopted.as_ref().map_or(newest + 1, |header| header.id.number());
        if newest != self.snapshots || adopted != newest + 1 {
            return Err("an impossible snapshot".into());
        }
        Ok(())
    }

    /// The failure that halts, where something is not as the earlier DSG left it.
    pub fn halt(&self, at: &str) -> Failure {
        let things = if self.deviating == 1 { "thing is" } else { "things are" };
        Failure::new(
            Code::Drift,
            format!("{} {things} not as the earlier DSG left it in {at}.", self.deviating),
        )
        .hint("Nothing was changed. --dry-run shows each with what it is. To adopt what stands there as it is, as a change made on the host: --allow drift.")
        .about(self.deviations.iter().map(|deviation| deviation.path.clone()))
    }
}
