//! What goes wrong, and what means harm: said calmly, with what to do; nothing frozen, nothing
//! injected, nothing lost.

use std::fs;
use std::time::{Duration, Instant};

use fantoccini::Locator;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Outcome, PATIENCE, Session, Setup, Stage};
use crate::work::{create, create_at, data};

/// The answer of the page to a question that it answers only if it is alive.
async fn is_alive(session: &Session) -> Outcome {
    let begun = Instant::now();
    assert_eq!(session.script("return 1 + 1").await?, 2);
    assert!(begun.elapsed() < Duration::from_secs(10), "the page stood still");
    Ok(())
}

/// A head of a PNG that claims to be as wide and as high as this, with nothing in it.
fn image_bomb(side: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(side.to_be_bytes().repeat(2));
    bytes.extend(b"\x08\x06\0\0\0\0\0\0\0\0\0\0\0IDAT\0\0\0\0");
    bytes
}

#[tokio::test]
async fn previews_of_what_is_too_large_or_no_text_say_so_and_freeze_nothing() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    create(&session).await?;
    session.write("coast/input/noise.txt", b"caf\xe9 \xff\xfe\x80\nsecond line\n")?;
    session.write("coast/input/bomb.png", image_bomb(50_000))?;
    session.button("Sync 2 files").await?;
    session.row("noise.txt").await?;
    session.text("Not valid UTF-8").await?;
    session.text("second line").await?;
    session.row("bomb.png").await?;
    session.text("It has more than 50 million pixels").await?;
    assert_eq!(session.script("return document.querySelectorAll('.preview img').length").await?, 0);

    // 4 GiB, most of it a hole, which takes its time to be hashed: the window stays there for
    // whoever uses it meanwhile.
    let rows = "time;level\n".to_owned() + &"2026-10-01;2.5\n".repeat(300_000);
    session.write("coast/input/huge.csv", rows)?;
    let huge = fs::File::options().write(true).open(session.at("coast/input/huge.csv"))?;
    huge.set_len(4 << 30)?;
    drop(huge);
    session.row("noise.txt").await?;
    session.text("second line").await?;
    is_alive(&session).await?;
    session.button("Sync 3 files").await?;
    session.row("huge.csv").await?;
    session.text("level").await?;
    session.text("longer").await?;
    is_alive(&session).await?;
    session.row("noise.txt").await?;
    session.text("second line").await?;
    session.close().await
}

#[tokio::test]
async fn names_that_mean_harm_are_only_names() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    create(&session).await?;
    let image = "<img src=x onerror=\"document.title='taken'\">.csv";
    let script = "<script>document.title='taken'<∕script>.csv";
    let long = format!("{}.txt", "n".repeat(251));
    let names = [image, script, "line\nbreak.csv", "turned\u{202e}vsc.exe", &long];
    for name in names {
        session.write(&format!("coast/input/{name}"), "a note of one line\n")?;
    }
    // The long name is one that can be; the others wait with the reason, and a name to take.
    session.button("Sync 1 file").await?;
    for (shown, why) in [
        ("onerror", "is not allowed"),
        ("script", "is not allowed"),
        ("line␊break.csv", "is not allowed"),
        ("turned‹U+202E›vsc.exe", "is not allowed"),
    ] {
        session.row(shown).await?;
        session.text(why).await?;
    }
    session.row("nnnnnnnn").await?;
    session.text("a note of one line").await?;
    session.picture("names-light").await?;
    let injected = "return document.querySelectorAll('img[src=x], script:not([src])').length";
    assert_eq!(session.script(injected).await?, 0);
    assert_ne!(session.script("return document.title").await?, "taken");
    session.click("Sync 1 file").await?;
    session.text("Published s2").await?;
    assert!(session.at("repository/input").join(&long).is_file());
    for name in names {
        assert!(session.at("coast/input").join(name).is_file(), "{name:?}");
    }
    session.close().await
}

/// A project that is in sync, and the application ended.
async fn settled() -> Outcome<Stage> {
    let session = Session::start(Setup::default()).await?;
    create(&session).await?;
    session.leave().await
}

/// Clicks what begins a sync; when the application has stopped itself at the point that it was told
/// to, something is done behind its back, and it goes on.
async fn while_stopped(session: &Session, button: &str, deed: impl FnOnce() -> Outcome) -> Outcome {
    let stopped = async {
        let begun = Instant::now();
        loop {
            if let Some(pid) = session.processes().into_iter().find(|pid| is_stopped(*pid)) {
                return Ok(pid);
            }
            if begun.elapsed() > PATIENCE {
                return Err("the application did not stop itself");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // The answer to the click may come only when the application goes on.
    let go_on = async {
        let pid = i32::try_from(stopped.await?)?;
        let done = deed();
        kill_process(Pid::from_raw(pid).ok_or("no process")?, Signal::CONT)?;
        done
    };
    let (clicked, done) = tokio::join!(session.click(button), go_on);
    clicked?;
    done
}

fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

/// The repository goes out of reach, or comes back.
fn moved(stage: &Stage, from: &str, to: &str) -> Outcome {
    fs::rename(stage.at(from), stage.at(to))?;
    Ok(fs::rename(stage.at(&format!(".{from}.dsg")), stage.at(&format!(".{to}.dsg")))?)
}

/// The repository vanishes while a sync is at a point before its publish.
async fn vanishes(point: &str) -> Outcome {
    let stage = settled().await?;
    stage.write("coast/input/more.csv", "1;2\n")?;
    let session = Session::on(stage, &[("DSG_STOP_AT", point)]).await?;
    session.button("Sync 1 file").await?;
    while_stopped(&session, "Sync 1 file", || moved(&session, "repository", "away")).await?;
    session.text("The sync did not happen").await?;
    is_alive(&session).await?;
    assert_eq!(fs::read(session.at("coast/input/more.csv"))?, b"1;2\n");
    assert!(!session.at("away/input/more.csv").exists());
    moved(&session, "away", "repository")?;
    session.gone("No repository there").await?;
    session.click("Sync 1 file").await?;
    session.text("Published s2").await?;
    assert_eq!(fs::read(session.at("repository/input/more.csv"))?, b"1;2\n");
    session.close().await
}

#[tokio::test]
async fn a_sync_whose_repository_vanishes_after_the_plan_did_not_happen() -> Outcome {
    vanishes("engine.planned").await
}

#[tokio::test]
async fn a_sync_whose_repository_vanishes_after_staging_did_not_happen() -> Outcome {
    vanishes("engine.staged").await
}

#[tokio::test]
async fn a_sync_whose_repository_vanishes_before_the_publish_did_not_happen() -> Outcome {
    vanishes("engine.sealed").await
}

/// The application dies at a point of a sync, and is started again.
async fn dies(point: &str, published: bool) -> Outcome {
    let stage = settled().await?;
    stage.write("coast/input/more.csv", "1;2\n")?;
    let session = Session::on(stage, &[("DSG_CRASH_AT", point)]).await?;
    session.button("Sync 1 file").await?;
    // It may be gone before it answers.
    let _ = session.click("Sync 1 file").await;
    let session = Session::on(session.ended()?, &[]).await?;
    assert_eq!(fs::read(session.at("coast/input/more.csv"))?, b"1;2\n");
    if !published {
        session.click("Sync 1 file").await?;
        session.text("Published s2").await?;
    }
    session.text("Everything is in sync").await?;
    session.tab("History").await?;
    session.text("s2").await?;
    assert_eq!(fs::read(session.at("repository/input/more.csv"))?, b"1;2\n");
    session.close().await
}

#[tokio::test]
async fn a_window_that_dies_before_the_publish_has_changed_nothing() -> Outcome {
    for point in ["engine.staged", "engine.sealed"] {
        dies(point, false).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_window_that_dies_after_the_publish_finishes_at_its_next_start() -> Outcome {
    for point in ["engine.published", "engine.durable"] {
        dies(point, true).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_saved_while_a_sync_settles_is_a_conflict_and_not_lost() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    create(&session).await?;
    session.work_as("ben@example.org")?;
    session.click("Add a project").await?;
    session.menu("Get a copy").await?;
    session.fill("address", &session.at("repository").display().to_string()).await?;
    session.fill("folder", &session.at("laptop").display().to_string()).await?;
    let submit = Locator::Css("[type=submit]");
    session.with(submit, async |button| button.click().await).await?;
    session.gone("Get a copy of a repository").await?;
    session.write("laptop/output/summary.csv", "mean;8.01\n")?;
    session.click("Sync 1 file").await?;
    session.text("Published s2").await?;
    let session = Session::on(session.leave().await?, &[("DSG_STOP_AT", "engine.step")]).await?;
    session.button("Sync 1 file").await?;
    let save = || session.write("coast/output/summary.csv", "mean;7.77, saved just now\n");
    while_stopped(&session, "Sync 1 file", save).await?;
    session.text("1 conflict waits for a decision.").await?;
    let mine = fs::read_to_string(session.at("coast/output/summary.csv"))?;
    assert_eq!(mine, "mean;7.77, saved just now\n");
    session.close().await
}

#[tokio::test]
async fn a_full_disk_stops_a_sync_before_anything_has_changed() -> Outcome {
    use dsg_testkit::disk::{Disk, Format};
    let Some(disk) = Disk::new(Format::Ext4, 64) else { return Ok(()) };
    let session = Session::start(Setup::default()).await?;
    data(&session)?;
    let address = disk.path().join("repository");
    create_at(&session, &address.display().to_string()).await?;
    let tile = |n: u8| format!("coast/input/tile-{n}.tif");
    for n in 0..3_u8 {
        session.write(
            &tile(n),
            (0..18_000_000_u32).map(|at| (at % 251) as u8 ^ n).collect::<Vec<_>>(),
        )?;
    }
    session.click("Sync 3 files").await?;
    session.text("The sync did not happen").await?;
    session.picture("full-disk-light").await?;
    session.text("Free some space on the repository's disk").await?;
    is_alive(&session).await?;
    assert!(!address.join("input/tile-0.tif").exists());
    // What can be done helps.
    fs::remove_file(session.at(&tile(1)))?;
    fs::remove_file(session.at(&tile(2)))?;
    session.click("Sync 1 file").await?;
    session.text("Published s2").await?;
    assert_eq!(fs::read(address.join("input/tile-0.tif"))?.len(), 18_000_000);
    session.close().await
}
