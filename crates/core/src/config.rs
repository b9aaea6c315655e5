//! What a repository's members share: its name, which folders are data, what is ignored.
//!
//! Owns the shared configuration as a value (it travels in every snapshot's header), its three-way merge,
//! and the rules that decide whether a path is tracked; and what configuration files may say:
//!
//! | module | owns |
//! |---|---|
//! | [`keys`] | the one table of keys and of what this version can do |
//! | `yaml` | text as a tree that knows its places |
//! | `check` | that tree compared with the table |
//! | `mistake` | all that is wrong, shown with its lines |
//! | `patterns` | `.dsgignore` |
//! | `project` | `.dsgconfig.yml` in each of its formats |
//! | `user` | `dsg.yml` in each of its places |
//! | `edit`, `migrate` | changing a file and nothing else in it |
//! | [`form`] | the table and a file as a form that can be filled in |
//! | `schema` | the table as JSON Schema and as pages |

mod check;
mod edit;
pub mod form;
pub mod keys;
mod migrate;
mod mistake;
mod patterns;
mod project;
mod schema;
#[cfg(test)]
mod tests;
mod user;
mod yaml;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::keep::Keep;
use crate::path::RepoPath;

pub use edit::{Setting, edited};
pub use migrate::{migrated, migrated_oldest};
pub use mistake::{Broken, Mistake, Place, shown};
pub use patterns::Patterns;
pub use project::{Demand, Format, ProjectConfig};
pub use schema::{pages, schema};
pub use user::{DefaultHost, HostConfig, Layer, SshProgram, UserConfig};
pub use yaml::LONGEST;

/// The data directories of a new project, unless others are chosen.
pub const DEFAULT_DATA_DIRS: [&str; 3] = ["frozen", "input", "output"];
const DEFAULT_NAMES: [&str; 6] =
    [".DS_Store", ".RData", ".Rdata", ".Rproj.user", ".rdata", "__pycache__"];
const DEFAULT_SUFFIXES: [&str; 2] = [".pyc", ".tmp"];

/// The shared keys of `.dsgconfig.yml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedConfig {
    /// The project's name, for people.
    pub name: String,
    /// A path is data if any of its components stands here; `*` makes every path data.
    #[serde(default = "default_data_dirs")]
    pub data_dirs: BTreeSet<String>,
    /// What is left alone although it is data.
    #[serde(default)]
    pub ignore: Ignore,
    /// Which snapshots `dsg prune` keeps the files of, if it is not told otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Keep>,
}

/// What is left alone. A key that is missing has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    /// Exact paths from the project's root, with all below.
    #[serde(default)]
    pub paths: BTreeSet<String>,
    /// Names of files or folders, anywhere.
    #[serde(default = "default_names")]
    pub names: BTreeSet<String>,
    /// Endings of file names.
    #[serde(default = "default_suffixes")]
    pub suffixes: BTreeSet<String>,
    /// The lines of `.dsgignore`; no part of the YAML view.
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub patterns: Patterns,
}

impl Default for Ignore {
    fn default() -> Self {
        Self {
            paths: BTreeSet::new(),
            names: default_names(),
            suffixes: default_suffixes(),
            patterns: Patterns::default(),
        }
    }
}

fn owned<const N: usize>(words: [&str; N]) -> BTreeSet<String> {
    words.map(str::to_owned).into()
}
fn default_data_dirs() -> BTreeSet<String> {
    owned(DEFAULT_DATA_DIRS)
}
fn default_names() -> BTreeSet<String> {
    owned(DEFAULT_NAMES)
}
fn default_suffixes() -> BTreeSet<String> {
    owned(DEFAULT_SUFFIXES)
}

/// Whether a text stands on one line, whatever reads it: no name of a file holds more either.
fn is_line(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// Whether a text can be a project's name, or why not.
fn is_name(name: &str) -> Result<(), String> {
    let good = !name.trim().is_empty() && name.len() <= 255 && !name.contains('/') && is_line(name);
    good.then_some(())
        .ok_or_else(|| format!("{name:?} is not a name of 1 to 255 bytes without '/'"))
}

/// Whether a text can stand in `data_dirs`.
fn is_data_dir(dir: &str) -> Result<(), String> {
    if dir == "*" {
        return Ok(());
    }
    if dir.contains('/') {
        return Err(format!("{dir:?} is a path; a folder's name, valid at any depth, is meant"));
    }
    RepoPath::parse(dir).map(|_| ()).map_err(|e| e.to_string())
}

/// Whether a text can stand in `ignore.paths`.
fn is_ignored_path(path: &str) -> Result<(), String> {
    let path = path.trim_end_matches('/');
    let below = !path.is_empty() && !path.starts_with('/') && path.split('/').all(|c| c != "..");
    let good = below && is_line(path);
    good.then_some(()).ok_or_else(|| format!("{path:?} is not a path below the project's root"))
}

/// Whether a text can stand in `ignore.names` or `ignore.suffixes`.
fn is_pattern(name: &str) -> Result<(), String> {
    let good = !name.is_empty() && !name.contains('/') && is_line(name);
    good.then_some(()).ok_or_else(|| {
        "a name or suffix is empty, or contains '/' or what is no visible character".to_owned()
    })
}

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not YAML, a wrong type, or a missing key; the text says where.
    #[error("{0}")]
    Syntax(String),
    /// A value that means nothing.
    #[error("{key}: {why}")]
    Value {
        /// The key, e.g. `data_dirs`.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl SharedConfig {
    /// A new project's configuration.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            data_dirs: default_data_dirs(),
            ignore: Ignore::default(),
            retention: None,
        }
    }

    /// Reads the YAML view, in whichever format.
    ///
    /// # Errors
    /// All that is wrong in it, with its places.
    pub fn from_yaml(text: &str) -> Result<Self, Broken> {
        ProjectConfig::read(text).map(|config| config.shared)
    }

    /// The YAML view, as a person would write it.
    ///
    /// # Errors
    /// A value that YAML cannot hold.
    pub fn to_yaml(&self) -> Result<String, ConfigError> {
        serde_norway::to_string(&self.viewed()).map_err(|e| ConfigError::Syntax(e.to_string()))
    }

    /// As [`SharedConfig::to_yaml`], in the place of `old`: only the lines change that must, and if
    /// `old` is written in a way that does not allow it, at least where its repository is stays. An older
    /// format becomes the newer one that the earlier tool reads, too.
    ///
    /// # Errors
    /// `old` is no YAML mapping; a value that YAML cannot hold.
    pub fn to_yaml_over(&self, old: &str) -> Result<String, ConfigError> {
        let unwrapped = migrated(old).ok().flatten();
        let old = unwrapped.as_deref().unwrap_or(old);
        let viewed = self.viewed();
        if let Some(text) = viewed.line_by_line(old) {
            return Ok(text);
        }
        let syntax = |e: serde_norway::Error| ConfigError::Syntax(e.to_string());
        let old: Option<serde_norway::Mapping> = serde_norway::from_str(old).map_err(syntax)?;
        let own = serde_norway::to_value(&viewed).map_err(syntax)?;
        let mut merged = old.unwrap_or_default();
        if self.retention.is_none() {
            merged.remove("retention");
        }
        if let serde_norway::Value::Mapping(own) = own {
            merged.extend(own);
        }
        serde_norway::to_string(&merged).map_err(syntax)
    }

    /// `old` with the lines changed by which it says this.
    fn line_by_line(&self, old: &str) -> Option<String> {
        let before = Self::from_yaml(old).ok()?;
        let mut text = old.to_owned();
        if before.name != self.name {
            text = edited(&text, &["name"], Some(&Setting::Text(self.name.clone())))?;
        }
        if before.retention != self.retention {
            let rule = self.retention.map(|rule| Setting::Text(rule.to_string()));
            text = edited(&text, &["retention"], rule.as_ref())?;
        }
        for (keys, was, is) in [
            (&["data_dirs"][..], &before.data_dirs, &self.data_dirs),
            (&["ignore", "paths"], &before.ignore.paths, &self.ignore.paths),
            (&["ignore", "names"], &before.ignore.names, &self.ignore.names),
            (&["ignore", "suffixes"], &before.ignore.suffixes, &self.ignore.suffixes),
        ] {
            if was != is {
                text = edited(&text, keys, Some(&Setting::Texts(is.iter().cloned().collect())))?;
            }
        }
        Self::from_yaml(&text).is_ok_and(|now| now == *self).then_some(text)
    }

    /// Whether the YAML view says the same of both.
    #[must_use]
    pub fn is_viewed_as(&self, other: &Self) -> bool {
        self.viewed() == other.viewed()
    }

    /// What the YAML view says of it: all but what `.dsgignore` says.
    fn viewed(&self) -> Self {
        let mut viewed = self.clone();
        viewed.ignore.patterns = Patterns::default();
        viewed
    }

    /// Proves the values, with slashes at the end of ignored paths taken off.
    ///
    /// # Errors
    /// The first value that means nothing.
    pub fn checked(mut self) -> Result<Self, ConfigError> {
        let bad = |key| move |why| ConfigError::Value { key, why };
        is_name(&self.name).map_err(bad("name"))?;
        if self.data_dirs.is_empty() {
            let why = "no folder is named, so nothing would be tracked ('*' tracks all)";
            return Err(bad("data_dirs")(why.to_owned()));
        }
        self.data_dirs.iter().try_for_each(|dir| is_data_dir(dir)).map_err(bad("data_dirs"))?;
        let Ignore { paths, names, suffixes, .. } = &mut self.ignore;
        paths.iter().try_for_each(|path| is_ignored_path(path)).map_err(bad("ignore.paths"))?;
        *paths = paths.iter().map(|path| path.trim_end_matches('/').to_owned()).collect();
        names.iter().try_for_each(|name| is_pattern(name)).map_err(bad("ignore.names"))?;
        suffixes.iter().try_for_each(|name| is_pattern(name)).map_err(bad("ignore.suffixes"))?;
        Ok(self)
    }

    /// Three-way merge: each side's additions and removals count; where both set the name or the
    /// retention differently, ours stands.
    #[must_use]
    pub fn merge(base: &Self, ours: &Self, theirs: &Self) -> Self {
        let set = |pick: fn(&Self) -> &BTreeSet<String>| -> BTreeSet<String> {
            let (b, o, t) = (pick(base), pick(ours), pick(theirs));
            o.union(t)
                .filter(|x| (o.contains(*x) && t.contains(*x)) || !b.contains(*x))
                .cloned()
                .collect()
        };
        let mut data_dirs = set(|c| &c.data_dirs);
        if data_dirs.is_empty() {
            data_dirs.clone_from(&ours.data_dirs);
        }
        Self {
            name: if ours.name == base.name { theirs.name.clone() } else { ours.name.clone() },
            data_dirs,
            ignore: Ignore {
                paths: set(|c| &c.ignore.paths),
                names: set(|c| &c.ignore.names),
                suffixes: set(|c| &c.ignore.suffixes),
                patterns: Patterns::merge(
                    &base.ignore.patterns,
                    &ours.ignore.patterns,
                    &theirs.ignore.patterns,
                ),
            },
            retention: if ours.retention == base.retention {
                theirs.retention
            } else {
                ours.retention
            },
        }
    }

    /// What both have: the base for two that have none. Merged with it, neither side seems to have
    /// removed what only the other has; name and retention are theirs.
    #[must_use]
    pub fn common(ours: &Self, theirs: &Self) -> Self {
        let both = |pick: fn(&Self) -> &BTreeSet<String>| -> BTreeSet<String> {
            pick(ours).intersection(pick(theirs)).cloned().collect()
        };
        Self {
            name: ours.name.clone(),
            data_dirs: both(|c| &c.data_dirs),
            ignore: Ignore {
                paths: both(|c| &c.ignore.paths),
                names: both(|c| &c.ignore.names),
                suffixes: both(|c| &c.ignore.suffixes),
                patterns: Patterns::common(&ours.ignore.patterns, &theirs.ignore.patterns),
            },
            retention: ours.retention,
        }
    }

    /// What becomes of the directory at `path` (components joined by `/`, as on disk).
    pub fn directory(&self, path: &str) -> Tracking {
        self.tracking(path, true)
    }

    /// What becomes of the file or link at `path`.
    pub fn file(&self, path: &str) -> Tracking {
        self.tracking(path, false)
    }

    fn tracking(&self, path: &str, is_dir: bool) -> Tracking {
        if path.split('/').any(|c| c.starts_with('.')) {
            Tracking::Hidden
        } else if self.rule(path, is_dir).is_some() {
            Tracking::Ignored
        } else if self.data_dirs.contains("*")
            || path.split('/').any(|c| self.data_dirs.contains(c))
        {
            Tracking::Tracked
        } else {
            Tracking::OutsideData
        }
    }

    /// By which rule `path` is left alone, if by any.
    pub fn rule(&self, path: &str, is_dir: bool) -> Option<Rule> {
        let Ignore { paths, names, suffixes, patterns } = &self.ignore;
        if let Some(name) = path.split('/').find(|c| names.contains(*c)) {
            return Some(Rule::Name(name.to_owned()));
        }
        if !paths.is_empty() {
            let above = path.match_indices('/').map(|(at, _)| &path[..at]);
            if let Some(path) = above.chain([path]).find(|path| paths.contains(*path)) {
                return Some(Rule::Path(path.to_owned()));
            }
        }
        if is_dated_backup(path) {
            return Some(Rule::Backup);
        }
        let suffix = || suffixes.iter().find(|suffix| path.ends_with(suffix.as_str()));
        if let Some(suffix) = if is_dir { None } else { suffix() } {
            return Some(Rule::Suffix(suffix.clone()));
        }
        patterns.line_for(path, is_dir).map(Rule::Line)
    }
}

/// Why a path is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// This path stands in `ignore.paths`.
    Path(String),
    /// This name stands in `ignore.names`.
    Name(String),
    /// This ending stands in `ignore.suffixes`.
    Suffix(String),
    /// This line of `.dsgignore`, counted from 1.
    Line(usize),
    /// It is a backup of an earlier tool.
    Backup,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "ignored by ignore.paths: {path}"),
            Self::Name(name) => write!(f, "ignored by ignore.names: {name}"),
            Self::Suffix(suffix) => write!(f, "ignored by ignore.suffixes: {suffix}"),
            Self::Line(line) => write!(f, "ignored by .dsgignore line {line}"),
            Self::Backup => f.write_str("a dated backup of another file"),
        }
    }
}

/// `NAME~YYYYMMDDTHHMMSS±ZZZZ~`, as an earlier tool named its backups.
fn is_dated_backup(path: &str) -> bool {
    let Some((_, stamp)) = path.strip_suffix('~').and_then(|p| p.rsplit_once('~')) else {
        return false;
    };
    let b = stamp.as_bytes();
    b.len() == 20
        && b.iter().enumerate().all(|(i, c)| match i {
            8 => *c == b'T',
            15 => matches!(c, b'+' | b'-'),
            _ => c.is_ascii_digit(),
        })
}

/// Whether a path takes part, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// It is data.
    Tracked,
    /// A component starts with a dot.
    Hidden,
    /// A rule of `ignore` names it.
    Ignored,
    /// It lies in no data directory; a directory may still hold one.
    OutsideData,
}
