//! `.dsgignore`: what is left alone, in the syntax of `.gitignore`.
//!
//! Its lines are a part of the shared configuration, so that both sides decide alike; the file is their
//! view, which people edit.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::is_line;
use super::mistake::{Broken, Findings, Mistake, Place};

/// No file of patterns is longer, in bytes: it travels with every snapshot.
const LONGEST: usize = 64 * 1024;

/// The lines of `.dsgignore`, ready to be asked.
#[derive(Clone, Default)]
pub struct Patterns {
    lines: Vec<String>,
    rules: Option<Arc<Gitignore>>,
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.lines).finish()
    }
}

impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        self.lines == other.lines
    }
}

impl Eq for Patterns {}

impl Patterns {
    /// Reads the file.
    ///
    /// # Errors
    /// Every line that is no pattern.
    pub fn read(text: &str) -> Result<Self, Broken> {
        let one = |place, what, mend: &str| Mistake { place, what, mend: mend.to_owned() };
        if text.len() > LONGEST {
            let what = format!("the file has {} bytes, {LONGEST} are allowed", text.len());
            let mend = "Name folders, or endings ('*.log'), instead of each file";
            return Err(Broken::new(vec![one(Place::START, what, mend)], text));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().map(|line| line.trim_end_matches('\r').to_owned());
        let lines: Vec<String> = lines.collect();
        let mut found = Findings::default();
        let rules = compiled(&lines, &mut |line, why| {
            let length = lines.get(line - 1).map_or(1, |line| line.trim_end().chars().count());
            let place = Place { line, column: 1, length: length.max(1) };
            let what = format!("this is no pattern: {why}");
            let mend = "Patterns are written as in .gitignore: 'scratch/', '*.log', '/input/raw'. A backslash \
                        before a character takes its meaning away, and '#' begins a comment";
            found.wrong(place, what, mend);
        });
        if found.mistakes.is_empty() {
            Ok(Self { lines, rules })
        } else {
            Err(Broken::new(found.mistakes, text))
        }
    }

    /// Lines of a history, which is read whatever stands in it: a line that is no pattern matches nothing.
    fn of(lines: Vec<String>) -> Self {
        let rules = compiled(&lines, &mut |_, _| {});
        Self { lines, rules }
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The file.
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line, "\n"]).collect()
    }

    /// The line, counted from 1, by which `path` is left alone, or a folder above it: below a folder that is
    /// left alone nothing is taken back.
    pub fn line_for(&self, path: &str, is_dir: bool) -> Option<usize> {
        let rules = self.rules.as_deref()?;
        let above = path.match_indices('/').map(|(at, _)| (&path[..at], true));
        let glob = above.chain([(path, is_dir)]).find_map(|(path, is_dir)| {
            let decided = rules.matched(path, is_dir);
            decided.is_ignore().then(|| decided.inner().and_then(|glob| glob.from())).flatten()
        })?;
        glob.to_str()?.parse().ok()
    }

    /// Three-way: each side's lines that came and went count. Where only one side changed something its order
    /// stands; else ours that came are last, where they decide.
    pub(super) fn merge(base: &Self, ours: &Self, theirs: &Self) -> Self {
        if ours == base || ours == theirs {
            return theirs.clone();
        }
        if theirs == base {
            return ours.clone();
        }
        let has = |side: &Self, line: &String| side.lines.contains(line);
        let stay = theirs.lines.iter().filter(|line| has(ours, line) || !has(base, line));
        let come = ours.lines.iter().filter(|line| !has(base, line) && !has(theirs, line));
        Self::of(stay.chain(come).cloned().collect())
    }

    /// Lines of both, in theirs' order.
    pub(super) fn common(ours: &Self, theirs: &Self) -> Self {
        let both = theirs.lines.iter().filter(|line| ours.lines.contains(line));
        Self::of(both.cloned().collect())
    }
}

/// The matcher of these lines, each under its number. A line that is no pattern is told with the reason.
fn compiled(lines: &[String], wrong: &mut dyn FnMut(usize, String)) -> Option<Arc<Gitignore>> {
    let mut builder = GitignoreBuilder::new("");
    for (number, line) in (1..).zip(lines) {
        let added = if line.starts_with('#') || is_line(line.trim_end()) {
            builder.add_line(Some(PathBuf::from(number.to_string())), &literal_braces(line))
        } else {
            wrong(number, "a character in it cannot be seen, and is in no name".to_owned());
            continue;
        };
        if let Err(error) = added {
            let why = match error {
                ignore::Error::Glob { err, .. } => err,
                other => other.to_string(),
            };
            wrong(number, why);
        }
    }
    match builder.build() {
        Ok(rules) => (!rules.is_empty()).then(|| Arc::new(rules)),
        Err(error) => {
            wrong(1, error.to_string());
            None
        }
    }
}

/// Braces are letters in `.gitignore`; elsewhere than between brackets they must be told so.
fn literal_braces(line: &str) -> String {
    let mut told = String::with_capacity(line.len());
    let (mut in_class, mut escaped) = (false, false);
    for (at, c) in line.char_indices() {
        if matches!(c, '{' | '}') && !in_class && !escaped {
            told.push('\\');
        }
        match c {
            '[' if !escaped && !in_class => in_class = line[at + 1..].contains(']'),
            ']' => in_class = false,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        told.push(c);
    }
    told
}

impl Serialize for Patterns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.lines.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::of)
    }
}
