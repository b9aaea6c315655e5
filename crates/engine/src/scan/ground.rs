//! The file systems beneath the project: where another one begins, and where one is missing. A
//! folder that is bound from elsewhere is one, too: it can go as a disk can.

use std::collections::BTreeMap;

use dsg_core::failure::Outcome;
use dsg_fs::stat::{Stat, Volume};

use super::{Scan, problem};
use crate::index::{Index, Problem, ProblemKind};

/// What is known of the file systems, while a scan goes on.
pub(super) struct Ground {
    /// Directories at which another file system once began.
    mounts: BTreeMap<String, Mount>,
    /// Present device number of each slot.
    slots: BTreeMap<u32, u64>,
}

struct Mount {
    dev: u64,
    state: Found,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    NotSeen,
    Mounted,
    Missing,
}

impl Ground {
    pub(super) fn new(index: &Index) -> Self {
        let mut ground = Self { mounts: BTreeMap::new(), slots: BTreeMap::new() };
        ground.load(index);
        ground
    }

    fn load(&mut self, index: &Index) {
        for device in index.devices() {
            self.slots.insert(device.slot, device.dev);
            if !device.path.is_empty() {
                let mount = Mount { dev: device.dev, state: Found::NotSeen };
                self.mounts.entry(device.path).or_insert(mount);
            }
        }
    }

    /// The present device number of what a row calls `slot`.
    pub(super) fn device(&self, slot: u32) -> Option<u64> {
        self.slots.get(&slot).copied()
    }

    /// Whether `path` belongs to a file system that was not found mounted on the way to it.
    pub(super) fn is_missing(&self, path: &str) -> bool {
        !self.mounts.is_empty()
            && path.match_indices('/').any(|(at, _)| {
                self.mounts.get(&path[..at]).is_some_and(|m| m.state != Found::Mounted)
            })
    }
}

impl Scan<'_> {
    /// Takes note of a directory on the way; `false` if a file system is missing there.
    pub(super) fn tread(&mut self, path: &str, stat: &Stat, parent: Volume) -> Outcome<bool> {
        let (dev, crossing) = (stat.dev, stat.volume() != parent);
        let known = self.ground.mounts.get_mut(path);
        let changed = match known {
            None if !crossing => return Ok(true),
            None => true,
            Some(mount) => {
                mount.state = if crossing { Found::Mounted } else { Found::Missing };
                if !crossing {
                    return Ok(false);
                }
                mount.dev != dev
            }
        };
        if changed {
            self.index.batch(|b| b.set_device(path, dev))?;
            let mount = Mount { dev, state: Found::Mounted };
            self.ground.mounts.insert(path.to_owned(), mount);
            self.ground.load(self.index);
        }
        Ok(true)
    }

    /// After a whole scan: lists the missing file systems, and forgets those that held nothing
    /// that was ever synced.
    pub(super) fn settle_mounts(&mut self) -> Outcome<()> {
        let missing: Vec<String> = self
            .ground
            .mounts
            .iter()
            .filter(|(_, m)| m.state != Found::Mounted)
            .map(|(p, _)| p.clone())
            .collect();
        for path in missing {
            if self.index.is_shared(&path)? {
                self.problem(Problem {
                    path: path.clone(),
                    kind: ProblemKind::Unmounted,
                    sentence: problem::unmounted(),
                    offer: None,
                });
                self.summary.unmounted.push(path);
            } else {
                self.index.batch(|b| b.forget_mount(&path))?;
            }
        }
        self.write()
    }
}
