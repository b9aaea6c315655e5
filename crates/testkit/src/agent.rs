//! The real `dsg-agent`, of this very build.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program, built if it is not.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| built(false))
}

static STATIC: OnceLock<PathBuf> = OnceLock::new();

/// The same for a host that may have other libraries, or none: linked statically, without symbols.
pub fn static_program() -> &'static Path {
    STATIC.get_or_init(|| built(true))
}

/// Whether that was asked for already.
pub(crate) fn is_built() -> bool {
    STATIC.get().is_some()
}

fn built(alone: bool) -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "dsg-host", "--bin", "dsg-agent"]);
    cargo.args(["--message-format", "json-render-diagnostics", "--manifest-path"]);
    cargo.arg(manifest);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if alone {
        // A folder of its own, so that the flags compile nothing else anew.
        let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        cargo.args(["--target", &triple]);
        cargo.env("RUSTFLAGS", "-C target-feature=+crt-static -C strip=symbols");
    }
    let built = cargo.output().expect("cargo");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let program = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message["executable"].as_str()?))
    };
    let told = String::from_utf8(built.stdout).expect("text");
    told.lines().find_map(program).expect("the path of dsg-agent")
}
