//! The real window, driven as a person would: the application as it is built, on a screen of
//! its own.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "benches/window needs more of it")]
#[path = "window/harness.rs"]
mod harness;
#[path = "window/newcomer.rs"]
mod newcomer;
#[path = "window/sample.rs"]
mod sample;
#[path = "window/server.rs"]
mod server;
#[path = "window/settings.rs"]
mod settings;
#[path = "window/trouble.rs"]
mod trouble;
#[path = "window/work.rs"]
mod work;

use std::time::{Duration, Instant};

use fantoccini::Locator;
use harness::{Group, Outcome, PATIENCE, Session, Setup, Stage, Theme};

#[tokio::test]
async fn first_start_offers_the_ways_to_begin() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    session.text("Keep your data under version").await?;
    for way in ["Open a folder…", "Create a repository…", "Get a copy…", "Try it with sample data"]
    {
        session.button(way).await?;
    }
    assert!(session.app_dir().is_dir(), "its data is where DSG_APP_DIR says");
    session.picture("welcome-light").await?;

    // A form opens, takes the focus, asks Rust, shows what Rust answers, and closes again.
    session.button("Open a folder…").await?.click().await?;
    let field = session.window().wait().for_element(Locator::Id("folder")).await?;
    field.send_keys("/nowhere").await?;
    session.picture("open-form-light").await?;
    session.window().find(Locator::Css("[type=submit]")).await?.click().await?;
    session.window().wait().for_element(Locator::Css("[role=alert]")).await?;
    session.picture("open-form-error-light").await?;
    session.button("Copy details").await?.click().await?;
    session.button("Copied").await?;
    session.close().await
}

#[tokio::test]
async fn the_window_follows_a_dark_desktop() -> Outcome {
    let session = Session::start(Setup { theme: Theme::Dark, size: (900, 600) }).await?;
    session.button("Open a folder…").await?;
    let dark = session.script("return matchMedia('(prefers-color-scheme: dark)').matches").await?;
    assert_eq!(dark, true);
    let ground = session.script("return getComputedStyle(document.body).backgroundColor").await?;
    assert_eq!(ground, "rgb(27, 29, 31)");
    session.picture("small-dark").await?;
    session.close().await
}

#[tokio::test]
async fn where_no_graphics_card_is_the_web_view_draws_straight() -> Outcome {
    let stage = Stage::set(Setup::default())?;
    let running = Group::start(&mut stage.command(env!("CARGO_BIN_EXE_dsg-desktop")))?;
    let cards = std::fs::read_dir("/dev/dri").into_iter().flatten().flatten();
    let card = cards.map(|c| c.file_name()).any(|c| c.as_encoded_bytes().starts_with(b"render"));
    let at = |pid: u32, what: &str| std::fs::read(format!("/proc/{pid}/{what}"));
    let is_page = |&p: &u32| at(p, "comm").is_ok_and(|c| c.starts_with(b"WebKitWebP"));
    let begun = Instant::now();
    let page = loop {
        match stage.processes().into_iter().find(is_page) {
            Some(page) => break page,
            None if begun.elapsed() > PATIENCE => return Err("no page was shown".into()),
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let environment = at(page, "environ")?;
    let mut told = environment.split(|byte| *byte == 0);
    assert_eq!(told.any(|one| one == b"WEBKIT_DISABLE_COMPOSITING_MODE=1"), !card);
    drop(running);
    stage.emptied()
}

#[tokio::test]
async fn the_web_side_may_call_nothing_but_the_contract() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    session.button("Open a folder…").await?;
    let script = "const done = arguments[0];
        window.__TAURI_INTERNALS__
            .invoke('plugin:window|set_title', { label: 'main', value: 'x' })
            .then(() => done('allowed'), (error) => done(String(error)));";
    let answer = session.window().execute_async(script, Vec::new()).await?;
    let answer = answer.as_str().unwrap_or_default();
    assert!(answer.contains("not allowed"), "{answer}");
    session.close().await
}
