//! Rules of the house that no compiler keeps: lints everywhere, files of a readable length, a
//! reason for every dependency, documents that do not lead into the void.

mod law;

use std::collections::BTreeSet;

use law::{Checked, Source, none, packages, sources, text};

/// A longer file wants a second room.
const LONGEST: usize = 600;
/// Written by a program, for a program.
const GENERATED: &str = "ui/src/lib/bindings/";
/// The one module in which the lint is lifted.
const UNSAFE: &str = "src-tauri/src/drawing.rs";
const DEPENDENCIES: &str = "docs/dependencies.md";

#[test]
fn every_package_keeps_the_lints() -> Checked {
    let manifest = |path: &str| Ok(Source { path: path.into(), text: text(path)? });
    let found: Result<Vec<Source>, Box<dyn std::error::Error>> =
        packages()?.iter().map(|p| manifest(&p.manifest)).collect();
    let mut breaches = without_lints(&found?);
    breaches.extend(unsafe_allowed(&text("Cargo.toml")?));
    none(&breaches)
}

#[test]
fn one_module_may_be_unsafe() -> Checked {
    let folders = ["crates", "src-tauri", "benches", "tests"];
    none(&unsafe_places(&sources(&folders, &[".rs"])?))
}

#[test]
fn no_file_is_too_long_to_read() -> Checked {
    let folders = ["crates", "src-tauri", "tests", "ui/src", "ui/tests"];
    none(&long_files(&sources(&folders, &[".rs", ".ts", ".svelte"])?))
}

#[test]
fn every_dependency_has_its_reason() -> Checked {
    let packages = packages()?;
    let foreign = |name: &&String| packages.iter().all(|p| p.name != **name);
    let imports = packages.iter().flat_map(|p| p.imports.iter().map(|(name, _)| name));
    let mut used: BTreeSet<String> = imports.filter(foreign).cloned().collect();
    let web: serde_json::Value = serde_json::from_str(&text("ui/package.json")?)?;
    for group in ["dependencies", "devDependencies"] {
        used.extend(web[group].as_object().into_iter().flat_map(|all| all.keys().cloned()));
    }
    none(&unexplained(&used, &text(DEPENDENCIES)?))
}

#[test]
fn documents_lead_to_what_is_there() -> Checked {
    let mut documents = sources(&["docs"], &[".md"])?;
    for path in ["README.md", "CHANGELOG.md"] {
        documents.push(Source { path: path.into(), text: text(path)? });
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    none(&dead_links(&documents, &|path| root.join(path).exists()))
}

fn without_lints(manifests: &[Source]) -> Vec<String> {
    let keeps = |s: &&Source| section(&s.text, "[lints]").any(|line| line == "workspace = true");
    manifests
        .iter()
        .filter(|s| !keeps(s))
        .map(|s| format!("{}: add [lints] with workspace = true", s.path))
        .collect()
}

fn unsafe_allowed(manifest: &str) -> Option<String> {
    let kept = section(manifest, "[workspace.lints.rust]").any(|l| l == "unsafe_code = \"deny\"");
    let breach = "Cargo.toml: [workspace.lints.rust] must say unsafe_code = \"deny\"";
    (!kept).then(|| breach.to_owned())
}

fn unsafe_places(files: &[Source]) -> Vec<String> {
    let lint = concat!("unsafe", "_code");
    let breaks = |s: &&Source| s.path != UNSAFE && s.text.contains(lint);
    let mut files = files.iter().filter(|s| s.path != file!());
    files.by_ref().filter(breaks).map(|s| format!("{}: only {UNSAFE} may", s.path)).collect()
}

/// The lines between a heading of a manifest and the next one.
fn section<'t>(manifest: &'t str, heading: &'t str) -> impl Iterator<Item = &'t str> {
    let lines = manifest.lines().map(str::trim);
    lines.skip_while(move |l| *l != heading).skip(1).take_while(|l| !l.starts_with('['))
}

fn long_files(files: &[Source]) -> Vec<String> {
    files
        .iter()
        .filter(|s| !s.path.starts_with(GENERATED))
        .map(|s| (s, s.text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(s, lines)| {
            format!(
                "{}: {lines} lines, {LONGEST} are allowed; give part of it its own file",
                s.path
            )
        })
        .collect()
}

/// What is used without a line in the table, and lines about what is not used.
fn unexplained(used: &BTreeSet<String>, table: &str) -> Vec<String> {
    let name = |line: &str| Some(line.strip_prefix("| `")?.split_once("` |")?.0.to_owned());
    let explained: BTreeSet<String> = table.lines().filter_map(name).collect();
    let missing = used.difference(&explained).map(|name| {
        format!("{DEPENDENCIES}: say why {name} is used, as a line | `{name}` | why |")
    });
    let stale = explained
        .difference(used)
        .map(|name| format!("{DEPENDENCIES}: {name} is not used any more; take its line out"));
    missing.chain(stale).collect()
}

/// Links to files of this project, from a document's own folder, that lead to nothing.
fn dead_links(documents: &[Source], exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut breaches = Vec::new();
    for Source { path, text } in documents {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (_, rest) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            let outside = target.is_empty() || target.contains("://");
            if !outside && !exists(format!("{folder}/{target}").trim_start_matches('/')) {
                breaches.push(format!("{path}: the link to {target} leads nowhere; correct it"));
            }
        }
    }
    breaches
}

/// Each rule can be broken, and says what to do.
mod proofs {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_package_without_lints_is_named() {
        let keeps = source("a/Cargo.toml", "[package]\n[lints]\nworkspace = true\n");
        let other = source("b/Cargo.toml", "[lints]\n[dependencies]\nworkspace = true\n");
        assert_eq!(
            without_lints(&[keeps, other]),
            ["b/Cargo.toml: add [lints] with workspace = true"]
        );
    }

    #[test]
    fn unsafe_code_must_stay_denied() {
        assert_eq!(unsafe_allowed("[workspace.lints.rust]\nunsafe_code = \"deny\"\n"), None);
        assert!(unsafe_allowed("[workspace.lints.rust]\nunsafe_code = \"warn\"\n").is_some());
        assert!(unsafe_allowed("unsafe_code = \"deny\"\n").is_some());
        let lifted = "#![allow(unsafe_code)]".to_owned();
        let at = |path: &str| Source { path: path.into(), text: lifted.clone() };
        assert!(unsafe_places(&[at(UNSAFE)]).is_empty());
        assert_eq!(unsafe_places(&[at("crates/fs/src/dir.rs")]).len(), 1);
    }

    #[test]
    fn a_long_file_is_named_unless_it_is_generated() {
        let long = "x\n".repeat(LONGEST + 1);
        let fits = source("a.rs", &long[2..]);
        let generated = source("ui/src/lib/bindings/api.ts", &long);
        let breaches = long_files(&[fits, generated, source("b.rs", &long)]);
        assert_eq!(breaches, ["b.rs: 601 lines, 600 are allowed; give part of it its own file"]);
    }

    #[test]
    fn a_dependency_without_a_reason_is_named_and_a_reason_without_one_too() {
        let used = ["serde", "sha2"].map(String::from).into();
        let breaches = unexplained(&used, "| name | why |\n| `sha2` | hashes |\n| `md5` | old |\n");
        assert_eq!(breaches.len(), 2);
        assert!(breaches[0].contains("say why serde is used"), "{breaches:?}");
        assert!(breaches[1].contains("md5 is not used any more"), "{breaches:?}");
    }

    #[test]
    fn a_dead_link_is_named() {
        let page = source(
            "docs/a.md",
            "[up](../README.md) [out](https://example.org/x) [here](#part) [adr](adr/0001.md#why)",
        );
        let exists = |path: &str| path == "docs/../README.md";
        let breaches = dead_links(&[page], &exists);
        assert_eq!(breaches, ["docs/a.md: the link to adr/0001.md leads nowhere; correct it"]);
    }
}
