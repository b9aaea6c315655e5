//! What a folder holds, as a value that can be compared.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// What stands at a path. Times are no part of it.
#[derive(Clone, PartialEq, Eq)]
pub enum Node {
    /// A file: SHA-256 of its content, its length, whether its owner may execute it.
    File {
        /// Of the content.
        sha256: [u8; 32],
        /// Bytes.
        size: u64,
        /// For the owner.
        exec: bool,
    },
    /// A link and where it points.
    Link(String),
    /// A folder with nothing in it.
    EmptyDir,
    /// Anything else, or what cannot be read.
    Other(String),
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { sha256, size, exec } => {
                write!(f, "{}{size}B:", if *exec { "x:" } else { "" })?;
                sha256.iter().take(4).try_for_each(|b| write!(f, "{b:02x}"))
            }
            Self::Link(target) => write!(f, "-> {target}"),
            Self::EmptyDir => f.write_str("(empty)"),
            Self::Other(why) => write!(f, "({why})"),
        }
    }
}

/// A folder's content by path; a name that is no text is escaped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tree(pub BTreeMap<String, Node>);

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

/// What counts when a folder is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What people made: nothing that starts with a dot at the top, no empty folders.
    Data,
    /// Every byte, also DSG's own.
    Everything,
}

impl Tree {
    /// Looks at a folder; one that is not there holds nothing.
    pub fn of(root: &Path, scope: Scope) -> Self {
        let mut tree = Self::default();
        tree.add(root, "", scope);
        tree
    }

    /// What people made there.
    pub fn data(root: &Path) -> Self {
        Self::of(root, Scope::Data)
    }

    /// The paths.
    pub fn paths(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The paths at which both differ, with both sides.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut paths: Vec<&String> = self.0.keys().chain(other.0.keys()).collect();
        paths.sort();
        paths.dedup();
        let differ = paths.into_iter().filter(|p| self.0.get(*p) != other.0.get(*p));
        differ.map(|p| format!("{p}: {:?} / {:?}", self.0.get(p), other.0.get(p))).collect()
    }

    fn add(&mut self, dir: &Path, prefix: &str, scope: Scope) {
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return,
            Err(e) => {
                self.0.insert(prefix.to_owned(), Node::Other(e.kind().to_string()));
                return;
            }
        };
        let mut found = false;
        for entry in entries {
            let entry = entry.unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
            let name = name(entry.file_name().as_bytes());
            if prefix.is_empty() && scope == Scope::Data && name.starts_with('.') {
                continue;
            }
            found = true;
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.add(&entry.path(), &path, scope),
                _ => {
                    // What vanishes between listing and looking was not there.
                    if let Some(node) = node(&entry.path()) {
                        self.0.insert(path, node);
                    }
                }
            }
        }
        if !found && !prefix.is_empty() && scope == Scope::Everything {
            self.0.insert(prefix.to_owned(), Node::EmptyDir);
        }
    }
}

fn name(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

fn node(path: &Path) -> Option<Node> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    if meta.is_symlink() {
        return Some(Node::Link(std::fs::read_link(path).ok()?.to_string_lossy().into_owned()));
    }
    if !meta.is_file() {
        return Some(Node::Other("special".into()));
    }
    Some(match hash(path) {
        Ok(sha256) => {
            Node::File { sha256, size: meta.len(), exec: meta.permissions().mode() & 0o100 != 0 }
        }
        Err(e) => Node::Other(e.kind().to_string()),
    })
}

/// SHA-256 of a file's content, in constant memory.
///
/// # Errors
/// It cannot be read.
pub fn hash(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            n => hash.update(&buffer[..n]),
        }
    }
}
