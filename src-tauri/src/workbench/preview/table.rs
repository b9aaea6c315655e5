//! Rows and cells, and what differs between two tables.

use std::collections::HashMap;
use std::time::Instant;

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline, group_diff_ops};

use super::{CONTEXT, Kind, NOT_UTF8, Side, shown_text};
use crate::api::{LineChange, TableCell, TableColumn, TableHunk, TablePreview, TableRow};

/// Rows of a side that are read.
const ROWS: usize = 20_000;
/// Rows that are shown, and cells: a page of more of them holds a window up.
const SHOWN: usize = 2_000;
const CELLS: usize = 16_000;
const COLUMNS: usize = 200;
/// Characters of a cell that are shown.
const CELL: usize = 500;

/// The character that parts the cells: the one that occurs most in the first line.
pub(super) fn delimiter(bytes: &[u8]) -> u8 {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let count = |delimiter: &u8| line.split(|b| b == delimiter).count();
    [b',', b';', b'\t', b'|'].into_iter().rev().max_by_key(count).unwrap_or(b',')
}

type Record = Vec<String>;

struct Table {
    names: Record,
    rows: Vec<Record>,
}

/// One table, or what differs between two; `None` if it is none.
pub(super) fn show(
    left: Option<&Side>,
    right: Option<&Side>,
    deadline: Instant,
    notes: &mut Vec<String>,
) -> Option<TablePreview> {
    let mut read = |side: Option<&Side>| {
        let Some(side) = side else { return Some(None) };
        let delimiter = if let Kind::Table(delimiter) = side.kind() { delimiter } else { b',' };
        parse(side.bytes(), side.is_whole(), delimiter, notes).map(Some)
    };
    let (left, right) = (read(left)?, read(right)?);
    let (mut preview, cut) = match (&left, &right) {
        (Some(left), Some(right)) => differences(left, right, deadline),
        (Some(table), None) => alone(table, false),
        (None, Some(table)) => alone(table, true),
        (None, None) => return None,
    };
    if cut {
        let shown: usize = preview.hunks.iter().map(|hunk| hunk.rows.len()).sum();
        notes.push(format!("The first {shown} rows are shown."));
        preview.hunks.retain(|hunk| !hunk.rows.is_empty());
    }
    Some(preview)
}

/// How many rows of so many cells are shown.
fn room(columns: usize) -> usize {
    (CELLS / columns.max(1)).min(SHOWN)
}

fn parse(bytes: &[u8], whole: bool, delimiter: u8, notes: &mut Vec<String>) -> Option<Table> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let mut rows: Vec<Record> = Vec::new();
    let mut lossy = false;
    let mut wide = false;
    let mut more = !whole;
    for record in reader.byte_records() {
        let record = record.ok()?;
        if rows.len() > ROWS {
            more = true;
            break;
        }
        wide |= record.len() > COLUMNS;
        let cell = |cell: &[u8]| {
            let text = String::from_utf8_lossy(cell);
            (text.into_owned(), std::str::from_utf8(cell).is_err())
        };
        let cells = record.iter().take(COLUMNS).map(cell);
        rows.push(
            cells
                .map(|(text, bad)| {
                    lossy |= bad;
                    text
                })
                .collect(),
        );
    }
    if !whole && rows.len() <= ROWS {
        // The last row may be cut off.
        rows.pop();
    }
    if lossy {
        notes.push(NOT_UTF8.to_owned());
    }
    if wide {
        notes.push(format!("The first {COLUMNS} columns are shown."));
    }
    if rows.is_empty() {
        return Some(Table { names: Vec::new(), rows });
    }
    let names = rows.remove(0);
    if more {
        notes.push(format!("The first {} rows are looked at; the table is longer.", rows.len()));
    }
    // One column without any delimiter is no table.
    (names.len() > 1 || rows.iter().all(|row| row.len() <= 1)).then_some(Table { names, rows })
}

/// The rows of one table, and whether there are more of them.
fn alone(table: &Table, later: bool) -> (TablePreview, bool) {
    let columns = table.names.iter().map(|name| column(name, LineChange::Same)).collect();
    let widest = table.rows.iter().map(Vec::len).max().unwrap_or(0).max(table.names.len());
    let rows = table.rows.iter().enumerate().take(room(widest)).map(|(number, row)| {
        let number = Some(number as u64 + 1);
        TableRow {
            change: LineChange::Same,
            left: number.filter(|_| !later),
            right: number.filter(|_| later),
            cells: (0..table.names.len().max(row.len())).map(|n| plain(row, Some(n))).collect(),
        }
    });
    let rows: Vec<TableRow> = rows.collect();
    let cut = rows.len() < table.rows.len();
    let hunks = vec![TableHunk { skipped: 0, rows }];
    (TablePreview { columns, hunks, added: 0, removed: 0, changed: 0 }, cut)
}

/// Where each column of the preview stands in the earlier and in the later table.
type Places = Vec<(Option<usize>, Option<usize>)>;

fn columns(left: &Table, right: &Table) -> (Vec<TableColumn>, Places) {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, name) in left.names.iter().enumerate().rev() {
        by_name.entry(name).or_default().push(at);
    }
    let mut places: Places = Vec::new();
    for (at, name) in right.names.iter().enumerate() {
        places.push((by_name.get_mut(name.as_str()).and_then(Vec::pop), Some(at)));
    }
    let mut gone: Vec<usize> = by_name.into_values().flatten().collect();
    gone.sort_unstable();
    for at in gone {
        // After the column that it followed.
        let before = places.iter().rposition(|(l, _)| l.is_some_and(|l| l < at));
        places.insert(before.map_or(0, |n| n + 1), (Some(at), None));
    }
    let columns = places.iter().map(|(l, r)| match (l, r) {
        (Some(_), Some(r)) => column(&right.names[*r], LineChange::Same),
        (None, Some(r)) => column(&right.names[*r], LineChange::Added),
        (Some(l), None) => column(&left.names[*l], LineChange::Removed),
        (None, None) => column("", LineChange::Same),
    });
    (columns.collect(), places)
}

/// What differs between two tables, and whether more does than is shown.
fn differences(left: &Table, right: &Table, deadline: Instant) -> (TablePreview, bool) {
    let (columns, places) = columns(left, right);
    // Rows are the same if the columns that both have are.
    let shared: Vec<(usize, usize)> =
        places.iter().filter_map(|(l, r)| Some(((*l)?, (*r)?))).collect();
    let cell = |row: &Record, at: usize| row.get(at).cloned().unwrap_or_default();
    let of_left: Vec<Record> =
        left.rows.iter().map(|row| shared.iter().map(|(l, _)| cell(row, *l)).collect()).collect();
    let of_right: Vec<Record> =
        right.rows.iter().map(|row| shared.iter().map(|(_, r)| cell(row, *r)).collect()).collect();
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &of_left, &of_right, Some(deadline));
    let mut room = room(places.len());
    let mut preview = TablePreview { columns, hunks: Vec::new(), added: 0, removed: 0, changed: 0 };
    let mut cut = false;
    let mut end = 0;
    for group in group_diff_ops(ops, CONTEXT) {
        let Some(first) = group.first() else { continue };
        let skipped = first.old_range().start.saturating_sub(end) as u64;
        end = group.last().map_or(end, |op| op.old_range().end);
        let mut rows = Rows { left, right, places: &places, room, shown: Vec::new(), cut: false };
        let mut count = |change: LineChange| match change {
            LineChange::Added => preview.added += 1,
            LineChange::Removed => preview.removed += 1,
            LineChange::Changed => preview.changed += 1,
            LineChange::Same => {}
        };
        for op in &group {
            rows.take(op, &mut count);
        }
        cut |= rows.cut;
        room -= rows.shown.len();
        preview.hunks.push(TableHunk { skipped, rows: rows.shown });
    }
    (preview, cut)
}

/// The rows of one hunk: all are counted, as many are made as there is room for.
struct Rows<'a> {
    left: &'a Table,
    right: &'a Table,
    places: &'a Places,
    room: usize,
    shown: Vec<TableRow>,
    cut: bool,
}

impl Rows<'_> {
    fn take(&mut self, op: &DiffOp, count: &mut impl FnMut(LineChange)) {
        match *op {
            DiffOp::Equal { old_index, new_index, len } => {
                (0..len).for_each(|n| count(self.both(old_index + n, new_index + n)));
            }
            DiffOp::Delete { old_index, old_len, .. } => {
                (old_index..old_index + old_len).for_each(|n| count(self.removed(n)));
            }
            DiffOp::Insert { new_index, new_len, .. } => {
                (new_index..new_index + new_len).for_each(|n| count(self.added(n)));
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                let (old, new) = (old_index..old_index + old_len, new_index..new_index + new_len);
                self.replaced(old, new, count);
            }
        }
    }

    /// Rows of one key (their first cell) are one row that changed; without keys in common, rows in
    /// the same place are.
    fn replaced(
        &mut self,
        old: std::ops::Range<usize>,
        new: std::ops::Range<usize>,
        count: &mut impl FnMut(LineChange),
    ) {
        let key = |row: &Record| row.first().cloned().unwrap_or_default();
        let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
        for n in old.clone().rev() {
            by_key.entry(key(&self.left.rows[n])).or_default().push(n);
        }
        let mut pairs: Vec<(usize, Option<usize>)> = Vec::new();
        let mut last = None;
        for n in new.clone() {
            let partner = by_key
                .get_mut(&key(&self.right.rows[n]))
                .and_then(|rows| rows.pop_if(|old| last.is_none_or(|last| *old > last)));
            last = partner.or(last);
            pairs.push((n, partner));
        }
        if pairs.iter().all(|(_, partner)| partner.is_none()) && old.len() == new.len() {
            old.zip(new).for_each(|(l, r)| count(self.both(l, r)));
            return;
        }
        let mut at = old.start;
        for (n, partner) in pairs {
            if let Some(partner) = partner {
                (at..partner).for_each(|n| count(self.removed(n)));
                count(self.both(partner, n));
                at = partner + 1;
            } else {
                count(self.added(n));
            }
        }
        (at..old.end).for_each(|n| count(self.removed(n)));
    }

    fn both(&mut self, l: usize, r: usize) -> LineChange {
        let (left, right) = (&self.left.rows[l], &self.right.rows[r]);
        let differ = |a: usize, b: usize| left.get(a) != right.get(b);
        let changed =
            |at: &(Option<usize>, Option<usize>)| matches!(*at, (Some(a), Some(b)) if differ(a, b));
        let same = !self.places.iter().any(changed);
        let change = if same { LineChange::Same } else { LineChange::Changed };
        self.show(change, Some(l), Some(r), |(at_left, at_right)| match (at_left, at_right) {
            (Some(a), Some(b)) if differ(a, b) => {
                let former = left.get(a).map(|text| short(text)).unwrap_or_default();
                TableCell { former: Some(former), changed: true, ..plain(right, Some(b)) }
            }
            (_, Some(b)) => plain(right, Some(b)),
            (a, None) => plain(left, a),
        })
    }

    fn removed(&mut self, l: usize) -> LineChange {
        let row = &self.left.rows[l];
        self.show(LineChange::Removed, Some(l), None, |(at, _)| plain(row, at))
    }

    fn added(&mut self, r: usize) -> LineChange {
        let row = &self.right.rows[r];
        self.show(LineChange::Added, None, Some(r), |(_, at)| plain(row, at))
    }

    /// Makes a row if there is room for it.
    fn show(
        &mut self,
        change: LineChange,
        left: Option<usize>,
        right: Option<usize>,
        cell: impl Fn((Option<usize>, Option<usize>)) -> TableCell,
    ) -> LineChange {
        if self.shown.len() < self.room {
            let number = |at: Option<usize>| at.map(|n| n as u64 + 1);
            let cells = self.places.iter().map(|at| cell(*at)).collect();
            self.shown.push(TableRow { change, left: number(left), right: number(right), cells });
        } else {
            self.cut = true;
        }
        change
    }
}

fn column(name: &str, change: LineChange) -> TableColumn {
    TableColumn { name: short(name), change }
}

fn plain(row: &Record, at: Option<usize>) -> TableCell {
    let text = at.and_then(|at| row.get(at)).map(|text| short(text)).unwrap_or_default();
    TableCell { text, former: None, changed: false }
}

fn short(text: &str) -> String {
    let end = text.char_indices().nth(CELL).map_or(text.len(), |(at, _)| at);
    let cut = if end < text.len() { "…" } else { "" };
    shown_text(&text[..end]) + cut
}
