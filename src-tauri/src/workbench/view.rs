//! What the window shows of one project, as plain values: no engine, nothing that waits.

use dsg_core::entry::Hash;
use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;
use dsg_core::snapshot::SnapshotId;
use dsg_engine::report::Status;

use super::registry::Entry;
use super::rows::{Makers, Rows, conflicts_blocker};
use super::words;
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

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
    pub(super) rows: Rows,
    /// A look ended well at least once.
    pub(super) known: bool,
    pub(super) head: Option<SnapshotId>,
    pub(super) chain: Option<Hash>,
    pub(super) makers: Makers,
    pub(super) last_sync: Option<SnapshotId>,
    pub(super) synced: Option<(String, String)>,
    /// It was synced just now, by being made.
    pub(super) fresh: bool,
    pub(super) unreachable: Option<ApiError>,
    pub(super) unsettled: Option<ApiError>,
    pub(super) failure: Option<ApiError>,
    pub(super) watch: WatchState,
    pub(super) notices: Vec<String>,
    pub(super) scanning: bool,
    /// A sync that is running, and how far it is.
    pub(super) sync: Option<(Monitor, Option<f64>)>,
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
            rows: Rows::default(),
            known: false,
            head: None,
            chain: None,
            makers: Makers::new(),
            last_sync: None,
            synced: entry.synced.clone(),
            fresh: begun.fresh,
            unreachable: None,
            unsettled: None,
            failure: None,
            watch: WatchState::Off { reason: "not yet begun".into() },
            notices: begun.notices,
            scanning: true,
            sync: None,
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

    /// Takes over a status; whether anything is different.
    pub(super) fn take(
        &mut self,
        status: &Status,
        unreachable: Option<ApiError>,
        learned: Option<(Option<Hash>, Makers)>,
    ) -> bool {
        if let Some((chain, makers)) = learned {
            self.chain = chain;
            self.makers = makers;
        } else if self.head != status.head {
            self.chain = None;
            self.makers.clear();
        }
        let rows = Rows::of(&status.changes, &self.makers);
        let unsettled = status.unsettled.as_ref().map(|why| {
            ApiError::new(
                Code::Unsettled.as_str(),
                "A sync is published, but this folder could not be brought to it yet.",
            )
            .with_hint(why.clone())
        });
        let same = self.known
            && self.failure.is_none()
            && self.rows == rows
            && self.head == status.head
            && self.last_sync == status.last_sync
            && self.unreachable == unreachable
            && self.unsettled == unsettled;
        self.known = true;
        self.failure = None;
        self.rows = rows;
        self.head = status.head;
        self.last_sync = status.last_sync;
        self.unreachable = unreachable;
        self.unsettled = unsettled;
        self.address = status.address.to_string();
        if let Some(info) = &status.repository {
            self.guarantee = words::guarantee(info);
        }
        !same
    }

    pub(super) fn page(&self, request: &ListChanges) -> ChangesPage {
        let (rows, matching) = self.rows.page(request);
        let next = self.head.map_or(SnapshotId::FIRST, SnapshotId::next);
        ChangesPage {
            revision: self.revision,
            head: self.head.map(|id| id.to_string()),
            last_sync: self.last_sync.map(|id| {
                let snapshot = id.to_string();
                let time = self.synced.as_ref().filter(|s| s.0 == snapshot).map(|s| s.1.clone());
                LastSync { snapshot, time }
            }),
            reachable: self.unreachable.is_none(),
            trouble: self.trouble().cloned(),
            notices: self.notices.clone(),
            totals: self.rows.totals(),
            selected: self.rows.selected(&request.selection, &next.to_string()),
            rows,
            matching,
            undecided_matching: self.rows.undecided_matching(&request.filter).len() as u64,
            blocker: self.blocker(),
        }
    }

    pub(super) fn trouble(&self) -> Option<&ApiError> {
        self.failure.as_ref().or(self.unsettled.as_ref()).or(self.unreachable.as_ref())
    }

    /// Why no sync can be started now.
    pub(super) fn blocker(&self) -> Option<String> {
        match self.trouble() {
            Some(error) => Some(error.message.clone()),
            None => conflicts_blocker(self.rows.undecided().count() as u64),
        }
    }

    pub(super) fn status(&self) -> ProjectStatus {
        if let Some((_, percent)) = &self.sync {
            return ProjectStatus::Syncing { percent: *percent };
        }
        if self.scanning {
            return ProjectStatus::Scanning;
        }
        if let Some(error) = self.failure.as_ref().or(self.unsettled.as_ref()) {
            return ProjectStatus::Attention { error: error.clone() };
        }
        if let Some(error) = &self.unreachable {
            return ProjectStatus::Offline { message: error.message.clone() };
        }
        match (self.rows.undecided().count() as u64, self.rows.pending()) {
            (0, 0) => ProjectStatus::InSync,
            (0, count) => ProjectStatus::Pending { count },
            (count, _) => ProjectStatus::Conflicts { count },
        }
    }
}
