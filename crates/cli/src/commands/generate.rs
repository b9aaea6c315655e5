//! Completions and manual pages, made from the arguments' own declaration.

use std::path::Path;

use clap::CommandFactory as _;
use dsg_core::failure::{Failure, Outcome};

use crate::answer::Answer;
use crate::args::Args;

/// The completions for a shell.
pub(crate) fn completion(shell: clap_complete::Shell) -> Answer {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "dsg", &mut text);
    Answer::Text(String::from_utf8_lossy(&text).into_owned())
}

/// The manual page, or one for each command in `dir`.
pub(crate) fn manual(dir: Option<&Path>) -> Outcome<Answer> {
    let Some(dir) = dir else {
        let mut text = Vec::new();
        let rendered = clap_mangen::Man::new(Args::command()).render(&mut text);
        rendered.map_err(|e| Failure::io("render", "dsg.1", e))?;
        return Ok(Answer::Text(String::from_utf8_lossy(&text).into_owned()));
    };
    std::fs::create_dir_all(dir).map_err(|e| Failure::io("create the folder", dir, e))?;
    clap_mangen::generate_to(Args::command(), dir)
        .map_err(|e| Failure::io("write manual pages to", dir, e))?;
    Ok(Answer::Text(format!("Manual pages are in {}.\n", dir.display())))
}
