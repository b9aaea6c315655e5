//! What stopped a decision, told to whoever publishes.

use dsg_core::failure::{Code, Failure};

use super::verb::Stop;

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        let again = "Run the sync again.";
        let (code, message, hint) = match stop {
            Stop::Missing => (Code::Io, "What was staged is not there any more.".into(), again),
            Stop::Moved | Stop::Taken => {
                (Code::HeadMoved, "Somebody published meanwhile.".to_owned(), again)
            }
            Stop::Stranger => (
                Code::Exists,
                "The dataset is no repository: nothing was ever published in it.".to_owned(),
                "Choose another name. Nothing was changed.",
            ),
            Stop::Drift(bytes) => (
                Code::Drift,
                format!("The repository's files were changed on its host ({bytes} bytes)."),
                "Look at the changes, and adopt them with --allow drift.",
            ),
            Stop::Foreign(names) => (
                Code::HeadMoved,
                format!("Snapshots of the repository were taken meanwhile: {}.", names.join(", ")),
                again,
            ),
            Stop::Limit(dataset) => (
                Code::Space,
                format!("{dataset} may have no more snapshots."),
                "Remove snapshots that nobody needs, or ask the host's administrator to raise its \
                 snapshot_limit.",
            ),
            Stop::Properties(names) => (
                Code::Io,
                format!("Properties of the dataset were changed meanwhile: {}.", names.join(", ")),
                again,
            ),
            Stop::Busy => (
                Code::Locked,
                "A snapshot of the repository is being sent or read on its host.".to_owned(),
                "Run the sync again when that is done.",
            ),
            Stop::Space => (
                Code::Space,
                "The pool, or a quota on it, is full.".to_owned(),
                "Free some space, or ask the host's administrator for more.",
            ),
            Stop::Other(errno, doing) => {
                let why = rustix::io::Errno::from_raw_os_error(errno);
                (Code::Io, format!("ZFS refused to {doing}: {why}."), "")
            }
        };
        let failure = Failure::new(code, message);
        if hint.is_empty() { failure } else { failure.hint(hint) }
    }
}
