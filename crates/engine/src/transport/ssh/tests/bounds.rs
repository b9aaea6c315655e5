//! Nothing at a host is waited for without end, nor for somebody who has left.

use std::net::TcpListener;

use dsg_testkit::run::wait_until;

use super::*;
use crate::transport::ssh::agent::{self, Patience, There};

/// Nobody is there to answer; who waits leaves when this is so.
struct LeavesWhen<F>(F);

impl<F: Fn() -> bool + Send + Sync> Ask for LeavesWhen<F> {
    fn trust(&self, _: &UnknownHost) -> Option<bool> {
        None
    }
    fn secret(&self, _: &Secret) -> Option<String> {
        None
    }
    fn has_left(&self) -> bool {
        (self.0)()
    }
}

/// A server behind a relay, and a login on it by each kind of ssh.
fn both_kinds(more: &str) -> (Sshd, Proxy, Client, [Connection; 2]) {
    let sshd = Sshd::start(&Kind::default());
    let proxy = Proxy::to(sshd.port, Weather::default());
    let client = Client::of(&sshd);
    sshd.introduce(client.home.path(), proxy.port);
    let (host, config) = client.alias(&sshd, proxy.port, more);
    let session = builtin::connect(&client.way(host.name()), &Nobody).unwrap();
    let program = Program::with(&host, &config, &Nobody).unwrap();
    let kinds = [Connection::by_session(&host, session), Connection::by_program(&host, program)];
    (sshd, proxy, client, kinds)
}

fn at<'a>(connection: &'a Connection, ask: &'a dyn Ask, patience: Duration) -> There<'a> {
    There { connection, ask, patience: Patience { answer: patience, bringing: patience } }
}

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(300);

/// Something to bring, that no network makes smaller.
fn program() -> Vec<u8> {
    let mut state = 1_u64;
    let word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(word).flatten().take(6 << 20).collect()
}

#[test]
fn an_agent_that_is_brought_leaves_off_when_nobody_waits_for_it() {
    let bytes = program();
    let (sshd, proxy, _client, kinds) = both_kinds("");
    for connection in &kinds {
        let before = proxy.bytes().0;
        proxy.set(Weather { stall_after_up: before + (1 << 20), ..Weather::default() });
        let leaves = LeavesWhen(|| proxy.bytes().0 > before + (1 << 20));
        let brought = agent::bring(at(connection, &leaves, LONG), "dsg-agent".as_ref(), &bytes);
        assert_eq!(code(brought), Code::Cancelled);
        proxy.set(Weather::default());
        proxy.stall(false);
        // The host clears away what it got of it.
        let cache = sshd.home().join(".cache/dsg");
        let is_empty = || {
            let parts = std::fs::read_dir(&cache).into_iter().flatten();
            parts.count() == 0
        };
        wait_until(is_empty);
    }
}

#[test]
fn an_agent_that_does_not_arrive_is_given_up() {
    let bytes = program();
    let (_sshd, proxy, _client, kinds) = both_kinds("");
    for connection in &kinds {
        let stall_after_up = proxy.bytes().0 + (1 << 20);
        proxy.set(Weather { stall_after_up, ..Weather::default() });
        let there = at(connection, &Nobody, SHORT);
        let brought = agent::bring(there, "dsg-agent".as_ref(), &bytes);
        assert_eq!(code(brought), Code::Unreachable);
        proxy.set(Weather::default());
        proxy.stall(false);
    }
    let [builtin, program] = &kinds;
    assert!(builtin.is_alive() && !program.is_alive(), "what it may not notice is not used again");
}

#[test]
fn a_host_that_does_not_say_what_it_is_is_given_up_or_left() {
    let (_sshd, proxy, _client, kinds) = both_kinds("");
    for connection in &kinds {
        let platform = agent::platform_of(at(connection, &Nobody, LONG)).unwrap();
        assert!(platform.starts_with("Linux "), "{platform}");
    }
    proxy.stall(true);
    for connection in &kinds {
        let leaves = LeavesWhen(|| true);
        let left = agent::platform_of(at(connection, &leaves, LONG));
        assert_eq!(code(left), Code::Cancelled);
    }
    let late = agent::platform_of(at(&kinds[1], &Nobody, SHORT));
    assert_eq!(code(late), Code::Unreachable);
    assert!(!kinds[1].is_alive(), "it is not asked again");
}

#[test]
fn a_dead_line_of_the_program_ssh_is_noticed_as_configured_and_not_used_again() {
    let (sshd, proxy, _client, [_builtin, program]) =
        both_kinds(" ServerAliveInterval 1\n ServerAliveCountMax 2\n");
    let logins = || sshd.log().matches("Accepted publickey").count();
    assert_eq!(logins(), 2);
    let mut stream = program.program("cat".into(), &Nobody).unwrap();
    proxy.stall(true);
    assert_eq!(stream.reader.read(&mut [0]).unwrap(), 0, "its end is heard of");
    wait_until(|| !program.is_alive());
    proxy.cut();
    proxy.stall(false);
    // The program alone would log in once more, each time.
    assert_eq!(code(program.program("cat".into(), &Nobody)), Code::Unreachable);
    assert_eq!(logins(), 2);
}

#[test]
fn a_login_by_the_program_ssh_that_asks_nobody_is_ended_for_who_has_left() {
    // It takes the connection, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let client = Client::new();
    client.config(&format!("Host silent\n HostName 127.0.0.1\n Port {port}\n"));
    let config = client.home.path().join(".ssh/config");
    let begun = Instant::now();
    let left = Program::with(&"silent".parse().unwrap(), &config, &LeavesWhen(|| true));
    assert_eq!(code(left), Code::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
