//! What of some content a transaction does not have yet: what is sent over a wire, and no more.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use dsg_core::entry::Hash;
use dsg_core::failure::Outcome;
use dsg_core::repository::Upload;
use dsg_wire::delta::Basis;

use super::staging::{OlderFile, Staging};

impl Staging {
    /// The places of those uploads whose content [`Staging::stage`] will ask for, in the order in
    /// which it asks, with what is there of each: neither staged already, nor left whole by a dead
    /// transaction, nor the same as that of another one before it. What a dead one left is proved
    /// only when it is used: it may be asked for all the same. `older` is that of the
    /// [`Supply`](super::Supply).
    ///
    /// # Errors
    /// There is not enough space, or staging cannot be read.
    pub fn lacking(
        &self,
        uploads: &[Upload],
        older: &dyn Fn(usize) -> Option<OlderFile>,
    ) -> Outcome<Vec<(usize, Basis)>> {
        let twins = self.twins(uploads)?;
        let mut staged = HashSet::new();
        for name in self.objects.list()? {
            staged.extend(name.name.to_str().and_then(Hash::parse));
        }
        let mut left = HashMap::new();
        if self.inherited.load(Ordering::Relaxed) {
            for name in self.adopted.list()? {
                let Some(hash) = name.name.to_str().and_then(Hash::parse) else { continue };
                left.extend(self.adopted.stat(hash.to_string())?.map(|stat| (hash, stat.size)));
            }
        }
        let lacks = |place: &usize| {
            let file = &uploads[*place].file;
            !twins.later.contains(place)
                && !staged.contains(&file.hash)
                && left.get(&file.hash) != Some(&file.size)
        };
        let basis = |place| Ok((place, self.basis(&uploads[place], older(place).as_ref())?));
        (0..uploads.len()).filter(lacks).map(basis).collect()
    }
}
