//! What the rules of the house are judged by: the workspace's packages and its texts.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

pub(crate) type Checked = Result<(), Box<dyn Error>>;

/// A text of this project; its path begins at the project's root.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// What a package imports another for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    Itself,
    Tests,
    Build,
}

/// A package of the workspace, and what it imports directly.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: String,
    pub(crate) imports: Vec<(String, For)>,
}

/// Fails with all breaches at once.
pub(crate) fn none(breaches: &[String]) -> Checked {
    if breaches.is_empty() {
        Ok(())
    } else {
        Err(format!("\n  {}\n", breaches.join("\n  ")).into())
    }
}

/// The packages of the workspace, as cargo sees them.
pub(crate) fn packages() -> Result<Vec<Package>, Box<dyn Error>> {
    let answer = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()?;
    if !answer.status.success() {
        return Err(String::from_utf8_lossy(&answer.stderr).into());
    }
    let metadata: Value = serde_json::from_slice(&answer.stdout)?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    packages
        .iter()
        .map(package)
        .collect::<Option<_>>()
        .ok_or_else(|| "cargo metadata has another form than expected".into())
}

fn package(value: &Value) -> Option<Package> {
    let import = |dependency: &Value| {
        let what_for = match dependency["kind"].as_str() {
            None => For::Itself,
            Some("dev") => For::Tests,
            Some(_) => For::Build,
        };
        Some((dependency["name"].as_str()?.to_owned(), what_for))
    };
    let manifest = Path::new(value["manifest_path"].as_str()?);
    Some(Package {
        name: value["name"].as_str()?.to_owned(),
        manifest: manifest.strip_prefix(root()).ok()?.to_str()?.to_owned(),
        imports: value["dependencies"].as_array()?.iter().map(import).collect::<Option<_>>()?,
    })
}

/// One text.
pub(crate) fn text(path: &str) -> Result<String, Box<dyn Error>> {
    fs::read_to_string(root().join(path)).map_err(|e| format!("{path}: {e}").into())
}

/// Every text below these folders whose name ends so, in order.
pub(crate) fn sources(folders: &[&str], endings: &[&str]) -> Result<Vec<Source>, Box<dyn Error>> {
    let mut found = Vec::new();
    let mut left: Vec<String> = folders.iter().map(|&f| f.to_owned()).collect();
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(root().join(&folder)).map_err(|e| format!("{folder}: {e}"))? {
            let entry = entry?;
            let name = entry.file_name().into_string().map_err(|_| "a name that is no text")?;
            let path = format!("{folder}/{name}");
            if entry.file_type()?.is_dir() {
                if !["node_modules", "target", "dist"].contains(&name.as_str()) {
                    left.push(path);
                }
            } else if endings.iter().any(|e| name.ends_with(e)) {
                let text = text(&path)?;
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
