//! The list of projects, kept in the application's folder as `projects.json`.
//!
//! Replaced as a whole by a rename, so that a crash leaves the old list or the new one.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::api::ApiError;

const FILE: &str = "projects.json";
const FORMAT: u32 = 1;

/// One project of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Never given to another project.
    pub id: String,
    /// Its folder.
    pub root: String,
    /// Its name when it was last seen, shown while it cannot be opened.
    pub name: String,
    /// Its repository's address when it was last seen.
    pub address: String,
    /// The last sync that was made here in the window: which snapshot, and when (RFC 3339).
    #[serde(default)]
    pub synced: Option<(String, String)>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Book {
    format: u32,
    next: u64,
    projects: Vec<Entry>,
}

/// The list, on disk and in memory.
pub(super) struct Registry {
    file: PathBuf,
    book: Mutex<Book>,
    /// Why the list on disk may not be replaced.
    sealed: Option<ApiError>,
    /// What a person should hear once.
    news: Mutex<Option<ApiError>>,
}

impl Registry {
    /// Reads the list. One that is damaged is kept aside, one of a newer program left alone.
    pub(super) fn open(dir: &Path) -> Self {
        let file = dir.join(FILE);
        let empty = Book { format: FORMAT, next: 1, projects: Vec::new() };
        let (book, sealed, news) = match read(&file) {
            Ok(book) => (book.unwrap_or(empty), None, None),
            Err(Unread::Sealed(error)) => (empty, Some(error), None),
            Err(Unread::Damaged(cause)) => match set_aside(&file) {
                Ok(kept) => (empty, None, Some(damaged(&kept, &cause))),
                Err(error) => (empty, Some(error), None),
            },
        };
        Self { file, book: Mutex::new(book), sealed, news: Mutex::new(news) }
    }

    /// All projects, in the order of the sidebar.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.book().projects.clone()
    }

    /// One project.
    pub(super) fn entry(&self, id: &str) -> Option<Entry> {
        self.book().projects.iter().find(|p| p.id == id).cloned()
    }

    /// What is wrong with the list; what is over and done with is told once.
    pub(super) fn trouble(&self) -> Option<ApiError> {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        news.take().or_else(|| self.sealed.clone())
    }

    /// Adds a project, or gives the entry that its folder has already.
    pub(super) fn add(&self, root: &str, name: &str, address: &str) -> Result<Entry, ApiError> {
        let mut book = self.book();
        if let Some(known) = book.projects.iter().find(|p| p.root == root) {
            return Ok(known.clone());
        }
        let entry = Entry {
            id: format!("p{}", book.next),
            root: root.to_owned(),
            name: name.to_owned(),
            address: address.to_owned(),
            synced: None,
        };
        let mut next = book.clone();
        next.next += 1;
        next.projects.push(entry.clone());
        self.replace(&mut book, next)?;
        Ok(entry)
    }

    /// Takes a project off the list.
    pub(super) fn remove(&self, id: &str) -> Result<(), ApiError> {
        self.change(|book| book.projects.retain(|p| p.id != id))
    }

    /// Keeps what was learned about a project.
    pub(super) fn update(&self, id: &str, change: impl FnOnce(&mut Entry)) -> Result<(), ApiError> {
        self.change(|book| {
            if let Some(entry) = book.projects.iter_mut().find(|p| p.id == id) {
                change(entry);
            }
        })
    }

    fn change(&self, change: impl FnOnce(&mut Book)) -> Result<(), ApiError> {
        let mut book = self.book();
        let mut next = book.clone();
        change(&mut next);
        if next.projects == book.projects { Ok(()) } else { self.replace(&mut book, next) }
    }

    fn replace(&self, book: &mut Book, next: Book) -> Result<(), ApiError> {
        if let Some(error) = &self.sealed {
            return Err(error.clone());
        }
        write(&self.file, &next).map_err(|cause| {
            ApiError::new("list-not-kept", "The list of projects could not be saved.")
                .with_hint(format!("Check that {} can be written.", self.file.display()))
                .with_detail(cause.to_string())
        })?;
        *book = next;
        Ok(())
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Unread {
    Sealed(ApiError),
    Damaged(String),
}

fn read(file: &Path) -> Result<Option<Book>, Unread> {
    #[derive(Deserialize)]
    struct Probe {
        format: u32,
    }
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) if e.kind() == ErrorKind::InvalidData => return Err(Unread::Damaged(e.to_string())),
        Err(e) => {
            let message = format!("The list of projects in {} cannot be read.", file.display());
            return Err(Unread::Sealed(
                ApiError::new("list-unreadable", message)
                    .with_hint("Make the file readable, then start DSG again.")
                    .with_detail(e.to_string()),
            ));
        }
    };
    let parsed =
        serde_json::from_str::<Probe>(&text).map_err(|e| Unread::Damaged(e.to_string()))?;
    if parsed.format > FORMAT {
        let message = format!("{} was written by a newer DSG.", file.display());
        return Err(Unread::Sealed(
            ApiError::new("newer-format", message).with_hint("Install the newest version of DSG."),
        ));
    }
    serde_json::from_str(&text).map(Some).map_err(|e| Unread::Damaged(e.to_string()))
}

fn write(file: &Path, book: &Book) -> std::io::Result<()> {
    let fresh = file.with_extension("json.new");
    let mut content = serde_json::to_vec_pretty(book)?;
    content.push(b'\n');
    let mut out = File::create(&fresh)?;
    out.write_all(&content)?;
    out.sync_all()?;
    std::fs::rename(&fresh, file)?;
    match file.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

fn set_aside(file: &Path) -> Result<PathBuf, ApiError> {
    let kept = (1..1000)
        .map(|n| file.with_extension(format!("damaged-{n}.json")))
        .find(|kept| !kept.exists())
        .unwrap_or_else(|| file.with_extension("damaged.json"));
    std::fs::rename(file, &kept).map(|()| kept).map_err(|cause| {
        let message = format!("The list of projects in {} is damaged.", file.display());
        ApiError::new("list-damaged", message)
            .with_hint("Move the file away, then start DSG again.")
            .with_detail(cause.to_string())
    })
}

fn damaged(kept: &Path, cause: &str) -> ApiError {
    ApiError::new("list-damaged", "The list of projects was damaged, so it begins anew.")
        .with_hint(format!(
            "Nothing happened to the projects: open their folders again. The damaged list is kept as {}.",
            kept.display()
        ))
        .with_detail(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn what_was_added_is_there_after_a_restart_and_ids_are_not_used_twice() -> Outcome {
        let dir = tempfile::tempdir()?;
        let registry = Registry::open(dir.path());
        let first = registry.add("/data/a", "A", "/srv/a").map_err(|e| e.message)?;
        let second = registry.add("/data/b", "B", "/srv/b").map_err(|e| e.message)?;
        assert_eq!(registry.add("/data/a", "other", "/x").map_err(|e| e.message)?, first);
        registry.remove(&second.id).map_err(|e| e.message)?;
        registry
            .update(&first.id, |e| e.synced = Some(("s2".into(), "2026-01-01T00:00:00Z".into())))
            .map_err(|e| e.message)?;

        let again = Registry::open(dir.path());
        assert_eq!(again.trouble(), None);
        assert_eq!(again.entries().len(), 1);
        assert_eq!(again.entries()[0].synced.as_ref().map(|s| s.0.as_str()), Some("s2"));
        assert_ne!(again.add("/data/c", "C", "/srv/c").map_err(|e| e.message)?.id, second.id);
        Ok(())
    }

    #[test]
    fn a_damaged_list_is_kept_aside_and_told_once() -> Outcome {
        let dir = tempfile::tempdir()?;
        std::fs::write(dir.path().join(FILE), "{ half")?;
        let registry = Registry::open(dir.path());
        assert_eq!(registry.trouble().map(|e| e.code).as_deref(), Some("list-damaged"));
        assert_eq!(registry.trouble(), None);
        registry.add("/data/a", "A", "/srv/a").map_err(|e| e.message)?;
        assert_eq!(std::fs::read_to_string(dir.path().join("projects.damaged-1.json"))?, "{ half");
        Ok(())
    }

    #[test]
    fn a_newer_list_is_left_alone() -> Outcome {
        let dir = tempfile::tempdir()?;
        let newer = r#"{"format": 2, "projects": {"elsewhere": 1}}"#;
        std::fs::write(dir.path().join(FILE), newer)?;
        let registry = Registry::open(dir.path());
        assert_eq!(registry.trouble().map(|e| e.code).as_deref(), Some("newer-format"));
        assert!(registry.add("/data/a", "A", "/srv/a").is_err());
        assert_eq!(std::fs::read_to_string(dir.path().join(FILE))?, newer);
        Ok(())
    }
}
