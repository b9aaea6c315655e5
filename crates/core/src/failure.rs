//! The one shape of an error that leaves a room: what happened, to what, what to do next.
//!
//! The code is stable (the window and scripts rely on it), the message and hint are for people, the
//! cause stays beneath. Rooms keep their own precise error types inside and turn them into this.

use std::error::Error;
use std::fmt;
use std::path::Path;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal / $exit:literal,)*) => {
        /// What kind of failure it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The stable name, e.g. `repo-id`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// The exit status of the command line.
            pub fn exit_status(self) -> u8 {
                match self { $(Code::$name => $exit,)* }
            }
        }
    };
}

codes! {
    /// A file or directory could not be read or written.
    Io = "io" / 1,
    /// Not enough permission for a file or directory.
    Permission = "permission" / 1,
    /// A disk is full, or too full for what is planned.
    Space = "space" / 1,
    /// Something that is needed for a promise is missing on this file system.
    Unsupported = "unsupported" / 1,
    /// The arguments make no sense together.
    Usage = "usage" / 2,
    /// A configuration file cannot be used.
    Config = "config" / 2,
    /// No project here or above.
    NotAProject = "not-a-project" / 2,
    /// A project or repository stands there already.
    Exists = "exists" / 2,
    /// There is no repository at the address.
    NoRepository = "no-repository" / 2,
    /// A repository or a working folder of the earlier DSG stands there.
    Legacy = "legacy-repository" / 2,
    /// There is no such path or snapshot.
    NotFound = "not-found" / 2,
    /// `.dsg/state.db` cannot be used.
    StateDamaged = "state-damaged" / 1,
    /// The repository's own records cannot be used.
    RepositoryDamaged = "repository-damaged" / 1,
    /// Written by a newer program.
    NewerFormat = "newer-format" / 1,
    /// A file is not what its manifest says.
    HashMismatch = "hash-mismatch" / 1,
    /// The head moved while the sync was prepared.
    HeadMoved = "head-moved" / 1,
    /// Something else is there by now than what a person decided about.
    Outdated = "outdated" / 1,
    /// Conflicts wait for a decision.
    Conflicts = "conflicts" / 3,
    /// Safety: the project's folder or a data folder is empty or not mounted.
    EmptyRoot = "empty-root" / 4,
    /// Safety: more than half of the files would be deleted.
    MassDelete = "mass-delete" / 4,
    /// Safety: the address leads to another repository.
    RepoId = "repo-id" / 4,
    /// Safety: the repository's history does not hold what was synced before.
    Rollback = "rollback" / 4,
    /// Safety: the repository's files were changed on its host.
    Drift = "drift" / 4,
    /// Safety: what is planned would fill a disk.
    SpaceHalt = "space-halt" / 4,
    /// Somebody else is at it.
    Locked = "locked" / 5,
    /// The host or folder of the repository cannot be reached.
    Unreachable = "unreachable" / 6,
    /// The host lets us in, and gives a login no more to do at once.
    HostBusy = "host-busy" / 6,
    /// Nobody has confirmed yet that the host is the one that it says.
    HostKeyUnknown = "host-key-unknown" / 6,
    /// The host is not the one that was confirmed, or its key was revoked.
    HostKeyChanged = "host-key-changed" / 6,
    /// The host refuses to let this user in.
    LoginRefused = "login-refused" / 6,
    /// The program that serves repositories on the host cannot be had there.
    Agent = "agent" / 6,
    /// What answers on the host does not keep to the protocol.
    Protocol = "protocol" / 6,
    /// The agent on the host is of another build.
    OtherAgent = "other-agent" / 6,
    /// Published, but this folder is not settled yet.
    Unsettled = "unsettled" / 7,
    /// The person stopped it; nothing changed.
    Cancelled = "cancelled" / 130,
}

/// What went wrong.
#[derive(Debug)]
pub struct Failure {
    /// Its stable kind.
    pub code: Code,
    /// What happened, to which path or host: one sentence.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The paths concerned, where there may be many (drift, conflicts); not all may be listed.
    pub paths: Vec<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// A word as a shell takes it, for hints that name a command.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+,@%=:".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        return text.to_owned();
    }
    let dashed = if text.starts_with('-') { "./" } else { "" };
    format!("'{dashed}{}'", text.replace('\'', "'\\''"))
}

/// Result with [`Failure`].
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure without a cause beneath.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, paths: Vec::new(), source: None }
    }

    /// An input or output error: `doing` says what was tried, e.g. "read", "create the folder".
    /// The code follows from the error's kind.
    pub fn io(doing: &str, path: impl AsRef<Path>, cause: impl Into<std::io::Error>) -> Self {
        use std::io::ErrorKind as K;
        let (path, cause) = (path.as_ref().display(), cause.into());
        let (code, why, hint) = match cause.kind() {
            K::PermissionDenied | K::ReadOnlyFilesystem => (
                Code::Permission,
                "permission was refused",
                "Ask its owner for access, or choose another place.",
            ),
            K::StorageFull | K::QuotaExceeded => {
                (Code::Space, "the disk is full", "Free some space and try again.")
            }
            K::NotFound => (Code::Io, "it is not there (any more)", ""),
            _ => (Code::Io, "", ""),
        };
        let message = if why.is_empty() {
            format!("Could not {doing} {path}: {cause}.")
        } else {
            format!("Could not {doing} {path}: {why}.")
        };
        let failure = Self::new(code, message).because(cause);
        if hint.is_empty() { failure } else { failure.hint(hint) }
    }

    /// The person asked to stop.
    pub fn cancelled() -> Self {
        Self::new(Code::Cancelled, "Stopped as asked; nothing was changed.")
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the paths concerned.
    #[must_use]
    pub fn about(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.paths = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Keeps the cause beneath.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// The chain of causes as text, for "details"; `None` if there is none.
    pub fn detail(&self) -> Option<String> {
        let mut cause: &dyn Error = self.source.as_deref()?;
        let mut text = cause.to_string();
        while let Some(next) = cause.source() {
            text = format!("{text}: {next}");
            cause = next;
        }
        Some(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn Error + 'static))
    }
}
