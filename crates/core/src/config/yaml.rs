//! YAML as a tree in which every key and value knows where it stands.
//!
//! Refused, with a place: aliases (a few lines of them unfold to gigabytes), tags, a second document, and
//! what is nested deeper than any configuration.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::mistake::{Broken, Mistake, Place};

/// No configuration file is longer, in bytes.
pub const LONGEST: usize = 1024 * 1024;
const DEEPEST: usize = 32;

/// A value.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    /// Just behind it; of what is written without brackets and quotes, only that it is not further.
    pub(super) end: (usize, usize),
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Text; `plain` if it stands without quotes, so that it may be something else than text.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Nothing was written, or the word for nothing.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::List(_) => "a list",
            Value::Map(_) => "a section",
            Value::Scalar { .. } if self.is_empty() => "nothing",
            Value::Scalar { text, plain: true } if flag(text).is_some() => "a yes or no",
            Value::Scalar { text, plain: true } if is_number(text) => "a number",
            Value::Scalar { .. } => "a text",
        }
    }

    /// The key and value of this name in a section; the first, if there are two.
    pub(super) fn entry(&self, name: &str) -> Option<(&Node, &Node)> {
        let Value::Map(entries) = &self.value else { return None };
        let named = |key: &Node| matches!(&key.value, Value::Scalar { text, .. } if text == name);
        entries.iter().find(|(key, _)| named(key)).map(|(key, value)| (key, value))
    }

    /// Text that cannot be taken for anything else.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, plain } => {
                let other = *plain && (self.is_empty() || truth(text).is_some() || is_number(text));
                (!other).then_some(text)
            }
            _ => None,
        }
    }
}

/// True and false, as YAML 1.2 writes them.
fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// True and false, also as YAML 1.1 wrote them.
pub(super) fn flag(text: &str) -> Option<bool> {
    truth(text).or_else(|| match text.to_ascii_lowercase().as_str() {
        "yes" | "on" => Some(true),
        "no" | "off" => Some(false),
        _ => None,
    })
}

/// Whether YAML takes a text without quotes for a number.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |text: &str, radix| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    if let Some(rest) = unsigned.strip_prefix("0x") {
        return digits(rest, 16);
    }
    if let Some(rest) = unsigned.strip_prefix("0o") {
        return digits(rest, 8);
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let starts = unsigned.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    starts && unsigned.parse::<f64>().is_ok()
}

/// Reads a file; `None` if nothing stands in it.
///
/// # Errors
/// The one place at which it stops being YAML.
pub(super) fn read(text: &str) -> Result<Option<Node>, Broken> {
    let one = |place, what: String, mend: &str| {
        Broken::new(vec![Mistake { place, what, mend: mend.to_owned() }], text)
    };
    if text.len() > LONGEST {
        let what = format!("the file has {} bytes, {LONGEST} are allowed", text.len());
        return Err(one(Place::START, what, "Take out what is no configuration"));
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| {
            let at = e.marker();
            let place = Place { line: at.line().max(1), column: at.col() + 1, length: 1 };
            one(place.on(&lines), format!("this is not YAML: {}", e.info()), SYNTAX)
        })?;
        let place = Place::of(&span, &lines);
        let end = (span.end.line(), span.end.col() + 1);
        builder
            .take(event, place, end)
            .map_err(|(what, mend)| one(place, what.to_owned(), mend))?;
    }
    Ok(builder.root.filter(|root| !root.is_empty()))
}

const SYNTAX: &str = "Look at this line and those beside it: a colon wants a space after it, lists and \
    sections want the same indent in each line, and tabs are not allowed";

impl Place {
    fn of(span: &Span, lines: &[&str]) -> Self {
        let (start, end) = (span.start, span.end);
        let column = start.col() + 1;
        let length =
            if start.line() == end.line() { end.col().saturating_sub(start.col()) } else { 0 };
        let whole =
            lines.get(start.line().saturating_sub(1)).map_or(0, |l| l.trim_end().chars().count());
        let rest = whole.saturating_sub(start.col());
        let length = if length == 0 { rest } else { length };
        Self { line: start.line().max(1), column, length: length.max(1) }.on(lines)
    }

    /// Moved into the file: the end of it is told as the end of its last line.
    fn on(self, lines: &[&str]) -> Self {
        let Some(last) = lines.len().checked_sub(1) else { return Self::START };
        let line = self.line.min(last + 1);
        let width = lines[line - 1].chars().count();
        let column = self.column.min(width + 1);
        let length = self.length.min((width + 1).saturating_sub(column)).max(1);
        Self { line, column, length }
    }
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Open>,
    documents: usize,
}

/// A list or section that is not at its end; `key`: one whose value has not come.
struct Open {
    place: Place,
    list: Option<Vec<Node>>,
    map: Vec<(Node, Node)>,
    key: Option<Node>,
}

impl Builder {
    fn take(
        &mut self,
        event: Event<'_>,
        place: Place,
        end: (usize, usize),
    ) -> Result<(), (&'static str, &'static str)> {
        const TAG: (&str, &str) =
            ("a tag (a word after '!') has no meaning here", "Take the tag out");
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err((
                        "a second document begins here ('---')",
                        "Keep one document, and take the rest out",
                    ));
                }
            }
            Event::Alias(_) => {
                return Err((
                    "an alias ('*') is not understood here",
                    "Write out what it stands for",
                ));
            }
            Event::Scalar(text, style, _, tag) => {
                if tag.is_some() {
                    return Err(TAG);
                }
                let plain = style == ScalarStyle::Plain;
                let value = Value::Scalar { text: text.into_owned(), plain };
                self.put(Node { place, end, value });
            }
            Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => return Err(TAG),
            Event::SequenceStart(..) => self.begin(place, Some(Vec::new()))?,
            Event::MappingStart(..) => self.begin(place, None)?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { place, list, map, .. }) = self.open.pop() {
                    let value = list.map_or(Value::Map(map), Value::List);
                    self.put(Node { place, end, value });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(
        &mut self,
        place: Place,
        list: Option<Vec<Node>>,
    ) -> Result<(), (&'static str, &'static str)> {
        if self.open.len() >= DEEPEST {
            return Err(("this is nested too deeply", "No key lies so deep: take it out"));
        }
        self.open.push(Open { place, list, map: Vec::new(), key: None });
        Ok(())
    }

    fn put(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { list: Some(list), .. }) => list.push(node),
            Some(Open { map, key, .. }) => match key.take() {
                Some(key) => map.push((key, node)),
                None => *key = Some(node),
            },
        }
    }
}
