//! Details, previews, the history, the way back and the trash, as a window asks for them.

use super::*;

impl Desk {
    /// A project with three snapshots: a changed in s2, b deleted in s3.
    fn history(&self) -> Outcome<String> {
        let id = self.project()?.id;
        self.page(&id)?;
        write(&self.at("coast/input/a.csv"), "station,level\nharbour,2\n")?;
        self.until(&id, |page| page.matching == 1)?;
        self.sync(&id, |request| request.message = "Second".into())?;
        fs::remove_file(self.at("coast/input/b.csv"))?;
        self.until(&id, |page| page.matching == 1)?;
        self.sync(&id, |request| request.message = "Third".into())?;
        self.until(&id, |page| page.matching == 0)?;
        Ok(id)
    }

    fn restore(
        &self,
        id: &str,
        snapshot: &str,
        paths: &[&str],
        to: RestoreTo,
    ) -> Outcome<RestoreReport> {
        let request = RestoreFiles {
            id: id.into(),
            snapshot: snapshot.into(),
            paths: paths.iter().map(|p| (*p).to_owned()).collect(),
            to,
            dry_run: false,
        };
        Ok(self.bench.history_restore(request).map_err(said)?)
    }

    fn trash(&self, id: &str) -> Outcome<TrashPage> {
        let request = ListTrash { id: id.into(), filter: String::new(), offset: 0, limit: 10 };
        Ok(self.bench.trash_list(request).map_err(said)?)
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.at(path)).ok()
    }
}

fn at(id: &str, path: &str) -> PathRef {
    PathRef { id: id.into(), path: path.into() }
}

fn content(path: &str, at: ContentAt) -> ContentRef {
    ContentRef { path: path.into(), at }
}

#[test]
fn a_change_is_told_with_its_versions_and_what_comes_of_it() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.history()?;
    write(&desk.at("coast/input/a.csv"), "station,level\nharbour,3\n")?;
    desk.until(&id, |page| page.matching == 1)?;
    let detail = desk.bench.change_detail(at(&id, "input/a.csv")).map_err(said)?;
    assert_eq!(detail.row.action, "upload");
    assert!(detail.explanation.contains("takes it to the repository"), "{}", detail.explanation);
    let made = |version: Option<&Version>| version?.made.as_ref().map(|m| m.snapshot.clone());
    assert_eq!(made(detail.cached.as_ref()).as_deref(), Some("s2"));
    assert_eq!(made(detail.remote.as_ref()).as_deref(), Some("s2"));
    let local = detail.local.ok_or("no local version")?;
    assert!(local.sha256.is_some() && local.made.is_none());

    let preview = ShowPreview {
        id: id.clone(),
        left: Some(content("input/a.csv", ContentAt::Cached)),
        right: Some(content("input/a.csv", ContentAt::Local)),
    };
    let shown = desk.bench.preview(preview).map_err(said)?;
    let PreviewContent::Table(table) = shown.content else { return Err("no table".into()) };
    assert_eq!(table.hunks[0].rows[0].cells[1].former.as_deref(), Some("2"));
    let gone = desk.bench.change_detail(at(&id, "input/none.csv")).err();
    assert_eq!(gone.map(|e| e.code).as_deref(), Some("not-found"));
    Ok(())
}

#[test]
fn nothing_outside_is_previewed() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.history()?;
    for (path, place) in [
        ("../secret", ContentAt::Local),
        (".dsg/state.db", ContentAt::Trash),
        (".dsg/trash/../state.db", ContentAt::Trash),
        ("/etc/hostname", ContentAt::Trash),
    ] {
        let request = ShowPreview { id: id.clone(), left: None, right: Some(content(path, place)) };
        let shown = desk.bench.preview(request);
        assert!(shown.is_err() || shown.is_ok_and(|p| p.right.is_none()), "{path}");
    }
    Ok(())
}

#[test]
fn the_history_compares_finds_and_proves() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.history()?;
    let compare = |from: Option<&str>, to: Option<&str>| CompareSnapshots {
        id: id.clone(),
        from: from.map(Into::into),
        to: to.map(Into::into),
        filter: String::new(),
        offset: 0,
        limit: 10,
    };
    let third = desk.bench.history_compare(compare(None, Some("s3"))).map_err(said)?;
    assert_eq!((third.deleted, third.matching, third.rows[0].path.as_str()), (1, 1, "input/b.csv"));
    let both = desk.bench.history_compare(compare(Some("s1"), Some("s3"))).map_err(said)?;
    assert_eq!((both.changed, both.deleted), (1, 1));
    write(&desk.at("coast/input/new.csv"), "new")?;
    desk.until(&id, |page| page.matching == 1)?;
    let here = desk.bench.history_compare(compare(Some("s3"), None)).map_err(said)?;
    assert_eq!((here.added, here.rows[0].path.as_str()), (1, "input/new.csv"));

    let find = FindPaths { id: id.clone(), text: "B.CSV".into(), limit: 10 };
    let found = desk.bench.history_find(find).map_err(said)?;
    assert_eq!(found[0].deleted.as_deref(), Some("s3"));
    let versions = desk.bench.history_versions(at(&id, "input/b.csv")).map_err(said)?;
    let told: Vec<_> =
        versions.iter().map(|v| (v.made.message.as_str(), v.version.is_some())).collect();
    assert_eq!(told, [("Third", false), ("First", true)]);

    let verify = VerifyHistory { id: id.clone(), deep: true };
    let receipt = desk.bench.history_verify(verify).map_err(said)?;
    assert_eq!((receipt.snapshots, receipt.head.as_str(), receipt.folder), (3, "s3", None));
    assert!(receipt.text.contains(&receipt.chain));
    Ok(())
}

#[test]
fn a_deleted_file_comes_back_and_the_sync_is_undone() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.history()?;
    let offer = desk.page(&id)?.undo.ok_or("no offer")?;
    assert_eq!((offer.snapshot.as_str(), offer.former.as_str(), offer.paths), ("s3", "s2", 1));
    let report = desk.restore(&id, "s1", &["input/b.csv"], RestoreTo::Project)?;
    assert_eq!(report.added, 1);
    let page = desk.until(&id, |page| page.matching == 1)?;
    assert_eq!(first(&page)?.action, "upload");
    let revert = RevertChanges { id: id.clone(), paths: vec!["input/b.csv".into()] };
    let report = desk.bench.changes_revert(revert).map_err(said)?;
    assert_eq!(report.skipped.len(), 1, "it was never synced since it was deleted: {report:?}");
    fs::remove_file(desk.at("coast/input/b.csv"))?;
    desk.until(&id, |page| page.matching == 0)?;

    let undo = UndoSync { id: id.clone(), snapshot: offer.snapshot };
    desk.bench.sync_undo(undo).map_err(said)?;
    let event = desk.ended()?;
    assert_eq!(published(&event), Some("s4"), "{event:?}");
    assert_eq!(desk.read("coast/input/b.csv").as_deref(), Some("2"));
    let again = UndoSync { id: id.clone(), snapshot: "s3".into() };
    desk.bench.sync_undo(again).map_err(said)?;
    let Event::SyncFailed { error, .. } = desk.ended()? else { return Err("it was undone".into()) };
    assert!(error.message.contains("changed again by later snapshots"), "{error:?}");
    Ok(())
}

#[test]
fn a_sync_is_undone_after_a_restart_and_what_a_colleague_made_since_stays() -> Outcome {
    let mut desk = Desk::new()?;
    let id = desk.history()?;
    let theirs = desk.copy()?.id;
    desk.page(&theirs)?;
    assert_eq!(desk.page(&theirs)?.undo, None, "a copy has published nothing");
    write(&desk.at("copy/input/a.csv"), "theirs")?;
    desk.until(&theirs, |page| page.matching == 1)?;
    assert_eq!(published(&desk.sync(&theirs, |_| ())?), Some("s4"));
    desk.bench.close();

    (desk.bench, desk.events) = open(&desk.at("app"))?;
    let page = desk.until(&id, |page| page.undo.is_some())?;
    let offer = page.undo.ok_or("no offer")?;
    assert_eq!((offer.snapshot.as_str(), offer.former.as_str(), offer.paths), ("s3", "s2", 1));
    let undo = UndoSync { id: id.clone(), snapshot: offer.snapshot };
    desk.bench.sync_undo(undo).map_err(said)?;
    assert_eq!(published(&desk.ended()?), Some("s5"));
    assert_eq!(desk.read("coast/input/b.csv").as_deref(), Some("2"));
    assert_eq!(desk.read("repository/input/a.csv").as_deref(), Some("theirs"));
    let page = desk.page(&id)?;
    assert_eq!((page.matching, first(&page)?.action.as_str()), (1, "download"));
    assert_eq!(page.undo.map(|offer| offer.snapshot).as_deref(), Some("s5"));
    Ok(())
}

#[test]
fn what_is_no_longer_tracked_waits_for_a_decision_that_can_be_taken_back() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.history()?;
    let rule = IgnoreRule::Path { path: "input/a.csv".into() };
    let ignored = desk.bench.changes_ignore(IgnorePath { id: id.clone(), rule }).map_err(said)?;
    assert_eq!(ignored.decisions, 1);
    let detail = desk.bench.change_detail(at(&id, "input/a.csv")).map_err(said)?;
    assert_eq!((detail.local, detail.unseen.as_deref()), (None, Some("Not tracked")));
    assert!(detail.row.untracked && detail.row.choices.len() == 2);

    let seen = detail.row.seen.ok_or("nothing to decide")?;
    let what = ResolveWhat::Row { path: "input/a.csv".into(), seen };
    let decide = |resolution| ResolveConflicts { id: id.clone(), what: what.clone(), resolution };
    let told = |page: &ChangesPage| -> Outcome<_> {
        let row = first(page)?;
        Ok((row.group, row.resolution, row.tickable))
    };
    desk.bench.conflict_resolve(decide(Some(Resolution::Remote))).map_err(said)?;
    let kept = (Group::Conflicts, Some(Resolution::Remote), true);
    assert_eq!(told(&desk.page(&id)?)?, kept);
    desk.bench.conflict_resolve(decide(None)).map_err(said)?;
    assert_eq!(told(&desk.page(&id)?)?, (Group::Blocked, None, false));

    desk.bench.conflict_resolve(decide(Some(Resolution::Remote))).map_err(said)?;
    let event = desk.sync(&id, |_| ())?;
    assert_eq!(published(&event), Some("s4"), "the rule: {event:?}");
    assert_eq!(desk.page(&id)?.total, 0);
    assert!(desk.at("repository/input/a.csv").is_file() && desk.at("coast/input/a.csv").is_file());
    Ok(())
}

#[test]
fn what_was_replaced_is_in_the_trash_and_comes_back() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.history()?;
    desk.restore(&id, "s1", &["input/a.csv"], RestoreTo::Project)?;
    let trash = desk.trash(&id)?;
    let row = trash.rows.first().ok_or("the trash is empty")?;
    assert_eq!((trash.files, row.path.as_str(), row.taken), (1, "input/a.csv", true));
    assert_eq!(row.why, "Replaced by restoring s1.");
    let shown = ShowPreview {
        id: id.clone(),
        left: None,
        right: Some(content(&row.item, ContentAt::Trash)),
    };
    assert!(desk.bench.preview(shown).map_err(said)?.right.is_some());
    let back = RestoreTrash { id: id.clone(), item: row.item.clone() };
    let back = desk.bench.trash_restore(back).map_err(said)?;
    assert_eq!(back.path, "input/a (restored).csv");
    assert_eq!(desk.trash(&id)?.files, 0);
    let empty = EmptyTrash { id: id.clone(), older_than_days: 0, dry_run: false };
    assert_eq!(desk.bench.trash_empty(empty).map_err(said)?, EmptiedTrash { files: 0, bytes: 0 });
    Ok(())
}

#[test]
fn a_restore_elsewhere_and_a_copy_of_a_version_leave_the_project_alone() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.history()?;
    let to = RestoreTo::Folder { path: text(&desk.at("elsewhere")) };
    assert_eq!(desk.restore(&id, "s1", &[], to)?.added, 2);
    assert_eq!(desk.read("elsewhere/input/b.csv").as_deref(), Some("2"));
    let open = OpenVersion { id: id.clone(), snapshot: "s1".into(), path: "input/b.csv".into() };
    let copy = desk.bench.copy_of_version(&open).map_err(said)?;
    assert_eq!(fs::read_to_string(&copy)?, "2");
    assert_eq!(desk.bench.copy_of_version(&open).map_err(said)?, copy);
    desk.bench.close();
    assert!(!copy.exists(), "copies go when the application ends");
    assert_eq!(desk.page(&id)?.matching, 0);
    Ok(())
}

#[test]
fn a_sync_tells_row_by_row_what_it_did() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.history()?;
    write(&desk.at("coast/input/a.csv"), "x")?;
    write(&desk.at("coast/input/new.csv"), "new")?;
    desk.until(&id, |page| page.matching == 2)?;
    let event = desk.sync(&id, |_| ())?;
    let Event::SyncFinished { report, .. } = event else { return Err("it failed".into()) };
    assert_eq!(report.results, 2);
    let results = ListResults { id: id.clone(), offset: 0, limit: 10 };
    let results = desk.bench.sync_results(results).map_err(said)?;
    assert!(results.rows.iter().all(|row| row.done && row.sentence == "Uploaded."), "{results:?}");
    Ok(())
}

#[test]
fn a_rule_asks_about_what_the_repository_has_and_shows_what_it_leaves_alone() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.history()?;
    let rule = IgnoreRule::Path { path: "input/a.csv".into() };
    let ignored = desk.bench.changes_ignore(IgnorePath { id: id.clone(), rule }).map_err(said)?;
    assert_eq!((ignored.is_new, ignored.decisions), (true, 1), "{ignored:?}");
    let page = desk.until(&id, |page| page.matching == 1)?;
    let row = first(&page)?;
    assert_eq!((row.group, row.choices.len()), (Group::Blocked, 2));

    let everything =
        ListChanges { view: ChangesView { groups: vec![Group::Ignored], ..view() }, ..list(&id) };
    let begun = Instant::now();
    let page = loop {
        let page = desk.bench.changes_list(everything.clone()).map_err(said)?;
        if page.matching > 0 || begun.elapsed() > PATIENCE {
            break page;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let paths: Vec<&str> = changes(&page).iter().map(|row| row.path.as_str()).collect();
    assert_eq!(paths, ["input/a.csv", "x.tmp"]);

    let rule = IgnoreRule::Path { path: "input/a.csv".into() };
    desk.bench.changes_heed(IgnorePath { id: id.clone(), rule }).map_err(said)?;
    assert_eq!(desk.page(&id)?.matching, 0, "as before the rule");
    let page = desk.bench.changes_list(everything).map_err(said)?;
    assert_eq!(first(&page)?.path, "x.tmp");
    Ok(())
}

#[test]
fn a_path_is_found_in_a_tree_whose_folders_are_closed() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.history()?;
    write(&desk.at("coast/one/two/c.csv"), "c")?;
    write(&desk.at("coast/one/d.csv"), "d")?;
    desk.until(&id, |page| page.matching == 2)?;
    desk.bench
        .changes_expand(ExpandFolders { id: id.clone(), path: None, open: false })
        .map_err(said)?;
    let tree = ChangesView { layout: Layout::Tree, ..view() };
    let page = desk.bench.changes_list(ListChanges { view: tree.clone(), ..list(&id) });
    assert_eq!(page.map_err(said)?.total, 1);
    let locate = LocateChange { id: id.clone(), view: tree, path: "one/two/c.csv".into() };
    assert_eq!(desk.bench.changes_locate(locate).map_err(said)?, Some(2));
    Ok(())
}

#[test]
fn the_sample_is_made_tried_and_removed() -> Outcome {
    let desk = Desk::new()?;
    let path = text(&desk.at("try"));
    let made = desk.bench.sample_create(CreateSample { ticket: "t".into(), path }).map_err(said)?;
    assert!(made.sample);
    let page = desk.page(&made.id)?;
    assert_eq!(page.undecided_matching, 1);
    let remove = |with_own_files| RemoveSample { id: made.id.clone(), with_own_files };
    desk.bench.sample_remove(remove(false)).map_err(said)?;
    assert!(!desk.at("try").exists());
    assert_eq!(desk.bench.projects_list(()).map_err(said)?, []);

    let own = desk.project()?;
    let refused = desk.bench.sample_remove(RemoveSample { id: own.id, with_own_files: true }).err();
    assert_eq!(refused.map(|e| e.code).as_deref(), Some("not-a-sample"));
    assert!(desk.at("coast/input/a.csv").exists());
    Ok(())
}

#[test]
fn a_sample_that_cannot_be_removed_stays_in_the_list_until_it_can() -> Outcome {
    let desk = Desk::new()?;
    let path = text(&desk.at("try"));
    let made = desk.bench.sample_create(CreateSample { ticket: "t".into(), path }).map_err(said)?;
    let remove = || {
        let first = desk.bench.projects_list(()).map_err(said)?.pop().ok_or("not in the list")?;
        desk.bench.sample_remove(RemoveSample { id: first.id, with_own_files: false }).map_err(said)
    };
    let in_the_way = desk.at("try/.repository.dsg");
    std::fs::remove_dir_all(&in_the_way)?;
    std::fs::write(&in_the_way, "no folder")?;
    let refused = remove().err().ok_or("it was removed")?;
    assert!(refused.contains(".repository.dsg"), "{refused}");
    assert!(
        desk.bench.projects_list(()).map_err(said)?.iter().any(|p| p.id == made.id && p.sample)
    );
    std::fs::remove_file(&in_the_way)?;
    remove()?;
    assert!(!desk.at("try").exists());
    assert_eq!(desk.bench.projects_list(()).map_err(said)?, []);
    Ok(())
}

#[test]
fn bringing_a_file_back_is_no_sync() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.history()?;
    write(&desk.at("coast/input/a.csv"), "a mistake")?;
    desk.until(&id, |page| page.matching == 1)?;
    while desk.events.try_recv().is_ok() {}
    let revert = RevertChanges { id: id.clone(), paths: vec!["input/a.csv".into()] };
    assert_eq!(desk.bench.changes_revert(revert).map_err(said)?.replaced, 1);
    assert_eq!(desk.read("coast/input/a.csv").as_deref(), Some("station,level\nharbour,2\n"));
    let told: Vec<Task> = desk
        .events
        .try_iter()
        .filter_map(|event| match event {
            Event::Progress(progress) => Some(progress.task),
            _ => None,
        })
        .collect();
    assert!(told.contains(&Task::Job) && !told.contains(&Task::Sync), "{told:?}");
    Ok(())
}

#[test]
fn a_folder_with_a_name_that_cannot_be_synced_is_neither_in_sync_nor_exactly_a_snapshot() -> Outcome
{
    let desk = Desk::new()?;
    let id = desk.history()?;
    let verify = VerifyHistory { id: id.clone(), deep: false };
    let receipt = desk.bench.history_verify(verify.clone()).map_err(said)?;
    assert_eq!(receipt.folder.as_deref(), Some("s3"));
    write(&desk.at("coast/input/two\nlines.csv"), "3")?;
    desk.until(&id, |page| page.matching == 1)?;
    let listed = desk.bench.projects_list(()).map_err(said)?;
    assert_eq!(listed[0].status, ProjectStatus::Blocked { count: 1 });
    let receipt = desk.bench.history_verify(verify).map_err(said)?;
    assert_eq!(receipt.folder, None);
    Ok(())
}

#[test]
fn a_proof_looks_at_the_folder_itself() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.history()?;
    // Whatever the watch has told by now.
    write(&desk.at("coast/input/a.csv"), "changed just before")?;
    let receipt = desk.bench.history_verify(VerifyHistory { id, deep: false }).map_err(said)?;
    assert_eq!(receipt.folder, None);
    Ok(())
}

#[test]
fn an_undo_that_is_not_published_says_that_the_folder_has_it() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.history()?;
    write(&desk.at("repository/input/by-hand.csv"), "somebody's")?;
    desk.bench.sync_undo(UndoSync { id: id.clone(), snapshot: "s3".into() }).map_err(said)?;
    let Event::SyncFailed { error, .. } = desk.ended()? else { return Err("it was undone".into()) };
    assert_eq!(error.code, "undo-pending");
    assert!(error.detail.is_some_and(|cause| cause.contains("changed on the host")));
    assert_eq!(desk.read("coast/input/b.csv").as_deref(), Some("2"));
    let page = desk.until(&id, |page| page.matching == 1)?;
    assert_eq!(first(&page)?.path, "input/b.csv");
    Ok(())
}
