//! One sync as a chain of types: `Planned → Staged → Published → Settled`.
//!
//! Each step consumes the one before, so nothing is settled that was not published and nothing is
//! published that was not staged. Up to [`Staged::publish`] dropping the value leaves all sides as
//! they were; after it everything rolls forward, by this process or the next.

mod outgoing;
mod published;

use std::collections::BTreeMap;

use dsg_core::config::SharedConfig;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Monitor, Phase};
use dsg_core::path::RepoPath;
use dsg_core::plan::Plan;
use dsg_core::plan::effects::{Source, Step};
use dsg_core::repository::{self, Access, Publication};
use dsg_core::snapshot::{Authorship, SnapshotHeader, SnapshotId};
use dsg_fs::dir::Dir;
use dsg_fs::stat::Stat;

use crate::areas::Areas;
use crate::crash;
use crate::endpoint::{Endpoint, RemoteTransaction};
use crate::incoming;
use crate::index::Index;
use crate::record::{self, Place, Record, SealedStep, Wait};
use crate::report::SyncReport;

pub(crate) use outgoing::{PRIVATE, Rejected};
pub(crate) use published::Published;

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
    /// These files cannot go as the plan saw them: plan again.
    Rejected(Vec<Rejected>),
}

impl Planned<'_> {
    /// Brings all content to where it waits, and makes what is staged here durable.
    ///
    /// # Errors
    /// Nothing is changed; what was staged is cleaned by the caller.
    pub fn stage(
        self,
        endpoint: &dyn Endpoint,
        areas: &mut Areas,
        monitor: &Monitor,
    ) -> Outcome<Staging> {
        let Self { context, plan, seen } = self;
        let steps = split_moves(areas, plan.steps())?;
        let going = plan.outgoing();
        let down = steps.iter().filter_map(incoming_size);
        let (files, bytes) = down
            .chain(going.iter().map(|o| o.entry.size()))
            .fold((0, 0), |(n, b), size| (n + 1, b + size));
        monitor.phase(Phase::Staging, Some(files), Some(bytes));
        check_access(areas, &steps)?;
        for step in &steps {
            if let Step::Remove { path, .. } | Step::Rename { from: path, .. } = step {
                areas.at(path)?;
            }
        }

        let mut report = SyncReport::promised(&plan);
        report.bytes_received = incoming::stage(endpoint, areas, context.base, &steps, monitor)?;
        let changes = plan.remote_changes();
        let creates = context.base.is_none();
        let mut remote = None;
        if !changes.is_empty() || context.config_changes || creates {
            let mut transaction = endpoint.begin(context.base, &context.authorship.transaction)?;
            let team = endpoint.info().access == Access::Team;
            let rejected = outgoing::send(&mut *transaction, team, areas, &steps, &going, monitor)?;
            if !rejected.is_empty() {
                transaction.abort()?;
                return Ok(Staging::Rejected(rejected));
            }
            report.bytes_sent = going.iter().map(|o| o.entry.size()).sum();
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
            grounds: areas.all().map(|a| a.ground.clone()).collect(),
            repository: endpoint.info().id.clone(),
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
        let top = areas.at(from)?.ground.top.clone();
        let crosses = areas.at(to)?.ground.top != top;
        match step {
            Step::Rename { from, to, expected, entry } if crosses => {
                split.push(Step::Remove { path: from, expected, aside: None });
                come.push(Step::Place {
                    path: to,
                    entry,
                    expected: None,
                    aside: None,
                    source: Source::Head,
                });
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
        let (path, other) = match step {
            Step::Place { path, aside, .. } | Step::Remove { path, aside, .. } => {
                (path, aside.as_ref())
            }
            Step::Rename { from, to, .. } => (from, Some(to)),
            Step::Agree { .. } => continue,
        };
        for path in [Some(path), other].into_iter().flatten() {
            for dir in path.ancestors().chain([""]) {
                if !checked.insert(dir.to_owned()) {
                    break;
                }
                let opened = if dir.is_empty() {
                    areas.root().try_clone()
                } else {
                    areas.root().open_beneath(dir)
                };
                match opened {
                    Ok(opened) => {
                        opened.check_writable()?;
                        break;
                    }
                    // What stands there goes before this comes.
                    Err(e) if e.is_absent() || e.is_escape() => {}
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
            Step::Place { path, expected, .. } => {
                (expected.as_ref().map(|_| path), inodes.get(&number).copied())
            }
            Step::Remove { path, .. } | Step::Rename { from: path, .. } => {
                (Some(path), root.stat(path.as_str())?.map(|s| s.ino))
            }
            Step::Agree { .. } => (None, None),
        };
        let seen = looked_at.and_then(seen).map(|s| (s.ino, s.size, s.mtime));
        Ok(SealedStep { step, wait: Wait { name: number.to_string(), staged, seen } })
    };
    steps.into_iter().enumerate().map(seal).collect()
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
                Err(failure) => {
                    let Some(header) = after_all(endpoint, &record, &failure)? else {
                        index.batch(record::forget)?;
                        return Err(failure);
                    };
                    header
                }
            };
            report.snapshot = Some(published.id);
            header = Some(published);
        }
        crash::PUBLISHED.pass();
        Ok(Published::decided(record, steps, header, report))
    }
}

/// Whether a publish that failed has decided all the same: some failures say that it cannot have;
/// after any other the repository is asked. If it does not answer, the record stands.
fn after_all(
    endpoint: &dyn Endpoint,
    record: &Record,
    failure: &Failure,
) -> Outcome<Option<SnapshotHeader>> {
    if matches!(failure.code, Code::HeadMoved | Code::Locked | Code::Drift | Code::Cancelled) {
        return Ok(None);
    }
    let header = match endpoint.outcome(&record.transaction) {
        Ok(repository::Outcome::Aborted) => return Ok(None),
        Ok(repository::Outcome::Published(id)) => endpoint.header(id),
        Err(unknown) => Err(unknown),
    };
    header.map(Some).map_err(|unknown| {
        let message = format!("It is not known whether the repository took this sync: {failure}");
        Failure::new(Code::Unsettled, message)
            .hint("Run dsg sync again when the cause is removed: it finds out, and ends the sync.")
            .because(unknown)
    })
}
