//! The configuration of a project, in each format that there was.
//!
//! | format | where | says |
//! |---|---|---|
//! | repository | `.dsgconfig.yml` | `name`, `data_dirs`, `ignore`, and a section `repository` that may be missing |
//! | transport | `.dsgconfig.yml` | `transport`, and the section that it names |
//! | wrapped | `.dsgconfig.yml` | the same, with `data_dirs` and `ignore` in a section `project` |
//! | oldest | `.dsg/config.yml` | `repo_name`, `repo_path`, … on one level |

use std::collections::BTreeSet;

use crate::address::{Address, SshAddress, SshHost};
use crate::keep::{Keep, NotARule};
use crate::repository::StoreKind;

use super::check::{Section, listed};
use super::keys::{Capability, OLDEST, PROJECT, STORES, TRANSPORTS};
use super::mistake::{Broken, Findings, Mistake, Place};
use super::{Ignore, SharedConfig, is_data_dir, is_ignored_path, is_name, is_pattern, yaml};

/// How a configuration is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The present one.
    Repository,
    /// With `transport`.
    Transport,
    /// With a section `project`.
    Wrapped,
    /// `.dsg/config.yml`.
    Oldest,
}

impl Format {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Transport => "transport",
            Self::Wrapped => "wrapped",
            Self::Oldest => "oldest",
        }
    }
}

/// What a project's configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectConfig {
    /// How it is written.
    pub format: Format,
    /// What is shared with whoever has a copy.
    pub shared: SharedConfig,
    /// Where the repository is, if it says so.
    pub repository: Option<Address>,
    /// What it shall be there.
    pub demand: Demand,
    /// What has no effect.
    pub notes: Vec<Mistake>,
}

/// What a configuration says of a repository, beside its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Its kind; any, if it is not said.
    pub kind: Option<StoreKind>,
    /// The pool of its dataset.
    pub pool: Option<String>,
}

impl Demand {
    fn of(section: Option<&Section<'_>>, key: &str) -> Self {
        let kind = section.and_then(|section| section.text(key)).and_then(|(kind, _)| match kind {
            "zfs" => Some(StoreKind::Zfs),
            "xfs" => Some(StoreKind::Tree),
            _ => None,
        });
        let pool = section.and_then(|section| section.text("pool"));
        Self { kind, pool: pool.map(|(pool, _)| pool.to_owned()) }
    }

    /// Whether a repository is what is demanded: it is of this kind, in or below this dataset.
    ///
    /// # Errors
    /// What differs, as a sentence without a full stop.
    pub fn is_met_by(&self, kind: StoreKind, dataset: Option<&str>) -> Result<(), String> {
        match (self.kind, kind) {
            (Some(StoreKind::Zfs), StoreKind::Tree) => {
                return Err(
                    "type is zfs, but no dataset can be made there: no dataset is mounted at the \
                            folder above it"
                        .to_owned(),
                );
            }
            (Some(StoreKind::Tree), StoreKind::Zfs) => {
                return Err("type is xfs, but it is a ZFS dataset".to_owned());
            }
            _ => {}
        }
        let of = dataset.map(|dataset| dataset.split('/').next().unwrap_or(dataset));
        match (&self.pool, of) {
            (Some(said), Some(of)) if said != of => {
                Err(format!("pool is {said}, but the folder is in the pool {of}"))
            }
            _ => Ok(()),
        }
    }
}

/// Told at the first key of a file that does not say it.
pub(super) const NO_NAME: &str = "the project has no name";
/// Told at the first key of a section that does not say it.
pub(super) const NO_TYPE: &str = "the repository has no type";

/// Hosts that are this computer.
pub(super) const HERE: [&str; 4] = ["localhost", "127.0.0.1", "::1", "0.0.0.0"];

impl ProjectConfig {
    /// Reads `.dsgconfig.yml`.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub fn read(text: &str) -> Result<Self, Broken> {
        Self::of(text, PROJECT, "this file", dated)
    }

    /// Reads `.dsg/config.yml`.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub fn read_oldest(text: &str) -> Result<Self, Broken> {
        Self::of(text, OLDEST, "this file", oldest)
    }

    fn of(
        text: &str,
        keys: &'static [super::keys::Key],
        called: &str,
        take: fn(&Section<'_>, &mut Findings) -> Taken,
    ) -> Result<Self, Broken> {
        let mut found = Findings::default();
        let read = match yaml::read(text)? {
            None => {
                found.wrong(
                    Place::START,
                    "nothing is said here",
                    "Write name: NAME, and data_dirs",
                );
                None
            }
            Some(root) => Section::checked(&root, keys, called, &mut found)
                .map(|section| take(&section, &mut found)),
        };
        let found = found.sorted();
        match read.filter(|_| found.mistakes.is_empty()) {
            Some((format, shared, repository, demand)) => {
                Ok(Self { format, shared, repository, demand, notes: found.notes })
            }
            None => Err(Broken::new(found.mistakes, text)),
        }
    }
}

type Taken = (Format, SharedConfig, Option<Address>, Demand);

fn dated(root: &Section<'_>, found: &mut Findings) -> Taken {
    let repository = root.section("repository", found);
    let project = root.section("project", found);
    let older: Vec<(&str, Place)> = root
        .keys()
        .filter(|(name, _)| *name == "transport" || TRANSPORTS.iter().any(|t| t.name == *name))
        .collect();
    let (format, address) = match (root.at("repository"), older.first()) {
        (Some(first), Some(&(name, second))) => {
            found.wrong(
                first.max(second),
                format!("repository and {name} say the same in two formats"),
                "Keep one of them: repository is the newer one",
            );
            (Format::Repository, None)
        }
        (_, Some(_)) => (Format::Transport, transported(root, found)),
        (_, None) => {
            let name = root.text("name").map(|(name, _)| name);
            let address = repository.as_ref().and_then(|section| stored(section, name, found));
            (Format::Repository, address)
        }
    };
    let format = if root.at("project").is_some() { Format::Wrapped } else { format };
    if let (Some(first), Some(second)) =
        (root.at("project"), root.at("data_dirs").or_else(|| root.at("ignore")))
    {
        found.wrong(
            first.max(second),
            "data_dirs and ignore stand inside of project and outside of it",
            "Keep them in one place: without project is the newer way",
        );
    }
    let own = project.as_ref().unwrap_or(root);
    let section = TRANSPORTS.iter().find_map(|t| root.section(t.name, &mut Findings::default()));
    let demand = Demand::of(repository.as_ref().or(section.as_ref()), "type");
    let name = root
        .text("name")
        .or_else(|| own.text("name"))
        .or_else(|| section.and_then(|section| section.text("name")));
    if name.is_none() && root.at("name").is_none() {
        let here = Place { length: 1, ..root.place };
        found.wrong(here, NO_NAME, "Add a line name: NAME");
    }
    let shared = SharedConfig {
        name: proved_name(name, found),
        data_dirs: data_dirs(own, found),
        ignore: own.section("ignore", found).map_or_else(Ignore::default, |s| ignored(&s, found)),
        retention: root.text("retention").and_then(|rule| retention(rule, found)),
    };
    (format, shared, address, demand)
}

fn oldest(root: &Section<'_>, found: &mut Findings) -> Taken {
    let need = |key: &str, found: &mut Findings| {
        let text = root.text(key);
        if text.is_none() && root.at(key).is_none() {
            let here = Place { length: 1, ..root.place };
            found.wrong(
                here,
                format!("{key} is missing"),
                format!("Add a line {key}: and its value"),
            );
        }
        text
    };
    let name = need("repo_name", found);
    let address = match (root.text("host"), need("repo_path", found), name) {
        (host, Some(path), Some((name, _))) => {
            let host = host.unwrap_or((HERE[0], root.place));
            address(&There { host, user: None, port: None }, path, name, found)
        }
        _ => None,
    };
    let list = |key, default: BTreeSet<String>, found: &mut Findings| {
        proved(root, key, is_pattern, found).unwrap_or(default)
    };
    let defaults = Ignore::default();
    let ignore = Ignore {
        paths: proved(root, "ignored_paths", is_ignored_path, found)
            .map(|paths| without_slashes(&paths))
            .unwrap_or_default(),
        names: list("ignored_names", defaults.names, found),
        suffixes: list("ignored_suffixes", defaults.suffixes, found),
        patterns: defaults.patterns,
    };
    let shared = SharedConfig {
        name: proved_name(name, found),
        data_dirs: data_dirs(root, found),
        ignore,
        retention: None,
    };
    (Format::Oldest, shared, address, Demand::of(Some(root), "repo_type"))
}

fn retention((rule, place): (&str, Place), found: &mut Findings) -> Option<Keep> {
    let wrong = |_: NotARule| {
        let mend = "Write how many to keep, e.g. last=10,daily=7,weekly=4,monthly=12,yearly=5";
        found.wrong(place, format!("retention cannot be {rule:?}"), mend);
    };
    rule.parse().map_err(wrong).ok()
}

fn proved_name(name: Option<(&str, Place)>, found: &mut Findings) -> String {
    let Some((name, place)) = name else { return String::new() };
    if let Err(why) = is_name(name) {
        found.wrong(place, why, "Choose a name without a slash");
    }
    name.to_owned()
}

/// A list each of whose texts passes.
fn proved(
    section: &Section<'_>,
    key: &str,
    passes: fn(&str) -> Result<(), String>,
    found: &mut Findings,
) -> Option<BTreeSet<String>> {
    let texts = section.texts(key)?;
    for (text, place) in &texts {
        if let Err(why) = passes(text) {
            found.wrong(*place, why, "Correct it or take it out");
        }
    }
    Some(texts.into_iter().map(|(text, _)| text.to_owned()).collect())
}

fn data_dirs(section: &Section<'_>, found: &mut Findings) -> BTreeSet<String> {
    let dirs = proved(section, "data_dirs", is_data_dir, found);
    if dirs.as_ref().is_some_and(BTreeSet::is_empty)
        && let Some(place) = section.at("data_dirs")
    {
        found.wrong(
            place,
            "data_dirs names no folder, so nothing would be tracked",
            "Name folders, or write data_dirs: ['*'] for everything",
        );
    }
    dirs.unwrap_or_else(super::default_data_dirs)
}

fn without_slashes(paths: &BTreeSet<String>) -> BTreeSet<String> {
    paths.iter().map(|path| path.trim_end_matches('/').to_owned()).collect()
}

fn ignored(section: &Section<'_>, found: &mut Findings) -> Ignore {
    let defaults = Ignore::default();
    Ignore {
        paths: proved(section, "paths", is_ignored_path, found)
            .map(|paths| without_slashes(&paths))
            .unwrap_or_default(),
        names: proved(section, "names", is_pattern, found).unwrap_or(defaults.names),
        suffixes: proved(section, "suffixes", is_pattern, found).unwrap_or(defaults.suffixes),
        patterns: defaults.patterns,
    }
}

/// What a kind of repository, or way to one, wants and does not want in its section.
fn suits(
    section: &Section<'_>,
    kind: &'static Capability,
    key: &str,
    found: &mut Findings,
) -> bool {
    let mut sound = true;
    for need in kind.needs.iter().filter(|need| section.at(need).is_none()) {
        let place = section.at(key).unwrap_or(Place { length: 1, ..section.place });
        found.wrong(
            place,
            format!("{} needs {need}, which is missing", kind.name),
            format!("Add {need}: …; {} needs {}", kind.name, kind.needs.join(", ")),
        );
        sound = false;
    }
    for (name, place) in section.keys() {
        if name != key && !kind.needs.contains(&name) && !kind.takes.contains(&name) {
            let all = kind.needs.iter().chain(kind.takes).copied();
            found.wrong(
                place,
                format!("{name} says nothing of {}", kind.name),
                format!("Take it out; of {} there is {}", kind.name, listed(all)),
            );
            sound = false;
        }
    }
    sound
}

/// Where a section `repository` leads.
fn stored(section: &Section<'_>, name: Option<&str>, found: &mut Findings) -> Option<Address> {
    let Some((kind, _)) = section.text("type") else {
        if section.at("type").is_none() {
            let place = Place { length: 1, ..section.place };
            let kinds = listed(super::keys::working(STORES));
            found.wrong(place, NO_TYPE, format!("Add type: to the section; it can be {kinds}"));
        }
        return None;
    };
    let store = STORES.iter().find(|store| store.name == kind)?;
    if !suits(section, store, "type", found) {
        return None;
    }
    let there = There::of(section, section.text("host")?);
    address(&there, section.text("mountpoint")?, name?, found)
}

/// Where `transport` and its section lead.
fn transported(root: &Section<'_>, found: &mut Findings) -> Option<Address> {
    let sections: Vec<(&'static Capability, Place)> = TRANSPORTS
        .iter()
        .filter_map(|transport| Some((transport, root.at(transport.name)?)))
        .collect();
    let Some((kind, place)) = root.text("transport") else {
        if let (Some((one, at)), None) = (sections.first(), root.at("transport")) {
            let what = format!("a section {}, but no transport", one.name);
            found.wrong(*at, what, format!("Add a line transport: {}", one.name));
        }
        return None;
    };
    for (other, at) in sections.iter().filter(|(other, _)| other.name != kind) {
        found.wrong(
            *at,
            format!("transport is {kind}, and here is a section {}", other.name),
            format!("Take {} out, or say transport: {}", other.name, other.name),
        );
    }
    let transport = TRANSPORTS.iter().find(|transport| transport.name == kind)?;
    if root.at(kind).is_none() {
        let needs = transport.needs.join(", ");
        found.wrong(
            place,
            format!("transport is {kind}, but there is no section {kind}"),
            format!("Add a section {kind}: with {needs}"),
        );
        return None;
    }
    let section = root.section(kind, found)?;
    if !suits(&section, transport, "", found) {
        return None;
    }
    let name = section.text("name").or_else(|| root.text("name"))?.0;
    let host = section.text("host").unwrap_or((HERE[0], section.place));
    address(&There::of(&section, host), section.text("path")?, name, found)
}

/// A host as a section names it.
struct There<'n> {
    host: (&'n str, Place),
    user: Option<(&'n str, Place)>,
    port: Option<u16>,
}

impl<'n> There<'n> {
    fn of(section: &Section<'n>, host: (&'n str, Place)) -> Self {
        Self { host, user: section.text("user"), port: section.number("port") }
    }
}

/// The repository `name` in `folder` of a host, which may be this computer.
fn address(
    there: &There<'_>,
    (folder, at): (&str, Place),
    name: &str,
    found: &mut Findings,
) -> Option<Address> {
    if !folder.starts_with('/') {
        found.wrong(at, format!("{folder:?} is not an absolute path"), "Begin it with a slash");
        return None;
    }
    let path = format!("{}/{name}", folder.trim_end_matches('/'));
    let (host, place) = there.host;
    if HERE.contains(&host) && there.user.is_none() && there.port.is_none() {
        let local = path.parse::<Address>();
        let wrong = |e| found.wrong(at, format!("this names no folder: {e}"), "Correct the path");
        return local.map_err(wrong).ok();
    }
    let user = there.user.map(|(user, _)| format!("{user}@")).unwrap_or_default();
    let port = there.port.map(|port| format!(":{port}")).unwrap_or_default();
    let named = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    match format!("{user}{named}{port}").parse::<SshHost>() {
        Ok(host) => Some(Address::Ssh(SshAddress { host, path })),
        Err(e) => {
            found.wrong(
                place,
                format!("this names no host: {e}"),
                "Write its name or address alone",
            );
            None
        }
    }
}
