//! Data folders that are bound from elsewhere in the same file system: they show the same device,
//! and yet nothing can be renamed into or out of them.

use std::path::PathBuf;

use dsg_testkit::disk::Bind;
use dsg_testkit::keeping::assert_repository;
use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::tree::Tree;

use crate::lab;

/// A checkout whose `input` is bound from a folder beside it.
fn bound(lab: &Lab, name: &str) -> Option<(Checkout, PathBuf, Bind)> {
    let checkout = lab.checkout(name);
    let elsewhere = lab.path().join(format!("elsewhere-{name}"));
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::create_dir_all(checkout.at("input")).unwrap();
    let bind = Bind::new(&elsewhere, &checkout.at("input"))?;
    Some((checkout, elsewhere, bind))
}

/// What people made, without DSG's own folder in the bound one.
fn data(checkout: &Checkout) -> Tree {
    let mut tree = checkout.tree();
    tree.0.retain(|path, _| !path.contains("/.dsg/"));
    tree
}

#[test]
fn what_comes_into_a_bound_folder_and_goes_from_it_is_settled_there() {
    let lab = lab();
    let Some((p1, elsewhere, _bind)) = bound(&lab, "p1") else { return };
    p1.write("input/a", "one");
    p1.write("input/deep/b", "two");
    p1.write("input/moves", "a content that moves");
    p1.write("output/c", "three");
    p1.init();
    let p2 = lab.cloned("p2");
    p2.write("input/a", "changed there");
    p2.write("input/new/d", "new there");
    p2.remove("input/deep/b");
    p2.rename("input/moves", "output/moves");
    p2.sync();
    p1.sync();
    assert_eq!(data(&p1), p2.tree());
    p1.assert_in_sync();
    // What was replaced waits in the trash of the folder that it stood in.
    let trash = std::fs::read_dir(elsewhere.join(".dsg/trash")).unwrap().next().unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(trash.path().join("input/a")).unwrap(), "one");
    assert_repository(&lab, &p1);
}

#[test]
fn a_bound_folder_that_is_gone_deletes_nothing() {
    let lab = lab();
    let Some((p1, elsewhere, bind)) = bound(&lab, "p1") else { return };
    p1.write("input/a", "one");
    p1.write("output/b", "two");
    p1.write("output/c", "three");
    p1.init();
    drop(bind);
    assert!(!p1.has("input/a"));
    let pending = p1.status();
    assert_eq!(pending.action("input/a"), "blocked", "{pending:#?}");
    p1.write("output/b", "changed");
    p1.try_sync(&[]);
    assert_eq!(lab.repo_tree().paths(), ["input/a", "output/b", "output/c"]);
    let Some(_bind) = Bind::new(&elsewhere, &p1.at("input")) else { return };
    p1.sync();
    p1.assert_in_sync();
    assert_eq!(lab.repo_tree(), data(&p1));
}

#[test]
fn a_crash_in_the_middle_is_settled_when_the_bound_folder_is_back() {
    let lab = lab();
    let Some((p1, elsewhere, bind)) = bound(&lab, "p1") else { return };
    p1.write("input/a", "one");
    p1.write("output/b", "two");
    p1.init();
    let p2 = lab.cloned("p2");
    p2.write("input/a", "changed there");
    p2.write("output/b", "changed there, too");
    p2.sync();
    assert!(p1.with("DSG_CRASH_AT", "engine.sealed").try_sync(&[]).crashed());
    drop(bind);
    // It is finished where it can be; the other file must not pass for settled.
    p1.try_sync(&[]);
    assert_eq!(p1.read("output/b"), "changed there, too");
    let Some(_bind) = Bind::new(&elsewhere, &p1.at("input")) else { return };
    assert_eq!(p1.read("input/a"), "one");
    assert_eq!(p1.status().action("input/a"), "download");
    p1.sync();
    assert_eq!(data(&p1), p2.tree());
    assert_eq!(lab.repo_tree(), p2.tree());
}
