//! The engine's many small events as progress that a window can draw: about ten a second.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dsg_core::monitor::{Event, Phase as EnginePhase, Sink};

use crate::api::{Phase, Progress, Task};

/// Between two words about progress.
const PACE: Duration = Duration::from_millis(100);
/// A rate is that of the last seconds.
const SPAN: Duration = Duration::from_secs(4);
/// A rate means nothing before this.
const SETTLED: Duration = Duration::from_secs(1);

/// What a gauge has to tell.
pub(super) enum Told {
    /// Work moved on.
    Progress(Progress),
    /// A person should know this.
    Notice(String),
}

/// Gathers events of one operation.
pub(super) struct Gauge<F> {
    id: String,
    task: Task,
    tell: F,
    state: Mutex<State>,
}

struct State {
    phase: Option<Phase>,
    files: (u64, Option<u64>),
    bytes: (u64, Option<u64>),
    path: Option<String>,
    told: Option<Instant>,
    samples: VecDeque<(Instant, u64)>,
}

impl<F: Fn(Told) + Send + Sync> Gauge<F> {
    /// For the operation `id`.
    pub(super) fn new(id: &str, task: Task, tell: F) -> Self {
        let state = State {
            phase: None,
            files: (0, None),
            bytes: (0, None),
            path: None,
            told: None,
            samples: VecDeque::new(),
        };
        Self { id: id.to_owned(), task, tell, state: Mutex::new(state) }
    }

    /// Takes in an event at a time; gives progress if it is time to tell it.
    fn take(&self, event: Event, now: Instant) -> Option<Told> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = match event {
            Event::Notice(text) => return Some(Told::Notice(text)),
            Event::Phase { phase, files, bytes } => state.begin(phase, files, bytes, now),
            Event::Advanced { files, bytes } => {
                state.files.0 += files;
                state.bytes.0 += bytes;
                false
            }
            Event::Path(path) => {
                state.path = Some(path);
                false
            }
        };
        let due = state.told.is_none_or(|told| now.duration_since(told) >= PACE);
        let phase = state.phase.filter(|_| fresh || due)?;
        state.told = Some(now);
        let rate = state.rate(now);
        Some(Told::Progress(Progress {
            id: self.id.clone(),
            task: self.task,
            phase,
            files_done: state.files.0,
            files_total: state.files.1,
            bytes_done: state.bytes.0,
            bytes_total: state.bytes.1,
            path: state.path.clone(),
            bytes_per_second: rate,
            cancellable: matches!(phase, Phase::Scanning | Phase::Comparing | Phase::Staging),
        }))
    }
}

impl State {
    /// Begins a phase; whether that is news.
    fn begin(
        &mut self,
        phase: EnginePhase,
        files: Option<u64>,
        bytes: Option<u64>,
        now: Instant,
    ) -> bool {
        let phase = match phase {
            EnginePhase::Scanning => Phase::Scanning,
            EnginePhase::Comparing => Phase::Comparing,
            EnginePhase::Staging => Phase::Staging,
            EnginePhase::Publishing => Phase::Publishing,
            EnginePhase::Settling => Phase::Settling,
        };
        let fresh = self.phase != Some(phase);
        self.phase = Some(phase);
        self.files = (0, files);
        self.bytes = (0, bytes);
        self.path = None;
        self.samples = VecDeque::from([(now, 0)]);
        fresh
    }

    /// Bytes per second over the last seconds.
    fn rate(&mut self, now: Instant) -> Option<u64> {
        self.samples.push_back((now, self.bytes.0));
        while self.samples.len() > 2 && now.duration_since(self.samples[1].0) >= SPAN {
            self.samples.pop_front();
        }
        let (begun, before) = *self.samples.front()?;
        let elapsed = now.duration_since(begun);
        let moved = self.bytes.0.saturating_sub(before);
        if elapsed < SETTLED || moved == 0 {
            return None;
        }
        let per_second = u128::from(moved) * 1000 / elapsed.as_millis().max(1);
        u64::try_from(per_second).ok()
    }
}

impl<F: Fn(Told) + Send + Sync> Sink for Gauge<F> {
    fn event(&self, event: Event) {
        if let Some(told) = self.take(event, Instant::now()) {
            (self.tell)(told);
        }
    }
}

/// How far an operation is, 0 to 100, if that is known.
pub(super) fn percent(progress: &Progress) -> Option<f64> {
    let share = |done: u64, total: Option<u64>| {
        let total = total.filter(|t| *t > 0)?;
        #[allow(clippy::cast_precision_loss, reason = "a bar of a few hundred pixels")]
        Some((done as f64 / total as f64 * 100.0).min(100.0))
    };
    share(progress.bytes_done, progress.bytes_total)
        .or_else(|| share(progress.files_done, progress.files_total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(told: Option<Told>) -> Option<Progress> {
        match told {
            Some(Told::Progress(progress)) => Some(progress),
            _ => None,
        }
    }

    #[test]
    fn a_phase_is_told_at_once_and_its_course_ten_times_a_second() {
        let gauge = Gauge::new("p1", Task::Job, |_| ());
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let phase =
            Event::Phase { phase: EnginePhase::Staging, files: Some(2), bytes: Some(4_000_000) };
        assert!(progress(gauge.take(phase, at(0))).is_some_and(|p| p.cancellable));
        let step = || Event::Advanced { files: 0, bytes: 1_000_000 };
        assert!(gauge.take(step(), at(50)).is_none());
        assert_eq!(progress(gauge.take(step(), at(100))).map(|p| p.bytes_done), Some(2_000_000));
        // A rate is only given once it means something.
        let later = progress(gauge.take(step(), at(1500)));
        assert_eq!(later.as_ref().and_then(|p| p.bytes_per_second), Some(2_000_000));
        assert_eq!(later.as_ref().and_then(percent), Some(75.0));
    }

    #[test]
    fn from_publishing_on_nothing_can_be_cancelled() {
        let gauge = Gauge::new("p1", Task::Job, |_| ());
        let phase = Event::Phase { phase: EnginePhase::Publishing, files: None, bytes: None };
        assert!(progress(gauge.take(phase, Instant::now())).is_some_and(|p| !p.cancellable));
    }

    #[test]
    fn a_notice_is_never_held_back() {
        let gauge = Gauge::new("p1", Task::Job, |_| ());
        let now = Instant::now();
        for _ in 0..3 {
            assert!(matches!(gauge.take(Event::Notice("x".into()), now), Some(Told::Notice(_))));
        }
    }
}
