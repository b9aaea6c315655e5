use super::*;

#[test]
fn a_named_file_is_looked_at_and_nothing_else() {
    let mut project = Project::with(&["input/a", "input/b"]);
    project.scan();
    project.agree();
    project.write("input/a", "changed");
    project.write("input/b", "changed");
    let summary = project.scan_paths(&["input/a"]);
    assert_eq!((summary.files, summary.hashed_files), (1, 1));
    assert_eq!(project.pending(), ["input/a"]);
    project.remove("input/b");
    assert_eq!(project.scan_paths(&["input/b"]).vanished, 1);
    assert_eq!(project.local("input/b"), Local::Absent);
}

#[test]
fn a_named_folder_is_looked_at_whole() {
    let mut project = Project::with(&["input/a/b/c", "input/a/d", "input/a-e", "input/z"]);
    project.scan();
    project.agree();
    std::fs::remove_dir_all(project.at("input/a/b")).unwrap();
    project.write("input/a/new/deep/f", "x");
    project.write("input/a-e", "changed, but not named");
    project.scan_paths(&["input/a/", "input/a/d"]);
    assert_eq!(project.pending(), ["input/a/b/c", "input/a/new/deep/f"]);
    std::fs::remove_dir_all(project.at("input/a")).unwrap();
    project.scan_paths(&["input/a"]);
    assert_eq!(project.pending(), ["input/a/b/c", "input/a/d"]);
}

#[test]
fn what_is_not_tracked_may_be_named_too() {
    let mut project = Project::with(&["input/a", "src/x", ".git/input/x", "input/.h/x"]);
    project.scan_paths(&[
        "src/x",
        "src",
        ".dsg",
        ".dsg/state.db",
        ".git/input/x",
        "input/.h",
        "nothing/at/all",
        "../outside",
        "input/./a",
        "input//a",
    ]);
    assert!(project.rows().is_empty() && project.problems().is_empty());
    project.scan_paths(&["input", "output"]);
    assert_eq!(project.pending(), ["input/a"]);
    project.agree();
    project.rules.ignore.names.insert("a".into());
    project.scan_paths(&["input/a"]);
    assert_eq!(project.local("input/a"), Local::Excluded);
}

#[test]
fn no_path_or_the_empty_path() {
    let mut project = Project::with(&["input/a"]);
    assert_eq!(project.scan_paths(&[]).files, 0);
    assert_eq!(project.scan_paths(&["", "input/a"]).files, 1, "the root is everything");
}

#[test]
fn named_paths_behind_a_link_are_not_there() {
    let mut project = Project::with(&["input/real/a"]);
    project.scan();
    project.agree();
    std::fs::rename(project.at("input/real"), project.at("elsewhere")).unwrap();
    symlink("../elsewhere", project.at("input/real")).unwrap();
    project.scan_paths(&["input/real/a", "input/real"]);
    assert_eq!(project.local("input/real/a"), Local::Absent);
    assert_eq!(project.pending(), ["input/real", "input/real/a"]);
}
