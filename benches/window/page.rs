//! Inside of the page: how soon a key shows, how smoothly the list scrolls.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Tried;
use crate::harness::Session;

/// Waits until the list stands, with so many rows and the first of them drawn.
pub(crate) async fn list(session: &Session, rows: u64) -> Tried {
    let ready = "const grid = document.querySelector('[role=grid]');
        const shown = grid?.querySelector('[role=row] .name');
        return shown ? Number(grid.getAttribute('aria-rowcount')) : 0;";
    let begun = Instant::now();
    while session.script(ready).await?.as_u64() != Some(rows) {
        if begun.elapsed() > Duration::from_secs(300) {
            return Err(format!("no list of {rows} rows").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Notes for each key when the frame was painted that shows another number of rows. A message that
/// is posted within a frame's callback arrives after that frame's paint.
const NOTE: &str = "
    const grid = document.querySelector('[role=grid]');
    const field = document.querySelector('.filter input');
    window.keyTimes = [];
    let pressed = null;
    field.addEventListener('keydown', (event) => { pressed = event.timeStamp; }, true);
    new MutationObserver(() => {
        if (pressed === null) return;
        const since = pressed;
        pressed = null;
        requestAnimationFrame(() => {
            const channel = new MessageChannel();
            channel.port1.onmessage = () => window.keyTimes.push(performance.now() - since);
            channel.port2.postMessage(null);
        });
    }).observe(grid, { attributes: true, attributeFilter: ['aria-rowcount'] });
    field.focus();";

/// Milliseconds from each key to the list that shows it: of a text that every key of narrows the
/// list, and of taking it back.
pub(crate) async fn keys(session: &Session) -> Tried<Vec<(&'static str, Vec<f64>)>> {
    session.script(NOTE).await?;
    let mut typed = Vec::new();
    let mut erased = Vec::new();
    let back = char::from(fantoccini::key::Key::Backspace).to_string();
    for _ in 0..4 {
        for key in ["7", "1", "2", "3"] {
            typed.push(key_time(session, key).await?);
        }
        for _ in 0..4 {
            erased.push(key_time(session, &back).await?);
        }
    }
    Ok(vec![("a letter of the filter", typed), ("a letter taken back", erased)])
}

async fn key_time(session: &Session, key: &str) -> Tried<f64> {
    let count = "return window.keyTimes.length";
    let before = session.script(count).await?;
    session.keys(&[key]).await?;
    let begun = Instant::now();
    loop {
        // What asks the page takes its time: not before the list has answered. A key of a person
        // comes no sooner, either.
        tokio::time::sleep(Duration::from_millis(250)).await;
        if session.script(count).await? != before {
            break;
        }
        if begun.elapsed() > Duration::from_secs(30) {
            return Err(format!("the key {key:?} changed nothing").into());
        }
    }
    let last = session.script("return window.keyTimes.at(-1)").await?;
    Ok(last.as_f64().ok_or("no time")?)
}

/// How scrolling went.
pub(crate) struct Scrolled {
    /// Frames in a second.
    pub(crate) rate: f64,
    /// Milliseconds between two frames, at most.
    pub(crate) longest: f64,
    /// How often a row in view was not drawn yet, in all frames together.
    pub(crate) missing: u64,
    pub(crate) frames: u64,
}

const SCROLL: &str = "
    const [speed, done] = arguments;
    const grid = document.querySelector('[role=grid]');
    grid.scrollTop = 0;
    let begun = null, last = null, longest = 0, frames = 0, missing = 0;
    const step = (now) => {
        begun ??= now;
        if (last !== null) {
            frames += 1;
            longest = Math.max(longest, now - last);
            const view = grid.getBoundingClientRect();
            for (const row of grid.querySelectorAll('[role=row]')) {
                const place = row.getBoundingClientRect();
                const seen = place.bottom > view.top && place.top < view.bottom;
                if (seen && !row.querySelector('.name')) missing += 1;
            }
        }
        last = now;
        const passed = now - begun;
        if (passed >= 5000) return done({ rate: frames * 1000 / passed, longest, missing, frames });
        grid.scrollTop = speed * passed / 1000;
        requestAnimationFrame(step);
    };
    requestAnimationFrame(step);";

/// Scrolls for five seconds, so many pixels in each of them.
pub(crate) async fn scroll(session: &Session, speed: u32) -> Tried<Scrolled> {
    let told = session.window().execute_async(SCROLL, vec![json!(speed)]).await?;
    let number = |name: &str| told.get(name).and_then(Value::as_f64).ok_or("no measure");
    let count = |name: &str| told.get(name).and_then(Value::as_u64).ok_or("no measure");
    Ok(Scrolled {
        rate: number("rate")?,
        longest: number("longest")?,
        missing: count("missing")?,
        frames: count("frames")?,
    })
}
