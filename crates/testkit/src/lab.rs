//! A place with a repository and checkouts; all of it is gone when it is dropped.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::run::{Account, Done, Runner, Running};
use crate::sshd::{Kind, Sshd, TESTER_ID};
use crate::tree::{Scope, Tree};
use crate::zfs_host::{Room, USER, ZfsHost};

/// A place for one test.
pub struct Lab {
    place: TempDir,
    binary: PathBuf,
    checkouts: PathBuf,
    /// Where the repository is, or will be.
    pub repo: PathBuf,
    /// The server through which checkouts reach it; none: they reach it as a folder.
    pub sshd: Option<Sshd>,
    /// At another port than the server's: a [proxy's](crate::proxy).
    port: Option<u16>,
    /// The machine that it is on, with a dataset of the lab's own.
    zfs: Option<(&'static ZfsHost, Room<'static>)>,
    /// As whom checkouts log in there.
    zfs_user: &'static str,
}

impl Lab {
    /// Makes a place; the repository will be in it.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let place =
            tempfile::Builder::new().prefix("dsg-lab-").tempdir().expect("a temporary folder");
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755))
            .expect("chmod");
        let repo = place.path().join("srv/repo");
        std::fs::create_dir(place.path().join("srv")).expect("a folder");
        let checkouts = place.path().to_owned();
        Self {
            checkouts,
            place,
            binary: binary.into(),
            repo,
            sshd: None,
            port: None,
            zfs: None,
            zfs_user: "root",
        }
    }

    /// Makes a place whose repository is reached through an ssh server of its own.
    pub fn over_ssh(binary: impl Into<PathBuf>, kind: &Kind) -> Self {
        let lab = Self::new(binary);
        if kind.tester || kind.password || kind.asks {
            let srv = lab.repo.parent().expect("a folder");
            std::os::unix::fs::chown(srv, Some(TESTER_ID), Some(TESTER_ID)).expect("chown");
        }
        Self { sshd: Some(Sshd::start(kind)), ..lab }
    }

    /// Makes a place whose repository is a dataset of a machine with ZFS, reached through its sshd.
    pub fn on_zfs(binary: impl Into<PathBuf>, host: &'static ZfsHost) -> Self {
        let room = host.room();
        let repo = room.path().join("repo");
        Self { zfs: Some((host, room)), ..Self::new(binary).with_repo(repo) }
    }

    /// The same, where checkouts log in as a user who may do nothing but run the helper for that dataset.
    pub fn on_zfs_as_user(binary: impl Into<PathBuf>, host: &'static ZfsHost) -> Self {
        let lab = Self { zfs_user: USER, ..Self::on_zfs(binary, host) };
        lab.allow_helper();
        lab
    }

    /// Whether checkouts log in as that user.
    pub fn has_helper(&self) -> bool {
        self.zfs_user == USER
    }

    /// An administrator installs the helper, for the dataset above the repository's. (A machine that lost its
    /// power forgets that.)
    pub fn allow_helper(&self) {
        let (host, dataset) = self.zfs();
        let agent = host.agent();
        let above = dataset.rsplit_once('/').expect("a dataset above").0;
        let rules = format!("/etc/sudoers.d/{}", above.replace('/', "-"));
        let rule = format!("%{USER} ALL=(root) NOPASSWD: {agent} zfs-helper {above}");
        host.run(&format!("echo '{rule}' > {rules}; chmod 440 {rules}"));
    }

    /// From now on, whoever asks for the helper gets one with these variables (`A=b C=d`): of all the machine,
    /// until it loses its power.
    pub fn helper_runs_with(&self, variables: &str) {
        let (host, _) = self.zfs();
        let agent = host.agent();
        host.run(&format!(
            "mv {agent} {agent}.own && \
             printf '#!/bin/sh\\nexport {variables}\\nexec {agent}.own \"$@\"\\n' > {agent} && \
             chmod 755 {agent}"
        ));
    }

    /// Whether the repository is a dataset.
    pub fn is_on_zfs(&self) -> bool {
        self.zfs.is_some()
    }

    /// The machine with ZFS, and the repository's dataset there.
    ///
    /// # Panics
    /// The repository is on none.
    pub fn zfs(&self) -> (&'static ZfsHost, String) {
        let (host, room) = self.zfs.as_ref().expect("a lab on ZFS");
        (host, format!("{}/repo", room.name))
    }

    /// Whether checkouts reach the repository over ssh.
    pub fn is_remote(&self) -> bool {
        self.sshd.is_some() || self.is_on_zfs()
    }

    /// Where its server listens.
    ///
    /// # Panics
    /// There is none.
    pub fn port(&self) -> u16 {
        self.zfs.as_ref().map_or_else(|| self.host().port, |(host, _)| host.port)
    }

    /// From now on, checkouts reach the server at another port.
    pub fn through(&mut self, port: u16) {
        self.port = Some(port);
    }

    /// The server.
    ///
    /// # Panics
    /// There is none.
    pub fn host(&self) -> &Sshd {
        self.sshd.as_ref().expect("a lab over ssh")
    }

    /// The repository, as checkouts name it.
    pub fn address(&self) -> OsString {
        match (&self.sshd, &self.zfs) {
            (None, None) => self.repo.clone().into(),
            (None, Some((host, _))) => {
                let user = self.zfs_user;
                let port = self.port.unwrap_or(host.port);
                format!("ssh://{user}@127.0.0.1:{port}{}", self.repo.display()).into()
            }
            (Some(sshd), _) => sshd.address(self.port.unwrap_or(sshd.port), &self.repo).into(),
        }
    }

    /// The repository is to be there instead.
    #[must_use]
    pub fn with_repo(mut self, repo: impl Into<PathBuf>) -> Self {
        self.repo = repo.into();
        self
    }

    /// The checkouts are to be below that folder instead.
    #[must_use]
    pub fn with_checkouts(mut self, dir: impl Into<PathBuf>) -> Self {
        self.checkouts = dir.into();
        self
    }

    /// The place.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// The repository's sidecar.
    pub fn sidecar(&self) -> PathBuf {
        let name = self.repo.file_name().and_then(OsStr::to_str).unwrap_or_default();
        self.repo.with_file_name(format!(".{name}.dsg"))
    }

    /// What people see in the repository.
    pub fn repo_tree(&self) -> Tree {
        let Some((host, _)) = &self.zfs else { return Tree::of(&self.repo, Scope::Data) };
        let copy = tempfile::tempdir().expect("a folder");
        let from = host.ssh(&[&format!("tar -C {} --exclude ./.dsg -c .", self.repo.display())]);
        let mut from = { from }.stdout(Stdio::piped()).spawn().expect("ssh");
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(copy.path()).arg("-x").stdin(from.stdout.take().expect("a pipe"));
        assert!(tar.status().is_ok_and(|s| s.success()) && from.wait().is_ok_and(|s| s.success()));
        Tree::of(copy.path(), Scope::Data)
    }

    /// From now on, the agent of this checkout's repository runs with these variables (`A=b C=d`).
    pub fn agent_runs_with(&self, checkout: &Checkout, variables: &str) {
        let (host, dataset) = self.zfs();
        let name = checkout.dir.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let script = format!("/tmp/agent-{}-{name}", dataset.replace('/', "-"));
        host.run(&format!(
            "printf '#!/bin/sh\\nexport {variables}\\nexec {} \"$@\"\\n' > {script}; chmod 755 {script}",
            host.agent()
        ));
        let config = checkout.runner.config.join("dsg.yml");
        let told = std::fs::read_to_string(&config).expect("dsg.yml");
        let own = told.lines().take(2).collect::<Vec<_>>().join("\n");
        let host = format!("hosts:\n  \"127.0.0.1\":\n    agent_path: {script}\n");
        std::fs::write(config, format!("{own}\n{host}")).expect("dsg.yml");
    }

    /// What a file of the repository holds; `None` if nothing stands there.
    pub fn there(&self, path: &str) -> Option<String> {
        let at = self.repo.join(path);
        let Some((host, _)) = &self.zfs else { return std::fs::read_to_string(at).ok() };
        let told = host.try_run(&format!("cat '{}'", at.display()));
        told.status.success().then(|| String::from_utf8_lossy(&told.stdout).into_owned())
    }

    /// A checkout in the place, whose folder is made; its author is NAME@example.org.
    pub fn checkout(&self, name: &str) -> Checkout {
        self.checkout_at(name, self.checkouts.join(name))
    }

    /// A checkout elsewhere.
    pub fn checkout_at(&self, name: &str, dir: impl Into<PathBuf>) -> Checkout {
        let dir = dir.into();
        let home = self.path().join(format!("home-{name}"));
        std::fs::create_dir_all(&home).expect("a home");
        std::fs::create_dir_all(&dir).expect("a checkout");
        std::fs::write(
            home.join("dsg.yml"),
            format!("user_name: {name}\nuser_id: {}@example.org\n", name.replace([' ', '\''], "-")),
        )
        .expect("dsg.yml");
        if let Some(sshd) = &self.sshd {
            sshd.admit(&home, "");
            sshd.introduce(&home, self.port.unwrap_or(sshd.port));
        }
        let mut env = Vec::new();
        let agent = match &self.zfs {
            Some((host, _)) => {
                host.introduce(&home, self.port.unwrap_or(host.port));
                Some(crate::agent::static_program())
            }
            None => self.sshd.as_ref().map(|_| crate::agent::program()),
        };
        if let Some(agents) = agent.and_then(Path::parent) {
            env.push(("DSG_AGENTS".to_owned(), agents.into()));
        }
        let runner =
            Runner { binary: self.binary.clone(), config: home.clone(), home, account: None, env };
        Checkout { dir, address: self.address(), runner }
    }

    /// Two checkouts in sync: `p1` made the repository from `files` (path, content), `p2` cloned it.
    pub fn pair(&self, files: &[(&str, &str)]) -> (Checkout, Checkout) {
        let p1 = self.checkout("p1");
        for (path, content) in files {
            p1.write(path, content);
        }
        p1.init();
        (p1, self.cloned("p2"))
    }

    /// One more checkout, cloned.
    pub fn cloned(&self, name: &str) -> Checkout {
        let checkout = self.checkout(name);
        std::fs::remove_dir(&checkout.dir).expect("an empty folder");
        checkout.clone_here().ok();
        checkout
    }
}

/// A project's folder and how `dsg` is run in it.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// Its root.
    pub dir: PathBuf,
    /// Its repository, as it is typed.
    pub address: OsString,
    /// How `dsg` is run.
    pub runner: Runner,
}

/// What `dsg status` says, as far as tests compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Newest snapshot.
    pub head: Option<String>,
    /// The one that this folder is at.
    pub last_sync: Option<String>,
    /// State and action by path.
    pub changes: BTreeMap<String, (String, String)>,
}

impl Pending {
    /// Reads the document.
    #[track_caller]
    pub fn of(document: &Value) -> Self {
        let text = |v: &Value| v.as_str().map(str::to_owned);
        let list =
            document["changes"].as_array().unwrap_or_else(|| panic!("no changes in {document}"));
        let change =
            |c: &Value| Some((text(&c["path"])?, (text(&c["state"])?, text(&c["action"])?)));
        Self {
            head: text(&document["head"]),
            last_sync: text(&document["last_sync"]),
            changes: list.iter().filter_map(change).collect(),
        }
    }

    /// The state of a path; `LCR.all_eq` if it is not listed.
    pub fn state(&self, path: &str) -> &str {
        self.changes.get(path).map_or("LCR.all_eq", |c| c.0.as_str())
    }

    /// What a sync would do with a path; `none` if it is not listed.
    pub fn action(&self, path: &str) -> &str {
        self.changes.get(path).map_or("none", |c| c.1.as_str())
    }
}

impl Checkout {
    /// Runs `dsg --json` here.
    pub fn dsg<S: AsRef<OsStr>>(&self, args: &[S]) -> Done {
        self.runner.run(&self.line(args))
    }

    /// Starts `dsg --json` here.
    pub fn start<S: AsRef<OsStr>>(&self, args: &[S]) -> Running {
        self.runner.start(&self.line(args))
    }

    fn line<S: AsRef<OsStr>>(&self, args: &[S]) -> Vec<std::ffi::OsString> {
        let mut line = vec!["-C".into(), self.dir.clone().into(), "--json".into()];
        line.extend(args.iter().map(|a| a.as_ref().to_owned()));
        line
    }

    /// Runs `dsg` here as a person would, without JSON.
    pub fn words(&self, args: &[&str]) -> Done {
        let mut line: Vec<&OsStr> = vec!["-C".as_ref(), self.dir.as_os_str()];
        line.extend(args.iter().map(AsRef::<OsStr>::as_ref));
        self.runner.run(&line)
    }

    /// Makes the repository from this folder.
    #[track_caller]
    pub fn init(&self) -> Done {
        self.try_init().ok()
    }

    /// Tries to.
    pub fn try_init(&self) -> Done {
        self.dsg(&["init".as_ref(), self.address.as_os_str(), "-m".as_ref(), "first".as_ref()])
    }

    /// Clones the repository to this folder.
    pub fn clone_here(&self) -> Done {
        self.runner.run(&[
            "--json".as_ref(),
            "clone".as_ref(),
            self.address.as_os_str(),
            self.dir.as_os_str(),
        ])
    }

    /// Syncs, and expects it to go well.
    #[track_caller]
    pub fn sync(&self) -> Done {
        self.try_sync(&[]).ok()
    }

    /// Syncs with more arguments.
    pub fn try_sync(&self, more: &[&str]) -> Done {
        self.dsg(&[&["sync", "-m", "a sync"], more].concat())
    }

    /// What is pending.
    #[track_caller]
    pub fn status(&self) -> Pending {
        Pending::of(&self.dsg(&["status"]).ok().json())
    }

    /// Decides a conflict.
    #[track_caller]
    pub fn resolve(&self, path: &str, how: &str) -> Done {
        self.dsg(&["resolve", path, how]).ok()
    }

    /// Checks that nothing is pending.
    #[track_caller]
    pub fn assert_in_sync(&self) {
        let pending = self.status();
        assert!(
            pending.changes.is_empty() && pending.head == pending.last_sync,
            "not in sync: {pending:#?}"
        );
    }

    /// What people made here.
    pub fn tree(&self) -> Tree {
        Tree::data(&self.dir)
    }

    /// The absolute path.
    pub fn at(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    /// Writes a file, as an editor does: the new content comes under another name first.
    #[track_caller]
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let full = self.at(path);
        let parent = full.parent().expect("a parent");
        std::fs::create_dir_all(parent).unwrap_or_else(|e| panic!("{}: {e}", parent.display()));
        let new = parent.join(".editing");
        std::fs::write(&new, content)
            .and_then(|()| std::fs::rename(&new, &full))
            .unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// The content as text.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Whether something is there, be it a dangling link.
    pub fn has(&self, path: &str) -> bool {
        std::fs::symlink_metadata(self.at(path)).is_ok()
    }

    /// Deletes a file, link or folder.
    #[track_caller]
    pub fn remove(&self, path: &str) {
        let full = self.at(path);
        let is_dir = std::fs::symlink_metadata(&full).is_ok_and(|m| m.is_dir());
        let removed =
            if is_dir { std::fs::remove_dir_all(&full) } else { std::fs::remove_file(&full) };
        removed.unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// Renames, making the new folder.
    #[track_caller]
    pub fn rename(&self, from: &str, to: &str) {
        std::fs::create_dir_all(self.at(to).parent().expect("a parent")).expect("a folder");
        std::fs::rename(self.at(from), self.at(to))
            .unwrap_or_else(|e| panic!("{from} → {to}: {e}"));
    }

    /// Sets the permissions.
    #[track_caller]
    pub fn chmod(&self, path: &str, mode: u32) {
        std::fs::set_permissions(self.at(path), std::fs::Permissions::from_mode(mode))
            .unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// Makes a link.
    #[track_caller]
    pub fn link(&self, path: &str, target: &str) {
        std::fs::create_dir_all(self.at(path).parent().expect("a parent")).expect("a folder");
        std::os::unix::fs::symlink(target, self.at(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// The same with one more variable in the environment.
    #[must_use]
    pub fn with(&self, name: &str, value: impl Into<std::ffi::OsString>) -> Self {
        Self { runner: self.runner.with(name, value), ..self.clone() }
    }

    /// The same, run as another account that owns the folder and its home (the test is root).
    #[must_use]
    pub fn owned_by(&self, account: &Account) -> Self {
        for dir in [&self.dir, &self.runner.home] {
            let done = std::process::Command::new("chown")
                .arg("-R")
                .arg(format!("{}:{}", account.uid, account.gid))
                .arg(dir)
                .status();
            assert!(done.is_ok_and(|s| s.success()), "chown {}", dir.display());
        }
        let runner = Runner { account: Some(account.clone()), ..self.runner.clone() };
        Self { runner, ..self.clone() }
    }
}
