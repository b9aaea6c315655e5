//! One content on its way into staging: taken over from a dead transaction, or received behind what
//! that one left of it, and told against the version that it replaces.
//!
//! What was left and what is older is believed only because the whole is hashed: where that is not
//! what was promised, the content is asked for once more, as if nothing of it were there.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::sync::atomic::Ordering;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::repository::{ContentChanged, Upload};
use dsg_fs::dir::set_file_time;
use dsg_fs::error::FsError;
use dsg_fs::stat::{Kind, Stat};
use dsg_wire::chunks::{Chunks, MOST_CHUNKS, WORTH, estimate};
use dsg_wire::delta::{Basis, Content};
use rustix::fs::{self as sys, Mode};

use super::drift::hash_stably;
use super::staging::{Item, OlderFile, Refusal, Staging, Supply, held};
use crate::assembly::{Assembly, AssemblyError};

/// Less than this of a content is not worth asking for its rest.
const WORTH_KEEPING: u64 = 64 * 1024;

impl Staging {
    /// What is there of an upload's content.
    ///
    /// # Errors
    /// Staging cannot be read.
    pub(super) fn basis(&self, upload: &Upload, older: Option<&OlderFile>) -> Outcome<Basis> {
        if held(&self.distrusted).contains(&upload.file.hash) {
            return Ok(Basis::NOTHING);
        }
        let older = older.is_some_and(|older| self.open_older(upload, older).is_some());
        Ok(Basis { kept: self.kept(upload)?, older })
    }

    /// The chunks of an older version, for whoever is to tell the new one against it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn chunks(&self, older: &OlderFile) -> Outcome<Chunks> {
        let failed = |e| Failure::io("read", &older.path, e);
        let gone = || failed(std::io::ErrorKind::NotFound.into());
        let reader = self.before().ok_or_else(gone)?;
        let (file, _) = reader.read(&older.path)?;
        Chunks::read(file, older.size).map_err(failed)
    }

    /// Nothing that is there of this content is built on any more.
    pub fn distrust(&self, upload: &Upload) {
        held(&self.distrusted).insert(upload.file.hash);
    }

    fn before(&self) -> Option<&super::SnapshotReader> {
        let open = || super::SnapshotReader::open(&self.repo, self.base?).ok();
        self.before.get_or_init(open).as_ref()
    }

    fn open_older(&self, upload: &Upload, older: &OlderFile) -> Option<File> {
        let listed = estimate(older.size) <= MOST_CHUNKS as u64;
        if upload.file.size.min(older.size) < WORTH || !listed {
            return None;
        }
        let (file, stat) = self.before()?.read(&older.path).ok()?;
        (stat.size == older.size).then_some(file)
    }

    /// How many bytes of these uploads lie here already, of each content once.
    ///
    /// # Errors
    /// Staging cannot be read.
    pub(super) fn there<'u>(&self, uploads: impl Iterator<Item = &'u Upload>) -> Outcome<u64> {
        let mut bytes = 0_u64;
        for upload in uploads {
            let name = upload.file.hash.to_string();
            for place in [&self.objects, &self.adopted] {
                let size = place.stat(&name)?.map_or(0, |stat| stat.size);
                bytes = bytes.saturating_add(size.min(upload.file.size));
            }
        }
        Ok(bytes)
    }

    /// How much of a content a dead transaction left.
    fn kept(&self, upload: &Upload) -> Outcome<u64> {
        if !self.inherited.load(Ordering::Relaxed) {
            return Ok(0);
        }
        let stat = self.adopted.stat(upload.file.hash.to_string())?;
        let part = |stat: &Stat| is_ours(stat) && stat.size < upload.file.size;
        Ok(stat.filter(part).map_or(0, |stat| stat.size))
    }

    /// Stages one content; gives why it was not staged if others may have it.
    pub(super) fn stage_one(
        &self,
        upload: &Upload,
        private: bool,
        index: usize,
        supply: &dyn Supply,
        buffer: &mut [u8],
        monitor: &Monitor,
    ) -> Item {
        let name = upload.file.hash.to_string();
        let mode = self.repo.modes().file(upload.file.exec, private);
        if self.inherited.load(Ordering::Relaxed) && self.adopt(&name, upload)? {
            self.objects.set_mode(&name, mode)?;
            self.objects.set_times(&name, upload.file.mtime)?;
            monitor.advanced(0, upload.file.size);
            return Ok(Ok(()));
        }
        let older = supply.older(index);
        let basis = self.basis(upload, older.as_ref())?;
        let begun = if basis.kept > 0 {
            // Opened first: what cannot be gone on with must not stand among what was proved.
            let left = self.adopted.open_to_write(&name);
            left.and_then(|left| {
                self.adopted.rename_new(&name, &self.objects, &name)?;
                Ok(left)
            })
        } else {
            self.objects.create_new(&name, 0o600)
        };
        let output = match begun {
            Err(e) if e.is_present() => {
                // An earlier call staged it.
                if private {
                    self.objects.set_mode(&name, mode)?;
                }
                monitor.advanced(0, upload.file.size);
                return Ok(Ok(()));
            }
            other => other?,
        };
        let older = older.filter(|_| basis.older).and_then(|o| self.open_older(upload, &o));
        let received = match supply.open(index, basis) {
            Ok(content) => {
                let onto = Onto { file: &output, older: older.as_ref(), kept: basis.kept };
                self.receive(content, &onto, upload, mode, buffer, monitor)
            }
            Err(e) if e.code == Code::Cancelled => Err(e),
            Err(e) => Ok(Err(Refusal::Supply(e))),
        };
        drop(output);
        match received {
            Ok(Ok(())) => Ok(Ok(())),
            Ok(Err(Refusal::Changed(changed))) => {
                self.remove(&name)?;
                if basis == Basis::NOTHING {
                    return Ok(Err(Refusal::Changed(changed)));
                }
                self.distrust(upload);
                self.stage_one(upload, private, index, supply, buffer, monitor)
            }
            Err(failure) if failure.code == Code::Space => {
                self.remove(&name)?;
                Err(failure)
            }
            other => {
                self.leave(&name)?;
                other
            }
        }
    }

    fn receive(
        &self,
        mut content: Content<'_>,
        onto: &Onto<'_>,
        upload: &Upload,
        mode: u32,
        buffer: &mut [u8],
        monitor: &Monitor,
    ) -> Item {
        let path = self.objects.at(upload.file.hash.to_string());
        let limit = upload.file.size;
        let mut assembly = Assembly::new(onto.file, onto.older);
        assembly.keep(onto.kept).map_err(|e| Failure::io("read", &path, e))?;
        monitor.advanced(0, onto.kept);
        let whole = loop {
            let part = match content.part(buffer) {
                Ok(Some(part)) => part,
                Ok(None) => break assembly.size() == limit,
                Err(e) => {
                    let failure = Failure::io("read", "the content to upload", e);
                    return Ok(Err(Refusal::Supply(failure)));
                }
            };
            let bytes = part.len();
            if bytes > limit - assembly.size() {
                // Whatever still comes, it is not what was promised: do not fill the disk with it.
                break false;
            }
            match assembly.append(part) {
                Ok(()) => {}
                Err(AssemblyError::Older(_)) => break false,
                Err(AssemblyError::Write(e)) => return Err(Failure::io("write", &path, e)),
            }
            monitor.advanced(0, bytes);
            monitor.check()?;
        };
        let (expected, found) = (upload.file.hash, assembly.end());
        if !whole || found != expected {
            return Ok(Err(Refusal::Changed(ContentChanged { expected, found })));
        }
        sys::fchmod(onto.file.as_fd(), Mode::from_raw_mode(mode))
            .map_err(|e| FsError::new("set the permissions of", &path, e))?;
        set_file_time(onto.file, &path, upload.file.mtime)?;
        Ok(Ok(()))
    }

    /// Takes over what a dead transaction staged, if it is whole. A beginning stays.
    fn adopt(&self, name: &str, upload: &Upload) -> Outcome<bool> {
        let Some(stat) = self.adopted.stat(name)? else { return Ok(false) };
        if is_ours(&stat) && stat.size < upload.file.size {
            return Ok(false);
        }
        let whole = is_ours(&stat)
            && stat.size == upload.file.size
            && hash_stably(&self.adopted, name.as_ref())?
                .is_some_and(|found| found.hash == upload.file.hash);
        if !whole {
            self.adopted.remove_tree(name)?;
            return Ok(false);
        }
        self.adopted.rename_new(name, &self.objects, name)?;
        Ok(true)
    }

    /// Leaves what came of a content to whoever asks for its rest.
    fn leave(&self, name: &str) -> Outcome<()> {
        let came = self.objects.stat(name).ok().flatten().map_or(0, |stat| stat.size);
        if came < WORTH_KEEPING || self.objects.rename_replacing(name, &self.adopted, name).is_err()
        {
            return self.remove(name);
        }
        self.inherited.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Removes what was not proved.
    fn remove(&self, name: &str) -> Outcome<()> {
        self.objects.remove_file(name).map_err(|e| {
            self.spoiled.store(true, Ordering::Relaxed);
            e.into()
        })
    }
}

/// What a content is received onto.
struct Onto<'f> {
    file: &'f File,
    older: Option<&'f File>,
    kept: u64,
}

/// Whether nobody else can write to a file that was left.
fn is_ours(stat: &Stat) -> bool {
    stat.kind == Kind::File && stat.nlink == 1 && stat.uid == rustix::process::geteuid().as_raw()
}
