//! Starts the real application on a screen of its own and drives it by `WebDriver`.
//!
//! Everything a session starts (screen, message bus, driver, application) is a child in a
//! process group of its own, and ends with the [`Session`], also when a test fails.
//! Needs `Xvfb`, `dbus-daemon` and `WebKitWebDriver`.

use std::error::Error;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io};

use fantoccini::elements::Element;
use fantoccini::error::{CmdError, ErrorStatus};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use serde_json::json;
use tempfile::TempDir;

/// What a step of a scenario gives.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// So long a process that was asked to end is waited for.
const FAREWELL: Duration = Duration::from_secs(1);
/// Between two looks at something that is waited for.
const BREATH: Duration = Duration::from_millis(20);

/// A bus that starts nothing by itself: a desktop's portals are slow, may hang for want of a desktop,
/// and differ from one machine to the next.
const BUS: &str = "<busconfig>
  <type>session</type>
  <listen>unix:path=SOCKET</listen>
  <policy context=\"default\">
    <allow send_destination=\"*\" eavesdrop=\"true\"/>
    <allow eavesdrop=\"true\"/>
    <allow own=\"*\"/>
  </policy>
</busconfig>
";

/// How the names of pictures begin that docs/window.md shows.
const DOCUMENTED: &str = "window-";

/// The desktop's colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

/// On what the application is to be started.
pub(crate) struct Setup {
    pub(crate) theme: Theme,
    pub(crate) size: (u32, u32),
}

impl Default for Setup {
    fn default() -> Self {
        Self { theme: Theme::Light, size: (1280, 800) }
    }
}

/// A child that ends, with all that it started, when this is dropped.
pub(crate) struct Group(Child);

impl Group {
    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.process_group(0).stdin(Stdio::null()).spawn();
        Ok(Self(child.map_err(|error| format!("cannot start {name}: {error}"))?))
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// The first line that the child writes.
    fn first_line(&mut self) -> Outcome<String> {
        let mut output = self.0.stdout.take().ok_or("its output is not read")?;
        let mut line = String::new();
        BufReader::new(&mut output).read_line(&mut line)?;
        // Drained on, so that the child never waits for a reader.
        std::thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        let line = line.trim();
        if line.is_empty() {
            return Err(format!("process {} ended without a word", self.0.id()).into());
        }
        Ok(line.to_owned())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            // Asked first, so that a screen takes its socket along.
            let _ = kill_process_group(group, Signal::TERM);
            let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            let asked = Instant::now();
            while matches!(waitid(WaitId::Pid(group), ended), Ok(None))
                && asked.elapsed() < FAREWELL
            {
                std::thread::sleep(BREATH);
            }
            let _ = kill_process_group(group, Signal::KILL);
        }
        drop(self.0.wait());
    }
}

/// A screen, a message bus and a home folder of their own. The application may be started on it
/// more than once, and finds again what it left.
pub(crate) struct Stage {
    // Ended in this order; the folder last, or a dying application would make its own anew.
    _bus: Group,
    _screen: Group,
    dir: TempDir,
    display: String,
    address: String,
    setup: Setup,
}

impl Stage {
    /// Makes one, empty.
    pub(crate) fn set(setup: Setup) -> Outcome<Self> {
        let dir = tempfile::Builder::new().prefix("dsg-").tempdir()?;
        let (width, height) = setup.size;
        let mut screen = Group::start(
            Command::new("Xvfb")
                .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0"])
                .arg(format!("{width}x{height}x24"))
                .arg("-fbdir")
                .arg(dir.path())
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        )?;
        let display = format!(":{}", screen.first_line()?);
        let runtime = dir.path().join("runtime");
        fs::create_dir(&runtime)?;
        fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        let bus = dir.path().join("bus.conf");
        fs::write(&bus, BUS.replace("SOCKET", &runtime.join("bus").display().to_string()))?;
        let mut bus = Group::start(
            Command::new("dbus-daemon")
                .args(["--nofork", "--nopidfile", "--print-address=1", "--config-file"])
                .arg(&bus)
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        )?;
        let address = bus.first_line()?;
        Ok(Self { _bus: bus, _screen: screen, dir, display, address, setup })
    }

    /// A program that runs on it.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let dark = self.setup.theme == Theme::Dark;
        let mut command = Command::new(program);
        command
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .env("XDG_RUNTIME_DIR", self.dir.path().join("runtime"))
            .env("HOME", self.dir.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("DSG_CONFIG_HOME")
            .env("DSG_APP_DIR", self.app_dir())
            .env("GTK_THEME", if dark { "Adwaita:dark" } else { "Adwaita" })
            // There is no bus for screen readers.
            .env("NO_AT_BRIDGE", "1")
            .env_remove("WAYLAND_DISPLAY");
        command
    }

    /// Where the application keeps its own data.
    pub(crate) fn app_dir(&self) -> PathBuf {
        self.dir.path().join("app")
    }

    /// The screen's pixels, as a file (XWD) that is always true.
    pub(crate) fn pixels(&self) -> PathBuf {
        self.dir.path().join("Xvfb_screen0")
    }

    /// The application's processes that run on it: its own, and those of its web view.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mine = format!("DSG_APP_DIR={}", self.app_dir().display()).into_bytes();
        let runs_here = |pid: &u32| {
            let proc = PathBuf::from(format!("/proc/{pid}"));
            let driver =
                fs::read(proc.join("comm")).is_ok_and(|c| c.starts_with(b"WebKitWebDriver"));
            let env = fs::read(proc.join("environ")).unwrap_or_default();
            !driver && env.split(|byte| *byte == 0).any(|one| one == mine)
        };
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(runs_here).collect()
    }

    /// Waits until none of them is left.
    pub(crate) fn emptied(&self) -> Outcome {
        let begun = Instant::now();
        while !self.processes().is_empty() {
            if begun.elapsed() > PATIENCE {
                return Err("the application does not end".into());
            }
            std::thread::sleep(BREATH);
        }
        Ok(())
    }

    /// A place in the person's own folder.
    pub(crate) fn home(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// A place beside the application's own data, for projects and repositories.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("data").join(path)
    }

    /// Writes a file there, with its folders.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Outcome {
        let path = self.at(path);
        fs::create_dir_all(path.parent().ok_or("no parent")?)?;
        Ok(fs::write(path, content)?)
    }

    /// Whoever syncs from now on has this name.
    pub(crate) fn work_as(&self, author: &str) -> Outcome {
        let file = self.dir.path().join(".config/dsg/dsg.yml");
        fs::create_dir_all(file.parent().ok_or("no parent")?)?;
        Ok(fs::write(file, format!("user_id: {author}\n"))?)
    }
}

/// The application, running, and the way to its window.
pub(crate) struct Session {
    client: Client,
    /// Place and size that the window came with, before it was made as large as the screen.
    pub(crate) came: (u64, u64, u64, u64),
    // Ended before the stage.
    _driver: Group,
    stage: Stage,
}

impl Deref for Session {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Session {
    /// Starts the application with empty data and waits until its window is there.
    pub(crate) async fn start(setup: Setup) -> Outcome<Self> {
        Self::on(Stage::set(setup)?, &[]).await
    }

    /// Starts the application on a stage; `env`: what it shall find in its environment besides.
    pub(crate) async fn on(stage: Stage, env: &[(&str, &str)]) -> Outcome<Self> {
        let log = fs::File::create(stage.dir.path().join("driver.log"))?;
        let port = free_port()?;
        let driver = Group::start(
            stage
                .command("WebKitWebDriver")
                .arg(format!("--port={port}"))
                .env("TAURI_WEBVIEW_AUTOMATION", "true")
                // The driver waits for ever for a picture of a page that is not composed.
                .env("WEBKIT_DISABLE_COMPOSITING_MODE", "0")
                .envs(env.iter().copied())
                .stdout(Stdio::from(log.try_clone()?))
                .stderr(Stdio::from(log)),
        )?;
        let client = match connect(port).await {
            Ok(client) => client,
            Err(error) => return Err(format!("{error}\n{}", read_log(stage.dir.path())).into()),
        };
        let (width, height) = stage.setup.size;
        let came = client.get_window_rect().await?;
        client.set_window_rect(0, 0, width, height).await?;
        Ok(Self { client, came, _driver: driver, stage })
    }

    /// The window, for whatever the harness has no word for.
    pub(crate) fn window(&self) -> &Client {
        &self.client
    }

    /// Waits until a button of this name can be seen.
    pub(crate) async fn button(&self, name: &str) -> Outcome<Element> {
        let path = format!("//button[contains(normalize-space(.), {name:?})]");
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&path)).await;
        found.map_err(|error| format!("no button {name:?}: {error}").into())
    }

    /// Waits until this text can be seen.
    pub(crate) async fn text(&self, text: &str) -> Outcome {
        let path = format!("//*[contains(normalize-space(text()), {text:?})]");
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&path)).await;
        found.map(drop).map_err(|error| format!("no text {text:?}: {error}").into())
    }

    /// Clicks the button of this name as soon as it can be clicked.
    pub(crate) async fn click(&self, name: &str) -> Outcome {
        let path = format!(
            "//button[not(@disabled)][contains(normalize-space(.), {name:?}) or @aria-label={name:?}]"
        );
        self.choose(&path).await
    }

    /// Goes to a tab of the project.
    pub(crate) async fn tab(&self, name: &str) -> Outcome {
        self.choose(&format!("//*[@role='tab'][normalize-space()={name:?}]")).await
    }

    /// Clicks the row of a list that shows this text.
    pub(crate) async fn row(&self, text: &str) -> Outcome {
        let path = format!("//*[@role='row'][contains(normalize-space(.), {text:?})]");
        self.choose(&path).await
    }

    /// Clicks an entry of the menu that is open.
    pub(crate) async fn menu(&self, name: &str) -> Outcome {
        self.choose(&format!("//*[@role='menuitem'][contains(normalize-space(.), {name:?})]")).await
    }

    /// Types into the field that narrows a list.
    pub(crate) async fn find(&self, text: &str) -> Outcome {
        self.with(Locator::Css(".filter input"), async |field| field.send_keys(text).await).await
    }

    async fn choose(&self, path: &str) -> Outcome {
        self.with(Locator::XPath(path), async |element| element.click().await).await
    }

    /// Types into the field of this id what shall stand there.
    pub(crate) async fn fill(&self, id: &str, text: &str) -> Outcome {
        self.with(Locator::Id(id), async |field| {
            field.clear().await?;
            field.send_keys(text).await
        })
        .await
    }

    /// Does something with an element as soon as it is there and can take it: what the window draws
    /// anew, or covers for a moment, is found again.
    pub(crate) async fn with(
        &self,
        place: Locator<'_>,
        deed: impl AsyncFn(Element) -> Result<(), CmdError>,
    ) -> Outcome {
        let begun = Instant::now();
        loop {
            let tried = match self.client.find(place).await {
                Ok(element) => deed(element).await,
                Err(error) => Err(error),
            };
            match tried {
                Err(error) if passes(&error) && begun.elapsed() < PATIENCE => {
                    tokio::time::sleep(BREATH).await;
                }
                done => return done.map_err(|error| format!("{place:?}: {error}").into()),
            }
        }
    }

    /// Sends keys to whatever has the focus.
    pub(crate) async fn keys(&self, keys: &[&str]) -> Outcome {
        use fantoccini::actions::{InputSource, KeyAction, KeyActions};
        let mut actions = KeyActions::new("keys".to_owned());
        let codes: Vec<char> = keys.iter().filter_map(|key| key.chars().next()).collect();
        for code in &codes {
            actions = actions.then(KeyAction::Down { value: *code });
        }
        for code in codes.iter().rev() {
            actions = actions.then(KeyAction::Up { value: *code });
        }
        Ok(self.client.perform_actions(actions).await?)
    }

    /// Drags what is there to the right by mouse.
    pub(crate) async fn drag(&self, place: Locator<'_>, pixels: f64) -> Outcome {
        use fantoccini::actions::PointerAction::{Down, MoveBy, MoveTo, Up};
        use fantoccini::actions::{InputSource, MOUSE_BUTTON_LEFT, MouseActions};
        let (left, top, width, height) = self.client.find(place).await?.rectangle().await?;
        let (x, y) = (left + width / 2.0, top + height / 2.0);
        let actions = MouseActions::new("mouse".to_owned())
            .then(MoveTo { duration: None, x, y })
            .then(Down { button: MOUSE_BUTTON_LEFT })
            .then(MoveBy { duration: None, x: pixels / 2.0, y: 0.0 })
            .then(MoveBy { duration: None, x: pixels / 2.0, y: 0.0 })
            .then(Up { button: MOUSE_BUTTON_LEFT });
        Ok(self.client.perform_actions(actions).await?)
    }

    /// Waits until nothing shows this text any more.
    pub(crate) async fn gone(&self, text: &str) -> Outcome {
        let path = format!("//*[contains(normalize-space(text()), {text:?})]");
        let begun = Instant::now();
        while self.client.find(Locator::XPath(&path)).await.is_ok() {
            if begun.elapsed() > PATIENCE {
                return Err(format!("{text:?} is still shown").into());
            }
            tokio::time::sleep(BREATH).await;
        }
        Ok(())
    }

    /// Runs a script in the window and gives what it returns.
    pub(crate) async fn script(&self, script: &str) -> Outcome<serde_json::Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// Keeps a picture of the window in the target directory; with `DSG_WRITE_PICTURES`, those of
    /// the documentation also there.
    pub(crate) async fn picture(&self, name: &str) -> Outcome<PathBuf> {
        // Without two frames in between, the picture may be an old one.
        let wait = "const done = arguments[0];
            requestAnimationFrame(() => requestAnimationFrame(() => done(null)));";
        self.client.execute_async(wait, Vec::new()).await?;
        let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("window");
        fs::create_dir_all(&pictures)?;
        let file = pictures.join(format!("{name}.png"));
        fs::write(&file, self.client.screenshot().await?)?;
        if name.starts_with(DOCUMENTED) && std::env::var_os("DSG_WRITE_PICTURES").is_some() {
            let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
            fs::create_dir_all(&pictures)?;
            fs::copy(&file, pictures.join(format!("{name}.png")))?;
        }
        Ok(file)
    }

    /// Ends the application as the driver does it; dropping the session ends it anyway.
    pub(crate) async fn close(self) -> Outcome {
        self.leave().await.map(drop)
    }

    /// As [`Session::close`], and gives the stage for another start.
    pub(crate) async fn leave(self) -> Outcome<Stage> {
        self.client.clone().close().await?;
        self.ended()
    }

    /// Ends the application as a desktop does whose session ends.
    pub(crate) fn log_out(self) -> Outcome<Stage> {
        let app = env!("CARGO_BIN_EXE_dsg-desktop");
        let is_app = |pid: &u32| {
            fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == Path::new(app))
        };
        let pids = self.stage.processes().into_iter().filter(is_app);
        for pid in pids.filter_map(|pid| i32::try_from(pid).ok().and_then(Pid::from_raw)) {
            kill_process(pid, Signal::TERM)?;
        }
        self.ended()
    }

    /// The stage of an application that ends by itself.
    pub(crate) fn ended(self) -> Outcome<Stage> {
        self.stage.emptied()?;
        Ok(self.stage)
    }
}

/// Whether it says only that an element is not there, or not to be had, now.
fn passes(error: &CmdError) -> bool {
    let CmdError::Standard(said) = error else { return false };
    matches!(
        said.error,
        ErrorStatus::NoSuchElement
            | ErrorStatus::StaleElementReference
            | ErrorStatus::ElementNotInteractable
            | ErrorStatus::ElementClickIntercepted
    )
}

/// A port for a driver, below those that the system gives to outgoing connections: one of these
/// could be taken by a connection before the driver is there, even by the one that waits for it.
fn free_port() -> Outcome<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(37);
    for _ in 0..1000 {
        let number = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(15_000 + number % 15_000)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port is free".into())
}

/// Starts the application through the driver, as soon as the driver listens.
async fn connect(port: u16) -> Outcome<Client> {
    let options = json!({ "binary": env!("CARGO_BIN_EXE_dsg-desktop"), "args": [] });
    let mut capabilities = serde_json::Map::new();
    capabilities.insert("webkitgtk:browserOptions".into(), options);
    let url = format!("http://127.0.0.1:{port}");
    let listening = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listening).await.map_err(|_| "the driver does not listen")?;
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    let connected = tokio::time::timeout(PATIENCE * 3, builder.connect(&url)).await;
    Ok(connected.map_err(|_| "the window did not appear")??)
}

/// What driver and application wrote.
fn read_log(dir: &Path) -> String {
    let mut log = String::new();
    if let Ok(mut file) = fs::File::open(dir.join("driver.log")) {
        drop(file.read_to_string(&mut log));
    }
    log
}
