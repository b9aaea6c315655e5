//! What the user's `dsg.yml` says of a host.

use dsg_core::address::SshHost;
use dsg_core::config::HostConfig;
use dsg_core::failure::Outcome;

use crate::user_config;

/// The settings for a host, by its name in the address.
///
/// # Errors
/// [`Code::Config`](dsg_core::failure::Code::Config): a file that cannot be used.
pub(super) fn of(host: &SshHost) -> Outcome<HostConfig> {
    Ok(user_config::read()?.hosts.remove(host.name()).unwrap_or_default())
}
