//! The bridge as TypeScript: `ui/src/lib/bindings/`, generated and never edited.
//!
//! The test fails when those files differ from what the Rust declarations say; with
//! `DSG_WRITE_BINDINGS=1` it writes them (`make bindings`).

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use ts_rs::{Config, ExportError, TS, TypeVisitor};

#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Writes every exported type it meets, with all that the type needs, and keeps the names.
struct Exporter<'a> {
    config: &'a Config,
    names: BTreeSet<String>,
    failed: Option<ExportError>,
}

impl TypeVisitor for Exporter<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if T::output_path().is_some() {
            self.names.insert(T::ident(self.config));
            self.failed = T::export_all(self.config).err().or(self.failed.take());
        }
    }
}

/// One line of the `Commands` interface.
fn command<Request: TS + 'static, Response: TS + 'static>(
    exporter: &mut Exporter<'_>,
    name: &str,
    doc: &str,
) -> String {
    exporter.visit::<Request>();
    exporter.visit::<Response>();
    Response::visit_generics(exporter);
    let (request, response) = (Request::name(exporter.config), Response::name(exporter.config));
    format!("  /**{doc} */\n  {name}: {{ request: {request}; response: {response} }};\n")
}

macro_rules! command_lines {
    ($($group:ident {
        $($(#[doc = $doc:literal])+ $name:ident($request:ty) -> $response:ty;)*
    })*) => {
        fn command_lines(exporter: &mut Exporter<'_>) -> String {
            [$($(
                command::<$request, $response>(exporter, stringify!($name), concat!($($doc),+))
            ),*),*].concat()
        }
    };
}

contract!(command_lines);

/// Writes the declarations into `dir`.
fn generate(dir: &Path) -> Outcome {
    let config = Config::new().with_large_int("number").with_out_dir(dir);
    let mut exporter = Exporter { config: &config, names: BTreeSet::new(), failed: None };
    let lines = command_lines(&mut exporter);
    let imports = exporter.names.iter().cloned().collect::<Vec<_>>().join(", ");
    exporter.visit::<Event>();
    exporter.visit::<ApiError>();
    exporter.failed.map_or(Ok(()), Err)?;
    fs::write(
        dir.join("commands.ts"),
        format!(
            "// Generated from src-tauri/src/contract.rs. Do not edit: make bindings.\n\
             import type {{ {imports} }} from './api';\n\n\
             /** Every command that the window may call. */\n\
             export interface Commands {{\n{lines}}}\n"
        ),
    )?;
    Ok(())
}

#[test]
fn typescript_bindings_match_the_rust_declarations() -> Outcome {
    let fresh = tempfile::tempdir()?;
    generate(fresh.path())?;
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/src/lib/bindings");
    let write = env::var_os("DSG_WRITE_BINDINGS").is_some();
    for file in ["api.ts", "commands.ts"] {
        let wanted = fs::read_to_string(fresh.path().join(file))?;
        if write {
            fs::create_dir_all(&kept)?;
            fs::write(kept.join(file), wanted)?;
        } else {
            let found = fs::read_to_string(kept.join(file)).unwrap_or_default();
            assert!(
                found == wanted,
                "ui/src/lib/bindings/{file} is out of date: run make bindings"
            );
        }
    }
    Ok(())
}

/// The capability grants exactly the commands of the contract, and the two calls that
/// listening to events takes.
#[test]
fn the_window_may_call_the_contract_and_nothing_else() -> Outcome {
    macro_rules! permissions {
        ($($group:ident { $($(#[$doc:meta])* $name:ident($request:ty) -> $response:ty;)* })*) => {
            [$($(concat!("allow-", stringify!($name))),*),*]
        };
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src-tauri/capabilities/main.json");
    let capability: serde_json::Value = serde_json::from_str(&fs::read_to_string(file)?)?;
    let granted: BTreeSet<String> = serde_json::from_value(capability["permissions"].clone())?;
    let mut wanted: BTreeSet<String> =
        contract!(permissions).map(|name| name.replace('_', "-")).into();
    wanted.extend(["core:event:allow-listen", "core:event:allow-unlisten"].map(String::from));
    assert_eq!(granted, wanted);
    Ok(())
}
