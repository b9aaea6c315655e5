//! Hosts: confirming one, and finding out why one cannot be reached.

use dsg_core::address::{Address, Place, SshHost};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_engine::adopt::{self, AdoptOptions};
use dsg_engine::endpoint;
use dsg_engine::transport::ssh;

use crate::answer::Answer;

/// Shows a host's key, and writes it down if it is the one that is expected or the person says so.
pub(crate) fn trust(
    host: &SshHost,
    expected: Option<&str>,
    person: &dyn ssh::Ask,
) -> Outcome<Answer> {
    let shown = ssh::show(host)?;
    let fingerprint = &shown.host.fingerprint;
    if let Some(expected) = expected.filter(|e| e != fingerprint) {
        return Err(Failure::new(
            Code::HostKeyChanged,
            format!("{host} shows the key {fingerprint}, not {expected}; nothing was confirmed."),
        )
        .hint("Somebody may stand between you and the host. Ask its administrator."));
    }
    if shown.known {
        return Ok(Answer::Trusted { host: shown.host, file: None });
    }
    let confirmed = if expected.is_some() { Some(true) } else { person.trust(&shown.host) };
    match confirmed {
        Some(true) => {
            let file = shown.confirm()?;
            Ok(Answer::Trusted { host: shown.host, file: Some(file) })
        }
        Some(false) => Err(Failure::new(Code::HostKeyUnknown, format!("{host} was not confirmed."))),
        None => Err(Failure::new(
            Code::HostKeyUnknown,
            format!("{host} shows its {} key {fingerprint}; nobody is here to confirm it.", shown.host.kind),
        )
        .hint(format!(
            "Compare the fingerprint with the one that its administrator gives, then: dsg trust {host} --yes {fingerprint}"
        ))),
    }
}

/// Looks for repositories, here or on a host.
pub(crate) fn repositories(place: &Place, monitor: &Monitor) -> Outcome<Answer> {
    let (around, found) = endpoint::repositories(place, monitor)?;
    Ok(Answer::Repositories { place: place.clone(), around, found })
}

/// Adopts a repository of the earlier DSG, or shows what that would do.
pub(crate) fn adopt(
    address: &Address,
    options: &AdoptOptions,
    monitor: &Monitor,
) -> Outcome<Answer> {
    let adoption = adopt::adopt(address, options, monitor)?;
    Ok(Answer::Adopted { address: address.clone(), adoption: Box::new(adoption) })
}

/// Tries each step to a repository.
pub(crate) fn doctor(address: &Address, monitor: &Monitor) -> Outcome<Answer> {
    let mut findings = Vec::new();
    endpoint::examine(address, monitor, &mut |step| {
        findings.push(step);
        Ok(())
    })?;
    Ok(Answer::Examined { address: address.clone(), findings })
}
