//! Where a repository is, as people write it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The address of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A folder of this computer: `/path` or `file:///path`.
    Local(PathBuf),
}

/// Text that is no address of this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing is written.
    #[error("the address is empty")]
    Empty,
    /// A relative path depends on where one stands.
    #[error("{0:?} is not an absolute path")]
    Relative(String),
    /// A kind of address that this version cannot reach.
    #[error(
        "{0:?} is not a folder of this computer; this version keeps repositories in folders of this computer"
    )]
    Unsupported(String),
    /// Contains a character that no address has.
    #[error("{0:?} contains a character that cannot stand in an address")]
    Character(String),
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let path = text.strip_prefix("file://").unwrap_or(text);
        if path.is_empty() {
            return Err(AddressError::Empty);
        }
        if path.contains(char::is_control) {
            return Err(AddressError::Character(text.to_owned()));
        }
        if path.starts_with('/') {
            let trimmed = path.trim_end_matches('/');
            return if trimmed.is_empty() {
                Err(AddressError::Unsupported(text.to_owned()))
            } else {
                Ok(Self::Local(trimmed.into()))
            };
        }
        if path.contains(':') {
            return Err(AddressError::Unsupported(text.to_owned()));
        }
        Err(AddressError::Relative(text.to_owned()))
    }
}

impl Address {
    /// The folder, if it is one of this computer.
    pub fn local(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(path),
        }
    }

    /// The last part of the path: a name to offer.
    pub fn name(&self) -> String {
        match self {
            Self::Local(path) => {
                path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_addresses_and_others_say_why_not() {
        for (text, path) in [
            ("/data/repo1", "/data/repo1"),
            ("file:///data/r/", "/data/r"),
            ("/with space", "/with space"),
        ] {
            assert_eq!(text.parse::<Address>().map(|a| a.to_string()).as_deref(), Ok(path));
        }
        for wrong in
            ["", "file://", "data/repo", "ssh://host/x", "host:/x", "rclone:a:b", "/", "/a\nb"]
        {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
