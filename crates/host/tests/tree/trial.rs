//! Somebody asks whether a repository can live at a place.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dsg_core::config::SharedConfig;
use dsg_core::failure::{Code, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::places::Step;
use dsg_host::tree::{self, TreeStore};

use crate::fixture::*;

fn examined(path: &Path) -> Outcome<Vec<Step>> {
    let mut steps = Vec::new();
    tree::examine(path, &Monitor::silent(), &mut |step| {
        steps.push(step);
        Ok(())
    })?;
    Ok(steps)
}

fn names(steps: &[Step]) -> Vec<(&str, bool)> {
    steps.iter().map(|step| (step.name.as_str(), step.found.is_ok())).collect()
}

fn inside(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_trial_goes_the_whole_way_and_leaves_nothing() {
    let none = nothing();
    let steps = examined(&none.path).unwrap();
    assert_eq!(names(&steps), [("place", true), ("trial", true)], "{steps:?}");
    assert!(steps[0].found.as_ref().unwrap().contains(" free"), "{steps:?}");
    assert!(steps[1].found.as_ref().unwrap().contains("synced twice"), "{steps:?}");
    assert!(inside(none.temp.path()).is_empty());

    // Beside a repository that is in use, which it leaves alone.
    let f = fixture();
    let before = inside(f.temp.path());
    assert_eq!(names(&examined(&f.path).unwrap()), [("place", true), ("trial", true)]);
    assert_eq!(inside(f.temp.path()), before);
    assert_eq!(f.on_disk(), first_tree());
}

#[test]
fn what_is_left_of_a_trial_that_was_cut_off_goes_with_the_next() {
    let none = nothing();
    let name = format!("dsg-trial-{}", rustix::process::geteuid().as_raw());
    // As if it had been cut off after a publish, and before one.
    let f = nothing();
    let store = TreeStore::create(&f.path, None).unwrap();
    let t = transaction();
    let mut publication = first().publication(None, &t);
    publication.authorship.author = "dsg doctor".into();
    publication.config = SharedConfig::new("a trial of dsg doctor");
    let staging = store.begin(None, &t, "").unwrap();
    let (uploads, contents) = first().uploads();
    staging.stage(&uploads, &contents, &Monitor::silent()).unwrap();
    staging.publish(&publication, &Monitor::silent()).unwrap();
    fs::rename(&f.path, none.temp.path().join(&name)).unwrap();
    fs::rename(f.side(""), none.temp.path().join(format!(".{name}.dsg"))).unwrap();
    assert_eq!(names(&examined(&none.path).unwrap()), [("place", true), ("trial", true)]);
    assert!(inside(none.temp.path()).is_empty());
    let f = nothing();
    drop(TreeStore::create(&f.path, None).unwrap());
    fs::rename(f.side(""), none.temp.path().join(format!(".{name}.dsg"))).unwrap();
    assert_eq!(names(&examined(&none.path).unwrap()), [("place", true), ("trial", true)]);
    assert!(inside(none.temp.path()).is_empty());
}

#[test]
fn a_place_where_nothing_can_be_made_is_said_with_what_to_do() {
    let none = nothing();
    let nowhere = examined(&none.temp.path().join("nowhere/repo")).unwrap();
    assert_eq!(names(&nowhere), [("place", false)]);
    assert!(nowhere[0].found.as_ref().unwrap_err().hint.is_some());
    // Root may write everywhere.
    if rustix::process::geteuid().is_root() {
        return;
    }
    fs::set_permissions(none.temp.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let steps = examined(&none.path).unwrap();
    fs::set_permissions(none.temp.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(names(&steps), [("place", true), ("trial", false)], "{steps:?}");
    assert_eq!(steps[1].found.as_ref().unwrap_err().kind(), Code::Permission);
    assert!(inside(none.temp.path()).is_empty());
}

#[test]
fn the_names_of_trials_are_no_repositorys() {
    let none = nothing();
    let at = none.temp.path().join("dsg-trial-7");
    for refused in [TreeStore::create(&at, None), TreeStore::create_plain(&at, None)] {
        assert_eq!(refused.err().map(|e| e.code), Some(Code::Usage));
    }
    assert!(inside(none.temp.path()).is_empty());
}

#[test]
fn what_only_has_the_name_of_a_trial_is_left_alone() {
    let name = format!("dsg-trial-{}", rustix::process::geteuid().as_raw());
    // A link to somebody's repository, as anybody could put there who may write in the folder.
    let (none, f) = (nothing(), fixture());
    std::os::unix::fs::symlink(&f.path, none.temp.path().join(&name)).unwrap();
    let refused = |steps: &[Step]| {
        assert_eq!(names(steps), [("place", true), ("trial", false)], "{steps:?}");
        assert_eq!(steps[1].found.as_ref().unwrap_err().kind(), Code::Exists, "{steps:?}");
    };
    refused(&examined(&none.path).unwrap());
    assert_eq!(f.on_disk(), first_tree());
    assert_eq!(f.open().head().unwrap().id, id(1));
    // A repository that was moved there.
    let (none, f) = (nothing(), fixture());
    fs::rename(&f.path, none.temp.path().join(&name)).unwrap();
    fs::rename(f.side(""), none.temp.path().join(format!(".{name}.dsg"))).unwrap();
    refused(&examined(&none.path).unwrap());
    assert_eq!(read_tree(&none.temp.path().join(&name)), first_tree());
}
