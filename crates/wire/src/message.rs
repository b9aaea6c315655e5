//! Requests, answers, failures and events, as JSON.

use std::fmt;

use dsg_core::config::SharedConfig;
use dsg_core::entry::Mtime;
use dsg_core::failure::{Code, Failure};
use dsg_core::legacy::Adoption;
use dsg_core::monitor::{Event, Phase};
use dsg_core::path::RepoPath;
use dsg_core::places::Around;
use dsg_core::repository::{Outcome, RepositoryInfo, Standing};
use dsg_core::snapshot::{Authorship, FORMAT, SnapshotHeader, SnapshotId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::frame::{Frame, Kind, Packed, WireError, packed};

/// No list that is announced is longer.
pub const MOST_ITEMS: u64 = 20_000_000;
/// A failure names no more paths on its way.
const MOST_PATHS: usize = 1000;
/// No text of a failure is longer on its way.
const MOST_TEXT: usize = 16 * 1024;

/// What the engine asks. Lists that are announced by their length follow as lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The first one: which repository. → [`Answer::Opened`]
    Open {
        /// Where it stands on the host.
        path: String,
        /// Whether it shall be prepared there.
        create: bool,
        /// If so: in a plain folder, also where it could be a dataset.
        plain: bool,
    },
    /// The folders in a folder of the host; no repository has to be opened. → folders,
    /// [`Answer::Around`]
    ListFolders {
        /// Which; the account's home if none.
        path: Option<String>,
    },
    /// The repositories below a folder; no repository has to be opened. → repositories,
    /// [`Answer::Around`]
    ListRepositories {
        /// Which; the account's home if none.
        path: Option<String>,
    },
    /// Tries whether a repository can live at a path; no repository has to be opened. → steps,
    /// [`Answer::Done`]
    Examine {
        /// Where it would stand, or stands.
        path: String,
    },
    /// Adopts a repository of the earlier DSG; no repository has to be opened. → [`Answer::Adopted`]
    AdoptLegacy {
        /// Where it stands on the host.
        path: String,
        /// Who, why, when, in which transaction.
        authorship: Authorship,
        /// Only to be shown.
        dry_run: bool,
        /// Also if something is not as it was left.
        drift: bool,
    },
    /// Who is at work. → leases, [`Answer::Done`]
    Leases,
    /// The newest snapshot. → [`Answer::Head`]
    Head,
    /// One header. → [`Answer::Header`]
    Header {
        /// Whose.
        id: SnapshotId,
    },
    /// Headers. → lines, [`Answer::Done`]
    Headers {
        /// Below it; from the head on if none.
        before: Option<SnapshotId>,
        /// At most so many.
        limit: u64,
    },
    /// What is new. → changes, [`Answer::Header`]
    ChangesSince {
        /// Since when.
        since: Option<SnapshotId>,
    },
    /// A whole manifest. → changes, [`Answer::Header`]
    Manifest {
        /// Whose.
        id: SnapshotId,
    },
    /// A snapshot's own changes. → changes, [`Answer::Header`]
    Delta {
        /// Whose.
        id: SnapshotId,
    },
    /// The history of some paths. → [`Traced`](crate::list::Traced), [`Answer::Done`]; a cancel
    /// means that it is enough.
    Trace {
        /// All whose text contains this; else those that follow.
        containing: Option<String>,
        /// How many paths follow.
        paths: u64,
    },
    /// Which snapshots' files can be had. → snapshots, [`Answer::Done`]
    Kept,
    /// What snapshots cost. → [`Space`](dsg_core::repository::Space)s, [`Answer::Done`]
    Space,
    /// Removes the files of former snapshots, as far as nobody needs them. →
    /// [`Ended`](crate::list::Ended), [`Answer::Pruned`]
    Prune {
        /// How many snapshots follow.
        snapshots: u64,
        /// Else only tells what would go.
        really: bool,
    },
    /// How a file begins. → content, [`Answer::Glimpse`]
    Glimpse {
        /// In which snapshot.
        id: SnapshotId,
        /// Which.
        path: RepoPath,
        /// At most so many bytes.
        limit: u64,
    },
    /// Whether the files are what the head says. → [`Answer::Done`]
    CheckDrift,
    /// Makes a snapshot of what they are. → [`Answer::Header`]
    AdoptDrift {
        /// Who, why, when.
        authorship: Authorship,
    },
    /// Prepares the next publish. → [`Answer::Done`]
    PrepareNext,
    /// Proves the history. → [`Answer::History`]
    VerifyHistory {
        /// With every manifest.
        deep: bool,
    },
    /// Proves contents. → [`Found`](crate::list::Found), [`Answer::Contents`]
    VerifyContents {
        /// Of one snapshot only.
        only: Option<SnapshotId>,
    },
    /// How a transaction ended. → [`Answer::Outcome`]
    Outcome {
        /// Which.
        transaction: String,
    },
    /// Files. → content, in the order of the paths that follow, told against what is had of them,
    /// [`Answer::Done`]
    Fetch {
        /// Of which snapshot.
        snapshot: SnapshotId,
        /// How many paths follow.
        paths: u64,
        /// How many [`Have`](crate::list::Have)s follow those, and then the chunks that they tell.
        have: u64,
    },
    /// Begins a transaction. → [`Answer::Done`]
    Begin {
        /// The head it builds on.
        base: Option<SnapshotId>,
        /// Its id.
        transaction: String,
        /// Whose it is, for others who look.
        author: String,
    },
    /// Stages content. → any number of times: wants, the chunks that they tell, [`Answer::Wanted`], to
    /// which the engine sends that content and a [`Kind::ContentEnd`]; then refusals,
    /// [`Answer::Staged`]
    Stage {
        /// In which transaction.
        transaction: String,
        /// How many uploads follow.
        uploads: u64,
        /// How many [`Older`](crate::list::Older)s follow those.
        older: u64,
    },
    /// Publishes. → [`Answer::Header`]
    Publish {
        /// The head that the plan saw.
        base: Option<SnapshotId>,
        /// Who, why, when, which transaction.
        authorship: Authorship,
        /// The shared configuration from now on.
        config: Box<SharedConfig>,
        /// How many changes follow.
        changes: u64,
        /// How many copies follow them.
        copies: u64,
    },
    /// Gives a transaction up. → [`Answer::Done`]
    Abort {
        /// Which.
        transaction: String,
    },
    /// Leaves a transaction to whoever takes it over. No answer.
    Release {
        /// Which.
        transaction: String,
    },
    /// Lets go of the repository and all transactions, until the next one is opened. No answer.
    Close,
}

/// How a request ended well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// Nothing more to say.
    Done,
    /// The repository.
    Opened {
        /// Its facts.
        info: RepositoryInfo,
        /// Where it stands.
        standing: Box<Standing>,
    },
    /// The folder that was asked for.
    Around {
        /// It.
        around: Around,
    },
    /// What an adoption did, or would do.
    Adopted {
        /// That.
        adoption: Box<Adoption>,
    },
    /// The newest snapshot, if there is one.
    Head {
        /// It.
        header: Option<Box<SnapshotHeader>>,
    },
    /// A snapshot.
    Header {
        /// It.
        header: Box<SnapshotHeader>,
    },
    /// How a transaction ended.
    Outcome {
        /// So.
        outcome: Outcome,
    },
    /// How much content is wanted: as many uploads as the wants before it name.
    Wanted {
        /// So many.
        uploads: u64,
    },
    /// Everything is staged but what was refused before it.
    Staged {
        /// So many.
        refused: u64,
    },
    /// Files of snapshots went, or would go.
    Pruned {
        /// So many bytes are free by that.
        freed: u64,
    },
    /// What stands at a path.
    Glimpse {
        /// It.
        at: Option<GlimpseText>,
    },
    /// The history is sound.
    History {
        /// Snapshots.
        snapshots: u64,
        /// The newest.
        head: Box<SnapshotHeader>,
    },
    /// Contents were compared.
    Contents {
        /// Files and links.
        files: u64,
        /// Bytes that were read.
        bytes: u64,
    },
}

/// What stands at a path, without a file's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum GlimpseText {
    /// A file, whose first bytes came before as content.
    File {
        /// Bytes of all of it.
        size: u64,
        /// When it was last modified, in nanoseconds.
        mtime: Mtime,
    },
    /// A link, and where it points.
    Link(String),
}

impl Answer {
    /// Whether what is in it makes sense, and is something that this program understands.
    fn check(self) -> Result<Self, WireError> {
        if let Self::Around { around } = &self {
            around.check().map_err(WireError::Damaged)?;
        }
        if let Self::Adopted { adoption } = &self {
            adoption.check().map_err(WireError::Damaged)?;
        }
        let header = match &self {
            Self::Adopted { adoption } => adoption.adopted.as_deref(),
            Self::Head { header } => header.as_deref(),
            Self::Header { header } | Self::History { head: header, .. } => Some(&**header),
            _ => None,
        };
        let sound = header
            .is_none_or(|h| h.format <= FORMAT && h.parent == SnapshotId::new(h.id.number() - 1));
        if sound { Ok(self) } else { Err(WireError::Damaged("an impossible snapshot".into())) }
    }
}

/// A failure on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureText {
    /// Its stable code.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The paths concerned, the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// The causes beneath.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The causes beneath a failure of the other side, as it told them.
#[derive(Debug)]
struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Told {}

fn short(text: &str) -> String {
    if text.len() <= MOST_TEXT {
        return text.to_owned();
    }
    let end = (0..=MOST_TEXT).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    text[..end].to_owned() + "…"
}

impl From<&Failure> for FailureText {
    fn from(failure: &Failure) -> Self {
        let mut left = 256 * 1024_usize;
        let fits = |path: &&String| {
            left = left.saturating_sub(path.len());
            left > 0
        };
        Self {
            code: failure.code.as_str().to_owned(),
            message: short(&failure.message),
            hint: failure.hint.as_deref().map(short),
            paths: failure.paths.iter().take(MOST_PATHS).take_while(fits).cloned().collect(),
            detail: failure.detail().as_deref().map(short),
        }
    }
}

impl From<FailureText> for Failure {
    fn from(text: FailureText) -> Self {
        let FailureText { code, message, hint, paths, detail } = text;
        let known = Code::ALL.iter().find(|c| c.as_str() == code);
        let mut failure =
            Failure::new(known.copied().unwrap_or(Code::Protocol), message).about(paths);
        failure.hint = hint;
        match detail {
            Some(detail) => failure.because(Told(detail)),
            None => failure,
        }
    }
}

/// An event on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum EventText {
    /// A phase, and what is known of its size.
    Phase(PhaseText, Option<u64>, Option<u64>),
    /// Files and bytes.
    Advanced(u64, u64),
    /// A path.
    Path(String),
    /// A notice.
    Notice(String),
}

/// A phase on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "they are those of core's Phase")]
pub enum PhaseText {
    Scanning,
    Comparing,
    Staging,
    Publishing,
    Settling,
}

impl From<Event> for EventText {
    fn from(event: Event) -> Self {
        match event {
            Event::Phase { phase, files, bytes } => {
                let phase = match phase {
                    Phase::Scanning => PhaseText::Scanning,
                    Phase::Comparing => PhaseText::Comparing,
                    Phase::Staging => PhaseText::Staging,
                    Phase::Publishing => PhaseText::Publishing,
                    Phase::Settling => PhaseText::Settling,
                };
                Self::Phase(phase, files, bytes)
            }
            Event::Advanced { files, bytes } => Self::Advanced(files, bytes),
            Event::Path(path) => Self::Path(short(&path)),
            Event::Notice(notice) => Self::Notice(short(&notice)),
        }
    }
}

impl From<EventText> for Event {
    fn from(text: EventText) -> Self {
        match text {
            EventText::Phase(phase, files, bytes) => {
                let phase = match phase {
                    PhaseText::Scanning => Phase::Scanning,
                    PhaseText::Comparing => Phase::Comparing,
                    PhaseText::Staging => Phase::Staging,
                    PhaseText::Publishing => Phase::Publishing,
                    PhaseText::Settling => Phase::Settling,
                };
                Self::Phase { phase, files, bytes }
            }
            EventText::Advanced(files, bytes) => Self::Advanced { files, bytes },
            EventText::Path(path) => Self::Path(path),
            EventText::Notice(notice) => Self::Notice(notice),
        }
    }
}

/// A message as a frame.
///
/// # Errors
/// It is longer than a frame may be.
pub fn pack(kind: Kind, message: &impl Serialize) -> Result<Packed, WireError> {
    let text = serde_json::to_vec(message).map_err(|e| WireError::Damaged(e.to_string()))?;
    packed(kind, &text)
}

fn read<T: DeserializeOwned>(frame: &Frame, kind: Kind) -> Result<T, WireError> {
    if frame.kind != kind {
        let found = frame.kind;
        return Err(WireError::Damaged(format!("{found:?} where {kind:?} should come")));
    }
    serde_json::from_slice(&frame.payload).map_err(|e| WireError::Damaged(format!("{kind:?}: {e}")))
}

impl Request {
    /// Reads it.
    ///
    /// # Errors
    /// The frame holds none, or announces a list longer than [`MOST_ITEMS`].
    pub fn read(frame: &Frame) -> Result<Self, WireError> {
        let request: Self = read(frame, Kind::Request)?;
        let announced = match &request {
            Self::Trace { paths, .. } => *paths,
            Self::Fetch { paths, have, .. } if have <= paths => *paths,
            Self::Stage { uploads, older, .. } if older <= uploads => *uploads,
            Self::Fetch { .. } | Self::Stage { .. } => MOST_ITEMS + 1,
            Self::Publish { changes, copies, .. } => *changes.max(copies),
            Self::Prune { snapshots, .. } => *snapshots,
            _ => 0,
        };
        if announced > MOST_ITEMS {
            return Err(WireError::Damaged(format!("a list of {announced} items")));
        }
        Ok(request)
    }
}

impl Answer {
    /// Reads it.
    ///
    /// # Errors
    /// The frame holds none that makes sense.
    pub fn read(frame: &Frame) -> Result<Self, WireError> {
        read::<Self>(frame, Kind::Answer)?.check()
    }
}

impl FailureText {
    /// Reads it.
    ///
    /// # Errors
    /// The frame holds none.
    pub fn read(frame: &Frame) -> Result<Self, WireError> {
        read(frame, Kind::Failed)
    }
}

impl EventText {
    /// Reads some.
    ///
    /// # Errors
    /// The frame holds none.
    pub fn read(frame: &Frame) -> Result<Vec<Self>, WireError> {
        read(frame, Kind::Progress)
    }
}
