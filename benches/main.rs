//! The benchmarks: DSG and well-known programs at the same work, side by side, in one run.
//!
//! | module | owns |
//! |---|---|
//! | [`data`] | the data sets, from a fixed seed; the room they need |
//! | [`measure`] | one measurement: time, memory, what else the machine did; repeats |
//! | [`inside`] | parts of the engine that no command shows alone, each in a process of its own |
//! | [`small`] | what is measured at 20,000 files and at one large file |
//! | [`large`] | what is measured at 1,000,000 files |
//! | [`host`] | an ssh server of its own |
//! | [`remote`] | what is measured over ssh |
//! | [`changed`] | the same of a large file that changed a little |
//! | [`crowd`] | the memory that 1,000,000 files need over ssh |
//! | [`report`] | tables with ratios, and the targets |
//!
//! Nothing here passes or fails: a time on one machine proves nothing about another.
//!
//! `make bench` runs it. `BENCH_LARGE=1` adds the 1,000,000 files; `BENCH_DIR` says where to work
//! (default: below `target`), `BENCH_SETS` which data sets to take (default: `A B`; over ssh: `R S M`), `BENCH_REPEATS`
//! how often (default: 3), `BENCH_DSG` which `dsg`, `BENCH_REPORT` where the tables go, too;
//! `BENCH_KEEP=1` leaves the data, for a closer look with a profiler.

mod changed;
mod crowd;
mod data;
mod host;
mod inside;
mod large;
mod measure;
mod remote;
mod report;
mod small;

use std::error::Error;
use std::path::{Path, PathBuf};

/// What can go wrong here is told and ends the run.
type Tried<T> = Result<T, Box<dyn Error>>;

/// How this run was asked for.
struct Run {
    /// All that is made is below; it goes at the end.
    dir: PathBuf,
    /// The program under measurement.
    dsg: PathBuf,
    repeats: usize,
    sets: Vec<String>,
    report: PathBuf,
    keep: bool,
}

fn main() -> Tried<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("inside") => inside::run(&args[1..]),
        _ if args.iter().any(|a| a == "--bench") => drive(&Run::asked()?),
        _ => {
            println!("This measures, and takes minutes: make bench runs it.");
            Ok(())
        }
    }
}

impl Run {
    fn asked() -> Tried<Self> {
        let asked = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let build = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let target = build.parent().unwrap_or(Path::new("target")).to_owned();
        let mut sets: Vec<String> = asked("BENCH_SETS")
            .unwrap_or_else(|| "A B".to_owned())
            .split_whitespace()
            .map(str::to_uppercase)
            .collect();
        if asked("BENCH_LARGE").is_some_and(|v| v != "0") && !sets.iter().any(|s| s == "C") {
            sets.push("C".to_owned());
        }
        let dsg = asked("BENCH_DSG").map_or_else(|| target.join("release/dsg"), PathBuf::from);
        if !dsg.is_file() {
            return Err(format!("{} is not there: make bench builds it", dsg.display()).into());
        }
        Ok(Self {
            dir: asked("BENCH_DIR").map_or(build, PathBuf::from).join("dsg-bench"),
            dsg: std::fs::canonicalize(dsg)?,
            repeats: asked("BENCH_REPEATS").map_or(Ok(3), |n| n.parse())?,
            sets,
            keep: asked("BENCH_KEEP").is_some_and(|v| v != "0"),
            report: asked("BENCH_REPORT").map_or_else(|| target.join("bench.md"), PathBuf::from),
        })
    }

    /// Removes a data set that was measured.
    fn done(&self, set: &str) {
        if !self.keep {
            measure::remove(&self.dir.join(set));
        }
    }

    fn takes(&self, set: &str) -> bool {
        self.sets.iter().any(|s| s == set)
    }
}

/// Removes what was made, however the run ends; what a killed run left, the next one removes.
struct Workplace<'r>(&'r Run);

impl Drop for Workplace<'_> {
    fn drop(&mut self) {
        if !self.0.keep {
            measure::remove(&self.0.dir);
        }
    }
}

fn drive(run: &Run) -> Tried<()> {
    for tool in ["/usr/bin/time", "find", "xargs", "sha256sum", "cp", "tar", "sync"] {
        if !measure::is_there(tool) {
            return Err(format!("{tool} is needed to measure; install it and try again").into());
        }
    }
    measure::remove(&run.dir);
    std::fs::create_dir_all(&run.dir)?;
    let workplace = Workplace(run);
    data::prove_room(&run.dir, run.takes("C") || run.takes("M"))?;
    let mut report = report::Report::new(&run.dir);
    if run.takes("A") || run.takes("B") {
        small::hash_speed(run, &mut report)?;
    }
    if run.takes("A") {
        small::many_files(run, &mut report)?;
    }
    if run.takes("B") {
        small::one_file(run, &mut report)?;
    }
    if run.takes("R") {
        remote::many_files(run, &mut report)?;
    }
    if run.takes("S") {
        remote::one_file(run, &mut report)?;
    }
    if run.takes("M") {
        crowd::million(run, &mut report)?;
    }
    if run.takes("C") {
        large::million(run, &mut report)?;
    }
    let text = report.text();
    std::fs::write(&run.report, &text)?;
    println!("{text}");
    eprintln!("bench: the same tables are in {}", run.report.display());
    drop(workplace);
    Ok(())
}
