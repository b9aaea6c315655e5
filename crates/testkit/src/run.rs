//! Running `dsg`: in a cleared environment, to its end, to a crash, or to a halt in the middle.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use serde_json::Value;

/// Another account to run as, where the test is root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// User.
    pub uid: u32,
    /// Main group.
    pub gid: u32,
    /// Further groups.
    pub groups: Vec<u32>,
    /// File creation mask, as octal text.
    pub umask: &'static str,
}

/// How `dsg` is run.
#[derive(Clone, Debug)]
pub struct Runner {
    /// The program.
    pub binary: PathBuf,
    /// `HOME`.
    pub home: PathBuf,
    /// Where the author's `dsg.yml` is.
    pub config: PathBuf,
    /// As whom; none: as the test itself.
    pub account: Option<Account>,
    /// More variables.
    pub env: Vec<(String, OsString)>,
}

impl Runner {
    /// The command, not started.
    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = match &self.account {
            None => Command::new(&self.binary),
            Some(account) => {
                let groups = account
                    .groups
                    .iter()
                    .chain([&account.gid])
                    .map(u32::to_string)
                    .collect::<Vec<_>>()
                    .join(",");
                let mut command = Command::new("setpriv");
                command.args([
                    format!("--reuid={}", account.uid),
                    format!("--regid={}", account.gid),
                    format!("--groups={groups}"),
                ]);
                command
                    .args(["sh", "-c", &format!("umask {}; exec \"$@\"", account.umask), "sh"])
                    .arg(&self.binary);
                command
            }
        };
        command.args(args).env_clear().stdin(Stdio::null());
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", &self.home).env("DSG_CONFIG_HOME", &self.config);
        command.env("LANG", "C.UTF-8").env("TZ", "UTC").env("RUST_BACKTRACE", "1");
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs it to its end.
    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Done {
        let output = self
            .command(args)
            .output()
            .unwrap_or_else(|e| panic!("{}: {e}", self.binary.display()));
        Done::of(args, &output)
    }

    /// Starts it, output to be collected later.
    pub fn start<S: AsRef<OsStr>>(&self, args: &[S]) -> Running {
        let mut command = self.command(args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn();
        let child = child.unwrap_or_else(|e| panic!("{}: {e}", self.binary.display()));
        Running { child, line: line(args) }
    }

    /// With one more variable.
    #[must_use]
    pub fn with(&self, name: &str, value: impl Into<OsString>) -> Self {
        let mut runner = self.clone();
        runner.env.push((name.to_owned(), value.into()));
        runner
    }
}

fn line<S: AsRef<OsStr>>(args: &[S]) -> String {
    args.iter().map(|a| a.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// A `dsg` that runs.
pub struct Running {
    child: Child,
    line: String,
}

impl Running {
    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until it stopped itself; `false` if it ended instead.
    pub fn wait_for_stop(&self) -> bool {
        // NOWAIT leaves an ended process for `end` to reap.
        let wanted = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.pid()), wanted).expect("waitid");
        status.is_some_and(|s| s.stopped())
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        kill_process(self.pid(), Signal::CONT).expect("SIGCONT");
    }

    /// Sends a signal to all of its group, as a terminal does; it was [started](Runner::start) in one of its
    /// own.
    pub fn signal_group(&self, signal: Signal) {
        let _ = kill_process_group(self.pid(), signal);
    }

    /// Sends a signal; one that ended already is left alone.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(self.pid(), signal);
    }

    /// Waits for its end.
    pub fn end(self) -> Done {
        let output = self.child.wait_with_output().expect("wait");
        Done { line: self.line, ..Done::of::<&str>(&[], &output) }
    }
}

/// A `dsg` that ended.
pub struct Done {
    /// What was asked.
    pub line: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "dsg {}\n=> {}\n--- stdout\n{}--- stderr\n{}",
            self.line, self.status, self.stdout, self.stderr
        )
    }
}

impl Done {
    fn of<S: AsRef<OsStr>>(args: &[S], output: &Output) -> Self {
        Self {
            line: line(args),
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The exit status; none if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Whether it aborted, as a crash point does.
    pub fn crashed(&self) -> bool {
        self.status.signal() == Some(Signal::ABORT.as_raw())
    }

    /// Checks the exit status.
    #[track_caller]
    #[allow(
        clippy::return_self_not_must_use,
        reason = "the check alone is often all that is wanted"
    )]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self:?}");
        self
    }

    /// Checks that all went well.
    #[track_caller]
    #[allow(
        clippy::return_self_not_must_use,
        reason = "the check alone is often all that is wanted"
    )]
    pub fn ok(self) -> Self {
        self.expect(0)
    }

    /// The one JSON document on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("not one JSON document ({e}): {self:?}"))
    }

    /// Checks that it failed with this code, and with words.
    #[track_caller]
    #[allow(
        clippy::return_self_not_must_use,
        reason = "the check alone is often all that is wanted"
    )]
    pub fn failed(self, code: &str) -> Self {
        let document = self.json();
        let error = &document["error"];
        assert_eq!(error["code"], code, "{self:?}");
        assert!(error["message"].as_str().is_some_and(|m| m.len() > 10), "no message: {self:?}");
        assert_ne!(self.code(), Some(0), "{self:?}");
        self
    }

    /// A list of texts in the document.
    #[track_caller]
    pub fn texts(&self, key: &str) -> Vec<String> {
        let document = self.json();
        let list = document[key].as_array().unwrap_or_else(|| panic!("no list {key}: {self:?}"));
        list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    }
}

/// Says why a part of a test is not run. Goes past the test harness, which hides what passing tests
/// print.
pub fn skipped(why: &str) {
    let line = format!("SKIPPED: {why}\n");
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).expect("stderr");
}

/// Waits until something is so.
///
/// # Panics
/// It is not within half a minute.
#[track_caller]
pub fn wait_until(is_so: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed().as_secs() < 30, "it never was");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Whether the test is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Copies a program to where every account may run it.
pub fn publish_binary(binary: &Path, dir: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let copy = dir.join("dsg");
    std::fs::copy(binary, &copy).expect("copy the program");
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755))
        .expect("chmod the program");
    copy
}
