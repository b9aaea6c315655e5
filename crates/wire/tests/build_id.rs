//! An engine takes only an agent of its own build: whatever the agent is made of is in the name.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "../build.rs"]
#[allow(dead_code, reason = "its main is the build's")]
mod build;

use std::path::Path;

/// Writes a workspace that is as small as one can be, with a change.
fn digest(change: Option<(&str, &str)>) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("Cargo.lock", "[[package]]\nname = \"zstd\"\nversion = \"0.13.2\"\n");
    write("Cargo.toml", "[workspace]\n");
    for room in ["core", "fs", "wire", "host"] {
        write(&format!("crates/{room}/Cargo.toml"), "[package]\n");
        write(&format!("crates/{room}/src/a/b.rs"), "// nothing\n");
    }
    if let Some((file, text)) = change {
        write(file, text);
    }
    build::digest(folder.path()).unwrap()
}

#[test]
fn another_version_of_a_library_is_another_build() {
    let as_it_was = digest(None);
    assert_eq!(digest(None), as_it_was, "the same is the same");
    for (file, text) in [
        ("Cargo.lock", "[[package]]\nname = \"zstd\"\nversion = \"0.13.3\"\n"),
        ("Cargo.toml", "[workspace]\n[profile.release]\npanic = \"abort\"\n"),
        ("crates/host/Cargo.toml", "[package]\n[features]\n"),
        ("crates/core/src/a/b.rs", "// something\n"),
        ("crates/fs/src/new.rs", ""),
    ] {
        assert_ne!(digest(Some((file, text))), as_it_was, "{file}");
    }
    // What the agent is not made of does not make it another.
    assert_eq!(digest(Some(("crates/engine/src/lib.rs", "// other\n"))), as_it_was);
}

#[test]
fn this_build_has_the_name_of_what_stands_here() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let name = format!("-{:016x}", build::digest(&top).unwrap());
    assert!(dsg_wire::BUILD.ends_with(&name), "{} is not {name}", dsg_wire::BUILD);
}
