//! What a repository's members share: its name, which folders are data, what is ignored.
//!
//! Owns the shared configuration as a value (it travels in every snapshot's header), its YAML view
//! `.dsgconfig.yml`, its three-way merge, and the rules that decide whether a path is tracked.

mod lines;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::path::RepoPath;

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
}

impl Default for Ignore {
    fn default() -> Self {
        Self { paths: BTreeSet::new(), names: default_names(), suffixes: default_suffixes() }
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

/// Keys of other tools' formats that may stand beside ours and are left alone.
const FOREIGN: [&str; 5] = ["repository", "transport", "ssh", "rclone", "ipfs"];

impl SharedConfig {
    /// A new project's configuration.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), data_dirs: default_data_dirs(), ignore: Ignore::default() }
    }

    /// Reads the YAML view.
    ///
    /// # Errors
    /// What is wrong, with line and column where the parser gives them.
    pub fn from_yaml(text: &str) -> Result<Self, ConfigError> {
        let syntax = |e: serde_norway::Error| ConfigError::Syntax(e.to_string());
        let known: serde_norway::Mapping = serde_norway::from_str(text).map_err(syntax)?;
        for key in known.keys().filter_map(|k| k.as_str()) {
            if !["name", "data_dirs", "ignore"].contains(&key) && !FOREIGN.contains(&key) {
                let why = format!("the key {key:?} is not known (name, data_dirs and ignore are)");
                return Err(ConfigError::Syntax(why));
            }
        }
        let config: Self = serde_norway::from_str(text).map_err(syntax)?;
        config.checked()
    }

    /// The YAML view, as a person would write it.
    ///
    /// # Errors
    /// A value that YAML cannot hold.
    pub fn to_yaml(&self) -> Result<String, ConfigError> {
        serde_norway::to_string(self).map_err(|e| ConfigError::Syntax(e.to_string()))
    }

    /// As [`SharedConfig::to_yaml`], in the place of `old`: only the lines change that must, and if
    /// `old` is written in a way that does not allow it, at least the keys of other tools stay.
    ///
    /// # Errors
    /// `old` is no YAML mapping; a value that YAML cannot hold.
    pub fn to_yaml_over(&self, old: &str) -> Result<String, ConfigError> {
        if let Some(text) = lines::edited(old, self) {
            return Ok(text);
        }
        let syntax = |e: serde_norway::Error| ConfigError::Syntax(e.to_string());
        let old: Option<serde_norway::Mapping> = serde_norway::from_str(old).map_err(syntax)?;
        let own = serde_norway::to_value(self).map_err(syntax)?;
        let mut merged = old.unwrap_or_default();
        if let serde_norway::Value::Mapping(own) = own {
            merged.extend(own);
        }
        serde_norway::to_string(&merged).map_err(syntax)
    }

    /// Proves the values, with slashes at the end of ignored paths taken off.
    ///
    /// # Errors
    /// The first value that means nothing.
    pub fn checked(mut self) -> Result<Self, ConfigError> {
        let bad = |key, why: String| Err(ConfigError::Value { key, why });
        if self.name.trim().is_empty()
            || self.name.len() > 255
            || self.name.contains(['/', '\0', '\n'])
        {
            return bad(
                "name",
                format!("{:?} is not a name of 1 to 255 bytes without '/'", self.name),
            );
        }
        if self.data_dirs.is_empty() {
            return bad(
                "data_dirs",
                "no folder is named, so nothing would be tracked ('*' tracks all)".into(),
            );
        }
        for dir in self.data_dirs.iter().filter(|d| *d != "*") {
            if dir.contains('/') {
                return bad(
                    "data_dirs",
                    format!("{dir:?} is a path; a folder's name, valid at any depth, is meant"),
                );
            }
            if let Err(e) = RepoPath::parse(dir) {
                return bad("data_dirs", e.to_string());
            }
        }
        self.ignore.paths =
            self.ignore.paths.iter().map(|p| p.trim_end_matches('/').to_owned()).collect();
        if let Some(path) = self
            .ignore
            .paths
            .iter()
            .find(|p| p.is_empty() || p.starts_with('/') || p.split('/').any(|c| c == ".."))
        {
            return bad("ignore.paths", format!("{path:?} is not a path below the project's root"));
        }
        if self
            .ignore
            .names
            .iter()
            .chain(&self.ignore.suffixes)
            .any(|n| n.is_empty() || n.contains('/'))
        {
            return bad("ignore", "a name or suffix is empty or contains '/'".into());
        }
        Ok(self)
    }

    /// Three-way merge: each side's additions and removals count; where both set the name
    /// differently, ours stands.
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
            },
        }
    }

    /// What both have: the base for two that have none. Merged with it, neither side seems to have
    /// removed what only the other has; the name is theirs.
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
            },
        }
    }

    /// What becomes of the directory at `path` (components joined by `/`, as on disk).
    pub fn directory(&self, path: &str) -> Tracking {
        self.excluded(path).unwrap_or(if self.is_data(path) {
            Tracking::Tracked
        } else {
            Tracking::OutsideData
        })
    }

    /// What becomes of the file or link at `path`.
    pub fn file(&self, path: &str) -> Tracking {
        if let Some(excluded) = self.excluded(path) {
            return excluded;
        }
        if self.ignore.suffixes.iter().any(|s| path.ends_with(s.as_str())) {
            return Tracking::Ignored;
        }
        if self.is_data(path) { Tracking::Tracked } else { Tracking::OutsideData }
    }

    fn is_data(&self, path: &str) -> bool {
        self.data_dirs.contains("*") || path.split('/').any(|c| self.data_dirs.contains(c))
    }

    fn excluded(&self, path: &str) -> Option<Tracking> {
        if path.split('/').any(|c| c.starts_with('.')) {
            return Some(Tracking::Hidden);
        }
        let by_name = path.split('/').any(|c| self.ignore.names.contains(c));
        let by_path = !self.ignore.paths.is_empty()
            && (self.ignore.paths.contains(path)
                || path.match_indices('/').any(|(at, _)| self.ignore.paths.contains(&path[..at])));
        (by_name || by_path || is_dated_backup(path)).then_some(Tracking::Ignored)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_rules() {
        let config = SharedConfig::new("p");
        for (path, expected) in [
            ("input/a.csv", Tracking::Tracked),
            ("task/clean/output/a.csv", Tracking::Tracked),
            ("src/a.py", Tracking::OutsideData),
            ("input/.hidden/a", Tracking::Hidden),
            (".git/input/a", Tracking::Hidden),
            ("input/__pycache__/a", Tracking::Ignored),
            ("input/a.pyc", Tracking::Ignored),
            ("input/a.csv~20240131T235959+0100~", Tracking::Ignored),
            ("inputs/a", Tracking::OutsideData),
        ] {
            assert_eq!(config.file(path), expected, "{path}");
        }
        assert_eq!(config.directory("task"), Tracking::OutsideData);
        let mut all = SharedConfig::new("p");
        all.data_dirs = ["*".to_owned()].into();
        all.ignore.paths = ["a/scratch".to_owned()].into();
        assert_eq!(all.file("a/scratch/x/y"), Tracking::Ignored);
        assert_eq!(all.file("a/scratchy"), Tracking::Tracked);
    }

    #[test]
    fn yaml_round_trips_and_broken_yaml_says_where() {
        let config = SharedConfig::new("my project");
        assert_eq!(SharedConfig::from_yaml(&config.to_yaml().unwrap()), Ok(config));
        let legacy = "name: p\nrepository: {type: zfs, host: server, pool: tank, mountpoint: /tank}\ndata_dirs: [input]\nignore: {paths: [a/b/]}\n";
        let read = SharedConfig::from_yaml(legacy).unwrap();
        let rewritten = read.to_yaml_over(legacy).unwrap();
        assert!(rewritten.contains("pool: tank"), "{rewritten}");
        assert_eq!(SharedConfig::from_yaml(&rewritten), Ok(read.clone()));
        assert!(read.ignore.paths.contains("a/b") && read.ignore.names.contains("__pycache__"));
        for broken in [
            "name: [",
            "data_dirs: [input]",
            "name: p\ndata_dirs: []",
            "name: p\ndata_dirs: [a/b]",
            "name: p\ndatadirs: [x]",
            "name: p\nignore: {path: [x]}",
            "name: p\nignore: {paths: [../x]}",
            "",
            "- a",
        ] {
            let error = SharedConfig::from_yaml(broken).unwrap_err();
            assert!(!error.to_string().is_empty(), "{broken}");
        }
        assert!(
            SharedConfig::from_yaml("name: p\ndata_dirs: {a: 1}")
                .unwrap_err()
                .to_string()
                .contains("line")
        );
    }

    #[test]
    fn comments_and_order_outlive_a_change_and_only_touched_lines_change() {
        let old = "\
# Who may be asked: the data desk.
ignore:
  suffixes:   # scratch
    - '.tmp'  # editors
    - .pyc
  names: [__pycache__]
  paths:
  - input/big/  # too large
  - output/old

ssh: {host: server}   # another tool's
name: survey
data_dirs:
# raw
- input
# made from it
- output
";
        let mut config = SharedConfig::from_yaml(old).unwrap();
        assert_eq!(config.to_yaml_over(old).unwrap(), old);
        config.name = "survey: 2".into();
        config.data_dirs = owned(["input", "figures", "*"]);
        config.ignore.suffixes = owned([".tmp", ".bak"]);
        config.ignore.paths = owned(["input/big", "input/scratch"]);
        let expected = old
            .replace("name: survey\n", "name: 'survey: 2'\n")
            .replace("- output\n", "- '*'\n- figures\n")
            .replace("    - .pyc\n", "    - .bak\n")
            .replace("  - output/old\n", "  - input/scratch\n");
        assert_eq!(config.to_yaml_over(old).unwrap(), expected);
        // Written in another style, it is written anew, and says the same.
        config.ignore.names = owned(["x"]);
        let anew = config.to_yaml_over(old).unwrap();
        assert!(anew.contains("host: server") && !anew.contains('#'), "{anew}");
        assert_eq!(SharedConfig::from_yaml(&anew), Ok(config));
    }

    #[test]
    fn merging_keeps_both_sides_work() {
        let base = SharedConfig::new("p");
        let (mut ours, mut theirs) = (base.clone(), base.clone());
        ours.data_dirs.insert("figures".into());
        ours.data_dirs.remove("frozen");
        theirs.ignore.suffixes.insert(".bak".into());
        theirs.name = "q".into();
        let merged = SharedConfig::merge(&base, &ours, &theirs);
        assert_eq!(merged.name, "q");
        assert_eq!(merged.data_dirs, owned(["figures", "input", "output"]));
        assert!(merged.ignore.suffixes.contains(".bak"));
        // Two that never met: nothing of either side is lost.
        let base = SharedConfig::common(&ours, &theirs);
        let merged = SharedConfig::merge(&base, &ours, &theirs);
        assert_eq!(merged.name, "q");
        assert_eq!(merged.data_dirs, owned(["figures", "frozen", "input", "output"]));
        assert!(merged.ignore.suffixes.contains(".bak"));
    }
}
