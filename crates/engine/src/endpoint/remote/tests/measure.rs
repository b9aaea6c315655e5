//! How long many small files take over a wire, and in process, and how much memory the agent needs.
//! Run by hand, in a release build, with `DSG_FILES` files of 512 to `DSG_BYTES` bytes:
//! `cargo test --release -p dsg-engine --lib remote::tests::measure -- --ignored --nocapture`.

use std::time::Instant;

use super::*;

/// Files as they lie in a folder.
struct Disk(PathBuf, Vec<RepoPath>);

impl Supply for Disk {
    fn open(&self, index: usize, _: Basis) -> Outcome<Content<'_>> {
        let path: &Path = self.1[index].as_ref();
        Ok(Content::Bytes(Box::new(std::fs::File::open(self.0.join(path)).unwrap())))
    }
}

#[test]
#[ignore = "a measurement"]
fn many_small_files_up() {
    let mut dice = dsg_testkit::dice::Dice::announced("many small files");
    let given = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let count = given("DSG_FILES").unwrap_or(20_000);
    let most = given("DSG_BYTES").unwrap_or(8192).max(16);
    let place = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..count).map(|n| format!("d{:03}/f{n:07}", n % 500)).collect();
    let files = names.iter().map(|name| {
        let size = most.min(512) + dice.below(most.saturating_sub(512));
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
    for turn in ["wire", "in process"].repeat(3) {
        let host = Host::new();
        let mut process = None;
        let endpoint: Box<dyn Endpoint> = if turn == "wire" {
            let (stream, agent) = start(Fuse::of(u64::MAX));
            process = Some(agent);
            Box::new(RemoteEndpoint::over(stream, &host.text(), Opening::New).unwrap())
        } else {
            let address = dsg_core::address::Address::Local(host.path());
            crate::endpoint::create(&address, false, 0).unwrap()
        };
        let silent = Monitor::silent();
        let wanted = publication(None, source.changes());
        let begun = Instant::now();
        let mut transaction = endpoint.begin(None, &wanted.authorship.transaction, "").unwrap();
        assert!(transaction.stage(&source.uploads(), &disk, &silent).unwrap().is_empty());
        let staged = begun.elapsed();
        transaction.publish(&wanted, &silent).unwrap();
        println!("{turn}: staged {staged:.2?}, published {:.2?}", begun.elapsed());
        if let Some(agent) = process {
            let status = format!("/proc/{}/status", agent.0.lock().unwrap().id());
            let status = std::fs::read_to_string(status).unwrap();
            let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
            println!("the agent's memory: {peak}");
        }
    }
}
