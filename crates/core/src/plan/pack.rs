//! How an item lies in a packed list.

use serde::{Deserialize, Serialize};

use super::{Action, Item, PathState, Resolution};
use crate::entry::Entry;
use crate::packed::{EntryRest, Pack};
use crate::path::RepoPath;
use crate::snapshot::SnapshotId;
use crate::state::{Local, State};

/// What each side has; what is as it was synced is told once.
#[derive(Serialize, Deserialize)]
pub struct SidesRest<'a> {
    #[serde(borrow)]
    local: LocalRest<'a>,
    #[serde(borrow)]
    cache: Option<(EntryRest<'a>, SnapshotId)>,
    #[serde(borrow)]
    remote: RemoteRest<'a>,
}

#[derive(Serialize, Deserialize)]
enum LocalRest<'a> {
    Absent,
    AsSynced,
    #[serde(borrow)]
    Present(EntryRest<'a>),
    Unknown(&'a str),
    Excluded,
}

#[derive(Serialize, Deserialize)]
enum RemoteRest<'a> {
    Absent,
    AsSynced,
    #[serde(borrow)]
    Present(EntryRest<'a>),
}

/// An item without its path.
#[derive(Serialize, Deserialize)]
pub struct ItemRest<'a> {
    #[serde(borrow)]
    sides: SidesRest<'a>,
    state: State,
    action: Action,
    #[serde(borrow)]
    moved: Option<(&'a str, SidesRest<'a>)>,
    clash: Option<&'a str>,
    resolution: Option<Resolution>,
}

impl PathState {
    fn sides(&self) -> SidesRest<'_> {
        let cached = self.cached();
        SidesRest {
            local: match &self.local {
                Local::Absent => LocalRest::Absent,
                Local::Present(entry) if Some(entry) == cached => LocalRest::AsSynced,
                Local::Present(entry) => LocalRest::Present(entry.into()),
                Local::Unknown(why) => LocalRest::Unknown(why),
                Local::Excluded => LocalRest::Excluded,
            },
            cache: self.cache.as_deref().map(|(entry, snapshot)| (entry.into(), *snapshot)),
            remote: match &self.remote {
                None => RemoteRest::Absent,
                Some(entry) if Some(entry) == cached => RemoteRest::AsSynced,
                Some(entry) => RemoteRest::Present(entry.into()),
            },
        }
    }

    fn of(path: RepoPath, sides: SidesRest<'_>) -> Self {
        let cache = sides.cache.map(|(entry, snapshot)| Box::new((Entry::from(entry), snapshot)));
        let synced = || cache.as_deref().map(|(entry, _)| entry.clone());
        Self {
            local: match sides.local {
                LocalRest::Absent => Local::Absent,
                LocalRest::AsSynced => synced().map_or(Local::Absent, Local::Present),
                LocalRest::Present(entry) => Local::Present(entry.into()),
                LocalRest::Unknown(why) => Local::Unknown(why.to_owned()),
                LocalRest::Excluded => Local::Excluded,
            },
            remote: match sides.remote {
                RemoteRest::Absent => None,
                RemoteRest::AsSynced => synced(),
                RemoteRest::Present(entry) => Some(entry.into()),
            },
            cache,
            path,
        }
    }
}

impl Pack for Item {
    type Rest<'a> = ItemRest<'a>;

    fn path(&self) -> &RepoPath {
        &self.at.path
    }

    fn rest(&self) -> ItemRest<'_> {
        ItemRest {
            sides: self.at.sides(),
            state: self.state,
            action: self.action.clone(),
            moved: self.moved.as_deref().map(|at| (at.path.as_str(), at.sides())),
            clash: self.clash.as_ref().map(RepoPath::as_str),
            resolution: self.resolution,
        }
    }

    fn unpack(path: RepoPath, rest: ItemRest<'_>) -> Self {
        Self {
            at: PathState::of(path, rest.sides),
            state: rest.state,
            action: rest.action,
            moved: rest
                .moved
                .map(|(path, sides)| Box::new(PathState::of(RepoPath::proved(path), sides))),
            clash: rest.clash.map(RepoPath::proved),
            resolution: rest.resolution,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::{FileEntry, Hash, LinkTarget, Mtime};
    use crate::packed::Packed;

    fn entries() -> impl Strategy<Value = Entry> {
        let file = (any::<u64>(), any::<i64>(), any::<bool>(), 0_u8..3);
        let file = file.prop_map(|(size, mtime, exec, content)| {
            let hash = Hash::of(&[content]);
            Entry::File(FileEntry { size, mtime: Mtime(mtime), exec, hash })
        });
        prop_oneof![4 => file, 1 => Just(Entry::Link(LinkTarget::proved("../über/a")))]
    }

    fn sides() -> impl Strategy<Value = PathState> {
        let local = prop_oneof![
            Just(Local::Absent),
            Just(Local::Excluded),
            Just(Local::Unknown("nobody may read it".into())),
            entries().prop_map(Local::Present),
        ];
        let optional = || proptest::option::of(entries());
        let twins = (any::<bool>(), any::<bool>());
        (local, optional(), optional(), twins, 1_u64..9).prop_map(
            |(local, cache, remote, (same_here, same_there), number)| {
                let snapshot = SnapshotId::new(number).unwrap();
                let mut at = PathState {
                    path: "data/é/b.csv".parse().unwrap(),
                    local,
                    cache: cache.map(|entry| Box::new((entry, snapshot))),
                    remote,
                };
                if let (true, Some(entry)) = (same_here, at.cached().cloned()) {
                    at.local = Local::Present(entry);
                }
                if let (true, Some(entry)) = (same_there, at.cached().cloned()) {
                    at.remote = Some(entry);
                }
                at
            },
        )
    }

    fn actions() -> impl Strategy<Value = Action> {
        let other: RepoPath = "data/former name".parse().unwrap();
        prop_oneof![
            Just(Action::Upload),
            Just(Action::Conflict),
            Just(Action::Blocked("not now".into())),
            Just(Action::MoveLocal { from: other.clone() }),
            Just(Action::KeepBoth { aside: other }),
        ]
    }

    proptest! {
        #[test]
        fn an_item_comes_back_as_it_went(
            at in sides(),
            moved in proptest::option::of(sides()),
            action in actions(),
            clash: bool,
            resolution in proptest::option::of(Just(Resolution::Both)),
        ) {
            let clash = clash.then(|| "data".parse().unwrap());
            let state = at.state();
            let item = Item { at, state, action, moved: moved.map(Box::new), clash, resolution };
            let mut packed = Packed::default();
            prop_assert!(packed.push(&item));
            prop_assert_eq!(packed.get(0), Some(item));
        }
    }
}
