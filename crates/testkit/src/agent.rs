//! The real `dsg-agent`, of this very build.

use std::cell::RefCell;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{Checkout, Lab};
use crate::run::wait_until;

/// The program, built if it is not.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| built(false))
}

static STATIC: OnceLock<PathBuf> = OnceLock::new();

/// The same for a host that may have other libraries, or none: linked statically, without symbols.
pub fn static_program() -> &'static Path {
    STATIC.get_or_init(|| built(true))
}

/// Whether that was asked for already.
pub(crate) fn is_built() -> bool {
    STATIC.get().is_some()
}

fn built(alone: bool) -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "dsg-host", "--bin", "dsg-agent"]);
    cargo.args(["--message-format", "json-render-diagnostics", "--manifest-path"]);
    cargo.arg(manifest);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if alone {
        // A folder of its own, so that the flags compile nothing else anew.
        let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        cargo.args(["--target", &triple]);
        cargo.env("RUSTFLAGS", "-C target-feature=+crt-static -C strip=symbols");
    }
    let built = cargo.output().expect("cargo");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let program = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message["executable"].as_str()?))
    };
    let told = String::from_utf8(built.stdout).expect("text");
    told.lines().find_map(program).expect("the path of dsg-agent")
}

/// The agent of one checkout's repository on a lab's server, as a process that is known.
pub struct Known {
    noted: PathBuf,
    settings: PathBuf,
    own: String,
    frozen: RefCell<Vec<Pid>>,
}

impl Known {
    /// From now on that agent runs with these variables (`A=b C=d`), until this is dropped.
    pub fn with(lab: &Lab, checkout: &Checkout, variables: &str) -> Self {
        let name = checkout.dir.file_name().unwrap().to_string_lossy().into_owned();
        let script = lab.path().join(format!("agent-of-{name}"));
        let noted = lab.path().join(format!("its-id-{name}"));
        let _ = std::fs::remove_file(&noted);
        let export =
            if variables.is_empty() { String::new() } else { format!("export {variables}\n") };
        let text = format!(
            "#!/bin/sh\n{export}echo $$ >{}\nexec {} \"$@\"\n",
            noted.display(),
            program().display()
        );
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let settings = checkout.runner.config.join("dsg.yml");
        let own = std::fs::read_to_string(&settings).unwrap();
        let host = format!("hosts: {{127.0.0.1: {{agent_path: {}}}}}\n", script.display());
        std::fs::write(&settings, own.clone() + &host).unwrap();
        Self { noted, settings, own, frozen: RefCell::default() }
    }

    /// The one that was started last.
    ///
    /// # Panics
    /// None was.
    pub fn process(&self) -> Pid {
        let noted = std::fs::read_to_string(&self.noted).expect("an agent was started");
        Pid::from_raw(noted.trim().parse().expect("a process id")).expect("a process id")
    }

    /// What it is doing, as a letter of `/proc`; none: it has ended.
    fn state(&self) -> Option<char> {
        let noted = std::fs::read_to_string(&self.noted).ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", noted.trim())).ok()?;
        stat.rsplit(") ").next()?.chars().next().filter(|state| *state != 'Z')
    }

    /// Waits until it halts, and gives it.
    pub fn halted(&self) -> Pid {
        wait_until(|| self.state() == Some('T'));
        self.process()
    }

    /// Waits until it has ended.
    pub fn ended(&self) {
        wait_until(|| self.state().is_none());
    }

    /// It does nothing any more, and does not end before this is dropped.
    pub fn freeze(&self) {
        self.frozen.borrow_mut().push(self.process());
        kill_process(self.process(), Signal::STOP).unwrap();
        self.halted();
    }

    /// It is ended at once.
    pub fn kill(&self) {
        let _ = kill_process(self.process(), Signal::KILL);
        self.ended();
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        for pid in self.frozen.take() {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = std::fs::write(&self.settings, &self.own);
    }
}
