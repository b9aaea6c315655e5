//! Configuration files as they are changed in a form or as text: read, tried, and written only as a whole,
//! only sound, and only over what was read.
//!
//! What is tried touches no disk. A file that somebody changed meanwhile is left as it is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use dsg_core::config::form::{Elsewhere, File, Form};
use dsg_core::config::{Broken, Layer, ProjectConfig, Setting, UserConfig, edited};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_fs::dir::Dir;

use crate::user_config::{self, places, text_of, unusable};
use crate::{author, config_file};

/// A file with its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is, or would be.
    pub path: PathBuf,
    /// Its text; none: there is no file.
    pub text: Option<String>,
    /// Its form.
    pub form: Form,
}

/// One key, by its name and the sections it is in, and what it shall say; none: nothing.
pub type Change = (Vec<String>, Option<Setting>);

/// Reads a file of the project in the folder `root`, or of the person.
///
/// # Errors
/// It cannot be read. One that is broken can.
pub fn open(file: File, root: &Path) -> Outcome<Settings> {
    let path = path_of(file, root);
    let text = text_of(&path)?;
    let form = Form::of(file, text.as_deref().unwrap_or_default(), &elsewhere(file)?);
    Ok(Settings { path, text, form })
}

/// What a text becomes when a key of it is changed, and what is wrong in it then.
///
/// # Errors
/// [`Code::Config`]: the key can only be changed by hand.
pub fn tried(file: File, text: &str, changes: &[Change]) -> Outcome<(String, Form)> {
    let mut new = text.to_owned();
    for (path, setting) in changes {
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        new = edited(&new, &keys, setting.as_ref()).ok_or_else(|| {
            let said =
                format!("{} cannot be changed here as this file is written.", keys.join("."));
            Failure::new(Code::Config, said).hint("Change it in the text beside the form.")
        })?;
    }
    let form = Form::of(file, &new, &elsewhere(file)?);
    Ok((new, form))
}

/// Whether a text may be written into a file.
///
/// # Errors
/// All that is wrong in it.
pub(crate) fn proved(file: File, path: &Path, text: &str) -> Outcome<()> {
    let read: Result<(), Broken> = match file {
        File::Project => ProjectConfig::read(text).map(drop),
        File::Own => UserConfig::read(text, Layer::Own).map(drop),
    };
    read.map_err(|broken| unusable(path, &broken))
}

pub(crate) fn changed_meanwhile(path: &Path) -> Failure {
    let said = format!("{} was changed by another program meanwhile.", path.display());
    Failure::new(Code::Config, said)
        .hint("Nothing was written. Read the file again; your changes can be made in it anew.")
}

/// Writes the person's file in place of what was `seen` there.
///
/// # Errors
/// [`Code::Config`]: the text is broken, or the file is not what was seen; it cannot be written. Then
/// all is as before.
pub fn save_own(seen: Option<&str>, text: &str) -> Outcome<()> {
    save(&path_of(File::Own, Path::new("")), seen, text)
}

fn save(path: &Path, seen: Option<&str>, text: &str) -> Outcome<()> {
    proved(File::Own, path, text)?;
    // A link leads to where somebody keeps such files: it stays one.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return Err(changed_meanwhile(&path));
    };
    std::fs::create_dir_all(parent).map_err(|e| Failure::io("create the folder", parent, e))?;
    if text_of(&path)?.as_deref() != seen {
        return Err(changed_meanwhile(&path));
    }
    let mode = std::fs::metadata(&path).map_or(0o600, |file| file.permissions().mode() & 0o777);
    let dir = Dir::open(parent)?;
    let waiting = dir.temporary_name(name);
    dir.write_atomically(&waiting, text.as_bytes(), mode)?;
    let swapped = swap(&dir, &waiting, name, seen);
    // What came out is what was seen, or what was to go in; anything else is somebody's.
    let left = text_of(&dir.at(&waiting)).ok().flatten();
    if left.as_deref() == Some(text) || left.as_deref() == seen {
        let _ = dir.remove_file(&waiting);
    }
    swapped
}

/// Another program may write between a look and a rename: what comes out decides.
fn swap(dir: &Dir, waiting: &str, name: &str, seen: Option<&str>) -> Outcome<()> {
    let path = dir.at(name);
    let Some(seen) = seen else {
        return match dir.rename_new(waiting, dir, name) {
            Err(e) if e.is_present() => Err(changed_meanwhile(&path)),
            other => Ok(other?),
        };
    };
    match dir.exchange(waiting, dir, name) {
        // Homes on a network, where nothing can be swapped: it is looked once more.
        Err(e) if e.is_unsupported() && text_of(&path)?.as_deref() == Some(seen) => {
            return Ok(dir.rename_replacing(waiting, dir, name)?);
        }
        Err(e) if e.is_unsupported() => return Err(changed_meanwhile(&path)),
        other => other?,
    }
    if text_of(&dir.at(waiting)).ok().flatten().as_deref() == Some(seen) {
        return Ok(());
    }
    dir.exchange(waiting, dir, name)?;
    Err(changed_meanwhile(&path))
}

/// Who a person says to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The name.
    pub name: Option<String>,
    /// The e-mail address: the author of snapshots.
    pub mail: Option<String>,
    /// The author while there is none.
    pub otherwise: String,
    /// The file that says it, or would.
    pub path: PathBuf,
}

/// Who works here, as all places together say.
///
/// # Errors
/// A file that cannot be used.
pub fn profile() -> Outcome<Profile> {
    let UserConfig { user_name, user_id, .. } = user_config::read()?;
    let (otherwise, path) = (author::login_at_host(), path_of(File::Own, Path::new("")));
    Ok(Profile { name: user_name, mail: user_id, otherwise, path })
}

/// Writes name and address into the person's file; an empty one is left as it is.
///
/// # Errors
/// As [`save_own`].
pub fn keep_profile(name: &str, mail: &str) -> Outcome<()> {
    let Settings { text, .. } = open(File::Own, Path::new(""))?;
    let said = |key: &str, value: &str| {
        let value = value.trim();
        (!value.is_empty()).then(|| (vec![key.to_owned()], Some(Setting::Text(value.to_owned()))))
    };
    let changes: Vec<Change> =
        [said("user_name", name), said("user_id", mail)].into_iter().flatten().collect();
    let (new, _) = tried(File::Own, text.as_deref().unwrap_or_default(), &changes)?;
    save_own(text.as_deref(), &new)
}

/// Of the places of the person's own file that one which counts most, among those that are there.
fn path_of(file: File, root: &Path) -> PathBuf {
    match file {
        File::Project => root.join(config_file::NAME),
        File::Own => own_file(places()),
    }
}

fn own_file(places: Vec<(PathBuf, Layer)>) -> PathBuf {
    let own = places.into_iter().filter(|(_, layer)| *layer == Layer::Own);
    let mut own: Vec<PathBuf> = own.map(|(path, _)| path).collect();
    let last = own.last().cloned().unwrap_or_default();
    own.retain(|path| path.is_file());
    own.pop().unwrap_or(last)
}

/// What is said of a person's keys in other places. One that is broken says nothing here.
fn elsewhere(file: File) -> Outcome<Vec<Elsewhere>> {
    if file == File::Project {
        return Ok(Vec::new());
    }
    let own = path_of(file, Path::new(""));
    let mut all = Vec::new();
    let mut later = false;
    for (path, _) in places() {
        if path == own {
            later = true;
        } else if let Some(text) = text_of(&path)? {
            all.push(Elsewhere::file(path.display().to_string(), text, later));
        }
    }
    all.extend(Elsewhere::variables(|name| std::env::var(name).ok()));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use dsg_core::address::Address;

    use super::*;
    use crate::project::{InitOptions, Project};

    fn text(value: &str) -> Setting {
        Setting::Text(value.to_owned())
    }

    #[test]
    fn a_change_is_tried_without_a_file_and_all_that_is_wrong_then_is_told() {
        let name = || vec!["name".to_owned()];
        let file = "name: p # ours\n";
        let (new, form) = tried(File::Project, file, &[(name(), Some(text("a/b")))]).unwrap();
        assert_eq!(new, "name: a/b # ours\n");
        assert!(!form.is_sound() && form.fields[0].mistakes[0].what.contains("not a name"));
        let refused = tried(File::Project, "name: [", &[(name(), Some(text("q")))]).unwrap_err();
        assert_eq!(refused.code, Code::Config);
    }

    #[test]
    fn the_persons_file_is_made_and_written_only_over_what_was_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/dsg.yml");
        save(&path, None, "user_name: Ann\n").unwrap();
        let seen = "user_name: Ann\n";
        // Broken, or changed meanwhile: nothing is written.
        assert_eq!(save(&path, Some(seen), "user_id: no\n").unwrap_err().code, Code::Config);
        for other in [None, Some("user_name: Bob\n")] {
            let refused = save(&path, other, "user_name: Eve\n").unwrap_err();
            assert!(refused.message.contains("changed by another program"), "{refused:?}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), seen);
        // A link stays one, and so do the permissions behind it.
        let link = dir.path().join("dsg.yml");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        save(&link, Some(seen), "user_name: Bob\n").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "user_name: Bob\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn of_a_persons_files_the_one_is_changed_that_counts_most() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let all = ["/etc/dsg/dsg.yml".into(), at("home"), at("xdg")];
        let layers = [Layer::System, Layer::Own, Layer::Own];
        let places = || all.iter().cloned().zip(layers).collect();
        assert_eq!(own_file(places()), at("xdg"));
        std::fs::write(at("home"), "").unwrap();
        assert_eq!(own_file(places()), at("home"));
    }

    #[test]
    fn a_projects_file_is_written_as_it_is_wanted_and_the_former_one_is_in_the_trash() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("p");
        std::fs::create_dir_all(root.join("input")).unwrap();
        let repository = dir.path().join("r").to_string_lossy().parse::<Address>().unwrap();
        let options = InitOptions {
            address: repository,
            name: None,
            data_dirs: vec!["input".to_owned()],
            plain: true,
            message: String::new(),
            signature: None,
        };
        let silent = dsg_core::monitor::Monitor::silent();
        let (mut project, _) = Project::init(&root, &options, &silent).unwrap();
        let read = |root: &Path| std::fs::read_to_string(root.join(config_file::NAME)).unwrap();
        let Settings { text: seen, form, .. } = open(File::Project, &root).unwrap();
        assert!(form.is_sound());
        let dirs = Some(Setting::Texts(vec!["input".into(), "figures".into()]));
        let seen = seen.unwrap();
        let (new, _) = tried(File::Project, &seen, &[(vec!["data_dirs".into()], dirs)]).unwrap();
        project.configure(Some(&seen), &new, &silent).unwrap();
        assert_eq!(read(&root), new);
        let trash = project.trash().unwrap();
        assert_eq!(trash[0].reason.as_deref(), Some("the configuration was changed"));
        // Not over what somebody else wrote, and never something broken.
        let stale = project.configure(Some(&seen), "name: q\n", &silent).unwrap_err();
        let broken = project.configure(Some(&new), "name: [", &silent).unwrap_err();
        assert_eq!((stale.code, broken.code), (Code::Config, Code::Config));
        assert_eq!(read(&root), new);
        // A file that is broken can be mended.
        std::fs::write(root.join(config_file::NAME), "nam: p\n").unwrap();
        assert!(!open(File::Project, &root).unwrap().form.is_sound());
        project.configure(Some("nam: p\n"), "name: p\n", &silent).unwrap();
        assert_eq!(read(&root), "name: p\n");
    }
}
