//! Threads that read and hash files while the scan goes on.

use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};
use dsg_core::failure::Outcome;
use dsg_core::monitor::{Event, Monitor};
use dsg_core::path::RepoPath;
use dsg_fs::dir::Dir;
use dsg_fs::hash::{Reading, hash_file};

use super::Clock;

/// Files that wait or are read at a time: bounds what the scan is ahead of the disk.
const IN_FLIGHT: usize = 256;
/// Between two paths that the monitor is told of: at most 20 a second.
const PATH_MS: u64 = 50;

/// One file that was read.
pub(super) struct Read {
    pub(super) path: RepoPath,
    /// When reading began.
    pub(super) when: i64,
    pub(super) reading: Outcome<Reading>,
}

/// Threads that begin when there is something to read.
pub(super) struct Pool {
    shared: Arc<Shared>,
    jobs: Option<Sender<RepoPath>>,
    todo: Receiver<RepoPath>,
    done: Receiver<Read>,
    results: Sender<Read>,
    threads: Vec<JoinHandle<()>>,
    most_threads: usize,
    in_flight: usize,
}

struct Shared {
    root: Dir,
    monitor: Monitor,
    clock: Clock,
    begun: Instant,
    last_path: AtomicU64,
}

impl Pool {
    pub(super) fn new(root: &Dir, monitor: &Monitor, clock: Clock) -> Outcome<Self> {
        let (jobs, todo) = unbounded();
        let (results, done) = unbounded();
        let shared = Shared {
            root: root.try_clone()?,
            monitor: monitor.clone(),
            clock,
            begun: Instant::now(),
            last_path: AtomicU64::new(0),
        };
        Ok(Self {
            shared: Arc::new(shared),
            jobs: Some(jobs),
            todo,
            done,
            results,
            threads: Vec::new(),
            // Asked once: the answer is read from several files.
            most_threads: std::thread::available_parallelism().map_or(2, NonZero::get).min(8),
            in_flight: 0,
        })
    }

    /// Gives a file to be read. Take results until [`Pool::is_full`] is false before.
    pub(super) fn give(&mut self, path: RepoPath) {
        if self.threads.len() < self.most_threads && self.threads.len() <= self.in_flight {
            let (shared, todo, results) =
                (self.shared.clone(), self.todo.clone(), self.results.clone());
            let builder = std::thread::Builder::new().name("hash".to_owned());
            let thread = builder.spawn(move || {
                for path in todo {
                    // Nobody listens any more: the scan has ended.
                    if results.send(shared.read(path)).is_err() {
                        return;
                    }
                }
            });
            self.threads.extend(thread);
        }
        self.in_flight += 1;
        if self.threads.is_empty() {
            // No thread is to be had: the caller reads.
            let _ = self.results.send(self.shared.read(path));
        } else if let Some(jobs) = &self.jobs {
            let _ = jobs.send(path);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.in_flight >= IN_FLIGHT
    }

    pub(super) fn is_busy(&self) -> bool {
        self.in_flight > 0
    }

    /// A file that was read: with `wait`, the next one, until none is left.
    pub(super) fn take(&mut self, wait: bool) -> Option<Read> {
        if self.in_flight == 0 {
            return None;
        }
        let read = if wait { self.done.recv().ok() } else { self.done.try_recv().ok() };
        self.in_flight -= usize::from(read.is_some());
        read
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        // A scan that ends early leaves files unread.
        while self.todo.try_recv().is_ok() {}
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn read(&self, path: RepoPath) -> Read {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.last_path.load(Ordering::Relaxed);
        let due = last == 0 || now >= last + PATH_MS;
        let swap = Ordering::Relaxed;
        if due && self.last_path.compare_exchange(last, now.max(1), swap, swap).is_ok() {
            self.monitor.event(Event::Path(path.as_str().to_owned()));
        }
        let when = (self.clock)();
        let reading = self
            .monitor
            .check()
            .and_then(|()| hash_file(&self.root, Path::new(path.as_str()), when, &self.monitor));
        Read { path, when, reading }
    }
}
