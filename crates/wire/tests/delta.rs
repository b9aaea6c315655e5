//! Laws of content that is told against an older version: whatever both are, it is built again from
//! that version and what is told; and little is told where little changed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "what is made up here fits")]

use dsg_wire::chunks::{Chunks, MOST_CHUNKS, average, estimate};
use dsg_wire::delta::{Against, Part, Parts};
use dsg_wire::list::{Have, OlderChunks};
use dsg_wire::told::{self, Lists};
use proptest::prelude::*;

fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

fn chunks(content: &[u8]) -> Chunks {
    Chunks::read(content, content.len() as u64).unwrap()
}

/// What a content is told as: what is built from that, bytes that were told, and how many parts.
struct Told {
    built: Vec<u8>,
    bytes: usize,
    parts: usize,
}

fn told(old: &[u8], list: &Chunks, new: &[u8], kept: usize) -> Told {
    let mut told = Told { built: new[..kept].to_vec(), bytes: 0, parts: 0 };
    let mut against = Against::new(&new[kept..], kept as u64, list);
    while let Some(part) = against.part().unwrap() {
        told.parts += 1;
        match part {
            Part::Bytes(bytes) => {
                told.bytes += bytes.len();
                told.built.extend_from_slice(bytes);
            }
            Part::Copy(place) => {
                let (from, length) = (place.offset as usize, place.length as usize);
                told.built.extend_from_slice(&old[from..from + length]);
            }
        }
    }
    told
}

/// Something that happens to a file.
#[derive(Clone, Debug)]
enum Edit {
    Insert(prop::sample::Index, usize),
    Remove(prop::sample::Index, usize),
    Overwrite(prop::sample::Index, usize),
    Move(prop::sample::Index, usize, prop::sample::Index),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = any::<prop::sample::Index>;
    let edit = prop_oneof![
        (at(), 1..300_000_usize).prop_map(|(at, n)| Edit::Insert(at, n)),
        (at(), 1..300_000_usize).prop_map(|(at, n)| Edit::Remove(at, n)),
        (at(), 1..300_000_usize).prop_map(|(at, n)| Edit::Overwrite(at, n)),
        (at(), 1..800_000_usize, at()).prop_map(|(from, n, to)| Edit::Move(from, n, to)),
    ];
    prop::collection::vec(edit, 0..4)
}

fn edited(old: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut new = old.to_vec();
    for (seed, edit) in edits.iter().enumerate() {
        let fresh = |n| noise(seed as u64 + 77, n);
        let range = |at: &prop::sample::Index, n: usize, len: usize| {
            let from = at.index(len + 1);
            from..(from + n).min(len)
        };
        match edit {
            Edit::Insert(at, n) => {
                let at = at.index(new.len() + 1);
                new.splice(at..at, fresh(*n));
            }
            Edit::Remove(at, n) => drop(new.drain(range(at, *n, new.len()))),
            Edit::Overwrite(at, n) => {
                let range = range(at, *n, new.len());
                let bytes = fresh(range.len());
                new[range].copy_from_slice(&bytes);
            }
            Edit::Move(from, n, to) => {
                let moved: Vec<u8> = new.drain(range(from, *n, new.len())).collect();
                let to = to.index(new.len() + 1);
                new.splice(to..to, moved);
            }
        }
    }
    new
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_was_edited_is_built_again(
        seed: u64,
        size in 0..3_000_000_usize,
        repeats in 1..4_usize,
        edits in edits(),
        kept in any::<prop::sample::Index>(),
    ) {
        // With repeats the same chunks stand at several places.
        let old = noise(seed, size / repeats).repeat(repeats);
        let new = edited(&old, &edits);
        let list = chunks(&old);
        prop_assert_eq!(list.bytes(), old.len() as u64);
        for kept in [0, kept.index(new.len() + 1)] {
            prop_assert!(told(&old, &list, &new, kept).built == new);
        }
    }

    #[test]
    fn a_list_reads_back_and_no_other_bytes_are_one(
        packed in prop::collection::vec(any::<u8>(), 0..100),
        average in prop_oneof![Just(65536_u32), any::<u32>()],
    ) {
        if let Ok(list) = Chunks::unpack(average, packed.clone()) {
            prop_assert_eq!(list.packed(), &packed[..]);
            prop_assert_eq!(list.len() * 11, packed.len());
            prop_assert!(list.iter().all(|chunk| (1..=4 * average).contains(&chunk.length)));
            prop_assert_eq!(list.iter().map(|c| u64::from(c.length)).sum::<u64>(), list.bytes());
        }
    }
}

#[test]
fn a_small_change_in_the_middle_is_told_in_little() {
    let old = noise(1, 64 << 20);
    let mut new = old.clone();
    new[32 << 20..(32 << 20) + 7000].copy_from_slice(&noise(2, 7000));
    let told = told(&old, &chunks(&old), &new, 0);
    assert!(told.built == new);
    assert!(told.bytes < 300_000, "{} bytes", told.bytes);
    assert!(told.parts < 20, "{} parts", told.parts);
}

#[test]
fn what_is_inserted_at_the_start_is_told_and_no_more() {
    let old = noise(1, 64 << 20);
    let new = [noise(2, 1 << 20), old.clone()].concat();
    let told = told(&old, &chunks(&old), &new, 0);
    assert!(told.built == new);
    assert!(told.bytes < (1 << 20) + 400_000, "{} bytes", told.bytes);
}

#[test]
fn the_rest_of_a_content_finds_the_older_version_too() {
    let old = noise(1, 32 << 20);
    let mut new = old.clone();
    new[20 << 20..(20 << 20) + 10].fill(0);
    let told = told(&old, &chunks(&old), &new, (10 << 20) + 4321);
    assert!(told.built == new);
    assert!(told.bytes < 500_000, "{} bytes", told.bytes);
}

#[test]
fn lists_stay_short() {
    for shift in 20..44 {
        let size = 1_u64 << shift;
        assert!(average(size).is_power_of_two());
        assert!(size < 1 << 40 || estimate(size) >= size / u64::from(average(size)));
    }
    assert_eq!(average(4 << 30), 64 * 1024);
    assert_eq!(average((4 << 30) + 1), 128 * 1024);
    assert_eq!(average(1 << 50), 1024 * 1024);
    let list = chunks(&noise(3, 32 << 20));
    // Of 1 GiB that is less than 200 kB.
    assert!(list.packed().len() * 32 < 200_000, "{}", list.packed().len() * 32);
    assert!(list.len() as u64 <= estimate(32 << 20));
}

#[test]
fn lists_that_lie_are_refused() {
    let list = chunks(&noise(3, 1 << 20));
    let have = |count| {
        let older = Some(OlderChunks::Told { average: 65536, count });
        Have { file: 1, kept: 0, older }
    };
    let most = u32::try_from(MOST_CHUNKS).unwrap();
    assert!(Lists::announced([&have(most + 1)]).is_err());
    assert!(Lists::announced([&have(most), &have(1)]).is_err());
    assert!(Lists::announced([&have(0)]).is_err());
    let frames: Vec<_> = told::frames(&list).unwrap();
    let mut bytes = Vec::new();
    for frame in &frames {
        frame.write(&mut bytes).unwrap();
    }
    let frame = dsg_wire::frame::read(&mut &bytes[..]).unwrap().unwrap();
    let count = u32::try_from(list.len()).unwrap();
    let mut shorter = Lists::announced([&have(count - 1)]).unwrap();
    assert!(shorter.take(&frame).is_err());
    let mut longer = Lists::announced([&have(count + 1)]).unwrap();
    longer.take(&frame).unwrap();
    assert!(!longer.is_whole());
    let mut right = Lists::announced([&have(count)]).unwrap();
    right.take(&frame).unwrap();
    assert!(right.take(&frame).is_err(), "once more");
    assert_eq!(right.into_map()[&1], list);
}
