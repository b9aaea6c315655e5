//! What the earlier DSG kept in `.dsg`: recognised, opened, and whether somebody is at it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::legacy::{
    ARCHIVE, Deviation, FOLDER, LAST_SYNC, LOCK, List, ListError, MESSAGES, Messages, Oddity,
};
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::Dir;
use dsg_fs::stat::Stat;
use serde::Deserialize;

use crate::tree::layout::FACTS;

const BUFFER: usize = 256 * 1024;
/// A working folder has this at its top, a repository has not.
const CHECKOUT: &str = ".dsgconfig.yml";
/// What DSG keeps in a working folder of its own.
const STATE: &str = "state.db";

/// Whether a folder is a repository of the earlier DSG, and none of ours.
pub(in crate::tree) fn is_there(parent: &Dir, name: &str) -> bool {
    let name = Path::new(name);
    let has = |file: &Path| matches!(parent.stat(file), Ok(Some(_)));
    has(&name.join(LAST_SYNC))
        && ![FACTS, STATE].iter().any(|ours| has(&name.join(FOLDER).join(ours)))
        && !has(&name.join(CHECKOUT))
}

/// The failure of whatever needs a repository of ours, or an empty place, where one of the earlier DSG is.
pub(in crate::tree) fn recognised(parent: &Dir, name: &str) -> Option<Failure> {
    if !is_there(parent, name) {
        return None;
    }
    let at = parent.at(name);
    let messages = parent.open_file(Path::new(name).join(MESSAGES)).ok();
    let said = messages.and_then(|file| Messages::read(file).ok()).unwrap_or_default().0;
    let newest = said.last_key_value().map_or_else(String::new, |(id, said)| {
        let by = said.created_by.as_deref().map_or_else(String::new, |who| format!(" by {who}"));
        let on =
            said.time().map_or_else(String::new, |at| format!(", {}", at.strftime("%Y-%m-%d")));
        format!(": {id}{by}{on}")
    });
    let message = format!("{} is a repository of the earlier DSG{newest}.", at.display());
    Some(Failure::new(Code::Legacy, message).hint(
        "dsg adopt takes it over with its history, without moving a file; with --dry-run it shows what it would do.",
    ))
}

/// What the earlier DSG kept.
pub(super) struct Source {
    /// The repository's folder.
    pub(super) root: Dir,
    /// The newest list.
    pub(super) head: List,
    /// Its number.
    pub(super) id: SnapshotId,
    /// What is said of snapshots beside the lists.
    pub(super) messages: Messages,
    /// Former lists, by the names of their files.
    archived: BTreeMap<SnapshotId, String>,
    /// What is not as it should be.
    pub(super) deviations: Vec<Deviation>,
    /// The newest list's file, when it was read.
    seen: Stat,
}

impl Source {
    /// Opens what is kept in the repository `root`.
    ///
    /// # Errors
    /// [`Code::Locked`]: one of its clients is at work, or died; [`Code::RepositoryDamaged`]: its newest
    /// list cannot be used.
    pub(super) fn open(root: Dir) -> Outcome<Self> {
        unlocked(&root)?;
        let file = root.open_file(LAST_SYNC)?;
        let seen = dsg_fs::dir::file_stat(&file, &root.at(LAST_SYNC))?;
        let head = List::read(BufReader::with_capacity(BUFFER, file))
            .map_err(|e| unusable(&root.at(LAST_SYNC), &e))?;
        let id = head.metadata.id().map_err(|e| unusable(&root.at(LAST_SYNC), &e))?;
        let mut deviations = Vec::new();
        let mut deviates = |path: &str, what| {
            deviations.push(Deviation { path: path.to_owned(), what });
        };
        let messages = match root.open_file(MESSAGES) {
            Ok(file) => Messages::read(file).unwrap_or_else(|why| {
                deviates(MESSAGES, Oddity::Unusable(why.to_string()));
                Messages::default()
            }),
            Err(e) if e.is_absent() => Messages::default(),
            Err(e) => return Err(e.into()),
        };
        let archived = archived(&root)?;
        let newest =
            [(MESSAGES, messages.0.keys().next_back()), (ARCHIVE, archived.keys().next_back())];
        for (path, newest) in newest {
            if let Some(newest) = newest.filter(|newest| **newest > id) {
                let why = format!("it knows of {newest}, and {LAST_SYNC} is of {id}");
                deviates(path, Oddity::Unfinished(why));
            }
        }
        Ok(Self { root, head, id, messages, archived, deviations, seen })
    }

    /// A former list; `None` if it is not there.
    pub(super) fn list(&self, id: SnapshotId) -> Outcome<Option<Result<List, ListError>>> {
        let Some(name) = self.archived.get(&id) else { return Ok(None) };
        let file = self.root.open_file(Path::new(ARCHIVE).join(name))?;
        let file = BufReader::with_capacity(BUFFER, file);
        let text: Box<dyn Read> = match name.rsplit_once('.').map(|(_, end)| end) {
            Some("lz4") => Box::new(lz4_flex::frame::FrameDecoder::new(file)),
            Some("gz") => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
            _ => Box::new(file),
        };
        let read = List::read(BufReader::with_capacity(BUFFER, text));
        Ok(Some(read.and_then(|list| {
            if list.metadata.id()? == id { Ok(list) } else { Err(ListError::of_another(id)) }
        })))
    }

    /// Where a former list stands, or would.
    pub(super) fn place(&self, id: SnapshotId) -> String {
        let name = self.archived.get(&id).cloned();
        format!("{ARCHIVE}/{}", name.unwrap_or_else(|| format!("{id}-sync.json.lz4")))
    }

    /// Whether none of its clients has been at work since it was opened.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::HeadMoved`].
    pub(super) fn is_unchanged(&self) -> Outcome<()> {
        unlocked(&self.root)?;
        if self.root.stat(LAST_SYNC)?.is_some_and(|now| now.unchanged(&self.seen)) {
            return Ok(());
        }
        let at = self.root.path().display();
        Err(Failure::new(Code::HeadMoved, format!("The earlier DSG has synced {at} meanwhile."))
            .hint("Nothing was adopted. See to it that nobody works with it any more, then try again."))
    }
}

/// The lists of former snapshots that are kept.
fn archived(root: &Dir) -> Outcome<BTreeMap<SnapshotId, String>> {
    let folder = match root.open_beneath(ARCHIVE) {
        Ok(folder) => folder,
        Err(e) if e.is_absent() => return Ok(BTreeMap::new()),
        Err(e) => return Err(e.into()),
    };
    let mut found = BTreeMap::new();
    for name in folder.list()? {
        let Some(name) = name.name.to_str() else { continue };
        let named =
            name.split_once("-sync.json").filter(|(_, end)| ["", ".lz4", ".gz"].contains(end));
        if let Some(id) = named.and_then(|(id, _)| id.parse().ok()) {
            found.insert(id, name.to_owned());
        }
    }
    Ok(found)
}

fn unusable(at: &Path, why: &ListError) -> Failure {
    Failure::new(
        Code::RepositoryDamaged,
        format!("{} of the earlier DSG cannot be used: {why}.", at.display()),
    )
    .hint("Nothing was changed. Restore that file from a backup, or ask whoever keeps the host.")
}

/// Whether none of the earlier DSG's clients holds its lock.
fn unlocked(root: &Dir) -> Outcome<()> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Held {
        user_id: String,
        operation: String,
        timestamp: String,
        hostname: String,
    }
    let file: File = match root.open_file(LOCK) {
        Ok(file) => file,
        Err(e) if e.is_absent() => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    let held: Held =
        serde_json::from_reader(BufReader::new(file.take(64 * 1024))).unwrap_or_default();
    let told = |before: &str, text: &str| {
        if text.is_empty() { String::new() } else { format!(" {before} {text}") }
    };
    let message = format!(
        "{} is in use by the earlier DSG:{}{}{}{}.",
        root.path().display(),
        told("a", if held.operation.is_empty() { "sync" } else { &held.operation }),
        told("by", &held.user_id),
        told("on", &held.hostname),
        told("since", &held.timestamp),
    );
    Err(Failure::new(Code::Locked, message).hint(format!(
        "Wait until it has ended. If it died, finish that sync with it, or remove {} and see with --dry-run what it left.",
        root.at(LOCK).display()
    )))
}
