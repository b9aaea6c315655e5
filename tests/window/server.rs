//! A repository on a server, in the real window against a real sshd: the first fingerprint, a passphrase,
//! the server's folders, a server that goes away and comes back, and one that is another.

use std::fs;
use std::path::Path;

use dsg_testkit::agent;
use dsg_testkit::run::skipped;
use dsg_testkit::sshd::{Kind, Sshd, missing};
use fantoccini::Locator;

use crate::harness::{Outcome, Session, Setup, Stage};
use crate::work::{create_at, data};

const PASSPHRASE: &str = "correct horse battery";

/// A server, and a stage whose person has a key for it; nothing if there can be none here.
fn server(passphrase: &str) -> Outcome<Option<(Sshd, Stage)>> {
    let kind = Kind::default();
    if let Some(why) = missing(&kind) {
        skipped(&why);
        return Ok(None);
    }
    let sshd = Sshd::start(&kind);
    let stage = Stage::set(Setup::default())?;
    sshd.admit(&stage.home(""), passphrase);
    fs::create_dir(sshd.home().join("surveys"))?;
    Ok(Some((sshd, stage)))
}

/// The application, with an agent to bring.
async fn start(stage: Stage) -> Outcome<Session> {
    let agents = agent::program().parent().and_then(Path::to_str).ok_or("no agent")?;
    Session::on(stage, &[("DSG_AGENTS", agents)]).await
}

async fn sign_in(session: &Session, passphrase: &str) -> Outcome {
    session.fill("secret", passphrase).await?;
    session.click("Sign in").await
}

/// Whether any file below a folder holds these words.
fn holds(folder: &Path, words: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        if path.is_dir() && !path.is_symlink() {
            return holds(&path, words);
        }
        // The screen's own memory, and sockets, are no files of the application.
        let ours = path.is_file() && !path.ends_with("Xvfb_screen0");
        ours && fs::read(&path)
            .is_ok_and(|bytes| bytes.windows(words.len()).any(|part| part == words.as_bytes()))
    })
}

#[tokio::test]
async fn a_repository_on_a_server_from_its_fingerprint_to_a_copy_and_through_a_break() -> Outcome {
    let Some((mut sshd, stage)) = server(PASSPHRASE)? else { return Ok(()) };
    let session = start(stage).await?;
    data(&session)?;
    session.work_as("ana@example.org")?;

    // Nobody is trusted in silence, and a wrong passphrase may be corrected.
    session.click("Create a repository…").await?;
    session.fill("folder", &session.at("coast").display().to_string()).await?;
    session.fill("name", "Coast survey").await?;
    session.click("Next").await?;
    session.click("A server").await?;
    session.fill("host", &format!("{}@127.0.0.1:{}", sshd.user, sshd.port)).await?;
    session.click("Connect").await?;
    session.text("Is this the right server?").await?;
    session.text(&sshd.fingerprint()).await?;
    assert!(!session.home(".ssh/known_hosts").exists());
    session.picture("server-trust-light").await?;
    session.click("Trust and connect").await?;
    session.text("Your key has a passphrase").await?;
    sign_in(&session, "a wrong one").await?;
    session.text("That was not right. Try again.").await?;
    session.picture("server-passphrase-light").await?;
    sign_in(&session, PASSPHRASE).await?;
    assert!(session.home(".ssh/known_hosts").is_file());

    // The server's folders, and a new repository in one of them.
    session.click("surveys").await?;
    session.text("No folders are in it.").await?;
    session.fill("new-folder", "study").await?;
    session.picture("server-create-light").await?;
    session.click("Next").await?;
    session.text("s1 will hold").await?;
    session.click("Next").await?;
    session.click("Create repository").await?;
    session.text("Everything is in sync").await?;
    let there = sshd.home().join("surveys/study");
    assert!(there.join("input/stations/harbour.csv").is_file());
    session.write("coast/input/more.csv", "1;2\n")?;
    session.click("Sync 1 file").await?;
    session.text("Published s2").await?;
    assert_eq!(fs::read(there.join("input/more.csv"))?, b"1;2\n");

    // A copy of it: the server is offered, and asks no more.
    session.click("Add a project").await?;
    session.menu("Get a copy").await?;
    session.click("A server").await?;
    session.click("127.0.0.1").await?;
    session.click("Connect").await?;
    session.click("surveys").await?;
    session.click("study").await?;
    session.fill("folder", &session.at("laptop").display().to_string()).await?;
    session.picture("server-copy-light").await?;
    let submit = Locator::Css("[type=submit]");
    session.with(submit, async |button| button.click().await).await?;
    session.gone("Get a copy of a repository").await?;
    session.text("Everything is in sync").await?;
    assert_eq!(fs::read(session.at("laptop/input/more.csv"))?, b"1;2\n");

    // The server goes down: a state, and what is done here is seen all the same.
    sshd.stop();
    session.text("The repository is out of reach").await?;
    session.write("laptop/input/later.csv", "3;4\n")?;
    session.button("Sync 1 file").await?;
    session.text("Tried again by itself").await?;
    session.picture("server-unreachable-light").await?;
    // It comes back, which is noticed; nobody is asked before wanting to.
    sshd.start_again();
    session.text("You need to sign in").await?;
    assert!(session.window().find(Locator::Id("secret")).await.is_err(), "it asks by itself");
    session.picture("server-sign-in-light").await?;
    session.click("Sign in…").await?;
    session.text("Your key has a passphrase").await?;
    session.click("Cancel").await?;
    session.text("You need to sign in").await?;
    session.click("Sign in…").await?;
    sign_in(&session, PASSPHRASE).await?;
    session.gone("You need to sign in").await?;
    session.click("Sync 1 file").await?;
    session.text("Published s3").await?;
    assert_eq!(fs::read(there.join("input/later.csv"))?, b"3;4\n");

    let stage = session.leave().await?;
    assert!(!holds(&stage.home(""), PASSPHRASE), "the passphrase was kept");
    assert!(!sshd.log().contains(PASSPHRASE));
    Ok(())
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_by_itself_and_another_one_is_a_stop() -> Outcome {
    let Some((mut sshd, stage)) = server("")? else { return Ok(()) };
    sshd.introduce(&stage.home(""), sshd.port);
    let session = start(stage).await?;
    data(&session)?;
    // An address of a server can be typed as well.
    let address = sshd.address(sshd.port, &sshd.home().join("surveys/study"));
    create_at(&session, &address).await?;

    sshd.stop();
    session.text("The repository is out of reach").await?;
    sshd.start_again();
    session.gone("The repository is out of reach").await?;
    session.write("coast/input/more.csv", "1;2\n")?;
    session.click("Sync 1 file").await?;
    session.text("Published s2").await?;

    // Somebody else answers at its place: both fingerprints, and no way past.
    let confirmed = sshd.fingerprint();
    sshd.stop();
    sshd.change_key();
    sshd.start_again();
    session.text("This is not the server that was confirmed").await?;
    session.text(&confirmed).await?;
    session.text(&sshd.fingerprint()).await?;
    session.text("known_hosts").await?;
    session.picture("server-changed-light").await?;
    session.write("coast/input/later.csv", "3;4\n")?;
    let waits = session.button("Sync 1 file").await?;
    assert!(waits.attr("disabled").await?.is_some());
    let trust = Locator::XPath("//button[contains(., 'Trust')]");
    assert!(session.window().find(trust).await.is_err());
    session.close().await
}
