//! The files that are there, read once each, and compared with the earlier DSG's newest list.

use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use dsg_core::config::{SharedConfig, Tracking};
use dsg_core::entry::{Entry, FileEntry, Hash, LinkTarget};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::legacy::{Contents, Deviation, List, Listed, Oddity};
use dsg_core::manifest::Change;
use dsg_core::monitor::{Event, Monitor, Phase};
use dsg_core::path::RepoPath;
use dsg_fs::dir::{Dir, file_stat};
use dsg_fs::stat::{Kind, Stat};
use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::Xxh3;

use crate::tree::check::{beneath, workers};
use crate::tree::stats::join;

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    /// What is known of the contents.
    pub(super) contents: Contents,
    /// Where something else stands than the list says, sorted.
    pub(super) changes: Vec<Change>,
    /// The same, told.
    pub(super) deviations: Vec<Deviation>,
    /// All that will be tracked, as it was when it was read.
    pub(super) seen: Vec<(RepoPath, Stat)>,
}

/// What stands at one path.
enum Here {
    Nothing,
    /// A pipe, a folder, or a link that leads out.
    Untrackable,
    Link(LinkTarget, Stat),
    File(FileEntry, u64, Stat),
}

/// Reads every file that the list names, and those that it does not know.
pub(super) fn measure(
    root: &Dir,
    head: &List,
    config: &SharedConfig,
    monitor: &Monitor,
) -> Outcome<Found> {
    let bytes = head.entries.values().map(|listed| match listed {
        Listed::File { size, .. } => *size,
        Listed::Link(_) => 0,
    });
    monitor.phase(Phase::Scanning, Some(head.entries.len() as u64), Some(bytes.sum()));
    let listed: Vec<(&RepoPath, Option<&Listed>)> =
        head.entries.iter().map(|(path, listed)| (path, Some(listed))).collect();
    let mut found = Found::default();
    found.take(root, &listed, monitor)?;
    let unknown = unknown(root, head, config, monitor)?;
    let unknown: Vec<(&RepoPath, Option<&Listed>)> =
        unknown.iter().map(|path| (path, None)).collect();
    found.take(root, &unknown, monitor)?;
    for (name, why) in &head.untrackable {
        found
            .deviations
            .push(Deviation { path: name.clone(), what: Oddity::Untrackable(why.clone()) });
    }
    found.changes.sort_by(|a, b| a.path.cmp(&b.path));
    found.deviations.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

impl Found {
    /// Reads what stands at these paths, and compares it with what is listed there.
    fn take(
        &mut self,
        root: &Dir,
        paths: &[(&RepoPath, Option<&Listed>)],
        monitor: &Monitor,
    ) -> Outcome<()> {
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(None);
        let work = || {
            let mut done = Vec::new();
            while let Some((path, _)) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                let looked = monitor.check().and_then(|()| look(root, path, monitor));
                match looked {
                    Ok(here) => done.push(here),
                    Err(failure) => {
                        next.store(paths.len(), Ordering::Relaxed);
                        failed
                            .lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner)
                            .replace(failure);
                        break;
                    }
                }
            }
            done
        };
        let mut here: Vec<(&RepoPath, Here)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers()).map(|_| scope.spawn(work)).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
        });
        if let Some(failure) =
            failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
        {
            return Err(failure);
        }
        if here.len() != paths.len() {
            return Err(Failure::new(Code::Io, "A thread that read files ended before its time."));
        }
        here.sort_by(|a, b| a.0.cmp(b.0));
        for ((path, here), (_, listed)) in here.into_iter().zip(paths) {
            self.compare(path, here, *listed);
        }
        Ok(())
    }

    fn compare(&mut self, path: &RepoPath, here: Here, listed: Option<&Listed>) {
        let same = match (&here, listed) {
            (Here::Link(now, _), Some(Listed::Link(was))) => now == was,
            (Here::File(now, found, _), Some(Listed::File { size, sum, .. })) => {
                now.size == *size && found == sum
            }
            _ => false,
        };
        let entry = match here {
            Here::Nothing | Here::Untrackable => None,
            Here::Link(target, stat) => {
                self.seen.push((path.clone(), stat));
                Some(Entry::Link(target))
            }
            Here::File(file, sum, stat) => {
                self.contents.know(sum, file.size, file.hash);
                if file.exec {
                    self.contents.executable(path.clone());
                }
                self.seen.push((path.clone(), stat));
                Some(Entry::File(file))
            }
        };
        if same {
            return;
        }
        let what = match (&entry, listed) {
            (None, None) => return,
            (None, Some(_)) => Oddity::Missing,
            (Some(_), None) => Oddity::Added,
            (Some(_), Some(_)) => Oddity::Changed,
        };
        self.deviations.push(Deviation { path: path.to_string(), what });
        self.changes.push(Change { path: path.clone(), entry });
    }
}

/// What stands at a path, read twice more if it changes meanwhile.
fn look<'p>(root: &Dir, path: &'p RepoPath, monitor: &Monitor) -> Outcome<(&'p RepoPath, Here)> {
    for _ in 0..3 {
        let stat = match root.stat(path.as_str()) {
            // A folder above it is a link now: it is not the repository's.
            Err(e) if e.is_escape() => None,
            other => other?,
        };
        let Some(stat) = stat else { return Ok((path, Here::Nothing)) };
        match stat.kind {
            Kind::Dir | Kind::Special => return Ok((path, Here::Untrackable)),
            Kind::Link => {
                let target = root.read_link(path.as_str())?;
                let target =
                    target.to_str().and_then(|target| LinkTarget::parse(path, target).ok());
                let here = target.map_or(Here::Untrackable, |target| Here::Link(target, stat));
                return Ok((path, here));
            }
            Kind::File => {
                if let Some(here) = hashed(root, path, monitor)? {
                    return Ok((path, here));
                }
            }
        }
    }
    Err(Failure::new(Code::Locked, format!("{} is being written.", root.at(path).display()))
        .hint("Nothing was adopted. See to it that nobody writes there, then try again.")
        .about([path.to_string()]))
}

/// Both sums of a file, in one reading; `None` if it changed meanwhile.
fn hashed(root: &Dir, path: &RepoPath, monitor: &Monitor) -> Outcome<Option<Here>> {
    let at = root.at(path);
    let file = match root.open_file(path.as_str()) {
        Ok(file) => file,
        Err(e) if e.is_absent() => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    // A write through a mapping may not have moved the times on yet.
    let _ = rustix::fs::fdatasync(&file);
    let before = file_stat(&file, &at)?;
    let (mut hash, mut sum) = (Sha256::new(), Xxh3::new());
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    let mut input = &file;
    loop {
        match input.read(&mut buffer).map_err(|e| Failure::io("read", &at, e))? {
            0 => break,
            n => {
                hash.update(&buffer[..n]);
                sum.update(&buffer[..n]);
                size += n as u64;
                monitor.advanced(0, n as u64);
                monitor.check()?;
            }
        }
    }
    let after = file_stat(&file, &at)?;
    if !after.unchanged(&before) || size != after.size {
        return Ok(None);
    }
    monitor.advanced(1, 0);
    let hash = Hash(hash.finalize().into());
    let file = FileEntry { size, mtime: after.mtime, exec: after.exec(), hash };
    Ok(Some(Here::File(file, sum.digest(), after)))
}

/// Tracked files and links that the list does not know, sorted.
fn unknown(
    root: &Dir,
    head: &List,
    config: &SharedConfig,
    monitor: &Monitor,
) -> Outcome<Vec<RepoPath>> {
    let mut found = Vec::new();
    let mut left = vec![Vec::new()];
    while let Some(rel) = left.pop() {
        monitor.check()?;
        let dir = beneath(root, &rel)?;
        for name in dir.list()? {
            let path = join(&rel, name.name.as_bytes());
            let kind = match name.kind {
                Some(kind) => kind,
                None => match dir.stat(&name.name)? {
                    Some(stat) => stat.kind,
                    None => continue,
                },
            };
            let text = match RepoPath::from_bytes(&path) {
                Ok(path) => path,
                Err(why) => {
                    let name = OsStr::from_bytes(&path).display();
                    let known = head.untrackable.iter().any(|(known, _)| known.as_bytes() == path);
                    if !known {
                        monitor.event(Event::Notice(format!("{name} is left alone: {why}.")));
                    }
                    continue;
                }
            };
            let tracked = |kind| match kind {
                Kind::Dir => config.directory(&text),
                _ => config.file(&text),
            };
            match (kind, tracked(kind)) {
                (Kind::Dir, Tracking::Tracked | Tracking::OutsideData) => left.push(path),
                (Kind::File | Kind::Link, Tracking::Tracked)
                    if !head.entries.contains_key(text.as_str()) =>
                {
                    found.push(text);
                }
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}
