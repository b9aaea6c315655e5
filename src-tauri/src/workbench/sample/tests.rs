//! The sample as a newcomer finds it, and its end.

use std::collections::BTreeSet;
use std::fs;

use dsg_engine::endpoint;
use dsg_engine::report::Status;

use super::*;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn made() -> Outcome<(tempfile::TempDir, PathBuf)> {
    let dir = tempfile::tempdir()?;
    let root = create(&dir.path().join("try"), &Monitor::silent()).map_err(|e| e.message)?;
    Ok((dir, root))
}

fn actions(status: &Status) -> BTreeSet<&'static str> {
    status.changes.iter().map(|change| change.action).collect()
}

#[test]
fn a_newcomer_finds_a_history_changes_on_both_sides_and_one_conflict() -> Outcome {
    let (dir, root) = made()?;
    let mut project = Project::open(&root, &Monitor::silent())?;
    let status = project.status(false, &Monitor::silent())?;
    assert_eq!((status.counts.conflict, status.counts.blocked), (1, 0), "{:?}", status.changes);
    let all = ["conflict", "delete_local", "delete_remote", "download", "move_remote", "upload"];
    assert_eq!(actions(&status), all.into());

    let headers = endpoint::open(project.address())?.headers(None, 99)?;
    let authors: BTreeSet<&str> = headers.iter().map(|h| h.authorship.author.as_str()).collect();
    let days: BTreeSet<String> =
        headers.iter().map(|h| h.authorship.time.strftime("%F").to_string()).collect();
    assert_eq!((headers.len(), authors.len(), days.len()), (8, 2, 8));
    let totals = headers[0].totals;
    assert!((200..=400).contains(&totals.entries), "{totals:?}");
    assert!((2_000_000..=20_000_000).contains(&totals.bytes), "{totals:?}");
    let mut names: Vec<_> = fs::read_dir(dir.path().join("try"))?
        .map(|e| Ok(e?.file_name()))
        .collect::<Outcome<_>>()?;
    names.sort();
    assert_eq!(names, [".dsg-sample.json", ".repository.dsg", "Coast survey", "repository"]);
    Ok(())
}

#[test]
fn it_goes_without_a_trace() -> Outcome {
    let (dir, root) = made()?;
    assert!(is_project(&root));
    Doomed::find(&root, false).and_then(|doomed| doomed.remove()).map_err(|e| e.message)?;
    assert!(!dir.path().join("try").exists());
    Ok(())
}

#[test]
fn a_persons_files_do_not_go_unasked() -> Outcome {
    let (dir, root) = made()?;
    fs::write(root.join("notes/mine.txt"), "mine")?;
    let error = Doomed::find(&root, false).err().ok_or("it would go")?;
    assert!(error.code == "own-files" && error.message.contains("notes/mine.txt"), "{error:?}");
    fs::write(dir.path().join("try/beside.txt"), "beside")?;
    Doomed::find(&root, true).and_then(|doomed| doomed.remove()).map_err(|e| e.message)?;
    assert!(!root.exists() && dir.path().join("try/beside.txt").exists());
    Ok(())
}

#[test]
fn what_a_person_wrote_into_its_files_does_not_go_unasked() -> Outcome {
    let (_dir, root) = made()?;
    fs::copy(root.join("input/stations.csv"), root.join("input/stations (local copy).csv"))?;
    Doomed::find(&root, false).map_err(|e| format!("a copy holds nothing new: {}", e.message))?;
    fs::write(root.join("input/stations.csv"), "an afternoon's work")?;
    let error = Doomed::find(&root, false).err().ok_or("it would go")?;
    assert!(error.message.contains("input/stations.csv"), "{error:?}");
    Ok(())
}

#[test]
fn a_removal_that_was_cut_off_is_gone_on_with() -> Outcome {
    let (dir, root) = made()?;
    fs::remove_dir_all(&root)?;
    Doomed::find(&root, false).and_then(|doomed| doomed.remove()).map_err(|e| e.message)?;
    assert!(!dir.path().join("try").exists());
    Ok(())
}

#[test]
fn nothing_else_is_taken_for_a_sample() -> Outcome {
    let (dir, root) = made()?;
    let other = dir.path().join("try/other");
    fs::create_dir(&other)?;
    for foreign in [&other, dir.path()] {
        let error = Doomed::find(foreign, true).err();
        assert_eq!(error.map(|e| e.code).as_deref(), Some("not-a-sample"));
    }
    let full = create(&dir.path().join("try"), &Monitor::silent()).err();
    assert_eq!(full.map(|e| e.code).as_deref(), Some("exists"));
    assert!(root.exists());
    Ok(())
}

#[test]
fn a_sample_that_was_cancelled_leaves_nothing() -> Outcome {
    let dir = tempfile::tempdir()?;
    let monitor = Monitor::silent();
    monitor.stop();
    let cancelled = create(&dir.path().join("try"), &monitor).err().ok_or("it was made")?;
    assert_eq!(cancelled.code, "cancelled");
    assert!(!dir.path().join("try").exists());
    Ok(())
}
