//! Settling against a folder that people go on working in.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use dsg_core::entry::{FileEntry, Mtime};
use dsg_core::plan::effects::Source;

use super::*;

/// A folder, and the steps of one transaction with what is staged for them.
struct Desk {
    folder: tempfile::TempDir,
    areas: Areas,
    steps: Vec<SealedStep>,
}

fn entry(content: &str) -> Entry {
    Entry::File(FileEntry {
        size: content.len() as u64,
        mtime: Mtime(1_000_000_000),
        exec: false,
        hash: Hash::of(content.as_bytes()),
    })
}

fn path(text: &str) -> RepoPath {
    text.parse().unwrap()
}

impl Desk {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let at = folder.path().join(name);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, content).unwrap();
        }
        let areas = Areas::new(Dir::open(folder.path()).unwrap(), "t1");
        Self { folder, areas, steps: Vec::new() }
    }

    fn push(&mut self, step: Step, staged: Option<u64>) {
        if let Step::Remove { path, .. } | Step::Rename { from: path, .. } = &step {
            self.areas.at(path).unwrap();
        }
        let number = self.steps.len() as u64;
        self.steps.push(SealedStep { number, step, wait: Wait { staged, seen: None } });
    }

    fn place(&mut self, at: &str, expected: Option<&str>, content: &str, aside: Option<&str>) {
        let name = self.steps.len().to_string();
        let staging = &self.areas.at(&path(at)).unwrap().staging;
        std::io::Write::write_all(
            &mut staging.create_new(&name, 0o644).unwrap(),
            content.as_bytes(),
        )
        .unwrap();
        staging.set_times(&name, Mtime(1_000_000_000)).unwrap();
        let inode = staging.stat(&name).unwrap().unwrap().ino;
        let step = Step::Place {
            path: path(at),
            entry: entry(content),
            expected: expected.map(entry),
            aside: aside.map(path),
            source: Source::Head,
        };
        self.push(step, Some(inode));
    }

    fn inode(&self, at: &str) -> u64 {
        fs::metadata(self.folder.path().join(at)).unwrap().ino()
    }

    fn settle(&mut self) -> Vec<Ended> {
        self.settle_in(&self.areas)
    }

    fn settle_in(&self, areas: &Areas) -> Vec<Ended> {
        let steps = || self.steps.iter().cloned().map(Ok);
        let mut refused = super::settle(areas, steps, &Monitor::silent()).unwrap();
        super::sweep(areas, steps()).unwrap();
        let ended = |step: &SealedStep| match refused.remove(&step.number) {
            Some(why) => Ended::Refused(why),
            None => Ended::Done,
        };
        self.steps.iter().map(ended).collect()
    }

    fn read(&self, at: &str) -> Option<String> {
        fs::read_to_string(self.folder.path().join(at)).ok()
    }

    fn trash(&self, at: &str) -> Option<String> {
        self.read(&format!(".dsg/trash/t1/{at}"))
    }

    fn write(&self, at: &str, content: &str) {
        fs::write(self.folder.path().join(at), content).unwrap();
    }
}

fn refused(ended: &Ended) -> bool {
    matches!(ended, Ended::Refused(_))
}

#[test]
fn a_download_takes_its_place_and_the_old_file_is_in_the_trash() {
    let mut desk = Desk::with(&[("input/a.csv", "old")]);
    desk.place("input/a.csv", Some("old"), "new", None);
    desk.place("input/deep/er/b.csv", None, "b", None);
    assert_eq!(desk.settle(), [Ended::Done, Ended::Done]);
    assert_eq!(desk.read("input/a.csv").as_deref(), Some("new"));
    assert_eq!(desk.read("input/deep/er/b.csv").as_deref(), Some("b"));
    assert_eq!(desk.trash("input/a.csv").as_deref(), Some("old"));
}

#[test]
fn an_edit_that_the_plan_did_not_see_stays_in_place() {
    let mut desk = Desk::with(&[("input/a.csv", "old")]);
    desk.place("input/a.csv", Some("old"), "new", None);
    desk.write("input/a.csv", "edited meanwhile");
    assert!(refused(&desk.settle()[0]));
    assert_eq!(desk.read("input/a.csv").as_deref(), Some("edited meanwhile"));
}

#[test]
fn a_file_that_appeared_where_one_was_to_come_is_not_replaced() {
    let mut desk = Desk::with(&[]);
    desk.place("input/a.csv", None, "theirs", None);
    fs::create_dir(desk.folder.path().join("input")).unwrap();
    desk.write("input/a.csv", "mine");
    assert!(refused(&desk.settle()[0]));
    assert_eq!(desk.read("input/a.csv").as_deref(), Some("mine"));
}

#[test]
fn what_a_person_deleted_meanwhile_does_not_return() {
    let mut desk = Desk::with(&[("input/a.csv", "old")]);
    desk.place("input/a.csv", Some("old"), "new", None);
    fs::remove_file(desk.folder.path().join("input/a.csv")).unwrap();
    assert!(refused(&desk.settle()[0]));
    assert_eq!(desk.read("input/a.csv"), None);
}

#[test]
fn a_deletion_goes_to_the_trash_unless_the_file_was_edited() {
    let mut desk = Desk::with(&[("input/x/a", "a"), ("input/x/b", "b")]);
    let inodes = [desk.inode("input/x/a"), desk.inode("input/x/b")];
    desk.push(
        Step::Remove { path: path("input/x/a"), expected: entry("a"), aside: None },
        Some(inodes[0]),
    );
    desk.push(
        Step::Remove { path: path("input/x/b"), expected: entry("b"), aside: None },
        Some(inodes[1]),
    );
    desk.write("input/x/b", "b, edited");
    let ended = desk.settle();
    assert_eq!(ended[0], Ended::Done);
    assert!(refused(&ended[1]));
    assert_eq!(desk.trash("input/x/a").as_deref(), Some("a"));
    assert_eq!(desk.read("input/x/b").as_deref(), Some("b, edited"));
}

#[test]
fn folders_that_became_empty_go_but_those_at_the_top_stay() {
    let mut desk = Desk::with(&[("input/x/y/a", "a")]);
    let inode = desk.inode("input/x/y/a");
    desk.push(
        Step::Remove { path: path("input/x/y/a"), expected: entry("a"), aside: None },
        Some(inode),
    );
    desk.settle();
    assert!(!desk.folder.path().join("input/x").exists());
    assert!(desk.folder.path().join("input").exists());
}

#[test]
fn keeping_both_moves_the_local_copy_aside() {
    let mut desk = Desk::with(&[("input/a.csv", "mine")]);
    desk.place("input/a.csv", Some("mine"), "theirs", Some("input/a (local copy).csv"));
    assert_eq!(desk.settle(), [Ended::Done]);
    assert_eq!(desk.read("input/a.csv").as_deref(), Some("theirs"));
    assert_eq!(desk.read("input/a (local copy).csv").as_deref(), Some("mine"));
    assert_eq!(desk.trash("input/a.csv"), None);
}

#[test]
fn a_rename_follows_the_repository_and_its_undo_an_edit() {
    let mut desk = Desk::with(&[("input/a", "a"), ("input/b", "b")]);
    let inodes = [desk.inode("input/a"), desk.inode("input/b")];
    for (index, name) in ["a", "b"].into_iter().enumerate() {
        let step = Step::Rename {
            from: path(&format!("input/{name}")),
            to: path(&format!("input/moved/{name}")),
            expected: entry(name),
            entry: entry(name),
        };
        desk.push(step, Some(inodes[index]));
    }
    desk.write("input/b", "edited");
    let ended = desk.settle();
    assert_eq!(ended[0], Ended::Done);
    assert!(refused(&ended[1]));
    assert_eq!(desk.read("input/moved/a").as_deref(), Some("a"));
    assert_eq!(desk.read("input/b").as_deref(), Some("edited"));
}

#[test]
fn a_file_takes_the_place_of_a_folder_that_only_held_folders() {
    let mut desk = Desk::with(&[("input/a/b/c", "c")]);
    let inode = desk.inode("input/a/b/c");
    desk.push(
        Step::Remove { path: path("input/a/b/c"), expected: entry("c"), aside: None },
        Some(inode),
    );
    desk.place("input/a", None, "a file now", None);
    assert_eq!(desk.settle(), [Ended::Done, Ended::Done]);
    assert_eq!(desk.read("input/a").as_deref(), Some("a file now"));
}

#[test]
fn a_folder_with_a_file_in_it_is_never_replaced() {
    let mut desk = Desk::with(&[("input/a/untracked", "keep me")]);
    desk.place("input/a", None, "a file now", None);
    assert!(refused(&desk.settle()[0]));
    assert_eq!(desk.read("input/a/untracked").as_deref(), Some("keep me"));
}

#[test]
fn nothing_is_placed_through_a_link_that_leads_out() {
    let outside = tempfile::tempdir().unwrap();
    let mut desk = Desk::with(&[("input/keep", "k")]);
    desk.place("input/sub/a", None, "a", None);
    std::os::unix::fs::symlink(outside.path(), desk.folder.path().join("input/sub")).unwrap();
    assert!(refused(&desk.settle()[0]));
    assert!(!outside.path().join("a").exists());
}

#[test]
fn settling_four_times_is_settling_once() {
    let mut desk =
        Desk::with(&[("input/a", "old"), ("input/b", "b"), ("input/c", "c"), ("input/d", "mine")]);
    let inodes = [desk.inode("input/b"), desk.inode("input/c")];
    desk.place("input/a", Some("old"), "new", None);
    desk.push(
        Step::Remove { path: path("input/b"), expected: entry("b"), aside: None },
        Some(inodes[0]),
    );
    let rename = Step::Rename {
        from: path("input/c"),
        to: path("input/e"),
        expected: entry("c"),
        entry: entry("c"),
    };
    desk.push(rename, Some(inodes[1]));
    desk.place("input/d", Some("mine"), "theirs", Some("input/d (local copy)"));
    let first = desk.settle();
    let tree = |folder: &Path| {
        let mut names: Vec<_> = fs::read_dir(folder.join("input"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .map(|p| (p.clone(), fs::read_to_string(p).unwrap()))
            .collect();
        names.sort();
        names
    };
    let once = tree(desk.folder.path());
    for _ in 0..3 {
        assert_eq!(desk.settle(), first);
        assert_eq!(tree(desk.folder.path()), once);
    }
    assert_eq!(desk.trash("input/a").as_deref(), Some("old"));
    assert_eq!(desk.trash("input/b").as_deref(), Some("b"));
}

#[test]
fn a_file_may_move_into_a_folder_of_its_own_name_and_back() {
    let mut desk = Desk::with(&[("input/a", "a"), ("input/b/c", "c")]);
    let inodes = [desk.inode("input/a"), desk.inode("input/b/c")];
    for (index, (from, to, content)) in
        [("input/a", "input/a/a", "a"), ("input/b/c", "input/b", "c")].into_iter().enumerate()
    {
        let step = Step::Rename {
            from: path(from),
            to: path(to),
            expected: entry(content),
            entry: entry(content),
        };
        desk.push(step, Some(inodes[index]));
    }
    assert_eq!(desk.settle(), [Ended::Done, Ended::Done]);
    assert_eq!(desk.read("input/a/a").as_deref(), Some("a"));
    assert_eq!(desk.read("input/b").as_deref(), Some("c"));
}

#[test]
fn a_finished_rename_is_not_judged_again_by_a_later_edit() {
    let mut desk = Desk::with(&[("input/old", "a")]);
    let inode = desk.inode("input/old");
    let step = Step::Rename {
        from: path("input/old"),
        to: path("input/new"),
        expected: entry("a"),
        entry: entry("a"),
    };
    desk.push(step, Some(inode));
    assert_eq!(desk.settle(), [Ended::Done]);
    desk.write("input/new", "edited after it was settled");
    desk.settle();
    assert_eq!(desk.read("input/new").as_deref(), Some("edited after it was settled"));
    assert_eq!(desk.read("input/old"), None);
}

#[test]
fn staging_that_is_gone_is_not_taken_for_done() {
    let mut desk = Desk::with(&[("input/a", "old")]);
    desk.place("input/a", Some("old"), "new", None);
    let grounds: Vec<_> = desk.areas.all().map(|a| a.ground.clone()).collect();
    fs::remove_dir_all(desk.folder.path().join(".dsg/staging")).unwrap();
    let mut areas = Areas::new(Dir::open(desk.folder.path()).unwrap(), "t1");
    areas.reopen(&grounds).unwrap();
    assert!(refused(&desk.settle_in(&areas)[0]));
    assert_eq!(desk.read("input/a").as_deref(), Some("old"));
}

/// A crash after the swap; meanwhile a person saw the new version and wrote to it.
#[test]
fn what_was_written_into_the_placed_file_is_kept_when_the_swap_is_undone() {
    let mut desk = Desk::with(&[("input/a", "an edit that the plan did not see")]);
    desk.place("input/a", Some("old"), "new", None);
    let area = desk.areas.find(&path("input/a")).unwrap();
    area.staging.exchange("0", desk.areas.root(), "input/a").unwrap();
    desk.write("input/a", "new, and more");
    assert!(refused(&desk.settle()[0]));
    let kept = [desk.read("input/a"), desk.trash("input/a")];
    assert!(kept.contains(&Some("new, and more".to_owned())), "{kept:?}");
    assert!(kept.contains(&Some("an edit that the plan did not see".to_owned())), "{kept:?}");
}

/// As when a sealed transaction turns out not to have been published after all.
#[test]
fn giving_up_keeps_what_was_swapped_out() {
    let mut desk = Desk::with(&[("input/a", "edited")]);
    desk.place("input/a", Some("old"), "new", None);
    let area = desk.areas.find(&path("input/a")).unwrap();
    area.staging.exchange("0", desk.areas.root(), "input/a").unwrap();
    super::sweep(&desk.areas, desk.steps.iter().cloned().map(Ok)).unwrap();
    desk.areas.clean().unwrap();
    assert_eq!(desk.trash("input/a").as_deref(), Some("edited"));
}
