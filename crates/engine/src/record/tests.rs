//! What was sealed is read back as it was, whatever the number of steps.

use dsg_core::entry::{FileEntry, Hash, LinkTarget};

use super::*;

fn path(text: &str) -> RepoPath {
    text.parse().unwrap()
}

fn file(content: &str, exec: bool) -> Entry {
    Entry::File(FileEntry {
        size: content.len() as u64,
        mtime: Mtime(-7),
        exec,
        hash: Hash::of(content.as_bytes()),
    })
}

fn link(at: &str, target: &str) -> Entry {
    Entry::Link(LinkTarget::parse(&path(at), target).unwrap())
}

/// Every kind of step that is taken in the folder, with and without what may be absent.
fn deeds_of(n: u64) -> [Step; 5] {
    let at = |name: &str| path(&format!("input/{n}/{name}"));
    [
        Step::Remove { path: at("gone"), expected: file("old", false), aside: None },
        Step::Remove { path: at("mine"), expected: file("mine", true), aside: Some(at("mine 2")) },
        Step::Rename {
            from: at("from"),
            to: at("sub/to"),
            // A link is read relative to where it stands.
            expected: link(&format!("input/{n}/from"), "../x"),
            entry: link(&format!("input/{n}/sub/to"), "../../x"),
        },
        Step::Place {
            path: at("new"),
            entry: file("new", true),
            expected: None,
            aside: None,
            source: Source::Head,
        },
        Step::Place {
            path: at("both"),
            entry: file("theirs", false),
            expected: Some(file("ours", false)),
            aside: Some(at("both (local copy)")),
            source: Source::Head,
        },
    ]
}

fn agreements_of(n: u64) -> [Step; 3] {
    [
        Step::Agree { path: path(&format!("input/{n}/up")), entry: Some(file("up", false)) },
        Step::Agree { path: path(&format!("input/{n}/nowhere")), entry: None },
        Step::Forget { path: path(&format!("input/{n}/left")) },
    ]
}

fn sealed(steps: impl Iterator<Item = Step>) -> Vec<SealedStep> {
    let wait = |number: u64| Wait {
        staged: (number.is_multiple_of(2)).then_some(u64::MAX - number),
        seen: (number.is_multiple_of(3)).then_some((u64::MAX, number, Mtime(i64::MIN))),
    };
    (0..).zip(steps).map(|(number, step)| SealedStep { number, step, wait: wait(number) }).collect()
}

fn record_of(root: &Dir, deeds: usize) -> Record {
    Record {
        transaction: "t1".into(),
        base: None,
        publishes: true,
        restores: false,
        config: SharedConfig::new("p"),
        seen_config: None,
        repository: "r".into(),
        grounds: Vec::new(),
        deeds: deeds as u64,
        decided: vec![path("input/a")],
        place: Place::of(root).unwrap(),
    }
}

#[test]
fn a_sealed_record_is_read_back_whatever_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let root = Dir::open(folder.path()).unwrap();
    let mut index = Index::create(&folder.path().join("state.db")).unwrap();
    let page = u64::from(PAGE);
    // One short of a page of deeds, exactly one, one more, and several.
    for deeds in [0, 1, page - 1, page, page + 1, 3 * page + 17] {
        let deeds = usize::try_from(deeds).unwrap();
        let all = sealed(
            (0..)
                .flat_map(deeds_of)
                .take(deeds)
                .chain((0..).flat_map(agreements_of).take(usize::from(PAGE) + 3)),
        );
        let record = record_of(&root, deeds);
        index.batch(|batch| seal(batch, &record, all.iter().cloned().map(Ok))).unwrap();

        assert_eq!(load(&index).unwrap(), Some(record.clone()));
        let read: Vec<SealedStep> = super::deeds(&index, &record).collect::<Outcome<_>>().unwrap();
        assert_eq!(read, all[..deeds]);
        index
            .batch(|batch| {
                let read: Vec<SealedStep> = steps(batch).collect::<Outcome<_>>()?;
                assert_eq!(read, all);
                forget(batch)
            })
            .unwrap();
        assert_eq!(load(&index).unwrap(), None);
    }
}

#[test]
fn a_step_that_nobody_sealed_ends_the_reading() {
    let folder = tempfile::tempdir().unwrap();
    let root = Dir::open(folder.path()).unwrap();
    let mut index = Index::create(&folder.path().join("state.db")).unwrap();
    let all = sealed(deeds_of(1).into_iter());
    let record = record_of(&root, all.len());
    index.batch(|batch| seal(batch, &record, all.iter().cloned().map(Ok))).unwrap();
    index.connection().execute("UPDATE step SET path = '../x' WHERE number = 3", []).unwrap();

    let mut read = deeds(&index, &record);
    let failure = read.find_map(Result::err).expect("the path is none");
    assert_eq!(failure.code, dsg_core::failure::Code::StateDamaged);
    assert!(read.next().is_none(), "nothing is taken of what stands with it");
}
