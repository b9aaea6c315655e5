//! Leaving paths alone from now on, or no longer: a rule more or less in the shared configuration.

use std::collections::BTreeSet;

use dsg_core::config::SharedConfig;
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

impl IgnoreRule {
    fn list<'c>(&self, config: &'c mut SharedConfig) -> (&'c mut BTreeSet<String>, &str) {
        match self {
            Self::Path(path) => (&mut config.ignore.paths, path),
            Self::Name(name) => (&mut config.ignore.names, name),
            Self::Suffix(suffix) => (&mut config.ignore.suffixes, suffix),
        }
    }
}

impl Project {
    /// Adds a rule to the configuration in the folder; the next sync shares it. The former file is
    /// in the trash. Gives whether the rule is new.
    ///
    /// # Errors
    /// [`Code::Config`] for what is no rule; the configuration cannot be read or written, or was
    /// changed meanwhile.
    pub fn ignore(&mut self, rule: &IgnoreRule, monitor: &Monitor) -> Outcome<bool> {
        self.change_rules("a rule was added to the configuration", monitor, |config| {
            let (list, text) = rule.list(config);
            list.insert(text.to_owned())
        })
    }

    /// Takes a rule out of the configuration in the folder, as [`Project::ignore`] adds one. Gives
    /// whether it was there.
    ///
    /// # Errors
    /// The configuration cannot be read or written, or was changed meanwhile.
    pub fn heed(&mut self, rule: &IgnoreRule, monitor: &Monitor) -> Outcome<bool> {
        self.change_rules("a rule was taken out of the configuration", monitor, |config| {
            let (list, text) = rule.list(config);
            list.remove(text)
        })
    }

    fn change_rules(
        &mut self,
        why: &str,
        monitor: &Monitor,
        change: impl FnOnce(&mut SharedConfig) -> bool,
    ) -> Outcome<bool> {
        let _ready = self.ready_to_change("ignore", monitor)?;
        let head = self.known_head()?;
        let seen = config_file::read(&self.root)?;
        let mut config = match &seen {
            Some(seen) => seen.clone(),
            None => self.configs(head.as_ref())?.merged,
        };
        if !change(&mut config) {
            return Ok(false);
        }
        let config = config.checked().map_err(|e| {
            Failure::new(Code::Config, format!("This cannot be ignored: {e}."))
                .hint("Choose another rule.")
        })?;
        let transaction = uuid::Uuid::now_v7().to_string();
        let key = super::trash::reason_key(&transaction);
        self.index.batch(|batch| batch.set_meta(&key, Some(why)))?;
        if config_file::replace(&self.dir, &transaction, seen.as_ref(), &config)? {
            return Ok(true);
        }
        let message = format!("{} was changed meanwhile, and stays as it is.", config_file::NAME);
        Err(Failure::new(Code::Config, message).hint("Try again."))
    }
}
