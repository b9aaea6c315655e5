//! A file that is put together from parts, hashed as it grows.
//!
//! It only grows at its end: cut off at any time, it is a beginning of its content, and the next try
//! goes on from there. What stands in an older version shares its blocks where the file system can.
//! The hash is that of what stands in the file, not of what was meant to. The disk begins to write
//! while more of it comes: making it durable at its end then takes little.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt as _;

use dsg_core::entry::Hash;
use dsg_wire::delta::{Part, Place};
use rustix::fs as sys;
use sha2::{Digest as _, Sha256};

/// File systems share blocks, and those are no smaller.
const BLOCK: u64 = 4096;
const BUFFER: usize = 256 * 1024;
/// So much is left to the disk at a time.
const STRIDE: u64 = 8 * 1024 * 1024;

/// A file that grows.
pub struct Assembly<'f> {
    file: &'f File,
    older: Option<&'f File>,
    /// The file system may share blocks, or copy them by itself.
    shares: bool,
    /// Bytes so far.
    size: u64,
    /// Up to where the disk was told to write.
    told: u64,
    hash: Sha256,
    buffer: Vec<u8>,
}

impl<'f> Assembly<'f> {
    /// An empty file; parts of it may stand in `older`.
    pub fn new(file: &'f File, older: Option<&'f File>) -> Self {
        let shares = older.is_some() && !only_copies(file);
        Self { file, older, shares, size: 0, told: 0, hash: Sha256::new(), buffer: Vec::new() }
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
        self.told = self.size;
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
        self.begin_writing();
        Ok(())
    }

    /// What nobody needs in memory is written first: advice that may be ignored.
    fn begin_writing(&mut self) {
        if let Some(length) = NonZeroU64::new(self.size - self.told).filter(|l| l.get() >= STRIDE) {
            let _ = sys::fadvise(self.file, self.told, Some(length), sys::Advice::DontNeed);
            self.told = self.size;
        }
    }

    fn copy(&mut self, older: &File, place: Place) -> Result<(), AssemblyError> {
        let Place { mut offset, length } = place;
        let end = offset + length;
        if self.shares && offset % BLOCK == self.size % BLOCK {
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

/// Whether a file system is known to have nothing but copies, for which the hash need not read what was
/// just written.
fn only_copies(file: &File) -> bool {
    const EXT: u64 = 0xEF53;
    const TMPFS: u64 = 0x0102_1994;
    #[allow(
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "the type differs by platform"
    )]
    let magic = sys::fstatfs(file).map(|stat| stat.f_type as u64 & 0xFFFF_FFFF);
    magic.is_ok_and(|magic| [EXT, TMPFS].contains(&magic))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A file in a folder that goes away, with this content.
    fn file(folder: &tempfile::TempDir, name: &str, content: &[u8]) -> File {
        std::fs::write(folder.path().join(name), content).unwrap();
        File::options().read(true).write(true).open(folder.path().join(name)).unwrap()
    }

    fn content(folder: &tempfile::TempDir, name: &str) -> Vec<u8> {
        std::fs::read(folder.path().join(name)).unwrap()
    }

    fn pattern(size: usize) -> Vec<u8> {
        (0..size).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
    }

    #[test]
    fn places_at_any_border_come_whether_blocks_are_shared_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let old = pattern(300_000);
        let older = file(&folder, "older", &old);
        let places: [(usize, usize); 5] =
            [(0, 300_000), (1, 9000), (4096, 8192), (4000, 20_000), (299_999, 1)];
        for shares in [true, false] {
            for begin in [0, 1, 4000, 4096, 5000] {
                let new = file(&folder, "new", b"");
                let mut assembly = Assembly { shares, ..Assembly::new(&new, Some(&older)) };
                let mut expected = vec![9; begin];
                assembly.append(Part::Bytes(&expected)).unwrap();
                for (from, length) in places {
                    let place = Place { offset: from as u64, length: length as u64 };
                    assembly.append(Part::Copy(place)).unwrap();
                    expected.extend_from_slice(&old[from..from + length]);
                }
                assert_eq!(assembly.size(), expected.len() as u64);
                assert_eq!(assembly.end(), Hash::of(&expected), "{shares} {begin}");
                assert!(content(&folder, "new") == expected, "{shares} {begin}");
            }
        }
    }

    #[test]
    fn it_goes_on_behind_what_was_kept_and_hashes_that_too() {
        let folder = tempfile::tempdir().unwrap();
        let new = file(&folder, "new", b"a beginning, and what is none of it");
        let mut assembly = Assembly::new(&new, None);
        assembly.keep(11).unwrap();
        assembly.append(Part::Bytes(b", an end")).unwrap();
        assert_eq!(assembly.end(), Hash::of(b"a beginning, an end"));
        assert_eq!(content(&folder, "new"), b"a beginning, an end");
        let shorter = file(&folder, "shorter", b"a");
        assert!(Assembly::new(&shorter, None).keep(2).is_err());
    }

    #[test]
    fn places_that_are_not_there_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (new, older) = (file(&folder, "new", b""), file(&folder, "older", b"older"));
        for (offset, length) in [(0, 6), (5, 1), (u64::MAX, 1), (1, u64::MAX)] {
            let part = Part::Copy(Place { offset, length });
            let refused = Assembly::new(&new, Some(&older)).append(part);
            assert!(matches!(refused, Err(AssemblyError::Older(_))), "{offset} {length}");
            let nothing_there = Assembly::new(&new, None).append(part);
            assert!(matches!(nothing_there, Err(AssemblyError::Older(_))));
        }
        assert_eq!(content(&folder, "new"), b"");
    }
}
