//! All that the engine knows of a repository.
//!
//! One trait, bulk-oriented: a call is at most one round trip, however many files it concerns.
//! Everything blocks; the caller owns the threads.

mod local;
mod places;
mod remote;

use dsg_core::address::{Address, SshAddress, SshHost};
use dsg_core::entry::FileEntry;
use dsg_core::failure::{Code, Failure, Outcome, shell_word};
use dsg_core::manifest::Change;
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::places::Lease;
use dsg_core::repository::{self, Pruned, Publication, RepositoryInfo, Space, Standing, Upload};
use dsg_core::snapshot::{Authorship, SnapshotHeader, SnapshotId};
use dsg_wire::chunks::Chunks;
use dsg_wire::delta::{Basis, Content};

use self::remote::{MUCH, Opening, RemoteEndpoint, Reopen};
use crate::transport::ssh::{self, Early, agent_on, bring_agent_on, quicker_agent_on};

pub(crate) use self::places::adopt;
pub use self::places::{examine, folders, repositories};
pub use dsg_host::tree::{Contents, Glimpse, OlderFile, Refusal, Supply, Traced};

/// A repository, wherever it is.
pub trait Endpoint: Send + Sync {
    /// Its unchanging facts.
    fn info(&self) -> &RepositoryInfo;

    /// Where it stands, as it was found when it was opened.
    fn standing(&self) -> &Standing;

    /// The newest snapshot; `None` before the first.
    ///
    /// # Errors
    /// It cannot be reached or read.
    fn head(&self) -> Outcome<Option<SnapshotHeader>>;

    /// One snapshot's header.
    ///
    /// # Errors
    /// [`Code::NotFound`](dsg_core::failure::Code::NotFound), or it cannot be read.
    fn header(&self, id: SnapshotId) -> Outcome<SnapshotHeader>;

    /// Headers before `before` (or from the head on), newest first.
    ///
    /// # Errors
    /// They cannot be read.
    fn headers(&self, before: Option<SnapshotId>, limit: usize) -> Outcome<Vec<SnapshotHeader>>;

    /// What the head has that `since` had not (`None`: everything), sorted by path, proved
    /// against the head's header. Gives that header.
    ///
    /// # Errors
    /// The records cannot be read or do not prove themselves; what `each` gives.
    fn changes_since(
        &self,
        since: Option<SnapshotId>,
        each: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader>;

    /// The whole manifest of a snapshot, sorted by path.
    ///
    /// # Errors
    /// As [`Endpoint::changes_since`].
    fn manifest(
        &self,
        id: SnapshotId,
        each: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader>;

    /// Opens a transaction against this head. Nothing is locked and nothing is visible, but to those
    /// who ask who is at work: they are told the author.
    ///
    /// # Errors
    /// Staging is not possible there.
    fn begin(
        &self,
        base: Option<SnapshotId>,
        transaction: &str,
        author: &str,
    ) -> Outcome<Box<dyn RemoteTransaction>>;

    /// How a transaction ended. Asking settles it: one that was not published never will be.
    ///
    /// # Errors
    /// The repository cannot be asked now.
    fn outcome(&self, transaction: &str) -> Outcome<repository::Outcome>;

    /// Reads files of a snapshot and hands each to `receiver`, several at a time.
    ///
    /// # Errors
    /// Content cannot be read, or what the receiver gives.
    fn fetch(
        &self,
        snapshot: SnapshotId,
        paths: &[RepoPath],
        receiver: &dyn Receive,
        monitor: &Monitor,
    ) -> Outcome<()>;

    /// One snapshot's own changes against its parent, sorted by path. Gives its header.
    ///
    /// # Errors
    /// As [`Endpoint::changes_since`].
    fn delta(
        &self,
        id: SnapshotId,
        each: &mut dyn FnMut(Change) -> Outcome<()>,
    ) -> Outcome<SnapshotHeader>;

    /// Every change of these paths with the snapshot that made it, newest first, until `each` says
    /// `false`: then the rest of that snapshot still comes, and nothing older.
    ///
    /// # Errors
    /// As [`Endpoint::changes_since`].
    fn trace(
        &self,
        which: Traced<'_>,
        each: &mut dyn FnMut(&SnapshotHeader, Change) -> Outcome<bool>,
    ) -> Outcome<()>;

    /// Snapshots whose files can be had, oldest first.
    ///
    /// # Errors
    /// It cannot be reached or read.
    fn kept(&self) -> Outcome<Vec<SnapshotId>>;

    /// What each snapshot's files cost where they are kept, oldest first; none where that is not known.
    ///
    /// # Errors
    /// It cannot be reached or read.
    fn space(&self) -> Outcome<Vec<Space>>;

    /// Removes the files of former snapshots, as far as nobody needs them; their records stay. Without
    /// `really`, only tells what would go.
    ///
    /// # Errors
    /// Somebody is publishing; they cannot be removed.
    fn prune(&self, ids: &[SnapshotId], really: bool) -> Outcome<Pruned>;

    /// How a file of a snapshot begins, or where a link points; `None` if nothing stands there. Not
    /// compared with the manifest: for showing only.
    ///
    /// # Errors
    /// The snapshot's files are not kept, or cannot be read.
    fn glimpse(&self, id: SnapshotId, path: &RepoPath, limit: u64) -> Outcome<Option<Glimpse>>;

    /// Whether the repository's files are what the head says, as far as their stats tell.
    ///
    /// # Errors
    /// [`Code::Drift`](dsg_core::failure::Code::Drift) with the paths; somebody is publishing.
    fn check_drift(&self, monitor: &Monitor) -> Outcome<()>;

    /// Makes what was changed on the host, outside DSG, a snapshot of its own; gives the head,
    /// new or not.
    ///
    /// # Errors
    /// The changed files cannot be read, or somebody is publishing.
    fn adopt_drift(&self, authorship: Authorship, monitor: &Monitor) -> Outcome<SnapshotHeader>;

    /// Prepares the next publish, at leisure.
    ///
    /// # Errors
    /// It could not be prepared; the next publish takes longer.
    fn prepare_next(&self, monitor: &Monitor) -> Outcome<()>;

    /// Proves the history: every header's chain, and with `deep` every manifest. Gives the number
    /// of snapshots and the head.
    ///
    /// # Errors
    /// What does not prove itself.
    fn verify_history(&self, deep: bool, monitor: &Monitor) -> Outcome<(u64, SnapshotHeader)>;

    /// Reads every file of the snapshots that are kept, or of one, and compares it with what was
    /// recorded. What is not the same is in the result.
    ///
    /// # Errors
    /// [`Code::NotFound`](dsg_core::failure::Code::NotFound): the files of that one are not kept;
    /// files may not be read.
    fn verify_contents(&self, only: Option<SnapshotId>, monitor: &Monitor) -> Outcome<Contents>;

    /// Looks again whether it stands where it stood: for whoever keeps an endpoint for long.
    ///
    /// # Errors
    /// As opening it; [`Code::RepoId`]: another one stands there.
    fn look_again(&self) -> Outcome<()>;

    /// Who is at work in it now: first whoever publishes, then whoever stages.
    ///
    /// # Errors
    /// It cannot be reached or looked at.
    fn leases(&self) -> Outcome<Vec<Lease>>;

    /// So many bytes are about to travel: where that is worth it, they take a quicker way.
    fn expect(&self, _bytes: u64) {}

    /// How many questions waited for an answer so far.
    fn round_trips(&self) -> u64;
}

/// The host's side of one transaction.
pub trait RemoteTransaction: Send {
    /// Stages content; gives what is left out, by its place in `uploads`, and why.
    ///
    /// # Errors
    /// Nothing more can be staged: no space, no connection, stopped.
    fn stage(
        &mut self,
        uploads: &[Upload],
        source: &dyn Supply,
        monitor: &Monitor,
    ) -> Outcome<Vec<(usize, Refusal)>>;

    /// The one step that decides.
    ///
    /// # Errors
    /// Nothing changed: the head moved, the tree drifted, somebody else publishes, no space. If
    /// the answer was lost the failure is [`Code::Unreachable`](dsg_core::failure::Code): ask for
    /// the outcome.
    fn publish(
        self: Box<Self>,
        publication: &Publication,
        monitor: &Monitor,
    ) -> Outcome<SnapshotHeader>;

    /// Gives up; what was staged goes, or waits for the next try.
    ///
    /// # Errors
    /// The host cannot be reached; it cleans up by itself later.
    fn abort(self: Box<Self>) -> Outcome<()>;
}

/// Takes fetched content; called from several threads.
pub trait Receive: Sync {
    /// What is here of the content of the `index`-th path asked for.
    fn basis(&self, _index: usize) -> Basis {
        Basis::NOTHING
    }

    /// The chunks of its older version that is here.
    ///
    /// # Errors
    /// They cannot be had; the content comes all the same.
    fn chunks(&self, index: usize) -> Outcome<Chunks> {
        Err(Failure::new(Code::NotFound, format!("There is no older version of file {index}.")))
    }

    /// Takes the content of the `index`-th path asked for, told against what is here of it.
    /// `private`: neither group nor others may read it there.
    ///
    /// # Errors
    /// It could not be kept, or is not what the manifest says.
    fn receive(&self, index: usize, content: Content<'_>, private: bool) -> Outcome<()>;
}

/// A repository that will be asked for in a while: what is needed for that begins already.
pub(crate) struct Coming(Option<Early>);

/// Begins what reaching a repository needs, as far as that asks nobody.
pub(crate) fn coming(address: &Address, monitor: &Monitor) -> Coming {
    match address {
        Address::Local(_) => Coming(None),
        Address::Ssh(there) => Coming(Some(Early::begin(&there.host, monitor))),
    }
}

impl Coming {
    /// Waits for it. Without this nothing is left of it.
    ///
    /// # Errors
    /// Why it cannot be reached, if nobody's answer could change that.
    pub(crate) fn arrived(self) -> Outcome<()> {
        self.0.map_or(Ok(()), Early::arrived)
    }
}

/// Reaches an existing repository.
///
/// # Errors
/// There is none, or it cannot be reached.
pub fn open(address: &Address) -> Outcome<Box<dyn Endpoint>> {
    let opened: Outcome<Box<dyn Endpoint>> = match address {
        Address::Local(path) => local::LocalEndpoint::open(path).map(|it| Box::new(it) as _),
        Address::Ssh(there) => over_ssh(there, Opening::Existing, 0).map(|it| Box::new(it) as _),
    };
    opened.map_err(|failure| earlier(address, failure))
}

/// Asks on nobody's behalf: for answers that are wanted whoever has left.
pub(crate) fn unattended<T>(ask: impl FnOnce() -> T) -> T {
    ssh::attended(std::sync::Arc::new(ssh::Nobody), ask)
}

/// Where a repository of the earlier DSG stands, says how it is adopted.
fn earlier(address: &Address, failure: Failure) -> Failure {
    if failure.code != Code::Legacy {
        return failure;
    }
    let address = shell_word(&address.to_string());
    failure.hint(format!(
        "To see its history and what would be done: dsg adopt {address} --dry-run\nTo take it over, without moving a file: dsg adopt {address}"
    ))
}

/// Prepares a new repository; nothing stands there before its first publish. `plain`: in a folder,
/// also where it could be a ZFS dataset. `bytes`: as many are about to travel.
///
/// # Errors
/// Something stands there already, or the place cannot hold a repository.
pub fn create(address: &Address, plain: bool, bytes: u64) -> Outcome<Box<dyn Endpoint>> {
    let created: Outcome<Box<dyn Endpoint>> = match address {
        Address::Local(path) => {
            local::LocalEndpoint::create(path, plain).map(|it| Box::new(it) as _)
        }
        Address::Ssh(there) => {
            let what = if plain { Opening::NewPlain } else { Opening::New };
            over_ssh(there, what, bytes).map(|it| Box::new(it) as _)
        }
    };
    created.map_err(|failure| earlier(address, failure))
}

/// A repository on a host: behind an agent that rests there, else behind a new one, which is brought
/// where it is missing.
fn over_ssh(there: &SshAddress, what: Opening, bytes: u64) -> Outcome<RemoteEndpoint> {
    let (again, quicker) = (there.host.clone(), there.host.clone());
    let reopen = Reopen {
        again: Box::new(move || agent_on(&again)),
        quicker: Box::new(move || quicker_agent_on(&quicker).ok().flatten()),
    };
    if what == Opening::Existing
        && let Some(rested) = RemoteEndpoint::rested(&there.host, &there.path).transpose()
    {
        return Ok(rested?.reopening(reopen).resting(&there.host));
    }
    // Nobody but the agent that prepares a repository has it until its first publish.
    let quicker = if bytes >= MUCH { quicker_agent_on(&there.host)? } else { None };
    let over = |stream| RemoteEndpoint::over(stream, &there.path, what);
    let opened = match quicker.map(over) {
        // Only the way was lost.
        None => over(agent_on(&there.host)?),
        Some(Err(failure)) if matches!(failure.code, Code::Unreachable | Code::Protocol) => {
            over(agent_on(&there.host)?)
        }
        Some(opened) => opened,
    };
    let opened = match opened {
        Err(failure) if failure.code == Code::OtherAgent && bring_agent_on(&there.host)? => {
            over(agent_on(&there.host)?)
        }
        opened => opened,
    };
    let opened = opened?.reopening(reopen);
    // One that prepares a repository holds it for itself.
    Ok(if what == Opening::Existing { opened.resting(&there.host) } else { opened })
}

/// Ends what is kept of a host that nobody uses any more: agents that rest there, and the login.
pub fn hang_up(host: &SshHost) {
    remote::dismiss(Some(host));
    ssh::hang_up(host);
}

/// The same of all hosts: before the process ends.
pub fn hang_up_all() {
    remote::dismiss(None);
    ssh::hang_up_all();
}

/// An upload of a file as the plan saw it.
pub(crate) fn upload(file: FileEntry, private: bool) -> Upload {
    Upload { file, private }
}

/// The failure for content that is not what it should be.
pub(crate) fn mismatch(path: &RepoPath, snapshot: SnapshotId) -> Failure {
    Failure::new(
        dsg_core::failure::Code::HashMismatch,
        format!("{path} in the repository is not what {snapshot} recorded: its content was changed on the host."),
    )
    .hint("Run dsg sync --allow drift to take the host's version as a snapshot of its own.")
    .about([path.to_string()])
}
