//! What a first sync of a folder would take, before there is a project: what is synced, what is left alone
//! and by which rule, and which names are a problem.
//!
//! Told again and again while the folder is looked at, so that its first lines are there at once whatever it
//! holds. Memory does not grow with the folder: of each kind a few examples are kept, the rest is counted.
//! Nothing is read but names and sizes, and nothing is written.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dsg_core::config::{SharedConfig, Tracking};
use dsg_core::entry::LinkTarget;
use dsg_core::failure::Outcome;
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_fs::dir::Dir;
use dsg_fs::stat::{Kind, Stat};
use dsg_fs::walk::{Pace, Step, Take, Twin, Walk, What};

use crate::config_file;
use crate::project::first_config;
use crate::scan::problem;

/// Paths that are shown of each kind.
pub const EXAMPLES: usize = 8;
/// Problems that are shown.
pub const PROBLEMS: usize = 100;
/// Folders at the top that are told apart.
const FOLDERS: usize = 1000;
/// So often it is told.
const EVERY: Duration = Duration::from_millis(100);

/// Files of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first of them.
    pub examples: Vec<String>,
}

/// A path that a sync would leave out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// From the folder.
    pub path: String,
    /// Why.
    pub sentence: String,
    /// A legal name, where that helps.
    pub offer: Option<String>,
}

/// What is known so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// What is synced.
    pub synced: Share,
    /// What lies in data folders and is left alone, by the rule that says so.
    pub ignored: BTreeMap<String, Share>,
    /// What lies outside the data folders.
    pub outside: Share,
    /// Files and folders that begin with a dot; what is in them is not counted.
    pub hidden: u64,
    /// What cannot be synced as it is.
    pub troubles: Vec<Trouble>,
    /// How many of them there are.
    pub troubled: u64,
    /// Folders at the top, with what would be synced if each were data.
    pub folders: BTreeMap<String, (u64, u64)>,
    /// Everything was looked at.
    pub complete: bool,
}

/// The rules of a project that would be made of the folder `root`: what stands there, with these data
/// folders; with none, those that it would have then.
///
/// # Errors
/// [`Code::Config`](dsg_core::failure::Code::Config): what stands there cannot be used, or a name is none.
pub fn rules(root: &Path, data_dirs: &[String]) -> Outcome<SharedConfig> {
    let seen = config_file::read(root)?;
    first_config(root, None, data_dirs, seen.as_ref(), &Monitor::silent())
}

/// Looks at the folder `root`, and tells what is known so far: at once, then ten times a second, and at the
/// end.
///
/// # Errors
/// The folder cannot be opened; the look was stopped.
pub fn look(
    root: &Path,
    rules: &SharedConfig,
    monitor: &Monitor,
    tell: &mut dyn FnMut(&Outlook),
) -> Outcome<Outlook> {
    let dir = Dir::open(root)?;
    let mut all = rules.clone();
    all.data_dirs = ["*".to_owned()].into();
    let mut view = View { dir: &dir, rules, all, found: Outlook::default(), last: Vec::new() };
    let take: Arc<Take> = {
        let rules = rules.clone();
        Arc::new(move |path, kind| {
            let path = path.to_string_lossy();
            let tracking =
                if kind == Kind::Dir { rules.directory(&path) } else { rules.file(&path) };
            // What is in a hidden folder is nobody's business; that it is there is told.
            tracking != Tracking::Hidden || is_first_hidden(&path)
        })
    };
    let mut walk = Walk::new(&dir, Path::new(""), take, Pace::default())?;
    let mut told = Instant::now();
    tell(&view.found);
    while let Some(step) = walk.next() {
        monitor.check()?;
        view.take(step);
        if told.elapsed() >= EVERY {
            tell(&view.found);
            told = Instant::now();
        }
    }
    view.found.complete = true;
    tell(&view.found);
    Ok(view.found)
}

/// Whether of all components of a path only the last begins with a dot.
fn is_first_hidden(path: &str) -> bool {
    let above = path.rsplit_once('/').map_or("", |(above, _)| above);
    !above.split('/').any(|component| component.starts_with('.'))
}

struct View<'v> {
    dir: &'v Dir,
    rules: &'v SharedConfig,
    /// The rules as if everything were data.
    all: SharedConfig,
    found: Outlook,
    /// What was last told as trouble, with all below; as the system has it, since names that are no
    /// text look alike.
    last: Vec<u8>,
}

impl View<'_> {
    fn take(&mut self, step: &Step) {
        let path = step.path().to_string_lossy().into_owned();
        let is_dir = step.is_dir();
        let tracking = if is_dir { self.rules.directory(&path) } else { self.rules.file(&path) };
        if tracking == Tracking::Hidden {
            self.found.hidden += u64::from(is_first_hidden(&path));
            return;
        }
        if is_dir && !path.contains('/') && self.found.folders.len() < FOLDERS {
            self.found.folders.entry(path.clone()).or_default();
        }
        let stat = match &step.what {
            What::Leaf(stat) => Some(stat),
            What::Dir { .. } => None,
            What::Hole { error, .. } => {
                if tracking == Tracking::Tracked {
                    self.trouble(&path, problem::unreadable(error).1, None);
                }
                return;
            }
        };
        let size = stat.map_or(0, |stat| if stat.kind == Kind::File { stat.size } else { 0 });
        if stat.is_some() && self.all.file(&path) == Tracking::Tracked {
            let top = path.split_once('/').and_then(|(top, _)| self.found.folders.get_mut(top));
            if let Some((files, bytes)) = top {
                *files += 1;
                *bytes += size;
            }
        }
        match (tracking, stat) {
            (Tracking::Ignored, Some(_)) if self.is_data(&path) => {
                let rule =
                    self.rules.rule(&path, false).map_or_else(String::new, |r| r.to_string());
                self.found.ignored.entry(rule).or_default().add(&path, size);
            }
            (Tracking::Ignored | Tracking::OutsideData, Some(_)) => {
                self.found.outside.add(&path, size);
            }
            (Tracking::Tracked, stat) => {
                if self.last_covers(step.path().as_bytes()) {
                    return;
                }
                let sound = RepoPath::from_bytes(step.path().as_bytes());
                match (sound, stat) {
                    (Err(error), _) => {
                        let found = problem::illegal_name(&path, &error);
                        self.trouble(&found.path, found.sentence, found.offer);
                        if std::str::from_utf8(step.path().as_bytes()).is_err() {
                            step.path().as_bytes().clone_into(&mut self.last);
                        }
                    }
                    (Ok(_), _) if self.is_second(&path, step.twins.as_deref()) => {}
                    (Ok(legal), Some(stat)) => self.leaf(&legal, stat, size),
                    (Ok(_), None) => {}
                }
            }
            _ => {}
        }
    }

    fn leaf(&mut self, path: &RepoPath, stat: &Stat, size: u64) {
        let why = match stat.kind {
            Kind::Special => Some(problem::special()),
            Kind::Link => match self.dir.read_link(path.as_str()) {
                Ok(target) => LinkTarget::parse(path, &target.to_string_lossy())
                    .err()
                    .map(|error| problem::bad_link(&error)),
                Err(error) => Some(problem::unreadable(&error).1),
            },
            _ => None,
        };
        match why {
            Some(why) => self.trouble(path, why, None),
            None => self.found.synced.add(path, size),
        }
    }

    /// Whether a path lies in data, whatever is left alone there.
    fn is_data(&self, path: &str) -> bool {
        let dirs = &self.rules.data_dirs;
        dirs.contains("*") || path.split('/').any(|component| dirs.contains(component))
    }

    /// Of names that differ by case only, the first is synced.
    fn is_second(&mut self, path: &str, twins: Option<&[Twin]>) -> bool {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        let first = twins.into_iter().flatten().map(|twin| twin.name.as_str()).min();
        let Some(first) = first.filter(|first| *first != name) else { return false };
        self.trouble(path, problem::case(name, first), None);
        true
    }

    fn last_covers(&self, path: &[u8]) -> bool {
        let below = path.strip_prefix(self.last.as_slice());
        !self.last.is_empty() && below.is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
    }

    fn trouble(&mut self, path: &str, sentence: String, offer: Option<String>) {
        path.as_bytes().clone_into(&mut self.last);
        self.found.troubled += 1;
        if self.found.troubles.len() < PROBLEMS {
            self.found.troubles.push(Trouble { path: path.to_owned(), sentence, offer });
        }
    }
}

impl Share {
    fn add(&mut self, path: &str, size: u64) {
        self.files += 1;
        self.bytes += size;
        if self.examples.len() < EXAMPLES {
            self.examples.push(path.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use dsg_core::failure::Code;

    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "12345").unwrap();
        }
        dir
    }

    fn found(dir: &Path, data_dirs: &[&str]) -> Outlook {
        let dirs: Vec<String> = data_dirs.iter().map(|&dir| dir.to_owned()).collect();
        let rules = rules(dir, &dirs).unwrap();
        look(dir, &rules, &Monitor::silent(), &mut |_| {}).unwrap()
    }

    fn share(share: &Share) -> (u64, u64, Vec<&str>) {
        (share.files, share.bytes, share.examples.iter().map(String::as_str).collect())
    }

    #[test]
    fn what_would_be_synced_and_what_is_left_alone_by_which_rule() {
        let dir = folder(&[
            "input/a.csv",
            "input/deep/b.csv",
            "input/x.tmp",
            "input/__pycache__/c",
            "input/scratch/d",
            "src/input/e.csv",
            "src/main.py",
            "src/old.tmp",
            ".git/config",
            "input/.hidden/f",
            ".profile",
        ]);
        std::fs::write(dir.path().join(".dsgignore"), "# ours\nscratch/\n").unwrap();
        let outlook = found(dir.path(), &["input"]);
        assert!(outlook.complete);
        assert_eq!(
            share(&outlook.synced),
            (3, 15, vec!["input/a.csv", "input/deep/b.csv", "src/input/e.csv"])
        );
        let ignored: Vec<_> = outlook.ignored.iter().map(|(r, s)| (r.as_str(), share(s))).collect();
        assert_eq!(
            ignored,
            [
                ("ignored by .dsgignore line 2", (1, 5, vec!["input/scratch/d"])),
                ("ignored by ignore.names: __pycache__", (1, 5, vec!["input/__pycache__/c"])),
                ("ignored by ignore.suffixes: .tmp", (1, 5, vec!["input/x.tmp"])),
            ]
        );
        assert_eq!(share(&outlook.outside), (2, 10, vec!["src/main.py", "src/old.tmp"]));
        assert_eq!(outlook.hidden, 4);
        let folders: Vec<_> = outlook.folders.iter().map(|(n, sum)| (n.as_str(), *sum)).collect();
        assert_eq!(folders, [("input", (2, 10)), ("src", (2, 10))]);
        // Whatever else is chosen, all of it is data.
        let all = found(dir.path(), &["*"]);
        assert_eq!((all.synced.files, all.outside.files), (4, 0));
    }

    #[test]
    fn names_that_are_a_problem_come_with_the_legal_one_and_a_folder_of_them_once() {
        let dir =
            folder(&["data/a:b/1", "data/a:b/2", "data/nul", "data/X.csv", "data/x.csv", "ok"]);
        symlink("/etc/passwd", dir.path().join("data/link")).unwrap();
        let outlook = found(dir.path(), &["*"]);
        let told: Vec<(&str, Option<&str>)> =
            outlook.troubles.iter().map(|t| (t.path.as_str(), t.offer.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("data/a:b", Some("data/a_b")),
                ("data/link", None),
                ("data/nul", Some("data/nul_renamed")),
                ("data/x.csv", None),
            ]
        );
        assert_eq!((outlook.troubled, outlook.synced.files), (4, 2));
        assert!(outlook.troubles[3].sentence.contains("upper and lower case"));
    }

    #[test]
    fn names_in_another_encoding_are_counted_each() {
        use std::os::unix::ffi::OsStrExt as _;
        let dir = folder(&["data/ok"]);
        for name in [&b"\xe4.csv"[..], b"\xf6.csv", b"\xfc.csv"] {
            let path = dir.path().join("data").join(std::ffi::OsStr::from_bytes(name));
            std::fs::write(path, "12345").unwrap();
        }
        let outlook = found(dir.path(), &["*"]);
        assert_eq!((outlook.troubled, outlook.synced.files), (3, 1));
    }

    #[test]
    fn of_many_some_are_shown_all_are_counted_and_a_look_can_be_stopped() {
        let names: Vec<String> = (0..300).map(|n| format!("data/{n:03}:")).collect();
        let more: Vec<String> = (0..300).map(|n| format!("data/ok{n:03}")).collect();
        let files: Vec<&str> = names.iter().chain(&more).map(String::as_str).collect();
        let dir = folder(&files);
        let outlook = found(dir.path(), &["data"]);
        assert_eq!((outlook.troubled, outlook.troubles.len()), (300, PROBLEMS));
        assert_eq!((outlook.synced.files, outlook.synced.examples.len()), (300, EXAMPLES));
        let monitor = Monitor::silent();
        let mut told = 0;
        let stopped = look(dir.path(), &rules(dir.path(), &[]).unwrap(), &monitor, &mut |_| {
            told += 1;
            monitor.stop();
        });
        assert_eq!((stopped.unwrap_err().code, told), (Code::Cancelled, 1));
    }
}
