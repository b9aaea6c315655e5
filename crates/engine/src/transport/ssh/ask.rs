//! The person, where there is one: questions that only a person can answer.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// A host that nobody has confirmed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownHost {
    /// The host, as it is kept in `known_hosts`.
    pub name: String,
    /// The key's kind, e.g. `ssh-ed25519`.
    pub kind: String,
    /// The key's fingerprint, `SHA256:…`.
    pub fingerprint: String,
}

/// Something secret that the login needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// The passphrase of a private key.
    Passphrase {
        /// The key's file.
        key: PathBuf,
        /// An answer was wrong already.
        again: bool,
    },
    /// The password of an account.
    Password {
        /// `user@host`.
        login: String,
        /// An answer was wrong already.
        again: bool,
    },
    /// What the host itself asks (a code, a second password).
    Prompt {
        /// `user@host`.
        login: String,
        /// The host's words; never to be taken for DSG's own.
        text: String,
        /// The answer may be seen while it is typed.
        echo: bool,
    },
}

/// Asks the person. Secrets are kept no longer than the login takes, and nowhere.
pub trait Ask: Send + Sync {
    /// Whether this is the host that is meant: the person compares the fingerprint. `None`: there is
    /// nobody to ask.
    fn trust(&self, host: &UnknownHost) -> Option<bool>;

    /// A secret. `None`: there is nobody to ask, or no answer is given.
    fn secret(&self, secret: &Secret) -> Option<String>;

    /// What is under way, where that may take a while.
    fn tell(&self, _what: &str) {}

    /// Whether somebody is there who can answer.
    fn is_there(&self) -> bool {
        false
    }

    /// Whether a program that is started here may ask at the terminal by itself.
    fn has_terminal(&self) -> bool {
        false
    }

    /// Whether nobody waits for it any more.
    fn has_left(&self) -> bool {
        false
    }
}

/// Asks, and notes whether somebody had to answer.
pub(super) struct Noted<'a> {
    ask: &'a dyn Ask,
    answered: AtomicBool,
}

impl<'a> Noted<'a> {
    pub(super) fn new(ask: &'a dyn Ask) -> Self {
        Self { ask, answered: AtomicBool::new(false) }
    }

    /// Whether a secret was told.
    pub(super) fn was_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }
}

impl Ask for Noted<'_> {
    fn trust(&self, host: &UnknownHost) -> Option<bool> {
        self.ask.trust(host)
    }
    fn secret(&self, secret: &Secret) -> Option<String> {
        let told = self.ask.secret(secret);
        self.answered.fetch_or(told.is_some(), Ordering::AcqRel);
        told
    }
    fn tell(&self, what: &str) {
        self.ask.tell(what);
    }
    fn is_there(&self) -> bool {
        self.ask.is_there()
    }
    fn has_terminal(&self) -> bool {
        self.ask.has_terminal()
    }
    fn has_left(&self) -> bool {
        self.ask.has_left()
    }
}

/// Nobody is there: every question is left open.
pub struct Nobody;

impl Ask for Nobody {
    fn trust(&self, _host: &UnknownHost) -> Option<bool> {
        None
    }
    fn secret(&self, _secret: &Secret) -> Option<String> {
        None
    }
}

/// Asks nothing of a person who still may leave.
pub(super) struct Unasked<'a>(pub(super) &'a dyn Ask);

impl Ask for Unasked<'_> {
    fn trust(&self, _host: &UnknownHost) -> Option<bool> {
        None
    }
    fn secret(&self, _secret: &Secret) -> Option<String> {
        None
    }
    fn has_left(&self) -> bool {
        self.0.has_left()
    }
}

static PERSON: RwLock<Option<Arc<dyn Ask>>> = RwLock::new(None);

thread_local! {
    static HERE: RefCell<Option<Arc<dyn Ask>>> = const { RefCell::new(None) };
}

/// From now on this process asks `person`. A face that does one thing at a time calls it once, when it
/// starts.
pub fn attend(person: Arc<dyn Ask>) {
    *PERSON.write().unwrap_or_else(PoisonError::into_inner) = Some(person);
}

/// Whatever is asked while `work` runs, on this thread, is asked of `person`: for a face that does many
/// things at once, of which some may ask and others may not.
pub fn attended<T>(person: Arc<dyn Ask>, work: impl FnOnce() -> T) -> T {
    struct Before(Option<Arc<dyn Ask>>);
    impl Drop for Before {
        fn drop(&mut self) {
            let before = self.0.take();
            HERE.with(|here| *here.borrow_mut() = before);
        }
    }
    let _before = Before(HERE.with(|here| here.borrow_mut().replace(person)));
    work()
}

/// Whom to ask.
pub(crate) fn person() -> Arc<dyn Ask> {
    if let Some(person) = HERE.with(|here| here.borrow().clone()) {
        return person;
    }
    let person = PERSON.read().unwrap_or_else(PoisonError::into_inner).clone();
    person.unwrap_or_else(|| Arc::new(Nobody))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Somebody;
    impl Ask for Somebody {
        fn trust(&self, _: &UnknownHost) -> Option<bool> {
            Some(true)
        }
        fn secret(&self, _: &Secret) -> Option<String> {
            None
        }
        fn is_there(&self) -> bool {
            true
        }
    }

    #[test]
    fn who_attends_a_deed_is_asked_by_it_and_by_nothing_else() {
        let elsewhere = || std::thread::spawn(|| person().is_there()).join().unwrap();
        attended(Arc::new(Somebody), || {
            assert!(person().is_there() && !elsewhere());
            attended(Arc::new(Nobody), || assert!(!person().is_there()));
            assert!(person().is_there());
        });
        assert!(!person().is_there());
        let fell = std::panic::catch_unwind(|| attended(Arc::new(Somebody), || panic!("over")));
        assert!(fell.is_err() && !person().is_there());
    }
}
