//! Looking for a repository, or for a place for one: here, or on a host.

use std::path::Path;

use dsg_core::address::{Address, Place, SshHost};
use dsg_core::failure::{Code, Outcome};
use dsg_core::legacy::Adoption;
use dsg_core::monitor::Monitor;
use dsg_core::places::{Around, Folder, Listed, Step};
use dsg_host::tree::{self, Wish};

use super::remote::Host;
use crate::transport::ssh::{self, agent_on, bring_agent_on};

/// The folders in a folder, by name; which of them are repositories is said.
///
/// # Errors
/// It cannot be read; the host cannot be reached.
pub fn folders(place: &Place, monitor: &Monitor) -> Outcome<(Around, Vec<Folder>)> {
    let local = |path: Option<&Path>| collected(|each| tree::folders(path, monitor, each));
    match place {
        Place::Local(path) => local(Some(path)),
        Place::Home => local(None),
        Place::Ssh(host, path) => on(host, monitor, |host| host.folders(path.clone(), monitor)),
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
        Place::Ssh(host, path) => {
            on(host, monitor, |host| host.repositories(path.clone(), monitor))
        }
    }
}

/// Tries each step to a repository, or to a place for one, up to the first that goes wrong: the way to
/// its host, the place itself with a trial that leaves nothing behind, and what stands there.
///
/// # Errors
/// Stopped; what `each` gives. What is wrong is told as a step.
pub fn examine(
    address: &Address,
    monitor: &Monitor,
    each: &mut dyn FnMut(Step) -> Outcome<()>,
) -> Outcome<()> {
    let mut well = true;
    let mut told = |step: Step| {
        well &= step.found.is_ok();
        each(step)
    };
    match address {
        Address::Local(path) => tree::examine(path, monitor, &mut told)?,
        Address::Ssh(there) => {
            if ssh::examine(there, &mut told)? {
                let asked = on(&there.host, monitor, |host| {
                    host.examine(there.path.clone(), monitor, &mut told)
                });
                match asked {
                    Err(failure) if failure.code != Code::Cancelled => {
                        told(Step::new("place", Err(failure)))?;
                    }
                    asked => asked?,
                }
            }
        }
    }
    if !well {
        return Ok(());
    }
    monitor.check()?;
    let found = match super::open(address).and_then(|repository| repository.head()) {
        Ok(Some(head)) => Ok(format!("its newest snapshot is {}", head.id)),
        Ok(None) => Ok("it has no snapshot yet".to_owned()),
        Err(failure) if failure.code == Code::NoRepository => {
            Ok("there is none yet; init makes it".to_owned())
        }
        Err(failure) => Err(failure),
    };
    each(Step::new("repository", found))
}

/// Adopts a repository of the earlier DSG.
///
/// # Errors
/// As [`crate::adopt::adopt`].
pub(crate) fn adopt(address: &Address, wish: &Wish, monitor: &Monitor) -> Outcome<Adoption> {
    match address {
        Address::Local(path) => tree::adopt(path, wish, monitor),
        Address::Ssh(there) => {
            on(&there.host, monitor, |host| host.adopt(there.path.clone(), wish, monitor))
        }
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
fn on<T>(
    host: &SshHost,
    monitor: &Monitor,
    mut ask: impl FnMut(&mut Host) -> Outcome<T>,
) -> Outcome<T> {
    while let Some(mut rested) = Host::rested(host) {
        match ask(&mut rested) {
            // It was lost without a word.
            Err(_) if rested.is_gone() => monitor.check()?,
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
