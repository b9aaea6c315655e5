//! Configuration files: looked at, made newer, and what may stand in them.

use std::path::Path;

use dsg_core::config::keys::{PROJECT, USER};
use dsg_core::config::schema as schema_of;
use dsg_core::failure::Outcome;
use dsg_engine::validate::{self, Migration};

use crate::answer::Answer;

/// Looks at all of them.
pub(crate) fn validate(start: &Path) -> Outcome<Answer> {
    Ok(Answer::Configs(validate::examine(start)?))
}

/// Makes the project's newer, if that is meant.
pub(crate) fn migrate(start: &Path, really: bool) -> Outcome<Answer> {
    let Some(migration) = Migration::of(start)? else {
        return Ok(Answer::Migrated { migration: None, kept: None });
    };
    let kept = if really { Some(migration.carry_out()?) } else { None };
    Ok(Answer::Migrated { migration: Some(migration), kept })
}

/// The JSON Schema of one.
pub(crate) fn schema(of: &str) -> Answer {
    let schema = match of {
        "user" => schema_of("dsg.yml", USER),
        _ => schema_of(".dsgconfig.yml", PROJECT),
    };
    Answer::Text(format!("{schema:#}\n"))
}
