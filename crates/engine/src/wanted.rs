//! A repository that is named by less than an address. What is left out is taken from the project's
//! configuration, which may say where its repository is, and from the person's, which may say where
//! repositories are.

use std::path::{Path, PathBuf};

use dsg_core::address::{Address, Place};
use dsg_core::config::Demand;
use dsg_core::failure::{Code, Failure, Outcome};

use crate::{config_file, user_config};

/// Which repository somebody means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The one at this address.
    At(Address),
    /// A name alone: the one of this name in the default place; `here`, if there is no such place.
    Named {
        /// The name.
        name: String,
        /// The folder of this name where one stands.
        here: Address,
    },
    /// Nothing was said.
    LeftOut,
}

/// Where a copy comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The repository.
    pub address: Address,
    /// The folder whose configuration says so: it is to become the copy.
    pub folder: Option<PathBuf>,
}

impl Wanted {
    /// Where the new repository of the folder `root` shall be: as its configuration says, else in the default
    /// place, under the project's name (`called`, else the folder's).
    ///
    /// # Errors
    /// [`Code::Usage`]: nothing says it; a configuration cannot be used.
    pub fn for_new(&self, root: &Path, called: Option<&str>) -> Outcome<Address> {
        match self {
            Self::At(address) => Ok(address.clone()),
            Self::Named { name, here } => named(name, here),
            Self::LeftOut => {
                if let Some((address, _)) = said_in(root)?.filter(|(_, folder)| folder == root) {
                    return Ok(address);
                }
                let folder = root.file_name().and_then(|name| name.to_str());
                let place = default_place()?.ok_or_else(nothing_says)?;
                let name = called.or(folder).ok_or_else(nothing_says)?;
                held(&place, name)
            }
        }
    }

    /// Where a copy comes from; if nothing is said, as the configuration in the folder `start`, or in the
    /// nearest above it, says.
    ///
    /// # Errors
    /// As [`Wanted::for_new`].
    pub fn for_copy(&self, start: &Path) -> Outcome<Source> {
        let address = match self {
            Self::At(address) => address.clone(),
            Self::Named { name, here } => named(name, here)?,
            Self::LeftOut => {
                let (address, folder) = said_in(start)?.ok_or_else(nothing_to_copy)?;
                return Ok(Source { address, folder: Some(folder) });
            }
        };
        Ok(Source { address, folder: None })
    }
}

/// What the configuration in the folder `root` demands of the repository at this address.
///
/// # Errors
/// It cannot be used.
pub(crate) fn demand(root: &Path, address: &Address) -> Outcome<Demand> {
    let said = config_file::nearest(root)?.filter(|(folder, _)| folder == root);
    let said = said.filter(|(_, config)| config.repository.as_ref() == Some(address));
    Ok(said.map(|(_, config)| config.demand).unwrap_or_default())
}

/// Where the person's configuration says that repositories are.
///
/// # Errors
/// [`Code::Usage`]: it does not; it cannot be used.
pub fn place() -> Outcome<Place> {
    default_place()?.ok_or_else(|| {
        Failure::new(Code::Usage, "No default place for repositories is configured.")
            .hint(format!("{SAY}, or name a folder."))
    })
}

const SAY: &str = "Say default_host and default_project_path in ~/.config/dsg/dsg.yml";

fn default_place() -> Outcome<Option<Place>> {
    Ok(user_config::read()?.default_place())
}

fn named(name: &str, here: &Address) -> Outcome<Address> {
    default_place()?.map_or_else(|| Ok(here.clone()), |place| held(&place, name))
}

fn held(place: &Place, name: &str) -> Outcome<Address> {
    match place.holds(name) {
        Some(address) => address.map_err(|e| {
            Failure::new(Code::Usage, format!("{name:?} makes no address: {e}."))
                .hint("Give the whole address.")
        }),
        None => Err(Failure::new(
            Code::Usage,
            format!("The folder of {name:?} is not known: default_host is configured, and no default_project_path."),
        )
        .hint("Say default_project_path in ~/.config/dsg/dsg.yml, or give the whole address.")),
    }
}

/// What the configuration of the folder `start`, or of the nearest above that has one, says of the
/// repository; and that folder.
fn said_in(start: &Path) -> Outcome<Option<(Address, PathBuf)>> {
    let Some((folder, config)) = config_file::nearest(start)? else { return Ok(None) };
    Ok(config.repository.map(|address| (address, folder)))
}

fn nothing_says() -> Failure {
    Failure::new(Code::Usage, "No address is given, and no configuration says one.").hint(format!(
        "Give the address; or say repository in {}. {SAY} to use it for all.",
        config_file::NAME
    ))
}

fn nothing_to_copy() -> Failure {
    let message = format!("No address is given, and no {} here says one.", config_file::NAME);
    Failure::new(Code::Usage, message)
        .hint("Give the address. dsg list-repos default lists what there is in your default place.")
}
