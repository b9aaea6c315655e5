//! What all sides hold, and the one question asked of it after a crash: is it all as before, or all
//! as after?
//!
//! The folder and the repository are read from disk. The cache is seen through `dsg status`: with L
//! and R known, the states that it gives are C.

use std::collections::BTreeMap;

use crate::lab::{Checkout, Lab, Pending};
use crate::tree::Tree;

/// What all sides hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// What people see in the repository.
    pub repository: Tree,
    /// The checkouts by name: what is on disk, and what is pending (none: no project there).
    pub checkouts: BTreeMap<String, (Tree, Option<Pending>)>,
}

impl World {
    /// Opens each checkout (which is when recovery happens) and looks.
    ///
    /// # Panics
    /// A checkout is there but cannot be opened.
    #[track_caller]
    pub fn observe(lab: &Lab, checkouts: &[&Checkout]) -> Self {
        let mut seen = BTreeMap::new();
        for checkout in checkouts.iter().filter(|c| c.dir.exists()) {
            let done = checkout.dsg(&["status"]);
            let pending = match done.code() {
                Some(0) => Some(Pending::of(&done.json())),
                _ if done.json()["error"]["code"] == "not-a-project" => None,
                _ => panic!("cannot be opened: {done:?}"),
            };
            seen.insert(name(checkout), pending);
        }
        // Only now: opening one checkout may settle what concerns the repository.
        let checkouts = checkouts.iter().map(|checkout| {
            let name = name(checkout);
            let pending = seen.remove(&name).flatten();
            (name, (checkout.tree(), pending))
        });
        Self { checkouts: checkouts.collect(), repository: lab.repo_tree() }
    }

    /// Which of these worlds it is, by number.
    ///
    /// # Errors
    /// None of them: what differs from each.
    pub fn which(&self, worlds: &[&Self]) -> Result<usize, String> {
        if let Some(number) = worlds.iter().position(|world| *world == self) {
            return Ok(number);
        }
        let each = worlds.iter().enumerate();
        let each = each.map(|(n, world)| format!("not world {n}:\n{}", self.differences(world)));
        Err(each.collect::<Vec<_>>().join("\n"))
    }

    fn differences(&self, other: &Self) -> String {
        let mut lines: Vec<String> = self
            .repository
            .differences(&other.repository)
            .into_iter()
            .map(|d| format!("  R {d}"))
            .collect();
        for (name, (tree, pending)) in &self.checkouts {
            let Some((other_tree, other_pending)) = other.checkouts.get(name) else { continue };
            lines.extend(tree.differences(other_tree).into_iter().map(|d| format!("  L {d}")));
            if pending != other_pending {
                lines.push(format!("  C {pending:?}\n    / {other_pending:?}"));
            }
        }
        lines.join("\n")
    }
}

/// The folder's name: the same in every lab.
fn name(checkout: &Checkout) -> String {
    checkout.dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}
