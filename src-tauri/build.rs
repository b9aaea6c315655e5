//! Checks that the user interface was built, then lets Tauri generate its context.

use std::path::Path;
use std::process::ExitCode;

include!("src/contract.rs");

macro_rules! command_names {
    ($($group:ident { $($(#[$doc:meta])* $name:ident($request:ty) -> $response:ty;)* })*) => {
        &[$($(stringify!($name)),*),*]
    };
}

/// Only these may be called by the web side; the capability file grants them one by one.
const COMMANDS: &[&str] = contract!(command_names);

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=src-tauri/src/contract.rs");
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    println!("cargo:rerun-if-changed=ui/dist");
    if !Path::new("ui/dist/index.html").exists() {
        println!(
            "cargo:warning=ui/dist is missing: build the user interface first \
             (npm --prefix ui ci && npm --prefix ui run build)"
        );
        return ExitCode::FAILURE;
    }
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/**/*")
        .app_manifest(tauri_build::AppManifest::new().commands(COMMANDS));
    match tauri_build::try_build(attributes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo:warning={error:#}");
            ExitCode::FAILURE
        }
    }
}
