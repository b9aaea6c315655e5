//! The canonical text of a manifest: one JSON line per path, sorted by path bytes.
//!
//! A file is `{"path":P,"size":N,"mtime_ns":N,"exec":true,"sha256":H}` (`exec` only when true), a
//! link `{"path":P,"link":T}`; in a delta, a path that went is `{"path":P,"gone":true}`. Keys stand
//! in this order, without spaces, each line ends in `\n`: so one tree has one text and one SHA-256.
//! No legal path needs a JSON escape, so a line's path can be compared without parsing the line.
//!
//! Owns reading (every line proved legal, canonical and in order), writing, and applying a delta
//! in one streaming pass; memory does not grow with the tree.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::entry::{Entry, FileEntry, Hash, LinkTarget, Mtime};
use crate::path::RepoPath;

/// Longest line that is read: a longest path, a longest link target, and the rest.
const MAX_LINE: u64 = 16 * 1024;

/// One path's new state: present with an entry, or gone (`None`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: RepoPath,
    /// What stands there now.
    pub entry: Option<Entry>,
}

/// A manifest or delta that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The stream could not be read or written.
    #[error("the manifest could not be read or written")]
    Io(#[from] io::Error),
    /// A line is damaged, not canonical, or names an illegal path.
    #[error("line {line} of the manifest is damaged: {why}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The text is legal, but not the one that the header promised.
    #[error("the manifest's SHA-256 is {found}, {expected} was promised")]
    Hash {
        /// What the header says.
        expected: Hash,
        /// What the text gives.
        found: Hash,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    path: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mtime_ns: Option<i64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    exec: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<Hash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
}

/// The canonical line of one path, with its `\n`.
pub fn line(path: &RepoPath, entry: Option<&Entry>) -> Vec<u8> {
    let mut line = Line {
        path: path.as_str().into(),
        size: None,
        mtime_ns: None,
        exec: false,
        sha256: None,
        link: None,
        gone: false,
    };
    match entry {
        Some(Entry::File(file)) => {
            line.size = Some(file.size);
            line.mtime_ns = Some(file.mtime.0);
            line.exec = file.exec;
            line.sha256 = Some(file.hash);
        }
        Some(Entry::Link(target)) => line.link = Some(target.as_str().into()),
        None => line.gone = true,
    }
    let mut text = serde_json::to_vec(&line).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Reads one line without its `\n`.
///
/// # Errors
/// Why it is not the canonical line of any legal path.
pub fn parse_line(text: &[u8]) -> Result<Change, String> {
    let raw: Line = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    let path = RepoPath::parse(&raw.path).map_err(|e| format!("{:?}: {e}", raw.path))?;
    let entry = match raw {
        Line {
            size: Some(size),
            mtime_ns: Some(mtime),
            exec,
            sha256: Some(hash),
            link: None,
            gone: false,
            ..
        } => Some(Entry::File(FileEntry { size, mtime: Mtime(mtime), exec, hash })),
        Line {
            size: None,
            mtime_ns: None,
            exec: false,
            sha256: None,
            link: Some(target),
            gone: false,
            ..
        } => Some(Entry::Link(
            LinkTarget::parse(&path, &target).map_err(|e| format!("{path}: {e}"))?,
        )),
        Line {
            size: None,
            mtime_ns: None,
            exec: false,
            sha256: None,
            link: None,
            gone: true,
            ..
        } => None,
        _ => return Err(format!("{path}: neither a file, a link nor a deletion")),
    };
    if line(&path, entry.as_ref()).strip_suffix(b"\n") != Some(text) {
        return Err(format!("{path}: the line is not in canonical form"));
    }
    Ok(Change { path, entry })
}

/// Proves that paths come sorted, once each, and that no file is another path's directory.
#[derive(Debug, Default)]
pub struct OrderCheck {
    /// The previous path and those of its textual prefixes that came before, each with whether
    /// an entry stands there.
    prefixes: Vec<(RepoPath, bool)>,
    gone_allowed: bool,
}

impl OrderCheck {
    /// For a delta, where `a` may go while `a/b` comes.
    pub fn for_delta() -> Self {
        Self { gone_allowed: true, ..Self::default() }
    }

    /// Takes the next path.
    ///
    /// # Errors
    /// What is wrong with its place.
    pub fn next(&mut self, change: &Change) -> Result<(), String> {
        let path = &change.path;
        if self.prefixes.last().is_some_and(|(last, _)| last >= path) {
            return Err(format!("{path} stands twice or out of order"));
        }
        while self.prefixes.last().is_some_and(|(p, _)| !path.starts_with(p.as_str())) {
            self.prefixes.pop();
        }
        if change.entry.is_none() {
            if !self.gone_allowed {
                return Err(format!("{path} is a deletion, which only a delta may hold"));
            }
        } else if let Some((file, _)) =
            self.prefixes.iter().find(|(p, stands)| *stands && path.is_within(p))
        {
            return Err(format!("{path} lies below {file}, which is a file"));
        }
        self.prefixes.push((path.clone(), change.entry.is_some()));
        Ok(())
    }
}

/// Iterates over a manifest's or a delta's lines, each one proved.
pub struct ManifestReader<R> {
    input: R,
    order: OrderCheck,
    line: u64,
    hash: Sha256,
    buffer: Vec<u8>,
}

impl<R: BufRead> ManifestReader<R> {
    /// Reads a whole manifest: deletions are errors.
    pub fn new(input: R) -> Self {
        Self {
            input,
            order: OrderCheck::default(),
            line: 0,
            hash: Sha256::new(),
            buffer: Vec::new(),
        }
    }

    /// Reads a delta.
    pub fn delta(input: R) -> Self {
        Self { order: OrderCheck::for_delta(), ..Self::new(input) }
    }

    /// The SHA-256 of all lines read so far.
    pub fn finish(self) -> Hash {
        Hash(self.hash.finalize().into())
    }

    fn read(&mut self) -> Result<Option<Change>, ManifestError> {
        let Some(text) = next_line(&mut self.input, &mut self.buffer, self.line + 1)? else {
            return Ok(None);
        };
        self.line += 1;
        self.hash.update(text);
        self.hash.update(b"\n");
        let damaged = |why| ManifestError::Line { line: self.line, why };
        let change = parse_line(text).map_err(damaged)?;
        self.order.next(&change).map_err(damaged)?;
        Ok(Some(change))
    }
}

impl<R: BufRead> Iterator for ManifestReader<R> {
    type Item = Result<Change, ManifestError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn next_line<'b>(
    input: &mut impl BufRead,
    buffer: &'b mut Vec<u8>,
    line: u64,
) -> Result<Option<&'b [u8]>, ManifestError> {
    buffer.clear();
    if io::Read::take(&mut *input, MAX_LINE).read_until(b'\n', buffer)? == 0 {
        return Ok(None);
    }
    match buffer.strip_suffix(b"\n") {
        Some(text) => Ok(Some(text)),
        None => Err(ManifestError::Line { line, why: "it is cut off, or too long".into() }),
    }
}

/// Writes a manifest or delta and its hash.
pub struct ManifestWriter<W> {
    output: W,
    hash: Sha256,
}

impl<W: Write> ManifestWriter<W> {
    /// Writes to `output`; give it a buffered one.
    pub fn new(output: W) -> Self {
        Self { output, hash: Sha256::new() }
    }

    /// Appends a path; the caller keeps the order.
    ///
    /// # Errors
    /// The output's.
    pub fn put(&mut self, path: &RepoPath, entry: Option<&Entry>) -> io::Result<()> {
        self.put_line(&line(path, entry))
    }

    fn put_line(&mut self, line: &[u8]) -> io::Result<()> {
        self.hash.update(line);
        self.output.write_all(line)
    }

    /// Flushes, and gives the output and the SHA-256 of what was written.
    ///
    /// # Errors
    /// The output's.
    pub fn finish(mut self) -> io::Result<(W, Hash)> {
        self.output.flush()?;
        Ok((self.output, Hash(self.hash.finalize().into())))
    }
}

/// Counts of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Files and links.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// What [`apply_delta`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// SHA-256 of the base text, to compare with its header.
    pub base: Hash,
    /// SHA-256 of the text written.
    pub result: Hash,
    /// Paths that came.
    pub added: u64,
    /// Paths whose entry is another now.
    pub changed: u64,
    /// Paths that went.
    pub deleted: u64,
}

/// Writes `base` with `delta` applied. Unchanged lines are copied unparsed: compare
/// [`Applied::base`] with the header before you trust the result.
///
/// # Errors
/// Input that cannot be read or is cut off; a deletion of a path that is not there.
pub fn apply_delta<W: Write>(
    mut base: impl BufRead,
    delta: impl IntoIterator<Item = Result<Change, ManifestError>>,
    output: W,
) -> Result<(W, Applied), ManifestError> {
    let mut writer = ManifestWriter::new(output);
    let mut base_hash = Sha256::new();
    let mut buffer = Vec::new();
    let mut line_number = 0;
    let (mut added, mut changed, mut deleted) = (0, 0, 0);
    let mut delta = delta.into_iter();
    let mut pending = delta.next().transpose()?;
    let emit_new = |writer: &mut ManifestWriter<W>, change: &Change| match &change.entry {
        Some(entry) => writer.put(&change.path, Some(entry)).map_err(ManifestError::from),
        None => Err(ManifestError::Line {
            line: 0,
            why: format!("{} is deleted, but was not there", change.path),
        }),
    };
    loop {
        line_number += 1;
        let Some(text) = next_line(&mut base, &mut buffer, line_number)? else { break };
        base_hash.update(text);
        base_hash.update(b"\n");
        let path = raw_path(text).ok_or_else(|| ManifestError::Line {
            line: line_number,
            why: "it names no path".into(),
        })?;
        while let Some(change) = pending.take_if(|c| c.path.as_bytes() < path) {
            emit_new(&mut writer, &change)?;
            added += 1;
            pending = delta.next().transpose()?;
        }
        if let Some(change) = pending.take_if(|c| c.path.as_bytes() == path) {
            match &change.entry {
                Some(entry) => {
                    writer.put(&change.path, Some(entry))?;
                    changed += 1;
                }
                None => deleted += 1,
            }
            pending = delta.next().transpose()?;
        } else {
            writer.hash.update(text);
            writer.hash.update(b"\n");
            writer.output.write_all(text)?;
            writer.output.write_all(b"\n")?;
        }
    }
    while let Some(change) = pending {
        emit_new(&mut writer, &change)?;
        added += 1;
        pending = delta.next().transpose()?;
    }
    let (output, result) = writer.finish()?;
    Ok((
        output,
        Applied { base: Hash(base_hash.finalize().into()), result, added, changed, deleted },
    ))
}

/// The path of a line, unparsed; `None` if the line does not begin as a line must.
pub fn raw_path(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(br#"{"path":""#)?;
    rest.iter().position(|&b| b == b'"').map(|end| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    fn file(content: &str, exec: bool) -> Entry {
        Entry::File(FileEntry {
            size: content.len() as u64,
            mtime: Mtime(1_700_000_000_123_456_789),
            exec,
            hash: Hash::of(content.as_bytes()),
        })
    }

    fn text(tree: &BTreeMap<RepoPath, Entry>) -> Vec<u8> {
        tree.iter().flat_map(|(p, e)| line(p, Some(e))).collect()
    }

    #[test]
    fn the_canonical_text_is_fixed() {
        let at: RepoPath = "input/run".parse().unwrap();
        assert_eq!(
            String::from_utf8(line(&at, Some(&file("abc", true)))).unwrap(),
            "{\"path\":\"input/run\",\"size\":3,\"mtime_ns\":1700000000123456789,\"exec\":true,\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}\n"
        );
        let link = Entry::Link(LinkTarget::parse(&at, "../x").unwrap());
        assert_eq!(line(&at, Some(&link)), b"{\"path\":\"input/run\",\"link\":\"../x\"}\n");
        assert_eq!(line(&at, None), b"{\"path\":\"input/run\",\"gone\":true}\n");
    }

    #[test]
    fn hostile_manifests_are_refused_with_the_line() {
        let good = String::from_utf8(line(&"b".parse().unwrap(), Some(&file("x", false)))).unwrap();
        let at = |path: &str| good.replace("\"b\"", &format!("{path:?}"));
        let cases = [
            at("../x"),
            at("/etc/passwd"),
            at("a\u{301}"),
            at(&"y".repeat(300)),
            good.clone() + &good,
            at("b") + &at("a"),
            at("a") + &at("a-b") + &at("a/b"),
            good.replace("\"size\":1", "\"size\": 1"),
            good.replace("\"size\":1", "\"size\":1,\"exec\":false"),
            good.replace("\"size\":1", "\"size\":-1"),
            good.replace('}', ",\"more\":1}"),
            "{\"path\":\"b\",\"gone\":true}\n".into(),
            "{\"path\":\"b\",\"link\":\"../../etc/passwd\"}\n".into(),
            good.trim_end().into(),
            "\n".into(),
            "\u{0}\n".into(),
            "x".repeat(40_000),
        ];
        for case in cases {
            let outcome: Result<Vec<_>, _> = ManifestReader::new(case.as_bytes()).collect();
            assert!(matches!(outcome, Err(ManifestError::Line { .. })), "accepted: {case}");
        }
    }

    #[test]
    fn in_a_delta_a_file_may_give_way_to_a_directory() {
        let gone = line(&"a".parse().unwrap(), None);
        let comes = line(&"a/b".parse().unwrap(), Some(&file("x", false)));
        let delta = [gone, comes].concat();
        assert!(ManifestReader::delta(&delta[..]).all(|c| c.is_ok()));
    }

    fn trees() -> impl Strategy<Value = BTreeMap<RepoPath, Entry>> {
        proptest::collection::btree_map("[a-c](-|/)?[a-d]", "[xyz]{0,3}", 0..12).prop_map(|raw| {
            let mut tree: BTreeMap<RepoPath, Entry> = BTreeMap::new();
            for (path, content) in raw {
                let path: RepoPath = path.parse().unwrap();
                if !path.ancestors().any(|a| tree.contains_key(a))
                    && !tree.keys().any(|k| k.is_within(&path))
                {
                    tree.insert(path, file(&content, content.len() == 2));
                }
            }
            tree
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(tree in trees()) {
            let body = text(&tree);
            let mut reader = ManifestReader::new(&body[..]);
            let back: BTreeMap<_, _> = reader.by_ref().map(|c| c.map(|c| (c.path, c.entry.unwrap()))).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(back, tree);
            prop_assert_eq!(reader.finish(), Hash::of(&body));
        }

        #[test]
        fn a_delta_leads_from_one_tree_to_the_other(before in trees(), after in trees()) {
            let mut delta: BTreeMap<RepoPath, Option<Entry>> = BTreeMap::new();
            for path in before.keys().chain(after.keys()) {
                if before.get(path) != after.get(path) {
                    delta.insert(path.clone(), after.get(path).cloned());
                }
            }
            let size = delta.len() as u64;
            let changes = delta.into_iter().map(|(path, entry)| Ok(Change { path, entry }));
            let (out, applied) = apply_delta(&text(&before)[..], changes, Vec::new()).unwrap();
            prop_assert_eq!(&out, &text(&after));
            prop_assert_eq!(applied.base, Hash::of(&text(&before)));
            prop_assert_eq!(applied.result, Hash::of(&out));
            prop_assert_eq!(applied.added + applied.changed + applied.deleted, size);
        }
    }
}
