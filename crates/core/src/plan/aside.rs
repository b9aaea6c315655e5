//! Names for copies that are kept beside the repository's version.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Items;
use super::{Action, Request};
use crate::path::{MAX_COMPONENT, RepoPath};

/// Gives every `KeepBoth` its free name. In a clash the whole local folder moves under one name.
pub(super) fn choose_names(items: &mut Items, request: &Request) {
    if !items.may_have(|action| matches!(action, Action::KeepBoth { .. })) {
        return;
    }
    let mut used: BTreeSet<RepoPath> = BTreeSet::new();
    let mut chosen: BTreeMap<RepoPath, Option<RepoPath>> = BTreeMap::new();
    let kept: Vec<_> =
        items.iter().filter(|(_, item)| matches!(item.action, Action::KeepBoth { .. })).collect();
    for (at, mut item) in kept {
        let taken = |path: &RepoPath| {
            let below =
                items.paths_from(path).find(|k| !k.starts_with(path.as_str()) || k.is_within(path));
            below.is_some_and(|k| k.is_within(path))
                || request.taken.is_some_and(|taken| taken(path))
        };
        let root = item.clash.clone().unwrap_or_else(|| item.at.path.clone());
        let free = chosen.entry(root.clone()).or_insert_with(|| {
            let free = (1..=9999)
                .filter_map(|n| copy_name(&root, n))
                .find(|name| !used.contains(name) && !taken(name));
            used.extend(free.clone());
            free
        });
        let below = &item.at.path[root.len()..];
        item.action =
            match free.as_ref().and_then(|name| RepoPath::parse(&format!("{name}{below}")).ok()) {
                Some(aside) => Action::KeepBoth { aside },
                None => Action::Blocked(
                    "No name beside it is free and tracked: rename one of the two yourself.".into(),
                ),
            };
        items.set(at, item);
    }
}

/// `a.csv` → `a (local copy).csv`, `a (local copy 2).csv`, …; long names are shortened.
fn copy_name(path: &RepoPath, n: u32) -> Option<RepoPath> {
    let name = path.name();
    let (stem, ending) = match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= 32 => name.split_at(dot),
        _ => (name, ""),
    };
    let mark = if n == 1 { " (local copy)".to_owned() } else { format!(" (local copy {n})") };
    let mut end = stem.len().min(MAX_COMPONENT.checked_sub(mark.len() + ending.len())?);
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    let copy = format!("{}{mark}{ending}", stem[..end].trim_end());
    match path.parent() {
        Some(parent) => parent.join(&copy).ok(),
        None => RepoPath::parse(&copy).ok(),
    }
}
