//! Hosts that want several proofs, or hang up when they are shown too many; keys that are in an agent only.

use dsg_testkit::ssh_agent::SshAgent;

use super::*;

/// A server with an account that has a key and a password, and wants this (`AuthenticationMethods`).
fn wants(methods: &str, kind: &Kind) -> Option<(Sshd, Client)> {
    if let Some(why) = missing(kind) {
        skipped(&why);
        return None;
    }
    let rules = vec![format!("AuthenticationMethods {methods}"), "PubkeyAuthentication yes".into()];
    let sshd = Sshd::start(&Kind { rules, ..kind.clone() });
    let client = Client::of(&sshd);
    Some((sshd, client))
}

fn told(secrets: &[&'static str]) -> Told {
    Told { secrets: Mutex::new(secrets.to_vec()), ..Told::default() }
}

#[test]
fn a_host_that_wants_a_key_and_a_password_gets_both() {
    for methods in ["publickey,password", "password,publickey"] {
        let kind = Kind { password: true, ..Kind::default() };
        let Some((sshd, client)) = wants(methods, &kind) else { return };
        let person = told(&["wrong", PASSWORD]);
        let session = client.connect(&sshd, sshd.port, &person).unwrap();
        assert_eq!(
            said(session.program("id -un".into(), &Nobody).unwrap()),
            "dsg-tester\n",
            "{methods}"
        );
        let asked = person.asked.into_inner().unwrap();
        assert!(asked.len() == 2 && asked[1].contains("again: true"), "{methods}: {asked:?}");

        // One of them alone does not do, and what was taken is told.
        let refused = client.connect(&sshd, sshd.port, &Nobody).err().unwrap();
        assert_eq!(refused.code, Code::LoginRefused, "{methods}");
        assert!(refused.message.contains("a password (nobody gave one)"), "{refused}");
        if methods.starts_with("publickey") {
            assert!(refused.message.contains("the host wants more"), "{refused}");
            let hint = refused.hint.unwrap_or_default();
            assert!(hint.contains("The host accepts password."), "{hint}");
        }
    }
}

#[test]
fn a_host_that_wants_a_key_and_asks_then_gets_both() {
    let kind = Kind { asks: true, ..Kind::default() };
    let Some((sshd, mut client)) = wants("publickey,keyboard-interactive", &kind) else { return };
    let session = client.connect(&sshd, sshd.port, &told(&["wrong", PASSWORD])).unwrap();
    assert_eq!(said(session.program("id -un".into(), &Nobody).unwrap()), "dsg-tester\n");

    // The same with the key in an agent, among others.
    let agent = SshAgent::start();
    agent.add_strange(1);
    agent.add(&client.home.path().join(".ssh/id_ed25519"));
    std::fs::remove_file(client.home.path().join(".ssh/id_ed25519")).unwrap();
    client.agent = Some(agent.socket());
    client.connect(&sshd, sshd.port, &told(&[PASSWORD])).unwrap();
}

#[test]
fn a_host_that_wants_two_keys_gets_both() {
    let kind = Kind { tester: true, ..Kind::default() };
    let Some((sshd, client)) = wants("publickey,publickey", &kind) else { return };
    assert_eq!(code(client.connect(&sshd, sshd.port, &Nobody)), Code::LoginRefused);
    let second = Client::of(&sshd);
    let from = second.home.path().join(".ssh/id_ed25519");
    std::fs::copy(from, client.home.path().join(".ssh/second")).unwrap();
    client.config("Host *\n IdentityFile ~/.ssh/id_ed25519\n IdentityFile ~/.ssh/second\n");
    let session = client.connect(&sshd, sshd.port, &Nobody).unwrap();
    assert_eq!(said(session.program("id -un".into(), &Nobody).unwrap()), "dsg-tester\n");
}

/// With so many keys in the agent `ssh` says "Too many authentication failures".
#[test]
fn a_host_that_hangs_up_after_too_many_tries_is_not_out_of_reach() {
    for most in [1, 2, 3] {
        let rules = vec![format!("MaxAuthTries {most}")];
        let sshd = Sshd::start(&Kind { rules, ..Kind::default() });
        let mut client = Client::of(&sshd);
        let agent = SshAgent::start();
        agent.add_strange(4);
        client.agent = Some(agent.socket());
        let refused = client.connect(&sshd, sshd.port, &Nobody).err().unwrap();
        assert_eq!(refused.code, Code::LoginRefused, "{refused}");
        assert!(refused.message.contains("hung up"), "{refused}");
        let hint = refused.hint.unwrap_or_default();
        assert!(hint.contains("IdentitiesOnly") && hint.contains("IdentityFile"), "{hint}");
        // What the hint says helps.
        client.config("Host *\n IdentitiesOnly yes\n IdentityFile ~/.ssh/id_ed25519\n");
        client.connect(&sshd, sshd.port, &Nobody).unwrap();
    }
}

/// Whoever is asked for the password trips over the cable.
struct Trips<'a>(&'a Proxy);
impl Ask for Trips<'_> {
    fn trust(&self, _: &UnknownHost) -> Option<bool> {
        None
    }
    fn secret(&self, _: &Secret) -> Option<String> {
        self.0.cut();
        Some("wrong".to_owned())
    }
}

#[test]
fn a_network_that_is_cut_while_the_host_is_asked_is_out_of_reach() {
    let kind = Kind { password: true, ..Kind::default() };
    if let Some(why) = missing(&kind) {
        return skipped(&why);
    }
    let sshd = Sshd::start(&kind);
    let proxy = Proxy::to(sshd.port, Weather::default());
    let client = Client::new();
    sshd.introduce(client.home.path(), proxy.port);
    assert_eq!(code(client.connect(&sshd, proxy.port, &Trips(&proxy))), Code::Unreachable);
}

#[test]
fn a_key_that_is_named_by_its_public_half_is_taken_from_the_agent() {
    let sshd = Sshd::start(&Kind { rules: vec!["MaxAuthTries 1".into()], ..Kind::default() });
    let mut client = Client::of(&sshd);
    let private = client.home.path().join(".ssh/id_ed25519");
    let agent = SshAgent::start();
    agent.add_strange(3);
    agent.add(&private);
    std::fs::remove_file(&private).unwrap();
    client.agent = Some(agent.socket());
    for only in ["", " IdentitiesOnly yes\n"] {
        client.config(&format!("Host *\n{only} IdentityFile ~/.ssh/id_ed25519.pub\n"));
        client.connect(&sshd, sshd.port, &Nobody).unwrap();
    }
    // Where its private half is not, that is what is said.
    client.agent = None;
    let refused = client.connect(&sshd, sshd.port, &Nobody).err().unwrap();
    assert_eq!(refused.code, Code::LoginRefused);
    assert!(refused.message.contains("does not have its private key"), "{refused}");
}

#[test]
fn a_host_that_is_not_to_be_remembered_is_asked_about_each_time() {
    let sshd = Sshd::start(&Kind::default());
    let client = Client::new();
    sshd.admit(client.home.path(), "");
    for word in ["/dev/null", "none"] {
        client.config(&format!("Host *\n UserKnownHostsFile {word}\n"));
        for _ in 0..2 {
            let yes = Told { trusts: true, ..Told::default() };
            client.connect(&sshd, sshd.port, &yes).unwrap();
            assert_eq!(*yes.asked.lock().unwrap(), [sshd.fingerprint()]);
        }
        let refused = client.connect(&sshd, sshd.port, &Nobody).err().unwrap();
        assert_eq!(refused.code, Code::HostKeyUnknown);
        let hint = refused.hint.unwrap_or_default();
        assert!(hint.contains("UserKnownHostsFile"), "{hint}");
        // dsg trust, which would have to write it down.
        let way = client.way(&format!("{}@127.0.0.1:{}", sshd.user, sshd.port));
        let key = builtin::key_of(&way, &Nobody).unwrap();
        let told = crate::transport::ssh::login::remember(&way.routes[0], &key).unwrap_err();
        assert_eq!(told.code, Code::Config);
        assert!(told.hint.unwrap_or_default().contains("UserKnownHostsFile"));
    }
    assert!(!client.home.path().join(".ssh/known_hosts").exists());
}
