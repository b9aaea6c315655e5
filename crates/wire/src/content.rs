//! Content frames: pieces of files, one after the other. A piece is the file's number (u32, little
//! endian), its marks (u8), its length (u32), its bytes; or instead of them the place (u64, u64) where
//! bytes stand in an older version. Small files stand many to a frame; a large one goes on over many
//! frames.

use std::ops::Range;

use crate::delta::Place;
use crate::frame::{Builder, Frame, Kind, Packed, TARGET, WireError};

const HEADER: usize = 9;
const LAST: u8 = 1;
const REFUSED: u8 = 2;
const PRIVATE: u8 = 4;
const COPY: u8 = 8;

/// One piece of a file, within the payload of its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which file, as it was asked for.
    pub index: u32,
    /// Nothing more of this file comes.
    pub last: bool,
    /// The file could not be read, or not to its end: what came of it is void.
    pub refused: bool,
    /// Neither group nor others may read it.
    pub private: bool,
    /// Where its bytes stand in the payload.
    pub bytes: Range<usize>,
    /// Instead of bytes: where they stand in the older version.
    pub copy: Option<Place>,
}

/// The pieces of a frame.
///
/// # Errors
/// It does not consist of pieces.
pub fn pieces(payload: &[u8]) -> Result<Vec<Piece>, WireError> {
    let damaged = || WireError::Damaged("a frame of content that is not made of pieces".into());
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let header = payload.get(at..at + HEADER).ok_or_else(damaged)?;
        let number = |from: usize| {
            let bytes = header.get(from..from + 4).and_then(|b| b.first_chunk().copied());
            bytes.map(u32::from_le_bytes).ok_or_else(damaged)
        };
        let (index, marks, length) = (number(0)?, header[4], number(5)?);
        let begin = at + HEADER;
        let end = usize::try_from(length).ok().and_then(|l| begin.checked_add(l));
        let end = end.filter(|end| *end <= payload.len()).ok_or_else(damaged)?;
        let (last, refused) = (marks & LAST != 0, marks & REFUSED != 0);
        let odd = if refused { !last || length > 0 } else { !last && length == 0 };
        let copy = if marks & COPY == 0 { None } else { place(&payload[begin..end]) };
        let odd_copy = marks & COPY != 0 && (last || copy.is_none());
        if marks > 15 || odd || odd_copy {
            return Err(damaged());
        }
        pieces.push(Piece {
            index,
            last,
            refused,
            private: marks & PRIVATE != 0,
            bytes: if copy.is_some() { end..end } else { begin..end },
            copy,
        });
        at = end;
    }
    Ok(pieces)
}

fn place(bytes: &[u8]) -> Option<Place> {
    let (offset, length) = bytes.split_first_chunk()?;
    let (length, rest) = length.split_first_chunk()?;
    let place = Place { offset: u64::from_le_bytes(*offset), length: u64::from_le_bytes(*length) };
    let real = place.length > 0 && place.offset.checked_add(place.length).is_some();
    (real && rest.is_empty()).then_some(place)
}

/// Fills content frames.
#[derive(Debug)]
pub(crate) struct Pieces {
    frame: Builder,
    /// Where the open piece's header stands.
    open: Option<usize>,
}

impl Pieces {
    pub(crate) fn new() -> Self {
        Self { frame: Builder::with_room(TARGET), open: None }
    }

    /// Bytes that still fit into an open piece.
    pub(crate) fn room(&self) -> usize {
        TARGET.saturating_sub(self.frame.len() + if self.open.is_none() { HEADER } else { 0 })
    }

    /// Begins a piece; its bytes are appended to what is given.
    pub(crate) fn begin(&mut self, index: u32) -> &mut Vec<u8> {
        let bytes = self.frame.bytes();
        self.open = Some(bytes.len());
        bytes.extend(index.to_le_bytes());
        bytes.extend([0; 5]);
        bytes
    }

    /// Ends the piece.
    pub(crate) fn end(&mut self, last: bool, private: bool) {
        let marks = if last { LAST } else { 0 } | if private { PRIVATE } else { 0 };
        self.close(marks);
    }

    /// A piece that is copied there.
    pub(crate) fn copy(&mut self, index: u32, place: Place, private: bool) {
        let bytes = self.begin(index);
        bytes.extend(place.offset.to_le_bytes());
        bytes.extend(place.length.to_le_bytes());
        self.close(COPY | if private { PRIVATE } else { 0 });
    }

    /// Drops the open piece.
    pub(crate) fn drop_open(&mut self) {
        if let Some(at) = self.open.take() {
            self.frame.bytes().truncate(at);
        }
    }

    /// A piece that says that the file is refused.
    pub(crate) fn refuse(&mut self, index: u32) {
        self.begin(index);
        self.close(LAST | REFUSED);
    }

    fn close(&mut self, marks: u8) {
        let Some(at) = self.open.take() else { return };
        let bytes = self.frame.bytes();
        let length = u32::try_from(bytes.len() - at - HEADER).unwrap_or(u32::MAX);
        bytes[at + 4] = marks;
        bytes[at + 5..at + HEADER].copy_from_slice(&length.to_le_bytes());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frame.is_empty()
    }

    /// The frame, and room for the next.
    pub(crate) fn take(&mut self) -> Result<Packed, WireError> {
        std::mem::replace(&mut self.frame, Builder::with_room(TARGET)).seal(Kind::Content)
    }
}

/// Bytes that are at hand, as frames of content of the file with this number.
///
/// # Errors
/// None that a caller could cause.
pub fn whole(index: u32, content: &[u8]) -> Result<Vec<Packed>, WireError> {
    let mut frames = Vec::new();
    let mut rest = content;
    loop {
        let mut pieces = Pieces::new();
        let (now, later) = rest.split_at(rest.len().min(TARGET - HEADER));
        pieces.begin(index).extend_from_slice(now);
        pieces.end(later.is_empty(), false);
        frames.push(pieces.take()?);
        if later.is_empty() {
            return Ok(frames);
        }
        rest = later;
    }
}

/// The pieces of a frame that should hold content.
///
/// # Errors
/// It does not.
pub fn of(frame: &Frame) -> Result<Vec<Piece>, WireError> {
    match frame.kind {
        Kind::Content => pieces(&frame.payload),
        other => Err(WireError::Damaged(format!("{other:?} where content should come"))),
    }
}
