//! One sync at a time and project, on a thread of its own; afterwards, the next publish is
//! prepared where that pays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;
use dsg_core::safety::Allow;
use dsg_engine::endpoint;
use dsg_engine::report::{SyncOptions, SyncReport as Report};

use super::gauge::percent;
use super::rows::conflicts_blocker;
use super::session::{Session, busy};
use crate::api::{ApiError, Event, Skipped, StartSync, SyncReport};

/// From so many files on a publish is prepared in advance.
const WORTH_PREPARING: u64 = 10_000;
/// Between a sync and that: whoever syncs twice in a row does not wait for it.
const LEISURE: Duration = Duration::from_secs(5);
/// Between two words about a project's percentage.
const PACE: Duration = Duration::from_secs(1);

/// Starts a sync; its course and end are told as events.
pub(super) fn start(session: &Arc<Session>, request: &StartSync) -> Result<(), ApiError> {
    let mut options = options(request)?;
    let monitor = monitor(session);
    {
        let mut view = session.view();
        if view.sync.is_some() {
            return Err(busy());
        }
        options.only = view.rows.only(&request.selection)?;
        let undecided = view.rows.undecided().count() as u64;
        if let Some(reason) = conflicts_blocker(undecided).filter(|_| !options.except_conflicts) {
            return Err(ApiError::new(Code::Conflicts.as_str(), reason)
                .with_hint("Decide how each ends, or sync everything else."));
        }
        view.stop_leisure();
        view.sync = Some((monitor.clone(), None));
    }
    (session.events)(Event::ProjectsChanged);
    let working = session.clone();
    let work = move || run(&working, &options, &monitor);
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
    session.monitor(move |progress| {
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

fn run(session: &Arc<Session>, options: &SyncOptions, monitor: &Monitor) {
    let asides = session.view().rows.folders_of_decided();
    let ended = session.with_engine(monitor, |project| project.sync(options, monitor));
    // What the index knows now, and copies that were set aside; the watch names all else that
    // happened meanwhile.
    let silent = Monitor::silent();
    let found = session.with_engine(&silent, |project| project.status_after(&asides, &silent));
    session.view().sync = None;
    session.show(found);
    let id = session.id.clone();
    match ended {
        Ok(report) => {
            session.remember_sync();
            session.tell();
            let published = report.snapshot.is_some();
            (session.events)(Event::SyncFinished { id: id.clone(), report: told(report) });
            (session.events)(Event::HistoryChanged { id });
            if published {
                prepare(session);
            }
        }
        Err(error) => {
            session.tell();
            (session.events)(Event::SyncFailed { id, error });
        }
    }
}

fn told(report: Report) -> SyncReport {
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
        conflicts: report.conflicts,
        skipped: report.skipped.into_iter().map(skipped).collect(),
    }
}

/// Prepares the next publish of a large repository, at leisure. Nobody hears of it: if it comes
/// to nothing, the next publish takes longer, no more.
fn prepare(session: &Arc<Session>) {
    let monitor = Monitor::silent();
    {
        let mut view = session.view();
        if view.closed || view.sync.is_some() {
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
