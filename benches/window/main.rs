//! The window, measured from outside: the application as it is built, on a screen of its own.
//!
//! | module | owns |
//! |---|---|
//! | [`data`] | projects with many pending files |
//! | [`screen`] | what is painted, and when |
//! | [`memory`] | what all processes of the window hold |
//! | [`page`] | keys and scrolling, inside of the page |
//! | `empty` | the smallest window that Tauri makes, to compare with |
//! | `harness` | how the application is started and driven, as its tests do it |
//!
//! Nothing here passes or fails: a time on one machine proves nothing about another.
//!
//! `make bench-window` runs it. `BENCH_LARGE=1` adds 1,000,000 files; `BENCH_DIR` says where to
//! work (default: below `target`), `BENCH_KEEP=1` leaves the projects for the next run, `BENCH_REPEATS`
//! says how often (default: 7), `BENCH_PARTS` what to measure (default: `start page`),
//! `BENCH_REPORT` where the tables go, too.

mod data;
mod empty;
#[allow(dead_code, reason = "the window's tests need more of it")]
#[path = "../../tests/window/harness.rs"]
mod harness;
mod memory;
mod page;
mod screen;

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::{Group, Session, Setup, Stage, Theme};
use memory::Memory;
use screen::{Area, Screen};

/// What can go wrong here is told and ends the run.
type Tried<T = ()> = Result<T, Box<dyn Error>>;

/// The application under measurement.
const APP: &str = env!("CARGO_BIN_EXE_dsg-desktop");
const SIZE: (u32, u32) = (1280, 800);
/// The page.
const MAIN: Area = Area { left: 0, top: 40, right: 1160, bottom: 720 };
/// Rows of the list, below its head and above the message.
const ROWS: Area = Area { left: 260, top: 260, right: 560, bottom: 480 };
/// As the application chooses where there is no graphics card.
const STRAIGHT: &[(&str, &str)] = &[("WEBKIT_DISABLE_COMPOSITING_MODE", "1")];
/// What looks the same for so long is not drawn any further.
const STILL: Duration = Duration::from_millis(1500);

fn main() -> Tried {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("empty") => empty::run(),
        _ if args.iter().any(|arg| arg == "--bench") => Run::asked()?.drive(),
        _ => {
            println!("This measures, and takes minutes: make bench-window runs it.");
            Ok(())
        }
    }
}

/// How this run was asked for, and what it found.
struct Run {
    dir: PathBuf,
    keep: bool,
    repeats: usize,
    parts: Vec<String>,
    large: bool,
    report: PathBuf,
    text: String,
}

impl Run {
    fn asked() -> Tried<Self> {
        let asked = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let is_set = |name: &str| asked(name).is_some_and(|value| value != "0");
        let build = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let target = build.parent().unwrap_or(build);
        let parts = asked("BENCH_PARTS").unwrap_or_else(|| "start page".to_owned());
        Ok(Self {
            dir: asked("BENCH_DIR").map_or_else(|| build.join("dsg-bench-window"), PathBuf::from),
            keep: is_set("BENCH_KEEP"),
            repeats: asked("BENCH_REPEATS").map_or(Ok(7), |number| number.parse())?,
            parts: parts.split_whitespace().map(str::to_owned).collect(),
            large: is_set("BENCH_LARGE"),
            report: asked("BENCH_REPORT")
                .map_or_else(|| target.join("bench-window.md"), PathBuf::from),
            text: String::new(),
        })
    }

    fn drive(mut self) -> Tried {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::fs::create_dir_all(&self.dir)?;
        let hundred = self.stage_with(&runtime, 100_000)?;
        if self.takes("start") {
            self.starts(&hundred)?;
        }
        let hundred = self.pages(&runtime, hundred, "100,000")?;
        drop(hundred);
        if self.large {
            let million = self.stage_with(&runtime, 1_000_000)?;
            self.large(&million)?;
            self.pages(&runtime, million, "1,000,000")?;
        }
        std::fs::write(&self.report, &self.text)?;
        println!("{}", self.text);
        eprintln!("bench: the same tables are in {}", self.report.display());
        if !self.keep {
            std::fs::remove_dir_all(&self.dir)?;
        }
        Ok(())
    }

    fn takes(&self, part: &str) -> bool {
        self.parts.iter().any(|one| one == part)
    }

    /// A stage on which the application has a project with so many pending files in its list.
    fn stage_with(&self, runtime: &tokio::runtime::Runtime, files: u32) -> Tried<Stage> {
        let project = data::project(&self.dir, files)?;
        let stage = Stage::set(Setup { theme: Theme::Dark, size: SIZE })?;
        runtime.block_on(async {
            let session = Session::on(stage, STRAIGHT).await?;
            session.click("Open a folder…").await?;
            session.fill("folder", &project.display().to_string()).await?;
            let submit = fantoccini::Locator::Css("[type=submit]");
            session.with(submit, async |button| button.click().await).await?;
            page::list(&session, u64::from(files)).await?;
            session.leave().await
        })
    }

    /// The windows in turn, several times; the first turn of each warms up and does not count.
    fn starts(&mut self, hundred: &Stage) -> Tried {
        let me = std::env::current_exe()?.display().to_string();
        let stage = || Stage::set(Setup { theme: Theme::Dark, size: SIZE });
        let (bare, fresh) = (stage()?, stage()?);
        let windows: [(&str, &Stage, &[&str], Area); 3] = [
            ("an empty Tauri window", &bare, &[me.as_str(), "empty"], MAIN),
            ("DSG, first start", &fresh, &[APP], MAIN),
            ("DSG, 100,000 pending files", hundred, &[APP], ROWS),
        ];
        let mut found = windows.map(|_| Vec::new());
        for turn in 0..=self.repeats {
            for (window, found) in windows.iter().zip(&mut found) {
                let start = Start::measure(window.1, window.2, window.3)?;
                eprintln!("bench: {}: {start:?}", window.0);
                if turn > 0 {
                    found.push(start);
                }
            }
        }
        let paint = |starts: &[Start]| median(starts.iter().map(|s| s.painted.as_secs_f64()));
        let empty = paint(&found[0]);
        self.text += "\n| start | first paint | ratio | list or page complete | memory (PSS) |\n|---|---:|---:|---:|---:|\n";
        for (window, starts) in windows.iter().zip(&found) {
            let whole = median(starts.iter().map(|s| s.settled.as_secs_f64()));
            let memory = median(starts.iter().map(|s| s.memory.settled));
            writeln!(
                self.text,
                "| {} | {:.2} s | {:.2} | {whole:.2} s | {memory:.0} MiB |",
                window.0,
                paint(starts),
                paint(starts) / empty,
            )?;
        }
        Ok(())
    }

    /// One start with 1,000,000 rows.
    fn large(&mut self, stage: &Stage) -> Tried {
        self.text += "\n| 1,000,000 pending files | first paint | list complete | memory (PSS) | peak |\n|---|---:|---:|---:|---:|\n";
        for turn in ["first start after", "once more"] {
            let start = Start::measure(stage, &[APP], ROWS)?;
            eprintln!("bench: {turn}: {start:?}");
            writeln!(
                self.text,
                "| {turn} | {:.2} s | {:.2} s | {:.0} MiB | {:.0} MiB |",
                start.painted.as_secs_f64(),
                start.settled.as_secs_f64(),
                start.memory.settled,
                start.memory.peak,
            )?;
        }
        Ok(())
    }

    /// Keys and scrolling in the list.
    fn pages(
        &mut self,
        runtime: &tokio::runtime::Runtime,
        stage: Stage,
        rows: &str,
    ) -> Tried<Stage> {
        if !self.takes("page") {
            return Ok(stage);
        }
        runtime.block_on(async {
            let session = Session::on(stage, STRAIGHT).await?;
            page::list(&session, rows.replace(',', "").parse()?).await?;
            writeln!(self.text, "\n| the list of {rows} rows | median | worst |\n|---|---:|---:|")?;
            for (what, times) in page::keys(&session).await? {
                writeln!(
                    self.text,
                    "| {what}, key to paint | {:.0} ms | {:.0} ms |",
                    median(times.iter().copied()),
                    times.iter().fold(0.0_f64, |most, time| most.max(*time)),
                )?;
            }
            for speed in [1_500, 20_000] {
                let scrolled = page::scroll(&session, speed).await?;
                writeln!(
                    self.text,
                    "| scrolling {speed} pixels/s ({} rows not drawn yet, in {} frames) | {:.1} frames/s | {:.0} ms between two |",
                    scrolled.missing, scrolled.frames, scrolled.rate, scrolled.longest,
                )?;
            }
            let held = Memory::held(&session.processes());
            writeln!(self.text, "| memory after that (PSS, driven) | {held:.0} MiB | |")?;
            session.leave().await
        })
    }
}

/// One start of a program.
#[derive(Debug)]
struct Start {
    painted: Duration,
    settled: Duration,
    memory: Memory,
}

impl Start {
    /// `whole`: where it is seen that all is there.
    fn measure(stage: &Stage, program: &[&str], whole: Area) -> Tried<Self> {
        let screen = Screen::of(&stage.pixels())?;
        let begun = Instant::now();
        let running = Group::start(stage.command(program[0]).args(&program[1..]))?;
        let painted = screen.painted(MAIN, begun)?;
        let watch = memory::Watch::begin(running.id());
        let settled = screen.settled(whole, begun, STILL)?;
        let memory = watch.end(&stage.processes());
        drop(running);
        stage.emptied()?;
        Ok(Self { painted, settled, memory })
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}
