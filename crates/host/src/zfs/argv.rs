//! What the programs are called with. Pure: each call is a value, every argument a word of its own,
//! and nothing that comes from outside stands where an option could.

use dsg_core::snapshot::SnapshotId;
use uuid::Uuid;

use super::name::{Dataset, Part, Tag};
use super::parse::{Grant, Property, Scope};
use super::verb::{Decision, State};

/// The decision.
const DECIDE: &str = include_str!("decide.lua");
/// The end of a former dataset.
const BURY: &str = include_str!("bury.lua");
/// The mark of the transaction that made a snapshot.
pub(super) const MADE_BY: &str = "dsg:transaction";
/// The mark of how a dataset is to be mounted once all is done.
pub(super) const MEANT: &str = "dsg:canmount";
/// The mark of what was made only to be tried.
pub(super) const TRIED: &str = "dsg:trial";
/// What is asked of every member of a family, and of its snapshots.
const FACTS: &str = "type,guid,createtxg,origin,written,clones,userrefs,mountpoint,canmount,\
                     readonly,keystatus,dsg:transaction,dsg:canmount,dsg:trial";

/// What is asked of the dataset that a path lies in.
pub(super) const PLACE: &str = "type,guid,mountpoint,canmount,readonly,atime,encryptionroot,\
                                keystatus,available,used,quota";
/// What is asked of one that is to be mounted.
pub(super) const MOUNTING: &str = "mountpoint,setuid,devices,exec,atime,relatime";

/// One call of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Its name.
    pub program: &'static str,
    /// Its arguments.
    pub args: Vec<String>,
    /// What it reads.
    pub input: &'static str,
}

fn zfs<const N: usize>(args: [&str; N]) -> Call {
    Call { program: "zfs", args: args.map(str::to_owned).to_vec(), input: "" }
}

fn with(mut call: Call, more: impl IntoIterator<Item = String>) -> Call {
    call.args.extend(more);
    call
}

fn at(dataset: &Dataset, tag: &str) -> String {
    format!("{dataset}@{tag}")
}

/// The names directly below a dataset.
pub(super) fn children(above: &Dataset) -> Call {
    zfs(["list", "-H", "-d", "1", "-t", "filesystem", "-o", "name", above.as_str()])
}

/// Every dataset with its mount point.
pub(super) fn mountpoints() -> Call {
    zfs(["list", "-H", "-t", "filesystem", "-o", "mountpoint,name"])
}

/// What is known of one dataset.
pub(super) fn place(dataset: &Dataset) -> Call {
    zfs(["get", "-H", "-p", "-o", "name,property,value,source", PLACE, dataset.as_str()])
}

/// What is asked of every member of a family, and of its snapshots, in this order.
pub(super) fn asked(since: Option<SnapshotId>) -> String {
    since.map_or_else(|| FACTS.to_owned(), |s| format!("{FACTS},written@{s}"))
}

/// What is known of members, of all below them and of their snapshots.
pub(super) fn facts(members: &[Dataset], since: Option<SnapshotId>) -> Call {
    let facts = asked(since);
    let call = zfs(["get", "-H", "-p", "-r", "-t", "filesystem,volume,snapshot"]);
    let call = with(call, ["-o".into(), "name,property,value,source".into(), facts]);
    with(call, members.iter().map(ToString::to_string))
}

/// How a dataset is to be mounted.
pub(super) fn mounting(dataset: &Dataset) -> Call {
    zfs(["get", "-H", "-p", "-o", "name,property,value,source", MOUNTING, dataset.as_str()])
}

/// One number of a snapshot or dataset.
pub(super) fn number(property: &str, of: &str) -> Call {
    zfs(["get", "-H", "-p", "-o", "value", property, of])
}

/// What is set on a dataset itself.
pub(super) fn own_properties(dataset: &Dataset) -> Call {
    let own = ["get", "-H", "-p", "-s", "local,received", "-o", "name,property,value,source"];
    with(zfs(own), ["all".into(), dataset.to_string()])
}

/// The names alone of what is set on it.
pub(super) fn own_names(dataset: &Dataset) -> Call {
    let own = ["get", "-H", "-s", "local,received", "-o", "property"];
    with(zfs(own), ["all".into(), dataset.to_string()])
}

/// An empty dataset that nothing mounts.
pub(super) fn create(dataset: &Dataset, trial: bool) -> Call {
    let quiet = ["create", "-o", "canmount=noauto", "-o", "atime=off", "-o", "dsg:canmount=on"];
    with(with(zfs(quiet), mark(trial)), [dataset.to_string()])
}

fn mark(trial: bool) -> impl Iterator<Item = String> {
    trial.then(|| ["-o".to_owned(), format!("{TRIED}=on")]).into_iter().flatten()
}

/// A clone that nothing mounts, with properties of its own.
pub(super) fn clone(
    origin: (&Dataset, &str),
    dataset: &Dataset,
    (meant, trial): (&str, bool),
    properties: &[Property],
) -> Call {
    let mut call = with(zfs(["clone", "-o", "canmount=noauto"]), mark(trial));
    let own = properties.iter().map(|p| format!("{}={}", p.name, p.value));
    for property in std::iter::once(format!("{MEANT}={meant}")).chain(own) {
        call = with(call, ["-o".into(), property]);
    }
    with(call, [at(origin.0, origin.1), dataset.to_string()])
}

/// Who may do what with a dataset.
pub(super) fn grants(dataset: &Dataset) -> Call {
    zfs(["allow", dataset.as_str()])
}

/// The same for another one.
pub(super) fn allow(dataset: &Dataset, grant: &Grant) -> Call {
    granting("allow", dataset, grant)
}

/// The end of a grant.
pub(super) fn unallow(dataset: &Dataset, grant: &Grant) -> Call {
    granting("unallow", dataset, grant)
}

fn granting(verb: &str, dataset: &Dataset, grant: &Grant) -> Call {
    let words: Vec<&str> = match &grant.scope {
        Scope::Set(name) => vec!["-s", name],
        Scope::Creator => vec!["-c"],
        Scope::Here { to } | Scope::Below { to } | Scope::Both { to } => {
            let mut words = match &grant.scope {
                Scope::Here { .. } => vec!["-l"],
                Scope::Below { .. } => vec!["-d"],
                _ => vec![],
            };
            match to.split_once(' ') {
                Some(("user", name)) => words.extend(["-u", name]),
                Some(("group", name)) => words.extend(["-g", name]),
                _ => words.push("-e"),
            }
            words
        }
    };
    let words = words.into_iter().map(str::to_owned);
    with(with(zfs([verb]), words), [grant.permissions.clone(), dataset.to_string()])
}

/// The decision.
pub(super) fn decide(decision: &Decision, staged: &Dataset) -> Call {
    let Decision { dataset: live, transaction, live: guid, snapshot, frozen } = decision;
    let tag = if *frozen { Tag::Frozen(*transaction).to_string() } else { String::new() };
    let guid = guid.map(signed).unwrap_or_default();
    let call = Call { input: DECIDE, ..zfs(["program", "-j", live.pool(), "-"]) };
    let number = snapshot.number().to_string();
    with(call, [live.to_string(), staged.to_string(), guid, number, transaction.to_string(), tag])
}

/// The end of a former dataset, with what it holds if that was adopted.
pub(super) fn bury(live: &Dataset, transaction: Uuid, adopted: Option<State>) -> Call {
    let former = live.member(Part::Former(transaction)).to_string();
    let call = Call { input: BURY, ..zfs(["program", "-j", live.pool(), "-"]) };
    let state = adopted.map(|state| (signed(state.guid), state.written.to_string()));
    let (guid, written) = state.unwrap_or_default();
    let frozen = Tag::Frozen(transaction).to_string();
    with(call, [former, frozen, guid, written, live.to_string()])
}

/// Numbers are signed in programs, and a dash would begin an option here.
fn signed(guid: u64) -> String {
    format!("#{}", guid.cast_signed())
}

/// Properties set in one step.
pub(super) fn set(dataset: &Dataset, properties: &[(&str, &str)]) -> Call {
    let words = properties.iter().map(|(name, value)| format!("{name}={value}"));
    with(with(zfs(["set"]), words), [dataset.to_string()])
}

/// A new name; nothing is mounted or unmounted.
pub(super) fn rename(from: &Dataset, to: &Dataset) -> Call {
    zfs(["rename", "-u", from.as_str(), to.as_str()])
}

/// A snapshot.
pub(super) fn snapshot(dataset: &Dataset, tag: Tag) -> Call {
    with(zfs(["snapshot"]), [at(dataset, &tag.to_string())])
}

/// The end of a dataset that has no snapshots.
pub(super) fn destroy(dataset: &Dataset) -> Call {
    zfs(["destroy", dataset.as_str()])
}

/// The end of some of its snapshots; not of anything that was cloned from them.
pub(super) fn destroy_snapshots(dataset: &Dataset, names: &[&str]) -> Call {
    with(zfs(["destroy"]), [at(dataset, &names.join(","))])
}

/// What would be free without these snapshots.
pub(super) fn weigh(dataset: &Dataset, snapshots: &[SnapshotId]) -> Call {
    let names: Vec<String> = snapshots.iter().map(ToString::to_string).collect();
    with(zfs(["destroy", "-n", "-v", "-p"]), [at(dataset, &names.join(","))])
}

/// What differs; names escaped, so that each change is one line.
pub(super) fn diff(since: (&Dataset, &str), until: &str) -> Call {
    with(zfs(["diff", "-F", "-H"]), [at(since.0, since.1), until.to_owned()])
}

/// What snapshots cost.
pub(super) fn space(dataset: &Dataset) -> Call {
    let columns = "name,used,written,referenced";
    let list = ["list", "-H", "-p", "-d", "1", "-t", "snapshot", "-s", "createtxg", "-o"];
    with(zfs(list), [columns.to_owned(), dataset.to_string()])
}

/// Lets a pool write out what waits.
pub(super) fn flush(pool: &str) -> Call {
    Call { program: "zpool", args: vec!["sync".into(), pool.into()], input: "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(text: &str) -> Dataset {
        text.parse().unwrap()
    }

    fn line(call: &Call) -> String {
        format!("{} {}", call.program, call.args.join(" "))
    }

    #[test]
    fn a_clone_gets_what_is_set_on_the_live_dataset() {
        let quota = Property { name: "quota".into(), value: "1073741824".into() };
        let call = clone(
            (&dataset("t/p"), "s3"),
            &dataset("t/p.dsg-x"),
            ("on", false),
            std::slice::from_ref(&quota),
        );
        assert_eq!(
            line(&call),
            "zfs clone -o canmount=noauto -o dsg:canmount=on -o quota=1073741824 t/p@s3 t/p.dsg-x"
        );
    }

    #[test]
    fn what_is_made_to_be_tried_says_so() {
        let (p, x) = (dataset("t/p"), dataset("t/p.dsg-x"));
        let calls = |trial| [create(&p, trial), clone((&p, "s3"), &x, ("on", trial), &[])];
        assert!(calls(true).iter().all(|call| line(call).contains(" -o dsg:trial=on ")));
        assert!(!calls(false).iter().any(|call| line(call).contains("trial")));
    }

    #[test]
    fn a_grant_is_given_in_the_way_in_which_it_was() {
        let grant = |scope, permissions: &str| Grant { scope, permissions: permissions.into() };
        for (given, expected) in [
            (grant(Scope::Set("@we".into()), "clone"), "zfs allow -s @we clone t/p"),
            (grant(Scope::Creator, "destroy"), "zfs allow -c destroy t/p"),
            (grant(Scope::Here { to: "group a".into() }, "send"), "zfs allow -l -g a send t/p"),
            (grant(Scope::Below { to: "everyone".into() }, "hold"), "zfs allow -d -e hold t/p"),
            (grant(Scope::Both { to: "user 42".into() }, "@we"), "zfs allow -u 42 @we t/p"),
        ] {
            assert_eq!(line(&allow(&dataset("t/p"), &given)), expected);
            let taken = expected.replace("zfs allow", "zfs unallow");
            assert_eq!(line(&unallow(&dataset("t/p"), &given)), taken);
        }
    }

    #[test]
    fn to_weigh_snapshots_destroys_none() {
        let snapshots = [1, 12].map(|number| SnapshotId::new(number).unwrap());
        assert_eq!(line(&weigh(&dataset("t/p"), &snapshots)), "zfs destroy -n -v -p t/p@s1,s12");
    }

    #[test]
    fn the_program_reads_numbers_as_signed_ones() {
        let staged = dataset("t/p.dsg-x");
        let (transaction, snapshot, frozen) = (Uuid::nil(), SnapshotId::FIRST, false);
        let of = |live| Decision { dataset: dataset("t/p"), transaction, live, snapshot, frozen };
        let call = |guid| decide(&of(guid), &staged);
        let asked = call(Some(12_029_310_824_965_272_277));
        assert_eq!(asked.args[..6], ["program", "-j", "t", "-", "t/p", "t/p.dsg-x"]);
        assert_eq!(asked.args[6..8], ["#-6417433248744279339", "1"]);
        assert_eq!(call(None).args[6], "");
        let state = State { guid: 12_029_310_824_965_272_277, written: 17_408 };
        let call = |adopted| bury(&dataset("t/p"), Uuid::nil(), adopted).args.split_off(6);
        assert_eq!(call(Some(state)), ["#-6417433248744279339", "17408", "t/p"]);
        assert_eq!(call(None), ["", "", "t/p"]);
    }
}
