//! Any text as any configuration file, for the property test and the fuzzer.

use dsg_core::config::{
    Broken, Layer, Mistake, Patterns, ProjectConfig, UserConfig, migrated, migrated_oldest,
};

/// One of the readers.
type Read = fn(&str) -> Result<(), Broken>;

/// Gives a text to every reader: what is wrong lies in the text and can be shown, and what is made newer
/// means the same.
///
/// # Panics
/// It is not so.
pub fn take_apart(text: &str) {
    let reads: [Read; 6] = [
        |text| ProjectConfig::read(text).map(|_| ()),
        |text| ProjectConfig::read_oldest(text).map(|_| ()),
        |text| UserConfig::read(text, Layer::System).map(|_| ()),
        |text| migrated_oldest(text).map(|_| ()),
        |text| {
            let read = Patterns::read(text)?;
            assert_eq!(Patterns::read(&read.text())?, read);
            for path in text.lines().chain(["a/b/c.log", "a"]) {
                let line = read.line_for(path, false).unwrap_or(1);
                assert!((1..=text.lines().count().max(1)).contains(&line));
            }
            Ok(())
        },
        |text| {
            let Some(new) = migrated(text)? else { return Ok(()) };
            let (old, new) = (ProjectConfig::read(text)?, ProjectConfig::read(&new)?);
            assert_eq!((old.shared, old.repository), (new.shared, new.repository));
            Ok(())
        },
    ];
    for broken in reads.into_iter().filter_map(|read| read(text).err()) {
        assert!(!broken.mistakes.is_empty());
        for Mistake { place, what, mend } in &broken.mistakes {
            let lines = text.lines().count().max(1);
            assert!((1..=lines).contains(&place.line) && place.column > 0, "{place:?} in {text:?}");
            assert!(place.length > 0 && !what.is_empty() && !mend.is_empty());
        }
        assert!(broken.told_of("f").lines().count() >= 2 * broken.mistakes.len());
    }
}
