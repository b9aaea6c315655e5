//! A host whose clock is wrong: whoever decides by time alone would lose something.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use dsg_testkit::keeping::assert_repository;
use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::proxy::{Proxy, Weather};
use dsg_testkit::run::skipped;
use dsg_testkit::sshd::Kind;
use dsg_testkit::world::World;

use crate::lab;
use crate::network::noise;

/// What makes a program see another time.
fn library() -> Option<PathBuf> {
    let place =
        format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
    Some(PathBuf::from(place)).filter(|library| library.exists())
}

/// From now on the agent of this checkout's repository sees a time that is off by so much.
fn off_by(lab: &Lab, checkout: &Checkout, library: &Path, off: &str) -> PathBuf {
    let program = lab.path().join("agent-of-another-time");
    let seen = lab.path().join("seen");
    let text = format!(
        "#!/bin/sh\nexport LD_PRELOAD={} FAKETIME={off} FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1\n\
         date +%Y >>{}\nexec {} \"$@\"\n",
        library.display(),
        seen.display(),
        dsg_testkit::agent::program().display()
    );
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = checkout.runner.config.join("dsg.yml");
    let own = std::fs::read_to_string(&settings).unwrap();
    let own = own.lines().take(2).collect::<Vec<_>>().join("\n");
    let host = format!("hosts: {{127.0.0.1: {{agent_path: {}}}}}", program.display());
    std::fs::write(settings, format!("{own}\n{host}\n")).unwrap();
    seen
}

#[test]
fn a_host_whose_clock_is_a_year_off_loses_nothing() {
    let Some(library) = library() else { return skipped("there is no faketime: install it") };
    let this_year = jiff::Timestamp::now().strftime("%Y").to_string();
    for off in ["+366d", "-366d"] {
        let mut lab = lab(&Kind::default());
        let proxy = Proxy::to(lab.host().port, Weather::default());
        lab.through(proxy.port);
        let (p1, p2) = (lab.checkout("p1"), lab.checkout("p2"));
        let seen = off_by(&lab, &p1, &library, off);
        p1.write("input/a", "one");
        p1.init();
        let years = std::fs::read_to_string(seen).unwrap();
        assert!(!years.is_empty() && !years.contains(&this_year), "the host sees {years}");
        // One that sees the true time, and one that does not, in turn.
        std::fs::remove_dir(&p2.dir).unwrap();
        p2.clone_here().ok();
        for turn in 0..3 {
            p2.write("input/a", format!("{turn} by p2"));
            p2.sync();
            p1.write(&format!("input/{turn}"), "by p1");
            p1.sync();
            p1.assert_in_sync();
            p2.sync();
            p2.assert_in_sync();
        }
        p2.write("input/a", "at once");
        p1.write("input/a", "both");
        p2.sync();
        p1.try_sync(&[]).expect(3).failed("conflicts");
        p1.resolve("input/a", "--local");
        p1.sync();
        let times = p1.dsg(&["log"]).ok().json();
        let times = times["snapshots"].as_array().unwrap().iter().map(|s| s["time"].to_string());
        let times: Vec<String> = times.collect();
        let true_times: Vec<_> = times.iter().filter(|time| time.contains(&this_year)).collect();
        assert_eq!(true_times.len(), times.len(), "{times:?}");

        // What was cut off changed nothing, is held by nobody, and is finished by the next.
        for n in 0..3 {
            p1.write(&format!("input/big{n}"), noise(n, 4 << 20));
        }
        let before = World::observe(&lab, &[&p1, &p2]);
        let cut_after_up = proxy.bytes().0 + (6 << 20);
        proxy.set(Weather { cut_after_up, ..Weather::default() });
        p1.try_sync(&[]).expect(6).failed("unreachable");
        proxy.set(Weather::default());
        assert_eq!(World::observe(&lab, &[&p1, &p2]).which(&[&before]), Ok(0));
        assert!(p2.dsg(&["status"]).ok().json()["at_work"].is_null());
        let sent = proxy.bytes().0;
        p1.sync();
        let again = proxy.bytes().0 - sent;
        assert!(again < (9 << 20), "{off}: {again} of {} bytes were sent again", 12 << 20);
        p1.assert_in_sync();
        assert_repository(&lab, &p1);
    }
}
