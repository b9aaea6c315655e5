//! A look at one path that somebody named, instead of the whole project.

use std::ffi::OsStr;

use dsg_core::config::Tracking;
use dsg_core::failure::Outcome;
use dsg_core::path::{RepoPath, case_key};
use dsg_core::state::Local;
use dsg_fs::stat::Kind;
use dsg_fs::walk::{Twin, What};

use super::rows::Rows;
use super::{Scan, Write, enters, problem};
use crate::index::ProblemKind;

/// In a larger folder a single new file is not compared with its neighbours by case: that would
/// cost what the folder holds. The next whole scan does it.
const NEIGHBOURS: usize = 20_000;

impl Scan<'_> {
    /// Looks at one path that somebody named, with all below if it is a folder.
    pub(super) fn one(&mut self, path: &str) -> Outcome<()> {
        self.blocked = None;
        let mut entered = true;
        let mut listed = false;
        let mut parent = self.root.own_stat()?.volume();
        for (at, _) in path.match_indices('/') {
            let dir = &path[..at];
            entered &= enters(&self.rules, dir);
            match self.index.problem_kind(dir)? {
                Some(ProblemKind::Case) => {
                    let reason = "It lies in a folder that has a twin in other letter case.";
                    self.block(dir, reason.into());
                }
                Some(ProblemKind::Unreadable) => listed = true,
                _ => {}
            }
            match self.root.stat(dir) {
                Ok(Some(stat)) if stat.kind == Kind::Dir => {
                    if !self.tread(dir, &stat, parent)? {
                        self.block(dir, problem::unmounted());
                    }
                    parent = stat.volume();
                }
                Ok(_) => entered = false,
                Err(e) if e.is_escape() => entered = false,
                Err(error) => {
                    self.hole(dir, &error, true, None)?;
                    entered = false;
                }
            }
        }
        let found = if entered { self.look(path) } else { Ok(None) };
        let row = self.index.known(path)?;
        let mut walk = None;
        match found {
            Ok(Some(stat)) if stat.kind == Kind::Dir => {
                if let Some(row) = row {
                    self.unseen(row)?;
                }
                if enters(&self.rules, path) {
                    let twins = self.neighbours(path)?;
                    self.seen(
                        OsStr::new(path),
                        &What::Dir { stat, parent },
                        twins.as_deref(),
                        None,
                    )?;
                    walk = Some(self.walk(path)?);
                }
            }
            Ok(Some(stat)) if self.rules.file(path) == Tracking::Tracked => {
                let shared = row.as_ref().is_some_and(|r| r.cached || r.remote);
                let twins = if shared { None } else { self.neighbours(path)? };
                self.seen(OsStr::new(path), &What::Leaf(stat), twins.as_deref(), row)?;
            }
            Ok(_) => {
                if let Some(row) = row {
                    self.unseen(row)?;
                }
            }
            // The folder above that cannot be read stands in the list already.
            Err(error) if listed => {
                self.block(path, problem::unreadable(&error).1);
                if let Some(row) = row {
                    let reason = Local::Unknown(problem::unreadable(&error).1);
                    self.writes.push(Write::Local(row.path, reason, None));
                }
            }
            Err(error) => self.hole(path, &error, true, row)?,
        }
        self.merge(walk, Rows::below(path))
    }

    /// The names beside `path` that differ from it by case only, and itself.
    fn neighbours(&self, path: &str) -> Outcome<Option<Vec<Twin>>> {
        let Ok(path) = RepoPath::parse(path) else { return Ok(None) };
        if self.index.is_shared(&path)? {
            return Ok(None);
        }
        let (dir, stem) = match path.rsplit_once('/') {
            Some((dir, _)) => (self.root.open_beneath(dir), format!("{dir}/")),
            None => (self.root.try_clone(), String::new()),
        };
        let Ok(names) = dir.and_then(|dir| dir.list()) else { return Ok(None) };
        if names.len() > NEIGHBOURS {
            return Ok(None);
        }
        let own = case_key(&path);
        let twins: Vec<Twin> = names
            .iter()
            .filter_map(|n| {
                let whole = RepoPath::parse(&format!("{stem}{}", n.name.to_str()?)).ok()?;
                let dir = n.kind == Some(Kind::Dir);
                let taken = if dir {
                    enters(&self.rules, &whole)
                } else {
                    self.rules.file(&whole) == Tracking::Tracked
                };
                let twin = taken && case_key(&whole) == own;
                twin.then(|| Twin { name: whole.name().to_owned(), dir })
            })
            .collect();
        Ok((twins.len() > 1).then_some(twins))
    }
}
