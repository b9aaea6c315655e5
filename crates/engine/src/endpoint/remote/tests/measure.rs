//! How long many small files take over a wire, and in process. Run by hand, in a release build:
//! `cargo test --release -p dsg-engine --lib remote::tests::measure -- --ignored --nocapture`.

use std::time::Instant;

use super::*;

/// Files as they lie in a folder.
struct Disk(PathBuf, Vec<RepoPath>);

impl Supply for Disk {
    fn open(&self, index: usize) -> Outcome<Box<dyn Read + Send + '_>> {
        let path: &Path = self.1[index].as_ref();
        Ok(Box::new(std::fs::File::open(self.0.join(path)).unwrap()))
    }
}

#[test]
#[ignore = "a measurement"]
fn many_small_files_up() {
    let mut dice = dsg_testkit::dice::Dice::announced("many small files");
    let count = std::env::var("DSG_FILES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let place = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..count).map(|n| format!("d{:03}/f{n:07}", n % 500)).collect();
    let files = names.iter().map(|name| {
        let size = 512 + dice.below(7 * 1024 + 512);
        let words = std::iter::repeat_with(|| dice.roll().to_le_bytes());
        (name.as_str(), words.flatten().take(usize::try_from(size).unwrap()).collect::<Vec<u8>>())
    });
    let source = Source::of(files);
    std::fs::create_dir(place.path().join("p")).unwrap();
    for (path, content) in &source.files {
        let at = place.path().join("p").join(path.as_ref() as &Path);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, content).unwrap();
    }
    let disk = Disk(place.path().join("p"), source.files.iter().map(|f| f.0.clone()).collect());
    dsg_testkit::agent::program();
    for turn in ["in process", "wire", "in process", "wire", "in process", "wire"] {
        let host = Host::new();
        let endpoint: Box<dyn Endpoint> = if turn == "wire" {
            Box::new(RemoteEndpoint::over(agent(), &host.text(), Opening::New).unwrap())
        } else {
            let address = dsg_core::address::Address::Local(host.path());
            crate::endpoint::create(&address).unwrap()
        };
        let silent = Monitor::silent();
        let wanted = publication(None, source.changes());
        let begun = Instant::now();
        let mut transaction = endpoint.begin(None, &wanted.authorship.transaction).unwrap();
        assert!(transaction.stage(&source.uploads(), &disk, &silent).unwrap().is_empty());
        let staged = begun.elapsed();
        transaction.publish(&wanted, &silent).unwrap();
        println!("{turn}: staged {staged:.2?}, published {:.2?}", begun.elapsed());
    }
}
