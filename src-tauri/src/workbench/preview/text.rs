//! Lines, and what differs between two texts.

use std::borrow::Cow;
use std::time::Instant;

use similar::{ChangeTag, DiffOp, DiffTag, TextDiff};

use super::{CONTEXT, NOT_UTF8, shown_text};
use crate::api::{Hunk, LineChange, Span, TextLine, TextPreview};

/// Lines of a side that are read.
const LINES: usize = 20_000;
/// Lines that are shown.
const SHOWN: usize = 5_000;
/// A longer line is cut where it is shown, and its words are not compared.
const LONG: usize = 2_000;

/// The text of what was read, up to its last whole line if that is not all.
pub(super) fn read<'t>(bytes: &'t [u8], whole: bool, notes: &mut Vec<String>) -> Cow<'t, str> {
    let mut bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if !whole && let Some(end) = bytes.iter().rposition(|b| *b == b'\n') {
        bytes = &bytes[..=end];
    }
    let text = String::from_utf8_lossy(bytes);
    if matches!(text, Cow::Owned(_)) {
        notes.push(NOT_UTF8.to_owned());
    }
    let end = text.match_indices('\n').nth(LINES - 1).map_or(text.len(), |(at, _)| at + 1);
    let whole = whole && end == text.len();
    if !whole {
        let lines = text[..end].lines().count();
        notes.push(format!("The first {lines} lines are looked at; the file is longer."));
    }
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

/// One text, or what differs between two.
pub(super) fn show(
    left: Option<&str>,
    right: Option<&str>,
    deadline: Instant,
    notes: &mut Vec<String>,
) -> TextPreview {
    let mut preview = match (left, right) {
        (Some(left), Some(right)) => differences(left, right, deadline),
        (Some(text), None) => alone(text, false),
        (None, Some(text)) => alone(text, true),
        (None, None) => TextPreview { hunks: Vec::new(), added: 0, removed: 0 },
    };
    let mut room = SHOWN;
    for hunk in &mut preview.hunks {
        hunk.lines.truncate(room);
        room -= hunk.lines.len();
    }
    if room == 0 {
        notes.push(format!("The first {SHOWN} lines are shown."));
        preview.hunks.retain(|hunk| !hunk.lines.is_empty());
    }
    preview
}

fn alone(text: &str, later: bool) -> TextPreview {
    let line = |(number, line): (usize, &str)| {
        let number = Some(number as u64 + 1);
        TextLine {
            change: LineChange::Same,
            left: number.filter(|_| !later),
            right: number.filter(|_| later),
            spans: vec![span(line, false)],
        }
    };
    let lines = text.lines().enumerate().take(SHOWN + 1).map(line).collect();
    TextPreview { hunks: vec![Hunk { skipped: 0, lines }], added: 0, removed: 0 }
}

fn differences(left: &str, right: &str, deadline: Instant) -> TextPreview {
    let diff = TextDiff::configure().deadline(deadline).diff_lines(left, right);
    let mut preview = TextPreview { hunks: Vec::new(), added: 0, removed: 0 };
    for op in diff.ops() {
        let (old, new) = (op.old_range().len() as u64, op.new_range().len() as u64);
        if op.tag() != DiffTag::Equal {
            preview.removed += old;
            preview.added += new;
        }
    }
    let (mut end, mut shown) = (0, 0);
    for group in diff.grouped_ops(CONTEXT) {
        let Some(first) = group.first() else { continue };
        let skipped = first.old_range().start.saturating_sub(end) as u64;
        end = group.last().map_or(end, |op| op.old_range().end);
        let mut lines = Vec::new();
        for op in &group {
            // One line more than is shown says that there are more.
            if shown + lines.len() > SHOWN {
                break;
            }
            take(&diff, op, deadline, &mut lines);
        }
        shown += lines.len();
        preview.hunks.push(Hunk { skipped, lines });
    }
    preview
}

fn take(diff: &TextDiff<'_, '_, str>, op: &DiffOp, deadline: Instant, lines: &mut Vec<TextLine>) {
    let number = |index: Option<usize>| index.map(|n| n as u64 + 1);
    let long = |line: Option<&str>| line.is_some_and(|line| line.len() > LONG);
    let compares = op.tag() == DiffTag::Replace
        && !op.old_range().any(|n| long(diff.old_slice(n)))
        && !op.new_range().any(|n| long(diff.new_slice(n)));
    if compares {
        for change in diff.iter_inline_changes_deadline(op, Some(deadline)) {
            lines.push(TextLine {
                change: tag(change.tag()),
                left: number(change.old_index()),
                right: number(change.new_index()),
                spans: change.values().iter().map(|(changed, text)| span(text, *changed)).collect(),
            });
        }
        return;
    }
    for change in diff.iter_changes(op).take(SHOWN + 1) {
        lines.push(TextLine {
            change: tag(change.tag()),
            left: number(change.old_index()),
            right: number(change.new_index()),
            spans: vec![span(change.value(), false)],
        });
    }
}

fn tag(tag: ChangeTag) -> LineChange {
    match tag {
        ChangeTag::Equal => LineChange::Same,
        ChangeTag::Delete => LineChange::Removed,
        ChangeTag::Insert => LineChange::Added,
    }
}

fn span(text: &str, changed: bool) -> Span {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let mut end = text.len().min(LONG);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let cut = if end < text.len() { "…" } else { "" };
    Span { text: shown_text(&text[..end]) + cut, changed }
}
