//! A file as a list of chunks whose borders its content chooses: what is inserted or changed at one
//! place moves no border elsewhere, so that two versions have most chunks in common.
//!
//! A chunk is known by its length and 64 bits of a hash that is fast and no proof: whoever builds
//! on equal chunks proves the whole.

use std::io::{ErrorKind, Read, Result};
use std::ops::Range;

use fastcdc::v2020::{Normalization, cut, select_masks};
use xxhash_rust::xxh3::xxh3_64;

use crate::frame::WireError;

/// Files are told against an older version only where both have so many bytes.
pub const WORTH: u64 = 1024 * 1024;
/// No list is longer, nor all lists together that one request tells.
pub const MOST_CHUNKS: usize = 1 << 20;
/// Bytes of a chunk in a packed list: its length in three, its hash in eight.
pub(crate) const PACKED: usize = 11;

const SMALLEST: u32 = 64 * 1024;
const LARGEST: u32 = 1024 * 1024;
/// Files up to this size have the smallest chunks; each doubling doubles them.
const SMALL_FILE: u64 = 4 << 30;

/// One chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chunk {
    /// Its hash.
    pub hash: u64,
    /// Its bytes.
    pub length: u32,
}

impl Chunk {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { hash: xxh3_64(bytes), length: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }
    }
}

/// The chunks of a file, in order, packed as they are sent and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks {
    average: u32,
    packed: Vec<u8>,
    bytes: u64,
}

/// How long chunks are on average in a file of so many bytes: lists stay short.
pub fn average(size: u64) -> u32 {
    let (mut average, mut limit) = (SMALLEST, SMALL_FILE);
    while size > limit && average < LARGEST {
        average *= 2;
        limit *= 2;
    }
    average
}

/// About how many chunks a file of so many bytes has, rather too many.
pub fn estimate(size: u64) -> u64 {
    size / u64::from(average(size) / 2) + 1
}

impl Chunks {
    /// None, of a content that is to have about `size` bytes.
    pub fn none(size: u64) -> Self {
        Self::with_average(average(size))
    }

    pub(crate) fn with_average(average: u32) -> Self {
        Self { average, packed: Vec::new(), bytes: 0 }
    }

    /// Those of a content of about `size` bytes.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(content: impl Read, size: u64) -> Result<Self> {
        let mut chunks = Self::none(size);
        let mut cutter = Cutter::new(content, chunks.average);
        while let Some(range) = cutter.next()? {
            chunks.push(Chunk::of(cutter.at(range)));
        }
        Ok(chunks)
    }

    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.packed.extend(&chunk.length.to_le_bytes()[..3]);
        self.packed.extend(chunk.hash.to_le_bytes());
        self.bytes += u64::from(chunk.length);
    }

    /// A list from its packed form.
    ///
    /// # Errors
    /// It is none.
    pub fn unpack(average: u32, packed: Vec<u8>) -> std::result::Result<Self, WireError> {
        let known = average.is_power_of_two() && (SMALLEST..=LARGEST).contains(&average);
        let mut chunks = Self { average, packed, bytes: 0 };
        let sound = known
            && chunks.packed.len().is_multiple_of(PACKED)
            && chunks.len() <= MOST_CHUNKS
            && chunks.iter().all(|chunk| (1..=4 * average).contains(&chunk.length));
        if !sound {
            return Err(WireError::Damaged("an impossible list of chunks".into()));
        }
        chunks.bytes = chunks.iter().map(|chunk| u64::from(chunk.length)).sum();
        Ok(chunks)
    }

    /// By which its borders were chosen.
    pub fn average(&self) -> u32 {
        self.average
    }

    /// Its packed form.
    pub fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.packed.len() / PACKED
    }

    /// Whether the content is empty.
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// Bytes of the content.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = Chunk> {
        self.packed.chunks_exact(PACKED).map(|chunk| {
            let (length, hash) = chunk.split_at(3);
            let length = u32::from_le_bytes([length[0], length[1], length[2], 0]);
            Chunk { length, hash: hash.first_chunk().copied().map_or(0, u64::from_le_bytes) }
        })
    }
}

/// Cuts content into chunks as it is read. What it gives stays where it is until the next cut.
pub(crate) struct Cutter<R> {
    content: R,
    average: usize,
    buffer: Vec<u8>,
    /// What is not cut yet.
    uncut: Range<usize>,
    ended: bool,
}

impl<R: Read> Cutter<R> {
    pub(crate) fn new(content: R, average: u32) -> Self {
        let average = average as usize;
        Self { content, average, buffer: vec![0; 16 * average], uncut: 0..0, ended: false }
    }

    /// The bytes of a chunk.
    pub(crate) fn at(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Where the next chunk stands; `None` at the content's end.
    pub(crate) fn next(&mut self) -> Result<Option<Range<usize>>> {
        let longest = 4 * self.average;
        if !self.ended && self.uncut.len() < longest {
            self.fill()?;
        }
        if self.uncut.is_empty() {
            return Ok(None);
        }
        let (strict, loose) = select_masks(self.average, Normalization::Level1);
        let bytes = &self.buffer[self.uncut.clone()];
        let (_, length) = cut(
            bytes,
            self.average / 16,
            self.average,
            longest,
            strict,
            loose,
            strict << 1,
            loose << 1,
        );
        let begin = self.uncut.start;
        self.uncut.start += length;
        Ok(Some(begin..begin + length))
    }

    fn fill(&mut self) -> Result<()> {
        self.buffer.copy_within(self.uncut.clone(), 0);
        self.uncut = 0..self.uncut.len();
        while self.uncut.end < self.buffer.len() {
            match self.content.read(&mut self.buffer[self.uncut.end..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(read) => self.uncut.end += read,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
