//! SHA-256 of files and streams, in constant memory.
//!
//! Owns the promise that a hash belongs to the `stat` beside it: the file is looked at before and
//! after, and one that changed meanwhile is read once more, then reported as changing. Pages that
//! a program has mapped are flushed first where the file is young: while a page is dirty, writes
//! to it leave no trace in the file's times, so that a hash would silently grow old.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::thread;

use crossbeam_channel::bounded;
use dsg_core::entry::Hash;
use dsg_core::failure::Outcome;
use dsg_core::monitor::Monitor;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::dir::{Dir, file_stat};
use crate::error::{FsError, FsResult};
use crate::stat::Stat;

const BUFFER: usize = 256 * 1024;
/// Bytes between two looks at the stop sign.
const STRIDE: u64 = 4 * 1024 * 1024;
/// So close to a write, the file is flushed whatever it costs.
const JUST_WRITTEN_NS: i64 = 2_000_000_000;
/// Linux writes dirty pages back after 30 seconds, looking every 5: until then mapped pages may
/// still be dirty.
const MAYBE_DIRTY_NS: i64 = 40_000_000_000;
/// From here on a flush is cheaper than reading the file once more at the next scan.
const LARGE: u64 = 1024 * 1024;

/// From here on the next bytes are read while the last ones are hashed.
const WORTH_READING_AHEAD: u64 = 8 * 1024 * 1024;
const PIECE: usize = 1024 * 1024;
/// Pieces that are read, or being hashed, at a time.
const PIECES: usize = 4;

/// A file's hash, and the file that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// Of all its bytes.
    pub hash: Hash,
    /// The same before and after reading.
    pub stat: Stat,
    /// A program may hold dirty mapped pages of it: an equal `stat` later does not prove the hash.
    pub maybe_dirty: bool,
}

/// What came of reading a file.
#[derive(Clone, Debug)]
pub enum Reading {
    /// Its hash.
    Stable(Hashed),
    /// It was written to each time, or is no regular file any more.
    Changing,
    /// It is not there, or cannot be read.
    Failed(FsError),
}

/// Hashes the file `rel` below `dir`; `now` is in nanoseconds since 1970. Tells `monitor` of the
/// bytes as they are read.
///
/// # Errors
/// Only [`Code::Cancelled`](dsg_core::failure::Code::Cancelled): the rest is in the [`Reading`].
pub fn hash_file(dir: &Dir, rel: &Path, now: i64, monitor: &Monitor) -> Outcome<Reading> {
    for _ in 0..2 {
        let file = match dir.open_file(rel) {
            Ok(file) => file,
            Err(e) if e.is_escape() || matches!(e.errno, Errno::ISDIR | Errno::NXIO) => {
                return Ok(Reading::Changing);
            }
            Err(e) => return Ok(Reading::Failed(e)),
        };
        match read_once(&file, &dir.at(rel), now, monitor)? {
            Ok(Some(hashed)) => return Ok(Reading::Stable(hashed)),
            Ok(None) => {}
            Err(e) => return Ok(Reading::Failed(e)),
        }
    }
    Ok(Reading::Changing)
}

fn read_once(
    file: &File,
    path: &Path,
    now: i64,
    monitor: &Monitor,
) -> Outcome<FsResult<Option<Hashed>>> {
    let look = || file_stat(file, path);
    let mut before = match look() {
        Ok(stat) => stat,
        Err(e) => return Ok(Err(e)),
    };
    let age = now.saturating_sub(before.mtime.0.max(before.ctime.0));
    let mut maybe_dirty = age < MAYBE_DIRTY_NS;
    if age < JUST_WRITTEN_NS || (maybe_dirty && before.size >= LARGE) {
        // Allowed on a read-only descriptor. A file system that cannot says so: nothing is lost.
        maybe_dirty = rustix::fs::fdatasync(file).is_err();
        before = match look() {
            Ok(stat) => stat,
            Err(e) => return Ok(Err(e)),
        };
    }
    let (mut hash, mut bytes, mut told) = (Sha256::new(), 0, 0);
    let each = |piece: &[u8]| {
        hash.update(piece);
        bytes += piece.len() as u64;
        if bytes - told >= STRIDE {
            monitor.advanced(0, bytes - told);
            told = bytes;
            monitor.check()?;
        }
        Ok(())
    };
    let read = if before.size >= WORTH_READING_AHEAD {
        read_ahead(file, each)?
    } else {
        let size = usize::try_from(before.size).unwrap_or(BUFFER).saturating_add(1);
        read_in_turn(file, size.clamp(4096, BUFFER), each)?
    };
    if let Err(e) = read {
        return Ok(Err(FsError::std("read", path, &e)));
    }
    monitor.advanced(0, bytes - told);
    let hash = Hash(hash.finalize().into());
    Ok(look().map(|after| {
        let stable = before.unchanged(&after) && bytes == before.size;
        stable.then_some(Hashed { hash, stat: after, maybe_dirty })
    }))
}

/// Gives all bytes of a file, piece by piece, until `each` fails.
fn read_in_turn(
    file: &File,
    piece: usize,
    mut each: impl FnMut(&[u8]) -> Outcome<()>,
) -> Outcome<io::Result<()>> {
    let mut buffer = vec![0; piece];
    loop {
        match read(file, &mut buffer) {
            Ok(0) => return Ok(Ok(())),
            Ok(n) => each(&buffer[..n])?,
            Err(e) => return Ok(Err(e)),
        }
    }
}

/// The same, with a thread that reads the next pieces meanwhile.
fn read_ahead(file: &File, mut each: impl FnMut(&[u8]) -> Outcome<()>) -> Outcome<io::Result<()>> {
    thread::scope(|scope| {
        let (give, full) = bounded(PIECES);
        let (give_back, empty) = bounded(PIECES);
        for _ in 0..PIECES {
            let _ = give_back.send(vec![0; PIECE]);
        }
        let reader = move || {
            for mut buffer in empty {
                let read = read(file, &mut buffer);
                let over = !matches!(read, Ok(1..));
                if give.send((buffer, read)).is_err() || over {
                    return;
                }
            }
        };
        if thread::Builder::new().name("read ahead".to_owned()).spawn_scoped(scope, reader).is_err()
        {
            // No thread is to be had.
            return read_in_turn(file, PIECE, each);
        }
        for (buffer, read) in full {
            match read {
                Ok(0) => break,
                Ok(n) => each(&buffer[..n])?,
                Err(e) => return Ok(Err(e)),
            }
            let _ = give_back.send(buffer);
        }
        Ok(Ok(()))
    })
}

fn read(mut file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use dsg_core::failure::Code;
    use dsg_core::monitor::{Event, Sink};

    use super::*;

    fn folder() -> (tempfile::TempDir, Dir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        (temp, dir)
    }

    fn stable(dir: &Dir, name: &str, now: i64) -> Hashed {
        match hash_file(dir, Path::new(name), now, &Monitor::silent()).unwrap() {
            Reading::Stable(hashed) => hashed,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn a_hash_is_that_of_the_bytes_whatever_the_size() {
        let (temp, dir) = folder();
        let ahead = usize::try_from(WORTH_READING_AHEAD).unwrap();
        let sizes = [0, 1, 4095, 4096, BUFFER - 1, BUFFER, BUFFER + 1];
        for size in sizes.into_iter().chain([ahead - 1, ahead, ahead + PIECES * PIECE + 1]) {
            let bytes: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
            std::fs::write(temp.path().join("a"), &bytes).unwrap();
            let hashed = stable(&dir, "a", i64::MAX);
            assert_eq!((hashed.hash, hashed.stat.size), (Hash::of(&bytes), size as u64));
            assert!(!hashed.maybe_dirty, "it was written long before that now");
        }
    }

    #[test]
    fn a_young_small_file_may_still_have_dirty_pages() {
        let (temp, dir) = folder();
        std::fs::write(temp.path().join("a"), "x").unwrap();
        let written = dir.stat("a").unwrap().unwrap().mtime.0;
        assert!(stable(&dir, "a", written + 10_000_000_000).maybe_dirty);
        assert!(!stable(&dir, "a", written + 1).maybe_dirty, "it is flushed");
        std::fs::write(temp.path().join("a"), vec![0; 2_000_000]).unwrap();
        let written = dir.stat("a").unwrap().unwrap().mtime.0;
        assert!(!stable(&dir, "a", written + 10_000_000_000).maybe_dirty, "it is flushed");
    }

    /// Does something to the file whenever bytes of it were read.
    struct Meddler<F>(Mutex<F>);
    impl<F: FnMut() + Send> Sink for Meddler<F> {
        fn event(&self, event: Event) {
            if let Event::Advanced { bytes: 1.., .. } = event {
                (self.0.lock().unwrap())();
            }
        }
    }

    fn meddled(dir: &Dir, meddle: impl FnMut() + Send + 'static) -> Outcome<Reading> {
        hash_file(
            dir,
            Path::new("a"),
            i64::MAX,
            &Monitor::new(Arc::new(Meddler(Mutex::new(meddle)))),
        )
    }

    #[test]
    fn a_file_that_changes_once_is_read_again_and_one_that_goes_on_is_left_out() {
        let (temp, dir) = folder();
        let at = temp.path().join("a");
        std::fs::write(&at, "before").unwrap();
        let (mut left, target) = (1, at.clone());
        let reading = meddled(&dir, move || {
            if left > 0 {
                std::fs::write(&target, "after, and longer").unwrap();
                left -= 1;
            }
        });
        assert!(
            matches!(reading, Ok(Reading::Stable(h)) if h.hash == Hash::of(b"after, and longer"))
        );

        let (mut count, target) = (0, at.clone());
        let reading = meddled(&dir, move || {
            count += 1;
            std::fs::write(&target, "x".repeat(count)).unwrap();
        });
        assert!(matches!(reading, Ok(Reading::Changing)), "{reading:?}");
    }

    #[test]
    fn a_large_file_can_be_given_up_on() {
        let (temp, dir) = folder();
        std::fs::write(temp.path().join("a"), vec![0; 9_000_000]).unwrap();
        let monitor = Monitor::silent();
        monitor.stop();
        let failure = hash_file(&dir, Path::new("a"), i64::MAX, &monitor).unwrap_err();
        assert_eq!(failure.code, Code::Cancelled);
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let (temp, dir) = folder();
        std::os::unix::fs::symlink("/etc/passwd", temp.path().join("link")).unwrap();
        std::fs::create_dir(temp.path().join("folder")).unwrap();
        let pipe = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(&dir, "pipe", pipe, rustix::fs::Mode::RUSR, 0).unwrap();
        for name in ["link", "folder", "pipe"] {
            let reading = hash_file(&dir, Path::new(name), 0, &Monitor::silent());
            assert!(matches!(reading, Ok(Reading::Changing)), "{name}: {reading:?}");
        }
        let reading = hash_file(&dir, Path::new("nothing"), 0, &Monitor::silent());
        assert!(matches!(reading, Ok(Reading::Failed(e)) if e.is_absent()));
    }
}
