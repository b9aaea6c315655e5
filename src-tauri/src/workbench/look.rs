//! One path: its three versions, and what is in them.

use std::sync::atomic::Ordering;

use dsg_core::failure::Code;
use dsg_core::path::RepoPath;
use dsg_core::plan::PathState;
use dsg_core::state::Local;
use dsg_engine::endpoint::Glimpse;
use dsg_engine::project::versions;

use super::Workbench;
use super::past::{self, maker, repo_path, version};
use super::preview::{self, Side};
use super::rows::explanation;
use super::session::Session;
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

const UNTRACKED: &str = "Not tracked";

/// Why it is not known what the folder has there.
fn unseen(group: Group, sides: Option<&PathState>) -> Option<&'static str> {
    match sides.map(|sides| &sides.local) {
        Some(Local::Unknown(_)) => Some("Not known now"),
        Some(Local::Excluded) => Some(UNTRACKED),
        _ => (group == Group::Ignored).then_some(UNTRACKED),
    }
}

impl Session {
    /// All that is known of one change.
    pub(super) fn detail(&self, request: &PathRef) -> Result<ChangeDetail, ApiError> {
        let path = &request.path;
        let view = self.known_view()?;
        let Some(row) = view.rows.find(path).map(|row| view.rows.change(row, 0, &view.ticks))
        else {
            let said = format!("{path} is not pending any more.");
            return Err(ApiError::new(Code::NotFound.as_str(), said)
                .with_hint("Somebody synced it, or it is again as it was."));
        };
        let mut row = view.with_maker(row);
        drop(view);
        // A name that cannot be tracked has no versions.
        let Ok(path) = RepoPath::parse(path) else {
            let explanation = explanation(&row, None);
            let unseen = Some(UNTRACKED.to_owned());
            return Ok(ChangeDetail {
                row,
                explanation,
                local: None,
                unseen,
                cached: None,
                remote: None,
            });
        };
        let sides = self.sides(path.as_str())?;
        let found = self.repository().and_then(|e| Ok(versions(&*e, &path)?)).unwrap_or_default();
        let newest = found.first().map(|found| maker(&found.header));
        let cached = sides.as_ref().and_then(|sides| sides.cache.as_deref());
        let of_cache = cached.and_then(|(entry, snapshot)| {
            let same = found.iter().find(|found| {
                found.header.id <= *snapshot
                    && found.entry.as_ref().is_some_and(|found| found.same(entry))
            });
            same.map(|found| maker(&found.header))
        });
        if let Some(made) = newest.as_ref().filter(|_| super::view::has_maker(&row)) {
            row.remote_author = Some(made.author.clone());
            row.remote_time = Some(made.time.clone());
            row.remote_snapshot = Some(made.snapshot.clone());
        }
        let side =
            |pick: fn(&PathState) -> Option<&dsg_core::entry::Entry>| sides.as_ref().and_then(pick);
        Ok(ChangeDetail {
            explanation: explanation(&row, newest.as_ref()),
            local: side(|s| s.local.entry()).map(|entry| version(entry, None)),
            unseen: unseen(row.group, sides.as_ref()).map(str::to_owned),
            cached: side(PathState::cached).map(|entry| version(entry, of_cache)),
            remote: side(|s| s.remote.as_ref()).map(|entry| version(entry, newest)),
            row,
        })
    }

    /// One version of a path, as far as it has to be read to be shown.
    fn side(&self, wanted: &ContentRef) -> Result<Option<Side>, ApiError> {
        let found = |limit| self.glimpse(wanted, limit);
        let Some(first) = found(preview::TEXT)? else { return Ok(None) };
        let side = Side::new(&wanted.path, first);
        if !side.is_image() {
            return Ok(Some(side));
        }
        Ok(found(preview::IMAGE)?.map(|glimpse| Side::new(&wanted.path, glimpse)))
    }

    fn glimpse(&self, wanted: &ContentRef, limit: u64) -> Result<Option<Glimpse>, ApiError> {
        let path = &wanted.path;
        if matches!(wanted.at, ContentAt::Trash) {
            // An item is a path that the trash gave; nothing else of `.dsg` is shown.
            let in_trash = path.split('/').collect::<Vec<_>>();
            let is_item = in_trash.windows(2).any(|pair| pair == [".dsg", "trash"])
                && !in_trash.contains(&"..");
            if !is_item {
                return Ok(None);
            }
            return self.with_reader(|project| project.glimpse(path, limit));
        }
        let path = repo_path(path)?;
        let snapshot = match &wanted.at {
            ContentAt::Local | ContentAt::Trash => {
                return self.with_reader(|project| project.glimpse(path.as_str(), limit));
            }
            ContentAt::Cached => self.sides(path.as_str())?.and_then(|s| s.cache).map(|c| c.1),
            ContentAt::Remote => self.repository()?.head()?.map(|head| head.id),
            ContentAt::Snapshot { snapshot } => past::snapshot(Some(snapshot))?,
        };
        let Some(snapshot) = snapshot else { return Ok(None) };
        Ok(self.repository()?.glimpse(snapshot, &path, limit)?)
    }
}

impl Workbench {
    /// What is in a version, or differs between two; the newest question counts.
    pub(super) fn show_preview(&self, request: &ShowPreview) -> Result<Preview, ApiError> {
        let session = self.session(&request.id)?;
        let turn = self.preview.fetch_add(1, Ordering::AcqRel) + 1;
        let in_turn = || {
            if self.preview.load(Ordering::Acquire) == turn {
                return Ok(());
            }
            Err(ApiError::new(Code::Cancelled.as_str(), "Another preview was asked for."))
        };
        let read = |wanted: &Option<ContentRef>| {
            in_turn()?;
            wanted.as_ref().map_or(Ok(None), |wanted| session.side(wanted))
        };
        let (left, right) = (read(&request.left)?, read(&request.right)?);
        in_turn()?;
        self.gallery.clear();
        let shown = preview::show(left.as_ref(), right.as_ref(), &self.gallery);
        in_turn()?;
        Ok(shown)
    }
}
