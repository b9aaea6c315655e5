//! A folder with files in it becomes a project again: after its state was lost, or because the files
//! came by another way. Nothing in it is overwritten or deleted.

use dsg_testkit::keeping::assert_repository;
use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::run::Done;
use dsg_testkit::tree::{Scope, Tree};

use crate::lab;

fn attach(checkout: &Checkout) -> Done {
    checkout.runner.run(&[
        "--json".as_ref(),
        "clone".as_ref(),
        "--attach".as_ref(),
        checkout.address.as_os_str(),
        checkout.dir.as_os_str(),
    ])
}

const THERE: [(&str, &str); 4] = [
    ("input/same", "the same"),
    ("input/differs", "theirs"),
    ("input/theirs only", "new there"),
    ("output/deep/same", "the same, too"),
];

/// A repository, and a folder that holds some of it.
fn half_copied(lab: &Lab) -> Checkout {
    let p1 = lab.checkout("p1");
    for (path, content) in THERE {
        p1.write(path, content);
    }
    p1.init();
    let p2 = lab.checkout("p2");
    p2.write("input/same", "the same");
    p2.write("output/deep/same", "the same, too");
    p2.write("input/differs", "mine");
    p2.write("input/mine only", "new here");
    p2.write("notes.txt", "not tracked");
    p2
}

#[test]
fn a_folder_that_is_not_empty_is_taken_only_when_asked() {
    let lab = lab();
    let p2 = half_copied(&lab);
    let before = Tree::of(&p2.dir, Scope::Everything);
    let refused = p2.clone_here().expect(2).failed("exists").json();
    let hint = refused["error"]["hint"].as_str().unwrap().to_owned();
    let command = format!("dsg clone --attach {} {}", p2.address.display(), p2.dir.display());
    assert!(hint.contains(&command), "{hint}");
    assert_eq!(Tree::of(&p2.dir, Scope::Everything), before);
}

#[test]
fn equal_is_in_sync_missing_comes_and_what_differs_is_asked() {
    let lab = lab();
    let p2 = half_copied(&lab);
    let remote = lab.repo_tree();
    let done = attach(&p2).expect(3);
    assert_eq!(done.texts("conflicts"), ["input/differs"]);
    assert_eq!(done.json()["downloaded"], 1);
    assert_eq!(lab.repo_tree(), remote, "nothing goes there by attaching");
    for (path, content) in [
        ("input/same", "the same"),
        ("input/differs", "mine"),
        ("input/mine only", "new here"),
        ("input/theirs only", "new there"),
        ("notes.txt", "not tracked"),
    ] {
        assert_eq!(p2.read(path), content);
    }
    let pending = p2.status();
    assert_eq!(pending.state("input/same"), "LCR.all_eq");
    assert_eq!(pending.state("input/differs"), "LR.ne");
    assert_eq!(pending.action("input/mine only"), "upload");
    assert_eq!(pending.changes.len(), 2, "{pending:#?}");
    p2.resolve("input/differs", "--both");
    p2.sync();
    p2.assert_in_sync();
    assert_repository(&lab, &p2);
    assert_eq!(lab.repo_tree().paths().len(), 6);
    attach(&p2).expect(2).failed("exists");
}

#[test]
fn a_folder_in_which_everything_differs_is_a_project_too() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.write("input/a", "theirs");
    p1.init();
    let p2 = lab.checkout("p2");
    p2.write("input/a", "mine");
    std::fs::copy(p1.at(".dsgconfig.yml"), p2.at(".dsgconfig.yml")).unwrap();
    attach(&p2).expect(3);
    assert_eq!(p2.status().state("input/a"), "LR.ne");
    p2.resolve("input/a", "--local");
    p2.sync();
    p1.sync();
    assert_eq!(p1.read("input/a"), "mine");
}

#[test]
fn a_configuration_that_is_here_stays_and_takes_nothing_from_theirs() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    p1.init();
    let p2 = lab.checkout("p2");
    p2.write("input/a", "one");
    p2.write("figures/f", "a figure");
    let config = p1.read(".dsgconfig.yml");
    let mine = config.replace("- frozen\n", "- figures\n");
    assert_ne!(mine, config);
    p2.write(".dsgconfig.yml", &mine);
    attach(&p2).ok();
    assert_eq!(p2.read(".dsgconfig.yml"), mine, "what was here is as it was");
    p2.sync();
    assert_eq!(lab.repo_tree().paths(), ["figures/f", "input/a"]);
    let merged = p2.read(".dsgconfig.yml");
    assert!(merged.contains("- figures\n") && merged.contains("- frozen\n"), "{merged}");
    p2.assert_in_sync();
}

/// Runs the commands that an error names, line by line, as a person would.
fn follow(checkout: &Checkout, error: &serde_json::Value) {
    let hint = error["error"]["hint"].as_str().unwrap();
    let commands: Vec<&str> = hint.lines().filter_map(|l| l.strip_prefix("  ")).collect();
    assert_eq!(commands.len(), 2, "{hint}");
    let bin = checkout.runner.binary.parent().unwrap().to_owned();
    for command in commands {
        let done = std::process::Command::new("sh")
            .args(["-c", command])
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("HOME", &checkout.runner.home)
            .env("DSG_CONFIG_HOME", &checkout.runner.config)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(matches!(done.status.code(), Some(0 | 3)), "{command}: {said}");
    }
}

#[test]
fn a_lost_state_has_a_way_out_that_keeps_every_file_and_the_trash() {
    type Loss = (&'static str, fn(&Checkout));
    let losses: [Loss; 3] = [
        ("garbage", |p| std::fs::write(p.at(".dsg/state.db"), vec![0xa5; 40_960]).unwrap()),
        ("nothing in it", |p| std::fs::write(p.at(".dsg/state.db"), "").unwrap()),
        ("gone", |p| std::fs::remove_file(p.at(".dsg/state.db")).unwrap()),
    ];
    for (what, lose) in losses {
        let lab = lab();
        let p1 = lab.checkout("p1");
        p1.write("input/a", "one");
        p1.write("input/b", "two");
        p1.init();
        let p2 = lab.cloned("it's p2");
        p1.write("input/a", "newer");
        p1.sync();
        p2.sync();
        p2.write("input/b", "edited here");
        p2.write("input/c", "made here");
        for file in std::fs::read_dir(p2.at(".dsg")).unwrap() {
            let file = file.unwrap().path();
            if file.to_string_lossy().contains("state.db-") {
                std::fs::remove_file(file).unwrap();
            }
        }
        lose(&p2);
        let files = p2.tree();
        let error = p2.dsg(&["status"]).failed("state-damaged").json();
        follow(&p2, &error);
        assert_eq!(p2.tree(), files, "{what}");
        let pending = p2.status();
        assert_eq!(pending.state("input/a"), "LCR.all_eq", "{what}");
        assert_eq!(
            pending.state("input/b"),
            "LR.ne",
            "{what}: who changed it is not known any more"
        );
        assert_eq!(pending.action("input/c"), "upload", "{what}");
        let trash = Tree::of(&p2.at(".dsg-damaged/trash"), Scope::Everything);
        assert!(trash.paths().iter().any(|p| p.ends_with("/input/a")), "{what}: {trash:?}");
        p2.resolve("input/b", "--local");
        p2.sync();
        p2.assert_in_sync();
        assert_repository(&lab, &p2);
    }
}

#[test]
fn what_a_lost_sync_had_in_its_hands_goes_to_the_trash() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "one"), ("input/b", "two")]);
    p1.write("input/a", "theirs");
    p1.sync();
    p2.write("input/b", "mine");
    // It dies with the former file swapped out, and its record is lost after that.
    assert!(p2.with("DSG_CRASH_AT", "engine.swapped").try_sync(&[]).crashed());
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(p2.at(".dsg").join(file));
    }
    attach(&p2);
    let kept = Tree::of(&p2.at(".dsg/trash"), Scope::Everything);
    let trash = p2.at(".dsg/trash");
    let read = |path: &&str| std::fs::read_to_string(trash.join(path)).unwrap_or_default();
    assert!(kept.paths().iter().any(|path| read(path) == "one"), "{kept:?}");
    assert_eq!((p2.read("input/a"), p2.read("input/b")), ("theirs".into(), "mine".into()));
}

#[test]
fn an_attach_that_was_cut_off_is_taken_up_by_the_same_command() {
    let lab = lab();
    let p2 = half_copied(&lab);
    let files = p2.tree();
    for place in
        ["engine.created", "engine.planned", "engine.staged", "engine.sealed", "engine.step"]
    {
        let dying = p2.with("DSG_CRASH_AT", place);
        if !attach(&dying).crashed() {
            continue;
        }
        let done = attach(&p2);
        assert!(matches!(done.code(), Some(0 | 3)), "{place}: {done:?}");
        let pending = p2.status();
        assert_eq!(pending.state("input/differs"), "LR.ne", "{place}");
        assert_eq!(pending.action("input/mine only"), "upload", "{place}");
        assert_eq!(p2.read("input/theirs only"), "new there", "{place}");
        p2.remove("input/theirs only");
        p2.remove(".dsg");
        p2.remove(".dsgconfig.yml");
        assert_eq!(p2.tree(), files, "{place}");
    }
}
