//! Who performs verbs for this user: the process itself if it is root, else a helper through `sudo`
//! without a password, started by this very program or by the one that an administrator installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dsg_core::entry::Hash;
use dsg_core::failure::{Code, Failure, Outcome};

use super::helper::Helper;
use super::name::Dataset;
use super::root::Root;
use super::run;
use super::verb::Hands;

/// Where an administrator puts the helper: root's own, writable by nobody else.
pub const INSTALLED: &str = "/usr/local/sbin/dsg-agent";
/// The word that makes the agent a helper.
pub const WORD: &str = "zfs-helper";

/// By whom verbs are performed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// This process is root.
    Root,
    /// `sudo` runs everything without a password.
    Sudo,
    /// `sudo` runs the installed helper for what lies below this dataset.
    Helper(Dataset),
}

/// The way for a dataset, as this user.
///
/// # Errors
/// `permission`: there is none; the hint is what an administrator has to do.
pub fn way(dataset: &Dataset) -> Outcome<Way> {
    if rustix::process::geteuid().is_root() {
        return Ok(Way::Root);
    }
    let none = || {
        Failure::new(
            Code::Permission,
            "Publishing on ZFS needs root on the host for mounts and promotions.",
        )
        .hint(format!("Ask its administrator to run, once:\n{}", told(&above(dataset))))
    };
    let sudo = run::program("sudo").map_err(|_| none())?;
    let told = Command::new(sudo)
        .args(["-n", "-l"])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| none().because(e))?;
    allowed(&String::from_utf8_lossy(&told.stdout), dataset).ok_or_else(none)
}

/// What `sudo -l` says, read for a dataset.
fn allowed(listing: &str, dataset: &Dataset) -> Option<Way> {
    let rules = listing.lines().filter_map(|line| {
        let (who, commands) = line.trim().strip_prefix('(')?.split_once(") NOPASSWD: ")?;
        let root = who.split([',', ':']).any(|w| matches!(w.trim(), "root" | "ALL"));
        root.then(|| commands.split(", "))
    });
    let mut helper = None;
    for command in rules.flatten() {
        if command == "ALL" {
            return Some(Way::Sudo);
        }
        let begins = format!("{INSTALLED} {WORD} ");
        let prefix = command.strip_prefix(&begins);
        let prefix = prefix.and_then(|p| p.replace('\\', "").parse::<Dataset>().ok());
        // Nothing further below is served.
        helper = helper.or(prefix.filter(|p| dataset.parent().as_ref() == Some(p)));
    }
    helper.map(Way::Helper)
}

/// The hands for a dataset, as this user.
///
/// # Errors
/// Those of [`way`] and [`Helper::start`].
pub fn hands(dataset: &Dataset) -> Outcome<Box<dyn Hands>> {
    let start = |program: &Path, prefix: &Dataset| -> Outcome<Box<dyn Hands>> {
        let words = [run::program("sudo")?, "-n".into(), program.into(), WORD.into()];
        let prefix_word = [PathBuf::from(prefix.as_str())];
        let command: Vec<PathBuf> = words.into_iter().chain(prefix_word).collect();
        Ok(Box::new(Helper::start(&command, prefix)?))
    };
    match way(dataset)? {
        Way::Root => Ok(Box::new(Root::own(above(dataset)))),
        Way::Sudo => {
            let own = std::env::current_exe();
            start(&own.map_err(|e| Failure::io("find", "this program", e))?, &above(dataset))
        }
        Way::Helper(prefix) => start(Path::new(INSTALLED), &prefix),
    }
}

fn above(dataset: &Dataset) -> Dataset {
    dataset.parent().unwrap_or_else(|| dataset.clone())
}

/// The commands with which an administrator lets the group `dsg` publish below a dataset.
fn told(prefix: &Dataset) -> String {
    // This very program, also where another one stands in its place by now.
    match (std::env::current_exe(), std::fs::read("/proc/self/exe")) {
        (Ok(agent), Ok(program)) => grant(&agent, Hash::of(&program), prefix),
        // It cannot be told what would be installed.
        _ => format!("install dsg-agent as {INSTALLED}, from DSG's own package\n{}", rule(prefix)),
    }
}

/// The commands that install an agent, and let the group `dsg` run it as a helper. The agent lies where
/// whoever asks may change it until the commands are typed: what is installed is a copy of root's that
/// was found to be what it was.
pub fn grant(agent: &Path, hash: Hash, prefix: &Dataset) -> String {
    format!(
        "d=$(mktemp -d) && cp {} $d/agent && echo '{hash}  '$d/agent | sha256sum -c --quiet && \
         install -o root -g root -m 755 $d/agent {INSTALLED}; rm -rf $d\n{}",
        dsg_core::failure::shell_word(&agent.display().to_string()),
        rule(prefix),
    )
}

/// What `sudo` does not understand never comes where it would lock everybody out.
fn rule(prefix: &Dataset) -> String {
    format!(
        "f=$(mktemp) && echo '%dsg ALL=(root) NOPASSWD: {INSTALLED} {WORD} {}' > $f && \
         visudo -cf $f && install -o root -g root -m 440 $f /etc/sudoers.d/dsg; rm -f $f",
        // A space would begin another argument, a colon another rule.
        prefix.as_str().replace(' ', "\\ ").replace(':', "\\:"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "Matching Defaults entries for ann on host:\n    env_reset, use_pty\n\n\
        User ann may run the following commands on host:\n    \
        (root) NOPASSWD: /usr/local/sbin/dsg-agent zfs-helper tank/other, \
        /usr/local/sbin/dsg-agent zfs-helper tank/dsg\n    (root) NOPASSWD: /usr/bin/mount\n    \
        (root) PASSWD: ALL\n    (nobody) NOPASSWD: ALL\n";

    #[test]
    fn the_rule_that_covers_a_dataset_is_found() {
        let way = |dataset: &str| allowed(LISTING, &dataset.parse().unwrap());
        assert_eq!(way("tank/dsg/p"), Some(Way::Helper("tank/dsg".parse().unwrap())));
        for uncovered in ["tank/dsg", "tank/dsgx/p", "tank/p"] {
            assert_eq!(way(uncovered), None, "{uncovered}");
        }
        let odd = "    (root) NOPASSWD: /usr/local/sbin/dsg-agent zfs-helper tank/a\\ b\\:c\n";
        let covered = allowed(odd, &"tank/a b:c/p".parse().unwrap());
        assert_eq!(covered, Some(Way::Helper("tank/a b:c".parse().unwrap())));
        let told = grant(Path::new("/a b/agent"), Hash([7; 32]), &"tank/a b:c".parse().unwrap());
        assert!(told.contains(&format!("{INSTALLED} {WORD} tank/a\\ b\\:c'")), "{told}");
        assert!(told.contains(&format!("echo '{}  '", "07".repeat(32))), "{told}");
        let all = "    (ALL : ALL) NOPASSWD: ALL\n";
        assert_eq!(allowed(all, &"tank/p".parse().unwrap()), Some(Way::Sudo));
    }
}
