//! Much content, and the program `ssh` that may carry it quicker: only where that asks nothing, costs
//! nothing and ends with the sync.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::proxy::{Proxy, Weather};
use dsg_testkit::run::wait_until;
use dsg_testkit::sshd::{Kind, Sshd};
use rustix::process::Signal;

use crate::lab;
use crate::network::noise;

/// So much is worth a quicker way.
const MUCH: usize = 128 << 20;

/// `Host tank`: the lab's server at a port, with all that the program `ssh` would look for in the account's
/// home.
fn configure(lab: &Lab, checkout: &mut Checkout, port: u16, more: &str) {
    let home = checkout.runner.home.join(".ssh");
    let config = format!(
        "Host *\n UserKnownHostsFile {0}/known_hosts\n IdentityFile {0}/id_ed25519\n\
         Host tank\n HostName 127.0.0.1\n Port {port}\n User {1}\n{more}",
        home.display(),
        lab.host().user
    );
    std::fs::write(home.join("config"), config).unwrap();
    checkout.address = format!("tank:{}", lab.repo.display()).into();
}

/// A program `ssh` that notes its number when it logs in, and then does this with its arguments. Gives the
/// checkout that finds it, and where it notes that.
fn with_program(checkout: &Checkout, then: &str) -> (Checkout, PathBuf) {
    let home = &checkout.runner.home;
    let (programs, noted) = (home.join("programs"), home.join("noted"));
    std::fs::create_dir(&programs).unwrap();
    let script = format!(
        "#!/bin/sh\nreal='/usr/bin/ssh -F {0}/.ssh/config'\n\
         case \"$1\" in -G) exec $real \"$@\";; esac\necho $$ >> {1}\n{then}\n",
        home.display(),
        noted.display()
    );
    std::fs::write(programs.join("ssh"), script).unwrap();
    std::fs::set_permissions(programs.join("ssh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", programs.display());
    (checkout.with("PATH", path), noted)
}

fn first_noted(noted: &PathBuf) -> u32 {
    let text = std::fs::read_to_string(noted).unwrap_or_default();
    text.lines().next().and_then(|line| line.parse().ok()).expect("a program was started")
}

fn lives(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_program_that_lets_wait_is_given_up_and_the_sync_goes_on_over_the_first_line() {
    let lab = lab(&Kind::default());
    let mut p1 = lab.checkout("p1");
    configure(&lab, &mut p1, lab.host().port, "");
    let (p1, noted) = with_program(&p1, "exec sleep 120");
    p1.write("input/much", noise(1, MUCH));
    let begun = Instant::now();
    p1.init();
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert!(!lives(first_noted(&noted)), "it is left behind");
    assert_eq!(lab.host().log().matches("Accepted publickey").count(), 1);
    p1.assert_in_sync();
    assert_eq!(lab.repo_tree(), p1.tree());
}

#[test]
fn ctrl_c_at_a_terminal_cancels_the_sync_and_does_not_cut_its_line() {
    let lab = lab(&Kind::default());
    let proxy = Proxy::to(lab.host().port, Weather { rate: 40 << 20, ..Weather::default() });
    let mut p1 = lab.checkout("p1");
    lab.host().introduce(&p1.runner.home, proxy.port);
    configure(&lab, &mut p1, proxy.port, "");
    let (p1, noted) = with_program(&p1, "exec $real \"$@\"");
    p1.write("input/a", "one");
    p1.init();
    p1.write("input/much", noise(2, MUCH));
    let before = proxy.bytes().0;
    let sync = p1.start(&["sync"]);
    wait_until(|| proxy.bytes().0 > before + (MUCH as u64) / 4);
    assert!(lives(first_noted(&noted)), "the content goes by the program ssh");
    // To the whole group of the terminal.
    sync.signal_group(Signal::INT);
    sync.end().expect(130).failed("cancelled");
    proxy.set(Weather::default());
    let sent = proxy.bytes().0;
    p1.sync();
    let again = proxy.bytes().0 - sent;
    assert!(again < (MUCH as u64) * 9 / 10, "{again} bytes were sent again");
    p1.assert_in_sync();
}

#[test]
fn over_a_jump_host_no_program_logs_in_that_could_ask_there() {
    let lab = lab(&Kind::default());
    let gate = Sshd::start(&Kind::default());
    let mut p1 = lab.checkout("p1");
    gate.admit(&p1.runner.home, "");
    gate.introduce(&p1.runner.home, gate.port);
    let jump = format!(" ProxyJump {}@127.0.0.1:{}\n", gate.user, gate.port);
    configure(&lab, &mut p1, lab.host().port, &jump);
    let (p1, noted) = with_program(&p1, "exec $real \"$@\"");
    p1.write("input/much", noise(3, MUCH));
    p1.init();
    p1.assert_in_sync();
    assert!(!noted.exists(), "{:?}", std::fs::read_to_string(noted));
    assert_eq!(gate.log().matches("Accepted publickey").count(), 2, "of init and status");
}
