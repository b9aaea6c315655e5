//! What somebody sees who looks for a repository, or for a place for one, or for who is at work in one.

use serde::{Deserialize, Serialize};

use crate::failure::{Code, Failure};
use crate::repository::RepositoryInfo;
use crate::snapshot::{FORMAT, SnapshotHeader, SnapshotId};

/// A repository, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Where it stands: absolute.
    pub path: String,
    /// Its facts, as far as they can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<RepositoryInfo>,
    /// Its newest snapshot, as far as it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Box<SnapshotHeader>>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
}

/// A folder, as whoever looks for a place sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// Its name in the folder that was asked for.
    pub name: String,
    /// It is a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Listed>,
}

/// The folder that was asked for, without what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Around {
    /// Absolute, without links in it.
    pub path: String,
    /// Something may be made in it.
    pub writable: bool,
    /// Nothing was left out for its number or its depth.
    pub complete: bool,
}

/// A failure as a value that is shown and nothing more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// Its stable code.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The causes beneath.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl From<&Failure> for Trouble {
    fn from(failure: &Failure) -> Self {
        let Failure { code, message, hint, .. } = failure;
        Self {
            code: code.as_str().to_owned(),
            message: message.clone(),
            hint: hint.clone(),
            detail: failure.detail(),
        }
    }
}

impl Trouble {
    /// Its code; of a program that knows others, [`Code::Protocol`].
    pub fn kind(&self) -> Code {
        let known = Code::ALL.iter().find(|known| known.as_str() == self.code);
        known.copied().unwrap_or(Code::Protocol)
    }
}

/// One thing that was tried at a place, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What was tried, e.g. `login`.
    pub name: String,
    /// What was found, or what is wrong and what to do.
    pub found: Result<String, Trouble>,
}

impl Step {
    /// A step, and how it ended.
    pub fn new(name: &str, found: Result<String, Failure>) -> Self {
        Self { name: name.to_owned(), found: found.map_err(|why| Trouble::from(&why)) }
    }
}

impl Listed {
    /// One that cannot be read.
    pub fn unreadable(path: String, why: &Failure) -> Self {
        Self { path, info: None, head: None, trouble: Some(Trouble::from(why)) }
    }

    /// Whether it makes sense, said by somebody who may say anything.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), String> {
        place(&self.path)?;
        match &self.head {
            Some(head) if head.format > FORMAT => Err("a snapshot of a newer format".into()),
            Some(head) if head.parent != SnapshotId::new(head.id.number() - 1) => {
                Err("an impossible snapshot".into())
            }
            _ => Ok(()),
        }
    }
}

impl Folder {
    /// As [`Listed::check`].
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), String> {
        let name = &self.name;
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(format!("{name:?} is no name of a folder"));
        }
        self.repository.as_ref().map_or(Ok(()), Listed::check)
    }
}

impl Around {
    /// As [`Listed::check`].
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), String> {
        place(&self.path)
    }
}

/// Whether text is an absolute path without steps back.
fn place(path: &str) -> Result<(), String> {
    let plain = path.starts_with('/')
        && !path.contains('\0')
        && !path.split('/').any(|part| part == "." || part == "..");
    if plain { Ok(()) } else { Err(format!("{path:?} is no place")) }
}

/// What somebody does in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Content comes, and waits: nothing is locked.
    Staging,
    /// A snapshot is being published, or a step as exclusive as that.
    Publishing,
    /// The repository looks after itself: a publish is prepared, leftovers are cleaned up.
    Housekeeping,
}

/// Somebody who lives and is at work in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The author, or `login@host`; empty if it is not known.
    pub who: String,
    /// Since when, as RFC 3339; empty if it is not known.
    pub since: String,
    /// What is done.
    pub work: Work,
    /// The transaction that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The snapshot that shall come of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotId>,
    /// Files that are done, and in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<(u64, u64)>,
    /// Bytes that are done, and in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<(u64, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_elsewhere_is_no_place_and_no_name() {
        for wrong in ["", "data", "/data/../etc", "/a/./b", "/a\0b"] {
            let around = Around { path: wrong.into(), writable: true, complete: true };
            assert!(around.check().is_err(), "{wrong:?}");
            let listed = Listed { path: wrong.into(), info: None, head: None, trouble: None };
            assert!(Folder { name: "a".into(), repository: Some(listed) }.check().is_err());
        }
        for wrong in ["", ".", "..", "a/b", "a\0"] {
            assert!(Folder { name: wrong.into(), repository: None }.check().is_err(), "{wrong:?}");
        }
        let fine = Around { path: "/srv/données".into(), writable: false, complete: true };
        assert!(
            fine.check().is_ok() && Folder { name: "a b".into(), repository: None }.check().is_ok()
        );
    }
}
