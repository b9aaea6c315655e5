//! The smallest window that Tauri makes, of the versions that DSG's has: what DSG's is compared with.

use crate::Tried;

/// Runs it until it is ended.
pub(crate) fn run() -> Tried<()> {
    let data = std::env::var_os("DSG_APP_DIR").ok_or("DSG_APP_DIR is not set")?;
    tauri::Builder::default()
        .setup(move |app| {
            for window in &app.config().app.windows {
                tauri::WebviewWindowBuilder::from_config(app.handle(), window)?
                    .data_directory(data.clone().into())
                    .build()?;
            }
            Ok(())
        })
        .run(tauri::generate_context!("benches/window/empty/tauri.conf.json"))?;
    Ok(())
}
