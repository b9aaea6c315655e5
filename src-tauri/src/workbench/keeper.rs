//! What happens while nobody asks: the folder is watched, the repository asked for news.
//!
//! One thread per project does one thing after another, and gathers what comes in between.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use dsg_core::config::SharedConfig;
use dsg_core::monitor::{Event as EngineEvent, Monitor, Sink};
use dsg_engine::config_file;
use dsg_engine::watch::{Timing, Touched, Watcher};

use super::session::{Look, Session};
use crate::api::{Event, WatchState};

/// Between two questions to the repository.
const POLL: Duration = Duration::from_secs(10);
/// The same while somebody else is at work in it.
const POLL_AT_WORK: Duration = Duration::from_secs(2);
/// What was found in a folder is drawn before it is watched for the first time.
const DRAWING: Duration = Duration::from_millis(300);
/// A page that does not come at all is waited for so long.
const PAGE: Duration = Duration::from_secs(2);
/// So many rows that are remembered are drawn before their folder is looked at: looking at so many
/// takes what drawing needs.
const MANY: usize = 10_000;
/// How far behind other work of this computer, as `nice` counts.
#[cfg(target_os = "linux")]
const LEISURE: i32 = 10;
/// It is never asked more often.
const BREATH: Duration = Duration::from_secs(1);

/// Something for the keeper to do.
pub(super) enum Word {
    /// The folder may be looked at.
    Start,
    /// What is remembered is about to be drawn.
    Drawn,
    /// The folder changed.
    Touched(Touched),
    /// A person wants everything looked at.
    Look,
    /// The repository may answer now.
    Ask,
    /// Somebody wants to see what the rules leave alone.
    Ignored,
    /// The project is no longer shown.
    Stop,
}

/// What is to be done, gathered.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
struct Work {
    paths: BTreeSet<String>,
    everything: bool,
    shown: bool,
    /// With the repository, even while that is out of reach.
    asks: bool,
    ask: bool,
    ignored: bool,
    started: bool,
    drawn: bool,
    /// Somebody waits for it.
    urgent: bool,
    stop: bool,
}

impl Work {
    fn add(&mut self, word: Word) {
        match word {
            Word::Start => self.started = true,
            Word::Drawn => self.drawn = true,
            Word::Touched(touched) => {
                self.everything |= touched.overflow;
                self.paths.extend(touched.paths);
            }
            Word::Look => {
                self.everything = true;
                self.shown = true;
                self.asks = true;
                self.urgent = true;
            }
            Word::Ask => self.ask = true,
            Word::Ignored => self.ignored = true,
            Word::Stop => self.stop = true,
        }
    }

    /// Gathers words until there is enough, the time is over, or all is to end.
    fn until(
        &mut self,
        words: &Receiver<Word>,
        patience: Option<Duration>,
        enough: impl Fn(&Self) -> bool,
    ) {
        let begun = Instant::now();
        while !enough(self) && !self.stop {
            let word = match patience {
                Some(patience) => words.recv_timeout(patience.saturating_sub(begun.elapsed())),
                None => words.recv().map_err(RecvTimeoutError::from),
            };
            match word {
                Ok(word) => self.add(word),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => self.stop = true,
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.everything
    }
}

/// Looks after a project until it is told to stop.
pub(super) fn keep(session: &Arc<Session>, words: &Receiver<Word>) {
    let mut work = Work { everything: true, shown: true, ..Work::default() };
    let mut watcher = None;
    let mut drawn = None;
    // What is on a server is asked when the folder is shown; what is here, with it.
    let server = session.host().is_some();
    work.asks = !server;
    work.ask = server;
    let mut asked = Instant::now();
    let mut first = true;
    let mut unlooked = false;
    let recalled = session.recall();
    work.until(words, None, |work| work.started);
    if recalled && session.view().rows.len() >= MANY {
        work.until(words, Some(PAGE), |work| work.drawn || work.urgent);
        work.until(words, Some(DRAWING), |work| work.urgent);
    }
    if work.stop {
        return;
    }
    loop {
        // A sync looks by itself; what is touched meanwhile waits until it is over.
        let syncing = session.view().is_busy();
        work.everything |= std::mem::take(&mut unlooked);
        if !syncing && !work.is_empty() {
            let rules_changed = work.paths.iter().any(|path| config_file::is_one(path));
            let Work { ignored, ask, .. } = work;
            let first = std::mem::take(&mut first);
            let work = std::mem::replace(&mut work, Work { ask, ignored, ..Work::default() });
            let paths: Vec<String> = work.paths.iter().cloned().collect();
            let look = if work.everything || rules_changed {
                let asks = work.asks || !(first && server || session.view().offline.is_some());
                Look::Everything { shown: work.shown, asks }
            } else {
                Look::Paths(&paths)
            };
            // What is remembered is drawn meanwhile.
            let looked = if first && recalled {
                at_leisure(|| session.look(&look))
            } else {
                session.look(&look)
            };
            // Somebody was quicker, and looked at a part only.
            unlooked = !looked && matches!(look, Look::Everything { .. });
            if rules_changed {
                watcher = None;
            }
            // What a rule leaves alone is not watched: it is looked for again with everything.
            let known = session.view().ignored.is_some();
            if known && (work.everything || rules_changed) {
                session.look_for_ignored();
            }
        }
        if std::mem::take(&mut work.ignored) {
            session.look_for_ignored();
        }
        let drawn = *drawn.get_or_insert_with(|| Instant::now() + DRAWING);
        let draws = drawn.saturating_duration_since(Instant::now());
        if draws.is_zero() {
            watch(session, &mut watcher);
        }
        let due = if work.ask { asked } else { due(session, asked) };
        let left = due.saturating_duration_since(Instant::now());
        let left = if draws.is_zero() { left } else { left.min(draws) };
        let left = if syncing || unlooked { left.min(Duration::from_millis(200)) } else { left };
        match words.recv_timeout(left) {
            Ok(word) => work.add(word),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        while let Ok(word) = words.try_recv() {
            work.add(word);
        }
        if work.stop {
            return;
        }
        if work.ask || due <= Instant::now() {
            work.ask = false;
            session.poll();
            asked = Instant::now();
        }
    }
}

/// Works behind whatever else this computer does. Where the system knows no such order, or gives no
/// thread, nothing is lost.
fn at_leisure(work: impl Fn() -> bool + Sync) -> bool {
    std::thread::scope(|scope| {
        let behind = || {
            #[cfg(target_os = "linux")]
            let _ = rustix::process::setpriority_process(None, LEISURE);
            work()
        };
        match std::thread::Builder::new().spawn_scoped(scope, behind) {
            Ok(thread) => thread.join().unwrap_or(false),
            Err(_) => work(),
        }
    })
}

/// When the repository is asked again.
fn due(session: &Session, asked: Instant) -> Instant {
    let view = session.view();
    let away = view.offline.as_ref().map(|cut| cut.due);
    next(asked, away, view.failure.is_some(), !view.at_work.is_empty())
}

/// The same, where the repository is `away` until then, the folder cannot be read (it may be on a disk that
/// comes back), or somebody is at work.
fn next(asked: Instant, away: Option<Instant>, failing: bool, at_work: bool) -> Instant {
    let next = match away {
        Some(due) if !failing => due,
        None if at_work => asked + POLL_AT_WORK,
        _ => asked + POLL,
    };
    next.max(asked + BREATH)
}

/// Begins to watch, or stops where the folder cannot be read; says how it stands.
fn watch(session: &Arc<Session>, watcher: &mut Option<(Watcher, Arc<Holes>)>) {
    let readable = session.view().failure.is_none();
    let state = if readable {
        if watcher.is_none() {
            match begin(session) {
                Ok(begun) => *watcher = Some(begun),
                Err(reason) => return set(session, WatchState::Off { reason }),
            }
        }
        match watcher {
            Some((watcher, holes)) if !watcher.is_complete() => {
                WatchState::Rescanning { reason: holes.why() }
            }
            _ => WatchState::Watching,
        }
    } else {
        *watcher = None;
        WatchState::Off { reason: "the project cannot be read".into() }
    };
    set(session, state);
}

fn begin(session: &Arc<Session>) -> Result<(Watcher, Arc<Holes>), String> {
    // Without its configuration everything is watched: a word too many costs one look.
    let rules = config_file::read(&session.root).ok().flatten().unwrap_or_else(|| {
        let mut rules = SharedConfig::new("project");
        rules.data_dirs = ["*".to_owned()].into();
        rules
    });
    let words: Sender<Word> = session.keeper.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let holes = Arc::new(Holes::default());
    let monitor = Monitor::new(holes.clone());
    Watcher::start(&session.root, &rules, Timing::default(), &monitor, move |touched| {
        // Only fails when the keeper is gone, and the watch with it.
        let _ = words.send(Word::Touched(touched));
    })
    .map(|watcher| (watcher, holes))
    .map_err(|failure| failure.message)
}

fn set(session: &Session, state: WatchState) {
    let mut view = session.view();
    if view.watch != state {
        view.watch = state;
        drop(view);
        (session.events)(Event::ProjectsChanged);
    }
}

/// Why a watch does not hear of everything.
#[derive(Default)]
struct Holes(std::sync::Mutex<Option<String>>);

impl Holes {
    fn why(&self) -> String {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        said.unwrap_or_else(|| {
            "Files may be changed by other computers, so everything is looked at from time to time."
                .to_owned()
        })
    }
}

impl Sink for Holes {
    fn event(&self, event: EngineEvent) {
        if let EngineEvent::Notice(text) = event {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_gathered() {
        let mut work = Work::default();
        assert!(work.is_empty());
        for path in ["a", "b", "a"] {
            let touched = Touched { paths: vec![path.into()], overflow: false };
            work.add(Word::Touched(touched));
        }
        assert_eq!((work.paths.len(), work.everything), (2, false));
        work.add(Word::Touched(Touched { paths: Vec::new(), overflow: true }));
        assert!(work.everything && !work.shown);
        work.add(Word::Look);
        assert!(work.shown && !work.stop);
    }

    #[test]
    fn a_folder_that_cannot_be_read_does_not_wait_for_the_server_that_is_away_too() {
        let asked = Instant::now();
        let away = Some(asked + Duration::from_secs(900));
        assert_eq!(next(asked, away, false, false), asked + Duration::from_secs(900));
        assert_eq!(next(asked, away, true, false), asked + POLL);
        assert_eq!(next(asked, None, false, true), asked + POLL_AT_WORK);
        assert_eq!(next(asked, Some(asked), false, false), asked + BREATH);
    }

    #[test]
    fn who_waits_hears_what_comes_meanwhile() {
        let (sender, words) = std::sync::mpsc::channel();
        let mut work = Work::default();
        for word in [Word::Ask, Word::Drawn, Word::Look] {
            sender.send(word).unwrap();
        }
        work.until(&words, None, |work| work.drawn);
        assert!(work.ask && work.drawn && !work.urgent, "the rest is heard later");
        work.until(&words, Some(Duration::ZERO), |work| work.started);
        assert!(work.urgent && !work.started && !work.stop, "the time is over");
        drop(sender);
        work.until(&words, None, |work| work.started);
        assert!(work.stop, "nobody is left who could say more");
    }
}
