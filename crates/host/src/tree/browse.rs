//! What stands on this host: folders, and which of them are repositories. Changes nothing, but that a
//! repository that is looked at is opened, and finishes by that what was interrupted in it.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::places::{Around, Folder, Listed};
use dsg_fs::dir::Dir;
use dsg_fs::stat::Kind;

use super::layout::{FACTS, OURS, side_name};
use super::legacy;
use super::store::TreeStore;

/// No more folders of one folder are shown.
const MOST_SHOWN: usize = 5_000;
/// Repositories are looked for in folders of folders, so often.
const DEPTH: usize = 4;
/// And in no more folders than these.
const MOST_LOOKED: usize = 50_000;
/// What at the top of a file system holds no data.
const NO_DATA: [&str; 4] = ["dev", "proc", "run", "sys"];

/// The folders in a folder (the account's home if none is named), by name. Hidden ones are left out.
///
/// # Errors
/// It is not there, may not be read, or is no folder; what `each` gives.
pub fn folders(
    path: Option<&Path>,
    monitor: &Monitor,
    each: &mut dyn FnMut(Folder) -> Outcome<()>,
) -> Outcome<Around> {
    let (path, dir) = open(path)?;
    let here = Names::of(&dir)?;
    let complete = here.folders.len() <= MOST_SHOWN;
    for name in here.folders.iter().take(MOST_SHOWN) {
        monitor.check()?;
        let is_one = here.repositories.contains(name);
        let repository = if is_one { look(&path.join(name)) } else { None };
        each(Folder { name: name.clone(), repository })?;
    }
    Ok(Around { path: text(&path)?, writable: dir.check_writable().is_ok(), complete })
}

/// The repositories in a folder (the account's home if none is named) and in the folders below it, down
/// to a depth of four; also that folder itself, if it is one.
///
/// # Errors
/// As [`folders`].
pub fn repositories(
    path: Option<&Path>,
    monitor: &Monitor,
    each: &mut dyn FnMut(Listed) -> Outcome<()>,
) -> Outcome<Around> {
    let (path, dir) = open(path)?;
    let mut around =
        Around { path: text(&path)?, writable: dir.check_writable().is_ok(), complete: true };
    if let Some(name) = path.file_name().and_then(|name| name.to_str())
        && let Some(above) = path.parent()
        && Dir::open(above).is_ok_and(|above| is_repository(&above, name))
        && let Some(itself) = look(&path)
    {
        each(itself)?;
        return Ok(around);
    }
    let mut left = VecDeque::from([(path, 1)]);
    let mut looked = 0;
    while let Some((path, depth)) = left.pop_front() {
        monitor.check()?;
        looked += 1;
        if looked > MOST_LOOKED {
            around.complete = false;
            break;
        }
        // What may not be read is not searched: it is nobody's mistake.
        let Ok(here) = Dir::open(&path).map_err(Failure::from).and_then(|dir| Names::of(&dir))
        else {
            continue;
        };
        for name in &here.repositories {
            if let Some(found) = look(&path.join(name)) {
                each(found)?;
            }
        }
        let below = here.own.iter().filter(|name| !here.repositories.contains(*name));
        let at_top = path.parent().is_none();
        for name in below.filter(|name| !(at_top && NO_DATA.contains(&name.as_str()))) {
            if depth < DEPTH {
                left.push_back((path.join(name), depth + 1));
            } else {
                around.complete &= !may_hold_more(&path.join(name));
            }
        }
    }
    Ok(around)
}

/// What a folder holds, hidden names left out.
struct Names {
    /// Folders, and links to folders.
    folders: BTreeSet<String>,
    /// Folders that are no links.
    own: BTreeSet<String>,
    /// Names of repositories, whether their trees are there or not.
    repositories: BTreeSet<String>,
}

impl Names {
    fn of(dir: &Dir) -> Outcome<Self> {
        let mut names =
            Self { folders: BTreeSet::new(), own: BTreeSet::new(), repositories: BTreeSet::new() };
        for entry in dir.list()? {
            // An address is text.
            let Some(name) = entry.name.to_str() else { continue };
            let kind = match entry.kind {
                Some(kind) => Some(kind),
                None => dir.stat(name)?.map(|stat| stat.kind),
            };
            if let Some(inner) = name.strip_prefix('.') {
                let named = inner.strip_suffix(".dsg").filter(|named| !named.is_empty());
                if let Some(named) = named.filter(|named| is_repository(dir, named)) {
                    names.repositories.insert(named.to_owned());
                }
                continue;
            }
            match kind {
                Some(Kind::Dir) => {
                    if is_repository(dir, name) {
                        names.repositories.insert(name.to_owned());
                    }
                    names.own.insert(name.to_owned());
                    names.folders.insert(name.to_owned());
                }
                Some(Kind::Link) if dir.at(name).is_dir() => {
                    names.folders.insert(name.to_owned());
                }
                _ => {}
            }
        }
        names.folders.extend(names.repositories.iter().cloned());
        Ok(names)
    }
}

/// Whether a sidecar, or what is ours within a dataset, says so, or what the earlier DSG kept.
fn is_repository(above: &Dir, name: &str) -> bool {
    let has_facts = |side: &Path| matches!(above.stat(side.join(FACTS)), Ok(Some(_)));
    has_facts(Path::new(&side_name(name)))
        || has_facts(&Path::new(name).join(OURS))
        || legacy::is_there(above, name)
}

/// Whether folders lie in it.
fn may_hold_more(path: &Path) -> bool {
    let names = Dir::open(path).map_err(Failure::from).and_then(|dir| Names::of(&dir));
    names.is_ok_and(|names| !names.folders.is_empty())
}

/// A repository at a glance; `None` if there is none any more.
fn look(path: &Path) -> Option<Listed> {
    let at = path.to_str()?.to_owned();
    let opened = TreeStore::open(path).and_then(|store| {
        let head = store.newest();
        // A tree that is gone is no repository's any more, whatever its records say.
        std::fs::read_dir(path).map_err(|e| Failure::io("read the files of", path, e))?;
        Ok((store.info(), head?))
    });
    match opened {
        Ok((info, head)) => {
            Some(Listed { path: at, info: Some(info), head: head.map(Box::new), trouble: None })
        }
        Err(failure) if failure.code == Code::NoRepository => None,
        Err(failure) => Some(Listed::unreadable(at, &failure)),
    }
}

/// The folder, under its one true path.
fn open(path: Option<&Path>) -> Outcome<(PathBuf, Dir)> {
    let path = match path {
        Some(path) if path.is_absolute() => path.to_owned(),
        Some(path) => {
            let message = format!("{} is not an absolute path.", path.display());
            return Err(Failure::new(Code::Usage, message).hint("Begin it with a slash."));
        }
        None => home()?,
    };
    let found = std::fs::canonicalize(&path).and_then(|found| {
        if found.is_dir() { Ok(found) } else { Err(std::io::ErrorKind::NotADirectory.into()) }
    });
    let found = found.map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::new(Code::NotFound, format!("There is no folder {}.", path.display()))
                .hint("Check how it is written.")
                .because(e)
        }
        std::io::ErrorKind::NotADirectory => {
            Failure::new(Code::NotFound, format!("{} is no folder.", path.display())).because(e)
        }
        _ => Failure::io("open the folder", &path, e),
    })?;
    let dir = Dir::open(&found)?;
    Ok((found, dir))
}

fn home() -> Outcome<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    home.ok_or_else(|| {
        Failure::new(Code::NotFound, "This account has no home folder.").hint("Name a folder.")
    })
}

fn text(path: &Path) -> Outcome<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::new(Code::Usage, format!("The path {} is no text (UTF-8).", path.display()))
            .hint("No address can name a repository there: choose another folder.")
    })
}
