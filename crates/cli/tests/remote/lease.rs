//! Who is at work in a repository on a host, and how far, as others see it.

use dsg_testkit::agent::Known;
use dsg_testkit::sshd::Kind;
use rustix::process::{Signal, kill_process};

use crate::lab;

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
        let known = Known::with(&lab, &p2, &format!("DSG_STOP_AT={place}"));
        for n in 0..3 {
            p2.write(&format!("input/0/{turn}-{n}"), "new");
        }
        let running = p2.start(&["sync"]);
        let agent = known.halted();
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
    }
}
