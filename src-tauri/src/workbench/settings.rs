//! Configuration files as forms, who works here, and what a first sync of a folder would take.

use std::path::Path;

use dsg_core::config::form::{Field, File, Form, Holds, Origin};
use dsg_core::config::{Mistake, Setting};
use dsg_core::failure::Code;
use dsg_engine::{outlook, settings};

use super::{Workbench, folder};
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

impl Workbench {
    pub(super) fn read_settings(&self, file: &SettingsFile) -> Result<Settings, ApiError> {
        let found = match file {
            SettingsFile::Own => settings::open(File::Own, Path::new(""))?,
            SettingsFile::Project { id } => settings::open(File::Project, &self.session(id)?.root)?,
        };
        let path = found.path.to_string_lossy().into_owned();
        Ok(Settings { path, text: found.text, form: form(found.form) })
    }

    pub(super) fn write_settings(&self, request: &SaveSettings) -> Result<Settings, ApiError> {
        let (seen, text) = (request.seen.as_deref(), request.text.as_str());
        match &request.file {
            SettingsFile::Own => settings::save_own(seen, text)?,
            SettingsFile::Project { id } => self.session(id)?.configure(seen, text)?,
        }
        self.read_settings(&request.file)
    }

    /// Tells what a first sync of a folder would take, again and again while it is looked at.
    pub(super) fn look_out(&self, request: &LookOut) -> Result<(), ApiError> {
        let root = folder::canonical(&request.path)?;
        let rules = outlook::rules(&root, &request.data_dirs)?;
        let ticket = &request.ticket;
        self.job(ticket, &request.path, |monitor| {
            outlook::look(&root, &rules, monitor, &mut |found| {
                (self.events)(Event::OutlookTold { id: ticket.clone(), outlook: shown(found) });
            })?;
            Ok(())
        })
        .map(|_| ())
    }
}

/// What a text becomes with these changes.
pub(super) fn tried(request: TrySettings) -> Result<SettingsDraft, ApiError> {
    let file = match request.file {
        SettingsFile::Own => File::Own,
        SettingsFile::Project { .. } => File::Project,
    };
    let changes: Vec<settings::Change> = request
        .changes
        .into_iter()
        .map(|change| (change.path, change.value.map(setting)))
        .collect();
    let (text, found) = settings::tried(file, &request.text, &changes)?;
    Ok(SettingsDraft { text, form: form(found) })
}

pub(super) fn profile() -> Result<Profile, ApiError> {
    let settings::Profile { name, mail, otherwise, path } = settings::profile()?;
    Ok(Profile { name, mail, otherwise, path: path.to_string_lossy().into_owned() })
}

pub(super) fn keep_profile(request: &SaveProfile) -> Result<(), ApiError> {
    settings::keep_profile(&request.name, &request.mail).map_err(|failure| {
        let error = ApiError::from(failure);
        let hint = "Write an e-mail address as in ann@example.org, or leave it empty.";
        if error.code == Code::Config.as_str() { error.with_hint(hint) } else { error }
    })
}

fn setting(value: SettingValue) -> Setting {
    match value {
        SettingValue::Text { text } => Setting::Text(text),
        SettingValue::Flag { on } => Setting::Flag(on),
        SettingValue::Number { number } => Setting::Number(number),
        SettingValue::Texts { texts } => Setting::Texts(texts),
    }
}

fn value(setting: Setting) -> SettingValue {
    match setting {
        Setting::Text(text) => SettingValue::Text { text },
        Setting::Flag(on) => SettingValue::Flag { on },
        Setting::Number(number) => SettingValue::Number { number },
        Setting::Texts(texts) => SettingValue::Texts { texts },
    }
}

fn form(form: Form) -> SettingsForm {
    SettingsForm {
        sound: form.is_sound(),
        readable: form.is_readable,
        fields: form.fields.into_iter().map(field).collect(),
        mistakes: form.mistakes.into_iter().map(mistake).collect(),
        notes: form.notes.into_iter().map(mistake).collect(),
    }
}

fn field(field: Field) -> SettingsField {
    SettingsField {
        path: field.path,
        holds: match field.holds {
            Holds::Text => SettingHolds::Text,
            Holds::Flag => SettingHolds::Flag,
            Holds::Number(least, most) => SettingHolds::Number { least, most },
            Holds::Texts => SettingHolds::Texts,
            Holds::Choice(words) => {
                SettingHolds::Choice { words: words.into_iter().map(str::to_owned).collect() }
            }
        },
        says: field.says.to_owned(),
        said: field.said.map(value),
        effective: field.effective.map(value),
        origin: match field.origin {
            Origin::Here => SettingOrigin::Here,
            Origin::File(path) => SettingOrigin::File { path },
            Origin::Variable(name) => SettingOrigin::Variable { name: name.to_owned() },
            Origin::Default => SettingOrigin::Default,
        },
        line: field.place.map(|place| place.line as u64),
        mistakes: field.mistakes.into_iter().map(mistake).collect(),
    }
}

fn mistake(mistake: Mistake) -> SettingMistake {
    let Mistake { place, what, mend } = mistake;
    let (line, column, length) = (place.line as u64, place.column as u64, place.length as u64);
    SettingMistake { line, column, length, what, mend }
}

fn shown(found: &outlook::Outlook) -> Outlook {
    let share = |share: &outlook::Share| OutlookShare {
        files: share.files,
        bytes: share.bytes,
        examples: share.examples.clone(),
    };
    let trouble = |trouble: &outlook::Trouble| OutlookTrouble {
        path: trouble.path.clone(),
        sentence: trouble.sentence.clone(),
        offer: trouble.offer.clone(),
    };
    let folder = |(name, (files, bytes)): (&String, &(u64, u64))| OutlookFolder {
        name: name.clone(),
        files: *files,
        bytes: *bytes,
    };
    let rule = |(rule, of): (&String, _)| OutlookRule { rule: rule.clone(), share: share(of) };
    Outlook {
        synced: share(&found.synced),
        ignored: found.ignored.iter().map(rule).collect(),
        outside: share(&found.outside),
        hidden: found.hidden,
        troubles: found.troubles.iter().map(trouble).collect(),
        troubled: found.troubled,
        folders: found.folders.iter().map(folder).collect(),
        complete: found.complete,
    }
}
