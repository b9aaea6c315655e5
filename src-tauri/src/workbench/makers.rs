//! Who made the repository's side of a path what it is.
//!
//! From the newest snapshot down: what differs between a snapshot and the head, and was not yet
//! told of, was made by the snapshot after it. So each name is true, and where finding one would
//! cost too much there is none.

use std::collections::HashSet;

use dsg_core::address::Address;
use dsg_core::entry::Hash;
use dsg_core::failure::Outcome;
use dsg_core::snapshot::SnapshotId;
use dsg_engine::endpoint;
use dsg_engine::report::Status;

use super::rows::Makers;

/// So many snapshots are looked through.
const DEPTH: usize = 12;

/// The paths whose maker would be shown.
pub(super) fn wanted(status: &Status) -> HashSet<&str> {
    let comes = |action| matches!(action, "download" | "delete_local" | "move_local" | "conflict");
    let changes = status.changes.iter();
    changes.filter(|c| comes(c.action) || c.resolution.is_some()).map(|c| c.path.as_str()).collect()
}

/// The head's chain value, and the makers of these paths as far as they are near.
pub(super) fn learn(
    address: &Address,
    head: Option<SnapshotId>,
    wanted: &HashSet<&str>,
) -> Outcome<(Option<Hash>, Makers)> {
    let endpoint = endpoint::open(address)?;
    let headers = endpoint.headers(None, DEPTH + 1)?;
    let newest = headers.first();
    let chain = newest.map(|h| h.chain);
    let mut makers = Makers::new();
    if newest.map(|h| h.id) != head {
        // Somebody published since: the next look sees it.
        return Ok((None, makers));
    }
    for pair in headers.windows(2) {
        if makers.len() == wanted.len() {
            break;
        }
        let [maker, before] = pair else { break };
        let who = (maker.authorship.author.clone(), maker.authorship.time.to_string());
        endpoint.changes_since(Some(before.id), &mut |change| {
            let path = change.path.as_str();
            if wanted.contains(path) && !makers.contains_key(path) {
                makers.insert(path.to_owned(), who.clone());
            }
            Ok(())
        })?;
    }
    if let [.., first] = headers.as_slice() {
        // Everything of s1 was made by s1.
        if first.id == SnapshotId::FIRST && makers.len() < wanted.len() {
            let who = (first.authorship.author.clone(), first.authorship.time.to_string());
            for path in wanted {
                makers.entry((*path).to_owned()).or_insert_with(|| who.clone());
            }
        }
    }
    Ok((chain, makers))
}
