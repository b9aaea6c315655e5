//! The way back: files of a snapshot as pending changes in the folder, or into another one.
//!
//! In the folder a restore is a transaction that publishes nothing: staged and proved by hash,
//! sealed in a record, then swapped in as a sync does it. What is replaced goes to the trash; the
//! cache learns nothing, so that what came back is pending.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dsg_core::config::{SharedConfig, Tracking};
use dsg_core::entry::Entry;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Monitor, Phase};
use dsg_core::path::RepoPath;
use dsg_core::plan::effects::{Source, Step};
use dsg_core::snapshot::SnapshotId;
use dsg_core::state::Local;

use super::Project;
use super::fetched;
use super::sync::give_up;
use crate::areas::Areas;
use crate::crash;
use crate::endpoint::{self, Endpoint};
use crate::incoming;
use crate::index::Row;
use crate::left;
use crate::record::{self, Place, Record};
use crate::report::{RestoreReport, SyncReport};
use crate::scan::{Scope, scan};
use crate::transaction::{Published, check_access, sealed};

/// What a path shall be after a restore.
pub(super) struct Wish {
    /// Where.
    pub path: RepoPath,
    /// With the snapshot that has its content; `None`: nothing.
    pub wanted: Option<(Entry, SnapshotId)>,
}

impl Project {
    /// Brings files, folders or (with no paths) everything back to what a snapshot has, as pending
    /// changes. What is here, was synced once, and is not in the snapshot goes to the trash; what
    /// was never synced stays. With `dry_run` only says what would happen.
    ///
    /// # Errors
    /// Nothing is changed: no such snapshot or path, its files are not kept, no space, stopped.
    /// [`Code::Unsettled`]: begun; the next use of the project finishes it.
    pub fn restore(
        &mut self,
        snapshot: SnapshotId,
        paths: &[String],
        dry_run: bool,
        monitor: &Monitor,
    ) -> Outcome<RestoreReport> {
        let _ready = self.ready_to_change("restore", monitor)?;
        let endpoint = endpoint::open(&self.address)?;
        let named = Named::of(paths)?;
        let rules = self.survey_folder(paths, monitor)?;
        let mut wanted: BTreeMap<RepoPath, Entry> = BTreeMap::new();
        endpoint.manifest(snapshot, &mut |change| {
            if let Some(entry) = change.entry.filter(|_| named.has(&change.path)) {
                wanted.insert(change.path, entry);
            }
            monitor.check()
        })?;
        let mut wishes = Vec::new();
        let mut here: BTreeSet<RepoPath> = BTreeSet::new();
        self.index.rows_within("", &mut |row| {
            if !named.has(&row.path) {
                return Ok(());
            }
            if named.needs_proof() {
                here.insert(row.path.clone());
            }
            if !wanted.contains_key(&row.path) && (row.cache.is_some() || row.remote.is_some()) {
                wishes.push(Wish { path: row.path, wanted: None });
            }
            Ok(())
        })?;
        named.prove(snapshot, &wanted, &here)?;
        let back = |(path, entry)| Wish { path, wanted: Some((entry, snapshot)) };
        wishes.extend(wanted.into_iter().map(back));
        self.bring(&*endpoint, wishes, &rules, &format!("restoring {snapshot}"), dry_run, monitor)
    }

    /// Brings paths, and what lies below them, back to the version of the last sync. What was never
    /// synced stays as it is, with a word.
    ///
    /// # Errors
    /// As [`Project::restore`].
    pub fn revert(&mut self, paths: &[String], monitor: &Monitor) -> Outcome<RestoreReport> {
        let _ready = self.ready_to_change("revert", monitor)?;
        let endpoint = endpoint::open(&self.address)?;
        let named = Named::of(paths)?;
        let rules = self.survey_folder(paths, monitor)?;
        let mut wishes = Vec::new();
        let mut new = Vec::new();
        self.index.pending(&mut |row| {
            if named.has(&row.path) {
                match row.cache {
                    Some(cached) => wishes.push(Wish { path: row.path, wanted: Some(cached) }),
                    None if row.local.entry().is_some() => new.push(row.path),
                    None => {}
                }
            }
            Ok(())
        })?;
        let why = "bringing back what was last synced";
        let mut report = self.bring(&*endpoint, wishes, &rules, why, false, monitor)?;
        let never = |path: RepoPath| {
            let why = "It was never synced, so there is no version to go back to.";
            (path.to_string(), why.to_owned())
        };
        report.skipped.extend(new.into_iter().map(never));
        Ok(report)
    }

    /// Writes files and folders of a snapshot (with no paths, all) into the folder `into`, which is
    /// made. Nothing there is replaced: what stands in the way is told.
    ///
    /// # Errors
    /// No such snapshot or path, its files are not kept, no space, stopped; `into` lies in the
    /// project.
    pub fn fetch(
        &self,
        snapshot: SnapshotId,
        paths: &[String],
        into: &Path,
        dry_run: bool,
        monitor: &Monitor,
    ) -> Outcome<RestoreReport> {
        let endpoint = endpoint::open(&self.address)?;
        let named = Named::of(paths)?;
        let mut wanted: BTreeMap<RepoPath, Entry> = BTreeMap::new();
        endpoint.manifest(snapshot, &mut |change| {
            if let Some(entry) = change.entry.filter(|_| named.has(&change.path)) {
                wanted.insert(change.path, entry);
            }
            monitor.check()
        })?;
        named.prove(snapshot, &wanted, &BTreeSet::new())?;
        fetched::apart(into, &self.root, &self.address)?;
        fetched::write(&*endpoint, snapshot, wanted, into, dry_run, monitor)
    }

    /// The rules that hold, after a look at what is concerned.
    pub(super) fn survey_folder(
        &mut self,
        paths: &[String],
        monitor: &Monitor,
    ) -> Outcome<SharedConfig> {
        let configs = self.configs(self.known_head()?.as_ref())?;
        let scope = if paths.is_empty() { Scope::All } else { Scope::Paths(paths) };
        scan(&self.root, &configs.merged, &mut self.index, scope, monitor)?;
        Ok(configs.merged)
    }

    pub(super) fn bring(
        &mut self,
        endpoint: &dyn Endpoint,
        wishes: Vec<Wish>,
        rules: &SharedConfig,
        why: &str,
        dry_run: bool,
        monitor: &Monitor,
    ) -> Outcome<RestoreReport> {
        let mut report = RestoreReport { folder: self.root.clone(), ..RestoreReport::default() };
        let mut steps = Vec::new();
        let mut deeds: BTreeMap<RepoPath, Deed> = BTreeMap::new();
        for Wish { path, wanted } in wishes {
            let row = self.index.row(&path)?;
            match step(&path, row.as_ref(), wanted, rules) {
                Ok(Some(step)) => {
                    deeds.insert(path.clone(), Deed::of(&step));
                    steps.push(step);
                }
                Ok(None) => report.unchanged += 1,
                Err(why) => report.skipped.push((path.to_string(), why)),
            }
        }
        for deed in deeds.values() {
            deed.count(&mut report);
        }
        if dry_run || steps.is_empty() {
            return Ok(report);
        }
        // What an earlier try left is taken over, or goes.
        let free = self.dir.space()?.free.saturating_add(left::bytes(&self.dir)?);
        fetched::check_space(free, report.bytes, &self.root)?;
        monitor.phase(Phase::Staging, Some(report.added + report.replaced), Some(report.bytes));
        let transaction = uuid::Uuid::now_v7().to_string();
        let mut areas = Areas::new(self.dir.try_clone()?, &transaction);
        let planned = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
        let numbered = || (0..).zip(steps.iter().cloned());
        let staged = (|| {
            check_access(&areas, numbered())?;
            for step in &steps {
                if let Step::Remove { path, .. } = step {
                    areas.at(path)?;
                }
            }
            incoming::stage(endpoint, &mut areas, None, numbered(), monitor)?;
            incoming::harden(&areas, numbered())?;
            let record = Record {
                transaction: transaction.clone(),
                base: None,
                publishes: false,
                restores: true,
                deeds: steps.len() as u64,
                config: rules.clone(),
                seen_config: None,
                repository: endpoint.info().id.clone(),
                grounds: areas.all().map(|a| a.ground.clone()).collect(),
                decided: Vec::new(),
                place: Place::of(areas.root())?,
            };
            monitor.check()?;
            self.index.batch(|batch| {
                batch.set_meta(&super::trash::reason_key(&transaction), Some(why))?;
                let seal = |(number, step)| sealed(batch, &areas, number, step, planned);
                record::seal(batch, &record, numbered().map(seal))
            })?;
            Ok(record)
        })();
        let record = match staged {
            Ok(record) => record,
            Err(failure) => {
                let _ = give_up(&areas, &failure);
                return Err(failure);
            }
        };
        crash::SEALED.pass();
        let published = Published::decided(record, None, SyncReport::default());
        let refused = published.settle(&mut self.index, &areas, monitor)?.skipped;
        if !refused.is_empty() {
            deeds.retain(|path, _| refused.iter().all(|(refused, _)| refused != path.as_str()));
            (report.added, report.replaced, report.deleted, report.bytes) = (0, 0, 0, 0);
            for deed in deeds.values() {
                deed.count(&mut report);
            }
        }
        report.skipped.extend(refused);
        Ok(report)
    }
}

/// What a step counts as.
enum Deed {
    Added(u64),
    Replaced(u64),
    Deleted,
}

impl Deed {
    fn of(step: &Step) -> Self {
        match step {
            Step::Place { expected: Some(_), entry, .. } => Self::Replaced(entry.size()),
            Step::Place { entry, .. } => Self::Added(entry.size()),
            Step::Remove { .. }
            | Step::Rename { .. }
            | Step::Agree { .. }
            | Step::Forget { .. } => Self::Deleted,
        }
    }

    fn count(&self, report: &mut RestoreReport) {
        let (counter, bytes) = match self {
            Self::Added(bytes) => (&mut report.added, *bytes),
            Self::Replaced(bytes) => (&mut report.replaced, *bytes),
            Self::Deleted => (&mut report.deleted, 0),
        };
        *counter += 1;
        report.bytes += bytes;
    }
}

/// What has to be done for one path; `None`: it is as it shall be.
fn step(
    path: &RepoPath,
    row: Option<&Row>,
    wanted: Option<(Entry, SnapshotId)>,
    rules: &SharedConfig,
) -> Result<Option<Step>, String> {
    let path = path.clone();
    match (row.map_or(&Local::Absent, |row| &row.local), wanted) {
        (Local::Unknown(why), _) => Err(why.clone()),
        (Local::Absent, None) => Ok(None),
        (_, Some(_)) if rules.file(&path) != Tracking::Tracked => {
            Err("It is not tracked any more: restore it into another folder.".to_owned())
        }
        (Local::Excluded, _) => Err("It is not tracked any more.".to_owned()),
        (Local::Present(here), Some((entry, _))) if here.same(&entry) => Ok(None),
        (Local::Present(here), Some((entry, snapshot))) => Ok(Some(Step::Place {
            path,
            entry,
            expected: Some(here.clone()),
            aside: None,
            source: Source::Snapshot(snapshot),
        })),
        (Local::Absent, Some((entry, snapshot))) => Ok(Some(Step::Place {
            path,
            entry,
            expected: None,
            aside: None,
            source: Source::Snapshot(snapshot),
        })),
        (Local::Present(here), None) => {
            Ok(Some(Step::Remove { path, expected: here.clone(), aside: None }))
        }
    }
}

/// What a person named: files and folders, or everything.
pub(super) struct Named(BTreeSet<String>);

impl Named {
    pub(super) fn of(paths: &[String]) -> Outcome<Self> {
        Ok(Self(Project::named(paths)?.into_iter().map(String::from).collect()))
    }

    pub(super) fn has(&self, path: &RepoPath) -> bool {
        self.0.is_empty()
            || self.0.contains(path.as_str())
            || path.ancestors().any(|dir| self.0.contains(dir))
    }

    fn needs_proof(&self) -> bool {
        !self.0.is_empty()
    }

    /// Each name means something: in the snapshot, or here.
    fn prove(
        &self,
        snapshot: SnapshotId,
        wanted: &BTreeMap<RepoPath, Entry>,
        here: &BTreeSet<RepoPath>,
    ) -> Outcome<()> {
        let mut missing = self.0.clone();
        for path in wanted.keys().chain(here) {
            if missing.is_empty() {
                break;
            }
            missing.remove(path.as_str());
            for dir in path.ancestors() {
                missing.remove(dir);
            }
        }
        match missing.first() {
            None => Ok(()),
            Some(path) => Err(Failure::new(Code::NotFound, format!("{snapshot} has no {path}."))
                .hint("dsg list-files --snapshot shows what it has.")
                .about(missing.iter().map(String::as_str))),
        }
    }
}
