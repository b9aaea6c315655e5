//! The earlier DSG's repository, adopted: its history becomes ours in one transaction, and its files stay
//! where they are.
//!
//! All is written beside it, out of sight: a sidecar without facts is no repository yet, and whoever
//! tries again begins anew. The journal decides; from then on it is rolled forward as any publish.

use std::collections::VecDeque;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::legacy::{Adopter, Adoption, Deviation, LAST_SYNC, MOST_TOLD, Oddity, Tree};
use dsg_core::manifest::{Change, Totals, line};
use dsg_core::monitor::{Monitor, Phase};
use dsg_core::repository::Publication;
use dsg_core::snapshot::{Authorship, LEGACY_FORMAT, Legacy, SnapshotHeader, SnapshotId};
use dsg_fs::dir::Dir;

use super::measure::{Found, measure};
use super::source::{Source, is_there};
use crate::crash;
use crate::tree::apply::fresh;
use crate::tree::create::{exists, finish_interrupted_init, inspect_folder};
use crate::tree::edits::Patch;
use crate::tree::history::record_name;
use crate::tree::layout::{
    FACTS, JOURNAL, Journal, Layout, MANIFEST, SNAPSHOTS, STAGING, Swap, locate, side_name,
};
use crate::tree::prepared::{write_list, write_record, write_stats};
use crate::tree::repo::Repo;
use crate::tree::staging::check_transaction;
use crate::tree::stats::Seen;
use crate::tree::store::TreeStore;

const BUFFER: usize = 256 * 1024;

/// What somebody wants of an adoption.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Who adopts it, when, why, in which transaction.
    pub authorship: Authorship,
    /// Only to be shown.
    pub dry_run: bool,
    /// Also if something is not as the earlier DSG left it: then it counts as changed on the host.
    pub drift: bool,
}

/// Adopts the earlier DSG's repository at `path`: its snapshots keep their numbers, and the next one is
/// the adoption, with what stands there now.
///
/// # Errors
/// Nothing is changed then. [`Code::Exists`]: it is one of ours already; [`Code::NoRepository`]: it is
/// none; [`Code::Locked`]: somebody is at work in it; [`Code::Drift`]: something is not as the earlier DSG
/// left it; [`Code::Unsupported`]: it is a mount point; what cannot be read or written.
pub fn adopt(path: &Path, wish: &Wish, monitor: &Monitor) -> Outcome<Adoption> {
    check_transaction(&wish.authorship.transaction)?;
    let (parent, name) = locate(path)?;
    let at = parent.at(&name);
    if let Ok(side) = parent.open_beneath(side_name(&name)) {
        let layout = Layout::beside(parent.try_clone()?, name.clone(), side);
        finish_interrupted_init(&layout)?;
        if layout.facts(FACTS)?.is_some() {
            return Err(exists(&at));
        }
    }
    if !is_there(&parent, &name) {
        return Err(none(&at));
    }
    let place = inspect_folder(&parent, &name).map_err(|e| match e.code {
        Code::Unsupported => e.hint(
            "Copy it with all that is in it, .dsg too (cp -a), into a folder that is no mount point, and adopt that.",
        ),
        _ => e,
    })?;
    let source = Source::open(parent.open_beneath(&name)?)?;
    let config = source.head.config(&name);
    let seen = measure(&source.root, &source.head, &config, monitor)?;
    let adopter = Adopter {
        repository: uuid::Uuid::nil().to_string(),
        transaction: wish.authorship.transaction.clone(),
        config,
    };
    if wish.dry_run {
        return told(&source, &adopter, &seen, &mut |_| Ok(())).map(|told| told.adoption);
    }
    let unborn = TreeStore::unborn(parent.try_clone()?, name.clone(), &place, None, LEGACY_FORMAT);
    let done = unborn.and_then(|repo| carry_out(&repo, &source, adopter, seen, wish, monitor));
    if done.is_err() {
        clear(&parent, &name);
    }
    done
}

/// Removes the sidecar of an adoption that came to nothing, unless it is decided or somebody else's.
fn clear(parent: &Dir, name: &str) {
    let Ok(side) = parent.open_beneath(side_name(name)) else { return };
    let absent = |file| matches!(side.stat(file), Ok(None));
    let held = dsg_fs::lock::Lock::holder(&side, crate::tree::layout::INIT_LOCK);
    if absent(FACTS) && absent(JOURNAL) && matches!(held, Ok(None)) {
        let _ = parent.remove_tree(&side_name(name));
    }
}

fn none(at: &Path) -> Failure {
    let checkout = at.join(".dsgconfig.yml").exists() && at.join(LAST_SYNC).exists();
    if checkout {
        let message =
            format!("{} is a working folder of the earlier DSG, not its repository.", at.display());
        return Failure::new(Code::NoRepository, message)
            .hint("Adopt the repository that its .dsgconfig.yml names; then make this folder a copy of it with dsg clone --attach.");
    }
    let message = format!("There is no repository of the earlier DSG at {}.", at.display());
    Failure::new(Code::NoRepository, message).hint("Check the address.")
}

/// The history as ours.
struct Told {
    adoption: Adoption,
    /// The newest snapshot of the earlier DSG.
    head: SnapshotHeader,
    /// What is in it.
    tree: Tree,
}

/// Turns one list after the other; `each` gets what becomes of it.
fn told(
    source: &Source,
    adopter: &Adopter,
    seen: &Found,
    each: &mut dyn FnMut(&dsg_core::legacy::Turn) -> Outcome<()>,
) -> Outcome<Told> {
    let mut tree = Tree::new();
    let mut before: Option<SnapshotHeader> = None;
    let mut sum: Option<String> = None;
    let mut deviations = source.deviations.clone();
    let mut history = VecDeque::new();
    let mut left_out = 0;
    for id in (1..=source.id.number()).filter_map(SnapshotId::new) {
        let mut deviates = |path: String, what| deviations.push(Deviation { path, what });
        let former = if id == source.id { None } else { source.list(id)? };
        let list = match former {
            _ if id == source.id => Some(&source.head),
            Some(Ok(ref list)) => Some(list),
            Some(Err(ref why)) => {
                deviates(source.place(id), Oddity::Unusable(why.to_string()));
                None
            }
            None => {
                deviates(source.place(id), Oddity::NoList);
                None
            }
        };
        let said = source.messages.0.get(&id);
        let metadata = list.map(|list| &list.metadata).or(said);
        let state = list.map(|list| list.proof(sum.as_deref()));
        if state == Some(Legacy::Unproven) {
            let path = if id == source.id { LAST_SYNC.to_owned() } else { source.place(id) };
            deviates(path, Oddity::Unproven);
        }
        if let Some(list) = list.filter(|_| id != source.id) {
            left_out += list.untrackable.len() as u64;
        }
        let entries = list.map(|list| &list.entries).zip(state);
        let turn = adopter.turn(&mut tree, before.as_ref(), metadata, entries, &seen.contents);
        each(&turn)?;
        history.push_front(turn.past());
        history.truncate(MOST_TOLD);
        sum = metadata.and_then(|metadata| metadata.snapshot_hash.clone());
        before = Some(turn.header);
    }
    let head = before.ok_or_else(|| none(source.root.path()))?;
    deviations.extend(seen.deviations.iter().cloned());
    let adoption = Adoption {
        name: adopter.config.name.clone(),
        snapshots: source.id.number(),
        history: history.into(),
        totals: after(&tree, &head, &seen.changes),
        deviating: deviations.len() as u64,
        deviations: deviations.into_iter().take(MOST_TOLD).collect(),
        left_out,
        adopted: None,
    };
    Ok(Told { adoption, head, tree })
}

/// What is tracked once these changes are made.
fn after(tree: &Tree, head: &SnapshotHeader, changes: &[Change]) -> Totals {
    let mut totals = head.totals;
    for change in changes {
        if let Some(was) = tree.get(&change.path) {
            totals.entries = totals.entries.saturating_sub(1);
            totals.bytes = totals.bytes.saturating_sub(was.size());
        }
        if let Some(entry) = &change.entry {
            totals.entries += 1;
            totals.bytes = totals.bytes.saturating_add(entry.size());
        }
    }
    totals
}

/// Writes what was found, and decides.
fn carry_out(
    repo: &Repo,
    source: &Source,
    mut adopter: Adopter,
    seen: Found,
    wish: &Wish,
    monitor: &Monitor,
) -> Outcome<Adoption> {
    adopter.repository.clone_from(&repo.facts.id);
    monitor.phase(Phase::Publishing, None, None);
    let snapshots = repo.layout.folder(SNAPSHOTS)?;
    let told = told(source, &adopter, &seen, &mut |turn| {
        monitor.check()?;
        let name = record_name(turn.header.id);
        let file = snapshots.create_new(&name, repo.modes().own_file())?;
        let mut file = BufWriter::with_capacity(BUFFER, file);
        let written = file.write_all(turn.header.line().as_bytes()).and_then(|()| {
            let mut changes = turn.changes.iter();
            changes.try_for_each(|c| file.write_all(&line(&c.path, c.entry.as_ref())))?;
            file.flush()
        });
        written.map_err(|e| Failure::io("write", snapshots.at(&name), e))?;
        crash::LEGACY_RECORDED.pass();
        Ok(())
    })?;
    let Told { mut adoption, head, tree } = told;
    if adoption.deviating > 0 && !wish.drift {
        return Err(adoption.halt(&source.root.path().display().to_string()));
    }
    let header = publish(repo, source, &head, &tree, seen, &wish.authorship, monitor)?;
    adoption.adopted = Some(Box::new(header));
    Ok(adoption)
}

fn publish(
    repo: &Repo,
    source: &Source,
    head: &SnapshotHeader,
    tree: &Tree,
    seen: Found,
    authorship: &Authorship,
    monitor: &Monitor,
) -> Outcome<SnapshotHeader> {
    let layout = &repo.layout;
    let lock = repo.lock(&authorship.author, "adopts the earlier DSG's repository")?;
    let manifest = layout.side.create_new(MANIFEST, repo.modes().own_file())?;
    let mut manifest = BufWriter::with_capacity(BUFFER, manifest);
    let mut entries = tree.iter();
    let written =
        entries.try_for_each(|(path, entry)| manifest.write_all(&line(path, Some(entry))));
    written
        .and_then(|()| manifest.flush())
        .map_err(|e| Failure::io("write", layout.side.at(MANIFEST), e))?;

    let staging = layout.folder(STAGING)?;
    let dir = fresh(&staging, &authorship.transaction, repo.modes())?;
    let publication = Publication {
        base: Some(head.id),
        authorship: authorship.clone(),
        config: head.config.clone(),
        changes: seen.changes.into_iter().collect(),
        copies: Vec::new(),
    };
    let listed = write_list(repo, &dir, &publication, Some(head))?;
    let header = write_record(repo, &dir, &publication, Some(head), &listed)?;
    monitor.check()?;
    repo.tick()?;
    let mut patch = Patch::default();
    for (path, stat) in &seen.seen {
        // Whatever is written from here on shows as drift.
        if !source.root.stat(path.as_str())?.is_some_and(|now| now.unchanged(stat)) {
            let at = source.root.at(path);
            return Err(Failure::new(Code::Locked, format!("{} is being written.", at.display()))
                .hint("Nothing was adopted. See to it that nobody writes there, then try again.")
                .about([path.to_string()]));
        }
        patch.put(path.as_bytes(), Seen::of(stat));
    }
    write_stats(repo, &dir, None, header.id, patch)?;
    dir.syncfs()?;
    crash::LEGACY_PREPARED.pass();
    source.is_unchanged()?;
    monitor.check()?;
    let ino = source.root.own_stat()?.ino;
    let transaction = authorship.transaction.clone();
    let journal =
        Journal { transaction, snapshot: header.id, swap: Swap::Adopt, old: Some(ino), new: ino };
    layout.write_json(JOURNAL, &journal, repo.modes())?;
    crash::JOURNALED.pass();
    repo.roll_forward(&journal, &lock).map_err(|e| {
        let message = format!(
            "It is adopted as {}, but its bookkeeping is not finished: {}",
            header.id, e.message
        );
        Failure::new(e.code, message)
            .hint("The next access to the repository finishes it.")
            .because(e)
    })?;
    drop(repo.init.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
    if repo.history().checkpoint_if_due(&header, repo.modes()).is_ok_and(|done| done) {
        crash::CHECKPOINTED.pass();
    }
    Ok(header)
}
