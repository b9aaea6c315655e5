//! How the web view draws: by the graphics card, or, where there is none, by the processor.
//!
//! Without a card the web view composes with one that the processor imitates, which scrolls at half
//! the speed, takes some 75 MiB more, and in some virtual machines shows nothing at all. Told not to
//! compose, it draws straight. It reads that from its environment only.

#[cfg(target_os = "linux")]
pub use here::without_compositing;

#[cfg(target_os = "linux")]
mod here {
    use std::os::unix::process::CommandExt as _;
    use std::path::Path;
    use std::process::Command;

    /// By what it is told.
    const COMPOSITING: &str = "WEBKIT_DISABLE_COMPOSITING_MODE";
    /// Where the kernel shows what can draw.
    const CARDS: &str = "/dev/dri";

    /// Starts this program anew, told not to compose, where no graphics card draws; goes on as it
    /// is where one does, or where somebody chose already.
    pub fn without_compositing() {
        if std::env::var_os(COMPOSITING).is_some() || has_card(Path::new(CARDS)) {
            return;
        }
        if let Ok(me) = std::env::current_exe() {
            // Comes back only if it could not be started: then it is slower, and no worse.
            let _ = Command::new(me).args(std::env::args_os().skip(1)).env(COMPOSITING, "1").exec();
        }
    }

    fn has_card(folder: &Path) -> bool {
        let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
        names.into_iter().any(|entry| entry.file_name().as_encoded_bytes().starts_with(b"renderD"))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_screen_without_anything_that_renders_is_no_card() {
            let folder = tempfile::tempdir().unwrap();
            assert!(!has_card(&folder.path().join("missing")));
            std::fs::write(folder.path().join("card0"), "").unwrap();
            assert!(!has_card(folder.path()));
            std::fs::write(folder.path().join("renderD128"), "").unwrap();
            assert!(has_card(folder.path()));
        }
    }
}
