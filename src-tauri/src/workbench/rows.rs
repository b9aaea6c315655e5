//! What is pending, as rows that a window pages through.

use std::collections::{HashMap, HashSet};

use dsg_core::failure::Code;
use dsg_engine::report::StatusChange;

use super::words;
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

/// The groups, in the order of the window.
const GROUPS: [Group; 4] = [Group::Conflicts, Group::Outgoing, Group::Incoming, Group::Blocked];

/// Who made the remote side of a path what it is, and when.
pub(super) type Makers = HashMap<String, (String, String)>;

/// All rows of one revision: conflicts first, then by path.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Rows(Vec<ChangeRow>);

impl Rows {
    /// What the engine found, with the makers that are known.
    pub(super) fn of(changes: &[StatusChange], makers: &Makers) -> Self {
        let mut rows: Vec<ChangeRow> = changes.iter().map(|c| row(c, makers)).collect();
        rows.sort_by_key(|row| row.group != Group::Conflicts);
        Self(rows)
    }

    /// How many wait to be synced, decided conflicts among them.
    pub(super) fn pending(&self) -> u64 {
        count(self.0.iter().filter(|row| row.group != Group::Blocked))
    }

    /// Conflicts without a decision.
    pub(super) fn undecided(&self) -> impl Iterator<Item = &ChangeRow> {
        self.0.iter().filter(|row| row.group == Group::Conflicts && row.resolution.is_none())
    }

    /// Undecided conflicts whose path contains a text.
    pub(super) fn undecided_matching(&self, filter: &str) -> Vec<String> {
        let filter = filter.trim().to_lowercase();
        self.undecided().filter(|row| matches(row, &filter)).map(|row| row.path.clone()).collect()
    }

    /// The folders in which a sync may set a copy aside: what is new there is not in any list.
    pub(super) fn folders_of_decided(&self) -> Vec<String> {
        let decided = self.0.iter().filter(|row| row.resolution.is_some());
        let folder = |row: &ChangeRow| {
            row.path.rsplit_once('/').map_or_else(String::new, |(folder, _)| folder.to_owned())
        };
        decided.map(folder).collect()
    }

    /// How much each group holds.
    pub(super) fn totals(&self) -> Vec<GroupTotal> {
        let total = |group| {
            let rows = || self.0.iter().filter(move |row| row.group == group);
            GroupTotal { group, count: count(rows()), bytes: rows().filter_map(|r| r.size).sum() }
        };
        GROUPS.map(total).into()
    }

    /// One page of the rows that match, and how many do.
    pub(super) fn page(&self, request: &ListChanges) -> (Vec<ChangeRow>, u64) {
        let filter = request.filter.trim().to_lowercase();
        let wanted = || {
            let fits =
                |row: &&ChangeRow| request.groups.contains(&row.group) && matches(row, &filter);
            self.0.iter().filter(fits)
        };
        let (offset, limit) = (number(request.offset), number(request.limit));
        (wanted().skip(offset).take(limit).cloned().collect(), count(wanted()))
    }

    /// What a sync of the selection would do. `next`: the snapshot that it would publish.
    pub(super) fn selected(&self, selection: &Selection, next: &str) -> SelectedTotal {
        let rows: Vec<&ChangeRow> = self.taken(selection).collect();
        SelectedTotal {
            count: rows.len() as u64,
            bytes: rows.iter().filter(|row| travels(row)).filter_map(|row| row.size).sum(),
            snapshot: rows.iter().any(|row| publishes(row)).then(|| next.to_owned()),
        }
    }

    /// The paths of a selection for the engine; empty means everything.
    pub(super) fn only(&self, selection: &Selection) -> Result<Vec<String>, ApiError> {
        if matches!(selection, Selection::AllBut { paths } if paths.is_empty()) {
            return Ok(Vec::new());
        }
        let mut only = Vec::new();
        for row in self.taken(selection) {
            only.push(row.path.clone());
            // A move is one row and two paths.
            only.extend(row.old_path.clone());
        }
        if only.is_empty() {
            return Err(ApiError::new(Code::Usage.as_str(), "Nothing is selected.")
                .with_hint("Tick what shall be synced."));
        }
        Ok(only)
    }

    fn taken<'a>(&'a self, selection: &'a Selection) -> impl Iterator<Item = &'a ChangeRow> {
        let (named, wanted) = match selection {
            Selection::AllBut { paths } => (paths, false),
            Selection::Only { paths } => (paths, true),
        };
        let named: HashSet<&str> = named.iter().map(String::as_str).collect();
        self.0
            .iter()
            .filter(move |row| selectable(row) && named.contains(row.path.as_str()) == wanted)
    }
}

/// Why a sync cannot be started while conflicts stand.
pub(super) fn conflicts_blocker(undecided: u64) -> Option<String> {
    match undecided {
        0 => None,
        1 => Some("1 conflict waits for a decision.".to_owned()),
        n => Some(format!("{n} conflicts wait for a decision.")),
    }
}

fn row(change: &StatusChange, makers: &Makers) -> ChangeRow {
    let group = group(change);
    let maker =
        makers.get(&change.path).filter(|_| matches!(group, Group::Incoming | Group::Conflicts));
    let offer = change.legal_name.as_ref().map(|name| format!("A name that can be: {name}"));
    let reason = [change.reason.clone(), offer].into_iter().flatten().collect::<Vec<_>>().join(" ");
    ChangeRow {
        path: change.path.clone(),
        old_path: change.old_path.clone(),
        state: change.state.as_str().to_owned(),
        action: change.action.to_owned(),
        group,
        size: change.size,
        sentence: sentence(change, group),
        reason: Some(reason).filter(|r| !r.is_empty()),
        resolution: change.resolution.map(words::resolution),
        remote_author: maker.map(|m| m.0.clone()),
        remote_time: maker.map(|m| m.1.clone()),
    }
}

/// A blocked path's state is not known, so only its reason speaks.
fn sentence(change: &StatusChange, group: Group) -> String {
    match (group, change.action) {
        (Group::Blocked, _) => String::new(),
        (_, "move_remote") => "Moved here since your last sync.".to_owned(),
        (_, "move_local") => "Moved in the repository since your last sync.".to_owned(),
        _ => change.state.sentence().to_owned(),
    }
}

fn group(change: &StatusChange) -> Group {
    match change.action {
        "blocked" => Group::Blocked,
        "conflict" => Group::Conflicts,
        _ if change.resolution.is_some() => Group::Conflicts,
        "upload" | "delete_remote" | "move_remote" => Group::Outgoing,
        _ => Group::Incoming,
    }
}

fn selectable(row: &ChangeRow) -> bool {
    match row.group {
        Group::Conflicts => row.resolution.is_some(),
        Group::Outgoing | Group::Incoming => true,
        Group::Blocked => false,
    }
}

/// Whether content of it goes or comes.
fn travels(row: &ChangeRow) -> bool {
    matches!(row.action.as_str(), "upload" | "download")
}

/// Whether it changes the repository.
fn publishes(row: &ChangeRow) -> bool {
    match (row.action.as_str(), row.resolution) {
        ("upload" | "delete_remote" | "move_remote", _) => true,
        // What was last synced returns to the repository, which has something else.
        ("download", Some(Resolution::Cached)) => true,
        // The copy that is kept aside goes there, if there is one.
        ("download", Some(Resolution::Both)) => row.state != "CR.ne",
        _ => false,
    }
}

fn matches(row: &ChangeRow, filter: &str) -> bool {
    let in_path = |path: &String| path.to_lowercase().contains(filter);
    filter.is_empty() || in_path(&row.path) || row.old_path.as_ref().is_some_and(in_path)
}

fn count<'a>(rows: impl Iterator<Item = &'a ChangeRow>) -> u64 {
    rows.count() as u64
}

fn number(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use dsg_core::plan::Resolution as Decision;
    use dsg_core::state::State;

    use super::*;

    fn change(path: &str, state: State, action: &'static str) -> StatusChange {
        StatusChange {
            path: path.into(),
            old_path: None,
            state,
            action,
            size: Some(10),
            reason: None,
            resolution: None,
            legal_name: None,
        }
    }

    fn some() -> Rows {
        let mut decided = change("b/decided", State::LcrAllNe, "download");
        decided.resolution = Some(Decision::Both);
        let mut moved = change("m/new", State::L, "move_remote");
        moved.old_path = Some("m/old".into());
        let mut blocked = change("z/blocked", State::LcrCEqR, "blocked");
        blocked.reason = Some("It cannot be read.".into());
        let makers = HashMap::from([
            ("d/in".to_owned(), ("ben".to_owned(), "2026-01-01T00:00:00Z".to_owned())),
            ("a/out".to_owned(), ("ben".to_owned(), "2026-01-01T00:00:00Z".to_owned())),
        ]);
        let changes = [
            change("a/out", State::L, "upload"),
            decided,
            change("c/conflict", State::LcrAllNe, "conflict"),
            change("d/in", State::R, "download"),
            moved,
            blocked,
        ];
        Rows::of(&changes, &makers)
    }

    fn ask(filter: &str, groups: &[Group], offset: u64, limit: u64) -> ListChanges {
        ListChanges {
            id: "p1".into(),
            filter: filter.into(),
            groups: groups.to_vec(),
            selection: all(),
            offset,
            limit,
        }
    }

    fn all() -> Selection {
        Selection::AllBut { paths: Vec::new() }
    }

    fn paths(rows: &[ChangeRow]) -> Vec<&str> {
        rows.iter().map(|row| row.path.as_str()).collect()
    }

    #[test]
    fn conflicts_stand_first_and_pages_follow_each_other() {
        let rows = some();
        let (first, matching) = rows.page(&ask("", &GROUPS, 0, 3));
        assert_eq!((paths(&first), matching), (vec!["b/decided", "c/conflict", "a/out"], 6));
        let (rest, _) = rows.page(&ask("", &GROUPS, 3, 3));
        assert_eq!(paths(&rest), ["d/in", "m/new", "z/blocked"]);
        assert!(rows.page(&ask("", &GROUPS, 60, 3)).0.is_empty());
    }

    #[test]
    fn filter_and_groups_narrow_the_list_but_not_the_totals() {
        let rows = some();
        let (found, matching) = rows.page(&ask("M/OLD", &GROUPS, 0, 9));
        assert_eq!((paths(&found), matching), (vec!["m/new"], 1));
        let (found, _) = rows.page(&ask("", &[Group::Blocked], 0, 9));
        assert_eq!(found[0].reason.as_deref(), Some("It cannot be read."));
        let counts: Vec<u64> = rows.totals().iter().map(|t| t.count).collect();
        assert_eq!(counts, [2, 2, 1, 1]);
    }

    #[test]
    fn a_selection_sums_up_what_a_sync_would_do() {
        let rows = some();
        let everything = rows.selected(&all(), "s9");
        assert_eq!((everything.count, everything.bytes), (4, 30));
        assert_eq!(everything.snapshot.as_deref(), Some("s9"));
        let only_in = Selection::Only { paths: vec!["d/in".into(), "c/conflict".into()] };
        let incoming = rows.selected(&only_in, "s9");
        assert_eq!((incoming.count, incoming.snapshot), (1, None));
    }

    #[test]
    fn the_engine_hears_both_paths_of_a_move_and_nothing_for_everything() -> Result<(), ApiError> {
        let rows = some();
        assert_eq!(rows.only(&all())?, [""; 0]);
        let but = Selection::AllBut { paths: vec!["b/decided".into(), "d/in".into()] };
        assert_eq!(rows.only(&but)?, ["a/out", "m/new", "m/old"]);
        let nothing = Selection::Only { paths: vec!["c/conflict".into()] };
        assert!(rows.only(&nothing).is_err());
        Ok(())
    }

    #[test]
    fn makers_are_named_for_what_comes_and_for_conflicts_only() {
        let (found, _) = some().page(&ask("", &[Group::Incoming, Group::Outgoing], 0, 9));
        let named: Vec<_> = found.iter().map(|row| row.remote_author.is_some()).collect();
        assert_eq!(
            (paths(&found), named),
            (vec!["a/out", "d/in", "m/new"], vec![false, true, false])
        );
    }

    #[test]
    fn blockers_are_counted_in_words() {
        assert_eq!(conflicts_blocker(0), None);
        assert_eq!(conflicts_blocker(1).as_deref(), Some("1 conflict waits for a decision."));
        assert_eq!(conflicts_blocker(2).as_deref(), Some("2 conflicts wait for a decision."));
        assert_eq!(some().undecided_matching("C/"), ["c/conflict"]);
    }
}
