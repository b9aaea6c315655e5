//! The project's configuration file, written as a person wants it.

use dsg_core::config::form::File;
use dsg_core::failure::Outcome;
use dsg_core::monitor::Monitor;

use super::Project;
use crate::config_file;
use crate::settings::{changed_meanwhile, proved};

impl Project {
    /// Writes `text` in place of what was `seen`; the next sync shares what it says. The former file is in
    /// the trash.
    ///
    /// # Errors
    /// [`Code::Config`](dsg_core::failure::Code::Config): the text is broken, or the file is not what was
    /// seen; it cannot be written. Then all is as before.
    pub fn configure(&mut self, seen: Option<&str>, text: &str, monitor: &Monitor) -> Outcome<()> {
        let path = self.root.join(config_file::NAME);
        proved(File::Project, &path, text)?;
        let _ready = self.ready_to_change("configure", monitor)?;
        let transaction = uuid::Uuid::now_v7().to_string();
        let key = super::trash::reason_key(&transaction);
        self.index.batch(|batch| batch.set_meta(&key, Some("the configuration was changed")))?;
        if config_file::put(&self.dir, &transaction, seen, text)? {
            return Ok(());
        }
        self.index.batch(|batch| batch.set_meta(&key, None))?;
        Err(changed_meanwhile(&path))
    }
}
