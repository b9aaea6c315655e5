//! Dying at every named point of every kind of transaction: afterwards all of L, C and R are as
//! before, or all as after, and the same command again ends in sync.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use dsg_testkit::keeping::{assert_repository, left_in_staging};
use dsg_testkit::world::World;

use crate::lab;
use crate::scenes::{SCENES, Scene};

/// Every point there is.
fn points() -> BTreeSet<&'static str> {
    dsg_host::crash::ALL.iter().chain(dsg_engine::crash::ALL).map(|p| p.0).collect()
}

/// What a scene leads to when nothing fails, and the points on the way with how often they are
/// passed.
pub(crate) struct Course {
    pub(crate) before: World,
    pub(crate) between: Option<World>,
    pub(crate) after: World,
    pub(crate) passed: BTreeMap<String, u64>,
}

/// Runs a scene undisturbed.
pub(crate) fn course(scene: &Scene) -> Course {
    let lab = lab();
    let checkouts = (scene.prepare)(&lab);
    let before = Scene::world(&lab, &checkouts);
    let trace = lab.path().join("trace");
    (scene.act)(&Scene::actor(&checkouts).with("DSG_TRACE_POINTS", &trace)).ok();
    let after = Scene::world(&lab, &checkouts);
    assert_ne!(before, after, "{}: nothing happened", scene.name);
    assert_repository(&lab, Scene::actor(&checkouts));
    let mut passed = BTreeMap::new();
    for point in std::fs::read_to_string(&trace).unwrap_or_default().lines() {
        *passed.entry(point.to_owned()).or_default() += 1;
    }
    let between = scene.between.map(|prepare| {
        let lab = crate::lab();
        let checkouts = prepare(&lab);
        Scene::world(&lab, &checkouts)
    });
    Course { before, between, after, passed }
}

impl Course {
    /// All that may be found: before, where there is one between, and last after.
    pub(crate) fn worlds(&self) -> Vec<&World> {
        [Some(&self.before), self.between.as_ref(), Some(&self.after)]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// Dies at one place, looks, does it again.
fn die(scene: &Scene, course: &Course, place: &str) -> Result<(), String> {
    let lab = lab();
    let checkouts = (scene.prepare)(&lab);
    let actor = Scene::actor(&checkouts);
    let done = (scene.act)(&actor.with("DSG_CRASH_AT", place));
    if !done.crashed() {
        return Err(format!("it did not die: {done:?}"));
    }
    let worlds = course.worlds();
    let found = Scene::world(&lab, &checkouts).which(&worlds)?;
    let over = found + 1 == worlds.len();
    let again = if over { actor.try_sync(&[]) } else { (scene.act)(actor) };
    if again.code() != Some(0) {
        return Err(format!("world {found}; again: {again:?}"));
    }
    let end = Scene::world(&lab, &checkouts);
    end.which(&[&course.after]).map_err(|e| format!("world {found}; after doing it again {e}"))?;
    assert_repository(&lab, actor);
    Ok(())
}

/// The places at which a scene is cut off: each point's first and last pass.
pub(crate) fn places(scene: &Scene, course: &Course) -> Vec<String> {
    if !scene.only.is_empty() {
        return scene.only.iter().map(|p| (*p).to_owned()).collect();
    }
    let of = |(point, passes): (&String, &u64)| {
        let last = (*passes > 1).then(|| format!("{point}#{passes}"));
        [Some(point.clone()), last].into_iter().flatten().collect::<Vec<_>>()
    };
    course.passed.iter().flat_map(of).collect()
}

/// A named piece of work.
type Job = (String, Box<dyn FnOnce() -> Result<(), String> + Send>);

/// Runs work, several at a time; each failure, or panic, becomes a line.
fn all(jobs: Vec<Job>) -> Vec<String> {
    let queue = Mutex::new(jobs);
    let failures = Mutex::new(Vec::new());
    let work = || {
        loop {
            let Some((name, job)) = queue.lock().expect("the queue").pop() else { return };
            if let Err(why) =
                catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|panic| Err(words(&*panic)))
            {
                failures.lock().expect("the failures").push(format!("=== {name}: {why}"));
            }
        }
    };
    std::thread::scope(|scope| {
        // Most of the time passes waiting for the disk.
        for _ in 0..3 {
            scope.spawn(work);
        }
        work();
    });
    failures.into_inner().expect("the failures")
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

#[test]
fn dying_anywhere_leaves_all_before_or_all_after() {
    let courses: Vec<(&'static Scene, Arc<Course>)> =
        SCENES.iter().map(|scene| (scene, Arc::new(course(scene)))).collect();
    let reached: BTreeSet<String> =
        courses.iter().flat_map(|(_, c)| c.passed.keys().cloned()).collect();
    let mut jobs: Vec<Job> = Vec::new();
    for (scene, course) in courses {
        for place in places(scene, &course) {
            let (course, name) = (Arc::clone(&course), format!("{} at {place}", scene.name));
            jobs.push((name, Box::new(move || die(scene, &course, &place))));
        }
    }
    println!("{} deaths", jobs.len());
    let mut failures = all(jobs);
    let never: Vec<_> =
        points().into_iter().filter(|p| !reached.contains(*p) && !ELSEWHERE.contains(p)).collect();
    let unlisted: Vec<_> = reached.iter().filter(|p| !points().contains(p.as_str())).collect();
    if !never.is_empty() || !unlisted.is_empty() {
        failures.push(format!("=== never reached: {never:?}; not listed in ALL: {unlisted:?}"));
    }
    failures.sort();
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// Points that no scene passes: preparing and pruning are tests of their own below, adoption one of the
/// host's.
const ELSEWHERE: [&str; 5] = [
    "host.legacy.recorded",
    "host.legacy.prepared",
    "host.prestage.built",
    "host.prestage.recorded",
    "host.pruned",
];

#[test]
fn dying_while_former_snapshots_are_removed_harms_nothing_else() {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "1"), ("input/kept", "kept")]);
    for content in ["2", "3", "4"] {
        p1.write("input/a", content);
        p1.sync();
    }
    for place in ["host.pruned#1", "host.pruned#2"] {
        let dying = p1.with("DSG_CRASH_AT", place);
        assert!(dying.dsg(&["prune", "--keep", "1", "--yes"]).crashed(), "{place}");
        p1.assert_in_sync();
        assert_repository(&lab, &p1);
    }
    p1.dsg(&["prune", "--keep", "1", "--yes"]).ok();
    p2.sync();
    p2.write("input/a", "5");
    p2.sync();
    p1.sync();
    p1.assert_in_sync();
    assert_eq!(lab.repo_tree(), p1.tree());
    assert_repository(&lab, &p1);
}

#[test]
fn dying_while_the_next_publish_is_prepared_harms_nothing() {
    let scene = SCENES.iter().find(|s| s.name == "mixed").expect("a scene");
    for place in ["host.prestage.built", "host.prestage.recorded"] {
        for again in [true, false] {
            let lab = lab();
            let checkouts = (scene.prepare)(&lab);
            let actor = Scene::actor(&checkouts);
            let before = Scene::world(&lab, &checkouts);
            assert!(actor.with("DSG_CRASH_AT", place).dsg(&["prepare"]).crashed(), "{place}");
            assert_eq!(Scene::world(&lab, &checkouts), before, "{place}");
            if again {
                actor.dsg(&["prepare"]).ok();
                assert_eq!(Scene::world(&lab, &checkouts), before, "{place}");
            }
            actor.sync();
            actor.assert_in_sync();
            assert_repository(&lab, actor);
        }
    }
}

#[test]
fn nothing_of_a_dead_transaction_is_left_once_it_was_done_again() {
    let scene = SCENES.iter().find(|s| s.name == "mixed").expect("a scene");
    let mut left = Vec::new();
    for place in ["host.begun", "host.staged", "host.built", "host.applied", "host.journaled"] {
        let lab = lab();
        let checkouts = (scene.prepare)(&lab);
        let actor = Scene::actor(&checkouts);
        assert!((scene.act)(&actor.with("DSG_CRASH_AT", place)).crashed(), "{place}");
        (scene.act)(actor).ok();
        let paths = left_in_staging(&lab);
        if !paths.is_empty() {
            left.push(format!("{place}: {paths:?}"));
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn a_look_says_what_it_found_interrupted_and_what_became_of_it_once() {
    let lab = crate::lab();
    let (p1, _) = lab.pair(&[("input/a", "1")]);
    let settled = || p1.dsg(&["status"]).ok().json()["standing"]["settled"].clone();
    let mut newest = 1;
    for (place, published) in [("host.journaled", false), ("host.exchanged", true)] {
        p1.write("input/a", place);
        assert!(p1.with("DSG_CRASH_AT", place).try_sync(&[]).crashed(), "{place}");
        newest += i32::from(published);
        let expected = if published {
            serde_json::json!({"finished": format!("s{newest}")})
        } else {
            serde_json::json!("undone")
        };
        assert_eq!(settled(), expected, "{place}");
        assert!(settled().is_null(), "{place}");
    }
    let standing = p1.dsg(&["status"]).ok().json()["standing"].clone();
    assert!(standing["available"].as_u64() > Some(0), "{standing}");
    assert!(!standing["filesystem"].as_str().unwrap().is_empty(), "{standing}");
}
