//! The three-way state of one path: local, cache (last sync), remote.

use serde::{Deserialize, Serialize};

use crate::entry::Entry;

/// What is known of a path in the project's folder. Only [`Local::Absent`] may delete anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Local {
    /// Looked for, and not there.
    Absent,
    /// There.
    Present(Entry),
    /// Cannot be known now, with the reason: unreadable, changing, not mounted.
    Unknown(String),
    /// Synced once, but the rules no longer track it.
    Excluded,
}

impl Local {
    /// The entry, if it is there.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Local::Present(entry) => Some(entry),
            _ => None,
        }
    }
}

/// The state of a path, named after who has it (`L`, `C`, `R`) and what equals what.
///
/// Fifteen come from presence and equality; the sixteenth, a clash, from its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum State {
    /// 111, all equal: in sync.
    LcrAllEq,
    /// 111, L=C≠R: changed remotely.
    LcrLEqC,
    /// 111, L=R≠C: the same change on both sides.
    LcrLEqR,
    /// 111, C=R≠L: changed locally.
    LcrCEqR,
    /// 111, all differ: conflict.
    LcrAllNe,
    /// 011, C=R: deleted locally.
    CrEq,
    /// 011, C≠R: deleted locally, changed remotely: conflict.
    CrNe,
    /// 101, L=R: both have it, no cache.
    LrEq,
    /// 101, L≠R: both added, differently: conflict.
    LrNe,
    /// 110, L=C: deleted remotely.
    LcEq,
    /// 110, L≠C: changed locally, deleted remotely: conflict.
    LcNe,
    /// 001: new remotely.
    R,
    /// 010: gone on both sides.
    C,
    /// 100: new locally.
    L,
    /// 000: nowhere.
    Nowhere,
    /// A file here against a directory of the same name there: conflict.
    Clash,
}

impl State {
    /// The state of one path by itself; total. Unknown and excluded local files are not here: see
    /// [`Local`].
    pub fn of(local: Option<&Entry>, cache: Option<&Entry>, remote: Option<&Entry>) -> Self {
        match (local, cache, remote) {
            (Some(l), Some(c), Some(r)) => match (l.same(c), l.same(r), c.same(r)) {
                (true, true, _) => Self::LcrAllEq,
                (true, false, _) => Self::LcrLEqC,
                (false, true, _) => Self::LcrLEqR,
                (false, false, true) => Self::LcrCEqR,
                (false, false, false) => Self::LcrAllNe,
            },
            (None, Some(c), Some(r)) => {
                if c.same(r) {
                    Self::CrEq
                } else {
                    Self::CrNe
                }
            }
            (Some(l), None, Some(r)) => {
                if l.same(r) {
                    Self::LrEq
                } else {
                    Self::LrNe
                }
            }
            (Some(l), Some(c), None) => {
                if l.same(c) {
                    Self::LcEq
                } else {
                    Self::LcNe
                }
            }
            (None, None, Some(_)) => Self::R,
            (None, Some(_), None) => Self::C,
            (Some(_), None, None) => Self::L,
            (None, None, None) => Self::Nowhere,
        }
    }

    /// The stable name, as `dsg status --json` gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LcrAllEq => "LCR.all_eq",
            Self::LcrLEqC => "LCR.L_eq_C",
            Self::LcrLEqR => "LCR.L_eq_R",
            Self::LcrCEqR => "LCR.C_eq_R",
            Self::LcrAllNe => "LCR.all_ne",
            Self::CrEq => "CR.eq",
            Self::CrNe => "CR.ne",
            Self::LrEq => "LR.eq",
            Self::LrNe => "LR.ne",
            Self::LcEq => "LC.eq",
            Self::LcNe => "LC.ne",
            Self::R => "R",
            Self::C => "C",
            Self::L => "L",
            Self::Nowhere => "none",
            Self::Clash => "clash",
        }
    }

    /// One sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::LcrAllEq => "In sync.",
            Self::LcrLEqC => "Changed in the repository since your last sync.",
            Self::LcrLEqR => "The same change was made here and in the repository.",
            Self::LcrCEqR => "Changed here since your last sync.",
            Self::LcrAllNe => "Changed here and, differently, in the repository.",
            Self::CrEq => "Deleted here since your last sync.",
            Self::CrNe => "Deleted here, but changed in the repository.",
            Self::LrEq => "The same file was added here and in the repository.",
            Self::LrNe => "Added here and, with other content, in the repository.",
            Self::LcEq => "Deleted in the repository since your last sync.",
            Self::LcNe => "Changed here, but deleted in the repository.",
            Self::R => "New in the repository.",
            Self::C => "Deleted here and in the repository.",
            Self::L => "New here.",
            Self::Nowhere => "Nowhere.",
            Self::Clash => "A file on one side, a folder of the same name on the other.",
        }
    }

    /// Whether a person must decide.
    pub fn is_conflict(self) -> bool {
        matches!(self, Self::LcrAllNe | Self::CrNe | Self::LrNe | Self::LcNe | Self::Clash)
    }
}
