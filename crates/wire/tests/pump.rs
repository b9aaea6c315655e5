//! A transfer whose other side goes away.

use std::time::Duration;

use crossbeam_channel::bounded;
use dsg_core::failure::{Failure, Outcome};
use dsg_wire::delta::Content;
use dsg_wire::pump::{Cargo, Opened, pump};

/// Files of which each fills a load.
struct Tiles(usize);

const SIZE: usize = 2 << 20;

impl Cargo for Tiles {
    fn count(&self) -> usize {
        self.0
    }

    fn number(&self, place: usize) -> u32 {
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    fn weight(&self, _: usize) -> u64 {
        SIZE as u64
    }

    fn open(&self, _: usize) -> Outcome<Opened<'_>> {
        let content = std::io::Read::take(std::io::repeat(7), SIZE as u64);
        Ok((Content::Bytes(Box::new(content)), false))
    }

    fn refused(&self, _: usize, why: Failure) -> Outcome<()> {
        Err(why)
    }
}

#[test]
fn a_transfer_that_fails_ends_whatever_was_read_ahead() {
    let (told, ended) = bounded(1);
    std::thread::spawn(move || {
        let mut sent = 0;
        let result = pump(&Tiles(200), &mut |_| {
            sent += 1;
            if sent > 3 { Err(Failure::cancelled()) } else { Ok(()) }
        });
        told.send(result.is_err())
    });
    assert_eq!(ended.recv_timeout(Duration::from_secs(60)), Ok(true), "it waits for ever");
}
