//! How a host is reached: what the address leaves open, the user's ssh configuration says.
//!
//! Pure but for [`Configuration::read`]. What the built-in ssh cannot do is gathered as needs, in
//! words, for [`super::choice`].

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dsg_core::address::SshHost;
use dsg_core::failure::{Code, Failure, Outcome};
use ssh2_config::{Algorithms, HostParams, ParseRule, SshConfig};

use super::known_hosts;

/// A host has so long to let us in, step by step, unless `ConnectTimeout` says otherwise.
const PATIENCE: Duration = Duration::from_secs(15);
/// After so long without a word the host is asked whether it is there.
pub(super) const ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// After so many unanswered questions it is not.
pub(super) const ALIVE_COUNT: u32 = 4;
/// Key files that are tried where none is named, as `ssh` does.
const DEFAULT_KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// How one host is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The host's name on the network, or its address.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    /// Under which names its key is kept: the first decides.
    pub(crate) names: Vec<String>,
    /// `known_hosts` files.
    pub(crate) known_hosts: Vec<PathBuf>,
    /// The user's own of them, where hosts that were confirmed are written down. None: nothing is.
    pub(crate) remembers: Option<PathBuf>,
    pub(crate) hash_known_hosts: bool,
    /// `StrictHostKeyChecking yes`: a host that is not known is refused without a question.
    pub(crate) strict: bool,
    pub(crate) keys: Vec<PathBuf>,
    /// Only these keys are offered, also from the ssh agent.
    pub(crate) only_these_keys: bool,
    /// The ssh agent's socket.
    pub(crate) agent: Option<PathBuf>,
    /// Hosts on the way, in their order.
    pub(crate) jumps: Vec<SshHost>,
    pub(crate) patience: Duration,
    pub(crate) alive_interval: Duration,
    pub(crate) alive_count: u32,
    /// Ways to log in that the user does not want: `publickey`, `password`, `keyboard-interactive`.
    pub(crate) refused_ways: Vec<&'static str>,
    /// Where the user's own lists stand: ciphers, key exchanges, MACs, kinds of host keys.
    pub(crate) algorithms: [Option<Vec<String>>; 4],
}

/// Who asks: what the configuration's `~` and tokens stand for.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) home: PathBuf,
    pub(crate) login: String,
    pub(crate) uid: u32,
    /// `SSH_AUTH_SOCK`.
    pub(crate) agent: Option<PathBuf>,
    /// There is a Kerberos ticket.
    pub(crate) ticket: bool,
}

impl Person {
    /// This process's.
    pub(crate) fn here() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
        let uid = rustix::process::getuid().as_raw();
        let ticket =
            variable("KRB5CCNAME").is_some() || Path::new(&format!("/tmp/krb5cc_{uid}")).exists();
        let login = ["LOGNAME", "USER"].iter().find_map(|n| variable(n)?.into_string().ok());
        Self {
            home: variable("HOME").map_or_else(|| "/".into(), PathBuf::from),
            login: login.or_else(|| whoami::username().ok()).unwrap_or_else(|| "root".to_owned()),
            uid,
            agent: variable("SSH_AUTH_SOCK").map(PathBuf::from),
            ticket,
        }
    }
}

/// The ssh configuration: the user's own, then the computer's.
pub(crate) struct Configuration {
    files: Vec<SshConfig>,
    /// What stands in them that cannot be understood here, in words.
    beyond: Option<String>,
}

impl Configuration {
    /// Reads both files; one that is not there says nothing.
    ///
    /// # Errors
    /// A file may not be read.
    pub(crate) fn read(person: &Person) -> Outcome<Self> {
        let mut configuration = Self { files: Vec::new(), beyond: None };
        for path in [person.home.join(".ssh/config"), "/etc/ssh/ssh_config".into()] {
            match std::fs::read_to_string(&path) {
                Ok(text) => configuration.add(&text, &path, person),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(Failure::io("read", &path, e)),
            }
        }
        Ok(configuration)
    }

    fn add(&mut self, text: &str, path: &Path, person: &Person) {
        let rules = ParseRule::ALLOW_UNKNOWN_FIELDS | ParseRule::ALLOW_UNSUPPORTED_FIELDS;
        let parsed = SshConfig::default()
            .home_dir(&person.home)
            .parse(&mut BufReader::new(text.as_bytes()), rules);
        match parsed {
            // What follows a Match line would be taken for part of the Host before it.
            Ok(config) if has_match(&config) => self.beyond(format!("Match in {}", path.display())),
            Ok(config) => self.files.push(config),
            Err(e) => self.beyond(format!("{} ({e})", path.display())),
        }
    }

    fn beyond(&mut self, what: String) {
        self.beyond.get_or_insert(what);
    }

    /// What it says of a host, and what of that the built-in ssh cannot do, in words.
    ///
    /// # Errors
    /// [`Code::Config`]: a value that cannot be used.
    pub(crate) fn route(&self, host: &SshHost, person: &Person) -> Outcome<(Route, Vec<String>)> {
        let mut params: Option<HostParams> = None;
        for found in self.files.iter().map(|config| config.query(host.name())) {
            match &mut params {
                Some(params) => params.overwrite_if_none(&found),
                none => *none = Some(found),
            }
        }
        let params = params.unwrap_or_else(|| SshConfig::default().query(host.name()));
        let mut needs = needs(&params, person);
        needs.extend(self.beyond.clone());
        Ok((route(host, &params, person)?, needs))
    }
}

fn has_match(config: &SshConfig) -> bool {
    let is_match = |name: &String| name.eq_ignore_ascii_case("match");
    config.get_hosts().iter().any(|host| host.params.ignored_fields.keys().any(is_match))
}

/// The words of a key that the library reads but does not sort out.
fn other<'p>(params: &'p HostParams, key: &str) -> Option<&'p [String]> {
    let found = params.unsupported_fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
    found.map(|(_, words)| words.as_slice())
}

fn first<'p>(params: &'p HostParams, key: &str) -> Option<&'p str> {
    other(params, key)?.first().map(String::as_str)
}

fn yes(params: &HostParams, key: &str) -> bool {
    first(params, key).is_some_and(|v| v.eq_ignore_ascii_case("yes") || v == "true")
}

fn no(params: &HostParams, key: &str) -> bool {
    first(params, key).is_some_and(|v| v.eq_ignore_ascii_case("no") || v == "false")
}

/// What only the ssh program can do.
fn needs(params: &HostParams, person: &Person) -> Vec<String> {
    let set = |key: &str| first(params, key).is_some_and(|v| !v.eq_ignore_ascii_case("none"));
    let mut needs = Vec::new();
    for key in ["ProxyCommand", "KnownHostsCommand", "PKCS11Provider", "RevokedHostKeys"] {
        if set(key) {
            needs.push(key.to_owned());
        }
    }
    for key in ["HostbasedAuthentication", "VerifyHostKeyDNS"] {
        if yes(params, key) {
            needs.push(key.to_owned());
        }
    }
    if first(params, "CanonicalizeHostname").is_some_and(|v| !v.eq_ignore_ascii_case("no")) {
        needs.push("CanonicalizeHostname".to_owned());
    }
    if yes(params, "GSSAPIAuthentication") && person.ticket {
        needs.push("GSSAPIAuthentication with a Kerberos ticket".to_owned());
    }
    if params.certificate_file.is_some() {
        needs.push("CertificateFile".to_owned());
    }
    if params.bind_address.is_some() || params.bind_interface.is_some() {
        needs.push("BindAddress or BindInterface".to_owned());
    }
    needs
}

fn route(host: &SshHost, params: &HostParams, person: &Person) -> Outcome<Route> {
    let user = host.user().map(str::to_owned).or_else(|| params.user.clone());
    let user = user.unwrap_or_else(|| person.login.clone());
    let port = host.port().or(params.port).unwrap_or(known_hosts::DEFAULT_PORT);
    let mut tokens =
        Tokens { alias: host.name(), host: host.name().to_owned(), port, user: &user, person };
    if let Some(name) = &params.host_name {
        tokens.host = tokens.fill(name);
    }
    // Proved as an address is: a name that begins with a dash could be an option of a program.
    let probe =
        if tokens.host.contains(':') { format!("[{}]", tokens.host) } else { tokens.host.clone() };
    if probe.parse::<SshHost>().is_err() {
        let message = format!(
            "The ssh configuration gives {host} the name {:?}, which no host has.",
            tokens.host
        );
        return Err(Failure::new(Code::Config, message).hint("Correct HostName in ~/.ssh/config."));
    }
    let mut names = vec![known_hosts::name(&tokens.host, port)];
    if port != known_hosts::DEFAULT_PORT {
        names.push(known_hosts::name(&tokens.host, known_hosts::DEFAULT_PORT));
    }
    if let Some(alias) = first(params, "HostKeyAlias") {
        names = vec![alias.to_ascii_lowercase()];
    }
    let files = |key: &str, default: &[&str]| -> Vec<PathBuf> {
        let words = other(params, key).map(<[String]>::to_vec);
        let words = words.unwrap_or_else(|| default.iter().map(|w| (*w).to_owned()).collect());
        words.iter().filter(|w| !is_nothing(w)).map(|w| tokens.path(w)).collect()
    };
    let mut known = files("UserKnownHostsFile", &["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]);
    let remembers = known.first().cloned();
    known.extend(files(
        "GlobalKnownHostsFile",
        &["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"],
    ));
    let keys = match &params.identity_file {
        Some(named) => named.iter().map(|p| tokens.path(&p.to_string_lossy())).collect(),
        None => DEFAULT_KEYS.iter().map(|k| person.home.join(".ssh").join(k)).collect(),
    };
    let agent = match first(params, "IdentityAgent") {
        None | Some("SSH_AUTH_SOCK") => person.agent.clone(),
        Some("none") => None,
        Some(variable) if variable.starts_with('$') => {
            std::env::var_os(&variable[1..]).map(PathBuf::from)
        }
        Some(path) => Some(tokens.path(path)),
    };
    let mut jumps = Vec::new();
    for jump in params.proxy_jump.iter().flatten().filter(|j| !j.eq_ignore_ascii_case("none")) {
        jumps.push(jump.parse().map_err(|e| {
            Failure::new(Code::Config, format!("ProxyJump of {host} cannot be used: {e}."))
                .hint("Correct it in ~/.ssh/config.")
        })?);
    }
    let mut refused_ways = Vec::new();
    if params.pubkey_authentication == Some(false) {
        refused_ways.push("publickey");
    }
    if no(params, "PasswordAuthentication") {
        refused_ways.push("password");
    }
    if no(params, "KbdInteractiveAuthentication") {
        refused_ways.push("keyboard-interactive");
    }
    if let Some(wanted) = first(params, "PreferredAuthentications") {
        let wanted: Vec<&str> = wanted.split(',').collect();
        let ways = ["publickey", "password", "keyboard-interactive"];
        refused_ways.extend(ways.iter().filter(|way| !wanted.contains(way)));
    }
    let own = |list: &Algorithms| (!list.is_default()).then(|| list.algorithms().to_vec());
    let count = first(params, "ServerAliveCountMax").and_then(|n| n.parse().ok());
    let interval = params.server_alive_interval.filter(|i| !i.is_zero());
    Ok(Route {
        names,
        known_hosts: known,
        remembers,
        hash_known_hosts: yes(params, "HashKnownHosts"),
        strict: yes(params, "StrictHostKeyChecking"),
        keys,
        only_these_keys: yes(params, "IdentitiesOnly"),
        agent,
        jumps,
        patience: params.connect_timeout.filter(|t| !t.is_zero()).unwrap_or(PATIENCE),
        alive_interval: interval.unwrap_or(ALIVE_INTERVAL),
        alive_count: count.unwrap_or(ALIVE_COUNT).max(1),
        refused_ways,
        algorithms: [
            own(&params.ciphers),
            own(&params.kex_algorithms),
            own(&params.mac),
            own(&params.host_key_algorithms),
        ],
        host: tokens.host,
        port,
        user,
    })
}

/// Names for no file at all, as `ssh` takes them.
fn is_nothing(word: &str) -> bool {
    word.eq_ignore_ascii_case("none") || word.trim_matches('"') == "/dev/null"
}

/// What `%h` and its like stand for.
struct Tokens<'a> {
    alias: &'a str,
    host: String,
    port: u16,
    user: &'a str,
    person: &'a Person,
}

impl Tokens<'_> {
    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                filled.push(c);
                continue;
            }
            match rest.next() {
                Some('%') => filled.push('%'),
                Some('h') => filled.push_str(&self.host),
                Some('n') => filled.push_str(self.alias),
                Some('p') => filled.push_str(&self.port.to_string()),
                Some('r') => filled.push_str(self.user),
                Some('u') => filled.push_str(&self.person.login),
                Some('i') => filled.push_str(&self.person.uid.to_string()),
                Some('d') => filled.push_str(&self.person.home.to_string_lossy()),
                Some(other) => filled.extend(['%', other]),
                None => filled.push('%'),
            }
        }
        filled
    }

    fn path(&self, text: &str) -> PathBuf {
        let filled = self.fill(text.trim_matches('"'));
        match filled.strip_prefix("~/") {
            Some(rest) => self.person.home.join(rest),
            // As ssh does: what is not absolute is from the home.
            None if filled.starts_with('/') => filled.into(),
            None => self.person.home.join(filled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Person {
        Person {
            home: "/home/ann".into(),
            login: "ann".into(),
            uid: 1000,
            agent: Some("/run/agent".into()),
            ticket: false,
        }
    }

    fn asked(texts: &[&str], host: &str, person: &Person) -> (Route, Vec<String>) {
        let mut configuration = Configuration { files: Vec::new(), beyond: None };
        for text in texts {
            configuration.add(text, Path::new("/home/ann/.ssh/config"), person);
        }
        configuration.route(&host.parse().unwrap(), person).unwrap()
    }

    #[test]
    fn without_a_configuration_the_address_and_the_habits_of_ssh_count() {
        let (route, needs) = asked(&[], "tank", &ann());
        assert_eq!((route.host.as_str(), route.port, route.user.as_str()), ("tank", 22, "ann"));
        assert_eq!(route.names, ["tank"]);
        assert_eq!(route.keys[0], Path::new("/home/ann/.ssh/id_ed25519"));
        assert_eq!(route.known_hosts[0], Path::new("/home/ann/.ssh/known_hosts"));
        assert_eq!(route.agent.as_deref(), Some(Path::new("/run/agent")));
        assert!(needs.is_empty() && !route.only_these_keys && route.jumps.is_empty());
    }

    #[test]
    fn an_alias_says_what_the_address_leaves_open() {
        let text = "
            Host tank
                HostName %h.example.org
                Port 2222
                User bob
                IdentityFile ~/.ssh/%n_%r
                IdentitiesOnly yes
                ProxyJump carl@gate:2200,inner
                ServerAliveInterval 7
                ServerAliveCountMax 2
                ConnectTimeout 3
                UserKnownHostsFile ~/known /elsewhere/known
                HashKnownHosts yes
                IdentityAgent none
                PasswordAuthentication no
            Host *
                User other
                Ciphers aes128-ctr";
        let (route, needs) = asked(&[text], "tank", &ann());
        assert!(needs.is_empty(), "{needs:?}");
        assert_eq!((route.host.as_str(), route.port), ("tank.example.org", 2222));
        assert_eq!(route.names, ["[tank.example.org]:2222", "tank.example.org"]);
        assert_eq!((route.user.as_str(), route.agent), ("bob", None));
        assert_eq!(route.keys, [Path::new("/home/ann/.ssh/tank_bob")]);
        let jumps: Vec<String> = route.jumps.iter().map(ToString::to_string).collect();
        assert_eq!(jumps, ["carl@gate:2200", "inner"]);
        assert_eq!((route.alive_interval, route.alive_count), (Duration::from_secs(7), 2));
        assert_eq!(route.patience, Duration::from_secs(3));
        assert_eq!(
            route.known_hosts[..2],
            [Path::new("/home/ann/known"), Path::new("/elsewhere/known")]
        );
        assert!(route.hash_known_hosts && route.only_these_keys);
        assert_eq!(route.refused_ways, ["password"]);
        assert_eq!(route.algorithms[0].as_deref(), Some(&["aes128-ctr".to_owned()][..]));
        // The address wins.
        let (route, _) = asked(&[text], "carl@tank:22", &ann());
        assert_eq!((route.port, route.user.as_str()), (22, "carl"));
    }

    #[test]
    fn the_users_file_wins_over_the_computers() {
        let (route, _) =
            asked(&["Host tank\n Port 1\n", "Host *\n Port 2\n User x\n"], "tank", &ann());
        assert_eq!((route.port, route.user.as_str()), (1, "x"));
    }

    #[test]
    fn where_no_file_is_named_nothing_is_remembered_be_it_in_the_computers_file() {
        for word in ["none", "/dev/null", "\"/dev/null\""] {
            let text = format!("Host t\n UserKnownHostsFile {word}\n");
            let (route, _) = asked(&[&text], "t", &ann());
            assert_eq!(route.remembers, None, "{word}");
            assert!(!route.known_hosts.is_empty(), "the computer's files still count");
            assert!(!route.known_hosts.contains(&"/dev/null".into()), "{word}");
        }
        let (route, _) = asked(&["Host t\n UserKnownHostsFile /dev/null ~/k\n"], "t", &ann());
        assert_eq!(route.remembers.as_deref(), Some(Path::new("/home/ann/k")));
    }

    #[test]
    fn what_only_the_ssh_program_can_do_is_said() {
        for (text, word) in [
            ("Host t\n ProxyCommand nc %h %p\n", "ProxyCommand"),
            ("Host t\n CertificateFile ~/.ssh/c-cert.pub\n", "CertificateFile"),
            ("Host t\n PKCS11Provider /lib/x.so\n", "PKCS11Provider"),
            ("Host t\n CanonicalizeHostname yes\n", "CanonicalizeHostname"),
            ("Host o\n Port 1\nMatch host t\n Port 2\n", "Match"),
            ("Host t\n Port many\n", "config"),
        ] {
            let (_, needs) = asked(&[text], "t", &ann());
            assert!(needs.iter().any(|n| n.contains(word)), "{text}: {needs:?}");
        }
        for text in [
            "Host t\n ProxyCommand none\n",
            "Host *\n SendEnv LANG\n GSSAPIAuthentication yes\n",
            "Host other\n ProxyCommand nc\n",
            "Host t\n ObscureKeystrokeTiming no\n",
        ] {
            assert!(asked(&[text], "t", &ann()).1.is_empty(), "{text}");
        }
        let with_ticket = Person { ticket: true, ..ann() };
        let (_, needs) = asked(&["Host *\n GSSAPIAuthentication yes\n"], "t", &with_ticket);
        assert_eq!(needs.len(), 1);
    }

    #[test]
    fn a_name_that_could_be_an_option_is_refused() {
        let mut configuration = Configuration { files: Vec::new(), beyond: None };
        configuration.add("Host t\n HostName -oProxyCommand=x\n", Path::new("/c"), &ann());
        let refused = configuration.route(&"t".parse().unwrap(), &ann());
        assert_eq!(refused.map_err(|f| f.code), Err(Code::Config));
    }
}
