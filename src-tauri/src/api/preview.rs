//! What is in a file, or what differs between two: bounded, whatever the file.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// See `preview`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ShowPreview {
    /// The project.
    pub id: String,
    /// The earlier version; none shows the later one by itself.
    pub left: Option<ContentRef>,
    /// The later version; none shows the earlier one by itself.
    pub right: Option<ContentRef>,
}

/// Names a version of a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ContentRef {
    /// Within the project; for `trash`, the item's id.
    pub path: String,
    /// Which version.
    pub at: ContentAt,
}

/// Where a version is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum ContentAt {
    /// In the folder, as it is now.
    Local,
    /// As it was when both sides last agreed.
    Cached,
    /// In the repository, as it is now.
    Remote,
    /// In a snapshot.
    Snapshot {
        /// Its name, `s42`.
        snapshot: String,
    },
    /// In the trash.
    Trash,
}

/// What is shown of one or two versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The earlier version; none if it was not asked for or is not there.
    pub left: Option<PreviewSide>,
    /// The later version.
    pub right: Option<PreviewSide>,
    /// Their content is the same, byte for byte.
    pub same: bool,
    /// What is in them.
    pub content: PreviewContent,
    /// What is left out ("The first 2,000 lines are shown."), or odd about the text ("Not valid
    /// UTF-8: what cannot be read is shown as �.").
    pub notes: Vec<String>,
}

/// What a version is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct PreviewSide {
    /// Bytes.
    pub size: u64,
    /// Modification time (RFC 3339); none for a link.
    pub time: Option<String>,
    /// In words: `CSV table`, `PNG image`, `PDF document`, `Text`, `Link`, `File`.
    pub kind: String,
}

/// Content, in the way that fits it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum PreviewContent {
    /// Text, or what differs between two texts.
    Text(TextPreview),
    /// A table (CSV, TSV), or what differs between two.
    Table(TablePreview),
    /// One or two images.
    Images(ImagesPreview),
    /// Where links point.
    Links {
        /// The earlier target.
        left: Option<String>,
        /// The later one.
        right: Option<String>,
    },
    /// Nothing but size and kind; says why.
    Nothing {
        /// One sentence.
        sentence: String,
    },
}

/// Lines, with those that differ marked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct TextPreview {
    /// Parts of the text, each with some equal lines around what differs; of one version alone,
    /// one part with all lines.
    pub hunks: Vec<Hunk>,
    /// Lines that the later version has and the earlier has not.
    pub added: u64,
    /// Lines that the earlier version has and the later has not.
    pub removed: u64,
}

/// Lines that follow one another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Hunk {
    /// Equal lines between the part before (or the beginning) and this one, which are not shown.
    pub skipped: u64,
    /// The lines.
    pub lines: Vec<TextLine>,
}

/// One line of text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct TextLine {
    /// Equal, added or removed.
    pub change: LineChange,
    /// Its number in the earlier version, from 1.
    pub left: Option<u64>,
    /// Its number in the later version, from 1.
    pub right: Option<u64>,
    /// Its text in parts, without the line's end.
    pub spans: Vec<Span>,
}

/// How a line or a row differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "snake_case")]
pub enum LineChange {
    /// Both have it.
    Same,
    /// Only the later version has it.
    Added,
    /// Only the earlier version has it.
    Removed,
    /// Both have it, with other cells (rows of a table only).
    Changed,
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// The text; control characters are shown as symbols.
    pub text: String,
    /// These words differ.
    pub changed: bool,
}

/// Rows of a table, with cells that differ marked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct TablePreview {
    /// The columns of both versions, in the order of the later one.
    pub columns: Vec<TableColumn>,
    /// Parts of the table, as of a text.
    pub hunks: Vec<TableHunk>,
    /// Rows that only the later version has.
    pub added: u64,
    /// Rows that only the earlier version has.
    pub removed: u64,
    /// Rows that both have, with other cells.
    pub changed: u64,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct TableColumn {
    /// Its name, from the first row.
    pub name: String,
    /// Whether both versions have it.
    pub change: LineChange,
}

/// Rows that follow one another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct TableHunk {
    /// Equal rows before this part which are not shown.
    pub skipped: u64,
    /// The rows.
    pub rows: Vec<TableRow>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct TableRow {
    /// Equal, added, removed or changed.
    pub change: LineChange,
    /// Its number in the earlier version, from 1 below the names.
    pub left: Option<u64>,
    /// Its number in the later version.
    pub right: Option<u64>,
    /// One for each column.
    pub cells: Vec<TableCell>,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct TableCell {
    /// What stands there: of the later version, or of the earlier one where only that has it.
    pub text: String,
    /// What stood there, where it differs.
    pub former: Option<String>,
    /// It differs.
    pub changed: bool,
}

/// Images, side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ImagesPreview {
    /// The earlier version.
    pub left: Option<ImageSide>,
    /// The later version.
    pub right: Option<ImageSide>,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ImageSide {
    /// For `<img src>`; valid until the next preview. None if it is not safe to show.
    pub url: Option<String>,
    /// Pixels.
    pub width: u64,
    /// Pixels.
    pub height: u64,
    /// Why it is not shown.
    pub reason: Option<String>,
}
