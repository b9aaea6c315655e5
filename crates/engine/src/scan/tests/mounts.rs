use std::process::Command;

use super::*;

#[test]
fn below_a_file_system_that_is_not_mounted_nothing_is_known() {
    let mut project = Project::with(&["input/disk/a", "input/disk/deep/b", "input/c"]);
    project.scan();
    project.agree();
    // As if another file system had begun there at the last scan.
    project.index.batch(|b| b.set_device("input/disk", u64::MAX)).unwrap();
    std::fs::remove_dir_all(project.at("input/disk")).unwrap();
    for there in [false, true] {
        if there {
            project.write("input/disk/stray", "written beneath the mount point");
        }
        let summary = project.scan();
        assert_eq!(summary.unmounted, ["input/disk"]);
        assert_eq!(project.pending(), ["input/disk/a", "input/disk/deep/b"]);
        assert!(project.rows().iter().all(|(p, l)| is_unknown(l) == p.starts_with("input/disk")));
        assert_eq!(project.problems(), [("input/disk".to_owned(), ProblemKind::Unmounted)]);
        assert!(summary.empty_data_dirs.is_empty());
        project.scan_paths(&["input/disk/a", "input/c"]);
        assert!(is_unknown(&project.local("input/disk/a")), "whichever way one looks");
        project.scan_paths(&["input"]);
        assert!(is_unknown(&project.local("input/disk/a")));
    }
    project.index.batch(|b| b.forget_mount("input/disk")).unwrap();
    project.scan();
    assert_eq!(project.local("input/disk/a"), Local::Absent);
    assert!(project.local("input/disk/stray").entry().is_some());
    assert!(project.problems().is_empty());
}

#[test]
fn a_missing_file_system_that_held_nothing_synced_is_forgotten() {
    let mut project = Project::with(&["input/c"]);
    project.index.batch(|b| b.set_device("input/disk", u64::MAX)).unwrap();
    assert!(project.scan().unmounted.is_empty());
    assert_eq!(project.index.devices().len(), 1);
}

#[test]
fn another_device_number_after_a_restart_makes_nothing_be_read_anew() {
    let mut project = Project::with(&["input/a"]);
    project.scan();
    project.index.batch(|b| b.set_device("", 12345)).unwrap();
    assert_eq!(project.scan().hashed_files, 0);
}

#[test]
fn a_folder_that_is_not_the_project_any_more_is_refused() {
    let mut project = Project::with(&["input/a"]);
    project.scan();
    project.agree();
    for hidden in [".dsg", ".dsg/state.db"] {
        std::fs::rename(project.at(hidden), project.at("aside")).unwrap();
        if hidden == ".dsg/state.db" {
            std::fs::write(project.at(hidden), "another").unwrap();
        }
        let failure = project.try_scan(Scope::All, &Monitor::silent()).unwrap_err();
        assert_eq!(failure.code, Code::EmptyRoot);
        assert!(failure.hint.is_some());
        std::fs::rename(project.at("aside"), project.at(hidden)).unwrap();
    }
    assert!(project.pending().is_empty());
}

/// Mounting takes a namespace of one's own: the test below runs itself inside one.
const INSIDE: &str = "DSG_TEST_IN_NAMESPACE";

#[test]
fn a_disk_that_goes_and_comes_back() {
    if std::env::var_os(INSIDE).is_some() {
        return in_namespace();
    }
    let probe = Command::new("unshare").args(["-rm", "true"]).status();
    if !probe.is_ok_and(|s| s.success()) {
        eprintln!("skipped: no namespace is to be had here");
        return;
    }
    let own = std::env::current_exe().unwrap();
    let name = "a_disk_that_goes_and_comes_back";
    let status =
        Command::new("unshare").arg("-rm").arg(own).arg(name).env(INSIDE, "1").status().unwrap();
    assert!(status.success());
}

/// As `mount --move`, which some versions of it report as failed in a namespace.
fn move_mount(from: &Path, to: &Path) {
    run("mount", &["--bind".as_ref(), from.as_ref(), to.as_ref()]);
    run("umount", &[from.as_ref()]);
}

fn run(program: &str, args: &[&std::ffi::OsStr]) {
    assert!(Command::new(program).args(args).status().unwrap().success(), "{program} {args:?}");
}

fn in_namespace() {
    let mut project = Project::with(&["input/c", "input/disk/.keep", "images/.keep"]);
    let disk = project.at("input/disk");
    let other = project.at("images");
    run("mount", &["-t".as_ref(), "tmpfs".as_ref(), "none".as_ref(), disk.as_ref()]);
    project.write("input/disk/a", "on the disk");
    project.write("input/disk/deep/b", "on the disk");
    project.scan();
    project.agree();
    assert!(project.pending().is_empty());
    assert_eq!(project.index.devices().len(), 2);
    assert_eq!(project.scan().hashed_files, 0);

    move_mount(&disk, &other);
    let summary = project.scan();
    assert_eq!(summary.unmounted, ["input/disk"]);
    assert_eq!(project.pending(), ["input/disk/a", "input/disk/deep/b"]);

    move_mount(&other, &disk);
    let summary = project.scan();
    assert_eq!((summary.hashed_files, summary.unmounted), (0, vec![]));
    assert!(project.pending().is_empty() && project.problems().is_empty());
    std::fs::remove_file(project.at("input/disk/a")).unwrap();
    project.scan_paths(&["input/disk/a"]);
    assert_eq!(project.local("input/disk/a"), Local::Absent);

    // A folder bound from elsewhere in the project's own file system shows the same device.
    let bound = project.at("input/bound");
    std::fs::create_dir(&bound).unwrap();
    run("mount", &["--bind".as_ref(), other.as_ref(), bound.as_ref()]);
    project.write("input/bound/x", "bound");
    project.scan();
    project.agree();
    assert_eq!(project.scan().hashed_files, 0);
    run("umount", &[bound.as_ref()]);
    assert_eq!(project.scan().unmounted, ["input/bound"]);
    assert!(is_unknown(&project.local("input/bound/x")));
    project.scan_paths(&["input/bound/x"]);
    assert!(is_unknown(&project.local("input/bound/x")));
    run("mount", &["--bind".as_ref(), other.as_ref(), bound.as_ref()]);
    assert!(project.scan().unmounted.is_empty() && project.pending().is_empty());
    run("umount", &[bound.as_ref()]);

    // Another disk over the project's own folder.
    let root = project.temp.path().to_owned();
    run("mount", &["-t".as_ref(), "tmpfs".as_ref(), "none".as_ref(), root.as_ref()]);
    let failure = project.try_scan(Scope::All, &Monitor::silent()).unwrap_err();
    assert_eq!(failure.code, Code::EmptyRoot);
    run("umount", &[root.as_ref()]);
    run("umount", &[disk.as_ref()]);
}
