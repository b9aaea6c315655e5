//! A host that let us in, by whichever ssh; and those that are kept for the next use.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dsg_core::address::SshHost;
use dsg_core::config::{HostConfig, SshProgram};
use dsg_core::failure::{Code, Failure, Outcome};

use super::agent::{self, There};
use super::ask::{self, Ask, Noted, Unasked};
use super::builtin::{self, Way};
use super::choice::{Choice, Transport, choose};
use super::program::{self, Program};
use super::route::{Configuration, Person};
use super::session::Session;
use super::settings;
use crate::transport::Stream;

/// A connection that nobody uses is kept this long.
pub(crate) const IDLE: Duration = Duration::from_secs(10 * 60);

/// A login on a host.
pub(crate) struct Connection {
    host: SshHost,
    settings: HostConfig,
    choice: Choice,
    speaks: Speaks,
    /// Somebody had to answer for it: without anybody there is no other.
    answered: bool,
    /// Held by each of its streams.
    used: Arc<()>,
}

enum Speaks {
    Builtin(Session),
    System(Program),
}

/// Which ssh reaches a host, and how.
pub(super) struct Plan {
    pub(super) settings: HostConfig,
    pub(super) way: Way,
    pub(super) choice: Choice,
}

impl Plan {
    /// Reads the settings and the ssh configuration. Nothing is reached yet.
    ///
    /// # Errors
    /// [`Code::Config`](dsg_core::failure::Code::Config): something in them cannot be used.
    pub(super) fn of(host: &SshHost) -> Outcome<Self> {
        let settings = settings::of(host)?;
        let person = Person::here();
        let way = Way::to(host, &Configuration::read(&person)?, &person)?;
        let choice = choose(settings.ssh.unwrap_or_default(), &way.needs, program::is_there())?;
        tracing::debug!(%host, ?choice, "ssh");
        Ok(Self { settings, way, choice })
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// What stands in the way.
    pub(super) fn connect(self, host: &SshHost, ask: &dyn Ask) -> Outcome<Connection> {
        ask.tell(&format!("connecting to {host}"));
        let noted = Noted::new(ask);
        let speaks = match self.choice.transport {
            Transport::Builtin => Speaks::Builtin(builtin::connect(&self.way, &noted)?),
            Transport::System => {
                let patience = self.way.routes.last().map_or(IDLE, |route| route.patience);
                Speaks::System(Program::connect(host, patience, ask)?)
            }
        };
        let Self { settings, choice, .. } = self;
        let (host, answered, used) = (host.clone(), noted.was_answered(), Arc::default());
        Ok(Connection { host, settings, choice, speaks, answered, used })
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

    pub(super) fn is_alive(&self) -> bool {
        match &self.speaks {
            Speaks::Builtin(session) => session.is_alive(),
            Speaks::System(program) => program.is_alive(),
        }
    }

    #[cfg(test)]
    pub(super) fn by_program(host: &SshHost, program: Program) -> Self {
        Self::by(host, Transport::System, Speaks::System(program))
    }

    #[cfg(test)]
    pub(super) fn by_session(host: &SshHost, session: Session) -> Self {
        Self::by(host, Transport::Builtin, Speaks::Builtin(session))
    }

    #[cfg(test)]
    fn by(host: &SshHost, transport: Transport, speaks: Speaks) -> Self {
        let choice = Choice { transport, why: String::new() };
        let settings = HostConfig::default();
        let (host, answered, used) = (host.clone(), false, Arc::default());
        Self { host, settings, choice, speaks, answered, used }
    }

    /// One by the program `ssh` beside this one.
    fn quicker(&self, unasked: &dyn Ask) -> Outcome<Arc<Self>> {
        let program = Program::connect_quietly(&self.host, QUICKER_PATIENCE, unasked)?;
        let why = "it encrypts much content quicker than the built-in ssh".to_owned();
        let quicker = Self {
            host: self.host.clone(),
            settings: self.settings.clone(),
            choice: Choice { transport: Transport::System, why },
            speaks: Speaks::System(program),
            answered: false,
            used: Arc::default(),
        };
        Ok(keep_as(quicker, true))
    }

    /// Whether the host gives no more programs on it. (The program `ssh` then logs in once more by
    /// itself.)
    fn is_full(&self) -> bool {
        matches!(&self.speaks, Speaks::Builtin(session) if session.is_full())
    }

    /// Whether a stream of it is open.
    fn is_used(&self) -> bool {
        Arc::strong_count(&self.used) > 1
    }

    /// Starts a program, given as a line for the host's shell.
    ///
    /// # Errors
    /// The connection is lost; the host gives no more; nobody waits for it any more.
    pub(super) fn program(&self, line: String, ask: &dyn Ask) -> Outcome<Stream> {
        let stream = match &self.speaks {
            Speaks::Builtin(session) => session.program(line, ask),
            Speaks::System(program) => program.program(&line),
        }?;
        let reader = Box::new(Using(stream.reader, self.used.clone()));
        Ok(Stream { reader, ..stream })
    }

    /// It did not answer in time, and is not to be used again. (The built-in ssh finds that out by itself.)
    pub(super) fn give_up(&self) {
        if let Speaks::System(program) = &self.speaks {
            program.give_up();
        }
    }

    /// Starts the agent, brought where it is missing. One connection gives several.
    ///
    /// # Errors
    /// It cannot be had there; the connection is lost.
    pub(crate) fn agent(&self, ask: &dyn Ask) -> Outcome<Stream> {
        self.agent_within(agent::Patience::default(), ask)
    }

    /// The same, where nothing moves for no longer than this.
    pub(super) fn agent_within(&self, patience: agent::Patience, ask: &dyn Ask) -> Outcome<Stream> {
        agent::start(There { connection: self, ask, patience })
    }
}

/// A stream's end that says that its connection is in use.
struct Using(Box<dyn Read + Send>, #[allow(dead_code, reason = "kept for its count")] Arc<()>);

impl Read for Using {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

struct Kept {
    connection: Arc<Connection>,
    used: Instant,
    /// It is the quicker one of two, for much content only.
    quicker: bool,
}

static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());
static CARETAKER: AtomicBool = AtomicBool::new(false);

fn kept<T>(what: impl FnOnce(&mut Vec<Kept>) -> T) -> T {
    what(&mut KEPT.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A connection to a host: one that lives, else a new one.
///
/// # Errors
/// What stands in the way.
pub(crate) fn connection(host: &SshHost) -> Outcome<Arc<Connection>> {
    if let Some(connection) = living(host, false) {
        return Ok(connection);
    }
    let person = ask::person();
    // Nobody is asked twice for one host: who comes second finds the login of the first.
    let _turn = if person.is_there() { Some(Turn::wait_for(host, person.as_ref())?) } else { None };
    if let Some(connection) = living(host, false) {
        return Ok(connection);
    }
    Ok(keep(Plan::of(host)?.connect(host, person.as_ref())?))
}

pub(super) fn living(host: &SshHost, quicker: bool) -> Option<Arc<Connection>> {
    kept(|all| {
        all.retain(|kept| kept.connection.is_alive());
        let found = all
            .iter_mut()
            .filter(|kept| kept.connection.host == *host && kept.quicker == quicker)
            .min_by_key(|kept| kept.connection.is_full())?;
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
    keep_as(connection, false)
}

fn keep_as(connection: Connection, quicker: bool) -> Arc<Connection> {
    let connection = Arc::new(connection);
    kept(|all| all.push(Kept { connection: connection.clone(), used: Instant::now(), quicker }));
    if !CARETAKER.swap(true, Ordering::AcqRel) {
        let care = std::thread::Builder::new().name("idle logins".to_owned()).spawn(take_care);
        // Without a thread now the next one that is kept begins it.
        CARETAKER.store(care.is_ok(), Ordering::Release);
    }
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
        // Others are at work on it, and the host gives a login no more (`MaxSessions`).
        Err(busy) if asks_elsewhere(busy.code, person.is_there(), found.answered) => {
            let other = another(host, person.as_ref()).and_then(|it| it.agent(person.as_ref()));
            other.map_err(|why| if why.code == Code::Cancelled { why } else { busy.because(why) })
        }
        other => other,
    }
}

/// Whether one more login may help, and is to be had: without anybody there only if the first one needed no
/// answer. Else careful hosts see one refused login after the other.
pub(super) fn asks_elsewhere(why: Code, is_there: bool, answered: bool) -> bool {
    why == Code::HostBusy && (is_there || !answered)
}

/// Hosts that the program `ssh` was not let into without a question.
static NOT_QUICKER: Mutex<Vec<SshHost>> = Mutex::new(Vec::new());
/// Where the built-in ssh was let in at once, the program takes no longer than this.
const QUICKER_PATIENCE: Duration = Duration::from_secs(5);

/// A stream to an agent on a host, for much content: the user's own program `ssh` encrypts quicker than the
/// built-in one. `None` where that is not for it to do, it is not there, or asks something.
///
/// # Errors
/// The host cannot be reached at all.
pub(crate) fn quicker_agent_on(host: &SshHost) -> Outcome<Option<Stream>> {
    let first = connection(host)?;
    let may = first.choice.transport == Transport::Builtin
        && first.settings.ssh.unwrap_or_default() == SshProgram::Auto;
    // On its way over other hosts the program would ask what it likes there.
    if !may || !program::is_there() || Plan::of(host)?.way.routes.len() > 1 {
        return Ok(None);
    }
    let refused = || NOT_QUICKER.lock().unwrap_or_else(PoisonError::into_inner);
    if refused().contains(host) {
        return Ok(None);
    }
    let person = ask::person();
    let unasked = Unasked(person.as_ref());
    let begun = living(host, true).map_or_else(|| first.quicker(&unasked), Ok);
    match begun.and_then(|quicker| quicker.agent(&unasked)) {
        Ok(stream) => Ok(Some(stream)),
        Err(failure) if failure.code == Code::Cancelled => Err(failure),
        Err(failure) => {
            tracing::debug!(%host, %failure, "ssh: the built-in one it is");
            refused().push(host.clone());
            Ok(None)
        }
    }
}

/// A program on a host, given as a line for its shell: what it writes, and its stdin. For measuring what the
/// channel carries.
///
/// # Errors
/// What stands in the way.
pub fn program_on(
    host: &SshHost,
    line: &str,
) -> Outcome<(Box<dyn Read + Send>, Box<dyn Write + Send>)> {
    struct Held {
        reader: Box<dyn Read + Send>,
        /// Without it the program is hung up.
        _hang_up: Box<dyn Fn() + Send + Sync>,
    }
    impl Read for Held {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            self.reader.read(into)
        }
    }
    let Stream { reader, writer, hang_up, .. } =
        connection(host)?.program(line.to_owned(), ask::person().as_ref())?;
    Ok((Box::new(Held { reader, _hang_up: hang_up }), writer))
}

/// One more connection to a host.
fn another(host: &SshHost, person: &dyn Ask) -> Outcome<Arc<Connection>> {
    let _turn = if person.is_there() { Some(Turn::wait_for(host, person)?) } else { None };
    Ok(keep(Plan::of(host)?.connect(host, person)?))
}

/// Brings the agent anew to a host, where it is not of this build. Gives whether that can help.
///
/// # Errors
/// As [`agent_on`].
pub(crate) fn bring_agent_on(host: &SshHost) -> Outcome<bool> {
    let (connection, person) = (connection(host)?, ask::person());
    let patience = agent::Patience::default();
    agent::bring_anew(There { connection: connection.as_ref(), ask: person.as_ref(), patience })
}

/// Ends connections that nobody has used for a while.
fn take_care() {
    loop {
        std::thread::sleep(IDLE / 10);
        drop(idle_at(Instant::now()));
    }
}

/// Those that nobody has used for a while at this time; they are kept no longer.
pub(super) fn idle_at(now: Instant) -> Vec<Arc<Connection>> {
    kept(|all| {
        for kept in all.iter_mut() {
            if kept.connection.is_used() || Arc::strong_count(&kept.connection) > 1 {
                kept.used = now;
            }
        }
        let idle = |kept: &mut Kept| now.saturating_duration_since(kept.used) >= IDLE;
        all.extract_if(.., idle).map(|kept| kept.connection).collect()
    })
}

/// Ends the connections to a host.
pub(crate) fn hang_up(host: &SshHost) {
    let gone = kept(|all| {
        let (gone, stay): (Vec<Kept>, Vec<Kept>) =
            std::mem::take(all).into_iter().partition(|kept| kept.connection.host == *host);
        *all = stay;
        gone
    });
    drop(gone);
}

/// Ends every connection that is kept.
pub(crate) fn hang_up_all() {
    let all = kept(std::mem::take);
    drop(all);
}
