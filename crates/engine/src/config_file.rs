//! `.dsgconfig.yml` and `.dsgignore` on disk: the view of the shared configuration that people edit.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use dsg_core::config::{Patterns, ProjectConfig, SharedConfig};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_fs::dir::Dir;

use crate::areas::DOT_DSG;
use crate::user_config::{text_of, unusable};

/// Its name in the project's root.
pub const NAME: &str = ".dsgconfig.yml";

/// The name of the file of patterns there.
pub const IGNORE: &str = ".dsgignore";

/// Whether a path from the project's root is one of these: a change of it changes what is tracked.
pub fn is_one(path: &str) -> bool {
    path == NAME || path == IGNORE
}

/// What there was before it.
pub(crate) const OLDEST: &str = ".dsg/config.yml";

/// Reads it, with the patterns beside it; `None` if there is none.
///
/// # Errors
/// [`Code::Config`] with all that is wrong and where, or it cannot be read.
pub fn read(root: &Path) -> Outcome<Option<SharedConfig>> {
    let path = root.join(NAME);
    let Some(text) = text_of(&path)? else { return Ok(None) };
    let read = SharedConfig::from_yaml(&text).map_err(|broken| unusable(&path, &broken))?;
    with_patterns(root, read).map(Some)
}

/// A configuration with the patterns that stand in a folder.
///
/// # Errors
/// As [`read`].
pub fn with_patterns(root: &Path, mut config: SharedConfig) -> Outcome<SharedConfig> {
    let path = root.join(IGNORE);
    let read = text_of(&path)?.map(|text| Patterns::read(&text)).transpose();
    let patterns = read.map_err(|broken| unusable(&path, &broken))?;
    config.ignore.patterns = patterns.unwrap_or_default();
    Ok(config)
}

/// Reads what there was before it; `None` if there is none.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_oldest(root: &Path) -> Outcome<Option<SharedConfig>> {
    let path = root.join(OLDEST);
    let text = text_of(&path)?;
    let read = text.map(|text| ProjectConfig::read_oldest(&text)).transpose();
    let read = read.map_err(|broken| unusable(&path, &broken))?;
    read.map(|config| with_patterns(root, config.shared)).transpose()
}

/// The configuration of the project that `start` lies in: its file there, or in the nearest folder above.
pub(crate) fn find(start: &Path) -> Option<PathBuf> {
    let files = start.ancestors().flat_map(|dir| [dir.join(NAME), dir.join(OLDEST)]);
    { files }.find(|file| file.is_file())
}

/// What it says, in whichever format, and the project's folder.
///
/// # Errors
/// As [`read`].
pub(crate) fn nearest(start: &Path) -> Outcome<Option<(PathBuf, ProjectConfig)>> {
    let Some(file) = find(start) else { return Ok(None) };
    let oldest = file.ends_with(OLDEST);
    let read = if oldest { ProjectConfig::read_oldest } else { ProjectConfig::read };
    let text = text_of(&file)?.unwrap_or_default();
    let config = read(&text).map_err(|broken| unusable(&file, &broken))?;
    let folder = folder_of(&file).unwrap_or(start);
    Ok(Some((folder.to_owned(), config)))
}

/// The folder of the project whose configuration a file is.
pub(crate) fn folder_of(file: &Path) -> Option<&Path> {
    file.ancestors().nth(if file.ends_with(OLDEST) { 2 } else { 1 })
}

/// The failure where there is none.
pub(crate) fn none(start: &Path) -> Failure {
    let message = format!("There is no {NAME} in {} or above.", start.display());
    Failure::new(Code::NotAProject, message).hint(
        "dsg init ADDRESS makes a project of this folder; dsg clone ADDRESS makes a copy of one.",
    )
}

/// Puts `config` in place of what was `seen` there; keys of other tools stay, and the former files
/// go to the transaction's trash. Gives whether `config` stands there now: not if a person changed
/// a file meanwhile, whose version then stays.
///
/// # Errors
/// It cannot be written; the old one stands.
pub(crate) fn replace(
    root: &Dir,
    transaction: &str,
    seen: Option<&SharedConfig>,
    config: &SharedConfig,
) -> Outcome<bool> {
    let yaml = View { name: NAME, waiting: "config" };
    let stands = yaml.put(root, transaction, |old| match old.map(SharedConfig::from_yaml) {
        Some(Ok(standing)) if standing.is_viewed_as(config) => Ok(Put::Stands),
        Some(Ok(standing)) if seen.is_none_or(|seen| !standing.is_viewed_as(seen)) => {
            Ok(Put::Other)
        }
        None if seen.is_some() => Ok(Put::Other),
        Some(Err(_)) => Ok(Put::Other),
        _ => {
            let text = config.to_yaml_over(old.unwrap_or_default());
            text.map(Put::Text).map_err(|e| unwritable(&root.at(NAME), &e.to_string()))
        }
    })?;
    let ignore = View { name: IGNORE, waiting: "ignore" };
    let (was, is) = (seen.map(|seen| &seen.ignore.patterns), &config.ignore.patterns);
    let ignored = ignore.put(root, transaction, |old| {
        let standing = old.map_or_else(|| Ok(Patterns::default()), Patterns::read);
        Ok(match standing {
            Ok(standing) if standing == *is => Put::Stands,
            Ok(standing) if Some(&standing) == was => Put::Text(is.text()),
            // It came from nobody, and is for whoever has the repository.
            Ok(_) if old.is_none() && was.is_none() => Put::Text(is.text()),
            _ => Put::Other,
        })
    })?;
    Ok(stands && ignored)
}

/// Puts a text of a person's in place of what was `seen` there. The former file goes to the transaction's
/// trash. Gives whether it stands there now: not if the file is not what was seen.
///
/// # Errors
/// It cannot be written; the old one stands.
pub(crate) fn put(root: &Dir, transaction: &str, seen: Option<&str>, text: &str) -> Outcome<bool> {
    let view = View { name: NAME, waiting: "config" };
    view.put(root, transaction, |old| {
        Ok(match old {
            old if old != seen => Put::Other,
            Some(old) if old == text => Put::Stands,
            _ => Put::Text(text.to_owned()),
        })
    })
}

/// A file that shows the configuration; its successor waits, and it comes out, under a name in `.dsg`.
#[derive(Clone, Copy)]
struct View {
    name: &'static str,
    waiting: &'static str,
}

/// What shall become of it.
enum Put {
    /// It says already what it shall.
    Stands,
    /// It says what a person wrote meanwhile.
    Other,
    /// This.
    Text(String),
}

impl View {
    fn put(
        self,
        root: &Dir,
        transaction: &str,
        decide: impl FnOnce(Option<&str>) -> Outcome<Put>,
    ) -> Outcome<bool> {
        // An earlier run was cut off with something of a person's in its hands.
        self.keep_in_trash(root, transaction)?;
        let mut mode = 0o644;
        let old = match root.open_file(self.name) {
            Ok(mut file) => {
                if let Ok(is) = file.metadata() {
                    mode = is.permissions().mode() & 0o777;
                }
                let mut text = String::new();
                let read = std::io::Read::read_to_string(&mut file, &mut text);
                read.map_err(|e| Failure::io("read", root.at(self.name), e))?;
                Some(text)
            }
            Err(e) if e.is_absent() => None,
            Err(e) => return Err(e.into()),
        };
        let text = match decide(old.as_deref())? {
            Put::Stands => return Ok(true),
            Put::Other => return Ok(false),
            Put::Text(text) => text,
        };
        let waiting = self.waiting();
        root.open_beneath(DOT_DSG)?.write_atomically(self.waiting, text.as_bytes(), mode)?;
        let Some(old) = old else {
            return match root.rename_noreplace(&waiting, root, self.name) {
                Ok(()) => Ok(true),
                Err(e) if e.is_present() => {
                    root.remove_file(&waiting).map(|()| false).map_err(Into::into)
                }
                Err(e) => Err(e.into()),
            };
        };
        root.exchange(&waiting, root, self.name)?;
        let came_out = std::fs::read(root.at(&waiting))
            .map_err(|e| Failure::io("read", root.at(&waiting), e))?;
        if came_out != old.as_bytes() {
            root.exchange(&waiting, root, self.name)?;
        }
        self.keep_in_trash(root, transaction)?;
        Ok(came_out == old.as_bytes())
    }

    fn waiting(self) -> String {
        format!("{DOT_DSG}/{}", self.waiting)
    }

    fn keep_in_trash(self, root: &Dir, transaction: &str) -> Outcome<()> {
        let (waiting, name) = (self.waiting(), self.name);
        if root.stat(&waiting)?.is_none() {
            return Ok(());
        }
        let trash = format!(".dsg/trash/{transaction}");
        root.ensure_dirs(&trash, Some(0o700))?;
        for n in 1..100 {
            let name =
                if n == 1 { format!("{trash}/{name}") } else { format!("{trash}/{name} ({n})") };
            match root.rename_noreplace(&waiting, root, &name) {
                Err(e) if e.is_present() => {}
                other => return Ok(other?),
            }
        }
        Ok(())
    }
}

fn unwritable(path: &Path, why: &str) -> Failure {
    Failure::new(Code::Config, format!("{} cannot be used: {why}.", path.display()))
        .hint("Correct the file and try again; nothing was changed.")
}
