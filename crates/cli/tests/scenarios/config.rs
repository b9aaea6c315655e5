//! Configuration files: what is wrong is told with its place, all at once, and older ones become newer.

use dsg_testkit::lab::Lab;

use crate::lab;

fn configure(lab: &Lab, text: &str) -> dsg_testkit::lab::Checkout {
    let p1 = lab.checkout("p1");
    std::fs::write(p1.at(".dsgconfig.yml"), text).unwrap();
    p1
}

#[test]
fn every_mistake_of_every_file_is_told_at_once_and_nothing_is_synced_with_them() {
    let lab = lab();
    let p1 = configure(&lab, "name: p\ndata_dir: [input]\nignore:\n  names: x\n");
    std::fs::write(p1.runner.config.join("dsg.yml"), "user_id: ann\n").unwrap();
    let answer = p1.dsg(&["validate-config"]).expect(2).json();
    assert_eq!(answer["valid"], false);
    let files = answer["files"].as_array().unwrap();
    let errors = |file: usize| files[file]["errors"].as_array().unwrap();
    assert_eq!((errors(0).len(), errors(1).len()), (2, 1));
    let first = &errors(0)[0];
    assert_eq!(
        (&first["line"], &first["column"], &first["length"]),
        (&2.into(), &1.into(), &8.into())
    );
    assert!(first["mend"].as_str().unwrap().contains("data_dirs"));

    let words = p1.words(&["validate-config"]).expect(2).stdout;
    for part in [
        "2 mistakes",
        "2 | data_dir: [input]",
        "^^^^^^^^",
        "Did you mean data_dirs",
        "no e-mail address",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }
    p1.write("input/a", "one");
    let failed = p1.try_init().expect(2).failed("config");
    let message = failed.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains(".dsgconfig.yml:2:1:") && message.contains(":4:10:"), "{message}");
    assert!(!p1.has(".dsg"));
}

#[test]
fn an_older_project_is_opened_as_it_is_and_made_newer_when_that_is_asked_for() {
    let lab = lab();
    let old = "# ours\ntransport: ssh\nssh: {host: tank, path: /srv, name: survey, type: xfs}\nproject:\n  # raw\n  data_dirs: [raw]\n";
    let p1 = configure(&lab, old);
    p1.write("raw/a", "one");
    p1.write("input/b", "two");
    let answer = p1.dsg(&["validate-config"]).ok().json();
    assert_eq!(answer["files"][0]["format"], "wrapped");
    assert_eq!(answer["files"][0]["repository"], "ssh://tank/srv/survey");
    p1.init();
    assert_eq!(lab.repo_tree().paths(), ["raw/a"]);
    assert_eq!(p1.read(".dsgconfig.yml"), old, "it is not touched");

    let shown = p1.words(&["validate-config", "--fix-legacy", "--dry-run"]).ok().stdout;
    assert!(shown.contains("-project:") && shown.contains("+name: survey"), "{shown}");
    assert_eq!(p1.read(".dsgconfig.yml"), old);
    p1.words(&["validate-config", "--fix-legacy"]).ok();
    assert_eq!(p1.read(".dsgconfig.yml.backup"), old);
    let new = p1.read(".dsgconfig.yml");
    assert!(
        new.starts_with("# ours\nname: survey\n") && new.contains("# raw\ndata_dirs: [raw]\n"),
        "{new}"
    );
    p1.assert_in_sync();
    let again = p1.words(&["validate-config", "--fix-legacy"]).ok().stdout;
    assert!(again.contains("present format") && !p1.has(".dsgconfig.yml.backup.2"), "{again}");
}

#[test]
fn the_oldest_file_is_taken_over_and_kept() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    let old = "repo_name: p\nrepo_path: /srv\nhost: localhost\nrepo_type: xfs\ndata_dirs: [raw]\n";
    std::fs::create_dir(p1.at(".dsg")).unwrap();
    std::fs::write(p1.at(".dsg/config.yml"), old).unwrap();
    let answer = p1.dsg(&["validate-config", "--fix-legacy"]).ok().json();
    assert_eq!(answer["written"], true);
    assert_eq!(p1.read(".dsg/config.yml"), old);
    assert_eq!(p1.dsg(&["validate-config"]).ok().json()["files"][0]["repository"], "/srv/p");
    p1.write("raw/a", "one");
    p1.init();
    assert_eq!(lab.repo_tree().paths(), ["raw/a"]);
}

#[test]
fn where_no_project_is_that_is_told_and_my_own_file_is_looked_at_all_the_same() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    let answer = p1.dsg(&["validate-config"]).expect(2).json();
    assert!(answer["files"][0]["path"].as_str().unwrap().ends_with("dsg.yml"));
    p1.dsg(&["validate-config", "--fix-legacy"]).expect(2).failed("not-a-project");
    let schema = p1.words(&["schema", "user"]).ok().json();
    assert!(schema["properties"]["hosts"].is_object());
}

#[test]
fn the_author_is_whom_the_environment_names_last() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    p1.init();
    p1.write("input/a", "two");
    p1.with("DSG_USER_ID", "desk@example.org").sync();
    let log = p1.dsg(&["log"]).json();
    assert_eq!(log["snapshots"][0]["author"], "desk@example.org");
    p1.write("input/a", "three");
    p1.with("DSG_USER_ID", "desk").dsg(&["sync"]).expect(2).failed("config");
}
