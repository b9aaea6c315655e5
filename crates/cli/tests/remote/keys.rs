//! Is it the host that is meant, and does it know us?

use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::sshd::{Kind, Sshd};

use crate::lab;

fn known_hosts(checkout: &Checkout) -> std::path::PathBuf {
    checkout.runner.home.join(".ssh/known_hosts")
}

fn host(lab: &Lab) -> String {
    format!("127.0.0.1:{}", lab.host().port)
}

#[test]
fn an_unknown_host_is_refused_until_its_fingerprint_is_confirmed() {
    let lab = lab(&Kind::default());
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    std::fs::remove_file(known_hosts(&p1)).unwrap();
    let refused = p1.try_init().expect(6).failed("host-key-unknown");
    let error = refused.json()["error"].clone();
    assert!(error["message"].as_str().unwrap().contains(&lab.host().fingerprint()), "{error}");
    assert!(
        error["hint"].as_str().unwrap().contains(&format!("dsg trust {}", host(&lab))),
        "{error}"
    );
    assert!(!lab.repo.exists() && !lab.sidecar().exists());

    // Nobody is at a terminal here.
    p1.dsg(&["trust", &host(&lab)]).expect(6).failed("host-key-unknown");
    let wrong = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    p1.dsg(&["trust", &host(&lab), "--yes", wrong]).expect(6).failed("host-key-changed");
    assert!(!known_hosts(&p1).exists(), "nothing was written down");
    let fingerprint = lab.host().fingerprint();
    let trusted = p1.dsg(&["trust", &host(&lab), "--yes", &fingerprint]).ok().json();
    assert_eq!(trusted["fingerprint"], fingerprint.as_str());
    p1.init();
    let again = p1.dsg(&["trust", &host(&lab)]).ok().json();
    assert_eq!(again["known_hosts"], serde_json::Value::Null, "it was known already");
}

#[test]
fn a_host_whose_key_changed_is_a_stop_and_says_where_the_old_one_stands() {
    let lab = lab(&Kind::default());
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    p1.init();
    let other = Sshd::start(&Kind::default());
    let known = format!("\n[127.0.0.1]:{} {}\n", lab.host().port, other.host_key());
    std::fs::write(known_hosts(&p1), known).unwrap();
    p1.write("input/a", "two");
    let stopped = p1.try_sync(&[]).expect(6).failed("host-key-changed");
    let message = stopped.json()["error"]["message"].as_str().unwrap().to_owned();
    let place = format!("{}:2", known_hosts(&p1).display());
    for part in [lab.host().fingerprint(), other.fingerprint(), place] {
        assert!(message.contains(&part), "{part} in {message}");
    }
    let fingerprint = lab.host().fingerprint();
    let trust = ["trust", &host(&lab), "--yes", &fingerprint];
    p1.dsg(&trust).expect(6).failed("host-key-changed");
    assert_eq!(std::fs::read_to_string(lab.repo.join("input/a")).unwrap(), "one");
}

#[test]
fn names_that_are_hashed_are_known_too() {
    let lab = lab(&Kind::default());
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    let hashed = std::process::Command::new("ssh-keygen")
        .args(["-q", "-H", "-f"])
        .arg(known_hosts(&p1))
        .output()
        .unwrap();
    assert!(hashed.status.success());
    assert!(std::fs::read_to_string(known_hosts(&p1)).unwrap().starts_with("|1|"));
    p1.init();
}

#[test]
fn a_key_that_nobody_unlocks_says_what_to_do() {
    let lab = lab(&Kind::default());
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    let key = p1.runner.home.join(".ssh/id_ed25519");
    let locked = std::process::Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", "open sesame", "-f"])
        .arg(&key)
        .status();
    assert!(locked.unwrap().success());
    let refused = p1.try_init().expect(6).failed("login-refused");
    let error = refused.json()["error"].clone();
    assert!(error["message"].as_str().unwrap().contains("needs a passphrase"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("ssh-add"), "{error}");
}

#[test]
fn a_key_in_the_ssh_agent_needs_no_question() {
    let lab = lab(&Kind::default());
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    let key = p1.runner.home.join(".ssh/id_ed25519");
    let socket = lab.path().join("agent");
    let mut agent = std::process::Command::new("ssh-agent")
        .args(["-D", "-a"])
        .arg(&socket)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // It says where it listens when it does.
    let mut line = String::new();
    let stdout = agent.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    let added = std::process::Command::new("ssh-add")
        .arg("-q")
        .arg(&key)
        .env("SSH_AUTH_SOCK", &socket)
        .status();
    assert!(added.unwrap().success());
    std::fs::remove_file(&key).unwrap();
    p1.with("SSH_AUTH_SOCK", &socket).init();
    agent.kill().unwrap();
    agent.wait().unwrap();
    p1.dsg(&["sync"]).expect(6).failed("login-refused");
}
