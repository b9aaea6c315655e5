//! Who makes a snapshot: `user_id` of the user's configuration, else `login@host`.

use dsg_core::failure::Outcome;

use crate::user_config;

/// The author's name for snapshots.
///
/// # Errors
/// A `dsg.yml` that exists but cannot be used.
pub fn author() -> Outcome<String> {
    Ok(user_config::read()?.user_id.unwrap_or_else(login_at_host))
}

/// `login@host` of this process. A service or a bare session has no login in its environment: then
/// the system's list of accounts is asked.
pub fn login_at_host() -> String {
    let login =
        ["LOGNAME", "USER"].iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()));
    let login = login
        .or_else(|| whoami::username().ok())
        .unwrap_or_else(|| format!("uid{}", rustix::process::getuid().as_raw()));
    let system = rustix::system::uname();
    format!("{login}@{}", system.nodename().to_string_lossy())
}
