//! Where a repository is, as people write it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The address of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A folder of this computer: `/path` or `file:///path`.
    Local(PathBuf),
    /// A folder of a host: `ssh://[user@]host[:port]/path` or `[user@]host:/path`.
    Ssh(SshAddress),
}

/// A folder of a host that is reached over ssh.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SshAddress {
    /// The host, with user and port where they are given.
    pub host: SshHost,
    /// The folder there: absolute, without a slash at its end. Taken as it is written.
    pub path: String,
}

/// A host as the address names it: any alias of the user's ssh configuration, a name or an IP address.
/// Its parts are proved: none can be taken for an option of a program, or for more than one word.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SshHost {
    user: Option<String>,
    name: String,
    port: Option<u16>,
}

/// A folder in which somebody looks for a repository, or for a place for one: also a root or a home,
/// which are no addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The home folder of this account.
    Home,
    /// A folder of this computer.
    Local(PathBuf),
    /// A folder of a host, absolute; none: the account's home there.
    Ssh(SshHost, Option<String>),
}

/// Text that is no address of this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing is written.
    #[error("the address is empty")]
    Empty,
    /// A relative path depends on where one stands.
    #[error("{0:?} is not an absolute path")]
    Relative(String),
    /// A relative path on a host depends on who logs in.
    #[error("the path in {0:?} must begin with a slash, as in HOST:/data/repo")]
    RelativeThere(String),
    /// A kind of address that this version cannot reach.
    #[error(
        "{0:?} is neither a folder of this computer nor one of a host (ssh://[USER@]HOST[:PORT]/PATH or HOST:/PATH)"
    )]
    Unsupported(String),
    /// The root of a file system is no place for a repository.
    #[error("{0:?} is the root of the file system; a repository has a folder of its own")]
    Root(String),
    /// Contains a character that no address has.
    #[error("{0:?} contains a character that cannot stand in an address")]
    Character(String),
    /// Nothing, or nothing that is a host's name.
    #[error(
        "{0:?} is no name of a host: letters, digits, '.', '-' and '_' are, and none begins with '-'"
    )]
    Host(String),
    /// Nothing that is a user's name.
    #[error(
        "{0:?} is no name of a user: letters, digits, '.', '-', '_', '+' and '@' are, and none begins with '-'"
    )]
    User(String),
    /// Not a number from 1 to 65535.
    #[error("{0:?} is no port: a number from 1 to 65535 is")]
    Port(String),
}

/// First parts of `KIND:/path` that are no hosts.
const NO_HOSTS: [&str; 4] = ["file", "ipfs", "rclone", "ssh"];

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let unsupported = || AddressError::Unsupported(text.to_owned());
        if text.contains(char::is_control) {
            return Err(AddressError::Character(text.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("ssh://") {
            let (host, path) = match rest.find('/') {
                Some(at) => rest.split_at(at),
                None => return Err(AddressError::RelativeThere(text.to_owned())),
            };
            return there(host.parse()?, path, text);
        }
        let local = text.strip_prefix("file://").unwrap_or(text);
        if local.is_empty() {
            return Err(AddressError::Empty);
        }
        if local.starts_with('/') {
            return match local.trim_end_matches('/') {
                "" => Err(AddressError::Root(text.to_owned())),
                path => Ok(Self::Local(path.into())),
            };
        }
        // As ssh and rsync do: what has a slash before its first colon is a path.
        let colon = match local.strip_prefix('[') {
            Some(bracketed) => bracketed.find("]:").map(|at| at + 2),
            None => local.find(':').filter(|at| !local[..*at].contains('/')),
        };
        let Some(colon) = colon else { return Err(AddressError::Relative(text.to_owned())) };
        let (host, path) = (&local[..colon], &local[colon + 1..]);
        if NO_HOSTS.contains(&host) || path.starts_with("//") {
            return Err(unsupported());
        }
        let host: SshHost = match SshHost::of(host, None) {
            Err(_) if !path.starts_with('/') => return Err(unsupported()),
            host => host?,
        };
        if path.contains(':') && !path.starts_with('/') {
            return Err(unsupported());
        }
        there(host, path, text)
    }
}

/// As an [`Address`]; also `/`, `ssh://HOST` and `HOST:`.
impl FromStr for Place {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let root = |path: &str| !path.is_empty() && path.bytes().all(|b| b == b'/');
        if root(text.strip_prefix("file://").unwrap_or(text)) {
            return Ok(Self::Local("/".into()));
        }
        let host_and_path = match text.strip_prefix("ssh://") {
            Some(rest) => Some(rest.split_at(rest.find('/').unwrap_or(rest.len()))),
            None => text
                .rsplit_once(':')
                .filter(|(host, _)| !host.contains('/') && !NO_HOSTS.contains(host)),
        };
        if let Some((host, path)) = host_and_path.filter(|(_, path)| path.is_empty() || root(path))
        {
            return Ok(Self::Ssh(host.parse()?, (!path.is_empty()).then(|| "/".to_owned())));
        }
        Ok(Self::from(text.parse::<Address>()?))
    }
}

impl From<Address> for Place {
    fn from(address: Address) -> Self {
        match address {
            Address::Local(path) => Self::Local(path),
            Address::Ssh(SshAddress { host, path }) => Self::Ssh(host, Some(path)),
        }
    }
}

impl Place {
    /// The repository of a name in this folder; `None` where the folder itself is not known before
    /// somebody logs in.
    ///
    /// # Errors
    /// The name makes no address.
    pub fn holds(&self, name: &str) -> Option<Result<Address, AddressError>> {
        let folder = match self {
            Self::Home | Self::Ssh(_, None) => return None,
            Self::Local(path) => path.to_str()?,
            Self::Ssh(_, Some(path)) => path,
        };
        let path = format!("{}/{name}", folder.trim_end_matches('/'));
        Some(self.address_of(&path).parse())
    }

    /// Another folder on the same computer, as an address or the beginning of one.
    pub fn address_of(&self, path: &str) -> String {
        match self {
            Self::Home | Self::Local(_) => path.to_owned(),
            Self::Ssh(host, _) => format!("ssh://{host}{path}"),
        }
    }
}

fn there(host: SshHost, path: &str, text: &str) -> Result<Address, AddressError> {
    if !path.starts_with('/') {
        return Err(AddressError::RelativeThere(text.to_owned()));
    }
    match path.trim_end_matches('/') {
        "" => Err(AddressError::Root(text.to_owned())),
        path => Ok(Address::Ssh(SshAddress { host, path: path.to_owned() })),
    }
}

impl SshHost {
    /// Proves the parts of `[user@]name`; a name that is an IPv6 address stands in brackets.
    fn of(text: &str, port: Option<u16>) -> Result<Self, AddressError> {
        let (user, name) = match text.rsplit_once('@') {
            Some((user, name)) => (Some(user), name),
            None => (None, text),
        };
        let word = |text: &str, others: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
            !text.is_empty() && !text.starts_with('-') && text.chars().all(plain)
        };
        if let Some(user) = user.filter(|user| !word(user, "._+@-")) {
            return Err(AddressError::User(user.to_owned()));
        }
        let six = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let good = match six {
            Some(six) => six.contains(':') && word(six, ":.%-_"),
            None => word(name, "._-"),
        };
        if !good {
            return Err(AddressError::Host(name.to_owned()));
        }
        let name = six.unwrap_or(name).to_owned();
        Ok(Self { user: user.map(str::to_owned), name, port })
    }

    /// As whom, where the address says so.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The host's name or alias; an IPv6 address without brackets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// At which port, where the address says so.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

/// `[user@]host[:port]`, as `dsg trust` and jump hosts are written; `ssh://` may stand before it.
impl FromStr for SshHost {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.strip_prefix("ssh://").unwrap_or(text);
        // The last colon, unless it is part of an address in brackets.
        let cut = text.rfind(':').filter(|at| !text[*at..].contains(']'));
        let Some(at) = cut else { return Self::of(text, None) };
        let port = &text[at + 1..];
        match port.parse() {
            Ok(number) if number > 0 && port.chars().all(|c| c.is_ascii_digit()) => {
                Self::of(&text[..at], Some(number))
            }
            _ => Err(AddressError::Port(port.to_owned())),
        }
    }
}

impl fmt::Display for SshHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Address {
    /// The folder, if it is one of this computer.
    pub fn local(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(path),
            Self::Ssh(_) => None,
        }
    }

    /// The last part of the path: a name to offer.
    pub fn name(&self) -> String {
        match self {
            Self::Local(path) => {
                path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
            }
            Self::Ssh(there) => there.path.rsplit_once('/').map_or("", |(_, name)| name).to_owned(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Ssh(there) => there.fmt(f),
        }
    }
}

impl fmt::Display for SshAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ssh://{}{}", self.host, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_addresses_and_others_say_why_not() {
        for (text, path) in [
            ("/data/repo1", "/data/repo1"),
            ("file:///data/r/", "/data/r"),
            ("/with space", "/with space"),
            ("/with:colon", "/with:colon"),
        ] {
            assert_eq!(text.parse::<Address>().map(|a| a.to_string()).as_deref(), Ok(path));
        }
        for wrong in ["", "file://", "data/repo", "./a:/b", "rclone:a:b", "ipfs:name", "/", "/a\nb"]
        {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn folders_of_hosts_are_addresses_and_come_back_as_they_went() {
        for (text, shown, name) in [
            ("ssh://host/data/r", "ssh://host/data/r", "r"),
            ("ssh://ann@host.example:2222/r/", "ssh://ann@host.example:2222/r", "r"),
            ("host:/data/r", "ssh://host/data/r", "r"),
            ("ann@example.org@host:/r", "ssh://ann@example.org@host/r", "r"),
            ("ssh://[fe80::1%eth0]:22/r", "ssh://[fe80::1%eth0]:22/r", "r"),
            ("[::1]:/with space", "ssh://[::1]/with space", "with space"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.name().as_str()), (shown, name));
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }

    #[test]
    fn what_a_shell_or_a_program_could_mistake_is_refused() {
        for wrong in [
            "ssh://-oProxyCommand=x/r",
            "-oProxyCommand=x:/r",
            "ssh://-l@host/r",
            "ssh://ho st/r",
            "ssh://host;x/r",
            "ssh://$(x)/r",
            "ssh://a`x`@host/r",
            "ssh:///r",
            "ssh://host",
            "ssh://host/",
            "ssh://host:0/r",
            "ssh://host:99999/r",
            "ssh://host:+22/r",
            "ssh://host:/r",
            "ssh://@host/r",
            "ssh://[::1/r",
            "ssh://[host]/r",
            "host:r",
            "host:",
            "höst:/r",
            "https://host/r",
            "rclone:/r",
        ] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
        assert_eq!("host:r".parse::<Address>(), Err(AddressError::RelativeThere("host:r".into())));
    }

    #[test]
    fn places_are_also_roots_and_homes() {
        let host: SshHost = "ann@tank:2222".parse().unwrap();
        let place = |path: Option<&str>| Place::Ssh(host.clone(), path.map(str::to_owned));
        for (text, read) in [
            ("/", Place::Local("/".into())),
            ("/data/", Place::Local("/data".into())),
            ("ssh://ann@tank:2222", place(None)),
            ("ssh://ann@tank:2222/", place(Some("/"))),
            ("ssh://ann@tank:2222/srv/data/", place(Some("/srv/data"))),
            ("tank:", Place::Ssh("tank".parse().unwrap(), None)),
            ("tank:/", Place::Ssh("tank".parse().unwrap(), Some("/".into()))),
            ("[::1]:/srv", Place::Ssh("[::1]".parse().unwrap(), Some("/srv".into()))),
        ] {
            assert_eq!(text.parse::<Place>(), Ok(read), "{text}");
        }
        for wrong in ["", "data", "tank:data", "ssh://", "ssh:///", "ssh://-x", "rclone:", "a;b:"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
        assert_eq!(place(None).address_of("/srv/p"), "ssh://ann@tank:2222/srv/p");
        assert_eq!(Place::Home.address_of("/srv/p"), "/srv/p");
    }

    #[test]
    fn a_host_alone_is_read_as_in_an_address() {
        let host: SshHost = "ann@h:2222".parse().unwrap();
        assert_eq!((host.user(), host.name(), host.port()), (Some("ann"), "h", Some(2222)));
        assert_eq!(host.to_string(), "ann@h:2222");
        let six: SshHost = "[::1]".parse().unwrap();
        assert_eq!((six.name(), six.port(), six.to_string().as_str()), ("::1", None, "[::1]"));
        assert!("-v".parse::<SshHost>().is_err());
    }
}
