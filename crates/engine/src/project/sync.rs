//! The one button: plan, stage, publish, settle.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use dsg_core::config::SharedConfig;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Event, Monitor, Phase};
use dsg_core::path::{RepoPath, normalized};
use dsg_core::plan::{Action, Plan};
use dsg_core::safety::{self, Allow, Facts};
use dsg_core::snapshot::{Authorship, SnapshotHeader};

use super::Project;
use super::head::Configs;
use crate::areas::Areas;
use crate::author;
use crate::crash;
use crate::endpoint::{self, Endpoint};
use crate::left;
use crate::report::{Signature, SyncOptions, SyncReport};
use crate::scan::{ScanSummary, Scope, scan};
use crate::transaction::{Context, Planned, Staging};

/// How often a sync begins anew because somebody else published first.
const TRIES: u32 = 5;
/// Up to so many files a publish makes its copy of the tree in no time.
const WORTH_PREPARING: u64 = 10_000;
/// How often files that change while they are read are tried before they are left out.
const ROUNDS: u32 = 2;

/// Everything known when a plan can be made.
pub(super) struct Ground {
    pub head: Option<SnapshotHeader>,
    pub configs: Configs,
    pub summary: ScanSummary,
    /// Nothing goes to the repository.
    pub receives: bool,
}

impl Project {
    /// Syncs.
    ///
    /// # Errors
    /// [`Code::Conflicts`] and the safety halts change nothing; [`Code::Unsettled`] has published.
    pub fn sync(&mut self, options: &SyncOptions, monitor: &Monitor) -> Outcome<SyncReport> {
        let begun = Instant::now();
        let _ready = self.ready_to_change("sync", monitor)?;
        let endpoint = endpoint::open(&self.address)?;
        if let Some(settled) = endpoint.standing().settled {
            monitor.event(Event::Notice(settled.to_string()));
        }
        if options.allow.contains(&Allow::Drift) {
            // Never in a repository that is not this folder's.
            self.refresh_head(&*endpoint, &options.allow)?;
            endpoint.adopt_drift(
                authorship(host_of(self), "Changed on the host, outside DSG."),
                monitor,
            )?;
        }
        let mut tries = 1;
        let mut report = loop {
            match self.sync_once(&*endpoint, options, monitor) {
                Err(failure) if failure.code == Code::HeadMoved && tries < TRIES => tries += 1,
                ended => break ended?,
            }
        };
        report.round_trips = endpoint.round_trips();
        report.seconds = begun.elapsed().as_secs_f64();
        Ok(report)
    }

    /// What [`Project::sync`] would do; nothing is changed but the index.
    ///
    /// # Errors
    /// As far as they can be foreseen, those of a sync.
    pub fn preview(&mut self, options: &SyncOptions, monitor: &Monitor) -> Outcome<SyncReport> {
        let begun = Instant::now();
        let _ready = self.ready_to_change("preview", monitor)?;
        let endpoint = endpoint::open(&self.address)?;
        let ground = self.survey(&*endpoint, options, monitor)?;
        let plan = self.plan(&ground.configs.merged, only(options)?.as_deref(), BTreeMap::new())?;
        let mut report = self.promised(&plan)?;
        report.bytes_sent = plan.outgoing().map(|o| o.file.size).sum();
        report.bytes_received = plan.deeds().map(|step| step.incoming()).sum();
        report.round_trips = endpoint.round_trips();
        report.seconds = begun.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Whether the repository is so large that preparing its next publish saves a person's time.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn is_worth_preparing(&self) -> Outcome<bool> {
        Ok(self.known_head()?.is_some_and(|head| head.totals.entries > WORTH_PREPARING))
    }

    /// Prepares the repository's next publish. Worth doing when nobody waits.
    ///
    /// # Errors
    /// It could not be prepared; nothing is lost but time.
    pub fn prepare_next(&self, monitor: &Monitor) -> Outcome<()> {
        endpoint::open(&self.address)?.prepare_next(monitor)
    }

    fn sync_once(
        &mut self,
        endpoint: &dyn Endpoint,
        options: &SyncOptions,
        monitor: &Monitor,
    ) -> Outcome<SyncReport> {
        let renamed = if options.normalize {
            self.normalize(endpoint, options, monitor)?
        } else {
            Vec::new()
        };
        let ground = self.survey(endpoint, options, monitor)?;
        let mut report = self.carry_out(endpoint, ground, options, monitor)?;
        report.renamed = renamed;
        Ok(report)
    }

    /// Learns the head, merges the configuration, scans.
    fn survey(
        &mut self,
        endpoint: &dyn Endpoint,
        options: &SyncOptions,
        monitor: &Monitor,
    ) -> Outcome<Ground> {
        monitor.phase(Phase::Comparing, None, None);
        let head = self.refresh_head(endpoint, &options.allow)?;
        let configs = self.configs(head.as_ref())?;
        let summary = self.look(&configs.merged, options, monitor)?;
        Ok(Ground { head, configs, summary, receives: false })
    }

    /// Looks at the folder; at all of it before anything is deleted in the repository.
    fn look(
        &mut self,
        rules: &SharedConfig,
        options: &SyncOptions,
        monitor: &Monitor,
    ) -> Outcome<ScanSummary> {
        if let Some(touched) = &options.touched {
            let scope = Scope::Paths(touched);
            let summary = scan(&self.root, rules, &mut self.index, scope, monitor)?;
            let plan = self.plan(rules, None, BTreeMap::new())?;
            let deletes =
                |a: &Action| matches!(a, Action::DeleteRemote | Action::MoveRemote { .. });
            if !plan.may_have(deletes) {
                return Ok(summary);
            }
        }
        scan(&self.root, rules, &mut self.index, Scope::All, monitor)
    }

    /// From the plan to the settled folder.
    pub(super) fn carry_out(
        &mut self,
        endpoint: &dyn Endpoint,
        ground: Ground,
        options: &SyncOptions,
        monitor: &Monitor,
    ) -> Outcome<SyncReport> {
        let Ground { head, configs, summary, receives } = ground;
        let only = only(options)?;
        let mut blocked = BTreeMap::new();
        for round in 0.. {
            monitor.phase(Phase::Comparing, None, None);
            let planned = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
            let mut plan = self.plan(&configs.merged, only.as_deref(), blocked.clone())?;
            if receives {
                plan = plan.keeping(|i| i.action != Action::Upload);
            }
            refuse_conflicts(&plan, options)?;
            self.check_safety(&plan, &summary, options)?;
            if !plan.changes_remote() && !configs.remote_differs && head.is_some() {
                // Nothing will be published, which would look for drift. Who publishes just now
                // looks for it, too.
                match endpoint.check_drift(monitor) {
                    Err(failure) if failure.code != Code::Locked => return Err(failure),
                    _ => {}
                }
            }
            crash::PLANNED.pass();
            if plan.is_inert()
                && !configs.remote_differs
                && configs.seen.as_ref() == Some(&configs.merged)
            {
                if plan.is_empty() {
                    let id = head.as_ref().map(|h| h.id.to_string());
                    self.index.batch(|batch| batch.set_meta("last_sync", id.as_deref()))?;
                }
                return self.promised(&plan);
            }
            let context = Context {
                authorship: signed(options)?,
                base: head.as_ref().map(|h| h.id),
                config: configs.merged.clone(),
                config_changes: configs.remote_differs,
                seen_config: configs.seen.clone(),
                planned,
            };
            let left_out = self.promised(&plan)?.skipped;
            let mut areas = Areas::new(self.dir.try_clone()?, &context.authorship.transaction);
            let staged =
                match (Planned { context, plan }).stage(endpoint, &mut areas, &self.index, monitor)
                {
                    Ok(Staging::Complete(staged)) => staged,
                    Ok(Staging::Rejected(rejected)) => {
                        areas.leave()?;
                        let paths: Vec<String> =
                            rejected.iter().map(|r| r.path.to_string()).collect();
                        let scope = Scope::Paths(&paths);
                        scan(&self.root, &configs.merged, &mut self.index, scope, monitor)?;
                        let left_out =
                            rejected.into_iter().filter(|r| r.lasting || round >= ROUNDS);
                        blocked.extend(left_out.map(|r| (r.path, r.reason)));
                        continue;
                    }
                    Err(failure) => {
                        let _ = give_up(&areas, &failure);
                        return Err(failure);
                    }
                };
            let published = match staged.publish(&mut self.index, &areas, endpoint, head, monitor) {
                Ok(published) => published,
                Err(failure) => {
                    // What an open record needs stays for the next run.
                    if matches!(crate::record::load(&self.index), Ok(None)) {
                        let _ = give_up(&areas, &failure);
                    }
                    return Err(failure);
                }
            };
            let mut report = published.settle(&mut self.index, &areas, monitor)?;
            let settled: BTreeSet<String> =
                report.skipped.iter().map(|(path, _)| path.clone()).collect();
            report.skipped.extend(left_out.into_iter().filter(|(path, _)| !settled.contains(path)));
            return Ok(report);
        }
        unreachable!("the rounds end by blocking what changes")
    }

    /// The plan's promise, with the files that could not even be planned for.
    fn promised(&self, plan: &Plan) -> Outcome<SyncReport> {
        let mut report = SyncReport::promised(plan);
        let listed: BTreeSet<String> =
            report.skipped.iter().map(|(path, _)| path.clone()).collect();
        let problems = self.index.problems()?.into_iter().filter(|p| !listed.contains(&p.path));
        report.skipped.extend(problems.map(|p| (p.path, p.sentence)));
        Ok(report)
    }

    fn check_safety(
        &self,
        plan: &Plan,
        summary: &ScanSummary,
        options: &SyncOptions,
    ) -> Outcome<()> {
        let incoming: u64 = plan.deeds().map(|step| step.incoming()).sum();
        let shown = |dir: &str| if dir.is_empty() { ".".to_owned() } else { dir.to_owned() };
        let deletes = plan.may_have(|a| matches!(a, Action::DeleteLocal | Action::DeleteRemote));
        let facts = Facts {
            // Counting reads every row; only deletions are measured against it.
            cached: if deletes { self.index.counts()?.cached } else { 0 },
            emptied: summary.empty_data_dirs.iter().map(|d| shown(&d.path)).collect(),
            local_space: if incoming > 0 {
                // What an earlier try left is taken over, or goes.
                Some((incoming, self.dir.space()?.free.saturating_add(left::bytes(&self.dir)?)))
            } else {
                None
            },
        };
        safety::check(plan, &facts, &options.allow)
    }

    /// Renames what has an illegal name to the legal one offered. Gives what was renamed.
    fn normalize(
        &mut self,
        endpoint: &dyn Endpoint,
        options: &SyncOptions,
        monitor: &Monitor,
    ) -> Outcome<Vec<(String, String)>> {
        let mut renamed = Vec::new();
        // A folder's new name may bring its content's names to light: a few rounds at most.
        for _ in 0..16 {
            self.survey(endpoint, options, monitor)?;
            let before = renamed.len();
            for problem in self.index.problems()? {
                let Some(offer) = problem.offer else { continue };
                if let Some(to) = self.rename_to_legal(&problem.path, &offer)? {
                    renamed.push((problem.path, to));
                }
            }
            if renamed.len() == before {
                break;
            }
        }
        Ok(renamed)
    }

    fn rename_to_legal(&self, from: &str, offer: &str) -> Outcome<Option<String>> {
        if normalized(offer.rsplit('/').next().unwrap_or(offer)).is_none() {
            return Ok(None);
        }
        for n in 1..100 {
            let to = if n == 1 { offer.to_owned() } else { numbered(offer, n) };
            match self.dir.rename_noreplace(from, &self.dir, &to) {
                Ok(()) => return Ok(Some(to)),
                Err(e) if e.is_present() => {}
                Err(e) if e.is_absent() => return Ok(None),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(None)
    }
}

/// Ends a transaction that came to nothing. What was fetched stays where the next try may end better.
pub(super) fn give_up(areas: &Areas, why: &Failure) -> Outcome<()> {
    match why.code {
        Code::Unreachable | Code::Cancelled | Code::HeadMoved | Code::Locked => areas.leave(),
        _ => areas.clean(),
    }
}

fn numbered(path: &str, n: u32) -> String {
    let name_at = path.rfind('/').map_or(0, |at| at + 1);
    match path[name_at..].rfind('.') {
        Some(dot) if dot > 0 => format!("{} {n}{}", &path[..name_at + dot], &path[name_at + dot..]),
        _ => format!("{path} {n}"),
    }
}

fn only(options: &SyncOptions) -> Outcome<Option<Vec<RepoPath>>> {
    if options.only.is_empty() { Ok(None) } else { Project::named(&options.only).map(Some) }
}

fn refuse_conflicts(plan: &Plan, options: &SyncOptions) -> Outcome<()> {
    let paths: Vec<String> = plan.conflicts().map(|i| i.at.path.to_string()).collect();
    if paths.is_empty() || options.except_conflicts {
        return Ok(());
    }
    let named = match paths.as_slice() {
        [one] => format!("{one} is in conflict"),
        [one, two] => format!("{one} and {two} are in conflict"),
        [first, rest @ ..] => format!("{first} and {} others are in conflict", rest.len()),
        [] => String::new(),
    };
    Err(Failure::new(Code::Conflicts, format!("{named}; nothing was changed."))
        .hint("Decide with dsg resolve PATH --local, --remote, --cached or --both; or sync everything else with --except-conflicts.")
        .about(paths))
}

/// The authorship that a sync asks for.
fn signed(options: &SyncOptions) -> Outcome<Authorship> {
    let Some(Signature { author, time }) = &options.signature else {
        return Ok(authorship(author::author()?, &options.message));
    };
    Ok(Authorship { time: *time, ..authorship(author.clone(), &options.message) })
}

/// Who, why, when, under a new transaction id.
pub(crate) fn authorship(author: String, message: &str) -> Authorship {
    Authorship {
        author,
        message: message.to_owned(),
        time: jiff::Timestamp::now(),
        transaction: uuid::Uuid::now_v7().to_string(),
    }
}

/// The author of what was changed on the repository's host.
fn host_of(project: &Project) -> String {
    match &project.address {
        dsg_core::address::Address::Local(_) => {
            let login = author::login_at_host();
            format!("host {}", login.rsplit('@').next().unwrap_or_default())
        }
        dsg_core::address::Address::Ssh(there) => format!("host {}", there.host.name()),
    }
}
