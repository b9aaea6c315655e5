//! Lists of any length: each item is a line, as many lines as fit are a frame.
//!
//! Changes and headers are the very lines of the records, paths are plain text (no legal path needs
//! an escape), the rest is JSON.

use dsg_core::entry::{FileEntry, Hash, Mtime};
use dsg_core::manifest::{self, Change};
use dsg_core::path::RepoPath;
use dsg_core::places::{Folder, Lease, Listed, Step};
use dsg_core::repository::{Space, Upload};
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::frame::{Builder, Kind, Packed, TARGET, WireError};
use crate::message::FailureText;

/// An item of a list.
pub trait Line: Sized {
    /// Appends its text, without `\n`.
    fn write(&self, text: &mut Vec<u8>);

    /// Reads it.
    ///
    /// # Errors
    /// Why it is none.
    fn read(text: &[u8]) -> Result<Self, String>;
}

impl Line for Change {
    fn write(&self, text: &mut Vec<u8>) {
        text.extend(manifest::line(&self.path, self.entry.as_ref()));
        text.pop();
    }

    fn read(text: &[u8]) -> Result<Self, String> {
        manifest::parse_line(text)
    }
}

impl Line for SnapshotHeader {
    fn write(&self, text: &mut Vec<u8>) {
        text.extend(self.line().trim_end().as_bytes());
    }

    fn read(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|e| e.to_string())?;
        Self::parse(text).map_err(|e| e.to_string())
    }
}

impl Line for RepoPath {
    fn write(&self, text: &mut Vec<u8>) {
        text.extend(self.as_bytes());
    }

    fn read(text: &[u8]) -> Result<Self, String> {
        Self::from_bytes(text).map_err(|e| e.to_string())
    }
}

/// Where a copy goes, and where its content stands.
pub type Copy = (RepoPath, RepoPath);

impl Line for Copy {
    fn write(&self, text: &mut Vec<u8>) {
        self.0.write(text);
        text.push(b'\t');
        self.1.write(text);
    }

    fn read(text: &[u8]) -> Result<Self, String> {
        let mut parts = text.splitn(2, |b| *b == b'\t');
        match (parts.next(), parts.next()) {
            (Some(to), Some(from)) => Ok((RepoPath::read(to)?, RepoPath::read(from)?)),
            _ => Err("it names one path where two should stand".into()),
        }
    }
}

/// A part of a history: the snapshot that the changes after it belong to, or one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traced {
    /// From here on.
    Snapshot(Box<SnapshotHeader>),
    /// One of its changes.
    Change(Change),
}

impl Line for Traced {
    fn write(&self, text: &mut Vec<u8>) {
        match self {
            Self::Snapshot(header) => header.write(text),
            Self::Change(change) => change.write(text),
        }
    }

    fn read(text: &[u8]) -> Result<Self, String> {
        if text.starts_with(b"{\"path\"") {
            Change::read(text).map(Self::Change)
        } else {
            SnapshotHeader::read(text).map(|header| Self::Snapshot(Box::new(header)))
        }
    }
}

fn write_json(value: &impl Serialize, text: &mut Vec<u8>) {
    // Of these types no text is longer than memory, and none has a key that is no string.
    text.extend(serde_json::to_vec(value).unwrap_or_default());
}

fn read_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|e| e.to_string())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UploadText {
    size: u64,
    mtime_ns: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    exec: bool,
    sha256: Hash,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    private: bool,
}

impl Line for Upload {
    fn write(&self, text: &mut Vec<u8>) {
        let FileEntry { size, mtime, exec, hash } = self.file;
        let private = self.private;
        write_json(&UploadText { size, mtime_ns: mtime.0, exec, sha256: hash, private }, text);
    }

    fn read(text: &[u8]) -> Result<Self, String> {
        let UploadText { size, mtime_ns, exec, sha256, private } = read_json(text)?;
        let file = FileEntry { size, mtime: Mtime(mtime_ns), exec, hash: sha256 };
        Ok(Self { file, private })
    }
}

/// Uploads in a row: the first one's place and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run(pub u32, pub u32);

/// What the receiver of a file has of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Have {
    /// The file's number.
    pub file: u32,
    /// So many of its first bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kept: u64,
    /// An older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older: Option<OlderChunks>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Where the chunks of an older version are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OlderChunks {
    /// The sender said that it knows them.
    Known,
    /// They come, after all lines.
    Told {
        /// How long they are on average.
        average: u32,
        /// How many.
        count: u32,
    },
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Want {
    /// Files in a row, of which nothing is there.
    Run(Run),
    /// What is missing of one file.
    Rest(Have),
}

/// An older version of an upload, in the head that the transaction builds on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Older {
    /// The upload's place.
    pub upload: u32,
    /// Where it stands there.
    pub path: RepoPath,
    /// Its bytes.
    pub size: u64,
    /// Whether the sender knows its chunks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub known: bool,
}

/// Why an upload is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RefusedText {
    /// Other content came than was announced.
    Changed {
        /// What was announced.
        expected: Hash,
        /// What came.
        found: Hash,
    },
    /// It could not be had.
    Failed(FailureText),
}

/// An upload that is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// Its place among the uploads.
    pub index: u32,
    /// Why.
    pub why: RefusedText,
}

/// What a proof of contents found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Found {
    /// A snapshot that was compared.
    Compared(SnapshotId),
    /// What is not as recorded.
    Fault(SnapshotId, String),
    /// What is not kept.
    Gone(SnapshotId, String),
}

/// What became of a snapshot whose files should go, or would.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ended {
    /// They went.
    Gone(SnapshotId),
    /// They stay, and why.
    Stays(SnapshotId, String),
}

macro_rules! json_lines {
    ($($name:ty),*) => {$(
        impl Line for $name {
            fn write(&self, text: &mut Vec<u8>) {
                write_json(self, text);
            }

            fn read(text: &[u8]) -> Result<Self, String> {
                read_json(text)
            }
        }
    )*};
}

json_lines!(Have, Older, Want, Refused, Found, SnapshotId, Lease, Space, Ended, Step);

impl Line for Folder {
    fn write(&self, text: &mut Vec<u8>) {
        write_json(self, text);
    }

    fn read(text: &[u8]) -> Result<Self, String> {
        let folder: Self = read_json(text)?;
        folder.check().map(|()| folder)
    }
}

impl Line for Listed {
    fn write(&self, text: &mut Vec<u8>) {
        write_json(self, text);
    }

    fn read(text: &[u8]) -> Result<Self, String> {
        let listed: Self = read_json(text)?;
        listed.check().map(|()| listed)
    }
}

/// The items of a frame.
///
/// # Errors
/// A line that is no such item.
pub fn items<T: Line>(payload: &[u8]) -> Result<Vec<T>, WireError> {
    let Some(text) = payload.strip_suffix(b"\n") else {
        return Err(WireError::Damaged("a list that does not end with its line".into()));
    };
    let item = |line| T::read(line).map_err(|why| WireError::Damaged(format!("a list: {why}")));
    text.split(|b| *b == b'\n').map(item).collect()
}

/// Fills frames with items.
#[derive(Debug)]
pub struct Lines {
    kind: Kind,
    frame: Builder,
}

impl Lines {
    /// For frames of this kind.
    pub fn new(kind: Kind) -> Self {
        Self { kind, frame: Builder::with_room(0) }
    }

    /// Appends an item; gives a frame when it is full.
    ///
    /// # Errors
    /// The item is longer than a frame may be.
    pub fn put(&mut self, item: &impl Line) -> Result<Option<Packed>, WireError> {
        let text = self.frame.bytes();
        item.write(text);
        text.push(b'\n');
        if self.frame.len() < TARGET { Ok(None) } else { self.take().map(Some) }
    }

    /// The last frame, if anything is left.
    ///
    /// # Errors
    /// As [`Lines::put`].
    pub fn end(mut self) -> Result<Option<Packed>, WireError> {
        if self.frame.is_empty() { Ok(None) } else { self.take().map(Some) }
    }

    fn take(&mut self) -> Result<Packed, WireError> {
        std::mem::replace(&mut self.frame, Builder::with_room(TARGET)).seal(self.kind)
    }
}
