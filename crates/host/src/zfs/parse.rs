//! What the programs answer, read. Pure; the tests hold what OpenZFS 2.1 and 2.3 printed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use uuid::Uuid;

use super::argv::{MADE_BY, MEANT};
use super::name::{Dataset, transaction_of};
use super::verb::{Change, Cost, Family, How, Kind, Member, Mountpoint, Snapshot, Stop};

/// Text that is not what the program is known to print.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an answer that nobody understands: {0:?}")]
pub(super) struct Odd(pub String);

fn odd(line: &str) -> Odd {
    Odd(line.chars().take(200).collect())
}

/// A value, and whether it is set on the very thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub text: String,
    pub own: bool,
}

/// Properties of one dataset or snapshot.
pub(super) type Values = BTreeMap<String, Value>;

/// Properties by name of what has them, in the order in which they were told.
pub(super) fn table(text: &str) -> Result<Vec<(String, Values)>, Odd> {
    let mut table: Vec<(String, Values)> = Vec::new();
    for line in text.lines() {
        let mut columns = line.splitn(4, '\t');
        let mut next = || columns.next().map(str::to_owned).ok_or_else(|| odd(line));
        let (name, property, value, source) = (next()?, next()?, next()?, next()?);
        let value = Value { text: value, own: matches!(source.as_str(), "local" | "received") };
        match table.last_mut() {
            Some((last, values)) if *last == name => drop(values.insert(property, value)),
            _ => table.push((name, [(property, value)].into())),
        }
    }
    Ok(table)
}

/// Reading of single values.
pub(super) trait Read {
    /// The text; `-` is none.
    fn text(&self, name: &str) -> Option<&str>;
    /// Whether it is on.
    fn is_on(&self, name: &str) -> bool {
        matches!(self.text(name), Some("on" | "yes"))
    }
    /// A number.
    fn number(&self, name: &str) -> Result<u64, Odd> {
        let text = self.text(name).unwrap_or_default();
        text.parse().map_err(|_| odd(&format!("{name}={text}")))
    }
    /// A mount point.
    fn mountpoint(&self) -> Mountpoint;
    /// Whether keys are there, or none are needed.
    fn unlocked(&self) -> bool {
        self.text("keystatus").is_none_or(|s| s == "available")
    }
}

impl Read for Values {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(|v| v.text.as_str()).filter(|t| *t != "-")
    }

    fn mountpoint(&self) -> Mountpoint {
        let own = self.get("mountpoint").is_some_and(|v| v.own);
        Mountpoint { value: self.text("mountpoint").unwrap_or("none").to_owned(), own }
    }
}

/// A family, from what was told of its members, of all below them and of their snapshots.
/// `mounts` tells where a dataset is mounted.
pub(super) fn family(
    live: &Dataset,
    text: &str,
    since: Option<&str>,
    mounts: &dyn Fn(&str) -> Vec<PathBuf>,
) -> Result<Family, Odd> {
    let mut family = Family::default();
    let mut snapshots: BTreeMap<String, Vec<Snapshot>> = BTreeMap::new();
    for (name, values) in table(text)? {
        if let Some((dataset, tag)) = name.split_once('@') {
            let snapshot = snapshot(tag, &values)?;
            snapshots.entry(dataset.to_owned()).or_default().push(snapshot);
            continue;
        }
        let dataset: Dataset = name.parse().map_err(|_| odd(&name))?;
        let part = live.part_of(&dataset).filter(|_| values.text("type") == Some("filesystem"));
        let Some(part) = part else {
            family.below.push(name);
            continue;
        };
        let canmount = values.text("canmount").unwrap_or("on").to_owned();
        let meant = values.get(MEANT).filter(|m| m.own).map(|m| m.text.as_str());
        let member = Member {
            part,
            guid: values.number("guid")?,
            origin: values.text("origin").map(str::to_owned),
            mountpoint: values.mountpoint(),
            meant: meant.unwrap_or(&canmount).to_owned(),
            canmount,
            readonly: values.is_on("readonly"),
            unlocked: values.unlocked(),
            mounts: mounts(&name),
            in_place: false,
            snapshots: Vec::new(),
            name: dataset,
        };
        if member.name == *live {
            let written = since.and_then(|s| values.text(&format!("written@{s}")));
            family.written = written.and_then(|w| w.parse().ok());
            family.live = Some(member);
        } else {
            family.others.push(member);
        }
    }
    for member in family.live.iter_mut().chain(&mut family.others) {
        member.snapshots = snapshots.remove(member.name.as_str()).unwrap_or_default();
        member.snapshots.sort_by_key(|s| s.created);
    }
    Ok(family)
}

fn snapshot(name: &str, values: &Values) -> Result<Snapshot, Odd> {
    let own = values.get(MADE_BY).filter(|v| v.own);
    let clones = values.text("clones").unwrap_or_default();
    Ok(Snapshot {
        tag: name.parse().ok(),
        name: name.to_owned(),
        guid: values.number("guid")?,
        created: values.number("createtxg")?,
        transaction: own.and_then(|v| transaction_of(&v.text)),
        holds: values.number("userrefs")?,
        clones: clones.split(',').filter(|c| !c.is_empty()).map(str::to_owned).collect(),
    })
}

/// A property as it is given to a clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    pub name: String,
    pub value: String,
}

/// What of a dataset's own properties its successor gets: all but our marks, whether it is mounted
/// (which is settled at the end), and keys (which follow the promotion).
pub(super) fn carried(text: &str) -> Result<Vec<Property>, Odd> {
    const NOT: [&str; 6] =
        ["canmount", "readonly", "keylocation", "keyformat", "pbkdf2iters", "encryption"];
    let own = table(text)?.into_iter().flat_map(|(_, values)| values);
    let kept = own.filter(|(name, _)| !name.starts_with("dsg:") && !NOT.contains(&name.as_str()));
    Ok(kept.map(|(name, value)| Property { name, value: value.text }).collect())
}

/// What `zfs allow` grants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Grant {
    pub scope: Scope,
    /// Separated by commas.
    pub permissions: String,
}

/// For what and to whom: `user NAME`, `group NAME` or `everyone`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    Set(String),
    Creator,
    Here { to: String },
    Below { to: String },
    Both { to: String },
}

/// What is granted on a dataset itself, and not on one above it.
pub(super) fn grants(dataset: &Dataset, text: &str) -> Result<Vec<Grant>, Odd> {
    let mut grants = Vec::new();
    let (mut here, mut heading) = (false, "");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("---- Permissions on ") {
            here = rest.trim_end_matches('-').trim_end() == dataset.as_str();
        } else if let Some(entry) = line.strip_prefix('\t').filter(|_| here) {
            grants.push(grant(heading, entry).ok_or_else(|| odd(line))?);
        } else {
            heading = line;
        }
    }
    grants.sort();
    Ok(grants)
}

fn grant(heading: &str, entry: &str) -> Option<Grant> {
    let parted = || {
        let (to, permissions) = entry.rsplit_once(' ')?;
        // Of an account that is gone, its number is known.
        let known = to.replace("(unknown: ", "");
        Some((known.trim_end_matches(')').to_owned(), permissions.to_owned()))
    };
    let (scope, permissions) = match heading {
        "Permission sets:" => parted().map(|(name, p)| (Scope::Set(name), p)),
        "Create time permissions:" => Some((Scope::Creator, entry.to_owned())),
        "Local permissions:" => parted().map(|(to, p)| (Scope::Here { to }, p)),
        "Descendent permissions:" => parted().map(|(to, p)| (Scope::Below { to }, p)),
        "Local+Descendent permissions:" => parted().map(|(to, p)| (Scope::Both { to }, p)),
        _ => None,
    }?;
    Some(Grant { scope, permissions })
}

/// What the decision came to; `None`: it is decided.
pub(super) fn decision(text: &str) -> Result<Option<Stop>, Odd> {
    #[derive(Deserialize)]
    struct Returned {
        #[serde(rename = "return")]
        told: Told,
    }
    #[derive(Deserialize)]
    struct Told {
        #[serde(default)]
        decided: bool,
        stopped: Option<String>,
        #[serde(default)]
        what: serde_json::Value,
        #[serde(default)]
        errno: i32,
    }
    let not = |_| odd(text);
    let Told { decided, stopped, what, errno } =
        serde_json::from_str::<Returned>(text).map_err(not)?.told;
    let Some(stopped) = stopped else {
        return if decided { Ok(None) } else { Err(odd(text)) };
    };
    // A list comes as an object whose keys count from 1.
    let names = || -> Vec<String> {
        let list = what.as_object().into_iter().flat_map(serde_json::Map::values);
        list.filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let word = || what.as_str().unwrap_or_default().to_owned();
    Ok(Some(match stopped.as_str() {
        "missing" => Stop::Missing,
        "moved" => Stop::Moved,
        "drift" => Stop::Drift(what.as_i64().unwrap_or_default().cast_unsigned()),
        "foreign" => Stop::Foreign(names()),
        "properties" => Stop::Properties(names()),
        "taken" => Stop::Taken,
        "limit" => Stop::Limit(word()),
        "busy" => Stop::Busy,
        "space" => Stop::Space,
        "other" => Stop::Other(errno, word()),
        _ => return Err(odd(text)),
    }))
}

/// One line of a comparison, with the mount point in front of its names taken off.
pub(super) fn change(line: &str, mounts: &[PathBuf]) -> Result<Change, Odd> {
    let mut columns = line.split('\t');
    let mut next = || columns.next().ok_or_else(|| odd(line));
    let (how, kind) = (next()?, next()?);
    let below = |escaped: &str| {
        let name = unescaped(escaped).ok_or_else(|| odd(line))?;
        let rest = mounts.iter().filter_map(|mount| {
            let mount = mount.as_os_str().as_encoded_bytes();
            let rest = name.strip_prefix(mount)?;
            if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"/") }
        });
        rest.min_by_key(|r| r.len()).map(<[u8]>::to_vec).ok_or_else(|| odd(line))
    };
    let path = below(next()?)?;
    let how = match how {
        "+" => How::Added,
        "-" => How::Removed,
        "M" => How::Modified,
        "R" => How::Renamed,
        _ => return Err(odd(line)),
    };
    let to = if how == How::Renamed { Some(below(next()?)?) } else { None };
    let kind = match kind {
        "F" => Kind::File,
        "/" => Kind::Dir,
        "@" => Kind::Link,
        _ => Kind::Other,
    };
    Ok(Change { how, kind, path, to })
}

/// A backslash and four octal digits stand for a byte.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'\\' {
            let digits = std::str::from_utf8(after.get(..4)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 8).ok()?);
            rest = &after[4..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    Some(bytes)
}

/// What snapshots cost; those that are not DSG's are left out.
pub(super) fn costs(text: &str) -> Result<Vec<Cost>, Odd> {
    let mut costs = Vec::new();
    for line in text.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, used, written, refer] = columns[..] else { return Err(odd(line)) };
        let number = |text: &str| text.parse::<u64>().map_err(|_| odd(line));
        let tag = name.split_once('@').and_then(|(_, tag)| tag.parse().ok());
        if let Some(tag) = tag {
            let (used, written, refer) = (number(used)?, number(written)?, number(refer)?);
            costs.push(Cost { tag, used, written, refer });
        }
    }
    Ok(costs)
}

/// The transaction in a name beside a repository's, and the repository's own name.
pub(super) fn repository_of(dataset: &Dataset) -> (Dataset, Option<Uuid>) {
    let found = dataset.as_str().rmatch_indices(".dsg-").find_map(|(at, _)| {
        let live: Dataset = dataset.as_str()[..at].parse().ok()?;
        match live.part_of(dataset)? {
            super::name::Part::Live => None,
            super::name::Part::Staging(t) | super::name::Part::Former(t) => Some((live, t)),
        }
    });
    match found {
        Some((live, transaction)) => (live, Some(transaction)),
        None => (dataset.clone(), None),
    }
}
