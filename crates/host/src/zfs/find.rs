//! Looking at the pool: which dataset a path is on, and what a repository's family is like.

use std::path::{Path, PathBuf};

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::snapshot::SnapshotId;
use dsg_fs::error::FsError;
use rustix::fs::{AtFlags, CWD, StatxFlags};
use uuid::Uuid;

use super::argv;
use super::mount::can_beneath;
use super::mounts::{Mount, Mounts};
use super::name::{Dataset, Part};
use super::parse::{self, Read as _, Values};
use super::root::odd;
use super::run;
use super::verb::{Family, Mountpoint, Place};

/// Where the kernel tells what is up with a pool, without asking its disks.
const STATES: &str = "/proc/spl/kstat/zfs";
const VERSION: &str = "/sys/module/zfs/version";

/// A pool's state.
fn health(pool: &str) -> Option<String> {
    let text = std::fs::read_to_string(Path::new(STATES).join(pool).join("state")).ok()?;
    Some(text.trim().to_owned())
}

/// Refuses a pool that is not there, or on which every call would hang.
pub(super) fn answers(pool: &str) -> Outcome<()> {
    let why = match health(pool).as_deref() {
        Some("SUSPENDED") => "is suspended: its disks do not answer",
        Some(_) => return Ok(()),
        None => "is not imported on this host",
    };
    Err(Failure::new(Code::Unreachable, format!("The pool {pool} {why}."))
        .hint("Ask the host's administrator to look at it."))
}

/// The dataset on which a path stands; none if it is on no ZFS, or on a part of a dataset that is
/// bound somewhere else. Needs no rights.
///
/// # Errors
/// The path cannot be looked at, or its pool does not answer.
pub fn place(path: &Path) -> Outcome<Option<Place>> {
    if !path.is_absolute() {
        return Err(Failure::new(Code::Usage, format!("{} is not absolute.", path.display())));
    }
    let (real, rest) = nearest(path)?;
    let mounts = Mounts::now()?;
    let mount = mount_of(&real, &mounts)?;
    let standing = mount.filter(|m| m.kind == "zfs" && m.root == Path::new("/"));
    let standing = standing.and_then(|m| Some((m.source.parse().ok()?, m.at.clone())));
    let (dataset, mounted): (Dataset, PathBuf) = match standing {
        Some(found) => found,
        // One that belongs there, and is not mounted: its publish was cut off by a reboot.
        None if Path::new(STATES).exists() => {
            let belongs = real.join(&rest);
            match meant_for(&belongs)? {
                Some(dataset) => (dataset, belongs),
                None => return Ok(None),
            }
        }
        None => return Ok(None),
    };
    answers(dataset.pool())?;
    let below = real.join(&rest).strip_prefix(&mounted).unwrap_or(Path::new("")).to_owned();
    let told = run::must(&argv::place(&dataset))?;
    let rows = parse::table(&told, argv::PLACE).map_err(odd)?;
    let Some((_, values)) = rows.into_iter().next() else { return Ok(None) };
    let quota = values.number("quota").ok().filter(|q| *q > 0);
    Ok(Some(Place {
        repository: repository(&dataset, &mounted, &below)?,
        mounted,
        guid: values.number("guid").map_err(odd)?,
        mountpoint: values.mountpoint(),
        canmount: values.text("canmount").unwrap_or("on").to_owned(),
        readonly: values.is_on("readonly"),
        atime: values.is_on("atime"),
        encryption_root: values.text("encryptionroot").map(str::to_owned),
        unlocked: values.unlocked(),
        available: values.number("available").map_err(odd)?,
        used: values.number("used").map_err(odd)?,
        quota,
        health: health(dataset.pool()).unwrap_or_default(),
        beneath: can_beneath(),
        version: std::fs::read_to_string(VERSION).unwrap_or_default().trim().to_owned(),
        below,
        dataset,
    }))
}

/// The dataset that a repository at a path is or would be. One whose publish was cut off may not be
/// mounted there, or not have its name.
fn repository(dataset: &Dataset, mounted: &Path, below: &Path) -> Outcome<Option<Dataset>> {
    if below.as_os_str().is_empty() {
        return Ok(Some(parse::repository_of(dataset).0));
    }
    if let Some(found) = meant_for(&mounted.join(below))? {
        return Ok(Some(parse::repository_of(&found).0));
    }
    let mut parts = below.iter();
    let name = parts.next().and_then(|n| n.to_str()).filter(|_| parts.next().is_none());
    // What is mounted elsewhere does not give its children this place.
    Ok(name.and_then(|name| dataset.child(name).ok()?.for_repository().ok()))
}

/// The dataset whose mount point is a path, wherever it is mounted now.
fn meant_for(path: &Path) -> Outcome<Option<Dataset>> {
    let told = run::must(&argv::mountpoints())?;
    let found = told.lines().filter_map(|line| line.split_once('\t'));
    Ok(found.filter(|(at, _)| Path::new(at) == path).find_map(|(_, name)| name.parse().ok()))
}

/// The longest beginning of a path that is there, as it really is, and the rest.
fn nearest(path: &Path) -> Outcome<(PathBuf, PathBuf)> {
    let mut rest = PathBuf::new();
    let mut at = path;
    loop {
        match at.canonicalize() {
            Ok(real) => return Ok((real, rest)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(Failure::io("look at", at, e)),
        }
        let (Some(name), Some(above)) = (at.file_name(), at.parent()) else {
            let odd = format!("{} is no place for a repository.", path.display());
            return Err(Failure::new(Code::Usage, odd));
        };
        rest = if rest.as_os_str().is_empty() { name.into() } else { Path::new(name).join(rest) };
        at = above;
    }
}

/// The kind of file system that a path is on, as the kernel calls it.
pub fn kind_at(path: &Path) -> Option<String> {
    let mounts = Mounts::now().ok()?;
    mount_of(path, &mounts).ok()?.map(|mount| mount.kind.clone())
}

fn mount_of<'m>(real: &Path, mounts: &'m Mounts) -> Outcome<Option<&'m Mount>> {
    let stat = rustix::fs::statx(CWD, real, AtFlags::empty(), StatxFlags::MNT_ID)
        .map_err(|e| FsError::new("look at", real, e))?;
    Ok(mounts.by_id(stat.stx_mnt_id))
}

/// How a dataset is mounted.
pub(super) fn mounting(dataset: &Dataset) -> Outcome<Values> {
    let told = run::must(&argv::mounting(dataset))?;
    let rows = parse::table(&told, argv::MOUNTING).map_err(odd)?;
    Ok(rows.into_iter().next().map(|(_, values)| values).unwrap_or_default())
}

/// Whether there is a dataset of a name, of whatever kind.
pub(super) fn exists(dataset: &Dataset) -> Outcome<bool> {
    let call = argv::number("guid", dataset.as_str());
    let told = run::run(&call)?;
    match (told.well, told.only_absent()) {
        (true, _) => Ok(true),
        (false, true) => Ok(false),
        (false, false) => Err(run::refused(&call, &told.complaint)),
    }
}

/// A repository's family: all of it, or only what concerns one transaction.
pub(super) fn family(
    live: &Dataset,
    only: Option<Uuid>,
    since: Option<SnapshotId>,
) -> Outcome<Family> {
    let names = if let Some(transaction) = only {
        let parts = [Part::Live, Part::Staging(transaction), Part::Former(transaction)];
        parts.map(|part| live.member(part)).to_vec()
    } else {
        let Some(above) = live.parent() else { return Ok(Family::default()) };
        let told = run::must(&argv::children(&above))?;
        let names = told.lines().filter_map(|name| name.parse::<Dataset>().ok());
        names.filter(|name| live.part_of(name).is_some()).collect()
    };
    members(live, &names, since)
}

/// Members by name; those that are not there (any more) are left out.
pub(super) fn members(
    live: &Dataset,
    names: &[Dataset],
    since: Option<SnapshotId>,
) -> Outcome<Family> {
    if names.is_empty() {
        return Ok(Family::default());
    }
    let call = argv::facts(names, since);
    let told = run::run(&call)?;
    if !told.well && !told.only_absent() {
        return Err(run::refused(&call, &told.complaint));
    }
    let mounts = Mounts::now()?;
    let told = parse::family(live, &told.text, since, &|name| mounts.of(name));
    let mut family = told.map_err(odd)?;
    if let Some(member) = &mut family.live {
        let top = home(live, &member.mountpoint)
            .and_then(|home| mounts.stack(&home).last().map(|m| m.source.clone()));
        member.in_place = top.as_deref() == Some(live.as_str());
    }
    Ok(family)
}

/// Where a repository stands: what the property says, or of an inherited one, what it would say under
/// the repository's own name. None if it stands nowhere by itself.
pub(super) fn home(live: &Dataset, mountpoint: &Mountpoint) -> Option<PathBuf> {
    if !mountpoint.value.starts_with('/') {
        return None;
    }
    let path = PathBuf::from(&mountpoint.value);
    let last = live.as_str().rsplit('/').next().unwrap_or_default();
    let path = if mountpoint.own { path } else { path.with_file_name(last) };
    // The kernel knows it by its real path.
    let real = path.parent().and_then(|above| above.canonicalize().ok());
    Some(match (real, path.file_name()) {
        (Some(above), Some(name)) => above.join(name),
        _ => path,
    })
}
