//! What is pending, in five groups, and what to do next.

use std::fmt::Write as _;

use dsg_core::places::{Lease, Work};
use dsg_engine::report::{Reach, Status, StatusChange};

use super::super::{Style, Tone, count, quoted, shown, size};

/// How many paths of a group are named, unless more words are wanted.
const NAMED: usize = 50;
/// The same of what was changed on the host.
const NAMED_DRIFT: usize = 5;

/// The status in words.
pub(crate) fn of(status: &Status, style: &Style) -> String {
    let mut text = place(status, style);
    for (group, title, tone) in GROUPS {
        let changes: Vec<_> =
            status.changes.iter().filter(|c| Group::of(c) == Some(group)).collect();
        if !changes.is_empty() {
            let _ =
                writeln!(text, "\n{}", style.paint(tone, format!("{title}: {}", changes.len())));
            text += &list(group, &changes, style);
        }
    }
    let _ = write!(text, "\n{}\n", next(status));
    text
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Conflict,
    Outgoing,
    Incoming,
    Agreed,
    Blocked,
}

const GROUPS: [(Group, &str, Tone); 5] = [
    (Group::Conflict, "In conflict", Tone::Bad),
    (Group::Outgoing, "To the repository", Tone::Strong),
    (Group::Incoming, "To this folder", Tone::Strong),
    (Group::Agreed, "The same on both sides already", Tone::Faint),
    (Group::Blocked, "Cannot be synced now", Tone::Warn),
];

impl Group {
    fn of(change: &StatusChange) -> Option<Self> {
        Some(match change.action {
            "conflict" => Self::Conflict,
            // A decided conflict stays with the conflicts until it is synced.
            "upload" | "download" | "delete_local" | "delete_remote"
                if change.resolution.is_some() =>
            {
                Self::Conflict
            }
            "upload" | "delete_remote" | "move_remote" => Self::Outgoing,
            "download" | "delete_local" | "move_local" => Self::Incoming,
            "cache" => Self::Agreed,
            "blocked" => Self::Blocked,
            _ => return None,
        })
    }
}

fn place(status: &Status, style: &Style) -> String {
    let repository = shown(&status.address.to_string());
    let snapshots = match (status.head, status.last_sync) {
        (Some(head), Some(last)) if head == last => head.to_string(),
        (Some(head), Some(last)) => format!("newest {head}, this folder {last}"),
        (Some(head), None) => format!("newest {head}, this folder never synced"),
        (None, _) => "no snapshot known".to_owned(),
    };
    let mut text = format!("Project     {}\n", shown(&status.project.display().to_string()));
    let _ = writeln!(text, "Repository  {repository}  {}", style.paint(Tone::Strong, snapshots));
    if status.config_pending {
        text += "Settings    changed here or there: a sync merges them into .dsgconfig.yml\n";
    }
    if let Some(why) = status.reach.why() {
        let said = format!("The repository was not reached: {}", shown(why));
        let _ = writeln!(text, "            {}", style.paint(Tone::Warn, said));
    }
    if let Reach::Failed(failure) = &status.reach
        && let Some(hint) = &failure.hint
    {
        let _ = writeln!(text, "            {}", shown(hint));
    }
    for lease in status.at_work.iter().filter(|lease| lease.work != Work::Housekeeping) {
        let said = at_work(lease, style);
        let _ = writeln!(text, "At work     {said}");
    }
    if let Some(settled) = status.standing.as_ref().and_then(|standing| standing.settled) {
        let _ = writeln!(text, "            {}", style.paint(Tone::Warn, settled.to_string()));
    }
    text += &drift(&status.drift, style);
    if let Some(why) = &status.unsettled {
        let said = format!("The last sync is published, but not finished here: {}", shown(why));
        let _ = writeln!(text, "            {}", style.paint(Tone::Warn, said));
    }
    text
}

/// What was changed on the repository's host.
fn drift(paths: &[String], style: &Style) -> String {
    let mut text = String::new();
    if paths.is_empty() {
        return text;
    }
    let said = format!(
        "Changed on the server, outside DSG: {}",
        count(paths.len() as u64, "path", "paths")
    );
    let _ = writeln!(text, "            {}", style.paint(Tone::Warn, said));
    let named = if style.verbose { paths.len() } else { NAMED_DRIFT };
    for path in paths.iter().take(named) {
        let _ = writeln!(text, "              {}", shown(path));
    }
    if paths.len() > named {
        let _ = writeln!(text, "              … and {} more (-v names all)", paths.len() - named);
    }
    text += "            dsg sync --allow drift takes them as a snapshot of their own.\n";
    text
}

/// Who does what, since when, and how far it is.
fn at_work(lease: &Lease, style: &Style) -> String {
    let what = lease.snapshot.map_or_else(String::new, |id| format!(" {id}"));
    let mut said = match lease.work {
        Work::Staging => format!("{} uploads for{what}", shown(&lease.who)),
        Work::Publishing => format!("{} publishes{what}", shown(&lease.who)),
        Work::Housekeeping => shown(&lease.who),
    };
    if let Ok(since) = lease.since.parse() {
        let _ = write!(said, ", since {}", style.time(since));
    }
    if let Some((done, all)) = lease.files {
        let _ = write!(said, ", {done} of {}", count(all, "file", "files"));
    }
    if let Some((done, all)) = lease.bytes {
        let _ = write!(said, ", {} of {}", size(done), size(all));
    }
    said
}

fn list(group: Group, changes: &[&StatusChange], style: &Style) -> String {
    let named = if style.verbose { changes.len() } else { NAMED };
    let width = changes.iter().map(|c| verb(c).len()).max().unwrap_or_default();
    let mut text = String::new();
    for change in changes.iter().take(named) {
        text += &match group {
            Group::Conflict => conflict(change, style),
            Group::Blocked => blocked(change),
            _ => pending(change, width, style),
        };
    }
    if changes.len() > named {
        let _ = writeln!(text, "  … and {} more (-v names all)", changes.len() - named);
    }
    text
}

fn verb(change: &StatusChange) -> &'static str {
    match change.action {
        "upload" => "upload",
        "download" => "download",
        "delete_local" | "delete_remote" => "delete",
        "move_local" | "move_remote" => "move",
        _ => "note",
    }
}

fn pending(change: &StatusChange, width: usize, style: &Style) -> String {
    let bytes = change.size.map_or_else(String::new, |bytes| format!("  {}", size(bytes)));
    let verb = verb(change);
    if let Some(old) = &change.old_path {
        return format!("  {verb:width$}  {} → {}{bytes}\n", shown(old), shown(&change.path));
    }
    let why = style.paint(Tone::Faint, change.state.sentence());
    format!("  {verb:width$}  {}{bytes}  {why}\n", shown(&change.path))
}

fn conflict(change: &StatusChange, style: &Style) -> String {
    let bytes = change.size.map_or_else(String::new, |bytes| format!("  {}", size(bytes)));
    let mut text = format!(
        "  {}{bytes}\n      {}\n",
        style.paint(Tone::Strong, shown(&change.path)),
        change.state.sentence()
    );
    let path = quoted(&change.path);
    let _ = match change.resolution {
        None => writeln!(text, "      dsg resolve {path} --local | --remote | --cached | --both"),
        Some(how) => writeln!(
            text,
            "      {}",
            style.paint(Tone::Good, format!("decided: {}; the next sync does it", said(how)))
        ),
    };
    text
}

fn said(how: dsg_core::plan::Resolution) -> &'static str {
    use dsg_core::plan::Resolution as R;
    match how {
        R::Local => "yours goes to the repository",
        R::Remote => "the repository's comes here",
        R::Cached => "the last synced version returns",
        R::Both => "both are kept",
    }
}

fn blocked(change: &StatusChange) -> String {
    let reason = change.reason.as_deref().unwrap_or("no reason is known");
    let mut text = format!("  {}: {}\n", shown(&change.path), shown(reason));
    if let Some(name) = &change.legal_name {
        let _ = writeln!(text, "      dsg sync --normalize renames it to {}", shown(name));
    }
    text
}

fn next(status: &Status) -> String {
    let undecided = status.changes.iter().filter(|c| c.action == "conflict").count();
    let moves = status.config_pending
        || status.changes.iter().any(|c| !matches!(c.action, "conflict" | "blocked" | "none"));
    match (undecided, moves) {
        (0, false) if status.unsettled.is_some() => "Next: dsg sync finishes it.".to_owned(),
        (0, false) if status.counts.blocked > 0 => {
            "Nothing else is pending; what is blocked waits until its reason is gone.".to_owned()
        }
        (0, false) => "Everything is in sync.".to_owned(),
        (0, true) => "Next: dsg sync -m \"why\"".to_owned(),
        (1, true) => {
            "Next: decide the conflict, or dsg sync --except-conflicts for the rest.".to_owned()
        }
        (_, true) => {
            "Next: decide the conflicts, or dsg sync --except-conflicts for the rest.".to_owned()
        }
        (_, false) => "Next: decide with dsg resolve, then dsg sync.".to_owned(),
    }
}
