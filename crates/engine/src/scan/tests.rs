mod blocked;
mod mounts;
mod named;
mod racy;

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use dsg_core::entry::{Entry, Hash};
use dsg_core::monitor::{Event, Sink};
use dsg_core::snapshot::SnapshotId;
use proptest::prelude::*;

use super::*;

/// So late that no file of a test is young.
const LATE: i64 = i64::MAX / 2;

struct Project {
    temp: tempfile::TempDir,
    index: Index,
    rules: SharedConfig,
    now: Arc<AtomicI64>,
}

impl Project {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir(temp.path().join(".dsg")).unwrap();
        let index = Index::create(&temp.path().join(".dsg/state.db")).unwrap();
        let now = Arc::new(AtomicI64::new(LATE));
        Self { temp, index, rules: SharedConfig::new("p"), now }
    }

    fn with(files: &[&str]) -> Self {
        let project = Self::new();
        for file in files {
            project.write(file, file);
        }
        project
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.temp.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        std::fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        std::fs::write(self.at(path), content).unwrap();
    }

    fn remove(&self, path: &str) {
        std::fs::remove_file(self.at(path)).unwrap();
    }

    fn try_scan(&mut self, scope: Scope<'_>, monitor: &Monitor) -> Outcome<ScanSummary> {
        let now = self.now.clone();
        let clock: Clock = Arc::new(move || now.load(Ordering::Relaxed));
        scan_at(self.temp.path(), &self.rules, &mut self.index, scope, monitor, clock)
    }

    fn scan(&mut self) -> ScanSummary {
        self.try_scan(Scope::All, &Monitor::silent()).unwrap()
    }

    fn scan_paths(&mut self, paths: &[&str]) -> ScanSummary {
        let paths: Vec<String> = paths.iter().map(|p| (*p).to_owned()).collect();
        self.try_scan(Scope::Paths(&paths), &Monitor::silent()).unwrap()
    }

    /// As after a sync: what is here is agreed on.
    fn agree(&mut self) {
        let rows = self.rows();
        let rules = &self.rules;
        self.index
            .batch(|b| {
                for (path, local) in &rows {
                    let path = path.parse().unwrap();
                    b.set_cache(&path, local.entry().map(|e| (e, SnapshotId::FIRST)))?;
                    b.set_remote(&path, local.entry(), rules)?;
                }
                Ok(())
            })
            .unwrap();
    }

    fn rows(&self) -> BTreeMap<String, Local> {
        let mut rows = BTreeMap::new();
        self.index
            .rows_within("", &mut |row| {
                rows.insert(row.path.into(), row.local);
                Ok(())
            })
            .unwrap();
        rows
    }

    fn local(&self, path: &str) -> Local {
        self.rows().remove(path).unwrap_or(Local::Absent)
    }

    fn pending(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.index
            .pending(&mut |row| {
                paths.push(row.path.into());
                Ok(())
            })
            .unwrap();
        paths
    }

    fn problems(&self) -> Vec<(String, ProblemKind)> {
        self.index.problems().unwrap().into_iter().map(|p| (p.path, p.kind)).collect()
    }
}

fn content(local: &Local) -> Option<Hash> {
    local.entry().and_then(Entry::file).map(|f| f.hash)
}

fn is_unknown(local: &Local) -> bool {
    matches!(local, Local::Unknown(reason) if !reason.is_empty())
}

#[test]
fn what_is_data_is_found_and_read_once() {
    let mut project = Project::with(&[
        "input/a.csv",
        "task/deep/output/b.csv",
        "src/main.py",
        "input/.hidden/x",
        ".git/input/x",
        "input/a.pyc",
        "input/__pycache__/x",
    ]);
    let first = project.scan();
    assert_eq!(project.pending(), ["input/a.csv", "task/deep/output/b.csv"]);
    assert_eq!((first.files, first.hashed_files, first.bytes), (2, 2, first.hashed_bytes));
    assert_eq!(content(&project.local("input/a.csv")), Some(Hash::of(b"input/a.csv")));
    let second = project.scan();
    assert_eq!((second.files, second.bytes, second.hashed_files), (2, first.bytes, 0));
}

#[test]
fn a_change_an_addition_and_a_deletion_are_seen() {
    let mut project = Project::with(&["input/a", "input/b", "input/c"]);
    project.scan();
    project.agree();
    assert!(project.pending().is_empty());
    project.write("input/a", "another content");
    project.remove("input/b");
    project.write("input/d", "d");
    let summary = project.scan();
    assert_eq!(project.pending(), ["input/a", "input/b", "input/d"]);
    assert_eq!(project.local("input/b"), Local::Absent);
    assert_eq!(content(&project.local("input/a")), Some(Hash::of(b"another content")));
    assert_eq!((summary.hashed_files, summary.vanished), (2, 1));
}

#[test]
fn a_new_time_or_inode_with_the_old_content_is_no_change() {
    let mut project = Project::with(&["input/a", "input/b"]);
    project.scan();
    project.agree();
    let later = std::time::SystemTime::now() + Duration::from_secs(5000);
    std::fs::File::open(project.at("input/a")).unwrap().set_modified(later).unwrap();
    std::fs::copy(project.at("input/b"), project.at("input/b2")).unwrap();
    std::fs::rename(project.at("input/b2"), project.at("input/b")).unwrap();
    assert_eq!(project.scan().hashed_files, 2);
    assert!(project.pending().is_empty());
}

#[test]
fn the_exec_bit_is_a_change() {
    let mut project = Project::with(&["input/run"]);
    project.scan();
    project.agree();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(project.at("input/run"), mode).unwrap();
    project.scan();
    assert_eq!(project.pending(), ["input/run"]);
}

#[test]
fn a_rule_that_excludes_a_synced_file_deletes_nothing() {
    let mut project = Project::with(&["input/a", "input/b", "input/new"]);
    project.scan();
    let b = project.rows();
    project.agree();
    project.write("input/newer", "x");
    project.scan();
    project.rules.ignore.paths = ["input/b", "input/newer"].map(String::from).into();
    project.scan();
    assert_eq!(project.local("input/b"), Local::Excluded);
    assert_eq!(project.pending(), ["input/b"], "what was never synced is simply forgotten");
    project.remove("input/b");
    project.scan();
    assert_eq!(project.local("input/b"), Local::Excluded);
    project.write("input/b", "input/b");
    project.rules.ignore.paths.clear();
    project.scan();
    assert_eq!(content(&project.local("input/b")), content(&b["input/b"]));
    project.rules.data_dirs = ["output".to_owned()].into();
    assert_eq!(project.scan().empty_data_dirs, []);
    assert_eq!(project.pending(), ["input/a", "input/b", "input/new"]);
    project.rules.data_dirs = ["input".to_owned()].into();
    assert_eq!(project.scan().hashed_files, 1, "the last look was kept; only newer is new");
}

#[test]
fn an_emptied_data_folder_is_told() {
    let mut project =
        Project::with(&["input/a", "input/b/c", "x/output/d", "x/output/e", "frozen/f"]);
    project.scan();
    project.agree();
    project.remove("x/output/d");
    std::fs::remove_dir_all(project.at("input")).unwrap();
    let emptied = |path: &str, cached| EmptyDataDir { path: path.into(), cached };
    assert_eq!(project.scan().empty_data_dirs, [emptied("input", 2)]);
    project.remove("x/output/e");
    project.remove("frozen/f");
    assert_eq!(
        project.scan().empty_data_dirs,
        [emptied(".", 5), emptied("frozen", 1), emptied("input", 2), emptied("x/output", 2)]
    );
    project.write("input/new", "x");
    assert_eq!(project.scan().empty_data_dirs, [emptied("frozen", 1), emptied("x/output", 2)]);
}

#[test]
fn where_everything_is_data_only_the_whole_can_be_empty() {
    let mut project = Project::with(&["a/x", "b"]);
    project.rules.data_dirs = ["*".to_owned()].into();
    project.scan();
    project.agree();
    project.remove("a/x");
    assert_eq!(project.scan().empty_data_dirs, []);
    project.remove("b");
    let whole = EmptyDataDir { path: ".".into(), cached: 2 };
    assert_eq!(project.scan().empty_data_dirs, [whole]);
}

/// Does something whenever an event of the wanted kind comes.
struct On<F>(fn(&Event) -> bool, Mutex<F>);
impl<F: FnMut() + Send> Sink for On<F> {
    fn event(&self, event: Event) {
        if (self.0)(&event) {
            (self.1.lock().unwrap())();
        }
    }
}

fn on(wanted: fn(&Event) -> bool, deed: impl FnMut() + Send + 'static) -> Monitor {
    Monitor::new(Arc::new(On(wanted, Mutex::new(deed))))
}

#[test]
fn a_scan_that_is_stopped_leaves_rows_that_are_right() {
    let mut project = Project::new();
    (0..600).for_each(|n| project.write(&format!("input/{n:04}"), &n.to_string()));
    project.scan();
    project.agree();
    (0..600).step_by(2).for_each(|n| project.write(&format!("input/{n:04}"), "other"));
    (1..600).step_by(4).for_each(|n| project.remove(&format!("input/{n:04}")));
    let stop: Arc<Mutex<Option<Monitor>>> = Arc::default();
    let theirs = stop.clone();
    let mut reads = 0;
    let monitor = on(
        |e| matches!(e, Event::Advanced { bytes: 1.., .. }),
        move || {
            reads += 1;
            if let (100, Some(monitor)) = (reads, theirs.lock().unwrap().as_ref()) {
                monitor.stop();
            }
        },
    );
    *stop.lock().unwrap() = Some(monitor.clone());
    let failure = project.try_scan(Scope::All, &monitor).unwrap_err();
    assert_eq!(failure.code, Code::Cancelled);
    for (path, local) in project.rows() {
        let now = std::fs::read(project.at(&path)).ok();
        let before = path.trim_start_matches("input/").trim_start_matches('0');
        let before = if before.is_empty() { "0" } else { before };
        let known = content(&local);
        let right = known == now.map(|bytes| Hash::of(&bytes));
        assert!(right || known == Some(Hash::of(before.as_bytes())), "{path}: {local:?}");
    }
    let learned = 600 - project.pending().len();
    assert!(learned < 600, "what was read before the stop is kept");
    project.scan();
    assert_eq!(project.pending().len(), 300 + 150);
    stop.lock().unwrap().take();
}

#[test]
fn progress_counts_every_file_and_byte_and_names_few_paths() {
    #[derive(Default)]
    struct Seen(Mutex<(u64, u64, usize)>);
    impl Sink for Seen {
        fn event(&self, event: Event) {
            let mut seen = self.0.lock().unwrap();
            match event {
                Event::Advanced { files, bytes } => {
                    seen.0 += files;
                    seen.1 += bytes;
                }
                Event::Path(_) => seen.2 += 1,
                _ => {}
            }
        }
    }
    let mut project = Project::new();
    (0..700).for_each(|n| project.write(&format!("input/{n:04}"), "xy"));
    let seen = Arc::new(Seen::default());
    let begun = Instant::now();
    let summary = project.try_scan(Scope::All, &Monitor::new(seen.clone())).unwrap();
    let most = 2 + begun.elapsed().as_millis() / 50;
    let (files, bytes, paths) = *seen.0.lock().unwrap();
    assert_eq!((files, bytes), (700, 1400));
    assert_eq!((summary.files, summary.bytes), (700, 1400));
    assert!(paths >= 1 && paths as u128 <= most, "{paths} paths were named");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Whatever happened, looking at what was touched finds what looking at everything finds.
    #[test]
    fn named_paths_find_what_a_whole_scan_finds(
        before in proptest::collection::btree_map("(input/|output/)?([ab]/){0,2}[ab-]", 0..3_u8, 0..10),
        changes in proptest::collection::vec(("(input/|output/)?([ab]/){0,2}[ab-]", proptest::option::of(0..3_u8)), 1..8),
    ) {
        let mut project = Project::new();
        let put = |project: &Project, path: &str, content: Option<u8>| {
            let at = project.at(path);
            if at.is_dir() { std::fs::remove_dir_all(&at).unwrap() }
            match content {
                None => drop(std::fs::remove_file(&at)),
                Some(n) => {
                    if std::fs::create_dir_all(at.parent().unwrap()).is_ok() {
                        std::fs::write(&at, n.to_string()).unwrap();
                    }
                }
            }
        };
        for (path, n) in &before { put(&project, path, Some(*n)); }
        project.scan();
        project.agree();
        for (path, n) in &changes { put(&project, path, *n); }
        let touched: Vec<&str> = changes.iter().map(|(path, _)| path.as_str()).collect();
        project.scan_paths(&touched);
        let found = project.rows();
        project.scan();
        prop_assert_eq!(&project.rows(), &found);
        for (path, local) in found {
            let there = std::fs::read(project.at(&path)).ok().map(|bytes| Hash::of(&bytes));
            prop_assert_eq!(content(&local), there);
        }
    }
}
