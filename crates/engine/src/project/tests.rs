//! Use cases on a real repository in a folder: what the window asks of them.

mod back;

use std::fs;
use std::path::PathBuf;

use dsg_core::plan::Resolution;

use super::*;
use crate::report::SyncOptions;

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn with(files: &[&str]) -> (Self, Project) {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        for file in files {
            desk.write(file, file);
        }
        let options = InitOptions {
            address: Address::Local(desk.folder.path().join("repo")),
            name: None,
            data_dirs: Vec::new(),
            plain: false,
            message: "first".into(),
            signature: None,
        };
        let (project, report) =
            Project::init(&desk.folder.path().join("p"), &options, &Monitor::silent()).unwrap();
        assert_eq!(report.uploaded, files.len() as u64);
        (desk, project)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join("p").join(path)
    }

    fn write(&self, path: &str, content: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }
}

#[test]
fn while_a_sync_is_under_way_status_shows_what_was_known() {
    let (desk, mut project) = Desk::with(&["input/a"]);
    desk.write("input/b", "new");
    project.status(false, &Monitor::silent()).unwrap();
    let Tried::Held(_theirs) =
        Lock::try_acquire(&project.dir, ".dsg/lock", 0o600, Holder::default()).unwrap()
    else {
        panic!("nobody holds it");
    };
    let status = project.status(false, &Monitor::silent()).unwrap();
    assert!(status.reach.why().is_some_and(|why| why.contains("in use")));
    assert_eq!(status.counts.upload, 1);
}

#[test]
fn a_watched_folder_is_synced_after_looking_at_what_was_touched() {
    let (desk, mut project) = Desk::with(&["input/a", "input/b"]);
    desk.write("input/a", "edited");
    desk.write("input/b", "edited, and the watch did not tell");
    let touched = SyncOptions { touched: Some(vec!["input/a".into()]), ..SyncOptions::default() };
    let report = project.sync(&touched, &Monitor::silent()).unwrap();
    assert_eq!(report.uploaded, 1);
    let report = project.sync(&SyncOptions::default(), &Monitor::silent()).unwrap();
    assert_eq!(report.uploaded, 1, "what was missed goes with the next sync");
}

#[test]
fn before_anything_is_deleted_the_whole_folder_is_looked_at() {
    let (desk, mut project) = Desk::with(&["input/a", "input/b"]);
    fs::remove_file(desk.at("input/a")).unwrap();
    desk.write("input/b", "edited, and the watch did not tell");
    let touched = SyncOptions { touched: Some(vec!["input/a".into()]), ..SyncOptions::default() };
    let report = project.sync(&touched, &Monitor::silent()).unwrap();
    assert_eq!((report.deleted_remote, report.uploaded), (1, 1));
}

#[test]
fn an_init_that_was_given_up_early_binds_the_folder_to_nothing() {
    let desk = Desk { folder: tempfile::tempdir().unwrap() };
    desk.write("input/a", "a");
    let root = desk.folder.path().join("p");
    let wrong = Address::Local(desk.folder.path().join("typo"));
    drop(Project::create(&root, &wrong, "init").unwrap());
    let options = InitOptions {
        address: Address::Local(desk.folder.path().join("repo")),
        name: None,
        data_dirs: Vec::new(),
        plain: false,
        message: String::new(),
        signature: None,
    };
    let (project, _) = Project::init(&root, &options, &Monitor::silent()).unwrap();
    assert_eq!(project.address(), &options.address);
}

#[test]
fn the_configuration_of_a_colleague_leaves_other_tools_keys_and_the_old_file() {
    let (desk, mut project) = Desk::with(&["input/a"]);
    let copy = desk.folder.path().join("copy");
    let (mut theirs, _) =
        Project::clone_from(project.address(), &copy, &Monitor::silent()).unwrap();
    let note = "repository: {type: xfs, host: server, mountpoint: /d}\n# a note\n";
    let mine = fs::read_to_string(desk.at(".dsgconfig.yml")).unwrap() + note;
    fs::write(desk.at(".dsgconfig.yml"), &mine).unwrap();
    let at = copy.join(".dsgconfig.yml");
    fs::write(&at, fs::read_to_string(&at).unwrap().replace("- .tmp", "- .tmp\n  - .bak")).unwrap();
    theirs.sync(&SyncOptions::default(), &Monitor::silent()).unwrap();
    project.sync(&SyncOptions::default(), &Monitor::silent()).unwrap();
    let now = fs::read_to_string(desk.at(".dsgconfig.yml")).unwrap();
    assert!(now.contains(".bak") && now.ends_with(note), "{now}");
    let trash = fs::read_dir(desk.at(".dsg/trash")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::read_to_string(trash.join(".dsgconfig.yml")).unwrap(), mine);
}

#[test]
fn a_decision_on_a_conflict_that_ended_by_itself_is_forgotten() {
    let (desk, mut project) = Desk::with(&["input/a", "input/b"]);
    let copy = desk.folder.path().join("copy");
    let (mut theirs, _) =
        Project::clone_from(project.address(), &copy, &Monitor::silent()).unwrap();
    for path in ["input/a", "input/b"] {
        fs::write(copy.join(path), "theirs").unwrap();
        desk.write(path, "mine is longer");
    }
    theirs.sync(&SyncOptions::default(), &Monitor::silent()).unwrap();
    project.status(false, &Monitor::silent()).unwrap();
    let both = ["input/a".to_owned(), "input/b".to_owned()];
    project.resolve(&both, Some(Resolution::Local), &Monitor::silent()).unwrap();
    // They talked to each other.
    desk.write("input/a", "theirs");
    let options = SyncOptions { only: vec!["input/a".into()], ..SyncOptions::default() };
    project.sync(&options, &Monitor::silent()).unwrap();
    let left: Vec<String> =
        project.index.resolutions().unwrap().into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, ["input/b"], "a decision that still stands is kept");
}
