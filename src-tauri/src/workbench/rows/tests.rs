//! Rows as a window would page through them.

use std::sync::Arc;
use std::time::Instant;

use dsg_core::entry::Mtime;
use dsg_engine::report::{Sizes, StatusChange};

use super::*;

fn change(path: &str, state: State, action: &'static str) -> StatusChange {
    StatusChange {
        path: path.into(),
        old_path: None,
        state,
        action,
        size: Some(10),
        sizes: Sizes { local: Some(10), cached: None, remote: Some(4) },
        mtime: i64::try_from(path.len()).ok().map(Mtime),
        decidable: action == "conflict",
        untracked: false,
        reason: None,
        resolution: None,
        legal_name: None,
        seen: (action == "conflict").then(|| Hash::of(path.as_bytes())),
    }
}

fn rows_of(changes: &[StatusChange], ignored: &[IgnoredPath]) -> Rows {
    let mut found = Found::default();
    found.extend(changes.iter().cloned());
    found.rows().with_ignored(ignored)
}

fn some_changes() -> Vec<StatusChange> {
    let mut decided = change("b/decided", State::LcrAllNe, "download");
    decided.resolution = Some(Decision::Both);
    let mut moved = change("m/new", State::L, "move_remote");
    moved.old_path = Some("m/old".into());
    let mut blocked = change("z/blocked", State::LcrCEqR, "blocked");
    blocked.reason = Some("It cannot be read.".into());
    vec![
        change("a/out", State::L, "upload"),
        decided,
        change("c/conflict", State::LcrAllNe, "conflict"),
        change("d/in", State::R, "download"),
        moved,
        blocked,
    ]
}

fn some() -> Rows {
    let ignored = IgnoredPath { path: "d/x.tmp".into(), bytes: 3, reason: "A rule.".into() };
    rows_of(&some_changes(), &[ignored])
}

fn view(filter: &str, groups: &[Group]) -> ChangesView {
    ChangesView {
        filter: filter.into(),
        groups: groups.to_vec(),
        sort: SortKey::Path,
        descending: false,
        layout: Layout::List,
    }
}

const PENDING: [Group; 4] = [Group::Conflicts, Group::Outgoing, Group::Incoming, Group::Blocked];

fn indent(depth: u64) -> String {
    (0..depth).map(|_| ' ').collect()
}

fn lines(rows: &Rows, view: &ChangesView, folders: &Folders) -> Vec<String> {
    let shown = Shown::new(rows, view, folders);
    let mut ticks = Ticks::default();
    ticks.apply(rows);
    let lines = (0..shown.total()).filter_map(|n| shown.line(n));
    lines
        .map(|line| match rows.line(&shown, &ticks, &line) {
            ChangesRow::Change(row) => format!("{}{}", indent(row.depth), row.path),
            ChangesRow::Folder(folder) => {
                let mark = if folder.open { "-" } else { "+" };
                format!("{}{mark}{} {}", indent(folder.depth), folder.name, folder.count)
            }
        })
        .collect()
}

fn ticked(rows: &Rows, selections: &[(SelectWhat, &ChangesView, bool)]) -> (Ticks, Vec<String>) {
    let mut ticks = Ticks::default();
    ticks.apply(rows);
    for (what, view, on) in selections {
        ticks.select(rows, &Shown::new(rows, view, &Folders::default()), what, *on);
    }
    let taken = ticks_taken(rows, &ticks);
    (ticks, taken)
}

fn ticks_taken(rows: &Rows, ticks: &Ticks) -> Vec<String> {
    rows.taken(ticks).into_iter().map(|row| rows.path(row as usize)).collect()
}

fn paths(paths: &[&str]) -> SelectWhat {
    SelectWhat::Paths { paths: paths.iter().map(|p| (*p).to_owned()).collect() }
}

#[test]
fn conflicts_stand_first_whatever_the_order() {
    let rows = some();
    let mut view = view("", &PENDING);
    let in_order = ["b/decided", "c/conflict", "a/out", "d/in", "m/new", "z/blocked"];
    assert_eq!(lines(&rows, &view, &Folders::default()), in_order);
    view.sort = SortKey::Time;
    view.descending = true;
    let newest = ["c/conflict", "b/decided", "z/blocked", "m/new", "a/out", "d/in"];
    assert_eq!(lines(&rows, &view, &Folders::default()), newest);
}

#[test]
fn filter_and_groups_narrow_the_list_but_not_the_totals() {
    let rows = some();
    assert_eq!(lines(&rows, &view("M/OLD", &PENDING), &Folders::default()), ["m/new"]);
    let ignored = view("", &[Group::Ignored]);
    assert_eq!(lines(&rows, &ignored, &Folders::default()), ["d/x.tmp"]);
    let counts = |known| rows.totals(known).iter().map(|t| t.count).collect::<Vec<_>>();
    assert_eq!(counts(true), [Some(2), Some(2), Some(1), Some(1), Some(1)]);
    assert_eq!(counts(false)[4], None);
}

#[test]
fn a_tree_joins_lonely_folders_and_closes() {
    let names = ["a/b/c/1", "a/b/c/2", "a/b-x", "a/b/d", "e", "f/g/h"];
    let mut changes: Vec<_> = names.iter().map(|p| change(p, State::L, "upload")).collect();
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    let rows = rows_of(&changes, &[]);
    let tree = ChangesView { layout: Layout::Tree, ..view("", &PENDING) };
    let mut folders = Folders::default();
    let open = [
        "-a 4",
        " -b 3",
        "  -c 2",
        "   a/b/c/1",
        "   a/b/c/2",
        "  a/b/d",
        " a/b-x",
        "-f/g 1",
        " f/g/h",
        "e",
    ];
    assert_eq!(lines(&rows, &tree, &folders), open);
    folders.set(Some("a/b"), false);
    let closed = ["-a 4", " +b 3", " a/b-x", "-f/g 1", " f/g/h", "e"];
    assert_eq!(lines(&rows, &tree, &folders), closed);
    folders.set(None, false);
    assert_eq!(lines(&rows, &tree, &folders), ["+a 4", "+f/g 1", "e"]);
    folders.set(Some("f/g"), true);
    assert_eq!(lines(&rows, &tree, &folders), ["+a 4", "-f/g 1", " f/g/h", "e"]);
    let shown = Shown::new(&rows, &tree, &folders);
    assert_eq!(rows.find("f/g/h").and_then(|row| shown.position(row)), Some(2));
    assert_eq!(rows.find("a/b/d").and_then(|row| shown.position(row)), None);
}

#[test]
fn what_is_ticked_sums_up_what_a_sync_would_do() {
    let rows = some();
    let view = view("", &PENDING);
    let (ticks, taken) = ticked(&rows, &[]);
    assert_eq!(taken, ["a/out", "b/decided", "d/in", "m/new"]);
    let everything = rows.selected(&ticks, "s9");
    assert_eq!((everything.count, everything.of, everything.bytes), (4, 4, 28));
    assert_eq!(everything.snapshot.as_deref(), Some("s9"));
    let only_in = [(SelectWhat::Everything, &view, false), (paths(&["d", "c"]), &view, true)];
    let (ticks, taken) = ticked(&rows, &only_in);
    let incoming = rows.selected(&ticks, "s9");
    assert_eq!((taken, incoming.count, incoming.snapshot), (vec!["d/in".to_owned()], 1, None));
}

#[test]
fn the_engine_hears_both_paths_of_a_move_and_nothing_for_everything() -> Result<(), ApiError> {
    let rows = some();
    let view = view("", &PENDING);
    assert_eq!(rows.only(&ticked(&rows, &[]).0)?, [""; 0]);
    let but = [(paths(&["b/decided", "d/in"]), &view, false)];
    assert_eq!(rows.only(&ticked(&rows, &but).0)?, ["a/out", "m/new", "m/old"]);
    let nothing = [(SelectWhat::Everything, &view, false)];
    assert!(rows.only(&ticked(&rows, &nothing).0).is_err());
    Ok(())
}

#[test]
fn a_folder_that_is_left_out_stays_so_for_what_is_found_in_it_later() {
    let view = view("", &PENDING);
    let before =
        rows_of(&[change("a/1", State::L, "upload"), change("b/1", State::L, "upload")], &[]);
    let (mut ticks, taken) = ticked(&before, &[(paths(&["a"]), &view, false)]);
    assert_eq!(taken, ["b/1"]);
    let names = ["a/1", "a/2", "b/1", "b/2"];
    let after = rows_of(&names.map(|p| change(p, State::L, "upload")), &[]);
    ticks.apply(&after);
    assert_eq!(ticks_taken(&after, &ticks), ["b/1", "b/2"]);
    // A file in it that is wanted all the same, and the folder as a whole again.
    let shown = Shown::new(&after, &view, &Folders::default());
    ticks.select(&after, &shown, &paths(&["a/2"]), true);
    assert_eq!(ticks_taken(&after, &ticks), ["a/2", "b/1", "b/2"]);
    ticks.select(&after, &shown, &paths(&["a"]), true);
    assert!(ticks.everything());
}

#[test]
fn only_what_is_shown_is_ticked_or_not() {
    let rows = rows_of(&["a/1", "a/2", "b/1"].map(|p| change(p, State::L, "upload")), &[]);
    let ones = view("1", &PENDING);
    let (ticks, taken) = ticked(&rows, &[(paths(&["a"]), &ones, false)]);
    assert_eq!(taken, ["a/2", "b/1"]);
    let all = ChangesView { layout: Layout::Tree, ..view("", &PENDING) };
    let shown = Shown::new(&rows, &all, &Folders::default());
    let tick = |n: usize| match shown.line(n).map(|line| rows.line(&shown, &ticks, &line)) {
        Some(ChangesRow::Folder(folder)) => Some(folder.ticked),
        _ => None,
    };
    assert_eq!((tick(0), tick(3)), (Some(Tick::Some), Some(Tick::All)));
    assert_eq!(rows.ticked(&shown, &ticks), Tick::Some);
    let (_, taken) = ticked(&rows, &[(SelectWhat::Shown, &ones, false)]);
    assert_eq!(taken, ["a/2"]);
    let (_, taken) = ticked(&rows, &[(SelectWhat::Rows { offset: 1, count: 2 }, &all, false)]);
    assert_eq!(taken, ["b/1"]);
}

#[test]
fn what_was_said_of_a_path_is_forgotten_once_it_is_synced() {
    let before = some();
    let view = view("", &PENDING);
    let (mut ticks, _) = ticked(&before, &[(paths(&["d/in"]), &view, false)]);
    let synced = rows_of(&[], &[]);
    ticks.prune(&before, &synced);
    ticks.apply(&before);
    assert!(ticks_taken(&before, &ticks).contains(&"d/in".to_owned()));
}

#[test]
fn only_what_makes_sense_can_be_chosen() {
    use Resolution::{Both, Cached, Local, Remote};
    let mut conflict = change("a", State::LrNe, "conflict");
    let mut untracked = change("b", State::CrNe, "blocked");
    (untracked.decidable, untracked.untracked) = (true, true);
    let rows = rows_of(&[conflict.clone(), untracked, change("c", State::L, "upload")], &[]);
    let choices = |rows: &Rows, row| rows.change(row, 0, &Ticks::default()).choices;
    assert_eq!(choices(&rows, 0), [Local, Remote, Both]);
    assert_eq!(choices(&rows, 1), [Local, Remote]);
    assert_eq!(choices(&rows, 2), []);
    conflict.sizes.cached = Some(1);
    assert_eq!(choices(&rows_of(&[conflict], &[]), 0), [Local, Remote, Cached, Both]);
}

#[test]
fn what_is_no_longer_tracked_says_what_becomes_of_it() {
    let mut kept = change("a", State::CrEq, "cache");
    (kept.decidable, kept.untracked, kept.resolution) = (true, true, Some(Decision::Remote));
    let mut removed = change("b", State::CrEq, "delete_remote");
    (removed.decidable, removed.untracked, removed.resolution) =
        (true, true, Some(Decision::Local));
    let rows = rows_of(&[kept, removed], &[]);
    let row = |row| rows.change(row, 0, &Ticks::default());
    let said = [row(0), row(1)].map(|row| (row.group, row.untracked, explanation(&row, None)));
    assert!(said.iter().all(|(group, untracked, _)| *group == Group::Conflicts && *untracked));
    assert!(said[0].2.contains("it stays in the repository"), "{}", said[0].2);
    assert!(said[1].2.contains("deletes it in the repository"), "{}", said[1].2);
    assert_eq!(rows.result(0, None).sentence, "It stays in the repository.");
    assert_eq!(rows.pending(), 2);
}

#[test]
fn a_decision_on_many_is_about_conflicts_alone_and_leaves_those_that_were_decided() {
    let open = change("c/open", State::LrNe, "conflict");
    let mut decided = change("c/decided", State::LrNe, "conflict");
    decided.resolution = Some(Decision::Local);
    let mut untracked = change("c/untracked", State::CrNe, "blocked");
    (untracked.decidable, untracked.untracked) = (true, true);
    let mut removed = change("c/removed", State::CrEq, "delete_remote");
    (removed.decidable, removed.untracked, removed.resolution) =
        (true, true, Some(Decision::Local));
    let mut changes = [open, decided, untracked, removed];
    for change in &mut changes {
        change.seen = Some(Hash::of(change.path.as_bytes()));
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    let rows = rows_of(&changes, &[]);
    let names = |found: Vec<(String, Hash)>| found.into_iter().map(|(path, _)| path).collect();
    let below = |which| -> Vec<String> { names(rows.conflicts_below("c", which).collect()) };
    let matching = |which| -> Vec<String> { names(rows.conflicts_matching("c/", which)) };
    for found in [below(Conflicts::Undecided), matching(Conflicts::Undecided)] {
        assert_eq!(found, ["c/open"]);
    }
    for found in [below(Conflicts::Decided), matching(Conflicts::Decided)] {
        assert_eq!(found, ["c/decided"]);
    }
}

#[test]
fn blockers_are_counted_in_words() {
    assert_eq!(conflicts_blocker(0), None);
    assert_eq!(conflicts_blocker(1).as_deref(), Some("1 conflict waits for a decision."));
    assert_eq!(conflicts_blocker(2).as_deref(), Some("2 conflicts wait for a decision."));
    let seen = Hash::of(b"c/conflict");
    let conflict = [("c/conflict".to_owned(), seen)];
    assert_eq!(some().conflicts_matching("C/", Conflicts::Undecided), conflict);
    assert_eq!(some().conflicts_below("c", Conflicts::Undecided).collect::<Vec<_>>(), conflict);
    assert_eq!(some().conflicts_below("a", Conflicts::Undecided).count(), 0, "none is there");
}

/// To be run by hand, in a release build: how long one key in the filter takes.
#[test]
#[ignore = "measures"]
fn a_filter_key_on_100_000_rows() {
    let path = |n: usize| {
        format!("input/survey {:03}/station {:02}/readings-{n:06}.csv", n / 500, n / 50 % 10)
    };
    let changes: Vec<_> = (0..100_000).map(|n| change(&path(n), State::L, "upload")).collect();
    let rows = rows_of(&changes, &[]);
    let folders = Folders::default();
    for layout in [Layout::List, Layout::Tree] {
        let view = ChangesView { layout, ..view("STATION 07/readings-0", &PENDING) };
        let begun = Instant::now();
        let shown = Shown::new(&rows, &view, &folders);
        println!("{layout:?}: {:?}", begun.elapsed());
        assert_eq!(shown.matching().len(), 10_000);
    }
}

#[test]
fn sizes_of_all_magnitudes_are_told_exactly() {
    let sizes = [0, 1, (1 << 31) - 1, 1 << 31, u64::from(u32::MAX), 1 << 42, u64::MAX];
    let changes: Vec<_> = (0..sizes.len())
        .map(|n| {
            let mut change = change(&format!("{n}"), State::LcrCEqR, "upload");
            change.sizes =
                Sizes { local: Some(sizes[n]), cached: Some(sizes[6 - n]), remote: None };
            change
        })
        .collect();
    let ignored = IgnoredPath { path: "a.iso".into(), bytes: 1 << 33, reason: "A rule.".into() };
    let rows = rows_of(&changes, &[ignored]);
    for (n, size) in sizes.iter().enumerate() {
        let row = rows.change(n, 0, &Ticks::default());
        assert_eq!((row.local_size, row.cached_size), (Some(*size), Some(sizes[6 - n])));
        assert_eq!(row.remote_size, None);
    }
    assert_eq!(rows.size(sizes.len()), Some(1 << 33));
}

#[test]
fn a_look_that_finds_the_same_keeps_the_rows_that_are_known() {
    let known = Arc::new(some());
    let again = |changes: &[StatusChange]| {
        let mut found = Found::beside(known.clone());
        found.extend(changes.iter().cloned());
        found.rows()
    };
    let changes = some_changes();
    assert!(Arc::ptr_eq(&again(&changes), &known));
    for at in 0..changes.len() {
        let mut fewer = changes.clone();
        fewer.remove(at);
        assert_eq!(*again(&fewer), rows_of(&fewer, &[]));
        let mut other = changes.clone();
        other[at].sizes.local = Some(1 << 40);
        assert_eq!(*again(&other), rows_of(&other, &[]));
        let mut other = changes.clone();
        other[at].reason = Some("Another.".into());
        assert_eq!(*again(&other), rows_of(&other, &[]));
        let mut more = changes.clone();
        more.insert(at, change(&format!("{}!", &changes[at].path[..1]), State::L, "upload"));
        assert_eq!(*again(&more), rows_of(&more, &[]));
    }
    let mut more = changes.clone();
    more.push(change("zz", State::L, "upload"));
    assert_eq!(*again(&more), rows_of(&more, &[]));
}
