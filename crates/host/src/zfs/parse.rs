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

/// Whether a word tells where a value comes from.
fn is_source(word: &str) -> bool {
    matches!(word, "-" | "local" | "received" | "default" | "temporary" | "none")
        || word.strip_prefix("inherited from ").is_some_and(|from| !from.is_empty())
}

/// Properties by name of what has them, in the order in which they were told. A text that was cut off
/// is none.
pub(super) fn table(text: &str) -> Result<Vec<(String, Values)>, Odd> {
    let mut table: Vec<(String, Values)> = Vec::new();
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(odd(text.lines().last().unwrap_or_default()));
    }
    for line in text.lines() {
        // A value may hold tabs.
        let mut columns = line.splitn(3, '\t');
        let mut next = || columns.next().ok_or_else(|| odd(line));
        let (name, property) = (next()?.to_owned(), next()?.to_owned());
        let (value, source) = next()?.rsplit_once('\t').ok_or_else(|| odd(line))?;
        if !is_source(source) {
            return Err(odd(line));
        }
        let value = Value { text: value.to_owned(), own: matches!(source, "local" | "received") };
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
            written: values.number("written")?,
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
/// (which is settled at the end), keys (which follow the promotion), and counts that the pool keeps.
pub(super) fn carried(text: &str) -> Result<Vec<Property>, Odd> {
    const NOT: [&str; 8] = [
        "canmount",
        "encryption",
        "filesystem_count",
        "keyformat",
        "keylocation",
        "pbkdf2iters",
        "readonly",
        "snapshot_count",
    ];
    let own = table(text)?.into_iter().flat_map(|(_, values)| values);
    let kept = own.filter(|(name, _)| !name.starts_with("dsg:") && !NOT.contains(&name.as_str()));
    Ok(kept
        .map(|(name, Value { text, .. })| Property { value: given(&name, text), name })
        .collect())
}

/// A value as it can be set: of a limit that is none, the number is told.
fn given(name: &str, value: String) -> String {
    let unlimited = name.ends_with("_limit") && value.parse() == Ok(u64::MAX);
    if unlimited { "none".to_owned() } else { value }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zfs::verb::State;

    const D: &str = "tank/dsg/p";

    fn live() -> Dataset {
        D.parse().unwrap()
    }

    #[test]
    fn an_answer_that_was_cut_off_anywhere_is_none() {
        let whole =
            format!("{D}\tguid\t5\t-\n{D}\tdsg:transaction\ta\tb\tinherited from tank/dsg\n");
        assert!(table("").unwrap().is_empty());
        assert_eq!(table(&whole).unwrap()[0].1.len(), 2);
        let first = whole.find('\n').unwrap() + 1;
        for length in (1..whole.len()).filter(|length| *length != first) {
            assert!(table(&whole[..length]).is_err(), "{}", &whole[..length]);
        }
        for source in ["", "loca", "inherited from ", "what"] {
            assert!(table(&format!("{D}\tguid\t5\t{source}\n")).is_err(), "{source}");
        }
    }

    /// As OpenZFS 2.3.2 printed it; 2.1.11 prints the same.
    #[test]
    fn a_family_is_read_from_what_is_told_of_it() {
        let t = "01920000-0000-7000-8000-0000000000ab";
        let text = format!(
            "{D}\ttype\tfilesystem\t-\n{D}\tguid\t12029310824965272277\t-\n{D}\twritten\t17408\t-\n{D}\torigin\t-\t-\n\
             {D}\tmountpoint\t/tank/dsg/p\tdefault\n{D}\tcanmount\tnoauto\tlocal\n\
             {D}\treadonly\toff\tdefault\n{D}\tkeystatus\t-\t-\n{D}\tdsg:canmount\ton\tlocal\n\
             {D}\twritten@s1\t17408\tlocal\n\
             {D}@s1\ttype\tsnapshot\t-\n{D}@s1\tguid\t9429438481791531437\t-\n\
             {D}@s1\tcreatetxg\t16\t-\n{D}@s1\tclones\t{D}.dsg-{t}\t-\n{D}@s1\tuserrefs\t1\t-\n\
             {D}@s1\tdsg:transaction\t{t}\tlocal\n\
             {D}@auto\tguid\t13983433001627175880\t-\n{D}@auto\tcreatetxg\t15\t-\n\
             {D}@auto\tclones\t\t-\n{D}@auto\tuserrefs\t0\t-\n\
             {D}@auto\tdsg:transaction\t{t}\tinherited from {D}\n\
             {D}/vol\ttype\tvolume\t-\n{D}/vol\tguid\t4\t-\n\
             {D}.dsg-{t}\ttype\tfilesystem\t-\n{D}.dsg-{t}\tguid\t5\t-\n{D}.dsg-{t}\twritten\t0\t-\n\
             {D}.dsg-{t}\torigin\t{D}@s1\t-\n{D}.dsg-{t}\tkeystatus\tunavailable\t-\n"
        );
        let family = family(&live(), &text, Some("s1"), &|_| Vec::new()).unwrap();
        let member = family.live.unwrap();
        assert_eq!(member.state(), State { guid: member.guid, written: 17_408 });
        assert_eq!((member.guid, family.written), (12_029_310_824_965_272_277, Some(17_408)));
        assert_eq!((member.canmount.as_str(), member.meant.as_str()), ("noauto", "on"));
        assert!(!member.mountpoint.own && member.unlocked);
        let names: Vec<&str> = member.snapshots.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["auto", "s1"], "by age");
        // A mark that is inherited decides nothing.
        assert_eq!(member.snapshots[0].transaction, None);
        assert_eq!(member.snapshots[1].transaction, transaction_of(t));
        assert_eq!((member.snapshots[1].holds, member.snapshots[1].clones.len()), (1, 1));
        assert_eq!(family.below, [format!("{D}/vol")]);
        let [staged] = &family.others[..] else { panic!("{:?}", family.others) };
        assert_eq!(staged.origin.as_deref(), Some("tank/dsg/p@s1"));
        assert!(!staged.unlocked);
    }

    #[test]
    fn what_a_pool_counts_itself_is_not_carried_and_no_limit_is_none() {
        let text = format!(
            "{D}\tquota\t1073741824\tlocal\n{D}\tcanmount\ton\tlocal\n\
             {D}\tfilesystem_count\t0\tlocal\n{D}\tsnapshot_count\t2\tlocal\n\
             {D}\tsnapshot_limit\t18446744073709551615\tlocal\n{D}\tdsg:canmount\ton\tlocal\n\
             {D}\tcom.example:owner\tthe\tlab\tlocal\n"
        );
        let all = carried(&text).unwrap();
        let pairs: Vec<(&str, &str)> =
            all.iter().map(|p| (p.name.as_str(), p.value.as_str())).collect();
        let expected = [
            ("com.example:owner", "the\tlab"),
            ("quota", "1073741824"),
            ("snapshot_limit", "none"),
        ];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn grants_are_read_as_they_are_printed() {
        let text = "---- Permissions on tank/dsg/p --------------------------------------\n\
            Permission sets:\n\t@we clone,promote\nCreate time permissions:\n\tdestroy\n\
            Local permissions:\n\tgroup lab send\nDescendent permissions:\n\teveryone hold\n\
            Local+Descendent permissions:\n\tuser ann mount,snapshot\n\tuser (unknown: 4242) @we\n\
            ---- Permissions on tank/dsg -----------------------------------------\n\
            Local+Descendent permissions:\n\tuser ben create\n";
        let grants = grants(&live(), text).unwrap();
        let grant = |scope, p: &str| Grant { scope, permissions: p.into() };
        assert_eq!(
            grants,
            [
                grant(Scope::Set("@we".into()), "clone,promote"),
                grant(Scope::Creator, "destroy"),
                grant(Scope::Here { to: "group lab".into() }, "send"),
                grant(Scope::Below { to: "everyone".into() }, "hold"),
                grant(Scope::Both { to: "user 4242".into() }, "@we"),
                grant(Scope::Both { to: "user ann".into() }, "mount,snapshot"),
            ]
        );
    }

    #[test]
    fn a_change_is_read_with_its_escapes_and_below_its_mount_point() {
        let mounts = [PathBuf::from("/run/dsg/x"), PathBuf::from("/tank/dsg/p")];
        let read = |line: &str| change(line, &mounts);
        let renamed = read("R\tF\t/tank/dsg/p/back\\0134slash\t/tank/dsg/p/ren\\0040amed").unwrap();
        assert_eq!(
            (renamed.path, renamed.to),
            (b"back\\slash".to_vec(), Some(b"ren amed".to_vec()))
        );
        let root = read("M\t/\t/tank/dsg/p/").unwrap();
        assert_eq!((root.how, root.kind, root.path), (How::Modified, Kind::Dir, Vec::new()));
        assert_eq!(read("+\t|\t/tank/dsg/p/ff").unwrap().kind, Kind::Other);
        for odd in [
            "",
            "M\tF",
            "M\tF\t/tank/dsg/px/a",
            "Q\tF\t/tank/dsg/p/a",
            "R\tF\t/tank/dsg/p/a",
            "M\tF\t/tank/dsg/p/a\\9",
        ] {
            assert!(read(odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn a_decision_is_read_whatever_stopped_it() {
        for (text, expected) in [
            (r#"{"return":{"decided":true}}"#, None),
            (r#"{"return":{"stopped":"drift","what":15360}}"#, Some(Stop::Drift(15360))),
            (
                r#"{"return":{"stopped":"foreign","what":{"1":"auto","2":"b"}}}"#,
                Some(Stop::Foreign(vec!["auto".into(), "b".into()])),
            ),
            (r#"{"return":{"stopped":"limit","what":"tank"}}"#, Some(Stop::Limit("tank".into()))),
            (
                r#"{"return":{"stopped":"other","errno":5,"what":"promote"}}"#,
                Some(Stop::Other(5, "promote".into())),
            ),
        ] {
            assert_eq!(decision(text), Ok(expected), "{text}");
        }
        for odd in ["", "{}", r#"{"return":{}}"#, r#"{"return":{"stopped":"new"}}"#] {
            assert!(decision(odd).is_err(), "{odd}");
        }
    }
}
