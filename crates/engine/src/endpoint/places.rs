//! Looking for a repository, or for a place for one: here, or on a host.

use std::path::Path;

use dsg_core::address::{Place, SshHost};
use dsg_core::failure::{Code, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::places::{Around, Folder, Listed};
use dsg_host::tree;

use super::remote::Host;
use crate::transport::ssh::{agent_on, bring_agent_on};

/// The folders in a folder, by name; which of them are repositories is said.
///
/// # Errors
/// It cannot be read; the host cannot be reached.
pub fn folders(place: &Place, monitor: &Monitor) -> Outcome<(Around, Vec<Folder>)> {
    let local = |path: Option<&Path>| collected(|each| tree::folders(path, monitor, each));
    match place {
        Place::Local(path) => local(Some(path)),
        Place::Home => local(None),
        Place::Ssh(host, path) => on(host, |host| host.folders(path.clone(), monitor)),
    }
}

/// The repositories in a folder and in the folders below it.
///
/// # Errors
/// As [`folders`].
pub fn repositories(place: &Place, monitor: &Monitor) -> Outcome<(Around, Vec<Listed>)> {
    let local = |path: Option<&Path>| collected(|each| tree::repositories(path, monitor, each));
    match place {
        Place::Local(path) => local(Some(path)),
        Place::Home => local(None),
        Place::Ssh(host, path) => on(host, |host| host.repositories(path.clone(), monitor)),
    }
}

fn collected<T>(
    find: impl FnOnce(&mut dyn FnMut(T) -> Outcome<()>) -> Outcome<Around>,
) -> Outcome<(Around, Vec<T>)> {
    let mut all = Vec::new();
    let around = find(&mut |one| {
        all.push(one);
        Ok(())
    })?;
    Ok((around, all))
}

/// Asks an agent that rests on a host, else a new one, which is brought where it is missing or of
/// another build.
fn on<T>(host: &SshHost, mut ask: impl FnMut(&mut Host) -> Outcome<T>) -> Outcome<T> {
    while let Some(mut rested) = Host::rested(host) {
        match ask(&mut rested) {
            // It was lost without a word.
            Err(_) if rested.is_gone() => {}
            answer => return answer,
        }
    }
    let met = match Host::over(agent_on(host)?, host) {
        Err(failure) if failure.code == Code::OtherAgent && bring_agent_on(host)? => {
            Host::over(agent_on(host)?, host)
        }
        met => met,
    };
    ask(&mut met?)
}
