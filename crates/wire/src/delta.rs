//! Content told against what its receiver has: the bytes that are new, and where the others stand
//! in an older version. Pure: what is read and written lies with others.

use std::io::{Read, Result};
use std::ops::Range;

use crate::chunks::{Chunk, Chunks, Cutter};

/// What the receiver of a file has of it. What comes begins behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// So many of its first bytes, left by a transfer that was cut off.
    pub kept: u64,
    /// An older version, in which parts of it may stand.
    pub older: bool,
}

impl Basis {
    /// Nothing of it.
    pub const NOTHING: Self = Self { kept: 0, older: false };
}

/// A part of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'p> {
    /// These bytes.
    Bytes(&'p [u8]),
    /// Bytes that stand in the older version.
    Copy(Place),
}

/// Where bytes stand in an older version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From here on.
    pub offset: u64,
    /// So many; never none.
    pub length: u64,
}

/// Content that comes in parts.
pub trait Parts {
    /// The next one; `None` at the end.
    ///
    /// # Errors
    /// It cannot be read to its end.
    fn part(&mut self) -> Result<Option<Part<'_>>>;
}

/// Content on its way.
pub enum Content<'c> {
    /// All of it, as bytes.
    Bytes(Box<dyn Read + Send + 'c>),
    /// Told against an older version.
    Parts(Box<dyn Parts + Send + 'c>),
}

impl Content<'_> {
    /// The next part; bytes that have to be read are read into `buffer`.
    ///
    /// # Errors
    /// As [`Parts::part`].
    pub fn part<'p>(&'p mut self, buffer: &'p mut [u8]) -> Result<Option<Part<'p>>> {
        let bytes = match self {
            Self::Parts(parts) => return parts.part(),
            Self::Bytes(bytes) => bytes,
        };
        loop {
            match bytes.read(buffer) {
                Ok(0) => return Ok(None),
                Ok(read) => return Ok(Some(Part::Bytes(&buffer[..read]))),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl Part<'_> {
    /// Its bytes.
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Copy(place) => place.length,
        }
    }
}

/// Copies end where the content has a multiple of so many bytes: whoever builds it is at work
/// before all of it is told, and its parts lie evenly on the disk.
const STRIDE: u64 = 8 * 1024 * 1024;

/// A chunk of the older version, and where it stands.
struct Known {
    chunk: Chunk,
    offset: u64,
}

/// Takes the chunks of a content that was read to its end.
type Learn<'l> = Box<dyn FnOnce(Chunks) + Send + 'l>;

/// Tells a content against the chunks of an older version as it is read.
pub struct Against<'l, R> {
    cutter: Cutter<R>,
    /// In their order in the older version.
    known: Vec<Known>,
    /// Places in `known`, by chunk.
    sorted: Vec<u32>,
    /// Which of `known` comes after the last that was found.
    next: usize,
    /// What is to be copied, and is not told yet.
    copy: Option<Place>,
    /// What comes after it.
    bytes: Option<Range<usize>>,
    /// How much of the content is told.
    told: u64,
    /// Those of what was read so far.
    chunks: Chunks,
    learn: Option<Learn<'l>>,
}

impl<'l, R: Read> Against<'l, R> {
    /// `content` begins where the receiver has `kept` bytes of it.
    pub fn new(content: R, kept: u64, older: &Chunks) -> Self {
        let mut offset = 0;
        let known: Vec<Known> = (older.iter())
            .map(|chunk| {
                let at = offset;
                offset += u64::from(chunk.length);
                Known { chunk, offset: at }
            })
            .collect();
        let mut sorted: Vec<u32> = (0..).take(known.len()).collect();
        sorted.sort_by_key(|&place| (known[place as usize].chunk, place));
        Self {
            cutter: Cutter::new(content, older.average()),
            known,
            sorted,
            next: 0,
            copy: None,
            bytes: None,
            told: kept,
            chunks: Chunks::with_average(older.average()),
            learn: None,
        }
    }

    /// At the end of what is read, its own chunks are told.
    #[must_use]
    pub fn learning(mut self, learn: impl FnOnce(Chunks) + Send + 'l) -> Self {
        self.learn = Some(Box::new(learn));
        self
    }

    /// Where a chunk stands in the older version: best where the last one ended.
    fn find(&mut self, chunk: Chunk) -> Option<Place> {
        let follows = self.known.get(self.next).is_some_and(|known| known.chunk == chunk);
        let place = if follows {
            self.next
        } else {
            let first = self.sorted.partition_point(|&p| self.known[p as usize].chunk < chunk);
            *self.sorted.get(first)? as usize
        };
        let known = &self.known[place];
        if known.chunk != chunk {
            return None;
        }
        self.next = place + 1;
        Some(Place { offset: known.offset, length: u64::from(chunk.length) })
    }

    /// Adds a place to what is to be copied. Gives what can be told now.
    fn add(&mut self, place: Place) -> Option<Place> {
        let Some(copy) = self.copy.as_mut().filter(|c| c.offset + c.length == place.offset) else {
            return self.copy.replace(place);
        };
        copy.length += place.length;
        let to_border = STRIDE - self.told % STRIDE;
        if copy.length < to_border {
            return None;
        }
        let now = Place { length: to_border, ..*copy };
        let rest = Place { offset: copy.offset + to_border, length: copy.length - to_border };
        self.copy = (rest.length > 0).then_some(rest);
        Some(now)
    }

    fn tell_copy(&mut self, place: Place) -> Part<'_> {
        self.told += place.length;
        Part::Copy(place)
    }

    fn tell_bytes(&mut self, range: Range<usize>) -> Part<'_> {
        self.told += range.len() as u64;
        Part::Bytes(self.cutter.at(range))
    }
}

impl<R: Read> Parts for Against<'_, R> {
    fn part(&mut self) -> Result<Option<Part<'_>>> {
        if let Some(range) = self.bytes.take() {
            return Ok(Some(self.tell_bytes(range)));
        }
        while let Some(range) = self.cutter.next()? {
            let chunk = Chunk::of(self.cutter.at(range.clone()));
            self.chunks.push(chunk);
            match self.find(chunk) {
                Some(place) => {
                    if let Some(copy) = self.add(place) {
                        return Ok(Some(self.tell_copy(copy)));
                    }
                }
                None => match self.copy.take() {
                    Some(copy) => {
                        self.bytes = Some(range);
                        return Ok(Some(self.tell_copy(copy)));
                    }
                    None => return Ok(Some(self.tell_bytes(range))),
                },
            }
        }
        if let Some(learn) = self.learn.take() {
            let none = Chunks::with_average(self.chunks.average());
            learn(std::mem::replace(&mut self.chunks, none));
        }
        Ok(self.copy.take().map(|copy| self.tell_copy(copy)))
    }
}
