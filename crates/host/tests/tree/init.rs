use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use dsg_core::failure::Code;
use dsg_core::monitor::Monitor;
use dsg_core::repository::{Access, Outcome};
use dsg_host::tree::TreeStore;

use crate::fixture::*;

#[test]
fn there_is_no_repository_before_the_first_publish() {
    let f = nothing();
    let store = TreeStore::create(&f.path, None).unwrap();
    // Whoever asks now is not told that there will be none.
    assert_eq!(TreeStore::open(&f.path).err().unwrap().code, Code::Locked);
    assert_eq!(TreeStore::create(&f.path, None).err().unwrap().code, Code::Locked);
    assert!(!f.path.exists());
    drop(store);
    assert_eq!(TreeStore::open(&f.path).err().unwrap().code, Code::NoRepository);
    // The one who began is gone: another may begin anew.
    f.init(Access::Personal, first()).unwrap();
    assert_eq!(f.is_consistent(), first_tree());
    assert_eq!(TreeStore::create(&f.path, None).err().unwrap().code, Code::Exists);
}

#[test]
fn nobody_hears_that_a_first_snapshot_was_not_published_while_it_may_still_be() {
    let f = nothing();
    let store = TreeStore::create(&f.path, None).unwrap();
    let transaction = transaction();
    let staging = staged(&store, None, &transaction, &first()).unwrap();
    drop(store);
    // The connection was cut, the engine asks over another one, and the first agent is still there.
    assert_eq!(TreeStore::open(&f.path).err().unwrap().code, Code::Locked);
    staging.publish(&first().publication(None, &transaction), &Monitor::silent()).unwrap();
    let outcome = f.open().decided(&transaction).unwrap();
    assert_eq!(outcome, Outcome::Published(id(1)));
}

#[test]
fn an_empty_folder_is_used_and_a_full_one_is_not() {
    let f = nothing();
    fs::create_dir(&f.path).unwrap();
    fs::set_permissions(&f.path, fs::Permissions::from_mode(0o750)).unwrap();
    f.init(Access::Personal, first()).unwrap();
    assert_eq!(mode(&f.path), 0o750, "as it was prepared");
    f.is_consistent();

    let full = nothing();
    fs::create_dir(&full.path).unwrap();
    fs::write(full.live("thesis"), "precious").unwrap();
    assert_eq!(TreeStore::create(&full.path, None).err().unwrap().code, Code::Exists);
    assert!(!full.side("").exists());
}

#[test]
fn a_folder_that_filled_up_meanwhile_is_not_replaced() {
    let f = nothing();
    let store = TreeStore::create(&f.path, None).unwrap();
    fs::create_dir(&f.path).unwrap();
    fs::write(f.live("thesis"), "precious").unwrap();
    assert_eq!(publish(&store, None, &first()).unwrap_err().code, Code::Exists);
    assert_eq!(f.on_disk(), tree([("thesis", "precious")]));
}

#[test]
fn a_setgid_group_folder_makes_it_a_teams() {
    let f = nothing();
    fs::set_permissions(f.temp.path(), fs::Permissions::from_mode(0o2775)).unwrap();
    let store = TreeStore::create(&f.path, None).unwrap();
    assert_eq!(store.info().access, Access::Team);
    assert_eq!(mode(&f.side("snapshots")) & 0o775, 0o775);
}

#[test]
fn the_wrong_places_are_named() {
    let f = nothing();
    assert_eq!(TreeStore::open(&f.path).err().unwrap().code, Code::NoRepository);
    let gone = f.temp.path().join("unmounted/repo");
    assert_eq!(TreeStore::open(&gone).err().unwrap().code, Code::Unreachable);
    assert_eq!(TreeStore::create(&gone, None).err().unwrap().code, Code::Unreachable);
    let mount = TreeStore::create(std::path::Path::new("/proc"), None).err().unwrap();
    assert!([Code::Unsupported, Code::Exists].contains(&mount.code), "{mount}");
    fs::write(&f.path, "a file").unwrap();
    assert_eq!(TreeStore::create(&f.path, None).err().unwrap().code, Code::Exists);
}

#[test]
fn a_folder_where_one_may_not_write_is_refused_with_a_hint() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let f = nothing();
    fs::set_permissions(f.temp.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let refused = TreeStore::create(&f.path, None).err().unwrap();
    fs::set_permissions(f.temp.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(refused.code, Code::Permission);
    assert!(refused.hint.is_some());
}

#[test]
fn a_link_to_a_repository_leads_to_it() {
    let f = fixture();
    let link = f.temp.path().join("alias");
    std::os::unix::fs::symlink(&f.path, &link).unwrap();
    let store = TreeStore::open(&link).unwrap();
    publish(&store, Some(id(1)), &wish().put("x", "1")).unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    f.is_consistent();
}
