//! `.dsgignore`.

use super::*;

fn patterns(text: &str) -> Patterns {
    Patterns::read(text).unwrap_or_else(|broken| panic!("{}", broken.told_of(".dsgignore")))
}

#[test]
fn patterns_mean_what_they_mean_in_gitignore() {
    let text = "\
# by hand
*.log
!keep.log

/top.txt
scratch/
input/raw/*.bin
deep/**/x
\\#odd
{draft}.csv
[ab]{1}.csv
spaced\\ \n";
    let of = patterns(text);
    for (path, is_dir, line) in [
        ("a.log", false, Some(2)),
        ("input/deep/a.log", false, Some(2)),
        ("input/keep.log", false, None),
        ("top.txt", false, Some(5)),
        ("input/top.txt", false, None),
        ("scratch", true, Some(6)),
        ("scratch", false, None),
        ("input/scratch/keep.log", false, Some(6)),
        ("input/raw/a.bin", false, Some(7)),
        ("input/raw/b/a.bin", false, None),
        ("other/input/raw/a.bin", false, None),
        ("deep/x", false, Some(8)),
        ("deep/a/b/x", false, Some(8)),
        ("#odd", false, Some(9)),
        ("# by hand", false, None),
        ("{draft}.csv", false, Some(10)),
        ("draft.csv", false, None),
        ("a{1}.csv", false, Some(11)),
        ("a1.csv", false, None),
        ("spaced ", false, Some(12)),
        ("spaced", false, None),
    ] {
        assert_eq!(of.line_for(path, is_dir), line, "{path}");
    }
}

#[test]
fn the_last_line_decides_and_below_an_ignored_folder_nothing_is_taken_back() {
    let of = patterns("*.csv\n!a.csv\na.csv\nout/\n!out/b.txt\n");
    assert_eq!(of.line_for("a.csv", false), Some(3));
    assert_eq!(of.line_for("out/b.txt", false), Some(4));
    assert_eq!(patterns("").line_for("a", false), None);
    assert!(patterns("").is_empty() && !patterns("# a word\n").is_empty());
}

#[test]
fn a_path_that_a_pattern_names_is_left_alone_and_which_line_it_is_is_said() {
    let mut config = SharedConfig::new("p");
    config.ignore.patterns = patterns("\ninput/scratch/\n!input/a.tmp\n!input/.hidden\n");
    assert_eq!(config.directory("input/scratch"), Tracking::Ignored);
    assert_eq!(config.file("input/scratch/a"), Tracking::Ignored);
    let why = |path: &str| config.rule(path, false).map(|rule| rule.to_string());
    assert_eq!(why("input/scratch/a").as_deref(), Some("ignored by .dsgignore line 2"));
    // Of other rules it takes nothing back.
    assert_eq!(why("input/a.tmp").as_deref(), Some("ignored by ignore.suffixes: .tmp"));
    assert_eq!(config.file("input/.hidden"), Tracking::Hidden);
    assert_eq!(config.file("input/a"), Tracking::Tracked);
    assert_eq!(config.file("src/a"), Tracking::OutsideData);
}

#[test]
fn lines_that_are_no_patterns_are_told_all_at_once_with_how_to_mend_them() {
    let broken = Patterns::read("*.log\n[z-a].csv\nfine\ninput\\\na\u{7}b\n").unwrap_err();
    let told: Vec<_> = broken.mistakes.iter().map(|m| (m.place.line, m.what.as_str())).collect();
    assert_eq!(
        told,
        [
            (2, "this is no pattern: invalid range; 'z' > 'a'"),
            (4, "this is no pattern: dangling '\\'"),
            (5, "this is no pattern: a character in it cannot be seen, and is in no name"),
        ]
    );
    let shown = broken.told_of("/p/.dsgignore");
    assert!(
        shown.contains("/p/.dsgignore:2:1: ") && shown.contains("\n    | ^^^^^^^^^\n"),
        "{shown}"
    );
    assert!(broken.mistakes.iter().all(|m| m.mend.contains("as in .gitignore")));
    let long = "x\n".repeat(33_000);
    assert!(Patterns::read(&long).unwrap_err().mistakes[0].what.contains("65536 are allowed"));
}

#[test]
fn lines_may_end_as_elsewhere_and_words_may_be_any() {
    let of = patterns("\u{feff}*.log\r\n# by\thand\r\r\n\r\nscratch/\r\n");
    assert_eq!(of.text(), "*.log\n# by\thand\n\nscratch/\n");
    assert_eq!((of.line_for("a.log", false), of.line_for("scratch", true)), (Some(1), Some(4)));
    assert_eq!(patterns(&of.text()), of);
}

#[test]
fn both_sides_lines_are_merged() {
    let merge = |base: &str, ours: &str, theirs: &str| {
        Patterns::merge(&patterns(base), &patterns(ours), &patterns(theirs)).text()
    };
    assert_eq!(merge("a\nb\n", "a\nb\n", "b\na\n"), "b\na\n", "only theirs changed");
    assert_eq!(merge("a\nb\n", "b\n!a\n", "a\nb\n"), "b\n!a\n", "only ours changed");
    assert_eq!(merge("a\nb\nc\n", "a\nb\no\n", "t\nb\nc\n"), "t\nb\no\n", "both changed");
    let common = Patterns::common(&patterns("o\na\n"), &patterns("a\nt\n"));
    assert_eq!(common.text(), "a\n");
    let all = Patterns::merge(&common, &patterns("o\na\n"), &patterns("a\nt\n"));
    assert_eq!(all.text(), "a\nt\no\n");
}

#[test]
fn patterns_travel_with_the_configuration_and_are_no_part_of_its_yaml() {
    let mut config = SharedConfig::new("p");
    let bare = serde_json::to_string(&config).unwrap();
    assert!(!bare.contains("patterns"), "{bare}");
    config.ignore.patterns = patterns("# why\nscratch/\n");
    let told = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<SharedConfig>(&told).unwrap(), config);
    let read: SharedConfig = serde_json::from_str(&told).unwrap();
    assert_eq!(read.file("input/scratch/a"), Tracking::Ignored);
    let yaml = config.to_yaml().unwrap();
    assert!(!yaml.contains("scratch"), "{yaml}");
    assert!(SharedConfig::from_yaml(&yaml).unwrap().is_viewed_as(&config));
    assert_eq!(config.to_yaml_over(&yaml).unwrap(), yaml);
    // What a history holds is read, whatever it is.
    let odd = bare.replace("\"suffixes\"", "\"patterns\":[\"[z-a]\",\"scratch/\"],\"suffixes\"");
    let odd: SharedConfig = serde_json::from_str(&odd).unwrap();
    assert_eq!(odd.rule("input/scratch/a", false), Some(Rule::Line(2)));
}
