//! The table of keys as JSON Schema, for editors that complete, and as a page for people.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::keys::{Capability, Key, Kind, STORES, TRANSPORTS, VARIABLES, working};

/// The JSON Schema of a file with these keys.
pub fn schema(title: &str, keys: &[Key]) -> Value {
    let mut schema = section(keys);
    let head = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title});
    if let (Value::Object(schema), Value::Object(head)) = (&mut schema, head) {
        let rest = std::mem::replace(schema, head);
        schema.extend(rest);
    }
    schema
}

fn section(keys: &[Key]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| {
            let mut property = kind(key.kind);
            if let Value::Object(property) = &mut property {
                let mut says = key.says.to_owned();
                if let Some(why) = key.idle {
                    let _ = write!(says, " (no effect: {why})");
                    property.insert("deprecated".into(), true.into());
                }
                property.insert("description".into(), says.into());
            }
            (key.name.to_owned(), property)
        })
        .collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn kind(kind: Kind) -> Value {
    let words = |all: &'static [Capability]| json!({"enum": working(all).collect::<Vec<_>>()});
    match kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Number(least, most) => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Choice(words) => json!({"enum": words}),
        Kind::Store => words(STORES),
        Kind::Transport => words(TRANSPORTS),
        Kind::Section(keys) => self::section(keys),
        Kind::Sections(keys) => {
            json!({"type": "object", "additionalProperties": self::section(keys)})
        }
        Kind::TextsByName => json!({"type": "object", "additionalProperties": {"type": "string"}}),
    }
}

/// The keys of a file as a Markdown table.
pub fn pages(keys: &[Key]) -> String {
    let mut page = "| key | holds | if not said | means |\n|---|---|---|---|\n".to_owned();
    rows("", keys, &mut page);
    page
}

fn rows(before: &str, keys: &[Key], page: &mut String) {
    for key in keys {
        let name = format!("{before}{}", key.name);
        let holds = match key.kind {
            Kind::Text => "text".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Number(least, most) => format!("{least} to {most}"),
            Kind::Texts => "list".to_owned(),
            Kind::Choice(words) => words.join(", "),
            Kind::Store => working(STORES).collect::<Vec<_>>().join(", "),
            Kind::Transport => working(TRANSPORTS).collect::<Vec<_>>().join(", "),
            Kind::Section(_) => "section".to_owned(),
            Kind::Sections(_) => "sections by name".to_owned(),
            Kind::TextsByName => "texts by name".to_owned(),
        };
        let default =
            if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        let says = match key.idle {
            Some(why) => format!("{}; *no effect:* {why}", key.says),
            None => key.says.to_owned(),
        };
        let variable = VARIABLES.iter().find(|(_, of)| *of == name);
        let says = variable.map_or(says.clone(), |(variable, _)| format!("{says} (`{variable}`)"));
        let _ = writeln!(page, "| `{name}` | {holds} | {default} | {says} |");
        match key.kind {
            Kind::Section(keys) => rows(&format!("{name}."), keys, page),
            Kind::Sections(keys) => rows(&format!("{name}.NAME."), keys, page),
            _ => {}
        }
    }
}
