//! Much content takes the quicker way, where there is one.

use super::*;
use crate::endpoint::remote::MUCH;

/// An endpoint whose quicker way is this, and how often that was asked for.
fn with(
    host: &Host,
    stream: Stream,
    quicker: impl Fn() -> Option<Stream> + Send + Sync + 'static,
) -> (RemoteEndpoint, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let remote = RemoteEndpoint::over(stream, &host.text(), Opening::Existing).unwrap();
    let again = Box::new(|| panic!("the line was lost"));
    let quicker = Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        quicker()
    });
    (remote.reopening(Reopen { again, quicker }), asked)
}

#[test]
fn much_content_goes_over_another_line_and_only_once() {
    let host = Host::with(&[("a", "one")]);
    let (slow, first) = start(Fuse::of(u64::MAX));
    let (quick, second) = start(Fuse::of(u64::MAX));
    let quick = Mutex::new(Some(quick));
    let (remote, asked) = with(&host, slow, move || quick.lock().unwrap().take());
    remote.expect(MUCH - 1);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    remote.expect(MUCH);
    assert!(first.ended().success(), "nobody needs the slower one any more");
    remote.expect(MUCH);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let source = Source::of([("b", b"two".to_vec())]);
    publish(&remote, Some(SnapshotId::FIRST), &source, source.changes()).unwrap();
    assert_eq!(manifest(&remote).into_keys().collect::<Vec<_>>(), ["a", "b"]);
    drop(remote);
    assert!(second.ended().success());
}

#[test]
fn a_transaction_is_not_left_for_a_quicker_way() {
    let host = Host::with(&[("a", "one")]);
    let (remote, asked) = with(&host, agent(), || Some(agent()));
    let source = Source::of([("b", b"two".to_vec())]);
    let publication = publication(Some(SnapshotId::FIRST), source.changes());
    let id = &publication.authorship.transaction;
    let mut transaction = remote.begin(publication.base, id, "").unwrap();
    remote.expect(MUCH);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let monitor = Monitor::silent();
    assert!(transaction.stage(&source.uploads(), &source, &monitor).unwrap().is_empty());
    transaction.publish(&publication, &monitor).unwrap();
}

#[test]
fn where_the_quicker_way_fails_the_first_one_goes_on() {
    let host = Host::with(&[("a", "one")]);
    let (slow, process) = start(Fuse::of(u64::MAX));
    let turns = AtomicUsize::new(0);
    // None at all, then some that are cut at once.
    let (remote, asked) = with(&host, slow, move || match turns.fetch_add(1, Ordering::Relaxed) {
        0 => None,
        turn => Some(start(Fuse::of(turn as u64 * 20)).0),
    });
    for turn in 1..4 {
        remote.expect(MUCH);
        assert_eq!(asked.load(Ordering::Relaxed), turn);
        assert_eq!(manifest(&remote).into_keys().collect::<Vec<_>>(), ["a"]);
    }
    assert!(process.0.lock().unwrap().try_wait().unwrap().is_none());
}
