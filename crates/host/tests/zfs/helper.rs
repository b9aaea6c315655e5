//! A user without rights, and the helper that an administrator allowed.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use dsg_core::entry::Hash;
use dsg_core::failure::Code;
use dsg_host::zfs::helper::Helper;
use dsg_host::zfs::name::{Dataset, Part, Tag};
use dsg_host::zfs::sudo::{INSTALLED, grant};
use dsg_host::zfs::verb::{Answer, Hands as _, Stop, Until, Verb};
use dsg_testkit::zfs_host::{AGENT, USER};
use uuid::Uuid;

use crate::fixture::{Site, mounted, on_both, refused, stopped};

/// What the administrator types, as the program prints it, with the user's own group for `dsg`.
fn install(site: &Site, prefix: &Dataset) {
    let script = grant(AGENT.as_ref(), Hash::of(b""), prefix);
    let (_, rule) = script.split_once('\n').unwrap();
    let file = format!("/etc/sudoers.d/{}", site.room.name.replace('/', "-"));
    let rule = rule.replace("%dsg", &format!("%{USER}")).replace("/etc/sudoers.d/dsg", &file);
    // The agent is where it is to be installed already.
    assert_eq!(AGENT, INSTALLED);
    site.host.run(&format!("{rule} && visudo -cqf {file}"));
}

#[test]
fn what_an_administrator_installs_is_what_was_there_when_it_was_told() {
    on_both(|site| {
        let prefix: Dataset = site.room.name.parse().unwrap();
        let program = std::fs::read(dsg_testkit::agent::static_program()).unwrap();
        let (home, place) = (format!("/home/{USER}/it's"), "/tmp/installed");
        let told = grant(format!("{home}/agent").as_ref(), Hash::of(&program), &prefix);
        let (install, _) = told.split_once('\n').unwrap();
        let install = install.replace(INSTALLED, place);
        site.host.run(&format!(
            "rm -f {place}; mkdir -p \"{home}\"; cp {AGENT} \"{home}/agent\"; chown -R {USER} \"{home}\""
        ));
        site.host.run(&install);
        let whose = format!("stat -c '%U %a' {place}; rm {place}");
        assert_eq!(site.host.run(&whose), "root 755\n");
        // Its owner puts another one there, before the commands are typed.
        site.host.run(&format!("echo more >> \"{home}/agent\""));
        let refused = site.host.try_run(&format!("{install}; ls {place}"));
        assert!(!refused.status.success(), "{refused:?}");
        site.host.run(&format!("rm -r \"{home}\""));
    });
}

fn as_user(site: &Site, prefix: &Dataset) -> dsg_core::failure::Outcome<Helper> {
    let command = format!("sudo -n {INSTALLED} zfs-helper '{prefix}'");
    Helper::start(&site.words(USER, &command), prefix)
}

#[test]
fn a_user_publishes_through_the_helper_and_what_is_made_is_the_users() {
    on_both(|site| {
        let prefix: Dataset = site.room.name.parse().unwrap();
        install(site, &prefix);
        let hands = as_user(site, &prefix).unwrap();
        let t = Uuid::now_v7();
        let at = mounted(hands.perform(&site.create(t)));
        let user = |script: &str| {
            let mut words = site.words(USER, script).into_iter();
            let done =
                Command::new(words.next().unwrap()).args(words).stdin(Stdio::null()).output();
            let done = done.unwrap();
            assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
        };
        user(&format!("echo one > {}/file", at.display()));
        hands.perform(&site.decide(t, None, 1)).unwrap();
        hands.perform(&site.finish(t)).unwrap();
        assert_eq!(
            site.run("stat -c %U $P $P/file; cat $P/file"),
            format!("{USER}\n{USER}\none\n")
        );
        let u = Uuid::now_v7();
        let at = mounted(hands.perform(&site.clone_of(u, 1)));
        user(&format!("echo two > {}/file", at.display()));
        let live = site.look(&hands).live.unwrap().guid;
        hands.perform(&site.decide(u, Some(live), 2)).unwrap();
        hands.perform(&site.finish(u)).unwrap();
        hands.perform(&site.bury(u)).unwrap();
        assert_eq!(site.run("cat $P/file"), "two\n");
    });
}

#[test]
fn the_helper_does_nothing_outside_of_its_prefix_whatever_it_is_told() {
    on_both(|site| {
        let room = &site.room.name;
        site.host.run(&format!(
            "zfs create {room}/team; zfs create {room}/teamx; zfs create {room}/team/p"
        ));
        let prefix: Dataset = format!("{room}/team").parse().unwrap();
        install(site, &prefix);
        let before = site.listing();
        // Another prefix than the administrator's, or more words, and sudo itself says no.
        for other in
            [room.clone(), format!("{room}/teamx"), format!("{room}/team {room}"), String::new()]
        {
            let command = format!("sudo -n {INSTALLED} zfs-helper {other}");
            let mut words = site.words(USER, &command).into_iter();
            let asked =
                Command::new(words.next().unwrap()).args(words).stdin(Stdio::null()).output();
            assert!(!asked.unwrap().status.success(), "{other}");
        }
        // What is no verb about something below the prefix is refused, line by line.
        let t = Uuid::now_v7();
        let mut lines = Vec::new();
        for name in [
            room.clone(),
            format!("{room}/team"),
            format!("{room}/teamx"),
            format!("{room}/teamx/p"),
            format!("{room}/team/../teamx"),
            format!("{room}/team/./p"),
            format!("{room}/team//p"),
            format!("{room}/team/p@s1"),
            format!("{room}/team/p -r"),
            format!("{room}/team/p;reboot"),
            format!("{room}/team/$(reboot)"),
            "-r".to_owned(),
            "--help".to_owned(),
            String::new(),
            format!("{room}/team/p.dsg-{t}"),
            format!("{room}/team/{}", "x".repeat(300)),
        ] {
            for verb in [
                format!(r#"{{"create":{{"dataset":"{name}","transaction":"{t}"}}}}"#),
                format!(r#"{{"abandon":{{"dataset":"{name}","transaction":"{t}"}}}}"#),
                format!(r#"{{"drop":{{"dataset":"{name}","tags":["s1"]}}}}"#),
                format!(r#"{{"lock-file":{{"dataset":"{name}"}}}}"#),
            ] {
                // A space in a name is one of the name, and the dataset is below the prefix: it is only
                // not there.
                let harmless = name.ends_with(" -r");
                lines.push((verb, harmless));
            }
        }
        for bad in [
            format!(r#"{{"create":{{"dataset":"{room}/team/q","transaction":"../../x"}}}}"#),
            format!(r#"{{"drop":{{"dataset":"{room}/team/p","tags":["s1 -r"]}}}}"#),
            format!(r#"{{"drop":{{"dataset":"{room}/team/p","tags":["@s1"]}}}}"#),
            format!(r#"{{"drop":{{"dataset":"{room}/team/p","tags":["autosnap"]}}}}"#),
            format!(
                r#"{{"create":{{"dataset":"{room}/team/q","transaction":"{t}","options":"-o x=y"}}}}"#
            ),
            r#"{"destroy":{"dataset":"tank"}}"#.to_owned(),
            "zfs destroy -r tank".to_owned(),
            "\u{0}".to_owned(),
        ] {
            lines.push((bad, false));
        }
        let mut words =
            site.words(USER, &format!("sudo -n {INSTALLED} zfs-helper {prefix}")).into_iter();
        let asked = Command::new(words.next().unwrap())
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut asked = asked.unwrap();
        let mut questions = asked.stdin.take().unwrap();
        for (line, _) in lines.iter().filter(|(_, harmless)| !harmless) {
            writeln!(questions, "{line}").unwrap();
        }
        drop(questions);
        let told = String::from_utf8(asked.wait_with_output().unwrap().stdout).unwrap();
        let answers: Vec<&str> = told.lines().skip(1).collect();
        assert_eq!(answers.len(), lines.iter().filter(|(_, harmless)| !harmless).count());
        for (answer, (line, _)) in answers.iter().zip(lines.iter().filter(|(_, h)| !h)) {
            assert!(answer.starts_with("{\"failed\""), "{line} => {answer}");
        }
        assert_eq!(site.listing(), before);
    });
}

#[test]
fn a_repository_stands_nowhere_that_a_user_could_lead_it_to() {
    on_both(|site| {
        let prefix: Dataset = site.room.name.parse().unwrap();
        install(site, &prefix);
        let hands = as_user(site, &prefix).unwrap();
        // The user's own link, in the user's own repository, to a folder of root's.
        let (t, u, v) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        let staged = mounted(hands.perform(&site.create(t)));
        let link = format!("{}/a.dsg-{u}", staged.display());
        site.run(&format!("ln -s /etc {link}; chown -h {USER} {link}"));
        hands.perform(&site.decide(t, None, 1)).unwrap();
        hands.perform(&site.finish(t)).unwrap();
        let before = site.listing();
        let at = |name: &str| format!("{}{name}", site.dataset).parse::<Dataset>().unwrap();
        let create = |dataset, transaction| Verb::Create { dataset, transaction };
        for (dataset, code) in [
            (at("/a"), Code::Permission),
            (at(&format!("/a.dsg-{u}/pam.d")), Code::Permission),
            (at(&format!(".dsg-{u}/pam.d")), Code::Permission),
            (at(&format!(".dsg-{u}")), Code::Usage),
        ] {
            refused(hands.perform(&create(dataset, v)), code);
        }
        assert_eq!(site.listing(), before);
        // A folder above that others write: what stands there could be moved away, and a link put there.
        site.run("chmod g+w ${P%/p}");
        refused(hands.perform(&create(at("2"), v)), Code::Permission);
        refused(hands.perform(&site.clone_of(v, 1)), Code::Permission);
        site.run(&format!("chmod g-w ${{P%/p}}; chown {USER} ${{P%/p}}"));
        refused(hands.perform(&create(at("2"), v)), Code::Permission);
        site.run("chown root ${P%/p}");
        assert_eq!(site.listing(), before);
        // A mount point of its own, which whoever holds that right alone could set.
        site.run("mkdir -p /srv$P; zfs set mountpoint=/srv$P $D");
        let before = site.listing();
        refused(hands.perform(&site.clone_of(v, 1)), Code::Permission);
        assert_eq!(site.listing(), before);
        site.run("zfs inherit mountpoint $D");
        // Decided, and only then led astray: it waits.
        hands.perform(&site.clone_of(v, 1)).unwrap();
        let live = site.look(&hands).live.unwrap().guid;
        let decided = hands.perform(&site.decide(v, Some(live), 2)).unwrap();
        assert_eq!(decided, Answer::Decided);
        site.run(&format!("chown {USER} ${{P%/p}}"));
        let stack = "grep -F \" $P \" /proc/self/mountinfo | wc -l";
        let mounted = site.run(stack);
        refused(hands.perform(&site.finish(v)), Code::Permission);
        assert_eq!(site.run(stack), mounted);
        site.run("chown root ${P%/p}");
        site.recover(&hands);
        assert_eq!(site.run("stat -c %U $P"), format!("{USER}\n"));
    });
}

#[test]
fn two_repositories_never_cover_one_another_whatever_their_transactions_are_called() {
    on_both(|site| {
        let prefix: Dataset = site.room.name.parse().unwrap();
        install(site, &prefix);
        let hands = as_user(site, &prefix).unwrap();
        let t = Uuid::now_v7();
        let at = mounted(hands.perform(&site.create(t)));
        let evil = |transaction| Verb::Create {
            dataset: format!("{}2", site.dataset).parse().unwrap(),
            transaction,
        };
        let other = mounted(hands.perform(&evil(t)));
        assert_ne!(at, other);
        let options = format!("grep -F ' {} ' /proc/self/mountinfo", at.display());
        assert!(site.host.run(&options).contains("nosuid,nodev"), "{}", site.host.run(&options));
        site.host.run(&format!("echo one > {}/file", at.display()));
        hands.perform(&site.decide(t, None, 1)).unwrap();
        hands.perform(&site.finish(t)).unwrap();
        assert_eq!(site.run("cat $P/file"), "one\n");
        // What stands is mounted nowhere else.
        let live = Verb::Mount { dataset: site.dataset.clone(), part: Part::Live };
        refused(hands.perform(&live), Code::Usage);
        // Nor is a place of ours used that something else is mounted at.
        let u = Uuid::now_v7();
        let at = mounted(hands.perform(&site.clone_of(u, 1)));
        let at = at.display();
        site.host.run(&format!("umount {at}; mount -t tmpfs mine {at}"));
        let part = Part::Staging(u);
        let again = Verb::Mount { dataset: site.dataset.clone(), part };
        let before = site.listing();
        refused(hands.perform(&again), Code::Exists);
        assert_eq!(site.listing(), before);
        site.host.run(&format!("umount {at}"));
        assert_eq!(mounted(hands.perform(&again)).display().to_string(), at.to_string());
        site.recover(&hands);
        // Also one that is not mounted at all is compared, and finished where it belongs.
        site.run("zfs unmount $D");
        let since = Tag::Number("s1".parse().unwrap());
        let (dataset, until) = (site.dataset.clone(), Until::Now(Part::Live));
        hands.perform(&Verb::Diff { dataset, since, until, most: 10 }).unwrap();
        hands.perform(&site.finish(t)).unwrap();
        assert_eq!(
            site.run("cat $P/file; grep -c \" /run/dsg/.*$D \" /proc/self/mountinfo || true"),
            "one\n0\n"
        );
        let dataset = format!("{}2", site.dataset).parse().unwrap();
        hands.perform(&Verb::Abandon { dataset, transaction: t }).unwrap();
    });
}

#[test]
fn a_first_publish_that_somebody_began_is_given_to_nobody_else() {
    on_both(|site| {
        let prefix: Dataset = site.room.name.parse().unwrap();
        install(site, &prefix);
        let (hands, root) = (as_user(site, &prefix).unwrap(), site.hands());
        let (t, u, v) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        // Root's, who staged something already.
        let at = mounted(root.perform(&site.create(u)));
        let owner = format!("stat -c %U {0} {0}/file", at.display());
        site.host.run(&format!("echo mine > {}/file", at.display()));
        refused(hands.perform(&site.create(u)), Code::Permission);
        assert_eq!(site.host.run(&owner), "root\nroot\n");
        // The user's own, begun twice.
        let mine = mounted(hands.perform(&site.create(t)));
        assert_eq!(mounted(hands.perform(&site.create(t))), mine);
        let owner = format!("stat -c %U {}", mine.display());
        assert_eq!(site.host.run(&owner), format!("{USER}\n"));
        refused(root.perform(&site.create(t)), Code::Permission);
        assert_eq!(site.host.run(&owner), format!("{USER}\n"));
        // One is decided: the name is its, though it does not have it yet.
        assert_eq!(root.perform(&site.decide(u, None, 1)).unwrap(), Answer::Decided);
        let before = site.listing();
        for transaction in [t, u, v] {
            refused(hands.perform(&site.create(transaction)), Code::Exists);
        }
        assert_eq!(stopped(hands.perform(&site.decide(t, None, 1))), Stop::Moved);
        assert_eq!(site.listing(), before);
        root.perform(&site.finish(u)).unwrap();
        assert_eq!(site.run("cat $P/file; stat -c %U $P"), "mine\nroot\n");
        // Cut off between the two renames of a later publish, nobody begins anew either.
        hands.perform(&Verb::Abandon { dataset: site.dataset.clone(), transaction: t }).unwrap();
        let w = site.stage(&root, 1, "two");
        let live = site.look(&root).live.unwrap().guid;
        root.perform(&site.decide(w, Some(live), 2)).unwrap();
        let dying = site.hands_with("DSG_CRASH_AT=zfs.stepped-aside#1").unwrap();
        dying.perform(&site.finish(w)).unwrap_err();
        drop(dying);
        assert!(site.look(&root).live.is_none());
        let before = site.listing();
        for transaction in [v, w] {
            refused(hands.perform(&site.create(transaction)), Code::Exists);
        }
        assert_eq!(stopped(hands.perform(&site.decide(w, None, 3))), Stop::Moved);
        assert_eq!(site.listing(), before);
        site.recover(&root);
        assert_eq!(site.run("cat $P/file; stat -c %U $P"), "two\nroot\n");
    });
}

#[test]
fn what_is_staged_is_seen_by_whoever_stages_it_and_by_nobody_else() {
    on_both(|site| {
        let user = |id: u32| site.hands_with(&format!("SUDO_UID={id} SUDO_GID={id}")).unwrap();
        let (ann, ben) = (user(1000), user(1001));
        let sees = |id: u32, at: &Path| {
            let script = "setpriv --reuid {id} --regid {id} --clear-groups cat {at}/file";
            let script = script.replace("{id}", &id.to_string());
            let done = site.host.try_run(&script.replace("{at}", &at.display().to_string()));
            done.status.success()
        };
        let t = Uuid::now_v7();
        let at = mounted(ann.perform(&site.create(t)));
        // Its own rights would let everybody.
        site.host.run(&format!("echo one > {0}/file; chmod 755 {0}", at.display()));
        assert_eq!([0, 1000, 1001, 65534].map(|id| sees(id, &at)), [true, true, false, false]);
        // Whoever may use the same helper sees it where nobody else does, and takes nothing away.
        let part = Part::Staging(t);
        let look = Verb::Mount { dataset: site.dataset.clone(), part };
        let bens = mounted(ben.perform(&look));
        assert_eq!([1000, 1001, 65534].map(|id| sees(id, &bens)), [false, true, false]);
        assert_eq!(mounted(ann.perform(&look)), at);
        assert!(sees(1000, &at));
        ann.perform(&site.decide(t, None, 1)).unwrap();
        ann.perform(&site.finish(t)).unwrap();
        let left = "find /run/dsg -xdev; grep \" /run/dsg/\" /proc/self/mountinfo; true";
        assert!(!site.run(left).contains(&t.to_string()), "{}", site.run(left));
        assert!(sees(65534, &Path::new("/").join(site.dataset.as_str())));
    });
}

#[test]
fn what_its_user_covers_is_put_in_its_place_all_the_same() {
    on_both(|site| {
        let ann = site.hands_with("SUDO_UID=1000 SUDO_GID=1000").unwrap();
        let t = Uuid::now_v7();
        let at = mounted(ann.perform(&site.create(t)));
        site.host.run(&format!("echo one > {}/file", at.display()));
        assert_eq!(ann.perform(&site.decide(t, None, 1)).unwrap(), Answer::Decided);
        // As a user does it with a file system of his own (fusermount), twice.
        let cover = |at: &Path| {
            let cover =
                format!("mount -t tmpfs cover {0} && mount -t tmpfs cover {0}", at.display());
            site.host.run(&cover);
        };
        cover(&at);
        assert!(matches!(ann.perform(&site.finish(t)).unwrap(), Answer::Finished(_)));
        assert_eq!(site.run("cat $P/file"), "one\n");
        let u = Uuid::now_v7();
        let at = mounted(ann.perform(&site.clone_of(u, 1)));
        site.host.run(&format!("echo two > {0}/file; sync -f {0}/file", at.display()));
        let live = site.look(&ann).live.unwrap().guid;
        assert_eq!(ann.perform(&site.decide(u, Some(live), 2)).unwrap(), Answer::Decided);
        cover(&at);
        assert!(matches!(ann.perform(&site.finish(u)).unwrap(), Answer::Finished(_)));
        site.buried(&ann, u);
        let left = |at: &Path| {
            let at = at.display();
            site.run(&format!(
                "grep -c -e ' {at} ' -e \" /run/dsg/.*$D\" /proc/self/mountinfo || true"
            ))
        };
        assert_eq!((site.run("cat $P/file"), left(&at)), ("two\n".into(), "0\n".into()));
        // And what is given up goes with its cover.
        let v = Uuid::now_v7();
        let at = mounted(ann.perform(&site.clone_of(v, 2)));
        cover(&at);
        let abandon = Verb::Abandon { dataset: site.dataset.clone(), transaction: v };
        assert_eq!(ann.perform(&abandon).unwrap(), Answer::Done);
        assert_eq!(left(&at), "0\n");
    });
}

#[test]
fn a_lock_is_made_for_what_is_a_repository_or_will_be_one() {
    on_both(|site| {
        let hands = site.hands_with("SUDO_UID=1000 SUDO_GID=1000").unwrap();
        let verb = Verb::LockFile { dataset: site.dataset.clone() };
        let lock = |verb: &Verb| match hands.perform(verb).unwrap() {
            Answer::LockFile(at) => site.host.run(&format!("stat -c '%u %a' {}", at.display())),
            other => panic!("{other:?}"),
        };
        assert_eq!(lock(&verb), "1000 600\n");
        let root = site.hands();
        site.init(&root);
        assert_eq!(lock(&verb), "0 600\n");
        site.run("chown 1001:1001 $P; chmod 2770 $P");
        assert_eq!(lock(&verb), "1001 660\n");
        // Nobody who asks while it is not mounted gets it.
        site.run("zfs unmount $D");
        assert_eq!(lock(&verb), "1001 660\n");
        assert_eq!(site.run("grep -c \" /run/dsg/.*$D \" /proc/self/mountinfo || true"), "0\n");
        site.run("zfs create ${D}2");
        let other = Verb::LockFile { dataset: format!("{}2", site.dataset).parse().unwrap() };
        refused(hands.perform(&other), Code::Exists);
        let name = format!("{}2", site.dataset).replace('/', "%");
        assert!(!site.host.try_run(&format!("ls /run/dsg/lock/{name}")).status.success());
    });
}

#[test]
fn a_prefix_with_a_colon_and_a_space_in_it_is_allowed_as_any_other() {
    on_both(|site| {
        let prefix: Dataset = format!("{}/a:b c", site.room.name).parse().unwrap();
        site.host.run(&format!("zfs create '{prefix}'"));
        install(site, &prefix);
        let hands = as_user(site, &prefix).unwrap();
        let dataset = format!("{prefix}/p").parse().unwrap();
        hands.perform(&Verb::Create { dataset, transaction: Uuid::now_v7() }).unwrap();
        let dataset = format!("{}/a", site.room.name).parse().unwrap();
        let other = Verb::Create { dataset, transaction: Uuid::now_v7() };
        refused(hands.perform(&other), Code::Permission);
    });
}

#[test]
fn without_a_rule_nothing_is_allowed_and_it_is_said_what_is_missing() {
    on_both(|site| {
        let prefix: Dataset = site.room.name.parse().unwrap();
        let said = refused(as_user(site, &prefix).map(|_| Answer::Done), Code::Permission);
        assert!(said.detail().is_some_and(|d| d.contains("sudo")), "{:?}", said.detail());
        // Nor does the helper serve whoever is not root.
        let alone =
            Helper::start(&site.words(USER, &format!("{AGENT} zfs-helper {prefix}")), &prefix);
        refused(alone.map(|_| Answer::Done), Code::Permission);
    });
}
