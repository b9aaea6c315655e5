//! A private ssh agent. Never the one of whoever runs the tests.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running agent; it ends when dropped.
pub struct SshAgent {
    place: TempDir,
    child: Child,
}

impl SshAgent {
    /// Starts one that holds no key.
    pub fn start() -> Self {
        let place = tempfile::Builder::new().prefix("dsg-keys-").tempdir().expect("a folder");
        let mut child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(place.path().join("agent"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("ssh-agent");
        // It says where it listens when it does.
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its stdout");
        BufReader::new(stdout).read_line(&mut line).expect("its first words");
        Self { place, child }
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.place.path().join("agent")
    }

    /// Gives it a key.
    pub fn add(&self, private: &Path) {
        let added = Command::new("ssh-add")
            .arg("-q")
            .arg(private)
            .env("SSH_AUTH_SOCK", self.socket())
            .stdin(Stdio::null())
            .status();
        assert!(added.is_ok_and(|s| s.success()), "ssh-add {}", private.display());
    }

    /// Gives it so many keys that no server knows.
    pub fn add_strange(&self, count: usize) {
        for n in 0..count {
            let path = self.place.path().join(format!("strange-{n}"));
            crate::sshd::key(&path, "");
            self.add(&path);
        }
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
