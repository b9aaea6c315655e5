//! How long things take; run by hand, in a release build:
//! `DSG_TEST_FILES=1000000 cargo test --release -p dsg-host -- --ignored --nocapture takes`.

use std::io::Read;
use std::time::{Duration, Instant};

use dsg_core::entry::{Entry, FileEntry, Hash, Mtime};
use dsg_core::failure::Outcome;
use dsg_core::manifest::Change;
use dsg_core::monitor::Monitor;
use dsg_core::repository::{Publication, Upload};
use dsg_host::tree::{Supply, TreeStore};

use crate::fixture::*;

/// Files of some 2 kB, generated.
struct Generated;

fn content(index: usize) -> Vec<u8> {
    format!("{index:016}").repeat(128).into_bytes()
}

impl Supply for Generated {
    fn open(&self, index: usize) -> Outcome<Box<dyn Read + Send + '_>> {
        Ok(Box::new(std::io::Cursor::new(content(index))))
    }
}

/// Processor time of this process so far: unlike the clock's, it does not depend on who else is
/// at work on the machine.
fn processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn timed<T>(what: &str, step: impl FnOnce() -> T) -> (T, Duration) {
    let (start, before) = (Instant::now(), processor());
    let result = step();
    let (took, worked) = (start.elapsed(), processor().saturating_sub(before));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default().trim();
    println!("{what:<40} {took:>10.3?}  processor {worked:>8.2?}  peak {peak}");
    (result, took)
}

#[test]
#[ignore = "measures; run by hand"]
fn takes_about_as_long_as_a_copy() {
    let count: usize = std::env::var("DSG_TEST_FILES").map_or(20_000, |n| n.parse().unwrap());
    let f = nothing();
    let at = |i: usize| path(&format!("d{:04}/e{}/file-{i:07}.csv", i / 1000, i % 10));
    let file = |i: usize| FileEntry {
        size: 2048,
        mtime: Mtime(1_700_000_000_000_000_000),
        exec: false,
        hash: Hash::of(&content(i)),
    };
    let uploads: Vec<Upload> =
        (0..count).map(|i| Upload { file: file(i), private: false }).collect();
    let mut changes: Vec<Change> = (0..count)
        .map(|i| Change { path: at(i), entry: Some(Entry::File(uploads[i].file)) })
        .collect();
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    let tx = transaction();
    let publication = Publication {
        base: None,
        authorship: authorship(&tx),
        config: config(),
        changes,
        copies: Vec::new(),
    };
    let store = TreeStore::create(&f.path, None).unwrap();
    let staging = store.begin(None, &tx).unwrap();
    let ((), staged) = timed("stage all", || {
        for chunk in uploads.chunks(10_000).enumerate() {
            struct Part(usize);
            impl Supply for Part {
                fn open(&self, index: usize) -> Outcome<Box<dyn Read + Send + '_>> {
                    Generated.open(self.0 + index)
                }
            }
            staging.stage(chunk.1, &Part(chunk.0 * 10_000), &Monitor::silent()).unwrap();
        }
    });
    let (_, published) =
        timed("publish s1", || staging.publish(&publication, &Monitor::silent()).unwrap());
    drop(publication);
    if count <= 100_000 {
        let copy = f.temp.path().join("copy");
        let ((), copied) = timed("cp -a and sync of the same", || {
            std::process::Command::new("cp").arg("-a").args([&f.path, &copy]).status().unwrap();
            dsg_fs::dir::Dir::open(&copy).unwrap().syncfs().unwrap();
        });
        println!(
            "init is {:.2} of a copy",
            (staged + published).as_secs_f64() / copied.as_secs_f64()
        );
        dsg_fs::dir::Dir::open(f.temp.path()).unwrap().remove_tree("copy").unwrap();
    }
    timed("publish one file, nothing prepared", || f.sync(wish().put("one", "1")).unwrap());
    for round in 2..5 {
        timed("prepare", || f.prestage());
        timed("publish one file, prepared", || {
            f.sync(wish().put("one", &round.to_string())).unwrap()
        });
    }
    timed("open and head", || f.open().head().unwrap());
    timed("changes since s3", || f.open().changes_since(Some(id(3)), &mut |_| Ok(())).unwrap());
    timed("whole manifest", || f.open().changes_since(None, &mut |_| Ok(())).unwrap());
    timed("look for drift", || f.drift());
}
