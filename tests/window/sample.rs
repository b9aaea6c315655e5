//! A newcomer's first hour, with the sample: nothing of it was set up beforehand.

use std::fs;

use fantoccini::Locator;

use crate::harness::{Outcome, Session, Setup, Theme};

/// The sample, made by mouse in two clicks.
async fn sample(session: &Session) -> Outcome {
    session.click("Try it with sample data").await?;
    session.fill("folder", &session.at("sample").display().to_string()).await?;
    session.picture("sample-form").await?;
    session.click("Make the sample").await?;
    session.text("1 conflict waits for a decision.").await
}

async fn newcomer(theme: Theme) -> Outcome {
    let session = Session::start(Setup { theme, ..Setup::default() }).await?;
    let shade = if theme == Theme::Dark { "dark" } else { "light" };
    let picture = async |what: &str| session.picture(&format!("{what}-{shade}")).await;
    session.work_as("newcomer@example.org")?;
    sample(&session).await?;

    // What is pending, and why: the conflict stands first, with its versions.
    session.row("stations.csv").await?;
    session.text("Which one is right?").await?;
    session.text("field.team").await?;
    session.text("Here with repository").await?;
    picture("sample-conflict").await?;
    session.click("Keep both").await?;
    session.text("Both are kept").await?;
    session.click("Folders").await?;
    picture("sample-tree").await?;
    session.click("List").await?;

    // One button, which says what it does.
    session.window().find(Locator::Css("textarea")).await?.send_keys("My first sync").await?;
    session.click("→ s9").await?;
    session.text("Published s9").await?;
    session.text("Everything is in sync").await?;
    picture("sample-synced").await?;
    session.click("Show file by file").await?;
    session.text("What the last sync did").await?;
    picture("sample-results").await?;
    let close = Locator::Css("[role=dialog] [aria-label=Close]");
    session.window().find(close).await?.click().await?;

    // What was: the snapshot, what differs, another comparison.
    session.tab("History").await?;
    session.text("My first sync").await?;
    session.text("Second field trip; station list corrected").await?;
    session.row("stations").await?;
    picture("sample-history").await?;

    // A file that was deleted weeks ago comes back as a pending change.
    session.click("Files").await?;
    session.find("site-07.png").await?;
    session.row("site-07.png").await?;
    session.text("deleted in").await?;
    session.row("first field trip").await?;
    picture("sample-versions").await?;
    session.click("Restore from s2").await?;
    session.text("1 file added").await?;
    picture("sample-restore").await?;
    let submit = Locator::Css("[role=dialog] [type=submit]");
    session.window().find(submit).await?.click().await?;
    session.text("Restored:").await?;
    session.click("Show the changes").await?;
    assert!(session.at("sample/Coast survey/input/photos/site-07.png").is_file());
    session.click("Sync 1 file").await?;
    session.text("Published s10").await?;

    // And goes again: what the last sync did is undone as a snapshot of its own.
    session.click("Undo s10").await?;
    session.text("Published s11").await?;
    assert!(!session.at("sample/Coast survey/input/photos/site-07.png").exists());
    session.tab("History").await?;
    session.click("Trash").await?;
    session.row("site-07.png").await?;
    picture("sample-trash").await?;
    session.click("Put back").await?;
    session.text("It is in your folder again").await?;
    assert!(session.at("sample/Coast survey/input/photos/site-07.png").is_file());

    // A receipt that can be cited.
    session.click("Verify").await?;
    let submit = Locator::Css("[role=dialog] [type=submit]");
    session.window().find(submit).await?.click().await?;
    session.text("The history is whole").await?;
    picture("sample-verified").await?;
    session.close().await
}

#[tokio::test]
async fn a_newcomer_finds_the_way_with_the_sample() -> Outcome {
    newcomer(Theme::Light).await
}

#[tokio::test]
async fn a_newcomer_finds_the_way_on_a_dark_desktop() -> Outcome {
    newcomer(Theme::Dark).await
}

#[tokio::test]
async fn the_sample_goes_again_without_a_trace() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    sample(&session).await?;
    fs::write(session.at("sample/Coast survey/mine.txt"), "my own notes\n")?;
    session.click("More about Coast survey").await?;
    session.menu("Remove the sample").await?;
    session.click("Remove the sample").await?;
    // What a person put there is not taken along unasked.
    let own = Locator::Css("[role=dialog] [type=checkbox]");
    session.window().wait().for_element(own).await?.click().await?;
    assert!(session.at("sample/Coast survey/mine.txt").is_file());
    session.click("Remove the sample").await?;
    session.text("Keep your data under version").await?;
    session.gone("Remove the sample?").await?;
    assert!(!session.at("sample").exists());
    session.close().await
}

#[tokio::test]
async fn from_the_first_start_to_the_first_synced_change_it_takes_three_clicks() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    session.text("Keep your data under version").await?;
    let count = "window.clicks = 0;
        addEventListener('click', (event) => { window.clicks += event.isTrusted ? 1 : 0; }, true);";
    session.script(count).await?;
    session.click("Try it with sample data").await?;
    session.click("Make the sample").await?;
    session.click("Sync everything else").await?;
    session.text("Published s9").await?;
    assert_eq!(session.script("return window.clicks").await?, 3);
    session.close().await
}
