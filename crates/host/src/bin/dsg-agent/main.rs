//! The program on a repository's host. The engine starts it over a connection and speaks with it
//! through its stdin and stdout; it serves one repository, and ends with its connection.
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

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["stdio"] => match serve::on_stdio() {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                let _ = writeln!(std::io::stderr(), "dsg-agent: {failure}");
                ExitCode::FAILURE
            }
        },
        ["--version"] => {
            let _ = writeln!(std::io::stdout(), "dsg-agent {}", dsg_wire::BUILD);
            ExitCode::SUCCESS
        }
        _ => {
            let _ = writeln!(
                std::io::stderr(),
                "dsg-agent is started by dsg on a repository's host. Usage: dsg-agent stdio | --version"
            );
            ExitCode::from(2)
        }
    }
}
