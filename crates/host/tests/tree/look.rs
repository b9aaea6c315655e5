//! What somebody sees who looks for a repository, for a place for one, or for who is at work.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use dsg_core::failure::{Code, Outcome};
use dsg_core::monitor::Monitor;
use dsg_core::places::{Around, Folder, Lease, Listed, Work};
use dsg_core::repository::Access;
use dsg_host::tree::{self, Supply, TreeStore};
use dsg_wire::delta::{Basis, Content};

use crate::fixture::*;

fn folders(at: &Path) -> Outcome<(Around, Vec<Folder>)> {
    let mut all = Vec::new();
    let around = tree::folders(Some(at), &Monitor::silent(), &mut |one| {
        all.push(one);
        Ok(())
    })?;
    Ok((around, all))
}

fn repositories(at: &Path) -> Outcome<(Around, Vec<Listed>)> {
    let mut all = Vec::new();
    let around = tree::repositories(Some(at), &Monitor::silent(), &mut |one| {
        all.push(one);
        Ok(())
    })?;
    Ok((around, all))
}

#[test]
fn folders_are_shown_with_what_is_a_repository_among_them() {
    let f = fixture();
    for folder in ["plain/deep", ".hidden", "zoo"] {
        fs::create_dir_all(f.temp.path().join(folder)).unwrap();
    }
    fs::write(f.temp.path().join("file"), "").unwrap();
    symlink("zoo", f.temp.path().join("linked")).unwrap();
    // Somebody is about to make one: it is none yet.
    let begun = TreeStore::create(&f.temp.path().join("begun"), None).unwrap();

    let (around, all) = folders(f.temp.path()).unwrap();
    let names: Vec<&str> = all.iter().map(|folder| folder.name.as_str()).collect();
    assert_eq!(names, ["linked", "plain", "repo", "zoo"]);
    assert!(around.complete && around.writable);
    assert_eq!(Path::new(&around.path), fs::canonicalize(f.temp.path()).unwrap());
    let repository = all[2].repository.as_ref().unwrap();
    let head = repository.head.as_ref().unwrap();
    assert_eq!((head.id, head.authorship.author.as_str()), (id(1), "ana@example.org"));
    assert!(all.iter().filter(|folder| folder.repository.is_some()).count() == 1);
    drop(begun);

    assert_eq!(folders(&f.temp.path().join("nowhere")).unwrap_err().code, Code::NotFound);
    assert_eq!(folders(&f.temp.path().join("file")).unwrap_err().code, Code::NotFound);
    assert_eq!(folders(Path::new("relative")).unwrap_err().code, Code::Usage);
}

#[test]
fn repositories_are_found_below_a_folder_and_the_broken_ones_say_so() {
    let f = fixture();
    let at = |path: &str| f.temp.path().join(path);
    let deep = at("a/b/deep");
    fs::create_dir_all(at("a/b")).unwrap();
    let store = TreeStore::create(&deep, Some(Access::Personal)).unwrap();
    publish(&store, None, &first()).unwrap();
    drop(store);
    // One whose facts are damaged, and one whose tree is gone.
    let damaged = TreeStore::create(&at("damaged"), Some(Access::Personal)).unwrap();
    publish(&damaged, None, &first()).unwrap();
    drop(damaged);
    fs::write(at(".damaged.dsg/repository.json"), "{").unwrap();
    let gone = TreeStore::create(&at("gone"), Some(Access::Personal)).unwrap();
    publish(&gone, None, &first()).unwrap();
    drop(gone);
    fs::rename(at("gone"), at("elsewhere")).unwrap();

    let (around, found) = repositories(f.temp.path()).unwrap();
    assert!(around.complete);
    let seen: Vec<(&str, bool, bool)> = found
        .iter()
        .map(|one| {
            let name = one.path.rsplit('/').next().unwrap();
            (name, one.head.is_some(), one.trouble.is_some())
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("damaged", false, true),
            ("gone", false, true),
            ("repo", true, false),
            ("deep", true, false)
        ]
    );
    assert_eq!(found[0].trouble.as_ref().unwrap().code, "repository-damaged");
    // The folder itself is one.
    assert_eq!(repositories(&deep).unwrap().1.len(), 1);

    // What lies too deep is not looked at, and that is said.
    let far = at("1/2/3/4/5");
    fs::create_dir_all(&far).unwrap();
    assert!(!repositories(f.temp.path()).unwrap().0.complete);
}

/// Content that looks at the leases when half of it is read.
struct Looks<'a>(&'a TreeStore, &'a Mutex<Vec<Lease>>);
struct Half<'a>(u8, &'a Looks<'a>);

impl Read for Half<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0 += 1;
        if self.0 == 2 {
            // Told at most once a second.
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(1100) {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        if self.0 == 3 {
            *self.1.1.lock().unwrap() = self.1.0.leases().unwrap();
        }
        if self.0 > 4 {
            return Ok(0);
        }
        buffer[0] = b'x';
        Ok(1)
    }
}

impl Supply for Looks<'_> {
    fn open(&self, _: usize, _: Basis) -> Outcome<Content<'_>> {
        Ok(Content::Bytes(Box::new(Half(0, self))))
    }
}

#[test]
fn who_is_at_work_is_seen_with_how_far_and_the_dead_are_not() {
    let f = fixture();
    let store = f.open();
    assert_eq!(store.leases().unwrap(), []);

    let seen = Mutex::default();
    let (transaction, wish) = (transaction(), wish().put("big", "xxxx"));
    let long = "ana@example.org".to_owned() + &"\n".repeat(9000);
    let staging = store.begin(Some(id(1)), &transaction, &long).unwrap();
    let (uploads, _) = wish.uploads();
    let looks = Looks(&store, &seen);
    assert!(staging.stage(&uploads, &looks, &Monitor::silent()).unwrap().is_empty());
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!((seen[0].work, seen[0].snapshot), (Work::Staging, Some(id(2))));
    assert_eq!((seen[0].files, seen[0].bytes), (Some((0, 1)), Some((2, 4))));
    assert_eq!(seen[0].transaction.as_deref(), Some(&*transaction));
    assert_eq!(seen[0].who.trim_end(), "ana@example.org");
    assert!(seen[0].since.ends_with('Z'));

    // Whoever dies leaves its area, and is at work no more.
    drop(staging);
    assert!(f.side("staging").join(&transaction).is_dir());
    assert_eq!(store.leases().unwrap(), []);
}
