//! One sync at a time and project, on a thread of its own; afterwards, the next publish is
//! prepared where that pays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;
use dsg_core::safety::Allow;
use dsg_core::snapshot::SnapshotId;
use dsg_engine::endpoint;
use dsg_engine::report::{SyncOptions, SyncReport as Report};

use super::gauge::percent;
use super::offline::is_out_of_reach;
use super::rows::{Rows, conflicts_blocker, results};
use super::session::{Session, busy};
use super::view::PAGE;
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

/// From so many files on a publish is prepared in advance.
const WORTH_PREPARING: u64 = 10_000;
/// Between a sync and that: whoever syncs twice in a row does not wait for it.
const LEISURE: Duration = Duration::from_secs(5);
/// Between two words about a project's percentage.
const PACE: Duration = Duration::from_secs(1);

/// What became of the rows that the last sync took.
pub(super) struct Outcome {
    before: Arc<Rows>,
    /// Each with why it was left out; those first.
    rows: Vec<(u32, Option<Box<str>>)>,
}

impl Outcome {
    /// One page of the rows.
    pub(super) fn page(&self, request: &ListResults) -> ResultsPage {
        let offset = usize::try_from(request.offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX).min(PAGE);
        let rows = self.rows.iter().skip(offset).take(limit);
        let row = |(row, left): &(u32, Option<Box<str>>)| {
            self.before.result(*row as usize, left.as_deref())
        };
        ResultsPage { total: self.rows.len() as u64, rows: rows.map(row).collect() }
    }
}

/// What a sync does before it syncs.
enum First {
    Nothing,
    Undo(SnapshotId),
}

/// Starts a sync; its course and end are told as events.
pub(super) fn start(session: &Arc<Session>, request: &StartSync) -> Result<(), ApiError> {
    let mut options = options(request)?;
    let monitor = monitor(session);
    let before;
    let taken;
    {
        let mut view = session.view();
        if view.is_busy() {
            return Err(busy());
        }
        view.ready()?;
        options.only = view.rows.only(&view.ticks)?;
        let undecided = view.rows.undecided();
        if let Some(reason) = conflicts_blocker(undecided).filter(|_| !options.except_conflicts) {
            return Err(ApiError::new(Code::Conflicts.as_str(), reason)
                .with_hint("Decide how each ends, or sync everything else."));
        }
        before = view.rows.clone();
        taken = view.rows.taken(&view.ticks);
        view.stop_leisure();
        view.at_work.clear();
        view.sync = Some((monitor.clone(), None));
    }
    spawn(session, move |session| run(session, &First::Nothing, options, &monitor, (before, taken)))
}

/// Brings the former snapshot back as a new one; its course and end are told as events.
pub(super) fn undo(session: &Arc<Session>, request: &UndoSync) -> Result<(), ApiError> {
    let Some(snapshot) = super::past::snapshot(Some(&request.snapshot))? else {
        return Err(ApiError::new(Code::Usage.as_str(), "No snapshot is chosen."));
    };
    let monitor = monitor(session);
    {
        let mut view = session.view();
        if view.is_busy() {
            return Err(busy());
        }
        view.ready()?;
        view.stop_leisure();
        view.at_work.clear();
        view.sync = Some((monitor.clone(), None));
    }
    let options = SyncOptions {
        message: format!("Undo of {snapshot}"),
        except_conflicts: true,
        // Whoever undoes a sync that added much means to delete as much.
        allow: [Allow::MassDelete].into(),
        ..SyncOptions::default()
    };
    let before = (Arc::default(), Vec::new());
    spawn(session, move |session| run(session, &First::Undo(snapshot), options, &monitor, before))
}

/// Begins, on a thread of its own, what was announced in the view.
fn spawn(
    session: &Arc<Session>,
    work: impl FnOnce(&Arc<Session>) + Send + 'static,
) -> Result<(), ApiError> {
    (session.events)(Event::ProjectsChanged);
    let working = session.clone();
    let work = move || work(&working);
    let started = std::thread::Builder::new().name("sync".to_owned()).spawn(work);
    started.map(drop).map_err(|cause| {
        session.view().sync = None;
        ApiError::new("no-thread", "The system does not let DSG start a sync now.")
            .with_hint("Close other programs and try again.")
            .with_detail(cause.to_string())
    })
}

fn options(request: &StartSync) -> Result<SyncOptions, ApiError> {
    let allow = request.allow.iter().map(|name| name.parse::<Allow>());
    let allow = allow
        .collect::<Result<_, _>>()
        .map_err(|cause| ApiError::new(Code::Usage.as_str(), cause))?;
    Ok(SyncOptions {
        message: request.message.clone(),
        except_conflicts: request.except_conflicts,
        allow,
        ..SyncOptions::default()
    })
}

/// Tells the course of a sync, and the sidebar's percentage now and then.
fn monitor(session: &Arc<Session>) -> Monitor {
    let weak = Arc::downgrade(session);
    let told = std::sync::Mutex::new(Instant::now());
    session.monitor(Task::Sync, move |progress| {
        let Some(session) = weak.upgrade() else { return false };
        let mut view = session.view();
        let Some((_, now)) = &mut view.sync else { return false };
        *now = percent(progress);
        drop(view);
        let due = told.lock().is_ok_and(|mut told| {
            let due = told.elapsed() >= PACE;
            if due {
                *told = Instant::now();
            }
            due
        });
        if due {
            (session.events)(Event::ProjectsChanged);
        }
        true
    })
}

fn run(
    session: &Arc<Session>,
    first: &First,
    mut options: SyncOptions,
    monitor: &Monitor,
    (before, taken): (Arc<Rows>, Vec<u32>),
) {
    let mut touched = session.view().rows.folders_of_decided();
    let mut kept = Vec::new();
    let mut half_way = None;
    let name = session.view().name.clone();
    let sync = || {
        session.with_engine(monitor, |project| {
            if let First::Undo(snapshot) = first {
                let undone = project.undo(*snapshot, monitor)?;
                options.only = undone.paths;
                touched.clone_from(&options.only);
                kept = undone.kept;
                half_way = Some(*snapshot);
            }
            let mut report = project.sync(&options, monitor)?;
            let stays = |path| (path, "A later snapshot changed it: that stays.".to_owned());
            report.skipped.extend(kept.into_iter().map(stays));
            Ok(report)
        })
    };
    // Whoever pressed the button is there to be asked.
    let ended = session.desk.attended(&session.id, &name, monitor, sync);
    // What the index knows now, and copies that were set aside; the watch names all else that
    // happened meanwhile.
    let silent = Monitor::silent();
    let found = session.with_engine(&silent, |project| {
        project.status_after_into(session.found(), &touched, &silent)
    });
    session.view().sync = None;
    session.show(found);
    session.past.forget_trash();
    let id = session.id.clone();
    match ended {
        Ok(report) => {
            session.reached(&[]);
            keep_outcome(session, &report, before, &taken);
            session.remember_sync();
            session.tell();
            let published = report.snapshot.is_some();
            (session.events)(Event::SyncFinished {
                id: id.clone(),
                report: told(report, taken.len()),
            });
            (session.events)(Event::HistoryChanged { id });
            if published {
                prepare(session);
            }
        }
        Err(error) => {
            if is_out_of_reach(&error.code) {
                session.cut_off(error.clone());
            }
            let error = match half_way {
                Some(snapshot) => undone_here_only(snapshot, &error),
                None => error,
            };
            session.tell();
            (session.events)(Event::SyncFailed { id, error });
        }
    }
}

/// An undo that the folder has and the repository has not: not published is not nothing.
fn undone_here_only(snapshot: SnapshotId, cause: &ApiError) -> ApiError {
    let said = format!("{snapshot} is undone in the folder, but that is not published.");
    let detail = [Some(cause.message.as_str()), cause.detail.as_deref()];
    ApiError::new("undo-pending", said)
        .with_hint("It is pending now: sync it, or restore the last synced version.")
        .with_detail(detail.into_iter().flatten().collect::<Vec<_>>().join("\n"))
}

/// Keeps what became of each row.
fn keep_outcome(session: &Arc<Session>, report: &Report, before: Arc<Rows>, taken: &[u32]) {
    let skipped: std::collections::HashMap<&str, &str> =
        report.skipped.iter().map(|(path, why)| (path.as_str(), why.as_str())).collect();
    let why = |path: &str| skipped.get(path).map(|why| (*why).to_owned());
    let mut view = session.view();
    let rows = results(&before, taken, &view.rows, &why);
    let now = view.rows.clone();
    view.ticks.prune(&before, &now);
    view.outcome = Some(Outcome { before, rows });
    view.revision += 1;
}

fn told(report: Report, results: usize) -> SyncReport {
    let skipped = |(path, reason)| Skipped { path, reason };
    SyncReport {
        snapshot: report.snapshot.map(|id| id.to_string()),
        uploaded: report.uploaded,
        downloaded: report.downloaded,
        deleted_local: report.deleted_local,
        deleted_remote: report.deleted_remote,
        moved: report.moved,
        bytes_sent: report.bytes_sent,
        bytes_received: report.bytes_received,
        seconds: report.seconds,
        conflicts: report.conflicts.into_iter().take(PAGE).collect(),
        skipped: report.skipped.into_iter().take(PAGE).map(skipped).collect(),
        results: results as u64,
    }
}

/// Prepares the next publish of a large repository, at leisure. Nobody hears of it: if it comes
/// to nothing, the next publish takes longer, no more.
fn prepare(session: &Arc<Session>) {
    let monitor = Monitor::silent();
    {
        let mut view = session.view();
        if view.closed || view.is_busy() {
            return;
        }
        view.preparing = Some(monitor.clone());
    }
    let session = session.clone();
    let work = move || {
        let until = Instant::now() + LEISURE;
        while Instant::now() < until {
            if monitor.check().is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let Ok(address) = session.address() else { return };
        let Ok(endpoint) = endpoint::open(&address) else { return };
        let large =
            |head: dsg_core::snapshot::SnapshotHeader| head.totals.entries > WORTH_PREPARING;
        if endpoint.head().ok().flatten().is_some_and(large) {
            let _ = endpoint.prepare_next(&monitor);
        }
    };
    let _ = std::thread::Builder::new().name("prepare".to_owned()).spawn(work);
}
