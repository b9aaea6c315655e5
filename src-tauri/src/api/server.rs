//! Repositories on a server: questions of a login, the server's folders, how a project is cut off from
//! its repository, and who else is at work in it.

use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::ApiError;

/// Something that only a person can answer before a server lets us in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// Names it in [`AnswerQuestion`].
    pub id: u64,
    /// For what it is asked: a project's name, or a server's.
    pub about: String,
    /// What is asked.
    pub what: QuestionKind,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum QuestionKind {
    /// Nobody has confirmed this server yet: is it the one that is meant?
    UnknownHost {
        /// The server, as it would be remembered.
        host: String,
        /// The kind of its key, such as `ssh-ed25519`.
        key: String,
        /// The key's fingerprint, `SHA256:…`.
        fingerprint: String,
    },
    /// The passphrase of a private key.
    Passphrase {
        /// The key's file.
        key: String,
        /// The last answer was wrong.
        again: bool,
    },
    /// The password of an account.
    Password {
        /// `user@host`.
        login: String,
        /// The last answer was wrong.
        again: bool,
    },
    /// What the server itself asks.
    Prompt {
        /// `user@host`.
        login: String,
        /// The server's words.
        text: String,
        /// The answer may be seen while it is typed.
        echo: bool,
    },
}

/// What must not be seen; never shown, written or logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// See `question_answer`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct AnswerQuestion {
    /// [`Question::id`].
    pub id: u64,
    /// The answer.
    pub answer: Given,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Given {
    /// It is the server that is meant.
    Trust,
    /// What was typed.
    Secret {
        /// It.
        text: Hidden,
    },
    /// This one has no answer: another way may let us in.
    Skip,
    /// What asks shall end.
    Cancel,
}

/// See `server_folders`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ListServerFolders {
    /// The window's name for this operation; `sync_cancel` ends it.
    pub ticket: String,
    /// The server as typed: `[user@]host[:port]`, an alias of the ssh configuration, or an address.
    pub host: String,
    /// The folder; none: where the address leads, else the account's home.
    pub path: Option<String>,
}

/// See `place_examine`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ExaminePlace {
    /// The window's name for this operation; `sync_cancel` ends it.
    pub ticket: String,
    /// Where a repository stands or would stand.
    pub address: String,
}

/// One thing that was tried at a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct PlaceStep {
    /// What, e.g. `login`, `rights`, `trial`.
    pub name: String,
    /// What was found, if it went well.
    pub found: Option<String>,
    /// What is wrong. The lines of its hint after the first are commands to be typed.
    pub error: Option<ApiError>,
}

/// The folders in a folder of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ServerFolders {
    /// The server, as it stands in addresses.
    pub host: String,
    /// The folder, absolute.
    pub path: String,
    /// The folder above it.
    pub parent: Option<String>,
    /// How the address of something in it begins, with a slash at its end.
    pub prefix: String,
    /// Something can be made in it.
    pub writable: bool,
    /// Nothing was left out for its number.
    pub complete: bool,
    /// What is in it, by name.
    pub folders: Vec<ServerFolder>,
}

/// A folder of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ServerFolder {
    /// Its name.
    pub name: String,
    /// Absolute.
    pub path: String,
    /// It is a repository.
    pub repository: Option<ServerRepository>,
}

/// A repository on a server, at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ServerRepository {
    /// Its address.
    pub address: String,
    /// What the projects of it are called.
    pub name: Option<String>,
    /// The newest snapshot, such as `s12`.
    pub head: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// When, RFC 3339.
    pub time: Option<String>,
    /// Files in it.
    pub files: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// What it promises, in a few words.
    pub guarantee: Option<String>,
    /// Why it cannot be used.
    pub trouble: Option<ApiError>,
}

/// How a project is cut off from its repository. What is in the folder is shown all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Offline {
    /// In a word.
    pub reason: OfflineReason,
    /// What happened, and what to do.
    pub error: ApiError,
    /// Since when, RFC 3339.
    pub since: String,
    /// When it is tried again by itself, RFC 3339.
    pub retry: String,
}

/// Why a repository is out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "snake_case")]
pub enum OfflineReason {
    /// The server, disk or share does not answer.
    Unreachable,
    /// Somebody has to sign in.
    SignIn,
    /// Somebody has to confirm that the server is the one that is meant.
    HostUnknown,
    /// The server is not the one that was confirmed.
    HostChanged,
    /// There is no repository at the address.
    NoRepository,
    /// The server cannot run what DSG needs there.
    Agent,
    /// Something else.
    Other,
}

/// Somebody else who is at work in the repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct AtWork {
    /// The author, or `login@host`.
    pub who: String,
    /// What is done, in a few words, with how far it is.
    pub doing: String,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// How far, 0 to 100.
    pub percent: Option<f64>,
    /// No sync can be published meanwhile.
    pub publishing: bool,
}
