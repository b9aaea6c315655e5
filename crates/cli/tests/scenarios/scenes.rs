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
}

/// All of them.
pub(crate) const SCENES: [Scene; 8] = [
    Scene { name: "init", prepare: before_init, act: Checkout::try_init },
    Scene { name: "clone", prepare: before_clone, act: Checkout::clone_here },
    Scene { name: "up", prepare: before_up, act: sync },
    Scene { name: "down", prepare: before_down, act: sync },
    Scene { name: "mixed", prepare: before_mixed, act: sync },
    Scene { name: "decided", prepare: before_decided, act: sync },
    Scene { name: "adopt", prepare: before_adopt, act: |c| c.try_sync(&["--allow", "drift"]) },
    Scene { name: "agree", prepare: before_agree, act: sync },
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
        let full = lab.repo.join(path);
        std::fs::write(full.with_extension("new"), content).expect("write");
        std::fs::rename(full.with_extension("new"), full).expect("rename");
    };
    put("input/a", "changed on the host");
    put("input/from the host", "new on the host");
    std::fs::remove_file(lab.repo.join("input/gone there")).expect("remove");
}

fn before_agree(lab: &Lab) -> Vec<Checkout> {
    let (p1, p2) = pair(lab);
    for checkout in [&p1, &p2] {
        change(checkout);
    }
    p1.sync();
    vec![p1, p2]
}
