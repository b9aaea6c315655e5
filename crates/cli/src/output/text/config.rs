//! Configuration files in words.

use std::fmt::Write as _;
use std::path::Path;

use dsg_core::config::{Format, shown as told};
use dsg_engine::validate::{Examined, Migration};
use similar::TextDiff;

use crate::output::{Style, Tone, count, shown};

/// Each file, and all that is wrong in it.
pub(super) fn examined(files: &[Examined], style: &Style) -> String {
    let mut text = String::new();
    if !files.iter().any(Examined::is_a_projects) {
        let sign = style.paint(Tone::Bad, "✗");
        let _ = writeln!(text, "{sign} There is no .dsgconfig.yml here or above.");
    }
    for file in files {
        let name = file.path.display().to_string();
        if file.mistakes.is_empty() {
            let _ =
                writeln!(text, "{} {}{}", style.paint(Tone::Good, "✓"), shown(&name), said(file));
        } else {
            let number = count(file.mistakes.len() as u64, "mistake", "mistakes");
            let _ = writeln!(text, "{} {}: {number}", style.paint(Tone::Bad, "✗"), shown(&name));
        }
        for (tone, all) in [(Tone::Bad, &file.mistakes), (Tone::Faint, &file.notes)] {
            for mistake in all {
                let lines = told(&name, &file.text, mistake);
                for (n, line) in lines.lines().enumerate() {
                    let line = shown(&line.replace('\t', " "));
                    let line = if n == 0 { style.paint(tone, line) } else { line };
                    let _ = writeln!(text, "  {line}");
                }
            }
        }
    }
    text
}

fn said(file: &Examined) -> String {
    let older = match file.format {
        Some(Format::Transport | Format::Wrapped | Format::Oldest) => {
            " (an older format; --fix-legacy makes it newer)"
        }
        _ => "",
    };
    let leads = file.repository.as_ref().map(|at| format!(": {}", shown(&at.to_string())));
    format!("{}{older}", leads.unwrap_or_default())
}

/// What changes in an older file.
pub(super) fn migrated(
    migration: Option<&Migration>,
    kept: Option<&Path>,
    style: &Style,
) -> String {
    let good = style.paint(Tone::Good, "✓");
    let Some(migration) = migration else {
        return format!("{good} The project's configuration is of the present format.\n");
    };
    let Migration { from, to, old, new, .. } = migration;
    let diff = TextDiff::from_lines(old.as_str(), new.as_str());
    let (from, to) = (from.display().to_string(), to.display().to_string());
    let mut text = String::new();
    for line in diff.unified_diff().header(&from, &to).to_string().lines() {
        let tone = match line.chars().next() {
            Some('+') => Some(Tone::Good),
            Some('-') => Some(Tone::Bad),
            _ => None,
        };
        let line = shown(line);
        let _ = writeln!(text, "{}", tone.map_or(line.clone(), |tone| style.paint(tone, line)));
    }
    let _ = match kept {
        Some(kept) => {
            writeln!(
                text,
                "{good} Written; the old file is {}.",
                shown(&kept.display().to_string())
            )
        }
        None => writeln!(text, "Nothing was written. dsg validate-config --fix-legacy does it."),
    };
    text
}
