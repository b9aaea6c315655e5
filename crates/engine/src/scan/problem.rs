//! Sentences for what is blocked, and the way out of each.

use dsg_core::entry::LinkError;
use dsg_core::path::{PathError, RepoPath, normalized};
use dsg_fs::error::FsError;
use rustix::io::Errno;

use crate::index::{Problem, ProblemKind};

/// A path that no repository can hold: the problem is its first illegal component, be it a file
/// or a folder with all below.
pub(crate) fn illegal_name(path: &str, error: &PathError) -> Problem {
    let mut end = 0;
    let culprit = path.split('/').find_map(|component| {
        end += component.len() + usize::from(end > 0);
        RepoPath::parse(component).err().map(|error| (&path[..end], error))
    });
    let (at, why) = match &culprit {
        _ if *error == PathError::NotUtf8 => (path, error),
        Some((at, error)) => (*at, error),
        None => (path, error),
    };
    let legal: Option<Vec<String>> =
        at.split('/').map(|c| normalized(&c.replace('\u{FFFD}', "_"))).collect();
    Problem {
        path: at.to_owned(),
        kind: ProblemKind::Name,
        sentence: format!("Its name cannot be synced: {why}."),
        offer: legal.map(|c| c.join("/")).filter(|offer| RepoPath::parse(offer).is_ok()),
    }
}

/// Of a legal name that would be given, and is in use.
pub(super) fn offer_taken(offer: &str) -> String {
    format!(" The legal form of it, {offer:?}, is another file of the repository: rename this one.")
}

pub(crate) fn bad_link(error: &LinkError) -> String {
    let mut sentence = error.to_string();
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("{sentence}. Links are synced only if they are relative and stay inside the project.")
}

pub(crate) fn special() -> String {
    "It is a pipe, socket or device, which cannot be synced. Move it away or ignore it.".to_owned()
}

pub(super) fn changing() -> String {
    "It changes while it is read. It is tried again at the next scan.".to_owned()
}

pub(crate) fn case(name: &str, other: &str) -> String {
    format!(
        "{name:?} differs from {other:?} by upper and lower case only: on some computers they \
         would be one. Rename one of them."
    )
}

/// Of a path that is new here and one that only the repository has.
pub(crate) fn case_there(path: &str, other: &str) -> String {
    format!(
        "{path:?} differs from {other:?} in the repository by upper and lower case only: on some \
         computers they would be one. Rename it here."
    )
}

pub(super) fn unmounted() -> String {
    "Its file system is not mounted. Mount it, or say that it will not come back.".to_owned()
}

/// Why something could not be looked at or read.
pub(crate) fn unreadable(error: &FsError) -> (ProblemKind, String) {
    let sentence = match error.errno {
        Errno::AGAIN => return (ProblemKind::Changing, changing()),
        Errno::ACCESS | Errno::PERM => {
            "Permission to read it was refused. Change its permissions, or ignore it.".to_owned()
        }
        Errno::LOOP | Errno::XDEV => {
            "A link stands in its folder's place, and what lies behind links is not synced. Put a \
             real folder there."
                .to_owned()
        }
        Errno::NAMETOOLONG => "Its path is too long. Move it further up, or ignore it.".to_owned(),
        errno => {
            let cause = std::io::Error::from(errno);
            format!("It cannot be read: {cause}. Check its disk, or ignore it.")
        }
    };
    (ProblemKind::Unreadable, sentence)
}
