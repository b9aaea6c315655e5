//! Configuration in the window: the first words of a newcomer, a mistake, and a file that is broken.

use std::fs;

use fantoccini::key::Key;

use crate::harness::{Outcome, Session, Setup};
use crate::work::{create, data};

#[tokio::test]
async fn whoever_is_new_sees_what_s1_would_hold_and_says_who_it_is_from() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    data(&session)?;
    session.write("coast/input/wind: gusts.csv", "1\n")?;
    session.write("coast/input/scratch.tmp", "1\n")?;
    session.click("Create a repository…").await?;
    session.fill("folder", &session.at("coast").display().to_string()).await?;
    session.click("Next").await?;
    session.fill("address", &session.at("repository").display().to_string()).await?;
    session.picture("create-place-light").await?;
    session.click("Next").await?;
    session.text("s1 will hold").await?;
    session.text("input/wind_ gusts.csv").await?;
    session.text("Left alone: ignored by ignore.suffixes: .tmp").await?;
    session.picture("create-data-light").await?;
    assert!(!session.at("coast/.dsg").exists(), "something was made before it was wanted");
    session.click("Next").await?;
    session.fill("who-mail", "ann").await?;
    session.click("Create repository").await?;
    session.text("Write an address as in ann@example.org").await?;
    session.fill("who-mail", "ann@example.org").await?;
    session.picture("create-summary-light").await?;
    session.click("Create repository").await?;
    session.gone("Step 4 of 4").await?;
    let own = fs::read_to_string(session.home(".config/dsg/dsg.yml"))?;
    assert_eq!(own, "user_id: ann@example.org\n");
    let first = fs::read_to_string(session.at(".repository.dsg/snapshots/s1.jsonl"))?;
    assert!(first.contains("ann@example.org"), "{first}");
    session.close().await
}

#[tokio::test]
async fn a_mistake_is_said_as_it_is_typed_and_a_broken_file_is_mended_in_place() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    create(&session).await?;
    let file = session.at("coast/.dsgconfig.yml");
    let before = fs::read_to_string(&file)?;
    assert!(before.starts_with("name: Coast survey\n"), "{before}");
    session.tab("Settings").await?;
    session.fill("key-retention", "some").await?;
    session.text("It can be saved when nothing is wrong in it.").await?;
    session.picture("settings-mistake-light").await?;
    assert_eq!(fs::read_to_string(&file)?, before, "it was written before it was saved");
    session.fill("key-retention", "last=3").await?;
    session.text("Not saved yet.").await?;
    session.click("Save").await?;
    session.text("Saved.").await?;
    assert_eq!(fs::read_to_string(&file)?, format!("{before}retention: last=3\n"));

    // Another program breaks it.
    session.tab("Changes").await?;
    session.write("coast/.dsgconfig.yml", "name: [Coast survey\n")?;
    session.tab("Settings").await?;
    session.text("The text cannot be read as YAML").await?;
    session.picture("settings-broken-light").await?;
    let mended = format!("# Mended.\n{before}");
    let typed = mended.replace('\n', &char::from(Key::Enter).to_string());
    session.fill("configuration-text", &typed).await?;
    session.text("Not saved yet.").await?;
    session.click("Save").await?;
    session.text("Saved.").await?;
    assert_eq!(fs::read_to_string(&file)?, mended);
    session.close().await
}
