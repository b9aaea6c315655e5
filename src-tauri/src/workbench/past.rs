//! The history: snapshots, what differs, versions of a path, the proof of all of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use dsg_core::entry::{Entry, Hash, Mtime};
use dsg_core::failure::{Code, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::plan::PathState;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_engine::endpoint::{self, Endpoint};
use dsg_engine::project::{between, find_paths, versions};
use dsg_engine::report::{Difference, DifferenceKind as Kind, PathVersion as Found, TrashItem};

use super::session::Session;
use super::view::PAGE;
use super::words;
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

/// Moves are counted in snapshots of up to so many files: each costs a look through all.
const COUNTED: u64 = 20_000;
const MOST_FOUND: u64 = 200;

/// What was found out and may be asked for again.
#[derive(Default)]
pub(super) struct Past {
    moves: Mutex<HashMap<Hash, u64>>,
    compared: Mutex<Option<(Compared, Arc<Vec<Difference>>)>>,
    /// Transactions of the history, as it was with this head.
    pub(super) transactions: Mutex<Option<(Hash, Arc<Transactions>)>>,
    pub(super) trash: Mutex<Option<Arc<Vec<TrashItem>>>>,
}

/// The snapshot that a transaction published, and its message.
pub(super) type Transactions = HashMap<String, (SnapshotId, String)>;

/// What was compared: the sides, and what tells that they are still the same.
type Compared = (Option<SnapshotId>, Option<SnapshotId>, Option<Hash>, u64);

impl Session {
    /// The repository, for a question.
    pub(super) fn repository(&self) -> Result<Box<dyn Endpoint>, ApiError> {
        Ok(endpoint::open(&self.address()?)?)
    }

    /// Snapshots, newest first.
    pub(super) fn history(&self, request: &ListHistory) -> Result<HistoryPage, ApiError> {
        let here = self.view().last_sync;
        let endpoint = self.repository()?;
        let total = endpoint.head()?.map_or(0, |head| head.id.number());
        let before = match request.before.map(SnapshotId::new) {
            // Nothing comes before s1.
            Some(None) => return Ok(HistoryPage { rows: Vec::new(), total }),
            Some(id) => id,
            None => None,
        };
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let headers = endpoint.headers(before, limit)?;
        let kept: BTreeSet<SnapshotId> = endpoint.kept()?.into_iter().collect();
        let row = |header: &SnapshotHeader| {
            let moved = self.moves(&*endpoint, header);
            let minus = |count: u64| count.saturating_sub(moved.unwrap_or(0));
            SnapshotRow {
                id: header.id.to_string(),
                number: header.id.number(),
                author: header.authorship.author.clone(),
                message: header.authorship.message.clone(),
                time: header.authorship.time.to_string(),
                added: minus(header.delta.added),
                changed: header.delta.changed,
                deleted: minus(header.delta.deleted),
                moved,
                files: header.totals.entries,
                bytes: header.totals.bytes,
                here: here == Some(header.id),
                kept: kept.contains(&header.id),
            }
        };
        Ok(HistoryPage { rows: headers.iter().map(row).collect(), total })
    }

    /// How many paths a snapshot moved, where that is soon found out.
    fn moves(&self, endpoint: &dyn Endpoint, header: &SnapshotHeader) -> Option<u64> {
        if header.delta.added == 0 || header.delta.deleted == 0 {
            return Some(0);
        }
        let known = || self.past.moves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(moved) = known().get(&header.chain) {
            return Some(*moved);
        }
        if header.totals.entries > COUNTED {
            return None;
        }
        let differences = between(endpoint, header.parent, header.id, &Monitor::silent()).ok()?;
        let moved = differences.iter().filter(|d| d.kind == Kind::Moved).count() as u64;
        known().insert(header.chain, moved);
        Some(moved)
    }

    /// What differs between two snapshots, or between one and the folder.
    pub(super) fn compare(&self, request: &CompareSnapshots) -> Result<ComparisonPage, ApiError> {
        let (mut from, to) = (snapshot(request.from.as_deref())?, snapshot(request.to.as_deref())?);
        let endpoint = self.repository()?;
        let head = endpoint.head()?;
        if from.is_none() {
            from = match to {
                Some(to) => SnapshotId::new(to.number() - 1),
                None => head.as_ref().map(|head| head.id),
            };
        }
        // Snapshots never change; the folder does.
        let revision = if to.is_none() { self.view().revision } else { 0 };
        let asked = (from, to, head.map(|head| head.chain), revision);
        let mut compared = self.past.compared.lock().unwrap_or_else(PoisonError::into_inner);
        let known = compared.as_ref().filter(|(known, _)| *known == asked);
        let differences = if let Some((_, differences)) = known {
            Arc::clone(differences)
        } else {
            *compared = None;
            let found = match to {
                Some(to) => between(&*endpoint, from, to, &Monitor::silent())?,
                None => self.with_reader(|project| project.differs_from(&*endpoint, from))?,
            };
            let found = Arc::new(found);
            *compared = Some((asked, Arc::clone(&found)));
            found
        };
        drop(compared);
        Ok(comparison(&differences, request))
    }

    /// Paths that any snapshot has.
    pub(super) fn find(&self, request: &FindPaths) -> Result<Vec<FoundPath>, ApiError> {
        let text = request.text.trim();
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let limit = usize::try_from(request.limit.min(MOST_FOUND)).unwrap_or(usize::MAX);
        let found = find_paths(&*self.repository()?, text, limit)?;
        let row = |found: dsg_engine::report::FoundPath| FoundPath {
            path: found.path.into(),
            deleted: found.deleted.map(|id| id.to_string()),
        };
        Ok(found.into_iter().map(row).collect())
    }

    /// The distinct versions of a path, newest first.
    pub(super) fn versions(&self, request: &PathRef) -> Result<Vec<PathVersion>, ApiError> {
        let path = repo_path(&request.path)?;
        let endpoint = self.repository()?;
        let found = versions(&*endpoint, &path)?;
        let kept: BTreeSet<SnapshotId> = endpoint.kept()?.into_iter().collect();
        let here = self.with_reader(|project| project.sides(&request.path))?;
        let local = here.as_ref().and_then(|sides| sides.local.entry());
        let row = |found: Found| {
            let made = maker(&found.header);
            let same = |entry: &Entry| local.is_some_and(|local| local.same(entry));
            PathVersion {
                here: found.entry.as_ref().is_some_and(same),
                kept: kept.range(found.header.id..=found.until).next().is_some(),
                version: found.entry.map(|entry| version(&entry, Some(made.clone()))),
                until: found.until.to_string(),
                made,
            }
        };
        Ok(found.into_iter().map(row).collect())
    }

    /// Proves the history.
    pub(super) fn verify(self: &Arc<Self>, request: &VerifyHistory) -> Result<Receipt, ApiError> {
        let endpoint = self.repository()?;
        let deep = request.deep;
        let (snapshots, head) = self.with_job(|monitor| {
            let total = endpoint.head()?.map(|head| head.id.number());
            monitor.phase(dsg_core::monitor::Phase::Comparing, total, None);
            let proved = endpoint.verify_history(deep, monitor)?;
            // Whoever cites this folder cites what is in it now.
            let found =
                self.with_engine(monitor, |p| p.status_into(self.found(), true, monitor))?;
            self.show(Ok(found));
            Ok(proved)
        })?;
        let view = self.view();
        let settled = matches!(view.status(), ProjectStatus::InSync);
        let is_head = view.last_sync == Some(head.id) && view.head == Some(head.id);
        let folder = (settled && is_head).then(|| head.id.to_string());
        drop(view);
        let mut receipt = Receipt {
            repository: endpoint.info().id.clone(),
            snapshots,
            head: head.id.to_string(),
            chain: head.chain.to_string(),
            manifest: head.manifest.to_string(),
            deep,
            folder,
            text: String::new(),
        };
        receipt.text = text(&receipt, &self.root.display().to_string(), &head);
        Ok(receipt)
    }

    /// What each side has at a path.
    pub(super) fn sides(&self, path: &str) -> Result<Option<PathState>, ApiError> {
        self.with_reader(|project| project.sides(path))
    }
}

/// A history that proved itself, as text.
fn text(receipt: &Receipt, root: &str, head: &SnapshotHeader) -> String {
    let folder = match &receipt.folder {
        Some(id) => format!("{root} is exactly {id}."),
        None => format!("{root} has changes that are not synced, or is not at {}.", receipt.head),
    };
    let depth = if receipt.deep { "headers and all lists of files" } else { "headers" };
    format!(
        "Repository {}\nSnapshot {}, {} by {}\nList of files, SHA-256 {}\nHistory of {} snapshots ({depth}), SHA-256 {}\n{folder}\nProved {}\n",
        receipt.repository,
        receipt.head,
        head.authorship.time,
        head.authorship.author,
        receipt.manifest,
        receipt.snapshots,
        receipt.chain,
        jiff::Timestamp::now(),
    )
}

fn comparison(differences: &[Difference], request: &CompareSnapshots) -> ComparisonPage {
    let filter = request.filter.trim().to_lowercase();
    let fits = |d: &&Difference| {
        let occurs = |path: &str| path.to_lowercase().contains(&filter);
        filter.is_empty() || occurs(&d.path) || d.old_path.as_deref().is_some_and(occurs)
    };
    let count = |kind: Kind| differences.iter().filter(|d| d.kind == kind).count() as u64;
    let brought = |d: &&Difference| matches!(d.kind, Kind::Added | Kind::Changed);
    let row = |d: &Difference| DifferenceRow {
        path: d.path.clone(),
        old_path: d.old_path.clone(),
        kind: match d.kind {
            Kind::Added => DifferenceKind::Added,
            Kind::Changed => DifferenceKind::Changed,
            Kind::Deleted => DifferenceKind::Deleted,
            Kind::Moved => DifferenceKind::Moved,
        },
        size_before: d.before.as_ref().map(Entry::size),
        size_after: d.after.as_ref().map(Entry::size),
    };
    let offset = usize::try_from(request.offset).unwrap_or(usize::MAX);
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX).min(PAGE);
    ComparisonPage {
        rows: differences.iter().filter(fits).skip(offset).take(limit).map(row).collect(),
        matching: differences.iter().filter(fits).count() as u64,
        added: count(Kind::Added),
        changed: count(Kind::Changed),
        deleted: count(Kind::Deleted),
        moved: count(Kind::Moved),
        bytes: differences
            .iter()
            .filter(brought)
            .filter_map(|d| d.after.as_ref())
            .map(Entry::size)
            .sum(),
    }
}

/// A snapshot's name, as the window gave it.
pub(super) fn snapshot(name: Option<&str>) -> Result<Option<SnapshotId>, ApiError> {
    let parse = |name: &str| {
        name.parse::<SnapshotId>().map_err(|cause| {
            ApiError::new(Code::NotFound.as_str(), format!("There is no snapshot {name}."))
                .with_hint("Choose one of the list.")
                .with_detail(cause.to_string())
        })
    };
    name.map(parse).transpose()
}

/// A path, as the window gave it.
pub(super) fn repo_path(path: &str) -> Result<RepoPath, ApiError> {
    RepoPath::parse(path).map_err(|cause| {
        ApiError::new(Code::NotFound.as_str(), format!("{path} is not a path of the project."))
            .with_hint("Choose one of the list.")
            .with_detail(cause.to_string())
    })
}

/// Who made a snapshot.
pub(super) fn maker(header: &SnapshotHeader) -> Maker {
    Maker {
        snapshot: header.id.to_string(),
        author: header.authorship.author.clone(),
        time: header.authorship.time.to_string(),
        message: header.authorship.message.clone(),
    }
}

/// One version of a path.
pub(super) fn version(entry: &Entry, made: Option<Maker>) -> Version {
    match entry {
        Entry::File(file) => {
            let Mtime(at) = file.mtime;
            Version {
                kind: VersionKind::File,
                size: file.size,
                time: words::time(at),
                executable: file.exec,
                target: None,
                sha256: Some(file.hash.to_string()),
                made,
            }
        }
        Entry::Link(target) => Version {
            kind: VersionKind::Link,
            size: 0,
            time: None,
            executable: false,
            target: Some(target.as_str().to_owned()),
            sha256: None,
            made,
        },
    }
}

/// The transactions of the history.
pub(super) fn transactions(endpoint: &dyn Endpoint) -> Outcome<Transactions> {
    let headers = endpoint.headers(None, usize::MAX)?;
    let of = |header: SnapshotHeader| {
        (header.authorship.transaction, (header.id, header.authorship.message))
    };
    Ok(headers.into_iter().map(of).collect())
}
