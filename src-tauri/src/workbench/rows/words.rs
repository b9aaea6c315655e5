//! A row as the window gets it: names, sentences, times.

use dsg_core::plan::Resolution as Decision;

use super::{Conflicts, Deed, Line, NEVER, Packed, Rows, Shown, Side, Size, Ticks, tickable};
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;
use crate::workbench::words;

impl Rows {
    /// A line of the window. Who made the repository's side is not known here.
    pub(in super::super) fn line(&self, shown: &Shown, ticks: &Ticks, line: &Line) -> ChangesRow {
        match *line {
            Line::Change { row, depth } => {
                ChangesRow::Change(self.change(row as usize, u64::from(depth), ticks))
            }
            Line::Folder { first, end, length, name, depth, open } => {
                let path = shown.prefix(self, first, length);
                let within = &shown.matching()[first as usize..end as usize];
                let rows = || within.iter().map(|row| *row as usize);
                let (ticked, tickable) = ticks.of(self, rows());
                ChangesRow::Folder(FolderRow {
                    name: path[usize::from(name)..].to_owned(),
                    path,
                    depth: u64::from(depth),
                    open,
                    ticked,
                    tickable,
                    count: within.len() as u64,
                    bytes: rows().filter_map(|row| self.size(row)).sum(),
                    conflicts: rows()
                        .filter(|row| Conflicts::Undecided.has(&self.packed[*row]))
                        .count() as u64,
                })
            }
        }
    }

    /// The tick of all that matches.
    pub(in super::super) fn ticked(&self, shown: &Shown, ticks: &Ticks) -> Tick {
        ticks.of(self, shown.matching().iter().map(|row| *row as usize)).0
    }

    /// One change.
    pub(in super::super) fn change(&self, row: usize, depth: u64, ticks: &Ticks) -> ChangeRow {
        let packed = &self.packed[row];
        let extra = self.extra(row);
        let size = |side: Side| self.bytes(packed, side);
        let tickable = tickable(packed);
        ChangeRow {
            path: self.path(row),
            old_path: extra.and_then(|e| e.old_path.as_deref()).map(str::to_owned),
            depth,
            state: packed.state.as_str().to_owned(),
            action: packed.action.as_str().to_owned(),
            group: packed.group,
            size: self.size(row),
            delta: self.delta(packed),
            local_size: size(Side::Local),
            cached_size: size(Side::Cached),
            remote_size: size(Side::Remote),
            time: (packed.mtime != NEVER).then(|| words::time(packed.mtime)).flatten(),
            sentence: sentence(packed).to_owned(),
            reason: extra.and_then(|e| e.reason.as_deref()).map(str::to_owned),
            choices: choices(packed),
            seen: self.seen(row).map(|seen| seen.to_string()),
            untracked: packed.untracked,
            resolution: packed.resolution.map(words::resolution),
            ticked: tickable && ticks.has(row),
            tickable,
            remote_author: None,
            remote_time: None,
            remote_snapshot: None,
        }
    }

    /// Bytes that the side which gets something new grows by.
    fn delta(&self, packed: &Packed) -> Option<i64> {
        let (new, old) = match packed.action {
            Deed::Upload | Deed::DeleteRemote => (Side::Local, Side::Remote),
            Deed::Download | Deed::DeleteLocal => (Side::Remote, Side::Local),
            _ => return None,
        };
        let (new, old) = (self.bytes(packed, new), self.bytes(packed, old));
        if new.is_none() && old.is_none()
            || matches!(packed.action, Deed::Upload | Deed::Download) && old.is_none()
        {
            return None;
        }
        let number = |size: Option<u64>| i64::try_from(size.unwrap_or(0)).unwrap_or(i64::MAX);
        Some(number(new) - number(old))
    }
}

/// A blocked path's state is not known, so only its reason speaks.
fn sentence(packed: &Packed) -> &'static str {
    match (packed.group, packed.action) {
        (Group::Ignored, _) => "Left alone by a rule.",
        (Group::Blocked | Group::Conflicts, _) if packed.untracked => "No longer tracked here.",
        (Group::Blocked, _) => "",
        (_, Deed::MoveRemote) => "Moved here since your last sync.",
        (_, Deed::MoveLocal) => "Moved in the repository since your last sync.",
        _ => packed.state.sentence(),
    }
}

fn choices(packed: &Packed) -> Vec<Resolution> {
    if !packed.decidable {
        return Vec::new();
    }
    if packed.untracked {
        return vec![Resolution::Local, Resolution::Remote];
    }
    let mut choices = vec![Resolution::Local, Resolution::Remote];
    if packed.sizes[Side::Cached as usize] != Size::NONE {
        choices.push(Resolution::Cached);
    }
    choices.push(Resolution::Both);
    choices
}

/// Why a path is here, what the next sync does with it, and what becomes of the other versions.
pub(in super::super) fn explanation(row: &ChangeRow, made: Option<&Maker>) -> String {
    let who = made.map(|m| format!(" {} did that in {}.", m.author, m.snapshot));
    let comes = matches!(row.group, Group::Incoming | Group::Conflicts);
    let mut said = vec![row.sentence.clone()];
    if comes {
        said.extend(who.map(|w| w.trim_start().to_owned()));
    }
    let next = match (row.group, row.action.as_str(), row.resolution) {
        (Group::Ignored, ..) => "It takes no part in any sync; change the rule to track it.",
        (Group::Blocked, ..) if !row.choices.is_empty() => {
            "A rule leaves it alone now, but the repository still has it. Decide whether it is kept there or removed there; what is in your folder stays."
        }
        (Group::Blocked, ..) => "It stays as it is on both sides until the reason is gone.",
        (_, "conflict", _) => {
            "Nothing happens to it before you decide. Whatever you choose, the other version can be had again: yours from the trash, the repository's from its history."
        }
        (_, _, Some(Resolution::Local)) if row.untracked => {
            "As you decided, the next sync deletes it in the repository; its history keeps it. What is in your folder stays."
        }
        (_, _, Some(_)) if row.untracked => {
            "As you decided, it stays in the repository; the next sync notes that. What is in your folder stays, too."
        }
        (_, _, Some(Resolution::Local)) if row.local_size.is_none() => {
            "As you decided, the next sync deletes it in the repository; its history keeps it."
        }
        (_, _, Some(Resolution::Local)) => {
            "As you decided, the next sync takes your version to the repository; its history keeps the other."
        }
        (_, _, Some(Resolution::Remote)) => {
            "As you decided, the next sync brings the repository's version here; yours goes to the trash."
        }
        (_, _, Some(Resolution::Cached)) => {
            "As you decided, the next sync returns both sides to the version of your last sync; yours goes to the trash, the repository's stays in its history."
        }
        (_, _, Some(Resolution::Both)) => {
            "As you decided, the next sync brings the repository's version here and keeps yours beside it, under a name of its own."
        }
        (_, "upload", _) => "The next sync takes it to the repository.",
        (_, "delete_remote", _) => {
            "The next sync deletes it in the repository; its history keeps it."
        }
        (_, "move_remote", _) => "The next sync moves it in the repository, too.",
        (_, "download", _) if row.local_size.is_some() => {
            "The next sync brings it here; your version goes to the trash."
        }
        (_, "download", _) => "The next sync brings it here.",
        (_, "delete_local", _) => "The next sync deletes it here; it goes to the trash.",
        (_, "move_local", _) => "The next sync moves it here, too.",
        _ => "The next sync notes that both sides agree; no file is touched.",
    };
    said.extend(row.reason.clone());
    said.push(next.to_owned());
    said.retain(|sentence| !sentence.is_empty());
    said.join(" ")
}

impl Rows {
    /// What became of a row that a sync took. `left`: why it was left out.
    pub(in super::super) fn result(&self, row: usize, left: Option<&str>) -> ResultRow {
        result(self.change(row, 0, &Ticks::default()), self.packed[row].resolution, left)
    }
}

fn result(was: ChangeRow, decision: Option<Decision>, left: Option<&str>) -> ResultRow {
    let done = left.is_none();
    let sentence = match (left, was.action.as_str(), decision) {
        (Some(why), ..) => why.to_owned(),
        (_, "cache", Some(_)) if was.untracked => "It stays in the repository.".to_owned(),
        (_, _, Some(Decision::Both)) => "Both versions are kept.".to_owned(),
        (_, _, Some(Decision::Cached)) => {
            "Both sides have the version of the last sync again.".to_owned()
        }
        (_, "upload", _) => "Uploaded.".to_owned(),
        (_, "download", _) => "Downloaded.".to_owned(),
        (_, "delete_local", _) => "Deleted here; it is in the trash.".to_owned(),
        (_, "delete_remote", _) => "Deleted in the repository.".to_owned(),
        (_, "move_local", _) => "Moved here.".to_owned(),
        (_, "move_remote", _) => "Moved in the repository.".to_owned(),
        _ => "Both sides agree.".to_owned(),
    };
    ResultRow {
        path: was.path,
        old_path: was.old_path,
        action: was.action,
        size: was.size,
        done,
        sentence,
    }
}
