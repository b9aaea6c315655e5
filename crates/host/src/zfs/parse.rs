//! What the programs answer, read. Pure; the tests hold what OpenZFS 2.1 and 2.3 printed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use dsg_core::snapshot::SnapshotId;
use uuid::Uuid;

use super::argv::{MADE_BY, MEANT, TRIED, asked};
use super::name::{Dataset, transaction_of};
use super::verb::{Family, Member, Mountpoint, Snapshot};

/// Text that is not what the program is known to print.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an answer that nobody understands: {0:?}")]
pub(super) struct Odd(pub String);

pub(super) fn odd(line: &str) -> Odd {
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

/// Properties by name of what has them, in the order in which they were told. A text is none that was cut
/// off, or that does not tell exactly what was `asked`, in this order, of each thing once: a value may
/// hold line ends, and whatever somebody set may look like another thing's properties.
pub(super) fn table(text: &str, asked: &str) -> Result<Vec<(String, Values)>, Odd> {
    let asked: Vec<&str> = asked.split([',', '\n']).filter(|word| !word.is_empty()).collect();
    let mut table: Vec<(String, Values)> = Vec::new();
    let mut names = BTreeSet::new();
    for (line, at) in rows(text)?.into_iter().zip((0..asked.len()).cycle()) {
        let (name, property, value) = line;
        let follows = match table.last_mut() {
            Some((last, values)) if at > 0 && *last == name => {
                values.insert(property.to_owned(), value);
                true
            }
            _ if at == 0 => {
                table.push((name.to_owned(), [(property.to_owned(), value)].into()));
                names.insert(name)
            }
            _ => false,
        };
        if !follows || property != asked[at] {
            return Err(odd(&format!("{name}\t{property}")));
        }
    }
    match table.last() {
        Some((name, values)) if values.len() < asked.len() => Err(odd(name)),
        _ => Ok(table),
    }
}

/// Each line: of what, which property, its value.
fn rows(text: &str) -> Result<Vec<(&str, &str, Value)>, Odd> {
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(odd(text.lines().last().unwrap_or_default()));
    }
    let mut rows = Vec::new();
    for line in text.lines() {
        // A value may hold tabs.
        let mut columns = line.splitn(3, '\t');
        let mut next = || columns.next().ok_or_else(|| odd(line));
        let (name, property) = (next()?, next()?);
        let (value, source) = next()?.rsplit_once('\t').ok_or_else(|| odd(line))?;
        if !is_source(source) {
            return Err(odd(line));
        }
        let value = Value { text: value.to_owned(), own: matches!(source, "local" | "received") };
        rows.push((name, property, value));
    }
    Ok(rows)
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
    since: Option<SnapshotId>,
    mounts: &dyn Fn(&str) -> Vec<PathBuf>,
) -> Result<Family, Odd> {
    let mut family = Family::default();
    let mut snapshots: BTreeMap<String, Vec<Snapshot>> = BTreeMap::new();
    for (name, values) in table(text, &asked(since))? {
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
            trial: values.get(TRIED).is_some_and(|mark| mark.own),
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
///
/// `names` are those of all its own ones; a text that tells of others is none.
pub(super) fn carried(dataset: &Dataset, names: &str, text: &str) -> Result<Vec<Property>, Odd> {
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
    let told = table(text, names)?;
    if told.len() > 1 || told.iter().any(|(name, _)| name != dataset.as_str()) {
        return Err(odd(names));
    }
    let own = told.into_iter().flat_map(|(_, values)| values);
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
        let table = |text: &str| table(text, "guid,dsg:transaction");
        assert!(table("").unwrap().is_empty());
        assert_eq!(table(&whole).unwrap()[0].1.len(), 2);
        for length in 1..whole.len() {
            assert!(table(&whole[..length]).is_err(), "{}", &whole[..length]);
        }
        for source in ["", "loca", "inherited from ", "what"] {
            assert!(super::table(&format!("{D}\tguid\t5\t{source}\n"), "guid").is_err());
        }
    }

    #[test]
    fn a_value_with_line_ends_in_it_forges_nothing() {
        let told = |value: &str| {
            format!(
                "{D}\tguid\t1\t-\n{D}\tdsg:transaction\t{value}\tlocal\n{D}\tdsg:canmount\ton\tlocal\n"
            )
        };
        let asked = "guid,dsg:transaction,dsg:canmount";
        assert_eq!(table(&told("x"), asked).unwrap().len(), 1);
        let rest = format!("x\tlocal\n{D}\tdsg:canmount\ton\tlocal\n");
        let forged = |name: &str, end: &str| {
            format!("{rest}{name}\tguid\t2\t-\n{name}\tdsg:transaction\ty{end}")
        };
        for value in [
            "x\n".to_owned(),
            "x\ny".to_owned(),
            "x\tlocal\ny".to_owned(),
            // Another thing, or the same again, with as many properties as it has to have.
            forged(&format!("{D}@s9"), ""),
            forged(&format!("{D}@s9"), &format!("\tlocal\n{D}@s9\tdsg:canmount\t-")),
            forged(D, ""),
            forged(D, &format!("\tlocal\n{D}\tdsg:canmount\ton")),
        ] {
            assert!(table(&told(&value), asked).is_err(), "{value:?}");
        }
        // Nor is anything carried to a clone that nobody set.
        let own = |value: &str| format!("{D}\tcom.example:a\t{value}\tlocal\n");
        let names = "com.example:a\n";
        assert_eq!(carried(&live(), names, &own("x")).unwrap().len(), 1);
        for value in [format!("x\tlocal\n{D}\tsetuid\ton"), "x\ny".to_owned()] {
            assert!(carried(&live(), names, &own(&value)).is_err(), "{value:?}");
        }
    }

    /// With a dash for all that was asked and is not told here, in the order in which it was asked.
    fn completed(told: &str, asked: &str) -> String {
        let mut names: Vec<&str> = Vec::new();
        for name in told.lines().map(|line| line.split('\t').next().unwrap()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let line = |name: &str, property: &str| {
            let begins = format!("{name}\t{property}\t");
            let line = told.lines().find(|line| line.starts_with(&begins));
            format!("{}\n", line.unwrap_or(&format!("{begins}-\t-")))
        };
        names.iter().flat_map(|name| asked.split(',').map(|p| line(name, p))).collect()
    }

    /// As OpenZFS 2.3.2 printed it; 2.1.11 prints the same.
    #[test]
    fn a_family_is_read_from_what_is_told_of_it() {
        let t = "01920000-0000-7000-8000-0000000000ab";
        let told = format!(
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
             {D}.dsg-{t}\torigin\t{D}@s1\t-\n{D}.dsg-{t}\tkeystatus\tunavailable\t-\n\
             {D}.dsg-{t}\tdsg:trial\ton\tlocal\n"
        );
        let text = completed(&told, &asked(Some(SnapshotId::FIRST)));
        let family = family(&live(), &text, Some(SnapshotId::FIRST), &|_| Vec::new()).unwrap();
        let member = family.live.unwrap();
        assert_eq!(member.state(), State { guid: member.guid, written: 17_408 });
        assert_eq!((member.guid, family.written), (12_029_310_824_965_272_277, Some(17_408)));
        assert_eq!((member.canmount.as_str(), member.meant.as_str()), ("noauto", "on"));
        assert!(!member.mountpoint.own && member.unlocked && !member.trial);
        let names: Vec<&str> = member.snapshots.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["auto", "s1"], "by age");
        // A mark that is inherited decides nothing.
        assert_eq!(member.snapshots[0].transaction, None);
        assert_eq!(member.snapshots[1].transaction, transaction_of(t));
        assert_eq!((member.snapshots[1].holds, member.snapshots[1].clones.len()), (1, 1));
        assert_eq!(family.below, [format!("{D}/vol")]);
        let [staged] = &family.others[..] else { panic!("{:?}", family.others) };
        assert_eq!(staged.origin.as_deref(), Some("tank/dsg/p@s1"));
        assert!(!staged.unlocked && staged.trial);
    }

    #[test]
    fn what_a_pool_counts_itself_is_not_carried_and_no_limit_is_none() {
        let text = format!(
            "{D}\tquota\t1073741824\tlocal\n{D}\tcanmount\ton\tlocal\n\
             {D}\tfilesystem_count\t0\tlocal\n{D}\tsnapshot_count\t2\tlocal\n\
             {D}\tsnapshot_limit\t18446744073709551615\tlocal\n{D}\tdsg:canmount\ton\tlocal\n\
             {D}\tcom.example:owner\tthe\tlab\tlocal\n"
        );
        let names: Vec<&str> = text.lines().map(|line| line.split('\t').nth(1).unwrap()).collect();
        let names = names.join("\n");
        let all = carried(&live(), &names, &text).unwrap();
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
}
