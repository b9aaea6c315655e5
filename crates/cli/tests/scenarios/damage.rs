//! Damaged records, foreign formats, folders that cannot be written and full disks: each is named
//! with its own code, and nothing is changed.

use std::path::{Path, PathBuf};

use dsg_core::entry::Hash;
use dsg_core::snapshot::SnapshotHeader;
use dsg_testkit::disk::{Disk, Format};
use dsg_testkit::keeping::assert_repository;
use dsg_testkit::lab::{Checkout, Lab};
use dsg_testkit::run::{Account, Done, is_root, publish_binary, skipped};
use dsg_testkit::tree::{Scope, Tree};

use crate::{DSG, lab};

/// Everything that must stay as it is when something is refused: people's files on all sides and the
/// repository's records. Locks, the project's own database and what waits in the staging area for the
/// next try may be touched.
fn kept(lab: &Lab, checkout: &Checkout) -> (Tree, Tree, Tree) {
    let mut side = Tree::of(&lab.sidecar(), Scope::Everything);
    side.0.retain(|path, _| {
        !matches!(
            path.split('/').next().unwrap_or_default(),
            "lock" | "init.lock" | "wanted" | "ctimes-void" | "staging" | "outcomes"
        )
    });
    (checkout.tree(), lab.repo_tree(), side)
}

/// Expects a refusal with this code, and that nothing changed.
#[track_caller]
fn refused(lab: &Lab, checkout: &Checkout, act: impl Fn() -> Done, code: &str) {
    let before = kept(lab, checkout);
    let done = act().failed(code);
    let after = kept(lab, checkout);
    for (before, after) in [(&before.0, &after.0), (&before.1, &after.1), (&before.2, &after.2)] {
        assert!(before == after, "{code}: changed: {:#?}", before.differences(after));
    }
    assert!(!done.stderr.contains("panicked"), "{done:?}");
}

fn ready() -> (Lab, Checkout, Checkout) {
    let lab = lab();
    let (p1, p2) = lab.pair(&[("input/a", "one"), ("input/b", "two")]);
    p1.write("input/a", "changed");
    p1.sync();
    p2.write("input/c", "new here");
    (lab, p1, p2)
}

fn damage(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let meta = std::fs::metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(path, vec![0xa5; usize::try_from(meta.len()).unwrap().max(64)]).unwrap();
}

fn files_in(dir: &Path) -> Vec<PathBuf> {
    let Ok(list) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<_> = list.map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn the_repositorys_facts() {
    let (lab, _, p2) = ready();
    let facts = lab.sidecar().join("repository.json");
    let good = std::fs::read_to_string(&facts).unwrap();
    for (content, code) in [
        ("{".to_owned(), "repository-damaged"),
        (String::new(), "repository-damaged"),
        ("[1,2]".to_owned(), "repository-damaged"),
        (
            good.replace("\"format\":1", "\"format\":99")
                .replace("\"format\": 1", "\"format\": 99"),
            "newer-format",
        ),
    ] {
        std::fs::remove_file(&facts).unwrap();
        std::fs::write(&facts, content).unwrap();
        refused(&lab, &p2, || p2.try_sync(&[]), code);
    }
    std::fs::write(&facts, good).unwrap();
    p2.sync();
}

#[test]
fn a_damaged_record_is_found() {
    let (lab, _, p2) = ready();
    let records = files_in(&lab.sidecar().join("snapshots"));
    assert_eq!(records.len(), 2, "{records:?}");
    for record in records {
        let good = std::fs::read(&record).unwrap();
        damage(&record);
        let done = p2.dsg(&["validate-chain", "--deep"]);
        assert_eq!(done.code(), Some(1), "{}: {done:?}", record.display());
        done.failed("repository-damaged");
        std::fs::write(&record, good).unwrap();
    }
    p2.dsg(&["validate-chain", "--deep"]).ok();
    p2.sync();
}

#[test]
fn one_altered_letter_in_history_is_found() {
    let (lab, _, p2) = ready();
    let record = files_in(&lab.sidecar().join("snapshots")).remove(0);
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::remove_file(&record).unwrap();
    std::fs::write(&record, text.replacen("first", "forst", 1)).unwrap();
    p2.dsg(&["validate-chain"]).expect(1).failed("repository-damaged");
}

#[test]
fn a_damaged_cache_of_the_repository_is_rebuilt_or_named() {
    for name in ["manifest", "stats", "root.json"] {
        let (lab, _, p2) = ready();
        let file = lab.sidecar().join(name);
        if !file.exists() {
            continue;
        }
        damage(&file);
        let done = p2.try_sync(&[]);
        match done.code() {
            Some(0) => {
                p2.assert_in_sync();
                assert_repository(&lab, &p2);
            }
            Some(1 | 4) => {
                let code = done.json()["error"]["code"].clone();
                assert!(code == "repository-damaged" || code == "drift", "{name}: {done:?}");
                assert_eq!(p2.tree().paths(), ["input/a", "input/b", "input/c"]);
            }
            _ => panic!("{name}: {done:?}"),
        }
    }
}

#[test]
fn a_damaged_journal_is_named() {
    let (lab, _, p2) = ready();
    std::fs::write(lab.sidecar().join("journal.json"), "{\"transaction\":").unwrap();
    refused(&lab, &p2, || p2.try_sync(&[]), "repository-damaged");
}

#[test]
fn a_damaged_local_state_is_named() {
    let (lab, _, p2) = ready();
    let state = p2.at(".dsg/state.db");
    for file in files_in(&p2.at(".dsg")) {
        if file.to_string_lossy().contains("state.db-") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let size = usize::try_from(std::fs::metadata(&state).unwrap().len()).unwrap();
    std::fs::write(&state, vec![0xa5; size]).unwrap();
    refused(&lab, &p2, || p2.try_sync(&[]), "state-damaged");
    refused(&lab, &p2, || p2.dsg(&["status"]), "state-damaged");
    std::fs::write(&state, "").unwrap();
    let done = p2.try_sync(&[]);
    assert!(done.code().is_some_and(|c| c == 1 || c == 2), "{done:?}");
    assert_eq!(p2.tree().paths(), ["input/a", "input/b", "input/c"]);
}

#[test]
fn a_cut_off_local_state_is_named_or_whole() {
    let (_lab, _, p2) = ready();
    let state = p2.at(".dsg/state.db");
    let bytes = std::fs::read(&state).unwrap();
    for keep in [100, 4096, bytes.len() / 2] {
        std::fs::write(&state, &bytes[..keep.min(bytes.len())]).unwrap();
        let done = p2.dsg(&["status"]);
        assert!(
            done.code() == Some(0) || done.json()["error"]["code"] == "state-damaged",
            "{keep}: {done:?}"
        );
    }
}

#[test]
fn a_configuration_that_cannot_be_used() {
    let (lab, _, p2) = ready();
    let good = p2.read(".dsgconfig.yml");
    for bad in [
        "name: [",
        "data_dirs: 3",
        "name: p\ndata_dirs: [../x]\n",
        "name: p\nnonsense: 1\n",
        "\u{0}",
        "",
    ] {
        p2.write(".dsgconfig.yml", bad);
        refused(&lab, &p2, || p2.try_sync(&[]), "config");
    }
    p2.write(".dsgconfig.yml", good);
    let user = p2.runner.config.join("dsg.yml");
    std::fs::write(&user, "user_id: [").unwrap();
    refused(&lab, &p2, || p2.try_sync(&[]), "config");
    std::fs::write(&user, "user_id: p2@example.org\n").unwrap();
    p2.sync();
}

/// A history whose chain is right, but whose files are to be put where they must never be.
fn forge(lab: &Lab, from: &str, to: &str) {
    let side = lab.sidecar();
    let record = files_in(&side.join("snapshots")).remove(0);
    let text = std::fs::read_to_string(&record).unwrap();
    let (header, delta) = text.split_once('\n').unwrap();
    let escaped = serde_json::to_string(to).unwrap();
    let delta = delta.replacen(&format!("\"{from}\""), &escaped, 1);
    assert!(delta.contains(&escaped), "{delta}");
    let mut header = SnapshotHeader::parse(header).unwrap();
    header.delta_sha256 = Hash::of(delta.as_bytes());
    header.manifest = header.delta_sha256;
    let header = header.chained(None);
    std::fs::remove_file(&record).unwrap();
    std::fs::write(&record, format!("{}{delta}", header.line())).unwrap();
    let _ = std::fs::remove_file(side.join("manifest"));
    for checkpoint in files_in(&side.join("checkpoints")) {
        std::fs::remove_file(checkpoint).unwrap();
    }
}

#[test]
fn a_manifest_that_leads_outside_is_refused() {
    let long = "x".repeat(300);
    for to in [
        "../outside",
        "/tmp/dsg-outside",
        "input/../../outside",
        "input//a",
        "e\u{301}",
        "input/a\u{202e}",
        long.as_str(),
    ] {
        let lab = lab();
        let p1 = lab.checkout("p1");
        p1.write("input/a", "one");
        p1.init();
        forge(&lab, "input/a", to);
        let p2 = lab.checkout("p2");
        std::fs::remove_dir(&p2.dir).unwrap();
        let done = p2.clone_here();
        assert!(matches!(done.code(), Some(1 | 4)), "{to}: {done:?}");
        let code = done.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
        assert!(code == "repository-damaged" || code == "drift", "{to}: {done:?}");
        assert!(
            !lab.path().join("outside").exists() && !Path::new("/tmp/dsg-outside").exists(),
            "{to}"
        );
        assert!(p2.tree().0.is_empty(), "{to}: {:?}", p2.tree());
    }
}

#[test]
fn a_manifest_with_hidden_names_touches_no_hidden_file() {
    for to in [".dsg/state.db", ".dsgconfig.yml", "input/.ssh/config"] {
        let lab = lab();
        let p1 = lab.checkout("p1");
        p1.write("input/a", "one");
        p1.init();
        forge(&lab, "input/a", to);
        let p2 = lab.checkout("p2");
        std::fs::remove_dir(&p2.dir).unwrap();
        let done = p2.clone_here();
        assert!(p2.tree().0.is_empty() && !p2.has("input/.ssh"), "{to}: {done:?}");
        if done.code() == Some(0) {
            p2.status();
            assert_ne!(p2.read(".dsgconfig.yml"), "one", "{to}: {done:?}");
        }
    }
}

#[test]
fn damaged_content_never_comes_here() {
    let (lab, _, p2) = ready();
    // The bytes on the repository's disk rot; size and times stay.
    let victim = lab.repo.join("input/a");
    let meta = std::fs::metadata(&victim).unwrap();
    let times = std::fs::FileTimes::new().set_modified(meta.modified().unwrap());
    damage_in_place(&victim, "chanbed");
    std::fs::File::options().read(true).open(&victim).unwrap().set_times(times).unwrap();
    let before = p2.read("input/a");
    let done = p2.try_sync(&[]);
    assert!(matches!(done.code(), Some(1 | 4)), "{done:?}");
    let code = done.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    assert!(code == "hash-mismatch" || code == "drift", "{done:?}");
    assert_eq!(p2.read("input/a"), before);
}

fn damage_in_place(path: &Path, content: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).unwrap().permissions();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut f| std::io::Write::write_all(&mut f, content.as_bytes()))
        .unwrap();
    std::fs::set_permissions(path, mode).unwrap();
}

fn plain(lab: &Lab, checkout: &Checkout) -> Checkout {
    let mut checkout = checkout.clone();
    checkout.runner.binary = publish_binary(Path::new(DSG), lab.path());
    let account = Account { uid: 64_001, gid: 64_001, groups: vec![], umask: "022" };
    std::os::unix::fs::chown(lab.path().join("srv"), Some(account.uid), Some(account.gid)).unwrap();
    checkout.owned_by(&account)
}

#[test]
fn folders_that_cannot_be_written_are_named_before_anything_is_done() {
    if !is_root() {
        skipped("another account needs root");
        return;
    }
    // Here: a folder into which something is to come.
    let lab = lab();
    let (p1, p2) = (lab.checkout("p1"), lab.checkout("p2"));
    p1.write("input/a", "one");
    p1.write("input/sub/b", "two");
    let (p1, p2) = (plain(&lab, &p1), plain(&lab, &p2));
    p1.init();
    p2.clone_here().ok();
    std::fs::write(p1.at("input/sub/b"), "changed").unwrap();
    p1.sync();
    p2.chmod("input/sub", 0o555);
    let done = p2.try_sync(&[]);
    assert!(matches!(done.code(), Some(1 | 7)), "{done:?}");
    assert_eq!(done.code(), Some(1), "write access is checked before: {done:?}");
    let _ = done.failed("permission");
    assert_eq!(p2.read("input/sub/b"), "two");
    p2.chmod("input/sub", 0o755);
    p2.sync();
    // There: the folder that holds the repository.
    std::fs::write(p2.at("input/a"), "mine").unwrap();
    let srv = lab.path().join("srv");
    std::os::unix::fs::chown(&srv, Some(0), Some(0)).unwrap();
    refused(&lab, &p2, || p2.try_sync(&[]), "permission");
    std::os::unix::fs::chown(&srv, Some(64_001), Some(64_001)).unwrap();
    p2.sync();
    // A project that cannot be written at all.
    p2.chmod(".dsg", 0o555);
    p2.chmod("", 0o555);
    let done = p2.try_sync(&[]);
    assert!(matches!(done.code(), Some(0 | 1)), "{done:?}");
    p2.chmod("", 0o755);
    p2.chmod(".dsg", 0o755);
}

#[test]
fn a_full_disk_at_the_repository() {
    let Some(disk) = Disk::new(Format::Ext4, 32) else { return };
    let lab = Lab::new(DSG).with_repo(disk.path().join("repo"));
    let (p1, p2) = lab.pair(&[("input/a", "one"), ("input/b", "two")]);
    let ballast = disk.fill_up_to(512 << 10);
    p1.write("input/big", vec![7; 4 << 20]);
    p1.write("input/a", "changed");
    let before = lab.repo_tree();
    let done = p1.try_sync(&[]);
    let code = done.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    assert!(code == "space" || code == "space-halt", "{done:?}");
    assert_eq!(lab.repo_tree(), before);
    assert_eq!(p2.status().changes.len(), 0);
    std::fs::remove_file(ballast).unwrap();
    p1.sync();
    p2.sync();
    assert_eq!(p1.tree(), p2.tree());
    assert_repository(&lab, &p1);
}

#[test]
fn a_full_disk_here() {
    let Some(disk) = Disk::new(Format::Ext4, 160) else { return };
    let lab = Lab::new(DSG);
    let p1 = lab.checkout("p1");
    p1.write("input/a", "one");
    p1.init();
    let p2 = lab.checkout_at("p2", disk.path().join("p2"));
    std::fs::remove_dir(&p2.dir).unwrap();
    p2.clone_here().ok();
    p1.write("input/big", vec![7; 4 << 20]);
    p1.sync();
    for (free, allow) in [(40 << 20, [].as_slice()), (2 << 20, &["--allow", "space"])] {
        let ballast = disk.fill_up_to(free);
        let before = p2.tree();
        let done = p2.try_sync(allow);
        let code = done.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
        assert!(code == "space" || code == "space-halt", "{done:?}");
        assert_eq!(p2.tree(), before);
        std::fs::remove_file(ballast).unwrap();
    }
    p2.sync();
    assert_eq!(p1.tree(), p2.tree());
    assert_repository(&lab, &p2);
}

#[test]
fn a_missing_sidecar_is_not_an_empty_repository() {
    let (lab, _, p2) = ready();
    let away = lab.path().join("away");
    std::fs::rename(lab.sidecar(), &away).unwrap();
    let (local, remote) = (p2.tree(), lab.repo_tree());
    let done = p2.try_sync(&[]);
    assert!(done.code().is_some_and(|c| [1, 2, 4, 6].contains(&c)), "{done:?}");
    assert_eq!((p2.tree(), lab.repo_tree()), (local, remote));
    std::fs::rename(&away, lab.sidecar()).unwrap();
    p2.sync();
}
