//! What the rules leave alone: looked for only while somebody wants to see it.

use std::path::Path;

use dsg_core::config::{Rule, SharedConfig, Tracking};
use dsg_engine::config_file;

use super::rows::IgnoredPath;

/// More are of no use to anybody.
const MOST: usize = 100_000;

/// Files and folders that a rule leaves alone, by path; a folder is one. What lies outside the data
/// folders and what is hidden is not meant.
pub(super) fn find(root: &Path) -> Vec<IgnoredPath> {
    let Some(rules) = config_file::read(root).ok().flatten() else { return Vec::new() };
    let mut found = Vec::new();
    let mut todo = vec![(root.to_owned(), String::new())];
    while let Some((dir, path)) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let below = if path.is_empty() { name } else { format!("{path}/{name}") };
            let Ok(kind) = entry.file_type() else { continue };
            let tracking = if kind.is_dir() { rules.directory(&below) } else { rules.file(&below) };
            match tracking {
                Tracking::Ignored if is_data(&rules, &path) => {
                    let bytes =
                        if kind.is_dir() { 0 } else { entry.metadata().map_or(0, |m| m.len()) };
                    let reason = reason(&rules, &below, kind.is_dir());
                    found.push(IgnoredPath { path: below, bytes, reason });
                }
                Tracking::Tracked | Tracking::OutsideData if kind.is_dir() => {
                    todo.push((entry.path(), below));
                }
                _ => {}
            }
            if found.len() == MOST {
                todo.clear();
                break;
            }
        }
    }
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Whether what lies in a folder would be data without the rule.
fn is_data(rules: &SharedConfig, folder: &str) -> bool {
    rules.data_dirs.contains("*") || folder.split('/').any(|name| rules.data_dirs.contains(name))
}

/// Which rule it is, in one sentence.
fn reason(rules: &SharedConfig, path: &str, is_dir: bool) -> String {
    match rules.rule(path, is_dir) {
        Some(Rule::Path(_)) => "The configuration ignores this path.".to_owned(),
        Some(Rule::Name(name)) => format!("The configuration ignores everything named {name}."),
        Some(Rule::Suffix(suffix)) => {
            format!("The configuration ignores files that end in {suffix}.")
        }
        Some(Rule::Line(line)) => format!("Line {line} of .dsgignore says so."),
        Some(Rule::Backup) | None => "It is a dated backup of another file.".to_owned(),
    }
}
