//! One open project: the engine behind a lock, and what the window shows of it.
//!
//! The engine's lock is held while it works, the view's only for a moment: the window never waits
//! for a sync to be shown what is pending.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dsg_core::address::Address;
use dsg_core::entry::Hash;
use dsg_core::failure::{Code, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_engine::endpoint::{self, Endpoint};
use dsg_engine::project::{Project, makers};
use dsg_engine::report::{Counts, Reach, Status};

use super::gauge::{Gauge, Told};
use super::keeper::Word;
use super::past::{self, Past};
use super::questions::Desk;
use super::registry::{Entry, Registry};
use super::rows::{Conflicts, Found};
use super::sample;
use super::view::{Begun, View, has_maker};
use super::words;
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;
use crate::workbench::EventSink;

/// How long a question about changes waits for the first look.
const FIRST_LOOK: Duration = Duration::from_secs(3600);

/// How much is looked at.
pub(super) enum Look<'a> {
    /// The folder and the repository.
    Everything {
        /// Whether the window says so while it lasts.
        shown: bool,
        /// Whether the repository is asked.
        asks: bool,
    },
    /// These paths of the folder.
    Paths(&'a [String]),
}

/// One open project.
pub(super) struct Session {
    pub(super) id: String,
    pub(super) root: PathBuf,
    pub(super) events: EventSink,
    registry: Arc<Registry>,
    engine: Mutex<Option<Project>>,
    /// For questions that shall not wait for a sync.
    reader: Mutex<Option<Project>>,
    /// For questions of the keeper, over a connection that is kept.
    pub(super) news: Mutex<Option<Box<dyn Endpoint>>>,
    /// Where a login asks.
    pub(super) desk: Arc<Desk>,
    /// Somebody asks who made what.
    asking: AtomicBool,
    /// It is the sample that DSG made.
    sample: bool,
    /// What was compared last, and what lay in the trash.
    pub(super) past: Past,
    view: Mutex<View>,
    looked: Condvar,
    /// Wakes the keeper.
    pub(super) keeper: Mutex<Sender<Word>>,
}

impl Session {
    pub(super) fn new(
        entry: &Entry,
        begun: Begun,
        registry: Arc<Registry>,
        events: EventSink,
        desk: Arc<Desk>,
        keeper: Sender<Word>,
    ) -> Self {
        let view = View::new(entry, begun);
        Self {
            id: entry.id.clone(),
            root: PathBuf::from(&entry.root),
            events,
            registry,
            engine: Mutex::new(None),
            reader: Mutex::new(None),
            news: Mutex::new(None),
            desk,
            asking: AtomicBool::new(false),
            sample: sample::is_project(Path::new(&entry.root)),
            past: Past::default(),
            view: Mutex::new(view),
            looked: Condvar::new(),
            keeper: Mutex::new(keeper),
        }
    }

    pub(super) fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the window that something about this project changed.
    pub(super) fn tell(&self) {
        let revision = self.view().revision;
        (self.events)(Event::ChangesChanged { id: self.id.clone(), revision });
        (self.events)(Event::ProjectsChanged);
    }

    /// Keeps what a person should know until it is put away.
    pub(super) fn notice(&self, text: String) {
        let mut view = self.view();
        if view.notices.contains(&text) {
            return;
        }
        view.notices.push(text);
        view.revision += 1;
        drop(view);
        self.tell();
    }

    /// Puts away what was told.
    pub(super) fn dismiss_notices(&self) {
        let mut view = self.view();
        view.notices.clear();
        view.revision += 1;
        drop(view);
        self.tell();
    }

    /// Works with the engine, alone. After a failure of the folder it is opened anew the next time.
    pub(super) fn with_engine<T>(
        &self,
        monitor: &Monitor,
        work: impl FnOnce(&mut Project) -> Outcome<T>,
    ) -> Result<T, ApiError> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let tried = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let project = match engine.take() {
                Some(project) => engine.insert(project),
                None => engine.insert(Project::open(&self.root, monitor)?),
            };
            work(project)
        }));
        let ended = tried.map_err(|panic| words::mistake(&*panic));
        match ended {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(failure)) => {
                if matches!(
                    failure.code,
                    Code::EmptyRoot | Code::Io | Code::Permission | Code::StateDamaged
                ) {
                    *engine = None;
                }
                Err(failure.into())
            }
            Err(mistake) => {
                *engine = None;
                Err(mistake)
            }
        }
    }

    /// A monitor whose progress is told as this project's. `each` hears of it first.
    pub(super) fn monitor(
        self: &Arc<Self>,
        task: Task,
        each: impl Fn(&Progress) -> bool + Send + Sync + 'static,
    ) -> Monitor {
        let session = Arc::downgrade(self);
        Monitor::new(Arc::new(Gauge::new(&self.id, task, move |told| {
            let Some(session) = session.upgrade() else { return };
            match told {
                Told::Progress(progress) if each(&progress) => {
                    (session.events)(Event::Progress(progress));
                }
                Told::Progress(_) => {}
                Told::Notice(text) => session.notice(text),
            }
        })))
    }

    /// Looks, and shows what is found. While a sync runs nothing is looked at: it looks itself. Whether
    /// it came to an end.
    pub(super) fn look(self: &Arc<Self>, look: &Look<'_>) -> bool {
        let shown = matches!(look, Look::Everything { shown: true, .. });
        // Recovery is no sync of this window: only looking is told.
        let monitor = self.monitor(Task::Look, move |progress| {
            shown && matches!(progress.phase, Phase::Scanning | Phase::Comparing)
        });
        {
            let mut view = self.view();
            if view.is_busy() || view.closed {
                return false;
            }
            view.look = Some(monitor.clone());
            view.scanning |= shown;
        }
        if shown {
            (self.events)(Event::ProjectsChanged);
        }
        let found = self.with_engine(&monitor, |project| match look {
            Look::Everything { asks, .. } => project.status_into(self.found(), !asks, &monitor),
            Look::Paths(paths) => project.status_after_into(self.found(), paths, &monitor),
        });
        let mut view = self.view();
        view.look = None;
        view.recalled &= found.is_err() || matches!(look, Look::Paths(_));
        drop(view);
        match found {
            Err(error) if error.code == Code::Cancelled.as_str() => return false,
            found => self.show(found),
        }
        true
    }

    /// For what a look finds.
    pub(super) fn found(&self) -> Found {
        Found::beside(self.view().rows.clone())
    }

    /// Shows what the last look of the session before found, until the folder is looked at. That
    /// nothing is pending is said by a look only. Whether anything is shown.
    pub(super) fn recall(&self) -> bool {
        let recalled = self.with_engine(&Monitor::silent(), |p| p.last_status_into(self.found()));
        // What cannot be read is told by the look.
        let Ok(status) = recalled else { return false };
        let mut view = self.view();
        if view.known || view.closed || status.counts == Counts::default() {
            return false;
        }
        view.take(status, None);
        view.recalled = true;
        view.revision += 1;
        drop(view);
        self.looked.notify_all();
        self.tell();
        true
    }

    /// Takes over what a look found.
    pub(super) fn show(&self, found: Result<Status<Found>, ApiError>) {
        let mut changed = false;
        let failed = found.is_err();
        match found {
            Ok(status) => {
                match &status.reach {
                    Reach::Asked => changed |= self.reached(&status.at_work),
                    Reach::NotAsked => {}
                    Reach::Failed(failure) => {
                        self.cut_off(ApiError::from(failure));
                        changed = true;
                    }
                }
                let chain = self.chain(&status);
                let mut view = self.view();
                changed |= view.take(status, chain);
                let (name, address) = (view.name.clone(), view.address.clone());
                let fresh = std::mem::take(&mut view.fresh);
                drop(view);
                if fresh {
                    self.remember_sync();
                }
                changed |= self.learn_undo();
                let name = self.configured_name().unwrap_or(name);
                self.view().name.clone_from(&name);
                // The list is a memory of names only: that it cannot be kept is told by the next
                // change that a person makes of it.
                let _ = self.registry.update(&self.id, |e| {
                    e.name = name;
                    e.address = address;
                });
            }
            Err(error) => {
                let mut view = self.view();
                changed |= view.failure.as_ref() != Some(&error);
                view.failure = Some(error);
            }
        }
        let mut view = self.view();
        // Of a part of the folder nothing follows for what was remembered of the rest.
        if failed || !view.recalled {
            changed |= std::mem::take(&mut view.scanning);
        }
        if changed {
            view.revision += 1;
        }
        drop(view);
        self.looked.notify_all();
        if changed {
            self.tell();
        }
    }

    fn configured_name(&self) -> Option<String> {
        dsg_engine::config_file::read(&self.root).ok().flatten().map(|config| config.name)
    }

    /// One page of what is pending. Waits for the first look.
    pub(super) fn page(self: &Arc<Self>, request: &ListChanges) -> Result<ChangesPage, ApiError> {
        let mut view = self.known_view()?;
        let page = view.page(request);
        let unnamed: Vec<RepoPath> = page.rows.iter().filter_map(|r| unnamed(&view, r)).collect();
        let asks_ignored = request.view.groups.contains(&Group::Ignored) && view.ignored.is_none();
        let recalled = view.recalled;
        drop(view);
        if recalled {
            self.wake(Word::Drawn);
        }
        self.ask_makers(unnamed);
        if asks_ignored {
            self.wake(Word::Ignored);
        }
        Ok(page)
    }

    /// What the window shows, after the first look.
    pub(super) fn known_view(&self) -> Result<MutexGuard<'_, View>, ApiError> {
        let mut view = self.view();
        let waiting = |view: &mut View| !view.known && view.failure.is_none() && !view.closed;
        if waiting(&mut view) {
            let waited = self.looked.wait_timeout_while(view, FIRST_LOOK, waiting);
            view = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        match &view.failure {
            Some(failure) if !view.known => Err(failure.clone()),
            _ => Ok(view),
        }
    }

    /// Learns who made these paths, away from whoever waits for the page.
    fn ask_makers(self: &Arc<Self>, mut paths: Vec<RepoPath>) {
        if paths.is_empty() || self.asking.swap(true, Ordering::AcqRel) {
            return;
        }
        paths.sort_unstable();
        let session = self.clone();
        let head = self.view().head;
        let ask = move || {
            let address = session.address();
            let made = address.ok().and_then(|address| {
                let endpoint = endpoint::open(&address).ok()?;
                makers(&*endpoint, &paths).ok()
            });
            session.asking.store(false, Ordering::Release);
            let Some(made) = made else { return };
            let mut view = session.view();
            if view.head != head {
                return;
            }
            for path in paths {
                let maker = made.get(&path).map(past::maker);
                view.makers.insert(path.into(), maker);
            }
            view.revision += 1;
            drop(view);
            session.tell();
        };
        if std::thread::Builder::new().name("makers".to_owned()).spawn(ask).is_err() {
            self.asking.store(false, Ordering::Release);
        }
    }

    /// Looks for what the rules leave alone, while somebody wants to see it.
    pub(super) fn look_for_ignored(&self) {
        let found = super::ignored::find(&self.root);
        if self.view().take_ignored(found) {
            self.tell();
        }
    }

    /// Reads the project's state beside whatever else is going on.
    pub(super) fn with_reader<T>(
        &self,
        work: impl FnOnce(&Project) -> Outcome<T>,
    ) -> Result<T, ApiError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = match reader.take() {
            Some(project) => Ok(project),
            None => Project::open(&self.root, &Monitor::silent()),
        };
        let project = opened?;
        let done = work(&project)?;
        *reader = Some(project);
        Ok(done)
    }

    /// The project as sidebar and status bar show it.
    pub(super) fn summary(&self) -> ProjectSummary {
        let view = self.view();
        let status = view.status();
        ProjectSummary {
            id: self.id.clone(),
            name: view.name.clone(),
            root: self.root.display().to_string(),
            repository: view.address.clone(),
            guarantee: view.guarantee.clone(),
            place: view.place.clone(),
            word: words::status(&status),
            status,
            watch: view.watch.clone(),
            at_work: view.at_work.clone(),
            sample: self.sample,
        }
    }

    /// Decides conflicts as they were shown; nothing moves before the sync.
    pub(super) fn resolve(&self, request: &ResolveConflicts) -> Result<(), ApiError> {
        let which = match request.resolution {
            Some(_) => Conflicts::Undecided,
            None => Conflicts::Decided,
        };
        let seen: BTreeMap<String, Hash> = {
            let view = self.view();
            if view.is_busy() {
                return Err(busy());
            }
            view.ready()?;
            match &request.what {
                ResolveWhat::Row { path, seen } => match Hash::parse(seen) {
                    Some(seen) => [(path.clone(), seen)].into(),
                    None => return Err(ApiError::new(Code::Usage.as_str(), "No such conflict.")),
                },
                ResolveWhat::Folder { path } => view.rows.conflicts_below(path, which).collect(),
                ResolveWhat::Matching { filter } => {
                    view.rows.conflicts_matching(filter, which).into_iter().collect()
                }
            }
        };
        if seen.is_empty() {
            return Ok(());
        }
        let decision = request.resolution.map(words::decision);
        let silent = Monitor::silent();
        let (decided, status) = self.with_engine(&silent, |project| {
            let decided = project.resolve_seen(&seen, decision, &silent);
            let touched = match &decided {
                Ok(decided) => decided.clone(),
                Err(failure) if failure.code == Code::Outdated => seen.keys().cloned().collect(),
                Err(_) => Vec::new(),
            };
            Ok((decided, project.status_after_into(self.found(), &touched, &silent)?))
        })?;
        self.show(Ok(status));
        decided.map(drop).map_err(ApiError::from)
    }

    /// Where the repository is; read from the folder if it was never opened.
    pub(super) fn address(&self) -> Result<Address, ApiError> {
        let known = self.view().address.parse().ok();
        if let Some(address) = known {
            return Ok(address);
        }
        self.with_engine(&Monitor::silent(), |project| Ok(project.address().clone()))
    }

    /// Keeps when a sync was made.
    pub(super) fn remember_sync(&self) {
        let mut view = self.view();
        let Some(id) = view.last_sync else { return };
        let synced = Some((id.to_string(), jiff::Timestamp::now().to_string()));
        view.synced.clone_from(&synced);
        view.revision += 1;
        drop(view);
        let _ = self.registry.update(&self.id, |entry| entry.synced = synced);
    }

    /// Ends what is under way, and whoever waits.
    pub(super) fn close(&self) {
        let mut view = self.view();
        view.closed = true;
        view.stop_leisure();
        let job = view.job.iter();
        view.sync.iter().map(|(monitor, _)| monitor).chain(job).for_each(Monitor::stop);
        drop(view);
        self.looked.notify_all();
        self.wake(Word::Stop);
    }

    /// Lets go of all files of the project, once what is under way has ended.
    pub(super) fn farewell(&self) {
        *self.engine.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.news.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// As [`Session::farewell`], of what nobody works with now.
    pub(super) fn let_go(&self) {
        if let Ok(mut engine) = self.engine.try_lock() {
            *engine = None;
        }
        if let Ok(mut reader) = self.reader.try_lock() {
            *reader = None;
        }
        if let Ok(mut news) = self.news.try_lock() {
            *news = None;
        }
    }

    /// Hands the keeper something to do. One that has ended has nothing to do any more.
    pub(super) fn wake(&self, word: Word) {
        let _ = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).send(word);
    }
}

/// Something else is going on in this project.
pub(super) fn busy() -> ApiError {
    ApiError::new("busy", "Something else is going on in this project.")
        .with_hint("Wait until it is done, or cancel it.")
}

/// The path of a row of which nobody asked yet who made it.
fn unnamed(view: &View, row: &ChangesRow) -> Option<RepoPath> {
    match row {
        ChangesRow::Change(row) if has_maker(row) && !view.makers.contains_key(&row.path) => {
            RepoPath::parse(&row.path).ok()
        }
        _ => None,
    }
}

/// The name under which a folder that is a project is shown before it was looked at.
pub(super) fn name_of(root: &Path) -> String {
    let configured = dsg_engine::config_file::read(root).ok().flatten().map(|c| c.name);
    configured.unwrap_or_else(|| {
        root.file_name().map_or_else(|| "/".to_owned(), |n| n.to_string_lossy().into_owned())
    })
}
