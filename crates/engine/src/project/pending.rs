//! Scan and plan: what a sync would do, from the index.

use std::collections::BTreeMap;

use dsg_core::config::{SharedConfig, Tracking};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::path::RepoPath;
use dsg_core::plan::{Draft, PathState, Plan, Request};
use dsg_core::state::Local;

use super::Project;
use crate::decisions;
use crate::index::Row;

impl Project {
    /// Makes the plan from what the index knows. `blocked`: paths that must stay out, with why.
    pub(super) fn plan(
        &self,
        rules: &SharedConfig,
        only: Option<&[RepoPath]>,
        blocked: BTreeMap<RepoPath, String>,
    ) -> Outcome<Plan> {
        // A copy that is not tracked would not be kept for anybody else.
        let taken = |path: &RepoPath| rules.file(path) != Tracking::Tracked || self.is_taken(path);
        let mut request = Request {
            decisions: decisions::all(&self.index)?,
            only: only.map(<[_]>::to_vec),
            blocked,
            taken: Some(&taken),
        };
        loop {
            let mut draft = Draft::new(&request);
            self.index.pending(&mut |Row { path, local, cache, remote, .. }| {
                let local = match local {
                    Local::Absent if rules.file(&path) != Tracking::Tracked => Local::Excluded,
                    local => local,
                };
                draft.add(PathState { path, local, cache: cache.map(Box::new), remote });
                Ok(())
            })?;
            let plan = draft.finish();
            let obstacles = self.obstacles(&plan)?;
            if obstacles.is_empty() {
                return Ok(plan);
            }
            request.blocked.extend(obstacles);
        }
    }

    /// Whether a name is in use in the folder or in the index; on doubt it is.
    fn is_taken(&self, path: &RepoPath) -> bool {
        !matches!(self.dir.stat(path.as_str()), Ok(None))
            || !matches!(self.index.row(path), Ok(None))
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
