//! The agent: brought to a host that has never seen DSG, found there later, and put right.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use dsg_testkit::lab::Lab;
use dsg_testkit::run::skipped;
use dsg_testkit::sshd::{Kind, TESTER_ID, missing};

use crate::lab;

/// The agents in the cache of the account on the host.
fn cached(lab: &Lab) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(lab.host().home().join(".cache/dsg"));
    entries.into_iter().flatten().map(|e| e.unwrap().path()).collect()
}

#[test]
fn a_host_that_has_never_seen_dsg_is_ready_after_one_command() {
    let lab = lab(&Kind::default());
    let p1 = lab.checkout("p1");
    p1.write("input/a.csv", "one\n");
    let made = p1.init();
    assert_eq!(made.json()["snapshot"], "s1");
    let agents = cached(&lab);
    assert_eq!(agents.len(), 1, "{agents:?}");
    let facts = std::fs::metadata(&agents[0]).unwrap();
    assert_eq!(facts.permissions().mode() & 0o777, 0o700);
    let brought = facts.modified().unwrap();

    let p2 = lab.cloned("p2");
    assert_eq!(p2.read("input/a.csv"), "one\n");
    p2.write("input/a.csv", "two\n");
    p2.write("input/b.csv", "new\n");
    p2.sync();
    p1.write("input/a.csv", "other\n");
    p1.try_sync(&[]).expect(3).failed("conflicts");
    p1.resolve("input/a.csv", "--both");
    p1.sync();
    p1.assert_in_sync();
    assert_eq!(p1.read("input/b.csv"), "new\n");
    let log = p1.dsg(&["log"]).ok().json();
    assert_eq!(log["snapshots"].as_array().unwrap().len(), 3);
    let same = std::fs::metadata(&cached(&lab)[0]).unwrap().modified().unwrap();
    assert_eq!(brought, same, "it was brought once");
    // What a publish leaves in the repository is ordinary files.
    assert_eq!(lab.repo_tree(), p1.tree());
}

#[test]
fn a_shell_that_talks_does_no_harm() {
    let lab = lab(&Kind { chatty: true, ..Kind::default() });
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    p1.init();
    p1.write("input/a", "two");
    p1.sync();
    assert_eq!(lab.cloned("p2").read("input/a"), "two");
}

#[test]
fn another_account_of_the_host_owns_what_it_makes() {
    use std::os::unix::fs::MetadataExt as _;
    let kind = Kind { tester: true, ..Kind::default() };
    if let Some(why) = missing(&kind) {
        return skipped(&why);
    }
    let lab = lab(&kind);
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    p1.init();
    let owner = std::fs::metadata(lab.repo.join("input/a")).unwrap().uid();
    assert_eq!(owner, TESTER_ID);
}

#[test]
fn an_agent_that_was_damaged_is_brought_anew() {
    let lab = lab(&Kind::default());
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    p1.init();
    let agent = cached(&lab).remove(0);
    let whole = std::fs::read(&agent).unwrap();
    for damage in [&b"#!/bin/sh\necho hello\n"[..], b"", b"\x7fELF and nothing more"] {
        std::fs::write(&agent, damage).unwrap();
        p1.assert_in_sync();
        assert_eq!(std::fs::read(&agent).unwrap(), whole);
    }
}

#[test]
fn a_path_for_the_agent_is_taken_at_its_word() {
    let lab = lab(&Kind::default());
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    let elsewhere = lab.path().join("the-agent");
    let settings = p1.runner.config.join("dsg.yml");
    let settings_text = format!(
        "user_id: p1@example.org\nhosts: {{127.0.0.1: {{agent_path: {}}}}}\n",
        elsewhere.display()
    );
    std::fs::write(settings, settings_text).unwrap();
    let failed = p1.try_init().expect(6).failed("agent");
    assert!(failed.json()["error"]["message"].as_str().unwrap().contains("the-agent"));
    std::fs::copy(dsg_testkit::agent::program(), &elsewhere).unwrap();
    p1.init();
    assert_eq!(cached(&lab), [""; 0].map(PathBuf::from), "none was brought");
}

#[test]
fn where_no_program_may_run_in_the_home_the_way_out_is_named_and_works() {
    let kind = Kind { noexec: true, ..Kind::default() };
    if let Some(why) = missing(&kind) {
        return skipped(&why);
    }
    let lab = lab(&kind);
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    let failed = p1.try_init().expect(6).failed("agent").json();
    let said = failed["error"]["message"].as_str().unwrap();
    assert!(said.contains("No program may run in the home"), "{said}");
    assert!(failed["error"]["hint"].as_str().unwrap().contains("agent_path"), "{failed}");
    assert_eq!(cached(&lab), [""; 0].map(PathBuf::from), "nothing was left there");
    assert!(!lab.repo.exists() && !lab.sidecar().exists());

    let settings = format!(
        "user_id: p1@example.org\nhosts: {{127.0.0.1: {{agent_path: {}}}}}\n",
        dsg_testkit::agent::program().display()
    );
    std::fs::write(p1.runner.config.join("dsg.yml"), settings).unwrap();
    p1.init();
    assert_eq!(lab.repo_tree(), p1.tree());
}

#[test]
fn the_doctor_names_each_step_and_the_one_that_fails() {
    let lab = lab(&Kind::default());
    let p1 = lab.checkout("p1");
    let address = lab.address().into_string().unwrap();
    let steps = |done: &dsg_testkit::run::Done| -> Vec<(String, bool)> {
        let document = done.json();
        let steps = document["steps"].as_array().unwrap().iter();
        steps.map(|s| (s["step"].as_str().unwrap().to_owned(), s["ok"] == true)).collect()
    };
    let well = p1.dsg(&["doctor", &address]).ok();
    let names =
        ["configuration", "network", "host key", "login", "agent", "place", "trial", "repository"];
    assert_eq!(steps(&well), names.map(|name| (name.to_owned(), true)), "{well:?}");
    assert!(well.stdout.contains(" free"), "{well:?}");

    std::fs::remove_file(p1.runner.home.join(".ssh/id_ed25519")).unwrap();
    let refused = p1.dsg(&["doctor", &address]).expect(6);
    assert_eq!(steps(&refused).last().unwrap(), &("login".to_owned(), false), "{refused:?}");
    std::fs::remove_file(p1.runner.home.join(".ssh/known_hosts")).unwrap();
    let unknown = p1.dsg(&["doctor", &address]).expect(6);
    assert_eq!(steps(&unknown).last().unwrap(), &("host key".to_owned(), false), "{unknown:?}");
}
