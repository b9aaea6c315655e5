//! The workbench with the real engine: what a window would ask, and what it is told.

mod past;
mod settings;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dsg_core::monitor::Monitor;
use dsg_core::repository::Settled;
use dsg_testkit::legacy::LegacyRepo;

use super::registry::Registry;
use super::session::{Look, Session};
use super::view::Begun;
use super::{EventSink, Workbench};
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const PATIENCE: Duration = Duration::from_secs(60);

/// A workbench in a folder of its own, and all that it told.
struct Desk {
    bench: Workbench,
    events: Receiver<Event>,
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let (bench, events) = open(&dir.path().join("app"))?;
        Ok(Self { bench, events, dir })
    }

    /// A project with some files, synced to s1.
    fn project(&self) -> Outcome<ProjectSummary> {
        for (path, content) in [("input/a.csv", "1"), ("input/b.csv", "2"), ("x.tmp", "ignored")] {
            write(&self.at("coast").join(path), content)?;
        }
        let made = self.bench.project_create(CreateProject {
            ticket: "t1".into(),
            path: text(&self.at("coast")),
            address: text(&self.at("repository")),
            name: "Coast".into(),
            data_dirs: vec!["*".into()],
            message: "First".into(),
        });
        Ok(made.map_err(said)?)
    }

    fn copy(&self) -> Outcome<ProjectSummary> {
        let cloned = self.bench.project_clone(CloneProject {
            ticket: "t2".into(),
            address: text(&self.at("repository")),
            path: text(&self.at("copy")),
        });
        Ok(cloned.map_err(said)?)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn page(&self, id: &str) -> Outcome<ChangesPage> {
        Ok(self.bench.changes_list(list(id)).map_err(said)?)
    }

    /// Waits until what is pending is as wanted.
    fn until(&self, id: &str, wanted: impl Fn(&ChangesPage) -> bool) -> Outcome<ChangesPage> {
        let begun = Instant::now();
        loop {
            let page = self.page(id)?;
            if wanted(&page) {
                return Ok(page);
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("still {page:#?}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn sync(&self, id: &str, more: impl FnOnce(&mut StartSync)) -> Outcome<Event> {
        let mut request = StartSync {
            id: id.into(),
            message: "A sync".into(),
            except_conflicts: false,
            allow: Vec::new(),
        };
        more(&mut request);
        self.bench.sync_start(request).map_err(said)?;
        self.ended()
    }

    /// Waits for the end of a sync.
    fn ended(&self) -> Outcome<Event> {
        loop {
            let event = self.events.recv_timeout(PATIENCE)?;
            if matches!(event, Event::SyncFinished { .. } | Event::SyncFailed { .. }) {
                return Ok(event);
            }
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.bench.close();
    }
}

fn open(data: &Path) -> Outcome<(Workbench, Receiver<Event>)> {
    fs::create_dir_all(data)?;
    let (sender, events) = channel();
    let sender = Mutex::new(sender);
    let tell = move |event| {
        if let Ok(sender) = sender.lock() {
            let _ = sender.send(event);
        }
    };
    let bench = Workbench::new(data.to_owned(), Arc::new(tell));
    bench.start();
    Ok((bench, events))
}

fn list(id: &str) -> ListChanges {
    ListChanges { id: id.into(), view: view(), offset: 0, limit: 100 }
}

fn view() -> ChangesView {
    ChangesView {
        filter: String::new(),
        groups: vec![Group::Conflicts, Group::Outgoing, Group::Incoming, Group::Blocked],
        sort: SortKey::Path,
        descending: false,
        layout: Layout::List,
    }
}

fn changes(page: &ChangesPage) -> Vec<&ChangeRow> {
    let mut changes = Vec::new();
    for row in &page.rows {
        if let ChangesRow::Change(change) = row {
            changes.push(change);
        }
    }
    changes
}

fn first(page: &ChangesPage) -> Outcome<&ChangeRow> {
    Ok(changes(page).first().copied().ok_or("no row")?)
}

fn write(path: &Path, content: &str) -> Outcome {
    fs::create_dir_all(path.parent().ok_or("no parent")?)?;
    Ok(fs::write(path, content)?)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn said(error: ApiError) -> String {
    format!("{}: {}", error.code, error.message)
}

fn published(event: &Event) -> Option<&str> {
    match event {
        Event::SyncFinished { report, .. } => report.snapshot.as_deref(),
        _ => None,
    }
}

#[test]
fn a_repository_is_made_and_stands_in_the_list_after_a_restart() -> Outcome {
    let desk = Desk::new()?;
    let project = desk.project()?;
    assert_eq!((project.name.as_str(), project.id.as_str()), ("Coast", "p1"));
    let page = desk.page(&project.id)?;
    assert_eq!((page.matching, page.head.as_deref()), (0, Some("s1")));
    assert_eq!(page.last_sync.map(|s| s.snapshot).as_deref(), Some("s1"));

    let history = ListHistory { id: project.id.clone(), before: None, limit: 10 };
    let history = desk.bench.history_list(history).map_err(said)?;
    assert_eq!((history.rows.len(), history.total), (1, 1));
    let first = &history.rows[0];
    assert_eq!((first.message.as_str(), first.here, first.kept), ("First", true, true));

    let (again, _events) = open(&desk.at("app"))?;
    let listed = again.projects_list(()).map_err(said)?;
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, "Coast"));
    again.changes_list(list("p1")).map_err(said)?;
    let listed = again.projects_list(()).map_err(said)?;
    assert_eq!(listed[0].status, ProjectStatus::InSync);
    assert!(listed[0].guarantee.contains("atomic"), "{}", listed[0].guarantee);
    again.close();
    Ok(())
}

#[test]
fn a_change_in_the_folder_appears_by_itself_and_is_synced() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.project()?.id;
    desk.page(&id)?;
    write(&desk.at("coast/input/a.csv"), "another")?;
    write(&desk.at("coast/new/deep/c.csv"), "c")?;
    let page = desk.until(&id, |page| page.matching == 2)?;
    assert_eq!(page.selected.snapshot.as_deref(), Some("s2"));
    assert!(changes(&page).iter().all(|row| row.group == Group::Outgoing));

    let event = desk.sync(&id, |_| ())?;
    assert_eq!(published(&event), Some("s2"), "{event:?}");
    let page = desk.until(&id, |page| page.matching == 0)?;
    let last = page.last_sync.ok_or("never synced")?;
    assert!(last.snapshot == "s2" && last.time.is_some());
    Ok(())
}

#[test]
fn what_is_left_out_stays_pending() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.project()?.id;
    desk.page(&id)?;
    write(&desk.at("coast/input/a.csv"), "another")?;
    write(&desk.at("coast/input/b.csv"), "other")?;
    desk.until(&id, |page| page.matching == 2)?;
    let what = SelectWhat::Paths { paths: vec!["input/b.csv".into()] };
    let leave_out = SelectChanges { id: id.clone(), view: view(), what, ticked: false };
    desk.bench.changes_select(leave_out).map_err(said)?;
    let page = desk.page(&id)?;
    assert_eq!((page.selected.count, page.selected.of, page.ticked), (1, 2, Tick::Some));
    let event = desk.sync(&id, |_| ())?;
    assert_eq!(published(&event), Some("s2"), "{event:?}");
    let page = desk.page(&id)?;
    assert_eq!((page.matching, first(&page)?.path.as_str()), (1, "input/b.csv"));
    Ok(())
}

#[test]
fn a_conflict_names_the_colleague_and_is_decided() -> Outcome {
    let desk = Desk::new()?;
    let (mine, theirs) = (desk.project()?.id, desk.copy()?.id);
    desk.page(&theirs)?;
    write(&desk.at("copy/input/a.csv"), "theirs")?;
    desk.until(&theirs, |page| page.matching == 1)?;
    desk.sync(&theirs, |_| ())?;
    write(&desk.at("coast/input/a.csv"), "mine!")?;
    desk.bench.rescan(ProjectRef { id: mine.clone() }).map_err(said)?;
    let page = desk.until(&mine, |page| page.undecided_matching == 1)?;
    assert_eq!(page.blocker.as_deref(), Some("1 conflict waits for a decision."));
    let named = |page: &ChangesPage| first(page).is_ok_and(|row| row.remote_author.is_some());
    let page = desk.until(&mine, named)?;
    let row = first(&page)?;
    assert_eq!((row.remote_snapshot.as_deref(), row.choices.len()), (Some("s2"), 4), "{row:?}");
    let refused = desk.sync(&mine, |_| ()).err().map(|e| e.to_string());
    assert!(refused.is_some_and(|e| e.starts_with("conflicts:")));

    // An editor saves once more behind what the window shows.
    let seen = row.seen.clone().ok_or("nothing to decide")?;
    write(&desk.at("coast/input/a.csv"), "mine, again")?;
    let what = ResolveWhat::Row { path: "input/a.csv".into(), seen };
    let blind = ResolveConflicts { id: mine.clone(), what, resolution: Some(Resolution::Remote) };
    let refused = desk.bench.conflict_resolve(blind).err().map(|e| e.code);
    assert_eq!(refused.as_deref(), Some("outdated"));
    let page = desk.page(&mine)?;
    assert_eq!((page.undecided_matching, first(&page)?.local_size), (1, Some(11)), "asked again");

    let decide = |resolution| ResolveConflicts {
        id: mine.clone(),
        what: ResolveWhat::Matching { filter: "A.CSV".into() },
        resolution: Some(resolution),
    };
    desk.bench.conflict_resolve(decide(Resolution::Both)).map_err(said)?;
    let page = desk.page(&mine)?;
    assert_eq!((page.blocker.as_deref(), first(&page)?.resolution), (None, Some(Resolution::Both)));
    let event = desk.sync(&mine, |_| ())?;
    assert_eq!(published(&event), Some("s3"), "{event:?}");
    assert_eq!(fs::read_to_string(desk.at("coast/input/a.csv"))?, "theirs");
    Ok(())
}

#[test]
fn a_repository_that_is_away_is_said_with_what_to_do() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.project()?.id;
    desk.page(&id)?;
    fs::rename(desk.at("repository"), desk.at("elsewhere"))?;
    fs::rename(desk.at(".repository.dsg"), desk.at(".elsewhere.dsg"))?;
    desk.bench.rescan(ProjectRef { id: id.clone() }).map_err(said)?;
    let page = desk.until(&id, |page| page.offline.is_some())?;
    assert!(page.offline.is_some_and(|cut| cut.error.hint.is_some()));
    let listed = desk.bench.projects_list(()).map_err(said)?;
    assert!(matches!(listed[0].status, ProjectStatus::Offline { .. }), "{:?}", listed[0].status);

    fs::rename(desk.at("elsewhere"), desk.at("repository"))?;
    fs::rename(desk.at(".elsewhere.dsg"), desk.at(".repository.dsg"))?;
    desk.until(&id, |page| page.offline.is_none() && page.trouble.is_none())?;
    Ok(())
}

#[test]
fn a_halt_offers_its_override() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.project()?.id;
    desk.page(&id)?;
    for path in ["coast/input/a.csv", "coast/input/b.csv"] {
        fs::remove_file(desk.at(path))?;
    }
    desk.until(&id, |page| page.matching == 2)?;
    let event = desk.sync(&id, |_| ())?;
    let Event::SyncFailed { error, .. } = event else { return Err("not halted".into()) };
    assert_eq!(error.allow.as_deref(), Some("empty-root"), "{error:?}");
    let event = desk.sync(&id, |request| request.allow = vec!["empty-root".into()])?;
    assert_eq!(published(&event), Some("s2"), "{event:?}");
    Ok(())
}

#[test]
fn a_folder_that_is_gone_needs_attention_and_is_forgotten_without_a_trace() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.project()?.id;
    desk.page(&id)?;
    fs::rename(desk.at("coast"), desk.at("moved"))?;
    desk.bench.rescan(ProjectRef { id: id.clone() }).map_err(said)?;
    let page = desk.until(&id, |page| page.trouble.is_some())?;
    assert!(page.blocker.is_some());
    desk.bench.project_forget(ProjectRef { id: id.clone() }).map_err(said)?;
    assert_eq!(desk.bench.projects_list(()).map_err(said)?, []);
    assert!(desk.bench.changes_list(list(&id)).is_err());
    // And found again where it is now.
    let path = text(&desk.at("moved"));
    let again = desk.bench.project_open(OpenProject { ticket: "t".into(), path }).map_err(said)?;
    assert_ne!(again.id, id);
    assert_eq!(desk.page(&again.id)?.matching, 0);
    Ok(())
}

#[test]
fn a_folder_on_a_disk_that_comes_back_is_found_by_itself() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.project()?.id;
    desk.page(&id)?;
    fs::rename(desk.at("coast"), desk.at("unplugged"))?;
    desk.bench.rescan(ProjectRef { id: id.clone() }).map_err(said)?;
    desk.until(&id, |page| page.trouble.is_some())?;
    write(&desk.at("unplugged/input/a.csv"), "changed elsewhere")?;
    fs::rename(desk.at("unplugged"), desk.at("coast"))?;
    let page = desk.until(&id, |page| page.trouble.is_none() && page.matching == 1)?;
    assert_eq!(first(&page)?.path, "input/a.csv");
    Ok(())
}

#[test]
fn an_ordinary_folder_is_not_a_project() -> Outcome {
    let desk = Desk::new()?;
    write(&desk.at("plain/a"), "a")?;
    let path = text(&desk.at("plain"));
    let error = desk.bench.project_open(OpenProject { ticket: "t".into(), path }).err();
    let error = error.ok_or("it was opened")?;
    assert_eq!(error.code, "not-a-project");
    assert!(error.hint.is_some_and(|hint| !hint.contains("dsg ")));
    Ok(())
}

/// A session that nobody keeps: it looks when it is told to.
fn unkept(desk: &Desk, id: &str) -> Outcome<Arc<Session>> {
    let registry = Arc::new(Registry::open(&desk.at("app")));
    let entry = registry.entries().into_iter().find(|entry| entry.id == id).ok_or("no entry")?;
    let events: EventSink = Arc::new(|_| {});
    let (keeper, _) = channel();
    let questions = super::questions::Desk::new(events.clone());
    Ok(Arc::new(Session::new(&entry, Begun::default(), registry, events, questions, keeper)))
}

#[test]
fn what_was_pending_is_shown_again_before_the_folder_is_looked_at() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.project()?.id;
    write(&desk.at("coast/input/c.csv"), "new")?;
    desk.until(&id, |page| page.total == 1)?;
    desk.bench.close();
    write(&desk.at("coast/input/d.csv"), "made while DSG was closed")?;

    let session = unkept(&desk, &id)?;
    assert!(session.recall());
    let page = session.page(&list(&id)).map_err(said)?;
    assert_eq!(changes(&page).iter().map(|c| c.path.as_str()).collect::<Vec<_>>(), ["input/c.csv"]);
    assert_eq!(session.view().status(), ProjectStatus::Scanning);
    // Of what nobody looked at nothing is decided or synced.
    assert_eq!(page.blocker.as_deref(), Some("The folder is being looked at."));
    let sync = StartSync {
        id: id.clone(),
        message: String::new(),
        except_conflicts: false,
        allow: Vec::new(),
    };
    let refused = super::syncing::start(&session, &sync).err().map(|error| error.code);
    assert_eq!(refused.as_deref(), Some("looking"));
    session.look(&Look::Paths(&["input/c.csv".into()]));
    assert_eq!(session.view().status(), ProjectStatus::Scanning);
    session.look(&Look::Everything { shown: true, asks: true });
    let page = session.page(&list(&id)).map_err(said)?;
    assert_eq!(
        changes(&page).iter().map(|c| c.path.as_str()).collect::<Vec<_>>(),
        ["input/c.csv", "input/d.csv"]
    );
    assert_eq!(session.view().status(), ProjectStatus::Pending { count: 2 });
    assert_eq!(page.blocker, None);
    Ok(())
}

#[test]
fn a_window_that_finds_another_one_leaves_everything_alone() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.project()?.id;
    write(&desk.at("coast/input/c.csv"), "new")?;
    desk.until(&id, |page| page.total == 1)?;
    desk.bench.close();
    let copy = desk.at("app/opened/s1/a.csv");
    write(&copy, "a former version that somebody looks at")?;

    let second = Workbench::new(desk.at("app"), Arc::new(|_| ()));
    assert_eq!(second.changes_list(list(&id)).map_err(said)?.total, 1, "remembered");
    assert!(copy.exists());
    second.start();
    assert!(!copy.exists());
    second.close();
    Ok(())
}

#[test]
fn a_repository_of_the_earlier_dsg_is_seen_taken_over_and_copied() -> Outcome {
    let desk = Desk::new()?;
    let there = desk.at("survey");
    let mut earlier = LegacyRepo::new(&there);
    earlier.sync("ann@example.org", "first wave", &[("input/a.csv", "1")]);
    earlier.sync("bob@example.org", "second wave", &[("input/a.csv", "2")]);
    let address = text(&there);
    let copy = || {
        let path = text(&desk.at("copy"));
        let request = CloneProject { ticket: "t1".into(), address: address.clone(), path };
        desk.bench.project_clone(request)
    };
    assert_eq!(copy().err().map(|e| e.code).as_deref(), Some("legacy-repository"));

    let adopt = |dry_run, as_it_stands| {
        let (ticket, address) = ("t2".into(), address.clone());
        desk.bench.place_adopt(AdoptRepository { ticket, address, dry_run, as_it_stands })
    };
    write(&there.join("input/a.csv"), "changed since")?;
    let shown = adopt(true, false).map_err(said)?;
    let past: Vec<_> =
        shown.history.iter().map(|p| (p.id.as_str(), p.message.as_str(), &p.doubt)).collect();
    assert_eq!(past, [("s2", "second wave", &None), ("s1", "first wave", &None)]);
    assert_eq!((shown.deviations[0].path.as_str(), shown.adopted), ("input/a.csv", None));
    assert_eq!(adopt(false, false).err().map(|e| e.code).as_deref(), Some("drift"));
    assert_eq!(copy().err().map(|e| e.code).as_deref(), Some("legacy-repository"), "untouched");

    assert_eq!(adopt(false, true).map_err(said)?.adopted.as_deref(), Some("s3"));
    let id = copy().map_err(said)?.id;
    assert_eq!(fs::read_to_string(desk.at("copy/input/a.csv"))?, "changed since");
    let history = ListHistory { id, before: None, limit: 9 };
    assert_eq!(desk.bench.history_list(history).map_err(said)?.total, 3);
    Ok(())
}

#[test]
fn that_nothing_is_pending_is_said_by_a_look_only() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.project()?.id;
    desk.until(&id, |page| page.total == 0)?;
    desk.bench.close();
    let session = unkept(&desk, &id)?;
    assert!(!session.recall() && !session.view().known);
    Ok(())
}

#[test]
fn a_place_is_tried_step_by_step_and_stays_as_it_was() -> Outcome {
    let desk = Desk::new()?;
    fs::create_dir(desk.at("data"))?;
    let examine = |address: PathBuf| -> Outcome<Vec<PlaceStep>> {
        let request = ExaminePlace { ticket: "t9".into(), address: text(&address) };
        desk.bench.place_examine(request).map_err(said)?;
        let steps = desk.events.try_iter().filter_map(|event| match event {
            Event::Examined { id, step } if id == "t9" => Some(step),
            _ => None,
        });
        Ok(steps.collect())
    };
    let well = examine(desk.at("data/repository"))?;
    let names: Vec<&str> = well.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["place", "trial", "repository"]);
    assert!(well.iter().all(|step| step.found.is_some() && step.error.is_none()), "{well:?}");
    assert_eq!(fs::read_dir(desk.at("data"))?.count(), 0);
    let nowhere = examine(desk.at("nowhere/repository"))?;
    assert!(nowhere.len() == 1 && nowhere[0].error.is_some(), "{nowhere:?}");
    Ok(())
}

#[test]
fn what_was_changed_on_the_host_is_a_state_of_its_own_with_one_action() -> Outcome {
    let desk = Desk::new()?;
    let id = desk.project()?.id;
    desk.until(&id, |page| page.total == 0)?;
    desk.bench.close();
    let session = unkept(&desk, &id)?;
    session.look(&Look::Everything { shown: true, asks: true });
    assert_eq!(session.view().status(), ProjectStatus::InSync);
    let place = session.summary().place.ok_or("the repository was asked")?;
    assert!(place.available > 0 && place.dataset.is_none(), "{place:?}");

    let silent = Monitor::silent();
    let mut status = session
        .with_engine(&silent, |project| project.status_into(session.found(), false, &silent))
        .map_err(said)?;
    status.drift = vec!["input/a.csv".into(), "input/b.csv".into()];
    let standing = status.standing.as_mut().ok_or("not asked")?;
    standing.settled = Some(Settled::Undone);
    session.show(Ok(status));
    let page = session.page(&list(&id)).map_err(said)?;
    let trouble = page.trouble.ok_or("nothing is told")?;
    assert_eq!((trouble.code.as_str(), trouble.allow.as_deref()), ("drift", Some("drift")));
    assert_eq!(trouble.detail.as_deref(), Some("input/a.csv\ninput/b.csv"));
    assert!(page.notices.iter().any(|told| told.contains("is undone")), "{:?}", page.notices);
    assert_eq!(session.view().status(), ProjectStatus::Attention { error: trouble });

    // The next look finds it taken in.
    session.look(&Look::Everything { shown: false, asks: true });
    assert_eq!(session.view().status(), ProjectStatus::InSync);
    Ok(())
}
