//! The places between two durable steps of a host transaction, where tests end the process.

use dsg_fs::crash::CrashPoint;

macro_rules! points {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        $($(#[$doc])* pub const $name: CrashPoint = CrashPoint($text);)*

        /// Every point of this crate.
        pub const ALL: &[CrashPoint] = &[$($name,)*];
    };
}

pub(crate) use points;

points! {
    /// The new sidecar exists, without facts.
    INIT_SIDECAR = "host.init.sidecar",
    /// The facts of a repository that is not published yet are written.
    INIT_FACTS = "host.init.facts",
    /// A staging area exists.
    BEGUN = "host.begun",
    /// One object is staged.
    STAGED = "host.staged",
    /// The repository is locked for a publish.
    LOCKED = "host.locked",
    /// The tree prepared in advance was taken.
    PRESTAGE_TAKEN = "host.prestage-taken",
    /// The copy of the live tree is built.
    BUILT = "host.built",
    /// The live tree was compared with what was recorded.
    CHECKED = "host.checked",
    /// The new list of all files is written.
    LISTED = "host.listed",
    /// The snapshot's record is written, and durable.
    RECORD_WRITTEN = "host.record-written",
    /// Copies and moves wait, their places are not taken yet.
    COPIED = "host.copied",
    /// The changes are applied to the staging tree.
    APPLIED = "host.applied",
    /// The staging tree is durable.
    TREE_DURABLE = "host.tree-durable",
    /// The intent to publish is durable.
    JOURNALED = "host.journaled",
    /// Without an exchange: the live tree stepped aside, the new one is not there yet.
    STEPPED_ASIDE = "host.stepped-aside",
    /// The live tree is the new one.
    EXCHANGED = "host.exchanged",
    /// That is durable.
    PARENTS_DURABLE = "host.parents-durable",
    /// The record stands in the history.
    ROLLED_RECORD = "host.rolled.record",
    /// The facts of a first publish are in force.
    ROLLED_FACTS = "host.rolled.facts",
    /// The outcome is written.
    ROLLED_OUTCOME = "host.rolled.outcome",
    /// Late writers' changes were brought into the live tree.
    ROLLED_LATE = "host.rolled.late",
    /// The former tree stands among the snapshots' trees.
    ROLLED_FORMER = "host.rolled.former",
    /// The new stats are in force.
    ROLLED_STATS = "host.rolled.stats",
    /// The new manifest is in force.
    ROLLED_MANIFEST = "host.rolled.manifest",
    /// Which inode is the live root is written.
    ROLLED_ROOT = "host.rolled.root",
    /// The journal is gone.
    ROLLED_JOURNAL = "host.rolled.journal",
    /// The staging area is gone.
    ROLLED_STAGING = "host.rolled.staging",
    /// A checkpoint is written.
    CHECKPOINTED = "host.checkpointed",
    /// Drift is hashed, the former tree is kept.
    ADOPT_PREPARED = "host.adopt.prepared",
    /// One record of the earlier DSG stands among those of a repository that is none yet.
    LEGACY_RECORDED = "host.legacy.recorded",
    /// All that the adoption of the earlier DSG's repository takes is durable.
    LEGACY_PREPARED = "host.legacy.prepared",
    /// A tree is being prepared in advance.
    PRESTAGE_BUILT = "host.prestage.built",
    /// Its stats are recorded, it is not marked as ready yet.
    PRESTAGE_RECORDED = "host.prestage.recorded",
    /// Former trees are being removed.
    PRUNED = "host.pruned",
}
