//! What a folder holds, before a repository is made of it.

use std::path::Path;

use dsg_core::address::Address;
use dsg_core::config::{DEFAULT_DATA_DIRS, SharedConfig, Tracking};
use dsg_core::failure::Failure;
use dsg_engine::{config_file, endpoint};

use crate::api::{ApiError, FolderPreview, TopLevelEntry};

/// Looks at a folder as if all of it were data.
pub(super) fn inspect(path: &str) -> Result<FolderPreview, ApiError> {
    let root = canonical(path)?;
    if !root.is_dir() {
        return Err(ApiError::new("not-a-folder", format!("{} is not a folder.", root.display()))
            .with_hint("Choose a folder."));
    }
    let name = root.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    // A configuration that cannot be read is told when the repository is made.
    let found = config_file::read(&root).ok().flatten();
    let mut rules = found.clone().unwrap_or_else(|| {
        let rules = SharedConfig::new("project");
        config_file::with_patterns(&root, rules.clone()).unwrap_or(rules)
    });
    rules.data_dirs = ["*".to_owned()].into();
    let mut top_level = Vec::new();
    let entries = std::fs::read_dir(&root).map_err(|e| Failure::io("read the folder", &root, e))?;
    for entry in entries.filter_map(Result::ok) {
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let tracked =
            if is_dir { enters(&rules, &name) } else { rules.file(&name) == Tracking::Tracked };
        if tracked {
            top_level.push(TopLevelEntry { name, is_dir });
        }
    }
    top_level.sort_by(|a, b| (!a.is_dir, &a.name).cmp(&(!b.is_dir, &b.name)));
    let is_there = |dir: &&str| root.join(dir).is_dir();
    let usual = |dir: &str| DEFAULT_DATA_DIRS.contains(&dir);
    let data_dirs = match &found {
        Some(config) if config.data_dirs.contains("*") => Vec::new(),
        // What somebody wrote down is meant at any depth; what may be the default, where it is.
        Some(config) => {
            let named = config.data_dirs.iter().map(String::as_str);
            named.filter(|dir| !usual(dir) || is_there(dir)).collect()
        }
        None => DEFAULT_DATA_DIRS.iter().copied().filter(is_there).collect::<Vec<_>>(),
    };
    let default_data_dirs_found = data_dirs.into_iter().map(str::to_owned).collect();
    Ok(FolderPreview {
        is_project: root.join(".dsg").is_dir(),
        has_repository: in_repository(&root),
        suggested_name: found.map_or(name, |config| config.name),
        default_data_dirs_found,
        path: text(&root)?,
        top_level,
    })
}

/// The folder's one true path.
pub(super) fn canonical(path: &str) -> Result<std::path::PathBuf, ApiError> {
    let path = Path::new(path.trim());
    Ok(std::fs::canonicalize(path).map_err(|e| {
        let failure = Failure::io("open", path, e);
        if failure.hint.is_some() { failure } else { failure.hint("Check how it is written.") }
    })?)
}

/// A path as the window can hold it.
pub(super) fn text(path: &Path) -> Result<String, ApiError> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        ApiError::new("bad-name", "The folder's path is not valid text (UTF-8).")
            .with_hint("Rename the folder, or choose another one.")
            .with_detail(path.display().to_string())
    })
}

fn enters(rules: &SharedConfig, path: &str) -> bool {
    !matches!(rules.directory(path), Tracking::Hidden | Tracking::Ignored)
}

/// Whether a folder is a repository's, or lies in one.
fn in_repository(root: &Path) -> bool {
    root.ancestors()
        .filter(|dir| dir.parent().is_some())
        .any(|dir| endpoint::open(&Address::Local(dir.to_owned())).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_could_be_tracked() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let root = dir.path().join("coast");
        for (path, content) in [
            ("input/a.csv", "12345"),
            ("input/deep/b.csv", "1"),
            ("input/x.tmp", "no"),
            ("n.txt", "12"),
        ] {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(&root))?;
            std::fs::write(path, content)?;
        }
        let preview = inspect(&root.display().to_string()).map_err(|e| e.message)?;
        assert_eq!(preview.suggested_name, "coast");
        assert_eq!(preview.default_data_dirs_found, ["input"]);
        let entry = |name: &str, is_dir| TopLevelEntry { name: name.into(), is_dir };
        assert_eq!(preview.top_level, [entry("input", true), entry("n.txt", false)]);
        assert!(!preview.is_project && !preview.has_repository);

        // What somebody wrote down counts, wherever such folders lie.
        let config = "name: shore\ndata_dirs:\n- measurements\n- output\n";
        std::fs::write(root.join(config_file::NAME), config)?;
        let preview = inspect(&root.display().to_string()).map_err(|e| e.message)?;
        assert_eq!(preview.suggested_name, "shore");
        assert_eq!(preview.default_data_dirs_found, ["measurements"]);
        Ok(())
    }

    #[test]
    fn what_is_no_folder_is_said_with_a_hint() {
        let error = inspect("/nowhere/at/all").err();
        assert!(error.is_some_and(|e| e.message.contains("/nowhere/at/all") && e.hint.is_some()));
    }
}
