//! A repository of the earlier DSG, made one of ours; and a working folder of it, told from ours.

use std::collections::BTreeSet;
use std::path::Path;

use dsg_core::address::Address;
use dsg_core::config::ProjectConfig;
use dsg_core::failure::{Code, Failure, Outcome, shell_word};
use dsg_core::legacy::{Adoption, LAST_SYNC};
use dsg_core::monitor::Monitor;
use dsg_core::safety::Allow;
use dsg_host::tree::Wish;

use crate::endpoint;
use crate::project::authorship;
use crate::{author, config_file};

/// How a repository of the earlier DSG shall be adopted.
#[derive(Clone, Debug, Default)]
pub struct AdoptOptions {
    /// Why; a sentence of ours if it is empty.
    pub message: String,
    /// Only to be shown.
    pub dry_run: bool,
    /// [`Allow::Drift`]: also if something is not as it was left. The others mean nothing here.
    pub allow: BTreeSet<Allow>,
}

/// Adopts the repository of the earlier DSG at an address, in one transaction: its snapshots keep their
/// numbers, the next one is the adoption, its files stay where they are. Or shows what would be done.
///
/// # Errors
/// Nothing was changed then. [`Code::NoRepository`]: none of the earlier DSG is there; [`Code::Exists`]: it
/// is ours already; [`Code::Locked`]; [`Code::Drift`]; it cannot be reached, read or written.
pub fn adopt(address: &Address, options: &AdoptOptions, monitor: &Monitor) -> Outcome<Adoption> {
    let message = if options.message.is_empty() {
        "Adopted from the earlier DSG"
    } else {
        options.message.as_str()
    };
    let wish = Wish {
        authorship: authorship(author::author()?, message),
        dry_run: options.dry_run,
        drift: options.allow.contains(&Allow::Drift),
    };
    endpoint::adopt(address, &wish, monitor)
}

/// The failure of what needs a project, where a working folder of the earlier DSG stands.
pub(crate) fn working_folder(root: &Path) -> Option<Failure> {
    if !root.join(LAST_SYNC).is_file() {
        return None;
    }
    let text = std::fs::read_to_string(root.join(config_file::NAME)).ok();
    let config = text.and_then(|text| ProjectConfig::read(&text).ok());
    let repository = config.and_then(|config| config.repository);
    let address = repository.map_or_else(|| "ADDRESS".to_owned(), |at| shell_word(&at.to_string()));
    let here = shell_word(&root.to_string_lossy());
    let message = format!("{} is a working folder of the earlier DSG.", root.display());
    Some(Failure::new(Code::Legacy, message).hint(format!(
        "Once for all who work with its repository, unless somebody did: dsg adopt {address}\nThen make this folder a copy of it, with all that it holds and nothing overwritten: dsg clone --attach {address} {here}"
    )))
}
