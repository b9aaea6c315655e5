//! Mounting: privately under `/run/dsg`, where only the user for whom it is can look, and the switch at a
//! repository's own mount point.
//!
//! The switch takes a detached copy of the private mount (so it works wherever `/run` is a shared
//! mount, which cannot give one away) and puts it *beneath* the former one, which then goes: whoever
//! opens a path sees the one or the other, never nothing. Kernels before 6.5 cannot: there the
//! former one goes first, and the copy follows in the next system call.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_fs::error::FsError;
use rustix::fs::{CWD, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, move_mount, open_tree, unmount,
};
use sha2::{Digest as _, Sha256};

use super::crash;
use super::home::{Home, folder, folder_for};
use super::mounts::{Mount, Mounts};
use super::name::{Dataset, Part};
use super::parse::{Read as _, Values};
use super::verb::Switched;

/// Root's own folder for private mounts and locks.
pub(super) const PRIVATE: &str = "/run/dsg";

/// So many mounts on top of one another are taken away at once.
const MOST_LAYERS: u32 = 64;

/// Whoever sits there keeps what he sees, and no link is followed.
const GENTLY: UnmountFlags = UnmountFlags::DETACH.union(UnmountFlags::NOFOLLOW);

/// Where a member of a repository's family is mounted for a user that does not stand at its mount point;
/// a live one for root alone, by its guid. No two repositories share such a place, whatever their
/// transactions are called.
pub(super) fn private(live: &Dataset, part: Part, guid: Option<u64>, user: Uid) -> PathBuf {
    let whose = Sha256::digest(live.as_str());
    let whose = u128::from_be_bytes(std::array::from_fn(|at| whose[at]));
    let name = match part {
        // A live dataset that is not mounted: on its way to its mount point.
        Part::Live => format!("live-{:016x}", guid.unwrap_or_default()),
        Part::Staging(transaction) => transaction.to_string(),
        Part::Former(transaction) => format!("old-{transaction}"),
    };
    let seen_by = seen_by(part, user).as_raw().to_string();
    Path::new(PRIVATE).join(seen_by).join(format!("{whose:032x}-{name}"))
}

/// Who sees a private mount that a user asks for.
pub(super) fn seen_by(part: Part, user: Uid) -> Uid {
    if part == Part::Live { Uid::ROOT } else { user }
}

/// How a dataset is mounted, by its properties, as ZFS' own program would.
fn flags(properties: &Values) -> MountFlags {
    let mut flags = MountFlags::empty();
    for (property, flag) in [
        ("setuid", MountFlags::NOSUID),
        ("devices", MountFlags::NODEV),
        ("exec", MountFlags::NOEXEC),
        ("atime", MountFlags::NOATIME),
    ] {
        if properties.text(property) == Some("off") {
            flags |= flag;
        }
    }
    if !flags.contains(MountFlags::NOATIME) {
        let relative = properties.is_on("relatime");
        flags |= if relative { MountFlags::RELATIME } else { MountFlags::STRICTATIME };
    }
    flags
}

/// Makes the folder for a private mount, in one that nobody but this user may pass. One that something is
/// mounted at stays as it is: neither would be seen for what it is.
fn free(at: &Path, user: Uid) -> Outcome<()> {
    if let Some(there) = Mounts::now()?.stack(at).last() {
        return Err(Failure::new(
            Code::Exists,
            format!("Something else is mounted at {}: {}.", at.display(), there.source),
        )
        .hint("Unmount it on the host, then try again."));
    }
    if let Some(own) = at.parent() {
        folder_for(own, user)?;
    }
    folder(at)
}

/// Mounts a dataset for a user at a place of ours that holds nothing yet, without what could make its files root's
/// programs. `home` is where it will stand in the end:
/// it is what `.zfs/snapshot` is mounted below.
pub(super) fn attach(
    dataset: &Dataset,
    properties: &Values,
    (at, user): (&Path, Uid),
    home: &Path,
    readonly: bool,
) -> Outcome<()> {
    free(at, user)?;
    let mut flags = flags(properties) | MountFlags::NOSUID | MountFlags::NODEV;
    flags.set(MountFlags::RDONLY, readonly);
    let home = home.to_string_lossy();
    // A comma would begin another option: such a mount point does without snapshots in `.zfs`.
    let data = if home.contains(',') { String::new() } else { format!(",mntpoint={home}") };
    let options = std::ffi::CString::new(format!("zfsutil{data}")).ok();
    match mount(dataset.as_str(), at, c"zfs", flags, options.as_deref()) {
        Ok(()) => {
            crash::MOUNTED.pass();
            Ok(())
        }
        Err(e @ Errno::ACCESS) => Err(Failure::new(
            Code::Unreachable,
            format!("Could not mount at {}: the dataset's key is not loaded.", at.display()),
        )
        .hint("Ask the host's administrator to load it.")
        .because(FsError::new("mount", at, e))),
        Err(e) => Err(FsError::new("mount", at, e).into()),
    }
}

/// Takes away every mount of something in our own folder, and the folders that it was, or was to be,
/// mounted at. Whoever sits there keeps what he sees.
pub(super) fn detach(source: &str, folders: &[PathBuf]) -> Outcome<()> {
    let private = || -> Outcome<Vec<PathBuf>> {
        let mut all = Mounts::now()?.of(source);
        all.retain(|at| at.starts_with(PRIVATE));
        Ok(all)
    };
    let was = private()?;
    let mut left = was.clone();
    // What somebody put over one goes first.
    for _ in 0..MOST_LAYERS {
        if left.is_empty() {
            break;
        }
        for at in &left {
            release(at)?;
        }
        left = private()?;
    }
    for at in was.iter().chain(folders) {
        // What is left of an empty folder does no harm.
        let _ = rustix::fs::rmdir(at);
    }
    Ok(())
}

/// Takes away the snapshots of a dataset that `.zfs` shows: as long as one is mounted, it cannot
/// be promoted away. Whoever reads there keeps what he has open. None is taken away if somebody else
/// mounted one, who would read an empty folder then. Whether any was.
pub(super) fn release_snapshots(dataset: &Dataset) -> Outcome<bool> {
    let mounts = Mounts::now()?;
    let shown = passing(dataset, &mounts).unwrap_or_default();
    for at in &shown {
        match unmount(*at, GENTLY) {
            Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
            Err(e) => return Err(FsError::new("unmount", *at, e).into()),
        }
    }
    Ok(!shown.is_empty())
}

/// Where a dataset's snapshots are mounted, if nowhere but where `.zfs` shows them.
fn passing<'m>(dataset: &Dataset, mounts: &'m Mounts) -> Option<Vec<&'m Path>> {
    let of = format!("{dataset}@");
    let passes = |at: &Path| at.parent().is_some_and(|above| above.ends_with(".zfs/snapshot"));
    let all = mounts.0.iter().filter(|m| m.kind == "zfs" && m.source.starts_with(&of));
    all.map(|m| passes(&m.at).then_some(m.at.as_path())).collect()
}

fn release(at: &Path) -> Outcome<()> {
    match unmount(at, GENTLY) {
        Ok(()) => {
            crash::UNMOUNTED.pass();
            Ok(())
        }
        // Not mounted (any more).
        Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        Err(e) => Err(FsError::new("unmount", at, e).into()),
    }
}

/// Makes a live dataset what stands at its mount point. `from` is where it is mounted already.
pub(super) fn switch(live: &Dataset, home: &Home, from: &Path) -> Outcome<Switched> {
    let mounts = Mounts::now()?;
    let stack = mounts.stack(&home.path);
    let ours = |m: &Mount| m.kind == "zfs" && m.source == live.as_str();
    let Some(top) = stack.last() else {
        home.make()?;
        place(live, from, home, MoveMountFlags::empty())?;
        crash::SWITCHED.pass();
        return Ok(Switched::Fresh);
    };
    if ours(top) {
        return Ok(Switched::Already);
    }
    if !is_former(live, top) {
        return Err(Failure::new(
            Code::Exists,
            format!("Something else is mounted at {}: {}.", home.path.display(), top.source),
        )
        .hint("Unmount it on the host; DSG finishes at the next opening."));
    }
    let beneath = if stack.iter().any(|m| ours(m)) {
        true
    } else if can_beneath() {
        // Where propagation forbids it, the other way does.
        place(live, from, home, MoveMountFlags::MOVE_MOUNT_BENEATH).is_ok()
    } else {
        false
    };
    if beneath {
        crash::BENEATH.pass();
        // Several publishes may have been cut off here.
        for _ in stack.iter().rev().take_while(|m| is_former(live, m)) {
            release(&home.pinned())?;
        }
        crash::SWITCHED.pass();
        return Ok(Switched::Beneath);
    }
    let tree = detached(live, from)?;
    // Its file system ends with the last who holds it, and that takes long: not before the new one is there.
    let mut held = Vec::new();
    for _ in stack.iter().rev().take_while(|m| is_former(live, m)) {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        held.extend(rustix::fs::open(home.pinned(), flags, Mode::empty()).ok());
        unmount(home.pinned(), GENTLY).map_err(|e| FsError::new("unmount", &home.path, e))?;
    }
    put(&tree, home, MoveMountFlags::empty())?;
    drop(held);
    crash::SWITCHED.pass();
    Ok(Switched::Gap)
}

fn is_former(live: &Dataset, mount: &Mount) -> bool {
    let source = mount.source.parse().ok().filter(|_| mount.kind == "zfs");
    source.is_some_and(|s| matches!(live.part_of(&s), Some(Part::Former(_))))
}

/// A copy of a dataset's mount that stands nowhere yet. What is not this dataset is not taken.
fn detached(live: &Dataset, from: &Path) -> Outcome<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let failed = |e: Errno| -> Failure { FsError::new("take the mount", from, e).into() };
    let tree = open_tree(CWD, from, flags).map_err(failed)?;
    let device = rustix::fs::fstat(&tree).map_err(failed)?.st_dev;
    if !Mounts::now()?.shows(live.as_str(), device) {
        return Err(Failure::new(
            Code::Exists,
            format!("What is mounted at {} is not {live}.", from.display()),
        )
        .hint("Unmount it on the host; DSG finishes at the next opening."));
    }
    Ok(tree)
}

fn put(tree: &OwnedFd, at: &Home, how: MoveMountFlags) -> Outcome<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | how;
    // No link is followed to it.
    let put = move_mount(tree, c"", &at.above, &at.name, flags);
    put.map_err(|e| FsError::new("mount", &at.path, e).into())
}

fn place(live: &Dataset, from: &Path, at: &Home, how: MoveMountFlags) -> Outcome<()> {
    put(&detached(live, from)?, at, how)
}

/// Whether this kernel mounts beneath: since Linux 6.5.
pub(super) fn can_beneath() -> bool {
    since(rustix::system::uname().release().to_string_lossy().as_ref(), (6, 5))
}

fn since(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|n| n.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= wanted
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn snapshots_are_unmounted_where_zfs_shows_them_and_not_where_somebody_mounted_one() {
        let of = "tank/p".parse().unwrap();
        let shown = ["/tank/p/.zfs/snapshot/s1", "/run/dsg/0/p/.zfs/snapshot/s2"];
        for (mounted, expected) in [
            (vec![], Some(vec![])),
            (vec![("tank/p@s1", shown[0]), ("tank/p@s2", shown[1])], Some(shown.to_vec())),
            (vec![("tank/p@s1", shown[0]), ("tank/p@s3", "/mnt/src")], None),
            (vec![("tank/p@s3", "/mnt/.zfs/snapshot/s3/deep")], None),
            (vec![("tank/p@s3", "/run/dsgx/s3")], None),
            (vec![("tank/p", "/tank/p"), ("tank/p2@s1", "/mnt/src")], Some(vec![])),
        ] {
            let line = |(id, (source, at)): (usize, &(&str, &str))| {
                format!("{id} 1 0:32 / {at} ro - zfs {source} ro\n")
            };
            let table: String = mounted.iter().enumerate().map(line).collect();
            let mounts = Mounts::parse(table.as_bytes());
            let expected = expected.map(|all| all.into_iter().map(Path::new).collect::<Vec<_>>());
            assert_eq!(passing(&of, &mounts), expected, "{mounted:?}");
        }
    }

    #[test]
    fn no_two_repositories_nor_parts_of_one_are_mounted_at_the_same_place() {
        let (t, u) = (Uuid::from_u128(7), Uuid::from_u128(8));
        let mut places = Vec::new();
        for name in ["tank/dsg/p", "tank/dsg/q", "tank/dsg%p", "other/dsg/p"] {
            let Ok(live) = name.parse::<Dataset>() else { continue };
            for part in [t, u].into_iter().flat_map(|t| [Part::Staging(t), Part::Former(t)]) {
                let for_user = |uid| private(&live, part, None, Uid::from_raw(uid));
                places.extend([0, 1000].map(for_user));
            }
            let user = Uid::from_raw(1000);
            places.extend([5, 6].map(|guid| private(&live, Part::Live, Some(guid), user)));
        }
        assert_eq!(places.len(), 3 * 10);
        assert!(places.iter().all(|at| at.parent().unwrap().parent() == Some(Path::new(PRIVATE))));
        let roots = places.iter().filter(|at| at.starts_with("/run/dsg/0")).count();
        assert_eq!(roots, 3 * 6, "what stands is on its way for root alone");
        let known: std::collections::BTreeSet<_> = places.iter().collect();
        assert_eq!(known.len(), places.len(), "{places:?}");
    }

    #[test]
    fn releases_are_compared_as_numbers() {
        for (release, expected) in [
            ("6.12.95+deb12-cloud-amd64", true),
            ("6.5.0", true),
            ("10.0", true),
            ("6.1.0-56-cloud-amd64", false),
            ("5.15.167.4-microsoft-standard-WSL2", false),
            ("", false),
        ] {
            assert_eq!(since(release, (6, 5)), expected, "{release}");
        }
    }
}
