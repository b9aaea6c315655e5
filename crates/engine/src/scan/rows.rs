//! What a scan reads of the index in order, and the count that shows a folder has become empty.

use std::collections::BTreeSet;

use dsg_core::failure::Outcome;

use super::{EmptyDataDir, ScanSummary};
use crate::index::{Index, Known};

/// Rows of a range, read page by page.
pub(super) struct Rows {
    page: std::vec::IntoIter<Known>,
    after: String,
    before: Option<String>,
    over: bool,
}

impl Rows {
    pub(super) fn all() -> Self {
        Self { page: Vec::new().into_iter(), after: String::new(), before: None, over: false }
    }

    pub(super) fn below(dir: &str) -> Self {
        Self { after: format!("{dir}/"), before: Some(format!("{dir}0")), ..Self::all() }
    }

    pub(super) fn next(&mut self, index: &Index) -> Outcome<Option<Known>> {
        if let Some(row) = self.page.next() {
            return Ok(Some(row));
        }
        if self.over {
            return Ok(None);
        }
        let page = index.known_page(&self.after, self.before.as_deref())?;
        if let Some(last) = page.last() {
            last.path.as_str().clone_into(&mut self.after);
        } else {
            self.over = true;
        }
        self.page = page.into_iter();
        Ok(self.page.next())
    }
}

/// Counts per data folder and of the whole, to see which one has become empty.
#[derive(Default)]
pub(super) struct Groups {
    whole: Group,
    current: Group,
    empty: Vec<EmptyDataDir>,
}

#[derive(Default)]
struct Group {
    dir: String,
    cached: u64,
    there: u64,
}

impl Group {
    fn is_emptied(&self) -> bool {
        self.cached > 0 && self.there == 0
    }
}

impl Groups {
    /// Takes a path in order: whether it was synced, and whether it may still be there.
    pub(super) fn note(&mut self, dirs: &BTreeSet<String>, path: &str, cached: bool, there: bool) {
        let (cached, there) = (u64::from(cached), u64::from(there));
        self.whole.cached += cached;
        self.whole.there += there;
        let current = &self.current.dir;
        let rest = path.strip_prefix(current.as_str()).filter(|_| !current.is_empty());
        if !rest.is_some_and(|rest| rest.starts_with('/')) {
            let Some(dir) = data_dir(dirs, path) else { return };
            let next = Group { dir: dir.to_owned(), ..Group::default() };
            let last = std::mem::replace(&mut self.current, next);
            self.close(last);
        }
        self.current.cached += cached;
        self.current.there += there;
    }

    fn close(&mut self, group: Group) {
        if group.is_emptied() {
            self.empty.push(EmptyDataDir { path: group.dir, cached: group.cached });
        }
    }

    pub(super) fn finish(&mut self, summary: &mut ScanSummary) {
        let last = std::mem::take(&mut self.current);
        self.close(last);
        if self.whole.is_emptied() {
            let whole = EmptyDataDir { path: ".".to_owned(), cached: self.whole.cached };
            summary.empty_data_dirs.push(whole);
        }
        summary.empty_data_dirs.append(&mut self.empty);
    }
}

/// The uppermost data folder that holds `path`. Where everything is data, no folder is one.
fn data_dir<'p>(dirs: &BTreeSet<String>, path: &'p str) -> Option<&'p str> {
    if dirs.contains("*") {
        return None;
    }
    let mut end = 0;
    path.split('/').find_map(|component| {
        end += component.len() + usize::from(end > 0);
        (dirs.contains(component) && end < path.len()).then_some(&path[..end])
    })
}
