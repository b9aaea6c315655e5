//! 1,000,000 files: what a person waits for in a large project.

use std::process::Command;
use std::time::Instant;

use crate::inside::change;
use crate::measure::{Contender, Row, compare};
use crate::report::Report;
use crate::small::{DURABLE_COPY, Set, unchanged};
use crate::{Run, Tried, data};

/// The file that is changed each time.
const PATH: &str = "input/d05000/f0050.dat";
/// A copy of so many files takes minutes: one is enough.
const COPIES: usize = 1;
const WATCHED_READY: &str = "dsg sync after one change, watched, prepared";

pub(crate) fn million(run: &Run, report: &mut Report) -> Tried<()> {
    eprintln!("bench: making data set C");
    let set = Set::new(run, "C")?;
    let made = Instant::now();
    data::many(&set.input, &data::C)?;
    data::settle(&set.work, made)?;
    let rows = compare(COPIES, &[set.sha256sum(), set.first_scan()?])?;
    report.group("C: first hash of everything", "sha256sum, two processes", rows);
    let mut copies = compare(COPIES, &[set.init()])?;
    let (ratio, mib) = unchanged(run, &set, "C", report)?;
    report.target(
        "status of 1,000,000 unchanged files ≤ 3 × find",
        ratio <= 3.0,
        &format!("{ratio:.2} ×"),
    );
    report.target("peak memory of that status ≤ 300 MiB", mib <= 300.0, &format!("{mib:.0} MiB"));
    watched(run, &set, report)?;
    one_change(run, &set, report)?;
    let mut contenders = set.copies(false);
    contenders.push(set.clone());
    copies.extend(compare(COPIES, &contenders)?);
    report.group("C: a copy elsewhere", DURABLE_COPY, copies);
    run.done("C");
    Ok(())
}

fn watched(run: &Run, set: &Set, report: &mut Report) -> Tried<()> {
    const NAME: &str = "status after one change that a watcher saw";
    let rows = compare(run.repeats.max(3), &[set.inside(NAME, "status-after", &[PATH])?])?;
    let seconds = rows[0].median();
    report.group("C: status after one change that a watcher saw", NAME, rows);
    report.target(
        "status after one watched change ≤ 100 ms",
        seconds <= 0.1,
        &format!("{:.1} ms", seconds * 1e3),
    );
    Ok(())
}

fn one_change(run: &Run, set: &Set, report: &mut Report) -> Tried<()> {
    let file = set.root.join(PATH);
    let engine = |task: &str| -> Tried<()> {
        let me = std::env::current_exe()?;
        let done = Command::new(me).args(["inside", task]).arg(&set.root).output()?.status;
        if done.success() { Ok(()) } else { Err(format!("{task} ended with {done}").into()) }
    };
    let unready = || {
        if set.work.join(".repo.dsg/prestage/ready.json").exists() {
            // Uses up what the command prepared in the background.
            change(&file)?;
            engine("sync")?;
        }
        change(&file)
    };
    let ready = || {
        engine("prepare")?;
        change(&file)
    };
    let cli = ["sync", "-m", "bench"];
    let contenders = [
        set.inside("the same, not prepared", "sync", &[PATH])?.after(unready),
        set.inside("dsg sync, whole scan, not prepared", "sync", &[])?.after(unready),
        // What the next one needs.
        set.inside("preparing the next publish", "prepare", &[])?,
        set.inside(WATCHED_READY, "sync", &[PATH])?.after(|| change(&file)),
        set.inside("dsg sync, whole scan, prepared", "sync", &[])?.after(ready),
        set.dsg("the command dsg sync, prepared", &cli).after(ready),
        set.dsg("the command dsg sync, not prepared", &cli).after(unready),
        lookup(set),
    ];
    let mut rows = compare(run.repeats, &contenders)?;
    rows.sort_by_key(|row| row.name != WATCHED_READY);
    let seconds = rows[0].median();
    phases(&rows, report);
    report.group("C: sync of one changed file", WATCHED_READY, rows);
    report.target(
        "sync of one changed file, prepared, ≤ 2 s",
        seconds <= 2.0,
        &format!("{seconds:.2} s"),
    );
    let record = newest_record(set)?;
    report.target(
        "its snapshot record has some hundred bytes",
        record < 1500,
        &format!("{record} bytes"),
    );
    Ok(())
}

/// What a sync costs in reading alone: every name of the repository's tree, once.
fn lookup(set: &Set) -> Contender<'_> {
    let line = r#"find "$1" -printf '%s %T@\n' >/dev/null"#;
    Contender::shell("find over the repository's tree", line, &[&set.repo])
}

fn phases(rows: &[Row], report: &mut Report) {
    const KEYS: [&str; 6] =
        ["opening", "comparing", "scanning", "staging", "publishing", "settling"];
    let syncs: Vec<(String, Vec<Option<f64>>)> = rows
        .iter()
        .filter(|row| row.told("publishing").is_some())
        .map(|row| (row.name.clone(), KEYS.map(|key| row.told(key)).to_vec()))
        .collect();
    report.phases(&KEYS, &syncs);
}

/// Bytes of the newest snapshot's record.
fn newest_record(set: &Set) -> Tried<u64> {
    let mut newest = None;
    for record in std::fs::read_dir(set.work.join(".repo.dsg/snapshots"))? {
        let found = record?.metadata()?;
        let key = (found.modified()?, found.len());
        newest = newest.max(Some(key));
    }
    Ok(newest.ok_or("there is no snapshot record")?.1)
}
