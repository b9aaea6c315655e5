//! Content that comes in: the agent says what it lacks, the engine sends that in one go, and the
//! store's workers take it as it comes. What turns out to be lacking later (a refused file whose
//! twin may have the content, something inherited that is damaged, what did not prove itself when it
//! was built on what is there) is asked for in another round.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crossbeam_channel::Receiver;
use dsg_core::entry::Hash;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::repository::Upload;
use dsg_host::tree::{OlderFile, Refusal, Staging, Supply};
use dsg_wire::chunks::{Chunks, MOST_CHUNKS, estimate};
use dsg_wire::delta::{Basis, Content};
use dsg_wire::frame::{Kind, WireError};
use dsg_wire::intake::Intake;
use dsg_wire::list::{Have, Older, OlderChunks, Refused, RefusedText, Run, Want};
use dsg_wire::message::{Answer, FailureText};
use dsg_wire::told;

use crate::serve::{Agent, Incoming};

/// What is refused, with why, and what has to be asked for in another round: both by their places.
type Left = (Vec<(usize, Refusal)>, Vec<usize>);

/// One round of staging: which uploads, by their first numbers.
struct Round {
    uploads: Vec<Upload>,
    /// The number of each; `None`: its place.
    numbers: Option<Vec<u32>>,
}

/// What is wanted in a round.
#[derive(Default)]
struct Wants {
    lines: Vec<Want>,
    /// The chunks that some lines announce.
    chunks: Vec<Chunks>,
    /// The places of what is wanted, sorted, with what is there.
    places: Vec<(usize, Basis)>,
}

impl Wants {
    fn push(&mut self, number: u32, place: usize, basis: Basis, older: Option<OlderChunks>) {
        self.places.push((place, basis));
        if basis != Basis::NOTHING {
            self.lines.push(Want::Rest(Have { file: number, kept: basis.kept, older }));
            return;
        }
        match self.lines.last_mut() {
            Some(Want::Run(Run(first, count))) if *first + *count == number => *count += 1,
            _ => self.lines.push(Want::Run(Run(number, 1))),
        }
    }
}

impl Round {
    fn number(&self, place: usize) -> u32 {
        let own = || u32::try_from(place).unwrap_or(u32::MAX);
        self.numbers.as_ref().map_or_else(own, |numbers| numbers[place])
    }
}

impl Agent {
    pub(crate) fn stage(
        &self,
        transaction: &str,
        uploads: u64,
        older: u64,
        monitor: &Monitor,
    ) -> Outcome<Answer> {
        let mut round = Round { uploads: self.list::<Upload>(uploads)?, numbers: None };
        let older = self.list::<Older>(older)?;
        let in_order = older.is_sorted_by(|a, b| a.upload < b.upload);
        if !in_order || older.last().is_some_and(|last| u64::from(last.upload) >= uploads) {
            return Err(WireError::Damaged("an older version of no upload".into()).into());
        }
        let older: HashMap<u32, Older> = older.into_iter().map(|o| (o.upload, o)).collect();
        let unknown = || WireError::Damaged("a transaction that was not begun here".into());
        let staging = self.transactions.get(transaction).ok_or_else(unknown)?;
        let mut refused: Vec<(u32, Hash, Refusal)> = Vec::new();
        let mut staged_later = HashSet::new();
        loop {
            let (refusals, again) = self.round(staging, &round, &older, monitor)?;
            if round.numbers.is_some() {
                let left: HashSet<usize> =
                    refusals.iter().map(|(place, _)| *place).chain(again.iter().copied()).collect();
                let staged = (0..round.uploads.len()).filter(|place| !left.contains(place));
                staged_later.extend(staged.map(|place| round.uploads[place].file.hash));
            }
            refused.extend(refusals.into_iter().map(|(place, refusal)| {
                (round.number(place), round.uploads[place].file.hash, refusal)
            }));
            if again.is_empty() {
                break;
            }
            round = Round {
                uploads: again.iter().map(|&place| round.uploads[place]).collect(),
                numbers: Some(again.iter().map(|&place| round.number(place)).collect()),
            };
        }
        // Whose content came from a twin is staged too.
        let lines: Vec<Refused> = refused
            .into_iter()
            .filter(|(_, hash, _)| !staged_later.contains(hash))
            .map(|(index, _, refusal)| Refused { index, why: text(&refusal) })
            .collect();
        self.out.list(Kind::Lines, &lines)?;
        Ok(Answer::Staged { refused: lines.len() as u64 })
    }

    fn round(
        &self,
        staging: &Staging,
        round: &Round,
        older: &HashMap<u32, Older>,
        monitor: &Monitor,
    ) -> Outcome<Left> {
        let Wants { lines, chunks, places } = wants(staging, round, older, monitor)?;
        let numbers: Vec<u32> = places.iter().map(|(place, _)| round.number(*place)).collect();
        let wanted = numbers.len() as u64;
        let supply = Coming {
            round,
            intake: Intake::new(numbers.into_iter()),
            older,
            wanted: places,
            unasked: Mutex::default(),
        };
        let staged = if wanted == 0 {
            staging.stage(&round.uploads, &supply, monitor)
        } else {
            self.out.list(Kind::Want, &lines)?;
            drop(lines);
            for list in chunks {
                told::frames(&list)?.iter().try_for_each(|frame| self.out.send(frame))?;
            }
            self.out.ask(&Answer::Wanted { uploads: wanted })?;
            std::thread::scope(|scope| {
                let (incoming, intake) = (&self.incoming, &supply.intake);
                let taking = scope.spawn(move || take_in(incoming, intake));
                let staged = staging.stage(&round.uploads, &supply, monitor);
                // Nobody takes what still comes.
                supply.intake.discard();
                if staged.is_err() {
                    self.out.no_more()?;
                }
                let taken = taking.join().unwrap_or_else(|_| Err(WireError::Cut.into()));
                taken.and(staged)
            })
        };
        let refused = staged?;
        let unasked = supply.unasked.into_inner().unwrap_or_else(PoisonError::into_inner);
        let again: HashSet<usize> = unasked.into_iter().collect();
        let (again, refused): (Vec<_>, Vec<_>) =
            refused.into_iter().partition(|(place, _)| again.contains(place));
        let mut again: Vec<usize> = again.into_iter().map(|(place, _)| place).collect();
        again.sort_unstable();
        Ok((refused, again))
    }
}

fn text(refusal: &Refusal) -> RefusedText {
    match refusal {
        Refusal::Changed(changed) => {
            RefusedText::Changed { expected: changed.expected, found: changed.found }
        }
        Refusal::Supply(failure) => RefusedText::Failed(FailureText::from(failure)),
    }
}

/// What is wanted now: what tells too many chunks waits for another round.
fn wants(
    staging: &Staging,
    round: &Round,
    older: &HashMap<u32, Older>,
    monitor: &Monitor,
) -> Outcome<Wants> {
    let at = |place| older.get(&round.number(place));
    let mut wants = Wants::default();
    let mut left = MOST_CHUNKS;
    for (place, basis) in staging.lacking(&round.uploads, &|place| at(place).map(file))? {
        let number = round.number(place);
        let Some(there) = at(place).filter(|_| basis.older) else {
            wants.push(number, place, basis, None);
            continue;
        };
        if there.known {
            wants.push(number, place, basis, Some(OlderChunks::Known));
            continue;
        }
        if estimate(there.size) > left as u64 && !wants.chunks.is_empty() {
            continue;
        }
        monitor.check()?;
        match staging.chunks(&file(there)) {
            Ok(list) if !list.is_empty() && list.len() <= left => {
                left -= list.len();
                wants.push(number, place, basis, Some(told::announced(&list)));
                wants.chunks.push(list);
            }
            _ => {
                staging.distrust(&round.uploads[place]);
                wants.push(number, place, Basis::NOTHING, None);
            }
        }
    }
    Ok(wants)
}

fn file(older: &Older) -> OlderFile {
    OlderFile { path: older.path.clone(), size: older.size }
}

/// Takes content in until its end.
fn take_in(incoming: &Receiver<Incoming>, intake: &Intake) -> Outcome<()> {
    let taken = loop {
        match Agent::next_frame(incoming) {
            Ok(frame) if frame.kind == Kind::ContentEnd => break Ok(()),
            Ok(frame) => {
                if let Err(e) = intake.deliver(frame) {
                    break Err(e.into());
                }
            }
            Err(e) => break Err(e),
        }
    };
    intake.close();
    taken
}

/// Content as it comes.
struct Coming<'a> {
    round: &'a Round,
    intake: Intake,
    older: &'a HashMap<u32, Older>,
    /// The places of what was asked for, sorted, with what was there.
    wanted: Vec<(usize, Basis)>,
    /// The places of what would have to be asked for.
    unasked: Mutex<Vec<usize>>,
}

impl Supply for Coming<'_> {
    fn open(&self, place: usize, basis: Basis) -> Outcome<Content<'_>> {
        let asked = self.wanted.binary_search_by_key(&place, |(place, _)| *place);
        if asked.is_ok_and(|asked| self.wanted[asked].1 != basis) {
            // It comes all the same, on a ground that is gone.
            self.intake.leave(self.round.number(place));
        }
        if asked.ok().is_none_or(|asked| self.wanted[asked].1 != basis) {
            self.unasked.lock().unwrap_or_else(PoisonError::into_inner).push(place);
            return Err(Failure::new(Code::NotFound, "This content was not asked for yet."));
        }
        match self.intake.open(self.round.number(place)) {
            Ok(arrival) => Ok(Content::Parts(Box::new(arrival))),
            Err(e) => Err(Failure::new(Code::Io, "The content could not be read.").because(e)),
        }
    }

    fn older(&self, place: usize) -> Option<OlderFile> {
        self.older.get(&self.round.number(place)).map(file)
    }
}
