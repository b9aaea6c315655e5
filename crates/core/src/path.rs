//! Names of files as the repository knows them.
//!
//! Owns [`RepoPath`]: a relative, NFC, `/`-separated path that every supported system can hold
//! and that cannot leave the tree. It is parsed once, at the edge; past that no room checks again.
//! Refuses everything else, with the reason and, through [`normalized`], a legal name to offer.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// Longest name of one component, in bytes (`NAME_MAX` of Linux file systems).
pub const MAX_COMPONENT: usize = 255;
/// Longest whole path, in bytes (below `PATH_MAX`, with room for the repository's own prefix).
pub const MAX_PATH: usize = 3072;

/// A legal path inside a project or repository, e.g. `input/2024/a.csv`.
///
/// Ordered by bytes, which is also the order of a depth-first walk whose directories sort as
/// `name/`. Clones share the text: a million paths are held once, however many values name them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(Arc<str>);

/// Why a name cannot be tracked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The path has no characters.
    #[error("the path is empty")]
    Empty,
    /// The bytes are not UTF-8.
    #[error("the name is not valid UTF-8")]
    NotUtf8,
    /// Starts with `/`, `\` or a drive letter.
    #[error("the path is absolute")]
    Absolute,
    /// `.`, `..`, or an empty component.
    #[error("the path has a component {0:?}")]
    Dots(String),
    /// A component or the path exceeds its limit.
    #[error("the name is {0} bytes long, {1} are allowed")]
    TooLong(usize, usize),
    /// Starts or ends with `~`.
    #[error("{0:?} starts or ends with '~', as editors' backup files do")]
    Tilde(String),
    /// A device name of Windows.
    #[error("{0:?} is a reserved name on Windows")]
    Reserved(String),
    /// Leading or trailing white space.
    #[error("{0:?} starts or ends with white space")]
    Space(String),
    /// A character that some system cannot hold, or nobody can see.
    #[error("the name contains {1:?} (U+{code:04X}), which is not allowed", code = *.1 as u32)]
    Character(String, char),
    /// Not in Unicode normalization form C.
    #[error("{0:?} is not in Unicode form NFC (an accent is stored as a separate character)")]
    NotNfc(String),
}

impl RepoPath {
    /// Parses a whole path.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        if path.is_empty() {
            return Err(PathError::Empty);
        }
        if path.len() > MAX_PATH {
            return Err(PathError::TooLong(path.len(), MAX_PATH));
        }
        let drive =
            path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic();
        if path.starts_with('/') || path.starts_with('\\') || drive {
            return Err(PathError::Absolute);
        }
        path.split('/').try_for_each(check_component)?;
        Ok(Self(path.into()))
    }

    /// Parses the bytes that a directory listing gave.
    ///
    /// # Errors
    /// [`PathError::NotUtf8`], else as [`RepoPath::parse`].
    pub fn from_bytes(path: &[u8]) -> Result<Self, PathError> {
        Self::parse(std::str::from_utf8(path).map_err(|_| PathError::NotUtf8)?)
    }

    /// A path that was parsed before, from its own text.
    pub(crate) fn proved(path: &str) -> Self {
        debug_assert!(Self::parse(path).is_ok(), "{path} was never parsed");
        Self(path.into())
    }

    /// Appends one component.
    ///
    /// # Errors
    /// As [`RepoPath::parse`].
    pub fn join(&self, name: &str) -> Result<Self, PathError> {
        check_component(name)?;
        let len = self.0.len() + 1 + name.len();
        if len > MAX_PATH {
            return Err(PathError::TooLong(len, MAX_PATH));
        }
        Ok(Self(format!("{}/{name}", self.0).into()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The directory that holds it, `None` at the top.
    pub fn parent(&self) -> Option<RepoPath> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.into()))
    }

    /// All directories above it, nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0.rmatch_indices('/').map(|(at, _)| &self.0[..at])
    }

    /// Its components, top first.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether it is `dir` itself or lies below it.
    pub fn is_within(&self, dir: &str) -> bool {
        self.0.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn check_component(name: &str) -> Result<(), PathError> {
    let owned = || name.to_owned();
    if matches!(name, "" | "." | "..") {
        return Err(PathError::Dots(owned()));
    }
    if name.len() > MAX_COMPONENT {
        return Err(PathError::TooLong(name.len(), MAX_COMPONENT));
    }
    if let Some(bad) = name.chars().find(|&c| !is_legal(c)) {
        return Err(PathError::Character(owned(), bad));
    }
    if name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace) {
        return Err(PathError::Space(owned()));
    }
    if name.starts_with('~') || name.ends_with('~') {
        return Err(PathError::Tilde(owned()));
    }
    if is_reserved(name) {
        return Err(PathError::Reserved(owned()));
    }
    if !is_nfc(name) {
        return Err(PathError::NotNfc(owned()));
    }
    Ok(())
}

/// Ascii punctuation that Windows forbids, every category C* (control, format, surrogate,
/// private use, unassigned) and the line and paragraph separators.
fn is_legal(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control()
            && !matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*' | '\\' | '/');
    }
    !matches!(c, '\u{2028}' | '\u{2029}')
        && c.general_category_group() != GeneralCategoryGroup::Other
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    match stem.as_str() {
        "con" | "prn" | "aux" | "nul" => true,
        s => s
            .strip_prefix("com")
            .or_else(|| s.strip_prefix("lpt"))
            .is_some_and(|n| n.len() == 1 && matches!(n.as_bytes()[0], b'1'..=b'9')),
    }
}

/// A legal name near `name` for `--normalize`: NFC, illegal characters as `_`, reserved names
/// with `_renamed`, no `~` at either end. `None` if nothing legal is left.
pub fn normalized(name: &str) -> Option<String> {
    let nfc: String = name.nfc().map(|c| if is_legal(c) { c } else { '_' }).collect();
    let trimmed = nfc.trim_matches(|c: char| c == '~' || c.is_whitespace());
    let mut end = trimmed.len().min(MAX_COMPONENT - "_renamed".len());
    while !trimmed.is_char_boundary(end) {
        end -= 1;
    }
    let mut legal =
        if trimmed.len() > MAX_COMPONENT { trimmed[..end].trim_end() } else { trimmed }.to_owned();
    if is_reserved(&legal) {
        let stem = legal.find('.').unwrap_or(legal.len());
        legal.insert_str(stem, "_renamed");
    }
    check_component(&legal).is_ok().then_some(legal)
}

/// Folds what a case-insensitive file system would take for the same path.
pub fn case_key(path: &RepoPath) -> String {
    folded(path)
}

/// As [`case_key`], of a path or of a part of one.
pub fn folded(path: &str) -> String {
    path.to_lowercase().nfc().collect()
}

impl Deref for RepoPath {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RepoPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<std::path::Path> for RepoPath {
    fn as_ref(&self) -> &std::path::Path {
        std::path::Path::new(&*self.0)
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl TryFrom<String> for RepoPath {
    type Error = PathError;
    fn try_from(path: String) -> Result<Self, PathError> {
        Self::parse(&path)
    }
}

impl std::str::FromStr for RepoPath {
    type Err = PathError;
    fn from_str(path: &str) -> Result<Self, PathError> {
        Self::parse(path)
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> String {
        path.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_accepted() {
        for path in [
            "a",
            "input/2024/Año nuevo.csv",
            "données/été.tsv",
            "日本語/表.csv",
            "a b/c-d_e.f",
            "x.~y",
            "nullify.txt",
            "com10",
            "a'b!c#d%e",
        ] {
            assert_eq!(RepoPath::parse(path).map(String::from).as_deref(), Ok(path));
        }
    }

    #[test]
    fn every_rule_refuses() {
        let long = "x".repeat(256);
        let deep = vec!["abcdefgh"; 400].join("/");
        for path in [
            "",
            "/etc/passwd",
            "\\\\host\\share",
            "c:/x",
            "../x",
            "a/../b",
            "a/./b",
            "a//b",
            "a/",
            "x~",
            "~x/y",
            "CON",
            "a/nul.txt",
            "lpt1.csv",
            " a",
            "a ",
            "a/\u{a0}b",
            "a\tb",
            "a:b",
            "a?b",
            "a*b",
            "a|b",
            "a<b",
            "a>b",
            "a\"b",
            "a\\b",
            "a\u{200b}b",
            "a\u{202e}b",
            "a\u{2028}b",
            "a\u{e000}b",
            "a\u{ad}b",
            "e\u{301}te\u{301}.csv",
            &long,
            &deep,
        ] {
            assert!(RepoPath::parse(path).is_err(), "{path:?} was accepted");
        }
        assert_eq!(RepoPath::from_bytes(b"a\xff"), Err(PathError::NotUtf8));
    }

    #[test]
    fn normalized_names_are_legal_and_near() {
        for (given, offered) in [
            ("e\u{301}te\u{301}.csv", "été.csv"),
            ("con.txt", "con_renamed.txt"),
            ("nul", "nul_renamed"),
            ("a:b?.csv", "a_b_.csv"),
            ("notes.txt~", "notes.txt"),
            (" padded ", "padded"),
        ] {
            assert_eq!(normalized(given).as_deref(), Some(offered));
        }
        assert_eq!(normalized("~~"), None);
        let long = "é".repeat(200);
        assert!(normalized(&long).is_some_and(|n| n.len() <= MAX_COMPONENT));
    }

    #[test]
    fn ancestors_and_containment() {
        let path: RepoPath = "a/b/c".parse().unwrap();
        assert_eq!(path.ancestors().collect::<Vec<_>>(), ["a/b", "a"]);
        assert!(
            path.is_within("a/b")
                && path.is_within("a/b/c")
                && !path.is_within("a/b/c/d")
                && !path.is_within("a/bb")
        );
        assert_eq!(path.name(), "c");
    }
}
