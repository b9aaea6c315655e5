//! Projects with many pending files.

use std::fs;
use std::path::{Path, PathBuf};

use dsg_core::monitor::Monitor;
use dsg_engine::project::{InitOptions, Project};

use crate::Tried;

/// Files in one folder.
const FOLDER: u32 = 100;

/// A project with so many new files of some bytes each. One that stands from a former run is used
/// again: removing so many takes longer than making them.
pub(crate) fn project(dir: &Path, files: u32) -> Tried<PathBuf> {
    let place = dir.join(format!("rows-{files}"));
    let (project, made) = (place.join("project"), place.join("made"));
    if made.exists() {
        return Ok(project);
    }
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    eprintln!("bench: making {files} files in {}", place.display());
    fs::create_dir_all(project.join("input"))?;
    fs::write(project.join("input/README.txt"), "made for measuring\n")?;
    let options = InitOptions {
        address: place.join("repository").display().to_string().parse()?,
        name: None,
        plain: false,
        data_dirs: vec!["input".to_owned()],
        message: String::new(),
        signature: None,
    };
    let silent = Monitor::silent();
    Project::init(&project, &options, &silent)?;
    for first in (0..files).step_by(FOLDER as usize) {
        let folder = first / FOLDER;
        let folder = format!("input/station-{:02}/run-{:02}", folder / 100, folder % 100);
        let folder = project.join(folder);
        fs::create_dir_all(&folder)?;
        for number in first..files.min(first + FOLDER) {
            fs::write(folder.join(format!("readings-{number:06}.csv")), format!("{number};1\n"))?;
        }
    }
    Project::open(&project, &silent)?.status(true, &silent)?;
    fs::write(made, "")?;
    Ok(project)
}
