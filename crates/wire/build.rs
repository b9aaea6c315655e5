//! Names this build: a hash over everything that the agent is made of, its own sources and what they
//! are built upon, so that an engine and an agent that call themselves the same are the same.

use std::error::Error;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The rooms that the agent is made of.
const ROOMS: [&str; 4] = ["core", "fs", "wire", "host"];

fn main() -> Result<(), Box<dyn Error>> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let rooms = ROOMS
        .iter()
        .flat_map(|room| ["src", "Cargo.toml"].map(|part| format!("crates/{room}/{part}")));
    for part in rooms.chain(BUILT_UPON.map(str::to_owned)) {
        println!("cargo::rerun-if-changed={}", top.join(part).display());
    }
    println!("cargo::rustc-env=DSG_SOURCES={:016x}", digest(&top)?);
    Ok(())
}

/// Which libraries, in which versions and with which features and flags.
const BUILT_UPON: [&str; 2] = ["Cargo.lock", "Cargo.toml"];

/// The hash over what stands below the workspace's top.
pub(crate) fn digest(top: &Path) -> Result<u64, Box<dyn Error>> {
    let mut files: Vec<PathBuf> = BUILT_UPON.iter().map(|file| top.join(file)).collect();
    for room in ROOMS {
        let room = top.join("crates").join(room);
        files.push(room.join("Cargo.toml"));
        collect(&room.join("src"), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let name = file.strip_prefix(top)?.to_string_lossy().into_owned();
        let text = std::fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        hash.update(format!("{name} {}\n", text.len()));
        hash.update(text);
    }
    Ok(hash.finalize().first_chunk().copied().map_or(0, u64::from_be_bytes))
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
