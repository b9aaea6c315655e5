//! What is pending, packed: 1,000,000 rows stay in some 50 MB, sorted by path.
//!
//! | file | owns |
//! |---|---|
//! | `mod` | the packed rows, their totals, what a sync of the ticked ones would do |
//! | `found` | what a look found, as rows: those that are known already, or new ones |
//! | `paths` | their paths |
//! | `shown` | which rows a view shows, in which order; the tree |
//! | `ticks` | what the next sync takes |
//! | `words` | a row as the window gets it |

mod found;
mod paths;
mod shown;
#[cfg(test)]
mod tests;
mod ticks;
mod words;

use std::collections::HashMap;

use dsg_core::entry::Hash;
use dsg_core::failure::Code;
use dsg_core::plan::Resolution as Decision;
use dsg_core::state::State;

pub(super) use found::Found;
use found::Row;
use paths::{Paths, Reader};
pub(super) use shown::{Folders, Line, Shown};
pub(super) use ticks::Ticks;
pub(super) use words::explanation;

#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

/// The groups, in the order of the window.
pub(super) const GROUPS: [Group; 5] =
    [Group::Conflicts, Group::Outgoing, Group::Incoming, Group::Blocked, Group::Ignored];

/// A path that a rule leaves alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IgnoredPath {
    pub path: String,
    pub bytes: u64,
    pub reason: String,
}

/// Which conflicts a decision on many is about: nothing else is decided with them, and what was
/// decided before stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conflicts {
    /// Those without a decision.
    Undecided,
    /// Those with one, for taking it back.
    Decided,
}

impl Conflicts {
    fn has(self, packed: &Packed) -> bool {
        packed.group == Group::Conflicts
            && !packed.untracked
            && packed.resolution.is_some() == (self == Self::Decided)
    }
}

/// All rows of one revision, by path.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Rows {
    paths: Paths,
    packed: Vec<Packed>,
    /// Sizes that are too large for a row.
    large: Vec<u64>,
    /// What few rows have.
    extras: HashMap<u32, Extra>,
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Packed {
    group: Group,
    state: State,
    action: Deed,
    resolution: Option<Decision>,
    decidable: bool,
    untracked: bool,
    /// Whose size counts.
    newer: Side,
    /// Local, cached, remote.
    sizes: [Size; 3],
    /// Nanoseconds since 1970.
    mtime: i64,
}

/// Bytes of a version: themselves, or where they stand among the large ones.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Size(u32);

impl Size {
    const NONE: Self = Self(u32::MAX);
    const LARGE: u32 = 1 << 31;

    fn new(bytes: Option<u64>, large: &mut Vec<u64>) -> Self {
        let Some(bytes) = bytes else { return Self::NONE };
        match u32::try_from(bytes) {
            Ok(small) if small < Self::LARGE => Self(small),
            _ => {
                large.push(bytes);
                u32::try_from(large.len() - 1).map_or(Self::NONE, |at| Self(Self::LARGE | at))
            }
        }
    }

    fn bytes(self, large: &[u64]) -> Option<u64> {
        match self {
            Self::NONE => None,
            Self(small) if small < Self::LARGE => Some(small.into()),
            Self(at) => large.get((at & !Self::LARGE) as usize).copied(),
        }
    }
}

/// A time that is not there.
const NEVER: i64 = i64::MIN;

#[derive(Clone, Debug, Default, PartialEq)]
struct Extra {
    old_path: Option<Box<str>>,
    reason: Option<Box<str>>,
    /// The versions that were seen where a person may decide.
    seen: Option<Hash>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Local = 0,
    Cached = 1,
    Remote = 2,
    Nowhere = 3,
}

macro_rules! deeds {
    ($($name:ident = $text:literal),*) => {
        /// What a sync does, as a byte.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        enum Deed { $($name),* }
        impl Deed {
            fn of(text: &str) -> Self {
                match text { $($text => Self::$name,)* _ => Self::None }
            }
            fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}
deeds!(
    Upload = "upload",
    Download = "download",
    DeleteLocal = "delete_local",
    DeleteRemote = "delete_remote",
    MoveRemote = "move_remote",
    MoveLocal = "move_local",
    Cache = "cache",
    Conflict = "conflict",
    Blocked = "blocked",
    None = "none"
);

impl Rows {
    /// The same changes, with what the rules leave alone now.
    pub(super) fn with_ignored(&self, ignored: &[IgnoredPath]) -> Self {
        let mut rows = Self::default();
        let mut ignored = ignored.iter().peekable();
        let mut paths = self.paths.reader();
        for row in (0..self.len()).filter(|row| self.packed[*row].group != Group::Ignored) {
            let path = paths.path(row);
            while let Some(left) = ignored.next_if(|i| i.path.as_str() < path) {
                rows.add(left.into());
            }
            rows.add(self.row(row, path));
        }
        ignored.for_each(|left| rows.add(left.into()));
        rows
    }

    /// A row as it came.
    fn row<'r>(&self, row: usize, path: &'r str) -> Row<'r> {
        let packed = self.packed[row];
        let sizes = packed.sizes.map(|size| size.bytes(&self.large));
        let packed = Packed { sizes: [Size::NONE; 3], ..packed };
        Row { path: path.into(), packed, sizes, extra: self.extra(row).cloned() }
    }

    fn add(&mut self, row: Row<'_>) {
        if !self.paths.push(&row.path) {
            return;
        }
        if let (Some(extra), Ok(number)) = (row.extra, u32::try_from(self.packed.len())) {
            self.extras.insert(number, extra);
        }
        let sizes = row.sizes.map(|bytes| Size::new(bytes, &mut self.large));
        self.packed.push(Packed { sizes, ..row.packed });
    }

    /// Room for so many more.
    fn reserve(&mut self, more: usize) {
        self.packed.reserve(more);
        self.paths.reserve(more);
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.packed.len()
    }

    /// The path of one row; many are read by a reader of [`Paths`].
    fn path(&self, row: usize) -> String {
        self.paths.reader().path(row).to_owned()
    }

    fn extra(&self, row: usize) -> Option<&Extra> {
        self.extras.get(&u32::try_from(row).ok()?)
    }

    fn bytes(&self, packed: &Packed, side: Side) -> Option<u64> {
        packed.sizes.get(side as usize)?.bytes(&self.large)
    }

    fn size(&self, row: usize) -> Option<u64> {
        let packed = &self.packed[row];
        self.bytes(packed, packed.newer)
    }

    /// Where a path stands.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        let at = self.before(path);
        (at < self.len() && self.path(at) == path).then_some(at)
    }

    /// How many rows come before a path.
    fn before(&self, path: &str) -> usize {
        let (mut low, mut high) = (0, self.len());
        let mut paths = self.paths.reader();
        while low < high {
            let middle = low.midpoint(high);
            if paths.path(middle) < path { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The rows below a folder.
    fn below(&self, folder: &str) -> std::ops::Range<usize> {
        // '0' is the character after '/'.
        self.before(&format!("{folder}/"))..self.before(&format!("{folder}0"))
    }

    /// How many wait to be synced, decided conflicts among them.
    pub(super) fn pending(&self) -> u64 {
        let waits = |p: &&Packed| !matches!(p.group, Group::Blocked | Group::Ignored);
        self.packed.iter().filter(waits).count() as u64
    }

    /// How many cannot be synced as they are: illegal names, what cannot be read, what waits.
    pub(super) fn blocked(&self) -> u64 {
        self.packed.iter().filter(|p| p.group == Group::Blocked).count() as u64
    }

    /// Conflicts without a decision.
    pub(super) fn undecided(&self) -> u64 {
        self.packed.iter().filter(|p| Conflicts::Undecided.has(p)).count() as u64
    }

    /// Paths that the rules no longer track and that wait for a decision.
    pub(super) fn untracked(&self) -> u64 {
        let waits = |p: &&Packed| p.untracked && p.group == Group::Blocked;
        self.packed.iter().filter(waits).count() as u64
    }

    /// Conflicts whose path contains a text, and the versions that were seen there.
    pub(super) fn conflicts_matching(&self, filter: &str, which: Conflicts) -> Vec<(String, Hash)> {
        let filter = shown::Filter::new(filter);
        let mut paths = self.paths.reader();
        let fitting = |row: usize| {
            let path = paths.path(row);
            let fits = filter.fits(path, self.old_path(row));
            self.seen(row).filter(|_| fits).map(|seen| (path.to_owned(), seen))
        };
        (0..self.len()).filter(|row| which.has(&self.packed[*row])).filter_map(fitting).collect()
    }

    /// Conflicts below a folder, and the versions that were seen there.
    pub(super) fn conflicts_below(
        &self,
        folder: &str,
        which: Conflicts,
    ) -> impl Iterator<Item = (String, Hash)> {
        let rows = self.below(folder).filter(move |row| which.has(&self.packed[*row]));
        rows.filter_map(|row| Some((self.path(row), self.seen(row)?)))
    }

    /// Stands for the versions that were seen, where a person may decide.
    fn seen(&self, row: usize) -> Option<Hash> {
        self.extra(row)?.seen
    }

    fn old_path(&self, row: usize) -> Option<&str> {
        self.extra(row)?.old_path.as_deref()
    }

    /// The folders in which a sync may set a copy aside: what is new there is not in any list.
    pub(super) fn folders_of_decided(&self) -> Vec<String> {
        let decided = (0..self.len()).filter(|row| self.packed[*row].resolution.is_some());
        let mut paths = self.paths.reader();
        let folder = |row: usize| {
            let folder = paths.path(row).rsplit_once('/');
            folder.map_or_else(String::new, |(folder, _)| folder.to_owned())
        };
        decided.map(folder).collect()
    }

    /// How much each group holds; of what is ignored only if that was looked for.
    pub(super) fn totals(&self, ignored_known: bool) -> Vec<GroupTotal> {
        let mut sums = [(0_u64, 0_u64); 5];
        for row in 0..self.len() {
            let sum = &mut sums[self.packed[row].group as usize];
            sum.0 += 1;
            sum.1 += self.size(row).unwrap_or(0);
        }
        let total = |group: Group| {
            let known = group != Group::Ignored || ignored_known;
            let (count, bytes) = sums[group as usize];
            GroupTotal { group, count: known.then_some(count), bytes: known.then_some(bytes) }
        };
        GROUPS.map(total).into()
    }

    /// What a sync of the ticked rows would do. `next`: the snapshot that it would publish.
    pub(super) fn selected(&self, ticks: &Ticks, next: &str) -> SelectedTotal {
        let mut total = SelectedTotal { count: 0, bytes: 0, snapshot: None, of: 0 };
        let mut publishes = false;
        for (row, packed) in self.packed.iter().enumerate().filter(|(_, p)| tickable(p)) {
            total.of += 1;
            if ticks.has(row) {
                total.count += 1;
                publishes |= self::publishes(packed);
                total.bytes += self.travelling(packed);
            }
        }
        total.snapshot = publishes.then(|| next.to_owned());
        total
    }

    /// The ticked rows for the engine; empty means everything.
    pub(super) fn only(&self, ticks: &Ticks) -> Result<Vec<String>, ApiError> {
        let tickable = |row: &usize| tickable(&self.packed[*row]);
        if ticks.everything() {
            return Ok(Vec::new());
        }
        let mut only = Vec::new();
        let mut paths = self.paths.reader();
        for row in (0..self.len()).filter(tickable).filter(|row| ticks.has(*row)) {
            only.push(paths.path(row).to_owned());
            // A move is one row and two paths.
            only.extend(self.old_path(row).map(str::to_owned));
        }
        if only.is_empty() {
            return Err(ApiError::new(Code::Usage.as_str(), "Nothing is selected.")
                .with_hint("Tick what shall be synced."));
        }
        Ok(only)
    }

    /// The paths that a sync of the ticked rows is about, in order.
    pub(super) fn taken(&self, ticks: &Ticks) -> Vec<u32> {
        let taken = |row: &u32| {
            let row = *row as usize;
            tickable(&self.packed[row]) && ticks.has(row)
        };
        (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).filter(taken).collect()
    }

    /// Bytes that go or come for it.
    fn travelling(&self, packed: &Packed) -> u64 {
        let size = |side: Side| self.bytes(packed, side).unwrap_or(0);
        match (packed.action, packed.resolution) {
            (Deed::Upload, _) => size(Side::Local),
            // Mine goes under another name, theirs comes.
            (Deed::Download, Some(Decision::Both)) => size(Side::Local) + size(Side::Remote),
            (Deed::Download, Some(Decision::Cached)) => size(Side::Cached),
            (Deed::Download, _) => size(Side::Remote),
            _ => 0,
        }
    }
}

/// What became of each row that a sync took, those that were left out first: `why` says why.
pub(super) fn results(
    before: &Rows,
    taken: &[u32],
    now: &Rows,
    why: &dyn Fn(&str) -> Option<String>,
) -> Vec<(u32, Option<Box<str>>)> {
    let mut paths = before.paths.reader();
    let mut left = |row: u32| {
        let path = paths.path(row as usize);
        let still = now.find(path)?;
        let reason = why(path).unwrap_or_else(|| match now.packed[still].group {
            Group::Conflicts => "It is in conflict now: decide how it ends.".to_owned(),
            _ => "It was changed again meanwhile.".to_owned(),
        });
        Some(reason.into_boxed_str())
    };
    let mut results: Vec<_> = taken.iter().map(|row| (*row, left(*row))).collect();
    results.sort_by_key(|(_, left)| left.is_none());
    results
}

/// Why a sync cannot be started while conflicts stand.
pub(super) fn conflicts_blocker(undecided: u64) -> Option<String> {
    match undecided {
        0 => None,
        1 => Some("1 conflict waits for a decision.".to_owned()),
        n => Some(format!("{n} conflicts wait for a decision.")),
    }
}

fn tickable(packed: &Packed) -> bool {
    match packed.group {
        Group::Conflicts => packed.resolution.is_some(),
        Group::Outgoing | Group::Incoming => true,
        Group::Blocked | Group::Ignored => false,
    }
}

/// Whether it changes the repository.
fn publishes(packed: &Packed) -> bool {
    match (packed.action, packed.resolution) {
        (Deed::Upload | Deed::DeleteRemote | Deed::MoveRemote, _) => true,
        // What was last synced returns to the repository, which has something else.
        (Deed::Download, Some(Decision::Cached)) => true,
        // The copy that is kept aside goes there, if there is one.
        (Deed::Download, Some(Decision::Both)) => packed.state != State::CrNe,
        _ => false,
    }
}
