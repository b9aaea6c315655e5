//! A host of its own: an ssh server on this computer that ends with the run, and what every
//! contender needs to reach it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Tried;

/// The host's name in the configuration that is made for it.
pub(crate) const NAME: &str = "bench-host";

/// An ssh server on a free port of the loopback.
pub(crate) struct Host {
    server: Child,
    dir: PathBuf,
}

impl Host {
    /// Starts it; its keys and configuration are made in `dir`.
    pub(crate) fn start(dir: &Path) -> Tried<Self> {
        let home = dir.join("home");
        for folder in [home.join(".ssh"), dir.join("bin"), dir.join("builtin"), dir.join("system")]
        {
            std::fs::create_dir_all(folder)?;
        }
        for key in ["host_key", "home/.ssh/id_ed25519"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(dir.join(key))
                .status()?;
            if !made.success() {
                return Err(format!("ssh-keygen ended with {made}").into());
            }
        }
        std::fs::copy(home.join(".ssh/id_ed25519.pub"), dir.join("authorized_keys"))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let at = dir.display();
        std::fs::write(
            dir.join("sshd_config"),
            format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host_key\nPidFile none\n\
                 AuthorizedKeysFile {at}/authorized_keys\nStrictModes no\nUsePAM no\n\
                 PasswordAuthentication no\nPermitRootLogin yes\n"
            ),
        )?;
        let key = std::fs::read_to_string(dir.join("host_key.pub"))?;
        std::fs::write(home.join(".ssh/known_hosts"), format!("[127.0.0.1]:{port} {key}"))?;
        let login = whoami::username()?;
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
        Command::new("chmod").arg("+x").arg(&wrapper).status()?;
        for way in ["builtin", "system"] {
            std::fs::write(
                dir.join(way).join("dsg.yml"),
                format!("hosts: {{{NAME}: {{ssh: {way}}}}}\n"),
            )?;
        }
        let server = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(dir.join("sshd_config"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let host = Self { server, dir: dir.to_owned() };
        let begun = Instant::now();
        while !host.answers()? {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err("the ssh server does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(host)
    }

    fn answers(&self) -> Tried<bool> {
        let mut command = Command::new("sh");
        command.args(["-c", &self.line("ssh bench-host true")]).stderr(Stdio::null());
        Ok(command.status()?.success())
    }

    /// A shell's line in whose environment the host is known; `dsg` then takes its built-in ssh.
    pub(crate) fn line(&self, line: &str) -> String {
        self.with("builtin", line)
    }

    /// The same, where `dsg` takes the `ssh` program.
    pub(crate) fn system_line(&self, line: &str) -> String {
        self.with("system", line)
    }

    fn with(&self, way: &str, line: &str) -> String {
        let at = self.dir.display();
        format!(
            "export HOME='{at}/home' PATH='{at}/bin':\"$PATH\" DSG_CONFIG_HOME='{at}/{way}'; {line}"
        )
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
