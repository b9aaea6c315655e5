//! Content that comes in: the agent says what it lacks, the engine sends that in one go, and the
//! store's workers take it as it comes. What turns out to be lacking later (a refused file whose
//! twin may have the content, something inherited that is damaged) is asked for in another round.

use std::collections::HashSet;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

use crossbeam_channel::Receiver;
use dsg_core::entry::Hash;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::repository::Upload;
use dsg_host::tree::{Refusal, Staging, Supply};
use dsg_wire::frame::{Kind, WireError};
use dsg_wire::intake::Intake;
use dsg_wire::list::{Refused, RefusedText, Run};
use dsg_wire::message::{Answer, FailureText};

use crate::out::Out;
use crate::serve::{Agent, Incoming};

/// What is refused, with why, and what has to be asked for in another round: both by their places.
type Left = (Vec<(usize, Refusal)>, Vec<usize>);

/// One round of staging: which uploads, by their first numbers.
struct Round {
    uploads: Vec<Upload>,
    /// The number of each; `None`: its place.
    numbers: Option<Vec<u32>>,
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
        monitor: &Monitor,
    ) -> Outcome<Answer> {
        let mut round = Round { uploads: self.list::<Upload>(uploads)?, numbers: None };
        let unknown = || WireError::Damaged("a transaction that was not begun here".into());
        let staging = self.transactions.get(transaction).ok_or_else(unknown)?;
        let mut refused: Vec<(u32, Hash, Refusal)> = Vec::new();
        let mut staged_later = HashSet::new();
        loop {
            let (refusals, again) = self.round(staging, &round, monitor)?;
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

    fn round(&self, staging: &Staging, round: &Round, monitor: &Monitor) -> Outcome<Left> {
        let wanted = staging.lacking(&round.uploads)?;
        let numbers: Vec<u32> = wanted.iter().map(|&place| round.number(place)).collect();
        let supply = Coming {
            round,
            intake: Intake::new(numbers.clone().into_iter()),
            wanted,
            unasked: Mutex::default(),
        };
        let staged = if numbers.is_empty() {
            staging.stage(&round.uploads, &supply, monitor)
        } else {
            want(&self.out, &numbers)?;
            drop(numbers);
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

/// Says what is wanted.
fn want(out: &Out, numbers: &[u32]) -> Outcome<()> {
    let mut runs: Vec<Run> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some(Run(first, count)) if *first + *count == number => *count += 1,
            _ => runs.push(Run(number, 1)),
        }
    }
    out.list(Kind::Want, &runs)?;
    out.ask(&Answer::Wanted { uploads: numbers.len() as u64 })
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
    /// The places of what was asked for, sorted.
    wanted: Vec<usize>,
    /// The places of what would have to be asked for.
    unasked: Mutex<Vec<usize>>,
}

impl Supply for Coming<'_> {
    fn open(&self, place: usize) -> Outcome<Box<dyn Read + Send + '_>> {
        if self.wanted.binary_search(&place).is_err() {
            self.unasked.lock().unwrap_or_else(PoisonError::into_inner).push(place);
            return Err(Failure::new(Code::NotFound, "This content was not asked for yet."));
        }
        match self.intake.open(self.round.number(place)) {
            Ok(arrival) => Ok(Box::new(arrival)),
            Err(e) => Err(Failure::new(Code::Io, "The content could not be read.").because(e)),
        }
    }
}
