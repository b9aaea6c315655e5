//! A file as a form.

use super::*;
use crate::config::form::{Elsewhere, Field, File, Form, Holds, Origin};

fn field<'f>(form: &'f Form, path: &str) -> &'f Field {
    form.fields.iter().find(|field| field.path.join(".") == path).expect(path)
}
fn paths(form: &Form) -> Vec<String> {
    form.fields.iter().map(|field| field.path.join(".")).collect()
}
#[allow(clippy::unnecessary_wraps, reason = "as it is compared")]
fn texts(texts: &[&str]) -> Option<Setting> {
    Some(Setting::Texts(texts.iter().map(|&text| text.to_owned()).collect()))
}

#[test]
fn each_key_is_offered_with_what_counts_and_where_it_is_said() {
    let text = "name: p\nignore: {names: [x]}\n";
    let form = Form::of(File::Project, text, &[]);
    let expected = [
        "name",
        "data_dirs",
        "ignore.paths",
        "ignore.names",
        "ignore.suffixes",
        "retention",
        "repository.type",
    ];
    assert_eq!(paths(&form), expected);
    assert!(form.is_sound() && form.is_readable);
    let name = field(&form, "name");
    assert_eq!((&name.effective, &name.origin), (&Some(Setting::Text("p".into())), &Origin::Here));
    let dirs = field(&form, "data_dirs");
    assert_eq!(
        (&dirs.effective, &dirs.origin),
        (&texts(&["frozen", "input", "output"]), &Origin::Default)
    );
    assert_eq!((&dirs.said, &dirs.holds), (&None, &Holds::Texts));
    let names = field(&form, "ignore.names");
    assert_eq!((&names.said, &names.origin), (&texts(&["x"]), &Origin::Here));
    assert_eq!(field(&form, "retention").effective, None);
}

#[test]
fn what_this_version_cannot_do_is_not_offered() {
    let kind = |form: &Form| field(form, "repository.type").holds.clone();
    let text = "name: p\nrepository: {type: zfs, host: h, pool: t, mountpoint: /t}\n";
    let zfs = Form::of(File::Project, text, &[]);
    assert_eq!(kind(&zfs), Holds::Choice(vec!["zfs", "xfs"]));
    let of_zfs: Vec<String> =
        paths(&zfs).into_iter().filter(|p| p.starts_with("repository")).collect();
    let expected = ["type", "host", "user", "port", "pool", "mountpoint"];
    assert_eq!(of_zfs, expected.map(|key| format!("repository.{key}")));
    let own = Form::of(File::Own, "local_log: /var/log\nhosts: {tank: {ssh: system}}\n", &[]);
    let expected = [
        "user_name",
        "user_id",
        "hosts.tank.ssh",
        "hosts.tank.agent_path",
        "default_host",
        "default_project_path",
    ];
    assert_eq!(paths(&own), expected);
    assert_eq!(own.notes.len(), 1);
    // A store of another version is a mistake of its key.
    let text = "name: p\nrepository: {type: ipfs, did: x}\n";
    let other = Form::of(File::Project, text, &[]);
    assert!(
        field(&other, "repository.type").mistakes[0].what.contains("not built into this version")
    );
}

#[test]
fn an_older_format_is_filled_in_as_it_is_written() {
    let text = "transport: ssh\nssh: {host: h, path: /d, name: p, type: xfs}\nproject:\n  data_dirs: [input]\n";
    let older = Form::of(File::Project, text, &[]);
    let found = paths(&older);
    for path in [
        "name",
        "transport",
        "ssh.host",
        "ssh.path",
        "ssh.name",
        "project.data_dirs",
        "project.ignore.names",
    ] {
        assert!(found.iter().any(|p| p == path), "{path} is not in {found:?}");
    }
    assert!(
        !found
            .iter()
            .any(|p| p.starts_with("repository") || p == "data_dirs" || p.starts_with("localhost"))
    );
    assert!(older.is_sound());
}

#[test]
fn mistakes_stand_at_their_keys_and_a_broken_file_shows_them_all() {
    let text = "nam: p\ndata_dirs:\n- input\n- a/b\nignore: {names: [''], suffixes: [7]}\nrepository:\n  host: h\n";
    let broken = Form::of(File::Project, text, &[]);
    let what =
        |path| field(&broken, path).mistakes.iter().map(|m| m.what.as_str()).collect::<String>();
    assert!(what("data_dirs").contains("is a path"), "{broken:#?}");
    assert!(what("ignore.names").contains("empty") && what("ignore.suffixes").contains("number"));
    assert_eq!(
        (what("name").as_str(), what("repository.type").as_str()),
        ("the project has no name", "the repository has no type")
    );
    let [unknown] = &broken.mistakes[..] else { panic!("{broken:#?}") };
    assert!(unknown.what.contains("nam") && broken.is_readable && !broken.is_sound());
    let text = Form::of(File::Project, "name: [", &[]);
    assert!(!text.is_readable && text.mistakes.len() == 1);
}

#[test]
fn what_counts_of_a_persons_settings_may_be_said_elsewhere() {
    let system = Elsewhere::file(
        "/etc/dsg/dsg.yml".into(),
        "default_host: tank\nhosts: {big: {ssh: system}}\n".into(),
        false,
    );
    let mut elsewhere = vec![system];
    elsewhere.extend(Elsewhere::variables(|name| (name == "DSG_USER_NAME").then(|| "Ann".into())));
    let form = Form::of(File::Own, "user_name: Bob\nuser_id: bob@example.org\n", &elsewhere);
    let host = field(&form, "default_host");
    assert_eq!((&host.effective, &host.said), (&Some(Setting::Text("tank".into())), &None));
    assert_eq!(host.origin, Origin::File("/etc/dsg/dsg.yml".into()));
    let name = field(&form, "user_name");
    assert_eq!(
        (&name.effective, &name.said),
        (&Some(Setting::Text("Ann".into())), &Some(Setting::Text("Bob".into())))
    );
    assert_eq!(name.origin, Origin::Variable("DSG_USER_NAME"));
    assert_eq!(field(&form, "user_id").origin, Origin::Here);
    assert_eq!(field(&form, "hosts.big.ssh").effective, Some(Setting::Text("system".into())));
}
