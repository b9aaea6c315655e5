//! What the window works on: the registered projects and the engine behind them.
//!
//! One method per command of the contract, and one sink for all events. Methods may block: they
//! are called on threads of their own.
//!
//! | file | owns |
//! |---|---|
//! | `registry` | the list of projects on disk |
//! | `session` | one open project: the engine behind a lock, and looks |
//! | `view` | what the window shows of it |
//! | `keeper` | what happens by itself: watch, and news from the repository |
//! | `syncing` | a running sync, and the preparation of the next |
//! | `rows`, `makers` | what is pending as rows; who made the repository's side of them |
//! | `gauge`, `words`, `folder` | progress; errors and promises in words; a look before init |

mod folder;
mod gauge;
mod keeper;
mod makers;
mod registry;
mod rows;
mod session;
mod syncing;
#[cfg(test)]
mod tests;
mod view;
mod words;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use dsg_core::address::Address;
use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;
use dsg_engine::project::{InitOptions, Project};

use gauge::{Gauge, Told};
use keeper::Word;
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
}

impl Workbench {
    /// A workbench that keeps its own data in `data` and reports to `events`. Opens all registered
    /// projects, in the background.
    // By value, as its callers own it; the registry makes its own path of it.
    #[allow(clippy::needless_pass_by_value)]
    pub fn new(data: PathBuf, events: EventSink) -> Self {
        let registry = Arc::new(Registry::open(&data));
        let workbench = Self {
            events,
            registry,
            sessions: Mutex::new(Vec::new()),
            jobs: Mutex::new(HashMap::new()),
        };
        for entry in workbench.registry.entries() {
            workbench.begin(&entry, Begun::default());
        }
        workbench
    }

    /// Stops what is under way, and waits a little for syncs to step back. Whatever is cut off all
    /// the same is undone or finished by the next start.
    pub fn close(&self) {
        let sessions: Vec<Arc<Session>> = self.sessions().clone();
        self.jobs().values().for_each(Monitor::stop);
        for session in &sessions {
            session.close();
        }
        let patience = Instant::now() + FAREWELL;
        let running = || {
            !self.jobs().is_empty() || sessions.iter().any(|session| session.view().sync.is_some())
        };
        while running() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Opens a registered project in the background.
    fn begin(&self, entry: &Entry, begun: Begun) -> Arc<Session> {
        let (sender, words) = mpsc::channel();
        let session = Arc::new(Session::new(
            entry,
            begun,
            self.registry.clone(),
            self.events.clone(),
            sender,
        ));
        self.sessions().push(session.clone());
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

    /// Runs something that has a ticket: tells its progress, can be cancelled, gathers notices.
    fn job<T>(
        &self,
        ticket: &str,
        work: impl FnOnce(&Monitor) -> Result<T, ApiError>,
    ) -> Result<(T, Vec<String>), ApiError> {
        let notices: Arc<Mutex<Vec<String>>> = Arc::default();
        let (events, gathered) = (self.events.clone(), notices.clone());
        let monitor = Monitor::new(Arc::new(Gauge::new(ticket, move |told| match told {
            Told::Progress(progress) => events(Event::Progress(progress)),
            Told::Notice(text) => {
                gathered.lock().unwrap_or_else(PoisonError::into_inner).push(text);
            }
        })));
        self.jobs().insert(ticket.to_owned(), monitor.clone());
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&monitor)));
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
            name: Some(request.name).filter(|name| !name.is_empty()),
            data_dirs: request.data_dirs,
            message: request.message,
        };
        let ((), notices) = self.job(&request.ticket, |monitor| {
            Project::init(&root, &options, monitor)?;
            Ok(())
        })?;
        self.register(&root, Begun { notices, fresh: true })
    }

    pub fn project_clone(&self, request: CloneProject) -> Result<ProjectSummary, ApiError> {
        let address = address(&request.address)?;
        let path = PathBuf::from(request.path.trim());
        let (root, notices) = self.job(&request.ticket, |monitor| {
            let (project, _) = Project::clone_from(&address, &path, monitor)?;
            Ok(project.root().to_owned())
        })?;
        self.register(&root, Begun { notices, fresh: true })
    }

    pub fn project_forget(&self, request: ProjectRef) -> Result<(), ApiError> {
        let session = self.session(&request.id)?;
        if session.view().sync.is_some() {
            return Err(session::busy());
        }
        self.registry.remove(&request.id)?;
        session.close();
        self.sessions().retain(|open| open.id != request.id);
        (self.events)(Event::ProjectsChanged);
        Ok(())
    }

    pub fn project_inspect_folder(
        &self,
        request: InspectFolder,
    ) -> Result<FolderPreview, ApiError> {
        folder::inspect(&request.path)
    }

    pub fn changes_list(&self, request: ListChanges) -> Result<ChangesPage, ApiError> {
        self.session(&request.id)?.page(&request)
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
        if let Ok(session) = self.session(&request.id)
            && let Some((monitor, _)) = &session.view().sync
        {
            monitor.stop();
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

    pub fn history_list(&self, request: ListHistory) -> Result<Vec<SnapshotRow>, ApiError> {
        self.session(&request.id)?.history(&request)
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
