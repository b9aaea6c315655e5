//! Where a repository stands, and the way there: folder by folder through no symbolic link, and held by
//! a descriptor, so that what was looked at is what is used.
//!
//! The kernel itself goes that way again by its name, as root, whenever it mounts a snapshot below
//! `.zfs`. So of whoever is not root, every folder on it must be one that root alone can change.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Component, Path, PathBuf};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_fs::error::FsError;
use rustix::fs::{CWD, Mode, OFlags, Stat, Uid, XattrFlags};
use rustix::io::Errno;

use super::find;
use super::mount::PRIVATE;
use super::mounts::Mounts;
use super::name::Dataset;
use super::verb::Mountpoint;

/// How one folder is opened from the one above it.
const STEP: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Where the kernel keeps a folder's list of rights.
const RIGHTS: &str = "system.posix_acl_access";

/// What the folders on a way have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Folders.
    Any,
    /// Such as root alone can change.
    RootAlone,
}

/// A place to mount at, reached.
pub(super) struct Home {
    /// Its real path.
    pub path: PathBuf,
    /// The folder that holds it.
    pub above: OwnedFd,
    /// Its name there.
    pub name: OsString,
}

impl Home {
    /// Goes the way to a place, making what is missing of it, but not the place itself.
    pub(super) fn reach(path: &Path, trust: Trust) -> Outcome<Self> {
        let (above, name) = parted(path)?;
        let fd = walk(above, trust, true)?.ok_or_else(|| no_place(path))?;
        Ok(Self { path: path.to_owned(), above: fd, name: name.to_owned() })
    }

    /// Makes the folder to mount at, if nothing is there.
    pub(super) fn make(&self) -> Outcome<()> {
        match rustix::fs::mkdirat(&self.above, &self.name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(e) => Err(FsError::new("create the folder", &self.path, e).into()),
        }
    }

    /// A path that leads to it whatever happens to the folders above.
    pub(super) fn pinned(&self) -> PathBuf {
        Path::new("/proc/self/fd").join(self.above.as_raw_fd().to_string()).join(&self.name)
    }
}

/// A folder of root's that everybody may pass, made with those above it.
pub(super) fn folder(path: &Path) -> Outcome<()> {
    walk(path, Trust::RootAlone, true).map(drop)
}

/// A folder of root's in one of root's that one user may pass, too, and nobody else.
pub(super) fn folder_for(path: &Path, user: Uid) -> Outcome<()> {
    let failed = |e| -> Failure { FsError::new("close the folder", path, e).into() };
    let (above, name) = parted(path)?;
    let above = walk(above, Trust::RootAlone, true)?.ok_or_else(|| no_place(path))?;
    match rustix::fs::mkdirat(&above, name, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(e) => return Err(failed(e)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let own = rustix::fs::openat(&above, name, flags, Mode::empty()).map_err(failed)?;
    if user.is_root() {
        return rustix::fs::fchmod(&own, Mode::from_raw_mode(0o700)).map_err(failed);
    }
    match rustix::fs::fsetxattr(&own, RIGHTS, &passed_by(user), XattrFlags::empty()) {
        Err(Errno::OPNOTSUPP) => Err(Failure::new(
            Code::Unsupported,
            format!(
                "{} cannot be kept from other users: no lists of rights there.",
                path.display()
            ),
        )
        .hint(format!("On the host, as root: mount -t tmpfs -o mode=755 dsg {PRIVATE}"))),
        other => other.map_err(failed),
    }
}

/// The list of rights by which root does all in a folder, and a user may pass it, in the system's form:
/// tag, rights, whose.
fn passed_by(user: Uid) -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    let (owner, named, group, mask, others) = (0x01, 0x02, 0x04, 0x10, 0x20);
    let list: [(u16, u16, u32); 5] = [
        (owner, 7, NOBODY),
        (named, 1, user.as_raw()),
        (group, 0, NOBODY),
        (mask, 1, NOBODY),
        (others, 0, NOBODY),
    ];
    let version: u32 = 2;
    let mut bytes = version.to_le_bytes().to_vec();
    for (tag, rights, whose) in list {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(rights.to_le_bytes());
        bytes.extend(whose.to_le_bytes());
    }
    bytes
}

/// Where a repository stands, if it may stand there. `within`: it is not root who asks, and
/// nothing stands but directly below this dataset. Makes nothing.
pub(super) fn checked(
    live: &Dataset,
    mountpoint: &Mountpoint,
    within: Option<&Dataset>,
) -> Outcome<PathBuf> {
    let home = find::home(live, mountpoint).ok_or_else(|| nowhere(live, mountpoint))?;
    let (above, name) = parted(&home)?;
    if let Some(prefix) = within {
        let mounts = Mounts::now()?;
        let shown = mounts.of(prefix.as_str()).into_iter().find(|at| !at.starts_with(PRIVATE));
        let top = |at: &Path| mounts.stack(at).last().is_some_and(|m| m.source == prefix.as_str());
        if !shown.as_deref().is_some_and(|at| is_own_place(at, &home, live) && top(at)) {
            return Err(Failure::new(
                Code::Permission,
                format!("{live} does not stand at its name below {prefix}, at {}.", home.display()),
            )
            .hint(format!(
                "The host's administrator mounts {prefix} (zfs mount), and lets {live} inherit its \
                 mount point (zfs inherit mountpoint)."
            )));
        }
    }
    let trust = if within.is_some() { Trust::RootAlone } else { Trust::Any };
    walk(above, trust, false)?;
    Ok(above.join(name))
}

/// Whether a place is the one that a dataset has by its name below another's.
fn is_own_place(above: &Path, home: &Path, live: &Dataset) -> bool {
    let last = live.as_str().rsplit('/').next().unwrap_or_default();
    above.join(last) == home
}

fn parted(path: &Path) -> Outcome<(&Path, &OsStr)> {
    path.parent().zip(path.file_name()).ok_or_else(|| no_place(path))
}

fn no_place(path: &Path) -> Failure {
    Failure::new(Code::Usage, format!("Nothing can be mounted at {}.", path.display()))
}

fn nowhere(live: &Dataset, mountpoint: &Mountpoint) -> Failure {
    let value = &mountpoint.value;
    Failure::new(
        Code::Unsupported,
        format!("{live} has the mount point {value:?}: it stands nowhere by itself."),
    )
    .hint("Give the dataset a mount point on the host (its property mountpoint).")
}

/// Opens a folder from the root on. `None`: it is not there, and is not to be made.
fn walk(path: &Path, trust: Trust, make: bool) -> Outcome<Option<OwnedFd>> {
    let mut passed = PathBuf::from("/");
    let failed = |at: &Path, e: Errno| -> Failure { FsError::new("open the folder", at, e).into() };
    let mut at =
        rustix::fs::openat(CWD, "/", STEP, Mode::empty()).map_err(|e| failed(&passed, e))?;
    let mut parts = path.components();
    if parts.next() != Some(Component::RootDir) {
        return Err(no_place(path));
    }
    loop {
        let stat = rustix::fs::fstat(&at).map_err(|e| failed(&passed, e))?;
        let alone = only_root_changes(&stat);
        if trust == Trust::RootAlone && !alone {
            return Err(Failure::new(
                Code::Permission,
                format!(
                    "Others than root can change {}, on the way to {}.",
                    passed.display(),
                    path.display()
                ),
            )
            .hint(
                "Only root may own it and write there (chown root, chmod go-w), or the repository \
                 has to stand elsewhere (dsg init --plain-folder needs no root).",
            ));
        }
        let name = match parts.next() {
            None => return Ok(Some(at)),
            Some(Component::Normal(name)) => name,
            Some(_) => return Err(no_place(path)),
        };
        passed.push(name);
        let mut next = rustix::fs::openat(&at, name, STEP, Mode::empty());
        if next.as_ref().is_err_and(|e| *e == Errno::NOENT) {
            if !make {
                return Ok(None);
            }
            make_in(&at, name, alone).map_err(|e| failed(&passed, e))?;
            next = rustix::fs::openat(&at, name, STEP, Mode::empty());
        }
        at = next.map_err(|e| match e {
            Errno::NOTDIR | Errno::LOOP => Failure::new(
                Code::Permission,
                format!("{} is no folder, or a symbolic link.", passed.display()),
            )
            .hint("A repository stands where real folders lead."),
            e => failed(&passed, e),
        })?;
    }
}

/// Nobody else can rename, remove or replace what is in it. (The group's bits are the mask, where there
/// is a list of rights.)
fn only_root_changes(stat: &Stat) -> bool {
    stat.st_uid == 0 && stat.st_mode & 0o022 == 0
}

fn make_in(above: &OwnedFd, name: &OsStr, alone: bool) -> rustix::io::Result<()> {
    let mode = Mode::from_raw_mode(0o755);
    match rustix::fs::mkdirat(above, name, mode) {
        // A umask may have narrowed it. Where others write, it may be another one by now.
        Ok(()) if alone => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::fchmod(rustix::fs::openat(above, name, flags, Mode::empty())?, mode)
        }
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_repository_of_the_helper_stands_at_its_name_below_the_prefix_and_nowhere_else() {
        let live: Dataset = "tank/dsg/p".parse().unwrap();
        let own = |home: &str| is_own_place(Path::new("/tank/dsg"), Path::new(home), &live);
        assert!(own("/tank/dsg/p"));
        for other in ["/etc/p", "/tank/dsg", "/tank/dsg/q", "/tank/dsg/p/p", "/tank/dsgx/p", "/"] {
            assert!(!own(other), "{other}");
        }
    }

    #[test]
    fn who_can_change_a_folder_is_told_by_its_owner_and_its_mode() {
        let mut stat = rustix::fs::stat("/").unwrap();
        for (uid, mode, alone) in [
            (0, 0o040_755, true),
            (0, 0o040_700, true),
            (0, 0o040_775, false),
            (0, 0o040_757, false),
            // The sticky bit keeps others' entries, but anybody makes his own.
            (0, 0o041_777, false),
            (1000, 0o040_755, false),
            (1000, 0o040_500, false),
        ] {
            (stat.st_uid, stat.st_mode) = (uid, mode);
            assert_eq!(only_root_changes(&stat), alone, "{uid} {mode:o}");
        }
    }

    #[test]
    fn a_link_on_the_way_is_not_followed_and_nothing_is_made_behind_it() {
        let lab = tempfile::tempdir().unwrap();
        let real = lab.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("elsewhere")).unwrap();
        symlink(real.join("elsewhere"), real.join("link")).unwrap();
        for path in ["link/p", "link/deep/p", "elsewhere/../p"] {
            assert!(Home::reach(&real.join(path), Trust::Any).is_err(), "{path}");
        }
        assert_eq!(std::fs::read_dir(real.join("elsewhere")).unwrap().count(), 0);
        let home = Home::reach(&real.join("elsewhere/new/p"), Trust::Any).unwrap();
        home.make().unwrap();
        home.make().unwrap();
        assert!(home.pinned().is_dir() && home.path.is_dir());
        // It is the very folder, wherever it went.
        std::fs::rename(real.join("elsewhere"), real.join("gone")).unwrap();
        symlink("/etc", real.join("elsewhere")).unwrap();
        assert!(home.pinned().is_dir() && !home.path.exists());
    }

    #[test]
    fn where_others_write_the_helper_makes_nothing() {
        let lab = tempfile::tempdir().unwrap();
        let real = lab.path().canonicalize().unwrap();
        let open = real.join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        let refused = Home::reach(&open.join("new/p"), Trust::RootAlone).map(drop).unwrap_err();
        assert_eq!(refused.code, Code::Permission);
        assert_eq!(std::fs::read_dir(&open).unwrap().count(), 0);
    }
}
