//! A dataset on a host, and hands there.

use std::path::PathBuf;

use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::snapshot::SnapshotId;
use dsg_host::zfs::helper::Helper;
use dsg_host::zfs::name::{Dataset, Part, Tag};
use dsg_host::zfs::verb::{Answer, Decision, Family, Hands, Stop, Switched, Verb};
use dsg_testkit::zfs_host::{Room, Version, ZfsHost};
use uuid::Uuid;

/// Tells a story on both hosts.
pub fn on_both(story: fn(&Site)) {
    for version in Version::ALL {
        if let Some(host) = ZfsHost::shared(version) {
            story(&Site::new(host, host.room()));
        }
    }
}

/// A repository's place in a room of its own.
pub struct Site<'h> {
    pub host: &'h ZfsHost,
    pub room: Room<'h>,
    /// Where it is, or will be.
    pub dataset: Dataset,
}

impl<'h> Site<'h> {
    pub fn new(host: &'h ZfsHost, room: Room<'h>) -> Self {
        host.agent();
        let dataset = format!("{}/p", room.name).parse().unwrap();
        Self { host, room, dataset }
    }

    /// Root's hands for where the repository is.
    pub fn hands(&self) -> Helper {
        self.hands_with("").unwrap()
    }

    /// The same, begun by other words.
    pub fn hands_with(&self, before: &str) -> Outcome<Helper> {
        let prefix = self.dataset.parent().unwrap();
        // As `sudo` says who asks.
        let asks = "SUDO_UID=0 SUDO_GID=0";
        let command = format!("{asks} {before} {} zfs-helper {prefix}", self.host.agent());
        Helper::start(&self.words("root", &command), &prefix)
    }

    /// A command on the host, as words.
    pub fn words(&self, user: &str, command: &str) -> Vec<PathBuf> {
        let mut words: Vec<PathBuf> = self.host.ssh_words().into_iter().map(Into::into).collect();
        words.extend([format!("{user}@127.0.0.1").into(), command.into()]);
        words
    }

    /// A script on the host, with `$D` the dataset and `$P` its mount point.
    #[track_caller]
    pub fn run(&self, script: &str) -> String {
        self.host.run(&format!("D={0}; P=/{0}; {script}", self.dataset))
    }

    /// All there is in the room.
    pub fn listing(&self) -> String {
        let room = &self.room.name;
        self.host.run(&format!(
            "zfs list -H -r -t all -o name,origin,mountpoint,canmount,readonly,quota {room}; \
             zfs get -H -r -s local -o name,property,value all {room}; \
             grep -F '{room}' /proc/self/mountinfo | cut -d ' ' -f 4-5"
        ))
    }

    /// The first publish, of one file.
    pub fn init(&self, hands: &dyn Hands) -> Uuid {
        let t = Uuid::now_v7();
        let at = mounted(hands.perform(&self.create(t)));
        self.host.run(&format!("mkdir {0}/.dsg && echo one > {0}/file", at.display()));
        assert_eq!(hands.perform(&self.decide(t, None, 1)).unwrap(), Answer::Decided);
        let answer = hands.perform(&self.finish(t)).unwrap();
        assert_eq!(answer, Answer::Finished(Switched::Fresh));
        t
    }

    /// A transaction that is staged: the file's new content.
    pub fn stage(&self, hands: &dyn Hands, base: u64, content: &str) -> Uuid {
        let t = Uuid::now_v7();
        let at = mounted(hands.perform(&self.clone_of(t, base)));
        self.host.run(&format!("echo {content} > {}/file && sync -f {0}/file", at.display()));
        t
    }

    /// A publish, from its beginning to its end.
    pub fn publish(&self, hands: &dyn Hands, number: u64, content: &str) -> Switched {
        let t = self.stage(hands, number - 1, content);
        let live = self.look(hands).live.unwrap().guid;
        assert_eq!(hands.perform(&self.decide(t, Some(live), number)).unwrap(), Answer::Decided);
        let answer = hands.perform(&self.finish(t)).unwrap();
        let Answer::Finished(how) = answer else { panic!("{answer:?}") };
        self.buried(hands, t);
        how
    }

    /// The end of what D was before, as soon as whoever had a file of it open is done with that: each try
    /// waits a second.
    pub fn buried(&self, hands: &dyn Hands, t: Uuid) {
        let mut tries = (0..60).map(|_| hands.perform(&self.bury(t)));
        let ended = tries.find(|end| !matches!(end, Err(e) if e.code == Code::Locked));
        assert_eq!(ended.unwrap().unwrap(), Answer::Done, "else it is in use for ever");
    }

    pub fn look(&self, hands: &dyn Hands) -> Family {
        let dataset = self.dataset.clone();
        let verb = Verb::Look { dataset, since: None, only: None, flush: false };
        match hands.perform(&verb).unwrap() {
            Answer::Family(family) => *family,
            other => panic!("{other:?}"),
        }
    }

    /// What the next opening does: forward if it was decided, else back.
    pub fn recover(&self, hands: &dyn Hands) {
        let family = self.look(hands);
        if let Some(t) = family.unfinished() {
            let answer = hands.perform(&self.finish(t)).unwrap();
            assert!(matches!(answer, Answer::Finished(_)), "{answer:?}");
        }
        for member in self.look(hands).others {
            let dataset = self.dataset.clone();
            let verb = match member.part {
                Part::Staging(transaction) => Verb::Abandon { dataset, transaction },
                Part::Former(transaction) => {
                    self.buried(hands, transaction);
                    continue;
                }
                Part::Live => unreachable!("D is no other member"),
            };
            assert_eq!(hands.perform(&verb).unwrap(), Answer::Done);
        }
        let family = self.look(hands);
        assert_eq!(family.unfinished(), None);
        for tag in family.live.iter().flat_map(|live| &live.snapshots).filter_map(|s| s.tag) {
            if matches!(tag, Tag::Frozen(_)) {
                assert_eq!(hands.perform(&self.drop_of(tag)).unwrap(), Answer::Dropped(vec![]));
            }
        }
    }

    pub fn create(&self, transaction: Uuid) -> Verb {
        Verb::Create { dataset: self.dataset.clone(), transaction }
    }

    pub fn clone_of(&self, transaction: Uuid, base: u64) -> Verb {
        let base = Tag::Number(SnapshotId::new(base).unwrap());
        Verb::Clone { dataset: self.dataset.clone(), transaction, base }
    }

    pub fn decide(&self, transaction: Uuid, live: Option<u64>, number: u64) -> Verb {
        Verb::Decide(self.decision(transaction, live, number))
    }

    pub fn decision(&self, transaction: Uuid, live: Option<u64>, number: u64) -> Decision {
        let snapshot = SnapshotId::new(number).unwrap();
        Decision { dataset: self.dataset.clone(), transaction, live, snapshot, frozen: false }
    }

    pub fn finish(&self, transaction: Uuid) -> Verb {
        Verb::Finish { dataset: self.dataset.clone(), transaction }
    }

    pub fn drop_of(&self, tag: Tag) -> Verb {
        Verb::Drop { dataset: self.dataset.clone(), tags: vec![tag] }
    }

    pub fn bury(&self, transaction: Uuid) -> Verb {
        Verb::Bury { dataset: self.dataset.clone(), transaction, adopted: None }
    }
}

#[track_caller]
pub fn mounted(answer: Outcome<Answer>) -> PathBuf {
    match answer.unwrap() {
        Answer::Mounted(at) => at,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub fn stopped(answer: Outcome<Answer>) -> Stop {
    match answer.unwrap() {
        Answer::Stopped(stop) => stop,
        other => panic!("{other:?}"),
    }
}

/// Checks that it was refused so, in words.
#[track_caller]
pub fn refused(answer: Outcome<Answer>, code: Code) -> Failure {
    let failure = answer.unwrap_err();
    assert_eq!(failure.code, code, "{failure} {:?}", failure.detail());
    assert!(failure.message.len() > 20, "{failure}");
    failure
}
