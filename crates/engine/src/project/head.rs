//! Learning the repository's head: is it the same repository, does its history hold what was
//! synced before, and what is new in it.

use std::collections::BTreeSet;

use dsg_core::config::SharedConfig;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::repository::RepositoryInfo;
use dsg_core::safety::Allow;
use dsg_core::snapshot::SnapshotHeader;

use super::Project;
use crate::config_file;
use crate::endpoint::Endpoint;
use crate::index::damaged;

/// The shared configuration on all sides.
pub(super) struct Configs {
    /// What stands in the folder.
    pub seen: Option<SharedConfig>,
    /// What it will be: both sides' changes.
    pub merged: SharedConfig,
    /// The repository's differs from that.
    pub remote_differs: bool,
}

impl Project {
    /// Brings R up to the repository's head. Halts if the repository is another one or has lost
    /// history, unless that is allowed.
    pub(super) fn refresh_head(
        &mut self,
        endpoint: &dyn Endpoint,
        allow: &BTreeSet<Allow>,
    ) -> Outcome<Option<SnapshotHeader>> {
        let head = endpoint.head()?;
        let known = self.known_head()?;
        let forget = self.recognise(endpoint, head.as_ref(), known.as_ref(), allow)?;
        let same = known.as_ref().map(|k| k.chain) == head.as_ref().map(|h| h.chain);
        if forget == Forget::Nothing && known.is_some() && same {
            return Ok(head);
        }
        let since = known.as_ref().filter(|_| forget == Forget::Nothing).map(|k| k.id);
        let rules = head.as_ref().map(|h| h.config.clone());
        let info = serde_json::to_string(endpoint.info()).unwrap_or_default();
        self.index.batch(|batch| {
            if let (Some(head), Some(rules)) = (&head, &rules) {
                let header = if since.is_some() {
                    endpoint.changes_since(since, &mut |change| {
                        batch.set_remote(&change.path, change.entry.as_ref(), rules)
                    })?
                } else {
                    let mut whole = batch.replace_remote(rules)?;
                    let header = endpoint.manifest(head.id, &mut |change| whole.put(&change))?;
                    whole.finish()?;
                    header
                };
                batch.set_meta("head", Some(header.line().trim_end()))?;
            }
            match forget {
                Forget::Nothing => {}
                Forget::Differing => {
                    batch.forget_differing_cache(head.as_ref().map(|h| h.id))?;
                    batch.clear_resolutions()?;
                }
                Forget::All => {
                    batch.forget_cache()?;
                    batch.clear_resolutions()?;
                }
            }
            batch.set_meta("repository", Some(&info))
        })?;
        self.known_head()
    }

    /// What the repository was when it was last reached.
    pub(super) fn known_repository(&self) -> Outcome<Option<RepositoryInfo>> {
        let Some(text) = self.index.meta("repository")? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|e| {
            damaged(self.index.path(), "the repository's description in it cannot be read")
                .because(e)
        })
    }

    /// Is it the repository that this folder was synced with, and does its history go on from
    /// there? Says what to forget where it is not and that is allowed.
    fn recognise(
        &self,
        endpoint: &dyn Endpoint,
        head: Option<&SnapshotHeader>,
        known: Option<&SnapshotHeader>,
        allow: &BTreeSet<Allow>,
    ) -> Outcome<Forget> {
        let here = &self.address;
        let id = &endpoint.info().id;
        match self.known_repository()? {
            Some(before) if before.id != *id && allow.contains(&Allow::RepoId) => {
                return Ok(Forget::All);
            }
            Some(before) if before.id != *id => {
                let message = format!(
                    "{here} holds another repository ({id}) than the one this folder was synced with ({}).",
                    before.id
                );
                return Err(Failure::new(Code::RepoId, message).hint(
                    "Put the right repository back. To compare with this one afresh: --allow repo-id.",
                ));
            }
            _ => {}
        }
        let Some(known) = known else { return Ok(Forget::Nothing) };
        if descends(endpoint, head, known)? {
            return Ok(Forget::Nothing);
        }
        if allow.contains(&Allow::Rollback) {
            return Ok(Forget::Differing);
        }
        let now = head.map_or_else(|| "no snapshot".to_owned(), |h| h.id.to_string());
        let message = format!(
            "The repository at {here} is at {now} and does not hold {} as this folder knows it: was it restored from a backup?",
            known.id
        );
        Err(Failure::new(Code::Rollback, message)
            .hint("Find out what happened there. To compare with it afresh, losing nothing here: --allow rollback."))
    }

    /// Merges the shared configuration of this folder and of the head.
    pub(super) fn configs(&self, head: Option<&SnapshotHeader>) -> Outcome<Configs> {
        let seen = config_file::read(&self.root)?;
        let base = self.base_config()?;
        let theirs = head.map(|h| h.config.clone());
        let merged = match (&base, &seen, &theirs) {
            (Some(base), Some(ours), Some(theirs)) => SharedConfig::merge(base, ours, theirs),
            (_, _, Some(theirs)) => theirs.clone(),
            (_, Some(ours), None) => ours.clone(),
            (Some(base), None, None) => base.clone(),
            (None, None, None) => {
                return Err(Failure::new(
                    Code::Config,
                    format!("{} has no configuration.", self.root.display()),
                )
                .hint("Restore .dsgconfig.yml, or clone the repository again."));
            }
        };
        let remote_differs = theirs.as_ref() != Some(&merged);
        Ok(Configs { seen, merged, remote_differs })
    }
}

/// Whether the head's history holds the snapshot that was last seen.
fn descends(
    endpoint: &dyn Endpoint,
    head: Option<&SnapshotHeader>,
    known: &SnapshotHeader,
) -> Outcome<bool> {
    match head {
        Some(head) if head.id > known.id => Ok(endpoint.header(known.id)?.chain == known.chain),
        Some(head) => Ok(head.chain == known.chain),
        None => Ok(false),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Forget {
    Nothing,
    /// Where the last sync's entry is not the head's: what is here must not look outdated.
    Differing,
    All,
}
