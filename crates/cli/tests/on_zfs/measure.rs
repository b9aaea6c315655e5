//! How long a publish takes, by the number of files. Emulated, and of a build that is not optimised unless it
//! is asked for (`CARGO_PROFILE_DEV_OPT_LEVEL=2`), so it is run by hand, and nothing passes or fails.

use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::zfs_host::Version;

use crate::lab_on;

/// How many syncs are measured.
const SYNCS: usize = 7;

/// What the agent passes while something is done, each with its time in seconds.
fn times(lab: &Lab, checkout: &Checkout, deed: impl FnOnce()) -> Vec<(f64, String)> {
    let (host, dataset) = lab.zfs();
    let at = format!("/tmp/times-{}", dataset.replace('/', "-"));
    let stamps = "while read -r p; do echo \"$EPOCHREALTIME $p\"; done";
    host.run(&format!(
        "rm -f {at} {at}.in; mkfifo {at}.in; {{ bash -c '{stamps}' <> {at}.in > {at}; }} > /dev/null 2>&1 & "
    ));
    lab.agent_runs_with(checkout, &format!("DSG_TRACE_POINTS={at}.in"));
    deed();
    lab.agent_runs_with(checkout, "DSG_NOTHING=");
    let told = host.run(&format!("sleep 1; cat {at}"));
    let lines = told.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(time, point)| (time.parse().unwrap(), point.to_owned())).collect()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Medians: from the last byte staged to the end, from the lock, and from the decision.
fn publish_times(lab: &Lab, files: usize) -> [f64; 3] {
    let p1 = lab.checkout("p1");
    for file in 0..files {
        let at = p1.at(&format!("input/{}/file {file}.csv", file / 250));
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, format!("{file}\n").repeat(20)).unwrap();
    }
    p1.init();
    let begins = ["host.staged", "host.locked", "zfs.decided"];
    let mut took = begins.map(|_| Vec::new());
    for sync in 0..SYNCS {
        p1.write("input/0/file 0.csv", format!("sync {sync}"));
        let all = times(lab, &p1, || drop(p1.sync()));
        let at = |name: &str| all.iter().rfind(|(_, p)| p == name).unwrap().0;
        for (took, begin) in took.iter_mut().zip(begins) {
            took.push(at("zfs.destroyed") - at(begin));
        }
    }
    eprintln!("{files} files, from {begins:?}: {took:.2?} s");
    took.map(median)
}

#[test]
#[ignore = "a measurement: it takes long, and nothing passes or fails"]
fn publish_time_by_the_number_of_files() {
    let Some(few) = lab_on(Version::New) else { return };
    let Some(many) = lab_on(Version::New) else { return };
    let (few, many) = (publish_times(&few, 1_000), publish_times(&many, 100_000));
    let ratios = [0, 1, 2].map(|at| many[at] / few[at]);
    eprintln!("1,000 files {few:.2?}, 100,000 {many:.2?}: {ratios:.2?}");
}
