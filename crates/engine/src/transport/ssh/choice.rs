//! Which ssh is taken: the built-in one or the user's own program. Pure.

use dsg_core::config::SshProgram as Wanted;
use dsg_core::failure::{Code, Failure, Outcome};

/// Who speaks ssh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// libssh2, in this process.
    Builtin,
    /// The program `ssh`.
    System,
}

/// What was chosen, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Who speaks ssh.
    pub transport: Transport,
    /// Why: words for people.
    pub why: String,
}

/// Chooses. `needs`: what the host's configuration asks for that the built-in ssh cannot do;
/// `program`: whether there is a program `ssh`.
///
/// # Errors
/// [`Code::Config`]: what is wanted cannot be had.
pub(crate) fn choose(wanted: Wanted, needs: &[String], program: bool) -> Outcome<Choice> {
    let chosen = |transport, why: String| Ok(Choice { transport, why });
    let needed = needs.join(", ");
    let impossible =
        |message: String, hint: &str| Err(Failure::new(Code::Config, message).hint(hint));
    match (wanted, needs.is_empty(), program) {
        (Wanted::Auto, true, _) => {
            chosen(Transport::Builtin, "nothing in the host's configuration needs more".to_owned())
        }
        (Wanted::Auto, false, true) => chosen(
            Transport::System,
            format!("the host's configuration has {needed}, which the built-in ssh cannot do"),
        ),
        (Wanted::Auto, false, false) => impossible(
            format!(
                "The host's configuration has {needed}, which needs the program ssh; it is not installed here."
            ),
            "Install the OpenSSH client.",
        ),
        (Wanted::Builtin, true, _) => {
            chosen(Transport::Builtin, "dsg.yml says ssh: builtin".to_owned())
        }
        (Wanted::Builtin, false, _) => impossible(
            format!(
                "dsg.yml says ssh: builtin, but the host's configuration has {needed}, which the built-in ssh cannot do."
            ),
            "Say ssh: auto or ssh: system for this host in dsg.yml.",
        ),
        (Wanted::System, _, true) => {
            chosen(Transport::System, "dsg.yml says ssh: system".to_owned())
        }
        (Wanted::System, _, false) => impossible(
            "dsg.yml says ssh: system, but there is no program ssh here.".to_owned(),
            "Install the OpenSSH client, or say ssh: auto for this host.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::Transport::{Builtin, System};
    use super::*;

    #[test]
    fn every_case_has_its_answer() {
        let need = ["ProxyCommand".to_owned()];
        let to = |w, needs: &[String], program| choose(w, needs, program).map(|c| c.transport).ok();
        for (wanted, needs, program, expected) in [
            (Wanted::Auto, &[][..], true, Some(Builtin)),
            (Wanted::Auto, &[], false, Some(Builtin)),
            (Wanted::Auto, &need, true, Some(System)),
            (Wanted::Auto, &need, false, None),
            (Wanted::Builtin, &[], true, Some(Builtin)),
            (Wanted::Builtin, &need, true, None),
            (Wanted::System, &[], true, Some(System)),
            (Wanted::System, &need, true, Some(System)),
            (Wanted::System, &[], false, None),
        ] {
            assert_eq!(to(wanted, needs, program), expected, "{wanted:?} {needs:?} {program}");
        }
        assert!(choose(Wanted::Auto, &need, true).unwrap().why.contains("ProxyCommand"));
    }
}
