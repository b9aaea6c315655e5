//! One list of files of the earlier DSG: read as it comes, within limits, and proved by its sums.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::history::limited;
use super::json::{Object, Spelling};
use crate::entry::{LinkTarget, Mtime};
use crate::path::{PathError, RepoPath};
use crate::snapshot::{Legacy, SnapshotId};

/// No list has more entries.
const MOST_ENTRIES: u64 = 20_000_000;
/// No entry, and nothing between two, is longer.
const LONGEST_PART: u64 = 1024 * 1024;
/// A snapshot's number is not greater: for each there is a record.
const MOST_SNAPSHOTS: u64 = 100_000;

/// A list that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ListError(String);

impl ListError {
    fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }

    /// It is not that of this snapshot.
    pub fn of_another(id: SnapshotId) -> Self {
        Self(format!("it is not that of {id}"))
    }
}

/// What stands at a path of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// A file.
    File {
        /// Bytes.
        size: u64,
        /// When it was last modified.
        mtime: Mtime,
        /// Its content's xxh3-64.
        sum: u64,
    },
    /// A link.
    Link(LinkTarget),
}

/// What is said of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Metadata {
    /// Its number, `sN`.
    #[serde(default)]
    pub snapshot_id: String,
    /// When it was made.
    #[serde(default)]
    pub created_at: Option<String>,
    /// Who made it.
    #[serde(default)]
    pub created_by: Option<String>,
    /// Why.
    #[serde(default)]
    pub snapshot_message: Option<String>,
    #[serde(default)]
    entry_count: Option<u64>,
    #[serde(default)]
    entries_hash: Option<String>,
    /// Its sum, over the sum of the one before.
    #[serde(default)]
    pub snapshot_hash: Option<String>,
    #[serde(default)]
    project_config: Option<Value>,
}

impl Metadata {
    /// Its number.
    ///
    /// # Errors
    /// It has none, or one that no repository comes to.
    pub fn id(&self) -> Result<SnapshotId, ListError> {
        let named: Option<SnapshotId> = self.snapshot_id.parse().ok();
        named.filter(|id| id.number() <= MOST_SNAPSHOTS).ok_or_else(|| {
            ListError(format!("its snapshot_id is {:?}, which is no snapshot", self.snapshot_id))
        })
    }

    /// When it was made; without an offset it is taken for UTC.
    pub fn time(&self) -> Option<jiff::Timestamp> {
        self.created_at.as_deref().and_then(time)
    }

    /// The project's configuration then, if it was kept.
    pub fn config(&self) -> Option<&Value> {
        self.project_config.as_ref().filter(|config| config.is_object())
    }
}

/// A point in time as the earlier tool wrote it.
fn time(text: &str) -> Option<jiff::Timestamp> {
    let civil = || {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    text.parse().ok().or_else(civil)
}

/// One list.
#[derive(Clone, Debug)]
pub struct List {
    /// What is said of its snapshot.
    pub metadata: Metadata,
    /// What stands where.
    pub entries: BTreeMap<RepoPath, Listed>,
    /// What no list of ours can hold, and why: names and links that are legal on one system only.
    pub untrackable: Vec<(String, String)>,
    /// How many entries it has.
    count: u64,
    /// The sums of its entries, in either spelling.
    sums: [u64; 2],
}

impl List {
    /// Reads a list.
    ///
    /// # Errors
    /// It is no such list; it leads out of the repository, or names a path twice; it has no end.
    pub fn read(input: impl Read) -> Result<Self, ListError> {
        let left = Rc::new(Cell::new(LONGEST_PART));
        let input = Rationed { input, left: Rc::clone(&left) };
        let mut text = serde_json::Deserializer::from_reader(input);
        let list = Whole { left }.deserialize(&mut text).map_err(ListError::new)?;
        text.end().map_err(ListError::new)?;
        list.metadata.id()?;
        let below_a_file = list
            .entries
            .keys()
            .find(|path| path.ancestors().any(|dir| list.entries.contains_key(dir)));
        match below_a_file {
            Some(path) => Err(ListError(format!("{path} lies in what is no folder"))),
            None => Ok(list),
        }
    }

    /// Whether its sums say so, and follow from the sum of the snapshot before (`None`: there is none).
    pub fn proof(&self, before: Option<&str>) -> Legacy {
        let Metadata { entry_count, entries_hash, snapshot_hash, .. } = &self.metadata;
        let entries = entries_hash
            .as_deref()
            .filter(|said| self.sums.iter().any(|sum| format!("{sum:016x}") == **said));
        let sound = entries.is_some_and(|entries| {
            entry_count.is_none_or(|said| said == self.count)
                && snapshot_hash.as_deref().is_some_and(|said| self.is_sum(said, entries, before))
        });
        if sound { Legacy::Proven } else { Legacy::Unproven }
    }

    fn is_sum(&self, said: &str, entries: &str, before: Option<&str>) -> bool {
        let message = self.metadata.snapshot_message.as_deref().unwrap_or_default();
        let before = before.unwrap_or_default();
        let config = self.metadata.project_config.as_ref().filter(|config| !config.is_null());
        let sum = |config: &str| xxh3_64(format!("{entries}{message}{config}{before}").as_bytes());
        let is = |sum: u64| format!("{sum:016x}") == said;
        match config {
            None => is(sum("")),
            Some(config) => Spelling::ALL.iter().any(|spelling| {
                let mut text = String::new();
                spelling.sorted(config, &mut text);
                is(sum(&text))
            }),
        }
    }
}

/// What the earlier tool says of all snapshots: `sync-messages.json`.
#[derive(Clone, Debug, Default)]
pub struct Messages(pub BTreeMap<SnapshotId, Metadata>);

impl Messages {
    /// Reads it, in either of its forms. What names no snapshot in it is left out.
    ///
    /// # Errors
    /// It is no such file, or has no end.
    pub fn read(input: impl Read) -> Result<Self, ListError> {
        #[derive(Deserialize)]
        struct File {
            #[serde(default)]
            snapshots: BTreeMap<String, Metadata>,
            #[serde(default)]
            messages: Vec<Metadata>,
        }
        /// No such file is longer.
        const LONGEST: u64 = 64 * 1024 * 1024;
        let input = Rationed { input, left: Rc::new(Cell::new(LONGEST)) };
        let file: File =
            serde_json::from_reader(io::BufReader::new(input)).map_err(ListError::new)?;
        let named = file.snapshots.into_iter().map(|(name, mut metadata)| {
            metadata.snapshot_id = name;
            metadata
        });
        let all = file.messages.into_iter().chain(named);
        Ok(Self(all.filter_map(|one| Some((one.id().ok()?, one))).collect()))
    }
}

/// Input of which only so much may come at once: whatever is in it, memory does not grow with it.
pub struct Rationed<R> {
    input: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Rationed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        match self.left.get().checked_sub(read as u64) {
            Some(left) => self.left.set(left),
            None => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a part of it is too long"));
            }
        }
        Ok(read)
    }
}

/// The whole file: entries and metadata.
struct Whole {
    left: Rc<Cell<u64>>,
}

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = List;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<List, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = List;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("entries and metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<List, A::Error> {
        let (mut entries, mut metadata) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            self.left.set(LONGEST_PART);
            let twice = || A::Error::custom(format!("{key:?} stands twice"));
            match key.as_str() {
                "entries" if entries.is_some() => return Err(twice()),
                "metadata" if metadata.is_some() => return Err(twice()),
                "entries" => {
                    entries = Some(map.next_value_seed(Entries { left: Rc::clone(&self.left) })?);
                }
                "metadata" => metadata = Some(map.next_value::<Metadata>()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let missing = |what| A::Error::custom(format!("it has no {what}"));
        let Gathered { entries, untrackable, count, sums } =
            entries.ok_or_else(|| missing("entries"))?;
        let metadata = metadata.ok_or_else(|| missing("metadata"))?;
        let sums = sums.map(|sum| sum.digest());
        Ok(List { metadata, entries, untrackable, count, sums })
    }
}

/// The entries of a list.
struct Entries {
    left: Rc<Cell<u64>>,
}

struct Gathered {
    entries: BTreeMap<RepoPath, Listed>,
    untrackable: Vec<(String, String)>,
    count: u64,
    sums: [Xxh3; 2],
}

impl<'de> DeserializeSeed<'de> for Entries {
    type Value = Gathered;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Gathered, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entries {
    type Value = Gathered;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("entries by their paths")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Gathered, A::Error> {
        let mut gathered = Gathered {
            entries: BTreeMap::new(),
            untrackable: Vec::new(),
            count: 0,
            sums: [Xxh3::new(), Xxh3::new()],
        };
        let (mut plain, mut escaped) = (String::new(), String::new());
        while let Some((path, entry)) = map.next_entry::<String, Object>()? {
            self.left.set(LONGEST_PART);
            gathered.count += 1;
            if gathered.count > MOST_ENTRIES {
                return Err(A::Error::custom(format!("it has more than {MOST_ENTRIES} entries")));
            }
            plain.clear();
            Spelling::PLAIN.object(&entry, &mut plain);
            gathered.sums[0].update(plain.as_bytes());
            if plain.bytes().all(|byte| byte < 0x7f) {
                gathered.sums[1].update(plain.as_bytes());
            } else {
                escaped.clear();
                Spelling { escaped: true, spaced: false }.object(&entry, &mut escaped);
                gathered.sums[1].update(escaped.as_bytes());
            }
            gathered
                .take(&path, &entry)
                .map_err(|why| A::Error::custom(format!("{path:?}: {why}")))?;
        }
        Ok(gathered)
    }
}

impl Gathered {
    fn set_aside(&mut self, name: &str, why: &str) {
        self.untrackable.push((limited(name, 300), limited(why, 300)));
    }

    fn take(&mut self, text: &str, entry: &Object) -> Result<(), String> {
        if entry.text("path") != Some(text) {
            return Err("its entry is of another path".into());
        }
        let path = match RepoPath::parse(text) {
            Ok(path) => path,
            Err(
                e @ (PathError::Empty
                | PathError::Absolute
                | PathError::Dots(_)
                | PathError::NotUtf8),
            ) => return Err(e.to_string()),
            Err(e) => {
                self.set_aside(text, &e.to_string());
                return Ok(());
            }
        };
        let listed = match entry.text("type") {
            Some("file") => Listed::File {
                size: entry.number("filesize").ok_or("its size is no number")?,
                mtime: entry.text("mtime").and_then(mtime).ok_or("its mtime is no time")?,
                sum: entry.text("hash").and_then(sum).ok_or("its hash is no xxh3-64")?,
            },
            Some("link") => {
                let target = entry.text("reference").ok_or("it points nowhere")?;
                match LinkTarget::parse(&path, target) {
                    Ok(target) => Listed::Link(target),
                    Err(e) => {
                        self.set_aside(text, &e.to_string());
                        return Ok(());
                    }
                }
            }
            _ => return Err("it is neither a file nor a link".into()),
        };
        match self.entries.insert(path, listed) {
            None => Ok(()),
            Some(_) => Err("it stands twice".into()),
        }
    }
}

fn mtime(text: &str) -> Option<Mtime> {
    i64::try_from(time(text)?.as_nanosecond()).ok().map(Mtime)
}

fn sum(text: &str) -> Option<u64> {
    let digits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}
