//! The first bytes on a stream: `MAGIC`, the protocol (u32, little endian), the length of the build
//! id (u8), the build id. The agent speaks first, the engine answers with the same.
//!
//! A login shell may print whatever it likes before the agent starts; it is skipped up to a limit.

use std::io::{ErrorKind, Read, Write};

use crate::frame::WireError;
use crate::{BUILD, PROTOCOL};

/// How an agent's words begin. No text holds it, and a terminal between would break it.
pub const MAGIC: [u8; 14] = *b"\0DSG-agent\r\n\x1a\n";

/// So much may stand before it.
pub const MOST_CHATTER: usize = 64 * 1024;
/// A build id is not longer.
const MOST_BUILD: usize = 64;

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Which protocol.
    pub protocol: u32,
    /// Which build of it.
    pub build: String,
}

/// No agent answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoHello {
    /// The stream ended before one did; what came instead.
    #[error("the stream ended before an agent answered")]
    Ended(String),
    /// So much came that none will.
    #[error("something else than an agent answers")]
    Chatter(String),
    /// It began as an agent does, and went on otherwise, or could not be read.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl Hello {
    /// This program.
    pub fn own() -> Self {
        Self { protocol: PROTOCOL, build: BUILD.to_owned() }
    }

    /// Writes it and flushes.
    ///
    /// # Errors
    /// The output's.
    pub fn write(&self, output: &mut impl Write) -> Result<(), WireError> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.protocol.to_le_bytes());
        let build = &self.build.as_bytes()[..self.build.len().min(MOST_BUILD)];
        bytes.push(u8::try_from(build.len()).unwrap_or_default());
        bytes.extend(build);
        output.write_all(&bytes)?;
        Ok(output.flush()?)
    }

    /// Reads it, and skips at most `chatter` bytes before it. The input had better be buffered.
    ///
    /// # Errors
    /// What came instead.
    pub fn read(input: &mut impl Read, chatter: usize) -> Result<Self, NoHello> {
        let mut seen: Vec<u8> = Vec::new();
        while !seen.ends_with(&MAGIC) {
            if seen.len() >= chatter + MAGIC.len() {
                return Err(NoHello::Chatter(shown(&seen)));
            }
            let mut byte = [0];
            match input.read(&mut byte) {
                Ok(0) => return Err(NoHello::Ended(shown(&seen))),
                Ok(_) => seen.extend(byte),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(WireError::from(e).into()),
            }
        }
        let mut protocol = [0; 4];
        input.read_exact(&mut protocol).map_err(WireError::from)?;
        let mut length = [0];
        input.read_exact(&mut length).map_err(WireError::from)?;
        let length = usize::from(length[0]);
        if length > MOST_BUILD {
            return Err(WireError::Damaged("the build id is too long".into()).into());
        }
        let mut build = vec![0; length];
        input.read_exact(&mut build).map_err(WireError::from)?;
        match String::from_utf8(build) {
            Ok(build) if build.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Self { protocol: u32::from_le_bytes(protocol), build })
            }
            _ => Err(WireError::Damaged("the build id is no text".into()).into()),
        }
    }
}

/// The end of what came, for people.
fn shown(bytes: &[u8]) -> String {
    let tail = &bytes[bytes.len().saturating_sub(500)..];
    let text = String::from_utf8_lossy(tail);
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let mut bytes = Vec::new();
        Hello::own().write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn an_agent_is_found_behind_a_chatty_shell() {
        let chatter = b"Last login: Mon\n\0DSG-agent\r\nalmost\x1b[1m\n".repeat(20);
        let input = [chatter, written(), b"frames".to_vec()].concat();
        let mut input = &input[..];
        assert_eq!(Hello::read(&mut input, MOST_CHATTER).unwrap(), Hello::own());
        assert_eq!(input, b"frames");
    }

    #[test]
    fn what_is_no_agent_is_shown() {
        let refused = Hello::read(&mut &b"bash: dsg-agent: command not found\n"[..], MOST_CHATTER);
        assert!(matches!(refused, Err(NoHello::Ended(text)) if text.contains("not found")));
        let endless = Hello::read(&mut std::io::repeat(b'y'), MOST_CHATTER);
        assert!(matches!(endless, Err(NoHello::Chatter(_))));
        let mut long = written();
        long[MAGIC.len() + 4] = 255;
        assert!(matches!(Hello::read(&mut &long[..], 0), Err(NoHello::Wire(_))));
    }
}
