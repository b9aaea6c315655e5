//! Names of datasets and snapshots, proved by ZFS' own rules before anything is done with them.
//!
//! A repository's dataset D has a *family*: D itself and, beside it while a transaction is under way,
//! `D.dsg-T` (where T is staged) and `D.dsg-old-T` (what D was before T).

use std::fmt;
use std::str::FromStr;

use dsg_core::snapshot::SnapshotId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest name of a dataset or snapshot, in bytes.
const LONGEST: usize = 255;
/// What the longest name that DSG makes of a dataset's adds to it: `.dsg-old-T` and `@dsg-T`.
const ADDED: usize = ".dsg-old-".len() + 36 + "@dsg-".len() + 36;
/// How many datasets may lie above one another.
const DEEPEST: usize = 50;
/// Begins what DSG adds to a repository's name.
const OURS: &str = ".dsg-";
const FORMER: &str = "old-";
const FROZEN: &str = "dsg-";
/// What is called so is made to be tried, and goes again with all that is in it.
pub const TRIAL: &str = "dsg-trial-";

/// What a user's trials are called.
pub fn trial_of(user: u32) -> String {
    format!("{TRIAL}{user}")
}

/// Text that is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} {why}")]
pub struct NotAName {
    text: String,
    why: &'static str,
}

/// A dataset's whole name, e.g. `tank/dsg/survey`. It never begins with a dash, so that no program
/// takes it for an option.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dataset(String);

impl Dataset {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The pool that it is in.
    pub fn pool(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The dataset that holds it; none above a pool.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(above, _)| Self(above.to_owned()))
    }

    /// Whether it lies below another one, at whatever depth; nothing lies below itself.
    pub fn is_below(&self, above: &Self) -> bool {
        self.0.strip_prefix(&above.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Whether it is there only to be tried, by this user.
    pub fn is_trial_of(&self, user: u32) -> bool {
        self.parent().is_some() && self.0.rsplit('/').next() == Some(&trial_of(user))
    }

    /// A dataset directly below this one.
    ///
    /// # Errors
    /// The name cannot be one.
    pub fn child(&self, name: &str) -> Result<Self, NotAName> {
        format!("{self}/{name}").parse()
    }

    /// The member of this repository's family that has a part.
    #[must_use]
    pub fn member(&self, part: Part) -> Self {
        Self(match part {
            Part::Live => self.0.clone(),
            Part::Staging(transaction) => format!("{self}{OURS}{transaction}"),
            Part::Former(transaction) => format!("{self}{OURS}{FORMER}{transaction}"),
        })
    }

    /// Which part another dataset has in this repository's family; none if it is no member.
    pub fn part_of(&self, other: &Self) -> Option<Part> {
        let rest = other.0.strip_prefix(&self.0)?;
        if rest.is_empty() {
            return Some(Part::Live);
        }
        let rest = rest.strip_prefix(OURS)?;
        match rest.strip_prefix(FORMER) {
            Some(transaction) => transaction_of(transaction).map(Part::Former),
            None => transaction_of(rest).map(Part::Staging),
        }
    }

    /// As a repository's name: below a pool, short enough for the names beside it, and none of those nor
    /// below one of them.
    ///
    /// # Errors
    /// It cannot be one.
    pub fn for_repository(self) -> Result<Self, NotAName> {
        let why = if self.parent().is_none() {
            "is a pool: a repository is a dataset below one"
        } else if self.0.contains(OURS) {
            "has .dsg- in it, which DSG keeps for its own datasets"
        } else if self.0.len() + ADDED > LONGEST {
            "is too long: the names beside it would not fit"
        } else {
            return Ok(self);
        };
        Err(NotAName { text: self.0, why })
    }
}

impl FromStr for Dataset {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.: ".contains(c);
        let why = if text.len() > LONGEST {
            "is too long for a dataset"
        } else if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            "is no dataset: the name of a pool begins with a letter"
        } else if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            "is no dataset: an empty part, . or .. stands in it"
        } else if !text.chars().all(|c| c == '/' || known(c)) {
            "is no dataset: letters, digits, - _ . : and spaces make a name"
        } else if text.ends_with(' ') || text.split('/').count() > DEEPEST {
            "is no dataset that a pool can hold"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(NotAName { text: text.to_owned(), why })
    }
}

impl TryFrom<String> for Dataset {
    type Error = NotAName;
    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<Dataset> for String {
    fn from(name: Dataset) -> Self {
        name.0
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a member of a repository's family is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The repository itself.
    Live,
    /// Where a transaction is staged.
    Staging(Uuid),
    /// What the repository was before a transaction.
    Former(Uuid),
}

/// A snapshot that DSG takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Tag {
    /// One of the history: `@s5`.
    Number(SnapshotId),
    /// The live tree, held still while a transaction adopts what changed in it: `@dsg-T`.
    Frozen(Uuid),
}

impl FromStr for Tag {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let frozen = text.strip_prefix(FROZEN).and_then(transaction_of).map(Tag::Frozen);
        frozen.or_else(|| text.parse().ok().map(Tag::Number)).ok_or_else(|| NotAName {
            text: text.to_owned(),
            why: "is no snapshot of a repository",
        })
    }
}

impl TryFrom<String> for Tag {
    type Error = NotAName;
    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.to_string()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(snapshot) => snapshot.fmt(f),
            Self::Frozen(transaction) => write!(f, "{FROZEN}{transaction}"),
        }
    }
}

/// A transaction's id in the one way in which DSG writes it.
pub(super) fn transaction_of(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    (id.to_string() == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_00ab);

    fn dataset(text: &str) -> Dataset {
        text.parse().unwrap()
    }

    #[test]
    fn names_that_a_pool_would_not_take_or_that_mean_something_else_are_refused() {
        for bad in [
            "",
            "/",
            "/tank",
            "tank/",
            "tank//a",
            "tank/../a",
            "tank/.",
            "-o",
            "-rf/a",
            "tank/a@s1",
            "tank/a#b",
            "tank/a%b",
            "tank/a\nb",
            "tank/a\0",
            "tank/ä",
            "tank/a;b",
            "tank/$(a)",
            "1tank",
            "tank/a ",
        ] {
            assert!(bad.parse::<Dataset>().is_err(), "{bad:?}");
        }
        assert!("t/".repeat(200).parse::<Dataset>().is_err());
        assert!(format!("tank/{}", "a".repeat(251)).parse::<Dataset>().is_err());
        for good in ["tank", "tank/a", "tank/a b/c.d:e_f-g", "Tank/-x"] {
            assert_eq!(dataset(good).as_str(), good);
        }
    }

    #[test]
    fn only_what_stands_behind_a_slash_lies_below() {
        let prefix = dataset("tank/dsg");
        assert!(dataset("tank/dsg/a").is_below(&prefix));
        assert!(dataset("tank/dsg/a/b").is_below(&prefix));
        for other in ["tank/dsg", "tank/dsgx", "tank/dsgx/a", "tank", "other/dsg/a"] {
            assert!(!dataset(other).is_below(&prefix), "{other}");
        }
    }

    #[test]
    fn a_family_is_known_by_its_names() {
        let live = dataset("tank/dsg/p");
        for part in [Part::Live, Part::Staging(T), Part::Former(T)] {
            assert_eq!(live.part_of(&live.member(part)), Some(part));
        }
        for stranger in ["tank/dsg/p2", "tank/dsg/p.dsg-x", "tank/dsg/p/a", "tank/dsg"] {
            assert_eq!(live.part_of(&dataset(stranger)), None, "{stranger}");
        }
        let loud = format!("tank/dsg/p.dsg-{}", T.to_string().to_uppercase());
        assert_eq!(live.part_of(&dataset(&loud)), None);
    }

    #[test]
    fn a_repository_lies_below_a_pool_and_leaves_room_for_the_names_beside_it() {
        assert!(dataset("tank").for_repository().is_err());
        for part in [Part::Staging(T), Part::Former(T)] {
            let ours = dataset("tank/a").member(part);
            assert!(ours.child("p").unwrap().for_repository().is_err());
            assert!(ours.for_repository().is_err());
        }
        assert!(dataset("tank/a.dsg-x/b/p").for_repository().is_err());
        assert!(dataset("tank/a").for_repository().is_ok());
        let long = dataset(&format!("tank/{}", "a".repeat(LONGEST - ADDED - "tank/".len())));
        let frozen = format!("{}@{}", long.member(Part::Former(T)), Tag::Frozen(T));
        assert_eq!(frozen.len(), LONGEST);
        assert!(long.for_repository().is_ok());
        let longer = format!("tank/{}", "a".repeat(LONGEST - ADDED - "tank".len()));
        assert!(dataset(&longer).for_repository().is_err());
    }

    #[test]
    fn a_tag_is_a_number_or_a_transaction() {
        for good in ["s1", "s42", "dsg-01920000-0000-7000-8000-0000000000ab"] {
            assert_eq!(good.parse::<Tag>().unwrap().to_string(), good);
        }
        for bad in ["", "s0", "s01", "autosnap", "dsg-1", "s1@", "-s1"] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
    }
}
