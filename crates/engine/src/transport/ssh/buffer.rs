//! Bytes on their way between two sockets that do not wait.

use std::io::{self, ErrorKind, Read, Write};

/// As much as it holds, and no more.
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    from: usize,
    to: usize,
}

/// What became of an attempt to move bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// So many.
    Some(usize),
    /// Not now.
    None,
    /// The other side has no more.
    Ended,
    /// The other side is broken, or takes no more.
    Failed,
}

impl Buffer {
    pub(super) fn new(size: usize) -> Self {
        Self { bytes: vec![0; size].into(), from: 0, to: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.to - self.from
    }

    pub(super) fn is_empty(&self) -> bool {
        self.from == self.to
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == self.bytes.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.from..self.to]
    }

    /// The first `count` bytes are done.
    pub(super) fn consume(&mut self, count: usize) {
        self.from += count;
        if self.is_empty() {
            (self.from, self.to) = (0, 0);
        }
    }

    /// Reads once, if there is room.
    pub(super) fn fill(&mut self, mut source: impl Read) -> Moved {
        if self.to == self.bytes.len() {
            if self.from == 0 {
                return Moved::None;
            }
            self.bytes.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
        }
        match source.read(&mut self.bytes[self.to..]) {
            Ok(0) => Moved::Ended,
            Ok(count) => {
                self.to += count;
                Moved::Some(count)
            }
            Err(e) => unmoved(&e),
        }
    }

    /// Writes once, if there is something.
    pub(super) fn drain(&mut self, mut sink: impl Write) -> Moved {
        if self.is_empty() {
            return Moved::None;
        }
        match sink.write(self.bytes()) {
            Ok(0) => Moved::None,
            Ok(count) => {
                self.consume(count);
                Moved::Some(count)
            }
            Err(e) => unmoved(&e),
        }
    }
}

fn unmoved(error: &io::Error) -> Moved {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Moved::None,
        _ => Moved::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in_however_they_are_cut() {
        let content: Vec<u8> = (0..=255).collect();
        let (mut source, mut sink) = (&content[..], Vec::<u8>::new());
        let mut buffer = Buffer::new(7);
        loop {
            let filled = buffer.fill((&mut source).take(5));
            let mut small = [0; 3];
            let taken = match buffer.drain(&mut small[..]) {
                Moved::Some(taken) => taken,
                _ => 0,
            };
            sink.extend(&small[..taken]);
            if filled == Moved::Ended && buffer.is_empty() {
                break;
            }
        }
        assert_eq!(sink, content);
    }

    #[test]
    fn it_takes_no_more_than_it_holds() {
        let mut buffer = Buffer::new(4);
        assert_eq!(buffer.fill(&b"abcdef"[..]), Moved::Some(4));
        assert!(buffer.is_full());
        assert_eq!(buffer.fill(&b"g"[..]), Moved::None);
        buffer.consume(3);
        assert_eq!((buffer.fill(&b"gh"[..]), buffer.bytes()), (Moved::Some(2), &b"dgh"[..]));
    }
}
