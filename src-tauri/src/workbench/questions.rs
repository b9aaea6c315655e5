//! Questions of a login, and the person who answers them in the window.
//!
//! Only what somebody began by hand may ask; what goes on by itself is never attended. An answer goes to
//! whoever asked and is kept nowhere else.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dsg_core::monitor::Monitor;
use dsg_engine::transport::ssh::{self, Ask, Secret, UnknownHost};

use crate::api::{ApiError, Event, Given, Question, QuestionKind};
use crate::workbench::EventSink;

/// Between two looks whether anybody still waits for the answer.
const TICK: Duration = Duration::from_millis(100);

/// The questions that are open, in the order in which they came.
pub(super) struct Desk {
    events: EventSink,
    open: Mutex<Vec<(Question, Sender<Given>)>>,
    next: AtomicU64,
    closed: AtomicBool,
}

impl Desk {
    pub(super) fn new(events: EventSink) -> Arc<Self> {
        Arc::new(Self {
            events,
            open: Mutex::default(),
            next: AtomicU64::new(1),
            closed: AtomicBool::new(false),
        })
    }

    fn held(&self) -> MutexGuard<'_, Vec<(Question, Sender<Given>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is asked now.
    pub(super) fn questions(&self) -> Vec<Question> {
        self.held().iter().map(|(question, _)| question.clone()).collect()
    }

    /// Hands an answer to whoever asked.
    pub(super) fn answer(&self, id: u64, given: Given) -> Result<(), ApiError> {
        let mut open = self.held();
        let Some(at) = open.iter().position(|(question, _)| question.id == id) else {
            return Err(ApiError::new("no-question", "Nobody waits for this answer any more.")
                .with_hint("Try again."));
        };
        let (_, asker) = open.remove(at);
        drop(open);
        // Whoever has stopped waiting needs no answer.
        let _ = asker.send(given);
        (self.events)(Event::QuestionsChanged);
        Ok(())
    }

    /// Nobody answers any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Does what somebody began by hand, and may ask that person. `ticket`: whose course is told;
    /// `about`: what the questions are for.
    pub(super) fn attended<T>(
        self: &Arc<Self>,
        ticket: &str,
        about: &str,
        monitor: &Monitor,
        work: impl FnOnce() -> T,
    ) -> T {
        let person = Person {
            desk: self.clone(),
            ticket: ticket.to_owned(),
            about: about.to_owned(),
            monitor: monitor.clone(),
            left: AtomicBool::new(false),
        };
        ssh::attended(Arc::new(person), work)
    }
}

/// Whoever sits before the window, for one thing that was begun.
struct Person {
    desk: Arc<Desk>,
    ticket: String,
    about: String,
    monitor: Monitor,
    left: AtomicBool,
}

impl Person {
    /// Asks, and waits. Whoever cancels is not asked again.
    fn ask(&self, what: QuestionKind) -> Given {
        if self.has_left() {
            return Given::Cancel;
        }
        let id = self.desk.next.fetch_add(1, Ordering::Relaxed);
        let (asker, answers) = channel();
        self.desk.held().push((Question { id, about: self.about.clone(), what }, asker));
        (self.desk.events)(Event::QuestionsChanged);
        let given = loop {
            match answers.recv_timeout(TICK) {
                Ok(given) => break given,
                Err(RecvTimeoutError::Timeout) if !self.has_left() => {}
                Err(_) => break Given::Cancel,
            }
        };
        let mut open = self.desk.held();
        let asked = open.len();
        open.retain(|(question, _)| question.id != id);
        let withdrawn = open.len() < asked;
        drop(open);
        if withdrawn {
            (self.desk.events)(Event::QuestionsChanged);
        }
        if given == Given::Cancel {
            self.left.store(true, Ordering::Release);
        }
        given
    }
}

impl Ask for Person {
    fn trust(&self, host: &UnknownHost) -> Option<bool> {
        let UnknownHost { name, kind, fingerprint } = host.clone();
        let given = self.ask(QuestionKind::UnknownHost { host: name, key: kind, fingerprint });
        Some(given == Given::Trust)
    }

    fn secret(&self, secret: &Secret) -> Option<String> {
        let given = self.ask(match secret.clone() {
            Secret::Passphrase { key, again } => {
                QuestionKind::Passphrase { key: key.display().to_string(), again }
            }
            Secret::Password { login, again } => QuestionKind::Password { login, again },
            Secret::Prompt { login, text, echo } => QuestionKind::Prompt { login, text, echo },
        });
        match given {
            Given::Secret { text } => Some(text.0),
            _ => None,
        }
    }

    fn tell(&self, what: &str) {
        (self.desk.events)(Event::Told { id: self.ticket.clone(), text: what.to_owned() });
    }

    fn is_there(&self) -> bool {
        true
    }

    fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
            || self.desk.closed.load(Ordering::Acquire)
            || self.monitor.check().is_err()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;

    use super::*;
    use crate::api::Hidden;

    fn desk() -> (Arc<Desk>, Receiver<Event>) {
        let (sender, events) = channel();
        let sender = Mutex::new(sender);
        let tell = move |event| {
            if let Ok(sender) = sender.lock() {
                let _ = sender.send(event);
            }
        };
        (Desk::new(Arc::new(tell)), events)
    }

    /// What a login would get that asks for a host and then for a password.
    fn login(desk: &Arc<Desk>, monitor: &Monitor) -> (Option<bool>, Option<String>, bool) {
        let host = UnknownHost {
            name: "tank".into(),
            kind: "ssh-ed25519".into(),
            fingerprint: "SHA256:a".into(),
        };
        let person = Person {
            desk: desk.clone(),
            ticket: "t1".into(),
            about: "tank".into(),
            monitor: monitor.clone(),
            left: AtomicBool::new(false),
        };
        let trusted = person.trust(&host);
        let secret = person.secret(&Secret::Password { login: "ann@tank".into(), again: false });
        (trusted, secret, person.has_left())
    }

    /// Answers each question with the next of these.
    fn answering(given: Vec<Given>) -> (Option<bool>, Option<String>, bool) {
        let (desk, events) = desk();
        let monitor = Monitor::silent();
        std::thread::scope(|scope| {
            let asks = scope.spawn(|| login(&desk, &monitor));
            for given in given {
                while desk.questions().is_empty() {
                    assert!(events.recv_timeout(Duration::from_secs(20)).is_ok());
                }
                assert!(desk.answer(desk.questions()[0].id, given).is_ok());
            }
            asks.join().unwrap_or((None, None, false))
        })
    }

    #[test]
    fn answers_reach_whoever_asked_and_stay_nowhere() {
        let text = || Hidden("correct horse".into());
        let done = answering(vec![Given::Trust, Given::Secret { text: text() }]);
        assert_eq!(done, (Some(true), Some("correct horse".into()), false));
        let logged = format!("{:?}", Given::Secret { text: text() });
        assert!(!logged.contains("horse"), "{logged}");
    }

    #[test]
    fn who_skips_is_asked_for_another_way_and_who_cancels_for_nothing_more() {
        assert_eq!(answering(vec![Given::Trust, Given::Skip]), (Some(true), None, false));
        assert_eq!(answering(vec![Given::Cancel]), (Some(false), None, true));
    }

    #[test]
    fn a_question_that_nobody_waits_for_goes() {
        let (desk, events) = desk();
        let monitor = Monitor::silent();
        std::thread::scope(|scope| {
            let asks = scope.spawn(|| login(&desk, &monitor));
            assert!(events.recv_timeout(Duration::from_secs(20)).is_ok());
            let id = desk.questions().first().map(|question| question.id);
            monitor.stop();
            assert_eq!(asks.join().ok(), Some((Some(false), None, true)));
            assert!(desk.questions().is_empty());
            assert!(desk.answer(id.unwrap_or_default(), Given::Trust).is_err());
        });
    }
}
