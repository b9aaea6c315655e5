//! A host with a real OpenZFS, in a virtual machine: booted once for a whole test program, gone with it
//! even if that is killed.
//!
//! Images are in the folder that `DSG_ZFS_VM` names, where
//! `tests/hosts/zfs-vm/build` puts them; each is a folder named after its version. Without it none is booted.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::agent;
use crate::run::skipped;

/// How long a machine may take to boot. It is emulated, and shares its processors.
const PATIENCE: Duration = Duration::from_secs(240);
/// Where the agent is in the machine.
pub const AGENT: &str = "/usr/local/sbin/dsg-agent";
/// The machine's user that is not root; its number and its group's are 1000.
pub const USER: &str = "zfsop";
/// The pool that every machine has.
pub const POOL: &str = "tank";

/// Which OpenZFS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 2.1, with a kernel that cannot mount beneath.
    Old,
    /// 2.3, with one that can.
    New,
}

impl Version {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Old, Self::New];

    fn image(self) -> &'static str {
        match self {
            Self::Old => "openzfs-2.1",
            Self::New => "openzfs-2.3",
        }
    }
}

/// A machine that runs.
pub struct ZfsHost {
    /// Which OpenZFS it has.
    pub version: Version,
    /// Where its sshd listens, on 127.0.0.1.
    pub port: u16,
    folder: PathBuf,
    boot: Mutex<Boot>,
}

struct Boot {
    // Its end is the machine's.
    orders: Option<ChildStdin>,
    told: BufReader<ChildStdout>,
    child: Child,
}

/// A dataset for one test, destroyed with all below it when dropped.
pub struct Room<'h> {
    host: &'h ZfsHost,
    /// Its name; its mount point is the same with a slash before it.
    pub name: String,
    /// Whether it is a pool of its own.
    whole: bool,
}

impl ZfsHost {
    /// This program's machine of a version, booted at first use. None, with the reason printed, where
    /// there can be none.
    pub fn shared(version: Version) -> Option<&'static Self> {
        static HOSTS: [OnceLock<Option<ZfsHost>>; 2] = [const { OnceLock::new() }; 2];
        let slot = &HOSTS[usize::from(version == Version::New)];
        let host = slot.get_or_init(|| match wanted(version).and_then(|()| image(version)) {
            Ok(image) => Some(Self::boot(version, &image)),
            Err(why) => {
                skipped(&format!("ALL TESTS ON {}: {why}", version.image()));
                None
            }
        });
        host.as_ref()
    }

    /// A machine for one test alone, which may cut its power; it ends when dropped.
    pub fn own(version: Version) -> Option<Self> {
        match image(version) {
            Ok(image) => Some(Self::boot(version, &image)),
            Err(why) => {
                skipped(&why);
                None
            }
        }
    }

    fn boot(version: Version, image: &Path) -> Self {
        for _ in 0..5 {
            let place = tempfile::Builder::new().prefix("dsg-zfs-vm-").tempdir();
            // The script that boots removes it.
            let folder = place.expect("a folder").keep();
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let port = port.port();
            let mut child = Command::new(scripts().join("boot"))
                .args([image, &folder])
                .arg(port.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("tests/hosts/zfs-vm/boot");
            let orders = child.stdin.take();
            let told = BufReader::new(child.stdout.take().unwrap());
            let boot = Mutex::new(Boot { orders, told, child });
            let host = Self { version, port, folder, boot };
            host.started();
            let furnished = || {
                host.try_run(&format!(
                    "zpool create -f {POOL} /dev/vdb && mkfs.xfs -q /dev/vdc && mkdir -p /vdevs && \
                     mount /dev/vdc /vdevs"
                ))
            };
            if host.answers() && furnished().status.success() {
                host.keep_lines();
                return host;
            }
            // The port was taken meanwhile, or the emulated kernel died.
            eprintln!("a machine did not come up; another try\n{}", host.serial());
        }
        panic!("no machine came up");
    }

    fn started(&self) {
        let mut line = String::new();
        self.boot.lock().unwrap().told.read_line(&mut line).unwrap();
        assert!(line.starts_with("machine "), "{line}");
    }

    /// Waits until it answers; `false` if it ended.
    fn answers(&self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.ssh(&["true"]).output().is_ok_and(|o| o.status.success()) {
                return true;
            }
            if self.serial().contains("Kernel panic") {
                return false;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        false
    }

    fn serial(&self) -> String {
        let log = std::fs::read(self.folder.join("serial.log")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(3000)..]).into_owned()
    }

    /// The words of an ssh command line, to which a user and a command are added.
    pub fn ssh_words(&self) -> Vec<OsString> {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let rules = [
            format!("UserKnownHostsFile={}", file("known_hosts")),
            "StrictHostKeyChecking=yes".into(),
            "IdentitiesOnly=yes".into(),
            "BatchMode=yes".into(),
            "ConnectTimeout=60".into(),
            "LogLevel=ERROR".into(),
            format!("ControlPath={}", file("%r.line")),
        ];
        let mut words = vec!["ssh".into(), "-F".into(), "none".into(), "-i".into()];
        words.extend([file("key"), "-p".into(), self.port.to_string()].map(OsString::from));
        words.extend(rules.iter().flat_map(|r| ["-o".into(), OsString::from(r)]));
        words
    }

    /// Keeps a connection for each user, which all commands share: an emulated processor is slow at
    /// greeting. Without it they have each their own.
    fn keep_lines(&self) {
        let words = self.ssh_words();
        for user in ["root", USER] {
            let mut line = Command::new(&words[0]);
            line.args(&words[1..]).args(["-M", "-N", "-f"]).arg(format!("{user}@127.0.0.1"));
            line.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            assert!(line.status().is_ok_and(|s| s.success()), "a connection for {user}");
        }
    }

    /// A command in the machine, as root.
    pub fn ssh(&self, command: &[&str]) -> Command {
        let words = self.ssh_words();
        let mut ssh = Command::new(&words[0]);
        ssh.args(&words[1..]).arg("root@127.0.0.1").args(command).stdin(Stdio::null());
        ssh
    }

    /// Runs a script in the machine, as root, to its end.
    pub fn try_run(&self, script: &str) -> Output {
        let path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin;";
        self.ssh(&[&format!("{path} {script}")]).output().expect("ssh")
    }

    /// The same, of a script that must succeed; what it printed.
    #[track_caller]
    pub fn run(&self, script: &str) -> String {
        let output = self.try_run(script);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{}\n{said}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }

    /// Puts a program into the machine.
    pub fn put(&self, file: &Path, to: &str) {
        let mut ssh = self.ssh(&[&format!("gunzip > {to} && chmod 755 {to}")]);
        let packed = Command::new("gzip").arg("-1c").arg(file).stdout(Stdio::piped()).spawn();
        let mut packed = packed.expect("gzip");
        let done = ssh.stdin(packed.stdout.take().unwrap()).status();
        assert!(packed.wait().is_ok_and(|s| s.success()) && done.is_ok_and(|s| s.success()));
    }

    /// Puts this build's agent into the machine, once.
    pub fn agent(&self) -> &'static str {
        static PUT: Mutex<Vec<u16>> = Mutex::new(Vec::new());
        let mut put = PUT.lock().unwrap();
        if !put.contains(&self.port) {
            self.put(agent::static_program(), AGENT);
            put.push(self.port);
        }
        AGENT
    }

    /// A client's home knows this machine, at that port, from now on, and is let in as root and as
    /// [`USER`].
    pub fn introduce(&self, home: &Path, port: u16) {
        let ssh = home.join(".ssh");
        std::fs::create_dir_all(&ssh).unwrap();
        for (from, to) in [("key", "id_ed25519"), ("key.pub", "id_ed25519.pub")] {
            std::fs::copy(self.folder.join(from), ssh.join(to)).unwrap();
        }
        let known = std::fs::read_to_string(self.folder.join("known_hosts")).unwrap();
        let known = known.replace(&format!(":{} ", self.port), &format!(":{port} "));
        let file =
            std::fs::OpenOptions::new().append(true).create(true).open(ssh.join("known_hosts"));
        file.unwrap().write_all(known.as_bytes()).unwrap();
    }

    /// A dataset for a test.
    pub fn room(&self) -> Room<'_> {
        let name = format!("{POOL}/{}", fresh());
        self.run(&format!("zfs create {name}"));
        Room { host: self, name, whole: false }
    }

    /// A pool for a test, of so many MiB, kept in a file.
    pub fn pool(&self, mebibytes: u32) -> Room<'_> {
        let name = fresh();
        self.run(&format!(
            "truncate -s {mebibytes}M /vdevs/{name} && zpool create {name} /vdevs/{name}"
        ));
        Room { host: self, name, whole: true }
    }

    /// The power is cut, and the machine boots again with its disks; pools are imported and mounted as
    /// a system does at boot.
    pub fn crash(&self) {
        writeln!(self.boot.lock().unwrap().orders.as_mut().unwrap(), "crash").unwrap();
        self.started();
        assert!(self.answers(), "{}", self.serial());
        self.run(&format!(
            "mkdir -p /vdevs && mount /dev/vdc /vdevs && zpool import {POOL} && \
             {{ zpool import -d /vdevs -a || true; }} && zfs mount -a"
        ));
        self.keep_lines();
        if agent::is_built() {
            self.put(agent::static_program(), AGENT);
        }
    }
}

impl Drop for ZfsHost {
    fn drop(&mut self) {
        // A shared one is never dropped: it goes with the program.
        let boot = self.boot.get_mut().unwrap();
        boot.orders = None;
        let _ = boot.child.wait();
    }
}

impl Room<'_> {
    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        Path::new("/").join(&self.name)
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let name = &self.name;
        // What a failing test left mounted or held goes first; the machine does not outlive the program.
        let _ = self.host.try_run(&if self.whole {
            format!("zpool destroy -f {name}; rm -f /vdevs/{name}")
        } else {
            format!("zfs destroy -R -f {name}")
        });
    }
}

/// A name that no other test of this program has.
fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/hosts/zfs-vm")
}

/// Whether everything is to be run, on both versions.
fn all_of_it() -> bool {
    std::env::var_os("DSG_ZFS_ALL").is_some()
}

/// Whether a test is to be run that takes long; else the reason was printed.
pub fn at_length(test: &str) -> bool {
    if !all_of_it() {
        skipped(&format!("{test}: it takes long, make test-zfs runs it"));
    }
    all_of_it()
}

fn wanted(version: Version) -> Result<(), String> {
    match version {
        Version::Old if !all_of_it() => Err("make test-zfs runs them, too".to_owned()),
        Version::Old | Version::New => Ok(()),
    }
}

/// The folder of a ready image, or why there is none.
fn image(version: Version) -> Result<PathBuf, String> {
    let has = |program: &str| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
    };
    for (program, package) in [
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("cpio", "cpio"),
        ("ssh", "openssh-client"),
        ("gzip", "gzip"),
    ] {
        if !has(program) {
            return Err(format!("there is no {program}: apt-get install {package}"));
        }
    }
    let Some(folder) = std::env::var_os("DSG_ZFS_VM").filter(|folder| !folder.is_empty()) else {
        return Err("DSG_ZFS_VM names no folder with images: make test finds or builds them".into());
    };
    let folder = PathBuf::from(folder).join(version.image());
    if folder.join("rootfs.sqfs").is_file() {
        return Ok(folder);
    }
    Err(format!("there is no image in {}: as root, make zfs-vm", folder.display()))
}
