//! Whatever is asked, the agent answers as the store does in process.

use std::fmt::Debug;
use std::sync::Mutex;

use dsg_core::failure::Failure;
use dsg_host::tree::Traced;

use super::*;
use crate::endpoint::Receive;

fn s(number: u64) -> SnapshotId {
    SnapshotId::new(number).unwrap()
}

/// A failure, as far as a person sees it.
fn seen<T: Debug>(outcome: Outcome<T>) -> String {
    let told =
        |f: Failure| (f.code, f.message.clone(), f.hint.clone(), f.paths.clone(), f.detail());
    format!("{:?}", outcome.map_err(told))
}

/// What an endpoint answers to everything that changes nothing.
fn answers(endpoint: &dyn Endpoint) -> Vec<String> {
    let silent = Monitor::silent();
    let mut all = vec![
        format!("{:?}", endpoint.info()),
        seen(endpoint.head()),
        seen(endpoint.header(s(1))),
        seen(endpoint.header(s(99))),
        seen(endpoint.headers(None, usize::MAX)),
        seen(endpoint.headers(Some(s(3)), 1)),
        seen(endpoint.kept()),
        seen(endpoint.outcome("01890000-0000-7000-8000-000000000000")),
        seen(endpoint.outcome("no transaction")),
        seen(endpoint.verify_history(true, &silent)),
        seen(endpoint.verify_contents(None, &silent)),
        seen(endpoint.verify_contents(Some(s(77)), &silent)),
        seen(endpoint.check_drift(&silent)),
        seen(endpoint.leases()),
        seen(endpoint.prepare_next(&silent)),
    ];
    for path in ["a/1", "a/link", "nothing"] {
        all.push(seen(endpoint.glimpse(s(2), &path.parse().unwrap(), 3)));
    }
    let mut changes = Vec::new();
    let mut each = |change: Change| {
        changes.push(format!("{change:?}"));
        Ok(())
    };
    all.push(seen(endpoint.changes_since(None, &mut each)));
    all.push(seen(endpoint.changes_since(Some(s(1)), &mut each)));
    all.push(seen(endpoint.changes_since(Some(s(42)), &mut each)));
    all.push(seen(endpoint.manifest(s(1), &mut each)));
    all.push(seen(endpoint.delta(s(2), &mut each)));
    all.extend(changes);
    let paths: Vec<RepoPath> = vec!["a/1".parse().unwrap(), "b".parse().unwrap()];
    for (which, most) in
        [(Traced::Paths(&paths), 99), (Traced::Paths(&paths), 1), (Traced::Containing("A/"), 2)]
    {
        let mut traced = Vec::new();
        let done = endpoint.trace(which, &mut |header, change| {
            traced.push(format!("{} {change:?}", header.id));
            Ok(traced.len() < most)
        });
        all.push(seen(done));
        all.extend(traced);
    }
    all
}

struct Received(Mutex<BTreeMap<usize, (Vec<u8>, bool)>>);

impl Receive for Received {
    fn receive(&self, index: usize, content: Content<'_>, private: bool) -> Outcome<()> {
        let bytes = whole(content)?;
        self.0.lock().unwrap().insert(index, (bytes, private));
        Ok(())
    }
}

fn fetched(
    endpoint: &dyn Endpoint,
    paths: &[RepoPath],
) -> (String, BTreeMap<usize, (Vec<u8>, bool)>) {
    let received = Received(Mutex::default());
    let done = endpoint.fetch(s(2), paths, &received, &Monitor::silent());
    (seen(done), received.0.into_inner().unwrap())
}

/// Three snapshots: files of all sizes, one replaced, one gone, a link.
fn busy() -> Host {
    let host = Host::with(&[("a/1", "one"), ("b", "bee"), ("c", "sea")]);
    let remote = host.remote();
    let large: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let source = Source::of([
        ("a/1", b"uno".to_vec()),
        ("big", large),
        ("empty", Vec::new()),
        ("twin", b"uno".to_vec()),
    ]);
    let mut changes = source.changes();
    let at: RepoPath = "a/link".parse().unwrap();
    let target = dsg_core::entry::LinkTarget::parse(&at, "1").unwrap();
    changes.push(Change { path: at, entry: Some(Entry::Link(target)) });
    changes.push(Change { path: "b".parse().unwrap(), entry: None });
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    publish(&remote, Some(s(1)), &source, changes).unwrap();
    let third = Source::of([("a/2", b"two".to_vec())]);
    publish(&remote, Some(s(2)), &third, third.changes()).unwrap();
    host
}

#[test]
fn questions_have_the_same_answers_over_a_wire() {
    let host = busy();
    let (local, remote) = (host.local(), host.remote());
    let (here, there) = (answers(&*local), answers(&remote));
    assert_eq!(here.len(), there.len());
    for (here, there) in here.iter().zip(&there) {
        assert_eq!(here, there);
    }
}

#[test]
fn files_come_as_they_are_and_a_missing_one_is_named() {
    let host = busy();
    let (local, remote) = (host.local(), host.remote());
    let mut paths: Vec<RepoPath> =
        ["a/1", "big", "c", "empty", "twin"].map(|p| p.parse().unwrap()).into();
    let came = fetched(&remote, &paths);
    assert_eq!(came.1.len(), paths.len());
    assert_eq!(came.1[&1].0.len(), 12_000_000);
    assert!(came == fetched(&*local, &paths));
    paths.push("nothing".parse().unwrap());
    let (here, there) = (fetched(&*local, &paths).0, fetched(&remote, &paths).0);
    assert!(there.contains("nothing is not among the files of s2"), "{there}");
    assert_eq!(here, there);
    // The connection is as good as before.
    assert_eq!(fetched(&remote, &paths[..1]).1[&0].0, b"uno");
}

#[test]
fn drift_is_told_with_its_paths_and_adopted() {
    let host = busy();
    let (local, remote) = (host.local(), host.remote());
    std::fs::remove_file(host.path().join("a/1")).unwrap();
    std::fs::write(host.path().join("a/1"), "changed on the host").unwrap();
    let silent = Monitor::silent();
    let told = seen(remote.check_drift(&silent));
    assert!(told.contains("a/1"), "{told}");
    assert_eq!(told, seen(local.check_drift(&silent)));
    let adopted = remote.adopt_drift(authorship("adopted"), &silent).unwrap();
    assert_eq!(adopted.id, s(4));
    assert_eq!(local.head().unwrap(), Some(adopted));
}

#[test]
fn nothing_to_do_costs_two_round_trips() {
    let host = busy();
    let remote = host.remote();
    remote.head().unwrap();
    assert_eq!(remote.round_trips(), 2);
}

#[test]
fn any_number_of_files_costs_the_same_round_trips() {
    let host = Host::new();
    let remote = RemoteEndpoint::over(agent(), &host.text(), Opening::New).unwrap();
    let names: Vec<String> = (0..1500).map(|n| format!("d{}/{n}", n % 7)).collect();
    let source = Source::of(names.iter().map(|n| (n.as_str(), n.clone().into_bytes())));
    publish(&remote, None, &source, source.changes()).unwrap();
    assert_eq!(remote.round_trips(), 5, "open, begin, wants, staged, published");
    assert_eq!(manifest(&remote).len(), 1500);
}

#[test]
fn what_cannot_go_is_left_out_and_a_twin_stands_in() {
    let host = Host::with(&[("a", "a")]);
    for endpoint in [&host.remote() as &dyn Endpoint, &*host.local()] {
        let mut source = Source::of([
            ("changed", b"as the plan saw it".to_vec()),
            ("broken", b"unreadable".to_vec()),
            ("fine", b"fine".to_vec()),
            ("twin1", b"twins".to_vec()),
            ("twin2", b"twins".to_vec()),
            ("lost1", b"lost twins".to_vec()),
            ("lost2", b"lost twins".to_vec()),
        ]);
        let at = |path: &str| source.files.iter().position(|f| &*f.0 == path).unwrap();
        let (changed, broken) = (at("changed"), at("broken"));
        let lost = [at("lost1"), at("lost2")];
        let twin = at("twin1");
        source.changed = vec![changed, twin, lost[0], lost[1]];
        source.broken = vec![broken];
        let transaction = uuid::Uuid::now_v7().to_string();
        let mut transaction = endpoint.begin(Some(s(1)), &transaction, "").unwrap();
        let refused = transaction.stage(&source.uploads(), &source, &Monitor::silent()).unwrap();
        let mut places: Vec<usize> = refused.iter().map(|(place, _)| *place).collect();
        places.sort_unstable();
        let mut expected = vec![changed, broken, lost[0], lost[1]];
        expected.sort_unstable();
        assert_eq!(places, expected);
        for (place, refusal) in &refused {
            match refusal {
                Refusal::Changed(_) => assert_ne!(*place, broken),
                Refusal::Supply(failure) => {
                    assert_eq!((*place, failure.code), (broken, dsg_core::failure::Code::Io));
                }
            }
        }
        transaction.abort().unwrap();
    }
}
