//! An answer as words: short, the decisive line first or last, and what to do next.

use std::fmt::Write as _;

use dsg_core::entry::Entry;
use dsg_core::failure::Failure;
use dsg_core::plan::Resolution;
use dsg_core::repository::Space;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_engine::report::{
    ChainCheck, ContentCheck, CopyState, Difference, DifferenceKind, FileCheck, SnapshotCheck,
    SyncReport,
};

use super::{Style, Tone, count, quoted, shown, size};
use crate::answer::{Answer, Setup};

mod adopted;
mod back;
mod config;
mod freed;
mod hosts;
mod status;

/// How many paths an error names.
const NAMED_PATHS: usize = 20;

/// The answer's words, with line ends.
pub(crate) fn of(answer: &Answer, style: &Style) -> String {
    match answer {
        Answer::Made(setup) => made(setup, style),
        Answer::Cloned(setup) => cloned(setup, style),
        Answer::Attached(setup) => {
            cloned(setup, style)
                + "What was here already is as it was; dsg status shows what differs.\n"
        }
        Answer::Status(status) => status::of(status, style),
        Answer::Synced(report) => synced(report, style),
        Answer::WouldSync(report) => would_sync(report, style),
        Answer::Resolved { paths, resolution } => resolved(paths, *resolution),
        Answer::Log { headers, space } => {
            let cost = |h: &SnapshotHeader| space.iter().find(|s| s.snapshot == h.id);
            headers.iter().map(|h| header(h, cost(h), style)).collect()
        }
        Answer::Diff { from, to, differences } => diff(*from, *to, differences, style),
        Answer::Versions { path, versions } => back::versions(path, versions, style),
        Answer::Restored { snapshot, report, dry_run, pending } => {
            back::restored(*snapshot, report, *dry_run, *pending, style)
        }
        Answer::Files { files, .. } => {
            files.iter().map(|(path, entry)| listed(path, entry, style)).collect()
        }
        Answer::Configs(files) => config::examined(files, style),
        Answer::Migrated { migration, kept } => {
            config::migrated(migration.as_ref(), kept.as_deref(), style)
        }
        Answer::File(check) => file(check, style),
        Answer::Snapshot(check) => snapshot(check, style),
        Answer::Chain(check) => chain(check, style),
        Answer::Clean(report) => freed::clean(report, style),
        Answer::Pruned(report) => freed::pruned(report, style),
        Answer::Prepared => {
            format!("{} The next publish is prepared.\n", style.paint(Tone::Good, "✓"))
        }
        Answer::Trusted { host, file } => hosts::trusted(host, file.as_deref(), style),
        Answer::Examined { address, findings } => hosts::examined(address, findings, style),
        Answer::Repositories { place, around, found } => {
            hosts::repositories(place, around, found, style)
        }
        Answer::Adopted { address, adoption } => adopted::of(address, adoption, style),
        Answer::Text(text) => text.clone(),
    }
}

/// An error's words: what happened, to which paths, what to do.
pub(crate) fn failure(failure: &Failure, style: &Style) -> String {
    let message: Vec<String> = failure.message.lines().map(shown).collect();
    let mut text = format!("{} {}\n", style.paint(Tone::Bad, "dsg:"), message.join("\n"));
    for path in failure.paths.iter().take(NAMED_PATHS) {
        let _ = writeln!(text, "  {}", shown(path));
    }
    if failure.paths.len() > NAMED_PATHS {
        let _ = writeln!(text, "  … and {} more", failure.paths.len() - NAMED_PATHS);
    }
    if let Some(detail) = failure.detail().filter(|_| style.verbose) {
        let _ =
            writeln!(text, "{}", style.paint(Tone::Faint, format!("Cause: {}", shown(&detail))));
    }
    if let Some(hint) = &failure.hint {
        let _ = writeln!(text, "{}", shown(hint));
    }
    text
}

fn made(setup: &Setup, style: &Style) -> String {
    let report = &setup.report;
    let mut text = format!(
        "{} {} is a repository now: {}, {}.\n",
        style.paint(Tone::Good, "✓"),
        setup.repository,
        snapshot_words(report.snapshot),
        carried(report.uploaded, report.bytes_sent),
    );
    text += &left_out(report, style);
    let _ = writeln!(
        text,
        "To work elsewhere with it: dsg clone {}",
        quoted(&setup.repository.to_string())
    );
    text
}

fn cloned(setup: &Setup, style: &Style) -> String {
    let report = &setup.report;
    let mut text = format!(
        "{} {} is a project of {} now: {}.\n",
        style.paint(Tone::Good, "✓"),
        setup.project.display(),
        setup.repository,
        carried(report.downloaded, report.bytes_received),
    );
    text += &left_out(report, style);
    text
}

fn carried(files: u64, bytes: u64) -> String {
    format!("{}, {}", count(files, "file", "files"), size(bytes))
}

fn snapshot_words(snapshot: Option<SnapshotId>) -> String {
    snapshot.map_or_else(|| "no snapshot".to_owned(), |s| s.to_string())
}

/// What was done, in the order in which people ask: what went, what came, what vanished.
fn deeds(report: &SyncReport) -> Vec<String> {
    let files = |n| count(n, "file", "files");
    let mut deeds = Vec::new();
    if report.uploaded > 0 {
        deeds.push(format!("{} up ({})", files(report.uploaded), size(report.bytes_sent)));
    }
    if report.downloaded > 0 {
        deeds.push(format!("{} down ({})", files(report.downloaded), size(report.bytes_received)));
    }
    for (number, what) in [
        (report.deleted_remote, "deleted in the repository"),
        (report.deleted_local, "deleted here (in the trash)"),
        (report.moved, "moved"),
    ] {
        if number > 0 {
            deeds.push(format!("{} {what}", files(number)));
        }
    }
    deeds
}

fn synced(report: &SyncReport, style: &Style) -> String {
    let deeds = deeds(report);
    let mut text = match (report.snapshot, deeds.is_empty()) {
        (None, true) if report.conflicts.is_empty() && report.skipped.is_empty() => {
            format!("{} Everything is in sync already.\n", style.paint(Tone::Good, "✓"))
        }
        (None, true) => "Nothing could be synced.\n".to_owned(),
        (None, false) => format!(
            "{} {}. Nothing was new for the repository.\n",
            style.paint(Tone::Good, "✓"),
            deeds.join(", ")
        ),
        (Some(id), true) => format!(
            "{} Published {}.\n",
            style.paint(Tone::Good, "✓"),
            style.paint(Tone::Strong, id)
        ),
        (Some(id), false) => {
            format!(
                "{} Published {}: {}.\n",
                style.paint(Tone::Good, "✓"),
                style.paint(Tone::Strong, id),
                deeds.join(", ")
            )
        }
    };
    if style.verbose {
        let _ = writeln!(
            text,
            "{:.2} s, {}",
            report.seconds,
            count(report.round_trips, "round trip", "round trips")
        );
    }
    text += &left_out(report, style);
    text
}

fn would_sync(report: &SyncReport, style: &Style) -> String {
    let deeds = deeds(report);
    let mut text = if deeds.is_empty() {
        "A sync would move nothing.\n".to_owned()
    } else {
        format!("A sync would do this: {}.\n", deeds.join(", "))
    };
    text += &left_out(report, style);
    text += "Nothing was changed; dsg status shows every path.\n";
    text
}

fn left_out(report: &SyncReport, style: &Style) -> String {
    let mut text = String::new();
    for (from, to) in &report.renamed {
        let _ = writeln!(
            text,
            "  {} {} → {}",
            style.paint(Tone::Warn, "renamed"),
            shown(from),
            shown(to)
        );
    }
    for (path, reason) in &report.skipped {
        let _ = writeln!(
            text,
            "  {} {}: {}",
            style.paint(Tone::Warn, "left out"),
            shown(path),
            shown(reason)
        );
    }
    for path in &report.conflicts {
        let _ = writeln!(text, "  {} {}", style.paint(Tone::Bad, "conflict"), shown(path));
    }
    if let Some(first) = report.conflicts.first() {
        text += &decide(first, style);
    }
    text
}

/// How a conflict is decided, with the command.
fn decide(path: &str, style: &Style) -> String {
    let command = format!("dsg resolve {} --local | --remote | --cached | --both", quoted(path));
    format!("To decide: {}, then dsg sync.\n", style.paint(Tone::Strong, command))
}

fn resolved(paths: &[String], resolution: Resolution) -> String {
    let end = match resolution {
        Resolution::Local => "what is here goes to the repository",
        Resolution::Remote => {
            "what is in the repository comes here; what is here goes to the trash"
        }
        Resolution::Cached => "the last synced version returns on both sides",
        Resolution::Both => "both are kept, yours under a free name beside it",
    };
    let mut text = String::new();
    for path in paths {
        let _ = writeln!(text, "  {}", shown(path));
    }
    let _ = writeln!(text, "Decided: {end}. The next dsg sync does it.");
    text
}

fn header(header: &SnapshotHeader, cost: Option<&Space>, style: &Style) -> String {
    let by = &header.authorship;
    let delta = header.delta;
    let written = cost.map_or_else(String::new, |cost| format!("{:>9}  ", size(cost.written)));
    let mut text = format!(
        "{:<5} {}  {:<24} {:>14}  {written}{}\n",
        style.paint(Tone::Strong, header.id),
        style.time(by.time),
        shown(&by.author),
        format!("+{} ~{} -{}", delta.added, delta.changed, delta.deleted),
        shown(by.message.lines().next().unwrap_or_default()),
    );
    if let Some(list) = header.legacy {
        let mark = format!("  ({})\n", adopted::mark(list));
        text.truncate(text.trim_end().len());
        text += &style.paint(Tone::Faint, mark.trim_end_matches('\n'));
        text.push('\n');
    }
    if style.verbose {
        for more in by.message.lines().skip(1).filter(|l| !l.trim().is_empty()) {
            let _ = writeln!(text, "      {}", shown(more));
        }
        let facts = format!(
            "{} entries, {}, chain {}",
            header.totals.entries,
            size(header.totals.bytes),
            header.chain
        );
        let _ = writeln!(text, "      {}", style.paint(Tone::Faint, facts));
        if let Some(cost) = cost {
            let space = format!(
                "{} written since the one before, {} held, {} free without it",
                size(cost.written),
                size(cost.refer),
                size(cost.used)
            );
            let _ = writeln!(text, "      {}", style.paint(Tone::Faint, space));
        }
    }
    text
}

fn diff(
    from: Option<SnapshotId>,
    to: Option<SnapshotId>,
    differences: &[Difference],
    style: &Style,
) -> String {
    let from = from.map_or_else(|| "the newest snapshot".to_owned(), |s| s.to_string());
    let to = to.map_or_else(|| "this folder".to_owned(), |s| s.to_string());
    let mut text = String::new();
    for d in differences {
        let (sign, tone) = match d.kind {
            DifferenceKind::Added => ("+", Tone::Good),
            DifferenceKind::Changed => ("~", Tone::Warn),
            DifferenceKind::Deleted => ("-", Tone::Bad),
            DifferenceKind::Moved => ("→", Tone::Warn),
        };
        let former =
            d.old_path.as_ref().map_or_else(String::new, |old| format!("{} → ", shown(old)));
        let (before, after) = (d.before.as_ref().map(about), d.after.as_ref().map(about));
        let about = match (before, after) {
            (Some(before), Some(after)) if before != after => format!("{before} → {after}"),
            (before, after) => after.or(before).unwrap_or_default(),
        };
        let _ = writeln!(
            text,
            "{} {former}{}  {}",
            style.paint(tone, sign),
            shown(&d.path),
            style.paint(Tone::Faint, about)
        );
    }
    let sum = if differences.is_empty() {
        format!("No difference between {from} and {to}.")
    } else {
        format!(
            "{} from {from} to {to}.",
            count(differences.len() as u64, "difference", "differences")
        )
    };
    text + &sum + "\n"
}

fn about(entry: &Entry) -> String {
    match entry {
        Entry::File(file) if file.exec => format!("{}, executable", size(file.size)),
        Entry::File(file) => size(file.size),
        Entry::Link(target) => format!("link to {}", shown(target.as_str())),
    }
}

fn listed(path: &str, entry: &Entry, style: &Style) -> String {
    match entry {
        Entry::File(file) => {
            let hash = file.hash.to_string();
            let hash = if style.verbose { hash.as_str() } else { &hash[..12] };
            let exec = if file.exec { "x" } else { "-" };
            format!(
                "{:>9}  {exec}  {}  {}\n",
                size(file.size),
                style.paint(Tone::Faint, hash),
                shown(path)
            )
        }
        Entry::Link(target) => {
            format!("{:>9}  l  {:12}  {} → {}\n", "", "", shown(path), shown(target.as_str()))
        }
    }
}

fn file(check: &FileCheck, style: &Style) -> String {
    let copy = |copy: &CopyState| match copy {
        CopyState::Same => style.paint(Tone::Good, "as recorded"),
        CopyState::Missing => style.paint(Tone::Bad, "missing"),
        CopyState::OtherMode => style.paint(Tone::Bad, "as recorded, but with another exec bit"),
        CopyState::Different(hash) => style.paint(Tone::Bad, format!("different (SHA-256 {hash})")),
    };
    format!(
        "{} in {}: {}\n  here           {}\n  repository     {}\n",
        shown(&check.path),
        check.snapshot,
        about(&check.expected),
        copy(&check.local),
        copy(&check.repository),
    )
}

fn chain(check: &ChainCheck, style: &Style) -> String {
    let earlier = check.legacy.map_or_else(String::new, |last| {
        format!("Up to {last} the earlier DSG made them: their lists were compared with its own sums (xxh3-64: they tell damage, not intent) when they were adopted.\n")
    });
    let depth =
        if check.contents.is_some() { ", and every list of files is as recorded" } else { "" };
    format!(
        "{} {} up to {}: each follows from the one before{depth}.\n{earlier}{}",
        style.paint(Tone::Good, "✓"),
        count(check.snapshots, "snapshot", "snapshots"),
        check.head,
        contents(check.contents.as_ref(), style)
    )
}

fn snapshot(check: &SnapshotCheck, style: &Style) -> String {
    format!(
        "{} {} follows from the one before, and its list of {} is as recorded.\n{}",
        style.paint(Tone::Good, "✓"),
        check.snapshot,
        count(check.entries, "file", "files"),
        contents(check.contents.as_ref(), style)
    )
}

/// What was read of the files.
fn contents(check: Option<&ContentCheck>, style: &Style) -> String {
    let Some(check) = check else { return String::new() };
    let oldest = check.snapshots.iter().min().zip(check.snapshots.iter().max());
    let kept = match oldest {
        Some((first, last)) if first != last => format!(
            "The files of {} between {first} and {last} are kept:",
            count(check.snapshots.len() as u64, "snapshot", "snapshots")
        ),
        Some((only, _)) => format!("The files of {only} are kept:"),
        None => return "No snapshot's files are kept.\n".to_owned(),
    };
    let mut text = format!(
        "{} {kept} {} compared, {} read; all are as recorded.\n",
        style.paint(Tone::Good, "✓"),
        count(check.files, "file", "files"),
        size(check.bytes)
    );
    if !check.gone.is_empty() {
        text += "Not kept, because they were overwritten or deleted on the host:\n";
        for path in check.gone.iter().take(NAMED_PATHS) {
            let _ = writeln!(text, "  {}", shown(path));
        }
        if check.gone.len() > NAMED_PATHS {
            let _ = writeln!(text, "  … and {} more", check.gone.len() - NAMED_PATHS);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use dsg_core::failure::Code;
    use dsg_engine::report::Reach;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::output::samples;

    fn plain() -> Style {
        Style { colour: false, verbose: false, zone: TimeZone::UTC }
    }

    #[test]
    fn status_names_every_path_and_what_to_do() {
        let expected = "\
Project     /home/ann/p1
Repository  /data/repo1  newest s4, this folder s3

In conflict: 1
  output/my notes.txt  88 B
      Changed here and, differently, in the repository.
      dsg resolve 'output/my notes.txt' --local | --remote | --cached | --both

To the repository: 2
  upload  input/a.csv  1.2 kB  Changed here since your last sync.
  move    input/old.csv → input/new.csv  10 B

To this folder: 2
  delete    input/gone.csv  50 kB  Deleted in the repository since your last sync.
  download  output/theirs.csv  3.4 MB  New in the repository.

The same on both sides already: 1
  note  input/both agree  7 B  The same file was added here and in the repository.

Cannot be synced now: 1
  input/locked: Permission was refused.

Next: decide the conflict, or dsg sync --except-conflicts for the rest.
";
        assert_eq!(of(&Answer::Status(Box::new(samples::status())), &plain()), expected);
    }

    #[test]
    fn a_quiet_status_is_short() {
        let quiet = |reach| {
            let mut status = samples::status();
            status.changes.clear();
            status.counts = dsg_engine::report::Counts::default();
            status.last_sync = status.head;
            status.reach = reach;
            of(&Answer::Status(Box::new(status)), &plain())
        };
        let text = quiet(Reach::Asked);
        assert_eq!(
            text,
            "Project     /home/ann/p1\nRepository  /data/repo1  s4\n\nEverything is in sync.\n"
        );
        let gone = Failure::new(Code::NoRepository, "The folder is not there.");
        let text = quiet(Reach::Failed(gone));
        assert!(text.contains("not reached: The folder is not there."), "{text}");
    }

    #[test]
    fn a_status_says_what_was_found_on_the_host() {
        let mut status = samples::status();
        status.drift = (1..=7).map(|number| format!("input/{number}")).collect();
        status.standing = Some(dsg_core::repository::Standing {
            filesystem: "ext4".into(),
            dataset: None,
            available: 1,
            used: Some(2),
            quota: None,
            seamless: true,
            touched: true,
            settled: Some(dsg_core::repository::Settled::Finished(status.head.unwrap())),
        });
        let text = of(&Answer::Status(Box::new(status)), &plain());
        let expected = "\
Repository  /data/repo1  newest s4, this folder s3
            An interrupted publish of s4 was found there, and is finished.
            Changed on the server, outside DSG: 7 paths
              input/1
              input/2
              input/3
              input/4
              input/5
              … and 2 more (-v names all)
            dsg sync --allow drift takes them as a snapshot of their own.
";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn a_sync_says_what_it_did_and_what_waits() {
        let expected = "\
✓ Published s5: 1 file up (1.2 kB), 2 files down (3.4 MB), 1 file deleted here (in the trash), 1 file moved.
  left out input/x: it is being written
  conflict output/my notes.txt
To decide: dsg resolve 'output/my notes.txt' --local | --remote | --cached | --both, then dsg sync.
";
        assert_eq!(of(&Answer::Synced(samples::report()), &plain()), expected);
        assert_eq!(
            of(&Answer::Synced(SyncReport::default()), &plain()),
            "✓ Everything is in sync already.\n"
        );
    }

    #[test]
    fn history_is_one_line_each() {
        let expected =
            "s4    2026-03-01 10:20  ann@example.org                +2 ~1 -0  new survey wave\n";
        assert_eq!(
            of(&Answer::Log { headers: vec![samples::header()], space: Vec::new() }, &plain()),
            expected
        );
        let files = "   1.2 kB  -  ca978112ca1b  input/a.csv\n           l                input/latest → a.csv\n";
        assert_eq!(of(&samples::files(), &plain()), files);
        let moved = Difference {
            path: "input/b".into(),
            old_path: Some("input/a".into()),
            kind: DifferenceKind::Moved,
            before: Some(samples::file(10)),
            after: Some(samples::file(10)),
        };
        let answer =
            Answer::Diff { from: Some(samples::sn(2)), to: None, differences: vec![moved] };
        assert_eq!(
            of(&answer, &plain()),
            "→ input/a → input/b  10 B\n1 difference from s2 to this folder.\n"
        );
    }

    #[test]
    fn errors_name_paths_and_what_to_do_and_colour_is_only_for_terminals() {
        let failure = Failure::new(Code::Conflicts, "1 conflict waits.")
            .about(["input/\x1b[2Ja"])
            .hint("Decide.");
        assert_eq!(
            self::failure(&failure, &plain()),
            "dsg: 1 conflict waits.\n  input/\\u{1b}[2Ja\nDecide.\n"
        );
        assert!(
            self::failure(&failure, &Style { colour: true, ..plain() })
                .starts_with("\x1b[31mdsg:\x1b[0m")
        );
    }
}
