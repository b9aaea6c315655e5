//! What answers is no agent, or one that means no good.

use std::collections::VecDeque;
use std::io::Cursor;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};
use dsg_core::failure::Code;
use dsg_wire::content;
use dsg_wire::frame::{Packed, TARGET, packed};
use dsg_wire::list::{Found, Line, Lines, Refused, RefusedText};
use dsg_wire::message::{Answer, pack};

use super::*;
use crate::endpoint::Receive;
use crate::endpoint::remote::Patience;

/// Something that says what it was told to say, whatever it is asked.
fn parrot(says: impl Read + Send + 'static) -> Stream {
    Stream {
        reader: Box::new(says),
        writer: Box::new(std::io::sink()),
        farewell: Box::new(|| "said on stderr".into()),
        hang_up: Box::new(|| ()),
    }
}

fn hello(build: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let protocol = Hello::own().protocol;
    Hello { protocol, build: build.into() }.write(&mut bytes).unwrap();
    bytes
}

/// A greeting, a repository, and then these frames.
fn script(frames: impl IntoIterator<Item = Packed>) -> Vec<u8> {
    let info = r#"{"answer":"opened","info":{"id":"x","store":"tree","access":"personal","capabilities":{"atomic_publish":true,"history":true,"locking":true}},"standing":{"filesystem":"ext4","available":1,"seamless":true,"touched":false}}"#;
    let mut bytes = hello(dsg_wire::BUILD);
    packed(Kind::Answer, info.as_bytes()).unwrap().write(&mut bytes).unwrap();
    for frame in frames {
        frame.write(&mut bytes).unwrap();
    }
    bytes
}

fn lines(text: &str) -> Packed {
    packed(Kind::Lines, text.as_bytes()).unwrap()
}

fn done() -> Packed {
    pack(Kind::Answer, &Answer::Done).unwrap()
}

fn met(says: impl Read + Send + 'static) -> RemoteEndpoint {
    RemoteEndpoint::over(parrot(says), "/srv/repo", Opening::Existing).unwrap()
}

/// The failure of a question to a peer with this script; the connection is given up.
pub(super) fn refused<T>(
    frames: Vec<Packed>,
    ask: impl FnOnce(&RemoteEndpoint) -> Outcome<T>,
) -> String {
    let endpoint = met(Cursor::new(script(frames)));
    let failure = ask(&endpoint).err().expect("it was believed");
    assert_eq!(failure.code, Code::Protocol, "{failure:?}");
    assert_eq!(endpoint.head().unwrap_err().code, Code::Unreachable, "nothing more is asked");
    failure.message
}

fn over(says: impl Read + Send + 'static) -> dsg_core::failure::Failure {
    RemoteEndpoint::over(parrot(says), "/srv/repo", Opening::Existing).err().expect("it was met")
}

#[test]
fn an_agent_behind_a_chatty_shell_is_met() {
    let chatter = b"Welcome!\r\n\x1b[31mmotd\x1b[0m\nYou have mail.\n".repeat(300);
    met(Cursor::new([chatter, script([])].concat()));
}

#[test]
fn what_is_no_agent_of_this_build_has_its_own_failure() {
    let other = over(Cursor::new(hello("0.0.9-ffff")));
    assert_eq!(other.code, Code::OtherAgent);
    assert!(other.message.contains("0.0.9-ffff"), "{other:?}");
    let absent = over(Cursor::new(b"sh: 1: dsg-agent: not found\n"));
    assert_eq!(absent.code, Code::Unreachable);
    let detail = absent.detail().unwrap();
    assert!(detail.contains("not found") && detail.contains("said on stderr"), "{detail}");
    assert_eq!(over(std::io::repeat(b'~')).code, Code::Protocol);
    assert_eq!(over(Cursor::new([hello("x"), b"".to_vec()].concat())).code, Code::OtherAgent);
}

#[test]
fn lies_about_lists_are_refused() {
    let since = |endpoint: &RemoteEndpoint| endpoint.changes_since(None, &mut |_| Ok(()));
    let gone = |path: &str| format!("{{\"path\":\"{path}\",\"gone\":true}}\n");
    for (frames, why) in [
        (vec![lines(&gone("../../etc/passwd"))], ".."),
        (vec![lines(&gone("/etc/passwd"))], "absolute"),
        (vec![lines(&(gone("b") + &gone("a")))], "out of order"),
        (vec![lines(&gone("a")), lines(&gone("a"))], "out of order"),
        (vec![lines("{\"path\":\"a\"}\n")], "neither"),
        (vec![lines("no end")], "does not end"),
        (vec![done()], "another question"),
        (vec![packed(Kind::Want, b"[0,9]\n").unwrap()], "in a list"),
        (vec![packed(Kind::Request, b"{}").unwrap()], "from an agent"),
        (vec![packed(Kind::Answer, b"{\"answer\":\"x\"}").unwrap()], "Answer"),
        (vec![packed(Kind::Progress, b"nonsense").unwrap()], "Progress"),
    ] {
        let message = refused(frames, since);
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn garbage_is_refused() {
    for garbage in
        [&b"\xff\xff\xff\xff\x02"[..], b"\x00\x00\x00\x00\x63", b"\x04\x00\x00\x00\x82abcd"]
    {
        let endpoint = met(Cursor::new([&script([])[..], garbage].concat()));
        assert_eq!(endpoint.head().unwrap_err().code, Code::Protocol);
    }
    let cut = met(Cursor::new([&script([])[..], b"\x09\x00"].concat()));
    let lost = cut.head().unwrap_err();
    assert_eq!(lost.code, Code::Unreachable);
    assert_eq!(lost.detail().as_deref(), Some("said on stderr"));
}

struct Refuses;

impl Receive for Refuses {
    fn receive(&self, _: usize, mut content: Content<'_>, _: bool) -> Outcome<()> {
        content.part(&mut [0; 10]).unwrap();
        let code = Code::HashMismatch;
        Err(dsg_core::failure::Failure::new(code, "not what was recorded"))
    }
}

struct Takes;

impl Receive for Takes {
    fn receive(&self, _: usize, content: Content<'_>, _: bool) -> Outcome<()> {
        whole(content).map(drop)
    }
}

fn fetch(endpoint: &RemoteEndpoint, receiver: &dyn Receive) -> Outcome<()> {
    fetch_with(endpoint, receiver, &Monitor::silent())
}

fn fetch_with(endpoint: &RemoteEndpoint, receiver: &dyn Receive, monitor: &Monitor) -> Outcome<()> {
    let paths: Vec<RepoPath> = ["a", "b"].map(|p| p.parse().unwrap()).into();
    endpoint.fetch(SnapshotId::FIRST, &paths, receiver, monitor)
}

#[test]
fn lies_about_content_are_refused() {
    let file = |number: u32| content::whole(number, b"content").unwrap().remove(0);
    let raw = |bytes: &[u8]| packed(Kind::Content, bytes).unwrap();
    for frames in [
        vec![file(1)],
        vec![file(0), file(0)],
        vec![file(0), file(1), file(2)],
        vec![file(0), done()],
        vec![raw(b"\0\0\0\0\x01\xff\xff\xff\xff")],
        vec![raw(b"\0\0\0\0\xff\0\0\0\0")],
        vec![raw(b"\0\0\0\0\x00\0\0\0\0")],
        vec![raw(b"short")],
    ] {
        refused(frames, |endpoint| fetch(endpoint, &Takes));
    }
}

/// The same frame for ever.
struct Endless {
    begin: VecDeque<u8>,
    frame: Cursor<Vec<u8>>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if !self.begin.is_empty() {
            return self.begin.read(buffer);
        }
        match self.frame.read(buffer)? {
            0 => {
                self.frame.set_position(0);
                self.frame.read(buffer)
            }
            read => Ok(read),
        }
    }
}

#[test]
fn a_file_without_end_is_given_up() {
    // The first piece of a file that never has a last one.
    let header = [&[0; 5][..], &200_000_u32.to_le_bytes()].concat();
    let piece = [header, vec![7; 200_000]].concat();
    let mut frame = Vec::new();
    packed(Kind::Content, &piece).unwrap().write(&mut frame).unwrap();
    let endless = Endless { begin: script([]).into(), frame: Cursor::new(frame) };
    let endpoint = met(endless);
    assert_eq!(fetch(&endpoint, &Refuses).unwrap_err().code, Code::HashMismatch);
    assert_eq!(endpoint.head().unwrap_err().code, Code::Unreachable, "it was given up");
}

/// So many bytes of this item, and then the answer that would end a list of them.
fn long_list(item: &impl Line, bytes: usize, ends: &Packed) -> Vec<Packed> {
    let mut lines = Lines::new(Kind::Lines);
    let frame = std::iter::repeat_with(|| lines.put(item).unwrap()).find_map(|frame| frame);
    let mut frames = vec![frame.unwrap(); bytes / TARGET];
    frames.push(ends.clone());
    frames
}

#[test]
fn a_list_of_few_and_endless_lines_is_given_up() {
    let text = "not as recorded ".repeat(4000);
    let found = Found::Fault(SnapshotId::FIRST, text.clone());
    let all = pack(Kind::Answer, &Answer::Contents { files: 1, bytes: 1 }).unwrap();
    let prove = |endpoint: &RemoteEndpoint| endpoint.verify_contents(None, &Monitor::silent());
    let long = long_list(&found, 80 << 20, &all);
    assert!(long.iter().map(Packed::len).sum::<usize>() < 4 << 20, "little travels");
    assert!(refused(long, prove).contains("does not end"));
    // One that is long and honest is taken.
    let honest = met(Cursor::new(script(long_list(&found, 40 << 20, &all))));
    assert!(prove(&honest).unwrap().faults.len() > 600);

    let names: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
    let source = Source::of(names.iter().map(|name| (name.as_str(), b"x".to_vec())));
    let failure = dsg_core::failure::Failure::new(Code::Io, text);
    let refusal = Refused { index: 0, why: RefusedText::Failed((&failure).into()) };
    let staged = pack(Kind::Answer, &Answer::Staged { refused: 1 }).unwrap();
    let frames = [vec![done()], long_list(&refusal, 80 << 20, &staged)].concat();
    let said = refused(frames, |endpoint| {
        let mut transaction = endpoint.begin(None, "x", "").unwrap();
        transaction.stage(&source.uploads(), &source, &Monitor::silent())
    });
    assert!(said.contains("more refused"), "{said}");
}

#[test]
fn more_wanted_than_offered_is_refused() {
    let source = Source::of([("a", b"a".to_vec())]);
    for wants in ["[0,1]\n[0,1]\n", "[1,1]\n", "[0,4000000000]\n", "[0,-1]\n"] {
        let frames = vec![done(), packed(Kind::Want, wants.as_bytes()).unwrap()];
        refused(frames, |endpoint| {
            let mut transaction = endpoint.begin(None, "x", "").unwrap();
            transaction.stage(&source.uploads(), &source, &Monitor::silent())
        });
    }
    assert_eq!(source.opened.load(Ordering::Relaxed), 0, "nothing was read");
}

/// Says something, and then nothing until it is hung up.
fn silent_after(says: &[u8]) -> Stream {
    let (reader, writer) = std::io::pipe().unwrap();
    let (mut quiet, hangs) = (writer.try_clone().unwrap(), Mutex::new(Some(writer)));
    quiet.write_all(says).unwrap();
    drop(quiet);
    Stream { hang_up: Box::new(move || drop(hangs.lock().unwrap().take())), ..parrot(reader) }
}

#[test]
fn a_silent_host_is_unreachable_after_a_while() {
    let short = Duration::from_millis(80);
    let patience = Patience { hello: short, silence: short, stop: short };
    let meet = |says: &[u8]| {
        let stream = silent_after(says);
        RemoteEndpoint::with_patience(stream, "/srv/repo", Opening::Existing, patience)
    };
    let mute = meet(b"motd\n").err().unwrap();
    assert_eq!(mute.code, Code::Unreachable);
    assert!(mute.message.contains("did not answer"), "{mute}");
    let endpoint = meet(&script([])).unwrap();
    let stalled = endpoint.head().unwrap_err();
    assert_eq!(stalled.code, Code::Unreachable);
    assert!(stalled.message.contains("did not answer"), "{stalled}");
}

/// An agent that lives and does nothing it is told: its signs of life come for ever.
fn beats_only() -> Stream {
    let (ended, ends) = bounded::<()>(0);
    let beat = packed(Kind::Heartbeat, &[]).unwrap();
    let (reader, mut says) = std::io::pipe().unwrap();
    says.write_all(&script([])).unwrap();
    std::thread::spawn(move || {
        while ends.recv_timeout(Duration::from_millis(5)) == Err(RecvTimeoutError::Timeout) {
            beat.write(&mut says).unwrap();
        }
    });
    let ended = Mutex::new(Some(ended));
    let hang_up = Box::new(move || drop(ended.lock().unwrap().take()));
    Stream { hang_up, ..parrot(reader) }
}

#[test]
fn an_agent_that_does_not_stop_when_it_is_told_to_is_left() {
    let patience = Patience { stop: Duration::from_millis(80), ..Patience::default() };
    let meet = || {
        RemoteEndpoint::with_patience(beats_only(), "/srv/repo", Opening::Existing, patience)
            .unwrap()
    };
    let stopped = || {
        let monitor = Monitor::silent();
        monitor.stop();
        monitor
    };
    // Whoever waits for an answer, and whoever waits for content.
    let endpoint = meet();
    let left = endpoint.verify_history(false, &stopped()).unwrap_err();
    assert_eq!(left.code, Code::Cancelled, "{left:?}");
    assert!(left.detail().unwrap_or_default().contains("did not stop"), "{left:?}");
    assert_eq!(endpoint.head().unwrap_err().code, Code::Unreachable, "nothing more is asked");
    let left = fetch_with(&meet(), &Takes, &stopped()).unwrap_err();
    assert_eq!(left.code, Code::Cancelled, "{left:?}");
    // Of what may have been decided it is not said that it was not.
    let quick = Patience { silence: Duration::from_millis(80), ..patience };
    let endpoint =
        RemoteEndpoint::with_patience(beats_only(), "/srv/repo", Opening::Existing, quick);
    let unknown = endpoint.unwrap().adopt_drift(authorship("m"), &stopped()).unwrap_err();
    assert_eq!(unknown.code, Code::Unreachable, "{unknown:?}");
}

#[test]
fn a_hostile_engine_gets_a_failure_and_writes_nothing_outside() {
    let host = Host::with(&[("a", "a")]);
    let (stream, process) = start(Fuse::of(u64::MAX));
    let Stream { mut reader, mut writer, .. } = stream;
    Hello::read(&mut reader, 0).unwrap();
    Hello::own().write(&mut writer).unwrap();
    let mut ask = |kind: Kind, text: &str| {
        packed(kind, text.as_bytes()).unwrap().write(&mut writer).unwrap();
        writer.flush().unwrap();
    };
    let mut hear = || {
        let frame = dsg_wire::frame::read(&mut reader).unwrap().unwrap();
        (frame.kind, String::from_utf8(frame.payload).unwrap())
    };
    ask(Kind::Request, r#"{"request":"head"}"#);
    assert!(hear().1.contains("before a repository is opened"));
    ask(Kind::Request, r#"{"request":"open","path":"srv/../x","create":true,"plain":false}"#);
    assert!(hear().1.contains("not an absolute path"));
    ask(
        Kind::Request,
        &format!(r#"{{"request":"open","path":{:?},"create":false,"plain":false}}"#, host.path()),
    );
    assert_eq!(hear().0, Kind::Answer);
    ask(
        Kind::Request,
        r#"{"request":"begin","base":"s1","transaction":"../../../evil","author":"eve"}"#,
    );
    assert!(hear().1.contains("no transaction id"));
    ask(Kind::Request, r#"{"request":"fetch","snapshot":"s1","paths":1,"have":0}"#);
    ask(Kind::Lines, "../../../etc/passwd\n");
    let (kind, told) = hear();
    assert!(kind == Kind::Failed && told.contains("protocol"), "{told}");
    ask(Kind::Request, r#"{"request":"glimpse","id":"s1","path":"../x","limit":1}"#);
    let (kind, told) = hear();
    assert!(kind == Kind::Failed && told.contains("protocol"), "{told}");
    drop(writer);
    process.ended();
    assert_eq!(host.strangers(), Vec::<PathBuf>::new());
    assert_eq!(manifest(&*host.local()).len(), 1);
}
