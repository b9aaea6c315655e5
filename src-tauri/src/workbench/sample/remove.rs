//! What was made for the sample, and taking it away: that, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dsg_core::entry::Hash;
use dsg_core::failure::{Failure, Outcome};
use serde::{Deserialize, Serialize};

use crate::api::ApiError;

/// Stands beside project and repository.
pub(super) const NOTE: &str = ".dsg-sample.json";
const FORMAT: u32 = 2;

/// The contents that the sample's files ever had, whatever the files are called now.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Made {
    hashes: BTreeSet<Hash>,
    /// Bytes.
    longest: u64,
}

impl Made {
    /// Counts a content as the sample's.
    pub(super) fn add(&mut self, content: &[u8]) {
        self.hashes.insert(Hash::of(content));
        self.longest = self.longest.max(content.len() as u64);
    }

    /// Whether a file, as it is now, holds what the sample made. What cannot be read is a person's.
    fn holds(&self, file: &fs::DirEntry) -> bool {
        file.metadata().is_ok_and(|is| is.is_file() && is.len() <= self.longest)
            && fs::read(file.path()).is_ok_and(|bytes| self.hashes.contains(&Hash::of(&bytes)))
    }
}

#[derive(Serialize, Deserialize)]
struct Note {
    format: u32,
    project: String,
    repository: String,
    made: Made,
}

/// Writes down what was made.
pub(super) fn write_note(place: &Path, project: &str, repository: &str, made: Made) -> Outcome<()> {
    let note = Note {
        format: FORMAT,
        project: project.to_owned(),
        repository: repository.to_owned(),
        made,
    };
    let at = place.join(NOTE);
    let text = serde_json::to_vec_pretty(&note).unwrap_or_default();
    fs::write(&at, text).map_err(|e| Failure::io("write", &at, e))
}

fn read_note(root: &Path) -> Option<(PathBuf, Note)> {
    let place = root.parent()?;
    let text = fs::read(place.join(NOTE)).ok()?;
    let note: Note = serde_json::from_slice(&text).ok()?;
    let is_name = |name: &str| !name.is_empty() && !name.contains('/') && !name.starts_with('.');
    let fits = note.format == FORMAT
        && is_name(&note.repository)
        && root.file_name().is_some_and(|name| name == note.project.as_str());
    fits.then(|| (place.to_owned(), note))
}

/// Whether a project is a sample that DSG made.
pub(in super::super) fn is_project(root: &Path) -> bool {
    read_note(root).is_some()
}

/// A sample that may be removed.
pub(in super::super) struct Doomed {
    place: PathBuf,
    names: Vec<String>,
}

impl Doomed {
    /// Proves that a project is a sample, and that nothing of a person's goes with it unless that is
    /// meant.
    pub(in super::super) fn find(root: &Path, with_own_files: bool) -> Result<Self, ApiError> {
        let Some((place, note)) = read_note(root) else {
            let said = format!("{} is not a sample that DSG made.", root.display());
            return Err(ApiError::new("not-a-sample", said)
                .with_hint("Take it off the list instead; nothing is deleted by that."));
        };
        if !with_own_files {
            let own = own_files(root, &note.made)?;
            if let Some(first) = own.first() {
                let said = match own.len() {
                    1 => format!("The sample holds a file of yours: {first}."),
                    n => format!("The sample holds {n} files of yours, such as {first}."),
                };
                return Err(ApiError::new("own-files", said)
                    .with_hint("Move away what you want to keep, or remove it with them.")
                    .with_detail(own.join("\n")));
            }
        }
        let sidecar = format!(".{}.dsg", note.repository);
        Ok(Self { place, names: vec![note.project, note.repository, sidecar, NOTE.to_owned()] })
    }

    /// Removes it for good. The note goes last, so that what was cut off can be gone on with.
    pub(in super::super) fn remove(&self) -> Result<(), ApiError> {
        for name in &self.names {
            let at = self.place.join(name);
            let removed = if name == NOTE { fs::remove_file(&at) } else { fs::remove_dir_all(&at) };
            match removed {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(Failure::io("remove", &at, e).into());
                }
                _ => {}
            }
        }
        // If a person put something beside it, that stays.
        let _ = fs::remove_dir(&self.place);
        Ok(())
    }
}

/// Files in the project that hold what the sample did not make: others, and its own if they were edited.
fn own_files(root: &Path, made: &Made) -> Result<Vec<String>, ApiError> {
    let mut own = Vec::new();
    let mut todo = vec![(root.to_owned(), String::new())];
    while let Some((dir, path)) = todo.pop() {
        let entries = match fs::read_dir(&dir) {
            // A removal that was cut off is gone on with.
            Err(e) if e.kind() == ErrorKind::NotFound && path.is_empty() => return Ok(own),
            entries => entries.map_err(|e| Failure::io("read the folder", &dir, e))?,
        };
        for entry in entries {
            let entry = entry.map_err(|e| Failure::io("read the folder", &dir, e))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let below = if path.is_empty() { name } else { format!("{path}/{name}") };
            if path.is_empty() && (below == ".dsg" || below == dsg_engine::config_file::NAME) {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                todo.push((entry.path(), below));
            } else if !made.holds(&entry) {
                own.push(below);
            }
        }
    }
    own.sort_unstable();
    Ok(own)
}

/// Removes what was begun; what will not go does no harm.
pub(super) fn take_away(at: &Path) {
    let _ = fs::remove_dir_all(at).or_else(|_| fs::remove_file(at));
}
