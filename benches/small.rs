//! 20,000 small files, and one file of 1 GiB: first hash, unchanged look, init and clone.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::measure::{Contender, compare, is_there, remove};
use crate::report::Report;
use crate::{Run, Tried, data};

pub(crate) const FIND: &str = "find, printing size and time";
pub(crate) const SCAN: &str = "dsg's scan";
pub(crate) const STATUS: &str = "dsg status --offline";
pub(crate) const SHA256SUM: &str = "sha256sum";
const ONE_CORE: &str = "the hash alone, one core, in memory";

/// Where one data set is worked with.
pub(crate) struct Set {
    /// The project: `input` below it is the data.
    pub(crate) root: PathBuf,
    pub(crate) input: PathBuf,
    /// Everything that contenders make.
    pub(crate) work: PathBuf,
    pub(crate) repo: PathBuf,
    dsg: PathBuf,
}

impl Set {
    pub(crate) fn new(run: &Run, name: &str) -> Tried<Self> {
        let dir = run.dir.join(name);
        let (root, work) = (dir.join("project"), dir.join("work"));
        std::fs::create_dir_all(&work)?;
        let (input, repo) = (root.join("input"), work.join("repo"));
        Ok(Self { input, repo, root, work, dsg: run.dsg.clone() })
    }

    /// As if DSG had never been here.
    pub(crate) fn unborn(&self) {
        remove(&self.root.join(".dsg"));
        remove(&self.root.join(".dsgconfig.yml"));
        remove(&self.repo);
        remove(&self.work.join(".repo.dsg"));
    }

    /// The program under measurement.
    pub(crate) fn program(&self) -> &Path {
        &self.dsg
    }

    /// The command line in this project, or elsewhere.
    pub(crate) fn dsg(&self, name: &str, command: &[&str]) -> Contender<'_> {
        let (dsg, root) = (self.dsg.display().to_string(), self.root.display().to_string());
        let mut line = vec![dsg.as_str(), "--quiet", "-C", root.as_str()];
        line.extend(command);
        Contender::new(name, &line).leaving_helpers()
    }

    /// A part of the engine at this project.
    pub(crate) fn inside(&self, name: &str, task: &str, rest: &[&str]) -> Tried<Contender<'_>> {
        let root = self.root.display().to_string();
        let mut line = vec![task, root.as_str()];
        line.extend(rest);
        Contender::inside(name, &line)
    }

    pub(crate) fn find(&self) -> Contender<'_> {
        Contender::shell(FIND, r#"find "$1" -printf '%s %T@\n' >/dev/null"#, &[&self.input])
    }

    pub(crate) fn sha256sum(&self) -> Contender<'_> {
        let line = r#"find "$1" -type f -print0 | xargs -0 -n 500 -P 2 sha256sum >/dev/null"#;
        Contender::shell("sha256sum, two processes", line, &[&self.input])
    }

    /// The first scan of a folder that has no `.dsg`.
    pub(crate) fn first_scan(&self) -> Tried<Contender<'_>> {
        Ok(self.inside("dsg's first scan", "scan", &[])?.after(|| {
            self.unborn();
            Ok(())
        }))
    }

    /// Everybody who brings a copy of `input` elsewhere; with `all`, not only the fairest.
    pub(crate) fn copies(&self, all: bool) -> Vec<Contender<'_>> {
        let to = self.work.join("copy");
        // Bytes are copied: shared blocks would measure something else.
        let programs = [
            ("cp -a", "cp", r#"cp -a --reflink=never "$1" "$2""#),
            (DURABLE_COPY, "cp", r#"cp -a --reflink=never "$1" "$2" && sync -f "$2""#),
            ("rsync -a", "rsync", r#"rsync -a "$1/" "$2/""#),
            ("rsync -a, then sync -f", "rsync", r#"rsync -a "$1/" "$2/" && sync -f "$2""#),
            ("tar to tar", "tar", r#"mkdir "$2" && tar -C "$1" -cf - . | tar -C "$2" -xf -"#),
            (
                "unison -batch",
                "unison",
                r#"UNISON="$2-archives" unison -ui text "$1" "$2" -batch -silent -times"#,
            ),
        ];
        let mut contenders = Vec::new();
        for (name, program, line) in programs {
            if !is_there(program) {
                eprintln!("bench: {program} is not installed and left out");
            } else if all || name == DURABLE_COPY {
                let archives = self.work.join("copy-archives");
                let contender = Contender::shell(name, line, &[&self.input, &to]);
                let to = to.clone();
                contenders.push(contender.after(move || {
                    remove(&to);
                    remove(&archives);
                    Ok(())
                }));
            }
        }
        contenders
    }

    /// A first snapshot of the project: a repository elsewhere.
    pub(crate) fn init(&self) -> Contender<'_> {
        let repo = self.repo.display().to_string();
        self.dsg("dsg init", &["init", &repo, "-m", "bench"]).after(|| {
            self.unborn();
            Ok(())
        })
    }

    /// Another project from that repository.
    pub(crate) fn clone(&self) -> Contender<'_> {
        let clone = self.work.join("clone");
        let (repo, to) = (self.repo.display().to_string(), clone.display().to_string());
        self.dsg("dsg clone", &["clone", &repo, &to]).after(move || {
            remove(&clone);
            Ok(())
        })
    }

    /// Removes what the copies left, but the repository.
    pub(crate) fn tidy(&self) {
        for name in ["copy", "copy-archives", "clone"] {
            remove(&self.work.join(name));
        }
    }
}

pub(crate) const DURABLE_COPY: &str = "cp -a, then sync -f";

/// How fast one core hashes what is in memory.
pub(crate) fn hash_speed(run: &Run, report: &mut Report) -> Tried<()> {
    let rows = compare(run.repeats, &[Contender::inside(ONE_CORE, &["hash"])?])?;
    report.hash_seconds = rows[0].median();
    report.group("1 GiB in memory, hashed by one core", ONE_CORE, rows);
    Ok(())
}

pub(crate) fn many_files(run: &Run, report: &mut Report) -> Tried<()> {
    eprintln!("bench: making data set A");
    let set = Set::new(run, "A")?;
    let made = Instant::now();
    data::many(&set.input, &data::A)?;
    data::settle(&set.work, made)?;
    let rows = compare(run.repeats, &[set.sha256sum(), set.first_scan()?])?;
    report.group(
        "A: first hash of everything, content in memory",
        "sha256sum, two processes",
        rows,
    );
    let mut contenders = set.copies(true);
    contenders.extend([set.init(), set.clone()]);
    let rows = compare(run.repeats, &contenders)?;
    report.group("A: a copy elsewhere", DURABLE_COPY, rows);
    set.tidy();
    unchanged(run, &set, "A", report)?;
    run.done("A");
    Ok(())
}

/// Looking at a project in which nothing changed. Gives how often longer than `find` a status is,
/// and its peak memory.
pub(crate) fn unchanged(
    run: &Run,
    set: &Set,
    name: &str,
    report: &mut Report,
) -> Tried<(f64, f64)> {
    let contenders = [
        set.find(),
        set.inside(SCAN, "scan", &[])?,
        set.dsg(STATUS, &["status", "--offline"]),
        set.dsg("dsg status", &["status"]),
    ];
    // Whoever looks first pays for what was forgotten since; nobody is measured at that.
    compare(1, &contenders[..3])?;
    let rows = compare(run.repeats, &contenders)?;
    let (find, status) = (rows[0].median(), &rows[2]);
    let found = (status.median() / find, status.mib());
    report.group(&format!("{name}: nothing changed"), FIND, rows);
    Ok(found)
}

pub(crate) fn one_file(run: &Run, report: &mut Report) -> Tried<()> {
    eprintln!("bench: making data set B");
    let set = Set::new(run, "B")?;
    let file = set.input.join("large.bin");
    let made = Instant::now();
    data::one(&file)?;
    data::settle(&set.work, made)?;
    let cold = || data::forget(&file);
    let fresh = || {
        set.unborn();
        data::forget(&file)
    };
    let read = || Contender::shell("reading alone", r#"cat "$1" >/dev/null"#, &[&file]);
    let sum = || Contender::shell(SHA256SUM, r#"sha256sum "$1" >/dev/null"#, &[&file]);
    let scan = || set.inside("dsg's first scan", "scan", &[]);
    let contenders = [read().after(cold), sum().after(cold), scan()?.after(fresh)];
    let rows = compare(run.repeats, &contenders)?;
    let disk = rows[0].median();
    let (sum_cold, scan_cold) = (rows[1].median(), rows[2].median());
    report.group("B: first hash, content on disk", SHA256SUM, rows);
    let warm = |path: &Path| std::io::copy(&mut std::fs::File::open(path)?, &mut std::io::sink());
    warm(&file)?;
    let rows = compare(run.repeats, &[read(), sum(), set.first_scan()?])?;
    let scan_warm = rows[2].median();
    report.group("B: first hash, content in memory", SHA256SUM, rows);
    let slower = disk.max(report.hash_seconds);
    let from_memory = scan_warm / report.hash_seconds;
    report.target(
        "first hash of 1 GiB within 1.3 × of one core's SHA-256",
        from_memory <= 1.3,
        &format!(
            "{from_memory:.2} × the hash alone from memory; not judged: {:.2} × the slower of disk \
             and hash from disk (sha256sum: {:.2} ×), since whoever reads first reads slowest",
            scan_cold / slower,
            sum_cold / slower
        ),
    );
    let mut contenders = set.copies(true);
    contenders.extend([set.init(), set.clone()]);
    let rows = compare(run.repeats, &contenders)?;
    report.group("B: a copy elsewhere", DURABLE_COPY, rows);
    run.done("B");
    Ok(())
}
