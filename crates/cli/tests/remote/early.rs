//! The first login is made while the folder is looked at: once, asking nobody, and for nobody who has left.

use dsg_testkit::proxy::{Proxy, Weather};
use dsg_testkit::run::{skipped, wait_until};
use rustix::process::Signal;

use crate::far;

fn logins(lab: &dsg_testkit::lab::Lab) -> usize {
    lab.host().log().matches("Accepted publickey").count()
}

#[test]
fn the_first_login_is_made_while_the_folder_is_still_looked_at() {
    let lab = far();
    if lab.is_on_zfs() {
        return skipped("the log of another machine's sshd is not at hand");
    }
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    // More than can be read in the time of any login.
    let huge = std::fs::File::create(p1.at("input/huge")).unwrap();
    huge.set_len(512 << 30).unwrap();
    let init = p1.start(&["init".as_ref(), p1.address.as_os_str()]);
    let is_in = std::panic::catch_unwind(|| wait_until(|| logins(&lab) == 1));
    init.signal(Signal::INT);
    init.end().expect(130).failed("cancelled");
    assert!(is_in.is_ok(), "it was still reading, and had not logged in");
    assert!(!p1.has(".dsg") && !lab.repo.exists(), "nothing was made");

    // Where it is needed, that login is used.
    p1.remove("input/huge");
    p1.init();
    assert_eq!(logins(&lab), 2, "one of each");
}

#[test]
fn a_first_login_that_does_not_get_on_is_left_by_whoever_stops() {
    let mut lab = far();
    let proxy = Proxy::to(lab.port(), Weather::default());
    lab.through(proxy.port);
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    proxy.stall(true);
    let init = p1.start(&["init".as_ref(), p1.address.as_os_str()]);
    wait_until(|| proxy.connections() == 1);
    init.signal(Signal::INT);
    init.end().expect(130).failed("cancelled");
    assert!(!p1.has(".dsg"), "nothing was made");
    proxy.stall(false);
    p1.init();
}

#[test]
fn a_host_that_does_not_let_us_in_is_asked_once_and_the_reason_told() {
    let mut lab = far();
    let proxy = Proxy::to(lab.port(), Weather::default());
    lab.through(proxy.port);
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    let key = p1.runner.home.join(".ssh/id_ed25519");
    let aside = p1.runner.home.join("key");
    std::fs::rename(&key, &aside).unwrap();
    p1.try_init().expect(6).failed("login-refused");
    assert_eq!(proxy.connections(), 1, "careful hosts count refused logins");
    assert!(!p1.has(".dsg"), "nothing was made");
    std::fs::rename(&aside, &key).unwrap();
    p1.init();
}
