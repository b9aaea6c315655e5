//! `dsg`, the command line: what was typed becomes a request, the request an answer, the answer text
//! or JSON.
//!
//! | module | owns |
//! |---|---|
//! | [`args`] | what can be typed |
//! | [`request`] | what it means |
//! | [`commands`] | one use case for each request |
//! | [`answer`] | what a use case gave, and how the process shall end |
//! | [`output`] | an answer as words for people, or as one JSON document |
//! | [`person`] | questions that only who sits at the terminal can answer |
//! | [`progress`] | what is told while work is under way |
//!
//! Nothing here knows how a sync works. [`main`] alone decides the exit status.

mod answer;
mod args;
mod commands;
mod output;
mod person;
mod progress;
mod request;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use dsg_core::failure::{Code, Failure, Outcome};
use dsg_core::monitor::Monitor;

use answer::{Answer, Ended};
use dsg_engine::endpoint;
use dsg_engine::transport::ssh;
use output::Style;
use person::Person;
use progress::Told;
use request::{Manners, Request};

fn main() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().collect();
    let manners = Manners::guess(&typed);
    let (manners, outcome) = match args::Args::try_parse_from(&typed) {
        Ok(args) => {
            let manners = args.manners();
            (manners, Request::of(args).and_then(|request| serve(&request, manners)))
        }
        Err(error) if !error.use_stderr() => return end(print_help(&error)),
        Err(error) if !manners.json => {
            let _ = error.print();
            return ExitCode::from(Code::Usage.exit_status());
        }
        Err(error) => (manners, Err(usage(&error))),
    };
    end(say(manners, outcome))
}

/// Runs the request with a monitor that Ctrl-C stops.
fn serve(request: &Request, manners: Manners) -> Outcome<Answer> {
    let told = Arc::new(Told::new(manners));
    let monitor = Monitor::new(told.clone());
    let (stop, tell) = (monitor.clone(), told.clone());
    let handled = ctrlc::set_handler(move || {
        stop.stop();
        tell.stopping();
    });
    if let Err(error) = handled {
        return Err(Failure::new(Code::Io, "Could not prepare for Ctrl-C.").because(error));
    }
    let person = Arc::new(Person::new(told.clone(), monitor.clone(), manners));
    ssh::attend(person.clone());
    let outcome = commands::run(request, person.as_ref(), &monitor);
    endpoint::hang_up_all();
    told.finish();
    outcome
}

/// Prints the outcome; the status follows from it, or from failing to print it.
fn say(manners: Manners, outcome: Outcome<Answer>) -> Result<Ended, Failure> {
    match outcome {
        Ok(answer) => {
            let ended = answer.ended();
            if manners.json {
                output::print(&output::json::document(&answer))?;
            } else if !manners.quiet || answer.is_the_point() {
                output::print(&output::text::of(&answer, &Style::stdout(manners.verbose)))?;
            }
            Ok(ended)
        }
        Err(failure) => {
            if manners.json {
                output::print(&output::json::failure(&failure))?;
            } else {
                eprint!("{}", output::text::failure(&failure, &Style::stderr(manners.verbose)));
            }
            Err(failure)
        }
    }
}

fn end(said: Result<Ended, Failure>) -> ExitCode {
    match said {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::ConflictsPending) => Code::Conflicts.exit_status().into(),
        Ok(Ended::As(code)) => code.exit_status().into(),
        Ok(Ended::Mismatch) => Code::HashMismatch.exit_status().into(),
        Err(failure) => failure.code.exit_status().into(),
    }
}

fn print_help(error: &clap::Error) -> Result<Ended, Failure> {
    error.print().map_err(|e| Failure::new(Code::Io, "Could not print.").because(e))?;
    Ok(Ended::Done)
}

fn usage(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let what = text.split("\n\nUsage").next().unwrap_or_default().trim_start_matches("error: ");
    let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
    Failure::new(Code::Usage, what).hint("dsg --help lists what can be typed.")
}
