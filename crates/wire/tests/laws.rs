//! Laws of the wire: what is written reads back, and nothing that is read can do harm.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod apart;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Mutex;

use dsg_core::entry::{FileEntry, Hash, Mtime};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::repository::Upload;
use dsg_wire::delta::{Content, Part, Parts};
use dsg_wire::frame::{self, Frame, Kind, MOST, WireError, packed};
use dsg_wire::intake::{Intake, Missing};
use dsg_wire::list::Line;
use dsg_wire::message::Request;
use dsg_wire::pump::{Cargo, Opened, pump};
use proptest::prelude::*;

use apart::take_all_apart;

fn golden() -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        take_all_apart(&bytes);
    }

    #[test]
    fn arbitrary_payloads_do_no_harm(
        number in 1..=11_u8,
        squeezed in any::<bool>(),
        payload in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
        bytes.push(number | if squeezed { 0x80 } else { 0 });
        bytes.extend(payload);
        take_all_apart(&bytes);
    }

    #[test]
    fn what_was_said_does_no_harm_when_it_is_damaged(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let all = golden();
        let mut bytes = which.get(&all).clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        take_all_apart(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        take_all_apart(&bytes);
    }

    #[test]
    fn frames_read_back(
        kind in kinds(),
        byte in any::<u8>(),
        noise in prop::collection::vec(any::<u8>(), 0..2000),
        again in 0..40_usize,
    ) {
        let mut payload = noise.repeat(again);
        payload.extend(std::iter::repeat_n(byte, again * 100));
        payload.truncate(kind.cap());
        let mut bytes = Vec::new();
        packed(kind, &payload).unwrap().write(&mut bytes).unwrap();
        let mut input = &bytes[..];
        prop_assert_eq!(frame::read(&mut input).unwrap(), Some(Frame { kind, payload }));
        prop_assert_eq!(frame::read(&mut input).unwrap(), None);
    }

    #[test]
    fn uploads_read_back(size: u64, mtime: i64, exec: bool, private: bool, hash: [u8; 32]) {
        let file = FileEntry { size, mtime: Mtime(mtime), exec, hash: Hash(hash) };
        let upload = Upload { file, private };
        let mut text = Vec::new();
        upload.write(&mut text);
        prop_assert_eq!(Upload::read(&text), Ok(upload));
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn content_comes_in_order_and_whole(
        sizes in prop::collection::vec(prop_oneof![8 => 0..5000_usize, 1 => 200_000..700_000_usize], 0..90),
        takers in 1..5_usize,
        refused in prop::collection::btree_set(0..90_usize, 0..5),
        left in prop::collection::btree_set(0..90_usize, 0..5),
    ) {
        let sent = Sent::new(&sizes, refused);
        let numbers: Vec<u32> = (0..sizes.len()).map(|place| sent.number(place)).collect();
        let intake = Intake::new(numbers.clone().into_iter());
        let next = Mutex::new(numbers.into_iter().enumerate());
        let came = Mutex::new(BTreeMap::new());
        let work = || loop {
            let Some((place, number)) = next.lock().unwrap().next() else { return };
            let content = match intake.open(number) {
                Ok(mut arrival) if left.contains(&place) => {
                    arrival.part().map(|_| vec![]).map_err(drop)
                }
                Ok(mut arrival) => all(&mut arrival),
                Err(Missing::Refused) => Err(()),
                Err(Missing::Closed) => panic!("{place} never came"),
            };
            came.lock().unwrap().insert(place, content);
        };
        std::thread::scope(|scope| {
            (0..takers).for_each(|_| drop(scope.spawn(work)));
            pump(&sent, &mut |frame| {
                let mut bytes = Vec::new();
                frame.write(&mut bytes).unwrap();
                let frame = frame::read(&mut &bytes[..]).unwrap().unwrap();
                Ok(intake.deliver(frame)?)
            }).unwrap();
            assert!(intake.close(), "not everything came");
        });
        for (place, content) in came.into_inner().unwrap() {
            if sent.refused.contains(&place) {
                prop_assert!(content.is_err() || left.contains(&place));
            } else if !left.contains(&place) {
                prop_assert_eq!(content, Ok(sent.content(place)));
            }
        }
    }
}

/// All bytes of a content that holds nothing else.
fn all(parts: &mut dyn Parts) -> Result<Vec<u8>, ()> {
    let mut bytes = Vec::new();
    while let Some(part) = parts.part().map_err(drop)? {
        let Part::Bytes(part) = part else { panic!("a copy of nothing") };
        bytes.extend_from_slice(part);
    }
    Ok(bytes)
}

/// Files with made-up content, some of which break off.
struct Sent {
    sizes: Vec<usize>,
    refused: std::collections::BTreeSet<usize>,
}

impl Sent {
    fn new(sizes: &[usize], refused: std::collections::BTreeSet<usize>) -> Self {
        Self { sizes: sizes.to_vec(), refused }
    }

    fn content(&self, place: usize) -> Vec<u8> {
        (0..self.sizes[place])
            .map(|at| u8::try_from((at * 31 + place * 7) % 251).unwrap())
            .collect()
    }
}

struct BreaksOff;

impl Read for BreaksOff {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("it breaks off"))
    }
}

impl Cargo for Sent {
    fn count(&self) -> usize {
        self.sizes.len()
    }

    fn number(&self, place: usize) -> u32 {
        u32::try_from(place * 3 + 1).unwrap()
    }

    fn weight(&self, place: usize) -> u64 {
        self.sizes[place] as u64
    }

    fn open(&self, place: usize) -> Outcome<Opened<'_>> {
        let content = std::io::Cursor::new(self.content(place));
        if self.refused.contains(&place) {
            if place.is_multiple_of(2) {
                return Err(Failure::new(Code::Io, "it cannot be opened"));
            }
            return Ok((Content::Bytes(Box::new(content.chain(BreaksOff))), false));
        }
        Ok((Content::Bytes(Box::new(content)), place.is_multiple_of(3)))
    }

    fn refused(&self, place: usize, _: Failure) -> Outcome<()> {
        assert!(self.refused.contains(&place));
        Ok(())
    }
}

#[test]
fn no_length_makes_memory() {
    let mut claims = u32::MAX.to_le_bytes().to_vec();
    claims.push(2);
    assert!(matches!(frame::read(&mut &claims[..]), Err(WireError::TooLong { cap: MOST, .. })));
    // A small frame that would become 64 MiB.
    let bomb = zstd::bulk::compress(&vec![0; 64 * 1024 * 1024], 1).unwrap();
    let mut bytes = u32::try_from(bomb.len()).unwrap().to_le_bytes().to_vec();
    bytes.push(2 | 0x80);
    bytes.extend(bomb);
    assert!(matches!(frame::read(&mut &bytes[..]), Err(WireError::Damaged(_))));
    let long = Frame {
        kind: Kind::Request,
        payload: br#"{"request":"fetch","snapshot":"s1","paths":99999999999}"#.to_vec(),
    };
    assert!(Request::read(&long).is_err());
}
