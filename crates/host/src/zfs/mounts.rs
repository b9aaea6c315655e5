//! What is mounted where, as the kernel tells it.

use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use dsg_core::failure::{Failure, Outcome};

/// Where the kernel tells it.
const TABLE: &str = "/proc/self/mountinfo";

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// The kernel's number for it.
    pub id: u64,
    /// The number of the mount that it stands on.
    pub parent: u64,
    /// The number of the file system, as `stat` tells it.
    pub device: u64,
    /// What of its file system is shown; `/` is all of it.
    pub root: PathBuf,
    /// Where it stands.
    pub at: PathBuf,
    /// The kind of file system.
    pub kind: String,
    /// What is mounted: of ZFS, a dataset's or snapshot's name as it is now.
    pub source: String,
}

/// All mounts; of two at one place, the later one hides the earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mounts(pub Vec<Mount>);

impl Mounts {
    /// As they are now.
    pub(super) fn now() -> Outcome<Self> {
        let text = std::fs::read(TABLE).map_err(|e| Failure::io("read", TABLE, e))?;
        Ok(Self::parse(&text))
    }

    /// Lines that nobody understands are left out: they are none of ours.
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(text.split(|b| *b == b'\n').filter_map(mount).collect())
    }

    /// Where a dataset or snapshot is mounted as a whole.
    pub(super) fn of(&self, source: &str) -> Vec<PathBuf> {
        let of = |m: &&Mount| m.kind == "zfs" && m.source == source && m.root == Path::new("/");
        self.0.iter().filter(of).map(|m| m.at.clone()).collect()
    }

    /// The same, where it is what is seen: not under another mount.
    pub(super) fn shown(&self, source: &str) -> Vec<PathBuf> {
        let seen = |at: &PathBuf| {
            let top = self.stack(at).last().copied();
            top.is_some_and(|m| m.kind == "zfs" && m.source == source && m.root == Path::new("/"))
        };
        self.of(source).into_iter().filter(seen).collect()
    }

    /// Whether a file system of this number is a dataset or snapshot.
    pub(super) fn shows(&self, source: &str, device: u64) -> bool {
        let of = |m: &Mount| m.kind == "zfs" && m.source == source && m.root == Path::new("/");
        self.0.iter().any(|m| of(m) && m.device == device)
    }

    /// What stands at a place, the lowest first.
    pub(super) fn stack(&self, at: &Path) -> Vec<&Mount> {
        let mut stack: Vec<&Mount> = self.0.iter().filter(|m| m.at == at).collect();
        // One that was put beneath another comes later in the table, but does not hide it.
        let ids: Vec<u64> = stack.iter().map(|m| m.id).collect();
        let depth = |m: &Mount| {
            let mut depth = 0;
            let mut parent = m.parent;
            while ids.contains(&parent) && depth < ids.len() {
                depth += 1;
                let Some(next) = self.0.iter().find(|m| m.id == parent) else { break };
                parent = next.parent;
            }
            depth
        };
        stack.sort_by_key(|m| depth(m));
        stack
    }

    /// The mount with a number.
    pub(super) fn by_id(&self, id: u64) -> Option<&Mount> {
        self.0.iter().find(|m| m.id == id)
    }
}

/// `36 35 0:32 / /tank/dsg rw,noatime shared:7 - zfs tank/dsg rw,xattr,noacl`
fn mount(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|b| *b == b' ');
    let mut number = || std::str::from_utf8(words.next()?).ok()?.parse().ok();
    let (id, parent) = (number()?, number()?);
    let (major, minor) = std::str::from_utf8(words.next()?).ok()?.split_once(':')?;
    let device = rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?);
    let (root, at) = (path(words.next()?), path(words.next()?));
    let mut rest = words.skip_while(|w| *w != b"-");
    rest.next()?;
    let mut text = || Some(path(rest.next()?).into_os_string().to_string_lossy().into_owned());
    Some(Mount { id, parent, device, root, at, kind: text()?, source: text()? })
}

/// A backslash and three octal digits stand for a byte.
fn path(word: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|d| std::str::from_utf8(d).ok());
        let byte = digits.and_then(|d| u8::from_str_radix(d, 8).ok()).filter(|_| first == b'\\');
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[3..] } else { after };
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let text = b"30 1 0:24 / / rw,relatime shared:1 - overlay o rw,lowerdir=/ro\n\
            36 30 0:32 / /tank/dsg rw,noatime shared:7 master:2 - zfs tank/dsg rw,xattr,noacl\n\
            37 36 0:33 / /tank/dsg/a\\040b rw - zfs tank/dsg/a\\040b rw\n\
            38 30 0:32 /sub /mnt rw - zfs tank/dsg rw\n";
        let mounts = Mounts::parse(text);
        assert_eq!(mounts.0.len(), 4);
        assert_eq!(mounts.of("tank/dsg"), [Path::new("/tank/dsg")]);
        assert_eq!(mounts.of("tank/dsg/a b"), [Path::new("/tank/dsg/a b")]);
        for (source, minor, expected) in [
            ("tank/dsg", 32, true),
            ("tank/dsg/a b", 33, true),
            ("tank/dsg", 33, false),
            ("tank/dsg/a", 33, false),
            ("o", 24, false),
        ] {
            let shown = mounts.shows(source, rustix::fs::makedev(0, minor));
            assert_eq!(shown, expected, "{source} {minor}");
        }
        assert_eq!(mounts.by_id(38).unwrap().root, Path::new("/sub"));
    }

    #[test]
    fn what_was_put_beneath_is_not_on_top_though_it_came_later() {
        let text = b"30 1 0:24 / / rw - ext4 o rw\n\
            36 40 0:32 / /p rw - zfs tank/p.dsg-old rw\n\
            40 30 0:33 / /p rw - zfs tank/p rw\n";
        let mounts = Mounts::parse(text);
        let names: Vec<&str> =
            mounts.stack(Path::new("/p")).iter().map(|m| m.source.as_str()).collect();
        assert_eq!(names, ["tank/p", "tank/p.dsg-old"]);
    }

    #[test]
    fn what_another_mount_covers_is_mounted_and_not_seen() {
        let text = b"30 1 0:24 / / rw - ext4 o rw\n\
            36 30 0:32 / /run/dsg/1000/t rw - zfs tank/p rw\n\
            37 30 0:32 / /run/dsg/0/live rw - zfs tank/p rw\n\
            40 36 0:40 / /run/dsg/1000/t rw - fuse.sshfs tank/p rw\n";
        let mounts = Mounts::parse(text);
        assert_eq!(mounts.of("tank/p").len(), 2);
        assert_eq!(mounts.shown("tank/p"), [Path::new("/run/dsg/0/live")]);
    }
}
