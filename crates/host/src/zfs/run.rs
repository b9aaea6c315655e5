//! Running the programs, and what their refusals mean.
//!
//! They are looked for in the system's own folders only, never on a PATH that a user may set, and run
//! with nothing of the environment but a language, in which their errors are known.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use dsg_core::failure::{Code, Failure, Outcome};

use super::argv::Call;
use super::crash;

/// Where systems keep them.
const FOLDERS: [&str; 7] = [
    "/usr/sbin",
    "/sbin",
    "/usr/local/sbin",
    "/usr/bin",
    "/bin",
    "/usr/local/bin",
    "/run/current-system/sw/bin",
];
/// Longest answer that is read, in bytes.
const MOST: u64 = 512 << 20;

/// What a program answered.
#[derive(Debug)]
pub(super) struct Told {
    /// Whether it says that it did what was asked.
    pub well: bool,
    /// Whether it came to its end, and was not killed: whatever it says then is all it had to say.
    pub ended: bool,
    /// What it printed.
    pub text: String,
    /// What it complained about.
    pub complaint: String,
}

impl Told {
    /// Whether all that was wrong is that some of what was asked about is not there. Of one that was
    /// killed, nothing is known.
    pub(super) fn only_absent(&self) -> bool {
        let mut lines = self.complaint.lines().filter(|line| !line.is_empty()).peekable();
        let said = lines.peek().is_some();
        !self.well && self.ended && said && lines.all(|l| l.ends_with("dataset does not exist"))
    }
}

/// A refusal, as the cause beneath a failure.
#[derive(Debug, thiserror::Error)]
#[error("{line}: {said}")]
struct Refused {
    line: String,
    said: String,
}

/// Where a program is.
pub(super) fn program(name: &str) -> Outcome<PathBuf> {
    let found = FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|p| p.is_file());
    found.ok_or_else(|| {
        Failure::new(
            Code::Unsupported,
            format!("The program {name} is not on this host ({}).", FOLDERS.join(", ")),
        )
        .hint("Ask its administrator to install zfsutils-linux.")
    })
}

fn start(call: &Call) -> Outcome<Child> {
    let program = program(call.program)?;
    let started = Command::new(&program)
        .args(&call.args)
        .env_clear()
        .envs([("LC_ALL", "C"), ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")])
        .stdin(if call.input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What is typed on a terminal (Ctrl-Z, Ctrl-C) is for whoever asked.
        .process_group(0)
        .spawn();
    started.map_err(|e| Failure::io("run", &program, e))
}

/// Runs a program to its end.
pub(super) fn run(call: &Call) -> Outcome<Told> {
    let failed = |e| Failure::io("run", call.program, e);
    tracing::debug!(program = call.program, args = ?call.args, "run");
    let mut child = start(call)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends without reading says why.
        let _ = stdin.write_all(call.input.as_bytes());
    }
    let mut stderr = child.stderr.take();
    let complaint = std::thread::spawn(move || {
        let mut said = Vec::new();
        let _ = stderr.as_mut().map(|s| s.take(1 << 20).read_to_end(&mut said));
        String::from_utf8_lossy(&said).into_owned()
    });
    let mut text = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MOST).read_to_end(&mut text).map_err(failed)?;
    }
    let status = child.wait().map_err(failed)?;
    let (well, ended) = (status.success(), status.code().is_some());
    let complaint = complaint.join().unwrap_or_default();
    crash::RAN.pass();
    Ok(Told { well, ended, text: String::from_utf8_lossy(&text).into_owned(), complaint })
}

/// Runs a program that answers in lines, and ends it after so many; whether there were more.
pub(super) fn lines(call: &Call, most: usize) -> Outcome<(Vec<String>, bool)> {
    let failed = |e| Failure::io("run", call.program, e);
    let mut child = start(call)?;
    let mut stderr = child.stderr.take();
    let complaint = std::thread::spawn(move || {
        let mut said = Vec::new();
        let _ = stderr.as_mut().map(|s| s.take(1 << 20).read_to_end(&mut said));
        String::from_utf8_lossy(&said).into_owned()
    });
    let mut lines = Vec::new();
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        if lines.len() == most {
            let _ = child.kill();
            let _ = child.wait();
            return Ok((lines, true));
        }
        lines.push(line.map_err(failed)?);
    }
    let well = child.wait().map_err(failed)?.success();
    let complaint = complaint.join().unwrap_or_default();
    if well { Ok((lines, false)) } else { Err(refused(call, &complaint)) }
}

/// Runs a program that must do what was asked.
pub(super) fn must(call: &Call) -> Outcome<String> {
    let told = run(call)?;
    if told.well { Ok(told.text) } else { Err(refused(call, &told.complaint)) }
}

/// What a refusal means.
pub(super) fn refused(call: &Call, complaint: &str) -> Failure {
    let said = complaint.trim();
    let first = said.lines().next().unwrap_or("it gave no reason");
    let (code, hint) = meaning(said);
    let failure = Failure::new(code, format!("ZFS refused: {first}."));
    let line = format!("{} {}", call.program, call.args.join(" "));
    let failure = failure.because(Refused { line, said: said.to_owned() });
    if hint.is_empty() { failure } else { failure.hint(hint) }
}

/// Kinds of refusals, by the words of OpenZFS 2.1 to 2.3. The first that is found counts.
const MEANINGS: &[(&[&str], Code, &str)] = &[
    (
        &["i/o is currently suspended", "pool i/o failures", "i/o suspended"],
        Code::Unreachable,
        "The pool's disks do not answer: ask the host's administrator to look at it.",
    ),
    (
        &["key not loaded", "encryption key", "keys are not loaded", "key must be loaded"],
        Code::Unreachable,
        "The dataset is encrypted: its key must be loaded on the host first.",
    ),
    (
        &["permission denied", "must be run as root", "operation not permitted"],
        Code::Permission,
        "This needs root on the host, or DSG's helper there.",
    ),
    (
        &["read-only", "readonly"],
        Code::Permission,
        "The pool or the dataset is read-only: ask the host's administrator.",
    ),
    (
        &["out of space", "no space left", "quota", "insufficient space", "size is less than"],
        Code::Space,
        "Free some space, or ask the host's administrator for more.",
    ),
    (
        &["limit"],
        Code::Space,
        "Remove snapshots that nobody needs, or ask the host's administrator to raise the limit.",
    ),
    (
        &[
            "is busy",
            "being held",
            "is held",
            "in use",
            "has dependent clones",
            "resource busy",
            "is mounted",
        ],
        Code::Locked,
        "Something on the host still uses it; try again when it is done.",
    ),
    (&["has children"], Code::Unsupported, "A repository's dataset holds no other ones."),
    (&["already exists"], Code::Exists, ""),
    (
        &["does not exist", "no such pool", "no such file or directory", "could not find any"],
        Code::NotFound,
        "",
    ),
    (
        &["modules are not loaded", "/dev/zfs", "modules cannot be auto-loaded"],
        Code::Unsupported,
        "The host's kernel has no ZFS now: ask its administrator.",
    ),
    (&["invalid", "too long", "bad property"], Code::Usage, ""),
];

fn meaning(said: &str) -> (Code, &'static str) {
    // How it is called in general is no reason.
    let said = said.split("\nusage:").next().unwrap_or_default().to_lowercase();
    let found = MEANINGS.iter().find(|(words, ..)| words.iter().any(|word| said.contains(word)));
    found.map_or((Code::Io, ""), |(_, code, hint)| (*code, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_something_is_not_there_has_to_be_said() {
        const GONE: &str = "cannot open 'tank/p': dataset does not exist\n";
        for (well, ended, complaint, expected) in [
            (false, true, GONE.to_owned(), true),
            (false, true, format!("{GONE}{GONE}"), true),
            (true, true, String::new(), false),
            // Killed, and silent for whatever reason.
            (false, false, String::new(), false),
            (false, false, GONE.to_owned(), false),
            (false, true, String::new(), false),
            (false, true, "\n".to_owned(), false),
            (false, true, format!("{GONE}internal error: out of memory\n"), false),
            (false, true, "cannot open 'tank/p': I/O error\n".to_owned(), false),
        ] {
            let told = Told { well, ended, text: String::new(), complaint };
            assert_eq!(told.only_absent(), expected, "{told:?}");
        }
    }

    fn shell(script: &str) -> Call {
        let args = ["-c", script].map(str::to_owned).to_vec();
        Call { program: "sh", args, input: "" }
    }

    #[test]
    fn what_is_typed_on_a_terminal_does_not_reach_a_program() {
        let told = run(&shell("cut -d ' ' -f 5 /proc/$$/stat; echo $$")).unwrap().text;
        let numbers: Vec<&str> = told.lines().collect();
        assert!(numbers.len() == 2 && numbers[0] == numbers[1], "{told}");
    }

    #[test]
    fn a_program_that_is_killed_has_not_ended() {
        let told = run(&shell("kill -9 $$")).unwrap();
        assert!(!told.well && !told.ended, "{told:?}");
        let told =
            run(&shell("echo \"cannot open 'x': dataset does not exist\" >&2; exit 1")).unwrap();
        assert!(told.ended && told.only_absent(), "{told:?}");
    }

    /// As OpenZFS 2.1.11 and 2.3.2 printed them.
    #[test]
    fn refusals_are_understood() {
        for (said, code) in [
            ("cannot open 'tank/nope': dataset does not exist", Code::NotFound),
            ("cannot create 'other/x': no such pool 'other'", Code::NotFound),
            ("cannot create 'tank/none/q': parent does not exist", Code::NotFound),
            ("Unable to obtain diffs: No such file or directory", Code::NotFound),
            ("could not find any snapshots to destroy; check snapshot names.", Code::NotFound),
            ("cannot create 'tank/p': dataset already exists", Code::Exists),
            ("cannot create snapshot 'tank/p@s1': dataset already exists", Code::Exists),
            ("cannot destroy snapshot tank/p@s1: dataset is busy", Code::Locked),
            (
                "cannot destroy snapshot tank/p@s1: it's being held. Run 'zfs holds -r tank/p@s1' to \
              see holders.",
                Code::Locked,
            ),
            (
                "cannot destroy 'tank/p@s1': snapshot has dependent clones\nuse '-R' to destroy the \
              following datasets:\ntank/q",
                Code::Locked,
            ),
            ("cannot destroy 'tank/p': filesystem has children\nuse '-r' to …", Code::Unsupported),
            ("cannot create snapshots : permission denied", Code::Permission),
            ("Permission denied. Channel programs must be run as root.", Code::Permission),
            (
                "cannot set property for 'tank/p': size is less than current used or reserved space",
                Code::Space,
            ),
            ("cannot create 'tank/p': out of space", Code::Space),
            ("invalid option '4'\nusage:\n\tprogram [-m <memory limit (b)>]", Code::Usage),
            ("something new", Code::Io),
        ] {
            let call = Call { program: "zfs", args: vec!["x".into()], input: "" };
            let failure = refused(&call, said);
            assert_eq!(failure.code, code, "{said}");
            assert!(failure.detail().is_some_and(|d| d.contains("zfs x")), "{said}");
        }
    }
}
