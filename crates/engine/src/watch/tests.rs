use std::process::Command;
use std::sync::Mutex;

use crossbeam_channel::{Receiver, unbounded};
use dsg_core::monitor::Sink;

use super::*;

const SOON: Timing = Timing {
    quiet: Duration::from_millis(20),
    longest: Duration::from_millis(200),
    writing: Duration::from_millis(100),
    rescan: Duration::from_millis(100),
};
/// Nothing takes so long unless it never comes.
const NEVER: Duration = Duration::from_secs(20);

struct Watched {
    temp: tempfile::TempDir,
    batches: Receiver<Touched>,
    watcher: Watcher,
}

fn watched_with(monitor: &Monitor, plant: &[&str]) -> Watched {
    let temp = tempfile::tempdir().unwrap();
    for dir in plant {
        std::fs::create_dir_all(temp.path().join(dir)).unwrap();
    }
    let (out, batches) = unbounded();
    let each = move |touched| drop(out.send(touched));
    let watcher =
        Watcher::start(temp.path(), &SharedConfig::new("p"), SOON, monitor, each).unwrap();
    let first = batches.recv_timeout(NEVER).unwrap();
    assert_eq!(first, Touched { paths: vec![], overflow: true });
    Watched { temp, batches, watcher }
}

fn watched(plant: &[&str]) -> Watched {
    watched_with(&Monitor::silent(), plant)
}

impl Watched {
    fn at(&self, path: &str) -> PathBuf {
        self.temp.path().join(path)
    }

    fn write(&self, path: &str) {
        std::fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        std::fs::write(self.at(path), path).unwrap();
    }

    /// Everything that is named until `path`, or a folder above it, is.
    fn until(&self, path: &str) -> BTreeSet<String> {
        let mut heard = BTreeSet::new();
        loop {
            let batch = self
                .batches
                .recv_timeout(NEVER)
                .unwrap_or_else(|_| panic!("{path} was not named; {heard:?} was"));
            heard.extend(batch.paths);
            if heard.iter().any(|h| Path::new(path).starts_with(h)) {
                return heard;
            }
        }
    }
}

#[test]
fn what_happens_to_a_file_is_told() {
    let watched = watched(&["input/sub"]);
    watched.write("input/a");
    assert_eq!(watched.until("input/a"), ["input/a".to_owned()].into());
    std::fs::rename(watched.at("input/a"), watched.at("input/sub/b")).unwrap();
    assert_eq!(watched.until("input/sub/b"), ["input/a", "input/sub/b"].map(String::from).into());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(watched.at("input/sub/b"), mode).unwrap();
    watched.until("input/sub/b");
    std::fs::remove_file(watched.at("input/sub/b")).unwrap();
    watched.until("input/sub/b");
    assert!(watched.watcher.is_complete());
}

#[test]
fn a_fresh_nested_folder_is_told_whole_and_watched() {
    let watched = watched(&["input"]);
    for n in 0..20 {
        watched.write(&format!("input/{n}/deep/deeper/a"));
        watched.until(&format!("input/{n}/deep/deeper/a"));
        watched.write(&format!("input/{n}/deep/deeper/later"));
        watched.until(&format!("input/{n}/deep/deeper/later"));
    }
}

#[test]
fn a_folder_that_moves_is_known_by_its_new_name() {
    let watched = watched(&["input/old/sub"]);
    std::fs::rename(watched.at("input/old"), watched.at("input/new")).unwrap();
    let heard = watched.until("input/new");
    assert!(heard.contains("input/old"));
    watched.write("input/new/sub/a");
    assert_eq!(watched.until("input/new/sub/a"), ["input/new/sub/a".to_owned()].into());
    std::fs::remove_dir_all(watched.at("input/new")).unwrap();
    watched.until("input/new");
}

#[test]
fn what_is_no_data_is_not_told_except_the_configuration() {
    let watched = watched(&[".dsg", ".git/input", "input/__pycache__", "src"]);
    for quiet in
        [".dsg/state.db", ".git/input/x", "input/__pycache__/x", "src/main.py", "input/x.tmp"]
    {
        watched.write(quiet);
    }
    watched.write(".dsgconfig.yml");
    watched.write("input/last");
    let heard = watched.until("input/last");
    assert_eq!(heard, [".dsgconfig.yml", "input/last"].map(String::from).into());
}

#[test]
fn reading_and_scanning_tell_nothing() {
    let watched = watched(&["input"]);
    watched.write("input/a");
    watched.until("input/a");
    for _ in 0..50 {
        std::fs::read(watched.at("input/a")).unwrap();
        std::fs::read_dir(watched.at("input")).unwrap().count();
    }
    watched.write("input/b");
    assert_eq!(watched.until("input/b"), ["input/b".to_owned()].into());
}

#[test]
fn a_file_that_stays_open_is_told_once_it_rests() {
    use std::io::Write as _;
    let watched = watched(&["input"]);
    let mut file = std::fs::File::create(watched.at("input/log")).unwrap();
    watched.until("input/log");
    file.write_all(b"a line").unwrap();
    watched.until("input/log");
    file.write_all(b"another").unwrap();
    watched.until("input/log");
}

#[test]
fn a_name_that_is_no_text_is_told_by_its_folder() {
    let watched = watched(&["input"]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    std::fs::write(watched.at("input").join(name), "x").unwrap();
    assert_eq!(watched.until("input"), ["input".to_owned()].into());
}

#[test]
fn a_root_that_goes_is_told_as_everything() {
    let watched = watched(&["input"]);
    std::fs::rename(watched.temp.path(), watched.temp.path().with_extension("moved")).unwrap();
    assert!(watched.batches.recv_timeout(NEVER).unwrap().overflow);
    std::fs::rename(watched.temp.path().with_extension("moved"), watched.temp.path()).unwrap();
}

#[test]
fn too_many_words_become_everything() {
    let mut batch = Batch::default();
    (0..=MANY).for_each(|n| batch.add(&n.to_string()));
    assert_eq!(batch.take(), Touched { paths: vec![], overflow: true });
    batch.add("a");
    assert_eq!(batch.take(), Touched { paths: vec!["a".into()], overflow: false });
}

/// The limit of watches is lowered in a namespace of one's own, in which the test runs itself.
const INSIDE: &str = "DSG_TEST_IN_NAMESPACE";

#[test]
fn at_the_limit_of_watches_everything_is_looked_at_from_time_to_time() {
    if std::env::var_os(INSIDE).is_some() {
        return at_the_limit();
    }
    let probe = Command::new("unshare").args(["-r", "true"]).status();
    if !probe.is_ok_and(|s| s.success()) {
        eprintln!("skipped: no namespace is to be had here");
        return;
    }
    let own = std::env::current_exe().unwrap();
    let name = "at_the_limit_of_watches_everything_is_looked_at_from_time_to_time";
    let status = Command::new("unshare").arg("-r").arg(own).arg(name).env(INSIDE, "1").status();
    assert!(status.unwrap().success());
}

fn at_the_limit() {
    struct Notices(Mutex<Vec<String>>);
    impl Sink for Notices {
        fn event(&self, event: Event) {
            if let Event::Notice(text) = event {
                self.0.lock().unwrap().push(text);
            }
        }
    }
    std::fs::write("/proc/sys/user/max_inotify_watches", "3").unwrap();
    let notices = Arc::new(Notices(Mutex::default()));
    let monitor = Monitor::new(notices.clone());
    let watched = watched_with(&monitor, &["input/a", "input/b", "input/c", "input/d"]);
    assert!(!watched.watcher.is_complete());
    for _ in 0..2 {
        assert!(watched.batches.recv_timeout(NEVER).unwrap().overflow);
    }
    let told = notices.0.lock().unwrap();
    assert!(told.len() == 1 && told[0].contains("max_user_watches"), "{told:?}");
}
