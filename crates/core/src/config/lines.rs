//! Changing the YAML view line by line, so that what people wrote around it stays: comments, the
//! order of keys, quotes.
//!
//! It knows lists with one item a line and a name on its line. Whatever it made is read again: if
//! it does not say what it shall, or the file is written in another style, it gives nothing, and
//! the file is written anew.

use std::collections::BTreeSet;

use super::SharedConfig;

/// `old` with the lines changed by which it says `config`.
pub(super) fn edited(old: &str, config: &SharedConfig) -> Option<String> {
    let before = SharedConfig::from_yaml(old).ok()?;
    let mut lines: Vec<String> = old.lines().map(str::to_owned).collect();
    if before.name != config.name {
        let at = key_line(&lines, 0..lines.len(), "name")?;
        lines[at] = format!("name: {}", scalar(&config.name)?);
    }
    if before.retention != config.retention {
        let at = key_line(&lines, 0..lines.len(), "retention");
        match (at, config.retention) {
            (Some(at), Some(rule)) => lines[at] = format!("retention: {rule}"),
            (Some(at), None) => drop(lines.remove(at)),
            (None, Some(rule)) => lines.push(format!("retention: {rule}")),
            (None, None) => {}
        }
    }
    for (keys, was, is) in [
        (&["data_dirs"][..], &before.data_dirs, &config.data_dirs),
        (&["ignore", "paths"], &before.ignore.paths, &config.ignore.paths),
        (&["ignore", "names"], &before.ignore.names, &config.ignore.names),
        (&["ignore", "suffixes"], &before.ignore.suffixes, &config.ignore.suffixes),
    ] {
        if was != is {
            change_list(&mut lines, keys, was, is)?;
        }
    }
    let text = lines.join("\n") + "\n";
    SharedConfig::from_yaml(&text).is_ok_and(|now| now == *config).then_some(text)
}

fn change_list(
    lines: &mut Vec<String>,
    keys: &[&str],
    was: &BTreeSet<String>,
    is: &BTreeSet<String>,
) -> Option<()> {
    let mut within = 0..lines.len();
    for key in keys {
        let at = key_line(lines, within, key)?;
        let end = (at + 1..lines.len()).find(|&n| ends(&lines[n], indent(&lines[at])));
        within = at..end.unwrap_or(lines.len());
    }
    let items: Vec<usize> = (within.start + 1..within.end)
        .filter(|&n| lines[n].trim_start().starts_with("- "))
        .collect();
    let last = *items.last()?;
    let margin = " ".repeat(indent(&lines[last]));
    let new: Option<Vec<String>> =
        is.difference(was).map(|item| Some(format!("{margin}- {}", scalar(item)?))).collect();
    lines.splice(last + 1..=last, new?);
    for &item in items.iter().rev() {
        let values: Vec<String> = serde_norway::from_str(&lines[item]).ok()?;
        if values.iter().any(|value| !is.contains(value.trim_end_matches('/'))) {
            lines.remove(item);
        }
    }
    Some(())
}

/// The first line in a range that begins a key.
fn key_line(lines: &[String], within: std::ops::Range<usize>, key: &str) -> Option<usize> {
    let is_key = |line: &String| {
        line.trim_start().strip_prefix(key).is_some_and(|rest| rest.starts_with(':'))
    };
    within.into_iter().find(|&n| is_key(&lines[n]))
}

/// Whether a line stands after the value of a key at this indent. A list may stand at the key's own.
fn ends(line: &str, of: usize) -> bool {
    let text = line.trim_start();
    let is_item = text.starts_with("- ");
    let is_empty = text.is_empty() || text.starts_with('#');
    !is_empty && (indent(line) < of || (indent(line) == of && !is_item))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// A text as YAML writes it on one line.
fn scalar(text: &str) -> Option<String> {
    let written = serde_norway::to_string(text).ok()?;
    let line = written.trim_end();
    (!line.contains('\n')).then(|| line.to_owned())
}
