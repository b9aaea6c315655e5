//! Repositories of the earlier DSG, as the window shows and takes them over.

use dsg_core::legacy;
use dsg_core::safety::Allow;
use dsg_core::snapshot::Legacy;
use dsg_engine::adopt::{self, AdoptOptions};

use super::Workbench;
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

impl Workbench {
    /// Adopts one, or shows what would be done.
    pub(super) fn adopt(&self, request: &AdoptRepository) -> Result<Adoption, ApiError> {
        let address = super::address(&request.address)?;
        let options = AdoptOptions {
            dry_run: request.dry_run,
            allow: request.as_it_stands.then_some(Allow::Drift).into_iter().collect(),
            ..AdoptOptions::default()
        };
        let about = address.to_string();
        let (adoption, _) = self.job(&request.ticket, &about, |monitor| {
            Ok(adopt::adopt(&address, &options, monitor)?)
        })?;
        Ok(told(adoption))
    }
}

fn told(adoption: legacy::Adoption) -> Adoption {
    Adoption {
        name: adoption.name,
        snapshots: adoption.snapshots,
        history: adoption.history.into_iter().map(past).collect(),
        files: adoption.totals.entries,
        bytes: adoption.totals.bytes,
        deviating: adoption.deviating,
        deviations: adoption
            .deviations
            .into_iter()
            .map(|deviation| Deviation { path: deviation.path, what: deviation.what.to_string() })
            .collect(),
        left_out: adoption.left_out,
        adopted: adoption.adopted.map(|header| header.id.to_string()),
    }
}

fn past(past: legacy::Past) -> PastSnapshot {
    let doubt = match past.list {
        Legacy::Proven => None,
        Legacy::Unproven => Some("Its list is not what its sums say."),
        Legacy::Missing => Some("Its list is lost: what it held is not known."),
    };
    PastSnapshot {
        id: past.id.to_string(),
        author: past.author,
        message: past.message,
        time: past.time.to_string(),
        files: past.totals.entries,
        bytes: past.totals.bytes,
        doubt: doubt.map(str::to_owned),
    }
}
