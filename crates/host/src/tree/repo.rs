//! What every operation on a tree repository shares: its layout, facts, lock and small marks.

use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::repository::Standing;
use dsg_core::snapshot::SnapshotHeader;
use dsg_fs::dir::Dir;
use dsg_fs::lock::{Holder, Lock, Tried};
use rustix::fs::{self as sys, Timespec, Timestamps};

use super::dataset::Site;
use super::history::History;
use super::layout::{CTIMES_VOID, Facts, JOURNAL, Journal, LOCK, Layout, Modes, WANTED};

/// What a preparation says that it does; a publish may ask it to step back.
pub(super) const PREPARES: &str = "prepares the next publish";
/// How long a publish waits for that; its last steps, which end by themselves, take seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// One repository, open.
pub(super) struct Repo {
    pub(super) layout: Layout,
    pub(super) facts: Facts,
    /// Held while the first snapshot is being made.
    pub(super) init: Mutex<Option<Lock>>,
    /// Where it stands, if that is no folder.
    pub(super) site: Option<Arc<Site>>,
}

/// Somebody else holds a lock.
pub(super) fn locked(layout: &Layout, by: Option<Holder>) -> Failure {
    in_use(&layout.path(), by)
}

/// As [`locked`].
pub(super) fn in_use(at: &Path, by: Option<Holder>) -> Failure {
    let who = match by {
        Some(holder) if !holder.who.is_empty() => format!(" by {holder}"),
        _ => String::new(),
    };
    Failure::new(Code::Locked, format!("The repository {} is in use{who}.", at.display()))
        .hint("Try again in a moment. A client that died leaves no lock behind.")
}

impl Repo {
    pub(super) fn modes(&self) -> Modes {
        Modes(self.facts.access)
    }

    pub(super) fn history(&self) -> History<'_> {
        History { layout: &self.layout, repository: &self.facts.id }
    }

    pub(super) fn head(&self) -> Outcome<Option<SnapshotHeader>> {
        match self.history().newest()? {
            Some(_) => self.history().head().map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn journal(&self) -> Outcome<Option<Journal>> {
        self.layout.read_json(JOURNAL)
    }

    /// Takes the lock, without waiting, except for a preparation that is asked to step back.
    pub(super) fn lock(&self, who: &str, doing: &str) -> Outcome<Lock> {
        let started = std::time::Instant::now();
        let mut asked = false;
        let lock = loop {
            let by = match self.try_lock(who, doing)? {
                Tried::Held(lock) => break Ok(lock),
                Tried::Busy(by) => by,
            };
            let steps_back =
                by.as_ref().is_some_and(|by| by.doing == PREPARES) && doing != PREPARES;
            // Nobody's name: it was taken or given up this very instant.
            let patience = match &by {
                Some(_) if steps_back => PATIENCE,
                None if asked => PATIENCE,
                None => Duration::from_millis(200),
                Some(_) => Duration::ZERO,
            };
            if started.elapsed() >= patience {
                break Err(locked(&self.layout, by));
            }
            // A preparation that begins takes away what an earlier asker left.
            if steps_back && self.layout.side.stat(WANTED)?.is_none() {
                asked = true;
                self.layout.side.write_atomically(WANTED, b"", self.modes().own_file())?;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if asked {
            let _ = self.layout.side.remove_file(WANTED);
        }
        lock
    }

    pub(super) fn try_lock(&self, who: &str, doing: &str) -> Outcome<Tried> {
        let (dir, name) = self.lock_file();
        Ok(Lock::try_acquire(dir, name, self.modes().own_file(), holder(who, doing))?)
    }

    /// Who holds the lock now.
    pub(super) fn holder(&self) -> Outcome<Option<Holder>> {
        let (dir, name) = self.lock_file();
        Ok(Lock::holder(dir, name)?)
    }

    fn lock_file(&self) -> (&Dir, &str) {
        match &self.site {
            None => (&self.layout.side, LOCK),
            Some(site) => site.lock_file(),
        }
    }

    /// Says, before links are made or removed, that recorded change times mean nothing now. If
    /// this mark is lost, files are compared by content: slower, never wrong.
    pub(super) fn void_ctimes(&self) -> Outcome<()> {
        if self.site.is_some() {
            return Ok(());
        }
        match self.layout.side.create_new(CTIMES_VOID, self.modes().own_file()) {
            Ok(_) => Ok(()),
            Err(e) if e.is_present() => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Where it stands, in a folder.
    pub(super) fn standing(&self) -> Outcome<Standing> {
        Ok(Standing {
            filesystem: crate::zfs::kind_at(self.layout.parent.path()).unwrap_or_default(),
            dataset: None,
            available: self.layout.side.space()?.free,
            used: None,
            quota: None,
            seamless: self.facts.exchange,
            touched: false,
            settled: None,
        })
    }

    /// Whether change times count.
    pub(super) fn ctimes_hold(&self) -> Outcome<bool> {
        Ok(self.layout.side.stat(CTIMES_VOID)?.is_none())
    }

    /// Waits until the file system's clock has moved on: a write after this gets another change
    /// time than anything before.
    pub(super) fn tick(&self) -> Outcome<()> {
        if self.site.is_some() {
            return Ok(());
        }
        let file = match self.layout.side.create_new("tick", self.modes().own_file()) {
            Ok(file) => file,
            Err(e) if e.is_present() => {
                // Anew, since it may belong to another account of the team.
                self.layout.side.remove_file("tick")?;
                self.layout.side.create_new("tick", self.modes().own_file())?
            }
            Err(e) => return Err(e.into()),
        };
        let now = Timespec { tv_sec: 0, tv_nsec: sys::UTIME_NOW };
        let times = Timestamps { last_access: now, last_modification: now };
        let cannot = |e| Failure::io("set the time of", self.layout.side.at("tick"), e);
        let mut first = None;
        // Coarse clocks tick every two seconds at most. One that stands still is not waited for:
        // then only a write that hides itself completely could be missed.
        for _ in 0..5_000 {
            sys::futimens(file.as_fd(), &times).map_err(cannot)?;
            let at = dsg_fs::dir::file_stat(&file, &self.layout.side.at("tick"))?.ctime;
            match first {
                None => first = Some(at),
                Some(first) if at != first => return Ok(()),
                Some(_) => {}
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        Ok(())
    }
}

/// What a lock says of us; `who` may be empty.
pub(super) fn holder(who: &str, doing: &str) -> Holder {
    let who = if who.is_empty() { account() } else { who.to_owned() };
    Holder { who, since: now(), doing: doing.to_owned() }
}

/// Now, as RFC 3339.
pub(super) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `login@host`.
pub(super) fn account() -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy().into_owned();
    let login = std::env::var("LOGNAME")
        .or_else(|_| std::env::var("USER"))
        .unwrap_or_else(|_| rustix::process::geteuid().as_raw().to_string());
    format!("{login}@{host}")
}
