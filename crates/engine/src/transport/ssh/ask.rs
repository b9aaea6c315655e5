//! The person, where there is one: questions that only a person can answer.

use std::path::PathBuf;
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

    /// Whether a program that is started here may ask at the terminal by itself.
    fn has_terminal(&self) -> bool {
        false
    }

    /// Whether nobody waits for it any more.
    fn has_left(&self) -> bool {
        false
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

static PERSON: RwLock<Option<Arc<dyn Ask>>> = RwLock::new(None);

/// From now on this process asks `person`. A face calls it once, when it starts.
pub fn attend(person: Arc<dyn Ask>) {
    *PERSON.write().unwrap_or_else(PoisonError::into_inner) = Some(person);
}

/// Whom to ask.
pub(crate) fn person() -> Arc<dyn Ask> {
    let person = PERSON.read().unwrap_or_else(PoisonError::into_inner).clone();
    person.unwrap_or_else(|| Arc::new(Nobody))
}
