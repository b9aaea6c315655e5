//! A directory tree, entry by entry, in the byte order of whole paths.
//!
//! Owns the parallel walk: threads read directories ahead of the one who asks, always the next in
//! order first, within a budget of entries; so memory does not grow with the tree. Who asks for a
//! directory that nobody has begun reads it himself: no budget is too small, nothing can wait in a
//! circle. A directory sorts as `name/`, which makes the walk's order that of a sorted manifest.
//!
//! Follows no link. What cannot be read becomes a [`What::Hole`], never silence: a reader must
//! not take it for absent. What vanishes while it is looked at is absent.

mod names;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::io::Errno;

use crate::dir::Dir;
use crate::error::{FsError, FsResult};
use crate::stat::{Kind, Stat, Volume};
use names::Names;
pub use names::Twin;

/// Decides by path and kind what is looked at: a directory that is not taken is not entered, a
/// file that is not taken costs no `stat`.
pub type Take = dyn Fn(&OsStr, Kind) -> bool + Send + Sync;

/// Entries that are looked at in one go.
const CHUNK: usize = 2048;

/// How much work a walk may do ahead.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Threads that read ahead; 0 is allowed.
    pub threads: usize,
    /// Entries that are read ahead before the threads pause.
    pub budget: usize,
}

impl Default for Pace {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { threads: cores.min(8), budget: 16 * 1024 }
    }
}

/// One entry of the tree.
#[derive(Debug)]
pub struct Step {
    path: Vec<u8>,
    /// What stands there.
    pub what: What,
    /// All names of the directory, this one among them, that a case-insensitive file system would
    /// take for the same; `None` if there is no other.
    pub twins: Option<Arc<[Twin]>>,
}

/// What stands at a path.
#[derive(Clone, Debug)]
pub enum What {
    /// A file, link, pipe, socket or device.
    Leaf(Stat),
    /// A directory; its entries come next.
    Dir {
        /// Its stat: another volume than its parent's means that something is mounted there.
        stat: Stat,
        /// Volume of the directory that holds it.
        parent: Volume,
    },
    /// It, and if it is a directory all below it, cannot be known.
    Hole {
        /// Why.
        error: FsError,
        /// It was listed as a directory.
        dir: bool,
    },
}

impl Step {
    /// Where it is, from the walk's root.
    pub fn path(&self) -> &OsStr {
        OsStr::from_bytes(&self.path)
    }

    /// Whether it was listed as a directory: its place in the order is then that of `path/`.
    pub fn is_dir(&self) -> bool {
        matches!(self.what, What::Dir { .. } | What::Hole { dir: true, .. })
    }
}

/// A walk under way.
pub struct Walk {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    frames: Vec<Frame>,
    /// The directory that was given last, to be entered now.
    enter: Option<(Vec<u8>, Id)>,
    step: Step,
}

type Id = u64;
/// Directory to list (1) or names to look at (0), by the path of what comes first of it.
type Key = (Vec<u8>, u8);

struct Shared {
    root: Dir,
    take: Arc<Take>,
    budget: usize,
    state: Mutex<State>,
    /// There is work for the threads.
    work: Condvar,
    /// Something became ready.
    ready: Condvar,
}

#[derive(Default)]
struct State {
    queue: BTreeMap<Key, (Id, Task)>,
    ready: HashMap<Id, Chunk>,
    ahead: usize,
    next_id: Id,
    idle: usize,
    over: bool,
}

enum Task {
    List(Vec<u8>),
    Look(Arc<Names>, usize),
}

/// What came of a task.
enum Chunk {
    /// Entries of one directory, looked at; its first ones know of the later ones.
    Found(Frame),
    Failed(FsError),
}

enum Found {
    Leaf(Stat),
    Dir(Stat, Id),
    Vanished,
    Failed(FsError),
}

struct Frame {
    names: Arc<Names>,
    at: usize,
    found: std::vec::IntoIter<Found>,
    later: VecDeque<(Key, Id)>,
}

impl Walk {
    /// Walks what is below `start` (empty: the whole tree) in `root`; `start` itself is not given.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new(root: &Dir, start: &Path, take: Arc<Take>, pace: Pace) -> FsResult<Self> {
        let shared = Arc::new(Shared {
            root: root.try_clone()?,
            take,
            budget: pace.budget,
            state: Mutex::default(),
            work: Condvar::new(),
            ready: Condvar::new(),
        });
        let start = start.as_os_str().as_bytes().to_vec();
        let id = shared.lock().push(list_key(&start), Task::List(start.clone()));
        let spawn = |n| {
            let shared = shared.clone();
            let name = format!("walk-{n}");
            std::thread::Builder::new().name(name).spawn(move || shared.serve()).ok()
        };
        // With fewer threads than hoped for, or none, the walk is slower and no less right.
        let threads = (0..pace.threads).filter_map(spawn).collect();
        let what = What::Hole { error: FsError::new("look at", "", Errno::AGAIN), dir: true };
        let step = Step { path: Vec::new(), what, twins: None };
        Ok(Self { shared, threads, frames: Vec::new(), enter: Some((start, id)), step })
    }

    /// The next entry in order.
    #[allow(clippy::should_implement_trait, reason = "what it gives lives until the next call")]
    pub fn next(&mut self) -> Option<&Step> {
        self.advance().then_some(&self.step)
    }

    fn advance(&mut self) -> bool {
        loop {
            if let Some((path, id)) = self.enter.take() {
                match self.shared.obtain(&list_key(&path), id) {
                    Chunk::Failed(error) if error.is_absent() => {}
                    Chunk::Failed(error) => {
                        let what = What::Hole { error, dir: true };
                        self.step = Step { path, what, twins: None };
                        return true;
                    }
                    Chunk::Found(frame) => self.frames.push(frame),
                }
            }
            let Some(frame) = self.frames.last_mut() else { return false };
            let Some(found) = frame.found.next() else {
                let later = std::mem::take(&mut frame.later);
                self.frames.pop();
                self.next_chunk(later);
                continue;
            };
            let at = frame.at;
            frame.at += 1;
            self.step.path.clear();
            frame.names.push_path(at, &mut self.step.path);
            self.step.twins = frame.names.twins(at);
            self.step.what = match found {
                Found::Vanished => continue,
                Found::Leaf(stat) => What::Leaf(stat),
                Found::Dir(stat, id) => {
                    self.enter = Some((self.step.path.clone(), id));
                    What::Dir { stat, parent: frame.names.volume() }
                }
                Found::Failed(error) => What::Hole { error, dir: frame.names.is_dir(at) },
            };
            return true;
        }
    }

    /// Goes on with a large directory's next names.
    fn next_chunk(&mut self, mut later: VecDeque<(Key, Id)>) {
        let Some((key, id)) = later.pop_front() else { return };
        if let Chunk::Found(frame) = self.shared.obtain(&key, id) {
            self.frames.push(Frame { later, ..frame });
        }
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn list_key(path: &[u8]) -> Key {
    ([path, b"/"].concat(), 1)
}

impl State {
    fn push(&mut self, key: Key, task: Task) -> Id {
        let id = self.next_id;
        self.next_id += 1;
        self.queue.insert(key, (id, task));
        id
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread's life: the first task in order, as long as the budget lasts.
    fn serve(&self) {
        let mut state = self.lock();
        while !state.over {
            let task = if state.ahead < self.budget { state.queue.pop_first() } else { None };
            let Some((_, (id, task))) = task else {
                state.idle += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            drop(state);
            // Whatever happens, the one who waits for this must not wait for ever.
            let chunk = catch_unwind(AssertUnwindSafe(|| self.perform(task)))
                .unwrap_or_else(|_| Chunk::Failed(FsError::new("look at", "", Errno::IO)));
            state = self.lock();
            state.ahead += chunk.weight();
            state.ready.insert(id, chunk);
            self.ready.notify_all();
        }
    }

    /// The result of a task: made here if nobody has begun it, else waited for.
    fn obtain(&self, key: &Key, id: Id) -> Chunk {
        let mut state = self.lock();
        if let Some((_, task)) = state.queue.remove(key) {
            drop(state);
            return self.perform(task);
        }
        loop {
            if let Some(chunk) = state.ready.remove(&id) {
                state.ahead -= chunk.weight();
                self.wake(&state);
                return chunk;
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wake(&self, state: &State) {
        if state.idle > 0 && state.ahead < self.budget && !state.queue.is_empty() {
            self.work.notify_all();
        }
    }

    fn perform(&self, task: Task) -> Chunk {
        match task {
            Task::Look(names, from) => self.look(names, from, None),
            Task::List(path) => {
                let opened = if path.is_empty() {
                    self.root.open_beneath(".")
                } else {
                    self.root.open_beneath(Path::new(OsStr::from_bytes(&path)))
                };
                match opened.and_then(|dir| Ok((Names::read(&dir, path, &*self.take)?, dir))) {
                    Err(error) => Chunk::Failed(error),
                    Ok((names, dir)) if names.len() <= CHUNK => {
                        self.look(Arc::new(names), 0, Some(&dir))
                    }
                    Ok((names, dir)) => {
                        let names = Arc::new(names.keep_open(dir));
                        let mut chunk = self.look(names.clone(), 0, None);
                        if let Chunk::Found(frame) = &mut chunk {
                            let mut state = self.lock();
                            frame.later = (CHUNK..names.len())
                                .step_by(CHUNK)
                                .map(|from| {
                                    let mut key = Vec::new();
                                    names.push_path(from, &mut key);
                                    let task = Task::Look(names.clone(), from);
                                    ((key.clone(), 0), state.push((key, 0), task))
                                })
                                .collect();
                            self.wake(&state);
                        }
                        chunk
                    }
                }
            }
        }
    }

    /// Looks at one chunk of a directory's names, and queues the directories among them.
    fn look(&self, names: Arc<Names>, from: usize, dir: Option<&Dir>) -> Chunk {
        let Some(dir) = dir.or(names.dir()) else {
            return Chunk::Failed(FsError::new("look at", "", Errno::BADF));
        };
        let to = names.len().min(from + CHUNK);
        let mut found: Vec<Found> = (from..to)
            .map(|at| match dir.stat(OsStr::from_bytes(names.name(at))) {
                Err(error) => Found::Failed(error),
                Ok(None) => Found::Vanished,
                Ok(Some(stat)) if (stat.kind == Kind::Dir) != names.is_dir(at) => {
                    // It became another thing since it was listed, and stands at the wrong place
                    // in the order.
                    Found::Failed(FsError::new("look at", dir.path(), Errno::AGAIN))
                }
                Ok(Some(stat)) if stat.kind == Kind::Dir => Found::Dir(stat, 0),
                Ok(Some(stat)) => Found::Leaf(stat),
            })
            .collect();
        if found.iter().any(|f| matches!(f, Found::Dir(..))) {
            let mut state = self.lock();
            for (at, found) in (from..to).zip(&mut found) {
                if let Found::Dir(_, id) = found {
                    let mut path = Vec::new();
                    names.push_path(at, &mut path);
                    *id = state.push(list_key(&path), Task::List(path));
                }
            }
            self.wake(&state);
        }
        Chunk::Found(Frame { names, at: from, found: found.into_iter(), later: VecDeque::new() })
    }
}

impl Chunk {
    /// What it counts for in the budget.
    fn weight(&self) -> usize {
        match self {
            Chunk::Found(frame) => frame.found.len() + 1,
            Chunk::Failed(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests;
