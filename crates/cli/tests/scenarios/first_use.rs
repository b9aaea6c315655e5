//! The first quarter of an hour with `dsg`, as a person types it.

use crate::{DSG, lab};
use dsg_testkit::lab::Lab;

#[test]
fn two_folders_one_repository_and_a_conflict() {
    let lab: Lab = Lab::new(DSG);
    let p1 = lab.checkout("p1");
    p1.write("input/a.csv", "id,value\n1,2\n");
    p1.write("input/b.csv", "id\n");
    let repo = lab.repo.to_str().unwrap();
    let runner = &p1.runner;
    let said = runner.run(&["init", repo, "-C", p1.dir.to_str().unwrap(), "-m", "first"]).ok();
    assert!(said.stdout.contains("s1") && said.stdout.contains("2 files"), "{said:?}");

    let dir = lab.path().join("p2");
    runner.run(&["clone", repo, dir.to_str().unwrap()]).ok();
    let p2 = lab.checkout("p2");
    assert_eq!(p2.tree(), p1.tree());

    p1.write("input/a.csv", "id,value\n1,3\n");
    p2.write("input/a.csv", "id,value\n1,4\n");
    p2.write("output/result.csv", "4\n");
    let said = p2.words(&["sync", "-m", "two"]).ok();
    assert!(said.stdout.contains("s2"), "{said:?}");

    let said = p1.words(&["status"]).ok();
    assert!(said.stdout.contains("input/a.csv") && said.stdout.contains("dsg resolve"), "{said:?}");
    let said = p1.words(&["sync"]).expect(3);
    assert!(said.stderr.contains("input/a.csv") && said.stderr.contains("resolve"), "{said:?}");
    assert!(
        !said.stdout.contains('\x1b') && !said.stderr.contains('\x1b'),
        "colours without a terminal: {said:?}"
    );

    p1.words(&["resolve", "input/a.csv", "--both"]).ok();
    let said = p1.words(&["sync"]).ok();
    assert!(said.stdout.contains("s3"), "{said:?}");
    let log = p1.words(&["log"]).ok().stdout;
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 3, "{log}");
    for (line, (id, who, why)) in
        lines.iter().zip([("s3", "p1@", ""), ("s2", "p2@", "two"), ("s1", "p1@", "first")])
    {
        assert!(line.starts_with(id) && line.contains(who) && line.contains(why), "{line}");
    }
    assert_eq!(p1.read("input/a.csv"), "id,value\n1,4\n");
    let kept = p1.tree().0.keys().filter(|p| p1.read(p) == "id,value\n1,3\n").count();
    assert_eq!(kept, 1, "{:?}", p1.tree());
    p2.sync();
    assert_eq!(p2.tree(), p1.tree());
    dsg_testkit::keeping::assert_repository(&lab, &p2);
}

#[test]
fn looking_at_history() {
    let lab = lab();
    let (p1, p2) =
        lab.pair(&[("input/a", "one"), ("input/gone", "x"), ("input/moved", "some content")]);
    p1.write("input/a", "two");
    p1.remove("input/gone");
    p1.rename("input/moved", "input/elsewhere");
    p1.write("input/new", "n");
    p1.sync();
    p2.sync();
    p2.write("input/a", "three");

    let kinds = |args: &[&str]| {
        let document = p2.dsg(&[&["diff"], args].concat()).ok().json();
        let list = document["differences"].as_array().unwrap().clone();
        list.iter()
            .map(|d| format!("{} {}", d["kind"].as_str().unwrap(), d["path"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        kinds(&["s1", "s2"]),
        ["changed input/a", "moved input/elsewhere", "deleted input/gone", "added input/new"]
    );
    assert_eq!(kinds(&[]), ["changed input/a"]);
    assert!(kinds(&["s1"]).contains(&"changed input/a".to_owned()));

    let first = dsg_testkit::keeping::manifest(&p2, &["--snapshot", "s1"]);
    assert_eq!(first.keys().collect::<Vec<_>>(), ["input/a", "input/gone", "input/moved"]);
    p2.dsg(&["list-files", "--snapshot", "s9"]).expect(2).failed("not-found");
    p2.dsg(&["diff", "s1", "s9"]).expect(2).failed("not-found");

    let log = p2.dsg(&["log", "-n", "1"]).ok().json();
    assert_eq!(log["snapshots"].as_array().unwrap().len(), 1);
    assert_eq!(log["snapshots"][0]["id"], "s2");
    assert_eq!(log["snapshots"][0]["author"], "p1@example.org");

    let check = p2.dsg(&["validate-file", "input/a"]).expect(1).json();
    assert_eq!(
        (&check["local"]["state"], &check["repository"]["state"]),
        (&"different".into(), &"same".into())
    );
    p2.dsg(&["validate-file", "input/new"]).ok();
    p2.dsg(&["validate-file", "input/nowhere"]).expect(2).failed("not-found");
    let chain = p2.dsg(&["validate-chain", "--deep"]).ok().json();
    assert_eq!((&chain["snapshots"], &chain["head"]), (&2.into(), &"s2".into()));
}

#[test]
fn cleaning_asks_first() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "one"), ("input/b", "two")]);
    p1.write("input/a", "changed");
    p1.sync();
    p2.sync();
    let shown = p2.dsg(&["clean"]).ok().json();
    assert_eq!(shown["removed"], false);
    assert!(
        shown["items"].as_array().is_some_and(|i| !i.is_empty()),
        "the trash holds the former file: {shown}"
    );
    assert_eq!(p2.dsg(&["clean"]).ok().json(), shown);
    assert_eq!(p2.dsg(&["clean", "--yes"]).ok().json()["removed"], true);
    assert_eq!(p2.dsg(&["clean"]).ok().json()["items"].as_array().map(Vec::len), Some(0));
    p2.assert_in_sync();
}

#[test]
fn wrong_places_are_named() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.dsg(&["status"]).expect(2).failed("not-a-project");
    p1.clone_here().expect(2).failed("no-repository");
    p1.write("input/a", "one");
    p1.init();
    p1.try_init().expect(2).failed("exists");
    let p2 = lab.checkout("p2");
    p2.write("input/b", "two");
    p2.try_init().expect(2).failed("exists");
    assert_eq!(p2.tree().paths(), ["input/b"]);
    assert!(!p2.has(".dsg"), "nothing is left of a refused init");
    p2.clone_here().expect(2).failed("exists");
    assert_eq!(p2.tree().paths(), ["input/b"]);
    p1.dsg(&["sync", "--allow", "everything"]).expect(2).failed("usage");
}

#[test]
fn a_project_is_found_from_below() {
    let lab = lab();
    let (p1, _) = lab.pair(&[("input/deep/a", "one")]);
    let below = dsg_testkit::lab::Checkout { dir: p1.at("input/deep"), ..p1.clone() };
    assert_eq!(below.status(), p1.status());
    below.write("a", "two");
    below.dsg(&["sync", "--only", "./a"]).ok();
    p1.assert_in_sync();
}

#[test]
fn a_folder_without_data_folders_is_not_shown_as_in_sync_by_mistake() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.write("thesis.tex", "x");
    p1.write("figures/one.png", "y");
    let done = p1.try_init();
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(!done.stderr.is_empty(), "it is said that everything is tracked: {done:?}");
    assert_eq!(lab.repo_tree(), p1.tree());
}

#[test]
fn offline_works_without_the_repository() {
    let lab = lab();
    let (p1, _) = lab.pair(&[("input/a", "one")]);
    p1.write("input/a", "two");
    lab.goes_away();
    let status = p1.dsg(&["status"]).ok().json();
    assert_eq!(status["reachable"], false);
    assert_eq!(status["changes"][0]["action"], "upload");
    p1.dsg(&["status", "--offline"]).ok();
    p1.try_sync(&[]).expect(6).failed("unreachable");
    lab.comes_back();
    p1.sync();
    p1.assert_in_sync();
}

#[test]
fn many_files_cost_no_more_questions_than_one() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "one")]);
    let asked = |done: dsg_testkit::run::Done| done.json()["round_trips"].as_u64().unwrap();
    p1.write("input/a", "two");
    let up_one = asked(p1.sync());
    let down_one = asked(p2.sync());
    for n in 0..300 {
        p1.write(&format!("input/{}/{n}", n % 7), format!("row {n}"));
    }
    assert!(up_one > 0 && down_one > 0);
    assert_eq!(asked(p1.sync()), up_one);
    assert_eq!(asked(p2.sync()), down_one);
}
