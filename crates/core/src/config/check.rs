//! A tree compared with the table of keys. What is not as the table says becomes a mistake; what is left can
//! be taken without asking again.

use super::keys::{Capability, Key, Kind, STORES, TRANSPORTS, working};
use super::mistake::{Findings, Place, nearest};
use super::yaml::{Node, Value, flag};

/// A section whose keys are known and hold what they should.
pub(super) struct Section<'n> {
    /// Where it begins.
    pub(super) place: Place,
    said: Vec<Said<'n>>,
}

/// A key that is said.
struct Said<'n> {
    key: &'static Key,
    at: Place,
    node: &'n Node,
    /// It holds what it should.
    sound: bool,
}

/// Words joined as people list them.
pub(super) fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => words.join(""),
    }
}

impl<'n> Section<'n> {
    /// Checks a section of a file, `called` so in words.
    pub(super) fn checked(
        node: &'n Node,
        keys: &'static [Key],
        called: &str,
        found: &mut Findings,
    ) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            let names = listed(keys.iter().map(|key| key.name));
            found.wrong(
                node.place,
                format!("{called} is {}, not a section of keys", node.kind()),
                format!("Write KEY: VALUE in lines of their own; the keys are {names}"),
            );
            return None;
        };
        let mut said: Vec<Said<'n>> = Vec::new();
        for (key, node) in entries {
            let Some(name) = name_of(key, found) else { continue };
            let Some(known) = keys.iter().find(|known| known.name == name) else {
                unknown(key.place, name, keys, called, found);
                continue;
            };
            if let Some(first) = said.iter().find(|said| said.key.name == name) {
                found.wrong(
                    key.place,
                    format!("{name} stands here twice; the first is in line {}", first.at.line),
                    "Keep one of them, and take the other out",
                );
                continue;
            }
            if let Some(why) = known.idle {
                found.note(
                    key.place,
                    format!("{name} has no effect: {why}"),
                    "Leave it or take it out",
                );
            }
            if node.is_empty() && known.kind.is_begun() {
                continue;
            }
            let sound = fits(known, node, key.place, found);
            said.push(Said { key: known, at: key.place, node, sound });
        }
        Some(Self { place: node.place, said })
    }

    fn find(&self, name: &str) -> Option<&Said<'n>> {
        self.said.iter().find(|said| said.key.name == name && said.sound)
    }

    /// Where a key stands, if it is said, be it wrongly.
    pub(super) fn at(&self, name: &str) -> Option<Place> {
        self.said.iter().find(|said| said.key.name == name).map(|said| said.at)
    }

    /// Names of the keys that are said, with their places.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&'static str, Place)> {
        self.said.iter().map(|said| (said.key.name, said.at))
    }

    /// A text, and where it stands.
    pub(super) fn text(&self, name: &str) -> Option<(&'n str, Place)> {
        let said = self.find(name)?;
        Some((said.node.text()?, said.node.place))
    }

    /// The texts of a list, and where they stand.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<(&'n str, Place)>> {
        match &self.find(name)?.node.value {
            Value::List(items) => {
                Some(items.iter().filter_map(|item| Some((item.text()?, item.place))).collect())
            }
            _ => None,
        }
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Option<u16> {
        number(self.find(name)?.node)
    }

    /// A section in it.
    pub(super) fn section(&self, name: &str, found: &mut Findings) -> Option<Section<'n>> {
        let said = self.find(name)?;
        match said.key.kind {
            Kind::Section(keys) => Self::checked(said.node, keys, said.key.name, found),
            _ => None,
        }
    }

    /// Sections by name.
    pub(super) fn sections(
        &self,
        name: &str,
        found: &mut Findings,
    ) -> Vec<(&'n str, Place, Section<'n>)> {
        let Some(Said { key: Key { kind: Kind::Sections(keys), .. }, node, .. }) = self.find(name)
        else {
            return Vec::new();
        };
        let Value::Map(entries) = &node.value else { return Vec::new() };
        let mut all: Vec<(&'n str, Place, Section<'n>)> = Vec::new();
        for (key, node) in entries {
            let Some(name) = name_of(key, found) else { continue };
            if all.iter().any(|(known, ..)| *known == name) {
                found.wrong(
                    key.place,
                    format!("{name} stands here twice"),
                    "Keep one of them, and take the other out",
                );
            } else if let Some(section) = Self::checked(node, keys, name, found) {
                all.push((name, key.place, section));
            }
        }
        all
    }
}

fn name_of<'n>(key: &'n Node, found: &mut Findings) -> Option<&'n str> {
    if let Value::Scalar { text, .. } = &key.value {
        return Some(text);
    }
    found.wrong(key.place, format!("{} is no key", key.kind()), "Write a word, then a colon");
    None
}

fn unknown(place: Place, name: &str, keys: &'static [Key], called: &str, found: &mut Findings) {
    let known = || keys.iter().filter(|key| !key.says.starts_with("old")).map(|key| key.name);
    let mend = match nearest(name, keys.iter().map(|key| key.name)) {
        Some(near) => format!("Did you mean {near}?"),
        None => format!("The keys here are {}", listed(known())),
    };
    found.wrong(place, format!("there is no key {name:?} in {called}"), mend);
}

fn number(node: &Node) -> Option<u16> {
    match &node.value {
        Value::Scalar { text, plain: true } => text.parse().ok(),
        _ => None,
    }
}

/// Whether a value is of the kind that its key holds.
fn fits(key: &'static Key, node: &Node, at: Place, found: &mut Findings) -> bool {
    let name = key.name;
    if node.is_empty() {
        let instead = if matches!(key.kind, Kind::Texts) { "[] for none" } else { "one" };
        found.wrong(
            at,
            format!("{name} has no value"),
            format!("Write {instead} after the colon, or take the line out"),
        );
        return false;
    }
    match key.kind {
        Kind::Text => is_text(name, node, found),
        Kind::Texts => {
            if let Value::List(items) = &node.value {
                return are_texts(name, items.iter(), found);
            }
            let said = node.text().map_or_else(|| "VALUE".to_owned(), str::to_owned);
            found.wrong(
                node.place,
                format!("{name} is {}, not a list", node.kind()),
                format!("Write it as a list: {name}: [{said}]"),
            );
            false
        }
        Kind::Flag => {
            let sound =
                matches!(&node.value, Value::Scalar { text, plain: true } if flag(text).is_some());
            if !sound {
                let what = format!("{name} is {}, not a yes or no", node.kind());
                found.wrong(node.place, what, "Write true or false, without quotes");
            }
            sound
        }
        Kind::Number(least, most) => {
            let sound = number(node).is_some_and(|number| (least..=most).contains(&number));
            if !sound {
                let what = format!("{name} is no whole number from {least} to {most}");
                found.wrong(node.place, what, "Write such a number, without quotes");
            }
            sound
        }
        Kind::Choice(words) => one_of(name, node, words.iter().copied(), found),
        Kind::Store => capable(name, node, STORES, found),
        Kind::Transport => capable(name, node, TRANSPORTS, found),
        // What is in it is checked when it is taken.
        Kind::Section(_) => true,
        Kind::Sections(_) | Kind::TextsByName => {
            let Value::Map(entries) = &node.value else {
                let what = format!("{name} is {}, not a section", node.kind());
                found.wrong(
                    node.place,
                    what,
                    "Write NAME: and what belongs to it, in lines of their own",
                );
                return false;
            };
            !matches!(key.kind, Kind::TextsByName)
                || are_texts(name, entries.iter().map(|(_, text)| text), found)
        }
    }
}

/// Whether all are texts; each that is not is told.
fn are_texts<'n>(name: &str, nodes: impl Iterator<Item = &'n Node>, found: &mut Findings) -> bool {
    nodes.filter(|node| !is_text(name, node, found)).count() == 0
}

fn is_text(name: &str, node: &Node, found: &mut Findings) -> bool {
    match &node.value {
        Value::Scalar { text, .. } if node.text().is_none() => {
            found.wrong(
                node.place,
                format!("YAML takes this for {}, but {name} is a text", node.kind()),
                format!("Put it into quotes: '{text}'"),
            );
            false
        }
        Value::Scalar { text, .. } if text.contains(['\0', '\n']) => {
            let what = format!("{name} has a line break or a zero byte in it");
            found.wrong(node.place, what, "Write it on one line");
            false
        }
        Value::Scalar { .. } => true,
        _ => {
            let what = format!("{name} is {}, not a text", node.kind());
            found.wrong(node.place, what, "Write one text");
            false
        }
    }
}

fn one_of<'w>(
    name: &str,
    node: &Node,
    words: impl Iterator<Item = &'w str> + Clone,
    found: &mut Findings,
) -> bool {
    let said = node.text().unwrap_or_default();
    if words.clone().any(|word| word == said) {
        return true;
    }
    let mend = match nearest(said, words.clone()) {
        Some(near) => format!("Did you mean {near}? It can be {}", listed(words)),
        None => format!("It can be {}", listed(words)),
    };
    found.wrong(node.place, format!("{name} cannot be {said:?}"), mend);
    false
}

/// As [`one_of`]; what other versions can is told apart from what none can.
fn capable(name: &str, node: &Node, all: &'static [Capability], found: &mut Findings) -> bool {
    let said = node.text().unwrap_or_default();
    if let Some(other) = all.iter().find(|one| one.name == said && !one.works) {
        found.wrong(
            node.place,
            format!("{} ({}) is not built into this version", other.name, other.says),
            format!("This version can do {}", listed(working(all))),
        );
        return false;
    }
    one_of(name, node, working(all).collect::<Vec<_>>().into_iter(), found)
}
