//! The one table of what configuration files may say in this version, and what it means.
//!
//! From it files are checked, and their JSON Schemas and the pages about them are made: what does not
//! stand here can neither be said nor is it offered.

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it means: one sentence without a full stop.
    pub says: &'static str,
    /// What it is if it is not said; "" where that is nothing.
    pub default: &'static str,
    /// Why it has no effect in this version; it is read, so that files of the earlier tool open.
    pub idle: Option<&'static str>,
}

/// What a key holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// Yes or no.
    Flag,
    /// A whole number, from and to.
    Number(u16, u16),
    /// A list of texts.
    Texts,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// What kind of repository it is: one of [`STORES`].
    Store,
    /// How it is reached: one of [`TRANSPORTS`].
    Transport,
    /// A section with these keys.
    Section(&'static [Key]),
    /// Sections with these keys, by names of a person's choice.
    Sections(&'static [Key]),
    /// Texts, by names of a person's choice.
    TextsByName,
}

impl Kind {
    /// Whether nothing after the colon means that a section is begun and says nothing; elsewhere a value
    /// may be forgotten.
    pub(super) fn is_begun(self) -> bool {
        matches!(self, Self::Section(_) | Self::Sections(_) | Self::TextsByName)
    }
}

/// A kind of repository, or a way to one.
#[derive(Debug, PartialEq, Eq)]
pub struct Capability {
    /// As it is written.
    pub name: &'static str,
    /// Whether this version can do it.
    pub works: bool,
    /// What it is.
    pub says: &'static str,
    /// The keys that it needs in a `repository` section.
    pub needs: &'static [&'static str],
    /// Those that it also takes.
    pub takes: &'static [&'static str],
}

const fn can(
    name: &'static str,
    says: &'static str,
    needs: &'static [&'static str],
    takes: &'static [&'static str],
) -> Capability {
    Capability { name, works: true, says, needs, takes }
}

const fn cannot(name: &'static str, says: &'static str) -> Capability {
    Capability { name, works: false, says, needs: &[], takes: &[] }
}

/// Kinds of repositories.
pub const STORES: &[Capability] = &[
    can(
        "zfs",
        "a ZFS dataset on the host, one ZFS snapshot for each snapshot",
        &["host", "pool", "mountpoint"],
        &["user", "port"],
    ),
    can(
        "xfs",
        "a folder on the host: best on XFS, works on any POSIX file system",
        &["host", "mountpoint"],
        &["user", "port"],
    ),
    cannot("rclone", "any remote of rclone"),
    cannot("ipfs", "a tree in IPFS"),
];

/// Ways to repositories, in the older format.
pub const TRANSPORTS: &[Capability] = &[
    can(
        "ssh",
        "a host that is reached over ssh",
        &["host", "path"],
        &["name", "type", "user", "port"],
    ),
    can("localhost", "a folder of this computer", &["path"], &["name", "type"]),
    cannot("rclone", "any remote of rclone"),
    cannot("ipfs", "a tree in IPFS"),
];

/// The names of those that work.
pub fn working(all: &'static [Capability]) -> impl Iterator<Item = &'static str> {
    all.iter().filter(|one| one.works).map(|one| one.name)
}

const fn key(name: &'static str, kind: Kind, says: &'static str) -> Key {
    Key { name, kind, says, default: "", idle: None }
}

const fn key_or(name: &'static str, kind: Kind, default: &'static str, says: &'static str) -> Key {
    Key { name, kind, says, default, idle: None }
}

const fn idle(name: &'static str, kind: Kind, says: &'static str, why: &'static str) -> Key {
    Key { name, kind, says, default: "", idle: Some(why) }
}

const DATA_DIRS: Key = key_or(
    "data_dirs",
    Kind::Texts,
    "[frozen, input, output]",
    "names of folders that hold data, at any depth; '*' for everything",
);
const IGNORED: Key =
    key("ignore", Kind::Section(IGNORE), "what is left alone although it lies in a data folder");
const HOST: Key = key("host", Kind::Text, "the host's name, or an alias of your ssh configuration");
const USER_THERE: Key =
    key("user", Kind::Text, "as whom to log in there, if your ssh configuration does not say it");
const PORT: Key = key("port", Kind::Number(1, 65535), "the port of its ssh server, likewise");
const REMOTE: Key = key("remote", Kind::Text, "a remote of rclone");
const DID: Key = key("did", Kind::Text, "the key that names the tree in IPFS");
const ENCRYPTED: Key = key("encrypted", Kind::Flag, "whether its content is encrypted");
const NAME_THERE: Key = key("name", Kind::Text, "the repository's name, the last part of its path");
const PATH: Key = key("path", Kind::Text, "the folder that holds repositories, absolute");
const TYPE: Key = key_or(
    "type",
    Kind::Store,
    "",
    "what kind of repository it is; init makes none of another kind",
);

/// `ignore`.
pub const IGNORE: &[Key] = &[
    key_or(
        "paths",
        Kind::Texts,
        "[]",
        "exact paths from the project's folder, with all below them",
    ),
    key_or(
        "names",
        Kind::Texts,
        "[.DS_Store, .RData, .Rdata, .Rproj.user, .rdata, __pycache__]",
        "names of files and folders, anywhere",
    ),
    key_or("suffixes", Kind::Texts, "[.pyc, .tmp]", "endings of file names"),
];

const REPOSITORY: &[Key] = &[
    TYPE,
    HOST,
    USER_THERE,
    PORT,
    key(
        "pool",
        Kind::Text,
        "the ZFS pool of the repository's dataset, which is the one that is mounted at its path; init makes none in another",
    ),
    key(
        "mountpoint",
        Kind::Text,
        "the folder that holds repositories, absolute: this one is mountpoint/name",
    ),
    REMOTE,
    PATH,
    DID,
    ENCRYPTED,
];

const SSH: &[Key] = &[HOST, USER_THERE, PORT, PATH, NAME_THERE, TYPE];
const LOCALHOST: &[Key] = &[PATH, NAME_THERE, TYPE];
const RCLONE: &[Key] = &[REMOTE, PATH, NAME_THERE];
const IPFS: &[Key] = &[DID, NAME_THERE, ENCRYPTED];

const NAME: Key = key("name", Kind::Text, "the project's name, for people");

/// `.dsgconfig.yml`.
pub const PROJECT: &[Key] = &[
    NAME,
    DATA_DIRS,
    IGNORED,
    key(
        "retention",
        Kind::Text,
        "which snapshots' files dsg prune keeps, if it is not told otherwise: e.g. last=10,daily=7,weekly=4,monthly=12,yearly=5",
    ),
    key(
        "repository",
        Kind::Section(REPOSITORY),
        "where the repository is, for whoever makes a copy",
    ),
    key(
        "transport",
        Kind::Transport,
        "older: how the repository is reached; the section of that name says the rest",
    ),
    key("ssh", Kind::Section(SSH), "older: the repository of transport: ssh"),
    key("localhost", Kind::Section(LOCALHOST), "older: the repository of transport: localhost"),
    key("rclone", Kind::Section(RCLONE), "older: the repository of transport: rclone"),
    key("ipfs", Kind::Section(IPFS), "older: the repository of transport: ipfs"),
    key(
        "project",
        Kind::Section(WRAPPED),
        "oldest: data_dirs and ignore in a section of their own",
    ),
];

const WRAPPED: &[Key] = &[NAME, DATA_DIRS, IGNORED];

/// `.dsg/config.yml`, before there was a `.dsgconfig.yml`.
pub const OLDEST: &[Key] = &[
    key("repo_name", Kind::Text, "the repository's name"),
    key("repo_path", Kind::Text, "the folder that holds repositories"),
    HOST,
    key("repo_type", Kind::Store, "what kind of repository it is"),
    DATA_DIRS,
    key("ignored_names", Kind::Texts, "names that are left alone"),
    key("ignored_suffixes", Kind::Texts, "endings that are left alone"),
    key("ignored_paths", Kind::Texts, "paths that are left alone"),
];

/// `dsg.yml`.
pub const USER: &[Key] = &[
    key("user_name", Kind::Text, "your name"),
    key_or(
        "user_id",
        Kind::Text,
        "login@computer",
        "your e-mail address: the author of your snapshots",
    ),
    key("hosts", Kind::Sections(HOST_SETTINGS), "settings of hosts, by the name in the address"),
    key_or(
        "default_host",
        Kind::Text,
        "localhost",
        "the host, [USER@]HOST[:PORT], of repositories that are meant by a name alone, or by nothing",
    ),
    key(
        "default_project_path",
        Kind::Text,
        "the folder there that holds them, absolute: NAME means default_project_path/NAME",
    ),
    idle("local_log", Kind::Text, "a folder for logs", "this version writes no logs"),
    idle(
        "backup_on_conflict",
        Kind::Flag,
        "keep what a conflict replaces",
        "what is replaced always goes to the trash of the project",
    ),
    idle("ssh", Kind::Section(USER_SSH), "of ssh", "say IdentityFile in ~/.ssh/config"),
    idle(
        "rclone",
        Kind::Section(USER_RCLONE),
        "of rclone",
        "this version has no rclone repositories",
    ),
    idle("ipfs", Kind::Section(USER_IPFS), "of IPFS", "this version has no IPFS repositories"),
];

/// `hosts.NAME` of `dsg.yml`.
pub const HOST_SETTINGS: &[Key] = &[
    key_or(
        "ssh",
        Kind::Choice(&["auto", "builtin", "system"]),
        "auto",
        "what speaks ssh: the built-in one, your own program, or whichever does",
    ),
    key(
        "agent_path",
        Kind::Text,
        "where dsg-agent is on the host, absolute; then none is looked for or brought",
    ),
];

const USER_SSH: &[Key] = &[key("key_path", Kind::Text, "a private key")];
const USER_RCLONE: &[Key] = &[key("config_path", Kind::Text, "its configuration")];
const USER_IPFS: &[Key] = &[key("passphrases", Kind::TextsByName, "passphrases by DID")];

/// Variables of the environment that count after all files, with the key that each stands for.
pub const VARIABLES: &[(&str, &str)] =
    &[("DSG_USER_NAME", "user_name"), ("DSG_USER_ID", "user_id")];
