//! What is told against something that is there: little travels, and whoever lies about it, or whose
//! leftovers are damaged, costs time and nothing else.

use std::os::unix::fs::FileExt as _;

use dsg_core::failure::Code;
use dsg_host::tree::OlderFile;
use dsg_wire::chunks::Chunks;

use super::*;
use crate::endpoint::Receive;

const SIZE: usize = 6 << 20;

fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(word).flatten().take(size).collect()
}

/// The old content, and the new one.
fn versions() -> (Vec<u8>, Vec<u8>) {
    let old = noise(1, SIZE);
    let mut new = old.clone();
    new.splice(3 << 20..3 << 20, noise(2, 5000));
    (old, new)
}

/// A host with the old version.
fn host(old: &[u8]) -> Host {
    let host = Host::with(&[("small", "small")]);
    let source = Source::of([("large", old.to_vec())]);
    publish(&host.remote(), Some(SnapshotId::FIRST), &source, source.changes()).unwrap();
    host
}

fn second() -> SnapshotId {
    SnapshotId::FIRST.next()
}

/// The new version, whose sender says what it knows of the old one.
struct Against<'a> {
    new: &'a Source,
    size: u64,
    chunks: Option<Chunks>,
    learned: Mutex<Vec<Chunks>>,
    /// What happens when so much of it was read.
    at: Option<(usize, Box<dyn Fn() + Sync + 'a>)>,
}

impl<'a> Against<'a> {
    fn new(new: &'a Source, old: &[u8]) -> Self {
        let learned = Mutex::default();
        Self { new, size: old.len() as u64, chunks: None, learned, at: None }
    }
}

/// Reads, and lets something happen.
struct Halts<'a>(Box<dyn Read + Send + 'a>, usize, &'a Against<'a>);

impl Read for Halts<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(100_000);
        let read = self.0.read(&mut buffer[..most])?;
        let before = self.1;
        self.1 += read;
        if let Some((at, happens)) = &self.2.at
            && before < *at
            && self.1 >= *at
        {
            happens();
        }
        Ok(read)
    }
}

impl Supply for Against<'_> {
    fn open(&self, index: usize, basis: Basis) -> Outcome<Content<'_>> {
        let Content::Bytes(bytes) = self.new.open(index, basis)? else { unreachable!() };
        Ok(Content::Bytes(Box::new(Halts(bytes, 0, self))))
    }

    fn older(&self, _: usize) -> Option<OlderFile> {
        Some(OlderFile { path: "large".parse().unwrap(), size: self.size })
    }

    fn chunks(&self, _: usize) -> Option<&Chunks> {
        self.chunks.as_ref()
    }

    fn learn(&self, _: usize, chunks: Chunks) {
        self.learned.lock().unwrap().push(chunks);
    }
}

/// Publishes the new version; gives the bytes that travelled and told something.
fn send(host: &Host, source: &Against<'_>) -> u64 {
    let fuse = Fuse::of(u64::MAX);
    let (stream, _) = start(fuse.clone());
    let remote = RemoteEndpoint::over(stream, &host.text(), Opening::Existing).unwrap();
    let wanted = publication(Some(second()), source.new.changes());
    let mut transaction = remote.begin(wanted.base, &wanted.authorship.transaction, "").unwrap();
    let silent = Monitor::silent();
    assert!(transaction.stage(&source.new.uploads(), source, &silent).unwrap().is_empty());
    transaction.publish(&wanted, &silent).unwrap();
    let sound = host.local().verify_contents(None, &silent).unwrap();
    assert!(sound.faults.is_empty(), "{sound:?}");
    assert_eq!(std::fs::read(host.path().join("large")).unwrap(), source.new.files[0].1);
    fuse.told()
}

#[test]
fn little_travels_with_a_list_from_there_and_less_with_one_that_is_known() {
    let (old, new) = versions();
    let source = Source::of([("large", new.clone())]);
    let told = Against::new(&source, &old);
    let with_a_list = send(&host(&old), &told);
    let list = Chunks::read(&old[..], old.len() as u64).unwrap();
    let known = Against { chunks: Some(list.clone()), ..Against::new(&source, &old) };
    let without = send(&host(&old), &known);
    println!("{with_a_list} with a list, {without} without");
    assert!(with_a_list < 500_000, "{with_a_list}");
    assert!(without + list.packed().len() as u64 <= with_a_list);
    let learned = known.learned.into_inner().unwrap();
    assert_eq!(learned, [Chunks::read(&new[..], old.len() as u64).unwrap()]);
}

#[test]
fn what_was_sent_whole_is_known_then() {
    let (old, _) = versions();
    let source = Source::of([("large", old.clone())]);
    let plain = Against { size: 0, ..Against::new(&source, &old) };
    send(&host(b"something small"), &plain);
    let learned = plain.learned.into_inner().unwrap();
    assert_eq!(learned, [Chunks::read(&old[..], old.len() as u64).unwrap()]);
}

#[test]
fn a_list_that_lies_costs_time_only() {
    let (old, new) = versions();
    let source = Source::of([("large", new)]);
    // Every chunk is said to stand where its neighbour does.
    let list = Chunks::read(&old[..], old.len() as u64).unwrap();
    let mut packed = list.packed().to_vec();
    packed.rotate_left(11);
    let rotated = Chunks::unpack(list.average(), packed).unwrap();
    // And they stand beyond the end.
    let longer = [list.packed(), list.packed()].concat();
    let longer = [&longer[11..22], &longer].concat();
    let beyond = Chunks::unpack(list.average(), longer).unwrap();
    for lie in [rotated, beyond] {
        let source = Against { chunks: Some(lie), ..Against::new(&source, &old) };
        let sent = send(&host(&old), &source);
        assert!(sent > SIZE as u64, "{sent}: it came whole in the end");
    }
}

#[test]
fn an_older_version_that_changed_on_the_host_costs_time_only() {
    let (old, new) = versions();
    let host = host(&old);
    let source = Source::of([("large", new.clone())]);
    let list = Chunks::read(&old[..], old.len() as u64).unwrap();
    let source = Against { chunks: Some(list), ..Against::new(&source, &old) };
    let live = host.path().join("large");
    let file = std::fs::File::options().write(true).open(&live).unwrap();
    file.write_at(b"changed on the host", 1 << 20).unwrap();
    let remote = host.remote();
    let wanted = publication(Some(second()), source.new.changes());
    let mut transaction = remote.begin(wanted.base, &wanted.authorship.transaction, "").unwrap();
    let silent = Monitor::silent();
    assert!(transaction.stage(&source.new.uploads(), &source, &silent).unwrap().is_empty());
    let staged = host.0.path().join("srv/.repo.dsg/staging").join(&wanted.authorship.transaction);
    let staged = staged.join("objects").join(Hash::of(&new).to_string());
    assert!(std::fs::read(staged).unwrap() == new);
    assert_eq!(transaction.publish(&wanted, &silent).unwrap_err().code, Code::Drift);
}

#[test]
fn an_agent_that_is_killed_while_it_builds_leaves_nothing_wrong() {
    let (old, new) = versions();
    let source = Source::of([("large", new)]);
    for at in [100_000, 2 << 20, 5 << 20] {
        let host = host(&old);
        let (stream, process) = start(Fuse::of(u64::MAX));
        let remote = RemoteEndpoint::over(stream, &host.text(), Opening::Existing).unwrap();
        let kill = || drop(process.0.lock().unwrap().kill());
        let dies = Against { at: Some((at, Box::new(kill))), ..Against::new(&source, &old) };
        let wanted = publication(Some(second()), source.changes());
        let mut transaction =
            remote.begin(wanted.base, &wanted.authorship.transaction, "").unwrap();
        let silent = Monitor::silent();
        let lost = transaction.stage(&source.uploads(), &dies, &silent).unwrap_err();
        assert_eq!(lost.code, Code::Unreachable);
        process.ended();
        assert_eq!(host.local().head().unwrap().unwrap().id, second());
        assert_eq!(std::fs::read(host.path().join("large")).unwrap(), old);
        let again = send(&host, &Against::new(&source, &old));
        assert!(again < 500_000, "{again}");
    }
}

/// Has something of a file.
struct Has {
    kept: Vec<u8>,
    older: Vec<u8>,
    /// Of what the list is.
    listed: Vec<u8>,
    built: Mutex<Vec<u8>>,
}

impl Receive for Has {
    fn basis(&self, _: usize) -> Basis {
        Basis { kept: self.kept.len() as u64, older: !self.older.is_empty() }
    }

    fn chunks(&self, _: usize) -> Outcome<Chunks> {
        Ok(Chunks::read(&self.listed[..], self.listed.len() as u64).unwrap())
    }

    fn receive(&self, _: usize, mut content: Content<'_>, _: bool) -> Outcome<()> {
        let mut built = self.kept.clone();
        let mut buffer = vec![0; 4096];
        while let Some(part) = content.part(&mut buffer).unwrap() {
            match part {
                Part::Bytes(bytes) => built.extend_from_slice(bytes),
                Part::Copy(place) => {
                    let from = usize::try_from(place.offset).unwrap();
                    let to = from + usize::try_from(place.length).unwrap();
                    built.extend_from_slice(&self.older[from..to]);
                }
            }
        }
        *self.built.lock().unwrap() = built;
        Ok(())
    }
}

#[test]
fn a_download_brings_what_is_missing_here() {
    let (old, new) = versions();
    let host = host(&new);
    let paths: Vec<RepoPath> = vec!["large".parse().unwrap()];
    let some = &new[..2_000_001];
    for (kept, older, most) in [
        (&[][..], &[][..], SIZE as u64 + 100_000),
        (some, &[], SIZE as u64 - 1_900_000),
        (&[], &old, 500_000),
        (some, &old, 700_000),
    ] {
        let fuse = Fuse::of(u64::MAX);
        let (stream, _) = start(fuse.clone());
        let remote = RemoteEndpoint::over(stream, &host.text(), Opening::Existing).unwrap();
        let (kept, older) = (kept.to_vec(), older.to_vec());
        let has = Has { kept, listed: older.clone(), older, built: Mutex::default() };
        remote.fetch(second(), &paths, &has, &Monitor::silent()).unwrap();
        assert!(*has.built.lock().unwrap() == new);
        let came = fuse.told();
        assert!(came < most, "{came}, at most {most}");
    }
}

#[test]
fn a_beginning_that_is_longer_than_the_file_gets_nothing_and_no_harm() {
    let (old, _) = versions();
    let host = host(&old);
    let paths: Vec<RepoPath> = vec!["small".parse().unwrap()];
    let kept = vec![7; 1000];
    let has = Has { kept, older: Vec::new(), listed: Vec::new(), built: Mutex::default() };
    host.remote().fetch(SnapshotId::FIRST, &paths, &has, &Monitor::silent()).unwrap();
    assert_eq!(has.built.lock().unwrap().len(), 1000);
}

#[test]
fn a_hostile_engine_that_tells_odd_chunks_is_refused() {
    use dsg_wire::frame::{Kind, packed};
    use dsg_wire::hello::Hello;
    let (old, _) = versions();
    let told = r#"{"file":0,"older":{"told":{"average":65536,"count":1}}}"#;
    let chunk = [&[0, 0, 1][..], &[7; 8]].concat();
    let cases: Vec<(u32, String, Vec<u8>)> = vec![
        (1, told.to_owned(), vec![0; 11]),
        (1, told.to_owned(), chunk[..10].to_vec().repeat(2)),
        (1, told.to_owned(), chunk.repeat(2)),
        (1, told.replace("65536", "3"), chunk.clone()),
        (1, told.replace("\"count\":1", "\"count\":4000000000"), chunk.clone()),
        (1, told.replace("\"file\":0", "\"file\":9"), chunk.clone()),
        (2, format!("{told}\n{told}"), chunk.clone()),
        (1, r#"{"file":0,"older":"known"}"#.to_owned(), Vec::new()),
    ];
    let host = host(&old);
    for (count, lines, chunks) in cases {
        let (stream, process) = start(Fuse::of(u64::MAX));
        let Stream { mut reader, mut writer, .. } = stream;
        Hello::read(&mut reader, 0).unwrap();
        Hello::own().write(&mut writer).unwrap();
        let open = format!(
            r#"{{"request":"open","path":{:?},"create":false,"plain":false}}"#,
            host.path()
        );
        let fetch = format!(r#"{{"request":"fetch","snapshot":"s2","paths":1,"have":{count}}}"#);
        for (kind, text) in [
            (Kind::Request, open.as_bytes()),
            (Kind::Request, fetch.as_bytes()),
            (Kind::Lines, b"large\n"),
            (Kind::Lines, format!("{lines}\n").as_bytes()),
            (Kind::Chunks, &chunks),
        ] {
            // It may have gone already.
            let _ = packed(kind, text).unwrap().write(&mut writer);
        }
        let _ = writer.flush();
        let mut told = Vec::new();
        while let Ok(Some(frame)) = dsg_wire::frame::read(&mut reader) {
            told.push((frame.kind, String::from_utf8_lossy(&frame.payload).into_owned()));
            if frame.kind == Kind::Failed {
                break;
            }
        }
        let last = told.last().unwrap();
        assert!(last.0 == Kind::Failed && last.1.contains("protocol"), "{lines}: {told:?}");
        drop(writer);
        process.ended();
    }
}

/// A hostile agent may not make an engine read a file more than twice.
#[test]
fn a_hostile_agent_gets_no_content_thrice() {
    use dsg_wire::frame::{Kind, packed};
    use dsg_wire::message::{Answer, pack};
    let source = Source::of([("a", b"a".to_vec())]);
    for wants in [
        "{\"file\":0,\"kept\":1}\n{\"file\":0,\"kept\":1}\n",
        "[0,1]\n{\"file\":0,\"kept\":1}\n",
        "{\"file\":1}\n",
        "{\"file\":0,\"kept\":-1}\n",
    ] {
        let done = pack(Kind::Answer, &Answer::Done).unwrap();
        let frames = vec![done, packed(Kind::Want, wants.as_bytes()).unwrap()];
        super::hostile::refused(frames, |endpoint| {
            let mut transaction = endpoint.begin(None, "x", "").unwrap();
            transaction.stage(&source.uploads(), &source, &Monitor::silent())
        });
    }
}
