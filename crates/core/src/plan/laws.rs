//! The laws of a plan, checked over small worlds in which every kind of collision is likely.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::effects::Step;
use super::*;
use crate::entry::{FileEntry, LinkTarget, Mtime};

type Tree = BTreeMap<RepoPath, Entry>;

#[derive(Clone, Debug, Default, PartialEq)]
struct World {
    local: Tree,
    cache: Tree,
    remote: Tree,
    trash: Vec<Entry>,
}

fn entry(content: u8) -> Entry {
    match content {
        0 => Entry::Link(LinkTarget::parse(&"a".parse().unwrap(), "b").unwrap()),
        n => Entry::File(FileEntry {
            size: u64::from(n) - 1,
            mtime: Mtime(0),
            exec: n == 4,
            hash: Hash::of(&[n.min(3)]),
        }),
    }
}

fn insert_legal(tree: &mut Tree, path: RepoPath, entry: Entry) {
    if !path.ancestors().any(|a| tree.contains_key(a)) && !tree.keys().any(|k| k.is_within(&path)) {
        tree.insert(path, entry);
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    proptest::collection::vec(("(a|b|a-)(/[ab]){0,2}", 0u8..5), 0..7).prop_map(|raw| {
        let mut tree = Tree::new();
        for (path, content) in raw {
            insert_legal(&mut tree, path.parse().unwrap(), entry(content));
        }
        tree
    })
}

/// Each side is the cache with some edits, as in life, or anything at all.
fn worlds() -> impl Strategy<Value = World> {
    let edits =
        || proptest::collection::vec(("(a|b|a-)(/[ab]){0,2}", proptest::option::of(0u8..5)), 0..4);
    let edited = |mut tree: Tree, edits: Vec<(String, Option<u8>)>| {
        for (path, content) in edits {
            let path: RepoPath = path.parse().unwrap();
            tree.retain(|k, _| !k.is_within(&path) && !path.is_within(k));
            if let Some(content) = content {
                insert_legal(&mut tree, path, entry(content));
            }
        }
        tree
    };
    prop_oneof![
        (tree(), edits(), edits()).prop_map(move |(cache, l, r)| World {
            local: edited(cache.clone(), l),
            remote: edited(cache.clone(), r),
            cache,
            ..World::default()
        }),
        (tree(), tree(), tree()).prop_map(|(local, cache, remote)| World {
            local,
            cache,
            remote,
            ..World::default()
        }),
    ]
}

fn resolutions() -> impl Strategy<Value = Vec<Option<Resolution>>> {
    let one = prop_oneof![
        Just(None),
        Just(Some(Resolution::Local)),
        Just(Some(Resolution::Remote)),
        Just(Some(Resolution::Cached)),
        Just(Some(Resolution::Both))
    ];
    proptest::collection::vec(one, 1..6)
}

fn states(world: &World) -> Vec<PathState> {
    let paths: BTreeSet<&RepoPath> =
        world.local.keys().chain(world.cache.keys()).chain(world.remote.keys()).collect();
    let state = |path: &RepoPath| PathState {
        path: path.clone(),
        local: world.local.get(path).cloned().map_or(Local::Absent, Local::Present),
        cache: world.cache.get(path).cloned().map(|e| Box::new((e, SnapshotId::FIRST))),
        remote: world.remote.get(path).cloned(),
    };
    paths.into_iter().map(state).collect()
}

fn decide(world: &World, choices: &[Option<Resolution>]) -> BTreeMap<RepoPath, Decision> {
    let decided = |(i, s): (usize, PathState)| {
        choices[i % choices.len()]
            .map(|resolution| (s.path.clone(), Decision { resolution, seen: s.fingerprint() }))
    };
    states(world).into_iter().enumerate().filter_map(decided).collect()
}

fn plan(world: &World, request: &Request) -> Plan {
    Plan::make(states(world), request)
}

fn legal(tree: &Tree) -> bool {
    tree.keys().all(|p| !p.ancestors().any(|a| tree.contains_key(a)))
}

/// Applies a plan as host and settle do, step by step.
fn apply(world: &World, plan: &Plan) -> World {
    let mut after = world.clone();
    let changes = plan.remote_changes();
    for (to, from) in plan.remote_copies() {
        let put = changes.find(&to).and_then(|c| c.entry).unwrap();
        assert!(
            world.remote[&from].same(&put),
            "a copy of {from} would not be what {to} should be"
        );
    }
    for change in changes {
        match change.entry {
            Some(entry) => after.remote.insert(change.path, entry),
            None => Some(after.remote.remove(&change.path).expect("only what is there is deleted")),
        };
    }
    let mut cache = |path: RepoPath, entry: Option<Entry>| {
        match entry {
            Some(entry) => after.cache.insert(path, entry),
            None => after.cache.remove(&path),
        };
    };
    for step in plan.deeds().chain(plan.agreements()) {
        match step {
            Step::Place { path, entry, expected, aside, .. } => {
                let out = after.local.insert(path.clone(), entry.clone());
                assert_eq!(out, expected);
                match (out, aside) {
                    (Some(out), Some(aside)) => {
                        assert!(
                            after.local.insert(aside.clone(), out.clone()).is_none(),
                            "{aside} was taken"
                        );
                        cache(aside, Some(out));
                    }
                    (Some(out), None) => after.trash.push(out),
                    (None, _) => {}
                }
                cache(path, Some(entry));
            }
            Step::Remove { path, expected, aside } => {
                let out = after.local.remove(&path).unwrap();
                assert_eq!(out, expected);
                match aside {
                    Some(aside) => {
                        assert!(
                            after.local.insert(aside.clone(), out.clone()).is_none(),
                            "{aside} was taken"
                        );
                        cache(aside, Some(out));
                    }
                    None => after.trash.push(out),
                }
                cache(path, None);
            }
            Step::Rename { from, to, expected, entry } => {
                let out = after.local.remove(&from).unwrap();
                assert_eq!(out, expected);
                assert!(out.same(&entry));
                assert!(after.local.insert(to.clone(), entry.clone()).is_none());
                cache(from, None);
                cache(to, Some(entry));
            }
            Step::Agree { path, entry } => cache(path, entry),
            Step::Forget { path } => cache(path, None),
        }
    }
    after
}

fn same(a: Option<&Entry>, b: Option<&Entry>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.same(b),
        (None, None) => true,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn after_a_sync_all_sides_agree_but_on_conflicts(world in worlds(), choices in resolutions()) {
        let request = Request { decisions: decide(&world, &choices), ..Request::default() };
        let plan = plan(&world, &request);
        let after = apply(&world, &plan);
        prop_assert!(legal(&after.local) && legal(&after.remote));
        let open: BTreeSet<RepoPath> = plan.items().filter(|i| i.action.is_inert()).map(|i| i.at.path).collect();
        for s in states(&after) {
            if open.contains(&s.path) {
                prop_assert!(same(after.local.get(&s.path), world.local.get(&s.path)), "{} was touched", s.path);
                prop_assert!(same(after.cache.get(&s.path), world.cache.get(&s.path)), "C of {} was touched", s.path);
                prop_assert!(same(after.remote.get(&s.path), world.remote.get(&s.path)), "R of {} was touched", s.path);
            } else {
                prop_assert!(matches!(s.state(), State::LcrAllEq | State::Nowhere), "{} ended as {:?}", s.path, s.state());
            }
        }
        // Without new decisions, a second plan has nothing to do.
        prop_assert!(super::Plan::make(states(&after), &Request::default()).is_inert());
    }

    #[test]
    fn every_conflict_can_be_ended_by_deciding(world in worlds(), resolution in prop_oneof![Just(Resolution::Local), Just(Resolution::Remote), Just(Resolution::Both)]) {
        let request = Request { decisions: decide(&world, &[Some(resolution)]), ..Request::default() };
        let plan = plan(&world, &request);
        prop_assert_eq!(plan.conflicts().count(), 0, "{:?}", plan);
        let after = apply(&world, &plan);
        prop_assert_eq!(&after.local, &after.cache);
        prop_assert_eq!(&after.local, &after.remote);
    }

    #[test]
    fn what_a_person_made_is_never_dropped(world in worlds(), choices in resolutions()) {
        let request = Request { decisions: decide(&world, &choices), ..Request::default() };
        let after = apply(&world, &plan(&world, &request));
        for (path, entry) in &world.local {
            let kept = after.local.values().chain(after.remote.values()).chain(&after.trash).any(|e| e.same(entry));
            prop_assert!(kept, "the local {path} is gone");
        }
        // R's former content is in the former snapshot; nothing is put without being here.
        for (path, entry) in &after.remote {
            let known = world.local.values().chain(world.remote.values()).chain(world.cache.values()).any(|e| e.same(entry));
            prop_assert!(known, "{path} came from nowhere");
        }
    }

    #[test]
    fn a_selection_leaves_the_rest_with_its_cache(world in worlds(), choices in resolutions(), only in "(a|b|a-)(/[ab])?") {
        let only: RepoPath = only.parse().unwrap();
        let request = Request { decisions: decide(&world, &choices), only: Some(vec![only.clone()]), ..Request::default() };
        let after = apply(&world, &plan(&world, &request));
        prop_assert!(legal(&after.local) && legal(&after.remote));
        for s in states(&world).iter().filter(|s| !s.path.is_within(&only)) {
            prop_assert_eq!(after.local.get(&s.path), world.local.get(&s.path));
            prop_assert_eq!(after.cache.get(&s.path), world.cache.get(&s.path));
            prop_assert_eq!(after.remote.get(&s.path), world.remote.get(&s.path));
        }
        // The other half, later, ends as one sync would: nothing is overwritten, conflicts stay.
        let rest = Plan::make(states(&after), &Request::default());
        let whole = Plan::make(states(&world), &Request::default());
        if choices == [None] {
            let names = |p: &Plan| p.conflicts().map(|i| i.at.path).collect::<BTreeSet<_>>();
            prop_assert!(names(&rest).is_superset(&names(&whole)));
        }
    }

    #[test]
    fn the_two_sides_are_treated_alike(world in worlds()) {
        let mirrored = World { local: world.remote.clone(), cache: world.cache.clone(), remote: world.local.clone(), ..World::default() };
        let mirror = |action: &Action| match action {
            Action::Upload => "download", Action::Download => "upload",
            Action::DeleteLocal => "delete_remote", Action::DeleteRemote => "delete_local",
            Action::MoveLocal { .. } => "move_remote", Action::MoveRemote { .. } => "move_local",
            other => other.as_str(),
        };
        let here: Vec<_> = plan(&world, &Request::default()).items().map(|i| (i.at.path.clone(), mirror(&i.action))).collect();
        let there: Vec<_> = plan(&mirrored, &Request::default()).items().map(|i| (i.at.path.clone(), i.action.as_str())).collect();
        prop_assert_eq!(here, there);
    }

    #[test]
    fn what_is_not_known_is_never_deleted_or_replaced(world in worlds(), hidden in 0usize..8, excluded: bool) {
        let mut states = states(&world);
        prop_assume!(!states.is_empty());
        let at = hidden % states.len();
        states[at].local = if excluded { Local::Excluded } else { Local::Unknown("unreadable".into()) };
        let path = states[at].path.clone();
        let plan = Plan::make(states, &Request::default());
        prop_assert!(!plan.remote_changes().iter().any(|c| c.path == path));
        let touches = plan.deeds().any(|s| match s {
            Step::Place { path: p, .. } | Step::Remove { path: p, .. } => p == path,
            Step::Rename { from, to, .. } => from == path || to == path,
            Step::Agree { .. } | Step::Forget { .. } => false,
        });
        prop_assert!(!touches);
    }

    #[test]
    fn what_is_no_longer_tracked_and_kept_there_is_only_forgotten(world in worlds(), chosen in 0usize..8, other: bool) {
        let mut states = states(&world);
        prop_assume!(!states.is_empty());
        let at = chosen % states.len();
        states[at].local = Local::Excluded;
        let path = states[at].path.clone();
        let resolution = if other { Resolution::Both } else { Resolution::Remote };
        let decision = Decision { resolution, seen: states[at].fingerprint() };
        let whole = |state: &PathState| state.cache.is_some() && state.remote.is_some();
        let asked = whole(&states[at]);
        let alone = vec![states[at].clone()];
        let decisions = BTreeMap::from([(path.clone(), decision)]);
        let plan = Plan::make(alone, &Request { decisions, ..Request::default() });
        prop_assert!(plan.remote_changes().is_empty() && plan.deeds().next().is_none());
        if asked {
            prop_assert_eq!(plan.item(0).unwrap().resolution, Some(Resolution::Remote));
            let learned: Vec<Step> = plan.agreements().collect();
            prop_assert_eq!(learned, vec![Step::Forget { path: path.clone() }]);
        }
        // Once that is forgotten, nobody is asked again.
        states[at].cache = None;
        let after = Plan::make(vec![states[at].clone()], &Request::default());
        prop_assert!(after.is_empty());
    }
}

#[test]
fn two_people_may_sync_in_either_order() {
    // Disjoint edits: whoever comes first, both end with both.
    let base: Tree =
        [("a/a", 1), ("b", 2), ("a-", 3)].map(|(p, c)| (p.parse().unwrap(), entry(c))).into();
    let edit = |path: &str, content: Option<u8>| {
        let mut tree = base.clone();
        match content {
            Some(c) => tree.insert(path.parse().unwrap(), entry(c)),
            None => tree.remove(path),
        };
        tree
    };
    let run = |first: &Tree, second: &Tree| {
        let one = World {
            local: first.clone(),
            cache: base.clone(),
            remote: base.clone(),
            ..World::default()
        };
        let head = apply(&one, &plan(&one, &Request::default())).remote;
        let two =
            World { local: second.clone(), cache: base.clone(), remote: head, ..World::default() };
        apply(&two, &plan(&two, &Request::default())).remote
    };
    let (mine, theirs) = (edit("a/a", Some(4)), edit("b", None));
    assert_eq!(run(&mine, &theirs), run(&theirs, &mine));
}

#[test]
fn a_rename_is_one_move_and_sends_nothing() {
    let old: Tree = [("a/a".parse().unwrap(), entry(3))].into();
    let new: Tree = [("b/a".parse().unwrap(), entry(3))].into();
    let world = World { local: new, cache: old.clone(), remote: old, ..World::default() };
    let plan = plan(&world, &Request::default());
    assert_eq!(plan.len(), 1);
    assert_eq!(plan.item(0).unwrap().action, Action::MoveRemote { from: "a/a".parse().unwrap() });
    assert_eq!(plan.outgoing().count(), 0);
}

#[test]
fn equal_files_of_a_renamed_folder_keep_their_names() {
    let at =
        |paths: [&str; 3]| -> Tree { paths.map(|path| (path.parse().unwrap(), entry(3))).into() };
    let (old, new) = (at(["a/x", "a/y", "a/z"]), at(["b/y", "b/z", "b/z2"]));
    let world = World { local: new, cache: old.clone(), remote: old, ..World::default() };
    let moved: Vec<(String, String)> = plan(&world, &Request::default())
        .remote_copies()
        .into_iter()
        .map(|(to, from)| (to.to_string(), from.to_string()))
        .collect();
    let expected = [("b/y", "a/y"), ("b/z", "a/z"), ("b/z2", "a/x")];
    assert_eq!(moved, expected.map(|(to, from)| (to.to_owned(), from.to_owned())));
}

#[test]
fn a_decision_for_other_content_does_not_count() {
    let at = |c| [("a".parse().unwrap(), entry(c))].into();
    let seen = World { local: at(1), cache: at(2), remote: at(3), ..World::default() };
    let decisions = decide(&seen, &[Some(Resolution::Local)]);
    let newer = World { remote: at(4), ..seen };
    let plan = plan(&newer, &Request { decisions, ..Request::default() });
    assert_eq!(plan.item(0).unwrap().action, Action::Conflict);
}

#[test]
fn a_folder_that_became_a_file_is_no_conflict() {
    let old: Tree = [("a/a", 2), ("a/b", 3)].map(|(p, c)| (p.parse().unwrap(), entry(c))).into();
    let world = World {
        local: [("a".parse().unwrap(), entry(4))].into(),
        cache: old.clone(),
        remote: old,
        ..World::default()
    };
    let plan = plan(&world, &Request::default());
    assert_eq!(plan.conflicts().count(), 0);
    assert_eq!(apply(&world, &plan).remote, world.local);
}
