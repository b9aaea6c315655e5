//! The data sets: the same bytes on every machine.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Tried;

/// Young files are flushed and read twice, because a program may still hold pages of them: data
/// of which nobody measures that must be older.
const OLD: Duration = Duration::from_secs(45);
const GIB: u64 = 1 << 30;

/// A tree of many files.
pub(crate) struct Many {
    pub(crate) dirs: u64,
    pub(crate) files_in_each: u64,
    /// Smallest and largest size.
    pub(crate) sizes: (u64, u64),
}

/// 20,000 files of 0.5 to 8 KiB.
pub(crate) const A: Many = Many { dirs: 400, files_in_each: 50, sizes: (512, 8192) };
/// 1,000,000 files of 64 bytes to 1 KiB: few bytes each, so that it fits on a laptop.
pub(crate) const C: Many = Many { dirs: 10_000, files_in_each: 100, sizes: (64, 1024) };

/// Whether the disk holds what the largest data set makes at its peak.
pub(crate) fn prove_room(dir: &Path, large: bool) -> Tried<()> {
    let (bytes, inodes) = if large { (20 * GIB, 3_500_000) } else { (7 * GIB, 300_000) };
    let room = rustix::fs::statvfs(dir)?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    // Some file systems count no inodes.
    if free < bytes || (room.f_files > 0 && room.f_favail < inodes) {
        let (free, needed) = (free / GIB, bytes / GIB);
        return Err(format!(
            "{} has {free} GiB and {} inodes free; {needed} GiB and {inodes} inodes are needed \
             (BENCH_DIR chooses another place)",
            dir.display(),
            room.f_favail
        )
        .into());
    }
    Ok(())
}

/// Makes a tree below `root`, on all cores.
pub(crate) fn many(root: &Path, what: &Many) -> Tried<()> {
    std::fs::create_dir_all(root)?;
    let workers = std::thread::available_parallelism().map_or(2, usize::from) as u64;
    std::thread::scope(|scope| {
        let begun: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    (worker..what.dirs)
                        .step_by(usize::try_from(workers).unwrap_or(1))
                        .try_for_each(|dir| one_dir(root, what, dir))
                })
            })
            .collect();
        begun.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| Err(std::io::Error::other("a worker gave up")))
        })
    })?;
    Ok(())
}

fn one_dir(root: &Path, what: &Many, dir: u64) -> std::io::Result<()> {
    let folder = root.join(format!("d{dir:05}"));
    std::fs::create_dir_all(&folder)?;
    let (least, most) = what.sizes;
    for file in 0..what.files_in_each {
        let mut dice = Dice::new(dir * what.files_in_each + file);
        let size = least + dice.next() % (most - least + 1);
        let content: Vec<u8> =
            (0..size.div_ceil(8)).flat_map(|_| dice.next().to_le_bytes()).collect();
        let size = usize::try_from(size).unwrap_or(content.len());
        std::fs::write(folder.join(format!("f{file:04}.dat")), &content[..size])?;
    }
    Ok(())
}

/// Makes one file of 1 GiB.
pub(crate) fn one(path: &Path) -> Tried<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut dice = Dice::new(1);
    for _ in 0..GIB / 8 {
        file.write_all(&dice.next().to_le_bytes())?;
    }
    file.into_inner()?.sync_all()?;
    Ok(())
}

/// Waits until what was made at `made` counts as old.
pub(crate) fn settle(dir: &Path, made: Instant) -> Tried<()> {
    rustix::fs::syncfs(File::open(dir)?)?;
    std::thread::sleep(OLD.saturating_sub(made.elapsed()));
    Ok(())
}

/// Asks the system to forget the content of a file that it holds in memory.
pub(crate) fn forget(path: &Path) -> Tried<()> {
    let file = File::open(path)?;
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}

/// Numbers that look random and are always the same (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
