//! How the web view draws: by the graphics card, or, where there is none, by the processor.
//!
//! Without a card the web view composes with one that the processor imitates, which scrolls at half
//! the speed, takes some 75 MiB more, and in some virtual machines shows nothing at all. Told not to
//! compose, it draws straight. It reads that from its environment only.
//!
//! The one module with unsafe code: a program's environment may be changed only while nobody else
//! reads it, and only the program itself can know that.

#[cfg(target_os = "linux")]
pub use here::without_compositing;

#[cfg(target_os = "linux")]
mod here {
    use std::path::Path;

    /// By what it is told.
    const COMPOSITING: &str = "WEBKIT_DISABLE_COMPOSITING_MODE";
    /// Where the kernel shows what can draw.
    const CARDS: &str = "/dev/dri";

    /// Tells the web view not to compose where no graphics card draws, unless somebody chose already.
    /// To be called before anything else.
    pub fn without_compositing() {
        let chosen = std::env::var_os(COMPOSITING).is_some();
        if !chosen && !has_card(Path::new(CARDS)) {
            // SAFETY: no thread of this program runs yet. The one that the web view's library starts
            // as it is loaded (its allocator's, which gives memory back) reads no environment.
            #[allow(unsafe_code, reason = "the web view reads it from nowhere else")]
            unsafe {
                std::env::set_var(COMPOSITING, "1");
            }
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
