//! A repository that is named by less than an address.

use dsg_testkit::lab::{Checkout, Lab};

use crate::lab;

/// A folder whose person's configuration has these lines more.
fn person(lab: &Lab, name: &str, lines: &str) -> Checkout {
    let checkout = lab.checkout(name);
    let file = checkout.runner.config.join("dsg.yml");
    let said = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, said + lines).unwrap();
    checkout
}

fn default_folder(lab: &Lab) -> (std::path::PathBuf, String) {
    let folder = lab.path().join("all of ours");
    std::fs::create_dir(&folder).unwrap();
    let lines = format!("default_host: localhost\ndefault_project_path: {}\n", folder.display());
    (folder, lines)
}

#[test]
fn an_address_that_is_left_out_is_in_the_default_place_under_the_projects_name() {
    let lab = lab();
    let (folder, lines) = default_folder(&lab);
    let p1 = person(&lab, "coast", &lines);
    p1.write("input/a", "one");
    let made = p1.dsg(&["init"]).ok().json();
    assert_eq!(made["repository"].as_str(), folder.join("coast").to_str());
    let p2 = person(&lab, "p2", &lines);
    p2.write("input/b", "two");
    let made = p2.dsg(&["init", "--name", "river"]).ok().json();
    assert_eq!(made["repository"].as_str(), folder.join("river").to_str());

    // A name alone is one of these, and all of them are listed.
    let p3 = person(&lab, "p3", &lines);
    p3.dsg(&["clone", "coast"]).ok();
    assert_eq!(p3.read("coast/input/a"), "one");
    let found = p3.dsg(&["list-repos", "default"]).ok().json();
    let names = |found: &serde_json::Value| -> Vec<String> {
        let all = found["repositories"].as_array().unwrap();
        all.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&found), ["coast", "river"]);
    assert_eq!(found["repositories"][0]["guarantee"]["store"], "tree");
    let words = p3.words(&["list-repos", "default"]).ok().stdout;
    for part in ["s1", "coast@example.org", "1 file, 3 B", "folder, personal, atomic"] {
        assert!(words.contains(part), "{part} in {words}");
    }
    p3.dsg(&["doctor", "river"]).ok();
    // A folder of that name where one stands is meant only if it is written as one.
    p3.dsg(&["clone", "./river", "elsewhere"]).expect(2).failed("no-repository");
}

#[test]
fn without_a_default_place_it_is_said_what_to_configure_and_a_name_is_a_folder() {
    let lab = lab();
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    for line in [&["init"][..], &["clone"], &["list-repos", "default"]] {
        let failed = p1.dsg(line).expect(2).failed("usage");
        let hint = failed.json()["error"]["hint"].as_str().unwrap().to_owned();
        assert!(hint.contains("default"), "{line:?}: {hint}");
    }
    assert!(!p1.has(".dsg"));
    p1.init();
    let above = lab.repo.parent().unwrap().to_str().unwrap();
    let name = lab.repo.file_name().unwrap().to_str().unwrap();
    p1.runner.run(&["-C", above, "--json", "clone", name, "copy"]).ok();

    // Of a host whose folder is not said, no name leads anywhere.
    let p2 = person(&lab, "p2", "default_host: tank\n");
    let failed = p2.dsg(&["clone", "coast"]).expect(2).failed("usage");
    assert!(failed.stdout.contains("default_project_path"), "{failed:?}");
}

#[test]
fn a_folder_with_a_configuration_becomes_the_copy_of_the_repository_that_it_names() {
    let lab = lab();
    let above = lab.repo.parent().unwrap().display().to_string();
    let name = lab.repo.file_name().unwrap().to_str().unwrap().to_owned();
    let config = format!(
        "name: {name}\nrepository: {{type: xfs, host: localhost, mountpoint: '{above}'}}\ndata_dirs: [input]\n"
    );
    let p1 = lab.checkout("p1");
    std::fs::write(p1.at(".dsgconfig.yml"), &config).unwrap();
    p1.write("input/a", "one");
    let made = p1.dsg(&["init"]).ok().json();
    assert_eq!(made["repository"].as_str(), lab.repo.to_str());

    // What it says of the repository is meant.
    let zfs = config.replace("type: xfs", "type: zfs, pool: tank");
    let zfs = zfs.replace(&format!("name: {name}\n"), "name: other\n");
    let p0 = lab.checkout("p0");
    std::fs::write(p0.at(".dsgconfig.yml"), &zfs).unwrap();
    p0.write("input/a", "one");
    let failed = p0.dsg(&["init"]).expect(2).failed("config");
    assert!(failed.stdout.contains("no dataset can be made there"), "{}", failed.stdout);
    assert!(!p0.has(".dsg") && !lab.repo.with_file_name("other").exists());

    // As somebody has it who took the programs of a project from elsewhere.
    let p2 = lab.checkout("p2");
    std::fs::write(p2.at(".dsgconfig.yml"), &config).unwrap();
    p2.write("src/program", "mine");
    p2.write("input/b", "two");
    std::fs::create_dir(p2.at("src/deep")).unwrap();
    let deep = p2.at("src/deep");
    p2.runner.run(&["-C", deep.to_str().unwrap(), "--json", "clone"]).ok();
    assert_eq!(p2.read("input/a"), "one");
    assert_eq!((p2.read("src/program"), p2.read("input/b")), ("mine".into(), "two".into()));
    p2.sync();
    p1.sync();
    assert_eq!(p1.read("input/b"), "two");
}
