//! The window of DSG: Tauri around the engine.
//!
//! - `contract`: every command, declared once
//! - [`api`]: the data that crosses the bridge
//! - `commands`: the contract as Tauri knows it
//! - [`drawing`]: by the graphics card or by the processor
//! - [`workbench`]: what the commands do
//! - `bindings`: the contract as TypeScript, checked for drift
//!
//! Only this crate names Tauri; it decides nothing about data.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tauri::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use tauri::http::{Response, StatusCode};
use tauri::window::Color;
use tauri::{App, AppHandle, Emitter, Manager, RunEvent, Runtime, Theme, WebviewWindowBuilder};

#[macro_use]
mod contract;
pub mod api;
#[cfg(test)]
mod bindings;
mod commands;
pub mod drawing;
pub mod workbench;

use workbench::Workbench;
use workbench::preview::SCHEME;

/// Runs the application until its window is closed.
///
/// # Errors
/// When there is nowhere to keep its data, or no window can be made.
pub fn run() -> Result<(), Box<dyn Error>> {
    let data = data_dir()?;
    std::fs::create_dir_all(&data)?;
    let told: Arc<OnceLock<AppHandle>> = Arc::default();
    let handle = told.clone();
    // Nobody listens before the window is made; and it fails only while the application is ending.
    let events = Arc::new(move |event| {
        if let Some(handle) = handle.get() {
            drop(handle.emit("dsg", event));
        }
    });
    // It remembers while the system makes the window ready.
    let workbench = Arc::new(Workbench::new(data.clone(), events));
    tauri::Builder::default()
        .plugin(tauri_plugin_single_instance::init(|app, _arguments, _directory| show(app)))
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_opener::Builder::new().open_js_links_on_click(false).build())
        .plugin(remembered_window())
        .register_uri_scheme_protocol(SCHEME, |context, request| {
            image(context.app_handle(), request.uri().path())
        })
        .invoke_handler(commands::router())
        .setup(move |app| {
            let _ = told.set(app.handle().clone());
            workbench.start();
            app.manage(workbench);
            end_when_told(app.handle());
            Ok(open_windows(app, &data.join("webview"))?)
        })
        .build(tauri::generate_context!())?
        .run(|app, event| {
            if let RunEvent::Exit = event {
                app.state::<Arc<Workbench>>().close();
            }
        });
    Ok(())
}

/// The end of the desktop's session is an end as by the window's button: what is under way steps back,
/// and what is to be remembered is.
fn end_when_told<R: Runtime>(app: &AppHandle<R>) {
    let app = app.clone();
    // Without it the application ends at once, which loses nothing that a sync cannot go on with.
    drop(ctrlc::set_handler(move || app.exit(0)));
}

/// Size and place of the window come back before it is shown.
fn remembered_window<R: Runtime>() -> tauri::plugin::TauriPlugin<R> {
    use tauri_plugin_window_state::{Builder, StateFlags};
    let kept = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED;
    Builder::new().with_state_flags(kept).build()
}

/// An image of the last preview: nothing else can be had by this way.
fn image<R: Runtime>(app: &AppHandle<R>, path: &str) -> Response<Vec<u8>> {
    let found = app.state::<Arc<Workbench>>().image(path.trim_start_matches('/'));
    let (status, kind, bytes) = match found {
        Some((kind, bytes)) => (200, kind, bytes.to_vec()),
        None => (404, "text/plain", Vec::new()),
    };
    let mut response = Response::new(bytes);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Where the application keeps its own data: `DSG_APP_DIR`, else the desktop's usual place.
fn data_dir() -> Result<PathBuf, Box<dyn Error>> {
    if let Some(chosen) = std::env::var_os("DSG_APP_DIR") {
        return Ok(chosen.into());
    }
    let dirs = directories::ProjectDirs::from("org", "dsg", "dsg")
        .ok_or("no home directory: set DSG_APP_DIR to a folder for the application's data")?;
    Ok(dirs.data_dir().to_path_buf())
}

/// Opens the window, whose web view keeps its own data in a folder.
fn open_windows<R: Runtime>(app: &App<R>, web_data: &Path) -> tauri::Result<()> {
    for window in &app.config().app.windows {
        let window = WebviewWindowBuilder::from_config(app.handle(), window)?
            .data_directory(web_data.to_owned())
            .build()?;
        // Shown while the page still comes, in the page's own ground: no white flash on a dark
        // desktop, and nobody waits for an empty screen.
        let ground = ground(window.theme().unwrap_or(Theme::Light));
        drop(window.set_background_color(Some(ground)));
        window.show()?;
    }
    Ok(())
}

/// The ground of the page, as `ui/src/lib/design/tokens.css` has it.
fn ground(theme: Theme) -> Color {
    match theme {
        Theme::Dark => Color(0x1b, 0x1d, 0x1f, 0xff),
        _ => Color(0xff, 0xff, 0xff, 0xff),
    }
}

/// Brings the window to the front, for whoever starts the application a second time.
fn show<R: Runtime>(app: &AppHandle<R>) {
    for window in app.webview_windows().values() {
        drop(window.unminimize());
        drop(window.show());
        drop(window.set_focus());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_opens_in_the_ground_of_its_page() {
        let tokens = include_str!("../../ui/src/lib/design/tokens.css");
        let [light, dark] = [Theme::Light, Theme::Dark].map(|theme| {
            let Color(red, green, blue, _) = ground(theme);
            format!("#{red:02x}{green:02x}{blue:02x}")
        });
        assert!(tokens.contains(&format!("--ground: light-dark({light}, {dark});")));
    }
}
