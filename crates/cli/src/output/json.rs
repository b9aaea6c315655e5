//! One JSON document for each answer. The keys are a contract with scripts: they are added to, never
//! renamed.

use dsg_core::address::{Address, Place};
use dsg_core::config::{Format, Mistake};
use dsg_core::entry::Entry;
use dsg_core::failure::Failure;
use dsg_core::legacy::{Adoption, Deviation, Oddity, Past};
use dsg_core::places::{Listed, Step};
use dsg_core::plan::Resolution;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_engine::report::{
    ChainCheck, CleanReport, ContentCheck, CopyState, Counts, Difference, DifferenceKind,
    FileCheck, PathVersion, PruneReport, Reach, RestoreReport, Status, StatusChange, SyncReport,
};
use dsg_engine::validate::Examined;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Setup, is_same};

/// The answer's document, with a line end.
pub(crate) fn document(answer: &Answer) -> String {
    line(&match answer {
        Answer::Made(setup) | Answer::Cloned(setup) | Answer::Attached(setup) => self::setup(setup),
        Answer::Status(status) => self::status(status),
        Answer::Synced(report) => sync(report),
        Answer::WouldSync(report) => with(sync(report), [("dry_run", json!(true))]),
        Answer::Resolved { paths, resolution } => {
            json!({"resolved": paths, "resolution": how(*resolution)})
        }
        Answer::Log { headers, space } => {
            let one = |h: &SnapshotHeader| {
                let cost = space.iter().find(|s| s.snapshot == h.id);
                let cost =
                    cost.map(|s| json!({"used": s.used, "written": s.written, "refer": s.refer}));
                with(header(h), cost.map(|cost| ("space", cost)))
            };
            json!({"snapshots": headers.iter().map(one).collect::<Vec<_>>()})
        }
        Answer::Diff { from, to, differences } => json!({
            "from": id(*from), "to": id(*to), "differences": differences.iter().map(difference).collect::<Vec<_>>(),
        }),
        Answer::Versions { path, versions } => {
            let versions: Vec<_> = versions.iter().map(version).collect();
            json!({"path": path, "versions": versions})
        }
        Answer::Restored { snapshot, report, dry_run, .. } => {
            let restored = restored(*snapshot, report);
            if *dry_run { with(restored, [("dry_run", json!(true))]) } else { restored }
        }
        Answer::Files { snapshot, files } => {
            let files: Vec<_> = files
                .iter()
                .map(|(path, entry)| with(json!({"path": path.as_str()}), members(entry)))
                .collect();
            json!({"snapshot": id(*snapshot), "files": files})
        }
        Answer::Configs(files) => json!({
            "valid": files.iter().all(|file| file.mistakes.is_empty()),
            "files": files.iter().map(examined).collect::<Vec<_>>(),
        }),
        Answer::Migrated { migration, kept } => json!({
            "changes": migration.is_some(), "written": kept.is_some(),
            "file": migration.as_ref().map(|m| m.to.display().to_string()),
            "kept": kept.as_ref().map(|kept| kept.display().to_string()),
            "old": migration.as_ref().map(|m| &m.old), "new": migration.as_ref().map(|m| &m.new),
        }),
        Answer::File(check) => file(check),
        Answer::Snapshot(check) => with(
            json!({
                "snapshot": check.snapshot.to_string(), "chain": check.chain.to_string(),
                "entries": check.entries, "valid": true,
            }),
            contents(check.contents.as_ref()),
        ),
        Answer::Chain(check) => chain(check),
        Answer::Clean(report) => clean(report),
        Answer::Pruned(report) => pruned(report),
        Answer::Prepared => json!({"prepared": true}),
        Answer::Trusted { host, file } => json!({
            "host": host.name, "kind": host.kind, "fingerprint": host.fingerprint,
            "known_hosts": file.as_ref().map(|f| f.display().to_string()),
        }),
        Answer::Examined { address, findings } => json!({
            "repository": address.to_string(),
            "steps": findings.iter().map(finding).collect::<Vec<_>>(),
        }),
        Answer::Repositories { place, around, found } => json!({
            "place": place.address_of(&around.path), "complete": around.complete,
            "repositories": found.iter().map(|one| repository(place, one)).collect::<Vec<_>>(),
        }),
        Answer::Adopted { address, adoption } => adopted(address, adoption),
        Answer::Text(text) => json!({"text": text}),
    })
}

/// The document of an error.
pub(crate) fn failure(failure: &Failure) -> String {
    let mut error =
        json!({"code": failure.code.as_str(), "message": failure.message, "hint": failure.hint});
    if let (Some(detail), Value::Object(error)) = (failure.detail(), &mut error) {
        error.insert("detail".into(), json!(detail));
    }
    let mut document = json!({ "error": error });
    if !failure.paths.is_empty() {
        document = with(document, [("paths", json!(failure.paths))]);
    }
    line(&document)
}

fn adopted(address: &Address, adoption: &Adoption) -> Value {
    let past = |one: &Past| {
        json!({
            "id": one.id.to_string(), "author": one.author, "message": one.message,
            "time": one.time.to_string(), "entries": one.totals.entries, "bytes": one.totals.bytes,
            "list": one.list,
        })
    };
    let deviation = |one: &Deviation| {
        let (what, why) = match &one.what {
            Oddity::Untrackable(why) => ("untrackable", Some(why)),
            Oddity::Unusable(why) => ("unusable", Some(why)),
            Oddity::Unfinished(why) => ("unfinished", Some(why)),
            Oddity::Missing => ("missing", None),
            Oddity::Changed => ("changed", None),
            Oddity::Added => ("added", None),
            Oddity::NoList => ("no-list", None),
            Oddity::Unproven => ("unproven", None),
        };
        json!({"path": one.path, "what": what, "why": why})
    };
    json!({
        "repository": address.to_string(), "name": adoption.name,
        "snapshot": adoption.adopted.as_ref().map(|header| header.id.to_string()),
        "dry_run": adoption.adopted.is_none(), "snapshots": adoption.snapshots,
        "history": adoption.history.iter().map(past).collect::<Vec<_>>(),
        "entries": adoption.totals.entries, "bytes": adoption.totals.bytes,
        "deviating": adoption.deviating,
        "deviations": adoption.deviations.iter().map(deviation).collect::<Vec<_>>(),
        "left_out": adoption.left_out,
    })
}

fn examined(file: &Examined) -> Value {
    let list = |all: &[Mistake]| -> Vec<Value> {
        let one = |Mistake { place, what, mend }: &Mistake| {
            json!({
                "line": place.line, "column": place.column, "length": place.length,
                "message": what, "mend": mend,
            })
        };
        all.iter().map(one).collect()
    };
    json!({
        "path": file.path.display().to_string(), "format": file.format.map(Format::as_str),
        "repository": file.repository.as_ref().map(ToString::to_string),
        "errors": list(&file.mistakes), "notes": list(&file.notes),
    })
}

fn repository(place: &Place, listed: &Listed) -> Value {
    let head = listed.head.as_deref();
    let by = head.map(|head| &head.authorship);
    let guarantee = listed.info.as_ref().map(|info| {
        json!({
            "store": info.store, "access": info.access,
            "atomic": info.capabilities.atomic_publish,
            "history": info.capabilities.history, "locking": info.capabilities.locking,
        })
    });
    let error = listed.trouble.as_ref().map(
        |trouble| json!({"code": trouble.code, "message": trouble.message, "hint": trouble.hint}),
    );
    json!({
        "address": place.address_of(&listed.path), "id": listed.info.as_ref().map(|info| &info.id),
        "name": head.map(|head| &head.config.name), "head": id(head.map(|head| head.id)),
        "author": by.map(|by| &by.author), "time": by.map(|by| by.time.to_string()),
        "message": by.map(|by| &by.message), "files": head.map(|head| head.totals.entries),
        "bytes": head.map(|head| head.totals.bytes), "guarantee": guarantee, "error": error,
    })
}

fn finding(finding: &Step) -> Value {
    match &finding.found {
        Ok(found) => json!({"step": finding.name, "ok": true, "found": found}),
        Err(trouble) => json!({
            "step": finding.name, "ok": false, "code": trouble.code,
            "message": trouble.message, "hint": trouble.hint,
        }),
    }
}

fn line(document: &Value) -> String {
    format!("{document}\n")
}

fn with<'a>(mut value: Value, members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    if let Value::Object(object) = &mut value {
        object.extend(members.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }
    value
}

fn id(snapshot: Option<SnapshotId>) -> Value {
    snapshot.map_or(Value::Null, |s| json!(s.to_string()))
}

fn setup(setup: &Setup) -> Value {
    let place = json!({"project": setup.project.display().to_string(), "repository": setup.repository.to_string()});
    let Value::Object(report) = sync(&setup.report) else { return place };
    with(place, report.iter().map(|(key, value)| (key.as_str(), value.clone())))
}

fn status(status: &Status) -> Value {
    let mut document = json!({
        "project": status.project.display().to_string(),
        "repository": status.address.to_string(),
        "head": id(status.head),
        "last_sync": id(status.last_sync),
        "reachable": status.reach.is_ok(),
        "counts": counts(&status.counts),
        "changes": status.changes.iter().map(change).collect::<Vec<_>>(),
    });
    if let Some(why) = status.reach.why() {
        document = with(document, [("unreachable", json!(why))]);
    }
    if let Reach::Failed(failure) = &status.reach {
        let code = json!(failure.code.as_str());
        document = with(document, [("unreachable_code", code), ("hint", json!(failure.hint))]);
    }
    if !status.at_work.is_empty() {
        document = with(document, [("at_work", json!(status.at_work))]);
    }
    if let Some(standing) = &status.standing {
        document = with(document, [("standing", json!(standing))]);
    }
    if !status.drift.is_empty() {
        document = with(document, [("drift", json!(status.drift))]);
    }
    if let Some(why) = &status.unsettled {
        document = with(document, [("unsettled", json!(why))]);
    }
    if status.config_pending {
        document = with(document, [("config_pending", json!(true))]);
    }
    document
}

fn counts(counts: &Counts) -> Value {
    json!({
        "upload": counts.upload, "download": counts.download, "delete_local": counts.delete_local,
        "delete_remote": counts.delete_remote, "move": counts.moved, "cache": counts.cache,
        "conflict": counts.conflict, "blocked": counts.blocked,
    })
}

fn change(change: &StatusChange) -> Value {
    let document = json!({
        "path": change.path, "state": change.state.as_str(), "action": change.action, "size": change.size,
    });
    let optional = [
        ("old_path", change.old_path.as_ref().map(|p| json!(p))),
        ("reason", change.reason.as_ref().map(|r| json!(r))),
        ("resolution", change.resolution.map(|r| json!(how(r)))),
        ("legal_name", change.legal_name.as_ref().map(|n| json!(n))),
    ];
    with(document, optional.into_iter().filter_map(|(key, value)| Some((key, value?))))
}

fn sync(report: &SyncReport) -> Value {
    let skipped: Vec<_> = report
        .skipped
        .iter()
        .map(|(path, reason)| json!({"path": path, "reason": reason}))
        .collect();
    let renamed: Vec<_> =
        report.renamed.iter().map(|(from, to)| json!({"from": from, "to": to})).collect();
    json!({
        "snapshot": id(report.snapshot),
        "uploaded": report.uploaded,
        "downloaded": report.downloaded,
        "deleted_local": report.deleted_local,
        "deleted_remote": report.deleted_remote,
        "moved": report.moved,
        "bytes_sent": report.bytes_sent,
        "bytes_received": report.bytes_received,
        "round_trips": report.round_trips,
        "seconds": report.seconds,
        "conflicts": report.conflicts,
        "skipped": skipped,
        "renamed": renamed,
    })
}

fn version(version: &PathVersion) -> Value {
    let header = &version.header;
    json!({
        "snapshot": header.id.to_string(), "until": version.until.to_string(),
        "author": header.authorship.author, "message": header.authorship.message,
        "time": header.authorship.time.to_string(),
        "deleted": version.entry.is_none(), "entry": version.entry.as_ref().map(entry),
    })
}

fn restored(snapshot: SnapshotId, report: &RestoreReport) -> Value {
    let skipped: Vec<_> = report
        .skipped
        .iter()
        .map(|(path, reason)| json!({"path": path, "reason": reason}))
        .collect();
    json!({
        "snapshot": snapshot.to_string(), "folder": report.folder.display().to_string(),
        "added": report.added, "replaced": report.replaced, "deleted": report.deleted,
        "unchanged": report.unchanged, "bytes": report.bytes, "skipped": skipped,
    })
}

fn how(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Local => "local",
        Resolution::Remote => "remote",
        Resolution::Cached => "cached",
        Resolution::Both => "both",
    }
}

fn header(header: &SnapshotHeader) -> Value {
    let legacy = header.legacy.map(|list| ("legacy", json!({"list": list})));
    let bare = json!({
        "id": header.id.to_string(), "parent": id(header.parent), "author": header.authorship.author,
        "message": header.authorship.message, "time": header.authorship.time.to_string(),
        "transaction": header.authorship.transaction, "entries": header.totals.entries, "bytes": header.totals.bytes,
        "added": header.delta.added, "changed": header.delta.changed, "deleted": header.delta.deleted,
        "manifest": header.manifest.to_string(), "chain": header.chain.to_string(),
    });
    with(bare, legacy)
}

fn members(entry: &Entry) -> Vec<(&'static str, Value)> {
    match entry {
        Entry::File(file) => vec![
            ("type", json!("file")),
            ("size", json!(file.size)),
            ("mtime_ns", json!(file.mtime.0)),
            ("exec", json!(file.exec)),
            match file.hash.xxh3() {
                None => ("hash", json!(file.hash.to_string())),
                // Of the earlier DSG, and its content is gone.
                Some(sum) => ("xxh3", json!(format!("{sum:016x}"))),
            },
        ],
        Entry::Link(target) => vec![("type", json!("link")), ("target", json!(target.as_str()))],
    }
}

fn entry(entry: &Entry) -> Value {
    with(Value::Object(Map::new()), members(entry))
}

fn difference(difference: &Difference) -> Value {
    let kind = match difference.kind {
        DifferenceKind::Added => "added",
        DifferenceKind::Changed => "changed",
        DifferenceKind::Deleted => "deleted",
        DifferenceKind::Moved => "moved",
    };
    let document = json!({
        "path": difference.path, "kind": kind,
        "before": difference.before.as_ref().map(entry), "after": difference.after.as_ref().map(entry),
    });
    with(document, difference.old_path.as_ref().map(|p| ("old_path", json!(p))))
}

fn file(check: &FileCheck) -> Value {
    let copy = |copy: &CopyState| match copy {
        CopyState::Same => json!({"state": "same"}),
        CopyState::Missing => json!({"state": "missing"}),
        CopyState::OtherMode => json!({"state": "other_mode"}),
        CopyState::Different(hash) => json!({"state": "different", "hash": hash.to_string()}),
    };
    json!({
        "path": check.path, "snapshot": check.snapshot.to_string(), "expected": entry(&check.expected),
        "local": copy(&check.local), "repository": copy(&check.repository),
        "valid": is_same(&check.local) && is_same(&check.repository),
    })
}

fn chain(check: &ChainCheck) -> Value {
    let document = json!({
        "snapshots": check.snapshots, "head": check.head.to_string(), "chain": check.chain.to_string(),
        "valid": true,
    });
    let legacy = check.legacy.map(|last| ("legacy", json!(last.to_string())));
    with(with(document, legacy), contents(check.contents.as_ref()))
}

/// What was read of the files.
fn contents(check: Option<&ContentCheck>) -> Vec<(&'static str, Value)> {
    let deep = ("deep", json!(check.is_some()));
    let Some(check) = check else { return vec![deep] };
    let kept: Vec<_> = check.snapshots.iter().map(ToString::to_string).collect();
    vec![
        deep,
        ("files_of", json!(kept)),
        ("files", json!(check.files)),
        ("bytes_read", json!(check.bytes)),
        ("gone", json!(check.gone)),
    ]
}

fn clean(report: &CleanReport) -> Value {
    let items = report
        .items
        .iter()
        .map(|i| json!({"path": i.path, "what": i.what, "files": i.files, "bytes": i.bytes}));
    json!({"removed": report.removed, "items": items.collect::<Vec<_>>()})
}

fn pruned(report: &PruneReport) -> Value {
    let stays = report.stays.iter();
    let stays = stays.map(|(id, why)| json!({"snapshot": id.to_string(), "reason": why}));
    json!({
        "removed": report.removed, "freed": report.freed, "kept": report.kept,
        "snapshots": report.gone.iter().map(|h| h.id.to_string()).collect::<Vec<_>>(),
        "stays": stays.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use dsg_core::failure::Code;

    use super::*;
    use crate::output::samples;

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    fn read(text: &str) -> Value {
        assert_eq!(text.lines().count(), 1);
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn status_has_the_contracts_keys() {
        let document = read(&document(&Answer::Status(Box::new(samples::status()))));
        assert_eq!(
            keys(&document)[..7],
            ["project", "repository", "head", "last_sync", "reachable", "counts", "changes"]
        );
        assert_eq!(
            keys(&document["counts"]),
            [
                "upload",
                "download",
                "delete_local",
                "delete_remote",
                "move",
                "cache",
                "conflict",
                "blocked"
            ]
        );
        let of = |path: &str| {
            document["changes"]
                .as_array()
                .unwrap()
                .iter()
                .find(|c| c["path"] == path)
                .unwrap()
                .clone()
        };
        assert_eq!(
            of("input/a.csv"),
            json!({"path": "input/a.csv", "state": "LCR.C_eq_R", "action": "upload", "size": 1234})
        );
        assert_eq!(of("input/new.csv")["old_path"], "input/old.csv");
        assert!(of("input/locked").get("reason").is_some());
    }

    #[test]
    fn sync_has_the_contracts_keys() {
        let document = read(&document(&Answer::Synced(samples::report())));
        let contract = [
            "snapshot",
            "uploaded",
            "downloaded",
            "deleted_local",
            "deleted_remote",
            "moved",
            "bytes_sent",
            "bytes_received",
            "round_trips",
            "seconds",
            "conflicts",
            "skipped",
        ];
        assert_eq!(keys(&document)[..contract.len()], contract);
        assert_eq!(document["snapshot"], "s5");
        assert_eq!(
            document["skipped"],
            json!([{"path": "input/x", "reason": "it is being written"}])
        );
        let nothing = read(&self::document(&Answer::Synced(SyncReport::default())));
        assert_eq!(nothing["snapshot"], Value::Null);
    }

    #[test]
    fn errors_have_one_shape_and_name_their_paths() {
        let plain = read(&failure(&Failure::new(Code::Locked, "Busy.").hint("Wait.")));
        assert_eq!(
            plain,
            json!({"error": {"code": "locked", "message": "Busy.", "hint": "Wait."}})
        );
        let named = read(&failure(&Failure::new(Code::Conflicts, "Two.").about(["a", "b"])));
        assert_eq!(named["paths"], json!(["a", "b"]));
    }

    #[test]
    fn history_is_told_with_plain_values() {
        let log = read(&document(&samples::log()));
        let space = json!({"used": 1024, "written": 2048, "refer": 4096});
        assert_eq!(log["snapshots"][0]["space"], space);
        let bare = Answer::Log { headers: vec![samples::header()], space: Vec::new() };
        assert_eq!(read(&document(&bare))["snapshots"][0].get("space"), None);
        let pruned = read(&document(&samples::pruned(false)));
        let expected = json!({
            "removed": false, "freed": 5000, "kept": 3, "snapshots": ["s4"],
            "stays": [{"snapshot": "s2", "reason": "it is held on the host (zfs holds)"}],
        });
        assert_eq!(pruned, expected);
        assert_eq!(log["snapshots"][0]["id"], "s4");
        assert_eq!(log["snapshots"][0]["time"], "2026-03-01T10:20:00Z");
        let files = read(&document(&samples::files()));
        assert_eq!(files["files"][0]["type"], "file");
        assert_eq!(
            files["files"][1],
            json!({"path": "input/latest", "type": "link", "target": "a.csv"})
        );
    }
}
