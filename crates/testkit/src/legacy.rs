//! Repositories as the earlier DSG (0.4, in Python) wrote them: files, and what it kept of them in `.dsg`.
//!
//! Written from what is known of its format, by itself: nothing here is shared with what reads it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

/// How it compressed the lists of former snapshots.
#[derive(Clone, Copy, Debug)]
pub enum Archived {
    /// `sN-sync.json.lz4`.
    Lz4,
    /// `sN-sync.json.gz`.
    Gzip,
}

/// A repository of the earlier DSG that grows by its syncs.
#[derive(Debug)]
pub struct LegacyRepo {
    root: PathBuf,
    archived: Archived,
    /// Letters as `\uXXXX` in what its sums are of.
    escaped: bool,
    config: Option<Value>,
    /// Metadata of each snapshot.
    snapshots: Vec<Value>,
}

/// As `json.dumps(value, separators=…, ensure_ascii=…)`.
pub fn dumps(value: &Value, spaced: bool, escaped: bool) -> String {
    struct Spaced;
    impl serde_json::ser::Formatter for Spaced {
        fn begin_array_value<W: std::io::Write + ?Sized>(
            &mut self,
            w: &mut W,
            first: bool,
        ) -> std::io::Result<()> {
            if first { Ok(()) } else { w.write_all(b", ") }
        }
        fn begin_object_key<W: std::io::Write + ?Sized>(
            &mut self,
            w: &mut W,
            first: bool,
        ) -> std::io::Result<()> {
            if first { Ok(()) } else { w.write_all(b", ") }
        }
        fn begin_object_value<W: std::io::Write + ?Sized>(
            &mut self,
            w: &mut W,
        ) -> std::io::Result<()> {
            w.write_all(b": ")
        }
    }
    let text = if spaced {
        let mut text = Vec::new();
        let mut output = serde_json::Serializer::with_formatter(&mut text, Spaced);
        serde::Serialize::serialize(value, &mut output).unwrap();
        String::from_utf8(text).unwrap()
    } else {
        value.to_string()
    };
    if !escaped {
        return text;
    }
    let mut ascii = String::new();
    for c in text.chars() {
        if c < '\u{7f}' {
            ascii.push(c);
        } else {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units).iter();
            ascii.extend(units.map(|unit| format!("\\u{unit:04x}")));
        }
    }
    ascii
}

fn hex(sum: u64) -> String {
    format!("{sum:016x}")
}

impl LegacyRepo {
    /// An empty one at `root`.
    pub fn new(root: &Path) -> Self {
        fs::create_dir_all(root.join(".dsg/archive")).unwrap();
        Self {
            root: root.to_owned(),
            archived: Archived::Lz4,
            escaped: false,
            config: None,
            snapshots: Vec::new(),
        }
    }

    /// One that archives so.
    #[must_use]
    pub fn archiving(mut self, archived: Archived) -> Self {
        self.archived = archived;
        self
    }

    /// One whose sums are of text with escapes.
    #[must_use]
    pub fn escaping(mut self) -> Self {
        self.escaped = true;
        self
    }

    /// One that keeps a configuration with each snapshot.
    #[must_use]
    pub fn with_config(mut self, config: Value) -> Self {
        self.config = Some(config);
        self
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of its own.
    pub fn own(&self, name: &str) -> PathBuf {
        self.root.join(".dsg").join(name)
    }

    /// Syncs this tree as the next snapshot: paths and contents, in the order in which it lists them; a
    /// link is `-> target`.
    pub fn sync(&mut self, author: &str, message: &str, tree: &[(&str, &str)]) -> &mut Self {
        self.archive();
        let id = format!("s{}", self.snapshots.len() + 1);
        let hour = self.snapshots.len() + 1;
        let mut entries = Map::new();
        for (path, content) in tree {
            entries.insert((*path).to_owned(), self.put(path, content, author));
        }
        self.remove_all_but(tree);
        let text: String = entries.values().map(|e| dumps(e, false, self.escaped)).collect();
        let entries_hash = hex(xxh3_64(text.as_bytes()));
        let config = self.config.clone().unwrap_or(Value::Null);
        let previous = self.snapshots.last().cloned();
        let said = |key: &str| previous.as_ref().map_or(Value::Null, |p| p[key].clone());
        let mut summed = format!("{entries_hash}{message}");
        if self.config.is_some() {
            summed += &dumps(&sorted(&config), true, true);
        }
        summed += said("snapshot_hash").as_str().unwrap_or_default();
        let metadata = json!({
            "manifest_version": "0.4.0",
            "snapshot_id": id,
            "created_at": format!("2024-03-01T{hour:02}:00:00-08:00"),
            "entry_count": entries.len(),
            "entries_hash": entries_hash,
            "created_by": author,
            "snapshot_message": message,
            "snapshot_previous": said("snapshot_id"),
            "snapshot_hash": hex(xxh3_64(summed.as_bytes())),
            "snapshot_notes": "sync",
            "project_config": config,
        });
        self.snapshots.push(metadata.clone());
        let list = json!({"entries": entries, "metadata": metadata});
        fs::write(self.own("last-sync.json"), dumps(&list, true, true)).unwrap();
        let ids: Map<String, Value> = (self.snapshots.iter())
            .map(|one| (one["snapshot_id"].as_str().unwrap().to_owned(), one.clone()))
            .collect();
        let messages = json!({"metadata_version": "0.1.0", "snapshots": ids});
        fs::write(self.own("sync-messages.json"), dumps(&messages, true, false)).unwrap();
        self
    }

    /// Puts the newest list among the former ones.
    fn archive(&self) {
        let Ok(list) = fs::read(self.own("last-sync.json")) else { return };
        let id = format!("s{}", self.snapshots.len());
        match self.archived {
            Archived::Lz4 => {
                let file = fs::File::create(self.own(&format!("archive/{id}-sync.json.lz4")));
                let mut out = lz4_flex::frame::FrameEncoder::new(file.unwrap());
                out.write_all(&list).unwrap();
                out.finish().unwrap();
            }
            Archived::Gzip => {
                let file = fs::File::create(self.own(&format!("archive/{id}-sync.json.gz")));
                let mut out =
                    flate2::write::GzEncoder::new(file.unwrap(), flate2::Compression::default());
                out.write_all(&list).unwrap();
                out.finish().unwrap();
            }
        }
    }

    fn put(&self, path: &str, content: &str, author: &str) -> Value {
        let at = self.root.join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        if let Some(target) = content.strip_prefix("-> ") {
            let _ = fs::remove_file(&at);
            symlink(target, &at).unwrap();
            return json!({"type": "link", "path": path, "user": author, "reference": target});
        }
        if fs::read(&at).ok().as_deref() != Some(content.as_bytes()) {
            fs::write(&at, content).unwrap();
        }
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_280_000);
        fs::File::options().write(true).open(&at).unwrap().set_modified(time).unwrap();
        json!({
            "type": "file", "path": path, "user": author, "filesize": content.len(),
            "mtime": "2024-03-01T00:00:00-08:00", "hash": hex(xxh3_64(content.as_bytes())),
        })
    }

    fn remove_all_but(&self, tree: &[(&str, &str)]) {
        let mut left = vec![self.root.clone()];
        while let Some(dir) = left.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let rel = path.strip_prefix(&self.root).unwrap().to_str().unwrap();
                if rel.starts_with(".dsg") {
                    continue;
                }
                if path.is_dir() && !path.is_symlink() {
                    left.push(path);
                } else if tree.iter().all(|(kept, _)| *kept != rel) {
                    fs::remove_file(path).unwrap();
                }
            }
        }
    }
}

fn sorted(value: &Value) -> Value {
    let Value::Object(map) = value else { return value.clone() };
    let mut pairs: Vec<_> = map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    Value::Object(pairs.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// What Python itself writes.
    fn python(value: &Value, how: &str) -> Option<String> {
        let code = format!(
            "import json,sys; sys.stdout.buffer.write(json.dumps(json.load(sys.stdin), {how}).encode())"
        );
        let python = Command::new("python3")
            .args(["-c", &code])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut python = python.ok()?;
        python.stdin.take()?.write_all(value.to_string().as_bytes()).ok()?;
        let output = python.wait_with_output().ok()?;
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn it_writes_what_python_writes() {
        let value = json!({
            "path": "données/été \"1\".csv", "user": "日本\u{7f}\u{1}\t𝄞\\/", "filesize": 12_345_678_901_u64,
            "list": [1, [], {}, null, true], "nested": {"b": 1, "a": "x"},
        });
        for (how, spaced, escaped) in [
            ("", true, true),
            ("ensure_ascii=False", true, false),
            ("separators=(',', ':')", false, true),
            ("separators=(',', ':'), ensure_ascii=False", false, false),
        ] {
            let Some(real) = python(&value, how) else {
                eprintln!("SKIPPED: there is no python3");
                return;
            };
            assert_eq!(dumps(&value, spaced, escaped), real, "{how}");
        }
    }
}
