//! What is wrong in a configuration file: where, what, and how to mend it. All of it at once.

use std::fmt::{self, Write as _};

/// A place in a file, for people: counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// Where in it.
    pub column: usize,
    /// How many characters of the line are meant; at least one.
    pub length: usize,
}

impl Place {
    /// Where a file begins.
    pub const START: Self = Self { line: 1, column: 1, length: 1 };
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub place: Place,
    /// What, as one sentence without a full stop.
    pub what: String,
    /// How to mend it, likewise; or a question with its mark.
    pub mend: String,
}

/// All that is wrong in one file, in its order; and what is right but without effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What makes the file useless.
    pub mistakes: Vec<Mistake>,
    /// What is read, and has no effect in this version.
    pub notes: Vec<Mistake>,
}

impl Findings {
    pub(super) fn wrong(&mut self, place: Place, what: impl Into<String>, mend: impl Into<String>) {
        self.mistakes.push(Mistake { place, what: what.into(), mend: mend.into() });
    }

    pub(super) fn note(&mut self, place: Place, what: impl Into<String>, mend: impl Into<String>) {
        self.notes.push(Mistake { place, what: what.into(), mend: mend.into() });
    }

    /// In the order of the file.
    pub(super) fn sorted(mut self) -> Self {
        self.mistakes.sort_by_key(|mistake| mistake.place);
        self.notes.sort_by_key(|note| note.place);
        self
    }
}

/// A file whose mistakes stand beside its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong; never nothing.
    pub mistakes: Vec<Mistake>,
    text: String,
}

impl std::error::Error for Broken {}

impl Broken {
    pub(super) fn new(mistakes: Vec<Mistake>, text: &str) -> Self {
        Self { mistakes, text: text.to_owned() }
    }

    /// All of it with the lines concerned; each begins with the file's name.
    pub fn told_of(&self, file: &str) -> String {
        let all = self.mistakes.iter().map(|mistake| shown(file, &self.text, mistake));
        all.collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.told_of("line").trim_end())
    }
}

/// One mistake with its line, what is meant underlined.
pub fn shown(file: &str, text: &str, mistake: &Mistake) -> String {
    let Mistake { place, what, mend } = mistake;
    let Place { line, column, length } = *place;
    let mut told = format!("{file}:{line}:{column}: {what}.\n");
    // Tabs stand for themselves in both lines, and nothing may steer a terminal.
    let tame = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    if let Some(source) = text.lines().nth(line.saturating_sub(1)).filter(|l| !l.trim().is_empty())
    {
        let margin: String =
            source.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let source: String = source.chars().map(tame).collect();
        let number = line.to_string();
        let blank = " ".repeat(number.len());
        let under = "^".repeat(length);
        let _ = writeln!(told, "  {number} | {source}\n  {blank} | {margin}{under}");
    }
    let stop = if mend.ends_with('?') { "" } else { "." };
    told + &format!("  {mend}{stop}\n")
}

/// The word among these that was probably meant.
pub(super) fn nearest<'w>(word: &str, among: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let plain = |word: &str| word.to_lowercase().replace(['-', ' '], "_");
    let said = plain(word);
    let distance = |known: &str| strsim::damerau_levenshtein(&said, &plain(known));
    let nearest = among.min_by_key(|known| distance(known))?;
    let most = (said.chars().count().max(nearest.chars().count()) / 3).max(1);
    (distance(nearest) <= most).then_some(nearest)
}
