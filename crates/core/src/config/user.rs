//! `dsg.yml`: what belongs to a person, read from several places of which the later wins, key by key.

use std::collections::BTreeMap;

use crate::address::{Place, SshHost};

use super::check::Section;
use super::keys::{USER, VARIABLES};
use super::mistake::{self, Broken, Findings, Mistake};
use super::project::HERE;
use super::yaml;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The computer's, for everybody on it.
    System,
    /// A person's own.
    Own,
}

/// Which program speaks ssh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SshProgram {
    /// The built-in one, unless the host's configuration needs more than it can do.
    #[default]
    Auto,
    /// The built-in one.
    Builtin,
    /// The user's own `ssh`.
    System,
}

/// The settings of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostConfig {
    /// Which program speaks ssh.
    pub ssh: Option<SshProgram>,
    /// Where `dsg-agent` is on the host; then none is looked for or brought.
    pub agent_path: Option<String>,
}

/// Where the repositories are that a name alone means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultHost {
    /// On this computer.
    Here,
    /// On a host.
    There(SshHost),
}

/// What a person's configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserConfig {
    /// The name.
    pub user_name: Option<String>,
    /// The e-mail address.
    pub user_id: Option<String>,
    /// Settings of hosts, by the name in the address.
    pub hosts: BTreeMap<String, HostConfig>,
    /// The host of repositories whose address is left out.
    pub default_host: Option<DefaultHost>,
    /// The folder there that holds them: absolute.
    pub default_project_path: Option<String>,
    /// What has no effect.
    pub notes: Vec<Mistake>,
}

impl UserConfig {
    /// Reads one file.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub fn read(text: &str, layer: Layer) -> Result<Self, Broken> {
        let mut found = Findings::default();
        let config = match yaml::read(text)? {
            Some(root) => Section::checked(&root, USER, "this file", &mut found)
                .map(|root| taken(&root, layer, &mut found)),
            None => Some(Self::default()),
        };
        let found = found.sorted();
        match config.filter(|_| found.mistakes.is_empty()) {
            Some(config) => Ok(Self { notes: found.notes, ..config }),
            None => Err(Broken::new(found.mistakes, text)),
        }
    }

    /// What the environment says, which counts after all files.
    ///
    /// # Errors
    /// The variables that cannot be used, and why.
    pub fn from_variables(
        value_of: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<(&'static str, String)>> {
        let mut config = Self::default();
        let mut wrong = Vec::new();
        for &(variable, key) in VARIABLES {
            let Some(value) = value_of(variable).filter(|value| !value.is_empty()) else {
                continue;
            };
            let proved = match key {
                "user_id" => is_mail(&value),
                _ => is_person(&value),
            };
            match (key, proved) {
                (_, Err(why)) => wrong.push((variable, why)),
                ("user_id", Ok(())) => config.user_id = Some(value),
                (_, Ok(())) => config.user_name = Some(value),
            }
        }
        if wrong.is_empty() { Ok(config) } else { Err(wrong) }
    }

    /// Where repositories are whose address is left out; a host without a folder means the account's
    /// home there.
    pub fn default_place(&self) -> Option<Place> {
        let path = self.default_project_path.clone();
        match (&self.default_host, path) {
            (None, None) => None,
            (Some(DefaultHost::There(host)), path) => Some(Place::Ssh(host.clone(), path)),
            (_, Some(path)) => Some(Place::Local(path.into())),
            (Some(DefaultHost::Here), None) => Some(Place::Home),
        }
    }

    /// With what a later place says.
    #[must_use]
    pub fn overlaid(mut self, later: Self) -> Self {
        for (name, host) in later.hosts {
            let before = self.hosts.remove(&name).unwrap_or_default();
            let ssh = host.ssh.or(before.ssh);
            let agent_path = host.agent_path.or(before.agent_path);
            self.hosts.insert(name, HostConfig { ssh, agent_path });
        }
        self.notes.extend(later.notes);
        Self {
            user_name: later.user_name.or(self.user_name),
            user_id: later.user_id.or(self.user_id),
            default_host: later.default_host.or(self.default_host),
            default_project_path: later.default_project_path.or(self.default_project_path),
            ..self
        }
    }
}

fn taken(root: &Section<'_>, layer: Layer, found: &mut Findings) -> UserConfig {
    let mut personal = |key: &str, proves: fn(&str) -> Result<(), String>| {
        let place = root.at(key)?;
        if layer == Layer::System {
            let what = format!("{key} is a person's own, and this file is everybody's");
            found.wrong(place, what, "Say it in ~/.config/dsg/dsg.yml");
        }
        let (text, place) = root.text(key)?;
        if let Err(why) = proves(text) {
            let mend = if key == "user_id" {
                "Write one as in ann@example.org"
            } else {
                "Write a name on one line"
            };
            found.wrong(place, why, mend);
        }
        Some(text.to_owned())
    };
    let (user_name, user_id) = (personal("user_name", is_person), personal("user_id", is_mail));
    // Of these nothing is taken, but they are proved.
    for section in ["ssh", "rclone", "ipfs"] {
        let _ = root.section(section, found);
    }
    for key in ["local_log", "default_project_path"] {
        if let Some((path, place)) = root.text(key).filter(|(path, _)| !path.starts_with('/')) {
            let what = format!("{path:?} is not an absolute path");
            found.wrong(place, what, "Begin it with a slash");
        }
    }
    let default_host = root.text("default_host").and_then(|host| default_host(host, found));
    let default_project_path = root.text("default_project_path").map(|(path, _)| path.to_owned());
    let hosts = root.sections("hosts", found);
    let hosts =
        hosts.into_iter().map(|(name, _, section)| (name.to_owned(), host(&section, found)));
    UserConfig {
        user_name,
        user_id,
        hosts: hosts.collect(),
        default_host,
        default_project_path,
        notes: Vec::new(),
    }
}

fn default_host(
    (host, place): (&str, mistake::Place),
    found: &mut Findings,
) -> Option<DefaultHost> {
    if HERE.contains(&host) {
        return Some(DefaultHost::Here);
    }
    let wrong = |e| {
        let mend = "Write its name alone, or [USER@]HOST[:PORT]";
        found.wrong(place, format!("this names no host: {e}"), mend);
    };
    host.parse().map(DefaultHost::There).map_err(wrong).ok()
}

fn host(section: &Section<'_>, found: &mut Findings) -> HostConfig {
    let ssh = section.text("ssh").map(|(word, _)| match word {
        "builtin" => SshProgram::Builtin,
        "system" => SshProgram::System,
        _ => SshProgram::Auto,
    });
    let agent_path = section.text("agent_path").map(|(path, place)| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._+@-".contains(c);
        if !path.starts_with('/') || !path.chars().all(plain) {
            found.wrong(
                place,
                format!("agent_path cannot be {path:?}"),
                "Write an absolute path of letters, digits and /._+@-",
            );
        }
        path.to_owned()
    });
    HostConfig { ssh, agent_path }
}

fn is_person(name: &str) -> Result<(), String> {
    let good = !name.trim().is_empty() && !name.contains(char::is_control);
    good.then_some(()).ok_or_else(|| format!("{name:?} is no name"))
}

fn is_mail(id: &str) -> Result<(), String> {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control())
    };
    let good = id.split_once('@').is_some_and(|(who, at)| plain(who) && plain(at));
    good.then_some(()).ok_or_else(|| format!("{id:?} is no e-mail address"))
}
