//! Files of a snapshot in a folder outside the project.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use dsg_core::address::Address;
use dsg_core::entry::{Entry, FileEntry};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Monitor, Phase};
use dsg_core::path::RepoPath;
use dsg_core::snapshot::SnapshotId;
use dsg_fs::dir::{Dir, set_file_time};
use dsg_host::assembly::{Assembly, AssemblyError};
use dsg_wire::delta::Content;

use crate::endpoint::{Endpoint, Receive, mismatch};
use crate::report::RestoreReport;

const TAKEN: &str = "Something stands there already.";

/// Refuses a folder in the project or in the repository.
pub(super) fn apart(into: &Path, root: &Path, repository: &Address) -> Outcome<()> {
    let known = into
        .ancestors()
        .find_map(|at| Some(std::fs::canonicalize(at).ok()?.join(into.strip_prefix(at).ok()?)));
    let into = known.unwrap_or_else(|| into.to_owned());
    let inside = |of: &Path| into.starts_with(of);
    if inside(root) || repository.local().is_some_and(inside) {
        return Err(Failure::new(
            Code::Usage,
            format!("{} lies in the project or in its repository.", into.display()),
        )
        .hint("Choose a folder elsewhere, or restore into the project."));
    }
    Ok(())
}

/// Refuses what would fill the disk.
pub(super) fn check_space(free: u64, needed: u64, at: &Path) -> Outcome<()> {
    if needed <= free {
        return Ok(());
    }
    Err(Failure::new(
        Code::Space,
        format!("{needed} bytes are needed at {}, {free} are free.", at.display()),
    )
    .hint("Free some space, or restore less."))
}

/// Writes what is wanted into `into`.
pub(super) fn write(
    endpoint: &dyn Endpoint,
    snapshot: SnapshotId,
    wanted: BTreeMap<RepoPath, Entry>,
    into: &Path,
    dry_run: bool,
    monitor: &Monitor,
) -> Outcome<RestoreReport> {
    let mut report = RestoreReport { folder: into.to_owned(), ..RestoreReport::default() };
    report.bytes = wanted.values().map(Entry::size).sum();
    report.added = wanted.len() as u64;
    if dry_run {
        return Ok(report);
    }
    std::fs::create_dir_all(into).map_err(|e| Failure::io("create the folder", into, e))?;
    let dir = Dir::open(into)?;
    check_space(dir.space()?.free, report.bytes, into)?;
    monitor.phase(Phase::Staging, Some(report.added), Some(report.bytes));
    let mut files: Vec<(RepoPath, FileEntry)> = Vec::new();
    let mut skipped = Vec::new();
    for (path, entry) in wanted {
        let parent = path.parent();
        let made = parent.map_or(Ok(Vec::new()), |parent| dir.ensure_dirs(parent.as_str(), None));
        match (made, entry) {
            (Err(e), _) => skipped.push((path.to_string(), Failure::from(e).message)),
            (Ok(_), Entry::File(file)) => files.push((path, file)),
            (Ok(_), Entry::Link(target)) => match dir.symlink(target.as_str(), path.as_str()) {
                Err(e) if e.is_present() => skipped.push((path.to_string(), TAKEN.to_owned())),
                other => other?,
            },
        }
    }
    let skipped = Mutex::new(skipped);
    let paths: Vec<RepoPath> = files.iter().map(|(path, _)| path.clone()).collect();
    let writer = Writer { dir: &dir, files: &files, snapshot, monitor, skipped: &skipped };
    endpoint.fetch(snapshot, &paths, &writer, monitor)?;
    dir.syncfs()?;
    report.skipped = skipped.into_inner().unwrap_or_default();
    for (path, _) in &report.skipped {
        report.added -= 1;
        let size = files.iter().find(|(p, _)| p.as_str() == path).map_or(0, |(_, f)| f.size);
        report.bytes -= size;
    }
    Ok(report)
}

struct Writer<'a> {
    dir: &'a Dir,
    files: &'a [(RepoPath, FileEntry)],
    snapshot: SnapshotId,
    monitor: &'a Monitor,
    skipped: &'a Mutex<Vec<(String, String)>>,
}

impl Receive for Writer<'_> {
    fn receive(&self, index: usize, content: Content<'_>, private: bool) -> Outcome<()> {
        let Some((path, file)) = self.files.get(index) else { return Ok(()) };
        let folder = path.parent();
        let temporary = self.dir.temporary_name("dsg");
        let temporary = folder.map_or(temporary.clone(), |folder| format!("{folder}/{temporary}"));
        let written = self.write(&temporary, path, file, content, private);
        let placed = written.and_then(|()| {
            match self.dir.rename_noreplace(&temporary, self.dir, path.as_str()) {
                Err(e) if e.is_present() => {
                    self.dir.remove_file(&temporary)?;
                    if let Ok(mut skipped) = self.skipped.lock() {
                        skipped.push((path.to_string(), TAKEN.to_owned()));
                    }
                    Ok(())
                }
                other => Ok(other?),
            }
        });
        if placed.is_err() {
            let _ = self.dir.remove_file(&temporary);
        }
        placed
    }
}

impl Writer<'_> {
    fn write(
        &self,
        name: &str,
        path: &RepoPath,
        file: &FileEntry,
        mut content: Content<'_>,
        private: bool,
    ) -> Outcome<()> {
        let mode = if private { 0o600 } else { 0o666 } | if file.exec { 0o100 } else { 0 };
        let mode = if file.exec && !private { 0o777 } else { mode };
        let out = self.dir.create_new(name, mode)?;
        let at = self.dir.at(path.as_str());
        let mut assembly = Assembly::new(&out, None);
        let mut buffer = vec![0; 256 * 1024];
        let unread = |e| Failure::io("read from the repository", path, e);
        while let Some(part) = content.part(&mut buffer).map_err(unread)? {
            self.monitor.check()?;
            let bytes = part.len();
            if bytes > file.size - assembly.size() {
                return Err(mismatch(path, self.snapshot));
            }
            match assembly.append(part) {
                Ok(()) => {}
                Err(AssemblyError::Older(_)) => return Err(mismatch(path, self.snapshot)),
                Err(AssemblyError::Write(e)) => return Err(Failure::io("write", &at, e)),
            }
            self.monitor.advanced(0, bytes);
        }
        if assembly.size() != file.size || assembly.end() != file.hash {
            return Err(mismatch(path, self.snapshot));
        }
        set_file_time(&out, &at, file.mtime)?;
        self.monitor.advanced(1, 0);
        Ok(())
    }
}
