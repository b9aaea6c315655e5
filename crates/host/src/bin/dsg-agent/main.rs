//! The program on a repository's host. The engine starts it over a connection and speaks with it
//! through its stdin and stdout; it serves one repository, and ends with its connection. Run by root
//! as `zfs-helper`, it performs privileged steps below one dataset instead.
//!
//! | module | owns |
//! |---|---|
//! | [`serve`] | from the first words to the last: reading, cancelling, ending |
//! | [`answer`] | each request as one call of the store |
//! | [`look`] | what stands on this host, and who is at work |
//! | [`stage`] | content that comes in |
//! | [`out`] | all that is written: answers, progress, signs of life |

mod answer;
mod look;
mod out;
mod serve;
mod stage;

use std::io::Write as _;
use std::process::ExitCode;

use dsg_core::failure::Outcome;
use dsg_host::zfs::{helper, sudo};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["stdio"] => ended(&serve::on_stdio()),
        [sudo::WORD, prefix] => {
            let questions = std::io::BufReader::new(std::io::stdin());
            ended(&helper::serve(prefix, questions, std::io::stdout()))
        }
        ["--version"] => {
            let _ = writeln!(std::io::stdout(), "dsg-agent {}", dsg_wire::BUILD);
            ExitCode::SUCCESS
        }
        _ => {
            let _ = writeln!(
                std::io::stderr(),
                "dsg-agent is started by dsg on a repository's host. Usage: dsg-agent stdio | \
                 zfs-helper DATASET | --version"
            );
            ExitCode::from(2)
        }
    }
}

fn ended(how: &Outcome<()>) -> ExitCode {
    let Err(failure) = how else { return ExitCode::SUCCESS };
    let _ = writeln!(std::io::stderr(), "dsg-agent: {failure}");
    ExitCode::FAILURE
}
