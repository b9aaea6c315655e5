//! The commands of the contract as Tauri knows them: each hands its request to the workbench,
//! away from the window's own thread, and hands back the answer.

use std::path::Path;
use std::sync::Arc;

use tauri::ipc::Invoke;
use tauri::{AppHandle, Runtime, State, async_runtime};
use tauri_plugin_dialog::DialogExt;
use tauri_plugin_opener::OpenerExt;

#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;
use crate::workbench::Workbench;

/// What every command answers.
type Reply<T> = Result<T, ApiError>;

/// Runs work that may touch disks and networks where it blocks nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Reply<T> + Send + 'static) -> Reply<T> {
    async_runtime::spawn_blocking(work).await.unwrap_or_else(|panic| {
        Err(ApiError::new("internal", "DSG made a mistake of its own; nothing was published")
            .with_hint("Please report it, with the details below.")
            .with_detail(panic.to_string()))
    })
}

macro_rules! workbench_commands {
    (
        workbench { $($(#[$doc:meta])* $name:ident($request:ty) -> $response:ty;)* }
        $window:ident { $($(#[$window_doc:meta])* $window_name:ident($($rest:tt)*) -> $window_response:ty;)* }
    ) => {
        $(
            $(#[$doc])*
            #[tauri::command]
            async fn $name(
                workbench: State<'_, Arc<Workbench>>,
                request: $request,
            ) -> Reply<$response> {
                let workbench = Arc::clone(&workbench);
                blocking(move || workbench.$name(request)).await
            }
        )*

        /// Answers a call of the web side.
        pub(crate) fn router<R: Runtime>() -> impl Fn(Invoke<R>) -> bool + Send + Sync + 'static {
            tauri::generate_handler![$($name,)* $($window_name),*]
        }
    };
}

contract!(workbench_commands);

/// Shows the desktop's own folder dialog; nothing if it was cancelled.
#[tauri::command]
async fn pick_folder<R: Runtime>(app: AppHandle<R>, request: PickFolder) -> Reply<Option<String>> {
    blocking(move || {
        let Some(chosen) = app.dialog().file().set_title(request.title).blocking_pick_folder()
        else {
            return Ok(None);
        };
        let path = chosen.into_path().map_err(|cause| {
            ApiError::new("not-a-folder", "That place is not a folder of this computer")
                .with_detail(cause.to_string())
        })?;
        path.into_os_string().into_string().map(Some).map_err(|name| {
            ApiError::new("bad-name", "The folder's path is not valid text (UTF-8)")
                .with_hint("Rename the folder, or choose another one.")
                .with_detail(name.display().to_string())
        })
    })
    .await
}

/// Opens a file of the folder with the program that the desktop has for it.
#[tauri::command]
async fn path_open<R: Runtime>(
    app: AppHandle<R>,
    workbench: State<'_, Arc<Workbench>>,
    request: PathRef,
) -> Reply<()> {
    let workbench = Arc::clone(&workbench);
    blocking(move || open(&app, &workbench.file(&request)?)).await
}

/// Shows a path of the folder in the file manager.
#[tauri::command]
async fn path_reveal<R: Runtime>(
    app: AppHandle<R>,
    workbench: State<'_, Arc<Workbench>>,
    request: PathRef,
) -> Reply<()> {
    let workbench = Arc::clone(&workbench);
    blocking(move || {
        let file = workbench.file(&request)?;
        app.opener().reveal_item_in_dir(&file).map_err(|cause| not_opened(&file, cause))
    })
    .await
}

/// Opens a copy of a former version.
#[tauri::command]
async fn version_open<R: Runtime>(
    app: AppHandle<R>,
    workbench: State<'_, Arc<Workbench>>,
    request: OpenVersion,
) -> Reply<()> {
    let workbench = Arc::clone(&workbench);
    blocking(move || open(&app, &workbench.copy_of_version(&request)?)).await
}

fn open<R: Runtime>(app: &AppHandle<R>, file: &Path) -> Reply<()> {
    let path = file.to_string_lossy();
    app.opener().open_path(path, None::<&str>).map_err(|cause| not_opened(file, cause))
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn not_opened(file: &Path, cause: impl ToString) -> ApiError {
    let said = format!("The desktop could not open {}.", file.display());
    ApiError::new("not-opened", said)
        .with_hint("Open it from your file manager.")
        .with_detail(cause.to_string())
}
