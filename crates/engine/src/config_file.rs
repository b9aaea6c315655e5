//! `.dsgconfig.yml` on disk: the view of the shared configuration that people edit.

use std::path::Path;

use dsg_core::config::SharedConfig;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_fs::dir::Dir;

/// Its name in the project's root.
pub const NAME: &str = ".dsgconfig.yml";

/// Reads it; `None` if there is none.
///
/// # Errors
/// [`Code::Config`] with what is wrong and where, or it cannot be read.
pub fn read(root: &Path) -> Outcome<Option<SharedConfig>> {
    let path = root.join(NAME);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
            return Err(unusable(&path, "it is not UTF-8 text"));
        }
        Err(e) => return Err(Failure::io("read", &path, e)),
    };
    SharedConfig::from_yaml(&text).map(Some).map_err(|e| unusable(&path, &e.to_string()))
}

/// Replaces it in one step.
///
/// # Errors
/// It cannot be written; the old one stands.
pub fn write(root: &Dir, config: &SharedConfig) -> Outcome<()> {
    let text = config.to_yaml().map_err(|e| unusable(&root.at(NAME), &e.to_string()))?;
    root.write_atomically(NAME, text.as_bytes(), 0o644)?;
    Ok(())
}

fn unusable(path: &Path, why: &str) -> Failure {
    Failure::new(Code::Config, format!("{} cannot be used: {why}.", path.display()))
        .hint("Correct the file and try again; nothing was changed.")
}
