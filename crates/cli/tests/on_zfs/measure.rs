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
        "rm -f {at} {at}.in; mkfifo {at}.in; bash -c '{stamps}' < {at}.in > {at} 2> /dev/null & "
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

/// Medians: from the lock to the end, and from the decision to the end.
fn publish_times(lab: &Lab, files: usize) -> (f64, f64) {
    let p1 = lab.checkout("p1");
    for file in 0..files {
        let at = p1.at(&format!("input/{}/file {file}.csv", file / 250));
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, format!("{file}\n").repeat(20)).unwrap();
    }
    p1.init();
    let (mut whole, mut decided) = (Vec::new(), Vec::new());
    for sync in 0..SYNCS {
        p1.write("input/0/file 0.csv", format!("sync {sync}"));
        let all = times(lab, &p1, || drop(p1.sync()));
        let at = |name: &str| all.iter().find(|(_, p)| p == name).unwrap().0;
        let end = at("zfs.destroyed");
        whole.push(end - at("host.locked"));
        decided.push(end - at("zfs.decided"));
    }
    eprintln!("{files} files: from the lock {whole:.2?} s, from the decision {decided:.2?} s");
    (median(whole), median(decided))
}

#[test]
#[ignore = "a measurement: it takes long, and nothing passes or fails"]
fn publish_time_by_the_number_of_files() {
    let Some(few) = lab_on(Version::New) else { return };
    let Some(many) = lab_on(Version::New) else { return };
    let (few, many) = (publish_times(&few, 1_000), publish_times(&many, 100_000));
    eprintln!(
        "1,000 files {few:.2?}, 100,000 {many:.2?}: {:.2}, {:.2}",
        many.0 / few.0,
        many.1 / few.1
    );
}
