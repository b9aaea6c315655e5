//! What the next sync takes: a rule that outlives rows, and its outcome for each row.

use std::collections::BTreeMap;

use super::{Rows, Shown, tickable};
use crate::api::{SelectWhat, Tick};

/// A rule: everything or nothing, and paths that are the other way, with all below them; the
/// nearest one counts.
#[derive(Debug)]
pub(in super::super) struct Ticks {
    all: bool,
    other: BTreeMap<String, bool>,
    /// One bit for each row.
    bits: Vec<u64>,
}

impl Default for Ticks {
    fn default() -> Self {
        Self { all: true, other: BTreeMap::new(), bits: Vec::new() }
    }
}

impl Ticks {
    /// Whether the rule is "everything".
    pub(super) fn everything(&self) -> bool {
        self.all && self.other.values().all(|ticked| *ticked)
    }

    /// Whether a row is taken.
    pub(super) fn has(&self, row: usize) -> bool {
        self.bits.get(row / 64).is_some_and(|bits| bits >> (row % 64) & 1 == 1)
    }

    /// Brings the rule to these rows.
    pub(in super::super) fn apply(&mut self, rows: &Rows) {
        let full = if self.all { u64::MAX } else { 0 };
        self.bits.clear();
        self.bits.resize(rows.len().div_ceil(64), full);
        // A folder comes before what is in it.
        for (path, ticked) in &self.other {
            for row in rows.find(path).into_iter().chain(rows.below(path)) {
                set(&mut self.bits, row, *ticked);
            }
        }
    }

    /// Changes the rule.
    pub(in super::super) fn select(
        &mut self,
        rows: &Rows,
        shown: &Shown,
        what: &SelectWhat,
        ticked: bool,
    ) {
        match what {
            SelectWhat::Everything => self.set_all(ticked),
            SelectWhat::Shown if is_whole(rows, shown, 0..rows.len()) => self.set_all(ticked),
            SelectWhat::Shown => {
                let mut paths = rows.paths.reader();
                for row in shown.matching() {
                    self.set_path(paths.path(*row as usize), ticked);
                }
            }
            SelectWhat::Paths { paths } => {
                for path in paths {
                    self.select_path(rows, shown, path, ticked);
                }
            }
            SelectWhat::Rows { offset, count } => {
                for path in shown.paths(rows, *offset, *count) {
                    self.select_path(rows, shown, &path, ticked);
                }
            }
        }
        self.apply(rows);
    }

    fn set_all(&mut self, ticked: bool) {
        self.all = ticked;
        self.other.clear();
    }

    fn select_path(&mut self, rows: &Rows, shown: &Shown, path: &str, ticked: bool) {
        let below = rows.below(path);
        if is_whole(rows, shown, below.clone()) {
            let (first, last) = (format!("{path}/"), format!("{path}0"));
            self.other.retain(|other, _| *other < first || *other >= last);
            return self.set_path(path, ticked);
        }
        if rows.find(path).is_some_and(|row| shown.matches(row)) {
            self.set_path(path, ticked);
        }
        let mut paths = rows.paths.reader();
        for row in below.filter(|row| shown.matches(*row)) {
            self.set_path(paths.path(row), ticked);
        }
    }

    fn set_path(&mut self, path: &str, ticked: bool) {
        self.other.remove(path);
        if self.inherited(path) != ticked {
            self.other.insert(path.to_owned(), ticked);
        }
    }

    /// What the folders above a path say.
    fn inherited(&self, path: &str) -> bool {
        let mut above = path.rmatch_indices('/').map(|(at, _)| &path[..at]);
        above.find_map(|folder| self.other.get(folder).copied()).unwrap_or(self.all)
    }

    /// Forgets what is said of paths that are not pending any more; folders stay.
    pub(in super::super) fn prune(&mut self, synced: &Rows, now: &Rows) {
        self.other.retain(|path, _| synced.find(path).is_none() || now.find(path).is_some());
        self.apply(now);
    }

    /// The tick of some rows together.
    pub(super) fn of(&self, rows: &Rows, some: impl Iterator<Item = usize>) -> (Tick, bool) {
        let (mut ticked, mut of) = (0_u64, 0_u64);
        for row in some.filter(|row| tickable(&rows.packed[*row])) {
            of += 1;
            ticked += u64::from(self.has(row));
        }
        let tick = match ticked {
            0 => Tick::None,
            n if n == of => Tick::All,
            _ => Tick::Some,
        };
        (tick, of > 0)
    }
}

fn set(bits: &mut [u64], row: usize, ticked: bool) {
    let Some(bits) = bits.get_mut(row / 64) else { return };
    let bit = 1 << (row % 64);
    if ticked { *bits |= bit } else { *bits &= !bit }
}

/// Whether all rows of a range that can be ticked are shown.
fn is_whole(rows: &Rows, shown: &Shown, mut range: std::ops::Range<usize>) -> bool {
    range.all(|row| !tickable(&rows.packed[row]) || shown.matches(row))
}
