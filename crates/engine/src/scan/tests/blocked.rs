use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn an_unreadable_folder_holds_unknown_files_not_absent_ones() {
    let mut project = Project::with(&["input/locked/a", "input/locked/b", "input/z", "plain/x"]);
    project.scan();
    project.agree();
    for locked in ["input/locked", "plain"] {
        std::fs::set_permissions(project.at(locked), PermissionsExt::from_mode(0o0)).unwrap();
    }
    let refused = std::fs::read_dir(project.at("plain")).is_err();
    project.scan();
    let named = project.rows();
    project.scan_paths(&["input/locked/a"]);
    assert_eq!(project.rows(), named);
    for locked in ["input/locked", "plain"] {
        std::fs::set_permissions(project.at(locked), PermissionsExt::from_mode(0o755)).unwrap();
    }
    if refused {
        assert_eq!(project.pending(), ["input/locked/a", "input/locked/b"]);
        assert!(named.iter().all(|(p, l)| is_unknown(l) == p.starts_with("input/locked/")));
        assert_eq!(project.problems(), [("input/locked".to_owned(), ProblemKind::Unreadable)]);
        let summary = project.scan();
        assert_eq!(summary.hashed_files, 0, "they come back as they were");
    } else {
        assert!(named.values().all(|l| l.entry().is_some()), "root reads everything");
    }
    assert!(project.pending().is_empty() && project.problems().is_empty());
}

#[test]
fn an_unreadable_file_is_unknown() {
    let mut project = Project::with(&["input/a", "input/b"]);
    std::fs::set_permissions(project.at("input/a"), PermissionsExt::from_mode(0o0)).unwrap();
    let refused = std::fs::File::open(project.at("input/a")).is_err();
    project.scan();
    if refused {
        assert!(is_unknown(&project.local("input/a")));
        assert_eq!(project.problems(), [("input/a".to_owned(), ProblemKind::Unreadable)]);
    }
    std::fs::set_permissions(project.at("input/a"), PermissionsExt::from_mode(0o644)).unwrap();
    project.scan_paths(&["input/a"]);
    assert!(project.local("input/a").entry().is_some() && project.problems().is_empty());
}

#[test]
fn a_file_that_goes_on_changing_is_unknown_and_tried_again() {
    let mut project = Project::with(&["input/a"]);
    let (at, mut count) = (project.at("input/a"), 0);
    let monitor = on(
        |e| matches!(e, Event::Advanced { bytes: 1.., .. }),
        move || {
            count += 1;
            std::fs::write(&at, "x".repeat(count)).unwrap();
        },
    );
    project.try_scan(Scope::All, &monitor).unwrap();
    assert!(is_unknown(&project.local("input/a")));
    assert_eq!(project.problems(), [("input/a".to_owned(), ProblemKind::Changing)]);
    project.scan();
    assert!(project.local("input/a").entry().is_some() && project.problems().is_empty());
}

#[test]
fn a_file_that_vanishes_while_the_scan_runs_is_absent() {
    let mut project = Project::with(&["input/a"]);
    project.scan();
    project.agree();
    project.write("input/a", "changed");
    let at = project.at("input/a");
    let monitor = on(|e| matches!(e, Event::Path(_)), move || drop(std::fs::remove_file(&at)));
    project.try_scan(Scope::All, &monitor).unwrap();
    assert_eq!(project.local("input/a"), Local::Absent);
}

#[test]
fn illegal_names_are_listed_once_with_a_legal_one_to_take() {
    let mut project = Project::with(&[
        "input/con.txt",
        "input/a?",
        "input/bad:dir/x",
        "input/bad:dir/y/z",
        "src/bad:dir/x",
        "input/fine",
    ]);
    let raw = std::ffi::OsStr::from_bytes(b"input/caf\xe9");
    std::fs::write(project.temp.path().join(raw), "x").unwrap();
    let summary = project.scan();
    let problems = project.index.problems().unwrap();
    let listed: Vec<_> = problems.iter().map(|p| (p.path.as_str(), p.offer.as_deref())).collect();
    assert_eq!(
        listed,
        [
            ("input/a?", Some("input/a_")),
            ("input/bad:dir", Some("input/bad_dir")),
            ("input/caf\u{FFFD}", Some("input/caf_")),
            ("input/con.txt", Some("input/con_renamed.txt")),
        ]
    );
    assert!(problems.iter().all(|p| p.kind == ProblemKind::Name && p.sentence.ends_with('.')));
    assert_eq!((summary.files, summary.blocked), (1, 4));
    std::fs::rename(project.at("input/bad:dir"), project.at("input/good")).unwrap();
    project.scan_paths(&["input/bad:dir", "input/good"]);
    assert_eq!(project.problems().len(), 3);
    assert!(project.local("input/good/y/z").entry().is_some());
}

#[test]
fn links_stay_inside_or_are_listed() {
    let mut project = Project::with(&["input/a"]);
    for (link, target) in
        [("in", "../input/a"), ("dangling", "nothing"), ("out", "../../x"), ("abs", "/etc/passwd")]
    {
        symlink(target, project.at("input").join(link)).unwrap();
    }
    let summary = project.scan();
    assert_eq!((summary.files, summary.hashed_files), (3, 1));
    assert!(
        matches!(project.local("input/in"), Local::Present(Entry::Link(t)) if t.as_str() == "../input/a")
    );
    let listed = [("input/abs", ProblemKind::Link), ("input/out", ProblemKind::Link)];
    assert_eq!(project.problems(), listed.map(|(p, k)| (p.to_owned(), k)));
    assert!(is_unknown(&project.local("input/out")));
    project.agree();
    project.remove("input/in");
    symlink("a", project.at("input/in")).unwrap();
    project.scan();
    assert!(project.pending().contains(&"input/in".to_owned()));
}

#[test]
fn a_pipe_in_place_of_a_synced_file_is_unknown_not_a_deletion() {
    let mut project = Project::with(&["input/a"]);
    project.scan();
    project.agree();
    project.remove("input/a");
    let pipe = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, project.at("input/a"), pipe, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    project.scan();
    assert!(is_unknown(&project.local("input/a")));
    assert_eq!(project.problems(), [("input/a".to_owned(), ProblemKind::Special)]);
}

#[test]
fn of_two_names_that_differ_by_case_the_synced_one_stays() {
    let mut project = Project::with(&["input/data.csv"]);
    project.scan();
    project.agree();
    project.write("input/Data.csv", "x");
    project.write("input/new", "x");
    project.write("input/NEW", "x");
    let by_name = |project: &mut Project| {
        project.scan_paths(&["input/Data.csv", "input/new", "input/NEW"]);
        project.rows()
    };
    let named = by_name(&mut project);
    project.scan();
    assert_eq!(project.rows(), named);
    assert!(project.local("input/data.csv").entry().is_some());
    assert!(project.local("input/NEW").entry().is_some(), "of two new ones the first stays");
    let listed = ["input/Data.csv", "input/new"].map(|p| (p.to_owned(), ProblemKind::Case));
    assert_eq!(project.problems(), listed);
    assert!(
        is_unknown(&project.local("input/Data.csv")) && is_unknown(&project.local("input/new"))
    );
    std::fs::rename(project.at("input/Data.csv"), project.at("input/other.csv")).unwrap();
    project.remove("input/new");
    project.scan();
    assert!(project.problems().is_empty());
    assert!(project.local("input/other.csv").entry().is_some());
}

#[test]
fn a_folder_that_differs_by_case_stands_back_with_all_below() {
    let mut project = Project::with(&["input/Sub/a"]);
    project.scan();
    project.agree();
    project.write("input/sub/b", "x");
    project.scan();
    assert_eq!(project.problems(), [("input/sub".to_owned(), ProblemKind::Case)]);
    assert!(project.pending().is_empty());
    project.write("input/sub/c", "x");
    project.scan_paths(&["input/sub/c"]);
    assert!(project.pending().is_empty(), "nor does a file that is added there later take part");
}

#[test]
fn a_file_in_place_of_a_folder_and_back() {
    let mut project = Project::with(&["input/a/b", "input/a/c", "input/x"]);
    project.scan();
    project.agree();
    std::fs::remove_dir_all(project.at("input/a")).unwrap();
    project.write("input/a", "now a file");
    project.remove("input/x");
    project.write("input/x/y", "now a folder");
    project.scan();
    assert_eq!(project.pending(), ["input/a", "input/a/b", "input/a/c", "input/x", "input/x/y"]);
    for gone in ["input/a/b", "input/a/c", "input/x"] {
        assert_eq!(project.local(gone), Local::Absent);
    }
    std::fs::remove_dir_all(project.at("input/x")).unwrap();
    symlink("a", project.at("input/x")).unwrap();
    project.scan();
    assert_eq!(project.local("input/x/y"), Local::Absent);
    assert!(matches!(project.local("input/x"), Local::Present(Entry::Link(_))));
}
