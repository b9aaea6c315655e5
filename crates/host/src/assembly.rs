//! A file that is put together from parts, hashed as it grows.
//!
//! It only grows at its end: cut off at any time, it is a beginning of its content, and the next try
//! goes on from there. What stands in an older version shares its blocks where the file system can.
//! The hash is that of what stands in the file, not of what was meant to.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;

use dsg_core::entry::Hash;
use dsg_wire::delta::{Part, Place};
use rustix::fs as sys;
use sha2::{Digest as _, Sha256};

/// File systems share blocks, and those are no smaller.
const BLOCK: u64 = 4096;
const BUFFER: usize = 256 * 1024;

/// A file that grows.
pub struct Assembly<'f> {
    file: &'f File,
    older: Option<&'f File>,
    /// Bytes so far.
    size: u64,
    hash: Sha256,
    buffer: Vec<u8>,
}

impl<'f> Assembly<'f> {
    /// An empty file; parts of it may stand in `older`.
    pub fn new(file: &'f File, older: Option<&'f File>) -> Self {
        Self { file, older, size: 0, hash: Sha256::new(), buffer: Vec::new() }
    }

    /// Goes on behind the first `kept` bytes, which stand in the file.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn keep(&mut self, kept: u64) -> io::Result<()> {
        while self.size < kept {
            let read = self.hash_next(kept - self.size)?;
            self.size += read;
        }
        // Whatever stands behind them is none of it.
        self.file.set_len(kept)
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a part.
    ///
    /// # Errors
    /// [`AssemblyError::Older`]: it is not to be had from there; [`AssemblyError::Write`]: the disk's.
    pub fn append(&mut self, part: Part<'_>) -> Result<(), AssemblyError> {
        match part {
            Part::Bytes(bytes) => self.write(bytes),
            Part::Copy(place) => {
                let older = self.older.ok_or_else(nowhere)?;
                let there = older.metadata().map_err(AssemblyError::Older)?.len();
                if place.offset.checked_add(place.length).is_none_or(|end| end > there) {
                    return Err(nowhere());
                }
                self.copy(older, place)
            }
        }
    }

    /// The hash of all of it.
    pub fn end(self) -> Hash {
        Hash(self.hash.finalize().into())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), AssemblyError> {
        self.file.write_all_at(bytes, self.size).map_err(AssemblyError::Write)?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    fn copy(&mut self, older: &File, place: Place) -> Result<(), AssemblyError> {
        let Place { mut offset, length } = place;
        let end = offset + length;
        if offset % BLOCK == self.size % BLOCK {
            let first = offset.next_multiple_of(BLOCK).min(end);
            self.copy_bytes(older, offset, first)?;
            offset = first;
            let blocks = (end - offset) / BLOCK * BLOCK;
            offset += self.share(older, offset, blocks).map_err(AssemblyError::Write)?;
        }
        self.copy_bytes(older, offset, end)
    }

    /// Appends whole blocks, shared if that can be. Gives how many bytes it did.
    fn share(&mut self, older: &File, offset: u64, length: u64) -> io::Result<u64> {
        let mut done = 0;
        while done < length {
            let (mut from, mut to) = (offset + done, self.size + done);
            let left = usize::try_from(length - done).unwrap_or(usize::MAX);
            match sys::copy_file_range(older, Some(&mut from), self.file, Some(&mut to), left) {
                // Whatever it cannot do is done otherwise, or fails there with a better reason.
                Ok(0) | Err(_) => break,
                Ok(copied) => done += copied as u64,
            }
        }
        let until = self.size + done;
        while self.size < until {
            self.size += self.hash_next(until - self.size)?;
        }
        Ok(done)
    }

    fn copy_bytes(&mut self, older: &File, mut from: u64, to: u64) -> Result<(), AssemblyError> {
        let mut buffer = self.take_buffer();
        while from < to {
            let most = usize::try_from(to - from).unwrap_or(usize::MAX).min(BUFFER);
            match older.read_at(&mut buffer[..most], from) {
                // It became shorter.
                Ok(0) => return Err(nowhere()),
                Ok(read) => {
                    self.write(&buffer[..read])?;
                    from += read as u64;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(AssemblyError::Older(e)),
            }
        }
        self.buffer = buffer;
        Ok(())
    }

    /// Hashes what stands behind what was hashed. Gives how many bytes it did.
    fn hash_next(&mut self, most: u64) -> io::Result<u64> {
        let mut buffer = self.take_buffer();
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(BUFFER);
        let read = loop {
            match self.file.read_at(&mut buffer[..most], self.size) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => break read,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        };
        self.hash.update(&buffer[..read]);
        self.buffer = buffer;
        Ok(read as u64)
    }

    fn take_buffer(&mut self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(BUFFER, 0);
        buffer
    }
}

fn nowhere() -> AssemblyError {
    AssemblyError::Older(io::Error::other("it is shorter than that"))
}

/// Why a part could not be appended.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// The older version has not what is told to stand there, or cannot be read.
    #[error("the older version cannot be read")]
    Older(#[source] io::Error),
    /// The file cannot be written.
    #[error("the file cannot be written")]
    Write(#[source] io::Error),
}
