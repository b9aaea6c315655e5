//! A project to try everything with: made here by real syncs, removed again without a trace.
//!
//! The sample is a folder with a project and a repository in it, a history of eight snapshots by two
//! authors, changes in both directions and one conflict. A note beside them tells what was made, so
//! that removing it never takes anything else.
//!
//! | file | owns |
//! |---|---|
//! | `mod` | the story: who syncs what, and when |
//! | `content` | tables, images, a document and scripts, the same every time |
//! | `remove` | what was made, and taking it away |

mod content;
mod remove;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dsg_core::address::Address;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::{Monitor, Phase};
use dsg_core::safety::Allow;
use dsg_engine::project::{InitOptions, Project};
use dsg_engine::report::{Signature, SyncOptions};
use jiff::{SignedDuration, Timestamp};

pub(super) use remove::Doomed;
pub(super) use remove::is_project;

use crate::api::ApiError;

const FOLDER: &str = "DSG sample";
const PROJECT: &str = "Coast survey";
const REPOSITORY: &str = "repository";
const COLLEAGUE: &str = ".colleague";
/// Those who made the history.
const ANALYST: &str = "analyst@example.org";
const FIELD: &str = "field.team@example.org";

/// A folder that does not exist yet, in the person's documents or home.
pub(super) fn place() -> Result<PathBuf, ApiError> {
    let dirs = directories::UserDirs::new();
    let base = dirs.as_ref().map(|d| d.document_dir().unwrap_or_else(|| d.home_dir()));
    let base = base.map_or_else(std::env::temp_dir, Path::to_owned);
    let numbered = |n: u32| match n {
        1 => base.join(FOLDER),
        n => base.join(format!("{FOLDER} {n}")),
    };
    (1..1000).map(numbered).find(|place| !place.exists()).ok_or_else(|| {
        ApiError::new(Code::Exists.as_str(), "There are too many samples already.")
            .with_hint("Remove one, or choose another folder.")
    })
}

/// Makes the sample in a folder that is new or empty; gives the project's root. What could not be
/// finished is taken away again.
pub(super) fn create(place: &Path, monitor: &Monitor) -> Result<PathBuf, ApiError> {
    if !place.is_absolute() {
        let said = format!("{} is not the whole path of a folder.", place.display());
        return Err(ApiError::new(Code::Usage.as_str(), said).with_hint("Choose a folder."));
    }
    let fresh = !place.exists();
    fs::create_dir_all(place).map_err(|e| Failure::io("create the folder", place, e))?;
    let mut inside = fs::read_dir(place).map_err(|e| Failure::io("read the folder", place, e))?;
    if inside.next().is_some() {
        let said = format!("{} is not empty.", place.display());
        return Err(ApiError::new(Code::Exists.as_str(), said)
            .with_hint("Choose a new or empty folder for the sample."));
    }
    let made = Story::begin(place, monitor).and_then(|mut story| story.tell());
    if made.is_err() {
        for name in [PROJECT, REPOSITORY, ".repository.dsg", COLLEAGUE, remove::NOTE] {
            remove::take_away(&place.join(name));
        }
        if fresh {
            let _ = fs::remove_dir(place);
        }
    }
    Ok(made?)
}

/// The history as it is being made.
struct Story<'a> {
    place: PathBuf,
    monitor: &'a Monitor,
    now: Timestamp,
    made: remove::Made,
}

impl<'a> Story<'a> {
    fn begin(place: &Path, monitor: &'a Monitor) -> Outcome<Self> {
        let place = fs::canonicalize(place).map_err(|e| Failure::io("open", place, e))?;
        let now = Timestamp::now();
        Ok(Self { place, monitor, now, made: remove::Made::default() })
    }

    fn tell(&mut self) -> Outcome<PathBuf> {
        // Until the note stands, an end of the power leaves folders that a person may delete.
        let root = self.place.join(PROJECT);
        fs::create_dir(&root).map_err(|e| Failure::io("create the folder", &root, e))?;
        self.monitor.phase(Phase::Staging, Some(8), None);
        let silent = Monitor::silent();

        self.write(&root, 45, content::beginning())?;
        let options = InitOptions {
            address: Address::Local(self.place.join(REPOSITORY)),
            name: Some(PROJECT.to_owned()),
            data_dirs: vec!["*".to_owned()],
            plain: true,
            message: "First year of tide tables".to_owned(),
            signature: Some(self.signature(ANALYST, 45)),
        };
        let (mut mine, _) = Project::init(&root, &options, &silent)?;
        self.step()?;
        let away = self.place.join(COLLEAGUE);
        let (mut theirs, _) = Project::clone_from(mine.address(), &away, &silent)?;

        self.write(&away, 38, content::field_trip())?;
        self.sync(&mut theirs, FIELD, 38, "Photos and beach profiles of the first field trip")?;
        catch_up(&mut mine)?;
        self.write(&root, 30, content::scripts())?;
        self.sync(&mut mine, ANALYST, 30, "Scripts that clean and sum up the tables")?;
        catch_up(&mut theirs)?;
        self.write(&away, 21, content::corrections())?;
        remove_file(&away.join(content::BLURRED))?;
        self.sync(&mut theirs, FIELD, 21, "Gauge 3 was read in feet; blurred photo removed")?;
        catch_up(&mut mine)?;
        self.write(&root, 14, content::second_year())?;
        self.sync(&mut mine, ANALYST, 14, "Second year of tide tables")?;
        catch_up(&mut theirs)?;
        rename(&away, "input/photos", "input/site photos")?;
        self.sync(&mut theirs, FIELD, 9, "Photos in a folder with a clear name")?;
        catch_up(&mut mine)?;
        self.write(&root, 4, content::results())?;
        self.sync(&mut mine, ANALYST, 4, "Monthly means, figures and the draft report")?;
        catch_up(&mut theirs)?;

        self.write(&away, 1, content::theirs())?;
        remove_file(&away.join(content::OBSOLETE))?;
        self.sync(&mut theirs, FIELD, 1, "Second field trip; station list corrected")?;
        drop(theirs);
        remove::take_away(&away);

        self.write(&root, 0, content::mine())?;
        remove_file(&root.join(content::UNWANTED))?;
        rename(&root, content::MISNAMED, content::RENAMED)?;
        remove::write_note(&self.place, PROJECT, REPOSITORY, std::mem::take(&mut self.made))?;
        Ok(root)
    }

    /// Writes files, as old as the snapshot that will hold them.
    fn write(&mut self, root: &Path, days: i64, files: Vec<(String, Vec<u8>)>) -> Outcome<()> {
        let time = SystemTime::from(self.at(days) - SignedDuration::from_mins(40));
        for (path, content) in files {
            self.monitor.check()?;
            let at = root.join(&path);
            if let Some(parent) = at.parent() {
                fs::create_dir_all(parent)
                    .map_err(|e| Failure::io("create the folder", parent, e))?;
            }
            fs::write(&at, &content)
                .and_then(|()| fs::File::options().write(true).open(&at)?.set_modified(time))
                .map_err(|e| Failure::io("write", &at, e))?;
            self.made.add(&content);
        }
        Ok(())
    }

    fn sync(&self, project: &mut Project, author: &str, days: i64, message: &str) -> Outcome<()> {
        let options = SyncOptions {
            message: message.to_owned(),
            signature: Some(self.signature(author, days)),
            allow: [Allow::MassDelete].into(),
            ..SyncOptions::default()
        };
        project.sync(&options, &Monitor::silent())?;
        self.step()
    }

    fn step(&self) -> Outcome<()> {
        self.monitor.advanced(1, 0);
        self.monitor.check()
    }

    fn signature(&self, author: &str, days: i64) -> Signature {
        Signature { author: author.to_owned(), time: self.at(days) }
    }

    fn at(&self, days: i64) -> Timestamp {
        self.now - SignedDuration::from_hours(24 * days)
    }
}

/// Brings the other one's work here; nothing is published by that.
fn catch_up(project: &mut Project) -> Outcome<()> {
    project.sync(&SyncOptions::default(), &Monitor::silent()).map(drop)
}

fn remove_file(path: &Path) -> Outcome<()> {
    fs::remove_file(path).map_err(|e| Failure::io("remove", path, e))
}

fn rename(root: &Path, from: &str, to: &str) -> Outcome<()> {
    let (from, to) = (root.join(from), root.join(to));
    fs::rename(&from, &to).map_err(|e| Failure::io("move", &from, e))
}
