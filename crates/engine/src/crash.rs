//! The places at which a sync can be cut off on the project's side; every one is tested.

use dsg_fs::crash::CrashPoint;

/// `.dsg` exists, the scan has not begun.
pub const CREATED: CrashPoint = CrashPoint("engine.created");
/// The folder is scanned and the plan stands.
pub const PLANNED: CrashPoint = CrashPoint("engine.planned");
/// Some content that comes here is staged.
pub const RECEIVING: CrashPoint = CrashPoint("engine.receiving");
/// All content is staged on both sides, not yet durable.
pub const STAGED: CrashPoint = CrashPoint("engine.staged");
/// The record is sealed.
pub const SEALED: CrashPoint = CrashPoint("engine.sealed");
/// The repository published, nothing is settled.
pub const PUBLISHED: CrashPoint = CrashPoint("engine.published");
/// A step of settling is about to be taken.
pub const STEP: CrashPoint = CrashPoint("engine.step");
/// What came out of a swap was not looked at yet.
pub const SWAPPED: CrashPoint = CrashPoint("engine.swapped");
/// What came out was looked at, and is not in the trash yet.
pub const INSPECTED: CrashPoint = CrashPoint("engine.inspected");
/// All steps are taken, the index does not know.
pub const STEPPED: CrashPoint = CrashPoint("engine.stepped");
/// All is durable, the record stands.
pub const DURABLE: CrashPoint = CrashPoint("engine.durable");
/// The record is gone, staging is not cleaned.
pub const SETTLED: CrashPoint = CrashPoint("engine.settled");

/// All of them.
pub const ALL: &[CrashPoint] = &[
    CREATED, PLANNED, RECEIVING, STAGED, SEALED, PUBLISHED, STEP, SWAPPED, INSPECTED, STEPPED,
    DURABLE, SETTLED,
];
