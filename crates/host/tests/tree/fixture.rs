//! A repository in a temporary folder, and the words in which stories are told.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use dsg_core::config::SharedConfig;
use dsg_core::entry::{Entry, FileEntry, Hash, LinkTarget, Mtime};
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::manifest::Change;
use dsg_core::monitor::Monitor;
use dsg_core::path::RepoPath;
use dsg_core::repository::{Access, Publication, Upload};
use dsg_core::snapshot::{Authorship, SnapshotHeader, SnapshotId};
use dsg_host::tree::{Staging, Supply, TreeStore};
use dsg_wire::delta::{Basis, Content};
use tempfile::TempDir;

/// Paths and contents; a link is `-> target`.
pub(crate) type Tree = BTreeMap<String, String>;

pub(crate) fn tree<const N: usize>(files: [(&str, &str); N]) -> Tree {
    files.map(|(p, c)| (p.to_owned(), c.to_owned())).into()
}

pub(crate) fn path(text: &str) -> RepoPath {
    text.parse().unwrap()
}

pub(crate) fn id(number: u64) -> SnapshotId {
    SnapshotId::new(number).unwrap()
}

pub(crate) fn transaction() -> String {
    uuid::Uuid::now_v7().to_string()
}

pub(crate) fn authorship(transaction: &str) -> Authorship {
    Authorship {
        author: "ana@example.org".into(),
        message: "a story".into(),
        time: jiff::Timestamp::UNIX_EPOCH,
        transaction: transaction.into(),
    }
}

/// What a sync wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) puts: Vec<(String, String)>,
    pub(crate) gone: Vec<String>,
    pub(crate) copies: Vec<(String, String)>,
    pub(crate) private: bool,
    pub(crate) exec: bool,
}

pub(crate) fn wish() -> Wish {
    Wish::default()
}

impl Wish {
    pub(crate) fn put(mut self, path: &str, content: &str) -> Self {
        self.puts.push((path.into(), content.into()));
        self
    }
    pub(crate) fn gone(mut self, path: &str) -> Self {
        self.gone.push(path.into());
        self
    }
    /// `content` is what `from` holds.
    pub(crate) fn copy(mut self, to: &str, from: &str, content: &str) -> Self {
        self.copies.push((to.into(), from.into()));
        self.put(to, content)
    }
    pub(crate) fn moved(self, to: &str, from: &str, content: &str) -> Self {
        self.copy(to, from, content).gone(from)
    }

    fn entry(&self, at: &str, content: &str) -> Entry {
        match content.strip_prefix("-> ") {
            Some(target) => Entry::Link(LinkTarget::parse(&path(at), target).unwrap()),
            None => Entry::File(FileEntry {
                size: content.len() as u64,
                mtime: Mtime(1_700_000_000_000_000_000),
                exec: self.exec,
                hash: Hash::of(content.as_bytes()),
            }),
        }
    }

    pub(crate) fn uploads(&self) -> (Vec<Upload>, Contents) {
        let copied = |p: &String| self.copies.iter().any(|(to, _)| to == p);
        let mut uploads = Vec::new();
        let mut contents = Vec::new();
        for (at, content) in self.puts.iter().filter(|(p, _)| !copied(p)) {
            if let Entry::File(file) = self.entry(at, content) {
                uploads.push(Upload { file, private: self.private });
                contents.push(content.clone().into_bytes());
            }
        }
        (uploads, Contents(contents))
    }

    pub(crate) fn publication(&self, base: Option<SnapshotId>, transaction: &str) -> Publication {
        let mut changes: Vec<Change> = self
            .puts
            .iter()
            .map(|(p, c)| Change { path: path(p), entry: Some(self.entry(p, c)) })
            .chain(self.gone.iter().map(|p| Change { path: path(p), entry: None }))
            .collect();
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        let changes = changes.into_iter().collect();
        let mut copies: Vec<_> = self.copies.iter().map(|(t, f)| (path(t), path(f))).collect();
        copies.sort();
        Publication { base, authorship: authorship(transaction), config: config(), changes, copies }
    }
}

pub(crate) fn config() -> SharedConfig {
    let mut config = SharedConfig::new("story");
    config.data_dirs = ["*".to_owned()].into();
    config
}

/// Content from memory.
pub(crate) struct Contents(pub(crate) Vec<Vec<u8>>);

impl Supply for Contents {
    fn open(&self, index: usize, basis: Basis) -> Outcome<Content<'_>> {
        let kept = usize::try_from(basis.kept).unwrap();
        Ok(Content::Bytes(Box::new(&self.0[index][kept..])))
    }
}

pub(crate) struct Fixture {
    pub(crate) temp: TempDir,
    pub(crate) path: PathBuf,
}

/// A repository whose s1 holds `a`, `dir/b`, `dir/deep/c` and a link.
pub(crate) fn fixture() -> Fixture {
    let fixture = nothing();
    fixture.init(Access::Personal, first()).unwrap();
    fixture
}

pub(crate) fn first() -> Wish {
    wish().put("a", "alpha").put("dir/b", "beta").put("dir/deep/c", "gamma").put("link", "-> dir/b")
}

pub(crate) fn first_tree() -> Tree {
    tree([("a", "alpha"), ("dir/b", "beta"), ("dir/deep/c", "gamma"), ("link", "-> dir/b")])
}

/// An empty folder in which `repo` may come to be.
pub(crate) fn nothing() -> Fixture {
    nothing_in(&std::env::temp_dir())
}

/// As [`nothing`], on another file system.
pub(crate) fn nothing_in(at: &Path) -> Fixture {
    let temp = TempDir::new_in(at).unwrap();
    let path = temp.path().join("repo");
    Fixture { temp, path }
}

impl Fixture {
    pub(crate) fn init(&self, access: Access, wish: Wish) -> Outcome<SnapshotHeader> {
        let store = TreeStore::create(&self.path, Some(access))?;
        publish(&store, None, &wish)
    }
    pub(crate) fn open(&self) -> TreeStore {
        TreeStore::open(&self.path).unwrap()
    }
    /// Publishes on top of the head.
    pub(crate) fn sync(&self, wish: Wish) -> Outcome<SnapshotHeader> {
        let store = TreeStore::open(&self.path)?;
        let base = store.head()?.id;
        publish(&store, Some(base), &wish)
    }
    pub(crate) fn side(&self, name: &str) -> PathBuf {
        self.temp.path().join(".repo.dsg").join(name)
    }
    pub(crate) fn live(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
    /// The live tree as anybody on the host sees it.
    pub(crate) fn on_disk(&self) -> Tree {
        let mut tree = read_tree(&self.path);
        // What the earlier DSG kept there is no data.
        tree.retain(|path, _| !path.starts_with(".dsg/"));
        tree
    }
    /// Writes on the host, past DSG, as an editor saves: a new file in the old one's place.
    pub(crate) fn host_saves(&self, name: &str, content: &str) {
        let target = self.live(name);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let temporary = target.with_extension("swap");
        fs::write(&temporary, content).unwrap();
        fs::rename(temporary, target).unwrap();
    }
    pub(crate) fn drift(&self) -> Vec<String> {
        match self.open().check_drift(&Monitor::silent()) {
            Ok(()) => Vec::new(),
            Err(halt) if halt.code == Code::Drift => halt.paths,
            Err(failure) => panic!("{failure}"),
        }
    }
    pub(crate) fn prestage(&self) {
        self.open().prestage(&Monitor::silent()).unwrap();
    }

    /// All that must be true of a repository at rest: the live tree is the head, every kept
    /// snapshot is what its manifest says, the history proves itself, nothing is left over.
    pub(crate) fn is_consistent(&self) -> Tree {
        let store = self.open();
        let head = store.head().unwrap();
        assert_eq!(store.validate_chain(true, &Monitor::silent()).unwrap(), []);
        assert_eq!(self.drift(), [""; 0]);
        for kept in store.kept().unwrap() {
            for path in manifest(&store, kept).keys() {
                assert_eq!(store.validate_file(kept, path).unwrap(), None, "{kept} {path}");
            }
        }
        let expected: Vec<String> =
            manifest(&store, head.id).into_keys().map(String::from).collect();
        let found = self.on_disk();
        assert_eq!(found.keys().cloned().collect::<Vec<_>>(), expected);
        assert_eq!(head.totals.entries, expected.len() as u64);
        let bytes: usize = found.values().filter(|c| !c.starts_with("-> ")).map(String::len).sum();
        assert_eq!(head.totals.bytes, bytes as u64);
        assert!(!self.side("journal.json").exists());
        found
    }
}

pub(crate) fn manifest(store: &TreeStore, id: SnapshotId) -> BTreeMap<RepoPath, Entry> {
    let mut entries = BTreeMap::new();
    store
        .manifest_at(id, &mut |c| {
            entries.insert(c.path, c.entry.unwrap());
            Ok(())
        })
        .unwrap();
    entries
}

pub(crate) fn publish(
    store: &TreeStore,
    base: Option<SnapshotId>,
    wish: &Wish,
) -> Outcome<SnapshotHeader> {
    let transaction = transaction();
    let staging = staged(store, base, &transaction, wish)?;
    staging.publish(&wish.publication(base, &transaction), &Monitor::silent())
}

pub(crate) fn staged(
    store: &TreeStore,
    base: Option<SnapshotId>,
    transaction: &str,
    wish: &Wish,
) -> Outcome<Staging> {
    let staging = store.begin(base, transaction, "")?;
    let (uploads, contents) = wish.uploads();
    match staging.stage(&uploads, &contents, &Monitor::silent())?.pop() {
        None => Ok(staging),
        Some((_, refusal)) => Err(Failure::new(Code::Io, format!("{refusal:?}"))),
    }
}

pub(crate) fn read_tree(root: &Path) -> Tree {
    fn walk(root: &Path, at: &Path, tree: &mut Tree) {
        for entry in fs::read_dir(at).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            let name = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if kind.is_dir() {
                walk(root, &entry.path(), tree);
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path()).unwrap();
                tree.insert(name, format!("-> {}", target.display()));
            } else {
                let content = fs::read(entry.path()).unwrap();
                tree.insert(name, String::from_utf8_lossy(&content).into_owned());
            }
        }
    }
    let mut tree = Tree::new();
    walk(root, root, &mut tree);
    tree
}

pub(crate) fn fetch(store: &TreeStore, id: SnapshotId, at: &str) -> String {
    let (mut file, _) = store.snapshot(id).unwrap().read(&path(at)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(crate) fn make_writable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}

pub(crate) fn make_read_only(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
}
