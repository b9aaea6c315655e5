//! Who is at work in a repository on a host, and how far, as others see it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::sshd::Kind;
use rustix::process::{Pid, Signal, kill_process};

use crate::lab;

/// The agent of this checkout's repository halts at a place, and leaves its process id in that file.
fn halts_at(lab: &Lab, checkout: &Checkout, place: &str) -> std::path::PathBuf {
    let (program, id) = (lab.path().join("agent-that-halts"), lab.path().join("its-id"));
    let text = format!(
        "#!/bin/sh\necho $$ >{}\nexport DSG_STOP_AT={place}\nexec {} \"$@\"\n",
        id.display(),
        dsg_testkit::agent::program().display()
    );
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = checkout.runner.config.join("dsg.yml");
    let own = std::fs::read_to_string(&settings).unwrap();
    let host = format!("hosts: {{127.0.0.1: {{agent_path: {}}}}}\n", program.display());
    std::fs::write(settings, own + &host).unwrap();
    id
}

/// Waits until the process whose id is there halts, and gives it.
fn halted(id: &Path) -> Pid {
    let begun = Instant::now();
    loop {
        let pid = std::fs::read_to_string(id).unwrap_or_default().trim().parse().ok();
        let stat =
            pid.and_then(|pid: i32| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok());
        if stat.is_some_and(|stat| stat.rsplit(") ").next().unwrap_or_default().starts_with('T')) {
            return Pid::from_raw(pid.unwrap()).unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not halt");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn others_see_how_far_a_publish_on_a_host_is() {
    let lab = lab(&Kind::default());
    let files: Vec<String> = (0..40).map(|n| format!("input/{}/{n}", n % 4)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|path| (path.as_str(), "base")).collect();
    let (p1, p2) = lab.pair(&files);
    // Where the tree is copied, and where it is changed, too.
    for (turn, (place, all_done)) in
        [("host.built", false), ("host.applied", true)].into_iter().enumerate()
    {
        let id = halts_at(&lab, &p2, place);
        for n in 0..3 {
            p2.write(&format!("input/0/{turn}-{n}"), "new");
        }
        let running = p2.start(&["sync"]);
        let agent = halted(&id);
        let told = p1.dsg(&["status"]).ok().json();
        let leases = told["at_work"].as_array().unwrap_or_else(|| panic!("{told}"));
        assert_eq!(leases.len(), 1, "{told}");
        let (lease, snapshot) = (&leases[0], format!("s{}", turn + 2));
        assert_eq!(
            (lease["who"].as_str(), lease["work"].as_str(), lease["snapshot"].as_str()),
            (Some("p2@example.org"), Some("publishing"), Some(&*snapshot)),
            "{told}"
        );
        let far = lease["files"].as_array().unwrap_or_else(|| panic!("{told}"));
        let all = 43 + 3 * turn as u64;
        assert_eq!(far[1], all, "{told}");
        assert!(
            far[0].as_u64().is_some_and(|far| far <= all && (far == all) == all_done),
            "{told}"
        );
        let words = p1.words(&["status"]).ok();
        assert!(words.stdout.contains(&format!("publishes {snapshot}")), "{}", words.stdout);
        assert!(words.stdout.contains(&format!("of {all} files")), "{}", words.stdout);
        kill_process(agent, Signal::CONT).unwrap();
        running.end().ok();
        assert!(p1.dsg(&["status"]).ok().json()["at_work"].is_null());
        let settings = p2.runner.config.join("dsg.yml");
        let own = std::fs::read_to_string(&settings).unwrap();
        let own: Vec<&str> = own.lines().filter(|line| !line.starts_with("hosts")).collect();
        std::fs::write(settings, own.join("\n") + "\n").unwrap();
    }
}
