//! Content that goes: read where it lies, refused if it is no longer what the plan saw.

use std::collections::HashMap;
use std::io::{Seek as _, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use dsg_core::entry::{FileEntry, Hash};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::plan::Plan;
use dsg_core::plan::effects::Outgoing;
use dsg_fs::dir::Dir;
use dsg_wire::chunks::{Chunks, WORTH};
use dsg_wire::delta::{Basis, Content};

use super::steps::Steps;
use crate::areas::Areas;
use crate::endpoint::{OlderFile, Refusal, RemoteTransaction, Supply, upload};
use crate::index::Index;

/// A file that cannot go as the plan saw it.
pub(crate) struct Rejected {
    /// Which.
    pub path: RepoPath,
    /// Why.
    pub reason: String,
    /// Trying again would end the same.
    pub lasting: bool,
}

/// Why a private file stays out of a team's repository.
pub(crate) const PRIVATE: &str = "Only you may read this file, and the repository is a team's: give its group read access (chmod g+r) to share it.";

impl Rejected {
    fn new(path: &RepoPath, reason: &str, lasting: bool) -> Self {
        Self { path: path.clone(), reason: reason.to_owned(), lasting }
    }
}

/// Where outgoing content is read: in the folder, unless it is a version that was fetched.
struct Local<'p> {
    root: &'p Dir,
    plan: &'p Plan,
    /// The plan's items that go.
    places: Vec<usize>,
    /// By their place in the plan.
    fetched: HashMap<usize, (Arc<Dir>, String)>,
    /// What stands in the repository and is worth building on, by the upload.
    older: HashMap<usize, Older>,
    /// Bytes that lists may still take.
    room: usize,
    /// Chunks that became known on the way.
    learned: Mutex<Learned>,
}

/// A version that stands in the repository.
struct Older {
    size: u64,
    chunks: Option<Chunks>,
}

#[derive(Default)]
struct Learned {
    bytes: usize,
    lists: Vec<(usize, Chunks)>,
}

/// Lists of chunks that are held at a time, known ones and new ones alike: those of 100 GB.
const ROOM: usize = 16 * 1024 * 1024;

impl Local<'_> {
    fn path(&self, index: usize) -> Outcome<RepoPath> {
        let item = self.places.get(index).and_then(|&place| self.plan.item(place));
        item.map(|item| item.at.path).ok_or_else(|| {
            Failure::new(Code::Io, format!("Upload {index} is not one of this sync's."))
        })
    }
}

impl Supply for Local<'_> {
    fn open(&self, index: usize, basis: Basis) -> Outcome<Content<'_>> {
        let fetched = self.places.get(index).and_then(|place| self.fetched.get(place));
        let mut file = match fetched {
            Some((staging, name)) => staging.open_file(name)?,
            None => self.root.open_file(self.path(index)?.as_str())?,
        };
        let skipped = file.seek(SeekFrom::Start(basis.kept));
        skipped.map_err(|e| Failure::io("read", "the content to upload", e))?;
        Ok(Content::Bytes(Box::new(file)))
    }

    fn older(&self, index: usize) -> Option<OlderFile> {
        let &Older { size, .. } = self.older.get(&index)?;
        Some(OlderFile { path: self.path(index).ok()?, size })
    }

    fn chunks(&self, index: usize) -> Option<&Chunks> {
        self.older.get(&index)?.chunks.as_ref()
    }

    fn learn(&self, index: usize, chunks: Chunks) {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.bytes += chunks.packed().len();
        if learned.bytes <= ROOM {
            learned.lists.push((index, chunks));
        }
    }
}

impl Local<'_> {
    /// Notes a version that the upload with this number replaces.
    fn replaces(&mut self, upload: usize, file: &FileEntry, index: &Index) {
        let chunks = index.chunks(&file.hash).ok().flatten();
        let chunks = chunks.filter(|c| c.bytes() == file.size && c.packed().len() <= self.room);
        self.room -= chunks.as_ref().map_or(0, |chunks| chunks.packed().len());
        self.older.insert(upload, Older { size: file.size, chunks });
    }
}

/// How sending ended.
pub(super) enum Sent {
    /// Everything is staged; these chunks of it became known.
    All(Vec<(Hash, Chunks)>),
    /// This has to be left out.
    Rejected(Vec<Rejected>),
}

/// What goes, and from where.
pub(super) struct Sender<'s> {
    /// The repository is a team's.
    pub team: bool,
    pub areas: &'s Areas,
    pub steps: &'s Steps,
    pub index: &'s Index,
}

impl Sender<'_> {
    /// Stages everything that goes.
    ///
    /// # Errors
    /// Nothing more can be staged.
    pub(super) fn send(
        &self,
        transaction: &mut dyn RemoteTransaction,
        monitor: &Monitor,
    ) -> Outcome<Sent> {
        let Self { team, areas, steps, index } = *self;
        let mut rejected = Vec::new();
        let mut uploads = Vec::new();
        let plan = steps.plan();
        let mut supply = Local {
            root: areas.root(),
            plan,
            places: Vec::new(),
            fetched: HashMap::new(),
            older: HashMap::new(),
            room: ROOM,
            learned: Mutex::default(),
        };
        let numbers = steps.fetched();
        let outgoing = plan.items().enumerate().filter_map(|(at, i)| Some((at, Outgoing::of(&i)?)));
        for (place, out) in outgoing {
            let number = numbers.get(&out.from).filter(|_| out.restored);
            let fetched = number.and_then(|number| {
                Some((Arc::clone(&areas.find(&out.from)?.staging), number.to_string()))
            });
            let stat = match &fetched {
                Some((staging, name)) => staging.stat(name)?,
                None => areas.root().stat(out.from.as_str())?,
            };
            let Some(stat) = stat else {
                rejected.push(Rejected::new(&out.from, "It was deleted during the sync.", false));
                continue;
            };
            if stat.private() && team {
                rejected.push(Rejected::new(&out.from, PRIVATE, true));
                continue;
            }
            if let Some(older) = out.older.filter(|o| o.size.min(out.file.size) >= WORTH) {
                supply.replaces(uploads.len(), &older, index);
            }
            uploads.push(upload(out.file, stat.private()));
            supply.places.push(place);
            supply.fetched.extend(fetched.map(|fetched| (place, fetched)));
        }
        if !rejected.is_empty() {
            return Ok(Sent::Rejected(rejected));
        }
        for (index, refusal) in transaction.stage(&uploads, &supply, monitor)? {
            let reason = match &refusal {
                Refusal::Changed(_) => "It changes while it is read.",
                Refusal::Supply(failure) => &failure.message,
            };
            rejected.push(Rejected::new(&supply.path(index)?, reason, false));
        }
        if !rejected.is_empty() {
            return Ok(Sent::Rejected(rejected));
        }
        let learned = supply.learned.into_inner().unwrap_or_else(PoisonError::into_inner);
        let proved = |(index, chunks): (usize, Chunks)| {
            let file = uploads[index].file;
            // It is what was staged if it is as long; what is read twice may be another each time.
            (chunks.bytes() == file.size).then_some((file.hash, chunks))
        };
        Ok(Sent::All(learned.lists.into_iter().filter_map(proved).collect()))
    }
}
