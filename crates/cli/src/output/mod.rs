//! An answer as words for people ([`text`]) or as one JSON document ([`json`]).
//!
//! Owns what both share: the one place that writes to stdout, and how names, sizes and times look.

pub(crate) mod json;
#[cfg(test)]
mod samples;
pub(crate) mod text;

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal as _, Write as _};

use dsg_core::failure::{Failure, Outcome};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// How words look.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    /// With colours.
    pub(crate) colour: bool,
    /// More words.
    pub(crate) verbose: bool,
    /// Times are shown in this zone.
    pub(crate) zone: TimeZone,
}

/// What a piece of text is, and so its colour.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tone {
    /// A heading.
    Strong,
    /// Of less weight.
    Faint,
    /// Well.
    Good,
    /// Needs a person.
    Warn,
    /// Failed.
    Bad,
}

impl Style {
    /// For stdout.
    pub(crate) fn stdout(verbose: bool) -> Self {
        Self::on(std::io::stdout().is_terminal(), verbose)
    }

    /// For stderr.
    pub(crate) fn stderr(verbose: bool) -> Self {
        Self::on(std::io::stderr().is_terminal(), verbose)
    }

    fn on(terminal: bool, verbose: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let able = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { colour: terminal && able && !refused, verbose, zone: TimeZone::system() }
    }

    /// The text in the tone's colour.
    pub(crate) fn paint(&self, tone: Tone, text: impl Display) -> String {
        let code = match tone {
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    /// A time, to the minute.
    pub(crate) fn time(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }
}

/// Writes to stdout. A reader that has seen enough (`dsg log | head`) is no failure.
pub(crate) fn print(text: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::io("write to", "stdout", error))
        }
        _ => Ok(()),
    }
}

/// A name as it can be shown: what would steer a terminal is escaped.
pub(crate) fn shown(name: &str) -> String {
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    name.chars()
        .map(|c| if invisible(c) { c.escape_unicode().to_string() } else { c.to_string() })
        .collect()
}

/// A name as a shell takes it.
pub(crate) fn quoted(name: &str) -> String {
    dsg_core::failure::shell_word(&shown(name))
}

/// Bytes, for people: three digits are enough.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut scale = 1000_u64;
    while unit + 1 < UNITS.len() && bytes / scale >= 1000 {
        scale *= 1000;
        unit += 1;
    }
    let tenths = u128::from(bytes) * 10 / u128::from(scale);
    let (whole, rest) = (tenths / 10, tenths % 10);
    if whole >= 100 || rest == 0 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{rest} {}", UNITS[unit])
    }
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (1234, "1.2 kB"),
            (123_456, "123 kB"),
            (999_999, "999 kB"),
            (1_000_000, "1 MB"),
            (3_221_225_472, "3.2 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn names_cannot_steer_a_terminal_or_a_shell() {
        assert_eq!(shown("a\x1b[2Jb\u{202e}"), "a\\u{1b}[2Jb\\u{202e}");
        for (name, text) in [
            ("input/a.csv", "input/a.csv"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("-rf", "'./-rf'"),
            ("$(x)", "'$(x)'"),
        ] {
            assert_eq!(quoted(name), text);
        }
    }
}
