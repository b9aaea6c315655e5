//! What is under way when the process dies: each kind of transaction, with the state before it.

use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::run::Done;
use dsg_testkit::world::World;

/// One transaction, with what leads to it.
pub(crate) struct Scene {
    /// For messages.
    pub(crate) name: &'static str,
    /// Makes the state before; the last checkout is the one that acts.
    pub(crate) prepare: fn(&Lab) -> Vec<Checkout>,
    /// The transaction.
    pub(crate) act: fn(&Checkout) -> Done,
    /// Where the work is two transactions: makes the state between them, in another way.
    pub(crate) between: Option<fn(&Lab) -> Vec<Checkout>>,
    /// The only places at which to cut it off; none: all.
    pub(crate) only: &'static [&'static str],
}

const fn scene(
    name: &'static str,
    prepare: fn(&Lab) -> Vec<Checkout>,
    act: fn(&Checkout) -> Done,
) -> Scene {
    Scene { name, prepare, act, between: None, only: &[] }
}

/// All of them.
pub(crate) const SCENES: [Scene; 11] = [
    scene("init", before_init, Checkout::try_init),
    scene("clone", before_clone, Checkout::clone_here),
    scene("up", before_up, sync),
    scene("down", before_down, sync),
    scene("mixed", before_mixed, sync),
    scene("decided", before_decided, sync),
    Scene { between: Some(adopted), ..scene("adopt", before_adopt, sync_over_drift) },
    scene("agree", before_agree, sync),
    Scene {
        only: &["host.prestage-taken", "host.exchanged"],
        ..scene("prepared", before_prepared, sync)
    },
    Scene {
        only: &["host.journaled", "host.stepped-aside", "host.exchanged"],
        ..scene("renames", before_renames, sync)
    },
    Scene { only: &["host.checkpointed"], ..scene("checkpoint", before_checkpoint, sync) },
];

impl Scene {
    /// The one that acts.
    pub(crate) fn actor(checkouts: &[Checkout]) -> &Checkout {
        checkouts.last().expect("a checkout")
    }

    /// What all sides hold now.
    pub(crate) fn world(lab: &Lab, checkouts: &[Checkout]) -> World {
        // The others first: none of them may settle what the actor left.
        World::observe(lab, &checkouts.iter().rev().collect::<Vec<_>>())
    }
}

fn sync(checkout: &Checkout) -> Done {
    checkout.try_sync(&[])
}

fn sync_over_drift(checkout: &Checkout) -> Done {
    checkout.try_sync(&["--allow", "drift"])
}

const FILES: [(&str, &str); 7] = [
    ("input/a", "one"),
    ("input/b", "two"),
    ("input/deep/er/c", "three"),
    ("input/gone here", "four"),
    ("input/gone there", "five"),
    ("output/moved", "a content that moves"),
    ("output/run.sh", "#!/bin/sh\n"),
];

fn before_init(lab: &Lab) -> Vec<Checkout> {
    let p1 = lab.checkout("p1");
    for (path, content) in FILES {
        p1.write(path, content);
    }
    p1.link("output/latest", "moved");
    vec![p1]
}

fn before_clone(lab: &Lab) -> Vec<Checkout> {
    let p1 = before_init(lab).remove(0);
    p1.init();
    let p2 = lab.checkout("p2");
    std::fs::remove_dir(&p2.dir).expect("an empty folder");
    vec![p1, p2]
}

fn pair(lab: &Lab) -> (Checkout, Checkout) {
    let p1 = before_init(lab).remove(0);
    p1.init();
    (p1, lab.cloned("p2"))
}

/// Changes of each kind.
fn change(checkout: &Checkout) {
    checkout.write("input/a", "one, changed");
    checkout.write("input/new/d", "new");
    checkout.write("input/new/empty", "");
    checkout.remove("input/gone here");
    checkout.rename("output/moved", "output/elsewhere/moved");
    checkout.chmod("output/run.sh", 0o755);
    checkout.remove("output/latest");
    checkout.link("output/latest", "run.sh");
}

fn before_up(lab: &Lab) -> Vec<Checkout> {
    let (p1, p2) = pair(lab);
    change(&p2);
    vec![p1, p2]
}

fn before_down(lab: &Lab) -> Vec<Checkout> {
    let (p1, p2) = pair(lab);
    change(&p1);
    p1.sync();
    vec![p1, p2]
}

fn before_mixed(lab: &Lab) -> Vec<Checkout> {
    let (p1, p2) = pair(lab);
    change(&p1);
    p1.sync();
    p2.write("input/b", "two, changed");
    p2.write("input/mine/e", "mine");
    p2.remove("input/gone there");
    p2.rename("input/deep/er/c", "input/c");
    vec![p1, p2]
}

fn before_decided(lab: &Lab) -> Vec<Checkout> {
    let (p1, p2) = pair(lab);
    for path in ["input/a", "input/b", "input/deep/er/c", "output/run.sh"] {
        p1.write(path, format!("theirs {path}"));
        p2.write(path, format!("mine {path}"));
    }
    p1.write("input/x", "a file");
    p1.sync();
    p2.write("input/x/y", "in a folder");
    p2.status();
    p2.resolve("input/a", "--local");
    p2.resolve("input/b", "--remote");
    p2.resolve("input/deep/er/c", "--cached");
    p2.resolve("output/run.sh", "--both");
    p2.resolve("input/x", "--remote");
    if p2.status().action("input/x/y") == "conflict" {
        p2.resolve("input/x/y", "--remote");
    }
    vec![p1, p2]
}

fn before_adopt(lab: &Lab) -> Vec<Checkout> {
    let (p1, p2) = pair(lab);
    drift(lab);
    p2.write("input/b", "two, changed");
    vec![p1, p2]
}

/// Somebody works in the repository's folder on its host.
pub(crate) fn drift(lab: &Lab) {
    let put = |path: &str, content: &str| {
        lab.on_host(&format!("printf '{content}' > '{path}.new' && mv '{path}.new' '{path}'"));
    };
    put("input/a", "changed on the host");
    put("input/from the host", "new on the host");
    lab.on_host("rm 'input/gone there'");
}

fn before_agree(lab: &Lab) -> Vec<Checkout> {
    let (p1, p2) = pair(lab);
    for checkout in [&p1, &p2] {
        change(checkout);
    }
    p1.sync();
    vec![p1, p2]
}

/// Somebody else adopted the drift; the actor's own work waits.
fn adopted(lab: &Lab) -> Vec<Checkout> {
    let (p1, p2) = pair(lab);
    let host = lab.cloned("p3");
    drift(lab);
    sync_over_drift(&host).ok();
    p2.write("input/b", "two, changed");
    vec![p1, p2]
}

fn before_prepared(lab: &Lab) -> Vec<Checkout> {
    let checkouts = before_mixed(lab);
    checkouts[0].dsg(&["prepare"]).ok();
    checkouts
}

/// As on a file system that cannot exchange two folders in one step.
fn before_renames(lab: &Lab) -> Vec<Checkout> {
    let checkouts = before_mixed(lab);
    let facts = lab.sidecar().join("repository.json");
    let text = std::fs::read_to_string(&facts).expect("the facts").replace(' ', "");
    assert!(text.contains("\"exchange\":true"), "{text}");
    std::fs::remove_file(&facts).expect("remove");
    std::fs::write(&facts, text.replace("\"exchange\":true", "\"exchange\":false")).expect("write");
    checkouts
}

/// So much changes that the whole list of files is worth writing down anew.
fn before_checkpoint(lab: &Lab) -> Vec<Checkout> {
    let p1 = lab.checkout("p1");
    let long = "x".repeat(230);
    let paths: Vec<_> = (0..3400).map(|n| format!("input/{n}-{long}")).collect();
    for path in &paths {
        p1.write(path, "");
    }
    p1.init();
    for path in &paths {
        p1.chmod(path, 0o755);
    }
    vec![p1]
}
