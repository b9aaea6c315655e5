//! Parts of the engine that no command shows alone. Each runs in a process of its own, so that its
//! peak memory is its own, and tells `key=value` lines.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use dsg_core::config::SharedConfig;
use dsg_core::entry::Hash;
use dsg_core::monitor::{Event, Monitor, Phase, Sink};
use dsg_engine::endpoint;
use dsg_engine::index::Index;
use dsg_engine::project::Project;
use dsg_engine::report::{Status, SyncOptions};
use dsg_engine::scan::{Scope, scan};
use dsg_engine::transport::ssh::program_on;

use crate::Tried;

const GIB: usize = 1 << 30;
/// As the engine writes and reads.
const CHANNEL_PIECE: usize = 64 * 1024;

/// Does one task.
pub(crate) fn run(args: &[String]) -> Tried<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["hash"] => {
            hash();
            Ok(())
        }
        ["scan", root] => look(Path::new(root)),
        ["status-after", root, path] => status_after(Path::new(root), path),
        ["prepare", root] => prepare(Path::new(root)),
        ["again", root] => again(Path::new(root)),
        ["channel", "up", host] => channel_up(host),
        ["channel", "down", host] => channel_down(host),
        ["sync", root] => sync(Path::new(root), None),
        ["sync", root, path] => sync(Path::new(root), Some(path)),
        _ => Err(format!("{args:?} is no task").into()),
    }
}

fn tell(key: &str, value: f64) {
    println!("{key}={value}");
}

/// The hash's own speed: 1 GiB that is at hand in memory, on one core.
fn hash() {
    const PIECE: usize = 64 << 20;
    let piece: Vec<u8> =
        (0..PIECE).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    let begun = Instant::now();
    for _ in 0..GIB / PIECE {
        std::hint::black_box(Hash::of(std::hint::black_box(&piece)));
    }
    tell("seconds", begun.elapsed().as_secs_f64());
}

/// Looking whether there is anything to do, where that was asked before in the same process: as in the
/// window.
fn again(root: &Path) -> Tried<()> {
    const TIMES: u32 = 5;
    let monitor = Monitor::silent();
    let mut project = Project::open(root, &monitor)?;
    let mut look = || -> Tried<()> {
        let status: Status = project.status(false, &monitor)?;
        let reached = status.reach.is_ok() && status.changes.is_empty();
        if reached { Ok(()) } else { Err("there is something to do".into()) }
    };
    look()?;
    let begun = Instant::now();
    for _ in 0..TIMES {
        look()?;
    }
    tell("seconds", begun.elapsed().as_secs_f64() / f64::from(TIMES));
    endpoint::hang_up_all();
    Ok(())
}

/// What a channel to a host carries: 1 GiB to a program there that keeps nothing.
fn channel_up(host: &str) -> Tried<()> {
    let piece = vec![0; CHANNEL_PIECE];
    let (mut answer, mut channel) = program_on(&host.parse()?, "cat >/dev/null")?;
    let begun = Instant::now();
    for _ in 0..GIB / CHANNEL_PIECE {
        channel.write_all(&piece)?;
    }
    drop(channel);
    std::io::copy(&mut answer, &mut std::io::sink())?;
    tell("seconds", begun.elapsed().as_secs_f64());
    endpoint::hang_up_all();
    Ok(())
}

/// The same from a program there.
fn channel_down(host: &str) -> Tried<()> {
    let (mut channel, _) = program_on(&host.parse()?, &format!("head -c {GIB} /dev/zero"))?;
    let mut piece = vec![0; CHANNEL_PIECE];
    let mut left = GIB;
    let begun = Instant::now();
    while left > 0 {
        match channel.read(&mut piece)? {
            0 => return Err(format!("{left} bytes did not come").into()),
            count => left -= count,
        }
    }
    tell("seconds", begun.elapsed().as_secs_f64());
    endpoint::hang_up_all();
    Ok(())
}

/// A scan of the folder `root`: the first one if it has no `.dsg` yet.
fn look(root: &Path) -> Tried<()> {
    let state = root.join(".dsg/state.db");
    let rules = SharedConfig::new("bench");
    let begun = Instant::now();
    let mut index = if state.exists() {
        Index::open(&state)?
    } else {
        std::fs::create_dir_all(root.join(".dsg"))?;
        Index::create(&state)?
    };
    let found = scan(root, &rules, &mut index, Scope::All, &Monitor::silent())?;
    tell("seconds", begun.elapsed().as_secs_f64());
    tell("files", precise(found.files));
    tell("hashed", precise(found.hashed_files));
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn precise(count: u64) -> f64 {
    count as f64
}

/// Status after one change that a watcher saw, in a process that has the project open.
fn status_after(root: &Path, path: &str) -> Tried<()> {
    let monitor = Monitor::silent();
    let mut project = Project::open(root, &monitor)?;
    project.status_after(&[path.to_owned()], &monitor)?;
    change(&root.join(path))?;
    let begun = Instant::now();
    let status = project.status_after(&[path.to_owned()], &monitor)?;
    tell("seconds", begun.elapsed().as_secs_f64());
    tell("changes", precise(status.changes.len() as u64));
    Ok(())
}

/// Prepares the repository's next publish.
fn prepare(root: &Path) -> Tried<()> {
    let project = Project::open(root, &Monitor::silent())?;
    let begun = Instant::now();
    project.prepare_next(&Monitor::silent())?;
    tell("seconds", begun.elapsed().as_secs_f64());
    Ok(())
}

/// A sync; with `touched`, of what a watcher saw.
fn sync(root: &Path, touched: Option<&str>) -> Tried<()> {
    let phases = Arc::new(Phases::default());
    let monitor = Monitor::new(phases.clone());
    let mut project = Project::open(root, &monitor)?;
    let options = SyncOptions {
        message: "bench".to_owned(),
        touched: touched.map(|path| vec![path.to_owned()]),
        ..SyncOptions::default()
    };
    let begun = Instant::now();
    let report = project.sync(&options, &monitor)?;
    let ended = Instant::now();
    tell("seconds", ended.duration_since(begun).as_secs_f64());
    tell("uploaded", precise(report.uploaded));
    phases.tell(begun, ended);
    Ok(())
}

/// Appends a line to a file.
pub(crate) fn change(path: &Path) -> Tried<()> {
    let mut file = std::fs::OpenOptions::new().append(true).open(path)?;
    writeln!(file, "one more line")?;
    Ok(())
}

/// When each phase began.
#[derive(Default)]
struct Phases(Mutex<Vec<(Phase, Instant)>>);

impl Sink for Phases {
    fn event(&self, event: Event) {
        if let (Event::Phase { phase, .. }, Ok(mut seen)) = (event, self.0.lock()) {
            seen.push((phase, Instant::now()));
        }
    }
}

impl Phases {
    fn tell(&self, begun: Instant, ended: Instant) {
        let Ok(seen) = self.0.lock() else { return };
        let starts = seen.iter().map(|(_, at)| *at).skip(1).chain([ended]);
        let mut sums: Vec<(&str, f64)> = Vec::new();
        let first = seen.first().map_or(ended, |(_, at)| *at);
        sums.push(("opening", first.duration_since(begun).as_secs_f64()));
        for ((phase, from), to) in seen.iter().zip(starts) {
            let name = match phase {
                Phase::Scanning => "scanning",
                Phase::Comparing => "comparing",
                Phase::Staging => "staging",
                Phase::Publishing => "publishing",
                Phase::Settling => "settling",
            };
            let took = to.duration_since(*from).as_secs_f64();
            match sums.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += took,
                None => sums.push((name, took)),
            }
        }
        for (name, seconds) in sums {
            tell(name, seconds);
        }
    }
}
