//! The system's word that something in the project's folder changed.
//!
//! Owns a `notify` watcher with one watch on each directory that a scan would enter: hidden and
//! ignored ones cost none, `.dsg` above all. A directory that appears is watched and reported
//! whole, because files may have come into it before the watch did. Words that come close together
//! become one [`Touched`].
//!
//! Where the system grants no more watches, or changes are made on another computer, it says so
//! and asks for whole scans from time to time instead. It promises hints, not the truth: what it
//! names must be looked at, and a sync looks at everything.

use std::collections::{BTreeSet, HashMap};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use dsg_core::config::{SharedConfig, Tracking};
use dsg_core::failure::{Failure, Outcome};
use dsg_core::monitor::{Event, Monitor};
use dsg_fs::dir::Dir;
use dsg_fs::stat::Kind;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{ErrorKind, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::config_file;
use crate::index::is_remote;
use crate::scan::enters;

/// More paths than these are cheaper to find by a whole scan.
const MANY: usize = 10_000;

/// Something changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Paths from the project's root, sorted: files, folders with all below, and what is gone.
    /// `.dsgconfig.yml` and `.dsgignore` may be among them.
    pub paths: Vec<String>,
    /// It is not known what: look at everything.
    pub overflow: bool,
}

/// How words are gathered.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// So long nothing more must come before a batch is given.
    pub quiet: Duration,
    /// So long a batch waits at most.
    pub longest: Duration,
    /// A file that is being written is named when nothing was written for so long, or when it is
    /// closed.
    pub writing: Duration,
    /// Between whole scans, where the watch has holes.
    pub rescan: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(300),
            longest: Duration::from_secs(2),
            writing: Duration::from_secs(5),
            rescan: Duration::from_secs(120),
        }
    }
}

/// A watch; it ends when this is dropped.
pub struct Watcher {
    words: Sender<Word>,
    complete: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Watches the project at `root`. The first batch has `overflow` set and comes when the watch
    /// stands: what changes after it will be named. `each` runs on the watch's own thread and must
    /// not take long.
    ///
    /// # Errors
    /// The folder cannot be opened, or the system gives no thread.
    pub fn start(
        root: &Path,
        rules: &SharedConfig,
        timing: Timing,
        monitor: &Monitor,
        each: impl FnMut(Touched) + Send + 'static,
    ) -> Outcome<Self> {
        let root = root.canonicalize().map_err(|e| Failure::io("watch", root, e))?;
        let dir = Dir::open(&root)?;
        let complete = Arc::new(AtomicBool::new(!is_remote(&root)));
        let (words, heard) = unbounded();
        let watch = Watch {
            watcher: notify::recommended_watcher(listen(words.clone())).ok(),
            heard,
            complete: complete.clone(),
            dir,
            rules: rules.clone(),
            timing,
            monitor: monitor.clone(),
            watched: BTreeSet::new(),
            batch: Batch::default(),
            rescan: None,
            root: root.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || watch.run(each))
            .map_err(|e| Failure::io("watch", &root, e))?;
        Ok(Self { words, complete, thread: Some(thread) })
    }

    /// Whether every change is heard of. Else whole scans are asked for from time to time.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.words.send(Word::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What was heard and not given yet.
#[derive(Default)]
struct Batch {
    paths: BTreeSet<String>,
    overflow: bool,
    /// When the first and the last word came.
    span: Option<(Instant, Instant)>,
    /// Files being written, with the time of the last write.
    writing: HashMap<String, Instant>,
}

impl Batch {
    fn add(&mut self, path: &str) {
        self.writing.remove(path);
        if self.paths.len() >= MANY {
            self.overflow();
        } else if !self.overflow {
            self.paths.insert(path.to_owned());
        }
        self.heard();
    }

    fn overflow(&mut self) {
        self.overflow = true;
        self.paths.clear();
        self.writing.clear();
        self.heard();
    }

    fn heard(&mut self) {
        let now = Instant::now();
        let first = self.span.map_or(now, |(first, _)| first);
        self.span = Some((first, now));
    }

    /// When the batch is to be given.
    fn due(&self, timing: &Timing) -> Option<Instant> {
        let (first, last) = self.span?;
        Some((last + timing.quiet).min(first + timing.longest))
    }

    /// Files in which nothing was written for a while are named.
    fn settle_writing(&mut self, timing: &Timing) {
        let now = Instant::now();
        let settled: Vec<String> = self
            .writing
            .iter()
            .filter(|(_, last)| **last + timing.writing <= now)
            .map(|(path, _)| path.clone())
            .collect();
        for path in &settled {
            self.add(path);
        }
    }

    fn take(&mut self) -> Touched {
        self.span = None;
        let paths = std::mem::take(&mut self.paths).into_iter().collect();
        Touched { paths, overflow: std::mem::take(&mut self.overflow) }
    }
}

/// What the thread is told.
enum Word {
    /// Something happened.
    Event(notify::Event),
    /// The watch shall end.
    Stop,
}

/// Passes on what may be a change. Opening and reading are none: a scan does both, and would cause
/// the next one.
fn listen(words: Sender<Word>) -> impl FnMut(notify::Result<notify::Event>) {
    move |event| {
        let word = match event {
            Ok(event) if is_change(&event) => event,
            Ok(_) => return,
            // What it was is not known: everything may have changed.
            Err(_) => notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan),
        };
        let _ = words.send(Word::Event(word));
    }
}

fn is_change(event: &notify::Event) -> bool {
    match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        // Told as its two halves before.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => false,
        _ => true,
    }
}

/// The thread's own state.
struct Watch {
    watcher: Option<RecommendedWatcher>,
    heard: Receiver<Word>,
    complete: Arc<AtomicBool>,
    root: PathBuf,
    dir: Dir,
    rules: SharedConfig,
    timing: Timing,
    monitor: Monitor,
    /// Directories with a watch, from the project's root.
    watched: BTreeSet<String>,
    batch: Batch,
    /// When everything is to be looked at again, where words were or may be lost.
    rescan: Option<Instant>,
}

impl Watch {
    fn run(mut self, mut each: impl FnMut(Touched)) {
        if self.watcher.is_none() {
            self.lose("the system gives no further watch");
        }
        self.watch_tree("");
        self.batch.overflow();
        loop {
            self.batch.settle_writing(&self.timing);
            let now = Instant::now();
            if self.rescan.is_some_and(|at| at <= now) {
                self.batch.overflow();
                self.rescan = None;
            }
            if self.rescan.is_none() && !self.is_complete() {
                self.rescan = Some(now + self.timing.rescan);
            }
            if self.batch.due(&self.timing).is_some_and(|due| due <= now) {
                each(self.batch.take());
                continue;
            }
            let writing = self.batch.writing.values().min().map(|last| *last + self.timing.writing);
            let wake = [self.batch.due(&self.timing), writing, self.rescan];
            let word = match wake.into_iter().flatten().min() {
                Some(wake) => self.heard.recv_deadline(wake),
                None => self.heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match word {
                Ok(Word::Event(event)) => self.hear(&event),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    fn hear(&mut self, event: &notify::Event) {
        if event.need_rescan() {
            // New directories may be among what was not told. The scan that this causes may
            // overflow the queue again: the next one waits.
            self.watch_tree("");
            if self.rescan.is_none() {
                self.batch.overflow();
                self.rescan = Some(Instant::now() + self.timing.rescan);
            }
            return;
        }
        for path in &event.paths {
            self.hear_of(path, event.kind);
        }
    }

    fn hear_of(&mut self, at: &Path, kind: EventKind) {
        let Ok(below) = at.strip_prefix(&self.root) else { return };
        let Ok(path) = std::str::from_utf8(below.as_os_str().as_bytes()) else {
            // Such a name cannot be passed on; its folder can.
            match below.parent().and_then(Path::to_str) {
                None | Some("") => self.batch.overflow(),
                Some(folder) => self.batch.add(folder),
            }
            return;
        };
        let gone = matches!(
            kind,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From))
        );
        if path.is_empty() {
            if gone {
                self.batch.overflow();
            }
            return;
        }
        let comes = matches!(
            kind,
            EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(RenameMode::To))
        );
        let known = self.watched.contains(path);
        let is_dir = if gone { known } else { known || comes && self.is_dir(path) };
        if is_dir {
            if gone || comes {
                self.hear_of_dir(path, gone);
            }
        } else if config_file::is_one(path) || self.rules.file(path) == Tracking::Tracked {
            if matches!(kind, EventKind::Modify(ModifyKind::Data(_))) {
                if !self.batch.paths.contains(path) {
                    self.batch.writing.insert(path.to_owned(), Instant::now());
                }
            } else {
                self.batch.add(path);
            }
        }
    }

    fn is_dir(&self, path: &str) -> bool {
        matches!(self.dir.stat(path), Ok(Some(s)) if s.kind == Kind::Dir)
    }

    fn hear_of_dir(&mut self, path: &str, gone: bool) {
        if !enters(&self.rules, path) {
            return;
        }
        // One that moved here may have been watched under another name, or this name before.
        self.forget_tree(path);
        if !gone {
            self.watch_tree(path);
        }
        self.batch.add(path);
    }

    /// Watches a directory and all below it. Each is watched before it is listed, so that what
    /// appears in between is either listed or told of.
    fn watch_tree(&mut self, start: &str) {
        let mut todo = vec![start.to_owned()];
        while let Some(path) = todo.pop() {
            if !self.watch_one(&path) {
                continue;
            }
            let dir = if path.is_empty() { ".".as_ref() } else { Path::new(&path) };
            let Ok(names) = self.dir.open_beneath(dir).and_then(|dir| dir.list()) else { continue };
            for name in names {
                let Ok(text) = std::str::from_utf8(name.name.as_bytes()) else { continue };
                let below =
                    if path.is_empty() { text.to_owned() } else { format!("{path}/{text}") };
                let is_dir = name.kind.map_or_else(|| self.is_dir(&below), |k| k == Kind::Dir);
                if is_dir && enters(&self.rules, &below) {
                    todo.push(below);
                }
            }
        }
    }

    fn watch_one(&mut self, path: &str) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        match watcher.watch(&self.root.join(path), RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.watched.insert(path.to_owned());
                true
            }
            Err(error) if is_limit(&error) => {
                self.lose(
                    "the system's limit of watched folders is reached (raise \
                     fs.inotify.max_user_watches)",
                );
                false
            }
            // Gone again, or not readable: a scan will say so.
            Err(_) => false,
        }
    }

    fn forget_tree(&mut self, path: &str) {
        let inside = self.watched.range(format!("{path}/")..format!("{path}0"));
        let mut gone: Vec<String> = inside.cloned().collect();
        gone.extend(self.watched.get(path).cloned());
        for path in gone {
            self.watched.remove(&path);
            if let Some(watcher) = &mut self.watcher {
                // The system has forgotten it, if it is no more.
                let _ = watcher.unwatch(&self.root.join(path));
            }
        }
    }

    /// Not every change will be heard of.
    fn lose(&mut self, why: &str) {
        if self.complete.swap(false, Ordering::Relaxed) {
            self.monitor.event(Event::Notice(format!(
                "Not every change in {} is noticed at once: {why}. Everything is looked at every \
                 {} seconds instead.",
                self.root.display(),
                self.timing.rescan.as_secs()
            )));
        }
    }
}

fn is_limit(error: &notify::Error) -> bool {
    use std::io::ErrorKind as Io;
    match &error.kind {
        ErrorKind::MaxFilesWatch => true,
        ErrorKind::Io(e) => matches!(e.kind(), Io::StorageFull | Io::OutOfMemory),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
