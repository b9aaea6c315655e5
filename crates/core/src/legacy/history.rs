//! Lists of the earlier DSG, one after the other, as snapshots of ours, under their numbers.
//!
//! What a file held is named by its SHA-256 where that content is still there, so that the history goes
//! on without a break; else by its xxh3-64, which no content of ours has ([`Hash::of_xxh3`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Past;
use super::list::{List, Listed, Metadata};
use crate::config::{SharedConfig, Tracking};
use crate::entry::{Entry, FileEntry, Hash};
use crate::manifest::{Change, Totals, line};
use crate::path::RepoPath;
use crate::snapshot::{Authorship, DeltaCounts, LEGACY_FORMAT, Legacy, SnapshotHeader, SnapshotId};

/// No kept configuration that is longer is taken over.
const LONGEST_CONFIG: usize = 64 * 1024;

/// A snapshot's whole list, as ours.
pub type Tree = BTreeMap<RepoPath, Entry>;

/// What is known of the contents that are there now.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// By sum and size; `None`: two contents have them.
    by_sum: HashMap<(u64, u64), Option<Hash>>,
    executable: BTreeSet<RepoPath>,
}

impl Contents {
    /// A content is there: its xxh3-64, its bytes and its SHA-256.
    pub fn know(&mut self, sum: u64, size: u64, hash: Hash) {
        let known = self.by_sum.entry((sum, size)).or_insert(Some(hash));
        if *known != Some(hash) {
            *known = None;
        }
    }

    /// The earlier DSG did not record this of files: what it is now counts for all of a path's history.
    pub fn executable(&mut self, path: RepoPath) {
        self.executable.insert(path);
    }

    fn entry(&self, path: &RepoPath, listed: &Listed) -> Entry {
        match listed {
            Listed::Link(target) => Entry::Link(target.clone()),
            Listed::File { size, mtime, sum } => {
                let known = self.by_sum.get(&(*sum, *size)).copied().flatten();
                let hash = known.unwrap_or_else(|| Hash::of_xxh3(*sum));
                let exec = self.executable.contains(path.as_str());
                Entry::File(FileEntry { size: *size, mtime: *mtime, exec, hash })
            }
        }
    }
}

/// One snapshot of the earlier DSG, as one of ours.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Its header.
    pub header: SnapshotHeader,
    /// What it changed, sorted.
    pub changes: Vec<Change>,
}

impl Turn {
    /// As an adoption shows it.
    pub fn past(&self) -> Past {
        let SnapshotHeader { id, authorship, totals, legacy, .. } = &self.header;
        Past {
            id: *id,
            author: authorship.author.clone(),
            message: limited(&authorship.message, 200),
            time: authorship.time,
            totals: *totals,
            list: legacy.unwrap_or(Legacy::Missing),
        }
    }
}

/// Whoever turns them: what all the snapshots have in common.
#[derive(Clone, Debug)]
pub struct Adopter {
    /// The repository's new id.
    pub repository: String,
    /// The transaction that adopts it.
    pub transaction: String,
    /// The configuration.
    pub config: SharedConfig,
}

impl Adopter {
    /// The next snapshot; `tree` becomes its list. Without a list of its own it keeps that of the one
    /// before, and what it changed shows in the next.
    pub fn turn(
        &self,
        tree: &mut Tree,
        before: Option<&SnapshotHeader>,
        metadata: Option<&Metadata>,
        list: Option<(&BTreeMap<RepoPath, Listed>, Legacy)>,
        contents: &Contents,
    ) -> Turn {
        let mut delta = DeltaCounts::default();
        let mut changes = Vec::new();
        let state = list.as_ref().map_or(Legacy::Missing, |(_, state)| *state);
        if let Some((entries, _)) = list {
            for path in tree.keys().filter(|path| !entries.contains_key(path.as_str())) {
                delta.deleted += 1;
                changes.push(Change { path: path.clone(), entry: None });
            }
            for (path, listed) in entries {
                let entry = contents.entry(path, listed);
                match tree.get(path) {
                    Some(was) if was.same(&entry) => continue,
                    Some(_) => delta.changed += 1,
                    None => delta.added += 1,
                }
                changes.push(Change { path: path.clone(), entry: Some(entry) });
            }
            changes.sort_by(|a, b| a.path.cmp(&b.path));
        }
        for Change { path, entry } in &changes {
            match entry {
                Some(entry) => drop(tree.insert(path.clone(), entry.clone())),
                None => drop(tree.remove(path)),
            }
        }
        let mut body = Sha256::new();
        for change in &changes {
            body.update(line(&change.path, change.entry.as_ref()));
        }
        let (manifest, totals) = summed(tree);
        let earlier = before.map_or(jiff::Timestamp::UNIX_EPOCH, |header| header.authorship.time);
        let said = |text: fn(&Metadata) -> &Option<String>, most| {
            metadata.and_then(|m| text(m).as_deref().map(|text| limited(text, most)))
        };
        let header = SnapshotHeader {
            format: LEGACY_FORMAT,
            repository: self.repository.clone(),
            id: before.map_or(SnapshotId::FIRST, |header| header.id.next()),
            parent: before.map(|header| header.id),
            authorship: Authorship {
                author: said(|m| &m.created_by, 250).unwrap_or_else(|| "unknown".to_owned()),
                message: said(|m| &m.snapshot_message, 16_000).unwrap_or_default(),
                time: metadata.and_then(Metadata::time).unwrap_or(earlier),
                transaction: self.transaction.clone(),
            },
            config: self.config.clone(),
            totals,
            delta,
            manifest,
            delta_sha256: Hash(body.finalize().into()),
            legacy: Some(state),
            chain: Hash([0; 32]),
        };
        Turn { header: header.chained(before.map(|header| header.chain)), changes }
    }
}

/// A text of at most so many characters.
pub(super) fn limited(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The SHA-256 of a whole list's canonical text, and what it holds.
fn summed(tree: &Tree) -> (Hash, Totals) {
    let mut text = Sha256::new();
    let mut totals = Totals::default();
    for (path, entry) in tree {
        text.update(line(path, Some(entry)));
        totals.entries += 1;
        totals.bytes = totals.bytes.saturating_add(entry.size());
    }
    (Hash(text.finalize().into()), totals)
}

impl List {
    /// The configuration that the repository goes on with: what was kept of it with this list; where
    /// nothing was, the defaults, or everything if they leave out what it holds.
    pub fn config(&self, name: &str) -> SharedConfig {
        let kept = self.metadata.config().and_then(|kept| said(kept, name));
        kept.unwrap_or_else(|| {
            let mut config = SharedConfig::new(name);
            if self.entries.keys().any(|path| config.file(path) != Tracking::Tracked) {
                config.data_dirs = ["*".to_owned()].into();
            }
            config
        })
    }
}

/// What a kept configuration says, in whichever of its formats; `None` if it says nothing of data.
fn said(kept: &Value, name: &str) -> Option<SharedConfig> {
    let inner = kept.get("project").filter(|inner| inner.is_object()).unwrap_or(kept);
    let words = |value: Option<&Value>| -> Option<BTreeSet<String>> {
        let words = value?.as_array()?.iter();
        Some(words.filter_map(|word| word.as_str().map(str::to_owned)).collect())
    };
    let named = kept.get("name").and_then(Value::as_str).unwrap_or(name);
    let mut config = SharedConfig::new(named);
    // It travels in every header.
    if inner.to_string().len() > LONGEST_CONFIG {
        return None;
    }
    config.data_dirs = words(inner.get("data_dirs"))?;
    if let Some(ignore) = inner.get("ignore") {
        for (key, into) in [
            ("paths", &mut config.ignore.paths),
            ("names", &mut config.ignore.names),
            ("suffixes", &mut config.ignore.suffixes),
        ] {
            if let Some(words) = words(ignore.get(key)) {
                *into = words;
            }
        }
    }
    config.checked().ok()
}
