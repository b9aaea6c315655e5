//! A configuration file as a form: each key that may be said in it, what it holds and means, what counts now
//! and where that is said, and the mistakes that belong to it.
//!
//! It is made from the table of keys: what this version cannot do is not offered, and a key of an older
//! format only where a file is written in it.

use super::Layer;
use super::edit::{Setting, edited};
use super::keys::{Capability, Key, Kind, PROJECT, STORES, TRANSPORTS, USER, VARIABLES, working};
use super::mistake::{Mistake, Place};
use super::project::{NO_NAME, NO_TYPE, ProjectConfig};
use super::user::UserConfig;
use super::yaml::{self, Node, Value};

/// Which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// `.dsgconfig.yml`.
    Project,
    /// A person's `dsg.yml`.
    Own,
}

/// What a key holds, as a form asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A text.
    Text,
    /// Yes or no.
    Flag,
    /// A whole number, from and to.
    Number(u16, u16),
    /// A list of texts.
    Texts,
    /// One of these words.
    Choice(Vec<&'static str>),
}

/// Where the value that counts is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the file itself.
    Here,
    /// In another file.
    File(String),
    /// In a variable of the environment.
    Variable(&'static str),
    /// Nowhere: it is what counts if nothing is said.
    Default,
}

/// What is said of the same keys elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    origin: Origin,
    text: String,
    wins: bool,
}

impl Elsewhere {
    /// Another file. `wins`: what it says counts more.
    #[must_use]
    pub fn file(path: String, text: String, wins: bool) -> Self {
        Self { origin: Origin::File(path), text, wins }
    }

    /// The variables of the environment that are set.
    pub fn variables(value_of: impl Fn(&str) -> Option<String>) -> Vec<Self> {
        let set = VARIABLES.iter().filter_map(|(variable, key)| {
            let value = value_of(variable).filter(|value| !value.is_empty())?;
            let text = edited("", &[key], Some(&Setting::Text(value)))?;
            Some(Self { origin: Origin::Variable(variable), text, wins: true })
        });
        set.collect()
    }
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, after those of the sections it is in.
    pub path: Vec<String>,
    /// What it holds.
    pub holds: Holds,
    /// What it means: one sentence without a full stop.
    pub says: &'static str,
    /// What the file says.
    pub said: Option<Setting>,
    /// What counts.
    pub effective: Option<Setting>,
    /// Where that is said.
    pub origin: Origin,
    /// Where it stands in the file.
    pub place: Option<Place>,
    /// What is wrong with it.
    pub mistakes: Vec<Mistake>,
}

/// A file to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The keys that may be said.
    pub fields: Vec<Field>,
    /// What is wrong and belongs to none of them.
    pub mistakes: Vec<Mistake>,
    /// What is right and has no effect.
    pub notes: Vec<Mistake>,
    /// Keys can be changed one by one; else only the text as a whole.
    pub is_readable: bool,
}

impl Form {
    /// The form of a file with this text.
    #[must_use]
    pub fn of(file: File, text: &str, elsewhere: &[Elsewhere]) -> Self {
        let read = match file {
            File::Project => ProjectConfig::read(text).map(|config| config.notes),
            File::Own => UserConfig::read(text, Layer::Own).map(|config| config.notes),
        };
        let (mistakes, notes) = match read {
            Ok(notes) => (Vec::new(), notes),
            Err(broken) => (broken.mistakes, Vec::new()),
        };
        let parsed = yaml::read(text);
        let root = parsed.as_ref().ok().and_then(Option::as_ref);
        let is_readable = parsed.is_ok() && root.is_none_or(|r| matches!(r.value, Value::Map(_)));
        let others: Vec<Other<'_>> = elsewhere.iter().filter_map(Other::of).collect();
        let mut asked = Asked { root, others: &others, fields: Vec::new() };
        match file {
            File::Project => asked.project(),
            File::Own => asked.keys(&[], USER),
        }
        let mut form = Self { fields: asked.fields, mistakes: Vec::new(), notes, is_readable };
        for mistake in mistakes {
            match form.fields.iter_mut().filter(|field| field.is_meant(&mistake, root)).last() {
                Some(field) => field.mistakes.push(mistake),
                None => form.mistakes.push(mistake),
            }
        }
        form
    }

    /// Whether the file can be used as it is.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.mistakes.is_empty() && self.fields.iter().all(|field| field.mistakes.is_empty())
    }
}

/// What another place says, read.
struct Other<'e> {
    origin: &'e Origin,
    root: Node,
    wins: bool,
}

impl<'e> Other<'e> {
    fn of(elsewhere: &'e Elsewhere) -> Option<Self> {
        let root = yaml::read(&elsewhere.text).ok().flatten()?;
        Some(Self { origin: &elsewhere.origin, root, wins: elsewhere.wins })
    }
}

fn found<'n>(root: &'n Node, path: &[String]) -> Option<(&'n Node, &'n Node)> {
    let (last, sections) = path.split_last()?;
    let held = sections.iter().try_fold(root, |node, name| Some(node.entry(name)?.1))?;
    held.entry(last)
}

impl Field {
    /// Whether a mistake is one of this key.
    fn is_meant(&self, mistake: &Mistake, root: Option<&Node>) -> bool {
        let missing = match mistake.what.as_str() {
            NO_NAME => Some(["name"].as_slice()),
            NO_TYPE => Some(["repository", "type"].as_slice()),
            _ => None,
        };
        if let Some(missing) = missing {
            return self.path == missing;
        }
        let Some((key, value)) = root.and_then(|root| found(root, &self.path)) else {
            return false;
        };
        let at = (mistake.place.line, mistake.place.column);
        let begin = (key.place.line, key.place.column);
        let end = value.end.max(key.end);
        begin <= at && at < end
    }
}

/// A form that is being made.
struct Asked<'f> {
    root: Option<&'f Node>,
    others: &'f [Other<'f>],
    fields: Vec<Field>,
}

impl Asked<'_> {
    fn says(&self, path: &[&str]) -> bool {
        let path: Vec<String> = path.iter().map(|&name| name.to_owned()).collect();
        self.root.is_some_and(|root| found(root, &path).is_some())
    }

    fn project(&mut self) {
        let transport = TRANSPORTS.iter().find(|one| self.says(&[one.name]));
        let is_older = transport.is_some() || self.says(&["transport"]);
        let is_wrapped = self.says(&["project"]);
        for key in PROJECT {
            let path = [key.name.to_owned()];
            match (key.name, key.kind) {
                ("data_dirs" | "ignore", _) if is_wrapped && !self.says(&[key.name]) => {}
                ("repository", Kind::Section(keys)) if !is_older || self.says(&["repository"]) => {
                    self.placed(&path, keys, STORES, "type");
                }
                ("repository", _) => {}
                ("transport", _) if is_older => self.field(&path, key),
                ("transport", _) => {}
                ("project", Kind::Section(keys)) if is_wrapped => self.wrapped(&path, keys),
                ("project", _) => {}
                (name, Kind::Section(keys)) if TRANSPORTS.iter().any(|one| one.name == name) => {
                    if let Some(one) = transport.filter(|one| one.name == name && one.works) {
                        self.some(&path, keys, one);
                    }
                }
                _ => self.key(&[], key),
            }
        }
    }

    /// A section whose kind of repository says what belongs in it.
    fn placed(
        &mut self,
        path: &[String],
        keys: &'static [Key],
        all: &'static [Capability],
        by: &str,
    ) {
        let kind: Vec<String> = path.iter().cloned().chain([by.to_owned()]).collect();
        let said = self.root.and_then(|root| found(root, &kind)).and_then(|(_, node)| node.text());
        let one = all.iter().find(|one| Some(one.name) == said && one.works);
        if let Some(key) = keys.iter().find(|key| key.name == by) {
            self.field(&kind, key);
        }
        if let Some(one) = one {
            self.some(path, keys, one);
        }
    }

    fn some(&mut self, path: &[String], keys: &'static [Key], of: &'static Capability) {
        let belongs = |key: &&Key| of.needs.contains(&key.name) || of.takes.contains(&key.name);
        keys.iter().filter(belongs).for_each(|key| self.key(path, key));
    }

    /// The name stands outside, unless it is said in the section.
    fn wrapped(&mut self, path: &[String], keys: &'static [Key]) {
        let named = self.says(&["project", "name"]);
        keys.iter().filter(|key| key.name != "name" || named).for_each(|key| self.key(path, key));
    }

    fn keys(&mut self, path: &[String], keys: &'static [Key]) {
        keys.iter().filter(|key| key.idle.is_none()).for_each(|key| self.key(path, key));
    }

    fn key(&mut self, section: &[String], key: &'static Key) {
        let path: Vec<String> = section.iter().cloned().chain([key.name.to_owned()]).collect();
        match key.kind {
            Kind::Section(keys) => self.keys(&path, keys),
            Kind::Sections(keys) => {
                for name in self.names(&path) {
                    let path: Vec<String> = path.iter().cloned().chain([name]).collect();
                    self.keys(&path, keys);
                }
            }
            Kind::TextsByName => {}
            _ => self.field(&path, key),
        }
    }

    /// The sections of a person's choice, wherever they are said.
    fn names(&self, path: &[String]) -> Vec<String> {
        let roots = self.root.into_iter().chain(self.others.iter().map(|other| &other.root));
        let mut names: Vec<String> = Vec::new();
        for (_, node) in roots.filter_map(|root| found(root, path)) {
            let Value::Map(entries) = &node.value else { continue };
            for (key, _) in entries {
                if let Value::Scalar { text, .. } = &key.value
                    && !names.contains(text)
                {
                    names.push(text.clone());
                }
            }
        }
        names
    }

    fn field(&mut self, path: &[String], key: &'static Key) {
        let holds = match key.kind {
            Kind::Flag => Holds::Flag,
            Kind::Number(least, most) => Holds::Number(least, most),
            Kind::Texts => Holds::Texts,
            Kind::Choice(words) => Holds::Choice(words.to_vec()),
            Kind::Store => Holds::Choice(working(STORES).collect()),
            Kind::Transport => Holds::Choice(working(TRANSPORTS).collect()),
            _ => Holds::Text,
        };
        let here = self.root.and_then(|root| found(root, path));
        let said = here.and_then(|(_, node)| Setting::of(node));
        let of_other = |other: &&Other<'_>| {
            let value = found(&other.root, path).and_then(|(_, node)| Setting::of(node))?;
            Some((value, other.origin.clone()))
        };
        let winning = self.others.iter().rev().filter(|other| other.wins);
        let losing = self.others.iter().rev().filter(|other| !other.wins);
        let counts = { winning }
            .find_map(|other| of_other(&other))
            .or_else(|| said.clone().map(|said| (said, Origin::Here)))
            .or_else(|| { losing }.find_map(|other| of_other(&other)));
        let (effective, origin) = match counts {
            Some((value, origin)) => (Some(value), origin),
            None => (default(key), Origin::Default),
        };
        self.fields.push(Field {
            path: path.to_vec(),
            holds,
            says: key.says,
            said,
            effective,
            origin,
            place: here.map(|(key, _)| key.place),
            mistakes: Vec::new(),
        });
    }
}

/// What counts if nothing is said.
fn default(key: &Key) -> Option<Setting> {
    let node = yaml::read(key.default).ok().flatten()?;
    Setting::of(&node)
}
