//! Versions of a path, and what came back.

use std::fmt::Write as _;

use dsg_core::snapshot::SnapshotId;
use dsg_engine::report::{PathVersion, RestoreReport};

use super::about;
use crate::output::{Style, Tone, count, shown, size};

/// The versions of a path, newest first.
pub(super) fn versions(path: &str, versions: &[PathVersion], style: &Style) -> String {
    let mut text = format!("{}\n", style.paint(Tone::Strong, shown(path)));
    for version in versions {
        let header = &version.header;
        let span = if header.id == version.until {
            header.id.to_string()
        } else {
            format!("{}–{}", header.id, version.until)
        };
        let what = version.entry.as_ref().map_or_else(|| "deleted".to_owned(), about);
        let message = header.authorship.message.lines().next().unwrap_or_default();
        let _ = writeln!(
            text,
            "{span:9} {}  {}  {what}  {}",
            header.authorship.time.strftime("%Y-%m-%d %H:%M"),
            shown(&header.authorship.author),
            shown(message)
        );
    }
    text
}

/// What came back, or would.
pub(super) fn restored(
    snapshot: SnapshotId,
    report: &RestoreReport,
    dry_run: bool,
    pending: bool,
    style: &Style,
) -> String {
    let mut parts = Vec::new();
    if report.added > 0 {
        parts.push(format!("{} back", count(report.added, "file", "files")));
    }
    if report.replaced > 0 {
        parts.push(format!(
            "{} replaced (the newer in the trash)",
            count(report.replaced, "file", "files")
        ));
    }
    if report.deleted > 0 {
        parts.push(format!("{} deleted (in the trash)", count(report.deleted, "file", "files")));
    }
    let what = if parts.is_empty() { "nothing differs".to_owned() } else { parts.join(", ") };
    let said = if dry_run {
        format!("Restoring {snapshot} would do this: {what}.\n")
    } else {
        let bytes = size(report.bytes);
        format!("{} From {snapshot}: {what}; {bytes}.\n", style.paint(Tone::Good, "✓"))
    };
    let mut text = said;
    for (path, reason) in &report.skipped {
        let _ = writeln!(text, "  left out {}: {}", shown(path), shown(reason));
    }
    if pending && !dry_run && !parts.is_empty() {
        text += "It is pending: dsg status shows it, dsg sync publishes it.\n";
    } else if !pending {
        let _ = writeln!(text, "In {}", shown(&report.folder.display().to_string()));
    }
    text
}
