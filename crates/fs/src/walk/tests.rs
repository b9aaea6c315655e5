use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

const PACES: [Pace; 4] = [
    Pace { threads: 0, budget: 0 },
    Pace { threads: 1, budget: 0 },
    Pace { threads: 3, budget: 1 },
    Pace { threads: 4, budget: 10_000 },
];

fn all(_: &OsStr, _: Kind) -> bool {
    true
}

/// Files as their path, directories with a slash, holes with a question mark.
fn walked(root: &Path, start: &str, take: Arc<Take>, pace: Pace) -> Vec<String> {
    let dir = Dir::open(root).unwrap();
    let mut walk = Walk::new(&dir, Path::new(start), take, pace).unwrap();
    let mut steps = Vec::new();
    while let Some(step) = walk.next() {
        let sign = match step.what {
            What::Leaf(_) => "",
            What::Dir { .. } => "/",
            What::Hole { .. } => "?",
        };
        steps.push(format!("{}{sign}", step.path().display()));
    }
    steps
}

fn plant(root: &Path, files: impl IntoIterator<Item = impl AsRef<str>>) {
    for file in files {
        let at = root.join(file.as_ref());
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, "").unwrap();
    }
}

#[test]
fn the_order_is_that_of_whole_paths() {
    let root = tempfile::tempdir().unwrap();
    plant(root.path(), ["a/x", "a/b/c", "a-b", "a.txt", "a0", "b"]);
    for pace in PACES {
        assert_eq!(
            walked(root.path(), "", Arc::new(all), pace),
            ["a-b", "a.txt", "a/", "a/b/", "a/b/c", "a/x", "a0", "b"]
        );
        assert_eq!(walked(root.path(), "a", Arc::new(all), pace), ["a/b/", "a/b/c", "a/x"]);
        assert!(walked(root.path(), "nothing", Arc::new(all), pace).is_empty());
    }
}

#[test]
fn what_is_not_taken_is_neither_entered_nor_looked_at() {
    let root = tempfile::tempdir().unwrap();
    plant(root.path(), ["keep/a", "keep/a.tmp", ".hidden/a"]);
    let take = |path: &OsStr, kind: Kind| {
        assert!(path != ".hidden/a");
        kind == Kind::Dir && path != ".hidden" || path == "keep/a"
    };
    assert_eq!(walked(root.path(), "", Arc::new(take), Pace::default()), ["keep/", "keep/a"]);
}

#[test]
fn links_are_given_and_not_followed() {
    let root = tempfile::tempdir().unwrap();
    plant(root.path(), ["real/a"]);
    std::os::unix::fs::symlink("real", root.path().join("link")).unwrap();
    std::os::unix::fs::symlink("/", root.path().join("real/root")).unwrap();
    let expected = ["link", "real/", "real/a", "real/root"];
    assert_eq!(walked(root.path(), "", Arc::new(all), Pace::default()), expected);
}

#[test]
fn a_folder_that_may_not_be_read_is_a_hole() {
    let root = tempfile::tempdir().unwrap();
    plant(root.path(), ["a/x", "locked/x", "z"]);
    let locked = root.path().join("locked");
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o0)).unwrap();
    let steps = walked(root.path(), "", Arc::new(all), Pace::default());
    let refused = std::fs::read_dir(&locked).is_err();
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o755)).unwrap();
    if refused {
        assert_eq!(steps, ["a/", "a/x", "locked/", "locked?", "z"]);
    } else {
        assert_eq!(steps, ["a/", "a/x", "locked/", "locked/x", "z"], "root reads everything");
    }
}

#[test]
fn what_takes_panics_is_a_hole_and_not_a_hang() {
    let root = tempfile::tempdir().unwrap();
    plant(root.path(), ["a/x"]);
    let me = std::thread::current().id();
    let take = move |path: &OsStr, _: Kind| {
        assert!(path != "a/x" || std::thread::current().id() == me, "a worker's trouble");
        true
    };
    // Whether a worker or this thread reads the folder first is open; it ends in any case.
    for _ in 0..20 {
        let steps = walked(root.path(), "", Arc::new(take), PACES[3]);
        assert!(steps == ["a/", "a/x"] || steps == ["a/", "a?"] || steps == ["?"], "{steps:?}");
    }
}

#[test]
fn a_large_flat_folder_is_looked_at_in_parts() {
    let root = tempfile::tempdir().unwrap();
    plant(root.path(), (0..CHUNK * 2 + 5).map(|n| format!("d/{n:06}")));
    plant(root.path(), ["d/000003x/inner", "d/004000x/inner", "e"]);
    let mut expected: Vec<String> = (0..CHUNK * 2 + 5).map(|n| format!("d/{n:06}")).collect();
    expected.extend(
        ["d/", "d/000003x/", "d/000003x/inner", "d/004000x/", "d/004000x/inner", "e"]
            .map(String::from),
    );
    expected.sort();
    for pace in PACES {
        assert_eq!(walked(root.path(), "", Arc::new(all), pace), expected);
    }
}

#[test]
fn names_that_differ_by_case_know_of_each_other() {
    let root = tempfile::tempdir().unwrap();
    plant(root.path(), ["a.txt", "A.TXT", "B", "straße/x", "Straße/x", "c", "d/C"]);
    let dir = Dir::open(root.path()).unwrap();
    let mut walk = Walk::new(&dir, Path::new(""), Arc::new(all), Pace::default()).unwrap();
    let mut found = BTreeSet::new();
    while let Some(step) = walk.next() {
        if let Some(twins) = &step.twins {
            assert_eq!(twins.len(), 2);
            assert!(
                twins.iter().any(|t| OsStr::new(&t.name) == step.path() && t.dir == step.is_dir())
            );
            found.insert(step.path().to_str().unwrap().to_owned());
        }
    }
    assert_eq!(found, ["A.TXT", "Straße", "a.txt", "straße"].map(String::from).into());
}

#[test]
fn a_walk_may_be_given_up() {
    let root = tempfile::tempdir().unwrap();
    plant(root.path(), (0..500).map(|n| format!("{}/{}/{n}", n % 7, n % 11)));
    let dir = Dir::open(root.path()).unwrap();
    for pace in PACES {
        let mut walk = Walk::new(&dir, Path::new(""), Arc::new(all), pace).unwrap();
        walk.next();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_tree_at_any_pace_comes_sorted(
        paths in proptest::collection::btree_set("([ab.-]|/){0,4}[ab0~-]{1,3}", 0..40),
        threads in 0..4_usize,
        budget in 0..8_usize,
    ) {
        let root = tempfile::tempdir().unwrap();
        let mut files: BTreeSet<String> = BTreeSet::new();
        for path in paths {
            let legal = path.split('/').all(|c| !matches!(c, "" | "." | ".."));
            let free = !files.iter().any(|f| Path::new(f).starts_with(&path) || Path::new(&path).starts_with(f));
            if legal && free {
                files.insert(path);
            }
        }
        plant(root.path(), &files);
        let steps = walked(root.path(), "", Arc::new(all), Pace { threads, budget });
        let leaves: Vec<&String> = steps.iter().filter(|s| !s.ends_with('/')).collect();
        prop_assert_eq!(leaves, files.iter().collect::<Vec<_>>());
        let mut sorted = steps.clone();
        sorted.sort();
        prop_assert_eq!(steps, sorted);
    }
}
