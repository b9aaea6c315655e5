//! Frames: length (u32, little endian), kind (u8), payload. Each kind has its cap; a payload may be
//! compressed (zstd), which the kind's highest bit says, and never grows beyond the cap.

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};

use dsg_core::failure::{Code, Failure};

/// No payload is longer, compressed or not.
pub const MOST: usize = 1024 * 1024;
/// A frame of content or lines is sent when it holds so much.
pub const TARGET: usize = 256 * 1024;
const HEADER: usize = 5;
const COMPRESSED: u8 = 0x80;
/// Shorter payloads are not worth it.
const WORTH: usize = 512;
/// So much of a payload tells whether the rest is worth it.
const TRIAL: usize = 8 * 1024;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal / $cap:expr,)*) => {
        /// What a frame holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $name = $number,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// The longest payload.
            pub fn cap(self) -> usize {
                match self { $(Kind::$name => $cap,)* }
            }

            fn of(number: u8) -> Option<Self> {
                match number { $($number => Some(Kind::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// A [`Request`](crate::message::Request).
    Request = 1 / MOST,
    /// Part of a list that was announced, or that an answer ends.
    Lines = 2 / MOST,
    /// Pieces of files.
    Content = 3 / MOST,
    /// The content that was asked for is all sent, or no more of it comes.
    ContentEnd = 4 / 0,
    /// What the agent lacks: ranges of uploads.
    Want = 5 / MOST,
    /// An [`Answer`](crate::message::Answer).
    Answer = 6 / MOST,
    /// A [`FailureText`](crate::message::FailureText): the request's end.
    Failed = 7 / MOST,
    /// [`EventText`](crate::message::EventText)s.
    Progress = 8 / 64 * 1024,
    /// The agent is at work.
    Heartbeat = 9 / 0,
    /// From the engine: the request that is being answered shall end. From the agent: no more
    /// content is taken.
    Cancel = 10 / 0,
    /// Lists of chunks that were announced.
    Chunks = 11 / MOST,
}

/// What is wrong with a stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// It cannot be read or written.
    #[error("the stream cannot be read or written")]
    Io(#[source] std::io::Error),
    /// It ended in the midst of something.
    #[error("the stream was cut off")]
    Cut,
    /// A kind that there is not.
    #[error("a frame of unknown kind {0}")]
    Kind(u8),
    /// A frame that is longer than its kind may be.
    #[error("a frame of {length} bytes, {cap} are allowed")]
    TooLong {
        /// What it says.
        length: usize,
        /// What is allowed.
        cap: usize,
    },
    /// What a frame holds is not what it should be.
    #[error("{0}")]
    Damaged(String),
}

impl From<std::io::Error> for WireError {
    fn from(e: std::io::Error) -> Self {
        if e.kind() == ErrorKind::UnexpectedEof { Self::Cut } else { Self::Io(e) }
    }
}

impl WireError {
    /// Whether the stream is gone, rather than wrong.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Cut)
    }
}

impl From<WireError> for Failure {
    fn from(e: WireError) -> Self {
        if e.is_lost() {
            Failure::new(Code::Unreachable, "The connection to the repository's host was lost.")
                .hint("Check the network, then try again: what has arrived is not sent again.")
                .because(e)
        } else {
            Failure::new(
                Code::Protocol,
                format!("The other side of the connection does not keep to the protocol: {e}."),
            )
            .hint("Try again; if it stays so, install the same version of DSG on both sides.")
        }
    }
}

/// One frame, as received: its payload is uncompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it holds.
    pub kind: Kind,
    /// At most [`Kind::cap`] bytes.
    pub payload: Vec<u8>,
}

/// One frame, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed(Vec<u8>);

impl Packed {
    /// Bytes on the wire.
    #[allow(clippy::len_without_is_empty, reason = "it always has a header")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes it; does not flush.
    ///
    /// # Errors
    /// The output's.
    pub fn write(&self, output: &mut impl Write) -> Result<(), WireError> {
        Ok(output.write_all(&self.0)?)
    }
}

/// A frame that is being filled; the payload is written once.
#[derive(Debug)]
pub struct Builder(Vec<u8>);

impl Builder {
    /// With room for `room` bytes.
    pub fn with_room(room: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + room);
        bytes.resize(HEADER, 0);
        Self(bytes)
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.0.len() - HEADER
    }

    /// Whether nothing was put in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the payload grows; what it begins with is not part of it.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// Closes the frame; compressed if that pays.
    ///
    /// # Errors
    /// [`WireError::TooLong`].
    pub fn seal(mut self, kind: Kind) -> Result<Packed, WireError> {
        let length = self.len();
        if length > kind.cap() {
            return Err(WireError::TooLong { length, cap: kind.cap() });
        }
        let mut number = kind as u8;
        if let Some(smaller) = compressed(&self.0[HEADER..]) {
            self.0.truncate(HEADER);
            self.0.extend(smaller);
            number |= COMPRESSED;
        }
        let length = u32::try_from(self.len()).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_le_bytes());
        self.0[4] = number;
        Ok(Packed(self.0))
    }
}

/// A whole payload as a frame.
///
/// # Errors
/// [`WireError::TooLong`].
pub fn packed(kind: Kind, payload: &[u8]) -> Result<Packed, WireError> {
    let mut builder = Builder::with_room(payload.len());
    builder.0.extend_from_slice(payload);
    builder.seal(kind)
}

thread_local! {
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> =
        RefCell::new(zstd::bulk::Compressor::new(1).ok());
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> =
        RefCell::new(zstd::bulk::Decompressor::new().ok());
}

/// The payload compressed, if that saves an eighth; its beginning tells whether to try.
fn compressed(payload: &[u8]) -> Option<Vec<u8>> {
    if payload.len() < WORTH {
        return None;
    }
    COMPRESSOR.with_borrow_mut(|compressor| {
        let compressor = compressor.as_mut()?;
        let mut smaller = |bytes: &[u8]| {
            let small = compressor.compress(bytes).ok()?;
            (small.len() < bytes.len() - bytes.len() / 8).then_some(small)
        };
        if payload.len() > 2 * TRIAL {
            let middle = payload.len() / 2;
            smaller(&payload[middle..middle + TRIAL])?;
        }
        smaller(payload)
    })
}

/// Reads the next frame; `None` where the stream ends between two.
///
/// # Errors
/// The stream is cut off, or what comes is no frame within its cap.
pub fn read(input: &mut impl Read) -> Result<Option<Frame>, WireError> {
    let mut header = [0; HEADER];
    let mut filled = 0;
    while filled < HEADER {
        match input.read(&mut header[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(WireError::Cut),
            Ok(read) => filled += read,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    let [a, b, c, d, number] = header;
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    let kind = Kind::of(number & !COMPRESSED).ok_or(WireError::Kind(number))?;
    let cap = kind.cap();
    if length > cap {
        return Err(WireError::TooLong { length, cap });
    }
    let mut payload = vec![0; length];
    input.read_exact(&mut payload)?;
    if number & COMPRESSED != 0 {
        payload = DECOMPRESSOR.with_borrow_mut(|decompressor| {
            let damaged = |why: &str| WireError::Damaged(format!("a compressed frame: {why}"));
            let decompressor = decompressor.as_mut().ok_or_else(|| damaged("no memory"))?;
            decompressor.decompress(&payload, cap).map_err(|e| damaged(&e.to_string()))
        })?;
    }
    Ok(Some(Frame { kind, payload }))
}
