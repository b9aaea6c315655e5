//! `dsg.yml` on disk: the person's own configuration, from its four places and the environment.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use dsg_core::config::{Broken, LONGEST, Layer, UserConfig};
use dsg_core::failure::{Code, Failure, Outcome};

/// What all places together say; the later wins, key by key.
///
/// # Errors
/// [`Code::Config`]: a file or a variable that cannot be used; a file that cannot be read.
pub fn read() -> Outcome<UserConfig> {
    let mut config = UserConfig::default();
    for (path, layer) in places() {
        let Some(text) = text_of(&path)? else { continue };
        let said = UserConfig::read(&text, layer).map_err(|broken| unusable(&path, &broken))?;
        config = config.overlaid(said);
    }
    let told = UserConfig::from_variables(|name| std::env::var(name).ok()).map_err(|wrong| {
        let all: Vec<String> = wrong.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        let message = format!("The environment cannot be used: {}.", all.join("; "));
        Failure::new(Code::Config, message).hint("Correct the variable, or unset it.")
    })?;
    Ok(config.overlaid(told))
}

/// Where it may be, in the order in which it is merged. Each place once.
pub(crate) fn places() -> Vec<(PathBuf, Layer)> {
    let dir = |name: &str| std::env::var_os(name).filter(|d| !d.is_empty()).map(PathBuf::from);
    let mut places = vec![(PathBuf::from("/etc/dsg/dsg.yml"), Layer::System)];
    let own = [
        dir("HOME").map(|d| d.join(".config/dsg/dsg.yml")),
        dir("XDG_CONFIG_HOME").map(|d| d.join("dsg/dsg.yml")),
        dir("DSG_CONFIG_HOME").map(|d| d.join("dsg.yml")),
    ];
    for path in own.into_iter().flatten() {
        if places.iter().all(|(known, _)| *known != path) {
            places.push((path, Layer::Own));
        }
    }
    places
}

/// The text of a configuration file; `None` if there is none.
///
/// # Errors
/// It cannot be read, is too long, or is no text.
pub(crate) fn text_of(path: &Path) -> Outcome<Option<String>> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(LONGEST as u64 + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Failure::io("read", path, e)),
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        Failure::new(Code::Config, format!("{}:{line}: this is not UTF-8 text.", path.display()))
            .hint("Save the file as UTF-8 and try again; nothing was changed.")
    })?;
    Ok(Some(text))
}

/// The failure for a file that cannot be used.
pub(crate) fn unusable(path: &Path, broken: &Broken) -> Failure {
    let told = broken.told_of(&path.display().to_string());
    Failure::new(Code::Config, format!("{} cannot be used:\n\n{}", path.display(), told.trim_end()))
        .hint("Correct the file and try again; nothing was changed. dsg validate-config looks at all of them.")
}
