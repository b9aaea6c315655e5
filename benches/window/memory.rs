//! What the window's processes hold: PSS, which counts a page that several share once in all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks.
const BEAT: Duration = Duration::from_millis(100);

/// MiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Of all processes, when nothing was drawn any more.
    pub(crate) settled: f64,
    /// The most that was seen of all processes.
    pub(crate) peak: f64,
}

impl Memory {
    /// Of these processes, now.
    pub(crate) fn held(processes: &[u32]) -> f64 {
        processes.iter().filter_map(|pid| pss(*pid)).sum()
    }
}

fn pss(pid: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok()? / 1024.0)
}

/// Looks at a process and its children until it is told to stop.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<f64>,
}

impl Watch {
    pub(crate) fn begin(root: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut peak = 0.0_f64;
            while !told.load(Ordering::Acquire) {
                peak = peak.max(Memory::held(&family(root)));
                std::thread::sleep(BEAT);
            }
            peak
        });
        Self { stop, thread }
    }

    pub(crate) fn end(self, processes: &[u32]) -> Memory {
        self.stop.store(true, Ordering::Release);
        let settled = Memory::held(processes);
        Memory { settled, peak: self.thread.join().unwrap_or(f64::NAN).max(settled) }
    }
}

/// A process, its children, theirs, and so on.
fn family(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let children: Vec<u32> = tasks
            .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
            .flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|pid| pid.parse().ok())
            .collect();
        found.extend(children);
        at += 1;
    }
    found
}
