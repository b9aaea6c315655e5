//! The built-in ssh and the program against real servers: logins, streams, key exchanges, jumps.

mod bounds;
mod logins;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dsg_core::address::SshHost;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_testkit::proxy::{Proxy, Weather};
use dsg_testkit::run::skipped;
use dsg_testkit::sshd::{Kind, PASSWORD, Sshd, missing};
use tempfile::TempDir;

use super::ask::{Ask, Nobody, Noted, Secret, UnknownHost};
use super::builtin::{self, Way};
use super::connection::{self, Connection, asks_elsewhere, keep};
use super::program::Program;
use super::route::{Configuration, Person};
use super::session::Session;
use crate::transport::Stream;

/// A client's home, and who asks from it.
struct Client {
    home: TempDir,
    /// The ssh agent's socket.
    agent: Option<PathBuf>,
}

impl Client {
    fn new() -> Self {
        let home = tempfile::Builder::new().prefix("dsg-home-").tempdir().unwrap();
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        Self { home, agent: None }
    }

    /// Of a server that knows its key, and is known.
    fn of(sshd: &Sshd) -> Self {
        let client = Self::new();
        sshd.admit(client.home.path(), "");
        sshd.introduce(client.home.path(), sshd.port);
        client
    }

    fn config(&self, text: &str) {
        std::fs::write(self.home.path().join(".ssh/config"), text).unwrap();
    }

    /// The configuration for the program `ssh`, which looks for nothing in this home by itself, and the name
    /// of the server in it.
    fn alias(&self, sshd: &Sshd, port: u16, more: &str) -> (SshHost, PathBuf) {
        let alias = format!("dsg-test-{}", sshd.port);
        self.config(&format!(
            "Host {alias}\n HostName 127.0.0.1\n Port {port}\n User {}\n IdentityFile {at}/id_ed25519\n UserKnownHostsFile {at}/known_hosts\n{more}",
            sshd.user,
            at = self.home.path().join(".ssh").display()
        ));
        (alias.parse().unwrap(), self.home.path().join(".ssh/config"))
    }

    fn way(&self, host: &str) -> Way {
        let person = Person {
            home: self.home.path().to_owned(),
            login: dsg_testkit::sshd::own_name(),
            uid: 0,
            agent: self.agent.clone(),
            ticket: false,
        };
        let configuration = Configuration::read(&person).unwrap();
        Way::to(&host.parse().unwrap(), &configuration, &person).unwrap()
    }

    fn connect(&self, sshd: &Sshd, port: u16, ask: &dyn Ask) -> Outcome<Session> {
        builtin::connect(&self.way(&format!("{}@127.0.0.1:{port}", sshd.user)), ask)
    }
}

/// Answers as told, and remembers the questions.
#[derive(Default)]
struct Told {
    trusts: bool,
    secrets: Mutex<Vec<&'static str>>,
    asked: Mutex<Vec<String>>,
    /// Where no secret is left.
    leaves: bool,
}

impl Ask for Told {
    fn trust(&self, host: &UnknownHost) -> Option<bool> {
        self.asked.lock().unwrap().push(host.fingerprint.clone());
        Some(self.trusts)
    }
    fn secret(&self, secret: &Secret) -> Option<String> {
        self.asked.lock().unwrap().push(format!("{secret:?}"));
        let mut secrets = self.secrets.lock().unwrap();
        (!secrets.is_empty()).then(|| secrets.remove(0).to_owned())
    }
    fn is_there(&self) -> bool {
        true
    }
    fn has_left(&self) -> bool {
        self.leaves
    }
}

fn code<T>(outcome: Outcome<T>) -> Code {
    outcome.err().map(|failure| failure.code).expect("a failure")
}

fn said(mut stream: Stream) -> String {
    let mut text = String::new();
    drop(stream.writer);
    stream.reader.read_to_string(&mut text).unwrap();
    text
}

/// Sends so many bytes there and back, both ways at once, and compares them.
fn there_and_back(stream: Stream, size: usize) -> Duration {
    let began = Instant::now();
    let Stream { mut reader, mut writer, farewell, .. } = stream;
    let pattern = |at: usize| u8::try_from((at / 7 + at) % 251).unwrap();
    let sender = std::thread::spawn(move || {
        let mut sent = 0;
        while sent < size {
            let part: Vec<u8> = (sent..size.min(sent + 100_000)).map(pattern).collect();
            writer.write_all(&part).unwrap();
            sent += part.len();
        }
    });
    let mut buffer = vec![0; 1 << 16];
    let mut at = 0;
    while at < size {
        let count = reader.read(&mut buffer).unwrap();
        assert!(count > 0, "ended after {at} of {size}: {}", farewell());
        for (n, byte) in buffer[..count].iter().enumerate() {
            assert_eq!(*byte, pattern(at + n), "at {}", at + n);
        }
        at += count;
    }
    sender.join().unwrap();
    began.elapsed()
}

#[test]
fn a_program_runs_there_and_says_how_it_ended() {
    let sshd = Sshd::start(&Kind::default());
    let session = Client::of(&sshd).connect(&sshd, sshd.port, &Nobody).unwrap();
    let mut stream = session.program("echo out; echo err >&2; exit 7".into(), &Nobody).unwrap();
    let mut text = String::new();
    stream.reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "out\n");
    assert_eq!((stream.farewell)(), "ended with status 7: err");
    // The session goes on, also after it stood idle.
    assert_eq!(said(session.program("cat; echo two".into(), &Nobody).unwrap()), "two\n");
}

#[test]
fn several_streams_share_a_session_and_one_that_is_not_read_holds_up_nobody() {
    let sshd = Sshd::start(&Kind::default());
    let session = Client::of(&sshd).connect(&sshd, sshd.port, &Nobody).unwrap();
    let unread = session.program("cat /dev/zero".into(), &Nobody).unwrap();
    let unwritten = session.program("while echo; do sleep 1; done".into(), &Nobody).unwrap();
    let mut stuck = unwritten.writer;
    let (hang_up, filled) =
        (unwritten.hang_up, std::thread::spawn(move || stuck.write_all(&vec![1; 1 << 24])));
    there_and_back(session.program("cat".into(), &Nobody).unwrap(), 8 << 20);
    hang_up();
    assert!(filled.join().unwrap().is_err(), "a stream that was hung up takes nothing more");
    drop(unread);
    there_and_back(session.program("cat".into(), &Nobody).unwrap(), 1 << 20);
}

/// libssh2 up to 1.11.1 waits for ever if a key exchange begins while a packet is half sent.
#[test]
fn key_exchanges_in_the_middle_of_200_mib_each_way_do_no_harm() {
    let rules = vec!["RekeyLimit 1M".into(), "LogLevel DEBUG1".into()];
    let sshd = Sshd::start(&Kind { rules, ..Kind::default() });
    let session = Client::of(&sshd).connect(&sshd, sshd.port, &Nobody).unwrap();
    let second = session.program("cat".into(), &Nobody).unwrap();
    let first = session.program("cat".into(), &Nobody).unwrap();
    let beside = std::thread::spawn(move || there_and_back(second, 50 << 20));
    let took = there_and_back(first, 200 << 20);
    beside.join().unwrap();
    let exchanges = sshd.log().matches("SSH2_MSG_KEXINIT received").count();
    assert!(exchanges > 100, "only {exchanges} key exchanges in {took:?}");
}

#[test]
fn key_exchanges_over_a_narrow_network_do_no_harm() {
    let kind = Kind { rules: vec!["RekeyLimit 1M".into()], ..Kind::default() };
    let sshd = Sshd::start(&kind);
    let proxy = Proxy::to(
        sshd.port,
        Weather { delay: Duration::from_millis(3), rate: 40 << 20, ..Weather::default() },
    );
    let client = Client::of(&sshd);
    sshd.introduce(client.home.path(), proxy.port);
    let session = client.connect(&sshd, proxy.port, &Nobody).unwrap();
    there_and_back(session.program("cat".into(), &Nobody).unwrap(), 24 << 20);
}

#[test]
fn a_host_that_nobody_confirmed_is_asked_about_and_then_known() {
    let sshd = Sshd::start(&Kind::default());
    let client = Client::new();
    client.config("Host *\n HashKnownHosts no\n");
    sshd.admit(client.home.path(), "");
    let failure = client.connect(&sshd, sshd.port, &Nobody).err().unwrap();
    assert_eq!(failure.code, Code::HostKeyUnknown);
    assert!(failure.message.contains(&sshd.fingerprint()), "{failure}");
    let hint = failure.hint.unwrap_or_default();
    assert!(hint.contains(&format!("dsg trust 127.0.0.1:{}", sshd.port)), "{hint}");
    let no = Told::default();
    assert_eq!(code(client.connect(&sshd, sshd.port, &no)), Code::HostKeyUnknown);
    assert_eq!(*no.asked.lock().unwrap(), [sshd.fingerprint()]);
    let yes = Told { trusts: true, ..Told::default() };
    client.connect(&sshd, sshd.port, &yes).unwrap();
    client.connect(&sshd, sshd.port, &Nobody).unwrap();
    // OpenSSH reads it as we do.
    let known = client.home.path().join(".ssh/known_hosts");
    assert_eq!(std::fs::read_to_string(known).unwrap(), sshd.known_as(sshd.port));
}

#[test]
fn a_hashed_known_hosts_is_read_and_written() {
    let sshd = Sshd::start(&Kind::default());
    let client = Client::new();
    sshd.admit(client.home.path(), "");
    client.config("Host *\n HashKnownHosts yes\n");
    let yes = Told { trusts: true, ..Told::default() };
    client.connect(&sshd, sshd.port, &yes).unwrap();
    let known = client.home.path().join(".ssh/known_hosts");
    let text = std::fs::read_to_string(&known).unwrap();
    assert!(text.starts_with("|1|") && !text.contains("127.0.0.1"), "{text}");
    client.connect(&sshd, sshd.port, &Nobody).unwrap();
    let found = std::process::Command::new("ssh-keygen")
        .args(["-F", &format!("[127.0.0.1]:{}", sshd.port), "-f"])
        .arg(&known)
        .status();
    assert!(found.unwrap().success(), "ssh-keygen finds it too");
}

#[test]
fn a_key_that_changed_is_a_stop_with_both_fingerprints_and_the_line() {
    let (sshd, other) = (Sshd::start(&Kind::default()), Sshd::start(&Kind::default()));
    let client = Client::new();
    sshd.admit(client.home.path(), "");
    let known = client.home.path().join(".ssh/known_hosts");
    std::fs::write(&known, format!("# mine\n[127.0.0.1]:{} {}\n", sshd.port, other.host_key()))
        .unwrap();
    let failure: Failure =
        client.connect(&sshd, sshd.port, &Told { trusts: true, ..Told::default() }).err().unwrap();
    assert_eq!(failure.code, Code::HostKeyChanged);
    for part in [sshd.fingerprint(), other.fingerprint(), format!("{}:2", known.display())] {
        assert!(failure.message.contains(&part), "{part} in {failure}");
    }
}

#[test]
fn a_passphrase_is_asked_for_and_may_be_corrected() {
    let sshd = Sshd::start(&Kind::default());
    let client = Client::new();
    sshd.admit(client.home.path(), "open sesame");
    sshd.introduce(client.home.path(), sshd.port);
    let failure = client.connect(&sshd, sshd.port, &Nobody).err().unwrap();
    assert_eq!(failure.code, Code::LoginRefused);
    assert!(failure.message.contains("needs a passphrase"), "{failure}");
    let wrong = Told { secrets: Mutex::new(vec!["a", "b", "c"]), ..Told::default() };
    let failure = client.connect(&sshd, sshd.port, &wrong).err().unwrap();
    assert!(failure.message.contains("passphrase is wrong"), "{failure}");
    let corrected = Told { secrets: Mutex::new(vec!["a", "open sesame"]), ..Told::default() };
    client.connect(&sshd, sshd.port, &corrected).unwrap();
    assert_eq!(corrected.asked.lock().unwrap().len(), 2);
}

#[test]
fn a_passphrase_of_a_key_in_another_format_may_be_corrected_too() {
    let sshd = Sshd::start(&Kind::default());
    let client = Client::new();
    let file = client.home.path().join(".ssh/id_ed25519");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "open sesame", "-f"])
        .arg(&file)
        .status();
    assert!(made.is_ok_and(|status| status.success()));
    sshd.admit(client.home.path(), "open sesame");
    sshd.introduce(client.home.path(), sshd.port);
    let corrected = Told { secrets: Mutex::new(vec!["a", "open sesame"]), ..Told::default() };
    client.connect(&sshd, sshd.port, &corrected).unwrap();
    assert_eq!(corrected.asked.lock().unwrap().len(), 2);
}

#[test]
fn a_password_is_asked_for_and_may_be_corrected() {
    let kind = Kind { password: true, ..Kind::default() };
    if let Some(why) = missing(&kind) {
        return skipped(&why);
    }
    let sshd = Sshd::start(&kind);
    let client = Client::new();
    sshd.introduce(client.home.path(), sshd.port);
    assert_eq!(code(client.connect(&sshd, sshd.port, &Nobody)), Code::LoginRefused);
    let corrected = Told { secrets: Mutex::new(vec!["wrong", PASSWORD]), ..Told::default() };
    let noted = Noted::new(&corrected);
    let session = client.connect(&sshd, sshd.port, &noted).unwrap();
    assert_eq!(said(session.program("id -un".into(), &Nobody).unwrap()), "dsg-tester\n");
    // While others are at work over it, nobody tries a further login in vain.
    assert!(noted.was_answered() && !asks_elsewhere(Code::HostBusy, false, true));
    assert!(asks_elsewhere(Code::HostBusy, true, true));
}

#[test]
fn a_login_that_needed_no_answer_may_be_made_once_more_by_itself() {
    let sshd = Sshd::start(&Kind::default());
    let nobody = Noted::new(&Nobody);
    Client::of(&sshd).connect(&sshd, sshd.port, &nobody).unwrap();
    assert!(!nobody.was_answered() && asks_elsewhere(Code::HostBusy, false, false));
    assert!(!asks_elsewhere(Code::Unreachable, true, false));
}

#[test]
fn what_a_host_asks_is_asked_in_its_words_and_may_be_corrected() {
    let kind = Kind { asks: true, ..Kind::default() };
    if let Some(why) = missing(&kind) {
        return skipped(&why);
    }
    let sshd = Sshd::start(&kind);
    let client = Client::new();
    sshd.introduce(client.home.path(), sshd.port);
    let failure = client.connect(&sshd, sshd.port, &Nobody).err().unwrap();
    assert_eq!(failure.code, Code::LoginRefused);
    assert!(failure.message.contains("what it asks (nobody answered)"), "{failure}");
    let corrected = Told { secrets: Mutex::new(vec!["wrong", PASSWORD]), ..Told::default() };
    let session = client.connect(&sshd, sshd.port, &corrected).unwrap();
    assert_eq!(said(session.program("id -un".into(), &Nobody).unwrap()), "dsg-tester\n");
    let asked = corrected.asked.into_inner().unwrap();
    let prompt = |asked: &String| {
        ["Prompt", "Password:", "echo: false", "dsg-tester@127.0.0.1"]
            .iter()
            .all(|p| asked.contains(p))
    };
    assert!(asked.len() == 2 && asked.iter().all(prompt), "{asked:?}");
}

#[test]
fn a_host_that_gives_one_channel_at_a_time_gives_it_again_and_says_when_it_does_not() {
    let kind = Kind { rules: vec!["MaxSessions 1".into()], ..Kind::default() };
    let sshd = Sshd::start(&kind);
    let session = Client::of(&sshd).connect(&sshd, sshd.port, &Nobody).unwrap();
    // At once, and after it stood idle, when a channel without a program listens.
    for turn in 0..6 {
        if turn % 2 == 1 {
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(
            said(session.program(format!("cat; echo {turn}"), &Nobody).unwrap()),
            format!("{turn}\n")
        );
        // Given up before it ended.
        drop(session.program("cat".into(), &Nobody).unwrap());
    }
    let one = session.program("cat".into(), &Nobody).unwrap();
    let refused = session.program("cat".into(), &Nobody).err().unwrap();
    assert!(refused.message.contains("no more channels"), "{refused}");
    assert_eq!(refused.code, Code::HostBusy);
    assert!(session.is_full() && session.is_alive());
    there_and_back(one, 1 << 20);
    assert_eq!(said(session.program("echo again".into(), &Nobody).unwrap()), "again\n");
    assert!(!session.is_full());
}

/// sshd counts a channel until its program has ended, however long after it has gone here.
#[test]
fn a_channel_whose_program_is_slow_to_end_is_waited_for_and_no_other_login_is_needed() {
    for most in [1, 2] {
        let kind = Kind { rules: vec![format!("MaxSessions {most}")], ..Kind::default() };
        let sshd = Sshd::start(&kind);
        let session = Client::of(&sshd).connect(&sshd, sshd.port, &Nobody).unwrap();
        let working: Vec<Stream> =
            (1..most).map(|_| session.program("cat".into(), &Nobody).unwrap()).collect();
        let mut slow =
            session.program("trap '' HUP; echo; cat; sleep 1.5".into(), &Nobody).unwrap();
        slow.reader.read_exact(&mut [0]).unwrap();
        drop(slow);
        assert_eq!(
            said(session.program("echo next".into(), &Nobody).unwrap()),
            "next\n",
            "of {most}"
        );
        assert!(!session.is_full());
        assert_eq!(sshd.log().matches("Accepted publickey").count(), 1);
        drop(working);
    }
}

#[test]
fn a_host_behind_a_jump_host_is_reached_through_it() {
    let (gate, inner) = (Sshd::start(&Kind::default()), Sshd::start(&Kind::default()));
    let client = Client::of(&gate);
    inner.admit(client.home.path(), "");
    inner.introduce(client.home.path(), inner.port);
    client.config(&format!(
        "Host inner\n HostName 127.0.0.1\n Port {}\n User {}\n ProxyJump {}@127.0.0.1:{}\n",
        inner.port, inner.user, gate.user, gate.port
    ));
    let session = builtin::connect(&client.way("inner"), &Nobody).unwrap();
    there_and_back(session.program("cat".into(), &Nobody).unwrap(), 4 << 20);
    assert!(gate.log().contains("Accepted publickey"));
    assert!(inner.log().contains("Accepted publickey"));
}

#[test]
fn a_host_that_is_not_there_or_says_nothing_is_unreachable_in_time() {
    let client = Client::new();
    client.config("Host *\n ConnectTimeout 1\n");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    let began = Instant::now();
    // It accepts, and says nothing.
    assert_eq!(
        code(builtin::connect(&client.way(&format!("127.0.0.1:{port}")), &Nobody)),
        Code::Unreachable
    );
    assert!(began.elapsed() < Duration::from_secs(10));
    drop(free);
    let failure =
        builtin::connect(&client.way(&format!("127.0.0.1:{port}")), &Nobody).err().unwrap();
    assert!(failure.message.contains("refuses connections"), "{failure}");
    assert_eq!(
        code(builtin::connect(&client.way("no-such-host.invalid"), &Nobody)),
        Code::Unreachable
    );
}

#[test]
fn a_network_that_goes_silent_is_noticed_and_said() {
    let sshd = Sshd::start(&Kind::default());
    let proxy = Proxy::to(sshd.port, Weather::default());
    let client = Client::of(&sshd);
    sshd.introduce(client.home.path(), proxy.port);
    client.config("Host *\n ServerAliveInterval 1\n ServerAliveCountMax 2\n");
    let session = client.connect(&sshd, proxy.port, &Nobody).unwrap();
    let mut stream = session.program("cat".into(), &Nobody).unwrap();
    proxy.stall(true);
    let mut byte = [0];
    assert_eq!(stream.reader.read(&mut byte).unwrap(), 0);
    assert!((stream.farewell)().contains("has not answered"), "{}", (stream.farewell)());
    assert_eq!(code(session.program("true".into(), &Nobody)), Code::Unreachable);
}

#[test]
fn a_cut_connection_ends_every_stream_of_it() {
    let sshd = Sshd::start(&Kind::default());
    let proxy = Proxy::to(sshd.port, Weather::default());
    let client = Client::of(&sshd);
    sshd.introduce(client.home.path(), proxy.port);
    let session = client.connect(&sshd, proxy.port, &Nobody).unwrap();
    let mut streams = [(); 2].map(|()| session.program("cat".into(), &Nobody).unwrap());
    proxy.cut();
    for stream in &mut streams {
        assert_eq!(stream.reader.read(&mut [0]).unwrap(), 0);
        assert!((stream.farewell)().contains("was lost"), "{}", (stream.farewell)());
    }
    assert!(!session.is_alive());
}

/// The program `ssh` reads its files from the account's home, whatever `HOME` says: a configuration of the
/// test's own is named to it.
#[test]
fn the_program_ssh_logs_in_once_for_several_streams_and_with_a_quick_cipher() {
    let sshd = Sshd::start(&Kind { rules: vec!["LogLevel DEBUG".into()], ..Kind::default() });
    let client = Client::of(&sshd);
    let (alias, config) = client.alias(&sshd, sshd.port, "");
    let program = Program::with(&alias, &config, &Nobody).unwrap();
    for _ in 0..2 {
        there_and_back(program.program("cat").unwrap(), 1 << 20);
    }
    let mut stream = program.program("echo sad >&2; exit 3").unwrap();
    assert_eq!(stream.reader.read(&mut [0]).unwrap(), 0);
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 1);
    if super::program::has_aes() {
        let log = sshd.log();
        let taken: Vec<&str> = log.lines().filter(|line| line.contains(" cipher: ")).collect();
        assert!(!taken.is_empty() && taken.iter().all(|line| line.contains("-gcm@")), "{taken:?}");
    }
    let unknown = Client::new();
    unknown.config(&format!(
        "Host {alias}\n HostName 127.0.0.1\n Port {}\n UserKnownHostsFile /dev/null\n",
        sshd.port
    ));
    let config = unknown.home.path().join(".ssh/config");
    let refused = Program::with(&alias, &config, &Nobody);
    assert_eq!(code(refused), Code::HostKeyUnknown);
}

#[test]
fn a_login_is_ended_when_it_is_idle_and_never_while_a_stream_of_it_is_open() {
    let sshd = Sshd::start(&Kind::default());
    let client = Client::of(&sshd);
    let (host, config) = client.alias(&sshd, sshd.port, "");
    let program = Program::with(&host, &config, &Nobody).unwrap();
    let kept = keep(Connection::by_program(&host, program));
    let stream = kept.program("cat".into(), &Nobody).unwrap();
    let lives = Arc::downgrade(&kept);
    drop(kept);
    let later = |times: u32| Instant::now() + connection::IDLE * times;
    drop(connection::idle_at(later(1)));
    there_and_back(stream, 1 << 20);
    drop(connection::idle_at(later(1)));
    assert!(lives.upgrade().is_some(), "it was used until a moment ago");
    drop(connection::idle_at(later(3)));
    assert!(lives.upgrade().is_none());
}

#[test]
fn what_the_program_ssh_asks_is_asked_where_dsg_asks() {
    let sshd = Sshd::start(&Kind::default());
    let client = Client::new();
    sshd.admit(client.home.path(), "open sesame");
    let alias = format!("dsg-test-{}", sshd.port);
    let at = client.home.path().join(".ssh");
    let (config, at) = (at.join("config"), at.display());
    client.config(&format!(
        "Host {alias}\n HostName 127.0.0.1\n Port {}\n User {}\n IdentityFile {at}/id_ed25519\n IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile {at}/known_hosts\n",
        sshd.port, sshd.user,
    ));
    let host = alias.parse().unwrap();
    let person = |secrets: &[&'static str], leaves| Told {
        trusts: true,
        secrets: Mutex::new(secrets.to_vec()),
        leaves,
        ..Told::default()
    };

    // A login that nobody goes on with leaves nothing behind but the host that was confirmed.
    let left = person(&[], true);
    assert_eq!(code(Program::with(&host, &config, &left)), Code::Cancelled);
    let asked = left.asked.into_inner().unwrap();
    assert_eq!(asked[0], sshd.fingerprint());
    assert!(asked[1].contains("Passphrase") && asked[1].contains("id_ed25519"), "{asked:?}");

    let person = person(&["wrong", "open sesame"], false);
    let program = Program::with(&host, &config, &person).unwrap();
    there_and_back(program.program("cat").unwrap(), 1 << 20);
    let asked = person.asked.into_inner().unwrap();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].contains("again: false") && asked[1].contains("again: true"), "{asked:?}");
}

#[test]
fn the_program_ssh_is_given_a_password_by_whoever_is_there() {
    let kind = Kind { password: true, ..Kind::default() };
    if let Some(why) = missing(&kind) {
        return skipped(&why);
    }
    let sshd = Sshd::start(&kind);
    let client = Client::new();
    sshd.introduce(client.home.path(), sshd.port);
    let (alias, at) = (format!("dsg-test-{}", sshd.port), client.home.path().join(".ssh"));
    client.config(&format!(
        "Host {alias}\n HostName 127.0.0.1\n Port {}\n User {}\n PubkeyAuthentication no\n UserKnownHostsFile {}/known_hosts\n",
        sshd.port, sshd.user, at.display()
    ));
    let person = Told { secrets: Mutex::new(vec![PASSWORD]), ..Told::default() };
    let program = Program::with(&alias.parse().unwrap(), &at.join("config"), &person).unwrap();
    assert_eq!(said(program.program("id -un").unwrap()), format!("{}\n", sshd.user));
    let asked = person.asked.into_inner().unwrap();
    let login = format!("{}@127.0.0.1", sshd.user);
    assert!(asked.len() == 1 && asked[0].contains("Password") && asked[0].contains(&login));
}
