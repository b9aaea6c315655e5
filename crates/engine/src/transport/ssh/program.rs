//! The user's own `ssh` program: for hosts whose configuration needs more than the built-in ssh can do.
//!
//! One login serves every stream: the first program is started with a control socket in a private
//! folder, and stays until the connection is dropped; the others pass through it.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use dsg_core::address::SshHost;
use dsg_core::failure::{Code, Failure, Outcome};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{Pid, Signal, kill_process_group};

use super::ask::{Ask, Nobody};
use super::askpass::Desk;
use super::lane::{SaidHere, with_said};
use super::route::{ALIVE_COUNT, ALIVE_INTERVAL};
use crate::transport::Stream;

/// Says that the login is done, and stays until its stdin ends.
const MASTER: &str = "sh -c 'echo; echo dsg-logged-in; exec cat'";
const LOGGED_IN: &[u8] = b"dsg-logged-in\n";

/// So long the program may take to say what it would do.
const TELLING: Duration = Duration::from_secs(3);
/// Beyond connecting, a login that asks nobody may take so long: a key may want to be touched.
const LETTING_IN: Duration = Duration::from_secs(60);
/// How often it is looked whether somebody still waits.
const TICK: Duration = Duration::from_millis(100);

/// Whether there is one.
pub(super) fn is_there() -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|dir| dir.join("ssh").is_file())
}

/// How `ssh` takes part in sharing a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// It logs in, for others too.
    Master,
    /// It uses the login of the master.
    Guest,
}

/// The arguments of `ssh` for one command.
pub(super) fn arguments(
    host: &SshHost,
    patience: Duration,
    batch: bool,
    share: Share,
    control: &Path,
    command: &str,
) -> Vec<OsString> {
    let mut options: Vec<OsString> = [
        format!("ConnectTimeout={}", patience.as_secs().max(1)),
        format!("BatchMode={}", if batch { "yes" } else { "no" }),
        format!("ControlMaster={}", if share == Share::Master { "yes" } else { "no" }),
        "ControlPersist=no".to_owned(),
        // What a configuration for people at terminals may have, and a stream of bytes cannot do with.
        "RemoteCommand=none".to_owned(),
        "ClearAllForwardings=yes".to_owned(),
        "ForwardX11=no".to_owned(),
        "PermitLocalCommand=no".to_owned(),
        "EscapeChar=none".to_owned(),
    ]
    .map(OsString::from)
    .into();
    let mut path = OsString::from("ControlPath=");
    path.push(control);
    options.push(path);
    let mut arguments = vec![OsString::from("-T")];
    arguments.extend(options.into_iter().flat_map(|option| ["-o".into(), option]));
    if let Some(user) = host.user() {
        arguments.extend(["-l".into(), user.into()]);
    }
    if let Some(port) = host.port() {
        arguments.extend(["-p".into(), port.to_string().into()]);
    }
    arguments.extend(["--".into(), host.name().into(), command.into()]);
    arguments
}

/// A login through the program.
pub(super) struct Program {
    host: SshHost,
    patience: Duration,
    batch: bool,
    /// Options by which a line that is dead is noticed.
    alive: Vec<OsString>,
    /// Another configuration than the account's.
    configuration: Option<PathBuf>,
    /// Private: who could write here could use the login.
    folder: tempfile::TempDir,
    master: Mutex<Master>,
}

struct Master {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Program {
    /// Logs in.
    ///
    /// # Errors
    /// What the program said.
    pub(super) fn connect(host: &SshHost, patience: Duration, ask: &dyn Ask) -> Outcome<Self> {
        Self::log_in(host, patience, ask, None, false)
    }

    /// Logs in where that needs no question and takes no longer than `patience`, and the host is one that
    /// was confirmed.
    ///
    /// # Errors
    /// What the program said.
    pub(super) fn connect_quietly(
        host: &SshHost,
        patience: Duration,
        unasked: &dyn Ask,
    ) -> Outcome<Self> {
        Self::log_in(host, patience, unasked, None, true)
    }

    /// With a configuration of the test's own: `ssh` finds the account's, whatever `HOME` says.
    #[cfg(test)]
    pub(super) fn with(host: &SshHost, configuration: &Path, ask: &dyn Ask) -> Outcome<Self> {
        Self::log_in(host, Duration::from_secs(15), ask, Some(configuration.to_owned()), false)
    }

    fn log_in(
        host: &SshHost,
        patience: Duration,
        ask: &dyn Ask,
        configuration: Option<PathBuf>,
        strict: bool,
    ) -> Outcome<Self> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let place = runtime.filter(|dir| dir.is_dir()).unwrap_or_else(|| "/tmp".into());
        // The path of a socket may not be longer than 108 bytes, and ssh appends 17 for a while.
        let folder = tempfile::Builder::new().prefix("dsg-").tempdir_in(&place);
        let folder = folder.map_err(|e| Failure::io("make a folder in", &place, e))?;
        let batch = !ask.has_terminal() && !ask.is_there();
        let mut arguments =
            arguments(host, patience, batch, Share::Master, &folder.path().join("c"), MASTER);
        if strict {
            arguments.splice(0..0, ["-o".into(), "StrictHostKeyChecking=yes".into()]);
        }
        let told = told(&arguments, configuration.as_deref()).unwrap_or_default();
        let alive = alive(&told);
        arguments.splice(0..0, alive.iter().cloned());
        let ciphers = value(&told, "ciphers").filter(|_| has_aes()).and_then(quicker);
        if let Some(ciphers) = ciphers {
            arguments.splice(0..0, ["-o".into(), format!("Ciphers={ciphers}").into()]);
        }
        let mut command = command(&arguments, configuration.as_deref());
        let asks_here = !batch && !ask.has_terminal();
        let desk = asks_here.then(|| Desk::in_folder(folder.path(), host.to_string(), ask));
        let desk = desk.transpose()?;
        if let Some(desk) = &desk {
            desk.announce(&mut command);
        }
        if batch {
            apart(&mut command);
        }
        let (mut child, said) = start(command)?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take();
        let (is_in, left) = match desk {
            Some(desk) => desk.attend(|| logged_in(stdout)),
            // At its terminal a person ends it.
            None if !batch => (logged_in(stdout), false),
            None => {
                let patience = if strict { patience } else { patience + LETTING_IN };
                within(patience, &child, ask, || logged_in(stdout))
            }
        };
        if !is_in {
            drop(stdin);
            let _ = child.wait();
            return Err(if left { Failure::cancelled() } else { refused(host, &said.text()) });
        }
        let master = Mutex::new(Master { child, stdin });
        // Whoever lost the login is not to ask by itself.
        let batch = !ask.has_terminal();
        Ok(Self { host: host.clone(), patience, batch, alive, configuration, folder, master })
    }

    /// Ends it: it is not to be used again.
    pub(super) fn give_up(&self) {
        let mut master = self.master.lock().unwrap_or_else(PoisonError::into_inner);
        master.stdin = None;
        let _ = master.child.kill();
        let _ = master.child.wait();
    }

    pub(super) fn is_alive(&self) -> bool {
        let mut master = self.master.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(master.child.try_wait(), Ok(None))
    }

    /// Starts a program, given as a line for the host's shell.
    ///
    /// # Errors
    /// The login is lost; `ssh` cannot be started.
    pub(super) fn program(&self, line: &str) -> Outcome<Stream> {
        // Without it the program would log in by itself, each time anew.
        if !self.is_alive() {
            let message = format!("The program ssh has lost its connection to {}.", self.host);
            return Err(Failure::new(Code::Unreachable, message).hint("Try again."));
        }
        let control = self.folder.path().join("c");
        let mut arguments =
            arguments(&self.host, self.patience, self.batch, Share::Guest, &control, line);
        arguments.splice(0..0, self.alive.iter().cloned());
        let mut command = command(&arguments, self.configuration.as_deref());
        if self.batch {
            apart(&mut command);
        }
        let (mut child, said) = start(command)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::new(Code::Io, "Could not speak to the program ssh."));
        };
        let broken = |e: std::io::Error| {
            Failure::new(Code::Io, "Could not speak to the program ssh.").because(e)
        };
        let (cut, hung) = UnixStream::pair().map_err(broken)?;
        ioctl_fionbio(&stdin, true).map_err(|e| broken(e.into()))?;
        let child = Arc::new(Mutex::new(Reaped(child)));
        let held = Arc::new((child.clone(), hung));
        Ok(Stream {
            reader: Box::new(Held(stdout, held.clone())),
            writer: Box::new(Held(stdin, held)),
            farewell: Box::new(move || said.text()),
            hang_up: Box::new(move || {
                let _ = cut.shutdown(Shutdown::Both);
                let _ = child.lock().unwrap_or_else(PoisonError::into_inner).0.kill();
            }),
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// A child that is waited for when nobody needs it any more.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // Both pipes are closed: it ends by itself, unless it hangs.
        for _ in 0..50 {
            if matches!(self.0.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A pipe, and the child that must outlive it; the pipe goes first. The login's program has the pipe's other
/// end, too, and keeps it open before a network that is silent: who hangs up does not wait for that.
struct Held<P>(P, Arc<(Arc<Mutex<Reaped>>, UnixStream)>);

impl<P: AsFd> Held<P> {
    /// Waits until the pipe is ready; `false`: it was hung up.
    fn is_ready(&self, what: PollFlags) -> std::io::Result<bool> {
        let (_, hung) = &*self.1;
        let mut fds = [PollFd::new(hung, PollFlags::IN), PollFd::new(&self.0, what)];
        loop {
            match poll(&mut fds, None) {
                Ok(_) => return Ok(fds[0].revents().is_empty()),
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}

impl<P: Read + AsFd> Read for Held<P> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.is_ready(PollFlags::IN)? { self.0.read(buffer) } else { Ok(0) }
    }
}

impl<P: Write + AsFd> Write for Held<P> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        while self.is_ready(PollFlags::OUT)? {
            match self.0.write(bytes) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                written => return written,
            }
        }
        Err(ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a program says on stderr, while it does and when it is done.
struct Words {
    said: SaidHere,
    done: Receiver<()>,
}

impl Words {
    /// All of it; a program that ended has said all soon.
    fn text(&self) -> String {
        let _ = self.done.recv_timeout(Duration::from_secs(1));
        with_said(&self.said, |said| said.text())
    }
}

/// Whether the master says so, before it ends.
fn logged_in(stdout: Option<ChildStdout>) -> bool {
    let Some(mut stdout) = stdout else { return false };
    let said = |seen: &[u8]| seen.windows(LOGGED_IN.len()).any(|w| w == LOGGED_IN);
    let (mut seen, mut bytes) = (Vec::new(), [0; 512]);
    while !said(&seen) && seen.len() < 64 * 1024 {
        match stdout.read(&mut bytes) {
            Ok(count) if count > 0 => seen.extend_from_slice(&bytes[..count]),
            _ => break,
        }
    }
    // What it says later would fill the pipe.
    std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    said(&seen)
}

/// A program that asks nobody is in a group of its own: whoever presses Ctrl-C means us, and we step
/// back in order.
fn apart(command: &mut Command) {
    command.process_group(0).env("SSH_ASKPASS_REQUIRE", "never");
}

/// Ends a child that lets wait for longer, or for which nobody waits any more, and what it started: it may
/// wait for a key to be touched. It is [`apart`]. Gives whether the person has left, too.
fn within<T: Default>(
    patience: Duration,
    child: &Child,
    ask: &dyn Ask,
    wait: impl FnOnce() -> T,
) -> (T, bool) {
    let (waits, over) = crossbeam_channel::bounded::<()>(0);
    let (pid, begun) = (Pid::from_child(child), Instant::now());
    std::thread::scope(|scope| {
        let watch = move || {
            while over.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let left = ask.has_left();
                if left || begun.elapsed() >= patience {
                    // It is not waited for before this is over, so that its number is no one else's.
                    let _ = kill_process_group(pid, Signal::KILL);
                    return left;
                }
            }
            false
        };
        let watched = std::thread::Builder::new().spawn_scoped(scope, watch);
        let done = if watched.is_ok() { wait() } else { T::default() };
        drop(waits);
        let left = watched.ok().and_then(|watched| watched.join().ok());
        (done, left.unwrap_or_default())
    })
}

fn command(arguments: &[OsString], configuration: Option<&Path>) -> Command {
    let mut command = Command::new("ssh");
    if let Some(configuration) = configuration {
        command.arg("-F").arg(configuration);
    }
    command.args(arguments);
    command
}

fn start(mut command: Command) -> Outcome<(Child, Words)> {
    let spawned =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|e| {
        Failure::new(Code::Unreachable, "The program ssh could not be started.").because(e)
    })?;
    let said = SaidHere::default();
    let (speaking, done) = crossbeam_channel::bounded(0);
    if let Some(mut stderr) = child.stderr.take() {
        let heard = said.clone();
        std::thread::spawn(move || {
            let _speaking: crossbeam_channel::Sender<()> = speaking;
            let mut words = [0; 2048];
            while let Ok(count) = stderr.read(&mut words) {
                if count == 0 {
                    break;
                }
                with_said(&heard, |said| said.add(&words[..count]));
            }
        });
    }
    Ok((child, Words { said, done }))
}

/// What `ssh` says it would do with these arguments; nothing where it cannot be told.
fn told(arguments: &[OsString], configuration: Option<&Path>) -> Option<String> {
    // It says so (ssh(1)), and reaches nobody.
    let mut asked = command(&[], configuration);
    apart(asked.arg("-G").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()));
    let mut child = asked.stdout(Stdio::piped()).spawn().ok()?;
    let stdout = child.stdout.take();
    // What a `Match` in the configuration runs may take its time.
    let read = || std::io::read_to_string(stdout?).ok();
    let (told, _) = within(TELLING, &child, &Nobody, read);
    told.filter(|_| child.wait().is_ok_and(|status| status.success()))
}

/// A value in what `ssh` said.
fn value<'t>(told: &'t str, key: &str) -> Option<&'t str> {
    told.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
}

/// Options by which a line that is dead is noticed, unless the configuration has its own. Pure.
fn alive(told: &str) -> Vec<OsString> {
    // What `ssh` says where the configuration says nothing; Debian's has 300 with BatchMode.
    let unsaid = |key, values: &[&str]| value(told, key).is_none_or(|said| values.contains(&said));
    if !unsaid("serveraliveinterval", &["0", "300"]) {
        return Vec::new();
    }
    let mut options = vec![format!("ServerAliveInterval={}", ALIVE_INTERVAL.as_secs())];
    if unsaid("serveralivecountmax", &["3"]) {
        options.push(format!("ServerAliveCountMax={ALIVE_COUNT}"));
    }
    options.into_iter().flat_map(|option| ["-o".into(), option.into()]).collect()
}

pub(super) fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// AES-GCM before what `ssh` prefers for processors without instructions for it. None is added and none
/// taken away. Pure.
fn quicker(ciphers: &str) -> Option<String> {
    let all = || ciphers.split(',');
    let quick = |cipher: &&str| cipher.contains("-gcm@");
    (all().next()?.starts_with("chacha20-") && all().any(|cipher| quick(&cipher))).then(|| {
        let others = all().filter(|cipher| !quick(cipher));
        all().filter(quick).chain(others).collect::<Vec<_>>().join(",")
    })
}

/// What kind of refusal the program's words are. Pure.
fn refused(host: &SshHost, words: &str) -> Failure {
    let (code, hint) = if words.contains("REMOTE HOST IDENTIFICATION HAS CHANGED")
        || words.contains("is marked as revoked")
    {
        (
            Code::HostKeyChanged,
            "Ask the host's administrator whether its key was changed.".to_owned(),
        )
    } else if words.contains("Host key verification failed") {
        (Code::HostKeyUnknown, format!("Compare its fingerprint and confirm it: dsg trust {host}"))
    } else if words.contains("Too many authentication failures") {
        (
            Code::LoginRefused,
            "A host takes only so many tries. Name the key for it in ~/.ssh/config (IdentityFile, with IdentitiesOnly yes), or take other keys out of the ssh agent: ssh-add -d.".to_owned(),
        )
    } else if words.contains("Permission denied") {
        (Code::LoginRefused, format!("Does this work in a terminal: ssh {}", host.name()))
    } else {
        (Code::Unreachable, format!("Does this work in a terminal: ssh {}", host.name()))
    };
    let words = words.trim();
    let words = if words.is_empty() { "it ended without a word" } else { words };
    Failure::new(code, format!("The program ssh could not log in to {host}: {words}.")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_leave_nothing_to_be_mistaken() {
        let host: SshHost = "ann@tank:2222".parse().unwrap();
        let line = |share, batch| {
            let words = arguments(
                &host,
                Duration::from_secs(7),
                batch,
                share,
                Path::new("/r/c"),
                "sh -c 'true'",
            );
            words.iter().map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        let words = line(Share::Guest, true);
        assert_eq!(words[0], "-T");
        for option in ["BatchMode=yes", "ControlMaster=no", "ControlPath=/r/c", "ConnectTimeout=7"]
        {
            let at = words.iter().position(|w| w == option).unwrap();
            assert_eq!(words[at - 1], "-o");
        }
        assert_eq!(
            words[words.len() - 7..],
            ["-l", "ann", "-p", "2222", "--", "tank", "sh -c 'true'"]
        );
        let master = line(Share::Master, false);
        assert!(
            master.contains(&"ControlMaster=yes".to_owned())
                && master.contains(&"BatchMode=no".to_owned())
        );
    }

    #[test]
    fn a_dead_line_is_noticed_as_the_configuration_says_or_else_after_a_minute() {
        for (told, options) in [
            ("", "-o ServerAliveInterval=15 -o ServerAliveCountMax=4"),
            (
                "serveralivecountmax 3\nserveraliveinterval 0\n",
                "-o ServerAliveInterval=15 -o ServerAliveCountMax=4",
            ),
            ("serveralivecountmax 8\nserveraliveinterval 0\n", "-o ServerAliveInterval=15"),
            ("serveralivecountmax 3\nserveraliveinterval 5\n", ""),
        ] {
            assert_eq!(alive(told).join(" ".as_ref()), options, "{told}");
        }
        let host: SshHost = "tank".parse().unwrap();
        let line = arguments(&host, TELLING, true, Share::Guest, Path::new("/r/c"), "true");
        let folder = tempfile::tempdir().unwrap();
        let configuration = folder.path().join("config");
        for (text, own) in [("", false), ("Host tank\n ServerAliveInterval 5\n", true)] {
            std::fs::write(&configuration, text).unwrap();
            let told = told(&line, Some(&configuration)).unwrap();
            assert!(value(&told, "serveralivecountmax").is_some(), "{told}");
            assert_eq!(alive(&told).is_empty(), own, "{text}");
        }
    }

    #[test]
    fn ciphers_for_this_processor_come_first_where_ssh_would_take_another() {
        assert_eq!(
            quicker("chacha20-poly1305@openssh.com,aes128-ctr,aes128-gcm@openssh.com").as_deref(),
            Some("aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr")
        );
        // What somebody chose stays.
        for chosen in ["chacha20-poly1305@openssh.com", "aes256-ctr,aes256-gcm@openssh.com", ""] {
            assert_eq!(quicker(chosen), None);
        }
    }

    #[test]
    fn the_words_of_ssh_become_codes() {
        let host: SshHost = "tank".parse().unwrap();
        for (words, code) in [
            ("Host key verification failed.", Code::HostKeyUnknown),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @ Host key verification failed.",
                Code::HostKeyChanged,
            ),
            ("ann@tank: Permission denied (publickey).", Code::LoginRefused),
            ("Received disconnect: 2: Too many authentication failures", Code::LoginRefused),
            ("ssh: connect to host tank port 22: Connection refused", Code::Unreachable),
            ("", Code::Unreachable),
        ] {
            assert_eq!(refused(&host, words).code, code, "{words}");
        }
    }
}
