//! One sync as a chain of types: `Planned → Staged → Published → Settled`.
//!
//! Each step consumes the one before, so nothing is settled that was not published and nothing is
//! published that was not staged. Up to [`Staged::publish`] dropping the value leaves all sides as
//! they were; after it everything rolls forward, by this process or the next.

use std::collections::BTreeMap;

use dsg_core::config::SharedConfig;
use dsg_core::entry::Entry;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Monitor, Phase};
use dsg_core::path::RepoPath;
use dsg_core::plan::Plan;
use dsg_core::plan::effects::{Outgoing, Source, Step};
use dsg_core::repository::{self, Access, Publication};
use dsg_core::snapshot::{Authorship, SnapshotHeader, SnapshotId};
use dsg_fs::dir::Dir;
use dsg_fs::stat::Stat;

use crate::areas::Areas;
use crate::crash;
use crate::endpoint::{Endpoint, Refusal, RemoteTransaction, Supply, upload};
use crate::incoming;
use crate::index::{Index, Seen};
use crate::record::{self, Place, Record, SealedStep, Wait};
use crate::report::SyncReport;
use crate::settle::{self, Ended};

/// What a transaction is about, besides its plan.
pub(crate) struct Context {
    /// Who, why, when, and the transaction's id.
    pub authorship: Authorship,
    /// The head that the plan was made against; `None` for a new repository.
    pub base: Option<SnapshotId>,
    /// The shared configuration as it will be.
    pub config: SharedConfig,
    /// The repository's configuration differs from it.
    pub config_changes: bool,
    /// The configuration that stands in the folder.
    pub seen_config: Option<SharedConfig>,
}

/// A plan that may be carried out.
pub(crate) struct Planned<'a> {
    /// What it is about.
    pub context: Context,
    /// What is done.
    pub plan: Plan,
    /// Looks at local files that need no reading to be recognised.
    pub seen: &'a dyn Fn(&RepoPath) -> Option<Stat>,
}

/// How staging ended.
pub(crate) enum Staging {
    /// Everything waits on both sides.
    Complete(Box<Staged>),
    /// These files are no longer what the plan saw, with the reasons: plan again.
    Rejected(Vec<(RepoPath, String)>),
}

impl Planned<'_> {
    /// Brings all content to where it waits, and makes what is staged here durable.
    ///
    /// # Errors
    /// Nothing is changed; what was staged is cleaned by the caller.
    pub fn stage(self, endpoint: &dyn Endpoint, areas: &mut Areas, monitor: &Monitor) -> Outcome<Staging> {
        let Self { context, plan, seen } = self;
        let steps = split_moves(areas, plan.steps())?;
        let outgoing = plan.outgoing();
        let down = steps.iter().filter_map(incoming_size);
        let (files, bytes) = down.chain(outgoing.iter().map(|o| o.entry.size())).fold((0, 0), |(n, b), size| (n + 1, b + size));
        monitor.phase(Phase::Staging, Some(files), Some(bytes));
        check_access(areas, &steps)?;

        let mut report = SyncReport::promised(&plan);
        report.bytes_received = incoming::stage(endpoint, areas, context.base, &steps, monitor)?;
        let changes = plan.remote_changes();
        let creates = context.base.is_none();
        let mut remote = None;
        if !changes.is_empty() || context.config_changes || creates {
            let mut transaction = endpoint.begin(context.base, &context.authorship.transaction)?;
            let team = endpoint.info().access == Access::Team;
            let rejected = send(&mut *transaction, team, areas, &steps, &outgoing, monitor)?;
            if !rejected.is_empty() {
                transaction.abort()?;
                return Ok(Staging::Rejected(rejected));
            }
            report.bytes_sent = outgoing.iter().map(|o| o.entry.size()).sum();
            let publication = Publication {
                base: context.base,
                authorship: context.authorship.clone(),
                config: context.config.clone(),
                changes,
                copies: plan.remote_copies(),
            };
            remote = Some((transaction, publication));
        }
        crash::STAGED.pass();
        let inodes = incoming::harden(areas, &steps)?;
        let steps = seal_steps(areas.root(), steps, &inodes, seen)?;
        let decided = plan.items.iter().filter(|i| i.resolution.is_some() && !i.action.is_inert());
        let record = Record {
            transaction: context.authorship.transaction,
            base: context.base,
            publishes: remote.is_some(),
            config: context.config,
            seen_config: context.seen_config,
            tops: areas.all().map(|a| a.top.clone()).collect(),
            decided: decided.map(|i| i.at.path.clone()).collect(),
            place: Place::of(areas.root())?,
        };
        Ok(Staging::Complete(Box::new(Staged { record, steps, remote, report })))
    }
}

fn incoming_size(step: &Step) -> Option<u64> {
    match step {
        Step::Place { entry, .. } => Some(entry.size()),
        _ => None,
    }
}

/// A rename cannot cross file systems: there, the content is fetched and the old file removed.
fn split_moves(areas: &mut Areas, steps: Vec<Step>) -> Outcome<Vec<Step>> {
    let mut split = Vec::with_capacity(steps.len());
    let mut come = Vec::new();
    for step in steps {
        let Step::Rename { from, to, .. } = &step else {
            split.push(step);
            continue;
        };
        let top = areas.at(from)?.top.clone();
        let crosses = areas.at(to)?.top != top;
        match step {
            Step::Rename { from, to, expected, entry } if crosses => {
                split.push(Step::Remove { path: from, expected, aside: None });
                come.push(Step::Place { path: to, entry, expected: None, aside: None, source: Source::Head });
            }
            step => split.push(step),
        }
    }
    split.extend(come);
    Ok(split)
}

/// What settling will write to must be writable now, not after the publish.
fn check_access(areas: &Areas, steps: &[Step]) -> Outcome<()> {
    let mut checked = std::collections::BTreeSet::new();
    for step in steps {
        let paths: &[&RepoPath] = match step {
            Step::Place { path, .. } | Step::Remove { path, .. } => &[path],
            Step::Rename { from, to, .. } => &[from, to],
            Step::Agree { .. } => &[],
        };
        for path in paths {
            for dir in path.ancestors().chain([""]) {
                if !checked.insert(dir.to_owned()) {
                    break;
                }
                let opened = if dir.is_empty() { areas.root().try_clone() } else { areas.root().open_beneath(dir) };
                match opened {
                    Ok(opened) => {
                        opened.check_writable()?;
                        break;
                    }
                    Err(e) if e.is_absent() => {}
                    Err(e) => return Err(e.into()),
                }
            }
        }
    }
    Ok(())
}

fn seal_steps(
    root: &Dir,
    steps: Vec<Step>,
    inodes: &BTreeMap<usize, u64>,
    seen: &dyn Fn(&RepoPath) -> Option<Stat>,
) -> Outcome<Vec<SealedStep>> {
    let seal = |(number, step): (usize, Step)| {
        let (looked_at, staged) = match &step {
            Step::Place { path, expected, .. } => (expected.as_ref().map(|_| path), inodes.get(&number).copied()),
            Step::Remove { path, .. } | Step::Rename { from: path, .. } => (Some(path), root.stat(path.as_str())?.map(|s| s.ino)),
            Step::Agree { .. } => (None, None),
        };
        let seen = looked_at.and_then(seen).map(|s| (s.ino, s.size, s.mtime));
        Ok(SealedStep { step, wait: Wait { name: number.to_string(), staged, seen } })
    };
    steps.into_iter().enumerate().map(seal).collect()
}

/// Where outgoing content is read.
struct Local {
    sources: Vec<(Dir, String)>,
}

impl Supply for Local {
    fn open(&self, index: usize) -> Outcome<Box<dyn std::io::Read + Send + '_>> {
        let (dir, name) = &self.sources[index];
        Ok(Box::new(dir.open_file(name)?))
    }
}

fn send(
    transaction: &mut dyn RemoteTransaction,
    team: bool,
    areas: &mut Areas,
    steps: &[Step],
    outgoing: &[Outgoing],
    monitor: &Monitor,
) -> Outcome<Vec<(RepoPath, String)>> {
    let mut rejected = Vec::new();
    let mut uploads = Vec::new();
    let mut sources = Vec::new();
    let mut paths = Vec::new();
    for out in outgoing {
        let Some(file) = out.entry.file() else { continue };
        let staged = out.restored.then(|| placed(steps, &out.from)).flatten();
        let (dir, name) = match staged {
            Some(number) => (areas.at(&out.from)?.staging.try_clone()?, number.to_string()),
            None => (areas.root().try_clone()?, out.from.to_string()),
        };
        let Some(stat) = dir.stat(&name)? else {
            rejected.push((out.from.clone(), "It was deleted during the sync.".to_owned()));
            continue;
        };
        if stat.private() && team {
            rejected.push((out.from.clone(), PRIVATE.to_owned()));
            continue;
        }
        uploads.push(upload(*file, stat.private()));
        sources.push((dir, name));
        paths.push(out.from.clone());
    }
    if !rejected.is_empty() {
        return Ok(rejected);
    }
    let supply = Local { sources };
    for (path, staged) in paths.into_iter().zip(transaction.stage(&uploads, &supply, monitor)?) {
        match staged {
            Ok(()) => {}
            Err(Refusal::Changed(_)) => rejected.push((path, "It changes while it is read.".to_owned())),
            Err(Refusal::Supply(failure)) => rejected.push((path, failure.message)),
        }
    }
    Ok(rejected)
}

/// Why a private file stays out of a team's repository.
pub(crate) const PRIVATE: &str =
    "Only you may read this file, and the repository is a team's: give its group read access (chmod g+r) to share it.";

fn placed(steps: &[Step], wanted: &RepoPath) -> Option<usize> {
    steps.iter().position(|s| matches!(s, Step::Place { path, .. } if path == wanted))
}

/// Everything waits on both sides; nothing is visible.
pub(crate) struct Staged {
    record: Record,
    steps: Vec<SealedStep>,
    remote: Option<(Box<dyn RemoteTransaction>, Publication)>,
    report: SyncReport,
}

impl Staged {
    /// Seals the record, then lets the repository decide (or, if nothing changes there, the seal).
    ///
    /// # Errors
    /// Nothing changed on any side, and no record is left; unless the repository could not even be
    /// asked what became of it: then the record stands until it can be.
    pub fn publish(
        self,
        index: &mut Index,
        endpoint: &dyn Endpoint,
        head: Option<SnapshotHeader>,
        monitor: &Monitor,
    ) -> Outcome<Published> {
        let Self { record, steps, remote, mut report } = self;
        monitor.check()?;
        index.batch(|batch| record::seal(batch, &record, &steps))?;
        crash::SEALED.pass();
        monitor.phase(Phase::Publishing, None, None);
        let mut header = head;
        if let Some((transaction, publication)) = remote {
            let published = match transaction.publish(&publication, monitor) {
                Ok(header) => header,
                Err(failure) => match after_all(endpoint, &record, &failure)? {
                    Some(header) => header,
                    None => {
                        index.batch(record::forget)?;
                        return Err(failure);
                    }
                },
            };
            report.snapshot = Some(published.id);
            header = Some(published);
        }
        crash::PUBLISHED.pass();
        Ok(Published { record, steps, header, repository: None, report })
    }
}

/// Whether a publish that failed has decided all the same: some failures say that it cannot have;
/// after any other the repository is asked.
fn after_all(endpoint: &dyn Endpoint, record: &Record, failure: &Failure) -> Outcome<Option<SnapshotHeader>> {
    if matches!(failure.code, Code::HeadMoved | Code::Locked | Code::Drift | Code::Cancelled) {
        return Ok(None);
    }
    match endpoint.outcome(&record.transaction)? {
        repository::Outcome::Aborted => Ok(None),
        repository::Outcome::Published(id) => endpoint.header(id).map(Some),
    }
}

/// Decided: from here on it only rolls forward.
pub(crate) struct Published {
    record: Record,
    steps: Vec<SealedStep>,
    header: Option<SnapshotHeader>,
    repository: Option<String>,
    report: SyncReport,
}

impl Published {
    /// Notes which repository it is, when this is the transaction that made it.
    #[must_use]
    pub fn of_repository(mut self, info: String) -> Self {
        self.repository = Some(info);
        self
    }

    /// A sealed transaction of an earlier run, whose outcome was asked for.
    pub fn recovered(record: Record, steps: Vec<SealedStep>, header: Option<SnapshotHeader>) -> Self {
        let snapshot = header.as_ref().filter(|_| record.publishes).map(|h| h.id);
        Self { record, steps, header, repository: None, report: SyncReport { snapshot, ..SyncReport::default() } }
    }

    /// Brings the folder and the index to what was decided.
    ///
    /// # Errors
    /// [`Code::Unsettled`]: the repository has everything, this folder not yet; the next run goes on.
    pub fn settle(self, index: &mut Index, areas: &mut Areas, monitor: &Monitor) -> Outcome<SyncReport> {
        let unsettled = |failure: Failure| {
            let what = if self.record.publishes { "The repository has your sync, but this" } else { "This" };
            Failure::new(Code::Unsettled, format!("{what} folder is not finished: {}", failure.message))
                .hint("Remove the cause and run dsg sync again: it goes on where it stopped.")
                .because(failure)
        };
        self.settle_all(index, areas, monitor).map_err(unsettled)
    }

    fn settle_all(&self, index: &mut Index, areas: &mut Areas, monitor: &Monitor) -> Outcome<SyncReport> {
        let mut report = self.report.clone();
        monitor.phase(Phase::Settling, Some(self.steps.len() as u64), None);
        let ended = settle::settle(areas, &self.steps, monitor)?;
        let standing = crate::config_file::read(areas.root().path()).ok().flatten();
        let config_stands = standing == self.record.seen_config;
        if config_stands && standing.as_ref() != Some(&self.record.config) {
            crate::config_file::write(areas.root(), &self.record.config)?;
        }
        let root = areas.root().try_clone()?;
        index.batch(|batch| {
            for (sealed, end) in self.steps.iter().zip(&ended) {
                self.conclude(batch, &root, sealed, end)?;
                if let Ended::Refused(reason) = end {
                    let (Step::Place { path, .. } | Step::Remove { path, .. } | Step::Rename { from: path, .. } | Step::Agree { path, .. }) = &sealed.step;
                    report.skipped.push((path.to_string(), reason.clone()));
                }
            }
            for path in &self.record.decided {
                batch.set_resolution(path, None)?;
            }
            if let Some(header) = &self.header {
                batch.set_meta("head", Some(header.line().trim_end()))?;
                batch.set_meta("last_sync", Some(&header.id.to_string()))?;
            }
            if config_stands {
                let config = serde_json::to_string(&self.record.config).unwrap_or_default();
                batch.set_meta("config_base", Some(&config))?;
            }
            if let Some(repository) = &self.repository {
                batch.set_meta("repository", Some(repository))?;
            }
            batch.set_meta("phase", None)?;
            record::forget(batch)
        })?;
        crash::SETTLED.pass();
        areas.clean()?;
        Ok(report)
    }

    /// What the index learns of one step. R is as published, whatever became of the step here.
    fn conclude(&self, batch: &crate::index::Batch, root: &Dir, sealed: &SealedStep, end: &Ended) -> Outcome<()> {
        let rules = &self.record.config;
        let done = *end == Ended::Done;
        let agreed = |path: &RepoPath, entry: Option<&Entry>| -> Outcome<()> {
            batch.set_remote(path, entry, rules)?;
            if !done {
                return Ok(());
            }
            let snapshot = self.header.as_ref().map(|h| h.id).or(self.record.base).unwrap_or(SnapshotId::FIRST);
            batch.set_cache(path, entry.map(|e| (e, snapshot)))
        };
        let here = |path: &RepoPath, entry: Option<&Entry>, inode: Option<u64>| -> Outcome<()> {
            if !done {
                return Ok(());
            }
            match entry {
                None => batch.set_local(path, &dsg_core::state::Local::Absent, None),
                Some(entry) => match look(root, path, entry, inode) {
                    Some(seen) => batch.set_local(path, &dsg_core::state::Local::Present(entry.clone()), Some(&seen)),
                    // It was changed since: the next scan reads it.
                    None => Ok(()),
                },
            }
        };
        match &sealed.step {
            Step::Place { path, entry, expected, aside, .. } => {
                agreed(path, Some(entry))?;
                here(path, Some(entry), sealed.wait.staged)?;
                if let (Some(aside), Some(expected)) = (aside, expected) {
                    agreed(aside, Some(expected))?;
                    here(aside, Some(expected), sealed.wait.seen.map(|s| s.0))?;
                }
                Ok(())
            }
            Step::Remove { path, expected, aside } => {
                agreed(path, None)?;
                here(path, None, None)?;
                if let Some(aside) = aside {
                    agreed(aside, Some(expected))?;
                    here(aside, Some(expected), sealed.wait.staged)?;
                }
                Ok(())
            }
            Step::Rename { from, to, entry, .. } => {
                agreed(from, None)?;
                here(from, None, None)?;
                agreed(to, Some(entry))?;
                here(to, Some(entry), sealed.wait.staged)
            }
            Step::Agree { path, entry } => agreed(path, entry.as_ref()),
        }
    }
}

/// A look at a file that was just put there, if it is still exactly that one.
fn look(root: &Dir, path: &RepoPath, entry: &Entry, inode: Option<u64>) -> Option<Seen> {
    let stat = root.stat(path.as_str()).ok()??;
    let file = entry.file()?;
    let same = inode == Some(stat.ino) && stat.size == file.size && stat.mtime == file.mtime && stat.exec() == file.exec;
    let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
    // Its change time is that of our rename; only a recent modification time would prove nothing.
    same.then(|| Seen { racy: stat.mtime.0 > now - 2_000_000_000, stat })
}
