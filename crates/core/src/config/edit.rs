//! Changing one key of a YAML file and nothing else in it: comments, the order of keys, quotes and line
//! ends of all else stay as they were written.
//!
//! Only the lines of the key are written anew. Whatever was made is read again: if it does not say what it
//! shall, nothing is given. The order of a list means nothing in a configuration: what stays in it keeps
//! its line, what is new comes after.

use std::ops::Range;

use super::yaml::{self, Node, Value, flag};

/// What a key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// A text.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(u16),
    /// A list of texts.
    Texts(Vec<String>),
}

impl Setting {
    /// What a value says, if it is no section.
    pub(super) fn of(node: &Node) -> Option<Self> {
        match &node.value {
            Value::Scalar { .. } if node.is_empty() => None,
            Value::Scalar { text, .. } if node.text().is_some() => Some(Self::Text(text.clone())),
            Value::Scalar { text, .. } => Some(match (text.parse(), flag(text)) {
                (Ok(number), _) => Self::Number(number),
                (_, Some(flag)) => Self::Flag(flag),
                _ => Self::Text(text.clone()),
            }),
            Value::List(items) => {
                let texts = items.iter().filter_map(|item| match &item.value {
                    Value::Scalar { text, .. } => Some(text.clone()),
                    _ => None,
                });
                Some(Self::Texts(texts.collect()))
            }
            Value::Map(_) => None,
        }
    }

    fn tree(&self) -> Tree {
        let other = |text: String| Tree::Scalar { text, is_text: false };
        match self {
            Self::Text(text) => Tree::text(text),
            Self::Flag(flag) => other(flag.to_string()),
            Self::Number(number) => other(number.to_string()),
            Self::Texts(texts) => Tree::List(texts.iter().map(|text| Tree::text(text)).collect()),
        }
    }
}

/// `text` with the key at `path` (its name, after those of the sections it is in) saying `value`, or, with
/// none, taken out: a section that has no other key goes with it.
///
/// Nothing, if the file is no YAML, or is written in a way that only a person can change.
#[must_use]
pub fn edited(text: &str, path: &[&str], value: Option<&Setting>) -> Option<String> {
    let root = yaml::read(text).ok()?;
    let before = root.as_ref().map_or(Some(Tree::Map(Vec::new())), Tree::of)?;
    let mut path = path;
    while let (None, Some((last, section))) = (value, path.split_last()) {
        let held = section.iter().try_fold(&before, |tree, key| tree.get(key));
        let alone = matches!(held, Some(Tree::Map(keys)) if keys.len() == 1 && keys[0].0 == *last);
        if section.is_empty() || !alone {
            break;
        }
        path = section;
    }
    let after = before.with(path, value)?;
    if after == before {
        return Some(text.to_owned());
    }
    let doc = Doc::of(text);
    let new = match &root {
        Some(root) => doc.changed(root, doc.lines.len(), path, value)?,
        None => doc.replaced(doc.lines.len()..doc.lines.len(), &doc.block(0, path, value?)),
    };
    let read = yaml::read(&new).ok()?;
    let read = read.as_ref().map_or(Some(Tree::Map(Vec::new())), Tree::of)?;
    (read == after).then_some(new)
}

/// What a file says, without how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tree {
    Scalar { text: String, is_text: bool },
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    fn text(text: &str) -> Self {
        Self::Scalar { text: text.to_owned(), is_text: true }
    }

    /// Nothing, if a key is no word or stands in a section twice: which one would be meant?
    fn of(node: &Node) -> Option<Self> {
        Some(match &node.value {
            Value::Scalar { text, .. } => {
                Self::Scalar { text: text.clone(), is_text: node.text().is_some() }
            }
            Value::List(items) => Self::List(items.iter().map(Self::of).collect::<Option<_>>()?),
            Value::Map(entries) => {
                let mut keys: Vec<(String, Self)> = Vec::new();
                for (key, value) in entries {
                    let Value::Scalar { text, .. } = &key.value else { return None };
                    if keys.iter().any(|(known, _)| known == text) {
                        return None;
                    }
                    keys.push((text.clone(), Self::of(value)?));
                }
                Self::Map(keys)
            }
        })
    }

    fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(keys) = self else { return None };
        keys.iter().find(|(known, _)| known == key).map(|(_, tree)| tree)
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Self::Scalar { text, is_text: false } if text.is_empty())
    }

    fn with(&self, path: &[&str], value: Option<&Setting>) -> Option<Self> {
        let (key, rest) = path.split_first()?;
        let mut keys = match self {
            Self::Map(keys) => keys.clone(),
            nothing if nothing.is_nothing() => Vec::new(),
            _ => return None,
        };
        let at = keys.iter().position(|(known, _)| known == key);
        let nothing = Self::Map(Vec::new());
        let old = at.map_or(&nothing, |at| &keys[at].1);
        let new = match (rest, value) {
            ([], None) => None,
            ([], Some(value)) => Some(old.merged(value.tree())),
            (rest, value) => Some(old.with(rest, value)?),
        };
        match (at, new) {
            (Some(at), Some(new)) => keys[at].1 = new,
            (Some(at), None) => drop(keys.remove(at)),
            (None, Some(_)) if value.is_none() => {}
            (None, Some(new)) => keys.push(((*key).to_owned(), new)),
            (None, None) => {}
        }
        Some(Self::Map(keys))
    }

    /// A list's new items in the order in which they are written; all else as it is.
    fn merged(&self, new: Self) -> Self {
        match (self, new) {
            (Self::List(old), Self::List(new)) => {
                let kept = old.iter().filter(|item| new.iter().any(|new| new.same(item)));
                let come = new.iter().filter(|new| !old.iter().any(|item| new.same(item)));
                Self::List(kept.chain(come).cloned().collect())
            }
            (_, new) => new,
        }
    }

    /// A slash at the end of a folder says nothing.
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar { text: a, .. }, Self::Scalar { text: b, .. }) => {
                a.trim_end_matches('/') == b.trim_end_matches('/')
            }
            (a, b) => a == b,
        }
    }

    /// On one line.
    fn flow(&self) -> String {
        match self {
            Self::Scalar { text, is_text: true } => scalar(text),
            Self::Scalar { text, .. } => text.clone(),
            Self::List(items) => {
                format!("[{}]", items.iter().map(Self::flow).collect::<Vec<_>>().join(", "))
            }
            Self::Map(keys) => {
                let keys =
                    keys.iter().map(|(key, tree)| format!("{}: {}", scalar(key), tree.flow()));
                format!("{{{}}}", keys.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// A text as YAML writes it on one line, wherever it stands.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_./-+@= ".contains(c);
    let first = |c: char| c.is_alphabetic() || "_./".contains(c);
    let numeric =
        |text: &str| text.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    let word = text.starts_with(first)
        && text.chars().all(plain)
        && !text.ends_with(' ')
        && !numeric(text)
        && flag(text).is_none()
        && !matches!(text.to_ascii_lowercase().as_str(), "null" | "y" | "n" | ".inf" | ".nan");
    if word {
        return text.to_owned();
    }
    let shown = |c: char| !c.is_control() && !matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}');
    if text.chars().all(shown) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if shown(c) => c.to_string(),
        c => format!("\\U{:08x}", u32::from(c)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// A file as its lines, each with its end.
struct Doc<'t> {
    text: &'t str,
    lines: Vec<&'t str>,
    end: &'static str,
}

impl<'t> Doc<'t> {
    fn of(text: &'t str) -> Self {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let end = if lines.first().is_some_and(|l| l.ends_with("\r\n")) { "\r\n" } else { "\n" };
        Self { text, lines, end }
    }

    /// The byte at a place, counted from 1.
    fn offset(&self, (line, column): (usize, usize)) -> Option<usize> {
        let before: usize = self.lines.get(..line - 1)?.iter().map(|line| line.len()).sum();
        let within: usize =
            self.text.get(before..)?.chars().take(column - 1).map(char::len_utf8).sum();
        Some(before + within)
    }

    fn start(&self, node: &Node) -> Option<usize> {
        self.offset((node.place.line, node.place.column))
    }

    /// What is written between brackets or quotes, or as a word on one line.
    fn span(&self, node: &Node) -> Option<Range<usize>> {
        let start = self.start(node)?;
        let (text, plain) = match &node.value {
            Value::Scalar { text, plain } => (text, plain),
            Value::List(items) => {
                let last = items.last().map_or(Some(start + 1), |item| self.end(item))?;
                return Some(start..self.closed(last, ']')?);
            }
            Value::Map(entries) => {
                let last = entries.last().map_or(Some(start + 1), |(key, value)| {
                    if value.is_empty() { self.end(key) } else { self.end(value) }
                })?;
                return Some(start..self.closed(last, '}')?);
            }
        };
        let written = self.text.get(start..)?;
        if *plain {
            return written.starts_with(text.as_str()).then(|| start..start + text.len());
        }
        let quote = written.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let mut chars = written.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' if quote == '"' => drop(chars.next()),
                // Two of them are one that is meant.
                '\'' if quote == c && chars.next_if(|(_, next)| *next == c).is_some() => {}
                c if c == quote => return Some(start..start + at + 1),
                _ => {}
            }
        }
        None
    }

    fn end(&self, node: &Node) -> Option<usize> {
        self.span(node).map(|span| span.end)
    }

    /// Just behind the bracket that comes next, past commas and comments.
    fn closed(&self, from: usize, bracket: char) -> Option<usize> {
        let mut in_comment = false;
        for (at, c) in self.text.get(from..)?.char_indices() {
            match c {
                '\n' => in_comment = false,
                _ if in_comment => {}
                '#' => in_comment = true,
                c if c == bracket => return Some(from + at + 1),
                ',' | ':' => {}
                c if c.is_whitespace() => {}
                _ => return None,
            }
        }
        None
    }

    /// Just behind the colon of a key.
    fn colon(&self, key: &Node) -> Option<usize> {
        let after = self.end(key)?;
        Some(after + self.text[after..].find(':')? + 1)
    }

    fn is_flow(&self, node: &Node) -> bool {
        let first = self.start(node).and_then(|at| self.text[at..].chars().next());
        matches!((first, &node.value), (Some('['), Value::List(_)) | (Some('{'), Value::Map(_)))
    }

    fn spliced(&self, span: Range<usize>, new: &str) -> String {
        [&self.text[..span.start], new, &self.text[span.end..]].concat()
    }

    fn replaced(&self, lines: Range<usize>, new: &str) -> String {
        let mut before = self.lines[..lines.start].concat();
        if !before.is_empty() && !before.ends_with('\n') && !new.is_empty() {
            before += self.end;
        }
        before + new + &self.lines[lines.end..].concat()
    }

    /// Whether nothing but a comment stands on a line.
    fn is_aside(&self, line: usize) -> bool {
        let text = self.lines[line].trim();
        text.is_empty() || text.starts_with('#')
    }

    fn comments(&self, lines: Range<usize>) -> String {
        lines.filter(|&n| self.is_aside(n)).map(|n| self.lines[n]).collect()
    }

    /// A key in lines of its own.
    fn block(&self, indent: usize, path: &[&str], value: &Setting) -> String {
        let mut lines = Vec::new();
        let mut margin = " ".repeat(indent);
        let Some((last, sections)) = path.split_last() else { return String::new() };
        for section in sections {
            lines.push(format!("{margin}{}:", scalar(section)));
            margin += "  ";
        }
        let key = scalar(last);
        match value.tree() {
            Tree::List(items) if !items.is_empty() => {
                lines.push(format!("{margin}{key}:"));
                lines.extend(items.iter().map(|item| format!("{margin}- {}", item.flow())));
            }
            value => lines.push(format!("{margin}{key}: {}", value.flow())),
        }
        lines.iter().flat_map(|line| [line, self.end]).collect()
    }

    /// Changes a key of the section `map`, whose lines end before `until`.
    fn changed(
        &self,
        map: &Node,
        until: usize,
        path: &[&str],
        value: Option<&Setting>,
    ) -> Option<String> {
        let (name, rest) = path.split_first()?;
        let Value::Map(entries) = &map.value else { return None };
        if self.is_flow(map) {
            let new = Tree::of(map)?.with(path, value)?;
            return Some(self.spliced(self.span(map)?, &new.flow()));
        }
        let indent = map.place.column - 1;
        let Some((key, old)) = map.entry(name) else {
            let last = entries.last()?.0.place.line - 1;
            let end = self.trimmed(last..until);
            return Some(self.replaced(end..end, &self.block(indent, path, value?)));
        };
        let first = key.place.line - 1;
        let later = entries.iter().map(|(key, _)| key.place.line - 1).filter(|&n| n > first).min();
        let lines = first..self.trimmed(first..later.unwrap_or(until));
        match (rest, value) {
            ([], None) => Some(self.replaced(lines, "")),
            ([], Some(value)) => self.said(key, old, lines, indent, value),
            (rest, _) if matches!(old.value, Value::Map(_)) => {
                self.changed(old, lines.end, rest, value)
            }
            (rest, Some(value)) if old.is_empty() => {
                let below = self.block(indent + 2, rest, value);
                Some(self.replaced(lines.end..lines.end, &below))
            }
            _ => None,
        }
    }

    /// The end of lines, without the empty ones and comments there: they belong to what comes.
    fn trimmed(&self, lines: Range<usize>) -> usize {
        let ends = |line: &str| line.starts_with("---") || line.starts_with("...");
        let stop = (lines.start + 1..lines.end).find(|&n| ends(self.lines[n])).unwrap_or(lines.end);
        (lines.start + 1..stop)
            .rev()
            .find(|&n| !self.is_aside(n))
            .map_or(lines.start + 1, |n| n + 1)
    }

    /// Gives a key another value.
    fn said(
        &self,
        key: &Node,
        old: &Node,
        lines: Range<usize>,
        indent: usize,
        value: &Setting,
    ) -> Option<String> {
        let new = value.tree();
        let anew = || {
            let Value::Scalar { text, .. } = &key.value else { return None };
            let inside = self.comments(lines.start + 1..lines.end);
            let block = self.block(indent, &[text], value);
            Some(self.replaced(lines.clone(), &(inside + &block)))
        };
        match (&old.value, &new) {
            (Value::List(items), Tree::List(_)) if !self.is_flow(old) => {
                let Tree::List(wanted) = Tree::of(old)?.merged(new) else { return None };
                self.listed(key, items, lines, &wanted)
            }
            _ if old.is_empty() && lines.len() == 1 && !matches!(value, Setting::Texts(_)) => {
                let colon = self.colon(key)?;
                let said = self.span(old).filter(|span| !span.is_empty());
                let span = said.map_or(colon..colon, |said| colon..said.end);
                Some(self.spliced(span, &format!(" {}", new.flow())))
            }
            _ if old.is_empty() => anew(),
            (Value::List(_), Tree::List(_)) => {
                Some(self.spliced(self.span(old)?, &Tree::of(old)?.merged(new).flow()))
            }
            (Value::Scalar { .. }, Tree::Scalar { .. }) if lines.len() == 1 => {
                Some(self.spliced(self.span(old)?, &new.flow()))
            }
            _ => anew(),
        }
    }

    /// A list with one item a line.
    fn listed(
        &self,
        key: &Node,
        items: &[Node],
        lines: Range<usize>,
        wanted: &[Tree],
    ) -> Option<String> {
        if wanted.is_empty() {
            let colon = self.colon(key)?;
            let key_line = self.text[..colon].to_owned() + " []" + self.rest_of_line(colon);
            let inside = self.comments(lines.start + 1..lines.end);
            return Some(key_line + &inside + &self.lines[lines.end..].concat());
        }
        let old_trees: Vec<Tree> = items.iter().map(Tree::of).collect::<Option<_>>()?;
        let first = self.lines.get(items.first()?.place.line - 1)?;
        let margin = &first[..first.len() - first.trim_start().len()];
        let last = items.last()?.place.line - 1;
        let mut text = String::new();
        for (number, line) in self.lines.iter().enumerate() {
            let item = items.iter().position(|item| item.place.line - 1 == number);
            if item.is_none_or(|at| wanted.contains(&old_trees[at])) {
                text += line;
            }
            if number == last {
                if !text.ends_with('\n') {
                    text += self.end;
                }
                for new in wanted.iter().filter(|tree| !old_trees.contains(tree)) {
                    text += &[margin, "- ", &new.flow(), self.end].concat();
                }
            }
        }
        Some(text)
    }

    fn rest_of_line(&self, from: usize) -> &'t str {
        let rest = &self.text[from..];
        rest.find('\n').map_or(rest, |at| &rest[..=at])
    }
}
