//! Who is at work in a repository, and how far: what the holders of its locks say of themselves.
//!
//! A transaction's area is locked by whoever stages in it, the repository by whoever publishes; what
//! stands in a lock counts only while a living process holds it, so that nobody dead is shown. A holder
//! says how far it is at most once a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dsg_core::failure::Outcome;
use dsg_core::monitor::{Event, Monitor, Sink};
use dsg_core::places::{Lease, Work};
use dsg_core::repository::Upload;
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::Dir;
use dsg_fs::lock::Lock;
use serde::{Deserialize, Serialize};

use super::layout::{LOCK, STAGING};
use super::staging::check_transaction;
use super::store::{Ground, TreeStore};

/// Between two words about how far it is.
const PACE: Duration = Duration::from_secs(1);
/// No more transactions at once are told of.
const MOST: usize = 100;

/// How far a holder is, as it stands in its lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Course {
    snapshot: Option<SnapshotId>,
    files: Option<(u64, u64)>,
    bytes: Option<(u64, u64)>,
    /// It is being published: the repository's lock tells who does.
    #[serde(default)]
    publishing: bool,
}

/// The lock of a transaction's area, and what its holder says there.
pub(super) struct Voice {
    lock: Mutex<(Lock, Option<Instant>)>,
}

impl Voice {
    pub(super) fn new(lock: Lock) -> Arc<Self> {
        Arc::new(Self { lock: Mutex::new((lock, None)) })
    }

    fn say(&self, course: Course, now: bool) {
        let Ok(mut lock) = self.lock.try_lock() else { return };
        if !now && lock.1.is_some_and(|last| last.elapsed() < PACE) {
            return;
        }
        lock.1 = Some(Instant::now());
        if let Ok(text) = serde_json::to_string(&course) {
            lock.0.doing(&text);
        }
    }

    /// The transaction is being published from now on.
    pub(super) fn publishing(&self, next: SnapshotId) {
        self.say(Course { snapshot: Some(next), publishing: true, ..Course::default() }, true);
    }

    /// A monitor that tells others too how far the staging of these uploads is.
    pub(super) fn staging(
        self: &Arc<Self>,
        base: Option<SnapshotId>,
        uploads: &[Upload],
        monitor: &Monitor,
    ) -> Monitor {
        let snapshot = base.map_or(SnapshotId::FIRST, SnapshotId::next);
        let bytes = uploads.iter().map(|upload| upload.file.size).sum();
        self.telling(snapshot, uploads.len() as u64, Some(bytes), monitor)
    }

    /// A monitor that tells others too how far a publish is in which so many files are taken over or
    /// changed.
    pub(super) fn taking_over(
        self: &Arc<Self>,
        next: SnapshotId,
        files: u64,
        monitor: &Monitor,
    ) -> Monitor {
        self.telling(next, files, None, monitor)
    }

    /// `bytes`: all that come; none do in a publish.
    fn telling(
        self: &Arc<Self>,
        snapshot: SnapshotId,
        files: u64,
        bytes: Option<u64>,
        monitor: &Monitor,
    ) -> Monitor {
        let told = Arc::new(Telling {
            voice: Arc::clone(self),
            monitor: monitor.clone(),
            snapshot,
            all: (files, bytes),
            done: (AtomicU64::new(0), AtomicU64::new(0)),
        });
        told.tell(true);
        monitor.through(told)
    }
}

/// Passes events on, and counts them for others.
struct Telling {
    voice: Arc<Voice>,
    monitor: Monitor,
    snapshot: SnapshotId,
    all: (u64, Option<u64>),
    done: (AtomicU64, AtomicU64),
}

impl Telling {
    fn tell(&self, now: bool) {
        let done = |done: &AtomicU64, all: u64| (done.load(Ordering::Relaxed).min(all), all);
        let (snapshot, files) = (Some(self.snapshot), Some(done(&self.done.0, self.all.0)));
        let bytes = self.all.1.map(|all| done(&self.done.1, all));
        self.voice.say(Course { snapshot, files, bytes, publishing: bytes.is_none() }, now);
    }
}

impl Sink for Telling {
    fn event(&self, event: Event) {
        if let Event::Advanced { files, bytes } = event {
            let before = self.done.0.fetch_add(files, Ordering::Relaxed);
            self.done.1.fetch_add(bytes, Ordering::Relaxed);
            // That the last one is done is told whenever it is.
            self.tell((before..before + files).contains(&self.all.0.saturating_sub(1)));
        }
        self.monitor.event(event);
    }
}

/// A monitor that hears of everything but progress.
pub(super) fn without_progress(monitor: &Monitor) -> Monitor {
    struct Rest(Monitor);
    impl Sink for Rest {
        fn event(&self, event: Event) {
            if !matches!(event, Event::Advanced { .. }) {
                self.0.event(event);
            }
        }
    }
    monitor.through(Arc::new(Rest(monitor.clone())))
}

const PUBLISHES: &str = "publishes ";

/// What a publisher's lock says it does; `step` may be empty.
pub(super) fn publishes(next: SnapshotId, step: &str) -> String {
    let colon = if step.is_empty() { "" } else { ": " };
    format!("{PUBLISHES}{next}{colon}{step}")
}

/// The snapshot that a publisher's lock names.
fn published(doing: &str) -> Option<SnapshotId> {
    doing.strip_prefix(PUBLISHES)?.split(':').next()?.parse().ok()
}

/// The areas in which transactions stage, by their ids.
pub(super) fn areas(staging: &Dir) -> Outcome<Vec<(String, Dir)>> {
    let mut areas = Vec::new();
    for name in staging.list()? {
        let Some(name) = name.name.to_str().filter(|n| check_transaction(n).is_ok()) else {
            continue;
        };
        // It may end while it is looked at.
        if let Ok(area) = staging.open_beneath(name) {
            areas.push((name.to_owned(), area));
        }
    }
    Ok(areas)
}

impl TreeStore {
    /// Who is at work here: first whoever publishes, then whoever stages.
    ///
    /// # Errors
    /// The locks cannot be looked at.
    pub fn leases(&self) -> Outcome<Vec<Lease>> {
        let mut leases = Vec::new();
        let repo = self.repo()?;
        let publisher = repo.holder()?;
        if let Some(holder) = publisher {
            let snapshot = published(&holder.doing);
            leases.push(Lease {
                who: holder.who,
                since: holder.since,
                work: if snapshot.is_some() { Work::Publishing } else { Work::Housekeeping },
                transaction: None,
                snapshot,
                files: None,
                bytes: None,
            });
        }
        let areas = match &self.ground {
            Ground::Folder(repo) => areas(&repo.layout.folder(STAGING)?)?,
            Ground::Dataset(site) => site.areas()?,
        };
        for (name, area) in areas.into_iter().take(MOST) {
            let Ok(Some(holder)) = Lock::holder(&area, LOCK) else { continue };
            let course: Course = serde_json::from_str(&holder.doing).unwrap_or_default();
            if course.publishing {
                let publisher = leases.iter_mut().find(|l| l.work == Work::Publishing);
                if let Some(publisher) = publisher.filter(|l| l.snapshot == course.snapshot) {
                    publisher.transaction = Some(name);
                    (publisher.files, publisher.bytes) = (course.files, course.bytes);
                }
                continue;
            }
            leases.push(Lease {
                who: holder.who,
                since: holder.since,
                work: Work::Staging,
                transaction: Some(name),
                snapshot: course.snapshot,
                files: course.files,
                bytes: course.bytes,
            });
        }
        Ok(leases)
    }
}
