//! Laws over made-up configurations.

use proptest::prelude::*;

use super::*;

/// Texts that a YAML writer may get wrong.
fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        "[ -~]{1,12}",
        "\\PC{1,6}",
        prop::sample::select(vec![
            "yes",
            "no",
            "on",
            "off",
            "y",
            "n",
            "true",
            "False",
            "null",
            "~",
            "1",
            "0x1f",
            "0o7",
            "1e3",
            ".5",
            "-.inf",
            ".nan",
            "1_000",
            "12:30:00",
            "2024-01-31",
            "=",
            "<<",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "'",
            "\"",
            "*",
            "&a",
            "!x",
            "|",
            ">",
            "%",
            "@",
            "`",
            "{",
            "[",
            ",",
            "?",
            ":",
            "a:",
            " a",
            "a ",
            "\u{85}",
            "\u{feff}a",
            "\u{2028}",
            "é",
            "名前",
        ])
        .prop_map(str::to_owned),
    ]
}

fn sets(word: impl Strategy<Value = String>) -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set(word, 0..4)
}

/// Configurations that pass their own proof.
pub(super) fn configs() -> impl Strategy<Value = SharedConfig> {
    let rule = prop::sample::select(vec![None, Some("last=3"), Some("daily=7,yearly=1")]);
    (words(), sets(words()), sets(words()), sets(words()), sets(words()), rule).prop_filter_map(
        "one that counts",
        |(name, data_dirs, paths, names, suffixes, rule)| {
            let retention = rule.map(|rule| rule.parse().unwrap());
            let ignore = Ignore { paths, names, suffixes, ..Ignore::default() };
            SharedConfig { name, data_dirs, ignore, retention }.checked().ok()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_saved_is_loaded_as_the_same(config in configs(), other in configs()) {
        let text = config.to_yaml().unwrap();
        let loaded = SharedConfig::from_yaml(&text);
        prop_assert_eq!(loaded.as_ref(), Ok(&config), "{}", text);
        let over = other.to_yaml_over(&text).unwrap();
        let loaded = SharedConfig::from_yaml(&over);
        prop_assert_eq!(loaded.as_ref(), Ok(&other), "{}", over);
    }

    #[test]
    fn an_older_file_means_the_same_when_it_is_newer(config in configs(), wrapped: bool) {
        let mut there = serde_norway::Mapping::new();
        for (key, value) in [("host", "server"), ("path", "/srv"), ("name", "p"), ("type", "xfs")] {
            there.insert(key.into(), value.into());
        }
        let mut file = serde_norway::Mapping::new();
        file.insert("transport".into(), "ssh".into());
        file.insert("ssh".into(), serde_norway::Value::Mapping(there));
        let mut own = serde_norway::to_value(&config).unwrap();
        if wrapped {
            let section = own.as_mapping_mut().unwrap();
            section.remove("name");
            // It is younger than the section.
            if let Some(rule) = section.remove("retention") {
                file.insert("retention".into(), rule);
            }
            file.insert("project".into(), own);
        } else {
            file.extend(own.as_mapping().unwrap().clone());
        }
        let old = serde_norway::to_string(&file).unwrap();
        let before = ProjectConfig::read(&old).unwrap();
        let new = migrated(&old).unwrap().unwrap_or(old);
        let after = ProjectConfig::read(&new).unwrap();
        prop_assert_eq!((after.shared, after.repository), (before.shared, before.repository), "{}", new);
    }
}
