//! Who makes a snapshot: `user_id` of the user's configuration, else `login@host`.

use std::path::PathBuf;

use dsg_core::failure::{Code, Failure, Outcome};
use serde::Deserialize;

/// The keys of `dsg.yml` that count here; the others belong to other rooms.
#[derive(Deserialize)]
struct UserConfig {
    user_id: Option<String>,
}

/// The author's name for snapshots.
///
/// # Errors
/// A `dsg.yml` that exists but cannot be read.
pub fn author() -> Outcome<String> {
    let mut author = None;
    for file in user_files() {
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Failure::io("read", &file, e)),
        };
        let config: Option<UserConfig> = serde_norway::from_str(&text).map_err(|e| {
            Failure::new(Code::Config, format!("{} cannot be used: {e}.", file.display()))
                .hint("Correct the file; it is YAML with user_name and user_id.")
        })?;
        author = config.and_then(|c| c.user_id).or(author);
    }
    Ok(author
        .filter(|a| !a.trim().is_empty() && !a.contains(char::is_control))
        .unwrap_or_else(login_at_host))
}

/// In the order in which they are merged: later wins.
pub(crate) fn user_files() -> Vec<PathBuf> {
    let dir = |name: &str| std::env::var_os(name).filter(|d| !d.is_empty()).map(PathBuf::from);
    let mut files = vec![PathBuf::from("/etc/dsg/dsg.yml")];
    files.extend(dir("HOME").map(|d| d.join(".config/dsg/dsg.yml")));
    files.extend(dir("XDG_CONFIG_HOME").map(|d| d.join("dsg/dsg.yml")));
    files.extend(dir("DSG_CONFIG_HOME").map(|d| d.join("dsg.yml")));
    files
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
