//! The built-in ssh: from a route to a session that is logged in.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use dsg_core::address::SshHost;
use dsg_core::failure::{Code, Failure, Outcome};

use super::ask::Ask;
use super::credentials;
use super::known_hosts;
use super::link::{Carrier, Link};
use super::login;
use super::route::{Configuration, Person, Route};
use super::session::{Alive, Session};

/// More jumps than this go in a circle.
const MOST_JUMPS: usize = 8;

/// The way to a host: the jump hosts in their order, then the host itself.
pub(super) struct Way {
    pub(super) routes: Vec<Route>,
    /// What on the way the built-in ssh cannot do.
    pub(super) needs: Vec<String>,
}

impl Way {
    /// Looks every host up.
    ///
    /// # Errors
    /// [`Code::Config`]: a value that cannot be used, or jumps that go in a circle.
    pub(super) fn to(
        host: &SshHost,
        configuration: &Configuration,
        person: &Person,
    ) -> Outcome<Self> {
        let mut way = Self { routes: Vec::new(), needs: Vec::new() };
        let mut next = vec![host.clone()];
        // From the end to the beginning: only the first jump's own jumps count, as with ssh.
        while let Some(host) = next.pop() {
            let (route, needs) = configuration.route(&host, person)?;
            way.needs.extend(needs);
            if known_hosts::has_authority(&login::known_files(&route), &route.names) {
                way.needs.push("a host certificate's authority in known_hosts".to_owned());
            }
            if next.is_empty() {
                next.clone_from(&route.jumps);
            }
            way.routes.insert(0, route);
            if way.routes.len() > MOST_JUMPS {
                return Err(Failure::new(
                    Code::Config,
                    format!("The jump hosts of {host} have no end."),
                )
                .hint("Correct ProxyJump in ~/.ssh/config."));
            }
        }
        Ok(way)
    }
}

/// Connects and logs in, host by host.
///
/// # Errors
/// What stands in the way, at which host.
pub(super) fn connect(way: &Way, ask: &dyn Ask) -> Outcome<Session> {
    let mut below: Option<Box<Session>> = None;
    for route in &way.routes {
        let mut link = shaken(route, below.as_deref(), ask)?;
        let key = login::host_key(&link, route)?;
        login::check_host(route, &key, ask)?;
        credentials::log_in(&mut link, route, ask)?;
        let beat = Alive { interval: route.alive_interval, count: route.alive_count };
        below = Some(Box::new(Session::start(link, route.host.clone(), beat, below)?));
    }
    below.map(|session| *session).ok_or_else(|| Failure::new(Code::Usage, "No host is named."))
}

/// The key of the last host on the way, which nobody has confirmed yet; the hosts before it are logged in.
///
/// # Errors
/// As [`connect`].
pub(super) fn key_of(way: &Way, ask: &dyn Ask) -> Outcome<Vec<u8>> {
    let Some((last, before)) = way.routes.split_last() else {
        return Err(Failure::new(Code::Usage, "No host is named."));
    };
    let below = if before.is_empty() {
        None
    } else {
        Some(connect(&Way { routes: before.to_vec(), needs: Vec::new() }, ask)?)
    };
    let link = shaken(last, below.as_ref(), ask)?;
    login::host_key(&link, last)
}

/// A link to a host that agreed on how to speak.
fn shaken(route: &Route, below: Option<&Session>, ask: &dyn Ask) -> Outcome<Link> {
    let carrier: Box<dyn Carrier> = match below {
        None => Box::new(reach(route, ask)?),
        Some(below) => {
            let through = below.through(&route.host, route.port, ask)?;
            through.set_nonblocking(true).map_err(|e| broken(route, e))?;
            Box::new(through)
        }
    };
    let mut link = Link::new(carrier)?;
    login::shake_hands(&mut link, route, ask)?;
    Ok(link)
}

fn broken(route: &Route, cause: std::io::Error) -> Failure {
    Failure::new(Code::Unreachable, format!("{} could not be reached.", route.host)).because(cause)
}

/// A connection to the first host.
pub(super) fn reach(route: &Route, ask: &dyn Ask) -> Outcome<TcpStream> {
    let Route { host, port, patience, .. } = route;
    let addresses: Vec<_> = (host.as_str(), *port)
        .to_socket_addrs()
        .map_err(|e| {
            Failure::new(Code::Unreachable, format!("No host {host} is known to the network."))
                .because(e)
                .hint("Is the name right, and the network up? A VPN may be needed.")
        })?
        .collect();
    let began = Instant::now();
    let mut why = "it has no address".to_owned();
    for address in addresses {
        let left = patience.saturating_sub(began.elapsed()).max(Duration::from_secs(1));
        if ask.has_left() {
            return Err(Failure::cancelled());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                let prepared = stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true));
                return prepared.map(|()| stream).map_err(|e| broken(route, e));
            }
            Err(e) if e.kind() == std::io::ErrorKind::TimedOut => {
                why = format!("{address} did not answer within {} s", left.as_secs());
            }
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
                why = format!("{address} refuses connections");
            }
            Err(e) => why = format!("{address}: {e}"),
        }
    }
    Err(Failure::new(
        Code::Unreachable,
        format!("{host} could not be reached at port {port}: {why}."),
    )
    .hint(
        "Is the host up, is its ssh server at this port, and the network too? A VPN may be needed.",
    ))
}
