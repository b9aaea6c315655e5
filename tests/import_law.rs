//! The import law: who may import whom, and who may reach what lies outside.
//!
//! Rooms stand on each other; imports point down only. Each rule is a pure function from facts to
//! breaches, proved on small made-up facts, then asked about the workspace as it is.

mod law;

use law::{Checked, For, Package, Source, none, packages, sources};

/// Every room, from the ground up, and the rooms below that it may import. For its tests, a room
/// may import any that stands before it here.
const ROOMS: &[(&str, &[&str])] = &[
    ("dsg-core", &[]),
    ("dsg-fs", &["dsg-core"]),
    ("dsg-wire", &["dsg-core", "dsg-fs"]),
    ("dsg-host", &["dsg-core", "dsg-fs", "dsg-wire"]),
    ("dsg-engine", &["dsg-core", "dsg-fs", "dsg-wire", "dsg-host"]),
    ("dsg-cli", &["dsg-core", "dsg-engine"]),
    (DESKTOP, &["dsg-core", "dsg-engine"]),
];
/// Stands beside the rooms: it may import any, and only tests may import it.
const TESTKIT: &str = "dsg-testkit";
/// The one package that knows Tauri.
const DESKTOP: &str = "dsg-desktop";

/// What the core may import: nothing that opens, sends, starts or waits.
const PURE: [&str; 13] = [
    // Of it, the matcher of patterns, which is given lines and paths; not what walks.
    "ignore",
    "jiff",
    "postcard",
    "saphyr-parser",
    "serde",
    "serde_json",
    "serde_norway",
    "sha2",
    "strsim",
    "thiserror",
    "unicode-normalization",
    "unicode-properties",
    "xxhash-rust",
];
/// Parts of the standard library that the core does without.
const IMPURE_STD: [&str; 5] = ["env", "fs", "net", "process", "thread"];
/// Ways to ask what time it is.
const CLOCKS: [&str; 4] = ["SystemTime", "Instant", "Timestamp::now", "Zoned::now"];

/// The only place in the web side that may name what runs it.
const PLATFORM: &str = "ui/src/lib/platform/";
/// The only place that may name the ZFS programs. (The core may name the kind of store: it can
/// start no program.)
const ZFS: [&str; 3] = ["crates/host/src/zfs/", "crates/host/src/zfs.rs", "crates/core/"];

#[test]
fn imports_point_down_only() -> Checked {
    none(&upward_imports(&packages()?))
}

#[test]
fn the_core_imports_nothing_that_acts() -> Checked {
    none(&impure_imports(&packages()?))
}

#[test]
fn the_core_uses_no_file_system_network_process_or_clock() -> Checked {
    none(&impure_uses(&sources(&["crates/core/src"], &[".rs"])?))
}

#[test]
fn only_the_window_names_tauri() -> Checked {
    none(&tauri_imports(&packages()?))
}

#[test]
fn only_the_platform_names_the_tauri_api() -> Checked {
    none(&platform_imports(&sources(&["ui/src"], &[".ts", ".svelte"])?))
}

#[test]
fn only_the_zfs_store_names_the_zfs_programs() -> Checked {
    none(&zfs_programs(&sources(&["crates", "src-tauri"], &[".rs"])?))
}

fn upward_imports(packages: &[Package]) -> Vec<String> {
    let floor = |name: &str| ROOMS.iter().position(|(room, _)| *room == name);
    let mut breaches = Vec::new();
    for Package { name, manifest, imports } in packages {
        let Some(own) = floor(name).or((name == TESTKIT).then_some(ROOMS.len())) else {
            breaches.push(format!(
                "{manifest}: {name} is no known room; give it its place in ROOMS of \
                 tests/import_law.rs and in docs/architecture.md"
            ));
            continue;
        };
        for (import, what_for) in imports {
            let tests = *what_for == For::Tests;
            let allowed = match floor(import) {
                None if import == TESTKIT => tests,
                None => !import.starts_with("dsg-"),
                Some(other) if tests || name == TESTKIT => other < own,
                Some(_) => ROOMS[own].1.contains(&import.as_str()),
            };
            if !allowed {
                breaches.push(format!(
                    "{manifest}: {name} may not import {import}{}; move what is shared to a room \
                     below both, or let the upper room pass it down as a value",
                    if tests { " for its tests" } else { "" },
                ));
            }
        }
    }
    breaches
}

fn impure_imports(packages: &[Package]) -> Vec<String> {
    let core = packages.iter().filter(|p| p.name == "dsg-core");
    core.flat_map(|p| p.imports.iter().map(move |import| (p, import)))
        .filter(|(_, (import, what_for))| {
            *what_for != For::Tests && !PURE.contains(&import.as_str())
        })
        .map(|(p, (import, _))| {
            format!(
                "{}: {import} is not among what the core may import; do this one room higher, or, \
                 if it is pure, add it to PURE of tests/import_law.rs",
                p.manifest
            )
        })
        .collect()
}

fn impure_uses(core: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for Source { path, text } in core {
        let code = without_comments(text);
        let used = std_names(&code).into_iter().filter(|(_, n)| IMPURE_STD.contains(&n.as_str()));
        let asked = CLOCKS.iter().flat_map(|c| words(&code, c).map(|at| (at, (*c).to_owned())));
        for (at, name) in used.chain(asked) {
            breaches.push(format!(
                "{path}:{}: the core may not use {name}; take the answer as an argument from the \
                 room that asks for it",
                line_of(&code, at)
            ));
        }
    }
    breaches
}

fn tauri_imports(packages: &[Package]) -> Vec<String> {
    let others = packages.iter().filter(|p| p.name != DESKTOP);
    others
        .flat_map(|p| p.imports.iter().map(move |(import, _)| (p, import)))
        .filter(|(_, import)| import.starts_with("tauri"))
        .map(|(p, import)| {
            format!("{}: only {DESKTOP} may import {import}; do this in src-tauri", p.manifest)
        })
        .collect()
}

fn platform_imports(web: &[Source]) -> Vec<String> {
    let outside = web.iter().filter(|s| !s.path.starts_with(PLATFORM));
    outside
        .flat_map(|s| s.text.match_indices("@tauri-apps").map(move |(at, _)| (s, at)))
        .map(|(s, at)| {
            format!(
                "{}:{}: only {PLATFORM} may name @tauri-apps; add what is needed to the Platform \
                 interface and call that",
                s.path,
                line_of(&s.text, at)
            )
        })
        .collect()
}

fn zfs_programs(rust: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for Source { path, text } in rust.iter().filter(|s| !ZFS.iter().any(|z| s.path.starts_with(z)))
    {
        let code = without_comments(text);
        for program in ["zfs", "zpool"] {
            for literal in [format!("\"{program}\""), format!("/{program}\"")] {
                for (at, _) in code.match_indices(&literal) {
                    breaches.push(format!(
                        "{path}:{}: only {} may name the program {program}; ask that store for it",
                        line_of(&code, at),
                        ZFS[0]
                    ));
                }
            }
        }
    }
    breaches
}

/// The text with lines that are only a comment left blank.
fn without_comments(text: &str) -> String {
    let code = |line| if str::trim_start(line).starts_with("//") { "" } else { line };
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// Where a word stands by itself.
fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part)
    })
}

/// What follows each `std::`, also in braces: of `std::{fs, io::Read}`, `fs` and `io`.
fn std_names(code: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    for at in words(code, "std").filter(|at| code[at + 3..].starts_with("::")) {
        let rest = &code[at + 5..];
        let Some(group) = rest.strip_prefix('{') else {
            names.push((at, first_name(rest)));
            continue;
        };
        let (mut depth, mut fresh) = (1, true);
        for (offset, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => fresh = depth == 1,
                _ if fresh && !c.is_whitespace() => {
                    names.push((at, first_name(&group[offset..])));
                    fresh = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

fn first_name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Each rule can be broken, and says what to do.
mod proofs {
    use super::*;

    fn room(name: &str, imports: &[(&str, For)]) -> Package {
        let imports = imports.iter().map(|(n, f)| ((*n).to_owned(), *f)).collect();
        Package { name: name.into(), manifest: format!("{name}/Cargo.toml"), imports }
    }

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    /// Whether the only breach contains both words.
    fn one(breaches: &[String], words: [&str; 2]) {
        assert_eq!(breaches.len(), 1, "{breaches:?}");
        assert!(words.iter().all(|w| breaches[0].contains(w)), "{breaches:?}");
    }

    #[test]
    fn a_lower_room_may_not_import_a_higher_one() {
        let upward = room("dsg-host", &[("dsg-engine", For::Itself), ("dsg-fs", For::Itself)]);
        one(&upward_imports(&[upward]), ["dsg-host may not import dsg-engine", "below both"]);
    }

    #[test]
    fn neighbours_and_skipped_floors_are_no_way_down() {
        let face = room(DESKTOP, &[("dsg-cli", For::Itself)]);
        one(&upward_imports(&[face]), ["may not import dsg-cli", "room"]);
        let face = room("dsg-cli", &[("dsg-host", For::Itself), ("dsg-host", For::Tests)]);
        one(&upward_imports(&[face]), ["may not import dsg-host;", "room"]);
    }

    #[test]
    fn the_testkit_is_for_tests() {
        let shipped = room("dsg-fs", &[("dsg-testkit", For::Itself)]);
        one(&upward_imports(&[shipped]), ["dsg-testkit", "may not import"]);
        let tested = room("dsg-fs", &[("dsg-testkit", For::Tests)]);
        let kit = room(TESTKIT, &[("dsg-host", For::Itself), ("tempfile", For::Itself)]);
        assert_eq!(upward_imports(&[tested, kit]), [""; 0]);
    }

    #[test]
    fn tests_do_not_import_from_above() {
        let tested = room("dsg-core", &[("dsg-engine", For::Tests)]);
        one(&upward_imports(&[tested]), ["dsg-engine for its tests", "may not"]);
    }

    #[test]
    fn a_new_room_must_be_given_its_place() {
        one(&upward_imports(&[room("dsg-cloud", &[])]), ["no known room", "ROOMS"]);
        let user = room("dsg-engine", &[("dsg-cloud", For::Itself)]);
        one(&upward_imports(&[user]), ["dsg-cloud", "may not import"]);
    }

    #[test]
    fn the_core_may_not_import_what_acts() {
        let core = room("dsg-core", &[("serde", For::Itself), ("proptest", For::Tests)]);
        assert_eq!(impure_imports(&[core]), [""; 0]);
        let core = room("dsg-core", &[("rustix", For::Itself)]);
        one(&impure_imports(&[core]), ["rustix", "one room higher"]);
    }

    #[test]
    fn impure_uses_are_found_however_they_are_written() {
        let lib = |text: &str| impure_uses(&[source("crates/core/src/a.rs", text)]);
        one(&lib("use std::fmt;\nuse std::fs;"), ["a.rs:2", "may not use fs"]);
        one(&lib("use std::{\n    fmt::{self, Write},\n    net::IpAddr,\n};"), ["net", "argument"]);
        one(&lib("fn f() { let _ = ::std::process::id(); }"), ["process", "argument"]);
        one(&lib("use std::time::{Duration, SystemTime};"), ["SystemTime", "argument"]);
        one(&lib("let now = jiff::Timestamp::now();"), ["Timestamp::now", "argument"]);
        for pure in [
            "// std::fs is not for us\n/// nor `std::net`",
            "use std::io::{self, BufRead};",
            "use std::{collections::{BTreeMap, env}, fmt};",
            "my_std::fs(); Instantly",
        ] {
            assert_eq!(lib(pure), [""; 0]);
        }
    }

    #[test]
    fn tauri_is_for_the_window() {
        let engine = room("dsg-engine", &[("tauri-plugin-dialog", For::Build)]);
        let desktop = room(DESKTOP, &[("tauri", For::Itself)]);
        one(&tauri_imports(&[engine, desktop]), ["tauri-plugin-dialog", "src-tauri"]);
    }

    #[test]
    fn the_web_side_has_one_way_out() {
        let import = "import { invoke } from '@tauri-apps/api/core';";
        let inside = source("ui/src/lib/platform/tauri.ts", import);
        let outside = source("ui/src/views/Changes.svelte", &format!("<script>\n{import}"));
        one(&platform_imports(&[inside, outside]), ["Changes.svelte:2", "Platform interface"]);
    }

    #[test]
    fn zfs_is_for_its_store() {
        let start = "Command::new(\"zfs\")";
        let inside = source("crates/host/src/zfs/pool.rs", start);
        let word = source("crates/cli/src/a.rs", "// \"zfs\"\nprintln!(\"a zfs dataset\");");
        let outside = source("crates/engine/src/a.rs", "\nconst P: &str = \"/sbin/zpool\";");
        assert_eq!(zfs_programs(&[inside, word]), [""; 0]);
        one(&zfs_programs(&[outside]), ["a.rs:2", "ask that store"]);
        one(&zfs_programs(&[source("crates/host/src/tree.rs", start)]), ["zfs", "store"]);
    }
}
