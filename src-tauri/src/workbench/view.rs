//! What the window shows of one project, as plain values: no engine, nothing that waits.

use std::collections::HashMap;
use std::sync::Arc;

use dsg_core::entry::Hash;
use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;
use dsg_core::snapshot::SnapshotId;
use dsg_engine::report::Status;

use super::offline::Cut;
use super::registry::Entry;
use super::rows::{Conflicts, Folders, Found, IgnoredPath, Rows, Shown, Ticks, conflicts_blocker};
use super::syncing::Outcome;
use super::words;
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

/// Most rows that are given at once.
pub(super) const PAGE: usize = 1000;

/// Why nothing is decided or synced yet: what is shown is of an earlier session.
const LOOKING: &str = "The folder is being looked at.";

/// Whether it says who made the repository's side of it.
pub(super) fn has_maker(row: &ChangeRow) -> bool {
    matches!(row.group, Group::Incoming | Group::Conflicts)
}

/// With what a session begins.
#[derive(Default)]
pub(super) struct Begun {
    /// What was told while the project was made.
    pub notices: Vec<String>,
    /// The project was made just now, and is synced by that.
    pub fresh: bool,
}

/// What the window shows of a project, and what is under way.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct View {
    pub(super) revision: u64,
    pub(super) name: String,
    pub(super) address: String,
    pub(super) guarantee: String,
    /// Where the repository stands, as it said last.
    pub(super) place: Option<Place>,
    pub(super) rows: Arc<Rows>,
    /// What the next sync takes.
    pub(super) ticks: Ticks,
    pub(super) folders: Folders,
    /// What the window saw last.
    shown: Shown,
    /// What the rules leave alone; none before anybody wants to see it.
    pub(super) ignored: Option<Vec<IgnoredPath>>,
    /// It is known what is pending.
    pub(super) known: bool,
    /// From an earlier session: this one did not look yet.
    pub(super) recalled: bool,
    pub(super) head: Option<SnapshotId>,
    pub(super) chain: Option<Hash>,
    /// Who made the repository's side of a path, as far as that was asked.
    pub(super) makers: HashMap<String, Option<Maker>>,
    /// The sync of this folder that can be undone, as it was with this head.
    pub(super) undo: Option<(Hash, Option<UndoOffer>)>,
    pub(super) outcome: Option<Outcome>,
    pub(super) last_sync: Option<SnapshotId>,
    pub(super) synced: Option<(String, String)>,
    /// It was synced just now, by being made.
    pub(super) fresh: bool,
    pub(super) offline: Option<Cut>,
    /// Who else is at work in the repository.
    pub(super) at_work: Vec<AtWork>,
    pub(super) unsettled: Option<ApiError>,
    /// Something was changed on the repository's host, outside DSG.
    pub(super) drift: Option<ApiError>,
    pub(super) failure: Option<ApiError>,
    pub(super) watch: WatchState,
    pub(super) notices: Vec<String>,
    pub(super) scanning: bool,
    /// A sync that is running, and how far it is.
    pub(super) sync: Option<(Monitor, Option<f64>)>,
    /// A restore or a check that is running.
    pub(super) job: Option<Monitor>,
    /// A look that is running.
    pub(super) look: Option<Monitor>,
    /// Preparation of the next publish that is running.
    pub(super) preparing: Option<Monitor>,
    pub(super) closed: bool,
}

impl View {
    /// Of a project that was not looked at yet.
    pub(super) fn new(entry: &Entry, begun: Begun) -> Self {
        Self {
            revision: 0,
            name: entry.name.clone(),
            address: entry.address.clone(),
            guarantee: String::new(),
            place: None,
            rows: Arc::default(),
            ticks: Ticks::default(),
            folders: Folders::default(),
            shown: Shown::default(),
            ignored: None,
            known: false,
            recalled: false,
            head: None,
            chain: None,
            makers: HashMap::new(),
            undo: None,
            outcome: None,
            last_sync: None,
            synced: entry.synced.clone(),
            fresh: begun.fresh,
            offline: None,
            at_work: Vec::new(),
            unsettled: None,
            drift: None,
            failure: None,
            watch: WatchState::Off { reason: "not yet begun".into() },
            notices: begun.notices,
            scanning: true,
            sync: None,
            job: None,
            look: None,
            preparing: None,
            closed: false,
        }
    }

    /// Stops what nobody waits for.
    pub(super) fn stop_leisure(&mut self) {
        for monitor in [&self.look, &self.preparing].into_iter().flatten() {
            monitor.stop();
        }
    }

    /// Takes over a status; whether anything is different. `chain`: the head's, if it was asked.
    pub(super) fn take(&mut self, status: Status<Found>, chain: Option<Hash>) -> bool {
        if self.head != status.head {
            self.makers.clear();
        }
        if chain.is_some() || self.head != status.head {
            self.chain = chain;
        }
        let mut rows = status.changes.rows();
        let mut same_rows = Arc::ptr_eq(&self.rows, &rows);
        if let Some(ignored) = self.ignored.as_deref().filter(|_| !same_rows) {
            rows = Arc::new(rows.with_ignored(ignored));
        }
        same_rows |= self.rows == rows;
        let unsettled = status.unsettled.map(|why| {
            ApiError::new(
                Code::Unsettled.as_str(),
                "A sync is published, but this folder could not be brought to it yet.",
            )
            .with_hint(why)
        });
        // Only a repository that was asked says something about its host.
        let mut same = true;
        if let Some(standing) = &status.standing {
            let drift = words::drift(&status.drift);
            // Room comes and goes all the time: that alone is no news.
            same = self.drift == drift && self.place.is_some();
            (self.drift, self.place) = (drift, Some(words::place(standing)));
            if let Some(settled) = standing.settled {
                same = false;
                let told = settled.to_string();
                if !self.notices.contains(&told) {
                    self.notices.push(told);
                }
            }
        }
        let same = same
            && self.known
            && self.failure.is_none()
            && same_rows
            && self.head == status.head
            && self.last_sync == status.last_sync
            && self.unsettled == unsettled;
        self.known = true;
        self.failure = None;
        if !same_rows {
            self.set_rows(rows);
        }
        self.head = status.head;
        self.last_sync = status.last_sync;
        self.unsettled = unsettled;
        self.address = status.address.to_string();
        if let Some(info) = &status.repository {
            self.guarantee = words::guarantee(info);
        }
        !same
    }

    fn set_rows(&mut self, rows: Arc<Rows>) {
        self.ticks.apply(&rows);
        self.rows = rows;
        self.shown = Shown::default();
    }

    /// Takes over what the rules leave alone; whether that is news.
    pub(super) fn take_ignored(&mut self, ignored: Vec<IgnoredPath>) -> bool {
        if self.ignored.as_ref() == Some(&ignored) {
            return false;
        }
        let rows = self.rows.with_ignored(&ignored);
        self.ignored = Some(ignored);
        self.set_rows(Arc::new(rows));
        self.revision += 1;
        true
    }

    /// What a view shows, found anew if it is not what was shown last.
    fn show(&mut self, view: &ChangesView) {
        if !self.shown.is_of(view) {
            self.shown = Shown::new(&self.rows, view, &self.folders);
        }
    }

    pub(super) fn page(&mut self, request: &ListChanges) -> ChangesPage {
        self.show(&request.view);
        let first = usize::try_from(request.offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX).min(PAGE);
        let lines = (first..first.saturating_add(limit)).map_while(|n| self.shown.line(n));
        let rows: Vec<ChangesRow> =
            lines.map(|line| self.named(self.rows.line(&self.shown, &self.ticks, &line))).collect();
        let next = self.head.map_or(SnapshotId::FIRST, SnapshotId::next);
        ChangesPage {
            revision: self.revision,
            head: self.head.map(|id| id.to_string()),
            last_sync: self.last_sync.map(|id| {
                let snapshot = id.to_string();
                let time = self.synced.as_ref().filter(|s| s.0 == snapshot).map(|s| s.1.clone());
                LastSync { snapshot, time }
            }),
            offline: self.offline.as_ref().map(|cut| cut.told.clone()),
            trouble: self.trouble().cloned(),
            notices: self.notices.clone(),
            totals: self.rows.totals(self.ignored.is_some()),
            selected: self.rows.selected(&self.ticks, &next.to_string()),
            rows,
            total: self.shown.total() as u64,
            matching: self.shown.matching().len() as u64,
            ticked: self.rows.ticked(&self.shown, &self.ticks),
            undecided_matching: self
                .rows
                .conflicts_matching(&request.view.filter, Conflicts::Undecided)
                .len() as u64,
            blocker: self.blocker(),
            undo: self.undo_offer(),
        }
    }

    /// Adds who made the repository's side.
    fn named(&self, row: ChangesRow) -> ChangesRow {
        match row {
            ChangesRow::Change(row) => ChangesRow::Change(self.with_maker(row)),
            folder @ ChangesRow::Folder(_) => folder,
        }
    }

    pub(super) fn with_maker(&self, mut row: ChangeRow) -> ChangeRow {
        if has_maker(&row)
            && let Some(Some(maker)) = self.makers.get(&row.path)
        {
            row.remote_author = Some(maker.author.clone());
            row.remote_time = Some(maker.time.clone());
            row.remote_snapshot = Some(maker.snapshot.clone());
        }
        row
    }

    /// What can be undone, while anything can be synced at all.
    fn undo_offer(&self) -> Option<UndoOffer> {
        self.undo
            .as_ref()
            .and_then(|(_, offer)| offer.clone())
            .filter(|_| self.trouble().is_none() && self.offline.is_none())
    }

    /// Opens or closes folders.
    pub(super) fn expand(&mut self, path: Option<&str>, open: bool) {
        self.folders.set(path, open);
        self.shown = Shown::default();
        self.revision += 1;
    }

    /// Says what the next sync takes.
    pub(super) fn select(&mut self, view: &ChangesView, what: &SelectWhat, ticked: bool) {
        self.show(view);
        self.ticks.select(&self.rows, &self.shown, what, ticked);
        self.revision += 1;
    }

    /// Where a path stands, after opening the folders that it lies in.
    pub(super) fn locate(&mut self, view: &ChangesView, path: &str) -> Option<u64> {
        self.show(view);
        let row = self.rows.find(path)?;
        if self.shown.position(row).is_none() && view.layout == Layout::Tree {
            for (at, _) in path.match_indices('/') {
                self.folders.set(Some(&path[..at]), true);
            }
            self.shown = Shown::default();
            self.revision += 1;
            self.show(view);
        }
        Some(self.shown.position(row)? as u64)
    }

    /// Whether something changes the folder now.
    pub(super) fn is_busy(&self) -> bool {
        self.sync.is_some() || self.job.is_some()
    }

    /// Whether what is shown may be decided on and synced: it was looked at in this session.
    pub(super) fn ready(&self) -> Result<(), ApiError> {
        if self.recalled {
            return Err(ApiError::new("looking", LOOKING).with_hint("Try again in a moment."));
        }
        Ok(())
    }

    pub(super) fn trouble(&self) -> Option<&ApiError> {
        self.failure.as_ref().or(self.unsettled.as_ref()).or(self.drift.as_ref())
    }

    /// Why no sync can be started now.
    pub(super) fn blocker(&self) -> Option<String> {
        let offline = self.offline.as_ref().map(|cut| &cut.told.error);
        match self.trouble().or(offline) {
            Some(error) => Some(error.message.clone()),
            None if self.recalled => Some(LOOKING.to_owned()),
            None => conflicts_blocker(self.rows.undecided()),
        }
    }

    pub(super) fn status(&self) -> ProjectStatus {
        if let Some((_, percent)) = &self.sync {
            return ProjectStatus::Syncing { percent: *percent };
        }
        if self.scanning {
            return ProjectStatus::Scanning;
        }
        if let Some(error) = self.trouble() {
            return ProjectStatus::Attention { error: error.clone() };
        }
        if let Some(cut) = &self.offline {
            return ProjectStatus::Offline { offline: cut.told.clone() };
        }
        match (self.rows.undecided(), self.rows.pending()) {
            (0, 0) => match self.rows.blocked() {
                0 => ProjectStatus::InSync,
                count => ProjectStatus::Blocked { count },
            },
            (0, count) => ProjectStatus::Pending { count },
            (count, _) => ProjectStatus::Conflicts { count },
        }
    }
}
