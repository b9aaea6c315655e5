//! What is in a file, or what differs between two: bounded in bytes, lines, pixels and time,
//! whatever the file is.
//!
//! | file | owns |
//! |---|---|
//! | `mod` | what kind of file it is, and which way of showing fits both sides |
//! | `text` | lines, and what differs between two texts |
//! | `table` | rows and cells, and what differs between two tables |
//! | `image` | which images are safe to show, and the tokens by which the window gets them |

mod image;
mod table;
#[cfg(test)]
mod tests;
mod text;

use std::time::{Duration, Instant};

use dsg_core::entry::Mtime;
use dsg_engine::endpoint::Glimpse;

pub(super) use image::Gallery;
pub(crate) use image::SCHEME;

use super::words;
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

/// So much of a text is read, of each side.
pub(super) const TEXT: u64 = 2 * 1024 * 1024;
/// So large an image is shown.
pub(super) const IMAGE: u64 = 16 * 1024 * 1024;
/// So long differences are looked for; then what is found is shown.
const PATIENCE: Duration = Duration::from_millis(300);
/// Equal lines or rows that are shown around what differs.
const CONTEXT: usize = 3;
const NOT_UTF8: &str = "Not valid UTF-8: what cannot be read is shown as �.";

/// One side, as far as it was read.
pub(super) struct Side {
    name: String,
    glimpse: Glimpse,
}

impl Side {
    /// `name`: decides, with the content, what kind of file it is.
    pub(super) fn new(name: &str, glimpse: Glimpse) -> Self {
        Self { name: name.to_owned(), glimpse }
    }

    /// Whether all of it has to be read to be shown.
    pub(super) fn is_image(&self) -> bool {
        matches!(self.kind(), Kind::Image(_))
    }

    /// Whether it was read to its end.
    fn is_whole(&self) -> bool {
        match &self.glimpse {
            Glimpse::File { size, bytes, .. } => *size == bytes.len() as u64,
            Glimpse::Link(_) => true,
        }
    }

    fn bytes(&self) -> &[u8] {
        match &self.glimpse {
            Glimpse::File { bytes, .. } => bytes,
            Glimpse::Link(target) => target.as_bytes(),
        }
    }

    fn kind(&self) -> Kind {
        match &self.glimpse {
            Glimpse::Link(_) => Kind::Link,
            Glimpse::File { bytes, .. } => Kind::of(&self.name, bytes),
        }
    }

    fn described(&self) -> PreviewSide {
        let (size, time) = match &self.glimpse {
            Glimpse::File { size, mtime: Mtime(at), .. } => (*size, words::time(*at)),
            Glimpse::Link(_) => (0, None),
        };
        PreviewSide { size, time, kind: self.kind().name().to_owned() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Link,
    Empty,
    Table(u8),
    Text,
    Image(&'static str),
    Named(&'static str),
    Unknown,
}

/// By how a file begins, and how it is called.
const MAGIC: &[(&[u8], Kind)] = &[
    (b"\x89PNG\r\n\x1a\n", Kind::Image("PNG image")),
    (b"\xff\xd8\xff", Kind::Image("JPEG image")),
    (b"GIF8", Kind::Image("GIF image")),
    (b"BM", Kind::Image("BMP image")),
    (b"%PDF-", Kind::Named("PDF document")),
    (b"\x1f\x8b", Kind::Named("gzip archive")),
    (b"\x28\xb5\x2f\xfd", Kind::Named("Zstandard archive")),
    (b"BZh", Kind::Named("bzip2 archive")),
    (b"\xfd7zXZ", Kind::Named("xz archive")),
    (b"7z\xbc\xaf", Kind::Named("7-Zip archive")),
    (b"\x89HDF", Kind::Named("HDF5 data")),
    (b"CDF", Kind::Named("NetCDF data")),
    (b"PAR1", Kind::Named("Parquet table")),
    (b"SQLite format 3\0", Kind::Named("SQLite database")),
    (b"II*\0", Kind::Named("TIFF image")),
    (b"MM\0*", Kind::Named("TIFF image")),
    (b"RDX", Kind::Named("R data")),
];

impl Kind {
    fn of(name: &str, bytes: &[u8]) -> Self {
        let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase());
        let extension = extension.as_deref().unwrap_or_default();
        if bytes.is_empty() {
            return Self::Empty;
        }
        if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            return Self::Image("WebP image");
        }
        let known = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic));
        // Two letters are not enough to be sure.
        if let Some((magic, kind)) = known
            && (magic.len() > 2 || is_binary(bytes))
        {
            return *kind;
        }
        if bytes.starts_with(b"PK\x03\x04") {
            return Self::Named(match extension {
                "xlsx" => "Excel workbook",
                "docx" => "Word document",
                "pptx" => "PowerPoint slides",
                "ods" => "OpenDocument spreadsheet",
                "odt" => "OpenDocument text",
                _ => "ZIP archive",
            });
        }
        if is_binary(bytes) {
            return Self::Unknown;
        }
        match extension {
            "csv" => Self::Table(table::delimiter(bytes)),
            "tsv" | "tab" => Self::Table(b'\t'),
            _ => Self::Text,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Link => "Link",
            Self::Empty => "Empty file",
            Self::Table(b'\t') => "TSV table",
            Self::Table(_) => "CSV table",
            Self::Text => "Text",
            Self::Image(name) | Self::Named(name) => name,
            Self::Unknown => "File",
        }
    }
}

/// Text has no NUL, and few bytes that are no text.
fn is_binary(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(8192)];
    let strange = |b: &&u8| **b < 32 && !matches!(**b, b'\n' | b'\r' | b'\t' | 0x0c | 0x1b);
    head.contains(&0) || head.iter().filter(strange).count() * 50 > head.len()
}

/// What is shown of one or two sides.
pub(super) fn show(left: Option<&Side>, right: Option<&Side>, gallery: &Gallery) -> Preview {
    let mut notes = Vec::new();
    let content = content(left, right, gallery, &mut notes);
    let same = match (left, right) {
        (Some(l), Some(r)) => {
            l.is_whole() && r.is_whole() && l.kind() == r.kind() && l.bytes() == r.bytes()
        }
        _ => false,
    };
    notes.dedup();
    Preview {
        left: left.map(Side::described),
        right: right.map(Side::described),
        same,
        content,
        notes,
    }
}

fn content(
    left: Option<&Side>,
    right: Option<&Side>,
    gallery: &Gallery,
    notes: &mut Vec<String>,
) -> PreviewContent {
    let kinds: Vec<Kind> = [left, right].into_iter().flatten().map(Side::kind).collect();
    let all = |fits: fn(&Kind) -> bool| !kinds.is_empty() && kinds.iter().all(fits);
    let deadline = Instant::now() + PATIENCE;
    if all(|k| *k == Kind::Link) {
        let target =
            |side: Option<&Side>| side.map(|s| String::from_utf8_lossy(s.bytes()).into_owned());
        return PreviewContent::Links { left: target(left), right: target(right) };
    }
    if all(|k| matches!(k, Kind::Image(_))) {
        return PreviewContent::Images(ImagesPreview {
            left: left.map(|side| gallery.hang(side.bytes(), side.is_whole())),
            right: right.map(|side| gallery.hang(side.bytes(), side.is_whole())),
        });
    }
    let as_table = |k: &Kind| matches!(k, Kind::Table(_) | Kind::Empty);
    let as_text = |k: &Kind| matches!(k, Kind::Table(_) | Kind::Text | Kind::Empty);
    let tables = kinds.iter().all(as_table) && kinds.iter().any(|k| *k != Kind::Empty);
    if tables && let Some(table) = table::show(left, right, deadline, notes) {
        return PreviewContent::Table(table);
    }
    if !kinds.is_empty() && kinds.iter().all(as_text) {
        let left = left.map(|side| text::read(side.bytes(), side.is_whole(), notes));
        let right = right.map(|side| text::read(side.bytes(), side.is_whole(), notes));
        return PreviewContent::Text(text::show(
            left.as_deref(),
            right.as_deref(),
            deadline,
            notes,
        ));
    }
    let sentence = match kinds.as_slice() {
        [] => "There is nothing at this path.".to_owned(),
        [one] => format!("{}: its content is not shown.", one.name()),
        [a, b] if a.name() == b.name() => format!("{}: its content is not shown.", a.name()),
        [a, b, ..] => {
            format!(
                "The earlier version is a {}, the later a {}.",
                lower(a.name()),
                lower(b.name())
            )
        }
    };
    PreviewContent::Nothing { sentence }
}

/// `Text` in the middle of a sentence; `PDF document` as it is.
fn lower(name: &str) -> String {
    let second_is_lower = name.chars().nth(1).is_some_and(char::is_lowercase);
    if second_is_lower { name.to_lowercase() } else { name.to_owned() }
}

/// Bytes as text; what is no text, or cannot be seen, stands there as a symbol.
fn shown_text(text: &str) -> String {
    let symbol = |c: char| match c {
        '\t' => '\t',
        // The pictures of the control characters.
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('�'),
        '\x7f' => '␡',
        // What turns the direction of a line could show other words than there are.
        '\u{80}'..='\u{9f}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => '�',
        c => c,
    };
    text.chars().map(symbol).collect()
}
