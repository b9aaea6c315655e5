//! An older project file made into a newer one: what it says stays, and so do its comments and its order.
//!
//! Whatever was made is read again; it is only given if it means the same.

use serde_norway::{Mapping, Value};

use super::mistake::{Broken, Mistake, Place};
use super::project::{Format, ProjectConfig};

/// `.dsgconfig.yml` with its name at the top and without `project:`; `None` if it is so already.
///
/// # Errors
/// What is wrong in it; it cannot be made newer without losing something.
pub fn migrated(text: &str) -> Result<Option<String>, Broken> {
    let old = ProjectConfig::read(text)?;
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let named = lines.iter().any(|line| is_key(line, "name"));
    if old.format == Format::Repository || (old.format == Format::Transport && named) {
        return Ok(None);
    }
    let same = |text: &String| {
        ProjectConfig::read(text).is_ok_and(|new| {
            (&new.shared, &new.repository) == (&old.shared, &old.repository)
                && new.format != Format::Wrapped
        })
    };
    let edited = edited(lines, &old).filter(same);
    if let Some(new) = edited.or_else(|| anew(text, &old).filter(same)) {
        return Ok((new != text).then_some(new));
    }
    let what = "this file cannot be made newer by itself".to_owned();
    let mend = "Write name, data_dirs and ignore at the top level by hand".to_owned();
    Err(Broken::new(vec![Mistake { place: Place::START, what, mend }], text))
}

/// `.dsgconfig.yml` from a `.dsg/config.yml`. Comments in lines of their own come first.
///
/// # Errors
/// What is wrong in it.
pub fn migrated_oldest(text: &str) -> Result<String, Broken> {
    let old = ProjectConfig::read_oldest(text)?;
    let said: Mapping = serde_norway::from_str(text).unwrap_or_default();
    let get = |key: &str| said.get(key).cloned();
    let here = matches!(old.repository, Some(crate::address::Address::Local(_)));
    let transport = if here { "localhost" } else { "ssh" };
    let mut there = Mapping::new();
    for (key, from) in
        [("host", "host"), ("path", "repo_path"), ("name", "repo_name"), ("type", "repo_type")]
    {
        if let Some(value) = get(from).filter(|_| key != "host" || !here) {
            there.insert(key.into(), value);
        }
    }
    let mut new = shared(&old);
    new.insert("transport".into(), transport.into());
    new.insert(transport.into(), Value::Mapping(there));
    let comments = text.lines().filter(|line| line.trim_start().starts_with('#'));
    let written = serde_norway::to_string(&new).unwrap_or_default();
    Ok(comments.map(str::trim).chain(written.lines()).collect::<Vec<_>>().join("\n") + "\n")
}

fn shared(config: &ProjectConfig) -> Mapping {
    match serde_norway::to_value(&config.shared) {
        Ok(Value::Mapping(own)) => own,
        _ => Mapping::new(),
    }
}

/// Whether a line begins a key at the top level.
fn is_key(line: &str, key: &str) -> bool {
    line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn is_said(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with('#')
}

/// Line by line, where the section is written in lines of its own.
fn edited(mut lines: Vec<String>, old: &ProjectConfig) -> Option<String> {
    if let Some(at) = lines.iter().position(|line| is_key(line, "project")) {
        let after = lines[at].split_once(':')?.1.trim().to_owned();
        let end = (at + 1..lines.len())
            .find(|&n| is_said(&lines[n]) && indent(&lines[n]) == 0)
            .unwrap_or(lines.len());
        let margin = lines[at + 1..end].iter().find(|line| is_said(line)).map_or(0, |l| indent(l));
        for line in &mut lines[at + 1..end] {
            let less = indent(line).min(margin);
            line.drain(..less);
        }
        match after {
            after if after.is_empty() => drop(lines.remove(at)),
            comment if comment.starts_with('#') => lines[at] = comment,
            // It stands on one line.
            _ => return None,
        }
    }
    if !lines.iter().any(|line| is_key(line, "name")) {
        let name = serde_norway::to_string(&old.shared.name).ok()?;
        let first = lines.iter().position(|line| is_said(line) && line != "---")?;
        lines.insert(first, format!("name: {}", name.trim_end()));
    }
    Some(lines.join("\n") + "\n")
}

/// As values, without comments.
fn anew(text: &str, old: &ProjectConfig) -> Option<String> {
    let mut said: Mapping = serde_norway::from_str(text).ok()?;
    said.remove("project");
    let mut new = shared(old);
    for (key, value) in said {
        new.entry(key).or_insert(value);
    }
    serde_norway::to_string(&new).ok()
}
