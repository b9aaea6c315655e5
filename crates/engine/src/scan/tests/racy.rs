//! Writes that leave no trace in a file's times, because the clock of its file system did not tick
//! in between. The clocks of today's kernels tick too often to wait for that, so the tests put the
//! times into the index: as after a look at the file while its clock stood still.

use super::*;

const SECOND: i64 = 1_000_000_000;

impl Project {
    fn stat(&self, path: &str) -> dsg_fs::stat::Stat {
        Dir::open(self.temp.path()).unwrap().stat(path).unwrap().unwrap()
    }

    /// Scans at so many nanoseconds after the file was written.
    fn scan_after(&mut self, path: &str, age: i64) {
        let stat = self.stat(path);
        let written = stat.mtime.0.max(stat.ctime.0);
        self.now.store(written.saturating_add(age), Ordering::Relaxed);
        self.scan();
    }

    /// Another content of the same size, without a trace: the index's last look at the file shows
    /// the times that the file has now.
    fn write_within_the_tick(&mut self, path: &str, content: &str) {
        let known = self.index.known(path).unwrap().unwrap();
        let seen = known.seen.unwrap();
        let before = self.local(path);
        assert_eq!(before.entry().unwrap().size(), content.len() as u64);
        std::fs::write(self.at(path), content).unwrap();
        let seen = Seen { stat: self.stat(path), ..seen };
        self.index.batch(|b| b.set_local(&known.path, &before, Some(&seen))).unwrap();
    }
}

#[test]
fn a_file_written_just_before_the_scan_is_read_again_at_the_next_one() {
    let mut project = Project::with(&["input/a"]);
    let written = Dir::open(project.temp.path()).unwrap().stat("input/a").unwrap().unwrap().ctime.0;
    project.now.store(written + 1_000_000_000, Ordering::Relaxed);
    assert_eq!(project.scan().hashed_files, 1);
    assert_eq!(project.scan().hashed_files, 1, "its time does not prove that it is the same");
    project.now.store(written + 100_000_000_000, Ordering::Relaxed);
    assert_eq!(project.scan().hashed_files, 1);
    assert_eq!(project.scan().hashed_files, 0, "now it does");
}

#[test]
fn a_write_in_the_same_tick_as_the_look_is_found() {
    // The look came in the tick of the write, at the end of the coarsest tick, and, by a clock that
    // is behind that of the file server, before the write.
    for age in [0, 2 * SECOND, -3600 * SECOND] {
        let mut project = Project::with(&["input/a"]);
        project.scan_after("input/a", age);
        project.agree();
        project.write_within_the_tick("input/a", "inPut/A");
        project.now.store(LATE, Ordering::Relaxed);
        assert_eq!(project.scan().hashed_files, 1, "{age}");
        assert_eq!(content(&project.local("input/a")), Some(Hash::of(b"inPut/A")), "{age}");
        assert_eq!(project.pending(), ["input/a"], "{age}");
        assert_eq!(project.scan().hashed_files, 0, "{age}: it is believed once it is old");
    }
}

#[test]
fn such_a_write_is_found_by_looking_at_what_was_touched_too() {
    let mut project = Project::with(&["input/a"]);
    project.scan_after("input/a", SECOND);
    project.write_within_the_tick("input/a", "inPut/A");
    project.scan_paths(&["input/a"]);
    assert_eq!(content(&project.local("input/a")), Some(Hash::of(b"inPut/A")));
}

#[test]
fn a_look_after_the_tick_is_believed() {
    // Forged for an old file, the same times are those of the same file: what makes the look above
    // be taken again is its age, and nothing else.
    let mut project = Project::with(&["input/a"]);
    project.scan_after("input/a", 100 * SECOND);
    project.write_within_the_tick("input/a", "inPut/A");
    assert_eq!(project.scan().hashed_files, 0);
}

#[test]
fn a_doubt_outlives_that_the_file_could_not_be_looked_at() {
    let mut project = Project::with(&["input/a"]);
    project.scan_after("input/a", 0);
    project.agree();
    let path = "input/a".parse().unwrap();
    let away = Local::Unknown("its disk was away".into());
    project.write_within_the_tick("input/a", "inPut/A");
    project.index.batch(|b| b.set_local(&path, &away, None)).unwrap();
    project.now.store(LATE, Ordering::Relaxed);
    project.scan();
    assert_eq!(content(&project.local("input/a")), Some(Hash::of(b"inPut/A")));
}
