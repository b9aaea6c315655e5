//! What is told while work is under way, on stderr: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use dsg_core::monitor::{Event, Phase, Sink};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::shown;
use crate::request::Manners;

/// A sink that draws.
pub(crate) struct Told {
    bar: Option<ProgressBar>,
    manners: Manners,
}

impl Told {
    /// Draws a bar only on a terminal, and not when few words are wanted.
    pub(crate) fn new(manners: Manners) -> Self {
        let draw = std::io::stderr().is_terminal() && !manners.quiet && !manners.json;
        let bar = draw
            .then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)));
        Self { bar, manners }
    }

    /// Takes the bar off the screen.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Says that the wish to stop was heard.
    pub(crate) fn stopping(&self) {
        self.line("Stopping. A sync that is being published is finished first.");
    }

    /// Says a line.
    pub(crate) fn say(&self, text: &str) {
        self.line(text);
    }

    /// Does something at the terminal while no bar is drawn.
    pub(crate) fn aside<T>(&self, what: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(what),
            None => what(),
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    fn begin(&self, phase: Phase, files: Option<u64>, bytes: Option<u64>) {
        let Some(bar) = &self.bar else {
            if self.manners.verbose {
                self.line(&format!("{}…", name(phase)));
            }
            return;
        };
        bar.reset();
        bar.set_style(style(bytes.or(files).is_some(), bytes.is_some()));
        match bytes.or(files) {
            Some(length) => bar.set_length(length),
            None => bar.unset_length(),
        }
        bar.set_prefix(name(phase));
        bar.set_message("");
        bar.enable_steady_tick(Duration::from_millis(120));
    }
}

impl Sink for Told {
    fn event(&self, event: Event) {
        match event {
            Event::Phase { phase, files, bytes } => self.begin(phase, files, bytes),
            Event::Advanced { files, bytes } => {
                if let Some(bar) = &self.bar {
                    bar.inc(if bytes > 0 { bytes } else { files });
                }
            }
            Event::Path(path) => match &self.bar {
                Some(bar) => bar.set_message(shown(&path)),
                None if self.manners.verbose => self.line(&format!("  {}", shown(&path))),
                None => {}
            },
            Event::Notice(text) if !self.manners.quiet => self.line(&shown(&text)),
            Event::Notice(_) => {}
        }
    }
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Scanning => "Looking at files",
        Phase::Comparing => "Comparing",
        Phase::Staging => "Copying",
        Phase::Publishing => "Publishing",
        Phase::Settling => "Settling here",
    }
}

fn style(known: bool, bytes: bool) -> ProgressStyle {
    let template = match (known, bytes) {
        (true, true) => {
            "{prefix:16} {bar:28} {bytes}/{total_bytes} {bytes_per_sec} {eta}  {wide_msg:.dim}"
        }
        (true, false) => "{prefix:16} {bar:28} {human_pos}/{human_len}  {wide_msg:.dim}",
        (false, _) => "{prefix:16} {spinner} {human_pos}  {wide_msg:.dim}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
