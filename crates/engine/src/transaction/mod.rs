//! One sync as a chain of types: `Planned → Staged → Published → Settled`.
//!
//! Each step consumes the one before, so nothing is settled that was not published and nothing is
//! published that was not staged. Up to [`Staged::publish`] dropping the value leaves all sides as
//! they were; after it everything rolls forward, by this process or the next.

mod outgoing;
mod published;
mod steps;

use std::collections::BTreeSet;

use dsg_core::config::SharedConfig;
use dsg_core::entry::Hash;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Monitor, Phase};
use dsg_core::plan::effects::Step;
use dsg_core::plan::{Item, Plan};
use dsg_core::repository::{self, Access, Publication};
use dsg_core::snapshot::{Authorship, SnapshotHeader, SnapshotId};
use dsg_fs::stat::Stat;
use dsg_wire::chunks::Chunks;

use crate::areas::Areas;
use crate::crash;
use crate::endpoint::{self, Endpoint, RemoteTransaction};
use crate::incoming;
use crate::index::{Batch, Index, Seen};
use crate::record::{self, Place, Record, SealedStep, Wait};
use crate::report::SyncReport;

use outgoing::Sent;
pub(crate) use outgoing::{PRIVATE, Rejected};
pub(crate) use published::Published;
use steps::Steps;

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
    /// When the plan was made, in nanoseconds since 1970.
    pub planned: i64,
}

/// A plan that may be carried out.
pub(crate) struct Planned {
    /// What it is about.
    pub context: Context,
    /// What is done.
    pub plan: Plan,
}

/// How staging ended.
pub(crate) enum Staging {
    /// Everything waits on both sides.
    Complete(Box<Staged>),
    /// These files cannot go as the plan saw them: plan again.
    Rejected(Vec<Rejected>),
}

impl Planned {
    /// Brings all content to where it waits, and makes what is staged here durable.
    ///
    /// # Errors
    /// Nothing is changed; what was staged is cleaned by the caller.
    pub fn stage(
        self,
        endpoint: &dyn Endpoint,
        areas: &mut Areas,
        index: &Index,
        monitor: &Monitor,
    ) -> Outcome<Staging> {
        let Self { context, plan } = self;
        let steps = Steps::new(plan, areas)?;
        let comes = |(_, step)| match step {
            Step::Place { entry, .. } => Some(entry.size()),
            _ => None,
        };
        let sent: u64 = steps.plan().outgoing().map(|o| o.file.size).sum();
        let (files, bytes) = (steps.deeds().filter_map(comes))
            .fold((steps.plan().outgoing().count() as u64, sent), |(n, b), size| (n + 1, b + size));
        monitor.phase(Phase::Staging, Some(files), Some(bytes));
        check_access(areas, steps.deeds())?;
        for (_, step) in steps.deeds() {
            if let Step::Remove { path, .. } | Step::Rename { from: path, .. } = step {
                areas.at(&path)?;
            }
        }

        let mut report = SyncReport::promised(steps.plan());
        report.bytes_received =
            incoming::stage(endpoint, areas, context.base, steps.deeds(), monitor)?;
        let creates = context.base.is_none();
        let (mut remote, mut learned) = (None, Vec::new());
        if steps.plan().changes_remote() || context.config_changes || creates {
            // Of what has an older version there, little travels.
            let news = steps.plan().outgoing().filter(|out| out.older.is_none());
            endpoint.expect(news.map(|out| out.file.size).sum());
            let mut transaction = endpoint.begin(
                context.base,
                &context.authorship.transaction,
                &context.authorship.author,
            )?;
            let team = endpoint.info().access == Access::Team;
            let sender = outgoing::Sender { team, areas, steps: &steps, index };
            match sender.send(&mut *transaction, monitor)? {
                Sent::All(chunks) => learned = chunks,
                Sent::Rejected(rejected) => {
                    transaction.abort()?;
                    return Ok(Staging::Rejected(rejected));
                }
            }
            report.bytes_sent = sent;
            let publication = Publication {
                base: context.base,
                authorship: context.authorship.clone(),
                config: context.config.clone(),
                changes: steps.plan().remote_changes(),
                copies: steps.plan().remote_copies(),
            };
            remote = Some((transaction, publication));
        }
        crash::STAGED.pass();
        incoming::harden(areas, steps.deeds())?;
        let decided = |i: &Item| i.resolution.is_some() && !i.action.is_inert();
        let record = Record {
            transaction: context.authorship.transaction,
            base: context.base,
            publishes: remote.is_some(),
            restores: false,
            config: context.config,
            seen_config: context.seen_config,
            grounds: areas.all().map(|a| a.ground.clone()).collect(),
            repository: endpoint.info().id.clone(),
            deeds: steps.deeds().count() as u64,
            decided: steps.plan().items().filter(decided).map(|i| i.at.path).collect(),
            place: Place::of(areas.root())?,
        };
        let planned = context.planned;
        let staged = Staged { record, steps, planned, remote, learned, report };
        Ok(Staging::Complete(Box::new(staged)))
    }
}

/// What settling will write to must be writable now, not after the publish.
///
/// # Errors
/// It is not.
pub(crate) fn check_access(areas: &Areas, steps: impl Iterator<Item = (u64, Step)>) -> Outcome<()> {
    let mut checked = BTreeSet::new();
    for (_, step) in steps {
        let (path, other) = match &step {
            Step::Place { path, aside, .. } | Step::Remove { path, aside, .. } => {
                (path, aside.as_ref())
            }
            Step::Rename { from, to, .. } => (from, Some(to)),
            Step::Agree { .. } | Step::Forget { .. } => continue,
        };
        for path in [Some(path), other].into_iter().flatten() {
            for dir in path.ancestors().chain([""]) {
                if checked.contains(dir) {
                    break;
                }
                checked.insert(dir.to_owned());
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

/// Files that were written so short before the plan was made may be written again within the same
/// tick of their clock: an equal stat does not prove that they are the same.
const CLOCK_DOUBT_NS: i64 = 10_000_000_000;

/// A step with what settling needs to know of it. `planned`: when the plan was made, in nanoseconds
/// since 1970.
///
/// # Errors
/// What was staged is gone, or the folder or the index cannot be read.
pub(crate) fn sealed(
    batch: &Batch,
    areas: &Areas,
    number: u64,
    step: Step,
    planned: i64,
) -> Outcome<SealedStep> {
    let mut sealed = SealedStep { number, step, wait: Wait::default() };
    let looked_at = match &sealed.step {
        Step::Place { path, expected, .. } => {
            let name = sealed.name();
            let waiting = areas.find(path).map(|area| area.staging.stat(&name)).transpose()?;
            let Some(waiting) = waiting.flatten() else {
                let message = format!("What was staged for {path} is not there any more.");
                return Err(Failure::new(Code::Io, message).hint("Sync again."));
            };
            sealed.wait.staged = Some(waiting.ino);
            expected.as_ref().map(|_| path)
        }
        Step::Remove { path, .. } | Step::Rename { from: path, .. } => {
            sealed.wait.staged = areas.root().stat(path.as_str())?.map(|s| s.ino);
            Some(path)
        }
        Step::Agree { .. } | Step::Forget { .. } => None,
    };
    if let Some(path) = looked_at {
        let look = batch.row(path)?.and_then(|row| row.seen);
        sealed.wait.seen = look.filter(|seen| proves(seen, planned)).map(|seen| {
            let Stat { ino, size, mtime, .. } = seen.stat;
            (ino, size, mtime)
        });
    }
    Ok(sealed)
}

/// Whether an equal stat will prove that the file is still what this look saw.
fn proves(look: &Seen, planned: i64) -> bool {
    let written = look.stat.mtime.0.max(look.stat.ctime.0);
    !look.racy && written < planned - CLOCK_DOUBT_NS
}

/// Everything waits on both sides; nothing is visible.
pub(crate) struct Staged {
    record: Record,
    steps: Steps,
    planned: i64,
    remote: Option<(Box<dyn RemoteTransaction>, Publication)>,
    /// Chunks of contents that became known on their way.
    learned: Vec<(Hash, Chunks)>,
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
        areas: &Areas,
        endpoint: &dyn Endpoint,
        head: Option<SnapshotHeader>,
        monitor: &Monitor,
    ) -> Outcome<Published> {
        let Self { record, steps, planned, remote, learned, mut report } = self;
        monitor.check()?;
        index.batch(|batch| {
            let seal = |(number, step)| sealed(batch, areas, number, step, planned);
            // They only save work: without them the next version travels with a list.
            let _ = batch.keep_chunks(&learned);
            record::seal(batch, &record, steps.all().map(seal))
        })?;
        // From here on the record knows them.
        drop((steps, learned));
        crash::SEALED.pass();
        monitor.phase(Phase::Publishing, None, None);
        let mut header = head;
        if let Some((transaction, publication)) = remote {
            let published = match transaction.publish(&publication, monitor) {
                Ok(header) => header,
                Err(failure) => {
                    let Some(header) = after_all(endpoint, &record, &failure, monitor)? else {
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
        Ok(Published::decided(record, header, report))
    }
}

/// Whether a publish that failed has decided all the same: some failures say that it cannot have;
/// after any other the repository is asked. If it does not answer, the record stands.
fn after_all(
    there: &dyn Endpoint,
    record: &Record,
    failure: &Failure,
    monitor: &Monitor,
) -> Outcome<Option<SnapshotHeader>> {
    if matches!(failure.code, Code::HeadMoved | Code::Locked | Code::Drift | Code::Cancelled) {
        return Ok(None);
    }
    let asked = || match there.outcome(&record.transaction) {
        Ok(repository::Outcome::Aborted) => Ok(None),
        Ok(repository::Outcome::Published(id)) => there.header(id).map(Some),
        Err(unknown) => Err(unknown),
    };
    // Whoever stopped it has left, and is to be told all the same.
    let stopped = monitor.check().is_err();
    let header = if stopped { endpoint::unattended(asked) } else { asked() };
    header.map_err(|unknown| {
        let message = format!("It is not known whether the repository took this sync: {failure}");
        Failure::new(Code::Unsettled, message)
            .hint("Run dsg sync again when the cause is removed: it finds out, and ends the sync.")
            .because(unknown)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_a_file_that_may_be_written_in_the_same_tick_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "text").unwrap();
        let stat = dsg_fs::dir::Dir::open(folder.path()).unwrap().stat("a").unwrap().unwrap();
        let written = stat.mtime.0.max(stat.ctime.0);
        let long_ago = written + CLOCK_DOUBT_NS + 1;
        assert!(proves(&Seen { stat, racy: false }, long_ago));
        assert!(!proves(&Seen { stat, racy: true }, long_ago), "looked at within the tick");
        assert!(!proves(&Seen { stat, racy: false }, written), "planned within the tick");
    }
}
