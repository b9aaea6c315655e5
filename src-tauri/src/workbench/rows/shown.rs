//! Which rows a view shows, and in which order.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Conflicts, Group, Packed, Reader, Rows};
use crate::api::{ChangesView, Layout, SortKey};

/// Which folders of the tree are open: all or none, and those that are the other way.
#[derive(Debug)]
pub(in super::super) struct Folders {
    all: bool,
    other: BTreeSet<String>,
}

impl Default for Folders {
    fn default() -> Self {
        Self { all: true, other: BTreeSet::new() }
    }
}

impl Folders {
    /// Opens or closes one folder, or all.
    pub(in super::super) fn set(&mut self, path: Option<&str>, open: bool) {
        let Some(path) = path else {
            self.all = open;
            self.other.clear();
            return;
        };
        if self.all == open {
            self.other.remove(path);
        } else {
            self.other.insert(path.to_owned());
        }
    }

    fn is_open(&self, path: &str) -> bool {
        self.all != self.other.contains(path)
    }
}

/// A text that must occur in a path, in whatever case.
pub(super) struct Filter {
    lower: String,
    plain: bool,
}

impl Filter {
    pub(super) fn new(text: &str) -> Self {
        let lower = text.trim().to_lowercase();
        Self { plain: lower.is_ascii(), lower }
    }

    pub(super) fn fits(&self, path: &str, old_path: Option<&str>) -> bool {
        self.lower.is_empty() || self.occurs(path) || old_path.is_some_and(|old| self.occurs(old))
    }

    fn occurs(&self, path: &str) -> bool {
        if !self.plain || !path.is_ascii() {
            return path.to_lowercase().contains(&self.lower);
        }
        let wanted = self.lower.as_bytes();
        path.as_bytes().windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted))
    }
}

/// One line of the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Line {
    /// A change, by its row.
    Change { row: u32, depth: u16 },
    /// A folder: the range of matching rows in it, and where its path and its name end and begin.
    Folder { first: u32, end: u32, length: u16, name: u16, depth: u16, open: bool },
}

/// What a view shows.
#[derive(Debug, Default)]
pub(in super::super) struct Shown {
    view: Option<ChangesView>,
    /// Rows that match, by path.
    matching: Vec<u32>,
    /// One bit for each row.
    bits: Vec<u64>,
    /// Lines in their order; of a plain list, all that match stand for themselves.
    lines: Vec<Line>,
    plain: bool,
}

impl Shown {
    /// Looks through all rows.
    pub(in super::super) fn new(rows: &Rows, view: &ChangesView, folders: &Folders) -> Self {
        let filter = Filter::new(&view.filter);
        let mut wanted = [false; 5];
        view.groups.iter().for_each(|group| wanted[*group as usize] = true);
        let mut bits = vec![0_u64; rows.len().div_ceil(64)];
        let mut matching = Vec::new();
        let mut paths = rows.paths.reader();
        for (row, packed) in rows.packed.iter().enumerate() {
            if wanted[packed.group as usize] && filter.fits(paths.path(row), rows.old_path(row)) {
                bits[row / 64] |= 1 << (row % 64);
                matching.extend(u32::try_from(row));
            }
        }
        let mut shown =
            Self { view: Some(view.clone()), matching, bits, lines: Vec::new(), plain: false };
        match view.layout {
            Layout::List => shown.list(rows, view),
            Layout::Tree => {
                let all = 0..shown.matching.len();
                let mut lines = Vec::new();
                let paths = &mut rows.paths.reader();
                shown.tree(rows, paths, view, folders, all, 0, 0, &mut lines);
                shown.lines = lines;
            }
        }
        shown
    }

    /// Whether it is of this view.
    pub(in super::super) fn is_of(&self, view: &ChangesView) -> bool {
        self.view.as_ref() == Some(view)
    }

    /// Rows that match, by path.
    pub(in super::super) fn matching(&self) -> &[u32] {
        &self.matching
    }

    /// Whether a row matches.
    pub(super) fn matches(&self, row: usize) -> bool {
        self.bits.get(row / 64).is_some_and(|bits| bits >> (row % 64) & 1 == 1)
    }

    /// Lines on all pages.
    pub(in super::super) fn total(&self) -> usize {
        if self.plain { self.matching.len() } else { self.lines.len() }
    }

    /// One line.
    pub(in super::super) fn line(&self, number: usize) -> Option<Line> {
        if self.plain {
            return self.matching.get(number).map(|row| Line::Change { row: *row, depth: 0 });
        }
        self.lines.get(number).cloned()
    }

    /// Paths of some lines.
    pub(super) fn paths(&self, rows: &Rows, offset: u64, count: u64) -> Vec<String> {
        let first = usize::try_from(offset).unwrap_or(usize::MAX);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let lines = (first..first.saturating_add(count)).map_while(|number| self.line(number));
        let path = |line| match line {
            Line::Change { row, .. } => rows.path(row as usize),
            Line::Folder { first, length, .. } => self.prefix(rows, first, length),
        };
        lines.map(path).collect()
    }

    /// The first bytes of the path of a matching row: a folder that it lies in.
    pub(super) fn prefix(&self, rows: &Rows, first: u32, length: u16) -> String {
        let mut path = rows.path(self.matching[first as usize] as usize);
        path.truncate(usize::from(length));
        path
    }

    /// The line of a row.
    pub(in super::super) fn position(&self, row: usize) -> Option<usize> {
        let wanted = u32::try_from(row).ok()?;
        if self.plain {
            return self.matching.binary_search(&wanted).ok();
        }
        let is = |line: &Line| matches!(line, Line::Change { row, .. } if *row == wanted);
        self.lines.iter().position(is)
    }

    fn list(&mut self, rows: &Rows, view: &ChangesView) {
        let conflict = |row: u32| rows.packed[row as usize].group == Group::Conflicts;
        let pinned = self.matching.iter().any(|row| conflict(*row));
        self.plain = !pinned && view.sort == SortKey::Path && !view.descending;
        if self.plain {
            return;
        }
        let mut order = self.matching.clone();
        sort(&mut order, rows, view);
        order.sort_by_key(|row| !conflict(*row));
        self.lines = order.into_iter().map(|row| Line::Change { row, depth: 0 }).collect();
    }

    /// The lines of a folder that holds the matching rows of a range; `from` bytes of their paths
    /// are the folder's.
    #[allow(clippy::too_many_arguments, reason = "a walk carries where it is")]
    fn tree(
        &self,
        rows: &Rows,
        paths: &mut Reader<'_>,
        view: &ChangesView,
        folders: &Folders,
        range: Range<usize>,
        from: usize,
        depth: u16,
        lines: &mut Vec<Line>,
    ) {
        let mut files = Vec::new();
        let mut inner: Vec<Branch> = Vec::new();
        let mut at = range.start;
        while at < range.end {
            match paths.path(self.matching[at] as usize)[from..].find('/') {
                None => {
                    files.push(self.matching[at]);
                    at += 1;
                }
                Some(slash) => {
                    let branch = self.branch(paths, at..range.end, from, from + slash);
                    at = branch.rows.end;
                    inner.push(branch);
                }
            }
        }
        self.sort_folders(&mut inner, rows, view);
        for Branch { rows: within, name, length } in inner {
            let path = paths.path(self.matching[within.start] as usize);
            let open = folders.is_open(&path[..length]);
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let short = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
            lines.push(Line::Folder {
                first: number(within.start),
                end: number(within.end),
                length: short(length),
                name: short(name),
                depth,
                open,
            });
            if open {
                self.tree(rows, paths, view, folders, within, length + 1, depth + 1, lines);
            }
        }
        sort(&mut files, rows, view);
        lines.extend(files.into_iter().map(|row| Line::Change { row, depth }));
    }

    /// The folder that begins at the first row of a range, joined with the only folder in it, and so
    /// on.
    fn branch(
        &self,
        paths: &mut Reader<'_>,
        range: Range<usize>,
        name: usize,
        length: usize,
    ) -> Branch {
        let mut length = length;
        let first = paths.path(self.matching[range.start] as usize).to_owned();
        let mut end = self.end_of(paths, range.clone(), &first[..=length]);
        while let Some(slash) = first[length + 1..].find('/') {
            let deeper = length + 1 + slash;
            let inner = self.end_of(paths, range.start..end, &first[..=deeper]);
            if inner != end {
                break;
            }
            (length, end) = (deeper, inner);
        }
        Branch { rows: range.start..end, name, length }
    }

    /// Where the matching rows that begin with a prefix end: they follow one another, and the first
    /// does. Found by ever longer steps, since most folders are small.
    fn end_of(&self, paths: &mut Reader<'_>, range: Range<usize>, prefix: &str) -> usize {
        let mut begins = |row: usize| paths.path(self.matching[row] as usize).starts_with(prefix);
        let (mut inside, mut step) = (range.start, 1);
        while inside + step < range.end && begins(inside + step) {
            inside += step;
            step *= 2;
        }
        let mut outside = range.end.min(inside + step);
        while inside + 1 < outside {
            let middle = inside.midpoint(outside);
            if begins(middle) { inside = middle } else { outside = middle }
        }
        outside
    }

    fn sort_folders(&self, folders: &mut [Branch], rows: &Rows, view: &ChangesView) {
        let within = |branch: &Branch| &self.matching[branch.rows.clone()];
        match view.sort {
            SortKey::Path => {}
            SortKey::Size => folders.sort_by_cached_key(|branch| -> u64 {
                within(branch).iter().filter_map(|row| rows.size(*row as usize)).sum()
            }),
            SortKey::State => folders.sort_by_cached_key(|branch| {
                within(branch).iter().map(|row| state(&rows.packed[*row as usize])).min()
            }),
            SortKey::Time => folders.sort_by_cached_key(|branch| {
                within(branch).iter().map(|row| rows.packed[*row as usize].mtime).max()
            }),
        }
        if view.descending {
            folders.reverse();
        }
    }
}

/// A folder of the tree: its matching rows, where its name begins, and where its path ends.
struct Branch {
    rows: Range<usize>,
    name: usize,
    length: usize,
}

fn sort(order: &mut [u32], rows: &Rows, view: &ChangesView) {
    let packed = |row: &u32| &rows.packed[*row as usize];
    match view.sort {
        SortKey::Path => {}
        SortKey::Size => order.sort_by_key(|row| rows.size(*row as usize).unwrap_or(0)),
        SortKey::State => order.sort_by_key(|row| state(packed(row))),
        SortKey::Time => order.sort_by_key(|row| packed(row).mtime),
    }
    if view.descending {
        order.reverse();
    }
}

/// Undecided conflicts first.
fn state(packed: &Packed) -> (bool, u8, super::Deed, dsg_core::state::State) {
    (!Conflicts::Undecided.has(packed), packed.group as u8, packed.action, packed.state)
}
