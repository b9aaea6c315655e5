//! What was typed, understood: addresses, snapshots and safety names are values here, and folders
//! are absolute. Nothing past this module sees text that may be wrong.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use dsg_core::address::{Address, AddressError, Place, SshHost};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::keep::{Keep, NotARule};
use dsg_core::plan::Resolution;
use dsg_core::safety::Allow;
use dsg_core::snapshot::SnapshotId;
use dsg_engine::adopt::AdoptOptions;
use dsg_engine::report::SyncOptions;
use dsg_engine::wanted::Wanted;

use crate::args::{Args, Command, How};

/// How the answer shall be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manners {
    /// One JSON document on stdout.
    pub(crate) json: bool,
    /// Only what went wrong.
    pub(crate) quiet: bool,
    /// More words.
    pub(crate) verbose: bool,
}

impl Manners {
    /// For arguments that cannot be parsed: whether JSON was asked for.
    pub(crate) fn guess(typed: &[OsString]) -> Self {
        let before_dashes = typed.iter().take_while(|a| *a != "--");
        Self { json: before_dashes.into_iter().any(|a| a == "--json"), ..Self::default() }
    }
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request {
    /// The folder to act in, absolute.
    pub(crate) start: PathBuf,
    /// What to do.
    pub(crate) deed: Deed,
}

/// A repository that shall be made.
#[derive(Debug)]
pub(crate) struct NewRepository {
    /// Where.
    pub(crate) wanted: Wanted,
    /// The project's name; the folder's if none.
    pub(crate) name: Option<String>,
    /// The data folders; if none, as the engine finds them.
    pub(crate) data_dirs: Vec<String>,
    /// In a plain folder.
    pub(crate) plain: bool,
    /// The first snapshot's message.
    pub(crate) message: String,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Deed {
    /// Make a repository from the folder.
    Init(NewRepository),
    /// Make a project from a repository.
    Clone {
        /// The repository.
        wanted: Wanted,
        /// The new folder, absolute; named as the repository if none.
        dir: Option<PathBuf>,
        /// It may hold files already.
        attach: bool,
    },
    /// Show what is pending.
    Status {
        /// Without asking the repository.
        offline: bool,
    },
    /// Sync.
    Sync {
        /// What of it, and how.
        options: SyncOptions,
        /// Only show it.
        dry_run: bool,
    },
    /// Decide conflicts.
    Resolve {
        /// Which.
        paths: Vec<String>,
        /// How.
        resolution: Resolution,
    },
    /// List snapshots.
    Log {
        /// How many.
        limit: Option<usize>,
    },
    /// Compare.
    Diff {
        /// The older one; the head if none.
        from: Option<SnapshotId>,
        /// The newer one; the folder if none.
        to: Option<SnapshotId>,
    },
    /// Show the versions of a path.
    Blame {
        /// Which.
        path: String,
    },
    /// Bring files back.
    Restore {
        /// From which snapshot.
        snapshot: SnapshotId,
        /// Which; none for everything.
        paths: Vec<String>,
        /// Only show it.
        dry_run: bool,
    },
    /// Write files elsewhere.
    Fetch {
        /// From which snapshot.
        snapshot: SnapshotId,
        /// Which.
        paths: Vec<String>,
        /// Where to, absolute; none for beside the project.
        into: Option<PathBuf>,
    },
    /// List files.
    ListFiles {
        /// Of which snapshot; the head if none.
        snapshot: Option<SnapshotId>,
    },
    /// Look at configuration files.
    ValidateConfig,
    /// Make an older project file a newer one.
    MigrateConfig {
        /// Not only show it.
        really: bool,
    },
    /// Check one file.
    ValidateFile {
        /// Which.
        path: String,
    },
    /// Check a snapshot.
    ValidateSnapshot {
        /// Which; the head if none.
        snapshot: Option<SnapshotId>,
        /// With contents.
        deep: bool,
    },
    /// Check the history.
    ValidateChain {
        /// With contents.
        deep: bool,
    },
    /// Tidy `.dsg`.
    Clean {
        /// Not only show it.
        really: bool,
    },
    /// Remove former snapshots' files.
    Prune {
        /// Which are kept; as configured if none.
        keep: Option<Keep>,
        /// Else only show it.
        really: bool,
    },
    /// Confirm a host.
    Trust {
        /// Which.
        host: SshHost,
        /// Without a question, if it has this fingerprint.
        expected: Option<String>,
    },
    /// Try each step to a repository; the project's if none.
    Doctor(Option<Wanted>),
    /// List repositories; those of the default place if none.
    ListRepos(Option<Place>),
    /// Adopt a repository of the earlier DSG.
    Adopt {
        /// Which.
        address: Address,
        /// How.
        options: AdoptOptions,
    },
    /// Prepare the next publish.
    Prepare,
    /// The schema of a configuration file.
    Schema(String),
    /// Completions of a shell.
    Completion(clap_complete::Shell),
    /// Manual pages: printed, or written into a folder.
    Man(Option<PathBuf>),
}

impl Request {
    /// Understands what was typed.
    ///
    /// # Errors
    /// [`Code::Usage`]: an address, a snapshot or a safety check that does not exist.
    pub(crate) fn of(args: Args) -> Outcome<Self> {
        let here =
            std::env::current_dir().map_err(|e| Failure::io("find", "the current folder", e))?;
        let start = args.directory.map_or_else(|| here.clone(), |dir| tidy(&here.join(dir)));
        Ok(Self { deed: deed(args.command, &start)?, start })
    }
}

fn deed(command: Command, start: &Path) -> Outcome<Deed> {
    Ok(match command {
        Command::Init(init) => Deed::Init(NewRepository {
            wanted: wanted(init.address.as_deref(), start)?,
            name: init.name,
            data_dirs: init.data_dirs,
            plain: init.plain_folder,
            message: init.message,
        }),
        Command::Clone(clone) => Deed::Clone {
            wanted: wanted(clone.address.as_deref(), start)?,
            dir: clone.dir.map(|dir| tidy(&start.join(dir))),
            attach: clone.attach,
        },
        Command::Status { offline } => Deed::Status { offline },
        Command::Sync(sync) => {
            let allow = sync
                .allow
                .iter()
                .map(|name| name.parse::<Allow>().map_err(|why| usage(format!("--allow: {why}."))));
            let options = SyncOptions {
                message: sync.message,
                only: sync.only,
                except_conflicts: sync.except_conflicts,
                normalize: sync.normalize,
                allow: allow.collect::<Outcome<BTreeSet<_>>>()?,
                ..SyncOptions::default()
            };
            Deed::Sync { options, dry_run: sync.dry_run }
        }
        Command::Resolve(resolve) => {
            Deed::Resolve { paths: resolve.paths, resolution: resolution(&resolve.how) }
        }
        Command::Log { limit } => Deed::Log { limit },
        Command::Diff { from, to } => Deed::Diff { from: snapshot(from)?, to: snapshot(to)? },
        Command::Blame { path } => Deed::Blame { path },
        Command::Restore { snapshot: id, paths, dry_run } => {
            Deed::Restore { snapshot: one_snapshot(&id)?, paths, dry_run }
        }
        Command::Snapfetch { snapshot: id, paths, output } => {
            let into = output.map(|dir| tidy(&start.join(dir)));
            Deed::Fetch { snapshot: one_snapshot(&id)?, paths, into }
        }
        Command::ListFiles { snapshot: id } => Deed::ListFiles { snapshot: snapshot(id)? },
        Command::ValidateConfig { fix_legacy: false, .. } => Deed::ValidateConfig,
        Command::ValidateConfig { fix_legacy: true, dry_run } => {
            Deed::MigrateConfig { really: !dry_run }
        }
        Command::Schema { of } => Deed::Schema(of),
        Command::ValidateFile { path } => Deed::ValidateFile { path },
        Command::ValidateSnapshot { snapshot: id, deep } => {
            Deed::ValidateSnapshot { snapshot: snapshot(id)?, deep }
        }
        Command::ValidateChain { deep } => Deed::ValidateChain { deep },
        Command::Clean { yes } => Deed::Clean { really: yes },
        Command::Prune { keep, yes } => {
            let said = (!keep.is_empty()).then(|| keep.join(",").parse());
            let rule = said.transpose().map_err(|e: NotARule| usage(format!("--keep: {e}.")))?;
            Deed::Prune { keep: rule, really: yes }
        }
        Command::Trust { host, yes } => Deed::Trust {
            host: host
                .parse()
                .map_err(|e: AddressError| usage(format!("The host cannot be used: {e}.")))?,
            expected: yes,
        },
        Command::Doctor { address: at } => {
            Deed::Doctor(at.map(|at| wanted(Some(&at), start)).transpose()?)
        }
        Command::ListRepos { address } => Deed::ListRepos(match address.as_deref() {
            Some(DEFAULT) => None,
            address => Some(place(address, start)?),
        }),
        Command::Adopt(adopt) => {
            let allow = adopt.allow.iter().filter_map(|name| name.parse().ok()).collect();
            let options = AdoptOptions { message: adopt.message, dry_run: adopt.dry_run, allow };
            Deed::Adopt { address: address(&adopt.address, start)?, options }
        }
        Command::Prepare => Deed::Prepare,
        Command::Completion { shell } => Deed::Completion(shell),
        Command::Man { dir } => Deed::Man(dir.map(|dir| tidy(&start.join(dir)))),
    })
}

/// The word for the place that the configuration says; a folder of this name is `./default`.
const DEFAULT: &str = "default";

/// What may be a whole address, a name alone, or nothing.
fn wanted(text: Option<&str>, start: &Path) -> Outcome<Wanted> {
    let Some(text) = text else { return Ok(Wanted::LeftOut) };
    let at = address(text, start)?;
    let is_name = !text.contains(['/', ':']) && !matches!(text, "." | "..");
    Ok(if is_name { Wanted::Named { name: text.to_owned(), here: at } } else { Wanted::At(at) })
}

/// An address; a path that is not absolute is one from `start`.
fn address(text: &str, start: &Path) -> Outcome<Address> {
    let wrong = |e: &AddressError| usage(format!("The address cannot be used: {e}."));
    match text.parse() {
        Ok(Address::Local(path)) => Ok(Address::Local(tidy(&path))),
        Ok(there @ Address::Ssh(_)) => Ok(there),
        Err(AddressError::Relative(_)) => {
            let path = tidy(&start.join(text));
            let text = path
                .to_str()
                .ok_or_else(|| usage(format!("{} is not valid UTF-8.", path.display())))?;
            text.parse().map_err(|e| wrong(&e))
        }
        Err(e) => Err(wrong(&e)),
    }
}

/// A folder to look in; a path that is not absolute is one from `start`.
fn place(text: Option<&str>, start: &Path) -> Outcome<Place> {
    match text.map(str::parse) {
        None => Ok(Place::Local(start.to_owned())),
        Some(Ok(Place::Local(path))) => Ok(Place::Local(tidy(&path))),
        Some(Ok(place)) => Ok(place),
        Some(Err(AddressError::Relative(text))) => Ok(Place::Local(tidy(&start.join(text)))),
        Some(Err(e)) => Err(usage(format!("The address cannot be used: {e}."))),
    }
}

fn snapshot(text: Option<String>) -> Outcome<Option<SnapshotId>> {
    text.map(|text| one_snapshot(&text)).transpose()
}

fn one_snapshot(text: &str) -> Outcome<SnapshotId> {
    text.parse().map_err(|e| usage(format!("{e}.")))
}

fn resolution(how: &How) -> Resolution {
    match how {
        How { remote: true, .. } => Resolution::Remote,
        How { cached: true, .. } => Resolution::Cached,
        How { both: true, .. } => Resolution::Both,
        How { .. } => Resolution::Local,
    }
}

/// The path from the project's root that `typed` means: as typed, unless it is absolute or starts
/// with `./` or `../`, which are from where one stands.
///
/// # Errors
/// [`Code::Usage`]: it lies outside the project.
pub(crate) fn within(root: &Path, start: &Path, typed: &str) -> Outcome<String> {
    let placed = matches!(typed, "." | "..")
        || typed.starts_with('/')
        || typed.starts_with("./")
        || typed.starts_with("../");
    if !placed {
        return Ok(typed.trim_end_matches('/').to_owned());
    }
    let path = tidy(&start.join(typed));
    let inside = path.strip_prefix(root).ok().and_then(Path::to_str);
    match inside {
        Some(inside) => Ok(inside.to_owned()),
        None => Err(usage(format!("{typed} is not in the project {}.", root.display()))),
    }
}

/// Without `.`, `..` and doubled slashes, as text; links are not looked at.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    tidy
}

fn usage(message: String) -> Failure {
    Failure::new(Code::Usage, message)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn understand(line: &str) -> Outcome<Request> {
        Request::of(Args::try_parse_from(line.split(' ')).unwrap())
    }

    #[test]
    fn relative_addresses_and_folders_are_from_the_chosen_folder() {
        let request = understand("dsg -C /a/b/../c clone ./repo").unwrap();
        assert_eq!(request.start, Path::new("/a/c"));
        let at = |text: &str| Wanted::At(text.parse().unwrap());
        let Deed::Clone { wanted, dir, .. } = request.deed else { panic!() };
        assert_eq!((wanted, dir), (at("/a/c/repo"), None));
        let Deed::Init(init) = understand("dsg init ../r -C /a/p").unwrap().deed else { panic!() };
        assert_eq!(init.wanted, at("/a/r"));
        let Deed::Clone { wanted, dir, .. } =
            understand("dsg -C /a clone tank:/data/r ../b").unwrap().deed
        else {
            panic!()
        };
        assert_eq!((wanted, dir), (at("ssh://tank/data/r"), Some("/b".into())));
    }

    #[test]
    fn a_name_alone_is_told_from_a_folder_and_from_nothing() {
        let wanted = |line: &str| match understand(line).unwrap().deed {
            Deed::Init(init) => init.wanted,
            Deed::Clone { wanted, .. } | Deed::Doctor(Some(wanted)) => wanted,
            _ => panic!(),
        };
        for command in ["init", "clone", "doctor"] {
            let named = wanted(&format!("dsg -C /a {command} survey"));
            let here = "/a/survey".parse().unwrap();
            assert_eq!(named, Wanted::Named { name: "survey".into(), here }, "{command}");
            let folder = wanted(&format!("dsg -C /a {command} ./survey"));
            assert_eq!(folder, Wanted::At("/a/survey".parse().unwrap()), "{command}");
        }
        assert_eq!(wanted("dsg init"), Wanted::LeftOut);
        assert_eq!(wanted("dsg clone"), Wanted::LeftOut);
        assert!(matches!(understand("dsg doctor").unwrap().deed, Deed::Doctor(None)));
    }

    #[test]
    fn repositories_are_looked_for_where_one_stands_or_where_it_is_said() {
        for (line, place) in [
            ("dsg -C /a list-repos", "/a"),
            ("dsg -C /a list-repos ../b", "/b"),
            ("dsg list-repos /", "/"),
            ("dsg list-repos ann@tank:", "ssh://ann@tank"),
            ("dsg list-repos ssh://tank/srv", "ssh://tank/srv"),
        ] {
            let Deed::ListRepos(found) = understand(line).unwrap().deed else { panic!() };
            assert_eq!(found, Some(place.parse().unwrap()), "{line}");
        }
        let Deed::ListRepos(found) = understand("dsg list-repos default").unwrap().deed else {
            panic!()
        };
        assert_eq!(found, None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_as_usage() {
        for line in [
            "dsg init ssh://-host/x",
            "dsg clone host:x",
            "dsg trust -- -x",
            "dsg init rclone:a:b",
            "dsg diff 3",
            "dsg sync --allow everything",
            "dsg prune --keep some",
            "dsg prune --keep 0",
            "dsg prune --keep last=1 --keep last=2",
            "dsg list-files --snapshot s0",
            "dsg restore 3",
            "dsg list-repos ssh://-oProxyCommand=x",
        ] {
            assert_eq!(understand(line).err().map(|f| f.code), Some(Code::Usage), "{line}");
        }
        for line in [
            "dsg resolve a",
            "dsg resolve a --local --both",
            "dsg resolve --local",
            "dsg blame",
            "dsg snapfetch s1",
            "dsg -q -v status",
            "dsg",
        ] {
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn paths_are_from_the_root_unless_they_say_otherwise() {
        let (root, start) = (Path::new("/p"), Path::new("/p/input"));
        for (typed, meant) in [
            ("input/a", "input/a"),
            ("./a", "input/a"),
            ("../b", "b"),
            ("/p/c/d", "c/d"),
            ("input/", "input"),
            (".", "input"),
        ] {
            assert_eq!(within(root, start, typed).unwrap(), meant);
        }
        assert!(within(root, start, "../../x").is_err());
    }

    #[test]
    fn each_resolution_is_one_flag() {
        for (flag, expected) in [
            ("local", Resolution::Local),
            ("remote", Resolution::Remote),
            ("cached", Resolution::Cached),
            ("both", Resolution::Both),
        ] {
            let Deed::Resolve { resolution, .. } =
                understand(&format!("dsg resolve a --{flag}")).unwrap().deed
            else {
                panic!()
            };
            assert_eq!(resolution, expected);
        }
    }
}
