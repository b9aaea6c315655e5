//! Whatever stands in a configuration file is read, or told where it is wrong; what is made from the table of
//! keys stands in the pages.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use dsg_core::config::keys::{PROJECT, USER};
use dsg_core::config::{pages, schema};
use proptest::prelude::*;

mod apart;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_too_much_for_the_readers(
        text in r#"(?s)(name: |[a-z_]{1,9}|ssh: |project:|data_dirs: |transport: |[:{}\[\],#&*!|>'"\n -]|\n  |\PC){0,60}"#,
    ) {
        apart::take_apart(&text);
    }
}

/// `docs/schema` and `docs/configuration.md` say what the table says; `DSG_BLESS=1` writes them.
#[test]
fn the_pages_and_schemas_are_those_of_the_table() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let page = std::fs::read_to_string(docs.join("configuration.md")).unwrap();
    let mut expected = page.clone();
    for (name, keys) in [("project", PROJECT), ("user", USER)] {
        let (from, to) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n"));
        let (before, rest) = expected.split_once(&from).expect("a mark");
        let (_, after) = rest.split_once(&to).expect("its end");
        expected = format!("{before}{from}\n{}\n{to}{after}", pages(keys));
    }
    let file = |title: &str, keys| format!("{:#}\n", schema(title, keys));
    for (path, text) in [
        ("configuration.md", expected),
        ("schema/project.json", file(".dsgconfig.yml", PROJECT)),
        ("schema/user.json", file("dsg.yml", USER)),
    ] {
        if std::env::var_os("DSG_BLESS").is_some() {
            std::fs::create_dir_all(docs.join("schema")).unwrap();
            std::fs::write(docs.join(path), &text).unwrap();
        }
        let stands = std::fs::read_to_string(docs.join(path)).unwrap_or_default();
        assert_eq!(stands, text, "{path}: write it anew with DSG_BLESS=1");
    }
}
