//! One file of 1 GiB that changed a little, over ssh: how long, and how many bytes travel.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::host::{Host, NAME};
use crate::measure::{Contender, compare};
use crate::report::Report;
use crate::small::Set;
use crate::{Run, Tried, data};

const RSYNC: &str = "rsync -a -e ssh";
const DURABLE: &str = "rsync -a -e ssh, then sync -f there";

/// What is done to the file before each run; each time something else.
type Edit = fn(&Path, u64) -> Tried<()>;

/// Measures with the file that `set` has.
pub(crate) fn measure(run: &Run, set: &Set, report: &mut Report) -> Tried<()> {
    // Who does not know of the file's other life: rsync has a source of its own.
    let (own, copy) = (set.work.join("own"), set.work.join("own-copy"));
    std::fs::create_dir_all(&own)?;
    std::fs::copy(set.input.join("large.bin"), own.join("large.bin"))?;
    let host = Host::counting(&run.dir.join("host-that-counts"))?;
    let rsync = r#"rsync -a -e ssh "$1/" "#.to_owned() + &format!(r#""{NAME}:$2/""#);
    let durable = format!(r#"{rsync} && ssh {NAME} sync -f "$2""#);
    let sync = r#""$1" --quiet -C "$2" sync"#;
    set.unborn();
    let init = format!(r#""$1" --quiet -C "$2" init "{NAME}:$3" -m bench"#);
    let first = [
        Contender::shell("init", &host.line(&init), &[set.program(), &set.root, &set.repo]),
        Contender::shell("rsync", &host.line(&rsync), &[&own, &copy]),
    ];
    compare(1, &first)?;
    let edits: [(&str, Edit, u64); 2] = [
        ("7 kB changed in the middle", in_the_middle, 300_000),
        ("1 MiB inserted at its start", at_the_start, 1_572_864),
    ];
    for (title, edit, most) in edits {
        let turn = std::cell::Cell::new(0);
        let next = || {
            turn.set(turn.get() + 1);
            turn.get()
        };
        let there = own.join("large.bin");
        let here = set.input.join("large.bin");
        let changed = |file: &PathBuf| edit(file, next());
        let contenders = [
            Contender::shell(RSYNC, &host.line(&rsync), &[&own, &copy]).after(|| changed(&there)),
            Contender::shell(DURABLE, &host.line(&durable), &[&own, &copy])
                .after(|| changed(&there)),
            Contender::shell(
                "dsg sync, built-in ssh",
                &host.line(sync),
                &[set.program(), &set.root],
            )
            .after(|| changed(&here)),
            Contender::shell(
                "dsg sync, ssh program",
                &host.system_line(sync),
                &[set.program(), &set.root],
            )
            .after(|| changed(&here)),
        ];
        let rows = compare(run.repeats, &contenders)?;
        let bytes = |contender: &Contender<'_>| -> Tried<u64> {
            let before = host.bytes();
            contender.run()?;
            Ok(host.bytes() - before)
        };
        let (theirs, ours) = (bytes(&contenders[0])?, bytes(&contenders[2])?);
        let ratio = rows[2].median() / rows[0].median();
        report.target(
            &format!("{title} of 1 GiB: ≤ {most} bytes on the wire, ≤ 1.0 × {RSYNC}"),
            ours <= most && ratio <= 1.0,
            &format!("{ours} bytes (rsync: {theirs}), {ratio:.2} ×"),
        );
        report.group(&format!("S: {title}, to the host"), RSYNC, rows);
    }
    let moved = set.input.join("moved");
    let rename = || -> Tried<()> {
        std::fs::create_dir_all(&moved)?;
        Ok(std::fs::rename(set.input.join("large.bin"), moved.join("large.bin"))?)
    };
    let renamed =
        Contender::shell("dsg sync", &host.line(sync), &[set.program(), &set.root]).after(rename);
    let before = host.bytes();
    let sample = renamed.run()?;
    let bytes = host.bytes() - before;
    report.target(
        "1 GiB under another name: no content travels",
        bytes < 100_000,
        &format!("{bytes} bytes, {:.2} s", sample.seconds),
    );
    Ok(())
}

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut dice = data::Dice::new(seed);
    let words = std::iter::repeat_with(|| dice.next().to_le_bytes());
    words.flatten().take(bytes).collect()
}

fn in_the_middle(file: &Path, turn: u64) -> Tried<()> {
    let size = std::fs::metadata(file)?.len();
    let at = size / 2 + turn * 12_345_678;
    Ok(OpenOptions::new().write(true).open(file)?.write_all_at(&noise(turn, 7000), at)?)
}

fn at_the_start(file: &Path, turn: u64) -> Tried<()> {
    let new = file.with_extension("new");
    let mut to = File::create(&new)?;
    std::io::Write::write_all(&mut to, &noise(turn, 1 << 20))?;
    std::io::copy(&mut File::open(file)?, &mut to)?;
    Ok(std::fs::rename(new, file)?)
}
