//! What the user's `dsg.yml` says of a host.

use std::collections::BTreeMap;
use std::path::Path;

use dsg_core::address::SshHost;
use dsg_core::failure::{Code, Failure, Outcome};
use serde::Deserialize;

/// Which program speaks ssh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wanted {
    /// The built-in one, unless the host's configuration needs more than it can do.
    #[default]
    Auto,
    /// The built-in one.
    Builtin,
    /// The user's own `ssh`.
    System,
}

/// The settings of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostSettings {
    /// `ssh`: which program.
    ssh: Option<Wanted>,
    /// `agent_path`: where `dsg-agent` is on the host; then none is looked for or brought.
    pub(crate) agent_path: Option<String>,
}

impl HostSettings {
    /// Which program speaks ssh.
    pub(crate) fn wanted(&self) -> Wanted {
        self.ssh.unwrap_or_default()
    }

    /// The settings for a host, by its name in the address; of several files the later wins.
    ///
    /// # Errors
    /// [`Code::Config`]: a file that cannot be used.
    pub(crate) fn of(host: &SshHost) -> Outcome<Self> {
        let mut settings = Self::default();
        for file in crate::author::user_files() {
            let text = match std::fs::read_to_string(&file) {
                Ok(text) => text,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(Failure::io("read", &file, e)),
            };
            settings = settings.overlaid(in_file(&text, host, &file)?);
        }
        Ok(settings)
    }

    fn overlaid(self, later: Self) -> Self {
        Self { ssh: later.ssh.or(self.ssh), agent_path: later.agent_path.or(self.agent_path) }
    }
}

/// The key that counts here; the others belong to other rooms.
#[derive(Default, Deserialize)]
struct UserConfig {
    #[serde(default)]
    hosts: BTreeMap<String, HostSettings>,
}

fn in_file(text: &str, host: &SshHost, file: &Path) -> Outcome<HostSettings> {
    let unusable = |why: String| {
        Failure::new(Code::Config, format!("{} cannot be used: {why}.", file.display()))
            .hint("Correct the file; hosts: maps a host's name to ssh (auto, builtin or system) and agent_path.")
    };
    let config: Option<UserConfig> =
        serde_norway::from_str(text).map_err(|e| unusable(e.to_string()))?;
    let settings = config.unwrap_or_default().hosts.remove(host.name()).unwrap_or_default();
    match &settings.agent_path {
        Some(path) if !path.starts_with('/') || path.contains(char::is_control) => {
            Err(unusable(format!("agent_path of {} is not an absolute path", host.name())))
        }
        _ => Ok(settings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_its_own_settings_and_mistakes_are_named() {
        let host: SshHost = "ann@tank".parse().unwrap();
        let read = |text: &str| in_file(text, &host, Path::new("/dsg.yml"));
        let text = "user_id: a@b\nhosts:\n  tank: {ssh: system, agent_path: /opt/dsg-agent}\n";
        let settings = read(text).unwrap();
        assert_eq!(settings.wanted(), Wanted::System);
        assert_eq!(settings.agent_path.as_deref(), Some("/opt/dsg-agent"));
        for nothing in ["", "user_id: a@b\n", "hosts: {other: {ssh: builtin}}\n"] {
            assert_eq!(read(nothing).unwrap(), HostSettings::default(), "{nothing}");
        }
        for wrong in [
            "hosts: {tank: {ssh: putty}}\n",
            "hosts: {tank: {shh: auto}}\n",
            "hosts: {tank: {agent_path: bin/dsg-agent}}\n",
        ] {
            assert_eq!(read(wrong).map_err(|f| f.code), Err(Code::Config), "{wrong}");
        }
    }

    #[test]
    fn a_later_file_wins_key_by_key() {
        let host: SshHost = "tank".parse().unwrap();
        let read = |text: &str| in_file(text, &host, Path::new("/dsg.yml")).unwrap();
        let first = read("hosts: {tank: {ssh: system, agent_path: /a}}\n");
        let settings = first.overlaid(read("hosts: {tank: {ssh: builtin}}\n"));
        assert_eq!(
            (settings.wanted(), settings.agent_path.as_deref()),
            (Wanted::Builtin, Some("/a"))
        );
    }
}
