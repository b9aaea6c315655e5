//! The connection is cut somewhere: the repository is as before or as after, nothing stays locked,
//! and what arrived is not sent again.

use dsg_core::failure::Code;
use dsg_core::repository;

use super::*;

/// Files of both kinds: many to a frame, and one over many frames.
fn source() -> Source {
    let mut files: Vec<(String, Vec<u8>)> =
        (0..200).map(|n| (format!("small/{n}"), format!("number {n} ").repeat(n).into())).collect();
    let mut noise = 1_u32;
    let large = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    });
    files.push(("large".into(), large.take(1_500_000).collect()));
    Source::of(files.iter().map(|(path, content)| (path.as_str(), content.clone())))
}

/// How many files wait in staging, whole.
fn waiting(host: &Host) -> usize {
    let list = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().map(|e| e.unwrap());
    let areas = list(host.0.path().join("srv/.repo.dsg/staging"));
    let objects = areas.flat_map(|area| list(area.path().join("objects")));
    let whole = |object: &std::fs::DirEntry| {
        let content = std::fs::read(object.path()).unwrap();
        object.file_name().to_str() == Some(&Hash::of(&content).to_string())
    };
    objects.filter(whole).count()
}

#[test]
fn wherever_the_connection_is_cut_the_repository_is_before_or_after() {
    let source = source();
    let total = source.files.len();
    let first = SnapshotId::FIRST;
    let (mut before, mut after, mut resumed) = (0, 0, 0);
    // From the first bytes to beyond the last.
    let places = (0..).map(|step| 40 + step * 1009_u64).take(12);
    let places = places.chain((1..).map(|step| step * 130_003).take(16));
    for bytes in places.chain([u64::MAX]) {
        let host = Host::with(&[("small/0", "old"), ("other", "stays")]);
        let (stream, process) = start(Fuse::of(bytes));
        let cut = RemoteEndpoint::over(stream, &host.text(), Opening::Existing);
        let published = cut.and_then(|remote| {
            let published = publish(&remote, Some(first), &source, source.changes());
            drop(remote);
            published
        });
        process.ended();
        let local = host.local();
        let head = local.head().unwrap().unwrap();
        if let Err(failure) = &published {
            assert_eq!(failure.code, Code::Unreachable, "{bytes}: {failure:?}");
        }
        if head.id == first {
            assert!(published.is_err());
            assert_eq!(manifest(&*local).len(), 2);
            before += 1;
            let waits = waiting(&host);
            source.opened.store(0, Ordering::Relaxed);
            let remote = host.remote();
            publish(&remote, Some(first), &source, source.changes()).unwrap();
            assert_eq!(source.opened.load(Ordering::Relaxed), total - waits, "cut after {bytes}");
            resumed += usize::from(waits > 0);
        } else {
            after += 1;
        }
        assert_eq!(manifest(&*local).len(), total + 1, "cut after {bytes}");
        let sound = local.verify_contents(None, &Monitor::silent()).unwrap();
        assert!(sound.faults.is_empty(), "{sound:?}");
    }
    println!("before {before}, after {after}, resumed {resumed}");
    assert!(before > 10 && after > 0 && resumed > 3, "{before} {after} {resumed}");
}

#[test]
fn a_publish_whose_answer_is_lost_is_asked_for_over_a_new_connection() {
    let source = source();
    let host = Host::with(&[("other", "stays")]);
    let path = host.text();
    let fuse = Fuse::of(u64::MAX);
    let (stream, _) = start(fuse.clone());
    let remote = RemoteEndpoint::over(stream, &path, Opening::Existing).unwrap();
    let remote =
        remote.reopening(Reopen { again: Box::new(|| Ok(agent())), quicker: Box::new(|| None) });
    let wanted = publication(Some(SnapshotId::FIRST), source.changes());
    let id = &wanted.authorship.transaction;
    let mut transaction = remote.begin(wanted.base, id, "").unwrap();
    let silent = Monitor::silent();
    assert!(transaction.stage(&source.uploads(), &source, &silent).unwrap().is_empty());
    fuse.answer.store(true, Ordering::Relaxed);
    let lost = transaction.publish(&wanted, &silent).unwrap_err();
    assert_eq!(lost.code, Code::Unreachable);
    let head = remote.head().unwrap().unwrap();
    assert_eq!(head.id, SnapshotId::FIRST.next());
    assert_eq!(remote.outcome(id).unwrap(), repository::Outcome::Published(head.id));
}

/// Somebody presses Stop in the midst of it.
struct Stops<'a>(&'a Source, Monitor);

impl Supply for Stops<'_> {
    fn open(&self, index: usize, basis: Basis) -> Outcome<Content<'_>> {
        if index == 100 {
            self.1.stop();
        }
        self.0.open(index, basis)
    }
}

#[test]
fn a_stopped_upload_leaves_the_connection_usable() {
    let host = Host::with(&[("other", "stays")]);
    let remote = host.remote();
    let source = source();
    let monitor = Monitor::silent();
    let id = uuid::Uuid::now_v7().to_string();
    let mut transaction = remote.begin(Some(SnapshotId::FIRST), &id, "").unwrap();
    let stops = Stops(&source, monitor.clone());
    let stopped = transaction.stage(&source.uploads(), &stops, &monitor).unwrap_err();
    assert_eq!(stopped.code, Code::Cancelled);
    drop(transaction);
    publish(&remote, Some(SnapshotId::FIRST), &source, source.changes()).unwrap();
    assert_eq!(manifest(&remote).len(), source.files.len() + 1);
}

#[test]
fn the_agent_ends_when_nobody_is_there() {
    let host = Host::with(&[("a", "a")]);
    let (stream, process) = start(Fuse::of(u64::MAX));
    let remote = RemoteEndpoint::over(stream, &host.text(), Opening::Existing).unwrap();
    let id = uuid::Uuid::now_v7().to_string();
    let transaction = remote.begin(Some(SnapshotId::FIRST), &id, "").unwrap();
    drop((transaction, remote));
    assert!(process.ended().success());
    let aborted = host.local().outcome(&id).unwrap();
    assert_eq!(aborted, repository::Outcome::Aborted, "its lock went with it");
}
