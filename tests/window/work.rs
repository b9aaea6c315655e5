//! A day's work in the real window with the real engine: nothing is pretended.

use std::fs;

use dsg_testkit::legacy::LegacyRepo;
use fantoccini::Locator;
use fantoccini::key::Key;

use crate::harness::{Outcome, Session, Setup, Theme};

/// A folder with some data, as an analyst has it.
pub(crate) fn data(session: &Session) -> Outcome {
    session.write("coast/input/stations/harbour.csv", table(400, 0))?;
    session.write("coast/input/stations/buoy-north.csv", table(250, 1))?;
    session.write("coast/input/calibration/offsets.csv", "station;offset\nharbour;0.12\n")?;
    session.write("coast/output/summary.csv", "mean;7.41\n")?;
    session.write("coast/output/figures/overview.svg", "<svg/>\n".repeat(3000))
}

fn table(rows: u32, seed: u32) -> String {
    let row = |n| format!("2026-10-{:02};{}", n % 28 + 1, (n * 37 + seed) % 911);
    (0..rows).map(row).collect::<Vec<_>>().join("\n")
}

/// Makes a repository of it by mouse.
pub(crate) async fn create(session: &Session) -> Outcome {
    data(session)?;
    session.work_as("ana@example.org")?;
    session.click("Create a repository…").await?;
    session.fill("folder", &session.at("coast").display().to_string()).await?;
    session.fill("name", "Coast survey").await?;
    session.click("Next").await?;
    session.fill("address", &session.at("repository").display().to_string()).await?;
    session.click("Try this place").await?;
    session.text("A repository can live here.").await?;
    session.click("Next").await?;
    session.text("s1 will hold").await?;
    session.click("Next").await?;
    session.fill("message", "Stations of October").await?;
    session.click("Create repository").await?;
    session.text("Everything is in sync").await
}

/// Makes a repository of it at an address, with all else as it is proposed.
pub(crate) async fn create_at(session: &Session, address: &str) -> Outcome {
    session.click("Create a repository…").await?;
    session.fill("folder", &session.at("coast").display().to_string()).await?;
    session.click("Next").await?;
    session.fill("address", address).await?;
    session.click("Next").await?;
    session.text("s1 will hold").await?;
    session.click("Next").await?;
    session.click("Create repository").await?;
    session.text("Everything is in sync").await
}

/// Gets a copy of it by mouse.
async fn copy(session: &Session) -> Outcome {
    session.click("Add a project").await?;
    session.menu("Get a copy").await?;
    session.fill("address", &session.at("repository").display().to_string()).await?;
    session.fill("folder", &session.at("laptop").display().to_string()).await?;
    let submit = Locator::Css("[type=submit]");
    session.window().find(submit).await?.click().await?;
    session.gone("Get a copy of a repository").await
}

/// Chooses the n-th project of the sidebar, from 0.
async fn choose(session: &Session, n: usize) -> Outcome {
    let projects = session.window().find_all(Locator::Css("nav li > button.project")).await?;
    Ok(projects.get(n).ok_or("no such project")?.clone().click().await?)
}

async fn message(session: &Session, text: &str) -> Outcome {
    let field = session.window().wait().for_element(Locator::Css("textarea")).await?;
    Ok(field.send_keys(text).await?)
}

fn name(theme: Theme, picture: &str) -> String {
    format!("{picture}-{}", if theme == Theme::Dark { "dark" } else { "light" })
}

/// From the first start to a conflict that is decided and synced.
async fn story(theme: Theme) -> Outcome {
    let session = Session::start(Setup { theme, ..Setup::default() }).await?;
    let picture = async |what: &str| session.picture(&name(theme, what)).await;
    session.text("Keep your data under version").await?;
    picture("first-start").await?;
    create(&session).await?;
    picture("in-sync").await?;
    session.text("Watching for changes").await?;

    // What is changed on disk appears by itself.
    session.write("coast/input/stations/harbour.csv", table(430, 0))?;
    session.write("coast/input/stations/buoy-south.csv", table(90, 2))?;
    fs::remove_file(session.at("coast/output/summary.csv"))?;
    session.button("Sync 3 files").await?;
    message(&session, "Harbour series for November, a new buoy").await?;
    picture("changes").await?;
    session.click("Sync 3 files").await?;
    session.text("Published s2").await?;
    picture("synced").await?;
    session.tab("History").await?;
    session.text("Harbour series for November, a new buoy").await?;
    session.text("You are here").await?;
    picture("history-2").await?;

    // A colleague's copy gets what is there, and publishes more.
    copy(&session).await?;
    session.text("Everything is in sync").await?;
    assert!(session.at("laptop/input/stations/buoy-south.csv").is_file());
    session.write("laptop/input/stations/harbour.csv", table(460, 5))?;
    session.write("laptop/input/calibration/offsets.csv", "station;offset\nharbour;0.15\n")?;
    session.write("laptop/output/figures/tides.svg", "<svg/>\n".repeat(900))?;
    session.button("Sync 3 files").await?;
    message(&session, "Offsets corrected").await?;
    session.work_as("ben@example.org")?;
    session.click("Sync 3 files").await?;
    session.text("Published s3").await?;

    // The same file was changed here: a conflict, which is decided and undone again by mouse.
    session.write("coast/input/stations/harbour.csv", table(431, 9))?;
    session.write("coast/input/notes.txt", "Check the harbour's clock.\n")?;
    choose(&session, 0).await?;
    session.tab("Changes").await?;
    session.click("Look again").await?;
    session.text("1 conflict waits for a decision.").await?;
    session.click("Close").await?;
    // Who, when and in which snapshot; what differs; then the choice.
    session.row("harbour.csv").await?;
    session.text("s3 ·").await?;
    session.text("Here with repository").await?;
    picture("conflict").await?;
    session.work_as("ana@example.org")?;
    session.click("Keep both").await?;
    session.text("Both are kept").await?;
    picture("decided").await?;
    message(&session, "Both harbour series, to be compared").await?;
    session.click("Sync 4 files").await?;
    session.text("Published s4").await?;
    // The copy that is kept does not look deleted, not even for a moment.
    session.text("Everything is in sync").await?;
    let kept: Vec<String> = fs::read_dir(session.at("coast/input/stations"))?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.starts_with("harbour"))
        .collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    picture("conflict-synced").await?;
    session.tab("History").await?;
    session.text("Offsets corrected").await?;
    picture("history").await?;
    session.close().await
}

#[tokio::test]
async fn from_the_first_start_to_a_conflict_that_is_decided() -> Outcome {
    story(Theme::Light).await
}

#[tokio::test]
async fn the_same_on_a_dark_desktop() -> Outcome {
    story(Theme::Dark).await
}

#[tokio::test]
async fn a_sync_by_keyboard_alone() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    create(&session).await?;
    session.write("coast/input/more.csv", "1;2\n")?;
    session.button("Sync 1 file").await?;
    // To the filter, to the list, a row left out and taken in again, to the message, off.
    let control = char::from(Key::Control).to_string();
    session.keys(&[&control, "f"]).await?;
    let focus = "return document.activeElement?.getAttribute('placeholder')";
    assert_eq!(session.script(focus).await?, "Filter by path");
    let tab = char::from(Key::Tab).to_string();
    let role = "return document.activeElement?.getAttribute('role')";
    for _ in 0..9 {
        session.keys(&[&tab]).await?;
        if session.script(role).await? == "grid" {
            break;
        }
    }
    session.keys(&[" "]).await?;
    session.button("Nothing is selected").await?;
    session.keys(&[" "]).await?;
    session.button("Sync 1 file").await?;
    let enter = char::from(Key::Enter).to_string();
    session.keys(&[&control, &enter]).await?;
    session.text("Published s2").await?;
    session.keys(&[&control, "2"]).await?;
    session.text("No message").await?;
    session.close().await
}

#[tokio::test]
async fn the_panes_stand_where_they_were_left_and_the_list_is_there_again() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    create(&session).await?;
    session.write("coast/input/more.csv", "1;2\n")?;
    session.button("Sync 1 file").await?;
    let border = Locator::Css("[role=separator]");
    let place = async |session: &Session| -> Outcome<Option<String>> {
        Ok(session.window().wait().for_element(border).await?.attr("aria-valuenow").await?)
    };
    let first = place(&session).await?;
    session.drag(border, 60.0).await?;
    let moved = place(&session).await?;
    assert_ne!(moved, first);
    session.window().set_window_rect(40, 30, 1100, 700).await?;
    let stands = session.window().get_window_rect().await?;
    let session = Session::on(session.log_out()?, &[]).await?;
    session.button("Sync 1 file").await?;
    assert_eq!(place(&session).await?, moved);
    assert_eq!(session.came, stands);
    session.close().await
}

#[tokio::test]
async fn a_repository_that_went_away_is_said_with_what_to_do() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    create(&session).await?;
    session.write("coast/input/more.csv", "1;2\n")?;
    session.button("Sync 1 file").await?;
    fs::rename(session.at("repository"), session.at("away"))?;
    fs::rename(session.at(".repository.dsg"), session.at(".away.dsg"))?;
    session.click("Sync 1 file").await?;
    session.text("The sync did not happen").await?;
    session.text("There is no repository at").await?;
    session.text("Check that its disk or share is connected").await?;
    session.picture("error-light").await?;
    // The window hears of it by itself, too, and of its return.
    session.text("No repository there").await?;
    session.click("Close").await?;
    session.text("There is no repository at the address").await?;
    session.picture("window-offline").await?;
    fs::rename(session.at("away"), session.at("repository"))?;
    fs::rename(session.at(".away.dsg"), session.at(".repository.dsg"))?;
    session.gone("No repository there").await?;
    session.click("Sync 1 file").await?;
    session.text("Published s2").await?;
    session.close().await
}

#[tokio::test]
async fn a_running_sync_is_cancelled_and_nothing_has_changed() -> Outcome {
    for theme in [Theme::Light, Theme::Dark] {
        cancel(theme).await?;
    }
    Ok(())
}

async fn cancel(theme: Theme) -> Outcome {
    let session = Session::start(Setup { theme, ..Setup::default() }).await?;
    create(&session).await?;
    for n in 0..500_u32 {
        let content = n.to_le_bytes().repeat(250_000);
        session.write(&format!("coast/input/sonar/tile-{n:04}.tif"), content)?;
    }
    session.button("Sync 500 files").await?;
    message(&session, "Sonar tiles").await?;
    session.click("Sync 500 files").await?;
    session.text("Copying").await?;
    session.picture(&name(theme, "syncing")).await?;
    session.click("Cancel").await?;
    session.text("Cancelled: nothing has changed on any side").await?;
    session.picture(&name(theme, "cancelled")).await?;
    assert!(!session.at("repository/input/sonar").exists());
    assert!(session.at("coast/input/sonar/tile-0499.tif").is_file());
    // And it can be done all the same.
    session.click("Sync 500 files").await?;
    session.text("Published s2").await?;
    session.close().await
}

#[tokio::test]
async fn a_repository_of_the_earlier_dsg_is_taken_over_and_copied() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    session.work_as("ana@example.org")?;
    let survey = session.at("survey");
    let mut earlier = LegacyRepo::new(&survey);
    earlier.sync("ann@example.org", "First wave", &[("input/a.csv", "1"), ("input/b.csv", "b")]);
    earlier.sync("bob@example.org", "Second wave", &[("input/a.csv", "2"), ("input/b.csv", "b")]);
    session.click("Get a copy…").await?;
    session.fill("address", &survey.display().to_string()).await?;
    session.fill("folder", &session.at("laptop").display().to_string()).await?;
    let submit = Locator::Css("[type=submit]");
    session.window().find(submit).await?.click().await?;
    session.click("See what it holds…").await?;
    session.text("Second wave").await?;
    session.text("Every file is what the earlier DSG’s sums say.").await?;
    session.picture("adopt").await?;
    session.click("Take it over").await?;
    session.text("Everything is in sync").await?;
    assert_eq!(fs::read_to_string(session.at("laptop/input/a.csv"))?, "2");
    session.tab("History").await?;
    session.text("First wave").await?;
    session.close().await
}
