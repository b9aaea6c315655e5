//! Lists of chunks on their way: announced by lines, told after them.

use std::collections::{HashMap, VecDeque};

use crate::chunks::{Chunks, MOST_CHUNKS, PACKED};
use crate::frame::{Frame, Kind, Packed, TARGET, WireError, packed};
use crate::list::{Have, OlderChunks};

/// A list as frames; an empty one is none.
///
/// # Errors
/// None that a caller could cause.
pub fn frames(chunks: &Chunks) -> Result<Vec<Packed>, WireError> {
    let most = TARGET / PACKED * PACKED;
    chunks.packed().chunks(most).map(|part| packed(Kind::Chunks, part)).collect()
}

/// How a list is announced.
pub fn announced(chunks: &Chunks) -> OlderChunks {
    let count = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    OlderChunks::Told { average: chunks.average(), count }
}

struct Expected {
    file: u32,
    average: u32,
    bytes: usize,
    packed: Vec<u8>,
}

/// Takes in the lists that were announced, in that order.
pub struct Lists {
    expected: VecDeque<Expected>,
    whole: HashMap<u32, Chunks>,
}

impl Lists {
    /// Those that these lines announce.
    ///
    /// # Errors
    /// They are too long.
    pub fn announced<'h>(haves: impl IntoIterator<Item = &'h Have>) -> Result<Self, WireError> {
        let mut expected = VecDeque::new();
        let mut all = 0;
        for have in haves {
            if let Some(OlderChunks::Told { average, count }) = have.older {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                all = count.saturating_add(all);
                if all > MOST_CHUNKS || count == 0 {
                    return Err(WireError::Damaged(format!("{count} chunks of a file")));
                }
                let bytes = count * PACKED;
                expected.push_back(Expected {
                    file: have.file,
                    average,
                    bytes,
                    packed: Vec::new(),
                });
            }
        }
        Ok(Self { expected, whole: HashMap::new() })
    }

    /// Whether all of them came.
    pub fn is_whole(&self) -> bool {
        self.expected.is_empty()
    }

    /// Takes the next frame of them.
    ///
    /// # Errors
    /// It holds something else.
    pub fn take(&mut self, frame: &Frame) -> Result<(), WireError> {
        let odd = || WireError::Damaged("chunks that were not announced".into());
        let next = self.expected.front_mut().ok_or_else(odd)?;
        if frame.kind != Kind::Chunks || frame.payload.is_empty() {
            return Err(WireError::Damaged(format!("{:?} where chunks should come", frame.kind)));
        }
        next.packed.extend_from_slice(&frame.payload);
        if next.packed.len() < next.bytes {
            return Ok(());
        }
        let Some(last) = self.expected.pop_front() else { return Ok(()) };
        if last.packed.len() > last.bytes {
            return Err(odd());
        }
        self.whole.insert(last.file, Chunks::unpack(last.average, last.packed)?);
        Ok(())
    }

    /// The lists by the file's number.
    pub fn into_map(self) -> HashMap<u32, Chunks> {
        self.whole
    }
}
