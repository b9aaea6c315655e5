//! Scan and plan: what a sync would do, from the index.

use std::collections::BTreeMap;

use dsg_core::config::{SharedConfig, Tracking};
use dsg_core::entry::Hash;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::path::RepoPath;
use dsg_core::plan::{Decision, PathState, Plan, Request, Resolution};
use dsg_core::state::Local;
use dsg_fs::stat::Stat;

use super::Project;
use crate::index::Row;

/// The plan, and how local files of it are recognised.
pub(super) struct Pending {
    /// What a sync would do.
    pub plan: Plan,
    /// Looks at the local files that are not in sync.
    pub looks: BTreeMap<RepoPath, Stat>,
}

impl Project {
    /// Makes the plan from what the index knows. `blocked`: paths that must stay out, with why.
    pub(super) fn plan(
        &self,
        rules: &SharedConfig,
        only: Option<&[RepoPath]>,
        mut blocked: BTreeMap<RepoPath, String>,
    ) -> Outcome<Pending> {
        let mut states = Vec::new();
        let mut looks = BTreeMap::new();
        self.index.pending(&mut |row: Row| {
            if let Some(stat) = row.local_stat {
                looks.insert(row.path.clone(), stat);
            }
            let local = match row.local {
                Local::Absent if rules.file(&row.path) != Tracking::Tracked => Local::Excluded,
                local => local,
            };
            states.push(PathState { path: row.path, local, cache: row.cache, remote: row.remote });
            Ok(())
        })?;
        let decisions = self.decisions()?;
        // A copy that is not tracked would not be kept for anybody else.
        let taken = |path: &RepoPath| rules.file(path) != Tracking::Tracked || self.is_taken(path);
        loop {
            let request = Request {
                decisions: decisions.clone(),
                only: only.map(<[_]>::to_vec),
                blocked: blocked.clone(),
                taken: Some(&taken),
            };
            let plan = Plan::make(states.iter().cloned(), &request);
            let obstacles = self.obstacles(&plan)?;
            if obstacles.is_empty() {
                return Ok(Pending { plan, looks });
            }
            blocked.extend(obstacles);
        }
    }

    /// Whether a name is in use in the folder or in the index; on doubt it is.
    fn is_taken(&self, path: &RepoPath) -> bool {
        !matches!(self.dir.stat(path.as_str()), Ok(None))
            || !matches!(self.index.row(path), Ok(None))
    }

    /// Decisions on conflicts, as they were stored.
    pub(super) fn decisions(&self) -> Outcome<BTreeMap<RepoPath, Decision>> {
        let parsed = self.index.resolutions()?.into_iter().filter_map(|(path, kind)| {
            let (name, seen) = kind.split_once(' ')?;
            let decision = Decision { resolution: resolution(name)?, seen: Hash::parse(seen)? };
            Some((RepoPath::parse(&path).ok()?, decision))
        });
        Ok(parsed.collect())
    }

    /// Paths that a person names, relative to the project's root.
    pub(super) fn named(paths: &[String]) -> Outcome<Vec<RepoPath>> {
        let parse = |path: &String| {
            RepoPath::parse(path.trim_end_matches('/')).map_err(|e| {
                Failure::new(Code::Usage, format!("{path:?} is not a path of the project: {e}."))
                    .hint("Name paths relative to the project's root, e.g. input/a.csv.")
            })
        };
        paths.iter().map(parse).collect()
    }
}

/// How a decision is stored: its name, and what was seen.
pub(super) fn stored(decision: Decision) -> String {
    let name = match decision.resolution {
        Resolution::Local => "local",
        Resolution::Remote => "remote",
        Resolution::Cached => "cached",
        Resolution::Both => "both",
    };
    format!("{name} {}", decision.seen)
}

fn resolution(name: &str) -> Option<Resolution> {
    Some(match name {
        "local" => Resolution::Local,
        "remote" => Resolution::Remote,
        "cached" => Resolution::Cached,
        "both" => Resolution::Both,
        _ => return None,
    })
}
