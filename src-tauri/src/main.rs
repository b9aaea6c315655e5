//! DSG, the desktop application. Everything is in the library.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::process::ExitCode;

/// Gives memory back to the system when a look at many files is over; the system's own allocator
/// keeps much of it.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    dsg_desktop::drawing::without_compositing();
    match dsg_desktop::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dsg-desktop: {error}");
            ExitCode::FAILURE
        }
    }
}
