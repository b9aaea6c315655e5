//! A host that let us in, by whichever ssh; and those that are kept for the next use.

use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use dsg_core::address::SshHost;
use dsg_core::failure::{Failure, Outcome};

use super::agent;
use super::ask::{self, Ask};
use super::builtin::{self, Way};
use super::choice::{Choice, Transport, choose};
use super::program::{self, Program};
use super::route::{Configuration, Person};
use super::session::Session;
use super::settings::HostSettings;
use crate::transport::Stream;

/// A connection that nobody uses is kept this long.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// A login on a host.
pub(crate) struct Connection {
    host: SshHost,
    settings: HostSettings,
    choice: Choice,
    speaks: Speaks,
}

enum Speaks {
    Builtin(Session),
    System(Program),
}

/// Which ssh reaches a host, and how.
pub(super) struct Plan {
    pub(super) settings: HostSettings,
    pub(super) way: Way,
    pub(super) choice: Choice,
}

impl Plan {
    /// Reads the settings and the ssh configuration. Nothing is reached yet.
    ///
    /// # Errors
    /// [`Code::Config`](dsg_core::failure::Code::Config): something in them cannot be used.
    pub(super) fn of(host: &SshHost) -> Outcome<Self> {
        let settings = HostSettings::of(host)?;
        let person = Person::here();
        let way = Way::to(host, &Configuration::read(&person)?, &person)?;
        let choice = choose(settings.wanted(), &way.needs, program::is_there())?;
        tracing::debug!(%host, ?choice, "ssh");
        Ok(Self { settings, way, choice })
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// What stands in the way.
    pub(super) fn connect(self, host: &SshHost, ask: &dyn Ask) -> Outcome<Connection> {
        ask.tell(&format!("connecting to {host}"));
        let speaks = match self.choice.transport {
            Transport::Builtin => Speaks::Builtin(builtin::connect(&self.way, ask)?),
            Transport::System => {
                let patience = self.way.routes.last().map_or(IDLE, |route| route.patience);
                Speaks::System(Program::connect(host, patience, ask)?)
            }
        };
        Ok(Connection { host: host.clone(), settings: self.settings, choice: self.choice, speaks })
    }
}

impl Connection {
    pub(super) fn host(&self) -> &SshHost {
        &self.host
    }

    pub(super) fn agent_path(&self) -> Option<&str> {
        self.settings.agent_path.as_deref()
    }

    /// What speaks ssh, and why.
    pub(super) fn choice(&self) -> &Choice {
        &self.choice
    }

    fn is_alive(&self) -> bool {
        match &self.speaks {
            Speaks::Builtin(session) => session.is_alive(),
            Speaks::System(program) => program.is_alive(),
        }
    }

    /// Starts a program, given as a line for the host's shell.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) fn program(&self, line: String) -> Outcome<Stream> {
        match &self.speaks {
            Speaks::Builtin(session) => session.program(line),
            Speaks::System(program) => program.program(&line),
        }
    }

    /// Starts the agent, brought where it is missing. One connection gives several.
    ///
    /// # Errors
    /// It cannot be had there; the connection is lost.
    pub(crate) fn agent(&self, ask: &dyn Ask) -> Outcome<Stream> {
        agent::start(self, ask)
    }
}

struct Kept {
    connection: Arc<Connection>,
    used: Instant,
}

static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());
static CARETAKER: Once = Once::new();

fn kept<T>(what: impl FnOnce(&mut Vec<Kept>) -> T) -> T {
    what(&mut KEPT.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A connection to a host: one that lives, else a new one.
///
/// # Errors
/// What stands in the way.
pub(crate) fn connection(host: &SshHost) -> Outcome<Arc<Connection>> {
    if let Some(connection) = living(host) {
        return Ok(connection);
    }
    let person = ask::person();
    // Nobody is asked twice for one host: who comes second finds the login of the first.
    let _turn = if person.is_there() { Some(Turn::wait_for(host, person.as_ref())?) } else { None };
    if let Some(connection) = living(host) {
        return Ok(connection);
    }
    Ok(keep(Plan::of(host)?.connect(host, person.as_ref())?))
}

fn living(host: &SshHost) -> Option<Arc<Connection>> {
    kept(|all| {
        all.retain(|kept| kept.connection.is_alive());
        let found = all.iter_mut().find(|kept| kept.connection.host == *host)?;
        found.used = Instant::now();
        Some(found.connection.clone())
    })
}

/// Hosts at which somebody is being asked now.
static ASKING: Mutex<Vec<SshHost>> = Mutex::new(Vec::new());

/// The turn to ask about a host; ends when dropped.
struct Turn(SshHost);

impl Turn {
    fn wait_for(host: &SshHost, person: &dyn Ask) -> Outcome<Self> {
        loop {
            let mut asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
            if !asking.contains(host) {
                asking.push(host.clone());
                return Ok(Self(host.clone()));
            }
            drop(asking);
            if person.has_left() {
                return Err(Failure::cancelled());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
        asking.retain(|host| *host != self.0);
    }
}

/// Keeps a connection for the next use.
pub(super) fn keep(connection: Connection) -> Arc<Connection> {
    let connection = Arc::new(connection);
    kept(|all| all.push(Kept { connection: connection.clone(), used: Instant::now() }));
    CARETAKER.call_once(|| {
        std::thread::spawn(take_care);
    });
    connection
}

/// A stream to an agent on a host.
///
/// # Errors
/// What stands in the way.
pub(crate) fn agent_on(host: &SshHost) -> Outcome<Stream> {
    let person = ask::person();
    let found = connection(host)?;
    match found.agent(person.as_ref()) {
        // It was idle, and lost without a word: a new one.
        Err(_) if !found.is_alive() => connection(host)?.agent(person.as_ref()),
        other => other,
    }
}

/// Brings the agent anew to a host, where it is not of this build. Gives whether that can help.
///
/// # Errors
/// As [`agent_on`].
pub(crate) fn bring_agent_on(host: &SshHost) -> Outcome<bool> {
    agent::bring_anew(connection(host)?.as_ref(), ask::person().as_ref())
}

/// Ends connections that nobody has used for a while.
fn take_care() {
    loop {
        std::thread::sleep(IDLE / 10);
        let gone = kept(|all| {
            let (stay, gone): (Vec<Kept>, Vec<Kept>) =
                std::mem::take(all).into_iter().partition(|kept| {
                    Arc::strong_count(&kept.connection) > 1 || kept.used.elapsed() < IDLE
                });
            *all = stay;
            gone
        });
        drop(gone);
    }
}

/// Ends the connection to a host that nobody uses any more.
pub fn hang_up(host: &SshHost) {
    let gone = kept(|all| {
        let (gone, stay): (Vec<Kept>, Vec<Kept>) =
            std::mem::take(all).into_iter().partition(|kept| kept.connection.host == *host);
        *all = stay;
        gone
    });
    drop(gone);
}

/// Ends every connection that is kept: before the process ends.
pub fn hang_up_all() {
    let all = kept(std::mem::take);
    drop(all);
}
