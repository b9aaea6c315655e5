//! Reading, writing and merging configurations.

mod broken;
mod edit;
mod form;
mod laws;
mod patterns;
mod rules;

use super::*;

#[test]
fn the_default_rules() {
    let config = SharedConfig::new("p");
    for (path, expected) in [
        ("input/a.csv", Tracking::Tracked),
        ("task/clean/output/a.csv", Tracking::Tracked),
        ("src/a.py", Tracking::OutsideData),
        ("input/.hidden/a", Tracking::Hidden),
        (".git/input/a", Tracking::Hidden),
        ("input/__pycache__/a", Tracking::Ignored),
        ("input/a.pyc", Tracking::Ignored),
        ("input/a.csv~20240131T235959+0100~", Tracking::Ignored),
        ("inputs/a", Tracking::OutsideData),
    ] {
        assert_eq!(config.file(path), expected, "{path}");
    }
    assert_eq!(config.directory("task"), Tracking::OutsideData);
    let mut all = SharedConfig::new("p");
    all.data_dirs = ["*".to_owned()].into();
    all.ignore.paths = ["a/scratch".to_owned()].into();
    assert_eq!(all.file("a/scratch/x/y"), Tracking::Ignored);
    assert_eq!(all.file("a/scratchy"), Tracking::Tracked);
}

#[test]
fn yaml_round_trips_and_broken_yaml_says_where() {
    let config = SharedConfig::new("my project");
    assert_eq!(SharedConfig::from_yaml(&config.to_yaml().unwrap()), Ok(config));
    let legacy = "name: p\nrepository: {type: zfs, host: server, pool: tank, mountpoint: /tank}\ndata_dirs: [input]\nignore: {paths: [a/b/]}\n";
    let read = SharedConfig::from_yaml(legacy).unwrap();
    let rewritten = read.to_yaml_over(legacy).unwrap();
    assert!(rewritten.contains("pool: tank"), "{rewritten}");
    assert_eq!(SharedConfig::from_yaml(&rewritten), Ok(read.clone()));
    assert!(read.ignore.paths.contains("a/b") && read.ignore.names.contains("__pycache__"));
    for broken in [
        "name: [",
        "data_dirs: [input]",
        "name: p\ndata_dirs: []",
        "name: p\ndata_dirs: [a/b]",
        "name: p\ndatadirs: [x]",
        "name: p\nignore: {path: [x]}",
        "name: p\nignore: {paths: [../x]}",
        "",
        "- a",
    ] {
        let error = SharedConfig::from_yaml(broken).unwrap_err();
        assert!(!error.to_string().is_empty(), "{broken}");
    }
    assert!(
        SharedConfig::from_yaml("name: p\ndata_dirs: {a: 1}")
            .unwrap_err()
            .to_string()
            .contains("line")
    );
}

#[test]
fn comments_and_order_outlive_a_change_and_only_touched_lines_change() {
    let old = "\
# Who may be asked: the data desk.
ignore:
  suffixes:   # scratch
    - '.tmp'  # editors
    - .pyc
  names: [__pycache__]
  paths:
  - input/big/  # too large
  - output/old

repository: {type: xfs, host: server, mountpoint: /d}   # there
name: survey
data_dirs:
# raw
- input
# made from it
- output
";
    let mut config = SharedConfig::from_yaml(old).unwrap();
    assert_eq!(config.to_yaml_over(old).unwrap(), old);
    config.name = "survey: 2".into();
    config.data_dirs = owned(["input", "figures", "*"]);
    config.ignore.suffixes = owned([".tmp", ".bak"]);
    config.ignore.paths = owned(["input/big", "input/scratch"]);
    let expected = old
        .replace("name: survey\n", "name: 'survey: 2'\n")
        .replace("- output\n", "- '*'\n- figures\n")
        .replace("    - .pyc\n", "    - .bak\n")
        .replace("  - output/old\n", "  - input/scratch\n");
    assert_eq!(config.to_yaml_over(old).unwrap(), expected);
    // What is kept is a line of its own.
    let kept = SharedConfig { retention: Some("last=3".parse().unwrap()), ..config.clone() };
    let with = kept.to_yaml_over(&expected).unwrap();
    assert_eq!(with, format!("{expected}retention: last=3\n"));
    assert_eq!(config.to_yaml_over(&with).unwrap(), expected);
    // A list on one line stays on one.
    config.ignore.names = owned(["x"]);
    let text = config.to_yaml_over(&expected).unwrap();
    assert_eq!(text, expected.replace("names: [__pycache__]", "names: [x]"));
    // What cannot be changed line by line is written anew, and says the same.
    let odd = "? name\n: survey\n? ignore\n: names: [a]\n";
    let anew = config.to_yaml_over(odd).unwrap();
    assert_eq!(SharedConfig::from_yaml(&anew), Ok(config));
}

#[test]
fn merging_keeps_both_sides_work() {
    let base = SharedConfig::new("p");
    let (mut ours, mut theirs) = (base.clone(), base.clone());
    ours.data_dirs.insert("figures".into());
    ours.data_dirs.remove("frozen");
    theirs.ignore.suffixes.insert(".bak".into());
    theirs.name = "q".into();
    theirs.retention = Some("last=3".parse().unwrap());
    let merged = SharedConfig::merge(&base, &ours, &theirs);
    assert_eq!((merged.name.as_str(), merged.retention), ("q", theirs.retention));
    assert_eq!(merged.data_dirs, owned(["figures", "input", "output"]));
    assert!(merged.ignore.suffixes.contains(".bak"));
    // Two that never met: nothing of either side is lost.
    let base = SharedConfig::common(&ours, &theirs);
    let merged = SharedConfig::merge(&base, &ours, &theirs);
    assert_eq!(merged.name, "q");
    assert_eq!(merged.data_dirs, owned(["figures", "frozen", "input", "output"]));
    assert!(merged.ignore.suffixes.contains(".bak"));
}
