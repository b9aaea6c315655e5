//! Values that the tests of both outputs show.

use dsg_core::config::SharedConfig;
use dsg_core::entry::{Entry, FileEntry, Hash, LinkTarget, Mtime};
use dsg_core::manifest::Totals;
use dsg_core::path::RepoPath;
use dsg_core::repository::Space;
use dsg_core::snapshot::{Authorship, DeltaCounts, SYNC_FORMAT, SnapshotHeader, SnapshotId};
use dsg_core::state::State;
use dsg_engine::report::{Counts, PruneReport, Reach, Sizes, Status, StatusChange, SyncReport};

use crate::answer::Answer;

pub(crate) fn sn(number: u64) -> SnapshotId {
    SnapshotId::new(number).unwrap()
}

fn change(path: &str, state: State, action: &'static str, size: u64) -> StatusChange {
    StatusChange {
        path: path.into(),
        old_path: None,
        state,
        action,
        size: Some(size),
        sizes: Sizes::default(),
        mtime: None,
        decidable: action == "conflict",
        untracked: false,
        reason: None,
        resolution: None,
        legal_name: None,
        seen: None,
    }
}

pub(crate) fn status() -> Status {
    let changes = vec![
        change("input/a.csv", State::LcrCEqR, "upload", 1234),
        change("input/both agree", State::LrEq, "cache", 7),
        change("input/gone.csv", State::LcEq, "delete_local", 50_000),
        StatusChange {
            reason: Some("Permission was refused.".into()),
            ..change("input/locked", State::LcrAllEq, "blocked", 0)
        },
        StatusChange {
            old_path: Some("input/old.csv".into()),
            ..change("input/new.csv", State::L, "move_remote", 10)
        },
        change("output/my notes.txt", State::LcrAllNe, "conflict", 88),
        change("output/theirs.csv", State::R, "download", 3_400_000),
    ];
    Status {
        project: "/home/ann/p1".into(),
        address: "/data/repo1".parse().unwrap(),
        repository: None,
        head: Some(sn(4)),
        last_sync: Some(sn(3)),
        reach: Reach::Asked,
        at_work: Vec::new(),
        standing: None,
        drift: Vec::new(),
        unsettled: None,
        config_pending: false,
        counts: Counts::of(&changes),
        changes,
    }
}

pub(crate) fn report() -> SyncReport {
    SyncReport {
        snapshot: Some(sn(5)),
        uploaded: 1,
        downloaded: 2,
        deleted_local: 1,
        moved: 1,
        bytes_sent: 1234,
        bytes_received: 3_400_000,
        round_trips: 4,
        seconds: 0.31,
        conflicts: vec!["output/my notes.txt".into()],
        skipped: vec![("input/x".into(), "it is being written".into())],
        ..SyncReport::default()
    }
}

pub(crate) fn header() -> SnapshotHeader {
    SnapshotHeader {
        format: SYNC_FORMAT,
        repository: "01890000-0000-7000-8000-000000000000".into(),
        id: sn(4),
        parent: Some(sn(3)),
        authorship: Authorship {
            author: "ann@example.org".into(),
            message: "new survey wave\n\nwith the late answers".into(),
            time: "2026-03-01T10:20:00Z".parse().unwrap(),
            transaction: "01890000-0000-7000-8000-000000000001".into(),
        },
        config: SharedConfig::new("p"),
        totals: Totals { entries: 12, bytes: 5_000_000 },
        delta: DeltaCounts { added: 2, changed: 1, deleted: 0 },
        manifest: Hash::of(b"m"),
        delta_sha256: Hash::of(b"d"),
        legacy: None,
        chain: Hash::of(b"c"),
    }
}

pub(crate) fn file(size: u64) -> Entry {
    Entry::File(FileEntry {
        size,
        mtime: Mtime(1_767_225_600_000_000_000),
        exec: false,
        hash: Hash::of(b"a"),
    })
}

pub(crate) fn files() -> Answer {
    let link: RepoPath = "input/latest".parse().unwrap();
    let target = LinkTarget::parse(&link, "a.csv").unwrap();
    Answer::Files {
        snapshot: Some(sn(4)),
        files: vec![("input/a.csv".parse().unwrap(), file(1234)), (link, Entry::Link(target))],
    }
}

pub(crate) fn log() -> Answer {
    let space = Space { snapshot: sn(4), used: 1024, written: 2048, refer: 4096 };
    Answer::Log { headers: vec![header()], space: vec![space] }
}

pub(crate) fn pruned(removed: bool) -> Answer {
    let stays = vec![(sn(2), "it is held on the host (zfs holds)".to_owned())];
    Answer::Pruned(PruneReport { removed, kept: 3, gone: vec![header()], stays, freed: 5000 })
}
