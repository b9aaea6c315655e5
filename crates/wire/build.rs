//! Names this build: a hash over the sources of everything that the agent is made of, so that an
//! engine and an agent that call themselves the same are the same.

use std::error::Error;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The rooms that the agent is made of.
const ROOMS: [&str; 4] = ["core", "fs", "wire", "host"];

fn main() -> Result<(), Box<dyn Error>> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for room in ROOMS {
        let sources = crates.join(room).join("src");
        println!("cargo::rerun-if-changed={}", sources.display());
        collect(&sources, &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let name = file.strip_prefix(&crates)?.to_string_lossy().into_owned();
        let text = std::fs::read(&file)?;
        hash.update(format!("{name} {}\n", text.len()));
        hash.update(text);
    }
    let digest = hash.finalize();
    let short = digest.first_chunk().copied().map_or(0, u64::from_be_bytes);
    println!("cargo::rustc-env=DSG_SOURCES={short:016x}");
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
