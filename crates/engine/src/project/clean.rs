//! The trash, and what a sync that was cut off left: seen, and removed when asked.

use dsg_core::failure::Outcome;
use dsg_core::monitor::Monitor;
use dsg_fs::dir::Dir;
use dsg_fs::stat::Kind;

use super::Project;
use crate::areas::leftovers;
use crate::report::{CleanItem, CleanReport};

impl Project {
    /// Lists what can go: the trash of former syncs. With `really`, removes it for good.
    ///
    /// # Errors
    /// Something cannot be read or removed.
    pub fn clean(&mut self, really: bool) -> Outcome<CleanReport> {
        let _ready = self.ready_to_change("clean", &Monitor::silent())?;
        let tops = self.index.mounts()?;
        let mut items = Vec::new();
        for leftover in leftovers(&self.dir, tops.iter().map(String::as_str))? {
            let (mut files, mut bytes) = (0, 0);
            measure(&self.dir.open_beneath(&leftover.path)?, &mut files, &mut bytes)?;
            let what = if leftover.trash {
                "replaced or deleted by a sync"
            } else {
                "left by a sync that was cut off"
            };
            let named =
                leftover.path.parent().zip(leftover.path.file_name().and_then(|n| n.to_str()));
            if let Some((parent, name)) = named.filter(|_| really) {
                self.dir.open_beneath(parent)?.remove_tree(name)?;
            }
            items.push(CleanItem {
                path: leftover.path.to_string_lossy().into_owned(),
                what: what.to_owned(),
                files,
                bytes,
            });
        }
        Ok(CleanReport { removed: really, items })
    }
}

fn measure(dir: &Dir, files: &mut u64, bytes: &mut u64) -> Outcome<()> {
    for name in dir.list()? {
        match dir.stat(&name.name)? {
            Some(stat) if stat.kind == Kind::Dir => {
                measure(&dir.open_beneath(&name.name)?, files, bytes)?;
            }
            Some(stat) => {
                *files += 1;
                *bytes += stat.size;
            }
            None => {}
        }
    }
    Ok(())
}
