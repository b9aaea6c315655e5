//! Configurations with one mistake each: told once, at its place, with how to mend it.

use std::fmt::Write as _;

use super::*;

/// Whose file it is.
#[derive(Clone, Copy)]
enum File {
    Project,
    Oldest,
    Own,
    System,
}
use File::{Oldest, Own, Project, System};

fn mistakes(file: File, text: &str) -> Vec<Mistake> {
    let read = match file {
        Project => ProjectConfig::read(text).map(|_| ()),
        Oldest => ProjectConfig::read_oldest(text).map(|_| ()),
        Own => UserConfig::read(text, Layer::Own).map(|_| ()),
        System => UserConfig::read(text, Layer::System).map(|_| ()),
    };
    read.err().map_or_else(Vec::new, |broken| broken.mistakes)
}

/// File, text, line and column of the mistake, the text that is underlined there, what is said, how it is
/// mended.
type Case = (File, &'static str, (usize, usize), &'static str, &'static str, &'static str);

#[rustfmt::skip]
const BROKEN: &[Case] = &[
    // What is no YAML, or none of a configuration.
    (Project, "name: p\ndata_dirs: [input\n", (2, 1), "d", "this is not YAML", "Look at this line"),
    (Project, "name: p\n\tdata_dirs: [input]\n", (1, 7), "p", "this is not YAML: while scanning a plain scalar, found a tab", "tabs are not allowed"),
    (Project, "name: p\ndata_dirs: [input]\n  ignore: {}\n", (3, 3), "i", "this is not YAML", "the same indent"),
    (Project, "", (1, 1), "", "nothing is said here", "Write name: NAME"),
    (Project, "# only a comment\n", (1, 1), "#", "nothing is said here", "Write name: NAME"),
    (Project, "- name\n- p\n", (1, 1), "-", "this file is a list", "Write KEY: VALUE"),
    (Project, "name: p\n---\nname: q\n", (2, 1), "---", "a second document", "Keep one document"),
    (Project, "name: p\ndata_dirs: &d [input]\nignore: {names: *d}\n", (3, 17), "*d", "an alias", "Write out"),
    (Project, "name: !secret p\n", (1, 7), "!secret p", "a tag", "Take the tag out"),
    // Keys.
    (Project, "name: p\ndata_dir: [input]\n", (2, 1), "data_dir", "there is no key \"data_dir\"", "Did you mean data_dirs"),
    (Project, "name: p\nnaem: q\n", (2, 1), "naem", "there is no key \"naem\"", "Did you mean name"),
    (Project, "name: p\ncolour: red\n", (2, 1), "colour", "there is no key \"colour\"", "The keys here are name, data_dirs, ignore, retention or repository"),
    (Project, "name: p\nignore:\n  path: [x]\n", (3, 3), "path", "there is no key \"path\" in ignore", "Did you mean paths"),
    (Project, "name: p\nname: q\n", (2, 1), "name", "name stands here twice; the first is in line 1", "Keep one"),
    (Project, "data_dirs: [input]\n", (1, 1), "d", "the project has no name", "Add a line name: NAME"),
    (Project, "name:\ndata_dirs: [input]\n", (1, 1), "name", "name has no value", "Write one after the colon"),
    // Types.
    (Project, "name: 2024\n", (1, 7), "2024", "YAML takes this for a number, but name is a text", "Put it into quotes: '2024'"),
    (Project, "name: true\n", (1, 7), "true", "YAML takes this for a yes or no", "Put it into quotes: 'true'"),
    (Project, "name: [p]\n", (1, 7), "[", "name is a list, not a text", "Write one text"),
    (Project, "name: p\ndata_dirs: input\n", (2, 12), "input", "data_dirs is a text, not a list", "Write it as a list: data_dirs: [input]"),
    (Project, "name: p\ndata_dirs: {input: 1}\n", (2, 12), "{", "data_dirs is a section, not a list", "Write it as a list"),
    (Project, "name: p\ndata_dirs:\n- input\n- 7\n", (4, 3), "7", "YAML takes this for a number", "Put it into quotes: '7'"),
    (Project, "name: p\nignore: [x]\n", (2, 9), "[", "ignore is a list, not a section of keys", "the keys are paths, names or suffixes"),
    // Values.
    (Project, "name: a/b\n", (1, 7), "a/b", "is not a name of 1 to 255 bytes", "without a slash"),
    (Project, "name: p\ndata_dirs: []\n", (2, 1), "data_dirs", "data_dirs names no folder", "data_dirs: ['*']"),
    (Project, "name: p\ndata_dirs: [a/b]\n", (2, 13), "a/b", "is a path; a folder's name", "Correct it"),
    (Project, "name: p\nignore: {paths: [../x]}\n", (2, 18), "../x", "is not a path below the project's root", "Correct it"),
    (Project, "name: p\nignore:\n  suffixes: ['']\n", (3, 14), "''", "a name or suffix is empty", "Correct it"),
    (Project, "name: p\nretention: some\n", (2, 12), "some", "retention cannot be \"some\"", "last=10,daily=7"),
    (Project, "name: p\nretention: 10\n", (2, 12), "10", "YAML takes this for a number", "Put it into quotes: '10'"),
    // Repositories.
    (Project, "name: p\nrepository: {type: zfs, host: tank, mountpoint: /t}\n", (2, 14), "type", "zfs needs pool, which is missing", "Add pool"),
    (Project, "name: p\nrepository: {type: xfs, host: tank, pool: t, mountpoint: /t}\n", (2, 37), "pool", "pool says nothing of xfs", "Take it out"),
    (Project, "name: p\nrepository: {type: xsf, host: tank, mountpoint: /t}\n", (2, 20), "xsf", "type cannot be \"xsf\"", "Did you mean xfs? It can be zfs or xfs"),
    (Project, "name: p\nrepository: {type: rclone, remote: 's3:b', path: dsg}\n", (2, 20), "rclone", "rclone (any remote of rclone) is not built into this version", "This version can do zfs or xfs"),
    (Project, "name: p\nrepository: {host: tank, mountpoint: /t}\n", (2, 13), "{", "the repository has no type", "zfs or xfs"),
    (Project, "name: p\nrepository:\n  type: xfs\n  hots: tank\n  host: tank\n  mountpoint: /t\n", (4, 3), "hots", "there is no key \"hots\" in repository", "Did you mean host"),
    (Project, "name: p\nrepository: {type: xfs, host: tank, mountpoint: data}\n", (2, 49), "data", "is not an absolute path", "Begin it with a slash"),
    (Project, "name: p\nrepository: {type: xfs, host: '-oX=y', mountpoint: /t}\n", (2, 31), "'-oX=y'", "this names no host", "Write its name"),
    (Project, "name: p\nrepository: {type: xfs, host: tank, port: 70000, mountpoint: /t}\n", (2, 43), "70000", "port is no whole number from 1 to 65535", "without quotes"),
    // Older formats.
    (Project, "name: p\nrepository: {type: xfs, host: h, mountpoint: /t}\ntransport: ssh\n", (3, 1), "transport", "in two formats", "Keep one of them"),
    (Project, "name: p\ntransport: ssh\n", (2, 12), "ssh", "there is no section ssh", "Add a section ssh: with host, path"),
    (Project, "name: p\ntransport: ssh\nssh: {host: h, path: /t}\nrclone: {remote: r}\n", (4, 1), "rclone", "here is a section rclone", "Take rclone out"),
    (Project, "name: p\nssh: {host: h, path: /t}\n", (2, 1), "ssh", "a section ssh, but no transport", "Add a line transport: ssh"),
    (Project, "name: p\ntransport: ipfs\nipfs: {did: 'did:key:x'}\n", (2, 12), "ipfs", "ipfs (a tree in IPFS) is not built into this version", "ssh or localhost"),
    (Project, "name: p\ntransport: ssh\nssh: {host: h}\n", (3, 6), "{", "ssh needs path, which is missing", "Add path"),
    (Project, "name: p\nproject: {data_dirs: [a]}\ndata_dirs: [b]\n", (3, 1), "data_dirs", "inside of project and outside of it", "in one place"),
    (Oldest, "repo_path: /t\nhost: h\n", (1, 1), "r", "repo_name is missing", "Add a line repo_name"),
    (Oldest, "repo_name: p\nrepo_path: /t\nrepo_tpye: xfs\n", (3, 1), "repo_tpye", "there is no key", "Did you mean repo_type"),
    // A person's.
    (Own, "user_id: ann\n", (1, 10), "ann", "\"ann\" is no e-mail address", "as in ann@example.org"),
    (Own, "user_nmae: Ann\n", (1, 1), "user_nmae", "there is no key", "Did you mean user_name"),
    (System, "user_id: ann@example.org\n", (1, 1), "user_id", "user_id is a person's own", "~/.config/dsg/dsg.yml"),
    (Own, "hosts: {tank: {ssh: putty}}\n", (1, 21), "putty", "ssh cannot be \"putty\"", "It can be auto, builtin or system"),
    (Own, "hosts:\n  tank:\n    agent_path: bin/agent\n", (3, 17), "bin/agent", "agent_path cannot be", "Write an absolute path"),
    (Own, "hosts: [tank]\n", (1, 8), "[", "hosts is a list, not a section", "Write NAME:"),
    (Own, "local_log: logs\n", (1, 12), "logs", "is not an absolute path", "Begin it with a slash"),
    (Own, "default_project_path: srv/dsg\n", (1, 23), "srv/dsg", "\"srv/dsg\" is not an absolute path", "Begin it with a slash"),
    (Own, "default_host: tank:/srv\n", (1, 15), "tank:/srv", "this names no host", "Write its name alone"),
    (Own, "backup_on_conflict: maybe\n", (1, 21), "maybe", "backup_on_conflict is a text, not a yes or no", "Write true or false"),
];

#[test]
fn each_of_these_is_one_mistake_with_its_place_and_its_mend() {
    assert!(BROKEN.len() >= 40);
    let mut wrong = String::new();
    for (file, text, at, meant, what, mend) in BROKEN {
        let found = mistakes(*file, text);
        let [one] = &found[..] else {
            let _ = writeln!(wrong, "{text:?}: {found:#?}");
            continue;
        };
        let line = text.lines().nth(one.place.line - 1).unwrap_or_default();
        let chars = line.chars().skip(one.place.column - 1).take(one.place.length);
        let underlined: String = chars.collect();
        let told = shown("/p/config.yml", text, one);
        let begins = format!("/p/config.yml:{}:{}: ", at.0, at.1);
        let all = told.starts_with(&begins)
            && underlined.starts_with(meant)
            && one.what.contains(what)
            && one.mend.contains(mend);
        if !all || (meant.len() > 1 && underlined != *meant) {
            let _ = writeln!(wrong, "{text:?}: {underlined:?} is underlined\n{told}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// `INSTA_UPDATE=always` writes them anew, for a person to read.
#[test]
fn what_is_said_of_each_is_as_it_was_reviewed() {
    let mut all = String::new();
    for (file, text, ..) in BROKEN {
        for mistake in mistakes(*file, text) {
            let _ = writeln!(all, "{}", shown("config.yml", text, &mistake));
        }
    }
    let unreadable = ["*.log\n[z-a].csv\n", "input\\\n", "a\u{7}b\n"];
    for text in unreadable {
        let _ = writeln!(all, "{}", Patterns::read(text).unwrap_err().told_of(".dsgignore"));
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("broken", all);
    });
}

#[test]
fn all_mistakes_are_told_at_once_in_their_order_and_shown_with_their_lines() {
    let text = "\
name: 7
data_dir: [input]
repository:
  type: zfs
  host: tank
  mountpoint: tank
ignore:
  names: x
";
    let broken = ProjectConfig::read(text).unwrap_err();
    let expected = "\
/p/.dsgconfig.yml:1:7: YAML takes this for a number, but name is a text.
  1 | name: 7
    |       ^
  Put it into quotes: '7'.

/p/.dsgconfig.yml:2:1: there is no key \"data_dir\" in this file.
  2 | data_dir: [input]
    | ^^^^^^^^
  Did you mean data_dirs?

/p/.dsgconfig.yml:4:3: zfs needs pool, which is missing.
  4 |   type: zfs
    |   ^^^^
  Add pool: …; zfs needs host, pool, mountpoint.

/p/.dsgconfig.yml:8:10: names is a text, not a list.
  8 |   names: x
    |          ^
  Write it as a list: names: [x].
";
    assert_eq!(broken.told_of("/p/.dsgconfig.yml"), expected);
}

#[test]
fn nothing_in_a_file_steers_the_terminal_that_shows_it() {
    let broken = UserConfig::read("k: \"\u{1b}[2J\"\u{7}\n", Layer::Own).unwrap_err();
    assert!(!broken.told_of("f").contains(['\u{1b}', '\u{7}']));
}
