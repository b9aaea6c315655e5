//! One key changed, and nothing else.

use proptest::prelude::*;

use super::laws::configs;
use super::*;

#[allow(clippy::unnecessary_wraps, reason = "as it is compared")]
fn text(text: &str) -> Option<Setting> {
    Some(Setting::Text(text.to_owned()))
}
#[allow(clippy::unnecessary_wraps, reason = "as it is compared")]
fn texts(texts: &[&str]) -> Option<Setting> {
    Some(Setting::Texts(texts.iter().map(|&text| text.to_owned()).collect()))
}

const FILE: &str = "\
# The survey of 2024.
name: 'survey'   # as in the contract

data_dirs:  # what is measured
  # raw
  - input
  # made from it
  - output   # large

ignore: {names: [__pycache__], paths: []}   # by the team
repository:
  type: xfs
  host: server  # the old one
  mountpoint: /srv

# The end.
";

#[test]
fn only_the_lines_of_the_key_change() {
    for (path, value, was, is) in [
        (&["name"][..], text("a: b"), "'survey'   #", "'a: b'   #"),
        (&["name"], text("survey 2"), "'survey'   #", "survey 2   #"),
        (&["name"], text("2024"), "'survey'   #", "'2024'   #"),
        (&["data_dirs"], texts(&["input", "output", "x"]), "# large\n", "# large\n  - x\n"),
        (&["data_dirs"], texts(&["output"]), "  - input\n", ""),
        (
            &["data_dirs"],
            texts(&["*"]),
            "  - input\n  # made from it\n  - output   # large\n",
            "  # made from it\n  - '*'\n",
        ),
        (
            &["ignore", "names"],
            texts(&["__pycache__", "a,b"]),
            "[__pycache__]",
            "[__pycache__, 'a,b']",
        ),
        (&["ignore", "suffixes"], texts(&[".bak"]), "paths: []}", "paths: [], suffixes: [.bak]}"),
        (&["ignore", "paths"], None, ", paths: []}", "}"),
        (&["repository", "host"], text("tank"), "host: server", "host: tank"),
        (&["repository", "host"], None, "  host: server  # the old one\n", ""),
        (&["repository", "port"], Some(Setting::Number(22)), "/srv\n", "/srv\n  port: 22\n"),
        (&["retention"], text("last=3"), "/srv\n", "/srv\nretention: last=3\n"),
    ] {
        let expected = FILE.replacen(was, is, 1);
        assert_ne!(expected, FILE, "{path:?}");
        let edited = edited(FILE, path, value.as_ref());
        assert_eq!(edited.as_deref(), Some(expected.as_str()), "{path:?} {value:?}");
    }
}

#[test]
fn a_file_may_end_without_a_line_break_and_lines_may_end_as_on_windows() {
    let value = texts(&["a"]);
    let added = edited("name: p", &["ignore", "names"], value.as_ref());
    assert_eq!(added.as_deref(), Some("name: p\nignore:\n  names:\n  - a\n"));
    let windows = "name: p\r\ndata_dirs:\r\n- x\r\n";
    let added = edited(windows, &["data_dirs"], texts(&["x", "z"]).as_ref());
    assert_eq!(added.as_deref(), Some("name: p\r\ndata_dirs:\r\n- x\r\n- z\r\n"));
    assert_eq!(edited("", &["name"], text("p").as_ref()).as_deref(), Some("name: p\n"));
    let begun = edited("name: p\nignore:   # later\n", &["ignore", "names"], value.as_ref());
    assert_eq!(begun.as_deref(), Some("name: p\nignore:   # later\n  names:\n  - a\n"));
    let named = edited("name:   # which?\n", &["name"], text("p").as_ref());
    assert_eq!(named.as_deref(), Some("name: p   # which?\n"));
}

#[test]
fn what_is_emptied_goes_and_an_empty_list_is_said() {
    let file = "name: p\nignore:\n  # none\n  names:\n  - x\n# end\n";
    let none = edited(file, &["ignore", "names"], texts(&[]).as_ref());
    assert_eq!(none.as_deref(), Some("name: p\nignore:\n  # none\n  names: []\n# end\n"));
    assert_eq!(edited(file, &["ignore", "names"], None).as_deref(), Some("name: p\n# end\n"));
    assert_eq!(edited(file, &["ignore", "paths"], None).as_deref(), Some(file));
    assert_eq!(edited(file, &["retention"], None).as_deref(), Some(file));
}

#[test]
fn what_only_a_person_can_change_is_left_alone() {
    for file in ["name: [", "name: a\nname: b\n", "- a\n", "name: &a p\nx: *a\n"] {
        assert_eq!(edited(file, &["name"], text("p").as_ref()), None, "{file}");
    }
}

/// The YAML of a configuration as somebody may write it: with comments, and lists on one line.
fn written(config: &SharedConfig, asides: &[bool], flow: bool) -> String {
    let mut asides = asides.iter().cycle();
    let mut file = String::new();
    let yaml = config.to_yaml().unwrap();
    for line in yaml.lines() {
        if asides.next() == Some(&true) {
            file += "\n# about what follows\n";
        }
        file += line;
        let is_open = line.ends_with(['|', '>']) || line.trim_start().starts_with("? ");
        if asides.next() == Some(&true) && !is_open {
            file += "   # so it is";
        }
        file += "\n";
    }
    if flow {
        file += "repository: {type: xfs, host: server, mountpoint: /srv} # there\n";
    }
    file
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_key_means_what_it_says_and_the_rest_stays_as_it_was_written(
        config in configs(),
        other in configs(),
        asides in prop::collection::vec(any::<bool>(), 7),
        flow: bool,
        which in 0..5_usize,
    ) {
        let before = written(&config, &asides, flow);
        let list = |set: &BTreeSet<String>| Setting::Texts(set.iter().cloned().collect());
        let mut wanted = config;
        let (path, value): (&[&str], Setting) = match which {
            0 => {
                wanted.name.clone_from(&other.name);
                (&["name"], Setting::Text(other.name))
            }
            1 => {
                wanted.data_dirs.clone_from(&other.data_dirs);
                (&["data_dirs"], list(&other.data_dirs))
            }
            2 => {
                wanted.ignore.paths.clone_from(&other.ignore.paths);
                (&["ignore", "paths"], list(&other.ignore.paths))
            }
            3 => {
                wanted.ignore.names.clone_from(&other.ignore.names);
                (&["ignore", "names"], list(&other.ignore.names))
            }
            _ => {
                wanted.ignore.suffixes.clone_from(&other.ignore.suffixes);
                (&["ignore", "suffixes"], list(&other.ignore.suffixes))
            }
        };
        let after = edited(&before, path, Some(&value)).expect("it is written in the ordinary way");
        let loaded = SharedConfig::from_yaml(&after);
        prop_assert_eq!(loaded.as_ref(), Ok(&wanted), "{}", after);
        // All lines but those of the key, and its comments too, stand as they did.
        let key = path[path.len() - 1];
        let mut rest = after.lines();
        let mut of_key = false;
        for line in before.lines() {
            let text = line.trim_start();
            of_key = text.starts_with(&format!("{key}:")) || (of_key && (text.starts_with("- ") || text.starts_with('#') || text.is_empty()));
            if !of_key || text.starts_with('#') {
                prop_assert!(rest.any(|new| new == line), "{line:?} is not in\n{after}");
            }
        }
        // Taken out, it is as if it had never been said.
        if let Some(without) = edited(&after, path, None) {
            prop_assert!(which == 0 || SharedConfig::from_yaml(&without).is_ok(), "{}", without);
        }
    }
}
