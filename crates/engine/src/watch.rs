//! The kernel's word that something in the project's folder changed.
//!
//! Owns one inotify descriptor with a watch on each directory that a scan would enter: hidden and
//! ignored ones cost none, `.dsg` above all. A directory that appears is watched and reported
//! whole, because files may have come into it before the watch did. Words that come close together
//! become one [`Touched`].
//!
//! It asks for changes only. A watch that also hears of every `open` would hear the scan that it
//! causes, overflow, and cause the next one.
//!
//! Where the kernel grants no more watches, or changes are made on another computer, it says so
//! and asks for whole scans from time to time instead. It promises hints, not the truth: what it
//! names must be looked at, and a sync looks at everything.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dsg_core::config::{SharedConfig, Tracking};
use dsg_core::failure::{Failure, Outcome};
use dsg_core::monitor::{Event, Monitor};
use dsg_fs::dir::Dir;
use dsg_fs::stat::Kind;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::index::is_remote;
use crate::scan::enters;

/// The configuration's view: hidden, but a change of it changes what is tracked.
const CONFIG: &str = ".dsgconfig.yml";
/// More paths than these are cheaper to find by a whole scan.
const MANY: usize = 10_000;

const CHANGES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::DONT_FOLLOW)
    .union(WatchFlags::EXCL_UNLINK);

/// Something changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Paths from the project's root, sorted: files, folders with all below, and what is gone.
    /// `.dsgconfig.yml` may be among them.
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
    stop: Arc<OwnedFd>,
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
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let stop = Arc::new(stop.map_err(|e| Failure::io("watch", &root, e))?);
        let complete = Arc::new(AtomicBool::new(!is_remote(&root)));
        let watch = Watch {
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok(),
            stop: stop.clone(),
            complete: complete.clone(),
            dir,
            rules: rules.clone(),
            timing,
            monitor: monitor.clone(),
            by_number: HashMap::new(),
            by_path: BTreeMap::new(),
            batch: Batch::default(),
            root: root.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || watch.run(each))
            .map_err(|e| Failure::io("watch", &root, e))?;
        Ok(Self { stop, complete, thread: Some(thread) })
    }

    /// Whether every change is heard of. Else whole scans are asked for from time to time.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = rustix::io::write(&*self.stop, &1_u64.to_ne_bytes());
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

/// One word of the kernel.
struct Word {
    number: i32,
    what: ReadFlags,
    name: Option<Vec<u8>>,
}

/// The thread's own state.
struct Watch {
    inotify: Option<OwnedFd>,
    stop: Arc<OwnedFd>,
    complete: Arc<AtomicBool>,
    root: PathBuf,
    dir: Dir,
    rules: SharedConfig,
    timing: Timing,
    monitor: Monitor,
    by_number: HashMap<i32, Arc<str>>,
    by_path: BTreeMap<Arc<str>, i32>,
    batch: Batch,
}

impl Watch {
    fn run(mut self, mut each: impl FnMut(Touched)) {
        if self.inotify.is_none() {
            self.lose("the system gives no further watch");
        }
        self.watch_tree("");
        self.batch.overflow();
        let mut rescan = Instant::now() + self.timing.rescan;
        loop {
            self.batch.settle_writing(&self.timing);
            let now = Instant::now();
            if !self.complete.load(Ordering::Relaxed) && now >= rescan {
                self.batch.overflow();
                rescan = now + self.timing.rescan;
            }
            if self.batch.due(&self.timing).is_some_and(|due| due <= now) {
                each(self.batch.take());
                continue;
            }
            let writing = self.batch.writing.values().min().map(|last| *last + self.timing.writing);
            let rescan = (!self.complete.load(Ordering::Relaxed)).then_some(rescan);
            let wake = [self.batch.due(&self.timing), writing, rescan].into_iter().flatten().min();
            if !self.wait(wake) {
                return;
            }
            for word in self.words() {
                self.hear(&word);
            }
        }
    }

    /// Sleeps until there is a word, or until `wake`; `false` when the watch shall end.
    fn wait(&self, wake: Option<Instant>) -> bool {
        let timeout = wake.map(|wake| {
            // A millisecond more: never awake just before it is time.
            let left = wake.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        let mut fds = vec![PollFd::new(&*self.stop, PollFlags::IN)];
        if let Some(inotify) = &self.inotify {
            fds.push(PollFd::new(inotify, PollFlags::IN));
        }
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => fds[0].revents().is_empty(),
            Err(Errno::INTR | Errno::AGAIN) => true,
            Err(_) => false,
        }
    }

    fn words(&self) -> Vec<Word> {
        let Some(inotify) = &self.inotify else { return Vec::new() };
        let mut buffer = [MaybeUninit::uninit(); 8 * 1024];
        let mut reader = inotify::Reader::new(inotify, &mut buffer);
        let mut words = Vec::new();
        while words.len() < MANY {
            let Ok(event) = reader.next() else { break };
            words.push(Word {
                number: event.wd(),
                what: event.events(),
                name: event.file_name().map(|n| n.to_bytes().to_vec()),
            });
        }
        words
    }

    fn hear(&mut self, word: &Word) {
        if word.what.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.batch.overflow();
            // New directories may be among what was not told.
            self.watch_tree("");
            return;
        }
        let Some(dir) = self.by_number.get(&word.number).cloned() else { return };
        if word.what.contains(ReadFlags::IGNORED) {
            self.by_number.remove(&word.number);
            if self.by_path.get(&dir) == Some(&word.number) {
                self.by_path.remove(&dir);
            }
            return;
        }
        let Some(name) = &word.name else {
            // Of other directories, those above tell.
            let gone = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT;
            if word.what.intersects(gone) && dir.is_empty() {
                self.batch.overflow();
            } else if word.what.contains(ReadFlags::UNMOUNT) {
                self.batch.add(&dir);
            }
            return;
        };
        let Ok(name) = std::str::from_utf8(name) else {
            // Such a name cannot be passed on; its folder can.
            if dir.is_empty() {
                self.batch.overflow();
            } else {
                self.batch.add(&dir);
            }
            return;
        };
        let path = if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") };
        if word.what.contains(ReadFlags::ISDIR) {
            self.hear_of_dir(&path, word.what);
        } else if path == CONFIG || self.rules.file(&path) == Tracking::Tracked {
            if word.what.contains(ReadFlags::MODIFY) {
                if !self.batch.paths.contains(&path) {
                    self.batch.writing.insert(path, Instant::now());
                }
            } else {
                self.batch.add(&path);
            }
        }
    }

    fn hear_of_dir(&mut self, path: &str, what: ReadFlags) {
        if !enters(&self.rules, path) {
            return;
        }
        let gone = what.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
        if gone || what.contains(ReadFlags::MOVED_TO) {
            self.forget_tree(path);
        }
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
                let is_dir = match name.kind {
                    Some(kind) => kind == Kind::Dir,
                    None => matches!(self.dir.stat(&below), Ok(Some(s)) if s.kind == Kind::Dir),
                };
                if is_dir && enters(&self.rules, &below) {
                    todo.push(below);
                }
            }
        }
    }

    fn watch_one(&mut self, path: &str) -> bool {
        let Some(inotify) = &self.inotify else { return false };
        match inotify::add_watch(inotify, self.root.join(path), CHANGES) {
            Ok(number) => {
                let path: Arc<str> = path.into();
                self.by_path.insert(path.clone(), number);
                self.by_number.insert(number, path);
                true
            }
            Err(Errno::NOSPC | Errno::NOMEM) => {
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
        let (below, after): (Arc<str>, Arc<str>) =
            (format!("{path}/").into(), format!("{path}0").into());
        let inside = self.by_path.range(below..after);
        let mut gone: Vec<Arc<str>> = inside.map(|(path, _)| path.clone()).collect();
        gone.extend(self.by_path.get_key_value(path).map(|(path, _)| path.clone()));
        for path in gone {
            if let Some(number) = self.by_path.remove(&path) {
                self.by_number.remove(&number);
                if let Some(inotify) = &self.inotify {
                    let _ = inotify::remove_watch(inotify, number);
                }
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

#[cfg(test)]
mod tests;
