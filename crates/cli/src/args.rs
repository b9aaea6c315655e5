//! What can be typed. Says nothing about what it means: see [`crate::request`].

use std::path::PathBuf;

use clap::{ArgAction, Args as Group, Parser, Subcommand, ValueHint};

use dsg_core::config::keys::STORES;

use crate::request::Manners;

/// How addresses are written.
const ADDRESS: &str = "The repository: a folder, e.g. /data/repo1, or one of a host, \
    HOST:/data/repo1 or ssh://[USER@]HOST[:PORT]/data/repo1; or a name alone, in the default place that \
    dsg.yml says. If not given, the one that .dsgconfig.yml here says";
const NEW_ADDRESS: &str = "Where: a folder, e.g. /data/repo1, or one of a host, \
    HOST:/data/repo1 or ssh://[USER@]HOST[:PORT]/data/repo1; or a name alone, in the default place that \
    dsg.yml says. If not given, where .dsgconfig.yml here says, else in the default place under the project's name";

/// How places to look in are written.
const PLACE: &str = "The folder, e.g. /data, or one of a host, HOST:/data (HOST: means your home there), \
    or the word default, for the default place that dsg.yml says; the current folder if not given";

const STATUS: &str = "Exit status: 0 done · 1 failed, nothing changed · 2 usage or configuration · \
    3 conflicts pending · 4 halted by a safety check · 5 repository in use · 6 host not reachable, not confirmed, or refused us · \
    7 published, but unfinished here · 130 cancelled, nothing changed.";

/// What this version can do, from the table of it.
fn after_help() -> String {
    let kinds = STORES.iter().filter(|kind| kind.works);
    let kinds: Vec<_> = kinds.map(|kind| format!("{}, {}", kind.name, kind.says)).collect();
    format!("Kinds of repositories: {}.\n\n{STATUS}", kinds.join(" · "))
}

/// Keeps a folder in sync with a repository: every sync is one snapshot, all or nothing.
#[derive(Debug, Parser)]
#[command(name = "dsg", version, propagate_version = false, arg_required_else_help = true)]
#[command(after_help = after_help())]
pub(crate) struct Args {
    /// Act as if started in this folder
    #[arg(short = 'C', value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    pub(crate) directory: Option<PathBuf>,
    /// Print one JSON document on stdout; words for people go to stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more: every path, causes of errors
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// How the answer shall be given.
    pub(crate) fn manners(&self) -> Manners {
        Manners { json: self.json, quiet: self.quiet, verbose: self.verbose }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a new repository from this folder: its first snapshot, s1
    Init(Init),
    /// Make a new project from a repository
    Clone(Clone),
    /// Show what is pending, state by state
    Status {
        /// Do not ask the repository; compare with what was last known of it
        #[arg(long)]
        offline: bool,
    },
    /// Sync this folder and the repository, in one step
    Sync(Sync),
    /// Say how a conflict ends; the next sync does it
    Resolve(Resolve),
    /// List the snapshots, newest first
    Log {
        /// At most this many
        #[arg(short = 'n', value_name = "N")]
        limit: Option<usize>,
    },
    /// Compare two snapshots, or a snapshot (default: the newest) with this folder
    Diff {
        /// The older snapshot, e.g. s3
        #[arg(value_name = "sA")]
        from: Option<String>,
        /// The newer snapshot; without it, this folder
        #[arg(value_name = "sB")]
        to: Option<String>,
    },
    /// Show the versions of a path: who changed it, when and why
    Blame {
        /// The path, from the project's root
        #[arg(value_hint = ValueHint::FilePath)]
        path: String,
    },
    /// Bring files of a snapshot back into this folder, as pending changes
    Restore {
        /// From which snapshot, e.g. s3
        #[arg(value_name = "sN")]
        snapshot: String,
        /// Files and folders, from the project's root; without any, everything
        #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
        paths: Vec<String>,
        /// Only show what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Write files of a snapshot into a folder outside the project
    Snapfetch {
        /// From which snapshot, e.g. s3
        #[arg(value_name = "sN")]
        snapshot: String,
        /// Files and folders, from the project's root
        #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
        paths: Vec<String>,
        /// The folder; beside the project and named after it and the snapshot, if not given
        #[arg(short, value_name = "DIR", value_hint = ValueHint::DirPath)]
        output: Option<PathBuf>,
    },
    /// List the files of a snapshot
    ListFiles {
        /// Which; the newest if not given
        #[arg(long, value_name = "sN")]
        snapshot: Option<String>,
    },
    /// Look at the configuration of this project and at yours: everything that is wrong, and how to mend it
    ValidateConfig {
        /// Make an older project file a newer one; what changes is shown, and the old file is kept
        #[arg(long)]
        fix_legacy: bool,
        /// With --fix-legacy: only show it
        #[arg(long, requires = "fix_legacy")]
        dry_run: bool,
    },
    /// Compare a file here, and in the repository, with what its snapshot says
    ValidateFile {
        /// The file, from the project's root
        #[arg(value_hint = ValueHint::FilePath)]
        path: String,
    },
    /// Prove a snapshot: its place in the history and its list of files
    ValidateSnapshot {
        /// Which; the newest if not given
        #[arg(value_name = "sN")]
        snapshot: Option<String>,
        /// Read its files in the repository too, and compare them with the list
        #[arg(long)]
        deep: bool,
    },
    /// Prove the history: every snapshot follows from the one before
    ValidateChain {
        /// Prove every snapshot's list of files too, and read every file that the repository keeps
        #[arg(long)]
        deep: bool,
    },
    /// Show what could be removed from .dsg: trash and leftovers
    Clean {
        /// Remove it
        #[arg(long)]
        yes: bool,
    },
    /// Show which former snapshots' files could be removed from the repository, and what that frees
    Prune {
        /// Which to keep: how many of the newest, or of so many days, weeks, months and years the newest
        /// of each, e.g. last=10,daily=7,weekly=4,monthly=12,yearly=5. If not given, as retention in
        /// .dsgconfig.yml says
        #[arg(long, value_name = "RULE", action = ArgAction::Append)]
        keep: Vec<String>,
        /// Remove them; this cannot be undone. What snapshots were, by whom and why, stays
        #[arg(long)]
        yes: bool,
    },
    /// Confirm that a host is the one that is meant, by its key's fingerprint
    Trust {
        /// The host, as in an address: [USER@]HOST[:PORT]
        #[arg(value_hint = ValueHint::Hostname)]
        host: String,
        /// Confirm it if it shows this fingerprint, without a question
        #[arg(long, value_name = "FINGERPRINT")]
        yes: Option<String>,
    },
    /// Try each step to a repository, and say what to do about the one that fails
    Doctor {
        /// The repository; this project's if not given
        #[arg(value_name = "ADDRESS", value_hint = ValueHint::DirPath)]
        address: Option<String>,
    },
    /// List the repositories in a folder and below it
    ListRepos {
        /// Where to look.
        #[arg(value_name = "ADDRESS", value_hint = ValueHint::DirPath, help = PLACE)]
        address: Option<String>,
    },
    /// Take over a repository of the earlier DSG with its history: its files stay where they are
    Adopt(Adopt),
    /// Prepare the repository's next publish, while nobody waits for it
    #[command(hide = true)]
    Prepare,
    /// Print the JSON Schema of a configuration file, for editors that complete
    #[command(hide = true)]
    Schema {
        /// Which: project (.dsgconfig.yml) or user (dsg.yml)
        #[arg(value_parser = ["project", "user"])]
        of: String,
    },
    /// Print what completes commands in a shell: dsg completion bash > FILE that your shell reads
    Completion {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command into a folder
    #[command(hide = true)]
    Man {
        /// The folder
        #[arg(value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

/// `init`.
#[derive(Debug, Group)]
pub(crate) struct Init {
    /// Where the repository shall be.
    #[arg(value_name = "ADDRESS", value_hint = ValueHint::DirPath, help = NEW_ADDRESS)]
    pub(crate) address: Option<String>,
    /// The project's name; the folder's name if not given
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Names of folders that hold data, at any depth; '*' for everything
    #[arg(long = "data-dir", value_name = "D", action = ArgAction::Append)]
    pub(crate) data_dirs: Vec<String>,
    /// Make the repository a plain folder, even where it could be a ZFS dataset of its own
    #[arg(long)]
    pub(crate) plain_folder: bool,
    /// Why
    #[arg(short, long, value_name = "MSG", default_value = "", hide_default_value = true)]
    pub(crate) message: String,
}

/// `clone`.
#[derive(Debug, Group)]
pub(crate) struct Clone {
    /// The repository.
    #[arg(value_name = "ADDRESS", value_hint = ValueHint::DirPath, help = ADDRESS)]
    pub(crate) address: Option<String>,
    /// The new folder; named as the repository if not given
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
    /// Take a folder that holds files already: what is equal is in sync, what is missing comes, what
    /// differs is a conflict; nothing is overwritten
    #[arg(long)]
    pub(crate) attach: bool,
}

/// `adopt`.
#[derive(Debug, Group)]
pub(crate) struct Adopt {
    /// The repository of the earlier DSG.
    #[arg(value_name = "ADDRESS", value_hint = ValueHint::DirPath, help = ADDRESS)]
    pub(crate) address: String,
    /// Why
    #[arg(short, long, value_name = "MSG", default_value = "", hide_default_value = true)]
    pub(crate) message: String,
    /// Only show its history, and what is not as the earlier DSG left it
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// drift: go on although something is not as the earlier DSG left it; it counts as changed on the host
    #[arg(long, value_name = "NAME", action = ArgAction::Append, value_parser = ["drift"])]
    pub(crate) allow: Vec<String>,
}

/// `sync`.
#[derive(Debug, Group)]
pub(crate) struct Sync {
    /// Why
    #[arg(short, long, value_name = "MSG", default_value = "", hide_default_value = true)]
    pub(crate) message: String,
    /// Only show what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Sync everything that is not in conflict
    #[arg(long)]
    pub(crate) except_conflicts: bool,
    /// Rename files whose names cannot be tracked to legal names first
    #[arg(long)]
    pub(crate) normalize: bool,
    /// Only this path and what lies below it
    #[arg(long, value_name = "PATH", action = ArgAction::Append, value_hint = ValueHint::AnyPath)]
    pub(crate) only: Vec<String>,
    /// Go on although this safety check says no: empty-root, mass-delete, repo-id, rollback, drift,
    /// space
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    pub(crate) allow: Vec<String>,
}

/// `resolve`.
#[derive(Debug, Group)]
pub(crate) struct Resolve {
    /// The paths in conflict, from the project's root
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) paths: Vec<String>,
    /// How they end.
    #[command(flatten)]
    pub(crate) how: How,
}

/// How a conflict ends: exactly one of these.
#[derive(Debug, Group)]
#[group(required = true, multiple = false)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "four flags of which exactly one is set; request.rs makes one value"
)]
pub(crate) struct How {
    /// What is here goes to the repository
    #[arg(long)]
    pub(crate) local: bool,
    /// What is in the repository comes here
    #[arg(long)]
    pub(crate) remote: bool,
    /// The last synced version returns on both sides
    #[arg(long)]
    pub(crate) cached: bool,
    /// Keep both: yours under a free name beside it
    #[arg(long)]
    pub(crate) both: bool,
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};
    use dsg_core::config::keys::TRANSPORTS;

    use super::*;

    /// Everything that the help of a command and of those below it says.
    fn all_help(command: &mut Command) -> String {
        let below = command.get_subcommands_mut().map(all_help).collect::<String>();
        command.render_long_help().to_string() + &below
    }

    #[test]
    fn help_offers_what_works_and_nothing_else() {
        let mut command = Args::command();
        command.build();
        let help = all_help(&mut command);
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for one in STORES {
            assert_eq!(help.contains(one.says), one.works, "{}", one.name);
        }
        let words: Vec<&str> = help.split(|c: char| !c.is_alphanumeric()).collect();
        for one in STORES.iter().chain(TRANSPORTS).filter(|one| !one.works) {
            assert!(!words.contains(&one.name), "{}", one.name);
        }
    }

    #[test]
    fn completions_know_every_command() {
        for shell in
            [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish]
        {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "dsg", &mut text);
            let text = String::from_utf8(text).unwrap();
            for command in
                Args::command().get_subcommands().filter(|command| !command.is_hide_set())
            {
                assert!(text.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
