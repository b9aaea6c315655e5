//! What could be removed, or was, in words.

use std::fmt::Write as _;

use dsg_engine::report::{CleanReport, PruneReport};

use super::header;
use crate::output::{Style, Tone, count, shown, size};

pub(super) fn clean(report: &CleanReport, style: &Style) -> String {
    if report.items.is_empty() {
        return format!("{} Nothing to clean.\n", style.paint(Tone::Good, "✓"));
    }
    let mut text = String::new();
    for item in &report.items {
        let _ = writeln!(
            text,
            "{:>9}  {}: {} ({})",
            size(item.bytes),
            shown(&item.path),
            shown(&item.what),
            count(item.files, "file", "files")
        );
    }
    let bytes = size(report.items.iter().map(|i| i.bytes).sum());
    let _ = if report.removed {
        writeln!(text, "Removed: {bytes}.")
    } else {
        writeln!(text, "{bytes} could be freed: dsg clean --yes")
    };
    text
}

pub(super) fn pruned(report: &PruneReport, style: &Style) -> String {
    let mut text: String = report.gone.iter().map(|h| header(h, None, style)).collect();
    for (id, why) in &report.stays {
        let _ = writeln!(text, "{} stays: {}.", style.paint(Tone::Strong, id), shown(why));
    }
    if report.gone.is_empty() {
        let _ = writeln!(text, "{} Nothing to remove.", style.paint(Tone::Good, "✓"));
        return text;
    }
    let (bytes, gone) =
        (size(report.freed), count(report.gone.len() as u64, "snapshot", "snapshots"));
    let left = count(report.kept, "is", "are");
    let _ = if report.removed {
        writeln!(text, "Removed the files of {gone}: {bytes}. Those of {left} kept.")
    } else {
        writeln!(
            text,
            "The files of {gone} would go, {bytes}, and those of {left} kept. To remove them, which \
             cannot be undone, run it again with --yes."
        )
    };
    text
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use crate::output::{Style, samples, text};

    fn plain() -> Style {
        Style { colour: false, verbose: false, zone: TimeZone::UTC }
    }

    #[test]
    fn what_would_go_is_told_before_it_does() {
        let of = |removed| text::of(&samples::pruned(removed), &plain());
        let would = of(false);
        let expected = "\
s4    2026-03-01 10:20  ann@example.org                +2 ~1 -0  new survey wave
s2 stays: it is held on the host (zfs holds).
The files of 1 snapshot would go, 5 kB, and those of 3 are kept. To remove them, which cannot be \
undone, run it again with --yes.
";
        assert_eq!(would, expected);
        assert!(
            of(true).ends_with("\nRemoved the files of 1 snapshot: 5 kB. Those of 3 are kept.\n")
        );
    }

    #[test]
    fn what_snapshots_cost_is_told_where_it_is_known() {
        let told = text::of(&samples::log(), &plain());
        let expected = "s4    2026-03-01 10:20  ann@example.org                +2 ~1 -0       2 kB  new survey wave\n";
        assert_eq!(told, expected);
    }
}
