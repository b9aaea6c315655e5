//! Each rule of the earlier tool's files, by its name.

use super::*;
use crate::repository::StoreKind;

fn project(text: &str) -> ProjectConfig {
    ProjectConfig::read(text).unwrap_or_else(|broken| panic!("{}", broken.told_of("config")))
}

/// Where a configuration leads.
fn leads(text: &str) -> Option<String> {
    project(text).repository.map(|address| address.to_string())
}

#[test]
fn the_repository_of_a_zfs_host_is_the_name_below_the_mountpoint() {
    let text = "name: my-project\nrepository: {type: zfs, host: server, pool: tank, mountpoint: /tank/dsg}\n\
                data_dirs: [input, output, frozen]\nignore: {paths: [task/output/scratch], names: [.DS_Store], suffixes: [.tmp]}\n";
    let config = project(text);
    assert_eq!(config.format, Format::Repository);
    assert_eq!(leads(text).as_deref(), Some("ssh://server/tank/dsg/my-project"));
    assert_eq!(config.shared.ignore.paths, owned(["task/output/scratch"]));
    assert_eq!(config.shared.ignore.suffixes, owned([".tmp"]));
}

#[test]
fn the_repository_of_an_xfs_host_needs_no_pool() {
    let text = "name: p\nrepository: {type: xfs, host: server, mountpoint: /data/dsg/}\n";
    assert_eq!(leads(text).as_deref(), Some("ssh://server/data/dsg/p"));
}

#[test]
fn what_is_said_of_a_repository_must_be_so() {
    let zfs = project(
        "name: p\nrepository: {type: zfs, host: server, pool: tank, mountpoint: /tank/dsg}\n",
    );
    let met = |kind, dataset| zfs.demand.is_met_by(kind, dataset);
    assert_eq!(met(StoreKind::Zfs, Some("tank/dsg/p")), Ok(()));
    assert!(met(StoreKind::Tree, None).unwrap_err().contains("no dataset can be made"));
    let other = met(StoreKind::Zfs, Some("dozer/dsg")).unwrap_err();
    assert_eq!(other, "pool is tank, but the folder is in the pool dozer");
    let xfs = project("transport: ssh\nssh: {host: server, path: /r, name: p, type: xfs}\n").demand;
    assert_eq!(xfs, Demand { kind: Some(StoreKind::Tree), pool: None });
    assert!(xfs.is_met_by(StoreKind::Zfs, Some("tank/p")).is_err());
    assert_eq!(xfs.is_met_by(StoreKind::Tree, None), Ok(()));
    assert_eq!(project("name: p\n").demand, Demand::default());
    assert_eq!(Demand::default().is_met_by(StoreKind::Zfs, Some("tank/p")), Ok(()));
}

#[test]
fn a_host_that_is_this_computer_is_a_folder() {
    for host in ["localhost", "127.0.0.1", "'::1'", "0.0.0.0"] {
        let text = format!("name: p\nrepository: {{type: xfs, host: {host}, mountpoint: /d}}\n");
        assert_eq!(leads(&text).as_deref(), Some("/d/p"), "{host}");
    }
}

#[test]
fn user_and_port_of_a_host_may_be_said() {
    let text =
        "name: p\nrepository: {type: xfs, host: server, user: ann, port: 2222, mountpoint: /d}\n";
    assert_eq!(leads(text).as_deref(), Some("ssh://ann@server:2222/d/p"));
    let six = "name: p\nrepository: {type: xfs, host: 'fe80::1', mountpoint: /d}\n";
    assert_eq!(leads(six).as_deref(), Some("ssh://[fe80::1]/d/p"));
}

#[test]
fn transport_with_its_section_is_the_older_format() {
    let text = "transport: ssh\nssh: {host: server, path: /var/repos/zsd, name: my-project, type: zfs}\nname: my-project\n";
    let config = project(text);
    assert_eq!(config.format, Format::Transport);
    assert_eq!(leads(text).as_deref(), Some("ssh://server/var/repos/zsd/my-project"));
}

#[test]
fn transport_localhost_is_a_folder_of_this_computer() {
    let text = "transport: localhost\nlocalhost: {path: /var/repos, name: p, type: xfs}\n";
    assert_eq!(leads(text).as_deref(), Some("/var/repos/p"));
}

#[test]
fn the_name_may_stand_in_the_transports_section_only() {
    let text =
        "transport: ssh\nssh: {host: s, path: /r, name: there, type: xfs}\ndata_dirs: [input]\n";
    assert_eq!(project(text).shared.name, "there");
}

#[test]
fn project_may_wrap_data_dirs_and_ignore() {
    let text = "transport: ssh\nssh: {host: s, path: /r, name: p, type: xfs}\nproject:\n  data_dirs: [a]\n  ignore: {suffixes: [.x]}\n";
    let config = project(text);
    assert_eq!(config.format, Format::Wrapped);
    assert_eq!(config.shared.data_dirs, owned(["a"]));
    assert_eq!(config.shared.ignore.suffixes, owned([".x"]));
}

#[test]
fn the_oldest_file_lies_on_one_level() {
    let text = "repo_name: p\nrepo_path: /srv/dsg\nhost: server\nrepo_type: zfs\ndata_dirs: [input]\nignored_names: [x]\nignored_suffixes: [.y]\n";
    let config = ProjectConfig::read_oldest(text).unwrap();
    assert_eq!(config.format, Format::Oldest);
    assert_eq!(config.repository.unwrap().to_string(), "ssh://server/srv/dsg/p");
    assert_eq!(config.shared.ignore.names, owned(["x"]));
}

#[test]
fn what_is_not_said_has_its_default() {
    let config = project("name: p\n").shared;
    assert_eq!(config, SharedConfig::new("p"));
    assert_eq!(config.data_dirs, owned(["frozen", "input", "output"]));
    let partly = project("name: p\nignore: {paths: [a]}\n").shared;
    assert_eq!(partly.ignore.suffixes, owned([".pyc", ".tmp"]));
    // A section that is only begun says nothing.
    assert_eq!(project("name: p\nignore:\n").shared, config);
}

#[test]
fn ignored_paths_lose_their_trailing_slash() {
    assert_eq!(project("name: p\nignore: {paths: [a/b/]}\n").shared.ignore.paths, owned(["a/b"]));
}

#[test]
fn an_empty_list_of_ignored_names_ignores_none() {
    assert!(project("name: p\nignore: {names: []}\n").shared.ignore.names.is_empty());
}

#[test]
fn what_this_version_does_not_use_of_a_persons_file_is_told_and_no_mistake() {
    let text = "user_name: Ann\nuser_id: ann@example.org\ndefault_host: tank\ndefault_project_path: /srv\n\
                local_log: /var/log/dsg\nbackup_on_conflict: yes\nssh: {key_path: ~/.ssh/id}\n\
                rclone: {config_path: /c}\nipfs: {passphrases: {'did:key:x': secret}}\n";
    let config = UserConfig::read(text, Layer::Own).unwrap();
    assert_eq!(config.user_id.as_deref(), Some("ann@example.org"));
    assert_eq!(config.notes.len(), 5, "{:#?}", config.notes);
    assert!(config.notes.iter().all(|note| note.what.contains("has no effect")));
}

#[test]
fn the_default_place_of_repositories_is_a_folder_of_a_host_or_of_this_computer() {
    let place = |text: &str| UserConfig::read(text, Layer::Own).unwrap().default_place();
    let at = |text: &str| Some(text.parse().unwrap());
    let path = "default_project_path: /srv/dsg\n";
    assert_eq!(place(""), None);
    assert_eq!(place(path), at("/srv/dsg"));
    assert_eq!(place("default_host: ann@tank:2222\n"), at("ssh://ann@tank:2222"));
    assert_eq!(place(&format!("default_host: tank\n{path}")), at("tank:/srv/dsg"));
    for here in ["localhost", "127.0.0.1", "'::1'", "0.0.0.0"] {
        assert_eq!(place(&format!("default_host: {here}\n{path}")), at("/srv/dsg"), "{here}");
        assert_eq!(place(&format!("default_host: {here}\n")), Some(crate::address::Place::Home));
    }
    let survey = place(&format!("default_host: tank\n{path}")).unwrap().holds("survey");
    assert_eq!(survey.unwrap().unwrap().to_string(), "ssh://tank/srv/dsg/survey");
    assert_eq!(place("default_host: tank\n").unwrap().holds("survey"), None);
}

#[test]
fn of_several_places_the_later_wins_key_by_key() {
    let own = |text: &str| UserConfig::read(text, Layer::Own).unwrap();
    let system = "hosts: {tank: {ssh: system, agent_path: /a}}\ndefault_host: tank\ndefault_project_path: /srv\n";
    let system = UserConfig::read(system, Layer::System);
    let merged = system
        .unwrap()
        .overlaid(own("user_name: Ann\nuser_id: a@b\nhosts: {other: {ssh: auto}}\ndefault_project_path: /data\n"))
        .overlaid(own("user_id: c@d\nhosts: {tank: {ssh: builtin}}\n"));
    assert_eq!(
        (merged.user_name.as_deref(), merged.user_id.as_deref()),
        (Some("Ann"), Some("c@d"))
    );
    let tank = HostConfig { ssh: Some(SshProgram::Builtin), agent_path: Some("/a".into()) };
    assert_eq!((merged.hosts.len(), &merged.hosts["tank"]), (2, &tank));
    assert_eq!(merged.default_place(), Some("tank:/data".parse().unwrap()));
}

#[test]
fn the_environment_counts_last_and_is_proved_alike() {
    let said = |name: &str| (name == "DSG_USER_ID").then(|| "e@f".to_owned());
    assert_eq!(UserConfig::from_variables(said).unwrap().user_id.as_deref(), Some("e@f"));
    let wrong = UserConfig::from_variables(|_| Some("a\nb".to_owned())).unwrap_err();
    assert_eq!(wrong.iter().map(|w| w.0).collect::<Vec<_>>(), ["DSG_USER_NAME", "DSG_USER_ID"]);
    assert_eq!(UserConfig::from_variables(|_| None), Ok(UserConfig::default()));
}

#[test]
fn an_older_file_becomes_a_newer_one_and_keeps_its_comments() {
    let old = "\
# Ours since 2023.
transport: ssh
ssh:
  host: server   # the new one
  path: /var/repos
  name: survey
  type: xfs
project:  # what counts
  # raw
  data_dirs:
    - input
    - output

  ignore:
    suffixes: [.tmp]
";
    let new = migrated(old).unwrap().unwrap();
    let expected = "\
# Ours since 2023.
name: survey
transport: ssh
ssh:
  host: server   # the new one
  path: /var/repos
  name: survey
  type: xfs
# what counts
# raw
data_dirs:
  - input
  - output

ignore:
  suffixes: [.tmp]
";
    assert_eq!(new, expected);
    assert_eq!(migrated(&new).unwrap(), None);
    assert_eq!(project(&new).shared, project(old).shared);
    // On one line it is written anew, and means the same.
    let short = "{transport: ssh, ssh: {host: s, path: /r, name: p, type: xfs}, project: {data_dirs: [a]}}\n";
    let new = migrated(short).unwrap().unwrap();
    assert_eq!((project(&new).shared, leads(&new)), (project(short).shared, leads(short)));
    // The present format is left alone.
    assert_eq!(migrated("name: p\n").unwrap(), None);
}

#[test]
fn the_oldest_file_becomes_a_newer_one() {
    let old = "# Ours.\nrepo_name: p\nrepo_path: /srv\nhost: server\nrepo_type: zfs\ndata_dirs: [a]\nignored_names: [x]\n";
    let new = migrated_oldest(old).unwrap();
    assert!(new.starts_with("# Ours.\n"), "{new}");
    let before = ProjectConfig::read_oldest(old).unwrap();
    let after = project(&new);
    assert_eq!((after.shared, after.repository), (before.shared, before.repository));
}

#[test]
fn a_sync_that_changes_an_older_file_makes_it_newer() {
    let old = "transport: ssh\nssh: {host: s, path: /r, name: p, type: xfs} # there\nproject:\n  data_dirs:\n  - a\n";
    let mut config = project(old).shared;
    config.data_dirs.insert("b".into());
    let new = config.to_yaml_over(old).unwrap();
    assert!(new.contains("# there"), "{new}");
    assert_eq!((&project(&new).shared, leads(&new)), (&config, leads(old)));
}
