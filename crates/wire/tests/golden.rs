//! What is said, byte for byte: whoever changes it changes [`dsg_wire::PROTOCOL`] too. Run with
//! `DSG_BLESS=1` to write the bytes anew.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use dsg_core::config::SharedConfig;
use dsg_core::entry::{Entry, FileEntry, Hash, LinkTarget, Mtime};
use dsg_core::failure::{self, Code, Failure};
use dsg_core::legacy::{Adoption, Deviation, Oddity, Past};
use dsg_core::manifest::{Change, Totals};
use dsg_core::monitor::{Event, Phase};
use dsg_core::path::RepoPath;
use dsg_core::places::{Around, Folder, Lease, Listed, Step, Trouble, Work};
use dsg_core::repository::{
    Access, Capabilities, Outcome, RepositoryInfo, Settled, Space, Standing, StoreKind, Upload,
};
use dsg_core::snapshot::{
    Authorship, DeltaCounts, Legacy, SYNC_FORMAT, SnapshotHeader, SnapshotId,
};
use dsg_wire::chunks::Chunks;
use dsg_wire::content;
use dsg_wire::delta::{Against, Content};
use dsg_wire::frame::{self, Frame, Kind, Packed, packed};
use dsg_wire::hello::Hello;
use dsg_wire::list::{
    self, Ended, Found, Have, Line, Lines, Older, OlderChunks, Refused, RefusedText, Run, Traced,
    Want,
};
use dsg_wire::message::{Answer, EventText, FailureText, GlimpseText, Request, pack};
use dsg_wire::pump::{Cargo, Opened, pump};
use dsg_wire::told::{self, Lists};

const TRANSACTION: &str = "01890000-0000-7000-8000-000000000001";

fn path(text: &str) -> RepoPath {
    text.parse().unwrap()
}

fn authorship() -> Authorship {
    Authorship {
        author: "analyst@example.org".into(),
        message: "first \"quoted\"\nline".into(),
        time: jiff::Timestamp::UNIX_EPOCH,
        transaction: TRANSACTION.into(),
    }
}

fn header() -> SnapshotHeader {
    let bare = SnapshotHeader {
        format: SYNC_FORMAT,
        repository: "01890000-0000-7000-8000-000000000000".into(),
        id: SnapshotId::FIRST,
        parent: None,
        authorship: authorship(),
        config: SharedConfig::new("p"),
        totals: Totals { entries: 1, bytes: 3 },
        delta: DeltaCounts { added: 1, ..DeltaCounts::default() },
        manifest: Hash::of(b"m"),
        delta_sha256: Hash::of(b"d"),
        legacy: None,
        chain: Hash([0; 32]),
    };
    bare.chained(None)
}

fn file() -> FileEntry {
    FileEntry { size: 3, mtime: Mtime(-1), exec: true, hash: Hash::of(b"abc") }
}

fn changes() -> Vec<Change> {
    let at = path("input/link");
    let link = Entry::Link(LinkTarget::parse(&at, "../x").unwrap());
    vec![
        Change { path: path("input/été.csv"), entry: Some(Entry::File(file())) },
        Change { path: at, entry: Some(link) },
        Change { path: path("output/old"), entry: None },
    ]
}

fn requests() -> Vec<Request> {
    let (id, transaction) = (SnapshotId::FIRST, TRANSACTION.to_owned());
    vec![
        Request::Open { path: "/srv/données".into(), create: true, plain: false },
        Request::ListFolders { path: None },
        Request::ListRepositories { path: Some("/srv".into()) },
        Request::Leases,
        Request::Head,
        Request::Header { id },
        Request::Headers { before: Some(id), limit: u64::MAX },
        Request::ChangesSince { since: None },
        Request::Manifest { id },
        Request::Delta { id },
        Request::Trace { containing: Some("a".into()), paths: 0 },
        Request::Kept,
        Request::Space,
        Request::Prune { snapshots: 4, really: false },
        Request::Glimpse { id, path: path("a"), limit: 9 },
        Request::CheckDrift,
        Request::AdoptDrift { authorship: authorship() },
        Request::PrepareNext,
        Request::VerifyHistory { deep: true },
        Request::VerifyContents { only: Some(id) },
        Request::Outcome { transaction: transaction.clone() },
        Request::Fetch { snapshot: id, paths: 7, have: 2 },
        Request::Begin {
            base: None,
            transaction: transaction.clone(),
            author: "ana@example.org".into(),
        },
        Request::Stage { transaction: transaction.clone(), uploads: 8, older: 1 },
        Request::Publish {
            base: Some(id),
            authorship: authorship(),
            config: Box::new(SharedConfig::new("p")),
            changes: 3,
            copies: 1,
        },
        Request::Abort { transaction: transaction.clone() },
        Request::Release { transaction },
        Request::Close,
        Request::Examine { path: "/srv/p".into() },
        Request::AdoptLegacy {
            path: "/srv/p".into(),
            authorship: authorship(),
            dry_run: true,
            drift: false,
        },
    ]
}

fn adoption() -> Adoption {
    let oddities = [
        Oddity::Missing,
        Oddity::Changed,
        Oddity::Added,
        Oddity::Untrackable("why".into()),
        Oddity::NoList,
        Oddity::Unproven,
        Oddity::Unusable("why".into()),
        Oddity::Unfinished("why".into()),
    ];
    let past = Past {
        id: SnapshotId::FIRST,
        author: "ana@example.org".into(),
        message: "m".into(),
        time: jiff::Timestamp::UNIX_EPOCH,
        totals: Totals { entries: 1, bytes: 2 },
        list: Legacy::Proven,
    };
    Adoption {
        name: "p".into(),
        snapshots: 1,
        history: vec![past],
        totals: Totals { entries: 3, bytes: 4 },
        deviating: 8,
        deviations: oddities.map(|what| Deviation { path: "a".into(), what }).into(),
        left_out: 5,
        adopted: None,
    }
}

fn answers() -> Vec<Answer> {
    let capabilities = Capabilities { atomic_publish: true, history: true, locking: false };
    let info = RepositoryInfo {
        id: "01890000-0000-7000-8000-000000000000".into(),
        store: StoreKind::Tree,
        access: Access::Team,
        capabilities,
    };
    let standing = Standing {
        filesystem: "ext4".into(),
        dataset: None,
        available: 1,
        used: None,
        quota: None,
        seamless: true,
        touched: false,
        settled: Some(Settled::Undone),
    };
    let another = Standing {
        filesystem: "xfs".into(),
        dataset: Some("tank/p".into()),
        used: Some(2),
        quota: Some(3),
        settled: Some(Settled::Finished(SnapshotId::FIRST)),
        ..standing.clone()
    };
    let file = GlimpseText::File { size: 3, mtime: Mtime(4) };
    vec![
        Answer::Done,
        Answer::Opened { info: info.clone(), standing: Box::new(standing.clone()) },
        Answer::Opened { info, standing: Box::new(another) },
        Answer::Around { around: Around { path: "/srv".into(), writable: true, complete: false } },
        Answer::Head { header: None },
        Answer::Head { header: Some(Box::new(header())) },
        Answer::Header { header: Box::new(header()) },
        Answer::Outcome { outcome: Outcome::Published(SnapshotId::FIRST) },
        Answer::Outcome { outcome: Outcome::Aborted },
        Answer::Wanted { uploads: 5 },
        Answer::Staged { refused: 1 },
        Answer::Pruned { freed: 5 },
        Answer::Glimpse { at: None },
        Answer::Glimpse { at: Some(file) },
        Answer::Glimpse { at: Some(GlimpseText::Link("../x".into())) },
        Answer::History { snapshots: 1, head: Box::new(header()) },
        Answer::Contents { files: 6, bytes: 7 },
        Answer::Adopted { adoption: Box::new(adoption()) },
    ]
}

fn failure() -> Failure {
    let cause = std::io::Error::other("the cause");
    Failure::new(Code::Drift, "Changed on the host.").hint("Look.").about(["a", "b"]).because(cause)
}

fn events() -> Vec<EventText> {
    let phase = Event::Phase { phase: Phase::Publishing, files: Some(1), bytes: None };
    let rest = [
        Event::Advanced { files: 1, bytes: 2 },
        Event::Path("a".into()),
        Event::Notice("n".into()),
    ];
    [phase].into_iter().chain(rest).map(EventText::from).collect()
}

fn list<T: Line>(items: &[T]) -> Packed {
    let mut lines = Lines::new(Kind::Lines);
    for item in items {
        assert!(lines.put(item).unwrap().is_none());
    }
    lines.end().unwrap().unwrap()
}

fn refusals() -> Vec<Refused> {
    let changed = RefusedText::Changed { expected: Hash::of(b"1"), found: Hash::of(b"2") };
    let failed = RefusedText::Failed(FailureText::from(&failure()));
    vec![Refused { index: 1, why: changed }, Refused { index: 2, why: failed }]
}

fn found() -> Vec<Found> {
    let id = SnapshotId::FIRST;
    vec![Found::Compared(id), Found::Fault(id, "a is missing".into()), Found::Gone(id, "b".into())]
}

fn listed() -> Listed {
    let trouble =
        Some(Trouble { code: "io".into(), message: "No.".into(), hint: None, detail: None });
    Listed { path: "/srv/p".into(), info: None, head: Some(Box::new(header())), trouble }
}

fn folders() -> Vec<Folder> {
    let plain = Folder { name: "données".into(), repository: None };
    vec![plain, Folder { name: "p".into(), repository: Some(listed()) }]
}

fn leases() -> Vec<Lease> {
    vec![Lease {
        who: "ana".into(),
        since: "2026-01-01T00:00:00Z".into(),
        work: Work::Staging,
        transaction: Some(TRANSACTION.into()),
        snapshot: Some(SnapshotId::FIRST),
        files: Some((1, 2)),
        bytes: None,
    }]
}

fn bytes(frames: impl IntoIterator<Item = Packed>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frames.into_iter().for_each(|frame| frame.write(&mut bytes).unwrap());
    bytes
}

fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    std::iter::from_fn(|| frame::read(&mut bytes).unwrap()).collect()
}

/// Compares with what is kept, and gives that.
fn golden(name: &str, written: &[u8]) -> Vec<u8> {
    let at = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("DSG_BLESS").is_some() {
        std::fs::write(&at, written).unwrap();
    }
    let kept = std::fs::read(&at).unwrap();
    // What a frame holds, compressed or not: the compressor may change.
    let same = if name == "hello" { kept == written } else { frames(&kept) == frames(written) };
    assert!(same, "{name} is written otherwise than it was: a new PROTOCOL?");
    kept
}

#[test]
fn the_greeting_is_as_it_was() {
    let own = Hello { protocol: 1, build: "0.1.0-0123456789abcdef".into() };
    let mut written = Vec::new();
    own.write(&mut written).unwrap();
    let kept = golden("hello", &written);
    assert_eq!(Hello::read(&mut &kept[..], 0).unwrap(), own);
}

#[test]
fn requests_are_as_they_were() {
    let written = requests().into_iter().map(|r| pack(Kind::Request, &r).unwrap());
    let kept = golden("requests", &bytes(written));
    let read: Vec<Request> = frames(&kept).iter().map(|f| Request::read(f).unwrap()).collect();
    assert_eq!(read, requests());
}

#[test]
fn answers_are_as_they_were() {
    let written = answers().into_iter().map(|a| pack(Kind::Answer, &a).unwrap());
    let kept = golden("answers", &bytes(written));
    let read: Vec<Answer> = frames(&kept).iter().map(|f| Answer::read(f).unwrap()).collect();
    assert_eq!(read, answers());
}

#[test]
fn failures_and_events_are_as_they_were() {
    let text = FailureText::from(&failure());
    let written = [pack(Kind::Failed, &text).unwrap(), pack(Kind::Progress, &events()).unwrap()];
    let kept = frames(&golden("failures-events", &bytes(written)));
    let read = Failure::from(FailureText::read(&kept[0]).unwrap());
    let sent = failure();
    assert_eq!((read.code, &read.message), (sent.code, &sent.message));
    assert_eq!((&read.hint, &read.paths, read.detail()), (&sent.hint, &sent.paths, sent.detail()));
    assert_eq!(EventText::read(&kept[1]).unwrap(), events());
}

#[test]
fn lists_are_as_they_were() {
    let paths = vec![path("a"), path("é/b c")];
    let copies = vec![(path("to"), path("from/here"))];
    let private = Upload { file: file(), private: true };
    let open = Upload { file: FileEntry { exec: false, ..file() }, private: false };
    let uploads = vec![private, open];
    let history: Vec<Traced> = std::iter::once(Traced::Snapshot(Box::new(header())))
        .chain(changes().into_iter().map(Traced::Change))
        .collect();
    let (wants, ids) = (wants(), vec![SnapshotId::FIRST]);
    let older = vec![Older { upload: 3, path: path("a"), size: 1 << 20, known: true }];
    let headers = vec![header()];
    let snapshot = SnapshotId::FIRST;
    let space = vec![Space { snapshot, used: 1, written: 2, refer: 3 }];
    let ended = vec![Ended::Gone(snapshot), Ended::Stays(snapshot, "it is held".into())];
    let written = bytes([
        list(&changes()),
        list(&paths),
        list(&copies),
        list(&uploads),
        list(&history),
        list(&wants),
        list(&ids),
        list(&headers),
        list(&refusals()),
        list(&found()),
        list(&folders()),
        list(&[listed()]),
        list(&leases()),
        list(&older),
        list(&space),
        list(&ended),
        list(&steps()),
    ]);
    let kept = frames(&golden("lists", &written));
    assert_eq!(list::items::<Change>(&kept[0].payload).unwrap(), changes());
    assert_eq!(list::items::<RepoPath>(&kept[1].payload).unwrap(), paths);
    assert_eq!(list::items::<list::Copy>(&kept[2].payload).unwrap(), copies);
    assert_eq!(list::items::<Upload>(&kept[3].payload).unwrap(), uploads);
    assert_eq!(list::items::<Traced>(&kept[4].payload).unwrap(), history);
    assert_eq!(list::items::<Want>(&kept[5].payload).unwrap(), wants);
    assert_eq!(list::items::<SnapshotId>(&kept[6].payload).unwrap(), ids);
    assert_eq!(list::items::<SnapshotHeader>(&kept[7].payload).unwrap(), headers);
    assert_eq!(list::items::<Refused>(&kept[8].payload).unwrap(), refusals());
    assert_eq!(list::items::<Found>(&kept[9].payload).unwrap(), found());
    assert_eq!(list::items::<Folder>(&kept[10].payload).unwrap(), folders());
    assert_eq!(list::items::<Listed>(&kept[11].payload).unwrap(), [listed()]);
    assert_eq!(list::items::<Space>(&kept[14].payload).unwrap(), space);
    assert_eq!(list::items::<Ended>(&kept[15].payload).unwrap(), ended);
    assert_eq!(list::items::<Lease>(&kept[12].payload).unwrap(), leases());
    assert_eq!(list::items::<Older>(&kept[13].payload).unwrap(), older);
    assert_eq!(list::items::<Step>(&kept[16].payload).unwrap(), steps());
}

fn steps() -> Vec<Step> {
    vec![Step::new("place", Ok("xfs".into())), Step::new("trial", Err(failure()))]
}

fn wants() -> Vec<Want> {
    let rest = |file, kept, older| Want::Rest(Have { file, kept, older });
    let told = OlderChunks::Told { average: 65536, count: 16 };
    vec![
        Want::Run(Run(0, 7)),
        rest(9, 1234, None),
        rest(10, 0, Some(OlderChunks::Known)),
        rest(11, 5, Some(told)),
    ]
}

/// A content with an older version of which it has most.
fn changed() -> (Vec<u8>, Vec<u8>) {
    let mut noise = 1_u32;
    let mut roll = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    };
    let old: Vec<u8> = (0..600_000).map(|_| roll()).collect();
    let mut new = old.clone();
    new[300_000..300_010].fill(0);
    (old, new)
}

/// Where a content is cut says which of it is found again: both sides have to cut alike, and a list
/// that was kept has to hold for a program that comes later.
#[test]
fn chunks_are_as_they_were() {
    let (old, _) = changed();
    let chunks = Chunks::read(&old[..], old.len() as u64).unwrap();
    assert_eq!(chunks.bytes(), old.len() as u64);
    let kept = frames(&golden("chunks", &bytes(told::frames(&chunks).unwrap())));
    let have = Have { file: 4, kept: 0, older: Some(told::announced(&chunks)) };
    let mut lists = Lists::announced([&have]).unwrap();
    for frame in &kept {
        lists.take(frame).unwrap();
    }
    assert!(lists.is_whole());
    assert_eq!(lists.into_map()[&4], chunks);
}

/// One content against its older version.
struct One(Vec<u8>, Chunks);

impl Cargo for One {
    fn count(&self) -> usize {
        1
    }

    fn number(&self, _: usize) -> u32 {
        4
    }

    fn weight(&self, _: usize) -> u64 {
        self.0.len() as u64
    }

    fn open(&self, _: usize) -> failure::Outcome<Opened<'_>> {
        Ok((Content::Parts(Box::new(Against::new(&self.0[..], 0, &self.1))), false))
    }

    fn refused(&self, _: usize, why: Failure) -> failure::Outcome<()> {
        Err(why)
    }
}

#[test]
fn content_against_an_older_version_is_as_it_was() {
    let (old, new) = changed();
    let one = One(new.clone(), Chunks::read(&old[..], old.len() as u64).unwrap());
    let mut sent = Vec::new();
    pump(&one, &mut |frame| {
        sent.push(frame);
        Ok(())
    })
    .unwrap();
    let kept = golden("content-against", &bytes(sent));
    assert!(kept.len() < 200_000, "{}", kept.len());
    let mut rebuilt = Vec::new();
    for frame in frames(&kept) {
        for piece in content::of(&frame).unwrap() {
            assert_eq!(piece.index, 4);
            rebuilt.extend_from_slice(&frame.payload[piece.bytes]);
            if let Some(place) = piece.copy {
                let at = usize::try_from(place.offset).unwrap();
                rebuilt.extend_from_slice(&old[at..at + usize::try_from(place.length).unwrap()]);
            }
        }
    }
    assert!(rebuilt == new);
}

#[test]
fn content_is_as_it_was() {
    let mut written = content::whole(0, b"").unwrap();
    written.extend(content::whole(7, b"content").unwrap());
    written.extend([packed(Kind::ContentEnd, &[]).unwrap(), packed(Kind::Heartbeat, &[]).unwrap()]);
    let kept = frames(&golden("content", &bytes(written)));
    let pieces = content::of(&kept[1]).unwrap();
    assert_eq!((pieces.len(), pieces[0].index, pieces[0].last), (1, 7, true));
    assert_eq!(&kept[1].payload[pieces[0].bytes.clone()], b"content");
    assert_eq!((kept[2].kind, kept[3].kind), (Kind::ContentEnd, Kind::Heartbeat));
}

/// Compressed bytes may change with the compressor; what they hold may not.
#[test]
fn compressed_frames_are_read_as_they_were() {
    let text = "the same words again and again\n".repeat(400);
    let at = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/compressed");
    if std::env::var_os("DSG_BLESS").is_some() {
        std::fs::write(&at, bytes([packed(Kind::Lines, text.as_bytes()).unwrap()])).unwrap();
    }
    let kept = std::fs::read(at).unwrap();
    assert!(kept.len() < text.len() / 10);
    assert_eq!(frames(&kept), [Frame { kind: Kind::Lines, payload: text.into_bytes() }]);
}
