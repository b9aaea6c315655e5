//! Leaving paths alone from now on: a rule more in the shared configuration.

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;

use super::Project;
use crate::config_file;

/// A rule of the shared configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IgnoreRule {
    /// This path, with all below.
    Path(String),
    /// Everything of this name.
    Name(String),
    /// Files whose name ends so.
    Suffix(String),
}

impl Project {
    /// Adds a rule to the configuration in the folder; the next sync shares it. The former file is
    /// in the trash. Gives whether the rule is new.
    ///
    /// # Errors
    /// [`Code::Config`] for what is no rule; the configuration cannot be read or written, or was
    /// changed meanwhile.
    pub fn ignore(&mut self, rule: &IgnoreRule, monitor: &Monitor) -> Outcome<bool> {
        let _ready = self.ready_to_change("ignore", monitor)?;
        let head = self.known_head()?;
        let seen = config_file::read(&self.root)?;
        let mut config = match &seen {
            Some(seen) => seen.clone(),
            None => self.configs(head.as_ref())?.merged,
        };
        let added = match rule {
            IgnoreRule::Path(path) => config.ignore.paths.insert(path.clone()),
            IgnoreRule::Name(name) => config.ignore.names.insert(name.clone()),
            IgnoreRule::Suffix(suffix) => config.ignore.suffixes.insert(suffix.clone()),
        };
        if !added {
            return Ok(false);
        }
        let config = config.checked().map_err(|e| {
            Failure::new(Code::Config, format!("This cannot be ignored: {e}."))
                .hint("Choose another rule.")
        })?;
        let transaction = uuid::Uuid::now_v7().to_string();
        let why = "a rule was added to the configuration";
        let key = super::trash::reason_key(&transaction);
        self.index.batch(|batch| batch.set_meta(&key, Some(why)))?;
        if config_file::replace(&self.dir, &transaction, seen.as_ref(), &config)? {
            return Ok(true);
        }
        let message = format!("{} was changed meanwhile; nothing was added.", config_file::NAME);
        Err(Failure::new(Code::Config, message).hint("Try again."))
    }
}
