//! Configuration files as forms, who works here, and what a first sync would take.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Which configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum SettingsFile {
    /// `.dsgconfig.yml` of a project.
    Project {
        /// The project.
        id: String,
    },
    /// The person's `dsg.yml`.
    Own,
}

/// See `settings_open`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct OpenSettings {
    /// The file.
    pub file: SettingsFile,
}

/// A configuration file as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Where it is, or would be.
    pub path: String,
    /// Its text; nothing: there is no file.
    pub text: Option<String>,
    /// Its form.
    pub form: SettingsForm,
}

/// See `settings_try`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct TrySettings {
    /// The file.
    pub file: SettingsFile,
    /// Its text, as it is wanted so far.
    pub text: String,
    /// Keys of it that shall say something else.
    pub changes: Vec<SettingChange>,
}

/// One key that shall say something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct SettingChange {
    /// Its name, after those of the sections it is in.
    pub path: Vec<String>,
    /// What; nothing: it is taken out.
    pub value: Option<SettingValue>,
}

/// A text that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct SettingsDraft {
    /// It, with the changes.
    pub text: String,
    /// Its form.
    pub form: SettingsForm,
}

/// See `settings_save`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct SaveSettings {
    /// The file.
    pub file: SettingsFile,
    /// The text that was read; nothing: there was no file.
    pub seen: Option<String>,
    /// The text that shall stand there.
    pub text: String,
}

/// A file to be filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct SettingsForm {
    /// The keys that may be said.
    pub fields: Vec<SettingsField>,
    /// What is wrong and belongs to none of them.
    pub mistakes: Vec<SettingMistake>,
    /// What is right and has no effect.
    pub notes: Vec<SettingMistake>,
    /// Keys can be changed one by one; else only the text as a whole.
    pub readable: bool,
    /// Nothing is wrong.
    pub sound: bool,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct SettingsField {
    /// Its name, after those of the sections it is in.
    pub path: Vec<String>,
    /// What it holds.
    pub holds: SettingHolds,
    /// What it means: a sentence without a full stop.
    pub says: String,
    /// What the file says.
    pub said: Option<SettingValue>,
    /// What counts.
    pub effective: Option<SettingValue>,
    /// Where that is said.
    pub origin: SettingOrigin,
    /// The line where it stands, counted from 1.
    pub line: Option<u64>,
    /// What is wrong with it.
    pub mistakes: Vec<SettingMistake>,
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum SettingHolds {
    /// A text.
    Text,
    /// Yes or no.
    Flag,
    /// A whole number.
    Number {
        /// From.
        least: u16,
        /// To.
        most: u16,
    },
    /// A list of texts.
    Texts,
    /// One of these words.
    Choice {
        /// They.
        words: Vec<String>,
    },
}

/// What a key says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum SettingValue {
    /// A text.
    Text {
        /// It.
        text: String,
    },
    /// Yes or no.
    Flag {
        /// Which.
        on: bool,
    },
    /// A whole number.
    Number {
        /// It.
        number: u16,
    },
    /// A list of texts.
    Texts {
        /// They.
        texts: Vec<String>,
    },
}

/// Where the value that counts is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum SettingOrigin {
    /// In the file itself.
    Here,
    /// In another file.
    File {
        /// Which.
        path: String,
    },
    /// In a variable of the environment.
    Variable {
        /// Which.
        name: String,
    },
    /// Nowhere: it counts if nothing is said.
    Default,
}

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct SettingMistake {
    /// Its line, counted from 1.
    pub line: u64,
    /// Where in it, in characters.
    pub column: u64,
    /// How many characters are meant.
    pub length: u64,
    /// What.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

/// Who works here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The name.
    pub name: Option<String>,
    /// The e-mail address: the author of snapshots.
    pub mail: Option<String>,
    /// The author while there is no address.
    pub otherwise: String,
    /// The file that says it, or would.
    pub path: String,
}

/// See `profile_save`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct SaveProfile {
    /// The name; empty: what is said stays.
    pub name: String,
    /// The e-mail address; likewise.
    pub mail: String,
}

/// See `outlook_look`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct LookOut {
    /// The window's name for this operation; `sync_cancel` ends it.
    pub ticket: String,
    /// The folder.
    pub path: String,
    /// Folders that are data; `*` is everything.
    pub data_dirs: Vec<String>,
}

/// What a first sync of a folder would take, as far as it was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// What is synced.
    pub synced: OutlookShare,
    /// What lies in data folders and is left alone, rule by rule.
    pub ignored: Vec<OutlookRule>,
    /// What lies outside the data folders.
    pub outside: OutlookShare,
    /// Files and folders that begin with a dot, which are never synced.
    pub hidden: u64,
    /// The first that cannot be synced as they are.
    pub troubles: Vec<OutlookTrouble>,
    /// How many of them there are.
    pub troubled: u64,
    /// Folders at the top, with what would be synced if each were data.
    pub folders: Vec<OutlookFolder>,
    /// Everything was looked at.
    pub complete: bool,
}

/// Files of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct OutlookShare {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first of them.
    pub examples: Vec<String>,
}

/// What one rule leaves alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct OutlookRule {
    /// The rule, in words.
    pub rule: String,
    /// What it leaves alone.
    pub share: OutlookShare,
}

/// A path that cannot be synced as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct OutlookTrouble {
    /// From the folder.
    pub path: String,
    /// Why.
    pub sentence: String,
    /// A legal name, where that helps.
    pub offer: Option<String>,
}

/// A folder at the top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct OutlookFolder {
    /// Its name.
    pub name: String,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}
