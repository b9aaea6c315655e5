//! A large file whose transfer is cut off, and one that changed a little: what is there already does
//! not travel again.

use dsg_testkit::disk::{Disk, Format};
use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::proxy::{Proxy, Weather};
use dsg_testkit::run::skipped;

use crate::network::noise;
use crate::{LARGE, far};

/// What a connection costs by itself: login, questions, answers.
const TALK: u64 = 60_000;

/// A checkout behind a relay, and a first snapshot of one small file.
fn behind_a_relay() -> (Lab, Proxy, Checkout) {
    let mut lab = far();
    let proxy = Proxy::to(lab.port(), Weather::default());
    lab.through(proxy.port);
    let p1 = impatient(lab.checkout("p1"));
    p1.write("input/a", "one");
    p1.init();
    (lab, proxy, p1)
}

fn impatient(checkout: Checkout) -> Checkout {
    let patience = "Host *\n ServerAliveInterval 1\n ServerAliveCountMax 2\n ConnectTimeout 5\n";
    std::fs::write(checkout.runner.home.join(".ssh/config"), patience).unwrap();
    checkout
}

/// Bytes that go up and down while something is done.
fn bytes<T>(proxy: &Proxy, doing: impl FnOnce() -> T) -> (u64, u64) {
    let (up, down) = proxy.bytes();
    doing();
    let (up_now, down_now) = proxy.bytes();
    println!("{} bytes up, {} down", up_now - up, down_now - down);
    (up_now - up, down_now - down)
}

#[test]
fn a_network_that_dies_within_a_large_file_costs_next_to_nothing_twice() {
    let (lab, proxy, p1) = behind_a_relay();
    p1.write("input/large", noise(1, LARGE));
    let (sent, _) = bytes(&proxy, || {
        let stall = proxy.bytes().0 + LARGE as u64 / 2;
        proxy.set(Weather { stall_after_up: stall, ..Weather::default() });
        p1.try_sync(&[]).expect(6).failed("unreachable");
        proxy.cut();
        proxy.set(Weather::default());
        proxy.stall(false);
        p1.sync();
    });
    assert!(sent < LARGE as u64 * 11 / 10, "{sent} bytes for {LARGE}");
    p1.assert_in_sync();
    assert_eq!(lab.repo_tree(), p1.tree());
}

#[test]
fn a_clone_that_is_cut_goes_on_where_it_was() {
    let (lab, proxy, p1) = behind_a_relay();
    for n in 0..40 {
        p1.write(&format!("input/small/{n}"), noise(n, 20_000));
    }
    p1.write("input/large", noise(1, LARGE));
    p1.sync();
    let p2 = impatient(lab.checkout("p2"));
    std::fs::remove_dir(&p2.dir).unwrap();
    let (_, came) = bytes(&proxy, || {
        for part in [2, 3] {
            let cut = proxy.bytes().1 + LARGE as u64 / 6 * part;
            proxy.set(Weather { cut_after_down: cut, ..Weather::default() });
            p2.clone_here().expect(6).failed("unreachable");
        }
        proxy.set(Weather::default());
        p2.clone_here().ok();
    });
    assert!(came < LARGE as u64 * 11 / 10, "{came} bytes for {LARGE}");
    assert_eq!(p2.tree(), p1.tree());
    p2.assert_in_sync();
    assert!(!p2.at(".dsg/staging").exists(), "nothing waits any more");
}

#[test]
fn a_download_that_is_cut_goes_on_where_it_was() {
    let (lab, proxy, p1) = behind_a_relay();
    let p2 = impatient(lab.cloned("p2"));
    p1.write("input/large", noise(1, LARGE));
    p1.sync();
    let (_, came) = bytes(&proxy, || {
        let cut = proxy.bytes().1 + LARGE as u64 / 2;
        proxy.set(Weather { cut_after_down: cut, ..Weather::default() });
        p2.try_sync(&[]).expect(6).failed("unreachable");
        assert_eq!(p2.status().action("input/large"), "download");
        p2.sync();
    });
    assert!(came < LARGE as u64 * 11 / 10, "{came} bytes for {LARGE}");
    assert_eq!(p2.tree(), p1.tree());
}

#[test]
fn a_file_that_may_be_executed_by_now_is_so_although_it_was_begun_before() {
    use std::os::unix::fs::PermissionsExt as _;
    let (lab, proxy, p1) = behind_a_relay();
    let p2 = impatient(lab.cloned("p2"));
    let size = LARGE / 4;
    p1.write("input/tool", noise(1, size));
    p1.sync();
    let cut = proxy.bytes().1 + size as u64 / 2;
    proxy.set(Weather { cut_after_down: cut, ..Weather::default() });
    p2.try_sync(&[]).expect(6).failed("unreachable");
    proxy.set(Weather::default());
    let may_run = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(p1.at("input/tool"), may_run).unwrap();
    p1.sync();
    let (_, came) = bytes(&proxy, || p2.sync());
    assert!(came < size as u64 * 3 / 4, "{came} bytes for half of {size}");
    let mode = std::fs::metadata(p2.at("input/tool")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111, "{mode:o}");
    p2.assert_in_sync();
}

#[test]
fn what_was_kept_and_is_damaged_costs_time_and_nothing_else() {
    let (lab, proxy, p1) = behind_a_relay();
    let p2 = impatient(lab.cloned("p2"));
    let large = noise(1, LARGE / 4);
    p1.write("input/large", &large);
    let half = large.len() as u64 / 2;
    let damage = |folder: &std::path::Path| {
        let mut damaged = 0;
        for entry in walk(folder) {
            let length = std::fs::metadata(&entry).unwrap().len();
            if length > 1 << 20 {
                use std::os::unix::fs::FileExt as _;
                let file = std::fs::OpenOptions::new().write(true).open(&entry).unwrap();
                file.write_at(b"damage", length / 2).unwrap();
                damaged += 1;
            }
        }
        assert_eq!(damaged, 1, "{folder:?}");
    };
    proxy.set(Weather { cut_after_up: proxy.bytes().0 + half, ..Weather::default() });
    p1.try_sync(&[]).expect(6).failed("unreachable");
    if !lab.is_on_zfs() {
        // A clone that nobody has mounted is not damaged from outside.
        damage(&lab.sidecar().join("staging"));
    }
    p1.sync();
    assert_eq!(lab.repo_tree(), p1.tree());

    proxy.set(Weather { cut_after_down: proxy.bytes().1 + half, ..Weather::default() });
    p2.try_sync(&[]).expect(6).failed("unreachable");
    damage(&p2.at(".dsg/staging"));
    p2.sync();
    assert_eq!(p2.tree(), p1.tree());
    p2.assert_in_sync();
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn a_small_change_of_a_large_file_travels_as_such_both_ways() {
    let (lab, proxy, p1) = behind_a_relay();
    if lab.is_on_zfs() {
        return skipped(
            "of a file that an emulated host takes in time, the list is as short as a question",
        );
    }
    let p2 = impatient(lab.cloned("p2"));
    let mut large = noise(1, LARGE);
    p1.write("input/large", &large);
    p1.sync();
    p2.sync();
    let list = LARGE as u64 / 64 / 1024 * 11;
    for turn in 0..2 {
        let at = (LARGE / 3 + turn) * (turn + 1);
        large[at..at + 7000].copy_from_slice(&noise(turn as u64 + 5, 7000));
        p1.write("input/large", &large);
        let (up, down) = bytes(&proxy, || p1.sync());
        assert!(up < 300_000 + TALK, "{up} up, turn {turn}");
        assert!(down < list / 2, "{down} down: a list that is known here came, turn {turn}");
        assert_eq!(lab.repo_tree(), p1.tree());
        let (up, down) = bytes(&proxy, || p2.sync());
        assert!(up + down < 300_000 + list + TALK, "{up} up, {down} down, turn {turn}");
        assert_eq!(p2.tree(), p1.tree());
    }
    large.splice(0..0, noise(99, 1 << 20));
    p1.write("input/large", &large);
    let (up, down) = bytes(&proxy, || p1.sync());
    assert!(up + down < 1_500_000 + list + TALK, "{up} up, {down} down");
    let (up, down) = bytes(&proxy, || p2.sync());
    assert!(up + down < 1_500_000 + list + TALK, "{up} up, {down} down");
    assert_eq!(lab.repo_tree(), p1.tree());
    assert_eq!(p2.tree(), p1.tree());
    p1.assert_in_sync();
    p2.assert_in_sync();
}

#[test]
fn a_large_file_that_gets_another_name_does_not_travel() {
    let (lab, proxy, p1) = behind_a_relay();
    let p2 = impatient(lab.cloned("p2"));
    p1.write("input/here/large", noise(1, LARGE / 12));
    p1.sync();
    p2.sync();
    std::fs::rename(p1.at("input/here"), p1.at("input/there")).unwrap();
    let (up, down) = bytes(&proxy, || p1.sync());
    assert!(up + down < TALK, "{up} up, {down} down");
    let (up, down) = bytes(&proxy, || p2.sync());
    assert!(up + down < TALK, "{up} up, {down} down");
    assert_eq!(p2.tree(), p1.tree());
}

#[test]
fn where_blocks_can_be_shared_a_small_change_takes_little_room() {
    let Some(disk) = Disk::new(Format::Xfs, 600) else { return };
    let mut lab = far();
    if lab.is_on_zfs() {
        return skipped("it is about the disk of a folder");
    }
    lab = lab.with_repo(disk.path().join("repo"));
    let proxy = Proxy::to(lab.port(), Weather::default());
    lab.through(proxy.port);
    let p1 = lab.checkout("p1");
    let mut large = noise(1, LARGE);
    p1.write("input/large", &large);
    p1.init();
    let used = || {
        let mount = std::fs::File::open(disk.path()).unwrap();
        rustix::fs::syncfs(&mount).unwrap();
        let stat = rustix::fs::fstatvfs(&mount).unwrap();
        (stat.f_blocks - stat.f_bfree) * stat.f_frsize
    };
    let before = used();
    large.splice(LARGE / 2..LARGE / 2 + 4096, noise(5, 4096));
    p1.write("input/large", &large);
    p1.sync();
    let changed = used() - before;
    // Whole blocks that move by whole blocks are shared, too.
    large.splice(0..0, noise(6, 1 << 20));
    p1.write("input/large", &large);
    p1.sync();
    let inserted = used() - before - changed;
    println!("{changed} bytes of the disk, then {inserted}");
    assert!(changed < 2 << 20, "{changed} bytes for 4096");
    assert!(inserted < 4 << 20, "{inserted} bytes for 1 MiB");
    assert_eq!(lab.repo_tree(), p1.tree());
    p1.assert_in_sync();
}
