//! `.dsgconfig.yml` on disk: the view of the shared configuration that people edit.

use std::path::{Path, PathBuf};

use dsg_core::config::{ProjectConfig, SharedConfig};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_fs::dir::Dir;

use crate::areas::DOT_DSG;
use crate::user_config::{text_of, unusable};

/// Its name in the project's root.
pub const NAME: &str = ".dsgconfig.yml";

/// What there was before it.
pub(crate) const OLDEST: &str = ".dsg/config.yml";

/// Reads it; `None` if there is none.
///
/// # Errors
/// [`Code::Config`] with all that is wrong and where, or it cannot be read.
pub fn read(root: &Path) -> Outcome<Option<SharedConfig>> {
    let path = root.join(NAME);
    let text = text_of(&path)?;
    let read = text.map(|text| SharedConfig::from_yaml(&text)).transpose();
    read.map_err(|broken| unusable(&path, &broken))
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
    Ok(read.map(|config| config.shared))
}

/// The configuration of the project that `start` lies in: its file there, or in the nearest folder above.
pub(crate) fn find(start: &Path) -> Option<PathBuf> {
    let files = start.ancestors().flat_map(|dir| [dir.join(NAME), dir.join(OLDEST)]);
    { files }.find(|file| file.is_file())
}

/// The failure where there is none.
pub(crate) fn none(start: &Path) -> Failure {
    let message = format!("There is no {NAME} in {} or above.", start.display());
    Failure::new(Code::NotAProject, message).hint(
        "dsg init ADDRESS makes a project of this folder; dsg clone ADDRESS makes a copy of one.",
    )
}

/// Where a new one waits, and the old one comes out.
const WAITING: &str = ".dsg/config";

/// Puts `config` in place of what was `seen` there; keys of other tools stay, and the former file
/// goes to the transaction's trash. Gives whether `config` stands there now: not if a person changed
/// the file meanwhile, whose version then stays.
///
/// # Errors
/// It cannot be written; the old one stands.
pub(crate) fn replace(
    root: &Dir,
    transaction: &str,
    seen: Option<&SharedConfig>,
    config: &SharedConfig,
) -> Outcome<bool> {
    // An earlier run was cut off with something of a person's in its hands.
    keep_in_trash(root, transaction)?;
    let old = match root.open_file(NAME) {
        Ok(mut file) => {
            let mut text = String::new();
            let read = std::io::Read::read_to_string(&mut file, &mut text);
            read.map_err(|e| Failure::io("read", root.at(NAME), e))?;
            Some(text)
        }
        Err(e) if e.is_absent() => None,
        Err(e) => return Err(e.into()),
    };
    let standing = old.as_deref().map(SharedConfig::from_yaml);
    match &standing {
        Some(Ok(standing)) if standing == config => return Ok(true),
        Some(Ok(standing)) if Some(standing) == seen => {}
        None if seen.is_none() => {}
        _ => return Ok(false),
    }
    let text = config.to_yaml_over(old.as_deref().unwrap_or_default());
    let text = text.map_err(|e| unwritable(&root.at(NAME), &e.to_string()))?;
    root.open_beneath(DOT_DSG)?.write_atomically("config", text.as_bytes(), 0o644)?;
    let Some(old) = old else {
        return match root.rename_noreplace(WAITING, root, NAME) {
            Ok(()) => Ok(true),
            Err(e) if e.is_present() => {
                root.remove_file(WAITING).map(|()| false).map_err(Into::into)
            }
            Err(e) => Err(e.into()),
        };
    };
    root.exchange(WAITING, root, NAME)?;
    let came_out =
        std::fs::read(root.at(WAITING)).map_err(|e| Failure::io("read", root.at(WAITING), e))?;
    if came_out != old.as_bytes() {
        root.exchange(WAITING, root, NAME)?;
    }
    keep_in_trash(root, transaction)?;
    Ok(came_out == old.as_bytes())
}

fn keep_in_trash(root: &Dir, transaction: &str) -> Outcome<()> {
    if root.stat(WAITING)?.is_none() {
        return Ok(());
    }
    let trash = format!(".dsg/trash/{transaction}");
    root.ensure_dirs(&trash, Some(0o700))?;
    for n in 1..100 {
        let name = if n == 1 { format!("{trash}/{NAME}") } else { format!("{trash}/{NAME} ({n})") };
        match root.rename_noreplace(WAITING, root, &name) {
            Err(e) if e.is_present() => {}
            other => return Ok(other?),
        }
    }
    Ok(())
}

fn unwritable(path: &Path, why: &str) -> Failure {
    Failure::new(Code::Config, format!("{} cannot be used: {why}.", path.display()))
        .hint("Correct the file and try again; nothing was changed.")
}
