//! A host of its own: an ssh server on this computer that ends with the run, and what every
//! contender needs to reach it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dsg_testkit::proxy::{Proxy, Weather};
use dsg_testkit::sshd::{Kind, Sshd};

use crate::Tried;

/// The host's name in the configuration that is made for it.
pub(crate) const NAME: &str = "bench-host";

/// An ssh server on a free port of the loopback.
pub(crate) struct Host {
    server: Sshd,
    /// Between it and whoever comes: counts bytes, holds them up.
    relay: Option<Proxy>,
    dir: PathBuf,
    /// Where agents tell their memory.
    usage: PathBuf,
}

impl Host {
    /// Starts it; what a client needs is made in `dir`.
    pub(crate) fn start(dir: &Path) -> Tried<Self> {
        Self::reached(dir, |_| None)
    }

    /// The same, behind a relay that counts.
    pub(crate) fn counting(dir: &Path) -> Tried<Self> {
        Self::reached(dir, |server| Some(Proxy::to(server.port, Weather::default())))
    }

    /// The same, so far away that an answer takes `away`.
    pub(crate) fn far(dir: &Path, away: Duration) -> Tried<Self> {
        let weather = Weather { delay: away / 2, ..Weather::default() };
        Self::reached(dir, |server| Some(Proxy::to(server.port, weather)))
    }

    /// Where unison keeps what it knows of what it brought here.
    pub(crate) fn archives(&self) -> PathBuf {
        self.server.home().join(".unison")
    }

    /// Bytes that went to it and came from it.
    pub(crate) fn bytes(&self) -> u64 {
        self.relay.as_ref().map_or(0, |relay| relay.bytes().0 + relay.bytes().1)
    }

    fn reached(dir: &Path, through: impl FnOnce(&Sshd) -> Option<Proxy>) -> Tried<Self> {
        let home = dir.join("home");
        for folder in [home.join(".ssh"), dir.join("bin")] {
            std::fs::create_dir_all(folder)?;
        }
        let server = Sshd::start(&Kind::default());
        server.admit(&home, "");
        let relay = through(&server);
        let port = relay.as_ref().map_or(server.port, |relay| relay.port);
        server.introduce(&home, port);
        let (at, login) = (dir.display(), &server.user);
        std::fs::write(
            home.join(".ssh/config"),
            format!(
                "Host {NAME}\n  HostName 127.0.0.1\n  Port {port}\n  User {login}\n  \
                 IdentityFile {at}/home/.ssh/id_ed25519\n  IdentitiesOnly yes\n  \
                 UserKnownHostsFile {at}/home/.ssh/known_hosts\n"
            ),
        )?;
        // The program looks for its files in the account's home, whatever HOME says.
        let wrapper = dir.join("bin/ssh");
        std::fs::write(
            &wrapper,
            format!("#!/bin/sh\nexec /usr/bin/ssh -F '{at}/home/.ssh/config' \"$@\"\n"),
        )?;
        std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755))?;
        for way in ["builtin", "system", "auto"] {
            std::fs::create_dir_all(dir.join(way))?;
            std::fs::write(
                dir.join(way).join("dsg.yml"),
                format!("hosts: {{{NAME}: {{ssh: {way}}}}}\n"),
            )?;
        }
        let usage = dir.join("usage");
        Ok(Self { server, relay, dir: dir.to_owned(), usage })
    }

    /// The same, on which every agent tells at its end how much memory it had. `agents`: where the
    /// build left it.
    pub(crate) fn watched(dir: &Path, agents: &Path) -> Tried<Self> {
        let host = Self::start(dir)?;
        let agent = agents.join(format!("dsg-agent-linux-{}", std::env::consts::ARCH));
        if !agent.is_file() {
            return Err(format!("{} is not there: make agent builds it", agent.display()).into());
        }
        let wrapper = dir.join("bin/watched-agent");
        let (usage, agent) = (host.usage.display(), agent.display());
        std::fs::write(
            &wrapper,
            format!("#!/bin/sh\nexec /usr/bin/time -q -f %M -o '{usage}'/$$ '{agent}' \"$@\"\n"),
        )?;
        std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755))?;
        let path = wrapper.display();
        std::fs::write(
            dir.join("builtin/dsg.yml"),
            format!("hosts: {{{NAME}: {{ssh: builtin, agent_path: '{path}'}}}}\n"),
        )?;
        Ok(host)
    }

    /// Where agents tell their memory in KiB, each in a file.
    pub(crate) fn usage(&self) -> &Path {
        &self.usage
    }

    /// A shell's line in whose environment the host is known; `dsg` then takes its built-in ssh.
    pub(crate) fn line(&self, line: &str) -> String {
        self.with("builtin", line)
    }

    /// The same, where `dsg` takes the `ssh` program.
    pub(crate) fn system_line(&self, line: &str) -> String {
        self.with("system", line)
    }

    /// The same, where `dsg` takes what it takes by itself.
    pub(crate) fn auto_line(&self, line: &str) -> String {
        self.with("auto", line)
    }

    /// Whether an answer takes no time.
    pub(crate) fn is_near(&self) -> bool {
        self.relay.is_none()
    }

    fn with(&self, way: &str, line: &str) -> String {
        let at = self.dir.display();
        format!(
            "export HOME='{at}/home' PATH='{at}/bin':\"$PATH\" DSG_CONFIG_HOME='{at}/{way}'; {line}"
        )
    }
}
