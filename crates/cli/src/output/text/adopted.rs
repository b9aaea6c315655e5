//! Repositories of the earlier DSG in words.

use std::fmt::Write as _;

use dsg_core::address::Address;
use dsg_core::legacy::{Adoption, Past};
use dsg_core::snapshot::Legacy;

use crate::output::{Style, Tone, count, quoted, shown, size};

/// What a snapshot's mark says, where the earlier DSG made it.
pub(super) fn mark(list: Legacy) -> &'static str {
    match list {
        Legacy::Proven => "earlier DSG",
        Legacy::Unproven => "earlier DSG, its list was not what its sums said",
        Legacy::Missing => "earlier DSG, its list was lost",
    }
}

/// What was done, or would be.
pub(super) fn of(address: &Address, adoption: &Adoption, style: &Style) -> String {
    let at = shown(&address.to_string());
    let mut text = String::new();
    for past in &adoption.history {
        let Past { id, author, message, time, totals, list } = past;
        let message = message.lines().next().unwrap_or_default();
        let files = count(totals.entries, "file", "files");
        let marked = match list {
            Legacy::Proven => String::new(),
            list => format!("  {}", style.paint(Tone::Warn, mark(*list))),
        };
        let _ = writeln!(
            text,
            "{:<5} {}  {}  {files}, {}  {}{marked}",
            id.to_string(),
            style.time(*time),
            shown(author),
            size(totals.bytes),
            shown(message)
        );
    }
    let more = adoption.snapshots.saturating_sub(adoption.history.len() as u64);
    if more > 0 {
        let _ = writeln!(text, "and {} before.", count(more, "snapshot", "snapshots"));
    }
    if adoption.left_out > 0 {
        let names = count(adoption.left_out, "name", "names");
        let _ = writeln!(text, "Left out of former lists: {names} that cannot be tracked.");
    }
    for deviation in &adoption.deviations {
        let path = quoted(&deviation.path);
        let what = shown(&deviation.what.to_string());
        let _ = writeln!(text, "  {} {path} {what}", style.paint(Tone::Warn, "!"));
    }
    let told = adoption.deviations.len() as u64;
    if adoption.deviating > told {
        let _ = writeln!(text, "  and {} more.", adoption.deviating - told);
    }
    let snapshots = count(adoption.snapshots, "snapshot", "snapshots");
    let files = count(adoption.totals.entries, "file", "files");
    let held = format!("{files}, {}", size(adoption.totals.bytes));
    let _ = match &adoption.adopted {
        Some(header) => writeln!(
            text,
            "{} {at} is adopted as {}: {held}, with its {snapshots}. Its files were not moved.\nOf snapshots before {} there are lists and no contents: log, blame and diff read them.\nA copy: dsg clone {}. A working folder of the earlier DSG goes on with: dsg clone --attach {} DIR",
            style.paint(Tone::Good, "✓"),
            header.id,
            header.id,
            quoted(&address.to_string()),
            quoted(&address.to_string()),
        ),
        None if adoption.deviating > 0 => writeln!(
            text,
            "{at}: {held}, {snapshots}. {} not as the earlier DSG left it, so it would not be adopted. To adopt what stands there as it is, as a change made on the host: --allow drift",
            count(adoption.deviating, "thing is", "things are"),
        ),
        None => writeln!(
            text,
            "{at} would be adopted as it stands: {held}, {snapshots}. Every file is what its sum says; nothing was changed."
        ),
    };
    text
}

#[cfg(test)]
mod tests {
    use dsg_core::legacy::{Deviation, Oddity};
    use dsg_core::manifest::Totals;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::output::samples;

    #[test]
    fn an_adoption_says_what_was_and_what_is() {
        let past = |id: &str, list| Past {
            id: id.parse().unwrap(),
            author: "ann@example.org".into(),
            message: "first wave\nof it".into(),
            time: "2024-03-01T18:00:00Z".parse().unwrap(),
            totals: Totals { entries: 1, bytes: 5 },
            list,
        };
        let mut adoption = Adoption {
            name: "survey".into(),
            snapshots: 3,
            history: vec![past("s3", Legacy::Proven), past("s2", Legacy::Missing)],
            totals: Totals { entries: 2, bytes: 1234 },
            deviating: 0,
            deviations: Vec::new(),
            left_out: 0,
            adopted: None,
        };
        let style = Style { colour: false, verbose: false, zone: TimeZone::UTC };
        let address: Address = "tank:/data/survey".parse().unwrap();
        let history = "s3    2024-03-01 18:00  ann@example.org  1 file, 5 B  first wave\n\
            s2    2024-03-01 18:00  ann@example.org  1 file, 5 B  first wave  earlier DSG, its list was lost\n\
            and 1 snapshot before.\n";
        assert_eq!(
            of(&address, &adoption, &style),
            format!(
                "{history}ssh://tank/data/survey would be adopted as it stands: 2 files, 1.2 kB, 3 snapshots. Every file is what its sum says; nothing was changed.\n"
            )
        );
        adoption.deviating = 2;
        adoption.deviations = vec![Deviation { path: "input/a b".into(), what: Oddity::Changed }];
        let text = of(&address, &adoption, &style);
        assert!(text.contains("  ! 'input/a b' has another content\n  and 1 more.\n"), "{text}");
        assert!(text.contains("2 things are not as the earlier DSG left it"), "{text}");
        adoption.adopted = Some(Box::new(samples::header()));
        assert!(
            of(&address, &adoption, &style)
                .contains("✓ ssh://tank/data/survey is adopted as s4: 2 files")
        );
    }
}
