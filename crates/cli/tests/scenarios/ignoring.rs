//! `.dsgignore`: what is left alone, on every side alike.

use crate::lab;

#[test]
fn what_a_pattern_names_is_left_alone_by_all_and_what_was_synced_stays_until_somebody_decides() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "one"), ("input/big.bin", "old"), ("input/b", "two")]);
    p1.write("input/scratch/x", "mine");
    std::fs::write(p1.at(".dsgignore"), "# too large\n*.bin\n\nscratch/\n").unwrap();

    // It is synced already: it becomes no deletion, and the line is told.
    let status = p1.dsg(&["status"]).ok().json();
    let [one] = &status["changes"].as_array().unwrap()[..] else { panic!("{status}") };
    assert_eq!((&one["path"], &one["action"]), (&"input/big.bin".into(), &"blocked".into()));
    let reason = one["reason"].as_str().unwrap();
    assert!(reason.starts_with("Now ignored by .dsgignore line 2. It is no longer"), "{reason}");
    assert_eq!(status["config_pending"], true);
    p1.sync();
    assert_eq!(lab.repo_tree().paths(), ["input/a", "input/b", "input/big.bin"]);

    // The other side decides alike from now on, and has the same file to edit.
    p2.write("input/scratch/y", "theirs");
    p2.write("input/new.bin", "theirs");
    p2.sync();
    assert_eq!(p2.read(".dsgignore"), "# too large\n*.bin\n\nscratch/\n");
    assert_eq!(lab.repo_tree().paths(), ["input/a", "input/b", "input/big.bin"]);
    assert!(p2.has("input/big.bin") && p2.has("input/new.bin"));
    p1.remove("input/big.bin");
    p1.sync();
    assert!(lab.repo_tree().paths().contains(&"input/big.bin"));
    p1.resolve("input/big.bin", "--local").ok();
    p1.sync();
    assert_eq!(lab.repo_tree().paths(), ["input/a", "input/b"]);
    p2.sync();
    assert!(p2.has("input/big.bin"), "what is not tracked is nobody's to delete");
}

#[test]
fn lines_of_both_sides_are_merged_and_the_file_that_went_takes_its_lines_with_it() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "one")]);
    std::fs::write(p1.at(".dsgignore"), "*.log\n").unwrap();
    p1.sync();
    p2.sync();
    std::fs::write(p1.at(".dsgignore"), "*.log\n*.one\n").unwrap();
    std::fs::write(p2.at(".dsgignore"), "*.two\n").unwrap();
    p1.sync();
    p2.sync();
    assert_eq!(p2.read(".dsgignore"), "*.one\n*.two\n");
    p1.sync();
    assert_eq!(p1.read(".dsgignore"), "*.one\n*.two\n");
    p1.assert_in_sync();

    std::fs::remove_file(p1.at(".dsgignore")).unwrap();
    p1.write("input/b.one", "b");
    p1.sync();
    assert!(lab.repo_tree().paths().contains(&"input/b.one"));
    p2.sync();
    assert_eq!(p2.read(".dsgignore"), "");
    // What stood there is in the trash, as what a sync replaces is.
    let trash = walk(&p2.at(".dsg/trash"));
    assert!(trash.iter().any(|text| text == "*.one\n*.two\n"), "{trash:?}");
}

/// The texts of files named `.dsgignore` below a folder.
fn walk(dir: &std::path::Path) -> Vec<String> {
    let folders = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    folders.filter_map(|folder| std::fs::read_to_string(folder.join(".dsgignore")).ok()).collect()
}

#[test]
fn a_new_project_and_a_folder_that_is_attached_bring_their_patterns() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    p1.write("input/a.log", "no");
    std::fs::write(p1.at(".dsgignore"), "*.log\n").unwrap();
    p1.init();
    assert_eq!(lab.repo_tree().paths(), ["input/a"]);

    let p2 = lab.checkout("p2");
    p2.write("input/b.bin", "no");
    std::fs::write(p2.at(".dsgignore"), "*.bin\n").unwrap();
    let (repository, folder) = (p2.address.to_str().unwrap(), p2.dir.to_str().unwrap());
    p2.dsg(&["clone", "--attach", repository, folder]).ok();
    assert_eq!(p2.read(".dsgignore"), "*.bin\n", "a file that is here stays as it is");
    p2.sync();
    assert_eq!(p2.read(".dsgignore"), "*.log\n*.bin\n");
    assert_eq!(lab.repo_tree().paths(), ["input/a"]);
}

#[test]
fn a_line_that_is_no_pattern_stops_everything_and_is_shown() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    p1.init();
    std::fs::write(p1.at(".dsgignore"), "*.log\n[z-a]\n").unwrap();
    p1.write("input/b", "two");
    let failed = p1.try_sync(&[]).expect(2).failed("config");
    assert!(failed.stdout.contains(".dsgignore:2:1: this is no pattern"), "{}", failed.stdout);
    let answer = p1.dsg(&["validate-config"]).expect(2).json();
    let file = answer["files"].as_array().unwrap();
    let file = file.iter().find(|f| f["path"].as_str().unwrap().ends_with(".dsgignore")).unwrap();
    assert_eq!(file["errors"][0]["line"], 2);
    let words = p1.words(&["validate-config"]).expect(2).stdout;
    assert!(words.contains("2 | [z-a]") && words.contains("as in .gitignore"), "{words}");
    assert_eq!(lab.repo_tree().paths(), ["input/a"]);
}
