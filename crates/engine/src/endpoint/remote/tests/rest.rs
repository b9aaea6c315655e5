//! Agents that rest between questions, and are asked again.

use dsg_core::address::SshHost;
use dsg_core::failure::Code;

use super::*;

/// What an agent holds open in a place.
fn held(process: &Process, place: &Path) -> Vec<PathBuf> {
    let pid = process.0.lock().unwrap().id();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let open = open.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
    open.filter(|path| path.starts_with(place)).collect()
}

/// Until the agent has come to its end of what it was told.
fn until(done: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !done() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "in vain");
        std::thread::yield_now();
    }
}

fn opened(host: &SshHost, stream: Stream, place: &Host) -> RemoteEndpoint {
    RemoteEndpoint::over(stream, &place.text(), Opening::Existing).unwrap().resting(host)
}

fn rested(host: &SshHost, place: &Host) -> Option<RemoteEndpoint> {
    RemoteEndpoint::rested(host, &place.text()).unwrap().map(|again| again.resting(host))
}

#[test]
fn the_next_question_finds_the_agent_of_the_last_one_and_any_repository_of_its_host() {
    let host: SshHost = "ann@rests-and-is-asked".parse().unwrap();
    let (one, two) = (Host::with(&[("a", "one")]), Host::with(&[("b", "two")]));
    assert!(rested(&host, &one).is_none());
    let (stream, process) = start(Fuse::of(u64::MAX));
    let first = opened(&host, stream, &one);
    first.head().unwrap();
    // One that is being asked is nobody else's.
    assert!(rested(&host, &one).is_none());
    assert!(!held(&process, one.0.path()).is_empty());
    drop(first);

    // It holds nothing of the repository: a disk may be unmounted, a transaction is nobody's.
    until(|| held(&process, one.0.path()).is_empty());
    assert!(rested(&"ben@rests-and-is-asked".parse().unwrap(), &one).is_none(), "another login");
    let again = rested(&host, &two).unwrap();
    assert_eq!(manifest(&again).into_keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(again.round_trips(), 3, "to open, for the head, for the manifest");
    let source = Source::of([("c", b"three".to_vec())]);
    publish(&again, Some(SnapshotId::FIRST), &source, source.changes()).unwrap();
    drop(again);
    let third = rested(&host, &one).unwrap();
    assert_eq!(manifest(&third).into_keys().collect::<Vec<_>>(), ["a"]);
    let missing = RemoteEndpoint::rested(&host, &two.text()).unwrap();
    assert!(missing.is_none(), "the only one is being asked");
    drop(third);
    crate::endpoint::remote::dismiss(Some(&host));
    assert!(process.ended().success(), "it ends when it is not needed any more");
    assert!(rested(&host, &one).is_none());
}

#[test]
fn an_agent_that_was_lost_while_it_rested_is_not_asked() {
    let host: SshHost = "rests-and-is-lost".parse().unwrap();
    let place = Host::with(&[("a", "one")]);
    // It goes while somebody looks, or only when it is asked.
    let (stream, process) = start(Fuse::of(u64::MAX));
    drop(opened(&host, stream, &place));
    process.0.lock().unwrap().kill().unwrap();
    process.ended();
    assert!(rested(&host, &place).is_none());

    let fuse = Fuse::of(u64::MAX);
    let (stream, process) = start(fuse.clone());
    drop(opened(&host, stream, &place));
    fuse.left.store(3, Ordering::Relaxed);
    assert!(rested(&host, &place).is_none());
    process.ended();
}

#[test]
fn an_agent_with_something_left_to_do_does_not_rest() {
    let host: SshHost = "does-not-rest".parse().unwrap();
    let place = Host::with(&[("a", "one")]);
    let (stream, process) = start(Fuse::of(u64::MAX));
    let endpoint = opened(&host, stream, &place);
    let transaction = uuid::Uuid::now_v7().to_string();
    let open = endpoint.begin(Some(SnapshotId::FIRST), &transaction, "ann").unwrap();
    drop(endpoint);
    assert!(rested(&host, &place).is_none());
    drop(open);
    assert!(process.ended().success());

    // And one of which another repository was asked than stands there says so, and rests.
    let (stream, process) = start(Fuse::of(u64::MAX));
    drop(opened(&host, stream, &place));
    for (nowhere, code) in
        [("/nowhere/at/all", Code::Unreachable), ("/nowhere", Code::NoRepository)]
    {
        assert_eq!(RemoteEndpoint::rested(&host, nowhere).err().map(|f| f.code), Some(code));
    }
    assert!(rested(&host, &place).is_some());
    crate::endpoint::remote::dismiss(Some(&host));
    assert!(process.ended().success());
}

#[test]
fn no_more_than_some_rest() {
    let host: SshHost = "rest-in-numbers".parse().unwrap();
    let place = Host::with(&[("a", "one")]);
    let (all, processes): (Vec<_>, Vec<_>) = (0..5)
        .map(|_| {
            let (stream, process) = start(Fuse::of(u64::MAX));
            (opened(&host, stream, &place), process)
        })
        .unzip();
    drop(all);
    let lives = |process: &&Process| process.0.lock().unwrap().try_wait().unwrap().is_none();
    until(|| processes.iter().filter(lives).count() == 3);
    crate::endpoint::remote::dismiss(Some(&host));
    until(|| processes.iter().filter(lives).count() == 0);
}
