//! The window of DSG: Tauri around the engine.
//!
//! - `contract`: every command, declared once
//! - [`api`]: the data that crosses the bridge
//! - `commands`: the contract as Tauri knows it
//! - [`workbench`]: what the commands do
//! - `bindings`: the contract as TypeScript, checked for drift
//!
//! Only this crate names Tauri; it decides nothing about data.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use tauri::webview::PageLoadEvent;
use tauri::{App, AppHandle, Emitter, Manager, RunEvent, Runtime, WebviewWindowBuilder};

#[macro_use]
mod contract;
pub mod api;
#[cfg(test)]
mod bindings;
mod commands;
pub mod workbench;

use workbench::Workbench;

/// Runs the application until its window is closed.
///
/// # Errors
/// When there is nowhere to keep its data, or no window can be made.
pub fn run() -> Result<(), Box<dyn Error>> {
    let data = data_dir()?;
    tauri::Builder::default()
        .plugin(tauri_plugin_single_instance::init(|app, _arguments, _directory| show(app)))
        .plugin(tauri_plugin_dialog::init())
        .invoke_handler(commands::router())
        .setup(move |app| Ok(set_up(app, data)?))
        .build(tauri::generate_context!())?
        .run(|app, event| {
            if let RunEvent::Exit = event {
                app.state::<Arc<Workbench>>().close();
            }
        });
    Ok(())
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

/// Makes the workbench, its stream of events, and the window.
fn set_up<R: Runtime>(app: &mut App<R>, data: PathBuf) -> tauri::Result<()> {
    std::fs::create_dir_all(&data)?;
    let handle = app.handle().clone();
    // Fails only while the application is ending, when nobody listens.
    let events = Arc::new(move |event| drop(handle.emit("dsg", event)));
    let web_data = data.join("webview");
    app.manage(Arc::new(Workbench::new(data, events)));

    for window in &app.config().app.windows {
        WebviewWindowBuilder::from_config(app.handle(), window)?
            .data_directory(web_data.clone())
            .on_page_load(|window, load| {
                // Shown only now: no white flash on a dark desktop.
                if load.event() == PageLoadEvent::Finished {
                    drop(window.show());
                }
            })
            .build()?;
    }
    Ok(())
}

/// Brings the window to the front, for whoever starts the application a second time.
fn show<R: Runtime>(app: &AppHandle<R>) {
    for window in app.webview_windows().values() {
        drop(window.unminimize());
        drop(window.show());
        drop(window.set_focus());
    }
}
