//! A new repository from a folder, and a new folder from a repository.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use dsg_core::address::Address;
use dsg_core::config::{DEFAULT_DATA_DIRS, SharedConfig};
use dsg_core::failure::{Code, Failure, Outcome, shell_word};
use dsg_core::monitor::{Event, Monitor, Phase};
use dsg_core::repository::StoreKind;
use dsg_fs::dir::Dir;

use super::head::Configs;
use super::sync::Ground;
use super::{PATIENCE, Project, STATE};
use crate::areas::{DOT_DSG, TRASH, leftovers};
use crate::config_file;
use crate::crash;
use crate::endpoint;
use crate::index::{ADDRESS, Index};
use crate::left;
use crate::report::{Signature, SyncOptions, SyncReport};
use crate::scan::{ScanSummary, Scope, scan};
use crate::wanted;

/// What is under way while a folder becomes a project, in the words of the command.
const CLONE: &str = "clone";
const ATTACH: &str = "clone --attach";

/// What a person asks of an init.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// Where the repository will be.
    pub address: Address,
    /// The project's name; the folder's if none is given.
    pub name: Option<String>,
    /// The data folders; if none are given the defaults that are there, else everything.
    pub data_dirs: Vec<String>,
    /// In a plain folder, also where the repository could be a ZFS dataset.
    pub plain: bool,
    /// The first snapshot's message.
    pub message: String,
    /// Who made it, and when, if not whoever runs this now.
    pub signature: Option<Signature>,
}

impl Project {
    /// Makes a repository from the folder `root`, and its first snapshot.
    ///
    /// # Errors
    /// Nothing is made and the folder is as it was, unless it is [`Code::Unsettled`].
    pub fn init(
        root: &Path,
        options: &InitOptions,
        monitor: &Monitor,
    ) -> Outcome<(Self, SyncReport)> {
        let begun = Instant::now();
        let root = std::fs::canonicalize(root).map_err(|e| Failure::io("open", root, e))?;
        keep_apart(&root, &options.address)?;
        let mut project = Self::begin(&root, &options.address, "init", monitor)?;
        if let Some(resumed) = project.resume(monitor)? {
            return Ok((project, resumed));
        }
        let lock = project.lock("init", PATIENCE, monitor)?;
        let made = project.first_sync(options, monitor);
        drop(lock);
        project.concluded(made, begun)
    }

    fn first_sync(&mut self, options: &InitOptions, monitor: &Monitor) -> Outcome<SyncReport> {
        crash::CREATED.pass();
        let seen = config_file::read(&self.root)?;
        let InitOptions { name, data_dirs, .. } = options;
        let merged = first_config(&self.root, name.as_deref(), data_dirs, seen.as_ref(), monitor)?;
        let coming = endpoint::coming(&self.address, monitor);
        let summary = scan(&self.root, &merged, &mut self.index, Scope::All, monitor)?;
        coming.arrived()?;
        let demand = wanted::demand(&self.root, &self.address)?;
        let plain = options.plain || demand.kind == Some(StoreKind::Tree);
        let endpoint = endpoint::create(&self.address, plain, summary.bytes)?;
        let (kind, dataset) = (endpoint.info().store, endpoint.standing().dataset.as_deref());
        demand.is_met_by(kind, dataset).map_err(|why| {
            let said = format!("The repository cannot be as {} says: {why}.", config_file::NAME);
            Failure::new(Code::Config, said)
                .hint("Correct repository in that file, or choose another place.")
        })?;
        let info = serde_json::to_string(endpoint.info()).unwrap_or_default();
        self.index.batch(|batch| batch.set_meta("repository", Some(&info)))?;
        let ground = Ground {
            head: None,
            configs: Configs { seen, merged, remote_differs: true },
            summary,
            receives: false,
        };
        let sync = SyncOptions {
            message: options.message.clone(),
            signature: options.signature.clone(),
            ..SyncOptions::default()
        };
        let mut report = self.carry_out(&*endpoint, ground, &sync, monitor)?;
        report.round_trips = endpoint.round_trips();
        Ok(report)
    }

    /// Makes the folder `dir`, new or empty, from a repository.
    ///
    /// # Errors
    /// Nothing is made, unless it is [`Code::Unsettled`], or [`Code::Unreachable`] with something
    /// that came already: then trying again in that folder goes on with it.
    pub fn clone_from(
        address: &Address,
        dir: &Path,
        monitor: &Monitor,
    ) -> Outcome<(Self, SyncReport)> {
        Self::copy_of(address, dir, CLONE, monitor)
    }

    /// Makes a project of the folder `dir`, whatever it holds: what is the same here and in the
    /// repository is in sync, what only the repository has comes, what only the folder has waits
    /// for the next sync, and what differs is a conflict. Nothing here is overwritten or deleted,
    /// and nothing there changes.
    ///
    /// # Errors
    /// As [`Project::clone_from`].
    pub fn attach(address: &Address, dir: &Path, monitor: &Monitor) -> Outcome<(Self, SyncReport)> {
        Self::copy_of(address, dir, ATTACH, monitor)
    }

    fn copy_of(
        address: &Address,
        dir: &Path,
        phase: &str,
        monitor: &Monitor,
    ) -> Outcome<(Self, SyncReport)> {
        let begun = Instant::now();
        let endpoint = endpoint::open(address)?;
        let made_dir = prepare_folder(dir, address, phase)?;
        let root = std::fs::canonicalize(dir).map_err(|e| Failure::io("open", dir, e))?;
        let cloned = Self::clone_into(&root, address, &*endpoint, phase, begun, monitor);
        if made_dir && cloned.as_ref().is_err_and(|f| f.code != Code::Unsettled) {
            // Only goes if nothing is in it.
            let _ = std::fs::remove_dir(&root);
        }
        cloned
    }

    fn clone_into(
        root: &Path,
        address: &Address,
        endpoint: &dyn endpoint::Endpoint,
        phase: &str,
        begun: Instant,
        monitor: &Monitor,
    ) -> Outcome<(Self, SyncReport)> {
        keep_apart(root, address)?;
        let mut project = Self::begin(root, address, phase, monitor)?;
        if let Some(resumed) = project.resume(monitor)? {
            return Ok((project, resumed));
        }
        let lock = project.lock(phase, PATIENCE, monitor)?;
        let made = project.first_download(endpoint, phase, monitor).map(|mut report| {
            report.round_trips = endpoint.round_trips();
            report
        });
        drop(lock);
        project.concluded(made, begun)
    }

    /// What was not decided leaves no trace, but for what came before a connection was lost.
    fn concluded(self, made: Outcome<SyncReport>, begun: Instant) -> Outcome<(Self, SyncReport)> {
        match made {
            Ok(mut report) => {
                report.seconds = begun.elapsed().as_secs_f64();
                Ok((self, report))
            }
            Err(failure) if self.is_sealed() => Err(failure),
            // It is left as if it had been cut off: the next try goes on with what came.
            Err(failure)
                if failure.code == Code::Unreachable
                    && left::bytes(&self.dir).is_ok_and(|b| b > 0) =>
            {
                Err(failure)
            }
            Err(failure) => Err(self.unmade(failure)),
        }
    }

    fn first_download(
        &mut self,
        endpoint: &dyn endpoint::Endpoint,
        phase: &str,
        monitor: &Monitor,
    ) -> Outcome<SyncReport> {
        crash::CREATED.pass();
        monitor.phase(Phase::Comparing, None, None);
        let head = self.refresh_head(endpoint, &BTreeSet::new())?;
        let mut configs = self.configs(head.as_ref())?;
        let mut options = SyncOptions::default();
        let mut summary = ScanSummary::default();
        if phase == ATTACH {
            let with_patterns = config_file::with_patterns(&self.root, configs.merged.clone())?;
            let patterns = Some(with_patterns).filter(|ours| !ours.ignore.patterns.is_empty());
            if let Some(ours) = configs.seen.take().or(patterns) {
                // A file that is here stays as it is; the next sync merges both sides' additions.
                let base = SharedConfig::common(&ours, &configs.merged);
                let base = serde_json::to_string(&base).unwrap_or_default();
                self.index.batch(|batch| batch.set_meta("config_base", Some(&base)))?;
            }
            summary = scan(&self.root, &configs.merged, &mut self.index, Scope::All, monitor)?;
            options.except_conflicts = true;
        }
        let ground = Ground { head, configs, summary, receives: true };
        self.carry_out(endpoint, ground, &options, monitor)
    }

    /// Makes `.dsg`, or finds what an earlier try left.
    fn begin(root: &Path, address: &Address, phase: &str, monitor: &Monitor) -> Outcome<Self> {
        let dir = Dir::open(root)?;
        let state = root.join(DOT_DSG).join(STATE);
        if state.exists() {
            match Index::open(&state) {
                Ok(index) if index.meta("address")?.is_some() => {
                    let project = Self::with_index(root.to_owned(), dir, index)?;
                    let unfinished = project.index.meta("phase")?;
                    let sealed = crate::record::load(&project.index)?.is_some();
                    let same = project.address == *address && unfinished.as_deref() == Some(phase);
                    if unfinished.is_some() && (same || !sealed) {
                        // An earlier try that was cut off before anything was decided.
                        if same && sealed {
                            return Ok(project);
                        }
                        let lock = project.lock("recovery", PATIENCE, monitor)?;
                        let dir = project.dir.try_clone()?;
                        drop((project, lock));
                        // What came is taken over.
                        remove_state(&dir, &[])?;
                        return Self::create(root, address, phase);
                    }
                    return Err(Failure::new(
                        Code::Exists,
                        format!("{} is a project already, of {}.", root.display(), project.address),
                    )
                    .hint("Work with it as it is (dsg status), or choose another folder."));
                }
                // Cut off before its address was written: nothing else can be in it.
                Ok(_) => {}
                Err(failure) if !is_unborn(&state) => return Err(failure),
                Err(_) => {}
            }
            keep_staged(&dir)?;
            remove_state(&dir, &["staging"])?;
        }
        keep_staged(&dir)?;
        Self::create(root, address, phase)
    }

    pub(super) fn create(root: &Path, address: &Address, phase: &str) -> Outcome<Self> {
        let dir = Dir::open(root)?;
        let state = root.join(DOT_DSG).join(STATE);
        dir.ensure_dirs(DOT_DSG, Some(0o700))?;
        let mut index = Index::create(&state)?;
        dir.open_beneath(DOT_DSG)?.write_atomically(
            ADDRESS,
            format!("{address}\n").as_bytes(),
            0o644,
        )?;
        index.batch(|batch| {
            batch.set_meta("address", Some(&address.to_string()))?;
            batch.set_meta("phase", Some(phase))
        })?;
        Self::with_index(root.to_owned(), dir, index)
    }

    /// Ends what an earlier try, cut off here, had decided. `None`: nothing was decided.
    fn resume(&mut self, monitor: &Monitor) -> Outcome<Option<SyncReport>> {
        let _lock = self.lock("recovery", PATIENCE, monitor)?;
        if let Some(failure) = self.recover(monitor)? {
            return Err(failure);
        }
        if self.index.meta("phase")?.is_some() {
            return Ok(None);
        }
        Ok(Some(SyncReport { snapshot: self.last_sync()?, ..SyncReport::default() }))
    }

    /// Whether the transaction that makes this project was sealed or is done.
    fn is_sealed(&self) -> bool {
        !matches!(self.index.meta("phase"), Ok(Some(_)))
            || !matches!(crate::record::load(&self.index), Ok(None))
    }

    /// Removes what a try made here that came to nothing.
    fn unmade(self, failure: Failure) -> Failure {
        let Self { dir, index, .. } = self;
        drop(index);
        match remove_state(&dir, &["staging"]) {
            Ok(()) => failure,
            Err(left) => {
                Failure::new(failure.code, format!("{} And {}", failure.message, left.message))
                    .because(failure)
            }
        }
    }
}

/// Whether a database was cut off while it was made, before anything was in it.
fn is_unborn(state: &Path) -> bool {
    std::fs::metadata(state).is_ok_and(|m| m.len() == 0)
}

/// Removes `.dsg` of a project that never came to be. A trash in it stays.
fn remove_state(dir: &Dir, more: &[&str]) -> Outcome<()> {
    let dot = dir.open_beneath(DOT_DSG)?;
    let state = [STATE, "state.db-wal", "state.db-shm", "state.db-journal", ADDRESS, "lock"];
    for name in state.iter().chain(more) {
        dot.remove_tree(name)?;
    }
    match dir.remove_dir(DOT_DSG) {
        Err(e) if !e.is_present() => Err(e.into()),
        _ => Ok(()),
    }
}

/// What waits in staging for a sync whose record is lost with the state may be a person's: it goes to
/// the trash.
fn keep_staged(dir: &Dir) -> Outcome<()> {
    for leftover in leftovers(dir, [""])?.into_iter().filter(|l| !l.trash) {
        let Some(name) = leftover.path.file_name().and_then(|n| n.to_str()) else { continue };
        dir.ensure_dirs(TRASH, Some(0o700))?;
        for n in 1..100 {
            match dir.rename_noreplace(&leftover.path, dir, format!("{TRASH}/{name}-left-{n}")) {
                Err(e) if e.is_present() => {}
                other => {
                    other?;
                    break;
                }
            }
        }
    }
    Ok(())
}

/// The folder for a copy of a repository: new or empty, unless it is to be attached as it is. Gives
/// whether it was made.
fn prepare_folder(dir: &Path, address: &Address, phase: &str) -> Outcome<bool> {
    match std::fs::create_dir(dir) {
        Ok(()) => return Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(Failure::io("create the folder", dir, e)),
    }
    let foreign = std::fs::read_dir(dir)
        .map_err(|e| Failure::io("read the folder", dir, e))?
        .filter_map(Result::ok)
        .find(|e| e.file_name() != DOT_DSG && e.file_name() != "lost+found");
    if phase == ATTACH || foreign.is_none() || is_judged_later(dir) {
        return Ok(false);
    }
    Err(Failure::new(Code::Exists, format!("{} is not empty.", dir.display())).hint(format!(
        "Choose a new or empty folder for the copy. To make this folder the copy, with all that it \
         holds and nothing overwritten: dsg clone --attach {} {}",
        shell_word(&address.to_string()),
        shell_word(&dir.to_string_lossy()),
    )))
}

/// Whether a folder's state says more than that it is not empty: it is a project, a clone that was
/// cut off, or damaged.
fn is_judged_later(dir: &Path) -> bool {
    let state = dir.join(DOT_DSG).join(STATE);
    if is_unborn(&state) || !state.exists() {
        return false;
    }
    match Index::open(&state).and_then(|index| index.meta("phase")) {
        Ok(phase) => phase.is_none_or(|phase| phase == CLONE),
        Err(_) => true,
    }
}

/// A repository inside its project, or a project inside its repository, would sync itself.
fn keep_apart(root: &Path, address: &Address) -> Outcome<()> {
    let Some(repository) = address.local() else { return Ok(()) };
    let known: PathBuf = repository
        .ancestors()
        .find_map(|a| {
            let rest = repository.strip_prefix(a).ok()?;
            Some(std::fs::canonicalize(a).ok()?.join(rest))
        })
        .unwrap_or_else(|| repository.to_owned());
    if known.starts_with(root) || root.starts_with(&known) {
        return Err(Failure::new(
            Code::Usage,
            format!(
                "The repository {} and the project {} lie in one another.",
                known.display(),
                root.display()
            ),
        )
        .hint("Choose a place for the repository outside the project's folder."));
    }
    Ok(())
}

/// The configuration of a project that is made of a folder: what stands there, with what is chosen.
///
/// # Errors
/// [`Code::Config`]: something in it cannot be used.
pub(crate) fn first_config(
    root: &Path,
    name: Option<&str>,
    data_dirs: &[String],
    seen: Option<&SharedConfig>,
    monitor: &Monitor,
) -> Outcome<SharedConfig> {
    let folder =
        root.file_name().map_or_else(|| "project".to_owned(), |n| n.to_string_lossy().into_owned());
    let oldest = if seen.is_some() { None } else { config_file::read_oldest(root)? };
    let seen = seen.or(oldest.as_ref());
    let mut config = match seen {
        Some(seen) => seen.clone(),
        None => config_file::with_patterns(root, SharedConfig::new(folder))?,
    };
    if let Some(name) = name {
        name.clone_into(&mut config.name);
    }
    if !data_dirs.is_empty() {
        config.data_dirs = data_dirs.iter().map(|d| d.trim_end_matches('/').to_owned()).collect();
    } else if seen.is_none() && !DEFAULT_DATA_DIRS.iter().any(|d| root.join(d).is_dir()) {
        config.data_dirs = ["*".to_owned()].into();
        monitor.event(Event::Notice(format!(
            "None of {} is a folder here, so everything in {} is tracked. Change data_dirs in {} to track less.",
            DEFAULT_DATA_DIRS.join(", "), root.display(), config_file::NAME
        )));
    }
    config.checked().map_err(|e| {
        Failure::new(Code::Config, format!("The configuration cannot be used: {e}."))
            .hint("Correct the value and try again.")
    })
}
