//! The places after each change of a pool or of a mount, where tests end the process.

use dsg_fs::crash::CrashPoint;

crate::crash::points! {
    /// A program ended, whatever it did.
    RAN = "zfs.ran",
    /// An empty dataset for a first publish exists.
    CREATED = "zfs.created",
    /// It belongs to whoever asked.
    OWNED = "zfs.owned",
    /// A clone exists, with its properties.
    CLONED = "zfs.cloned",
    /// One grant was carried to it.
    GRANTED = "zfs.granted",
    /// Something is mounted privately.
    MOUNTED = "zfs.mounted",
    /// It is decided.
    DECIDED = "zfs.decided",
    /// The old dataset is read-only, and nothing mounts it any more.
    RETIRED = "zfs.retired",
    /// The old dataset has its other name.
    STEPPED_ASIDE = "zfs.stepped-aside",
    /// The new one has the repository's name.
    PLACE_TAKEN = "zfs.place-taken",
    /// The new one is mounted beneath the old one.
    BENEATH = "zfs.beneath",
    /// A mount went.
    UNMOUNTED = "zfs.unmounted",
    /// The new one stands at its mount point.
    SWITCHED = "zfs.switched",
    /// It is mounted at boot again.
    SETTLED = "zfs.settled",
    /// A former or an abandoned dataset is gone.
    DESTROYED = "zfs.destroyed",
    /// The live tree is held still in a snapshot.
    FROZEN = "zfs.frozen",
    /// A snapshot is gone.
    DROPPED = "zfs.dropped",
}
