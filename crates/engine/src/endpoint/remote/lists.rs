//! Lists that come from an agent, which may say what it likes.

use dsg_core::failure::Outcome;
use dsg_wire::frame::Kind;
use dsg_wire::list::{self, Line as Item};
use dsg_wire::message::Answer;

use super::line::Line;

/// No more bytes of a list are kept in memory, however few its lines are.
pub(super) const MOST_KEPT: u64 = 64 * 1024 * 1024;

/// How much of a list is taken.
#[derive(Clone, Copy)]
pub(super) struct Most {
    items: u64,
    bytes: u64,
}

impl Most {
    /// Of one that is kept here.
    pub(super) fn kept(items: u64) -> Self {
        Self { items, bytes: MOST_KEPT }
    }

    /// Of one that passes by.
    pub(super) fn passing(items: u64) -> Self {
        Self { items, bytes: u64::MAX }
    }
}

/// Hands on each item of a list, and gives the answer that ends it.
pub(super) fn each_item<T: Item>(
    line: &mut Line,
    most: Most,
    each: &mut dyn FnMut(&mut Line, T) -> Outcome<()>,
) -> Outcome<Answer> {
    let mut left = most;
    loop {
        let frame = line.next()?;
        match frame.kind {
            Kind::Lines => {
                let items = list::items::<T>(&frame.payload);
                let items = line.sound(items)?;
                let (count, bytes) = (items.len() as u64, frame.payload.len() as u64);
                if count > left.items || bytes > left.bytes {
                    return line.violated("a list that does not end");
                }
                left = Most { items: left.items - count, bytes: left.bytes - bytes };
                items.into_iter().try_for_each(|item| each(line, item))?;
            }
            Kind::Answer => return line.answer(&frame),
            other => return line.violated(format!("{other:?} in a list")),
        }
    }
}
