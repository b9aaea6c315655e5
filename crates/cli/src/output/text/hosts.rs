//! Hosts in words.

use std::fmt::Write as _;
use std::path::Path;

use dsg_core::address::{Address, Place};
use dsg_core::places::{Around, Listed, Step};
use dsg_core::repository::{Access, Capabilities, RepositoryInfo, StoreKind};
use dsg_engine::transport::ssh::UnknownHost;

use crate::output::{Style, Tone, count, shown, size};

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
pub(super) fn examined(address: &Address, findings: &[Step], style: &Style) -> String {
    let mut text = format!("{}\n", shown(&address.to_string()));
    for Step { name, found } in findings {
        let _ = match found {
            Ok(found) => {
                writeln!(text, "  {} {name:14} {}", style.paint(Tone::Good, "✓"), shown(found))
            }
            Err(trouble) => {
                let sign = style.paint(Tone::Bad, "✗");
                let detail = trouble.detail.as_ref().filter(|_| style.verbose);
                let said = [Some(&trouble.message), trouble.hint.as_ref(), detail];
                let lines = said.into_iter().flatten().flat_map(|text| text.lines());
                let lines: Vec<_> = lines.map(shown).collect();
                writeln!(text, "  {sign} {name:14} {}", lines.join("\n                   "))
            }
        };
    }
    text
}

/// What was found of a folder: a line for each repository, and its address beneath.
pub(super) fn repositories(
    place: &Place,
    around: &Around,
    found: &[Listed],
    style: &Style,
) -> String {
    let here = shown(&place.address_of(&around.path));
    let mut text = String::new();
    for one in found {
        let address = style.paint(Tone::Strong, shown(&place.address_of(&one.path)));
        let _ = writeln!(text, "{address}");
        if let Some(head) = &one.head {
            let by = &head.authorship;
            let _ = writeln!(
                text,
                "    {:<5} {}  {}  {}, {}  {}",
                head.id,
                style.time(by.time),
                shown(&by.author),
                count(head.totals.entries, "file", "files"),
                size(head.totals.bytes),
                style.paint(Tone::Faint, shown(&head.config.name)),
            );
        } else if one.trouble.is_none() {
            text += "    no snapshot yet\n";
        }
        if let Some(info) = &one.info {
            let _ = writeln!(text, "    {}", style.paint(Tone::Faint, promise(info)));
        }
        if let Some(trouble) = &one.trouble {
            let said = style.paint(Tone::Bad, shown(&trouble.message));
            let _ = writeln!(text, "    {said}");
            if let Some(hint) = &trouble.hint {
                let _ = writeln!(text, "    {}", shown(hint));
            }
        }
    }
    let _ = match found.len() as u64 {
        0 => writeln!(text, "There is no repository in {here} or below it."),
        n => writeln!(text, "{} in {here}.", count(n, "repository", "repositories")),
    };
    if !around.complete {
        let said = "Not everything below it was looked at: name a folder further down.";
        let _ = writeln!(text, "{}", style.paint(Tone::Warn, said));
    }
    text
}

/// What a repository promises.
fn promise(info: &RepositoryInfo) -> String {
    let what = match info.store {
        StoreKind::Zfs => "ZFS dataset",
        StoreKind::Tree => "folder",
    };
    let who = match info.access {
        Access::Personal => "personal",
        Access::Team => "shared by a group",
    };
    let Capabilities { atomic_publish, history, locking } = info.capabilities;
    let atomic = if atomic_publish { "atomic" } else { "not atomic" };
    let lacks = [(history, ", without history"), (locking, ", without locks")];
    let lacks: String = lacks.into_iter().filter(|(has, _)| !has).map(|(_, lack)| lack).collect();
    format!("{what}, {who}, {atomic}{lacks}")
}

#[cfg(test)]
mod tests {
    use dsg_core::failure::{Code, Failure};
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn repositories_are_listed_with_what_is_wrong() {
        let broken = Failure::new(Code::RepositoryDamaged, "It is damaged.").hint("Ask.");
        let found = [
            Listed { path: "/srv/new".into(), info: None, head: None, trouble: None },
            Listed::unreadable("/srv/old".into(), &broken),
        ];
        let around = Around { path: "/srv".into(), writable: true, complete: false };
        let style = Style { colour: false, verbose: false, zone: TimeZone::UTC };
        let place: Place = "tank:/srv".parse().unwrap();
        let text = repositories(&place, &around, &found, &style);
        let expected = "ssh://tank/srv/new\n    no snapshot yet\nssh://tank/srv/old\n    It is damaged.\n    Ask.\n\
                        2 repositories in ssh://tank/srv.\n\
                        Not everything below it was looked at: name a folder further down.\n";
        assert_eq!(text, expected);
        let text = repositories(&place, &Around { complete: true, ..around }, &[], &style);
        assert_eq!(text, "There is no repository in ssh://tank/srv or below it.\n");
    }

    #[test]
    fn what_a_repository_promises_is_said_and_what_it_lacks() {
        let all = Capabilities { atomic_publish: true, history: true, locking: true };
        let (store, access) = (StoreKind::Zfs, Access::Team);
        let mut info = RepositoryInfo { id: "i".into(), store, access, capabilities: all };
        assert_eq!(promise(&info), "ZFS dataset, shared by a group, atomic");
        (info.store, info.access) = (StoreKind::Tree, Access::Personal);
        info.capabilities = Capabilities { atomic_publish: false, history: false, locking: true };
        assert_eq!(promise(&info), "folder, personal, not atomic, without history");
    }

    #[test]
    fn a_step_that_fails_says_what_to_do() {
        let findings = [
            Step::new("network", Ok("10.0.0.1:22".into())),
            Step::new(
                "login",
                Err(Failure::new(Code::LoginRefused, "It says no.").hint("Ask:\nsudo it")),
            ),
        ];
        let style = Style { colour: false, verbose: false, zone: TimeZone::UTC };
        let text = examined(&"tank:/r".parse().unwrap(), &findings, &style);
        let expected = "ssh://tank/r\n  ✓ network        10.0.0.1:22\n  ✗ login          It says no.\n                   Ask:\n                   sudo it\n";
        assert_eq!(text, expected);
    }
}
