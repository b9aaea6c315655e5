//! A newcomer's whole way with the sample, once with the mouse alone and once with the keyboard
//! alone. Whatever is used is found by its role and the name that a person sees or hears.

use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::harness::{Outcome, Session, Setup, Theme};

/// Gives the visible control of a role and a name, or the one that has the focus if that is it. The
/// dialog or menu on top hides all else.
const FIND: &str = r#"
    const [role, name, focused] = arguments;
    const plain = {
        button: 'button:not([role])',
        textbox: 'textarea, input:not([type]), input[type=text], input[type=search]',
        heading: 'h1, h2',
        img: 'img',
    };
    const words = (text) => (text ?? '').replace(/\s+/g, ' ').trim();
    const called = (e) => words(e.getAttribute('aria-label') ?? e.getAttribute('alt') ?? e.labels?.[0]?.textContent ?? e.textContent);
    const layers = [...document.querySelectorAll('[role=dialog], [role=menu], [role=listbox]')];
    const top = layers.at(-1) ?? document;
    const selector = [`[role="${role}"]`, plain[role]].filter(Boolean).join();
    const fits = [...top.querySelectorAll(selector)].filter((e) => {
        const { width, height } = e.getBoundingClientRect();
        const usable = !e.disabled && e.getAttribute('aria-disabled') !== 'true';
        return width > 0 && height > 0 && usable && called(e).includes(name);
    });
    const best = fits.find((e) => called(e) === name) ?? fits[0] ?? null;
    return focused ? fits.includes(document.activeElement) : best;
"#;
/// The sample takes a while on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(30);

struct Person<'a>(&'a Session);

impl Person<'_> {
    async fn ask(&self, role: &str, name: &str, focused: bool) -> Outcome<Value> {
        let arguments = vec![json!(role), json!(name), json!(focused)];
        Ok(self.0.window().execute(FIND, arguments).await?)
    }

    /// Waits until such a control can be seen.
    async fn see(&self, role: &str, name: &str) -> Outcome<Element> {
        let begun = Instant::now();
        loop {
            let found = self.ask(role, name, false).await?;
            if let Some(id) = found.as_object().and_then(|o| o.values().next()?.as_str()) {
                let id = String::from(id).into();
                return Ok(Element::from_element_id(self.0.window().clone(), id));
            }
            if begun.elapsed() > PATIENCE {
                self.0.picture("newcomer-stuck").await?;
                return Err(format!("there is no {role} {name:?}").into());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Points at it and clicks; waits while something that is about to go lies over it.
    async fn click(&self, role: &str, name: &str) -> Outcome {
        let begun = Instant::now();
        loop {
            match self.see(role, name).await?.click().await {
                Err(error) if begun.elapsed() > PATIENCE => {
                    self.0.picture("newcomer-stuck").await?;
                    return Err(format!("the {role} {name:?} cannot be clicked: {error}").into());
                }
                Ok(()) => return Ok(()),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Goes there with the Tab key.
    async fn go(&self, role: &str, name: &str) -> Outcome {
        self.see(role, name).await?;
        let tab = char::from(Key::Tab).to_string();
        for _ in 0..60 {
            if self.ask(role, name, true).await? == true {
                return Ok(());
            }
            self.0.keys(&[&tab]).await?;
        }
        self.0.picture("newcomer-stuck").await?;
        Err(format!("no Tab leads to the {role} {name:?}").into())
    }

    /// Goes there and presses Enter.
    async fn press(&self, role: &str, name: &str) -> Outcome {
        self.go(role, name).await?;
        self.key(Key::Enter).await
    }

    async fn key(&self, key: Key) -> Outcome {
        self.0.keys(&[&char::from(key).to_string()]).await
    }

    async fn with(&self, held: Key, key: &str) -> Outcome {
        self.0.keys(&[&char::from(held).to_string(), key]).await
    }

    /// Goes down a list, or a menu, until the row or entry of this name is the one that is meant.
    async fn down_to(&self, name: &str) -> Outcome {
        let current = r"
            const active = document.activeElement;
            const row = document.getElementById(active?.getAttribute('aria-activedescendant') ?? '');
            return (row ?? active)?.textContent ?? '';
        ";
        for _ in 0..40 {
            let text = self.0.script(current).await?;
            if text.as_str().is_some_and(|text| text.contains(name)) {
                return Ok(());
            }
            self.key(Key::Down).await?;
        }
        self.0.picture("newcomer-stuck").await?;
        Err(format!("no arrow leads to {name:?}").into())
    }
}

/// What the colleague deleted yesterday.
const DELETED: &str = "means-trial.csv";
const TABLES: &str = "DSG sample/Coast survey/output/tables";

async fn by_mouse(theme: Theme) -> Outcome {
    let session = Session::start(Setup { theme, ..Setup::default() }).await?;
    session.work_as("newcomer@example.org")?;
    let person = Person(&session);
    let shade = if theme == Theme::Dark { "dark" } else { "light" };
    let picture = async |what: &str| session.picture(&format!("window-{what}-{shade}")).await;

    person.see("heading", "Keep your data under version").await?;
    picture("first").await?;
    person.click("button", "Try it with sample data").await?;
    person.see("button", "Make the sample").await?;
    picture("sample").await?;
    person.click("button", "Make the sample").await?;
    person.see("row", "stations.csv").await?;

    // What is pending, and why; the conflict, and its end.
    session.text("1 conflict waits for a decision.").await?;
    person.click("row", "stations.csv").await?;
    session.text("Which one is right?").await?;
    session.text("Here with repository").await?;
    picture("conflict").await?;
    person.click("button", "Keep both").await?;
    session.text("Both are kept").await?;
    picture("decided").await?;
    person.click("radio", "Folders").await?;
    person.see("treegrid", "Changed files").await?;
    person.click("row", "storm-surge.png").await?;
    session.text("The next sync takes it to the repository.").await?;
    person.see("img", "Image: Here").await?;
    picture("folders").await?;
    person.click("radio", "List").await?;
    person.click("button", "→ s9").await?;
    session.text("Published s9").await?;
    session.text("Everything is in sync").await?;
    picture("synced").await?;
    person.click("button", "Show file by file").await?;
    person.see("row", "Uploaded.").await?;
    picture("results").await?;
    person.click("button", "Close").await?;

    // What was: yesterday's snapshot, and what is different today.
    person.click("tab", "History").await?;
    person.click("button", "s8 Second field trip").await?;
    person.see("row", DELETED).await?;
    person.click("combobox", "since").await?;
    person.click("option", "your folder now").await?;
    person.see("combobox", "until: your folder now").await?;
    person.click("row", "summary.R").await?;
    picture("history").await?;

    // What was deleted comes back, and goes again.
    person.click("button", "s8 Second field trip").await?;
    person.click("row", DELETED).await?;
    person.click("button", "Restore from s7").await?;
    session.text("1 file added").await?;
    picture("restore").await?;
    person.click("button", "Restore").await?;
    session.text("Restored:").await?;
    person.click("button", "Show the changes").await?;
    assert!(session.home(TABLES).join(DELETED).is_file());
    person.click("button", "Sync 1 file").await?;
    session.text("Published s10").await?;
    person.click("button", "Undo s10").await?;
    session.text("Published s11").await?;
    assert!(!session.home(TABLES).join(DELETED).exists());

    person.click("tab", "History").await?;
    person.click("radio", "Trash").await?;
    person.see("row", DELETED).await?;
    picture("trash").await?;
    person.click("button", "Verify").await?;
    person.see("heading", "Verify the history").await?;
    person.click("button", "Verify").await?;
    session.text("The history is whole").await?;
    picture("receipt").await?;
    person.click("button", "Close").await?;
    person.click("tab", "Settings").await?;
    picture("settings").await?;

    person.click("button", "More about Coast survey").await?;
    person.click("menuitem", "Remove the sample…").await?;
    person.click("button", "Remove the sample").await?;
    // Whatever its files are called by now, nothing in them is the newcomer's own.
    person.see("heading", "Keep your data under version").await?;
    assert!(!session.home("DSG sample").exists(), "nothing of it is left");
    session.close().await
}

#[tokio::test]
async fn a_newcomer_with_a_mouse() -> Outcome {
    by_mouse(Theme::Light).await
}

#[tokio::test]
async fn a_newcomer_with_a_mouse_on_a_dark_desktop() -> Outcome {
    by_mouse(Theme::Dark).await
}

#[tokio::test]
async fn a_newcomer_with_a_keyboard() -> Outcome {
    let session = Session::start(Setup::default()).await?;
    session.work_as("newcomer@example.org")?;
    let person = Person(&session);
    person.press("button", "Try it with sample data").await?;
    person.press("button", "Make the sample").await?;
    person.see("row", "stations.csv").await?;

    session.text("1 conflict waits for a decision.").await?;
    person.go("grid", "Changed files").await?;
    person.down_to("stations.csv").await?;
    session.text("Which one is right?").await?;
    session.keys(&[">"]).await?;
    session.text("Mine is kept").await?;
    session.keys(&["/"]).await?;
    session.text("Which one is right?").await?;
    session.keys(&["<"]).await?;
    session.text("Theirs is taken").await?;
    person.with(Key::Control, &char::from(Key::Enter).to_string()).await?;
    session.text("Published s9").await?;

    // Today's snapshot beside yesterday's, then beside the one before that.
    person.with(Key::Control, "2").await?;
    person.go("button", "s9 No message").await?;
    person.with(Key::Shift, &char::from(Key::Down).to_string()).await?;
    person.with(Key::Shift, &char::from(Key::Down).to_string()).await?;
    person.see("combobox", "since: s7").await?;

    person.press("button", "s8 Second field trip").await?;
    person.go("grid", "Files that differ").await?;
    person.down_to(DELETED).await?;
    person.press("button", "Restore from s7").await?;
    session.text("1 file added").await?;
    person.press("button", "Restore").await?;
    session.text("Restored:").await?;
    person.press("button", "Show the changes").await?;
    assert!(session.home(TABLES).join(DELETED).is_file());
    person.see("button", "Sync 1 file").await?;
    person.with(Key::Control, &char::from(Key::Enter).to_string()).await?;
    session.text("Published s10").await?;
    person.press("button", "Undo s10").await?;
    session.text("Published s11").await?;
    assert!(!session.home(TABLES).join(DELETED).exists());

    // A border is moved by keys, too.
    person.go("separator", "Width of the list of projects").await?;
    let width = "return document.querySelector('nav').getBoundingClientRect().width";
    let before = session.script(width).await?;
    person.key(Key::Right).await?;
    assert_ne!(session.script(width).await?, before);

    person.press("button", "More about Coast survey").await?;
    person.see("menuitem", "Remove the sample…").await?;
    person.down_to("Remove the sample…").await?;
    person.key(Key::Enter).await?;
    person.press("button", "Remove the sample").await?;
    person.see("heading", "Keep your data under version").await?;
    assert!(!session.home("DSG sample").exists(), "nothing of it is left");
    session.close().await
}
