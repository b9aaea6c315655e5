//! Bytes as they may come from anybody, taken apart in every way that there is: for the laws and for
//! the fuzzer.

use dsg_core::failure::Failure;
use dsg_core::manifest::Change;
use dsg_core::path::RepoPath;
use dsg_core::places::{Folder, Lease, Listed};
use dsg_core::repository::Upload;
use dsg_core::snapshot::{SnapshotHeader, SnapshotId};
use dsg_wire::chunks::Chunks;
use dsg_wire::content;
use dsg_wire::delta::Parts;
use dsg_wire::frame::{self, Frame};
use dsg_wire::hello::Hello;
use dsg_wire::intake::Intake;
use dsg_wire::list::{self, Found, Have, Older, OlderChunks, Refused, Traced, Want};
use dsg_wire::message::{Answer, EventText, FailureText, Request};
use dsg_wire::told::Lists;

/// Whatever may be made of a frame is tried.
fn take_apart(frame: &Frame) {
    assert!(frame.payload.len() <= frame.kind.cap());
    let _ = Request::read(frame);
    let _ = Answer::read(frame);
    let _ = FailureText::read(frame).map(Failure::from);
    let _ = EventText::read(frame);
    let payload = &frame.payload[..];
    let _ = list::items::<Change>(payload);
    let _ = list::items::<SnapshotHeader>(payload);
    let _ = list::items::<RepoPath>(payload);
    let _ = list::items::<list::Copy>(payload);
    let _ = list::items::<Upload>(payload);
    let _ = list::items::<Traced>(payload);
    let _ = list::items::<Want>(payload);
    let _ = list::items::<Older>(payload);
    let _ = list::items::<Have>(payload).is_ok_and(|have| Lists::announced(&have).is_ok());
    let _ = Chunks::unpack(65536, payload.to_vec());
    let count = 1;
    let have = Have { file: 0, kept: 0, older: Some(OlderChunks::Told { average: 65536, count }) };
    let _ = Lists::announced([&have]).map(|mut lists| lists.take(frame).is_ok());
    let _ = list::items::<SnapshotId>(payload);
    let _ = list::items::<Refused>(payload);
    let _ = list::items::<Found>(payload);
    let _ = list::items::<Folder>(payload);
    let _ = list::items::<Listed>(payload);
    let _ = list::items::<Lease>(payload);
    for piece in content::pieces(payload).into_iter().flatten() {
        assert!(payload.get(piece.bytes).is_some());
    }
    let intake = Intake::new(0..3);
    let _ = intake.deliver(frame.clone());
    intake.close();
    for number in 0..4 {
        if let Ok(mut arrival) = intake.open(number) {
            while matches!(arrival.part(), Ok(Some(_))) {}
        }
    }
}

/// Reads frames until there is none.
pub fn take_all_apart(mut bytes: &[u8]) {
    let _ = Hello::read(&mut &bytes[..], 1000);
    while let Ok(Some(frame)) = frame::read(&mut bytes) {
        take_apart(&frame);
    }
}
