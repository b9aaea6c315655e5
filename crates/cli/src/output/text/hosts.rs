//! Hosts in words.

use std::fmt::Write as _;
use std::path::Path;

use dsg_core::address::Address;
use dsg_engine::transport::ssh::UnknownHost;

use crate::answer::Finding;
use crate::output::{Style, Tone, shown};

/// A host that was confirmed.
pub(super) fn trusted(host: &UnknownHost, file: Option<&Path>, style: &Style) -> String {
    let good = style.paint(Tone::Good, "✓");
    let UnknownHost { name, kind, fingerprint } = host;
    match file {
        Some(file) => format!(
            "{good} {} is known from now on: {kind} {fingerprint}, in {}.\n",
            shown(name),
            file.display()
        ),
        None => format!("{good} {} was known already: {kind} {fingerprint}.\n", shown(name)),
    }
}

/// Each step, and what to do about the one that failed.
pub(super) fn examined(address: &Address, findings: &[Finding], style: &Style) -> String {
    let mut text = format!("{}\n", shown(&address.to_string()));
    for Finding { name, found } in findings {
        let _ = match found {
            Ok(found) => {
                writeln!(text, "  {} {name:14} {}", style.paint(Tone::Good, "✓"), shown(found))
            }
            Err(failure) => {
                let sign = style.paint(Tone::Bad, "✗");
                let mut lines = vec![failure.message.clone()];
                lines.extend(failure.hint.clone());
                lines.extend(failure.detail().filter(|_| style.verbose));
                let lines: Vec<String> = lines.iter().map(|line| shown(line)).collect();
                writeln!(text, "  {sign} {name:14} {}", lines.join("\n                   "))
            }
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use dsg_core::failure::{Code, Failure};
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn a_step_that_fails_says_what_to_do() {
        let findings = [
            Finding { name: "network", found: Ok("10.0.0.1:22".into()) },
            Finding {
                name: "login",
                found: Err(Failure::new(Code::LoginRefused, "It says no.").hint("Ask.")),
            },
        ];
        let style = Style { colour: false, verbose: false, zone: TimeZone::UTC };
        let text = examined(&"tank:/r".parse().unwrap(), &findings, &style);
        let expected = "ssh://tank/r\n  ✓ network        10.0.0.1:22\n  ✗ login          It says no.\n                   Ask.\n";
        assert_eq!(text, expected);
    }
}
