//! What the window works on: the registered projects and the engine behind them.
//!
//! One method per command of the contract, and one sink for all events. Methods may block: they
//! are called on threads of their own.
//!
//! | file | owns |
//! |---|---|
//! | `registry` | the list of projects on disk |
//! | `session` | one open project: the engine behind a lock, and looks |
//! | `reach` | whether its repository answers, and what it says between two looks |
//! | `view` | what the window shows of it |
//! | `keeper` | what happens by itself: watch, and news from the repository |
//! | `syncing` | a running sync, and the preparation of the next |
//! | `rows`, `ignored` | what is pending as rows; what the rules leave alone |
//! | `look`, `preview` | one path: its versions, and what is in them |
//! | `past`, `back` | the history; the way back, and the trash |
//! | `sample` | a project to try everything with |
//! | `questions`, `server` | what a login asks; folders of a server, signing in, who is at work |
//! | `adopting` | repositories of the earlier DSG |
//! | `settings` | configuration files as forms; what a first sync would take |
//! | `offline` | a repository that is out of reach, and when it is tried again |
//! | `gauge`, `words`, `folder` | progress; errors and promises in words; a look before init |

mod adopting;
mod back;
mod folder;
mod gauge;
mod ignored;
mod keeper;
mod look;
mod offline;
mod past;
pub(crate) mod preview;
mod questions;
mod reach;
mod registry;
mod rows;
mod sample;
mod server;
mod session;
mod settings;
mod syncing;
#[cfg(test)]
mod tests;
mod view;
mod words;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use dsg_core::address::Address;
use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;
use dsg_engine::endpoint;
use dsg_engine::project::{InitOptions, Project};

use gauge::{Gauge, Told};
use keeper::Word;
use questions::Desk;
use registry::{Entry, Registry};
use session::Session;
use view::Begun;

#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

/// Where events go. May be called from any thread.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;

/// So long the end of the application waits for a running sync to step back.
const FAREWELL: Duration = Duration::from_secs(10);

/// The projects that this window has open.
pub struct Workbench {
    events: EventSink,
    registry: Arc<Registry>,
    /// In the order of the sidebar.
    sessions: Mutex<Vec<Arc<Session>>>,
    /// Operations that have no project yet, by ticket.
    jobs: Mutex<HashMap<String, Monitor>>,
    /// What a login asks.
    desk: Arc<Desk>,
    /// The images of the last preview.
    gallery: preview::Gallery,
    /// Counts previews: the newest one counts.
    preview: AtomicU64,
    /// Copies of former versions that were opened; they go at the end.
    opened: PathBuf,
    /// Folders may be looked at.
    started: AtomicBool,
}

impl Workbench {
    /// A workbench that keeps its own data in `data` and reports to `events`. What the last session
    /// knew of the registered projects is read, in the background; nothing is looked at or changed
    /// before [`Workbench::start`].
    // By value, as its callers own it; the registry makes its own path of it.
    #[allow(clippy::needless_pass_by_value)]
    pub fn new(data: PathBuf, events: EventSink) -> Self {
        let registry = Arc::new(Registry::open(&data));
        let workbench = Self {
            desk: Desk::new(events.clone()),
            events,
            registry,
            sessions: Mutex::new(Vec::new()),
            jobs: Mutex::new(HashMap::new()),
            gallery: preview::Gallery::default(),
            preview: AtomicU64::new(0),
            opened: data.join("opened"),
            started: AtomicBool::new(false),
        };
        for entry in workbench.registry.entries() {
            workbench.begin(&entry, Begun::default());
        }
        workbench
    }

    /// Begins to work: this is the only window with these projects.
    pub fn start(&self) {
        self.remove_opened();
        self.started.store(true, Ordering::Release);
        self.sessions().iter().for_each(|session| session.wake(Word::Start));
    }

    /// Stops what is under way, and waits a little for syncs to step back. Whatever is cut off all
    /// the same is undone or finished by the next start.
    pub fn close(&self) {
        let sessions: Vec<Arc<Session>> = self.sessions().clone();
        self.desk.close();
        self.jobs().values().for_each(Monitor::stop);
        for session in &sessions {
            session.close();
        }
        let patience = Instant::now() + FAREWELL;
        let running =
            || !self.jobs().is_empty() || sessions.iter().any(|session| session.view().is_busy());
        while running() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
        for session in &sessions {
            session.let_go();
        }
        endpoint::hang_up_all();
        self.remove_opened();
    }

    /// Removes copies that were made for other programs. One that will not go goes the next time.
    fn remove_opened(&self) {
        let _ = std::fs::remove_dir_all(&self.opened);
    }

    /// An image of the last preview, and its type.
    pub(crate) fn image(&self, token: &str) -> Option<(&'static str, Arc<[u8]>)> {
        self.gallery.get(token)
    }

    /// Where a path of a project (or, with an empty path, its folder) is on this computer.
    pub(crate) fn file(&self, request: &PathRef) -> Result<PathBuf, ApiError> {
        let session = self.session(&request.id)?;
        if request.path.is_empty() {
            return Ok(session.root.clone());
        }
        let plain = Path::new(&request.path)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        let file = session.root.join(&request.path);
        if plain && file.symlink_metadata().is_ok() {
            return Ok(file);
        }
        let said = format!("{} is not in the folder.", request.path);
        Err(ApiError::new(Code::NotFound.as_str(), said)
            .with_hint("It was deleted or moved meanwhile, or is only in the repository."))
    }

    /// A copy of a former version, for another program.
    pub(crate) fn copy_of_version(&self, request: &OpenVersion) -> Result<PathBuf, ApiError> {
        self.session(&request.id)?.copy_of_version(request, &self.opened)
    }

    /// Opens a registered project in the background.
    fn begin(&self, entry: &Entry, begun: Begun) -> Arc<Session> {
        let (sender, words) = mpsc::channel();
        let session = Arc::new(Session::new(
            entry,
            begun,
            self.registry.clone(),
            self.events.clone(),
            self.desk.clone(),
            sender,
        ));
        self.sessions().push(session.clone());
        if self.started.load(Ordering::Acquire) {
            session.wake(Word::Start);
        }
        let kept = session.clone();
        let keeper = std::thread::Builder::new()
            .name(format!("keeper {}", entry.id))
            .spawn(move || keeper::keep(&kept, &words));
        if let Err(cause) = keeper {
            session.show(Err(ApiError::new(
                "no-thread",
                "The system gives DSG no further thread.",
            )
            .with_hint("Close other programs and start DSG again.")
            .with_detail(cause.to_string())));
        }
        session
    }

    /// Registers the folder of a project and opens it.
    fn register(&self, root: &Path, begun: Begun) -> Result<ProjectSummary, ApiError> {
        let silent = Monitor::silent();
        let address = Project::open(root, &silent)?.address().to_string();
        let entry = self.registry.add(&folder::text(root)?, &session::name_of(root), &address)?;
        let open = self.sessions().iter().find(|s| s.id == entry.id).cloned();
        let session = open.unwrap_or_else(|| self.begin(&entry, begun));
        (self.events)(Event::ProjectsChanged);
        Ok(session.summary())
    }

    /// Runs something that a person began and that has a ticket: tells its progress, can be cancelled,
    /// gathers notices, and may ask. `about`: what the questions are for.
    fn job<T>(
        &self,
        ticket: &str,
        about: &str,
        work: impl FnOnce(&Monitor) -> Result<T, ApiError>,
    ) -> Result<(T, Vec<String>), ApiError> {
        let notices: Arc<Mutex<Vec<String>>> = Arc::default();
        let (events, gathered) = (self.events.clone(), notices.clone());
        let monitor =
            Monitor::new(Arc::new(Gauge::new(ticket, Task::Job, move |told| match told {
                Told::Progress(progress) => events(Event::Progress(progress)),
                Told::Notice(text) => {
                    gathered.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                }
            })));
        self.jobs().insert(ticket.to_owned(), monitor.clone());
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.desk.attended(ticket, about, &monitor, || work(&monitor))
        }));
        self.jobs().remove(ticket);
        let done = tried.unwrap_or_else(|panic| Err(words::mistake(&*panic)))?;
        let notices = std::mem::take(&mut *notices.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((done, notices))
    }

    fn session(&self, id: &str) -> Result<Arc<Session>, ApiError> {
        self.sessions().iter().find(|session| session.id == id).cloned().ok_or_else(|| {
            ApiError::new("no-such-project", "This project is not in the list any more.")
                .with_hint("Open its folder again.")
        })
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<String, Monitor>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The commands; see the contract for what each does.
#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    clippy::needless_pass_by_value,
    reason = "documented in contract.rs"
)]
impl Workbench {
    pub fn projects_list(&self, (): ()) -> Result<Vec<ProjectSummary>, ApiError> {
        match self.registry.trouble() {
            Some(trouble) => Err(trouble),
            None => Ok(self.sessions().iter().map(|session| session.summary()).collect()),
        }
    }

    pub fn project_open(&self, request: OpenProject) -> Result<ProjectSummary, ApiError> {
        let root = folder::canonical(&request.path)?;
        self.register(&Project::find(&root)?, Begun::default())
    }

    pub fn project_create(&self, request: CreateProject) -> Result<ProjectSummary, ApiError> {
        let root = folder::canonical(&request.path)?;
        let options = InitOptions {
            address: address(&request.address)?,
            name: Some(request.name.clone()).filter(|name| !name.is_empty()),
            data_dirs: request.data_dirs,
            plain: false,
            message: request.message,
            signature: None,
        };
        let ((), notices) = self.job(&request.ticket, &request.name, |monitor| {
            Project::init(&root, &options, monitor)?;
            Ok(())
        })?;
        self.register(&root, Begun { notices, fresh: true })
    }

    pub fn project_clone(&self, request: CloneProject) -> Result<ProjectSummary, ApiError> {
        let address = address(&request.address)?;
        let path = PathBuf::from(request.path.trim());
        let (root, notices) = self.job(&request.ticket, &address.name(), |monitor| {
            let (project, _) = Project::clone_from(&address, &path, monitor)?;
            Ok(project.root().to_owned())
        })?;
        self.register(&root, Begun { notices, fresh: true })
    }

    pub fn project_forget(&self, request: ProjectRef) -> Result<(), ApiError> {
        let session = self.session(&request.id)?;
        if session.view().is_busy() {
            return Err(session::busy());
        }
        self.registry.remove(&request.id)?;
        session.close();
        self.sessions().retain(|open| open.id != request.id);
        (self.events)(Event::ProjectsChanged);
        let host = session.host().filter(|host| {
            !self.sessions().iter().any(|other| other.host().as_ref() == Some(host))
        });
        if let Some(host) = host {
            // What it still does may wait for the server: nobody waits for that.
            let hang_up = move || {
                session.farewell();
                endpoint::hang_up(&host);
            };
            let _ = std::thread::Builder::new().name("farewell".to_owned()).spawn(hang_up);
        }
        Ok(())
    }

    pub fn project_connect(&self, request: ProjectRef) -> Result<(), ApiError> {
        self.connect(&self.session(&request.id)?)
    }

    pub fn server_hosts(&self, (): ()) -> Result<Vec<String>, ApiError> {
        Ok(self.hosts())
    }

    pub fn server_folders(&self, request: ListServerFolders) -> Result<ServerFolders, ApiError> {
        self.look_around(&request)
    }

    pub fn place_adopt(&self, request: AdoptRepository) -> Result<Adoption, ApiError> {
        self.adopt(&request)
    }

    pub fn place_examine(&self, request: ExaminePlace) -> Result<(), ApiError> {
        self.examine(&request)
    }

    pub fn questions_list(&self, (): ()) -> Result<Vec<Question>, ApiError> {
        Ok(self.desk.questions())
    }

    pub fn question_answer(&self, request: AnswerQuestion) -> Result<(), ApiError> {
        self.desk.answer(request.id, request.answer)
    }

    pub fn project_inspect_folder(
        &self,
        request: InspectFolder,
    ) -> Result<FolderPreview, ApiError> {
        folder::inspect(&request.path)
    }

    pub fn outlook_look(&self, request: LookOut) -> Result<(), ApiError> {
        self.look_out(&request)
    }

    pub fn settings_open(&self, request: OpenSettings) -> Result<Settings, ApiError> {
        self.read_settings(&request.file)
    }

    pub fn settings_try(&self, request: TrySettings) -> Result<SettingsDraft, ApiError> {
        settings::tried(request)
    }

    pub fn settings_save(&self, request: SaveSettings) -> Result<Settings, ApiError> {
        self.write_settings(&request)
    }

    pub fn profile_read(&self, (): ()) -> Result<Profile, ApiError> {
        settings::profile()
    }

    pub fn profile_save(&self, request: SaveProfile) -> Result<(), ApiError> {
        settings::keep_profile(&request)
    }

    pub fn changes_list(&self, request: ListChanges) -> Result<ChangesPage, ApiError> {
        self.session(&request.id)?.page(&request)
    }

    pub fn changes_expand(&self, request: ExpandFolders) -> Result<(), ApiError> {
        let session = self.session(&request.id)?;
        session.view().expand(request.path.as_deref(), request.open);
        session.tell();
        Ok(())
    }

    pub fn changes_select(&self, request: SelectChanges) -> Result<(), ApiError> {
        let session = self.session(&request.id)?;
        session.known_view()?.select(&request.view, &request.what, request.ticked);
        session.tell();
        Ok(())
    }

    pub fn changes_locate(&self, request: LocateChange) -> Result<Option<u64>, ApiError> {
        let session = self.session(&request.id)?;
        let mut view = session.known_view()?;
        Ok(view.locate(&request.view, &request.path))
    }

    pub fn change_detail(&self, request: PathRef) -> Result<ChangeDetail, ApiError> {
        self.session(&request.id)?.detail(&request)
    }

    pub fn changes_revert(&self, request: RevertChanges) -> Result<RestoreReport, ApiError> {
        self.session(&request.id)?.revert(&request)
    }

    pub fn changes_ignore(&self, request: IgnorePath) -> Result<Ignored, ApiError> {
        self.session(&request.id)?.ignore(&request)
    }

    pub fn changes_heed(&self, request: IgnorePath) -> Result<(), ApiError> {
        self.session(&request.id)?.heed(&request)
    }

    pub fn preview(&self, request: ShowPreview) -> Result<Preview, ApiError> {
        self.show_preview(&request)
    }

    pub fn sample_place(&self, (): ()) -> Result<SamplePlace, ApiError> {
        Ok(SamplePlace { path: folder::text(&sample::place()?)? })
    }

    pub fn sample_create(&self, request: CreateSample) -> Result<ProjectSummary, ApiError> {
        let path = PathBuf::from(request.path.trim());
        let (root, notices) =
            self.job(&request.ticket, "", |monitor| sample::create(&path, monitor))?;
        self.register(&root, Begun { notices, fresh: false })
    }

    pub fn sample_remove(&self, request: RemoveSample) -> Result<(), ApiError> {
        let session = self.session(&request.id)?;
        let doomed = sample::Doomed::find(&session.root, request.with_own_files)?;
        if session.view().is_busy() {
            return Err(session::busy());
        }
        session.close();
        session.farewell();
        let removed = doomed.remove();
        self.sessions().retain(|open| open.id != request.id);
        if removed.is_ok() {
            self.registry.remove(&request.id)?;
        } else if let Some(entry) = self.registry.entry(&request.id) {
            // It stays in the list, so that it can be tried again.
            self.begin(&entry, Begun::default());
        }
        (self.events)(Event::ProjectsChanged);
        removed
    }

    pub fn sync_undo(&self, request: UndoSync) -> Result<(), ApiError> {
        syncing::undo(&self.session(&request.id)?, &request)
    }

    pub fn sync_results(&self, request: ListResults) -> Result<ResultsPage, ApiError> {
        let session = self.session(&request.id)?;
        let view = session.view();
        let none = ResultsPage { total: 0, rows: Vec::new() };
        Ok(view.outcome.as_ref().map_or(none, |outcome| outcome.page(&request)))
    }

    pub fn sync_start(&self, request: StartSync) -> Result<(), ApiError> {
        syncing::start(&self.session(&request.id)?, &request)
    }

    pub fn sync_cancel(&self, request: ProjectRef) -> Result<(), ApiError> {
        if let Some(job) = self.jobs().get(&request.id) {
            job.stop();
            return Ok(());
        }
        // Nothing to cancel is no mistake: it has ended by itself meanwhile.
        if let Ok(session) = self.session(&request.id) {
            let view = session.view();
            let syncs = view.sync.iter().map(|(monitor, _)| monitor);
            syncs.chain(&view.job).for_each(Monitor::stop);
        }
        Ok(())
    }

    pub fn conflict_resolve(&self, request: ResolveConflicts) -> Result<(), ApiError> {
        self.session(&request.id)?.resolve(&request)
    }

    pub fn notices_dismiss(&self, request: ProjectRef) -> Result<(), ApiError> {
        self.session(&request.id)?.dismiss_notices();
        Ok(())
    }

    pub fn history_list(&self, request: ListHistory) -> Result<HistoryPage, ApiError> {
        self.session(&request.id)?.history(&request)
    }

    pub fn history_compare(&self, request: CompareSnapshots) -> Result<ComparisonPage, ApiError> {
        self.session(&request.id)?.compare(&request)
    }

    pub fn history_find(&self, request: FindPaths) -> Result<Vec<FoundPath>, ApiError> {
        self.session(&request.id)?.find(&request)
    }

    pub fn history_versions(&self, request: PathRef) -> Result<Vec<PathVersion>, ApiError> {
        self.session(&request.id)?.versions(&request)
    }

    pub fn history_restore(&self, request: RestoreFiles) -> Result<RestoreReport, ApiError> {
        self.session(&request.id)?.restore(&request)
    }

    pub fn history_verify(&self, request: VerifyHistory) -> Result<Receipt, ApiError> {
        self.session(&request.id)?.verify(&request)
    }

    pub fn trash_list(&self, request: ListTrash) -> Result<TrashPage, ApiError> {
        self.session(&request.id)?.trash(&request)
    }

    pub fn trash_restore(&self, request: RestoreTrash) -> Result<RestoredTrash, ApiError> {
        self.session(&request.id)?.restore_from_trash(&request)
    }

    pub fn trash_empty(&self, request: EmptyTrash) -> Result<EmptiedTrash, ApiError> {
        self.session(&request.id)?.empty_trash(&request)
    }

    pub fn rescan(&self, request: ProjectRef) -> Result<(), ApiError> {
        let session = self.session(&request.id)?;
        session.wake(Word::Look);
        (self.events)(Event::HistoryChanged { id: request.id });
        Ok(())
    }
}

fn address(text: &str) -> Result<Address, ApiError> {
    text.trim().parse().map_err(|cause: dsg_core::address::AddressError| {
        let cause = cause.to_string();
        let mut first = cause.chars();
        let begun: String = first.next().map(char::to_uppercase).into_iter().flatten().collect();
        ApiError::new(Code::Usage.as_str(), format!("{begun}{}.", first.as_str())).with_hint(
            "Write the whole path of a folder of this computer, such as /data/repository.",
        )
    })
}
