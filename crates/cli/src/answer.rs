//! What a use case gave, before it is words or JSON.

use std::path::PathBuf;

use dsg_core::address::{Address, Place};
use dsg_core::entry::Entry;
use dsg_core::failure::Code;
use dsg_core::legacy::Adoption;
use dsg_core::path::RepoPath;
use dsg_core::places::{Around, Listed, Step};
use dsg_core::plan::Resolution;
use dsg_core::repository::Space;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_engine::report::{
    ChainCheck, CleanReport, CopyState, Difference, FileCheck, PathVersion, PruneReport,
    RestoreReport, SnapshotCheck, Status, SyncReport,
};
use dsg_engine::transport::ssh::UnknownHost;
use dsg_engine::validate::{Examined, Migration};

/// What a use case gave.
#[derive(Debug)]
pub(crate) enum Answer {
    /// `init`.
    Made(Setup),
    /// `clone`.
    Cloned(Setup),
    /// `clone --attach`.
    Attached(Setup),
    /// `status`.
    Status(Box<Status>),
    /// `sync`.
    Synced(SyncReport),
    /// `sync --dry-run`.
    WouldSync(SyncReport),
    /// `resolve`.
    Resolved {
        /// The paths decided.
        paths: Vec<String>,
        /// How.
        resolution: Resolution,
    },
    /// `log`.
    Log {
        /// Newest first.
        headers: Vec<SnapshotHeader>,
        /// What they cost, where that is known.
        space: Vec<Space>,
    },
    /// `diff`.
    Diff {
        /// From this snapshot; none: the head.
        from: Option<SnapshotId>,
        /// To this one; none: the folder.
        to: Option<SnapshotId>,
        /// What differs.
        differences: Vec<Difference>,
    },
    /// `blame`.
    Versions {
        /// Of this path.
        path: String,
        /// Newest first.
        versions: Vec<PathVersion>,
    },
    /// `restore`, `snapfetch`.
    Restored {
        /// From this snapshot.
        snapshot: SnapshotId,
        /// What came of it.
        report: RestoreReport,
        /// Nothing was done yet.
        dry_run: bool,
        /// What came back waits for the next sync.
        pending: bool,
    },
    /// `list-files`.
    Files {
        /// Of this snapshot; none: the head.
        snapshot: Option<SnapshotId>,
        /// What it holds.
        files: Vec<(RepoPath, Entry)>,
    },
    /// `validate-config`.
    Configs(Vec<Examined>),
    /// `validate-config --fix-legacy`.
    Migrated {
        /// What changes; none if nothing has to.
        migration: Option<Migration>,
        /// Where the old file is now; none: nothing was written yet.
        kept: Option<PathBuf>,
    },
    /// `validate-file`.
    File(FileCheck),
    /// `validate-snapshot`.
    Snapshot(SnapshotCheck),
    /// `validate-chain`.
    Chain(ChainCheck),
    /// `clean`.
    Clean(CleanReport),
    /// `prune`.
    Pruned(PruneReport),
    /// `prepare`.
    Prepared,
    /// `trust`.
    Trusted {
        /// The host, as it showed itself.
        host: UnknownHost,
        /// Where it was written down; none: it was known already.
        file: Option<PathBuf>,
    },
    /// `doctor`.
    Examined {
        /// Of this repository.
        address: Address,
        /// Each step, up to the first that failed.
        findings: Vec<Step>,
    },
    /// `list-repos`.
    Repositories {
        /// Looked for here.
        place: Place,
        /// The folder that this was.
        around: Around,
        /// What was found.
        found: Vec<Listed>,
    },
    /// `adopt`.
    Adopted {
        /// This repository.
        address: Address,
        /// What was done, or would be.
        adoption: Box<Adoption>,
    },
    /// Text that was asked for as such.
    Text(String),
}

/// What `init` and `clone` made.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The project's root.
    pub(crate) project: PathBuf,
    /// The repository.
    pub(crate) repository: Address,
    /// What was synced at that.
    pub(crate) report: SyncReport,
}

/// How the process shall end, when nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Well.
    Done,
    /// Well, but conflicts wait.
    ConflictsPending,
    /// A file is not what it should be.
    Mismatch,
    /// As this failure does, which the answer tells of.
    As(Code),
}

impl Answer {
    /// How the process shall end.
    pub(crate) fn ended(&self) -> Ended {
        match self {
            Self::Synced(report) | Self::WouldSync(report) if !report.conflicts.is_empty() => {
                Ended::ConflictsPending
            }
            Self::Attached(setup) if !setup.report.conflicts.is_empty() => Ended::ConflictsPending,
            Self::File(check) if !is_same(&check.local) || !is_same(&check.repository) => {
                Ended::Mismatch
            }
            Self::Configs(files) if files.iter().any(|file| !file.mistakes.is_empty()) => {
                Ended::As(Code::Config)
            }
            Self::Configs(files) if !files.iter().any(Examined::is_a_projects) => {
                Ended::As(Code::NotAProject)
            }
            Self::Examined { findings, .. } => findings
                .iter()
                .find_map(|finding| finding.found.as_ref().err())
                .map_or(Ended::Done, |trouble| Ended::As(trouble.kind())),
            // What the adoption itself would say.
            Self::Adopted { adoption, .. }
                if adoption.adopted.is_none() && adoption.deviating > 0 =>
            {
                Ended::As(Code::Drift)
            }
            _ => Ended::Done,
        }
    }

    /// Whether it is what was asked for, and so is printed even when few words are wanted.
    pub(crate) fn is_the_point(&self) -> bool {
        !matches!(
            self,
            Self::Made(_)
                | Self::Cloned(_)
                | Self::Attached(_)
                | Self::Synced(_)
                | Self::Resolved { .. }
                | Self::Restored { dry_run: false, .. }
                | Self::Prepared
        )
    }
}

/// Whether a copy is what its manifest says.
pub(crate) fn is_same(copy: &CopyState) -> bool {
    matches!(copy, CopyState::Same)
}
