//! A team that worked with the earlier DSG goes on with this one: its repository is adopted with its
//! history, and its working folders are made copies of it. Nothing of theirs is lost or moved.

use std::ffi::OsStr;
use std::fs;

use dsg_testkit::keeping::assert_repository;
use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::legacy::LegacyRepo;
use dsg_testkit::run::Done;
use dsg_testkit::tree::{Scope, Tree};
use serde_json::json;

use crate::lab;

/// Three snapshots of two people.
fn legacy(lab: &Lab) -> LegacyRepo {
    let mut repo = LegacyRepo::new(&lab.repo);
    repo.sync("ann@example.org", "first", &[("input/b.csv", "beta"), ("input/a.csv", "1")])
        .sync(
            "bob@example.org",
            "more",
            &[("input/b.csv", "beta"), ("input/a.csv", "22"), ("output/x", "x")],
        )
        .sync("ann@example.org", "last", &[("input/b.csv", "beta"), ("input/a.csv", "333")]);
    repo
}

fn adopt(checkout: &Checkout, more: &[&str]) -> Done {
    let mut args: Vec<&OsStr> =
        vec!["adopt".as_ref(), checkout.address.as_os_str(), "--json".as_ref()];
    args.extend(more.iter().map(OsStr::new));
    checkout.runner.run(&args)
}

#[test]
fn a_repository_of_the_earlier_dsg_is_adopted_with_its_history() {
    let lab = lab();
    let repo = legacy(&lab);
    let theirs = Tree::of(&lab.repo, Scope::Everything);
    let p1 = lab.checkout("p1");
    let address = p1.address.to_str().unwrap().to_owned();

    // Whoever comes by another way hears what stands there, and what to do.
    for done in [p1.clone_here(), p1.try_init()] {
        let told = done.expect(2).failed("legacy-repository").json();
        let hint = told["error"]["hint"].as_str().unwrap();
        assert!(hint.contains(&format!("dsg adopt {address} --dry-run")), "{hint}");
    }
    let above = address.strip_suffix("/repo").unwrap();
    let found = p1.words(&["list-repos", above, "--json"]).ok().json();
    assert_eq!(found["repositories"][0]["error"]["code"], "legacy-repository", "{found}");

    let shown = adopt(&p1, &["--dry-run"]).ok().json();
    assert_eq!(
        (&shown["snapshot"], &shown["snapshots"], &shown["deviating"]),
        (&json!(null), &json!(3), &json!(0))
    );
    let past: Vec<_> = shown["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            (p["id"].as_str().unwrap(), p["author"].as_str().unwrap(), p["list"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        past,
        [
            ("s3", "ann@example.org", "proven"),
            ("s2", "bob@example.org", "proven"),
            ("s1", "ann@example.org", "proven")
        ]
    );
    assert!(!lab.sidecar().exists(), "a look leaves nothing behind");

    assert_eq!(adopt(&p1, &["-m", "we go on"]).ok().json()["snapshot"], "s4");
    assert_eq!(Tree::of(&lab.repo, Scope::Everything), theirs, "no file was moved or changed");
    adopt(&p1, &[]).expect(2).failed("exists");

    p1.clone_here().ok();
    assert_eq!(p1.read("input/a.csv"), "333");
    let log = p1.words(&["log"]).ok().stdout;
    let lines: Vec<_> = log.lines().collect();
    assert!(lines[0].starts_with("s4") && lines[0].ends_with("we go on"), "{log}");
    assert!(lines[1].starts_with("s3") && lines[1].ends_with("last  (earlier DSG)"), "{log}");
    let blamed = p1.words(&["blame", "input/a.csv", "--json"]).ok().json();
    let versions: Vec<_> = blamed["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["snapshot"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(versions, ["s3", "s2", "s1"], "{blamed}");
    let diff = p1.words(&["diff", "s1", "s2", "--json"]).ok().json();
    let changed: Vec<_> = diff["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["path"].as_str().unwrap())
        .collect();
    assert_eq!(changed, ["input/a.csv", "output/x"]);
    let files = p1.words(&["list-files", "--snapshot", "s1", "--json"]).ok().json();
    assert!(
        files["files"][0]["xxh3"].is_string() && files["files"][1]["hash"].is_string(),
        "{files}"
    );

    // Of what changed since there is no content, and this is said.
    for args in [&["restore", "s2", "--json"][..], &["snapfetch", "s2", "input/a.csv", "--json"]] {
        let told = p1.words(args).expect(2).failed("not-found").json();
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.contains("s2 was made by the earlier DSG"), "{message}");
        assert!(told["error"]["hint"].as_str().unwrap().contains("from s4 on"), "{told}");
    }
    let chain = p1.words(&["validate-chain", "--deep"]).ok().stdout;
    assert!(chain.contains("Up to s3 the earlier DSG made them"), "{chain}");

    p1.write("input/a.csv", "4444");
    assert_eq!(p1.sync().json()["snapshot"], "s5");
    p1.words(&["restore", "s4", "input/a.csv"]).ok();
    assert_eq!(p1.read("input/a.csv"), "333");
    p1.sync();
    p1.assert_in_sync();
    assert_eq!(
        Tree::of(&repo.own(""), Scope::Everything).0.len(),
        4,
        "what it kept is still there"
    );
    p1.words(&["validate-chain", "--deep"]).ok();
}

#[test]
fn what_is_not_as_it_was_left_is_shown_and_taken_only_when_asked() {
    let lab = lab();
    let repo = legacy(&lab);
    fs::write(lab.repo.join("input/b.csv"), "changed on the host").unwrap();
    fs::write(lab.repo.join("input/new"), "new").unwrap();
    let p1 = lab.checkout("p1");
    let shown = adopt(&p1, &["--dry-run"]).expect(4).json();
    let found: Vec<_> = shown["deviations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (d["path"].as_str().unwrap(), d["what"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [("input/b.csv", "changed"), ("input/new", "added")]);
    let halt = adopt(&p1, &[]).expect(4).failed("drift");
    assert_eq!(halt.texts("paths"), ["input/b.csv", "input/new"]);
    assert!(!lab.sidecar().exists());
    fs::write(repo.own("sync.lock"), "{\"user_id\": \"bob@example.org\"}").unwrap();
    adopt(&p1, &["--allow", "drift"]).expect(5).failed("locked");
    fs::remove_file(repo.own("sync.lock")).unwrap();
    adopt(&p1, &["--allow", "drift"]).ok();
    p1.clone_here().ok();
    assert_eq!(
        (p1.read("input/b.csv"), p1.read("input/new")),
        ("changed on the host".into(), "new".into())
    );
    let diff = p1.words(&["diff", "s3", "s4", "--json"]).ok().json();
    assert_eq!(diff["differences"].as_array().unwrap().len(), 2);
    p1.assert_in_sync();
}

#[test]
fn a_working_folder_of_the_earlier_dsg_goes_on_as_a_copy_and_loses_nothing() {
    let lab = lab();
    legacy(&lab);
    // A working folder looks like a repository, but for its configuration.
    let p2 = lab.checkout("p2");
    let mut theirs = LegacyRepo::new(&p2.dir);
    theirs.sync("bob@example.org", "last", &[("input/b.csv", "beta"), ("input/a.csv", "333")]);
    let above = lab.repo.parent().unwrap().display();
    p2.write(
        ".dsgconfig.yml",
        format!("# ours\nname: repo\nrepository: {{type: xfs, host: localhost, mountpoint: {above}}}\ndata_dirs: [input, output]\n"),
    );
    p2.write("input/a.csv", "changed here");
    p2.write("input/mine.csv", "new here");
    p2.write("notes.txt", "not tracked");
    let before = Tree::of(&p2.dir, Scope::Everything);
    for args in [&["status", "--json"][..], &["sync", "--json"], &["log", "--json"]] {
        let told = p2.words(args).expect(2).failed("legacy-repository").json();
        let hint = told["error"]["hint"].as_str().unwrap();
        let there = lab.repo.display();
        let commands = [
            format!("dsg adopt {there}"),
            format!("dsg clone --attach {there} {}", p2.dir.display()),
        ];
        assert!(commands.iter().all(|command| hint.contains(command)), "{hint}");
    }
    let not_this = p2.runner.run(&["adopt".as_ref(), p2.dir.as_os_str(), "--json".as_ref()]);
    not_this.expect(2).failed("no-repository");
    assert_eq!(Tree::of(&p2.dir, Scope::Everything), before);

    adopt(&p2, &[]).ok();
    let attached = p2.runner.run(&[
        "clone".as_ref(),
        "--attach".as_ref(),
        p2.address.as_os_str(),
        p2.dir.as_os_str(),
        "--json".as_ref(),
    ]);
    assert_eq!(attached.expect(3).texts("conflicts"), ["input/a.csv"]);
    let now = Tree::of(&p2.dir, Scope::Everything);
    let lost: Vec<_> =
        before.0.iter().filter(|(path, was)| now.0.get(*path) != Some(was)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let pending = p2.status();
    assert_eq!(
        (pending.action("input/mine.csv"), pending.state("input/a.csv")),
        ("upload", "LR.ne")
    );
    p2.resolve("input/a.csv", "--local");
    p2.sync();
    p2.assert_in_sync();
    assert_eq!(p2.read("input/a.csv"), "changed here");
    assert_repository(&lab, &p2);
}
