//! Tables with ratios, in Markdown, and what became of the targets.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::measure::Row;

/// What is told at the end.
pub(crate) struct Report {
    /// Seconds in which one core hashes 1 GiB; a target is measured by it.
    pub(crate) hash_seconds: f64,
    head: String,
    groups: String,
    targets: String,
}

impl Report {
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            hash_seconds: f64::NAN,
            head: machine(dir),
            groups: String::new(),
            targets: String::new(),
        }
    }

    /// A table; times of all rows stand beside those of the row named `base`.
    pub(crate) fn group(&mut self, title: &str, base: &str, rows: Vec<Row>) {
        let reference = rows.iter().find(|row| row.name == base).map_or(f64::NAN, Row::median);
        let text = &mut self.groups;
        let _ = write!(
            text,
            "\n### {title}\n\n| | median | spread | ratio | peak memory | other load |\n\
             |---|---:|---:|---:|---:|---:|\n"
        );
        for row in rows {
            let (least, most) = row.spread();
            let spread = if row.samples.len() > 1 {
                format!("{}–{}", time(least), time(most))
            } else {
                "once".to_owned()
            };
            let _ = writeln!(
                text,
                "| {} | {} | {spread} | {:.2} | {:.0} MiB | {:.1} |",
                row.name,
                time(row.median()),
                row.median() / reference,
                row.mib(),
                row.others()
            );
        }
    }

    /// A table of medians of phases.
    pub(crate) fn phases(&mut self, keys: &[&str], rows: &[(String, Vec<Option<f64>>)]) {
        let text = &mut self.groups;
        let _ = write!(text, "\n### C: phases of these syncs\n\n| | {} |\n|---", keys.join(" | "));
        let _ = writeln!(text, "{}|", "|---:".repeat(keys.len()));
        for (name, values) in rows {
            let values: Vec<String> =
                values.iter().map(|v| v.map_or_else(|| "–".to_owned(), time)).collect();
            let _ = writeln!(text, "| {name} | {} |", values.join(" | "));
        }
    }

    /// Something that shall be reached.
    pub(crate) fn target(&mut self, what: &str, met: bool, measured: &str) {
        let met = if met { "met" } else { "**not met**" };
        let _ = writeln!(self.targets, "| {what} | {measured} | {met} |");
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!("## Machine\n\n{}\n", self.head);
        if !self.targets.is_empty() {
            let _ = write!(
                text,
                "\n## Targets\n\n| target | measured | |\n|---|---|---|\n{}",
                self.targets
            );
        }
        let _ = write!(
            text,
            "\n## Measurements\n\n*Ratio*: to the row whose ratio is 1. *Other load*: cores that other \
             programs kept busy meanwhile.\n{}",
            self.groups
        );
        text
    }
}

fn time(seconds: f64) -> String {
    if seconds < 0.1 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 10.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{seconds:.1} s")
    }
}

/// What was measured on.
fn machine(dir: &Path) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let gib = memory.split(' ').next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0);
    let df = Command::new("df").arg("--output=fstype").arg(dir).output();
    let fs = df.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    format!(
        "{}, {cores} cores, {:.0} GiB memory, {}, Linux {}; load when the run began: {}.",
        field(&read("/proc/cpuinfo"), "model name"),
        gib / 1024.0 / 1024.0,
        fs.lines().nth(1).unwrap_or("unknown file system").trim(),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(", ")
    )
}
