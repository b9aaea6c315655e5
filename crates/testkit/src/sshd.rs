//! A private ssh server on loopback: its own port, host key, accounts' homes and rules. Never the
//! system's.
//!
//! Run by root, it has a mount namespace of its own with an account more than the system, [`TESTER`],
//! that has a password. Run by anybody else, it lets in who runs it, by key. Either way the account's
//! `HOME` is a folder of the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::run::is_root;

const SSHD: &str = "/usr/sbin/sshd";
/// What the server's PAM goes by.
const PAM: &str = "/etc/pam.d/sshd";
/// The account that root's servers have more than the system.
pub const TESTER: &str = "dsg-tester";
/// Its password.
pub const PASSWORD: &str = "correct horse";
/// Its user and group.
pub const TESTER_ID: u32 = 64_321;

/// What kind of server.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub struct Kind {
    /// Lines of `sshd_config`, e.g. `RekeyLimit 1M`.
    pub rules: Vec<String>,
    /// The login shell says a lot before it does anything.
    pub chatty: bool,
    /// Only the account with a password is let in, by password (root's servers only).
    pub password: bool,
    /// Only that account is let in, and asked for its password as the server's PAM asks for anything
    /// (root's servers only).
    pub asks: bool,
    /// It listens on the loopback of IPv6, too.
    pub six: bool,
    /// Log in as [`TESTER`] (root's servers only).
    pub tester: bool,
    /// No program may run in the account's home (root's servers only).
    pub noexec: bool,
}

/// A running server; it ends when dropped.
pub struct Sshd {
    place: TempDir,
    child: Child,
    /// Where it listens.
    pub port: u16,
    /// Whom it lets in.
    pub user: String,
    kind: Kind,
    log: Arc<Mutex<String>>,
}

/// Why there is no server here.
pub fn missing(kind: &Kind) -> Option<String> {
    if !Path::new(SSHD).exists() {
        return Some("there is no sshd: install openssh-server".to_owned());
    }
    if kind.six && std::net::TcpListener::bind("[::1]:0").is_err() {
        return Some("there is no IPv6 here".to_owned());
    }
    if kind.asks && !Path::new(PAM).exists() {
        return Some(format!("there is no {PAM}"));
    }
    ((kind.password || kind.asks || kind.tester || kind.noexec) && !is_root())
        .then(|| "an account for the test needs root".to_owned())
}

impl Sshd {
    /// Starts one.
    pub fn start(kind: &Kind) -> Self {
        if let Some(why) = missing(kind) {
            panic!("{why}");
        }
        let place = tempfile::Builder::new().prefix("dsg-sshd-").tempdir().expect("a folder");
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let home = place.path().join("home");
        std::fs::create_dir(&home).unwrap();
        if kind.chatty {
            let words = "echo 'Welcome! Today is a good day.'; echo 'stderr too' >&2\n".repeat(40);
            std::fs::write(home.join(".bashrc"), words).unwrap();
        }
        let as_tester = kind.password || kind.asks || kind.tester;
        if as_tester {
            chown(&home, Some(TESTER_ID), Some(TESTER_ID)).unwrap();
        }
        key(&place.path().join("host_key"), "");
        std::fs::write(place.path().join("authorized_keys"), "").unwrap();
        let user = if as_tester { TESTER.to_owned() } else { own_name() };
        for _ in 0..20 {
            if let Some((child, port, log)) = attempt(place.path(), kind, None) {
                return Self { place, child, port, user, kind: kind.clone(), log };
            }
        }
        panic!("no port was free for sshd");
    }

    /// The `HOME` of whom it lets in.
    pub fn home(&self) -> PathBuf {
        self.place.path().join("home")
    }

    /// `ssh://user@127.0.0.1:port/path`, also through a [proxy](crate::proxy)'s port.
    pub fn address(&self, port: u16, path: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{port}{}", self.user, path.display())
    }

    /// Makes a key in a client's home and lets it in.
    pub fn admit(&self, client_home: &Path, passphrase: &str) {
        let private = client_home.join(".ssh/id_ed25519");
        if !private.exists() {
            std::fs::create_dir_all(client_home.join(".ssh")).unwrap();
            key(&private, passphrase);
        }
        let public = std::fs::read_to_string(private.with_extension("pub")).unwrap();
        let mut keys = std::fs::OpenOptions::new();
        let keys = keys.append(true).open(self.place.path().join("authorized_keys"));
        keys.unwrap().write_all(public.as_bytes()).unwrap();
    }

    /// The line of `known_hosts` for this server at a port.
    pub fn known_as(&self, port: u16) -> String {
        format!("[127.0.0.1]:{port} {}\n", self.host_key())
    }

    /// Its host key, as kind and text.
    pub fn host_key(&self) -> String {
        let public = std::fs::read_to_string(self.place.path().join("host_key.pub")).unwrap();
        public.split(' ').take(2).collect::<Vec<_>>().join(" ").trim().to_owned()
    }

    /// A client's home knows this server from now on, at a port.
    pub fn introduce(&self, client_home: &Path, port: u16) {
        std::fs::create_dir_all(client_home.join(".ssh")).unwrap();
        let mut known = std::fs::OpenOptions::new();
        let known = known.append(true).create(true).open(client_home.join(".ssh/known_hosts"));
        known.unwrap().write_all(self.known_as(port).as_bytes()).unwrap();
    }

    /// The fingerprint of its key, as `ssh-keygen` says it.
    pub fn fingerprint(&self) -> String {
        let keygen = Command::new("ssh-keygen")
            .arg("-lf")
            .arg(self.place.path().join("host_key.pub"))
            .output()
            .expect("ssh-keygen");
        let words = String::from_utf8_lossy(&keygen.stdout).into_owned();
        words.split(' ').nth(1).expect("a fingerprint").to_owned()
    }

    /// The server goes down, and all connections with it.
    pub fn stop(&mut self) {
        // Each connection is a session of its own, which a group's signal does not reach.
        let mut doomed = vec![self.child.id()];
        let mut at = 0;
        while let Some(parent) = doomed.get(at).copied() {
            doomed.extend(children(parent));
            at += 1;
        }
        for pid in doomed {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process");
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }

    /// It comes up again where it was.
    pub fn start_again(&mut self) {
        for _ in 0..100 {
            if let Some((child, _, log)) = attempt(self.place.path(), &self.kind, Some(self.port)) {
                (self.child, self.log) = (child, log);
                return;
            }
            // The port may not be free yet.
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("port {} was not free again", self.port);
    }

    /// From its next start on it shows another host key.
    pub fn change_key(&self) {
        for file in ["host_key", "host_key.pub"] {
            std::fs::remove_file(self.place.path().join(file)).unwrap();
        }
        key(&self.place.path().join("host_key"), "");
    }

    /// What the server said so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The name of whom the tests run as.
pub fn own_name() -> String {
    let id = Command::new("id").arg("-un").output().expect("id");
    String::from_utf8_lossy(&id.stdout).trim().to_owned()
}

/// The processes that a process started, and that live.
fn children(parent: u32) -> Vec<u32> {
    let started_by = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut after_name = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        after_name.nth(1) == Some(&parent.to_string())
    };
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(started_by).collect()
}

/// Makes a key.
pub fn key(path: &Path, passphrase: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-C", "test", "-N", passphrase, "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status();
    assert!(made.is_ok_and(|s| s.success()), "ssh-keygen {}", path.display());
}

type Started = (Child, u16, Arc<Mutex<String>>);

/// Starts it at a port, or at one that was free a moment ago.
fn attempt(place: &Path, kind: &Kind, port: Option<u16>) -> Option<Started> {
    let free = || Some(std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port());
    let port = port.or_else(free)?;
    let at = place.display();
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let (password, asks, key) =
        (yes(kind.password), yes(kind.asks), yes(!kind.password && !kind.asks));
    // Of two rules the first counts: the test's.
    let mut config = kind.rules.join("\n");
    if kind.six {
        config += "\nListenAddress ::1";
    }
    let more = format!(
        "\nPort {port}\nListenAddress 127.0.0.1\nHostKey {at}/host_key\nPidFile none\nUsePAM {asks}\n\
         StrictModes no\nAuthorizedKeysFile {at}/authorized_keys\nPasswordAuthentication {password}\n\
         PubkeyAuthentication {key}\nKbdInteractiveAuthentication {asks}\nPermitRootLogin yes\nUseDNS no\n\
         PrintMotd no\nPrintLastLog no\nMaxStartups 100\nMaxSessions 50\nLogLevel VERBOSE\n\
         SetEnv HOME={at}/home\n"
    );
    std::fs::write(place.join("sshd_config"), config + &more).unwrap();
    let mut command =
        if is_root() { in_a_namespace(place, kind.noexec) } else { Command::new(SSHD) };
    let started = command
        .args(["-D", "-e", "-f"])
        .arg(place.join("sshd_config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.unwrap_or_else(|e| panic!("sshd: {e}"));
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut before = String::new();
    for line in said.by_ref() {
        before.push_str(&line);
        before.push('\n');
        if line.contains("Server listening") {
            let log = Arc::new(Mutex::new(before));
            let kept = log.clone();
            std::thread::spawn(move || {
                for line in said {
                    let mut log = kept.lock().unwrap();
                    log.push_str(&line);
                    log.push('\n');
                }
            });
            return Some((child, port, log));
        }
    }
    let _ = child.wait();
    assert!(before.contains("in use"), "sshd did not start: {before}");
    None
}

/// `sshd` with a folder of its own for privileges, and one account more.
fn in_a_namespace(place: &Path, noexec: bool) -> Command {
    let hash = Command::new("openssl").args(["passwd", "-6", PASSWORD]).output().expect("openssl");
    let hash = String::from_utf8_lossy(&hash.stdout).trim().to_owned();
    let home = place.join("home");
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    let account = format!("{TESTER}:x:{TESTER_ID}:{TESTER_ID}::{}:/bin/bash\n", home.display());
    std::fs::write(place.join("passwd"), accounts + &account).unwrap();
    std::fs::write(place.join("shadow"), format!("root:*:1::::::\n{TESTER}:{hash}:1::::::\n"))
        .unwrap();
    std::fs::write(
        place.join("pam"),
        "auth required pam_unix.so nodelay\naccount required pam_permit.so\nsession required pam_permit.so\n",
    )
    .unwrap();
    let noexec = if noexec {
        "mount --bind \"$0/home\" \"$0/home\" && mount -o remount,bind,noexec \"$0/home\" &&"
    } else {
        ""
    };
    let script = format!(
        "mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && \
         mount --bind \"$0/passwd\" /etc/passwd && mount --bind \"$0/shadow\" /etc/shadow && \
         {{ ! [ -e {PAM} ] || mount --bind \"$0/pam\" {PAM}; }} && {noexec} exec \"$@\""
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    command.arg(place).arg(SSHD);
    command
}
