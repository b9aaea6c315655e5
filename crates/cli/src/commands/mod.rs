//! One use case of the engine for each request. Nothing is printed here.

mod back;
mod config;
mod generate;
mod history;
mod hosts;
mod work;

use dsg_core::failure::Outcome;
use dsg_core::monitor::Monitor;
use dsg_engine::project::{InitOptions, Project};
use dsg_engine::transport::ssh::Ask;
use dsg_engine::wanted::{self, Source};

use crate::answer::{Answer, Setup};
use crate::request::{Deed, Request};

/// Does what is asked.
///
/// # Errors
/// What the use case says.
pub(crate) fn run(request: &Request, person: &dyn Ask, monitor: &Monitor) -> Outcome<Answer> {
    let open = || Project::open(&Project::find(&request.start)?, monitor);
    match &request.deed {
        Deed::Init(new) => {
            let options = InitOptions {
                address: new.wanted.for_new(&request.start, new.name.as_deref())?,
                name: new.name.clone(),
                data_dirs: new.data_dirs.clone(),
                plain: new.plain,
                message: new.message.clone(),
                signature: None,
            };
            let (project, report) = Project::init(&request.start, &options, monitor)?;
            if project.is_worth_preparing()? {
                work::prepare_in_background(project.root());
            }
            Ok(Answer::Made(setup(&project, report)))
        }
        Deed::Clone { wanted, dir, attach } => {
            let Source { address, folder } = wanted.for_copy(&request.start)?;
            let named = || request.start.join(address.name());
            // A folder with a configuration is no empty one.
            let attach = *attach || (folder.is_some() && dir.is_none());
            let dir = dir.clone().or(folder).unwrap_or_else(named);
            if attach {
                let (project, report) = Project::attach(&address, &dir, monitor)?;
                return Ok(Answer::Attached(setup(&project, report)));
            }
            let (project, report) = Project::clone_from(&address, &dir, monitor)?;
            Ok(Answer::Cloned(setup(&project, report)))
        }
        Deed::Status { offline } => {
            Ok(Answer::Status(Box::new(open()?.status(*offline, monitor)?)))
        }
        Deed::Sync { options, dry_run } => {
            work::sync(&mut open()?, &request.start, options, *dry_run, monitor)
        }
        Deed::Resolve { paths, resolution } => {
            work::resolve(&mut open()?, &request.start, paths, *resolution, monitor)
        }
        Deed::Log { limit } => {
            let (headers, space) = open()?.log_with_space(*limit)?;
            Ok(Answer::Log { headers, space })
        }
        Deed::Diff { from, to } => history::diff(&mut open()?, *from, *to, monitor),
        Deed::Blame { path } => back::blame(&open()?, &request.start, path),
        Deed::Restore { snapshot, paths, dry_run } => {
            back::restore(&mut open()?, &request.start, *snapshot, paths, *dry_run, monitor)
        }
        Deed::Fetch { snapshot, paths, into } => {
            back::fetch(&open()?, &request.start, *snapshot, paths, into.as_deref(), monitor)
        }
        Deed::ListFiles { snapshot } => history::list_files(&mut open()?, *snapshot),
        Deed::ValidateConfig => config::validate(&request.start),
        Deed::MigrateConfig { really } => config::migrate(&request.start, *really),
        Deed::Schema(of) => Ok(config::schema(of)),
        Deed::ValidateFile { path } => {
            history::validate_file(&mut open()?, &request.start, path, monitor)
        }
        Deed::ValidateSnapshot { snapshot, deep } => {
            Ok(Answer::Snapshot(open()?.validate_snapshot(*snapshot, *deep, monitor)?))
        }
        Deed::ValidateChain { deep } => Ok(Answer::Chain(open()?.validate_chain(*deep, monitor)?)),
        Deed::Clean { really } => Ok(Answer::Clean(open()?.clean(*really)?)),
        Deed::Prune { keep, really } => {
            let mut project = open()?;
            let keep = keep.map_or_else(|| project.retention(), Ok)?;
            Ok(Answer::Pruned(project.prune(keep, *really)?))
        }
        Deed::Trust { host, expected } => hosts::trust(host, expected.as_deref(), person),
        Deed::Doctor(Some(wanted)) => {
            hosts::doctor(&wanted.for_copy(&request.start)?.address, monitor)
        }
        Deed::Doctor(None) => hosts::doctor(open()?.address(), monitor),
        Deed::ListRepos(Some(place)) => hosts::repositories(place, monitor),
        Deed::ListRepos(None) => hosts::repositories(&wanted::place()?, monitor),
        Deed::Adopt { address, options } => hosts::adopt(address, options, monitor),
        Deed::Prepare => {
            open()?.prepare_next(monitor)?;
            Ok(Answer::Prepared)
        }
        Deed::Completion(shell) => Ok(generate::completion(*shell)),
        Deed::Man(dir) => generate::manual(dir.as_deref()),
    }
}

fn setup(project: &Project, report: dsg_engine::report::SyncReport) -> Setup {
    Setup { project: project.root().to_owned(), repository: project.address().clone(), report }
}
