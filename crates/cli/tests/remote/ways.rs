//! Ways to a host: aliases, jump hosts, the program ssh.

use std::os::unix::fs::PermissionsExt as _;

use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::run::skipped;
use dsg_testkit::sshd::{Kind, Sshd, missing};

use crate::lab;

fn configure(checkout: &Checkout, text: &str) {
    std::fs::write(checkout.runner.home.join(".ssh/config"), text).unwrap();
}

/// `Host` and what leads to the lab's server.
fn alias(lab: &Lab, name: &str, more: &str) -> String {
    let host = lab.host();
    format!("Host {name}\n HostName 127.0.0.1\n Port {}\n User {}\n{more}", host.port, host.user)
}

#[test]
fn an_alias_of_the_ssh_configuration_is_an_address() {
    let lab = lab(&Kind::default());
    let mut p1 = lab.checkout("p1");
    configure(&p1, &alias(&lab, "tank", ""));
    p1.address = format!("tank:{}", lab.repo.display()).into();
    p1.write("input/a", "one");
    let made = p1.init().json();
    assert_eq!(made["repository"], format!("ssh://tank{}", lab.repo.display()));
    p1.assert_in_sync();
}

#[test]
fn a_host_behind_another_is_reached_through_it() {
    let lab = lab(&Kind::default());
    let gate = Sshd::start(&Kind::default());
    let mut p1 = lab.checkout("p1");
    gate.admit(&p1.runner.home, "");
    gate.introduce(&p1.runner.home, gate.port);
    let jump = format!(" ProxyJump {}@127.0.0.1:{}\n", gate.user, gate.port);
    configure(&p1, &alias(&lab, "inner", &jump));
    p1.address = format!("inner:{}", lab.repo.display()).into();
    p1.write("input/a", "one");
    p1.init();
    p1.assert_in_sync();
    assert!(gate.log().contains("Accepted publickey"), "{}", gate.log());
    drop(gate);
    p1.write("input/a", "two");
    p1.try_sync(&[]).expect(6).failed("unreachable");
}

#[test]
fn the_program_ssh_is_taken_where_the_configuration_needs_it() {
    let lab = lab(&Kind::default());
    let mut p1 = lab.checkout("p1");
    let home = p1.runner.home.join(".ssh");
    let known = format!(
        " UserKnownHostsFile {0}/known_hosts\n IdentityFile {0}/id_ed25519\n ProxyCommand bash -c 'exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3; kill $!'\n",
        home.display()
    );
    configure(&p1, &alias(&lab, "tank", &known));
    // ssh finds the account's configuration, whatever HOME says: this one is named to it.
    let programs = lab.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    let wrapper = format!("#!/bin/sh\nexec /usr/bin/ssh -F {}/config \"$@\"\n", home.display());
    std::fs::write(programs.join("ssh"), wrapper).unwrap();
    std::fs::set_permissions(programs.join("ssh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    p1 = p1.with("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    p1.address = format!("tank:{}", lab.repo.display()).into();
    p1.write("input/a", "one");
    p1.init();
    p1.write("input/a", "two");
    p1.sync();
    p1.assert_in_sync();
    let found = p1.dsg(&["doctor"]).ok().json();
    let why = found["steps"][0]["found"].as_str().unwrap();
    assert!(why.contains("the program ssh") && why.contains("ProxyCommand"), "{why}");
}

#[test]
fn an_address_of_ipv6_is_one() {
    let kind = Kind { six: true, ..Kind::default() };
    if let Some(why) = missing(&kind) {
        return skipped(&why);
    }
    let lab = lab(&kind);
    let mut p1 = lab.checkout("p1");
    let (user, port) = (&lab.host().user, lab.host().port);
    let known = format!("[::1]:{port} {}\n", lab.host().host_key());
    std::fs::write(p1.runner.home.join(".ssh/known_hosts"), known).unwrap();
    p1.address = format!("ssh://{user}@[::1]:{port}{}", lab.repo.display()).into();
    p1.write("input/a", "one");
    let made = p1.init().json();
    assert_eq!(made["repository"].as_str(), p1.address.to_str());
    p1.write("input/a", "two");
    p1.sync();
    assert_eq!(lab.repo_tree(), p1.tree());
    let found = p1.words(&["list-repos", &format!("ssh://{user}@[::1]:{port}/"), "--json"]);
    assert!(found.json()["repositories"].is_array(), "{found:?}");
    assert!(lab.host().log().contains("from ::1 port"), "{}", lab.host().log());
}

#[test]
fn a_host_that_gives_one_channel_to_a_login_is_enough() {
    let lab = lab(&Kind { rules: vec!["MaxSessions 1".into()], ..Kind::default() });
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    p1.init();
    let p2 = lab.cloned("p2");
    p2.write("input/b", "two");
    p2.sync();
    p1.sync();
    p1.assert_in_sync();
    assert_eq!(p1.read("input/b"), "two");
    p1.dsg(&["doctor"]).ok();
}

#[test]
fn the_repositories_of_a_host_are_listed_as_those_of_a_folder() {
    let lab = lab(&Kind::default());
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    p1.write("input/b", "three");
    p1.init();
    let above = lab.repo.parent().unwrap();
    let there = lab.host().address(lab.host().port, above);
    let found = p1.words(&["list-repos", &there, "--json"]).ok().json();
    assert_eq!(found["complete"], true);
    let one = &found["repositories"][0];
    assert_eq!(one["address"].as_str(), lab.address().to_str());
    assert_eq!((&one["head"], &one["files"]), (&"s1".into(), &2.into()));
    assert_eq!((&one["bytes"], &one["guarantee"]["atomic"]), (&8.into(), &true.into()));
    assert!(one["author"].is_string() && one["time"].is_string() && one["error"].is_null());

    // The same, seen on the host itself, as words.
    let words = p1.words(&["list-repos", above.to_str().unwrap()]).ok();
    assert!(words.stdout.contains("s1") && words.stdout.contains("2 files"), "{}", words.stdout);
    // The account's home, which holds none.
    let home = there.strip_suffix(above.to_str().unwrap()).unwrap();
    let none = p1.words(&["list-repos", home]).ok();
    assert!(none.stdout.contains("There is no repository in"), "{}", none.stdout);
    p1.words(&["list-repos", &format!("{home}/nowhere"), "--json"]).expect(2).failed("not-found");
}
