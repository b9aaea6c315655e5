//! Names, kinds and sizes of files that people really have.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use dsg_testkit::keeping::assert_repository;
use dsg_testkit::lab::Checkout;

use crate::lab;

fn change(checkout: &Checkout, path: &str) -> serde_json::Value {
    let status = checkout.dsg(&["status"]).ok().json();
    let found = status["changes"].as_array().unwrap().iter().find(|c| c["path"] == path).cloned();
    found.unwrap_or_else(|| panic!("{path} is not in {status:#}"))
}

#[test]
fn names_of_all_the_world() {
    let lab = lab();
    let names = [
        "input/Año nuevo.csv",
        "input/日本語/表.csv",
        "input/données/été.tsv",
        "input/a b  c",
        "input/emoji 🎉.txt",
        "input/-rf",
        "input/a;b&c$d",
        "input/it's",
    ];
    let legal: Vec<_> =
        names.into_iter().filter(|n| dsg_core::path::RepoPath::parse(n).is_ok()).collect();
    assert!(legal.len() >= 7, "{legal:?}");
    let files: Vec<_> = legal.iter().map(|n| (*n, *n)).collect();
    let (p1, p2) = lab.pair(&files);
    assert_eq!(p2.tree(), p1.tree());
    assert_eq!(p2.tree().paths().len(), legal.len());
    assert_repository(&lab, &p2);
}

#[test]
fn a_long_and_deep_name_is_carried() {
    let lab = lab();
    let long = format!("input/{}", "x".repeat(255));
    let deep = format!("input/{}/f", ["abcdefghi"; 60].join("/"));
    let (p1, p2) = lab.pair(&[(&long, "long"), (&deep, "deep")]);
    assert_eq!(p2.tree(), p1.tree());
    p1.write(&deep, "deeper");
    p1.sync();
    p2.sync();
    assert_eq!(p2.read(&deep), "deeper");
}

#[test]
fn illegal_names_are_shown_with_a_legal_one_and_renamed_when_asked() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.write("input/good", "x");
    p1.init();
    for (name, content) in [
        ("input/con.txt", "1"),
        ("input/what?.csv", "2"),
        ("input/e\u{301}te\u{301}.csv", "3"),
        ("input/bad: dir/a", "4"),
    ] {
        p1.write(name, content);
    }
    for path in ["input/con.txt", "input/what?.csv", "input/e\u{301}te\u{301}.csv"] {
        let change = change(&p1, path);
        assert_eq!(change["action"], "blocked");
        assert!(
            change["reason"].as_str().is_some_and(|r| !r.is_empty())
                && change["legal_name"].is_string(),
            "{change}"
        );
    }
    let done = p1.try_sync(&[]);
    assert!(matches!(done.code(), Some(0 | 7)), "{done:?}");
    assert_eq!(lab.repo_tree().paths(), ["input/good"]);
    let done = p1.try_sync(&["--normalize"]).ok().json();
    assert_eq!(done["renamed"].as_array().map(Vec::len), Some(4), "{done}");
    assert_eq!(
        lab.repo_tree().paths(),
        [
            "input/bad_ dir/a",
            "input/con_renamed.txt",
            "input/good",
            "input/what_.csv",
            "input/été.csv"
        ]
    );
    p1.assert_in_sync();
    assert_eq!(p1.tree(), lab.repo_tree());
}

#[test]
fn a_name_that_is_no_text_is_blocked_not_fatal() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.write("input/good", "x");
    std::fs::write(p1.at("input").join(OsStr::from_bytes(b"caf\xe9.csv")), "latin").unwrap();
    p1.try_init();
    let status = p1.dsg(&["status"]).ok().json();
    let blocked = status["counts"]["blocked"].as_u64();
    assert_eq!(blocked, Some(1), "{status:#}");
    assert_eq!(lab.repo_tree().paths(), ["input/good"]);
    assert!(p1.at("input").join(OsStr::from_bytes(b"caf\xe9.csv")).exists());
}

#[test]
fn of_names_that_differ_only_in_case_one_is_carried_and_the_other_blocked() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/Data.csv", "upper"), ("input/data.csv", "lower")]);
    let status = p1.dsg(&["status"]).ok().json();
    assert_eq!(status["counts"]["blocked"], 1, "{status:#}");
    assert!(status["changes"][0]["reason"].as_str().is_some_and(|r| !r.is_empty()), "{status:#}");
    assert_eq!(p2.tree().paths().len(), 1);
    assert_eq!(p1.tree().paths().len(), 2);
    p1.remove("input/data.csv");
    p1.sync();
    p1.assert_in_sync();
}

#[test]
fn a_name_that_a_colleague_already_gave_in_other_letters_is_blocked_before_it_reaches_him() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/keep", "x")]);
    p1.write("input/Report.csv", "the colleague's");
    p1.write("input/Survey/1.csv", "the colleague's");
    p1.sync();
    p2.write("input/report.csv", "mine");
    p2.write("input/survey/2.csv", "mine");
    for (path, other) in [("input/report.csv", "Report.csv"), ("input/survey/2.csv", "Survey")] {
        let found = change(&p2, path);
        assert_eq!(found["action"], "blocked", "{found:#}");
        let reason = found["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(other) && reason.contains("upper and lower case"), "{found:#}");
    }
    p2.try_sync(&[]);
    assert_eq!(lab.repo_tree().paths(), ["input/Report.csv", "input/Survey/1.csv", "input/keep"]);
    assert_eq!(p2.read("input/report.csv"), "mine");
    assert_eq!(p2.read("input/survey/2.csv"), "mine");
}

#[test]
fn links_inside_are_carried_and_others_are_blocked() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.write("input/a", "x");
    p1.link("input/here", "a");
    p1.link("output/up", "../input/a");
    p1.link("output/dangling", "nowhere");
    p1.link("output/to a folder", "../input");
    p1.init();
    for (path, target) in [("input/escapes", "../../outside"), ("input/absolute", "/etc/passwd")] {
        p1.link(path, target);
        assert_eq!(change(&p1, path)["action"], "blocked");
    }
    p1.try_sync(&[]);
    let p2 = lab.cloned("p2");
    assert_eq!(
        p2.tree().paths(),
        ["input/a", "input/here", "output/dangling", "output/to a folder", "output/up"]
    );
    assert_eq!(std::fs::read_link(p2.at("output/up")).unwrap(), std::path::Path::new("../input/a"));
    // A link becomes a file, and a file a link.
    for path in ["input/escapes", "input/absolute", "input/here"] {
        p1.remove(path);
    }
    p1.write("input/here", "a file now");
    p1.remove("input/a");
    p1.link("input/a", "here");
    p1.sync();
    p2.sync();
    assert_eq!(p2.tree(), p1.tree());
    assert_repository(&lab, &p2);
}

#[test]
fn a_link_in_the_way_does_not_lead_a_download_outside() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/keep", "x")]);
    let outside = lab.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, p2.at("input/sub")).unwrap();
    p1.write("input/sub/secret", "must not land outside");
    p1.sync();
    let done = p2.try_sync(&[]);
    assert_ne!(done.code(), Some(0), "{done:?}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "written outside: {done:?}");
}

#[test]
fn the_exec_bit_travels_and_is_a_change_of_its_own() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/run.sh", "#!/bin/sh\n")]);
    p1.chmod("input/run.sh", 0o755);
    assert_eq!(p1.status().action("input/run.sh"), "upload");
    p1.sync();
    p2.sync();
    assert_eq!(
        std::fs::metadata(p2.at("input/run.sh")).unwrap().permissions().mode() & 0o111,
        0o111
    );
    p2.chmod("input/run.sh", 0o644);
    p2.sync();
    p1.sync();
    assert_eq!(std::fs::metadata(p1.at("input/run.sh")).unwrap().permissions().mode() & 0o111, 0);
    assert_repository(&lab, &p1);
}

#[test]
fn empty_files_are_files_and_times_come_back() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.write("input/empty", "");
    p1.write("input/a", "x");
    let then = std::time::UNIX_EPOCH + std::time::Duration::new(1_234_567_890, 123_456_789);
    std::fs::File::options()
        .write(true)
        .open(p1.at("input/a"))
        .unwrap()
        .set_modified(then)
        .unwrap();
    p1.init();
    let p2 = lab.cloned("p2");
    assert_eq!(p2.read("input/empty"), "");
    assert_eq!(std::fs::metadata(p2.at("input/a")).unwrap().modified().unwrap(), then);
    // A new time alone is no change.
    std::fs::File::options()
        .write(true)
        .open(p2.at("input/a"))
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    p2.assert_in_sync();
    p2.remove("input/empty");
    p2.sync();
    p1.sync();
    assert!(!p1.has("input/empty"));
}

#[test]
fn a_change_that_keeps_size_and_time_is_found() {
    let lab = lab();
    let (p1, _) = lab.pair(&[("input/a", "one")]);
    let before = std::fs::metadata(p1.at("input/a")).unwrap().modified().unwrap();
    std::fs::write(p1.at("input/a"), "two").unwrap();
    std::fs::File::options()
        .write(true)
        .open(p1.at("input/a"))
        .unwrap()
        .set_modified(before)
        .unwrap();
    assert_eq!(p1.status().action("input/a"), "upload");
}

#[test]
fn a_sparse_file_of_three_gibibytes() {
    const SIZE: u64 = 3 << 30;
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.write("input/a", "x");
    let sparse = std::fs::File::create(p1.at("input/sparse")).unwrap();
    sparse.set_len(SIZE).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"in the middle", SIZE / 2).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", SIZE - 3).unwrap();
    drop(sparse);
    p1.init();
    let p2 = lab.cloned("p2");
    let copy = std::fs::File::open(p2.at("input/sparse")).unwrap();
    assert_eq!(copy.metadata().unwrap().len(), SIZE);
    let mut buffer = [0; 13];
    std::os::unix::fs::FileExt::read_exact_at(&copy, &mut buffer, SIZE / 2).unwrap();
    assert_eq!(&buffer, b"in the middle");
    p2.dsg(&["validate-file", "input/sparse"]).ok();
    p2.assert_in_sync();
}

#[test]
fn nested_projects_and_git_folders_are_left_alone() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[
        ("input/a", "x"),
        ("input/.git/config", "hidden"),
        ("src/main.py", "code"),
        ("input/b.tmp", "scratch"),
    ]);
    assert_eq!(lab.repo_tree().paths(), ["input/a"]);
    assert_eq!(p2.tree().paths(), ["input/a"]);
    assert!(p1.has("input/.git/config") && p1.has("src/main.py"));
}
