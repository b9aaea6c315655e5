//! The endpoint with the real agent as a child process, and with peers that are none.

mod cut;
mod delta;
mod hostile;
mod measure;
mod quick;
mod rest;
mod same;

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use dsg_core::config::SharedConfig;
use dsg_core::entry::{Entry, FileEntry, Hash, Mtime};
use dsg_core::failure::Outcome;
use dsg_core::manifest::Change;
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::repository::{Publication, Upload};
use dsg_core::snapshot::{Authorship, SnapshotHeader, SnapshotId};
use dsg_host::tree::{Refusal, Supply};
use dsg_wire::delta::{Basis, Content, Part};
use dsg_wire::frame::Kind;
use dsg_wire::hello::Hello;
use tempfile::TempDir;

use super::{Opening, RemoteEndpoint, Reopen};
use crate::endpoint::Endpoint;
use crate::transport::Stream;

/// An agent that runs, seen from outside its connection.
#[derive(Clone)]
struct Process(Arc<Mutex<Child>>);

impl Process {
    /// Waits for its end.
    fn ended(&self) -> ExitStatus {
        self.0.lock().unwrap().wait().unwrap()
    }
}

/// How many bytes may pass, in both directions, until the connection is cut.
#[derive(Clone)]
struct Fuse {
    left: Arc<AtomicU64>,
    /// Those of them that tell something: how many signs of life come is a matter of time.
    told: Arc<AtomicU64>,
    /// It is cut where the next answer begins.
    answer: Arc<AtomicBool>,
}

impl Fuse {
    fn of(bytes: u64) -> Self {
        let left = Arc::new(AtomicU64::new(bytes));
        Self { left, told: Arc::default(), answer: Arc::default() }
    }

    /// How many of these may still pass.
    fn burn(&self, bytes: &[u8], follows: &mut Follows) -> usize {
        let (told, answer) = follows.take(bytes);
        self.told.fetch_add(told, Ordering::Relaxed);
        let most = match answer {
            Some(at) if self.answer.load(Ordering::Relaxed) => at,
            _ => bytes.len(),
        };
        let bytes = bytes.len() as u64;
        let take = |left: u64| Some(left.saturating_sub(bytes));
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap();
        usize::try_from(left.min(bytes)).unwrap().min(most)
    }

    fn told(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }
}

/// Follows one direction, from frame to frame behind the greeting.
struct Follows {
    greeting: usize,
    header: Vec<u8>,
    left: usize,
    tells: bool,
}

impl Follows {
    fn new() -> Self {
        let mut greeting = Vec::new();
        Hello::own().write(&mut greeting).unwrap();
        Self { greeting: greeting.len(), header: Vec::new(), left: 0, tells: true }
    }

    /// How many of these bytes tell something, and in which of them a first answer is announced.
    fn take(&mut self, bytes: &[u8]) -> (u64, Option<usize>) {
        let (mut told, mut answer) = (0, None);
        for (at, byte) in bytes.iter().enumerate() {
            if self.greeting > 0 {
                self.greeting -= 1;
                told += 1;
            } else if self.left > 0 {
                self.left -= 1;
                told += u64::from(self.tells);
            } else {
                self.header.push(*byte);
                let [a, b, c, d, number] = self.header[..] else { continue };
                let is = |kind: Kind| number & 0x7f == kind as u8;
                self.tells = !is(Kind::Progress) && !is(Kind::Heartbeat);
                told += if self.tells { 5 } else { 0 };
                if is(Kind::Answer) && answer.is_none() {
                    answer = Some(at);
                }
                self.left = u32::from_le_bytes([a, b, c, d]) as usize;
                self.header.clear();
            }
        }
        (told, answer)
    }
}

struct CutRead(Option<ChildStdout>, Fuse, Follows);
struct CutWrite(Option<ChildStdin>, Fuse, Follows);

impl Read for CutRead {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some(pipe) = &mut self.0 else { return Err(ErrorKind::ConnectionReset.into()) };
        let read = pipe.read(buffer)?;
        let passes = self.1.burn(&buffer[..read], &mut self.2);
        if passes < read {
            self.0 = None;
        }
        Ok(passes)
    }
}

impl Write for CutWrite {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let passes = self.1.burn(buffer, &mut self.2);
        let Some(pipe) = &mut self.0 else { return Err(ErrorKind::ConnectionReset.into()) };
        pipe.write_all(&buffer[..passes])?;
        if passes < buffer.len() {
            self.0 = None;
            return Err(ErrorKind::ConnectionReset.into());
        }
        Ok(passes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.as_mut().map_or_else(|| Err(Error::from(ErrorKind::ConnectionReset)), Write::flush)
    }
}

/// Starts the real agent.
fn start(fuse: Fuse) -> (Stream, Process) {
    let mut child = Command::new(dsg_testkit::agent::program())
        .arg("stdio")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let mut stderr = child.stderr.take().unwrap();
    let said = Arc::new(Mutex::new(String::new()));
    let says = Arc::clone(&said);
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        *says.lock().unwrap() = text;
    });
    let process = Process(Arc::new(Mutex::new(child)));
    let hangs = process.clone();
    let stream = Stream {
        reader: Box::new(CutRead(stdout, fuse.clone(), Follows::new())),
        writer: Box::new(CutWrite(stdin, fuse, Follows::new())),
        farewell: Box::new(move || said.lock().unwrap().clone()),
        hang_up: Box::new(move || drop(hangs.0.lock().unwrap().kill())),
    };
    (stream, process)
}

/// A connection that holds.
fn agent() -> Stream {
    start(Fuse::of(u64::MAX)).0
}

/// Content by path, and how often it was asked for.
#[derive(Default)]
struct Source {
    files: Vec<(RepoPath, Vec<u8>)>,
    opened: AtomicUsize,
    /// Paths whose file is another by now.
    changed: Vec<usize>,
    /// Paths whose file cannot be read.
    broken: Vec<usize>,
}

impl Source {
    fn of<'f>(files: impl IntoIterator<Item = (&'f str, Vec<u8>)>) -> Self {
        let mut files: Vec<_> =
            files.into_iter().map(|(path, content)| (path.parse().unwrap(), content)).collect();
        files.sort_by(|a: &(RepoPath, _), b| a.0.cmp(&b.0));
        Self { files, ..Self::default() }
    }

    fn entry(content: &[u8]) -> FileEntry {
        let size = content.len() as u64;
        FileEntry {
            size,
            mtime: Mtime(1_700_000_000_000_000_000),
            exec: false,
            hash: Hash::of(content),
        }
    }

    fn uploads(&self) -> Vec<Upload> {
        let upload =
            |(_, content): &(_, Vec<u8>)| Upload { file: Self::entry(content), private: false };
        self.files.iter().map(upload).collect()
    }

    fn changes(&self) -> Vec<Change> {
        let change = |(path, content): &(RepoPath, Vec<u8>)| Change {
            path: path.clone(),
            entry: Some(Entry::File(Self::entry(content))),
        };
        self.files.iter().map(change).collect()
    }
}

impl Supply for Source {
    fn open(&self, index: usize, basis: Basis) -> Outcome<Content<'_>> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        if self.broken.contains(&index) {
            return Err(dsg_core::failure::Failure::io(
                "read",
                "x",
                Error::from(ErrorKind::NotFound),
            ));
        }
        if self.changed.contains(&index) {
            return Ok(Content::Bytes(Box::new(&b"something else"[..])));
        }
        let kept = usize::try_from(basis.kept).unwrap();
        Ok(Content::Bytes(Box::new(&self.files[index].1[kept..])))
    }
}

/// A place for a repository.
struct Host(TempDir);

impl Host {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("srv")).unwrap();
        Self(place)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("srv/repo")
    }

    fn text(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }

    /// In process.
    fn local(&self) -> Box<dyn Endpoint> {
        crate::endpoint::open(&dsg_core::address::Address::Local(self.path())).unwrap()
    }

    /// Over a connection that holds.
    fn remote(&self) -> RemoteEndpoint {
        RemoteEndpoint::over(agent(), &self.text(), Opening::Existing).unwrap()
    }

    /// Made over a connection, with these files.
    fn with(files: &[(&str, &str)]) -> Self {
        let host = Self::new();
        let remote = RemoteEndpoint::over(agent(), &host.text(), Opening::New).unwrap();
        let source = Source::of(files.iter().map(|(path, text)| (*path, text.as_bytes().to_vec())));
        publish(&remote, None, &source, source.changes()).unwrap();
        host
    }

    /// Everything below the place that is no part of the repository or its sidecar.
    fn strangers(&self) -> Vec<PathBuf> {
        let list = |dir: &Path| -> Vec<PathBuf> {
            std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect()
        };
        let known = [self.0.path().join("srv"), self.path(), self.0.path().join("srv/.repo.dsg")];
        let all = [list(self.0.path()), list(&self.0.path().join("srv"))].concat();
        all.into_iter().filter(|path| !known.contains(path)).collect()
    }
}

fn authorship(message: &str) -> Authorship {
    Authorship {
        author: "analyst@example.org".into(),
        message: message.into(),
        time: jiff::Timestamp::now(),
        transaction: uuid::Uuid::now_v7().to_string(),
    }
}

fn publication(base: Option<SnapshotId>, changes: Vec<Change>) -> Publication {
    let config = SharedConfig::new("p");
    let changes = changes.into_iter().collect();
    Publication { base, authorship: authorship("m"), config, changes, copies: Vec::new() }
}

/// Stages all of it and publishes these changes.
fn publish(
    endpoint: &dyn Endpoint,
    base: Option<SnapshotId>,
    source: &Source,
    changes: Vec<Change>,
) -> Outcome<SnapshotHeader> {
    let publication = publication(base, changes);
    let monitor = Monitor::silent();
    let mut transaction = endpoint.begin(base, &publication.authorship.transaction, "")?;
    let refused = transaction.stage(&source.uploads(), source, &monitor)?;
    assert!(refused.is_empty(), "{refused:?}");
    transaction.publish(&publication, &monitor)
}

/// Everything that an endpoint gives of its head.
fn manifest(endpoint: &dyn Endpoint) -> BTreeMap<String, Option<Entry>> {
    let mut all = BTreeMap::new();
    let head = endpoint.head().unwrap().unwrap();
    endpoint
        .manifest(head.id, &mut |change| {
            all.insert(change.path.to_string(), change.entry);
            Ok(())
        })
        .unwrap();
    all
}

/// All bytes of a content that is told as bytes.
fn whole(mut content: Content<'_>) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let unread = |e| dsg_core::failure::Failure::io("read", "x", e);
    while let Some(part) = content.part(&mut buffer).map_err(unread)? {
        let Part::Bytes(part) = part else { panic!("a copy of nothing") };
        bytes.extend_from_slice(part);
    }
    Ok(bytes)
}
