//! One measurement: wall time, peak memory, and how busy the rest of the machine was meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Tried;

/// Ticks of `/proc/stat` in a second, on every Linux that DSG runs on.
const TICKS: f64 = 100.0;

/// One run of one program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Wall-clock seconds: of the process, or what it says itself.
    pub(crate) seconds: f64,
    /// Peak resident memory of the largest process, in MiB.
    pub(crate) mib: f64,
    /// Cores that others kept busy meanwhile.
    pub(crate) others: f64,
    /// What the process told besides, e.g. its phases.
    pub(crate) told: BTreeMap<String, f64>,
}

/// All runs of one program at one task.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) samples: Vec<Sample>,
}

impl Row {
    /// The median of the wall times.
    pub(crate) fn median(&self) -> f64 {
        median(self.samples.iter().map(|s| s.seconds))
    }

    /// Shortest and longest.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let times = || self.samples.iter().map(|s| s.seconds);
        (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max))
    }

    /// The largest peak.
    pub(crate) fn mib(&self) -> f64 {
        self.samples.iter().map(|s| s.mib).fold(0.0, f64::max)
    }

    /// The median of others' work.
    pub(crate) fn others(&self) -> f64 {
        median(self.samples.iter().map(|s| s.others))
    }

    /// The median of something told.
    pub(crate) fn told(&self, key: &str) -> Option<f64> {
        let values: Vec<f64> =
            self.samples.iter().filter_map(|s| s.told.get(key).copied()).collect();
        (!values.is_empty()).then(|| median(values.into_iter()))
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

/// A program at a task, with what must be done before each run and is not measured.
pub(crate) struct Contender<'c> {
    name: String,
    command: Vec<String>,
    before: Box<dyn Fn() -> Tried<()> + 'c>,
    /// It may leave a helper of its own behind, whose work is not part of what a person waits for.
    leaves_helpers: bool,
    /// It tells what it measured as `key=value` lines.
    tells: bool,
}

impl<'c> Contender<'c> {
    /// `command`: a program and its arguments.
    pub(crate) fn new(name: &str, command: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            command: command.iter().map(|&part| part.to_owned()).collect(),
            before: Box::new(|| Ok(())),
            leaves_helpers: false,
            tells: false,
        }
    }

    /// A shell's command line, with `$1`, `$2`, … for `paths`.
    pub(crate) fn shell(name: &str, line: &str, paths: &[&Path]) -> Self {
        let mut command = vec!["sh", "-c", line, "sh"];
        let paths: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        command.extend(paths.iter().map(String::as_str));
        Self::new(name, &command)
    }

    /// A part of the engine, in a process of its own that tells its time itself.
    pub(crate) fn inside(name: &str, task: &[&str]) -> Tried<Self> {
        let me = std::env::current_exe()?.display().to_string();
        let mut command = vec![me.as_str(), "inside"];
        command.extend(task);
        Ok(Self::new(name, &command).telling())
    }

    /// It is a part of the engine, and tells its time itself.
    pub(crate) fn telling(mut self) -> Self {
        self.tells = true;
        self
    }

    /// What is done before each run.
    pub(crate) fn after(mut self, before: impl Fn() -> Tried<()> + 'c) -> Self {
        self.before = Box::new(before);
        self
    }

    /// Before anything else is measured, what the program does in the background must be done.
    pub(crate) fn leaving_helpers(mut self) -> Self {
        self.leaves_helpers = true;
        self
    }

    /// One run.
    pub(crate) fn run(&self) -> Tried<Sample> {
        (self.before)()?;
        let usage = std::env::temp_dir().join(format!("dsg-bench-{}.usage", std::process::id()));
        let busy = busy()?;
        let begun = Instant::now();
        let output = Command::new("/usr/bin/time")
            .args(["-q", "-f", "%M %U %S", "-o"])
            .arg(&usage)
            .args(&self.command)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()?;
        let seconds = begun.elapsed().as_secs_f64();
        let busy = self::busy()? - busy;
        let used = std::fs::read_to_string(&usage)?;
        std::fs::remove_file(&usage)?;
        if !output.status.success() {
            return Err(
                format!("{}: {:?} ended with {}", self.name, self.command, output.status).into()
            );
        }
        let numbers: Vec<f64> = used.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        let [kib, user, system] = numbers[..] else {
            return Err(format!("/usr/bin/time said {used:?}").into());
        };
        if self.leaves_helpers {
            self.command.first().map_or(Ok(()), |program| wait_for_all(Path::new(program)))?;
        }
        let mut told = BTreeMap::new();
        if self.tells {
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                if let Some((key, value)) = line.split_once('=') {
                    told.insert(key.to_owned(), value.parse()?);
                }
            }
        }
        let others = ((busy - user - system) / seconds).max(0.0);
        let mib = told.remove("mib").unwrap_or(kib / 1024.0);
        let seconds = told.remove("seconds").unwrap_or(seconds);
        Ok(Sample { seconds, mib, others, told })
    }
}

/// Lets contenders take turns, so that what else the machine does hits all of them.
pub(crate) fn compare(repeats: usize, contenders: &[Contender<'_>]) -> Tried<Vec<Row>> {
    let mut rows: Vec<Row> =
        contenders.iter().map(|c| Row { name: c.name.clone(), samples: Vec::new() }).collect();
    for round in 1..=repeats {
        for (contender, row) in contenders.iter().zip(&mut rows) {
            let sample = contender.run()?;
            eprintln!(
                "bench: {} ({round}/{repeats}): {:.3} s, {:.0} MiB, others {:.1} cores",
                row.name, sample.seconds, sample.mib, sample.others
            );
            row.samples.push(sample);
        }
    }
    Ok(rows)
}

/// Seconds that all cores together worked since the start of the machine.
fn busy() -> Tried<f64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let fields: Vec<f64> =
        stat.split_whitespace().skip(1).take(8).filter_map(|f| f.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let idle = fields.get(3).unwrap_or(&0.0) + fields.get(4).unwrap_or(&0.0);
    Ok((fields.iter().sum::<f64>() - idle) / TICKS)
}

/// Waits until no process runs this program.
fn wait_for_all(program: &Path) -> Tried<()> {
    loop {
        let mut runs = false;
        for process in std::fs::read_dir("/proc")? {
            runs |= std::fs::read_link(process?.path().join("exe")).is_ok_and(|exe| exe == program);
        }
        if !runs {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether a program can be started.
pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain([PathBuf::from("/")]);
    folders.any(|folder| folder.join(program).is_file())
}

/// Removes a tree, if it is there, and waits until the disk has taken note.
pub(crate) fn remove(path: &Path) {
    if path.exists() {
        let _ = Command::new("rm").arg("-rf").arg(path).status();
        if let Some(Ok(folder)) = path.parent().map(std::fs::File::open) {
            let _ = rustix::fs::syncfs(folder);
        }
    }
}
