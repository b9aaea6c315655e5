//! Configuration files looked at by themselves, all of them, whatever is wrong with some; and an older
//! project file made into a newer one.

use std::path::{Path, PathBuf};

use dsg_core::address::Address;
use dsg_core::config::{
    Format, Mistake, Patterns, ProjectConfig, UserConfig, migrated, migrated_oldest,
};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_fs::dir::Dir;

use crate::config_file::{self, NAME, OLDEST};
use crate::user_config::{self, text_of};

/// A configuration file that was looked at.
#[derive(Debug)]
pub struct Examined {
    /// Where it is.
    pub path: PathBuf,
    /// How a project's is written; `None`: it is a person's, or cannot be told.
    pub format: Option<Format>,
    /// Where a project's says that the repository is.
    pub repository: Option<Address>,
    /// What makes it useless, in its order.
    pub mistakes: Vec<Mistake>,
    /// What has no effect.
    pub notes: Vec<Mistake>,
    /// Its text.
    pub text: String,
}

impl Examined {
    /// Whether it is the project's, not a person's.
    pub fn is_a_projects(&self) -> bool {
        self.path.ends_with(NAME) || self.path.ends_with(OLDEST)
    }

    fn nothing(path: PathBuf, text: String) -> Self {
        let (mistakes, notes) = (Vec::new(), Vec::new());
        Self { path, format: None, repository: None, mistakes, notes, text }
    }
}

/// Looks at the project's configuration, of the folder `start` or the nearest above, and at the person's.
///
/// # Errors
/// A file cannot be read.
pub fn examine(start: &Path) -> Outcome<Vec<Examined>> {
    let mut all = Vec::new();
    if let Some(path) = config_file::find(start) {
        let Some(text) = text_of(&path)? else { return Ok(all) };
        let read = if path.ends_with(OLDEST) {
            ProjectConfig::read_oldest(&text)
        } else {
            ProjectConfig::read(&text)
        };
        let none = Examined::nothing(path, text);
        all.push(match read {
            Ok(ProjectConfig { format, repository, notes, .. }) => {
                Examined { format: Some(format), repository, notes, ..none }
            }
            Err(broken) => Examined { mistakes: broken.mistakes, ..none },
        });
    }
    let folder = all.first().and_then(|file| config_file::folder_of(&file.path)).unwrap_or(start);
    let path = folder.join(config_file::IGNORE);
    if let Some(text) = text_of(&path)? {
        let none = Examined::nothing(path, text);
        all.push(match Patterns::read(&none.text) {
            Ok(_) => none,
            Err(broken) => Examined { mistakes: broken.mistakes, ..none },
        });
    }
    for (path, layer) in user_config::places() {
        let Some(text) = text_of(&path)? else { continue };
        let none = Examined::nothing(path, text);
        all.push(match UserConfig::read(&none.text, layer) {
            Ok(UserConfig { notes, .. }) => Examined { notes, ..none },
            Err(broken) => Examined { mistakes: broken.mistakes, ..none },
        });
    }
    Ok(all)
}

/// An older project file, and what it becomes.
#[derive(Debug)]
pub struct Migration {
    /// The project's folder.
    root: PathBuf,
    /// The file that is read.
    pub from: PathBuf,
    /// The file that is written.
    pub to: PathBuf,
    /// What stands in the first.
    pub old: String,
    /// What will stand in the second.
    pub new: String,
}

impl Migration {
    /// What would be done to the project of the folder `start`; `None` if its file is of the present format.
    ///
    /// # Errors
    /// [`Code::NotAProject`]: there is no configuration; [`Code::Config`]: it cannot be used.
    pub fn of(start: &Path) -> Outcome<Option<Self>> {
        let from = config_file::find(start).ok_or_else(|| config_file::none(start))?;
        let oldest = from.ends_with(OLDEST);
        let root = config_file::folder_of(&from).unwrap_or(start).to_owned();
        let old = text_of(&from)?.unwrap_or_default();
        let new = if oldest { migrated_oldest(&old).map(Some) } else { migrated(&old) };
        let new = new.map_err(|broken| user_config::unusable(&from, &broken))?;
        let to = root.join(NAME);
        Ok(new.map(|new| Self { root, from, to, old, new }))
    }

    /// Writes it. The old file is kept beside it; gives where.
    ///
    /// # Errors
    /// It cannot be written, or was changed meanwhile: then all is as before.
    pub fn carry_out(&self) -> Outcome<PathBuf> {
        let root = Dir::open(&self.root)?;
        let waiting = root.temporary_name(NAME);
        root.write_atomically(&waiting, self.new.as_bytes(), 0o644)?;
        let done = if self.from == self.to {
            self.replace(&root, &waiting)
        } else {
            self.add(&root, &waiting)
        };
        if done.is_err() {
            let _ = root.remove_file(&waiting);
        }
        done
    }

    fn add(&self, root: &Dir, waiting: &str) -> Outcome<PathBuf> {
        root.rename_noreplace(waiting, root, NAME)?;
        Ok(self.from.clone())
    }

    /// What comes out is the copy; if somebody changed it meanwhile it goes back.
    fn replace(&self, root: &Dir, waiting: &str) -> Outcome<PathBuf> {
        root.exchange(waiting, root, NAME)?;
        if text_of(&root.at(waiting))?.as_deref() != Some(&self.old) {
            root.exchange(waiting, root, NAME)?;
            let message =
                format!("{} was changed meanwhile; nothing was written.", self.from.display());
            return Err(Failure::new(Code::Config, message).hint("Try again."));
        }
        for n in 1.. {
            let name = if n == 1 { format!("{NAME}.backup") } else { format!("{NAME}.backup.{n}") };
            match root.rename_noreplace(waiting, root, &name) {
                Err(e) if e.is_present() => {}
                other => return Ok(other.map(|()| self.root.join(name))?),
            }
        }
        Ok(self.root.join(waiting))
    }
}
