//! One step on a file system that was refused: what was tried, where, and the system's answer.
//!
//! Keeps the error number, so that a caller can tell "not there" from "not possible here"; turns
//! into a [`Failure`] for everybody else.

use std::path::{Path, PathBuf};

use dsg_core::failure::{Code, Failure};
use rustix::io::Errno;

/// A step that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("could not {doing} {path}", path = path.display())]
pub struct FsError {
    /// What was tried, e.g. "create the folder".
    pub doing: &'static str,
    /// On which path.
    pub path: PathBuf,
    /// The system's answer.
    #[source]
    pub errno: Errno,
}

/// Result with [`FsError`].
pub type FsResult<T> = Result<T, FsError>;

impl FsError {
    /// Says what was tried on `path`.
    pub fn new(doing: &'static str, path: impl AsRef<Path>, errno: Errno) -> Self {
        Self { doing, path: path.as_ref().to_owned(), errno }
    }

    /// From an error of the standard library; one without a number becomes `EIO`.
    pub fn std(doing: &'static str, path: impl AsRef<Path>, cause: &std::io::Error) -> Self {
        Self::new(doing, path, Errno::from_io_error(cause).unwrap_or(Errno::IO))
    }

    /// Nothing stands there, or a file stands where a directory would have to be.
    pub fn is_absent(&self) -> bool {
        matches!(self.errno, Errno::NOENT | Errno::NOTDIR)
    }

    /// Something stands there already.
    pub fn is_present(&self) -> bool {
        matches!(self.errno, Errno::EXIST | Errno::NOTEMPTY)
    }

    /// A link, or a way out of the directory, stood in the path.
    pub fn is_escape(&self) -> bool {
        matches!(self.errno, Errno::LOOP | Errno::XDEV)
    }

    /// This file system cannot do the step at all, e.g. exchange two names.
    pub fn is_unsupported(&self) -> bool {
        matches!(self.errno, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
    }

    /// A second name cannot be given to this file (its owner, its file system or the number of
    /// its names forbid it): copy instead.
    pub fn is_unlinkable(&self) -> bool {
        matches!(
            self.errno,
            Errno::PERM | Errno::ACCESS | Errno::MLINK | Errno::XDEV | Errno::OPNOTSUPP
        )
    }
}

impl From<FsError> for Failure {
    fn from(error: FsError) -> Failure {
        let FsError { doing, ref path, errno } = error;
        let at = path.display();
        match errno {
            Errno::LOOP | Errno::XDEV => Failure::new(
                Code::Permission,
                format!("Could not {doing} {at}: a link in the path leads elsewhere."),
            )
            .hint("Replace the link by a real folder; DSG never writes through links.")
            .because(error),
            Errno::NOSYS | Errno::OPNOTSUPP => Failure::new(
                Code::Unsupported,
                format!("Could not {doing} {at}: this system or file system cannot do that."),
            )
            .hint("Use a local file system (XFS, ext4, btrfs) on Linux 5.6 or newer.")
            .because(error),
            Errno::STALE | Errno::NOTCONN | Errno::HOSTDOWN | Errno::TIMEDOUT => Failure::new(
                Code::Unreachable,
                format!("Could not {doing} {at}: its file system is gone."),
            )
            .hint("Check that the disk or network share is connected, then try again.")
            .because(error),
            _ => Failure::io(doing, path, std::io::Error::from(errno)),
        }
    }
}
