//! Small file systems of their own, in a file: for full disks, foreign mounts and power cuts.
//!
//! They need root and loop devices. Where that is not to be had, [`Disk::new`] says so and gives
//! none, and the test ends there with its reason printed. Dropping one unmounts it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::run::{is_root, skipped};

/// How long a file system may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// XFS: at least 300 MiB.
    Xfs,
    /// ext4 without a reserve: from 2 MiB.
    Ext4,
}

/// A mounted file system of its own.
pub struct Disk {
    image: PathBuf,
    device: String,
    mount: PathBuf,
    // Last, so that the mount is gone before its folder.
    _place: TempDir,
}

impl Disk {
    /// Makes and mounts one of `mebibytes`.
    pub fn new(format: Format, mebibytes: u64) -> Option<Self> {
        if !is_root() {
            skipped("a file system of its own needs root");
            return None;
        }
        let place = tempfile::Builder::new().prefix("dsg-disk-").tempdir().ok()?;
        match Self::make(place, format, mebibytes) {
            Ok(disk) => Some(disk),
            Err(why) => {
                skipped(&format!("no file system of its own: {why}"));
                None
            }
        }
    }

    fn make(place: TempDir, format: Format, mebibytes: u64) -> Result<Self, String> {
        let image = place.path().join("image");
        let mount = place.path().join("mnt");
        std::fs::create_dir(&mount).map_err(|e| e.to_string())?;
        let file = std::fs::File::create(&image).map_err(|e| e.to_string())?;
        file.set_len(mebibytes << 20).map_err(|e| e.to_string())?;
        match format {
            Format::Xfs => run("mkfs.xfs", &["-q".as_ref(), image.as_ref()])?,
            Format::Ext4 => run("mkfs.ext4", &["-q".as_ref(), "-m0".as_ref(), image.as_ref()])?,
        };
        let device =
            run("losetup", &["-f".as_ref(), "--show".as_ref(), image.as_ref()])?.trim().to_owned();
        let disk = Self { image, device, mount, _place: place };
        disk.mount()?;
        // mkfs.ext4 leaves a folder that is nobody's data.
        let _ = std::fs::remove_dir(disk.mount.join("lost+found"));
        Ok(disk)
    }

    fn mount(&self) -> Result<(), String> {
        run("mount", &[self.device.as_ref(), self.mount.as_ref()]).map(|_| ())
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// Unmounts it; the folder stays, empty.
    pub fn unmount(&self) {
        unmount(&self.mount).expect("umount");
    }

    /// Mounts it again.
    pub fn remount(&self) {
        self.mount().expect("mount");
    }

    /// Cuts the power: whatever was not flushed is lost (XFS only). Then mounts again, which replays
    /// the journal.
    pub fn power_cut(&self) {
        let mount = self.mount.as_path();
        run("xfs_io", &["-x".as_ref(), "-c".as_ref(), "shutdown".as_ref(), mount.as_ref()])
            .expect("shutdown");
        let begun = Instant::now();
        loop {
            self.unmount();
            self.remount();
            let Err(gone) = std::fs::read_dir(&self.mount) else { return };
            // Another test's namespace holds the one that was shut down, until that test has ended.
            assert!(
                begun.elapsed() < 9 * PATIENCE,
                "a namespace holds {}: {gone}",
                mount.display()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Fills it until `free` bytes are left; the file that does is given back.
    pub fn fill_up_to(&self, free: u64) -> PathBuf {
        let ballast = self.mount.join(".ballast");
        let stat = rustix::fs::statvfs(&self.mount).expect("statvfs");
        let fill = (stat.f_bavail * stat.f_frsize).saturating_sub(free);
        let file = std::fs::File::create(&ballast).expect("ballast");
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, fill)
            .expect("fallocate");
        ballast
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if run("umount", &[self.mount.as_ref()]).is_err() {
            let _ = run("umount", &["-l".as_ref(), self.mount.as_ref()]);
        }
        let _ = run("losetup", &["-d".as_ref(), self.device.as_ref()]);
        let _ = std::fs::remove_file(&self.image);
    }
}

/// A folder that also stands in another place, in the same file system.
pub struct Bind {
    to: PathBuf,
}

impl Bind {
    /// Binds the folder `from` to the folder `to`.
    pub fn new(from: &Path, to: &Path) -> Option<Self> {
        if !is_root() {
            skipped("a bind mount needs root");
            return None;
        }
        match run("mount", &["--bind".as_ref(), from.as_ref(), to.as_ref()]) {
            Ok(_) => Some(Self { to: to.to_owned() }),
            Err(why) => {
                skipped(&format!("no bind mount: {why}"));
                None
            }
        }
    }
}

impl Drop for Bind {
    fn drop(&mut self) {
        if unmount(&self.to).is_err() {
            let _ = run("umount", &["-l".as_ref(), self.to.as_ref()]);
        }
    }
}

/// A process that another test just starts holds, until it is another program, all that is open here:
/// that passes.
fn unmount(mount: &Path) -> Result<String, String> {
    let begun = Instant::now();
    loop {
        match run("umount", &[mount.as_ref()]) {
            Err(why) if why.contains("busy") && begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(20));
            }
            ended => return ended,
        }
    }
}

fn run(program: &str, args: &[&std::ffi::OsStr]) -> Result<String, String> {
    let output =
        Command::new(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
