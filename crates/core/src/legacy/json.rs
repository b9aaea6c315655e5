//! The earlier tool's JSON. Its sums are of compact text in the order of the keys; whether other letters
//! than ASCII stood in it as they are or as escapes depends on what wrote it, so both are tried.

use std::fmt::{self, Write as _};

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An object whose keys come once each, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Object(pub(super) Vec<(String, Value)>);

impl Object {
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.as_u64()
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut pairs: Vec<(String, Value)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if pairs.iter().any(|(known, _)| *known == key) {
                        return Err(A::Error::custom(format!("{key:?} stands twice")));
                    }
                    pairs.push((key, value));
                }
                Ok(Object(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spelling {
    /// Other letters than ASCII as escapes.
    pub(super) escaped: bool,
    /// A blank behind `,` and `:`.
    pub(super) spaced: bool,
}

impl Spelling {
    /// Compact, letters as they are.
    pub(super) const PLAIN: Self = Self { escaped: false, spaced: false };

    pub(super) const ALL: [Self; 4] = [
        Self::PLAIN,
        Self { escaped: true, spaced: false },
        Self { escaped: false, spaced: true },
        Self { escaped: true, spaced: true },
    ];

    /// An object, in the order of its keys.
    pub(super) fn object(self, object: &Object, out: &mut String) {
        self.pairs(object.0.iter().map(|(key, value)| (key, value)), false, out);
    }

    /// A value with all its keys sorted.
    pub(super) fn sorted(self, value: &Value, out: &mut String) {
        match value {
            Value::Object(map) => {
                let mut pairs: Vec<_> = map.iter().collect();
                pairs.sort_by(|a, b| a.0.cmp(b.0));
                self.pairs(pairs.into_iter(), true, out);
            }
            Value::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    self.comma(at, out);
                    self.sorted(item, out);
                }
                out.push(']');
            }
            Value::String(text) => self.string(text, out),
            other => out.push_str(&other.to_string()),
        }
    }

    fn pairs<'v>(
        self,
        pairs: impl Iterator<Item = (&'v String, &'v Value)>,
        sorted: bool,
        out: &mut String,
    ) {
        out.push('{');
        for (at, (key, value)) in pairs.enumerate() {
            self.comma(at, out);
            self.string(key, out);
            out.push(':');
            if self.spaced {
                out.push(' ');
            }
            match value {
                Value::String(text) => self.string(text, out),
                value if sorted => self.sorted(value, out),
                value => out.push_str(&value.to_string()),
            }
        }
        out.push('}');
    }

    fn comma(self, at: usize, out: &mut String) {
        if at > 0 {
            out.push_str(if self.spaced { ", " } else { "," });
        }
    }

    fn string(self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            let short = match c {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\u{8}' => "\\b",
                '\u{c}' => "\\f",
                c if c < ' ' || (self.escaped && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                    continue;
                }
                c => {
                    out.push(c);
                    continue;
                }
            };
            out.push_str(short);
        }
        out.push('"');
    }
}
